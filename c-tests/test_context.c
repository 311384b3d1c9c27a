/* Contexts: driven by the program's own loop or by a thread of their own; calls from callbacks and from many threads; what is left
 * behind, and that an idle connection costs nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static mcc_connection_options_t options_to(fixture_t *fixture, const peer_t *peer)
{
    return options_for(fixture, "coap://127.0.0.1:%u", peer_port(peer));
}

/* Waits until this process has so many threads again. */
static void await_threads(size_t count)
{
    uint64_t until = milliseconds_now() + SOON_MS;
    while (count_threads() != count && milliseconds_now() < until) {
        sleep_ms(5);
    }
    assert_int_equal(count_threads(), count);
}

/* ---- driven by the program ---- */

static void one_descriptor_wakes_a_loop_for_everything(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    mcc_connection_options_t options = options_to(fixture, peer);
    options.keepalive_interval_s = 1;
    size_t threads = count_threads();
    recorder_t *recorder;
    mcc_connection_t *connection = open_connection(fixture, options, &recorder);
    int descriptor = mcc_context_fd(context_of(fixture));
    assert_true(descriptor >= 0);
    unsigned rounds = 0;
    while (count_events(recorder, MCC_EVENT_PING_ANSWERED) < 3) {
        struct pollfd entry = {.fd = descriptor, .events = POLLIN};
        /* It needs no timeout: this one only ends a test that fails. */
        assert_int_equal(poll(&entry, 1, SOON_MS), 1);
        assert_status(mcc_context_process(context_of(fixture), 0), MCC_OK);
        assert_int_equal(mcc_context_fd(context_of(fixture)), descriptor);
        rounds++;
    }
    assert_in_range(rounds, 6, 40);
    assert_int_equal(count_threads(), threads);
    close_connection(connection, recorder);
}

static void the_descriptor_is_quiet_while_nothing_is_due(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    mcc_connection_options_t options = options_to(fixture, peer);
    options.keepalive_interval_s = 540;
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, options, &recorder);
    struct pollfd entry = {.fd = mcc_context_fd(context_of(fixture)), .events = POLLIN};
    while (poll(&entry, 1, 100) != 0) {
        assert_status(mcc_context_process(context_of(fixture), 0), MCC_OK);
    }
    assert_int_equal(poll(&entry, 1, 1500), 0);
    close_connection(connection, recorder);
}

static void processing_waits_as_long_as_it_is_told(void **state)
{
    fixture_t *fixture = *state;
    uint64_t begin = milliseconds_now();
    assert_status(mcc_context_process(context_of(fixture), 0), MCC_OK);
    assert_in_range(milliseconds_now() - begin, 0, LATE_MS);
    begin = milliseconds_now();
    assert_status(mcc_context_process(context_of(fixture), 300), MCC_OK);
    assert_in_range(milliseconds_now() - begin, 280, 1500);

    /* Without limit: until there is something to do. */
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    mcc_connection_options_t options = options_to(fixture, peer);
    options.keepalive_interval_s = 1;
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, options, &recorder);
    begin = milliseconds_now();
    while (count_events(recorder, MCC_EVENT_PING_SENT) == 0) {
        assert_status(mcc_context_process(context_of(fixture), -1), MCC_OK);
    }
    assert_in_range(milliseconds_now() - begin, 1000 - LATE_MS, 3000);
    close_connection(connection, recorder);
}

static void callbacks_come_only_while_it_is_processed(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    recorder_t *recorder;
    mcc_connection_t *connection = open_connection(fixture, options_to(fixture, peer), &recorder);
    uint64_t ticket = send_request(connection, 20, 1);
    sleep_ms(300);
    assert_null(event_at(recorder, 0));
    (void)await_state(recorder, MCC_STATE_READY);
    assert_int_equal(await_event(recorder, MCC_EVENT_SENT)->ticket, ticket);
    ticket = send_request(connection, 20, 2);
    mcc_connection_close(connection);
    size_t before = count_events(recorder, MCC_EVENT_STATE);
    assert_int_equal(count_states(recorder, MCC_STATE_CLOSED), 0);
    sleep_ms(100);
    assert_int_equal(count_events(recorder, MCC_EVENT_STATE), before);
    /* What is still to be said is said from within the function that frees the context. */
    free_context(fixture);
    assert_int_equal(count_states(recorder, MCC_STATE_CLOSED), 1);
    assert_int_equal(count_reports(recorder, ticket), 1);
}

typedef struct {
    fixture_t *fixture;
    mcc_status_t status;
    unsigned count;
} busy_t;

static void process_in_callback(void *argument, const mcc_event_t *event)
{
    (void)event;
    busy_t *busy = argument;
    busy->status = mcc_context_process(context_of(busy->fixture), 0);
    busy->count++;
}

