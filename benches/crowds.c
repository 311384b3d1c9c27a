/* What is measured in turns with more than one other side, or from outside of the process: messages over one and many connections over
 * TLS beside a bare loop and beside libcoap, CoAP messages without a connection, the time from a program's start to its first byte, and
 * many idle connections.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PLACEMENTS = 2, STREAMS = 2, PORT_TEXT = 16 };

typedef enum { LIBRARY, BARE, LIBCOAP, SIDES } side_name_t;
typedef enum { WRITTEN, MATCHED, READ, MESSAGES } message_name_t;

/* Nanoseconds of one, round by round. */
typedef struct {
    double sides[SIDES][MAXIMUM_ROUNDS];
} comparison_t;

static const unsigned members[STREAMS] = {1, 100};
static const char *const stream_keys[STREAMS] = {"one_connection", "100_connections"};
static const char *const placement_names[PLACEMENTS] = {"one core", "two cores"};
static const char *const placement_keys[PLACEMENTS] = {"one_core", "two_cores"};
static const char *const side_keys[SIDES] = {"library_ns", "bare_ns", "libcoap_ns"};
static const struct {
    const char *name;
    const char *key;
    double (*measure)(unsigned count);
} message_names[MESSAGES] = {
    {"a ping is written", "written", write_pings},
    {"the answer to a ping is recognised", "matched", match_pings},
    {"a message of 100 bytes with four options is read", "read", read_messages},
};

static struct {
    const crowds_plan_t *plan;
    unsigned placements;
    comparison_t streams[PLACEMENTS][STREAMS];
    comparison_t messages[MESSAGES];
    comparison_t starts;
    unsigned idle_connections;
    double idle_heap;
    double idle_resident;
    unsigned long long idle_cpu_time_ns;
    unsigned long long idle_switches;
    unsigned idle_pings;
} crowds;

static void program_path(char path[512], const char *name)
{
    snprintf(path, 512, "%s/%s", crowds.plan->programs, name);
}

/* ---- messages over TLS ---- */

static child_t start_libcoap(uint16_t port, unsigned count)
{
    char path[512];
    char port_text[PORT_TEXT];
    char count_text[PORT_TEXT];
    program_path(path, "bench-libcoap");
    snprintf(port_text, sizeof port_text, "%u", port);
    snprintf(count_text, sizeof count_text, "%u", count);
    char *arguments[] = {path, port_text, (char *)crowds.plan->ca, count_text, NULL};
    child_t child = start_child(arguments);
    char rest[64];
    read_line(&child, "ready", rest, sizeof rest);
    return child;
}

static void set_bare_tls(uint16_t port)
{
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    setenv("BENCH_ADDRESS", address, 1);
    setenv("BENCH_VERSION", "1.3", 1);
    setenv("BENCH_CA", crowds.plan->ca, 1);
}

static child_t start_bare(uint16_t port, unsigned count)
{
    char count_text[PORT_TEXT];
    snprintf(count_text, sizeof count_text, "%u", count);
    set_bare_tls(port);
    setenv("BENCH_CROWD", count_text, 1);
    char *arguments[] = {(char *)crowds.plan->bare_tls, NULL};
    child_t child = start_child(arguments);
    unsetenv("BENCH_CROWD");
    char rest[64];
    read_line(&child, "ready", rest, sizeof rest);
    return child;
}

/* Has another program do something so many times: nanoseconds of one. */
static double ask(const child_t *child, const char *what, unsigned count)
{
    char line[64];
    snprintf(line, sizeof line, "%s %u\n", what, count);
    write_line(child, line);
    read_line(child, "round ", line, sizeof line);
    return strtod(line, NULL);
}

static double stream_of(side_name_t side, crowd_client_t *crowd, const child_t *bare, const child_t *libcoap, unsigned count)
{
    switch (side) {
    case LIBRARY:
        return crowd_stream(crowd, count);
    case BARE:
        return ask(bare, "stream", count);
    default:
        return ask(libcoap, "stream", count);
    }
}

