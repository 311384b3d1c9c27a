/* The PAL's TLS and DTLS, as docs/pal-tls.md has it: peers, records, the end of sessions, what they are made of, threads.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "pal_tls_support.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LARGEST_RECORD = 16384, ALERT = 21, APPLICATION_DATA = 23 };

static const palTLSTransportMode_t both_modes[] = {PAL_TLS_MODE, PAL_DTLS_MODE};

/* Under valgrind. */
static bool is_slow(void)
{
    return getenv("MCC_TEST_FEWER") != NULL;
}

/* ---- the clock of this program, in which a handshake can be held up ---- */

static _Thread_local bool is_held_up;
static sem_t held_up;
static sem_t go_on;

uint64_t pal_osGetTime(void)
{
    if (is_held_up) {
        is_held_up = false;
        (void)sem_post(&held_up);
        while (sem_wait(&go_on) != 0) {
        }
    }
    return (uint64_t)time(NULL);
}

/* Waits for a semaphore, which is bounded. */
static void await_semaphore(sem_t *semaphore)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += SOON_MS / 1000;
    int result;
    while ((result = sem_timedwait(semaphore, &until)) != 0 && errno == EINTR) {
    }
    assert_int_equal(result, 0);
}

/* ---- helpers ---- */

static peer_t *start_plain_server(fixture_t *fixture, palTLSTransportMode_t mode, const char *const *further)
{
    return start_server_with(fixture, MCC_TEST_MBEDTLS_SERVER, mode, "server", further);
}

/* Established over either, with a server that has no Connection ID. */
static peer_t *establish(secure_t *secure, fixture_t *fixture, palTLSTransportMode_t mode)
{
    peer_t *peer = start_plain_server(fixture, mode, NULL);
    secure_open(secure, fixture, mode, peer_port(peer));
    assert_pal(shake_hands(secure, false), PAL_SUCCESS);
    (void)peer_await(peer, "connected");
    return peer;
}

static palStatus_t read_status(secure_t *secure)
{
    uint8_t byte;
    uint32_t read;
    return secure_read(secure, &byte, 1, &read);
}

static palStatus_t write_status(secure_t *secure)
{
    uint32_t written = 0xA5A5;
    palStatus_t status = pal_sslWrite(secure->session, secure->configuration, "x", 1, &written);
    assert_int_equal(written, status == PAL_SUCCESS ? 1 : 0xA5A5);
    return status;
}

/* Reads one record, which is to be these bytes. */
static void read_exactly(secure_t *secure, const void *expected, uint32_t size)
{
    uint8_t *bytes = malloc(size + 16);
    assert_non_null(bytes);
    uint32_t read;
    assert_pal(secure_read(secure, bytes, size + 16, &read), PAL_SUCCESS);
    assert_int_equal(read, size);
    assert_memory_equal(bytes, expected, size);
    free(bytes);
}

/* One call, in which a server that is fast may have done its part already. */
static void begin_handshake(secure_t *secure)
{
    palStatus_t status = pal_handShake(secure->session, secure->configuration, true);
    if (status != PAL_SUCCESS) {
        assert_pal(status, PAL_ERR_TLS_WANT_READ);
    }
}

static void forget_calls(secure_t *secure)
{
    pthread_mutex_lock(&secure->calls.mutex);
    secure->calls.count = 0;
    pthread_mutex_unlock(&secure->calls.mutex);
    secure->seen = 0;
}

/* Each wait of the calls in pal_tls_support.c is for a callback, so that too few of them fail a test; and they are no flood. */
static void expect_at_most_calls(secure_t *secure, unsigned count)
{
    assert_in_range(calls_so_far(&secure->calls), 0, count);
}

static palX509_t load(fixture_t *fixture, const char *name)
{
    size_t size;
    palX509_t loaded = {.buffer = read_certificate(fixture, name, &size)};
    loaded.size = (uint32_t)size;
    return loaded;
}

/* ---- the order in which the client calls ---- */

static void a_session_is_established_and_records_go_both_ways(void **state)
{
    fixture_t *fixture = *state;
    for (size_t index = 0; index < 2; index++) {
        palTLSTransportMode_t mode = both_modes[index];
        peer_t *peer = mode == PAL_TLS_MODE ? start_tls_server(fixture) : start_dtls_server(fixture);
        secure_t secure;
        secure_open(&secure, fixture, mode, peer_port(peer));
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        (void)peer_await(peer, "connected TLS-ECDHE-ECDSA-WITH-AES-128-CCM-8 full");
        assert_pal(pal_handShake(secure.session, secure.configuration, false), PAL_SUCCESS);
        secure_echo(&secure, 1);
        secure_echo(&secure, 1024);
        int32_t result = 77;
        assert_pal(pal_sslGetVerifyResultExtended(secure.session, &result), PAL_SUCCESS);
        assert_int_equal(result, 0);
        expect_at_most_calls(&secure, 20);
        secure_end(&secure);
        if (mode == PAL_TLS_MODE) {
            (void)peer_await(peer, "close-notify");
        }
    }
}

static void a_client_certificate_is_shown(void **state)
{
    fixture_t *fixture = *state;
    const char *further[] = {"--client-ca", certificate_path(fixture, "ca.pem"), NULL};
    for (size_t index = 0; index < 2; index++) {
        peer_t *peer = start_plain_server(fixture, both_modes[index], further);
        secure_t secure;
        secure_open(&secure, fixture, both_modes[index], peer_port(peer));
        secure_identify(&secure, fixture);
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        (void)peer_await(peer, "client-certificate CN=client");
        secure_echo(&secure, 100);
        secure_end(&secure);
    }
}

