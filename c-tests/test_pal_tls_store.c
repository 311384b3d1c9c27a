/* Sessions of the PAL's TLS and DTLS in the host's storage, which this program has: what is stored when, what is used once, what
 * storage that fails or holds anything else does to a handshake, and a process that starts again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "pal_tls_wire.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the host's storage: one item ---- */

enum { KCM_SUCCESS = 0, KCM_ERROR = 1, KCM_NOT_FOUND = 5, CONFIG_ITEM = 4, LARGEST_ITEM = 70000 };

static struct {
    uint8_t item[LARGEST_ITEM];
    size_t size;
    bool there;
    /* What was asked of it. */
    unsigned calls;
    unsigned changes;
    /* What a real one would not have let happen. */
    unsigned wrong;
    /* This call fails, from 1 on; 0: none. */
    unsigned failing;
    /* Each of these fails. */
    bool no_deleting;
    bool no_storing;
    /* Run before an item is deleted. */
    void (*before_delete)(void);
} storage;

static void reset_storage(void)
{
    memset(&storage, 0, sizeof storage);
}

static void put(const void *bytes, size_t size)
{
    assert_true(size <= LARGEST_ITEM);
    memcpy(storage.item, bytes, size);
    storage.size = size;
    storage.there = true;
}

/* False where the call fails. */
static bool begin_call(const uint8_t *name, size_t name_size, int type)
{
    storage.calls++;
    storage.wrong += name_size != 10 || memcmp(name, "sslsession", 10) != 0 || type != CONFIG_ITEM;
    return storage.calls != storage.failing;
}

int kcm_item_store(const uint8_t *name, size_t name_size, int type, bool is_factory, const uint8_t *data, size_t size, const void *info);
int kcm_item_get_data_size(const uint8_t *name, size_t name_size, int type, size_t *size);
int kcm_item_get_data(const uint8_t *name, size_t name_size, int type, uint8_t *data, size_t max_size, size_t *size);
int kcm_item_delete(const uint8_t *name, size_t name_size, int type);

int kcm_item_store(const uint8_t *name, size_t name_size, int type, bool is_factory, const uint8_t *data, size_t size, const void *info)
{
    storage.wrong += is_factory || info != NULL || size == 0 || size > LARGEST_ITEM;
    storage.changes++;
    /* As the real one, it overwrites nothing. */
    if (!begin_call(name, name_size, type) || storage.no_storing || storage.there || size > LARGEST_ITEM) {
        return KCM_ERROR;
    }
    put(data, size);
    return KCM_SUCCESS;
}

int kcm_item_get_data_size(const uint8_t *name, size_t name_size, int type, size_t *size)
{
    if (!begin_call(name, name_size, type)) {
        *size = 12345;
        return KCM_ERROR;
    }
    *size = storage.there ? storage.size : 0;
    return storage.there ? KCM_SUCCESS : KCM_NOT_FOUND;
}

int kcm_item_get_data(const uint8_t *name, size_t name_size, int type, uint8_t *data, size_t max_size, size_t *size)
{
    if (!begin_call(name, name_size, type)) {
        memset(data, 0xa5, max_size);
        *size = max_size;
        return KCM_ERROR;
    }
    if (!storage.there || storage.size > max_size) {
        return storage.there ? KCM_ERROR : KCM_NOT_FOUND;
    }
    memcpy(data, storage.item, storage.size);
    *size = storage.size;
    return KCM_SUCCESS;
}

int kcm_item_delete(const uint8_t *name, size_t name_size, int type)
{
    storage.changes++;
    if (storage.before_delete != NULL) {
        storage.before_delete();
    }
    if (!begin_call(name, name_size, type) || storage.no_deleting) {
        return KCM_ERROR;
    }
    if (!storage.there) {
        return KCM_NOT_FOUND;
    }
    memset(storage.item, 0, sizeof storage.item);
    storage.there = false;
    return KCM_SUCCESS;
}

/* ---- steps ---- */

