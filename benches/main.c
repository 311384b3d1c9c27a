/* The benchmark: runs the library and what it is held against in turns, and prints one table.
 *
 *   bench --peer PROGRAM --programs FOLDER --bare-tls PROGRAM --dtls-server PROGRAM --ca FILE --certificate FILE --key FILE --json FILE
 *         [--quick]
 *
 * script/bench builds and starts it; docs/performance.md says what the figures mean.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <mbed_cloud_connectivity.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* 540 s is what the service's clients use. */
enum { KEEPALIVE_INTERVAL_S = 540, TIME_LIMIT_S = 1200 };
/* Of descriptors, for whatever else the benchmark has open. Of time, for what the kernel puts off when many sockets are closed. */
enum { SPARE_DESCRIPTORS = 100, SETTLING_NS = 20000000 };

/* Two sides of one figure, round by round. */
typedef struct {
    side_t library[MAXIMUM_ROUNDS];
    side_t bare[MAXIMUM_ROUNDS];
} figure_t;

/* Where the two sides of a connection run. What the scheduler would choose changes between rounds, and the figures with it. */
typedef enum { TOGETHER, APART, PLACEMENTS } placement_t;

typedef enum {
    PING_CALLED,
    PING_FROM_CALLBACK,
    PING_REPORTED,
    BYTE_TO_CALLBACK,
    DATAGRAM_TO_CALLBACK,
    DATAGRAM_RECEIVED,
    SESSION,
    RECORD,
    STREAM,
    FIGURES
} figure_name_t;

/* How many sockets are open; the first number is what the others are held against. */
enum { FEW, MORE, MANY, CROWDS };

typedef struct {
    event_cost_t library[MAXIMUM_ROUNDS];
    event_cost_t bare[MAXIMUM_ROUNDS];
} crowd_t;

/* A DTLS server with Connection IDs, one without, and a session with each. */
typedef struct {
    const char *cid_length;
    child_t server;
    uint16_t port;
    secure_t *secure;
    double cpu_time_ns[MAXIMUM_ROUNDS]; /* of a write */
} writer_t;

/* Bytes of the heap. */
typedef struct {
    double session;
    double configuration;
} memory_t;

static const char *const placement_names[PLACEMENTS] = {"one core", "two cores"};
static const char *const placement_keys[PLACEMENTS] = {"one_core", "two_cores"};

static const struct {
    const char *name;
    const char *key;
    bool has_p99;
    bool has_cpu_time;
} figure_names[FIGURES] = {
    {"ping over TLS, called by another thread: to the callback", "ping_called", true, false},
    {"ping over TLS, called in a callback: to the callback", "ping_from_callback", true, false},
    {"ping over TLS: round trip that the event reports", "ping_reported", true, false},
    {"latency from byte to callback over TCP", "byte_to_callback", true, false},
    {"latency from datagram to callback of the PAL", "datagram_to_callback", true, false},
    {"latency from datagram to the end of pal_receiveFrom", "datagram_received", true, false},
    {"session of the PAL over TLS 1.2, from its configuration to its end, with a full handshake", "session", false, true},
    {"record of 1 KB over TLS 1.2 of the PAL and back", "record", true, true},
    {"sending over TCP, time a message (for information)", "stream", false, false},
};

static struct {
    plan_t plan;
    crowds_plan_t crowds_plan;
    const char *peer_program;
    const char *programs;
    const char *bare_tls_program;
    const char *dtls_server_program;
    const char *ca;
    const char *certificate;
    const char *key;
    const char *json;
    text_t ca_text;
    char handshake[64]; /* version and suite */
    char pal_handshake[64];
    unsigned placements; /* how many were measured; there is but one on one processor */
    figure_t figures[PLACEMENTS][FIGURES];
    unsigned sockets[CROWDS];
    crowd_t crowds[CROWDS];
    double bytes_per_socket;
    writer_t with_id;
    writer_t without_id;
    memory_t tls_memory;
    memory_t dtls_memory;
    activity_t idle;
} bench = {
    .plan = {.rounds = 41,
             .pings = 500,
             .messages = 300,
             .stream = 5000,
             .events = 2000,
             .handshakes = 10,
             .echoes = 500,
             .writes = 1000,
             .sessions = 200,
             .idle_seconds = 60},
    .crowds_plan = {.rounds = 21, .stream = 10000, .messages = 200000, .starts = 5, .idle_connections = 10000, .idle_seconds = 60},
    .sockets = {5, 100, 10000},
    .with_id = {.cid_length = "8"},
    .without_id = {.cid_length = "0"},
};

_Noreturn void give_up(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    _exit(1);
}

uint64_t nanoseconds_of(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0) {
        give_up("clock_gettime: %s", strerror(errno));
    }
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t nanoseconds_now(void)
{
    return nanoseconds_of(CLOCK_MONOTONIC);
}

/* ---- statistics ---- */

