/* Connections over the tests' own peer: plain TCP with length prefixes, TLS with one message in one record, UDP, DTLS.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* The streams come first. */
typedef enum { OVER_TCP, OVER_TLS, OVER_UDP, OVER_DTLS, TRANSPORTS } transport_t;

static const char *const names[] = {"TCP", "TLS", "UDP", "DTLS"};

static bool is_secure(transport_t transport)
{
    return transport == OVER_TLS || transport == OVER_DTLS;
}

static peer_t *start_for(fixture_t *fixture, transport_t transport)
{
    print_message("    over %s\n", names[transport]);
    switch (transport) {
    case OVER_TLS:
        return start_tls_peer(fixture, "server");
    case OVER_DTLS:
        return start_dtls_peer(fixture, "server");
    default:
        return start_peer(fixture, transport == OVER_TCP ? "--tcp" : "--udp", NULL);
    }
}

static mcc_connection_options_t options_to(fixture_t *fixture, transport_t transport, const peer_t *peer)
{
    mcc_connection_options_t options =
        options_for(fixture, "%s://127.0.0.1:%u", is_secure(transport) ? "coaps" : "coap", peer_port(peer));
    options.transport = peer_transport(peer);
    options.tls = is_secure(transport) ? tls_with_ca(fixture, "ca.pem") : NULL;
    return options;
}

/* ---- messages and pings ---- */

static void it_becomes_ready_and_messages_go_both_ways(void **state)
{
    fixture_t *fixture = *state;
    for (transport_t transport = 0; transport < TRANSPORTS; transport++) {
        peer_t *peer = start_for(fixture, transport);
        recorder_t *recorder;
        mcc_connection_t *connection = open_ready(fixture, options_to(fixture, transport, peer), &recorder);
        /* The states come in their order, each with the same handle and without a reason. */
        mcc_state_t before = 0;
        for (size_t index = 0; before != MCC_STATE_READY; index++) {
            const record_t *record = event_at(recorder, index);
            assert_non_null(record);
            assert_int_equal(record->type, MCC_EVENT_STATE);
            assert_ptr_equal(record->connection, connection);
            assert_true(record->state.state > before);
            assert_status(record->reason, MCC_OK);
            before = record->state.state;
        }
        assert_int_equal(count_states(recorder, MCC_STATE_HANDSHAKING), is_secure(transport) ? 1 : 0);

        static const size_t sizes[] = {6, 8, 17, 100, 1000, 1500, 9000, 16383};
        enum { COUNT = sizeof sizes / sizeof sizes[0] };
        for (size_t index = 0; index < COUNT; index++) {
            expect_echo(connection, recorder, sizes[index], (uint16_t)(100 + index), false);
        }
        await_count(recorder, MCC_EVENT_SENT, COUNT);
        mcc_connection_stats_t stats = stats_of(connection);
        assert_int_equal(stats.state, MCC_STATE_READY);
        assert_int_equal(stats.attempts, 1);
        assert_int_equal(stats.connections, 1);
        assert_int_equal(stats.messages_sent, COUNT);
        assert_int_equal(stats.messages_received, COUNT);
        assert_int_equal(stats.messages_failed, 0);
        assert_int_equal(stats.messages_queued, 0);
        assert_int_equal(stats.format_errors, 0);
        assert_int_equal(stats.pings_sent, 0);
        close_connection(connection, recorder);
        const record_t *last = event_at(recorder, 0);
        for (size_t index = 0; event_at(recorder, index) != NULL; index++) {
            last = event_at(recorder, index);
        }
        assert_int_equal(last->state.state, MCC_STATE_CLOSED);
        assert_status(last->reason, MCC_ERR_CLOSED);
        if (transport != OVER_UDP) {
            (void)peer_await(peer, is_secure(transport) ? "close-notify" : "closed-by-client");
        }
    }
}

static void each_message_has_its_own_ticket_and_one_report_in_order(void **state)
{
    enum { COUNT = 60 };
    fixture_t *fixture = *state;
    for (transport_t transport = 0; transport < TRANSPORTS; transport++) {
        peer_t *peer = start_for(fixture, transport);
        recorder_t *recorder;
        mcc_connection_t *connection = open_ready(fixture, options_to(fixture, transport, peer), &recorder);
        uint64_t tickets[COUNT];
        for (size_t index = 0; index < COUNT; index++) {
            tickets[index] = send_request(connection, 20, (uint16_t)index);
        }
        for (size_t index = 0; index < COUNT; index++) {
            assert_int_equal(await_event(recorder, MCC_EVENT_SENT)->ticket, tickets[index]);
            for (size_t other = 0; other < index; other++) {
                assert_int_not_equal(tickets[index], tickets[other]);
            }
        }
        await_count(recorder, MCC_EVENT_MESSAGE, COUNT);
        for (size_t index = 0; index < COUNT; index++) {
            assert_int_equal(count_reports(recorder, tickets[index]), 1);
        }
        peer_await_count(peer, "message ", COUNT);
        close_connection(connection, recorder);
    }
}

