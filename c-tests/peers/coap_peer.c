/* coap_peer: the server that the C tests and the demo need. It echoes requests, answers pings, and misbehaves on command.
 *
 *   coap_peer --udp | --tcp | --tls | --dtls  [--address 127.0.0.1] [--port 0] [--length-prefix]
 *             [--certificate FILE --key FILE] [--client-ca FILE] [--psk-identity TEXT --psk HEX] [--version 1.0|1.2|1.3]
 *
 * --tcp: four bytes of big-endian length before each message. --tls: one message in one record, or with --length-prefix as --tcp.
 * --dtls: one message in one record in one datagram. A client is who sends from an address, over UDP and DTLS.
 * One line of standard input is one command, and `done COMMAND` follows it on standard output, where each event has its line too.
 * It ends with the command `quit`, with its standard input, or with its parent.
 *
 *   silent           reads nothing, answers nothing, accepts nothing; connections stay open
 *   answer           the opposite, and what it begins with
 *   drop N           reads the next N messages and does not answer them
 *   close, reset     ends all connections, properly or by a TCP reset; over UDP and DTLS the latter forgets them without a word
 *   send HEX         sends these bytes as one message in the framing
 *   raw HEX          writes these bytes to the socket, below TLS and without framing, in one datagram
 *   lose N           loses every N-th datagram, to and from clients, from now on; 0: none
 *   lose-one N       loses the N-th from now
 *   garbage N        sends N random bytes: as records with TLS and DTLS, as a datagram over UDP, else without framing
 *   garbage-and-close N  does both before it reads or accepts anything more
 *   oversize N       sends one well-formed message of N bytes
 *   renegotiate HEX  sends, over TLS 1.2, a HelloRequest and these bytes as one message behind it, in one write
 *   ping             sends an Empty Confirmable message; `ping-answered` tells that its Reset came
 *   split, whole     writes to streams one byte at a time, or whole again
 *   stop-listening, listen
 *   quit
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "commands.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAXIMUM_SESSIONS = 1024, MAXIMUM_MESSAGE = 4 << 20, RECORD_SIZE = 16384, WRITE_TIMEOUT_MS = 10000 };
enum { DTLS_HEADER_SIZE = 13, DATAGRAM_SIZE = 1200 };
enum { CONFIRMABLE = 0, NON_CONFIRMABLE = 1, ACKNOWLEDGEMENT = 2, RESET = 3 };

typedef enum { TRANSPORT_UDP, TRANSPORT_TCP, TRANSPORT_TLS, TRANSPORT_DTLS } transport_t;

typedef struct {
    int descriptor;                  /* of the TCP connection; over UDP and DTLS the listener's */
    struct sockaddr_storage address; /* who it is */
    socklen_t address_size;
    SSL *tls;
    bool established;
    uint8_t *held; /* bytes of a length-prefixed message that is not whole yet */
    size_t held_size;
} session_t;

static struct {
    transport_t transport;
    bool datagrams;
    bool length_prefix;
    struct sockaddr_storage address;
    socklen_t address_size;
    SSL_CTX *tls;
    const char *psk_identity;
    uint8_t psk[64];
    size_t psk_size;
    int listener;
    session_t *sessions[MAXIMUM_SESSIONS];
    size_t session_count;
    bool silent;
    bool split;
    unsigned long dropping;
    unsigned long losing; /* every so many datagrams one is lost */
    unsigned long datagrams_so_far;
    bool losing_once;
    uint16_t next_message_id;
    uint16_t ping_id;
} peer = {.listener = -1, .next_message_id = 1};

static uint8_t scratch[MAXIMUM_MESSAGE];

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "coap_peer: %s: %s\n", what, strerror(errno));
    ERR_print_errors_fp(stderr);
    exit(1);
}

/* ---- bytes to the transport ---- */

static bool wait_writable(int descriptor)
{
    struct pollfd entry = {.fd = descriptor, .events = POLLOUT};
    return poll(&entry, 1, WRITE_TIMEOUT_MS) == 1;
}

