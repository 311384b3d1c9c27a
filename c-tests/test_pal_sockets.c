/* The sockets of the PAL: what each call says, and what each callback tells.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "pal_support.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- addresses ---- */

static void addresses_hold_what_the_system_s_own_do(void **state)
{
    (void)state;
    palSocketAddress_t address;
    memset(&address, 0xA5, sizeof address);
    palIpV4Addr_t ipv4 = {192, 0, 2, 7};
    assert_pal(pal_setSockAddrIPV4Addr(&address, ipv4), PAL_SUCCESS);
    assert_pal(pal_setSockAddrPort(&address, 5684), PAL_SUCCESS);
    struct sockaddr_in in;
    memcpy(&in, &address, sizeof in);
    assert_int_equal(in.sin_family, AF_INET);
    assert_int_equal(ntohs(in.sin_port), 5684);
    assert_int_equal(ntohl(in.sin_addr.s_addr), 0xC0000207);
    palIpV4Addr_t read4 = {0};
    uint16_t port = 0;
    assert_pal(pal_getSockAddrIPV4Addr(&address, read4), PAL_SUCCESS);
    assert_memory_equal(read4, ipv4, 4);
    assert_pal(pal_getSockAddrPort(&address, &port), PAL_SUCCESS);
    assert_int_equal(port, 5684);

    /* The port set before stays, whatever comes first. */
    palIpV6Addr_t ipv6 = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
    assert_pal(pal_setSockAddrIPV6Addr(&address, ipv6), PAL_SUCCESS);
    struct sockaddr_in6 in6;
    memcpy(&in6, &address, sizeof in6);
    assert_int_equal(in6.sin6_family, AF_INET6);
    assert_int_equal(ntohs(in6.sin6_port), 5684);
    assert_memory_equal(&in6.sin6_addr, ipv6, 16);
    palIpV6Addr_t read6 = {0};
    assert_pal(pal_getSockAddrIPV6Addr(&address, read6), PAL_SUCCESS);
    assert_memory_equal(read6, ipv6, 16);
    in6.sin6_scope_id = 3;
    memcpy(&address, &in6, sizeof in6);
    assert_pal(pal_setSockAddrIPV6Addr(&address, ipv6), PAL_SUCCESS);
    memcpy(&in6, &address, sizeof in6);
    assert_int_equal(in6.sin6_scope_id, 3);

    /* RFC 6052 section 2.4: 192.0.2.33 is 64:ff9b::192.0.2.33. */
    palIpV4Addr_t example = {192, 0, 2, 33};
    palIpV6Addr_t mapped = {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 33};
    assert_pal(pal_setSockAddrNAT64Addr(&address, example), PAL_SUCCESS);
    assert_pal(pal_getSockAddrIPV6Addr(&address, read6), PAL_SUCCESS);
    assert_memory_equal(read6, mapped, 16);
}

static void a_wrong_family_is_told_before_a_null_pointer(void **state)
{
    (void)state;
    palSocketAddress_t ipv4 = loopback(PAL_AF_INET, 1);
    palSocketAddress_t ipv6 = loopback(PAL_AF_INET6, 1);
    palSocketAddress_t none = ipv4;
    none.addressType = PAL_AF_UNSPEC;
    uint16_t port = 7;
    assert_pal(pal_getSockAddrIPV6Addr(&ipv4, NULL), PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY);
    assert_pal(pal_getSockAddrIPV4Addr(&ipv6, NULL), PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY);
    assert_pal(pal_getSockAddrIPV4Addr(&ipv4, NULL), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_getSockAddrIPV6Addr(&ipv6, NULL), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_getSockAddrPort(&none, &port), PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY);
    assert_pal(pal_setSockAddrPort(&none, 1), PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY);
    assert_int_equal(port, 7);
}

/* ---- datagrams ---- */

static void receive_one(palSocket_t socket, palSocketDomain_t domain, uint16_t from_port, const char *expected)
{
    char buffer[64];
    size_t size = 99;
    palSocketAddress_t from;
    palSocketLength_t length = 0;
    assert_pal(pal_receiveFrom(socket, buffer, sizeof buffer, &from, &length, &size), PAL_SUCCESS);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(buffer, expected, size);
    assert_int_equal(length, domain == PAL_AF_INET ? 16 : 28);
    assert_int_equal(from.addressType, domain);
    palSocketAddress_t whole = loopback(domain, from_port);
    assert_memory_equal(&from, &whole, sizeof from);
}

static void a_datagram_is_one_callback_and_tells_its_sender(void **state)
{
    (void)state;
    const palSocketDomain_t domains[] = {PAL_AF_INET, PAL_AF_INET6};
    for (size_t index = 0; index < 2; index++) {
        palSocketDomain_t domain = domains[index];
        calls_t left_calls, right_calls;
        calls_begin(&left_calls);
        calls_begin(&right_calls);
        uint16_t left_port, right_port;
        palSocket_t left = bind_socket(domain, PAL_SOCK_DGRAM, &left_calls, &left_port);
        palSocket_t right = bind_socket(domain, PAL_SOCK_DGRAM, &right_calls, &right_port);
        for (unsigned count = 1; count <= 100; count++) {
            send_datagram(left, domain, right_port, "hello", 5);
            expect_calls(&right_calls, count);
            receive_one(right, domain, left_port, "hello");
            size_t size = 99;
            assert_pal(pal_receiveFrom(right, &size, sizeof size, NULL, NULL, &size), PAL_ERR_SOCKET_WOULD_BLOCK);
            assert_int_equal(size, 99);
        }
        assert_int_equal(calls_so_far(&left_calls), 0);
        /* Both may be null; an empty datagram is one too. */
        char byte;
        size_t size = 99;
        send_datagram(left, domain, right_port, "", 0);
        expect_calls(&right_calls, 101);
        assert_pal(pal_receiveFrom(right, &byte, 1, NULL, NULL, &size), PAL_SUCCESS);
        assert_int_equal(size, 0);
        send_datagram(left, domain, right_port, "", 0);
        expect_calls(&right_calls, 102);
        assert_pal(pal_recv(right, &byte, 1, &size), PAL_SUCCESS);
        assert_int_equal(size, 0);
        close_socket(&left);
        close_socket(&right);
        calls_end(&left_calls);
        calls_end(&right_calls);
    }
}