static void a_ping_is_answered_and_its_round_trip_measured(void **state)
{
    fixture_t *fixture = *state;
    for (transport_t transport = 0; transport < TRANSPORTS; transport++) {
        peer_t *peer = start_for(fixture, transport);
        recorder_t *recorder;
        mcc_connection_t *connection = open_ready(fixture, options_to(fixture, transport, peer), &recorder);
        for (size_t count = 1; count <= 5; count++) {
            assert_status(mcc_connection_ping(connection), MCC_OK);
            const record_t *sent = await_event(recorder, MCC_EVENT_PING_SENT);
            const record_t *answered = await_event(recorder, MCC_EVENT_PING_ANSWERED);
            assert_in_range(answered->round_trip_us, 1, (answered->at_ms - sent->at_ms + LATE_MS) * 1000);
            mcc_connection_stats_t stats = stats_of(connection);
            assert_int_equal(stats.pings_sent, count);
            assert_int_equal(stats.pings_answered, count);
            assert_int_equal(stats.pings_lost, 0);
            assert_int_equal(stats.round_trip_us, answered->round_trip_us);
            peer_await_count(peer, "ping-received ", count);
        }
        /* A Reset is the library's own business. */
        assert_int_equal(count_events(recorder, MCC_EVENT_MESSAGE), 0);
        close_connection(connection, recorder);
    }
}

static void the_peer_s_ping_is_answered_at_once(void **state)
{
    fixture_t *fixture = *state;
    for (transport_t transport = 0; transport < TRANSPORTS; transport++) {
        peer_t *peer = start_for(fixture, transport);
        recorder_t *recorder;
        mcc_connection_t *connection = open_ready(fixture, options_to(fixture, transport, peer), &recorder);
        /* So that the peer knows where to send to. */
        expect_echo(connection, recorder, 10, 1, false);
        for (size_t count = 1; count <= 3; count++) {
            peer_command(peer, "ping");
            (void)peer_await(peer, "ping-answered ");
        }
        assert_int_equal(stats_of(connection).peer_pings_answered, 3);
        assert_int_equal(count_events(recorder, MCC_EVENT_MESSAGE), 1);
        close_connection(connection, recorder);
    }
}

/* ---- keepalive ---- */

static void pings_go_out_at_the_interval(void **state)
{
    fixture_t *fixture = *state;
    for (transport_t transport = 0; transport < OVER_UDP; transport++) {
        peer_t *peer = start_for(fixture, transport);
        mcc_connection_options_t options = options_to(fixture, transport, peer);
        options.keepalive_interval_s = 1;
        recorder_t *recorder;
        mcc_connection_t *connection = open_connection(fixture, options, &recorder);
        uint64_t quiet_since = await_state(recorder, MCC_STATE_READY)->at_ms;
        for (int count = 0; count < 3; count++) {
            const record_t *sent = await_event(recorder, MCC_EVENT_PING_SENT);
            assert_in_range(sent->at_ms - quiet_since, 1000 - LATE_MS, 1700 + LATE_MS);
            (void)await_event(recorder, MCC_EVENT_PING_ANSWERED);
            quiet_since = sent->at_ms;
        }
        close_connection(connection, recorder);
    }
}

static void no_ping_goes_out_while_traffic_flows_or_keepalive_is_off(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_for(fixture, OVER_TCP);
    mcc_connection_options_t options = options_to(fixture, OVER_TCP, peer);
    options.keepalive_interval_s = 1;
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, options, &recorder);
    for (uint16_t message_id = 0; message_id < 10; message_id++) {
        expect_echo(connection, recorder, 10, message_id, false);
        sleep_ms(250);
    }
    assert_int_equal(count_events(recorder, MCC_EVENT_PING_SENT), 0);
    assert_status(mcc_connection_set_keepalive(connection, MCC_KEEPALIVE_OFF), MCC_OK);
    expect_no_event(recorder, MCC_EVENT_PING_SENT, 1500);
    /* It counts from the latest traffic, at once: that is more than a second ago. */
    assert_status(mcc_connection_set_keepalive(connection, 1), MCC_OK);
    const record_t *sent = try_event(recorder, MCC_EVENT_PING_SENT, 900);
    assert_non_null(sent);
    close_connection(connection, recorder);
}

static void a_dead_path_is_seen_and_the_connection_comes_back(void **state)
{
    fixture_t *fixture = *state;
    for (transport_t transport = 0; transport < OVER_UDP; transport++) {
        peer_t *peer = start_for(fixture, transport);
        mcc_connection_options_t options = options_to(fixture, transport, peer);
        options.keepalive_interval_s = 1;
        options.keepalive_timeout_ms = 700;
        recorder_t *recorder;
        mcc_connection_t *connection = open_ready(fixture, options, &recorder);
        (void)await_event(recorder, MCC_EVENT_PING_ANSWERED);
        peer_command(peer, "silent");
        uint64_t died = milliseconds_now();
        const record_t *lost = await_event(recorder, MCC_EVENT_PING_LOST);
        assert_status(lost->reason, MCC_ERR_PATH_SILENT);
        const record_t *waiting = await_event(recorder, MCC_EVENT_STATE);
        assert_int_equal(waiting->state.state, MCC_STATE_WAITING);
        assert_status(waiting->reason, MCC_ERR_PATH_SILENT);
        assert_int_equal(mcc_status_class(waiting->reason), MCC_CLASS_SILENT_PATH);
        assert_string_equal(waiting->state.text, mcc_status_text(MCC_ERR_PATH_SILENT));
        assert_in_range(waiting->at_ms - died, 0, 1000 + 700 + 500);
        assert_in_range(waiting->state.next_attempt_ms, 0, options.backoff_base_ms);
        peer_command(peer, "answer");
        (void)await_state(recorder, MCC_STATE_READY);
        (void)await_event(recorder, MCC_EVENT_PING_ANSWERED);
        expect_echo(connection, recorder, 50, 5, false);
        mcc_connection_stats_t stats = stats_of(connection);
        assert_int_equal(stats.pings_lost, 1);
        assert_true(stats.connections >= 2);
        close_connection(connection, recorder);
    }
}

