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
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
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
