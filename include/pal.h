/* The socket and TLS functions of the client's platform abstraction layer (PAL), for programs that have no PAL headers of their own.
 *
 * Made from src/ffi/pal by cbindgen: change it there, then run `script/header`.
 * SPDX-License-Identifier: Apache-2.0
 */
#undef MBED_CLOUD_CONNECTIVITY_PAL_IS_THE_CLIENTS /* what another copy of this file has found */
#if defined(__has_include_next)
#if __has_include_next(<pal.h>)
#define MBED_CLOUD_CONNECTIVITY_PAL_IS_THE_CLIENTS
#endif
#endif

#ifdef MBED_CLOUD_CONNECTIVITY_PAL_IS_THE_CLIENTS
/* The client's own pal.h stands behind this one in the search path: it is the one that is meant. The pragma: -Wpedantic objects to the line. */
#pragma GCC system_header
#include_next <pal.h>
#elif !defined(MBED_CLOUD_CONNECTIVITY_PAL_H)
#define MBED_CLOUD_CONNECTIVITY_PAL_H

/* The version of the lookups: define it as the library was configured. */
#ifndef PAL_DNS_API_VERSION
#define PAL_DNS_API_VERSION 0
#endif
#if PAL_DNS_API_VERSION == 0
#define MCC_PAL_DNS_API_VERSION_0
#elif PAL_DNS_API_VERSION == 1
#define MCC_PAL_DNS_API_VERSION_1
#elif PAL_DNS_API_VERSION == 3
#define MCC_PAL_DNS_API_VERSION_3
#else
#error "PAL_DNS_API_VERSION is 0, 1 or 3"
#endif

/* No interface in particular. */
#define PAL_NET_DEFAULT_INTERFACE 0xFFFFFFFF
/* The room for an interface's name, with the NUL that ends it. */
#define PAL_NET_MAX_IF_NAME_LENGTH 16


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of an address of IPv4, in network order. */
typedef uint8_t palIpV4Addr_t[4];
/* Bytes of an address of IPv6, in network order. */
typedef uint8_t palIpV6Addr_t[16];

// The state of an interface.
typedef enum {
    // It has no link or no address any more.
    PAL_NETWORK_STATUS_DISCONNECTED = 0,
    // It has a link and an address.
    PAL_NETWORK_STATUS_CONNECTED = 1,
} palNetworkStatus_t;

