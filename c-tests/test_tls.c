/* TLS and DTLS: who is trusted, what is refused and why, credentials of the device, versions; against the tests' own peer and OpenSSL's
 * server.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "support.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

static const uint8_t psk[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const char psk_digits[] = "000102030405060708090a0b0c0d0e0f";
static const char psk_identity[] = "device-1";

static mcc_connection_options_t options_to(fixture_t *fixture, const char *host, const peer_t *peer, const mcc_tls_options_t *tls)
{
    mcc_connection_options_t options = options_for(fixture, "coaps://%s:%u", host, peer_port(peer));
    options.transport = peer_transport(peer);
    options.tls = tls;
    return options;
}

static const struct {
    const char *name;
    const char *transport;
    const char *version;
} protocols[] = {{"TLS 1.2", "--tls", "1.2"}, {"TLS 1.3", "--tls", "1.3"}, {"DTLS 1.2", "--dtls", "1.2"}};
enum { PROTOCOLS = sizeof protocols / sizeof protocols[0] };

/* Connects, sends, and closes. */
static void expect_ready(fixture_t *fixture, const char *host, const peer_t *peer, const mcc_tls_options_t *tls)
{
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, options_to(fixture, host, peer, tls), &recorder);
    expect_echo(connection, recorder, 40, 1, false);
    assert_int_equal(count_states(recorder, MCC_STATE_WAITING), 0);
    close_connection(connection, recorder);
}

/* Connects, and gives the reason for which that failed. */
static mcc_event_state_t expect_failure(fixture_t *fixture, const char *host, const peer_t *peer, const mcc_tls_options_t *tls)
{
    recorder_t *recorder;
    mcc_connection_options_t options = options_to(fixture, host, peer, tls);
    options.handshake_timeout_ms = 2500;
    mcc_connection_t *connection = open_connection(fixture, options, &recorder);
    mcc_event_state_t failure = await_state(recorder, MCC_STATE_WAITING)->state;
    assert_string_equal(failure.text, mcc_status_text(failure.reason));
    close_connection(connection, recorder);
    return failure;
}

/* ---- the server's certificate ---- */

static void a_server_of_the_ca_is_trusted_by_name_and_by_address(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_tls_peer(fixture, "server");
    const mcc_tls_options_t *tls = tls_with_ca(fixture, "ca.pem");
    expect_ready(fixture, "localhost", peer, tls);
    (void)peer_await(peer, "handshake version=TLSv1.3");
    peer_await_count(peer, "handshake ", 1);
    expect_ready(fixture, "127.0.0.1", peer, tls);
    expect_ready(fixture, "localhost", peer, tls_with_ca(fixture, "ca.der"));
    /* The NUL of a C string may be counted or not. */
    mcc_tls_options_t with_nul = *tls;
    uint8_t text[4096] = {0};
    memcpy(text, tls->ca, tls->ca_size);
    with_nul.ca = text;
    with_nul.ca_size++;
    expect_ready(fixture, "localhost", peer, &with_nul);
    /* Several CAs in one text. */
    size_t other_size;
    const uint8_t *other = read_certificate(fixture, "other-ca.pem", &other_size);
    memcpy(text, other, other_size);
    memcpy(text + other_size, tls->ca, tls->ca_size);
    with_nul.ca_size = other_size + tls->ca_size;
    expect_ready(fixture, "localhost", peer, &with_nul);
}

