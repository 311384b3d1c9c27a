/* The keepalive alone, in virtual time: when it pings, when it sees that a path is dead, and that it is asleep in between.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "support.h"

#include <stdlib.h>

static mcc_keepalive_options_t options_of(uint32_t interval_s, uint32_t jitter_percent, uint64_t seed)
{
    mcc_keepalive_options_t options = MCC_KEEPALIVE_OPTIONS_INIT;
    options.interval_s = interval_s;
    options.jitter_percent = jitter_percent;
    options.seed = seed;
    return options;
}

static mcc_keepalive_t *make(mcc_keepalive_options_t options)
{
    mcc_keepalive_t *keepalive = NULL;
    assert_status(mcc_keepalive_new(&options, &keepalive), MCC_OK);
    assert_non_null(keepalive);
    return keepalive;
}

/* One question, and its answer. */
typedef struct {
    mcc_keepalive_action_t action;
    uint64_t next_ms;
    uint16_t message_id;
} answer_t;

static answer_t ask(mcc_keepalive_t *keepalive, uint64_t now_ms)
{
    uint8_t ping[8] = {0, 0, 0, 0, 0xee};
    size_t size = sizeof ping;
    answer_t answer = {.next_ms = 12345};
    answer.action = mcc_keepalive_poll(keepalive, now_ms, &answer.next_ms, ping, &size);
    assert_int_not_equal(answer.action, MCC_KEEPALIVE_INVALID);
    assert_int_equal(size, answer.action == MCC_KEEPALIVE_SEND_PING ? 4 : 0);
    if (answer.action == MCC_KEEPALIVE_SEND_PING) {
        assert_int_equal(ping[0], 0x40);
        assert_int_equal(ping[1], 0x00);
        assert_int_equal(ping[4], 0xee);
        answer.message_id = (uint16_t)(ping[2] << 8 | ping[3]);
    }
    return answer;
}

static void expect_wait(mcc_keepalive_t *keepalive, uint64_t now_ms, uint64_t next_ms)
{
    answer_t answer = ask(keepalive, now_ms);
    assert_int_equal(answer.action, MCC_KEEPALIVE_WAIT);
    assert_int_equal(answer.next_ms, next_ms);
}

static uint16_t expect_ping(mcc_keepalive_t *keepalive, uint64_t now_ms)
{
    answer_t answer = ask(keepalive, now_ms);
    assert_int_equal(answer.action, MCC_KEEPALIVE_SEND_PING);
    return answer.message_id;
}

static void receive(mcc_keepalive_t *keepalive, uint64_t now_ms, unsigned first, unsigned code, uint16_t message_id)
{
    const uint8_t message[] = {(uint8_t)first, (uint8_t)code, (uint8_t)(message_id >> 8), (uint8_t)message_id};
    assert_status(mcc_keepalive_on_received(keepalive, now_ms, message, sizeof message), MCC_OK);
}

/* A Non-confirmable 2.05: valid, and the answer to nothing. */
static void receive_traffic(mcc_keepalive_t *keepalive, uint64_t now_ms)
{
    receive(keepalive, now_ms, 0x50, CODE_CONTENT, 9);
}

static void a_ping_is_due_at_the_interval_and_not_before(void **state)
{
    (void)state;
    mcc_keepalive_t *keepalive = make(options_of(540, 0, 0));
    /* The time begins with the first call that says what it is. */
    expect_wait(keepalive, 1000000, 1540000);
    for (uint64_t now = 1000000; now < 1540000; now += 997) {
        expect_wait(keepalive, now, 1540000);
    }
    expect_wait(keepalive, 1539999, 1540000);
    uint16_t message_id = expect_ping(keepalive, 1540000);
    expect_wait(keepalive, 1540001, 1570000);
    receive(keepalive, 1540250, 0x70, 0, message_id);
    uint64_t round_trip;
    assert_status(mcc_keepalive_round_trip_ms(keepalive, &round_trip), MCC_OK);
    assert_int_equal(round_trip, 250);
    mcc_keepalive_free(keepalive);
}

