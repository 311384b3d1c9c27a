/* SPDX-License-Identifier: Apache-2.0 */

#ifndef CLIENT_H
#define CLIENT_H

/* Calls functions of the layer through a table that has them all. 0: each did what the library does; else how many did not. */
int client_uses_layer(void);

#endif