static void the_name_is_asked_for_and_checked(void **state)
{
    fixture_t *fixture = *state;
    for (size_t datagrams = 0; datagrams < 2; datagrams++) {
        peer_t *(*start)(fixture_t *, const char *) = datagrams == 0 ? start_tls_peer : start_dtls_peer;
        peer_t *peer = start(fixture, "other-name");
        mcc_tls_options_t *tls = tls_with_ca(fixture, "ca.pem");
        assert_status(expect_failure(fixture, "localhost", peer, tls).reason, MCC_ERR_CERTIFICATE_NAME);
        assert_status(expect_failure(fixture, "127.0.0.1", peer, tls).reason, MCC_ERR_CERTIFICATE_NAME);
        tls->server_name = "elsewhere.example";
        expect_ready(fixture, "127.0.0.1", peer, tls);
        assert_non_null(strstr(peer_await(peer, "handshake "), " name=elsewhere.example "));
        tls->server_name = "else.example";
        assert_status(expect_failure(fixture, "localhost", peer, tls).reason, MCC_ERR_CERTIFICATE_NAME);
        tls->server_name = NULL;
        tls->check_server_name = 0;
        expect_ready(fixture, "localhost", peer, tls);
        expect_ready(fixture, "127.0.0.1", peer, tls);
        /* Without the name all else is checked as before. */
        peer = start(fixture, "untrusted");
        assert_status(expect_failure(fixture, "localhost", peer, tls).reason, MCC_ERR_INTERCEPTED);
    }
}

static void each_thing_wrong_with_a_certificate_has_its_reason(void **state)
{
    fixture_t *fixture = *state;
    static const struct {
        const char *certificate;
        const char *ca;
        const char *crl;
        mcc_status_t reason;
    } cases[] = {
        {"expired", "ca.pem", NULL, MCC_ERR_CERTIFICATE_EXPIRED},
        {"future", "ca.pem", NULL, MCC_ERR_CERTIFICATE_FUTURE},
        /* Of another authority, and of one that only has the same name. */
        {"untrusted", "ca.pem", NULL, MCC_ERR_INTERCEPTED},
        {"server", "other-ca.pem", NULL, MCC_ERR_INTERCEPTED},
        {"forged", "ca.pem", NULL, MCC_ERR_CERTIFICATE_UNTRUSTED},
        {"revoked", "ca.pem", "crl.pem", MCC_ERR_CERTIFICATE_REVOKED},
        {"revoked", "ca.pem", "crl.der", MCC_ERR_CERTIFICATE_REVOKED},
        {"revoked", "ca.pem", NULL, MCC_OK},
        {"server", "ca.pem", "crl.pem", MCC_OK},
    };
    for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
        for (size_t protocol = 0; protocol < PROTOCOLS; protocol++) {
            char chain[64];
            char key[64];
            (void)snprintf(chain, sizeof chain, "%s.pem", cases[index].certificate);
            (void)snprintf(key, sizeof key, "%s.key", cases[index].certificate);
            peer_t *peer = start_peer(fixture, protocols[protocol].transport, "--certificate", certificate_path(fixture, chain), "--key",
                                      certificate_path(fixture, key), "--version", protocols[protocol].version, NULL);
            mcc_tls_options_t *tls = tls_with_ca(fixture, cases[index].ca);
            if (cases[index].crl != NULL) {
                tls->crl = read_certificate(fixture, cases[index].crl, &tls->crl_size);
            }
            print_message("    %s over %s\n", cases[index].certificate, protocols[protocol].name);
            if (cases[index].reason == MCC_OK) {
                expect_ready(fixture, "localhost", peer, tls);
            } else {
                mcc_event_state_t failure = expect_failure(fixture, "localhost", peer, tls);
                assert_status(failure.reason, cases[index].reason);
                bool intercepted = cases[index].reason == MCC_ERR_INTERCEPTED;
                assert_int_equal(mcc_status_class(failure.reason), intercepted ? MCC_CLASS_INTERCEPTED : MCC_CLASS_CERTIFICATE);
                peer_await_count(peer, "message ", 0);
            }
            stop_peer(fixture, peer);
        }
    }
}

/* ---- credentials that are none ---- */

static mcc_status_t open_status(fixture_t *fixture, const mcc_tls_options_t *tls)
{
    mcc_connection_options_t options = options_for(fixture, "coaps://127.0.0.1:9");
    options.tls = tls;
    options.callback = record_event;
    options.argument = new_recorder(fixture);
    mcc_connection_t *connection = NULL;
    mcc_status_t status = mcc_connection_open(context_of(fixture), &options, &connection);
    assert_int_equal(connection != NULL, status == MCC_OK);
    mcc_connection_close(connection);
    return status;
}

