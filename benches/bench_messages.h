/* Messages that the library and libcoap both get.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef BENCH_MESSAGES_H
#define BENCH_MESSAGES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The header of RFC 7252 and the payload's marker go before the payload. */
enum { BENCH_MESSAGE_SIZE = 100, BENCH_PAYLOAD_SIZE = BENCH_MESSAGE_SIZE - 5, BENCH_QUEUE = 64 };

/* A notification as devices send it, a 2.05 with a token of 8 bytes: Observe, Uri-Path, Content-Format and
 * Max-Age, and a payload. */
static inline size_t bench_typical_message(uint8_t message[BENCH_MESSAGE_SIZE])
{
    static const uint8_t beginning[] = {
        0x48, 0x45, 0x12, 0x34,                         /* Confirmable, 2.05, message ID */
        1,    2,    3,    4,    5,   6,   7,   8,       /* token */
        0x62, 0x01, 0x02,                               /* 6: Observe */
        0x54, '3',  '3',  '0',  '3',                    /* 11: Uri-Path */
        0x12, 0x2d, 0x16,                               /* 12: Content-Format */
        0x21, 0x3c,                                     /* 14: Max-Age */
        0xff,
    };
    memset(message, 'x', BENCH_MESSAGE_SIZE);
    memcpy(message, beginning, sizeof beginning);
    return BENCH_MESSAGE_SIZE;
}

#endif
