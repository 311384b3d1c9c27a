/* Where the log goes: to the application's mbed_vtracef, to the callback of mcc_log_set, or nowhere.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "../pal_support.h"
#include "host.h"

#include <stdatomic.h>

static atomic_uint lines, lines_above_info;

static void take_line(void *argument, mcc_log_level_t level, const char *message)
{
    (void)argument;
    (void)message;
    atomic_fetch_add(&lines, 1);
    atomic_fetch_add(&lines_above_info, level > MCC_LOG_INFO);
}

/* A connection that is refused: what it does, what stops it, and its address, from the thread of a context. */
static void fail_to_connect(fixture_t *fixture)
{
    recorder_t *recorder;
    mcc_connection_t *connection = open_connection(fixture, options_for(fixture, "coap://127.0.0.1:%u", free_port()), &recorder);
    (void)await_state(recorder, MCC_STATE_WAITING);
    close_connection(connection, recorder);
}

/* A warning of the PAL functions, on this thread. */
static void cut_a_datagram(void)
{
    calls_t calls;
    calls_begin(&calls);
    uint16_t port;
    palSocket_t socket = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls, &port);
    send_datagram(socket, PAL_AF_INET, port, "0123456789", 10);
    await_calls(&calls, 1);
    char buffer[4];
    size_t size = 0;
    assert_pal(pal_recv(socket, buffer, sizeof buffer, &size), PAL_SUCCESS);
    assert_int_equal(size, sizeof buffer);
    close_socket(&socket);
    calls_end(&calls);
}

/* First: no mcc_* function of the library has run before. */
static void pal_functions_alone_are_traced(void **state)
{
    (void)state;
    traced_t before = traced();
    cut_a_datagram();
    traced_t after = traced();
    assert_int_equal(after.all - before.all, HAS_SOME);
    assert_int_equal(after.lines[LEVEL_WARN] - before.lines[LEVEL_WARN], HAS_SOME);
    assert_int_equal(after.wrong, 0);
    if (HAS_SOME) {
        assert_non_null(strstr(after.last, "10 bytes was cut to 4"));
    }
}

static void without_a_callback_each_level_is_traced(void **state)
{
    traced_t before = traced();
    fail_to_connect(*state);
    traced_t after = traced();
    const int levels[] = {LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG};
    for (size_t index = 0; index < 3; index++) {
        unsigned count = after.lines[levels[index]] - before.lines[levels[index]];
        assert_int_equal(count > 0, HAS_SOME);
    }
    assert_int_equal(after.lines[LEVEL_ERROR], 0);
    assert_int_equal(after.wrong, 0);
}

static void a_callback_has_the_log_for_itself(void **state)
{
    traced_t before = traced();
    unsigned lines_before = atomic_load(&lines);
    mcc_log_set(take_line, NULL, MCC_LOG_INFO);
    fail_to_connect(*state);
    cut_a_datagram();
    assert_true(atomic_load(&lines) > lines_before);
    assert_int_equal(atomic_load(&lines_above_info), 0);
    assert_int_equal(traced().all, before.all);

    /* Lines that it does not want are wanted nowhere. */
    mcc_log_set(take_line, NULL, MCC_LOG_OFF);
    lines_before = atomic_load(&lines);
    fail_to_connect(*state);
    cut_a_datagram();
    assert_int_equal(atomic_load(&lines), lines_before);
    assert_int_equal(traced().all, before.all);

    mcc_log_set(NULL, NULL, MCC_LOG_OFF);
    cut_a_datagram();
    assert_int_equal(atomic_load(&lines), lines_before);
    assert_int_equal(traced().all - before.all, HAS_SOME);
}

static int setup_both(void **state)
{
    static void *layer;
    return pal_setup(&layer) != 0 || setup(state) != 0;
}

static int teardown_both(void **state)
{
    static void *layer;
    int failed = teardown(state);
    return pal_teardown(&layer) != 0 || failed != 0;
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pal_functions_alone_are_traced, pal_setup, pal_teardown),
        cmocka_unit_test_setup_teardown(without_a_callback_each_level_is_traced, setup, teardown),
        cmocka_unit_test_setup_teardown(a_callback_has_the_log_for_itself, setup_both, teardown_both),
    };
    return run_chosen_tests(tests, count, arguments);
}
