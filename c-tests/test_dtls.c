/* What DTLS has beyond TLS and UDP: lost datagrams, rubbish, sessions that are resumed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "support.h"

static mcc_connection_options_t options_to(fixture_t *fixture, const peer_t *peer)
{
    mcc_connection_options_t options = options_for(fixture, "coaps://127.0.0.1:%u", peer_port(peer));
    options.transport = MCC_TRANSPORT_UDP;
    options.tls = tls_with_ca(fixture, "ca.pem");
    return options;
}

/* ---- datagrams that are lost ---- */

static void each_datagram_of_a_handshake_may_be_lost(void **state)
{
    /* More than a full handshake has: of one that loses nothing all is in order too. */
    enum { COUNT = 12 };
    fixture_t *fixture = *state;
    peer_t *peers[COUNT];
    mcc_connection_t *connections[COUNT];
    recorder_t *recorders[COUNT];
    for (size_t index = 0; index < COUNT; index++) {
        peers[index] = start_dtls_peer(fixture, "server");
        peer_command(peers[index], "lose-one %zu", index + 1);
        connections[index] = open_connection(fixture, options_to(fixture, peers[index]), &recorders[index]);
    }
    for (size_t index = 0; index < COUNT; index++) {
        (void)await_state(recorders[index], MCC_STATE_READY);
        if (index == 0) {
            /* The first ClientHello: a second later it goes out again (RFC 6347 section 4.2.4.1). */
            uint64_t begin = event_at(recorders[0], 1)->at_ms;
            peer_await_count(peers[0], "lost", 1);
            assert_in_range(milliseconds_now() - begin, 990, SOON_MS);
        }
        peer_command(peers[index], "lose 0");
        expect_echo(connections[index], recorders[index], 200, 1, false);
        mcc_connection_stats_t stats = stats_of(connections[index]);
        assert_int_equal(stats.attempts, 1);
        assert_int_equal(stats.connections, 1);
        assert_int_equal(stats.format_errors, 0);
    }
    /* Resumed sessions too, where this side speaks last. */
    for (size_t index = 0; index < COUNT; index++) {
        peer_command(peers[index], "close");
        peer_command(peers[index], "lose-one %zu", index + 1);
    }
    for (size_t index = 0; index < COUNT; index++) {
        (void)await_state(recorders[index], MCC_STATE_READY);
        peer_command(peers[index], "lose 0");
        (void)peer_await(peers[index], "handshake ");
        assert_non_null(strstr(peer_await(peers[index], "handshake "), " resumed=yes"));
        expect_echo(connections[index], recorders[index], 9000, 2, false);
        assert_int_equal(stats_of(connections[index]).attempts, 2);
        close_connection(connections[index], recorders[index]);
    }
}

static void what_is_lost_in_the_handshake_makes_no_message_too_long(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_peer(fixture, "server");
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, options_to(fixture, peer), &recorder);
    /* In a resumed session this side speaks last, and keeps what it knows of the handshake. Who sends a third time takes the path for a
     * narrow one (RFC 6347 section 4.1.1.1). */
    peer_command(peer, "close");
    peer_command(peer, "lose 1");
    peer_await_count(peer, "lost", 2);
    peer_command(peer, "lose 0");
    (void)await_state(recorder, MCC_STATE_WAITING);
    (void)await_state(recorder, MCC_STATE_READY);
    expect_echo(connection, recorder, 16384, 1, false);
    assert_int_equal(stats_of(connection).attempts, 2);
    close_connection(connection, recorder);
}

static void a_path_that_loses_every_third_datagram_bears_a_session(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_peer(fixture, "server");
    peer_command(peer, "lose 3");
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, options_to(fixture, peer), &recorder);
    for (uint16_t index = 0; index < 30; index++) {
        (void)send_request(connection, 100, index);
    }
    await_count(recorder, MCC_EVENT_SENT, 30);
    /* No message comes twice or in pieces. */
    peer_command(peer, "lose 0");
    expect_echo(connection, recorder, 20, 100, false);
    assert_in_range(count_events(recorder, MCC_EVENT_MESSAGE), 2, 31);
    assert_int_equal(stats_of(connection).format_errors, 0);
    assert_int_equal(stats_of(connection).connections, 1);
    close_connection(connection, recorder);
}

/* ---- rubbish ---- */

static const char *const rubbish[] = {
    "00",
    "16",
    "16fefd00000000000000",                                                     /* a header that is not all there */
    "485454502f312e3120343030204261642052657175657374",                         /* text */
    "40000001",                                                                 /* CoAP that nobody encrypted */
    "15fefd000000000000000900020228",                                           /* a fatal alert that nobody encrypted */
    "17fefd00010000000000010018111111111111111111111111111111111111111111111111",   /* data that nobody encrypted */
    "17fefd0001000000000001001811111111111111111111111111111111111111111111111111", /* the same, and a byte behind it */
    "17fefd0001ffffffffffff0018111111111111111111111111111111111111111111111111",   /* with the last number */
    "17fefd0002000000000001001011111111111111111111111111111111",                   /* of an epoch to come */
    "17fefd00020000000000010010111111111111111111111111111111111622",               /* the same, and a few bytes behind it */
    "19fefd000100000000000112345678001011111111111111111111111111111111",           /* with a Connection ID that nobody asked for */
    "16fefd0001000000000002001011111111111111111111111111111111",                   /* a handshake message in this epoch */
    "ffffffffffffffffffffffffffffffffffffffffffffffffffff",
};
enum { RUBBISH = sizeof rubbish / sizeof rubbish[0] };

