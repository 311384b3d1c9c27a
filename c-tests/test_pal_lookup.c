/* The lookups of the PAL, in the version that the library was built with: what each gives, and when its callback comes.
 *
 * The program has a resolver of its own (resolver.h), which the library calls in place of the system's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "pal_support.h"
#include "resolver.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* What the application's header may ask for, as the client's own does: any family unless it says so. */
#if defined(PAL_NET_DNS_IP_SUPPORT) && PAL_NET_DNS_IP_SUPPORT == 4
enum { IPV6_ONLY = true };
#else
enum { IPV6_ONLY = false };
#endif
/* How many lookups with callbacks run at once. */
enum { AT_ONCE = 16 };

/* ---- threads ---- */

static pthread_t start(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, body, argument), 0);
    return thread;
}

/* Expects that it ends soon. */
static void join(pthread_t thread)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += SOON_MS / 1000;
    assert_int_equal(pthread_timedjoin_np(thread, NULL, &until), 0);
}

static void terminate(void)
{
    assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
}

static void *terminate_here(void *result)
{
    *(palStatus_t *)result = pal_plat_socketsTerminate(NULL);
    return NULL;
}

/* Fails where it waits for what hangs. */
static void terminate_soon(void)
{
    static palStatus_t result;
    result = PAL_ERR_GENERIC_FAILURE;
    join(start(terminate_here, &result));
    assert_pal(result, PAL_SUCCESS);
}

#if PAL_DNS_API_VERSION != 0
static void initialise(void)
{
    assert_pal(pal_plat_socketsInit(NULL), PAL_SUCCESS);
}
#endif

/* ---- answers ---- */

typedef struct {
    palStatus_t status;
    /* The first address; 16 or 28. */
    palSocketAddress_t address;
    palSocketLength_t length;
} answer_t;

/* What is in an address that nothing was written to. */
static uint8_t untouched[ADDRESS_SIZE];
enum { UNTOUCHED_LENGTH = 77777 };

static answer_t no_answer(void)
{
    answer_t answer = {.status = PAL_ERR_GENERIC_FAILURE, .length = UNTOUCHED_LENGTH};
    memcpy(&answer.address, untouched, sizeof untouched);
    return answer;
}

/* All of it, and port 0. */
static bool is_address(const palSocketAddress_t *address, const char *text, uint32_t scope)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_scope_id = scope};
    palSocketAddress_t expected;
    memset(&expected, 0, sizeof expected);
    if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1) {
        memcpy(&expected, &ipv4, sizeof ipv4);
    } else if (inet_pton(AF_INET6, text, &ipv6.sin6_addr) == 1) {
        memcpy(&expected, &ipv6, sizeof ipv6);
    }
    return memcmp(address, &expected, sizeof expected) == 0;
}

static void expect_address(const answer_t *answer, const char *text, uint32_t scope)
{
    assert_pal(answer->status, PAL_SUCCESS);
    assert_true(is_address(&answer->address, text, scope));
    assert_int_equal(answer->length, strchr(text, ':') == NULL ? 16 : 28);
}

static void expect_no_address(const answer_t *answer)
{
    assert_pal(answer->status, PAL_ERR_SOCKET_DNS_ERROR);
    assert_memory_equal(&answer->address, untouched, sizeof untouched);
    assert_int_equal(answer->length, UNTOUCHED_LENGTH);
}

#if PAL_DNS_API_VERSION != 0
/* A lookup with a callback. */
typedef struct lookup {
    calls_t calls;
    /* The name that the callback should be told. */
    const char *name;
    /* The thread that begins it, while it does. */
    atomic_int caller;
    /* What the callback has seen. */
    answer_t answer;
    bool name_is_right;
    bool within_the_call;
    pid_t thread;
#if PAL_DNS_API_VERSION == 3
    palDNSQuery_t handle;
    palDNSQuery_t handle_in_callback;
    palAddressInfo_t *info;
    int count;
#endif
} lookup_t;

static void note(lookup_t *lookup, const char *hostname, palStatus_t status)
{
    lookup->answer.status = status;
    lookup->name_is_right = strcmp(hostname, lookup->name) == 0;
    lookup->thread = gettid();
    lookup->within_the_call = lookup->thread == atomic_load(&lookup->caller);
    count_call(&lookup->calls);
}

#if PAL_DNS_API_VERSION == 1
static void take_answer(const char *hostname, palSocketAddress_t *address, palSocketLength_t *length, palStatus_t status, void *argument)
{
    lookup_t *lookup = argument;
    lookup->name_is_right = address == &lookup->answer.address && length == &lookup->answer.length;
    if (!lookup->name_is_right) {
        status = PAL_ERR_GENERIC_FAILURE;
    }
    note(lookup, hostname, status);
}
#else
static palSocketLength_t size_of_family(const palSocketAddress_t *address)
{
    return address->addressType == PAL_AF_INET ? 16 : address->addressType == PAL_AF_INET6 ? 28 : 0;
}

static void take_answer(const char *hostname, palAddressInfo_t *info, palStatus_t status, void *argument)
{
    lookup_t *lookup = argument;
    lookup->info = info;
    lookup->handle_in_callback = lookup->handle;
    lookup->count = pal_getDNSCount(info);
    if (info != NULL && pal_getDNSAddress(info, 0, &lookup->answer.address) == PAL_SUCCESS) {
        lookup->answer.length = size_of_family(&lookup->answer.address);
    }
    note(lookup, hostname, status);
}
#endif

static void prepare(lookup_t *lookup)
{
    memset(lookup, 0, sizeof *lookup);
    calls_begin(&lookup->calls);
    lookup->calls.reaction_argument = lookup;
    lookup->answer = no_answer();
}

/* From any thread. */
static palStatus_t begin_named(lookup_t *lookup, const char *name, const char *name_told)
{
    lookup->name = name_told;
    atomic_store(&lookup->caller, gettid());
    errno = ENOTTY;
#if PAL_DNS_API_VERSION == 1
    palStatus_t status = pal_getAddressInfoAsync(name, &lookup->answer.address, &lookup->answer.length, take_answer, lookup);
#else
    palStatus_t status = pal_getAddressInfoAsync(name, take_answer, lookup, &lookup->handle);
#endif
    atomic_store(&lookup->caller, 0);
    return errno == ENOTTY ? status : PAL_ERR_GENERIC_FAILURE;
}

static palStatus_t begin(lookup_t *lookup, const char *name)
{
    return begin_named(lookup, name, name);
}

/* After its callback, or after it was cancelled. */
static void give_back(lookup_t *lookup)
{
#if PAL_DNS_API_VERSION == 3
    pal_freeAddrInfo(lookup->info);
#endif
    calls_end(&lookup->calls);
}

/* Waits for the answer, and expects what holds for every callback. */
static void await_answer(lookup_t *lookup)
{
    await_calls(&lookup->calls, 1);
    assert_true(lookup->name_is_right);
    assert_false(lookup->within_the_call);
#if PAL_DNS_API_VERSION == 3
    assert_int_not_equal(lookup->handle_in_callback, 0);
    assert_int_equal(lookup->handle_in_callback, lookup->handle);
    assert_int_equal(lookup->info != NULL, lookup->answer.status == PAL_SUCCESS);
    assert_int_equal(lookup->count > 0, lookup->answer.status == PAL_SUCCESS);
#endif
}

static answer_t ask_with_callback(const char *name)
{
    lookup_t lookup;
    prepare(&lookup);
    assert_pal(begin(&lookup, name), PAL_SUCCESS);
    await_answer(&lookup);
    answer_t answer = lookup.answer;
    give_back(&lookup);
    return answer;
}
#endif

#if PAL_DNS_API_VERSION != 3
static answer_t ask_and_wait(const char *name)
{
    answer_t answer = no_answer();
    errno = ENOTTY;
    answer.status = pal_getAddressInfo(name, &answer.address, &answer.length);
    assert_int_equal(errno, ENOTTY);
    return answer;
}
#endif

/* In the ways that there are: they must say the same. */
static answer_t ask(const char *name)
{
#if PAL_DNS_API_VERSION == 0
    return ask_and_wait(name);
#elif PAL_DNS_API_VERSION == 1
    answer_t waited = ask_and_wait(name), called_back = ask_with_callback(name);
    assert_pal(waited.status, called_back.status);
    assert_memory_equal(&waited.address, &called_back.address, ADDRESS_SIZE);
    assert_int_equal(waited.length, called_back.length);
    return waited;
#else
    return ask_with_callback(name);
#endif
}

/* ---- what a name gives ---- */

static void addresses_written_as_text_are_read(void **state)
{
    (void)state;
    const char *const texts[] = {"127.0.0.1", "192.0.2.7", "255.255.255.255", "0.0.0.0", "::1", "2001:db8::9", "::ffff:192.0.2.7", "::"};
    for (size_t index = 0; index < sizeof texts / sizeof *texts; index++) {
        answer_t answer = ask(texts[index]);
        expect_address(&answer, texts[index], 0);
    }
    unsigned scope = if_nametoindex("lo");
    assert_int_not_equal(scope, 0);
    answer_t answer = ask("fe80::1%lo");
    expect_address(&answer, "fe80::1", scope);
}

static void localhost_is_this_device(void **state)
{
    (void)state;
    answer_t answer = ask("localhost");
    assert_pal(answer.status, PAL_SUCCESS);
    expect_address(&answer, answer.address.addressType == PAL_AF_INET ? "127.0.0.1" : "::1", 0);
}

static void the_answer_s_first_address_that_can_be_used_is_taken(void **state)
{
    (void)state;
    const struct {
        const char *name;
        const char *address;
        uint32_t scope;
    } names[] = {
        {"six-first.test", "2001:db8::9", 0},      {"four-first.test", "192.0.2.7", 0}, {"strange-first.test", "192.0.2.7", 0},
        {"link.test", "fe80::1", 5}, {"many.test", "10.1.0.0", 0},
    };
    for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
        answer_t answer = ask(names[index].name);
        expect_address(&answer, names[index].address, names[index].scope);
    }
    answer_t answer = ask("strange-only.test");
    expect_no_address(&answer);
}

static void only_addresses_of_the_configured_families_are_given(void **state)
{
    (void)state;
    answer_t mixed[] = {ask("six-first.test"), ask("four-first.test")};
    answer_t ipv4 = ask("192.0.2.7"), ipv6 = ask("2001:db8::9");
    if (IPV6_ONLY) {
        expect_address(&mixed[0], "2001:db8::9", 0);
        expect_address(&mixed[1], "2001:db8::9", 0);
        expect_no_address(&ipv4);
    } else {
        expect_address(&mixed[0], "2001:db8::9", 0);
        expect_address(&mixed[1], "192.0.2.7", 0);
        expect_address(&ipv4, "192.0.2.7", 0);
    }
    expect_address(&ipv6, "2001:db8::9", 0);
}

static void every_failure_of_the_resolver_is_one_status(void **state)
{
    (void)state;
    size_t count = 0;
    for (const char *name; (name = name_that_fails(count)) != NULL; count++) {
        answer_t answer = ask(name);
        expect_no_address(&answer);
    }
    assert_int_not_equal(count, 0);
}

static void names_that_no_host_has_are_asked_for_as_they_are(void **state)
{
    (void)state;
    static char of_255[256], of_256[257], of_4096[4097];
    memset(of_255, 'a', 255);
    memset(of_256, 'b', 256);
    memset(of_4096, 'c', 4096);
    const char *const names[] = {"x.invalid", "", "%s%n%d%s%s.test", "six-first.test.", ".test", "a name.test", "\xc3\xa4.test",
                                 of_255, of_256, of_4096};
    for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
        answer_t answer = ask(names[index]);
        expect_no_address(&answer);
        expect_asked_for(names[index]);
    }
}

static void what_is_not_utf_8_is_no_name(void **state)
{
    (void)state;
    const char *const names[] = {"\xff", "caf\xe9.test", "\xc3"};
    for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
#if PAL_DNS_API_VERSION != 3
        answer_t answer = ask_and_wait(names[index]);
        expect_no_address(&answer);
#endif
#if PAL_DNS_API_VERSION != 0
        lookup_t lookup;
        prepare(&lookup);
        assert_pal(begin(&lookup, names[index]), PAL_ERR_SOCKET_DNS_ERROR);
        expect_calls(&lookup.calls, 0);
        give_back(&lookup);
#endif
    }
}

static void null_pointers_are_refused_and_nothing_is_written(void **state)
{
    (void)state;
    for (int initialised = 1; initialised >= 0; initialised--) {
#if PAL_DNS_API_VERSION != 3
        answer_t answer = no_answer();
        assert_pal(pal_getAddressInfo(NULL, &answer.address, &answer.length), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_getAddressInfo("127.0.0.1", NULL, &answer.length), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_getAddressInfo("127.0.0.1", &answer.address, NULL), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_getAddressInfo("\xff", NULL, NULL), PAL_ERR_INVALID_ARGUMENT);
        answer.status = PAL_ERR_SOCKET_DNS_ERROR;
        expect_no_address(&answer);
#endif
#if PAL_DNS_API_VERSION != 0
        lookup_t lookup;
        prepare(&lookup);
#endif
#if PAL_DNS_API_VERSION == 1
        palSocketAddress_t *address = &lookup.answer.address;
        palSocketLength_t *length = &lookup.answer.length;
        assert_pal(pal_getAddressInfoAsync(NULL, address, length, take_answer, &lookup), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_getAddressInfoAsync("127.0.0.1", NULL, length, take_answer, &lookup), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_getAddressInfoAsync("127.0.0.1", address, NULL, take_answer, &lookup), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_getAddressInfoAsync("127.0.0.1", address, length, NULL, &lookup), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_getAddressInfoAsync("\xff", address, length, NULL, NULL), PAL_ERR_INVALID_ARGUMENT);
#elif PAL_DNS_API_VERSION == 3
        palDNSQuery_t handle = 77;
        assert_pal(pal_getAddressInfoAsync(NULL, take_answer, &lookup, &handle), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_getAddressInfoAsync("127.0.0.1", NULL, &lookup, &handle), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_getAddressInfoAsync("127.0.0.1", take_answer, &lookup, NULL), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_getAddressInfoAsync("\xff", NULL, NULL, &handle), PAL_ERR_INVALID_ARGUMENT);
        assert_int_equal(handle, 77);
#endif
#if PAL_DNS_API_VERSION != 0
        if (initialised) {
            expect_calls(&lookup.calls, 0);
        }
        assert_int_equal(calls_so_far(&lookup.calls), 0);
        lookup.answer.status = PAL_ERR_SOCKET_DNS_ERROR;
        expect_no_address(&lookup.answer);
        give_back(&lookup);
#endif
        terminate();
    }
}

static void what_waits_needs_no_layer_and_what_calls_back_does(void **state)
{
    (void)state;
    terminate();
    /* Those that were joined may be in the system's list for a moment. */
    assert_true(threads_fall_to(1));
#if PAL_DNS_API_VERSION != 3
    answer_t answer = ask_and_wait("192.0.2.7");
    expect_address(&answer, "192.0.2.7", 0);
    /* It waits on the caller's thread. */
    assert_int_equal(count_threads(), 1);
#endif
#if PAL_DNS_API_VERSION != 0
    lookup_t lookup;
    prepare(&lookup);
    assert_pal(begin(&lookup, "192.0.2.7"), PAL_ERR_NOT_INITIALIZED);
#if PAL_DNS_API_VERSION == 3
    assert_int_equal(lookup.handle, 0);
#endif
    initialise();
    expect_calls(&lookup.calls, 0);
    assert_pal(begin(&lookup, "192.0.2.7"), PAL_SUCCESS);
    await_answer(&lookup);
    expect_address(&lookup.answer, "192.0.2.7", 0);
    give_back(&lookup);
#endif
}

static void a_lookup_needs_no_descriptor_of_the_library(void **state)
{
    (void)state;
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    answer_t found = ask("192.0.2.7"), failed = ask("again.test");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    expect_address(&found, "192.0.2.7", 0);
    expect_no_address(&failed);
    answer_t again = ask("localhost");
    assert_pal(again.status, PAL_SUCCESS);
}

#if PAL_DNS_API_VERSION != 3
static void the_length_is_written_and_not_read(void **state)
{
    (void)state;
    const palSocketLength_t before[] = {0, 1, 15, 16, 28, 34, 0x7FFFFFFF, 0xFFFFFFFF};
    for (size_t index = 0; index < sizeof before / sizeof *before; index++) {
        answer_t answer = no_answer();
        answer.length = before[index];
        answer.status = pal_getAddressInfo("six-first.test", &answer.address, &answer.length);
        expect_address(&answer, "2001:db8::9", 0);
        answer.length = before[index];
        answer.status = pal_getAddressInfo("four-first.test", &answer.address, &answer.length);
        expect_address(&answer, "192.0.2.7", 0);
    }
}

typedef struct {
    const char *name;
    answer_t answer;
    unsigned wrong;
    unsigned rounds;
    pthread_t thread;
} asker_t;

static void *ask_here(void *argument)
{
    asker_t *asker = argument;
    for (unsigned round = 0; round < asker->rounds; round++) {
        asker->answer = no_answer();
        asker->answer.status = pal_getAddressInfo(asker->name, &asker->answer.address, &asker->answer.length);
        bool six = round % 2 == 0;
        answer_t other = no_answer();
        other.status = pal_getAddressInfo(six ? "six-first.test" : "127.0.0.1", &other.address, &other.length);
        asker->wrong += other.status != PAL_SUCCESS || !is_address(&other.address, six ? "2001:db8::9" : "127.0.0.1", 0);
    }
    return NULL;
}

static void a_lookup_that_waits_holds_up_nobody_else(void **state)
{
    (void)state;
    enum { THREADS = 2 * AT_ONCE };
    static asker_t askers[THREADS];
    static char names[THREADS][32];
    resolver_threads_of_the_test();
    hang();
    for (unsigned index = 0; index < THREADS; index++) {
        snprintf(names[index], sizeof names[index], "hang-%u.test", index);
        askers[index] = (asker_t){.name = names[index], .rounds = 1};
        askers[index].thread = start(ask_here, &askers[index]);
    }
    await_hung(THREADS);
    settle();
    answer_t answer = ask("four-first.test");
    expect_address(&answer, "192.0.2.7", 0);
    terminate_soon();
    hang_no_more();
    for (unsigned index = 0; index < THREADS; index++) {
        join(askers[index].thread);
        char text[INET_ADDRSTRLEN];
        snprintf(text, sizeof text, "198.51.0.%u", index);
        expect_address(&askers[index].answer, text, 0);
        assert_int_equal(askers[index].wrong, 0);
    }
}

static void many_threads_wait_at_once_and_each_gets_its_own_answer(void **state)
{
    (void)state;
    enum { THREADS = 16 };
    static asker_t askers[THREADS];
    static char names[THREADS][32];
    resolver_threads_of_the_test();
    for (unsigned index = 0; index < THREADS; index++) {
        snprintf(names[index], sizeof names[index], "slow-%u.test", index);
        askers[index] = (asker_t){.name = names[index], .rounds = times(200)};
        askers[index].thread = start(ask_here, &askers[index]);
    }
    for (unsigned index = 0; index < THREADS; index++) {
        join(askers[index].thread);
        char text[INET_ADDRSTRLEN];
        snprintf(text, sizeof text, "198.51.0.%u", index);
        expect_address(&askers[index].answer, text, 0);
        assert_int_equal(askers[index].wrong, 0);
    }
}
#endif

/* ---- callbacks ---- */

#if PAL_DNS_API_VERSION != 0
static void note_thread(calls_t *calls)
{
    *(pid_t *)calls->reaction_argument = gettid();
}

/* The thread that sockets' callbacks come from. */
static pid_t layer_thread(void)
{
    pid_t thread = 0;
    calls_t calls;
    calls_begin(&calls);
    calls.reaction = note_thread;
    calls.reaction_argument = &thread;
    uint16_t port;
    palSocket_t socket = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls, &port);
    send_datagram(socket, PAL_AF_INET, port, "x", 1);
    await_calls(&calls, 1);
    close_socket(&socket);
    calls_end(&calls);
    assert_int_not_equal(thread, 0);
    return thread;
}

static void the_callback_comes_once_on_the_layer_s_thread(void **state)
{
    (void)state;
    pid_t thread = layer_thread();
    for (unsigned round = 0; round < times(1000); round++) {
        const char *name = round % 3 == 0 ? "127.0.0.1" : round % 3 == 1 ? "slow-5.test" : "no-name.test";
        lookup_t lookup;
        prepare(&lookup);
        assert_pal(begin(&lookup, name), PAL_SUCCESS);
        await_answer(&lookup);
        assert_int_equal(lookup.thread, thread);
        if (round % 3 == 2) {
            expect_no_address(&lookup.answer);
        } else {
            expect_address(&lookup.answer, round % 3 == 0 ? "127.0.0.1" : "198.51.0.5", 0);
        }
        if (round % 50 == 0) {
            expect_calls(&lookup.calls, 1);
        }
        give_back(&lookup);
    }
}

static void the_name_is_copied(void **state)
{
    (void)state;
    static lookup_t lookups[2 * AT_ONCE];
    static char names[2 * AT_ONCE][32];
    hang();
    /* Half of them wait for their turn. */
    for (unsigned index = 0; index < 2 * AT_ONCE; index++) {
        char *name = malloc(32);
        assert_non_null(name);
        snprintf(name, 32, "hang-%u.test", index);
        snprintf(names[index], sizeof names[index], "hang-%u.test", index);
        prepare(&lookups[index]);
        assert_pal(begin_named(&lookups[index], name, names[index]), PAL_SUCCESS);
        memset(name, 'x', 32);
        free(name);
    }
    hang_no_more();
    for (unsigned index = 0; index < 2 * AT_ONCE; index++) {
        await_answer(&lookups[index]);
        char text[INET_ADDRSTRLEN];
        snprintf(text, sizeof text, "198.51.0.%u", index);
        expect_address(&lookups[index].answer, text, 0);
        give_back(&lookups[index]);
    }
}

enum { UNDER_WAY = 200 };

/* So many lookups that hang. */
static lookup_t *hang_many(unsigned count, char (*names)[32])
{
    lookup_t *lookups = calloc(count, sizeof *lookups);
    assert_non_null(lookups);
    hang();
    for (unsigned index = 0; index < count; index++) {
        snprintf(names[index], sizeof names[index], "hang-%u.test", index);
        prepare(&lookups[index]);
        assert_pal(begin(&lookups[index], names[index]), PAL_SUCCESS);
    }
    return lookups;
}

static void give_back_many(lookup_t *lookups, unsigned count)
{
    for (unsigned index = 0; index < count; index++) {
        give_back(&lookups[index]);
    }
    free(lookups);
}

static void two_hundred_lookups_are_under_way_on_a_few_threads(void **state)
{
    (void)state;
    static char names[UNDER_WAY][32];
    (void)most_inside();
    size_t threads = count_threads();
    lookup_t *lookups = hang_many(UNDER_WAY, names);
    await_hung(AT_ONCE);
    assert_true(count_threads() <= threads + AT_ONCE);
    settle();
    for (unsigned index = 0; index < UNDER_WAY; index++) {
        assert_int_equal(calls_so_far(&lookups[index].calls), 0);
    }
#if PAL_DNS_API_VERSION == 3
    for (unsigned index = 0; index < UNDER_WAY; index++) {
        assert_int_not_equal(lookups[index].handle, 0);
        for (unsigned other = 0; other < index; other++) {
            assert_int_not_equal(lookups[index].handle, lookups[other].handle);
        }
    }
#endif
    hang_no_more();
    for (unsigned index = 0; index < UNDER_WAY; index++) {
        await_answer(&lookups[index]);
        char text[INET_ADDRSTRLEN];
        snprintf(text, sizeof text, "198.51.0.%u", index);
        expect_address(&lookups[index].answer, text, 0);
    }
    settle();
    for (unsigned index = 0; index < UNDER_WAY; index++) {
        assert_int_equal(calls_so_far(&lookups[index].calls), 1);
    }
    assert_int_equal(most_inside(), AT_ONCE);
    assert_true(threads_fall_to(threads));
    give_back_many(lookups, UNDER_WAY);
}

static void lookups_that_hang_hold_up_no_socket_and_no_end(void **state)
{
    (void)state;
    static char names[UNDER_WAY][32];
    lookup_t *lookups = hang_many(UNDER_WAY, names);
    await_hung(AT_ONCE);
    size_t threads = count_threads();
    pair_t pair;
    connect_pair(&pair, PAL_AF_INET);
    size_t size = 0;
    assert_pal(pal_send(pair.client, "hello", 5, &size), PAL_SUCCESS);
    await_calls(&pair.server_calls, 1);
    close_pair(&pair);
    /* An address is no lookup that would wait for its turn. */
    answer_t address = ask("192.0.2.9");
    expect_address(&address, "192.0.2.9", 0);
    size_t descriptors = count_descriptors();
    terminate_soon();
    /* The epoll, its waker and its timer. */
    assert_int_equal(count_descriptors(), descriptors - 3);
    assert_true(threads_fall_to(threads - 1));
    await_hung(AT_ONCE);

    /* They are cancelled: nothing comes, not even when the layer runs again. */
    initialise();
    settle();
    /* And they hold up no later one. */
    answer_t answer = ask("four-first.test");
    expect_address(&answer, "192.0.2.7", 0);
    await_hung(AT_ONCE);
    hang_no_more();
    assert_true(threads_fall_to(threads - AT_ONCE));
    /* That one, and the address where it is asked for without a callback too, beside those that hung: the others were not begun. */
    assert_int_equal(count_of_calls(), AT_ONCE + (PAL_DNS_API_VERSION == 1 ? 3 : 1));
    settle();
    for (unsigned index = 0; index < UNDER_WAY; index++) {
        assert_int_equal(calls_so_far(&lookups[index].calls), 0);
        assert_memory_equal(&lookups[index].answer.address, untouched, sizeof untouched);
    }
    give_back_many(lookups, UNDER_WAY);
}

/* Freed as soon as no callback may come: one that comes writes to freed memory, which valgrind and the sanitizers see, and the mark does
 * without them. */
typedef struct {
    lookup_t lookup;
    atomic_int alive;
    atomic_int inside;
} fragile_t;

static atomic_uint fragile_calls;
static atomic_uint fragile_faults;

static void touch_fragile(calls_t *calls)
{
    fragile_t *fragile = (fragile_t *)calls->reaction_argument;
    atomic_store(&fragile->inside, 1);
    atomic_fetch_add(&fragile_faults, atomic_load(&fragile->alive) != 1);
    sched_yield();
    atomic_fetch_add(&fragile_faults, atomic_load(&fragile->alive) != 1);
    atomic_fetch_add(&fragile_calls, 1);
    atomic_store(&fragile->inside, 0);
}

static fragile_t *new_fragile(void)
{
    fragile_t *fragile = calloc(1, sizeof *fragile);
    assert_non_null(fragile);
    prepare(&fragile->lookup);
    fragile->lookup.calls.reaction = touch_fragile;
    fragile->lookup.calls.reaction_argument = fragile;
    atomic_store(&fragile->alive, 1);
    return fragile;
}

static void free_fragile(fragile_t *fragile)
{
    atomic_fetch_add(&fragile_faults, atomic_load(&fragile->inside) != 0);
    atomic_store(&fragile->alive, 0);
    give_back(&fragile->lookup);
    free(fragile);
}

static void yield_up_to(unsigned turns)
{
    static unsigned seed = 1;
    for (unsigned turn = (unsigned)rand_r(&seed) % (turns + 1); turn > 0; turn--) {
        sched_yield();
    }
}

static void the_end_of_the_layer_cancels_lookups_at_any_moment(void **state)
{
    (void)state;
    enum { TOGETHER = 4 };
    terminate();
    size_t descriptors = count_descriptors();
    for (unsigned round = 0; round < times(1000); round++) {
        initialise();
        fragile_t *fragiles[TOGETHER];
        for (unsigned index = 0; index < TOGETHER; index++) {
            fragiles[index] = new_fragile();
            assert_pal(begin(&fragiles[index]->lookup, index % 2 == 0 ? "slow-1.test" : "four-first.test"), PAL_SUCCESS);
        }
        if (round % 4 == 0) {
            await_calls(&fragiles[round / 4 % TOGETHER]->lookup.calls, 1);
        } else {
            yield_up_to(20);
        }
        terminate();
        assert_int_equal(count_descriptors(), descriptors);
        for (unsigned index = 0; index < TOGETHER; index++) {
            free_fragile(fragiles[index]);
        }
    }
    assert_int_equal(atomic_load(&fragile_faults), 0);
    assert_true(atomic_load(&fragile_calls) >= times(1000) / 4);
}

/* A callback that goes on until it is let go. */
static atomic_int held_inside;
static atomic_bool let_go;

static void stay(calls_t *calls)
{
    (void)calls;
    atomic_store(&held_inside, 1);
    for (uint64_t until = milliseconds_now() + SOON_MS; !atomic_load(&let_go) && milliseconds_now() < until;) {
        sched_yield();
    }
    atomic_store(&held_inside, 0);
}

static void await_held(void)
{
    for (uint64_t until = milliseconds_now() + SOON_MS; !atomic_load(&held_inside) && milliseconds_now() < until;) {
        sched_yield();
    }
    assert_int_equal(atomic_load(&held_inside), 1);
}

/* Another thread that ends it, and whether the callback ran when that was done. */
typedef struct {
    lookup_t *lookup;
    bool cancels;
    palStatus_t status;
    int inside_after;
    pthread_t thread;
} ender_t;

static atomic_int enders_begun;

static void *end_it(void *argument)
{
    ender_t *ender = argument;
    atomic_fetch_add(&enders_begun, 1);
#if PAL_DNS_API_VERSION == 3
    ender->status = ender->cancels ? pal_cancelAddressInfoAsync(ender->lookup->handle) : pal_plat_socketsTerminate(NULL);
#else
    ender->status = pal_plat_socketsTerminate(NULL);
#endif
    ender->inside_after = atomic_load(&held_inside);
    return NULL;
}

static void whoever_ends_a_lookup_waits_for_its_callback(void **state)
{
    (void)state;
    enum { ENDERS = 3 };
    /* The first bits: who cancels; the others end the layer. */
    for (unsigned who = 0; who < (PAL_DNS_API_VERSION == 3 ? 8 : 1); who++) {
        lookup_t lookup;
        prepare(&lookup);
        lookup.calls.reaction = stay;
        atomic_store(&let_go, false);
        atomic_store(&enders_begun, 0);
        assert_pal(begin(&lookup, "four-first.test"), PAL_SUCCESS);
        await_held();
        ender_t enders[ENDERS];
        for (unsigned index = 0; index < ENDERS; index++) {
            enders[index] = (ender_t){.lookup = &lookup, .cancels = who >> index & 1, .inside_after = -1};
            enders[index].thread = start(end_it, &enders[index]);
        }
        while (atomic_load(&enders_begun) < ENDERS) {
            sched_yield();
        }
        /* Time for one that does not wait to come out. */
        sleep_ms(20);
        atomic_store(&let_go, true);
        for (unsigned index = 0; index < ENDERS; index++) {
            join(enders[index].thread);
            assert_pal(enders[index].status, PAL_SUCCESS);
            assert_int_equal(enders[index].inside_after, 0);
        }
        assert_int_equal(calls_so_far(&lookup.calls), 1);
        give_back(&lookup);
        initialise();
    }
}

static void end_the_layer(calls_t *calls)
{
    (void)calls;
    (void)pal_plat_socketsTerminate(NULL);
}

static void the_layer_ends_in_the_callback_of_a_lookup(void **state)
{
    (void)state;
    static char names[UNDER_WAY][32];
    lookup_t *others = hang_many(AT_ONCE - 1, names);
    lookup_t last;
    prepare(&last);
    last.calls.reaction = end_the_layer;
    assert_pal(begin(&last, "four-first.test"), PAL_SUCCESS);
    await_answer(&last);
    expect_address(&last.answer, "192.0.2.7", 0);
    lookup_t refused;
    prepare(&refused);
    assert_pal(begin(&refused, "four-first.test"), PAL_ERR_NOT_INITIALIZED);
    initialise();
    hang_no_more();
    answer_t answer = ask("six-first.test");
    expect_address(&answer, "2001:db8::9", 0);
    assert_true(threads_fall_to(2));
    settle();
    for (unsigned index = 0; index < AT_ONCE - 1; index++) {
        assert_int_equal(calls_so_far(&others[index].calls), 0);
    }
    assert_int_equal(calls_so_far(&last.calls), 1);
    assert_int_equal(calls_so_far(&refused.calls), 0);
    give_back(&last);
    give_back(&refused);
    give_back_many(others, AT_ONCE - 1);
}

/* One that begins another in its callback. */
typedef struct {
    lookup_t first;
    lookup_t next;
    palStatus_t status;
} chain_t;

static void begin_next(calls_t *calls)
{
    chain_t *chain = calls->reaction_argument;
    chain->status = begin(&chain->next, "six-first.test");
}

static void a_lookup_begins_in_the_callback_of_another(void **state)
{
    (void)state;
    for (unsigned round = 0; round < times(200); round++) {
        chain_t chain = {.status = PAL_ERR_GENERIC_FAILURE};
        prepare(&chain.first);
        prepare(&chain.next);
        chain.first.calls.reaction = begin_next;
        chain.first.calls.reaction_argument = &chain;
        assert_pal(begin(&chain.first, "127.0.0.1"), PAL_SUCCESS);
        await_answer(&chain.first);
        assert_pal(chain.status, PAL_SUCCESS);
        await_answer(&chain.next);
        expect_address(&chain.next.answer, "2001:db8::9", 0);
        assert_int_equal(chain.next.thread, chain.first.thread);
        give_back(&chain.first);
        give_back(&chain.next);
    }
}

enum { EACH = 100 };

typedef struct {
    lookup_t lookups[EACH];
    char names[EACH][32];
    unsigned refused;
    unsigned number;
    pthread_t thread;
} beginner_t;

static void *begin_here(void *argument)
{
    beginner_t *beginner = argument;
    for (unsigned index = 0; index < EACH; index++) {
        snprintf(beginner->names[index], sizeof beginner->names[index], "slow-%u.test", beginner->number * EACH + index);
        beginner->refused += begin(&beginner->lookups[index], beginner->names[index]) != PAL_SUCCESS;
    }
    return NULL;
}

static void many_threads_begin_lookups_and_each_is_answered_once(void **state)
{
    (void)state;
    enum { THREADS = 8 };
    size_t threads = count_threads();
    (void)most_inside();
    beginner_t *beginners = calloc(THREADS, sizeof *beginners);
    assert_non_null(beginners);
    for (unsigned number = 0; number < THREADS; number++) {
        beginners[number].number = number;
        for (unsigned index = 0; index < EACH; index++) {
            prepare(&beginners[number].lookups[index]);
        }
    }
    for (unsigned number = 0; number < THREADS; number++) {
        beginners[number].thread = start(begin_here, &beginners[number]);
    }
    for (unsigned number = 0; number < THREADS; number++) {
        join(beginners[number].thread);
        assert_int_equal(beginners[number].refused, 0);
    }
    for (unsigned number = 0; number < THREADS * EACH; number++) {
        lookup_t *lookup = &beginners[number / EACH].lookups[number % EACH];
        await_answer(lookup);
        char text[INET_ADDRSTRLEN];
        snprintf(text, sizeof text, "198.51.%u.%u", number >> 8, number & 255);
        expect_address(&lookup->answer, text, 0);
    }
    settle();
    for (unsigned number = 0; number < THREADS * EACH; number++) {
        lookup_t *lookup = &beginners[number / EACH].lookups[number % EACH];
        assert_int_equal(calls_so_far(&lookup->calls), 1);
        give_back(lookup);
    }
    assert_in_range(most_inside(), 1, AT_ONCE);
    assert_true(threads_fall_to(threads));
    free(beginners);
}
#endif

/* ---- handles and answers ---- */

#if PAL_DNS_API_VERSION == 3
static void cancel(palDNSQuery_t handle)
{
    assert_pal(pal_cancelAddressInfoAsync(handle), PAL_SUCCESS);
}

/* A page that cannot be written to: whoever does waits in the signal's handler, which looks whether the lookup has begun. */
static void *handle_page;
static size_t page_size;
static volatile sig_atomic_t writes_of_the_handle;
static volatile sig_atomic_t begun_before_the_write;

static void look_before_the_write(int signal_number)
{
    (void)signal_number;
    writes_of_the_handle++;
    uint64_t until = milliseconds_now() + 50;
    while (!begun_before_the_write && milliseconds_now() < until) {
        begun_before_the_write = count_of_calls() != 0;
    }
    (void)mprotect(handle_page, page_size, PROT_READ | PROT_WRITE);
}

static void the_handle_is_written_before_the_lookup_begins(void **state)
{
    (void)state;
    page_size = (size_t)sysconf(_SC_PAGESIZE);
    handle_page = mmap(NULL, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(handle_page != MAP_FAILED);
    struct sigaction action = {.sa_handler = look_before_the_write}, before;
    assert_int_equal(sigaction(SIGSEGV, &action, &before), 0);
    lookup_t lookup;
    prepare(&lookup);
    lookup.name = "four-first.test";
    palDNSQuery_t *handle = handle_page;
    palStatus_t status = pal_getAddressInfoAsync(lookup.name, take_answer, &lookup, handle);
    assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
    assert_pal(status, PAL_SUCCESS);
    await_calls(&lookup.calls, 1);
    assert_int_equal(writes_of_the_handle, 1);
    assert_int_equal(begun_before_the_write, 0);
    assert_int_not_equal(*handle, 0);
    assert_int_equal(munmap(handle_page, page_size), 0);
    give_back(&lookup);
}

/* One lookup that is cancelled: before its answer is there, at any moment, or in its callback. */
static void cancel_one(unsigned round)
{
    unsigned before = atomic_load(&fragile_calls);
    fragile_t *fragile = new_fragile();
    bool hangs = round % 4 == 0;
    if (hangs) {
        hang();
    }
    assert_pal(begin(&fragile->lookup, hangs ? "hang-1.test" : round % 4 == 1 ? "127.0.0.1" : "slow-1.test"), PAL_SUCCESS);
    if (hangs) {
        await_hung(1);
    } else if (round % 4 == 1) {
        for (uint64_t until = milliseconds_now() + SOON_MS; atomic_load(&fragile_calls) == before && milliseconds_now() < until;) {
            sched_yield();
        }
    } else {
        yield_up_to(20);
    }
    palStatus_t status = round % 8 < 4 ? pal_cancelAddressInfoAsync(fragile->lookup.handle)
                                       : pal_free_addressinfoAsync(fragile->lookup.handle);
    assert_pal(status, PAL_SUCCESS);
    free_fragile(fragile);
    if (hangs) {
        hang_no_more();
        assert_true(threads_fall_to(2));
        assert_int_equal(atomic_load(&fragile_calls), before);
    } else if (round % 4 == 1) {
        assert_int_equal(atomic_load(&fragile_calls), before + 1);
    }
}

static void lookups_are_cancelled_at_any_moment_and_nothing_is_left(void **state)
{
    (void)state;
    for (unsigned round = 0; round < times(200); round++) {
        cancel_one(round);
    }
    assert_true(threads_fall_to(2));
    size_t descriptors = count_descriptors();
    size_t memory = heap_in_use();
    for (unsigned round = 0; round < times(1000); round++) {
        cancel_one(round);
    }
    assert_true(threads_fall_to(2));
    settle();
    assert_int_equal(count_descriptors(), descriptors);
    assert_in_range(heap_in_use(), 0, memory + 16384);
    assert_int_equal(atomic_load(&fragile_faults), 0);
}

static void lookups_that_were_cancelled_are_not_begun(void **state)
{
    (void)state;
    static char names[UNDER_WAY][32];
    lookup_t *lookups = hang_many(UNDER_WAY, names);
    await_hung(AT_ONCE);
    /* From the end, else each that is cancelled while it runs lets another begin. */
    for (unsigned index = UNDER_WAY; index-- > UNDER_WAY / 2;) {
        cancel(lookups[index].handle);
    }
    lookup_t last;
    prepare(&last);
    assert_pal(begin(&last, "hang-200.test"), PAL_SUCCESS);
    for (unsigned index = UNDER_WAY / 2; index-- > 0;) {
        cancel(lookups[index].handle);
    }
    await_hung(AT_ONCE + 1);
    hang_no_more();
    await_answer(&last);
    expect_address(&last.answer, "198.51.0.200", 0);
    assert_true(threads_fall_to(2));
    assert_int_equal(count_of_calls(), AT_ONCE + 1);
    settle();
    for (unsigned index = 0; index < UNDER_WAY; index++) {
        assert_int_equal(calls_so_far(&lookups[index].calls), 0);
    }
    assert_int_equal(calls_so_far(&last.calls), 1);
    give_back(&last);
    give_back_many(lookups, UNDER_WAY);
}

/* What a callback cancels: itself, and another. */
typedef struct {
    lookup_t lookup;
    palDNSQuery_t other;
    palStatus_t results[4];
} canceller_t;

static void cancel_both(calls_t *calls)
{
    canceller_t *canceller = calls->reaction_argument;
    canceller->results[0] = pal_cancelAddressInfoAsync(canceller->lookup.handle);
    canceller->results[1] = pal_cancelAddressInfoAsync(canceller->other);
    canceller->results[2] = pal_free_addressinfoAsync(canceller->lookup.handle);
    canceller->results[3] = pal_free_addressinfoAsync(canceller->other);
}

static void a_callback_cancels_its_own_lookup_and_others(void **state)
{
    (void)state;
    for (unsigned round = 0; round < times(40); round++) {
        hang();
        lookup_t other;
        prepare(&other);
        assert_pal(begin(&other, "hang-1.test"), PAL_SUCCESS);
        await_hung(1);
        canceller_t canceller = {.results = {1, 1, 1, 1}};
        prepare(&canceller.lookup);
        canceller.other = other.handle;
        canceller.lookup.calls.reaction = cancel_both;
        canceller.lookup.calls.reaction_argument = &canceller;
        assert_pal(begin(&canceller.lookup, "four-first.test"), PAL_SUCCESS);
        await_answer(&canceller.lookup);
        for (unsigned index = 0; index < 4; index++) {
            assert_pal(canceller.results[index], PAL_SUCCESS);
        }
        hang_no_more();
        assert_true(threads_fall_to(2));
        settle();
        assert_int_equal(calls_so_far(&canceller.lookup.calls), 1);
        assert_int_equal(calls_so_far(&other.calls), 0);
        /* The answer is the application's, cancelled or not. */
        assert_int_equal(pal_getDNSCount(canceller.lookup.info), 2);
        give_back(&canceller.lookup);
        give_back(&other);
    }
}

static void of_two_answers_that_are_there_the_first_callback_cancels_the_second(void **state)
{
    (void)state;
    for (unsigned round = 0; round < times(100); round++) {
        /* The layer's thread is held while both answers come. */
        lookup_t gate;
        prepare(&gate);
        gate.calls.reaction = stay;
        atomic_store(&let_go, false);
        assert_pal(begin(&gate, "127.0.0.1"), PAL_SUCCESS);
        await_held();
        canceller_t both[2];
        for (unsigned index = 0; index < 2; index++) {
            both[index] = (canceller_t){.results = {1, 1, 1, 1}};
            prepare(&both[index].lookup);
            both[index].lookup.calls.reaction = cancel_both;
            both[index].lookup.calls.reaction_argument = &both[index];
        }
        hang();
        for (unsigned index = 0; index < 2; index++) {
            assert_pal(begin(&both[index].lookup, index == 0 ? "hang-1.test" : "hang-2.test"), PAL_SUCCESS);
        }
        both[0].other = both[1].lookup.handle;
        both[1].other = both[0].lookup.handle;
        await_hung(2);
        hang_no_more();
        assert_true(threads_fall_to(2));
        atomic_store(&let_go, true);
        await_answer(&gate);
        settle();
        assert_int_equal(calls_so_far(&both[0].lookup.calls) + calls_so_far(&both[1].lookup.calls), 1);
        give_back(&gate);
        give_back(&both[0].lookup);
        give_back(&both[1].lookup);
    }
}

static void handles_that_are_none_or_old_do_nothing(void **state)
{
    (void)state;
    lookup_t old;
    prepare(&old);
    assert_pal(begin(&old, "four-first.test"), PAL_SUCCESS);
    await_answer(&old);
    hang();
    lookup_t pending;
    prepare(&pending);
    assert_pal(begin(&pending, "hang-9.test"), PAL_SUCCESS);
    await_hung(1);
    const palDNSQuery_t handles[] = {0, old.handle, pending.handle + 1000, SIZE_MAX, SIZE_MAX / 2 + 1, (palDNSQuery_t)(uintptr_t)&old};
    for (unsigned layer = 0; layer < 2; layer++) {
        for (size_t index = 0; index < sizeof handles / sizeof *handles; index++) {
            for (unsigned again = 0; again < 2; again++) {
                assert_pal(pal_cancelAddressInfoAsync(handles[index]), PAL_SUCCESS);
                assert_pal(pal_free_addressinfoAsync(handles[index]), PAL_SUCCESS);
            }
        }
        if (layer == 0) {
            hang_no_more();
            await_answer(&pending);
            expect_address(&pending.answer, "198.51.0.9", 0);
            expect_calls(&pending.calls, 1);
            expect_calls(&old.calls, 1);
            terminate();
        }
    }
    give_back(&old);
    give_back(&pending);
}

static void an_answer_has_all_addresses_in_their_order(void **state)
{
    (void)state;
    lookup_t lookup;
    prepare(&lookup);
    assert_pal(begin(&lookup, "many.test"), PAL_SUCCESS);
    await_answer(&lookup);
    assert_pal(pal_free_addressinfoAsync(lookup.handle), PAL_SUCCESS);
    /* It outlives its handle and the layer. */
    terminate();
    assert_int_equal(pal_getDNSCount(lookup.info), MANY_ADDRESSES);
    answer_t answer = no_answer();
    for (unsigned index = 0; index < MANY_ADDRESSES; index++) {
        char text[INET6_ADDRSTRLEN];
        snprintf(text, sizeof text, index % 2 == 0 ? "10.1.%u.%u" : "2001:db8::%x:%x", index >> 8, index & 255);
        assert_pal(pal_getDNSAddress(lookup.info, (uint16_t)index, &answer.address), PAL_SUCCESS);
        assert_true(is_address(&answer.address, text, 0));
    }
    answer = no_answer();
    assert_pal(pal_getDNSAddress(lookup.info, MANY_ADDRESSES, &answer.address), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_getDNSAddress(lookup.info, UINT16_MAX, &answer.address), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_getDNSAddress(NULL, 0, &answer.address), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_getDNSAddress(lookup.info, 0, NULL), PAL_ERR_INVALID_ARGUMENT);
    assert_memory_equal(&answer.address, untouched, sizeof untouched);
    initialise();
    give_back(&lookup);
}

static void an_answer_of_strange_families_has_the_others(void **state)
{
    (void)state;
    lookup_t lookup;
    prepare(&lookup);
    assert_pal(begin(&lookup, "strange-first.test"), PAL_SUCCESS);
    await_answer(&lookup);
    assert_int_equal(lookup.count, 1);
    expect_address(&lookup.answer, "192.0.2.7", 0);
    give_back(&lookup);
}

static void what_is_no_answer_or_was_freed_is_not_followed(void **state)
{
    (void)state;
    lookup_t lookup;
    prepare(&lookup);
    assert_pal(begin(&lookup, "six-first.test"), PAL_SUCCESS);
    await_answer(&lookup);
    assert_int_equal(pal_getDNSCount(lookup.info), 2);
    palAddressInfo_t of_another = NULL;
    palAddressInfo_t *const none[] = {NULL, &of_another, (palAddressInfo_t *)(uintptr_t)1, (palAddressInfo_t *)UINTPTR_MAX, lookup.info};
    answer_t answer = no_answer();
    pal_freeAddrInfo(lookup.info);
    for (size_t index = 0; index < sizeof none / sizeof *none; index++) {
        for (unsigned again = 0; again < 2; again++) {
            assert_int_equal(pal_getDNSCount(none[index]), 0);
            assert_pal(pal_getDNSAddress(none[index], 0, &answer.address), PAL_ERR_INVALID_ARGUMENT);
            pal_freeAddrInfo(none[index]);
        }
    }
    assert_memory_equal(&answer.address, untouched, sizeof untouched);
    lookup.info = NULL;
    give_back(&lookup);
}
#endif

/* ---- the main ---- */

static int lookup_setup(void **state)
{
    if (!threads_fall_to(1)) {
        return -1;
    }
#if PAL_DNS_API_VERSION != 0
    atomic_store(&fragile_calls, 0);
    atomic_store(&fragile_faults, 0);
#endif
    resolver_begin();
    return pal_setup(state);
}

static int lookup_teardown(void **state)
{
    /* A test that failed may have left lookups: first no callback of theirs comes, then they end. */
    int result = pal_plat_socketsTerminate(NULL) == PAL_SUCCESS ? 0 : -1;
#if PAL_DNS_API_VERSION != 0
    atomic_store(&let_go, true);
#endif
    hang_no_more();
    if (!threads_fall_to(1)) {
        return -1;
    }
    if (!resolver_end()) {
        result = -1;
    }
    return pal_teardown(state) == 0 ? result : -1;
}

int main(int count, char **arguments)
{
    memset(untouched, 0xA5, sizeof untouched);
    /* A name server that does not answer is not waited for. */
    setenv("RES_OPTIONS", "timeout:1 attempts:1", 1);
#define TEST(name) cmocka_unit_test_setup_teardown(name, lookup_setup, lookup_teardown)
    const struct CMUnitTest tests[] = {
        TEST(addresses_written_as_text_are_read),
        TEST(localhost_is_this_device),
        TEST(the_answer_s_first_address_that_can_be_used_is_taken),
        TEST(only_addresses_of_the_configured_families_are_given),
        TEST(every_failure_of_the_resolver_is_one_status),
        TEST(names_that_no_host_has_are_asked_for_as_they_are),
        TEST(what_is_not_utf_8_is_no_name),
        TEST(null_pointers_are_refused_and_nothing_is_written),
        TEST(what_waits_needs_no_layer_and_what_calls_back_does),
        TEST(a_lookup_needs_no_descriptor_of_the_library),
#if PAL_DNS_API_VERSION != 3
        TEST(the_length_is_written_and_not_read),
        TEST(a_lookup_that_waits_holds_up_nobody_else),
        TEST(many_threads_wait_at_once_and_each_gets_its_own_answer),
#endif
#if PAL_DNS_API_VERSION != 0
        TEST(the_callback_comes_once_on_the_layer_s_thread),
        TEST(the_name_is_copied),
        TEST(two_hundred_lookups_are_under_way_on_a_few_threads),
        TEST(lookups_that_hang_hold_up_no_socket_and_no_end),
        TEST(the_end_of_the_layer_cancels_lookups_at_any_moment),
        TEST(whoever_ends_a_lookup_waits_for_its_callback),
        TEST(the_layer_ends_in_the_callback_of_a_lookup),
        TEST(a_lookup_begins_in_the_callback_of_another),
        TEST(many_threads_begin_lookups_and_each_is_answered_once),
#endif
#if PAL_DNS_API_VERSION == 3
        TEST(the_handle_is_written_before_the_lookup_begins),
        TEST(lookups_are_cancelled_at_any_moment_and_nothing_is_left),
        TEST(lookups_that_were_cancelled_are_not_begun),
        TEST(a_callback_cancels_its_own_lookup_and_others),
        TEST(of_two_answers_that_are_there_the_first_callback_cancels_the_second),
        TEST(handles_that_are_none_or_old_do_nothing),
        TEST(an_answer_has_all_addresses_in_their_order),
        TEST(an_answer_of_strange_families_has_the_others),
        TEST(what_is_no_answer_or_was_freed_is_not_followed),
#endif
    };
#undef TEST
    return run_chosen_tests(tests, count, arguments);
}
