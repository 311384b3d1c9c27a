/* Whose time counts in the PAL's TLS and DTLS, and what the library takes from the application around it. This program is that
 * application: its clock is a number, and it writes down what it is told. docs/pal-tls.md has the rules.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "pal_tls_support.h"

#include <stdlib.h>
#include <time.h>

enum { DAY = 24 * 60 * 60, ID_SIZE = 33 };

/* The true time: the first of June 2045, around which make_certificates has the certificates "then-...". */
#define TRUE_TIME UINT64_C(2379888000)
#define TRUE_TIME_TEXT "2379888000"
/* The 31 days of May before it, when "then-expired" was valid; the year after, when none of them is. */
#define TIME_BEHIND (TRUE_TIME - 31 * DAY + 60)
#define TIME_AHEAD (TRUE_TIME + 365 * (uint64_t)DAY)

/* ---- the host ---- */

static struct {
    uint64_t clock;
    /* What the functions that set it answer; with 0 they do so. */
    int32_t answer;
    unsigned weak;
    unsigned strong;
    uint64_t told;
    /* What the storage gives for "time_srv_id". */
    uint8_t id[ID_SIZE];
    size_t id_size;
    int32_t id_status;
    int mbedtls_answer;
    time_t (*mbedtls_clock)(time_t *);
    int32_t random_answer;
    /* Looked at while the clock is set. */
    palTLSHandle_t session;
} host;

static unsigned random_calls;

uint64_t pal_osGetTime(void);
int32_t pal_osSetWeakTime(uint64_t seconds);
int32_t pal_osSetStrongTime(uint64_t seconds);
int32_t storage_rbp_read(const char *name, uint8_t *data, size_t max_size, size_t *size);
int mbedtls_platform_set_time(time_t (*clock)(time_t *));
int32_t pal_osRandomBuffer(uint8_t *buffer, size_t size);

uint64_t pal_osGetTime(void)
{
    return host.clock;
}

static int32_t take_time(uint64_t seconds, unsigned *count)
{
    (*count)++;
    host.told = seconds;
    if (host.answer == 0) {
        host.clock = seconds;
    }
    if (host.session != 0) {
        int32_t reasons = 77;
        assert_pal(pal_sslGetVerifyResultExtended(host.session, &reasons), PAL_SUCCESS);
        assert_int_equal(reasons, 0);
    }
    return host.answer;
}

int32_t pal_osSetWeakTime(uint64_t seconds)
{
    return take_time(seconds, &host.weak);
}

int32_t pal_osSetStrongTime(uint64_t seconds)
{
    return take_time(seconds, &host.strong);
}

int32_t storage_rbp_read(const char *name, uint8_t *data, size_t max_size, size_t *size)
{
    assert_string_equal(name, "time_srv_id");
    assert_true(max_size >= ID_SIZE);
    if (host.id_status == 0) {
        memcpy(data, host.id, ID_SIZE);
        *size = host.id_size;
    }
    return host.id_status;
}

int mbedtls_platform_set_time(time_t (*clock)(time_t *))
{
    host.mbedtls_clock = clock;
    return host.mbedtls_answer;
}

int32_t pal_osRandomBuffer(uint8_t *buffer, size_t size)
{
    random_calls++;
    memset(buffer, 0x5a, size);
    return host.random_answer;
}

static void new_host(uint64_t clock)
{
    memset(&host, 0, sizeof host);
    host.clock = clock;
    host.id_status = -1;
}

static void expect_told(unsigned weak, unsigned strong)
{
    assert_int_equal(host.weak, weak);
    assert_int_equal(host.strong, strong);
}

