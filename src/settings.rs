//! The values compiled in, and where each came from.
//!
//! The build script reads the application's header, its `mbed_app.json` and its compile definitions; what none of
//! them sets has the default. An application that links a prebuilt archive may give the first three another value at
//! link time: these are the archive's own.

#![allow(dead_code, reason = "every setting is compiled in, whether or not a module reads it yet")]

/// What the build script wrote.
mod generated {
    include!(concat!(env!("OUT_DIR"), "/settings.rs"));
}

/// How the device speaks to the service, as the application's configuration names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransportMode {
    /// CoAP over UDP or DTLS.
    Udp,
    /// CoAP over TCP or TLS.
    Tcp,
    /// UDP, with the service keeping messages while the device sleeps.
    UdpQueue,
    /// TCP, with the service keeping messages while the device sleeps.
    TcpQueue,
}

/// Seconds between keepalives (`MBED_CLIENT_TCP_KEEPALIVE_INTERVAL`), 1 to 4294967; 540 unless configured.
pub const KEEPALIVE_INTERVAL_S: u32 = generated::KEEPALIVE_INTERVAL_S;
/// The place that set [`KEEPALIVE_INTERVAL_S`], such as `mbed_cloud_client_user_config.h:12`, or `default`.
pub const KEEPALIVE_INTERVAL_SOURCE: &str = generated::KEEPALIVE_INTERVAL_SOURCE;

/// The longest wait before a reconnection, in seconds (`MBED_CLIENT_MAX_RECONNECT_TIMEOUT`); 14400 unless configured.
pub const MAX_RECONNECT_TIMEOUT_S: u32 = generated::MAX_RECONNECT_TIMEOUT_S;
/// The place that set [`MAX_RECONNECT_TIMEOUT_S`].
pub const MAX_RECONNECT_TIMEOUT_SOURCE: &str = generated::MAX_RECONNECT_TIMEOUT_SOURCE;

/// Bytes of the largest message accepted (`SN_COAP_MAX_INCOMING_MESSAGE_SIZE`); 65535 unless configured.
pub const MAX_INCOMING_MESSAGE_SIZE: u32 = generated::MAX_INCOMING_MESSAGE_SIZE;
/// The place that set [`MAX_INCOMING_MESSAGE_SIZE`].
pub const MAX_INCOMING_MESSAGE_SIZE_SOURCE: &str = generated::MAX_INCOMING_MESSAGE_SIZE_SOURCE;

/// How many reconnections are tried (`MBED_CLIENT_RECONNECTION_COUNT`), where the application says so.
pub const RECONNECTION_COUNT: Option<u32> = generated::RECONNECTION_COUNT;

/// The port used in place of the one in the service's address (`MBED_CLOUD_CLIENT_CUSTOM_URI_PORT`), where set.
pub const CUSTOM_URI_PORT: Option<u16> = generated::CUSTOM_URI_PORT;

/// The transport mode (`MBED_CLOUD_CLIENT_TRANSPORT_MODE_*`); TCP unless configured.
pub const TRANSPORT_MODE: TransportMode = generated::TRANSPORT_MODE;

/// The DNS interface of the PAL (`PAL_DNS_API_VERSION`): 0 synchronous, 1 asynchronous, 3 with cancelling.
pub const PAL_DNS_API_VERSION: u32 = generated::PAL_DNS_API_VERSION as u32;

/// The cipher suite of the PAL (`PAL_TLS_CIPHER_SUITE`), one of the `PAL_TLS_*_SUITE` numbers.
pub const PAL_TLS_CIPHER_SUITE: u32 = generated::PAL_TLS_CIPHER_SUITE as u32;

/// How many network interfaces may be registered (`PAL_MAX_SUPORTED_NET_INTERFACES`), 1 to 256.
pub const PAL_MAX_SUPORTED_NET_INTERFACES: usize = generated::PAL_MAX_SUPORTED_NET_INTERFACES as usize;

/// The index that stands for the interface that the system chooses (`PAL_NET_DEFAULT_INTERFACE`).
pub const PAL_NET_DEFAULT_INTERFACE: u32 = generated::PAL_NET_DEFAULT_INTERFACE as u32;

/// Which address families a name is resolved to (`PAL_NET_DNS_IP_SUPPORT`): one of the three numbers that follow.
pub const PAL_NET_DNS_IP_SUPPORT: u32 = generated::PAL_NET_DNS_IP_SUPPORT as u32;
/// Either family.
pub const PAL_NET_DNS_ANY: u32 = generated::PAL_NET_DNS_ANY as u32;
/// IPv4 only.
pub const PAL_NET_DNS_IPV4_ONLY: u32 = generated::PAL_NET_DNS_IPV4_ONLY as u32;
/// IPv6 only.
pub const PAL_NET_DNS_IPV6_ONLY: u32 = generated::PAL_NET_DNS_IPV6_ONLY as u32;

/// Whether IPv4 is built in (`PAL_SUPPORT_IP_V4`).
pub const PAL_SUPPORT_IP_V4: bool = generated::PAL_SUPPORT_IP_V4 != 0;
/// Whether IPv6 is built in (`PAL_SUPPORT_IP_V6`).
pub const PAL_SUPPORT_IP_V6: bool = generated::PAL_SUPPORT_IP_V6 != 0;

/// Whether certificates authenticate (`PAL_ENABLE_X509`).
pub const PAL_ENABLE_X509: bool = generated::PAL_ENABLE_X509 != 0;
/// Whether pre-shared keys authenticate (`PAL_ENABLE_PSK`).
pub const PAL_ENABLE_PSK: bool = generated::PAL_ENABLE_PSK != 0;
/// Whether certificates are judged at the server's time when the own clock is not set (`PAL_USE_SECURE_TIME`).
pub const PAL_USE_SECURE_TIME: bool = generated::PAL_USE_SECURE_TIME != 0;
/// Whether TLS sessions are resumed (`PAL_USE_SSL_SESSION_RESUME`).
pub const PAL_USE_SSL_SESSION_RESUME: bool = generated::PAL_USE_SSL_SESSION_RESUME != 0;
/// Seconds since 1970 before which a clock counts as not set (`PAL_MIN_SEC_FROM_EPOCH`).
pub const PAL_MIN_SEC_FROM_EPOCH: u64 = generated::PAL_MIN_SEC_FROM_EPOCH;
/// Milliseconds before the first repetition of a DTLS flight, at least (`PAL_DTLS_PEER_MIN_TIMEOUT`).
pub const PAL_DTLS_PEER_MIN_TIMEOUT: u64 = generated::PAL_DTLS_PEER_MIN_TIMEOUT;
/// How much the TLS library says in its trace (`PAL_TLS_DEBUG_THRESHOLD`).
pub const PAL_TLS_DEBUG_THRESHOLD: u32 = generated::PAL_TLS_DEBUG_THRESHOLD as u32;

/// Every `PAL_*` value: its name, as written, and the place that set it.
pub const PAL: &[(&str, &str, &str)] = generated::PAL;