static void what_does_not_parse_is_refused_when_opening(void **state)
{
    fixture_t *fixture = *state;
    static const uint8_t nonsense[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    static const uint8_t text[] = "not a certificate";
    mcc_tls_options_t good = *tls_with_ca(fixture, "ca.pem");
    good.certificate = read_certificate(fixture, "client.pem", &good.certificate_size);
    good.key = read_certificate(fixture, "client.key", &good.key_size);
    good.crl = read_certificate(fixture, "crl.pem", &good.crl_size);
    assert_status(open_status(fixture, &good), MCC_OK);

    const struct {
        const uint8_t *bytes;
        size_t size;
    } wrong[] = {{nonsense, sizeof nonsense - 1}, {text, sizeof text - 1}, {text, 1}, {good.key, good.key_size}};
    for (size_t index = 0; index < sizeof wrong / sizeof wrong[0]; index++) {
        mcc_tls_options_t tls = good;
        tls.ca = wrong[index].bytes;
        tls.ca_size = wrong[index].size;
        assert_status(open_status(fixture, &tls), MCC_ERR_CA_INVALID);
        tls = good;
        tls.crl = wrong[index].bytes;
        tls.crl_size = wrong[index].size;
        assert_status(open_status(fixture, &tls), MCC_ERR_CRL_INVALID);
        tls = good;
        tls.certificate = wrong[index].bytes;
        tls.certificate_size = wrong[index].size;
        assert_status(open_status(fixture, &tls), MCC_ERR_CERTIFICATE_INVALID);
        tls = good;
        if (wrong[index].bytes != good.key) {
            tls.key = wrong[index].bytes;
            tls.key_size = wrong[index].size;
            assert_status(open_status(fixture, &tls), MCC_ERR_KEY_INVALID);
        }
    }
    /* A CA that is not all there, wherever it is cut. */
    mcc_tls_options_t cut = *tls_with_ca(fixture, "ca.der");
    for (size_t size = cut.ca_size; --size > 0;) {
        uint8_t *exact = malloc(size);
        assert_non_null(exact);
        memcpy(exact, cut.ca, size);
        mcc_tls_options_t tls = cut;
        tls.ca = exact;
        tls.ca_size = size;
        mcc_connection_options_t options = options_for(fixture, "coaps://127.0.0.1:9");
        mcc_connection_t *connection = NULL;
        options.tls = &tls;
        options.callback = record_event;
        mcc_status_t status = mcc_connection_open(context_of(fixture), &options, &connection);
        free(exact);
        assert_status(status, MCC_ERR_CA_INVALID);
    }
}

static void a_key_has_to_fit_its_certificate(void **state)
{
    fixture_t *fixture = *state;
    mcc_tls_options_t tls = *tls_with_ca(fixture, "ca.pem");
    tls.certificate = read_certificate(fixture, "client.pem", &tls.certificate_size);
    tls.key = read_certificate(fixture, "stranger.key", &tls.key_size);
    assert_status(open_status(fixture, &tls), MCC_ERR_KEY_MISMATCH);
    tls.key = read_certificate(fixture, "client-encrypted.key", &tls.key_size);
    assert_status(open_status(fixture, &tls), MCC_ERR_KEY_INVALID);
    tls.key_password = (const uint8_t *)"wrong";
    tls.key_password_size = 5;
    assert_status(open_status(fixture, &tls), MCC_ERR_KEY_INVALID);
    tls.key_password = (const uint8_t *)"secret";
    tls.key_password_size = 6;
    assert_status(open_status(fixture, &tls), MCC_OK);
    /* One without the other. */
    tls.key = NULL;
    tls.key_size = 0;
    tls.key_password = NULL;
    tls.key_password_size = 0;
    assert_status(open_status(fixture, &tls), MCC_ERR_KEY_INVALID);
    tls.certificate = NULL;
    tls.certificate_size = 0;
    tls.key = read_certificate(fixture, "client.key", &tls.key_size);
    assert_status(open_status(fixture, &tls), MCC_ERR_CERTIFICATE_INVALID);
}

static void a_pre_shared_key_has_its_limits(void **state)
{
    fixture_t *fixture = *state;
    static uint8_t bytes[200];
    memset(bytes, 'x', sizeof bytes);
    static const struct {
        size_t key_size;
        size_t identity_size;
        mcc_status_t status;
    } cases[] = {
        {16, 8, MCC_OK},
        {32, 128, MCC_OK},
        {1, 1, MCC_OK},
        {33, 8, MCC_ERR_PSK_INVALID},
        {16, 129, MCC_ERR_PSK_INVALID},
        {16, 0, MCC_ERR_PSK_INVALID},
        {0, 8, MCC_ERR_PSK_INVALID},
    };
    for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
        mcc_tls_options_t tls = MCC_TLS_OPTIONS_INIT;
        tls.psk = bytes;
        tls.psk_size = cases[index].key_size;
        tls.psk_identity = bytes;
        tls.psk_identity_size = cases[index].identity_size;
        assert_status(open_status(fixture, &tls), cases[index].status);
    }
}

