/* What the parts of the benchmark share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef BENCH_H
#define BENCH_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

enum { MAXIMUM_ROUNDS = 64, MESSAGE_SIZE = 100, RECORD_SIZE = 1024, DATAGRAM_SIZE = 8, WARM_UP = 200 };

/* Of datagrams the peer is asked for so many at once: they all fit into a socket's buffer, and none is lost on a busy machine. */
enum { DATAGRAMS_AT_ONCE = 100 };

/* How much is measured. */
typedef struct {
    unsigned rounds;
    unsigned pings;      /* in one round, on each side */
    unsigned messages;   /* in one round, on each side, one at a time */
    unsigned stream;     /* in one round, on each side, as fast as it goes */
    unsigned events;     /* in one round, on each side, with each number of sockets */
    unsigned handshakes; /* in one round, on each side */
    unsigned echoes;     /* in one round, on each side */
    unsigned writes;     /* in one round, with and without a Connection ID */
    unsigned sessions;   /* idle ones, of which each kind is measured once */
    unsigned idle_seconds;
} plan_t;

/* Times in nanoseconds. */
typedef struct {
    uint64_t *values;
    size_t count;
    size_t room;
} samples_t;

/* What one side was in one round, in nanoseconds. */
typedef struct {
    double median;
    double p99;
    double cpu_time; /* of the client's process, as a mean; of sessions and records alone */
} side_t;

/* What a thread of the library did in a while. */
typedef struct {
    bool found;
    uint64_t voluntary_switches;
    uint64_t involuntary_switches;
    bool cpu_time_known;
    uint64_t cpu_time_ns;
} activity_t;

/* What a file holds. */
typedef struct {
    char *bytes;
    size_t size;
} text_t;

/* What a datagram cost the thread that took it, as a mean over many. */
typedef struct {
    double cpu_time_ns;
    double callbacks;
} event_cost_t;

/* The median and the quartiles. */
typedef struct {
    double low;
    double median;
    double high;
} spread_t;

/* ---- main.c ---- */

