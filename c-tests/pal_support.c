/* SPDX-License-Identifier: Apache-2.0 */

#define _GNU_SOURCE
#include "pal_support.h"

#include <errno.h>
#include <time.h>

/* ---- callbacks ---- */

void calls_begin(calls_t *calls)
{
    memset(calls, 0, sizeof *calls);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&calls->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&calls->mutex, NULL);
}

void calls_end(calls_t *calls)
{
    pthread_cond_destroy(&calls->changed);
    pthread_mutex_destroy(&calls->mutex);
}

void count_call(void *argument)
{
    calls_t *calls = argument;
    pthread_mutex_lock(&calls->mutex);
    calls->running++;
    void (*reaction)(calls_t *) = calls->reaction;
    pthread_mutex_unlock(&calls->mutex);
    if (reaction != NULL) {
        reaction(calls);
    }
    pthread_mutex_lock(&calls->mutex);
    calls->running--;
    calls->count++;
    pthread_cond_broadcast(&calls->changed);
    pthread_mutex_unlock(&calls->mutex);
}

unsigned calls_so_far(calls_t *calls)
{
    pthread_mutex_lock(&calls->mutex);
    unsigned count = calls->count;
    pthread_mutex_unlock(&calls->mutex);
    return count;
}

void await_calls(calls_t *calls, unsigned count)
{
    uint64_t moment_ms = milliseconds_now() + SOON_MS;
    struct timespec until = {.tv_sec = (time_t)(moment_ms / 1000), .tv_nsec = (long)(moment_ms % 1000) * 1000000};
    pthread_mutex_lock(&calls->mutex);
    while (calls->count < count && pthread_cond_timedwait(&calls->changed, &calls->mutex, &until) == 0) {
    }
    unsigned seen = calls->count;
    pthread_mutex_unlock(&calls->mutex);
    if (seen < count) {
        print_error("%u callbacks of %u came\n", seen, count);
    }
    assert_true(seen >= count);
}

/* What happens to this socket comes behind what has happened to others: twice, as a round may be under way. */
void settle(void)
{
    calls_t calls;
    calls_begin(&calls);
    uint16_t port;
    palSocket_t socket = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls, &port);
    for (unsigned round = 1; round <= 2; round++) {
        send_datagram(socket, PAL_AF_INET, port, "x", 1);
        await_calls(&calls, round);
    }
    close_socket(&socket);
    calls_end(&calls);
}

void expect_calls(calls_t *calls, unsigned count)
{
    await_calls(calls, count);
    settle();
    assert_int_equal(calls_so_far(calls), count);
}

/* ---- sockets ---- */

int descriptor_of(palSocket_t socket)
{
    return (int)(intptr_t)socket;
}

palSocket_t make_socket(palSocketDomain_t domain, palSocketType_t type, calls_t *calls)
{
    palSocket_t socket = NULL;
    assert_pal(pal_asynchronousSocketWithArgument(domain, type, true, 0, count_call, calls, &socket), PAL_SUCCESS);
    assert_true(descriptor_of(socket) > 2);
    return socket;
}

palSocket_t bind_socket(palSocketDomain_t domain, palSocketType_t type, calls_t *calls, uint16_t *port)
{
    palSocket_t socket = make_socket(domain, type, calls);
    palSocketAddress_t address = loopback(domain, 0);
    assert_pal(pal_bind(socket, &address, ADDRESS_SIZE), PAL_SUCCESS);
    *port = port_of(socket);
    return socket;
}

void close_socket(palSocket_t *socket)
{
    assert_pal(pal_close(socket), PAL_SUCCESS);
    assert_ptr_equal(*socket, CLOSED_SOCKET);
}

palSocketAddress_t loopback(palSocketDomain_t domain, uint16_t port)
{
    palSocketAddress_t address;
    memset(&address, 0, sizeof address);
    palIpV4Addr_t ipv4 = {127, 0, 0, 1};
    palIpV6Addr_t ipv6 = {0};
    ipv6[15] = 1;
    if (domain == PAL_AF_INET) {
        assert_pal(pal_setSockAddrIPV4Addr(&address, ipv4), PAL_SUCCESS);
    } else {
        assert_pal(pal_setSockAddrIPV6Addr(&address, ipv6), PAL_SUCCESS);
    }
    assert_pal(pal_setSockAddrPort(&address, port), PAL_SUCCESS);
    return address;
}

