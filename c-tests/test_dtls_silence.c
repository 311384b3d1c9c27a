/* A DTLS server that has forgotten the session, or has restarted, says nothing to what it cannot read.
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

static void a_server_that_has_forgotten_the_session_is_found_out_and_connected_again(void **state)
{
    enum { FORGETS, RESTARTS, COUNT, PATIENCE_MS = 110000 };
    fixture_t *fixture = *state;
    peer_t *peers[COUNT];
    mcc_connection_t *connections[COUNT];
    recorder_t *recorders[COUNT];
    for (size_t index = 0; index < COUNT; index++) {
        peers[index] = start_dtls_peer(fixture, "server");
        connections[index] = open_ready(fixture, options_to(fixture, peers[index]), &recorders[index]);
        expect_echo(connections[index], recorders[index], 20, 1, false);
    }
    peer_command(peers[FORGETS], "reset");
    char port[8];
    (void)snprintf(port, sizeof port, "%u", peer_port(peers[RESTARTS]));
    stop_peer(fixture, peers[RESTARTS]);
    peers[RESTARTS] = start_peer(fixture, "--dtls", "--port", port, "--certificate", certificate_path(fixture, "server.pem"), "--key",
                                 certificate_path(fixture, "server.key"), NULL);
    for (size_t index = 0; index < COUNT; index++) {
        assert_status(mcc_connection_ping(connections[index]), MCC_OK);
    }
    for (size_t index = 0; index < COUNT; index++) {
        const record_t *lost = try_event(recorders[index], MCC_EVENT_PING_LOST, PATIENCE_MS);
        assert_non_null(lost);
        assert_status(lost->reason, MCC_ERR_PATH_SILENT);
        assert_status(await_state(recorders[index], MCC_STATE_WAITING)->reason, MCC_ERR_PATH_SILENT);
        (void)await_state(recorders[index], MCC_STATE_READY);
        expect_echo(connections[index], recorders[index], 20, 2, false);
        assert_int_equal(stats_of(connections[index]).attempts, 2);
        close_connection(connections[index], recorders[index]);
    }
    (void)peer_await(peers[FORGETS], "handshake ");
    assert_non_null(strstr(peer_await(peers[FORGETS], "handshake "), " resumed=yes"));
    /* Its tickets are gone with it. */
    assert_non_null(strstr(peer_await(peers[RESTARTS], "handshake "), " resumed=no"));
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_server_that_has_forgotten_the_session_is_found_out_and_connected_again, setup, teardown),
    };
    return run_chosen_tests(tests, count, arguments);
}