void sample(samples_t *samples, uint64_t nanoseconds)
{
    if (samples->count == samples->room) {
        samples->room = samples->room == 0 ? 65536 : 2 * samples->room;
        samples->values = realloc(samples->values, samples->room * sizeof *samples->values);
        if (samples->values == NULL) {
            give_up("no memory");
        }
    }
    samples->values[samples->count++] = nanoseconds;
}

static int compare_numbers(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

side_t summarise(samples_t *samples)
{
    if (samples->count == 0) {
        give_up("nothing was measured");
    }
    qsort(samples->values, samples->count, sizeof *samples->values, compare_numbers);
    size_t last = samples->count - 1;
    side_t side = {.median = (double)samples->values[last / 2], .p99 = (double)samples->values[last * 99 / 100]};
    samples->count = 0;
    return side;
}

static int compare_reals(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return a < b ? -1 : a > b;
}

spread_t spread(double *values, unsigned count)
{
    qsort(values, count, sizeof *values, compare_reals);
    return (spread_t){.low = values[(count - 1) / 4], .median = values[(count - 1) / 2], .high = values[(count - 1) * 3 / 4]};
}

static double value_of(side_t side, bool p99)
{
    return p99 ? side.p99 : side.median;
}

static double cost_of(const crowd_t *crowd, bool library, unsigned round)
{
    return library ? crowd->library[round].cpu_time_ns : crowd->bare[round].cpu_time_ns;
}

static spread_t spread_of_cost(const crowd_t *crowd, bool library)
{
    double values[MAXIMUM_ROUNDS];
    for (unsigned round = 0; round < bench.plan.rounds; round++) {
        values[round] = cost_of(crowd, library, round);
    }
    return spread(values, bench.plan.rounds);
}

/* One side with this many sockets, by the same side with few. */
static spread_t spread_of_growth(const crowd_t *crowd, bool library)
{
    double values[MAXIMUM_ROUNDS];
    for (unsigned round = 0; round < bench.plan.rounds; round++) {
        values[round] = cost_of(crowd, library, round) / cost_of(&bench.crowds[FEW], library, round);
    }
    return spread(values, bench.plan.rounds);
}

/* The library by the bare loop, with as many sockets. */
static spread_t spread_of_cost_ratio(const crowd_t *crowd)
{
    double values[MAXIMUM_ROUNDS];
    for (unsigned round = 0; round < bench.plan.rounds; round++) {
        values[round] = cost_of(crowd, true, round) / cost_of(crowd, false, round);
    }
    return spread(values, bench.plan.rounds);
}

static double callbacks_per_datagram(const crowd_t *crowd)
{
    double sum = 0;
    for (unsigned round = 0; round < bench.plan.rounds; round++) {
        sum += crowd->library[round].callbacks;
    }
    return sum / bench.plan.rounds;
}

static spread_t spread_of_side(const side_t *sides, bool p99)
{
    double values[MAXIMUM_ROUNDS];
    for (unsigned round = 0; round < bench.plan.rounds; round++) {
        values[round] = value_of(sides[round], p99);
    }
    return spread(values, bench.plan.rounds);
}

static spread_t spread_of_ratio(const figure_t *figure, bool p99)
{
    double values[MAXIMUM_ROUNDS];
    for (unsigned round = 0; round < bench.plan.rounds; round++) {
        values[round] = value_of(figure->library[round], p99) / value_of(figure->bare[round], p99);
    }
    return spread(values, bench.plan.rounds);
}

static spread_t spread_of_writes(const writer_t *writer)
{
    double values[MAXIMUM_ROUNDS];
    memcpy(values, writer->cpu_time_ns, sizeof values);
    return spread(values, bench.plan.rounds);
}

static spread_t spread_of_write_ratio(void)
{
    double values[MAXIMUM_ROUNDS];
    for (unsigned round = 0; round < bench.plan.rounds; round++) {
        values[round] = bench.with_id.cpu_time_ns[round] / bench.without_id.cpu_time_ns[round];
    }
    return spread(values, bench.plan.rounds);
}

static spread_t spread_of_cpu_time(const side_t *sides)
{
    double values[MAXIMUM_ROUNDS];
    for (unsigned round = 0; round < bench.plan.rounds; round++) {
        values[round] = sides[round].cpu_time;
    }
    return spread(values, bench.plan.rounds);
}

static spread_t spread_of_cpu_time_ratio(const figure_t *figure)
{
    double values[MAXIMUM_ROUNDS];
    for (unsigned round = 0; round < bench.plan.rounds; round++) {
        values[round] = figure->library[round].cpu_time / figure->bare[round].cpu_time;
    }
    return spread(values, bench.plan.rounds);
}

/* ---- measuring ---- */

static text_t read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    text_t text = {.bytes = calloc(1, 65536)};
    if (file == NULL || text.bytes == NULL) {
        give_up("%s: %s", path, strerror(errno));
    }
    text.size = fread(text.bytes, 1, 65535, file);
    fclose(file);
    return text;
}

static uint16_t read_port(const child_t *peer, const char *name)
{
    char text[64];
    read_line(peer, name, text, sizeof text);
    return (uint16_t)strtoul(text, NULL, 10);
}