static void over_datagrams_a_lost_ping_is_sent_again(void **state)
{
    fixture_t *fixture = *state;
    for (transport_t transport = OVER_UDP; transport < TRANSPORTS; transport++) {
        peer_t *peer = start_for(fixture, transport);
        recorder_t *recorder;
        mcc_connection_t *connection = open_ready(fixture, options_to(fixture, transport, peer), &recorder);
        peer_command(peer, "drop 1");
        uint64_t begin = milliseconds_now();
        assert_status(mcc_connection_ping(connection), MCC_OK);
        const record_t *answered = await_event(recorder, MCC_EVENT_PING_ANSWERED);
        /* ACK_TIMEOUT is 2 to 3 seconds; the round trip counts from the latest transmission. */
        assert_in_range(answered->at_ms - begin, 1950, 4000);
        assert_in_range(answered->round_trip_us, 1, 1000000);
        peer_await_count(peer, "dropped ", 1);
        peer_await_count(peer, "ping-received ", 1);
        assert_int_equal(stats_of(connection).pings_sent, 1);
        close_connection(connection, recorder);
    }
}

/* ---- peers that go and come ---- */

static void a_peer_that_closes_or_resets_is_connected_again(void **state)
{
    fixture_t *fixture = *state;
    for (transport_t transport = 0; transport < TRANSPORTS; transport++) {
        if (transport == OVER_UDP) {
            continue;
        }
        peer_t *peer = start_for(fixture, transport);
        mcc_connection_options_t options = options_to(fixture, transport, peer);
        options.peer_closed_wait_ms = 200;
        recorder_t *recorder;
        mcc_connection_t *connection = open_ready(fixture, options, &recorder);
        for (uint16_t round = 0; round < 6; round++) {
            bool reset = transport != OVER_DTLS && round % 2 == 1;
            peer_command(peer, reset ? "reset" : "close");
            const record_t *waiting = await_event(recorder, MCC_EVENT_STATE);
            assert_int_equal(waiting->state.state, MCC_STATE_WAITING);
            assert_status(waiting->reason, reset ? MCC_ERR_CONNECTION_RESET : MCC_ERR_CLOSED_BY_PEER);
            assert_true(strlen(waiting->state.text) > 0);
            assert_in_range(waiting->state.next_attempt_ms, 0, round == 0 ? 200 : 1000);
            const record_t *ready = await_state(recorder, MCC_STATE_READY);
            assert_true(ready->at_ms + LATE_MS >= waiting->at_ms + waiting->state.next_attempt_ms);
            expect_echo(connection, recorder, 30, round, false);
        }
        assert_int_equal(stats_of(connection).connections, 7);
        close_connection(connection, recorder);
    }
}

static void a_refused_port_is_tried_again_until_it_listens(void **state)
{
    fixture_t *fixture = *state;
    for (transport_t transport = 0; transport < TRANSPORTS; transport++) {
        /* Nothing is sent over UDP before there is something to send. */
        if (transport == OVER_UDP) {
            continue;
        }
        peer_t *peer = start_for(fixture, transport);
        peer_command(peer, "stop-listening");
        recorder_t *recorder;
        mcc_connection_options_t options = options_to(fixture, transport, peer);
        mcc_connection_t *connection = open_connection(fixture, options, &recorder);
        for (unsigned failure = 0; failure < 6; failure++) {
            const record_t *waiting = await_state(recorder, MCC_STATE_WAITING);
            assert_status(waiting->reason, MCC_ERR_CONNECTION_REFUSED);
            assert_int_equal(mcc_status_class(waiting->reason), MCC_CLASS_REFUSED);
            /* The range doubles with each failure, up to the cap. */
            uint64_t range = (uint64_t)options.backoff_base_ms << failure;
            assert_in_range(waiting->state.next_attempt_ms, 0, range < 1000 ? range : 1000);
        }
        peer_command(peer, "listen");
        (void)await_state(recorder, MCC_STATE_READY);
        expect_echo(connection, recorder, 30, 1, false);
        mcc_connection_stats_t stats = stats_of(connection);
        assert_int_equal(stats.connections, 1);
        assert_true(stats.attempts >= 7);
        close_connection(connection, recorder);
    }
}

static void over_datagrams_a_refused_port_is_noticed_and_tried_again(void **state)
{
    fixture_t *fixture = *state;
    for (transport_t transport = OVER_UDP; transport < TRANSPORTS; transport++) {
        peer_t *peer = start_for(fixture, transport);
        recorder_t *recorder;
        mcc_connection_t *connection = open_ready(fixture, options_to(fixture, transport, peer), &recorder);
        peer_command(peer, "stop-listening");
        assert_status(mcc_connection_ping(connection), MCC_OK);
        assert_status(await_state(recorder, MCC_STATE_WAITING)->reason, MCC_ERR_CONNECTION_REFUSED);
        peer_command(peer, "listen");
        (void)await_state(recorder, MCC_STATE_READY);
        expect_echo(connection, recorder, 30, 1, false);
        close_connection(connection, recorder);
    }
}

static void a_peer_that_accepts_and_says_nothing_times_out(void **state)
{
    fixture_t *fixture = *state;
    for (transport_t transport = OVER_TLS; transport < TRANSPORTS; transport += OVER_DTLS - OVER_TLS) {
        peer_t *peer = start_for(fixture, transport);
        peer_command(peer, "silent");
        mcc_connection_options_t options = options_to(fixture, transport, peer);
        options.handshake_timeout_ms = 400;
        recorder_t *recorder;
        mcc_connection_t *connection = open_connection(fixture, options, &recorder);
        uint64_t begin = await_state(recorder, MCC_STATE_HANDSHAKING)->at_ms;
        const record_t *waiting = await_state(recorder, MCC_STATE_WAITING);
        assert_status(waiting->reason, MCC_ERR_HANDSHAKE_TIMEOUT);
        assert_in_range(waiting->at_ms - begin, 400 - LATE_MS, 1500);
        peer_command(peer, "answer");
        (void)await_state(recorder, MCC_STATE_READY);
        close_connection(connection, recorder);
    }
}

