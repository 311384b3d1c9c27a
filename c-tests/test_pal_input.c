/* Bad input to the PAL: what each function says to it, and that nothing else is touched by it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "pal_support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- memory that ends ---- */

static unsigned char *end_of_memory;

/* A copy of these bytes, behind the last of which nothing can be read. It lasts until the next one. */
static void *at_the_end(const void *bytes, size_t size)
{
    if (end_of_memory == NULL) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        unsigned char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(pages, MAP_FAILED);
        assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
        end_of_memory = pages + page;
    }
    return memcpy(end_of_memory - size, bytes, size);
}

static void ignore(void *argument)
{
    (void)argument;
}

static void ignore_status(palNetworkStatus_t status, void *argument)
{
    (void)status;
    (void)argument;
}

/* ---- null ---- */

static void null_is_told_before_a_bad_descriptor_or_any_other_fault(void **state)
{
    (void)state;
    calls_t calls;
    calls_begin(&calls);
    uint16_t port;
    palSocket_t datagrams = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls, &port);
    palSocket_t listener = bind_socket(PAL_AF_INET, PAL_SOCK_STREAM, &calls, &port);
    assert_pal(pal_listen(listener, 1), PAL_SUCCESS);
    const palSocket_t handles[] = {datagrams, listener, NULL, CLOSED_SOCKET, (palSocket_t)(intptr_t)INT_MAX};
    palSocketAddress_t good = loopback(PAL_AF_INET, port), wrong = {.addressType = 99};
    palSocketAddress_t *const addresses[] = {&good, &wrong};
    const palSocketLength_t lengths[] = {ADDRESS_SIZE, 0};
    char byte = 'x';
    size_t size = 99;
    int value = 1;
    for (size_t index = 0; index < sizeof handles / sizeof handles[0]; index++) {
        palSocket_t handle = handles[index];
        palSocket_t accepted = CLOSED_SOCKET;
        palSocketLength_t length = ADDRESS_SIZE;
        assert_pal(pal_isNonBlocking(handle, NULL), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_accept(handle, NULL, &length, &accepted, ignore, NULL), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_accept(handle, &good, NULL, &accepted, ignore, NULL), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_accept(handle, &good, &length, NULL, ignore, NULL), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_accept(handle, &good, &length, &accepted, NULL, &calls), PAL_ERR_INVALID_ARGUMENT);
        assert_int_equal(length, ADDRESS_SIZE);
        assert_ptr_equal(accepted, CLOSED_SOCKET);
        for (int variant = 0; variant < 2; variant++) {
            palSocketAddress_t *address = addresses[variant];
            length = lengths[variant];
            size_t count = variant == 0 ? 1 : SIZE_MAX;
            assert_pal(pal_bind(handle, NULL, length), PAL_ERR_INVALID_ARGUMENT);
            assert_pal(pal_connect(handle, NULL, length), PAL_ERR_INVALID_ARGUMENT);
            assert_pal(pal_recv(handle, NULL, count, &size), PAL_ERR_INVALID_ARGUMENT);
            assert_pal(pal_recv(handle, NULL, 0, &size), PAL_ERR_INVALID_ARGUMENT);
            assert_pal(pal_recv(handle, &byte, count, NULL), PAL_ERR_INVALID_ARGUMENT);
            assert_pal(pal_receiveFrom(handle, NULL, count, address, &length, &size), PAL_ERR_INVALID_ARGUMENT);
            assert_pal(pal_receiveFrom(handle, &byte, count, address, &length, NULL), PAL_ERR_INVALID_ARGUMENT);
            assert_pal(pal_send(handle, NULL, count, &size), PAL_ERR_INVALID_ARGUMENT);
            assert_pal(pal_send(handle, NULL, 0, &size), PAL_ERR_INVALID_ARGUMENT);
            assert_pal(pal_send(handle, &byte, count, NULL), PAL_ERR_INVALID_ARGUMENT);
            assert_pal(pal_sendTo(handle, NULL, count, address, length, &size), PAL_ERR_INVALID_ARGUMENT);
            assert_pal(pal_sendTo(handle, NULL, 0, address, length, &size), PAL_ERR_INVALID_ARGUMENT);
            assert_pal(pal_sendTo(handle, &byte, count, NULL, length, &size), PAL_ERR_INVALID_ARGUMENT);
            assert_pal(pal_sendTo(handle, &byte, count, address, length, NULL), PAL_ERR_INVALID_ARGUMENT);
            int name = variant == 0 ? PAL_SO_REUSEADDR : 12345;
            assert_pal(pal_setSocketOptions(handle, name, NULL, sizeof value), PAL_ERR_INVALID_ARGUMENT);
            assert_pal(pal_setSocketOptions(handle, name, NULL, 0), PAL_ERR_INVALID_ARGUMENT);
            for (int level = 0; level < 3; level++) {
                assert_pal(pal_setSocketOptionsWithLevel(handle, (palSocketOptionLevelName_t)level, name, NULL, sizeof value),
                           PAL_ERR_INVALID_ARGUMENT);
            }
        }
    }
    assert_int_equal(size, 99);
    assert_pal(pal_close(NULL), PAL_ERR_INVALID_ARGUMENT);
    close_socket(&datagrams);
    close_socket(&listener);
    calls_end(&calls);
}

