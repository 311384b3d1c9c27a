/* Bad input to the PAL's TLS: what each function says to it, to calls in any order, and to whatever a server sends.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "pal_tls_support.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- statuses: those of abi/pal.json, and errno as it was ---- */

enum { ERRNO_BEFORE = 4711, MAXIMUM_STATUSES = 200 };

static int32_t statuses[MAXIMUM_STATUSES];
static size_t status_count;

static void read_statuses(void)
{
    static char text[1 << 18];
    FILE *file = fopen(MCC_TEST_PAL_JSON, "r");
    assert_non_null(file);
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = 0;
    char *values = strstr(text, "\"palError_t\"");
    assert_non_null(values);
    values = strstr(values, "\"values\"");
    assert_non_null(values);
    char *next = strchr(values, '{');
    char *end = next == NULL ? NULL : strchr(next, '}');
    assert_non_null(end);
    *end = 0;
    while ((next = strchr(next + 1, ':')) != NULL) {
        assert_true(status_count < MAXIMUM_STATUSES);
        statuses[status_count++] = (int32_t)strtol(next + 1, NULL, 10);
    }
    assert_true(status_count > 50);
}

static palStatus_t known_at(palStatus_t status, const char *what, int line)
{
    int after = errno;
    if (status_count == 0) {
        read_statuses();
    }
    bool known = false;
    for (size_t index = 0; index < status_count; index++) {
        known = known || statuses[index] == status;
    }
    if (!known || after != ERRNO_BEFORE) {
        print_error("%s in line %d gave %d and errno %d\n", what, line, status, after);
    }
    assert_true(known);
    assert_int_equal(after, ERRNO_BEFORE);
    return status;
}

/* One of the statuses of the interface, and errno untouched. */
#define KNOWN(call) known_at((errno = ERRNO_BEFORE, (call)), #call, __LINE__)
#define EXPECT(call, expected) assert_pal_at(KNOWN(call), (expected), #call, __FILE__, __LINE__)
/* The same where nothing is returned. */
#define QUIET(call) ((void)known_at((errno = ERRNO_BEFORE, (call), PAL_SUCCESS), #call, __LINE__))

/* Under valgrind one of many. */
static size_t stride(void)
{
    return times(20) == 20 ? 1 : 23;
}

/* ---- random numbers, from a seed that is printed ---- */

static uint64_t random_state;

static void seed(void)
{
    const char *wanted = getenv("MCC_TEST_SEED");
    random_state = wanted != NULL ? strtoull(wanted, NULL, 10) : (uint64_t)time(NULL) * 1000 + milliseconds_now() % 1000;
    print_message("MCC_TEST_SEED=%llu\n", (unsigned long long)random_state);
    random_state = random_state * 2 + 1;
}

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % bound;
}

static void fill_random(uint8_t *bytes, size_t size)
{
    for (size_t index = 0; index < size; index++) {
        bytes[index] = (uint8_t)random_below(256);
    }
}

/* ---- memory that ends ---- */

enum { MEMORY = 1 << 16 };

/* A copy of these bytes, behind the last of which nothing can be read. It lasts until the next one. */
static void *at_the_end(const void *bytes, size_t size)
{
    static uint8_t *end;
    if (end == NULL) {
        uint8_t *pages = mmap(NULL, 2 * MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(pages, MAP_FAILED);
        assert_int_equal(mprotect(pages + MEMORY, MEMORY, PROT_NONE), 0);
        end = pages + MEMORY;
    }
    assert_true(size <= MEMORY);
    return size == 0 ? end : memcpy(end - size, bytes, size);
}

/* ---- what the functions are called with ---- */

typedef struct {
    fixture_t *fixture;
    secure_t secure;
    palTLSHandle_t second_session;
    palTLSConfHandle_t second_configuration;
    palX509_t ca, own;
    palX509CRL_t crl;
    palPrivateKey_t key;
    /* Now and then an argument is bad. */
    bool is_wild;
    uint8_t buffer[600];
} subject_t;

/* Read once: a fixture keeps a copy for each time that it is asked. */
static palTLSBuffer_t file_of(fixture_t *fixture, const char *name)
{
    enum { FILES_READ = 24 };
    static struct {
        char name[32];
        palTLSBuffer_t content;
    } cache[FILES_READ];
    size_t index = 0;
    while (index < FILES_READ && cache[index].name[0] != 0 && strcmp(cache[index].name, name) != 0) {
        index++;
    }
    assert_true(index < FILES_READ);
    if (cache[index].name[0] == 0) {
        size_t size;
        const uint8_t *bytes = read_certificate(fixture, name, &size);
        void *copy = malloc(size);
        assert_non_null(copy);
        cache[index].content = (palTLSBuffer_t){.buffer = memcpy(copy, bytes, size), .size = (uint32_t)size};
        (void)snprintf(cache[index].name, sizeof cache[index].name, "%s", name);
    }
    return cache[index].content;
}

/* As secure_open. */
static void open_secure(secure_t *secure, fixture_t *fixture, palTLSTransportMode_t mode, uint16_t port)
{
    palX509_t ca = file_of(fixture, "ca.der");
    secure_begin(secure, mode, port);
    assert_pal(pal_setCAChain(secure->configuration, &ca, NULL), PAL_SUCCESS);
}

static void read_files(subject_t *subject, fixture_t *fixture)
{
    memset(subject, 0, sizeof *subject);
    subject->fixture = fixture;
    subject->ca = file_of(fixture, "ca.der");
    subject->crl = file_of(fixture, "crl.der");
    subject->own = file_of(fixture, "client.der");
    subject->key = file_of(fixture, "client-key.der");
}

static palTLSHandle_t freed_session;
static palTLSConfHandle_t freed_configuration;

static bool is_bad(const subject_t *subject)
{
    return subject->is_wild && random_below(12) == 0;
}

static palTLSHandle_t session_of(const subject_t *subject)
{
    const palTLSHandle_t bad[] = {0, 1, SIZE_MAX, freed_session, subject->secure.configuration, subject->second_session};
    return is_bad(subject) ? bad[random_below(6)] : subject->secure.session;
}

static palTLSConfHandle_t configuration_of(const subject_t *subject)
{
    const palTLSConfHandle_t bad[] = {0, SIZE_MAX, freed_configuration, subject->secure.session, subject->second_configuration};
    return is_bad(subject) ? bad[random_below(5)] : subject->secure.configuration;
}

/* The buffer, or a bad one. */
static palTLSBuffer_t *buffer_of(subject_t *subject, palTLSBuffer_t *good)
{
    static palTLSBuffer_t changed;
    if (!is_bad(subject)) {
        return good;
    }
    changed = *good;
    switch (random_below(4)) {
    case 0: return NULL;
    case 1: changed.buffer = NULL; break;
    case 2: changed.size = random_below(good->size); break;
    default: changed = subject->key; break;
    }
    return &changed;
}

static int entropy(void *data, unsigned char *output, size_t length, size_t *given)
{
    (void)data;
    memset(output, 7, length);
    *given = length;
    errno = EINTR;
    return 0;
}

/* ---- the functions, each with arguments that are good unless the subject is wild ---- */

static palStatus_t init_library(subject_t *subject)
{
    (void)subject;
    return pal_initTLSLibrary();
}

static palStatus_t cleanup(subject_t *subject)
{
    (void)subject;
    return pal_cleanupTLS();
}

static palStatus_t debugging(subject_t *subject)
{
    (void)subject;
    return pal_sslDebugging(1);
}

static palStatus_t add_entropy(subject_t *subject)
{
    return pal_addEntropySource(is_bad(subject) ? NULL : entropy);
}

static palStatus_t init_configuration(subject_t *subject)
{
    palTLSTransportMode_t mode = is_bad(subject) ? (palTLSTransportMode_t)2 : subject->secure.mode;
    if (subject->secure.configuration == 0) {
        return pal_initTLSConfiguration(&subject->secure.configuration, mode);
    }
    if (subject->second_configuration != 0 && pal_tlsConfigurationFree(&subject->second_configuration) != PAL_SUCCESS) {
        return PAL_SUCCESS; /* a session of it lives */
    }
    return pal_initTLSConfiguration(is_bad(subject) ? NULL : &subject->second_configuration, mode);
}

static palStatus_t free_configuration(subject_t *subject)
{
    palTLSConfHandle_t before = subject->secure.configuration, copy = configuration_of(subject);
    bool is_first = copy == before;
    palStatus_t status = pal_tlsConfigurationFree(is_first ? &subject->secure.configuration : &copy);
    if (status == PAL_SUCCESS && is_first) {
        freed_configuration = before;
    } else if (status == PAL_SUCCESS) {
        subject->second_configuration = 0;
    }
    return status;
}

static palStatus_t init_session(subject_t *subject)
{
    palTLSHandle_t *handle = subject->secure.session == 0 ? &subject->secure.session : &subject->second_session;
    if (*handle != 0) {
        (void)pal_freeTLS(handle);
    }
    return pal_initTLS(configuration_of(subject), is_bad(subject) ? NULL : handle, subject->is_wild && random_below(2) == 0);
}

static palStatus_t free_session(subject_t *subject)
{
    palTLSHandle_t before = subject->secure.session, copy = session_of(subject);
    bool is_first = copy == before;
    palStatus_t status = pal_freeTLS(is_first ? &subject->secure.session : &copy);
    if (status == PAL_SUCCESS && is_first) {
        freed_session = before;
    } else if (status == PAL_SUCCESS) {
        subject->second_session = 0;
    }
    return status;
}

static palStatus_t hand_shake(subject_t *subject)
{
    return pal_handShake(session_of(subject), configuration_of(subject), subject->is_wild && random_below(2) == 0);
}

static palStatus_t read_some(subject_t *subject)
{
    uint32_t size = 77;
    uint32_t room = subject->is_wild ? random_below(sizeof subject->buffer) : sizeof subject->buffer;
    return pal_sslRead(session_of(subject), is_bad(subject) ? NULL : subject->buffer, room, is_bad(subject) ? NULL : &size);
}

static palStatus_t write_some(subject_t *subject)
{
    uint32_t written = 77;
    uint32_t size = subject->is_wild ? random_below(sizeof subject->buffer) : 10;
    return pal_sslWrite(session_of(subject), configuration_of(subject), is_bad(subject) ? NULL : subject->buffer, size,
                        is_bad(subject) ? NULL : &written);
}

static palStatus_t set_timeout(subject_t *subject)
{
    return pal_setHandShakeTimeOut(configuration_of(subject), is_bad(subject) ? 0 : 1000, 8000);
}

static palStatus_t set_ca(subject_t *subject)
{
    palX509CRL_t *crl = subject->is_wild && random_below(2) == 0 ? NULL : buffer_of(subject, &subject->crl);
    palX509CRL_t copy = crl == NULL ? (palX509CRL_t){0} : *crl;
    return pal_setCAChain(configuration_of(subject), buffer_of(subject, &subject->ca), crl == NULL ? NULL : &copy);
}

static palStatus_t init_key(subject_t *subject)
{
    palPrivateKey_t key;
    const void *buffer = subject->key.buffer;
    size_t size = subject->key.size;
    return pal_initPrivateKey(is_bad(subject) ? NULL : buffer, is_bad(subject) ? SIZE_MAX : size, is_bad(subject) ? NULL : &key);
}

static palStatus_t set_key(subject_t *subject)
{
    return pal_setOwnPrivateKey(configuration_of(subject), buffer_of(subject, &subject->key));
}

static palStatus_t set_own(subject_t *subject)
{
    return pal_setOwnCertChain(configuration_of(subject), buffer_of(subject, &subject->own));
}

static palStatus_t set_psk(subject_t *subject)
{
    static const unsigned char identity[129] = "device", key[33] = {1, 2, 3};
    return pal_setPSK(configuration_of(subject), is_bad(subject) ? NULL : identity, is_bad(subject) ? 129 : 6,
                      is_bad(subject) ? NULL : key, is_bad(subject) ? 33 : 16);
}

static palStatus_t set_socket(subject_t *subject)
{
    palTLSSocket_t socket = {.socket = subject->secure.socket,
                             .socketAddress = &subject->secure.address,
                             .addressLength = ADDRESS_SIZE,
                             .transportationMode = subject->secure.mode};
    if (is_bad(subject)) {
        socket.socket = (palSocket_t)(intptr_t)random_below(5);
    }
    if (is_bad(subject)) {
        socket.addressLength = random_below(20);
    }
    return pal_tlsSetSocket(configuration_of(subject), is_bad(subject) ? NULL : &socket);
}

static palStatus_t set_callback(subject_t *subject)
{
    pal_setDTLSSocketCallback(configuration_of(subject), is_bad(subject) ? NULL : count_call, &subject->secure.calls);
    return PAL_SUCCESS;
}

static palStatus_t verify_result(subject_t *subject)
{
    int32_t result = 77;
    palStatus_t status = pal_sslGetVerifyResultExtended(session_of(subject), is_bad(subject) ? NULL : &result);
    assert_true(status != PAL_SUCCESS || result == 0);
    return status;
}

static palStatus_t enable_storing(subject_t *subject)
{
    pal_enableSslSessionStoring(configuration_of(subject), !subject->is_wild || random_below(2) == 0);
    return PAL_SUCCESS;
}

static palStatus_t set_debugging(subject_t *subject)
{
    return pal_sslSetDebugging(configuration_of(subject), (uint8_t)(subject->is_wild ? random_below(256) : 1));
}

static palStatus_t store_cid(subject_t *subject)
{
    (void)subject;
    pal_store_cid();
    return PAL_SUCCESS;
}

static palStatus_t remove_cid(subject_t *subject)
{
    (void)subject;
    pal_remove_cid();
    return PAL_SUCCESS;
}

static palStatus_t has_cid(subject_t *subject)
{
    (void)subject;
    (void)pal_is_cid_available();
    return PAL_SUCCESS;
}

static palStatus_t set_cid(subject_t *subject)
{
    static const uint8_t id[40] = {1, 2, 3};
    pal_set_cid_value(session_of(subject), configuration_of(subject), is_bad(subject) ? NULL : id,
                      subject->is_wild ? random_below(sizeof id) : 8);
    return PAL_SUCCESS;
}

static palStatus_t print_cid(subject_t *subject)
{
    pal_print_cid(session_of(subject));
    return PAL_SUCCESS;
}

static palStatus_t set_name(subject_t *subject)
{
    return mcc_pal_set_server_name(configuration_of(subject), is_bad(subject) ? "" : "localhost");
}

static const struct {
    const char *name;
    palStatus_t (*run)(subject_t *subject);
    /* Is of a configuration, of a session. */
    bool of_configuration, of_session;
} functions[] = {
    {"pal_initTLSLibrary", init_library, false, false},
    {"pal_cleanupTLS", cleanup, false, false},
    {"pal_sslDebugging", debugging, false, false},
    {"pal_addEntropySource", add_entropy, false, false},
    {"pal_initTLSConfiguration", init_configuration, false, false},
    {"pal_tlsConfigurationFree", free_configuration, true, false},
    {"pal_initTLS", init_session, true, false},
    {"pal_freeTLS", free_session, false, true},
    {"pal_handShake", hand_shake, true, true},
    {"pal_sslRead", read_some, false, true},
    {"pal_sslWrite", write_some, true, true},
    {"pal_setHandShakeTimeOut", set_timeout, true, false},
    {"pal_setCAChain", set_ca, true, false},
    {"pal_initPrivateKey", init_key, false, false},
    {"pal_setOwnPrivateKey", set_key, true, false},
    {"pal_setOwnCertChain", set_own, true, false},
    {"pal_setPSK", set_psk, true, false},
    {"pal_tlsSetSocket", set_socket, true, false},
    {"pal_setDTLSSocketCallback", set_callback, false, false},
    {"pal_sslGetVerifyResultExtended", verify_result, false, true},
    {"pal_enableSslSessionStoring", enable_storing, false, false},
    {"pal_sslSetDebugging", set_debugging, true, false},
    {"pal_store_cid", store_cid, false, false},
    {"pal_remove_cid", remove_cid, false, false},
    {"pal_is_cid_available", has_cid, false, false},
    {"pal_set_cid_value", set_cid, false, false},
    {"pal_print_cid", print_cid, false, false},
    {"mcc_pal_set_server_name", set_name, true, false},
};
enum { FUNCTIONS = sizeof functions / sizeof functions[0] };

static palStatus_t run(subject_t *subject, size_t function)
{
    errno = ERRNO_BEFORE;
    return known_at(functions[function].run(subject), functions[function].name, __LINE__);
}

/* Frees what there is of it but the socket. */
static void free_handles(subject_t *subject)
{
    palTLSHandle_t *sessions[] = {&subject->secure.session, &subject->second_session};
    for (size_t index = 0; index < 2; index++) {
        if (*sessions[index] != 0) {
            EXPECT(pal_freeTLS(sessions[index]), PAL_SUCCESS);
        }
        assert_int_equal(*sessions[index], 0);
    }
    palTLSConfHandle_t *configurations[] = {&subject->secure.configuration, &subject->second_configuration};
    for (size_t index = 0; index < 2; index++) {
        if (*configurations[index] != 0) {
            EXPECT(pal_tlsConfigurationFree(configurations[index]), PAL_SUCCESS);
        }
        assert_int_equal(*configurations[index], 0);
    }
}

/* A subject with a socket to nobody who answers, and nothing set. */
static palSocket_t open_with_nobody(subject_t *subject, fixture_t *fixture, palTLSTransportMode_t mode, pair_t *pair)
{
    read_files(subject, fixture);
    calls_begin(&subject->secure.calls);
    subject->secure.mode = mode;
    if (mode == PAL_TLS_MODE) {
        connect_pair(pair, PAL_AF_INET);
        subject->secure.socket = pair->client;
        subject->secure.address = loopback(PAL_AF_INET, port_of(pair->server));
        return pair->server;
    }
    uint16_t port, own;
    palSocket_t nobody = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &subject->secure.calls, &port);
    subject->secure.socket = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &subject->secure.calls, &own);
    subject->secure.address = loopback(PAL_AF_INET, port);
    return nobody;
}

