# An application in a folder of its own, for the scripts of this folder: SCRIPT find-package or SCRIPT add-subdirectory.
# shellcheck shell=bash
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
way=$1
# With a space: paths of applications have them.
WORK="$WORK/my application"
fresh_folder

# project <line...>: an application whose CMakeLists.txt has these lines after the library and the program are there.
project() {
    {
        printf 'cmake_minimum_required(VERSION 3.25)\nproject(application C)\n'
        if [[ $way == find-package ]]; then
            printf 'find_package(MbedCloudConnectivity 0.1 REQUIRED)\n'
        else
            printf 'add_subdirectory("%s" connectivity)\n' "$SOURCE"
        fi
        printf 'add_executable(application main.c)\n'
        printf '%s\n' "$@"
    } >CMakeLists.txt
}

# What configure hands to CMake besides.
more_arguments=()

configure() {
    "$CMAKE" -S . -B build -G "$GENERATOR" -D CMAKE_BUILD_TYPE=Debug -D CMAKE_C_COMPILER="$CC" -D CMAKE_PREFIX_PATH="$PREFIX" \
        -D MBED_CLOUD_CONNECTIVITY_CARGO_TARGET_DIR="$CARGO_FOLDER" "${more_arguments[@]}" >output 2>&1
}

# Configuring or building must fail, and the output hold each of the words.
expect_error() {
    local what=$1 word said
    shift
    if configure && "$CMAKE" --build build >>output 2>&1; then
        fail "$what: no error; $(cat output)"
    fi
    # CMake folds its lines; words must be found across them.
    said=$(tr -s ' \n' '  ' <output)
    for word in "$@"; do
        expect_in "$what" "$word" "$said"
    done
}
