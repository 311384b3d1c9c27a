/* The functions that the client calls. They need platform.c.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "layer.h"

palStatus_t pal_asynchronousSocket(palSocketDomain_t domain, palSocketType_t type, bool nonBlockingSocket, uint32_t interfaceNum,
                                   palAsyncSocketCallback_t callback, palSocket_t *socket)
{
    return pal_asynchronousSocketWithArgument(domain, type, nonBlockingSocket, interfaceNum, callback, NULL, socket);
}

palStatus_t pal_asynchronousSocketWithArgument(palSocketDomain_t domain, palSocketType_t type, bool nonBlockingSocket,
                                               uint32_t interfaceNum, palAsyncSocketCallback_t callback, void *callbackArgument,
                                               palSocket_t *socket)
{
    (void)domain, (void)type, (void)nonBlockingSocket, (void)interfaceNum, (void)callback, (void)callbackArgument, (void)socket;
    return pal_plat_layerSocketCall(__func__);
}

palStatus_t pal_close(palSocket_t *socket)
{
    (void)socket;
    return pal_plat_layerSocketCall(__func__);
}

palStatus_t pal_isNonBlocking(palSocket_t socket, bool *isNonBlocking)
{
    (void)socket, (void)isNonBlocking;
    return pal_plat_layerSocketCall(__func__);
}

palStatus_t pal_bind(palSocket_t socket, palSocketAddress_t *myAddress, palSocketLength_t addressLength)
{
    (void)socket, (void)myAddress, (void)addressLength;
    return pal_plat_layerSocketCall(__func__);
}

palStatus_t pal_listen(palSocket_t socket, int backlog)
{
    (void)socket, (void)backlog;
    return pal_plat_layerSocketCall(__func__);
}

palStatus_t pal_accept(palSocket_t socket, palSocketAddress_t *address, palSocketLength_t *addressLen, palSocket_t *acceptedSocket,
                       palAsyncSocketCallback_t callback, void *callbackArgument)
{
    (void)socket, (void)address, (void)addressLen, (void)acceptedSocket, (void)callback, (void)callbackArgument;
    return pal_plat_layerSocketCall(__func__);
}

palStatus_t pal_connect(palSocket_t socket, const palSocketAddress_t *address, palSocketLength_t addressLen)
{
    (void)socket, (void)address, (void)addressLen;
    return pal_plat_layerSocketCall(__func__);
}

palStatus_t pal_recv(palSocket_t socket, void *buf, size_t len, size_t *recievedDataSize)
{
    (void)socket, (void)buf, (void)len, (void)recievedDataSize;
    return pal_plat_layerSocketCall(__func__);
}

palStatus_t pal_receiveFrom(palSocket_t socket, void *buffer, size_t length, palSocketAddress_t *from, palSocketLength_t *fromLength,
                            size_t *bytesReceived)
{
    (void)socket, (void)buffer, (void)length, (void)from, (void)fromLength, (void)bytesReceived;
    return pal_plat_layerSocketCall(__func__);
}

palStatus_t pal_send(palSocket_t socket, const void *buf, size_t len, size_t *sentDataSize)
{
    (void)socket, (void)buf, (void)len, (void)sentDataSize;
    return pal_plat_layerSocketCall(__func__);
}

palStatus_t pal_sendTo(palSocket_t socket, const void *buffer, size_t length, const palSocketAddress_t *to, palSocketLength_t toLength,
                       size_t *bytesSent)
{
    (void)socket, (void)buffer, (void)length, (void)to, (void)toLength, (void)bytesSent;
    return pal_plat_layerSocketCall(__func__);
}

palStatus_t pal_setSocketOptions(palSocket_t socket, int optionName, const void *optionValue, palSocketLength_t optionLength)
{
    return pal_setSocketOptionsWithLevel(socket, PAL_SOL_SOCKET, optionName, optionValue, optionLength);
}

palStatus_t pal_setSocketOptionsWithLevel(palSocket_t socket, palSocketOptionLevelName_t optionLevel, int optionName,
                                          const void *optionValue, palSocketLength_t optionLength)
{
    (void)socket, (void)optionLevel, (void)optionName, (void)optionValue, (void)optionLength;
    return pal_plat_layerSocketCall(__func__);
}

uint8_t pal_getRttEstimate(void)
{
    return (uint8_t)layer_ran(__func__);
}

uint16_t pal_getStaggerEstimate(uint16_t data_amount)
{
    (void)data_amount;
    return (uint16_t)layer_ran(__func__);
}

void pal_setFixedStaggerEstimate(uint16_t stagger_estimate)
{
    (void)stagger_estimate;
    layer_ran(__func__);
}