static void processing_from_a_callback_is_refused(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    busy_t busy = {.fixture = fixture};
    recorder_t *recorder;
    mcc_connection_t *connection = open_reacting(fixture, options_to(fixture, peer), &recorder, process_in_callback, &busy);
    (void)await_state(recorder, MCC_STATE_READY);
    assert_status(busy.status, MCC_ERR_BUSY);
    assert_true(busy.count > 0);
    close_connection(connection, recorder);
    set_reaction(recorder, NULL, NULL);
}

static void *process_until_woken(void *argument)
{
    mcc_context_t *context = argument;
    return (void *)(intptr_t)mcc_context_process(context, SOON_MS);
}

static void processing_by_two_threads_is_refused_and_work_wakes_the_one(void **state)
{
    fixture_t *fixture = *state;
    pthread_t thread;
    uint64_t begin = milliseconds_now();
    assert_int_equal(pthread_create(&thread, NULL, process_until_woken, context_of(fixture)), 0);
    mcc_status_t status = MCC_OK;
    while (status == MCC_OK && milliseconds_now() - begin < SOON_MS) {
        sleep_ms(5);
        status = mcc_context_process(context_of(fixture), 0);
    }
    assert_status(status, MCC_ERR_BUSY);
    recorder_t *recorder;
    mcc_connection_t *connection = open_connection(fixture, options_for(fixture, "coap://127.0.0.1:%u", free_port()), &recorder);
    void *result;
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_status((mcc_status_t)(intptr_t)result, MCC_OK);
    assert_true(milliseconds_now() - begin < SOON_MS);
    close_connection(connection, recorder);
}

/* ---- a thread of its own ---- */

static void remember_thread(void *argument, const mcc_event_t *event)
{
    (void)event;
    *(pthread_t *)argument = pthread_self();
}

static void all_callbacks_come_from_the_context_s_one_thread(void **state)
{
    enum { COUNT = 5 };
    fixture_t *fixture = *state;
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    pthread_t threads[COUNT];
    recorder_t *recorders[COUNT];
    mcc_connection_t *connections[COUNT];
    for (size_t index = 0; index < COUNT; index++) {
        connections[index] = open_ready(fixture, options_to(fixture, peer), &recorders[index]);
        set_reaction(recorders[index], remember_thread, &threads[index]);
        expect_echo(connections[index], recorders[index], 10, 1, false);
        close_connection(connections[index], recorders[index]);
    }
    size_t count = count_threads();
    free_context(fixture);
    await_threads(count - 1);
    for (size_t index = 0; index < COUNT; index++) {
        assert_false(pthread_equal(threads[index], pthread_self()));
        assert_true(pthread_equal(threads[index], threads[0]));
    }
}

/* ---- calls from callbacks ---- */

typedef struct {
    fixture_t *fixture;
    recorder_t *second; /* of the connection that the callback opens */
    mcc_connection_t *connection;
    mcc_status_t statuses[5];
    uint64_t ticket;
    bool done;
} calls_t;

static void call_everything(void *argument, const mcc_event_t *event)
{
    calls_t *calls = argument;
    if (calls->done || event->type != MCC_EVENT_STATE || event->data.state.state != MCC_STATE_READY) {
        return;
    }
    calls->done = true;
    uint8_t message[20];
    size_t size = write_request(message, sizeof message, CONFIRMABLE, 77);
    mcc_connection_stats_t stats = MCC_CONNECTION_STATS_INIT;
    calls->statuses[0] = mcc_connection_send(event->connection, message, size, &calls->ticket);
    calls->statuses[1] = mcc_connection_ping(event->connection);
    calls->statuses[2] = mcc_connection_set_keepalive(event->connection, 60);
    calls->statuses[3] = mcc_connection_stats(event->connection, &stats);
    mcc_connection_options_t options = options_for(calls->fixture, "coap://127.0.0.1:%u", free_port());
    options.callback = record_event;
    options.argument = calls->second;
    calls->statuses[4] = mcc_connection_open(context_of(calls->fixture), &options, &calls->connection);
}

static void every_call_can_come_from_a_callback(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    calls_t calls = {.fixture = fixture, .second = new_recorder(fixture)};
    memset(calls.statuses, 0xff, sizeof calls.statuses);
    recorder_t *recorder;
    mcc_connection_t *connection = open_reacting(fixture, options_to(fixture, peer), &recorder, call_everything, &calls);
    assert_int_equal(await_event(recorder, MCC_EVENT_MESSAGE)->message_size, 20);
    await_count(recorder, MCC_EVENT_PING_ANSWERED, 1);
    for (size_t index = 0; index < 5; index++) {
        assert_status(calls.statuses[index], MCC_OK);
    }
    assert_int_equal(count_reports(recorder, calls.ticket), 1);
    (void)await_state(calls.second, MCC_STATE_WAITING);
    close_connection(calls.connection, calls.second);
    close_connection(connection, recorder);
    set_reaction(recorder, NULL, NULL);
}

