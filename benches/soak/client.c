/* The client of the soak: a program as a user writes it, with many connections on one context.
 *
 *   soak-client PORT CA_FILE CONNECTIONS [--leak]
 *
 * It opens so many connections to 127.0.0.1, sends a message on each once a second and whenever it is being made anew, and checks what it is told:
 *   violation TEXT                                       what the header promises was not kept
 *   incarnation CONNECTION FIRST LAST SESSION RECEIVED REASON  a connection that was ready has ended: which messages were reported as sent
 *                                                        over it, which session of the server's it had, and how many messages came
 *   sample READY HEAP                                    once a second: how many are ready, and the bytes that the heap has given out
 * and is told by standard input: `quiet` (send nothing more), `report` (say `live` as `incarnation` of each that is ready, then `reported`),
 * `close` (close everything, say how it stands before and after, and end). --leak: 100 bytes are lost at each reconnection, to show that
 * this is found out.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "message.h"

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <mbed_cloud_connectivity.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { QUEUE_LIMIT = 64, TICK_MS = 10, TICKS_A_SECOND = 1000 / TICK_MS, LEAK = 100 };

/* A message that was taken and not reported yet. */
typedef struct {
    uint64_t ticket; /* 0: none */
    uint32_t number;
} waiting_t;

typedef struct {
    mcc_connection_t *handle;
    uint32_t index;
    bool keeps_queued;
    pthread_mutex_t lock; /* what follows is the callback's and the sender's */
    waiting_t waiting[QUEUE_LIMIT];
    uint32_t next_number;
    uint32_t last_outcome; /* the latest message that was reported as sent */
    bool ready;
    uint32_t incarnations;
    /* Of the incarnation. */
    uint32_t first;
    uint32_t last;
    uint32_t session;
    uint32_t received;
} connection_t;

static struct {
    connection_t *connections;
    uint32_t count;
    mcc_context_t *context;
    char uri[64];
    char ca[16384];
    size_t ca_size;
    bool leak;
    atomic_uint ready;
    atomic_uint closed;
    atomic_ullong sent;
    atomic_ullong failed;
    atomic_ullong received;
    atomic_ullong taken;
    atomic_ullong refused;
} soak;

static _Noreturn void give_up(const char *what, const char *why)
{
    fprintf(stderr, "soak-client: %s: %s\n", what, why);
    exit(1);
}

static void check(mcc_status_t status, const char *what)
{
    if (status != MCC_OK) {
        give_up(what, mcc_status_text(status));
    }
}

/* ---- messages ---- */

/* The connection's lock is held: no outcome comes before it is noted what waits for it. */
static void send_message(connection_t *connection)
{
    uint8_t message[SOAK_LONGEST];
    waiting_t *waiting = connection->waiting;
    while (waiting < connection->waiting + QUEUE_LIMIT && waiting->ticket != 0) {
        waiting++;
    }
    if (waiting == connection->waiting + QUEUE_LIMIT) {
        atomic_fetch_add(&soak.refused, 1);
        return;
    }
    size_t size =
        soak_write(message, SOAK_REQUEST, (soak_message_t){.source = connection->index, .number = connection->next_number});
    uint64_t ticket = 0;
    mcc_status_t status = mcc_connection_send(connection->handle, message, size, &ticket);
    if (status == MCC_OK) {
        *waiting = (waiting_t){.ticket = ticket, .number = connection->next_number++};
        atomic_fetch_add(&soak.taken, 1);
    } else if (status == MCC_ERR_QUEUE_FULL || (status == MCC_ERR_NOT_CONNECTED && !connection->keeps_queued)) {
        atomic_fetch_add(&soak.refused, 1);
    } else {
        printf("violation connection %u: mcc_connection_send: %s\n", connection->index, mcc_status_name(status));
    }
}

/* ---- events ---- */

static void print_incarnation(const char *word, const connection_t *connection, mcc_status_t reason)
{
    printf("%s %u %u %u %u %u %s\n", word, connection->index, connection->first, connection->last, connection->session,
           connection->received, mcc_status_name(reason));
}

static void forget_incarnation(connection_t *connection)
{
    connection->first = connection->last = connection->session = connection->received = 0;
}

/* Ends the wait of a message; its number, or 0 if it was not waited for. */
static uint32_t outcome(connection_t *connection, uint64_t ticket, const char *what)
{
    for (unsigned index = 0; index < QUEUE_LIMIT; index++) {
        if (connection->waiting[index].ticket == ticket) {
            connection->waiting[index].ticket = 0;
            return connection->waiting[index].number;
        }
    }
    printf("violation connection %u: ticket %llu was reported as %s, and is not one that waits\n", connection->index,
           (unsigned long long)ticket, what);
    return 0;
}

