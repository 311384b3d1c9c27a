/* The messages of the soak: CoAP messages whose payload says where it comes from, which one it is, and a checksum of all of that.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef SOAK_MESSAGE_H
#define SOAK_MESSAGE_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { SOAK_HEADER = 5, SOAK_FIELDS = 12, SOAK_SHORTEST = SOAK_HEADER + SOAK_FIELDS, SOAK_LONGEST = 6000 };
enum { SOAK_REQUEST = 0x02, SOAK_CONTENT = 0x45 };

typedef struct {
    uint32_t source; /* the client's connection, or the server's session */
    uint32_t number; /* from 1 on */
} soak_message_t;

static inline uint32_t soak_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* FNV-1a. */
static inline uint32_t soak_checksum(const uint8_t *bytes, size_t size, uint32_t checksum)
{
    for (size_t index = 0; index < size; index++) {
        checksum = (checksum ^ bytes[index]) * 16777619u;
    }
    return checksum;
}

/* Over everything but the checksum's own place, and over the size. */
static inline uint32_t soak_sum(const uint8_t *message, size_t size)
{
    uint32_t sum = soak_checksum(message, SOAK_HEADER + 8, 2166136261u ^ (uint32_t)size);
    return soak_checksum(message + SOAK_SHORTEST, size - SOAK_SHORTEST, sum);
}

/* Writes a Non-confirmable message, most often a short one, sometimes one of several kilobytes; returns its size. */
static inline size_t soak_write(uint8_t message[SOAK_LONGEST], uint8_t code, soak_message_t fields)
{
    uint32_t state = (fields.source * 2654435761u) ^ (fields.number * 40503u) ^ 1u;
    state = state != 0 ? state : 1;
    (void)soak_random(&state);
    uint32_t most = soak_random(&state) % 16 == 0 ? SOAK_LONGEST : 400;
    size_t size = SOAK_SHORTEST + soak_random(&state) % (most - SOAK_SHORTEST);
    const uint8_t header[SOAK_HEADER] = {0x50, code, (uint8_t)(fields.number >> 8), (uint8_t)fields.number, 0xff};
    memcpy(message, header, sizeof header);
    for (size_t at = SOAK_SHORTEST; at < size; at++) {
        message[at] = (uint8_t)(soak_random(&state) >> 8);
    }
    uint32_t value = htonl(fields.source);
    memcpy(message + SOAK_HEADER, &value, sizeof value);
    value = htonl(fields.number);
    memcpy(message + SOAK_HEADER + 4, &value, sizeof value);
    value = htonl(soak_sum(message, size));
    memcpy(message + SOAK_HEADER + 8, &value, sizeof value);
    return size;
}

/* False if it is not one of these messages, or damaged. */
static inline bool soak_read(const uint8_t *message, size_t size, uint8_t code, soak_message_t *fields)
{
    uint32_t value;
    if (size < SOAK_SHORTEST || size > SOAK_LONGEST || message[0] != 0x50 || message[1] != code || message[4] != 0xff) {
        return false;
    }
    memcpy(&value, message + SOAK_HEADER, sizeof value);
    fields->source = ntohl(value);
    memcpy(&value, message + SOAK_HEADER + 4, sizeof value);
    fields->number = ntohl(value);
    memcpy(&value, message + SOAK_HEADER + 8, sizeof value);
    return ntohl(value) == soak_sum(message, size);
}

#endif
