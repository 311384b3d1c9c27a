/* The uses: each begins with nothing and ends with nothing. What is refused for want of memory or descriptors is asked for again, and has
 * to come once there is some.
 *
 * Nothing here allocates.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "exhaustion.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <mbed_cloud_connectivity.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#ifdef MCC_TEST_PAL
#include <pal.h>
#endif

/* While something is short it is asked for so often, with a pause after each. */
enum { ATTEMPTS = 5, PAUSE_MS = 10, SHORT_MS = 400, SOON_MS = 15000 };
enum { ROOM = 16384 };

void give_up(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vdprintf(STDERR_FILENO, format, arguments);
    va_end(arguments);
    (void)dprintf(STDERR_FILENO, "\n");
    _exit(1);
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void pause_ms(long milliseconds)
{
    struct timespec pause = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static void relieve(trial_t *trial)
{
    if (!trial->relieved && trial->has_begun()) {
        trial->relieved = true;
        trial->relieve();
    }
}

static void note(trial_t *trial, const char *name)
{
    size_t used = strlen(trial->seen);
    if (strstr(trial->seen, name) == NULL) {
        (void)snprintf(trial->seen + used, sizeof trial->seen - used, "%s%s", used == 0 ? "" : ",", name);
    }
}

/* Whether to ask again: not after a success. Anything but a want of memory, descriptors or threads is wrong, and so is any after the
 * relief. */
static bool is_refused(trial_t *trial, mcc_status_t status, const char *what, int *attempts)
{
    if (status == MCC_OK) {
        return false;
    }
    note(trial, mcc_status_name(status));
    if (mcc_status_class(status) != MCC_CLASS_RESOURCE || trial->relieved) {
        give_up("%s gave %s%s", what, mcc_status_name(status), trial->relieved ? " after the relief" : "");
    }
    pause_ms(PAUSE_MS);
    if (++*attempts >= ATTEMPTS) {
        relieve(trial);
    }
    return true;
}

#define EVENTUALLY(trial, call)                                              \
    do {                                                                     \
        int attempts_ = 0;                                                   \
        while (is_refused((trial), (call), #call, &attempts_)) {             \
        }                                                                    \
    } while (0)

/* ---- certificates: read once, before anything is short ---- */

typedef struct {
    uint8_t bytes[ROOM];
    size_t size;
} file_t;

static file_t ca, client_certificate, client_key;

static void read_file(file_t *file, const char *name)
{
    if (file->size != 0) {
        return;
    }
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", MCC_TEST_CERTIFICATES, name);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = read(descriptor, file->bytes, sizeof file->bytes);
    close(descriptor);
    if (size <= 0 || size == ROOM) {
        give_up("%s cannot be read: the test c.certificates makes it", path);
    }
    file->size = (size_t)size;
}

__attribute__((constructor)) static void read_files(void)
{
    read_file(&ca, "ca.pem");
    read_file(&client_certificate, "client.der");
    read_file(&client_key, "client-key.der");
}

/* ---- connections ---- */

typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    mcc_context_t *driven;
    mcc_state_t state;
    mcc_status_t reason;
    unsigned waits;
    unsigned messages;
    unsigned pings_over;
    unsigned failed;
    bool closed;
} watcher_t;

static void watch(void *argument, const mcc_event_t *event)
{
    watcher_t *watcher = argument;
    pthread_mutex_lock(&watcher->mutex);
    switch (event->type) {
    case MCC_EVENT_STATE:
        watcher->state = event->data.state.state;
        watcher->closed = watcher->closed || watcher->state == MCC_STATE_CLOSED;
        if (watcher->state == MCC_STATE_WAITING) {
            watcher->reason = event->data.state.reason;
            watcher->waits++;
        }
        break;
    case MCC_EVENT_MESSAGE:
        watcher->messages++;
        break;
    case MCC_EVENT_PING_ANSWERED:
    case MCC_EVENT_PING_LOST:
        watcher->pings_over++;
        break;
    case MCC_EVENT_FAILED:
        watcher->failed++;
        break;
    default:
        break;
    }
    pthread_cond_broadcast(&watcher->changed);
    pthread_mutex_unlock(&watcher->mutex);
}

static bool is_ready(const watcher_t *watcher)
{
    return watcher->state == MCC_STATE_READY;
}

static bool is_closed(const watcher_t *watcher)
{
    return watcher->closed;
}

/* Waits until something is so, for this long. */
static bool await(watcher_t *watcher, bool (*is_so)(const watcher_t *watcher), long timeout_ms)
{
    uint64_t until = now_ms() + (uint64_t)timeout_ms;
    pthread_mutex_lock(&watcher->mutex);
    while (!is_so(watcher) && now_ms() < until) {
        if (watcher->driven != NULL) {
            pthread_mutex_unlock(&watcher->mutex);
            (void)mcc_context_process(watcher->driven, 5);
            pthread_mutex_lock(&watcher->mutex);
            continue;
        }
        struct timespec moment = {.tv_sec = (time_t)(until / 1000), .tv_nsec = (long)(until % 1000) * 1000000};
        pthread_cond_timedwait(&watcher->changed, &watcher->mutex, &moment);
    }
    bool result = is_so(watcher);
    pthread_mutex_unlock(&watcher->mutex);
    return result;
}

/* The same, for as long as anything may take, with a relief if it does not come by itself. */
static void await_relieving(trial_t *trial, watcher_t *watcher, bool (*is_so)(const watcher_t *watcher), const char *otherwise)
{
    uint64_t until = now_ms() + SOON_MS;
    while (!await(watcher, is_so, SHORT_MS)) {
        if (now_ms() > until) {
            give_up("%s: state %d, %s", otherwise, (int)watcher->state, mcc_status_name(watcher->reason));
        }
        relieve(trial);
    }
}

/* Why it waits; what is no consequence of a shortage fails. */
static void note_reason(trial_t *trial, watcher_t *watcher)
{
    pthread_mutex_lock(&watcher->mutex);
    mcc_status_t reason = watcher->reason;
    pthread_mutex_unlock(&watcher->mutex);
    if (reason == MCC_OK) {
        return;
    }
    note(trial, mcc_status_name(reason));
    mcc_error_class_t class = mcc_status_class(reason);
    if (class != MCC_CLASS_RESOURCE && class != MCC_CLASS_NAME) {
        give_up("the connection waits because of %s", mcc_status_name(reason));
    }
}

/* It is ready, before the relief or soon after it. */
static void await_ready(trial_t *trial, watcher_t *watcher)
{
    await_relieving(trial, watcher, is_ready, "the connection is not ready");
    note_reason(trial, watcher);
}

static void begin_watcher(watcher_t *watcher)
{
    memset(watcher, 0, sizeof *watcher);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watcher->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&watcher->mutex, NULL);
    watcher->state = MCC_STATE_RESOLVING;
}

static void end_watcher(watcher_t *watcher)
{
    pthread_cond_destroy(&watcher->changed);
    pthread_mutex_destroy(&watcher->mutex);
}

static unsigned messages_wanted, pings_wanted, outcomes_wanted;

static bool has_message_or_failure(const watcher_t *watcher)
{
    return watcher->messages >= messages_wanted || watcher->failed >= outcomes_wanted;
}

static bool has_ping_outcome(const watcher_t *watcher)
{
    return watcher->pings_over >= pings_wanted;
}

/* Sends a message until its echo has come. */
static void exchange(trial_t *trial, mcc_connection_t *connection, watcher_t *watcher, size_t size)
{
    static uint8_t message[ROOM];
    static uint16_t message_id = 1;
    memset(message, 0x5a, sizeof message);
    const unsigned before = watcher->messages;
    uint64_t until = now_ms() + SOON_MS;
    int attempts = 0;
    do {
        if (now_ms() > until) {
            give_up("no echo of %zu bytes came", size);
        }
        const uint8_t header[] = {0x42, 0x02, (uint8_t)(message_id >> 8), (uint8_t)message_id, 0x5a, 0x5a, 0xff};
        memcpy(message, header, sizeof header);
        message_id++;
        messages_wanted = before + 1;
        outcomes_wanted = watcher->failed + 1;
        mcc_status_t status = mcc_connection_send(connection, message, size, NULL);
        if (status == MCC_ERR_NOT_CONNECTED) {
            await_ready(trial, watcher);
            continue;
        }
        if (status != MCC_OK) {
            (void)is_refused(trial, status, "mcc_connection_send", &attempts);
            continue;
        }
        if (!await(watcher, has_message_or_failure, trial->relieved ? 2000 : SHORT_MS)) {
            relieve(trial);
        } else if (watcher->messages == before) {
            pause_ms(PAUSE_MS);
            if (++attempts >= ATTEMPTS) {
                relieve(trial);
            }
        }
        note_reason(trial, watcher);
    } while (watcher->messages == before);
}

static void ping(trial_t *trial, mcc_connection_t *connection, watcher_t *watcher)
{
    for (int attempts = 0;;) {
        pings_wanted = watcher->pings_over + 1;
        mcc_status_t status = mcc_connection_ping(connection);
        if (status == MCC_ERR_NOT_CONNECTED) {
            await_ready(trial, watcher);
        } else if (!is_refused(trial, status, "mcc_connection_ping", &attempts)) {
            await_relieving(trial, watcher, has_ping_outcome, "a ping has no outcome");
            return;
        }
    }
}

/* A message and a ping over a connection, which then is closed. */
static void use_connection(trial_t *trial, mcc_context_t *context, mcc_context_t *driven, const mcc_tls_options_t *tls, const char *scheme,
                           const char *host, uint32_t transport)
{
    char uri[64];
    (void)snprintf(uri, sizeof uri, "%s://%s:%u", scheme, host, trial->port);
    watcher_t watcher;
    begin_watcher(&watcher);
    watcher.driven = driven;
    mcc_connection_options_t options = MCC_CONNECTION_OPTIONS_INIT;
    options.uri = uri;
    options.tls = tls;
    options.transport = transport;
    options.callback = watch;
    options.argument = &watcher;
    options.keepalive_interval_s = MCC_KEEPALIVE_OFF;
    options.backoff_base_ms = 20;
    options.backoff_cap_s = 1;
    options.peer_closed_wait_ms = 20;
    options.handshake_timeout_ms = 5000;
    mcc_connection_t *connection = NULL;
    EVENTUALLY(trial, mcc_connection_open(context, &options, &connection));
    await_ready(trial, &watcher);
    exchange(trial, connection, &watcher, 40);
    exchange(trial, connection, &watcher, transport == MCC_TRANSPORT_UDP ? 900 : 9000);
    ping(trial, connection, &watcher);
    EVENTUALLY(trial, mcc_connection_set_keepalive(connection, 300));
    mcc_connection_stats_t stats = MCC_CONNECTION_STATS_INIT;
    EVENTUALLY(trial, mcc_connection_stats(connection, &stats));
    static uint8_t state[MCC_KEEPALIVE_STATE_MAX_SIZE];
    size_t state_size = 0;
    EVENTUALLY(trial, mcc_connection_keepalive_state(connection, state, sizeof state, &state_size));
    mcc_connection_close(connection);
    await_relieving(trial, &watcher, is_closed, "the connection was not reported as closed");
    end_watcher(&watcher);
}

static void use_context(trial_t *trial, bool own_thread, bool secure, const char *host, uint32_t transport, unsigned connections)
{
    mcc_context_options_t context_options = MCC_CONTEXT_OPTIONS_INIT;
    context_options.own_thread = own_thread;
    mcc_tls_options_t tls = MCC_TLS_OPTIONS_INIT;
    tls.ca = ca.bytes;
    tls.ca_size = ca.size;
    tls.certificate = client_certificate.bytes;
    tls.certificate_size = client_certificate.size;
    tls.key = client_key.bytes;
    tls.key_size = client_key.size;
    mcc_context_t *context = NULL;
    EVENTUALLY(trial, mcc_context_new(&context_options, &context));
    for (unsigned count = 0; count < connections; count++) {
        use_connection(trial, context, own_thread ? NULL : context, secure ? &tls : NULL, secure ? "coaps" : "coap", host, transport);
    }
    mcc_context_free(context);
}

static void use_tcp(trial_t *trial)
{
    use_context(trial, true, false, "127.0.0.1", MCC_TRANSPORT_TCP, 2);
}

static void use_driven(trial_t *trial)
{
    use_context(trial, false, false, "127.0.0.1", MCC_TRANSPORT_TCP, 1);
}

static void use_name(trial_t *trial)
{
    use_context(trial, true, false, "localhost", MCC_TRANSPORT_TCP, 1);
}

static void use_tls(trial_t *trial)
{
    use_context(trial, true, true, "127.0.0.1", MCC_TRANSPORT_TCP, 1);
}

static void use_dtls(trial_t *trial)
{
    use_context(trial, true, true, "127.0.0.1", MCC_TRANSPORT_UDP, 1);
}

/* ---- the keepalive alone ---- */

static void use_keepalive(trial_t *trial)
{
    mcc_keepalive_options_t options = MCC_KEEPALIVE_OPTIONS_INIT;
    options.interval_s = 60;
    mcc_keepalive_t *keepalives[40];
    for (size_t index = 0; index < sizeof keepalives / sizeof keepalives[0]; index++) {
        EVENTUALLY(trial, mcc_keepalive_new(&options, &keepalives[index]));
        EVENTUALLY(trial, mcc_keepalive_on_sent(keepalives[index], 1000));
        uint64_t next = 0;
        uint8_t bytes[4];
        size_t size = 0;
        if (mcc_keepalive_poll(keepalives[index], 100000, &next, bytes, &size) != MCC_KEEPALIVE_SEND_PING || size != sizeof bytes) {
            give_up("no ping is due");
        }
        const uint8_t reset[] = {0x70, 0, bytes[2], bytes[3]};
        if (!mcc_coap_ping_matches(reset, sizeof reset, (uint16_t)(bytes[2] << 8 | bytes[3]))) {
            give_up("the answer to a ping does not match");
        }
        EVENTUALLY(trial, mcc_keepalive_on_received(keepalives[index], 100001, reset, sizeof reset));
    }
    for (size_t index = 0; index < sizeof keepalives / sizeof keepalives[0]; index++) {
        mcc_keepalive_free(keepalives[index]);
    }
}

/* ---- the network check ---- */

static void take_result(void *argument, const mcc_netcheck_result_t *result)
{
    unsigned *results = argument;
    *results += result->type == MCC_NETCHECK_SUMMARY;
}

static void use_netcheck(trial_t *trial)
{
    mcc_netcheck_endpoint_t endpoint = MCC_NETCHECK_ENDPOINT_INIT;
    endpoint.host = "device.test";
    endpoint.tcp_port = trial->port;
    mcc_netcheck_endpoint_t address = MCC_NETCHECK_ENDPOINT_INIT;
    address.host = "127.0.0.1";
    address.tcp_port = trial->port;
    const mcc_netcheck_endpoint_t *endpoints[] = {&endpoint, &address};
    const char *resolvers[] = {"127.0.0.1:1"};
    mcc_netcheck_options_t options = MCC_NETCHECK_OPTIONS_INIT;
    options.timeout_ms = 100;
    options.allow_private_addresses = 1;
    options.endpoints = endpoints;
    options.endpoint_count = 2;
    options.resolvers = resolvers;
    options.resolver_count = 1;
    unsigned summaries = 0;
    EVENTUALLY(trial, mcc_netcheck_run(&options, take_result, &summaries));
    if (summaries != 1) {
        give_up("the network check gave %u summaries", summaries);
    }
}

#ifdef MCC_TEST_PAL
/* ---- the client's functions ---- */

static const struct {
    palStatus_t status;
    const char *name;
} shortages[] = {{PAL_ERR_NO_MEMORY, "PAL_ERR_NO_MEMORY"},
                 {PAL_ERR_SOCKET_NO_BUFFERS, "PAL_ERR_SOCKET_NO_BUFFERS"},
                 {PAL_ERR_SOCKET_ALLOCATION_FAILED, "PAL_ERR_SOCKET_ALLOCATION_FAILED"},
                 {PAL_ERR_CREATION_FAILED, "PAL_ERR_CREATION_FAILED"},
                 {PAL_ERR_SOCKET_DNS_ERROR, "PAL_ERR_SOCKET_DNS_ERROR"}};

static bool pal_is_refused(trial_t *trial, palStatus_t status, const char *what, int *attempts)
{
    if (status == PAL_SUCCESS) {
        return false;
    }
    for (size_t index = 0; index < sizeof shortages / sizeof shortages[0]; index++) {
        if (status == shortages[index].status && !trial->relieved) {
            note(trial, shortages[index].name);
            pause_ms(PAUSE_MS);
            if (++*attempts >= ATTEMPTS) {
                relieve(trial);
            }
            return true;
        }
    }
    give_up("%s gave %d%s", what, (int)status, trial->relieved ? " after the relief" : "");
}

#define PAL_EVENTUALLY(trial, call)                                          \
    do {                                                                     \
        int attempts_ = 0;                                                   \
        while (pal_is_refused((trial), (call), #call, &attempts_)) {         \
        }                                                                    \
    } while (0)

static void ignore(void *argument)
{
    (void)argument;
}

static void ignore_status(palNetworkStatus_t status, void *argument)
{
    (void)status;
    (void)argument;
}

static palSocketAddress_t loopback_address(uint16_t port)
{
    palSocketAddress_t address;
    memset(&address, 0, sizeof address);
    palIpV4Addr_t localhost = {127, 0, 0, 1};
    if (pal_setSockAddrIPV4Addr(&address, localhost) != PAL_SUCCESS || pal_setSockAddrPort(&address, port) != PAL_SUCCESS) {
        give_up("no address");
    }
    return address;
}

enum { ADDRESS_SIZE = sizeof(palSocketAddress_t) };

/* Repeats a call that does not wait until it is done. */
#define PAL_UNTIL_DONE(trial, call, waits, other)                                                  \
    do {                                                                                           \
        uint64_t until_ = now_ms() + SOON_MS;                                                      \
        int attempts_ = 0;                                                                         \
        for (;;) {                                                                                 \
            palStatus_t status_ = (call);                                                          \
            if (status_ == (waits) || status_ == (other)) {                                        \
                if (now_ms() > until_) {                                                           \
                    give_up("%s is not done", #call);                                              \
                }                                                                                  \
                pause_ms(1);                                                                       \
            } else if (!pal_is_refused((trial), status_, #call, &attempts_)) {                     \
                break;                                                                             \
            }                                                                                      \
        }                                                                                          \
    } while (0)

static uint16_t bound_port(palSocket_t socket)
{
    struct sockaddr_in own;
    socklen_t size = sizeof own;
    if (getsockname((int)(intptr_t)socket, (struct sockaddr *)&own, &size) != 0) {
        give_up("getsockname");
    }
    return ntohs(own.sin_port);
}

static void close_socket(palSocket_t *socket)
{
    palStatus_t status = pal_close(socket);
    if (status != PAL_SUCCESS) {
        give_up("pal_close gave %d", (int)status);
    }
}

static void use_pal(trial_t *trial)
{
    PAL_EVENTUALLY(trial, pal_plat_socketsInit(NULL));
    palSocket_t listener = 0, client = 0, server = 0, datagrams = 0;
    palSocketAddress_t address = loopback_address(0), from;
    palSocketLength_t length = ADDRESS_SIZE;
    PAL_EVENTUALLY(trial, pal_asynchronousSocketWithArgument(PAL_AF_INET, PAL_SOCK_STREAM_SERVER, true, 0, ignore, NULL, &listener));
    PAL_EVENTUALLY(trial, pal_bind(listener, &address, ADDRESS_SIZE));
    PAL_EVENTUALLY(trial, pal_listen(listener, 4));
    address = loopback_address(bound_port(listener));
    PAL_EVENTUALLY(trial, pal_asynchronousSocketWithArgument(PAL_AF_INET, PAL_SOCK_STREAM, true, 0, ignore, NULL, &client));
    PAL_UNTIL_DONE(trial, pal_connect(client, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_IN_PROGRES, PAL_ERR_SOCKET_WOULD_BLOCK);
    PAL_UNTIL_DONE(trial, pal_accept(listener, &from, &length, &server, ignore, NULL), PAL_ERR_SOCKET_WOULD_BLOCK, PAL_ERR_SOCKET_WOULD_BLOCK);
    char bytes[16] = "hello";
    size_t size = 0;
    PAL_EVENTUALLY(trial, pal_send(client, bytes, 5, &size));
    PAL_UNTIL_DONE(trial, pal_recv(server, bytes, sizeof bytes, &size), PAL_ERR_SOCKET_WOULD_BLOCK, PAL_ERR_SOCKET_WOULD_BLOCK);
    if (size != 5) {
        give_up("%zu bytes came", size);
    }
    PAL_EVENTUALLY(trial, pal_asynchronousSocket(PAL_AF_INET, PAL_SOCK_DGRAM, true, 0, ignore, &datagrams));
    address = loopback_address(0);
    PAL_EVENTUALLY(trial, pal_bind(datagrams, &address, ADDRESS_SIZE));
    address = loopback_address(bound_port(datagrams));
    PAL_EVENTUALLY(trial, pal_sendTo(datagrams, bytes, 5, &address, ADDRESS_SIZE, &size));
    PAL_UNTIL_DONE(trial, pal_receiveFrom(datagrams, bytes, sizeof bytes, &from, &length, &size), PAL_ERR_SOCKET_WOULD_BLOCK,
                   PAL_ERR_SOCKET_WOULD_BLOCK);
    PAL_EVENTUALLY(trial, pal_getAddressInfo("localhost", &address, &length));
    char name[] = "lo";
    uint32_t index = 0;
    palNetInterfaceInfo_t info;
    PAL_EVENTUALLY(trial, pal_registerNetworkInterface(name, &index));
    PAL_EVENTUALLY(trial, pal_getNetInterfaceInfo(index, &info));
    mcc_pal_enable_connection_status(true);
    PAL_EVENTUALLY(trial, pal_setConnectionStatusCallback(index, ignore_status, NULL));
    PAL_EVENTUALLY(trial, pal_setConnectionStatusCallback(index, NULL, NULL));
    mcc_pal_enable_connection_status(false);
    PAL_EVENTUALLY(trial, pal_unregisterNetworkInterface(index));
    close_socket(&datagrams);
    close_socket(&server);
    close_socket(&client);
    close_socket(&listener);
    PAL_EVENTUALLY(trial, pal_plat_socketsTerminate(NULL));
}

/* A session of TLS or DTLS, up to an echo; false: a step was refused, and all of it is to be done again. */
static bool use_session(trial_t *trial, palTLSTransportMode_t mode, int *attempts)
{
    palTLSConfHandle_t configuration = 0;
    palTLSHandle_t session = 0;
    palSocket_t socket = 0;
    palSocketAddress_t address = loopback_address(trial->port), any = loopback_address(0);
    palX509_t chain = {.buffer = ca.bytes, .size = (uint32_t)ca.size};
    palX509_t certificate = {.buffer = client_certificate.bytes, .size = (uint32_t)client_certificate.size};
    palPrivateKey_t key = {0};
    PAL_EVENTUALLY(trial, pal_initTLSConfiguration(&configuration, mode));
    pal_enableSslSessionStoring(configuration, true);
    PAL_EVENTUALLY(trial, pal_setCAChain(configuration, &chain, NULL));
    PAL_EVENTUALLY(trial, pal_initPrivateKey(client_key.bytes, client_key.size, &key));
    PAL_EVENTUALLY(trial, pal_setOwnPrivateKey(configuration, &key));
    PAL_EVENTUALLY(trial, pal_setOwnCertChain(configuration, &certificate));
    PAL_EVENTUALLY(trial, pal_initTLS(configuration, &session, false));
    if (mode == PAL_TLS_MODE) {
        PAL_EVENTUALLY(trial, pal_asynchronousSocketWithArgument(PAL_AF_INET, PAL_SOCK_STREAM, true, 0, ignore, NULL, &socket));
        PAL_UNTIL_DONE(trial, pal_connect(socket, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_IN_PROGRES, PAL_ERR_SOCKET_WOULD_BLOCK);
    } else {
        PAL_EVENTUALLY(trial, pal_setHandShakeTimeOut(configuration, 1000, 8000));
        PAL_EVENTUALLY(trial, pal_asynchronousSocketWithArgument(PAL_AF_INET, PAL_SOCK_DGRAM, true, 0, ignore, NULL, &socket));
        PAL_EVENTUALLY(trial, pal_bind(socket, &any, ADDRESS_SIZE));
    }
    palTLSSocket_t tls_socket = {.socket = socket, .socketAddress = &address, .addressLength = ADDRESS_SIZE, .transportationMode = mode};
    PAL_EVENTUALLY(trial, pal_tlsSetSocket(configuration, &tls_socket));
    uint64_t until = now_ms() + SOON_MS;
    palStatus_t status;
    static uint8_t bytes[1000], back[1100];
    uint32_t size = 0;
    enum { SHAKE_HANDS, WRITE, READ, DONE } step = SHAKE_HANDS;
    while (step != DONE) {
        switch (step) {
        case SHAKE_HANDS:
            status = pal_handShake(session, configuration, false);
            break;
        case WRITE:
            status = pal_sslWrite(session, configuration, bytes, sizeof bytes, &size);
            break;
        default:
            status = pal_sslRead(session, back, sizeof back, &size);
        }
        if (status == PAL_SUCCESS) {
            step++;
        } else if (status != PAL_ERR_TLS_WANT_READ && status != PAL_ERR_TLS_WANT_WRITE) {
            break;
        } else if (now_ms() > until) {
            give_up("step %d of a session is not done", (int)step);
        } else {
            pause_ms(1);
        }
    }
    if (pal_freeTLS(&session) != PAL_SUCCESS) {
        give_up("pal_freeTLS");
    }
    blocks_kept++;
    close_socket(&socket);
    if (pal_tlsConfigurationFree(&configuration) != PAL_SUCCESS) {
        give_up("pal_tlsConfigurationFree");
    }
    if (step == DONE && size != sizeof bytes) {
        give_up("%u bytes came back", size);
    }
    return step == DONE || !pal_is_refused(trial, status, step == SHAKE_HANDS ? "pal_handShake" : "pal_sslRead or pal_sslWrite", attempts);
}

static void use_pal_sessions(trial_t *trial, palTLSTransportMode_t mode)
{
    PAL_EVENTUALLY(trial, pal_plat_socketsInit(NULL));
    PAL_EVENTUALLY(trial, pal_initTLSLibrary());
    for (int count = 0; count < 2; count++) {
        int attempts = 0;
        while (!use_session(trial, mode, &attempts)) {
        }
    }
    pal_remove_cid();
    PAL_EVENTUALLY(trial, pal_cleanupTLS());
    PAL_EVENTUALLY(trial, pal_plat_socketsTerminate(NULL));
}

static void use_pal_tls(trial_t *trial)
{
    use_pal_sessions(trial, PAL_TLS_MODE);
}

static void use_pal_dtls(trial_t *trial)
{
    use_pal_sessions(trial, PAL_DTLS_MODE);
}
#endif

unsigned blocks_kept;

const scenario_t scenarios[] = {{"tcp", use_tcp},           {"driven", use_driven},     {"name", use_name}, {"tls", use_tls},
                                {"dtls", use_dtls},         {"keepalive", use_keepalive}, {"netcheck", use_netcheck},
#ifdef MCC_TEST_PAL
                                {"pal", use_pal},           {"pal_tls", use_pal_tls},   {"pal_dtls", use_pal_dtls},
#endif
};
const size_t scenario_count = sizeof scenarios / sizeof scenarios[0];