static void close_with_nobody(subject_t *subject, pair_t *pair, palSocket_t nobody)
{
    free_handles(subject);
    if (subject->secure.mode == PAL_TLS_MODE) {
        close_pair(pair);
    } else {
        close_socket(&nobody);
        close_socket(&subject->secure.socket);
    }
    calls_end(&subject->secure.calls);
}

/* ---- null and handles that are none ---- */

static void null_is_told_and_nothing_is_written(void **state)
{
    subject_t subject;
    pair_t pair;
    palSocket_t nobody = open_with_nobody(&subject, *state, PAL_TLS_MODE, &pair);
    assert_pal(pal_initTLSConfiguration(&subject.secure.configuration, PAL_TLS_MODE), PAL_SUCCESS);
    assert_pal(pal_initTLS(subject.secure.configuration, &subject.secure.session, false), PAL_SUCCESS);
    const palTLSConfHandle_t configurations[] = {subject.secure.configuration, 0, SIZE_MAX};
    const palTLSHandle_t sessions[] = {subject.secure.session, 0, SIZE_MAX};
    uint8_t bytes[8] = {1, 2, 3};
    uint32_t size = 77;
    palTLSBuffer_t no_buffer = {NULL, 5}, no_size = {bytes, 0}, nothing = {NULL, 0};
    palTLSBuffer_t *const empty[] = {NULL, &no_buffer, &no_size, &nothing};
    for (size_t index = 0; index < 3; index++) {
        palTLSConfHandle_t configuration = configurations[index];
        palTLSHandle_t session = sessions[index];
        EXPECT(pal_initTLS(configuration, NULL, false), PAL_ERR_INVALID_ARGUMENT);
        EXPECT(pal_tlsSetSocket(configuration, NULL), PAL_ERR_INVALID_ARGUMENT);
        for (size_t which = 0; which < 4; which++) {
            EXPECT(pal_setCAChain(configuration, empty[which], NULL), PAL_ERR_INVALID_ARGUMENT);
            EXPECT(pal_setCAChain(configuration, empty[which], &subject.crl), PAL_ERR_INVALID_ARGUMENT);
            if (empty[which] != NULL) {
                EXPECT(pal_setCAChain(configuration, &subject.ca, empty[which]), PAL_ERR_INVALID_ARGUMENT);
            }
            EXPECT(pal_setOwnPrivateKey(configuration, empty[which]), PAL_ERR_INVALID_ARGUMENT);
            EXPECT(pal_setOwnCertChain(configuration, empty[which]), PAL_ERR_INVALID_ARGUMENT);
        }
        for (uint32_t length = 0; length < 3; length++) {
            EXPECT(pal_setPSK(configuration, NULL, length, bytes, 3), PAL_ERR_INVALID_ARGUMENT);
            EXPECT(pal_setPSK(configuration, bytes, 3, NULL, length), PAL_ERR_INVALID_ARGUMENT);
            EXPECT(pal_sslRead(session, NULL, length, &size), PAL_ERR_INVALID_ARGUMENT);
            EXPECT(pal_sslRead(session, bytes, length, NULL), PAL_ERR_INVALID_ARGUMENT);
            EXPECT(pal_sslWrite(session, configuration, NULL, length, &size), PAL_ERR_INVALID_ARGUMENT);
            EXPECT(pal_sslWrite(session, configuration, bytes, length, NULL), PAL_ERR_INVALID_ARGUMENT);
            QUIET(pal_set_cid_value(session, configuration, NULL, length));
        }
        EXPECT(pal_sslGetVerifyResultExtended(session, NULL), PAL_ERR_INVALID_ARGUMENT);
        QUIET(pal_set_cid_value(session, configuration, NULL, SIZE_MAX));
        QUIET(pal_setDTLSSocketCallback(configuration, NULL, NULL));
    }
    assert_int_equal(size, 77);
    EXPECT(pal_initTLSConfiguration(NULL, PAL_TLS_MODE), PAL_ERR_INVALID_ARGUMENT);
    EXPECT(pal_initTLSConfiguration(NULL, (palTLSTransportMode_t)2), PAL_ERR_INVALID_ARGUMENT);
    EXPECT(pal_tlsConfigurationFree(NULL), PAL_ERR_INVALID_ARGUMENT);
    EXPECT(pal_freeTLS(NULL), PAL_ERR_INVALID_ARGUMENT);
    EXPECT(pal_addEntropySource(NULL), PAL_ERR_INVALID_ARGUMENT);
    palPrivateKey_t key = {.buffer = &key, .size = 9};
    EXPECT(pal_initPrivateKey(NULL, 5, &key), PAL_ERR_INVALID_ARGUMENT);
    EXPECT(pal_initPrivateKey(bytes, 5, NULL), PAL_ERR_INVALID_ARGUMENT);
    EXPECT(pal_initPrivateKey(bytes, SIZE_MAX, &key), PAL_ERR_INVALID_ARGUMENT);
#if SIZE_MAX > UINT32_MAX
    EXPECT(pal_initPrivateKey(bytes, (size_t)UINT32_MAX + 1, &key), PAL_ERR_INVALID_ARGUMENT);
#endif
    assert_ptr_equal(key.buffer, &key);
    assert_int_equal(key.size, 9);
    /* No name is a name that is taken back. */
    EXPECT(mcc_pal_set_server_name(subject.secure.configuration, NULL), PAL_SUCCESS);
    close_with_nobody(&subject, &pair, nobody);
}