// The result of a call.
typedef enum {
    // Success.
    PAL_SUCCESS = 0,
    // A failure that no other number names; also a fault of this library.
    PAL_ERR_GENERIC_FAILURE = -16,
    // An argument that cannot be: a null pointer that must not be, an index that is not registered.
    PAL_ERR_INVALID_ARGUMENT = -15,
    // Memory has run out.
    PAL_ERR_NO_MEMORY = -14,
    // The buffer given is too small.
    PAL_ERR_BUFFER_TOO_SMALL = -13,
    // This is not supported here.
    PAL_ERR_NOT_SUPPORTED = -12,
    // The time for it is over, that of a connect among others.
    PAL_ERR_TIMEOUT_EXPIRED = -11,
    // `pal_plat_socketsInit` was not called.
    PAL_ERR_NOT_INITIALIZED = -10,
    // A pointer is null.
    PAL_ERR_NULL_POINTER = -9,
    // The system gave no thread.
    PAL_ERR_CREATION_FAILED = -8,
    // The end of a file.
    PAL_ERR_END_OF_FILE = -7,
    // This is not implemented.
    PAL_ERR_NOT_IMPLEMENTED = -64,
    // What was asked for is not there, such as an interface without an address.
    PAL_ERR_ITEM_NOT_EXIST = -63,
    // A thread's priority cannot be.
    PAL_ERR_RTOS_PRIORITY = -3964,
    // An error of a socket that no other number names.
    PAL_ERR_SOCKET_GENERIC = -65536,
    // The system has no buffer or memory left.
    PAL_ERR_SOCKET_NO_BUFFERS = -65535,
    // No way leads to the host or its network.
    PAL_ERR_SOCKET_HOST_UNREACHABLE = -65534,
    // The connect goes on; the callback tells of its end.
    PAL_ERR_SOCKET_IN_PROGRES = -65533,
    // No socket of this layer, or a value that cannot be.
    PAL_ERR_SOCKET_INVALID_VALUE = -65532,
    // Nothing to read, or no room to write: the callback tells when there is.
    PAL_ERR_SOCKET_WOULD_BLOCK = -65531,
    // Another socket has this address.
    PAL_ERR_SOCKET_ADDRESS_IN_USE = -65530,
    // The socket is connected.
    PAL_ERR_SOCKET_ALREADY_CONNECTED = -65529,
    // The connection was aborted.
    PAL_ERR_SOCKET_CONNECTION_ABORTED = -65528,
    // The peer reset the connection, or refused it.
    PAL_ERR_SOCKET_CONNECTION_RESET = -65527,
    // The socket is not connected.
    PAL_ERR_SOCKET_NOT_CONNECTED = -65526,
    // An error of input or output.
    PAL_ERR_SOCKET_INPUT_OUTPUT_ERROR = -65525,
    // The peer has closed its side, and everything that it sent was read.
    PAL_ERR_SOCKET_CONNECTION_CLOSED = -65524,
    // The socket could not be made non-blocking.
    PAL_ERR_SOCKET_FAILED_TO_SET_SOCKET_TO_NON_BLOCKING = -65523,
    // The address is not of the family wanted, or of none that is known.
    PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY = -65522,
    // This device does not have this address.
    PAL_ERR_SOCKET_INVALID_ADDRESS = -65521,
    // The name has no address, or could not be looked up.
    PAL_ERR_SOCKET_DNS_ERROR = -65520,
    // An error of DHCP, under the name that it has in the client.
    PAL_ERR_SOCKET_HDCP_ERROR = -65519,
    // An error of authentication.
    PAL_ERR_SOCKET_AUTH_ERROR = -65518,
    // No such option.
    PAL_ERR_SOCKET_OPTION_NOT_SUPPORTED = -65517,
    // The datagram is larger than can be sent.
    PAL_ERR_SOCKET_SEND_BUFFER_TOO_BIG = -65516,
    // The process or the system has no descriptor left.
    PAL_ERR_SOCKET_ALLOCATION_FAILED = -65515,
    // This process may not do that.
    PAL_ERR_SOCKET_OPERATION_NOT_PERMITTED = -65514,
    // The table of interfaces is full (`PAL_MAX_SUPORTED_NET_INTERFACES`).
    PAL_ERR_SOCKET_MAX_NUMBER_OF_INTERFACES_REACHED = -65513,
    // A signal interrupted the call. Never returned: such calls are repeated.
    PAL_ERR_SOCKET_INTERRUPTED = -65512,
    // TLS could not be initialised.
    PAL_ERR_TLS_INIT = -1048576,
    // TLS lacks a resource, such as memory.
    PAL_ERR_TLS_RESOURCE = -1048575,
    // A TLS configuration could not be made.
    PAL_ERR_TLS_CONFIG_INIT = -1048574,
    // The TLS object was not initialised.
    PAL_ERR_TLS_CONTEXT_NOT_INITIALIZED = -1048573,
    // The cipher suite is not supported.
    PAL_ERR_TLS_INVALID_CIPHER = -1048572,
    // TLS waits for something to read.
    PAL_ERR_TLS_WANT_READ = -1048571,
    // TLS waits for room to write.
    PAL_ERR_TLS_WANT_WRITE = -1048570,
    // The peer began a new session under the same address.
    PAL_ERR_TLS_CLIENT_RECONNECT = -1048569,
    // TLS does not take this input.
    PAL_ERR_TLS_BAD_INPUT_DATA = -1048568,
    // A DTLS hello has to be repeated with a cookie.
    PAL_ERR_TLS_HELLO_VERIFY_REQUIRED = -1048567,
    // A certificate does not parse.
    PAL_ERR_TLS_FAILED_TO_PARSE_CERT = -1048566,
    // A key does not parse.
    PAL_ERR_TLS_FAILED_TO_PARSE_KEY = -1048565,
    // The certificate was not accepted.
    PAL_ERR_TLS_FAILED_TO_SET_CERT = -1048564,
    // The peer ended TLS in order.
    PAL_ERR_TLS_PEER_CLOSE_NOTIFY = -1048563,
    // A handshake goes on already.
    PAL_ERR_TLS_MULTIPLE_HANDSHAKE = -1048562,
    // The time for the TLS handshake is over.
    PAL_ERR_TLS_TIMEOUT = -1048561,
    // The peer speaks no version of TLS that is enabled.
    PAL_ERR_TLS_SSL_VERSION_MISMATCH = -1048560,
    // A certificate could not be read.
    PAL_ERR_CERT_PARSING_FAILED = -16777215,
    // A certificate has an unknown object identifier.
    PAL_ERR_X509_UNKNOWN_OID = -16777192,
    // A certificate has a name that cannot be.
    PAL_ERR_X509_INVALID_NAME = -16777191,
    // The clock could not be handed to TLS.
    PAL_ERR_FAILED_SET_TIME_CB = -16777167,
    // The peer's certificate was not accepted.
    PAL_ERR_X509_CERT_VERIFY_FAILED = -16777165,
    // The peer ended TLS with a fatal alert.
    PAL_ERR_SSL_FATAL_ALERT_MESSAGE = -16777156,
    // The certificate has expired.
    PAL_ERR_X509_BADCERT_EXPIRED = -536870911,
    // The certificate is not valid yet.
    PAL_ERR_X509_BADCERT_FUTURE = -536870910,
    // The certificate is signed with a hash that is not accepted.
    PAL_ERR_X509_BADCERT_BAD_MD = -536870908,
    // The certificate is signed with an algorithm that is not accepted.
    PAL_ERR_X509_BADCERT_BAD_PK = -536870904,
    // The certificate does not lead to a CA that is trusted.
    PAL_ERR_X509_BADCERT_NOT_TRUSTED = -536870896,
    // The certificate has a key that is not accepted.
    PAL_ERR_X509_BADCERT_BAD_KEY = -536870880,
} palError_t;

// The family of an address.
typedef enum {
    // None, or any.
    PAL_AF_UNSPEC = 0,
    // IPv4.
    PAL_AF_INET = 2,
    // IPv6.
    PAL_AF_INET6 = 10,
} palSocketDomain_t;

// The kind of a socket.
typedef enum {
    // TCP.
    PAL_SOCK_STREAM = 1,
    // UDP.
    PAL_SOCK_DGRAM = 2,
    // TCP that will listen. The same as the first.
    PAL_SOCK_STREAM_SERVER = 99,
} palSocketType_t;

// An option of a socket.
typedef enum {
    // A flag: an address can be bound while old connections of it linger.
    PAL_SO_REUSEADDR = 4,
    // A flag: TCP's own keepalive.
    PAL_SO_KEEPALIVE = 8,
    // Seconds of silence before its first probe.
    PAL_SO_KEEPIDLE = 9,
    // Seconds between two probes.
    PAL_SO_KEEPINTVL = 16,
    // Milliseconds that a blocking call sends; 0: for ever. The sockets of this layer do not block.
    PAL_SO_SNDTIMEO = 4101,
    // Milliseconds that a blocking call receives; 0: for ever.
    PAL_SO_RCVTIMEO = 4102,
    // The hop limit of multicast over IPv6, 0 to 255; -1: the system's default. Of the level `PAL_SOL_IPPROTO_IPV6`.
    PAL_SO_IPV6_MULTICAST_HOPS = 4103,
    // The traffic class of IPv6, 0 to 255; -1: the system's default. Of the level `PAL_SOL_IPPROTO_IPV6`.
    PAL_SO_IPV6_TRAFFIC_CLASS = 4104,
} palSocketOptionName_t;

// What an option belongs to.
typedef enum {
    // The socket.
    PAL_SOL_SOCKET = 0,
    // IPv6.
    PAL_SOL_IPPROTO_IPV6 = 1,
} palSocketOptionLevelName_t;

// What carries the records.
typedef enum {
    // TLS, over TCP.
    PAL_TLS_MODE = 0,
    // DTLS, over UDP.
    PAL_DTLS_MODE = 1,
} palTLSTransportMode_t;

