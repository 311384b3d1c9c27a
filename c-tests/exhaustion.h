/* Whole uses of the library in a process of their own, in which memory or descriptors run out on the way.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef MCC_TESTS_EXHAUSTION_H
#define MCC_TESTS_EXHAUSTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- a shortage of memory: malloc and its kin stand in exhaustion_allocator.c ---- */

typedef struct {
    /* The first allocation that fails, from 1, counted from the beginning of the shortage over all threads; 0: none. */
    uint64_t first;
    /* Whether all that follow fail too, until the shortage is ended, and for a second at most. */
    bool lasting;
} shortage_t;

void begin_shortage(shortage_t shortage);
void end_shortage(void);
/* Whether there was an allocation of that number. */
bool shortage_was_reached(void);
/* Whether a lasting shortage ended because its second was over: somebody waited for memory, whom nobody could help. */
bool shortage_ran_out(void);
/* The size of what was refused last. */
size_t last_refused(void);
/* How many blocks are allocated, and how many ever were. */
long allocated_blocks(void);
uint64_t allocations_so_far(void);

/* ---- a use of the library ---- */

typedef struct {
    /* Where the servers of the tests listen. */
    uint16_t port;
    /* Whether there is a shortage, or was. */
    bool (*has_begun)(void);
    /* Ends the shortage; of memory or of descriptors. */
    void (*relieve)(void);
    /* It was called. */
    bool relieved;
    /* What went wrong, as names with commas between them. */
    char seen[512];
} trial_t;

typedef struct {
    const char *name;
    /* Fails the process by itself where something is not so. */
    void (*run)(trial_t *trial);
} scenario_t;

/* How many blocks the library keeps by design: of the latest 256 sessions of the client's TLS, lest one takes another for it. */
extern unsigned blocks_kept;

extern const scenario_t scenarios[];
extern const size_t scenario_count;

/* Says why on standard error and ends the process with 1. */
_Noreturn void give_up(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