/* A DTLS session, established and freed: its context is in memory, in storage too if `stored`. */
static void leave_context(fixture_t *fixture, peer_t *peer, bool stored)
{
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_full(&secure, peer);
    secure_echo(&secure, 10);
    secure_end(&secure);
    if (stored) {
        pal_store_cid();
        assert_true(storage.there);
    }
}

/* As at the start of a process: storage alone has it. */
static void forget_in_memory(void)
{
    palTLSConfHandle_t configuration = 0;
    assert_pal(pal_initTLSConfiguration(&configuration, PAL_DTLS_MODE), PAL_SUCCESS);
    pal_enableSslSessionStoring(configuration, false);
    assert_pal(pal_tlsConfigurationFree(&configuration), PAL_SUCCESS);
}

static void session_of_tls(fixture_t *fixture, peer_t *peer, const char *how)
{
    secure_t secure;
    open_storing(&secure, fixture, PAL_TLS_MODE, peer_port(peer));
    assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
    const char *line = peer_await(peer, "connected ");
    if (strstr(line, how) == NULL) {
        fail_msg("not %s: %s", how, line);
    }
    secure_echo(&secure, 30);
    secure_end(&secure);
}

static peer_t *start_resuming_server(fixture_t *fixture, const char *by)
{
    const char *further[] = {by, NULL};
    return start_server_with(fixture, MCC_TEST_MBEDTLS_SERVER, PAL_TLS_MODE, "server", further);
}

/* ---- a context in storage ---- */

static const char *later_server_port;

/* Runs in the process that starts later. */
static void what_was_stored_goes_on(void **state)
{
    fixture_t *fixture = *state;
    secure_t secure;
    assert_true(pal_is_cid_available());
    open_storing(&secure, fixture, PAL_DTLS_MODE, (uint16_t)strtoul(later_server_port, NULL, 10));
    expect_at_once(&secure);
    assert_false(storage.there);
    secure_echo(&secure, 500);
    secure_end(&secure);
    assert_true(pal_is_cid_available());
    pal_store_cid();
    assert_true(storage.there);
}

static int run_later_process(const char *port, const char *file)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_stored_goes_on, pal_tls_setup, teardown),
    };
    later_server_port = port;
    int descriptor = open(file, O_RDWR | O_CLOEXEC);
    ssize_t size = read(descriptor, storage.item, sizeof storage.item);
    if (size <= 0) {
        return 2;
    }
    storage.size = (size_t)size;
    storage.there = true;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    bool saved = ftruncate(descriptor, 0) == 0 && pwrite(descriptor, storage.item, storage.size, 0) == (ssize_t)storage.size;
    return failed != 0 || !saved || storage.wrong != 0;
}

static void a_stored_context_goes_on_in_the_next_process_and_the_one_after(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    leave_context(fixture, peer, true);
    char file[] = "/tmp/mcc-test-store-XXXXXX", port[8], program[256] = {0};
    int descriptor = mkostemp(file, O_CLOEXEC);
    assert_true(descriptor >= 0);
    assert_true(write(descriptor, storage.item, storage.size) == (ssize_t)storage.size);
    (void)snprintf(port, sizeof port, "%u", peer_port(peer));
    assert_true(readlink("/proc/self/exe", program, sizeof program - 1) > 0);
    for (size_t round = 1; round <= 2; round++) {
        pid_t process = fork();
        assert_true(process >= 0);
        if (process == 0) {
            alarm(60);
            run_program_of_tests((const char *const[]){program, "--later", port, file, NULL});
        }
        int status = -1;
        assert_int_equal(waitpid(process, &status, 0), process);
        assert_int_equal(status, 0);
        peer_await_count(peer, "rebound", round);
    }
    peer_await_count(peer, "connected", 1);
    assert_int_equal(peer_count(peer, "close-notify"), 0);
    assert_int_equal(peer_count(peer, "unauthenticated"), 0);
    close(descriptor);
    assert_int_equal(unlink(file), 0);
}

static void a_stored_context_is_deleted_when_it_is_loaded(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    leave_context(fixture, peer, true);
    forget_in_memory();
    assert_true(pal_is_cid_available());
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_at_once(&secure);
    assert_false(storage.there);
    assert_true(pal_is_cid_available());
    secure_echo(&secure, 10);
    secure_end(&secure);
    peer_await_count(peer, "connected", 1);
}