/* Reads of a TLS connection what it agreed on, and sees that it is what an earlier one did. */
static void expect_handshake(const child_t *peer, const char *earlier)
{
    char handshake[sizeof bench.handshake];
    read_line(peer, "handshake ", handshake, sizeof handshake);
    if (strcmp(handshake, earlier) != 0) {
        give_up("the two sides do not do the same work: %s and %s", handshake, earlier);
    }
}

static child_t start_bare_tls(const char *version, uint16_t port)
{
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    setenv("BENCH_ADDRESS", address, 1);
    setenv("BENCH_VERSION", version, 1);
    setenv("BENCH_CA", bench.ca, 1);
    char *arguments[] = {(char *)bench.bare_tls_program, NULL};
    return start_child(arguments);
}

/* `what` is a command of the bare TLS loop. */
static side_t bare_tls(const child_t *bare, const char *what, unsigned count)
{
    char line[64];
    snprintf(line, sizeof line, "%s %u\n", what, count);
    write_line(bare, line);
    read_line(bare, "round ", line, sizeof line);
    side_t side = {0};
    if (sscanf(line, "%lf %lf %lf", &side.median, &side.p99, &side.cpu_time) != 3) {
        give_up("the bare TLS loop said: %s", line);
    }
    return side;
}

static void library_pings(client_t *client, figure_t *figures, unsigned round)
{
    ping_from_outside(client, bench.plan.pings, &figures[PING_CALLED].library[round], &figures[PING_REPORTED].library[round]);
    figures[PING_FROM_CALLBACK].library[round] = ping_from_callback(client, bench.plan.pings);
}

static void measure_pings(const child_t *peer, uint16_t port, figure_t *figures, bool then_idle)
{
    char uri[64];
    snprintf(uri, sizeof uri, "coaps://127.0.0.1:%u", port);
    client_t *client = open_client(uri, bench.ca_text.bytes, bench.ca_text.size, KEEPALIVE_INTERVAL_S);
    read_line(peer, "handshake ", bench.handshake, sizeof bench.handshake);
    child_t bare = start_bare_tls("1.3", port);
    expect_handshake(peer, bench.handshake);

    side_t ignored;
    ping_from_outside(client, WARM_UP, &ignored, &ignored);
    (void)bare_tls(&bare, "pings", WARM_UP);
    for (unsigned round = 0; round < bench.plan.rounds; round++) {
        /* Who is first changes, so that what drifts hits both sides. */
        if (round % 2 == 0) {
            library_pings(client, figures, round);
        }
        side_t side = bare_tls(&bare, "pings", bench.plan.pings);
        figures[PING_CALLED].bare[round] = side;
        figures[PING_REPORTED].bare[round] = side;
        figures[PING_FROM_CALLBACK].bare[round] = side;
        if (round % 2 != 0) {
            library_pings(client, figures, round);
        }
    }
    end_child(&bare);
    if (then_idle) {
        fprintf(stderr, "bench: nothing happens for %u s now\n", bench.plan.idle_seconds);
        /* What comes after the handshake, tickets and acknowledgements, is over then. */
        sleep(1);
        bench.idle = idle_activity(bench.plan.idle_seconds);
    }
    close_client(client);
}

static side_t library_handshakes(const child_t *peer, uint16_t port, unsigned count)
{
    static samples_t samples;
    uint64_t cpu_time = 0;
    for (unsigned index = 0; index < count; index++) {
        uint64_t before = nanoseconds_of(CLOCK_PROCESS_CPUTIME_ID);
        sample(&samples, handshake_time(port, &bench.ca_text));
        cpu_time += nanoseconds_of(CLOCK_PROCESS_CPUTIME_ID) - before;
        expect_handshake(peer, bench.pal_handshake);
    }
    side_t side = summarise(&samples);
    side.cpu_time = (double)cpu_time / count;
    return side;
}

static side_t bare_handshakes(const child_t *peer, const child_t *bare, unsigned count)
{
    side_t side = bare_tls(bare, "handshakes", count);
    for (unsigned index = 0; index < count; index++) {
        expect_handshake(peer, bench.pal_handshake);
    }
    return side;
}

static void measure_sessions(const child_t *peer, uint16_t port, figure_t *figures)
{
    const plan_t *plan = &bench.plan;
    start_secure();
    secure_t *secure = open_secure(false, port, &bench.ca_text);
    read_line(peer, "handshake ", bench.pal_handshake, sizeof bench.pal_handshake);
    child_t bare = start_bare_tls("1.2", port);
    expect_handshake(peer, bench.pal_handshake);
    (void)library_handshakes(peer, port, plan->handshakes);
    (void)bare_handshakes(peer, &bare, plan->handshakes);
    (void)echo_time(secure, WARM_UP);
    (void)bare_tls(&bare, "echoes", WARM_UP);
    for (unsigned round = 0; round < plan->rounds; round++) {
        for (unsigned turn = 0; turn < 2; turn++) {
            if (turn == round % 2) {
                figures[SESSION].library[round] = library_handshakes(peer, port, plan->handshakes);
                figures[RECORD].library[round] = echo_time(secure, plan->echoes);
            } else {
                figures[SESSION].bare[round] = bare_handshakes(peer, &bare, plan->handshakes);
                figures[RECORD].bare[round] = bare_tls(&bare, "echoes", plan->echoes);
            }
        }
    }
    end_child(&bare);
    close_secure(secure);
    stop_secure();
}