static char cut_log[200];
static atomic_int cut_log_lines;

static void take_log(void *argument, mcc_log_level_t level, const char *message)
{
    (void)argument;
    if (level <= MCC_LOG_WARNING && strstr(message, "cut") != NULL) {
        snprintf(cut_log, sizeof cut_log, "%s", message);
        atomic_fetch_add(&cut_log_lines, 1);
    }
}

static void a_datagram_longer_than_the_buffer_gives_its_first_bytes(void **state)
{
    (void)state;
    calls_t calls;
    calls_begin(&calls);
    uint16_t port;
    palSocket_t socket = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls, &port);
    mcc_log_set(take_log, NULL, MCC_LOG_WARNING);
    for (unsigned count = 1; count <= 2; count++) {
        send_datagram(socket, PAL_AF_INET, port, "0123456789", 10);
        await_calls(&calls, count);
        char buffer[5] = "....";
        size_t size = 99;
        palSocketAddress_t from;
        palSocketLength_t length;
        if (count == 1) {
            assert_pal(pal_receiveFrom(socket, buffer, 4, &from, &length, &size), PAL_SUCCESS);
        } else {
            assert_pal(pal_recv(socket, buffer, 4, &size), PAL_SUCCESS);
        }
        assert_int_equal(size, 4);
        assert_string_equal(buffer, "0123");
        assert_pal(pal_recv(socket, buffer, 4, &size), PAL_ERR_SOCKET_WOULD_BLOCK);
        assert_int_equal(atomic_load(&cut_log_lines), count);
    }
    mcc_log_set(NULL, NULL, MCC_LOG_OFF);
    assert_non_null(strstr(cut_log, "10 bytes was cut to 4"));
    close_socket(&socket);
    calls_end(&calls);
}

static void a_connected_datagram_socket_hears_its_peer_only_and_its_refusal(void **state)
{
    (void)state;
    calls_t calls, peer_calls, stranger_calls;
    calls_begin(&calls);
    calls_begin(&peer_calls);
    calls_begin(&stranger_calls);
    uint16_t port, peer_port, stranger_port;
    palSocket_t socket = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls, &port);
    palSocket_t peer = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &peer_calls, &peer_port);
    palSocket_t stranger = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &stranger_calls, &stranger_port);
    palSocketAddress_t address = loopback(PAL_AF_INET, peer_port);
    assert_pal(pal_connect(socket, &address, ADDRESS_SIZE), PAL_SUCCESS);
    send_datagram(stranger, PAL_AF_INET, port, "no", 2);
    settle();
    assert_int_equal(calls_so_far(&calls), 0);
    send_datagram(peer, PAL_AF_INET, port, "yes", 3);
    expect_calls(&calls, 1);
    receive_one(socket, PAL_AF_INET, peer_port, "yes");
    size_t size = 99;
    assert_pal(pal_send(socket, "back", 4, &size), PAL_SUCCESS);
    assert_int_equal(size, 4);
    expect_calls(&peer_calls, 1);
    receive_one(peer, PAL_AF_INET, port, "back");

    close_socket(&peer);
    assert_pal(pal_send(socket, "back", 4, &size), PAL_SUCCESS);
    expect_calls(&calls, 2);
    size = 99;
    assert_pal(pal_recv(socket, &address, sizeof address, &size), PAL_ERR_SOCKET_CONNECTION_RESET);
    assert_int_equal(size, 99);
    assert_pal(pal_recv(socket, &address, sizeof address, &size), PAL_ERR_SOCKET_WOULD_BLOCK);
    close_socket(&socket);
    close_socket(&stranger);
    calls_end(&calls);
    calls_end(&peer_calls);
    calls_end(&stranger_calls);
}

static void a_datagram_too_large_is_told(void **state)
{
    (void)state;
    calls_t calls;
    calls_begin(&calls);
    uint16_t port;
    palSocket_t socket = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls, &port);
    palSocketAddress_t to = loopback(PAL_AF_INET, port);
    static char large[70000];
    size_t sent = 99;
    assert_pal(pal_sendTo(socket, large, sizeof large, &to, ADDRESS_SIZE, &sent), PAL_ERR_SOCKET_SEND_BUFFER_TOO_BIG);
    assert_int_equal(sent, 99);
    expect_calls(&calls, 0);
    close_socket(&socket);
    calls_end(&calls);
}

/* ---- connects ---- */