static wire_t wire_of_hook;
static unsigned deleted_before_the_record;

static void see_that_nothing_is_sent(void)
{
    deleted_before_the_record += wire_waiting(&wire_of_hook) == 0;
}

static void a_stored_context_is_deleted_before_the_next_record_goes_out(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_full(&secure, peer);
    secure_echo(&secure, 10);
    pal_store_cid();
    assert_true(storage.there);

    wire_of_hook = open_wire();
    deleted_before_the_record = 0;
    storage.before_delete = see_that_nothing_is_sent;
    (void)write_to_wire(&secure, &wire_of_hook);
    storage.before_delete = NULL;
    assert_false(storage.there);
    assert_int_equal(deleted_before_the_record, 1);
    close_wire(&wire_of_hook);

    redirect(&secure, peer_port(peer));
    secure_echo(&secure, 20);
    secure_end(&secure);
}

static void records_touch_storage_only_where_a_context_is_stored(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_full(&secure, peer);
    assert_int_equal(storage.changes, 0);
    unsigned before = storage.calls;
    for (uint32_t size = 1; size < 20; size++) {
        secure_echo(&secure, size);
    }
    assert_int_equal(storage.calls, before);
    pal_store_cid();
    secure_echo(&secure, 1);
    before = storage.calls;
    assert_false(storage.there);
    for (uint32_t size = 1; size < 20; size++) {
        secure_echo(&secure, size);
    }
    assert_int_equal(storage.calls, before);
    secure_end(&secure);
    assert_int_equal(storage.calls, before);
}