uint16_t port_of(palSocket_t socket)
{
    struct sockaddr_in6 address;
    socklen_t size = sizeof address;
    assert_int_equal(getsockname(descriptor_of(socket), (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin6_port);
}

void send_datagram(palSocket_t from, palSocketDomain_t domain, uint16_t port, const void *bytes, size_t size)
{
    palSocketAddress_t to = loopback(domain, port);
    size_t sent = 77;
    assert_pal(pal_sendTo(from, bytes, size, &to, ADDRESS_SIZE, &sent), PAL_SUCCESS);
    assert_int_equal(sent, size);
}

void expect_no_socket(palSocket_t handle)
{
    const palSocketDomain_t domains[] = {PAL_AF_INET, PAL_AF_INET6};
    palSocket_t accepted = CLOSED_SOCKET;
    palSocketLength_t length = ADDRESS_SIZE;
    size_t size = 99;
    char bytes[] = "untouched";
    bool non_blocking = false;
    int value = 1;
    calls_t calls;
    calls_begin(&calls);
    for (size_t index = 0; index < 2; index++) {
        palSocketAddress_t address = loopback(domains[index], 0);
        assert_pal(pal_bind(handle, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_INVALID_VALUE);
        assert_pal(pal_setSockAddrPort(&address, 9), PAL_SUCCESS);
        palSocketAddress_t before = address;
        assert_pal(pal_connect(handle, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_INVALID_VALUE);
        assert_pal(pal_sendTo(handle, bytes, sizeof bytes, &address, ADDRESS_SIZE, &size), PAL_ERR_SOCKET_INVALID_VALUE);
        assert_pal(pal_receiveFrom(handle, bytes, sizeof bytes, &address, &length, &size), PAL_ERR_SOCKET_INVALID_VALUE);
        assert_pal(pal_accept(handle, &address, &length, &accepted, count_call, &calls), PAL_ERR_SOCKET_INVALID_VALUE);
        assert_memory_equal(&address, &before, sizeof address);
    }
    assert_pal(pal_listen(handle, 1), PAL_ERR_SOCKET_INVALID_VALUE);
    assert_pal(pal_send(handle, bytes, sizeof bytes, &size), PAL_ERR_SOCKET_INVALID_VALUE);
    assert_pal(pal_send(handle, bytes, 0, &size), PAL_ERR_SOCKET_INVALID_VALUE);
    assert_pal(pal_recv(handle, bytes, sizeof bytes, &size), PAL_ERR_SOCKET_INVALID_VALUE);
    assert_pal(pal_recv(handle, bytes, 0, &size), PAL_ERR_SOCKET_INVALID_VALUE);
    assert_pal(pal_isNonBlocking(handle, &non_blocking), PAL_ERR_SOCKET_INVALID_VALUE);
    assert_pal(pal_setSocketOptions(handle, PAL_SO_REUSEADDR, &value, sizeof value), PAL_ERR_SOCKET_INVALID_VALUE);
    assert_pal(pal_setSocketOptions(handle, PAL_SO_RCVTIMEO, &value, sizeof value), PAL_ERR_SOCKET_INVALID_VALUE);
    assert_pal(pal_setSocketOptionsWithLevel(handle, PAL_SOL_SOCKET, PAL_SO_KEEPALIVE, &value, sizeof value), PAL_ERR_SOCKET_INVALID_VALUE);
    assert_pal(pal_setSocketOptionsWithLevel(handle, PAL_SOL_IPPROTO_IPV6, PAL_SO_IPV6_TRAFFIC_CLASS, &value, sizeof value),
               PAL_ERR_SOCKET_INVALID_VALUE);
    assert_int_equal(size, 99);
    assert_int_equal(length, ADDRESS_SIZE);
    assert_ptr_equal(accepted, CLOSED_SOCKET);
    assert_string_equal(bytes, "untouched");
    assert_false(non_blocking);
    assert_int_equal(calls_so_far(&calls), 0);
    calls_end(&calls);
}

void connect_pair(pair_t *pair, palSocketDomain_t domain)
{
    calls_begin(&pair->client_calls);
    calls_begin(&pair->server_calls);
    calls_begin(&pair->listener_calls);
    uint16_t port;
    pair->listener = bind_socket(domain, PAL_SOCK_STREAM_SERVER, &pair->listener_calls, &port);
    assert_pal(pal_listen(pair->listener, 4), PAL_SUCCESS);
    pair->client = make_socket(domain, PAL_SOCK_STREAM, &pair->client_calls);
    palSocketAddress_t address = loopback(domain, port);
    assert_pal(pal_connect(pair->client, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_IN_PROGRES);
    await_calls(&pair->client_calls, 1);
    await_calls(&pair->listener_calls, 1);
    palSocketLength_t length = ADDRESS_SIZE;
    assert_pal(pal_accept(pair->listener, &address, &length, &pair->server, count_call, &pair->server_calls), PAL_SUCCESS);
    assert_int_equal(length, ADDRESS_SIZE);
}

void close_pair(pair_t *pair)
{
    close_socket(&pair->client);
    close_socket(&pair->server);
    close_socket(&pair->listener);
    calls_end(&pair->client_calls);
    calls_end(&pair->server_calls);
    calls_end(&pair->listener_calls);
}

/* ---- fixtures ---- */

static size_t descriptors_before;

int pal_setup(void **state)
{
    *state = NULL;
    descriptors_before = count_descriptors();
    return pal_plat_socketsInit(NULL) == PAL_SUCCESS ? 0 : -1;
}

int pal_teardown(void **state)
{
    (void)state;
    if (pal_plat_socketsTerminate(NULL) != PAL_SUCCESS) {
        return -1;
    }
    /* A test that failed leaves its sockets. */
    if (count_descriptors() != descriptors_before) {
        print_error("%zu descriptors are left of %zu before\n", count_descriptors(), descriptors_before);
        return -1;
    }
    return 0;
}

void assert_pal_at(palStatus_t actual, palStatus_t expected, const char *what, const char *file, int line)
{
    if (actual != expected) {
        print_error("%s gave %d, not %d\n", what, actual, expected);
    }
    _assert_int_equal((unsigned long long)(long long)actual, (unsigned long long)(long long)expected, file, line);
}
