/* mbedtls_server: a TLS 1.2 and DTLS 1.2 server as the device management service has one, for the C tests of the PAL.
 *
 *   mbedtls_server --tls | --dtls  [--address 127.0.0.1] [--port 0]
 *                  [--certificate FILE --key FILE] [--client-ca FILE] [--psk-identity TEXT --psk HEX]
 *                  [--suites HEX,HEX...] [--time now|random|SECONDS] [--cache] [--tickets]
 *                  [--no-cookies] [--cid-length N] [--no-rebind] [--alert] [--retransmit MILLISECONDS]
 *
 * --suites: IANA numbers; without it C0AE (ECDHE-ECDSA-AES128-CCM-8) if there is a certificate, C0A8 (PSK-AES128-CCM-8) if there is a PSK.
 * --time: the first four bytes of ServerHello.random. --cache, --tickets: sessions are resumed by their ID, by ticket.
 * --cid-length: of the Connection ID that the server asks for (8; 0: none). --no-rebind: answers stay with the old address.
 * --alert: a DTLS record of no known session is answered with a fatal alert. --retransmit: when a DTLS flight is first repeated (1000).
 *
 * Two programs are made of this source. `mbedtls_server` has Debian's Mbed TLS 2.28, whose build knows no Connection ID: there
 * --cid-length is 0. `mbedtls_cid_server` has Mbed TLS 3.6 with the draft's Connection ID (extension 254).
 *
 * Each record is echoed as one record; an Empty Confirmable message of CoAP is answered by its Reset instead.
 * One line of standard input is one command, and `done COMMAND` follows it on standard output, where each event has its line too.
 * It ends with the command `quit`, with its standard input, or with its parent.
 *
 *   silent           reads nothing, answers nothing, accepts nothing; connections stay open
 *   answer           the opposite, and what it begins with
 *   mute, echo       reads records without echoing them, or echoes them again
 *   close            ends all sessions with close_notify
 *   drop             ends all sessions without it
 *   reset            ends all sessions, TCP by a reset
 *   alert N          ends all sessions with this fatal alert
 *   refuse N         answers each ClientHello with this fatal alert; 0: no more
 *   send HEX         sends these bytes as one record to each session
 *   burst N SIZE     sends N records of SIZE bytes at once, each filled with the low byte of its index
 *   raw HEX          writes these bytes below the records
 *   garbage N        writes N random bytes below the records
 *   garbage-from-elsewhere N SIZE  sends each DTLS client N datagrams of random bytes from another port
 *   fragment N       handshake messages go in records (DTLS: datagrams) of N bytes at most; 0: whole
 *   loss N           loses one of each N datagrams that come and one of each N that go; 0: none
 *   forget           forgets all DTLS sessions, as a server that starts again
 *   keys             tells the master secret and the key block of each session
 *   quit
 *
 * Events, each with ` from=PORT` of the client at its end:
 *
 *   accepted                          a TCP connection
 *   name TEXT, psk-identity TEXT      what the client's handshake said
 *   client-certificate SUBJECT, client-chain NUMBER_OF_CERTIFICATES
 *   resumed-by session-id|ticket
 *   cid HEX, client-cid HEX           the Connection IDs that the client and the server have to use
 *   connected SUITE full|resumed      the handshake is done; the lines above come before it
 *   record SIZE, ping-received id=HEX
 *   rebound                           a DTLS session has a new address
 *   close-notify, closed-by-client, reset-by-client, alert N    how the client ended it
 *   handshake-failed CODE [verify=FLAGS], failed CODE           how Mbed TLS ended it
 *   closed, dropped, reset, alerted, refused, forgotten         how a command ended it
 *   replaced                          the same DTLS client made a new session
 *   unknown-session SIZE, unauthenticated SIZE, lost in|out SIZE   of a datagram
 *                                     (also of what a client still sends to a session that has ended)
 *   too-large SIZE                    a record was not sent
 *   keys master=HEX block=HEX         the block: the client's key, the server's key, the client's IV, the server's IV
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
/* The state of the handshake is public in 2.28 and behind this in 3.6. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include "commands.h"

#include <arpa/inet.h>
#include <errno.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_cache.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <mbedtls/ssl_cookie.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/version.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#if defined(MBEDTLS_SSL_DTLS_CONNECTION_ID)
enum { DEFAULT_CID_LENGTH = 8, MAXIMUM_CID_LENGTH = MBEDTLS_SSL_CID_IN_LEN_MAX, MAXIMUM_CLIENT_CID_LENGTH = MBEDTLS_SSL_CID_OUT_LEN_MAX };
#else
enum { DEFAULT_CID_LENGTH = 0, MAXIMUM_CID_LENGTH = 0 };
#endif

enum { MAXIMUM_SESSIONS = 1024, MAXIMUM_SUITES = 32, WRITE_TIMEOUT_MS = 10000 };
enum { RECORD_SIZE = 16384, DATAGRAM_SIZE = 65535 };
enum { TLS_HEADER_SIZE = 5, DTLS_HEADER_SIZE = 13, DTLS_CID_OFFSET = 11, TLS12_CID_RECORD = 25, CLIENT_HELLO = 1 };
enum { MASTER_SECRET_SIZE = 48, MAXIMUM_KEY_BLOCK = 256, RANDOM_SIZE = 32 };

typedef struct {
    uint64_t intermediate; /* milliseconds of the monotonic clock */
    uint64_t final;        /* 0: no timer */
} timer_state_t;

typedef struct {
    mbedtls_ssl_context tls;
    int descriptor; /* of the TCP connection; for DTLS the listener's */
    struct sockaddr_storage address;
    socklen_t address_size;
    bool established;
    bool full;      /* the handshake made new keys */
    bool by_ticket; /* a ticket of this client was good */
    bool ended;     /* to be freed when nobody looks at it any more */
    timer_state_t timer;
    const uint8_t *datagram; /* what DTLS reads next */
    size_t datagram_size;
    uint8_t *queue; /* what TCP could not take yet */
    size_t queue_size;
    bool encrypts; /* ChangeCipherSpec was sent */
    uint8_t name[256];
    size_t name_size;
    uint8_t cid[32];
    size_t cid_size; /* 0: the session is known by its address alone */
    uint8_t master[MASTER_SECRET_SIZE];
    uint8_t key_block[MAXIMUM_KEY_BLOCK];
    size_t key_block_size;
} session_t;

typedef struct {
    unsigned long count; /* of the datagrams since the last block began */
    unsigned long lost;  /* which one of this block */
} loss_t;

typedef enum { TIME_NOW, TIME_RANDOM, TIME_FIXED } server_time_t;

