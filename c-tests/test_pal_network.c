/* The PAL on networks of its own: links that go up and down, hosts that cannot be reached, addresses that mean something on one link only.
 *
 * Each test has two network namespaces (namespaces.h), which a veth pair connects: own0 in the layer's, peer0 in the other.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "namespaces.h"
#include "pal_support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- namespaces ---- */

/* Writes a setting of the namespace that this thread is in. */
static void set(const char *name, const char *value)
{
    char path[200];
    snprintf(path, sizeof path, "/proc/sys/net/%s", name);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) {
        print_error("%s cannot be opened\n", path);
    }
    assert_true(file >= 0);
    ssize_t length = (ssize_t)strlen(value);
    assert_int_equal(write(file, value, (size_t)length), length);
    close(file);
}

static void peer_set(const char *name, const char *value)
{
    enter(peer_namespace);
    set(name, value);
    enter(own_namespace);
}

static struct ifreq request_for(const char *interface)
{
    struct ifreq request;
    memset(&request, 0, sizeof request);
    assert_in_range(strlen(interface), 1, sizeof request.ifr_name - 1);
    memcpy(request.ifr_name, interface, strlen(interface));
    return request;
}

static unsigned peer_index_of(const char *interface)
{
    enter(peer_namespace);
    unsigned index = if_nametoindex(interface);
    enter(own_namespace);
    assert_int_not_equal(index, 0);
    return index;
}

static unsigned index_of(const char *interface)
{
    unsigned index = if_nametoindex(interface);
    assert_int_not_equal(index, 0);
    return index;
}

/* A veth pair without addresses, up on both sides. The two ends have different numbers: a scope of the other side would be seen, and
 * Linux is slow to notice the link of a pair that has the same. */
static void make_link(const char *own, const char *peer)
{
    unsigned number = 10 + (unsigned)(own[strlen(own) - 1] - '0');
    ip("link add %s index %u type veth peer name %s netns /proc/%d/fd/%d", own, number, peer, (int)getpid(), peer_namespace);
    ip("link set %s up", own);
    peer_ip("link set %s up", peer);
    await_link(own);
    enter(peer_namespace);
    await_link(peer);
    enter(own_namespace);
}

/* Two interfaces of this namespace that are each other's peer; the first has a link and an address. */
static void make_inner_link(const char *name, const char *other, const char *address)
{
    ip("link add %s type veth peer name %s", name, other);
    ip("address add %s dev %s", address, name);
    ip("link set %s up", other);
    ip("link set %s up", name);
    await_link(name);
}

static void add_ipv4(void)
{
    ip("address add 192.0.2.1/24 dev own0");
    peer_ip("address add 192.0.2.2/24 dev peer0");
}

static void add_ipv6(void)
{
    ip("address add 2001:db8::1/64 dev own0 nodad");
    peer_ip("address add 2001:db8::2/64 dev peer0 nodad");
}

static void add_link_local(const char *own, const char *peer)
{
    ip("address add fe80::1/64 dev %s nodad", own);
    peer_ip("address add fe80::2/64 dev %s nodad", peer);
}

/* An address with a port, and the interface that it is meant on (0: any). */
static palSocketAddress_t address_of(const char *text, uint16_t port, unsigned scope)
{
    palSocketAddress_t address;
    memset(&address, 0, sizeof address);
    uint8_t bytes[16];
    if (strchr(text, ':') == NULL) {
        assert_int_equal(inet_pton(AF_INET, text, bytes), 1);
        assert_pal(pal_setSockAddrIPV4Addr(&address, bytes), PAL_SUCCESS);
    } else {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_scope_id = scope};
        memcpy(&address, &in6, sizeof in6);
        assert_int_equal(inet_pton(AF_INET6, text, bytes), 1);
        assert_pal(pal_setSockAddrIPV6Addr(&address, bytes), PAL_SUCCESS);
    }
    assert_pal(pal_setSockAddrPort(&address, port), PAL_SUCCESS);
    return address;
}

static palSocketDomain_t domain_of(const char *text)
{
    return strchr(text, ':') == NULL ? PAL_AF_INET : PAL_AF_INET6;
}

/* Sockets of the layer that live in the peer's namespace, bound there. */
static palSocket_t make_peer_socket(palSocketType_t type, calls_t *calls, const char *text, uint16_t port, unsigned scope)
{
    enter(peer_namespace);
    palSocket_t socket = make_socket(domain_of(text), type, calls);
    enter(own_namespace);
    palSocketAddress_t address = address_of(text, port, scope);
    assert_pal(pal_bind(socket, &address, ADDRESS_SIZE), PAL_SUCCESS);
    return socket;
}

/* ---- fixtures ---- */

static int network_setup_without_addresses(void **state)
{
    if (!make_namespaces()) {
        return -1;
    }
    /* Addresses are those that a test gives, and can be used at once. */
    set("ipv6/conf/default/addr_gen_mode", "1");
    peer_set("ipv6/conf/default/addr_gen_mode", "1");
    ip("link set lo up");
    peer_ip("link set lo up");
    mcc_pal_enable_connection_status(true);
    return pal_setup(state);
}

static int network_setup_with_link(void **state)
{
    if (network_setup_without_addresses(state) != 0) {
        return -1;
    }
    make_link("own0", "peer0");
    return 0;
}

static int network_setup(void **state)
{
    if (network_setup_with_link(state) != 0) {
        return -1;
    }
    add_ipv4();
    add_ipv6();
    return 0;
}

static int network_teardown(void **state)
{
    /* A test that failed may be anywhere, and leave its interface. */
    pal_unregisterNetworkInterface(0);
    mcc_pal_enable_connection_status(false);
    int result = pal_teardown(state);
    return end_namespaces() ? result : -1;
}

/* ---- link-local addresses ---- */

static void expect_address(const palSocketAddress_t *actual, const char *text, uint16_t port, unsigned scope)
{
    palSocketAddress_t expected = address_of(text, port, scope);
    assert_memory_equal(actual, &expected, sizeof expected);
}

/* Receives one datagram and expects its bytes; gives its sender. */
static palSocketAddress_t receive_expected(palSocket_t socket, const char *expected)
{
    char buffer[64];
    size_t size = 99;
    palSocketAddress_t from;
    palSocketLength_t length = 0;
    assert_pal(pal_receiveFrom(socket, buffer, sizeof buffer, &from, &length, &size), PAL_SUCCESS);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(buffer, expected, size);
    assert_int_equal(length, from.addressType == PAL_AF_INET ? 16 : 28);
    return from;
}

static void send_text_to(palSocket_t socket, const palSocketAddress_t *to, const char *text)
{
    size_t sent = 99;
    assert_pal(pal_sendTo(socket, text, strlen(text), to, ADDRESS_SIZE, &sent), PAL_SUCCESS);
    assert_int_equal(sent, strlen(text));
}

static const char *const own_names[] = {"own0", "own1"};
static const char *const peer_names[] = {"peer0", "peer1"};
static const char *const texts[] = {"over the first", "over the second"};

/* Two links with the same addresses: only the scope tells them apart. */
static void make_twin_links(void)
{
    make_link("own1", "peer1");
    add_link_local("own0", "peer0");
    add_link_local("own1", "peer1");
    assert_int_not_equal(index_of("own1"), index_of("own0"));
    assert_int_not_equal(index_of("own0"), peer_index_of("peer0"));
}

static void datagrams_to_a_link_local_address_go_over_its_link_and_tell_it(void **state)
{
    (void)state;
    make_twin_links();
    calls_t peer_calls[2], own_calls[2];
    palSocket_t peers[2], own[2];
    uint16_t port = 0;
    for (unsigned link = 0; link < 2; link++) {
        calls_begin(&peer_calls[link]);
        calls_begin(&own_calls[link]);
        peers[link] = make_peer_socket(PAL_SOCK_DGRAM, &peer_calls[link], "fe80::2", port, peer_index_of(peer_names[link]));
        port = port_of(peers[link]);
        own[link] = make_socket(PAL_AF_INET6, PAL_SOCK_DGRAM, &own_calls[link]);
    }
    /* From one socket, that is bound to no link, to both. */
    for (unsigned link = 0; link < 2; link++) {
        palSocketAddress_t to = address_of("fe80::2", port, index_of(own_names[link]));
        send_text_to(own[0], &to, texts[link]);
        expect_calls(&peer_calls[link], 1);
        palSocketAddress_t from = receive_expected(peers[link], texts[link]);
        expect_address(&from, "fe80::1", port_of(own[0]), peer_index_of(peer_names[link]));
        /* Back to where it came from, as it was told. */
        send_text_to(peers[link], &from, texts[link]);
        expect_calls(&own_calls[0], link + 1);
        from = receive_expected(own[0], texts[link]);
        expect_address(&from, "fe80::2", port, index_of(own_names[link]));
    }
    /* From sockets that are bound to a link, and connected over it. */
    for (unsigned link = 0; link < 2; link++) {
        palSocketAddress_t address = address_of("fe80::1", 0, index_of(own_names[link]));
        palSocket_t bound = make_socket(PAL_AF_INET6, PAL_SOCK_DGRAM, &own_calls[1]);
        assert_pal(pal_bind(bound, &address, ADDRESS_SIZE), PAL_SUCCESS);
        address = address_of("fe80::2", port, index_of(own_names[link]));
        assert_pal(pal_connect(bound, &address, ADDRESS_SIZE), PAL_SUCCESS);
        size_t sent = 99;
        assert_pal(pal_send(bound, texts[link], strlen(texts[link]), &sent), PAL_SUCCESS);
        expect_calls(&peer_calls[link], 2);
        palSocketAddress_t from = receive_expected(peers[link], texts[link]);
        expect_address(&from, "fe80::1", port_of(bound), peer_index_of(peer_names[link]));
        send_text_to(peers[link], &from, texts[link]);
        expect_calls(&own_calls[1], link + 1);
        from = receive_expected(bound, texts[link]);
        expect_address(&from, "fe80::2", port, index_of(own_names[link]));
        close_socket(&bound);
    }
    for (unsigned link = 0; link < 2; link++) {
        expect_calls(&peer_calls[link], 2);
        close_socket(&peers[link]);
        close_socket(&own[link]);
        calls_end(&peer_calls[link]);
        calls_end(&own_calls[link]);
    }
}