static void null_is_told_where_no_socket_is_asked_for(void **state)
{
    (void)state;
    palSocket_t socket = CLOSED_SOCKET;
    const palSocketDomain_t domains[] = {PAL_AF_INET, (palSocketDomain_t)99};
    const palSocketType_t types[] = {PAL_SOCK_DGRAM, (palSocketType_t)7};
    for (int index = 0; index < 4; index++) {
        palSocketDomain_t domain = domains[index / 2];
        palSocketType_t type = types[index % 2];
        assert_pal(pal_asynchronousSocket(domain, type, true, 0, NULL, &socket), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_asynchronousSocket(domain, type, true, 0, ignore, NULL), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_asynchronousSocketWithArgument(domain, type, true, 0, NULL, &socket, &socket), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_asynchronousSocketWithArgument(domain, type, true, 0, ignore, &socket, NULL), PAL_ERR_INVALID_ARGUMENT);
    }
    assert_ptr_equal(socket, CLOSED_SOCKET);

    palSocketAddress_t address = loopback(PAL_AF_INET, 1), before = address;
    uint8_t octets[16] = {0};
    uint16_t port = 7;
    assert_pal(pal_setSockAddrIPV4Addr(NULL, octets), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_setSockAddrIPV4Addr(&address, NULL), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_setSockAddrIPV6Addr(NULL, octets), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_setSockAddrIPV6Addr(&address, NULL), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_setSockAddrNAT64Addr(NULL, octets), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_setSockAddrNAT64Addr(&address, NULL), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_setSockAddrPort(NULL, 1), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_getSockAddrPort(NULL, &port), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_getSockAddrPort(&address, NULL), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_getSockAddrIPV4Addr(NULL, octets), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_getSockAddrIPV4Addr(&address, NULL), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_getSockAddrIPV6Addr(NULL, octets), PAL_ERR_INVALID_ARGUMENT);
    assert_memory_equal(&address, &before, sizeof address);
    address = loopback(PAL_AF_INET6, 1);
    assert_pal(pal_getSockAddrIPV6Addr(&address, NULL), PAL_ERR_INVALID_ARGUMENT);
    assert_int_equal(port, 7);

    palSocketLength_t length = 77;
    assert_pal(pal_getAddressInfo(NULL, &address, &length), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_getAddressInfo("127.0.0.1", NULL, &length), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_getAddressInfo("127.0.0.1", &address, NULL), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_getAddressInfo("", NULL, NULL), PAL_ERR_INVALID_ARGUMENT);
    assert_int_equal(length, 77);

    char name[] = "test0";
    assert_pal(pal_registerNetworkInterface(name, NULL), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_registerNetworkInterface(NULL, NULL), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_getNumberOfNetInterfaces(NULL), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_getNetInterfaceInfo(PAL_NET_DEFAULT_INTERFACE, NULL), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_getNetInterfaceInfo(99, NULL), PAL_ERR_INVALID_ARGUMENT);
    uint32_t number = 77;
    assert_pal(pal_getNumberOfNetInterfaces(&number), PAL_SUCCESS);
    assert_int_equal(number, 0);
}

static void null_is_taken_where_it_says_that_nothing_is_wanted(void **state)
{
    (void)state;
    palSocket_t socket = NULL;
    palSocketAddress_t address = loopback(PAL_AF_INET, 0);
    assert_pal(pal_asynchronousSocketWithArgument(PAL_AF_INET, PAL_SOCK_DGRAM, true, 0, ignore, NULL, &socket), PAL_SUCCESS);
    assert_pal(pal_bind(socket, &address, ADDRESS_SIZE), PAL_SUCCESS);
    uint16_t port = port_of(socket);
    size_t size = 99;
    char bytes[2];
    palSocketLength_t length = 77;
    for (int which = 0; which < 4; which++) {
        send_datagram(socket, PAL_AF_INET, port, "xy", 2);
        assert_pal(pal_receiveFrom(socket, bytes, 2, which & 1 ? &address : NULL, which & 2 ? &length : NULL, &size), PAL_SUCCESS);
        assert_int_equal(size, 2);
        assert_int_equal(length, which & 2 ? 16 : 77);
    }
    close_socket(&socket);

    palSocket_t nothing = NULL;
    assert_pal(pal_close(&nothing), PAL_SUCCESS);
    assert_ptr_equal(nothing, CLOSED_SOCKET);
    uint32_t index = 77;
    assert_pal(pal_registerNetworkInterface(NULL, &index), PAL_SUCCESS);
    mcc_pal_enable_connection_status(true);
    assert_pal(pal_setConnectionStatusCallback(index, ignore_status, NULL), PAL_SUCCESS);
    assert_pal(pal_setConnectionStatusCallback(index, NULL, NULL), PAL_SUCCESS);
    assert_pal(pal_setConnectionStatusCallback(index, NULL, &index), PAL_SUCCESS);
    mcc_pal_enable_connection_status(false);
    assert_pal(pal_unregisterNetworkInterface(index), PAL_SUCCESS);
    assert_pal(pal_plat_socketsInit(NULL), PAL_SUCCESS);
    assert_pal(pal_plat_socketsInit(&index), PAL_SUCCESS);
}

/* ---- what is no socket ---- */

