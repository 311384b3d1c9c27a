/* A program with a Mbed TLS 2.28 of its own and this library: each must run its own code on its own structures. */
#include <stdio.h>
#include <string.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/sha256.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include "mbed_cloud_connectivity.h"

#define CHECK(condition)                                                \
    do {                                                                \
        if (!(condition)) {                                             \
            printf("FAILED line %d: %s\n", __LINE__, #condition);       \
            return 1;                                                   \
        }                                                               \
    } while (0)

static void on_event(void *argument, const mcc_event_t *event)
{
    (void) argument;
    (void) event;
}

static int own_copy(const unsigned char *certificate, size_t size)
{
    char version[16];
    mbedtls_version_get_string(version);
    printf("application: Mbed TLS %s\n", version);
    CHECK(strcmp(version, MBEDTLS_VERSION_STRING) == 0);
    CHECK(strncmp(version, "2.28.", 5) == 0);

    static const unsigned char expected[4] = { 0xba, 0x78, 0x16, 0xbf };
    unsigned char digest[32];
    CHECK(mbedtls_sha256_ret((const unsigned char *) "abc", 3, digest, 0) == 0);
    CHECK(memcmp(digest, expected, sizeof expected) == 0);

    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_ssl_config config;
    mbedtls_ssl_context session;
    mbedtls_x509_crt chain;
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random);
    mbedtls_ssl_config_init(&config);
    mbedtls_ssl_init(&session);
    mbedtls_x509_crt_init(&chain);
    CHECK(mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0) == 0);
    CHECK(mbedtls_x509_crt_parse(&chain, certificate, size) == 0);
    CHECK(mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT) == 0);
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random);
    mbedtls_ssl_conf_ca_chain(&config, &chain, NULL);
    CHECK(mbedtls_ssl_setup(&session, &config) == 0);
    CHECK(mbedtls_ssl_set_hostname(&session, "server.invalid") == 0);
    mbedtls_x509_crt_free(&chain);
    mbedtls_ssl_free(&session);
    mbedtls_ssl_config_free(&config);
    mbedtls_ctr_drbg_free(&random);
    mbedtls_entropy_free(&entropy);
    return 0;
}

/* A connection with TLS: reading the certificates runs the library's own Mbed TLS. */
static int library(const unsigned char *certificate, size_t size)
{
    printf("library: %s\n", mcc_version());
    mcc_context_options_t context_options = MCC_CONTEXT_OPTIONS_INIT;
    mcc_context_t *context = NULL;
    CHECK(mcc_context_new(&context_options, &context) == MCC_OK);

    mcc_tls_options_t tls = MCC_TLS_OPTIONS_INIT;
    mcc_connection_options_t options = MCC_CONNECTION_OPTIONS_INIT;
    mcc_connection_t *connection = NULL;
    options.uri = "coaps://127.0.0.1:9";
    options.callback = on_event;
    options.tls = &tls;

    static const unsigned char wrong[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    tls.ca = wrong;
    tls.ca_size = sizeof wrong;
    CHECK(mcc_connection_open(context, &options, &connection) == MCC_ERR_CA_INVALID);

    tls.ca = certificate;
    tls.ca_size = size;
    CHECK(mcc_connection_open(context, &options, &connection) == MCC_OK);
    mcc_connection_close(connection);
    mcc_context_free(context);
    return 0;
}

int main(int count, char **arguments)
{
    static unsigned char certificate[8192];
    CHECK(count == 2);
    FILE *file = fopen(arguments[1], "rb");
    CHECK(file != NULL);
    size_t size = fread(certificate, 1, sizeof certificate - 1, file);
    fclose(file);
    CHECK(size > 0);
    /* The size of PEM text counts its zero byte. */
    size++;
    for (int round = 0; round < 2; round++) {
        if (own_copy(certificate, size) != 0 || library(certificate, size) != 0) {
            return 1;
        }
    }
    return 0;
}