void measure_streams(unsigned placement, uint16_t port)
{
    const crowds_plan_t *plan = crowds.plan;
    crowds.placements = placement + 1;
    for (unsigned index = 0; index < STREAMS; index++) {
        crowd_client_t *crowd = open_crowd(port, plan->ca_text, members[index]);
        child_t bare = start_bare(port, members[index]);
        child_t libcoap = start_libcoap(port, members[index]);
        comparison_t *comparison = &crowds.streams[placement][index];
        for (unsigned side = 0; side < SIDES; side++) {
            (void)stream_of(side, crowd, &bare, &libcoap, plan->stream);
        }
        for (unsigned round = 0; round < plan->rounds; round++) {
            for (unsigned turn = 0; turn < SIDES; turn++) {
                side_name_t side = (turn + round) % SIDES;
                comparison->sides[side][round] = stream_of(side, crowd, &bare, &libcoap, plan->stream);
            }
        }
        end_child(&bare);
        end_child(&libcoap);
        close_crowd(crowd);
    }
}

/* ---- messages without a connection ---- */

void measure_coap(uint16_t port)
{
    const crowds_plan_t *plan = crowds.plan;
    child_t libcoap = start_libcoap(port, 1);
    for (unsigned round = 0; round < plan->rounds; round++) {
        for (message_name_t name = 0; name < MESSAGES; name++) {
            comparison_t *comparison = &crowds.messages[name];
            for (unsigned turn = 0; turn < 2; turn++) {
                if (turn == round % 2) {
                    comparison->sides[LIBRARY][round] = message_names[name].measure(plan->messages);
                } else {
                    comparison->sides[LIBCOAP][round] = ask(&libcoap, message_names[name].key, plan->messages);
                }
            }
        }
    }
    end_child(&libcoap);
}

/* ---- from a program's start to its first byte ---- */

static double first_byte(int listener, char *const arguments[])
{
    uint64_t begin = nanoseconds_now();
    pid_t process = fork();
    if (process < 0) {
        give_up("fork: %s", strerror(errno));
    }
    if (process == 0) {
        execv(arguments[0], arguments);
        _exit(127);
    }
    int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    uint8_t byte;
    if (connection < 0 || recv(connection, &byte, 1, 0) != 1) {
        give_up("%s: %s", arguments[0], strerror(errno));
    }
    double nanoseconds = (double)(nanoseconds_now() - begin);
    kill(process, SIGKILL);
    waitpid(process, NULL, 0);
    close(connection);
    return nanoseconds;
}

static int compare_times(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return a < b ? -1 : a > b;
}

/* The median of a round. */
static double first_byte_of(side_name_t side, int listener, uint16_t port)
{
    static double values[1024];
    char path[512];
    char place[64];
    char *bare[] = {(char *)crowds.plan->bare_tls, NULL};
    char *library[] = {path, place, (char *)crowds.plan->ca, NULL};
    char *libcoap[] = {path, place, (char *)crowds.plan->ca, "1", NULL};
    if (side == LIBRARY) {
        program_path(path, "bench-start");
        snprintf(place, sizeof place, "coaps://127.0.0.1:%u", port);
    } else {
        program_path(path, "bench-libcoap");
        snprintf(place, sizeof place, "%u", port);
    }
    char **const arguments[SIDES] = {library, bare, libcoap};
    for (unsigned index = 0; index < crowds.plan->starts; index++) {
        values[index] = first_byte(listener, arguments[side]);
    }
    qsort(values, crowds.plan->starts, sizeof *values, compare_times);
    return values[(crowds.plan->starts - 1) / 2];
}

void measure_starts(void)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 16) != 0
        || getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        give_up("a port: %s", strerror(errno));
    }
    uint16_t port = ntohs(address.sin_port);
    set_bare_tls(port);
    for (unsigned side = 0; side < SIDES; side++) {
        (void)first_byte_of(side, listener, port);
    }
    for (unsigned round = 0; round < crowds.plan->rounds; round++) {
        for (unsigned turn = 0; turn < SIDES; turn++) {
            side_name_t side = (turn + round) % SIDES;
            crowds.starts.sides[side][round] = first_byte_of(side, listener, port);
        }
    }
    close(listener);
}

/* ---- many idle connections ---- */