static struct {
    bool datagrams;
    struct sockaddr_storage address;
    socklen_t address_size;
    const char *certificate_file;
    const char *key_file;
    const char *client_ca_file;
    const char *psk_identity;
    uint8_t psk[MBEDTLS_PSK_MAX_LEN];
    size_t psk_size;
    int suites[MAXIMUM_SUITES + 1];
    size_t suite_count;
    server_time_t time;
    uint32_t fixed_time;
    bool cache;
    bool tickets;
    bool no_cookies;
    bool no_rebind;
    bool alert_unknown;
    unsigned long cid_length;
    unsigned long retransmit_ms;
} options = {.cid_length = DEFAULT_CID_LENGTH, .retransmit_ms = 1000};

static struct {
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_ssl_config configuration;
    mbedtls_x509_crt certificate;
    mbedtls_pk_context key;
    mbedtls_x509_crt client_ca;
    mbedtls_ssl_cache_context cache;
    mbedtls_ssl_ticket_context tickets;
    mbedtls_ssl_cookie_ctx cookies;
    int listener;
    session_t *sessions[MAXIMUM_SESSIONS]; /* in the order in which they began */
    size_t session_count;
    session_t *current; /* whose handshake is at work: not every callback is told */
    bool next_time_is_sent;
    bool silent;
    bool mute;
    uint8_t refusal;
    size_t fragment;
    unsigned long loss;
    loss_t incoming;
    loss_t outgoing;
} server = {.listener = -1};

static uint8_t scratch[DATAGRAM_SIZE];

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "mbedtls_server: %s: %s\n", what, strerror(errno));
    exit(1);
}

static _Noreturn void give_up_with(const char *what, int code)
{
    fprintf(stderr, "mbedtls_server: %s: Mbed TLS gives -0x%04x\n", what, (unsigned)-code);
    exit(1);
}

__attribute__((format(printf, 1, 2))) static _Noreturn void refuse_arguments(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("mbedtls_server: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs(".\n", stderr);
    va_end(arguments);
    exit(2);
}

/* ---- time ---- */

/* Mbed TLS asks the C library's time() for the ServerHello, and neither version can be told another function. This one goes before
 * the C library's, also for shared libraries, and tells the truth except where the next call is known to be for the ServerHello. */
time_t time(time_t *result)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    time_t value = now.tv_sec;
    if (server.next_time_is_sent) {
        server.next_time_is_sent = false;
        if (options.time == TIME_FIXED) {
            value = (time_t)options.fixed_time;
        } else if (options.time == TIME_RANDOM) {
            uint32_t random = 0;
            if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) {
                give_up("getrandom");
            }
            value = (time_t)random;
        }
    }
    if (result != NULL) {
        *result = value;
    }
    return value;
}

static uint64_t milliseconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void set_timer(void *context, uint32_t intermediate_ms, uint32_t final_ms)
{
    timer_state_t *timer = context;
    uint64_t now = milliseconds_now();
    timer->intermediate = now + intermediate_ms;
    timer->final = final_ms == 0 ? 0 : now + final_ms;
}

static int get_timer(void *context)
{
    const timer_state_t *timer = context;
    uint64_t now = milliseconds_now();
    if (timer->final == 0) {
        return -1;
    }
    return now >= timer->final ? 2 : now >= timer->intermediate ? 1 : 0;
}

/* ---- events ---- */

static unsigned port_of(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)address;
    return ntohs(address->ss_family == AF_INET ? ipv4->sin_port : ipv6->sin6_port);
}

__attribute__((format(printf, 2, 3))) static void tell(const struct sockaddr_storage *from, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf(" from=%u\n", port_of(from));
}

/* What a client sent may hold anything, and an event is one line. */
static void tell_text(const session_t *session, const char *event, const uint8_t *text, size_t size)
{
    printf("%s ", event);
    for (size_t index = 0; index < size; index++) {
        putchar(text[index] >= 0x20 && text[index] < 0x7f ? text[index] : '?');
    }
    printf(" from=%u\n", port_of(&session->address));
}

static void print_hexadecimal(const char *before, const uint8_t *bytes, size_t size)
{
    fputs(before, stdout);
    for (size_t index = 0; index < size; index++) {
        printf("%02x", bytes[index]);
    }
}

#if defined(MBEDTLS_SSL_DTLS_CONNECTION_ID)
static void tell_cid(const session_t *session, const char *event, const uint8_t *cid, size_t size)
{
    print_hexadecimal(event, cid, size);
    printf(" from=%u\n", port_of(&session->address));
}
#endif

/* ---- bytes to and from the transport ---- */

/* One of each N, by a fixed sequence that never falls into step with a flight that is repeated. */
static bool is_lost(loss_t *state)
{
    if (server.loss == 0) {
        return false;
    }
    if (state->count == 0) {
        state->lost = (unsigned long)random() % server.loss;
    }
    bool lost = state->count == state->lost;
    state->count = (state->count + 1) % server.loss;
    return lost;
}

static void send_datagram(const struct sockaddr_storage *address, socklen_t address_size, const uint8_t *bytes, size_t size)
{
    if (is_lost(&server.outgoing)) {
        tell(address, "lost out %zu", size);
        return;
    }
    /* What the socket does not take is lost, as on any network. */
    (void)sendto(server.listener, bytes, size, 0, (const struct sockaddr *)address, address_size);
}

static void queue_bytes(session_t *session, const uint8_t *bytes, size_t size)
{
    session->queue = realloc(session->queue, session->queue_size + size + 1);
    if (session->queue == NULL) {
        give_up("realloc");
    }
    memcpy(session->queue + session->queue_size, bytes, size);
    session->queue_size += size;
}

/* Writes what TCP takes; a client that has gone is noticed when reading. */
static void flush_queue(session_t *session)
{
    size_t done = 0;
    while (done < session->queue_size) {
        ssize_t written = send(session->descriptor, session->queue + done, session->queue_size - done, MSG_NOSIGNAL);
        if (written > 0) {
            done += (size_t)written;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            done = session->queue_size;
        }
    }
    session->queue_size -= done;
    if (done > 0 && session->queue_size > 0) {
        memmove(session->queue, session->queue + done, session->queue_size);
    }
}

/* Before a connection ends, its last record has to be out. */
static void flush_queue_whole(session_t *session)
{
    struct pollfd entry = {.fd = session->descriptor, .events = POLLOUT};
    flush_queue(session);
    while (session->queue_size > 0 && poll(&entry, 1, WRITE_TIMEOUT_MS) == 1) {
        flush_queue(session);
    }
}

