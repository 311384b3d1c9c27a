/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that the Rust side may call: bindgen reads this file, and the C files include it. */
#ifndef MBED_CLOUD_CONNECTIVITY_MBEDTLS_BINDINGS_H
#define MBED_CLOUD_CONNECTIVITY_MBEDTLS_BINDINGS_H

#include <stddef.h>

#include "mbedtls/build_info.h"
#include "mbedtls/entropy.h"
#include "mbedtls/error.h"
#include "mbedtls/net_sockets.h"
#include "mbedtls/oid.h"
#include "mbedtls/pem.h"
#include "mbedtls/pk.h"
#include "mbedtls/platform_util.h"
#include "mbedtls/psa_util.h"
#include "mbedtls/sha256.h"
#include "mbedtls/ssl.h"
#include "mbedtls/ssl_ciphersuites.h"
#include "mbedtls/version.h"
#include "mbedtls/x509_crl.h"
#include "mbedtls/x509_crt.h"
#include "psa/crypto.h"

/* One size or offset as the C compiler sees it. `field` is empty for the size of the whole. */
typedef struct {
    const char *structure;
    const char *field;
    size_t value;
} mbed_cloud_connectivity_layout;

extern const mbed_cloud_connectivity_layout mbed_cloud_connectivity_layouts[];
extern const size_t mbed_cloud_connectivity_layouts_count;

/* Whether the library was refused memory on this thread since this was asked last. */
int mbed_cloud_connectivity_take_refusal(void);

/* mbedtls_ssl_setup, after whose failure the context can be freed. */
int mbed_cloud_connectivity_setup(mbedtls_ssl_context *ssl, const mbedtls_ssl_config *config);

/* Protocol versions by their wire numbers (0x0303, 0x0304): the library's own setters are inline. */
void mbed_cloud_connectivity_set_versions(mbedtls_ssl_config *config, int minimum, int maximum);
int mbed_cloud_connectivity_version(const mbedtls_ssl_context *ssl);
int mbed_cloud_connectivity_handshake_over(mbedtls_ssl_context *ssl);
/* Copies the 32 bytes of ServerHello.random; 0 when a handshake of TLS 1.2 is running, else -1. */
int mbed_cloud_connectivity_server_random(const mbedtls_ssl_context *ssl, unsigned char random[32]);
/* 1 while the running handshake resumes an earlier session, 0 while it does not, -1 when none runs. */
int mbed_cloud_connectivity_resuming(const mbedtls_ssl_context *ssl);
/* 1 when the saved session can be resumed: it has an identifier or a ticket. */
int mbed_cloud_connectivity_session_resumable(const mbedtls_ssl_session *session);
/* The verdict that was kept with a session. */
unsigned int mbed_cloud_connectivity_session_verify_result(const mbedtls_ssl_session *session);
/* Bounds the datagrams, in place of what a handshake that lost some took for the path's bound; 0: no bound. */
void mbed_cloud_connectivity_set_mtu(mbedtls_ssl_context *ssl, uint16_t size);
/* Replaces the Connection ID in the records that are sent; the session is established and its DTLS negotiated one. */
int mbed_cloud_connectivity_set_outgoing_cid(mbedtls_ssl_context *ssl, const unsigned char *cid, size_t size);
/* Sends what waits in the output buffer, and the rest of a flight that it is part of. */
int mbed_cloud_connectivity_flush(mbedtls_ssl_context *ssl);
/* Gives the output buffer the size for records with this much content, as far as they may be so large. Does nothing in a handshake
 * and while a record waits in it. An error when it was to grow and there is no memory: it is as it was. */
int mbed_cloud_connectivity_fit_output(mbedtls_ssl_context *ssl, size_t content);
/* To be called before psa_crypto_init, so that sources of entropy can be added after it. */
void mbed_cloud_connectivity_watch_entropy(void);
/* Seeds PSA's random generator again. */
int mbed_cloud_connectivity_reseed(void);
/* Adds a source to those of PSA's random generator, and has it asked at once. */
int mbed_cloud_connectivity_add_entropy_source(mbedtls_entropy_f_source_ptr source, void *argument);

#endif
