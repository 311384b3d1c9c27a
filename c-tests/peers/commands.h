/* The commands of a peer: lines on its standard input.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef MCC_TESTS_COMMANDS_H
#define MCC_TESTS_COMMANDS_H

#include <stdbool.h>

/* Reads what came in and runs each whole line, without its end. False at the end of the input. */
bool read_commands(void (*run)(char *line));

#endif
