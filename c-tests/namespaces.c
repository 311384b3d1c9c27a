/* SPDX-License-Identifier: Apache-2.0 */

#define _GNU_SOURCE
#include "namespaces.h"

#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int own_namespace = -1;
int peer_namespace = -1;
static int original_namespace = -1;

static int this_namespace(void)
{
    return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

bool leave_the_system(int flags)
{
    if (geteuid() != 0) {
        print_message("network namespaces of its own need root: skipped\n");
        return false;
    }
    /* Where `ip` is, though not always in root's path. */
    char path[4096];
    const char *before = getenv("PATH");
    snprintf(path, sizeof path, "%s:/usr/sbin:/sbin", before != NULL ? before : "/usr/bin:/bin");
    setenv("PATH", path, 1);
    if (system("ip -V >/dev/null 2>&1") != 0) {
        print_message("there is no `ip` of iproute2: skipped\n");
        return false;
    }
    original_namespace = this_namespace();
    if (original_namespace < 0 || unshare(CLONE_NEWNET | flags) != 0) {
        print_message("no namespace can be made (%s): skipped\n", strerror(errno));
        return false;
    }
    return true;
}

static int new_namespace(void)
{
    return unshare(CLONE_NEWNET) == 0 ? this_namespace() : -1;
}

bool make_namespaces(void)
{
    peer_namespace = new_namespace();
    own_namespace = new_namespace();
    return peer_namespace >= 0 && own_namespace >= 0;
}

bool end_namespaces(void)
{
    close(own_namespace);
    close(peer_namespace);
    own_namespace = peer_namespace = -1;
    return setns(original_namespace, CLONE_NEWNET) == 0;
}

void enter(int namespace)
{
    assert_int_equal(setns(namespace, CLONE_NEWNET), 0);
}

static void run(const char *format, va_list arguments)
{
    char command[300] = "ip ";
    int length = vsnprintf(command + 3, sizeof command - 3, format, arguments);
    assert_in_range(length, 1, sizeof command - 4);
    int status = system(command);
    if (status != 0) {
        print_error("%s ended with %d\n", command, WEXITSTATUS(status));
    }
    assert_int_equal(status, 0);
}

void ip(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    run(format, arguments);
    va_end(arguments);
}

void peer_ip(const char *format, ...)
{
    enter(peer_namespace);
    va_list arguments;
    va_start(arguments, format);
    run(format, arguments);
    va_end(arguments);
    enter(own_namespace);
}

static bool has_link(const char *interface)
{
    struct ifreq request;
    memset(&request, 0, sizeof request);
    assert_in_range(strlen(interface), 1, sizeof request.ifr_name - 1);
    memcpy(request.ifr_name, interface, strlen(interface));
    int file = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(file >= 0);
    bool has = ioctl(file, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) && (request.ifr_flags & IFF_RUNNING);
    close(file);
    return has;
}

void await_link(const char *interface)
{
    uint64_t until = milliseconds_now() + SOON_MS;
    while (!has_link(interface) && milliseconds_now() < until) {
        sleep_ms(2);
    }
    assert_true(has_link(interface));
}