/* Has the storage name a CA of the tests: by the compressed form of the point that stands uncompressed in its certificate. */
static void trust_time_of(fixture_t *fixture, const char *ca)
{
    /* prime256v1; a BIT STRING of 66 bytes, of which no bit is unused; an uncompressed point. */
    static const uint8_t before[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
    size_t size;
    const uint8_t *certificate = read_certificate(fixture, ca, &size);
    const uint8_t *point = memmem(certificate, size, before, sizeof before);
    assert_non_null(point);
    point += sizeof before;
    assert_true(point + 64 <= certificate + size);
    host.id[0] = point[63] % 2 == 0 ? 2 : 3;
    memcpy(host.id + 1, point, 32);
    host.id_size = ID_SIZE;
    host.id_status = 0;
}

/* ---- handshakes ---- */

static const palTLSTransportMode_t modes[] = {PAL_TLS_MODE, PAL_DTLS_MODE};

/* A server that tells this time: a number, `now` or `random`. */
static peer_t *start_clock_server(fixture_t *fixture, palTLSTransportMode_t mode, const char *certificate, const char *told)
{
    const char *further[] = {"--time", told, NULL};
    const char *program = mode == PAL_TLS_MODE ? MCC_TEST_MBEDTLS_SERVER : MCC_TEST_MBEDTLS_CID_SERVER;
    return start_server_with(fixture, program, mode, certificate, further);
}

static void trust(secure_t *secure, fixture_t *fixture, const char *ca, const char *list)
{
    size_t size;
    palX509_t chain = {.buffer = read_certificate(fixture, ca, &size)};
    chain.size = (uint32_t)size;
    palX509CRL_t revoked = {.buffer = read_certificate(fixture, list, &size)};
    revoked.size = (uint32_t)size;
    assert_pal(pal_setCAChain(secure->configuration, &chain, &revoked), PAL_SUCCESS);
}

static void open_clock_session(secure_t *secure, fixture_t *fixture, palTLSTransportMode_t mode, peer_t *peer)
{
    secure_begin(secure, mode, peer_port(peer));
    secure_trust(secure, fixture, "wide-ca.der");
}

/* Where the client's own test looks. */
static bool retry_flag(const secure_t *secure)
{
    return *(const volatile bool *)secure->session;
}

static uint64_t server_time(const secure_t *secure)
{
    return *(const volatile uint64_t *)(secure->session + 8);
}

/* Calls pal_handShake until it says something else than want-read or want-write, or wants to be called once more for the time. */
static palStatus_t shake_until_time(secure_t *secure)
{
    for (;;) {
        /* What is told after this is of the call, or of what comes after it. */
        settle();
        secure->seen = calls_so_far(&secure->calls);
        palStatus_t status = pal_handShake(secure->session, secure->configuration, false);
        bool wants = status == PAL_ERR_TLS_WANT_READ || status == PAL_ERR_TLS_WANT_WRITE;
        if (!wants || retry_flag(secure)) {
            return status;
        }
        assert_int_equal(server_time(secure), 0);
        await_call(secure);
    }
}

/* What a whole handshake came to, in the words of the table. */
static const char *outcome_of(secure_t *secure)
{
    static char text[96];
    palStatus_t status = shake_until_time(secure);
    bool retried = false;
    if (status == PAL_ERR_TLS_WANT_READ) {
        retried = true;
        assert_int_equal(server_time(secure), TRUE_TIME);
        expect_told(0, 0);
        await_call(secure);
        status = pal_handShake(secure->session, secure->configuration, false);
        assert_int_equal(host.weak + host.strong, 1);
    }
    assert_false(retry_flag(secure));
    int32_t reasons = 77;
    palStatus_t verdict = pal_sslGetVerifyResultExtended(secure->session, &reasons);
    if (status == PAL_SUCCESS) {
        assert_pal(verdict, PAL_SUCCESS);
        assert_int_equal(reasons, 0);
        secure_echo(secure, 10);
        const char *strength = host.strong > 0 ? "strong" : "weak";
        if (host.weak + host.strong == 0) {
            return "accepted";
        }
        assert_int_equal(host.weak + host.strong, 1);
        assert_int_equal(host.told, TRUE_TIME);
        (void)snprintf(text, sizeof text, retried ? "at server's time (%s)" : "accepted, told (%s)", strength);
        return text;
    }
    expect_told(0, 0);
    assert_pal(status, PAL_ERR_X509_CERT_VERIFY_FAILED);
    assert_pal(verdict, PAL_ERR_X509_CERT_VERIFY_FAILED);
    assert_int_equal(server_time(secure), 0);
    switch (reasons) {
    case PAL_ERR_X509_BADCERT_EXPIRED:
        return "refused: expired";
    case PAL_ERR_X509_BADCERT_FUTURE:
        return "refused: future";
    default:
        (void)snprintf(text, sizeof text, "refused: %d", reasons);
        return text;
    }
}

/* ---- the 48 cells ---- */

typedef struct {
    const char *clock;
    const char *certificate;
    /* The server tells the time; and is the trusted time server; it tells none; and is the trusted one. */
    const char *outcomes[4];
} row_t;

/* As docs/pal-tls.md has it. */
static const row_t table[] = {
    {"never set", "valid", {"at server's time (weak)", "at server's time (strong)", "accepted", "accepted"}},
    {"never set", "future", {"accepted", "accepted", "accepted", "accepted"}},
    {"never set", "expired", {"accepted", "accepted", "accepted", "accepted"}},
    {"right", "valid", {"accepted, told (weak)", "accepted, told (strong)", "accepted", "accepted"}},
    {"right", "future", {"refused: future", "refused: future", "refused: future", "refused: future"}},
    {"right", "expired", {"refused: expired", "refused: expired", "refused: expired", "refused: expired"}},
    {"ahead", "valid", {"refused: expired", "at server's time (strong)", "refused: expired", "refused: expired"}},
    {"ahead", "future", {"refused: expired", "refused: expired", "refused: expired", "refused: expired"}},
    {"ahead", "expired", {"refused: expired", "refused: expired", "refused: expired", "refused: expired"}},
    {"behind", "valid", {"at server's time (weak)", "at server's time (strong)", "refused: future", "refused: future"}},
    {"behind", "future", {"refused: future", "refused: future", "refused: future", "refused: future"}},
    {"behind", "expired", {"accepted", "accepted", "accepted", "accepted"}},
};
enum { ROWS = sizeof table / sizeof table[0] };

static uint64_t time_of(const char *clock)
{
    return strcmp(clock, "never set") == 0 ? 0
           : strcmp(clock, "ahead") == 0   ? TIME_AHEAD
           : strcmp(clock, "behind") == 0  ? TIME_BEHIND
                                           : TRUE_TIME;
}

static void try_cell(fixture_t *fixture, palTLSTransportMode_t mode, peer_t *peer, const row_t *row, unsigned column, const char *told)
{
    new_host(time_of(row->clock));
    if (column % 2 == 1) {
        trust_time_of(fixture, "wide-ca.der");
    } else if (column == 2) {
        trust_time_of(fixture, "other-ca.der");
    }
    secure_t secure;
    open_clock_session(&secure, fixture, mode, peer);
    const char *outcome = outcome_of(&secure);
    if (strcmp(outcome, row->outcomes[column]) != 0) {
        print_error("clock %s, certificate %s, time %s, column %u\n", row->clock, row->certificate, told, column);
    }
    assert_string_equal(outcome, row->outcomes[column]);
    secure_end(&secure);
}

static void go_through_the_table(fixture_t *fixture, palTLSTransportMode_t mode)
{
    /* The times that a server may tell, and the columns that they belong to. None are the bytes of 1970, and random ones. */
    static const struct {
        const char *time;
        unsigned column;
    } servers[] = {{TRUE_TIME_TEXT, 0}, {"0", 2}, {"random", 2}};
    static const char *const certificates[] = {"valid", "future", "expired"};
    unsigned cell = 0, cells = 0, step = times(20) == 20 ? 1 : 5;
    for (size_t server = 0; server < 3; server++) {
        for (size_t index = 0; index < 3; index++) {
            char name[32];
            (void)snprintf(name, sizeof name, "then-%s", certificates[index]);
            peer_t *peer = start_clock_server(fixture, mode, name, servers[server].time);
            for (size_t row = 0; row < ROWS; row++) {
                if (strcmp(table[row].certificate, certificates[index]) != 0) {
                    continue;
                }
                for (unsigned column = servers[server].column; column < servers[server].column + 2; column++) {
                    if (cell++ % step == 0) {
                        try_cell(fixture, mode, peer, &table[row], column, servers[server].time);
                        cells++;
                    }
                }
            }
            stop_peer(fixture, peer);
        }
    }
    /* The last 24 of the 48 with two kinds of bytes that are no time. */
    assert_int_equal(cells, (48 + 24 + step - 1) / step);
}

static void each_of_the_48_cells_is_as_the_table_has_it_over_tls(void **state)
{
    go_through_the_table(*state, PAL_TLS_MODE);
}

static void each_of_the_48_cells_is_as_the_table_has_it_over_dtls(void **state)
{
    go_through_the_table(*state, PAL_DTLS_MODE);
}

static void the_document_has_this_table(void **state)
{
    (void)state;
    FILE *file = fopen(MCC_TEST_DOCUMENT, "r");
    assert_non_null(file);
    char line[512];
    size_t row = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        char expected[512];
        const row_t *next = &table[row];
        (void)snprintf(expected, sizeof expected, "| %s | %s | %s | %s | %s | %s |\n", next->clock, next->certificate, next->outcomes[0],
                       next->outcomes[1], next->outcomes[2], next->outcomes[3]);
        if (strcmp(line, expected) == 0 && ++row == ROWS) {
            break;
        }
    }
    (void)fclose(file);
    if (row < ROWS) {
        print_error("row %zu of the table is not in the document\n", row + 1);
    }
    assert_int_equal(row, ROWS);
}