static void versions_and_flags_have_their_ranges(void **state)
{
    fixture_t *fixture = *state;
    static const struct {
        uint32_t minimum, maximum, check;
        mcc_status_t status;
    } cases[] = {
        {MCC_TLS_1_2, MCC_TLS_1_2, 1, MCC_OK},
        {MCC_TLS_1_3, MCC_TLS_1_3, 0, MCC_OK},
        {MCC_TLS_1_3, MCC_TLS_1_2, 1, MCC_ERR_INVALID_ARGUMENT},
        {0x0302, MCC_TLS_1_3, 1, MCC_ERR_INVALID_ARGUMENT},
        {MCC_TLS_1_2, 0x0305, 1, MCC_ERR_INVALID_ARGUMENT},
        {0, MCC_TLS_1_3, 1, MCC_ERR_INVALID_ARGUMENT},
        {MCC_TLS_1_2, MCC_TLS_1_3, 2, MCC_ERR_INVALID_ARGUMENT},
    };
    for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
        mcc_tls_options_t tls = *tls_with_ca(fixture, "ca.pem");
        tls.min_version = cases[index].minimum;
        tls.max_version = cases[index].maximum;
        tls.check_server_name = cases[index].check;
        assert_status(open_status(fixture, &tls), cases[index].status);
    }
}

/* ---- the device's own credentials ---- */

static void a_device_shows_its_certificate(void **state)
{
    fixture_t *fixture = *state;
    for (size_t protocol = 0; protocol < PROTOCOLS; protocol++) {
        print_message("    over %s\n", protocols[protocol].name);
        peer_t *peer = start_peer(fixture, protocols[protocol].transport, "--certificate", certificate_path(fixture, "server.pem"), "--key",
                                  certificate_path(fixture, "server.key"), "--client-ca", certificate_path(fixture, "ca.pem"),
                                  "--version", protocols[protocol].version, NULL);
        mcc_tls_options_t *tls = tls_with_ca(fixture, "ca.pem");
        tls->certificate = read_certificate(fixture, "client.pem", &tls->certificate_size);
        tls->key = read_certificate(fixture, "client.key", &tls->key_size);
        expect_ready(fixture, "localhost", peer, tls);
        assert_non_null(strstr(peer_await(peer, "handshake "), "client-certificate=yes"));
        tls->certificate = read_certificate(fixture, "client.der", &tls->certificate_size);
        tls->key = read_certificate(fixture, "client-key.der", &tls->key_size);
        expect_ready(fixture, "localhost", peer, tls);

        /* The server says what it thinks of others by an alert: 116 or 40 of none, 48 of one whose CA it does not know. */
        mcc_event_state_t failure = expect_failure(fixture, "localhost", peer, tls_with_ca(fixture, "ca.pem"));
        assert_status(failure.reason, MCC_ERR_TLS_ALERT);
        assert_true(failure.detail == 116 || failure.detail == 40);
        tls->certificate = read_certificate(fixture, "stranger.pem", &tls->certificate_size);
        tls->key = read_certificate(fixture, "stranger.key", &tls->key_size);
        failure = expect_failure(fixture, "localhost", peer, tls);
        assert_status(failure.reason, MCC_ERR_TLS_ALERT);
        assert_int_equal(failure.detail, 48);
        assert_int_equal(mcc_status_class(failure.reason), MCC_CLASS_ALERT);
    }
}

