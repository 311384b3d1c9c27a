#!/usr/bin/env bash
# Applications ask for the library's pal_*: relink.sh find-package or relink.sh add-subdirectory.
# The programs of c-tests/relink, the example, and what mbed_cloud_connectivity_replace_pal refuses.
source "$(dirname "${BASH_SOURCE[0]}")/application.sh"

mkdir c-tests examples
cp -r "$SOURCE/c-tests/relink" c-tests
cp -r "$SOURCE/examples/relink" examples
cp -r "$SOURCE/abi" .
[[ $way == find-package ]] || more_arguments=(-D MBED_CLOUD_CONNECTIVITY_SOURCE="$SOURCE")

# build_folder <folder>
build_folder() {
    {
        "$CMAKE" -S "$1" -B "$1/build" -G "$GENERATOR" -D CMAKE_BUILD_TYPE=Debug -D CMAKE_C_COMPILER="$CC" -D CMAKE_CXX_COMPILER="$CXX" \
            -D CMAKE_PREFIX_PATH="$PREFIX" -D MBED_CLOUD_CONNECTIVITY_CARGO_TARGET_DIR="$CARGO_FOLDER" "${more_arguments[@]}" &&
            "$CMAKE" --build "$1/build"
    } >output 2>&1 || fail "$1: $(cat output)"
}

build_folder c-tests/relink
# This script may itself be run by a ctest.
ctest --test-dir c-tests/relink/build --no-tests=error --output-on-failure >output 2>&1 || fail "$(cat output)"
grep -E 'Test +#|tests passed' output

more_arguments+=(-D CLIENT_LIBRARIES="$PWD/c-tests/relink/build/librelink_layer.a")
build_folder examples/relink
expect_in "the example, with the client's own functions beside it" "all of it worked" "$(./examples/relink/build/relink)"
expect_equal "none of those are in it" "" "$("$NM" --format=posix examples/relink/build/relink | grep '^layer_' || true)"
expect_in "that folder has them" "layer_ran" "$("$NM" c-tests/relink/build/librelink_layer.a)"

# What is refused.
cp examples/relink/main.c .
more_arguments=()
project 'mbed_cloud_connectivity_replace_pal(aplication)'
expect_error "no such target" "mbed_cloud_connectivity_replace_pal(aplication): there is no such target" "after add_executable"
project 'mbed_cloud_connectivity_replace_pal(application WHOLE)'
expect_error "more arguments" "unknown arguments: WHOLE" "the target only"
project 'add_library(headers INTERFACE)' 'mbed_cloud_connectivity_replace_pal(headers)'
expect_error "a library without code" "no target that is linked (INTERFACE_LIBRARY)"
project 'add_custom_target(nothing)' 'mbed_cloud_connectivity_replace_pal(nothing)'
expect_error "a target without code" "no target that is linked (UTILITY)"

# An object of the application needs what only an object of the replaced layer has: docs/architecture.md says what that looks like.
printf 'int pal_plat_layerTls(const char *function);\nint needs_private(void) { return pal_plat_layerTls("private"); }\n' >private.c
# shellcheck disable=SC2016 # CMake's variable
project 'target_sources(application PRIVATE private.c)' 'mbed_cloud_connectivity_replace_pal(application)' \
    'target_link_libraries(application PRIVATE "${CMAKE_SOURCE_DIR}/c-tests/relink/build/librelink_layer.a")' \
    'target_link_options(application PRIVATE -Wl,-y,pal_plat_layerTls)'
rm -rf build
expect_error "a private function of the layer" "tls_platform.c" 'multiple definition of `pal_print_cid' "private.c.o: reference to pal_plat_layerTls"
if [[ $way == add-subdirectory ]]; then
    # Of an installed library, without-pal.sh tells.
    project 'mbed_cloud_connectivity_replace_pal(application)'
    more_arguments=(-D MBED_CLOUD_CONNECTIVITY_PAL=OFF)
    expect_error "a library without the functions" "built without the PAL functions" "MBED_CLOUD_CONNECTIVITY_PAL=ON"
    exit 0
fi

# A project of an old CMake drops the options of a static library behind a private one: that must not link in silence.
cat >CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.10)
project(application C)
set(CMAKE_C_STANDARD 11)
find_package(MbedCloudConnectivity REQUIRED)
set(client c-tests/relink/client.c c-tests/relink/client_tls.c c-tests/relink/host.c)
add_library(client STATIC ${client})
add_library(middle STATIC ${client})
target_link_libraries(middle PRIVATE client)
add_executable(application main.c c-tests/relink/before_main.c)
target_link_libraries(client PRIVATE mbed_cloud_connectivity::mbed_cloud_connectivity)
target_link_libraries(application PRIVATE "${CMAKE_SOURCE_DIR}/c-tests/relink/build/librelink_layer.a" middle)
target_include_directories(application PRIVATE $<TARGET_PROPERTY:mbed_cloud_connectivity::mbed_cloud_connectivity,INTERFACE_INCLUDE_DIRECTORIES>)
mbed_cloud_connectivity_replace_pal(client)
if(PROGRAM_TOO)
    mbed_cloud_connectivity_replace_pal(application)
endif()
CMAKE
rm -rf build
expect_error "a static library behind another one, in a project of CMake 3.10" "multiple definition of" "pal_plat_socketsInit"
more_arguments=(-D PROGRAM_TOO=ON)
{ configure && "$CMAKE" --build build >>output 2>&1; } || fail "the program asks too: $(cat output)"
expect_in "the same, and the program asks too" "all of it worked" "$(./build/application)"