/* Whether the datagram that comes or goes now is lost. */
static bool is_lost(void)
{
    if (peer.losing == 0 || ++peer.datagrams_so_far % peer.losing != 0) {
        return false;
    }
    peer.losing = peer.losing_once ? 0 : peer.losing;
    printf("lost\n");
    return true;
}

/* Writes bytes to the socket itself; a client that has gone is noticed when reading. */
static void write_socket(const session_t *session, const uint8_t *bytes, size_t size)
{
    if (peer.datagrams) {
        if (!is_lost()) {
            (void)sendto(session->descriptor, bytes, size, 0, (const struct sockaddr *)&session->address, session->address_size);
        }
        return;
    }
    size_t done = 0;
    while (done < size) {
        size_t piece = peer.split ? 1 : size - done;
        ssize_t written = send(session->descriptor, bytes + done, piece, MSG_NOSIGNAL);
        if (written > 0) {
            done += (size_t)written;
        } else if (errno != EINTR && (errno != EAGAIN || !wait_writable(session->descriptor))) {
            return;
        }
    }
}

/* What TLS wants to send stands in a memory buffer, so that it can be written one byte at a time, or one record in a datagram. */
static void flush_tls(const session_t *session)
{
    uint8_t bytes[RECORD_SIZE];
    int size;
    if (peer.datagrams) {
        uint8_t *records;
        long left = BIO_get_mem_data(SSL_get_wbio(session->tls), &records);
        while (left >= DTLS_HEADER_SIZE) {
            long record = DTLS_HEADER_SIZE + (records[11] << 8 | records[12]);
            write_socket(session, records, (size_t)record);
            records += record;
            left -= record;
        }
        (void)BIO_reset(SSL_get_wbio(session->tls));
        return;
    }
    while ((size = BIO_read(SSL_get_wbio(session->tls), bytes, sizeof bytes)) > 0) {
        write_socket(session, bytes, (size_t)size);
    }
}

static void write_stream(const session_t *session, const uint8_t *bytes, size_t size)
{
    if (session->tls == NULL) {
        write_socket(session, bytes, size);
        return;
    }
    while (size > 0) {
        /* One call writes one record, as long as it fits. */
        size_t piece = size < RECORD_SIZE ? size : RECORD_SIZE;
        if (!session->established || SSL_write(session->tls, bytes, (int)piece) <= 0) {
            return;
        }
        flush_tls(session);
        bytes += piece;
        size -= piece;
    }
}

static void send_message(const session_t *session, const uint8_t *message, size_t size)
{
    if (peer.length_prefix) {
        uint8_t *frame = malloc(size + 4);
        if (frame == NULL) {
            give_up("malloc");
        }
        uint32_t length = htonl((uint32_t)size);
        memcpy(frame, &length, 4);
        memcpy(frame + 4, message, size);
        write_stream(session, frame, size + 4);
        free(frame);
    } else {
        write_stream(session, message, size);
    }
}

/* ---- CoAP ---- */

static void send_empty(const session_t *session, unsigned type, uint16_t message_id)
{
    uint8_t message[4] = {(uint8_t)(0x40 | type << 4), 0, (uint8_t)(message_id >> 8), (uint8_t)message_id};
    send_message(session, message, sizeof message);
}

/* The size of an option's delta or length; `*at` moves on to behind its extension. */
static size_t option_number(const uint8_t *message, size_t size, size_t *at, unsigned nibble)
{
    if (nibble == 13 && *at < size) {
        return 13u + message[(*at)++];
    }
    if (nibble == 14 && *at + 1 < size) {
        *at += 2;
        return 269u + ((size_t)message[*at - 2] << 8 | message[*at - 1]);
    }
    return nibble;
}

/* Where the payload begins; `size` if there is none. */
static size_t payload_start(const uint8_t *message, size_t size)
{
    size_t at = 4u + (message[0] & 0x0f);
    while (at < size && message[at] != 0xff) {
        unsigned first = message[at++];
        (void)option_number(message, size, &at, first >> 4);
        at += option_number(message, size, &at, first & 0x0f);
    }
    return at < size ? at + 1 : size;
}