static void close_when_ready(void *argument, const mcc_event_t *event)
{
    mcc_status_t *after = argument;
    if (event->type == MCC_EVENT_STATE && event->data.state.state == MCC_STATE_READY) {
        mcc_connection_close(event->connection);
        *after = mcc_connection_ping(event->connection);
    }
}

static void a_connection_can_be_closed_in_its_own_callback(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    mcc_status_t after = MCC_OK;
    recorder_t *recorder;
    mcc_connection_t *connection = open_reacting(fixture, options_to(fixture, peer), &recorder, close_when_ready, &after);
    (void)await_state(recorder, MCC_STATE_CLOSED);
    assert_status(after, MCC_ERR_INVALID_HANDLE);
    assert_int_equal(count_states(recorder, MCC_STATE_CLOSED), 1);
    assert_status(mcc_connection_ping(connection), MCC_ERR_INVALID_HANDLE);
    set_reaction(recorder, NULL, NULL);
}

typedef struct {
    mcc_context_t *context;
    int32_t fd_after;
    atomic_bool done;
} freeing_t;

static void free_when_ready(void *argument, const mcc_event_t *event)
{
    freeing_t *freeing = argument;
    if (event->type == MCC_EVENT_STATE && event->data.state.state == MCC_STATE_READY) {
        mcc_context_free(freeing->context);
        freeing->fd_after = mcc_context_fd(freeing->context);
        atomic_store(&freeing->done, true);
    }
}

static void a_context_can_be_freed_in_a_callback(void **state)
{
    fixture_t *fixture = *state;
    size_t descriptors = count_descriptors();
    size_t threads = count_threads();
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    for (uint32_t own_thread = 0; own_thread < 2; own_thread++) {
        mcc_context_options_t context_options = MCC_CONTEXT_OPTIONS_INIT;
        context_options.own_thread = own_thread;
        mcc_context_t *context;
        assert_status(mcc_context_new(&context_options, &context), MCC_OK);
        freeing_t freeing = {.context = context, .fd_after = 77};
        recorder_t *recorders[2];
        mcc_connection_t *connections[2];
        for (size_t index = 0; index < 2; index++) {
            recorders[index] = new_recorder(fixture);
            set_reaction(recorders[index], free_when_ready, &freeing);
            mcc_connection_options_t options = options_to(fixture, peer);
            options.callback = record_event;
            options.argument = recorders[index];
            mcc_status_t status = mcc_connection_open(context, &options, &connections[index]);
            /* With its own thread the first connection may have freed it already. */
            assert_true(status == MCC_OK || (status == MCC_ERR_INVALID_HANDLE && index == 1 && own_thread == 1));
        }
        uint64_t until = milliseconds_now() + SOON_MS;
        while (!atomic_load(&freeing.done) && milliseconds_now() < until) {
            if (own_thread == 0) {
                (void)mcc_context_process(context, 100);
            } else {
                sleep_ms(5);
            }
        }
        assert_true(atomic_load(&freeing.done));
        assert_int_equal(freeing.fd_after, -1);
        assert_status(mcc_context_process(context, 0), MCC_ERR_INVALID_HANDLE);
        assert_status(mcc_connection_ping(connections[0]), MCC_ERR_INVALID_HANDLE);
        (void)await_state(recorders[0], MCC_STATE_CLOSED);
        /* The fixture's own context has a thread as well; the peer's reader is one more. */
        await_threads(threads + 1);
        for (size_t index = 0; index < 2; index++) {
            set_reaction(recorders[index], NULL, NULL);
            assert_true(event_at(recorders[index], 0) == NULL || count_states(recorders[index], MCC_STATE_CLOSED) == 1);
        }
    }
    stop_peer(fixture, peer);
    assert_int_equal(count_descriptors(), descriptors);
}

static void a_context_can_be_freed_in_a_callback_of_another(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    mcc_context_t *other;
    assert_status(mcc_context_new(NULL, &other), MCC_OK);
    recorder_t *of_other = new_recorder(fixture);
    mcc_connection_options_t options = options_to(fixture, peer);
    options.callback = record_event;
    options.argument = of_other;
    mcc_connection_t *connection;
    assert_status(mcc_connection_open(other, &options, &connection), MCC_OK);
    (void)await_state(of_other, MCC_STATE_READY);
    size_t threads = count_threads();
    freeing_t freeing = {.context = other, .fd_after = 77};
    recorder_t *recorder;
    mcc_connection_t *own = open_reacting(fixture, options_to(fixture, peer), &recorder, free_when_ready, &freeing);
    (void)await_state(recorder, MCC_STATE_READY);
    (void)await_state(of_other, MCC_STATE_CLOSED);
    await_threads(threads - 1);
    assert_true(atomic_load(&freeing.done));
    assert_status(mcc_connection_ping(connection), MCC_ERR_INVALID_HANDLE);
    expect_echo(own, recorder, 20, 1, false);
    close_connection(own, recorder);
    set_reaction(recorder, NULL, NULL);
}

