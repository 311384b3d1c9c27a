/* The PAL's TLS and DTLS, as docs/pal-tls.md has it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "pal_tls_support.h"

#include <errno.h>

/* ---- the order in which the client calls ---- */

static void a_session_is_established_and_records_go_both_ways(void **state)
{
    fixture_t *fixture = *state;
    const palTLSTransportMode_t modes[] = {PAL_TLS_MODE, PAL_DTLS_MODE};
    for (size_t index = 0; index < 2; index++) {
        peer_t *peer = modes[index] == PAL_TLS_MODE ? start_tls_server(fixture) : start_dtls_server(fixture);
        secure_t secure;
        secure_open(&secure, fixture, modes[index], peer_port(peer));
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        (void)peer_await(peer, "connected TLS-ECDHE-ECDSA-WITH-AES-128-CCM-8 full");
        assert_pal(pal_handShake(secure.session, secure.configuration, false), PAL_SUCCESS);
        secure_echo(&secure, 1);
        secure_echo(&secure, 1024);
        int32_t result = 77;
        assert_pal(pal_sslGetVerifyResultExtended(secure.session, &result), PAL_SUCCESS);
        assert_int_equal(result, 0);
        secure_end(&secure);
        if (modes[index] == PAL_TLS_MODE) {
            (void)peer_await(peer, "close-notify");
        }
    }
}

static void a_client_certificate_is_shown(void **state)
{
    fixture_t *fixture = *state;
    const char *further[] = {"--client-ca", certificate_path(fixture, "ca.pem"), NULL};
    peer_t *peer = start_server_with(fixture, MCC_TEST_MBEDTLS_SERVER, PAL_TLS_MODE, "server", further);
    secure_t secure;
    secure_open(&secure, fixture, PAL_TLS_MODE, peer_port(peer));
    secure_identify(&secure, fixture);
    assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
    (void)peer_await(peer, "client-certificate CN=client");
    secure_echo(&secure, 100);
    secure_end(&secure);
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

int main(int count, char **arguments)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, pal_tls_setup, pal_tls_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_session_is_established_and_records_go_both_ways),
        TEST(a_client_certificate_is_shown),
        TEST(a_session_goes_on_by_its_connection_id_from_another_port),
    };
#undef TEST
    return run_chosen_tests(tests, count, arguments);
}