static void expect_flags(palSocket_t socket)
{
    assert_true(fcntl(descriptor_of(socket), F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(descriptor_of(socket), F_GETFD) & FD_CLOEXEC);
    int value = 0;
    socklen_t size = sizeof value;
    assert_int_equal(getsockopt(descriptor_of(socket), IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
    assert_int_not_equal(value, 0);
    bool non_blocking = false;
    assert_pal(pal_isNonBlocking(socket, &non_blocking), PAL_SUCCESS);
    assert_true(non_blocking);
}

static void a_connect_ends_in_one_callback_and_success_is_told_once(void **state)
{
    (void)state;
    const palSocketDomain_t domains[] = {PAL_AF_INET, PAL_AF_INET6};
    for (size_t index = 0; index < 2; index++) {
        pair_t pair;
        connect_pair(&pair, domains[index]);
        palSocketAddress_t address = loopback(domains[index], port_of(pair.listener));
        expect_calls(&pair.client_calls, 1);
        assert_pal(pal_connect(pair.client, &address, ADDRESS_SIZE), PAL_SUCCESS);
        assert_pal(pal_connect(pair.client, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_ALREADY_CONNECTED);
        assert_pal(pal_connect(pair.client, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_ALREADY_CONNECTED);
        expect_calls(&pair.client_calls, 1);
        expect_calls(&pair.server_calls, 0);
        expect_calls(&pair.listener_calls, 1);
        expect_flags(pair.client);
        expect_flags(pair.server);
        expect_flags(pair.listener);
        close_pair(&pair);
    }
}

static void success_told_before_the_callback_still_has_its_callback(void **state)
{
    (void)state;
    calls_t listener_calls, calls;
    calls_begin(&listener_calls);
    calls_begin(&calls);
    uint16_t port;
    palSocket_t listener = bind_socket(PAL_AF_INET, PAL_SOCK_STREAM, &listener_calls, &port);
    assert_pal(pal_listen(listener, 100), PAL_SUCCESS);
    palSocketAddress_t address = loopback(PAL_AF_INET, port);
    for (unsigned count = 1; count <= 100; count++) {
        palSocket_t socket = make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &calls);
        palStatus_t status = pal_connect(socket, &address, ADDRESS_SIZE);
        assert_pal(status, PAL_ERR_SOCKET_IN_PROGRES);
        /* Over loopback it stands at once, mostly before the callback. */
        while (status == PAL_ERR_SOCKET_IN_PROGRES) {
            status = pal_connect(socket, &address, ADDRESS_SIZE);
        }
        assert_pal(status, PAL_SUCCESS);
        expect_calls(&calls, count);
        close_socket(&socket);
    }
    close_socket(&listener);
    calls_end(&listener_calls);
    calls_end(&calls);
}

static void a_refused_connect_says_so_by_callback_and_status_and_can_be_repeated(void **state)
{
    (void)state;
    calls_t calls;
    calls_begin(&calls);
    palSocket_t socket = make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &calls);
    palSocketAddress_t address = loopback(PAL_AF_INET, free_port());
    for (unsigned count = 1; count <= 20; count++) {
        assert_pal(pal_connect(socket, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_IN_PROGRES);
        expect_calls(&calls, count);
        assert_pal(pal_connect(socket, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_CONNECTION_RESET);
    }
    /* And it can still be connected. */
    calls_t listener_calls;
    calls_begin(&listener_calls);
    uint16_t port;
    palSocket_t listener = bind_socket(PAL_AF_INET, PAL_SOCK_STREAM, &listener_calls, &port);
    assert_pal(pal_listen(listener, 1), PAL_SUCCESS);
    address = loopback(PAL_AF_INET, port);
    assert_pal(pal_connect(socket, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_IN_PROGRES);
    expect_calls(&calls, 21);
    assert_pal(pal_connect(socket, &address, ADDRESS_SIZE), PAL_SUCCESS);
    close_socket(&socket);
    close_socket(&listener);
    calls_end(&calls);
    calls_end(&listener_calls);
}

/* A listener that takes no more connections: what connects to it stays pending. Plain sockets, so that it tells nothing. */
static int full_listener(int fillers[4], palSocketAddress_t *address)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof in;
    assert_int_equal(bind(listener, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&in, &size), 0);
    for (int index = 0; index < 4; index++) {
        fillers[index] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fillers[index], (struct sockaddr *)&in, sizeof in);
    }
    sleep_ms(50);
    *address = loopback(PAL_AF_INET, ntohs(in.sin_port));
    return listener;
}

enum { MOST = 1000 };

static void a_pending_connect_is_never_told_as_connected(void **state)
{
    (void)state;
    int fillers[4];
    palSocketAddress_t address;
    int listener = full_listener(fillers, &address);
    static palSocket_t sockets[MOST];
    const unsigned many = times(MOST);
    calls_t calls;
    calls_begin(&calls);
    for (unsigned index = 0; index < many; index++) {
        sockets[index] = make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &calls);
        assert_pal(pal_connect(sockets[index], &address, ADDRESS_SIZE), PAL_ERR_SOCKET_IN_PROGRES);
    }
    for (unsigned index = 0; index < many; index++) {
        size_t size = 99;
        assert_pal(pal_connect(sockets[index], &address, ADDRESS_SIZE), PAL_ERR_SOCKET_IN_PROGRES);
        assert_pal(pal_send(sockets[index], "x", 1, &size), PAL_ERR_SOCKET_WOULD_BLOCK);
        assert_int_equal(size, 99);
    }
    expect_calls(&calls, 0);
    for (unsigned index = 0; index < many; index++) {
        close_socket(&sockets[index]);
    }
    expect_calls(&calls, 0);
    close(listener);
    for (int index = 0; index < 4; index++) {
        close(fillers[index]);
    }
    calls_end(&calls);
}

static void a_socket_that_was_just_made_or_bound_tells_nothing(void **state)
{
    (void)state;
    static palSocket_t sockets[4 * MOST];
    const unsigned many = 4 * times(MOST);
    calls_t calls;
    calls_begin(&calls);
    uint16_t port;
    for (unsigned index = 0; index < many; index += 4) {
        sockets[index] = make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &calls);
        sockets[index + 1] = bind_socket(PAL_AF_INET, PAL_SOCK_STREAM_SERVER, &calls, &port);
        sockets[index + 2] = make_socket(PAL_AF_INET6, PAL_SOCK_DGRAM, &calls);
        sockets[index + 3] = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls, &port);
    }
    /* Nor does one that listens. */
    for (unsigned index = 1; index < many; index += 4) {
        assert_pal(pal_listen(sockets[index], 1), PAL_SUCCESS);
    }
    expect_calls(&calls, 0);
    for (unsigned index = 0; index < many; index++) {
        close_socket(&sockets[index]);
    }
    expect_calls(&calls, 0);
    calls_end(&calls);
}

static void a_socket_that_is_not_connected_says_so(void **state)
{
    (void)state;
    calls_t calls;
    calls_begin(&calls);
    palSocket_t socket = make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &calls);
    char byte = 0;
    size_t size = 99;
    assert_pal(pal_recv(socket, &byte, 1, &size), PAL_ERR_SOCKET_NOT_CONNECTED);
    assert_pal(pal_send(socket, &byte, 1, &size), PAL_ERR_SOCKET_CONNECTION_RESET);
    assert_int_equal(size, 99);
    close_socket(&socket);
    socket = make_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls);
    assert_pal(pal_send(socket, &byte, 1, &size), PAL_ERR_SOCKET_GENERIC); /* EDESTADDRREQ */
    assert_pal(pal_listen(socket, 1), PAL_ERR_SOCKET_GENERIC);             /* EOPNOTSUPP */
    close_socket(&socket);
    calls_end(&calls);
}

/* ---- streams ---- */

