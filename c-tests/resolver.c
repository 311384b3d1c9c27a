/* The functions behind resolver.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "resolver.h"

#include "support.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* A port that no answer of the library has. */
enum { FOREIGN_PORT = 77 };

/* A name with a number, such as `slow-7.test`, is not listed: its address has that number, 198.51.0.7. */
static const struct {
    const char *name;
    int error;
    /* "?": of a family that nobody knows. */
    const char *addresses[3];
} known_names[] = {
    {"six-first.test", 0, {"2001:db8::9", "192.0.2.7"}},
    {"four-first.test", 0, {"192.0.2.7", "2001:db8::9"}},
    {"strange-first.test", 0, {"?", "192.0.2.7"}},
    {"strange-only.test", 0, {"?"}},
    {"link.test", 0, {"fe80::1"}},
    {"local.test", 0, {"127.0.0.1"}},
    {"hang-local.test", 0, {"127.0.0.1"}},
    {"strange-local.test", 0, {"?", "127.0.0.1"}},
    {"nothing.test", 0, {0}},
    {"no-name.test", EAI_NONAME, {0}},
    {"hang-no-name.test", EAI_NONAME, {0}},
    {"no-data.test", EAI_NODATA, {0}},
    {"again.test", EAI_AGAIN, {0}},
    {"fail.test", EAI_FAIL, {0}},
    {"memory.test", EAI_MEMORY, {0}},
    {"system.test", EAI_SYSTEM, {0}},
    {"unheard-of.test", 12345, {0}},
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* The library's calls: all of them, those that are under way, and the most that were. */
    unsigned calls;
    unsigned inside;
    unsigned most_inside;
    /* Calls for names with `hang` wait while this is set; so many do. */
    bool hangs;
    unsigned hung;
    /* Answers that were not freed. */
    unsigned answers;
    /* Calls on a thread of the library's that takes signals. */
    unsigned faults;
    /* The last name asked for. */
    char *name;
} resolver = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* Threads of the test call too: the first always, others as they say. */
static pid_t main_thread;
static atomic_bool threads_of_the_test;

static void append(struct addrinfo ***end, const char *text, uint32_t scope)
{
    struct {
        struct addrinfo info;
        struct sockaddr_storage address;
    } *entry = calloc(1, sizeof *entry);
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)&entry->address;
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&entry->address;
    if (inet_pton(AF_INET, text, &ipv4->sin_addr) == 1) {
        ipv4->sin_family = AF_INET;
        ipv4->sin_port = htons(FOREIGN_PORT);
        entry->info.ai_addrlen = sizeof *ipv4;
    } else if (inet_pton(AF_INET6, text, &ipv6->sin6_addr) == 1) {
        ipv6->sin6_family = AF_INET6;
        ipv6->sin6_port = htons(FOREIGN_PORT);
        ipv6->sin6_scope_id = scope;
        entry->info.ai_addrlen = sizeof *ipv6;
    } else {
        entry->address.ss_family = AF_APPLETALK;
        entry->info.ai_addrlen = 16;
    }
    entry->info.ai_family = entry->address.ss_family;
    entry->info.ai_socktype = SOCK_STREAM;
    entry->info.ai_addr = (struct sockaddr *)&entry->address;
    **end = &entry->info;
    *end = &entry->info.ai_next;
}

/* The system's function of this name. Through an integer: a pointer to an object is none to a function. */
static uintptr_t next_function(const char *name)
{
    return (uintptr_t)dlsym(RTLD_NEXT, name);
}

static int answer_from_here(const char *name, struct addrinfo **result)
{
    struct addrinfo *first = NULL, **end = &first;
    const char *digits = strpbrk(name, "0123456789");
    int error = EAI_NONAME;
    bool is_local = strcmp(name, "many-local.test") == 0;
    if (is_local || strcmp(name, "many.test") == 0) {
        for (unsigned index = 0; index < MANY_ADDRESSES; index++) {
            char text[INET6_ADDRSTRLEN];
            const char *format = is_local ? "127.1.%u.%u" : index % 2 == 0 ? "10.1.%u.%u" : "2001:db8::%x:%x";
            snprintf(text, sizeof text, format, index >> 8, index & 255);
            append(&end, text, 0);
        }
        error = 0;
    } else if (digits != NULL) {
        unsigned number = (unsigned)strtoul(digits, NULL, 10);
        char text[INET_ADDRSTRLEN];
        snprintf(text, sizeof text, "198.51.%u.%u", number >> 8 & 255, number & 255);
        append(&end, text, 0);
        error = 0;
    } else {
        for (size_t index = 0; index < sizeof known_names / sizeof *known_names; index++) {
            if (strcmp(name, known_names[index].name) != 0) {
                continue;
            }
            error = known_names[index].error;
            for (const char *const *text = known_names[index].addresses; *text != NULL; text++) {
                append(&end, *text, strncmp(*text, "fe80", 4) == 0 ? 5 : 0);
            }
        }
    }
    *result = first;
    return error;
}

static bool is_ours(const char *name)
{
    const char *end = strstr(name, ".test");
    return end != NULL && (strcmp(end, ".test") == 0 || strcmp(end, ".test.") == 0);
}

/* From 0 to 9, another one each time. */
static unsigned resolver_turns(void)
{
    static atomic_uint count;
    return atomic_fetch_add(&count, 7) % 10;
}

