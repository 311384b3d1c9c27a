/* SPDX-License-Identifier: Apache-2.0 */
/* What only the library's inner headers or inline functions show. */
/* The first of them: it opens the structures for those after it. */
#include "ssl_misc.h"

#include "mbedtls/platform.h"
#include "psa_crypto_invasive.h"
#include "psa_crypto_random_impl.h"

#include <stdlib.h>
#include <string.h>

#include "bindings.h"

static _Thread_local int refused;

void *mbed_cloud_connectivity_calloc(size_t count, size_t size)
{
    void *block = calloc(count, size);
    if (block == NULL && count != 0 && size != 0) {
        refused = 1;
    }
    return block;
}

int mbed_cloud_connectivity_take_refusal(void)
{
    int was_refused = refused;
    refused = 0;
    return was_refused;
}

int mbed_cloud_connectivity_setup(mbedtls_ssl_context *ssl, const mbedtls_ssl_config *config)
{
    int code = mbedtls_ssl_setup(ssl, config);
    if (code != 0) {
        /* The library takes the configuration away and leaves a handshake, whose end looks there. */
        ssl->conf = config;
    }
    return code;
}

void mbed_cloud_connectivity_set_versions(mbedtls_ssl_config *config, int minimum, int maximum)
{
    mbedtls_ssl_conf_min_tls_version(config, (mbedtls_ssl_protocol_version) minimum);
    mbedtls_ssl_conf_max_tls_version(config, (mbedtls_ssl_protocol_version) maximum);
}

int mbed_cloud_connectivity_version(const mbedtls_ssl_context *ssl)
{
    return (int) mbedtls_ssl_get_version_number(ssl);
}

int mbed_cloud_connectivity_handshake_over(mbedtls_ssl_context *ssl)
{
    return mbedtls_ssl_is_handshake_over(ssl);
}

int mbed_cloud_connectivity_server_random(const mbedtls_ssl_context *ssl, unsigned char random[32])
{
    if (ssl->handshake == NULL || ssl->tls_version != MBEDTLS_SSL_VERSION_TLS1_2) {
        return -1;
    }
    memcpy(random, ssl->handshake->randbytes + 32, 32);
    return 0;
}

int mbed_cloud_connectivity_resuming(const mbedtls_ssl_context *ssl)
{
    if (ssl->handshake == NULL) {
        return -1;
    }
    if (ssl->handshake->resume == 0) {
        return 0;
    }
    /* In TLS 1.3 the flag says that a ticket was offered; the key exchange says whether it was taken. */
    if (ssl->tls_version == MBEDTLS_SSL_VERSION_TLS1_3) {
        return ssl->handshake->key_exchange_mode == MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_EPHEMERAL;
    }
    return 1;
}

int mbed_cloud_connectivity_session_resumable(const mbedtls_ssl_session *session)
{
    if (session->ticket != NULL && session->ticket_len != 0) {
        return 1;
    }
    return session->tls_version == MBEDTLS_SSL_VERSION_TLS1_2 && session->id_len != 0;
}

unsigned int mbed_cloud_connectivity_session_verify_result(const mbedtls_ssl_session *session)
{
    return session->verify_result;
}

void mbed_cloud_connectivity_set_mtu(mbedtls_ssl_context *ssl, uint16_t size)
{
    if (ssl->handshake != NULL) {
        ssl->handshake->mtu = 0;
    }
    mbedtls_ssl_set_mtu(ssl, size);
}

int mbed_cloud_connectivity_set_outgoing_cid(mbedtls_ssl_context *ssl, const unsigned char *cid, size_t size)
{
    mbedtls_ssl_transform *transform = ssl->transform_out;

    if (transform == NULL || ssl->out_left != 0 || size > sizeof transform->out_cid) {
        return MBEDTLS_ERR_SSL_BAD_INPUT_DATA;
    }
    if (size != 0) {
        memcpy(transform->out_cid, cid, size);
    }
    transform->out_cid_len = (uint8_t) size;
    /* Where the parts of a record stand depends on the length. */
    mbedtls_ssl_update_out_pointers(ssl, transform);
    return 0;
}