// What a function returns: one of `palError_t`.
typedef int32_t palStatus_t;

// An address: what `struct sockaddr_in` or `struct sockaddr_in6` holds, from its beginning, the port in network order.
typedef struct {
    // One of `palSocketDomain_t`.
    unsigned short addressType;
    // The rest of the structure, from its third byte on.
    char addressData[32];
} palSocketAddress_t;

// The name of an interface and an address of it.
typedef struct {
    // Its name, which ends with NUL.
    char interfaceName[16];
    // Its address, with port 0.
    palSocketAddress_t address;
    // The size of what the address holds: 16 for IPv4, 28 for IPv6.
    uint32_t addressSize;
} palNetInterfaceInfo_t;

// Tells of a change of an interface. Called from the layer's own thread.
typedef void (*connectionStatusCallback)(palNetworkStatus_t status, void *client_arg);

// The size of an address in bytes.
typedef uint32_t palSocketLength_t;

#if defined(MCC_PAL_DNS_API_VERSION_3)
// What an answer points to. Its content means nothing to the application.
typedef void *palAddressInfo_t;
#endif

#if defined(MCC_PAL_DNS_API_VERSION_1)
// Takes the answer to a lookup, on the layer's own thread. `hostname` is gone when it returns.
typedef void (*palGetAddressInfoAsyncCallback_t)(const char *hostname,
                                                 palSocketAddress_t *address,
                                                 palSocketLength_t *addressLength,
                                                 palStatus_t status,
                                                 void *callbackArgument);
#endif

#if defined(MCC_PAL_DNS_API_VERSION_3)
// Takes the answer to a lookup, on the layer's own thread. `hostname` is gone when it returns. `addrInfo` is null unless the status is
// `PAL_SUCCESS`, and is the application's until `pal_freeAddrInfo`.
typedef void (*palGetAddressInfoAsyncCallback_t)(const char *hostname,
                                                 palAddressInfo_t *addrInfo,
                                                 palStatus_t status,
                                                 void *callbackArgument);
#endif

#if defined(MCC_PAL_DNS_API_VERSION_3)
// A lookup. 0 is none.
typedef size_t palDNSQuery_t;
#endif

// A socket: the number of its descriptor, in a pointer that is never followed. `(void *)-1` after it was closed; 0 is no socket.
typedef void *palSocket_t;

// Tells of a condition of a socket: something to read, room to write after there was none, the end of a connect, the peer's end, an
// error. Called from the layer's own thread, with the argument that was given with it. Any function may be called from it.
typedef void (*palAsyncSocketCallback_t)(void *argument);

// A configuration. 0 is none.
typedef size_t palTLSConfHandle_t;

// What the records go over.
typedef struct {
    // A socket of this layer.
    palSocket_t socket;
    // The peer's address; null with a connected socket.
    palSocketAddress_t *socketAddress;
    // Its size: 16 (IPv4) or 28 (IPv6) and more.
    palSocketLength_t addressLength;
    // One of `palTLSTransportMode_t`, that of the configuration.
    palTLSTransportMode_t transportationMode;
} palTLSSocket_t;

// Tells that a retransmission is due: call `pal_handShake` again. From the layer's own thread, with the argument that was given.
typedef void (*palSocketCallback_f)(void *argument);

// Bytes that are only read.
typedef struct {
    // The first of them.
    const void *buffer;
    // How many.
    uint32_t size;
} palTLSBuffer_t;

// A certificate or several, DER or PEM. What follows one in DER is not looked at.
typedef palTLSBuffer_t palX509_t;

// A list of revoked certificates, DER or PEM.
typedef palTLSBuffer_t palX509CRL_t;

// A private key: SEC 1 or PKCS#8, DER or PEM. What follows it in DER is not looked at.
typedef palTLSBuffer_t palPrivateKey_t;

// A session. 0 is none.
typedef size_t palTLSHandle_t;

// Gives random bytes: at most `len` of them to `output`, how many to `olen`; 0 for success. The first argument is null.
typedef int (*palEntropySource_f)(void *data, unsigned char *output, size_t len, size_t *olen);

// The first number of the errors of sockets.
#define PAL_ERR_SOCKET_ERROR_BASE -65536

// The first number of the errors of TLS.
#define PAL_ERR_TLS_ERROR_BASE -1048576

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Sets the address to this one of IPv4, four bytes in network order, and its family. The port stays.
//
// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null).
palStatus_t pal_setSockAddrIPV4Addr(palSocketAddress_t *address, uint8_t *ipV4Addr);

// Sets the address to this one of IPv6, sixteen bytes in network order, and its family. Port, flow information and scope stay.
//
// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null).
palStatus_t pal_setSockAddrIPV6Addr(palSocketAddress_t *address,
                                    uint8_t *ipV6Addr);

// Sets the address to that of an IPv4 host behind a NAT64, in the well-known prefix `64:ff9b::/96` (RFC 6052 section 2.1), and its
// family to IPv6. Port, flow information and scope stay.
//
// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null).
palStatus_t pal_setSockAddrNAT64Addr(palSocketAddress_t *address,
                                     uint8_t *ipV4Addr);

// Sets the port, in the host's order. The family has to be set before.
//
// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY`.
palStatus_t pal_setSockAddrPort(palSocketAddress_t *address, uint16_t port);

// Reads the port, in the host's order.
//
// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY`.
palStatus_t pal_getSockAddrPort(const palSocketAddress_t *address, uint16_t *port);

// Reads an address of IPv4, four bytes in network order.
//
// Any thread. Errors: `PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY` (looked at before `ipV4Addr`), `PAL_ERR_INVALID_ARGUMENT` (null).
palStatus_t pal_getSockAddrIPV4Addr(const palSocketAddress_t *address,
                                    uint8_t *ipV4Addr);

// Reads an address of IPv6, sixteen bytes in network order.
//
// Any thread. Errors: `PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY` (looked at before `ipV6Addr`), `PAL_ERR_INVALID_ARGUMENT` (null).
palStatus_t pal_getSockAddrIPV6Addr(const palSocketAddress_t *address,
                                    uint8_t *ipV6Addr);

// The round-trip time to expect, in seconds: `PAL_DEFAULT_RTT_ESTIMATE`, 3 unless configured. Any thread.
uint8_t pal_getRttEstimate(void);