static void bytes_are_told_and_read_until_nothing_is_left(void **state)
{
    (void)state;
    pair_t pair;
    connect_pair(&pair, PAL_AF_INET);
    char buffer[8];
    size_t size = 99;
    assert_pal(pal_recv(pair.server, buffer, sizeof buffer, &size), PAL_ERR_SOCKET_WOULD_BLOCK);
    assert_int_equal(size, 99);
    for (unsigned count = 1; count <= 50; count++) {
        assert_pal(pal_send(pair.client, "0123456789", 10, &size), PAL_SUCCESS);
        assert_int_equal(size, 10);
        expect_calls(&pair.server_calls, count);
        assert_pal(pal_recv(pair.server, buffer, 8, &size), PAL_SUCCESS);
        assert_int_equal(size, 8);
        palSocketLength_t length = 77;
        palSocketAddress_t from;
        assert_pal(pal_receiveFrom(pair.server, buffer, 8, &from, &length, &size), PAL_SUCCESS);
        assert_int_equal(size, 2);
        assert_int_equal(length, 0);
        assert_pal(pal_recv(pair.server, buffer, 8, &size), PAL_ERR_SOCKET_WOULD_BLOCK);
    }
    /* No bytes are no end. */
    assert_pal(pal_send(pair.client, "x", 1, &size), PAL_SUCCESS);
    assert_pal(pal_send(pair.client, "", 0, &size), PAL_SUCCESS);
    assert_int_equal(size, 0);
    expect_calls(&pair.server_calls, 51);
    assert_pal(pal_recv(pair.server, buffer, 0, &size), PAL_SUCCESS);
    assert_int_equal(size, 0);
    /* `sendTo` on a stream goes to its peer. */
    palSocketAddress_t anywhere = loopback(PAL_AF_INET, 1);
    assert_pal(pal_sendTo(pair.client, "y", 1, &anywhere, ADDRESS_SIZE, &size), PAL_SUCCESS);
    expect_calls(&pair.server_calls, 52);
    assert_pal(pal_recv(pair.server, buffer, 8, &size), PAL_SUCCESS);
    assert_int_equal(size, 2);
    expect_calls(&pair.client_calls, 1);
    close_pair(&pair);
}

static void the_peer_s_end_is_one_callback_and_size_zero(void **state)
{
    (void)state;
    pair_t pair;
    connect_pair(&pair, PAL_AF_INET);
    size_t size = 99;
    char buffer[8];
    assert_pal(pal_send(pair.server, "last", 4, &size), PAL_SUCCESS);
    expect_calls(&pair.client_calls, 2);
    close_socket(&pair.server);
    expect_calls(&pair.client_calls, 3);
    assert_pal(pal_recv(pair.client, buffer, 8, &size), PAL_SUCCESS);
    assert_int_equal(size, 4);
    for (int round = 0; round < 3; round++) {
        size = 99;
        assert_pal(pal_recv(pair.client, buffer, 8, &size), PAL_ERR_SOCKET_CONNECTION_CLOSED);
        assert_int_equal(size, 0);
        size = 99;
        assert_pal(pal_receiveFrom(pair.client, buffer, 8, NULL, NULL, &size), PAL_ERR_SOCKET_CONNECTION_CLOSED);
        assert_int_equal(size, 0);
    }
    /* The first write meets a socket that is gone, the next ones its reset: no signal, whatever is set for SIGPIPE. */
    assert_pal(pal_send(pair.client, "x", 1, &size), PAL_SUCCESS);
    await_calls(&pair.client_calls, 4);
    assert_pal(pal_send(pair.client, "x", 1, &size), PAL_ERR_SOCKET_CONNECTION_RESET);
    assert_pal(pal_send(pair.client, "x", 1, &size), PAL_ERR_SOCKET_CONNECTION_RESET);
    close_pair(&pair);
}

