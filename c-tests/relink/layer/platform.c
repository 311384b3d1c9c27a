/* The platform's part. It needs interface.c, as that needs it.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "layer.h"

palStatus_t pal_plat_socketsInit(void *context)
{
    uint32_t count = 0;
    (void)context;
    return pal_getNumberOfNetInterfaces(&count);
}

palStatus_t pal_plat_socketsTerminate(void *context)
{
    (void)context;
    return layer_ran(__func__);
}

palStatus_t pal_plat_layerSocketCall(const char *function)
{
    return layer_ran(function);
}

palStatus_t pal_plat_layerInterfaces(void)
{
    return layer_ran(__func__);
}
