#!/usr/bin/env bash
# An application's settings reach the program: settings.sh find-package or settings.sh add-subdirectory.
# Both must give the same values and the same errors for the same inputs.
source "$(dirname "${BASH_SOURCE[0]}")/application.sh"
# CMake's arguments count, not what a shell happens to have set.
export MBED_APP_JSON=/no/such/file.json MBED_CLOUD_CLIENT_DEFINES=MBED_CLIENT_TCP_KEEPALIVE_INTERVAL=1

cat >main.c <<'C'
#include <mbed_cloud_connectivity.h>
#include <stdio.h>
int main(void) { printf("%u\n", (unsigned) mcc_keepalive_interval_s()); return 0; }
C
application=application

# Configures and builds; the program must print the interval expected.
expect_interval() {
    configure || fail "$1: $(cat output)"
    expect_rebuilt "$1" "$2"
}

# Builds only.
expect_rebuilt() {
    "$CMAKE" --build build >output 2>&1 || fail "$1: $(cat output)"
    expect_equal "$1" "$2" "$("./build/$application")"
}

json() { printf '{ "target_overrides": { "*": { "mbed-client.tcp-keepalive-interval": %s } } }\n' "$1"; }

project 'mbed_cloud_connectivity_configure(application)'
expect_interval "neither: the default" 540
if [[ $way == add-subdirectory ]]; then
    # This one is a Debug build: its archive is isolated in another way, and must be as clean.
    ARCHIVE=$PWD/build/connectivity/libmbed_cloud_connectivity.a BUILD_TYPE=Debug WORK=$WORK/archive bash "$SOURCE/cmake/tests/archive-symbols.sh"
fi

mkdir -p settings
echo '#include "settings/interval.h"' >mbed_cloud_client_user_config.h
echo '#define MBED_CLIENT_TCP_KEEPALIVE_INTERVAL (1 * 60)' >settings/interval.h
expect_interval "the header beside the top-level CMakeLists.txt" 60
echo '#define MBED_CLIENT_TCP_KEEPALIVE_INTERVAL 61' >settings/interval.h
expect_rebuilt "a change of a file that the header includes" 61
echo '#define MBED_CLIENT_TCP_KEEPALIVE_INTERVAL 62' >mbed_cloud_client_user_config.h
expect_rebuilt "a change of the header" 62

json 70 >mbed_app.json
expect_error "both" "MBED_CLIENT_TCP_KEEPALIVE_INTERVAL is defined twice" "mbed_cloud_client_user_config.h:1" "mbed_app.json" \
    "target_overrides.*.mbed-client.tcp-keepalive-interval" "62" "70"
if [[ $way == find-package ]]; then
    if configure; then
        fail "both: CMake configured without an error; $(cat output)"
    fi
    echo "ok: both: an error while CMake configures"
fi
json 62 >mbed_app.json
expect_error "both, and equal" "MBED_CLIENT_TCP_KEEPALIVE_INTERVAL is defined twice"
rm mbed_cloud_client_user_config.h
expect_interval "the JSON alone" 62
rm mbed_app.json

echo '#ifdef FAST
#define MBED_CLIENT_TCP_KEEPALIVE_INTERVAL 5
#endif' >settings/user.h
json 6 >settings/app.json
project 'mbed_cloud_connectivity_configure(application USER_CONFIG settings/user.h APP_JSON settings/app.json)'
expect_interval "named files, the header's define inactive" 6
project 'mbed_cloud_connectivity_configure(application USER_CONFIG settings/user.h)' \
    'target_compile_definitions(application PRIVATE $<$<COMPILE_LANGUAGE:C>:FAST>)'
expect_interval "a definition of the target, after the call, by a generator expression" 5
project 'mbed_cloud_connectivity_configure(application DEFINITIONS MBED_CLIENT_TCP_KEEPALIVE_INTERVAL=0)'
expect_error "a value out of range" "MBED_CLIENT_TCP_KEEPALIVE_INTERVAL" "4294967"
project 'mbed_cloud_connectivity_configure(application USER_CONFIG settings/no.h)'
expect_error "a named file that is missing" "settings/no.h" "which is not a file"
project 'mbed_cloud_connectivity_configure(application HEADER settings/user.h)'
expect_error "a misspelt argument" "unknown arguments: HEADER" "USER_CONFIG"