/* A request is answered by 2.05 with its own payload. */
static void answer_request(const session_t *session, const uint8_t *message, size_t size)
{
    unsigned type = (message[0] >> 4) & 3;
    size_t header = 4u + (message[0] & 0x0f);
    size_t payload = payload_start(message, size);
    size_t answer_size = header + (payload < size ? 1 + size - payload : 0);
    uint8_t *answer = malloc(answer_size);
    if (answer == NULL) {
        give_up("malloc");
    }
    memcpy(answer, message, header);
    answer[0] = (uint8_t)(0x40 | (type == CONFIRMABLE ? ACKNOWLEDGEMENT : NON_CONFIRMABLE) << 4 | (message[0] & 0x0f));
    answer[1] = 0x45;
    if (type != CONFIRMABLE) {
        answer[2] = (uint8_t)(peer.next_message_id >> 8);
        answer[3] = (uint8_t)peer.next_message_id++;
    }
    if (payload < size) {
        answer[header] = 0xff;
        memcpy(answer + header + 1, message + payload, size - payload);
    }
    send_message(session, answer, answer_size);
    free(answer);
}

static void take_message(const session_t *session, const uint8_t *message, size_t size)
{
    if (size < 4 || message[0] >> 6 != 1 || size < 4u + (message[0] & 0x0f)) {
        printf("malformed size=%zu\n", size);
        return;
    }
    unsigned type = (message[0] >> 4) & 3;
    unsigned code = message[1];
    uint16_t message_id = (uint16_t)(message[2] << 8 | message[3]);
    if (peer.dropping > 0) {
        peer.dropping--;
        printf("dropped type=%u code=%u id=%04x size=%zu\n", type, code, message_id, size);
        return;
    }
    if (code == 0 && type == CONFIRMABLE) {
        printf("ping-received id=%04x\n", message_id);
        send_empty(session, RESET, message_id);
        return;
    }
    if (code == 0 && type == RESET && message_id == peer.ping_id) {
        printf("ping-answered id=%04x\n", message_id);
        return;
    }
    printf("message type=%u code=%u id=%04x size=%zu\n", type, code, message_id, size);
    if (code > 0 && code < 32 && type <= NON_CONFIRMABLE) {
        answer_request(session, message, size);
    } else if (type == CONFIRMABLE) {
        send_empty(session, ACKNOWLEDGEMENT, message_id);
    }
}

/* ---- sessions ---- */

static session_t *new_session(int descriptor, const struct sockaddr_storage *address, socklen_t address_size)
{
    session_t *session = calloc(1, sizeof *session);
    if (session == NULL || peer.session_count == MAXIMUM_SESSIONS) {
        give_up("too many sessions");
    }
    session->descriptor = descriptor;
    session->address = *address;
    session->address_size = address_size;
    session->established = true;
    peer.sessions[peer.session_count++] = session;
    const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)address;
    printf("accepted from=%u\n", ntohs(address->ss_family == AF_INET ? ipv4->sin_port : ipv6->sin6_port));
    return session;
}

static void end_session(session_t *session, const char *reason)
{
    for (size_t index = 0; index < peer.session_count; index++) {
        if (peer.sessions[index] == session) {
            peer.sessions[index] = peer.sessions[--peer.session_count];
        }
    }
    printf("%s\n", reason);
    SSL_free(session->tls);
    if (!peer.datagrams) {
        close(session->descriptor);
    }
    free(session->held);
    free(session);
}

static void prepare_session(session_t *session, BIO *input)
{
    BIO *output = BIO_new(BIO_s_mem());
    session->established = false;
    session->tls = SSL_new(peer.tls);
    if (session->tls == NULL || input == NULL || output == NULL) {
        give_up("SSL_new");
    }
    SSL_set_bio(session->tls, input, output);
    SSL_set_accept_state(session->tls);
    if (peer.datagrams) {
        SSL_set_options(session->tls, SSL_OP_NO_QUERY_MTU);
        (void)SSL_set_mtu(session->tls, DATAGRAM_SIZE);
    }
}

