/* What the library is held against: the fewest system calls that do the same. And the other processes of the benchmark.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The peer's messages: four bytes of length, a header of four, the payload's marker, the time of sending. */
enum { TIMED_FRAME_SIZE = 4 + 4 + 1 + 8, TIME_AT = 4 + 4 + 1, ANSWER_FRAME_SIZE = 4 + 4 };

/* ---- other processes ---- */

child_t start_child(char *const arguments[])
{
    int input[2];
    int output[2];
    if (pipe(input) != 0 || pipe(output) != 0) {
        give_up("pipe: %s", strerror(errno));
    }
    pid_t process = fork();
    if (process < 0) {
        give_up("fork: %s", strerror(errno));
    }
    if (process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(input[0], STDIN_FILENO);
        dup2(output[1], STDOUT_FILENO);
        for (int index = 0; index < 2; index++) {
            close(input[index]);
            close(output[index]);
        }
        execv(arguments[0], arguments);
        fprintf(stderr, "bench: %s: %s\n", arguments[0], strerror(errno));
        _exit(127);
    }
    close(input[0]);
    close(output[1]);
    return (child_t){.process = process, .input = input[1], .output = output[0]};
}

void read_line(const child_t *child, const char *beginning, char *rest, size_t room)
{
    char line[512];
    size_t size = 0;
    /* One byte at a time: nothing is left over for the next call, and nothing of this is measured. */
    for (;;) {
        char byte;
        if (read(child->output, &byte, 1) != 1) {
            give_up("a program that the benchmark started has ended while \"%s\" was waited for", beginning);
        }
        if (byte != '\n') {
            if (size + 1 < sizeof line) {
                line[size++] = byte;
            }
            continue;
        }
        line[size] = '\0';
        size = 0;
        size_t length = strlen(beginning);
        if (strncmp(line, beginning, length) == 0) {
            snprintf(rest, room, "%s", line + length);
            return;
        }
    }
}

void write_line(const child_t *child, const char *line)
{
    size_t size = strlen(line);
    if (write(child->input, line, size) != (ssize_t)size) {
        give_up("a program that the benchmark started has ended");
    }
}

void end_child(const child_t *child)
{
    close(child->input);
    kill(child->process, SIGTERM);
    waitpid(child->process, NULL, 0);
    close(child->output);
}

/* ---- messages ---- */

size_t burst_request(uint8_t *message, uint32_t count)
{
    const uint8_t header[] = {0x50, 0x02, 0x12, 0x34, 0xff};
    memcpy(message, header, sizeof header);
    uint32_t number = htonl(count);
    memcpy(message + sizeof header, &number, sizeof number);
    return sizeof header + sizeof number;
}

size_t filler_message(uint8_t *message)
{
    const uint8_t header[] = {0x50, 0x03, 0x12, 0x35, 0xff};
    memset(message, 'x', MESSAGE_SIZE);
    memcpy(message, header, sizeof header);
    return MESSAGE_SIZE;
}

size_t barrier_request(uint8_t *message)
{
    const uint8_t header[] = {0x50, 0x01, 0x12, 0x36};
    memcpy(message, header, sizeof header);
    return sizeof header;
}

/* ---- the bare loops ---- */

int connect_bare(uint16_t port)
{
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0
        || setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        give_up("connect: %s", strerror(errno));
    }
    return descriptor;
}

static void send_frame(int descriptor, const uint8_t *message, size_t size)
{
    uint8_t frame[4 + MESSAGE_SIZE];
    uint32_t length = htonl((uint32_t)size);
    memcpy(frame, &length, sizeof length);
    memcpy(frame + 4, message, size);
    if (send(descriptor, frame, 4 + size, MSG_NOSIGNAL) != (ssize_t)(4 + size)) {
        give_up("send: %s", strerror(errno));
    }
}

side_t bare_latency(int descriptor, unsigned count)
{
    samples_t samples = {0};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0) {
        give_up("epoll: %s", strerror(errno));
    }
    uint8_t request[MESSAGE_SIZE];
    send_frame(descriptor, request, burst_request(request, count));
    uint8_t bytes[65536];
    size_t held = 0;
    while (samples.count < count) {
        if (epoll_wait(epoll, &event, 1, -1) != 1) {
            give_up("epoll_wait: %s", strerror(errno));
        }
        ssize_t size = recv(descriptor, bytes + held, sizeof bytes - held, MSG_DONTWAIT);
        uint64_t now = nanoseconds_now();
        if (size <= 0) {
            give_up("recv: %s", strerror(errno));
        }
        held += (size_t)size;
        size_t at = 0;
        for (; held - at >= TIMED_FRAME_SIZE; at += TIMED_FRAME_SIZE) {
            uint64_t sent;
            memcpy(&sent, bytes + at + TIME_AT, sizeof sent);
            sample(&samples, now - sent);
        }
        held -= at;
        memmove(bytes, bytes + at, held);
    }
    close(epoll);
    return summarise(&samples);
}

uint64_t bare_stream(int descriptor, unsigned count)
{
    uint8_t filler[MESSAGE_SIZE];
    uint8_t barrier[MESSAGE_SIZE];
    uint8_t answer[ANSWER_FRAME_SIZE];
    size_t filler_size = filler_message(filler);
    size_t barrier_size = barrier_request(barrier);
    uint64_t begin = nanoseconds_now();
    for (unsigned index = 0; index < count; index++) {
        send_frame(descriptor, filler, filler_size);
    }
    send_frame(descriptor, barrier, barrier_size);
    if (recv(descriptor, answer, sizeof answer, MSG_WAITALL) != sizeof answer) {
        give_up("recv: %s", strerror(errno));
    }
    return nanoseconds_now() - begin;
}

