/* A DTLS session that the server cannot find any more: it has forgotten it, has restarted, or a NAT gave the device another address. It
 * says nothing to what it cannot read, or nothing that could be believed.
 *
 * A program of its own: it waits for the end of a ping's retransmissions, 62 to 93 seconds (RFC 7252 section 4.8.2: MAX_TRANSMIT_WAIT).
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

/* What anybody could send who knows the addresses: an alert, a ping's answer, and records as if they were of the session. */
static const char *const forged[] = {
    "15fefd000000000000000900020228",
    "70000001",
    "17fefd00010000000000100018111111111111111111111111111111111111111111111111",
    "15fefd0001000000000011001a1111111111111111111111111111111111111111111111111111",
};

static void a_session_that_the_server_cannot_find_is_given_up_after_one_probe_and_made_anew(void **state)
{
    /* RFC 7252 section 4.8: 2 to 3 s, doubled four times. */
    enum { SHORTEST_MS = 62000, LONGEST_MS = 93000, PATIENCE_MS = 110000 };
    enum { FORGETS, RESTARTS, BEHIND_NAT, ALERTS, COUNT };
    fixture_t *fixture = *state;
    peer_t *peers[COUNT];
    mcc_connection_t *connections[COUNT];
    recorder_t *recorders[COUNT];
    peer_t *nat = NULL;
    for (size_t index = 0; index < COUNT; index++) {
        peers[index] = index == ALERTS ? start_cid_peer(fixture, "127.0.0.1", "--alert") : start_dtls_peer(fixture, "server");
        peer_t *reached = index == BEHIND_NAT ? (nat = start_nat(fixture, peers[index])) : peers[index];
        connections[index] = open_ready(fixture, options_to(fixture, reached), &recorders[index]);
    }
    peer_command(peers[FORGETS], "reset");
    char port[8];
    (void)snprintf(port, sizeof port, "%u", peer_port(peers[RESTARTS]));
    stop_peer(fixture, peers[RESTARTS]);
    peers[RESTARTS] = start_peer(fixture, "--dtls", "--port", port, "--certificate", certificate_path(fixture, "server.pem"), "--key",
                                 certificate_path(fixture, "server.key"), NULL);
    peer_command(nat, "rebind");
    peer_command(peers[ALERTS], "forget");
    uint64_t sent_ms[COUNT];
    for (size_t index = 0; index < COUNT; index++) {
        assert_status(mcc_connection_ping(connections[index]), MCC_OK);
        sent_ms[index] = await_event(recorders[index], MCC_EVENT_PING_SENT)->at_ms;
    }
    for (size_t index = 0; index < sizeof forged / sizeof forged[0]; index++) {
        peer_command(nat, "forge %s", forged[index]);
    }
    for (size_t index = 0; index < COUNT; index++) {
        const record_t *lost = try_event(recorders[index], MCC_EVENT_PING_LOST, PATIENCE_MS);
        assert_non_null(lost);
        assert_status(lost->reason, MCC_ERR_PATH_SILENT);
        assert_in_range(lost->at_ms - sent_ms[index], SHORTEST_MS - LATE_MS, LONGEST_MS + SOON_MS);
        assert_status(await_state(recorders[index], MCC_STATE_WAITING)->reason, MCC_ERR_PATH_SILENT);
        const record_t *ready = await_state(recorders[index], MCC_STATE_READY);
        assert_in_range(ready->at_ms - lost->at_ms, 0, SOON_MS);
        if (index == ALERTS) {
            expect_same(connections[index], recorders[index], 20, 2);
        } else {
            expect_echo(connections[index], recorders[index], 20, 2, false);
        }
        mcc_connection_stats_t stats = stats_of(connections[index]);
        assert_int_equal(stats.attempts, 2);
        assert_int_equal(stats.connections, 2);
        assert_int_equal(stats.pings_sent, 1);
        assert_int_equal(stats.pings_lost, 1);
        close_connection(connections[index], recorders[index]);
    }
    static const char *const resumed[COUNT] = {[FORGETS] = " resumed=yes", [BEHIND_NAT] = " resumed=yes"};
    for (size_t index = 0; index < COUNT; index++) {
        if (resumed[index] != NULL) {
            (void)peer_await(peers[index], "handshake ");
            assert_non_null(strstr(peer_await(peers[index], "handshake "), resumed[index]));
        }
    }
    /* Its tickets are gone with it. */
    assert_non_null(strstr(peer_await(peers[RESTARTS], "handshake "), " resumed=no"));
    /* The ping and its four retransmissions came to it, and each was answered by an alert. */
    assert_in_range(peer_count(peers[ALERTS], "unknown-session "), 5, 7);
    peer_await_count(peers[ALERTS], "connected ", 2);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_session_that_the_server_cannot_find_is_given_up_after_one_probe_and_made_anew, setup, teardown),
    };
    return run_chosen_tests(tests, count, arguments);
}
