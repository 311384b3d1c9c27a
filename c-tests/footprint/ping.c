/* A program with sockets of its own: the ping and the keepalive alone. */
#include <mbed_cloud_connectivity.h>

int main(void) {
    uint8_t ping[4];
    uint8_t answer[4] = {0x70, 0x00, 0x00, 0x01};
    uint64_t next_ms = 0;
    uint64_t round_trip_ms = 0;
    size_t size = sizeof ping;
    mcc_keepalive_t *keepalive = NULL;
    mcc_keepalive_options_t options = MCC_KEEPALIVE_OPTIONS_INIT;

    if (mcc_coap_ping_encode(1, ping) != sizeof ping || !mcc_coap_ping_matches(answer, sizeof answer, 1) ||
        mcc_keepalive_new(&options, &keepalive) != MCC_OK) {
        return 1;
    }
    mcc_keepalive_set_interval(keepalive, 60);
    mcc_keepalive_on_sent(keepalive, 0);
    mcc_keepalive_on_sent_message(keepalive, 0, ping, sizeof ping);
    mcc_keepalive_on_received(keepalive, 1, answer, sizeof answer);
    mcc_keepalive_on_send_failed(keepalive, 2);
    if (mcc_keepalive_poll(keepalive, 60000, &next_ms, ping, &size) == MCC_KEEPALIVE_PATH_DEAD) {
        mcc_keepalive_restart(keepalive, 60000);
    }
    mcc_keepalive_round_trip_ms(keepalive, &round_trip_ms);
    mcc_keepalive_free(keepalive);
    return 0;
}
