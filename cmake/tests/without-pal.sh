#!/usr/bin/env bash
# A library built with MBED_CLOUD_CONNECTIVITY_PAL=OFF has nothing of pal_*, and says so to who asks for it.
set -- find-package
source "$(dirname "${BASH_SOURCE[0]}")/application.sh"

PREFIX=$WORK/prefix
{
    "$CMAKE" -S "$SOURCE" -B library -G "$GENERATOR" -D CMAKE_BUILD_TYPE=Debug -D CMAKE_C_COMPILER="$CC" \
        -D MBED_CLOUD_CONNECTIVITY_CARGO_TARGET_DIR="$CARGO_FOLDER" -D MBED_CLOUD_CONNECTIVITY_PAL=OFF \
        -D MBED_CLOUD_CONNECTIVITY_TESTS=OFF &&
        "$CMAKE" --build library && "$CMAKE" --install library --prefix "$PREFIX"
} >output 2>&1 || fail "$(cat output)"

ARCHIVE=$(find "$PREFIX" -name libmbed_cloud_connectivity.a)
PAL=OFF BUILD_TYPE=Debug WORK=$WORK/archive bash "$SOURCE/cmake/tests/archive-symbols.sh"
expect_equal "no symbol of the PAL" "" "$("$NM" --format=posix --extern-only "$ARCHIVE" | grep -E '^(pal_|mcc_pal_)' || true)"
[[ -e $PREFIX/include/mbed_cloud_connectivity.h ]] || fail "the header is not installed"
[[ ! -e $PREFIX/include/mbed-cloud-connectivity ]] || fail "pal.h is installed"

cat >main.c <<'C'
#include <mbed_cloud_connectivity.h>
int main(void) { return mcc_version() == 0; }
C
project 'mbed_cloud_connectivity_replace_pal(application)'
expect_error "its functions are asked for" "built without the PAL functions" "MBED_CLOUD_CONNECTIVITY_PAL=ON"
# It has no lookups, so that every version of them suits it.
echo '#define PAL_DNS_API_VERSION 3' >lookups.h
project 'mbed_cloud_connectivity_configure(application USER_CONFIG lookups.h)'
{ configure && "$CMAKE" --build build >>output 2>&1 && ./build/application; } || fail "any version of the lookups: $(cat output)"
echo "ok: any version of the lookups"

if [[ $BUILD_TYPE == Debug ]]; then
    # Other tests look at what cargo made for this build.
    "$CMAKE" --build "$BUILD" --target mbed_cloud_connectivity_archive
fi