static void what_does_not_want_a_stored_context_leaves_it_there(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    leave_context(fixture, peer, true);
    for (unsigned what = 0; what < 3; what++) {
        forget_in_memory();
        secure_t secure;
        secure_open(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
        if (what == 0) {
            assert_pal(pal_freeTLS(&secure.session), PAL_SUCCESS);
            assert_pal(pal_initTLS(secure.configuration, &secure.session, true), PAL_SUCCESS);
        }
        if (what != 1) {
            pal_enableSslSessionStoring(secure.configuration, true);
        }
        assert_pal(shake_hands(&secure, what == 2), PAL_SUCCESS);
        assert_non_null(strstr(peer_await(peer, "connected "), " full "));
        secure_echo(&secure, 10);
        assert_true(storage.there);
        secure_end(&secure);
    }
    /* And it is still good. */
    forget_in_memory();
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_at_once(&secure);
    secure_end(&secure);
}

static void a_context_of_another_identity_stays_in_storage(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    leave_context(fixture, peer, true);
    forget_in_memory();
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    secure_identify(&secure, fixture);
    expect_full(&secure, peer);
    secure_echo(&secure, 10);
    secure_end(&secure);
    assert_true(storage.there);
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_at_once(&secure);
    assert_false(storage.there);
    secure_echo(&secure, 10);
    secure_end(&secure);
}

static void no_record_number_is_used_twice_by_two_that_want_one_context(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    wire_t wire = open_wire();
    for (unsigned round = 0; round < 3; round++) {
        secure_t first, second;
        open_storing(&first, fixture, PAL_DTLS_MODE, peer_port(peer));
        assert_pal(shake_hands(&first, true), PAL_SUCCESS);
        (void)peer_await(peer, "connected ");
        pal_store_cid();
        assert_true(storage.there);
        /* The second finds it in memory; in storage alone; in storage, where another has taken its place in memory. */
        if (round == 2) {
            secure_t third;
            open_storing(&third, fixture, PAL_DTLS_MODE, peer_port(peer));
            expect_full(&third, peer);
            secure_end(&third);
        }
        if (round > 0) {
            forget_in_memory();
        }
        open_storing(&second, fixture, PAL_DTLS_MODE, peer_port(peer));
        expect_full(&second, peer);
        /* The other has a session of its own, with its own Connection ID. */
        head_t of_second = write_to_wire(&second, &wire);
        head_t of_first = write_to_wire(&first, &wire);
        assert_int_equal(of_first.cid_size, of_second.cid_size);
        assert_memory_not_equal(of_first.cid, of_second.cid, of_first.cid_size);
        assert_false(storage.there);
        secure_end(&second);
        secure_end(&first);
        pal_remove_cid();
    }
    close_wire(&wire);
}

static void a_context_that_cannot_be_deleted_is_not_used(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    leave_context(fixture, peer, true);
    forget_in_memory();
    storage.no_deleting = true;
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_full(&secure, peer);
    secure_echo(&secure, 10);
    secure_end(&secure);
    assert_true(storage.there);
    storage.no_deleting = false;
    forget_in_memory();
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_at_once(&secure);
    secure_echo(&secure, 10);
    secure_end(&secure);
    assert_int_equal(peer_count(peer, "unauthenticated"), 0);
}

static void a_record_waits_until_what_is_stored_can_be_deleted(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    wire_t wire = open_wire();
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_full(&secure, peer);
    pal_store_cid();
    storage.no_deleting = true;
    /* To store it once more fails, and what was stored before is there as it was. */
    pal_store_cid();
    redirect(&secure, wire.port);
    uint32_t written = 77;
    assert_pal(pal_sslWrite(secure.session, secure.configuration, "0123456789", 10, &written), PAL_ERR_GENERIC_FAILURE);
    assert_int_equal(written, 77);
    assert_int_equal(wire_waiting(&wire), 0);
    /* A session that comes now is a new one, so that a device is not stuck. */
    secure_t other;
    open_storing(&other, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_full(&other, peer);
    secure_echo(&other, 10);
    secure_end(&other);
    /* Later the same call goes through. */
    storage.no_deleting = false;
    secure_write(&secure, "0123456789", 10);
    (void)take_record_head(&wire, 10);
    assert_false(storage.there);
    secure_end(&secure);
    close_wire(&wire);
}

static void a_context_is_available_as_long_as_it_can_go_on(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    assert_false(pal_is_cid_available());
    pal_store_cid();
    assert_false(storage.there);
    wire_t wire = open_wire();
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, wire.port);
    assert_false(pal_is_cid_available());
    assert_pal(pal_handShake(secure.session, secure.configuration, false), PAL_ERR_TLS_WANT_READ);
    assert_false(pal_is_cid_available());
    secure_end(&secure);
    close_wire(&wire);
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_full(&secure, peer);
    assert_true(pal_is_cid_available());
    secure_end(&secure);
    assert_true(pal_is_cid_available());
    pal_store_cid();
    forget_in_memory();
    assert_true(pal_is_cid_available());
    pal_remove_cid();
    assert_false(storage.there);
    assert_false(pal_is_cid_available());
    const char further[] = "something else";
    put(further, sizeof further);
    assert_false(pal_is_cid_available());
    pal_store_cid();
    assert_true(storage.there);
    assert_false(pal_is_cid_available());
}

/* ---- TLS sessions in storage ---- */

static void tls_sessions_are_resumed_by_id_and_by_ticket(void **state)
{
    fixture_t *fixture = *state;
    const char *ways[] = {"--cache", "--tickets"};
    const char *names[] = {"resumed-by session-id", "resumed-by ticket"};
    for (size_t way = 0; way < 2; way++) {
        reset_storage();
        peer_t *peer = start_resuming_server(fixture, ways[way]);
        session_of_tls(fixture, peer, " full ");
        assert_true(storage.there);
        session_of_tls(fixture, peer, " resumed ");
        session_of_tls(fixture, peer, " resumed ");
        peer_await_count(peer, names[way], 2);

        secure_t secure;
        secure_open(&secure, fixture, PAL_TLS_MODE, peer_port(peer));
        expect_full(&secure, peer);
        secure_end(&secure);
        open_storing(&secure, fixture, PAL_TLS_MODE, peer_port(peer));
        assert_pal(shake_hands(&secure, true), PAL_SUCCESS);
        assert_non_null(strstr(peer_await(peer, "connected "), " full "));
        secure_end(&secure);

        /* The client deletes the item itself, and nothing else remembers it. */
        storage.there = false;
        session_of_tls(fixture, peer, " full ");
        peer_await_count(peer, names[way], 2);
    }
}

static void a_tls_session_is_not_resumed_under_another_trust_or_name(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_resuming_server(fixture, "--cache");
    secure_t secure;
    for (unsigned what = 0; what < 4; what++) {
        session_of_tls(fixture, peer, " ");
        open_storing(&secure, fixture, PAL_TLS_MODE, peer_port(peer));
        if (what == 0) {
            assert_int_equal(mcc_pal_set_server_name(secure.configuration, "localhost"), PAL_SUCCESS);
        } else if (what == 1) {
            assert_int_equal(mcc_pal_set_server_name(secure.configuration, "127.0.0.1"), PAL_SUCCESS);
        } else if (what == 2) {
            secure_identify(&secure, fixture);
        } else {
            secure_trust(&secure, fixture, "other-ca.pem");
            assert_pal(shake_hands(&secure, false), PAL_ERR_X509_CERT_VERIFY_FAILED);
            secure_end(&secure);
            continue;
        }
        expect_full(&secure, peer);
        secure_echo(&secure, 10);
        secure_end(&secure);
    }
    assert_int_equal(peer_count(peer, "resumed-by"), 0);
}

static void tls_and_dtls_lie_in_storage_side_by_side(void **state)
{
    fixture_t *fixture = *state;
    peer_t *tls = start_resuming_server(fixture, "--tickets");
    peer_t *dtls = start_dtls_server(fixture);
    leave_context(fixture, dtls, true);
    session_of_tls(fixture, tls, " full ");
    session_of_tls(fixture, tls, " resumed ");
    forget_in_memory();
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(dtls));
    expect_at_once(&secure);
    secure_echo(&secure, 10);
    session_of_tls(fixture, tls, " resumed ");
    pal_store_cid();
    session_of_tls(fixture, tls, " resumed ");
    secure_end(&secure);
    forget_in_memory();
    assert_true(pal_is_cid_available());
    pal_remove_cid();
    assert_false(pal_is_cid_available());
    session_of_tls(fixture, tls, " resumed ");
    peer_await_count(dtls, "connected", 1);
}

