/* Many idle connections over TLS in one process, and what they cost it.
 *
 *   bench-idle PORT CA_FILE CONNECTIONS SECONDS INTERVAL
 *
 * It opens them to 127.0.0.1 and waits until all are ready. Then it looks for so many seconds at what the library's thread does. The pings
 * of a fleet that has been up for long are spread evenly over the interval; so each connection is given its own time for the first one,
 * and the interval from then on. It prints `idle HEAP RESIDENT PROCESSOR_TIME SWITCHES PINGS`: bytes for each connection, and of the
 * window nanoseconds, voluntary context switches of the library's thread, and pings that were answered.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <malloc.h>
#include <mbed_cloud_connectivity.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Handshakes at a time, so that none runs out of time. */
enum { AT_ONCE = 200, PATIENCE_S = 300, TICK_US = 2000 };

static struct {
    atomic_uint ready;
    atomic_uint pings;
    uint32_t interval;
    time_t *ready_at; /* by connection */
} idle;

_Noreturn void give_up(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("bench-idle: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    _exit(1);
}

static time_t seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static void on_event(void *argument, const mcc_event_t *event)
{
    if (event->type == MCC_EVENT_STATE && event->data.state.state == MCC_STATE_READY) {
        *(time_t *)argument = seconds_now();
        atomic_fetch_add(&idle.ready, 1);
    } else if (event->type == MCC_EVENT_STATE && event->data.state.state == MCC_STATE_WAITING) {
        give_up("a connection failed: %s", event->data.state.text);
    } else if (event->type == MCC_EVENT_PING_ANSWERED) {
        atomic_fetch_add(&idle.pings, 1);
        (void)mcc_connection_set_keepalive(event->connection, idle.interval);
    }
}

static double heap_bytes(void)
{
    struct mallinfo2 information = mallinfo2();
    return (double)information.uordblks + (double)information.hblkhd;
}

static double resident_bytes(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*u %llu", &pages) != 1) {
        give_up("/proc/self/statm: %s", strerror(errno));
    }
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static mcc_connection_t *open_one(mcc_context_t *context, const char *uri, const mcc_tls_options_t *tls, time_t *ready_at)
{
    mcc_connection_options_t options = MCC_CONNECTION_OPTIONS_INIT;
    mcc_connection_t *connection = NULL;
    options.uri = uri;
    options.transport = MCC_TRANSPORT_TCP;
    options.tls = tls;
    options.callback = on_event;
    options.argument = ready_at;
    options.keepalive_interval_s = idle.interval;
    options.keepalive_jitter_percent = 0;
    mcc_status_t status = mcc_connection_open(context, &options, &connection);
    if (status != MCC_OK) {
        give_up("mcc_connection_open: %s", mcc_status_text(status));
    }
    return connection;
}

int main(int count, char **arguments)
{
    static char ca[65536];
    if (count != 6) {
        fprintf(stderr, "usage: bench-idle PORT CA_FILE CONNECTIONS SECONDS INTERVAL\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    alarm(PATIENCE_S);
    char uri[64];
    snprintf(uri, sizeof uri, "coaps://127.0.0.1:%s", arguments[1]);
    FILE *file = fopen(arguments[2], "r");
    if (file == NULL) {
        give_up("%s: %s", arguments[2], strerror(errno));
    }
    mcc_tls_options_t tls = MCC_TLS_OPTIONS_INIT;
    tls.ca = (const uint8_t *)ca;
    tls.ca_size = fread(ca, 1, sizeof ca - 1, file);
    fclose(file);
    unsigned connections = (unsigned)strtoul(arguments[3], NULL, 10);
    unsigned seconds = (unsigned)strtoul(arguments[4], NULL, 10);
    idle.interval = (uint32_t)strtoul(arguments[5], NULL, 10);
    mcc_connection_t **opened = calloc(connections, sizeof *opened);
    mcc_context_t *context = NULL;
    idle.ready_at = calloc(connections + 1, sizeof *idle.ready_at);
    if (opened == NULL || idle.ready_at == NULL || mcc_context_new(NULL, &context) != MCC_OK) {
        give_up("no context");
    }
    /* The first one brings what all others use. */
    (void)open_one(context, uri, &tls, &idle.ready_at[connections]);
    while (atomic_load(&idle.ready) < 1) {
        usleep(TICK_US);
    }
    double heap = heap_bytes();
    double resident = resident_bytes();
    for (unsigned index = 0; index < connections; index++) {
        while (index + 1 >= atomic_load(&idle.ready) + AT_ONCE) {
            usleep(TICK_US);
        }
        opened[index] = open_one(context, uri, &tls, &idle.ready_at[index]);
    }
    while (atomic_load(&idle.ready) < connections + 1) {
        usleep(TICK_US);
    }
    /* Tickets come after the handshakes. */
    sleep(1);
    heap = heap_bytes() - heap;
    resident = resident_bytes() - resident;
    /* The interval counts from the latest traffic, which is the handshake. */
    time_t begin = seconds_now() + 1;
    for (unsigned index = 0; index < connections; index++) {
        uint32_t phase = (uint32_t)((uint64_t)index * idle.interval / connections);
        (void)mcc_connection_set_keepalive(opened[index], (uint32_t)(begin - idle.ready_at[index]) + 1 + phase);
    }
    sleep(2);
    unsigned pings = atomic_load(&idle.pings);
    activity_t activity = idle_activity(seconds);
    pings = atomic_load(&idle.pings) - pings;
    printf("idle %.0f %.0f %llu %llu %u\n", heap / connections, resident / connections, (unsigned long long)activity.cpu_time_ns,
           (unsigned long long)activity.voluntary_switches, pings);
    fflush(stdout);
    /* Ended from outside: closing thousands of connections is not what is measured. */
    pause();
    return 0;
}