/* ---- the call after the handshake ---- */

static void the_server_s_time_is_told_by_the_next_call_and_not_before(void **state)
{
    fixture_t *fixture = *state;
    for (size_t index = 0; index < 2; index++) {
        new_host(0);
        peer_t *peer = start_clock_server(fixture, modes[index], "then-valid", TRUE_TIME_TEXT);
        secure_t secure;
        open_clock_session(&secure, fixture, modes[index], peer);
        assert_false(retry_flag(&secure));
        assert_int_equal(server_time(&secure), 0);

        assert_pal(shake_until_time(&secure), PAL_ERR_TLS_WANT_READ);
        assert_true(retry_flag(&secure));
        assert_int_equal(server_time(&secure), TRUE_TIME);
        await_call(&secure);
        settle();
        expect_told(0, 0);
        assert_int_equal(host.clock, 0);
        assert_true(retry_flag(&secure));
        /* It is not yet a session to write to. */
        uint32_t size = 77;
        assert_pal(pal_sslWrite(secure.session, secure.configuration, "early", 5, &size), PAL_ERR_TLS_BAD_INPUT_DATA);
        assert_int_equal(size, 77);
        assert_pal(pal_sslRead(secure.session, &size, sizeof size, &size), PAL_ERR_TLS_BAD_INPUT_DATA);

        assert_pal(pal_handShake(secure.session, secure.configuration, false), PAL_SUCCESS);
        assert_false(retry_flag(&secure));
        expect_told(1, 0);
        assert_int_equal(host.told, TRUE_TIME);
        assert_int_equal(host.clock, TRUE_TIME);
        assert_pal(pal_handShake(secure.session, secure.configuration, false), PAL_SUCCESS);
        assert_false(retry_flag(&secure));
        expect_told(1, 0);
        secure_echo(&secure, 100);
        secure_end(&secure);
    }
}

static void a_session_that_is_freed_before_the_next_call_tells_no_time(void **state)
{
    fixture_t *fixture = *state;
    for (size_t index = 0; index < 2; index++) {
        new_host(0);
        peer_t *peer = start_clock_server(fixture, modes[index], "then-valid", TRUE_TIME_TEXT);
        secure_t secure;
        open_clock_session(&secure, fixture, modes[index], peer);
        assert_pal(shake_until_time(&secure), PAL_ERR_TLS_WANT_READ);
        assert_true(retry_flag(&secure));
        secure_end(&secure);
        settle();
        expect_told(0, 0);
        assert_int_equal(host.clock, 0);
    }
}

static void a_time_is_told_once_for_a_handshake(void **state)
{
    fixture_t *fixture = *state;
    for (size_t index = 0; index < 2; index++) {
        new_host(TRUE_TIME - 5);
        peer_t *peer = start_clock_server(fixture, modes[index], "then-valid", TRUE_TIME_TEXT);
        secure_t secure;
        open_clock_session(&secure, fixture, modes[index], peer);
        assert_pal(shake_until_time(&secure), PAL_SUCCESS);
        assert_false(retry_flag(&secure));
        assert_int_equal(server_time(&secure), 0);
        expect_told(1, 0);
        assert_int_equal(host.clock, TRUE_TIME);
        for (unsigned call = 0; call < 3; call++) {
            secure_echo(&secure, 10);
            assert_pal(pal_handShake(secure.session, secure.configuration, false), PAL_SUCCESS);
        }
        expect_told(1, 0);
        secure_end(&secure);
        expect_told(1, 0);
    }
}

static void a_host_that_is_told_a_time_may_call_back(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_clock_server(fixture, PAL_TLS_MODE, "then-valid", TRUE_TIME_TEXT);
    const uint64_t clocks[] = {0, TRUE_TIME};
    for (size_t index = 0; index < 2; index++) {
        new_host(clocks[index]);
        secure_t secure;
        open_clock_session(&secure, fixture, PAL_TLS_MODE, peer);
        host.session = secure.session;
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        expect_told(1, 0);
        secure_end(&secure);
    }
}