static void rubbish_changes_nothing_of_a_session(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_peer(fixture, "server");
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, options_to(fixture, peer), &recorder);
    for (uint16_t index = 0; index < RUBBISH; index++) {
        peer_command(peer, "raw %s", rubbish[index]);
        expect_echo(connection, recorder, 20, index, false);
    }
    /* Longer than any record, and longer than what is read of a stream at once. */
    static char huge[2 * 65000 + 1];
    memset(huge, 'a', sizeof huge - 1);
    memcpy(huge, "17fefd0001000000000fff3fff", 26);
    static const int sizes[] = {16384, 16400, 17000, 20000, 40000, 65000};
    for (size_t index = 0; index < sizeof sizes / sizeof sizes[0]; index++) {
        peer_command(peer, "raw %.*s", 2 * sizes[index], huge);
        expect_echo(connection, recorder, 16384, (uint16_t)(100 + index), false);
    }
    mcc_connection_stats_t stats = stats_of(connection);
    assert_int_equal(stats.connections, 1);
    assert_int_equal(stats.attempts, 1);
    assert_int_equal(stats.format_errors, 0);
    assert_int_equal(stats.oversize_dropped, 0);
    assert_int_equal(stats.messages_received, RUBBISH + sizeof sizes / sizeof sizes[0]);
    close_connection(connection, recorder);
}

static void rubbish_changes_nothing_of_a_handshake(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_peer(fixture, "server");
    /* What the server says first is lost, so that the handshake waits for a second. */
    peer_command(peer, "lose-one 2");
    recorder_t *recorder;
    mcc_connection_t *connection = open_connection(fixture, options_to(fixture, peer), &recorder);
    (void)peer_await(peer, "lost");
    for (size_t index = 0; index < RUBBISH; index++) {
        /* An alert that nobody encrypted is all that a server has to refuse a handshake by. */
        if (strncmp(rubbish[index], "15", 2) != 0) {
            peer_command(peer, "raw %s", rubbish[index]);
        }
    }
    assert_int_equal(count_states(recorder, MCC_STATE_READY), 0);
    (void)await_state(recorder, MCC_STATE_READY);
    expect_echo(connection, recorder, 20, 1, false);
    assert_int_equal(stats_of(connection).attempts, 1);
    close_connection(connection, recorder);

    /* Nothing but rubbish is as good as nothing. */
    peer = start_peer(fixture, "--udp", NULL);
    mcc_connection_options_t options = options_to(fixture, peer);
    options.handshake_timeout_ms = 1500;
    connection = open_connection(fixture, options, &recorder);
    (void)await_state(recorder, MCC_STATE_HANDSHAKING);
    (void)peer_await(peer, "accepted ");
    for (size_t index = 0; index < RUBBISH; index++) {
        if (strncmp(rubbish[index], "15", 2) != 0) {
            peer_command(peer, "raw %s", rubbish[index]);
        }
    }
    assert_status(await_state(recorder, MCC_STATE_WAITING)->reason, MCC_ERR_HANDSHAKE_TIMEOUT);
    close_connection(connection, recorder);
}

/* ---- sessions that end ---- */

static void the_next_connection_resumes_the_session(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_peer(fixture, "server");
    recorder_t *recorder;
    mcc_connection_options_t options = options_to(fixture, peer);
    /* Where the name has an address that does not listen, the session is not lost on it. */
    options.uri = options_for(fixture, "coaps://localhost:%u", peer_port(peer)).uri;
    options.handshake_timeout_ms = 1500;
    mcc_connection_t *connection = open_ready(fixture, options, &recorder);
    assert_non_null(strstr(peer_await(peer, "handshake "), " resumed=no"));
    for (uint16_t round = 0; round < 3; round++) {
        expect_echo(connection, recorder, 20, round, false);
        peer_command(peer, "close");
        assert_status(await_state(recorder, MCC_STATE_WAITING)->reason, MCC_ERR_CLOSED_BY_PEER);
        (void)await_state(recorder, MCC_STATE_READY);
        assert_non_null(strstr(peer_await(peer, "handshake "), " resumed=yes"));
    }
    /* Nor on a server that says nothing for a while. */
    peer_command(peer, "close");
    peer_command(peer, "lose 1");
    assert_status(await_state(recorder, MCC_STATE_WAITING)->reason, MCC_ERR_CLOSED_BY_PEER);
    assert_int_not_equal(await_state(recorder, MCC_STATE_WAITING)->reason, MCC_OK);
    peer_command(peer, "lose 0");
    (void)await_state(recorder, MCC_STATE_READY);
    assert_non_null(strstr(peer_await(peer, "handshake "), " resumed=yes"));
    expect_echo(connection, recorder, 20, 9, false);
    close_connection(connection, recorder);
    (void)peer_await(peer, "close-notify");
}

int main(int count, char **arguments)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_datagram_of_a_handshake_may_be_lost),
        TEST(what_is_lost_in_the_handshake_makes_no_message_too_long),
        TEST(a_path_that_loses_every_third_datagram_bears_a_session),
        TEST(rubbish_changes_nothing_of_a_session),
        TEST(rubbish_changes_nothing_of_a_handshake),
        TEST(the_next_connection_resumes_the_session),
    };
#undef TEST
    return run_chosen_tests(tests, count, arguments);
}
