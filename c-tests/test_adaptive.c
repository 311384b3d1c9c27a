/* The interval that is looked for, and the other port: what a path bears, found out, kept, and taken up again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- a path that forgets ---- */

enum { MAXIMUM_PAIRS = 16, FORGETS_MS = 2200 };

/* What stands between client and server, and drops what comes after a silence, without a word. */
static struct {
    int listener;
    int end;
    uint16_t port;
    uint16_t to;
    pthread_t thread;
    struct {
        int sides[2];
        uint64_t latest_ms;
        bool forgotten;
    } pairs[MAXIMUM_PAIRS];
    size_t count;
    atomic_uint forgotten;
} path;

static struct sockaddr_in loopback_port(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void take_connection(void)
{
    int client = accept4(path.listener, NULL, NULL, SOCK_CLOEXEC);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = loopback_port(path.to);
    if (client < 0 || path.count == MAXIMUM_PAIRS || connect(server, (struct sockaddr *)&address, sizeof address) != 0) {
        close(client);
        close(server);
        return;
    }
    path.pairs[path.count].sides[0] = client;
    path.pairs[path.count].sides[1] = server;
    path.pairs[path.count].latest_ms = milliseconds_now();
    path.pairs[path.count].forgotten = false;
    path.count++;
}

/* False when the pair has ended. */
static bool pass_on(size_t pair, int side)
{
    uint8_t bytes[4096];
    ssize_t size = recv(path.pairs[pair].sides[side], bytes, sizeof bytes, 0);
    if (size <= 0) {
        return false;
    }
    if (!path.pairs[pair].forgotten && milliseconds_now() - path.pairs[pair].latest_ms >= FORGETS_MS) {
        path.pairs[pair].forgotten = true;
        atomic_fetch_add(&path.forgotten, 1);
    }
    if (!path.pairs[pair].forgotten) {
        /* Noted before it goes on: the ends see no shorter silence than the path. */
        path.pairs[pair].latest_ms = milliseconds_now();
        (void)send(path.pairs[pair].sides[1 - side], bytes, (size_t)size, MSG_NOSIGNAL);
    }
    return true;
}

static void *be_the_path(void *argument)
{
    (void)argument;
    for (;;) {
        struct pollfd entries[2 + 2 * MAXIMUM_PAIRS] = {
            {.fd = path.end, .events = POLLIN},
            {.fd = path.listener, .events = POLLIN},
        };
        size_t count = path.count;
        for (size_t index = 0; index < 2 * count; index++) {
            entries[2 + index].fd = path.pairs[index / 2].sides[index % 2];
            entries[2 + index].events = POLLIN;
        }
        (void)poll(entries, 2 + 2 * count, -1);
        if (entries[0].revents != 0) {
            return NULL;
        }
        /* From behind: the last takes the place of one that has ended. */
        for (size_t pair = count; pair-- > 0;) {
            for (int side = 0; side < 2; side++) {
                if (entries[2 + 2 * pair + (size_t)side].revents != 0 && !pass_on(pair, side)) {
                    close(path.pairs[pair].sides[0]);
                    close(path.pairs[pair].sides[1]);
                    path.pairs[pair] = path.pairs[--path.count];
                    break;
                }
            }
        }
        if (entries[1].revents != 0) {
            take_connection();
        }
    }
}

static int setup_path(void **state)
{
    if (setup(state) != 0) {
        return -1;
    }
    peer_t *peer = start_peer(*state, "--tcp", NULL);
    memset(&path, 0, sizeof path);
    path.to = peer_port(peer);
    path.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    path.end = eventfd(0, EFD_CLOEXEC);
    struct sockaddr_in address = loopback_port(0);
    socklen_t size = sizeof address;
    if (bind(path.listener, (struct sockaddr *)&address, size) != 0 || listen(path.listener, 8) != 0 ||
        getsockname(path.listener, (struct sockaddr *)&address, &size) != 0) {
        return -1;
    }
    path.port = ntohs(address.sin_port);
    return pthread_create(&path.thread, NULL, be_the_path, NULL) == 0 ? 0 : -1;
}

static int teardown_path(void **state)
{
    int result = teardown(state);
    (void)eventfd_write(path.end, 1);
    (void)pthread_join(path.thread, NULL);
    for (size_t index = 0; index < 2 * path.count; index++) {
        close(path.pairs[index / 2].sides[index % 2]);
    }
    close(path.listener);
    close(path.end);
    return result;
}

/* ---- the state ---- */

typedef struct {
    uint8_t bytes[MCC_KEEPALIVE_STATE_MAX_SIZE];
    size_t size;
} exported_t;

static exported_t export_state(mcc_connection_t *connection)
{
    exported_t exported;
    memset(&exported, 0xA5, sizeof exported);
    assert_status(mcc_connection_keepalive_state(connection, exported.bytes, sizeof exported.bytes, &exported.size), MCC_OK);
    assert_in_range(exported.size, 1, sizeof exported.bytes);
    return exported;
}

static mcc_connection_options_t adaptive_options(fixture_t *fixture, uint16_t port)
{
    mcc_connection_options_t options = options_for(fixture, "coap://127.0.0.1:%u", port);
    options.keepalive_interval_s = 0;
    options.keepalive_adaptive = 1;
    options.keepalive_floor_s = 1;
    options.keepalive_ceiling_s = 10;
    return options;
}

static void the_interval_that_a_path_bears_is_found_and_taken_up_again_by_the_next_connection(void **state)
{
    fixture_t *fixture = *state;
    recorder_t *recorder;
    mcc_connection_options_t options = adaptive_options(fixture, path.port);
    mcc_connection_t *connection = open_ready(fixture, options, &recorder);
    assert_int_equal(stats_of(connection).keepalive_interval_ms, 1500);

    /* The second is the first that can be lost: a message that is sent meanwhile waits for the proof, and is not. */
    (void)await_event(recorder, MCC_EVENT_PING_SENT);
    (void)await_event(recorder, MCC_EVENT_PING_SENT);
    uint64_t ticket = send_request(connection, 40, 7);
    (void)await_event(recorder, MCC_EVENT_PING_LOST);
    const record_t *waiting = await_state(recorder, MCC_STATE_WAITING);
    assert_int_equal(waiting->state.reason, MCC_ERR_PATH_SILENT);
    (void)await_state(recorder, MCC_STATE_READY);
    assert_true(atomic_load(&path.forgotten) > 0);
    await_count(recorder, MCC_EVENT_SENT, 1);
    await_count(recorder, MCC_EVENT_MESSAGE, 1);
    assert_int_equal(count_reports(recorder, ticket), 1);
    assert_int_equal(count_events(recorder, MCC_EVENT_FAILED), 0);

    for (int pings = 0; pings < 2; pings++) {
        (void)await_event(recorder, MCC_EVENT_PING_ANSWERED);
    }
    uint64_t found_ms = stats_of(connection).keepalive_interval_ms;
    exported_t exported = export_state(connection);
    assert_in_range(found_ms, 1000, FORGETS_MS - 1);
    close_connection(connection, recorder);

    options.keepalive_state = exported.bytes;
    options.keepalive_state_size = exported.size;
    connection = open_ready(fixture, options, &recorder);
    /* The state has milliseconds. */
    assert_in_range(stats_of(connection).keepalive_interval_ms, found_ms - 1, found_ms);
    for (int pings = 0; pings < 2; pings++) {
        (void)await_event(recorder, MCC_EVENT_PING_ANSWERED);
    }
    assert_int_equal(count_events(recorder, MCC_EVENT_PING_LOST), 0);

    /* A fixed interval ends the search, and what it found out stays known. */
    exported = export_state(connection);
    assert_status(mcc_connection_set_keepalive(connection, 540), MCC_OK);
    uint64_t until = milliseconds_now() + SOON_MS;
    while (stats_of(connection).keepalive_interval_ms != 540000 && milliseconds_now() < until) {
        sleep_ms(2);
    }
    assert_int_equal(stats_of(connection).keepalive_interval_ms, 540000);
    exported_t later = export_state(connection);
    assert_int_equal(later.size, exported.size);
    assert_memory_equal(later.bytes, exported.bytes, exported.size);
    close_connection(connection, recorder);
}

static void the_state_is_there_at_any_time_and_says_how_much_room_it_needs(void **state)
{
    fixture_t *fixture = *state;
    recorder_t *recorder;
    mcc_connection_options_t options = adaptive_options(fixture, free_port());
    options.backoff_base_ms = 3600000;
    options.backoff_cap_s = 3600;
    mcc_connection_t *connection = open_connection(fixture, options, &recorder);
    (void)export_state(connection);
    (void)await_state(recorder, MCC_STATE_WAITING);
    exported_t exported = export_state(connection);
    uint8_t exact[MCC_KEEPALIVE_STATE_MAX_SIZE];
    memset(exact, 0xA5, sizeof exact);
    size_t size = 0;
    assert_status(mcc_connection_keepalive_state(connection, exact, 0, &size), MCC_ERR_INVALID_ARGUMENT);
    assert_int_equal(size, exported.size);
    size = 0;
    assert_status(mcc_connection_keepalive_state(connection, exact, exported.size - 1, &size), MCC_ERR_INVALID_ARGUMENT);
    assert_int_equal(size, exported.size);
    assert_int_equal(exact[0], 0xA5);
    assert_status(mcc_connection_keepalive_state(connection, exact, exported.size, &size), MCC_OK);
    assert_memory_equal(exact, exported.bytes, exported.size);
    assert_int_equal(exact[exported.size], 0xA5);
    close_connection(connection, recorder);
    assert_status(mcc_connection_keepalive_state(connection, exact, sizeof exact, &size), MCC_ERR_INVALID_HANDLE);
}

static void a_damaged_state_is_refused_and_a_whole_one_is_handed_on(void **state)
{
    fixture_t *fixture = *state;
    recorder_t *recorder;
    mcc_connection_options_t options = adaptive_options(fixture, free_port());
    mcc_connection_t *connection = open_connection(fixture, options, &recorder);
    (void)await_state(recorder, MCC_STATE_CONNECTING);
    exported_t exported = export_state(connection);
    close_connection(connection, recorder);

    options.callback = record_event;
    options.argument = recorder;
    for (size_t index = 0; index < exported.size; index++) {
        exported_t damaged = exported;
        damaged.bytes[index] ^= 0x40;
        options.keepalive_state = damaged.bytes;
        options.keepalive_state_size = exported.size;
        mcc_connection_t *none = NULL;
        assert_status(mcc_connection_open(context_of(fixture), &options, &none), MCC_ERR_KEEPALIVE_STATE_INVALID);
        options.keepalive_state = exported.bytes;
        options.keepalive_state_size = index;
        if (index > 0) {
            assert_status(mcc_connection_open(context_of(fixture), &options, &none), MCC_ERR_KEEPALIVE_STATE_INVALID);
        }
        assert_null(none);
    }

    options.keepalive_state = exported.bytes;
    options.keepalive_state_size = exported.size;
    options.keepalive_adaptive = 0;
    connection = open_connection(fixture, options, &recorder);
    memset(exported.bytes, 0, 1); /* it was copied */
    exported_t later = export_state(connection);
    exported.bytes[0] = 'M';
    assert_int_equal(later.size, exported.size);
    assert_memory_equal(later.bytes, exported.bytes, exported.size);
    close_connection(connection, recorder);
}

static void over_datagrams_the_interval_stays_at_the_floor(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_peer(fixture, "--udp", NULL);
    static const struct {
        uint32_t floor_s;
        uint64_t interval_ms;
    } floors[] = {{0, 25000}, {15, 15000}, {300, 300000}};
    for (size_t index = 0; index < sizeof floors / sizeof floors[0]; index++) {
        recorder_t *recorder;
        mcc_connection_options_t options = adaptive_options(fixture, peer_port(peer));
        options.transport = MCC_TRANSPORT_UDP;
        options.keepalive_floor_s = floors[index].floor_s;
        options.keepalive_ceiling_s = 3600;
        mcc_connection_t *connection = open_ready(fixture, options, &recorder);
        assert_status(mcc_connection_ping(connection), MCC_OK);
        (void)await_event(recorder, MCC_EVENT_PING_ANSWERED);
        assert_int_equal(stats_of(connection).keepalive_interval_ms, floors[index].interval_ms);
        close_connection(connection, recorder);
    }
}

/* ---- the other port ---- */

typedef struct {
    atomic_uint told;
    char line[300];
} log_t;

static void note_other_port(void *argument, int32_t level, const char *text)
{
    log_t *log = argument;
    if (level == MCC_LOG_INFO && strstr(text, "other port") != NULL && atomic_fetch_add(&log->told, 1) == 0) {
        (void)snprintf(log->line, sizeof log->line, "%s", text);
    }
}

static void the_other_port_is_tried_when_the_first_is_refused_and_goes_first_from_then_on(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    log_t log = {.told = 0};
    mcc_log_set(note_other_port, &log, MCC_LOG_INFO);
    recorder_t *recorder;
    mcc_connection_options_t options = options_for(fixture, "coap://127.0.0.1:%u", free_port());
    options.alternative_port = peer_port(peer);
    mcc_connection_t *connection = open_connection(fixture, options, &recorder);
    assert_int_equal(await_state(recorder, MCC_STATE_CONNECTING)->state.reason, MCC_OK);
    const record_t *other = await_state(recorder, MCC_STATE_CONNECTING);
    assert_int_equal(other->state.reason, MCC_ERR_CONNECTION_REFUSED);
    assert_string_equal(other->state.text, mcc_status_text(MCC_ERR_CONNECTION_REFUSED));
    (void)await_state(recorder, MCC_STATE_READY);
    expect_echo(connection, recorder, 40, 9, false);
    assert_int_equal(stats_of(connection).attempts, 1);
    assert_int_equal(count_states(recorder, MCC_STATE_WAITING), 0);

    peer_command(peer, "reset");
    (void)await_state(recorder, MCC_STATE_WAITING);
    assert_int_equal(await_state(recorder, MCC_STATE_CONNECTING)->state.reason, MCC_OK);
    (void)await_state(recorder, MCC_STATE_READY);
    assert_int_equal(count_states(recorder, MCC_STATE_CONNECTING), 3);
    close_connection(connection, recorder);
    mcc_log_set(NULL, NULL, MCC_LOG_OFF);
    assert_int_equal(atomic_load(&log.told), 1);
    assert_non_null(strstr(log.line, mcc_status_text(MCC_ERR_CONNECTION_REFUSED)));
}

static void without_another_port_a_refused_one_is_waited_for(void **state)
{
    fixture_t *fixture = *state;
    recorder_t *recorder;
    mcc_connection_options_t options = options_for(fixture, "coap://127.0.0.1:%u", free_port());
    options.backoff_base_ms = 3600000;
    options.backoff_cap_s = 3600;
    mcc_connection_t *connection = open_connection(fixture, options, &recorder);
    assert_int_equal(await_state(recorder, MCC_STATE_WAITING)->state.reason, MCC_ERR_CONNECTION_REFUSED);
    assert_int_equal(count_states(recorder, MCC_STATE_CONNECTING), 1);
    close_connection(connection, recorder);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_interval_that_a_path_bears_is_found_and_taken_up_again_by_the_next_connection,
                                        setup_path, teardown_path),
        cmocka_unit_test_setup_teardown(the_state_is_there_at_any_time_and_says_how_much_room_it_needs, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_state_is_refused_and_a_whole_one_is_handed_on, setup, teardown),
        cmocka_unit_test_setup_teardown(over_datagrams_the_interval_stays_at_the_floor, setup, teardown),
        cmocka_unit_test_setup_teardown(the_other_port_is_tried_when_the_first_is_refused_and_goes_first_from_then_on, setup, teardown),
        cmocka_unit_test_setup_teardown(without_another_port_a_refused_one_is_waited_for, setup, teardown),
    };
    return run_chosen_tests(tests, count, arguments);
}
