/* The host functions that a test program defines: none, those of HOST_SOME, those of HOST_REST (which HOST_SOME lacks), or both.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef HOST_H
#define HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef HOST_SOME
#define HAS_SOME 1
#else
#define HAS_SOME 0
#endif
#ifdef HOST_REST
#define HAS_REST 1
#else
#define HAS_REST 0
#endif

enum { LEVEL_ERROR = 2, LEVEL_WARN = 4, LEVEL_INFO = 8, LEVEL_DEBUG = 16, LEVELS = 17 };

/* What the functions were given, and what they answer. */
typedef struct {
    int32_t status;
    uint64_t time;
    uint64_t weak_time;
    uint64_t strong_time;
    time_t (*clock)(time_t *);
    uint8_t item[64];
    size_t item_size;
    char item_name[32];
    bool item_is_config;
} host_t;

extern host_t host;

/* What came to mbed_vtracef: lines of each level, and those that are not as they should be. Any thread. */
typedef struct {
    unsigned lines[LEVELS];
    unsigned all;
    unsigned wrong;
    char last[256];
} traced_t;

traced_t traced(void);

#ifdef __cplusplus
}
#endif

#endif