/* Neither version of Mbed TLS splits handshake messages over TLS records. As long as records are plain it can be done here. */
static void queue_record_in_pieces(session_t *session, const uint8_t *record, size_t size)
{
    const uint8_t *content = record + TLS_HEADER_SIZE;
    size_t left = size - TLS_HEADER_SIZE;
    while (left > 0) {
        size_t piece = left < server.fragment ? left : server.fragment;
        uint8_t header[TLS_HEADER_SIZE] = {record[0], record[1], record[2], (uint8_t)(piece >> 8), (uint8_t)piece};
        queue_bytes(session, header, sizeof header);
        queue_bytes(session, content, piece);
        content += piece;
        left -= piece;
    }
}

/* Takes one record for TLS, one datagram for DTLS. */
static int send_bytes(void *context, const unsigned char *bytes, size_t size)
{
    session_t *session = context;
    if (options.datagrams) {
        send_datagram(&session->address, session->address_size, bytes, size);
        return (int)size;
    }
    session->encrypts = session->encrypts || bytes[0] == MBEDTLS_SSL_MSG_CHANGE_CIPHER_SPEC;
    if (server.fragment > 0 && !session->encrypts && bytes[0] == MBEDTLS_SSL_MSG_HANDSHAKE && size > TLS_HEADER_SIZE) {
        queue_record_in_pieces(session, bytes, size);
    } else {
        queue_bytes(session, bytes, size);
    }
    return (int)size;
}

static int receive_bytes(void *context, unsigned char *bytes, size_t room)
{
    session_t *session = context;
    if (options.datagrams) {
        size_t size = session->datagram_size < room ? session->datagram_size : room;
        if (size == 0) {
            return MBEDTLS_ERR_SSL_WANT_READ;
        }
        memcpy(bytes, session->datagram, size);
        session->datagram_size = 0;
        return (int)size;
    }
    ssize_t size = recv(session->descriptor, bytes, room, 0);
    if (size >= 0) {
        return (int)size;
    }
    return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_NET_CONN_RESET;
}

/* ---- what the handshake asks for ---- */

static int write_cookie(void *context, unsigned char **at, unsigned char *end, const unsigned char *client, size_t client_size)
{
    /* In place of the ServerHello comes a HelloVerifyRequest, and the time that is asked for is that of the cookie. The client will
     * say its name once more. */
    server.next_time_is_sent = false;
    server.current->name_size = 0;
    return mbedtls_ssl_cookie_write(context, at, end, client, client_size);
}

static int read_ticket(void *context, mbedtls_ssl_session *session, unsigned char *ticket, size_t size)
{
    int code = mbedtls_ssl_ticket_parse(context, session, ticket, size);
    server.current->by_ticket = code == 0;
    return code;
}

static int find_psk(void *context, mbedtls_ssl_context *tls, const unsigned char *identity, size_t size)
{
    (void)context;
    tell_text(server.current, "psk-identity", identity, size);
    if (size != strlen(options.psk_identity) || memcmp(identity, options.psk_identity, size) != 0) {
        return -1;
    }
    return mbedtls_ssl_set_hs_psk(tls, options.psk, options.psk_size);
}

static int take_name(void *context, mbedtls_ssl_context *tls, const unsigned char *name, size_t size)
{
    (void)context;
    (void)tls;
    session_t *session = server.current;
    session->name_size = size < sizeof session->name ? size : sizeof session->name;
    memcpy(session->name, name, session->name_size);
    return 0;
}

#if MBEDTLS_VERSION_NUMBER >= 0x03000000
static void take_keys(void *context, mbedtls_ssl_key_export_type type, const unsigned char *secret, size_t secret_size,
                      const unsigned char client_random[RANDOM_SIZE], const unsigned char server_random[RANDOM_SIZE],
                      mbedtls_tls_prf_types function)
{
    /* 3.6 gives the master secret alone: the key block is derived from it once more. All suites of this build are AEAD with four
     * bytes of IV. */
    session_t *session = context;
    const mbedtls_ssl_session *negotiated = session->tls.session_negotiate;
    const mbedtls_ssl_ciphersuite_t *suite = mbedtls_ssl_ciphersuite_from_id(mbedtls_ssl_session_get_ciphersuite_id(negotiated));
    uint8_t random[2 * RANDOM_SIZE];
    (void)type;
    memcpy(random, server_random, RANDOM_SIZE);
    memcpy(random + RANDOM_SIZE, client_random, RANDOM_SIZE);
    memcpy(session->master, secret, secret_size < sizeof session->master ? secret_size : sizeof session->master);
    session->key_block_size = 2 * (mbedtls_ssl_ciphersuite_get_cipher_key_bitlen(suite) / 8 + 4);
    int code = mbedtls_ssl_tls_prf(function, secret, secret_size, "key expansion", random, sizeof random, session->key_block,
                                   session->key_block_size);
    if (code != 0) {
        give_up_with("mbedtls_ssl_tls_prf", code);
    }
}
#else
static int take_keys(void *context, const unsigned char *master, const unsigned char *block, size_t mac_size, size_t key_size,
                     size_t iv_size, const unsigned char client_random[RANDOM_SIZE], const unsigned char server_random[RANDOM_SIZE],
                     mbedtls_tls_prf_types function)
{
    session_t *session = server.current;
    size_t size = 2 * (mac_size + key_size + iv_size);
    (void)context;
    (void)client_random;
    (void)server_random;
    (void)function;
    memcpy(session->master, master, sizeof session->master);
    session->key_block_size = size < sizeof session->key_block ? size : sizeof session->key_block;
    memcpy(session->key_block, block, session->key_block_size);
    return 0;
}
#endif

/* ---- sessions ---- */

static session_t *new_session(int descriptor, const struct sockaddr_storage *address, socklen_t address_size)
{
    session_t *session = calloc(1, sizeof *session);
    if (session == NULL || server.session_count == MAXIMUM_SESSIONS) {
        give_up("too many sessions");
    }
    session->descriptor = descriptor;
    session->address = *address;
    session->address_size = address_size;
    mbedtls_ssl_init(&session->tls);
    int code = mbedtls_ssl_setup(&session->tls, &server.configuration);
    if (code == 0 && options.datagrams) {
        code = mbedtls_ssl_set_client_transport_id(&session->tls, (const unsigned char *)address, address_size);
        mbedtls_ssl_set_timer_cb(&session->tls, &session->timer, set_timer, get_timer);
        mbedtls_ssl_set_mtu(&session->tls, (uint16_t)server.fragment);
    }
#if defined(MBEDTLS_SSL_DTLS_CONNECTION_ID)
    if (code == 0 && options.datagrams && options.cid_length > 0) {
        session->cid_size = options.cid_length;
        code = mbedtls_ctr_drbg_random(&server.random, session->cid, session->cid_size);
        if (code == 0) {
            code = mbedtls_ssl_set_cid(&session->tls, MBEDTLS_SSL_CID_ENABLED, session->cid, session->cid_size);
        }
    }
#endif
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    mbedtls_ssl_set_export_keys_cb(&session->tls, take_keys, session);
#endif
    if (code != 0) {
        give_up_with("mbedtls_ssl_setup", code);
    }
    mbedtls_ssl_set_bio(&session->tls, session, send_bytes, receive_bytes, NULL);
    server.sessions[server.session_count++] = session;
    return session;
}