static void the_default_interval_is_the_one_compiled_in(void **state)
{
    (void)state;
    mcc_keepalive_options_t options = options_of(0, 0, 0);
    mcc_keepalive_t *keepalive = make(options);
    expect_wait(keepalive, 0, mcc_keepalive_interval_s() * 1000ull);
    mcc_keepalive_free(keepalive);
    options.reliable = 0;
    keepalive = make(options);
    expect_wait(keepalive, 0, 25000);
    mcc_keepalive_free(keepalive);
    /* Null options are the defaults: with 10 percent of jitter. */
    assert_status(mcc_keepalive_new(NULL, &keepalive), MCC_OK);
    answer_t answer = ask(keepalive, 0);
    assert_in_range(answer.next_ms, mcc_keepalive_interval_s() * 900ull, mcc_keepalive_interval_s() * 1000ull);
    mcc_keepalive_free(keepalive);
}

static void jitter_only_shortens_and_is_spread(void **state)
{
    (void)state;
    static const uint32_t percents[] = {1, 10, 50};
    for (size_t index = 0; index < sizeof percents / sizeof percents[0]; index++) {
        uint64_t shortest = 100000;
        uint64_t longest = 0;
        uint64_t sum = 0;
        for (uint64_t seed = 1; seed <= 1000; seed++) {
            mcc_keepalive_t *keepalive = make(options_of(100, percents[index], seed));
            uint64_t due = ask(keepalive, 0).next_ms;
            shortest = due < shortest ? due : shortest;
            longest = due > longest ? due : longest;
            sum += due;
            mcc_keepalive_free(keepalive);
        }
        uint64_t range = percents[index] * 1000;
        assert_in_range(shortest, 100000 - range, 100000 - range + range / 20);
        assert_in_range(longest, 100000 - range / 20, 100000);
        assert_in_range(sum / 1000, 100000 - range * 55 / 100, 100000 - range * 45 / 100);
    }
}

static void the_same_seed_gives_the_same_times(void **state)
{
    (void)state;
    mcc_keepalive_t *one = make(options_of(100, 50, 4711));
    mcc_keepalive_t *other = make(options_of(100, 50, 4711));
    uint64_t now = 0;
    for (int count = 0; count < 100; count++) {
        answer_t answer = ask(one, now);
        answer_t same = ask(other, now);
        assert_int_equal(answer.action, same.action);
        assert_int_equal(answer.next_ms, same.next_ms);
        assert_int_equal(answer.message_id, same.message_id);
        if (answer.action == MCC_KEEPALIVE_SEND_PING) {
            receive(one, now, 0x70, 0, answer.message_id);
            receive(other, now, 0x70, 0, answer.message_id);
        } else {
            now = answer.next_ms;
        }
    }
    mcc_keepalive_free(one);
    mcc_keepalive_free(other);
}

static void whichever_direction_was_quiet_longer_counts(void **state)
{
    (void)state;
    mcc_keepalive_t *keepalive = make(options_of(100, 0, 0));
    expect_wait(keepalive, 0, 100000);
    /* Sending alone does not prove the path. */
    assert_status(mcc_keepalive_on_sent(keepalive, 40000), MCC_OK);
    expect_wait(keepalive, 40000, 100000);
    /* Receiving alone does not keep the NAT open. */
    receive_traffic(keepalive, 60000);
    expect_wait(keepalive, 60000, 140000);
    assert_status(mcc_keepalive_on_sent(keepalive, 70000), MCC_OK);
    expect_wait(keepalive, 70000, 160000);
    /* No ping goes out while traffic flows both ways. */
    uint64_t now = 70000;
    for (int count = 0; count < 1000; count++) {
        now += 90000;
        assert_status(mcc_keepalive_on_sent(keepalive, now), MCC_OK);
        receive_traffic(keepalive, now + 1000);
        expect_wait(keepalive, now + 1000, now + 100000);
    }
    /* With receiving alone a ping goes out, and sending that one counts as well. */
    for (uint64_t later = now + 1000; later < now + 100000; later += 10000) {
        receive_traffic(keepalive, later);
    }
    uint16_t message_id = expect_ping(keepalive, now + 100000);
    receive(keepalive, now + 100050, 0x70, 0, message_id);
    expect_wait(keepalive, now + 100050, now + 200000);
    mcc_keepalive_free(keepalive);
}