// The seconds to leave between messages, for `data_amount` KiB: what `pal_setFixedStaggerEstimate` has set, else
// `PAL_DEFAULT_STAGGER_ESTIMATE`, 0 unless configured; the amount makes no difference. Any thread.
uint16_t pal_getStaggerEstimate(uint16_t data_amount);

// Sets what `pal_getStaggerEstimate` gives, in seconds. Any thread.
void pal_setFixedStaggerEstimate(uint16_t stagger_estimate);

// Registers an interface and gives the index that it is known by. The same interface has the same index.
//
// The context is the name of the interface, which need not exist yet: up to 15 bytes and a NUL. It is copied. Null, or four bytes 0xFF
// (the number `0xFFFFFFFF` in place of a name), mean the default interface. `*interfaceIndex` is written on success only. Any thread.
//
// Errors: `PAL_ERR_INVALID_ARGUMENT` (null index, an empty or longer name), `PAL_ERR_SOCKET_MAX_NUMBER_OF_INTERFACES_REACHED` (the
// table holds `PAL_MAX_SUPORTED_NET_INTERFACES`, 1 unless configured).
palStatus_t pal_registerNetworkInterface(void *networkInterfaceContext,
                                         uint32_t *interfaceIndex);

// Takes an interface off the table. Its status callback does not run when this returns, and will not begin, unless this is that
// callback. Sockets are not touched. Any thread.
//
// Errors: `PAL_ERR_INVALID_ARGUMENT` (an index that is not registered).
palStatus_t pal_unregisterNetworkInterface(uint32_t interfaceIndex);

// Tells how many interfaces are registered. Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null).
palStatus_t pal_getNumberOfNetInterfaces(uint32_t *numInterfaces);

// Tells an interface's name and address as they are now: an address of IPv4 before one of IPv6, one that reaches beyond the link
// before one that does not. The default interface (`0xFFFFFFFF`, or registered as such) is the one of the default route, else the
// first that is up. `*interfaceInfo` is written on success only. Any thread.
//
// Errors: `PAL_ERR_INVALID_ARGUMENT` (null, or an index that is not registered), `PAL_ERR_ITEM_NOT_EXIST` (there is no such interface
// at the moment, or it has no address), those of getifaddrs(3).
palStatus_t pal_getNetInterfaceInfo(uint32_t interfaceNum,
                                    palNetInterfaceInfo_t *interfaceInfo);

// Has `callback` called, with `client_arg`, when an interface gets a link and an address, or loses them.
//
// Only after `mcc_pal_enable_connection_status(true)`; without it the answer is `PAL_ERR_NOT_SUPPORTED`, which the client expects.
// `PAL_NETWORK_STATUS_CONNECTED` is told when the interface gets a link and an address, and once more when it gets its first address
// that reaches beyond the link; `PAL_NETWORK_STATUS_DISCONNECTED` when it loses what was told. What is the case at the time of this
// call is not told. A callback takes the place of the one before, which stays where this fails. The default interface is the one of the default route, else the first that is up but loopback, at each change.
//
// A null callback ends it, and so do `pal_unregisterNetworkInterface` and `pal_plat_socketsTerminate`: when they return it does not run
// and will not begin, unless they are called from it. The callback comes from the layer's own thread. Any thread.
//
// Errors: `PAL_ERR_NOT_SUPPORTED`, `PAL_ERR_INVALID_ARGUMENT` (an index that is not registered), `PAL_ERR_NOT_INITIALIZED`,
// `PAL_ERR_SOCKET_ALLOCATION_FAILED` (no descriptors), and those of socket(2).
palStatus_t pal_setConnectionStatusCallback(uint32_t interfaceIndex,
                                            connectionStatusCallback callback,
                                            void *client_arg);

#if (defined(MCC_PAL_DNS_API_VERSION_0) || defined(MCC_PAL_DNS_API_VERSION_1))
// Looks a name up, or reads an address that is written as text, and gives one address with port 0: the one that the system's
// resolver puts first, of the families that `PAL_NET_DNS_IP_SUPPORT` allows.
//
// Waits as long as the system's resolver takes. `*addressLength` is written only: 16 for IPv4, 28 for IPv6. Any thread; from a
// callback it holds up all others.
//
// Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_SOCKET_DNS_ERROR`.
palStatus_t pal_getAddressInfo(const char *hostname,
                               palSocketAddress_t *address,
                               palSocketLength_t *addressLength);
#endif

#if defined(MCC_PAL_DNS_API_VERSION_1)
// Looks a name up as `pal_getAddressInfo` does, without waiting: `callback` is called once, with `PAL_SUCCESS` or
// `PAL_ERR_SOCKET_DNS_ERROR`, never within this call. `pal_plat_socketsTerminate` before that cancels it.
//
// The name is copied. `address` and `addressLength` are written before the callback, on success, and have to last until then.
// Any thread.
//
// Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_NOT_INITIALIZED`, `PAL_ERR_SOCKET_DNS_ERROR` (not UTF-8),
// `PAL_ERR_SOCKET_NO_BUFFERS` (no memory).
palStatus_t pal_getAddressInfoAsync(const char *hostname,
                                    palSocketAddress_t *address,
                                    palSocketLength_t *addressLength,
                                    palGetAddressInfoAsyncCallback_t callback,
                                    void *callbackArgument);
#endif

#if defined(MCC_PAL_DNS_API_VERSION_3)
// Looks a name up without waiting, or reads an address that is written as text: `callback` is called once, with all addresses of
// the families that `PAL_NET_DNS_IP_SUPPORT` allows, unless the lookup is cancelled first. It is never called within this call.
//
// The name is copied. `*queryHandle`, which is not 0, is written before the callback can run. `pal_plat_socketsTerminate` cancels
// the lookup too. Any thread.
//
// Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_NOT_INITIALIZED`, `PAL_ERR_SOCKET_DNS_ERROR` (not UTF-8),
// `PAL_ERR_SOCKET_NO_BUFFERS` (no memory).
palStatus_t pal_getAddressInfoAsync(const char *hostname,
                                    palGetAddressInfoAsyncCallback_t callback,
                                    void *callbackArgument,
                                    palDNSQuery_t *queryHandle);
