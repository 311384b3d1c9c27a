/* The same as the bare loops through the socket functions of the PAL, whose callbacks come from the library's thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <pal.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

static void check(palStatus_t status, const char *what)
{
    if (status != PAL_SUCCESS) {
        give_up("%s: %d", what, status);
    }
}

static palSocket_t open_socket(palAsyncSocketCallback_t callback, void *argument)
{
    palSocket_t socket = NULL;
    check(pal_asynchronousSocketWithArgument(PAL_AF_INET, PAL_SOCK_DGRAM, true, 0, callback, argument, &socket),
          "pal_asynchronousSocketWithArgument");
    return socket;
}

static palSocketAddress_t loopback(uint16_t port)
{
    palSocketAddress_t address = {0};
    palIpV4Addr_t octets = {127, 0, 0, 1};
    check(pal_setSockAddrIPV4Addr(&address, octets), "pal_setSockAddrIPV4Addr");
    check(pal_setSockAddrPort(&address, port), "pal_setSockAddrPort");
    return address;
}

static palStatus_t receive(palSocket_t socket, void *buffer, size_t size)
{
    palSocketAddress_t from;
    palSocketLength_t from_length;
    size_t received = 0;
    palStatus_t status = pal_receiveFrom(socket, buffer, size, &from, &from_length, &received);
    if (status == PAL_SUCCESS && received != DATAGRAM_SIZE) {
        give_up("pal_receiveFrom: %zu bytes", received);
    }
    return status;
}

/* ---- one socket ---- */

struct datagrams {
    palSocket_t socket;
    palSocketAddress_t peer;
    sem_t done;
    /* While the semaphore is waited for the rest belongs to the callback. */
    unsigned left;
    samples_t called;
    samples_t received;
};

static void on_timed_datagram(void *argument)
{
    uint64_t called = nanoseconds_now();
    datagrams_t *datagrams = argument;
    palStatus_t status;
    for (uint64_t sent; (status = receive(datagrams->socket, &sent, sizeof sent)) == PAL_SUCCESS;) {
        uint64_t received = nanoseconds_now();
        /* Where two datagrams share a callback the second one may have come after its beginning. */
        sample(&datagrams->called, called > sent ? called - sent : 0);
        sample(&datagrams->received, received - sent);
        if (--datagrams->left == 0) {
            sem_post(&datagrams->done);
        }
    }
    if (status != PAL_ERR_SOCKET_WOULD_BLOCK) {
        check(status, "pal_receiveFrom");
    }
}

datagrams_t *open_datagrams(uint16_t port)
{
    datagrams_t *datagrams = calloc(1, sizeof *datagrams);
    if (datagrams == NULL) {
        give_up("no memory");
    }
    sem_init(&datagrams->done, 0, 0);
    datagrams->peer = loopback(port);
    check(pal_plat_socketsInit(NULL), "pal_plat_socketsInit");
    datagrams->socket = open_socket(on_timed_datagram, datagrams);
    return datagrams;
}

void close_datagrams(datagrams_t *datagrams)
{
    check(pal_close(&datagrams->socket), "pal_close");
    check(pal_plat_socketsTerminate(NULL), "pal_plat_socketsTerminate");
    sem_destroy(&datagrams->done);
    free(datagrams->called.values);
    free(datagrams->received.values);
    free(datagrams);
}

void datagram_latency(datagrams_t *datagrams, unsigned count, side_t *called, side_t *received)
{
    for (unsigned asked = 0; asked < count; asked += DATAGRAMS_AT_ONCE) {
        datagrams->left = count - asked < DATAGRAMS_AT_ONCE ? count - asked : DATAGRAMS_AT_ONCE;
        uint32_t request = htonl(datagrams->left);
        size_t sent;
        check(pal_sendTo(datagrams->socket, &request, sizeof request, &datagrams->peer, sizeof datagrams->peer, &sent),
              "pal_sendTo");
        while (sem_wait(&datagrams->done) != 0) {
            if (errno != EINTR) {
                give_up("sem_wait: %s", strerror(errno));
            }
        }
    }
    *called = summarise(&datagrams->called);
    *received = summarise(&datagrams->received);
}

/* ---- many sockets ---- */

static atomic_uint callbacks;
static atomic_uint taken;
static clockid_t thread_clock; /* that of the library's thread, which is in its callbacks */

static void on_datagram(void *argument)
{
    const receiver_t *receiver = argument;
    uint8_t datagram[DATAGRAM_SIZE];
    if (atomic_fetch_add(&callbacks, 1) == 0 && pthread_getcpuclockid(pthread_self(), &thread_clock) != 0) {
        give_up("pthread_getcpuclockid");
    }
    /* Once, as in the bare loop: the next one is not sent before. */
    palStatus_t status = receive((palSocket_t)receiver->socket, datagram, sizeof datagram);
    if (status == PAL_SUCCESS) {
        atomic_fetch_add(&taken, 1);
    } else if (status != PAL_ERR_SOCKET_WOULD_BLOCK) {
        check(status, "pal_receiveFrom");
    }
}

/* Nothing comes to a socket before it is bound, and so no callback that does not know it yet. */
static void open_receivers(receiver_t *receivers, unsigned sockets)
{
    for (unsigned index = 0; index < sockets; index++) {
        receiver_t *receiver = &receivers[index];
        palSocketAddress_t address = loopback(0);
        palSocket_t socket = open_socket(on_datagram, receiver);
        receiver->socket = (intptr_t)socket;
        check(pal_bind(socket, &address, sizeof address), "pal_bind");
        receiver->address = address_of((int)receiver->socket);
    }
}

static void close_receivers(receiver_t *receivers, unsigned sockets)
{
    for (unsigned index = 0; index < sockets; index++) {
        palSocket_t socket = (palSocket_t)receivers[index].socket;
        check(pal_close(&socket), "pal_close");
    }
}

static receiver_t *allocate_receivers(unsigned sockets)
{
    receiver_t *receivers = calloc(sockets, sizeof *receivers);
    if (receivers == NULL) {
        give_up("no memory");
    }
    return receivers;
}

event_cost_t library_events(unsigned sockets, unsigned events)
{
    receiver_t *receivers = allocate_receivers(sockets);
    check(pal_plat_socketsInit(NULL), "pal_plat_socketsInit");
    atomic_store(&callbacks, 0);
    open_receivers(receivers, sockets);
    send_to_receivers(receivers, sockets, sockets + WARM_UP, &taken);
    unsigned callbacks_before = atomic_load(&callbacks);
    uint64_t before = nanoseconds_of(thread_clock);
    send_to_receivers(receivers, sockets, events, &taken);
    uint64_t after = nanoseconds_of(thread_clock);
    close_receivers(receivers, sockets);
    /* Joins the thread: nothing is counted any more. */
    check(pal_plat_socketsTerminate(NULL), "pal_plat_socketsTerminate");
    free(receivers);
    return (event_cost_t){
        .cpu_time_ns = (double)(after - before) / events,
        .callbacks = (double)(atomic_load(&callbacks) - callbacks_before) / events,
    };
}

size_t allocated_bytes(void)
{
    struct mallinfo2 heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
}

double bytes_per_socket(unsigned sockets)
{
    receiver_t *receivers = allocate_receivers(sockets);
    check(pal_plat_socketsInit(NULL), "pal_plat_socketsInit");
    size_t before = allocated_bytes();
    open_receivers(receivers, sockets);
    size_t after = allocated_bytes();
    close_receivers(receivers, sockets);
    check(pal_plat_socketsTerminate(NULL), "pal_plat_socketsTerminate");
    free(receivers);
    return (double)(after - before) / sockets;
}