static void any_valid_message_proves_the_path(void **state)
{
    (void)state;
    static const struct {
        unsigned first;
        unsigned code;
    } signs[] = {{0x40, 0}, {0x40, CODE_GET}, {0x50, CODE_GET}, {0x50, CODE_CONTENT}, {0x40, CODE_CONTENT}};
    for (size_t index = 0; index < sizeof signs / sizeof signs[0]; index++) {
        mcc_keepalive_t *keepalive = make(options_of(100, 0, 7));
        expect_wait(keepalive, 0, 100000);
        uint16_t message_id = expect_ping(keepalive, 100000);
        receive(keepalive, 129999, signs[index].first, signs[index].code, (uint16_t)(message_id + 100));
        answer_t answer = ask(keepalive, 130000);
        assert_int_equal(answer.action, MCC_KEEPALIVE_WAIT);
        assert_in_range(answer.next_ms, 130001, 230000);
        mcc_keepalive_free(keepalive);
    }
}

static void an_acknowledgement_with_the_ping_s_id_is_an_answer(void **state)
{
    (void)state;
    mcc_keepalive_t *keepalive = make(options_of(100, 0, 0));
    expect_wait(keepalive, 0, 100000);
    uint16_t message_id = expect_ping(keepalive, 100000);
    receive(keepalive, 100020, 0x60, 0, message_id);
    expect_wait(keepalive, 100020, 200000);
    uint64_t round_trip;
    assert_status(mcc_keepalive_round_trip_ms(keepalive, &round_trip), MCC_OK);
    assert_int_equal(round_trip, 20);
    mcc_keepalive_free(keepalive);
}

static void an_answer_to_nothing_proves_nothing(void **state)
{
    (void)state;
    mcc_keepalive_t *keepalive = make(options_of(100, 0, 0));
    expect_wait(keepalive, 0, 100000);
    uint16_t message_id = expect_ping(keepalive, 100000);
    receive(keepalive, 110000, 0x70, 0, (uint16_t)(message_id + 1));
    receive(keepalive, 110000, 0x60, 0, (uint16_t)(message_id - 1));
    receive(keepalive, 110000, 0x60, CODE_CONTENT, (uint16_t)(message_id + 2));
    static const uint8_t malformed[][5] = {{0x70, 0, 0, 0, 0}, {0x80, 0, 0, 0, 0}, {0x49, 1, 0, 0, 0}, {0x40, 0, 0, 1, 0}};
    for (size_t index = 0; index < 4; index++) {
        assert_status(mcc_keepalive_on_received(keepalive, 120000, malformed[index], 5), MCC_ERR_INVALID_MESSAGE);
    }
    assert_status(mcc_keepalive_on_received(keepalive, 120000, malformed[0], 3), MCC_ERR_INVALID_MESSAGE);
    expect_wait(keepalive, 129999, 130000);
    assert_int_equal(ask(keepalive, 130000).action, MCC_KEEPALIVE_PATH_DEAD);
    uint64_t round_trip;
    assert_status(mcc_keepalive_round_trip_ms(keepalive, &round_trip), MCC_ERR_WRONG_STATE);
    mcc_keepalive_free(keepalive);
}

static void an_answer_to_a_message_that_was_sent_proves_the_path(void **state)
{
    (void)state;
    static const uint8_t request[] = {0x40, CODE_GET, 0xab, 0xcd};
    mcc_keepalive_t *keepalive = make(options_of(100, 0, 3));
    expect_wait(keepalive, 0, 100000);
    assert_status(mcc_keepalive_on_sent_message(keepalive, 50000, request, sizeof request), MCC_OK);
    assert_status(mcc_keepalive_on_sent_message(keepalive, 50000, request, 3), MCC_ERR_INVALID_MESSAGE);
    (void)expect_ping(keepalive, 100000);
    receive(keepalive, 110000, 0x60, CODE_CONTENT, 0xabcd);
    assert_int_equal(ask(keepalive, 130000).action, MCC_KEEPALIVE_WAIT);
    mcc_keepalive_free(keepalive);
}

