/* The interface as such: versions, statuses, initialisers, null and wrong pointers, calls in the wrong order, the log.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "support.h"

#include <ctype.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static void ignore_event(void *argument, const mcc_event_t *event)
{
    (void)argument;
    (void)event;
}

/* ---- what was built ---- */

static void version_is_three_numbers(void **state)
{
    (void)state;
    unsigned numbers[3];
    char rest;
    assert_int_equal(sscanf(mcc_version(), "%u.%u.%u%c", &numbers[0], &numbers[1], &numbers[2], &rest), 3);
    assert_ptr_equal(mcc_version(), mcc_version());
}

static void interval_is_within_its_range_and_has_a_source(void **state)
{
    (void)state;
    assert_in_range(mcc_keepalive_interval_s(), 1, 4294967);
    const char *source = mcc_keepalive_interval_source();
    assert_true(strlen(source) > 0);
    if (strcmp(source, "default") == 0) {
        assert_int_equal(mcc_keepalive_interval_s(), 540);
    }
}

/* ---- statuses ---- */

static const struct {
    mcc_status_t status;
    const char *name;
    mcc_error_class_t class;
} statuses[] = {
#define STATUS(name, class) {name, #name, class}
    STATUS(MCC_OK, MCC_CLASS_NONE),
    STATUS(MCC_ERR_NULL_POINTER, MCC_CLASS_ARGUMENT),
    STATUS(MCC_ERR_INVALID_ARGUMENT, MCC_CLASS_ARGUMENT),
    STATUS(MCC_ERR_INVALID_HANDLE, MCC_CLASS_ARGUMENT),
    STATUS(MCC_ERR_EMPTY_MESSAGE, MCC_CLASS_ARGUMENT),
    STATUS(MCC_ERR_MESSAGE_TOO_LARGE, MCC_CLASS_ARGUMENT),
    STATUS(MCC_ERR_INVALID_MESSAGE, MCC_CLASS_ARGUMENT),
    STATUS(MCC_ERR_URI_SYNTAX, MCC_CLASS_ARGUMENT),
    STATUS(MCC_ERR_URI_SCHEME, MCC_CLASS_ARGUMENT),
    STATUS(MCC_ERR_URI_HOST, MCC_CLASS_ARGUMENT),
    STATUS(MCC_ERR_URI_PORT, MCC_CLASS_ARGUMENT),
    STATUS(MCC_ERR_CA_INVALID, MCC_CLASS_ARGUMENT),
    STATUS(MCC_ERR_CRL_INVALID, MCC_CLASS_ARGUMENT),
    STATUS(MCC_ERR_CERTIFICATE_INVALID, MCC_CLASS_ARGUMENT),
    STATUS(MCC_ERR_KEY_INVALID, MCC_CLASS_ARGUMENT),
    STATUS(MCC_ERR_KEY_MISMATCH, MCC_CLASS_ARGUMENT),
    STATUS(MCC_ERR_PSK_INVALID, MCC_CLASS_ARGUMENT),
    STATUS(MCC_ERR_TRUST_MISSING, MCC_CLASS_ARGUMENT),
    STATUS(MCC_ERR_UNSUPPORTED, MCC_CLASS_ARGUMENT),
    STATUS(MCC_ERR_KEEPALIVE_STATE_INVALID, MCC_CLASS_ARGUMENT),
    STATUS(MCC_ERR_WRONG_STATE, MCC_CLASS_STATE),
    STATUS(MCC_ERR_BUSY, MCC_CLASS_STATE),
    STATUS(MCC_ERR_CLOSED, MCC_CLASS_STATE),
    STATUS(MCC_ERR_QUEUE_FULL, MCC_CLASS_STATE),
    STATUS(MCC_ERR_NOT_CONNECTED, MCC_CLASS_STATE),
    STATUS(MCC_ERR_NAME_NOT_FOUND, MCC_CLASS_NAME),
    STATUS(MCC_ERR_NAME_LOOKUP_FAILED, MCC_CLASS_NAME),
    STATUS(MCC_ERR_NAME_LOOKUP_TIMEOUT, MCC_CLASS_NAME),
    STATUS(MCC_ERR_CONNECTION_REFUSED, MCC_CLASS_REFUSED),
    STATUS(MCC_ERR_CONNECT_TIMEOUT, MCC_CLASS_FILTERED),
    STATUS(MCC_ERR_HOST_UNREACHABLE, MCC_CLASS_UNREACHABLE),
    STATUS(MCC_ERR_NETWORK_DOWN, MCC_CLASS_NETWORK_DOWN),
    STATUS(MCC_ERR_CONNECTION_RESET, MCC_CLASS_CLOSED_BY_PEER),
    STATUS(MCC_ERR_CLOSED_BY_PEER, MCC_CLASS_CLOSED_BY_PEER),
    STATUS(MCC_ERR_PATH_SILENT, MCC_CLASS_SILENT_PATH),
    STATUS(MCC_ERR_TRANSPORT_FAILED, MCC_CLASS_UNREACHABLE),
    STATUS(MCC_ERR_HANDSHAKE_TIMEOUT, MCC_CLASS_FILTERED),
    STATUS(MCC_ERR_HANDSHAKE_FAILED, MCC_CLASS_PROTOCOL),
    STATUS(MCC_ERR_TLS_ALERT, MCC_CLASS_ALERT),
    STATUS(MCC_ERR_NOT_TLS, MCC_CLASS_PROTOCOL),
    STATUS(MCC_ERR_CERTIFICATE_NAME, MCC_CLASS_CERTIFICATE),
    STATUS(MCC_ERR_CERTIFICATE_EXPIRED, MCC_CLASS_CERTIFICATE),
    STATUS(MCC_ERR_CERTIFICATE_FUTURE, MCC_CLASS_CERTIFICATE),
    STATUS(MCC_ERR_CERTIFICATE_REVOKED, MCC_CLASS_CERTIFICATE),
    STATUS(MCC_ERR_CERTIFICATE_UNTRUSTED, MCC_CLASS_CERTIFICATE),
    STATUS(MCC_ERR_CERTIFICATE_REJECTED, MCC_CLASS_CERTIFICATE),
    STATUS(MCC_ERR_TLS_VERSION, MCC_CLASS_PROTOCOL),
    STATUS(MCC_ERR_TLS_RECORD, MCC_CLASS_PROTOCOL),
    STATUS(MCC_ERR_TLS_UNSUPPORTED, MCC_CLASS_PROTOCOL),
    STATUS(MCC_ERR_INTERCEPTED, MCC_CLASS_INTERCEPTED),
    STATUS(MCC_ERR_PROTOCOL, MCC_CLASS_PROTOCOL),
    STATUS(MCC_ERR_CAPABILITIES_TIMEOUT, MCC_CLASS_PROTOCOL),
    STATUS(MCC_ERR_RELEASED_BY_PEER, MCC_CLASS_CLOSED_BY_PEER),
    STATUS(MCC_ERR_ABORTED_BY_PEER, MCC_CLASS_CLOSED_BY_PEER),
    STATUS(MCC_ERR_OUT_OF_MEMORY, MCC_CLASS_RESOURCE),
    STATUS(MCC_ERR_OUT_OF_DESCRIPTORS, MCC_CLASS_RESOURCE),
    STATUS(MCC_ERR_THREAD, MCC_CLASS_RESOURCE),
    STATUS(MCC_ERR_SYSTEM, MCC_CLASS_RESOURCE),
    STATUS(MCC_ERR_INTERNAL, MCC_CLASS_INTERNAL),
#undef STATUS
};
enum { STATUS_COUNT = sizeof statuses / sizeof statuses[0] };

