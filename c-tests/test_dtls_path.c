/* What becomes of DTLS when the path changes: a NAT that forgets the device, a server that is deaf to long datagrams, an address that
 * says nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "support.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

static mcc_connection_options_t options_to(fixture_t *fixture, uint16_t port)
{
    mcc_connection_options_t options = options_for(fixture, "coaps://127.0.0.1:%u", port);
    options.transport = MCC_TRANSPORT_UDP;
    options.tls = tls_with_ca(fixture, "ca.pem");
    return options;
}

static void a_session_with_a_connection_id_goes_on_behind_a_nat_that_forgets(void **state)
{
    enum { ROUNDS = 6 };
    fixture_t *fixture = *state;
    peer_t *server = start_cid_peer(fixture, "127.0.0.1", NULL);
    peer_t *nat = start_nat(fixture, server);
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, options_to(fixture, peer_port(nat)), &recorder);
    expect_same(connection, recorder, 40, 1);
    for (uint16_t round = 0; round < ROUNDS; round++) {
        peer_command(nat, "rebind");
        if (round % 2 == 0) {
            expect_same(connection, recorder, 1000, (uint16_t)(100 + round));
        } else {
            assert_status(mcc_connection_ping(connection), MCC_OK);
            (void)await_event(recorder, MCC_EVENT_PING_ANSWERED);
        }
        peer_await_count(server, "rebound", round + 1u);
        /* What the server says of itself comes through again. */
        peer_command(server, "send 50451234ff7777");
        assert_int_equal(await_event(recorder, MCC_EVENT_MESSAGE)->message_size, 7);
    }
    mcc_connection_stats_t stats = stats_of(connection);
    assert_int_equal(stats.attempts, 1);
    assert_int_equal(stats.connections, 1);
    assert_int_equal(stats.pings_lost, 0);
    peer_await_count(server, "connected ", 1);
    close_connection(connection, recorder);
    (void)peer_await(server, "close-notify");
}

static void a_server_that_a_long_clienthello_does_not_reach_is_reached_without_the_session(void **state)
{
    fixture_t *fixture = *state;
    peer_t *server = start_dtls_peer(fixture, "server");
    peer_t *nat = start_nat(fixture, server);
    mcc_connection_options_t options = options_to(fixture, peer_port(nat));
    options.handshake_timeout_ms = 1500;
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, options, &recorder);
    expect_echo(connection, recorder, 40, 1, false);
    /* With the ticket of this server a ClientHello is longer. */
    peer_command(nat, "longest 340");
    peer_command(server, "close");
    assert_status(await_state(recorder, MCC_STATE_WAITING)->reason, MCC_ERR_CLOSED_BY_PEER);
    for (unsigned offer = 0; offer < 3; offer++) {
        assert_status(await_state(recorder, MCC_STATE_WAITING)->reason, MCC_ERR_HANDSHAKE_TIMEOUT);
    }
    (void)await_state(recorder, MCC_STATE_READY);
    assert_in_range(peer_count(nat, "dropped "), 3, 9);
    assert_non_null(strstr(peer_await(server, "handshake "), " resumed=no"));
    assert_non_null(strstr(peer_await(server, "handshake "), " resumed=no"));
    expect_echo(connection, recorder, 40, 2, false);
    assert_int_equal(stats_of(connection).attempts, 5);
    close_connection(connection, recorder);
}

static bool two_addresses;

/* A file of hosts of this program's own, in which two.test has two addresses; false without the right to make one. */
static bool name_two_addresses(void)
{
    char path[] = "/tmp/mcc-hosts-XXXXXX";
    int file = mkstemp(path);
    static const char hosts[] = "127.0.0.1 localhost\n127.0.0.2 two.test\n127.0.0.3 two.test\n";
    assert_true(file >= 0 && write(file, hosts, sizeof hosts - 1) == (ssize_t)sizeof hosts - 1);
    close(file);
    bool named = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", "none", MS_REC | MS_PRIVATE, NULL) == 0
                 && mount(path, "/etc/hosts", "none", MS_BIND, NULL) == 0;
    unlink(path);
    return named;
}

/* The addresses of two.test in the order in which they are tried. */
static void look_up(struct in_addr addresses[2])
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;
    assert_int_equal(getaddrinfo("two.test", NULL, &hints, &found), 0);
    size_t count = 0;
    for (const struct addrinfo *each = found; each != NULL; each = each->ai_next) {
        assert_true(each->ai_family == AF_INET && count < 2);
        addresses[count++] = ((const struct sockaddr_in *)(const void *)each->ai_addr)->sin_addr;
    }
    freeaddrinfo(found);
    assert_int_equal(count, 2);
}

static void an_address_that_says_nothing_gives_way_to_the_next_after_a_quarter_of_the_time(void **state)
{
    fixture_t *fixture = *state;
    if (!two_addresses) {
        print_message("a file of hosts of its own needs root: skipped\n");
        skip();
    }
    struct in_addr addresses[2];
    look_up(addresses);
    peer_t *server = start_cid_peer(fixture, inet_ntoa(addresses[1]), NULL);
    /* It takes datagrams and is never read. */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(peer_port(server)), .sin_addr = addresses[0]};
    int silent = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(silent, (const struct sockaddr *)&address, sizeof address), 0);
    mcc_connection_options_t options = options_to(fixture, 0);
    options.uri = options_for(fixture, "coaps://two.test:%u", peer_port(server)).uri;
    mcc_tls_options_t *tls = tls_with_ca(fixture, "ca.pem");
    tls->server_name = "localhost";
    options.tls = tls;
    options.handshake_timeout_ms = 8000;
    recorder_t *recorder;
    mcc_connection_t *connection = open_connection(fixture, options, &recorder);
    uint64_t begin_ms = await_state(recorder, MCC_STATE_HANDSHAKING)->at_ms;
    uint64_t next_ms = await_state(recorder, MCC_STATE_CONNECTING)->at_ms;
    assert_in_range(next_ms - begin_ms, 2000 - LATE_MS, 6000);
    (void)await_state(recorder, MCC_STATE_READY);
    expect_same(connection, recorder, 40, 1);
    assert_int_equal(stats_of(connection).attempts, 1);
    close_connection(connection, recorder);
    close(silent);
}

int main(int count, char **arguments)
{
    /* Before there is any thread: only those that begin later see it. */
    two_addresses = name_two_addresses();
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_session_with_a_connection_id_goes_on_behind_a_nat_that_forgets),
        TEST(a_server_that_a_long_clienthello_does_not_reach_is_reached_without_the_session),
        TEST(an_address_that_says_nothing_gives_way_to_the_next_after_a_quarter_of_the_time),
    };
#undef TEST
    return run_chosen_tests(tests, count, arguments);
}
