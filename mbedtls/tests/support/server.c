/* SPDX-License-Identifier: Apache-2.0
 * A TLS 1.2 server on the system's Mbed TLS 2.28, for what no stock server does: records without content, and the
 * time in ServerHello.random. Arguments: certificate and key file. Serves one connection after the other. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>

static int check(int code, const char *what)
{
    if (code != 0) {
        fprintf(stderr, "%s: -0x%04x\n", what, -code);
    }
    return code;
}

int main(int count, char **arguments)
{
    mbedtls_net_context listener, peer;
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    mbedtls_x509_crt certificate;
    mbedtls_pk_context key;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    struct sockaddr_in address;
    socklen_t size = sizeof address;

    mbedtls_net_init(&listener);
    mbedtls_ssl_config_init(&config);
    mbedtls_x509_crt_init(&certificate);
    mbedtls_pk_init(&key);
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random);
    if (count != 3
        || check(mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0), "seed")
        || check(mbedtls_x509_crt_parse_file(&certificate, arguments[1]), "certificate")
        || check(mbedtls_pk_parse_keyfile(&key, arguments[2], NULL), "key")
        || check(mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                             MBEDTLS_SSL_PRESET_DEFAULT), "defaults")
        || check(mbedtls_ssl_conf_own_cert(&config, &certificate, &key), "identity")
        || check(mbedtls_net_bind(&listener, "127.0.0.1", "0", MBEDTLS_NET_PROTO_TCP), "bind")) {
        return 1;
    }
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random);
    getsockname(listener.fd, (struct sockaddr *) &address, &size);
    printf("ACCEPT 127.0.0.1:%u\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        unsigned char buffer[16];
        int code;

        mbedtls_net_init(&peer);
        mbedtls_ssl_init(&ssl);
        if (mbedtls_net_accept(&listener, &peer, NULL, 0, NULL) == 0 && mbedtls_ssl_setup(&ssl, &config) == 0) {
            mbedtls_ssl_set_bio(&ssl, &peer, mbedtls_net_send, mbedtls_net_recv, NULL);
            if (mbedtls_ssl_handshake(&ssl) == 0) {
                /* Records without content in growing numbers, a word after each lot. */
                static const int empty[] = { 1, 2, 3, 200 };
                for (int round = 0; round < 4; round++) {
                    for (int index = 0; index < empty[round]; index++) {
                        mbedtls_ssl_write(&ssl, buffer, 0);
                    }
                    mbedtls_ssl_write(&ssl, (const unsigned char *) "word", 4);
                }
                mbedtls_ssl_close_notify(&ssl);
                do {
                    code = mbedtls_ssl_read(&ssl, buffer, sizeof buffer);
                } while (code > 0);
            }
        }
        mbedtls_ssl_free(&ssl);
        mbedtls_net_free(&peer);
    }
}