static void was_sent(connection_t *connection, uint64_t ticket)
{
    uint32_t number = outcome(connection, ticket, "sent");
    if (!connection->ready) {
        printf("violation connection %u: message %u was reported as sent while there was no connection\n", connection->index, number);
    }
    if (number <= connection->last_outcome || (connection->first != 0 && number != connection->last + 1)) {
        printf("violation connection %u: message %u was reported as sent after message %u\n", connection->index, number,
               connection->last_outcome);
    }
    connection->first = connection->first != 0 ? connection->first : number;
    connection->last = connection->last_outcome = number;
    atomic_fetch_add(&soak.sent, 1);
}

static void message_came(connection_t *connection, const mcc_event_message_t *message)
{
    soak_message_t fields;
    if (!soak_read(message->data, message->size, SOAK_CONTENT, &fields)) {
        printf("violation connection %u: a message of %zu bytes is damaged\n", connection->index, message->size);
        return;
    }
    if ((connection->session != 0 && connection->session != fields.source) || fields.number != connection->received + 1) {
        printf("violation connection %u: message %u of session %u came after message %u of session %u\n", connection->index,
               fields.number, fields.source, connection->received, connection->session);
    }
    connection->session = fields.source;
    connection->received = fields.number;
    atomic_fetch_add(&soak.received, 1);
}

static void state_changed(connection_t *connection, const mcc_event_state_t *event)
{
    if (event->state == MCC_STATE_READY) {
        connection->ready = true;
        atomic_fetch_add(&soak.ready, 1);
        if (connection->incarnations++ > 0 && soak.leak) {
            *(volatile char *)malloc(LEAK) = 1;
        }
        return;
    }
    /* From the callback too, and before it is ready: if it never is, the message fails or waits for the next time. */
    if (event->state == MCC_STATE_HANDSHAKING && connection->incarnations > 0) {
        send_message(connection);
    }
    if (connection->ready) {
        connection->ready = false;
        atomic_fetch_sub(&soak.ready, 1);
        print_incarnation("incarnation", connection, event->reason);
        forget_incarnation(connection);
    } else if (event->state == MCC_STATE_WAITING) {
        printf("attempt %s\n", mcc_status_name(event->reason));
    }
    if (event->state == MCC_STATE_CLOSED) {
        for (unsigned index = 0; index < QUEUE_LIMIT; index++) {
            if (connection->waiting[index].ticket != 0) {
                printf("violation connection %u: message %u was never reported\n", connection->index, connection->waiting[index].number);
            }
        }
        atomic_fetch_add(&soak.closed, 1);
    }
}

static void on_event(void *argument, const mcc_event_t *event)
{
    connection_t *connection = argument;
    pthread_mutex_lock(&connection->lock);
    switch (event->type) {
    case MCC_EVENT_STATE:
        state_changed(connection, &event->data.state);
        break;
    case MCC_EVENT_MESSAGE:
        message_came(connection, &event->data.message);
        break;
    case MCC_EVENT_SENT:
        was_sent(connection, event->data.sent.ticket);
        break;
    case MCC_EVENT_FAILED:
        (void)outcome(connection, event->data.failed.ticket, "failed");
        atomic_fetch_add(&soak.failed, 1);
        break;
    case MCC_EVENT_DROPPED:
        printf("violation connection %u: a message of %llu bytes was dropped\n", connection->index,
               (unsigned long long)event->data.dropped.size);
        break;
    default:
        break;
    }
    pthread_mutex_unlock(&connection->lock);
}

/* ---- calls ---- */

static void open_connection(connection_t *connection)
{
    mcc_tls_options_t tls = MCC_TLS_OPTIONS_INIT;
    mcc_connection_options_t options = MCC_CONNECTION_OPTIONS_INIT;
    tls.ca = (const uint8_t *)soak.ca;
    tls.ca_size = soak.ca_size;
    /* Both versions, and both fates of what is queued when a connection ends. */
    tls.max_version = connection->index % 2 == 0 ? MCC_TLS_1_3 : MCC_TLS_1_2;
    connection->keeps_queued = connection->index % 4 >= 2;
    options.keep_queued_messages = connection->keeps_queued;
    options.uri = soak.uri;
    options.callback = on_event;
    options.argument = connection;
    options.tls = &tls;
    options.transport = MCC_TRANSPORT_TCP;
    options.queue_limit = QUEUE_LIMIT;
    /* Soon found, and soon back: as many reconnections as can be in the time. After a restart of the server they are spread, so that it
     * is not for the machine to say how many handshakes are made at once. */
    options.keepalive_interval_s = 3;
    options.keepalive_timeout_ms = 2000;
    options.handshake_timeout_ms = 8000;
    options.backoff_base_ms = 500;
    options.backoff_cap_s = 2;
    options.peer_closed_wait_ms = 6000;
    check(mcc_connection_open(soak.context, &options, &connection->handle), "mcc_connection_open");
}

