/* RFC 8323, the standard's CoAP over TCP and TLS, and standard CoAP over UDP and DTLS: libcoap's servers, aiocoap, and raw sockets.
 *
 * The first argument chooses: `libcoap_*`, `signals_*` or `aiocoap_*`. Without the server that is asked for the program returns 77.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* libcoap answers at most one ping in 250 ms. */
enum { BETWEEN_PINGS_MS = 300 };

/* GET with a token; over RFC 8323 type and message ID are left out. */
static size_t write_get(uint8_t *out, const char *path, uint8_t token)
{
    size_t size = 0;
    out[size++] = 0x41;
    out[size++] = CODE_GET;
    out[size++] = 0x30;
    out[size++] = token;
    out[size++] = token;
    unsigned delta = 11; /* Uri-Path */
    while (*path != '\0') {
        size_t length = strcspn(path, "/");
        assert_true(length < 13);
        out[size++] = (uint8_t)(delta << 4 | length);
        memcpy(out + size, path, length);
        size += length;
        path += path[length] == '\0' ? length : length + 1;
        delta = 0;
    }
    return size;
}

/* Asks for a path, and gives the answer with the same token.
 *
 * Under valgrind a handshake takes longer than a second, flights are repeated, and libcoap with GnuTLS then takes the first datagram
 * after them for one of the handshake. There it is asked once more. */
static const record_t *get(mcc_connection_t *connection, recorder_t *recorder, const char *path, uint8_t token)
{
    uint8_t request[64];
    size_t size = write_get(request, path, token);
    assert_status(mcc_connection_send(connection, request, size, NULL), MCC_OK);
    (void)await_event(recorder, MCC_EVENT_SENT);
    const record_t *first = is_under_valgrind() ? try_event(recorder, MCC_EVENT_MESSAGE, SOON_MS / 3) : NULL;
    if (first == NULL && is_under_valgrind()) {
        assert_status(mcc_connection_send(connection, request, size, NULL), MCC_OK);
    }
    for (;; first = NULL) {
        const record_t *answer = first != NULL ? first : await_event(recorder, MCC_EVENT_MESSAGE);
        assert_true(answer->message_size >= 4);
        if ((answer->message[0] & 0x0f) == 1 && answer->message[4] == token) {
            return answer;
        }
    }
}

static void ping_some_times(mcc_connection_t *connection, recorder_t *recorder)
{
    for (int count = 0; count < 3; count++) {
        assert_status(mcc_connection_ping(connection), MCC_OK);
        assert_in_range(await_event(recorder, MCC_EVENT_PING_ANSWERED)->round_trip_us, 1, 1000000);
        sleep_ms(BETWEEN_PINGS_MS);
    }
}

/* ---- libcoap ---- */

typedef struct {
    fixture_t *fixture;
    const char *program;
    uint16_t port; /* coap and coap+tcp; the secure ones stand behind it */
    bool psk; /* instead of a certificate */
    peer_t *server;
} libcoap_t;

static const char psk[] = "0123456789abcdef";

static void start_libcoap(libcoap_t *libcoap)
{
    char port[8];
    (void)snprintf(port, sizeof port, "%u", libcoap->port);
    const char *with_certificate[] = {libcoap->program, "-A", "127.0.0.1", "-p", port, "-n", "-c",
                                      certificate_path(libcoap->fixture, "server.pem"), "-j",
                                      certificate_path(libcoap->fixture, "server.key"), NULL};
    const char *with_psk[] = {libcoap->program, "-A", "127.0.0.1", "-p", port, "-k", psk, NULL};
    libcoap->server = start_server(libcoap->fixture, libcoap->port, libcoap->psk ? with_psk : with_certificate);
}

/* A port whose neighbour is free too. */
static uint16_t two_free_ports(void)
{
    for (;;) {
        uint16_t port = free_port();
        if (port_is_free((uint16_t)(port + 1))) {
            return port;
        }
    }
}

