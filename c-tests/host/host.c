/* SPDX-License-Identifier: Apache-2.0 */

#include "host.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

host_t host;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static traced_t seen;

traced_t traced(void)
{
    pthread_mutex_lock(&mutex);
    traced_t copy = seen;
    pthread_mutex_unlock(&mutex);
    return copy;
}

/* Each is declared as the client declares it: a function of another type would not be taken for it by a C++ compiler. */

#ifdef HOST_SOME

void mbed_vtracef(uint8_t level, const char *group, const char *format, va_list arguments);
uint64_t pal_osGetTime(void);
int32_t pal_osSetWeakTime(uint64_t seconds);
int32_t pal_osRandomBuffer(uint8_t *buffer, size_t size);
int kcm_item_store(const uint8_t *name, size_t name_size, int type, bool is_factory, const uint8_t *data, size_t size, const void *info);
int kcm_item_get_data_size(const uint8_t *name, size_t name_size, int type, size_t *size);
int kcm_item_get_data(const uint8_t *name, size_t name_size, int type, uint8_t *data, size_t max_size, size_t *size);

void mbed_vtracef(uint8_t level, const char *group, const char *format, va_list arguments)
{
    char line[sizeof seen.last];
    bool plain = strcmp(format, "%s") == 0;
    int size = vsnprintf(line, sizeof line, format, arguments);
    bool known = level == LEVEL_ERROR || level == LEVEL_WARN || level == LEVEL_INFO || level == LEVEL_DEBUG;
    pthread_mutex_lock(&mutex);
    seen.all++;
    if (known) {
        seen.lines[level]++;
    }
    if (!known || !plain || strcmp(group, "mcc") != 0 || size <= 0 || strchr(line, '\n') != NULL) {
        seen.wrong++;
    }
    memcpy(seen.last, line, sizeof line);
    pthread_mutex_unlock(&mutex);
}

uint64_t pal_osGetTime(void)
{
    return host.time;
}

int32_t pal_osSetWeakTime(uint64_t seconds)
{
    host.weak_time = seconds;
    return host.status;
}

int32_t pal_osRandomBuffer(uint8_t *buffer, size_t size)
{
    memset(buffer, 0xa5, size);
    return host.status;
}

static void take_name(const uint8_t *name, size_t size, int type)
{
    memset(host.item_name, 0, sizeof host.item_name);
    memcpy(host.item_name, name, size < sizeof host.item_name ? size : sizeof host.item_name - 1);
    host.item_is_config = type == 4;
}

int kcm_item_store(const uint8_t *name, size_t name_size, int type, bool is_factory, const uint8_t *data, size_t size, const void *info)
{
    take_name(name, name_size, type);
    if (is_factory || info != NULL || size > sizeof host.item || host.item_size > 0) {
        return 1;
    }
    memcpy(host.item, data, size);
    host.item_size = size;
    return host.status;
}

int kcm_item_get_data_size(const uint8_t *name, size_t name_size, int type, size_t *size)
{
    take_name(name, name_size, type);
    *size = host.item_size;
    return host.item_size == 0 ? 5 : host.status;
}

int kcm_item_get_data(const uint8_t *name, size_t name_size, int type, uint8_t *data, size_t max_size, size_t *size)
{
    take_name(name, name_size, type);
    if (max_size < host.item_size) {
        return 1;
    }
    memcpy(data, host.item, host.item_size);
    *size = host.item_size;
    return host.status;
}

#endif

#ifdef HOST_REST

int32_t pal_osSetStrongTime(uint64_t seconds);
int mbedtls_platform_set_time(time_t (*clock)(time_t *));
int kcm_item_delete(const uint8_t *name, size_t name_size, int type);
int32_t storage_rbp_read(const char *name, uint8_t *data, size_t max_size, size_t *size);

int32_t pal_osSetStrongTime(uint64_t seconds)
{
    host.strong_time = seconds;
    return host.status;
}

int mbedtls_platform_set_time(time_t (*clock)(time_t *))
{
    host.clock = clock;
    return host.status;
}

int kcm_item_delete(const uint8_t *name, size_t name_size, int type)
{
    (void)name;
    host.item_is_config = name_size > 0 && type == 4;
    bool there = host.item_size > 0;
    host.item_size = 0;
    return there ? host.status : 5;
}

int32_t storage_rbp_read(const char *name, uint8_t *data, size_t max_size, size_t *size)
{
    if (strcmp(name, "time_srv_id") != 0 || max_size < 33) {
        return 1;
    }
    memset(data, 0x5a, 33);
    *size = 33;
    return host.status;
}

#endif

#ifdef __cplusplus
}
#endif
