/* Weak references to what an application that links a prebuilt archive may define: its own configuration. Without it they are
 * null, and the values of the build count. */
#include <stdint.h>

extern const uint32_t mcc_configured_keepalive_interval_s __attribute__((weak));
extern const char mcc_configured_keepalive_interval_source[] __attribute__((weak));
extern const uint32_t mcc_configured_max_reconnect_timeout_s __attribute__((weak));
extern const uint32_t mcc_configured_max_incoming_message_size __attribute__((weak));

const uint32_t *mcc_private_keepalive_interval_s(void) {
    return &mcc_configured_keepalive_interval_s;
}

const char *mcc_private_keepalive_interval_source(void) {
    return mcc_configured_keepalive_interval_source;
}

const uint32_t *mcc_private_max_reconnect_timeout_s(void) {
    return &mcc_configured_max_reconnect_timeout_s;
}

const uint32_t *mcc_private_max_incoming_message_size(void) {
    return &mcc_configured_max_incoming_message_size;
}