/* Its place is freed later: the caller may be in the middle of it. */
static void end_session(session_t *session, const char *reason)
{
    session->ended = true;
    if (reason != NULL) {
        tell(&session->address, "%s", reason);
    }
}

static void free_ended_sessions(void)
{
    size_t kept = 0;
    for (size_t index = 0; index < server.session_count; index++) {
        session_t *session = server.sessions[index];
        if (!session->ended) {
            server.sessions[kept++] = session;
            continue;
        }
        if (!options.datagrams) {
            flush_queue_whole(session);
            /* Unread bytes would make a reset of the close, and a reset may overtake the last record. */
            while (recv(session->descriptor, scratch, sizeof scratch, MSG_DONTWAIT) > 0) {
            }
            close(session->descriptor);
        }
        mbedtls_ssl_free(&session->tls);
        free(session->queue);
        free(session);
    }
    server.session_count = kept;
}

static void send_record(session_t *session, const uint8_t *bytes, size_t size)
{
    size_t done = 0;
    do {
        int written = mbedtls_ssl_write(&session->tls, bytes + done, size - done);
        if (written < 0) {
            tell(&session->address, "too-large %zu", size);
            return;
        }
        done += (size_t)written;
    } while (done < size);
}

static void take_record(session_t *session, const uint8_t *bytes, size_t size)
{
    tell(&session->address, "record %zu", size);
    if (server.mute) {
        return;
    }
    if (size == 4 && bytes[0] == 0x40 && bytes[1] == 0) {
        const uint8_t reset[4] = {0x70, 0, bytes[2], bytes[3]};
        tell(&session->address, "ping-received id=%02x%02x", bytes[2], bytes[3]);
        send_record(session, reset, sizeof reset);
    } else {
        send_record(session, bytes, size);
    }
}

static void tell_certificate(const session_t *session)
{
    const mbedtls_x509_crt *certificate = mbedtls_ssl_get_peer_cert(&session->tls);
    if (certificate == NULL) {
        return;
    }
    char subject[512];
    int size = mbedtls_x509_dn_gets(subject, sizeof subject, &certificate->subject);
    tell_text(session, "client-certificate", (const uint8_t *)subject, size < 0 ? 0 : (size_t)size);
    unsigned count = 0;
    for (; certificate != NULL; certificate = certificate->next) {
        count++;
    }
    tell(&session->address, "client-chain %u", count);
}

static void finish_handshake(session_t *session)
{
    session->established = true;
    /* The limit was for the handshake: records of the test keep their size. */
    mbedtls_ssl_set_mtu(&session->tls, 0);
    tell_certificate(session);
    if (!session->full) {
        tell(&session->address, "resumed-by %s", session->by_ticket ? "ticket" : "session-id");
    }
#if defined(MBEDTLS_SSL_DTLS_CONNECTION_ID)
    if (options.datagrams) {
        uint8_t client_cid[MAXIMUM_CLIENT_CID_LENGTH];
        size_t client_cid_size = 0;
        int enabled = MBEDTLS_SSL_CID_DISABLED;
        (void)mbedtls_ssl_get_peer_cid(&session->tls, &enabled, client_cid, &client_cid_size);
        if (enabled == MBEDTLS_SSL_CID_ENABLED) {
            tell_cid(session, "cid ", session->cid, session->cid_size);
            tell_cid(session, "client-cid ", client_cid, client_cid_size);
        } else {
            session->cid_size = 0;
        }
    }
#endif
    tell(&session->address, "connected %s %s", mbedtls_ssl_get_ciphersuite(&session->tls), session->full ? "full" : "resumed");
    /* A client has one session at an address. */
    for (size_t index = 0; options.datagrams && index < server.session_count; index++) {
        session_t *other = server.sessions[index];
        if (other != session && !other->ended && other->established && other->address_size == session->address_size
            && memcmp(&other->address, &session->address, session->address_size) == 0) {
            end_session(other, "replaced");
        }
    }
}

/* Ends the session whose handshake or reading gave this code, if that is not a code to go on with. */
static void take_code(session_t *session, int code)
{
    mbedtls_ssl_context *tls = &session->tls;
    switch (code) {
    case MBEDTLS_ERR_SSL_WANT_READ:
    case MBEDTLS_ERR_SSL_WANT_WRITE:
        return;
    case MBEDTLS_ERR_SSL_HELLO_VERIFY_REQUIRED:
        /* The cookie knows all; keeping no state is what it is for. */
        end_session(session, NULL);
        return;
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
        (void)mbedtls_ssl_close_notify(tls);
        end_session(session, "close-notify");
        return;
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
        tell(&session->address, "alert %u", tls->in_msg[1]);
        end_session(session, NULL);
        return;
    case 0:
    case MBEDTLS_ERR_SSL_CONN_EOF:
        end_session(session, "closed-by-client");
        return;
    case MBEDTLS_ERR_NET_CONN_RESET:
        end_session(session, "reset-by-client");
        return;
    default:
        if (session->established) {
            tell(&session->address, "failed -0x%04x", (unsigned)-code);
        } else if (code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
            tell(&session->address, "handshake-failed -0x%04x verify=0x%x", (unsigned)-code,
                 (unsigned)mbedtls_ssl_get_verify_result(tls));
        } else {
            tell(&session->address, "handshake-failed -0x%04x", (unsigned)-code);
        }
        end_session(session, NULL);
    }
}

static void end_with_alert(session_t *session, uint8_t alert, const char *reason)
{
    (void)mbedtls_ssl_send_alert_message(&session->tls, MBEDTLS_SSL_ALERT_LEVEL_FATAL, alert);
    end_session(session, reason);
}

