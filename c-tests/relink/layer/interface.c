/* SPDX-License-Identifier: Apache-2.0 */

#include "layer.h"

palStatus_t pal_registerNetworkInterface(void *networkInterfaceContext, uint32_t *interfaceIndex)
{
    (void)networkInterfaceContext, (void)interfaceIndex;
    return pal_plat_layerInterfaces();
}

palStatus_t pal_unregisterNetworkInterface(uint32_t interfaceIndex)
{
    (void)interfaceIndex;
    return pal_plat_layerInterfaces();
}

palStatus_t pal_getNumberOfNetInterfaces(uint32_t *numInterfaces)
{
    (void)numInterfaces;
    return pal_plat_layerInterfaces();
}

palStatus_t pal_getNetInterfaceInfo(uint32_t interfaceNum, palNetInterfaceInfo_t *interfaceInfo)
{
    (void)interfaceNum, (void)interfaceInfo;
    return pal_plat_layerInterfaces();
}

palStatus_t pal_setConnectionStatusCallback(uint32_t interfaceIndex, connectionStatusCallback callback, void *client_arg)
{
    (void)interfaceIndex, (void)callback, (void)client_arg;
    return pal_plat_layerInterfaces();
}