echo '#define PAL_DNS_API_VERSION 3' >settings/lookups.h
project 'mbed_cloud_connectivity_configure(application USER_CONFIG settings/lookups.h)'
if [[ $way == find-package ]]; then
    expect_error "another version of the lookups than the archive's" "PAL_DNS_API_VERSION" "lookups.h:1" "build the archive from source"
else
    expect_interval "another version of the lookups" 540
    expect_in "its functions" "pal_getDNSCount T" "$("$NM" --format=posix build/connectivity/libmbed_cloud_connectivity.a)"
fi

echo 'int part(void); int part(void) { return 0; }' >part.c
project 'add_library(part STATIC part.c)' 'mbed_cloud_connectivity_configure(part DEFINITIONS MBED_CLIENT_TCP_KEEPALIVE_INTERVAL=11)' \
    'target_link_libraries(application part)' \
    'target_include_directories(application PRIVATE $<TARGET_PROPERTY:mbed_cloud_connectivity::mbed_cloud_connectivity,INTERFACE_INCLUDE_DIRECTORIES>)'
expect_interval "a static library that is configured, in a program that is not" 11
if [[ ${PAL:?} == ON ]]; then
    echo 'mbed_cloud_connectivity_replace_pal(part)' >>CMakeLists.txt
    expect_interval "the same, and it has the whole of the library" 11
fi

# With a library that CMake knows nothing of the definitions of before it generates, only the build reads the settings.
project 'add_library(part STATIC part.c)' 'target_link_libraries(application part)' \
    'mbed_cloud_connectivity_configure(application USER_CONFIG settings/user.h)'
expect_interval "no other file is there" 540
json 13 >mbed_app.json
expect_interval "a file comes to be" 13
rm mbed_app.json
expect_interval "and goes" 540

mkdir -p parts
printf 'add_library(parts SHARED ../part.c)\n' >parts/CMakeLists.txt
project 'add_subdirectory(parts)' 'mbed_cloud_connectivity_configure(parts DEFINITIONS MBED_CLIENT_TCP_KEEPALIVE_INTERVAL=12)' \
    'mbed_cloud_connectivity_configure(application DEFINITIONS MBED_CLIENT_TCP_KEEPALIVE_INTERVAL=12)'
expect_interval "a shared library of another folder" 12

if [[ $way == find-package ]]; then
    project 'mbed_cloud_connectivity_configure(application DEFINITIONS MBED_CLIENT_TCP_KEEPALIVE_INTERVAL=8)' \
        'add_executable(second main.c)' \
        'mbed_cloud_connectivity_configure(second DEFINITIONS MBED_CLIENT_TCP_KEEPALIVE_INTERVAL=9)'
    expect_interval "the first of two programs" 8
    application=second
    expect_rebuilt "the second of two programs" 9
else
    project 'mbed_cloud_connectivity_configure(application DEFINITIONS MBED_CLIENT_TCP_KEEPALIVE_INTERVAL=8)' \
        'add_executable(second main.c)' \
        'mbed_cloud_connectivity_configure(second DEFINITIONS MBED_CLIENT_TCP_KEEPALIVE_INTERVAL=9)'
    expect_error "a second program with other arguments" "one set of settings" "INTERVAL=8" "INTERVAL=9"
    project 'mbed_cloud_connectivity_configure(application)' \
        'add_executable(second main.c)' \
        'mbed_cloud_connectivity_configure(second)' \
        'target_compile_definitions(second PRIVATE MBED_CLIENT_TCP_KEEPALIVE_INTERVAL=9)'
    expect_error "a second program with other definitions" "one set of settings" "[=[540]=]" "[=[9]=]"
    project 'mbed_cloud_connectivity_configure(application)' \
        'add_executable(second main.c)' \
        'mbed_cloud_connectivity_configure(second)' \
        'target_compile_definitions(second PRIVATE NAME="second")'
    expect_interval "a second program with the same settings" 540
fi
