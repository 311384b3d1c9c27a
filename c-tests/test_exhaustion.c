/* Memory and descriptors that run out: whole uses of the library (exhaustion_scenarios.c), each in a process of its own, in which the
 * n-th allocation fails, or all from the n-th on for a while, or in which so many descriptors are free. Each call gives a status that tells
 * of it, nothing hangs or ends the process, the same objects work once there is memory again, and nothing is left.
 *
 * Running the other C tests so would tell nothing: they expect that calls succeed.
 *
 *   test_exhaustion      the tests; MCC_TEST_EVERY=1 has every n tried, not a part of them, MCC_TEST_ONLY=NAME one use alone
 *   test_exhaustion --use NAME PORT ROUNDS alone|lasting|descriptors N      one use, so often with this shortage, then without
 *
 * A use says on standard output: whether n was reached, how many blocks are allocated at the end, how many allocations a use without a
 * shortage takes, and what was seen.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "exhaustion.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { USE_TAKES_AT_MOST_S = 60, AT_ONCE = 8, LEAKING_ROUNDS = 12, TOLERATED_BLOCKS = 6 };
/* A use has three sessions, and more where it is repeated; the servers have 1024. */
enum { USES_OF_A_SERVER = 50 };
/* Without MCC_TEST_EVERY: each of the first, and so many of the others. */
enum { CLOSELY = 5, SOME = 12 };

/* ---- one use, in its process ---- */

static bool is_open(int descriptor)
{
    return fcntl(descriptor, F_GETFD) >= 0;
}

static struct rlimit descriptor_limit;

/* Has so many descriptors left to be opened. */
static void leave_descriptors(uint64_t count)
{
    int limit = 0;
    for (uint64_t left = count; left > 0 || is_open(limit); limit++) {
        left -= !is_open(limit);
    }
    struct rlimit lowered = {.rlim_cur = (rlim_t)limit, .rlim_max = descriptor_limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &lowered) != 0) {
        give_up("setrlimit");
    }
}

static void leave_all_descriptors(void)
{
    if (setrlimit(RLIMIT_NOFILE, &descriptor_limit) != 0) {
        give_up("setrlimit");
    }
}

static void nothing(void)
{
}

static bool always(void)
{
    return true;
}

/* Threads of lookups, and of the check, end by themselves. */
static void await_only_thread(void)
{
    uint64_t until = milliseconds_now() + SOON_MS;
    while (count_threads() > 1) {
        if (milliseconds_now() > until) {
            give_up("%zu threads are left", count_threads() - 1);
        }
        sleep_ms(1);
    }
}

static void use_without_shortage(const scenario_t *scenario, uint16_t port)
{
    trial_t trial = {.port = port, .has_begun = always, .relieve = nothing, .relieved = true};
    scenario->run(&trial);
    await_only_thread();
}

static _Noreturn void use(char **arguments)
{
    const scenario_t *scenario = NULL;
    for (size_t index = 0; index < scenario_count; index++) {
        if (strcmp(scenarios[index].name, arguments[0]) == 0) {
            scenario = &scenarios[index];
        }
    }
    if (scenario == NULL) {
        give_up("there is no use %s", arguments[0]);
    }
    const uint16_t port = (uint16_t)strtoul(arguments[1], NULL, 10);
    const unsigned long rounds = strtoul(arguments[2], NULL, 10);
    const char *what = arguments[3];
    const uint64_t number = strtoull(arguments[4], NULL, 10);
    const bool descriptors = strcmp(what, "descriptors") == 0;
    const size_t open_before = count_descriptors();
    getrlimit(RLIMIT_NOFILE, &descriptor_limit);
    trial_t trial = {.port = port,
                     .has_begun = descriptors ? always : shortage_was_reached,
                     .relieve = descriptors ? leave_all_descriptors : end_shortage};
    bool reached = false;
    /* The names are made once for all of them. */
    (void)mcc_status_name(MCC_OK);
    for (unsigned long round = 0; round < rounds; round++) {
        trial.relieved = false;
        if (descriptors) {
            leave_descriptors(number);
        } else {
            begin_shortage((shortage_t){.first = number, .lasting = strcmp(what, "lasting") == 0});
        }
        scenario->run(&trial);
        reached = reached || (descriptors ? trial.seen[0] != 0 : shortage_was_reached());
        trial.relieve();
        await_only_thread();
        if (shortage_ran_out()) {
            give_up("a call or the loop waited for %zu bytes until the shortage was over by itself", last_refused());
        }
    }
    /* Twice, so that what the first use of anything makes for good is there in any case. */
    use_without_shortage(scenario, port);
    const uint64_t before = allocations_so_far();
    use_without_shortage(scenario, port);
    const uint64_t allocations = allocations_so_far() - before;
    const size_t open_after = count_descriptors();
    if (open_after != open_before) {
        give_up("%zu descriptors were open before, %zu are now", open_before, open_after);
    }
    (void)dprintf(STDOUT_FILENO, "%d %ld %llu %s\n", reached, allocated_blocks() - (long)blocks_kept, (unsigned long long)allocations,
                  trial.seen);
    _exit(0);
}

