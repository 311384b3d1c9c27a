#!/usr/bin/env bash
# What the library adds to a program has not grown. Exit status 77: the figures kept are those of other compilers.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# The compilers are those that CMake finds by itself: a variable that is set has everything compiled again, and afterwards once more.
unset CC CXX
status=0
CARGO_TARGET_DIR=$CARGO_FOLDER bash "$SOURCE/script/footprint" --check --library "$ARCHIVE" || status=$?
# Other tests look at what cargo made for this build.
"$CMAKE" --build "$BUILD" --target mbed_cloud_connectivity_archive
exit "$status"
