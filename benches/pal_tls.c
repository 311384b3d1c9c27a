/* Sessions of TLS and DTLS through the functions of the PAL: the callbacks of their sockets carry them on, on the library's thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <pal.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

enum { RETRANSMIT_FIRST_MS = 1000, RETRANSMIT_LAST_MS = 8000 };

/* What the next callback goes on with. */
typedef enum { NOTHING, CONNECT, SHAKE_HANDS, ECHO } step_t;

struct secure {
    palTLSConfHandle_t configuration;
    palTLSHandle_t session;
    palSocket_t socket;
    palSocketAddress_t peer;
    palTLSSocket_t tls_socket;
    sem_t done;
    /* The callback may come while this side still makes the first call. */
    pthread_mutex_t turn;
    step_t step;
    unsigned left;
    uint64_t begin;
    samples_t samples;
};

static void check(palStatus_t status, const char *what)
{
    if (status != PAL_SUCCESS) {
        give_up("%s: %d", what, status);
    }
}

static void write_record(secure_t *secure)
{
    uint8_t record[RECORD_SIZE];
    uint32_t written = 0;
    memset(record, 'x', sizeof record);
    secure->begin = nanoseconds_now();
    check(pal_sslWrite(secure->session, secure->configuration, record, sizeof record, &written), "pal_sslWrite");
    if (written != sizeof record) {
        give_up("pal_sslWrite: %u bytes", written);
    }
}

static void finish(secure_t *secure)
{
    secure->step = NOTHING;
    sem_post(&secure->done);
}

static void go_on_echoing(secure_t *secure)
{
    for (;;) {
        uint8_t answer[2 * RECORD_SIZE];
        uint32_t size = 0;
        palStatus_t status = pal_sslRead(secure->session, answer, sizeof answer, &size);
        if (status == PAL_ERR_TLS_WANT_READ) {
            return;
        }
        uint64_t now = nanoseconds_now();
        check(status, "pal_sslRead");
        if (size != RECORD_SIZE) {
            give_up("pal_sslRead: %u bytes", size);
        }
        sample(&secure->samples, now - secure->begin);
        if (--secure->left == 0) {
            finish(secure);
            return;
        }
        write_record(secure);
    }
}

static void go_on(secure_t *secure)
{
    if (secure->step == CONNECT) {
        palStatus_t status = pal_connect(secure->socket, &secure->peer, sizeof secure->peer);
        if (status == PAL_ERR_SOCKET_IN_PROGRES) {
            return;
        }
        check(status, "pal_connect");
        secure->step = SHAKE_HANDS;
    }
    if (secure->step == SHAKE_HANDS) {
        palStatus_t status = pal_handShake(secure->session, secure->configuration, false);
        if (status == PAL_ERR_TLS_WANT_READ || status == PAL_ERR_TLS_WANT_WRITE) {
            return;
        }
        check(status, "pal_handShake");
        finish(secure);
    }
    if (secure->step == ECHO) {
        go_on_echoing(secure);
    }
}

static void on_call(void *argument)
{
    secure_t *secure = argument;
    pthread_mutex_lock(&secure->turn);
    go_on(secure);
    pthread_mutex_unlock(&secure->turn);
}

static void wait_until_done(secure_t *secure)
{
    while (sem_wait(&secure->done) != 0) {
        if (errno != EINTR) {
            give_up("sem_wait: %s", strerror(errno));
        }
    }
}

static void configure(secure_t *secure, palTLSTransportMode_t mode, const text_t *ca)
{
    palX509_t trusted = {.buffer = ca->bytes, .size = (uint32_t)ca->size};
    check(pal_initTLSConfiguration(&secure->configuration, mode), "pal_initTLSConfiguration");
    if (mode == PAL_DTLS_MODE) {
        check(pal_setHandShakeTimeOut(secure->configuration, RETRANSMIT_FIRST_MS, RETRANSMIT_LAST_MS), "pal_setHandShakeTimeOut");
    }
    check(pal_setCAChain(secure->configuration, &trusted, NULL), "pal_setCAChain");
}

static secure_t *allocate(unsigned count)
{
    secure_t *secure = calloc(count, sizeof *secure);
    if (secure == NULL) {
        give_up("no memory");
    }
    return secure;
}

