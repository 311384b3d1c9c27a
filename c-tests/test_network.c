/* Connections on a network of their own: links that go down and up, addresses that change, and a system that tells nothing.
 *
 * Each test has two network namespaces (namespaces.h), which a veth pair connects: own0 in the library's, peer0 in the other.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "namespaces.h"
#include "support.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How long a connection may take to be ready again after the system told that there is a network. */
enum { READY_AGAIN_MS = 3000 };

/* ---- namespaces ---- */

static int make_network(void)
{
    if (!make_namespaces()) {
        return -1;
    }
    ip("link set lo up");
    /* The numbers differ: Linux is slow to notice the link of a pair that has the same. */
    ip("link add own0 index 10 type veth peer name peer0 netns /proc/%d/fd/%d", (int)getpid(), peer_namespace);
    ip("address add 192.0.2.1/24 dev own0");
    ip("link set own0 up");
    enter(peer_namespace);
    ip("link set lo up");
    ip("address add 192.0.2.2/24 dev peer0");
    ip("link set peer0 up");
    await_link("peer0");
    enter(own_namespace);
    await_link("own0");
    return 0;
}

static int network_setup(void **state)
{
    return make_network() == 0 ? setup(state) : -1;
}

static int network_setup_driven(void **state)
{
    return make_network() == 0 ? setup_driven(state) : -1;
}

static int network_teardown(void **state)
{
    int result = teardown(state);
    return end_namespaces() ? result : -1;
}

static peer_t *start_far_peer(fixture_t *fixture, const char *transport)
{
    enter(peer_namespace);
    peer_t *peer = start_peer(fixture, transport, "--address", "192.0.2.2", NULL);
    enter(own_namespace);
    return peer;
}

/* Options with a wait that no test lives to see the end of. */
static mcc_connection_options_t patient_options(fixture_t *fixture, const peer_t *peer)
{
    mcc_connection_options_t options = options_for(fixture, "coap://192.0.2.2:%u", peer_port(peer));
    options.transport = peer_transport(peer);
    options.backoff_base_ms = 3600000;
    options.backoff_cap_s = 4294967;
    options.peer_closed_wait_ms = 3600000;
    options.keepalive_timeout_ms = 3600000;
    return options;
}

static void expect_network_down(recorder_t *recorder)
{
    const record_t *waiting = await_state(recorder, MCC_STATE_WAITING);
    assert_int_equal(waiting->state.reason, MCC_ERR_NETWORK_DOWN);
}

static void expect_ready_again(recorder_t *recorder, uint64_t told_ms)
{
    const record_t *ready = await_state(recorder, MCC_STATE_READY);
    assert_in_range(ready->at_ms, 0, told_ms + READY_AGAIN_MS);
}

/* ---- links and addresses ---- */

static void expect_ready_after_down_and_up(fixture_t *fixture, const char *transport)
{
    peer_t *peer = start_far_peer(fixture, transport);
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, patient_options(fixture, peer), &recorder);
    expect_echo(connection, recorder, 40, 1, false);
    ip("link set own0 down");
    expect_network_down(recorder);
    /* Without a network nothing is tried. */
    expect_no_event(recorder, MCC_EVENT_STATE, 500);
    ip("link set own0 up");
    await_link("own0");
    expect_ready_again(recorder, milliseconds_now());
    expect_echo(connection, recorder, 40, 2, false);
    assert_int_equal(stats_of(connection).attempts, 2);
    close_connection(connection, recorder);
}

static void a_stream_is_ready_again_when_the_interface_was_down_and_is_up(void **state)
{
    expect_ready_after_down_and_up(*state, "--tcp");
}

static void a_loop_of_the_program_s_own_is_woken_for_it(void **state)
{
    expect_ready_after_down_and_up(*state, "--tcp");
}

static void datagrams_are_ready_again_when_the_interface_was_down_and_is_up(void **state)
{
    expect_ready_after_down_and_up(*state, "--udp");
}

static void a_connection_whose_address_is_gone_is_made_anew_from_the_next_one(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_far_peer(fixture, "--tcp");
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, patient_options(fixture, peer), &recorder);
    ip("address flush dev own0");
    ip("address add 192.0.2.9/24 dev own0");
    uint64_t told_ms = milliseconds_now();
    expect_network_down(recorder);
    expect_ready_again(recorder, told_ms);
    expect_echo(connection, recorder, 40, 2, false);
    assert_int_equal(stats_of(connection).connections, 2);
    close_connection(connection, recorder);
}

static mcc_connection_options_t patient_dtls_options(fixture_t *fixture, const peer_t *peer)
{
    mcc_connection_options_t options = patient_options(fixture, peer);
    options.uri = options_for(fixture, "coaps://192.0.2.2:%u", peer_port(peer)).uri;
    options.transport = MCC_TRANSPORT_UDP;
    mcc_tls_options_t *tls = tls_with_ca(fixture, "ca.pem");
    tls->server_name = "localhost";
    options.tls = tls;
    return options;
}