static void a_session_goes_on_by_its_connection_id_from_another_port(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    secure_t secure;
    secure_open(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
    assert_true(pal_is_cid_available());
    secure_echo(&secure, 10);
    secure_new_socket(&secure, peer_port(peer));
    secure_echo(&secure, 20);
    (void)peer_await(peer, "rebound");
    secure_end(&secure);
    assert_true(pal_is_cid_available());

    /* Freed, and gone on with by another handle: no handshake. */
    secure_open(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    pal_enableSslSessionStoring(secure.configuration, true);
    assert_pal(pal_handShake(secure.session, secure.configuration, false), PAL_SUCCESS);
    secure_echo(&secure, 30);
    assert_int_equal(peer_count(peer, "connected"), 1);
    secure_end(&secure);
    assert_int_equal(peer_count(peer, "close-notify"), 0);
}

static void the_gcm_suites_are_offered_beside_the_first(void **state)
{
    fixture_t *fixture = *state;
    static const struct {
        const char *number;
        const char *name;
    } suites[] = {{"C02B", "connected TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256 full"},
                  {"C02C", "connected TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384 full"},
                  {"C0AE", "connected TLS-ECDHE-ECDSA-WITH-AES-128-CCM-8 full"}};
    for (size_t mode = 0; mode < 2; mode++) {
        for (size_t index = 0; index < 3; index++) {
            const char *further[] = {"--suites", suites[index].number, NULL};
            peer_t *peer = start_plain_server(fixture, both_modes[mode], further);
            secure_t secure;
            secure_open(&secure, fixture, both_modes[mode], peer_port(peer));
            assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
            (void)peer_await(peer, suites[index].name);
            secure_echo(&secure, 1000);
            secure_end(&secure);
            stop_peer(fixture, peer);
        }
    }
}

/* ---- servers of others ---- */

static bool is_installed(const char *program)
{
    const char *path = getenv("PATH");
    char *directories = strdup(path == NULL ? "" : path);
    assert_non_null(directories);
    bool found = false;
    char *rest = directories;
    for (const char *directory; (directory = strsep(&rest, ":")) != NULL && !found;) {
        char file[4096];
        (void)snprintf(file, sizeof file, "%s/%s", directory, program);
        found = access(file, X_OK) == 0;
    }
    free(directories);
    return found;
}

#define skip_without(program)                                         \
    do {                                                              \
        if (!is_installed(program)) {                                 \
            print_message("skipped: there is no %s here\n", program); \
            skip();                                                   \
        }                                                             \
    } while (0)

/* `openssl s_server` with these further arguments; its port is written to `*port`. */
static peer_t *start_openssl(fixture_t *fixture, const char *const *further, uint16_t *port)
{
    const char *arguments[32] = {"openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificate_path(fixture, "server.pem"),
                                 "-key", certificate_path(fixture, "server.key")};
    size_t count = 8;
    for (size_t index = 0; further[index] != NULL; index++) {
        arguments[count++] = further[index];
    }
    peer_t *peer = start_program(fixture, arguments);
    const char *line = peer_await(peer, "ACCEPT ");
    *port = (uint16_t)strtoul(strrchr(line, ':') + 1, NULL, 10);
    assert_int_not_equal(*port, 0);
    return peer;
}

static const char *const openssl_suites[] = {"ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0", "ECDHE-ECDSA-AES128-GCM-SHA256",
                                             "ECDHE-ECDSA-AES256-GCM-SHA384"};

static void openssl_is_spoken_to_over_tls(void **state)
{
    fixture_t *fixture = *state;
    skip_without("openssl");
    for (size_t index = 0; index < 3; index++) {
        const char *further[] = {"-tls1_2", "-cipher", openssl_suites[index], "-rev", NULL};
        uint16_t port;
        peer_t *peer = start_openssl(fixture, further, &port);
        secure_t secure;
        secure_open(&secure, fixture, PAL_TLS_MODE, port);
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        for (int round = 0; round < 10; round++) {
            secure_write(&secure, "stressed\n", 9);
            read_exactly(&secure, "desserts\n", 9);
        }
        expect_at_most_calls(&secure, 50);
        secure_end(&secure);
        (void)peer_await(peer, "CONNECTION CLOSED");
        stop_peer(fixture, peer);
    }
}

static void openssl_is_spoken_to_over_dtls(void **state)
{
    fixture_t *fixture = *state;
    skip_without("openssl");
    for (size_t index = 0; index < 3; index++) {
        const char *further[] = {"-dtls1_2", "-cipher", openssl_suites[index], NULL};
        uint16_t port;
        peer_t *peer = start_openssl(fixture, further, &port);
        secure_t secure;
        secure_open(&secure, fixture, PAL_DTLS_MODE, port);
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        (void)peer_await(peer, "CIPHER is ");
        for (int round = 0; round < 10; round++) {
            /* It shows what it gets, and sends what it is told to. */
            secure_write(&secure, "to the server\n", 14);
            (void)peer_await(peer, "to the server");
            peer_write(peer, "to the client\n", 14);
            read_exactly(&secure, "to the client\n", 14);
        }
        expect_at_most_calls(&secure, 50);
        secure_end(&secure);
        (void)peer_await(peer, "DONE");
        stop_peer(fixture, peer);
    }
}

/* gnutls-serv takes no port 0, and all addresses of its port: tries until nobody has it. */
static peer_t *start_gnutls(fixture_t *fixture, palTLSTransportMode_t mode, const char *priorities, uint16_t *port)
{
    for (int attempt = 0; attempt < 10; attempt++) {
        *port = free_port();
        char port_text[8];
        (void)snprintf(port_text, sizeof port_text, "%u", *port);
        const char *arguments[] = {"gnutls-serv", "--echo", "-p", port_text, "--x509certfile", certificate_path(fixture, "server.pem"),
                                   "--x509keyfile", certificate_path(fixture, "server.key"), "--priority", priorities,
                                   mode == PAL_DTLS_MODE ? "--udp" : NULL, NULL};
        peer_t *peer = start_program(fixture, arguments);
        const char *line = peer_await(peer, mode == PAL_DTLS_MODE ? "UDP Echo Server listening on IPv4" : "Echo Server listening on IPv4");
        if (strstr(line, "done") != NULL) {
            return peer;
        }
        stop_peer(fixture, peer);
    }
    fail_msg("gnutls-serv found its port taken ten times");
    return NULL;
}

static void gnutls_is_spoken_to(void **state)
{
    fixture_t *fixture = *state;
    skip_without("gnutls-serv");
    static const char *const priorities[] = {"NORMAL:-CIPHER-ALL:+AES-128-CCM-8", "NORMAL:-CIPHER-ALL:+AES-128-GCM", "NORMAL"};
    for (size_t mode = 0; mode < 2; mode++) {
        for (size_t index = 0; index < 3; index++) {
            uint16_t port;
            peer_t *peer = start_gnutls(fixture, both_modes[mode], priorities[index], &port);
            secure_t secure;
            secure_open(&secure, fixture, both_modes[mode], port);
            assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
            for (int round = 0; round < 10; round++) {
                secure_write(&secure, "hello\n", 6);
                read_exactly(&secure, "hello\n", 6);
            }
            expect_at_most_calls(&secure, 50);
            secure_end(&secure);
            stop_peer(fixture, peer);
        }
    }
}

static bool is_free(uint16_t port, int type)
{
    int probe = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int taken = bind(probe, (const struct sockaddr *)&address, sizeof address);
    close(probe);
    return taken == 0;
}

/* libcoap's port for DTLS stands behind that for UDP. */
static uint16_t two_free_ports(void)
{
    for (;;) {
        uint16_t port = free_port();
        uint16_t next = (uint16_t)(port + 1);
        if (next != 0 && is_free(next, SOCK_STREAM) && is_free(next, SOCK_DGRAM)) {
            return port;
        }
    }
}

/* libcoap answers at most one ping in 250 ms, and none in its first 250 ms. */
static void ping_libcoap(secure_t *secure, uint8_t id)
{
    sleep_ms(300);
    const uint8_t ping[] = {0x40, 0, 0x12, id};
    const uint8_t reset[] = {0x70, 0, 0x12, id};
    secure_write(secure, ping, sizeof ping);
    read_exactly(secure, reset, sizeof reset);
}

static void speak_with_libcoap(fixture_t *fixture, const char *program)
{
    skip_without(program);
    uint16_t port = two_free_ports();
    char port_text[8];
    (void)snprintf(port_text, sizeof port_text, "%u", port);
    const char *arguments[] = {program, "-A", "127.0.0.1", "-p", port_text, "-n", "-c", certificate_path(fixture, "server.pem"), "-j",
                               certificate_path(fixture, "server.key"), "-k", "secret of both", "-h", "hint", NULL};
    peer_t *peer = start_server(fixture, port, arguments);
    for (int with_psk = 0; with_psk < 2; with_psk++) {
        secure_t secure;
        secure_begin(&secure, PAL_DTLS_MODE, (uint16_t)(port + 1));
        if (with_psk) {
            assert_pal(pal_setPSK(secure.configuration, (const unsigned char *)"device", 6, (const unsigned char *)"secret of both", 14),
                       PAL_SUCCESS);
        } else {
            secure_trust(&secure, fixture, "ca.pem");
            secure_identify(&secure, fixture);
        }
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        ping_libcoap(&secure, 1);
        ping_libcoap(&secure, 2);
        expect_at_most_calls(&secure, 30);
        secure_end(&secure);
    }
    stop_peer(fixture, peer);
}

static void libcoap_with_openssl_answers_pings_over_dtls(void **state)
{
    speak_with_libcoap(*state, "coap-server-openssl");
}

static void libcoap_with_gnutls_answers_pings_over_dtls(void **state)
{
    skip_under_valgrind("a handshake that takes longer than a second has its flights repeated, after which libcoap with GnuTLS takes the "
                        "first datagram for one of the handshake");
    speak_with_libcoap(*state, "coap-server-gnutls");
}

/* ---- handshakes that fail ---- */

/* The handshake ends so, says so again, and there is nothing to read or to write. */
static void expect_failed_handshake(secure_t *secure, palStatus_t expected)
{
    assert_pal(shake_hands(secure, false), expected);
    assert_pal(pal_handShake(secure->session, secure->configuration, false), expected);
    assert_pal(read_status(secure), expected);
    assert_pal(write_status(secure), expected);
}

static void expect_refusal(fixture_t *fixture, palTLSTransportMode_t mode, uint16_t port, palStatus_t expected)
{
    secure_t secure;
    secure_open(&secure, fixture, mode, port);
    expect_failed_handshake(&secure, expected);
    expect_at_most_calls(&secure, 20);
    secure_end(&secure);
}

static void servers_of_other_versions_refuse_by_an_alert(void **state)
{
    fixture_t *fixture = *state;
    skip_without("openssl");
    static const char *const versions[] = {"-tls1_3", "-tls1_1", "-tls1"};
    for (size_t index = 0; index < 3; index++) {
        const char *further[] = {versions[index], "-cipher", "ALL:@SECLEVEL=0", "-rev", NULL};
        uint16_t port;
        peer_t *peer = start_openssl(fixture, further, &port);
        expect_refusal(fixture, PAL_TLS_MODE, port, PAL_ERR_SSL_FATAL_ALERT_MESSAGE);
        stop_peer(fixture, peer);
    }
    const char *further[] = {"-dtls1", "-cipher", "ALL:@SECLEVEL=0", NULL};
    uint16_t port;
    peer_t *peer = start_openssl(fixture, further, &port);
    expect_refusal(fixture, PAL_DTLS_MODE, port, PAL_ERR_SSL_FATAL_ALERT_MESSAGE);
    stop_peer(fixture, peer);
}

static int raw_bind(int type, uint16_t *port)
{
    int descriptor = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    assert_int_equal(bind(descriptor, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&address, &size), 0);
    if (type == SOCK_STREAM) {
        assert_int_equal(listen(descriptor, 8), 0);
    }
    *port = ntohs(address.sin_port);
    return descriptor;
}

static void raw_await(int descriptor)
{
    struct pollfd entry = {.fd = descriptor, .events = POLLIN};
    assert_int_equal(poll(&entry, 1, SOON_MS), 1);
}

/* A session that has sent its ClientHello to a server which this test plays: gives the descriptor to answer at. */
static int receive_client_hello(secure_t *secure, fixture_t *fixture, palTLSTransportMode_t mode)
{
    uint16_t port;
    uint8_t hello[2048];
    int server = raw_bind(mode == PAL_TLS_MODE ? SOCK_STREAM : SOCK_DGRAM, &port);
    secure_open(secure, fixture, mode, port);
    assert_pal(pal_handShake(secure->session, secure->configuration, false), PAL_ERR_TLS_WANT_READ);
    raw_await(server);
    if (mode == PAL_TLS_MODE) {
        int accepted = accept4(server, NULL, NULL, SOCK_CLOEXEC);
        assert_true(accepted >= 0);
        close(server);
        raw_await(accepted);
        assert_true(recv(accepted, hello, sizeof hello, 0) > 5);
        assert_int_equal(hello[0], 22);
        return accepted;
    }
    struct sockaddr_in client;
    socklen_t size = sizeof client;
    assert_true(recvfrom(server, hello, sizeof hello, 0, (struct sockaddr *)&client, &size) > 13);
    assert_int_equal(connect(server, (const struct sockaddr *)&client, size), 0);
    return server;
}

/* A ServerHello of this version, which chooses ECDHE-ECDSA-AES128-CCM-8. */
static void send_server_hello(int descriptor, palTLSTransportMode_t mode, uint16_t version)
{
    const uint8_t high = (uint8_t)(version >> 8), low = (uint8_t)version;
    uint8_t body[38] = {high, low};
    memset(body + 2, 7, 32);
    memcpy(body + 34, "\x00\xC0\xAE\x00", 4);
    uint8_t message[128];
    size_t size = 0;
    if (mode == PAL_TLS_MODE) {
        /* No later version than 1.2 stands in a record's head. */
        const uint8_t head[] = {22, high, low < 3 ? low : 3, 0, 4 + sizeof body, 2, 0, 0, sizeof body};
        memcpy(message, head, size = sizeof head);
    } else {
        const uint8_t head[] = {22, high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12 + sizeof body, 2, 0, 0, sizeof body, 0, 0, 0, 0, 0, 0, 0,
                                sizeof body};
        memcpy(message, head, size = sizeof head);
    }
    memcpy(message + size, body, sizeof body);
    size += sizeof body;
    assert_int_equal(send(descriptor, message, size, MSG_NOSIGNAL), size);
}

static void a_server_that_chooses_another_version_is_a_version_mismatch(void **state)
{
    fixture_t *fixture = *state;
    static const struct {
        palTLSTransportMode_t mode;
        uint16_t version;
    } cases[] = {{PAL_TLS_MODE, 0x0301}, {PAL_TLS_MODE, 0x0302}, {PAL_TLS_MODE, 0x0304}, {PAL_DTLS_MODE, 0xFEFF}};
    for (size_t index = 0; index < 4; index++) {
        secure_t secure;
        int server = receive_client_hello(&secure, fixture, cases[index].mode);
        send_server_hello(server, cases[index].mode, cases[index].version);
        expect_failed_handshake(&secure, PAL_ERR_TLS_SSL_VERSION_MISMATCH);
        secure_end(&secure);
        close(server);
    }
}

static void without_a_common_suite_the_server_refuses_by_an_alert(void **state)
{
    fixture_t *fixture = *state;
    const char *further[] = {"--suites", "C0AC,C0AF", NULL};
    for (size_t index = 0; index < 2; index++) {
        peer_t *peer = start_plain_server(fixture, both_modes[index], further);
        expect_refusal(fixture, both_modes[index], peer_port(peer), PAL_ERR_SSL_FATAL_ALERT_MESSAGE);
    }
}

static void a_server_that_wants_a_certificate_and_gets_none_refuses_by_an_alert(void **state)
{
    fixture_t *fixture = *state;
    skip_without("openssl");
    static const char *const versions[] = {"-tls1_2", "-dtls1_2"};
    for (size_t index = 0; index < 2; index++) {
        const char *further[] = {versions[index], "-Verify", "2", "-CAfile", certificate_path(fixture, "ca.pem"), NULL};
        uint16_t port;
        peer_t *peer = start_openssl(fixture, further, &port);
        expect_refusal(fixture, both_modes[index], port, PAL_ERR_SSL_FATAL_ALERT_MESSAGE);
        stop_peer(fixture, peer);
    }
}

static void a_server_of_another_authority_is_not_trusted(void **state)
{
    fixture_t *fixture = *state;
    for (size_t index = 0; index < 2; index++) {
        peer_t *peer = start_plain_server(fixture, both_modes[index], NULL);
        secure_t secure;
        secure_begin(&secure, both_modes[index], peer_port(peer));
        secure_trust(&secure, fixture, "other-ca.pem");
        expect_failed_handshake(&secure, PAL_ERR_X509_CERT_VERIFY_FAILED);
        int32_t result = 0;
        assert_pal(pal_sslGetVerifyResultExtended(secure.session, &result), PAL_ERR_X509_CERT_VERIFY_FAILED);
        assert_int_equal(result, PAL_ERR_X509_BADCERT_NOT_TRUSTED);
        secure_end(&secure);
        /* unknown_ca */
        (void)peer_await(peer, "alert 48");

        /* Nobody is trusted where nobody was named. */
        secure_begin(&secure, both_modes[index], peer_port(peer));
        expect_failed_handshake(&secure, PAL_ERR_X509_CERT_VERIFY_FAILED);
        assert_pal(pal_sslGetVerifyResultExtended(secure.session, &result), PAL_ERR_X509_CERT_VERIFY_FAILED);
        assert_int_equal(result, PAL_ERR_X509_BADCERT_NOT_TRUSTED);
        secure_end(&secure);
    }
}

static void a_server_with_rsa_alone_refuses_by_an_alert(void **state)
{
    fixture_t *fixture = *state;
    skip_without("openssl");
    char directory[] = "/tmp/mcc-rsa-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char command[512];
    (void)snprintf(command, sizeof command,
                   "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key.pem -out certificate.pem 2> log",
                   directory);
    assert_int_equal(system(command), 0);
    char certificate[64], key[64];
    (void)snprintf(certificate, sizeof certificate, "%s/certificate.pem", directory);
    (void)snprintf(key, sizeof key, "%s/key.pem", directory);
    /* The later -cert is the one that counts. */
    const char *further[] = {"-tls1_2", "-cert", certificate, "-key", key, "-rev", NULL};
    uint16_t port;
    (void)start_openssl(fixture, further, &port);
    (void)snprintf(command, sizeof command, "rm -r %s", directory);
    assert_int_equal(system(command), 0);
    expect_refusal(fixture, PAL_TLS_MODE, port, PAL_ERR_SSL_FATAL_ALERT_MESSAGE);
}

static void a_fatal_alert_ends_a_handshake_and_a_session(void **state)
{
    fixture_t *fixture = *state;
    for (size_t index = 0; index < 2; index++) {
        secure_t secure;
        peer_t *peer = establish(&secure, fixture, both_modes[index]);
        peer_command(peer, "alert 80");
        for (int round = 0; round < 3; round++) {
            assert_pal(read_status(&secure), PAL_ERR_SSL_FATAL_ALERT_MESSAGE);
            assert_pal(write_status(&secure), PAL_ERR_SSL_FATAL_ALERT_MESSAGE);
        }
        secure_end(&secure);

        peer_command(peer, "refuse 40");
        expect_refusal(fixture, both_modes[index], peer_port(peer), PAL_ERR_SSL_FATAL_ALERT_MESSAGE);
        peer_command(peer, "refuse 0");
        secure_open(&secure, fixture, both_modes[index], peer_port(peer));
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        secure_end(&secure);
    }
}

static void close_with_reset(int descriptor)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    close(descriptor);
}

static void a_reset_in_the_handshake_is_as_an_alert(void **state)
{
    fixture_t *fixture = *state;
    secure_t secure;
    close_with_reset(receive_client_hello(&secure, fixture, PAL_TLS_MODE));
    expect_failed_handshake(&secure, PAL_ERR_SSL_FATAL_ALERT_MESSAGE);
    secure_end(&secure);

    /* An end of the stream is not. */
    close(receive_client_hello(&secure, fixture, PAL_TLS_MODE));
    expect_failed_handshake(&secure, PAL_ERR_GENERIC_FAILURE);
    secure_end(&secure);
}

static void a_handshake_that_nobody_answers_times_out_over_dtls(void **state)
{
    (void)state;
    uint16_t port;
    int server = raw_bind(SOCK_DGRAM, &port);
    secure_t secure;
    secure_begin(&secure, PAL_DTLS_MODE, port);
    assert_pal(pal_setHandShakeTimeOut(secure.configuration, 100, 400), PAL_SUCCESS);
    assert_pal(shake_hands(&secure, false), PAL_ERR_TLS_TIMEOUT);
    /* After 100, 200 and 400 ms; a call comes for each and for nothing else. */
    assert_in_range(calls_so_far(&secure.calls), 3, 4);
    assert_pal(pal_handShake(secure.session, secure.configuration, false), PAL_ERR_TLS_TIMEOUT);
    int waiting = 0;
    uint8_t hello[2048];
    while (recv(server, hello, sizeof hello, MSG_DONTWAIT) > 0) {
        assert_int_equal(hello[0], 22);
        waiting++;
    }
    assert_int_equal(waiting, 3);
    secure_end(&secure);
    close(server);
}

/* ---- records ---- */

static void one_write_is_one_record_with_its_whole_content(void **state)
{
    fixture_t *fixture = *state;
    static const uint32_t sizes[] = {1, 2, 15, 16, 17, 255, 256, 1000, 1400, 1500, 4096, 8191, 16000, 16383, LARGEST_RECORD};
    for (size_t mode = 0; mode < 2; mode++) {
        secure_t secure;
        peer_t *peer = establish(&secure, fixture, both_modes[mode]);
        forget_calls(&secure);
        for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++) {
            secure_echo(&secure, sizes[index]);
            char line[32];
            (void)snprintf(line, sizeof line, "record %u ", sizes[index]);
            (void)peer_await(peer, line);
        }
        peer_await_count(peer, "record", sizeof sizes / sizeof *sizes);
        expect_at_most_calls(&secure, 100);
        secure_end(&secure);
    }
}

