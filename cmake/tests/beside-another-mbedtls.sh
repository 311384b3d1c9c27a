#!/usr/bin/env bash
# An application with a Mbed TLS 2.28 of its own links this library before or after it, and both work.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
fresh_folder

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out certificate.pem -days 30 \
    -subj '/CN=server.invalid' 2>/dev/null
other=()
for name in libmbedtls.a libmbedx509.a libmbedcrypto.a; do
    file=$("$CC" ${LIBRARIES:+-B "$LIBRARIES"} -print-file-name="$name")
    [[ $file == */* ]] || fail "$name is missing: script/bootstrap installs libmbedtls-dev"
    other+=("$file")
done
mapfile -t libraries < <(native_libraries)
"$CC" -std=c11 -Wall -Wextra -Wpedantic -Werror -I "$SOURCE/include" -c "$SOURCE/cmake/tests/beside_another_mbedtls.c" -o program.o

link_and_run() {
    local name=$1
    shift
    "$CC" program.o "$@" "${libraries[@]}" -o "$name" || fail "$name does not link"
    local said
    said=$("${emulator[@]}" "./$name" certificate.pem) || fail "$name: $said"
    expect_in "$name: the application runs its own" "application: Mbed TLS 2.28." "$said"
    expect_in "$name: the library answers" "library: " "$said"
}
link_and_run library-first "$ARCHIVE" "${other[@]}"
link_and_run library-last "${other[@]}" "$ARCHIVE"
link_and_run library-whole -Wl,--whole-archive "$ARCHIVE" -Wl,--no-whole-archive "${other[@]}"