static mcc_tls_options_t *tls_with_psk(fixture_t *fixture)
{
    mcc_tls_options_t *tls = tls_with_ca(fixture, NULL);
    tls->psk = psk;
    tls->psk_size = sizeof psk;
    tls->psk_identity = (const uint8_t *)psk_identity;
    tls->psk_identity_size = strlen(psk_identity);
    return tls;
}

static void a_pre_shared_key_is_enough(void **state)
{
    fixture_t *fixture = *state;
    for (size_t protocol = 0; protocol < PROTOCOLS; protocol++) {
        print_message("    over %s\n", protocols[protocol].name);
        peer_t *peer =
            start_peer(fixture, protocols[protocol].transport, "--psk-identity", psk_identity, "--psk", psk_digits, "--version", protocols[protocol].version, NULL);
        mcc_tls_options_t *tls = tls_with_psk(fixture);
        expect_ready(fixture, "localhost", peer, tls);
        static const uint8_t wrong[16] = {1};
        tls->psk = wrong;
        mcc_event_state_t failure = expect_failure(fixture, "localhost", peer, tls);
        /* To DTLS a record that does not decrypt is none, and gets no answer (RFC 6347 section 4.1.2.7). */
        assert_status(failure.reason, peer_transport(peer) == MCC_TRANSPORT_UDP ? MCC_ERR_HANDSHAKE_TIMEOUT : MCC_ERR_TLS_ALERT);
        tls->psk = psk;
        tls->psk_identity_size--;
        failure = expect_failure(fixture, "localhost", peer, tls);
        assert_status(failure.reason, MCC_ERR_TLS_ALERT);
        peer_await_count(peer, "message ", 1);
    }
}

/* ---- versions ---- */

static void versions_are_agreed_or_refused(void **state)
{
    fixture_t *fixture = *state;
    static const char *const versions[] = {"1.2", "1.3"};
    for (size_t version = 0; version < 2; version++) {
        peer_t *peer = start_peer(fixture, "--tls", "--certificate", certificate_path(fixture, "server.pem"), "--key",
                                  certificate_path(fixture, "server.key"), "--version", versions[version], NULL);
        mcc_tls_options_t *tls = tls_with_ca(fixture, "ca.pem");
        expect_ready(fixture, "localhost", peer, tls);
        assert_non_null(strstr(peer_await(peer, "handshake "), version == 0 ? "version=TLSv1.2 " : "version=TLSv1.3 "));
        tls->min_version = tls->max_version = version == 0 ? MCC_TLS_1_2 : MCC_TLS_1_3;
        expect_ready(fixture, "localhost", peer, tls);
        tls->min_version = tls->max_version = version == 0 ? MCC_TLS_1_3 : MCC_TLS_1_2;
        mcc_event_state_t failure = expect_failure(fixture, "localhost", peer, tls);
        /* The server says so by alert 70, or the client finds out. */
        assert_true(failure.reason == MCC_ERR_TLS_VERSION || (failure.reason == MCC_ERR_TLS_ALERT && failure.detail == 70));
    }
}

