/* The soak: many connections of one program for minutes, through a proxy that makes faults, to a server that is restarted.
 *
 *   soak --client PROGRAM --proxy PROGRAM --server PROGRAM --ca FILE --certificate FILE --key FILE
 *        [--minutes NUMBER] [--connections NUMBER] [--plant leak|lost|corrupt]
 *
 * script/soak builds and starts it; docs/performance.md says what is checked. It prints a table, and a sentence for each check that failed.
 * The time is divided into periods that are all alike, so that one can be held against another: faults and a restart of the server first,
 * then calm, in which every connection has to come back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_PERIODS = 240, PATIENCE_S = 120, END_S = 4, SHOWN = 10, DOWN_MS = 500, SESSIONS_OF_A_RUN = 10000000 };
/* In a thousand connections and second, while there are faults. */
enum { CUTS = 10, HALF_OPENS = 3 };
/* What a context has open: its epoll, an eventfd, a timer, and the watch of the network. It has one thread. */
enum { CONTEXT_DESCRIPTORS = 4, CONTEXT_THREADS = 1 };
/* What differs by chance: of the means of two minutes, in percent. In a period of 20 s less connections and faults are counted. */
#define FLAT_PERCENT 2.0
#define FLAT_PERCENT_SHORT 4.0
/* What may be left of the heap, in bytes: what malloc keeps for the main thread counts as in use; and Mbed TLS keeps its table of keys,
 * which doubles when more handshakes than ever before are made at once; a place in it takes 56 bytes. */
enum { HEAP_LEFT = 10000, HEAP_LEFT_EACH = 2 * 56 };
/* Below this many minutes the periods are shorter, so that there are three. */
enum { LONG_MINUTES = 4, LONG_PERIOD_S = 60, SHORT_PERIOD_S = 20 };

typedef struct {
    pid_t process;
    int input;
    int output;
    char held[4096];
    size_t held_size;
} child_t;

/* What the client says of a connection while it was ready. */
typedef struct {
    unsigned connection;
    unsigned first;
    unsigned last;
    unsigned session;
    unsigned received;
    bool live;
} incarnation_t;

/* What the server says of the same. */
typedef struct {
    unsigned id;
    unsigned connection;
    unsigned first;
    unsigned last;
    unsigned pushed;
    bool matched;
} session_t;

typedef struct {
    double heap; /* sums, while all connections are ready */
    double rss;
    unsigned samples;
    unsigned ready; /* at its end */
    unsigned descriptors;
    unsigned threads;
} period_t;

static struct {
    const char *client_program;
    const char *proxy_program;
    const char *server_program;
    const char *ca;
    const char *certificate;
    const char *key;
    double minutes;
    unsigned connections;
    const char *plant;
    child_t client;
    child_t proxy;
    child_t server;
    unsigned server_port;
    unsigned server_runs;
    unsigned proxy_port;
    unsigned reported; /* by client and server */
    bool client_ended;
    incarnation_t *incarnations;
    size_t incarnation_count;
    session_t *sessions;
    size_t session_count;
    unsigned ready;
    size_t heap;
    bool sampled;
    size_t before[3]; /* heap, descriptors, threads */
    size_t after[3];
    bool before_known;
    bool after_known;
    unsigned long long messages[5];
    unsigned long long faults[7];
    bool faults_known;
    unsigned reasons[3]; /* of the ends of connections that were ready: ended by the peer, reset, silent */
    unsigned failed_attempts;
    unsigned most_descriptors;
    unsigned most_threads;
    unsigned violations;
    unsigned failures;
    period_t periods[MOST_PERIODS];
    unsigned period_count;
} soak = {.minutes = 10, .connections = 1000, .plant = ""};

