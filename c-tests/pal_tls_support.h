/* What the tests of the PAL's TLS functions share: one end of a session, its calls in the client's order, and the servers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef MCC_TESTS_PAL_TLS_SUPPORT_H
#define MCC_TESTS_PAL_TLS_SUPPORT_H

#include "pal_support.h"

/* A session over a socket of the PAL, and all that belongs to it. */
typedef struct {
    palTLSTransportMode_t mode;
    palTLSConfHandle_t configuration;
    palTLSHandle_t session;
    palSocket_t socket;
    palSocketAddress_t address;
    palTLSSocket_t tls_socket;
    /* The callbacks of the socket and of the retransmission timer. */
    calls_t calls;
    /* How many of them were waited for. */
    unsigned seen;
} secure_t;

/* ---- servers: mbedtls_server or mbedtls_cid_server, with a certificate of the tests and these further arguments ---- */

peer_t *start_server_with(fixture_t *fixture, const char *program, palTLSTransportMode_t mode, const char *certificate,
                          const char *const *further);
/* mbedtls_server with the certificate "server". */
peer_t *start_tls_server(fixture_t *fixture);
/* mbedtls_cid_server for DTLS with the certificate "server". */
peer_t *start_dtls_server(fixture_t *fixture);

/* ---- one end of a session, in the order in which the client calls ---- */

/* A configuration, a socket that is connected (TLS), a session; nothing of the configuration is filled. */
void secure_begin(secure_t *secure, palTLSTransportMode_t mode, uint16_t port);
/* Another socket, as after a reconnection; the earlier one is closed if it is open. */
void secure_new_socket(secure_t *secure, uint16_t port);
/* Reads a certificate of the tests in, and trusts it. */
void secure_trust(secure_t *secure, fixture_t *fixture, const char *ca);
/* The same, and with the client's own certificate and key. */
void secure_identify(secure_t *secure, fixture_t *fixture);
/* secure_begin and secure_trust with "ca.pem". */
void secure_open(secure_t *secure, fixture_t *fixture, palTLSTransportMode_t mode, uint16_t port);
/* Calls pal_handShake, again after each callback, until it says something else than want-read or want-write. */
palStatus_t shake_hands(secure_t *secure, bool skip_resume);
/* Waits for the next callback that was not waited for. */
void await_call(secure_t *secure);
/* Reads one time; waits for callbacks as long as it says want-read. */
palStatus_t secure_read(secure_t *secure, void *buffer, uint32_t size, uint32_t *read);
/* Writes all of it as one record; waits for callbacks as long as it says want-write. */
void secure_write(secure_t *secure, const void *bytes, uint32_t size);
/* Writes so many bytes and reads the same back, as one record. */
void secure_echo(secure_t *secure, uint32_t size);
/* Frees the session, closes the socket, frees the configuration. */
void secure_end(secure_t *secure);

/* ---- fixtures: peers, and the layer running ---- */

int pal_tls_setup(void **state);
int pal_tls_teardown(void **state);

#endif