static void a_host_that_refuses_the_time_has_its_session_all_the_same(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_clock_server(fixture, PAL_TLS_MODE, "then-valid", TRUE_TIME_TEXT);
    const struct {
        uint64_t clock;
        const char *trusted;
        const char *outcome;
    } cases[] = {
        {0, NULL, "at server's time (weak)"},
        {TRUE_TIME - 1, NULL, "accepted, told (weak)"},
        {TIME_AHEAD, "wide-ca.der", "at server's time (strong)"},
    };
    for (size_t index = 0; index < 3; index++) {
        new_host(cases[index].clock);
        host.answer = -1;
        if (cases[index].trusted != NULL) {
            trust_time_of(fixture, cases[index].trusted);
        }
        secure_t secure;
        open_clock_session(&secure, fixture, PAL_TLS_MODE, peer);
        assert_string_equal(outcome_of(&secure), cases[index].outcome);
        assert_int_equal(host.clock, cases[index].clock);
        secure_end(&secure);
    }
}

/* ---- clocks ---- */

/* The outcome with the certificate "any-time" or another one of its CA, at this clock. */
static const char *outcome_at(fixture_t *fixture, peer_t *peer, uint64_t clock, bool is_trusted)
{
    new_host(clock);
    if (is_trusted) {
        trust_time_of(fixture, "wide-ca.der");
    }
    secure_t secure;
    open_clock_session(&secure, fixture, PAL_TLS_MODE, peer);
    const char *outcome = outcome_of(&secure);
    secure_end(&secure);
    return outcome;
}

static void a_clock_that_is_right_moves_by_a_day_at_most(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_clock_server(fixture, PAL_TLS_MODE, "any-time", TRUE_TIME_TEXT);
    assert_string_equal(outcome_at(fixture, peer, TRUE_TIME - DAY, false), "accepted, told (weak)");
    assert_string_equal(outcome_at(fixture, peer, TRUE_TIME + DAY, false), "accepted, told (weak)");
    assert_string_equal(outcome_at(fixture, peer, TRUE_TIME - DAY - 1, false), "accepted");
    assert_string_equal(outcome_at(fixture, peer, TRUE_TIME + DAY + 1, false), "accepted");
    assert_int_equal(host.clock, TRUE_TIME + DAY + 1);
}

static void the_trusted_time_server_moves_it_by_any_time(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_clock_server(fixture, PAL_TLS_MODE, "any-time", TRUE_TIME_TEXT);
    assert_string_equal(outcome_at(fixture, peer, TRUE_TIME - 10 * 365 * (uint64_t)DAY, true), "accepted, told (strong)");
    assert_string_equal(outcome_at(fixture, peer, TRUE_TIME + 10 * 365 * (uint64_t)DAY, true), "accepted, told (strong)");
    assert_int_equal(host.clock, TRUE_TIME);
    stop_peer(fixture, peer);

    /* Not to one before the library was built, at which the chain would verify: the first of January 2015. */
    peer = start_clock_server(fixture, PAL_TLS_MODE, "any-time", "1420070400");
    assert_string_equal(outcome_at(fixture, peer, TRUE_TIME, true), "accepted");
    assert_string_equal(outcome_at(fixture, peer, 0, true), "accepted");
    stop_peer(fixture, peer);
    peer = start_clock_server(fixture, PAL_TLS_MODE, "past", "1293840000");
    assert_string_equal(outcome_at(fixture, peer, TRUE_TIME, true), "refused: expired");
}

static void an_id_that_is_not_whole_or_of_another_ca_makes_no_trusted_time_server(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_clock_server(fixture, PAL_TLS_MODE, "then-valid", TRUE_TIME_TEXT);
    for (unsigned wrong = 0; wrong < 5; wrong++) {
        new_host(TRUE_TIME);
        trust_time_of(fixture, wrong == 0 ? "other-ca.der" : "wide-ca.der");
        host.id_size = wrong == 1 ? ID_SIZE - 1 : wrong == 2 ? ID_SIZE + 1 : ID_SIZE;
        host.id[0] ^= wrong == 3 ? 1 : 0;
        host.id_status = wrong == 4 ? -1 : 0;
        secure_t secure;
        open_clock_session(&secure, fixture, PAL_TLS_MODE, peer);
        assert_string_equal(outcome_of(&secure), "accepted, told (weak)");
        secure_end(&secure);
    }
}

static void the_trusted_time_server_is_known_by_the_ca_that_its_chain_ends_with(void **state)
{
    fixture_t *fixture = *state;
    char now[32];
    uint64_t real = (uint64_t)time(NULL);
    (void)snprintf(now, sizeof now, "%llu", (unsigned long long)real + 3600);
    peer_t *peer = start_clock_server(fixture, PAL_TLS_MODE, "chained", now);
    const char *const cas[] = {"ca.der", "intermediate.der"};
    for (size_t index = 0; index < 2; index++) {
        new_host(real);
        trust_time_of(fixture, cas[index]);
        secure_t secure;
        secure_open(&secure, fixture, PAL_TLS_MODE, peer_port(peer));
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        expect_told(index == 0 ? 0 : 1, index == 0 ? 1 : 0);
        assert_int_equal(host.told, real + 3600);
        secure_end(&secure);
    }
}

static void a_clock_at_0_or_before_the_build_is_not_set(void **state)
{
    fixture_t *fixture = *state;
    const uint64_t clocks[] = {0, 1, 1577836800};
    peer_t *silent = start_clock_server(fixture, PAL_TLS_MODE, "coming", "0");
    peer_t *past = start_clock_server(fixture, PAL_TLS_MODE, "past", "0");
    peer_t *telling = start_clock_server(fixture, PAL_TLS_MODE, "coming", TRUE_TIME_TEXT);
    for (size_t index = 0; index < 3; index++) {
        assert_string_equal(outcome_at(fixture, silent, clocks[index], false), "accepted");
        assert_string_equal(outcome_at(fixture, past, clocks[index], false), "refused: expired");
        assert_string_equal(outcome_at(fixture, telling, clocks[index], false), "at server's time (weak)");
    }
    /* The present is set, and so is the end of all numbers. */
    assert_string_equal(outcome_at(fixture, silent, (uint64_t)time(NULL) + DAY, false), "refused: future");
    assert_string_equal(outcome_at(fixture, silent, UINT64_MAX, false), "refused: expired");
}