static void a_number_that_is_no_socket_is_told_by_every_function(void **state)
{
    (void)state;
    calls_t calls;
    calls_begin(&calls);
    palSocket_t socket = make_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls);
    palSocket_t closed = make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &calls);
    const uintptr_t closed_number = (uintptr_t)closed;
    close_socket(&closed);
    const uintptr_t numbers[] = {
        closed_number,
        1,
        2,
        1 << 20,
        INT_MAX,
        (uintptr_t)INT_MAX + 1,
        (uintptr_t)INTPTR_MIN,
        (uintptr_t)(intptr_t)-2,
        (uintptr_t)(intptr_t)-1 - 4095,
#if UINTPTR_MAX > UINT32_MAX
        /* As an int, these are -1 and the socket. */
        UINT32_MAX,
        (uintptr_t)1 << 32 | (uintptr_t)socket,
        (uintptr_t)UINT32_MAX << 32 | (uintptr_t)socket,
#endif
    };
    for (size_t index = 0; index < sizeof numbers / sizeof numbers[0]; index++) {
        expect_no_socket((palSocket_t)numbers[index]);
        palSocket_t handle = (palSocket_t)numbers[index];
        assert_pal(pal_close(&handle), PAL_ERR_SOCKET_INVALID_VALUE);
    }
    /* Closing these two is no fault; all else is. */
    expect_no_socket(NULL);
    expect_no_socket(CLOSED_SOCKET);
    bool non_blocking = false;
    assert_pal(pal_isNonBlocking(socket, &non_blocking), PAL_SUCCESS);
    close_socket(&socket);
    calls_end(&calls);
}