static void a_reset_is_told_and_said(void **state)
{
    (void)state;
    pair_t pair;
    connect_pair(&pair, PAL_AF_INET6);
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(descriptor_of(pair.server), SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    close_socket(&pair.server);
    expect_calls(&pair.client_calls, 2);
    size_t size = 99;
    char buffer[8];
    assert_pal(pal_recv(pair.client, buffer, 8, &size), PAL_ERR_SOCKET_CONNECTION_RESET);
    assert_int_equal(size, 99);
    close_pair(&pair);
}

static size_t fill(palSocket_t socket)
{
    static const char block[16384];
    size_t total = 0;
    for (;;) {
        size_t sent = 0;
        palStatus_t status = pal_send(socket, block, sizeof block, &sent);
        if (status == PAL_ERR_SOCKET_WOULD_BLOCK) {
            return total;
        }
        assert_pal(status, PAL_SUCCESS);
        assert_true(sent > 0);
        total += sent;
    }
}

static void drain(palSocket_t socket, calls_t *calls, size_t total)
{
    static char block[65536];
    while (total > 0) {
        size_t size = 0;
        unsigned before = calls_so_far(calls);
        palStatus_t status = pal_recv(socket, block, sizeof block, &size);
        if (status == PAL_ERR_SOCKET_WOULD_BLOCK) {
            await_calls(calls, before + 1);
            continue;
        }
        assert_pal(status, PAL_SUCCESS);
        assert_true(size <= total);
        total -= size;
    }
}

static void room_to_write_is_told_after_there_was_none_and_only_then(void **state)
{
    (void)state;
    pair_t pair;
    connect_pair(&pair, PAL_AF_INET);
    unsigned told = 1;
    for (int round = 0; round < 5; round++) {
        size_t total = fill(pair.client);
        assert_true(total > 0);
        expect_calls(&pair.client_calls, told);
        drain(pair.server, &pair.server_calls, total);
        await_calls(&pair.client_calls, ++told);
        size_t sent = 0;
        assert_pal(pal_send(pair.client, "x", 1, &sent), PAL_SUCCESS);
        drain(pair.server, &pair.server_calls, 1);
        settle();
        assert_int_equal(calls_so_far(&pair.client_calls), told);
    }
    close_pair(&pair);
}

/* A block that does not fit counts as no room: whoever waits for the callback then must get it. */
static void a_write_cut_short_is_told_when_there_is_room(void **state)
{
    (void)state;
    pair_t pair;
    connect_pair(&pair, PAL_AF_INET);
    enum { SIZE = 32 << 20 };
    char *large = calloc(1, SIZE);
    assert_non_null(large);
    size_t sent = 0;
    assert_pal(pal_send(pair.client, large, SIZE, &sent), PAL_SUCCESS);
    assert_in_range(sent, 1, SIZE - 1);
    expect_calls(&pair.client_calls, 1);
    drain(pair.server, &pair.server_calls, sent);
    await_calls(&pair.client_calls, 2);
    free(large);
    close_pair(&pair);
}

/* ---- accepting ---- */

static void accepted_sockets_have_callbacks_of_their_own(void **state)
{
    (void)state;
    calls_t listener_calls, client_calls;
    calls_begin(&listener_calls);
    calls_begin(&client_calls);
    uint16_t port;
    palSocket_t listener = bind_socket(PAL_AF_INET, PAL_SOCK_STREAM_SERVER, &listener_calls, &port);
    assert_pal(pal_listen(listener, 20), PAL_SUCCESS);
    palSocketAddress_t address = loopback(PAL_AF_INET, port);
    palSocketLength_t length = ADDRESS_SIZE;
    palSocket_t accepted = (palSocket_t)(intptr_t)77;
    calls_t unused;
    calls_begin(&unused);
    assert_pal(pal_accept(listener, &address, &length, &accepted, count_call, &unused), PAL_ERR_SOCKET_WOULD_BLOCK);
    assert_ptr_equal(accepted, (palSocket_t)(intptr_t)77);
    assert_int_equal(length, ADDRESS_SIZE);

    enum { COUNT = 10 };
    palSocket_t clients[COUNT], servers[COUNT];
    calls_t calls[COUNT];
    for (unsigned index = 0; index < COUNT; index++) {
        calls_begin(&calls[index]);
        clients[index] = make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &client_calls);
        address = loopback(PAL_AF_INET, port);
        assert_pal(pal_connect(clients[index], &address, ADDRESS_SIZE), PAL_ERR_SOCKET_IN_PROGRES);
        await_calls(&client_calls, index + 1);
        await_calls(&listener_calls, index + 1);
        /* Too little room: refused, and the connection waits on. */
        length = ADDRESS_SIZE - 1;
        assert_pal(pal_accept(listener, &address, &length, &accepted, count_call, &calls[index]), PAL_ERR_INVALID_ARGUMENT);
        length = ADDRESS_SIZE + index;
        assert_pal(pal_accept(listener, &address, &length, &servers[index], count_call, &calls[index]), PAL_SUCCESS);
        assert_int_equal(length, ADDRESS_SIZE);
        palSocketAddress_t expected = loopback(PAL_AF_INET, port_of(clients[index]));
        assert_memory_equal(&address, &expected, sizeof address);
        expect_flags(servers[index]);
    }
    for (unsigned index = 0; index < COUNT; index++) {
        size_t sent;
        assert_pal(pal_send(clients[index], "x", 1, &sent), PAL_SUCCESS);
        expect_calls(&calls[index], 1);
    }
    expect_calls(&listener_calls, COUNT);
    assert_int_equal(calls_so_far(&unused), 0);
    for (unsigned index = 0; index < COUNT; index++) {
        assert_int_equal(calls_so_far(&calls[index]), 1);
        close_socket(&clients[index]);
        close_socket(&servers[index]);
        calls_end(&calls[index]);
    }
    /* What was sent before it was accepted is told too. */
    palSocket_t early = make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &client_calls);
    address = loopback(PAL_AF_INET, port);
    size_t sent;
    assert_pal(pal_connect(early, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_IN_PROGRES);
    await_calls(&client_calls, COUNT + 1);
    assert_pal(pal_send(early, "x", 1, &sent), PAL_SUCCESS);
    length = ADDRESS_SIZE;
    assert_pal(pal_accept(listener, &address, &length, &accepted, count_call, &unused), PAL_SUCCESS);
    expect_calls(&unused, 1);
    close_socket(&early);
    close_socket(&accepted);
    close_socket(&listener);
    calls_end(&listener_calls);
    calls_end(&client_calls);
    calls_end(&unused);
}

/* ---- closing ---- */

static void closing_sets_the_variable_and_can_be_repeated(void **state)
{
    (void)state;
    calls_t calls;
    calls_begin(&calls);
    palSocket_t socket = make_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls);
    palSocket_t copy = socket;
    close_socket(&socket);
    close_socket(&socket);
    close_socket(&socket);
    assert_pal(pal_close(&copy), PAL_ERR_SOCKET_INVALID_VALUE);
    /* 0 is no socket: standard input stays open. */
    bool had_input = fcntl(0, F_GETFD) >= 0;
    palSocket_t none = NULL;
    assert_pal(pal_close(&none), PAL_SUCCESS);
    assert_int_equal(fcntl(0, F_GETFD) >= 0, had_input);
    calls_end(&calls);
}

typedef struct {
    calls_t calls;
    palSocket_t socket;
    palSocket_t *other;
    atomic_int result;
} closer_t;

static void close_own(calls_t *calls)
{
    closer_t *closer = calls->reaction_argument;
    int descriptor = descriptor_of(closer->socket);
    uint16_t port = port_of(closer->socket);
    palStatus_t status = pal_close(&closer->socket);
    bool gone = fcntl(descriptor, F_GETFD) == -1;
    /* Its address is free again at once, in the callback already. */
    static calls_t unused;
    calls_begin(&unused);
    palSocket_t next = make_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &unused);
    palSocketAddress_t address = loopback(PAL_AF_INET, port);
    palStatus_t bound = pal_bind(next, &address, ADDRESS_SIZE);
    close_socket(&next);
    calls_end(&unused);
    atomic_store(&closer->result, status == PAL_SUCCESS && gone && bound == PAL_SUCCESS ? 1 : -1);
}

static void a_socket_is_closed_in_its_own_callback(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        closer_t closer = {.result = 0};
        calls_begin(&closer.calls);
        closer.calls.reaction = close_own;
        closer.calls.reaction_argument = &closer;
        uint16_t port;
        closer.socket = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &closer.calls, &port);
        send_datagram(closer.socket, PAL_AF_INET, port, "x", 1);
        expect_calls(&closer.calls, 1);
        assert_int_equal(atomic_load(&closer.result), 1);
        assert_ptr_equal(closer.socket, CLOSED_SOCKET);
        calls_end(&closer.calls);
    }
}

