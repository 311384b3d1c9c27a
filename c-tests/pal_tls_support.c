/* SPDX-License-Identifier: Apache-2.0 */

#define _GNU_SOURCE
#include "pal_tls_support.h"

#include <stdlib.h>

/* ---- servers ---- */

peer_t *start_server_with(fixture_t *fixture, const char *program, palTLSTransportMode_t mode, const char *certificate,
                          const char *const *further)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s.pem", certificate);
    const char *chain = certificate_path(fixture, name);
    (void)snprintf(name, sizeof name, "%s.key", certificate);
    const char *key = certificate_path(fixture, name);
    const char *more[12] = {NULL};
    for (size_t index = 0; further != NULL && further[index] != NULL; index++) {
        assert_true(index < 11);
        more[index] = further[index];
    }
    const char *transport = mode == PAL_TLS_MODE ? "--tls" : "--dtls";
    return start_peer_program(fixture, program, transport, "--certificate", chain, "--key", key, more[0], more[1], more[2], more[3],
                              more[4], more[5], more[6], more[7], more[8], more[9], more[10], more[11], NULL);
}

peer_t *start_tls_server(fixture_t *fixture)
{
    return start_server_with(fixture, MCC_TEST_MBEDTLS_SERVER, PAL_TLS_MODE, "server", NULL);
}

peer_t *start_dtls_server(fixture_t *fixture)
{
    return start_server_with(fixture, MCC_TEST_MBEDTLS_CID_SERVER, PAL_DTLS_MODE, "server", NULL);
}

/* ---- one end of a session ---- */

static void make_and_connect(secure_t *secure, uint16_t port)
{
    secure->address = loopback(PAL_AF_INET, port);
    if (secure->mode == PAL_DTLS_MODE) {
        uint16_t own;
        secure->socket = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &secure->calls, &own);
    } else {
        secure->socket = make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &secure->calls);
        palStatus_t status;
        while ((status = pal_connect(secure->socket, &secure->address, ADDRESS_SIZE)) == PAL_ERR_SOCKET_IN_PROGRES) {
            await_call(secure);
        }
        assert_pal(status, PAL_SUCCESS);
    }
    secure->tls_socket = (palTLSSocket_t){.socket = secure->socket,
                                          .socketAddress = &secure->address,
                                          .addressLength = ADDRESS_SIZE,
                                          .transportationMode = secure->mode};
    assert_pal(pal_tlsSetSocket(secure->configuration, &secure->tls_socket), PAL_SUCCESS);
}

void secure_begin(secure_t *secure, palTLSTransportMode_t mode, uint16_t port)
{
    memset(secure, 0, sizeof *secure);
    secure->mode = mode;
    calls_begin(&secure->calls);
    assert_pal(pal_initTLSConfiguration(&secure->configuration, mode), PAL_SUCCESS);
    assert_true(secure->configuration != 0);
    if (mode == PAL_DTLS_MODE) {
        assert_pal(pal_setHandShakeTimeOut(secure->configuration, 1000, 8000), PAL_SUCCESS);
    }
    assert_pal(pal_initTLS(secure->configuration, &secure->session, false), PAL_SUCCESS);
    assert_true(secure->session != 0);
    make_and_connect(secure, port);
    pal_setDTLSSocketCallback(secure->configuration, count_call, &secure->calls);
}

void secure_new_socket(secure_t *secure, uint16_t port)
{
    if (secure->socket != CLOSED_SOCKET) {
        close_socket(&secure->socket);
    }
    make_and_connect(secure, port);
}

void secure_trust(secure_t *secure, fixture_t *fixture, const char *ca)
{
    size_t size;
    palX509_t chain = {.buffer = read_certificate(fixture, ca, &size)};
    chain.size = (uint32_t)size;
    assert_pal(pal_setCAChain(secure->configuration, &chain, NULL), PAL_SUCCESS);
}