static void more_than_a_record_takes_is_written_in_part_or_refused(void **state)
{
    fixture_t *fixture = *state;
    static uint8_t bytes[40000];
    secure_t secure;
    peer_t *peer = establish(&secure, fixture, PAL_TLS_MODE);
    peer_command(peer, "mute");
    uint32_t written = 0;
    assert_pal(pal_sslWrite(secure.session, secure.configuration, bytes, sizeof bytes, &written), PAL_SUCCESS);
    assert_int_equal(written, LARGEST_RECORD);
    (void)peer_await(peer, "record 16384 ");
    assert_pal(pal_sslWrite(secure.session, secure.configuration, bytes + written, sizeof bytes - written, &written), PAL_SUCCESS);
    assert_int_equal(written, LARGEST_RECORD);
    secure_end(&secure);
    peer_await_count(peer, "record", 2);

    peer = establish(&secure, fixture, PAL_DTLS_MODE);
    written = 77;
    assert_pal(pal_sslWrite(secure.session, secure.configuration, bytes, LARGEST_RECORD + 1, &written), PAL_ERR_TLS_BAD_INPUT_DATA);
    assert_int_equal(written, 77);
    secure_echo(&secure, LARGEST_RECORD);
    secure_end(&secure);
    peer_await_count(peer, "record", 1);
}

static void no_bytes_make_no_record_and_no_room_reads_nothing(void **state)
{
    fixture_t *fixture = *state;
    for (size_t index = 0; index < 2; index++) {
        secure_t secure;
        peer_t *peer = establish(&secure, fixture, both_modes[index]);
        uint32_t size = 77;
        assert_pal(pal_sslWrite(secure.session, secure.configuration, "", 0, &size), PAL_SUCCESS);
        assert_int_equal(size, 0);
        size = 77;
        peer_command(peer, "send 616263");
        char bytes[4];
        assert_pal(pal_sslRead(secure.session, bytes, 0, &size), PAL_ERR_END_OF_FILE);
        assert_int_equal(size, 77);
        read_exactly(&secure, "abc", 3);
        assert_pal(pal_sslRead(secure.session, bytes, 0, &size), PAL_ERR_END_OF_FILE);
        secure_echo(&secure, 9);
        peer_await_count(peer, "record", 1);
        secure_end(&secure);
    }
}

static void one_read_gives_bytes_of_one_record_alone(void **state)
{
    fixture_t *fixture = *state;
    for (size_t mode = 0; mode < 2; mode++) {
        secure_t secure;
        peer_t *peer = establish(&secure, fixture, both_modes[mode]);
        forget_calls(&secure);
        /* All of them are there before the first is read; a datagram socket has room for so many. */
        const unsigned count = mode == 0 ? 1000 : 100;
        peer_command(peer, "burst %u 10", count);
        for (unsigned index = 0; index < count; index++) {
            uint8_t expected[10];
            memset(expected, (int)(index & 0xff), sizeof expected);
            read_exactly(&secure, expected, sizeof expected);
        }
        uint8_t bytes[64];
        uint32_t read = 77;
        assert_pal(pal_sslRead(secure.session, bytes, sizeof bytes, &read), PAL_ERR_TLS_WANT_READ);
        assert_int_equal(read, 77);

        /* In parts, none of which is of two records. */
        peer_command(peer, "burst 3 100");
        for (unsigned index = 0; index < 3; index++) {
            for (uint32_t left = 100; left > 0;) {
                assert_pal(secure_read(&secure, bytes, 30, &read), PAL_SUCCESS);
                assert_int_equal(read, left < 30 ? left : 30);
                for (uint32_t at = 0; at < read; at++) {
                    assert_int_equal(bytes[at], index);
                }
                left -= read;
            }
        }
        assert_pal(pal_sslRead(secure.session, bytes, sizeof bytes, &read), PAL_ERR_TLS_WANT_READ);
        expect_at_most_calls(&secure, count + 20);
        secure_end(&secure);
    }
}

static void records_of_16_kb_go_both_ways_many_at_once(void **state)
{
    fixture_t *fixture = *state;
    secure_t secure;
    peer_t *peer = establish(&secure, fixture, PAL_TLS_MODE);
    const unsigned count = times(100) < 20 ? 20 : times(100);
    static uint8_t bytes[LARGEST_RECORD];
    peer_command(peer, "burst %u 16384", count);
    for (unsigned index = 0; index < count; index++) {
        memset(bytes, (int)(index & 0xff), sizeof bytes);
        read_exactly(&secure, bytes, sizeof bytes);
    }
    peer_command(peer, "mute");
    for (unsigned index = 0; index < count; index++) {
        secure_write(&secure, bytes, sizeof bytes);
    }
    peer_await_count(peer, "record 16384", count);
    secure_end(&secure);
    (void)peer_await(peer, "close-notify");
}

static void a_chain_of_16_kb_and_a_handshake_in_pieces_are_taken(void **state)
{
    fixture_t *fixture = *state;
    static const unsigned pieces[] = {0, 1000, 97};
    for (size_t mode = 0; mode < 2; mode++) {
        for (size_t index = 0; index < 3; index++) {
            /* In small datagrams so long a chain is more than a socket holds. */
            const char *certificate = index == 2 ? "chained" : "long";
            peer_t *peer = start_server_with(fixture, MCC_TEST_MBEDTLS_SERVER, both_modes[mode], certificate, NULL);
            unsigned piece = mode == 1 && index == 2 ? 300 : pieces[index];
            if (piece > 0) {
                peer_command(peer, "fragment %u", piece);
            }
            secure_t secure;
            secure_open(&secure, fixture, both_modes[mode], peer_port(peer));
            assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
            secure_echo(&secure, 1000);
            secure_end(&secure);
            stop_peer(fixture, peer);
        }
    }
}

/* Writes records of 16 KB until one waits; gives how many went out before it. */
static unsigned write_until_one_waits(secure_t *secure, const uint8_t *bytes)
{
    unsigned waited = 0;
    for (unsigned count = 0; count < 10000;) {
        secure->seen = calls_so_far(&secure->calls);
        uint32_t written = 77;
        palStatus_t status = pal_sslWrite(secure->session, secure->configuration, bytes, LARGEST_RECORD, &written);
        if (status == PAL_ERR_TLS_WANT_WRITE) {
            assert_int_equal(written, 77);
            /* Still so after a moment: the kernel may have made its buffers larger meanwhile. */
            if (waited++ > 0) {
                return count;
            }
            sleep_ms(100);
            continue;
        }
        assert_pal(status, PAL_SUCCESS);
        assert_int_equal(written, LARGEST_RECORD);
        waited = 0;
        count++;
    }
    fail_msg("a peer that reads nothing took everything");
    return 0;
}

