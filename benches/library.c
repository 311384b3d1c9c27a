/* The same as the bare loops through the C interface of the library, on a context with its own thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <mbed_cloud_connectivity.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TIME_IN_MESSAGE = 4 + 1, QUEUE_LIMIT = 64 };

struct client {
    mcc_context_t *context;
    mcc_connection_t *connection;
    sem_t ready;
    sem_t done;  /* what this side asked for has happened */
    sem_t slots; /* places in the queue */
    /* While a semaphore is waited for the rest belongs to the callback. */
    bool pings; /* else an answer is that of the keepalive, and is not counted */
    bool pings_itself;
    bool wants_times;
    unsigned left;
    uint64_t begin;
    samples_t called;
    samples_t reported;
};

static void check(mcc_status_t status, const char *what)
{
    if (status != MCC_OK) {
        give_up("%s: %s", what, mcc_status_text(status));
    }
}

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) {
        if (errno != EINTR) {
            give_up("sem_wait: %s", strerror(errno));
        }
    }
}

static void ping_answered(client_t *client, uint64_t now, uint64_t round_trip_us)
{
    if (!client->pings) {
        return;
    }
    sample(&client->called, now - client->begin);
    sample(&client->reported, round_trip_us * 1000);
    if (client->pings_itself && --client->left > 0) {
        client->begin = nanoseconds_now();
        check(mcc_connection_ping(client->connection), "mcc_connection_ping");
        return;
    }
    sem_post(&client->done);
}

static void message_came(client_t *client, uint64_t now, const mcc_event_message_t *message)
{
    if (client->wants_times) {
        uint64_t sent;
        memcpy(&sent, message->data + TIME_IN_MESSAGE, sizeof sent);
        sample(&client->called, now - sent);
        if (--client->left > 0) {
            return;
        }
    }
    sem_post(&client->done);
}

static void on_event(void *argument, const mcc_event_t *event)
{
    uint64_t now = nanoseconds_now();
    client_t *client = argument;
    switch (event->type) {
    case MCC_EVENT_STATE:
        if (event->data.state.state == MCC_STATE_READY) {
            sem_post(&client->ready);
        } else if (event->data.state.state == MCC_STATE_WAITING) {
            give_up("the connection failed: %s", event->data.state.text);
        }
        break;
    case MCC_EVENT_PING_ANSWERED:
        ping_answered(client, now, event->data.ping_answered.round_trip_us);
        break;
    case MCC_EVENT_MESSAGE:
        message_came(client, now, &event->data.message);
        break;
    case MCC_EVENT_SENT:
        sem_post(&client->slots);
        break;
    case MCC_EVENT_FAILED:
    case MCC_EVENT_PING_LOST:
        give_up("a message or a ping was lost");
    default:
        break;
    }
}

client_t *open_client(const char *uri, const char *ca, size_t ca_size, uint32_t keepalive_interval_s)
{
    client_t *client = calloc(1, sizeof *client);
    if (client == NULL) {
        give_up("no memory");
    }
    sem_init(&client->ready, 0, 0);
    sem_init(&client->done, 0, 0);
    sem_init(&client->slots, 0, QUEUE_LIMIT);
    check(mcc_context_new(NULL, &client->context), "mcc_context_new");
    mcc_tls_options_t tls = MCC_TLS_OPTIONS_INIT;
    tls.ca = (const uint8_t *)ca;
    tls.ca_size = ca_size;
    tls.min_version = MCC_TLS_1_3;
    mcc_connection_options_t options = MCC_CONNECTION_OPTIONS_INIT;
    options.uri = uri;
    options.callback = on_event;
    options.argument = client;
    options.tls = ca != NULL ? &tls : NULL;
    options.transport = MCC_TRANSPORT_TCP;
    options.queue_limit = QUEUE_LIMIT;
    options.keepalive_interval_s = keepalive_interval_s;
    check(mcc_connection_open(client->context, &options, &client->connection), "mcc_connection_open");
    wait_for(&client->ready);
    return client;
}

void close_client(client_t *client)
{
    mcc_context_free(client->context);
    sem_destroy(&client->ready);
    sem_destroy(&client->done);
    sem_destroy(&client->slots);
    free(client->called.values);
    free(client->reported.values);
    free(client);
}

void ping_from_outside(client_t *client, unsigned count, side_t *called, side_t *reported)
{
    client->pings = true;
    client->pings_itself = false;
    for (unsigned index = 0; index < count; index++) {
        client->begin = nanoseconds_now();
        check(mcc_connection_ping(client->connection), "mcc_connection_ping");
        wait_for(&client->done);
    }
    client->pings = false;
    *called = summarise(&client->called);
    *reported = summarise(&client->reported);
}

side_t ping_from_callback(client_t *client, unsigned count)
{
    client->pings = true;
    client->pings_itself = true;
    /* The first one comes from here, and is one of many. */
    client->left = count;
    client->begin = nanoseconds_now();
    check(mcc_connection_ping(client->connection), "mcc_connection_ping");
    wait_for(&client->done);
    client->pings = false;
    (void)summarise(&client->reported);
    return summarise(&client->called);
}

static void send_message(client_t *client, const uint8_t *message, size_t size)
{
    wait_for(&client->slots);
    check(mcc_connection_send(client->connection, message, size, NULL), "mcc_connection_send");
}

side_t library_latency(client_t *client, unsigned count)
{
    uint8_t request[MESSAGE_SIZE];
    client->wants_times = true;
    client->left = count;
    send_message(client, request, burst_request(request, count));
    wait_for(&client->done);
    client->wants_times = false;
    return summarise(&client->called);
}

uint64_t library_stream(client_t *client, unsigned count)
{
    uint8_t filler[MESSAGE_SIZE];
    uint8_t barrier[MESSAGE_SIZE];
    size_t filler_size = filler_message(filler);
    size_t barrier_size = barrier_request(barrier);
    uint64_t begin = nanoseconds_now();
    for (unsigned index = 0; index < count; index++) {
        send_message(client, filler, filler_size);
    }
    send_message(client, barrier, barrier_size);
    wait_for(&client->done);
    return nanoseconds_now() - begin;
}