static int own_socket(int type, struct sockaddr_in *address)
{
    int own = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_true(own >= 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof *address;
    assert_int_equal(bind(own, (struct sockaddr *)address, size), 0);
    assert_int_equal(getsockname(own, (struct sockaddr *)address, &size), 0);
    return own;
}

static void expect_foreign(int descriptor)
{
    int flags = fcntl(descriptor, F_GETFL), close_on_exec = fcntl(descriptor, F_GETFD);
    expect_no_socket((palSocket_t)(intptr_t)descriptor);
    palSocket_t handle = (palSocket_t)(intptr_t)descriptor;
    assert_pal(pal_close(&handle), PAL_ERR_SOCKET_INVALID_VALUE);
    assert_int_equal(fcntl(descriptor, F_GETFL), flags);
    assert_int_equal(fcntl(descriptor, F_GETFD), close_on_exec);
}

static void files_pipes_and_sockets_of_the_application_stay_untouched(void **state)
{
    (void)state;
    char bytes[16];
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(write(fileno(file), "0123456789", 10), 10);
    assert_int_equal(lseek(fileno(file), 4, SEEK_SET), 4);
    expect_foreign(fileno(file));
    assert_int_equal(lseek(fileno(file), 0, SEEK_CUR), 4);
    assert_int_equal(pread(fileno(file), bytes, sizeof bytes, 0), 10);
    assert_memory_equal(bytes, "0123456789", 10);
    fclose(file);

    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "abc", 3), 3);
    expect_foreign(ends[0]);
    expect_foreign(ends[1]);
    assert_int_equal(read(ends[0], bytes, sizeof bytes), 3);
    close(ends[0]);
    close(ends[1]);

    struct sockaddr_in address;
    int own = own_socket(SOCK_DGRAM, &address);
    assert_int_equal(sendto(own, "hello", 5, 0, (struct sockaddr *)&address, sizeof address), 5);
    expect_foreign(own);
    int value = -1;
    socklen_t size = sizeof value;
    assert_int_equal(getsockopt(own, SOL_SOCKET, SO_REUSEADDR, &value, &size), 0);
    assert_int_equal(value, 0);
    size = sizeof address;
    assert_int_equal(getpeername(own, (struct sockaddr *)&address, &size), -1);
    assert_int_equal(recv(own, bytes, sizeof bytes, MSG_DONTWAIT), 5);
    close(own);

    int listener = own_socket(SOCK_STREAM, &address);
    assert_int_equal(listen(listener, 1), 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    expect_foreign(listener);
    expect_foreign(client);
    int server = accept(listener, NULL, NULL);
    assert_true(server >= 0);
    expect_foreign(server);
    assert_int_equal(recv(server, bytes, sizeof bytes, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    close(server);
    close(client);
    close(listener);
}

static void sockets_that_cannot_be_are_not_made(void **state)
{
    (void)state;
    static const unsigned domains[] = {0, 1, 3, 9, 11, 17, 99, 0xFFFF, 0x10002, UINT_MAX};
    static const unsigned types[] = {0, 3, 4, 5, 10, 98, 100, 0x80001, UINT_MAX};
    const size_t descriptors = count_descriptors();
    palSocket_t socket = CLOSED_SOCKET;
    for (size_t index = 0; index < sizeof domains / sizeof domains[0]; index++) {
        palSocketDomain_t domain = (palSocketDomain_t)domains[index];
        assert_pal(pal_asynchronousSocket(domain, PAL_SOCK_DGRAM, true, 0, ignore, &socket), PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY);
        assert_pal(pal_asynchronousSocketWithArgument(domain, PAL_SOCK_STREAM, true, 0, ignore, NULL, &socket),
                   PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY);
    }
    for (size_t index = 0; index < sizeof types / sizeof types[0]; index++) {
        palSocketType_t type = (palSocketType_t)types[index];
        assert_pal(pal_asynchronousSocket(PAL_AF_INET, type, true, 0, ignore, &socket), PAL_ERR_SOCKET_INVALID_VALUE);
        assert_pal(pal_asynchronousSocketWithArgument(PAL_AF_INET6, type, true, 0, ignore, NULL, &socket), PAL_ERR_SOCKET_INVALID_VALUE);
    }
    assert_pal(pal_asynchronousSocket(PAL_AF_INET, PAL_SOCK_DGRAM, false, 0, ignore, &socket), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_asynchronousSocketWithArgument(PAL_AF_INET6, PAL_SOCK_STREAM, false, 0, ignore, NULL, &socket),
               PAL_ERR_INVALID_ARGUMENT);
    assert_ptr_equal(socket, CLOSED_SOCKET);
    assert_int_equal(count_descriptors(), descriptors);
    static const uint32_t interfaces[] = {0, 1, 99, INT32_MAX, UINT32_MAX - 1, UINT32_MAX};
    for (size_t index = 0; index < sizeof interfaces / sizeof interfaces[0]; index++) {
        assert_pal(pal_asynchronousSocket(PAL_AF_INET, PAL_SOCK_STREAM_SERVER, true, interfaces[index], ignore, &socket), PAL_SUCCESS);
        close_socket(&socket);
    }
}

/* ---- addresses ---- */

static void addresses_of_every_length_have_their_status_and_no_more_of_them_is_read(void **state)
{
    (void)state;
    static const palSocketLength_t lengths[] = {0, 1, 2, 15, 16, 27, 28, 34, 4096, UINT32_MAX};
    const palSocketDomain_t domains[] = {PAL_AF_INET, PAL_AF_INET6};
    calls_t calls;
    calls_begin(&calls);
    for (size_t which = 0; which < 2; which++) {
        palSocketDomain_t domain = domains[which];
        palSocketLength_t needed = domain == PAL_AF_INET ? 16 : 28;
        uint16_t port;
        palSocket_t peer = bind_socket(domain, PAL_SOCK_DGRAM, &calls, &port);
        for (size_t index = 0; index < sizeof lengths / sizeof lengths[0]; index++) {
            palSocketLength_t length = lengths[index];
            palStatus_t expected = length < needed ? PAL_ERR_SOCKET_INVALID_VALUE : PAL_SUCCESS;
            palSocketAddress_t address = loopback(domain, 0);
            palSocketAddress_t *at_end = at_the_end(&address, length < needed ? length : needed);
            palSocket_t socket = make_socket(domain, PAL_SOCK_DGRAM, &calls);
            assert_pal(pal_bind(socket, at_end, length), expected);
            address = loopback(domain, port);
            at_end = at_the_end(&address, length < needed ? length : needed);
            size_t sent = 99;
            assert_pal(pal_sendTo(socket, "x", 1, at_end, length, &sent), expected);
            assert_int_equal(sent, expected == PAL_SUCCESS ? 1 : 99);
            assert_pal(pal_connect(socket, at_end, length), expected);
            close_socket(&socket);
        }
        close_socket(&peer);
    }
    calls_end(&calls);
}

static void unknown_families_have_their_status(void **state)
{
    (void)state;
    static const unsigned short families[] = {0, 1, 3, 11, 99, 0x200, 0xA00, 0xFFFF};
    calls_t calls;
    calls_begin(&calls);
    palSocket_t socket = make_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls);
    palSocket_t stream = make_socket(PAL_AF_INET6, PAL_SOCK_STREAM, &calls);
    for (size_t index = 0; index < sizeof families / sizeof families[0]; index++) {
        palSocketAddress_t address = loopback(PAL_AF_INET, 1);
        address.addressType = families[index];
        palSocketAddress_t before = address;
        size_t sent = 99;
        for (int variant = 0; variant < 3; variant++) {
            /* Of two bytes the family can be read. */
            static const palSocketLength_t lengths[] = {2, ADDRESS_SIZE, 4096};
            palSocketLength_t length = lengths[variant];
            palSocketAddress_t *at_end = at_the_end(&address, variant == 0 ? 2 : sizeof address);
            assert_pal(pal_bind(socket, at_end, length), PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY);
            assert_pal(pal_connect(socket, at_end, length), PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY);
            assert_pal(pal_connect(stream, at_end, length), PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY);
            assert_pal(pal_sendTo(socket, "x", 1, at_end, length, &sent), PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY);
        }
        assert_int_equal(sent, 99);
        uint16_t port = 7;
        uint8_t octets[16];
        assert_pal(pal_setSockAddrPort(&address, 5), PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY);
        assert_pal(pal_getSockAddrPort(&address, &port), PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY);
        assert_pal(pal_getSockAddrIPV4Addr(&address, octets), PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY);
        assert_pal(pal_getSockAddrIPV6Addr(&address, octets), PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY);
        assert_int_equal(port, 7);
        assert_memory_equal(&address, &before, sizeof address);
    }
    /* The other family's address is one that the system refuses. */
    palSocketAddress_t other = loopback(PAL_AF_INET6, 1);
    size_t sent = 99;
    assert_pal(pal_bind(socket, &other, ADDRESS_SIZE), PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY);
    assert_pal(pal_connect(socket, &other, ADDRESS_SIZE), PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY);
    assert_pal(pal_sendTo(socket, "x", 1, &other, ADDRESS_SIZE, &sent), PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY);
    assert_int_equal(sent, 99);
    close_socket(&socket);
    close_socket(&stream);
    calls_end(&calls);
}

static void room_for_an_accepted_address_is_looked_at_before_the_connection(void **state)
{
    (void)state;
    pair_t pair;
    connect_pair(&pair, PAL_AF_INET);
    static const palSocketLength_t lengths[] = {0, 1, 15, 16, 27, 28, 33};
    palSocketAddress_t address = {.addressType = 99}, before = address;
    palSocket_t accepted = CLOSED_SOCKET;
    for (size_t index = 0; index < sizeof lengths / sizeof lengths[0]; index++) {
        palSocketLength_t length = lengths[index];
        assert_pal(pal_accept(pair.listener, &address, &length, &accepted, ignore, NULL), PAL_ERR_INVALID_ARGUMENT);
        assert_int_equal(length, lengths[index]);
    }
    /* Sockets that take no connections. */
    palSocketLength_t length = 4096;
    assert_pal(pal_accept(pair.listener, &address, &length, &accepted, ignore, NULL), PAL_ERR_SOCKET_WOULD_BLOCK);
    assert_pal(pal_accept(pair.client, &address, &length, &accepted, ignore, NULL), PAL_ERR_SOCKET_INVALID_VALUE);
    palSocket_t datagrams = make_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &pair.client_calls);
    assert_pal(pal_accept(datagrams, &address, &length, &accepted, ignore, NULL), PAL_ERR_SOCKET_GENERIC); /* EOPNOTSUPP */
    assert_int_equal(length, 4096);
    assert_ptr_equal(accepted, CLOSED_SOCKET);
    assert_memory_equal(&address, &before, sizeof address);
    close_socket(&datagrams);
    close_pair(&pair);
}

