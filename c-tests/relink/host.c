/* What the library takes from the client around it: clock, storage, trace. An object of the client's own archive, as there.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "client.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

uint64_t pal_osGetTime(void);
int mbedtls_platform_set_time(time_t (*clock)(time_t *));
int kcm_item_store(const uint8_t *name, size_t name_size, int type, bool is_factory, const uint8_t *data, size_t size, const void *info);
int kcm_item_get_data_size(const uint8_t *name, size_t name_size, int type, size_t *size);
int kcm_item_get_data(const uint8_t *name, size_t name_size, int type, uint8_t *data, size_t max_size, size_t *size);
int kcm_item_delete(const uint8_t *name, size_t name_size, int type);
void mbed_vtracef(uint8_t level, const char *group, const char *format, va_list arguments);

enum { NOT_FOUND = 5 };

static unsigned clock_read, item_asked_for, item_stored;
/* Of any thread. */
static unsigned traced;
static time_t (*clock_of_mbedtls)(time_t *);
static uint8_t item[16384];
static size_t item_size;

uint64_t pal_osGetTime(void)
{
    clock_read++;
    return (uint64_t)time(NULL);
}

int mbedtls_platform_set_time(time_t (*clock)(time_t *))
{
    clock_of_mbedtls = clock;
    return 0;
}

int kcm_item_store(const uint8_t *name, size_t name_size, int type, bool is_factory, const uint8_t *data, size_t size, const void *info)
{
    (void)name, (void)name_size, (void)type, (void)is_factory, (void)info;
    if (size > sizeof item) {
        return 1;
    }
    memcpy(item, data, size);
    item_size = size;
    item_stored++;
    return 0;
}

int kcm_item_get_data_size(const uint8_t *name, size_t name_size, int type, size_t *size)
{
    (void)name, (void)name_size, (void)type;
    item_asked_for++;
    *size = item_size;
    return item_size == 0 ? NOT_FOUND : 0;
}

int kcm_item_get_data(const uint8_t *name, size_t name_size, int type, uint8_t *data, size_t max_size, size_t *size)
{
    (void)name, (void)name_size, (void)type;
    *size = item_size < max_size ? item_size : max_size;
    memcpy(data, item, *size);
    return 0;
}

int kcm_item_delete(const uint8_t *name, size_t name_size, int type)
{
    (void)name, (void)name_size, (void)type;
    bool there = item_size > 0;
    item_size = 0;
    return there ? 0 : NOT_FOUND;
}

void mbed_vtracef(uint8_t level, const char *group, const char *format, va_list arguments)
{
    char line[256];
    (void)level, (void)group;
    (void)vsnprintf(line, sizeof line, format, arguments);
    __atomic_add_fetch(&traced, 1, __ATOMIC_SEQ_CST);
}

void host_expect(bool (*expect)(bool holds, const char *what), bool after_handshake)
{
    /* Asked for by the chain of a server only, and through the clock that was installed. */
    unsigned before = clock_read;
    expect(before > 0 || !after_handshake, "pal_osGetTime was not called");
    if (expect(clock_of_mbedtls != NULL, "mbedtls_platform_set_time was not called")) {
        expect(clock_of_mbedtls(NULL) > 0 && clock_read == before + 1, "the clock is not pal_osGetTime");
    }
    expect(item_asked_for > 0, "kcm_item_get_data_size was not called");
    expect(item_stored > 0 || !after_handshake, "kcm_item_store was not called");
    expect(__atomic_load_n(&traced, __ATOMIC_SEQ_CST) > 0, "mbed_vtracef was not called");
}