static void a_dtls_session_with_a_connection_id_outlives_the_address_of_this_device(void **state)
{
    fixture_t *fixture = *state;
    enter(peer_namespace);
    peer_t *peer = start_cid_peer(fixture, "192.0.2.2", NULL);
    enter(own_namespace);
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, patient_dtls_options(fixture, peer), &recorder);
    expect_same(connection, recorder, 40, 1);
    ip("address flush dev own0");
    expect_network_down(recorder);
    /* Without a network the session waits. */
    expect_no_event(recorder, MCC_EVENT_STATE, 500);
    ip("address add 192.0.2.9/24 dev own0");
    expect_ready_again(recorder, milliseconds_now());
    /* Nobody asked for this ping. */
    (void)await_event(recorder, MCC_EVENT_PING_ANSWERED);
    (void)peer_await(peer, "rebound");
    expect_same(connection, recorder, 400, 2);
    peer_command(peer, "send 50451234ff7777");
    assert_int_equal(await_event(recorder, MCC_EVENT_MESSAGE)->message_size, 7);
    /* The address stays and the interface goes: the session is the same, too. */
    ip("link set own0 down");
    expect_network_down(recorder);
    ip("link set own0 up");
    await_link("own0");
    /* At most once in 5 s. */
    expect_ready_again(recorder, milliseconds_now() + 5000);
    (void)await_event(recorder, MCC_EVENT_PING_ANSWERED);
    expect_same(connection, recorder, 40, 3);
    peer_await_count(peer, "rebound", 2);
    peer_await_count(peer, "connected ", 1);
    assert_int_equal(stats_of(connection).connections, 3);
    assert_int_equal(stats_of(connection).pings_lost, 0);
    close_connection(connection, recorder);
    (void)peer_await(peer, "close-notify");
}

static void a_dtls_session_without_a_connection_id_is_resumed_from_the_next_address(void **state)
{
    fixture_t *fixture = *state;
    enter(peer_namespace);
    peer_t *peer = start_peer(fixture, "--dtls", "--address", "192.0.2.2", "--certificate", certificate_path(fixture, "server.pem"),
                              "--key", certificate_path(fixture, "server.key"), NULL);
    enter(own_namespace);
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, patient_dtls_options(fixture, peer), &recorder);
    expect_echo(connection, recorder, 40, 1, false);
    ip("address flush dev own0");
    ip("address add 192.0.2.9/24 dev own0");
    uint64_t told_ms = milliseconds_now();
    expect_network_down(recorder);
    expect_ready_again(recorder, told_ms);
    assert_non_null(strstr(peer_await(peer, "handshake "), " resumed=no"));
    assert_non_null(strstr(peer_await(peer, "handshake "), " resumed=yes"));
    expect_echo(connection, recorder, 40, 2, false);
    close_connection(connection, recorder);
}

static void every_connection_of_a_context_is_told(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_far_peer(fixture, "--tcp");
    enum { CONNECTIONS = 5 };
    recorder_t *recorders[CONNECTIONS];
    mcc_connection_t *connections[CONNECTIONS];
    for (size_t index = 0; index < CONNECTIONS; index++) {
        connections[index] = open_ready(fixture, patient_options(fixture, peer), &recorders[index]);
    }
    ip("link set own0 down");
    for (size_t index = 0; index < CONNECTIONS; index++) {
        expect_network_down(recorders[index]);
    }
    ip("link set own0 up");
    await_link("own0");
    uint64_t told_ms = milliseconds_now();
    for (size_t index = 0; index < CONNECTIONS; index++) {
        expect_ready_again(recorders[index], told_ms);
        close_connection(connections[index], recorders[index]);
    }
}

static void a_change_that_leaves_the_address_is_proven_by_a_ping(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_far_peer(fixture, "--tcp");
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, patient_options(fixture, peer), &recorder);
    ip("route add default via 192.0.2.2");
    (void)await_event(recorder, MCC_EVENT_PING_ANSWERED);
    assert_int_equal(stats_of(connection).pings_sent, 1);
    ip("route change default via 192.0.2.3");
    (void)await_event(recorder, MCC_EVENT_PING_ANSWERED);
    assert_int_equal(stats_of(connection).connections, 1);
    close_connection(connection, recorder);
}

/* A context that was told of a change waits for what belongs to it: longer than that. */
enum { SETTLED_MS = 1000 };

static void what_does_not_concern_a_connection_does_not_touch_it(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_far_peer(fixture, "--tcp");
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, patient_options(fixture, peer), &recorder);
    ip("link add other0 type veth peer name other1");
    for (int count = 0; count < 20; count++) {
        ip("link set other0 %s", count % 2 == 0 ? "up" : "down");
    }
    ip("link del other0");
    expect_no_event(recorder, MCC_EVENT_PING_SENT, SETTLED_MS);
    assert_int_equal(stats_of(connection).connections, 1);
    /* What does concern it is still told. */
    ip("link set own0 down");
    expect_network_down(recorder);
    close_connection(connection, recorder);
}

