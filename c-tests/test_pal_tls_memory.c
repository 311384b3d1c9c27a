/* Sessions of the PAL's TLS and DTLS where the host has no storage: what is kept in memory and goes on by its Connection ID, what the
 * network may send without harm, when retransmissions are told, and that no key is left in memory afterwards.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "pal_tls_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void expect_full_without_resuming(secure_t *secure, peer_t *peer, bool skip_resume)
{
    assert_pal(shake_hands(secure, skip_resume), PAL_SUCCESS);
    assert_non_null(strstr(peer_await(peer, "connected "), " full "));
}

/* A DTLS session, established and freed: its context is kept. */
static void leave_context(fixture_t *fixture, peer_t *peer)
{
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_full_without_resuming(&secure, peer, true);
    secure_echo(&secure, 10);
    secure_end(&secure);
}

/* ---- what is kept ---- */

static void a_context_goes_on_after_everything_was_freed_and_ended(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    leave_context(fixture, peer);
    for (unsigned round = 1; round <= 3; round++) {
        /* Without storage this has nothing to do, and harms nothing. */
        pal_store_cid();
        assert_pal(pal_cleanupTLS(), PAL_SUCCESS);
        assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
        assert_true(pal_is_cid_available());
        assert_pal(pal_plat_socketsInit(NULL), PAL_SUCCESS);
        assert_pal(pal_initTLSLibrary(), PAL_SUCCESS);
        secure_t secure;
        open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
        expect_at_once(&secure);
        secure_echo(&secure, 10 * round);
        peer_await_count(peer, "rebound", 2 * round - 1);
        secure_new_socket(&secure, peer_port(peer));
        secure_echo(&secure, 20 * round);
        peer_await_count(peer, "rebound", 2 * round);
        secure_end(&secure);
    }
    peer_await_count(peer, "connected", 1);
    assert_int_equal(peer_count(peer, "close-notify"), 0);
    assert_int_equal(peer_count(peer, "unauthenticated"), 0);
}

static void a_kept_context_is_used_only_where_it_is_wanted(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    leave_context(fixture, peer);
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    assert_pal(pal_freeTLS(&secure.session), PAL_SUCCESS);
    assert_pal(pal_initTLS(secure.configuration, &secure.session, true), PAL_SUCCESS);
    expect_full(&secure, peer);
    secure_end(&secure);

    secure_open(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_full(&secure, peer);
    secure_end(&secure);

    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_full_without_resuming(&secure, peer, true);
    secure_end(&secure);

    /* All that was kept is forgotten. TLS has nothing to do with it. */
    assert_true(pal_is_cid_available());
    secure_open(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    palTLSConfHandle_t stream = 0;
    assert_pal(pal_initTLSConfiguration(&stream, PAL_TLS_MODE), PAL_SUCCESS);
    pal_enableSslSessionStoring(stream, false);
    assert_pal(pal_tlsConfigurationFree(&stream), PAL_SUCCESS);
    assert_true(pal_is_cid_available());
    pal_enableSslSessionStoring(secure.configuration, false);
    assert_false(pal_is_cid_available());
    pal_enableSslSessionStoring(secure.configuration, true);
    expect_full(&secure, peer);
    secure_end(&secure);
}

static void one_of_two_that_want_a_context_gets_it(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    leave_context(fixture, peer);
    wire_t wire = open_wire();
    secure_t first, second;
    open_storing(&first, fixture, PAL_DTLS_MODE, peer_port(peer));
    open_storing(&second, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_at_once(&first);
    expect_full(&second, peer);
    head_t before = write_to_wire(&first, &wire);
    for (unsigned round = 0; round < 5; round++) {
        head_t of_second = write_to_wire(&second, &wire);
        head_t of_first = write_to_wire(&first, &wire);
        assert_memory_not_equal(of_first.cid, of_second.cid, of_first.cid_size);
        assert_true(of_first.number == before.number + 1);
        before = of_first;
    }
    /* The one that gave way to the second is not kept, and ends; the second goes on. */
    redirect(&first, peer_port(peer));
    secure_end(&first);
    (void)peer_await(peer, "close-notify");
    secure_end(&second);
    open_storing(&first, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_at_once(&first);
    secure_echo(&first, 10);
    secure_end(&first);
    assert_int_equal(peer_count(peer, "unauthenticated"), 0);
    close_wire(&wire);
}

enum { PEERS = 8 };

static void set_psk(const secure_t *secure, unsigned number)
{
    char identity[16];
    uint8_t key[16];
    (void)snprintf(identity, sizeof identity, "device-%u", number);
    memset(key, (int)number + 1, sizeof key);
    assert_pal(pal_setPSK(secure->configuration, (const unsigned char *)identity, (uint32_t)strlen(identity), key, sizeof key),
               PAL_SUCCESS);
}

static void several_peers_are_kept_at_once(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peers[PEERS];
    secure_t secure[PEERS];
    for (unsigned index = 0; index < PEERS; index++) {
        char identity[16], key[33];
        (void)snprintf(identity, sizeof identity, "device-%u", index);
        for (unsigned at = 0; at < 16; at++) {
            (void)snprintf(key + 2 * at, 3, "%02x", index + 1);
        }
        peers[index] = start_peer_program(fixture, MCC_TEST_MBEDTLS_CID_SERVER, "--dtls", "--psk-identity", identity, "--psk", key, NULL);
        secure_begin(&secure[index], PAL_DTLS_MODE, peer_port(peers[index]));
        set_psk(&secure[index], index);
        pal_enableSslSessionStoring(secure[index].configuration, true);
        expect_full(&secure[index], peers[index]);
    }
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned index = 0; index < PEERS; index++) {
            secure_echo(&secure[index], 50 + index);
        }
        for (unsigned index = 0; index < PEERS; index++) {
            secure_end(&secure[index]);
        }
        for (unsigned index = PEERS; index-- > 0;) {
            secure_begin(&secure[index], PAL_DTLS_MODE, peer_port(peers[index]));
            set_psk(&secure[index], index);
            pal_enableSslSessionStoring(secure[index].configuration, true);
            expect_at_once(&secure[index]);
        }
    }
    for (unsigned index = 0; index < PEERS; index++) {
        secure_echo(&secure[index], 50 + index);
        secure_end(&secure[index]);
        peer_await_count(peers[index], "connected", 1);
        assert_int_equal(peer_count(peers[index], "close-notify"), 0);
    }
    /* The latest is forgotten first. */
    for (unsigned index = 0; index < PEERS; index++) {
        assert_true(pal_is_cid_available());
        pal_remove_cid();
    }
    assert_false(pal_is_cid_available());
}

static void a_context_is_kept_for_its_trust_and_identity(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    secure_t secure;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned which = 0; which < 3; which++) {
            open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
            if (which == 1) {
                secure_identify(&secure, fixture);
            } else if (which == 2) {
                size_t size, crl_size;
                palX509_t chain = {.buffer = read_certificate(fixture, "ca.pem", &size)};
                palX509CRL_t list = {.buffer = read_certificate(fixture, "crl.pem", &crl_size)};
                chain.size = (uint32_t)size;
                list.size = (uint32_t)crl_size;
                assert_pal(pal_setCAChain(secure.configuration, &chain, &list), PAL_SUCCESS);
            }
            if (round == 0) {
                expect_full(&secure, peer);
            } else {
                expect_at_once(&secure);
            }
            secure_echo(&secure, 10 + which);
            secure_end(&secure);
        }
    }
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    secure_trust(&secure, fixture, "other-ca.pem");
    assert_pal(shake_hands(&secure, false), PAL_ERR_X509_CERT_VERIFY_FAILED);
    secure_end(&secure);
}

