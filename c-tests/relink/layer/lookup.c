/* Lookups. They need address.c.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "layer.h"

palStatus_t pal_getAddressInfo(const char *hostname, palSocketAddress_t *address, palSocketLength_t *addressLength)
{
    (void)hostname, (void)addressLength;
    return pal_setSockAddrPort(address, 0);
}