static void a_host_that_does_not_resolve_has_a_reason_of_its_own(void **state)
{
    fixture_t *fixture = *state;
    mcc_connection_options_t options = options_for(fixture, "coap://no-such-host.invalid:5683");
    options.resolve_timeout_ms = 3000;
    recorder_t *recorder;
    mcc_connection_t *connection = open_connection(fixture, options, &recorder);
    const record_t *waiting = await_state(recorder, MCC_STATE_WAITING);
    assert_int_equal(mcc_status_class(waiting->reason), MCC_CLASS_NAME);
    assert_int_equal(count_states(recorder, MCC_STATE_CONNECTING), 0);
    close_connection(connection, recorder);
}

static void names_and_both_families_are_connected(void **state)
{
    fixture_t *fixture = *state;
    recorder_t *recorder;
    mcc_connection_t *connection;
    /* The name has two addresses, and only one of them listens. */
    for (transport_t transport = 0; transport < TRANSPORTS; transport++) {
        /* UDP finds out only with the first message. */
        if (transport == OVER_UDP) {
            continue;
        }
        peer_t *peer = start_for(fixture, transport);
        mcc_connection_options_t options = options_to(fixture, transport, peer);
        options.uri = options_for(fixture, "%s://localhost:%u", is_secure(transport) ? "coaps" : "coap", peer_port(peer)).uri;
        connection = open_ready(fixture, options, &recorder);
        expect_echo(connection, recorder, 30, 1, false);
        assert_int_equal(count_states(recorder, MCC_STATE_WAITING), 0);
        close_connection(connection, recorder);
    }

    int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool ipv6 = bind(probe, (const struct sockaddr *)&address, sizeof address) == 0;
    close(probe);
    if (!ipv6) {
        print_message("    this machine has no IPv6 loopback\n");
        return;
    }
    static const char *const kinds[] = {"--tcp", "--tls", "--udp", "--dtls"};
    for (transport_t transport = 0; transport < TRANSPORTS; transport++) {
        peer_t *peer = start_peer(fixture, kinds[transport], "--address", "::1", "--certificate", certificate_path(fixture, "server.pem"),
                                  "--key", certificate_path(fixture, "server.key"), NULL);
        mcc_connection_options_t options = options_to(fixture, transport, peer);
        options.uri = options_for(fixture, "%s://[::1]:%u", is_secure(transport) ? "coaps" : "coap", peer_port(peer)).uri;
        connection = open_ready(fixture, options, &recorder);
        expect_echo(connection, recorder, 30, 1, false);
        close_connection(connection, recorder);
    }
}

/* ---- the queue ---- */

static void a_full_queue_is_refused_and_what_waits_goes_out_in_order(void **state)
{
    fixture_t *fixture = *state;
    for (transport_t transport = OVER_TLS; transport < TRANSPORTS; transport += OVER_DTLS - OVER_TLS) {
        peer_t *peer = start_for(fixture, transport);
        peer_command(peer, "silent");
        mcc_connection_options_t options = options_to(fixture, transport, peer);
        options.queue_limit = 4;
        recorder_t *recorder;
        mcc_connection_t *connection = open_connection(fixture, options, &recorder);
        uint64_t tickets[4];
        for (uint16_t index = 0; index < 4; index++) {
            tickets[index] = send_request(connection, 20, index);
        }
        uint8_t message[20];
        uint64_t ticket = 77;
        size_t size = write_request(message, sizeof message, CONFIRMABLE, 9);
        assert_status(mcc_connection_send(connection, message, size, &ticket), MCC_ERR_QUEUE_FULL);
        assert_int_equal(stats_of(connection).messages_queued, 4);
        peer_command(peer, "answer");
        for (size_t index = 0; index < 4; index++) {
            assert_int_equal(await_event(recorder, MCC_EVENT_SENT)->ticket, tickets[index]);
        }
        await_count(recorder, MCC_EVENT_MESSAGE, 4);
        peer_await_count(peer, "message ", 4);
        assert_int_equal(stats_of(connection).messages_queued, 0);
        /* There is room again. */
        expect_echo(connection, recorder, 20, 10, false);
        close_connection(connection, recorder);
    }
}

static void what_waits_when_the_connection_is_closed_is_reported_before_the_end(void **state)
{
    fixture_t *fixture = *state;
    for (transport_t transport = OVER_TLS; transport < TRANSPORTS; transport += OVER_DTLS - OVER_TLS) {
        peer_t *peer = start_for(fixture, transport);
        peer_command(peer, "silent");
        recorder_t *recorder;
        mcc_connection_t *connection = open_connection(fixture, options_to(fixture, transport, peer), &recorder);
        uint64_t tickets[10];
        for (uint16_t index = 0; index < 10; index++) {
            tickets[index] = send_request(connection, 20, index);
        }
        close_connection(connection, recorder);
        assert_int_equal(count_events(recorder, MCC_EVENT_FAILED), 10);
        for (size_t index = 0, failed = 0; event_at(recorder, index) != NULL; index++) {
            const record_t *record = event_at(recorder, index);
            if (record->type == MCC_EVENT_FAILED) {
                assert_status(record->reason, MCC_ERR_CLOSED);
                assert_int_equal(record->ticket, tickets[failed++]);
            }
        }
    }
}