static void a_context_can_be_freed_while_another_thread_processes_it(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    recorder_t *recorder;
    (void)open_ready(fixture, options_to(fixture, peer), &recorder);
    pthread_t thread;
    uint64_t begin = milliseconds_now();
    assert_int_equal(pthread_create(&thread, NULL, process_until_woken, context_of(fixture)), 0);
    sleep_ms(50);
    /* The last events come from the other thread, before this returns. */
    free_context(fixture);
    assert_int_equal(count_states(recorder, MCC_STATE_CLOSED), 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(milliseconds_now() - begin < SOON_MS);
}

/* ---- many ---- */

static void two_hundred_connections_share_a_context(void **state)
{
    enum { COUNT = 200 };
    fixture_t *fixture = *state;
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    static recorder_t *recorders[COUNT];
    static mcc_connection_t *connections[COUNT];
    size_t threads = count_threads();
    mcc_connection_options_t options = options_to(fixture, peer);
    options.keepalive_interval_s = 2;
    for (size_t index = 0; index < COUNT; index++) {
        connections[index] = open_connection(fixture, options, &recorders[index]);
    }
    for (size_t index = 0; index < COUNT; index++) {
        (void)await_state(recorders[index], MCC_STATE_READY);
        expect_echo(connections[index], recorders[index], 10 + index, (uint16_t)index, false);
    }
    assert_int_equal(count_threads(), threads);
    for (size_t index = 0; index < COUNT; index++) {
        await_count(recorders[index], MCC_EVENT_PING_ANSWERED, 1);
        assert_int_equal(stats_of(connections[index]).connections, 1);
    }
    for (size_t index = 0; index < COUNT; index += 2) {
        close_connection(connections[index], recorders[index]);
    }
    /* The others end with their context. */
    free_context(fixture);
    for (size_t index = 0; index < COUNT; index++) {
        assert_int_equal(count_states(recorders[index], MCC_STATE_CLOSED), 1);
    }
}

enum { SENDERS = 8, MESSAGES = 500 };

typedef struct {
    mcc_connection_t *connection;
    uint16_t first_id;
    uint64_t tickets[MESSAGES];
    mcc_status_t status;
} sender_t;

static void *send_many(void *argument)
{
    sender_t *sender = argument;
    for (size_t index = 0; index < MESSAGES && sender->status == MCC_OK; index++) {
        uint8_t message[32];
        size_t size = write_request(message, sizeof message, NON_CONFIRMABLE, (uint16_t)(sender->first_id + index));
        sender->status = mcc_connection_send(sender->connection, message, size, &sender->tickets[index]);
    }
    return NULL;
}

static int compare_tickets(const void *one, const void *other)
{
    uint64_t left = *(const uint64_t *)one;
    uint64_t right = *(const uint64_t *)other;
    return left < right ? -1 : left > right;
}

static void eight_threads_send_and_each_message_is_reported_once(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    mcc_connection_options_t options = options_to(fixture, peer);
    options.queue_limit = 65536;
    recorder_t *recorder;
    mcc_connection_t *connection = open_connection(fixture, options, &recorder);
    static sender_t senders[SENDERS];
    pthread_t threads[SENDERS];
    for (size_t index = 0; index < SENDERS; index++) {
        senders[index] = (sender_t){.connection = connection, .first_id = (uint16_t)(index * MESSAGES)};
        assert_int_equal(pthread_create(&threads[index], NULL, send_many, &senders[index]), 0);
    }
    static uint64_t given[SENDERS * MESSAGES];
    for (size_t index = 0; index < SENDERS; index++) {
        assert_int_equal(pthread_join(threads[index], NULL), 0);
        assert_status(senders[index].status, MCC_OK);
        memcpy(given + index * MESSAGES, senders[index].tickets, sizeof senders[index].tickets);
    }
    await_count(recorder, MCC_EVENT_SENT, SENDERS * MESSAGES);
    await_count(recorder, MCC_EVENT_MESSAGE, SENDERS * MESSAGES);
    assert_int_equal(count_events(recorder, MCC_EVENT_FAILED), 0);
    static uint64_t reported[SENDERS * MESSAGES];
    size_t count = 0;
    for (size_t index = 0; event_at(recorder, index) != NULL; index++) {
        const record_t *record = event_at(recorder, index);
        if (record->type == MCC_EVENT_SENT) {
            assert_true(count < SENDERS * MESSAGES);
            reported[count++] = record->ticket;
        }
    }
    assert_int_equal(count, SENDERS * MESSAGES);
    qsort(given, count, sizeof given[0], compare_tickets);
    qsort(reported, count, sizeof reported[0], compare_tickets);
    assert_memory_equal(given, reported, sizeof given);
    for (size_t index = 1; index < count; index++) {
        assert_true(given[index] != given[index - 1]);
    }
    assert_int_equal(stats_of(connection).messages_sent, SENDERS * MESSAGES);
    close_connection(connection, recorder);
}

/* Counts the events of a connection that lives a moment only. */
typedef struct {
    atomic_uint events;
    atomic_uint closed;
    atomic_uint after_closed;
    atomic_uint reports;
} brief_t;

static void count_brief(void *argument, const mcc_event_t *event)
{
    brief_t *brief = argument;
    atomic_fetch_add(&brief->events, 1);
    atomic_fetch_add(&brief->after_closed, atomic_load(&brief->closed));
    atomic_fetch_add(&brief->reports, event->type == MCC_EVENT_SENT || event->type == MCC_EVENT_FAILED);
    atomic_fetch_add(&brief->closed, event->type == MCC_EVENT_STATE && event->data.state.state == MCC_STATE_CLOSED);
}

static void closing_while_callbacks_run_loses_nothing(void **state)
{
    enum { ROUNDS = 1000 };
    fixture_t *fixture = *state;
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    mcc_connection_options_t options = options_to(fixture, peer);
    static brief_t briefs[ROUNDS];
    static unsigned accepted[ROUNDS];
    memset(briefs, 0, sizeof briefs);
    memset(accepted, 0, sizeof accepted);
    srandom(3);
    for (size_t round = 0; round < ROUNDS; round++) {
        options.callback = count_brief;
        options.argument = &briefs[round];
        mcc_connection_t *connection = NULL;
        assert_status(mcc_connection_open(context_of(fixture), &options, &connection), MCC_OK);
        for (uint16_t index = 0; index < 4; index++) {
            uint8_t message[20];
            size_t size = write_request(message, sizeof message, CONFIRMABLE, index);
            accepted[round] += mcc_connection_send(connection, message, size, NULL) == MCC_OK;
        }
        /* Somewhere between the first event and the last answer. */
        for (volatile long turn = random() % 200000; turn > 0; turn--) {
        }
        mcc_connection_close(connection);
        assert_status(mcc_connection_ping(connection), MCC_ERR_INVALID_HANDLE);
    }
    free_context(fixture);
    for (size_t round = 0; round < ROUNDS; round++) {
        assert_int_equal(briefs[round].closed, 1);
        assert_int_equal(briefs[round].after_closed, 0);
        assert_int_equal(briefs[round].reports, accepted[round]);
        assert_int_equal(accepted[round], 4);
    }
}

typedef struct {
    mcc_context_t *context;
    mcc_connection_options_t options;
    mcc_connection_t *latest; /* what the last successful open gave */
    bool written_without_success;
} opener_t;

static void ignore(void *argument, const mcc_event_t *event)
{
    (void)argument;
    (void)event;
}

static void *open_until_refused(void *argument)
{
    opener_t *opener = argument;
    for (;;) {
        mcc_connection_t *connection = NULL;
        if (mcc_connection_open(opener->context, &opener->options, &connection) != MCC_OK) {
            opener->written_without_success = connection != NULL;
            return NULL;
        }
        opener->latest = connection;
    }
}

static void a_context_that_is_freed_opens_nothing_more(void **state)
{
    (void)state;
    size_t descriptors = count_descriptors();
    for (size_t round = 0; round < times(500); round++) {
        opener_t opener = {.options = MCC_CONNECTION_OPTIONS_INIT};
        opener.options.uri = "coap://127.0.0.1:9";
        opener.options.callback = ignore;
        opener.options.backoff_base_ms = 3600000;
        assert_status(mcc_context_new(NULL, &opener.context), MCC_OK);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, open_until_refused, &opener), 0);
        for (volatile long turn = (long)(round % 50) * 1000; turn > 0; turn--) {
        }
        mcc_context_free(opener.context);
        pthread_join(thread, NULL);
        assert_false(opener.written_without_success);
        if (opener.latest != NULL) {
            assert_status(mcc_connection_ping(opener.latest), MCC_ERR_INVALID_HANDLE);
        }
    }
    assert_int_equal(count_descriptors(), descriptors);
}