#endif

#if defined(MCC_PAL_DNS_API_VERSION_3)
// Cancels a lookup: when this returns, its callback does not run and will not begin, unless this is that callback. 0 and the
// handle of a lookup that is over do nothing. Any thread. Always `PAL_SUCCESS`.
palStatus_t pal_cancelAddressInfoAsync(palDNSQuery_t queryHandle);
#endif

#if defined(MCC_PAL_DNS_API_VERSION_3)
// Gives a handle back; a lookup that is not answered is cancelled, as by `pal_cancelAddressInfoAsync`. 0 and a handle that was given
// back do nothing. What the callback was given stays. Any thread. Always `PAL_SUCCESS`.
palStatus_t pal_free_addressinfoAsync(palDNSQuery_t handle);
#endif

#if defined(MCC_PAL_DNS_API_VERSION_3)
// How many addresses an answer has; 0 for null and for one that was freed. Any thread.
int pal_getDNSCount(palAddressInfo_t *addrInfo);
#endif

#if defined(MCC_PAL_DNS_API_VERSION_3)
// Gives one address of an answer, counted from 0, with port 0. `*addr` is written on success only. Any thread.
//
// Errors: `PAL_ERR_INVALID_ARGUMENT` (null, an answer that was freed, an index behind the last).
palStatus_t pal_getDNSAddress(palAddressInfo_t *addrInfo,
                              uint16_t index,
                              palSocketAddress_t *addr);
#endif

#if defined(MCC_PAL_DNS_API_VERSION_3)
// Frees an answer. Null, and one that was freed, do nothing. Any thread.
void pal_freeAddrInfo(palAddressInfo_t *addrInfo);
#endif

// Sets an option of the level `PAL_SOL_SOCKET`: see `palSocketOptionName_t`.
//
// The value is an `int`, of whose bytes `optionLength` counts at least four; what is beyond is not looked at. Any thread.
//
// Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_SOCKET_INVALID_VALUE` (no socket, a length below 4, a value out of range),
// `PAL_ERR_SOCKET_OPTION_NOT_SUPPORTED` (no such option at this level), and those of setsockopt(2).
palStatus_t pal_setSocketOptions(palSocket_t socket,
                                 int optionName,
                                 const void *optionValue,
                                 palSocketLength_t optionLength);

// Sets an option of a level: see `palSocketOptionName_t`.
//
// At the level `PAL_SOL_IPPROTO_IPV6` the value is an `int16_t` (a length of 2 or 3) or an `int`; at `PAL_SOL_SOCKET` as with
// `pal_setSocketOptions`. Any thread.
//
// Errors: those of `pal_setSocketOptions`, and `PAL_ERR_NOT_SUPPORTED` (an option of IPv6 on a socket of IPv4).
palStatus_t pal_setSocketOptionsWithLevel(palSocket_t socket,
                                          palSocketOptionLevelName_t optionLevel,
                                          int optionName,
                                          const void *optionValue,
                                          palSocketLength_t optionLength);

// Starts the layer: one thread, from which all callbacks come, and which blocks all signals. `context` is not looked at.
//
// Any thread, any number of times: what runs already goes on. Sockets from before an earlier end stay usable, but call back no more.
// A child of fork(2) has sockets like those, and no layer until it starts one; what it does leaves its parent's layer alone.
//
// Errors: `PAL_ERR_SOCKET_ALLOCATION_FAILED` (no descriptors), `PAL_ERR_SOCKET_NO_BUFFERS`, `PAL_ERR_CREATION_FAILED` (no thread).
palStatus_t pal_plat_socketsInit(void *context);

// Ends the layer, however often it was started, and gives back its thread and descriptors. `context` is not looked at.
//
// When this returns, no callback of a socket, a lookup or an interface runs, and none will begin; from a callback, that callback
// alone goes on, and the thread ends after it, for which the next call from elsewhere waits. Lookups that are not answered are
// cancelled. Sockets stay open: they can be used and closed. Any thread, any number of times. Always `PAL_SUCCESS`.
palStatus_t pal_plat_socketsTerminate(void *context);

// Makes a socket, as `pal_asynchronousSocketWithArgument` does, whose callback gets a null argument. Any thread.
//
// Errors: those of `pal_asynchronousSocketWithArgument`.
palStatus_t pal_asynchronousSocket(palSocketDomain_t domain,
                                   palSocketType_t type,
                                   bool nonBlockingSocket,
                                   uint32_t interfaceNum,
                                   palAsyncSocketCallback_t callback,
                                   palSocket_t *socket);

// Makes a socket that does not block, and calls `callback` with `callbackArgument` on each new condition: something to read, room to
// write after `PAL_ERR_SOCKET_WOULD_BLOCK`, the end of a connect, the peer's end, an error.
//
// A condition is told once. It is told again after the caller has read, written, accepted or connected until it was told
// `PAL_ERR_SOCKET_WOULD_BLOCK`; several may share a callback. The callback comes from the layer's own thread, and may call any
// function, `pal_close` of its own socket included. The argument has to last until `pal_close` returns.
//
// `nonBlockingSocket` has to be true. `interfaceNum` may be any number: sockets are not bound to an interface. `*socket` is written
// on success only; the caller closes it by `pal_close`. Its number is 3 or more, and it is closed on exec. Any thread.
//
// Errors: `PAL_ERR_INVALID_ARGUMENT` (null callback or socket, or blocking), `PAL_ERR_NOT_INITIALIZED`,
// `PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY` (domain), `PAL_ERR_SOCKET_INVALID_VALUE` (type), `PAL_ERR_SOCKET_ALLOCATION_FAILED` (no
// descriptors), `PAL_ERR_SOCKET_NO_BUFFERS`, and those of socket(2).
palStatus_t pal_asynchronousSocketWithArgument(palSocketDomain_t domain,
                                               palSocketType_t type,
                                               bool nonBlockingSocket,
                                               uint32_t interfaceNum,
                                               palAsyncSocketCallback_t callback,
                                               void *callbackArgument,
                                               palSocket_t *socket);