static void close_other(calls_t *calls)
{
    closer_t *closer = calls->reaction_argument;
    atomic_store(&closer->result, pal_close(closer->other) == PAL_SUCCESS ? 1 : -1);
}

static void a_socket_is_closed_in_the_callback_of_another_and_never_called_again(void **state)
{
    (void)state;
    /* Both have something to tell; whoever comes first closes the other, whose callback must not come then. */
    for (int round = 0; round < 200; round++) {
        closer_t left = {.result = 0}, right = {.result = 0};
        closer_t *both[] = {&left, &right};
        uint16_t ports[2];
        for (int index = 0; index < 2; index++) {
            calls_begin(&both[index]->calls);
            both[index]->calls.reaction = close_other;
            both[index]->calls.reaction_argument = both[index];
            both[index]->socket = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &both[index]->calls, &ports[index]);
        }
        left.other = &right.socket;
        right.other = &left.socket;
        calls_t sender_calls;
        calls_begin(&sender_calls);
        palSocket_t sender = make_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &sender_calls);
        send_datagram(sender, PAL_AF_INET, ports[0], "x", 1);
        send_datagram(sender, PAL_AF_INET, ports[1], "x", 1);
        settle();
        assert_int_equal(calls_so_far(&left.calls) + calls_so_far(&right.calls), 1);
        assert_int_equal(atomic_load(&left.result) + atomic_load(&right.result), 1);
        close_socket(&left.socket);
        close_socket(&right.socket);
        close_socket(&sender);
        calls_end(&left.calls);
        calls_end(&right.calls);
        calls_end(&sender_calls);
    }
}

/* Freed as soon as its socket is closed: a callback after that is a write to freed memory, which valgrind and the sanitizers see, and
 * the mark does without them. */
typedef struct {
    atomic_int alive;
    atomic_int inside;
} fragile_t;

static atomic_uint fragile_calls;
static atomic_uint fragile_faults;

static void touch_fragile(void *argument)
{
    fragile_t *fragile = argument;
    atomic_store(&fragile->inside, 1);
    if (atomic_load(&fragile->alive) != 1) {
        atomic_fetch_add(&fragile_faults, 1);
    }
    sched_yield();
    if (atomic_load(&fragile->alive) != 1) {
        atomic_fetch_add(&fragile_faults, 1);
    }
    atomic_store(&fragile->inside, 0);
    atomic_fetch_add(&fragile_calls, 1);
}

static void closing_waits_for_the_callback_that_runs(void **state)
{
    (void)state;
    const unsigned rounds = times(10000);
    calls_t sender_calls;
    calls_begin(&sender_calls);
    palSocket_t sender = make_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &sender_calls);
    unsigned before = atomic_load(&fragile_calls);
    for (unsigned round = 0; round < rounds; round++) {
        fragile_t *fragile = malloc(sizeof *fragile);
        assert_non_null(fragile);
        atomic_init(&fragile->alive, 1);
        atomic_init(&fragile->inside, 0);
        palSocket_t socket = NULL;
        palSocketAddress_t address = loopback(PAL_AF_INET, 0);
        assert_pal(pal_asynchronousSocketWithArgument(PAL_AF_INET, PAL_SOCK_DGRAM, true, 0, touch_fragile, fragile, &socket),
                   PAL_SUCCESS);
        assert_pal(pal_bind(socket, &address, ADDRESS_SIZE), PAL_SUCCESS);
        send_datagram(sender, PAL_AF_INET, port_of(socket), "x", 1);
        /* Of three rounds, one closes while the callback runs, one about when it begins, one before. */
        if (round % 3 == 0) {
            uint64_t until = milliseconds_now() + SOON_MS;
            while (atomic_load(&fragile->inside) == 0 && atomic_load(&fragile_calls) == before && milliseconds_now() < until) {
                sched_yield();
            }
        } else if (round % 3 == 1) {
            sched_yield();
        }
        close_socket(&socket);
        assert_int_equal(atomic_load(&fragile->inside), 0);
        before = atomic_load(&fragile_calls);
        atomic_store(&fragile->alive, 0);
        free(fragile);
    }
    assert_int_equal(atomic_load(&fragile_faults), 0);
    assert_true(atomic_load(&fragile_calls) > rounds / 4);
    close_socket(&sender);
    calls_end(&sender_calls);
}

/* ---- how many ---- */

static void the_sixth_socket_and_ten_thousand_more_have_their_own_callbacks(void **state)
{
    (void)state;
    const unsigned many = times(10000);
    palSocket_t *sockets = calloc(many, sizeof *sockets);
    calls_t *calls = calloc(many, sizeof *calls);
    uint16_t *ports = calloc(many, sizeof *ports);
    assert_non_null(sockets);
    assert_non_null(calls);
    assert_non_null(ports);
    for (unsigned index = 0; index < many; index++) {
        calls_begin(&calls[index]);
        sockets[index] = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls[index], &ports[index]);
    }
    calls_t sender_calls;
    calls_begin(&sender_calls);
    palSocket_t sender = make_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &sender_calls);
    for (unsigned index = 0; index < many; index++) {
        send_datagram(sender, PAL_AF_INET, ports[index], &index, sizeof index);
    }
    for (unsigned index = 0; index < many; index++) {
        await_calls(&calls[index], 1);
    }
    settle();
    for (unsigned index = 0; index < many; index++) {
        assert_int_equal(calls_so_far(&calls[index]), 1);
        unsigned content = 0;
        size_t size = 0;
        assert_pal(pal_recv(sockets[index], &content, sizeof content, &size), PAL_SUCCESS);
        assert_int_equal(content, index);
    }
    assert_int_equal(calls_so_far(&sender_calls), 0);
    for (unsigned index = 0; index < many; index++) {
        close_socket(&sockets[index]);
        calls_end(&calls[index]);
    }
    close_socket(&sender);
    calls_end(&sender_calls);
    free(sockets);
    free(calls);
    free(ports);
}

static atomic_int null_calls;

static void expect_null(void *argument)
{
    atomic_fetch_add(&null_calls, argument == NULL ? 1 : 1000);
}

