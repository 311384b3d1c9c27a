/* TLS in the rest of the client: it has the layer's functions in a table, and calls them as its sockets call back.
 * SPDX-License-Identifier: Apache-2.0
 */

#define _POSIX_C_SOURCE 200809L
#include "client.h"

#include <pal.h>

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CALLBACK_WITHIN_S = 10 };

/* All of TLS, and what it needs of sockets. Volatile: the compiler must not call them directly. */
static volatile const struct {
    palStatus_t (*pal_initTLSLibrary)(void), (*pal_cleanupTLS)(void), (*pal_sslDebugging)(uint8_t);
    palStatus_t (*pal_addEntropySource)(palEntropySource_f);
    palStatus_t (*pal_initTLSConfiguration)(palTLSConfHandle_t *, palTLSTransportMode_t), (*pal_tlsConfigurationFree)(palTLSConfHandle_t *);
    palStatus_t (*pal_initTLS)(palTLSConfHandle_t, palTLSHandle_t *, bool), (*pal_freeTLS)(palTLSHandle_t *);
    palStatus_t (*pal_handShake)(palTLSHandle_t, palTLSConfHandle_t, bool);
    palStatus_t (*pal_sslRead)(palTLSHandle_t, void *, uint32_t, uint32_t *);
    palStatus_t (*pal_sslWrite)(palTLSHandle_t, palTLSConfHandle_t, const void *, uint32_t, uint32_t *);
    palStatus_t (*pal_setHandShakeTimeOut)(palTLSConfHandle_t, uint32_t, uint32_t);
    palStatus_t (*pal_setCAChain)(palTLSConfHandle_t, palX509_t *, palX509CRL_t *);
    palStatus_t (*pal_initPrivateKey)(const void *, size_t, palPrivateKey_t *);
    palStatus_t (*pal_setOwnPrivateKey)(palTLSConfHandle_t, palPrivateKey_t *), (*pal_setOwnCertChain)(palTLSConfHandle_t, palX509_t *);
    palStatus_t (*pal_setPSK)(palTLSConfHandle_t, const unsigned char *, uint32_t, const unsigned char *, uint32_t);
    palStatus_t (*pal_tlsSetSocket)(palTLSConfHandle_t, palTLSSocket_t *);
    void (*pal_setDTLSSocketCallback)(palTLSConfHandle_t, palSocketCallback_f, void *);
    palStatus_t (*pal_sslGetVerifyResultExtended)(palTLSHandle_t, int32_t *);
    void (*pal_enableSslSessionStoring)(palTLSConfHandle_t, bool);
    palStatus_t (*pal_sslSetDebugging)(palTLSConfHandle_t, uint8_t);
    void (*pal_store_cid)(void), (*pal_remove_cid)(void);
    bool (*pal_is_cid_available)(void);
    void (*pal_set_cid_value)(palTLSHandle_t, palTLSConfHandle_t, const uint8_t *, size_t), (*pal_print_cid)(palTLSHandle_t);
    palStatus_t (*pal_asynchronousSocketWithArgument)(palSocketDomain_t, palSocketType_t, bool, uint32_t, palAsyncSocketCallback_t, void *,
                                                      palSocket_t *);
    palStatus_t (*pal_connect)(palSocket_t, const palSocketAddress_t *, palSocketLength_t), (*pal_close)(palSocket_t *);
    palStatus_t (*pal_getAddressInfo)(const char *, palSocketAddress_t *, palSocketLength_t *);
    palStatus_t (*pal_setSockAddrPort)(palSocketAddress_t *, uint16_t);
} layer = {
    pal_initTLSLibrary,
    pal_cleanupTLS,
    pal_sslDebugging,
    pal_addEntropySource,
    pal_initTLSConfiguration,
    pal_tlsConfigurationFree,
    pal_initTLS,
    pal_freeTLS,
    pal_handShake,
    pal_sslRead,
    pal_sslWrite,
    pal_setHandShakeTimeOut,
    pal_setCAChain,
    pal_initPrivateKey,
    pal_setOwnPrivateKey,
    pal_setOwnCertChain,
    pal_setPSK,
    pal_tlsSetSocket,
    pal_setDTLSSocketCallback,
    pal_sslGetVerifyResultExtended,
    pal_enableSslSessionStoring,
    pal_sslSetDebugging,
    pal_store_cid,
    pal_remove_cid,
    pal_is_cid_available,
    pal_set_cid_value,
    pal_print_cid,
    pal_asynchronousSocketWithArgument,
    pal_connect,
    pal_close,
    pal_getAddressInfo,
    pal_setSockAddrPort,
};