static void a_dead_path_is_seen_30_seconds_after_the_ping_and_stays_dead_until_the_restart(void **state)
{
    (void)state;
    mcc_keepalive_t *keepalive = make(options_of(540, 0, 0));
    expect_wait(keepalive, 0, 540000);
    uint16_t message_id = expect_ping(keepalive, 540000);
    expect_wait(keepalive, 569999, 570000);
    answer_t dead = ask(keepalive, 570000);
    assert_int_equal(dead.action, MCC_KEEPALIVE_PATH_DEAD);
    assert_true(dead.next_ms == UINT64_MAX);
    receive(keepalive, 570001, 0x70, 0, message_id);
    assert_int_equal(ask(keepalive, 600000).action, MCC_KEEPALIVE_PATH_DEAD);
    assert_status(mcc_keepalive_restart(keepalive, 700000), MCC_OK);
    expect_wait(keepalive, 700000, 1240000);
    /* One lost ping does not block the next. */
    (void)expect_ping(keepalive, 1240000);
    mcc_keepalive_free(keepalive);
}

/* Over random schedules: the time from the last thing that the peer said to the report is never more than interval + 30 s. */
static void a_dead_path_is_never_seen_later_than_interval_plus_30_seconds(void **state)
{
    (void)state;
    uint64_t worst = 0;
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        srandom((unsigned)seed);
        uint64_t interval_ms = (1 + (uint64_t)random() % 1000) * 1000;
        mcc_keepalive_t *keepalive = make(options_of((uint32_t)(interval_ms / 1000), (uint32_t)(random() % 51), seed));
        uint64_t now = (uint64_t)random() % 1000000;
        uint64_t died = now + (uint64_t)random() % (10 * interval_ms);
        uint64_t next_traffic = now;
        uint16_t unanswered = 0;
        bool outstanding = false;
        answer_t answer = ask(keepalive, now);
        while (answer.action != MCC_KEEPALIVE_PATH_DEAD) {
            assert_true(now <= died + interval_ms + 30000);
            if (answer.action == MCC_KEEPALIVE_SEND_PING) {
                outstanding = true;
                unanswered = answer.message_id;
                answer = ask(keepalive, now);
                continue;
            }
            /* The program goes on sending after the path has died, at random times; the peer speaks only while it lives. */
            uint64_t answered_at = outstanding && now < died ? now + (uint64_t)random() % 1000 : UINT64_MAX;
            uint64_t step = next_traffic < answer.next_ms ? next_traffic : answer.next_ms;
            step = answered_at < step ? answered_at : step;
            now = step > now ? step : now;
            if (now == answered_at && now < died) {
                receive(keepalive, now, 0x70, 0, unanswered);
                outstanding = false;
            }
            if (now >= next_traffic) {
                assert_status(mcc_keepalive_on_sent(keepalive, now), MCC_OK);
                if (now < died && random() % 2 == 0) {
                    receive_traffic(keepalive, now);
                }
                next_traffic = now + 1 + (uint64_t)random() % (2 * interval_ms);
            }
            answer = ask(keepalive, now);
        }
        assert_true(now >= died);
        assert_true(now - died <= interval_ms + 30000);
        worst = now - died > worst ? now - died : worst;
        mcc_keepalive_free(keepalive);
    }
    assert_true(worst > 0);
}

static void nothing_wakes_between_two_deadlines(void **state)
{
    (void)state;
    mcc_keepalive_t *keepalive = make(options_of(540, 10, 0x5eed));
    uint64_t now = 0;
    unsigned asked = 0;
    unsigned pings = 0;
    /* A day of an idle connection whose peer answers at once: two questions for each ping. */
    while (now < 86400000) {
        answer_t answer = ask(keepalive, now);
        asked++;
        if (answer.action == MCC_KEEPALIVE_SEND_PING) {
            pings++;
            receive(keepalive, now, 0x70, 0, answer.message_id);
            continue;
        }
        assert_int_equal(answer.action, MCC_KEEPALIVE_WAIT);
        assert_true(answer.next_ms > now);
        /* Whoever asks early is told the same. */
        assert_int_equal(ask(keepalive, now + (answer.next_ms - now) / 2).next_ms, answer.next_ms);
        assert_int_equal(ask(keepalive, answer.next_ms - 1).action, MCC_KEEPALIVE_WAIT);
        now = answer.next_ms;
    }
    assert_in_range(pings, 160, 178);
    assert_true(asked <= 2 * pings + 1);
    mcc_keepalive_free(keepalive);
}