static void a_record_that_waits_goes_out_once(void **state)
{
    fixture_t *fixture = *state;
    static uint8_t bytes[LARGEST_RECORD], others[LARGEST_RECORD];
    memset(bytes, 1, sizeof bytes);
    memset(others, 2, sizeof others);
    secure_t secure;
    peer_t *peer = establish(&secure, fixture, PAL_TLS_MODE);
    peer_command(peer, "mute");
    unsigned count = 0;
    const unsigned rounds = is_slow() ? 1 : 3;
    for (unsigned round = 0; round < rounds; round++) {
        peer_command(peer, "silent");
        count += write_until_one_waits(&secure, bytes);
        uint32_t written = 77;
        for (int again = 0; again < 3; again++) {
            assert_pal(pal_sslWrite(secure.session, secure.configuration, others, sizeof others, &written), PAL_ERR_TLS_BAD_INPUT_DATA);
            assert_pal(pal_sslWrite(secure.session, secure.configuration, bytes, sizeof bytes - 1, &written),
                       PAL_ERR_TLS_BAD_INPUT_DATA);
            assert_pal(pal_sslWrite(secure.session, secure.configuration, bytes, sizeof bytes, &written), PAL_ERR_TLS_WANT_WRITE);
        }
        assert_int_equal(written, 77);
        uint8_t byte;
        assert_pal(pal_sslRead(secure.session, &byte, 1, &written), PAL_ERR_TLS_WANT_READ);
        expect_calls(&secure.calls, calls_so_far(&secure.calls));
        peer_command(peer, "answer");
        await_call(&secure);
        secure_write(&secure, bytes, sizeof bytes);
        count++;
        peer_await_count(peer, "record 16384", count);
        secure_write(&secure, others, 5);
        (void)peer_await(peer, "record 5 ");
    }
    peer_command(peer, "echo");
    secure_echo(&secure, 3);
    peer_await_count(peer, "record", count + rounds + 1);
    secure_end(&secure);
    (void)peer_await(peer, "close-notify");
}

static void while_a_record_waits_others_are_read(void **state)
{
    fixture_t *fixture = *state;
    static uint8_t bytes[LARGEST_RECORD], sent[LARGEST_RECORD];
    secure_t secure;
    peer_t *peer = establish(&secure, fixture, PAL_TLS_MODE);
    peer_command(peer, "mute");
    peer_command(peer, "silent");
    unsigned count = write_until_one_waits(&secure, bytes);
    peer_command(peer, "burst 20 %d", LARGEST_RECORD);
    for (int index = 0; index < 20; index++) {
        memset(sent, index, sizeof sent);
        read_exactly(&secure, sent, sizeof sent);
    }
    uint32_t written = 77;
    assert_pal(pal_sslWrite(secure.session, secure.configuration, sent, sizeof sent, &written), PAL_ERR_TLS_BAD_INPUT_DATA);
    peer_command(peer, "answer");
    secure_write(&secure, bytes, sizeof bytes);
    peer_await_count(peer, "record 16384", count + 1);
    peer_command(peer, "echo");
    secure_echo(&secure, 3);
    peer_await_count(peer, "record", count + 2);
    secure_end(&secure);
}

static void a_session_that_is_freed_while_a_record_waits_blocks_nobody(void **state)
{
    fixture_t *fixture = *state;
    static uint8_t bytes[LARGEST_RECORD];
    for (int closes_first = 0; closes_first < 2; closes_first++) {
        secure_t secure;
        peer_t *peer = establish(&secure, fixture, PAL_TLS_MODE);
        peer_command(peer, "silent");
        (void)write_until_one_waits(&secure, bytes);
        if (closes_first) {
            close_socket(&secure.socket);
        }
        secure_end(&secure);
        peer_command(peer, "answer");
        /* What the socket had taken arrives, and the session does not end in order: there was no room to say so. */
        (void)peer_await(peer, "closed-by-client");
        assert_int_equal(peer_count(peer, "close-notify"), 0);
        stop_peer(fixture, peer);
    }
}

static void a_small_send_buffer_takes_large_records(void **state)
{
    fixture_t *fixture = *state;
    for (size_t mode = 0; mode < 2; mode++) {
        secure_t secure;
        peer_t *peer = establish(&secure, fixture, both_modes[mode]);
        int size = 4096;
        assert_int_equal(setsockopt(descriptor_of(secure.socket), SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
        for (int round = 0; round < 20; round++) {
            secure_echo(&secure, both_modes[mode] == PAL_TLS_MODE ? LARGEST_RECORD : 1024);
        }
        peer_await_count(peer, "record", 20);
        secure_end(&secure);
    }
}

/* ---- a send buffer that is full ---- */

typedef struct {
    secure_t *secure;
    int listener;
    sem_t is_ready;
} starved_t;

/* Has the system ask this test what becomes of each sendto(2) of this thread. */
static int ask_for_sends(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendto, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return -1;
    }
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static void *run_starved(void *argument)
{
    starved_t *starved = argument;
    starved->listener = ask_for_sends();
    (void)sem_post(&starved->is_ready);
    if (starved->listener >= 0) {
        assert_pal(shake_hands(starved->secure, false), PAL_SUCCESS);
        for (uint32_t size = 1; size <= 1000; size += 333) {
            secure_echo(starved->secure, size);
        }
    }
    return NULL;
}

/* Says ENOBUFS twice, and lets the third pass, and so on; gives how many passed. */
static unsigned answer_sends(int listener)
{
    unsigned asked = 0, passed = 0;
    for (;;) {
        struct pollfd entry = {.fd = listener, .events = POLLIN};
        assert_int_equal(poll(&entry, 1, SOON_MS), 1);
        if ((entry.revents & POLLIN) == 0) {
            return passed;
        }
        struct seccomp_notif question = {0};
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &question) != 0) {
            continue;
        }
        struct seccomp_notif_resp answer = {.id = question.id};
        if (asked++ % 3 < 2) {
            answer.error = -ENOBUFS;
        } else {
            answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
            passed++;
        }
        assert_int_equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer), 0);
    }
}

static void without_buffers_it_is_want_write_and_the_callback_comes(void **state)
{
    fixture_t *fixture = *state;
    if (is_slow()) {
        /* It answers some system calls itself. */
        skip();
    }
    for (size_t mode = 0; mode < 2; mode++) {
        peer_t *peer = start_plain_server(fixture, both_modes[mode], NULL);
        secure_t secure;
        secure_open(&secure, fixture, both_modes[mode], peer_port(peer));
        starved_t starved = {.secure = &secure};
        assert_int_equal(sem_init(&starved.is_ready, 0, 0), 0);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, run_starved, &starved), 0);
        await_semaphore(&starved.is_ready);
        unsigned passed = starved.listener < 0 ? 0 : answer_sends(starved.listener);
        assert_int_equal(pthread_join(thread, NULL), 0);
        (void)sem_destroy(&starved.is_ready);
        if (starved.listener < 0) {
            secure_end(&secure);
            print_message("skipped: the system lets no program answer system calls\n");
            skip();
        }
        close(starved.listener);
        /* The flights of the handshake and four records: nothing was sent twice. */
        assert_in_range(passed, 6, 12);
        peer_await_count(peer, "record", 4);
        secure_end(&secure);
    }
}

/* ---- what goes over the wire ---- */

/* Stands between a client of TLS and its server, and counts the client's records by their types. */
typedef struct {
    int listener;
    uint16_t port;
    uint16_t target;
    pthread_t thread;
    unsigned records[256];
    uint8_t header[5];
    size_t header_size;
    size_t left;
    bool gave_up;
} tap_t;

static void tap_count(tap_t *tap, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        if (tap->left > 0) {
            size_t skipped = tap->left < size ? tap->left : size;
            tap->left -= skipped;
            bytes += skipped;
            size -= skipped;
            continue;
        }
        tap->header[tap->header_size++] = *bytes++;
        size--;
        if (tap->header_size == sizeof tap->header) {
            tap->records[tap->header[0]]++;
            tap->left = (size_t)tap->header[3] << 8 | tap->header[4];
            tap->header_size = 0;
        }
    }
}

