/* The server of the benchmark: no more work than its answers need, so that it does not hide what the clients do.
 *
 *   bench-peer CERTIFICATE KEY
 *
 * It prints `tcp PORT` (four bytes of length before each message), `udp PORT`, `tls PORT` (TLS 1.3, one message in one record) and
 * `tls12 PORT` (TLS 1.2, the same), then `handshake VERSION SUITE` for each TLS connection, and ends with its standard input.
 *
 * Of the CoAP messages that come in, by their code:
 *   empty   a ping: answered by Reset
 *   GET     answered at once
 *   POST    the last four bytes are a number: so many messages follow, at random gaps, each with the time of its sending
 *   others  are taken and not answered
 * Over TLS an empty one is answered in the same way, and any other comes back as it was.
 * Over UDP there is no CoAP: four bytes are a number, and so many datagrams follow in the same way.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_SIZE = 65536, SHORTEST_GAP_NS = 200000, LONGEST_GAP_NS = 1000000 };
enum { CODE_EMPTY = 0x00, CODE_GET = 0x01, CODE_POST = 0x02, CODE_CONTENT = 0x45 };

/* A connection, or the port that they come to. */
typedef struct {
    SSL_CTX *context;
    int descriptor;
} tls_t;

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "bench-peer: %s: %s\n", what, strerror(errno));
    ERR_print_errors_fp(stderr);
    exit(1);
}

static int open_port(const char *name, int type)
{
    int descriptor = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&address, size) != 0
        || (type == SOCK_STREAM && listen(descriptor, 16) != 0)
        || getsockname(descriptor, (struct sockaddr *)&address, &size) != 0) {
        give_up(name);
    }
    printf("%s %u\n", name, ntohs(address.sin_port));
    return descriptor;
}

static int accept_connection(int listener)
{
    int descriptor = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    int on = 1;
    if (descriptor < 0 || setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        give_up("accept");
    }
    return descriptor;
}

/* ---- bursts ---- */

/* No loop can get into step with these gaps. */
static void wait_for_a_gap(void)
{
    static _Thread_local uint32_t state = 2463534242u;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    struct timespec gap = {.tv_nsec = SHORTEST_GAP_NS + state % (LONGEST_GAP_NS - SHORTEST_GAP_NS)};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &gap, NULL);
}

static void write_time(uint8_t *bytes)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t nanoseconds = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    memcpy(bytes, &nanoseconds, sizeof nanoseconds);
}

/* ---- TLS ---- */

static void *serve_tls(void *argument)
{
    tls_t connection = *(tls_t *)argument;
    free(argument);
    SSL *tls = SSL_new(connection.context);
    if (tls == NULL || SSL_set_fd(tls, connection.descriptor) != 1 || SSL_accept(tls) != 1) {
        give_up("TLS handshake");
    }
    printf("handshake %s %s\n", SSL_get_version(tls), SSL_get_cipher_name(tls));
    uint8_t message[BUFFER_SIZE];
    for (int size; (size = SSL_read(tls, message, sizeof message)) > 0;) {
        if (size == 4 && message[1] == CODE_EMPTY) {
            message[0] = 0x70;
        }
        if (SSL_write(tls, message, size) <= 0) {
            break;
        }
    }
    SSL_free(tls);
    close(connection.descriptor);
    return NULL;
}

static void *accept_tls(void *argument)
{
    const tls_t *port = argument;
    for (;;) {
        tls_t *connection = malloc(sizeof *connection);
        if (connection == NULL) {
            give_up("malloc");
        }
        *connection = (tls_t){.context = port->context, .descriptor = accept_connection(port->descriptor)};
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve_tls, connection) != 0) {
            give_up("pthread_create");
        }
        pthread_detach(thread);
    }
    return NULL;
}

/* One version and one suite: all clients do the same work. */
static SSL_CTX *make_context(int version, const char *certificate, const char *key)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL || SSL_CTX_set_min_proto_version(context, version) != 1 || SSL_CTX_set_max_proto_version(context, version) != 1
        || SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") != 1
        /* The service's suite. Its tags are shorter than OpenSSL allows by itself. */
        || SSL_CTX_set_cipher_list(context, "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0") != 1
        || SSL_CTX_use_certificate_chain_file(context, certificate) != 1
        || SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
        give_up("SSL_CTX_new");
    }
    return context;
}

/* ---- TCP ---- */

static void send_all(int descriptor, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(descriptor, bytes, size, MSG_NOSIGNAL);
        if (sent < 0) {
            return;
        }
        bytes += sent;
        size -= (size_t)sent;
    }
}