static void a_connection_to_a_link_local_address_goes_over_its_link_and_tells_it(void **state)
{
    (void)state;
    make_twin_links();
    calls_t listener_calls[2], own_calls, accepted_calls;
    palSocket_t listeners[2];
    uint16_t port = 0;
    calls_begin(&own_calls);
    calls_begin(&accepted_calls);
    for (unsigned link = 0; link < 2; link++) {
        calls_begin(&listener_calls[link]);
        listeners[link] =
            make_peer_socket(PAL_SOCK_STREAM_SERVER, &listener_calls[link], "fe80::2", port, peer_index_of(peer_names[link]));
        port = port_of(listeners[link]);
        assert_pal(pal_listen(listeners[link], 4), PAL_SUCCESS);
    }
    for (unsigned link = 0; link < 2; link++) {
        palSocket_t client = make_socket(PAL_AF_INET6, PAL_SOCK_STREAM, &own_calls);
        palSocketAddress_t to = address_of("fe80::2", port, index_of(own_names[link]));
        assert_pal(pal_connect(client, &to, ADDRESS_SIZE), PAL_ERR_SOCKET_IN_PROGRES);
        expect_calls(&own_calls, link + 1);
        assert_pal(pal_connect(client, &to, ADDRESS_SIZE), PAL_SUCCESS);
        expect_calls(&listener_calls[link], 1);
        palSocket_t accepted = NULL;
        palSocketAddress_t from;
        palSocketLength_t length = ADDRESS_SIZE;
        assert_pal(pal_accept(listeners[link], &from, &length, &accepted, count_call, &accepted_calls), PAL_SUCCESS);
        assert_int_equal(length, ADDRESS_SIZE);
        expect_address(&from, "fe80::1", port_of(client), peer_index_of(peer_names[link]));
        close_socket(&client);
        close_socket(&accepted);
    }
    /* Without a scope nobody knows which link is meant. */
    palSocket_t client = make_socket(PAL_AF_INET6, PAL_SOCK_STREAM, &own_calls);
    palSocketAddress_t nowhere = address_of("fe80::2", port, 0);
    assert_pal(pal_connect(client, &nowhere, ADDRESS_SIZE), PAL_ERR_SOCKET_INVALID_VALUE);
    close_socket(&client);
    for (unsigned link = 0; link < 2; link++) {
        expect_calls(&listener_calls[link], 1);
        close_socket(&listeners[link]);
        calls_end(&listener_calls[link]);
    }
    calls_end(&own_calls);
    calls_end(&accepted_calls);
}

static void the_address_functions_leave_the_scope_alone(void **state)
{
    (void)state;
    add_link_local("own0", "peer0");
    unsigned scope = index_of("own0");
    calls_t peer_calls, own_calls;
    calls_begin(&peer_calls);
    calls_begin(&own_calls);
    palSocket_t peer = make_peer_socket(PAL_SOCK_DGRAM, &peer_calls, "fe80::2", 0, peer_index_of("peer0"));
    palSocket_t own = make_socket(PAL_AF_INET6, PAL_SOCK_DGRAM, &own_calls);
    palSocketAddress_t address = address_of("fe80::2", port_of(peer), scope);
    palSocketAddress_t before = address;
    palIpV6Addr_t bytes;
    uint16_t port;
    assert_pal(pal_getSockAddrIPV6Addr(&address, bytes), PAL_SUCCESS);
    assert_pal(pal_setSockAddrIPV6Addr(&address, bytes), PAL_SUCCESS);
    assert_pal(pal_getSockAddrPort(&address, &port), PAL_SUCCESS);
    assert_pal(pal_setSockAddrPort(&address, port), PAL_SUCCESS);
    assert_memory_equal(&address, &before, sizeof address);
    send_text_to(own, &address, "there");
    expect_calls(&peer_calls, 1);
    address = receive_expected(peer, "there");
    /* The same from an address that was received. */
    before = address;
    assert_pal(pal_getSockAddrIPV6Addr(&address, bytes), PAL_SUCCESS);
    assert_pal(pal_setSockAddrIPV6Addr(&address, bytes), PAL_SUCCESS);
    assert_pal(pal_getSockAddrPort(&address, &port), PAL_SUCCESS);
    assert_pal(pal_setSockAddrPort(&address, port), PAL_SUCCESS);
    assert_memory_equal(&address, &before, sizeof address);
    send_text_to(peer, &address, "and back");
    expect_calls(&own_calls, 1);
    receive_expected(own, "and back");
    close_socket(&own);
    close_socket(&peer);
    calls_end(&own_calls);
    calls_end(&peer_calls);
}

/* ---- options on the wire ---- */

/* Sees every packet of IPv6 that comes in over peer0. */
static int open_wire(void)
{
    enter(peer_namespace);
    int wire = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IPV6));
    assert_true(wire >= 0);
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IPV6), .sll_ifindex = (int)if_nametoindex("peer0")};
    assert_int_equal(bind(wire, (struct sockaddr *)&address, sizeof address), 0);
    enter(own_namespace);
    return wire;
}

typedef struct {
    unsigned hop_limit;
    unsigned traffic_class;
    uint8_t first_byte;
} packet_t;

/* The next packet of this protocol to this port. */
static packet_t await_packet(int wire, unsigned protocol, uint16_t port)
{
    uint64_t until = milliseconds_now() + SOON_MS;
    for (;;) {
        uint64_t now = milliseconds_now();
        struct pollfd polled = {.fd = wire, .events = POLLIN};
        assert_true(now < until);
        assert_int_equal(poll(&polled, 1, (int)(until - now)), 1);
        uint8_t packet[2000] = {0};
        ssize_t size = recv(wire, packet, sizeof packet, MSG_DONTWAIT);
        assert_true(size > 0);
        /* RFC 8200 section 3; no extension header comes before UDP or TCP here. */
        if (size > 48 && packet[6] == protocol && packet[42] == port >> 8 && packet[43] == (port & 0xFF)) {
            return (packet_t){.hop_limit = packet[7],
                              .traffic_class = (packet[0] & 0xFu) << 4 | packet[1] >> 4,
                              .first_byte = packet[48]};
        }
    }
}

/* Sends a datagram that begins with this byte to all nodes of the link, and one to a single node, and looks at both on the wire. */
static void expect_on_wire(int wire, palSocket_t socket, uint8_t byte, unsigned multicast_hops, unsigned traffic_class)
{
    const char *const addresses[] = {"ff02::1", "2001:db8::2"};
    const unsigned hops[] = {multicast_hops, 64};
    for (unsigned index = 0; index < 2; index++) {
        palSocketAddress_t to = address_of(addresses[index], 9, index == 0 ? index_of("own0") : 0);
        size_t sent = 99;
        assert_pal(pal_sendTo(socket, &byte, 1, &to, ADDRESS_SIZE, &sent), PAL_SUCCESS);
        packet_t packet = await_packet(wire, IPPROTO_UDP, 9);
        assert_int_equal(packet.first_byte, byte);
        assert_int_equal(packet.hop_limit, hops[index]);
        assert_int_equal(packet.traffic_class, traffic_class);
    }
}

static palStatus_t set_short(palSocket_t socket, int name, int16_t value)
{
    return pal_setSocketOptionsWithLevel(socket, PAL_SOL_IPPROTO_IPV6, name, &value, sizeof value);
}

static palStatus_t set_int(palSocket_t socket, int name, int value)
{
    return pal_setSocketOptionsWithLevel(socket, PAL_SOL_IPPROTO_IPV6, name, &value, sizeof value);
}

static void hop_limit_and_traffic_class_are_seen_on_the_wire(void **state)
{
    (void)state;
    add_link_local("own0", "peer0");
    int wire = open_wire();
    calls_t calls;
    calls_begin(&calls);
    palSocket_t socket = make_socket(PAL_AF_INET6, PAL_SOCK_DGRAM, &calls);
    expect_on_wire(wire, socket, 1, 1, 0);
    assert_pal(set_short(socket, PAL_SO_IPV6_MULTICAST_HOPS, 5), PAL_SUCCESS);
    expect_on_wire(wire, socket, 2, 5, 0);
    assert_pal(set_short(socket, PAL_SO_IPV6_TRAFFIC_CLASS, 0xB8), PAL_SUCCESS);
    expect_on_wire(wire, socket, 3, 5, 0xB8);
    assert_pal(set_int(socket, PAL_SO_IPV6_MULTICAST_HOPS, 255), PAL_SUCCESS);
    assert_pal(set_int(socket, PAL_SO_IPV6_TRAFFIC_CLASS, 0x28), PAL_SUCCESS);
    expect_on_wire(wire, socket, 4, 255, 0x28);
    assert_pal(set_short(socket, PAL_SO_IPV6_MULTICAST_HOPS, 256), PAL_ERR_SOCKET_INVALID_VALUE);
    assert_pal(set_int(socket, PAL_SO_IPV6_TRAFFIC_CLASS, 256), PAL_ERR_SOCKET_INVALID_VALUE);
    expect_on_wire(wire, socket, 5, 255, 0x28);
    /* Back to the defaults. */
    assert_pal(set_short(socket, PAL_SO_IPV6_MULTICAST_HOPS, -1), PAL_SUCCESS);
    assert_pal(set_int(socket, PAL_SO_IPV6_TRAFFIC_CLASS, -1), PAL_SUCCESS);
    expect_on_wire(wire, socket, 6, 1, 0);
    /* Without a hop nothing leaves: what comes next is the datagram after. */
    assert_pal(set_int(socket, PAL_SO_IPV6_MULTICAST_HOPS, 0), PAL_SUCCESS);
    palSocketAddress_t to = address_of("ff02::1", 9, index_of("own0"));
    send_text_to(socket, &to, "stays");
    assert_pal(set_int(socket, PAL_SO_IPV6_MULTICAST_HOPS, 2), PAL_SUCCESS);
    expect_on_wire(wire, socket, 7, 2, 0);
    close_socket(&socket);

    /* A connection has its class from its first packet on. */
    palSocket_t stream = make_socket(PAL_AF_INET6, PAL_SOCK_STREAM, &calls);
    assert_pal(set_short(stream, PAL_SO_IPV6_TRAFFIC_CLASS, 0xB8), PAL_SUCCESS);
    palSocketAddress_t peer = address_of("2001:db8::2", 9, 0);
    assert_pal(pal_connect(stream, &peer, ADDRESS_SIZE), PAL_ERR_SOCKET_IN_PROGRES);
    packet_t packet = await_packet(wire, IPPROTO_TCP, 9);
    assert_int_equal(packet.traffic_class, 0xB8);
    assert_int_equal(packet.hop_limit, 64);
    close_socket(&stream);
    close(wire);
    calls_end(&calls);
}