static void what_waits_when_the_connection_drops_is_kept_or_failed(void **state)
{
    fixture_t *fixture = *state;
    for (transport_t transport = OVER_TLS; transport < TRANSPORTS; transport += OVER_DTLS - OVER_TLS) {
        for (uint32_t kept = 0; kept < 2; kept++) {
            peer_t *peer = start_for(fixture, transport);
            peer_command(peer, "silent");
            mcc_connection_options_t options = options_to(fixture, transport, peer);
            options.handshake_timeout_ms = 400;
            options.keep_queued_messages = kept;
            recorder_t *recorder;
            mcc_connection_t *connection = open_connection(fixture, options, &recorder);
            (void)await_state(recorder, MCC_STATE_HANDSHAKING);
            uint64_t tickets[5];
            for (uint16_t index = 0; index < 5; index++) {
                tickets[index] = send_request(connection, 20, index);
            }
            (void)await_state(recorder, MCC_STATE_WAITING);
            if (kept == 1) {
                assert_int_equal(count_events(recorder, MCC_EVENT_FAILED), 0);
            } else {
                await_count(recorder, MCC_EVENT_FAILED, 5);
            }
            peer_command(peer, "answer");
            (void)await_state(recorder, MCC_STATE_READY);
            expect_echo(connection, recorder, 20, 100, false);
            for (size_t index = 0; index < 5; index++) {
                assert_int_equal(count_reports(recorder, tickets[index]), 1);
            }
            assert_int_equal(count_events(recorder, MCC_EVENT_FAILED), kept == 1 ? 0 : 5);
            peer_await_count(peer, "message ", kept == 1 ? 6 : 1);
            mcc_connection_stats_t stats = stats_of(connection);
            assert_int_equal(stats.messages_failed, kept == 1 ? 0 : 5);
            assert_int_equal(stats.messages_sent, kept == 1 ? 6 : 1);
            close_connection(connection, recorder);
        }
    }
}

static void messages_on_their_way_when_the_connection_breaks_are_reported_once(void **state)
{
    enum { MAXIMUM = 2000 };
    fixture_t *fixture = *state;
    for (transport_t transport = 0; transport < OVER_UDP; transport++) {
        for (uint32_t kept = 0; kept < 2; kept++) {
            peer_t *peer = start_for(fixture, transport);
            mcc_connection_options_t options = options_to(fixture, transport, peer);
            options.keep_queued_messages = kept;
            recorder_t *recorder;
            mcc_connection_t *connection = open_ready(fixture, options, &recorder);
            peer_command(peer, "silent");
            /* Until the sockets' buffers and the queue are full. */
            static uint8_t message[16000];
            size_t size = write_request(message, sizeof message, CONFIRMABLE, 1);
            uint64_t tickets[MAXIMUM];
            size_t taken = 0;
            mcc_status_t status = MCC_OK;
            for (unsigned refused = 0; refused < 20 && taken < MAXIMUM;) {
                status = mcc_connection_send(connection, message, size, &tickets[taken]);
                if (status == MCC_OK) {
                    taken++;
                    refused = 0;
                } else {
                    assert_status(status, MCC_ERR_QUEUE_FULL);
                    refused++;
                    sleep_ms(10);
                }
            }
            assert_status(status, MCC_ERR_QUEUE_FULL);
            assert_true(stats_of(connection).messages_queued <= options.queue_limit);
            peer_command(peer, "reset");
            (void)await_state(recorder, MCC_STATE_WAITING);
            peer_command(peer, "answer");
            (void)await_state(recorder, MCC_STATE_READY);
            uint64_t until = milliseconds_now() + SOON_MS;
            while (stats_of(connection).messages_queued > 0 && milliseconds_now() < until) {
                sleep_ms(5);
            }
            expect_echo(connection, recorder, 20, 100, false);
            for (size_t index = 0; index < taken; index++) {
                assert_int_equal(count_reports(recorder, tickets[index]), 1);
            }
            close_connection(connection, recorder);
            stop_peer(fixture, peer);
        }
    }
}

/* ---- sizes ---- */

static void each_framing_has_its_largest_message(void **state)
{
    fixture_t *fixture = *state;
    static const size_t largest[] = {65535, 16384, 65507, 16384};
    static uint8_t message[65537];
    for (transport_t transport = 0; transport < TRANSPORTS; transport++) {
        peer_t *peer = start_for(fixture, transport);
        mcc_connection_options_t options = options_to(fixture, transport, peer);
        if (transport == OVER_TLS) {
            mcc_tls_options_t *tls = tls_with_ca(fixture, "ca.pem");
            tls->max_version = MCC_TLS_1_2;
            options.tls = tls;
        }
        recorder_t *recorder;
        mcc_connection_t *connection = open_ready(fixture, options, &recorder);
        expect_echo(connection, recorder, largest[transport], 1, false);
        uint64_t ticket = 77;
        (void)write_request(message, sizeof message, CONFIRMABLE, 2);
        assert_status(mcc_connection_send(connection, message, largest[transport] + 1, &ticket), MCC_ERR_MESSAGE_TOO_LARGE);
        assert_status(mcc_connection_send(connection, message, 65536, &ticket), MCC_ERR_MESSAGE_TOO_LARGE);
        assert_status(mcc_connection_send(connection, message, 65537, &ticket), MCC_ERR_MESSAGE_TOO_LARGE);
        assert_int_equal(ticket, 77);
        close_connection(connection, recorder);
    }
    /* A record of TLS 1.3 carries a byte less, which is known only once the version is. */
    peer_t *peer = start_for(fixture, OVER_TLS);
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, options_to(fixture, OVER_TLS, peer), &recorder);
    expect_echo(connection, recorder, 16383, 1, false);
    uint64_t ticket = send_request(connection, 16384, 2);
    const record_t *failed = await_event(recorder, MCC_EVENT_FAILED);
    assert_int_equal(failed->ticket, ticket);
    assert_status(failed->reason, MCC_ERR_MESSAGE_TOO_LARGE);
    expect_echo(connection, recorder, 20, 3, false);
    assert_int_equal(stats_of(connection).connections, 1);
    close_connection(connection, recorder);

    /* Length prefixes can be asked for with TLS too. */
    peer = start_peer(fixture, "--tls", "--length-prefix", "--certificate", certificate_path(fixture, "server.pem"), "--key",
                              certificate_path(fixture, "server.key"), NULL);
    mcc_connection_options_t options = options_to(fixture, OVER_TLS, peer);
    options.framing = MCC_FRAMING_LENGTH_PREFIX;
    connection = open_ready(fixture, options, &recorder);
    expect_echo(connection, recorder, 65535, 1, false);
    close_connection(connection, recorder);
}