static void a_callback_without_argument_gets_null(void **state)
{
    (void)state;
    palSocket_t socket = NULL;
    assert_pal(pal_asynchronousSocket(PAL_AF_INET, PAL_SOCK_DGRAM, true, PAL_NET_DEFAULT_INTERFACE, expect_null, &socket), PAL_SUCCESS);
    palSocketAddress_t address = loopback(PAL_AF_INET, 0);
    assert_pal(pal_bind(socket, &address, 16), PAL_SUCCESS);
    send_datagram(socket, PAL_AF_INET, port_of(socket), "x", 1);
    settle();
    assert_int_equal(atomic_load(&null_calls), 1);
    close_socket(&socket);
}

/* ---- options and estimates ---- */

static int option(palSocket_t socket, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    assert_int_equal(getsockopt(descriptor_of(socket), level, name, &value, &size), 0);
    return value;
}

static long timeout_ms(palSocket_t socket, int name)
{
    struct timeval value = {.tv_sec = -1, .tv_usec = 0};
    socklen_t size = sizeof value;
    assert_int_equal(getsockopt(descriptor_of(socket), SOL_SOCKET, name, &value, &size), 0);
    return value.tv_sec * 1000 + value.tv_usec / 1000;
}

static void options_reach_the_system(void **state)
{
    (void)state;
    calls_t calls;
    calls_begin(&calls);
    palSocket_t socket = make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &calls);
    /* One caller says that its value has 8 bytes. */
    union {
        int value;
        char room[8];
    } wide = {.value = 1};
    assert_pal(pal_setSocketOptions(socket, PAL_SO_REUSEADDR, &wide, 8), PAL_SUCCESS);
    assert_int_not_equal(option(socket, SOL_SOCKET, SO_REUSEADDR), 0);
    assert_pal(pal_setSocketOptions(socket, PAL_SO_KEEPALIVE, &wide, 4), PAL_SUCCESS);
    assert_int_not_equal(option(socket, SOL_SOCKET, SO_KEEPALIVE), 0);
    wide.value = 0;
    assert_pal(pal_setSocketOptionsWithLevel(socket, PAL_SOL_SOCKET, PAL_SO_KEEPALIVE, &wide, 8), PAL_SUCCESS);
    assert_int_equal(option(socket, SOL_SOCKET, SO_KEEPALIVE), 0);
    wide.value = 61;
    assert_pal(pal_setSocketOptions(socket, PAL_SO_KEEPIDLE, &wide, 8), PAL_SUCCESS);
    assert_int_equal(option(socket, IPPROTO_TCP, TCP_KEEPIDLE), 61);
    wide.value = 17;
    assert_pal(pal_setSocketOptions(socket, PAL_SO_KEEPINTVL, &wide, 4), PAL_SUCCESS);
    assert_int_equal(option(socket, IPPROTO_TCP, TCP_KEEPINTVL), 17);
    wide.value = 1500;
    assert_pal(pal_setSocketOptions(socket, PAL_SO_SNDTIMEO, &wide, 4), PAL_SUCCESS);
    assert_pal(pal_setSocketOptions(socket, PAL_SO_RCVTIMEO, &wide, 8), PAL_SUCCESS);
    assert_in_range(timeout_ms(socket, SO_SNDTIMEO), 1496, 1504);
    assert_in_range(timeout_ms(socket, SO_RCVTIMEO), 1496, 1504);
    wide.value = 0;
    assert_pal(pal_setSocketOptions(socket, PAL_SO_RCVTIMEO, &wide, 4), PAL_SUCCESS);
    assert_int_equal(timeout_ms(socket, SO_RCVTIMEO), 0);
    /* Not on IPv4. */
    int16_t hops = 7;
    assert_pal(pal_setSocketOptionsWithLevel(socket, PAL_SOL_IPPROTO_IPV6, PAL_SO_IPV6_MULTICAST_HOPS, &hops, 2), PAL_ERR_NOT_SUPPORTED);
    assert_pal(pal_setSocketOptionsWithLevel(socket, PAL_SOL_IPPROTO_IPV6, PAL_SO_IPV6_TRAFFIC_CLASS, &hops, 2), PAL_ERR_NOT_SUPPORTED);
    close_socket(&socket);

    socket = make_socket(PAL_AF_INET6, PAL_SOCK_DGRAM, &calls);
    assert_pal(pal_setSocketOptionsWithLevel(socket, PAL_SOL_IPPROTO_IPV6, PAL_SO_IPV6_MULTICAST_HOPS, &hops, 2), PAL_SUCCESS);
    assert_int_equal(option(socket, IPPROTO_IPV6, IPV6_MULTICAST_HOPS), 7);
    int class = 0xB8;
    assert_pal(pal_setSocketOptionsWithLevel(socket, PAL_SOL_IPPROTO_IPV6, PAL_SO_IPV6_TRAFFIC_CLASS, &class, 4), PAL_SUCCESS);
    assert_int_equal(option(socket, IPPROTO_IPV6, IPV6_TCLASS), 0xB8);
    close_socket(&socket);
    calls_end(&calls);
}

