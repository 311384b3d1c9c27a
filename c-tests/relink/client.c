/* What stands for the rest of the client, in an archive of its own: it has the layer's functions in a table, those of TLS in client_tls.c.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "client.h"

#include <pal.h>

#include <stdio.h>
#include <string.h>

typedef void (*function_t)(void);

/* All of sockets. Volatile: the compiler must not call them directly. */
static volatile const struct {
    function_t pal_accept, pal_asynchronousSocket, pal_asynchronousSocketWithArgument, pal_bind, pal_close, pal_connect, pal_isNonBlocking,
        pal_listen, pal_receiveFrom, pal_recv, pal_send, pal_sendTo, pal_setSocketOptions, pal_setSocketOptionsWithLevel;
    uint8_t (*pal_getRttEstimate)(void);
    uint16_t (*pal_getStaggerEstimate)(uint16_t);
    void (*pal_setFixedStaggerEstimate)(uint16_t);
    palStatus_t (*pal_plat_socketsInit)(void *), (*pal_plat_socketsTerminate)(void *);
    palStatus_t (*pal_registerNetworkInterface)(void *, uint32_t *), (*pal_unregisterNetworkInterface)(uint32_t);
    palStatus_t (*pal_getNumberOfNetInterfaces)(uint32_t *);
    function_t pal_getNetInterfaceInfo, pal_setConnectionStatusCallback;
    palStatus_t (*pal_setSockAddrIPV4Addr)(palSocketAddress_t *, uint8_t *), (*pal_setSockAddrIPV6Addr)(palSocketAddress_t *, uint8_t *),
        (*pal_setSockAddrNAT64Addr)(palSocketAddress_t *, uint8_t *), (*pal_setSockAddrPort)(palSocketAddress_t *, uint16_t),
        (*pal_getSockAddrPort)(const palSocketAddress_t *, uint16_t *), (*pal_getSockAddrIPV4Addr)(const palSocketAddress_t *, uint8_t *),
        (*pal_getSockAddrIPV6Addr)(const palSocketAddress_t *, uint8_t *);
    palStatus_t (*pal_getAddressInfo)(const char *, palSocketAddress_t *, palSocketLength_t *);
} layer = {
    (function_t)pal_accept,
    (function_t)pal_asynchronousSocket,
    (function_t)pal_asynchronousSocketWithArgument,
    (function_t)pal_bind,
    (function_t)pal_close,
    (function_t)pal_connect,
    (function_t)pal_isNonBlocking,
    (function_t)pal_listen,
    (function_t)pal_receiveFrom,
    (function_t)pal_recv,
    (function_t)pal_send,
    (function_t)pal_sendTo,
    (function_t)pal_setSocketOptions,
    (function_t)pal_setSocketOptionsWithLevel,
    pal_getRttEstimate,
    pal_getStaggerEstimate,
    pal_setFixedStaggerEstimate,
    pal_plat_socketsInit,
    pal_plat_socketsTerminate,
    pal_registerNetworkInterface,
    pal_unregisterNetworkInterface,
    pal_getNumberOfNetInterfaces,
    (function_t)pal_getNetInterfaceInfo,
    (function_t)pal_setConnectionStatusCallback,
    pal_setSockAddrIPV4Addr,
    pal_setSockAddrIPV6Addr,
    pal_setSockAddrNAT64Addr,
    pal_setSockAddrPort,
    pal_getSockAddrPort,
    pal_getSockAddrIPV4Addr,
    pal_getSockAddrIPV6Addr,
    pal_getAddressInfo,
};

static int failures;

static void expect(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "through the table: %s\n", what);
        failures++;
    }
}

int client_uses_layer(void)
{
    palSocketAddress_t address;
    palSocketLength_t length = 0;
    uint8_t four[4] = {127, 0, 0, 2}, sixteen[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}, read[16] = {0};
    uint16_t port = 0;
    uint32_t count = 99;

    memset(&address, 0, sizeof address);
    expect(layer.pal_setSockAddrIPV4Addr(&address, four) == PAL_SUCCESS, "pal_setSockAddrIPV4Addr");
    expect(layer.pal_setSockAddrPort(&address, 5684) == PAL_SUCCESS, "pal_setSockAddrPort");
    expect(layer.pal_getSockAddrPort(&address, &port) == PAL_SUCCESS && port == 5684, "pal_getSockAddrPort");
    expect(layer.pal_getSockAddrIPV4Addr(&address, read) == PAL_SUCCESS && memcmp(read, four, 4) == 0, "pal_getSockAddrIPV4Addr");
    expect(layer.pal_setSockAddrIPV6Addr(&address, sixteen) == PAL_SUCCESS, "pal_setSockAddrIPV6Addr");
    expect(layer.pal_getSockAddrIPV6Addr(&address, read) == PAL_SUCCESS && memcmp(read, sixteen, 16) == 0, "pal_getSockAddrIPV6Addr");
    expect(layer.pal_getAddressInfo("127.0.0.2", &address, &length) == PAL_SUCCESS && length == 16, "pal_getAddressInfo");
    expect(layer.pal_getNumberOfNetInterfaces(&count) == PAL_SUCCESS && count == 0, "pal_getNumberOfNetInterfaces");
    layer.pal_setFixedStaggerEstimate(7);
    expect(layer.pal_getStaggerEstimate(1) == 7, "pal_getStaggerEstimate");
    expect(layer.pal_getRttEstimate() == 3, "pal_getRttEstimate");
    /* Before main, and once more there. */
    expect(layer.pal_plat_socketsInit(NULL) == PAL_SUCCESS, "pal_plat_socketsInit");
    failures += client_uses_tls();
    expect(layer.pal_plat_socketsTerminate(NULL) == PAL_SUCCESS, "pal_plat_socketsTerminate");
    return failures;
}