static void a_context_is_freed_with_connections_in_every_state(void **state)
{
    fixture_t *fixture = *state;
    peer_t *tcp = start_peer(fixture, "--tcp", NULL);
    peer_t *silent = start_tls_peer(fixture, "server");
    peer_command(silent, "silent");
    recorder_t *recorders[5];
    mcc_connection_t *ready = open_ready(fixture, options_to(fixture, tcp), &recorders[0]);
    mcc_connection_options_t handshaking = options_for(fixture, "coaps://127.0.0.1:%u", peer_port(silent));
    handshaking.tls = tls_with_ca(fixture, "ca.pem");
    mcc_connection_t *waits = open_connection(fixture, handshaking, &recorders[1]);
    (void)await_state(recorders[1], MCC_STATE_HANDSHAKING);
    uint64_t ticket = send_request(waits, 20, 1);
    mcc_connection_options_t waiting = options_for(fixture, "coap://127.0.0.1:%u", free_port());
    waiting.backoff_base_ms = 3600000;
    waiting.backoff_cap_s = 3600;
    (void)open_connection(fixture, waiting, &recorders[2]);
    (void)await_state(recorders[2], MCC_STATE_WAITING);
    (void)open_connection(fixture, options_for(fixture, "coap://localhost:%u", free_port()), &recorders[3]);
    (void)open_connection(fixture, options_to(fixture, tcp), &recorders[4]);
    (void)send_request(ready, 20, 1);
    free_context(fixture);
    for (size_t index = 0; index < 5; index++) {
        assert_int_equal(count_states(recorders[index], MCC_STATE_CLOSED), 1);
    }
    assert_int_equal(count_reports(recorders[1], ticket), 1);
    assert_int_equal(count_events(recorders[1], MCC_EVENT_FAILED), 1);
    assert_int_equal(count_events(recorders[0], MCC_EVENT_SENT) + count_events(recorders[0], MCC_EVENT_FAILED), 1);
}

