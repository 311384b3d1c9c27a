/* udp_nat: a NAT of one client, for the C tests. What comes to its port goes on to a server from another port, and back.
 *
 *   udp_nat PORT    of the server on 127.0.0.1
 *
 * One line of standard input is one command, and `done COMMAND` follows it on standard output.
 * It ends with its standard input, or with its parent.
 *
 *   rebind      forgets the client: what it sends next goes on from a new port, and what comes to the old one goes nowhere
 *   longest N   drops what the client sends in datagrams of more than N bytes; 0: nothing
 *   forge HEX   sends these bytes to the client, as if they came from the server
 *
 * Events: `listening PORT`, and `dropped SIZE` for a datagram that is too long.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DATAGRAM_SIZE = 65536, LINE_SIZE = 4096 };

static struct sockaddr_in server;
static struct sockaddr_in client;
static int inside;
static int outside;
static unsigned long longest;
static uint8_t datagram[DATAGRAM_SIZE];

static void give_up(const char *what)
{
    perror(what);
    exit(1);
}

static struct sockaddr_in loopback(unsigned long port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int open_socket(void)
{
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = loopback(0);
    if (descriptor < 0 || bind(descriptor, (const struct sockaddr *)&address, sizeof address) != 0) {
        give_up("bind");
    }
    return descriptor;
}

static void send_to_client(const uint8_t *bytes, size_t size)
{
    (void)sendto(inside, bytes, size, 0, (const struct sockaddr *)&client, sizeof client);
}

static void forge(const char *digits)
{
    size_t size = 0;
    unsigned value;
    while (size < sizeof datagram && sscanf(digits + 2 * size, "%2x", &value) == 1) {
        datagram[size++] = (uint8_t)value;
    }
    send_to_client(datagram, size);
}

static void run_command(const char *line)
{
    if (strcmp(line, "rebind") == 0) {
        /* The new one first: it has another port. */
        int before = outside;
        outside = open_socket();
        close(before);
    } else if (strncmp(line, "longest ", 8) == 0) {
        longest = strtoul(line + 8, NULL, 10);
    } else if (strncmp(line, "forge ", 6) == 0) {
        forge(line + 6);
    } else {
        printf("unknown %s\n", line);
        return;
    }
    printf("done %.*s\n", (int)strcspn(line, " "), line);
}

static void pass_on(void)
{
    socklen_t size = sizeof client;
    ssize_t received = recvfrom(inside, datagram, sizeof datagram, 0, (struct sockaddr *)&client, &size);
    if (received >= 0 && longest != 0 && (size_t)received > longest) {
        printf("dropped %zd\n", received);
    } else if (received >= 0) {
        (void)sendto(outside, datagram, (size_t)received, 0, (const struct sockaddr *)&server, sizeof server);
    }
}

static void pass_back(void)
{
    ssize_t received = recv(outside, datagram, sizeof datagram, 0);
    if (received >= 0) {
        send_to_client(datagram, (size_t)received);
    }
}

int main(int count, char **arguments)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)setvbuf(stdin, NULL, _IONBF, 0);
    if (count != 2) {
        fprintf(stderr, "usage: udp_nat PORT\n");
        return 2;
    }
    server = loopback(strtoul(arguments[1], NULL, 10));
    inside = open_socket();
    outside = open_socket();
    socklen_t size = sizeof client;
    if (getsockname(inside, (struct sockaddr *)&client, &size) != 0) {
        give_up("getsockname");
    }
    printf("listening %u\n", ntohs(client.sin_port));
    for (;;) {
        struct pollfd entries[] = {{STDIN_FILENO, POLLIN, 0}, {inside, POLLIN, 0}, {outside, POLLIN, 0}};
        if (poll(entries, 3, -1) < 0) {
            continue;
        }
        if (entries[1].revents != 0) {
            pass_on();
        }
        if (entries[2].revents != 0) {
            pass_back();
        }
        char line[LINE_SIZE];
        if (entries[0].revents != 0) {
            if (fgets(line, sizeof line, stdin) == NULL) {
                return 0;
            }
            line[strcspn(line, "\n")] = '\0';
            run_command(line);
        }
    }
}
