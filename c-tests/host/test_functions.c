/* The weak references to the host's functions, src/ffi/host.c, with none of those functions, with some, with the rest of them, with all.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "../support.h"
#include "host.h"

/* What host.c offers to the Rust code. */
bool mcc_private_host_time(uint64_t *seconds);
bool mcc_private_host_set_weak_time(uint64_t seconds);
bool mcc_private_host_set_strong_time(uint64_t seconds);
bool mcc_private_host_set_mbedtls_clock(void);
bool mcc_private_host_random(uint8_t *buffer, size_t size);
bool mcc_private_host_has_storage(void);
bool mcc_private_host_item_size(const uint8_t *name, size_t name_size, size_t *size);
bool mcc_private_host_item_read(const uint8_t *name, size_t name_size, uint8_t *data, size_t max_size, size_t *size);
bool mcc_private_host_item_store(const uint8_t *name, size_t name_size, const uint8_t *data, size_t size);
bool mcc_private_host_item_delete(const uint8_t *name, size_t name_size);
bool mcc_private_host_protected_item(const char *name, uint8_t *data, size_t max_size, size_t *size);
bool mcc_private_host_has_trace(void);
void mcc_private_host_trace(uint8_t level, const char *message);

static int fresh_host(void **state)
{
    (void)state;
    memset(&host, 0, sizeof host);
    return 0;
}

static void the_clock_is_read_where_there_is_one(void **state)
{
    (void)state;
    uint64_t seconds = 7;
    host.time = 5000000000;
    assert_int_equal(mcc_private_host_time(&seconds), HAS_SOME);
    assert_int_equal(seconds, HAS_SOME ? 5000000000 : 7);
    host.time = 0;
    assert_int_equal(mcc_private_host_time(&seconds), HAS_SOME);
    assert_int_equal(seconds, HAS_SOME ? 0 : 7);
}

static void each_strength_of_time_goes_to_its_own_function(void **state)
{
    (void)state;
    assert_int_equal(mcc_private_host_set_weak_time(1), HAS_SOME);
    assert_int_equal(host.weak_time, HAS_SOME ? 1 : 0);
    assert_int_equal(host.strong_time, 0);
    assert_int_equal(mcc_private_host_set_strong_time(2), HAS_REST);
    assert_int_equal(host.weak_time, HAS_SOME ? 1 : 0);
    assert_int_equal(host.strong_time, HAS_REST ? 2 : 0);
    host.status = -1;
    assert_false(mcc_private_host_set_weak_time(1));
    assert_false(mcc_private_host_set_strong_time(2));
}

static void the_application_s_mbedtls_gets_the_clock_where_there_are_both(void **state)
{
    (void)state;
    assert_int_equal(mcc_private_host_set_mbedtls_clock(), HAS_SOME && HAS_REST);
    assert_int_equal(host.clock != NULL, HAS_SOME && HAS_REST);
    if (HAS_SOME && HAS_REST) {
        time_t told = 0;
        host.time = 1234567890;
        assert_int_equal(host.clock(NULL), 1234567890);
        assert_int_equal(host.clock(&told), 1234567890);
        assert_int_equal(told, 1234567890);
        host.status = 1;
        assert_false(mcc_private_host_set_mbedtls_clock());
    }
}

static void random_numbers_are_the_host_s(void **state)
{
    (void)state;
    uint8_t buffer[4] = {1, 2, 3, 4};
    const uint8_t untouched[4] = {1, 2, 3, 4}, of_the_host[4] = {0xa5, 0xa5, 0xa5, 4};
    assert_int_equal(mcc_private_host_random(buffer, 3), HAS_SOME);
    assert_memory_equal(buffer, HAS_SOME ? of_the_host : untouched, sizeof buffer);
    host.status = 1;
    assert_false(mcc_private_host_random(buffer, 3));
}

static void a_storage_that_lacks_a_function_is_none(void **state)
{
    (void)state;
    const uint8_t *name = (const uint8_t *)"some name";
    const bool whole = HAS_SOME && HAS_REST;
    uint8_t data[8] = {0};
    size_t size = 77;
    assert_int_equal(mcc_private_host_has_storage(), whole);
    assert_false(mcc_private_host_item_size(name, 9, &size));
    assert_int_equal(mcc_private_host_item_delete(name, 9), whole);
    assert_int_equal(mcc_private_host_item_store(name, 9, (const uint8_t *)"value", 5), whole);
    assert_int_equal(host.item_size, whole ? 5 : 0);
    assert_string_equal(host.item_name, whole ? "some name" : "");
    assert_int_equal(host.item_is_config, whole);
    size = 77;
    assert_int_equal(mcc_private_host_item_size(name, 9, &size), whole);
    assert_int_equal(size, whole ? 5 : 77);
    size = 77;
    assert_int_equal(mcc_private_host_item_read(name, 9, data, sizeof data, &size), whole);
    assert_int_equal(size, whole ? 5 : 77);
    assert_memory_equal(data, whole ? "value" : "\0\0\0\0\0", 5);
    assert_int_equal(mcc_private_host_item_delete(name, 9), whole);
    assert_int_equal(host.item_size, 0);
}

static void the_protected_storage_is_read_where_there_is_one(void **state)
{
    (void)state;
    uint8_t data[33] = {0};
    size_t size = 77;
    assert_int_equal(mcc_private_host_protected_item("time_srv_id", data, sizeof data, &size), HAS_REST);
    assert_int_equal(size, HAS_REST ? 33 : 77);
    assert_int_equal(data[32], HAS_REST ? 0x5a : 0);
    host.status = 1;
    assert_false(mcc_private_host_protected_item("time_srv_id", data, sizeof data, &size));
}

static void a_message_is_traced_as_it_is(void **state)
{
    (void)state;
    assert_int_equal(mcc_private_host_has_trace(), HAS_SOME);
    mcc_private_host_trace(LEVEL_ERROR, "100 %s %n %");
    traced_t after = traced();
    assert_int_equal(after.all, HAS_SOME);
    assert_int_equal(after.lines[LEVEL_ERROR], HAS_SOME);
    assert_int_equal(after.wrong, 0);
    assert_string_equal(after.last, HAS_SOME ? "100 %s %n %" : "");
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_clock_is_read_where_there_is_one, fresh_host),
        cmocka_unit_test_setup(each_strength_of_time_goes_to_its_own_function, fresh_host),
        cmocka_unit_test_setup(the_application_s_mbedtls_gets_the_clock_where_there_are_both, fresh_host),
        cmocka_unit_test_setup(random_numbers_are_the_host_s, fresh_host),
        cmocka_unit_test_setup(a_storage_that_lacks_a_function_is_none, fresh_host),
        cmocka_unit_test_setup(the_protected_storage_is_read_where_there_is_one, fresh_host),
        cmocka_unit_test_setup(a_message_is_traced_as_it_is, fresh_host),
    };
    return run_chosen_tests(tests, count, arguments);
}
