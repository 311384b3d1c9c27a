/* Messages through many connections over TLS at a time, by the C interface of the library, on one context with its own thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "bench.h"
#include "bench_messages.h"

#include <errno.h>
#include <mbed_cloud_connectivity.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    crowd_client_t *crowd;
    mcc_connection_t *handle;
    sem_t slots; /* places in its queue */
} member_t;

struct crowd_client {
    mcc_context_t *context;
    member_t *members;
    unsigned count;
    sem_t ready;
    sem_t done;
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

static void on_event(void *argument, const mcc_event_t *event)
{
    member_t *member = argument;
    switch (event->type) {
    case MCC_EVENT_STATE:
        if (event->data.state.state == MCC_STATE_READY) {
            sem_post(&member->crowd->ready);
        } else if (event->data.state.state == MCC_STATE_WAITING) {
            give_up("a connection failed: %s", event->data.state.text);
        }
        break;
    case MCC_EVENT_MESSAGE:
        sem_post(&member->crowd->done);
        break;
    case MCC_EVENT_SENT:
        sem_post(&member->slots);
        break;
    case MCC_EVENT_FAILED:
        give_up("a message was lost");
    default:
        break;
    }
}

crowd_client_t *open_crowd(uint16_t port, const text_t *ca, unsigned count)
{
    char uri[64];
    crowd_client_t *crowd = calloc(1, sizeof *crowd);
    member_t *members = calloc(count, sizeof *members);
    if (crowd == NULL || members == NULL) {
        give_up("no memory");
    }
    *crowd = (crowd_client_t){.members = members, .count = count};
    sem_init(&crowd->ready, 0, 0);
    sem_init(&crowd->done, 0, 0);
    check(mcc_context_new(NULL, &crowd->context), "mcc_context_new");
    snprintf(uri, sizeof uri, "coaps+tcp://127.0.0.1:%u", port);
    mcc_tls_options_t tls = MCC_TLS_OPTIONS_INIT;
    tls.ca = (const uint8_t *)ca->bytes;
    tls.ca_size = ca->size;
    for (unsigned index = 0; index < count; index++) {
        member_t *member = &members[index];
        member->crowd = crowd;
        sem_init(&member->slots, 0, BENCH_QUEUE);
        mcc_connection_options_t options = MCC_CONNECTION_OPTIONS_INIT;
        options.uri = uri;
        options.tls = &tls;
        options.callback = on_event;
        options.argument = member;
        options.queue_limit = BENCH_QUEUE;
        check(mcc_connection_open(crowd->context, &options, &member->handle), "mcc_connection_open");
    }
    for (unsigned index = 0; index < count; index++) {
        wait_for(&crowd->ready);
    }
    return crowd;
}

void close_crowd(crowd_client_t *crowd)
{
    mcc_context_free(crowd->context);
    for (unsigned index = 0; index < crowd->count; index++) {
        sem_destroy(&crowd->members[index].slots);
    }
    sem_destroy(&crowd->ready);
    sem_destroy(&crowd->done);
    free(crowd->members);
    free(crowd);
}

static void send_message(member_t *member, const uint8_t *message, size_t size)
{
    wait_for(&member->slots);
    check(mcc_connection_send(member->handle, message, size, NULL), "mcc_connection_send");
}

double crowd_stream(crowd_client_t *crowd, unsigned count)
{
    uint8_t filler[MESSAGE_SIZE];
    uint8_t barrier[MESSAGE_SIZE];
    size_t filler_size = filler_message(filler);
    size_t barrier_size = barrier_request(barrier);
    uint64_t begin = nanoseconds_now();
    for (unsigned index = 0; index < count; index++) {
        send_message(&crowd->members[index % crowd->count], filler, filler_size);
    }
    for (unsigned index = 0; index < crowd->count; index++) {
        send_message(&crowd->members[index], barrier, barrier_size);
    }
    for (unsigned index = 0; index < crowd->count; index++) {
        wait_for(&crowd->done);
    }
    return (double)(nanoseconds_now() - begin) / count;
}

/* ---- CoAP messages without a connection ---- */

double write_pings(unsigned count)
{
    uint8_t ping[4];
    uint64_t begin = nanoseconds_now();
    for (unsigned index = 0; index < count; index++) {
        if (mcc_coap_ping_encode((uint16_t)index, ping) != sizeof ping) {
            give_up("mcc_coap_ping_encode");
        }
    }
    return (double)(nanoseconds_now() - begin) / count;
}

double match_pings(unsigned count)
{
    const uint8_t reset[] = {0x70, 0x00, 0x12, 0x34};
    uint64_t begin = nanoseconds_now();
    for (unsigned index = 0; index < count; index++) {
        if (!mcc_coap_ping_matches(reset, sizeof reset, 0x1234)) {
            give_up("mcc_coap_ping_matches");
        }
    }
    return (double)(nanoseconds_now() - begin) / count;
}

double read_messages(unsigned count)
{
    uint8_t message[BENCH_MESSAGE_SIZE];
    size_t size = bench_typical_message(message);
    mcc_keepalive_t *keepalive = NULL;
    check(mcc_keepalive_new(NULL, &keepalive), "mcc_keepalive_new");
    uint64_t begin = nanoseconds_now();
    for (unsigned index = 0; index < count; index++) {
        check(mcc_keepalive_on_received(keepalive, index, message, size), "mcc_keepalive_on_received");
    }
    double nanoseconds = (double)(nanoseconds_now() - begin) / count;
    mcc_keepalive_free(keepalive);
    return nanoseconds;
}
