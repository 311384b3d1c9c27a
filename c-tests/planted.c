/* SPDX-License-Identifier: Apache-2.0 */

#define _GNU_SOURCE
#include "planted.h"

#include "pal_support.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The exit code of a process with reports. */
enum { REPORTED = 66 };
enum { SHORT = 4, LONG = 16 };

const char *planted_under = "";
const char *planted_summary = "SUMMARY: ";

/* The compiler knows nothing of what goes through here, and neither warns of the faults nor leaves them out. */
static void *volatile hidden;

void overflow_in_the_program(void)
{
    hidden = malloc(SHORT);
    char *bytes = hidden;
    bytes[SHORT] = 1;
    free(bytes);
}

void leak_in_the_program(void)
{
    hidden = malloc(LONG);
    hidden = NULL;
}

static calls_t calls;
static uint16_t port;

static palSocket_t socket_of_datagrams(void)
{
    require(pal_plat_socketsInit(NULL));
    calls_begin(&calls);
    return bind_socket(PAL_AF_INET, PAL_SOCK_DGRAM, &calls, &port);
}

palSocket_t socket_that_received(void)
{
    static const char bytes[LONG];
    palSocket_t socket = socket_of_datagrams();
    send_datagram(socket, PAL_AF_INET, port, bytes, LONG);
    await_calls(&calls, 1);
    return socket;
}

void send_what_was_freed(void)
{
    palSocket_t socket = socket_of_datagrams();
    palSocketAddress_t address = loopback(PAL_AF_INET, port);
    size_t sent = 0;
    hidden = calloc(1, LONG);
    free(hidden);
    require(pal_sendTo(socket, hidden, LONG, &address, ADDRESS_SIZE, &sent));
}

void receive_into_a_short_buffer(void)
{
    palSocket_t socket = socket_that_received();
    size_t received = 0;
    hidden = malloc(SHORT);
    require(pal_recv(socket, hidden, LONG, &received));
}

/* Here the write is the library's own, and no system call's: the size of what was received. */
void receive_a_size_into_freed_memory(void)
{
    palSocket_t socket = socket_that_received();
    char bytes[LONG];
    hidden = malloc(sizeof(size_t));
    free(hidden);
    require(pal_recv(socket, bytes, LONG, hidden));
}

void leave_a_socket_open(void)
{
    (void)socket_that_received();
    require(pal_plat_socketsTerminate(NULL));
}

void run_planted(const planted_t *planted, size_t planted_count, int count, char **arguments)
{
    for (size_t index = 0; count == 2 && index < planted_count; index++) {
        if (strcmp(arguments[1], planted[index].name) == 0) {
            planted[index].run();
            exit(0);
        }
    }
}

void require(palStatus_t status)
{
    if (status != PAL_SUCCESS) {
        fprintf(stderr, "a call gave %d\n", status);
        _exit(1);
    }
}

/* Runs it, and gives what its process wrote. */
static const char *run(const char *name, int *exit_code)
{
    static char output[65536];
    char path[4096], command[2 * sizeof path];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    assert_true(length > 0);
    path[length] = '\0';
    int written = snprintf(command, sizeof command, "exec %s'%s' %s 2>&1", planted_under, path, name);
    assert_in_range(written, 1, sizeof command - 1);
    FILE *process = popen(command, "r");
    assert_non_null(process);
    size_t size = fread(output, 1, sizeof output - 1, process);
    output[size] = '\0';
    int status = pclose(process);
    assert_true(WIFEXITED(status));
    *exit_code = WEXITSTATUS(status);
    return output;
}

void expect_report(const char *name, const char *report, const char *function)
{
    int exit_code = 0;
    const char *output = run(name, &exit_code);
    const char *begin = strstr(output, report);
    const char *found = begin == NULL ? NULL : strstr(begin, function);
    bool one = begin != NULL;
    if (one && planted_summary != NULL) {
        const char *end = strstr(begin, planted_summary);
        one = end != NULL && strstr(output, planted_summary) == end && strstr(end + 1, planted_summary) == NULL;
    }
    if (exit_code != REPORTED || !one || found == NULL) {
        print_error("%s gave %d and wrote:\n%s\n", name, exit_code, output);
    }
    assert_int_equal(exit_code, REPORTED);
    assert_true(one);
    assert_non_null(found);
}

void expect_no_report(const char *name)
{
    int exit_code = -1;
    const char *output = run(name, &exit_code);
    assert_string_equal(output, "");
    assert_int_equal(exit_code, 0);
}