static void begin(secure_t *secure, bool datagrams, uint16_t port, const text_t *ca)
{
    palTLSTransportMode_t mode = datagrams ? PAL_DTLS_MODE : PAL_TLS_MODE;
    sem_init(&secure->done, 0, 0);
    pthread_mutex_init(&secure->turn, NULL);
    configure(secure, mode, ca);
    check(pal_initTLS(secure->configuration, &secure->session, false), "pal_initTLS");
    palIpV4Addr_t octets = {127, 0, 0, 1};
    check(pal_setSockAddrIPV4Addr(&secure->peer, octets), "pal_setSockAddrIPV4Addr");
    check(pal_setSockAddrPort(&secure->peer, port), "pal_setSockAddrPort");
    check(pal_asynchronousSocketWithArgument(PAL_AF_INET, datagrams ? PAL_SOCK_DGRAM : PAL_SOCK_STREAM, true, 0, on_call, secure,
                                             &secure->socket),
          "pal_asynchronousSocketWithArgument");
    secure->tls_socket = (palTLSSocket_t){.socket = secure->socket,
                                          .socketAddress = &secure->peer,
                                          .addressLength = sizeof secure->peer,
                                          .transportationMode = mode};
    check(pal_tlsSetSocket(secure->configuration, &secure->tls_socket), "pal_tlsSetSocket");
    pthread_mutex_lock(&secure->turn);
    secure->step = datagrams ? SHAKE_HANDS : CONNECT;
    go_on(secure);
    pthread_mutex_unlock(&secure->turn);
    wait_until_done(secure);
}

static void end(secure_t *secure)
{
    /* In the client's order. */
    check(pal_close(&secure->socket), "pal_close");
    check(pal_freeTLS(&secure->session), "pal_freeTLS");
    check(pal_tlsConfigurationFree(&secure->configuration), "pal_tlsConfigurationFree");
    pthread_mutex_destroy(&secure->turn);
    sem_destroy(&secure->done);
    free(secure->samples.values);
}

secure_t *open_secure(bool datagrams, uint16_t port, const text_t *ca)
{
    secure_t *secure = allocate(1);
    begin(secure, datagrams, port, ca);
    return secure;
}

void close_secure(secure_t *secure)
{
    end(secure);
    free(secure);
}

void start_secure(void)
{
    check(pal_plat_socketsInit(NULL), "pal_plat_socketsInit");
    check(pal_initTLSLibrary(), "pal_initTLSLibrary");
}

void stop_secure(void)
{
    pal_remove_cid();
    check(pal_cleanupTLS(), "pal_cleanupTLS");
    check(pal_plat_socketsTerminate(NULL), "pal_plat_socketsTerminate");
}

uint64_t handshake_time(uint16_t port, const text_t *ca)
{
    uint64_t begin = nanoseconds_now();
    close_secure(open_secure(false, port, ca));
    return nanoseconds_now() - begin;
}

side_t echo_time(secure_t *secure, unsigned count)
{
    pthread_mutex_lock(&secure->turn);
    uint64_t before = nanoseconds_of(CLOCK_PROCESS_CPUTIME_ID);
    secure->left = count;
    secure->step = ECHO;
    write_record(secure);
    pthread_mutex_unlock(&secure->turn);
    wait_until_done(secure);
    uint64_t after = nanoseconds_of(CLOCK_PROCESS_CPUTIME_ID);
    side_t side = summarise(&secure->samples);
    side.cpu_time = (double)(after - before) / count;
    return side;
}

uint64_t write_cost(secure_t *secure, unsigned count)
{
    uint8_t record[MESSAGE_SIZE] = {0};
    uint64_t before = nanoseconds_of(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned index = 0; index < count; index++) {
        uint32_t written = 0;
        check(pal_sslWrite(secure->session, secure->configuration, record, sizeof record, &written), "pal_sslWrite");
    }
    return nanoseconds_of(CLOCK_THREAD_CPUTIME_ID) - before;
}

bool has_connection_id(void)
{
    return pal_is_cid_available();
}

double bytes_per_session(const child_t *server, const char *line, bool datagrams, uint16_t port, const text_t *ca, unsigned count)
{
    char rest[128];
    secure_t *sessions = allocate(count);
    size_t before = allocated_bytes();
    for (unsigned index = 0; index < count; index++) {
        begin(&sessions[index], datagrams, port, ca);
        read_line(server, line, rest, sizeof rest);
    }
    size_t after = allocated_bytes();
    for (unsigned index = 0; index < count; index++) {
        end(&sessions[index]);
    }
    free(sessions);
    return (double)(after - before) / count;
}

double bytes_per_configuration(bool datagrams, unsigned count, const text_t *ca)
{
    secure_t *secure = allocate(count);
    size_t before = allocated_bytes();
    for (unsigned index = 0; index < count; index++) {
        configure(&secure[index], datagrams ? PAL_DTLS_MODE : PAL_TLS_MODE, ca);
    }
    size_t after = allocated_bytes();
    for (unsigned index = 0; index < count; index++) {
        check(pal_tlsConfigurationFree(&secure[index].configuration), "pal_tlsConfigurationFree");
    }
    free(secure);
    return (double)(after - before) / count;
}