/* Every function says that a handle of its kind is none; those without a result do nothing. */
static void expect_no_handle(subject_t *subject, palTLSConfHandle_t configuration, palTLSHandle_t session)
{
    subject_t bad = *subject;
    for (size_t function = 0; function < FUNCTIONS; function++) {
        bad.secure.configuration = functions[function].of_configuration ? configuration : 0;
        bad.secure.session = session;
        bool refused = functions[function].of_configuration || functions[function].of_session;
        if (functions[function].run != init_configuration && functions[function].run != init_session) {
            palStatus_t status = run(&bad, function);
            assert_true(!refused || status == PAL_ERR_INVALID_ARGUMENT);
        }
        /* The caller's variables stay as they were. */
        assert_int_equal(bad.secure.session, session);
        /* A good one of the other kind does not make up for it. */
        if (functions[function].of_configuration && functions[function].of_session) {
            bad.secure.configuration = subject->secure.configuration;
            assert_pal(run(&bad, function), PAL_ERR_INVALID_ARGUMENT);
            bad.secure.configuration = configuration;
            bad.secure.session = subject->secure.session;
            assert_pal(run(&bad, function), PAL_ERR_INVALID_ARGUMENT);
        }
    }
    palTLSHandle_t made = 77;
    EXPECT(pal_initTLS(configuration, &made, false), PAL_ERR_INVALID_ARGUMENT);
    assert_int_equal(made, 77);
}

static void zero_freed_and_foreign_handles_are_told_by_every_function(void **state)
{
    const palTLSTransportMode_t modes[] = {PAL_TLS_MODE, PAL_DTLS_MODE};
    for (size_t index = 0; index < 2; index++) {
        subject_t subject;
        pair_t pair;
        palSocket_t nobody = open_with_nobody(&subject, *state, modes[index], &pair);
        secure_t *secure = &subject.secure;
        palTLSConfHandle_t other_configuration = 0, freed = 0;
        palTLSHandle_t other_session = 0, freed_handle = 0;
        assert_pal(pal_initTLSConfiguration(&secure->configuration, modes[index]), PAL_SUCCESS);
        assert_pal(pal_initTLS(secure->configuration, &secure->session, false), PAL_SUCCESS);
        assert_pal(pal_initTLSConfiguration(&other_configuration, modes[index]), PAL_SUCCESS);
        assert_pal(pal_initTLS(other_configuration, &other_session, false), PAL_SUCCESS);

        expect_no_handle(&subject, 0, 0);
        expect_no_handle(&subject, SIZE_MAX, SIZE_MAX);
        expect_no_handle(&subject, secure->session, secure->configuration);
        expect_no_handle(&subject, (uintptr_t)&subject, (uintptr_t)&subject);

        /* Those of two configurations do not go together. */
        uint32_t size = 77;
        EXPECT(pal_handShake(secure->session, other_configuration, false), PAL_ERR_INVALID_ARGUMENT);
        EXPECT(pal_handShake(other_session, secure->configuration, false), PAL_ERR_INVALID_ARGUMENT);
        EXPECT(pal_sslWrite(other_session, secure->configuration, "x", 1, &size), PAL_ERR_INVALID_ARGUMENT);
        QUIET(pal_set_cid_value(other_session, secure->configuration, (const uint8_t *)"x", 1));

        /* Not while a handle of it lives. */
        palTLSConfHandle_t copy = other_configuration;
        EXPECT(pal_tlsConfigurationFree(&copy), PAL_ERR_INVALID_ARGUMENT);
        assert_int_equal(copy, other_configuration);
        palTLSHandle_t third = 0;
        EXPECT(pal_initTLS(other_configuration, &third, true), PAL_SUCCESS);
        freed_handle = other_session;
        EXPECT(pal_freeTLS(&other_session), PAL_SUCCESS);
        assert_int_equal(other_session, 0);
        EXPECT(pal_tlsConfigurationFree(&copy), PAL_ERR_INVALID_ARGUMENT);
        EXPECT(pal_freeTLS(&third), PAL_SUCCESS);
        freed = copy;
        EXPECT(pal_tlsConfigurationFree(&copy), PAL_SUCCESS);
        assert_int_equal(copy, 0);

        /* Twice. */
        expect_no_handle(&subject, freed, freed_handle);
        EXPECT(pal_freeTLS(&other_session), PAL_ERR_INVALID_ARGUMENT);
        EXPECT(pal_tlsConfigurationFree(&copy), PAL_ERR_INVALID_ARGUMENT);
        /* A new one has neither's number. */
        palTLSConfHandle_t new_configuration = 0;
        palTLSHandle_t new_session = 0;
        EXPECT(pal_initTLSConfiguration(&new_configuration, modes[index]), PAL_SUCCESS);
        EXPECT(pal_initTLS(new_configuration, &new_session, false), PAL_SUCCESS);
        assert_int_not_equal(new_configuration, freed);
        assert_int_not_equal(new_session, freed_handle);
        EXPECT(pal_freeTLS(&new_session), PAL_SUCCESS);
        EXPECT(pal_tlsConfigurationFree(&new_configuration), PAL_SUCCESS);
        close_with_nobody(&subject, &pair, nobody);
    }
}

static void modes_that_cannot_be_are_told(void **state)
{
    (void)state;
    static const unsigned modes[] = {2, 3, 255, 256, 0x80000000, UINT32_MAX};
    for (size_t index = 0; index < sizeof modes / sizeof modes[0]; index++) {
        palTLSConfHandle_t configuration = 77;
        EXPECT(pal_initTLSConfiguration(&configuration, (palTLSTransportMode_t)modes[index]), PAL_ERR_INVALID_ARGUMENT);
        assert_int_equal(configuration, 77);
    }
}

/* ---- orders of calls ---- */

static void drain(palSocket_t socket)
{
    uint8_t bytes[4096];
    size_t size;
    while (pal_recv(socket, bytes, sizeof bytes, &size) == PAL_SUCCESS) {
    }
}

static void any_two_calls_in_any_order_have_their_status(void **state)
{
    const palTLSTransportMode_t modes[] = {PAL_TLS_MODE, PAL_DTLS_MODE};
    for (size_t index = 0; index < 2; index++) {
        subject_t subject;
        pair_t pair;
        palSocket_t nobody = open_with_nobody(&subject, *state, modes[index], &pair);
        for (size_t start = 0; start < 3; start++) {
            for (size_t both = random_below((uint32_t)stride()); both < FUNCTIONS * FUNCTIONS; both += stride()) {
                assert_pal(init_configuration(&subject), PAL_SUCCESS);
                assert_pal(init_session(&subject), PAL_SUCCESS);
                if (start > 0) {
                    assert_pal(set_socket(&subject), PAL_SUCCESS);
                    assert_pal(set_ca(&subject), PAL_SUCCESS);
                }
                if (start > 1) {
                    assert_pal(hand_shake(&subject), PAL_ERR_TLS_WANT_READ);
                }
                (void)run(&subject, both / FUNCTIONS);
                (void)run(&subject, both % FUNCTIONS);
                free_handles(&subject);
                drain(nobody);
            }
        }
        close_with_nobody(&subject, &pair, nobody);
    }
}

/* Goes on at a callback, or when the time is over: what is done next is random anyway. */
static void wait_a_little(calls_t *calls, unsigned seen)
{
    for (int round = 0; round < 20 && calls_so_far(calls) == seen; round++) {
        sleep_ms(1);
    }
}

static void random_calls(subject_t *subject, unsigned count)
{
    for (unsigned call = 0; call < count; call++) {
        size_t function = random_below(FUNCTIONS);
        unsigned seen = calls_so_far(&subject->secure.calls);
        palStatus_t status = run(subject, function);
        /* A handshake gets further by several calls. */
        for (int again = 0; again < 5 && functions[function].run == hand_shake && status == PAL_ERR_TLS_WANT_READ; again++) {
            wait_a_little(&subject->secure.calls, seen);
            seen = calls_so_far(&subject->secure.calls);
            status = run(subject, function);
        }
    }
}

static void random_calls_have_their_status_and_the_server_is_still_usable(void **state)
{
    fixture_t *fixture = *state;
    seed();
    const palTLSTransportMode_t modes[] = {PAL_TLS_MODE, PAL_DTLS_MODE};
    for (size_t index = 0; index < 2; index++) {
        peer_t *peer = modes[index] == PAL_TLS_MODE ? start_tls_server(fixture) : start_dtls_server(fixture);
        subject_t subject;
        read_files(&subject, fixture);
        subject.is_wild = true;
        for (unsigned sequence = 0; sequence < times(100); sequence++) {
            secure_t *secure = &subject.secure;
            secure_begin(secure, modes[index], peer_port(peer));
            if (sequence % 4 != 0) {
                assert_pal(pal_setCAChain(secure->configuration, &subject.ca, NULL), PAL_SUCCESS);
            }
            if (sequence % 4 > 1) {
                pal_enableSslSessionStoring(secure->configuration, sequence % 4 == 3);
                assert_pal(shake_hands(secure, true), PAL_SUCCESS);
            }
            random_calls(&subject, 60);
            if (random_below(2) == 0) {
                close_socket(&secure->socket);
                random_calls(&subject, 10);
            }
            free_handles(&subject);
            if (secure->socket != CLOSED_SOCKET) {
                close_socket(&secure->socket);
            }
            calls_end(&secure->calls);
        }
        secure_t last;
        open_secure(&last, fixture, modes[index], peer_port(peer));
        assert_pal(shake_hands(&last, true), PAL_SUCCESS);
        secure_echo(&last, 100);
        secure_end(&last);
    }
}

/* ---- before the layer is made ready, and after its end ---- */

static void without_the_layer_there_is_no_socket_and_all_else_works(void **state)
{
    subject_t subject;
    read_files(&subject, *state);
    const palTLSTransportMode_t modes[] = {PAL_DTLS_MODE, PAL_TLS_MODE};
    for (size_t index = 0; index < 2; index++) {
        subject.secure.mode = modes[index];
        subject.secure.socket = (palSocket_t)(intptr_t)9;
        subject.secure.address = loopback(PAL_AF_INET, 9);
        calls_begin(&subject.secure.calls);
        EXPECT(init_configuration(&subject), PAL_SUCCESS);
        EXPECT(init_session(&subject), PAL_SUCCESS);
        EXPECT(set_socket(&subject), PAL_ERR_SOCKET_INVALID_VALUE);
        EXPECT(hand_shake(&subject), PAL_ERR_TLS_BAD_INPUT_DATA);
        EXPECT(read_some(&subject), PAL_ERR_TLS_BAD_INPUT_DATA);
        EXPECT(write_some(&subject), PAL_ERR_TLS_BAD_INPUT_DATA);
        for (size_t function = 0; function < FUNCTIONS; function++) {
            if (functions[function].run != init_library && functions[function].run != free_session) {
                (void)run(&subject, function);
            }
        }
        EXPECT(set_ca(&subject), PAL_SUCCESS);
        EXPECT(set_own(&subject), PAL_SUCCESS);
        EXPECT(set_key(&subject), PAL_SUCCESS);
        EXPECT(set_timeout(&subject), PAL_SUCCESS);
        EXPECT(free_session(&subject), PAL_SUCCESS);
        free_handles(&subject);
        calls_end(&subject.secure.calls);
    }
    EXPECT(pal_cleanupTLS(), PAL_SUCCESS);
}