static void a_session_that_has_not_changed_is_not_written_again(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_resuming_server(fixture, "--cache");
    session_of_tls(fixture, peer, " full ");
    unsigned before = storage.changes;
    session_of_tls(fixture, peer, " resumed ");
    assert_int_equal(storage.changes, before);
}

/* ---- what else may lie in storage ---- */

/* A session of a configuration whose peer never answers: it goes on at once, or waits. */
static void expect_no_going_on(secure_t *secure, const char *what, size_t at)
{
    assert_pal(pal_initTLS(secure->configuration, &secure->session, false), PAL_SUCCESS);
    palStatus_t status = pal_handShake(secure->session, secure->configuration, false);
    if (status != PAL_ERR_TLS_WANT_READ) {
        fail_msg("%s at %zu gave %d", what, at, status);
    }
    assert_pal(pal_freeTLS(&secure->session), PAL_SUCCESS);
}

static void a_damaged_context_means_a_full_handshake(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_dtls_server(fixture);
    leave_context(fixture, peer, true);
    size_t size = storage.size;
    uint8_t *whole = malloc(size);
    assert_non_null(whole);
    memcpy(whole, storage.item, size);
    forget_in_memory();

    wire_t wire = open_wire();
    secure_t secure;
    open_storing(&secure, fixture, PAL_DTLS_MODE, wire.port);
    assert_pal(pal_freeTLS(&secure.session), PAL_SUCCESS);
    size_t step = getenv("MCC_TEST_FEWER") != NULL ? 20 : 1;
    for (size_t at = 0; at < size; at += step) {
        put(whole, at);
        expect_no_going_on(&secure, "cut", at);
        put(whole, size);
        storage.item[at] ^= 0xff;
        expect_no_going_on(&secure, "inverted", at);
    }
    for (size_t at = 0; at < size; at += 7 * step) {
        for (unsigned bit = 0; bit < 8; bit++) {
            put(whole, size);
            storage.item[at] ^= (uint8_t)(1U << bit);
            expect_no_going_on(&secure, "one bit changed", at);
        }
    }
    /* Longer than it was. */
    put(whole, size);
    storage.item[size] = 0;
    storage.size = size + 1;
    expect_no_going_on(&secure, "longer", 0);
    secure_end(&secure);
    close_wire(&wire);

    /* None of this is of the kind that a handshake does not survive. */
    put(whole, size / 2);
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_full(&secure, peer);
    secure_echo(&secure, 10);
    secure_end(&secure);
    pal_remove_cid();

    /* The measure: undamaged it goes on. */
    put(whole, size);
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(peer));
    expect_at_once(&secure);
    secure_echo(&secure, 10);
    secure_end(&secure);
    free(whole);
}