child_t start_crowd_server(uint16_t *record_port, uint16_t *rfc8323_port)
{
    char path[512];
    char text[64];
    program_path(path, "crowd-server");
    char *arguments[] = {path, (char *)crowds.plan->certificate, (char *)crowds.plan->key, "0", NULL};
    child_t server = start_child(arguments);
    read_line(&server, "record ", text, sizeof text);
    *record_port = (uint16_t)strtoul(text, NULL, 10);
    read_line(&server, "rfc8323 ", text, sizeof text);
    *rfc8323_port = (uint16_t)strtoul(text, NULL, 10);
    return server;
}

void measure_idle(uint16_t port)
{
    struct rlimit limit;
    char path[512];
    char texts[4][PORT_TEXT];
    char line[256];
    crowds.idle_connections = crowds.plan->idle_connections;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < crowds.idle_connections + 100) {
        crowds.idle_connections = (unsigned)limit.rlim_max - 100;
    }
    program_path(path, "bench-idle");
    snprintf(texts[0], PORT_TEXT, "%u", port);
    snprintf(texts[1], PORT_TEXT, "%u", crowds.idle_connections);
    snprintf(texts[2], PORT_TEXT, "%u", crowds.plan->idle_seconds);
    snprintf(texts[3], PORT_TEXT, "%u", crowds.plan->interval_s);
    char *arguments[] = {path, texts[0], (char *)crowds.plan->ca, texts[1], texts[2], texts[3], NULL};
    child_t child = start_child(arguments);
    read_line(&child, "idle ", line, sizeof line);
    if (sscanf(line, "%lf %lf %llu %llu %u", &crowds.idle_heap, &crowds.idle_resident, &crowds.idle_cpu_time_ns, &crowds.idle_switches,
               &crowds.idle_pings) != 5) {
        give_up("bench-idle said: %s", line);
    }
    end_child(&child);
}

void plan_crowds(const crowds_plan_t *plan)
{
    crowds.plan = plan;
}

/* ---- the results ---- */

static spread_t spread_of(const comparison_t *comparison, side_name_t side)
{
    double values[MAXIMUM_ROUNDS];
    memcpy(values, comparison->sides[side], sizeof values);
    return spread(values, crowds.plan->rounds);
}

static spread_t spread_of_ratio(const comparison_t *comparison, side_name_t other)
{
    double values[MAXIMUM_ROUNDS];
    for (unsigned round = 0; round < crowds.plan->rounds; round++) {
        values[round] = comparison->sides[LIBRARY][round] / comparison->sides[other][round];
    }
    return spread(values, crowds.plan->rounds);
}

static void print_ratio(const comparison_t *comparison, side_name_t other)
{
    spread_t ratio = spread_of_ratio(comparison, other);
    printf(" **%.2f** (%.2f–%.2f) |", ratio.median, ratio.low, ratio.high);
}

static void print_streams(void)
{
    printf("\n| sending over TLS, a message of 100 bytes, RFC 8323 | on | messages a second | library / bare / libcoap | library / bare | "
           "library / libcoap |\n| --- | --- | --- | --- | --- | --- |\n");
    for (unsigned index = 0; index < STREAMS; index++) {
        for (unsigned placement = 0; placement < crowds.placements; placement++) {
            const comparison_t *comparison = &crowds.streams[placement][index];
            double library = spread_of(comparison, LIBRARY).median;
            printf("| over %u connection%s | %s | %.0f | %.2f / %.2f / %.2f µs |", members[index], members[index] == 1 ? "" : "s",
                   placement_names[placement], 1e9 / library, library / 1000, spread_of(comparison, BARE).median / 1000,
                   spread_of(comparison, LIBCOAP).median / 1000);
            print_ratio(comparison, BARE);
            print_ratio(comparison, LIBCOAP);
            printf("\n");
        }
    }
}

static void print_messages(void)
{
    printf("\n| CoAP beside libcoap | library / libcoap | ratio |\n| --- | --- | --- |\n");
    for (message_name_t name = 0; name < MESSAGES; name++) {
        const comparison_t *comparison = &crowds.messages[name];
        printf("| %s | %.1f / %.1f ns |", message_names[name].name, spread_of(comparison, LIBRARY).median,
               spread_of(comparison, LIBCOAP).median);
        print_ratio(comparison, LIBCOAP);
        printf("\n");
    }
}