/* ---- handshakes without a chain to judge ---- */

static void a_resumed_session_tells_no_time(void **state)
{
    fixture_t *fixture = *state;
    const char *const ways[][2] = {{"--cache", "resumed-by session-id"}, {"--tickets", "resumed-by ticket"}};
    for (size_t index = 0; index < 2; index++) {
        const char *further[] = {"--time", TRUE_TIME_TEXT, ways[index][0], NULL};
        peer_t *peer = start_server_with(fixture, MCC_TEST_MBEDTLS_SERVER, PAL_TLS_MODE, "then-valid", further);
        new_host(TRUE_TIME);
        for (unsigned round = 0; round < 3; round++) {
            /* The last time for a clock that would take any. */
            host.clock = round == 2 ? 0 : TRUE_TIME;
            secure_t secure;
            open_clock_session(&secure, fixture, PAL_TLS_MODE, peer);
            pal_enableSslSessionStoring(secure.configuration, true);
            /* The first does not know the session of the other server. */
            assert_pal(shake_hands(&secure, round == 0), PAL_SUCCESS);
            if (round > 0) {
                (void)peer_await(peer, ways[index][1]);
            }
            (void)peer_await(peer, "connected");
            expect_told(1, 0);
            assert_int_equal(server_time(&secure), 0);
            secure_echo(&secure, 10);
            secure_end(&secure);
        }
    }
}

static void a_session_that_goes_on_by_its_connection_id_tells_no_time(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_clock_server(fixture, PAL_DTLS_MODE, "then-valid", TRUE_TIME_TEXT);
    new_host(TRUE_TIME);
    for (unsigned round = 0; round < 2; round++) {
        secure_t secure;
        open_clock_session(&secure, fixture, PAL_DTLS_MODE, peer);
        pal_enableSslSessionStoring(secure.configuration, true);
        assert_pal(round == 0 ? shake_hands(&secure, true) : pal_handShake(secure.session, secure.configuration, false), PAL_SUCCESS);
        secure_echo(&secure, 10);
        expect_told(1, 0);
        secure_end(&secure);
        host.clock = 0;
    }
    peer_await_count(peer, "connected", 1);
}

static void a_session_of_a_pre_shared_key_tells_no_time(void **state)
{
    fixture_t *fixture = *state;
    for (size_t index = 0; index < 2; index++) {
        const bool tls = modes[index] == PAL_TLS_MODE;
        peer_t *peer = start_peer_program(fixture, tls ? MCC_TEST_MBEDTLS_SERVER : MCC_TEST_MBEDTLS_CID_SERVER, tls ? "--tls" : "--dtls",
                                          "--psk-identity", "device", "--psk", "000102030405060708090a0b0c0d0e0f", "--time",
                                          TRUE_TIME_TEXT, NULL);
        const uint64_t clocks[] = {0, TRUE_TIME};
        for (size_t clock = 0; clock < 2; clock++) {
            new_host(clocks[clock]);
            trust_time_of(fixture, "wide-ca.der");
            const uint8_t key[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
            secure_t secure;
            secure_begin(&secure, modes[index], peer_port(peer));
            assert_pal(pal_setPSK(secure.configuration, (const unsigned char *)"device", 6, key, sizeof key), PAL_SUCCESS);
            assert_string_equal(outcome_of(&secure), "accepted");
            assert_int_equal(server_time(&secure), 0);
            secure_end(&secure);
        }
    }
}

/* ---- reasons ---- */

enum {
    EXPIRED = PAL_ERR_X509_BADCERT_EXPIRED,
    FUTURE = PAL_ERR_X509_BADCERT_FUTURE,
    NOT_TRUSTED = PAL_ERR_X509_BADCERT_NOT_TRUSTED,
};

static void expect_refusal(secure_t *secure, int32_t reasons)
{
    unsigned weak = host.weak, strong = host.strong;
    assert_pal(shake_hands(secure, false), PAL_ERR_X509_CERT_VERIFY_FAILED);
    int32_t found = 77;
    assert_pal(pal_sslGetVerifyResultExtended(secure->session, &found), PAL_ERR_X509_CERT_VERIFY_FAILED);
    assert_int_equal(found, reasons);
    expect_told(weak, strong);
    assert_false(retry_flag(secure));
    /* It stays refused. */
    assert_pal(pal_handShake(secure->session, secure->configuration, false), PAL_ERR_X509_CERT_VERIFY_FAILED);
}

static void the_times_of_a_list_of_revoked_certificates_are_judged_as_those_of_a_certificate(void **state)
{
    fixture_t *fixture = *state;
    peer_t *telling = start_clock_server(fixture, PAL_TLS_MODE, "any-time", TRUE_TIME_TEXT);
    peer_t *silent = start_clock_server(fixture, PAL_TLS_MODE, "any-time", "0");
    /* The list is of the day before TRUE_TIME, and good until the day after it. */
    const struct {
        peer_t *peer;
        uint64_t clock;
        bool is_trusted;
        const char *list;
        const char *outcome;
    } cases[] = {
        {telling, TRUE_TIME, false, "then-crl.der", "accepted, told (weak)"},
        {silent, TRUE_TIME + DAY, false, "then-crl.der", "accepted"},
        {telling, TRUE_TIME - DAY - 1, false, "then-crl.der", "at server's time (weak)"},
        {telling, TRUE_TIME - DAY - 1, true, "then-crl.der", "at server's time (strong)"},
        {telling, TRUE_TIME + DAY + 1, true, "then-crl.der", "at server's time (strong)"},
        {telling, 0, false, "then-crl.der", "at server's time (weak)"},
        /* Nothing is from the future for a clock that was never set; what had expired when the library was built is refused. */
        {silent, 0, false, "then-crl.der", "accepted"},
        {silent, TRUE_TIME - DAY - 1, false, "then-crl.der", NULL},
        {telling, TRUE_TIME + DAY + 1, false, "then-crl.der", NULL},
        {silent, TRUE_TIME + DAY + 1, true, "then-crl.der", NULL},
        {silent, 0, false, "past-crl.der", NULL},
        {telling, 0, true, "past-crl.der", NULL},
        {telling, TRUE_TIME, true, "past-crl.der", NULL},
    };
    for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
        new_host(cases[index].clock);
        if (cases[index].is_trusted) {
            trust_time_of(fixture, "wide-ca.der");
        }
        secure_t secure;
        secure_begin(&secure, PAL_TLS_MODE, peer_port(cases[index].peer));
        trust(&secure, fixture, "wide-ca.der", cases[index].list);
        if (cases[index].outcome != NULL) {
            assert_string_equal(outcome_of(&secure), cases[index].outcome);
        } else {
            /* A list has no reason of its own. */
            expect_refusal(&secure, NOT_TRUSTED);
        }
        secure_end(&secure);
    }
}

