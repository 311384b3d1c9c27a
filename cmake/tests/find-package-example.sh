#!/usr/bin/env bash
# The example application builds against the installed package, knowing nothing but its prefix.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
fresh_folder

cp -r "$SOURCE/examples/keepalive-client" application
"$CMAKE" -S application -B build -G "$GENERATOR" -D CMAKE_BUILD_TYPE=Release -D CMAKE_C_COMPILER="$CC" -D CMAKE_PREFIX_PATH="$PREFIX"
"$CMAKE" --build build
program=$(find build -maxdepth 2 -type f -executable -name 'keepalive*client' | head -n 1)
[[ -n $program ]] || fail "the example built no program keepalive-client"
file_of_package=$(grep -E '^MbedCloudConnectivity_DIR' build/CMakeCache.txt)
expect_in "the package is the one that was installed" "$PREFIX" "$file_of_package"
expect_equal "the program has none of the build tree's paths" "" "$(strings "$program" | grep -F "$BUILD/cargo" || true)"
