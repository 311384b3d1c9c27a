/* What a resolver that hangs, fails or gives strange answers does to connections: nothing to others, and the right reason to its own.
 *
 * The program has a resolver of its own (resolver.h), which the library calls in place of the system's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "resolver.h"
#include "support.h"

#include <stdlib.h>

/* How many lookups that somebody waits for run at once, and how many threads there are at most. */
enum { AT_ONCE = 16, MAXIMUM_THREADS = 64 };
/* How much later pings may come while lookups hang. */
enum { DELAY_MS = 50 };

/* ---- connections ---- */

static void close_when_it_waits(void *argument, const mcc_event_t *event)
{
    (void)argument;
    if (event->type == MCC_EVENT_STATE && event->data.state.state == MCC_STATE_WAITING) {
        mcc_connection_close(event->connection);
    }
}

/* Opens a connection that tries once: the wait is one that no test lives to see the end of, and the connection is closed in it. */
static mcc_connection_t *open_for_one_attempt(fixture_t *fixture, mcc_connection_options_t options, recorder_t **recorder)
{
    options.backoff_base_ms = 3600000;
    options.backoff_cap_s = 4294967;
    return open_reacting(fixture, options, recorder, close_when_it_waits, NULL);
}

/* Opens connections to `hang-NUMBER.test`, numbered from `first`, that try once. */
static void open_hanging(fixture_t *fixture, unsigned first, unsigned count, uint32_t resolve_timeout_ms,
                         mcc_connection_t **connections, recorder_t **recorders)
{
    for (unsigned index = 0; index < count; index++) {
        mcc_connection_options_t options = options_for(fixture, "coap://hang-%u.test", first + index);
        options.resolve_timeout_ms = resolve_timeout_ms;
        connections[index] = open_for_one_attempt(fixture, options, &recorders[index]);
    }
}

static mcc_connection_options_t options_by_name(fixture_t *fixture, const char *name, const peer_t *peer)
{
    mcc_connection_options_t options = options_for(fixture, "coap://%s:%u", name, peer_port(peer));
    /* The default. */
    options.resolve_timeout_ms = 10000;
    return options;
}

/* ---- lookups that hang ---- */

enum { PINGS = 5, INTERVAL_MS = 1000 };

static int compare(const void *left, const void *right)
{
    int64_t difference = *(const int64_t *)left - *(const int64_t *)right;
    return difference < 0 ? -1 : difference > 0;
}

/* By how much pings come later than an interval after the one before: the median, which a machine that stands still for once leaves alone. */
static int64_t lateness(recorder_t *recorder)
{
    int64_t late[PINGS];
    uint64_t before = await_event(recorder, MCC_EVENT_PING_SENT)->at_ms;
    for (size_t index = 0; index < PINGS; index++) {
        uint64_t at = await_event(recorder, MCC_EVENT_PING_SENT)->at_ms;
        late[index] = (int64_t)(at - before) - INTERVAL_MS;
        before = at;
    }
    qsort(late, PINGS, sizeof *late, compare);
    return late[PINGS / 2];
}

static void lookups_that_hang_delay_no_ping_of_their_context(void **state)
{
    fixture_t *fixture = *state;
    enum { BY_ADDRESS, BY_NAME, ELSEWHERE, MEASURED };
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    mcc_context_t *other_context;
    assert_status(mcc_context_new(NULL, &other_context), MCC_OK);
    recorder_t *recorders[MEASURED];
    for (unsigned index = 0; index < MEASURED; index++) {
        mcc_connection_options_t options = options_by_name(fixture, index == BY_NAME ? "local.test" : "127.0.0.1", peer);
        options.keepalive_interval_s = INTERVAL_MS / 1000;
        if (index == ELSEWHERE) {
            /* The measure of how late this machine is by itself. */
            recorders[index] = new_recorder(fixture);
            options.callback = record_event;
            options.argument = recorders[index];
            mcc_connection_t *connection;
            assert_status(mcc_connection_open(other_context, &options, &connection), MCC_OK);
            (void)await_state(recorders[index], MCC_STATE_READY);
        } else {
            (void)open_ready(fixture, options, &recorders[index]);
        }
    }
    /* These give up and try again all the time. */
    hang();
    recorder_t *hanging[AT_ONCE + 4];
    for (unsigned index = 0; index < AT_ONCE + 4; index++) {
        mcc_connection_options_t options = options_for(fixture, "coap://hang-%u.test", index);
        options.resolve_timeout_ms = 500;
        (void)open_connection(fixture, options, &hanging[index]);
    }
    int64_t late[MEASURED];
    for (unsigned index = 0; index < MEASURED; index++) {
        late[index] = lateness(recorders[index]);
    }
    /* It was so all the time. */
    for (unsigned index = 0; index < AT_ONCE + 4; index++) {
        assert_in_range(count_states(hanging[index], MCC_STATE_WAITING), 2, SIZE_MAX);
        assert_int_equal(count_states(hanging[index], MCC_STATE_CONNECTING), 0);
    }
    mcc_context_free(other_context);
    for (unsigned index = 0; index < MEASURED; index++) {
        assert_int_equal(count_events(recorders[index], MCC_EVENT_PING_LOST), 0);
        assert_int_equal(count_states(recorders[index], MCC_STATE_READY), 1);
    }
    print_message("    late by %lld ms by address, %lld ms by name, %lld ms where nothing hangs\n", (long long)late[BY_ADDRESS],
                  (long long)late[BY_NAME], (long long)late[ELSEWHERE]);
    int64_t limit = (late[ELSEWHERE] > 0 ? late[ELSEWHERE] : 0) + DELAY_MS;
    assert_true(late[BY_ADDRESS] <= limit);
    assert_true(late[BY_NAME] <= limit);
}