// Closes a socket and sets the caller's variable to `(void *)-1`.
//
// When this returns, the socket's callback does not run and will not begin; from within that callback, it goes on to its end. Closing
// what holds `(void *)-1` or 0 closes nothing and is success. Any thread.
//
// Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_SOCKET_INVALID_VALUE` (no socket of this layer: nothing is closed).
palStatus_t pal_close(palSocket_t *socket);

// Tells whether calls on the socket return at once. Any thread. `*isNonBlocking` is written on success only.
//
// Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_SOCKET_INVALID_VALUE` (no socket).
palStatus_t pal_isNonBlocking(palSocket_t socket, bool *isNonBlocking);

// Gives the socket an address of this device. A length of 16 (IPv4) or 28 (IPv6) and more is taken. Any thread.
//
// Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_SOCKET_INVALID_VALUE` (no socket, a length too short, bound already),
// `PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY`, `PAL_ERR_SOCKET_ADDRESS_IN_USE`, `PAL_ERR_SOCKET_INVALID_ADDRESS` (not of this device),
// `PAL_ERR_SOCKET_OPERATION_NOT_PERMITTED`, and those of bind(2).
palStatus_t pal_bind(palSocket_t socket,
                     palSocketAddress_t *myAddress,
                     palSocketLength_t addressLength);

// Lets a TCP socket take connections, of which `backlog` may wait: the callback tells of them. Any thread.
//
// Errors: `PAL_ERR_SOCKET_INVALID_VALUE` (no socket), `PAL_ERR_SOCKET_ADDRESS_IN_USE`, `PAL_ERR_SOCKET_GENERIC` (a datagram socket),
// and those of listen(2).
palStatus_t pal_listen(palSocket_t socket,
                       int backlog);

// Takes a connection that waits: a socket like those of `pal_asynchronousSocketWithArgument`, with this callback.
//
// `*addressLen` has to be 34 at least, the size of the structure, and is 34 afterwards; `*address` is where the connection comes
// from. All three are written on success only. Accept until `PAL_ERR_SOCKET_WOULD_BLOCK`. Any thread.
//
// Errors: `PAL_ERR_INVALID_ARGUMENT` (null, or room for less than 34 bytes), `PAL_ERR_NOT_INITIALIZED`,
// `PAL_ERR_SOCKET_INVALID_VALUE` (no socket, or it does not listen), `PAL_ERR_SOCKET_WOULD_BLOCK` (none waits),
// `PAL_ERR_SOCKET_ALLOCATION_FAILED` (no descriptors: the connection goes on waiting; accept again when some are free), and those of
// accept(2).
palStatus_t pal_accept(palSocket_t socket,
                       palSocketAddress_t *address,
                       palSocketLength_t *addressLen,
                       palSocket_t *acceptedSocket,
                       palAsyncSocketCallback_t callback,
                       void *callbackArgument);

// Connects a TCP socket, or sets the peer of a UDP socket. A length of 16 (IPv4) or 28 (IPv6) and more is taken. Any thread.
//
// With TCP: `PAL_ERR_SOCKET_IN_PROGRES`, and the callback comes when the connection stands or has failed; until then calls say the
// same. The first call after that says `PAL_SUCCESS`, or why it failed; the next ones say `PAL_ERR_SOCKET_ALREADY_CONNECTED`, or
// connect anew.
//
// Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_SOCKET_INVALID_VALUE` (no socket, a length too short),
// `PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY`, `PAL_ERR_SOCKET_CONNECTION_RESET` (refused), `PAL_ERR_TIMEOUT_EXPIRED`,
// `PAL_ERR_SOCKET_HOST_UNREACHABLE`, and those of connect(2).
palStatus_t pal_connect(palSocket_t socket,
                        const palSocketAddress_t *address,
                        palSocketLength_t addressLen);

// Receives from a connected socket: what there is of a stream, or one datagram.
//
// `*recievedDataSize` is written on success, and is 0 with `PAL_ERR_SOCKET_CONNECTION_CLOSED`, the end of a stream. Of a datagram
// longer than the buffer the first `len` bytes are success, and the rest is dropped, which the log tells. Any thread.
//
// Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_SOCKET_INVALID_VALUE` (no socket), `PAL_ERR_SOCKET_WOULD_BLOCK` (nothing now:
// the callback tells when there is), `PAL_ERR_SOCKET_CONNECTION_CLOSED`, `PAL_ERR_SOCKET_CONNECTION_RESET`,
// `PAL_ERR_SOCKET_NOT_CONNECTED`, and those of recv(2).
palStatus_t pal_recv(palSocket_t socket,
                     void *buf,
                     size_t len,
                     size_t *recievedDataSize);

// Receives as `pal_recv` does, and tells where it comes from.
//
// `from` and `fromLength` may be null. `*fromLength` is written only: 16 for IPv4, 28 for IPv6, 0 where the sender is not told, as on
// a stream. Any thread. Errors: those of `pal_recv`.
palStatus_t pal_receiveFrom(palSocket_t socket,
                            void *buffer,
                            size_t length,
                            palSocketAddress_t *from,
                            palSocketLength_t *fromLength,
                            size_t *bytesReceived);

// Sends on a connected socket: what there is room for on a stream, or one datagram.
//
// `*sentDataSize` is written on success only, and may be less than `len` on a stream: the callback tells when there is room for more.
// No SIGPIPE is raised. Any thread.
//
// Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_SOCKET_INVALID_VALUE` (no socket), `PAL_ERR_SOCKET_WOULD_BLOCK` (no room: the
// callback tells when there is), `PAL_ERR_SOCKET_CONNECTION_RESET`, `PAL_ERR_SOCKET_SEND_BUFFER_TOO_BIG` (a datagram), and those of
// send(2).
palStatus_t pal_send(palSocket_t socket,
                     const void *buf,
                     size_t len,
                     size_t *sentDataSize);

// Sends one datagram to an address. A length of 16 (IPv4) or 28 (IPv6) and more is taken.
//
// `*bytesSent` is written on success only. On a stream the address is not looked at. Any thread. Errors: those of `pal_send`,
// `PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY` and `PAL_ERR_SOCKET_HOST_UNREACHABLE`.
palStatus_t pal_sendTo(palSocket_t socket,
                       const void *buffer,
                       size_t length,
                       const palSocketAddress_t *to,
                       palSocketLength_t toLength,
                       size_t *bytesSent);

