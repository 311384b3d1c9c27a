/* What the tests of the PAL functions share: callbacks that count, sockets on loopback, a way to know that nothing more will come.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef MCC_TESTS_PAL_SUPPORT_H
#define MCC_TESTS_PAL_SUPPORT_H

#include "support.h"

#include <netinet/in.h>
#include <pal.h>
#include <pthread.h>

/* What `pal_close` leaves in the caller's variable. */
#define CLOSED_SOCKET ((palSocket_t)(intptr_t)-1)
/* The size of the PAL's address structure, which callers pass whatever the family. */
enum { ADDRESS_SIZE = 34 };

/* The calls of one callback. */
typedef struct calls {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned count;
    /* Run in the callback, before it is counted. */
    void (*reaction)(struct calls *calls);
    void *reaction_argument;
    /* How many run at this moment. */
    unsigned running;
} calls_t;

void calls_begin(calls_t *calls);
void calls_end(calls_t *calls);
/* The callback; its argument is the calls_t. */
void count_call(void *calls);
unsigned calls_so_far(calls_t *calls);
/* Waits until there were so many at least. */
void await_calls(calls_t *calls, unsigned count);
/* Waits until everything that has happened to sockets was told. */
void settle(void);
/* Settles, and expects that there were exactly so many. */
void expect_calls(calls_t *calls, unsigned count);

/* ---- sockets ---- */

int descriptor_of(palSocket_t socket);
/* Makes a socket that counts. */
palSocket_t make_socket(palSocketDomain_t domain, palSocketType_t type, calls_t *calls);
/* The same, bound to loopback; `*port` is the one that it got. */
palSocket_t bind_socket(palSocketDomain_t domain, palSocketType_t type, calls_t *calls, uint16_t *port);
void close_socket(palSocket_t *socket);
/* The loopback address of a family with a port. */
palSocketAddress_t loopback(palSocketDomain_t domain, uint16_t port);
uint16_t port_of(palSocket_t socket);
void send_datagram(palSocket_t from, palSocketDomain_t domain, uint16_t port, const void *bytes, size_t size);
/* Every function but `pal_close`, with arguments that are good, says that this is no socket, and writes nothing. */
void expect_no_socket(palSocket_t handle);

/* Two sockets of the PAL that are connected by TCP; each has told of its connect, or of nothing. */
typedef struct {
    palSocket_t client;
    palSocket_t server;
    calls_t client_calls;
    calls_t server_calls;
    palSocket_t listener;
    calls_t listener_calls;
} pair_t;

void connect_pair(pair_t *pair, palSocketDomain_t domain);
void close_pair(pair_t *pair);

/* ---- fixtures ---- */

/* The layer runs; ended, and everything given back, at the end. */
int pal_setup(void **state);
int pal_teardown(void **state);

#define assert_pal(actual, expected) assert_pal_at((actual), (expected), #actual, __FILE__, __LINE__)
void assert_pal_at(palStatus_t actual, palStatus_t expected, const char *what, const char *file, int line);

#endif
