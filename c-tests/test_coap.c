/* CoAP PING alone: the bytes of RFC 7252 section 4.3.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "support.h"

static void a_ping_is_an_empty_confirmable_message(void **state)
{
    (void)state;
    for (uint32_t message_id = 0; message_id <= UINT16_MAX; message_id++) {
        const uint8_t expected[] = {0x40, 0x00, (uint8_t)(message_id >> 8), (uint8_t)message_id, 0xee};
        uint8_t ping[5] = {0, 0, 0, 0, 0xee};
        assert_int_equal(mcc_coap_ping_encode((uint16_t)message_id, ping), 4);
        assert_memory_equal(ping, expected, sizeof expected);
    }
}

static void the_reset_and_the_empty_acknowledgement_of_the_same_id_answer_it(void **state)
{
    (void)state;
    for (uint32_t message_id = 0; message_id <= UINT16_MAX; message_id++) {
        uint8_t answer[] = {0x70, 0x00, (uint8_t)(message_id >> 8), (uint8_t)message_id};
        assert_true(mcc_coap_ping_matches(answer, sizeof answer, (uint16_t)message_id));
        assert_false(mcc_coap_ping_matches(answer, sizeof answer, (uint16_t)(message_id + 1)));
        answer[0] = 0x60;
        assert_true(mcc_coap_ping_matches(answer, sizeof answer, (uint16_t)message_id));
    }
}

static void nothing_else_answers_it(void **state)
{
    (void)state;
    const uint8_t reset[] = {0x70, 0x00, 0x12, 0x34, 0x00, 0x00};
    for (size_t size = 0; size <= sizeof reset; size++) {
        assert_int_equal(mcc_coap_ping_matches(reset, size, 0x1234), size == 4);
    }
    /* Of all first and second bytes only these two. */
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned code = 0; code < 256; code++) {
            const uint8_t message[] = {(uint8_t)first, (uint8_t)code, 0x12, 0x34};
            assert_int_equal(mcc_coap_ping_matches(message, sizeof message, 0x1234), (first == 0x70 || first == 0x60) && code == 0);
        }
    }
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ping_is_an_empty_confirmable_message),
        cmocka_unit_test(the_reset_and_the_empty_acknowledgement_of_the_same_id_answer_it),
        cmocka_unit_test(nothing_else_answers_it),
    };
    return run_chosen_tests(tests, count, arguments);
}