static void measure_tls_memory(const child_t *peer, uint16_t port)
{
    start_secure();
    /* What the first session brings once for all. */
    (void)library_handshakes(peer, port, 1);
    bench.tls_memory.configuration = bytes_per_configuration(false, bench.plan.sessions, &bench.ca_text);
    bench.tls_memory.session = bytes_per_session(peer, "handshake ", false, port, &bench.ca_text, bench.plan.sessions);
    stop_secure();
}

static void open_writer(writer_t *writer)
{
    char rest[128];
    char *arguments[] = {(char *)bench.dtls_server_program, "--dtls", "--certificate", (char *)bench.certificate, "--key",
                         (char *)bench.key, "--cid-length", (char *)writer->cid_length, NULL};
    writer->server = start_child(arguments);
    writer->port = read_port(&writer->server, "listening ");
    write_line(&writer->server, "mute\n");
    writer->secure = open_secure(true, writer->port, &bench.ca_text);
    read_line(&writer->server, "connected ", rest, sizeof rest);
}

static void close_writer(writer_t *writer)
{
    close_secure(writer->secure);
    end_child(&writer->server);
}

static double write_all(writer_t *writer, unsigned count)
{
    char rest[128];
    uint64_t nanoseconds = 0;
    for (unsigned written = 0; written < count; written += DATAGRAMS_AT_ONCE) {
        nanoseconds += write_cost(writer->secure, DATAGRAMS_AT_ONCE);
        for (unsigned index = 0; index < DATAGRAMS_AT_ONCE; index++) {
            read_line(&writer->server, "record ", rest, sizeof rest);
        }
    }
    return (double)nanoseconds / count;
}

static void measure_writes(void)
{
    writer_t *with_id = &bench.with_id;
    writer_t *without_id = &bench.without_id;
    start_secure();
    open_writer(without_id);
    if (has_connection_id()) {
        give_up("a server without Connection IDs gave one");
    }
    open_writer(with_id);
    if (!has_connection_id()) {
        give_up("the server gave no Connection ID");
    }
    (void)write_all(with_id, bench.plan.writes);
    (void)write_all(without_id, bench.plan.writes);
    for (unsigned round = 0; round < bench.plan.rounds; round++) {
        for (unsigned turn = 0; turn < 2; turn++) {
            writer_t *writer = turn == round % 2 ? with_id : without_id;
            writer->cpu_time_ns[round] = write_all(writer, bench.plan.writes);
        }
    }
    bench.dtls_memory.configuration = bytes_per_configuration(true, bench.plan.sessions, &bench.ca_text);
    bench.dtls_memory.session = bytes_per_session(&with_id->server, "connected ", true, with_id->port, &bench.ca_text, bench.plan.sessions);
    close_writer(with_id);
    close_writer(without_id);
    stop_secure();
}

static void measure_messages(uint16_t port, figure_t *figures)
{
    char uri[64];
    snprintf(uri, sizeof uri, "coap://127.0.0.1:%u", port);
    client_t *client = open_client(uri, NULL, 0, KEEPALIVE_INTERVAL_S);
    int bare = connect_bare(port);
    (void)library_latency(client, WARM_UP);
    (void)bare_latency(bare, WARM_UP);
    figure_t *latency = &figures[BYTE_TO_CALLBACK];
    for (unsigned round = 0; round < bench.plan.rounds; round++) {
        if (round % 2 == 0) {
            latency->library[round] = library_latency(client, bench.plan.messages);
        }
        latency->bare[round] = bare_latency(bare, bench.plan.messages);
        if (round % 2 != 0) {
            latency->library[round] = library_latency(client, bench.plan.messages);
        }
    }
    for (unsigned round = 0; round < bench.plan.rounds; round++) {
        figures[STREAM].library[round].median = (double)library_stream(client, bench.plan.stream) / bench.plan.stream;
        figures[STREAM].bare[round].median = (double)bare_stream(bare, bench.plan.stream) / bench.plan.stream;
    }
    close(bare);
    close_client(client);
}

static void library_datagrams(datagrams_t *datagrams, figure_t *figures, unsigned round)
{
    datagram_latency(datagrams, bench.plan.messages, &figures[DATAGRAM_TO_CALLBACK].library[round],
                     &figures[DATAGRAM_RECEIVED].library[round]);
}