static _Noreturn void give_up(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static _Noreturn void give_up(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("soak: error: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    _exit(1);
}

/* A check has failed. */
static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (soak.failures++ < SHOWN) {
        fputs("soak: failed: ", stderr);
        vfprintf(stderr, format, arguments);
        fputc('\n', stderr);
    }
    va_end(arguments);
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- the other processes ---- */

static void start_child(child_t *child, char *const arguments[])
{
    int input[2];
    int output[2];
    if (pipe(input) != 0 || pipe(output) != 0) {
        give_up("pipe: %s", strerror(errno));
    }
    pid_t process = fork();
    if (process < 0) {
        give_up("fork: %s", strerror(errno));
    }
    if (process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(input[0], STDIN_FILENO);
        dup2(output[1], STDOUT_FILENO);
        /* The client has no descriptor that it does not know of. */
        for (int descriptor = STDERR_FILENO + 1; descriptor < 64; descriptor++) {
            close(descriptor);
        }
        execv(arguments[0], arguments);
        fprintf(stderr, "soak: error: %s: %s\n", arguments[0], strerror(errno));
        _exit(127);
    }
    close(input[0]);
    close(output[1]);
    *child = (child_t){.process = process, .input = input[1], .output = output[0]};
}

static void tell(const child_t *child, const char *line)
{
    if (write(child->input, line, strlen(line)) < 0) {
        give_up("a program of the soak has ended before its time");
    }
}

static void *grown(void *items, size_t count, size_t size)
{
    if (count % 4096 == 0) {
        items = realloc(items, (count + 4096) * size);
        if (items == NULL) {
            give_up("no memory");
        }
    }
    return items;
}

/* Only what the faults bring about: anything else is one of the library's making, or of somebody who damages what goes by. */
static void count_reason(const char *reason)
{
    if (strcmp(reason, "MCC_ERR_CLOSED_BY_PEER") == 0) {
        soak.reasons[0]++;
    } else if (strcmp(reason, "MCC_ERR_CONNECTION_RESET") == 0) {
        soak.reasons[1]++;
    } else if (strcmp(reason, "MCC_ERR_PATH_SILENT") == 0) {
        soak.reasons[2]++;
    } else if (strcmp(reason, "MCC_ERR_CLOSED") != 0) {
        fail("a connection ended because of %s, which none of the faults brings about", reason);
    }
}

static void count_attempt(const char *reason)
{
    static const char *const expected[] = {"MCC_ERR_CLOSED_BY_PEER", "MCC_ERR_CONNECTION_RESET", "MCC_ERR_CONNECTION_REFUSED",
                                           "MCC_ERR_HANDSHAKE_TIMEOUT"};
    soak.failed_attempts++;
    for (size_t index = 0; index < sizeof expected / sizeof *expected; index++) {
        if (strcmp(reason, expected[index]) == 0) {
            return;
        }
    }
    fail("an attempt to connect failed because of %s, which none of the faults brings about", reason);
}

static void take_incarnation(const char *fields, bool live)
{
    incarnation_t item = {.live = live};
    char reason[64];
    if (sscanf(fields, "%u %u %u %u %u %63s", &item.connection, &item.first, &item.last, &item.session, &item.received, reason) != 6) {
        give_up("the client said: %s", fields);
    }
    if (!live) {
        count_reason(reason);
    }
    soak.incarnations = grown(soak.incarnations, soak.incarnation_count, sizeof item);
    soak.incarnations[soak.incarnation_count++] = item;
}

static void take_session(const char *fields)
{
    session_t item = {0};
    if (sscanf(fields, "%u %u %u %u %u", &item.id, &item.connection, &item.first, &item.last, &item.pushed) != 5) {
        give_up("the server said: %s", fields);
    }
    soak.sessions = grown(soak.sessions, soak.session_count, sizeof item);
    soak.sessions[soak.session_count++] = item;
}

/* What is behind the word, if the line begins with it. */
static const char *after_word(const char *line, const char *word)
{
    size_t size = strlen(word);
    return strncmp(line, word, size) == 0 && line[size] == ' ' ? line + size + 1 : NULL;
}

static void take_line(const char *line)
{
    const char *rest;
    unsigned long long *const faults = soak.faults;
    unsigned long long *const messages = soak.messages;
    if ((rest = after_word(line, "sample")) != NULL) {
        soak.sampled = sscanf(rest, "%u %zu", &soak.ready, &soak.heap) == 2;
    } else if ((rest = after_word(line, "incarnation")) != NULL) {
        take_incarnation(rest, false);
    } else if ((rest = after_word(line, "live")) != NULL) {
        take_incarnation(rest, true);
    } else if ((rest = after_word(line, "session")) != NULL) {
        take_session(rest);
    } else if ((rest = after_word(line, "attempt")) != NULL) {
        count_attempt(rest);
    } else if ((rest = after_word(line, "violation")) != NULL) {
        soak.violations++;
        fail("%s", rest);
    } else if ((rest = after_word(line, "before")) != NULL) {
        soak.before_known = sscanf(rest, "%zu %zu %zu", &soak.before[0], &soak.before[1], &soak.before[2]) == 3;
    } else if ((rest = after_word(line, "after")) != NULL) {
        soak.after_known = sscanf(rest, "%zu %zu %zu", &soak.after[0], &soak.after[1], &soak.after[2]) == 3;
    } else if ((rest = after_word(line, "messages")) != NULL) {
        (void)sscanf(rest, "%llu %llu %llu %llu %llu", &messages[0], &messages[1], &messages[2], &messages[3], &messages[4]);
    } else if ((rest = after_word(line, "faults")) != NULL) {
        soak.faults_known = sscanf(rest, "%llu %llu %llu %llu %llu %llu %llu", &faults[0], &faults[1], &faults[2], &faults[3],
                                   &faults[4], &faults[5], &faults[6]) == 7;
    } else if ((rest = after_word(line, "record")) != NULL) {
        soak.server_port = (unsigned)strtoul(rest, NULL, 10);
    } else if ((rest = after_word(line, "listening")) != NULL) {
        soak.proxy_port = (unsigned)strtoul(rest, NULL, 10);
    } else if (strcmp(line, "reported") == 0) {
        soak.reported++;
    }
}

/* Takes what a program has said; false at its end. */
static bool take_output(child_t *child)
{
    ssize_t size = read(child->output, child->held + child->held_size, sizeof child->held - child->held_size);
    if (size <= 0) {
        return false;
    }
    child->held_size += (size_t)size;
    char *begin = child->held;
    for (char *end; (end = memchr(begin, '\n', child->held_size - (size_t)(begin - child->held))) != NULL; begin = end + 1) {
        *end = '\0';
        take_line(begin);
    }
    child->held_size -= (size_t)(begin - child->held);
    memmove(child->held, begin, child->held_size);
    return true;
}

/* The number of entries of a folder of the client's in /proc. */
static unsigned entries(const char *name)
{
    char path[64];
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%d/%s", soak.client.process, name);
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return 0;
    }
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    closedir(directory);
    return count;
}

static double resident_bytes(void)
{
    char path[64];
    unsigned long long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", soak.client.process);
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%*u %llu", &pages) != 1) {
        give_up("%s: %s", path, strerror(errno));
    }
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void take_sample(void)
{
    if (!soak.sampled) {
        return;
    }
    soak.sampled = false;
    unsigned descriptors = entries("fd");
    unsigned threads = entries("task");
    soak.most_descriptors = descriptors > soak.most_descriptors ? descriptors : soak.most_descriptors;
    soak.most_threads = threads > soak.most_threads ? threads : soak.most_threads;
    if (soak.period_count > 0) {
        period_t *period = &soak.periods[soak.period_count - 1];
        /* While some are down it depends on the machine how many they are, and how long. */
        if (soak.ready == soak.connections) {
            period->heap += (double)soak.heap;
            period->rss += resident_bytes();
            period->samples++;
        }
        period->ready = soak.ready;
        period->descriptors = descriptors;
        period->threads = threads;
    }
}

/* Takes what the programs say until the time, or until `*until` is true. False if it did not become so. */
static bool run_until(double time, const bool *until)
{
    for (;;) {
        double left = time - seconds_now();
        if (until != NULL && *until) {
            return true;
        }
        if (left <= 0) {
            return false;
        }
        struct pollfd descriptors[] = {
            {.fd = soak.client_ended ? -1 : soak.client.output, .events = POLLIN},
            {.fd = soak.proxy.output, .events = POLLIN},
            {.fd = soak.server.output, .events = POLLIN},
        };
        child_t *const children[] = {&soak.client, &soak.proxy, &soak.server};
        if (poll(descriptors, 3, (int)(left * 1000) + 1) < 0) {
            give_up("poll: %s", strerror(errno));
        }
        for (int index = 0; index < 3; index++) {
            if ((descriptors[index].revents & (POLLIN | POLLHUP)) != 0 && !take_output(children[index])) {
                if (index != 0 || !soak.after_known) {
                    static const char *const names[] = {"client", "proxy", "server"};
                    give_up("the %s has ended before its time", names[index]);
                }
                soak.client_ended = true;
            }
        }
        take_sample();
    }
}

static void start_server(void)
{
    char port[16];
    char session[16];
    snprintf(port, sizeof port, "%u", soak.server_port);
    snprintf(session, sizeof session, "%u", soak.server_runs++ * SESSIONS_OF_A_RUN + 1);
    char *arguments[] = {(char *)soak.server_program, (char *)soak.certificate, (char *)soak.key, port, "--push", "1000", "--session",
                         session, "--lose", strcmp(soak.plant, "lost") == 0 ? "500" : "0", NULL};
    start_child(&soak.server, arguments);
}

/* Ends the server as if it had crashed, and starts it again at the same port. */
static void restart_server(void)
{
    close(soak.server.input);
    while (take_output(&soak.server)) {
    }
    waitpid(soak.server.process, NULL, 0);
    close(soak.server.output);
    soak.reported = 0;
    struct timespec pause = {.tv_nsec = DOWN_MS * 1000000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    start_server();
}

static void wait_for_reports(unsigned count)
{
    double limit = seconds_now() + PATIENCE_S;
    while (soak.reported < count) {
        if (seconds_now() > limit) {
            give_up("no report within %d s", PATIENCE_S);
        }
        (void)run_until(seconds_now() + 0.1, NULL);
    }
}

/* ---- the run ---- */

static unsigned period_seconds(void)
{
    return soak.minutes >= LONG_MINUTES ? LONG_PERIOD_S : SHORT_PERIOD_S;
}

/* The rest is calm: a handshake that was hit at the end of it has time to be given up and made anew. */
static double fault_seconds(void)
{
    return period_seconds() * 0.4;
}

static double flat_percent(void)
{
    return soak.minutes >= LONG_MINUTES ? FLAT_PERCENT : FLAT_PERCENT_SHORT;
}

static size_t heap_left(void)
{
    return HEAP_LEFT + (size_t)HEAP_LEFT_EACH * soak.connections;
}

static void start_all(void)
{
    char port[16];
    char connections[16];
    start_server();
    while (soak.server_port == 0) {
        (void)take_output(&soak.server);
    }
    snprintf(port, sizeof port, "%u", soak.server_port);
    char *proxy[] = {(char *)soak.proxy_program, port, "20200", strcmp(soak.plant, "corrupt") == 0 ? "--corrupt" : NULL, NULL};
    start_child(&soak.proxy, proxy);
    while (soak.proxy_port == 0) {
        (void)take_output(&soak.proxy);
    }
    snprintf(port, sizeof port, "%u", soak.proxy_port);
    snprintf(connections, sizeof connections, "%u", soak.connections);
    char *client[] = {(char *)soak.client_program, port, (char *)soak.ca, connections, strcmp(soak.plant, "leak") == 0 ? "--leak" : NULL,
                      NULL};
    start_child(&soak.client, client);
    double limit = seconds_now() + PATIENCE_S;
    while (soak.ready < soak.connections) {
        if (seconds_now() > limit) {
            give_up("only %u of %u connections were ready after %d s", soak.ready, soak.connections, PATIENCE_S);
        }
        (void)run_until(seconds_now() + 0.1, NULL);
    }
}

static void run_period(void)
{
    char line[64];
    double begin = seconds_now();
    soak.period_count++;
    snprintf(line, sizeof line, "faults %d %d\n", CUTS, HALF_OPENS);
    tell(&soak.proxy, line);
    (void)run_until(begin + fault_seconds() / 5, NULL);
    restart_server();
    (void)run_until(begin + fault_seconds(), NULL);
    tell(&soak.proxy, "calm\n");
    (void)run_until(begin + period_seconds(), NULL);
    const period_t *period = &soak.periods[soak.period_count - 1];
    if (period->samples == 0) {
        give_up("in period %u only %u connections came back", soak.period_count, period->ready);
    }
    fprintf(stderr, "soak: %u of %.0f s: %u ready, heap %.1f MB, resident %.1f MB, %u descriptors, %u threads\n",
            soak.period_count * period_seconds(), soak.minutes * 60, period->ready, period->heap / period->samples / 1e6,
            period->rss / period->samples / 1e6, period->descriptors, period->threads);
}

static void end_all(void)
{
    /* What is on its way arrives, then both sides say what they have. */
    tell(&soak.client, "quiet\n");
    tell(&soak.server, "quiet\n");
    (void)run_until(seconds_now() + END_S, NULL);
    soak.reported = 0;
    tell(&soak.client, "report\n");
    tell(&soak.server, "report\n");
    wait_for_reports(2);
    tell(&soak.proxy, "report\n");
    if (!run_until(seconds_now() + PATIENCE_S, &soak.faults_known)) {
        give_up("the proxy does not report");
    }
    tell(&soak.client, "close\n");
    if (!run_until(seconds_now() + PATIENCE_S, &soak.client_ended)) {
        fail("the client did not end within %d s after it was told to close everything", PATIENCE_S);
        return;
    }
    int status;
    waitpid(soak.client.process, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail("the client did not end by itself");
    }
}

/* ---- the account ---- */

static int by_id(const void *left, const void *right)
{
    const session_t *a = left;
    const session_t *b = right;
    return a->id < b->id ? -1 : a->id > b->id;
}

static int by_first(const void *left, const void *right)
{
    const session_t *a = left;
    const session_t *b = right;
    if (a->connection != b->connection) {
        return a->connection < b->connection ? -1 : 1;
    }
    if (a->first != b->first) {
        return a->first < b->first ? -1 : 1;
    }
    return by_id(left, right);
}

static session_t *find(session_t wanted, int (*order)(const void *, const void *))
{
    return bsearch(&wanted, soak.sessions, soak.session_count, sizeof wanted, order);
}

static int by_range(const void *left, const void *right)
{
    const session_t *a = left;
    const session_t *b = right;
    if (a->connection != b->connection) {
        return a->connection < b->connection ? -1 : 1;
    }
    return a->first < b->first ? -1 : a->first > b->first;
}

/* The server reports some sessions twice, at the end of the run and before: the last word counts. */
static void sort_sessions(void)
{
    size_t kept = 0;
    qsort(soak.sessions, soak.session_count, sizeof *soak.sessions, by_id);
    for (size_t index = 0; index < soak.session_count; index++) {
        if (kept > 0 && soak.sessions[kept - 1].id == soak.sessions[index].id) {
            continue;
        }
        soak.sessions[kept++] = soak.sessions[index];
    }
    soak.session_count = kept;
}

static unsigned long long lost_up;
static unsigned long long lost_down;

/* What the client received is what the server pushed, from the first one on; all of it where nothing ended the connection. */
static void account_pushes(void)
{
    for (size_t index = 0; index < soak.incarnation_count; index++) {
        const incarnation_t *item = &soak.incarnations[index];
        if (item->session == 0) {
            continue;
        }
        const session_t *session = find((session_t){.id = item->session}, by_id);
        if (session == NULL || item->received > session->pushed) {
            fail("connection %u got %u messages of session %u, which has pushed %u", item->connection, item->received, item->session,
                 session != NULL ? session->pushed : 0);
        } else if (item->live && item->received != session->pushed) {
            fail("connection %u, which nothing disturbs any more, got %u of the %u messages of session %u", item->connection,
                 item->received, session->pushed, item->session);
        } else {
            lost_down += session->pushed - item->received;
        }
    }
}

/* What the server received of a connection is what was reported as sent over it, from the first one on; all of it where nothing ended it. */
static void account_messages(void)
{
    qsort(soak.sessions, soak.session_count, sizeof *soak.sessions, by_first);
    for (size_t index = 0; index < soak.incarnation_count; index++) {
        const incarnation_t *item = &soak.incarnations[index];
        if (item->first == 0) {
            continue;
        }
        session_t *session = find((session_t){.connection = item->connection, .first = item->first}, by_range);
        unsigned last = session != NULL ? session->last : item->first - 1;
        if (session != NULL) {
            session->matched = true;
        }
        if (last > item->last) {
            fail("the server got messages %u to %u of connection %u, of which only those to %u were reported as sent", item->first, last,
                 item->connection, item->last);
        } else if (item->live && last != item->last) {
            fail("of connection %u, which nothing disturbs any more, messages %u to %u were reported as sent, and the server got those "
                 "to %u",
                 item->connection, item->first, item->last, last);
        } else {
            lost_up += item->last - last;
        }
    }
    for (size_t index = 0; index < soak.session_count; index++) {
        const session_t *session = &soak.sessions[index];
        if (session->first != 0 && !session->matched) {
            fail("the server got messages %u to %u of connection %u once more than they were reported as sent", session->first,
                 session->last, session->connection);
        }
    }
}

static void expect_at_least(const char *what, unsigned long long count, double least)
{
    if ((double)count < least) {
        fail("there were %llu %s, and less than %.0f prove nothing", count, what, least);
    }
}

static double growth(double from, double to)
{
    return (to / from - 1) * 100;
}

static const period_t *reference_period(void)
{
    return &soak.periods[soak.period_count > 3 ? 2 : soak.period_count - 2];
}

static void check_process(void)
{
    const period_t *reference = reference_period();
    const period_t *last = &soak.periods[soak.period_count - 1];
    double heap_growth = growth(reference->heap / reference->samples, last->heap / last->samples);
    double rss_growth = growth(reference->rss / reference->samples, last->rss / last->samples);
    unsigned most = (unsigned)soak.before[1] - 1 + CONTEXT_DESCRIPTORS + soak.connections;
    if (heap_growth > flat_percent() || heap_growth < -flat_percent()) {
        fail("the heap changed by %+.2f %% from period %u to period %u", heap_growth, (unsigned)(reference - soak.periods) + 1,
             soak.period_count);
    }
    if (rss_growth > flat_percent() || rss_growth < -flat_percent()) {
        fail("the resident memory changed by %+.2f %% from period %u to period %u", rss_growth,
             (unsigned)(reference - soak.periods) + 1, soak.period_count);
    }
    for (unsigned index = 0; index < soak.period_count; index++) {
        const period_t *period = &soak.periods[index];
        if (period->ready != soak.connections) {
            fail("only %u connections were ready at the end of period %u", period->ready, index + 1);
        } else if (period->descriptors != most || period->threads != soak.before[2] + CONTEXT_THREADS) {
            fail("at the end of period %u there were %u descriptors and %u threads, in place of %u and %zu", index + 1,
                 period->descriptors, period->threads, most, soak.before[2] + CONTEXT_THREADS);
        }
    }
    if (soak.most_descriptors > most) {
        fail("there were up to %u descriptors, and %u are enough", soak.most_descriptors, most);
    }
    if (soak.most_threads > soak.before[2] + CONTEXT_THREADS) {
        fail("there were up to %u threads, and %zu are enough", soak.most_threads, soak.before[2] + CONTEXT_THREADS);
    }
    if (soak.after[0] > soak.before[0] + heap_left()) {
        fail("%zu bytes of the heap were not given back", soak.after[0] - soak.before[0]);
    }
    if (soak.after[1] != soak.before[1] || soak.after[2] != soak.before[2]) {
        fail("after the end there were %zu descriptors and %zu threads, before the beginning %zu and %zu", soak.after[1], soak.after[2],
             soak.before[1], soak.before[2]);
    }
}

static void check_all(void)
{
    sort_sessions();
    account_pushes();
    account_messages();
    check_process();
    if (soak.messages[0] != soak.messages[1] + soak.messages[2]) {
        fail("%llu messages were taken, %llu reported as sent and %llu as failed", soak.messages[0], soak.messages[1], soak.messages[2]);
    }
    /* Half of what is asked for: what hits a stream that is no more does not count. */
    double thousands = soak.connections / 1000.0;
    double seconds = fault_seconds() * soak.period_count;
    double pieces = 2.0 * soak.connections * period_seconds() * soak.period_count;
    expect_at_least("streams that were closed", soak.faults[0], CUTS * thousands * seconds / 2 / 2);
    expect_at_least("streams that were reset", soak.faults[1], CUTS * thousands * seconds / 2 / 2);
    expect_at_least("streams that were half open", soak.faults[2], HALF_OPENS * thousands * seconds / 2);
    expect_at_least("pieces that were held back", soak.faults[3], pieces * 0.02);
    expect_at_least("pieces that were split", soak.faults[4], pieces * 0.04);
    expect_at_least("connections that found a path silent", soak.reasons[2], HALF_OPENS * thousands * seconds / 4);
    expect_at_least("restarts of the server", soak.server_runs - 1, soak.period_count);
    expect_at_least("messages that were reported as failed", soak.messages[2], 1);
    expect_at_least("messages to the server", soak.messages[1], pieces / 4);
    expect_at_least("messages from the server", soak.messages[4], pieces / 4);
}

static void print_table(void)
{
    const period_t *reference = reference_period();
    const period_t *last = &soak.periods[soak.period_count - 1];
    printf("%u connections for %u s, in %u periods of %u s; %u rounds of faults and restarts of the server; %s.\n\n", soak.connections,
           soak.period_count * period_seconds(), soak.period_count, period_seconds(), soak.period_count,
           soak.failures == 0 ? "all checks passed" : "NOT all checks passed");
    printf("| what | seen | wanted |\n| --- | --- | --- |\n");
    printf("| heap with all ready, mean of period %u and of period %u | %.2f to %.2f MB, **%+.2f %%** | %.0f %% at most |\n", (unsigned)(reference - soak.periods) + 1,
           soak.period_count, reference->heap / reference->samples / 1e6, last->heap / last->samples / 1e6,
           growth(reference->heap / reference->samples, last->heap / last->samples), flat_percent());
    printf("| resident memory, the same | %.2f to %.2f MB, **%+.2f %%** | %.0f %% at most |\n", reference->rss / reference->samples / 1e6,
           last->rss / last->samples / 1e6, growth(reference->rss / reference->samples, last->rss / last->samples), flat_percent());
    printf("| descriptors: with all ready, at most, after the end | %u, %u, %zu | %zu, no more, %zu |\n", last->descriptors,
           soak.most_descriptors, soak.after[1] - 1, soak.before[1] - 1 + CONTEXT_DESCRIPTORS + soak.connections, soak.before[1] - 1);
    printf("| threads: with all ready, at most, after the end | %u, %u, %zu | %zu, no more, %zu |\n", last->threads, soak.most_threads,
           soak.after[2], soak.before[2] + CONTEXT_THREADS, soak.before[2]);
    printf("| heap not given back at the end | %lld bytes | %zu at most |\n", (long long)soak.after[0] - (long long)soak.before[0],
           heap_left());
    printf("| messages of the application | %llu: %llu reported as sent, %llu as failed | each once |\n", soak.messages[0],
           soak.messages[1], soak.messages[2]);
    printf("| of these sent, but lost with the connection | %llu | the last ones of a connection only |\n", lost_up);
    printf("| messages of the server, lost with the connection | %llu of %llu | the last ones of a connection only |\n", lost_down,
           soak.messages[4] + lost_down);
    printf("| messages twice, out of order, damaged, or not accounted for | %u | 0 |\n", soak.violations);
    printf("| connections ended: closed, reset, found silent | %u, %u, %u | |\n", soak.reasons[0], soak.reasons[1], soak.reasons[2]);
    printf("| attempts that failed | %u | |\n", soak.failed_attempts);
    printf("| faults: closes, resets, half-open streams, delays, splits | %llu, %llu, %llu, %llu, %llu | many |\n", soak.faults[0],
           soak.faults[1], soak.faults[2], soak.faults[3], soak.faults[4]);
}

/* ---- start ---- */

static void read_arguments(int count, char **arguments)
{
    const struct {
        const char *name;
        const char **value;
    } options[] = {
        {"--client", &soak.client_program}, {"--proxy", &soak.proxy_program},     {"--server", &soak.server_program},
        {"--ca", &soak.ca},                 {"--certificate", &soak.certificate}, {"--key", &soak.key},
        {"--plant", &soak.plant},
    };
    for (int index = 1; index + 1 < count; index += 2) {
        if (strcmp(arguments[index], "--minutes") == 0) {
            soak.minutes = strtod(arguments[index + 1], NULL);
            continue;
        }
        if (strcmp(arguments[index], "--connections") == 0) {
            soak.connections = (unsigned)strtoul(arguments[index + 1], NULL, 10);
            continue;
        }
        for (size_t option = 0; option < sizeof options / sizeof *options; option++) {
            if (strcmp(arguments[index], options[option].name) == 0) {
                *options[option].value = arguments[index + 1];
            }
        }
    }
    for (size_t option = 0; option < sizeof options / sizeof *options; option++) {
        if (*options[option].value == NULL) {
            give_up("%s is missing; script/soak gives it", options[option].name);
        }
    }
    if (soak.connections < 10 || soak.minutes < 1 || soak.minutes * 60 / period_seconds() > MOST_PERIODS) {
        give_up("there have to be 10 connections and 1 to %d minutes", MOST_PERIODS);
    }
}

int main(int count, char **arguments)
{
    setvbuf(stdout, NULL, _IOFBF, 0);
    read_arguments(count, arguments);
    signal(SIGPIPE, SIG_IGN);
    unsigned periods = (unsigned)(soak.minutes * 60 / period_seconds());
    start_all();
    /* In ten minutes the measured periods are all but the first seconds. */
    while (soak.period_count < periods) {
        run_period();
    }
    end_all();
    check_all();
    print_table();
    if (soak.failures > SHOWN) {
        fprintf(stderr, "soak: failed: and %u more\n", soak.failures - SHOWN);
    }
    return soak.failures == 0 ? 0 : 1;
}
