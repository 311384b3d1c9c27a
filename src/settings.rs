//! The values compiled in, and where they came from.
//!
//! The build script reads the application's header, its `mbed_app.json` and its compile definitions (see the crate
//! `mbed-cloud-connectivity-settings` and `docs/configuration.md`). What an application that links a prebuilt archive sets at link
//! time stands in `ffi::configured`.

/// What the build script wrote.
mod generated {
    #![allow(
        dead_code,
        reason = "the build script writes every value that the contract names; this is the part in use"
    )]
    include!(concat!(env!("OUT_DIR"), "/settings.rs"));
}

/// How the device speaks to the service, as the application's configuration names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "a build has the one that its configuration names")]
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
/// Bytes of the largest message accepted (`SN_COAP_MAX_INCOMING_MESSAGE_SIZE`); 65535 unless configured.
pub const MAX_INCOMING_MESSAGE_SIZE: u32 = generated::MAX_INCOMING_MESSAGE_SIZE;
/// The port where the URI has none (`MBED_CLOUD_CLIENT_CUSTOM_URI_PORT`), if one is set.
pub const CUSTOM_URI_PORT: Option<u16> = generated::CUSTOM_URI_PORT;
/// The transport mode (`MBED_CLOUD_CLIENT_TRANSPORT_MODE_*`); TCP unless configured.
pub const TRANSPORT_MODE: TransportMode = generated::TRANSPORT_MODE;

/// How many interfaces can be registered (`PAL_MAX_SUPORTED_NET_INTERFACES`); 1 unless configured.
#[cfg(feature = "pal")]
pub const PAL_MAX_SUPORTED_NET_INTERFACES: usize = generated::PAL_MAX_SUPORTED_NET_INTERFACES as usize;
/// Seconds of a round trip (`PAL_DEFAULT_RTT_ESTIMATE`); 3 unless configured.
#[cfg(feature = "pal")]
pub const PAL_DEFAULT_RTT_ESTIMATE: u8 = generated::PAL_DEFAULT_RTT_ESTIMATE as u8;
/// Seconds between messages (`PAL_DEFAULT_STAGGER_ESTIMATE`); 0 unless configured.
#[cfg(feature = "pal")]
pub const PAL_DEFAULT_STAGGER_ESTIMATE: u16 = generated::PAL_DEFAULT_STAGGER_ESTIMATE as u16;
/// The suite that the PAL's TLS prefers (`PAL_TLS_CIPHER_SUITE`), by IANA's number; ECDHE-ECDSA-AES128-CCM-8 unless configured.
#[cfg(feature = "pal")]
pub const PAL_TLS_CIPHER_SUITE: u16 = match generated::PAL_TLS_CIPHER_SUITE {
    generated::PAL_TLS_PSK_WITH_AES_128_CCM_8_SUITE => 0xC0A8,
    generated::PAL_TLS_PSK_WITH_AES_256_CCM_8_SUITE => 0xC0A9,
    generated::PAL_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256_SUITE => 0xC02B,
    generated::PAL_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384_SUITE => 0xC02C,
    generated::PAL_TLS_ECDHE_ECDSA_WITH_ARIA_128_GCM_SHA256_SUITE => 0xC05C,
    _ => 0xC0AE,
};
/// Whether the PAL's TLS offers that suite alone (`PAL_TLS_ONLY_CIPHER_SUITE`); no unless configured.
#[cfg(feature = "pal")]
pub const PAL_TLS_ONLY_CIPHER_SUITE: bool = generated::PAL_TLS_ONLY_CIPHER_SUITE != 0;
/// Whether the PAL's TLS offers version 1.3 beside 1.2 (`PAL_TLS_1_3`); no unless configured.
#[cfg(feature = "pal")]
pub const PAL_TLS_1_3: bool = generated::PAL_TLS_1_3 != 0;
/// Whether lookups by the PAL give addresses of IPv4, and of IPv6 (`PAL_NET_DNS_IP_SUPPORT`); both unless configured.
#[cfg(feature = "pal")]
pub const PAL_DNS_FAMILIES: (bool, bool) = (
    generated::PAL_NET_DNS_IP_SUPPORT != generated::PAL_NET_DNS_IPV6_ONLY,
    generated::PAL_NET_DNS_IP_SUPPORT != generated::PAL_NET_DNS_IPV4_ONLY,
);