static void what_does_not_speak_tls_is_told_from_what_says_nothing(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_peer(fixture, "--tcp", NULL);
    recorder_t *recorder;
    const mcc_tls_options_t *tls = tls_with_ca(fixture, "ca.pem");
    mcc_connection_t *connection = open_connection(fixture, options_to(fixture, "127.0.0.1", peer, tls), &recorder);
    (void)await_state(recorder, MCC_STATE_HANDSHAKING);
    (void)peer_await(peer, "accepted ");
    /* HTTP/1.1 400 Bad Request */
    peer_command(peer, "raw 485454502f312e3120343030204261642052657175657374");
    assert_status(await_state(recorder, MCC_STATE_WAITING)->reason, MCC_ERR_NOT_TLS);
    (void)await_state(recorder, MCC_STATE_HANDSHAKING);
    (void)peer_await(peer, "accepted ");
    peer_command(peer, "reset");
    assert_status(await_state(recorder, MCC_STATE_WAITING)->reason, MCC_ERR_CONNECTION_RESET);
    (void)await_state(recorder, MCC_STATE_HANDSHAKING);
    (void)peer_await(peer, "accepted ");
    peer_command(peer, "close");
    assert_status(await_state(recorder, MCC_STATE_WAITING)->reason, MCC_ERR_CLOSED_BY_PEER);
    close_connection(connection, recorder);
}

static void of_dtls_there_is_version_1_2_alone(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_peer(fixture, "server");
    mcc_tls_options_t *tls = tls_with_ca(fixture, "ca.pem");
    expect_ready(fixture, "localhost", peer, tls);
    assert_non_null(strstr(peer_await(peer, "handshake "), "version=DTLSv1.2 "));
    tls->max_version = MCC_TLS_1_2;
    expect_ready(fixture, "localhost", peer, tls);
    tls->min_version = tls->max_version = MCC_TLS_1_3;
    mcc_connection_options_t options = options_to(fixture, "localhost", peer, tls);
    mcc_connection_t *connection = NULL;
    options.callback = record_event;
    options.argument = new_recorder(fixture);
    assert_status(mcc_connection_open(context_of(fixture), &options, &connection), MCC_ERR_UNSUPPORTED);
    assert_null(connection);

    peer = start_peer(fixture, "--dtls", "--certificate", certificate_path(fixture, "server.pem"), "--key",
                      certificate_path(fixture, "server.key"), "--version", "1.0", NULL);
    mcc_event_state_t failure = expect_failure(fixture, "localhost", peer, tls_with_ca(fixture, "ca.pem"));
    /* This server has no suite for the version that it takes, and says so by alert 40. */
    assert_true(failure.reason == MCC_ERR_TLS_VERSION
                || (failure.reason == MCC_ERR_TLS_ALERT && (failure.detail == 70 || failure.detail == 40)));
}

/* ---- a connection that is full ---- */

/* Makes the socket of this process that is connected to the port keep little of what cannot be sent. */
static void narrow_socket_to(uint16_t port)
{
    size_t found = 0;
    for (int descriptor = 0; descriptor < 1024; descriptor++) {
        struct sockaddr_in peer = {.sin_family = AF_UNSPEC};
        socklen_t size = sizeof peer;
        int least = 1; /* the system makes it its minimum */
        if (getpeername(descriptor, (struct sockaddr *)&peer, &size) == 0 && peer.sin_family == AF_INET && peer.sin_port == htons(port)) {
            found += setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &least, sizeof least) == 0;
        }
    }
    assert_int_equal(found, 1);
}

