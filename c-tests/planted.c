/* SPDX-License-Identifier: Apache-2.0 */

#define _GNU_SOURCE
#include "planted.h"

#include "support.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The exit code of a process with reports. */
enum { REPORTED = 66 };

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
    char path[4096], command[sizeof path + 64];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    assert_true(length > 0);
    path[length] = '\0';
    snprintf(command, sizeof command, "exec '%s' %s 2>&1", path, name);
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
    static const char summary[] = "SUMMARY: ";
    int exit_code = 0;
    const char *output = run(name, &exit_code);
    const char *begin = strstr(output, report);
    const char *end = begin == NULL ? NULL : strstr(begin, summary);
    const char *found = begin == NULL ? NULL : strstr(begin, function);
    bool one = end != NULL && strstr(output, summary) == end && strstr(end + 1, summary) == NULL;
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