static void any_backlog_is_taken(void **state)
{
    (void)state;
    static const int backlogs[] = {INT_MIN, -1, 0, 1, INT_MAX};
    calls_t calls;
    calls_begin(&calls);
    for (size_t index = 0; index < sizeof backlogs / sizeof backlogs[0]; index++) {
        uint16_t port;
        palSocket_t listener = bind_socket(PAL_AF_INET, PAL_SOCK_STREAM_SERVER, &calls, &port);
        assert_pal(pal_listen(listener, backlogs[index]), PAL_SUCCESS);
        assert_pal(pal_listen(listener, backlogs[index]), PAL_SUCCESS);
        close_socket(&listener);
    }
    calls_end(&calls);
}

/* ---- lengths of buffers ---- */

static void lengths_that_no_buffer_has_are_told(void **state)
{
    (void)state;
    calls_t calls;
    calls_begin(&calls);
    uint16_t port;
    palSocket_t socket = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls, &port);
    palSocketAddress_t address = loopback(PAL_AF_INET, port);
    static const size_t lengths[] = {SIZE_MAX, SIZE_MAX - 4095, SIZE_MAX / 2 + 1};
    send_datagram(socket, PAL_AF_INET, port, "hello", 5);
    char bytes[8] = "";
    size_t size = 99;
    for (size_t index = 0; index < sizeof lengths / sizeof lengths[0]; index++) {
        assert_pal(pal_recv(socket, bytes, lengths[index], &size), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_receiveFrom(socket, bytes, lengths[index], NULL, NULL, &size), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_send(socket, bytes, lengths[index], &size), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_sendTo(socket, bytes, lengths[index], &address, ADDRESS_SIZE, &size), PAL_ERR_INVALID_ARGUMENT);
    }
    assert_int_equal(size, 99);
    assert_string_equal(bytes, "");
    /* The datagram is still there. */
    assert_pal(pal_recv(socket, bytes, sizeof bytes, &size), PAL_SUCCESS);
    assert_int_equal(size, 5);
    close_socket(&socket);
    calls_end(&calls);
}

static void buffers_beyond_four_gigabytes_are_no_shorter_than_they_are(void **state)
{
    (void)state;
    /* As 32 bits, the length would be 3. */
    const size_t length = ((size_t)times(4096) << 20) + 3;
    char *large = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(large, MAP_FAILED);
    calls_t calls;
    calls_begin(&calls);
    uint16_t port;
    palSocket_t socket = bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls, &port);
    palSocketAddress_t address = loopback(PAL_AF_INET, port);
    size_t size = 99;
    assert_pal(pal_sendTo(socket, large, length, &address, ADDRESS_SIZE, &size), PAL_ERR_SOCKET_SEND_BUFFER_TOO_BIG);
    assert_int_equal(size, 99);
    send_datagram(socket, PAL_AF_INET, port, "hello", 5);
    assert_pal(pal_recv(socket, large, length, &size), PAL_SUCCESS);
    assert_int_equal(size, 5);
    assert_memory_equal(large, "hello", 5);
    close_socket(&socket);

    pair_t pair;
    connect_pair(&pair, PAL_AF_INET);
    assert_pal(pal_send(pair.client, large, length, &size), PAL_SUCCESS);
    assert_in_range(size, 4, length - 1);
    await_calls(&pair.server_calls, 1);
    assert_pal(pal_recv(pair.server, large, length, &size), PAL_SUCCESS);
    assert_in_range(size, 4, length - 1);
    close_pair(&pair);
    calls_end(&calls);
    munmap(large, length);
}

static void nothing_is_written_behind_the_room_that_is_given(void **state)
{
    (void)state;
    calls_t calls;
    calls_begin(&calls);
    uint16_t port;
    palSocket_t socket = bind_socket(PAL_AF_INET6, PAL_SOCK_DGRAM, &calls, &port);
    char zeros[64] = {0};
    for (size_t room = 0; room <= 6; room++) {
        send_datagram(socket, PAL_AF_INET6, port, "hello", 5);
        char *at_end = at_the_end(zeros, room);
        size_t size = 99;
        assert_pal(pal_recv(socket, at_end, room, &size), PAL_SUCCESS);
        assert_int_equal(size, room < 5 ? room : 5);
        assert_memory_equal(at_end, "hello", size);
    }
    send_datagram(socket, PAL_AF_INET6, port, "hello", 5);
    palSocketAddress_t *from = at_the_end(zeros, sizeof *from);
    palSocketLength_t length = 0;
    size_t size = 99;
    char bytes[8];
    assert_pal(pal_receiveFrom(socket, bytes, sizeof bytes, from, &length, &size), PAL_SUCCESS);
    palSocketAddress_t expected = loopback(PAL_AF_INET6, port);
    assert_memory_equal(from, &expected, sizeof expected);
    from = at_the_end(zeros, sizeof *from);
    assert_pal(pal_getAddressInfo("127.0.0.1", from, &length), PAL_SUCCESS);
    expected = loopback(PAL_AF_INET, 0);
    assert_memory_equal(from, &expected, sizeof expected);
    const void *text = at_the_end("::1", 4);
    assert_pal(pal_getAddressInfo(text, &expected, &length), PAL_SUCCESS);
    assert_int_equal(length, 28);
    close_socket(&socket);
    calls_end(&calls);
}

