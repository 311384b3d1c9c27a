/* mbed-cloud-connectivity: connections of Mbed Cloud Client devices that stay up.
 *
 * Where memory has run out, calls that make or send something give MCC_ERR_OUT_OF_MEMORY, and connections wait and try again: nothing
 * aborts. What has begun goes on with a reserve of 128 KiB. Where that does not help, a thread in the library, a caller's included, waits
 * until there is memory again.
 *
 * Made from src/ffi by cbindgen: change it there, then run `script/header`.
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef MBED_CLOUD_CONNECTIVITY_H
#define MBED_CLOUD_CONNECTIVITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The interval that switches keepalive off.
#define MCC_KEEPALIVE_OFF UINT32_MAX

// The most bytes that `mcc_connection_keepalive_state` writes.
#define MCC_KEEPALIVE_STATE_MAX_SIZE 396

// The result of a call, or the reason of an event. A number never changes its meaning; new ones can be added.
//
// `mcc_status_text` gives a sentence with the next step for each.
enum mcc_status_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Success.
    MCC_OK = 0,
    // A pointer that must not be null is null.
    MCC_ERR_NULL_POINTER = 101,
    // A value is out of its range.
    MCC_ERR_INVALID_ARGUMENT = 102,
    // The handle is not one of this library's, is of another kind, or was closed.
    MCC_ERR_INVALID_HANDLE = 103,
    // The message has no bytes.
    MCC_ERR_EMPTY_MESSAGE = 104,
    // The message is longer than this connection can carry.
    MCC_ERR_MESSAGE_TOO_LARGE = 105,
    // The bytes are not one well-formed CoAP message that this connection can carry.
    MCC_ERR_INVALID_MESSAGE = 106,
    // The URI is not of the form `scheme://host:port`.
    MCC_ERR_URI_SYNTAX = 107,
    // The URI's scheme is none of coap, coaps, coap+tcp and coaps+tcp.
    MCC_ERR_URI_SCHEME = 108,
    // The URI has no host, or one that cannot be a name or an address.
    MCC_ERR_URI_HOST = 109,
    // The URI's port is not a number from 1 to 65535.
    MCC_ERR_URI_PORT = 110,
    // The CA certificates do not parse.
    MCC_ERR_CA_INVALID = 111,
    // The certificate revocation list does not parse.
    MCC_ERR_CRL_INVALID = 112,
    // The device's own certificate does not parse, or a key was given without it.
    MCC_ERR_CERTIFICATE_INVALID = 113,
    // The private key does not parse, or a certificate was given without it.
    MCC_ERR_KEY_INVALID = 114,
    // The private key does not belong to the device's own certificate.
    MCC_ERR_KEY_MISMATCH = 115,
    // The pre-shared key or its identity is empty or too long.
    MCC_ERR_PSK_INVALID = 116,
    // Nothing was given to know the server by.
    MCC_ERR_TRUST_MISSING = 117,
    // This combination of scheme, transport and framing is not supported.
    MCC_ERR_UNSUPPORTED = 118,
    // The state for the keepalive is damaged or of another kind.
    MCC_ERR_KEEPALIVE_STATE_INVALID = 119,
    // The object does not take this call as it is.
    MCC_ERR_WRONG_STATE = 201,
    // The context is being processed already, by another thread or by the caller of this callback.
    MCC_ERR_BUSY = 202,
    // The connection was closed by this program.
    MCC_ERR_CLOSED = 203,
    // The queue of messages to send is full.
    MCC_ERR_QUEUE_FULL = 204,
    // There is no connection at the moment.
    MCC_ERR_NOT_CONNECTED = 205,
    // The host's name does not exist in the DNS.
    MCC_ERR_NAME_NOT_FOUND = 301,
    // The DNS server could not be asked or gave an error.
    MCC_ERR_NAME_LOOKUP_FAILED = 302,
    // The DNS server did not answer in time.
    MCC_ERR_NAME_LOOKUP_TIMEOUT = 303,
    // The host refused the port.
    MCC_ERR_CONNECTION_REFUSED = 401,
    // No answer to the attempt to connect.
    MCC_ERR_CONNECT_TIMEOUT = 402,
    // The network reports that the host cannot be reached.
    MCC_ERR_HOST_UNREACHABLE = 403,
    // This device has no network or no route.
    MCC_ERR_NETWORK_DOWN = 404,
    // The peer or something on the way reset the connection.
    MCC_ERR_CONNECTION_RESET = 405,
    // The peer closed the connection.
    MCC_ERR_CLOSED_BY_PEER = 406,
    // Nothing comes back from the peer, neither the answer to a ping nor TCP's acknowledgement.
    MCC_ERR_PATH_SILENT = 407,
    // The operating system reported an error of the socket.
    MCC_ERR_TRANSPORT_FAILED = 408,
    // The handshake of TLS or DTLS did not end in time.
    MCC_ERR_HANDSHAKE_TIMEOUT = 501,
    // The TLS handshake failed.
    MCC_ERR_HANDSHAKE_FAILED = 502,
    // The peer ended TLS with a fatal alert.
    MCC_ERR_TLS_ALERT = 503,
    // What answers at this port does not speak TLS.
    MCC_ERR_NOT_TLS = 504,
    // The server's certificate is for another name.
    MCC_ERR_CERTIFICATE_NAME = 505,
    // The server's certificate has expired by this device's clock.
    MCC_ERR_CERTIFICATE_EXPIRED = 506,
    // The server's certificate is not valid yet by this device's clock.
    MCC_ERR_CERTIFICATE_FUTURE = 507,
    // The server's certificate has been revoked by the list given.
    MCC_ERR_CERTIFICATE_REVOKED = 508,
    // The server's certificate names a CA given as its issuer, or no CA was given, and nothing proves it.
    MCC_ERR_CERTIFICATE_UNTRUSTED = 509,
    // The server's certificate was not accepted.
    MCC_ERR_CERTIFICATE_REJECTED = 510,
    // The server speaks no TLS version that is enabled here.
    MCC_ERR_TLS_VERSION = 511,
    // A TLS record was damaged or forged.
    MCC_ERR_TLS_RECORD = 512,
    // The peer sent a TLS message that is not supported here, such as a KeyUpdate of TLS 1.3.
    MCC_ERR_TLS_UNSUPPORTED = 513,
    // Another authority than a CA given issued the server's certificate.
    MCC_ERR_INTERCEPTED = 514,
    // What the peer sent cannot be CoAP in this framing.
    MCC_ERR_PROTOCOL = 601,
    // The server did not begin with a Capabilities and Settings Message (RFC 8323 section 5.3).
    MCC_ERR_CAPABILITIES_TIMEOUT = 602,
    // The peer asked to end the connection (RFC 8323 Release).
    MCC_ERR_RELEASED_BY_PEER = 603,
    // The peer aborted the connection (RFC 8323 Abort).
    MCC_ERR_ABORTED_BY_PEER = 604,
    // Memory has run out.
    MCC_ERR_OUT_OF_MEMORY = 701,
    // The process or the system has no file descriptor left.
    MCC_ERR_OUT_OF_DESCRIPTORS = 702,
    // The operating system gave no new thread.
    MCC_ERR_THREAD = 703,
    // A system call that should always work failed.
    MCC_ERR_SYSTEM = 704,
    // A fault of this library.
    MCC_ERR_INTERNAL = 901,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum mcc_status_t mcc_status_t;
#else
typedef int32_t mcc_status_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What an event is about: it tells which member of `data` counts.
enum mcc_event_type_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The state has changed: `data.state`.
    MCC_EVENT_STATE = 1,
    // A message came in: `data.message`.
    MCC_EVENT_MESSAGE = 2,
    // A message was written to the transport, whole: `data.sent`.
    MCC_EVENT_SENT = 3,
    // A message was not sent: `data.failed`.
    MCC_EVENT_FAILED = 4,
    // A ping went out: no data.
    MCC_EVENT_PING_SENT = 5,
    // The ping was answered: `data.ping_answered`.
    MCC_EVENT_PING_ANSWERED = 6,
    // The ping was not answered in time, or could not be sent: the path is dead. `data.ping_lost`; a change of state follows.
    MCC_EVENT_PING_LOST = 7,
    // A message from the peer was longer than `max_message_size` and was dropped whole: `data.dropped`.
    MCC_EVENT_DROPPED = 8,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum mcc_event_type_t mcc_event_type_t;
#else
typedef int32_t mcc_event_type_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Where a connection stands.
enum mcc_state_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The host's name is being looked up.
    MCC_STATE_RESOLVING = 1,
    // The transport is being connected.
    MCC_STATE_CONNECTING = 2,
    // TLS or DTLS, or the exchange of RFC 8323 capabilities, is being agreed.
    MCC_STATE_HANDSHAKING = 3,
    // Messages go both ways.
    MCC_STATE_READY = 4,
    // It failed, `reason` says why, and is tried again after `next_attempt_ms`, or sooner if the network changes.
    MCC_STATE_WAITING = 5,
    // It is over. This is the last event of the connection: what its callback uses can be freed now.
    MCC_STATE_CLOSED = 6,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum mcc_state_t mcc_state_t;
#else
typedef int32_t mcc_state_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What to do now.
enum mcc_keepalive_action_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The call was wrong: a handle that is not one, or a null pointer.
    MCC_KEEPALIVE_INVALID = -1,
    // Nothing until `*next_ms`.
    MCC_KEEPALIVE_WAIT = 0,
    // Send the ping that was written, then ask again.
    MCC_KEEPALIVE_SEND_PING = 1,
    // The path is dead: connect anew, then say `mcc_keepalive_restart`.
    MCC_KEEPALIVE_PATH_DEAD = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum mcc_keepalive_action_t mcc_keepalive_action_t;
#else
typedef int32_t mcc_keepalive_action_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How much is logged. Each level includes those above it.
enum mcc_log_level_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Nothing.
    MCC_LOG_OFF = 0,
    // Faults of the library or of the system.
    MCC_LOG_ERROR = 1,
    // What stops a connection. `MCC_ERR_INTERCEPTED` comes with the names of the authority that issued the server's certificate and
    // of the CAs given.
    MCC_LOG_WARNING = 2,
    // What a connection does: one line for each change of its state.
    MCC_LOG_INFO = 3,
    // Host names and addresses too, of which other levels have none but the authorities' names of `MCC_LOG_WARNING`. Keys and
    // payloads are in none.
    MCC_LOG_DEBUG = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum mcc_log_level_t mcc_log_level_t;
#else
typedef int32_t mcc_log_level_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a result is about: it tells which member of `data` counts.
enum mcc_netcheck_result_type_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // How this device stands to the internet: `data.nat`.
    MCC_NETCHECK_NAT = 1,
    // A name: `data.name`.
    MCC_NETCHECK_NAME = 2,
    // A port of an address: `data.port`.
    MCC_NETCHECK_PORT = 3,
    // What it means, in words: `data.finding`. The gravest come first.
    MCC_NETCHECK_FINDING = 4,
    // The last result: `data.summary`.
    MCC_NETCHECK_SUMMARY = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum mcc_netcheck_result_type_t mcc_netcheck_result_type_t;
#else
typedef int32_t mcc_netcheck_result_type_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How this device stands to the internet.
enum mcc_netcheck_nat_verdict_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // By an address of the internet.
    MCC_NETCHECK_NAT_DIRECT = 1,
    // By an address of the private or shared ranges: behind a NAT.
    MCC_NETCHECK_NAT_BEHIND = 2,
    // It has no way out.
    MCC_NETCHECK_NAT_NO_ADDRESS = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum mcc_netcheck_nat_verdict_t mcc_netcheck_nat_verdict_t;
#else
typedef int32_t mcc_netcheck_nat_verdict_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a host's name leads to.
enum mcc_netcheck_name_verdict_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Addresses of the internet.
    MCC_NETCHECK_NAME_OK = 1,
    // The host was given as an address.
    MCC_NETCHECK_NAME_IS_ADDRESS = 2,
    // There is no such name.
    MCC_NETCHECK_NAME_NOT_FOUND = 3,
    // The resolvers fail: `code` is their response code.
    MCC_NETCHECK_NAME_SERVER_FAILURE = 4,
    // No resolver answers.
    MCC_NETCHECK_NAME_NO_ANSWER = 5,
    // Only a hosts file knows the name.
    MCC_NETCHECK_NAME_HOSTS_FILE_ONLY = 6,
    // An address that no service of the internet can have.
    MCC_NETCHECK_NAME_SINKHOLE = 7,
    // Two resolvers have no address in common.
    MCC_NETCHECK_NAME_DISAGREE = 8,
    // This device could not ask: `error_number` says why.
    MCC_NETCHECK_NAME_NOT_TRIED = 9,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum mcc_netcheck_name_verdict_t mcc_netcheck_name_verdict_t;
#else
typedef int32_t mcc_netcheck_name_verdict_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Whether the resolvers keep to the time that an answer may be kept for.
enum mcc_netcheck_ttl_verdict_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // They do.
    MCC_NETCHECK_TTL_OK = 1,
    // An answer outlives its time.
    MCC_NETCHECK_TTL_STALE = 2,
    // It could not be told.
    MCC_NETCHECK_TTL_UNKNOWN = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum mcc_netcheck_ttl_verdict_t mcc_netcheck_ttl_verdict_t;
#else
typedef int32_t mcc_netcheck_ttl_verdict_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Whether a port is reached.
enum mcc_netcheck_reach_verdict_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // It is: TCP connects, or DTLS answers.
    MCC_NETCHECK_REACH_OPEN = 1,
    // TCP is refused.
    MCC_NETCHECK_REACH_REFUSED = 2,
    // Nothing comes back: TCP is filtered, or UDP silent.
    MCC_NETCHECK_REACH_SILENT = 3,
    // The network says that it cannot be reached, UDP by ICMP, or this device has no way to it: `error_number` says more.
    MCC_NETCHECK_REACH_UNREACHABLE = 4,
    // This device could not try: `error_number` says why.
    MCC_NETCHECK_REACH_NOT_TRIED = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum mcc_netcheck_reach_verdict_t mcc_netcheck_reach_verdict_t;
#else
typedef int32_t mcc_netcheck_reach_verdict_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a TLS handshake, which trusts nobody, came to.
enum mcc_netcheck_tls_verdict_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // None was tried.
    MCC_NETCHECK_TLS_NONE = 0,
    // The certificate is from the expected issuer.
    MCC_NETCHECK_TLS_GENUINE = 1,
    // There is a certificate, and nothing to judge it by.
    MCC_NETCHECK_TLS_NOT_JUDGED = 2,
    // The certificate is from somebody else: TLS is opened on the way.
    MCC_NETCHECK_TLS_INTERCEPTED = 3,
    // What answers does not speak TLS.
    MCC_NETCHECK_TLS_NOT_TLS = 4,
    // The connection was closed or reset in the handshake.
    MCC_NETCHECK_TLS_RESET = 5,
    // The peer ended the handshake by an alert.
    MCC_NETCHECK_TLS_ALERT = 6,
    // The handshake did not come to an end in time.
    MCC_NETCHECK_TLS_TIMED_OUT = 7,
    // The handshake failed otherwise.
    MCC_NETCHECK_TLS_FAILED = 8,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum mcc_netcheck_tls_verdict_t mcc_netcheck_tls_verdict_t;
#else
typedef int32_t mcc_netcheck_tls_verdict_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a CoAP ping through the session came to.
enum mcc_netcheck_coap_verdict_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // None was tried.
    MCC_NETCHECK_COAP_NONE = 0,
    // It was answered.
    MCC_NETCHECK_COAP_ANSWERED = 1,
    // It was not.
    MCC_NETCHECK_COAP_SILENT = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum mcc_netcheck_coap_verdict_t mcc_netcheck_coap_verdict_t;
#else
typedef int32_t mcc_netcheck_coap_verdict_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How grave a finding is.
enum mcc_netcheck_severity_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // All is well.
    MCC_NETCHECK_WELL = 0,
    // Good to know.
    MCC_NETCHECK_NOTE = 1,
    // The device works, but not in every way or not for ever.
    MCC_NETCHECK_WARNING = 2,
    // It stops the device.
    MCC_NETCHECK_STOPS = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum mcc_netcheck_severity_t mcc_netcheck_severity_t;
#else
typedef int32_t mcc_netcheck_severity_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a finding is about. A number never changes its meaning; new ones can be added.
enum mcc_netcheck_kind_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // There is no such name.
    MCC_NETCHECK_KIND_NO_SUCH_NAME = 101,
    // The resolvers fail.
    MCC_NETCHECK_KIND_RESOLVER_FAILS = 102,
    // No resolver answers.
    MCC_NETCHECK_KIND_RESOLVER_SILENT = 103,
    // The name comes from a hosts file only.
    MCC_NETCHECK_KIND_HOSTS_FILE = 104,
    // The name leads to an address that no service of the internet can have.
    MCC_NETCHECK_KIND_SINKHOLE = 105,
    // Resolvers contradict each other.
    MCC_NETCHECK_KIND_RESOLVERS_DISAGREE = 106,
    // A resolver keeps answers for too long.
    MCC_NETCHECK_KIND_STALE_ANSWERS = 107,
    // A port is refused.
    MCC_NETCHECK_KIND_REFUSED = 201,
    // A port is filtered.
    MCC_NETCHECK_KIND_FILTERED = 202,
    // A host cannot be reached.
    MCC_NETCHECK_KIND_UNREACHABLE = 203,
    // UDP does not come through.
    MCC_NETCHECK_KIND_UDP_SILENT = 204,
    // UDP is turned away.
    MCC_NETCHECK_KIND_UDP_UNREACHABLE = 205,
    // This device could not try.
    MCC_NETCHECK_KIND_NOT_TRIED = 206,
    // Somebody opens TLS on the way.
    MCC_NETCHECK_KIND_INTERCEPTED = 301,
    // Something else than TLS answers.
    MCC_NETCHECK_KIND_NOT_TLS = 302,
    // The connection is cut in the handshake.
    MCC_NETCHECK_KIND_HANDSHAKE_RESET = 303,
    // The peer ended the handshake by an alert.
    MCC_NETCHECK_KIND_HANDSHAKE_ALERT = 304,
    // The handshake does not come to an end.
    MCC_NETCHECK_KIND_HANDSHAKE_TIMEOUT = 305,
    // The handshake failed otherwise.
    MCC_NETCHECK_KIND_HANDSHAKE_FAILED = 306,
    // A ping through the session is not answered.
    MCC_NETCHECK_KIND_PING_SILENT = 401,
    // The device is behind a NAT.
    MCC_NETCHECK_KIND_BEHIND_NAT = 501,
    // The device has no way out.
    MCC_NETCHECK_KIND_NO_NETWORK = 502,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum mcc_netcheck_kind_t mcc_netcheck_kind_t;
#else
typedef int32_t mcc_netcheck_kind_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What kind of failure a status is: few enough to switch on.
enum mcc_error_class_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // No failure.
    MCC_CLASS_NONE = 0,
    // The caller passed something that cannot be used.
    MCC_CLASS_ARGUMENT = 1,
    // The call does not fit the object's state now; it can fit later.
    MCC_CLASS_STATE = 2,
    // The host's name could not be turned into an address.
    MCC_CLASS_NAME = 3,
    // The host answered that nothing listens at the port.
    MCC_CLASS_REFUSED = 4,
    // Nothing came back: something on the way drops the packets.
    MCC_CLASS_FILTERED = 5,
    // The network said that the host cannot be reached.
    MCC_CLASS_UNREACHABLE = 6,
    // A certificate was not accepted.
    MCC_CLASS_CERTIFICATE = 7,
    // The peer ended the handshake or the session with a TLS alert.
    MCC_CLASS_ALERT = 8,
    // The peer closed or reset the connection.
    MCC_CLASS_CLOSED_BY_PEER = 9,
    // The connection is open, and nothing comes through it any more.
    MCC_CLASS_SILENT_PATH = 10,
    // This device has no network at the moment.
    MCC_CLASS_NETWORK_DOWN = 11,
    // Memory, descriptors or threads have run out.
    MCC_CLASS_RESOURCE = 12,
    // The peer does not speak the protocol that was expected.
    MCC_CLASS_PROTOCOL = 13,
    // A fault of this library.
    MCC_CLASS_INTERNAL = 14,
    // Something on the way seems to answer in the server's place.
    MCC_CLASS_INTERCEPTED = 15,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum mcc_error_class_t mcc_error_class_t;
#else
typedef int32_t mcc_error_class_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What carries `coap://` and `coaps://`.
enum mcc_transport_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // What the build read as `MBED_CLOUD_CLIENT_TRANSPORT_MODE_…`; TCP where nothing set it.
    MCC_TRANSPORT_CONFIGURED = 0,
    // TCP, with TLS for `coaps://`: the device management service.
    MCC_TRANSPORT_TCP = 1,
    // UDP, with DTLS 1.2 for `coaps://` (RFC 7252 section 9).
    MCC_TRANSPORT_UDP = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum mcc_transport_t mcc_transport_t;
#else
typedef uint32_t mcc_transport_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How messages are told apart on TCP, for `coap://` and `coaps://`. `coap+tcp://` and `coaps+tcp://` always mean RFC 8323, and UDP
// always one message a datagram, with DTLS in one record.
enum mcc_framing_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Records with TLS, length prefixes without.
    MCC_FRAMING_DEFAULT = 0,
    // One RFC 7252 message in one TLS record, up to 16384 bytes, in TLS 1.3 up to 16383.
    MCC_FRAMING_RECORD = 1,
    // Four bytes of big-endian length, then one RFC 7252 message.
    MCC_FRAMING_LENGTH_PREFIX = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum mcc_framing_t mcc_framing_t;
#else
typedef uint32_t mcc_framing_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// TLS versions, by their number on the wire.
enum mcc_tls_version_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // TLS 1.2
    MCC_TLS_1_2 = 771,
    // TLS 1.3
    MCC_TLS_1_3 = 772,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum mcc_tls_version_t mcc_tls_version_t;
#else
typedef uint32_t mcc_tls_version_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// A CoAP session with one server, connected again whenever it drops.
typedef struct mcc_connection_t mcc_connection_t;

// An event loop and the connections on it.
typedef struct mcc_context_t mcc_context_t;

// The keepalive of one path.
typedef struct mcc_keepalive_t mcc_keepalive_t;

// `MCC_EVENT_STATE`
typedef struct mcc_event_state_t {
    // The new state.
    mcc_state_t state;
    // Why, in `MCC_STATE_WAITING` and `MCC_STATE_CLOSED`, and in `MCC_STATE_CONNECTING` why it is the turn of the other port; else
    // `MCC_OK`.
    mcc_status_t reason;
    // A number that makes the reason more precise: errno, TLS alert, Mbed TLS error or verification flags, as its text says; else 0.
    int32_t detail;
    // In `MCC_STATE_WAITING`: milliseconds until the next attempt, which a change of the network brings forward.
    uint64_t next_attempt_ms;
    // The reason as a sentence with the next step; constant, not to be freed.
    const char *text;
} mcc_event_state_t;

// `MCC_EVENT_MESSAGE`
typedef struct mcc_event_message_t {
    // One whole CoAP message in the format of RFC 7252, whatever the transport. It is gone when the callback returns.
    const uint8_t *data;
    // Its size in bytes.
    size_t size;
} mcc_event_message_t;

// `MCC_EVENT_SENT`
typedef struct mcc_event_sent_t {
    // Which message: what `mcc_connection_send` gave.
    uint64_t ticket;
} mcc_event_sent_t;

// `MCC_EVENT_FAILED`
typedef struct mcc_event_failed_t {
    // Which message: what `mcc_connection_send` gave.
    uint64_t ticket;
    // Why.
    mcc_status_t reason;
} mcc_event_failed_t;

// `MCC_EVENT_PING_ANSWERED`
typedef struct mcc_event_ping_answered_t {
    // Microseconds from the ping (over UDP and DTLS: its latest transmission) to the answer.
    uint64_t round_trip_us;
} mcc_event_ping_answered_t;

// `MCC_EVENT_PING_LOST`
typedef struct mcc_event_ping_lost_t {
    // Why.
    mcc_status_t reason;
} mcc_event_ping_lost_t;

// `MCC_EVENT_DROPPED`
typedef struct mcc_event_dropped_t {
    // The message's size in bytes.
    uint64_t size;
} mcc_event_dropped_t;

// What an event says; the event's type tells which member counts.
typedef union mcc_event_data_t {
    // `MCC_EVENT_STATE`
    struct mcc_event_state_t state;
    // `MCC_EVENT_MESSAGE`
    struct mcc_event_message_t message;
    // `MCC_EVENT_SENT`
    struct mcc_event_sent_t sent;
    // `MCC_EVENT_FAILED`
    struct mcc_event_failed_t failed;
    // `MCC_EVENT_PING_ANSWERED`
    struct mcc_event_ping_answered_t ping_answered;
    // `MCC_EVENT_PING_LOST`
    struct mcc_event_ping_lost_t ping_lost;
    // `MCC_EVENT_DROPPED`
    struct mcc_event_dropped_t dropped;
} mcc_event_data_t;

// One event of one connection.
typedef struct mcc_event_t {
    // What it is about. New types can be added: pass over those that you do not know.
    mcc_event_type_t type;
    // Whose event it is.
    struct mcc_connection_t *connection;
    // What it says.
    union mcc_event_data_t data;
} mcc_event_t;

// Takes the events of a connection, one at a time.
//
// It comes from the context's own thread, or from `mcc_context_process` where the context has none. The event is gone when it
// returns. Any `mcc_*` function may be called from it, `mcc_connection_close` and `mcc_context_free` of its own objects included;
// it must not throw or jump out.
typedef void (*mcc_event_callback_t)(void *argument, const struct mcc_event_t *event);

// How the server and this device prove who they are, over TLS and DTLS. Begin with `MCC_TLS_OPTIONS_INIT`. Everything that is pointed to is copied
// before `mcc_connection_open` returns. Certificates, lists and keys are PEM text or DER; a size does not count the NUL of a text.
typedef struct mcc_tls_options_t {
    // The size of this struct in bytes, as the initialiser sets it.
    uint32_t size;
    // 1 (the default): the server's certificate has to be for `server_name`. 0: any name will do, for a service with a CA of its own.
    uint32_t check_server_name;
    // The lowest version, one of `mcc_tls_version_t`; 1.2 by default. DTLS is always 1.2, and a lowest version above it is
    // `MCC_ERR_UNSUPPORTED`.
    uint32_t min_version;
    // The highest version, one of `mcc_tls_version_t`; 1.3 by default.
    uint32_t max_version;
    // The CA certificates that the server's chain has to lead to; null with a pre-shared key where nothing else counts.
    const uint8_t *ca;
    // Size of `ca` in bytes.
    size_t ca_size;
    // Certificates that have been revoked, or null.
    const uint8_t *crl;
    // Size of `crl` in bytes.
    size_t crl_size;
    // The device's own certificate and the chain to its CA, or null.
    const uint8_t *certificate;
    // Size of `certificate` in bytes.
    size_t certificate_size;
    // The private key of `certificate`, PKCS#8 or SEC1, or null.
    const uint8_t *key;
    // Size of `key` in bytes.
    size_t key_size;
    // The password of `key`, or null.
    const uint8_t *key_password;
    // Size of `key_password` in bytes.
    size_t key_password_size;
    // The identity that goes with `psk`, or null.
    const uint8_t *psk_identity;
    // Size of `psk_identity` in bytes, at most 128.
    size_t psk_identity_size;
    // A pre-shared key, or null.
    const uint8_t *psk;
    // Size of `psk` in bytes, at most 32.
    size_t psk_size;
    // The name that is asked for (SNI) and checked; null (the default) for the host of the URI.
    const char *server_name;
} mcc_tls_options_t;

// Where to connect to and how. Begin with `MCC_CONNECTION_OPTIONS_INIT` and set `uri` and `callback`, and `tls` for `coaps`.
// Everything that is pointed to, but for `argument`, is copied before `mcc_connection_open` returns.
typedef struct mcc_connection_options_t {
    // The size of this struct in bytes, as the initialiser sets it.
    uint32_t size;
    // What carries `coap://` and `coaps://`, one of `mcc_transport_t`.
    uint32_t transport;
    // `coap://`, `coaps://` (over TCP the service's own framings, over UDP RFC 7252, with DTLS for `coaps`), `coap+tcp://` or
    // `coaps+tcp://` (RFC 8323), then host and, where it is
    // not the default of 5683 (5684 for `coaps`), `:port`. IPv6 addresses stand in brackets. A path is not allowed. Without a port the compiled-in
    // `MBED_CLOUD_CLIENT_CUSTOM_URI_PORT` counts, where the build read one.
    const char *uri;
    // Takes the events. It must not be null.
    mcc_event_callback_t callback;
    // Handed to the callback; it has to last until the event `MCC_STATE_CLOSED`.
    void *argument;
    // For `coaps` and `coaps+tcp`: credentials. It has to be null for the schemes without TLS and DTLS.
    const struct mcc_tls_options_t *tls;
    // How messages are told apart on TCP, one of `mcc_framing_t`.
    uint32_t framing;
    // Seconds between a message and the ping after it, 1 to 4294967, or `MCC_KEEPALIVE_OFF`. 0 (the default): what the build read
    // as `MBED_CLIENT_TCP_KEEPALIVE_INTERVAL` on TCP, 25 on UDP. On UDP at least 15 (RFC 8085 section 3.5).
    uint32_t keepalive_interval_s;
    // By how much at most, in percent, an interval is shortened at random, so that a fleet does not ping in step; 0 to 50, 10 by
    // default.
    uint32_t keepalive_jitter_percent;
    // Milliseconds that the answer to a ping may take on TCP, 1 to 3600000; 30000 by default. Less, from 2000, where the network has
    // changed (four round trips), and where a longer silence is tried, from a sixth. On UDP the retransmissions of RFC
    // 7252 section 4.2 count instead.
    uint32_t keepalive_timeout_ms;
    // How many messages may wait to be sent, 1 to 65536; 64 by default.
    uint32_t queue_limit;
    // 0 (the default): when the connection drops, what waits is reported as failed. 1: it is kept and sent on the next one.
    uint32_t keep_queued_messages;
    // The longest message in bytes that is taken from the peer, 64 to 1048576; longer ones are dropped and counted. 0 (the
    // default): what the build read as `SN_COAP_MAX_INCOMING_MESSAGE_SIZE`, else 65535.
    uint32_t max_message_size;
    // Reconnection: the first wait is random from 0 to this many milliseconds, and its range doubles with each failure; 1 to
    // 3600000, 2000 by default.
    uint32_t backoff_base_ms;
    // The longest wait in seconds, 1 to 4294967. 0 (the default): what the build read as `MBED_CLIENT_MAX_RECONNECT_TIMEOUT`, else
    // 14400.
    uint32_t backoff_cap_s;
    // After the peer closed or reset an established connection the first wait is random from 0 to this many milliseconds, so that
    // a server that restarts is not overrun; the range of the following ones is no shorter, until a connection was ready for 60 s. 0 to
    // 3600000, 30000 by default.
    uint32_t peer_closed_wait_ms;
    // Milliseconds for the lookup of the name, 1 to 3600000; 10000 by default.
    uint32_t resolve_timeout_ms;
    // Milliseconds for the connect, over all addresses, 1 to 3600000; 15000 by default.
    uint32_t connect_timeout_ms;
    // Milliseconds for TLS or DTLS and the capabilities of RFC 8323, 1 to 3600000; 30000 by default. DTLS sends again what is not
    // answered in 1 s, then 2 s, and so on up to 60 s (RFC 6347 section 4.2.4.1), and leaves an address that says nothing after a
    // quarter of the time while the name has others.
    uint32_t handshake_timeout_ms;
    // TCP's own keepalive: idle seconds before the first probe, 0 (the default: off) to 32767.
    uint32_t tcp_keepalive_idle_s;
    // Seconds between two probes, 1 to 32767; 75 by default.
    uint32_t tcp_keepalive_interval_s;
    // Probes without an answer until the connection is reset, 1 to 127; 9 by default.
    uint32_t tcp_keepalive_count;
    // Milliseconds that sent data may stay unacknowledged (`TCP_USER_TIMEOUT`, RFC 5482), 0 (the default: the system's) to
    // 4294967.
    uint32_t tcp_user_timeout_ms;
    // What `mcc_connection_keepalive_state` of an earlier connection gave, or null (the default): what the networks' paths bear is
    // not found out again then. It is handed on without `keepalive_adaptive`, too. Damaged bytes are
    // `MCC_ERR_KEEPALIVE_STATE_INVALID`: open without them, and the search begins anew.
    const uint8_t *keepalive_state;
    // Size of `keepalive_state` in bytes.
    size_t keepalive_state_size;
    // 1: the longest interval that the path bears is looked for, in place of `keepalive_interval_s`, which must not be
    // `MCC_KEEPALIVE_OFF` then. Over UDP and DTLS no longer silence is tried: the interval is the floor, or what the peer's own
    // messages have proven. 0 (the default): the interval is fixed.
    uint32_t keepalive_adaptive;
    // The first and shortest interval of the search in seconds, which every path is known to bear: 1 up to the ceiling. 0 (the
    // default): 60 on TCP, 25 on UDP. On UDP at least 15 (RFC 8085 section 3.5).
    uint32_t keepalive_floor_s;
    // The longest interval of the search in seconds, from the floor to 4294967; 3600 by default.
    uint32_t keepalive_ceiling_s;
    // The next silence that is tried is this many percent of the longest that was borne, 101 to 1000; 150 by default.
    uint32_t keepalive_step_percent;
    // By how many percent the interval stays below the longest silence that was borne once the search is over, 0 to 50; 5 by
    // default.
    uint32_t keepalive_margin_percent;
    // The port that is tried once in the same attempt when the URI's is refused, does not answer, resets the connection while it is
    // made, or is answered by something without TLS or with a certificate that is not trusted (`MCC_ERR_INTERCEPTED` among others);
    // such as 443. The one that worked goes first the next time. 0 (the default): none, to 65535.
    uint32_t alternative_port;
} mcc_connection_options_t;

// What a connection has done since it was opened. Begin with `MCC_CONNECTION_STATS_INIT`.
typedef struct mcc_connection_stats_t {
    // The size of this struct in bytes, as the initialiser sets it.
    uint32_t size;
    // Where it stands, one of `mcc_state_t`.
    uint32_t state;
    // Attempts to connect.
    uint64_t attempts;
    // Times that it became ready.
    uint64_t connections;
    // Messages written to the transport, without pings and other messages of the library's own.
    uint64_t messages_sent;
    // Messages reported as failed.
    uint64_t messages_failed;
    // Messages delivered to the callback.
    uint64_t messages_received;
    // Messages that wait to be sent.
    uint64_t messages_queued;
    // Messages from the peer that were dropped because they break RFC 7252 or RFC 8323.
    uint64_t format_errors;
    // Messages from the peer that were dropped because they are longer than `max_message_size`.
    uint64_t oversize_dropped;
    // Pings sent, retransmissions not counted.
    uint64_t pings_sent;
    // Pings answered.
    uint64_t pings_answered;
    // Pings not answered in time or not sent.
    uint64_t pings_lost;
    // Pings of the peer that were answered.
    uint64_t peer_pings_answered;
    // Microseconds from the latest answered ping to its answer; 0 before the first.
    uint64_t round_trip_us;
    // The keepalive interval in force in milliseconds, before jitter: the fixed one, or what the adaptive mode tries or holds now; 0
    // if it is off.
    uint64_t keepalive_interval_ms;
} mcc_connection_stats_t;

// How a context works. Begin with `MCC_CONTEXT_OPTIONS_INIT`.
typedef struct mcc_context_options_t {
    // The size of this struct in bytes, as the initialiser sets it.
    uint32_t size;
    // 1 (the default): the library runs the loop on a thread of its own, which blocks all signals. 0: the program runs it by
    // `mcc_context_process`.
    uint32_t own_thread;
} mcc_context_options_t;

// How a keepalive works. Begin with `MCC_KEEPALIVE_OPTIONS_INIT`.
typedef struct mcc_keepalive_options_t {
    // The size of this struct in bytes, as the initialiser sets it.
    uint32_t size;
    // Seconds between a message and the ping after it, 1 to 4294967, or `MCC_KEEPALIVE_OFF`. 0 (the default): what the build read
    // as `MBED_CLIENT_TCP_KEEPALIVE_INTERVAL` where `reliable` is 1, else 25. Where it is 0 at least 15 (RFC 8085 section 3.5).
    uint32_t interval_s;
    // By how much at most, in percent, an interval is shortened at random; 0 to 50, 10 by default.
    uint32_t jitter_percent;
    // Milliseconds that the answer to a ping may take where `reliable` is 1, 1 to 3600000; 30000 by default.
    uint32_t timeout_ms;
    // 1 (the default): the transport repeats what is lost (TCP, TLS). 0: it does not (UDP, DTLS), and a ping is retransmitted as
    // RFC 7252 section 4.2 has it.
    uint32_t reliable;
    // Keeps the fields below aligned; 0.
    uint32_t reserved;
    // Where the random numbers begin, for tests that have to repeat themselves. 0 (the default): the system's random numbers.
    uint64_t seed;
} mcc_keepalive_options_t;

// Takes one line of log, without a line end. The text is gone when the callback returns.
//
// It is called from whichever thread logs, from several at once too, and must not call `mcc_log_set`.
typedef void (*mcc_log_callback_t)(void *argument, mcc_log_level_t level, const char *message);

// A host of the service, and how devices reach it. Begin with `MCC_NETCHECK_ENDPOINT_INIT`.
typedef struct mcc_netcheck_endpoint_t {
    // The size of this struct in bytes, as the initialiser sets it.
    uint32_t size;
    // 1: it speaks CoAP inside TLS and DTLS, and is pinged where the credentials allow it. 0 (the default): it does not.
    uint32_t coap;
    // 1: only Edge gateways need it; what stops it is a warning. 0 (the default): every device does.
    uint32_t edge_only;
    // The port reached by UDP with DTLS, or 0 (the default) for none.
    uint16_t udp_port;
    // The port reached by TCP with TLS, or 0 (the default) for none.
    uint16_t tcp_port;
    // Another port reached by TCP with TLS, or 0 (the default) for none.
    uint16_t alternative_tcp_port;
    // Keeps the fields below aligned; 0.
    uint16_t reserved;
    // Its name, or an address.
    const char *host;
    // The service, as people call it; null (the default) for the host.
    const char *service;
    // What a device needs one of: endpoints of the same purpose stand in for each other. Null (the default): a purpose of its own.
    const char *purpose;
    // The issuer that its certificate has to have, such as `C=GB, O=Example, CN=Example CA`, compared attribute by attribute; null
    // (the default) where any will do.
    const char *expected_issuer;
} mcc_netcheck_endpoint_t;

// What is checked, and how. Begin with `MCC_NETCHECK_OPTIONS_INIT`. Everything that is pointed to is only read, and not after
// `mcc_netcheck_run` has returned. Certificates and keys are PEM text or DER; a size does not count the NUL of a text.
typedef struct mcc_netcheck_options_t {
    // The size of this struct in bytes, as the initialiser sets it.
    uint32_t size;
    // Milliseconds that the whole check may take, 100 to 600000; 14000 by default.
    uint32_t timeout_ms;
    // 1: addresses of private networks are as good as others, for a service of one's own. 0 (the default): a name that leads to one
    // is redirected.
    uint32_t allow_private_addresses;
    // Keeps the fields below aligned; 0.
    uint32_t reserved;
    // The region whose endpoints are checked; null (the default) for `us-east-1`. Not used where `endpoints` are given.
    const char *region;
    // Endpoints in place of the region's: pointers to `endpoint_count` of them. Null by default.
    const struct mcc_netcheck_endpoint_t *const *endpoints;
    // How many.
    size_t endpoint_count;
    // Resolvers in place of the system's, each `ADDRESS:PORT` or `[ADDRESS]:PORT`: pointers to `resolver_count` texts. Null by
    // default.
    const char *const *resolvers;
    // How many.
    size_t resolver_count;
    // The CA certificates that the service's chains lead to, or null: then only issuers that endpoints expect are judged.
    const uint8_t *ca;
    // Size of `ca` in bytes.
    size_t ca_size;
    // The device's own certificate and the chain to its CA, or null: then nothing is pinged.
    const uint8_t *certificate;
    // Size of `certificate` in bytes.
    size_t certificate_size;
    // The private key of `certificate`, PKCS#8 or SEC1 without a password, or null.
    const uint8_t *key;
    // Size of `key` in bytes.
    size_t key_size;
} mcc_netcheck_options_t;

// `MCC_NETCHECK_NAT`
typedef struct mcc_netcheck_nat_t {
    // The verdict.
    mcc_netcheck_nat_verdict_t verdict;
    // This device's address, as text; empty where it has none.
    const char *address;
} mcc_netcheck_nat_t;

// `MCC_NETCHECK_NAME`
typedef struct mcc_netcheck_name_t {
    // The service.
    const char *service;
    // The host.
    const char *host;
    // The verdict.
    mcc_netcheck_name_verdict_t verdict;
    // The resolvers' response code (RFC 1035 section 4.1.1) where they fail; else 0.
    uint16_t code;
    // The error of the system that `verdict` tells of; else 0.
    int32_t error_number;
    // Whether the resolvers keep to TTLs.
    mcc_netcheck_ttl_verdict_t ttl;
    // The addresses that were tried, as texts.
    const char *const *addresses;
    // How many.
    size_t address_count;
} mcc_netcheck_name_t;

// `MCC_NETCHECK_PORT`
typedef struct mcc_netcheck_port_t {
    // The service.
    const char *service;
    // The host.
    const char *host;
    // The address, as text.
    const char *address;
    // 1: UDP. 0: TCP.
    uint32_t udp;
    // The port.
    uint16_t port;
    // Whether it is reached.
    mcc_netcheck_reach_verdict_t reach;
    // The error of the system that `reach` tells of; else 0.
    int32_t error_number;
    // Microseconds until TCP was connected or DTLS answered, if it did; else 0.
    uint64_t round_trip_us;
    // What TLS came to.
    mcc_netcheck_tls_verdict_t tls;
    // Who issued the certificate; null where there was none.
    const char *issuer;
    // Who should have, where TLS is intercepted; else null.
    const char *expected_issuer;
    // The number of the alert (RFC 8446 section 6), the status of HTTP where that answered, or the error of Mbed TLS; else 0.
    int32_t tls_detail;
    // The first bytes of what does not speak TLS; null where there are none.
    const uint8_t *first_bytes;
    // How many, at most 64.
    size_t first_bytes_size;
    // What a ping came to.
    mcc_netcheck_coap_verdict_t coap;
    // Microseconds until the ping was answered, if it was; else 0.
    uint64_t ping_round_trip_us;
} mcc_netcheck_port_t;

// `MCC_NETCHECK_FINDING`
typedef struct mcc_netcheck_finding_t {
    // How grave it is.
    mcc_netcheck_severity_t severity;
    // What it is about.
    mcc_netcheck_kind_t kind;
    // The class of the reason that a connection gives for the same; `MCC_CLASS_NONE` where it gives none.
    mcc_error_class_t error_class;
    // The host, or null.
    const char *host;
    // The port, if it is about one; else 0.
    uint16_t port;
    // 1: that port is UDP's. 0: it is TCP's, or there is none.
    uint32_t udp;
    // What is wrong, in a sentence.
    const char *what;
    // What to do, in a sentence that can be sent to the network's owner.
    const char *what_to_do;
} mcc_netcheck_finding_t;

// `MCC_NETCHECK_SUMMARY`
typedef struct mcc_netcheck_summary_t {
    // The gravest of the findings.
    mcc_netcheck_severity_t severity;
    // Milliseconds that the check took.
    uint64_t duration_ms;
} mcc_netcheck_summary_t;

// What a result says; the result's type tells which member counts.
typedef union mcc_netcheck_data_t {
    // `MCC_NETCHECK_NAT`
    struct mcc_netcheck_nat_t nat;
    // `MCC_NETCHECK_NAME`
    struct mcc_netcheck_name_t name;
    // `MCC_NETCHECK_PORT`
    struct mcc_netcheck_port_t port;
    // `MCC_NETCHECK_FINDING`
    struct mcc_netcheck_finding_t finding;
    // `MCC_NETCHECK_SUMMARY`
    struct mcc_netcheck_summary_t summary;
} mcc_netcheck_data_t;

// One result.
typedef struct mcc_netcheck_result_t {
    // What it is about. New types can be added: pass over those that you do not know.
    mcc_netcheck_result_type_t type;
    // What it says.
    union mcc_netcheck_data_t data;
} mcc_netcheck_result_t;

// Takes the results of a check, one at a time, on the thread that called `mcc_netcheck_run`. The result and all that it points to are
// gone when it returns. Any `mcc_*` function may be called from it; it must not throw or jump out.
typedef void (*mcc_netcheck_result_cb)(void *argument, const struct mcc_netcheck_result_t *result);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Writes a CoAP ping, an Empty Confirmable message (RFC 7252 section 4.3), of 4 bytes.
//
// Returns the number of bytes written: 4, or 0 if `out` is null. Any thread.
//
size_t mcc_coap_ping_encode(uint16_t message_id, uint8_t out[4]);

// Whether `message` answers the ping with this message ID: a Reset, or an Acknowledgement without content, of exactly 4 bytes.
//
// `message` is one whole RFC 7252 message without any framing. False for null and for anything else. Any thread.
bool mcc_coap_ping_matches(const uint8_t *message,
                           size_t size,
                           uint16_t message_id);

// Opens a connection and keeps it up until it is closed. It returns at once; the events tell how it goes.
//
// `*out` is written on success only, and before the first event. The caller owns the connection and ends it by
// `mcc_connection_close`, or together with its context by `mcc_context_free`. Any thread, callbacks included.
//
// Errors: `MCC_ERR_NULL_POINTER` (context, options, out, uri or callback), `MCC_ERR_INVALID_HANDLE` (context),
// `MCC_ERR_INVALID_ARGUMENT` (an option out of its range, `tls` with a scheme without TLS, or `keepalive_adaptive` without pings), `MCC_ERR_URI_SYNTAX`, `MCC_ERR_URI_SCHEME`, `MCC_ERR_URI_HOST`,
// `MCC_ERR_URI_PORT`, `MCC_ERR_UNSUPPORTED` (`coaps` too in a library that is built with
// `MBED_CLOUD_CONNECTIVITY_TLS=OFF`), `MCC_ERR_KEEPALIVE_STATE_INVALID`,
// and for `coaps`: `MCC_ERR_TRUST_MISSING`, `MCC_ERR_CA_INVALID`, `MCC_ERR_CRL_INVALID`,
// `MCC_ERR_CERTIFICATE_INVALID`, `MCC_ERR_KEY_INVALID`, `MCC_ERR_KEY_MISMATCH`, `MCC_ERR_PSK_INVALID`, `MCC_ERR_OUT_OF_MEMORY`.
mcc_status_t mcc_connection_open(struct mcc_context_t *context,
                                 const struct mcc_connection_options_t *options,
                                 struct mcc_connection_t **out);

// Sends one CoAP message in the format of RFC 7252; it is copied.
//
// On success it ends in exactly one event, `MCC_EVENT_SENT` once it was written to the transport whole, or `MCC_EVENT_FAILED`, with
// the number written to `*ticket` (which can be null). Before the connection is ready the message waits in the queue. Over RFC
// 8323 type and message ID are left out, as the standard has it. Any thread, callbacks included.
//
// Errors, none of which is followed by an event: `MCC_ERR_NULL_POINTER` (connection or message), `MCC_ERR_INVALID_HANDLE`,
// `MCC_ERR_EMPTY_MESSAGE` (size 0), `MCC_ERR_MESSAGE_TOO_LARGE` (over 65535 bytes on TCP, 65507 in a datagram, 16384 in a record of TLS or DTLS, and in one of TLS 1.3 a byte less, which `MCC_EVENT_FAILED` says),
// `MCC_ERR_INVALID_MESSAGE`, `MCC_ERR_QUEUE_FULL`, `MCC_ERR_NOT_CONNECTED` (waiting for the next attempt, without
// `keep_queued_messages`), `MCC_ERR_OUT_OF_MEMORY`.
mcc_status_t mcc_connection_send(struct mcc_connection_t *connection,
                                 const uint8_t *message,
                                 size_t size,
                                 uint64_t *ticket);

// Sends a ping now. If one is unanswered already, its answer counts for this one too.
//
// The events `MCC_EVENT_PING_SENT` and `_ANSWERED` or `_LOST` follow, unless the connection ends before. Other traffic of the peer
// proves the path as well as the answer does: then `_ANSWERED` follows if the answer still comes. Any thread, callbacks included.
//
// Errors: `MCC_ERR_NULL_POINTER`, `MCC_ERR_INVALID_HANDLE`, `MCC_ERR_NOT_CONNECTED` (the state is not `MCC_STATE_READY`),
// `MCC_ERR_OUT_OF_MEMORY`.
mcc_status_t mcc_connection_ping(struct mcc_connection_t *connection);

// Changes the keepalive interval of this connection, in seconds: 1 to 4294967 (on UDP from 15), 0 for the configured one, or
// `MCC_KEEPALIVE_OFF`. It counts from the latest traffic, at once. It ends the adaptive mode; what that found out stays known. Any
// thread, callbacks included.
//
// Errors: `MCC_ERR_NULL_POINTER`, `MCC_ERR_INVALID_HANDLE`, `MCC_ERR_INVALID_ARGUMENT`, `MCC_ERR_OUT_OF_MEMORY`.
mcc_status_t mcc_connection_set_keepalive(struct mcc_connection_t *connection,
                                          uint32_t seconds);

// Writes what is known so far of the silences that the paths of networks bear, for `keepalive_state` of a later connection, after a
// restart of the device for instance, to the same service. It is meant to be kept, and to be read by this library only.
//
// The latest 16 networks are remembered, each with what was found out in it: a network is known by its interface's name and by its
// addresses (of IPv6 by the first 64 bits). `*size` is set to the state's size in bytes, at most `MCC_KEEPALIVE_STATE_MAX_SIZE`, also
// where it does not fit `room`. At any time before `mcc_connection_close`; any thread, callbacks included.
//
// Errors: `MCC_ERR_NULL_POINTER` (connection, state or size), `MCC_ERR_INVALID_HANDLE`, `MCC_ERR_INVALID_ARGUMENT` (`room` is too
// small; nothing was written to `state`).
mcc_status_t mcc_connection_keepalive_state(const struct mcc_connection_t *connection,
                                            uint8_t *state,
                                            size_t room,
                                            size_t *size);

// Writes what the connection has done so far, as far as the struct that `*stats` begins with has room. Any thread, callbacks
// included.
//
// Errors: `MCC_ERR_NULL_POINTER`, `MCC_ERR_INVALID_HANDLE`, `MCC_ERR_INVALID_ARGUMENT` (the struct's size was not set).
mcc_status_t mcc_connection_stats(const struct mcc_connection_t *connection,
                                  struct mcc_connection_stats_t *stats);

// Closes a connection; TLS and DTLS say so to the peer. It returns at once, and the handle is invalid from the call on.
//
// Each message not sent yet is then reported as failed with `MCC_ERR_CLOSED`, and the event `MCC_STATE_CLOSED` is the last: after
// it nothing uses `argument` any more. Any thread, callbacks of this connection included. Null does nothing, nor does a handle
// that is not one.
void mcc_connection_close(struct mcc_connection_t *connection);

// Lets `pal_setConnectionStatusCallback` work: false (the default) has it answer `PAL_ERR_NOT_SUPPORTED`.
//
// Mbed Cloud Client hands its own object to that function and never takes it back: switch it on in an application that does not use
// the client, or that calls `pal_unregisterNetworkInterface` or `pal_plat_socketsTerminate` before the object goes. Callbacks that are
// set already stay. Any thread. Only in a library that is built with the PAL functions.
void mcc_pal_enable_connection_status(bool enable);

// Makes a context. Null options mean the defaults.
//
// The caller owns it and ends it by `mcc_context_free`. Any thread. `*out` is written on success only.
//
// Errors: `MCC_ERR_NULL_POINTER` (out), `MCC_ERR_INVALID_ARGUMENT` (options), `MCC_ERR_OUT_OF_DESCRIPTORS`,
// `MCC_ERR_OUT_OF_MEMORY`, `MCC_ERR_THREAD`, `MCC_ERR_SYSTEM`.
mcc_status_t mcc_context_new(const struct mcc_context_options_t *options, struct mcc_context_t **out);

// The one descriptor to poll for reading in a loop of the program's own; when it is readable, call `mcc_context_process`.
//
// It stays the same while the context lives, belongs to the context, and becomes readable for deadlines too, so that the poll
// needs no timeout. Do nothing else with it. Any thread. -1: no such context, or one with a thread of its own.
int32_t mcc_context_fd(const struct mcc_context_t *context);

// Does what is due on a context without a thread of its own, and waits for it up to `timeout_ms` milliseconds: 0 does not wait,
// a negative number waits without limit.
//
// It returns after one round of work. All callbacks of the context's connections come from here. Any thread, one at a time.
//
// Errors: `MCC_ERR_INVALID_HANDLE`, `MCC_ERR_NULL_POINTER`, `MCC_ERR_WRONG_STATE` (the context has its own thread),
// `MCC_ERR_BUSY` (it is being processed already), `MCC_ERR_SYSTEM`.
mcc_status_t mcc_context_process(struct mcc_context_t *context,
                                 int32_t timeout_ms);

// Ends a context and what is still open on it: each message not sent yet is reported as failed, each connection as closed.
//
// With a thread of its own these last events come from that thread, and it has ended when the function returns. Without one they
// come from within this function, unless another thread is in `mcc_context_process`: then from there, before the function returns.
// From a callback, of this context or of another, the function returns at once, and they come afterwards.
// In every case the handles of the context and of its connections are invalid from the call on. Any thread. Null does nothing,
// nor does a handle that is not one.
void mcc_context_free(struct mcc_context_t *context);

// Makes a keepalive. Null options mean the defaults. Its time begins with the first call that says what time it is.
//
// The caller owns it and ends it by `mcc_keepalive_free`. `*out` is written on success only. Any thread.
//
// Errors: `MCC_ERR_NULL_POINTER` (out), `MCC_ERR_INVALID_ARGUMENT` (options), `MCC_ERR_OUT_OF_MEMORY`.
mcc_status_t mcc_keepalive_new(const struct mcc_keepalive_options_t *options,
                               struct mcc_keepalive_t **out);

// Says that the program has sent a message, other than a ping of this keepalive. `now_ms`: milliseconds of any clock that never
// goes back; an earlier time than before counts as that one. Any thread.
//
// Errors: `MCC_ERR_NULL_POINTER`, `MCC_ERR_INVALID_HANDLE`.
mcc_status_t mcc_keepalive_on_sent(struct mcc_keepalive_t *keepalive,
                                   uint64_t now_ms);

// As `mcc_keepalive_on_sent`, and notes the message ID of a Confirmable message, so that the Acknowledgement or Reset that answers
// it counts as a sign of life. `message` is one whole RFC 7252 message. Any thread.
//
// Errors: `MCC_ERR_NULL_POINTER`, `MCC_ERR_INVALID_HANDLE`, `MCC_ERR_EMPTY_MESSAGE` (size 0), `MCC_ERR_MESSAGE_TOO_LARGE` (over 65535
// bytes), `MCC_ERR_INVALID_MESSAGE`.
mcc_status_t mcc_keepalive_on_sent_message(struct mcc_keepalive_t *keepalive,
                                           uint64_t now_ms,
                                           const uint8_t *message,
                                           size_t size);

// Says that a message came in: one whole RFC 7252 message, without framing. Any thread.
//
// The answer to the ping proves the path, and so does any other valid message, but for an Acknowledgement or Reset that answers
// nothing that was sent. `now_ms` is as for `mcc_keepalive_on_sent`.
//
// Errors: `MCC_ERR_NULL_POINTER`, `MCC_ERR_INVALID_HANDLE`, `MCC_ERR_EMPTY_MESSAGE` (size 0), `MCC_ERR_MESSAGE_TOO_LARGE` (over 65535
// bytes), `MCC_ERR_INVALID_MESSAGE` (it proves nothing).
mcc_status_t mcc_keepalive_on_received(struct mcc_keepalive_t *keepalive,
                                       uint64_t now_ms,
                                       const uint8_t *message,
                                       size_t size);

// Says that a ping could not be sent: the next `mcc_keepalive_poll` says that the path is dead. `now_ms` is as for
// `mcc_keepalive_on_sent`. Any thread.
//
// Errors: `MCC_ERR_NULL_POINTER`, `MCC_ERR_INVALID_HANDLE`, `MCC_ERR_WRONG_STATE` (no ping is unanswered).
mcc_status_t mcc_keepalive_on_send_failed(struct mcc_keepalive_t *keepalive,
                                          uint64_t now_ms);

// Asks what is due at `now_ms`, which is as for `mcc_keepalive_on_sent`.
//
// `*next_ms` becomes the time by the same clock at which to ask again (the largest number: not before something happens). For
// `MCC_KEEPALIVE_SEND_PING` the ping, an RFC 7252 message, stands in `ping`, which has room for 4 bytes, and `*ping_size` becomes 4;
// else `*ping_size` becomes 0. Any thread.
//
// Errors: `MCC_KEEPALIVE_INVALID` (a null pointer, or a handle that is not one; nothing was written).
//
mcc_keepalive_action_t mcc_keepalive_poll(struct mcc_keepalive_t *keepalive,
                                          uint64_t now_ms,
                                          uint64_t *next_ms,
                                          uint8_t ping[4],
                                          size_t *ping_size);

// Changes the interval in seconds; the values are those of the option `interval_s`. It counts from the latest traffic. Any thread.
//
// Errors: `MCC_ERR_NULL_POINTER`, `MCC_ERR_INVALID_HANDLE`, `MCC_ERR_INVALID_ARGUMENT`.
mcc_status_t mcc_keepalive_set_interval(struct mcc_keepalive_t *keepalive,
                                        uint32_t seconds);

// Says that a new connection stands: nothing is outstanding, and the interval begins now. `now_ms` is as for
// `mcc_keepalive_on_sent`. Any thread.
//
// Errors: `MCC_ERR_NULL_POINTER`, `MCC_ERR_INVALID_HANDLE`.
mcc_status_t mcc_keepalive_restart(struct mcc_keepalive_t *keepalive, uint64_t now_ms);

// Writes how many milliseconds the latest answered ping took. Any thread.
//
// Errors: `MCC_ERR_NULL_POINTER`, `MCC_ERR_INVALID_HANDLE`, `MCC_ERR_WRONG_STATE` (no ping was answered yet).
mcc_status_t mcc_keepalive_round_trip_ms(const struct mcc_keepalive_t *keepalive, uint64_t *out);

// Ends a keepalive. Any thread. Null does nothing, nor does a handle that is not one.
void mcc_keepalive_free(struct mcc_keepalive_t *keepalive);

// Sets who gets the log of the whole library, up to `level` (one of `mcc_log_level_t`; what is beyond is taken as the nearest).
//
// Without it nothing is printed anywhere. A null callback ends the log; when this returns, the earlier callback no longer runs.
// Any thread, but not from the log callback.
//
// In a library with the PAL functions, the log goes to `mbed_vtracef` while no callback is set, where the program has that function:
// all levels, host names and addresses too, as the group "mcc", for Mbed Trace to sort. It is called from any thread, so that its
// mutex functions have to be set; what it calls must not call `mcc_log_set`. A callback with `MCC_LOG_OFF` keeps the log from there too.
void mcc_log_set(mcc_log_callback_t callback,
                 void *argument,
                 int32_t level);

// Checks whether this network lets a device through to the service, and gives the results to `callback` when all are there: how the
// device stands to the internet, each name, each port, then what it means in words, and a summary.
//
// It takes as long as the slowest check, at most `timeout_ms`; the checks run side by side on threads of their own, which end with
// it, but for a lookup by a resolver of the system that hangs. Null options mean the defaults. Any thread; not from a callback of a
// connection, which it would hold up. Names are asked of the resolvers and addresses are connected to, as a device would; nothing
// else leaves the machine.
//
// Errors: `MCC_ERR_NULL_POINTER` (callback, a host, or an element of a list), `MCC_ERR_INVALID_ARGUMENT` (a number out of its range,
// an unknown region, a resolver that is no address and port, an issuer that is none, an endpoint without a port), `MCC_ERR_URI_HOST`
// (a host that cannot be a name or an address), `MCC_ERR_CA_INVALID`, `MCC_ERR_CERTIFICATE_INVALID`, `MCC_ERR_KEY_INVALID`,
// `MCC_ERR_KEY_MISMATCH`, `MCC_ERR_OUT_OF_MEMORY`. Then nothing was checked. That the network stops the device is no error.
//
// Only in a library that is built with TLS and with this function (`MBED_CLOUD_CONNECTIVITY_TLS`,
// `MBED_CLOUD_CONNECTIVITY_NETCHECK_RUN`).
mcc_status_t mcc_netcheck_run(const struct mcc_netcheck_options_t *options,
                              mcc_netcheck_result_cb callback,
                              void *argument);

// Says whom the sessions of a TLS or DTLS configuration of the PAL are for: the name is sent to the server (SNI), and the server's
// certificate has to be for it. `configuration` is a `palTLSConfHandle_t`; the name is copied; null: no name, as without this call.
//
// Counts for sessions whose first `pal_handShake` comes later. Any thread. Returns a `palStatus_t`: 0 for success,
// `PAL_ERR_INVALID_ARGUMENT` (-15) for no configuration, an empty name, one of more than 255 bytes or that is not UTF-8. Only in a
// library that is built with the PAL functions.
int32_t mcc_pal_set_server_name(size_t configuration,
                                const char *name);

// The kind of failure that a status is.
//
// Any thread, any time. A number that is no status counts as `MCC_CLASS_ARGUMENT`.
mcc_error_class_t mcc_status_class(int32_t status);

// The name of a status, such as `MCC_ERR_URI_PORT`, for logs.
//
// Any thread, any time. The text is constant and is not to be freed; a number that is no status gives `MCC_ERR_?`.
const char *mcc_status_name(int32_t status);

// What a status means and what to do next, in a sentence for people.
//
// Any thread, any time. The text is constant and is not to be freed; a number that is no status gives a sentence too.
const char *mcc_status_text(int32_t status);

// The version of the library, for example `0.1.0`.
//
// Any thread, any time. The text is constant and is not to be freed.
const char *mcc_version(void);

// The keepalive interval in seconds that the build read as `MBED_CLIENT_TCP_KEEPALIVE_INTERVAL`; 540 where nothing set it.
//
// Any thread, any time. From 1 to 4294967.
uint32_t mcc_keepalive_interval_s(void);

// Where that interval was set, for example `mbed_cloud_client_user_config.h:12`, or `default`.
//
// Any thread, any time. The text is constant and is not to be freed.
const char *mcc_keepalive_interval_source(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MBED_CLOUD_CONNECTIVITY_H */

