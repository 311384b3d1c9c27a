/* SPDX-License-Identifier: Apache-2.0 */

#define _GNU_SOURCE
#include "support.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <malloc.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAXIMUM_PEERS = 16, MAXIMUM_RECORDERS = 512, MAXIMUM_BLOCKS = 1024, MAXIMUM_ARGUMENTS = 32 };

struct recorder {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    record_t **records;
    size_t count;
    size_t room;
    size_t looked_at;
    mcc_context_t *driven; /* the context to process while waiting, or NULL */
    reaction_t reaction;
    void *reaction_argument;
    atomic_int inside;
    atomic_int overlapping; /* callbacks that ran at the same time */
    bool closed;
    size_t after_closed; /* events behind the one that is the last */
};

struct peer {
    pid_t process;
    int commands;
    int output;
    uint16_t port;
    bool datagrams;
    pthread_t reader;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    char **lines;
    size_t count;
    size_t looked_at;
    bool ended;
};

struct fixture {
    mcc_context_t *context;
    bool driven;
    peer_t *peers[MAXIMUM_PEERS];
    recorder_t *recorders[MAXIMUM_RECORDERS];
    size_t recorder_count;
    void *blocks[MAXIMUM_BLOCKS]; /* what lives as long as the fixture */
    size_t block_count;
};

void choose_tests(const struct CMUnitTest *tests, size_t test_count, int count, char **arguments)
{
    if (count < 2) {
        return;
    }
    bool found = false;
    for (size_t index = 0; index < test_count; index++) {
        found = found || fnmatch(arguments[1], tests[index].name, 0) == 0;
    }
    if (!found) {
        print_error("no test is called %s\n", arguments[1]);
        exit(1);
    }
    cmocka_set_test_filter(arguments[1]);
}

/* ---- time ---- */