static void what_comes_behind_a_request_to_renegotiate_is_not_lost_where_nothing_can_be_written(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_peer(fixture, "--tls", "--version", "1.2", "--certificate", certificate_path(fixture, "server.pem"), "--key",
                              certificate_path(fixture, "server.key"), NULL);
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, options_to(fixture, "localhost", peer, tls_with_ca(fixture, "ca.pem")), &recorder);
    narrow_socket_to(peer_port(peer));
    peer_command(peer, "silent");
    static uint8_t message[16384];
    (void)write_request(message, sizeof message, NON_CONFIRMABLE, 1);
    message[1] = CODE_CONTENT; /* which is not answered */
    do {
        mcc_status_t status;
        while ((status = mcc_connection_send(connection, message, sizeof message, NULL)) == MCC_OK) {
        }
        assert_status(status, MCC_ERR_QUEUE_FULL);
    } while (try_event(recorder, MCC_EVENT_SENT, 300) != NULL);
    /* The alert that refuses the request has to wait, behind a record or for the little room that may be left for others before it; so
     * has what stands behind the request. */
    size_t requests = 0;
    do {
        assert_in_range(requests++, 0, 500);
        peer_command(peer, "renegotiate 50451234ff77");
    } while (try_event(recorder, MCC_EVENT_MESSAGE, 200) != NULL);
    peer_command(peer, "answer");
    await_count(recorder, MCC_EVENT_MESSAGE, requests);
    close_connection(connection, recorder);
}

/* ---- OpenSSL's own server ---- */

/* It prints what it gets and sends what it is given; it answers no ping. */
static void openssl_s_server_is_spoken_to(void **state)
{
    fixture_t *fixture = *state;
    static const uint8_t message[] = {0x50, CODE_CONTENT, 0x12, 0x34, 0xff, 'h', 'e', 'l', 'l', 'o', '\n'};
    static const char *const versions[] = {"-tls1_2", "-tls1_3"};
    for (size_t version = 0; version < 2; version++) {
        for (size_t with_psk = 0; with_psk < 2; with_psk++) {
            print_message("    openssl s_server %s%s\n", versions[version], with_psk ? " -psk" : "");
            char port[8];
            uint16_t number = free_port();
            (void)snprintf(port, sizeof port, "%u", number);
            const char *with_certificate[] = {"openssl", "s_server", "-quiet", "-accept", port, versions[version], "-cert",
                                              certificate_path(fixture, "server.pem"), "-key",
                                              certificate_path(fixture, "server.key"), NULL};
            const char *with_key[] = {"openssl", "s_server", "-quiet", "-accept", port, versions[version], "-nocert", "-psk", psk_digits,
                                      "-psk_identity", psk_identity, NULL};
            peer_t *server = start_server(fixture, number, with_psk ? with_key : with_certificate);
            const mcc_tls_options_t *tls = with_psk ? tls_with_psk(fixture) : tls_with_ca(fixture, "ca.pem");
            mcc_connection_options_t options = options_to(fixture, "localhost", server, tls);
            options.keepalive_timeout_ms = 300;
            recorder_t *recorder;
            mcc_connection_t *connection = open_ready(fixture, options, &recorder);
            assert_status(mcc_connection_send(connection, message, sizeof message, NULL), MCC_OK);
            (void)await_event(recorder, MCC_EVENT_SENT);
            (void)peer_await(server, "PE");
            peer_write(server, message, sizeof message);
            const record_t *received = await_event(recorder, MCC_EVENT_MESSAGE);
            assert_int_equal(received->message_size, sizeof message);
            assert_memory_equal(received->message, message, sizeof message);
            assert_status(mcc_connection_ping(connection), MCC_OK);
            assert_status(await_event(recorder, MCC_EVENT_PING_LOST)->reason, MCC_ERR_PATH_SILENT);
            close_connection(connection, recorder);
            stop_peer(fixture, server);
        }
    }
}