static void each_reason_to_refuse_has_its_bit(void **state)
{
    fixture_t *fixture = *state;
    const uint64_t now = (uint64_t)time(NULL) + DAY;
    const struct {
        const char *certificate;
        const char *ca;
        const char *list;
        const char *name;
        uint64_t clock;
        int32_t reasons;
    } cases[] = {
        {"past", "wide-ca.der", NULL, NULL, now, EXPIRED},
        {"coming", "wide-ca.der", NULL, NULL, now, FUTURE},
        {"untrusted", "ca.der", NULL, NULL, now, NOT_TRUSTED},
        {"revoked", "ca.der", "crl.der", NULL, now, NOT_TRUSTED},
        {"other-name", "ca.der", NULL, "localhost", now, NOT_TRUSTED},
        {"past", "ca.der", NULL, NULL, now, EXPIRED | NOT_TRUSTED},
        {"coming", "wide-ca.der", NULL, "elsewhere.example", now, FUTURE | NOT_TRUSTED},
        {"past", "wide-ca.der", "past-crl.der", NULL, now, EXPIRED | NOT_TRUSTED},
        {"after-its-ca", "past-ca.der", NULL, NULL, now, EXPIRED | FUTURE},
        {"after-its-ca", "past-ca.der", NULL, "elsewhere.example", now, EXPIRED | FUTURE | NOT_TRUSTED},
        /* What else is wrong stays wrong with a clock that was never set, and FUTURE does not count. */
        {"coming", "wide-ca.der", NULL, "elsewhere.example", 0, NOT_TRUSTED},
        {"after-its-ca", "past-ca.der", NULL, NULL, 0, EXPIRED},
    };
    for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
        /* The time that the server tells heals none of them: it is before the build, or something else is wrong too. */
        const char *told = strcmp(cases[index].certificate, "coming") == 0 && cases[index].reasons == FUTURE ? "0" : TRUE_TIME_TEXT;
        peer_t *peer = start_clock_server(fixture, PAL_TLS_MODE, cases[index].certificate, told);
        new_host(cases[index].clock);
        secure_t secure;
        secure_begin(&secure, PAL_TLS_MODE, peer_port(peer));
        if (cases[index].list != NULL) {
            trust(&secure, fixture, cases[index].ca, cases[index].list);
        } else {
            secure_trust(&secure, fixture, cases[index].ca);
        }
        if (cases[index].name != NULL) {
            assert_int_equal(mcc_pal_set_server_name(secure.configuration, cases[index].name), PAL_SUCCESS);
        }
        int32_t before = 77;
        assert_pal(pal_sslGetVerifyResultExtended(secure.session, &before), PAL_SUCCESS);
        assert_int_equal(before, 0);
        expect_refusal(&secure, cases[index].reasons);
        (void)peer_await(peer, "alert");
        secure_end(&secure);
        stop_peer(fixture, peer);
    }
}

/* ---- the server's name ---- */

static void a_server_is_told_the_name_that_its_certificate_has_to_be_for(void **state)
{
    fixture_t *fixture = *state;
    for (size_t index = 0; index < 2; index++) {
        new_host((uint64_t)time(NULL) + DAY);
        peer_t *peer = modes[index] == PAL_TLS_MODE ? start_tls_server(fixture) : start_dtls_server(fixture);
        secure_t secure;
        secure_open(&secure, fixture, modes[index], peer_port(peer));
        assert_int_equal(mcc_pal_set_server_name(secure.configuration, "localhost"), PAL_SUCCESS);
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        (void)peer_await(peer, "name localhost ");
        secure_echo(&secure, 10);
        secure_end(&secure);

        secure_open(&secure, fixture, modes[index], peer_port(peer));
        assert_int_equal(mcc_pal_set_server_name(secure.configuration, "localhost.example"), PAL_SUCCESS);
        expect_refusal(&secure, NOT_TRUSTED);
        (void)peer_await(peer, "name localhost.example ");
        secure_end(&secure);

        /* An address is looked for in the certificate and not told (RFC 6066). */
        secure_open(&secure, fixture, modes[index], peer_port(peer));
        assert_int_equal(mcc_pal_set_server_name(secure.configuration, "127.0.0.1"), PAL_SUCCESS);
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        secure_end(&secure);
        secure_open(&secure, fixture, modes[index], peer_port(peer));
        assert_int_equal(mcc_pal_set_server_name(secure.configuration, "127.0.0.2"), PAL_SUCCESS);
        expect_refusal(&secure, NOT_TRUSTED);
        secure_end(&secure);

        /* Null takes the name away. */
        secure_open(&secure, fixture, modes[index], peer_port(peer));
        assert_int_equal(mcc_pal_set_server_name(secure.configuration, "localhost.example"), PAL_SUCCESS);
        assert_int_equal(mcc_pal_set_server_name(secure.configuration, NULL), PAL_SUCCESS);
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        secure_end(&secure);
        peer_await_count(peer, "connected", 3);
        assert_int_equal(peer_count(peer, "name "), 2);
    }
}