/* ---- options ---- */

static const struct {
    palSocketOptionLevelName_t level;
    int name;
} known_options[] = {
    {PAL_SOL_SOCKET, PAL_SO_REUSEADDR},
    {PAL_SOL_SOCKET, PAL_SO_KEEPALIVE},
    {PAL_SOL_SOCKET, PAL_SO_KEEPIDLE},
    {PAL_SOL_SOCKET, PAL_SO_KEEPINTVL},
    {PAL_SOL_SOCKET, PAL_SO_SNDTIMEO},
    {PAL_SOL_SOCKET, PAL_SO_RCVTIMEO},
    {PAL_SOL_IPPROTO_IPV6, PAL_SO_IPV6_TRAFFIC_CLASS},
    {PAL_SOL_IPPROTO_IPV6, PAL_SO_IPV6_MULTICAST_HOPS},
};
enum { OPTIONS = sizeof known_options / sizeof known_options[0], OF_STREAMS = OPTIONS - 1 };

static bool is_known(int level, int name)
{
    bool known = false;
    for (size_t index = 0; index < OPTIONS; index++) {
        known = known || ((int)known_options[index].level == level && known_options[index].name == name);
    }
    return known;
}

static void no_more_of_an_option_s_value_is_read_than_it_needs(void **state)
{
    (void)state;
    static const palSocketLength_t lengths[] = {0, 1, 2, 3, 4, 5, 8, 16, 17, 4096, UINT32_MAX};
    calls_t calls;
    calls_begin(&calls);
    palSocket_t stream = make_socket(PAL_AF_INET6, PAL_SOCK_STREAM, &calls);
    palSocket_t datagrams = make_socket(PAL_AF_INET6, PAL_SOCK_DGRAM, &calls);
    for (size_t index = 0; index < OPTIONS; index++) {
        bool is_ipv6 = known_options[index].level == PAL_SOL_IPPROTO_IPV6;
        for (size_t which = 0; which < sizeof lengths / sizeof lengths[0]; which++) {
            palSocketLength_t length = lengths[which];
            int value = 1;
            int16_t narrow = 1;
            bool taken = length >= 4 || (is_ipv6 && length >= 2);
            const void *at_end = length >= 4 ? at_the_end(&value, 4) : at_the_end(&narrow, length < 2 ? length : 2);
            palSocket_t socket = index < OF_STREAMS ? stream : datagrams;
            assert_pal(pal_setSocketOptionsWithLevel(socket, known_options[index].level, known_options[index].name, at_end, length),
                       taken ? PAL_SUCCESS : PAL_ERR_SOCKET_INVALID_VALUE);
        }
    }
    close_socket(&stream);
    close_socket(&datagrams);
    calls_end(&calls);
}

static void unknown_options_and_levels_are_told(void **state)
{
    (void)state;
    calls_t calls;
    calls_begin(&calls);
    palSocket_t sockets[] = {make_socket(PAL_AF_INET, PAL_SOCK_STREAM, &calls), make_socket(PAL_AF_INET6, PAL_SOCK_DGRAM, &calls)};
    static const int levels[] = {0, 1, 2, 6, 17, 41, 0xFFFF, INT_MAX, INT_MIN, -1};
    const int value = 1;
    for (int which = 0; which < 2; which++) {
        palSocket_t socket = sockets[which];
        for (size_t index = 0; index < sizeof levels / sizeof levels[0]; index++) {
            palSocketOptionLevelName_t level = (palSocketOptionLevelName_t)levels[index];
            for (int name = -2; name < 5000; name += index < 2 ? 1 : 7) {
                if (!is_known(levels[index], name)) {
                    assert_pal(pal_setSocketOptionsWithLevel(socket, level, name, &value, sizeof value),
                               PAL_ERR_SOCKET_OPTION_NOT_SUPPORTED);
                }
            }
            assert_pal(pal_setSocketOptionsWithLevel(socket, level, INT_MAX, &value, sizeof value), PAL_ERR_SOCKET_OPTION_NOT_SUPPORTED);
            assert_pal(pal_setSocketOptionsWithLevel(socket, level, INT_MIN, &value, sizeof value), PAL_ERR_SOCKET_OPTION_NOT_SUPPORTED);
        }
        for (int name = -2; name < 5000; name++) {
            if (!is_known(PAL_SOL_SOCKET, name)) {
                assert_pal(pal_setSocketOptions(socket, name, &value, sizeof value), PAL_ERR_SOCKET_OPTION_NOT_SUPPORTED);
            }
        }
        close_socket(&sockets[which]);
    }
    calls_end(&calls);
}