uint64_t milliseconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void sleep_ms(unsigned milliseconds)
{
    struct timespec left = {.tv_sec = milliseconds / 1000, .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

/* Waits on a condition of CLOCK_MONOTONIC until a moment. */
static void wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, uint64_t moment_ms)
{
    struct timespec until = {.tv_sec = (time_t)(moment_ms / 1000), .tv_nsec = (long)(moment_ms % 1000) * 1000000};
    pthread_cond_timedwait(condition, mutex, &until);
}

static void prepare_condition(pthread_mutex_t *mutex, pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(mutex, NULL);
}

/* ---- emulation ---- */

bool is_emulated(void)
{
    return getenv("MCC_TEST_EMULATOR") != NULL;
}

void skip_under_emulation(const char *reason)
{
    if (is_emulated()) {
        print_message("skipped under emulation: %s\n", reason);
        skip();
    }
}

bool is_under_valgrind(void)
{
    return getenv("MCC_TEST_VALGRIND") != NULL;
}

void skip_under_valgrind(const char *reason)
{
    if (is_under_valgrind()) {
        print_message("skipped under valgrind: %s\n", reason);
        skip();
    }
}

void run_program_of_tests(const char *const *arguments)
{
    const char *all[MAXIMUM_ARGUMENTS + 1] = {NULL};
    size_t count = 0;
    char *emulator = strdup(is_emulated() ? getenv("MCC_TEST_EMULATOR") : ""), *rest = NULL;
    for (const char *word = strtok_r(emulator, " ", &rest); word != NULL && count < MAXIMUM_ARGUMENTS; word = strtok_r(NULL, " ", &rest)) {
        all[count++] = word;
    }
    while (*arguments != NULL && count < MAXIMUM_ARGUMENTS) {
        all[count++] = *arguments++;
    }
    execv(all[0], (char *const *)(uintptr_t)all);
    _exit(127);
}

/* ---- fixtures ---- */

/* Keeps a block until the fixture ends. */
static void *keep(fixture_t *fixture, void *block)
{
    assert_non_null(block);
    assert_true(fixture->block_count < MAXIMUM_BLOCKS);
    fixture->blocks[fixture->block_count++] = block;
    return block;
}

static int make_fixture(void **state, bool driven)
{
    fixture_t *fixture = calloc(1, sizeof *fixture);
    if (fixture == NULL) {
        return -1;
    }
    mcc_context_options_t options = MCC_CONTEXT_OPTIONS_INIT;
    options.own_thread = driven ? 0 : 1;
    fixture->driven = driven;
    *state = fixture;
    return mcc_context_new(&options, &fixture->context) == MCC_OK ? 0 : -1;
}

int setup(void **state)
{
    return make_fixture(state, false);
}

int setup_driven(void **state)
{
    return make_fixture(state, true);
}

mcc_context_t *context_of(fixture_t *fixture)
{
    return fixture->context;
}

void free_context(fixture_t *fixture)
{
    mcc_context_free(fixture->context);
    fixture->context = NULL;
    for (size_t index = 0; index < fixture->recorder_count; index++) {
        fixture->recorders[index]->driven = NULL;
    }
}

static void end_peer(peer_t *peer)
{
    kill(peer->process, SIGKILL);
    waitpid(peer->process, NULL, 0);
    pthread_join(peer->reader, NULL);
    close(peer->commands);
    close(peer->output);
    for (size_t index = 0; index < peer->count; index++) {
        free(peer->lines[index]);
    }
    free(peer->lines);
    pthread_cond_destroy(&peer->changed);
    pthread_mutex_destroy(&peer->mutex);
    free(peer);
}

static void end_recorder(recorder_t *recorder)
{
    for (size_t index = 0; index < recorder->count; index++) {
        free(recorder->records[index]->message);
        free(recorder->records[index]);
    }
    free(recorder->records);
    pthread_cond_destroy(&recorder->changed);
    pthread_mutex_destroy(&recorder->mutex);
    free(recorder);
}

int teardown(void **state)
{
    fixture_t *fixture = *state;
    if (fixture == NULL) {
        return 0;
    }
    free_context(fixture);
    for (size_t index = 0; index < MAXIMUM_PEERS; index++) {
        if (fixture->peers[index] != NULL) {
            end_peer(fixture->peers[index]);
        }
    }
    /* Whatever the test was about: CLOSED is the last event, and a connection's events come one at a time. */
    int wrong = 0;
    for (size_t index = 0; index < fixture->recorder_count; index++) {
        recorder_t *recorder = fixture->recorders[index];
        if (recorder->after_closed != 0 || recorder->overlapping != 0) {
            print_error("%zu events after MCC_STATE_CLOSED, %d callbacks at the same time as another\n", recorder->after_closed,
                        recorder->overlapping);
            wrong = -1;
        }
        if (recorder->count > 0 && !recorder->closed) {
            print_error("a connection of a freed context never reported MCC_STATE_CLOSED\n");
            wrong = -1;
        }
        end_recorder(recorder);
    }
    for (size_t index = 0; index < fixture->block_count; index++) {
        free(fixture->blocks[index]);
    }
    free(fixture);
    *state = NULL;
    return wrong;
}

/* ---- events ---- */

recorder_t *new_recorder(fixture_t *fixture)
{
    recorder_t *recorder = calloc(1, sizeof *recorder);
    assert_non_null(recorder);
    assert_true(fixture->recorder_count < MAXIMUM_RECORDERS);
    prepare_condition(&recorder->mutex, &recorder->changed);
    recorder->driven = fixture->driven ? fixture->context : NULL;
    fixture->recorders[fixture->recorder_count++] = recorder;
    return recorder;
}

void set_reaction(recorder_t *recorder, reaction_t reaction, void *argument)
{
    pthread_mutex_lock(&recorder->mutex);
    recorder->reaction = reaction;
    recorder->reaction_argument = argument;
    pthread_mutex_unlock(&recorder->mutex);
}

void record_event(void *argument, const mcc_event_t *event)
{
    recorder_t *recorder = argument;
    if (atomic_fetch_add(&recorder->inside, 1) != 0) {
        atomic_fetch_add(&recorder->overlapping, 1);
    }
    record_t *record = calloc(1, sizeof *record);
    if (record == NULL) {
        abort();
    }
    record->type = event->type;
    record->connection = event->connection;
    record->at_ms = milliseconds_now();
    switch (event->type) {
    case MCC_EVENT_STATE:
        record->state = event->data.state;
        record->reason = event->data.state.reason;
        break;
    case MCC_EVENT_MESSAGE:
        record->message_size = event->data.message.size;
        record->message = malloc(record->message_size + 1);
        memcpy(record->message, event->data.message.data, record->message_size);
        break;
    case MCC_EVENT_SENT:
        record->ticket = event->data.sent.ticket;
        break;
    case MCC_EVENT_FAILED:
        record->ticket = event->data.failed.ticket;
        record->reason = event->data.failed.reason;
        break;
    case MCC_EVENT_PING_ANSWERED:
        record->round_trip_us = event->data.ping_answered.round_trip_us;
        break;
    case MCC_EVENT_PING_LOST:
        record->reason = event->data.ping_lost.reason;
        break;
    }
    /* The reaction goes first: whoever waits for the event may let go of what the reaction uses. */
    pthread_mutex_lock(&recorder->mutex);
    reaction_t reaction = recorder->reaction;
    void *reaction_argument = recorder->reaction_argument;
    pthread_mutex_unlock(&recorder->mutex);
    if (reaction != NULL) {
        reaction(reaction_argument, event);
    }
    atomic_fetch_sub(&recorder->inside, 1);
    pthread_mutex_lock(&recorder->mutex);
    if (recorder->count == recorder->room) {
        recorder->room = recorder->room * 2 + 16;
        recorder->records = realloc(recorder->records, recorder->room * sizeof *recorder->records);
        if (recorder->records == NULL) {
            abort();
        }
    }
    recorder->records[recorder->count++] = record;
    recorder->after_closed += recorder->closed;
    recorder->closed = recorder->closed || (event->type == MCC_EVENT_STATE && event->data.state.state == MCC_STATE_CLOSED);
    pthread_cond_broadcast(&recorder->changed);
    pthread_mutex_unlock(&recorder->mutex);
}

/* Lets time pass for a recorder, until something came or the moment is there. The mutex is held before and after. */
static void let_pass(recorder_t *recorder, uint64_t until_ms)
{
    if (recorder->driven == NULL) {
        wait_until(&recorder->changed, &recorder->mutex, until_ms);
        return;
    }
    pthread_mutex_unlock(&recorder->mutex);
    uint64_t now = milliseconds_now();
    int32_t timeout = until_ms > now ? (int32_t)(until_ms - now < 100 ? until_ms - now : 100) : 0;
    assert_status(mcc_context_process(recorder->driven, timeout), MCC_OK);
    pthread_mutex_lock(&recorder->mutex);
}

static const char *event_name(const record_t *record)
{
    static const char *const types[] = {"?", "STATE", "MESSAGE", "SENT", "FAILED", "PING_SENT", "PING_ANSWERED", "PING_LOST"};
    static const char *const states[] = {"?", "RESOLVING", "CONNECTING", "HANDSHAKING", "READY", "WAITING", "CLOSED"};
    return record->type == MCC_EVENT_STATE ? states[record->state.state] : types[record->type];
}

/* For whoever reads a failure. */
static void print_events(recorder_t *recorder)
{
    pthread_mutex_lock(&recorder->mutex);
    size_t first = recorder->count > 60 ? recorder->count - 60 : 0;
    for (size_t index = first; index < recorder->count; index++) {
        const record_t *record = recorder->records[index];
        print_error("  %s%s %s detail %d ticket %llu size %zu next %llu ms\n", index < recorder->looked_at ? "" : "* ",
                    event_name(record), mcc_status_name(record->reason), record->state.detail,
                    (unsigned long long)record->ticket, record->message_size, (unsigned long long)record->state.next_attempt_ms);
    }
    pthread_mutex_unlock(&recorder->mutex);
}

/* The next event of the type, and of the state if that is not 0. */
static const record_t *next_event(recorder_t *recorder, mcc_event_type_t type, mcc_state_t state, unsigned timeout_ms)
{
    uint64_t until = milliseconds_now() + timeout_ms;
    pthread_mutex_lock(&recorder->mutex);
    for (;;) {
        while (recorder->looked_at < recorder->count) {
            const record_t *record = recorder->records[recorder->looked_at++];
            bool matches = record->type == type && (state == 0 || record->state.state == state);
            bool over = record->type == MCC_EVENT_STATE && record->state.state == MCC_STATE_CLOSED;
            if (matches || over) {
                pthread_mutex_unlock(&recorder->mutex);
                return matches ? record : NULL;
            }
        }
        if (milliseconds_now() >= until) {
            pthread_mutex_unlock(&recorder->mutex);
            return NULL;
        }
        let_pass(recorder, until);
    }
}

const record_t *try_event(recorder_t *recorder, mcc_event_type_t type, unsigned timeout_ms)
{
    return next_event(recorder, type, 0, timeout_ms);
}

const record_t *await_event(recorder_t *recorder, mcc_event_type_t type)
{
    const record_t *record = next_event(recorder, type, 0, SOON_MS);
    if (record == NULL) {
        print_events(recorder);
        fail_msg("no event of type %d", type);
    }
    return record;
}

const record_t *await_state(recorder_t *recorder, mcc_state_t state)
{
    const record_t *record = next_event(recorder, MCC_EVENT_STATE, state, SOON_MS);
    if (record == NULL) {
        print_events(recorder);
        fail_msg("the state %d was not reached", state);
    }
    return record;
}

void expect_no_event(recorder_t *recorder, mcc_event_type_t type, unsigned within_ms)
{
    if (next_event(recorder, type, 0, within_ms) != NULL) {
        print_events(recorder);
        fail_msg("an event of type %d came", type);
    }
}

void await_count(recorder_t *recorder, mcc_event_type_t type, size_t count)
{
    uint64_t until = milliseconds_now() + SOON_MS;
    while (count_events(recorder, type) < count) {
        if (milliseconds_now() >= until) {
            print_events(recorder);
            fail_msg("%zu events of type %d instead of %zu", count_events(recorder, type), type, count);
        }
        pthread_mutex_lock(&recorder->mutex);
        let_pass(recorder, milliseconds_now() + 20);
        pthread_mutex_unlock(&recorder->mutex);
    }
}

/* Counts the events that match; 0 is any. */
static size_t count_matching(recorder_t *recorder, mcc_event_type_t type, mcc_state_t state)
{
    size_t found = 0;
    pthread_mutex_lock(&recorder->mutex);
    for (size_t index = 0; index < recorder->count; index++) {
        const record_t *record = recorder->records[index];
        found += record->type == type && (state == 0 || record->state.state == state);
    }
    pthread_mutex_unlock(&recorder->mutex);
    return found;
}

size_t count_events(recorder_t *recorder, mcc_event_type_t type)
{
    return count_matching(recorder, type, 0);
}

size_t count_states(recorder_t *recorder, mcc_state_t state)
{
    return count_matching(recorder, MCC_EVENT_STATE, state);
}

size_t count_reports(recorder_t *recorder, uint64_t ticket)
{
    size_t found = 0;
    pthread_mutex_lock(&recorder->mutex);
    for (size_t index = 0; index < recorder->count; index++) {
        const record_t *record = recorder->records[index];
        found += (record->type == MCC_EVENT_SENT || record->type == MCC_EVENT_FAILED) && record->ticket == ticket;
    }
    pthread_mutex_unlock(&recorder->mutex);
    return found;
}

const record_t *event_at(recorder_t *recorder, size_t index)
{
    pthread_mutex_lock(&recorder->mutex);
    const record_t *record = index < recorder->count ? recorder->records[index] : NULL;
    pthread_mutex_unlock(&recorder->mutex);
    return record;
}

/* ---- peers ---- */

/* Collects the lines of a peer, so that its output never fills up. */
static void *read_lines(void *argument)
{
    peer_t *peer = argument;
    FILE *output = fdopen(fcntl(peer->output, F_DUPFD_CLOEXEC, 0), "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    while (output != NULL && (size = getline(&line, &room, output)) > 0) {
        line[strcspn(line, "\n")] = '\0';
        pthread_mutex_lock(&peer->mutex);
        char **lines = realloc(peer->lines, (peer->count + 1) * sizeof *lines);
        char *copy = strdup(line);
        if (lines == NULL || copy == NULL) {
            abort();
        }
        peer->lines = lines;
        peer->lines[peer->count++] = copy;
        pthread_cond_broadcast(&peer->changed);
        pthread_mutex_unlock(&peer->mutex);
    }
    free(line);
    if (output != NULL) {
        fclose(output);
    }
    pthread_mutex_lock(&peer->mutex);
    peer->ended = true;
    pthread_cond_broadcast(&peer->changed);
    pthread_mutex_unlock(&peer->mutex);
    return NULL;
}

peer_t *start_program(fixture_t *fixture, const char *const *arguments)
{
    size_t slot = 0;
    while (slot < MAXIMUM_PEERS && fixture->peers[slot] != NULL) {
        slot++;
    }
    assert_true(slot < MAXIMUM_PEERS);
    int commands[2];
    int output[2];
    assert_int_equal(pipe2(commands, O_CLOEXEC), 0);
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    pid_t parent = getpid();
    pid_t process = fork();
    assert_true(process >= 0);
    if (process == 0) {
        /* It ends with the test, however that ends. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent || dup2(commands[0], STDIN_FILENO) < 0 || dup2(output[1], STDOUT_FILENO) < 0) {
            _exit(126);
        }
        if (getenv("MCC_TEST_PEER_ERRORS") == NULL) {
            (void)dup2(output[1], STDERR_FILENO);
        }
        execvp(arguments[0], (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    close(commands[0]);
    close(output[1]);
    peer_t *peer = calloc(1, sizeof *peer);
    assert_non_null(peer);
    peer->process = process;
    peer->commands = commands[1];
    peer->output = output[0];
    prepare_condition(&peer->mutex, &peer->changed);
    assert_int_equal(pthread_create(&peer->reader, NULL, read_lines, peer), 0);
    fixture->peers[slot] = peer;
    return peer;
}

void stop_peer(fixture_t *fixture, peer_t *peer)
{
    for (size_t index = 0; index < MAXIMUM_PEERS; index++) {
        if (fixture->peers[index] == peer) {
            fixture->peers[index] = NULL;
            end_peer(peer);
            return;
        }
    }
    fail_msg("this peer is not of this fixture");
}

const char *peer_await(peer_t *peer, const char *beginning)
{
    uint64_t until = milliseconds_now() + SOON_MS;
    pthread_mutex_lock(&peer->mutex);
    for (;;) {
        while (peer->looked_at < peer->count) {
            const char *line = peer->lines[peer->looked_at++];
            if (strncmp(line, beginning, strlen(beginning)) == 0) {
                pthread_mutex_unlock(&peer->mutex);
                return line;
            }
        }
        if (peer->ended || milliseconds_now() >= until) {
            for (size_t index = 0; index < peer->count; index++) {
                print_error("  peer: %.200s\n", peer->lines[index]);
            }
            bool ended = peer->ended;
            pthread_mutex_unlock(&peer->mutex);
            fail_msg("the peer %s without a line that begins with: %s", ended ? "ended" : "waits", beginning);
        }
        wait_until(&peer->changed, &peer->mutex, until);
    }
}

size_t peer_count(peer_t *peer, const char *beginning)
{
    size_t found = 0;
    pthread_mutex_lock(&peer->mutex);
    for (size_t index = 0; index < peer->count; index++) {
        found += strncmp(peer->lines[index], beginning, strlen(beginning)) == 0;
    }
    pthread_mutex_unlock(&peer->mutex);
    return found;
}

void peer_await_count(peer_t *peer, const char *beginning, size_t count)
{
    uint64_t until = milliseconds_now() + SOON_MS;
    while (peer_count(peer, beginning) < count && milliseconds_now() < until) {
        sleep_ms(1);
    }
    assert_int_equal(peer_count(peer, beginning), count);
}

void peer_write(peer_t *peer, const void *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t written = write(peer->commands, (const uint8_t *)bytes + at, size - at);
        assert_true(written > 0);
        at += (size_t)written;
    }
}

void peer_command(peer_t *peer, const char *format, ...)
{
    char *command = NULL;
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&command, format, arguments);
    va_end(arguments);
    assert_true(size > 0);
    char done[64];
    (void)snprintf(done, sizeof done, "done %.*s", (int)strcspn(command, " "), command);
    size_t before = peer_count(peer, done);
    command[size] = '\n';
    peer_write(peer, command, (size_t)size + 1);
    free(command);
    uint64_t until = milliseconds_now() + SOON_MS;
    while (peer_count(peer, done) == before) {
        if (milliseconds_now() >= until) {
            fail_msg("the peer did not do a command: no line %s", done);
        }
        sleep_ms(1);
    }
}

uint16_t peer_port(const peer_t *peer)
{
    return peer->port;
}

uint32_t peer_transport(const peer_t *peer)
{
    return peer->datagrams ? MCC_TRANSPORT_UDP : MCC_TRANSPORT_TCP;
}

static peer_t *start_listening(fixture_t *fixture, const char *program, va_list arguments)
{
    const char *values[MAXIMUM_ARGUMENTS] = {program};
    size_t count = 1;
    bool datagrams = false;
    const char *argument;
    while ((argument = va_arg(arguments, const char *)) != NULL && count < MAXIMUM_ARGUMENTS - 1) {
        datagrams = datagrams || strcmp(argument, "--udp") == 0 || strcmp(argument, "--dtls") == 0;
        values[count++] = argument;
    }
    peer_t *peer = start_program(fixture, values);
    peer->datagrams = datagrams;
    const char *line = peer_await(peer, "listening ");
    peer->port = (uint16_t)strtoul(line + strlen("listening "), NULL, 10);
    return peer;
}

peer_t *start_peer(fixture_t *fixture, ...)
{
    va_list arguments;
    va_start(arguments, fixture);
    peer_t *peer = start_listening(fixture, MCC_TEST_PEER, arguments);
    va_end(arguments);
    return peer;
}

peer_t *start_peer_program(fixture_t *fixture, const char *program, ...)
{
    va_list arguments;
    va_start(arguments, program);
    peer_t *peer = start_listening(fixture, program, arguments);
    va_end(arguments);
    return peer;
}

static peer_t *start_secure_peer(fixture_t *fixture, const char *transport, const char *certificate)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s.pem", certificate);
    const char *chain = certificate_path(fixture, name);
    (void)snprintf(name, sizeof name, "%s.key", certificate);
    return start_peer(fixture, transport, "--certificate", chain, "--key", certificate_path(fixture, name), NULL);
}

peer_t *start_tls_peer(fixture_t *fixture, const char *certificate)
{
    return start_secure_peer(fixture, "--tls", certificate);
}

peer_t *start_dtls_peer(fixture_t *fixture, const char *certificate)
{
    return start_secure_peer(fixture, "--dtls", certificate);
}

peer_t *start_cid_peer(fixture_t *fixture, const char *address, const char *further)
{
    return start_peer_program(fixture, MCC_TEST_MBEDTLS_CID_SERVER, "--dtls", "--address", address, "--certificate",
                              certificate_path(fixture, "server.pem"), "--key", certificate_path(fixture, "server.key"), "--cache",
                              further, NULL);
}

peer_t *start_nat(fixture_t *fixture, const peer_t *server)
{
    char port[8];
    (void)snprintf(port, sizeof port, "%u", server->port);
    return start_peer_program(fixture, MCC_TEST_UDP_NAT, port, NULL);
}

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

peer_t *start_server(fixture_t *fixture, uint16_t port, const char *const *arguments)
{
    peer_t *peer = start_program(fixture, arguments);
    peer->port = port;
    uint64_t until = milliseconds_now() + SOON_MS;
    struct sockaddr_in address = loopback(port);
    for (bool listening = false; !listening;) {
        int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        listening = connect(probe, (const struct sockaddr *)&address, sizeof address) == 0;
        close(probe);
        if (!listening && milliseconds_now() >= until) {
            (void)peer_await(peer, "a line that no server prints");
        }
        sleep_ms(10);
    }
    return peer;
}

bool port_is_free(uint16_t port)
{
    bool is_free = port != 0;
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    for (size_t index = 0; index < 2; index++) {
        struct sockaddr_in address = loopback(port);
        int probe = socket(AF_INET, types[index] | SOCK_CLOEXEC, 0);
        is_free = is_free && bind(probe, (const struct sockaddr *)&address, sizeof address) == 0;
        close(probe);
    }
    return is_free;
}

uint16_t free_port(void)
{
    for (;;) {
        int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in address = loopback(0);
        socklen_t size = sizeof address;
        assert_int_equal(bind(probe, (const struct sockaddr *)&address, size), 0);
        assert_int_equal(getsockname(probe, (struct sockaddr *)&address, &size), 0);
        close(probe);
        if (port_is_free(ntohs(address.sin_port))) {
            return ntohs(address.sin_port);
        }
    }
}

/* ---- connections ---- */

mcc_connection_options_t options_for(fixture_t *fixture, const char *format, ...)
{
    char *uri = NULL;
    va_list arguments;
    va_start(arguments, format);
    assert_true(vasprintf(&uri, format, arguments) > 0);
    va_end(arguments);
    mcc_connection_options_t options = MCC_CONNECTION_OPTIONS_INIT;
    options.uri = keep(fixture, uri);
    options.transport = MCC_TRANSPORT_TCP;
    options.keepalive_interval_s = MCC_KEEPALIVE_OFF;
    options.keepalive_jitter_percent = 0;
    options.keepalive_timeout_ms = 1000;
    options.backoff_base_ms = 50;
    options.backoff_cap_s = 1;
    options.peer_closed_wait_ms = 50;
    options.handshake_timeout_ms = 10000;
    return options;
}

mcc_connection_t *open_connection(fixture_t *fixture, mcc_connection_options_t options, recorder_t **recorder)
{
    return open_reacting(fixture, options, recorder, NULL, NULL);
}

mcc_connection_t *open_reacting(fixture_t *fixture, mcc_connection_options_t options, recorder_t **recorder, reaction_t reaction,
                                void *argument)
{
    *recorder = new_recorder(fixture);
    set_reaction(*recorder, reaction, argument);
    options.callback = record_event;
    options.argument = *recorder;
    mcc_connection_t *connection = NULL;
    assert_status(mcc_connection_open(fixture->context, &options, &connection), MCC_OK);
    assert_non_null(connection);
    return connection;
}

mcc_connection_t *open_ready(fixture_t *fixture, mcc_connection_options_t options, recorder_t **recorder)
{
    mcc_connection_t *connection = open_connection(fixture, options, recorder);
    (void)await_state(*recorder, MCC_STATE_READY);
    return connection;
}

void close_connection(mcc_connection_t *connection, recorder_t *recorder)
{
    mcc_connection_close(connection);
    (void)await_state(recorder, MCC_STATE_CLOSED);
}

mcc_connection_stats_t stats_of(mcc_connection_t *connection)
{
    mcc_connection_stats_t stats = MCC_CONNECTION_STATS_INIT;
    assert_status(mcc_connection_stats(connection, &stats), MCC_OK);
    return stats;
}

/* ---- TLS ---- */

const char *certificate_path(fixture_t *fixture, const char *name)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", MCC_TEST_CERTIFICATES, name) > 0);
    return keep(fixture, path);
}

const uint8_t *read_certificate(fixture_t *fixture, const char *name, size_t *size)
{
    enum { ROOM = 16384 };
    FILE *file = fopen(certificate_path(fixture, name), "rbe");
    if (file == NULL) {
        fail_msg("%s is missing: peers/make_certificates makes it", name);
    }
    uint8_t *bytes = keep(fixture, malloc(ROOM));
    *size = fread(bytes, 1, ROOM, file);
    fclose(file);
    assert_true(*size > 0 && *size < ROOM);
    return bytes;
}

mcc_tls_options_t *tls_with_ca(fixture_t *fixture, const char *ca)
{
    static const mcc_tls_options_t defaults = MCC_TLS_OPTIONS_INIT;
    mcc_tls_options_t *options = keep(fixture, malloc(sizeof *options));
    *options = defaults;
    if (ca != NULL) {
        options->ca = read_certificate(fixture, ca, &options->ca_size);
    }
    return options;
}

/* ---- messages ---- */

size_t write_request(uint8_t *out, size_t size, unsigned type, uint16_t message_id)
{
    assert_true(size >= 6);
    const uint8_t header[] = {(uint8_t)(0x42 | type << 4), CODE_POST,    (uint8_t)(message_id >> 8), (uint8_t)message_id,
                              0x5a,                        (uint8_t)size};
    memcpy(out, header, sizeof header);
    if (size > sizeof header + 1) {
        out[sizeof header] = 0xff;
        for (size_t index = sizeof header + 1; index < size; index++) {
            out[index] = (uint8_t)(index * 31 + message_id);
        }
        return size;
    }
    return sizeof header;
}

uint64_t send_request(mcc_connection_t *connection, size_t size, uint16_t message_id)
{
    uint8_t *message = malloc(size + 1);
    assert_non_null(message);
    size = write_request(message, size, CONFIRMABLE, message_id);
    uint64_t ticket = 0;
    mcc_status_t status = mcc_connection_send(connection, message, size, &ticket);
    free(message);
    assert_status(status, MCC_OK);
    return ticket;
}

void expect_echo(mcc_connection_t *connection, recorder_t *recorder, size_t size, uint16_t message_id, bool any_id)
{
    uint8_t *request = malloc(size + 1);
    assert_non_null(request);
    size = write_request(request, size, CONFIRMABLE, message_id);
    (void)send_request(connection, size, message_id);
    for (;;) {
        const record_t *record = await_event(recorder, MCC_EVENT_MESSAGE);
        const uint8_t *answer = record->message;
        assert_true(record->message_size >= 4);
        if (!any_id && (answer[2] << 8 | answer[3]) != message_id) {
            continue;
        }
        assert_int_equal(record->message_size, size);
        assert_int_equal(answer[0] & 0xcf, 0x42);
        assert_int_equal(answer[1], CODE_CONTENT);
        assert_memory_equal(answer + 4, request + 4, size - 4);
        free(request);
        return;
    }
}

void expect_same(mcc_connection_t *connection, recorder_t *recorder, size_t size, uint16_t message_id)
{
    uint8_t *request = malloc(size);
    assert_non_null(request);
    size = write_request(request, size, CONFIRMABLE, message_id);
    (void)send_request(connection, size, message_id);
    const record_t *record = await_event(recorder, MCC_EVENT_MESSAGE);
    assert_int_equal(record->message_size, size);
    assert_memory_equal(record->message, request, size);
    free(request);
}

/* ---- this process ---- */

static size_t count_entries(const char *directory)
{
    DIR *entries = opendir(directory);
    assert_non_null(entries);
    size_t count = 0;
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    closedir(entries);
    return count;
}

size_t count_descriptors(void)
{
    /* Without the one that reads the directory. */
    return count_entries("/proc/self/fd") - 1;
}

/* A thread that is none of the program's, and none of those that are counted: the sanitizer's own, which begins with a program's first,
 * or the emulator's. */
static char other_thread[64];

#ifdef __SANITIZE_THREAD__
static void *do_nothing(void *argument)
{
    return argument;
}
#endif

/* From the start, so that no test sees it begin. */
__attribute__((constructor)) static void find_other_thread(void)
{
#ifdef __SANITIZE_THREAD__
    pthread_t thread;
    if (pthread_create(&thread, NULL, do_nothing, NULL) != 0 || pthread_join(thread, NULL) != 0) {
        abort();
    }
#else
    if (!is_emulated()) {
        return;
    }
#endif
    /* The one that was joined may be in the system's list for a moment. */
    for (uint64_t until = milliseconds_now() + SOON_MS; count_entries("/proc/self/task") != 2;) {
        if (milliseconds_now() >= until) {
            abort();
        }
        sleep_ms(1);
    }
    DIR *threads = opendir("/proc/self/task");
    if (threads == NULL) {
        abort();
    }
    for (const struct dirent *entry; (entry = readdir(threads)) != NULL;) {
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != getpid()) {
            (void)snprintf(other_thread, sizeof other_thread, "/proc/self/task/%.20s", entry->d_name);
        }
    }
    closedir(threads);
}

size_t count_threads(void)
{
    return count_entries("/proc/self/task") - (access(other_thread, F_OK) == 0);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/* Of the runtimes' interface; GCC brings no header with them. */
int __sanitizer_get_ownership(const volatile void *block);
size_t __sanitizer_get_allocated_size(const volatile void *block);
size_t __sanitizer_get_current_allocated_bytes(void);
int __sanitizer_install_malloc_and_free_hooks(void (*allocated)(const volatile void *, size_t), void (*freed)(const volatile void *));

/* A sanitizer has a heap of its own, and counts as in use what it keeps back after it was freed. Relaxed: the count orders no threads,
 * whose races would be hidden. */
static atomic_size_t in_use;

static void count_allocated(const volatile void *block, size_t size)
{
    (void)block;
    atomic_fetch_add_explicit(&in_use, size, memory_order_relaxed);
}

static void count_freed(const volatile void *block)
{
    if (__sanitizer_get_ownership(block)) {
        atomic_fetch_sub_explicit(&in_use, __sanitizer_get_allocated_size(block), memory_order_relaxed);
    }
}

__attribute__((constructor)) static void count_from_now_on(void)
{
    atomic_store(&in_use, __sanitizer_get_current_allocated_bytes());
    if (__sanitizer_install_malloc_and_free_hooks(count_allocated, count_freed) == 0) {
        abort();
    }
}

size_t heap_in_use(void)
{
    return atomic_load_explicit(&in_use, memory_order_relaxed);
}
#else
size_t heap_in_use(void)
{
    struct mallinfo2 memory = mallinfo2();
    return memory.uordblks + memory.hblkhd;
}
#endif

unsigned times(unsigned count)
{
    return getenv("MCC_TEST_FEWER") != NULL ? (count + 19) / 20 : count;
}

void assert_status_at(mcc_status_t actual, mcc_status_t expected, const char *what, const char *file, int line)
{
    if (actual != expected) {
        print_error("%s gave %s, not %s\n", what, mcc_status_name(actual), mcc_status_name(expected));
    }
    _assert_int_equal((unsigned long long)(long long)actual, (unsigned long long)(long long)expected, file, line);
}