static void accept_session(void)
{
    struct sockaddr_storage address;
    socklen_t address_size = sizeof address;
    int descriptor = accept4(peer.listener, (struct sockaddr *)&address, &address_size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) {
        return;
    }
    int on = 1;
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    session_t *session = new_session(descriptor, &address, address_size);
    if (peer.transport == TRANSPORT_TLS) {
        prepare_session(session, BIO_new_socket(descriptor, BIO_NOCLOSE));
    }
}

/* Takes what came in over a stream with length prefixes. */
static void take_stream(session_t *session, const uint8_t *bytes, size_t size)
{
    session->held = realloc(session->held, session->held_size + size + 1);
    if (session->held == NULL) {
        give_up("realloc");
    }
    memcpy(session->held + session->held_size, bytes, size);
    session->held_size += size;
    size_t at = 0;
    while (session->held_size - at >= 4) {
        uint32_t length;
        memcpy(&length, session->held + at, 4);
        length = ntohl(length);
        if (length > session->held_size - at - 4) {
            break;
        }
        take_message(session, session->held + at + 4, length);
        at += 4 + (size_t)length;
    }
    session->held_size -= at;
    memmove(session->held, session->held + at, session->held_size);
}

/* Reads what there is; false when the session has ended. */
static bool read_tls(session_t *session)
{
    if (!session->established) {
        int result = SSL_do_handshake(session->tls);
        flush_tls(session);
        if (result != 1) {
            if (SSL_get_error(session->tls, result) == SSL_ERROR_WANT_READ) {
                return true;
            }
            char text[256];
            ERR_error_string_n(ERR_peek_last_error(), text, sizeof text);
            ERR_clear_error();
            printf("handshake-failed %s\n", text);
            return false;
        }
        session->established = true;
        const char *name = SSL_get_servername(session->tls, TLSEXT_NAMETYPE_host_name);
        printf("handshake version=%s cipher=%s name=%s client-certificate=%s resumed=%s\n", SSL_get_version(session->tls),
               SSL_get_cipher_name(session->tls), name != NULL ? name : "-",
               SSL_get0_peer_certificate(session->tls) != NULL ? "yes" : "no", SSL_session_reused(session->tls) ? "yes" : "no");
    }
    for (;;) {
        /* One call gives the content of one record. */
        int size = SSL_read(session->tls, scratch, sizeof scratch);
        if (size <= 0) {
            bool open = SSL_get_error(session->tls, size) == SSL_ERROR_WANT_READ;
            if (SSL_get_shutdown(session->tls) & SSL_RECEIVED_SHUTDOWN) {
                printf("close-notify\n");
            }
            ERR_clear_error();
            flush_tls(session);
            return open;
        }
        if (peer.length_prefix) {
            take_stream(session, scratch, (size_t)size);
        } else {
            take_message(session, scratch, (size_t)size);
        }
    }
}

static bool read_tcp(session_t *session)
{
    for (;;) {
        ssize_t size = recv(session->descriptor, scratch, sizeof scratch, 0);
        if (size <= 0) {
            return size < 0 && (errno == EAGAIN || errno == EINTR);
        }
        take_stream(session, scratch, (size_t)size);
    }
}

static void read_datagram(void)
{
    struct sockaddr_storage address = {0};
    socklen_t address_size = sizeof address;
    ssize_t size = recvfrom(peer.listener, scratch, sizeof scratch, 0, (struct sockaddr *)&address, &address_size);
    if (size < 0 || is_lost()) {
        return;
    }
    session_t *session = NULL;
    for (size_t index = 0; index < peer.session_count; index++) {
        if (memcmp(&peer.sessions[index]->address, &address, address_size) == 0) {
            session = peer.sessions[index];
        }
    }
    if (session == NULL) {
        session = new_session(peer.listener, &address, address_size);
        if (peer.transport == TRANSPORT_DTLS) {
            prepare_session(session, BIO_new(BIO_s_mem()));
        }
    }
    if (session->tls == NULL) {
        take_message(session, scratch, (size_t)size);
        return;
    }
    (void)BIO_reset(SSL_get_rbio(session->tls));
    (void)BIO_write(SSL_get_rbio(session->tls), scratch, (int)size);
    if (!read_tls(session)) {
        end_session(session, "closed-by-client");
    }
}

