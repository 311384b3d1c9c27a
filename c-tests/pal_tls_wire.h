/* What goes out on the wire: a socket of the test in the peer's place, and the records that come to it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef MCC_TESTS_PAL_TLS_WIRE_H
#define MCC_TESTS_PAL_TLS_WIRE_H

#include "pal_tls_support.h"

/* A socket of this process that is no socket of the library: what is sent to it is there when the call returns. */
typedef struct {
    int descriptor;
    uint16_t port;
} wire_t;

/* The head of one record of DTLS. */
typedef struct {
    uint8_t type;
    uint64_t number; /* epoch and sequence number */
    size_t cid_size;
    uint8_t cid[64];
} head_t;

enum { RECORD_OF_DATA = 23, RECORD_WITH_CID = 25, CID_OFFSET = 11, LONGEST_CID = 32 };

wire_t open_wire(void);
void close_wire(wire_t *wire);
/* How many bytes wait, of the first datagram; 0: none. */
size_t wire_waiting(const wire_t *wire);
/* Takes the one datagram that waits: one record of so much data, whose overhead is that of CCM-8. */
head_t take_record_head(wire_t *wire, size_t data_size);
/* Where the session's records go from now on, over the same socket. */
void redirect(secure_t *secure, uint16_t port);
/* Writes a record of 10 bytes to the wire, and gives its head. */
head_t write_to_wire(secure_t *secure, wire_t *wire);
/* An event's first word after its name, in hexadecimal digits. Returns the size. */
size_t bytes_of_event(const char *line, const char *name, uint8_t *bytes, size_t room);

/* A DTLS configuration that trusts "ca.pem", a session and a socket, with storing on. */
void open_storing(secure_t *secure, fixture_t *fixture, palTLSTransportMode_t mode, uint16_t port);
/* Makes the handshake, and expects that the server says it was a full one. */
void expect_full(secure_t *secure, peer_t *peer);
/* Expects that the session goes on without a handshake. */
void expect_at_once(secure_t *secure);

#endif