/* ---- hosts that cannot be reached ---- */

/* Five bytes from one to the other, which has so many calls then. */
static void carry(palSocket_t from, palSocket_t to, calls_t *calls, unsigned calls_expected)
{
    size_t size = 99;
    assert_pal(pal_send(from, "hello", 5, &size), PAL_SUCCESS);
    assert_int_equal(size, 5);
    expect_calls(calls, calls_expected);
    char buffer[8];
    assert_pal(pal_recv(to, buffer, sizeof buffer, &size), PAL_SUCCESS);
    assert_int_equal(size, 5);
    assert_pal(pal_recv(to, buffer, sizeof buffer, &size), PAL_ERR_SOCKET_WOULD_BLOCK);
}

static void without_a_route_a_connect_fails_at_once(void **state)
{
    (void)state;
    const char *const targets[] = {"198.51.100.1", "2001:db8:1::1"};
    const char *const routers[] = {"192.0.2.2", "2001:db8::2"};
    for (size_t index = 0; index < 2; index++) {
        calls_t calls;
        calls_begin(&calls);
        palSocketDomain_t domain = domain_of(targets[index]);
        palSocketAddress_t address = address_of(targets[index], 5684, 0);
        palSocket_t stream = make_socket(domain, PAL_SOCK_STREAM, &calls);
        assert_pal(pal_connect(stream, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_HOST_UNREACHABLE);
        assert_pal(pal_connect(stream, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_HOST_UNREACHABLE);
        palSocket_t datagrams = make_socket(domain, PAL_SOCK_DGRAM, &calls);
        size_t sent = 99;
        assert_pal(pal_sendTo(datagrams, "x", 1, &address, ADDRESS_SIZE, &sent), PAL_ERR_SOCKET_HOST_UNREACHABLE);
        assert_int_equal(sent, 99);
        assert_pal(pal_connect(datagrams, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_HOST_UNREACHABLE);
        expect_calls(&calls, 0);
        /* The same socket connects once there is a route: to a port that nobody listens on. */
        ip("route add %s via %s", targets[index], routers[index]);
        peer_ip("address add %s dev lo", targets[index]);
        assert_pal(pal_connect(stream, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_IN_PROGRES);
        expect_calls(&calls, 1);
        assert_pal(pal_connect(stream, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_CONNECTION_RESET);
        close_socket(&stream);
        close_socket(&datagrams);
        calls_end(&calls);
    }
}

typedef struct {
    const char *target;
    palStatus_t status;
    calls_t calls;
    palSocket_t socket;
} attempt_t;

/* Connects to all of them at once, and expects of each one callback and its status. */
static void expect_failures(attempt_t *attempts, size_t count)
{
    for (size_t index = 0; index < count; index++) {
        attempt_t *attempt = &attempts[index];
        calls_begin(&attempt->calls);
        attempt->socket = make_socket(domain_of(attempt->target), PAL_SOCK_STREAM, &attempt->calls);
        palSocketAddress_t address = address_of(attempt->target, 5684, 0);
        assert_pal(pal_connect(attempt->socket, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_IN_PROGRES);
    }
    for (size_t index = 0; index < count; index++) {
        attempt_t *attempt = &attempts[index];
        palSocketAddress_t address = address_of(attempt->target, 5684, 0);
        expect_calls(&attempt->calls, 1);
        palStatus_t status = pal_connect(attempt->socket, &address, ADDRESS_SIZE);
        if (status != attempt->status) {
            print_error("%s: ", attempt->target);
        }
        assert_pal(status, attempt->status);
        expect_calls(&attempt->calls, 1);
        close_socket(&attempt->socket);
        calls_end(&attempt->calls);
    }
}

/* The peer forwards to networks behind it, of which some hosts are not there. */
static void make_far_networks(void)
{
    peer_set("ipv4/ip_forward", "1");
    peer_set("ipv6/conf/all/forwarding", "1");
    /* Each refusal is told. */
    peer_set("ipv4/icmp_ratelimit", "0");
    peer_set("ipv6/icmp/ratelimit", "0");
    ip("route add 198.51.100.0/24 via 192.0.2.2");
    ip("route add 2001:db8:1::/64 via 2001:db8::2");
    for (unsigned host = 1; host <= 3; host++) {
        const char *const kinds[] = {"unreachable", "prohibit", "blackhole"};
        peer_ip("route add %s 198.51.100.%u", kinds[host - 1], host);
        peer_ip("route add %s 2001:db8:1::%u", kinds[host - 1], host);
    }
}

static void a_host_that_a_router_calls_unreachable_is_told(void **state)
{
    (void)state;
    make_far_networks();
    attempt_t attempts[] = {
        {.target = "198.51.100.1", .status = PAL_ERR_SOCKET_HOST_UNREACHABLE},
        {.target = "198.51.100.2", .status = PAL_ERR_SOCKET_HOST_UNREACHABLE},
        {.target = "2001:db8:1::1", .status = PAL_ERR_SOCKET_HOST_UNREACHABLE},
        /* "Administratively prohibited" of ICMPv6 is EACCES in Linux. */
        {.target = "2001:db8:1::2", .status = PAL_ERR_SOCKET_OPERATION_NOT_PERMITTED},
    };
    expect_failures(attempts, sizeof attempts / sizeof attempts[0]);
}

/* Whether the system holds an error of a connect that goes on. */
static bool has_error_while_pending(palSocket_t socket)
{
    struct pollfd polled = {.fd = descriptor_of(socket), .events = POLLOUT};
    assert_in_range(poll(&polled, 1, 0), 0, 1);
    return polled.revents == POLLERR;
}

/* An ICMP error that comes while a call has the socket is kept, and the system tries again: so it is where the router is on the same
 * machine, mostly. */
static void a_connect_that_goes_on_after_an_error_is_told_at_its_end_only(void **state)
{
    (void)state;
    make_far_networks();
    calls_t calls, listener_calls, server_calls;
    calls_begin(&listener_calls);
    calls_begin(&server_calls);
    peer_ip("address add 203.0.113.2/32 dev peer0");
    palSocket_t listener = make_peer_socket(PAL_SOCK_STREAM_SERVER, &listener_calls, "203.0.113.2", 0, 0);
    assert_pal(pal_listen(listener, 1), PAL_SUCCESS);
    palSocketAddress_t address = address_of("203.0.113.2", port_of(listener), 0);
    peer_ip("address del 203.0.113.2/32 dev peer0");
    peer_ip("route add unreachable 203.0.113.2");
    ip("route add 203.0.113.2 via 192.0.2.2");
    palSocket_t client = CLOSED_SOCKET;
    palStatus_t status = PAL_ERR_SOCKET_HOST_UNREACHABLE;
    /* Again where the error came a moment later, or the next try, a second after the first, before the way was free. */
    for (unsigned trial = 0; status != PAL_SUCCESS; trial++) {
        assert_true(trial < 200);
        if (trial > 0) {
            close_socket(&client);
            calls_end(&calls);
        }
        calls_begin(&calls);
        client = make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &calls);
        assert_pal(pal_connect(client, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_IN_PROGRES);
        if (!has_error_while_pending(client)) {
            continue;
        }
        settle();
        unsigned told = calls_so_far(&calls);
        assert_true(told == 0 || !has_error_while_pending(client));
        peer_ip("route del unreachable 203.0.113.2");
        peer_ip("address add 203.0.113.2/32 dev peer0");
        expect_calls(&calls, 1);
        status = pal_connect(client, &address, ADDRESS_SIZE);
        if (status != PAL_SUCCESS) {
            assert_pal(status, PAL_ERR_SOCKET_HOST_UNREACHABLE);
            peer_ip("address del 203.0.113.2/32 dev peer0");
            peer_ip("route add unreachable 203.0.113.2");
        }
    }
    expect_calls(&listener_calls, 1);
    palSocket_t server = CLOSED_SOCKET;
    palSocketLength_t length = ADDRESS_SIZE;
    assert_pal(pal_accept(listener, &address, &length, &server, count_call, &server_calls), PAL_SUCCESS);
    /* What comes, and the end, are told as on any other. */
    for (unsigned count = 2; count <= 4; count++) {
        carry(server, client, &calls, count);
    }
    close_socket(&server);
    expect_calls(&calls, 5);
    char byte;
    size_t size = 99;
    assert_pal(pal_recv(client, &byte, 1, &size), PAL_ERR_SOCKET_CONNECTION_CLOSED);
    close_socket(&client);
    close_socket(&listener);
    calls_end(&calls);
    calls_end(&listener_calls);
    calls_end(&server_calls);
}

static void a_neighbour_that_does_not_answer_is_told_as_unreachable(void **state)
{
    (void)state;
    /* Once, for a tenth of a second, instead of three times for a second. */
    set("ipv4/neigh/own0/mcast_solicit", "1");
    set("ipv4/neigh/own0/retrans_time_ms", "100");
    set("ipv6/neigh/own0/mcast_solicit", "1");
    set("ipv6/neigh/own0/retrans_time_ms", "100");
    attempt_t attempts[] = {
        {.target = "192.0.2.77", .status = PAL_ERR_SOCKET_HOST_UNREACHABLE},
        {.target = "2001:db8::77", .status = PAL_ERR_SOCKET_HOST_UNREACHABLE},
    };
    expect_failures(attempts, sizeof attempts / sizeof attempts[0]);
}

static void a_connect_that_nobody_answers_times_out(void **state)
{
    (void)state;
    make_far_networks();
    /* Three seconds, instead of two minutes. */
    set("ipv4/tcp_syn_retries", "1");
    attempt_t attempts[] = {
        {.target = "198.51.100.3", .status = PAL_ERR_TIMEOUT_EXPIRED},
        {.target = "2001:db8:1::3", .status = PAL_ERR_TIMEOUT_EXPIRED},
    };
    expect_failures(attempts, sizeof attempts / sizeof attempts[0]);
}

/* ---- datagrams without room ---- */

static void a_datagram_without_room_would_block_and_room_is_told_once(void **state)
{
    (void)state;
    /* Addresses that nobody has yet: what is sent there waits, in the socket's account, until somebody answers for them. */
    const char *const targets[] = {"192.0.2.3", "2001:db8::3"};
    const char *const any[] = {"0.0.0.0", "::"};
    const char *const changes[] = {"address add 192.0.2.3/24 dev peer0", "address add 2001:db8::3/64 dev peer0 nodad"};
    /* The question is repeated for as long as the test may take. */
    set("ipv4/neigh/own0/mcast_solicit", "10000");
    set("ipv4/neigh/own0/retrans_time_ms", "50");
    set("ipv6/neigh/own0/mcast_solicit", "10000");
    set("ipv6/neigh/own0/retrans_time_ms", "50");
    for (size_t index = 0; index < 2; index++) {
        calls_t calls, peer_calls;
        calls_begin(&calls);
        calls_begin(&peer_calls);
        palSocket_t peer = make_peer_socket(PAL_SOCK_DGRAM, &peer_calls, any[index], 0, 0);
        palSocketAddress_t to = address_of(targets[index], port_of(peer), 0);
        palSocket_t socket = make_socket(domain_of(targets[index]), PAL_SOCK_DGRAM, &calls);
        int room = 1;
        assert_int_equal(setsockopt(descriptor_of(socket), SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
        uint8_t count = 0;
        size_t sent = 99;
        palStatus_t status;
        while ((status = pal_sendTo(socket, &count, 1, &to, ADDRESS_SIZE, &sent)) == PAL_SUCCESS && count < 200) {
            assert_int_equal(sent, 1);
            sent = 99;
            count++;
        }
        assert_pal(status, PAL_ERR_SOCKET_WOULD_BLOCK);
        assert_int_equal(sent, 99);
        assert_true(count > 0);
        expect_calls(&calls, 0);
        /* Asking again does not make it be told twice. */
        assert_pal(pal_sendTo(socket, &count, 1, &to, ADDRESS_SIZE, &sent), PAL_ERR_SOCKET_WOULD_BLOCK);
        expect_calls(&calls, 0);
        peer_ip("%s", changes[index]);
        expect_calls(&calls, 1);
        assert_pal(pal_sendTo(socket, &count, 1, &to, ADDRESS_SIZE, &sent), PAL_SUCCESS);
        assert_int_equal(sent, 1);
        /* All that was taken arrives, in order, the last one too. */
        for (unsigned next = 0; next <= count; next++) {
            uint8_t byte = 0xFF;
            size_t size = 99;
            uint64_t until = milliseconds_now() + SOON_MS;
            while ((status = pal_recv(peer, &byte, 1, &size)) == PAL_ERR_SOCKET_WOULD_BLOCK && milliseconds_now() < until) {
                sched_yield();
            }
            if (status != PAL_SUCCESS) {
                print_error("of %u datagrams to %s, number %u did not come\n", count + 1u, targets[index], next);
            }
            assert_pal(status, PAL_SUCCESS);
            assert_int_equal(byte, next);
        }
        expect_calls(&calls, 1);
        close_socket(&socket);
        close_socket(&peer);
        calls_end(&calls);
        calls_end(&peer_calls);
    }
}

/* ---- connections over a link that fails ---- */

typedef struct {
    calls_t listener_calls, client_calls, server_calls;
    palSocket_t listener, client, server;
} connection_t;

static void connect_over_link(connection_t *connection, const char *peer)
{
    calls_begin(&connection->listener_calls);
    calls_begin(&connection->client_calls);
    calls_begin(&connection->server_calls);
    connection->listener = make_peer_socket(PAL_SOCK_STREAM_SERVER, &connection->listener_calls, peer, 0, 0);
    assert_pal(pal_listen(connection->listener, 1), PAL_SUCCESS);
    connection->client = make_socket(domain_of(peer), PAL_SOCK_STREAM, &connection->client_calls);
    palSocketAddress_t address = address_of(peer, port_of(connection->listener), 0);
    assert_pal(pal_connect(connection->client, &address, ADDRESS_SIZE), PAL_ERR_SOCKET_IN_PROGRES);
    expect_calls(&connection->client_calls, 1);
    assert_pal(pal_connect(connection->client, &address, ADDRESS_SIZE), PAL_SUCCESS);
    expect_calls(&connection->listener_calls, 1);
    palSocketLength_t length = ADDRESS_SIZE;
    assert_pal(pal_accept(connection->listener, &address, &length, &connection->server, count_call, &connection->server_calls),
               PAL_SUCCESS);
    expect_calls(&connection->server_calls, 0);
}

static void close_connection_over_link(connection_t *connection)
{
    close_socket(&connection->client);
    close_socket(&connection->server);
    close_socket(&connection->listener);
    calls_end(&connection->listener_calls);
    calls_end(&connection->client_calls);
    calls_end(&connection->server_calls);
}

/* How often it has tried in vain: to repeat what was lost, or to send what could not even leave. */
static unsigned trials_of(palSocket_t socket)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    assert_int_equal(getsockopt(descriptor_of(socket), IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    return info.tcpi_retransmits + info.tcpi_probes;
}

static void a_connection_survives_a_link_that_goes_and_comes_back(void **state)
{
    (void)state;
    /* Else the addresses of IPv6 go with the link. */
    set("ipv6/conf/own0/keep_addr_on_down", "1");
    connection_t connections[2];
    connect_over_link(&connections[0], "192.0.2.2");
    connect_over_link(&connections[1], "2001:db8::2");
    for (unsigned index = 0; index < 2; index++) {
        carry(connections[index].client, connections[index].server, &connections[index].server_calls, 1);
        carry(connections[index].server, connections[index].client, &connections[index].client_calls, 2);
    }
    ip("link set own0 down");
    uint64_t down_ms = milliseconds_now();
    for (unsigned index = 0; index < 2; index++) {
        size_t size = 99;
        assert_pal(pal_send(connections[index].client, "later", 5, &size), PAL_SUCCESS);
        assert_pal(pal_send(connections[index].server, "later", 5, &size), PAL_SUCCESS);
    }
    /* Until each side has tried in vain, for a second or longer. */
    for (unsigned index = 0; index < 2; index++) {
        while (trials_of(connections[index].client) < 2 || trials_of(connections[index].server) < 2 ||
               milliseconds_now() - down_ms < 1000) {
            assert_true(milliseconds_now() - down_ms < SOON_MS);
            sleep_ms(20);
        }
        expect_calls(&connections[index].client_calls, 2);
        expect_calls(&connections[index].server_calls, 1);
    }
    ip("link set own0 up");
    for (unsigned index = 0; index < 2; index++) {
        connection_t *connection = &connections[index];
        await_calls(&connection->client_calls, 3);
        await_calls(&connection->server_calls, 2);
        char buffer[8];
        size_t size = 99;
        assert_pal(pal_recv(connection->client, buffer, sizeof buffer, &size), PAL_SUCCESS);
        assert_int_equal(size, 5);
        assert_pal(pal_recv(connection->server, buffer, sizeof buffer, &size), PAL_SUCCESS);
        assert_int_equal(size, 5);
        carry(connection->client, connection->server, &connection->server_calls, 3);
        carry(connection->server, connection->client, &connection->client_calls, 4);
        close_connection_over_link(connection);
    }
}

static void a_peer_that_resets_is_told_over_a_link(void **state)
{
    (void)state;
    const char *const peers[] = {"192.0.2.2", "2001:db8::2"};
    for (size_t index = 0; index < 2; index++) {
        connection_t connection;
        connect_over_link(&connection, peers[index]);
        struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        assert_int_equal(setsockopt(descriptor_of(connection.server), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
        close_socket(&connection.server);
        expect_calls(&connection.client_calls, 2);
        char byte;
        size_t size = 99;
        assert_pal(pal_recv(connection.client, &byte, 1, &size), PAL_ERR_SOCKET_CONNECTION_RESET);
        assert_int_equal(size, 99);
        assert_pal(pal_send(connection.client, "x", 1, &size), PAL_ERR_SOCKET_CONNECTION_RESET);
        assert_int_equal(size, 99);
        expect_calls(&connection.client_calls, 2);
        close_connection_over_link(&connection);
    }
}

/* ---- the state of an interface ---- */

/* What one status callback was told. */
typedef struct {
    calls_t calls;
    palNetworkStatus_t last;
    /* How often it was told what it had been told just before. */
    unsigned repeated;
    bool any;
} statuses_t;

static void take_status(palNetworkStatus_t status, void *argument)
{
    statuses_t *statuses = argument;
    pthread_mutex_lock(&statuses->calls.mutex);
    statuses->repeated += statuses->any && statuses->last == status;
    statuses->last = status;
    statuses->any = true;
    pthread_mutex_unlock(&statuses->calls.mutex);
    count_call(&statuses->calls);
}

static void statuses_begin(statuses_t *statuses)
{
    memset(statuses, 0, sizeof *statuses);
    calls_begin(&statuses->calls);
}

static void watch(uint32_t index, statuses_t *statuses)
{
    assert_pal(pal_setConnectionStatusCallback(index, take_status, statuses), PAL_SUCCESS);
}

static uint32_t register_interface(const char *name)
{
    uint32_t index = 77;
    char context[32];
    snprintf(context, sizeof context, "%s", name);
    assert_pal(pal_registerNetworkInterface(context, &index), PAL_SUCCESS);
    assert_int_equal(index, 0);
    /* It was copied. */
    memset(context, 0, sizeof context);
    return index;
}

static palNetworkStatus_t last_of(statuses_t *statuses)
{
    pthread_mutex_lock(&statuses->calls.mutex);
    palNetworkStatus_t last = statuses->last;
    pthread_mutex_unlock(&statuses->calls.mutex);
    return last;
}

/* Expects so many calls in all, of which this is the last. */
static void expect_status(statuses_t *statuses, unsigned count, palNetworkStatus_t last)
{
    expect_calls(&statuses->calls, count);
    assert_int_equal(last_of(statuses), last);
}

/* Sets an interface's only address of IPv4, or takes it away: what `ip` does, without a process. */
static bool set_ipv4(int file, const char *interface, const char *address)
{
    struct ifreq request = request_for(interface);
    struct sockaddr_in in = {.sin_family = AF_INET};
    inet_pton(AF_INET, address, &in.sin_addr);
    memcpy(&request.ifr_addr, &in, sizeof in);
    return ioctl(file, SIOCSIFADDR, &request) == 0;
}

static bool set_up(int file, const char *interface, bool up)
{
    struct ifreq request = request_for(interface);
    if (ioctl(file, SIOCGIFFLAGS, &request) != 0) {
        return false;
    }
    request.ifr_flags = (short)(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
    return ioctl(file, SIOCSIFFLAGS, &request) == 0;
}

static bool has_ipv4(int file, const char *interface)
{
    struct ifreq request = request_for(interface);
    return ioctl(file, SIOCGIFADDR, &request) == 0;
}

static void the_status_callback_is_refused_until_it_is_enabled(void **state)
{
    (void)state;
    uint32_t index = register_interface("own0");
    statuses_t statuses;
    statuses_begin(&statuses);
    mcc_pal_enable_connection_status(false);
    assert_pal(pal_setConnectionStatusCallback(index, take_status, &statuses), PAL_ERR_NOT_SUPPORTED);
    assert_pal(pal_setConnectionStatusCallback(PAL_NET_DEFAULT_INTERFACE, take_status, &statuses), PAL_ERR_NOT_SUPPORTED);
    assert_pal(pal_setConnectionStatusCallback(index, NULL, NULL), PAL_ERR_NOT_SUPPORTED);
    ip("link set own0 down");
    ip("link set own0 up");
    await_link("own0");
    expect_calls(&statuses.calls, 0);

    mcc_pal_enable_connection_status(true);
    watch(index, &statuses);
    assert_pal(pal_setConnectionStatusCallback(1, take_status, &statuses), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_setConnectionStatusCallback(1, NULL, NULL), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_setConnectionStatusCallback(PAL_NET_DEFAULT_INTERFACE - 1, take_status, &statuses), PAL_ERR_INVALID_ARGUMENT);
    expect_calls(&statuses.calls, 0);
    ip("link set own0 down");
    expect_status(&statuses, 1, PAL_NETWORK_STATUS_DISCONNECTED);
    /* What is set stays. */
    mcc_pal_enable_connection_status(false);
    ip("link set own0 up");
    expect_status(&statuses, 2, PAL_NETWORK_STATUS_CONNECTED);
    mcc_pal_enable_connection_status(true);

    assert_pal(pal_plat_socketsTerminate(NULL), PAL_SUCCESS);
    assert_pal(pal_setConnectionStatusCallback(index, take_status, &statuses), PAL_ERR_NOT_INITIALIZED);
    assert_pal(pal_setConnectionStatusCallback(index, NULL, NULL), PAL_SUCCESS);
    assert_int_equal(calls_so_far(&statuses.calls), 2);
    calls_end(&statuses.calls);
}

static void a_link_that_goes_and_comes_is_told_once_each_time(void **state)
{
    (void)state;
    /* As most interfaces are: of both families, with a link-local address. */
    add_link_local("own0", "peer0");
    statuses_t statuses, of_default;
    statuses_begin(&statuses);
    statuses_begin(&of_default);
    watch(register_interface("own0"), &statuses);
    watch(PAL_NET_DEFAULT_INTERFACE, &of_default);
    ip("route add default via 192.0.2.2");
    expect_calls(&statuses.calls, 0);
    for (unsigned count = 1; count <= 8; count += 4) {
        const struct {
            void (*run)(const char *format, ...);
            const char *change;
            palNetworkStatus_t status;
        } steps[] = {
            /* Switched off on this side: that loopback is still there does not connect the default interface. */
            {ip, "link set own0 down", PAL_NETWORK_STATUS_DISCONNECTED},
            {ip, "link set own0 up", PAL_NETWORK_STATUS_CONNECTED},
            /* The cable is pulled. */
            {peer_ip, "link set peer0 down", PAL_NETWORK_STATUS_DISCONNECTED},
            {peer_ip, "link set peer0 up", PAL_NETWORK_STATUS_CONNECTED},
        };
        for (unsigned step = 0; step < 4; step++) {
            steps[step].run("%s", steps[step].change);
            expect_status(&statuses, count + step, steps[step].status);
            expect_status(&of_default, count + step, steps[step].status);
        }
    }
    assert_pal(pal_setConnectionStatusCallback(PAL_NET_DEFAULT_INTERFACE, NULL, NULL), PAL_SUCCESS);
    assert_pal(pal_unregisterNetworkInterface(0), PAL_SUCCESS);
    calls_end(&statuses.calls);
    calls_end(&of_default.calls);
}

static void addresses_that_come_and_go_are_told(void **state)
{
    (void)state;
    statuses_t statuses;
    statuses_begin(&statuses);
    watch(register_interface("own0"), &statuses);
    ip("address add 192.0.2.1/24 dev own0");
    expect_status(&statuses, 1, PAL_NETWORK_STATUS_CONNECTED);
    /* One more changes nothing, nor does one less. */
    ip("address add 2001:db8::1/64 dev own0 nodad");
    ip("address del 192.0.2.1/24 dev own0");
    ip("address add fe80::1/64 dev own0 nodad");
    expect_calls(&statuses.calls, 1);
    /* Only the link is left, and then not even that. */
    ip("address del 2001:db8::1/64 dev own0");
    expect_status(&statuses, 2, PAL_NETWORK_STATUS_DISCONNECTED);
    ip("address del fe80::1/64 dev own0");
    expect_status(&statuses, 3, PAL_NETWORK_STATUS_DISCONNECTED);
    /* The same way back. */
    ip("address add fe80::1/64 dev own0 nodad");
    expect_status(&statuses, 4, PAL_NETWORK_STATUS_CONNECTED);
    ip("address add 2001:db8::1/64 dev own0 nodad");
    expect_status(&statuses, 5, PAL_NETWORK_STATUS_CONNECTED);
    ip("link set own0 down");
    expect_status(&statuses, 6, PAL_NETWORK_STATUS_DISCONNECTED);
    assert_pal(pal_setConnectionStatusCallback(0, NULL, NULL), PAL_SUCCESS);
    calls_end(&statuses.calls);
}

static void an_interface_made_anew_or_renamed_is_known_by_its_name(void **state)
{
    (void)state;
    statuses_t statuses;
    statuses_begin(&statuses);
    /* Registered before it exists, with as many bytes as a name can have. */
    watch(register_interface("fifteen-letters"), &statuses);
    for (unsigned count = 1; count <= 4; count += 2) {
        make_inner_link("fifteen-letters", "other", "198.51.100.1/24");
        expect_status(&statuses, count, PAL_NETWORK_STATUS_CONNECTED);
        ip("link del fifteen-letters");
        expect_status(&statuses, count + 1, PAL_NETWORK_STATUS_DISCONNECTED);
    }
    make_inner_link("before", "other", "198.51.100.1/24");
    expect_calls(&statuses.calls, 4);
    ip("link set before down");
    ip("link set before name fifteen-letters");
    ip("link set fifteen-letters up");
    expect_status(&statuses, 5, PAL_NETWORK_STATUS_CONNECTED);
    ip("link set fifteen-letters down");
    ip("link set fifteen-letters name after");
    ip("link set after up");
    await_link("after");
    expect_status(&statuses, 6, PAL_NETWORK_STATUS_DISCONNECTED);
    assert_pal(pal_unregisterNetworkInterface(0), PAL_SUCCESS);
    calls_end(&statuses.calls);
}

static void the_status_of_the_default_interface_follows_the_default_route(void **state)
{
    (void)state;
    make_link("own1", "peer1");
    /* The one without addresses is the default one at first. */
    ip("route add default dev own1 metric 50");
    statuses_t of_number, of_name;
    statuses_begin(&of_number);
    statuses_begin(&of_name);
    watch(PAL_NET_DEFAULT_INTERFACE, &of_number);
    uint32_t index = 77;
    assert_pal(pal_registerNetworkInterface(NULL, &index), PAL_SUCCESS);
    watch(index, &of_name);
    enum { NOTHING = 2 };
    const struct {
        const char *change;
        unsigned told;
    } steps[] = {
        {"route add default via 192.0.2.2 metric 10", PAL_NETWORK_STATUS_CONNECTED},
        {"route del default via 192.0.2.2 metric 10", PAL_NETWORK_STATUS_DISCONNECTED},
        {"address add 203.0.113.1/24 dev own1", PAL_NETWORK_STATUS_CONNECTED},
        /* From one that is connected to another. */
        {"route add default via 192.0.2.2 metric 10", NOTHING},
        /* Not the default one any more. */
        {"address del 203.0.113.1/24 dev own1", NOTHING},
        /* Without a route: the first that is up. */
        {"link set own0 down", PAL_NETWORK_STATUS_DISCONNECTED},
        {"address add 203.0.113.1/24 dev own1", PAL_NETWORK_STATUS_CONNECTED},
        {"route add default dev own1 metric 50", NOTHING},
        {"link set own0 up", NOTHING},
        {"route del default dev own1 metric 50", NOTHING},
        {"address del 203.0.113.1/24 dev own1", NOTHING},
        /* The default route of IPv6 counts where IPv4 has none. */
        {"-6 route add default dev own1", PAL_NETWORK_STATUS_DISCONNECTED},
        {"-6 route del default dev own1", PAL_NETWORK_STATUS_CONNECTED},
    };
    unsigned count = 0;
    for (size_t step = 0; step < sizeof steps / sizeof steps[0]; step++) {
        ip("%s", steps[step].change);
        if (strcmp(steps[step].change, "link set own0 up") == 0) {
            await_link("own0");
        }
        count += steps[step].told != NOTHING;
        expect_calls(&of_number.calls, count);
        expect_calls(&of_name.calls, count);
        if (steps[step].told != NOTHING) {
            assert_int_equal(last_of(&of_number), steps[step].told);
            assert_int_equal(last_of(&of_name), steps[step].told);
        }
    }
    assert_pal(pal_setConnectionStatusCallback(PAL_NET_DEFAULT_INTERFACE, NULL, NULL), PAL_SUCCESS);
    assert_pal(pal_unregisterNetworkInterface(index), PAL_SUCCESS);
    calls_end(&of_number.calls);
    calls_end(&of_name.calls);
}

static void unrelated_interfaces_are_not_told(void **state)
{
    (void)state;
    statuses_t statuses;
    statuses_begin(&statuses);
    watch(register_interface("own0"), &statuses);
    /* A name that begins with the other, too. */
    for (unsigned round = 0; round < 3; round++) {
        make_inner_link("own01", "own", "198.51.100.1/24");
        ip("route add default dev own01");
        ip("link set own01 down");
        ip("link set own01 up");
        await_link("own01");
        ip("address flush dev own01");
        ip("link del own01");
    }
    expect_calls(&statuses.calls, 0);
    /* It does hear. */
    ip("link set own0 down");
    expect_status(&statuses, 1, PAL_NETWORK_STATUS_DISCONNECTED);
    assert_pal(pal_unregisterNetworkInterface(0), PAL_SUCCESS);
    calls_end(&statuses.calls);
}

static void a_new_callback_takes_the_place_of_the_old_one(void **state)
{
    (void)state;
    statuses_t first, second, of_default;
    statuses_begin(&first);
    statuses_begin(&second);
    statuses_begin(&of_default);
    uint32_t index = register_interface("own0");
    watch(index, &first);
    watch(PAL_NET_DEFAULT_INTERFACE, &of_default);
    ip("link set own0 down");
    expect_status(&first, 1, PAL_NETWORK_STATUS_DISCONNECTED);
    watch(index, &second);
    /* What is the case at that time is not told. */
    expect_calls(&second.calls, 0);
    ip("link set own0 up");
    expect_status(&second, 1, PAL_NETWORK_STATUS_CONNECTED);
    expect_status(&of_default, 2, PAL_NETWORK_STATUS_CONNECTED);
    assert_int_equal(calls_so_far(&first.calls), 1);
    /* The end of one leaves the other. */
    assert_pal(pal_setConnectionStatusCallback(index, NULL, NULL), PAL_SUCCESS);
    assert_pal(pal_setConnectionStatusCallback(index, NULL, NULL), PAL_SUCCESS);
    ip("link set own0 down");
    expect_status(&of_default, 3, PAL_NETWORK_STATUS_DISCONNECTED);
    assert_int_equal(calls_so_far(&second.calls), 1);
    assert_pal(pal_setConnectionStatusCallback(PAL_NET_DEFAULT_INTERFACE, NULL, NULL), PAL_SUCCESS);
    ip("link set own0 up");
    await_link("own0");
    expect_calls(&of_default.calls, 3);
    assert_pal(pal_unregisterNetworkInterface(index), PAL_SUCCESS);
    calls_end(&first.calls);
    calls_end(&second.calls);
    calls_end(&of_default.calls);
}

/* ---- the end of a status callback ---- */

typedef enum { BY_NULL, BY_UNREGISTER, BY_TERMINATE, WAYS_TO_END } ending_t;

static palStatus_t end_callback(ending_t how)
{
    switch (how) {
    case BY_NULL:
        return pal_setConnectionStatusCallback(0, NULL, NULL);
    case BY_UNREGISTER:
        return pal_unregisterNetworkInterface(0);
    default:
        return pal_plat_socketsTerminate(NULL);
    }
}

/* Undoes what an ending has undone, but for the callback. */
static void begin_again(void)
{
    assert_pal(pal_plat_socketsInit(NULL), PAL_SUCCESS);
    assert_int_equal(register_interface("own0"), 0);
}

static void end_in_callback(calls_t *calls)
{
    assert_pal(end_callback(*(ending_t *)calls->reaction_argument), PAL_SUCCESS);
}

static void a_callback_that_was_ended_does_not_run_again(void **state)
{
    (void)state;
    for (ending_t how = BY_NULL; how < WAYS_TO_END; how++) {
        for (unsigned from_callback = 0; from_callback < 2; from_callback++) {
            begin_again();
            statuses_t statuses;
            statuses_begin(&statuses);
            if (from_callback) {
                statuses.calls.reaction = end_in_callback;
                statuses.calls.reaction_argument = &how;
            }
            watch(0, &statuses);
            ip("link set own0 down");
            await_calls(&statuses.calls, 1);
            if (!from_callback) {
                assert_pal(end_callback(how), PAL_SUCCESS);
            }
            begin_again();
            ip("link set own0 up");
            await_link("own0");
            expect_calls(&statuses.calls, 1);
            assert_int_equal(last_of(&statuses), PAL_NETWORK_STATUS_DISCONNECTED);
            /* The next one works. */
            statuses.calls.reaction = NULL;
            watch(0, &statuses);
            ip("link set own0 down");
            expect_status(&statuses, 2, PAL_NETWORK_STATUS_DISCONNECTED);
            assert_pal(end_callback(how), PAL_SUCCESS);
            begin_again();
            ip("link set own0 up");
            await_link("own0");
            expect_calls(&statuses.calls, 2);
            calls_end(&statuses.calls);
        }
    }
}

typedef struct {
    sem_t entered;
    sem_t leave;
    sem_t ended;
    ending_t how;
    palStatus_t status;
} meeting_t;

static bool wait_for(sem_t *semaphore, unsigned milliseconds)
{
    uint64_t moment_ms = milliseconds_now() + milliseconds;
    struct timespec until = {.tv_sec = (time_t)(moment_ms / 1000), .tv_nsec = (long)(moment_ms % 1000) * 1000000};
    int result;
    while ((result = sem_clockwait(semaphore, CLOCK_MONOTONIC, &until)) != 0 && errno == EINTR) {
    }
    return result == 0;
}

static void stay_in_callback(calls_t *calls)
{
    meeting_t *meeting = calls->reaction_argument;
    sem_post(&meeting->entered);
    wait_for(&meeting->leave, 2 * SOON_MS);
}

static void *end_from_elsewhere(void *argument)
{
    meeting_t *meeting = argument;
    meeting->status = end_callback(meeting->how);
    sem_post(&meeting->ended);
    return NULL;
}

static void ending_a_callback_waits_for_it_to_return(void **state)
{
    (void)state;
    for (ending_t how = BY_NULL; how < WAYS_TO_END; how++) {
        begin_again();
        statuses_t statuses;
        statuses_begin(&statuses);
        meeting_t meeting = {.how = how, .status = PAL_ERR_GENERIC_FAILURE};
        sem_init(&meeting.entered, 0, 0);
        sem_init(&meeting.leave, 0, 0);
        sem_init(&meeting.ended, 0, 0);
        statuses.calls.reaction = stay_in_callback;
        statuses.calls.reaction_argument = &meeting;
        watch(0, &statuses);
        ip("link set own0 down");
        assert_true(wait_for(&meeting.entered, SOON_MS));
        /* What happens meanwhile is not told any more. */
        ip("link set own0 up");
        await_link("own0");
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, end_from_elsewhere, &meeting), 0);
        assert_false(wait_for(&meeting.ended, 100));
        assert_int_equal(calls_so_far(&statuses.calls), 0);
        sem_post(&meeting.leave);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_pal(meeting.status, PAL_SUCCESS);
        /* It had returned by then. */
        assert_int_equal(calls_so_far(&statuses.calls), 1);
        begin_again();
        expect_calls(&statuses.calls, 1);
        sem_destroy(&meeting.entered);
        sem_destroy(&meeting.leave);
        sem_destroy(&meeting.ended);
        calls_end(&statuses.calls);
    }
}

typedef struct {
    statuses_t *statuses;
    pthread_barrier_t *start;
    sem_t ended;
} replacement_t;

static void *replace_callback(void *argument)
{
    replacement_t *replacement = argument;
    pthread_barrier_wait(replacement->start);
    palStatus_t status = pal_setConnectionStatusCallback(0, take_status, replacement->statuses);
    sem_post(&replacement->ended);
    return (void *)(intptr_t)status;
}

static void a_callback_that_takes_a_place_ends_with_it_and_both_wait(void **state)
{
    (void)state;
    for (ending_t how = BY_NULL; how < WAYS_TO_END; how++) {
        begin_again();
        statuses_t first, second;
        statuses_begin(&first);
        statuses_begin(&second);
        meeting_t meeting = {.how = how, .status = PAL_ERR_GENERIC_FAILURE};
        sem_init(&meeting.entered, 0, 0);
        sem_init(&meeting.leave, 0, 0);
        sem_init(&meeting.ended, 0, 0);
        first.calls.reaction = stay_in_callback;
        first.calls.reaction_argument = &meeting;
        watch(0, &first);
        ip("link set own0 down");
        assert_true(wait_for(&meeting.entered, SOON_MS));
        pthread_barrier_t start;
        pthread_barrier_init(&start, NULL, 2);
        replacement_t replacement = {.statuses = &second, .start = &start};
        sem_init(&replacement.ended, 0, 0);
        pthread_t threads[2];
        assert_int_equal(pthread_create(&threads[0], NULL, replace_callback, &replacement), 0);
        pthread_barrier_wait(&start);
        assert_false(wait_for(&replacement.ended, 100));
        assert_int_equal(pthread_create(&threads[1], NULL, end_from_elsewhere, &meeting), 0);
        bool ended_early = wait_for(&meeting.ended, 100);
        sem_post(&meeting.leave);
        for (int index = 0; index < 2; index++) {
            assert_int_equal(pthread_join(threads[index], NULL), 0);
        }
        assert_false(ended_early);
        assert_pal(meeting.status, PAL_SUCCESS);
        assert_int_equal(calls_so_far(&first.calls), 1);
        begin_again();
        ip("link set own0 up");
        await_link("own0");
        expect_calls(&first.calls, 1);
        expect_calls(&second.calls, 0);
        pthread_barrier_destroy(&start);
        sem_destroy(&replacement.ended);
        sem_destroy(&meeting.entered);
        sem_destroy(&meeting.leave);
        sem_destroy(&meeting.ended);
        calls_end(&first.calls);
        calls_end(&second.calls);
    }
}

static void of_two_callbacks_set_at_once_one_is_told(void **state)
{
    (void)state;
    begin_again();
    statuses_t first, others;
    statuses_begin(&first);
    statuses_begin(&others);
    meeting_t meeting = {.how = BY_NULL};
    sem_init(&meeting.entered, 0, 0);
    sem_init(&meeting.leave, 0, 0);
    first.calls.reaction = stay_in_callback;
    first.calls.reaction_argument = &meeting;
    watch(0, &first);
    ip("link set own0 down");
    assert_true(wait_for(&meeting.entered, SOON_MS));
    /* Both wait for the one that runs. */
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, 3);
    replacement_t replacements[2];
    pthread_t threads[2];
    for (int index = 0; index < 2; index++) {
        replacements[index] = (replacement_t){.statuses = &others, .start = &start};
        sem_init(&replacements[index].ended, 0, 0);
        assert_int_equal(pthread_create(&threads[index], NULL, replace_callback, &replacements[index]), 0);
    }
    pthread_barrier_wait(&start);
    bool ended_early = wait_for(&replacements[0].ended, 100) || wait_for(&replacements[1].ended, 100);
    sem_post(&meeting.leave);
    for (int index = 0; index < 2; index++) {
        void *status = &others;
        assert_int_equal(pthread_join(threads[index], &status), 0);
        assert_null(status);
        sem_destroy(&replacements[index].ended);
    }
    ip("link set own0 up");
    expect_status(&others, 1, PAL_NETWORK_STATUS_CONNECTED);
    assert_int_equal(calls_so_far(&first.calls), 1);
    assert_false(ended_early);
    assert_pal(pal_unregisterNetworkInterface(0), PAL_SUCCESS);
    pthread_barrier_destroy(&start);
    sem_destroy(&meeting.entered);
    sem_destroy(&meeting.leave);
    calls_end(&first.calls);
    calls_end(&others.calls);
}

/* Gives an interface an address and takes it away, until it is told to stop. */
typedef struct {
    const char *interface;
    int file;
    atomic_bool stop;
    atomic_uint failures;
    pthread_t thread;
} flapper_t;

static void *flap(void *argument)
{
    flapper_t *flapper = argument;
    while (!atomic_load(&flapper->stop)) {
        atomic_fetch_add(&flapper->failures, !set_ipv4(flapper->file, flapper->interface, "0.0.0.0"));
        atomic_fetch_add(&flapper->failures, !set_ipv4(flapper->file, flapper->interface, "192.0.2.1"));
    }
    return NULL;
}

/* Alive only while its callback may run. */
typedef struct {
    atomic_bool alive;
    atomic_uint calls;
    atomic_uint faults;
} mortal_t;

static void touch_mortal(palNetworkStatus_t status, void *argument)
{
    mortal_t *mortal = argument;
    (void)status;
    if (!atomic_load(&mortal->alive)) {
        atomic_fetch_add(&mortal->faults, 1);
    }
    sched_yield();
    if (!atomic_load(&mortal->alive)) {
        atomic_fetch_add(&mortal->faults, 1);
    }
    atomic_fetch_add(&mortal->calls, 1);
}

static void no_callback_runs_after_its_end_however_busy_the_interface_is(void **state)
{
    (void)state;
    ip("address add 192.0.2.1/24 dev own0");
    flapper_t flapper = {.interface = "own0", .file = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    assert_true(flapper.file >= 0);
    assert_int_equal(pthread_create(&flapper.thread, NULL, flap, &flapper), 0);
    mortal_t mortal;
    atomic_init(&mortal.calls, 0);
    atomic_init(&mortal.faults, 0);
    atomic_init(&mortal.alive, false);
    bool called = true;
    const unsigned rounds = times(100);
    for (unsigned round = 0; round < rounds; round++) {
        begin_again();
        unsigned before = atomic_load(&mortal.calls);
        atomic_store(&mortal.alive, true);
        assert_pal(pal_setConnectionStatusCallback(0, touch_mortal, &mortal), PAL_SUCCESS);
        /* Of two rounds, one ends it about when it begins. */
        uint64_t until = milliseconds_now() + SOON_MS;
        while (round % 2 == 0 && atomic_load(&mortal.calls) == before && milliseconds_now() < until) {
            sched_yield();
        }
        called = called && (round % 2 != 0 || atomic_load(&mortal.calls) > before);
        palStatus_t status = end_callback((ending_t)(round / 2 % WAYS_TO_END));
        atomic_store(&mortal.alive, false);
        assert_pal(status, PAL_SUCCESS);
    }
    atomic_store(&flapper.stop, true);
    assert_int_equal(pthread_join(flapper.thread, NULL), 0);
    close(flapper.file);
    begin_again();
    settle();
    assert_true(called);
    assert_int_equal(atomic_load(&flapper.failures), 0);
    assert_int_equal(atomic_load(&mortal.faults), 0);
}

/* ---- many changes ---- */

enum { FLAPPING = 6 };

/* Waits until the last status that was told is what the interface has come to. */
static void expect_last_status(statuses_t *statuses, palNetworkStatus_t expected)
{
    uint64_t until = milliseconds_now() + SOON_MS;
    while (last_of(statuses) != expected && milliseconds_now() < until) {
        sleep_ms(2);
    }
    settle();
    assert_int_equal(last_of(statuses), expected);
}

static void after_many_changes_the_last_status_is_the_right_one(void **state)
{
    (void)state;
    int file = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(file >= 0);
    char names[FLAPPING][16], address[32];
    for (unsigned index = 0; index < FLAPPING; index++) {
        char other[16];
        snprintf(names[index], sizeof names[index], "flap%u", index);
        snprintf(other, sizeof other, "other%u", index);
        snprintf(address, sizeof address, "10.0.%u.1/24", index);
        make_inner_link(names[index], other, address);
    }
    statuses_t statuses;
    statuses_begin(&statuses);
    watch(register_interface("flap3"), &statuses);
    assert_true(set_up(file, "flap3", false));
    expect_status(&statuses, 1, PAL_NETWORK_STATUS_DISCONNECTED);
    uint32_t random = 0x2545F491;
    for (unsigned count = 1; count <= 200; count++) {
        for (unsigned index = 0; index < FLAPPING; index++) {
            /* Links of some, addresses of all; a xorshift generator, so that each run does the same. */
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            if (random % 8 == 0) {
                assert_true(set_up(file, names[index], random >> 8 & 1));
            } else {
                snprintf(address, sizeof address, "10.0.%u.1", index);
                assert_true(set_ipv4(file, names[index], random >> 8 & 1 ? address : "0.0.0.0"));
            }
        }
        if (count % 10 == 0) {
            bool with_address = has_ipv4(file, "flap3");
            /* A link takes its time to come, not to go. */
            assert_true(set_up(file, "flap3", true));
            await_link("flap3");
            expect_last_status(&statuses, with_address ? PAL_NETWORK_STATUS_CONNECTED : PAL_NETWORK_STATUS_DISCONNECTED);
        }
    }
    assert_true(set_up(file, "flap3", false));
    expect_last_status(&statuses, PAL_NETWORK_STATUS_DISCONNECTED);
    assert_true(set_ipv4(file, "flap3", "10.0.3.1"));
    assert_true(set_up(file, "flap3", true));
    expect_last_status(&statuses, PAL_NETWORK_STATUS_CONNECTED);
    /* It has one address at most: nothing but the two states, in turn. */
    assert_int_equal(statuses.repeated, 0);
    close(file);
    assert_pal(pal_unregisterNetworkInterface(0), PAL_SUCCESS);
    calls_end(&statuses.calls);
}

/* How many messages the system could not queue for the watchers of this namespace. */
static unsigned long lost_messages(void)
{
    FILE *table = fopen("/proc/thread-self/net/netlink", "re");
    assert_non_null(table);
    unsigned long lost = 0;
    char line[200];
    while (fgets(line, sizeof line, table) != NULL) {
        unsigned long drops = 0;
        if (sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %*s %lu", &drops) == 1) {
            lost += drops;
        }
    }
    fclose(table);
    return lost;
}

static void changes_that_the_system_could_not_tell_of_are_not_missed(void **state)
{
    (void)state;
    int file = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(file >= 0);
    ip("address add 192.0.2.1/24 dev own0");
    make_inner_link("noise", "other", "198.51.100.1/24");
    statuses_t statuses;
    statuses_begin(&statuses);
    meeting_t meeting = {0};
    sem_init(&meeting.entered, 0, 0);
    sem_init(&meeting.leave, 0, 0);
    statuses.calls.reaction = stay_in_callback;
    statuses.calls.reaction_argument = &meeting;
    watch(register_interface("own0"), &statuses);
    for (unsigned round = 0; round < 2; round++) {
        bool up = round % 2 != 0;
        unsigned long before = lost_messages();
        assert_true(set_ipv4(file, "own0", up ? "192.0.2.1" : "0.0.0.0"));
        assert_true(wait_for(&meeting.entered, SOON_MS));
        /* While the layer's thread is held up, more happens than its socket holds, and only then the change that counts. */
        for (unsigned count = 0; lost_messages() == before; count++) {
            assert_true(count < 100000);
            assert_true(set_ipv4(file, "noise", count % 2 ? "198.51.100.1" : "0.0.0.0"));
        }
        assert_true(set_ipv4(file, "own0", up ? "0.0.0.0" : "192.0.2.1"));
        sem_post(&meeting.leave);
        /* The callback for that change stays too. */
        assert_true(wait_for(&meeting.entered, SOON_MS));
        assert_int_equal(last_of(&statuses), up ? PAL_NETWORK_STATUS_DISCONNECTED : PAL_NETWORK_STATUS_CONNECTED);
        /* Let the next round begin where this one did not. */
        assert_true(set_ipv4(file, "own0", up ? "192.0.2.1" : "0.0.0.0"));
        sem_post(&meeting.leave);
        assert_true(wait_for(&meeting.entered, SOON_MS));
        sem_post(&meeting.leave);
        expect_calls(&statuses.calls, 3 * (round + 1));
    }
    close(file);
    assert_pal(pal_unregisterNetworkInterface(0), PAL_SUCCESS);
    sem_destroy(&meeting.entered);
    sem_destroy(&meeting.leave);
    calls_end(&statuses.calls);
}

/* ---- information about interfaces ---- */

static void expect_info(uint32_t index, const char *name, const char *text, unsigned scope)
{
    palNetInterfaceInfo_t info;
    memset(&info, 0xA5, sizeof info);
    assert_pal(pal_getNetInterfaceInfo(index, &info), PAL_SUCCESS);
    assert_string_equal(info.interfaceName, name);
    expect_address(&info.address, text, 0, scope);
    assert_int_equal(info.addressSize, domain_of(text) == PAL_AF_INET ? 16 : 28);
}

static void expect_no_info(uint32_t index)
{
    palNetInterfaceInfo_t info, before;
    memset(&info, 0xA5, sizeof info);
    before = info;
    assert_pal(pal_getNetInterfaceInfo(index, &info), PAL_ERR_ITEM_NOT_EXIST);
    assert_memory_equal(&info, &before, sizeof info);
}

static void the_address_told_is_ipv4_and_then_the_one_that_reaches_farther(void **state)
{
    (void)state;
    uint32_t index = register_interface("own0");
    expect_no_info(index);
    ip("address add fe80::1/64 dev own0 nodad");
    expect_info(index, "own0", "fe80::1", index_of("own0"));
    ip("address add 2001:db8::1/64 dev own0 nodad");
    expect_info(index, "own0", "2001:db8::1", 0);
    ip("address add 169.254.7.1/16 dev own0 scope link");
    expect_info(index, "own0", "169.254.7.1", 0);
    ip("address add 192.0.2.1/24 dev own0");
    expect_info(index, "own0", "192.0.2.1", 0);
    ip("-4 address flush dev own0");
    expect_info(index, "own0", "2001:db8::1", 0);
    ip("address flush dev own0");
    expect_no_info(index);
    assert_pal(pal_unregisterNetworkInterface(index), PAL_SUCCESS);
    palNetInterfaceInfo_t info;
    assert_pal(pal_getNetInterfaceInfo(index, &info), PAL_ERR_INVALID_ARGUMENT);
}

/* The default interface, however it is asked for. */
static void expect_default(const char *name, const char *text)
{
    uint8_t number[] = {0xFF, 0xFF, 0xFF, 0xFF};
    void *const contexts[] = {NULL, number};
    expect_info(PAL_NET_DEFAULT_INTERFACE, name, text, 0);
    for (size_t context = 0; context < 2; context++) {
        uint32_t index = 77;
        assert_pal(pal_registerNetworkInterface(contexts[context], &index), PAL_SUCCESS);
        assert_int_equal(index, 0);
        expect_info(index, name, text, 0);
        assert_pal(pal_unregisterNetworkInterface(index), PAL_SUCCESS);
    }
}

static void the_default_interface_is_the_one_of_the_default_route(void **state)
{
    (void)state;
    expect_default("lo", "127.0.0.1");
    make_link("own0", "peer0");
    /* The first that is up, whether it has an address or not. */
    expect_no_info(PAL_NET_DEFAULT_INTERFACE);
    add_ipv4();
    add_ipv6();
    make_link("own1", "peer1");
    ip("address add 203.0.113.1/24 dev own1");
    expect_default("own0", "192.0.2.1");
    ip("route add 198.51.100.0/24 dev own1");
    expect_default("own0", "192.0.2.1");
    ip("route add default via 203.0.113.2 metric 200");
    expect_default("own1", "203.0.113.1");
    ip("route add default via 192.0.2.2 metric 100");
    expect_default("own0", "192.0.2.1");
    ip("route add unreachable default metric 50");
    expect_default("own0", "192.0.2.1");
    ip("route del default via 192.0.2.2");
    ip("-6 route add default via 2001:db8::2");
    /* IPv4 first. */
    expect_default("own1", "203.0.113.1");
    ip("route del default via 203.0.113.2");
    expect_default("own0", "192.0.2.1");
    ip("-6 route del default via 2001:db8::2");
    ip("-6 route add default dev own1");
    expect_default("own1", "203.0.113.1");
    /* The route goes with the link, and the next one is the first that is up. */
    ip("link set own1 down");
    expect_default("own0", "192.0.2.1");
    ip("link set own1 up");
    ip("link set own0 down");
    expect_default("own1", "203.0.113.1");
    ip("link set own1 down");
    expect_default("lo", "127.0.0.1");
    ip("link set lo down");
    expect_no_info(PAL_NET_DEFAULT_INTERFACE);
    ip("link set lo up");
}

static void an_interface_is_found_by_its_name_of_the_moment(void **state)
{
    (void)state;
    uint32_t index = register_interface("fifteen-letters");
    expect_no_info(index);
    make_inner_link("fifteen-letters", "other", "198.51.100.1/24");
    expect_info(index, "fifteen-letters", "198.51.100.1", 0);
    assert_int_equal(register_interface("fifteen-letters"), index);
    ip("link set fifteen-letters down");
    ip("link set fifteen-letters name after");
    expect_no_info(index);
    ip("link set other name fifteen-letters");
    ip("address add 198.51.100.2/24 dev fifteen-letters");
    expect_info(index, "fifteen-letters", "198.51.100.2", 0);
    ip("link del fifteen-letters");
    expect_no_info(index);
    /* The beginning of a name is another name. */
    assert_pal(pal_unregisterNetworkInterface(index), PAL_SUCCESS);
    make_inner_link("fifteen-letters", "other", "198.51.100.1/24");
    index = register_interface("fifteen-letter");
    expect_no_info(index);
    assert_pal(pal_unregisterNetworkInterface(index), PAL_SUCCESS);
}

/* ---- names ---- */

#if PAL_DNS_API_VERSION != 3
static void expect_lookup(const char *name, const char *text, unsigned scope)
{
    palSocketAddress_t address;
    palSocketLength_t length = 0;
    memset(&address, 0xA5, sizeof address);
    assert_pal(pal_getAddressInfo(name, &address, &length), PAL_SUCCESS);
    assert_int_equal(length, domain_of(text) == PAL_AF_INET ? 16 : 28);
    expect_address(&address, text, 0, scope);
}

static void expect_names_of_one_family(void)
{
    char with_scope[] = "fe80::2%own0";
    expect_lookup("192.0.2.2", "192.0.2.2", 0);
    expect_lookup("2001:db8::2", "2001:db8::2", 0);
    expect_lookup(with_scope, "fe80::2", index_of("own0"));
    expect_lookup("four.test", "192.0.2.2", 0);
    expect_lookup("six.test", "2001:db8::2", 0);
    palSocketAddress_t address, before;
    palSocketLength_t length = 77;
    memset(&address, 0xA5, sizeof address);
    before = address;
    assert_pal(pal_getAddressInfo("nobody.test", &address, &length), PAL_ERR_SOCKET_DNS_ERROR);
    assert_memory_equal(&address, &before, sizeof address);
    assert_int_equal(length, 77);
}

static void a_name_gives_the_family_that_the_network_has(void **state)
{
    (void)state;
    add_ipv4();
    expect_lookup("both.test", "192.0.2.2", 0);
    expect_names_of_one_family();
    ip("address flush dev own0");
    add_ipv6();
    expect_lookup("both.test", "2001:db8::2", 0);
    expect_names_of_one_family();
    /* With both, one that a connect gets through to: here IPv6, which RFC 6724 puts first. */
    ip("address add 192.0.2.1/24 dev own0");
    expect_lookup("both.test", "2001:db8::2", 0);
    expect_names_of_one_family();
    /* Without any network too: the name is known, whatever can be reached. */
    ip("link set own0 down");
    expect_names_of_one_family();
}
#endif

/* ---- the main ---- */

/* Names of the tests' own, in a mount namespace that only this process sees. /mnt is a place for a moment: what is mounted there goes
 * with the namespace. */
static bool make_names(void)
{
    const struct {
        const char *path;
        const char *source;
        const char *content;
    } files[] = {
        {"/etc/hosts", "/mnt/hosts",
         "127.0.0.1 localhost\n::1 localhost\n192.0.2.2 both.test four.test\n2001:db8::2 both.test six.test\n"},
        {"/etc/nsswitch.conf", "/mnt/nsswitch.conf", "hosts: files\n"},
    };
    if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 || mount("names", "/mnt", "tmpfs", 0, NULL) != 0) {
        return false;
    }
    for (size_t index = 0; index < sizeof files / sizeof files[0]; index++) {
        FILE *file = fopen(files[index].source, "we");
        if (file == NULL || fputs(files[index].content, file) < 0 || fclose(file) != 0 ||
            mount(files[index].source, files[index].path, "none", MS_BIND, NULL) != 0) {
            return false;
        }
    }
    return umount2("/mnt", MNT_DETACH) == 0;
}

int main(int count, char **arguments)
{
    if (!leave_the_system(CLONE_NEWNS)) {
        return SKIPPED;
    }
    if (!make_names()) {
        print_message("no names of its own can be made (%s): skipped\n", strerror(errno));
        return SKIPPED;
    }
#define TEST_WITH(setup, name) cmocka_unit_test_setup_teardown(name, setup, network_teardown)
#define TEST(name) TEST_WITH(network_setup, name)
    const struct CMUnitTest tests[] = {
        TEST_WITH(network_setup_with_link, datagrams_to_a_link_local_address_go_over_its_link_and_tell_it),
        TEST_WITH(network_setup_with_link, a_connection_to_a_link_local_address_goes_over_its_link_and_tells_it),
        TEST_WITH(network_setup_with_link, the_address_functions_leave_the_scope_alone),
        TEST(hop_limit_and_traffic_class_are_seen_on_the_wire),
        TEST(without_a_route_a_connect_fails_at_once),
        TEST(a_host_that_a_router_calls_unreachable_is_told),
        TEST(a_connect_that_goes_on_after_an_error_is_told_at_its_end_only),
        TEST(a_neighbour_that_does_not_answer_is_told_as_unreachable),
        TEST(a_connect_that_nobody_answers_times_out),
        TEST(a_datagram_without_room_would_block_and_room_is_told_once),
        TEST(a_connection_survives_a_link_that_goes_and_comes_back),
        TEST(a_peer_that_resets_is_told_over_a_link),
        TEST(the_status_callback_is_refused_until_it_is_enabled),
        TEST(a_link_that_goes_and_comes_is_told_once_each_time),
        TEST_WITH(network_setup_with_link, addresses_that_come_and_go_are_told),
        TEST_WITH(network_setup_without_addresses, an_interface_made_anew_or_renamed_is_known_by_its_name),
        TEST(the_status_of_the_default_interface_follows_the_default_route),
        TEST(unrelated_interfaces_are_not_told),
        TEST(a_new_callback_takes_the_place_of_the_old_one),
        TEST(a_callback_that_was_ended_does_not_run_again),
        TEST(ending_a_callback_waits_for_it_to_return),
        TEST(a_callback_that_takes_a_place_ends_with_it_and_both_wait),
        TEST(of_two_callbacks_set_at_once_one_is_told),
        TEST_WITH(network_setup_with_link, no_callback_runs_after_its_end_however_busy_the_interface_is),
        TEST_WITH(network_setup_without_addresses, after_many_changes_the_last_status_is_the_right_one),
        TEST_WITH(network_setup_with_link, changes_that_the_system_could_not_tell_of_are_not_missed),
        TEST_WITH(network_setup_with_link, the_address_told_is_ipv4_and_then_the_one_that_reaches_farther),
        TEST_WITH(network_setup_without_addresses, the_default_interface_is_the_one_of_the_default_route),
        TEST_WITH(network_setup_without_addresses, an_interface_is_found_by_its_name_of_the_moment),
#if PAL_DNS_API_VERSION != 3
        TEST_WITH(network_setup_with_link, a_name_gives_the_family_that_the_network_has),
#endif
    };
#undef TEST
#undef TEST_WITH
    return run_chosen_tests(tests, count, arguments);
}
