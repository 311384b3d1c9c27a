/* Faults that are planted to see that a sanitizer, or valgrind, is at work.
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

/* Faults of more than one sanitizer: in the program, and where the library is handed memory that is gone or too small. */
void overflow_in_the_program(void);
void leak_in_the_program(void);
void send_what_was_freed(void);
void receive_into_a_short_buffer(void);
void receive_a_size_into_freed_memory(void);
/* No fault: what the library keeps for the rest of the process, and a socket that nobody closed. */
void leave_a_socket_open(void);
/* A socket that has a datagram to give. */
palSocket_t socket_that_received(void);

/* What those processes run under: "" or a command with a space at its end. */
extern const char *planted_under;
/* What stands once in a report; NULL where there is no such word. */
extern const char *planted_summary;

/* Expects that it fails with one report, which begins so, and in which this function stands. */
void expect_report(const char *name, const char *report, const char *function);
void expect_no_report(const char *name);

#endif