static void *tap_run(void *argument)
{
    tap_t *tap = argument;
    struct pollfd entries[2] = {{.fd = tap->listener, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    tap->gave_up = poll(entries, 1, SOON_MS) != 1;
    if (tap->gave_up) {
        return NULL;
    }
    entries[0].fd = accept4(tap->listener, NULL, NULL, SOCK_CLOEXEC);
    int ends[2] = {entries[0].fd, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    entries[1].fd = ends[1];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(tap->target)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    tap->gave_up = connect(ends[1], (const struct sockaddr *)&address, sizeof address) != 0;
    while (!tap->gave_up && (entries[0].fd >= 0 || entries[1].fd >= 0)) {
        tap->gave_up = poll(entries, 2, SOON_MS) < 1;
        for (int from = 0; from < 2; from++) {
            if (entries[from].fd < 0 || entries[from].revents == 0) {
                continue;
            }
            uint8_t bytes[4096];
            ssize_t size = recv(ends[from], bytes, sizeof bytes, 0);
            if (size > 0) {
                if (from == 0) {
                    tap_count(tap, bytes, (size_t)size);
                }
                (void)send(ends[1 - from], bytes, (size_t)size, MSG_NOSIGNAL);
                continue;
            }
            /* Its end, or a reset: the client closes without having read the server's last word. */
            (void)shutdown(ends[1 - from], SHUT_WR);
            entries[from].fd = -1;
        }
    }
    close(ends[0]);
    close(ends[1]);
    return NULL;
}

static void tap_begin(tap_t *tap, uint16_t target)
{
    memset(tap, 0, sizeof *tap);
    tap->target = target;
    tap->listener = raw_bind(SOCK_STREAM, &tap->port);
    assert_int_equal(pthread_create(&tap->thread, NULL, tap_run, tap), 0);
}

/* Waits until both ends have ended their streams. */
static void tap_end(tap_t *tap)
{
    assert_int_equal(pthread_join(tap->thread, NULL), 0);
    close(tap->listener);
    assert_false(tap->gave_up);
    assert_int_equal(tap->left, 0);
    assert_int_equal(tap->header_size, 0);
}

/* ---- the end of a session ---- */

static void close_notify_is_said_once_whatever_is_ended_first(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_plain_server(fixture, PAL_TLS_MODE, NULL);
    enum { FREE_THEN_CLOSE, CLOSE_THEN_FREE, BEGINNING_AGAIN, AFTER_THE_PEER, WAYS };
    for (int way = 0; way < WAYS; way++) {
        tap_t tap;
        tap_begin(&tap, peer_port(peer));
        secure_t secure;
        secure_open(&secure, fixture, PAL_TLS_MODE, tap.port);
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        secure_echo(&secure, 100);
        size_t before = peer_count(peer, "close-notify");
        switch (way) {
        case CLOSE_THEN_FREE:
            close_socket(&secure.socket);
            (void)peer_await(peer, "close-notify");
            break;
        case BEGINNING_AGAIN:
            /* The next session of the configuration, over a socket of its own. */
            assert_pal(pal_freeTLS(&secure.session), PAL_SUCCESS);
            (void)peer_await(peer, "close-notify");
            assert_pal(pal_initTLS(secure.configuration, &secure.session, false), PAL_SUCCESS);
            close_socket(&secure.socket);
            break;
        case AFTER_THE_PEER:
            peer_command(peer, "close");
            assert_pal(read_status(&secure), PAL_ERR_TLS_PEER_CLOSE_NOTIFY);
            break;
        default:
            break;
        }
        secure_end(&secure);
        tap_end(&tap);
        assert_int_equal(tap.records[ALERT], 1);
        assert_int_equal(tap.records[APPLICATION_DATA], 1);
        if (way != AFTER_THE_PEER) {
            peer_await_count(peer, "close-notify", before + 1);
        }
    }
}

static void a_dtls_session_without_connection_id_ends_with_close_notify_too(void **state)
{
    fixture_t *fixture = *state;
    for (int closes_first = 0; closes_first < 2; closes_first++) {
        secure_t secure;
        peer_t *peer = establish(&secure, fixture, PAL_DTLS_MODE);
        secure_echo(&secure, 100);
        if (closes_first) {
            close_socket(&secure.socket);
        }
        secure_end(&secure);
        (void)peer_await(peer, "close-notify");
        assert_int_equal(peer_count(peer, "unknown-session"), 0);
    }
}

/* Two ends of which the first is for looking whether anything was written to the second. */
static void make_ends(int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

static void expect_nothing_written(int descriptor)
{
    uint8_t byte;
    errno = 0;
    assert_int_equal(recv(descriptor, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

static void nothing_is_written_to_a_number_that_pal_close_gave_back(void **state)
{
    fixture_t *fixture = *state;
    for (size_t mode = 0; mode < 2; mode++) {
        secure_t secure;
        (void)establish(&secure, fixture, both_modes[mode]);
        int number = descriptor_of(secure.socket);
        close_socket(&secure.socket);
        int ends[2];
        make_ends(ends);
        /* The lowest number that is free is that of the socket, or what belongs to the test has taken it before. */
        if (ends[0] == number) {
            ends[0] = ends[1];
        } else if (ends[1] != number) {
            assert_int_equal(dup3(ends[1], number, O_CLOEXEC), number);
            close(ends[1]);
        }
        assert_true(write_status(&secure) != PAL_SUCCESS);
        assert_true(read_status(&secure) != PAL_SUCCESS);
        assert_pal(pal_freeTLS(&secure.session), PAL_SUCCESS);
        expect_nothing_written(ends[0]);
        close(number);
        close(ends[0]);
        secure_end(&secure);
    }
}

static void nothing_is_written_to_another_socket_of_the_same_number(void **state)
{
    fixture_t *fixture = *state;
    secure_t secure;
    (void)establish(&secure, fixture, PAL_TLS_MODE);
    int number = descriptor_of(secure.socket);
    close_socket(&secure.socket);
    calls_t calls;
    calls_begin(&calls);
    uint16_t port;
    int listener = raw_bind(SOCK_STREAM, &port);
    palSocket_t other = make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &calls);
    if (descriptor_of(other) != number) {
        /* The listener took it: change places. */
        assert_int_equal(listener, number);
        listener = fcntl(number, F_DUPFD_CLOEXEC, 0);
        close(number);
        close_socket(&other);
        int held = -1;
        do {
            if (descriptor_of(other) >= 0) {
                close_socket(&other);
            }
            other = make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &calls);
        } while (descriptor_of(other) != number && held++ < 8);
    }
    assert_int_equal(descriptor_of(other), number);
    palSocketAddress_t address = loopback(PAL_AF_INET, port);
    palStatus_t status;
    for (unsigned seen = 0; (status = pal_connect(other, &address, ADDRESS_SIZE)) == PAL_ERR_SOCKET_IN_PROGRES;) {
        await_calls(&calls, ++seen);
    }
    assert_pal(status, PAL_SUCCESS);
    raw_await(listener);
    int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(accepted >= 0);
    assert_true(write_status(&secure) != PAL_SUCCESS);
    assert_pal(pal_freeTLS(&secure.session), PAL_SUCCESS);
    /* What is said now is the first that comes. */
    size_t sent = 0;
    assert_pal(pal_send(other, "x", 1, &sent), PAL_SUCCESS);
    raw_await(accepted);
    char bytes[16];
    assert_int_equal(recv(accepted, bytes, sizeof bytes, 0), 1);
    assert_int_equal(bytes[0], 'x');
    close_socket(&other);
    calls_end(&calls);
    close(accepted);
    close(listener);
    secure_end(&secure);
}

static void nothing_is_written_to_a_number_that_was_closed_behind_the_layer(void **state)
{
    fixture_t *fixture = *state;
    for (size_t mode = 0; mode < 2; mode++) {
        for (int closes_first = 0; closes_first < 2; closes_first++) {
            secure_t secure;
            (void)establish(&secure, fixture, both_modes[mode]);
            int ends[2];
            make_ends(ends);
            int number = descriptor_of(secure.socket);
            assert_int_equal(dup3(ends[1], number, O_CLOEXEC), number);
            if (!closes_first) {
                assert_pal(pal_freeTLS(&secure.session), PAL_SUCCESS);
            }
            assert_pal(pal_close(&secure.socket), PAL_ERR_SOCKET_INVALID_VALUE);
            expect_nothing_written(ends[0]);
            /* And it is still open. */
            assert_int_equal(send(number, "x", 1, MSG_NOSIGNAL), 1);
            secure.socket = CLOSED_SOCKET;
            if (closes_first) {
                assert_true(write_status(&secure) != PAL_SUCCESS);
                assert_pal(pal_freeTLS(&secure.session), PAL_SUCCESS);
            }
            char bytes[16];
            assert_int_equal(recv(ends[0], bytes, sizeof bytes, MSG_DONTWAIT), 1);
            close(number);
            close(ends[0]);
            close(ends[1]);
            secure_end(&secure);
        }
    }
}

static void sessions_are_freed_at_any_moment(void **state)
{
    fixture_t *fixture = *state;
    for (size_t mode = 0; mode < 2; mode++) {
        peer_t *peer = start_plain_server(fixture, both_modes[mode], NULL);
        /* Without a socket. */
        palTLSConfHandle_t configuration = 0;
        palTLSHandle_t session = 0;
        assert_pal(pal_initTLSConfiguration(&configuration, both_modes[mode]), PAL_SUCCESS);
        assert_pal(pal_initTLS(configuration, &session, false), PAL_SUCCESS);
        assert_pal(pal_handShake(session, configuration, false), PAL_ERR_TLS_BAD_INPUT_DATA);
        palTLSHandle_t copy = session;
        palTLSConfHandle_t copy_of_configuration = configuration;
        assert_pal(pal_tlsConfigurationFree(&configuration), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_freeTLS(&session), PAL_SUCCESS);
        assert_int_equal(session, 0);
        assert_pal(pal_freeTLS(&session), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_freeTLS(&copy), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_tlsConfigurationFree(&configuration), PAL_SUCCESS);
        assert_int_equal(configuration, 0);
        assert_pal(pal_tlsConfigurationFree(&copy_of_configuration), PAL_ERR_INVALID_ARGUMENT);

        /* Before the handshake, and after each call of it. */
        unsigned steps = 0;
        for (unsigned step = 0; step <= steps; step++) {
            secure_t secure;
            secure_open(&secure, fixture, both_modes[mode], peer_port(peer));
            palStatus_t status = PAL_ERR_TLS_WANT_READ;
            for (unsigned done = 0; done < step && status != PAL_SUCCESS; done++) {
                secure.seen = calls_so_far(&secure.calls);
                status = pal_handShake(secure.session, secure.configuration, false);
                if (status != PAL_SUCCESS) {
                    assert_pal(status, PAL_ERR_TLS_WANT_READ);
                    await_call(&secure);
                }
            }
            steps += status != PAL_SUCCESS;
            assert_in_range(steps, 1, 30);
            secure_end(&secure);
        }
        if (mode == 0) {
            /* One without a word of TLS, others in the middle of it, and one that was established. */
            peer_await_count(peer, "accepted", steps + 1);
            (void)peer_await(peer, "connected");
            (void)peer_await(peer, "close-notify");
            assert_int_equal(peer_count(peer, "close-notify"), 1);
        }
    }
}

static void the_peer_s_close_notify_is_told_again_and_again(void **state)
{
    fixture_t *fixture = *state;
    for (size_t mode = 0; mode < 2; mode++) {
        secure_t secure;
        peer_t *peer = establish(&secure, fixture, both_modes[mode]);
        forget_calls(&secure);
        peer_command(peer, "send 6c617374");
        peer_command(peer, "close");
        read_exactly(&secure, "last", 4);
        for (int round = 0; round < 5; round++) {
            assert_pal(read_status(&secure), PAL_ERR_TLS_PEER_CLOSE_NOTIFY);
        }
        assert_pal(pal_handShake(secure.session, secure.configuration, false), PAL_SUCCESS);
        expect_at_most_calls(&secure, 5);
        secure_end(&secure);
    }
}

static void an_end_without_close_notify_is_the_end_of_the_file(void **state)
{
    fixture_t *fixture = *state;
    secure_t secure;
    peer_t *peer = establish(&secure, fixture, PAL_TLS_MODE);
    peer_command(peer, "send 6c617374");
    peer_command(peer, "drop");
    read_exactly(&secure, "last", 4);
    for (int round = 0; round < 5; round++) {
        assert_pal(read_status(&secure), PAL_ERR_END_OF_FILE);
    }
    secure_end(&secure);

    /* Also in the middle of a record. */
    peer = establish(&secure, fixture, PAL_TLS_MODE);
    peer_command(peer, "raw 1703030100aabbcc");
    peer_command(peer, "drop");
    for (int round = 0; round < 5; round++) {
        assert_pal(read_status(&secure), PAL_ERR_END_OF_FILE);
    }
    secure_end(&secure);
}

static void a_reset_of_an_established_session_is_an_error(void **state)
{
    fixture_t *fixture = *state;
    secure_t secure;
    peer_t *peer = establish(&secure, fixture, PAL_TLS_MODE);
    peer_command(peer, "reset");
    assert_pal(read_status(&secure), PAL_ERR_GENERIC_FAILURE);
    for (int round = 0; round < 3; round++) {
        palStatus_t status = read_status(&secure);
        assert_true(status == PAL_ERR_GENERIC_FAILURE || status == PAL_ERR_END_OF_FILE);
        assert_pal(write_status(&secure), PAL_ERR_GENERIC_FAILURE);
    }
    secure_end(&secure);

    /* Writing finds it too. */
    peer = establish(&secure, fixture, PAL_TLS_MODE);
    unsigned before = calls_so_far(&secure.calls);
    peer_command(peer, "reset");
    await_calls(&secure.calls, before + 1);
    assert_pal(write_status(&secure), PAL_ERR_GENERIC_FAILURE);
    assert_pal(write_status(&secure), PAL_ERR_GENERIC_FAILURE);
    secure_end(&secure);
}

static void a_record_that_was_damaged_ends_a_tls_session_and_no_dtls_session(void **state)
{
    fixture_t *fixture = *state;
    secure_t secure;
    peer_t *peer = establish(&secure, fixture, PAL_TLS_MODE);
    peer_command(peer, "raw 17030300200000000000000000000000000000000000000000000000000000000000000000");
    assert_pal(read_status(&secure), PAL_ERR_GENERIC_FAILURE);
    assert_pal(read_status(&secure), PAL_ERR_GENERIC_FAILURE);
    assert_pal(write_status(&secure), PAL_ERR_GENERIC_FAILURE);
    /* bad_record_mac */
    (void)peer_await(peer, "alert 20");
    secure_end(&secure);

    peer = establish(&secure, fixture, PAL_DTLS_MODE);
    peer_command(peer, "raw 17fefd000100000000ffff00200000000000000000000000000000000000000000000000000000000000000000");
    peer_command(peer, "garbage 100");
    secure_echo(&secure, 100);
    secure_end(&secure);
}

static void a_socket_that_is_closed_under_its_session_is_an_error_of_each_call(void **state)
{
    fixture_t *fixture = *state;
    enum { BEFORE, DURING, AFTER, MOMENTS };
    for (size_t mode = 0; mode < 2; mode++) {
        peer_t *peer = start_plain_server(fixture, both_modes[mode], NULL);
        for (int moment = BEFORE; moment < MOMENTS; moment++) {
            secure_t secure;
            secure_open(&secure, fixture, both_modes[mode], peer_port(peer));
            if (moment == DURING) {
                begin_handshake(&secure);
            } else if (moment == AFTER) {
                assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
            }
            close_socket(&secure.socket);
            for (int round = 0; round < 2; round++) {
                assert_pal(pal_handShake(secure.session, secure.configuration, false), PAL_ERR_GENERIC_FAILURE);
                assert_pal(read_status(&secure), PAL_ERR_GENERIC_FAILURE);
                assert_pal(write_status(&secure), PAL_ERR_GENERIC_FAILURE);
            }
            int32_t result = 77;
            assert_pal(pal_sslGetVerifyResultExtended(secure.session, &result), PAL_SUCCESS);
            assert_int_equal(result, 0);
            secure_end(&secure);
        }
    }
}

static void a_kept_session_outlives_its_socket_and_sends_the_record_that_waited(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    secure_t secure;
    secure_open(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
    close_socket(&secure.socket);
    assert_pal(pal_handShake(secure.session, secure.configuration, false), PAL_SUCCESS);
    assert_pal(read_status(&secure), PAL_ERR_GENERIC_FAILURE);
    assert_pal(write_status(&secure), PAL_ERR_GENERIC_FAILURE);
    assert_pal(write_status(&secure), PAL_ERR_GENERIC_FAILURE);
    secure_new_socket(&secure, peer_port(peer));
    assert_pal(write_status(&secure), PAL_SUCCESS);
    read_exactly(&secure, "x", 1);
    (void)peer_await(peer, "rebound");
    peer_await_count(peer, "record 1 ", 1);
    secure_echo(&secure, 100);
    secure_end(&secure);
    assert_int_equal(peer_count(peer, "close-notify"), 0);
}

static void a_descriptor_that_was_closed_behind_the_layer_is_an_error(void **state)
{
    fixture_t *fixture = *state;
    for (size_t mode = 0; mode < 2; mode++) {
        secure_t secure;
        (void)establish(&secure, fixture, both_modes[mode]);
        close(descriptor_of(secure.socket));
        assert_pal(read_status(&secure), PAL_ERR_GENERIC_FAILURE);
        assert_pal(write_status(&secure), PAL_ERR_GENERIC_FAILURE);
        assert_pal(pal_close(&secure.socket), PAL_ERR_SOCKET_INVALID_VALUE);
        secure.socket = CLOSED_SOCKET;
        secure_end(&secure);
    }
}

/* ---- what a session is made of ---- */

/* The file with bytes behind it that do not belong to it, in a buffer that is gone after the call that takes it. */
static palX509_t load_with(fixture_t *fixture, const char *name, size_t more, uint8_t filler)
{
    palX509_t loaded = load(fixture, name);
    uint8_t *bytes = malloc(loaded.size + more);
    assert_non_null(bytes);
    memcpy(bytes, loaded.buffer, loaded.size);
    memset(bytes + loaded.size, filler, more);
    loaded.buffer = bytes;
    loaded.size += (uint32_t)more;
    return loaded;
}

static void wipe(palX509_t *loaded)
{
    memset((void *)(uintptr_t)loaded->buffer, 0xDD, loaded->size);
    free((void *)(uintptr_t)loaded->buffer);
}

static void set_certificate(secure_t *secure, fixture_t *fixture, const char *name)
{
    palX509_t certificate = load_with(fixture, name, 0, 0);
    assert_pal(pal_setOwnCertChain(secure->configuration, &certificate), PAL_SUCCESS);
    wipe(&certificate);
}

static void set_key(secure_t *secure, fixture_t *fixture, const char *name)
{
    palX509_t bytes = load_with(fixture, name, 0, 0);
    palPrivateKey_t key;
    assert_pal(pal_initPrivateKey(bytes.buffer, bytes.size, &key), PAL_SUCCESS);
    assert_pal(pal_setOwnPrivateKey(secure->configuration, &key), PAL_SUCCESS);
    wipe(&bytes);
}

static peer_t *start_asking_server(fixture_t *fixture, palTLSTransportMode_t mode)
{
    const char *further[] = {"--client-ca", certificate_path(fixture, "ca.pem"), NULL};
    return start_plain_server(fixture, mode, further);
}

static void a_half_or_a_wrong_identity_is_told_by_the_handshake_and_can_be_put_right(void **state)
{
    fixture_t *fixture = *state;
    enum { NO_KEY, NO_CERTIFICATE, ANOTHER_KEY, KEY_OF_ANOTHER_CURVE, FAULTS };
    for (size_t mode = 0; mode < 2; mode++) {
        peer_t *peer = start_asking_server(fixture, both_modes[mode]);
        for (int fault = 0; fault < FAULTS; fault++) {
            secure_t secure;
            secure_open(&secure, fixture, both_modes[mode], peer_port(peer));
            if (fault != NO_CERTIFICATE) {
                set_certificate(&secure, fixture, "client.der");
            }
            if (fault != NO_KEY) {
                set_key(&secure, fixture,
                        fault == ANOTHER_KEY            ? "deep-client-key.der"
                        : fault == KEY_OF_ANOTHER_CURVE ? "client-p384-key.der"
                                                        : "client-key.der");
            }
            for (int round = 0; round < 2; round++) {
                assert_pal(pal_handShake(secure.session, secure.configuration, false), PAL_ERR_TLS_FAILED_TO_SET_CERT);
                assert_pal(read_status(&secure), PAL_ERR_TLS_BAD_INPUT_DATA);
                assert_pal(write_status(&secure), PAL_ERR_TLS_BAD_INPUT_DATA);
            }
            if (fault == NO_CERTIFICATE) {
                set_certificate(&secure, fixture, "client.der");
            } else {
                set_key(&secure, fixture, "client-key.der");
            }
            assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
            (void)peer_await(peer, "client-certificate CN=client");
            secure_echo(&secure, 10);
            secure_end(&secure);
        }
        assert_int_equal(peer_count(peer, "handshake-failed"), 0);
    }
}

static void keys_and_certificates_are_taken_in_all_forms_with_bytes_behind_them(void **state)
{
    fixture_t *fixture = *state;
    static const char *const keys[] = {"client-key.der", "client-key-sec1.der", "client.key"};
    static const char *const certificates[] = {"client.der", "client.pem"};
    static const char *const authorities[] = {"ca.der", "ca.pem"};
    peer_t *peer = start_asking_server(fixture, PAL_TLS_MODE);
    unsigned count = 0;
    for (size_t key = 0; key < 3; key++) {
        for (size_t form = 0; form < 2; form++) {
            for (int kind = is_slow() ? 2 : 0; kind < 3; kind++) {
                /* PEM ends with a NUL or without, and nothing else than NULs is behind it. */
                const size_t more = kind == 0 ? 0 : kind == 1 ? 1 : 700;
                const uint8_t behind_der = kind == 2 ? 0xA5 : 0;
                secure_t secure;
                secure_begin(&secure, PAL_TLS_MODE, peer_port(peer));
                palX509_t authority = load_with(fixture, authorities[form], more, form == 0 ? behind_der : 0);
                palX509_t certificate = load_with(fixture, certificates[form], more, form == 0 ? behind_der : 0);
                palX509_t bytes = load_with(fixture, keys[key], more, key < 2 ? behind_der : 0);
                palPrivateKey_t own;
                assert_pal(pal_initPrivateKey(bytes.buffer, bytes.size, &own), PAL_SUCCESS);
                assert_pal(pal_setOwnPrivateKey(secure.configuration, &own), PAL_SUCCESS);
                assert_pal(pal_setOwnCertChain(secure.configuration, &certificate), PAL_SUCCESS);
                assert_pal(pal_setCAChain(secure.configuration, &authority, NULL), PAL_SUCCESS);
                wipe(&authority);
                wipe(&certificate);
                wipe(&bytes);
                assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
                count++;
                secure_end(&secure);
            }
        }
    }
    peer_await_count(peer, "client-certificate CN=client", count);
}

static void a_key_of_another_curve_and_a_chain_of_ten_are_shown(void **state)
{
    fixture_t *fixture = *state;
    for (size_t mode = 0; mode < 2; mode++) {
        peer_t *peer = start_asking_server(fixture, both_modes[mode]);
        secure_t secure;
        secure_open(&secure, fixture, both_modes[mode], peer_port(peer));
        set_certificate(&secure, fixture, "client-p384.der");
        set_key(&secure, fixture, "client-p384-key.der");
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        (void)peer_await(peer, "client-certificate CN=client-p384");
        secure_echo(&secure, 10);
        secure_end(&secure);

        secure_open(&secure, fixture, both_modes[mode], peer_port(peer));
        set_key(&secure, fixture, "deep-client-key.der");
        for (int number = 0; number < 10; number++) {
            char name[32];
            (void)snprintf(name, sizeof name, "deep-client-%d.der", number);
            set_certificate(&secure, fixture, name);
        }
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        (void)peer_await(peer, "client-certificate CN=deep-client");
        (void)peer_await(peer, "client-chain 10");
        secure_echo(&secure, 10);
        secure_end(&secure);
    }
}

static void bad_certificates_and_keys_are_refused_and_change_nothing(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_asking_server(fixture, PAL_TLS_MODE);
    secure_t secure;
    secure_open(&secure, fixture, PAL_TLS_MODE, peer_port(peer));
    secure_identify(&secure, fixture);
    palX509_t key = load(fixture, "client-key.der"), certificate = load(fixture, "client.der");
    static const uint8_t garbage[100] = {0x30, 0x62};
    palX509_t bad[] = {{.buffer = garbage, .size = sizeof garbage}, certificate, key};
    bad[1].size /= 2;
    bad[2].size /= 2;
    for (size_t index = 0; index < 3; index++) {
        assert_pal(pal_setCAChain(secure.configuration, &bad[index], NULL), PAL_ERR_TLS_FAILED_TO_PARSE_CERT);
        assert_pal(pal_setOwnCertChain(secure.configuration, &bad[index]), PAL_ERR_TLS_FAILED_TO_PARSE_CERT);
        assert_pal(pal_setOwnPrivateKey(secure.configuration, &bad[index]), PAL_ERR_TLS_FAILED_TO_PARSE_KEY);
    }
    assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
    (void)peer_await(peer, "client-chain 1");
    secure_end(&secure);
}

static int give_entropy(void *data, unsigned char *output, size_t size, size_t *given)
{
    assert_null(data);
    memset(output, 7, size);
    *given = size;
    return 0;
}

/* One step of what precedes the first handshake. */
static void take_step(secure_t *secure, fixture_t *fixture, unsigned step)
{
    switch (step) {
    case 0: assert_pal(pal_addEntropySource(give_entropy), PAL_SUCCESS); break;
    case 1: pal_enableSslSessionStoring(secure->configuration, true); break;
    case 2: assert_pal(pal_setHandShakeTimeOut(secure->configuration, 1000, 8000), PAL_SUCCESS); break;
    case 3: secure_trust(secure, fixture, "ca.pem"); break;
    case 4: set_key(secure, fixture, "client-key.der"); break;
    case 5: set_certificate(secure, fixture, "client.der"); break;
    case 6: assert_pal(pal_initTLS(secure->configuration, &secure->session, false), PAL_SUCCESS); break;
    case 7: assert_pal(pal_tlsSetSocket(secure->configuration, &secure->tls_socket), PAL_SUCCESS); break;
    default: pal_setDTLSSocketCallback(secure->configuration, count_call, &secure->calls); break;
    }
}

static void what_a_session_is_made_of_comes_in_any_order(void **state)
{
    fixture_t *fixture = *state;
    enum { STEPS = 9 };
    for (size_t mode = 0; mode < 2; mode++) {
        peer_t *peer = start_asking_server(fixture, both_modes[mode]);
        for (unsigned order = 0; order < 2 * STEPS; order += is_slow() ? 5 : 1) {
            secure_t secure;
            secure_begin(&secure, both_modes[mode], peer_port(peer));
            assert_pal(pal_freeTLS(&secure.session), PAL_SUCCESS);
            assert_pal(pal_tlsConfigurationFree(&secure.configuration), PAL_SUCCESS);
            assert_pal(pal_initTLSConfiguration(&secure.configuration, both_modes[mode]), PAL_SUCCESS);
            for (unsigned step = 0; step < STEPS; step++) {
                unsigned next = (step + order) % STEPS;
                take_step(&secure, fixture, order < STEPS ? next : STEPS - 1 - next);
            }
            /* With skipResume: each handshake is to show the certificate. */
            assert_pal(shake_hands(&secure, true), PAL_SUCCESS);
            (void)peer_await(peer, "client-certificate CN=client");
            secure_echo(&secure, 10);
            secure_end(&secure);
        }
    }
}

static void set_psk(secure_t *secure, const char *identity, const char *key, uint32_t size)
{
    char *copy = strdup(identity);
    unsigned char *bytes = malloc(size);
    assert_non_null(copy);
    assert_non_null(bytes);
    memcpy(bytes, key, size);
    assert_pal(pal_setPSK(secure->configuration, (const unsigned char *)copy, (uint32_t)strlen(copy), bytes, size), PAL_SUCCESS);
    memset(bytes, 0, size);
    memset(copy, 0, strlen(identity));
    free(bytes);
    free(copy);
}

static void a_pre_shared_key_stands_for_certificates(void **state)
{
    fixture_t *fixture = *state;
    static const struct {
        const char *number;
        const char *name;
    } suites[] = {{"C0A8", "connected TLS-PSK-WITH-AES-128-CCM-8 full"},
                  {"00A8", "connected TLS-PSK-WITH-AES-128-GCM-SHA256 full"},
                  {"00A9", "connected TLS-PSK-WITH-AES-256-GCM-SHA384 full"}};
    static const char key[] = "0123456789abcdef0123456789abcdef";
    const char *key_text = "3031323334353637383961626364656630313233343536373839616263646566";
    for (size_t mode = 0; mode < 2; mode++) {
        for (size_t index = 0; index < 3; index++) {
            peer_t *peer = start_peer_program(fixture, MCC_TEST_MBEDTLS_SERVER, mode == 0 ? "--tls" : "--dtls", "--psk-identity",
                                              "device-1", "--psk", key_text, "--suites", suites[index].number, NULL);
            secure_t secure;
            secure_begin(&secure, both_modes[mode], peer_port(peer));
            set_psk(&secure, "device-1", key, 32);
            assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
            (void)peer_await(peer, "psk-identity device-1");
            (void)peer_await(peer, suites[index].name);
            secure_echo(&secure, 1000);
            secure_end(&secure);
            (void)peer_await(peer, "close-notify");

            secure_begin(&secure, both_modes[mode], peer_port(peer));
            set_psk(&secure, "device-2", key, 32);
            expect_failed_handshake(&secure, PAL_ERR_SSL_FATAL_ALERT_MESSAGE);
            secure_end(&secure);
            (void)peer_await(peer, "psk-identity device-2");
            if (mode == 0) {
                /* Over DTLS the server cannot tell a wrong key from a forged datagram, and waits. */
                secure_begin(&secure, both_modes[mode], peer_port(peer));
                set_psk(&secure, "device-1", key, 31);
                expect_failed_handshake(&secure, PAL_ERR_SSL_FATAL_ALERT_MESSAGE);
                secure_end(&secure);
            }
            stop_peer(fixture, peer);
        }
    }
    palTLSConfHandle_t configuration = 0;
    assert_pal(pal_initTLSConfiguration(&configuration, PAL_TLS_MODE), PAL_SUCCESS);
    const unsigned char text[200] = "x";
    assert_pal(pal_setPSK(configuration, text, 129, text, 16), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_setPSK(configuration, text, 0, text, 16), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_setPSK(configuration, text, 1, text, 33), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_setPSK(configuration, text, 1, text, 0), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_setPSK(configuration, NULL, 1, text, 16), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_setPSK(configuration, text, 1, NULL, 16), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_setPSK(configuration, text, 128, text, 32), PAL_SUCCESS);
    assert_pal(pal_tlsConfigurationFree(&configuration), PAL_SUCCESS);
}

/* ---- threads ---- */

enum { SESSIONS_OF_A_THREAD = 8, SERVERS = 4 };

static const palTLSTransportMode_t server_modes[SERVERS] = {PAL_TLS_MODE, PAL_DTLS_MODE, PAL_TLS_MODE, PAL_DTLS_MODE};

typedef struct {
    palX509_t authority;
    uint16_t ports[SERVERS];
    unsigned rounds;
} worker_t;

/* Opens eight sessions, has all of them shake hands and then write before any is waited for, and frees them. */
static void *work(void *argument)
{
    worker_t *worker = argument;
    static const char text[] = "from one of sixteen sessions that speak at the same time";
    secure_t secures[SESSIONS_OF_A_THREAD];
    for (size_t index = 0; index < SESSIONS_OF_A_THREAD; index++) {
        secure_begin(&secures[index], server_modes[index % SERVERS], worker->ports[index % SERVERS]);
        assert_pal(pal_setCAChain(secures[index].configuration, &worker->authority, NULL), PAL_SUCCESS);
        begin_handshake(&secures[index]);
    }
    for (size_t index = 0; index < SESSIONS_OF_A_THREAD; index++) {
        assert_pal(shake_hands(&secures[index], false), PAL_SUCCESS);
    }
    for (unsigned round = 0; round < worker->rounds; round++) {
        uint32_t size = 1 + round % (uint32_t)sizeof text;
        for (size_t index = 0; index < SESSIONS_OF_A_THREAD; index++) {
            secure_write(&secures[index], text, size);
        }
        for (size_t index = 0; index < SESSIONS_OF_A_THREAD; index++) {
            read_exactly(&secures[index], text, size);
        }
        if (round % 16 == 0) {
            secure_echo(&secures[round % SESSIONS_OF_A_THREAD], 10000);
        }
    }
    for (size_t index = 0; index < SESSIONS_OF_A_THREAD; index++) {
        secure_end(&secures[index]);
    }
    return NULL;
}

static void two_threads_have_eight_sessions_each_at_the_same_time(void **state)
{
    fixture_t *fixture = *state;
    worker_t worker = {.authority = load(fixture, "ca.pem"), .rounds = times(200)};
    for (size_t index = 0; index < SERVERS; index++) {
        peer_t *peer = index == 3 ? start_dtls_server(fixture) : start_plain_server(fixture, server_modes[index], NULL);
        worker.ports[index] = peer_port(peer);
    }
    pthread_t threads[2];
    for (size_t index = 0; index < 2; index++) {
        assert_int_equal(pthread_create(&threads[index], NULL, work, &worker), 0);
    }
    for (size_t index = 0; index < 2; index++) {
        assert_int_equal(pthread_join(threads[index], NULL), 0);
    }
}

static void *shake_hands_held_up(void *argument)
{
    secure_t *secure = argument;
    is_held_up = true;
    assert_pal(shake_hands(secure, false), PAL_SUCCESS);
    assert_false(is_held_up);
    secure_echo(secure, 100);
    return NULL;
}

static void a_handshake_that_is_held_up_holds_up_no_other(void **state)
{
    fixture_t *fixture = *state;
    assert_int_equal(sem_init(&held_up, 0, 0), 0);
    assert_int_equal(sem_init(&go_on, 0, 0), 0);
    for (size_t mode = 0; mode < 2; mode++) {
        peer_t *peer = start_plain_server(fixture, both_modes[mode], NULL);
        secure_t held;
        secure_open(&held, fixture, both_modes[mode], peer_port(peer));
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, shake_hands_held_up, &held), 0);
        /* The first of them is judging the server's certificate now. */
        await_semaphore(&held_up);
        for (size_t other = 0; other < 2; other++) {
            secure_t secure;
            peer_t *another = establish(&secure, fixture, both_modes[other]);
            secure_echo(&secure, 100);
            secure_end(&secure);
            stop_peer(fixture, another);
        }
        assert_int_equal(peer_count(peer, "connected"), 0);
        (void)sem_post(&go_on);
        assert_int_equal(pthread_join(thread, NULL), 0);
        (void)peer_await(peer, "connected");
        secure_end(&held);
    }
    (void)sem_destroy(&held_up);
    (void)sem_destroy(&go_on);
}

typedef struct {
    secure_t secure;
    palTLSHandle_t handle;
    atomic_uint reads;
    palStatus_t last;
} reader_t;

static void *read_until_it_is_freed(void *argument)
{
    reader_t *reader = argument;
    uint8_t bytes[64];
    uint32_t read;
    uint64_t until = milliseconds_now() + SOON_MS;
    do {
        reader->last = pal_sslRead(reader->handle, bytes, sizeof bytes, &read);
        atomic_fetch_add(&reader->reads, 1);
    } while ((reader->last == PAL_SUCCESS || reader->last == PAL_ERR_TLS_WANT_READ) && milliseconds_now() < until);
    return NULL;
}

static void a_session_is_freed_in_one_thread_while_another_reads(void **state)
{
    fixture_t *fixture = *state;
    for (size_t mode = 0; mode < 2; mode++) {
        peer_t *peer = start_plain_server(fixture, both_modes[mode], NULL);
        for (unsigned round = 0; round < times(40); round++) {
            reader_t reader = {.reads = 0};
            secure_open(&reader.secure, fixture, both_modes[mode], peer_port(peer));
            assert_pal(shake_hands(&reader.secure, false), PAL_SUCCESS);
            reader.handle = reader.secure.session;
            pthread_t thread;
            assert_int_equal(pthread_create(&thread, NULL, read_until_it_is_freed, &reader), 0);
            while (atomic_load(&reader.reads) < 10) {
                sched_yield();
            }
            if (round % 2 == 0) {
                assert_pal(pal_freeTLS(&reader.secure.session), PAL_SUCCESS);
            } else {
                close_socket(&reader.secure.socket);
            }
            assert_int_equal(pthread_join(thread, NULL), 0);
            if (round % 2 == 0) {
                assert_true(reader.last == PAL_ERR_INVALID_ARGUMENT || reader.last == PAL_ERR_TLS_BAD_INPUT_DATA);
            } else {
                assert_pal(reader.last, PAL_ERR_GENERIC_FAILURE);
            }
            secure_end(&reader.secure);
        }
    }
}

/* A client that does everything in its socket's callback. */
typedef struct {
    secure_t secure;
    enum { CONNECTING, SHAKING_HANDS, ECHOING, OVER } phase;
    unsigned echoes;
    bool has_written;
    palStatus_t status;
    sem_t is_over;
} driven_t;

static palStatus_t drive_echo(driven_t *driven)
{
    secure_t *secure = &driven->secure;
    uint8_t bytes[1000];
    uint32_t size;
    while (driven->echoes < 10) {
        if (!driven->has_written) {
            memset(bytes, (int)driven->echoes, sizeof bytes);
            palStatus_t status = pal_sslWrite(secure->session, secure->configuration, bytes, sizeof bytes, &size);
            if (status != PAL_SUCCESS) {
                return status;
            }
            driven->has_written = true;
        }
        palStatus_t status = pal_sslRead(secure->session, bytes, sizeof bytes, &size);
        if (status != PAL_SUCCESS) {
            return status;
        }
        if (size != sizeof bytes || bytes[0] != driven->echoes) {
            return PAL_ERR_GENERIC_FAILURE;
        }
        driven->echoes++;
        driven->has_written = false;
    }
    return PAL_SUCCESS;
}

static void drive(calls_t *calls)
{
    driven_t *driven = calls->reaction_argument;
    secure_t *secure = &driven->secure;
    palStatus_t status = PAL_SUCCESS;
    if (driven->phase == CONNECTING) {
        status = pal_connect(secure->socket, &secure->address, ADDRESS_SIZE);
        if (status == PAL_SUCCESS) {
            driven->phase = SHAKING_HANDS;
        }
    }
    if (status == PAL_SUCCESS && driven->phase == SHAKING_HANDS) {
        status = pal_handShake(secure->session, secure->configuration, false);
        if (status == PAL_SUCCESS) {
            driven->phase = ECHOING;
        }
    }
    if (status == PAL_SUCCESS && driven->phase == ECHOING) {
        status = drive_echo(driven);
    }
    if (status == PAL_ERR_SOCKET_IN_PROGRES || status == PAL_ERR_TLS_WANT_READ || status == PAL_ERR_TLS_WANT_WRITE
        || driven->phase == OVER) {
        return;
    }
    driven->phase = OVER;
    driven->status = status;
    (void)pal_freeTLS(&secure->session);
    (void)pal_close(&secure->socket);
    (void)pal_tlsConfigurationFree(&secure->configuration);
    (void)sem_post(&driven->is_over);
}

static void a_client_lives_in_its_callbacks_alone(void **state)
{
    fixture_t *fixture = *state;
    for (size_t mode = 0; mode < 2; mode++) {
        peer_t *peer = start_plain_server(fixture, both_modes[mode], NULL);
        driven_t driven = {.phase = mode == 0 ? CONNECTING : SHAKING_HANDS, .secure = {.mode = both_modes[mode]}};
        secure_t *secure = &driven.secure;
        assert_int_equal(sem_init(&driven.is_over, 0, 0), 0);
        calls_begin(&secure->calls);
        secure->calls.reaction = drive;
        secure->calls.reaction_argument = &driven;
        assert_pal(pal_initTLSConfiguration(&secure->configuration, both_modes[mode]), PAL_SUCCESS);
        secure_trust(secure, fixture, "ca.pem");
        assert_pal(pal_initTLS(secure->configuration, &secure->session, false), PAL_SUCCESS);
        uint16_t own;
        secure->address = loopback(PAL_AF_INET, peer_port(peer));
        secure->socket = mode == 0 ? make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &secure->calls)
                                   : bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &secure->calls, &own);
        secure->tls_socket = (palTLSSocket_t){.socket = secure->socket,
                                              .socketAddress = &secure->address,
                                              .addressLength = ADDRESS_SIZE,
                                              .transportationMode = both_modes[mode]};
        assert_pal(pal_tlsSetSocket(secure->configuration, &secure->tls_socket), PAL_SUCCESS);
        pal_setDTLSSocketCallback(secure->configuration, count_call, &secure->calls);
        if (mode == 0) {
            assert_pal(pal_connect(secure->socket, &secure->address, ADDRESS_SIZE), PAL_ERR_SOCKET_IN_PROGRES);
        } else {
            send_datagram(secure->socket, PAL_AF_INET, own, "begin", 5);
        }
        await_semaphore(&driven.is_over);
        assert_pal(driven.status, PAL_SUCCESS);
        assert_int_equal(driven.echoes, 10);
        assert_int_equal(secure->session, 0);
        assert_int_equal(secure->configuration, 0);
        assert_ptr_equal(secure->socket, CLOSED_SOCKET);
        peer_await_count(peer, "record 1000", 10);
        (void)peer_await(peer, "close-notify");
        settle();
        expect_at_most_calls(secure, 60);
        calls_end(&secure->calls);
        (void)sem_destroy(&driven.is_over);
    }
}

/* ---- what is left ---- */

/* Handles stay known for a while after they were freed, so that none becomes another session's at once. */
static void fill_the_memory_of_handles(void)
{
    palTLSConfHandle_t configuration = 0;
    assert_pal(pal_initTLSConfiguration(&configuration, PAL_TLS_MODE), PAL_SUCCESS);
    for (int round = 0; round < 300; round++) {
        palTLSHandle_t session = 0;
        assert_pal(pal_initTLS(configuration, &session, false), PAL_SUCCESS);
        assert_pal(pal_freeTLS(&session), PAL_SUCCESS);
    }
    assert_pal(pal_tlsConfigurationFree(&configuration), PAL_SUCCESS);
}

/* A session that ends in another way each time. */
static void live_and_die(palX509_t *authorities, palTLSTransportMode_t mode, uint16_t port, unsigned way)
{
    secure_t secure;
    secure_begin(&secure, mode, port);
    assert_pal(pal_setCAChain(secure.configuration, &authorities[way % 5 == 0], NULL), PAL_SUCCESS);
    pal_enableSslSessionStoring(secure.configuration, true);
    if (way % 5 == 1) {
        begin_handshake(&secure);
    } else {
        assert_pal(shake_hands(&secure, true), way % 5 == 0 ? PAL_ERR_X509_CERT_VERIFY_FAILED : PAL_SUCCESS);
    }
    if (way % 5 >= 2) {
        secure_echo(&secure, 1000);
    }
    if (way % 5 == 3) {
        close_socket(&secure.socket);
    }
    secure_end(&secure);
}

static void sessions_leave_no_memory_no_descriptor_and_no_thread(void **state)
{
    fixture_t *fixture = *state;
    uint16_t ports[SERVERS];
    for (size_t index = 0; index < SERVERS; index++) {
        /* Of what they say this test keeps no more than the first line. */
        peer_t *peer = start_peer_program(fixture, "sh", "-c", "\"$0\" \"$@\" | { read -r line; echo \"$line\"; cat > /dev/null; }",
                                          index == 3 ? MCC_TEST_MBEDTLS_CID_SERVER : MCC_TEST_MBEDTLS_SERVER,
                                          server_modes[index] == PAL_TLS_MODE ? "--tls" : "--dtls", "--certificate",
                                          certificate_path(fixture, "server.pem"), "--key", certificate_path(fixture, "server.key"), NULL);
        ports[index] = peer_port(peer);
    }
    palX509_t authorities[] = {load(fixture, "ca.der"), load(fixture, "other-ca.der")};
    fill_the_memory_of_handles();
    size_t descriptors = 0, threads = 0, memory = 0;
    const unsigned warm = times(100) / SERVERS * SERVERS + 20, count = times(200);
    for (unsigned round = 0; round < warm + count; round++) {
        if (round == warm) {
            settle();
            descriptors = count_descriptors();
            threads = count_threads();
            memory = heap_in_use();
        }
        live_and_die(authorities, server_modes[round % SERVERS], ports[round % SERVERS], round / SERVERS);
    }
    settle();
    assert_int_equal(count_descriptors(), descriptors);
    assert_int_equal(count_threads(), threads);
    /* Timers of handshakes that are over hold a little until their time has come; and malloc counts what it holds back for later. */
    const size_t limit = memory + 16384;
    uint64_t until = milliseconds_now() + SOON_MS;
    while (heap_in_use() > limit && milliseconds_now() < until) {
        sleep_ms(20);
    }
    assert_in_range(heap_in_use(), 0, limit);
}

int main(int count, char **arguments)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, pal_tls_setup, pal_tls_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_session_is_established_and_records_go_both_ways),
        TEST(a_client_certificate_is_shown),
        TEST(a_session_goes_on_by_its_connection_id_from_another_port),
        TEST(the_gcm_suites_are_offered_beside_the_first),
        TEST(openssl_is_spoken_to_over_tls),
        TEST(openssl_is_spoken_to_over_dtls),
        TEST(gnutls_is_spoken_to),
        TEST(libcoap_with_openssl_answers_pings_over_dtls),
        TEST(libcoap_with_gnutls_answers_pings_over_dtls),
        TEST(servers_of_other_versions_refuse_by_an_alert),
        TEST(a_server_that_chooses_another_version_is_a_version_mismatch),
        TEST(without_a_common_suite_the_server_refuses_by_an_alert),
        TEST(a_server_that_wants_a_certificate_and_gets_none_refuses_by_an_alert),
        TEST(a_server_of_another_authority_is_not_trusted),
        TEST(a_server_with_rsa_alone_refuses_by_an_alert),
        TEST(a_fatal_alert_ends_a_handshake_and_a_session),
        TEST(a_reset_in_the_handshake_is_as_an_alert),
        TEST(a_handshake_that_nobody_answers_times_out_over_dtls),
        TEST(one_write_is_one_record_with_its_whole_content),
        TEST(more_than_a_record_takes_is_written_in_part_or_refused),
        TEST(no_bytes_make_no_record_and_no_room_reads_nothing),
        TEST(one_read_gives_bytes_of_one_record_alone),
        TEST(records_of_16_kb_go_both_ways_many_at_once),
        TEST(a_chain_of_16_kb_and_a_handshake_in_pieces_are_taken),
        TEST(a_record_that_waits_goes_out_once),
        TEST(while_a_record_waits_others_are_read),
        TEST(a_session_that_is_freed_while_a_record_waits_blocks_nobody),
        TEST(a_small_send_buffer_takes_large_records),
        TEST(without_buffers_it_is_want_write_and_the_callback_comes),
        TEST(close_notify_is_said_once_whatever_is_ended_first),
        TEST(a_dtls_session_without_connection_id_ends_with_close_notify_too),
        TEST(nothing_is_written_to_a_number_that_pal_close_gave_back),
        TEST(nothing_is_written_to_another_socket_of_the_same_number),
        TEST(nothing_is_written_to_a_number_that_was_closed_behind_the_layer),
        TEST(sessions_are_freed_at_any_moment),
        TEST(the_peer_s_close_notify_is_told_again_and_again),
        TEST(an_end_without_close_notify_is_the_end_of_the_file),
        TEST(a_reset_of_an_established_session_is_an_error),
        TEST(a_record_that_was_damaged_ends_a_tls_session_and_no_dtls_session),
        TEST(a_socket_that_is_closed_under_its_session_is_an_error_of_each_call),
        TEST(a_kept_session_outlives_its_socket_and_sends_the_record_that_waited),
        TEST(a_descriptor_that_was_closed_behind_the_layer_is_an_error),
        TEST(a_half_or_a_wrong_identity_is_told_by_the_handshake_and_can_be_put_right),
        TEST(keys_and_certificates_are_taken_in_all_forms_with_bytes_behind_them),
        TEST(a_key_of_another_curve_and_a_chain_of_ten_are_shown),
        TEST(bad_certificates_and_keys_are_refused_and_change_nothing),
        TEST(what_a_session_is_made_of_comes_in_any_order),
        TEST(a_pre_shared_key_stands_for_certificates),
        TEST(two_threads_have_eight_sessions_each_at_the_same_time),
        TEST(a_handshake_that_is_held_up_holds_up_no_other),
        TEST(a_session_is_freed_in_one_thread_while_another_reads),
        TEST(a_client_lives_in_its_callbacks_alone),
        TEST(sessions_leave_no_memory_no_descriptor_and_no_thread),
    };
#undef TEST
    return run_chosen_tests(tests, count, arguments);
}