int getaddrinfo(const char *restrict name, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict result)
{
    int (*of_the_system)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))next_function("getaddrinfo");
    if (hints != NULL && (hints->ai_flags & AI_NUMERICHOST) != 0) {
        /* Whether it is an address: no lookup. */
        int none = of_the_system(name, service, hints, result);
        pthread_mutex_lock(&resolver.mutex);
        resolver.answers += none == 0;
        pthread_mutex_unlock(&resolver.mutex);
        return none;
    }
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    bool takes_signals = gettid() != main_thread && !atomic_load(&threads_of_the_test) && sigismember(&blocked, SIGRTMIN) != 1;
    char *copy = strdup(name);
    pthread_mutex_lock(&resolver.mutex);
    resolver.faults += takes_signals;
    free(resolver.name);
    resolver.name = copy;
    resolver.calls++;
    resolver.inside++;
    if (resolver.most_inside < resolver.inside) {
        resolver.most_inside = resolver.inside;
    }
    if (strncmp(name, "hang", 4) == 0) {
        resolver.hung++;
        pthread_cond_broadcast(&resolver.changed);
        while (resolver.hangs) {
            pthread_cond_wait(&resolver.changed, &resolver.mutex);
        }
        resolver.hung--;
    }
    pthread_mutex_unlock(&resolver.mutex);
    if (strncmp(name, "slow", 4) == 0) {
        for (unsigned turn = resolver_turns(); turn > 0; turn--) {
            sched_yield();
        }
    }
    int error;
    if (is_ours(name)) {
        error = answer_from_here(name, result);
        errno = EIO;
    } else {
        error = of_the_system(name, service, hints, result);
    }
    pthread_mutex_lock(&resolver.mutex);
    resolver.inside--;
    resolver.answers += error == 0 && *result != NULL;
    pthread_mutex_unlock(&resolver.mutex);
    return error;
}

void freeaddrinfo(struct addrinfo *answer)
{
    if (answer == NULL) {
        return;
    }
    pthread_mutex_lock(&resolver.mutex);
    resolver.answers--;
    pthread_mutex_unlock(&resolver.mutex);
    const struct sockaddr_in *first = (const struct sockaddr_in *)(const void *)answer->ai_addr;
    if (first->sin_family != AF_APPLETALK && first->sin_port != htons(FOREIGN_PORT)) {
        void (*of_the_system)(struct addrinfo *) = (void (*)(struct addrinfo *))next_function("freeaddrinfo");
        of_the_system(answer);
        return;
    }
    while (answer != NULL) {
        struct addrinfo *next = answer->ai_next;
        free(answer);
        answer = next;
    }
}

void hang(void)
{
    pthread_mutex_lock(&resolver.mutex);
    resolver.hangs = true;
    pthread_mutex_unlock(&resolver.mutex);
}

void hang_no_more(void)
{
    pthread_mutex_lock(&resolver.mutex);
    resolver.hangs = false;
    pthread_cond_broadcast(&resolver.changed);
    pthread_mutex_unlock(&resolver.mutex);
}

void await_hung(unsigned count)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += SOON_MS / 1000;
    pthread_mutex_lock(&resolver.mutex);
    while (resolver.hung < count && pthread_cond_timedwait(&resolver.changed, &resolver.mutex, &until) == 0) {
    }
    unsigned hung = resolver.hung;
    pthread_mutex_unlock(&resolver.mutex);
    assert_int_equal(hung, count);
}

unsigned count_of_calls(void)
{
    pthread_mutex_lock(&resolver.mutex);
    unsigned calls = resolver.calls;
    pthread_mutex_unlock(&resolver.mutex);
    return calls;
}

unsigned most_inside(void)
{
    pthread_mutex_lock(&resolver.mutex);
    unsigned most = resolver.most_inside;
    resolver.most_inside = resolver.inside;
    pthread_mutex_unlock(&resolver.mutex);
    return most;
}

void expect_asked_for(const char *name)
{
    pthread_mutex_lock(&resolver.mutex);
    bool same = resolver.name != NULL && strcmp(resolver.name, name) == 0;
    pthread_mutex_unlock(&resolver.mutex);
    assert_true(same);
}

const char *name_that_fails(size_t number)
{
    for (size_t index = 0; index < sizeof known_names / sizeof *known_names; index++) {
        if (known_names[index].error != 0 && number-- == 0) {
            return known_names[index].name;
        }
    }
    return NULL;
}

void resolver_threads_of_the_test(void)
{
    atomic_store(&threads_of_the_test, true);
}

void resolver_begin(void)
{
    main_thread = gettid();
    atomic_store(&threads_of_the_test, false);
    pthread_mutex_lock(&resolver.mutex);
    resolver.calls = 0;
    resolver.faults = 0;
    resolver.answers = 0;
    pthread_mutex_unlock(&resolver.mutex);
}

bool resolver_end(void)
{
    pthread_mutex_lock(&resolver.mutex);
    bool clean = resolver.answers == 0 && resolver.faults == 0;
    if (!clean) {
        print_error("%u answers of the resolver were not freed, %u threads took signals\n", resolver.answers, resolver.faults);
    }
    free(resolver.name);
    resolver.name = NULL;
    pthread_mutex_unlock(&resolver.mutex);
    return clean;
}

bool threads_fall_to(size_t count)
{
    for (uint64_t until = milliseconds_now() + SOON_MS; milliseconds_now() < until; sleep_ms(1)) {
        if (count_threads() <= count) {
            return true;
        }
    }
    print_error("%zu threads are left, not %zu\n", count_threads(), count);
    return false;
}
