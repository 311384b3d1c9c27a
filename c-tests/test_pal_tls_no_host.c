/* The PAL's TLS in a program that defines none of the functions of a host: no clock, no storage, no random bytes, no trace.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "pal_tls_support.h"

#include <signal.h>
#include <sys/resource.h>

static volatile sig_atomic_t files_written;

static void note_file(int signal)
{
    (void)signal;
    files_written++;
}

static void expect_refusal(fixture_t *fixture, const char *certificate, int32_t reason)
{
    peer_t *peer = start_server_with(fixture, MCC_TEST_MBEDTLS_SERVER, PAL_TLS_MODE, certificate, NULL);
    secure_t secure;
    secure_open(&secure, fixture, PAL_TLS_MODE, peer_port(peer));
    assert_pal(shake_hands(&secure, false), PAL_ERR_X509_CERT_VERIFY_FAILED);
    int32_t reasons = 0;
    assert_pal(pal_sslGetVerifyResultExtended(secure.session, &reasons), PAL_ERR_X509_CERT_VERIFY_FAILED);
    assert_int_equal(reasons, reason);
    secure_end(&secure);
    stop_peer(fixture, peer);
}

static void the_system_s_clock_counts(void **state)
{
    fixture_t *fixture = *state;
    const palTLSTransportMode_t modes[] = {PAL_TLS_MODE, PAL_DTLS_MODE};
    for (size_t index = 0; index < 2; index++) {
        peer_t *peer = modes[index] == PAL_TLS_MODE ? start_tls_server(fixture) : start_dtls_server(fixture);
        secure_t secure;
        secure_open(&secure, fixture, modes[index], peer_port(peer));
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        secure_echo(&secure, 100);
        secure_end(&secure);
    }
    expect_refusal(fixture, "expired", PAL_ERR_X509_BADCERT_EXPIRED);
    expect_refusal(fixture, "future", PAL_ERR_X509_BADCERT_FUTURE);
}

static void a_server_s_time_is_judged_by_though_nobody_is_told(void **state)
{
    fixture_t *fixture = *state;
    /* The first of June 2045, at which the certificate "coming" is valid. */
    const char *further[] = {"--time", "2379888000", NULL};
    peer_t *peer = start_server_with(fixture, MCC_TEST_MBEDTLS_SERVER, PAL_TLS_MODE, "coming", further);
    secure_t secure;
    for (unsigned round = 0; round < 2; round++) {
        secure_begin(&secure, PAL_TLS_MODE, peer_port(peer));
        secure_trust(&secure, fixture, "wide-ca.der");
        palStatus_t status;
        do {
            secure.seen = calls_so_far(&secure.calls);
            status = pal_handShake(secure.session, secure.configuration, false);
            assert_pal(status, PAL_ERR_TLS_WANT_READ);
            await_call(&secure);
        } while (!*(const volatile bool *)secure.session);
        assert_int_equal(*(const volatile uint64_t *)(secure.session + 8), 2379888000);
        assert_pal(pal_handShake(secure.session, secure.configuration, false), PAL_SUCCESS);
        secure_echo(&secure, 10);
        secure_end(&secure);
    }
}

static void sessions_are_kept_in_memory_and_nowhere_else(void **state)
{
    fixture_t *fixture = *state;
    const char *further[] = {"--cache", NULL};
    peer_t *tls = start_server_with(fixture, MCC_TEST_MBEDTLS_SERVER, PAL_TLS_MODE, "server", further);
    peer_t *dtls = start_dtls_server(fixture);
    /* From here on no file can grow: whoever tries gets this signal. */
    struct sigaction before_signal, action = {.sa_handler = note_file};
    struct rlimit before_limit, limit;
    assert_int_equal(sigaction(SIGXFSZ, &action, &before_signal), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before_limit), 0);
    limit = before_limit;
    limit.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);

    palStatus_t status = PAL_SUCCESS;
    for (unsigned round = 0; round < 4 && status == PAL_SUCCESS; round++) {
        secure_t secure;
        secure_open(&secure, fixture, round < 2 ? PAL_TLS_MODE : PAL_DTLS_MODE, peer_port(round < 2 ? tls : dtls));
        pal_enableSslSessionStoring(secure.configuration, true);
        status = shake_hands(&secure, false);
        if (status == PAL_SUCCESS) {
            secure_echo(&secure, 10);
            pal_store_cid();
        }
        secure_end(&secure);
    }

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before_limit), 0);
    assert_int_equal(sigaction(SIGXFSZ, &before_signal, NULL), 0);
    assert_pal(status, PAL_SUCCESS);
    assert_int_equal(files_written, 0);
    (void)peer_await(tls, "resumed-by session-id");
    peer_await_count(tls, "connected", 2);
    peer_await_count(dtls, "connected", 1);
    assert_true(pal_is_cid_available());
    pal_remove_cid();
    assert_false(pal_is_cid_available());
}

static int source(void *data, unsigned char *output, size_t size, size_t *given)
{
    (void)data;
    memset(output, 7, size);
    *given = size;
    return 0;
}

static void a_source_of_random_bytes_can_be_added(void **state)
{
    fixture_t *fixture = *state;
    assert_pal(pal_addEntropySource(source), PAL_SUCCESS);
    peer_t *peer = start_tls_server(fixture);
    secure_t secure;
    secure_open(&secure, fixture, PAL_TLS_MODE, peer_port(peer));
    assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
    secure_end(&secure);
}

int main(int count, char **arguments)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, pal_tls_setup, pal_tls_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_system_s_clock_counts),
        TEST(a_server_s_time_is_judged_by_though_nobody_is_told),
        TEST(sessions_are_kept_in_memory_and_nowhere_else),
        TEST(a_source_of_random_bytes_can_be_added),
    };
#undef TEST
    return run_chosen_tests(tests, count, arguments);
}