/* As shake_hands, without callbacks. */
static palStatus_t shake_hands_by_polling(secure_t *secure)
{
    uint64_t until = milliseconds_now() + SOON_MS;
    palStatus_t status;
    while ((status = KNOWN(pal_handShake(secure->session, secure->configuration, false))) == PAL_ERR_TLS_WANT_READ) {
        struct pollfd poller = {.fd = descriptor_of(secure->socket), .events = POLLIN};
        assert_true(milliseconds_now() < until);
        (void)poll(&poller, 1, 100);
    }
    return status;
}

static void after_the_end_of_both_layers_a_session_goes_on_without_callbacks(void **state)
{
    fixture_t *fixture = *state;
    const palTLSTransportMode_t modes[] = {PAL_TLS_MODE, PAL_DTLS_MODE};
    for (size_t index = 0; index < 2; index++) {
        peer_t *peer = modes[index] == PAL_TLS_MODE ? start_tls_server(fixture) : start_dtls_server(fixture);
        secure_t secure;
        open_secure(&secure, fixture, modes[index], peer_port(peer));
        EXPECT(pal_cleanupTLS(), PAL_SUCCESS);
        EXPECT(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
        unsigned calls = calls_so_far(&secure.calls);
        assert_pal(shake_hands_by_polling(&secure), PAL_SUCCESS);
        uint32_t size = 77;
        uint8_t bytes[16];
        EXPECT(pal_sslWrite(secure.session, secure.configuration, "hello", 5, &size), PAL_SUCCESS);
        uint64_t until = milliseconds_now() + SOON_MS;
        palStatus_t status;
        while ((status = KNOWN(pal_sslRead(secure.session, bytes, sizeof bytes, &size))) == PAL_ERR_TLS_WANT_READ) {
            struct pollfd poller = {.fd = descriptor_of(secure.socket), .events = POLLIN};
            assert_true(milliseconds_now() < until);
            (void)poll(&poller, 1, 100);
        }
        assert_pal(status, PAL_SUCCESS);
        assert_int_equal(size, 5);
        assert_int_equal(calls_so_far(&secure.calls), calls);
        secure_end(&secure);
        EXPECT(pal_plat_socketsInit(NULL), PAL_SUCCESS);
        EXPECT(pal_initTLSLibrary(), PAL_SUCCESS);
    }
}

/* ---- certificates and keys ---- */

typedef enum { AS_CA, AS_CRL, AS_OWN, AS_KEY } use_t;

/* Gives these bytes to a fresh configuration; true: they were taken. */
static bool is_taken(const subject_t *subject, use_t use, const void *bytes, size_t size)
{
    palTLSBuffer_t given = {.buffer = at_the_end(bytes, size), .size = (uint32_t)size};
    palTLSBuffer_t ca = subject->ca;
    palTLSConfHandle_t configuration = 0;
    assert_pal(pal_initTLSConfiguration(&configuration, PAL_TLS_MODE), PAL_SUCCESS);
    palStatus_t status = PAL_SUCCESS, refusal = PAL_ERR_TLS_FAILED_TO_PARSE_CERT;
    switch (use) {
    case AS_CA: status = KNOWN(pal_setCAChain(configuration, &given, NULL)); break;
    case AS_CRL: status = KNOWN(pal_setCAChain(configuration, &ca, &given)); break;
    case AS_OWN: status = KNOWN(pal_setOwnCertChain(configuration, &given)); break;
    case AS_KEY:
        status = KNOWN(pal_setOwnPrivateKey(configuration, &given));
        refusal = PAL_ERR_TLS_FAILED_TO_PARSE_KEY;
        break;
    }
    assert_pal(pal_tlsConfigurationFree(&configuration), PAL_SUCCESS);
    if (status != PAL_SUCCESS) {
        assert_pal(status, size == 0 ? PAL_ERR_INVALID_ARGUMENT : refusal);
    }
    return status == PAL_SUCCESS;
}

static const struct {
    const char *name;
    use_t use;
    bool is_pem;
} files[] = {
    {"ca.der", AS_CA, false},           {"crl.der", AS_CRL, false},
    {"client.der", AS_OWN, false},      {"client-key.der", AS_KEY, false},
    {"client-key-sec1.der", AS_KEY, false},
    {"ca.pem", AS_CA, true},            {"crl.pem", AS_CRL, true},
    {"client.pem", AS_OWN, true},       {"client.key", AS_KEY, true},
};
enum { FILES = sizeof files / sizeof files[0] };

static void files_that_are_cut_anywhere_are_refused(void **state)
{
    subject_t subject;
    read_files(&subject, *state);
    for (size_t index = 0; index < FILES; index++) {
        palTLSBuffer_t whole = file_of(*state, files[index].name);
        const char *bytes = whole.buffer;
        size_t complete = whole.size;
        /* What is behind the last line's end of PEM may be missing. */
        while (files[index].is_pem && bytes[complete - 1] != '-') {
            complete--;
        }
        for (size_t size = 0; size <= whole.size; size += size + stride() < complete ? stride() : 1) {
            bool taken = is_taken(&subject, files[index].use, bytes, size);
            if (taken != (size >= complete)) {
                print_error("%s cut at %zu of %u\n", files[index].name, size, whole.size);
            }
            assert_int_equal(taken, size >= complete);
        }
    }
}

static void files_with_any_byte_changed_have_their_status(void **state)
{
    seed();
    subject_t subject;
    read_files(&subject, *state);
    for (size_t index = 0; index < FILES; index++) {
        palTLSBuffer_t whole = file_of(*state, files[index].name);
        uint8_t *bytes = malloc(whole.size);
        assert_non_null(bytes);
        size_t refused = 0;
        for (size_t place = 0; place < whole.size; place += stride()) {
            const uint8_t changes[] = {1, 0x80, 0xff, (uint8_t)(1 + random_below(255))};
            for (size_t change = 0; change < sizeof changes; change++) {
                memcpy(bytes, whole.buffer, whole.size);
                bytes[place] ^= changes[change];
                refused += !is_taken(&subject, files[index].use, bytes, whole.size);
            }
        }
        assert_true(refused > 0);
        free(bytes);
    }
}

static void no_random_bytes_are_taken(void **state)
{
    seed();
    subject_t subject;
    read_files(&subject, *state);
    uint8_t bytes[2000];
    for (unsigned round = 0; round < times(2000); round++) {
        size_t size = 1 + random_below(sizeof bytes);
        fill_random(bytes, size);
        /* One of two begins as DER does. */
        if (round % 2 == 0 && size >= 4) {
            memcpy(bytes, (const uint8_t[]){0x30, 0x82, (uint8_t)((size - 4) >> 8), (uint8_t)(size - 4)}, 4);
        }
        assert_false(is_taken(&subject, (use_t)(round / 2 % 4), bytes, size));
    }
}

static void what_is_refused_leaves_what_was_set(void **state)
{
    subject_t subject;
    pair_t pair;
    palSocket_t nobody = open_with_nobody(&subject, *state, PAL_TLS_MODE, &pair);
    assert_pal(init_configuration(&subject), PAL_SUCCESS);
    assert_pal(init_session(&subject), PAL_SUCCESS);
    assert_pal(set_socket(&subject), PAL_SUCCESS);
    assert_pal(set_own(&subject), PAL_SUCCESS);
    assert_pal(set_key(&subject), PAL_SUCCESS);
    palTLSBuffer_t garbage = {.buffer = "garbage", .size = 7};
    palTLSConfHandle_t configuration = subject.secure.configuration;
    EXPECT(pal_setOwnCertChain(configuration, &garbage), PAL_ERR_TLS_FAILED_TO_PARSE_CERT);
    EXPECT(pal_setOwnPrivateKey(configuration, &garbage), PAL_ERR_TLS_FAILED_TO_PARSE_KEY);
    EXPECT(pal_setCAChain(configuration, &garbage, NULL), PAL_ERR_TLS_FAILED_TO_PARSE_CERT);
    EXPECT(pal_setCAChain(configuration, &subject.ca, &garbage), PAL_ERR_TLS_FAILED_TO_PARSE_CERT);
    EXPECT(hand_shake(&subject), PAL_ERR_TLS_WANT_READ);
    close_with_nobody(&subject, &pair, nobody);
}

static void keys_and_certificates_that_do_not_go_together_fail_the_handshake(void **state)
{
    fixture_t *fixture = *state;
    static const struct {
        const char *certificates[2];
        const char *key;
        palStatus_t expected;
    } cases[] = {
        {{"client.der"}, "client-key-sec1.der", PAL_ERR_TLS_WANT_READ},
        {{"client.der"}, NULL, PAL_ERR_TLS_FAILED_TO_SET_CERT},
        {{NULL}, "client-key.der", PAL_ERR_TLS_FAILED_TO_SET_CERT},
        {{"client.der"}, "deep-client-key.der", PAL_ERR_TLS_FAILED_TO_SET_CERT},
        {{"client.der"}, "client-p384-key.der", PAL_ERR_TLS_FAILED_TO_SET_CERT},
        {{"client-p384.der"}, "client-key.der", PAL_ERR_TLS_FAILED_TO_SET_CERT},
        {{"client-p384.der"}, "client-p384-key.der", PAL_ERR_TLS_WANT_READ},
        /* The own one has to come first. */
        {{"ca.der", "client.der"}, "client-key.der", PAL_ERR_TLS_FAILED_TO_SET_CERT},
    };
    for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
        subject_t subject;
        pair_t pair;
        palSocket_t nobody = open_with_nobody(&subject, fixture, index % 2 == 0 ? PAL_TLS_MODE : PAL_DTLS_MODE, &pair);
        assert_pal(init_configuration(&subject), PAL_SUCCESS);
        assert_pal(init_session(&subject), PAL_SUCCESS);
        assert_pal(set_socket(&subject), PAL_SUCCESS);
        for (size_t which = 0; which < 2; which++) {
            if (cases[index].certificates[which] != NULL) {
                palX509_t certificate = file_of(fixture, cases[index].certificates[which]);
                EXPECT(pal_setOwnCertChain(subject.secure.configuration, &certificate), PAL_SUCCESS);
            }
        }
        if (cases[index].key != NULL) {
            palPrivateKey_t key = file_of(fixture, cases[index].key);
            EXPECT(pal_setOwnPrivateKey(subject.secure.configuration, &key), PAL_SUCCESS);
        }
        EXPECT(hand_shake(&subject), cases[index].expected);
        EXPECT(hand_shake(&subject), cases[index].expected);
        if (cases[index].expected == PAL_ERR_TLS_FAILED_TO_SET_CERT && cases[index].key == NULL) {
            /* Nothing was sent: what is missing can still be set. */
            EXPECT(set_key(&subject), PAL_SUCCESS);
            EXPECT(hand_shake(&subject), PAL_ERR_TLS_WANT_READ);
        }
        close_with_nobody(&subject, &pair, nobody);
    }
    /* A certificate is no key, nor the other way round; and a password is asked for nowhere. */
    subject_t subject;
    read_files(&subject, fixture);
    assert_false(is_taken(&subject, AS_KEY, subject.own.buffer, subject.own.size));
    assert_false(is_taken(&subject, AS_OWN, subject.key.buffer, subject.key.size));
    assert_false(is_taken(&subject, AS_CA, subject.crl.buffer, subject.crl.size));
    assert_false(is_taken(&subject, AS_CRL, subject.ca.buffer, subject.ca.size));
    palTLSBuffer_t encrypted = file_of(fixture, "client-encrypted.key");
    assert_false(is_taken(&subject, AS_KEY, encrypted.buffer, encrypted.size));
}