/* ---- what is left behind ---- */

static void make_and_free(uint32_t own_thread)
{
    mcc_context_options_t options = MCC_CONTEXT_OPTIONS_INIT;
    options.own_thread = own_thread;
    mcc_context_t *context = NULL;
    assert_status(mcc_context_new(&options, &context), MCC_OK);
    mcc_context_free(context);
    mcc_keepalive_t *keepalive = NULL;
    assert_status(mcc_keepalive_new(NULL, &keepalive), MCC_OK);
    mcc_keepalive_free(keepalive);
}

static void a_thousand_contexts_leave_nothing_behind(void **state)
{
    (void)state;
    for (uint32_t warm_up = 0; warm_up < 20; warm_up++) {
        make_and_free(warm_up % 2);
    }
    size_t descriptors = count_descriptors();
    /* The last one that was joined may be in the system's list for a moment. */
    await_threads(1);
    size_t memory = heap_in_use();
    for (uint32_t round = 0; round < 1000; round++) {
        make_and_free(round % 2);
    }
    assert_int_equal(count_descriptors(), descriptors);
    await_threads(1);
    assert_in_range(heap_in_use(), 0, memory + 16384);
}

static void connect_and_close(fixture_t *fixture, const peer_t *peer, const mcc_tls_options_t *tls)
{
    mcc_connection_options_t options = MCC_CONNECTION_OPTIONS_INIT;
    char uri[64];
    (void)snprintf(uri, sizeof uri, "coaps://localhost:%u", peer_port(peer));
    options.uri = uri;
    options.tls = tls;
    brief_t brief = {0};
    options.callback = count_brief;
    options.argument = &brief;
    mcc_connection_t *connection = NULL;
    assert_status(mcc_connection_open(context_of(fixture), &options, &connection), MCC_OK);
    uint64_t until = milliseconds_now() + SOON_MS;
    while (stats_of(connection).state != MCC_STATE_READY && milliseconds_now() < until) {
        sleep_ms(1);
    }
    assert_int_equal(stats_of(connection).state, MCC_STATE_READY);
    mcc_connection_close(connection);
    while (atomic_load(&brief.closed) == 0 && milliseconds_now() < until) {
        sleep_ms(1);
    }
    assert_int_equal(brief.closed, 1);
    /* Until its callback has returned. */
    sleep_ms(5);
}

static void a_hundred_tls_connections_leave_nothing_behind(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_tls_peer(fixture, "server");
    const mcc_tls_options_t *tls = tls_with_ca(fixture, "ca.pem");
    /* Until what is kept for later use, such as freed blocks of each thread, is all there. */
    for (int warm_up = 0; warm_up < 100; warm_up++) {
        connect_and_close(fixture, peer, tls);
    }
    size_t descriptors = count_descriptors();
    size_t memory = heap_in_use();
    for (int round = 0; round < 100; round++) {
        connect_and_close(fixture, peer, tls);
    }
    /* The last one may not be quite gone; the lines that the test keeps of its peer are 24 KB. */
    uint64_t until = milliseconds_now() + SOON_MS;
    while ((heap_in_use() > memory + 40000 || count_descriptors() > descriptors) && milliseconds_now() < until) {
        sleep_ms(10);
    }
    assert_int_equal(count_descriptors(), descriptors);
    assert_in_range(heap_in_use(), 0, memory + 40000);
}