static void measure_datagrams(uint16_t port, figure_t *figures)
{
    datagrams_t *datagrams = open_datagrams(port);
    int bare = connect_bare_datagrams(port);
    side_t ignored;
    datagram_latency(datagrams, WARM_UP, &ignored, &ignored);
    (void)bare_datagram_latency(bare, WARM_UP);
    for (unsigned round = 0; round < bench.plan.rounds; round++) {
        if (round % 2 == 0) {
            library_datagrams(datagrams, figures, round);
        }
        side_t side = bare_datagram_latency(bare, bench.plan.messages);
        figures[DATAGRAM_TO_CALLBACK].bare[round] = side;
        figures[DATAGRAM_RECEIVED].bare[round] = side;
        if (round % 2 != 0) {
            library_datagrams(datagrams, figures, round);
        }
    }
    close(bare);
    close_datagrams(datagrams);
}

/* As many descriptors as this process may have, and no more sockets than that. */
static void make_room_for_sockets(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        give_up("getrlimit: %s", strerror(errno));
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        give_up("setrlimit: %s", strerror(errno));
    }
    if (limit.rlim_max < bench.sockets[MANY] + SPARE_DESCRIPTORS) {
        bench.sockets[MANY] = (unsigned)limit.rlim_max - SPARE_DESCRIPTORS;
    }
}

static void measure_crowd(unsigned crowd, bool library, unsigned round)
{
    struct timespec settling = {.tv_nsec = SETTLING_NS};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &settling, NULL);
    if (library) {
        bench.crowds[crowd].library[round] = library_events(bench.sockets[crowd], bench.plan.events);
    } else {
        bench.crowds[crowd].bare[round] = bare_events(bench.sockets[crowd], bench.plan.events);
    }
}

static void measure_crowds(void)
{
    make_room_for_sockets();
    bench.bytes_per_socket = bytes_per_socket(bench.sockets[MANY]);
    for (unsigned round = 0; round < bench.plan.rounds; round++) {
        for (unsigned crowd = 0; crowd < CROWDS; crowd++) {
            measure_crowd(crowd, round % 2 == 0, round);
            measure_crowd(crowd, round % 2 != 0, round);
        }
    }
}

/* Keeps this thread, and what it starts from now on, on the first or the last processor that this program may use. */
static void stay_on(const cpu_set_t *allowed, bool last)
{
    int chosen = -1;
    for (int processor = 0; processor < CPU_SETSIZE && (last || chosen < 0); processor++) {
        if (CPU_ISSET(processor, allowed)) {
            chosen = processor;
        }
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(chosen, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        give_up("sched_setaffinity: %s", strerror(errno));
    }
}

static void measure(void)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
        give_up("sched_getaffinity: %s", strerror(errno));
    }
    fprintf(stderr, "bench: many sockets\n");
    stay_on(&allowed, false);
    measure_crowds();
    fprintf(stderr, "bench: writes of DTLS\n");
    measure_writes();
    bench.placements = CPU_COUNT(&allowed) > 1 ? PLACEMENTS : 1;
    for (unsigned placement = 0; placement < bench.placements; placement++) {
        fprintf(stderr, "bench: client and server on %s\n", placement_names[placement]);
        stay_on(&allowed, false);
        char *arguments[] = {(char *)bench.peer_program, (char *)bench.certificate, (char *)bench.key, NULL};
        child_t peer = start_child(arguments);
        uint16_t record_port;
        uint16_t rfc8323_port;
        child_t crowd_server = start_crowd_server(&record_port, &rfc8323_port);
        stay_on(&allowed, placement == APART);
        uint16_t tcp_port = read_port(&peer, "tcp ");
        uint16_t udp_port = read_port(&peer, "udp ");
        uint16_t tls_port = read_port(&peer, "tls ");
        uint16_t tls12_port = read_port(&peer, "tls12 ");
        measure_streams(placement, rfc8323_port);
        measure_messages(tcp_port, bench.figures[placement]);
        measure_datagrams(udp_port, bench.figures[placement]);
        measure_sessions(&peer, tls12_port, bench.figures[placement]);
        if (placement == 0) {
            measure_tls_memory(&peer, tls12_port);
            measure_coap(rfc8323_port);
            measure_starts();
        }
        if (placement + 1 == bench.placements) {
            fprintf(stderr, "bench: many idle connections\n");
            measure_idle(record_port);
        }
        end_child(&crowd_server);
        measure_pings(&peer, tls_port, bench.figures[placement], placement + 1 == bench.placements);
        end_child(&peer);
    }
    if (!bench.idle.found) {
        give_up("the library's thread was not found");
    }
}

/* ---- the machine ---- */

