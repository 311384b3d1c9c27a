/* That valgrind sees what the program and the library do to memory. Only where the tests run under it: this program runs by itself, and
 * what it plants runs under valgrind.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "pal_support.h"
#include "planted.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- the faults ---- */

/* The compiler knows nothing of what goes through here, and does not warn. */
static void *volatile hidden;

static void decide_by_what_was_never_written(void)
{
    hidden = malloc(1);
    char *bytes = hidden;
    if (*bytes != 0) {
        _exit(1);
    }
    free(bytes);
}

/* A byte that has no value goes through the library to the kernel. */
static void send_what_was_never_written(void)
{
    palSocket_t socket = socket_that_received();
    palSocketAddress_t address = loopback(PAL_AF_INET, 9);
    size_t sent = 0;
    hidden = malloc(1);
    char *bytes = hidden;
    require(pal_sendTo(socket, bytes, 1, &address, ADDRESS_SIZE, &sent));
    free(bytes);
}

static const planted_t faults[] = {
    {"overflow", overflow_in_the_program},
    {"decide", decide_by_what_was_never_written},
    {"leak", leak_in_the_program},
    {"send-freed", send_what_was_freed},
    {"send-unwritten", send_what_was_never_written},
    {"receive-short", receive_into_a_short_buffer},
    {"receive-freed", receive_a_size_into_freed_memory},
    {"open-socket", leave_a_socket_open},
};

/* ---- the tests ---- */

static void an_overflow_in_the_program_is_reported(void **state)
{
    (void)state;
    expect_report("overflow", "Invalid write of size 1", "overflow_in_the_program");
}

static void a_decision_by_memory_without_a_value_is_reported(void **state)
{
    (void)state;
    expect_report("decide", "depends on uninitialised value", "decide_by_what_was_never_written");
}

static void a_leak_in_the_program_is_reported(void **state)
{
    (void)state;
    expect_report("leak", "definitely lost", "leak_in_the_program");
}

static void sending_what_was_freed_is_reported(void **state)
{
    (void)state;
    expect_report("send-freed", "points to unaddressable byte", "pal_sendTo");
}

static void sending_what_was_never_written_is_reported(void **state)
{
    (void)state;
    expect_report("send-unwritten", "points to uninitialised byte", "pal_sendTo");
}

static void receiving_into_a_short_buffer_is_reported(void **state)
{
    (void)state;
    expect_report("receive-short", "points to unaddressable byte", "pal_recv");
}

static void a_write_of_the_library_to_freed_memory_is_reported(void **state)
{
    (void)state;
    expect_report("receive-freed", "Invalid write of size", "pal_recv");
}

static void what_the_library_keeps_is_no_leak(void **state)
{
    (void)state;
    expect_no_report("open-socket");
}

int main(int count, char **arguments)
{
    run_planted(faults, sizeof faults / sizeof *faults, count, arguments);
    planted_under = MCC_TEST_VALGRIND " --num-callers=40 --error-exitcode=66 ";
    planted_summary = NULL;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_overflow_in_the_program_is_reported),
        cmocka_unit_test(a_decision_by_memory_without_a_value_is_reported),
        cmocka_unit_test(a_leak_in_the_program_is_reported),
        cmocka_unit_test(sending_what_was_freed_is_reported),
        cmocka_unit_test(sending_what_was_never_written_is_reported),
        cmocka_unit_test(receiving_into_a_short_buffer_is_reported),
        cmocka_unit_test(a_write_of_the_library_to_freed_memory_is_reported),
        cmocka_unit_test(what_the_library_keeps_is_no_leak),
    };
    return run_chosen_tests(tests, count, arguments);
}