static void a_name_that_cannot_be_is_refused(void **state)
{
    fixture_t *fixture = *state;
    new_host((uint64_t)time(NULL) + DAY);
    peer_t *peer = start_tls_server(fixture);
    secure_t secure;
    secure_open(&secure, fixture, PAL_TLS_MODE, peer_port(peer));
    char name[257];
    memset(name, 'n', sizeof name);
    name[256] = '\0';
    assert_int_equal(mcc_pal_set_server_name(0, "localhost"), PAL_ERR_INVALID_ARGUMENT);
    assert_int_equal(mcc_pal_set_server_name(secure.configuration + 1, "localhost"), PAL_ERR_INVALID_ARGUMENT);
    assert_int_equal(mcc_pal_set_server_name(secure.session, "localhost"), PAL_ERR_INVALID_ARGUMENT);
    assert_int_equal(mcc_pal_set_server_name(secure.configuration, "localhost"), PAL_SUCCESS);
    assert_int_equal(mcc_pal_set_server_name(secure.configuration, ""), PAL_ERR_INVALID_ARGUMENT);
    assert_int_equal(mcc_pal_set_server_name(secure.configuration, name), PAL_ERR_INVALID_ARGUMENT);
    assert_int_equal(mcc_pal_set_server_name(secure.configuration, "local\xffhost"), PAL_ERR_INVALID_ARGUMENT);
    /* The one before them stays. */
    assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
    (void)peer_await(peer, "name localhost ");
    secure_end(&secure);

    secure_open(&secure, fixture, PAL_TLS_MODE, peer_port(peer));
    name[255] = '\0';
    assert_int_equal(mcc_pal_set_server_name(secure.configuration, name), PAL_SUCCESS);
    expect_refusal(&secure, NOT_TRUSTED);
    (void)peer_await(peer, "name nnn");
    palTLSConfHandle_t configuration = secure.configuration;
    secure_end(&secure);
    assert_int_equal(mcc_pal_set_server_name(configuration, "localhost"), PAL_ERR_INVALID_ARGUMENT);
}

/* No chain is looked at when a session is resumed: it is one of a server of that name, or a full handshake. */
static void a_kept_session_is_of_one_name(void **state)
{
    fixture_t *fixture = *state;
    for (size_t index = 0; index < 2; index++) {
        new_host((uint64_t)time(NULL) + DAY);
        const char *further[] = {"--cache", NULL};
        peer_t *peer = modes[index] == PAL_TLS_MODE
                           ? start_server_with(fixture, MCC_TEST_MBEDTLS_SERVER, PAL_TLS_MODE, "server", further)
                           : start_dtls_server(fixture);
        const struct {
            const char *name;
            /* Sessions of the same names with servers of other tests may be kept. */
            bool is_new;
        } rounds[] = {{NULL, true}, {"localhost.example", false}, {"localhost", true}, {"localhost.example", false}, {"localhost", false}};
        for (size_t round = 0; round < 5; round++) {
            secure_t secure;
            secure_open(&secure, fixture, modes[index], peer_port(peer));
            pal_enableSslSessionStoring(secure.configuration, true);
            assert_int_equal(mcc_pal_set_server_name(secure.configuration, rounds[round].name), PAL_SUCCESS);
            if (round % 2 == 0) {
                assert_pal(shake_hands(&secure, rounds[round].is_new), PAL_SUCCESS);
                secure_echo(&secure, 10);
            } else {
                expect_refusal(&secure, NOT_TRUSTED);
            }
            secure_end(&secure);
        }
        if (modes[index] == PAL_TLS_MODE) {
            (void)peer_await(peer, "resumed-by session-id");
            peer_await_count(peer, "connected", 3);
        } else {
            peer_await_count(peer, "connected", 2);
        }
    }
}

/* ---- the application's own Mbed TLS ---- */

static void the_application_s_mbedtls_is_given_the_host_s_clock(void **state)
{
    (void)state;
    new_host(12345);
    assert_pal(pal_initTLSLibrary(), PAL_SUCCESS);
    assert_non_null(host.mbedtls_clock);
    time_t told = 0;
    assert_int_equal(host.mbedtls_clock(NULL), 12345);
    host.clock = TRUE_TIME;
    /* As far as a time_t goes. */
    const time_t expected = sizeof(time_t) < 8 ? (time_t)INT32_MAX : (time_t)TRUE_TIME;
    assert_int_equal(host.mbedtls_clock(&told), expected);
    assert_int_equal(told, expected);

    /* One that cannot take it has no part in TLS here. */
    host.mbedtls_answer = -1;
    assert_pal(pal_initTLSLibrary(), PAL_SUCCESS);
}

/* ---- random bytes ---- */

/* What the sources do: their calls, and how many were added in this process. */
static unsigned asked[24], sources_added;
/* A source of the host's, one of the system's: so many of the application's have room beside them. */
enum { ROOM_FOR_SOURCES = 18 };

static int give(unsigned number, unsigned char *output, size_t size, size_t *given)
{
    asked[number]++;
    memset(output, (int)number, size);
    *given = size;
    return 0;
}

#define SOURCE(number)                                                                              \
    static int source_##number(void *data, unsigned char *output, size_t size, size_t *given)       \
    {                                                                                               \
        assert_null(data);                                                                          \
        return give(number, output, size, given);                                                   \
    }
SOURCE(0) SOURCE(1) SOURCE(2) SOURCE(3) SOURCE(4) SOURCE(5) SOURCE(6) SOURCE(7) SOURCE(8) SOURCE(9)
SOURCE(10) SOURCE(11) SOURCE(12) SOURCE(13) SOURCE(14) SOURCE(15) SOURCE(16) SOURCE(17) SOURCE(18) SOURCE(19)
SOURCE(20)
#undef SOURCE