static mcc_connection_options_t options_of_libcoap(libcoap_t *libcoap, const char *scheme)
{
    bool secure = strncmp(scheme, "coaps", 5) == 0;
    mcc_connection_options_t options = options_for(libcoap->fixture, "%s://127.0.0.1:%u", scheme, libcoap->port + (secure ? 1 : 0));
    options.transport = strchr(scheme, '+') == NULL ? MCC_TRANSPORT_UDP : MCC_TRANSPORT_CONFIGURED;
    if (secure) {
        mcc_tls_options_t *tls = tls_with_ca(libcoap->fixture, libcoap->psk ? NULL : "ca.pem");
        if (libcoap->psk) {
            tls->psk = (const uint8_t *)psk;
            tls->psk_size = strlen(psk);
            tls->psk_identity = (const uint8_t *)"device-1";
            tls->psk_identity_size = strlen("device-1");
        }
        options.tls = tls;
    }
    return options;
}

static void speak_with_libcoap(fixture_t *fixture, const char *program)
{
    /* The last one by a pre-shared key, which this version of libcoap has for DTLS alone. */
    static const char *const schemes[] = {"coap", "coap+tcp", "coaps+tcp", "coaps", "coaps"};
    libcoap_t libcoap = {.fixture = fixture, .program = program, .port = two_free_ports()};
    start_libcoap(&libcoap);
    for (size_t index = 0; index < 5; index++) {
        if (index == 4) {
            libcoap.port = two_free_ports();
            libcoap.psk = true;
            start_libcoap(&libcoap);
        }
        print_message("    %s %s%s\n", program, schemes[index], libcoap.psk ? " by a pre-shared key" : "");
        recorder_t *recorder;
        mcc_connection_t *connection = open_ready(fixture, options_of_libcoap(&libcoap, schemes[index]), &recorder);
        const record_t *answer = get(connection, recorder, ".well-known/core", 1);
        assert_int_equal(answer->message[1], CODE_CONTENT);
        assert_int_equal(answer->message[0] >> 6, 1);
        /* Signals and answers to pings are the library's own business. */
        ping_some_times(connection, recorder);
        assert_int_equal(count_events(recorder, MCC_EVENT_MESSAGE), 1);
        answer = get(connection, recorder, "time", 2);
        assert_int_equal(answer->message[1], CODE_CONTENT);
        answer = get(connection, recorder, "nowhere", 3);
        assert_int_equal(answer->message[1], 0x84);
        mcc_connection_stats_t stats = stats_of(connection);
        assert_int_equal(stats.messages_sent, 3);
        assert_int_equal(stats.messages_received, 3);
        assert_int_equal(stats.format_errors, 0);
        assert_int_equal(stats.pings_answered, 3);
        close_connection(connection, recorder);
    }
}

static void libcoap_with_openssl_is_spoken_to(void **state)
{
    speak_with_libcoap(*state, "coap-server-openssl");
}

static void libcoap_with_gnutls_is_spoken_to(void **state)
{
    speak_with_libcoap(*state, "coap-server-gnutls");
}

static void libcoap_is_kept_alive_and_connected_again(void **state)
{
    fixture_t *fixture = *state;
    static const char *const schemes[] = {"coap+tcp", "coaps+tcp"};
    for (size_t index = 0; index < 2; index++) {
        libcoap_t libcoap = {.fixture = fixture, .program = "coap-server-openssl", .port = two_free_ports()};
        start_libcoap(&libcoap);
        mcc_connection_options_t options = options_of_libcoap(&libcoap, schemes[index]);
        options.keepalive_interval_s = 1;
        recorder_t *recorder;
        mcc_connection_t *connection = open_ready(fixture, options, &recorder);
        for (int count = 0; count < 3; count++) {
            (void)await_event(recorder, MCC_EVENT_PING_ANSWERED);
        }
        assert_int_equal(count_events(recorder, MCC_EVENT_PING_LOST), 0);
        stop_peer(fixture, libcoap.server);
        const record_t *waiting = await_state(recorder, MCC_STATE_WAITING);
        assert_int_equal(mcc_status_class(waiting->reason), MCC_CLASS_CLOSED_BY_PEER);
        start_libcoap(&libcoap);
        (void)await_state(recorder, MCC_STATE_READY);
        assert_int_equal(get(connection, recorder, "time", 1)->message[1], CODE_CONTENT);
        close_connection(connection, recorder);
        stop_peer(fixture, libcoap.server);
    }
}