static void a_context_of_another_pre_shared_key_is_not_gone_on_with(void **state)
{
    fixture_t *fixture = *state;
    const char *key_of_device_1 = "02020202020202020202020202020202";
    peer_t *peer = start_peer_program(fixture, MCC_TEST_MBEDTLS_CID_SERVER, "--dtls", "--psk-identity", "device-1", "--psk",
                                      key_of_device_1, NULL);
    secure_t secure;
    for (unsigned round = 0; round < 2; round++) {
        secure_begin(&secure, PAL_DTLS_MODE, peer_port(peer));
        set_psk(&secure, 1);
        pal_enableSslSessionStoring(secure.configuration, true);
        if (round == 0) {
            expect_full(&secure, peer);
        } else {
            expect_at_once(&secure);
        }
        secure_echo(&secure, 10);
        secure_end(&secure);
    }
    secure_begin(&secure, PAL_DTLS_MODE, peer_port(peer));
    static const uint8_t another[16] = {9};
    assert_pal(pal_setPSK(secure.configuration, (const unsigned char *)"device-1", 8, another, sizeof another), PAL_SUCCESS);
    pal_enableSslSessionStoring(secure.configuration, true);
    /* A server that is faster than this program refuses the key within the first call. */
    palStatus_t status = pal_handShake(secure.session, secure.configuration, false);
    assert_true(status == PAL_ERR_TLS_WANT_READ || status == PAL_ERR_SSL_FATAL_ALERT_MESSAGE);
    secure_end(&secure);
}

static void a_removed_context_is_not_kept_and_its_session_goes_on(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_full(&secure, peer);
    pal_remove_cid();
    pal_remove_cid();
    assert_false(pal_is_cid_available());
    secure_echo(&secure, 10);
    assert_pal(pal_freeTLS(&secure.session), PAL_SUCCESS);
    (void)peer_await(peer, "close-notify");
    secure_end(&secure);
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_full(&secure, peer);
    secure_end(&secure);
}

static void closing_an_earlier_socket_does_not_end_a_session(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    enum { CLOSE_AT_ONCE, CALL_HANDSHAKE, WRITE, ROUNDS };
    for (unsigned round = CLOSE_AT_ONCE; round < ROUNDS; round++) {
        secure_t secure;
        open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
        expect_full(&secure, peer);
        /* One that is kept would not end anyway. */
        pal_remove_cid();
        palSocket_t earlier = secure.socket;
        secure.socket = CLOSED_SOCKET;
        secure_new_socket(&secure, peer_port(peer));
        if (round == CALL_HANDSHAKE) {
            assert_pal(pal_handShake(secure.session, secure.configuration, false), PAL_SUCCESS);
        } else if (round == WRITE) {
            secure_echo(&secure, 10);
        }
        close_socket(&earlier);
        secure_echo(&secure, 20);
        assert_int_equal(peer_count(peer, "close-notify"), round);
        /* It ends with the socket that it has now. */
        close_socket(&secure.socket);
        peer_await_count(peer, "close-notify", round + 1);
        secure_end(&secure);
    }
}

static palStatus_t call_handshake(const secure_t *secure)
{
    return pal_handShake(secure->session, secure->configuration, false);
}

static palStatus_t is_any_available(const secure_t *secure)
{
    (void)secure;
    return pal_is_cid_available() ? PAL_ERR_GENERIC_FAILURE : PAL_SUCCESS;
}

/* What a call gives in a child of fork(2). Another program ends the child: valgrind would take for lost what threads
 * have that it has not. */
static palStatus_t status_in_child(palStatus_t (*call)(const secure_t *secure), const secure_t *secure)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(60);
        palStatus_t status = call(secure);
        (void)!write(ends[1], &status, sizeof status);
        (void)execlp("true", "true", (char *)NULL);
        _exit(1);
    }
    close(ends[1]);
    palStatus_t status = PAL_SUCCESS;
    assert_int_equal(read(ends[0], &status, sizeof status), sizeof status);
    close(ends[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    return status;
}

static void a_child_of_fork_does_not_go_on_with_what_its_parent_keeps(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    leave_context(fixture, peer);
    wire_t wire = open_wire();
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, wire.port);
    assert_pal(status_in_child(call_handshake, &secure), PAL_ERR_TLS_WANT_READ);
    assert_pal(status_in_child(is_any_available, &secure), PAL_SUCCESS);
    redirect(&secure, peer_port(peer));
    expect_at_once(&secure);
    secure_echo(&secure, 20);
    secure_end(&secure);
    assert_int_equal(peer_count(peer, "unauthenticated"), 0);
    close_wire(&wire);
}

static void a_child_of_fork_has_random_numbers_of_its_own(void **state)
{
    fixture_t *fixture = *state;
    /* Of a ClientHello: where its random bytes are, behind the time. */
    enum { RANDOM_OFFSET = 13 + 12 + 2 + 4, RANDOM_SIZE = 28 };
    uint8_t hello[2][2048];
    wire_t wire = open_wire();
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, wire.port);
    assert_pal(status_in_child(call_handshake, &secure), PAL_ERR_TLS_WANT_READ);
    assert_pal(pal_handShake(secure.session, secure.configuration, true), PAL_ERR_TLS_WANT_READ);
    for (size_t of = 0; of < 2; of++) {
        ssize_t size = recv(wire.descriptor, hello[of], sizeof hello[of], MSG_DONTWAIT);
        assert_true(size >= RANDOM_OFFSET + RANDOM_SIZE);
    }
    assert_memory_not_equal(hello[0] + RANDOM_OFFSET, hello[1] + RANDOM_OFFSET, RANDOM_SIZE);
    secure_end(&secure);
    close_wire(&wire);
}