static void what_is_no_message_is_not_sent(void **state)
{
    fixture_t *fixture = *state;
    static const struct {
        uint8_t bytes[8];
        size_t size;
    } wrong[] = {
        {{0x40}, 1},
        {{0x40, 1, 0}, 3},
        {{0x80, 1, 0, 1}, 4},                   /* version 2 */
        {{0x49, 1, 0, 1, 1, 2, 3, 4}, 8},       /* a token of 9 bytes */
        {{0x42, 1, 0, 1, 1}, 5},                /* a token that is not all there */
        {{0x40, 0, 0, 1, 0}, 5},                /* an Empty message with a byte more */
        {{0x40, 1, 0, 1, 0xff}, 5},             /* a payload marker without payload */
        {{0x40, 1, 0, 1, 0xf0}, 5},             /* a reserved option delta */
        {{0x40, 1, 0, 1, 0x13}, 5},             /* an option that is not all there */
        {{0x70, 0x45, 0, 1}, 4},                /* a Reset with a code */
    };
    for (transport_t transport = 0; transport < TRANSPORTS; transport++) {
        peer_t *peer = start_for(fixture, transport);
        recorder_t *recorder;
        mcc_connection_t *connection = open_ready(fixture, options_to(fixture, transport, peer), &recorder);
        for (size_t index = 0; index < sizeof wrong / sizeof wrong[0]; index++) {
            assert_status(mcc_connection_send(connection, wrong[index].bytes, wrong[index].size, NULL), MCC_ERR_INVALID_MESSAGE);
        }
        assert_status(mcc_connection_send(connection, wrong[0].bytes, 0, NULL), MCC_ERR_EMPTY_MESSAGE);
        expect_echo(connection, recorder, 10, 1, false);
        peer_await_count(peer, "message ", 1);
        assert_int_equal(stats_of(connection).messages_failed, 0);
        close_connection(connection, recorder);
    }
}

static void a_message_over_the_limit_is_dropped_whole_and_the_stream_goes_on(void **state)
{
    fixture_t *fixture = *state;
    for (transport_t transport = 0; transport < TRANSPORTS; transport++) {
        peer_t *peer = start_for(fixture, transport);
        mcc_connection_options_t options = options_to(fixture, transport, peer);
        options.max_message_size = 1000;
        recorder_t *recorder;
        mcc_connection_t *connection = open_ready(fixture, options, &recorder);
        expect_echo(connection, recorder, 10, 1, false);
        static const unsigned sizes[] = {1001, 5000, 16384};
        for (size_t index = 0; index < 3; index++) {
            peer_command(peer, "oversize %u", sizes[index]);
            peer_command(peer, "oversize 1000");
            const record_t *message = await_event(recorder, MCC_EVENT_MESSAGE);
            assert_int_equal(message->message_size, 1000);
            assert_int_equal(stats_of(connection).oversize_dropped, index + 1);
        }
        expect_echo(connection, recorder, 900, 2, false);
        mcc_connection_stats_t stats = stats_of(connection);
        assert_int_equal(stats.connections, 1);
        assert_int_equal(stats.format_errors, 0);
        assert_int_equal(stats.messages_received, 5);
        close_connection(connection, recorder);
    }
}

/* ---- what a peer can send ---- */

static void bytes_in_any_split_are_put_together(void **state)
{
    fixture_t *fixture = *state;
    for (transport_t transport = 0; transport < OVER_UDP; transport++) {
        peer_t *peer = start_for(fixture, transport);
        recorder_t *recorder;
        mcc_connection_t *connection = open_ready(fixture, options_to(fixture, transport, peer), &recorder);
        peer_command(peer, "split");
        static const size_t sizes[] = {6, 20, 300, 4000};
        for (size_t index = 0; index < 4; index++) {
            expect_echo(connection, recorder, sizes[index], (uint16_t)index, false);
        }
        assert_status(mcc_connection_ping(connection), MCC_OK);
        (void)await_event(recorder, MCC_EVENT_PING_ANSWERED);
        /* Connecting too. */
        peer_command(peer, "close");
        (void)await_state(recorder, MCC_STATE_READY);
        expect_echo(connection, recorder, 300, 9, false);
        close_connection(connection, recorder);
    }
}

static void several_messages_in_one_segment_are_told_apart(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_for(fixture, OVER_TCP);
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, options_to(fixture, OVER_TCP, peer), &recorder);
    expect_echo(connection, recorder, 10, 1, false);
    /* Two and a half messages, and a ping within; then the rest. */
    peer_command(peer, "raw 0000000650450001ff11" "0000000440000007" "0000000650450002ff22" "000000065045");
    const record_t *first = await_event(recorder, MCC_EVENT_MESSAGE);
    (void)peer_await(peer, "message type=3 code=0 id=0007");
    peer_command(peer, "raw 0003ff33");
    const record_t *last = await_event(recorder, MCC_EVENT_MESSAGE);
    last = await_event(recorder, MCC_EVENT_MESSAGE);
    assert_int_equal(first->message[3], 1);
    assert_int_equal(last->message[3], 3);
    assert_int_equal(last->message[5], 0x33);
    close_connection(connection, recorder);
}

