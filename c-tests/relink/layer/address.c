/* SPDX-License-Identifier: Apache-2.0 */

#include "layer.h"

palStatus_t pal_setSockAddrIPV4Addr(palSocketAddress_t *address, uint8_t *ipV4Addr)
{
    (void)address, (void)ipV4Addr;
    return layer_ran(__func__);
}

palStatus_t pal_setSockAddrIPV6Addr(palSocketAddress_t *address, uint8_t *ipV6Addr)
{
    (void)address, (void)ipV6Addr;
    return layer_ran(__func__);
}

palStatus_t pal_setSockAddrNAT64Addr(palSocketAddress_t *address, uint8_t *ipV4Addr)
{
    (void)address, (void)ipV4Addr;
    return layer_ran(__func__);
}

palStatus_t pal_setSockAddrPort(palSocketAddress_t *address, uint16_t port)
{
    (void)address, (void)port;
    return layer_ran(__func__);
}

palStatus_t pal_getSockAddrPort(const palSocketAddress_t *address, uint16_t *port)
{
    (void)address, (void)port;
    return layer_ran(__func__);
}

palStatus_t pal_getSockAddrIPV4Addr(const palSocketAddress_t *address, uint8_t *ipV4Addr)
{
    (void)address, (void)ipV4Addr;
    return layer_ran(__func__);
}

palStatus_t pal_getSockAddrIPV6Addr(const palSocketAddress_t *address, uint8_t *ipV6Addr)
{
    (void)address, (void)ipV6Addr;
    return layer_ran(__func__);
}