static void a_damaged_tls_session_means_a_full_handshake(void **state)
{
    fixture_t *fixture = *state;
    /* The server's cache would forget it among so many; its ticket stays good. */
    peer_t *peer = start_resuming_server(fixture, "--tickets");
    session_of_tls(fixture, peer, " full ");
    size_t size = storage.size;
    uint8_t *whole = malloc(size);
    assert_non_null(whole);
    memcpy(whole, storage.item, size);
    size_t step = getenv("MCC_TEST_FEWER") != NULL ? 160 : 16;
    for (size_t at = 0; at < size; at += step) {
        put(whole, at);
        session_of_tls(fixture, peer, " full ");
        put(whole, size);
        storage.item[at] ^= (uint8_t)(1U << at / step % 8);
        session_of_tls(fixture, peer, " full ");
    }
    put(whole, size);
    session_of_tls(fixture, peer, " resumed ");
    free(whole);
}

static void anything_else_in_storage_means_a_full_handshake(void **state)
{
    fixture_t *fixture = *state;
    peer_t *tls = start_resuming_server(fixture, "--cache");
    peer_t *dtls = start_dtls_server(fixture);
    const size_t sizes[] = {0, 1, 7, 8, 9, 13, 100, 4096, 65535, 65536, 65537, LARGEST_ITEM};
    static uint8_t content[LARGEST_ITEM];
    size_t sizes_step = getenv("MCC_TEST_FEWER") != NULL ? 3 : 1;
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index += sizes_step) {
        for (unsigned kind = 0; kind < 3; kind++) {
            memset(content, kind == 0 ? 0 : 0xff, sizeof content);
            if (kind == 2) {
                /* A head that is right, and sizes that are not. */
                memcpy(content, "MCCITEM\x01\x02", 9);
            }
            secure_t secure;
            put(content, sizes[index]);
            assert_false(pal_is_cid_available());
            open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(dtls));
            expect_full(&secure, dtls);
            secure_end(&secure);
            pal_remove_cid();
            put(content, sizes[index]);
            session_of_tls(fixture, tls, " full ");
        }
    }
    session_of_tls(fixture, tls, " resumed ");
}

/* ---- storage that fails ---- */

/* A record, once more where storage did not let it go. */
static void echo_in_the_end(secure_t *secure)
{
    uint32_t written = 0;
    palStatus_t status = pal_sslWrite(secure->session, secure->configuration, "0123456789", 10, &written);
    if (status == PAL_ERR_GENERIC_FAILURE) {
        status = pal_sslWrite(secure->session, secure->configuration, "0123456789", 10, &written);
    }
    assert_pal(status, PAL_SUCCESS);
    char back[16];
    uint32_t read;
    assert_pal(secure_read(secure, back, sizeof back, &read), PAL_SUCCESS);
    assert_int_equal(read, 10);
}

