/* The library's thread, as the system sees it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _GNU_SOURCE
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool read_text(const char *task, const char *name, char *text, size_t room)
{
    char path[300];
    snprintf(path, sizeof path, "/proc/self/task/%s/%s", task, name);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    size_t size = fread(text, 1, room - 1, file);
    text[size] = '\0';
    fclose(file);
    return size > 0;
}

static uint64_t number_after(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at != NULL ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* The sum over the library's threads, of which there is one for each context. */
static activity_t activity(void)
{
    activity_t sum = {.cpu_time_known = true};
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL) {
        give_up("/proc: %s", strerror(errno));
    }
    for (const struct dirent *task; (task = readdir(tasks)) != NULL;) {
        char text[4096];
        if (task->d_name[0] == '.' || !read_text(task->d_name, "comm", text, sizeof text)
            || strncmp(text, "mcc-", 4) != 0 || !read_text(task->d_name, "status", text, sizeof text)) {
            continue;
        }
        sum.found = true;
        sum.voluntary_switches += number_after(text, "\nvoluntary_ctxt_switches:");
        sum.involuntary_switches += number_after(text, "\nnonvoluntary_ctxt_switches:");
        if (read_text(task->d_name, "schedstat", text, sizeof text)) {
            sum.cpu_time_ns += strtoull(text, NULL, 10);
        } else {
            sum.cpu_time_known = false;
        }
    }
    closedir(tasks);
    return sum;
}

activity_t idle_activity(unsigned seconds)
{
    activity_t before = activity();
    sleep(seconds);
    activity_t after = activity();
    after.found = after.found && before.found;
    after.voluntary_switches -= before.voluntary_switches;
    after.involuntary_switches -= before.involuntary_switches;
    after.cpu_time_ns -= before.cpu_time_ns;
    after.cpu_time_known = after.cpu_time_known && before.cpu_time_known;
    return after;
}