static void malformed_messages_are_counted_and_confirmable_ones_rejected(void **state)
{
    fixture_t *fixture = *state;
    static const char *const malformed[] = {
        "80010001",       /* version 2 */
        "4100abcdee",     /* an Empty message with a token */
        "40000001ee",     /* an Empty message with a byte more */
        "4901000200",     /* a token of 9 bytes */
        "40010003ff",     /* a payload marker without payload */
        "40010004f0",     /* a reserved option delta */
        "4001000513",     /* an option that is not all there */
        "7045000600",     /* a Reset with a code */
        "40",             /* not even a header */
    };
    enum { COUNT = sizeof malformed / sizeof malformed[0] };
    for (transport_t transport = 0; transport < TRANSPORTS; transport++) {
        peer_t *peer = start_for(fixture, transport);
        recorder_t *recorder;
        mcc_connection_t *connection = open_ready(fixture, options_to(fixture, transport, peer), &recorder);
        expect_echo(connection, recorder, 10, 1, false);
        for (size_t index = 0; index < COUNT; index++) {
            peer_command(peer, "send %s", malformed[index]);
        }
        (void)peer_await(peer, "message type=3 code=0 id=abcd");
        expect_echo(connection, recorder, 10, 2, false);
        mcc_connection_stats_t stats = stats_of(connection);
        assert_int_equal(stats.format_errors, COUNT);
        assert_int_equal(stats.messages_received, 2);
        assert_int_equal(stats.connections, 1);
        close_connection(connection, recorder);
    }
}

static void garbage_ends_in_a_counted_drop_or_a_closed_connection(void **state)
{
    fixture_t *fixture = *state;
    for (transport_t transport = 0; transport < TRANSPORTS; transport++) {
        peer_t *peer = start_for(fixture, transport);
        recorder_t *recorder;
        mcc_connection_t *connection = open_ready(fixture, options_to(fixture, transport, peer), &recorder);
        /* Each new connection costs a wait of up to a second. */
        uint16_t rounds = transport == OVER_TCP ? 14 : 42;
        for (uint16_t round = 0; round < rounds; round++) {
            expect_echo(connection, recorder, 10, round, true);
            unsigned size = 1u << (round % 14);
            if (transport == OVER_TCP) {
                /* Whatever it made of the garbage: behind a new connection, of which there is one, all is well. */
                peer_command(peer, "garbage-and-close %u", size);
                (void)await_state(recorder, MCC_STATE_READY);
            } else {
                peer_command(peer, "garbage %u", size);
            }
        }
        if (transport != OVER_TCP) {
            mcc_connection_stats_t stats = stats_of(connection);
            assert_int_equal(stats.connections, 1);
            assert_true(stats.format_errors > 20);
        }
        close_connection(connection, recorder);
    }
}

static void a_length_that_is_no_length_ends_the_connection(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_for(fixture, OVER_TCP);
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, options_to(fixture, OVER_TCP, peer), &recorder);
    expect_echo(connection, recorder, 10, 1, false);
    /* HTTP/1.1 400 */
    peer_command(peer, "raw 485454502f312e3120343030");
    const record_t *waiting = await_state(recorder, MCC_STATE_WAITING);
    assert_status(waiting->reason, MCC_ERR_PROTOCOL);
    (void)await_state(recorder, MCC_STATE_READY);
    expect_echo(connection, recorder, 10, 2, false);
    close_connection(connection, recorder);
}

static void bytes_that_are_no_tls_record_end_the_connection(void **state)
{
    fixture_t *fixture = *state;
    /* A record of application data that nobody encrypted; an alert in the clear; text. */
    static const char *const bytes[] = {"17030300201111111111111111111111111111111111111111111111111111111111111111", "15030300020228",
                                        "485454502f312e3120343030204261642052657175657374"};
    peer_t *peer = start_for(fixture, OVER_TLS);
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, options_to(fixture, OVER_TLS, peer), &recorder);
    for (size_t index = 0; index < 3; index++) {
        expect_echo(connection, recorder, 10, (uint16_t)index, false);
        peer_command(peer, "raw %s", bytes[index]);
        const record_t *waiting = await_state(recorder, MCC_STATE_WAITING);
        assert_true(waiting->reason == MCC_ERR_TLS_RECORD || waiting->reason == MCC_ERR_TLS_ALERT || waiting->reason == MCC_ERR_NOT_TLS);
        (void)await_state(recorder, MCC_STATE_READY);
    }
    assert_int_equal(stats_of(connection).messages_received, 3);
    close_connection(connection, recorder);
}

