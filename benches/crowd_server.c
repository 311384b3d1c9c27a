/* The server for crowds: thousands of TLS connections on one thread, for the soak and for the benchmark.
 *
 *   crowd-server CERTIFICATE KEY PORT [--push MILLISECONDS] [--session NUMBER] [--lose NUMBER]
 *
 * PORT may be 0: one that the system gives to no outgoing connection, so that a server can come back to it. It prints `record PORT` (one
 * message in one record of TLS, as the service has it) and `rfc8323 PORT`, and `handshakes NUMBER` for every hundredth handshake and whenever it is asked. It answers pings and requests (GET); any
 * other message it takes and does not answer. It ends with its standard input.
 *
 * --push: it is the server of the soak. It reads the numbers in the messages, says `violation TEXT` when one comes twice, is missing, or
 * is damaged, and pushes messages of its own to each session, one each so many milliseconds on average. At the end of a session it prints
 * `session ID CONNECTION FIRST LAST PUSHED`; the words `report` (of the sessions that there are) and `quiet` (no more pushes) come by
 * standard input. --session: the ID of the first one. --lose: it takes each so-manieth message without a look at it, to show that this is found out.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "soak/message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_AT_ONCE = 256, RECORD_SIZE = 16384, LONGEST_MESSAGE = 65536, BACKLOG = 4096, TICK_MS = 20 };
enum { FIRST_PORT = 20000, PORTS = 12000 };
enum { CODE_EMPTY = 0x00, CODE_GET = 0x01, CODE_CONTENT = 0x45, CODE_CSM = 0xe1, CODE_PING = 0xe2, CODE_PONG = 0xe3 };

typedef struct {
    SSL *tls;
    int descriptor;
    bool rfc8323;
    bool established;
    uint8_t *held; /* the beginning of a message of RFC 8323 */
    size_t held_size;
    uint8_t *waiting; /* messages that the socket had no room for, each after its size */
    size_t waiting_size;
    /* Of the soak. */
    uint32_t id;
    uint32_t connection;
    uint32_t first;
    uint32_t last;
    uint32_t pushed;
} session_t;

static struct {
    SSL_CTX *context;
    int epoll;
    int ports[2];
    session_t **sessions; /* by descriptor */
    size_t room;
    uint32_t next_id;
    unsigned handshakes;
    unsigned push_ms; /* 0: not the soak */
    unsigned lose;
    unsigned messages;
    bool quiet;
    uint32_t random;
} server = {.next_id = 1, .random = 2463534242u};

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "crowd-server: %s: %s\n", what, strerror(errno));
    ERR_print_errors_fp(stderr);
    exit(1);
}

static void *more_memory(void *memory, size_t size)
{
    void *more = realloc(memory, size);
    if (more == NULL) {
        give_up("no memory");
    }
    return more;
}

/* ---- sessions ---- */

static void print_session(const session_t *session)
{
    if (server.push_ms != 0 && (session->first != 0 || session->pushed != 0)) {
        printf("session %u %u %u %u %u\n", session->id, session->connection, session->first, session->last, session->pushed);
    }
}

static void end_session(session_t *session)
{
    print_session(session);
    server.sessions[session->descriptor] = NULL;
    SSL_free(session->tls);
    close(session->descriptor);
    free(session->held);
    free(session->waiting);
    free(session);
}

/* What it is waited for: always for something to read, for room to write only where something waits. */
static void wait_for(const session_t *session, bool room, int operation)
{
    struct epoll_event event = {.events = EPOLLIN | (room ? EPOLLOUT : 0), .data.fd = session->descriptor};
    if (epoll_ctl(server.epoll, operation, session->descriptor, &event) != 0) {
        give_up("epoll_ctl");
    }
}

/* Writes one record; false if the socket has no room for it. */
static bool write_record(session_t *session, const uint8_t *bytes, size_t size)
{
    ERR_clear_error();
    return SSL_write(session->tls, bytes, (int)size) > 0;
}