static void over_datagrams_a_ping_is_retransmitted_as_rfc_7252_has_it(void **state)
{
    (void)state;
    uint64_t shortest = UINT64_MAX;
    uint64_t longest = 0;
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        mcc_keepalive_options_t options = options_of(25, 0, seed);
        options.reliable = 0;
        mcc_keepalive_t *keepalive = make(options);
        expect_wait(keepalive, 0, 25000);
        uint16_t message_id = expect_ping(keepalive, 25000);
        answer_t answer = ask(keepalive, 25000);
        /* ACK_TIMEOUT 2 s, ACK_RANDOM_FACTOR 1.5. */
        uint64_t timeout = answer.next_ms - 25000;
        assert_in_range(timeout, 2000, 3001);
        shortest = timeout < shortest ? timeout : shortest;
        longest = timeout > longest ? timeout : longest;
        uint64_t elapsed = timeout;
        for (unsigned count = 1; count <= 4; count++) {
            assert_int_equal(ask(keepalive, answer.next_ms - 1).action, MCC_KEEPALIVE_WAIT);
            uint64_t now = answer.next_ms;
            answer = ask(keepalive, now);
            assert_int_equal(answer.action, MCC_KEEPALIVE_SEND_PING);
            assert_int_equal(answer.message_id, message_id);
            answer = ask(keepalive, now);
            assert_int_equal(answer.action, MCC_KEEPALIVE_WAIT);
            /* Each timeout is twice the one before; times are rounded up to milliseconds. */
            elapsed += timeout << count;
            assert_in_range(answer.next_ms + 32, 25000 + elapsed, 25000 + elapsed + 32);
        }
        assert_int_equal(ask(keepalive, answer.next_ms - 1).action, MCC_KEEPALIVE_WAIT);
        assert_int_equal(ask(keepalive, answer.next_ms).action, MCC_KEEPALIVE_PATH_DEAD);
        mcc_keepalive_free(keepalive);
    }
    assert_in_range(shortest, 2000, 2010);
    assert_in_range(longest, 2990, 3001);
}

static void an_answer_to_a_retransmission_ends_it_and_is_measured_from_it(void **state)
{
    (void)state;
    mcc_keepalive_options_t options = options_of(25, 0, 5);
    options.reliable = 0;
    mcc_keepalive_t *keepalive = make(options);
    expect_wait(keepalive, 0, 25000);
    uint16_t message_id = expect_ping(keepalive, 25000);
    uint64_t again = ask(keepalive, 25000).next_ms;
    assert_int_equal(expect_ping(keepalive, again), message_id);
    receive(keepalive, again + 70, 0x70, 0, message_id);
    uint64_t round_trip;
    assert_status(mcc_keepalive_round_trip_ms(keepalive, &round_trip), MCC_OK);
    assert_int_equal(round_trip, 70);
    expect_wait(keepalive, again + 70, again + 25000);
    mcc_keepalive_free(keepalive);
}

static void a_ping_that_cannot_be_sent_is_a_dead_path(void **state)
{
    (void)state;
    mcc_keepalive_t *keepalive = make(options_of(100, 0, 0));
    assert_status(mcc_keepalive_on_send_failed(keepalive, 0), MCC_ERR_WRONG_STATE);
    expect_wait(keepalive, 0, 100000);
    assert_status(mcc_keepalive_on_send_failed(keepalive, 50), MCC_ERR_WRONG_STATE);
    (void)expect_ping(keepalive, 100000);
    assert_status(mcc_keepalive_on_send_failed(keepalive, 100000), MCC_OK);
    assert_int_equal(ask(keepalive, 100000).action, MCC_KEEPALIVE_PATH_DEAD);
    assert_status(mcc_keepalive_restart(keepalive, 100001), MCC_OK);
    expect_wait(keepalive, 100001, 200001);
    mcc_keepalive_free(keepalive);
}