static void only_a_session_that_is_not_kept_says_close_notify(void **state)
{
    fixture_t *fixture = *state;
    const char *further[] = {"--cid-length", "0", NULL};
    peer_t *peer = start_server_with(fixture, MCC_TEST_MBEDTLS_CID_SERVER, PAL_DTLS_MODE, "server", further);
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_full(&secure, peer);
    assert_false(pal_is_cid_available());
    secure_echo(&secure, 10);
    assert_pal(pal_freeTLS(&secure.session), PAL_SUCCESS);
    peer_await_count(peer, "close-notify", 1);
    secure_end(&secure);

    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_full(&secure, peer);
    close_socket(&secure.socket);
    peer_await_count(peer, "close-notify", 2);
    secure_end(&secure);

    peer_t *keeping = start_dtls_server(fixture);
    leave_context(fixture, keeping);
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(keeping));
    expect_at_once(&secure);
    close_socket(&secure.socket);
    secure_end(&secure);
    /* What the server is told after this comes after a close_notify, had there been one. */
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(keeping));
    expect_at_once(&secure);
    secure_echo(&secure, 10);
    secure_end(&secure);
    assert_int_equal(peer_count(keeping, "close-notify"), 0);
}

/* ---- the value of the Connection ID ---- */

static void the_connection_id_can_be_replaced_in_an_established_session(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    wire_t wire = open_wire();
    uint8_t of_server[LONGEST_CID], mine[40];
    for (size_t index = 0; index < sizeof mine; index++) {
        mine[index] = (uint8_t)(0xc0 + index);
    }
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    pal_set_cid_value(secure.session, secure.configuration, mine, 8);
    assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
    size_t size = bytes_of_event(peer_await(peer, "cid "), "cid ", of_server, sizeof of_server);
    assert_int_equal(size, 8);
    head_t head = write_to_wire(&secure, &wire);
    assert_int_equal(head.type, RECORD_WITH_CID);
    assert_int_equal(head.cid_size, size);
    assert_memory_equal(head.cid, of_server, size);

    const size_t sizes[] = {1, 8, 32, 0, 32};
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++) {
        pal_set_cid_value(secure.session, secure.configuration, sizes[index] == 0 ? NULL : mine, sizes[index]);
        uint64_t before = head.number;
        head = write_to_wire(&secure, &wire);
        assert_int_equal(head.type, sizes[index] == 0 ? RECORD_OF_DATA : RECORD_WITH_CID);
        assert_int_equal(head.cid_size, sizes[index]);
        assert_memory_equal(head.cid, mine, sizes[index]);
        assert_true(head.number == before + 1);
    }
    /* Too long, of another configuration, of no session: nothing happens. */
    pal_set_cid_value(secure.session, secure.configuration, mine, 33);
    pal_set_cid_value(secure.session, secure.configuration, NULL, 4);
    pal_set_cid_value(secure.session, 0, mine, 4);
    pal_set_cid_value(0, secure.configuration, mine, 4);
    assert_int_equal(write_to_wire(&secure, &wire).cid_size, 32);

    /* It is that of the kept context too. */
    pal_set_cid_value(secure.session, secure.configuration, mine, 5);
    secure_end(&secure);
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_at_once(&secure);
    head = write_to_wire(&secure, &wire);
    assert_int_equal(head.cid_size, 5);
    assert_memory_equal(head.cid, mine, 5);
    /* And the server's own leads to the same session again. */
    pal_set_cid_value(secure.session, secure.configuration, of_server, size);
    redirect(&secure, peer_port(peer));
    secure_echo(&secure, 10);
    peer_await_count(peer, "connected", 1);
    secure_end(&secure);
    close_wire(&wire);
}

static void without_a_connection_id_there_is_none_to_replace(void **state)
{
    fixture_t *fixture = *state;
    const uint8_t id[4] = {1, 2, 3, 4};
    const char *further[] = {"--cid-length", "0", NULL};
    peer_t *peers[] = {start_tls_server(fixture),
                       start_server_with(fixture, MCC_TEST_MBEDTLS_CID_SERVER, PAL_DTLS_MODE, "server", further)};
    const palTLSTransportMode_t modes[] = {PAL_TLS_MODE, PAL_DTLS_MODE};
    for (size_t index = 0; index < 2; index++) {
        secure_t secure;
        secure_open(&secure, fixture, modes[index], peer_port(peers[index]));
        expect_full(&secure, peers[index]);
        pal_set_cid_value(secure.session, secure.configuration, id, sizeof id);
        secure_echo(&secure, 10);
        pal_set_cid_value(secure.session, secure.configuration, NULL, 0);
        secure_echo(&secure, 20);
        secure_end(&secure);
    }
}

/* ---- servers that know nothing of it any more ---- */

static void a_server_that_has_forgotten_the_session_is_reached_by_a_new_handshake(void **state)
{
    fixture_t *fixture = *state;
    const char *further[] = {"--alert", NULL};
    for (unsigned with_alert = 0; with_alert < 2; with_alert++) {
        peer_t *peer =
            start_server_with(fixture, MCC_TEST_MBEDTLS_CID_SERVER, PAL_DTLS_MODE, "server", with_alert ? further : NULL);
        leave_context(fixture, peer);
        peer_command(peer, "forget");
        secure_t secure;
        open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
        expect_at_once(&secure);
        unsigned before = calls_so_far(&secure.calls);
        secure_write(&secure, "0123456789", 10);
        (void)peer_await(peer, "unknown-session");
        if (with_alert) {
            await_calls(&secure.calls, before + 1);
        }
        /* Anybody can send a plain alert: it ends nothing. */
        char byte;
        uint32_t read;
        assert_pal(pal_sslRead(secure.session, &byte, 1, &read), PAL_ERR_TLS_WANT_READ);
        assert_true(pal_is_cid_available());
        secure_end(&secure);

        open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
        expect_full_without_resuming(&secure, peer, true);
        secure_echo(&secure, 10);
        secure_end(&secure);
        /* It has taken the place of the one that the server does not know. */
        open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
        expect_at_once(&secure);
        secure_echo(&secure, 10);
        secure_end(&secure);
    }
}

static void a_session_that_the_server_has_ended_is_not_gone_on_with(void **state)
{
    fixture_t *fixture = *state;
    const char *commands[] = {"close", "alert 40"};
    const palStatus_t expected[] = {PAL_ERR_TLS_PEER_CLOSE_NOTIFY, PAL_ERR_SSL_FATAL_ALERT_MESSAGE};
    peer_t *peer = start_dtls_server(fixture);
    for (size_t index = 0; index < 2; index++) {
        secure_t secure;
        open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
        expect_full(&secure, peer);
        peer_command(peer, "%s", commands[index]);
        char bytes[16];
        uint32_t read;
        assert_pal(secure_read(&secure, bytes, sizeof bytes, &read), expected[index]);
        assert_false(pal_is_cid_available());
        secure_end(&secure);
    }
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_full(&secure, peer);
    secure_echo(&secure, 10);
    secure_end(&secure);
}

/* ---- resumption ---- */