static void send_empty(int descriptor, uint8_t first, uint8_t code, const uint8_t *message_id)
{
    uint8_t frame[] = {0, 0, 0, 4, first, code, message_id[0], message_id[1]};
    send_all(descriptor, frame, sizeof frame);
}

static void send_burst(int descriptor, uint32_t count)
{
    for (uint32_t index = 0; index < count; index++) {
        wait_for_a_gap();
        uint8_t frame[4 + 5 + 8] = {0, 0, 0, 5 + 8, 0x50, CODE_CONTENT, (uint8_t)(index >> 8), (uint8_t)index, 0xff};
        write_time(frame + 9);
        send_all(descriptor, frame, sizeof frame);
    }
}

static void take_message(int descriptor, const uint8_t *message, size_t size)
{
    if (size < 4) {
        give_up("a message of less than four bytes");
    }
    uint32_t number;
    switch (message[1]) {
    case CODE_EMPTY:
        send_empty(descriptor, 0x70, CODE_EMPTY, message + 2);
        break;
    case CODE_GET:
        send_empty(descriptor, 0x50, CODE_CONTENT, message + 2);
        break;
    case CODE_POST:
        memcpy(&number, message + size - sizeof number, sizeof number);
        send_burst(descriptor, ntohl(number));
        break;
    default:
        break;
    }
}

static void *serve_tcp(void *argument)
{
    int descriptor = (int)(intptr_t)argument;
    static _Thread_local uint8_t buffer[2 * BUFFER_SIZE];
    size_t held = 0;
    for (ssize_t size; (size = recv(descriptor, buffer + held, BUFFER_SIZE, 0)) > 0;) {
        held += (size_t)size;
        size_t at = 0;
        while (held - at >= 4) {
            uint32_t length;
            memcpy(&length, buffer + at, sizeof length);
            length = ntohl(length);
            if (length > BUFFER_SIZE - 4) {
                give_up("a message that is too long");
            }
            if (held - at - 4 < length) {
                break;
            }
            take_message(descriptor, buffer + at + 4, length);
            at += 4 + length;
        }
        held -= at;
        memmove(buffer, buffer + at, held);
    }
    close(descriptor);
    return NULL;
}

static void *accept_tcp(void *argument)
{
    for (;;) {
        int descriptor = accept_connection((int)(intptr_t)argument);
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve_tcp, (void *)(intptr_t)descriptor) != 0) {
            give_up("pthread_create");
        }
        pthread_detach(thread);
    }
    return NULL;
}

/* ---- UDP ---- */

static void *serve_udp(void *argument)
{
    int descriptor = (int)(intptr_t)argument;
    for (;;) {
        uint32_t number;
        struct sockaddr_in from;
        socklen_t from_size = sizeof from;
        if (recvfrom(descriptor, &number, sizeof number, 0, (struct sockaddr *)&from, &from_size) != sizeof number) {
            give_up("recvfrom");
        }
        for (uint32_t left = ntohl(number); left > 0; left--) {
            wait_for_a_gap();
            uint8_t datagram[8];
            write_time(datagram);
            if (sendto(descriptor, datagram, sizeof datagram, 0, (struct sockaddr *)&from, from_size) != sizeof datagram) {
                give_up("sendto");
            }
        }
    }
    return NULL;
}

int main(int count, char **arguments)
{
    if (count != 3) {
        fprintf(stderr, "usage: bench-peer CERTIFICATE KEY\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    static tls_t tls;
    static tls_t tls12;
    tls.context = make_context(TLS1_3_VERSION, arguments[1], arguments[2]);
    tls12.context = make_context(TLS1_2_VERSION, arguments[1], arguments[2]);
    pthread_t threads[4];
    void *tcp = (void *)(intptr_t)open_port("tcp", SOCK_STREAM);
    void *udp = (void *)(intptr_t)open_port("udp", SOCK_DGRAM);
    tls.descriptor = open_port("tls", SOCK_STREAM);
    tls12.descriptor = open_port("tls12", SOCK_STREAM);
    if (pthread_create(&threads[0], NULL, accept_tcp, tcp) != 0 || pthread_create(&threads[1], NULL, serve_udp, udp) != 0
        || pthread_create(&threads[2], NULL, accept_tls, &tls) != 0 || pthread_create(&threads[3], NULL, accept_tls, &tls12) != 0) {
        give_up("pthread_create");
    }
    for (uint8_t byte; read(STDIN_FILENO, &byte, 1) > 0;) {
    }
    return 0;
}
