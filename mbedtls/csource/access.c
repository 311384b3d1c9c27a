/* SPDX-License-Identifier: Apache-2.0 */
/* What only the library's inner headers or inline functions show. */
#include "ssl_misc.h"

#include <string.h>

#include "bindings.h"

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