static void continue_handshake(session_t *session)
{
    mbedtls_ssl_context *tls = &session->tls;
    server.current = session;
    while (tls->state != MBEDTLS_SSL_HANDSHAKE_OVER) {
        if (tls->state == MBEDTLS_SSL_SERVER_HELLO && server.refusal != 0) {
            end_with_alert(session, server.refusal, "refused");
            return;
        }
        /* Only a handshake that makes new keys comes here. */
        session->full = session->full || tls->state == MBEDTLS_SSL_SERVER_HELLO_DONE;
        bool hello = tls->state == MBEDTLS_SSL_SERVER_HELLO;
        server.next_time_is_sent = hello;
        int code = mbedtls_ssl_handshake_step(tls);
        server.next_time_is_sent = false;
        if (hello && session->name_size > 0) {
            tell_text(session, "name", session->name, session->name_size);
        }
        if (code != 0) {
            take_code(session, code);
            return;
        }
    }
    finish_handshake(session);
}

/* Goes on as far as what came in allows. */
static void run_session(session_t *session)
{
    static uint8_t content[RECORD_SIZE];
    if (!session->established) {
        continue_handshake(session);
    }
    while (session->established && !session->ended) {
        /* One call gives the content of one record. */
        int size = mbedtls_ssl_read(&session->tls, content, sizeof content);
        if (size > 0) {
            take_record(session, content, (size_t)size);
        } else {
            take_code(session, size);
            break;
        }
    }
    if (!options.datagrams) {
        flush_queue(session);
    }
}

static void accept_session(void)
{
    struct sockaddr_storage address = {0};
    socklen_t address_size = sizeof address;
    int descriptor = accept4(server.listener, (struct sockaddr *)&address, &address_size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) {
        return;
    }
    int on = 1;
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)new_session(descriptor, &address, address_size);
    tell(&address, "accepted");
}

/* ---- whose datagram is it ---- */

static session_t *find_by_cid(const uint8_t *datagram, size_t size)
{
    for (size_t index = 0; index < server.session_count; index++) {
        session_t *session = server.sessions[index];
        if (!session->ended && session->cid_size > 0 && size >= DTLS_CID_OFFSET + session->cid_size
            && memcmp(datagram + DTLS_CID_OFFSET, session->cid, session->cid_size) == 0) {
            return session;
        }
    }
    return NULL;
}

/* A client may have a session and, from the same port, the handshake for its next. Data and alerts that are encrypted belong to the
 * first, all else to the second. */
static session_t *find_by_address(const struct sockaddr_storage *address, socklen_t address_size, bool prefer_established)
{
    session_t *found = NULL;
    for (size_t index = 0; index < server.session_count; index++) {
        session_t *session = server.sessions[index];
        if (session->ended || session->address_size != address_size || memcmp(&session->address, address, address_size) != 0) {
            continue;
        }
        if (found == NULL || session->established == prefer_established) {
            found = session;
        }
    }
    return found;
}

static void take_unknown(const struct sockaddr_storage *address, socklen_t address_size, size_t size)
{
    tell(address, "unknown-session %zu", size);
    if (options.alert_unknown) {
        static const uint8_t alert[] = {MBEDTLS_SSL_MSG_ALERT, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                        MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE};
        send_datagram(address, address_size, alert, sizeof alert);
    }
}

/* False when a datagram with a session's CID comes from elsewhere and cannot be from its client. */
static bool follow_client(session_t *session, const struct sockaddr_storage *address, socklen_t address_size, const uint8_t *datagram,
                          size_t size)
{
    if (session->address_size == address_size && memcmp(&session->address, address, address_size) == 0) {
        return true;
    }
    /* The check decrypts in place. */
    uint8_t *copy = malloc(size);
    if (copy == NULL) {
        give_up("malloc");
    }
    memcpy(copy, datagram, size);
    bool authentic = session->established && mbedtls_ssl_check_record(&session->tls, copy, size) == 0;
    free(copy);
    if (!authentic) {
        tell(address, "unauthenticated %zu", size);
    } else if (!options.no_rebind) {
        session->address = *address;
        session->address_size = address_size;
        tell(address, "rebound");
    }
    return authentic;
}

static void read_datagram(void)
{
    static uint8_t datagram[DATAGRAM_SIZE];
    struct sockaddr_storage address = {0};
    socklen_t address_size = sizeof address;
    ssize_t received = recvfrom(server.listener, datagram, sizeof datagram, 0, (struct sockaddr *)&address, &address_size);
    if (received < 0) {
        return;
    }
    size_t size = (size_t)received;
    if (is_lost(&server.incoming)) {
        tell(&address, "lost in %zu", size);
        return;
    }
    if (size <= DTLS_HEADER_SIZE) {
        take_unknown(&address, address_size, size);
        return;
    }
    uint8_t type = datagram[0];
    bool plain = datagram[3] == 0 && datagram[4] == 0;
    bool hello = type == MBEDTLS_SSL_MSG_HANDSHAKE && plain && datagram[DTLS_HEADER_SIZE] == CLIENT_HELLO;
    session_t *session;
    if (type == TLS12_CID_RECORD) {
        session = find_by_cid(datagram, size);
        if (session != NULL && !follow_client(session, &address, address_size, datagram, size)) {
            return;
        }
    } else {
        bool data = !plain && (type == MBEDTLS_SSL_MSG_APPLICATION_DATA || type == MBEDTLS_SSL_MSG_ALERT);
        session = find_by_address(&address, address_size, data);
    }
    if (hello && (session == NULL || session->established)) {
        session = new_session(server.listener, &address, address_size);
    }
    if (session == NULL) {
        take_unknown(&address, address_size, size);
        return;
    }
    session->datagram = datagram;
    session->datagram_size = size;
    run_session(session);
    session->datagram_size = 0;
}

/* ---- commands ---- */

static int digit_value(char digit)
{
    const char *digits = "0123456789abcdef";
    const char *found = digit == '\0' ? NULL : strchr(digits, digit >= 'A' && digit <= 'F' ? digit - 'A' + 'a' : digit);
    return found != NULL ? (int)(found - digits) : -1;
}

/* The number of bytes; more than `room` if there are too many or the text is something else. */
static size_t from_hexadecimal(const char *text, uint8_t *bytes, size_t room)
{
    size_t size = 0;
    for (; *text != '\0'; text += 2) {
        int high = digit_value(text[0]);
        int low = high < 0 ? -1 : digit_value(text[1]);
        if (low < 0 || size == room) {
            return room + 1;
        }
        bytes[size++] = (uint8_t)(high << 4 | low);
    }
    return size;
}

static void fill_random(uint8_t *bytes, size_t size)
{
    for (size_t index = 0; index < size; index++) {
        bytes[index] = (uint8_t)random();
    }
}

static void write_raw(session_t *session, const uint8_t *bytes, size_t size)
{
    if (options.datagrams) {
        send_datagram(&session->address, session->address_size, bytes, size);
    } else {
        queue_bytes(session, bytes, size);
    }
}