static void however_much_the_system_tells_it_is_looked_at_ten_times_a_second(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_far_peer(fixture, "--tcp");
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, patient_options(fixture, peer), &recorder);
    uint64_t begin_ms = milliseconds_now();
    FILE *batch = popen("ip -batch -", "we");
    assert_non_null(batch);
    for (unsigned count = 0; count < 4000; count++) {
        /* Another address each time: each change is one to tell. */
        const char *change = count % 2 == 0 ? "add" : "del";
        fprintf(batch, "address %s 198.51.%u.%u/24 dev own0\n", change, 100 + count / 2 / 250 % 100, 1 + count / 2 % 250);
    }
    fprintf(batch, "address add 203.0.113.1/24 dev own0\n");
    assert_int_equal(pclose(batch), 0);
    (void)await_event(recorder, MCC_EVENT_PING_ANSWERED);
    expect_no_event(recorder, MCC_EVENT_STATE, SETTLED_MS);
    uint64_t looks = (milliseconds_now() - begin_ms) / 100 + 1;
    mcc_connection_stats_t stats = stats_of(connection);
    assert_in_range(stats.pings_sent, 1, looks);
    assert_int_equal(stats.pings_answered, stats.pings_sent);
    assert_int_equal(stats.connections, 1);
    /* What came last was not missed. */
    ip("address flush dev own0");
    expect_network_down(recorder);
    close_connection(connection, recorder);
}

static void a_connection_that_begins_without_a_network_is_ready_when_there_is_one(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_far_peer(fixture, "--tcp");
    ip("link set own0 down");
    recorder_t *recorder;
    mcc_connection_t *connection = open_connection(fixture, patient_options(fixture, peer), &recorder);
    expect_network_down(recorder);
    ip("link set own0 up");
    await_link("own0");
    expect_ready_again(recorder, milliseconds_now());
    close_connection(connection, recorder);
}

/* ---- a system that tells nothing ---- */

/* A thread that must not open a socket of netlink makes a context, whose own thread must not either. */
static void *make_deaf_context(void *argument)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 &&
        socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) < 0 && errno == EPERM) {
        (void)mcc_context_new(NULL, argument);
    }
    return NULL;
}

static void without_permission_for_netlink_connections_work_all_the_same(void **state)
{
    skip_under_emulation("qemu-user has no seccomp");
    fixture_t *fixture = *state;
    peer_t *peer = start_far_peer(fixture, "--tcp");
    mcc_context_t *context = NULL;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, make_deaf_context, &context), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_non_null(context);
    recorder_t *recorder = new_recorder(fixture);
    mcc_connection_options_t options = patient_options(fixture, peer);
    options.callback = record_event;
    options.argument = recorder;
    options.keepalive_interval_s = 0;
    options.keepalive_adaptive = 1;
    mcc_connection_t *connection = NULL;
    assert_status(mcc_connection_open(context, &options, &connection), MCC_OK);
    (void)await_state(recorder, MCC_STATE_READY);
    expect_echo(connection, recorder, 40, 1, false);
    uint8_t exported[MCC_KEEPALIVE_STATE_MAX_SIZE];
    size_t size = 0;
    assert_status(mcc_connection_keepalive_state(connection, exported, sizeof exported, &size), MCC_OK);
    /* What it finds out is kept, though nobody can say of which network. */
    assert_int_equal(size, 36);
    ip("address add 198.51.100.1/24 dev own0");
    expect_no_event(recorder, MCC_EVENT_PING_SENT, SETTLED_MS);
    close_connection(connection, recorder);
    mcc_context_free(context);
}

/* ---- the main ---- */

int main(int count, char **arguments)
{
    if (!leave_the_system(0)) {
        return SKIPPED;
    }
#define TEST_WITH(setup, name) cmocka_unit_test_setup_teardown(name, setup, network_teardown)
#define TEST(name) TEST_WITH(network_setup, name)
    const struct CMUnitTest tests[] = {
        TEST(a_stream_is_ready_again_when_the_interface_was_down_and_is_up),
        TEST_WITH(network_setup_driven, a_loop_of_the_program_s_own_is_woken_for_it),
        TEST(datagrams_are_ready_again_when_the_interface_was_down_and_is_up),
        TEST(a_connection_whose_address_is_gone_is_made_anew_from_the_next_one),
        TEST(a_dtls_session_with_a_connection_id_outlives_the_address_of_this_device),
        TEST(a_dtls_session_without_a_connection_id_is_resumed_from_the_next_address),
        TEST(every_connection_of_a_context_is_told),
        TEST(a_change_that_leaves_the_address_is_proven_by_a_ping),
        TEST(what_does_not_concern_a_connection_does_not_touch_it),
        TEST(however_much_the_system_tells_it_is_looked_at_ten_times_a_second),
        TEST(a_connection_that_begins_without_a_network_is_ready_when_there_is_one),
        TEST(without_permission_for_netlink_connections_work_all_the_same),
    };
#undef TEST
#undef TEST_WITH
    return run_chosen_tests(tests, count, arguments);
}