static void each_status_has_name_class_and_a_sentence_with_the_next_step(void **state)
{
    (void)state;
    for (size_t index = 0; index < STATUS_COUNT; index++) {
        mcc_status_t status = statuses[index].status;
        assert_string_equal(mcc_status_name(status), statuses[index].name);
        assert_int_equal(mcc_status_class(status), statuses[index].class);
        const char *text = mcc_status_text(status);
        assert_ptr_equal(text, mcc_status_text(status));
        assert_true(isupper((unsigned char)text[0]));
        assert_int_equal(text[strlen(text) - 1], '.');
        /* What happened stands before the colon, what to do behind it. */
        assert_true(status == MCC_OK || strchr(text, ':') != NULL);
        for (size_t other = 0; other < index; other++) {
            assert_string_not_equal(text, mcc_status_text(statuses[other].status));
        }
    }
}

static void a_number_that_is_no_status_has_a_text_too(void **state)
{
    (void)state;
    static const int32_t numbers[] = {-1, 1, 100, 120, 206, 999, INT32_MAX, INT32_MIN};
    for (size_t index = 0; index < sizeof numbers / sizeof numbers[0]; index++) {
        assert_string_equal(mcc_status_name(numbers[index]), "MCC_ERR_?");
        assert_true(strlen(mcc_status_text(numbers[index])) > 10);
        assert_int_equal(mcc_status_class(numbers[index]), MCC_CLASS_ARGUMENT);
    }
}

/* ---- initialisers ---- */

static void initialisers_hold_the_documented_defaults(void **state)
{
    (void)state;
    const mcc_context_options_t context = MCC_CONTEXT_OPTIONS_INIT;
    assert_int_equal(context.size, sizeof context);
    assert_int_equal(context.own_thread, 1);

    const mcc_connection_options_t connection = MCC_CONNECTION_OPTIONS_INIT;
    assert_int_equal(connection.size, sizeof connection);
    assert_int_equal(connection.transport, MCC_TRANSPORT_CONFIGURED);
    assert_null(connection.uri);
    assert_true(connection.callback == NULL);
    assert_null(connection.argument);
    assert_null(connection.tls);
    assert_int_equal(connection.framing, MCC_FRAMING_DEFAULT);
    assert_int_equal(connection.keepalive_interval_s, 0);
    assert_int_equal(connection.keepalive_jitter_percent, 10);
    assert_int_equal(connection.keepalive_timeout_ms, 30000);
    assert_int_equal(connection.queue_limit, 64);
    assert_int_equal(connection.keep_queued_messages, 0);
    assert_int_equal(connection.max_message_size, 0);
    assert_int_equal(connection.backoff_base_ms, 2000);
    assert_int_equal(connection.backoff_cap_s, 0);
    assert_int_equal(connection.peer_closed_wait_ms, 30000);
    assert_int_equal(connection.resolve_timeout_ms, 10000);
    assert_int_equal(connection.connect_timeout_ms, 15000);
    assert_int_equal(connection.handshake_timeout_ms, 30000);
    assert_int_equal(connection.tcp_keepalive_idle_s, 0);
    assert_int_equal(connection.tcp_keepalive_interval_s, 75);
    assert_int_equal(connection.tcp_keepalive_count, 9);
    assert_int_equal(connection.tcp_user_timeout_ms, 0);
    assert_null(connection.keepalive_state);
    assert_int_equal(connection.keepalive_state_size, 0);
    assert_int_equal(connection.keepalive_adaptive, 0);
    assert_int_equal(connection.keepalive_floor_s, 0);
    assert_int_equal(connection.keepalive_ceiling_s, 3600);
    assert_int_equal(connection.keepalive_step_percent, 150);
    assert_int_equal(connection.keepalive_margin_percent, 5);
    assert_int_equal(connection.alternative_port, 0);

    const mcc_tls_options_t tls = MCC_TLS_OPTIONS_INIT;
    assert_int_equal(tls.size, sizeof tls);
    assert_int_equal(tls.check_server_name, 1);
    assert_int_equal(tls.min_version, MCC_TLS_1_2);
    assert_int_equal(tls.max_version, MCC_TLS_1_3);
    assert_null(tls.ca);
    assert_null(tls.crl);
    assert_null(tls.certificate);
    assert_null(tls.key);
    assert_null(tls.key_password);
    assert_null(tls.psk_identity);
    assert_null(tls.psk);
    assert_null(tls.server_name);

    const mcc_keepalive_options_t keepalive = MCC_KEEPALIVE_OPTIONS_INIT;
    assert_int_equal(keepalive.size, sizeof keepalive);
    assert_int_equal(keepalive.interval_s, 0);
    assert_int_equal(keepalive.jitter_percent, 10);
    assert_int_equal(keepalive.timeout_ms, 30000);
    assert_int_equal(keepalive.reliable, 1);
    assert_int_equal(keepalive.reserved, 0);
    assert_int_equal(keepalive.seed, 0);

    const mcc_connection_stats_t stats = MCC_CONNECTION_STATS_INIT;
    assert_int_equal(stats.size, sizeof stats);
    assert_int_equal(stats.round_trip_us, 0);
    assert_int_equal(stats.keepalive_interval_ms, 0);
}

/* ---- structs that begin with their size ---- */

/* A struct as a program compiled against a later header would have it. */
typedef struct {
    mcc_connection_options_t known;
    uint64_t later;
} later_connection_options_t;