static void send_from_elsewhere(const session_t *session, unsigned long count, size_t size)
{
    struct sockaddr_storage elsewhere = options.address;
    int descriptor = socket(elsewhere.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ((struct sockaddr_in *)&elsewhere)->sin_port = 0; /* the port is at the same place in IPv6 */
    if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&elsewhere, options.address_size) != 0) {
        give_up("bind");
    }
    for (unsigned long index = 0; index < count; index++) {
        fill_random(scratch, size);
        (void)sendto(descriptor, scratch, size, 0, (const struct sockaddr *)&session->address, session->address_size);
    }
    close(descriptor);
}

static void send_burst(session_t *session, unsigned long count, size_t size)
{
    for (unsigned long index = 0; index < count; index++) {
        memset(scratch, (int)(index & 0xff), size);
        send_record(session, scratch, size);
    }
}

static void tell_keys(const session_t *session)
{
    print_hexadecimal("keys master=", session->master, sizeof session->master);
    print_hexadecimal(" block=", session->key_block, session->key_block_size);
    printf(" from=%u\n", port_of(&session->address));
}

/* False if there is no such command for a session. */
static bool run_on_session(session_t *session, const char *name, size_t size, unsigned long first, unsigned long second)
{
    if (strcmp(name, "close") == 0) {
        (void)mbedtls_ssl_close_notify(&session->tls);
        end_session(session, "closed");
    } else if (strcmp(name, "drop") == 0) {
        end_session(session, "dropped");
    } else if (strcmp(name, "reset") == 0) {
        struct linger linger = {.l_onoff = 1, .l_linger = 0};
        if (!options.datagrams) {
            session->queue_size = 0;
            (void)setsockopt(session->descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        }
        end_session(session, "reset");
    } else if (strcmp(name, "forget") == 0) {
        end_session(session, "forgotten");
    } else if (strcmp(name, "alert") == 0) {
        end_with_alert(session, (uint8_t)first, "alerted");
    } else if (strcmp(name, "raw") == 0 || strcmp(name, "garbage") == 0) {
        write_raw(session, scratch, size);
    } else if (strcmp(name, "garbage-from-elsewhere") == 0) {
        send_from_elsewhere(session, first, second);
    } else if (strcmp(name, "send") == 0) {
        if (session->established) {
            send_record(session, scratch, size);
        }
    } else if (strcmp(name, "burst") == 0) {
        if (session->established) {
            send_burst(session, first, second);
        }
    } else if (strcmp(name, "keys") == 0) {
        if (session->established) {
            tell_keys(session);
        }
    } else {
        return false;
    }
    return true;
}

static bool is_for_sessions(const char *name)
{
    static const char *const names[] = {"close", "drop",    "reset",                  "alert", "send", "burst",
                                        "raw",   "garbage", "garbage-from-elsewhere", "forget", "keys"};
    for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
        if (strcmp(name, names[index]) == 0) {
            return true;
        }
    }
    return false;
}

/* False if the arguments are wrong; else what is to be sent stands in `scratch`. */
static bool prepare_bytes(const char *name, const char *argument, unsigned long first, unsigned long second, size_t *size)
{
    bool records = strcmp(name, "send") == 0 || strcmp(name, "burst") == 0;
    size_t room = records ? RECORD_SIZE : sizeof scratch;
    *size = 0;
    if (strcmp(name, "send") == 0 || strcmp(name, "raw") == 0) {
        *size = from_hexadecimal(argument, scratch, room);
    } else if (strcmp(name, "garbage") == 0) {
        *size = first;
    } else if (strcmp(name, "burst") == 0 || strcmp(name, "garbage-from-elsewhere") == 0) {
        return second <= room;
    }
    if (*size > room) {
        return false;
    }
    if (strcmp(name, "garbage") == 0) {
        fill_random(scratch, *size);
    }
    return true;
}

static bool run_on_server(const char *name, unsigned long first)
{
    if (strcmp(name, "silent") == 0 || strcmp(name, "answer") == 0) {
        server.silent = name[0] == 's';
    } else if (strcmp(name, "mute") == 0 || strcmp(name, "echo") == 0) {
        server.mute = name[0] == 'm';
    } else if (strcmp(name, "refuse") == 0) {
        server.refusal = (uint8_t)first;
    } else if (strcmp(name, "fragment") == 0 && first <= RECORD_SIZE) {
        server.fragment = first;
    } else if (strcmp(name, "loss") == 0) {
        server.loss = first;
        server.incoming.count = 0;
        server.outgoing.count = 0;
    } else if (strcmp(name, "quit") == 0) {
        exit(0);
    } else {
        return false;
    }
    return true;
}

static void run_command(char *line)
{
    char *argument = strchr(line, ' ');
    if (argument != NULL) {
        *argument++ = '\0';
    } else {
        argument = line + strlen(line);
    }
    char *behind = argument;
    unsigned long first = strtoul(argument, &behind, 10);
    unsigned long second = strtoul(behind, NULL, 10);
    size_t size;
    if (is_for_sessions(line)) {
        if (!prepare_bytes(line, argument, first, second, &size)) {
            printf("unknown %s %.40s\n", line, argument);
            return;
        }
        for (size_t index = 0; index < server.session_count; index++) {
            (void)run_on_session(server.sessions[index], line, size, first, second);
            if (!options.datagrams && !server.sessions[index]->ended) {
                flush_queue(server.sessions[index]);
            }
        }
        /* `done` says that it is done: the last bytes have gone before. */
        free_ended_sessions();
    } else if (!run_on_server(line, first)) {
        printf("unknown %s %.40s\n", line, argument);
        return;
    }
    printf("done %s\n", line);
}

/* ---- start ---- */

static void check(int code, const char *what)
{
    if (code != 0) {
        give_up_with(what, code);
    }
}

static void load_certificates(void)
{
    mbedtls_x509_crt_init(&server.certificate);
    mbedtls_pk_init(&server.key);
    mbedtls_x509_crt_init(&server.client_ca);
    if (options.certificate_file != NULL) {
        if (mbedtls_x509_crt_parse_file(&server.certificate, options.certificate_file) != 0) {
            refuse_arguments("%s is not a file of certificates in PEM", options.certificate_file);
        }
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
        int code = mbedtls_pk_parse_keyfile(&server.key, options.key_file, NULL, mbedtls_ctr_drbg_random, &server.random);
#else
        int code = mbedtls_pk_parse_keyfile(&server.key, options.key_file, NULL);
#endif
        if (code != 0) {
            refuse_arguments("%s is not a file with a private key in PEM", options.key_file);
        }
        check(mbedtls_ssl_conf_own_cert(&server.configuration, &server.certificate, &server.key), "mbedtls_ssl_conf_own_cert");
    }
    if (options.client_ca_file != NULL) {
        if (mbedtls_x509_crt_parse_file(&server.client_ca, options.client_ca_file) != 0) {
            refuse_arguments("%s is not a file of certificates in PEM", options.client_ca_file);
        }
        mbedtls_ssl_conf_ca_chain(&server.configuration, &server.client_ca, NULL);
        mbedtls_ssl_conf_authmode(&server.configuration, MBEDTLS_SSL_VERIFY_REQUIRED);
    }
}

