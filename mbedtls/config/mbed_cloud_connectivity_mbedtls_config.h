/* SPDX-License-Identifier: Apache-2.0
 *
 * The one configuration of Mbed TLS 3.6 in this project. The C sources are compiled with it and the
 * Rust bindings are generated from it. Only what a CoAP client device uses is on: what is off is
 * neither carried nor attacked.
 */
#ifndef MBED_CLOUD_CONNECTIVITY_MBEDTLS_CONFIG_H
#define MBED_CLOUD_CONNECTIVITY_MBEDTLS_CONFIG_H

/* Bignum and AES in assembly where the processor has it: a handshake takes a fraction of the time. */
#define MBEDTLS_HAVE_ASM
#if defined(__x86_64__)
#define MBEDTLS_AESNI_C
#endif
#if defined(__aarch64__)
#define MBEDTLS_AESCE_C
#endif

/* Ticket lifetimes need a clock. MBEDTLS_HAVE_TIME_DATE stays off: validity dates are judged by our
 * verify callback against a time handed in, because this device's clock may never have been set. */
#define MBEDTLS_HAVE_TIME

/* Sessions run on several threads at once and TLS 1.3 shares PSA's key slots between them. */
#define MBEDTLS_THREADING_C
#define MBEDTLS_THREADING_PTHREAD

/* Random numbers: the kernel's entropy into a counter DRBG, reached through PSA only. */
#define MBEDTLS_ENTROPY_C
#define MBEDTLS_CTR_DRBG_C
#define MBEDTLS_PSA_CRYPTO_C
/* As many keys as there is memory for: each handshake of TLS 1.3 holds some, and 32 are all that there are otherwise. */
#define MBEDTLS_PSA_KEY_STORE_DYNAMIC

/* Deterministic nonces keep the device's signing key safe where entropy is poor (needs HMAC-DRBG). */
#define MBEDTLS_ECDSA_DETERMINISTIC
#define MBEDTLS_HMAC_DRBG_C

/* Hashes. No MD5, no SHA-1: nothing that is still accepted is signed with them. */
#define MBEDTLS_MD_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C
/* The key schedule of TLS 1.3. */
#define MBEDTLS_HKDF_C

/* Ciphers: the AEADs of the suites that the service and stock servers speak. */
#define MBEDTLS_CIPHER_C
#define MBEDTLS_AES_C
#define MBEDTLS_ARIA_C
#define MBEDTLS_CCM_C
#define MBEDTLS_GCM_C
/* CBC opens private keys that are stored encrypted (PBES2); no suite with it is ever offered. */
#define MBEDTLS_CIPHER_MODE_CBC
#define MBEDTLS_CIPHER_PADDING_PKCS7
#define MBEDTLS_PKCS5_C

/* Elliptic curves: P-256 for the service, the rest for stock servers. */
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_DP_SECP521R1_ENABLED
#define MBEDTLS_ECP_DP_CURVE25519_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM

/* RSA signatures: most public certificate chains end in an RSA root. Key transport stays off. */
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V15
#define MBEDTLS_PKCS1_V21
#define MBEDTLS_X509_RSASSA_PSS_SUPPORT

/* Keys and certificates, DER and PEM, with revocation lists. */
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_OID_C
#define MBEDTLS_BASE64_C
#define MBEDTLS_PEM_PARSE_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_PK_PARSE_EC_COMPRESSED
/* PSA exports public keys in this form; nothing else writes keys. */
#define MBEDTLS_PK_WRITE_C
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_CRL_PARSE_C
/* Verdicts are put into words in Rust. */
#define MBEDTLS_X509_REMOVE_INFO

/* TLS: client only. */
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_COMPATIBILITY_MODE
#define MBEDTLS_KEY_EXCHANGE_PSK_ENABLED
#define MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED
#define MBEDTLS_KEY_EXCHANGE_ECDHE_RSA_ENABLED
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_ALL_ALERT_MESSAGES
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_ALPN
#define MBEDTLS_SSL_SESSION_TICKETS
/* TLS 1.3 requires it, and resumed TLS 1.2 sessions can name their peer with it. */
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE

/* Memory: full records of 16 KB are taken, buffers shrink to what was negotiated. */
#define MBEDTLS_SSL_IN_CONTENT_LEN 16384
#define MBEDTLS_SSL_OUT_CONTENT_LEN 16384
#define MBEDTLS_SSL_MAX_FRAGMENT_LENGTH
#define MBEDTLS_SSL_VARIABLE_BUFFER_LENGTH

/* DTLS 1.2 with Connection ID, and contexts that outlive a process. */
#define MBEDTLS_SSL_PROTO_DTLS
#define MBEDTLS_SSL_DTLS_ANTI_REPLAY
#define MBEDTLS_SSL_DTLS_CONNECTION_ID
#define MBEDTLS_SSL_CONTEXT_SERIALIZATION
#define MBEDTLS_SSL_CID_IN_LEN_MAX 32
#define MBEDTLS_SSL_CID_OUT_LEN_MAX 32
/* 1: the extension number 254 and record format of the draft, which the service speaks.
 * 0: number 54 of RFC 9146. The build sets it. */
#if !defined(MBED_CLOUD_CONNECTIVITY_CONNECTION_ID_COMPAT)
#define MBED_CLOUD_CONNECTIVITY_CONNECTION_ID_COMPAT 1
#endif
#define MBEDTLS_SSL_DTLS_CONNECTION_ID_COMPAT MBED_CLOUD_CONNECTIVITY_CONNECTION_ID_COMPAT

/* Offered where the application names no suite: authenticated encryption with forward secrecy first,
 * short tags and pre-shared keys last. Numbers of IANA's registry, in the order of preference. */
#define MBEDTLS_SSL_CIPHERSUITES                                                                  \
    0x1301, 0x1302, 0x1304, 0x1305,                 /* TLS 1.3: AES-GCM, AES-CCM, AES-CCM-8 */    \
    0xC02B, 0xC02C, 0xC0AC, 0xC0AD, 0xC0AE, 0xC0AF, /* ECDHE-ECDSA: AES-GCM, CCM, CCM-8 */        \
    0xC05C, 0xC05D,                                 /* ECDHE-ECDSA: ARIA-GCM */                   \
    0xC02F, 0xC030, 0xC060, 0xC061,                 /* ECDHE-RSA: AES-GCM, ARIA-GCM */            \
    0x00A8, 0x00A9, 0xC0A4, 0xC0A5, 0xC0A8, 0xC0A9, /* PSK: AES-GCM, CCM, CCM-8 */                \
    0xC06A, 0xC06B                                  /* PSK: ARIA-GCM */

/* Notes where there was no memory: not every function of the library says so by its number. */
#include <stddef.h>
void *mbed_cloud_connectivity_calloc(size_t count, size_t size);
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_PLATFORM_CALLOC_MACRO mbed_cloud_connectivity_calloc
#define MBEDTLS_PLATFORM_FREE_MACRO free

/* Errors in words, and the version that was linked. */
#define MBEDTLS_ERROR_C
#define MBEDTLS_VERSION_C

#endif
