/* SPDX-License-Identifier: Apache-2.0 */

#include "commands.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The longest message that is sent has 4 MiB, and two digits stand for a byte. */
enum { MAXIMUM_COMMAND = 8 << 20 };

bool read_commands(void (*run)(char *line))
{
    static char held[MAXIMUM_COMMAND];
    static size_t held_size;
    ssize_t size = read(STDIN_FILENO, held + held_size, sizeof held - held_size);
    if (size <= 0) {
        return size < 0 && errno == EINTR;
    }
    held_size += (size_t)size;
    char *end;
    while ((end = memchr(held, '\n', held_size)) != NULL) {
        *end = '\0';
        run(held);
        size_t used = (size_t)(end + 1 - held);
        held_size -= used;
        memmove(held, held + used, held_size);
    }
    return true;
}