/* How long until DTLS may have to send again, in milliseconds; -1: nothing waits for that. */
static int until_retransmission(void)
{
    int wait = -1;
    for (size_t index = 0; index < peer.session_count; index++) {
        struct timeval left;
        if (peer.transport == TRANSPORT_DTLS && DTLSv1_get_timeout(peer.sessions[index]->tls, &left) == 1) {
            int milliseconds = (int)(left.tv_sec * 1000 + left.tv_usec / 1000 + 1);
            wait = wait < 0 || milliseconds < wait ? milliseconds : wait;
        }
    }
    return wait;
}

/* Sends again what a client may not have got. */
static void retransmit(void)
{
    for (size_t index = 0; peer.transport == TRANSPORT_DTLS && index < peer.session_count; index++) {
        if (DTLSv1_handle_timeout(peer.sessions[index]->tls) > 0) {
            flush_tls(peer.sessions[index]);
        }
        ERR_clear_error();
    }
}

/* ---- listening ---- */

static void start_listening(void)
{
    int type = peer.datagrams ? SOCK_DGRAM : SOCK_STREAM;
    int on = 1;
    if (peer.listener >= 0) {
        return;
    }
    peer.listener = socket(peer.address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)setsockopt(peer.listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(peer.listener, (struct sockaddr *)&peer.address, peer.address_size) != 0) {
        give_up("bind");
    }
    if (type == SOCK_STREAM && listen(peer.listener, 512) != 0) {
        give_up("listen");
    }
    /* The port stays the same when it listens again. */
    socklen_t size = sizeof peer.address;
    if (getsockname(peer.listener, (struct sockaddr *)&peer.address, &size) != 0) {
        give_up("getsockname");
    }
}

static void stop_listening(void)
{
    while (peer.datagrams && peer.session_count > 0) {
        end_session(peer.sessions[0], "forgotten");
    }
    if (peer.listener >= 0) {
        close(peer.listener);
    }
    peer.listener = -1;
}

/* ---- commands ---- */