static void go_through_all(fixture_t *fixture, peer_t *tls, peer_t *dtls)
{
    secure_t secure;
    for (unsigned round = 0; round < 2; round++) {
        open_storing(&secure, fixture, PAL_TLS_MODE, peer_port(tls));
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        echo_in_the_end(&secure);
        secure_end(&secure);
        open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(dtls));
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        echo_in_the_end(&secure);
        pal_store_cid();
        if (round == 0) {
            echo_in_the_end(&secure);
            pal_store_cid();
        }
        secure_end(&secure);
        forget_in_memory();
    }
    open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(dtls));
    assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
    echo_in_the_end(&secure);
    secure_end(&secure);
    pal_remove_cid();
}

static void whichever_call_of_storage_fails_handshakes_and_records_work(void **state)
{
    fixture_t *fixture = *state;
    peer_t *tls = start_resuming_server(fixture, "--cache");
    peer_t *dtls = start_dtls_server(fixture);
    go_through_all(fixture, tls, dtls);
    unsigned calls = storage.calls;
    assert_true(calls > 10);
    unsigned failed = 0;
    unsigned step = getenv("MCC_TEST_FEWER") != NULL ? 9 : 1;
    for (unsigned call = 1; call <= calls; call += step) {
        reset_storage();
        storage.failing = call;
        go_through_all(fixture, tls, dtls);
        failed += storage.calls >= call;
        assert_int_equal(storage.wrong, 0);
        pal_remove_cid();
    }
    assert_int_equal(failed, (calls + step - 1) / step);
    for (unsigned which = 0; which < 2; which++) {
        reset_storage();
        storage.no_storing = which == 0;
        storage.no_deleting = which == 1;
        secure_t secure;
        open_storing(&secure, fixture, PAL_TLS_MODE, peer_port(tls));
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        secure_echo(&secure, 10);
        secure_end(&secure);
        open_storing(&secure, fixture, PAL_DTLS_MODE, peer_port(dtls));
        assert_pal(shake_hands(&secure, false), PAL_SUCCESS);
        secure_echo(&secure, 10);
        secure_end(&secure);
        pal_remove_cid();
    }
    /* No record of all these was one that the server knew already. */
    assert_int_equal(peer_count(dtls, "unauthenticated"), 0);
    assert_int_equal(peer_count(dtls, "failed"), 0);
}

/* ---- fixtures ---- */

static int store_setup(void **state)
{
    reset_storage();
    return pal_tls_setup(state);
}

static int store_teardown(void **state)
{
    storage.failing = 0;
    storage.no_deleting = false;
    storage.before_delete = NULL;
    /* All that a test that failed may have left. */
    while (pal_is_cid_available()) {
        pal_remove_cid();
    }
    bool wrong = storage.wrong != 0;
    return pal_tls_teardown(state) != 0 || wrong ? -1 : 0;
}

int main(int count, char **arguments)
{
    if (count == 4 && strcmp(arguments[1], "--later") == 0) {
        return run_later_process(arguments[2], arguments[3]);
    }
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_stored_context_goes_on_in_the_next_process_and_the_one_after),
        TEST(a_stored_context_is_deleted_when_it_is_loaded),
        TEST(a_stored_context_is_deleted_before_the_next_record_goes_out),
        TEST(records_touch_storage_only_where_a_context_is_stored),
        TEST(what_does_not_want_a_stored_context_leaves_it_there),
        TEST(a_context_of_another_identity_stays_in_storage),
        TEST(no_record_number_is_used_twice_by_two_that_want_one_context),
        TEST(a_context_that_cannot_be_deleted_is_not_used),
        TEST(a_record_waits_until_what_is_stored_can_be_deleted),
        TEST(a_context_is_available_as_long_as_it_can_go_on),
        TEST(tls_sessions_are_resumed_by_id_and_by_ticket),
        TEST(a_tls_session_is_not_resumed_under_another_trust_or_name),
        TEST(tls_and_dtls_lie_in_storage_side_by_side),
        TEST(a_session_that_has_not_changed_is_not_written_again),
        TEST(a_damaged_context_means_a_full_handshake),
        TEST(a_damaged_tls_session_means_a_full_handshake),
        TEST(anything_else_in_storage_means_a_full_handshake),
        TEST(whichever_call_of_storage_fails_handshakes_and_records_work),
    };
#undef TEST
    return run_chosen_tests(tests, count, arguments);
}
