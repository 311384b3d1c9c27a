/* The layer that is replaced: the same names as the library's pal_*, in several objects that need each other, as a client has it.
 * Every function only tells that it ran.
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef LAYER_H
#define LAYER_H

#include <pal.h>

/* What the library never returns. */
#define LAYER_STATUS ((palStatus_t)-777)

/* Remembers and prints that a function of this layer ran. Gives LAYER_STATUS. */
palStatus_t layer_ran(const char *function);

/* What the front functions call: the platform's part. */
palStatus_t pal_plat_layerSocketCall(const char *function);
palStatus_t pal_plat_layerInterfaces(void);
palStatus_t pal_plat_layerTls(const char *function);
palStatus_t pal_plat_layerTlsTransfer(const char *function);

#endif