/* The structs as the first header had them. */
enum {
    EARLIER_CONNECTION_OPTIONS = offsetof(mcc_connection_options_t, keepalive_state),
    EARLIER_CONNECTION_STATS = offsetof(mcc_connection_stats_t, keepalive_interval_ms),
};

static void structs_of_the_first_header_are_taken_and_nothing_beyond_them_is_touched(void **state)
{
    fixture_t *fixture = *state;
    /* As such a program leaves what it does not set: the padding at the struct's end, and what lies behind it. */
    mcc_connection_options_t options;
    memset(&options, 0xA5, sizeof options);
    const mcc_connection_options_t defaults = MCC_CONNECTION_OPTIONS_INIT;
    memcpy(&options, &defaults, offsetof(mcc_connection_options_t, tcp_user_timeout_ms) + sizeof options.tcp_user_timeout_ms);
    options.size = EARLIER_CONNECTION_OPTIONS;
    options.uri = "coap://127.0.0.1:9";
    options.transport = MCC_TRANSPORT_TCP;
    options.callback = ignore_event;
    options.keepalive_interval_s = 77;
    mcc_connection_t *connection = NULL;
    assert_status(mcc_connection_open(context_of(fixture), &options, &connection), MCC_OK);
    assert_int_equal(stats_of(connection).keepalive_interval_ms, 77000);

    mcc_connection_stats_t stats;
    memset(&stats, 0xA5, sizeof stats);
    stats.size = EARLIER_CONNECTION_STATS;
    assert_status(mcc_connection_stats(connection, &stats), MCC_OK);
    assert_int_equal(stats.size, EARLIER_CONNECTION_STATS);
    assert_int_equal(stats.messages_sent, 0);
    assert_int_equal(stats.keepalive_interval_ms, 0xA5A5A5A5A5A5A5A5);
    mcc_connection_close(connection);

    /* No header had a part of a field. */
    for (uint32_t size = EARLIER_CONNECTION_OPTIONS - 8; size < sizeof options; size++) {
        if (size == EARLIER_CONNECTION_OPTIONS) {
            continue;
        }
        options.size = size;
        connection = NULL;
        assert_status(mcc_connection_open(context_of(fixture), &options, &connection), MCC_ERR_INVALID_ARGUMENT);
        assert_null(connection);
    }
}

static void structs_of_other_sizes_are_taken_or_refused(void **state)
{
    fixture_t *fixture = *state;
    mcc_connection_t *connection = NULL;
    later_connection_options_t later = {.known = MCC_CONNECTION_OPTIONS_INIT};
    later.known.uri = "coap://127.0.0.1:9";
    later.known.callback = ignore_event;
    later.known.keepalive_interval_s = MCC_KEEPALIVE_OFF;

    static const uint32_t refused[] = {0, 1, 4, sizeof later.known - 1, 4097, UINT32_MAX};
    for (size_t index = 0; index < sizeof refused / sizeof refused[0]; index++) {
        later.known.size = refused[index];
        assert_status(mcc_connection_open(context_of(fixture), &later.known, &connection), MCC_ERR_INVALID_ARGUMENT);
        assert_null(connection);
    }
    later.known.size = sizeof later;
    assert_status(mcc_connection_open(context_of(fixture), &later.known, &connection), MCC_OK);

    struct {
        mcc_connection_stats_t known;
        uint64_t later;
    } stats = {.known = MCC_CONNECTION_STATS_INIT, .later = 77};
    stats.known.size = sizeof stats;
    assert_status(mcc_connection_stats(connection, &stats.known), MCC_OK);
    assert_int_equal(stats.known.size, sizeof stats);
    assert_int_equal(stats.later, 77);
    for (size_t index = 0; index < sizeof refused / sizeof refused[0]; index++) {
        stats.known.size = refused[index] == sizeof later.known - 1 ? sizeof stats.known - 1 : refused[index];
        assert_status(mcc_connection_stats(connection, &stats.known), MCC_ERR_INVALID_ARGUMENT);
    }
    mcc_connection_close(connection);

    /* Something that this library does not know of was asked for: that is not passed over. */
    later.later = 1;
    connection = NULL;
    assert_status(mcc_connection_open(context_of(fixture), &later.known, &connection), MCC_ERR_INVALID_ARGUMENT);
    assert_null(connection);

    mcc_context_t *context = NULL;
    mcc_context_options_t context_options = MCC_CONTEXT_OPTIONS_INIT;
    context_options.size = 0;
    assert_status(mcc_context_new(&context_options, &context), MCC_ERR_INVALID_ARGUMENT);
    context_options.size = sizeof context_options;
    context_options.own_thread = 2;
    assert_status(mcc_context_new(&context_options, &context), MCC_ERR_INVALID_ARGUMENT);
    assert_null(context);

    mcc_keepalive_t *keepalive = NULL;
    mcc_keepalive_options_t keepalive_options = MCC_KEEPALIVE_OPTIONS_INIT;
    keepalive_options.size--;
    assert_status(mcc_keepalive_new(&keepalive_options, &keepalive), MCC_ERR_INVALID_ARGUMENT);
    assert_null(keepalive);

    mcc_tls_options_t tls = *tls_with_ca(fixture, "ca.pem");
    tls.size = 3;
    mcc_connection_options_t secure = options_for(fixture, "coaps://127.0.0.1:9");
    secure.callback = ignore_event;
    secure.tls = &tls;
    assert_status(mcc_connection_open(context_of(fixture), &secure, &connection), MCC_ERR_INVALID_ARGUMENT);
}

/* ---- ranges ---- */

