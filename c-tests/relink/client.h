/* SPDX-License-Identifier: Apache-2.0 */

#ifndef CLIENT_H
#define CLIENT_H

#include <stdbool.h>

/* Calls functions of the layer through a table that has them all. 0: each did what the library does; else how many did not. */
int client_uses_layer(void);
/* The same for TLS. The environment may name a server: RELINK_SERVER_PORT, RELINK_SERVER_CA. */
int client_uses_tls(void);
/* That the library has found the functions of host.c. */
void host_expect(bool (*expect)(bool holds, const char *what), bool after_handshake);

#endif
