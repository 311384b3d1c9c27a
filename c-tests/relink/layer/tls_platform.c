/* The platform's part of TLS: it needs the socket functions, and tls.c, which needs it.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "layer.h"

palStatus_t pal_plat_layerTls(const char *function)
{
    return layer_ran(function);
}

palStatus_t pal_plat_layerTlsTransfer(const char *function)
{
    size_t size = 0;
    (void)layer_ran(function);
    (void)pal_recv(NULL, NULL, 0, &size);
    (void)pal_sendTo(NULL, NULL, 0, NULL, 0, &size);
    return pal_send(NULL, NULL, 0, &size);
}

palStatus_t pal_sslDebugging(uint8_t turnOn)
{
    (void)turnOn;
    return pal_sslSetDebugging(0, turnOn);
}

void pal_store_cid(void)
{
    layer_ran(__func__);
}

void pal_remove_cid(void)
{
    layer_ran(__func__);
}

bool pal_is_cid_available(void)
{
    return layer_ran(__func__) == PAL_SUCCESS;
}

void pal_set_cid_value(palTLSHandle_t palTLSHandle, palTLSConfHandle_t palTLSConf, const uint8_t *data_ptr, size_t data_len)
{
    (void)palTLSHandle, (void)palTLSConf, (void)data_ptr, (void)data_len;
    layer_ran(__func__);
}

void pal_print_cid(palTLSHandle_t palTLSHandle)
{
    (void)palTLSHandle;
    layer_ran(__func__);
}