static void the_interval_can_be_changed_and_switched_off(void **state)
{
    (void)state;
    mcc_keepalive_t *keepalive = make(options_of(MCC_KEEPALIVE_OFF, 10, 0));
    answer_t answer = ask(keepalive, 1000);
    assert_int_equal(answer.action, MCC_KEEPALIVE_WAIT);
    assert_true(answer.next_ms == UINT64_MAX);
    assert_true(ask(keepalive, 1000000000000).next_ms == UINT64_MAX);
    mcc_keepalive_free(keepalive);

    keepalive = make(options_of(100, 0, 0));
    expect_wait(keepalive, 0, 100000);
    /* It counts from the latest traffic, not from the change. */
    expect_wait(keepalive, 20000, 100000);
    assert_status(mcc_keepalive_set_interval(keepalive, 30), MCC_OK);
    expect_wait(keepalive, 20000, 30000);
    assert_status(mcc_keepalive_set_interval(keepalive, 4294967), MCC_OK);
    expect_wait(keepalive, 20000, 4294967000);
    assert_status(mcc_keepalive_set_interval(keepalive, 4294968), MCC_ERR_INVALID_ARGUMENT);
    assert_status(mcc_keepalive_set_interval(keepalive, MCC_KEEPALIVE_OFF), MCC_OK);
    assert_true(ask(keepalive, 20000).next_ms == UINT64_MAX);
    assert_status(mcc_keepalive_set_interval(keepalive, 0), MCC_OK);
    expect_wait(keepalive, 20000, mcc_keepalive_interval_s() * 1000ull);
    assert_status(mcc_keepalive_set_interval(keepalive, 1), MCC_OK);
    (void)expect_ping(keepalive, 20000);
    mcc_keepalive_free(keepalive);
}

static void options_have_their_ranges(void **state)
{
    (void)state;
    static const struct {
        uint32_t interval_s, jitter_percent, timeout_ms, reliable, reserved;
        mcc_status_t status;
    } cases[] = {
        {1, 0, 1, 1, 0, MCC_OK},
        {4294967, 50, 3600000, 1, 0, MCC_OK},
        {MCC_KEEPALIVE_OFF, 10, 30000, 0, 0, MCC_OK},
        {15, 10, 30000, 0, 0, MCC_OK},
        {4294968, 10, 30000, 1, 0, MCC_ERR_INVALID_ARGUMENT},
        {UINT32_MAX - 1, 10, 30000, 1, 0, MCC_ERR_INVALID_ARGUMENT},
        {14, 10, 30000, 0, 0, MCC_ERR_INVALID_ARGUMENT},
        {60, 51, 30000, 1, 0, MCC_ERR_INVALID_ARGUMENT},
        {60, 10, 0, 1, 0, MCC_ERR_INVALID_ARGUMENT},
        {60, 10, 3600001, 1, 0, MCC_ERR_INVALID_ARGUMENT},
        {60, 10, 30000, 2, 0, MCC_ERR_INVALID_ARGUMENT},
        {60, 10, 30000, 1, 1, MCC_ERR_INVALID_ARGUMENT},
    };
    for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
        mcc_keepalive_options_t options = options_of(cases[index].interval_s, cases[index].jitter_percent, 0);
        options.timeout_ms = cases[index].timeout_ms;
        options.reliable = cases[index].reliable;
        options.reserved = cases[index].reserved;
        mcc_keepalive_t *keepalive = NULL;
        assert_status(mcc_keepalive_new(&options, &keepalive), cases[index].status);
        assert_int_equal(keepalive != NULL, cases[index].status == MCC_OK);
        mcc_keepalive_free(keepalive);
    }
}

static void time_that_goes_back_or_to_its_end_does_no_harm(void **state)
{
    (void)state;
    mcc_keepalive_t *keepalive = make(options_of(100, 0, 0));
    expect_wait(keepalive, 1000000, 1100000);
    expect_wait(keepalive, 5, 1100000);
    assert_status(mcc_keepalive_on_sent(keepalive, 0), MCC_OK);
    receive_traffic(keepalive, 0);
    expect_wait(keepalive, 0, 1100000);
    (void)expect_ping(keepalive, UINT64_MAX);
    (void)ask(keepalive, UINT64_MAX);
    assert_status(mcc_keepalive_restart(keepalive, UINT64_MAX), MCC_OK);
    (void)ask(keepalive, UINT64_MAX);
    mcc_keepalive_free(keepalive);
}