/* The buffer for what comes is for the largest record at any time; that for what goes is so only while such a record is written. */
static void an_idle_connection_keeps_one_large_buffer(void **state)
{
    fixture_t *fixture = *state;
    skip_under_valgrind("it has a heap of its own, which mallinfo2 knows nothing of");
    enum { CONNECTIONS = 20, MOST = 46000, LARGE = 12000 };
    static const uint32_t versions[] = {MCC_TLS_1_2, MCC_TLS_1_3};
    for (size_t version = 0; version < 2; version++) {
        peer_t *peer = start_tls_peer(fixture, "server");
        mcc_tls_options_t *tls = tls_with_ca(fixture, "ca.pem");
        tls->min_version = tls->max_version = versions[version];
        recorder_t *recorder;
        /* What the first one brings for all. */
        (void)open_ready(fixture, options_to(fixture, "localhost", peer, tls), &recorder);
        size_t before = heap_in_use();
        mcc_connection_t *connection = NULL;
        for (unsigned index = 0; index < CONNECTIONS; index++) {
            connection = open_ready(fixture, options_to(fixture, "localhost", peer, tls), &recorder);
        }
        size_t each = (heap_in_use() - before) / CONNECTIONS;
        print_message("    TLS 1.%u: %zu bytes\n", (unsigned)version + 2, each);
        assert_in_range(each, 1, MOST);
        expect_echo(connection, recorder, LARGE, 0x1234, false);
        assert_in_range((heap_in_use() - before) / CONNECTIONS, 1, MOST);
        stop_peer(fixture, peer);
    }
}

/* The record that the socket took a part of goes no further when its message is reported as failed: else a message that is then sent
 * over the next connection came twice. */
static void what_is_reported_as_failed_does_not_arrive_after_all(void **state)
{
    fixture_t *fixture = *state;
    enum { SIZE = 16000, MOST = 4096 };
    static uint8_t message[SIZE];
    peer_t *peer = start_tls_peer(fixture, "server");
    mcc_connection_options_t options = options_to(fixture, "localhost", peer, tls_with_ca(fixture, "ca.pem"));
    options.queue_limit = MOST;
    recorder_t *recorder;
    mcc_connection_t *connection = open_ready(fixture, options, &recorder);
    peer_command(peer, "silent");
    (void)write_request(message, sizeof message, NON_CONFIRMABLE, 1);
    message[1] = CODE_CONTENT;
    for (unsigned index = 0; index < MOST; index++) {
        assert_status(mcc_connection_send(connection, message, sizeof message, NULL), MCC_OK);
    }
    for (size_t before = 0, now = 1; before != now;) {
        before = now;
        (void)mcc_context_process(context_of(fixture), 100);
        now = 1 + count_events(recorder, MCC_EVENT_SENT);
    }
    size_t sent = count_events(recorder, MCC_EVENT_SENT);
    assert_in_range(sent, 1, MOST - 1);
    /* Now there is room again, of which the library does not know when it is told to end. */
    peer_command(peer, "answer");
    for (size_t before = MOST, now = 0; before != now || now < sent;) {
        before = now;
        sleep_ms(200);
        now = peer_count(peer, "message ");
    }
    assert_int_equal(peer_count(peer, "message "), sent);
    free_context(fixture);
    (void)peer_await(peer, "closed-by-client");
    assert_int_equal(count_events(recorder, MCC_EVENT_FAILED), MOST - sent);
    peer_await_count(peer, "message ", sent);
}

int main(int count, char **arguments)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_server_of_the_ca_is_trusted_by_name_and_by_address),
        TEST(the_name_is_asked_for_and_checked),
        TEST(each_thing_wrong_with_a_certificate_has_its_reason),
        TEST(what_does_not_parse_is_refused_when_opening),
        TEST(a_key_has_to_fit_its_certificate),
        TEST(a_pre_shared_key_has_its_limits),
        TEST(versions_and_flags_have_their_ranges),
        TEST(a_device_shows_its_certificate),
        TEST(a_pre_shared_key_is_enough),
        TEST(versions_are_agreed_or_refused),
        TEST(of_dtls_there_is_version_1_2_alone),
        TEST(what_does_not_speak_tls_is_told_from_what_says_nothing),
        TEST(what_comes_behind_a_request_to_renegotiate_is_not_lost_where_nothing_can_be_written),
        TEST(openssl_s_server_is_spoken_to),
        TEST(an_idle_connection_keeps_one_large_buffer),
        cmocka_unit_test_setup_teardown(what_is_reported_as_failed_does_not_arrive_after_all, setup_driven, teardown),
    };
#undef TEST
    return run_chosen_tests(tests, count, arguments);
}