static void write_waiting(session_t *session)
{
    size_t at = 0;
    while (at < session->waiting_size) {
        uint32_t size;
        memcpy(&size, session->waiting + at, sizeof size);
        if (!write_record(session, session->waiting + at + sizeof size, size)) {
            break;
        }
        at += sizeof size + size;
    }
    session->waiting_size -= at;
    memmove(session->waiting, session->waiting + at, session->waiting_size);
    if (session->waiting_size == 0) {
        free(session->waiting);
        session->waiting = NULL;
        wait_for(session, false, EPOLL_CTL_MOD);
    }
}

static void send_message(session_t *session, const uint8_t *bytes, size_t size)
{
    if (session->waiting_size == 0 && write_record(session, bytes, size)) {
        return;
    }
    if (session->waiting_size == 0) {
        wait_for(session, true, EPOLL_CTL_MOD);
    }
    uint32_t length = (uint32_t)size;
    session->waiting = more_memory(session->waiting, session->waiting_size + sizeof length + size);
    memcpy(session->waiting + session->waiting_size, &length, sizeof length);
    memcpy(session->waiting + session->waiting_size + sizeof length, bytes, size);
    session->waiting_size += sizeof length + size;
}

/* ---- messages ---- */

static void check_message(session_t *session, const uint8_t *message, size_t size)
{
    soak_message_t fields;
    if (server.lose != 0 && ++server.messages % server.lose == 0) {
        return;
    }
    if (!soak_read(message, size, SOAK_REQUEST, &fields)) {
        printf("violation the server got a message of %zu bytes in session %u that is damaged\n", size, session->id);
        return;
    }
    if (session->first == 0) {
        session->connection = fields.source;
        session->first = fields.number;
    } else if (fields.source != session->connection || fields.number != session->last + 1) {
        printf("violation the server got message %u of connection %u after message %u of connection %u\n", fields.number, fields.source,
               session->last, session->connection);
    }
    session->last = fields.number;
}

static void take_record(session_t *session, const uint8_t *message, size_t size)
{
    if (size == 4 && message[0] == 0x40 && message[1] == CODE_EMPTY) {
        const uint8_t reset[] = {0x70, CODE_EMPTY, message[2], message[3]};
        send_message(session, reset, sizeof reset);
    } else if (server.push_ms != 0) {
        check_message(session, message, size);
    } else if (size >= 4 && message[1] == CODE_GET) {
        const uint8_t answer[] = {0x50, CODE_CONTENT, message[2], message[3]};
        send_message(session, answer, sizeof answer);
    }
}

/* A message of RFC 8323 section 3.2: its code, and token and content behind it. */
static void take_frame(session_t *session, uint8_t code, const uint8_t *token, size_t token_size)
{
    uint8_t answer[2 + 8] = {(uint8_t)token_size, code == CODE_PING ? CODE_PONG : CODE_CONTENT};
    if (code == CODE_PING || code == CODE_GET) {
        memcpy(answer + 2, token, token_size);
        send_message(session, answer, 2 + token_size);
    }
}

/* Takes the whole messages in these bytes, and says how many bytes they are. */
static size_t take_frames(session_t *session, const uint8_t *bytes, size_t size)
{
    size_t at = 0;
    while (size - at >= 2) {
        const uint8_t *frame = bytes + at;
        size_t left = size - at;
        size_t length = frame[0] >> 4;
        size_t token_size = frame[0] & 0x0f;
        size_t extended = length == 13 ? 1 : length == 14 ? 2 : 0;
        if (length == 15 || token_size > 8) {
            errno = EPROTO;
            give_up("a frame that no client of ours sends");
        }
        if (left < 2 + extended) {
            break;
        }
        if (extended == 1) {
            length = 13u + frame[1];
        } else if (extended == 2) {
            length = 269u + ((size_t)frame[1] << 8 | frame[2]);
        }
        size_t whole = 2 + extended + token_size + length;
        if (left < whole) {
            break;
        }
        take_frame(session, frame[1 + extended], frame + 2 + extended, token_size);
        at += whole;
    }
    return at;
}