static void running_out_of_descriptors_has_its_status_and_passes(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    mcc_connection_options_t options = options_to(fixture, peer);
    recorder_t *recorder;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    size_t descriptors = count_descriptors();
    int lowest_free = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(lowest_free >= 0);
    close(lowest_free);
    struct rlimit full = {.rlim_cur = (rlim_t)lowest_free, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &full), 0);
    mcc_context_t *context = NULL;
    mcc_status_t status = mcc_context_new(NULL, &context);
    mcc_connection_t *connection = open_connection(fixture, options, &recorder);
    const record_t *waiting = await_state(recorder, MCC_STATE_WAITING);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_status(status, MCC_ERR_OUT_OF_DESCRIPTORS);
    assert_null(context);
    assert_status(waiting->reason, MCC_ERR_OUT_OF_DESCRIPTORS);
    (void)await_state(recorder, MCC_STATE_READY);
    close_connection(connection, recorder);
    uint64_t until = milliseconds_now() + SOON_MS;
    while (count_descriptors() != descriptors && milliseconds_now() < until) {
        sleep_ms(5);
    }
    assert_int_equal(count_descriptors(), descriptors);
}

static void descriptors_close_on_exec(void **state)
{
    fixture_t *fixture = *state;
    bool before[1024] = {false};
    for (int descriptor = 0; descriptor < 1024; descriptor++) {
        before[descriptor] = fcntl(descriptor, F_GETFD) >= 0;
    }
    peer_t *tls_peer = start_tls_peer(fixture, "server");
    peer_t *udp_peer = start_peer(fixture, "--udp", NULL);
    mcc_connection_options_t options = options_for(fixture, "coaps://localhost:%u", peer_port(tls_peer));
    options.tls = tls_with_ca(fixture, "ca.pem");
    recorder_t *recorders[2];
    mcc_connection_t *over_tls = open_ready(fixture, options, &recorders[0]);
    options = options_to(fixture, udp_peer);
    options.transport = MCC_TRANSPORT_UDP;
    mcc_connection_t *over_udp = open_ready(fixture, options, &recorders[1]);
    mcc_context_t *driven = NULL;
    mcc_context_options_t driven_options = MCC_CONTEXT_OPTIONS_INIT;
    driven_options.own_thread = 0;
    assert_status(mcc_context_new(&driven_options, &driven), MCC_OK);
    int opened = 0;
    for (int descriptor = 0; descriptor < 1024; descriptor++) {
        int flags = fcntl(descriptor, F_GETFD);
        if (flags >= 0 && !before[descriptor]) {
            opened++;
            assert_int_equal(flags & FD_CLOEXEC, FD_CLOEXEC);
        }
    }
    assert_true(opened >= 4);
    mcc_context_free(driven);
    close_connection(over_tls, recorders[0]);
    close_connection(over_udp, recorders[1]);
}

/* ---- signals ---- */

/* A field of /proc/self/task/THREAD/status. */
static unsigned long long thread_status(long thread, const char *field, int base)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/task/%ld/status", thread);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char line[256];
    unsigned long long value = 0;
    bool found = false;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, field, strlen(field)) == 0) {
            value = strtoull(line + strlen(field), NULL, base);
            found = true;
        }
    }
    fclose(file);
    assert_true(found);
    return value;
}

static size_t list_threads(long *threads, size_t room)
{
    DIR *directory = opendir("/proc/self/task");
    assert_non_null(directory);
    size_t count = 0;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] != '.' && count < room) {
            threads[count++] = strtol(entry->d_name, NULL, 10);
        }
    }
    closedir(directory);
    return count;
}

/* The one thread that is there after, and was not before. */
static long new_thread(const long *before, size_t count)
{
    long after[256];
    size_t found = list_threads(after, 256);
    for (size_t index = 0; index < found; index++) {
        bool known = false;
        for (size_t other = 0; other < count; other++) {
            known = known || before[other] == after[index];
        }
        if (!known) {
            return after[index];
        }
    }
    fail_msg("the context has no thread");
    return 0;
}

static void signals_are_left_to_the_program(void **state)
{
    (void)state;
    skip_under_valgrind("a thread's real mask is valgrind's");
    skip_under_emulation("a thread's real mask is the emulator's");
    struct sigaction before[65];
    sigset_t mask_before;
    for (int number = 1; number < 65; number++) {
        memset(&before[number], 0, sizeof before[number]);
        (void)sigaction(number, NULL, &before[number]);
    }
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask_before), 0);
    long threads[256];
    size_t count = list_threads(threads, 256);

    void *inner = NULL;
    assert_int_equal(setup(&inner), 0);
    fixture_t *fixture = inner;
    long thread = new_thread(threads, count);
    peer_t *peer = start_tls_peer(fixture, "server");
    mcc_connection_options_t options = options_for(fixture, "coaps://localhost:%u", peer_port(peer));
    options.tls = tls_with_ca(fixture, "ca.pem");
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, options, &recorder);
    /* All but those that cannot be blocked, and the two that the C library keeps for itself. */
    unsigned long long blocked = thread_status(thread, "SigBlk:", 16);
    for (int number = 1; number <= 64; number++) {
        if (number != SIGKILL && number != SIGSTOP && number != 32 && number != 33) {
            assert_true(blocked >> (number - 1) & 1);
        }
    }
    /* Writing to a connection that was reset raises no SIGPIPE: this process would end. */
    for (int round = 0; round < 5; round++) {
        peer_command(peer, "reset");
        uint8_t message[20];
        (void)mcc_connection_send(connection, message, write_request(message, sizeof message, CONFIRMABLE, 1), NULL);
        (void)await_state(recorder, MCC_STATE_READY);
    }
    close_connection(connection, recorder);
    assert_int_equal(teardown(&inner), 0);

    sigset_t mask_after;
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask_after), 0);
    for (int number = 1; number < 65; number++) {
        struct sigaction after;
        memset(&after, 0, sizeof after);
        (void)sigaction(number, NULL, &after);
        assert_true(after.sa_handler == before[number].sa_handler);
        assert_int_equal(after.sa_flags, before[number].sa_flags);
        assert_int_equal(sigismember(&mask_after, number), sigismember(&mask_before, number));
    }
}