static void each_connection_option_has_its_range(void **state)
{
    fixture_t *fixture = *state;
#define FIELD(name) offsetof(mcc_connection_options_t, name)
    static const struct {
        size_t field;
        uint32_t values[3];
        uint32_t refused[2]; /* 0 twice: all numbers are taken */
    } ranges[] = {
        {FIELD(transport), {0, 1, 2}, {3, UINT32_MAX}},
        {FIELD(framing), {0, 2, 2}, {3, UINT32_MAX}},
        {FIELD(keepalive_interval_s), {0, 1, 4294967}, {4294968, UINT32_MAX - 1}},
        {FIELD(keepalive_jitter_percent), {0, 10, 50}, {51, UINT32_MAX}},
        {FIELD(keepalive_timeout_ms), {1, 30000, 3600000}, {0, 3600001}},
        {FIELD(queue_limit), {1, 64, 65536}, {0, 65537}},
        {FIELD(keep_queued_messages), {0, 1, 1}, {2, UINT32_MAX}},
        {FIELD(max_message_size), {0, 64, 1048576}, {63, 1048577}},
        {FIELD(backoff_base_ms), {1, 2000, 3600000}, {0, 3600001}},
        {FIELD(backoff_cap_s), {0, 1, 4294967}, {4294968, UINT32_MAX}},
        {FIELD(peer_closed_wait_ms), {0, 30000, 3600000}, {3600001, UINT32_MAX}},
        {FIELD(resolve_timeout_ms), {1, 10000, 3600000}, {0, 3600001}},
        {FIELD(connect_timeout_ms), {1, 15000, 3600000}, {0, 3600001}},
        {FIELD(handshake_timeout_ms), {1, 30000, 3600000}, {0, 3600001}},
        {FIELD(tcp_keepalive_idle_s), {0, 1, 32767}, {32768, UINT32_MAX}},
        {FIELD(tcp_keepalive_interval_s), {1, 75, 32767}, {0, 32768}},
        {FIELD(tcp_keepalive_count), {1, 9, 127}, {0, 128}},
        {FIELD(tcp_user_timeout_ms), {0, 1, 4294967}, {4294968, UINT32_MAX}},
        {FIELD(keepalive_adaptive), {0, 1, 1}, {2, UINT32_MAX}},
        {FIELD(keepalive_floor_s), {0, 1, 3600}, {3601, UINT32_MAX}},
        {FIELD(keepalive_ceiling_s), {60, 3600, 4294967}, {59, 4294968}},
        {FIELD(keepalive_step_percent), {101, 150, 1000}, {100, 1001}},
        {FIELD(keepalive_margin_percent), {0, 5, 50}, {51, UINT32_MAX}},
        {FIELD(alternative_port), {0, 1, 65535}, {65536, UINT32_MAX}},
    };
#undef FIELD
    for (size_t index = 0; index < sizeof ranges / sizeof ranges[0]; index++) {
        mcc_connection_options_t options = MCC_CONNECTION_OPTIONS_INIT;
        options.uri = "coap://127.0.0.1:9";
        options.callback = ignore_event;
        for (size_t value = 0; value < 3; value++) {
            mcc_connection_t *connection = NULL;
            memcpy((uint8_t *)&options + ranges[index].field, &ranges[index].values[value], sizeof(uint32_t));
            assert_status(mcc_connection_open(context_of(fixture), &options, &connection), MCC_OK);
            assert_non_null(connection);
            mcc_connection_close(connection);
        }
        for (size_t value = 0; value < 2; value++) {
            mcc_connection_t *connection = NULL;
            memcpy((uint8_t *)&options + ranges[index].field, &ranges[index].refused[value], sizeof(uint32_t));
            assert_status(mcc_connection_open(context_of(fixture), &options, &connection), MCC_ERR_INVALID_ARGUMENT);
            assert_null(connection);
        }
    }
}

static void intervals_over_udp_are_not_below_15_seconds(void **state)
{
    fixture_t *fixture = *state;
    mcc_connection_t *connection = NULL;
    mcc_connection_options_t options = options_for(fixture, "coap://127.0.0.1:9");
    options.callback = ignore_event;
    options.transport = MCC_TRANSPORT_UDP;
    options.keepalive_interval_s = 14;
    assert_status(mcc_connection_open(context_of(fixture), &options, &connection), MCC_ERR_INVALID_ARGUMENT);
    options.keepalive_interval_s = 15;
    assert_status(mcc_connection_open(context_of(fixture), &options, &connection), MCC_OK);
    assert_status(mcc_connection_set_keepalive(connection, 14), MCC_ERR_INVALID_ARGUMENT);
    assert_status(mcc_connection_set_keepalive(connection, 4294968), MCC_ERR_INVALID_ARGUMENT);
    assert_status(mcc_connection_set_keepalive(connection, 15), MCC_OK);
    assert_status(mcc_connection_set_keepalive(connection, 0), MCC_OK);
    assert_status(mcc_connection_set_keepalive(connection, MCC_KEEPALIVE_OFF), MCC_OK);
    mcc_connection_close(connection);

    options.keepalive_floor_s = 14;
    assert_status(mcc_connection_open(context_of(fixture), &options, &connection), MCC_ERR_INVALID_ARGUMENT);
    options.keepalive_floor_s = 15;
    options.keepalive_ceiling_s = 14;
    assert_status(mcc_connection_open(context_of(fixture), &options, &connection), MCC_ERR_INVALID_ARGUMENT);
    options.keepalive_ceiling_s = 15;
    assert_status(mcc_connection_open(context_of(fixture), &options, &connection), MCC_OK);
    mcc_connection_close(connection);
}

static void combinations_that_do_not_exist_are_refused(void **state)
{
    fixture_t *fixture = *state;
    mcc_tls_options_t tls = *tls_with_ca(fixture, "ca.pem");
    const struct {
        const char *uri;
        uint32_t transport;
        uint32_t framing;
    } refused[] = {
        {"coaps://127.0.0.1:9", MCC_TRANSPORT_UDP, MCC_FRAMING_RECORD},
        {"coaps://127.0.0.1:9", MCC_TRANSPORT_UDP, MCC_FRAMING_LENGTH_PREFIX},
        {"coap://127.0.0.1:9", MCC_TRANSPORT_TCP, MCC_FRAMING_RECORD},
        {"coap://127.0.0.1:9", MCC_TRANSPORT_UDP, MCC_FRAMING_RECORD},
        {"coap://127.0.0.1:9", MCC_TRANSPORT_UDP, MCC_FRAMING_LENGTH_PREFIX},
    };
    for (size_t index = 0; index < sizeof refused / sizeof refused[0]; index++) {
        mcc_connection_t *connection = NULL;
        mcc_connection_options_t options = options_for(fixture, "%s", refused[index].uri);
        options.callback = ignore_event;
        options.transport = refused[index].transport;
        options.framing = refused[index].framing;
        options.tls = strncmp(refused[index].uri, "coaps", 5) == 0 ? &tls : NULL;
        assert_status(mcc_connection_open(context_of(fixture), &options, &connection), MCC_ERR_UNSUPPORTED);
        assert_null(connection);
    }
    /* No pings, and pings whose interval is looked for. */
    mcc_connection_t *contradictory = NULL;
    mcc_connection_options_t without_pings = options_for(fixture, "coap://127.0.0.1:9");
    without_pings.callback = ignore_event;
    without_pings.keepalive_interval_s = MCC_KEEPALIVE_OFF;
    without_pings.keepalive_adaptive = 1;
    assert_status(mcc_connection_open(context_of(fixture), &without_pings, &contradictory), MCC_ERR_INVALID_ARGUMENT);
    assert_null(contradictory);
    /* Credentials for a scheme that sends in the clear: one of the two is a mistake. */
    static const char *const clear[] = {"coap://127.0.0.1:9", "coap+tcp://127.0.0.1:9"};
    for (size_t index = 0; index < 2; index++) {
        mcc_connection_t *connection = NULL;
        mcc_connection_options_t options = options_for(fixture, "%s", clear[index]);
        options.callback = ignore_event;
        options.tls = &tls;
        assert_status(mcc_connection_open(context_of(fixture), &options, &connection), MCC_ERR_INVALID_ARGUMENT);
        assert_null(connection);
    }
}