static void tls_sessions_are_resumed_from_memory_per_identity(void **state)
{
    fixture_t *fixture = *state;
    const char *ways[] = {"--cache", "--tickets"};
    peer_t *peers[2];
    for (size_t way = 0; way < 2; way++) {
        const char *further[] = {ways[way], NULL};
        peers[way] = start_server_with(fixture, MCC_TEST_MBEDTLS_SERVER, PAL_TLS_MODE, "server", further);
    }
    for (unsigned round = 0; round < 3; round++) {
        for (size_t way = 0; way < 2; way++) {
            secure_t secure;
            open_storing(&secure, fixture, PAL_TLS_MODE, peer_port(peers[way]));
            if (way == 1) {
                secure_identify(&secure, fixture);
            }
            assert_pal(shake_hands(&secure, round == 2), PAL_SUCCESS);
            assert_non_null(strstr(peer_await(peers[way], "connected "), round == 1 ? " resumed " : " full "));
            secure_echo(&secure, 10);
            secure_end(&secure);
        }
    }
    peer_await_count(peers[0], "resumed-by session-id", 1);
    peer_await_count(peers[1], "resumed-by ticket", 1);
    /* Nothing was asked of the first with storing off. */
    secure_t secure;
    secure_open(&secure, fixture, PAL_TLS_MODE, peer_port(peers[0]));
    expect_full(&secure, peers[0]);
    secure_end(&secure);
}

/* ---- what the network may send ---- */

/* Datagrams of random bytes, and what looks like records and is none, to a port, from one that is not the server's. */
static void flood(uint16_t port, unsigned count, const uint8_t *cid, size_t cid_size)
{
    static const uint8_t types[] = {20, 21, 22, RECORD_OF_DATA, RECORD_WITH_CID};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    wire_t elsewhere = open_wire();
    uint8_t bytes[300];
    for (unsigned index = 0; index < count; index++) {
        for (size_t at = 0; at < sizeof bytes; at++) {
            bytes[at] = (uint8_t)random();
        }
        size_t size = index % sizeof bytes;
        if (index % 2 == 1 && size > 60) {
            uint8_t type = types[index / 2 % sizeof types];
            size_t id_size = type == RECORD_WITH_CID ? cid_size : 0;
            const uint8_t head[CID_OFFSET] = {type, 0xfe, 0xfd, 0, index / 10 % 2, 0, 0, 0, 0, 0, (uint8_t)index};
            memcpy(bytes, head, sizeof head);
            memcpy(bytes + CID_OFFSET, cid, id_size);
            bytes[CID_OFFSET + id_size] = 0;
            bytes[CID_OFFSET + id_size + 1] = (uint8_t)(size - CID_OFFSET - id_size - 2);
        }
        (void)sendto(elsewhere.descriptor, bytes, size, 0, (const struct sockaddr *)&to, sizeof to);
    }
    close_wire(&elsewhere);
}

/* Reads what there is, of which nothing is the peer's. */
static void drain(secure_t *secure)
{
    char bytes[16];
    uint32_t read;
    int waiting;
    do {
        assert_pal(pal_sslRead(secure->session, bytes, sizeof bytes, &read), PAL_ERR_TLS_WANT_READ);
        assert_int_equal(ioctl(descriptor_of(secure->socket), FIONREAD, &waiting), 0);
    } while (waiting > 0);
}

static void datagrams_from_elsewhere_change_nothing(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    uint8_t cid[LONGEST_CID] = {0};
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    /* Where the socket's room is taken the server's flight is lost, and comes again. */
    assert_pal(pal_setHandShakeTimeOut(secure.configuration, 100, 8000), PAL_SUCCESS);
    uint16_t port = port_of(secure.socket);
    flood(port, times(4000), cid, 8);
    for (;;) {
        secure.seen = calls_so_far(&secure.calls);
        palStatus_t status = pal_handShake(secure.session, secure.configuration, false);
        flood(port, 40, cid, 8);
        if (status == PAL_SUCCESS) {
            break;
        }
        assert_pal(status, PAL_ERR_TLS_WANT_READ);
        await_call(&secure);
    }
    size_t size = bytes_of_event(peer_await(peer, "cid "), "cid ", cid, sizeof cid);
    for (unsigned round = 0; round < 3; round++) {
        flood(port, times(2000), cid, size);
        drain(&secure);
        secure_echo(&secure, 100);
        peer_command(peer, "garbage-from-elsewhere %u %u", times(2000), 1 + round * 700);
        drain(&secure);
        secure_echo(&secure, 200);
    }
    peer_await_count(peer, "connected", 1);
    assert_int_equal(peer_count(peer, "rebound"), 0);
    secure_end(&secure);
}

static void records_that_are_not_authentic_change_nothing(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_full(&secure, peer);
    const char *records[] = {
        /* Plain: an alert, a change of ciphers, a ServerHelloDone, a HelloRequest, data. */
        "15fefd00000000000000ff00020228",
        "14fefd00000000000000ff000101",
        "16fefd00000000000000ff000c0e0000000009000000000000",
        "16fefd00000000000000ff000c000000000000000000000000",
        "17fefd00000000000000ff000161",
        /* Of the right epoch: an alert, data, data with a Connection ID, a number far ahead. */
        "15fefd000100000000000500120001000000000005abababababababababab",
        "17fefd0001000000000006001a0001000000000006abababababababababababababababababab",
        "19fefd00010000000000070102030405060708001a0001000000000007abababababababababababababababababab",
        "17fefd0001ffffffffffff001a0001ffffffffffffabababababababababababababababababab",
        /* Cut short, longer than it is, of another version, of none. */
        "17fefd0001000000000006",
        "17fefd0001000000000006ffff00",
        "17030300010000000000060004abababab",
        "00",
    };
    for (size_t index = 0; index < sizeof records / sizeof *records; index++) {
        unsigned before = calls_so_far(&secure.calls);
        peer_command(peer, "raw %s", records[index]);
        await_calls(&secure.calls, before + 1);
        drain(&secure);
        secure_echo(&secure, 10);
    }
    /* A datagram that is longer than any record can be, and is cut when it is read. */
    const unsigned sizes[] = {1000, 16384, 17000, 20000, 60000};
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++) {
        unsigned before = calls_so_far(&secure.calls);
        peer_command(peer, "garbage %u", sizes[index]);
        await_calls(&secure.calls, before + 1);
        drain(&secure);
        secure_echo(&secure, 10);
    }
    assert_true(pal_is_cid_available());
    secure_end(&secure);
}

/* Leaves an error of an earlier datagram on the socket, as a router that answers it does. */
static void be_refused(secure_t *secure)
{
    wire_t closed = open_wire();
    close_wire(&closed);
    palSocketAddress_t nobody = loopback(PAL_AF_INET, closed.port);
    size_t sent = 0;
    assert_pal(pal_connect(secure->socket, &nobody, ADDRESS_SIZE), PAL_SUCCESS);
    assert_pal(pal_send(secure->socket, "x", 1, &sent), PAL_SUCCESS);
    assert_pal(pal_connect(secure->socket, &secure->address, ADDRESS_SIZE), PAL_SUCCESS);
}

