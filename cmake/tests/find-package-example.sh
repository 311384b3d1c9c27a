#!/usr/bin/env bash
# The example application builds against the installed package, knowing nothing but its prefix.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
fresh_folder

cp -r "$SOURCE/examples/keepalive-client" application
"$CMAKE" -S application -B build -G "$GENERATOR" -D CMAKE_BUILD_TYPE=Release -D CMAKE_C_COMPILER="$CC" -D CMAKE_PREFIX_PATH="$PREFIX" \
    ${TOOLCHAIN_FILE:+-D CMAKE_TOOLCHAIN_FILE="$TOOLCHAIN_FILE"}
"$CMAKE" --build build
program=$(find build -maxdepth 2 -type f -executable -name 'keepalive*client' | head -n 1)
[[ -n $program ]] || fail "the example built no program keepalive-client"
file_of_package=$(grep -E '^MbedCloudConnectivity_DIR' build/CMakeCache.txt)
expect_in "the package is the one that was installed" "$PREFIX" "$file_of_package"
expect_equal "the program has none of the build tree's paths" "" "$(strings "$program" | grep -F "$BUILD/cargo" || true)"

# What it finds out of the path is kept in a file and taken up from there, and a file that was damaged is one that is not there.
coproc peer { exec "${PEERS:?}/coap_peer" --tcp; }
read -r -t 15 listening port <&"${peer[0]}"
expect_equal "the server is there" listening "$listening"
run_adaptive() {
    timeout 30 "${emulator[@]}" "$program" --adaptive=state --limit 1 "coap://127.0.0.1:$port" >output 2>&1 || fail "the client ended with $?: $(cat output)"
}
run_adaptive
expect_in "the first run keeps what it found out" "kept what the path bears" "$(cat output)"
[[ $(cat output) != *"read what the path bears"* ]] || fail "the first run has read something"
expect_in "the search tries half as much again as the 60 s that it begins with" "keepalive interval now: 90.000 s" "$(cat output)"
kept=$(od -An -tx1 state)
run_adaptive
expect_in "the second run reads it" "read what the path bears: $(stat -c %s state) bytes" "$(cat output)"
expect_equal "and the file stays as it is" "$kept" "$(od -An -tx1 state)"
[[ $(cat output) != *"kept what the path bears"* ]] || fail "the second run has written the same once more"
printf 'damaged' >state
run_adaptive
expect_in "a damaged file is told" "state: " "$(cat output)"
expect_equal "and the search begins anew" "$kept" "$(od -An -tx1 state)"
expect_equal "no other file is left" "state" "$(compgen -G 'state*')"