static void prepare_dtls(void)
{
    mbedtls_ssl_config *configuration = &server.configuration;
    uint32_t first = (uint32_t)options.retransmit_ms;
    mbedtls_ssl_conf_handshake_timeout(configuration, first, first > 60000 ? first : 60000);
    if (options.no_cookies) {
        mbedtls_ssl_conf_dtls_cookies(configuration, NULL, NULL, NULL);
    } else {
        mbedtls_ssl_cookie_init(&server.cookies);
        check(mbedtls_ssl_cookie_setup(&server.cookies, mbedtls_ctr_drbg_random, &server.random), "mbedtls_ssl_cookie_setup");
        mbedtls_ssl_conf_dtls_cookies(configuration, write_cookie, mbedtls_ssl_cookie_check, &server.cookies);
    }
#if defined(MBEDTLS_SSL_DTLS_CONNECTION_ID)
    check(mbedtls_ssl_conf_cid(configuration, options.cid_length, MBEDTLS_SSL_UNEXPECTED_CID_IGNORE), "mbedtls_ssl_conf_cid");
#endif
}

static void prepare_tls(void)
{
    mbedtls_ssl_config *configuration = &server.configuration;
    mbedtls_entropy_init(&server.entropy);
    mbedtls_ctr_drbg_init(&server.random);
    mbedtls_ssl_config_init(configuration);
    check(mbedtls_ctr_drbg_seed(&server.random, mbedtls_entropy_func, &server.entropy, NULL, 0), "mbedtls_ctr_drbg_seed");
    check(mbedtls_ssl_config_defaults(configuration, MBEDTLS_SSL_IS_SERVER,
                                      options.datagrams ? MBEDTLS_SSL_TRANSPORT_DATAGRAM : MBEDTLS_SSL_TRANSPORT_STREAM,
                                      MBEDTLS_SSL_PRESET_DEFAULT),
          "mbedtls_ssl_config_defaults");
    mbedtls_ssl_conf_rng(configuration, mbedtls_ctr_drbg_random, &server.random);
    mbedtls_ssl_conf_ciphersuites(configuration, options.suites);
    mbedtls_ssl_conf_sni(configuration, take_name, NULL);
#if MBEDTLS_VERSION_NUMBER < 0x03000000
    mbedtls_ssl_conf_min_version(configuration, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_export_keys_ext_cb(configuration, take_keys, NULL);
#endif
    load_certificates();
    if (options.psk_identity != NULL) {
        mbedtls_ssl_conf_psk_cb(configuration, find_psk, NULL);
    }
    if (options.cache) {
        mbedtls_ssl_cache_init(&server.cache);
        mbedtls_ssl_conf_session_cache(configuration, &server.cache, mbedtls_ssl_cache_get, mbedtls_ssl_cache_set);
    }
    if (options.tickets) {
        mbedtls_ssl_ticket_init(&server.tickets);
        check(mbedtls_ssl_ticket_setup(&server.tickets, mbedtls_ctr_drbg_random, &server.random, MBEDTLS_CIPHER_AES_256_GCM, 86400),
              "mbedtls_ssl_ticket_setup");
        mbedtls_ssl_conf_session_tickets_cb(configuration, mbedtls_ssl_ticket_write, read_ticket, &server.tickets);
    }
    if (options.datagrams) {
        prepare_dtls();
    }
}

static void start_listening(void)
{
    int on = 1;
    server.listener = socket(options.address.ss_family, (options.datagrams ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)setsockopt(server.listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(server.listener, (struct sockaddr *)&options.address, options.address_size) != 0) {
        give_up("bind");
    }
    if (!options.datagrams && listen(server.listener, 512) != 0) {
        give_up("listen");
    }
    struct sockaddr_storage bound = {0};
    socklen_t size = sizeof bound;
    if (getsockname(server.listener, (struct sockaddr *)&bound, &size) != 0) {
        give_up("getsockname");
    }
    printf("listening %u\n", port_of(&bound));
}

static unsigned long read_number(const char *option, const char *value, unsigned long maximum)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end != '\0' || errno != 0 || number > maximum) {
        refuse_arguments("%s is a number from 0 to %lu, not %s", option, maximum, value);
    }
    return number;
}

static void read_suites(const char *text)
{
    options.suite_count = 0;
    while (*text != '\0') {
        char *end;
        unsigned long number = strtoul(text, &end, 16);
        if (end == text || (*end != '\0' && *end != ',') || options.suite_count == MAXIMUM_SUITES) {
            refuse_arguments("--suites takes up to %d hexadecimal numbers with commas between them, not %s", MAXIMUM_SUITES, text);
        }
        if (number > 0xffff || mbedtls_ssl_ciphersuite_from_id((int)number) == NULL) {
            refuse_arguments("--suites: this build of Mbed TLS has no suite %lX", number);
        }
        options.suites[options.suite_count++] = (int)number;
        text = *end == ',' ? end + 1 : end;
    }
}

static void read_time(const char *value)
{
    if (strcmp(value, "now") == 0) {
        options.time = TIME_NOW;
    } else if (strcmp(value, "random") == 0) {
        options.time = TIME_RANDOM;
    } else {
        options.time = TIME_FIXED;
        options.fixed_time = (uint32_t)read_number("--time, where it is not `now` or `random`,", value, UINT32_MAX);
    }
}

static void read_address(const char *address, uint16_t port)
{
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)&options.address;
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&options.address;
    if (inet_pton(AF_INET, address, &ipv4->sin_addr) == 1) {
        ipv4->sin_family = AF_INET;
        ipv4->sin_port = htons(port);
        options.address_size = sizeof *ipv4;
    } else if (inet_pton(AF_INET6, address, &ipv6->sin6_addr) == 1) {
        ipv6->sin6_family = AF_INET6;
        ipv6->sin6_port = htons(port);
        options.address_size = sizeof *ipv6;
    } else {
        refuse_arguments("--address is an IP address, not %s", address);
    }
}