static void each_part_of_a_uri_has_its_own_status(void **state)
{
    fixture_t *fixture = *state;
    char *long_host = malloc(10 * 1024 + 1);
    assert_non_null(long_host);
    memset(long_host, 'h', 10 * 1024);
    memcpy(long_host, "coap://", 7);
    long_host[10 * 1024] = '\0';
    const struct {
        const char *uri;
        mcc_status_t status;
        mcc_status_t or_status; /* where two are right */
    } uris[] = {
        {"coap//x", MCC_ERR_URI_SYNTAX, 0},
        {"coap:/x", MCC_ERR_URI_SYNTAX, 0},
        {"coap", MCC_ERR_URI_SYNTAX, 0},
        {"", MCC_ERR_URI_SYNTAX, 0},
        {"://x", MCC_ERR_URI_SYNTAX, MCC_ERR_URI_SCHEME},
        {"coap://x/path", MCC_ERR_URI_SYNTAX, 0},
        {"coap://x?query", MCC_ERR_URI_SYNTAX, MCC_ERR_URI_HOST},
        {"coap://x#fragment", MCC_ERR_URI_SYNTAX, MCC_ERR_URI_HOST},
        {"coap://user@x", MCC_ERR_URI_SYNTAX, MCC_ERR_URI_HOST},
        {"coap://user:secret@x:5683", MCC_ERR_URI_SYNTAX, MCC_ERR_URI_HOST},
        {"http://x", MCC_ERR_URI_SCHEME, 0},
        {"coap+ws://x", MCC_ERR_URI_SCHEME, 0},
        {"coapx://x", MCC_ERR_URI_SCHEME, 0},
        {"coap://", MCC_ERR_URI_HOST, 0},
        {"coap://:5683", MCC_ERR_URI_HOST, 0},
        {"coap://[]:5683", MCC_ERR_URI_HOST, 0},
        {"coap://[::1", MCC_ERR_URI_HOST, MCC_ERR_URI_SYNTAX},
        {"coap://[127.0.0.1]:5683", MCC_ERR_URI_HOST, 0},
        {"coap://[::zz]:5683", MCC_ERR_URI_HOST, 0},
        {"coap://::1", MCC_ERR_URI_HOST, 0},
        {"coap://fe80::1:5683", MCC_ERR_URI_HOST, 0},
        {"coap://a b", MCC_ERR_URI_HOST, MCC_ERR_URI_SYNTAX},
        {"coap://\x01\x02", MCC_ERR_URI_HOST, MCC_ERR_URI_SYNTAX},
        {"coap://\xff\xfe", MCC_ERR_URI_HOST, MCC_ERR_URI_SYNTAX},
        {"coap://x:0", MCC_ERR_URI_PORT, 0},
        {"coap://x:65536", MCC_ERR_URI_PORT, 0},
        {"coap://x:-1", MCC_ERR_URI_PORT, 0},
        {"coap://x:+80", MCC_ERR_URI_PORT, 0},
        {"coap://x:5683a", MCC_ERR_URI_PORT, 0},
        {"coap://x:99999999999999999999", MCC_ERR_URI_PORT, 0},
        {"coap://[::1]:0", MCC_ERR_URI_PORT, 0},
        {"coap://[::1]5683", MCC_ERR_URI_SYNTAX, MCC_ERR_URI_PORT},
        {long_host, MCC_ERR_URI_HOST, MCC_ERR_URI_SYNTAX},
    };
    for (size_t index = 0; index < sizeof uris / sizeof uris[0]; index++) {
        mcc_connection_t *connection = NULL;
        mcc_connection_options_t options = MCC_CONNECTION_OPTIONS_INIT;
        options.uri = uris[index].uri;
        options.callback = ignore_event;
        mcc_status_t status = mcc_connection_open(context_of(fixture), &options, &connection);
        if (status != uris[index].status && (uris[index].or_status == 0 || status != uris[index].or_status)) {
            fail_msg("%.80s gave %s", uris[index].uri, mcc_status_name(status));
        }
        assert_null(connection);
    }
    free(long_host);
    static const char *const good[] = {"coap://127.0.0.1",   "coap://127.0.0.1:1", "coap://127.0.0.1:65535",    "coap://[::1]",
                                       "coap://[::1]:65535", "COAP://127.0.0.1:9", "coap+tcp://127.0.0.1:9", "coap://localhost:9"};
    for (size_t index = 0; index < sizeof good / sizeof good[0]; index++) {
        mcc_connection_t *connection = NULL;
        mcc_connection_options_t options = MCC_CONNECTION_OPTIONS_INIT;
        options.uri = good[index];
        options.callback = ignore_event;
        assert_status(mcc_connection_open(context_of(fixture), &options, &connection), MCC_OK);
        mcc_connection_close(connection);
    }
}

/* ---- null ---- */

