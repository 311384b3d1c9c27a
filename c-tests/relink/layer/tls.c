/* TLS, as the client calls it. It needs tls_platform.c, and that needs this.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "layer.h"

palStatus_t pal_initTLSLibrary(void)
{
    return pal_plat_layerTls(__func__);
}

palStatus_t pal_cleanupTLS(void)
{
    return pal_plat_layerTls(__func__);
}

palStatus_t pal_addEntropySource(palEntropySource_f entropyCallback)
{
    (void)entropyCallback;
    return pal_plat_layerTls(__func__);
}

palStatus_t pal_initTLSConfiguration(palTLSConfHandle_t *palTLSConf, palTLSTransportMode_t transportationMode)
{
    (void)palTLSConf, (void)transportationMode;
    return pal_plat_layerTls(__func__);
}

palStatus_t pal_tlsConfigurationFree(palTLSConfHandle_t *palTLSConf)
{
    (void)palTLSConf;
    return pal_plat_layerTls(__func__);
}

palStatus_t pal_initTLS(palTLSConfHandle_t palTLSConf, palTLSHandle_t *palTLSHandle, bool is_server_ping)
{
    (void)palTLSConf, (void)palTLSHandle, (void)is_server_ping;
    return pal_plat_layerTls(__func__);
}

palStatus_t pal_freeTLS(palTLSHandle_t *palTLSHandle)
{
    (void)palTLSHandle;
    return pal_plat_layerTls(__func__);
}

palStatus_t pal_handShake(palTLSHandle_t palTLSHandle, palTLSConfHandle_t palTLSConf, bool skipResume)
{
    (void)palTLSHandle, (void)palTLSConf, (void)skipResume;
    return pal_plat_layerTlsTransfer(__func__);
}

palStatus_t pal_sslRead(palTLSHandle_t palTLSHandle, void *buffer, uint32_t len, uint32_t *actualLen)
{
    (void)palTLSHandle, (void)buffer, (void)len, (void)actualLen;
    return pal_plat_layerTlsTransfer(__func__);
}

palStatus_t pal_sslWrite(palTLSHandle_t palTLSHandle, palTLSConfHandle_t palTLSConf, const void *buffer, uint32_t len,
                         uint32_t *bytesWritten)
{
    (void)palTLSHandle, (void)palTLSConf, (void)buffer, (void)len, (void)bytesWritten;
    return pal_plat_layerTlsTransfer(__func__);
}

palStatus_t pal_setHandShakeTimeOut(palTLSConfHandle_t palTLSConf, uint32_t minTimeout, uint32_t maxTimeout)
{
    (void)palTLSConf, (void)minTimeout, (void)maxTimeout;
    return pal_plat_layerTls(__func__);
}

palStatus_t pal_setCAChain(palTLSConfHandle_t palTLSConf, palX509_t *caChain, palX509CRL_t *caCRL)
{
    (void)palTLSConf, (void)caChain, (void)caCRL;
    return pal_plat_layerTls(__func__);
}

palStatus_t pal_initPrivateKey(const void *buf, size_t buf_size, palPrivateKey_t *privateKey)
{
    (void)buf, (void)buf_size, (void)privateKey;
    return pal_plat_layerTls(__func__);
}

palStatus_t pal_setOwnPrivateKey(palTLSConfHandle_t palTLSConf, palPrivateKey_t *privateKey)
{
    (void)palTLSConf, (void)privateKey;
    return pal_plat_layerTls(__func__);
}

palStatus_t pal_setOwnCertChain(palTLSConfHandle_t palTLSConf, palX509_t *ownCert)
{
    (void)palTLSConf, (void)ownCert;
    return pal_plat_layerTls(__func__);
}

palStatus_t pal_setPSK(palTLSConfHandle_t palTLSConf, const unsigned char *identity, uint32_t maxIdentityLenInBytes,
                       const unsigned char *psk, uint32_t maxPskLenInBytes)
{
    (void)palTLSConf, (void)identity, (void)maxIdentityLenInBytes, (void)psk, (void)maxPskLenInBytes;
    return pal_plat_layerTls(__func__);
}

palStatus_t pal_tlsSetSocket(palTLSConfHandle_t palTLSConf, palTLSSocket_t *socket)
{
    (void)palTLSConf, (void)socket;
    return pal_plat_layerTls(__func__);
}

void pal_setDTLSSocketCallback(palTLSConfHandle_t palTLSConf, palSocketCallback_f callback, void *argument)
{
    (void)palTLSConf, (void)callback, (void)argument;
    (void)pal_plat_layerTls(__func__);
}

palStatus_t pal_sslGetVerifyResultExtended(palTLSHandle_t palTLSHandle, int32_t *verifyResult)
{
    (void)palTLSHandle, (void)verifyResult;
    return pal_plat_layerTls(__func__);
}

void pal_enableSslSessionStoring(palTLSConfHandle_t palTLSConf, bool enable)
{
    (void)palTLSConf, (void)enable;
    (void)pal_plat_layerTls(__func__);
}

palStatus_t pal_sslSetDebugging(palTLSConfHandle_t palTLSConf, uint8_t turnOn)
{
    (void)palTLSConf, (void)turnOn;
    return pal_plat_layerTls(__func__);
}