static void libcoap_over_dtls_that_restarts_is_connected_again(void **state)
{
    fixture_t *fixture = *state;
    static const char *const programs[] = {"coap-server-openssl", "coap-server-gnutls"};
    for (size_t index = 0; index < 2; index++) {
        libcoap_t libcoap = {.fixture = fixture, .program = programs[index], .port = two_free_ports()};
        start_libcoap(&libcoap);
        recorder_t *recorder;
        mcc_connection_t *connection = open_ready(fixture, options_of_libcoap(&libcoap, "coaps"), &recorder);
        assert_int_equal(get(connection, recorder, "time", 1)->message[1], CODE_CONTENT);
        stop_peer(fixture, libcoap.server);
        /* Nothing listens, which the next message finds out. */
        assert_status(mcc_connection_ping(connection), MCC_OK);
        assert_status(await_state(recorder, MCC_STATE_WAITING)->reason, MCC_ERR_CONNECTION_REFUSED);
        start_libcoap(&libcoap);
        (void)await_state(recorder, MCC_STATE_READY);
        assert_int_equal(get(connection, recorder, "time", 2)->message[1], CODE_CONTENT);
        close_connection(connection, recorder);
        stop_peer(fixture, libcoap.server);
    }
}

/* ---- aiocoap ---- */

static void aiocoap_is_spoken_to(void **state)
{
    fixture_t *fixture = *state;
    uint16_t number = free_port();
    char port[8];
    (void)snprintf(port, sizeof port, "%u", number);
    const char *arguments[] = {getenv("MCC_TEST_PYTHON"), MCC_TEST_PEERS_DIRECTORY "/aiocoap_server.py", port, NULL};
    (void)start_server(fixture, number, arguments);
    mcc_connection_options_t options = options_for(fixture, "coap+tcp://127.0.0.1:%u", number);
    options.keepalive_interval_s = 1;
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, options, &recorder);
    const record_t *answer = get(connection, recorder, "echo", 1);
    assert_int_equal(answer->message[1], CODE_CONTENT);
    assert_memory_equal(answer->message + answer->message_size - 5, "hello", 5);
    ping_some_times(connection, recorder);
    for (int count = 0; count < 2; count++) {
        (void)await_event(recorder, MCC_EVENT_PING_SENT);
        (void)await_event(recorder, MCC_EVENT_PING_ANSWERED);
    }
    assert_int_equal(get(connection, recorder, "nowhere", 2)->message[1], 0x84);
    /* Messages of all sizes that the standard's length field tells apart. */
    static const size_t payloads[] = {1, 4, 5, 200, 255, 256, 900, 1000};
    for (size_t index = 0; index < sizeof payloads / sizeof payloads[0]; index++) {
        static uint8_t request[1200] = {0x41, CODE_POST, 0, 0, 0, 0xb4, 'e', 'c', 'h', 'o', 0xff};
        request[4] = (uint8_t)(0x80 + index);
        memset(request + 11, (int)('a' + index), payloads[index]);
        assert_status(mcc_connection_send(connection, request, 11 + payloads[index], NULL), MCC_OK);
        answer = await_event(recorder, MCC_EVENT_MESSAGE);
        assert_int_equal(answer->message[1], CODE_CONTENT);
        assert_int_equal(answer->message[4], request[4]);
        assert_memory_equal(answer->message + answer->message_size - payloads[index], request + 11, payloads[index]);
    }
    assert_int_equal(stats_of(connection).format_errors, 0);
    close_connection(connection, recorder);
}