static void null_has_its_status_in_every_position(void **state)
{
    fixture_t *fixture = *state;
    static const uint8_t ping[] = {0x40, 0, 0, 1};
    uint8_t room[4];

    assert_int_equal(mcc_coap_ping_encode(1, NULL), 0);
    assert_false(mcc_coap_ping_matches(NULL, 4, 1));
    assert_false(mcc_coap_ping_matches(NULL, 0, 0));

    mcc_connection_options_t options = options_for(fixture, "coap://127.0.0.1:9");
    options.callback = ignore_event;
    mcc_connection_t *connection = NULL;
    assert_status(mcc_connection_open(NULL, &options, &connection), MCC_ERR_NULL_POINTER);
    assert_status(mcc_connection_open(context_of(fixture), NULL, &connection), MCC_ERR_NULL_POINTER);
    assert_status(mcc_connection_open(context_of(fixture), &options, NULL), MCC_ERR_NULL_POINTER);
    mcc_connection_options_t lacking = options;
    lacking.uri = NULL;
    assert_status(mcc_connection_open(context_of(fixture), &lacking, &connection), MCC_ERR_NULL_POINTER);
    lacking = options;
    lacking.callback = NULL;
    assert_status(mcc_connection_open(context_of(fixture), &lacking, &connection), MCC_ERR_NULL_POINTER);
    assert_null(connection);

    assert_status(mcc_connection_open(context_of(fixture), &options, &connection), MCC_OK);
    assert_status(mcc_connection_send(NULL, ping, sizeof ping, NULL), MCC_ERR_NULL_POINTER);
    assert_status(mcc_connection_send(connection, NULL, sizeof ping, NULL), MCC_ERR_NULL_POINTER);
    assert_status(mcc_connection_send(connection, NULL, 0, NULL), MCC_ERR_NULL_POINTER);
    assert_status(mcc_connection_ping(NULL), MCC_ERR_NULL_POINTER);
    assert_status(mcc_connection_set_keepalive(NULL, 1), MCC_ERR_NULL_POINTER);
    mcc_connection_stats_t stats = MCC_CONNECTION_STATS_INIT;
    assert_status(mcc_connection_stats(NULL, &stats), MCC_ERR_NULL_POINTER);
    assert_status(mcc_connection_stats(connection, NULL), MCC_ERR_NULL_POINTER);
    uint8_t exported[MCC_KEEPALIVE_STATE_MAX_SIZE];
    size_t exported_size = 77;
    assert_status(mcc_connection_keepalive_state(NULL, exported, sizeof exported, &exported_size), MCC_ERR_NULL_POINTER);
    assert_status(mcc_connection_keepalive_state(connection, NULL, sizeof exported, &exported_size), MCC_ERR_NULL_POINTER);
    assert_status(mcc_connection_keepalive_state(connection, exported, sizeof exported, NULL), MCC_ERR_NULL_POINTER);
    assert_int_equal(exported_size, 77);
    lacking = options;
    lacking.keepalive_state_size = 1;
    mcc_connection_t *none = NULL;
    assert_status(mcc_connection_open(context_of(fixture), &lacking, &none), MCC_ERR_NULL_POINTER);
    assert_null(none);
    mcc_connection_close(NULL);
    mcc_connection_close(connection);

    assert_status(mcc_context_new(NULL, NULL), MCC_ERR_NULL_POINTER);
    mcc_context_t *context = NULL;
    assert_status(mcc_context_new(NULL, &context), MCC_OK);
    mcc_context_free(context);
    assert_int_equal(mcc_context_fd(NULL), -1);
    assert_status(mcc_context_process(NULL, 0), MCC_ERR_NULL_POINTER);
    mcc_context_free(NULL);

    mcc_keepalive_t *keepalive = NULL;
    assert_status(mcc_keepalive_new(NULL, NULL), MCC_ERR_NULL_POINTER);
    assert_status(mcc_keepalive_new(NULL, &keepalive), MCC_OK);
    assert_status(mcc_keepalive_on_sent(NULL, 0), MCC_ERR_NULL_POINTER);
    assert_status(mcc_keepalive_on_sent_message(NULL, 0, ping, sizeof ping), MCC_ERR_NULL_POINTER);
    assert_status(mcc_keepalive_on_sent_message(keepalive, 0, NULL, 4), MCC_ERR_NULL_POINTER);
    assert_status(mcc_keepalive_on_received(NULL, 0, ping, sizeof ping), MCC_ERR_NULL_POINTER);
    assert_status(mcc_keepalive_on_received(keepalive, 0, NULL, 4), MCC_ERR_NULL_POINTER);
    assert_status(mcc_keepalive_on_received(keepalive, 0, ping, 0), MCC_ERR_EMPTY_MESSAGE);
    assert_status(mcc_keepalive_on_sent_message(keepalive, 0, ping, 0), MCC_ERR_EMPTY_MESSAGE);
    assert_status(mcc_keepalive_on_send_failed(NULL, 0), MCC_ERR_NULL_POINTER);
    assert_status(mcc_keepalive_set_interval(NULL, 1), MCC_ERR_NULL_POINTER);
    assert_status(mcc_keepalive_restart(NULL, 0), MCC_ERR_NULL_POINTER);
    uint64_t number = 77;
    size_t size = sizeof room;
    assert_status(mcc_keepalive_round_trip_ms(NULL, &number), MCC_ERR_NULL_POINTER);
    assert_status(mcc_keepalive_round_trip_ms(keepalive, NULL), MCC_ERR_NULL_POINTER);
    assert_int_equal(mcc_keepalive_poll(NULL, 0, &number, room, &size), MCC_KEEPALIVE_INVALID);
    assert_int_equal(mcc_keepalive_poll(keepalive, 0, NULL, room, &size), MCC_KEEPALIVE_INVALID);
    assert_int_equal(mcc_keepalive_poll(keepalive, 0, &number, NULL, &size), MCC_KEEPALIVE_INVALID);
    assert_int_equal(mcc_keepalive_poll(keepalive, 0, &number, room, NULL), MCC_KEEPALIVE_INVALID);
    assert_int_equal(number, 77);
    mcc_keepalive_free(NULL);
    mcc_keepalive_free(keepalive);

    mcc_log_set(NULL, NULL, MCC_LOG_DEBUG);
}

static void null_beside_a_size_in_tls_options_is_refused(void **state)
{
    fixture_t *fixture = *state;
    mcc_connection_options_t options = options_for(fixture, "coaps://127.0.0.1:9");
    options.callback = ignore_event;
    mcc_connection_t *connection = NULL;
    /* Nothing to know the server by: without options, and with empty ones. */
    assert_status(mcc_connection_open(context_of(fixture), &options, &connection), MCC_ERR_TRUST_MISSING);
    mcc_tls_options_t tls = MCC_TLS_OPTIONS_INIT;
    options.tls = &tls;
    assert_status(mcc_connection_open(context_of(fixture), &options, &connection), MCC_ERR_TRUST_MISSING);
    tls.ca_size = 100;
    assert_status(mcc_connection_open(context_of(fixture), &options, &connection), MCC_ERR_NULL_POINTER);
    tls = *tls_with_ca(fixture, "ca.pem");
    tls.psk_size = 16;
    assert_status(mcc_connection_open(context_of(fixture), &options, &connection), MCC_ERR_NULL_POINTER);
    assert_null(connection);
}

/* ---- handles ---- */

