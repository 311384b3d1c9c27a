#!/usr/bin/env bash
# A library built with MBED_CLOUD_CONNECTIVITY_TLS=OFF has nothing of Mbed TLS, refuses coaps and keeps up plain connections.
set -- find-package
source "$(dirname "${BASH_SOURCE[0]}")/application.sh"

PREFIX=$WORK/prefix
configure_library() {
    "$CMAKE" -S "$SOURCE" -B library -G "$GENERATOR" -D CMAKE_BUILD_TYPE=Debug -D CMAKE_C_COMPILER="$CC" \
        -D MBED_CLOUD_CONNECTIVITY_CARGO_TARGET_DIR="$CARGO_FOLDER" -D MBED_CLOUD_CONNECTIVITY_TLS=OFF \
        -D MBED_CLOUD_CONNECTIVITY_NETCHECK=OFF -D MBED_CLOUD_CONNECTIVITY_TESTS=OFF "$@" >output 2>&1
}
if configure_library; then
    fail "the functions of the client, which have TLS in them, were configured without it"
fi
expect_in "the client's functions need TLS" "MBED_CLOUD_CONNECTIVITY_PAL=OFF" "$(cat output)"
{ configure_library -D MBED_CLOUD_CONNECTIVITY_PAL=OFF && "$CMAKE" --build library >>output 2>&1 &&
    "$CMAKE" --install library --prefix "$PREFIX" >>output 2>&1; } || fail "$(cat output)"

ARCHIVE=$(find "$PREFIX" -name libmbed_cloud_connectivity.a)
PAL=OFF NETCHECK_RUN=OFF BUILD_TYPE=Debug WORK=$WORK/archive bash "$SOURCE/cmake/tests/archive-symbols.sh"
# With its debug information an archive still names its private functions.
names=$("$NM" --format=posix "$ARCHIVE" | awk '{ print $1 }')
expect_in "the archive names its private functions" coap "$names"
expect_equal "nothing of Mbed TLS" "" "$(grep -E '^(mbedtls|psa)_' <<<"$names" || true)"

cat >main.c <<'C'
#include <mbed_cloud_connectivity.h>
#include <stdio.h>
#include <string.h>

static void on_event(void *argument, const mcc_event_t *event) {
    if (event->type == MCC_EVENT_STATE && event->data.state.state == MCC_STATE_CONNECTING) {
        *(int *)argument = 1;
    }
}

int main(void) {
    int connecting = 0;
    static const char ca[] = "none";
    mcc_context_options_t driven = MCC_CONTEXT_OPTIONS_INIT;
    mcc_context_t *context = NULL;
    mcc_connection_t *connection = NULL;
    mcc_tls_options_t tls = MCC_TLS_OPTIONS_INIT;
    mcc_connection_options_t options = MCC_CONNECTION_OPTIONS_INIT;
    driven.own_thread = 0;
    tls.ca = (const uint8_t *)ca;
    tls.ca_size = strlen(ca);
    options.uri = "coaps://127.0.0.1:9";
    options.tls = &tls;
    options.callback = on_event;
    options.argument = &connecting;
    mcc_status_t status = mcc_context_new(&driven, &context);
    printf("context %s\n", mcc_status_name(status));
    status = mcc_connection_open(context, &options, &connection);
    printf("coaps %s\n", mcc_status_name(status));
    options.uri = "coap://127.0.0.1:9";
    options.tls = NULL;
    status = mcc_connection_open(context, &options, &connection);
    printf("coap %s\n", mcc_status_name(status));
    mcc_context_process(context, 1000);
    printf("connecting %d\n", connecting);
    mcc_context_free(context);
    return 0;
}
C
project 'mbed_cloud_connectivity_configure(application)'
{ configure && "$CMAKE" --build build >>output 2>&1; } || fail "$(cat output)"
expect_equal "coaps is refused, and coap is not" $'context MCC_OK\ncoaps MCC_ERR_UNSUPPORTED\ncoap MCC_OK\nconnecting 1' \
    "$(timeout 30 ./build/application)"

if [[ $BUILD_TYPE == Debug ]]; then
    # Other tests look at what cargo made for this build.
    "$CMAKE" --build "$BUILD" --target mbed_cloud_connectivity_archive
fi