static void take_stream(session_t *session, const uint8_t *bytes, size_t size)
{
    static uint8_t joined[LONGEST_MESSAGE + 2 * RECORD_SIZE];
    if (session->held_size > 0) {
        memcpy(joined, session->held, session->held_size);
        memcpy(joined + session->held_size, bytes, size);
        bytes = joined;
        size += session->held_size;
    }
    size_t used = take_frames(session, bytes, size);
    session->held_size = size - used;
    if (session->held_size == 0) {
        free(session->held);
        session->held = NULL;
        return;
    }
    uint8_t *held = more_memory(NULL, session->held_size);
    memcpy(held, bytes + used, session->held_size);
    free(session->held);
    session->held = held;
}

/* Goes on with a session; false if it is over. */
static bool go_on(session_t *session)
{
    static uint8_t record[RECORD_SIZE];
    ERR_clear_error();
    if (!session->established) {
        int result = SSL_accept(session->tls);
        if (result != 1) {
            int error = SSL_get_error(session->tls, result);
            wait_for(session, error == SSL_ERROR_WANT_WRITE, EPOLL_CTL_MOD);
            return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
        }
        session->established = true;
        wait_for(session, false, EPOLL_CTL_MOD);
        if (++server.handshakes % 100 == 0) {
            printf("handshakes %u\n", server.handshakes);
        }
        if (session->rfc8323) {
            const uint8_t capabilities[] = {0x00, CODE_CSM};
            send_message(session, capabilities, sizeof capabilities);
        }
    }
    for (;;) {
        ERR_clear_error();
        int size = SSL_read(session->tls, record, sizeof record);
        if (size <= 0) {
            return SSL_get_error(session->tls, size) == SSL_ERROR_WANT_READ;
        }
        if (session->rfc8323) {
            take_stream(session, record, (size_t)size);
        } else {
            take_record(session, record, (size_t)size);
        }
    }
}