/* Every function that takes a handle of a connection. */
static void expect_no_connection(mcc_connection_t *handle)
{
    static const uint8_t message[] = {0x40, 0x01, 0, 1};
    mcc_connection_stats_t stats = MCC_CONNECTION_STATS_INIT;
    uint64_t ticket = 77;
    assert_status(mcc_connection_send(handle, message, sizeof message, &ticket), MCC_ERR_INVALID_HANDLE);
    assert_int_equal(ticket, 77);
    assert_status(mcc_connection_ping(handle), MCC_ERR_INVALID_HANDLE);
    assert_status(mcc_connection_set_keepalive(handle, 60), MCC_ERR_INVALID_HANDLE);
    assert_status(mcc_connection_stats(handle, &stats), MCC_ERR_INVALID_HANDLE);
    uint8_t exported[MCC_KEEPALIVE_STATE_MAX_SIZE];
    size_t size = 77;
    assert_status(mcc_connection_keepalive_state(handle, exported, sizeof exported, &size), MCC_ERR_INVALID_HANDLE);
    assert_int_equal(size, 77);
    mcc_connection_close(handle);
}

static void expect_no_context(mcc_context_t *handle)
{
    mcc_connection_options_t options = MCC_CONNECTION_OPTIONS_INIT;
    options.uri = "coap://127.0.0.1:9";
    options.callback = ignore_event;
    mcc_connection_t *connection = NULL;
    assert_status(mcc_connection_open(handle, &options, &connection), MCC_ERR_INVALID_HANDLE);
    assert_null(connection);
    assert_int_equal(mcc_context_fd(handle), -1);
    assert_status(mcc_context_process(handle, 0), MCC_ERR_INVALID_HANDLE);
    mcc_context_free(handle);
}

static void expect_no_keepalive(mcc_keepalive_t *handle)
{
    static const uint8_t message[] = {0x40, 0x01, 0, 1};
    uint64_t number = 77;
    uint8_t room[4];
    size_t size = sizeof room;
    assert_status(mcc_keepalive_on_sent(handle, 0), MCC_ERR_INVALID_HANDLE);
    assert_status(mcc_keepalive_on_sent_message(handle, 0, message, sizeof message), MCC_ERR_INVALID_HANDLE);
    assert_status(mcc_keepalive_on_received(handle, 0, message, sizeof message), MCC_ERR_INVALID_HANDLE);
    assert_status(mcc_keepalive_on_send_failed(handle, 0), MCC_ERR_INVALID_HANDLE);
    assert_status(mcc_keepalive_set_interval(handle, 60), MCC_ERR_INVALID_HANDLE);
    assert_status(mcc_keepalive_restart(handle, 0), MCC_ERR_INVALID_HANDLE);
    assert_status(mcc_keepalive_round_trip_ms(handle, &number), MCC_ERR_INVALID_HANDLE);
    assert_int_equal(mcc_keepalive_poll(handle, 0, &number, room, &size), MCC_KEEPALIVE_INVALID);
    assert_int_equal(number, 77);
    mcc_keepalive_free(handle);
}

static void expect_no_handle(void *pointer)
{
    expect_no_connection(pointer);
    expect_no_context(pointer);
    expect_no_keepalive(pointer);
}

static void handles_that_are_none_are_found_out(void **state)
{
    fixture_t *fixture = *state;
    mcc_connection_options_t options = options_for(fixture, "coap://127.0.0.1:9");
    options.callback = ignore_event;
    mcc_connection_t *connection = NULL;
    assert_status(mcc_connection_open(context_of(fixture), &options, &connection), MCC_OK);
    mcc_context_t *context = NULL;
    assert_status(mcc_context_new(NULL, &context), MCC_OK);
    mcc_keepalive_t *keepalive = NULL;
    assert_status(mcc_keepalive_new(NULL, &keepalive), MCC_OK);

    /* Handles of another kind. */
    expect_no_connection((mcc_connection_t *)context);
    expect_no_connection((mcc_connection_t *)keepalive);
    expect_no_context((mcc_context_t *)connection);
    expect_no_context((mcc_context_t *)keepalive);
    expect_no_keepalive((mcc_keepalive_t *)connection);
    expect_no_keepalive((mcc_keepalive_t *)context);

    /* Pointers to whatever the program has, and numbers that are no pointers at all. */
    int on_stack = 0;
    void *on_heap = malloc(64);
    expect_no_handle(&on_stack);
    expect_no_handle(on_heap);
    static int in_data;
    expect_no_handle(&in_data);
    free(on_heap);
    expect_no_handle((void *)(uintptr_t)1);
    expect_no_handle((void *)UINTPTR_MAX);
    srandom(2);
    for (int count = 0; count < 1000; count++) {
        /* Even numbers are never handles; odd ones could be, in theory, the three that live. */
#if UINTPTR_MAX > UINT32_MAX
        uintptr_t number = (uintptr_t)random() << 32 | (uintptr_t)random() | 0x100000000;
#else
        uintptr_t number = (uintptr_t)random() << 1;
#endif
        expect_no_handle((void *)number);
    }

    /* The objects themselves are untouched; closed, each is unknown, however often it is closed again. */
    assert_int_equal(stats_of(connection).size, sizeof(mcc_connection_stats_t));
    assert_status(mcc_keepalive_on_sent(keepalive, 1), MCC_OK);
    assert_status(mcc_context_process(context, 0), MCC_ERR_WRONG_STATE);
    mcc_connection_close(connection);
    mcc_connection_close(connection);
    expect_no_connection(connection);
    mcc_keepalive_free(keepalive);
    mcc_keepalive_free(keepalive);
    expect_no_keepalive(keepalive);
    mcc_context_free(context);
    mcc_context_free(context);
    expect_no_context(context);
}

static void a_context_takes_the_handles_of_its_connections_along(void **state)
{
    fixture_t *fixture = *state;
    recorder_t *recorder;
    mcc_connection_t *connection = open_connection(fixture, options_for(fixture, "coap://127.0.0.1:%u", free_port()), &recorder);
    free_context(fixture);
    expect_no_connection(connection);
    assert_int_equal(count_states(recorder, MCC_STATE_CLOSED), 1);
}

/* ---- calls that do not fit ---- */