// Makes TLS ready; configurations and sessions do so themselves where it was not called. Where the application has a Mbed TLS of its
// own with a clock that can be replaced (`mbedtls_platform_set_time`), that one gets `pal_osGetTime` for a clock, as it always did.
//
// Any thread, any number of times. Errors: `PAL_ERR_NO_MEMORY`, `PAL_ERR_GENERIC_FAILURE` (the system gives no random bytes).
palStatus_t pal_initTLSLibrary(void);

// Ends nothing: configurations and sessions that are not freed go on, and so does what is kept to be resumed.
//
// Any thread, any number of times. Always `PAL_SUCCESS`.
palStatus_t pal_cleanupTLS(void);

// Not supported, as it never was: use `mcc_log_set`, and `pal_sslSetDebugging` for one configuration.
//
// Any thread. Always `PAL_ERR_NOT_SUPPORTED`.
palStatus_t pal_sslDebugging(uint8_t turnOn);

// Makes an empty configuration, for TLS or DTLS.
//
// What the functions below give to it is copied. They may come in any order, before or after `pal_initTLS`: a session takes what
// stands there at its first `pal_handShake`. `*palTLSConf` is written on success only; `pal_tlsConfigurationFree` frees it.
//
// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null, an unknown mode), `PAL_ERR_NO_MEMORY`.
palStatus_t pal_initTLSConfiguration(palTLSConfHandle_t *palTLSConf,
                                     palTLSTransportMode_t transportationMode);

// Frees a configuration and sets the caller's variable to 0. Its retransmission callback does not run when this returns, and will not
// begin, unless this is that callback.
//
// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null, no configuration, or sessions of it are not freed: free them first).
palStatus_t pal_tlsConfigurationFree(palTLSConfHandle_t *palTLSConf);

// Says what the sessions' records go over: a socket of this layer, and the peer's address. What the pointers lead to is copied.
//
// A DTLS session can be given another socket at any time; with a Connection ID its peer still knows it. Datagrams that do not come
// from the peer's address are not looked at.
//
// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null, no configuration, a mode that is not the configuration's, a socket of the
// other kind), `PAL_ERR_SOCKET_INVALID_VALUE` (no socket of this layer, an address length too short),
// `PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY`.
palStatus_t pal_tlsSetSocket(palTLSConfHandle_t palTLSConf,
                             palTLSSocket_t *socket);

// Has `callback` called with `argument` when a retransmission of a DTLS handshake is due: call `pal_handShake` again then. Without
// one the socket's own callback tells of it. Null ends it: the earlier one does not run when this returns, and will not begin,
// unless this is that callback.
//
// Any thread. Where there is no such configuration nothing happens.
void pal_setDTLSSocketCallback(palTLSConfHandle_t palTLSConf,
                               palSocketCallback_f callback,
                               void *argument);

// Sets the first and the longest time between retransmissions in a DTLS handshake, in milliseconds; 1,000 and 60,000 unless set. When
// the longest one is over too, `pal_handShake` says `PAL_ERR_TLS_TIMEOUT`. TLS retransmits nothing.
//
// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (no configuration, 0, or the first longer than the longest).
palStatus_t pal_setHandShakeTimeOut(palTLSConfHandle_t palTLSConf,
                                    uint32_t minTimeout,
                                    uint32_t maxTimeout);

// Sets whom to trust: CA certificates, and certificates that they have revoked (null: none are). Both are copied.
//
// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null or empty, no configuration), `PAL_ERR_TLS_FAILED_TO_PARSE_CERT`,
// `PAL_ERR_NO_MEMORY`.
palStatus_t pal_setCAChain(palTLSConfHandle_t palTLSConf,
                           palX509_t *caChain,
                           palX509CRL_t *caCRL);

// Fills `*privateKey` with a key's buffer and its size. Nothing is copied or allocated, and nothing has to be freed.
//
// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null, a size that does not fit).
palStatus_t pal_initPrivateKey(const void *buf,
                               size_t buf_size,
                               palPrivateKey_t *privateKey);

// Sets the key of the own certificate. It is copied, and wiped when it is not used any more.
//
// Whether it fits the certificate shows at the first `pal_handShake`. Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null or empty,
// no configuration), `PAL_ERR_TLS_FAILED_TO_PARSE_KEY`, `PAL_ERR_NO_MEMORY`.
palStatus_t pal_setOwnPrivateKey(palTLSConfHandle_t palTLSConf,
                                 palPrivateKey_t *privateKey);

// Adds a certificate to the own chain: the own one first, then each that has signed the one before it. It is copied.
//
// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null or empty, no configuration), `PAL_ERR_TLS_FAILED_TO_PARSE_CERT`,
// `PAL_ERR_NO_MEMORY`.
palStatus_t pal_setOwnCertChain(palTLSConfHandle_t palTLSConf,
                                palX509_t *ownCert);

// Sets a pre-shared key of 1 to 32 bytes and its identity of 1 to 128, which are offered in place of certificates. Both are copied;
// the key is wiped when it is not used any more.
//
// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null, other sizes, no configuration).
palStatus_t pal_setPSK(palTLSConfHandle_t palTLSConf,
                       const unsigned char *identity,
                       uint32_t maxIdentityLenInBytes,
                       const unsigned char *psk,
                       uint32_t maxPskLenInBytes);

// Has sessions kept, and kept ones used: those of TLS to be resumed, those of DTLS with a Connection ID to go on without a handshake.
// Off unless set. Off, for DTLS, also forgets the latest session that is kept in memory.
//
// They are kept by the host's `kcm_item_*` functions where those are linked in, else in memory. Any thread. Where there is no such
// configuration nothing happens.
void pal_enableSslSessionStoring(palTLSConfHandle_t palTLSConf,
                                 bool enable);

// Has the log tell more of a configuration's handshakes: 0 no, else yes. The log is where `mcc_log_set` says.
//
// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (no configuration).
palStatus_t pal_sslSetDebugging(palTLSConfHandle_t palTLSConf, uint8_t turnOn);