/* ---- a server of single bytes ---- */

typedef struct {
    int listener;
    int descriptor;
    uint16_t port;
} raw_server_t;

static void raw_listen(raw_server_t *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->descriptor = -1;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
}

static void raw_wait(int descriptor)
{
    struct pollfd entry = {.fd = descriptor, .events = POLLIN};
    assert_int_equal(poll(&entry, 1, SOON_MS), 1);
}

static void raw_read(raw_server_t *server, void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        raw_wait(server->descriptor);
        ssize_t taken = recv(server->descriptor, (uint8_t *)bytes + done, size - done, 0);
        assert_true(taken > 0);
        done += (size_t)taken;
    }
}

static void raw_write(raw_server_t *server, const char *bytes, size_t size)
{
    assert_int_equal(send(server->descriptor, bytes, size, MSG_NOSIGNAL), size);
}

/* Takes the next connection and reads its Capabilities and Settings Message, which comes first. */
static void raw_accept(raw_server_t *server)
{
    raw_wait(server->listener);
    if (server->descriptor >= 0) {
        close(server->descriptor);
    }
    server->descriptor = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(server->descriptor >= 0);
    uint8_t head[2];
    raw_read(server, head, sizeof head);
    assert_int_equal(head[0] & 0x0f, 0);
    assert_int_equal(head[1], 0xe1);
    uint8_t options[16];
    assert_true(head[0] >> 4 < 13);
    raw_read(server, options, head[0] >> 4);
}

static void raw_end(raw_server_t *server)
{
    close(server->descriptor);
    close(server->listener);
}

static void signals_are_answered_and_obeyed(void **state)
{
    fixture_t *fixture = *state;
    raw_server_t server;
    raw_listen(&server);
    recorder_t *recorder;
    mcc_connection_t *connection = open_connection(fixture, options_for(fixture, "coap+tcp://127.0.0.1:%u", server.port), &recorder);
    raw_accept(&server);
    assert_int_equal(count_states(recorder, MCC_STATE_READY), 0);
    raw_write(&server, "\x00\xe1", 2);
    (void)await_state(recorder, MCC_STATE_READY);

    /* Our Ping has a token or none; the Pong may leave it out, and may have the Custody option (2, empty). */
    uint8_t bytes[16];
    assert_status(mcc_connection_ping(connection), MCC_OK);
    raw_read(&server, bytes, 2);
    assert_int_equal(bytes[1], 0xe2);
    raw_read(&server, bytes + 2, (bytes[0] & 0x0f) + (size_t)(bytes[0] >> 4));
    raw_write(&server, "\x10\xe3\x20", 3);
    (void)await_event(recorder, MCC_EVENT_PING_ANSWERED);

    /* A Ping of the peer is answered with its token. */
    raw_write(&server, "\x01\xe2\x5a", 3);
    raw_read(&server, bytes, 3);
    assert_memory_equal(bytes, "\x01\xe3\x5a", 3);

    /* A message comes out in the format of RFC 7252, and one goes out without type and message ID. */
    raw_write(&server, "\x31\x45\x07\xffhi", 6);
    const record_t *message = await_event(recorder, MCC_EVENT_MESSAGE);
    assert_int_equal(message->message_size, 8);
    assert_int_equal(message->message[0] & 0xcf, 0x41);
    assert_int_equal(message->message[1], CODE_CONTENT);
    assert_memory_equal(message->message + 4, "\x07\xffhi", 4);
    static const uint8_t request[] = {0x41, CODE_POST, 0x12, 0x34, 0x09, 0xff, 'y', 'o'};
    assert_status(mcc_connection_send(connection, request, sizeof request, NULL), MCC_OK);
    raw_read(&server, bytes, 6);
    assert_memory_equal(bytes, "\x31\x02\x09\xffyo", 6);

    /* The standard has no Empty messages of the application's own: neither pings nor resets of RFC 7252. */
    static const uint8_t empty[] = {0x40, 0, 0, 1};
    assert_status(mcc_connection_send(connection, empty, sizeof empty, NULL), MCC_ERR_INVALID_MESSAGE);

    /* Empty messages of the peer are passed over (RFC 8323 section 3.4). */
    raw_write(&server, "\x00\x00\x00\x00\x31\x45\x08\xffho", 10);
    message = await_event(recorder, MCC_EVENT_MESSAGE);
    assert_int_equal(message->message[4], 8);

    raw_write(&server, "\x00\xe4", 2);
    assert_status(await_state(recorder, MCC_STATE_WAITING)->reason, MCC_ERR_RELEASED_BY_PEER);
    raw_accept(&server);
    raw_write(&server, "\x00\xe1", 2);
    (void)await_state(recorder, MCC_STATE_READY);
    raw_write(&server, "\x00\xe5", 2);
    assert_status(await_state(recorder, MCC_STATE_WAITING)->reason, MCC_ERR_ABORTED_BY_PEER);
    raw_accept(&server);
    raw_write(&server, "\x00\xe1", 2);
    (void)await_state(recorder, MCC_STATE_READY);
    /* A token of 9 bytes is none: the stream cannot be told apart any more. */
    raw_write(&server, "\x09\x45\x00\x00", 4);
    assert_status(await_state(recorder, MCC_STATE_WAITING)->reason, MCC_ERR_PROTOCOL);
    close_connection(connection, recorder);
    raw_end(&server);
}