static void calls_in_the_wrong_order_have_their_status(void **state)
{
    fixture_t *fixture = *state;
    assert_status(mcc_context_process(context_of(fixture), 0), MCC_ERR_WRONG_STATE);
    assert_status(mcc_context_process(context_of(fixture), -1), MCC_ERR_WRONG_STATE);
    assert_int_equal(mcc_context_fd(context_of(fixture)), -1);

    recorder_t *recorder;
    mcc_connection_options_t options = options_for(fixture, "coap://127.0.0.1:%u", free_port());
    options.backoff_base_ms = 3600000;
    options.backoff_cap_s = 3600;
    mcc_connection_t *connection = open_connection(fixture, options, &recorder);
    assert_status(mcc_connection_ping(connection), MCC_ERR_NOT_CONNECTED);
    const record_t *waiting = await_state(recorder, MCC_STATE_WAITING);
    assert_status(waiting->reason, MCC_ERR_CONNECTION_REFUSED);
    static const uint8_t message[] = {0x40, 0x01, 0, 1};
    assert_status(mcc_connection_send(connection, message, sizeof message, NULL), MCC_ERR_NOT_CONNECTED);
    assert_status(mcc_connection_ping(connection), MCC_ERR_NOT_CONNECTED);
    assert_status(mcc_connection_send(connection, message, 0, NULL), MCC_ERR_EMPTY_MESSAGE);
    close_connection(connection, recorder);
}

/* ---- log ---- */

typedef struct {
    pthread_mutex_t mutex;
    size_t lines;
    size_t with_host;
    size_t malformed;
    size_t with_authorities;
    int32_t level;
    mcc_log_level_t highest;
} log_t;

static void count_line(void *argument, mcc_log_level_t level, const char *message)
{
    log_t *log = argument;
    pthread_mutex_lock(&log->mutex);
    log->lines++;
    log->highest = level > log->highest ? level : log->highest;
    log->malformed += message == NULL || strchr(message, '\n') != NULL || message[0] == '\0';
    log->with_host += message != NULL && (strstr(message, "127.0.0.1") != NULL || strstr(message, "localhost") != NULL
                                          || strstr(message, "::1") != NULL);
    log->with_authorities += level == MCC_LOG_WARNING && message != NULL
                             && strstr(message, "issued by \"CN=Tests: other-ca\", not by \"CN=Tests: ca\"") != NULL;
    pthread_mutex_unlock(&log->mutex);
}

/* Connections that fail, and one that is made and lost. */
static void do_what_is_logged(fixture_t *fixture)
{
    peer_t *peer = start_tls_peer(fixture, "untrusted");
    mcc_tls_options_t tls = *tls_with_ca(fixture, "ca.pem");
    recorder_t *recorder;
    mcc_connection_options_t options = options_for(fixture, "coaps://localhost:%u", peer_port(peer));
    options.tls = &tls;
    mcc_connection_t *connection = open_connection(fixture, options, &recorder);
    (void)await_state(recorder, MCC_STATE_WAITING);
    close_connection(connection, recorder);

    connection = open_connection(fixture, options_for(fixture, "coap://127.0.0.1:%u", free_port()), &recorder);
    (void)await_state(recorder, MCC_STATE_WAITING);
    close_connection(connection, recorder);

    peer = start_peer(fixture, "--tcp", NULL);
    connection = open_ready(fixture, options_for(fixture, "coap://localhost:%u", peer_port(peer)), &recorder);
    peer_command(peer, "send ff");
    peer_command(peer, "reset");
    (void)await_state(recorder, MCC_STATE_WAITING);
    close_connection(connection, recorder);
}

static void without_a_log_callback_nothing_is_printed(void **state)
{
    fixture_t *fixture = *state;
    FILE *captured = tmpfile();
    assert_non_null(captured);
    fflush(stdout);
    int output = dup(STDOUT_FILENO);
    int errors = dup(STDERR_FILENO);
    dup2(fileno(captured), STDOUT_FILENO);
    dup2(fileno(captured), STDERR_FILENO);
    do_what_is_logged(fixture);
    fflush(stdout);
    dup2(output, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    close(output);
    close(errors);
    long size = lseek(fileno(captured), 0, SEEK_END);
    fclose(captured);
    assert_int_equal(size, 0);
}

static void the_log_names_no_host_up_to_info(void **state)
{
    fixture_t *fixture = *state;
    log_t log = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    mcc_log_set(count_line, &log, MCC_LOG_INFO);
    do_what_is_logged(fixture);
    mcc_log_set(NULL, NULL, MCC_LOG_INFO);
    assert_true(log.lines > 0);
    assert_int_equal(log.with_host, 0);
    assert_int_equal(log.malformed, 0);
    /* But what stands in the server's place has a name, and what should. */
    assert_int_equal(log.with_authorities, 1);
    assert_in_range(log.highest, MCC_LOG_ERROR, MCC_LOG_INFO);

    /* Levels beyond the last are the last: debug names hosts. */
    log_t everything = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    mcc_log_set(count_line, &everything, 1000);
    do_what_is_logged(fixture);
    mcc_log_set(NULL, NULL, MCC_LOG_INFO);
    assert_true(everything.lines > log.lines);
    assert_true(everything.with_host > 0);

    log_t nothing = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    mcc_log_set(count_line, &nothing, -5);
    size_t before = everything.lines;
    do_what_is_logged(fixture);
    mcc_log_set(NULL, NULL, MCC_LOG_OFF);
    assert_int_equal(nothing.lines, 0);
    assert_int_equal(everything.lines, before);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_is_three_numbers),
        cmocka_unit_test(interval_is_within_its_range_and_has_a_source),
        cmocka_unit_test(each_status_has_name_class_and_a_sentence_with_the_next_step),
        cmocka_unit_test(a_number_that_is_no_status_has_a_text_too),
        cmocka_unit_test(initialisers_hold_the_documented_defaults),
        cmocka_unit_test_setup_teardown(structs_of_the_first_header_are_taken_and_nothing_beyond_them_is_touched, setup, teardown),
        cmocka_unit_test_setup_teardown(structs_of_other_sizes_are_taken_or_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(each_connection_option_has_its_range, setup, teardown),
        cmocka_unit_test_setup_teardown(intervals_over_udp_are_not_below_15_seconds, setup, teardown),
        cmocka_unit_test_setup_teardown(combinations_that_do_not_exist_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(each_part_of_a_uri_has_its_own_status, setup, teardown),
        cmocka_unit_test_setup_teardown(null_has_its_status_in_every_position, setup, teardown),
        cmocka_unit_test_setup_teardown(null_beside_a_size_in_tls_options_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(handles_that_are_none_are_found_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_context_takes_the_handles_of_its_connections_along, setup, teardown),
        cmocka_unit_test_setup_teardown(calls_in_the_wrong_order_have_their_status, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_log_callback_nothing_is_printed, setup, teardown),
        cmocka_unit_test_setup_teardown(the_log_names_no_host_up_to_info, setup, teardown),
    };
    return run_chosen_tests(tests, count, arguments);
}
