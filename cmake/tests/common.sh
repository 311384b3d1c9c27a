# Shared by the scripts of this folder.
# shellcheck shell=bash
set -euo pipefail
export LC_ALL=C

# Set by CMakeLists.txt beside this file.
: "${SOURCE:?}" "${WORK:?}" "${ARCHIVE:?}" "${CC:?}" "${PREFIX:?}"
# Empty: the usual compiler.
[[ -n ${RUSTC:-} ]] || unset RUSTC
# Where programs are for another machine.
# shellcheck disable=SC2034
read -r -a emulator <<<"${EMULATOR:-}"

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# expect_equal <what> <expected> <seen>
expect_equal() {
    [[ $2 == "$3" ]] || fail "$1: expected"$'\n'"$2"$'\n'"and saw"$'\n'"$3"
    printf 'ok: %s\n' "$1"
}

# expect_in <what> <needle> <haystack>
expect_in() {
    [[ $3 == *"$2"* ]] || fail "$1: expected to find \"$2\" in"$'\n'"$3"
    printf 'ok: %s\n' "$1"
}

# A folder of its own for each test, empty.
fresh_folder() {
    rm -rf "$WORK"
    mkdir -p "$WORK"
    cd "$WORK"
}

# The symbols that the archive defines, by the lists of abi/.
public_symbols() {
    local lists=(symbols.txt)
    [[ ${NETCHECK_RUN:?} != ON ]] || lists+=(symbols-netcheck.txt)
    [[ ${PAL:?} != ON ]] || lists+=(symbols-pal.txt symbols-pal-dns-0.txt)
    (cd "$SOURCE/abi" && sort "${lists[@]}")
}

# What an application may define for the archive.
weak_symbols() {
    local lists=(weak-symbols.txt)
    [[ ${PAL:?} != ON ]] || lists+=(weak-symbols-pal.txt)
    (cd "$SOURCE/abi" && sort "${lists[@]}")
}

# What a program needs beside the archive.
native_libraries() {
    grep -vE '^(#|gcc_s$|c$)' "$SOURCE/abi/native-libraries.txt" | sed 's/^/-l/'
}
