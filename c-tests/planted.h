/* Faults that are planted to see that a sanitizer is at work.
 *
 * Each runs in a process of its own, this program with the fault's name, as a process with reports ends with a failure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef MCC_TESTS_PLANTED_H
#define MCC_TESTS_PLANTED_H

#include <pal.h>
#include <stddef.h>

typedef struct {
    const char *name;
    void (*run)(void);
} planted_t;

/* Runs the one that the program's argument names, and ends the process; goes on if it names none. */
void run_planted(const planted_t *planted, size_t planted_count, int count, char **arguments);
/* Ends such a process with a failure that is no report. */
void require(palStatus_t status);

/* Expects that it fails with one report, which begins so, and in which this function stands. */
void expect_report(const char *name, const char *report, const char *function);
void expect_no_report(const char *name);

#endif
