/* Network namespaces of a test: the library lives in the one that this program calls its own, and speaks to a peer in the other.
 *
 * Neither has a name: they are held by descriptors, and gone with them, whatever ends the program.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef MCC_TESTS_NAMESPACES_H
#define MCC_TESTS_NAMESPACES_H

#include <stdarg.h>
#include <stdbool.h>

/* What a program ends with that cannot run here. */
enum { SKIPPED = 77 };

/* The two of a test; -1 outside one. */
extern int own_namespace;
extern int peer_namespace;

/* Leaves the namespace of the system for one of this program's own, with what else unshare(2) is to part it from. False, with the reason
 * on the output, where that cannot be: without root, or without `ip` of iproute2. */
bool leave_the_system(int flags);
/* Makes both namespaces of a test, empty, and enters the library's. */
bool make_namespaces(void);
/* Enters the one that leave_the_system has made, and gives both up. */
bool end_namespaces(void);

/* Only this thread changes. */
void enter(int namespace);
/* Runs `ip` of iproute2 in the library's namespace, */
void ip(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* and in the other. */
void peer_ip(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The system gives an interface of this namespace its link a moment after both ends are up; until then it drops what is sent. */
void await_link(const char *interface);

#endif