static void signals_that_never_come_are_not_waited_for(void **state)
{
    fixture_t *fixture = *state;
    raw_server_t server;
    raw_listen(&server);
    mcc_connection_options_t options = options_for(fixture, "coap+tcp://127.0.0.1:%u", server.port);
    options.handshake_timeout_ms = 300;
    recorder_t *recorder;
    mcc_connection_t *connection = open_connection(fixture, options, &recorder);
    raw_accept(&server);
    assert_status(await_state(recorder, MCC_STATE_WAITING)->reason, MCC_ERR_CAPABILITIES_TIMEOUT);
    assert_int_equal(count_states(recorder, MCC_STATE_READY), 0);
    /* What comes instead of them is no CoAP of this kind. */
    raw_accept(&server);
    raw_write(&server, "\x31\x45\x07\xffhi", 6);
    const record_t *waiting = await_state(recorder, MCC_STATE_WAITING);
    assert_true(waiting->reason == MCC_ERR_PROTOCOL || waiting->reason == MCC_ERR_CAPABILITIES_TIMEOUT);
    close_connection(connection, recorder);
    raw_end(&server);
}

int main(int count, char **arguments)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(libcoap_with_openssl_is_spoken_to),
        TEST(libcoap_with_gnutls_is_spoken_to),
        TEST(libcoap_is_kept_alive_and_connected_again),
        TEST(libcoap_over_dtls_that_restarts_is_connected_again),
        TEST(signals_are_answered_and_obeyed),
        TEST(signals_that_never_come_are_not_waited_for),
        TEST(aiocoap_is_spoken_to),
    };
#undef TEST
    if (count > 1 && strncmp(arguments[1], "aiocoap", 7) == 0) {
        char command[4096];
        const char *python = getenv("MCC_TEST_PYTHON");
        (void)snprintf(command, sizeof command, "'%s' -c 'import aiocoap' 2> /dev/null", python == NULL ? "" : python);
        if (system(command) != 0) {
            print_message("skipped: no Python with aiocoap; script/bootstrap installs it, or set MCC_TEST_PYTHON\n");
            return 77;
        }
    }
    return run_chosen_tests(tests, count, arguments);
}
