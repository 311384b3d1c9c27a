/* A resolver of the test's own, which the library calls in place of the system's. It knows the names in `.test`, and hands all others on.
 *
 * Names with `hang` hang while hang() says so, those with `slow` take some turns; with a number they then have the address 198.51.0.NUMBER.
 * `many.test` and `many-local.test` have MANY_ADDRESSES. What the others have is listed in resolver.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef MCC_TESTS_RESOLVER_H
#define MCC_TESTS_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>

enum { MANY_ADDRESSES = 1000 };

/* Begins a test, on the main thread. */
void resolver_begin(void);
/* Ends it: whether all answers were freed, and no thread of the library that looked up took signals. */
bool resolver_end(void);
/* Other threads than the main one look up in this test, beside the library's. */
void resolver_threads_of_the_test(void);

void hang(void);
void hang_no_more(void);
/* Waits until exactly so many calls hang. */
void await_hung(unsigned count);

/* How often the library has asked the resolver in this test. */
unsigned count_of_calls(void);
/* The most calls that were under way at once since the last question. */
unsigned most_inside(void);
void expect_asked_for(const char *name);
/* The name with this number, from 0, of those that fail; NULL behind the last. */
const char *name_that_fails(size_t number);

/* Waits for the threads that look up, which end by themselves and tell nobody. False, with a message, if more than `count` are left. */
bool threads_fall_to(size_t count);

#endif