/* The most that can be told, or what there is room for among addresses of 32 bits. */
#if SIZE_MAX > UINT32_MAX
#define LARGE UINT32_MAX
#else
#define LARGE ((uint32_t)1 << 30)
#endif

static void buffers_far_larger_than_what_is_in_them_cost_no_memory(void **state)
{
    subject_t subject;
    read_files(&subject, *state);
    uint8_t *large = mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(large, MAP_FAILED);
    uint32_t size = times(20) == 20 ? LARGE : 1 << 20;
    palTLSBuffer_t given = {.buffer = large, .size = size};
    assert_pal(pal_initTLSConfiguration(&subject.secure.configuration, PAL_TLS_MODE), PAL_SUCCESS);
    palTLSConfHandle_t configuration = subject.secure.configuration;
    const size_t before = heap_in_use();
    memcpy(large, subject.own.buffer, subject.own.size);
    EXPECT(pal_setOwnCertChain(configuration, &given), PAL_SUCCESS);
    memcpy(large, subject.key.buffer, subject.key.size);
    EXPECT(pal_setOwnPrivateKey(configuration, &given), PAL_SUCCESS);
    memcpy(large, subject.crl.buffer, subject.crl.size);
    EXPECT(pal_setCAChain(configuration, &subject.ca, &given), PAL_SUCCESS);
    memcpy(large, subject.ca.buffer, subject.ca.size);
    EXPECT(pal_setCAChain(configuration, &given, NULL), PAL_SUCCESS);
    assert_in_range(heap_in_use(), 0, before + 65536);
    memset(large, 0, subject.own.size + 1000);
    EXPECT(pal_setOwnCertChain(configuration, &given), PAL_ERR_TLS_FAILED_TO_PARSE_CERT);
    EXPECT(pal_setPSK(configuration, large, size, large, 1), PAL_ERR_INVALID_ARGUMENT);
    EXPECT(pal_setPSK(configuration, large, 1, large, size), PAL_ERR_INVALID_ARGUMENT);
    free_handles(&subject);
    munmap(large, LARGE);
}

/* ---- other numbers ---- */

static void sizes_of_a_pre_shared_key_and_its_identity_have_their_bounds(void **state)
{
    (void)state;
    static const uint32_t identities[] = {0, 1, 127, 128, 129, UINT32_MAX}, keys[] = {0, 1, 31, 32, 33, UINT32_MAX};
    uint8_t bytes[200];
    memset(bytes, 0x5a, sizeof bytes);
    palTLSConfHandle_t configuration = 0;
    assert_pal(pal_initTLSConfiguration(&configuration, PAL_DTLS_MODE), PAL_SUCCESS);
    for (size_t index = 0; index < 36; index++) {
        uint32_t identity = identities[index / 6], key = keys[index % 6];
        bool good = identity >= 1 && identity <= 128 && key >= 1 && key <= 32;
        /* No more is read of either than its size. */
        uint8_t *end = at_the_end(bytes, key <= 33 ? key : 0);
        EXPECT(pal_setPSK(configuration, bytes, identity, end, key), good ? PAL_SUCCESS : PAL_ERR_INVALID_ARGUMENT);
        end = at_the_end(bytes, identity <= 129 ? identity : 0);
        EXPECT(pal_setPSK(configuration, end, identity, bytes, key), good ? PAL_SUCCESS : PAL_ERR_INVALID_ARGUMENT);
    }
    assert_pal(pal_tlsConfigurationFree(&configuration), PAL_SUCCESS);
}

static void timeouts_have_their_bounds(void **state)
{
    static const struct {
        uint32_t first, longest;
        bool good;
    } cases[] = {{0, 0, false},           {0, 1000, false},         {1000, 999, false},          {UINT32_MAX, 1, false}, {1, 1, true},
                 {1, UINT32_MAX, true},   {1000, 60000, true},      {UINT32_MAX, UINT32_MAX, true}};
    const palTLSTransportMode_t modes[] = {PAL_TLS_MODE, PAL_DTLS_MODE};
    for (size_t index = 0; index < 2 * sizeof cases / sizeof cases[0]; index++) {
        subject_t subject;
        pair_t pair;
        palSocket_t nobody = open_with_nobody(&subject, *state, modes[index % 2], &pair);
        assert_pal(init_configuration(&subject), PAL_SUCCESS);
        EXPECT(pal_setHandShakeTimeOut(subject.secure.configuration, cases[index / 2].first, cases[index / 2].longest),
               cases[index / 2].good ? PAL_SUCCESS : PAL_ERR_INVALID_ARGUMENT);
        assert_pal(set_socket(&subject), PAL_SUCCESS);
        assert_pal(init_session(&subject), PAL_SUCCESS);
        palStatus_t status = KNOWN(hand_shake(&subject));
        assert_true(status == PAL_ERR_TLS_WANT_READ || (cases[index / 2].longest == 1 && status == PAL_ERR_TLS_TIMEOUT));
        close_with_nobody(&subject, &pair, nobody);
    }
}