static void processor_name(char *name, size_t room)
{
    snprintf(name, room, "unknown processor");
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[512];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *value = strchr(line, ':');
        if (value != NULL && (strncmp(line, "model name", 10) == 0 || strncmp(line, "Model", 5) == 0)) {
            snprintf(name, room, "%.*s", (int)strcspn(value + 2, "\n\""), value + 2);
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

/* ---- the results ---- */

static void print_figure(placement_t placement, figure_name_t name)
{
    const figure_t *figure = &bench.figures[placement][name];
    spread_t library = spread_of_side(figure->library, false);
    spread_t bare = spread_of_side(figure->bare, false);
    spread_t ratio = spread_of_ratio(figure, false);
    printf("| %s | %s | **%.2f** (%.2f–%.2f) | %.1f / %.1f µs |", figure_names[name].name, placement_names[placement],
           ratio.median, ratio.low, ratio.high, library.median / 1000, bare.median / 1000);
    if (figure_names[name].has_p99) {
        library = spread_of_side(figure->library, true);
        bare = spread_of_side(figure->bare, true);
        ratio = spread_of_ratio(figure, true);
        printf(" **%.2f** (%.2f–%.2f) | %.1f / %.1f µs |\n", ratio.median, ratio.low, ratio.high, library.median / 1000,
               bare.median / 1000);
    } else {
        printf(" | |\n");
    }
}

static void print_crowds(void)
{
    unsigned few = bench.sockets[FEW];
    printf("\n| sockets of the PAL | processor time a datagram, library / bare | library, by that of %u sockets | bare, by that of %u "
           "sockets | library / bare | callbacks a datagram |\n", few, few);
    printf("| --- | --- | --- | --- | --- | --- |\n");
    for (unsigned index = 0; index < CROWDS; index++) {
        const crowd_t *crowd = &bench.crowds[index];
        printf("| %u | %.2f / %.2f µs |", bench.sockets[index], spread_of_cost(crowd, true).median / 1000,
               spread_of_cost(crowd, false).median / 1000);
        if (index == FEW) {
            printf(" | |");
        } else {
            for (int side = 0; side < 2; side++) {
                spread_t growth = spread_of_growth(crowd, side == 0);
                printf(" **%.2f** (%.2f–%.2f) |", growth.median, growth.low, growth.high);
            }
        }
        spread_t ratio = spread_of_cost_ratio(crowd);
        printf(" **%.2f** (%.2f–%.2f) | **%.2f** |\n", ratio.median, ratio.low, ratio.high, callbacks_per_datagram(crowd));
    }
    printf("\nMemory of an idle socket, one of %u: **%.0f bytes**.\n", bench.sockets[MANY], bench.bytes_per_socket);
}

/* On one core: where the other side runs changes nothing of it. */
static void print_cpu_times(void)
{
    printf("\n| processor time of the client | times | ratio |\n| --- | --- | --- |\n");
    for (figure_name_t name = 0; name < FIGURES; name++) {
        if (figure_names[name].has_cpu_time) {
            const figure_t *figure = &bench.figures[TOGETHER][name];
            spread_t ratio = spread_of_cpu_time_ratio(figure);
            printf("| %s | library / bare: %.1f / %.1f µs | **%.2f** (%.2f–%.2f) |\n", figure_names[name].name,
                   spread_of_cpu_time(figure->library).median / 1000, spread_of_cpu_time(figure->bare).median / 1000, ratio.median,
                   ratio.low, ratio.high);
        }
    }
    spread_t ratio = spread_of_write_ratio();
    printf("| write of %d bytes over DTLS of the PAL | with a Connection ID / without: %.2f / %.2f µs | **%.2f** (%.2f–%.2f) |\n",
           MESSAGE_SIZE, spread_of_writes(&bench.with_id).median / 1000, spread_of_writes(&bench.without_id).median / 1000,
           ratio.median, ratio.low, ratio.high);
}

static void print_memory(const char *what, const memory_t *memory)
{
    printf("| %s | **%.0f bytes** | %.0f bytes |\n", what, memory->session, memory->configuration);
}

static void print_session_memory(void)
{
    printf("\n| an idle session, one of %u | heap, with its configuration and its socket | of these the configuration, with one CA |\n",
           bench.plan.sessions);
    printf("| --- | --- | --- |\n");
    print_memory("TLS 1.2", &bench.tls_memory);
    print_memory("DTLS with a Connection ID", &bench.dtls_memory);
}

static void print_idle(void)
{
    printf("\n| the library's thread, idle for %u s at interval %d s over TLS | seen | expected |\n", bench.plan.idle_seconds,
           KEEPALIVE_INTERVAL_S);
    printf("| --- | --- | --- |\n");
    printf("| context switches, voluntary | %llu | 0 |\n", (unsigned long long)bench.idle.voluntary_switches);
    printf("| context switches, involuntary | %llu | 0 |\n", (unsigned long long)bench.idle.involuntary_switches);
    if (bench.idle.cpu_time_known) {
        printf("| processor time | %.1f µs | 0 |\n", (double)bench.idle.cpu_time_ns / 1000);
    } else {
        printf("| processor time | this kernel does not tell | 0 |\n");
    }
}

static void print_table(void)
{
    struct utsname system;
    char processor[256];
    uname(&system);
    processor_name(processor, sizeof processor);
    const plan_t *plan = &bench.plan;
    printf("mbed-cloud-connectivity %s; %s, %ld cores, %s %s %s; pings over %s, the PAL's TLS over %s.\n\n", mcc_version(), processor,
           sysconf(_SC_NPROCESSORS_ONLN), system.sysname, system.release, system.machine, bench.handshake, bench.pal_handshake);
    printf("%u rounds of %u pings, %u messages and as many datagrams one at a time, %u messages in a stream, %u sessions, %u records "
           "there and back, %u writes of DTLS, and %u datagrams to each number of sockets, in turns. Each ratio is the median over the rounds, with the middle half of them in brackets; each "
           "time is the median over the rounds too.\n\n",
           plan->rounds, plan->pings, plan->messages, plan->stream, plan->handshakes, plan->echoes, plan->writes, plan->events);
    printf("| library beside bare loop | on | ratio of medians | library / bare | ratio of p99 | library / bare |\n");
    printf("| --- | --- | --- | --- | --- | --- |\n");
    for (figure_name_t name = 0; name < FIGURES; name++) {
        for (placement_t placement = 0; placement < bench.placements; placement++) {
            print_figure(placement, name);
        }
    }
    print_cpu_times();
    print_session_memory();
    print_crowds();
    print_idle();
    print_crowds_of_connections();
}

static void write_figure(FILE *file, const figure_t *figure, bool has_p99, bool has_cpu_time)
{
    fprintf(file, "{\n        \"ratio_of_medians\": %.4f,\n", spread_of_ratio(figure, false).median);
    if (has_p99) {
        fprintf(file, "        \"ratio_of_p99\": %.4f,\n", spread_of_ratio(figure, true).median);
    }
    if (has_cpu_time) {
        fprintf(file, "        \"ratio_of_cpu_times\": %.4f,\n", spread_of_cpu_time_ratio(figure).median);
    }
    fprintf(file, "        \"rounds\": [\n");
    for (unsigned round = 0; round < bench.plan.rounds; round++) {
        const side_t *library = &figure->library[round];
        const side_t *bare = &figure->bare[round];
        fprintf(file, "          {\"library_median_ns\": %.0f, \"bare_median_ns\": %.0f", library->median, bare->median);
        if (has_p99) {
            fprintf(file, ", \"library_p99_ns\": %.0f, \"bare_p99_ns\": %.0f", library->p99, bare->p99);
        }
        if (has_cpu_time) {
            fprintf(file, ", \"library_cpu_ns\": %.0f, \"bare_cpu_ns\": %.0f", library->cpu_time, bare->cpu_time);
        }
        fprintf(file, "}%s\n", round + 1 < bench.plan.rounds ? "," : "");
    }
    fprintf(file, "        ]\n      }");
}

static void write_crowds(FILE *file)
{
    fprintf(file, "  \"sockets\": {\n    \"bytes_per_idle_socket\": %.1f,\n    \"open\": {\n", bench.bytes_per_socket);
    for (unsigned index = 0; index < CROWDS; index++) {
        const crowd_t *crowd = &bench.crowds[index];
        fprintf(file, "      \"%u\": {\n        \"callbacks_per_datagram\": %.4f,\n", bench.sockets[index],
                callbacks_per_datagram(crowd));
        fprintf(file, "        \"library_by_first\": %.4f,\n        \"bare_by_first\": %.4f,\n        \"library_by_bare\": %.4f,\n",
                spread_of_growth(crowd, true).median, spread_of_growth(crowd, false).median, spread_of_cost_ratio(crowd).median);
        fprintf(file, "        \"rounds\": [\n");
        for (unsigned round = 0; round < bench.plan.rounds; round++) {
            fprintf(file, "          {\"library_cpu_ns\": %.0f, \"bare_cpu_ns\": %.0f}%s\n", cost_of(crowd, true, round),
                    cost_of(crowd, false, round), round + 1 < bench.plan.rounds ? "," : "");
        }
        fprintf(file, "        ]\n      }%s\n", index + 1 < CROWDS ? "," : "");
    }
    fprintf(file, "    }\n  },\n");
}

static void write_dtls(FILE *file)
{
    fprintf(file, "  \"dtls_write\": {\n    \"with_id_by_without\": %.4f,\n    \"rounds\": [\n", spread_of_write_ratio().median);
    for (unsigned round = 0; round < bench.plan.rounds; round++) {
        fprintf(file, "      {\"with_id_cpu_ns\": %.0f, \"without_id_cpu_ns\": %.0f}%s\n", bench.with_id.cpu_time_ns[round],
                bench.without_id.cpu_time_ns[round], round + 1 < bench.plan.rounds ? "," : "");
    }
    fprintf(file, "    ]\n  },\n");
}

static void write_memory(FILE *file)
{
    fprintf(file,
            "  \"bytes_per_idle_session\": {\"tls\": %.1f, \"tls_configuration\": %.1f, \"dtls\": %.1f, \"dtls_configuration\": "
            "%.1f},\n",
            bench.tls_memory.session, bench.tls_memory.configuration, bench.dtls_memory.session, bench.dtls_memory.configuration);
}

static void write_json(void)
{
    FILE *file = fopen(bench.json, "w");
    struct utsname system;
    char processor[256];
    if (file == NULL) {
        give_up("%s: %s", bench.json, strerror(errno));
    }
    uname(&system);
    processor_name(processor, sizeof processor);
    fprintf(file, "{\n  \"version\": \"%s\",\n  \"processor\": \"%s\",\n  \"cores\": %ld,\n  \"kernel\": \"%s\",\n  \"tls\": \"%s\",\n  \"pal_tls\": "
                  "\"%s\",\n",
            mcc_version(), processor, sysconf(_SC_NPROCESSORS_ONLN), system.release, bench.handshake, bench.pal_handshake);
    fprintf(file,
            "  \"in_each_round\": {\"pings\": %u, \"messages\": %u, \"stream\": %u, \"events\": %u, \"sessions\": %u, \"records\": "
            "%u, \"writes\": %u},\n  \"figures\": {\n",
            bench.plan.pings, bench.plan.messages, bench.plan.stream, bench.plan.events, bench.plan.handshakes, bench.plan.echoes,
            bench.plan.writes);
    for (placement_t placement = 0; placement < bench.placements; placement++) {
        fprintf(file, "    \"%s\": {\n", placement_keys[placement]);
        for (figure_name_t name = 0; name < FIGURES; name++) {
            fprintf(file, "      \"%s\": ", figure_names[name].key);
            write_figure(file, &bench.figures[placement][name], figure_names[name].has_p99, figure_names[name].has_cpu_time);
            fprintf(file, "%s\n", name + 1 < FIGURES ? "," : "");
        }
        fprintf(file, "    }%s\n", placement + 1 < bench.placements ? "," : "");
    }
    fprintf(file, "  },\n");
    write_dtls(file);
    write_memory(file);
    write_crowds(file);
    write_crowds_of_connections(file);
    fprintf(file, "  \"idle\": {\"seconds\": %u, \"voluntary_switches\": %llu, \"involuntary_switches\": %llu",
            bench.plan.idle_seconds, (unsigned long long)bench.idle.voluntary_switches,
            (unsigned long long)bench.idle.involuntary_switches);
    if (bench.idle.cpu_time_known) {
        fprintf(file, ", \"cpu_time_ns\": %llu", (unsigned long long)bench.idle.cpu_time_ns);
    }
    fprintf(file, "}\n}\n");
    if (fclose(file) != 0) {
        give_up("%s: %s", bench.json, strerror(errno));
    }
}

/* ---- start ---- */

static void read_arguments(int count, char **arguments)
{
    const struct {
        const char *name;
        const char **value;
    } options[] = {
        {"--peer", &bench.peer_program},
        {"--programs", &bench.programs},
        {"--bare-tls", &bench.bare_tls_program},
        {"--dtls-server", &bench.dtls_server_program},
        {"--ca", &bench.ca},
        {"--certificate", &bench.certificate},
        {"--key", &bench.key},
        {"--json", &bench.json},
    };
    for (int index = 1; index < count; index++) {
        if (strcmp(arguments[index], "--quick") == 0) {
            bench.plan = (plan_t){.rounds = 11,
                                  .pings = 300,
                                  .messages = 150,
                                  .stream = 2000,
                                  .events = 2000,
                                  .handshakes = 10,
                                  .echoes = 300,
                                  .writes = 1000,
                                  .sessions = 200,
                                  .idle_seconds = 10};
            bench.crowds_plan = (crowds_plan_t){
                .rounds = 11, .stream = 3000, .messages = 50000, .starts = 3, .idle_connections = 500, .idle_seconds = 20};
            continue;
        }
        size_t option = 0;
        while (option < sizeof options / sizeof *options && strcmp(arguments[index], options[option].name) != 0) {
            option++;
        }
        if (option == sizeof options / sizeof *options || index + 1 == count) {
            give_up("%s is no option, or has no value", arguments[index]);
        }
        *options[option].value = arguments[++index];
    }
    for (size_t option = 0; option < sizeof options / sizeof *options; option++) {
        if (*options[option].value == NULL) {
            give_up("%s is missing; script/bench gives it", options[option].name);
        }
    }
}

int main(int count, char **arguments)
{
    read_arguments(count, arguments);
    /* Whatever hangs, it ends; the other processes end with this one. */
    alarm(TIME_LIMIT_S);
    bench.ca_text = read_file(bench.ca);
    bench.crowds_plan.interval_s = KEEPALIVE_INTERVAL_S;
    bench.crowds_plan.programs = bench.programs;
    bench.crowds_plan.bare_tls = bench.bare_tls_program;
    bench.crowds_plan.ca = bench.ca;
    bench.crowds_plan.certificate = bench.certificate;
    bench.crowds_plan.key = bench.key;
    bench.crowds_plan.ca_text = &bench.ca_text;
    plan_crowds(&bench.crowds_plan);
    measure();
    print_table();
    write_json();
    return 0;
}