void secure_identify(secure_t *secure, fixture_t *fixture)
{
    size_t size;
    palX509_t certificate = {.buffer = read_certificate(fixture, "client.der", &size)};
    certificate.size = (uint32_t)size;
    palPrivateKey_t key = {0};
    const void *bytes = read_certificate(fixture, "client-key.der", &size);
    assert_pal(pal_initPrivateKey(bytes, size, &key), PAL_SUCCESS);
    assert_ptr_equal(key.buffer, bytes);
    assert_int_equal(key.size, size);
    assert_pal(pal_setOwnPrivateKey(secure->configuration, &key), PAL_SUCCESS);
    assert_pal(pal_setOwnCertChain(secure->configuration, &certificate), PAL_SUCCESS);
}

void secure_open(secure_t *secure, fixture_t *fixture, palTLSTransportMode_t mode, uint16_t port)
{
    secure_begin(secure, mode, port);
    secure_trust(secure, fixture, "ca.pem");
}

void await_call(secure_t *secure)
{
    secure->seen++;
    await_calls(&secure->calls, secure->seen);
    /* Several may have come: what follows finds all that they tell of. */
    secure->seen = calls_so_far(&secure->calls);
}

palStatus_t shake_hands(secure_t *secure, bool skip_resume)
{
    for (;;) {
        /* Before the call: a callback that comes during it is not lost. */
        secure->seen = calls_so_far(&secure->calls);
        palStatus_t status = pal_handShake(secure->session, secure->configuration, skip_resume);
        if (status != PAL_ERR_TLS_WANT_READ && status != PAL_ERR_TLS_WANT_WRITE) {
            return status;
        }
        await_call(secure);
    }
}

palStatus_t secure_read(secure_t *secure, void *buffer, uint32_t size, uint32_t *read)
{
    for (;;) {
        secure->seen = calls_so_far(&secure->calls);
        *read = 0xA5A5;
        palStatus_t status = pal_sslRead(secure->session, buffer, size, read);
        if (status != PAL_ERR_TLS_WANT_READ) {
            return status;
        }
        assert_int_equal(*read, 0xA5A5);
        await_call(secure);
    }
}

void secure_write(secure_t *secure, const void *bytes, uint32_t size)
{
    for (;;) {
        secure->seen = calls_so_far(&secure->calls);
        uint32_t written = 0xA5A5;
        palStatus_t status = pal_sslWrite(secure->session, secure->configuration, bytes, size, &written);
        if (status != PAL_ERR_TLS_WANT_WRITE) {
            assert_pal(status, PAL_SUCCESS);
            assert_int_equal(written, size);
            return;
        }
        assert_int_equal(written, 0xA5A5);
        await_call(secure);
    }
}

void secure_echo(secure_t *secure, uint32_t size)
{
    uint8_t *bytes = malloc(size);
    uint8_t *back = calloc(1, size + 1);
    assert_non_null(bytes);
    assert_non_null(back);
    for (uint32_t index = 0; index < size; index++) {
        bytes[index] = (uint8_t)(index * 7 + size);
    }
    secure_write(secure, bytes, size);
    uint32_t read;
    assert_pal(secure_read(secure, back, size + 1, &read), PAL_SUCCESS);
    assert_int_equal(read, size);
    assert_memory_equal(back, bytes, size);
    free(back);
    free(bytes);
}

void secure_end(secure_t *secure)
{
    if (secure->session != 0) {
        assert_pal(pal_freeTLS(&secure->session), PAL_SUCCESS);
        assert_int_equal(secure->session, 0);
    }
    if (secure->socket != CLOSED_SOCKET) {
        close_socket(&secure->socket);
    }
    assert_pal(pal_tlsConfigurationFree(&secure->configuration), PAL_SUCCESS);
    assert_int_equal(secure->configuration, 0);
    calls_end(&secure->calls);
}

/* ---- fixtures ---- */

int pal_tls_setup(void **state)
{
    if (setup(state) != 0 || pal_plat_socketsInit(NULL) != PAL_SUCCESS) {
        return -1;
    }
    return pal_initTLSLibrary() == PAL_SUCCESS ? 0 : -1;
}

int pal_tls_teardown(void **state)
{
    pal_remove_cid();
    if (pal_cleanupTLS() != PAL_SUCCESS || pal_plat_socketsTerminate(NULL) != PAL_SUCCESS) {
        return -1;
    }
    return teardown(state);
}