static void datagrams_of_others_change_nothing(void **state)
{
    fixture_t *fixture = *state;
    for (transport_t transport = OVER_UDP; transport < TRANSPORTS; transport++) {
        peer_t *peer = start_for(fixture, transport);
        recorder_t *recorder;
        mcc_connection_t *connection = open_ready(fixture, options_to(fixture, transport, peer), &recorder);
        expect_echo(connection, recorder, 10, 1, false);
        const char *accepted = peer_await(peer, "accepted from=");
        struct sockaddr_in client = {.sin_family = AF_INET};
        client.sin_port = htons((uint16_t)strtoul(accepted + strlen("accepted from="), NULL, 10));
        client.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

        /* The peer does not answer the ping; someone else does, and sends a message and a ping as well. */
        peer_command(peer, "drop 1");
        assert_status(mcc_connection_ping(connection), MCC_OK);
        const char *dropped = peer_await(peer, "dropped ");
        unsigned long message_id = strtoul(strstr(dropped, "id=") + 3, NULL, 16);
        const uint8_t datagrams[][6] = {{0x70, 0, (uint8_t)(message_id >> 8), (uint8_t)message_id, 0, 0},
                                        {0x50, CODE_CONTENT, 0, 1, 0xff, 1},
                                        {0x40, 0, 0, 9, 0, 0}};
        static const size_t sizes[] = {4, 6, 4};
        int stranger = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        for (size_t index = 0; index < 3; index++) {
            ssize_t sent = sendto(stranger, datagrams[index], sizes[index], 0, (const struct sockaddr *)&client, sizeof client);
            assert_int_equal(sent, sizes[index]);
        }
        expect_no_event(recorder, MCC_EVENT_PING_ANSWERED, 500);
        uint8_t answer[16];
        assert_true(recv(stranger, answer, sizeof answer, 0) < 0);
        close(stranger);
        assert_int_equal(count_events(recorder, MCC_EVENT_MESSAGE), 1);
        assert_int_equal(stats_of(connection).peer_pings_answered, 0);
        /* The retransmission reaches the peer itself. */
        (void)await_event(recorder, MCC_EVENT_PING_ANSWERED);
        expect_echo(connection, recorder, 10, 2, false);
        close_connection(connection, recorder);
    }
}

/* ---- options of TCP ---- */

/* The socket of this process that is connected to this port of 127.0.0.1. */
static int socket_to(uint16_t port)
{
    for (int descriptor = 3; descriptor < 1024; descriptor++) {
        struct sockaddr_in address = {0};
        socklen_t size = sizeof address;
        if (getpeername(descriptor, (struct sockaddr *)&address, &size) == 0 && address.sin_family == AF_INET
            && ntohs(address.sin_port) == port) {
            return descriptor;
        }
    }
    return -1;
}

static int option_of(int descriptor, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    assert_int_equal(getsockopt(descriptor, level, name, &value, &size), 0);
    return value;
}

static void the_options_of_tcp_reach_the_socket(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_for(fixture, OVER_TCP);
    mcc_connection_options_t options = options_to(fixture, OVER_TCP, peer);
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, options, &recorder);
    assert_int_equal(option_of(socket_to(peer_port(peer)), SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(option_of(socket_to(peer_port(peer)), IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
    close_connection(connection, recorder);

    options.tcp_keepalive_idle_s = 123;
    options.tcp_keepalive_interval_s = 45;
    options.tcp_keepalive_count = 6;
    options.tcp_user_timeout_ms = 78900;
    peer = start_for(fixture, OVER_TCP);
    options.uri = options_to(fixture, OVER_TCP, peer).uri;
    connection = open_ready(fixture, options, &recorder);
    int descriptor = socket_to(peer_port(peer));
    assert_true(descriptor >= 0);
    assert_int_equal(option_of(descriptor, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option_of(descriptor, IPPROTO_TCP, TCP_KEEPIDLE), 123);
    assert_int_equal(option_of(descriptor, IPPROTO_TCP, TCP_KEEPINTVL), 45);
    assert_int_equal(option_of(descriptor, IPPROTO_TCP, TCP_KEEPCNT), 6);
    assert_int_equal(option_of(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT), 78900);
    close_connection(connection, recorder);
}

int main(int count, char **arguments)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(it_becomes_ready_and_messages_go_both_ways),
        TEST(each_message_has_its_own_ticket_and_one_report_in_order),
        TEST(a_ping_is_answered_and_its_round_trip_measured),
        TEST(the_peer_s_ping_is_answered_at_once),
        TEST(pings_go_out_at_the_interval),
        TEST(no_ping_goes_out_while_traffic_flows_or_keepalive_is_off),
        TEST(a_dead_path_is_seen_and_the_connection_comes_back),
        TEST(over_datagrams_a_lost_ping_is_sent_again),
        TEST(a_peer_that_closes_or_resets_is_connected_again),
        TEST(a_refused_port_is_tried_again_until_it_listens),
        TEST(over_datagrams_a_refused_port_is_noticed_and_tried_again),
        TEST(a_peer_that_accepts_and_says_nothing_times_out),
        TEST(a_host_that_does_not_resolve_has_a_reason_of_its_own),
        TEST(names_and_both_families_are_connected),
        TEST(a_full_queue_is_refused_and_what_waits_goes_out_in_order),
        TEST(what_waits_when_the_connection_is_closed_is_reported_before_the_end),
        TEST(what_waits_when_the_connection_drops_is_kept_or_failed),
        TEST(messages_on_their_way_when_the_connection_breaks_are_reported_once),
        TEST(each_framing_has_its_largest_message),
        TEST(what_is_no_message_is_not_sent),
        TEST(a_message_over_the_limit_is_dropped_whole_and_the_stream_goes_on),
        TEST(bytes_in_any_split_are_put_together),
        TEST(several_messages_in_one_segment_are_told_apart),
        TEST(malformed_messages_are_counted_and_confirmable_ones_rejected),
        TEST(garbage_ends_in_a_counted_drop_or_a_closed_connection),
        TEST(a_length_that_is_no_length_ends_the_connection),
        TEST(bytes_that_are_no_tls_record_end_the_connection),
        TEST(datagrams_of_others_change_nothing),
        TEST(the_options_of_tcp_reach_the_socket),
    };
#undef TEST
    return run_chosen_tests(tests, count, arguments);
}