static void the_size_of_the_ping_is_written_and_not_read(void **state)
{
    (void)state;
    mcc_keepalive_t *keepalive = make(options_of(100, 0, 0));
    uint8_t ping[4] = {1, 2, 3, 4};
    uint64_t next = 0;
    size_t size = 3;
    assert_int_equal(mcc_keepalive_poll(keepalive, 0, &next, ping, &size), MCC_KEEPALIVE_WAIT);
    assert_int_equal(size, 0);
    assert_int_equal(ping[0], 1);
    assert_int_equal(mcc_keepalive_poll(keepalive, 100000, &next, ping, &size), MCC_KEEPALIVE_SEND_PING);
    assert_int_equal(size, 4);
    assert_int_equal(ping[0], 0x40);
    mcc_keepalive_free(keepalive);
}

static void messages_have_their_sizes(void **state)
{
    (void)state;
    static uint8_t message[65536] = {0x50, CODE_CONTENT, 0, 1, 0xff};
    mcc_keepalive_t *keepalive = make(options_of(100, 0, 0));
    assert_status(mcc_keepalive_on_received(keepalive, 0, message, 65535), MCC_OK);
    assert_status(mcc_keepalive_on_received(keepalive, 0, message, 65536), MCC_ERR_MESSAGE_TOO_LARGE);
    assert_status(mcc_keepalive_on_received(keepalive, 0, message, 0), MCC_ERR_EMPTY_MESSAGE);
    assert_status(mcc_keepalive_on_sent_message(keepalive, 0, message, 65535), MCC_OK);
    assert_status(mcc_keepalive_on_sent_message(keepalive, 0, message, 65536), MCC_ERR_MESSAGE_TOO_LARGE);
    assert_status(mcc_keepalive_on_sent_message(keepalive, 0, message, 0), MCC_ERR_EMPTY_MESSAGE);
    mcc_keepalive_free(keepalive);
}

static void a_timeout_of_its_own_counts(void **state)
{
    (void)state;
    mcc_keepalive_options_t options = options_of(10, 0, 0);
    options.timeout_ms = 750;
    mcc_keepalive_t *keepalive = make(options);
    expect_wait(keepalive, 0, 10000);
    (void)expect_ping(keepalive, 10000);
    expect_wait(keepalive, 10749, 10750);
    assert_int_equal(ask(keepalive, 10750).action, MCC_KEEPALIVE_PATH_DEAD);
    mcc_keepalive_free(keepalive);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ping_is_due_at_the_interval_and_not_before),
        cmocka_unit_test(the_default_interval_is_the_one_compiled_in),
        cmocka_unit_test(jitter_only_shortens_and_is_spread),
        cmocka_unit_test(the_same_seed_gives_the_same_times),
        cmocka_unit_test(whichever_direction_was_quiet_longer_counts),
        cmocka_unit_test(any_valid_message_proves_the_path),
        cmocka_unit_test(an_acknowledgement_with_the_ping_s_id_is_an_answer),
        cmocka_unit_test(an_answer_to_nothing_proves_nothing),
        cmocka_unit_test(an_answer_to_a_message_that_was_sent_proves_the_path),
        cmocka_unit_test(a_dead_path_is_seen_30_seconds_after_the_ping_and_stays_dead_until_the_restart),
        cmocka_unit_test(a_dead_path_is_never_seen_later_than_interval_plus_30_seconds),
        cmocka_unit_test(nothing_wakes_between_two_deadlines),
        cmocka_unit_test(over_datagrams_a_ping_is_retransmitted_as_rfc_7252_has_it),
        cmocka_unit_test(an_answer_to_a_retransmission_ends_it_and_is_measured_from_it),
        cmocka_unit_test(a_ping_that_cannot_be_sent_is_a_dead_path),
        cmocka_unit_test(the_interval_can_be_changed_and_switched_off),
        cmocka_unit_test(options_have_their_ranges),
        cmocka_unit_test(time_that_goes_back_or_to_its_end_does_no_harm),
        cmocka_unit_test(the_size_of_the_ping_is_written_and_not_read),
        cmocka_unit_test(messages_have_their_sizes),
        cmocka_unit_test(a_timeout_of_its_own_counts),
    };
    return run_chosen_tests(tests, count, arguments);
}
