# What script/bench and script/soak share; they source it after a `cd` to the repository. It builds benches/ in build/bench.

# shellcheck disable=SC2034 # used by those scripts
root=$PWD
build=$root/build/bench
document=docs/performance.md
log=$build/build.log
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
export CARGO_TERM_COLOR=never
# What is measured is the library with its defaults.
unset MBED_CLOUD_CLIENT_USER_CONFIG_FILE MBED_APP_JSON MBED_TARGET MBED_TARGET_LABELS MBED_CLOUD_CLIENT_DEFINES \
    MBED_CLOUD_CLIENT_INCLUDE_PATHS MBED_CLOUD_CLIENT_SYSROOT MBED_CLOUD_CLIENT_CLANG_TARGET MBEDTLS_SOURCE_DIR \
    MBEDTLS_CONNECTION_ID_EXTENSION

me=$(basename "$0")
say() { printf '%s: %s\n' "$me" "$*" >&2; }
fail() {
    printf '%s: error: %s\n' "$me" "$*" >&2
    exit 1
}

# Runs a step of the build; what it says is shown only if it fails.
quietly() {
    "$@" >>"$log" 2>&1 || {
        cat "$log" >&2
        fail "this failed: $*"
    }
}

# begin_build TARGET...: builds these; `all` is everything.
begin_build() {
    mkdir -p "$build"
    : >"$log"
    say "building; the log is build/bench/build.log"
    quietly bash script/bootstrap
    quietly cmake -S benches -B "$build" -G Ninja -D MBED_CLOUD_CONNECTIVITY_CARGO_TARGET_DIR="$CARGO_TARGET_DIR"
    quietly cmake --build "$build" --target "$@"
}

# make_certificate NAME OPTION...: a key and the certificate for it.
make_certificate() {
    quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=bench $1" \
        -keyout "$build/$1.key" -out "$build/$1.pem" "${@:2}"
}

make_certificates() {
    make_certificate ca
    make_certificate server -CA "$build/ca.pem" -CAkey "$build/ca.key" -addext subjectAltName=IP:127.0.0.1 \
        -addext basicConstraints=CA:false
}

# shellcheck source=script/document.bash
source script/document.bash