/* While the socket is connected to nobody, what the server sends does not reach it. */
static void await_datagram(secure_t *secure)
{
    uint64_t until = milliseconds_now() + SOON_MS;
    int waiting = 0;
    while (waiting == 0 && milliseconds_now() < until) {
        sleep_ms(1);
        assert_int_equal(ioctl(descriptor_of(secure->socket), FIONREAD, &waiting), 0);
    }
    assert_true(waiting > 0);
}

static size_t socket_waiting(const secure_t *secure)
{
    int size = 0;
    assert_int_equal(ioctl(descriptor_of(secure->socket), FIONREAD, &size), 0);
    return (size_t)size;
}

static void a_flood_in_the_peer_s_name_holds_up_no_call(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_full(&secure, peer);
    wire_t wire = open_wire();
    redirect(&secure, wire.port);
    /* More than one call looks at, and no more than there is room for. */
    enum { DATAGRAMS = 300 };
    int room = 1 << 20;
    assert_int_equal(setsockopt(descriptor_of(secure.socket), SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port_of(secure.socket)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static const uint8_t plain[] = {0x17, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 1, 'a'};
    for (unsigned sent = 0; sent < DATAGRAMS; sent++) {
        assert_int_equal(sendto(wire.descriptor, plain, sizeof plain, 0, (struct sockaddr *)&to, sizeof to), sizeof plain);
    }
    uint8_t byte;
    uint32_t read;
    unsigned calls = 0;
    do {
        assert_int_equal(socket_waiting(&secure), sizeof plain);
        secure.seen = calls_so_far(&secure.calls);
        assert_pal(pal_sslRead(secure.session, &byte, 1, &read), PAL_ERR_TLS_WANT_READ);
        calls++;
        if (socket_waiting(&secure) != 0) {
            await_call(&secure);
        }
    } while (socket_waiting(&secure) != 0);
    assert_int_equal(calls, 2);
    redirect(&secure, peer_port(peer));
    secure_echo(&secure, 10);
    secure_end(&secure);
    close_wire(&wire);
}

static void what_the_network_says_of_other_datagrams_changes_nothing(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    assert_pal(pal_setHandShakeTimeOut(secure.configuration, 100, 8000), PAL_SUCCESS);
    /* To see that it comes about: another process may have taken the port, and the kernel does not answer each datagram. */
    int error = 0;
    uint64_t until = milliseconds_now() + SOON_MS;
    while (error == 0 && milliseconds_now() < until) {
        be_refused(&secure);
        socklen_t size = sizeof error;
        assert_int_equal(getsockopt(descriptor_of(secure.socket), SOL_SOCKET, SO_ERROR, &error, &size), 0);
    }
    assert_int_equal(error, ECONNREFUSED);
    be_refused(&secure);
    for (;;) {
        secure.seen = calls_so_far(&secure.calls);
        palStatus_t status = pal_handShake(secure.session, secure.configuration, false);
        if (status == PAL_SUCCESS) {
            break;
        }
        assert_pal(status, PAL_ERR_TLS_WANT_READ);
        await_call(&secure);
        be_refused(&secure);
    }
    for (unsigned round = 0; round < 5; round++) {
        be_refused(&secure);
        secure_echo(&secure, 10);
        secure_write(&secure, "0123456789", 10);
        await_datagram(&secure);
        be_refused(&secure);
        char back[16];
        uint32_t read;
        assert_pal(pal_sslRead(secure.session, back, sizeof back, &read), PAL_SUCCESS);
        assert_int_equal(read, 10);
    }
    peer_await_count(peer, "connected", 1);
    secure_end(&secure);
}

static void handshakes_succeed_though_each_third_datagram_is_lost(void **state)
{
    fixture_t *fixture = *state;
    const char *further[] = {"--retransmit", "100", NULL};
    peer_t *peer = start_server_with(fixture, MCC_TEST_MBEDTLS_CID_SERVER, PAL_DTLS_MODE, "server", further);
    unsigned count = times(20) < 4 ? 4 : times(20);
    for (unsigned index = 0; index < count; index++) {
        peer_command(peer, "loss 3");
        secure_t secure;
        secure_open(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
        assert_pal(pal_setHandShakeTimeOut(secure.configuration, 100, 8000), PAL_SUCCESS);
        if (index % 2 == 1) {
            pal_setDTLSSocketCallback(secure.configuration, NULL, NULL);
        }
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        peer_command(peer, "loss 0");
        secure_echo(&secure, 10);
        secure_end(&secure);
    }
    assert_true(peer_count(peer, "lost in") >= count);
    assert_true(peer_count(peer, "lost out") >= count);
}

/* ---- retransmission ---- */

/* What a loaded machine may add to a time. */
enum { TIMER_LATE_MS = 3000 };

/* A DTLS session whose peer is the wire, and that has sent its first flight; its timer's callback counts in `timer`. */
static void begin_unanswered(secure_t *secure, fixture_t *fixture, const wire_t *wire, uint32_t first_ms, calls_t *timer)
{
    calls_begin(timer);
    secure_open(secure, fixture, PAL_DTLS_MODE, wire->port);
    assert_pal(pal_setHandShakeTimeOut(secure->configuration, first_ms, 60000), PAL_SUCCESS);
    pal_setDTLSSocketCallback(secure->configuration, count_call, timer);
    assert_pal(pal_handShake(secure->session, secure->configuration, false), PAL_ERR_TLS_WANT_READ);
    assert_true(wire_waiting(wire) > 0);
}

static void expect_between(uint64_t begin_ms, uint64_t least_ms)
{
    uint64_t took_ms = milliseconds_now() - begin_ms;
    if (took_ms < least_ms || took_ms > least_ms + TIMER_LATE_MS) {
        fail_msg("it took %llu ms, not %llu", (unsigned long long)took_ms, (unsigned long long)least_ms);
    }
}

static void retransmissions_are_told_when_they_are_due(void **state)
{
    fixture_t *fixture = *state;
    wire_t wire = open_wire();
    calls_t timer;
    secure_t secure;
    uint64_t begin = milliseconds_now();
    begin_unanswered(&secure, fixture, &wire, 100, &timer);
    for (unsigned round = 0; round < 3; round++) {
        char flight[2048];
        assert_true(recv(wire.descriptor, flight, sizeof flight, MSG_DONTWAIT) > 0);
        assert_int_equal(wire_waiting(&wire), 0);
        /* The last of them is told by the socket's callback, as there is no other. */
        if (round == 2) {
            pal_setDTLSSocketCallback(secure.configuration, NULL, NULL);
        }
        await_calls(round == 2 ? &secure.calls : &timer, round == 2 ? 1 : round + 1);
        expect_between(begin, 100U << round);
        assert_int_equal(calls_so_far(&secure.calls), round == 2);
        begin = milliseconds_now();
        assert_pal(pal_handShake(secure.session, secure.configuration, false), PAL_ERR_TLS_WANT_READ);
        assert_true(wire_waiting(&wire) > 0);
    }
    assert_int_equal(calls_so_far(&timer), 2);
    secure_end(&secure);
    calls_end(&timer);
    close_wire(&wire);
}

static void a_server_that_is_silent_is_given_up_in_time(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    peer_command(peer, "silent");
    secure_t secure;
    secure_open(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    assert_pal(pal_setHandShakeTimeOut(secure.configuration, 50, 200), PAL_SUCCESS);
    uint64_t begin = milliseconds_now();
    assert_pal(shake_hands(&secure, false), PAL_ERR_TLS_TIMEOUT);
    expect_between(begin, 50 + 100 + 200);
    assert_pal(pal_handShake(secure.session, secure.configuration, false), PAL_ERR_TLS_TIMEOUT);
    assert_pal(pal_freeTLS(&secure.session), PAL_SUCCESS);
    /* Another one of the same configuration is not hurt. */
    peer_command(peer, "answer");
    assert_pal(pal_setHandShakeTimeOut(secure.configuration, 1000, 8000), PAL_SUCCESS);
    secure_new_socket(&secure, peer_port(peer));
    assert_pal(pal_initTLS(secure.configuration, &secure.session, false), PAL_SUCCESS);
    assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
    secure_echo(&secure, 10);
    secure_end(&secure);
}

static void nothing_is_told_of_what_was_freed_or_replaced(void **state)
{
    fixture_t *fixture = *state;
    wire_t wire = open_wire();
    calls_t timers[4], replacement;
    secure_t secure[4];
    calls_begin(&replacement);
    for (size_t index = 0; index < 4; index++) {
        /* The last one's is due later than the others', and tells that their time is over. */
        begin_unanswered(&secure[index], fixture, &wire, index == 3 ? 400 : 200, &timers[index]);
    }
    assert_pal(pal_freeTLS(&secure[0].session), PAL_SUCCESS);
    unsigned already[3] = {calls_so_far(&timers[0])};
    assert_pal(pal_freeTLS(&secure[1].session), PAL_SUCCESS);
    assert_pal(pal_tlsConfigurationFree(&secure[1].configuration), PAL_SUCCESS);
    already[1] = calls_so_far(&timers[1]);
    pal_setDTLSSocketCallback(secure[2].configuration, count_call, &replacement);
    already[2] = calls_so_far(&timers[2]);
    await_calls(&timers[3], 1);
    settle();
    for (size_t index = 0; index < 3; index++) {
        assert_int_equal(calls_so_far(&timers[index]), already[index]);
        assert_int_equal(calls_so_far(&secure[index].calls), 0);
    }
    assert_int_equal(calls_so_far(&replacement) + already[2], 1);
    for (size_t index = 0; index < 4; index++) {
        if (index == 1) {
            close_socket(&secure[1].socket);
            calls_end(&secure[1].calls);
        } else {
            secure_end(&secure[index]);
        }
        calls_end(&timers[index]);
    }
    calls_end(&replacement);
    close_wire(&wire);
}

static palStatus_t freed[3];

static void free_all(calls_t *calls)
{
    secure_t *secure = calls->reaction_argument;
    freed[0] = pal_freeTLS(&secure->session);
    freed[1] = pal_close(&secure->socket);
    freed[2] = pal_tlsConfigurationFree(&secure->configuration);
}

static void all_can_be_freed_in_the_timer_s_callback(void **state)
{
    fixture_t *fixture = *state;
    wire_t wire = open_wire();
    calls_t timer;
    secure_t secure;
    memset(freed, 0xff, sizeof freed);
    begin_unanswered(&secure, fixture, &wire, 200, &timer);
    pthread_mutex_lock(&timer.mutex);
    timer.reaction_argument = &secure;
    timer.reaction = free_all;
    pthread_mutex_unlock(&timer.mutex);
    expect_calls(&timer, 1);
    for (size_t index = 0; index < 3; index++) {
        assert_pal(freed[index], PAL_SUCCESS);
    }
    assert_int_equal(secure.session, 0);
    assert_int_equal(secure.configuration, 0);
    calls_end(&secure.calls);
    calls_end(&timer);
    close_wire(&wire);
}

/* ---- key material ---- */

enum { PIECE = 8, PIECES = 16, MASK = 0x5c, SCANNED = 1 << 16 };

/* Bytes to look for, in pieces: a block that is freed is overwritten at its beginning. They are masked here, so that this is not where
 * they are found. */
typedef struct {
    uint8_t masked[PIECES][PIECE];
    size_t count;
} wanted_t;

static uint8_t scanned[SCANNED];

static void want_byte(wanted_t *wanted, size_t at, uint8_t masked)
{
    assert_true(at < PIECES * PIECE);
    wanted->masked[at / PIECE][at % PIECE] = masked;
    wanted->count = at / PIECE + 1;
}

static size_t find_in(const uint8_t *bytes, size_t size, const uint8_t *masked)
{
    size_t found = 0;
    const uint8_t *end = bytes + size;
    for (const uint8_t *at = bytes; (at = memchr(at, masked[0] ^ MASK, (size_t)(end - at))) != NULL; at++) {
        size_t same = 1;
        while (same < PIECE && at + same < end && at[same] == (masked[same] ^ MASK)) {
            same++;
        }
        found += same == PIECE;
    }
    return found;
}

/* A part of this process's memory, without the buffer that it is read to. */
static void find_between(int memory, uintptr_t from, uintptr_t to, const wanted_t *wanted, size_t *found)
{
    uintptr_t begin = (uintptr_t)scanned, end = begin + sizeof scanned;
    if (from < end && begin < to) {
        if (from < begin) {
            find_between(memory, from, begin, wanted, found);
        }
        if (end < to) {
            find_between(memory, end, to, wanted, found);
        }
        return;
    }
    while (from < to) {
        size_t room = to - from < sizeof scanned ? to - from : sizeof scanned;
        ssize_t size = pread(memory, scanned, room, (off_t)from);
        if (size <= 0) {
            return;
        }
        for (size_t piece = 0; piece < wanted->count; piece++) {
            found[piece] += find_in(scanned, (size_t)size, wanted->masked[piece]);
        }
        /* What stands on the border is found in the next part. */
        from += (size_t)size == to - from ? (size_t)size : (size_t)size - (PIECE - 1);
    }
}

/* How often each piece stands in this process's memory. With `show`, also in which part. */
static void find_in_memory(const wanted_t *wanted, size_t *found, bool show)
{
    memset(found, 0, PIECES * sizeof *found);
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_true(memory >= 0);
    assert_non_null(maps);
    char line[512];
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long from, to;
        char access[8];
        assert_int_equal(sscanf(line, "%lx-%lx %7s", &from, &to, access), 3);
        if (access[0] == 'r' && access[1] == 'w') {
            size_t before[PIECES];
            memcpy(before, found, sizeof before);
            find_between(memory, from, to, wanted, found);
            if (show && memcmp(before, found, sizeof before) != 0) {
                print_error("found in %s", line);
            }
        }
    }
    fclose(maps);
    close(memory);
    explicit_bzero(scanned, sizeof scanned);
}

/* Under valgrind nearly all of the memory is valgrind's own, and to search it takes minutes. */
static void skip_if_slow(void)
{
    if (getenv("MCC_TEST_FEWER") != NULL) {
        skip();
    }
}

static void expect_in_memory(const wanted_t *wanted)
{
    size_t found[PIECES];
    find_in_memory(wanted, found, false);
    for (size_t piece = 0; piece < wanted->count; piece++) {
        if (found[piece] == 0) {
            fail_msg("piece %zu is not found where it must be", piece);
        }
    }
}

static void expect_nowhere(const wanted_t *wanted, const char *what)
{
    size_t found[PIECES];
    find_in_memory(wanted, found, false);
    for (size_t piece = 0; piece < wanted->count; piece++) {
        if (found[piece] != 0) {
            find_in_memory(wanted, found, true);
            fail_msg("piece %zu of the %s is still in memory, %zu times", piece, what, found[piece]);
        }
    }
}

/* What the server tells: the master secret, and the client's and the server's key. */
static void learn_keys(peer_t *peer, wanted_t *master, wanted_t *keys)
{
    peer_command(peer, "keys");
    const char *line = peer_await(peer, "keys master=");
    const char *texts[] = {line + strlen("keys master="), strstr(line, " block=") + strlen(" block=")};
    wanted_t *wanted[] = {master, keys};
    const size_t sizes[] = {48, 32};
    for (size_t which = 0; which < 2; which++) {
        memset(wanted[which], 0, sizeof *wanted[which]);
        for (size_t at = 0; at < sizes[which]; at++) {
            unsigned byte;
            assert_int_equal(sscanf(texts[which] + 2 * at, "%2x", &byte), 1);
            want_byte(wanted[which], at, (uint8_t)(byte ^ MASK));
        }
    }
}

static void no_key_of_a_session_is_left_when_it_is_freed(void **state)
{
    skip_if_slow();
    fixture_t *fixture = *state;
    const palTLSTransportMode_t modes[] = {PAL_TLS_MODE, PAL_DTLS_MODE};
    peer_t *peers[] = {start_tls_server(fixture), start_dtls_server(fixture)};
    for (size_t index = 0; index < 2; index++) {
        wanted_t master, keys;
        secure_t secure;
        secure_open(&secure, fixture, modes[index], peer_port(peers[index]));
        secure_identify(&secure, fixture);
        expect_full(&secure, peers[index]);
        secure_echo(&secure, 1000);
        learn_keys(peers[index], &master, &keys);
        expect_in_memory(&master);
        expect_in_memory(&keys);
        assert_pal(pal_freeTLS(&secure.session), PAL_SUCCESS);
        if (modes[index] == PAL_DTLS_MODE) {
            /* It is kept. */
            expect_in_memory(&keys);
            pal_remove_cid();
        }
        expect_nowhere(&master, "master secret");
        expect_nowhere(&keys, "keys");
        secure_end(&secure);
    }
}

static void no_key_of_a_resumed_session_is_left_when_it_is_freed(void **state)
{
    skip_if_slow();
    fixture_t *fixture = *state;
    const char *further[] = {"--tickets", NULL};
    peer_t *peer = start_server_with(fixture, MCC_TEST_MBEDTLS_SERVER, PAL_TLS_MODE, "server", further);
    for (unsigned round = 0; round < 2; round++) {
        wanted_t master, keys;
        secure_t secure;
        open_storing(&secure, fixture, PAL_TLS_MODE, peer_port(peer));
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        assert_non_null(strstr(peer_await(peer, "connected "), round == 0 ? " full " : " resumed "));
        secure_echo(&secure, 1000);
        learn_keys(peer, &master, &keys);
        expect_in_memory(&keys);
        secure_end(&secure);
        /* The session is kept to be resumed; what came of it is not. */
        expect_in_memory(&master);
        expect_nowhere(&keys, "keys");
    }
}

static void a_pre_shared_key_is_wiped_with_its_configuration(void **state)
{
    skip_if_slow();
    fixture_t *fixture = *state;
    uint8_t key[32];
    char text[65];
    wanted_t wanted = {.count = 0};
    for (size_t at = 0; at < sizeof key; at++) {
        uint8_t byte = (uint8_t)random();
        want_byte(&wanted, at, byte ^ MASK);
        key[at] = byte;
        (void)snprintf(text + 2 * at, 3, "%02x", byte);
    }
    peer_t *peer = start_peer_program(fixture, MCC_TEST_MBEDTLS_CID_SERVER, "--dtls", "--psk-identity", "device", "--psk", text, NULL);
    secure_t secure;
    secure_begin(&secure, PAL_DTLS_MODE, peer_port(peer));
    assert_pal(pal_setPSK(secure.configuration, (const unsigned char *)"device", 6, key, sizeof key), PAL_SUCCESS);
    explicit_bzero(key, sizeof key);
    expect_in_memory(&wanted);
    expect_full(&secure, peer);
    secure_echo(&secure, 10);
    expect_in_memory(&wanted);
    secure_end(&secure);
    pal_remove_cid();
    expect_nowhere(&wanted, "pre-shared key");
}

static void a_private_key_is_wiped_with_its_configuration(void **state)
{
    skip_if_slow();
    fixture_t *fixture = *state;
    /* A key that no other test here reads, and leaves in the memory of the test itself. */
    const char *forms[] = {"client-p384-key.der", "client-p384.key"};
    const char *further[] = {"--client-ca", certificate_path(fixture, "ca.pem"), NULL};
    wanted_t forward = {.count = 0}, backward = {.count = 0};
    peer_t *peer = start_server_with(fixture, MCC_TEST_MBEDTLS_SERVER, PAL_TLS_MODE, "server", further);
    for (size_t form = 0; form < 2; form++) {
        uint8_t bytes[1024];
        int file = open(certificate_path(fixture, forms[form]), O_RDONLY | O_CLOEXEC);
        ssize_t size = read(file, bytes, sizeof bytes - 1);
        assert_true(size > 40 && close(file) == 0);
        if (form == 0) {
            /* The version of an ECPrivateKey, and the head of its number. */
            enum { NUMBER_SIZE = 48 };
            static const uint8_t head[] = {2, 1, 1, 4, NUMBER_SIZE};
            const uint8_t *number = memmem(bytes, (size_t)size, head, sizeof head);
            assert_non_null(number);
            number += sizeof head;
            for (size_t at = 0; at < NUMBER_SIZE; at++) {
                want_byte(&forward, at, number[at] ^ MASK);
                want_byte(&backward, NUMBER_SIZE - 1 - at, number[at] ^ MASK);
            }
            backward.count = forward.count;
        }
        secure_t secure;
        secure_open(&secure, fixture, PAL_TLS_MODE, peer_port(peer));
        size_t certificate_size;
        palX509_t certificate = {.buffer = read_certificate(fixture, "client-p384.der", &certificate_size)};
        certificate.size = (uint32_t)certificate_size;
        /* A text ends with its NUL. */
        bytes[size] = 0;
        palPrivateKey_t key = {.buffer = bytes, .size = (uint32_t)size + (form == 1)};
        assert_pal(pal_setOwnPrivateKey(secure.configuration, &key), PAL_SUCCESS);
        assert_pal(pal_setOwnCertChain(secure.configuration, &certificate), PAL_SUCCESS);
        explicit_bzero(bytes, sizeof bytes);
        /* The numbers of the library begin with their least byte. */
        expect_in_memory(&backward);
        expect_full(&secure, peer);
        peer_await_count(peer, "client-certificate CN=client-p384", form + 1);
        secure_end(&secure);
        expect_nowhere(&backward, "private key");
        expect_nowhere(&forward, "private key");
    }
}

/* ---- nothing is left ---- */

static void run_sessions(fixture_t *fixture, unsigned count, const palX509_t *ca)
{
    const palTLSTransportMode_t modes[] = {PAL_TLS_MODE, PAL_DTLS_MODE};
    for (size_t which = 0; which < 2; which++) {
        peer_t *peer = which == 0 ? start_tls_server(fixture) : start_dtls_server(fixture);
        for (unsigned index = 0; index < count; index++) {
            secure_t secure;
            palX509_t chain = *ca;
            secure_begin(&secure, modes[which], peer_port(peer));
            assert_pal(pal_setCAChain(secure.configuration, &chain, NULL), PAL_SUCCESS);
            /* Some give up in the middle, some go on. */
            pal_enableSslSessionStoring(secure.configuration, index % 3 == 0);
            if (index % 5 == 0) {
                (void)pal_handShake(secure.session, secure.configuration, false);
            } else {
                assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
                secure_echo(&secure, 100);
            }
            secure_end(&secure);
        }
        stop_peer(fixture, peer);
    }
    pal_remove_cid();
}

static void many_sessions_leave_nothing(void **state)
{
    fixture_t *fixture = *state;
    size_t size;
    palX509_t ca = {.buffer = read_certificate(fixture, "ca.pem", &size)};
    ca.size = (uint32_t)size;
    /* The latest handles are remembered, so that none is given out again soon: their number is bounded. */
    for (unsigned index = 0; index < 300; index++) {
        palTLSConfHandle_t configuration = 0;
        palTLSHandle_t session = 0;
        assert_pal(pal_initTLSConfiguration(&configuration, PAL_TLS_MODE), PAL_SUCCESS);
        assert_pal(pal_initTLS(configuration, &session, false), PAL_SUCCESS);
        assert_pal(pal_freeTLS(&session), PAL_SUCCESS);
        assert_pal(pal_tlsConfigurationFree(&configuration), PAL_SUCCESS);
    }
    run_sessions(fixture, 15, &ca);
    size_t descriptors = count_descriptors(), threads = count_threads(), heap = heap_in_use();
    run_sessions(fixture, times(100), &ca);
    assert_int_equal(count_descriptors(), descriptors);
    assert_int_equal(count_threads(), threads);
    /* A timer of a session that was freed is there until it is due. The allocator keeps some freed blocks for each thread, and counts
     * them as used: fewer than the least that 200 sessions could lose. */
    const size_t noise = 16384;
    size_t now;
    uint64_t until = milliseconds_now() + SOON_MS;
    while ((now = heap_in_use()) > heap + noise && milliseconds_now() < until) {
        sleep_ms(10);
    }
    if (now > heap + noise) {
        fail_msg("%zu bytes are left", now - heap);
    }
}

/* ---- fixtures ---- */

static int memory_teardown(void **state)
{
    while (pal_is_cid_available()) {
        pal_remove_cid();
    }
    return pal_tls_teardown(state);
}

int main(int count, char **arguments)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, pal_tls_setup, memory_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_context_goes_on_after_everything_was_freed_and_ended),
        TEST(a_kept_context_is_used_only_where_it_is_wanted),
        TEST(one_of_two_that_want_a_context_gets_it),
        TEST(several_peers_are_kept_at_once),
        TEST(a_context_is_kept_for_its_trust_and_identity),
        TEST(a_context_of_another_pre_shared_key_is_not_gone_on_with),
        TEST(a_removed_context_is_not_kept_and_its_session_goes_on),
        TEST(closing_an_earlier_socket_does_not_end_a_session),
        TEST(a_child_of_fork_does_not_go_on_with_what_its_parent_keeps),
        TEST(a_child_of_fork_has_random_numbers_of_its_own),
        TEST(only_a_session_that_is_not_kept_says_close_notify),
        TEST(the_connection_id_can_be_replaced_in_an_established_session),
        TEST(without_a_connection_id_there_is_none_to_replace),
        TEST(a_server_that_has_forgotten_the_session_is_reached_by_a_new_handshake),
        TEST(a_session_that_the_server_has_ended_is_not_gone_on_with),
        TEST(tls_sessions_are_resumed_from_memory_per_identity),
        TEST(datagrams_from_elsewhere_change_nothing),
        TEST(records_that_are_not_authentic_change_nothing),
        TEST(a_flood_in_the_peer_s_name_holds_up_no_call),
        TEST(what_the_network_says_of_other_datagrams_changes_nothing),
        TEST(handshakes_succeed_though_each_third_datagram_is_lost),
        TEST(retransmissions_are_told_when_they_are_due),
        TEST(a_server_that_is_silent_is_given_up_in_time),
        TEST(nothing_is_told_of_what_was_freed_or_replaced),
        TEST(all_can_be_freed_in_the_timer_s_callback),
        TEST(no_key_of_a_session_is_left_when_it_is_freed),
        TEST(no_key_of_a_resumed_session_is_left_when_it_is_freed),
        TEST(a_pre_shared_key_is_wiped_with_its_configuration),
        TEST(a_private_key_is_wiped_with_its_configuration),
        TEST(many_sessions_leave_nothing),
    };
#undef TEST
    return run_chosen_tests(tests, count, arguments);
}