static void names_that_cannot_be_are_told(void **state)
{
    subject_t subject;
    pair_t pair;
    palSocket_t nobody = open_with_nobody(&subject, *state, PAL_TLS_MODE, &pair);
    assert_pal(init_configuration(&subject), PAL_SUCCESS);
    char longest[257];
    memset(longest, 'n', sizeof longest - 1);
    longest[256] = 0;
    EXPECT(mcc_pal_set_server_name(subject.secure.configuration, at_the_end("", 1)), PAL_ERR_INVALID_ARGUMENT);
    EXPECT(mcc_pal_set_server_name(subject.secure.configuration, at_the_end(longest, sizeof longest)), PAL_ERR_INVALID_ARGUMENT);
    EXPECT(mcc_pal_set_server_name(subject.secure.configuration, at_the_end("\xFF\xFE.example", 11)), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(set_socket(&subject), PAL_SUCCESS);
    const char *const names[] = {".", "%s%n", "a..b", "[::1]", "127.0.0.1", "*", " ", longest + 1};
    for (size_t index = 0; index < sizeof names / sizeof names[0]; index++) {
        const char *name = at_the_end(names[index], strlen(names[index]) + 1);
        palStatus_t status = KNOWN(mcc_pal_set_server_name(subject.secure.configuration, name));
        assert_true(status == PAL_SUCCESS || status == PAL_ERR_INVALID_ARGUMENT);
        assert_pal(init_session(&subject), PAL_SUCCESS);
        if (status == PAL_SUCCESS) {
            status = KNOWN(hand_shake(&subject));
            assert_true(status == PAL_ERR_TLS_WANT_READ || status == PAL_ERR_TLS_BAD_INPUT_DATA);
        }
        assert_pal(free_session(&subject), PAL_SUCCESS);
        drain(nobody);
    }
    close_with_nobody(&subject, &pair, nobody);
}

/* ---- sockets ---- */

static palStatus_t set(palTLSConfHandle_t configuration, palSocket_t socket, palTLSTransportMode_t mode)
{
    palTLSSocket_t given = {.socket = socket, .transportationMode = mode};
    return KNOWN(pal_tlsSetSocket(configuration, &given));
}

static void sockets_of_the_other_kind_and_none_at_all_are_told(void **state)
{
    fixture_t *fixture = *state;
    subject_t subjects[2];
    pair_t pairs[2];
    palSocket_t nobodies[2];
    for (size_t index = 0; index < 2; index++) {
        nobodies[index] = open_with_nobody(&subjects[index], fixture, index == 0 ? PAL_TLS_MODE : PAL_DTLS_MODE, &pairs[index]);
        assert_pal(init_configuration(&subjects[index]), PAL_SUCCESS);
        assert_pal(init_session(&subjects[index]), PAL_SUCCESS);
    }
    calls_t calls;
    calls_begin(&calls);
    palSocket_t closed = make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &calls), was = closed;
    close_socket(&closed);
    int own = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(own >= 0);
    FILE *file = tmpfile();
    assert_non_null(file);
    const palSocket_t none[] = {NULL,
                                CLOSED_SOCKET,
                                (palSocket_t)(intptr_t)-2,
                                (palSocket_t)(uintptr_t)UINT32_MAX,
                                (palSocket_t)(intptr_t)1,
                                (palSocket_t)(intptr_t)own,
                                (palSocket_t)(intptr_t)fileno(file)};
    const unsigned modes[] = {2, 77, UINT32_MAX};
    for (size_t index = 0; index < 2; index++) {
        palTLSConfHandle_t configuration = subjects[index].secure.configuration;
        palTLSTransportMode_t mode = subjects[index].secure.mode, other = subjects[1 - index].secure.mode;
        for (size_t which = 0; which < sizeof none / sizeof none[0]; which++) {
            assert_pal(set(configuration, none[which], mode), PAL_ERR_SOCKET_INVALID_VALUE);
        }
        if (was != (palSocket_t)(intptr_t)own && was != (palSocket_t)(intptr_t)fileno(file)) {
            assert_pal(set(configuration, was, mode), PAL_ERR_SOCKET_INVALID_VALUE);
        }
        for (size_t which = 0; which < 3; which++) {
            assert_pal(set(configuration, subjects[index].secure.socket, (palTLSTransportMode_t)modes[which]), PAL_ERR_INVALID_ARGUMENT);
        }
        assert_pal(set(configuration, subjects[index].secure.socket, other), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(set(configuration, subjects[1 - index].secure.socket, mode), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(set(configuration, subjects[1 - index].secure.socket, other), PAL_ERR_INVALID_ARGUMENT);
        /* None of these has become its socket. */
        EXPECT(hand_shake(&subjects[index]), PAL_ERR_TLS_BAD_INPUT_DATA);
    }
    /* Not connected, and listening. */
    uint16_t port;
    palSocket_t unconnected = make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &calls);
    palSocket_t listener = bind_socket(PAL_AF_INET, PAL_SOCK_STREAM, &calls, &port);
    assert_pal(pal_listen(listener, 1), PAL_SUCCESS);
    const palSocket_t useless[] = {unconnected, listener};
    for (size_t which = 0; which < 2; which++) {
        assert_pal(set(subjects[0].secure.configuration, useless[which], PAL_TLS_MODE), PAL_SUCCESS);
        palStatus_t status = KNOWN(hand_shake(&subjects[0]));
        assert_true(status != PAL_SUCCESS);
        EXPECT(free_session(&subjects[0]), PAL_SUCCESS);
        EXPECT(init_session(&subjects[0]), PAL_SUCCESS);
    }
    close_socket(&unconnected);
    close_socket(&listener);
    close(own);
    fclose(file);

    /* Closed after it was set, before and in the handshake. */
    for (size_t index = 0; index < 2; index++) {
        secure_t *secure = &subjects[index].secure;
        EXPECT(set_socket(&subjects[index]), PAL_SUCCESS);
        EXPECT(hand_shake(&subjects[index]), PAL_ERR_TLS_WANT_READ);
        palSocket_t copy = secure->socket;
        close_socket(&secure->socket);
        palStatus_t status = KNOWN(hand_shake(&subjects[index]));
        assert_true(status != PAL_SUCCESS && status != PAL_ERR_TLS_WANT_READ && status != PAL_ERR_TLS_WANT_WRITE);
        palTLSHandle_t fresh = 0;
        EXPECT(pal_initTLS(secure->configuration, &fresh, false), PAL_SUCCESS);
        status = KNOWN(pal_handShake(fresh, secure->configuration, false));
        assert_true(status != PAL_SUCCESS);
        EXPECT(pal_freeTLS(&fresh), PAL_SUCCESS);
        assert_pal(set(secure->configuration, copy, secure->mode), PAL_ERR_SOCKET_INVALID_VALUE);
        free_handles(&subjects[index]);
    }
    calls_end(&calls);
    close_pair(&(pair_t){.client = CLOSED_SOCKET, .server = pairs[0].server, .listener = pairs[0].listener});
    close_socket(&nobodies[1]);
    for (size_t index = 0; index < 2; index++) {
        calls_end(&subjects[index].secure.calls);
    }
}

static void addresses_of_every_length_and_family_have_their_status(void **state)
{
    subject_t subject;
    pair_t pair;
    palSocket_t nobody = open_with_nobody(&subject, *state, PAL_DTLS_MODE, &pair);
    assert_pal(init_configuration(&subject), PAL_SUCCESS);
    palTLSSocket_t given = {.socket = subject.secure.socket, .transportationMode = PAL_DTLS_MODE};
    static const unsigned short families[] = {PAL_AF_INET, PAL_AF_INET6, 0, 1, 3, 11, 0x200, 0xFFFF};
    for (size_t index = 0; index < sizeof families / sizeof families[0]; index++) {
        palSocketAddress_t address = loopback(index == 1 ? PAL_AF_INET6 : PAL_AF_INET, 9);
        address.addressType = families[index];
        for (palSocketLength_t length = 0; length <= 41; length++) {
            palSocketLength_t needed = index == 1 ? 28 : 16, whole = index < 2 ? needed : 2;
            given.addressLength = length == 41 ? UINT32_MAX : length;
            given.socketAddress = at_the_end(&address, length < whole ? length : whole);
            palStatus_t expected = length < whole ? PAL_ERR_SOCKET_INVALID_VALUE
                                   : index < 2    ? PAL_SUCCESS
                                                  : PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY;
            EXPECT(pal_tlsSetSocket(subject.secure.configuration, &given), expected);
            given.socketAddress = NULL;
            EXPECT(pal_tlsSetSocket(subject.secure.configuration, &given), PAL_SUCCESS);
        }
    }
    /* A socket of datagrams that is connected to nobody has to be told a peer; one of the other family cannot be sent to. */
    palSocketAddress_t others[] = {loopback(PAL_AF_INET6, 9), loopback(PAL_AF_INET, 0)};
    palSocketAddress_t *const peers[] = {NULL, &others[0], &others[1]};
    for (size_t index = 0; index < 3; index++) {
        given.socketAddress = peers[index];
        given.addressLength = ADDRESS_SIZE;
        EXPECT(pal_tlsSetSocket(subject.secure.configuration, &given), PAL_SUCCESS);
        assert_pal(init_session(&subject), PAL_SUCCESS);
        assert_true(KNOWN(hand_shake(&subject)) != PAL_SUCCESS);
        assert_pal(free_session(&subject), PAL_SUCCESS);
    }
    close_with_nobody(&subject, &pair, nobody);
}

/* ---- buffers of an established session ---- */

/* As secure_write, where a record does not take all of it. */
static void secure_write_part(secure_t *secure, const void *bytes, uint32_t size, uint32_t expected)
{
    uint32_t written = 77;
    for (;;) {
        secure->seen = calls_so_far(&secure->calls);
        palStatus_t status = KNOWN(pal_sslWrite(secure->session, secure->configuration, bytes, size, &written));
        if (status != PAL_ERR_TLS_WANT_WRITE) {
            assert_pal(status, PAL_SUCCESS);
            assert_int_equal(written, expected);
            return;
        }
        await_call(secure);
    }
}

static void buffers_of_an_established_session_have_their_bounds(void **state)
{
    fixture_t *fixture = *state;
    uint8_t *large = mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(large, MAP_FAILED);
    const palTLSTransportMode_t modes[] = {PAL_TLS_MODE, PAL_DTLS_MODE};
    for (size_t index = 0; index < 2; index++) {
        peer_t *peer = modes[index] == PAL_TLS_MODE ? start_tls_server(fixture) : start_dtls_server(fixture);
        secure_t secure;
        open_secure(&secure, fixture, modes[index], peer_port(peer));
        uint32_t size = 77;
        uint8_t byte = 'x';
        EXPECT(pal_sslWrite(secure.session, secure.configuration, &byte, 1, &size), PAL_ERR_TLS_BAD_INPUT_DATA);
        EXPECT(pal_sslRead(secure.session, &byte, 1, &size), PAL_ERR_TLS_BAD_INPUT_DATA);
        assert_pal(shake_hands(&secure, true), PAL_SUCCESS);
        EXPECT(pal_sslWrite(secure.session, secure.configuration, NULL, 0, &size), PAL_ERR_INVALID_ARGUMENT);
        EXPECT(pal_sslWrite(secure.session, secure.configuration, NULL, 5, &size), PAL_ERR_INVALID_ARGUMENT);
        EXPECT(pal_sslWrite(secure.session, secure.configuration, &byte, 1, NULL), PAL_ERR_INVALID_ARGUMENT);
        EXPECT(pal_sslRead(secure.session, NULL, 0, &size), PAL_ERR_INVALID_ARGUMENT);
        EXPECT(pal_sslRead(secure.session, NULL, 5, &size), PAL_ERR_INVALID_ARGUMENT);
        EXPECT(pal_sslRead(secure.session, &byte, 1, NULL), PAL_ERR_INVALID_ARGUMENT);
        EXPECT(pal_sslRead(secure.session, &byte, 0, &size), PAL_ERR_END_OF_FILE);
        assert_int_equal(size, 77);
        EXPECT(pal_sslWrite(secure.session, secure.configuration, at_the_end("", 0), 0, &size), PAL_SUCCESS);
        assert_int_equal(size, 0);
        /* No room to read to takes nothing of what there is. */
        secure_write(&secure, "hello", 5);
        await_call(&secure);
        EXPECT(pal_sslRead(secure.session, &byte, 0, &size), PAL_ERR_END_OF_FILE);
        assert_pal(secure_read(&secure, large, LARGE, &size), PAL_SUCCESS);
        assert_int_equal(size, 5);
        assert_memory_equal(large, "hello", 5);
        /* Nothing is written behind the room. */
        secure_write(&secure, "hello", 5);
        uint8_t *end = at_the_end("..", 2);
        for (size_t rest = 5; rest > 0; rest -= size) {
            assert_pal(secure_read(&secure, end, 2, &size), PAL_SUCCESS);
            assert_in_range(size, 1, 2);
            assert_memory_equal(end, "hello" + (5 - rest), size);
        }
        size = 77;
        palStatus_t status = KNOWN(pal_sslWrite(secure.session, secure.configuration, large, LARGE, &size));
        if (modes[index] == PAL_TLS_MODE) {
            assert_pal(status, PAL_SUCCESS);
            assert_int_equal(size, 16384);
            for (size_t rest = 16384; rest > 0; rest -= size) {
                assert_pal(secure_read(&secure, large, LARGE, &size), PAL_SUCCESS);
            }
            /* Nor where it has to wait for room. */
            peer_command(peer, "mute");
            peer_command(peer, "silent");
            while ((status = KNOWN(pal_sslWrite(secure.session, secure.configuration, large, LARGE, &size))) == PAL_SUCCESS) {
                assert_int_equal(size, 16384);
            }
            assert_pal(status, PAL_ERR_TLS_WANT_WRITE);
            EXPECT(pal_sslWrite(secure.session, secure.configuration, large, LARGE - 1, &size), PAL_ERR_TLS_BAD_INPUT_DATA);
            peer_command(peer, "answer");
            secure_write_part(&secure, large, LARGE, 16384);
            peer_command(peer, "echo");
        } else {
            assert_pal(status, PAL_ERR_TLS_BAD_INPUT_DATA);
            assert_int_equal(size, 77);
        }
        static const uint8_t id[33] = {0};
        QUIET(pal_set_cid_value(secure.session, secure.configuration, NULL, 5));
        QUIET(pal_set_cid_value(secure.session, secure.configuration, NULL, SIZE_MAX));
        QUIET(pal_set_cid_value(secure.session, secure.configuration, id, 33));
        QUIET(pal_set_cid_value(secure.session, secure.configuration, id, SIZE_MAX));
        QUIET(pal_print_cid(secure.session));
        EXPECT(pal_sslGetVerifyResultExtended(secure.session, NULL), PAL_ERR_INVALID_ARGUMENT);
        secure_echo(&secure, 20);
        secure_end(&secure);
    }
    munmap(large, LARGE);
}

/* ---- servers of the test's own: between the session and a real one, or alone ---- */

enum { WIRE_BYTES = 1 << 16, HEADER_SIZE = 5 };

typedef struct wire {
    int listener, client, upstream;
    uint16_t port;
    /* What the server sent, up to where the client had sent so many flights. */
    uint8_t bytes[WIRE_BYTES];
    size_t size, size_of_first_flight;
    unsigned client_flights;
    bool server_sent_since;
    /* Where and how the second flight of the server, or what follows, is changed; counted from its begin. */
    bool changes, ends_with_it, is_trickling;
    size_t change_at, change_to, held;
    uint8_t change;
    size_t end_after;
} wire_t;

static void not_blocking(int descriptor)
{
    int one = 1;
    assert_true(descriptor >= 0);
    assert_int_equal(fcntl(descriptor, F_SETFL, O_NONBLOCK), 0);
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static struct sockaddr_in address_of(uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int listen_somewhere(int type, uint16_t *port)
{
    int listener = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = address_of(0);
    socklen_t size = sizeof address;
    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    assert_true(type == SOCK_DGRAM || listen(listener, 4) == 0);
    *port = ntohs(address.sin_port);
    return listener;
}

static int connect_to(int type, uint16_t port)
{
    int upstream = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = address_of(port);
    assert_true(upstream >= 0);
    assert_int_equal(connect(upstream, (struct sockaddr *)&address, sizeof address), 0);
    return upstream;
}

/* A session to the wire, and the wire to a real server unless the port is 0. */
static void wire_open(wire_t *wire, secure_t *secure, fixture_t *fixture, uint16_t port)
{
    memset(wire, 0, sizeof *wire);
    wire->listener = listen_somewhere(SOCK_STREAM, &wire->port);
    open_secure(secure, fixture, PAL_TLS_MODE, wire->port);
    wire->client = accept(wire->listener, NULL, NULL);
    not_blocking(wire->client);
    wire->upstream = port == 0 ? -1 : connect_to(SOCK_STREAM, port);
    if (port != 0) {
        not_blocking(wire->upstream);
    }
}

static void wire_close(wire_t *wire, secure_t *secure)
{
    secure_end(secure);
    close(wire->client);
    close(wire->listener);
    if (wire->upstream >= 0) {
        close(wire->upstream);
    }
}

static void send_all(int descriptor, const uint8_t *bytes, size_t size)
{
    uint64_t until = milliseconds_now() + SOON_MS;
    while (size > 0 && milliseconds_now() < until) {
        ssize_t sent = send(descriptor, bytes, size, MSG_NOSIGNAL);
        if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
        } else if (errno == EAGAIN) {
            struct pollfd poller = {.fd = descriptor, .events = POLLOUT};
            (void)poll(&poller, 1, 100);
        } else {
            /* The client has ended it. */
            return;
        }
    }
    assert_int_equal(size, 0);
}

/* Hands on what the server sent, changed where it is to be. */
static void hand_on(wire_t *wire, const uint8_t *given, size_t size)
{
    uint8_t bytes[4096];
    assert_true(size <= sizeof bytes && wire->size + size <= WIRE_BYTES);
    memcpy(wire->bytes + wire->size, given, size);
    memcpy(bytes, given, size);
    for (size_t index = 0; wire->changes && wire->client_flights >= 2 && index < size; index++) {
        size_t place = wire->size + index - wire->size_of_first_flight;
        if (place == wire->change_at) {
            bytes[index] ^= wire->change;
        } else if (place > wire->change_at && place < wire->change_to) {
            bytes[index] = (uint8_t)random_below(256);
        }
    }
    wire->size += size;
    wire->server_sent_since = true;
    if (!wire->is_trickling) {
        send_all(wire->client, bytes, size);
    }
    if (wire->end_after != 0 && wire->client_flights >= 2 && wire->size - wire->size_of_first_flight >= wire->end_after) {
        (void)shutdown(wire->client, SHUT_WR);
        wire->end_after = 0;
    }
}

/* Moves what there is to move; waits for it a little. */
static void pump(wire_t *wire)
{
    uint8_t bytes[4096];
    struct pollfd pollers[] = {{.fd = wire->client, .events = POLLIN}, {.fd = wire->upstream, .events = POLLIN}};
    (void)poll(pollers, 2, wire->is_trickling && wire->held < wire->size ? 0 : 1);
    ssize_t size = recv(wire->client, bytes, sizeof bytes, 0);
    if (size > 0) {
        if (wire->client_flights == 0 || wire->server_sent_since) {
            wire->client_flights++;
            wire->server_sent_since = false;
            if (wire->client_flights == 2) {
                wire->size_of_first_flight = wire->size;
            }
        }
        send_all(wire->upstream, bytes, (size_t)size);
    }
    size = recv(wire->upstream, bytes, sizeof bytes, 0);
    if (size > 0) {
        hand_on(wire, bytes, (size_t)size);
    }
    if (wire->is_trickling && wire->held < wire->size) {
        send_all(wire->client, wire->bytes + wire->held++, 1);
    }
}

/* Shakes hands over the wire. */
static palStatus_t drive(secure_t *secure, wire_t *wire)
{
    uint64_t until = milliseconds_now() + SOON_MS;
    for (;;) {
        unsigned seen = calls_so_far(&secure->calls);
        palStatus_t status = KNOWN(pal_handShake(secure->session, secure->configuration, true));
        if (status != PAL_ERR_TLS_WANT_READ && status != PAL_ERR_TLS_WANT_WRITE) {
            return status;
        }
        while (calls_so_far(&secure->calls) == seen) {
            pump(wire);
            assert_true(milliseconds_now() < until);
        }
    }
}

/* The first flight of a real server, and the size of its second. */
static void record_handshake(wire_t *wire, fixture_t *fixture, const peer_t *peer)
{
    secure_t secure;
    wire_open(wire, &secure, fixture, peer_port(peer));
    assert_pal(drive(&secure, wire), PAL_SUCCESS);
    assert_true(wire->size_of_first_flight > 300 && wire->size > wire->size_of_first_flight);
    assert_int_equal(wire->bytes[0], 22);
    wire_close(wire, &secure);
}

/* A server that answers with these bytes and ends. What became of the handshake is what it says again. */
static palStatus_t answer_with(fixture_t *fixture, const uint8_t *bytes, size_t size)
{
    static wire_t wire;
    secure_t secure;
    wire_open(&wire, &secure, fixture, 0);
    EXPECT(pal_handShake(secure.session, secure.configuration, false), PAL_ERR_TLS_WANT_READ);
    send_all(wire.client, bytes, size);
    (void)shutdown(wire.client, SHUT_WR);
    palStatus_t status = shake_hands(&secure, false);
    EXPECT(pal_handShake(secure.session, secure.configuration, false), status);
    uint32_t count = 77;
    uint8_t byte = 0;
    assert_true(KNOWN(pal_sslRead(secure.session, &byte, 1, &count)) != PAL_SUCCESS);
    assert_true(KNOWN(pal_sslWrite(secure.session, secure.configuration, &byte, 1, &count)) != PAL_SUCCESS);
    assert_int_equal(count, 77);
    int32_t verdict = 0;
    (void)KNOWN(pal_sslGetVerifyResultExtended(secure.session, &verdict));
    wire_close(&wire, &secure);
    return KNOWN(status);
}

static void a_server_that_ends_or_lies_anywhere_in_its_first_flight_fails_the_handshake(void **state)
{
    fixture_t *fixture = *state;
    seed();
    static wire_t recorded;
    record_handshake(&recorded, fixture, start_tls_server(fixture));
    size_t size = recorded.size_of_first_flight;
    for (size_t place = 0; place <= size; place += stride()) {
        assert_true(answer_with(fixture, recorded.bytes, place) != PAL_SUCCESS);
    }
    static uint8_t bytes[WIRE_BYTES];
    for (size_t place = 0; place < size; place += stride()) {
        memcpy(bytes, recorded.bytes, size);
        bytes[place] ^= (uint8_t)(1 + random_below(255));
        assert_true(answer_with(fixture, bytes, size) != PAL_SUCCESS);
    }
    for (size_t place = 0; place < size; place += 11 * stride()) {
        memcpy(bytes, recorded.bytes, place);
        fill_random(bytes + place, 4000);
        assert_true(answer_with(fixture, bytes, place + random_below(4000)) != PAL_SUCCESS);
    }
}

static void records_without_end_or_content_fail_the_handshake(void **state)
{
    fixture_t *fixture = *state;
    seed();
    static uint8_t bytes[WIRE_BYTES];
    /* Each kind of record, in each version, empty, for ever; then with as much as a record has. */
    for (unsigned kind = 20; kind <= 25; kind++) {
        for (size_t place = 0; place + HEADER_SIZE <= sizeof bytes; place += HEADER_SIZE) {
            memcpy(bytes + place, (const uint8_t[]){(uint8_t)kind, 3, 3, 0, 0}, HEADER_SIZE);
        }
        assert_true(answer_with(fixture, bytes, sizeof bytes) != PAL_SUCCESS);
        for (unsigned length = 1; length <= 65535; length = length * 2 + 1) {
            fill_random(bytes, 20000);
            memcpy(bytes, (const uint8_t[]){(uint8_t)kind, 3, 3, (uint8_t)(length >> 8), (uint8_t)length}, HEADER_SIZE);
            assert_true(answer_with(fixture, bytes, length < 20000 ? length + HEADER_SIZE : 20000) != PAL_SUCCESS);
        }
        /* A warning for ever: of the kind 21, close_notify and no_certificate. */
        for (size_t place = 0; place + 7 <= sizeof bytes; place += 7) {
            memcpy(bytes + place, (const uint8_t[]){21, 3, 3, 0, 2, 1, (uint8_t)(kind == 20 ? 0 : 41)}, 7);
        }
        assert_true(answer_with(fixture, bytes, sizeof bytes / 7 * 7) != PAL_SUCCESS);
    }
}

static void a_server_that_lies_anywhere_in_its_second_flight_fails_the_handshake(void **state)
{
    fixture_t *fixture = *state;
    seed();
    peer_t *peer = start_tls_server(fixture);
    static wire_t recorded, wire;
    record_handshake(&recorded, fixture, peer);
    size_t size = recorded.size - recorded.size_of_first_flight;
    for (size_t place = 0; place < size; place += stride()) {
        for (int is_random = 0; is_random < 2; is_random++) {
            secure_t secure;
            wire_open(&wire, &secure, fixture, peer_port(peer));
            wire.changes = true;
            wire.change_at = place;
            wire.change = (uint8_t)(1 + random_below(255));
            wire.change_to = is_random ? size : 0;
            wire.end_after = size;
            palStatus_t status = drive(&secure, &wire);
            /* The version in the header of a record is not authenticated. */
            size_t in_record = place < 6 ? place : place - 6;
            assert_true(status != PAL_SUCCESS || (!is_random && (in_record == 1 || in_record == 2)));
            EXPECT(pal_handShake(secure.session, secure.configuration, true), status);
            wire_close(&wire, &secure);
        }
    }
}

static void a_record_with_any_byte_changed_is_never_read(void **state)
{
    fixture_t *fixture = *state;
    seed();
    peer_t *peer = start_tls_server(fixture);
    static wire_t wire;
    size_t size = 1;
    for (size_t place = 0; place < size; place += stride()) {
        secure_t secure;
        wire_open(&wire, &secure, fixture, peer_port(peer));
        assert_pal(drive(&secure, &wire), PAL_SUCCESS);
        secure_write(&secure, "hello", 5);
        uint8_t record[256];
        struct pollfd poller = {.fd = wire.client, .events = POLLIN};
        assert_int_equal(poll(&poller, 1, SOON_MS), 1);
        ssize_t count = recv(wire.client, record, sizeof record, 0);
        assert_true(count > HEADER_SIZE);
        send_all(wire.upstream, record, (size_t)count);
        poller.fd = wire.upstream;
        assert_int_equal(poll(&poller, 1, SOON_MS), 1);
        count = recv(wire.upstream, record, sizeof record, 0);
        assert_true(count > HEADER_SIZE);
        size = (size_t)count;
        record[place] ^= (uint8_t)(1 + random_below(255));
        send_all(wire.client, record, size);
        (void)shutdown(wire.client, SHUT_WR);
        uint32_t read;
        uint8_t bytes[16];
        palStatus_t status = KNOWN(secure_read(&secure, bytes, sizeof bytes, &read));
        assert_true(status != PAL_SUCCESS || place == 1 || place == 2);
        status = KNOWN(secure_read(&secure, bytes, sizeof bytes, &read));
        assert_true(status != PAL_SUCCESS);
        wire_close(&wire, &secure);
    }
}

static void a_server_that_sends_byte_by_byte_is_waited_for(void **state)
{
    fixture_t *fixture = *state;
    peer_t *peer = start_tls_server(fixture);
    static wire_t wire;
    secure_t secure;
    wire_open(&wire, &secure, fixture, peer_port(peer));
    wire.is_trickling = true;
    assert_pal(drive(&secure, &wire), PAL_SUCCESS);
    assert_int_equal(wire.held, wire.size);
    /* Nothing but a byte called back: the connect, and each of them once at most. */
    assert_in_range(calls_so_far(&secure.calls), 2, 1 + wire.size);
    wire_close(&wire, &secure);

    static const uint8_t begin[] = {22, 3, 3};
    wire_open(&wire, &secure, fixture, 0);
    unsigned calls = calls_so_far(&secure.calls);
    EXPECT(pal_handShake(secure.session, secure.configuration, false), PAL_ERR_TLS_WANT_READ);
    for (unsigned index = 0; index < sizeof begin; index++) {
        /* So slow it is meant to be. */
        sleep_ms(1000);
        assert_int_equal(calls_so_far(&secure.calls), calls + index);
        send_all(wire.client, begin + index, 1);
        await_calls(&secure.calls, calls + index + 1);
        EXPECT(pal_handShake(secure.session, secure.configuration, false), PAL_ERR_TLS_WANT_READ);
    }
    wire_close(&wire, &secure);
}

/* ---- an established session ---- */

static void empty_records_are_passed_over_and_many_at_once_end_the_session(void **state)
{
    fixture_t *fixture = *state;
    const palTLSTransportMode_t modes[] = {PAL_TLS_MODE, PAL_DTLS_MODE};
    for (size_t index = 0; index < 2; index++) {
        peer_t *peer = modes[index] == PAL_TLS_MODE ? start_tls_server(fixture) : start_dtls_server(fixture);
        secure_t secure;
        open_secure(&secure, fixture, modes[index], peer_port(peer));
        assert_pal(shake_hands(&secure, true), PAL_SUCCESS);
        uint8_t byte = 0;
        uint32_t read = 77;
        for (int round = 0; round < 3; round++) {
            peer_command(peer, "burst 3 0");
            peer_command(peer, "send 41");
            assert_pal(secure_read(&secure, &byte, 1, &read), PAL_SUCCESS);
            assert_int_equal(byte, 0x41);
            secure_echo(&secure, 30);
        }
        /* Datagrams have to find room in the socket's buffer. */
        peer_command(peer, "burst %u 0", modes[index] == PAL_TLS_MODE ? 5000 : 100);
        peer_command(peer, "send 41");
        palStatus_t status = KNOWN(secure_read(&secure, &byte, 1, &read));
        if (modes[index] == PAL_DTLS_MODE) {
            assert_pal(status, PAL_SUCCESS);
            secure_echo(&secure, 30);
        } else {
            assert_pal(status, PAL_ERR_GENERIC_FAILURE);
            EXPECT(pal_sslRead(secure.session, &byte, 1, &read), PAL_ERR_GENERIC_FAILURE);
        }
        secure_end(&secure);
    }
}

static void garbage_ends_a_stream_and_does_nothing_to_datagrams(void **state)
{
    fixture_t *fixture = *state;
    static const char *const garbage[] = {
        "garbage 1", "garbage 4", "garbage 100", "garbage 20000", "raw 00", "raw 1703030000", "raw 170303ffff", "raw 1603030000",
        "raw 16030300040e000000", "raw 16030300040b000000", "raw 1603030004000000ff", "raw 140303000101",
        "raw 150303000201", "raw 1503030002022a", "raw 1700000000", "raw 17fefd000000000000000000", "raw 16fefd00010000000000010000",
    };
    for (size_t index = 0; index < 2 * sizeof garbage / sizeof garbage[0]; index++) {
        palTLSTransportMode_t mode = index % 2 == 0 ? PAL_TLS_MODE : PAL_DTLS_MODE;
        peer_t *peer = mode == PAL_TLS_MODE ? start_tls_server(fixture) : start_dtls_server(fixture);
        secure_t secure;
        open_secure(&secure, fixture, mode, peer_port(peer));
        assert_pal(shake_hands(&secure, true), PAL_SUCCESS);
        peer_command(peer, garbage[index / 2]);
        uint8_t bytes[64];
        uint32_t read;
        if (mode == PAL_DTLS_MODE) {
            secure_echo(&secure, 30);
        } else {
            peer_command(peer, "drop");
            palStatus_t status = KNOWN(secure_read(&secure, bytes, sizeof bytes, &read));
            assert_true(status != PAL_SUCCESS);
            EXPECT(secure_read(&secure, bytes, sizeof bytes, &read), status);
        }
        secure_end(&secure);
        stop_peer(fixture, peer);
    }
}

/* ---- datagrams ---- */

typedef enum { NOISE, BROKEN_RECORDS, CHANGED_COPIES } disturbance_t;

/* What the peer's address sends before each datagram of the server. */
static void disturb(int from, const struct sockaddr_in *client, const uint8_t *next, size_t size, disturbance_t disturbance)
{
    uint8_t bytes[2048];
    for (int index = 0; index < 3; index++) {
        size_t count = 1 + random_below(200);
        fill_random(bytes, count);
        if (disturbance == BROKEN_RECORDS) {
            /* A header that is right but for its end: of a handshake, of the time before keys. */
            memcpy(bytes, next, size < 13 ? size : 13);
            count = index == 0 ? 12 : index == 1 ? 13 : size - 1;
            memcpy(bytes, next, count < size ? count : size);
        } else if (disturbance == CHANGED_COPIES) {
            memcpy(bytes, next, count = size);
            bytes[random_below((uint32_t)size)] ^= (uint8_t)(1 + random_below(255));
        } else if (bytes[0] >= 20 && bytes[0] <= 25) {
            bytes[0] = 0xf0;
        }
        (void)sendto(from, bytes, count, 0, (const struct sockaddr *)client, sizeof *client);
    }
}

static void datagrams_of_garbage_at_every_step_of_a_handshake_have_their_status(void **state)
{
    fixture_t *fixture = *state;
    seed();
    peer_t *peer = start_dtls_server(fixture);
    for (unsigned round = 0; round < 3 * times(20) / 2 + 1; round++) {
        disturbance_t disturbance = (disturbance_t)(round % 3);
        uint16_t port;
        int between = listen_somewhere(SOCK_DGRAM, &port), upstream = connect_to(SOCK_DGRAM, peer_port(peer));
        secure_t secure;
        open_secure(&secure, fixture, PAL_DTLS_MODE, port);
        /* A handshake that is broken is waited out. */
        uint32_t longest = disturbance == CHANGED_COPIES ? 200 : 6400;
        assert_pal(pal_setHandShakeTimeOut(secure.configuration, 50, longest), PAL_SUCCESS);
        struct sockaddr_in client = {0};
        palStatus_t status;
        uint64_t until = milliseconds_now() + SOON_MS;
        for (;;) {
            unsigned seen = calls_so_far(&secure.calls);
            status = KNOWN(pal_handShake(secure.session, secure.configuration, true));
            if (status != PAL_ERR_TLS_WANT_READ) {
                break;
            }
            while (calls_so_far(&secure.calls) == seen) {
                uint8_t bytes[2048];
                struct pollfd pollers[] = {{.fd = between, .events = POLLIN}, {.fd = upstream, .events = POLLIN}};
                (void)poll(pollers, 2, 1);
                socklen_t length = sizeof client;
                ssize_t size = recvfrom(between, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&client, &length);
                if (size > 0) {
                    (void)send(upstream, bytes, (size_t)size, 0);
                }
                size = recv(upstream, bytes, sizeof bytes, MSG_DONTWAIT);
                if (size > 0) {
                    disturb(between, &client, bytes, (size_t)size, disturbance);
                    (void)sendto(between, bytes, (size_t)size, 0, (struct sockaddr *)&client, sizeof client);
                }
                assert_true(milliseconds_now() < until);
            }
        }
        if (disturbance != CHANGED_COPIES) {
            assert_pal(status, PAL_SUCCESS);
        }
        secure_end(&secure);
        close(between);
        close(upstream);
        pal_remove_cid();
    }
}

/* ---- nothing is left behind ---- */

static void one_round(fixture_t *fixture, const uint8_t *bytes, size_t size)
{
    (void)answer_with(fixture, bytes, size);
    subject_t subject;
    pair_t pair;
    palSocket_t nobody = open_with_nobody(&subject, fixture, PAL_DTLS_MODE, &pair);
    assert_pal(init_configuration(&subject), PAL_SUCCESS);
    assert_pal(init_session(&subject), PAL_SUCCESS);
    for (size_t function = 0; function < FUNCTIONS; function++) {
        (void)run(&subject, function);
    }
    close_with_nobody(&subject, &pair, nobody);
    palTLSBuffer_t cut = {.buffer = subject.ca.buffer, .size = subject.ca.size - 1};
    assert_pal(pal_initTLSConfiguration(&subject.secure.configuration, PAL_TLS_MODE), PAL_SUCCESS);
    EXPECT(pal_setCAChain(subject.secure.configuration, &cut, NULL), PAL_ERR_TLS_FAILED_TO_PARSE_CERT);
    EXPECT(pal_setOwnCertChain(subject.secure.configuration, &cut), PAL_ERR_TLS_FAILED_TO_PARSE_CERT);
    EXPECT(pal_setOwnPrivateKey(subject.secure.configuration, &cut), PAL_ERR_TLS_FAILED_TO_PARSE_KEY);
    assert_pal(pal_tlsConfigurationFree(&subject.secure.configuration), PAL_SUCCESS);
}

static void bad_input_leaves_neither_memory_nor_descriptors_behind(void **state)
{
    fixture_t *fixture = *state;
    static wire_t recorded;
    record_handshake(&recorded, fixture, start_tls_server(fixture));
    /* What is kept of the handles that were freed last is there after these. */
    for (unsigned round = 0; round < 300; round++) {
        palTLSConfHandle_t configuration = 0;
        palTLSHandle_t session = 0;
        assert_pal(pal_initTLSConfiguration(&configuration, PAL_TLS_MODE), PAL_SUCCESS);
        assert_pal(pal_initTLS(configuration, &session, false), PAL_SUCCESS);
        assert_pal(pal_freeTLS(&session), PAL_SUCCESS);
        assert_pal(pal_tlsConfigurationFree(&configuration), PAL_SUCCESS);
    }
    size_t memory = 0, descriptors = 0;
    for (unsigned round = 0; round < 10 + times(200); round++) {
        if (round == 10) {
            memory = heap_in_use();
            descriptors = count_descriptors();
        }
        one_round(fixture, recorded.bytes, recorded.size_of_first_flight - round % 50);
    }
    assert_int_equal(count_descriptors(), descriptors);
    assert_in_range(heap_in_use(), 0, memory + 16384);
}

/* ---- the main ---- */

static size_t descriptors_before;

static int with_both_layers(void **state)
{
    descriptors_before = count_descriptors();
    return pal_tls_setup(state);
}

static int end_both_layers(void **state)
{
    if (pal_tls_teardown(state) != 0) {
        return -1;
    }
    if (count_descriptors() != descriptors_before) {
        print_error("%zu descriptors are left of %zu before\n", count_descriptors(), descriptors_before);
        return -1;
    }
    return 0;
}

int main(int count, char **arguments)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, with_both_layers, end_both_layers)
    const struct CMUnitTest tests[] = {
        /* The first one: TLS was never made ready before. */
        cmocka_unit_test_setup_teardown(without_the_layer_there_is_no_socket_and_all_else_works, setup, teardown),
        TEST(null_is_told_and_nothing_is_written),
        TEST(zero_freed_and_foreign_handles_are_told_by_every_function),
        TEST(modes_that_cannot_be_are_told),
        TEST(any_two_calls_in_any_order_have_their_status),
        TEST(random_calls_have_their_status_and_the_server_is_still_usable),
        TEST(after_the_end_of_both_layers_a_session_goes_on_without_callbacks),
        TEST(files_that_are_cut_anywhere_are_refused),
        TEST(files_with_any_byte_changed_have_their_status),
        TEST(no_random_bytes_are_taken),
        TEST(what_is_refused_leaves_what_was_set),
        TEST(keys_and_certificates_that_do_not_go_together_fail_the_handshake),
        TEST(buffers_far_larger_than_what_is_in_them_cost_no_memory),
        TEST(sizes_of_a_pre_shared_key_and_its_identity_have_their_bounds),
        TEST(timeouts_have_their_bounds),
        TEST(names_that_cannot_be_are_told),
        TEST(sockets_of_the_other_kind_and_none_at_all_are_told),
        TEST(addresses_of_every_length_and_family_have_their_status),
        TEST(buffers_of_an_established_session_have_their_bounds),
        TEST(a_server_that_ends_or_lies_anywhere_in_its_first_flight_fails_the_handshake),
        TEST(records_without_end_or_content_fail_the_handshake),
        TEST(a_server_that_lies_anywhere_in_its_second_flight_fails_the_handshake),
        TEST(a_record_with_any_byte_changed_is_never_read),
        TEST(a_server_that_sends_byte_by_byte_is_waited_for),
        TEST(empty_records_are_passed_over_and_many_at_once_end_the_session),
        TEST(garbage_ends_a_stream_and_does_nothing_to_datagrams),
        TEST(datagrams_of_garbage_at_every_step_of_a_handshake_have_their_status),
        TEST(bad_input_leaves_neither_memory_nor_descriptors_behind),
    };
#undef TEST
    return run_chosen_tests(tests, count, arguments);
}