static bool read_flag(const char *option)
{
    static const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"--cache", &options.cache},           {"--tickets", &options.tickets},     {"--no-cookies", &options.no_cookies},
                 {"--no-rebind", &options.no_rebind}, {"--alert", &options.alert_unknown}};
    for (size_t index = 0; index < sizeof flags / sizeof *flags; index++) {
        if (strcmp(option, flags[index].name) == 0) {
            *flags[index].flag = true;
            return true;
        }
    }
    return false;
}

static void check_arguments(void)
{
    if ((options.certificate_file == NULL) != (options.key_file == NULL)) {
        refuse_arguments("--certificate and --key go together");
    }
    if ((options.psk_identity == NULL) != (options.psk_size == 0)) {
        refuse_arguments("--psk-identity and --psk go together");
    }
    if (options.certificate_file == NULL && options.psk_identity == NULL) {
        refuse_arguments("give --certificate and --key, or --psk-identity and --psk, or all four");
    }
    if (options.client_ca_file != NULL && options.certificate_file == NULL) {
        refuse_arguments("--client-ca needs --certificate: a handshake with a PSK has no certificates");
    }
    if (options.suite_count == 0) {
        if (options.certificate_file != NULL) {
            options.suites[options.suite_count++] = MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8;
        }
        if (options.psk_identity != NULL) {
            options.suites[options.suite_count++] = MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8;
        }
    }
}

static void read_arguments(int count, char **arguments)
{
    const char *address = "127.0.0.1";
    uint16_t port = 0;
    bool transport_given = false;
    for (int index = 1; index < count; index++) {
        const char *option = arguments[index];
        if (strcmp(option, "--tls") == 0 || strcmp(option, "--dtls") == 0) {
            if (transport_given) {
                refuse_arguments("give --tls or --dtls once");
            }
            transport_given = true;
            options.datagrams = option[2] == 'd';
            continue;
        }
        if (read_flag(option)) {
            continue;
        }
        const char *value = index + 1 < count ? arguments[index + 1] : NULL;
        static const char *const with_value[] = {"--address",      "--port", "--certificate", "--key",  "--client-ca",
                                                 "--psk-identity", "--psk",  "--suites",      "--time", "--cid-length",
                                                 "--retransmit"};
        bool known = false;
        for (size_t at = 0; at < sizeof with_value / sizeof *with_value; at++) {
            known = known || strcmp(option, with_value[at]) == 0;
        }
        if (!known) {
            refuse_arguments("there is no option %s", option);
        }
        if (value == NULL) {
            refuse_arguments("%s needs a value", option);
        }
        index++;
        if (strcmp(option, "--address") == 0) {
            address = value;
        } else if (strcmp(option, "--port") == 0) {
            port = (uint16_t)read_number(option, value, UINT16_MAX);
        } else if (strcmp(option, "--certificate") == 0) {
            options.certificate_file = value;
        } else if (strcmp(option, "--key") == 0) {
            options.key_file = value;
        } else if (strcmp(option, "--client-ca") == 0) {
            options.client_ca_file = value;
        } else if (strcmp(option, "--psk-identity") == 0) {
            options.psk_identity = value;
        } else if (strcmp(option, "--psk") == 0) {
            options.psk_size = from_hexadecimal(value, options.psk, sizeof options.psk);
            if (options.psk_size == 0 || options.psk_size > sizeof options.psk) {
                refuse_arguments("--psk takes 1 to %zu bytes in hexadecimal digits", sizeof options.psk);
            }
        } else if (strcmp(option, "--suites") == 0) {
            read_suites(value);
        } else if (strcmp(option, "--time") == 0) {
            read_time(value);
        } else if (strcmp(option, "--retransmit") == 0) {
            options.retransmit_ms = read_number(option, value, 3600000);
        } else {
            options.cid_length = read_number(option, value, MAXIMUM_CID_LENGTH > 0 ? MAXIMUM_CID_LENGTH : 32);
            if (options.cid_length > MAXIMUM_CID_LENGTH) {
                refuse_arguments("--cid-length: Mbed TLS %s was built without the Connection ID; start mbedtls_cid_server instead",
                                 MBEDTLS_VERSION_STRING);
            }
        }
    }
    if (!transport_given) {
        refuse_arguments("give --tls or --dtls");
    }
    check_arguments();
    read_address(address, port);
}

/* How long poll may wait, for the next flight to be repeated. */
static int until_next_timer(void)
{
    uint64_t now = milliseconds_now();
    int until = -1;
    for (size_t index = 0; index < server.session_count; index++) {
        const session_t *session = server.sessions[index];
        if (server.silent || session->established || session->timer.final == 0) {
            continue;
        }
        int wait = session->timer.final > now ? (int)(session->timer.final - now) : 0;
        until = until < 0 || wait < until ? wait : until;
    }
    return until;
}

static void run_timers(void)
{
    size_t count = server.session_count;
    for (size_t index = 0; index < count; index++) {
        session_t *session = server.sessions[index];
        if (!session->ended && !session->established && get_timer(&session->timer) == 2) {
            run_session(session);
        }
    }
}

static void run_streams(const struct pollfd *entries, session_t *const *polled, size_t count)
{
    for (size_t index = 0; index < count; index++) {
        session_t *session = polled[index];
        if (entries[index].revents & POLLOUT) {
            flush_queue(session);
        }
        if (!server.silent && entries[index].revents & (POLLIN | POLLHUP | POLLERR)) {
            run_session(session);
        }
    }
}

int main(int count, char **arguments)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    srandom(1);
    read_arguments(count, arguments);
    prepare_tls();
    start_listening();

    for (;;) {
        static struct pollfd entries[2 + MAXIMUM_SESSIONS];
        static session_t *polled[MAXIMUM_SESSIONS];
        size_t session_count = options.datagrams ? 0 : server.session_count;
        entries[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
        entries[1] = (struct pollfd){.fd = server.silent ? -1 : server.listener, .events = POLLIN};
        for (size_t index = 0; index < session_count; index++) {
            session_t *session = server.sessions[index];
            short events = (short)((server.silent ? 0 : POLLIN) | (session->queue_size > 0 ? POLLOUT : 0));
            polled[index] = session;
            /* Without an event to wait for, a client that has gone would wake it for ever. */
            entries[2 + index] = (struct pollfd){.fd = events != 0 ? session->descriptor : -1, .events = events};
        }
        if (poll(entries, 2 + session_count, until_next_timer()) < 0) {
            continue;
        }
        run_streams(entries + 2, polled, session_count);
        if (!server.silent) {
            if (entries[1].revents != 0) {
                if (options.datagrams) {
                    read_datagram();
                } else {
                    accept_session();
                }
            }
            if (options.datagrams) {
                run_timers();
            }
        }
        free_ended_sessions();
        if (entries[0].revents != 0 && !read_commands(run_command)) {
            return 0;
        }
    }
}