/* ---- many of them ---- */

typedef struct {
    pid_t process;
    int output;
    uint64_t number;
    unsigned rounds;
    uint64_t began_ms;
} running_t;

typedef struct {
    const char *name;
    uint16_t port;
    /* The most that were allocated at the end without a shortage. */
    long blocks;
    uint64_t allocations;
    const char *what;
    running_t running[AT_ONCE];
    /* The smallest number that was not reached; all below were tried, or passed over. */
    uint64_t not_reached;
    unsigned uses;
    unsigned failures;
    /* What was seen in any of them. */
    char seen[1024];
} sweep_t;

static void start_use(sweep_t *sweep, running_t *running, uint64_t number, unsigned rounds)
{
    int output[2];
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output[1], STDERR_FILENO);
    char port[16], times[32], digits[32];
    (void)snprintf(port, sizeof port, "%u", sweep->port);
    (void)snprintf(times, sizeof times, "%u", rounds);
    (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    char program[] = "/proc/self/exe", option[] = "--use";
    char *arguments[] = {program, option, (char *)(uintptr_t)sweep->name, port, times, (char *)(uintptr_t)sweep->what, digits, NULL};
    extern char **environ;
    assert_int_equal(posix_spawn(&running->process, program, &actions, NULL, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(output[1]);
    running->output = output[0];
    running->number = number;
    running->rounds = rounds;
    running->began_ms = milliseconds_now();
    sweep->uses++;
}

static void add_seen(sweep_t *sweep, char *seen)
{
    for (char *rest = NULL, *name = strtok_r(seen, ",\n", &rest); name != NULL; name = strtok_r(NULL, ",\n", &rest)) {
        size_t used = strlen(sweep->seen);
        if (strstr(sweep->seen, name) == NULL) {
            (void)snprintf(sweep->seen + used, sizeof sweep->seen - used, " %s", name);
        }
    }
}

/* Takes the result of a use that has ended; false: it has not. */
static bool end_use(sweep_t *sweep, running_t *running)
{
    int status;
    bool hangs = false;
    if (waitpid(running->process, &status, WNOHANG) == 0) {
        if (milliseconds_now() - running->began_ms < USE_TAKES_AT_MOST_S * 1000) {
            return false;
        }
        hangs = true;
        kill(running->process, SIGKILL);
        waitpid(running->process, &status, 0);
    }
    char text[4096];
    ssize_t size = read(running->output, text, sizeof text - 1);
    text[size > 0 ? size : 0] = 0;
    close(running->output);
    running->process = 0;
    if (hangs || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        print_error("%s, %s %llu: %s%s %d: %s\n", sweep->name, sweep->what, (unsigned long long)running->number, hangs ? "hangs, " : "",
                    WIFSIGNALED(status) ? "signal" : "status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), text);
        sweep->failures++;
        return true;
    }
    char *rest = NULL;
    bool reached = strtol(text, &rest, 10) != 0;
    long blocks = strtol(rest, &rest, 10);
    uint64_t allocations = strtoull(rest, &rest, 10);
    if (strcmp(sweep->what, "alone") == 0 && running->number == 0) {
        sweep->blocks = blocks > sweep->blocks ? blocks : sweep->blocks;
        sweep->allocations = allocations > sweep->allocations ? allocations : sweep->allocations;
    } else if (blocks > sweep->blocks && running->rounds == 1) {
        /* How many are kept for later depends a little on what comes when. A leak grows with the rounds. */
        start_use(sweep, running, running->number, LEAKING_ROUNDS);
        return false;
    } else if (blocks > sweep->blocks + TOLERATED_BLOCKS) {
        print_error("%s, %s %llu: after %u rounds %ld blocks are allocated, %ld without a shortage\n", sweep->name, sweep->what,
                    (unsigned long long)running->number, running->rounds, blocks, sweep->blocks);
        sweep->failures++;
    }
    add_seen(sweep, rest);
    if (!reached && running->number < sweep->not_reached) {
        sweep->not_reached = running->number;
    }
    return true;
}

/* Runs the uses with numbers from `first` on, each `every` more than the one before, until one was not reached, or to `last`. */
static void run_uses(sweep_t *sweep, uint64_t first, uint64_t every, uint64_t last)
{
    sweep->not_reached = UINT64_MAX;
    uint64_t next = first;
    for (unsigned running = 1; running > 0;) {
        running = 0;
        for (size_t index = 0; index < AT_ONCE; index++) {
            running_t *slot = &sweep->running[index];
            if (slot->process != 0) {
                (void)end_use(sweep, slot);
            }
            if (slot->process == 0 && next <= last && (next < sweep->not_reached || last != UINT64_MAX) && sweep->failures < 10) {
                start_use(sweep, slot, next, 1);
                next += every;
            }
            running += slot->process != 0;
        }
        sleep_ms(1);
    }
}

static peer_t *start_server_for(fixture_t *fixture, const char *name)
{
    if (strcmp(name, "tls") == 0) {
        return start_tls_peer(fixture, "server");
    }
    if (strcmp(name, "dtls") == 0) {
        return start_cid_peer(fixture, "127.0.0.1", NULL);
    }
#ifdef MCC_TEST_PAL
    char certificate[4096], key[4096];
    (void)snprintf(certificate, sizeof certificate, "%s/server.pem", MCC_TEST_CERTIFICATES);
    (void)snprintf(key, sizeof key, "%s/server.key", MCC_TEST_CERTIFICATES);
    if (strcmp(name, "pal_tls") == 0) {
        return start_peer_program(fixture, MCC_TEST_MBEDTLS_SERVER, "--tls", "--certificate", certificate, "--key", key, NULL);
    }
    if (strcmp(name, "pal_dtls") == 0) {
        return start_peer_program(fixture, MCC_TEST_MBEDTLS_CID_SERVER, "--dtls", "--certificate", certificate, "--key", key, NULL);
    }
#endif
    return start_peer(fixture, "--tcp", NULL);
}

/* All uses with this shortage, with each number of allocations, or a part of them; or with 0 to `last` descriptors. */
static void sweep(fixture_t *fixture, const char *what, uint64_t last)
{
    skip_under_emulation("it would take an hour");
    const char *every = getenv("MCC_TEST_EVERY"), *only = getenv("MCC_TEST_ONLY");
    unsigned failures = 0;
    for (size_t index = 0; index < scenario_count; index++) {
        if (only != NULL && strcmp(only, scenarios[index].name) != 0) {
            continue;
        }
        peer_t *peer = start_server_for(fixture, scenarios[index].name);
        sweep_t sweep = {.name = scenarios[index].name, .port = peer_port(peer), .what = "alone"};
        uint64_t began = milliseconds_now();
        /* How it ends without a shortage. */
        for (int count = 0; count < 4; count++) {
            run_uses(&sweep, 0, 1, 0);
        }
        assert_int_equal(sweep.failures, 0);
        sweep.what = what;
        if (last != UINT64_MAX) {
            run_uses(&sweep, 0, 1, last);
        } else if (every != NULL) {
            /* A server of the tests keeps what clients leave behind, and is started anew now and then. */
            const uint64_t step = strtoull(every, NULL, 10);
            assert_true(step > 0);
            for (uint64_t first = 1; sweep.failures < 10; first += step * USES_OF_A_SERVER) {
                const uint64_t behind = first + step * USES_OF_A_SERVER;
                run_uses(&sweep, first, step, behind - 1);
                if (sweep.not_reached < behind) {
                    break;
                }
                stop_peer(fixture, peer);
                peer = start_server_for(fixture, scenarios[index].name);
                sweep.port = peer_port(peer);
            }
        } else {
            run_uses(&sweep, 1, 1, CLOSELY);
            run_uses(&sweep, CLOSELY + 1, sweep.allocations / SOME + 1, UINT64_MAX);
        }
        print_message("%-9s %s: %u uses, %u failed, up to %llu, %llu ms, saw%s\n", sweep.name, what, sweep.uses, sweep.failures,
                      (unsigned long long)sweep.not_reached, (unsigned long long)(milliseconds_now() - began), sweep.seen);
        failures += sweep.failures;
        stop_peer(fixture, peer);
    }
    assert_int_equal(failures, 0);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static void each_allocation_that_fails_alone_gives_a_status_or_nothing_at_all(void **state)
{
    sweep(*state, "alone", UINT64_MAX);
}

static void memory_that_stays_short_gives_a_status_until_there_is_some_again(void **state)
{
    sweep(*state, "lasting", UINT64_MAX);
}
#endif

static void without_descriptors_there_is_a_status_and_the_same_objects_work_once_there_are_some(void **state)
{
    sweep(*state, "descriptors", 20);
}

int main(int count, char **arguments)
{
    if (count == 7 && strcmp(arguments[1], "--use") == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        use(arguments + 2);
    }
    /* Else what a thread leaves behind depends on which of them had ended before. */
    setenv("GLIBC_TUNABLES", "glibc.pthread.stack_cache_size=0", 1);
    const struct CMUnitTest tests[] = {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        cmocka_unit_test_setup_teardown(each_allocation_that_fails_alone_gives_a_status_or_nothing_at_all, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_that_stays_short_gives_a_status_until_there_is_some_again, setup, teardown),
#endif
        cmocka_unit_test_setup_teardown(without_descriptors_there_is_a_status_and_the_same_objects_work_once_there_are_some, setup,
                                        teardown),
    };
    return run_chosen_tests(tests, count, arguments);
}
