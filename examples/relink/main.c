/* relink: an application that uses the client's own socket functions (pal_*). Nothing in it says whose they are: CMakeLists.txt does.
 *
 *   relink [address of this machine]
 *
 * Two UDP sockets send each other a datagram; each learns of it by its callback. Exits 0 if everything worked, within seconds.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _POSIX_C_SOURCE 200809L
#include <pal.h>

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CALLBACK_WITHIN_S = 5, EVERYTHING_WITHIN_S = 30, PORT_FIRST = 20000, PORTS = 20000, PORT_ATTEMPTS = 100 };

typedef struct {
    const char *name;
    palSocket_t socket;
    sem_t called;
} end_t;

static void check(const char *what, palStatus_t status)
{
    if (status != PAL_SUCCESS) {
        fprintf(stderr, "relink: %s: status %ld\n", what, (long)status);
        exit(EXIT_FAILURE);
    }
}

static void expect(const char *what, bool holds)
{
    if (!holds) {
        fprintf(stderr, "relink: %s\n", what);
        exit(EXIT_FAILURE);
    }
}

/* Comes from the layer's thread, with the end that the socket was made for. */
static void on_socket(void *argument)
{
    end_t *end = (end_t *)argument;
    (void)sem_post(&end->called);
}

static void open_end(end_t *end, const char *name, uint32_t interface_index)
{
    bool non_blocking = false;
    end->name = name;
    expect("sem_init", sem_init(&end->called, 0, 0) == 0);
    check("pal_asynchronousSocketWithArgument",
          pal_asynchronousSocketWithArgument(PAL_AF_INET, PAL_SOCK_DGRAM, true, interface_index, on_socket, end, &end->socket));
    check("pal_isNonBlocking", pal_isNonBlocking(end->socket, &non_blocking));
    expect("the socket blocks", non_blocking);
}

static void close_end(end_t *end)
{
    check("pal_close", pal_close(&end->socket));
    expect("pal_close left the socket's number", end->socket == (palSocket_t)-1);
    sem_destroy(&end->called);
}

/* Binds to a port that nobody has; the address then has it. */
static void bind_somewhere(end_t *end, palSocketAddress_t *address, palSocketLength_t length)
{
    palStatus_t status = PAL_ERR_SOCKET_ADDRESS_IN_USE;
    int attempt;
    for (attempt = 0; status == PAL_ERR_SOCKET_ADDRESS_IN_USE && attempt < PORT_ATTEMPTS; attempt++) {
        check("pal_setSockAddrPort", pal_setSockAddrPort(address, (uint16_t)(PORT_FIRST + (getpid() + attempt * 211) % PORTS)));
        status = pal_bind(end->socket, address, length);
    }
    check("pal_bind", status);
}

static void send_to(end_t *end, const char *text, const palSocketAddress_t *to, palSocketLength_t length)
{
    size_t sent = 0;
    check("pal_sendTo", pal_sendTo(end->socket, text, strlen(text), to, length, &sent));
    expect("pal_sendTo sent another length", sent == strlen(text));
}

/* Waits for callbacks until there is a datagram, which must be this text. */
static void receive(end_t *end, const char *text, palSocketAddress_t *from, palSocketLength_t *from_length)
{
    char buffer[100];
    size_t received = 0;
    palStatus_t status = PAL_ERR_SOCKET_WOULD_BLOCK;
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += CALLBACK_WITHIN_S;
    while (status == PAL_ERR_SOCKET_WOULD_BLOCK) {
        while (sem_timedwait(&end->called, &deadline) != 0) {
            expect("the callback did not come", errno == EINTR);
        }
        status = pal_receiveFrom(end->socket, buffer, sizeof buffer, from, from_length, &received);
    }
    check("pal_receiveFrom", status);
    expect("another datagram arrived", received == strlen(text) && memcmp(buffer, text, received) == 0);
    printf("%s received \"%s\"\n", end->name, text);
}

int main(int count, char **arguments)
{
    palSocketAddress_t address, from;
    palSocketLength_t length = 0, from_length = 0;
    uint32_t interface_index = 99, interfaces = 0;
    uint16_t port = 0, port_of_sender = 0;
    static end_t first, second;
    static char loopback[] = "lo";

    alarm(EVERYTHING_WITHIN_S);
    check("pal_plat_socketsInit", pal_plat_socketsInit(NULL));
    check("pal_registerNetworkInterface", pal_registerNetworkInterface(loopback, &interface_index));
    check("pal_getNumberOfNetInterfaces", pal_getNumberOfNetInterfaces(&interfaces));
    expect("the interface is not registered", interfaces == 1);

    memset(&address, 0, sizeof address);
    memset(&from, 0, sizeof from);
    check("pal_getAddressInfo", pal_getAddressInfo(count > 1 ? arguments[1] : "127.0.0.1", &address, &length));
    open_end(&first, "first", interface_index);
    open_end(&second, "second", interface_index);
    bind_somewhere(&first, &address, length);

    send_to(&second, "ping", &address, length);
    receive(&first, "ping", &from, &from_length);
    check("pal_getSockAddrPort", pal_getSockAddrPort(&from, &port_of_sender));
    expect("the sender has no port", port_of_sender != 0);
    send_to(&first, "pong", &from, from_length);
    receive(&second, "pong", &from, &from_length);
    check("pal_getSockAddrPort", pal_getSockAddrPort(&address, &port));
    check("pal_getSockAddrPort", pal_getSockAddrPort(&from, &port_of_sender));
    expect("the answer came from another port", port == port_of_sender);

    close_end(&first);
    close_end(&second);
    check("pal_unregisterNetworkInterface", pal_unregisterNetworkInterface(interface_index));
    check("pal_plat_socketsTerminate", pal_plat_socketsTerminate(NULL));
    printf("all of it worked\n");
    return EXIT_SUCCESS;
}
