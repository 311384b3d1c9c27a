/* SPDX-License-Identifier: Apache-2.0 */
/* The layout as the C compiler sees it, to hold against what bindgen's clang saw. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include "bindings.h"

#define WHOLE(type) { #type, "", sizeof(type) }
#define FIELD(type, field) { #type, #field, offsetof(type, field) }

const mbed_cloud_connectivity_layout mbed_cloud_connectivity_layouts[] = {
    WHOLE(mbedtls_ssl_context),
    FIELD(mbedtls_ssl_context, conf),
    FIELD(mbedtls_ssl_context, in_msg),
    FIELD(mbedtls_ssl_context, in_msglen),
    FIELD(mbedtls_ssl_context, out_left),
    WHOLE(mbedtls_ssl_config),
    WHOLE(mbedtls_ssl_session),
    WHOLE(mbedtls_x509_crt),
    FIELD(mbedtls_x509_crt, raw),
    FIELD(mbedtls_x509_crt, serial),
    FIELD(mbedtls_x509_crt, issuer),
    FIELD(mbedtls_x509_crt, subject),
    FIELD(mbedtls_x509_crt, valid_from),
    FIELD(mbedtls_x509_crt, valid_to),
    FIELD(mbedtls_x509_crt, pk_raw),
    FIELD(mbedtls_x509_crt, pk),
    FIELD(mbedtls_x509_crt, subject_alt_names),
    FIELD(mbedtls_x509_crt, next),
    WHOLE(mbedtls_x509_crl),
    FIELD(mbedtls_x509_crl, raw),
    FIELD(mbedtls_x509_crl, issuer),
    FIELD(mbedtls_x509_crl, this_update),
    FIELD(mbedtls_x509_crl, next_update),
    FIELD(mbedtls_x509_crl, entry),
    FIELD(mbedtls_x509_crl, next),
    WHOLE(mbedtls_x509_name),
    FIELD(mbedtls_x509_name, val),
    FIELD(mbedtls_x509_name, next),
    WHOLE(mbedtls_x509_time),
    WHOLE(mbedtls_pk_context),
};

const size_t mbed_cloud_connectivity_layouts_count =
    sizeof(mbed_cloud_connectivity_layouts) / sizeof(mbed_cloud_connectivity_layouts[0]);