int mbed_cloud_connectivity_flush(mbedtls_ssl_context *ssl)
{
    int code = mbedtls_ssl_flush_output(ssl);

    /* The last flight of a handshake may be sent again, and be in the epoch before it. */
    if (code == 0 && ssl->handshake != NULL && ssl->handshake->retransmit_state == MBEDTLS_SSL_RETRANS_SENDING) {
        code = mbedtls_ssl_flight_transmit(ssl);
    }
    return code;
}

int mbed_cloud_connectivity_fit_output(mbedtls_ssl_context *ssl, size_t content)
{
    size_t most = mbedtls_ssl_get_output_buflen(ssl);
    size_t size = content + (MBEDTLS_SSL_OUT_BUFFER_LEN - MBEDTLS_SSL_OUT_CONTENT_LEN);
    unsigned char *buffer;

    /* TLS 1.3 keeps the handshake for tickets to come, and writes nothing of it any more; DTLS may repeat its last flight. */
    if (ssl->handshake != NULL
        && (ssl->conf->transport == MBEDTLS_SSL_TRANSPORT_DATAGRAM || !mbedtls_ssl_is_handshake_over(ssl))) {
        return 0;
    }
    if (ssl->out_left != 0) {
        return 0;
    }
    if (size > most) {
        size = most;
    }
    if (size == ssl->out_buf_len) {
        return 0;
    }
    buffer = mbedtls_calloc(1, size);
    if (buffer == NULL) {
        return size > ssl->out_buf_len ? MBEDTLS_ERR_SSL_ALLOC_FAILED : 0;
    }
    mbedtls_platform_zeroize(ssl->out_buf, ssl->out_buf_len);
    mbedtls_free(ssl->out_buf);
    ssl->out_buf = buffer;
    ssl->out_buf_len = size;
    /* As the library does when all of it has gone out. */
    mbedtls_ssl_reset_out_pointers(ssl);
    mbedtls_ssl_update_out_pointers(ssl, ssl->transform_out);
    return 0;
}

/* PSA's generator lives as long as the process: PSA is never shut down here. */
static mbedtls_psa_random_context_t *generator;

static void watched_entropy_init(mbedtls_entropy_context *entropy)
{
    mbedtls_entropy_init(entropy);
    generator = (mbedtls_psa_random_context_t *) (void *) ((unsigned char *) entropy
                                                           - offsetof(mbedtls_psa_random_context_t, entropy));
}

void mbed_cloud_connectivity_watch_entropy(void)
{
    /* Fails where another thread was faster and PSA runs already, which is as good. */
    (void) mbedtls_psa_crypto_configure_entropy_sources(watched_entropy_init, mbedtls_entropy_free);
}

int mbed_cloud_connectivity_reseed(void)
{
    int code = MBEDTLS_ERR_ENTROPY_NO_SOURCES_DEFINED;

    if (generator != NULL && (code = mbedtls_mutex_lock(&generator->drbg.mutex)) == 0) {
        code = mbedtls_ctr_drbg_reseed(&generator->drbg, NULL, 0);
        (void) mbedtls_mutex_unlock(&generator->drbg.mutex);
    }
    return code;
}

int mbed_cloud_connectivity_add_entropy_source(mbedtls_entropy_f_source_ptr source, void *argument)
{
    int code;

    if (generator == NULL) {
        return MBEDTLS_ERR_ENTROPY_NO_SOURCES_DEFINED;
    }
    code = mbedtls_entropy_add_source(&generator->entropy, source, argument, 0, MBEDTLS_ENTROPY_SOURCE_WEAK);
    /* From here on it is there, and is asked with the next seeding if not with this one. */
    if (code == 0) {
        (void) mbed_cloud_connectivity_reseed();
    }
    return code;
}