static size_t from_hexadecimal(const char *text, uint8_t *bytes, size_t room)
{
    size_t size = 0;
    for (; text[0] != '\0' && text[1] != '\0' && size < room; text += 2) {
        char digits[3] = {text[0], text[1], '\0'};
        bytes[size++] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return size;
}

static void close_all(bool by_reset)
{
    while (peer.session_count > 0) {
        session_t *session = peer.sessions[0];
        if (by_reset && !peer.datagrams) {
            struct linger linger = {.l_onoff = 1, .l_linger = 0};
            (void)setsockopt(session->descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        } else if (!by_reset && session->tls != NULL && session->established) {
            (void)SSL_shutdown(session->tls);
            flush_tls(session);
        }
        end_session(session, by_reset ? "reset" : "closed");
    }
}

static size_t oversize_message(size_t size)
{
    static const uint8_t header[] = {0x50, 0x45, 0, 1, 0xff};
    size = size > sizeof scratch ? sizeof scratch : size;
    memset(scratch, 'o', size);
    memcpy(scratch, header, size < sizeof header ? size : sizeof header);
    return size;
}

static size_t random_bytes(size_t size)
{
    size = size > sizeof scratch ? sizeof scratch : size;
    for (size_t index = 0; index < size; index++) {
        scratch[index] = (uint8_t)random();
    }
    return size;
}

static void run_command(char *line)
{
    char *argument = strchr(line, ' ');
    argument = argument != NULL ? argument + 1 : line + strlen(line);
    unsigned long number = strtoul(argument, NULL, 10);
    size_t length = strcspn(line, " ");
#define IS(name) (length == strlen(name) && strncmp(line, name, length) == 0)
    if (IS("silent") || IS("answer")) {
        peer.silent = IS("silent");
    } else if (IS("drop")) {
        peer.dropping = number;
    } else if (IS("lose") || IS("lose-one")) {
        peer.losing = number;
        peer.losing_once = IS("lose-one");
        peer.datagrams_so_far = 0;
    } else if (IS("split") || IS("whole")) {
        peer.split = IS("split");
    } else if (IS("close") || IS("reset")) {
        close_all(IS("reset"));
    } else if (IS("listen")) {
        start_listening();
    } else if (IS("stop-listening")) {
        stop_listening();
    } else if (IS("quit")) {
        exit(0);
    } else if (IS("send") || IS("renegotiate") || IS("raw") || IS("garbage") || IS("garbage-and-close") || IS("oversize") || IS("ping")) {
        size_t size = IS("garbage") || IS("garbage-and-close") ? random_bytes(number)
                      : IS("oversize")                         ? oversize_message(number)
                                                               : from_hexadecimal(argument, scratch, sizeof scratch);
        peer.ping_id = IS("ping") ? peer.next_message_id++ : peer.ping_id;
        for (size_t index = 0; index < peer.session_count; index++) {
            const session_t *session = peer.sessions[index];
            if (IS("ping")) {
                send_empty(session, CONFIRMABLE, peer.ping_id);
            } else if (IS("send") || IS("renegotiate") || IS("oversize")) {
                if (IS("renegotiate") && (SSL_renegotiate(session->tls) != 1 || SSL_do_handshake(session->tls) != 1)) {
                    give_up("SSL_renegotiate");
                }
                send_message(session, scratch, size);
            } else if (IS("raw") || peer.transport == TRANSPORT_UDP) {
                write_socket(session, scratch, size);
            } else {
                write_stream(session, scratch, size);
            }
        }
        if (IS("garbage-and-close")) {
            close_all(false);
        }
    } else {
        printf("unknown %s\n", line);
        return;
    }
#undef IS
    printf("done %.*s\n", (int)length, line);
}

/* ---- start ---- */

static unsigned int find_psk(SSL *tls, const char *identity, unsigned char *key, unsigned int room)
{
    (void)tls;
    if (identity == NULL || strcmp(identity, peer.psk_identity) != 0 || peer.psk_size > room) {
        return 0;
    }
    memcpy(key, peer.psk, peer.psk_size);
    return (unsigned int)peer.psk_size;
}

static void prepare_tls(const char *certificate, const char *key, const char *client_ca, const char *version)
{
    static const uint8_t session_context[] = "coap_peer";
    peer.tls = SSL_CTX_new(peer.datagrams ? DTLS_server_method() : TLS_server_method());
    if (peer.tls == NULL || SSL_CTX_set_cipher_list(peer.tls, "ALL:@SECLEVEL=0") != 1) {
        give_up("SSL_CTX_new");
    }
    SSL_CTX_set_session_id_context(peer.tls, session_context, sizeof session_context);
    if (version != NULL) {
        int number = peer.datagrams ? (strcmp(version, "1.2") == 0 ? DTLS1_2_VERSION : DTLS1_VERSION)
                                    : (strcmp(version, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
        SSL_CTX_set_min_proto_version(peer.tls, number);
        SSL_CTX_set_max_proto_version(peer.tls, number);
    }
    if (certificate != NULL
        && (SSL_CTX_use_certificate_chain_file(peer.tls, certificate) != 1
            || SSL_CTX_use_PrivateKey_file(peer.tls, key, SSL_FILETYPE_PEM) != 1)) {
        give_up(certificate);
    }
    if (client_ca != NULL) {
        if (SSL_CTX_load_verify_locations(peer.tls, client_ca, NULL) != 1) {
            give_up(client_ca);
        }
        SSL_CTX_set_verify(peer.tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    if (peer.psk_identity != NULL) {
        SSL_CTX_set_psk_server_callback(peer.tls, find_psk);
    }
}

static void read_arguments(int count, char **arguments)
{
    const char *address = "127.0.0.1";
    const char *certificate = NULL;
    const char *key = NULL;
    const char *client_ca = NULL;
    const char *version = NULL;
    uint16_t port = 0;
    for (int index = 1; index < count; index++) {
        const char *option = arguments[index];
        static const char *const transports[] = {"--udp", "--tcp", "--tls", "--dtls"};
        size_t transport = 0;
        while (transport < sizeof transports / sizeof transports[0] && strcmp(option, transports[transport]) != 0) {
            transport++;
        }
        if (transport < sizeof transports / sizeof transports[0]) {
            peer.transport = (transport_t)transport;
            peer.datagrams = peer.transport == TRANSPORT_UDP || peer.transport == TRANSPORT_DTLS;
            peer.length_prefix = peer.length_prefix || peer.transport == TRANSPORT_TCP;
            continue;
        }
        if (strcmp(option, "--length-prefix") == 0) {
            peer.length_prefix = true;
            continue;
        }
        if (index + 1 == count) {
            errno = EINVAL;
            give_up(option);
        }
        const char *value = arguments[++index];
        if (strcmp(option, "--address") == 0) {
            address = value;
        } else if (strcmp(option, "--port") == 0) {
            port = (uint16_t)strtoul(value, NULL, 10);
        } else if (strcmp(option, "--certificate") == 0) {
            certificate = value;
        } else if (strcmp(option, "--key") == 0) {
            key = value;
        } else if (strcmp(option, "--client-ca") == 0) {
            client_ca = value;
        } else if (strcmp(option, "--psk-identity") == 0) {
            peer.psk_identity = value;
        } else if (strcmp(option, "--psk") == 0) {
            peer.psk_size = from_hexadecimal(value, peer.psk, sizeof peer.psk);
        } else if (strcmp(option, "--version") == 0) {
            version = value;
        } else {
            errno = EINVAL;
            give_up(option);
        }
    }
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)&peer.address;
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&peer.address;
    if (inet_pton(AF_INET, address, &ipv4->sin_addr) == 1) {
        ipv4->sin_family = AF_INET;
        ipv4->sin_port = htons(port);
        peer.address_size = sizeof *ipv4;
    } else if (inet_pton(AF_INET6, address, &ipv6->sin6_addr) == 1) {
        ipv6->sin6_family = AF_INET6;
        ipv6->sin6_port = htons(port);
        peer.address_size = sizeof *ipv6;
    } else {
        errno = EINVAL;
        give_up(address);
    }
    if (peer.transport == TRANSPORT_TLS || peer.transport == TRANSPORT_DTLS) {
        prepare_tls(certificate, key, client_ca, version);
    }
}

int main(int count, char **arguments)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    srandom(1);
    read_arguments(count, arguments);
    start_listening();
    const struct sockaddr_in *address = (const struct sockaddr_in *)&peer.address;
    printf("listening %u\n", ntohs(address->sin_port));

    for (;;) {
        static struct pollfd entries[2 + MAXIMUM_SESSIONS];
        static session_t *polled[MAXIMUM_SESSIONS];
        size_t session_count = peer.datagrams ? 0 : peer.session_count;
        entries[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
        entries[1] = (struct pollfd){.fd = peer.silent ? -1 : peer.listener, .events = POLLIN};
        for (size_t index = 0; index < session_count; index++) {
            polled[index] = peer.sessions[index];
            entries[2 + index] = (struct pollfd){.fd = peer.silent ? -1 : polled[index]->descriptor, .events = POLLIN};
        }
        if (poll(entries, 2 + session_count, peer.silent ? -1 : until_retransmission()) < 0) {
            continue;
        }
        if (!peer.silent) {
            retransmit();
            for (size_t index = 0; index < session_count; index++) {
                session_t *session = polled[index];
                if (entries[2 + index].revents != 0 && !(session->tls != NULL ? read_tls(session) : read_tcp(session))) {
                    end_session(session, "closed-by-client");
                }
            }
            if (entries[1].revents != 0) {
                if (peer.datagrams) {
                    read_datagram();
                } else {
                    accept_session();
                }
            }
        }
        if (entries[0].revents != 0 && !read_commands(run_command)) {
            return 0;
        }
    }
}