/* ---- datagrams ---- */

int connect_bare_datagrams(uint16_t port)
{
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0) {
        give_up("connect: %s", strerror(errno));
    }
    return descriptor;
}

side_t bare_datagram_latency(int descriptor, unsigned count)
{
    samples_t samples = {0};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0) {
        give_up("epoll: %s", strerror(errno));
    }
    for (unsigned asked = 0; samples.count < count;) {
        if (samples.count == asked) {
            unsigned more = count - asked < DATAGRAMS_AT_ONCE ? count - asked : DATAGRAMS_AT_ONCE;
            uint32_t request = htonl(more);
            if (send(descriptor, &request, sizeof request, MSG_NOSIGNAL) != sizeof request) {
                give_up("send: %s", strerror(errno));
            }
            asked += more;
        }
        if (epoll_wait(epoll, &event, 1, -1) != 1) {
            give_up("epoll_wait: %s", strerror(errno));
        }
        uint64_t sent;
        struct sockaddr_in from;
        socklen_t from_size = sizeof from;
        ssize_t size = recvfrom(descriptor, &sent, sizeof sent, MSG_DONTWAIT, (struct sockaddr *)&from, &from_size);
        uint64_t now = nanoseconds_now();
        if (size != DATAGRAM_SIZE) {
            give_up("recvfrom: %s", strerror(errno));
        }
        sample(&samples, now - sent);
    }
    close(epoll);
    side_t side = summarise(&samples);
    free(samples.values);
    return side;
}

/* ---- many sockets ---- */

struct sockaddr_in address_of(int descriptor)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    if (getsockname(descriptor, (struct sockaddr *)&address, &size) != 0) {
        give_up("getsockname: %s", strerror(errno));
    }
    return address;
}

void send_to_receivers(const receiver_t *receivers, unsigned sockets, unsigned count, const atomic_uint *taken)
{
    enum { STRIDE = 7919 }; /* a prime that no number of sockets has */
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    unsigned before = atomic_load(taken);
    for (unsigned index = 0; index < count; index++) {
        const struct sockaddr_in *address = &receivers[(uint64_t)index * STRIDE % sockets].address;
        uint8_t datagram[DATAGRAM_SIZE] = {0};
        if (sendto(descriptor, datagram, sizeof datagram, 0, (const struct sockaddr *)address, sizeof *address) < 0) {
            give_up("sendto: %s", strerror(errno));
        }
        /* Not by something that wakes this thread: the one that takes it would have to pay for that. */
        while (atomic_load(taken) - before <= index) {
            sched_yield();
        }
    }
    close(descriptor);
}

enum { EVENTS_AT_ONCE = 128 };

typedef struct {
    int epoll;
    receiver_t *receivers;
    atomic_uint taken;
} bare_loop_t;

/* Ends with an event of no socket. */
static void *run_bare_loop(void *argument)
{
    bare_loop_t *loop = argument;
    for (;;) {
        struct epoll_event events[EVENTS_AT_ONCE];
        int count = epoll_wait(loop->epoll, events, EVENTS_AT_ONCE, -1);
        for (int index = 0; index < count; index++) {
            const receiver_t *receiver = events[index].data.ptr;
            if (receiver == NULL) {
                return NULL;
            }
            uint8_t datagram[DATAGRAM_SIZE];
            struct sockaddr_in from;
            socklen_t from_size = sizeof from;
            if (recvfrom((int)receiver->socket, datagram, sizeof datagram, MSG_DONTWAIT, (struct sockaddr *)&from, &from_size)
                != DATAGRAM_SIZE) {
                give_up("recvfrom: %s", strerror(errno));
            }
            atomic_fetch_add(&loop->taken, 1);
        }
    }
}

static void watch(int epoll, int descriptor, receiver_t *receiver)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = receiver};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0) {
        give_up("epoll_ctl: %s", strerror(errno));
    }
}

event_cost_t bare_events(unsigned sockets, unsigned events)
{
    bare_loop_t loop = {.epoll = epoll_create1(EPOLL_CLOEXEC), .receivers = calloc(sockets, sizeof *loop.receivers)};
    int end = eventfd(0, EFD_CLOEXEC);
    if (loop.epoll < 0 || loop.receivers == NULL || end < 0) {
        give_up("epoll: %s", strerror(errno));
    }
    watch(loop.epoll, end, NULL);
    for (unsigned index = 0; index < sockets; index++) {
        int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&address, sizeof address) != 0) {
            give_up("socket: %s", strerror(errno));
        }
        loop.receivers[index] = (receiver_t){.address = address_of(descriptor), .socket = descriptor};
        watch(loop.epoll, descriptor, &loop.receivers[index]);
    }
    pthread_t thread;
    clockid_t clock;
    if (pthread_create(&thread, NULL, run_bare_loop, &loop) != 0 || pthread_getcpuclockid(thread, &clock) != 0) {
        give_up("pthread_create");
    }
    send_to_receivers(loop.receivers, sockets, sockets + WARM_UP, &loop.taken);
    uint64_t before = nanoseconds_of(clock);
    send_to_receivers(loop.receivers, sockets, events, &loop.taken);
    uint64_t after = nanoseconds_of(clock);
    if (eventfd_write(end, 1) != 0 || pthread_join(thread, NULL) != 0) {
        give_up("eventfd_write: %s", strerror(errno));
    }
    for (unsigned index = 0; index < sockets; index++) {
        close((int)loop.receivers[index].socket);
    }
    close(end);
    close(loop.epoll);
    free(loop.receivers);
    return (event_cost_t){.cpu_time_ns = (double)(after - before) / events, .callbacks = 1};
}