static void a_lookup_whose_time_is_over_makes_room_for_others(void **state)
{
    fixture_t *fixture = *state;
    mcc_connection_t *connections[AT_ONCE];
    recorder_t *recorders[AT_ONCE], *recorder;
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    hang();
    open_hanging(fixture, 0, AT_ONCE, 1000, connections, recorders);
    await_hung(AT_ONCE);
    (void)open_ready(fixture, options_by_name(fixture, "local.test", peer), &recorder);
    await_hung(AT_ONCE);
    for (unsigned index = 0; index < AT_ONCE; index++) {
        assert_status(await_state(recorders[index], MCC_STATE_WAITING)->reason, MCC_ERR_NAME_LOOKUP_TIMEOUT);
        (void)await_state(recorders[index], MCC_STATE_CLOSED);
    }
}

static void a_lookup_whose_connection_was_closed_makes_room_for_others(void **state)
{
    fixture_t *fixture = *state;
    mcc_connection_t *connections[AT_ONCE];
    recorder_t *recorders[AT_ONCE], *recorder;
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    hang();
    open_hanging(fixture, 0, AT_ONCE, 600000, connections, recorders);
    await_hung(AT_ONCE);
    mcc_connection_options_t options = options_by_name(fixture, "local.test", peer);
    options.resolve_timeout_ms = 600000;
    (void)open_connection(fixture, options, &recorder);
    expect_no_event(recorder, MCC_EVENT_MESSAGE, 100);
    assert_int_equal(count_states(recorder, MCC_STATE_CONNECTING), 0);
    close_connection(connections[7], recorders[7]);
    (void)await_state(recorder, MCC_STATE_READY);
    await_hung(AT_ONCE);
}

static void threads_that_hang_have_a_bound_and_who_waits_beyond_it_has_a_deadline(void **state)
{
    fixture_t *fixture = *state;
    mcc_connection_t *connections[AT_ONCE];
    recorder_t *recorders[AT_ONCE], *recorder;
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    size_t threads = count_threads();
    hang();
    for (unsigned hung = 0; hung < MAXIMUM_THREADS; hung += AT_ONCE) {
        open_hanging(fixture, hung, AT_ONCE, 600000, connections, recorders);
        await_hung(hung + AT_ONCE);
        for (unsigned index = 0; index < AT_ONCE; index++) {
            close_connection(connections[index], recorders[index]);
        }
    }
    mcc_connection_options_t options = options_by_name(fixture, "local.test", peer);
    options.resolve_timeout_ms = 300;
    (void)open_connection(fixture, options, &recorder);
    assert_status(await_state(recorder, MCC_STATE_WAITING)->reason, MCC_ERR_NAME_LOOKUP_TIMEOUT);
    assert_in_range(count_threads(), threads, threads + MAXIMUM_THREADS);
    assert_int_equal(count_of_calls(), MAXIMUM_THREADS);
    hang_no_more();
    (void)await_state(recorder, MCC_STATE_READY);
    assert_true(threads_fall_to(threads));
}

static void who_looks_up_the_same_host_at_once_shares_the_answer(void **state)
{
    fixture_t *fixture = *state;
    enum { MANY = 40 };
    recorder_t *recorders[MANY], *last;
    peer_t *peers[] = {start_peer(fixture, "--tcp", NULL), start_peer(fixture, "--tcp", NULL)};
    hang();
    for (unsigned index = 0; index < MANY; index++) {
        (void)open_connection(fixture, options_by_name(fixture, "hang-local.test", peers[index % 2]), &recorders[index]);
        (void)await_state(recorders[index], MCC_STATE_RESOLVING);
    }
    /* Its own lookup comes after theirs: they wait all. It tries once. */
    (void)open_for_one_attempt(fixture, options_by_name(fixture, "hang-no-name.test", peers[0]), &last);
    await_hung(2);
    hang_no_more();
    for (unsigned index = 0; index < MANY; index++) {
        (void)await_state(recorders[index], MCC_STATE_READY);
    }
    assert_int_equal(count_of_calls(), 2);
    /* Each with the port that it asked for. */
    for (unsigned index = 0; index < 2; index++) {
        peer_await_count(peers[index], "accepted", MANY / 2);
    }
    /* What is over is not shared. */
    (void)open_ready(fixture, options_by_name(fixture, "hang-local.test", peers[0]), &last);
    assert_int_equal(count_of_calls(), 3);
}