/* ---- the process, as the system sees it ---- */

static size_t heap(void)
{
    struct mallinfo2 information = mallinfo2();
    return information.uordblks + information.hblkhd;
}

static unsigned entries(const char *path)
{
    unsigned count = 0;
    DIR *directory = opendir(path);
    if (directory == NULL) {
        give_up(path, strerror(errno));
    }
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    closedir(directory);
    return count;
}

static void print_process(const char *word)
{
    size_t bytes = heap();
    printf("%s %zu %u %u\n", word, bytes, entries("/proc/self/fd"), entries("/proc/self/task"));
}

/* ---- start and end ---- */

static void wait_a_tick(void)
{
    struct timespec tick = {.tv_nsec = TICK_MS * 1000000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &tick, NULL);
}

/* The first connection brings what all others use: it is not counted. */
static void warm_up(void)
{
    check(mcc_context_new(NULL, &soak.context), "mcc_context_new");
    open_connection(&soak.connections[0]);
    while (atomic_load(&soak.ready) == 0) {
        wait_a_tick();
    }
    mcc_context_free(soak.context);
    atomic_store(&soak.closed, 0);
    soak.connections[0].incarnations = 0;
}

static void report(void)
{
    for (uint32_t index = 0; index < soak.count; index++) {
        connection_t *connection = &soak.connections[index];
        pthread_mutex_lock(&connection->lock);
        if (connection->ready) {
            print_incarnation("live", connection, MCC_OK);
        }
        pthread_mutex_unlock(&connection->lock);
    }
    printf("reported\n");
}

static void close_all(void)
{
    /* Half of them by themselves, the others with the context. */
    for (uint32_t index = 0; index < soak.count; index += 2) {
        mcc_connection_close(soak.connections[index].handle);
    }
    mcc_context_free(soak.context);
    if (atomic_load(&soak.closed) != soak.count) {
        printf("violation %u of %u connections were reported as closed\n", atomic_load(&soak.closed), soak.count);
    }
    print_process("after");
    printf("messages %llu %llu %llu %llu %llu\n", atomic_load(&soak.taken), atomic_load(&soak.sent), atomic_load(&soak.failed), atomic_load(&soak.refused),
           atomic_load(&soak.received));
}

static void read_ca(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        give_up(path, strerror(errno));
    }
    soak.ca_size = fread(soak.ca, 1, sizeof soak.ca - 1, file);
    fclose(file);
}

int main(int count, char **arguments)
{
    static char output[65536];
    if (count < 4) {
        fprintf(stderr, "usage: soak-client PORT CA_FILE CONNECTIONS [--leak]\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setvbuf(stdout, output, _IOLBF, sizeof output);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    snprintf(soak.uri, sizeof soak.uri, "coaps://127.0.0.1:%s", arguments[1]);
    read_ca(arguments[2]);
    soak.count = (uint32_t)strtoul(arguments[3], NULL, 10);
    soak.leak = count > 4 && strcmp(arguments[4], "--leak") == 0;
    soak.connections = calloc(soak.count, sizeof *soak.connections);
    if (soak.connections == NULL) {
        give_up("calloc", strerror(errno));
    }
    for (uint32_t index = 0; index < soak.count; index++) {
        connection_t *connection = &soak.connections[index];
        connection->index = index;
        connection->next_number = 1;
        pthread_mutex_init(&connection->lock, NULL);
    }
    warm_up();
    print_process("before");
    check(mcc_context_new(NULL, &soak.context), "mcc_context_new");
    for (uint32_t index = 0; index < soak.count; index++) {
        open_connection(&soak.connections[index]);
    }
    bool quiet = false;
    for (unsigned tick = 0;; tick++) {
        if (!quiet) {
            for (uint32_t index = tick % TICKS_A_SECOND; index < soak.count; index += TICKS_A_SECOND) {
                connection_t *connection = &soak.connections[index];
                pthread_mutex_lock(&connection->lock);
                send_message(connection);
                pthread_mutex_unlock(&connection->lock);
            }
        }
        if (tick % TICKS_A_SECOND == 0) {
            printf("sample %u %zu\n", atomic_load(&soak.ready), heap());
        }
        struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
        if (poll(&input, 1, TICK_MS) == 1) {
            char text[256];
            ssize_t size = read(STDIN_FILENO, text, sizeof text - 1);
            if (size <= 0) {
                return 1;
            }
            text[size] = '\0';
            quiet = quiet || strstr(text, "quiet") != NULL;
            if (strstr(text, "report") != NULL) {
                report();
            }
            if (strstr(text, "close") != NULL) {
                close_all();
                return 0;
            }
        }
    }
}