/* Ends the program with a sentence. */
_Noreturn void give_up(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint64_t nanoseconds_of(clockid_t clock);
/* Of the clock that the server uses too. */
uint64_t nanoseconds_now(void);
void sample(samples_t *samples, uint64_t nanoseconds);
/* Sorts the samples, empties them and says what they were. */
side_t summarise(samples_t *samples);
/* Sorts the values: what one disturbed round says does not count. */
spread_t spread(double *values, unsigned count);

/* ---- bare.c: what the library is held against, and the other processes ---- */

typedef struct {
    pid_t process;
    int input;
    int output;
} child_t;

/* Starts a program that ends with this one. */
child_t start_child(char *const arguments[]);
/* Reads the next line of its output that begins with `beginning`, and gives the rest of it. */
void read_line(const child_t *child, const char *beginning, char *rest, size_t room);
void write_line(const child_t *child, const char *line);
void end_child(const child_t *child);

/* A blocking connection to the peer's port for TCP. */
int connect_bare(uint16_t port);
/* Takes `count` messages in a bare loop of epoll_wait and recv, and the time from their sending to here. */
side_t bare_latency(int descriptor, unsigned count);
/* Writes `count` messages by bare blocking calls; returns the nanoseconds until the peer has taken them all. */
uint64_t bare_stream(int descriptor, unsigned count);

/* A socket for datagrams to and from the peer's port for UDP. */
int connect_bare_datagrams(uint16_t port);
/* Takes `count` datagrams in a bare loop of epoll_wait and recvfrom, and the time from their sending to here. */
side_t bare_datagram_latency(int descriptor, unsigned count);

/* Sockets for datagrams, and what the thread that takes them knows of each. */
typedef struct {
    struct sockaddr_in address;
    intptr_t socket; /* a descriptor, or a socket of the PAL, which is its number */
} receiver_t;

/* Where the socket is bound to. */
struct sockaddr_in address_of(int descriptor);
/* Sends `count` datagrams to the sockets, in no order that memory likes, and each when `taken` has counted the one before. */
void send_to_receivers(const receiver_t *receivers, unsigned sockets, unsigned count, const atomic_uint *taken);
/* What `events` datagrams cost a thread that runs a bare loop of epoll_wait and recvfrom over so many sockets. */
event_cost_t bare_events(unsigned sockets, unsigned events);

/* Requests to the peer, as CoAP messages; return their size. */
size_t burst_request(uint8_t *message, uint32_t count);
size_t filler_message(uint8_t *message);
size_t barrier_request(uint8_t *message);

/* ---- library.c: the same through the C interface ---- */

typedef struct client client_t;

/* Opens a connection on a context with its own thread, and waits until it is ready. `ca` is null for TCP. */
client_t *open_client(const char *uri, const char *ca, size_t ca_size, uint32_t keepalive_interval_s);
void close_client(client_t *client);
/* Pings from this thread: the time from the call to the callback, and what the event reports. */
void ping_from_outside(client_t *client, unsigned count, side_t *called, side_t *reported);
/* Pings from within the callback: the time from the call to the next callback. */
side_t ping_from_callback(client_t *client, unsigned count);
side_t library_latency(client_t *client, unsigned count);
uint64_t library_stream(client_t *client, unsigned count);
/* ---- crowds.c: what is measured with three sides, or from outside ---- */

typedef struct {
    unsigned rounds;
    unsigned stream;   /* messages in one round, on each side */
    unsigned messages; /* without a connection, in one round, on each side */
    unsigned starts;   /* of a program, in one round, on each side */
    unsigned idle_connections;
    unsigned idle_seconds;
    unsigned interval_s;
    const char *programs; /* the folder */
    const char *bare_tls;
    const char *ca;
    const char *certificate;
    const char *key;
    const text_t *ca_text;
} crowds_plan_t;

/* The plan lasts as long as the benchmark. */
void plan_crowds(const crowds_plan_t *plan);
child_t start_crowd_server(uint16_t *record_port, uint16_t *rfc8323_port);
void measure_streams(unsigned placement, uint16_t port);
void measure_coap(uint16_t port);
void measure_starts(void);
void measure_idle(uint16_t port);
void print_crowds_of_connections(void);
void write_crowds_of_connections(FILE *file);

/* ---- crowd.c: messages over many connections, and without one ---- */

typedef struct crowd_client crowd_client_t;

/* Opens so many connections by RFC 8323 over TLS, and waits until all are ready. */
crowd_client_t *open_crowd(uint16_t port, const text_t *ca, unsigned count);
void close_crowd(crowd_client_t *crowd);
/* Sends `count` messages in turns over the connections, until the server has read the last of each: nanoseconds of one. */
double crowd_stream(crowd_client_t *crowd, unsigned count);
/* Nanoseconds of one of these: a ping is written, the answer to one is recognised, a message of 100 bytes is read. */
double write_pings(unsigned count);
double match_pings(unsigned count);
double read_messages(unsigned count);

/* ---- activity.c ---- */

/* What the library's threads did while this one slept. */
activity_t idle_activity(unsigned seconds);

/* ---- pal.c: the same through the functions of the PAL ---- */

typedef struct datagrams datagrams_t;

/* Starts the PAL's sockets, and one that the peer's port for UDP sends to. */
datagrams_t *open_datagrams(uint16_t port);
void close_datagrams(datagrams_t *datagrams);
/* Takes `count` datagrams: the time from their sending to the callback, and to the end of the call that has received them there. */
void datagram_latency(datagrams_t *datagrams, unsigned count, side_t *called, side_t *received);
/* What `events` datagrams cost the PAL's thread with so many sockets open. */
event_cost_t library_events(unsigned sockets, unsigned events);
/* Bytes that the process has allocated for each of so many sockets. True only of the first that it opens: memory is used again. */
double bytes_per_socket(unsigned sockets);
/* What the heap of the process has given out. */
size_t allocated_bytes(void);

/* ---- pal_tls.c: sessions through the functions of the PAL ---- */

typedef struct secure secure_t;

void start_secure(void);
void stop_secure(void);
/* A configuration, a socket, a session, and its handshake with the server of this port, whose certificate `ca` has issued. */
secure_t *open_secure(bool datagrams, uint16_t port, const text_t *ca);
void close_secure(secure_t *secure);
/* The nanoseconds of these two together. */
uint64_t handshake_time(uint16_t port, const text_t *ca);
/* Writes `count` records from within the callback, each when the one before has come back: the time between the two. */
side_t echo_time(secure_t *secure, unsigned count);
/* Writes `count` records that nobody answers: the processor time of this thread. */
uint64_t write_cost(secure_t *secure, unsigned count);
/* Whether a session with a Connection ID is kept. */
bool has_connection_id(void);
/* Bytes that the process has allocated for each of so many idle sessions, with their configurations and sockets. The server tells of
 * each session in a line with this beginning. */
double bytes_per_session(const child_t *server, const char *line, bool datagrams, uint16_t port, const text_t *ca, unsigned count);
/* The same for each of so many configurations alone. */
double bytes_per_configuration(bool datagrams, unsigned count, const text_t *ca);

#endif