static void values_out_of_range_are_told(void **state)
{
    (void)state;
    calls_t calls;
    calls_begin(&calls);
    palSocket_t stream = make_socket(PAL_AF_INET6, PAL_SOCK_STREAM, &calls);
    palSocket_t datagrams = make_socket(PAL_AF_INET6, PAL_SOCK_DGRAM, &calls);
    const struct {
        int value;
        /* In the order of the options above: whether it can be. */
        bool taken[OPTIONS];
    } cases[] = {
        {INT_MIN, {true, true, false, false, false, false, false, false}},
        {-1, {true, true, false, false, false, false, true, true}},
        {0, {true, true, false, false, true, true, true, true}},
        {255, {true, true, true, true, true, true, true, true}},
        {256, {true, true, true, true, true, true, false, false}},
        {INT_MAX, {true, true, false, false, true, true, false, false}},
    };
    for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
        for (size_t option = 0; option < OPTIONS; option++) {
            palSocket_t socket = option < OF_STREAMS ? stream : datagrams;
            const int *value = &cases[index].value;
            assert_pal(pal_setSocketOptionsWithLevel(socket, known_options[option].level, known_options[option].name, value, 4),
                       cases[index].taken[option] ? PAL_SUCCESS : PAL_ERR_SOCKET_INVALID_VALUE);
        }
    }
    close_socket(&stream);
    close_socket(&datagrams);
    calls_end(&calls);
}

/* ---- interfaces ---- */

static void expect_interfaces(uint32_t count)
{
    uint32_t number = 77;
    assert_pal(pal_getNumberOfNetInterfaces(&number), PAL_SUCCESS);
    assert_int_equal(number, count);
}

static void names_are_read_to_their_end_and_taken_as_they_are(void **state)
{
    (void)state;
    static const char *const taken[] = {
        "a", "fifteen-bytes-0", "%s%n%s%n%s%n", "\xFF\xFF\xFF", "\xFF\xFF\xFF" "a", "\xFF\xFF\xFF\xFE", " ", "/",
    };
    for (size_t index = 0; index < sizeof taken / sizeof taken[0]; index++) {
        uint32_t number = 77, again = 78;
        assert_pal(pal_registerNetworkInterface(at_the_end(taken[index], strlen(taken[index]) + 1), &number), PAL_SUCCESS);
        assert_int_equal(number, 0);
        /* The same one, though the name stands elsewhere; it was copied. */
        char copy[32];
        (void)snprintf(copy, sizeof copy, "%s", taken[index]);
        (void)at_the_end("something else", 15);
        assert_pal(pal_registerNetworkInterface(copy, &again), PAL_SUCCESS);
        assert_int_equal(again, number);
        expect_interfaces(1);
        palNetInterfaceInfo_t info, before;
        memset(&info, 0xA5, sizeof info);
        before = info;
        assert_pal(pal_getNetInterfaceInfo(number, &info), PAL_ERR_ITEM_NOT_EXIST);
        assert_memory_equal(&info, &before, sizeof info);
        assert_pal(pal_unregisterNetworkInterface(number), PAL_SUCCESS);
        expect_interfaces(0);
    }

    char long_name[4097];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[4096] = 0;
    uint32_t number = 77;
    assert_pal(pal_registerNetworkInterface(at_the_end("", 1), &number), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_registerNetworkInterface(at_the_end("sixteen-bytes-00", 17), &number), PAL_ERR_INVALID_ARGUMENT);
    /* Sixteen bytes without an end: not one more is read. */
    assert_pal(pal_registerNetworkInterface(at_the_end("sixteen-bytes-00", 16), &number), PAL_ERR_INVALID_ARGUMENT);
    assert_pal(pal_registerNetworkInterface(long_name, &number), PAL_ERR_INVALID_ARGUMENT);
    assert_int_equal(number, 77);
    expect_interfaces(0);
}

static void four_bytes_of_ones_are_the_default_interface_and_nothing_behind_is_read(void **state)
{
    (void)state;
    const uint32_t ones = 0xFFFFFFFF;
    uint32_t number = 77, again = 78;
    assert_pal(pal_registerNetworkInterface(at_the_end(&ones, sizeof ones), &number), PAL_SUCCESS);
    assert_pal(pal_registerNetworkInterface(NULL, &again), PAL_SUCCESS);
    assert_int_equal(again, number);
    assert_pal(pal_registerNetworkInterface(at_the_end("\xFF\xFF\xFF\xFF" "eth0", 9), &again), PAL_SUCCESS);
    assert_int_equal(again, number);
    expect_interfaces(1);
    palNetInterfaceInfo_t registered, unregistered;
    memset(&registered, 0, sizeof registered);
    memset(&unregistered, 0, sizeof unregistered);
    palStatus_t status = pal_getNetInterfaceInfo(number, &registered);
    assert_true(status == PAL_SUCCESS || status == PAL_ERR_ITEM_NOT_EXIST);
    assert_pal(pal_getNetInterfaceInfo(PAL_NET_DEFAULT_INTERFACE, &unregistered), status);
    /* Not as a whole: the structure has bytes between its fields. */
    assert_memory_equal(registered.interfaceName, unregistered.interfaceName, sizeof registered.interfaceName);
    assert_memory_equal(&registered.address, &unregistered.address, sizeof registered.address);
    assert_int_equal(registered.addressSize, unregistered.addressSize);
    assert_pal(pal_unregisterNetworkInterface(number), PAL_SUCCESS);
}