static void a_lookup_that_hangs_holds_up_neither_closing_nor_freeing_and_leaves_nothing(void **state)
{
    fixture_t *fixture = *state;
    mcc_connection_t *connections[AT_ONCE + 4];
    recorder_t *recorders[AT_ONCE + 4];
    size_t threads = count_threads(), descriptors = count_descriptors();
    mcc_context_t *context;
    assert_status(mcc_context_new(NULL, &context), MCC_OK);
    hang();
    for (unsigned index = 0; index < AT_ONCE + 4; index++) {
        mcc_connection_options_t options = options_for(fixture, "coap://hang-%u.test", index);
        options.resolve_timeout_ms = 600000;
        recorders[index] = new_recorder(fixture);
        options.callback = record_event;
        options.argument = recorders[index];
        assert_status(mcc_connection_open(context, &options, &connections[index]), MCC_OK);
    }
    await_hung(AT_ONCE);
    uint64_t begin = milliseconds_now();
    for (unsigned index = 0; index < AT_ONCE; index += 2) {
        close_connection(connections[index], recorders[index]);
    }
    mcc_context_free(context);
    /* Nothing that hangs ends by itself: this is for what waits for it for a time. */
    assert_in_range(milliseconds_now() - begin, 0, 1000);
    for (unsigned index = 0; index < AT_ONCE + 4; index++) {
        assert_int_equal(count_states(recorders[index], MCC_STATE_CLOSED), 1);
    }
    /* While they still hang. */
    assert_int_equal(count_descriptors(), descriptors);
    hang_no_more();
    assert_true(threads_fall_to(threads));
}

/* ---- strange answers ---- */

static void what_the_resolver_says_is_the_reason(void **state)
{
    fixture_t *fixture = *state;
    const struct {
        const char *name;
        mcc_status_t reason;
    } answers[] = {
        {"no-name.test", MCC_ERR_NAME_NOT_FOUND},       {"no-data.test", MCC_ERR_NAME_NOT_FOUND},
        {"nothing.test", MCC_ERR_NAME_NOT_FOUND},       {"strange-only.test", MCC_ERR_NAME_NOT_FOUND},
        {"again.test", MCC_ERR_NAME_LOOKUP_FAILED},     {"fail.test", MCC_ERR_NAME_LOOKUP_FAILED},
        {"system.test", MCC_ERR_NAME_LOOKUP_FAILED},    {"unheard-of.test", MCC_ERR_NAME_LOOKUP_FAILED},
        {"memory.test", MCC_ERR_OUT_OF_MEMORY},         {"many-local.test", MCC_ERR_CONNECTION_REFUSED},
    };
    for (size_t index = 0; index < sizeof answers / sizeof *answers; index++) {
        recorder_t *recorder;
        mcc_connection_options_t options = options_for(fixture, "coap://%s:%u", answers[index].name, free_port());
        (void)open_for_one_attempt(fixture, options, &recorder);
        const record_t *waiting = await_state(recorder, MCC_STATE_WAITING);
        print_message("    %s: %s\n", answers[index].name, mcc_status_name(waiting->reason));
        assert_status(waiting->reason, answers[index].reason);
        (void)await_state(recorder, MCC_STATE_CLOSED);
    }
}

static void an_address_of_an_unknown_family_is_passed_over(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    recorder_t *recorder;
    (void)open_ready(fixture, options_by_name(fixture, "strange-local.test", peer), &recorder);
}

/* ---- the main ---- */

static int resolver_setup(void **state)
{
    resolver_begin();
    return setup(state);
}

static int resolver_teardown(void **state)
{
    /* In this order: no connection gets the address of a name that hung. */
    int result = teardown(state);
    hang_no_more();
    /* A thread of a lookup may still be in the resolver. */
    bool ended = threads_fall_to(1);
    return resolver_end() && ended ? result : -1;
}

int main(int count, char **arguments)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, resolver_setup, resolver_teardown)
    const struct CMUnitTest tests[] = {
        TEST(lookups_that_hang_delay_no_ping_of_their_context),
        TEST(a_lookup_whose_time_is_over_makes_room_for_others),
        TEST(a_lookup_whose_connection_was_closed_makes_room_for_others),
        TEST(threads_that_hang_have_a_bound_and_who_waits_beyond_it_has_a_deadline),
        TEST(who_looks_up_the_same_host_at_once_shares_the_answer),
        TEST(a_lookup_that_hangs_holds_up_neither_closing_nor_freeing_and_leaves_nothing),
        TEST(what_the_resolver_says_is_the_reason),
        TEST(an_address_of_an_unknown_family_is_passed_over),
    };
#undef TEST
    return run_chosen_tests(tests, count, arguments);
}
