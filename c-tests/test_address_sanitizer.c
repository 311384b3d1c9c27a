/* That the address sanitizer, its search for leaks and the undefined behaviour sanitizer are at work: in the tests, in the library
 * and where both meet. Only in a build with them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "pal_support.h"
#include "planted.h"

#include <limits.h>
#include <stdlib.h>

/* ---- the faults ---- */

/* The compiler knows nothing of what goes through here, and neither warns of the faults nor leaves them out. */
static void *volatile hidden;

static void behave_undefined_in_the_program(void)
{
    int most = INT_MAX;
    hidden = &most;
    (*(int *)hidden)++;
}

static void give_the_stack_away(void)
{
    size_t received = 0;
    hidden = &received;
}

static void receive_a_size_into_a_function_s_stack(void)
{
    palSocket_t socket = socket_that_received();
    char bytes[16];
    give_the_stack_away();
    require(pal_recv(socket, bytes, sizeof bytes, hidden));
}

static const planted_t faults[] = {
    {"overflow", overflow_in_the_program},
    {"undefined", behave_undefined_in_the_program},
    {"leak", leak_in_the_program},
    {"send-freed", send_what_was_freed},
    {"receive-short", receive_into_a_short_buffer},
    {"receive-freed", receive_a_size_into_freed_memory},
    {"receive-stack", receive_a_size_into_a_function_s_stack},
    {"open-socket", leave_a_socket_open},
};

/* ---- the tests ---- */

static void an_overflow_in_the_program_is_reported(void **state)
{
    (void)state;
    expect_report("overflow", "ERROR: AddressSanitizer: heap-buffer-overflow", "overflow_in_the_program");
}

static void undefined_behaviour_in_the_program_is_reported(void **state)
{
    (void)state;
    expect_report("undefined", "runtime error: signed integer overflow", "behave_undefined_in_the_program");
}

static void a_leak_in_the_program_is_reported(void **state)
{
    (void)state;
    expect_report("leak", "ERROR: LeakSanitizer: detected memory leaks", "leak_in_the_program");
}

static void sending_what_was_freed_is_reported(void **state)
{
    (void)state;
    expect_report("send-freed", "ERROR: AddressSanitizer: heap-use-after-free", "pal_sendTo");
}

static void receiving_into_a_short_buffer_is_reported(void **state)
{
    (void)state;
    expect_report("receive-short", "ERROR: AddressSanitizer: heap-buffer-overflow", "pal_recv");
}

static void a_write_of_the_library_to_freed_memory_is_reported(void **state)
{
    (void)state;
    expect_report("receive-freed", "ERROR: AddressSanitizer: heap-use-after-free", "pal_recv");
}

static void a_write_of_the_library_to_the_stack_of_a_function_that_returned_is_reported(void **state)
{
    (void)state;
    expect_report("receive-stack", "ERROR: AddressSanitizer: stack-use-after-return", "pal_recv");
}

static void what_the_library_keeps_is_no_leak(void **state)
{
    (void)state;
    expect_no_report("open-socket");
}

int main(int count, char **arguments)
{
    run_planted(faults, sizeof faults / sizeof *faults, count, arguments);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_overflow_in_the_program_is_reported),
        cmocka_unit_test(undefined_behaviour_in_the_program_is_reported),
        cmocka_unit_test(a_leak_in_the_program_is_reported),
        cmocka_unit_test(sending_what_was_freed_is_reported),
        cmocka_unit_test(receiving_into_a_short_buffer_is_reported),
        cmocka_unit_test(a_write_of_the_library_to_freed_memory_is_reported),
        cmocka_unit_test(a_write_of_the_library_to_the_stack_of_a_function_that_returned_is_reported),
        cmocka_unit_test(what_the_library_keeps_is_no_leak),
    };
    return run_chosen_tests(tests, count, arguments);
}