typedef struct {
    palTLSTransportMode_t mode;
    palTLSConfHandle_t configuration;
    palTLSHandle_t session;
    palSocket_t socket;
    palSocketAddress_t address;
    palSocketLength_t length;
    sem_t called;
} end_t;

static int failures;
static unsigned entropy_asked;

static bool expect(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "TLS through the table: %s\n", what);
        failures++;
    }
    return holds;
}

/* Comes from the layer's thread: a socket's event, or that a retransmission is due. */
static void on_call(void *argument)
{
    (void)sem_post(&((end_t *)argument)->called);
}

static int give_entropy(void *data, unsigned char *output, size_t length, size_t *given)
{
    (void)data;
    memset(output, 0x5a, length);
    *given = length;
    __atomic_add_fetch(&entropy_asked, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static bool await_call(end_t *end)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += CALLBACK_WITHIN_S;
    int result;
    while ((result = sem_timedwait(&end->called, &deadline)) != 0 && errno == EINTR) {
    }
    return expect(result == 0, "no callback came");
}

/* A configuration, a handle and a socket to this port. */
static bool open_end(end_t *end, palTLSTransportMode_t mode, uint16_t port)
{
    memset(end, 0, sizeof *end);
    end->mode = mode;
    end->socket = (palSocket_t)-1;
    if (!expect(sem_init(&end->called, 0, 0) == 0, "sem_init") ||
        !expect(layer.pal_initTLSConfiguration(&end->configuration, mode) == PAL_SUCCESS, "pal_initTLSConfiguration") ||
        !expect(layer.pal_initTLS(end->configuration, &end->session, false) == PAL_SUCCESS && end->session != 0, "pal_initTLS") ||
        !expect(layer.pal_getAddressInfo("127.0.0.1", &end->address, &end->length) == PAL_SUCCESS, "pal_getAddressInfo") ||
        !expect(layer.pal_setSockAddrPort(&end->address, port) == PAL_SUCCESS, "pal_setSockAddrPort")) {
        return false;
    }
    palSocketType_t type = mode == PAL_TLS_MODE ? PAL_SOCK_STREAM : PAL_SOCK_DGRAM;
    palStatus_t status = layer.pal_asynchronousSocketWithArgument(PAL_AF_INET, type, true, 0, on_call, end, &end->socket);
    if (!expect(status == PAL_SUCCESS, "pal_asynchronousSocketWithArgument")) {
        return false;
    }
    while ((status = layer.pal_connect(end->socket, &end->address, end->length)) == PAL_ERR_SOCKET_IN_PROGRES) {
        if (!await_call(end)) {
            return false;
        }
    }
    palTLSSocket_t socket = {
        .socket = end->socket, .socketAddress = &end->address, .addressLength = end->length, .transportationMode = mode};
    layer.pal_setDTLSSocketCallback(end->configuration, on_call, end);
    return expect(status == PAL_SUCCESS, "pal_connect") &&
           expect(layer.pal_tlsSetSocket(end->configuration, &socket) == PAL_SUCCESS, "pal_tlsSetSocket") &&
           expect(layer.pal_sslSetDebugging(end->configuration, 1) == PAL_SUCCESS, "pal_sslSetDebugging");
}

static void close_end(end_t *end)
{
    expect(layer.pal_freeTLS(&end->session) == PAL_SUCCESS && end->session == 0, "pal_freeTLS");
    expect(layer.pal_close(&end->socket) == PAL_SUCCESS, "pal_close");
    expect(layer.pal_tlsConfigurationFree(&end->configuration) == PAL_SUCCESS && end->configuration == 0, "pal_tlsConfigurationFree");
    sem_destroy(&end->called);
}

static palStatus_t shake_hands(end_t *end)
{
    palStatus_t status;
    do {
        status = layer.pal_handShake(end->session, end->configuration, false);
    } while ((status == PAL_ERR_TLS_WANT_READ || status == PAL_ERR_TLS_WANT_WRITE) && await_call(end));
    return status;
}

/* Nobody answers the port of discarded datagrams: each callback is a retransmission that is due, until the time is over. */
static void shake_hands_with_nobody(void)
{
    static const unsigned char identity[] = "device", key[16] = {1, 2, 3};
    end_t end;
    int32_t result = 77;
    uint32_t size = 77;
    if (open_end(&end, PAL_DTLS_MODE, 9)) {
        expect(layer.pal_setHandShakeTimeOut(end.configuration, 10, 20) == PAL_SUCCESS, "pal_setHandShakeTimeOut");
        expect(layer.pal_setPSK(end.configuration, identity, 6, key, sizeof key) == PAL_SUCCESS, "pal_setPSK");
        expect(shake_hands(&end) == PAL_ERR_TLS_TIMEOUT, "pal_handShake with nobody");
        expect(layer.pal_sslGetVerifyResultExtended(end.session, &result) == PAL_SUCCESS && result == 0, "the verify result of nobody");
        expect(layer.pal_sslRead(end.session, &result, sizeof result, &size) != PAL_SUCCESS, "pal_sslRead from nobody");
        expect(layer.pal_sslWrite(end.session, end.configuration, identity, 6, &size) != PAL_SUCCESS && size == 77,
               "pal_sslWrite to nobody");
        layer.pal_set_cid_value(end.session, end.configuration, key, sizeof key);
        layer.pal_print_cid(end.session);
    }
    close_end(&end);
}

static size_t read_file(const char *path, unsigned char *buffer, size_t room)
{
    FILE *file = fopen(path, "rb");
    size_t size = file == NULL ? 0 : fread(buffer, 1, room, file);
    if (file != NULL) {
        fclose(file);
    }
    return size;
}

/* A server of a real one's kind, where the environment names one: port and CA. */
static void talk_to_server(const char *port, const char *ca)
{
    static unsigned char file[8192];
    end_t end;
    char back[16] = "";
    uint32_t size = 0;
    palX509_t chain = {.buffer = file, .size = (uint32_t)read_file(ca, file, sizeof file)};
    if (open_end(&end, PAL_TLS_MODE, (uint16_t)strtoul(port, NULL, 10))) {
        layer.pal_enableSslSessionStoring(end.configuration, true);
        expect(layer.pal_setCAChain(end.configuration, &chain, NULL) == PAL_SUCCESS, "pal_setCAChain");
        expect(shake_hands(&end) == PAL_SUCCESS, "pal_handShake with the server");
        expect(layer.pal_sslWrite(end.session, end.configuration, "hello", 5, &size) == PAL_SUCCESS && size == 5, "pal_sslWrite");
        palStatus_t status;
        while ((status = layer.pal_sslRead(end.session, back, sizeof back, &size)) == PAL_ERR_TLS_WANT_READ && await_call(&end)) {
        }
        expect(status == PAL_SUCCESS && size == 5 && memcmp(back, "hello", 5) == 0, "pal_sslRead");
        printf("the server answered\n");
    }
    close_end(&end);
}

int client_uses_tls(void)
{
    palTLSConfHandle_t configuration = 0;
    palPrivateKey_t key = {NULL, 0};
    unsigned char byte = 0;
    palX509_t certificate = {&byte, 1};
    const char *port = getenv("RELINK_SERVER_PORT"), *ca = getenv("RELINK_SERVER_CA");

    expect(layer.pal_initTLSLibrary() == PAL_SUCCESS, "pal_initTLSLibrary");
    expect(layer.pal_sslDebugging(1) == PAL_ERR_NOT_SUPPORTED, "pal_sslDebugging");
    expect(layer.pal_addEntropySource(give_entropy) == PAL_SUCCESS, "pal_addEntropySource");
    expect(__atomic_load_n(&entropy_asked, __ATOMIC_SEQ_CST) > 0, "the entropy source was not asked");
    expect(layer.pal_initTLSConfiguration(&configuration, PAL_TLS_MODE) == PAL_SUCCESS, "pal_initTLSConfiguration");
    expect(layer.pal_initPrivateKey(&byte, 1, &key) == PAL_SUCCESS && key.buffer == &byte, "pal_initPrivateKey");
    expect(layer.pal_setOwnPrivateKey(configuration, &key) == PAL_ERR_TLS_FAILED_TO_PARSE_KEY, "pal_setOwnPrivateKey");
    expect(layer.pal_setOwnCertChain(configuration, &certificate) == PAL_ERR_TLS_FAILED_TO_PARSE_CERT, "pal_setOwnCertChain");
    expect(layer.pal_tlsConfigurationFree(&configuration) == PAL_SUCCESS, "pal_tlsConfigurationFree");
    expect(!layer.pal_is_cid_available(), "pal_is_cid_available");
    shake_hands_with_nobody();
    if (port != NULL && ca != NULL) {
        talk_to_server(port, ca);
    }
    layer.pal_store_cid();
    layer.pal_remove_cid();
    expect(layer.pal_cleanupTLS() == PAL_SUCCESS, "pal_cleanupTLS");
    host_expect(expect, port != NULL);
    return failures;
}