/* ---- idle ---- */

static void an_idle_connection_never_wakes_its_thread(void **state)
{
    (void)state;
    enum { SECONDS = 5 };
    long threads[256];
    size_t count = list_threads(threads, 256);
    void *inner = NULL;
    assert_int_equal(setup(&inner), 0);
    fixture_t *fixture = inner;
    long thread = new_thread(threads, count);
    peer_t *peers[3] = {start_tls_peer(fixture, "server"), start_peer(fixture, "--tcp", NULL), start_peer(fixture, "--udp", NULL)};
    for (size_t index = 0; index < 3; index++) {
        mcc_connection_options_t options =
            options_for(fixture, "%s://127.0.0.1:%u", index == 0 ? "coaps" : "coap", peer_port(peers[index]));
        options.tls = index == 0 ? tls_with_ca(fixture, "ca.pem") : NULL;
        options.transport = index == 2 ? MCC_TRANSPORT_UDP : MCC_TRANSPORT_TCP;
        options.keepalive_interval_s = 540;
        recorder_t *recorder;
        mcc_connection_t *connection = open_ready(fixture, options, &recorder);
        expect_echo(connection, recorder, 20, 1, false);
    }
    sleep_ms(500);
    unsigned long long voluntary = thread_status(thread, "voluntary_ctxt_switches:", 10);
    unsigned long long forced = thread_status(thread, "nonvoluntary_ctxt_switches:", 10);
    sleep_ms(SECONDS * 1000);
    assert_int_equal(thread_status(thread, "voluntary_ctxt_switches:", 10) - voluntary, 0);
    assert_int_equal(thread_status(thread, "nonvoluntary_ctxt_switches:", 10) - forced, 0);
    assert_int_equal(teardown(&inner), 0);
}

int main(int count, char **arguments)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define DRIVEN_TEST(name) cmocka_unit_test_setup_teardown(name, setup_driven, teardown)
    const struct CMUnitTest tests[] = {
        DRIVEN_TEST(one_descriptor_wakes_a_loop_for_everything),
        DRIVEN_TEST(the_descriptor_is_quiet_while_nothing_is_due),
        DRIVEN_TEST(processing_waits_as_long_as_it_is_told),
        DRIVEN_TEST(callbacks_come_only_while_it_is_processed),
        DRIVEN_TEST(processing_from_a_callback_is_refused),
        DRIVEN_TEST(processing_by_two_threads_is_refused_and_work_wakes_the_one),
        TEST(all_callbacks_come_from_the_context_s_one_thread),
        TEST(every_call_can_come_from_a_callback),
        DRIVEN_TEST(every_call_can_come_from_a_callback),
        TEST(a_connection_can_be_closed_in_its_own_callback),
        DRIVEN_TEST(a_connection_can_be_closed_in_its_own_callback),
        TEST(a_context_can_be_freed_in_a_callback),
        TEST(a_context_can_be_freed_in_a_callback_of_another),
        DRIVEN_TEST(a_context_can_be_freed_while_another_thread_processes_it),
        TEST(two_hundred_connections_share_a_context),
        TEST(eight_threads_send_and_each_message_is_reported_once),
        TEST(closing_while_callbacks_run_loses_nothing),
        TEST(a_context_is_freed_with_connections_in_every_state),
        DRIVEN_TEST(a_context_is_freed_with_connections_in_every_state),
        cmocka_unit_test(a_thousand_contexts_leave_nothing_behind),
        cmocka_unit_test(a_context_that_is_freed_opens_nothing_more),
        TEST(a_hundred_tls_connections_leave_nothing_behind),
        TEST(running_out_of_descriptors_has_its_status_and_passes),
        TEST(descriptors_close_on_exec),
        cmocka_unit_test(signals_are_left_to_the_program),
        cmocka_unit_test(an_idle_connection_never_wakes_its_thread),
    };
#undef TEST
#undef DRIVEN_TEST
    return run_chosen_tests(tests, count, arguments);
}