static void option_values_of_every_length_and_range_have_their_status(void **state)
{
    (void)state;
    calls_t calls;
    calls_begin(&calls);
    palSocket_t socket = make_socket(PAL_AF_INET6, PAL_SOCK_STREAM, &calls);
    const int names[] = {PAL_SO_REUSEADDR, PAL_SO_KEEPALIVE, PAL_SO_KEEPIDLE, PAL_SO_KEEPINTVL, PAL_SO_SNDTIMEO, PAL_SO_RCVTIMEO};
    for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
        for (palSocketLength_t length = 0; length <= 16; length++) {
            int value[4] = {5, -1, -1, -1};
            palStatus_t expected = length < 4 ? PAL_ERR_SOCKET_INVALID_VALUE : PAL_SUCCESS;
            assert_pal(pal_setSocketOptions(socket, names[index], value, length), expected);
            assert_pal(pal_setSocketOptionsWithLevel(socket, PAL_SOL_SOCKET, names[index], value, length), expected);
            /* At a level that it is not of. */
            assert_pal(pal_setSocketOptionsWithLevel(socket, PAL_SOL_IPPROTO_IPV6, names[index], value, length),
                       PAL_ERR_SOCKET_OPTION_NOT_SUPPORTED);
        }
    }
    close_socket(&socket);
    /* The hop limit of multicast is one of datagrams. */
    socket = make_socket(PAL_AF_INET6, PAL_SOCK_DGRAM, &calls);
    for (palSocketLength_t length = 0; length <= 16; length++) {
        int value[4] = {5, -1, -1, -1};
        palStatus_t expected = length < 2 ? PAL_ERR_SOCKET_INVALID_VALUE : PAL_SUCCESS;
        assert_pal(pal_setSocketOptionsWithLevel(socket, PAL_SOL_IPPROTO_IPV6, PAL_SO_IPV6_MULTICAST_HOPS, value, length), expected);
        assert_pal(pal_setSocketOptionsWithLevel(socket, PAL_SOL_IPPROTO_IPV6, PAL_SO_IPV6_TRAFFIC_CLASS, value, length), expected);
        assert_pal(pal_setSocketOptions(socket, PAL_SO_IPV6_TRAFFIC_CLASS, value, length), PAL_ERR_SOCKET_OPTION_NOT_SUPPORTED);
    }
    int16_t hops = -1;
    assert_pal(pal_setSocketOptionsWithLevel(socket, PAL_SOL_IPPROTO_IPV6, PAL_SO_IPV6_MULTICAST_HOPS, &hops, 2), PAL_SUCCESS);
    assert_int_equal(option(socket, IPPROTO_IPV6, IPV6_MULTICAST_HOPS), 1);
    hops = 256;
    assert_pal(pal_setSocketOptionsWithLevel(socket, PAL_SOL_IPPROTO_IPV6, PAL_SO_IPV6_MULTICAST_HOPS, &hops, 2), PAL_ERR_SOCKET_INVALID_VALUE);
    assert_pal(pal_setSocketOptionsWithLevel(socket, PAL_SOL_IPPROTO_IPV6, PAL_SO_IPV6_TRAFFIC_CLASS, &hops, 2), PAL_ERR_SOCKET_INVALID_VALUE);
    close_socket(&socket);
    socket = make_socket(PAL_AF_INET6, PAL_SOCK_STREAM, &calls);
    for (int value = -1; value >= -2; value--) {
        assert_pal(pal_setSocketOptions(socket, PAL_SO_KEEPIDLE, &value, 4), PAL_ERR_SOCKET_INVALID_VALUE);
        assert_pal(pal_setSocketOptions(socket, PAL_SO_KEEPINTVL, &value, 4), PAL_ERR_SOCKET_INVALID_VALUE);
        assert_pal(pal_setSocketOptions(socket, PAL_SO_SNDTIMEO, &value, 4), PAL_ERR_SOCKET_INVALID_VALUE);
        assert_pal(pal_setSocketOptions(socket, PAL_SO_RCVTIMEO, &value, 4), PAL_ERR_SOCKET_INVALID_VALUE);
    }
    int value = 40000;
    assert_pal(pal_setSocketOptions(socket, PAL_SO_KEEPIDLE, &value, 4), PAL_ERR_SOCKET_INVALID_VALUE);
    assert_pal(pal_setSocketOptions(socket, 12345, &value, 4), PAL_ERR_SOCKET_OPTION_NOT_SUPPORTED);
    assert_pal(pal_setSocketOptionsWithLevel(socket, (palSocketOptionLevelName_t)7, PAL_SO_REUSEADDR, &value, 4),
               PAL_ERR_SOCKET_OPTION_NOT_SUPPORTED);
    close_socket(&socket);
    calls_end(&calls);
}

static void estimates_are_fixed_and_one_can_be_set(void **state)
{
    (void)state;
    assert_int_equal(pal_getRttEstimate(), 3);
    assert_int_equal(pal_getStaggerEstimate(0), 0);
    assert_int_equal(pal_getStaggerEstimate(65535), 0);
    pal_setFixedStaggerEstimate(65535);
    assert_int_equal(pal_getStaggerEstimate(1), 65535);
    pal_setFixedStaggerEstimate(0);
    assert_int_equal(pal_getStaggerEstimate(1), 0);
}

/* ---- the main ---- */

int main(int count, char **arguments)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, pal_setup, pal_teardown)
    const struct CMUnitTest tests[] = {
        TEST(addresses_hold_what_the_system_s_own_do),
        TEST(a_wrong_family_is_told_before_a_null_pointer),
        TEST(a_datagram_is_one_callback_and_tells_its_sender),
        TEST(a_datagram_longer_than_the_buffer_gives_its_first_bytes),
        TEST(a_connected_datagram_socket_hears_its_peer_only_and_its_refusal),
        TEST(a_datagram_too_large_is_told),
        TEST(a_connect_ends_in_one_callback_and_success_is_told_once),
        TEST(success_told_before_the_callback_still_has_its_callback),
        TEST(a_refused_connect_says_so_by_callback_and_status_and_can_be_repeated),
        TEST(a_pending_connect_is_never_told_as_connected),
        TEST(a_socket_that_was_just_made_or_bound_tells_nothing),
        TEST(a_socket_that_is_not_connected_says_so),
        TEST(bytes_are_told_and_read_until_nothing_is_left),
        TEST(the_peer_s_end_is_one_callback_and_size_zero),
        TEST(a_reset_is_told_and_said),
        TEST(room_to_write_is_told_after_there_was_none_and_only_then),
        TEST(a_write_cut_short_is_told_when_there_is_room),
        TEST(accepted_sockets_have_callbacks_of_their_own),
        TEST(closing_sets_the_variable_and_can_be_repeated),
        TEST(a_socket_is_closed_in_its_own_callback),
        TEST(a_socket_is_closed_in_the_callback_of_another_and_never_called_again),
        TEST(closing_waits_for_the_callback_that_runs),
        TEST(the_sixth_socket_and_ten_thousand_more_have_their_own_callbacks),
        TEST(a_callback_without_argument_gets_null),
        TEST(options_reach_the_system),
        TEST(option_values_of_every_length_and_range_have_their_status),
        TEST(estimates_are_fixed_and_one_can_be_set),
    };
#undef TEST
    return run_chosen_tests(tests, count, arguments);
}