// The defaults of `mcc_context_options_t`, to begin with.
#define MCC_CONTEXT_OPTIONS_INIT { sizeof(mcc_context_options_t), 1 }

// The defaults of `mcc_tls_options_t`, to begin with.
#define MCC_TLS_OPTIONS_INIT \
    { sizeof(mcc_tls_options_t), 1, MCC_TLS_1_2, MCC_TLS_1_3, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL }

// The defaults of `mcc_connection_options_t`, to begin with.
#define MCC_CONNECTION_OPTIONS_INIT \
    { sizeof(mcc_connection_options_t), MCC_TRANSPORT_CONFIGURED, NULL, NULL, NULL, NULL, MCC_FRAMING_DEFAULT, 0, 10, 30000, 64, 0, 0, \
      2000, 0, 30000, 10000, 15000, 30000, 0, 75, 9, 0, NULL, 0, 0, 0, 3600, 150, 5, 0 }

// What `mcc_connection_stats_t` begins with before `mcc_connection_stats` writes it: its size, and zeros.
#define MCC_CONNECTION_STATS_INIT { sizeof(mcc_connection_stats_t), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

// The defaults of `mcc_keepalive_options_t`, to begin with.
#define MCC_KEEPALIVE_OPTIONS_INIT { sizeof(mcc_keepalive_options_t), 0, 10, 30000, 1, 0, 0 }

// The defaults of `mcc_netcheck_endpoint_t`, to begin with; `host` and a port have to be set.
#define MCC_NETCHECK_ENDPOINT_INIT { sizeof(mcc_netcheck_endpoint_t), 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL }

// The defaults of `mcc_netcheck_options_t`, to begin with.
#define MCC_NETCHECK_OPTIONS_INIT \
    { sizeof(mcc_netcheck_options_t), 14000, 0, 0, NULL, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0 }