static void print_starts(void)
{
    printf("\n| from the program's start to its first byte in the network | library / bare / libcoap | library / bare | library / libcoap "
           "|\n| --- | --- | --- | --- |\n| the first record of TLS | %.2f / %.2f / %.2f ms |",
           spread_of(&crowds.starts, LIBRARY).median / 1e6, spread_of(&crowds.starts, BARE).median / 1e6,
           spread_of(&crowds.starts, LIBCOAP).median / 1e6);
    print_ratio(&crowds.starts, BARE);
    print_ratio(&crowds.starts, LIBCOAP);
    printf("\n");
}

static double hourly(double in_window)
{
    return in_window * 3600 / crowds.plan->idle_seconds / crowds.idle_connections;
}

static void print_idle_crowd(void)
{
    double pings = 3600.0 / crowds.plan->interval_s;
    printf("\n| %u idle connections over TLS in one process, interval %u s, seen for %u s | each | expected |\n| --- | --- | --- |\n",
           crowds.idle_connections, crowds.plan->interval_s, crowds.plan->idle_seconds);
    printf("| heap | **%.0f bytes** | |\n| resident memory | **%.0f bytes** | |\n", crowds.idle_heap, crowds.idle_resident);
    printf("| pings an hour | %.2f | %.2f |\n", hourly(crowds.idle_pings), pings);
    printf("| wake-ups of the library's thread an hour | **%.2f** | %.2f at most: two for each of these pings |\n",
           hourly((double)crowds.idle_switches), 2 * hourly(crowds.idle_pings));
    printf("| processor time an hour | %.0f µs | |\n", hourly((double)crowds.idle_cpu_time_ns) / 1000);
}

void print_crowds_of_connections(void)
{
    print_streams();
    print_messages();
    print_starts();
    print_idle_crowd();
}

static void write_comparison(FILE *file, const comparison_t *comparison)
{
    fprintf(file, "[");
    for (unsigned round = 0; round < crowds.plan->rounds; round++) {
        fprintf(file, "%s{", round > 0 ? ", " : "");
        for (unsigned side = 0; side < SIDES; side++) {
            /* Not every comparison has all sides. */
            if (comparison->sides[side][round] > 0) {
                fprintf(file, "%s\"%s\": %.2f", side > 0 ? ", " : "", side_keys[side], comparison->sides[side][round]);
            }
        }
        fprintf(file, "}");
    }
    fprintf(file, "]");
}

void write_crowds_of_connections(FILE *file)
{
    fprintf(file, "  \"sending_over_tls\": {\n");
    for (unsigned placement = 0; placement < crowds.placements; placement++) {
        fprintf(file, "    \"%s\": {\n", placement_keys[placement]);
        for (unsigned index = 0; index < STREAMS; index++) {
            fprintf(file, "      \"%s\": ", stream_keys[index]);
            write_comparison(file, &crowds.streams[placement][index]);
            fprintf(file, "%s\n", index + 1 < STREAMS ? "," : "");
        }
        fprintf(file, "    }%s\n", placement + 1 < crowds.placements ? "," : "");
    }
    fprintf(file, "  },\n  \"coap\": {\n");
    for (message_name_t name = 0; name < MESSAGES; name++) {
        fprintf(file, "    \"%s\": ", message_names[name].key);
        write_comparison(file, &crowds.messages[name]);
        fprintf(file, "%s\n", name + 1 < MESSAGES ? "," : "");
    }
    fprintf(file, "  },\n  \"first_byte\": ");
    write_comparison(file, &crowds.starts);
    fprintf(file,
            ",\n  \"idle_connections\": {\"connections\": %u, \"seconds\": %u, \"heap_bytes_each\": %.1f, \"resident_bytes_each\": %.1f, "
            "\"pings\": %u, \"voluntary_switches\": %llu, \"cpu_time_ns\": %llu},\n",
            crowds.idle_connections, crowds.plan->idle_seconds, crowds.idle_heap, crowds.idle_resident, crowds.idle_pings,
            crowds.idle_switches, crowds.idle_cpu_time_ns);
}