static int failing_source(void *data, unsigned char *output, size_t size, size_t *given)
{
    (void)data;
    asked[21]++;
    memset(output, 1, size);
    *given = size;
    return -1;
}

static int lying_source(void *data, unsigned char *output, size_t size, size_t *given)
{
    (void)data;
    (void)output;
    (void)size;
    asked[22]++;
    *given = SIZE_MAX;
    return 0;
}

static int empty_source(void *data, unsigned char *output, size_t size, size_t *given)
{
    (void)data;
    (void)output;
    (void)size;
    (void)given;
    asked[23]++;
    return 0;
}

static void expect_handshake(fixture_t *fixture)
{
    host.clock = (uint64_t)time(NULL) + DAY;
    peer_t *peer = start_tls_server(fixture);
    secure_t secure;
    secure_open(&secure, fixture, PAL_TLS_MODE, peer_port(peer));
    assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
    secure_echo(&secure, 10);
    secure_end(&secure);
    stop_peer(fixture, peer);
}

static void a_source_of_random_bytes_is_asked_and_added_once(void **state)
{
    assert_pal(pal_addEntropySource(NULL), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_addEntropySource(source_20), PAL_SUCCESS);
    sources_added++;
    unsigned once = asked[20];
    assert_true(once > 0);
    for (unsigned again = 0; again < 100; again++) {
        assert_pal(pal_addEntropySource(source_20), PAL_SUCCESS);
    }
    assert_int_equal(asked[20], once);
    expect_handshake(*state);
}

static void a_source_that_fails_or_lies_does_no_harm(void **state)
{
    const palEntropySource_f sources[] = {failing_source, lying_source, empty_source};
    for (size_t index = 0; index < 3; index++) {
        assert_pal(pal_addEntropySource(sources[index]), PAL_SUCCESS);
        sources_added++;
        assert_true(asked[21 + index] > 0);
        expect_handshake(*state);
    }
}

/* Before this each reseed asked it: what was added by the tests above did. */
static void the_host_s_random_bytes_are_asked_for(void **state)
{
    assert_true(random_calls > 0);
    unsigned before = random_calls;
    assert_pal(pal_addEntropySource(source_19), PAL_SUCCESS);
    sources_added++;
    assert_true(random_calls > before);

    before = random_calls;
    host.random_answer = -1;
    assert_pal(pal_addEntropySource(source_18), PAL_SUCCESS);
    sources_added++;
    assert_true(random_calls > before);
    expect_handshake(*state);
}

/* The last test: nothing takes a source away again. */
static void twenty_sources_are_more_than_have_room(void **state)
{
    const palEntropySource_f sources[] = {source_0,  source_1,  source_2,  source_3,  source_4,  source_5,  source_6,
                                          source_7,  source_8,  source_9,  source_10, source_11, source_12, source_13,
                                          source_14, source_15, source_16, source_17, source_18, source_19};
    const unsigned room = ROOM_FOR_SOURCES - sources_added;
    unsigned added = 0;
    for (size_t index = 0; index < 20; index++) {
        bool is_old = asked[index] > 0;
        palStatus_t status = pal_addEntropySource(sources[index]);
        assert_pal(status, is_old || added < room ? PAL_SUCCESS : PAL_ERR_GENERIC_FAILURE);
        added += !is_old && status == PAL_SUCCESS ? 1 : 0;
        assert_int_equal(asked[index] > 0, status == PAL_SUCCESS);
    }
    assert_int_equal(added, room);
    /* One that is there is there, with room or without. */
    assert_pal(pal_addEntropySource(source_0), PAL_SUCCESS);
    expect_handshake(*state);
}

/* ---- */

static int begin(void **state)
{
    new_host(0);
    return pal_tls_setup(state);
}

int main(int count, char **arguments)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, pal_tls_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_document_has_this_table),
        TEST(each_of_the_48_cells_is_as_the_table_has_it_over_tls),
        TEST(each_of_the_48_cells_is_as_the_table_has_it_over_dtls),
        TEST(the_server_s_time_is_told_by_the_next_call_and_not_before),
        TEST(a_session_that_is_freed_before_the_next_call_tells_no_time),
        TEST(a_time_is_told_once_for_a_handshake),
        TEST(a_host_that_is_told_a_time_may_call_back),
        TEST(a_host_that_refuses_the_time_has_its_session_all_the_same),
        TEST(a_clock_that_is_right_moves_by_a_day_at_most),
        TEST(the_trusted_time_server_moves_it_by_any_time),
        TEST(an_id_that_is_not_whole_or_of_another_ca_makes_no_trusted_time_server),
        TEST(the_trusted_time_server_is_known_by_the_ca_that_its_chain_ends_with),
        TEST(a_clock_at_0_or_before_the_build_is_not_set),
        TEST(a_resumed_session_tells_no_time),
        TEST(a_session_that_goes_on_by_its_connection_id_tells_no_time),
        TEST(a_session_of_a_pre_shared_key_tells_no_time),
        TEST(the_times_of_a_list_of_revoked_certificates_are_judged_as_those_of_a_certificate),
        TEST(each_reason_to_refuse_has_its_bit),
        TEST(a_server_is_told_the_name_that_its_certificate_has_to_be_for),
        TEST(a_name_that_cannot_be_is_refused),
        TEST(a_kept_session_is_of_one_name),
        TEST(the_application_s_mbedtls_is_given_the_host_s_clock),
        TEST(a_source_of_random_bytes_is_asked_and_added_once),
        TEST(a_source_that_fails_or_lies_does_no_harm),
        TEST(the_host_s_random_bytes_are_asked_for),
        TEST(twenty_sources_are_more_than_have_room),
    };
#undef TEST
    return run_chosen_tests(tests, count, arguments);
}