static void accept_sessions(int port)
{
    int descriptor;
    while ((descriptor = accept4(port, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        int on = 1;
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if ((size_t)descriptor >= server.room) {
            size_t room = 2 * (size_t)descriptor + 64;
            server.sessions = more_memory(server.sessions, room * sizeof *server.sessions);
            memset(server.sessions + server.room, 0, (room - server.room) * sizeof *server.sessions);
            server.room = room;
        }
        session_t *session = calloc(1, sizeof *session);
        if (session == NULL || (session->tls = SSL_new(server.context)) == NULL || SSL_set_fd(session->tls, descriptor) != 1) {
            give_up("a session");
        }
        SSL_set_accept_state(session->tls);
        session->descriptor = descriptor;
        session->rfc8323 = port == server.ports[1];
        session->id = server.next_id++;
        server.sessions[descriptor] = session;
        wait_for(session, false, EPOLL_CTL_ADD);
    }
    if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) {
        give_up("accept");
    }
}

/* ---- pushes ---- */

static uint64_t milliseconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void push_messages(void)
{
    static uint8_t message[SOAK_LONGEST];
    for (size_t index = 0; index < server.room; index++) {
        session_t *session = server.sessions[index];
        /* What does not come to the client through its path is not piled up. */
        if (session != NULL && session->established && session->waiting_size == 0
            && soak_random(&server.random) % server.push_ms < TICK_MS) {
            session->pushed++;
            size_t size = soak_write(message, SOAK_CONTENT, (soak_message_t){.source = session->id, .number = session->pushed});
            send_message(session, message, size);
        }
    }
}

/* ---- start and end ---- */

static void report(void)
{
    for (size_t index = 0; index < server.room; index++) {
        if (server.sessions[index] != NULL) {
            print_session(server.sessions[index]);
        }
    }
    printf("handshakes %u\n", server.handshakes);
    printf("reported\n");
}

/* Runs what stands in standard input; false at its end. */
static bool run_commands(void)
{
    char text[256];
    ssize_t size = read(STDIN_FILENO, text, sizeof text - 1);
    if (size <= 0) {
        return false;
    }
    text[size] = '\0';
    for (char *rest = text, *word; (word = strsep(&rest, "\n")) != NULL;) {
        if (strcmp(word, "quiet") == 0) {
            server.quiet = true;
        } else if (strcmp(word, "report") == 0) {
            report();
        }
    }
    return true;
}

static void make_context(const char *certificate, const char *key)
{
    server.context = SSL_CTX_new(TLS_server_method());
    if (server.context == NULL
        /* One suite a version, and for the benchmark one version: all clients do the same work. */
        || SSL_CTX_set_min_proto_version(server.context, server.push_ms != 0 ? TLS1_2_VERSION : TLS1_3_VERSION) != 1
        || SSL_CTX_set_ciphersuites(server.context, "TLS_AES_128_GCM_SHA256") != 1
        || SSL_CTX_set_cipher_list(server.context, "ECDHE-ECDSA-AES128-GCM-SHA256") != 1
        || SSL_CTX_use_certificate_chain_file(server.context, certificate) != 1
        || SSL_CTX_use_PrivateKey_file(server.context, key, SSL_FILETYPE_PEM) != 1) {
        give_up("SSL_CTX_new");
    }
    /* Buffers only while they are used, and a write is repeated from another copy of the message. */
    SSL_CTX_set_mode(server.context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(server.context, SSL_OP_IGNORE_UNEXPECTED_EOF);
}

static int open_port(const char *name, uint16_t wanted)
{
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    if (descriptor < 0 || setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
        give_up(name);
    }
    unsigned port = wanted;
    for (unsigned tried = 0;; tried++) {
        if (wanted == 0) {
            port = FIRST_PORT + ((unsigned)getpid() * 7 + tried) % PORTS;
        }
        address.sin_port = htons((uint16_t)port);
        if (bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0) {
            break;
        }
        if (wanted != 0 || tried == PORTS) {
            give_up(name);
        }
    }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
    if (listen(descriptor, BACKLOG) != 0 || epoll_ctl(server.epoll, EPOLL_CTL_ADD, descriptor, &event) != 0) {
        give_up(name);
    }
    printf("%s %u\n", name, port);
    return descriptor;
}

static void read_arguments(int count, char **arguments)
{
    for (int index = 4; index + 1 < count; index += 2) {
        unsigned value = (unsigned)strtoul(arguments[index + 1], NULL, 10);
        if (strcmp(arguments[index], "--push") == 0) {
            server.push_ms = value;
        } else if (strcmp(arguments[index], "--session") == 0) {
            server.next_id = value;
        } else if (strcmp(arguments[index], "--lose") == 0) {
            server.lose = value;
        }
    }
}

int main(int count, char **arguments)
{
    if (count < 4) {
        fprintf(stderr, "usage: crowd-server CERTIFICATE KEY PORT [--push MILLISECONDS] [--session NUMBER] [--lose NUMBER]\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    read_arguments(count, arguments);
    make_context(arguments[1], arguments[2]);
    server.epoll = epoll_create1(EPOLL_CLOEXEC);
    server.ports[0] = open_port("record", (uint16_t)strtoul(arguments[3], NULL, 10));
    server.ports[1] = server.push_ms != 0 ? -1 : open_port("rfc8323", 0);
    struct epoll_event input = {.events = EPOLLIN, .data.fd = STDIN_FILENO};
    if (epoll_ctl(server.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input) != 0) {
        give_up("epoll_ctl");
    }
    uint64_t next_push = milliseconds_now();
    for (;;) {
        struct epoll_event events[EVENTS_AT_ONCE];
        int ready = epoll_wait(server.epoll, events, EVENTS_AT_ONCE, server.push_ms != 0 ? TICK_MS : -1);
        for (int index = 0; index < ready; index++) {
            int descriptor = events[index].data.fd;
            if (descriptor == STDIN_FILENO) {
                if (!run_commands()) {
                    /* No goodbye: it is as if it had crashed, but that it says what it had. */
                    report();
                    return 0;
                }
            } else if (descriptor == server.ports[0] || descriptor == server.ports[1]) {
                accept_sessions(descriptor);
            } else if (server.sessions[descriptor] != NULL) {
                session_t *session = server.sessions[descriptor];
                if ((events[index].events & EPOLLOUT) != 0 && session->waiting_size > 0) {
                    write_waiting(session);
                }
                if (!go_on(session)) {
                    end_session(session);
                }
            }
        }
        if (server.push_ms != 0 && !server.quiet && milliseconds_now() >= next_push) {
            push_messages();
            next_push = milliseconds_now() + TICK_MS;
        }
    }
}
