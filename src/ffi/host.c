/* Weak references to what the application around the library, or the Mbed Cloud Client in it, may define: its clock, random numbers,
 * storage and trace. Null where nothing defines them; then the functions here answer false, as where the host's own fail. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define OF_THE_HOST __attribute__((weak))

enum { PAL_SUCCESS = 0, KCM_STATUS_SUCCESS = 0, KCM_STATUS_ITEM_NOT_FOUND = 5, KCM_CONFIG_ITEM = 4 };

extern uint64_t pal_osGetTime(void) OF_THE_HOST;
extern int32_t pal_osSetWeakTime(uint64_t seconds) OF_THE_HOST;
extern int32_t pal_osSetStrongTime(uint64_t seconds) OF_THE_HOST;
extern int mbedtls_platform_set_time(time_t (*clock)(time_t *)) OF_THE_HOST;
extern int32_t pal_osRandomBuffer(uint8_t *buffer, size_t size) OF_THE_HOST;
extern int kcm_item_store(const uint8_t *name, size_t name_size, int type, bool is_factory, const uint8_t *data, size_t size,
                          const void *info) OF_THE_HOST;
extern int kcm_item_get_data_size(const uint8_t *name, size_t name_size, int type, size_t *size) OF_THE_HOST;
extern int kcm_item_get_data(const uint8_t *name, size_t name_size, int type, uint8_t *data, size_t max_size, size_t *size) OF_THE_HOST;
extern int kcm_item_delete(const uint8_t *name, size_t name_size, int type) OF_THE_HOST;
extern int32_t storage_rbp_read(const char *name, uint8_t *data, size_t max_size, size_t *size) OF_THE_HOST;
extern void mbed_vtracef(uint8_t level, const char *group, const char *format, va_list arguments) OF_THE_HOST;

bool mcc_private_host_time(uint64_t *seconds) {
    if (!pal_osGetTime) {
        return false;
    }
    *seconds = pal_osGetTime();
    return true;
}

bool mcc_private_host_set_weak_time(uint64_t seconds) {
    return pal_osSetWeakTime && pal_osSetWeakTime(seconds) == PAL_SUCCESS;
}

bool mcc_private_host_set_strong_time(uint64_t seconds) {
    return pal_osSetStrongTime && pal_osSetStrongTime(seconds) == PAL_SUCCESS;
}

static time_t clock_of_the_host(time_t *out) {
    /* A time_t of 32 bits ends in 2038: better stand still there than go on in 1901. */
    const uint64_t last = sizeof(time_t) < sizeof(int64_t) ? INT32_MAX : INT64_MAX;
    const uint64_t seconds = pal_osGetTime();
    time_t now = (time_t) (seconds < last ? seconds : last);
    if (out) {
        *out = now;
    }
    return now;
}

bool mcc_private_host_set_mbedtls_clock(void) {
    return pal_osGetTime && mbedtls_platform_set_time && mbedtls_platform_set_time(clock_of_the_host) == 0;
}

bool mcc_private_host_random(uint8_t *buffer, size_t size) {
    return pal_osRandomBuffer && pal_osRandomBuffer(buffer, size) == PAL_SUCCESS;
}

bool mcc_private_host_has_storage(void) {
    return kcm_item_store && kcm_item_get_data_size && kcm_item_get_data && kcm_item_delete;
}

bool mcc_private_host_item_size(const uint8_t *name, size_t name_size, size_t *size) {
    return mcc_private_host_has_storage() && kcm_item_get_data_size(name, name_size, KCM_CONFIG_ITEM, size) == KCM_STATUS_SUCCESS;
}

bool mcc_private_host_item_read(const uint8_t *name, size_t name_size, uint8_t *data, size_t max_size, size_t *size) {
    return mcc_private_host_has_storage()
        && kcm_item_get_data(name, name_size, KCM_CONFIG_ITEM, data, max_size, size) == KCM_STATUS_SUCCESS;
}

bool mcc_private_host_item_store(const uint8_t *name, size_t name_size, const uint8_t *data, size_t size) {
    return mcc_private_host_has_storage()
        && kcm_item_store(name, name_size, KCM_CONFIG_ITEM, false, data, size, NULL) == KCM_STATUS_SUCCESS;
}

/* True: it is not there now. */
bool mcc_private_host_item_delete(const uint8_t *name, size_t name_size) {
    if (!mcc_private_host_has_storage()) {
        return false;
    }
    int status = kcm_item_delete(name, name_size, KCM_CONFIG_ITEM);
    return status == KCM_STATUS_SUCCESS || status == KCM_STATUS_ITEM_NOT_FOUND;
}

bool mcc_private_host_protected_item(const char *name, uint8_t *data, size_t max_size, size_t *size) {
    return storage_rbp_read && storage_rbp_read(name, data, max_size, size) == PAL_SUCCESS;
}

bool mcc_private_host_has_trace(void) {
    return mbed_vtracef;
}

static void trace(uint8_t level, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    mbed_vtracef(level, "mcc", format, arguments);
    va_end(arguments);
}

void mcc_private_host_trace(uint8_t level, const char *message) {
    if (mbed_vtracef) {
        trace(level, "%s", message);
    }
}