static void one_interface_more_than_the_table_holds_is_told(void **state)
{
    (void)state;
    char name[16];
    uint32_t held = 0, number = 0;
    palStatus_t status = PAL_SUCCESS;
    while (status == PAL_SUCCESS && held < 1000) {
        (void)snprintf(name, sizeof name, "test%u", held);
        number = 77777;
        status = pal_registerNetworkInterface(name, &number);
        held += status == PAL_SUCCESS;
    }
    assert_pal(status, PAL_ERR_SOCKET_MAX_NUMBER_OF_INTERFACES_REACHED);
    assert_int_equal(number, 77777);
    assert_true(held >= 1);
    expect_interfaces(held);
    for (uint32_t index = 0; index < held; index++) {
        (void)snprintf(name, sizeof name, "test%u", index);
        assert_pal(pal_registerNetworkInterface(name, &number), PAL_SUCCESS);
        assert_int_equal(number, index);
    }
    for (uint32_t index = 0; index < held; index++) {
        assert_pal(pal_unregisterNetworkInterface(index), PAL_SUCCESS);
        assert_pal(pal_unregisterNetworkInterface(index), PAL_ERR_INVALID_ARGUMENT);
    }
    expect_interfaces(0);
}

static void unknown_interfaces_are_told(void **state)
{
    (void)state;
    char name[] = "test0";
    uint32_t number = 77;
    assert_pal(pal_registerNetworkInterface(name, &number), PAL_SUCCESS);
    static const uint32_t unknown[] = {1000, 0x10000, INT32_MAX, 0x80000000, UINT32_MAX - 1};
    palNetInterfaceInfo_t info, before;
    memset(&info, 0xA5, sizeof info);
    before = info;
    for (size_t index = 0; index < sizeof unknown / sizeof unknown[0]; index++) {
        assert_pal(pal_unregisterNetworkInterface(unknown[index]), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_getNetInterfaceInfo(unknown[index], &info), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_setConnectionStatusCallback(unknown[index], ignore_status, NULL), PAL_ERR_NOT_SUPPORTED);
        assert_pal(pal_setConnectionStatusCallback(unknown[index], NULL, NULL), PAL_ERR_NOT_SUPPORTED);
        mcc_pal_enable_connection_status(true);
        assert_pal(pal_setConnectionStatusCallback(unknown[index], ignore_status, NULL), PAL_ERR_INVALID_ARGUMENT);
        assert_pal(pal_setConnectionStatusCallback(unknown[index], NULL, NULL), PAL_ERR_INVALID_ARGUMENT);
        mcc_pal_enable_connection_status(false);
    }
    assert_pal(pal_unregisterNetworkInterface(PAL_NET_DEFAULT_INTERFACE), PAL_ERR_INVALID_ARGUMENT);
    assert_memory_equal(&info, &before, sizeof info);
    assert_pal(pal_unregisterNetworkInterface(number), PAL_SUCCESS);
    assert_pal(pal_getNetInterfaceInfo(number, &info), PAL_ERR_INVALID_ARGUMENT);
    expect_interfaces(0);
}

/* ---- names of hosts ---- */

static void names_that_cannot_be_are_told(void **state)
{
    (void)state;
    char endless[4096], label[300 + 9];
    memset(endless, 'n', sizeof endless - 1);
    endless[4095] = 0;
    memset(label, 'n', 300);
    memcpy(label + 300, ".invalid", 9);
    const char *const names[] = {"", endless, label, "\xFF\xFE.invalid", "%s%n%s%n.invalid"};
    palSocketAddress_t address, before;
    memset(&address, 0xA5, sizeof address);
    before = address;
    palSocketLength_t length = 77;
    for (size_t index = 0; index < sizeof names / sizeof names[0]; index++) {
        assert_pal(pal_getAddressInfo(at_the_end(names[index], strlen(names[index]) + 1), &address, &length), PAL_ERR_SOCKET_DNS_ERROR);
    }
    assert_int_equal(length, 77);
    assert_memory_equal(&address, &before, sizeof address);
}

/* ---- the main ---- */

int main(int count, char **arguments)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, pal_setup, pal_teardown)
    const struct CMUnitTest tests[] = {
        TEST(null_is_told_before_a_bad_descriptor_or_any_other_fault),
        TEST(null_is_told_where_no_socket_is_asked_for),
        TEST(null_is_taken_where_it_says_that_nothing_is_wanted),
        TEST(a_number_that_is_no_socket_is_told_by_every_function),
        TEST(files_pipes_and_sockets_of_the_application_stay_untouched),
        TEST(sockets_that_cannot_be_are_not_made),
        TEST(addresses_of_every_length_have_their_status_and_no_more_of_them_is_read),
        TEST(unknown_families_have_their_status),
        TEST(room_for_an_accepted_address_is_looked_at_before_the_connection),
        TEST(any_backlog_is_taken),
        TEST(lengths_that_no_buffer_has_are_told),
        TEST(buffers_beyond_four_gigabytes_are_no_shorter_than_they_are),
        TEST(nothing_is_written_behind_the_room_that_is_given),
        TEST(no_more_of_an_option_s_value_is_read_than_it_needs),
        TEST(unknown_options_and_levels_are_told),
        TEST(values_out_of_range_are_told),
        TEST(names_are_read_to_their_end_and_taken_as_they_are),
        TEST(four_bytes_of_ones_are_the_default_interface_and_nothing_behind_is_read),
        TEST(one_interface_more_than_the_table_holds_is_told),
        TEST(unknown_interfaces_are_told),
        TEST(names_that_cannot_be_are_told),
    };
#undef TEST
    return run_chosen_tests(tests, count, arguments);
}