// Writes the state of the latest DTLS session with a Connection ID to the host's storage, from where a later process goes on with it;
// without storage it stays in memory, where it is anyway. What was stored is deleted when it is used, and when the session sends
// anything after this: no record number is used twice.
//
// Any thread.
void pal_store_cid(void);

// Forgets the latest DTLS session with a Connection ID, in memory and in the host's storage. A session that uses it goes on, and is
// not kept.
//
// Any thread.
void pal_remove_cid(void);

// Whether there is a DTLS session with a Connection ID that goes on or can go on, in memory or in the host's storage.
//
// Any thread.
bool pal_is_cid_available(void);

// Replaces the Connection ID in the records that an established DTLS session sends, by one of 0 to 32 bytes, which are copied.
//
// Any thread. Nothing happens where there is no such session, where it has no Connection ID, or with another size.
void pal_set_cid_value(palTLSHandle_t palTLSHandle,
                       palTLSConfHandle_t palTLSConf,
                       const uint8_t *data_ptr,
                       size_t data_len);

// Writes the Connection ID of a session to the log. Any thread.
void pal_print_cid(palTLSHandle_t palTLSHandle);

// Adds a source of random bytes, for the rest of the process. It is asked now and whenever the generator is seeded again, from any
// thread, and must not call functions of TLS. Its bytes are mixed with the system's: a source that fails or lies does no harm. The
// same source is added once, however often it is given.
//
// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_GENERIC_FAILURE` (no room for more, which are 18).
palStatus_t pal_addEntropySource(palEntropySource_f entropyCallback);

// Makes a session of a configuration; nothing is sent yet. `is_server_ping`: it only finds out whether the server answers, and never
// goes on with a kept DTLS session.
//
// `*palTLSHandle` is written on success only; `pal_freeTLS` frees the session. Any thread.
//
// Errors: `PAL_ERR_INVALID_ARGUMENT` (null, no configuration), `PAL_ERR_NO_MEMORY`.
palStatus_t pal_initTLS(palTLSConfHandle_t palTLSConf,
                        palTLSHandle_t *palTLSHandle,
                        bool is_server_ping);

// Frees a session and sets the caller's variable to 0.
//
// An established session first says close_notify to its peer, once and without waiting, if its socket is still open; not one that is
// kept, which goes on in a later session. Keys are wiped. Any thread; a call on the session that another thread has begun ends first.
//
// Errors: `PAL_ERR_INVALID_ARGUMENT` (null, no session: 0, freed before, unknown).
palStatus_t pal_freeTLS(palTLSHandle_t *palTLSHandle);

// Goes on with the handshake over the socket of `pal_tlsSetSocket`; on an established session it does nothing. Call it again on each
// callback until it says something other than want-read or want-write.
//
// With `pal_enableSslSessionStoring` a kept session is resumed, and a kept DTLS session with a Connection ID goes on without any
// traffic; not with `skipResume`. Where the server's certificates were good only at the time that the server told, the call that
// finds this out says want-read, and the socket's callback comes; the next call tells that time to the host's clock.
//
// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (no session, not its configuration), `PAL_ERR_TLS_WANT_READ`,
// `PAL_ERR_TLS_WANT_WRITE`, `PAL_ERR_TLS_FAILED_TO_SET_CERT` (own certificate and key do not belong together, or one is missing),
// `PAL_ERR_TLS_BAD_INPUT_DATA` (no socket was set), `PAL_ERR_X509_CERT_VERIFY_FAILED` (`pal_sslGetVerifyResultExtended` tells why),
// `PAL_ERR_SSL_FATAL_ALERT_MESSAGE` (also a connection that was reset), `PAL_ERR_TLS_SSL_VERSION_MISMATCH`, `PAL_ERR_TLS_TIMEOUT`
// (DTLS), `PAL_ERR_NO_MEMORY` (also a certificate larger than the buffers), `PAL_ERR_GENERIC_FAILURE`. After any but the first
// five the session is over, and says the same again.
palStatus_t pal_handShake(palTLSHandle_t palTLSHandle,
                          palTLSConfHandle_t palTLSConf,
                          bool skipResume);

// Reads bytes of one record. Read until want-read: the callback tells of nothing that was there before.
//
// `*actualLen` is written on success only. Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null, no session),
// `PAL_ERR_TLS_WANT_READ`, `PAL_ERR_TLS_WANT_WRITE`, `PAL_ERR_TLS_PEER_CLOSE_NOTIFY`, `PAL_ERR_END_OF_FILE` (the stream ended
// without that; also no room to read to), `PAL_ERR_TLS_BAD_INPUT_DATA` (not established), `PAL_ERR_SSL_FATAL_ALERT_MESSAGE`,
// `PAL_ERR_TIMEOUT_EXPIRED`, `PAL_ERR_NO_MEMORY`, `PAL_ERR_GENERIC_FAILURE`.
palStatus_t pal_sslRead(palTLSHandle_t palTLSHandle,
                        void *buffer,
                        uint32_t len,
                        uint32_t *actualLen);

// Writes bytes as one record. What is more than a record takes is left for the next call on TLS, and refused on DTLS.
//
// After want-write the record is made, and the callback tells when to call again, with the same bytes: they go out once.
// `*bytesWritten` is written on success only. Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null, no session, not its
// configuration), `PAL_ERR_TLS_WANT_WRITE`, `PAL_ERR_TLS_BAD_INPUT_DATA` (not established, other bytes than those that wait, too
// many for a datagram), `PAL_ERR_NO_MEMORY`, `PAL_ERR_GENERIC_FAILURE` (also a socket that was closed).
palStatus_t pal_sslWrite(palTLSHandle_t palTLSHandle,
                         palTLSConfHandle_t palTLSConf,
                         const void *buffer,
                         uint32_t len,
                         uint32_t *bytesWritten);

// Tells why the server's certificates were not accepted: `*verifyResult` is 0, or the `PAL_ERR_X509_BADCERT_*` of all reasons, or-ed.
// A reason that has no such name is `PAL_ERR_X509_BADCERT_NOT_TRUSTED`.
//
// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null, no session), `PAL_ERR_X509_CERT_VERIFY_FAILED` (there is a reason).
palStatus_t pal_sslGetVerifyResultExtended(palTLSHandle_t palTLSHandle,
                                           int32_t *verifyResult);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif
