/* That the thread sanitizer is at work: in the tests, in the library and where both meet. Only in a build with it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "pal_support.h"
#include "planted.h"

#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

/* ---- the races ---- */

/* The sign orders nothing: what two threads do before and after it is a race, although one comes after the other. */
static atomic_int sign;
static size_t shared;

static void give_sign(void)
{
    atomic_store_explicit(&sign, 1, memory_order_relaxed);
}

static void await_sign(void)
{
    uint64_t until = milliseconds_now() + SOON_MS;
    while (atomic_load_explicit(&sign, memory_order_relaxed) == 0) {
        if (milliseconds_now() > until) {
            fprintf(stderr, "the sign did not come\n");
            _exit(1);
        }
        sched_yield();
    }
}

static void write_shared(void *argument)
{
    *(size_t *)argument = 1;
    give_sign();
}

static void *write_in_a_thread(void *argument)
{
    write_shared(argument);
    return NULL;
}

static void race_in_the_program(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, write_in_a_thread, &shared);
    await_sign();
    shared++;
    pthread_join(thread, NULL);
}

/* A socket that writes `shared` in its callback, with a datagram that it has to tell of. */
static palSocket_t socket_that_writes(void)
{
    palSocket_t socket = NULL;
    palSocketAddress_t address;
    palIpV4Addr_t ipv4 = {127, 0, 0, 1};
    size_t sent = 0;
    memset(&address, 0, sizeof address);
    require(pal_plat_socketsInit(NULL));
    require(pal_asynchronousSocketWithArgument(PAL_AF_INET, PAL_SOCK_DGRAM, true, 0, write_shared, &shared, &socket));
    require(pal_setSockAddrIPV4Addr(&address, ipv4));
    require(pal_bind(socket, &address, ADDRESS_SIZE));
    require(pal_setSockAddrPort(&address, port_of(socket)));
    require(pal_sendTo(socket, "x", 1, &address, ADDRESS_SIZE, &sent));
    return socket;
}

static void race_with_a_callback(void)
{
    palSocket_t socket = socket_that_writes();
    await_sign();
    shared++;
    require(pal_close(&socket));
    require(pal_plat_socketsTerminate(NULL));
}

static palSocket_t receiver;

static void *receive_in_a_thread(void *argument)
{
    char byte;
    require(pal_recv(receiver, &byte, 1, argument));
    give_sign();
    return NULL;
}

/* The write is the library's own: the size of what was received. */
static void race_with_the_library(void)
{
    receiver = socket_that_writes();
    await_sign();
    atomic_store(&sign, 0);
    size_t size = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, receive_in_a_thread, &size);
    await_sign();
    size++;
    pthread_join(thread, NULL);
    require(pal_close(&receiver));
    require(pal_plat_socketsTerminate(NULL));
}

static void hand_over_by_close(void)
{
    palSocket_t socket = socket_that_writes();
    await_sign();
    require(pal_close(&socket));
    shared++;
    require(pal_plat_socketsTerminate(NULL));
}

static void hand_over_by_terminate(void)
{
    palSocket_t socket = socket_that_writes();
    await_sign();
    require(pal_plat_socketsTerminate(NULL));
    shared++;
    require(pal_close(&socket));
}

static const planted_t races[] = {
    {"race-in-the-program", race_in_the_program},
    {"race-with-a-callback", race_with_a_callback},
    {"race-with-the-library", race_with_the_library},
    {"hand-over-by-close", hand_over_by_close},
    {"hand-over-by-terminate", hand_over_by_terminate},
};

/* ---- the tests ---- */

static void expect_race(const char *name, const char *function)
{
    expect_report(name, "WARNING: ThreadSanitizer: data race", function);
}

static void a_race_in_the_program_is_reported(void **state)
{
    (void)state;
    expect_race("race-in-the-program", "write_in_a_thread");
}

static void a_race_with_a_callback_on_the_library_s_thread_is_reported(void **state)
{
    (void)state;
    expect_race("race-with-a-callback", "write_shared");
}

static void a_race_with_a_write_of_the_library_is_reported(void **state)
{
    (void)state;
    expect_race("race-with-the-library", "pal_recv");
}

/* The library's locks, and those of Rust's library under them, are seen: nothing is reported that they order. */
static void what_close_hands_over_is_no_race(void **state)
{
    (void)state;
    expect_no_report("hand-over-by-close");
}

static void what_terminate_hands_over_is_no_race(void **state)
{
    (void)state;
    expect_no_report("hand-over-by-terminate");
}

int main(int count, char **arguments)
{
    run_planted(races, sizeof races / sizeof *races, count, arguments);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_race_in_the_program_is_reported),
        cmocka_unit_test(a_race_with_a_callback_on_the_library_s_thread_is_reported),
        cmocka_unit_test(a_race_with_a_write_of_the_library_is_reported),
        cmocka_unit_test(what_close_hands_over_is_no_race),
        cmocka_unit_test(what_terminate_hands_over_is_no_race),
    };
    return run_chosen_tests(tests, count, arguments);
}
