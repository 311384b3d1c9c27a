//! The forms in which TLS sessions are stored, written down a second time.

use mbed_cloud_connectivity_mbedtls::config::{ClientConfig, TransportKind};
use sha2::{Digest, Sha256};
use std::sync::{Arc, LazyLock};

/// Begins a saved session of TLS.
pub const SAVED_HEAD: &[u8; 8] = b"MCCTLS\0\x01";
/// Begins the state of a DTLS session.
pub const CONTEXT_HEAD: &[u8; 8] = b"MCCDTLS\x01";
/// Says that a part of an item is a session of TLS.
pub const SESSION_TAG: u8 = 1;
/// Says that a part of an item is the state of a DTLS session.
pub const CONTEXT_TAG: u8 = 2;

/// The identity and the key by which server and client know each other.
pub const PSK: (&[u8], &[u8]) = (b"fuzz", &[0x5a; 16]);

/// The configuration under which sessions are stored.
pub fn config(transport: TransportKind) -> Arc<ClientConfig> {
    static CONFIGS: LazyLock<[Arc<ClientConfig>; 2]> = LazyLock::new(|| {
        [TransportKind::Stream, TransportKind::Datagram].map(|transport| {
            ClientConfig::builder(transport).psk(PSK.0, PSK.1).build().expect("a key is all that it takes")
        })
    });
    CONFIGS[usize::from(transport == TransportKind::Datagram)].clone()
}

/// An item with one part.
pub fn in_item(tag: u8, part: &[u8]) -> Vec<u8> {
    let size = u32::try_from(part.len()).expect("it is short").to_be_bytes();
    [b"MCCITEM\x01", &[tag][..], &size, part].concat()
}

/// What is stored of one session, with a hash that is right.
pub fn wrapped(head: &[u8; 8], binding: &[u8; 32], content: &[u8]) -> Vec<u8> {
    let bound = [binding, content].concat();
    [head, &Sha256::digest(&bound)[..], &bound].concat()
}

/// What a session of TLS for any name is bound to.
pub fn session_binding(config: &ClientConfig) -> [u8; 32] {
    Sha256::digest([&config.fingerprint()[..], &[1, 0]].concat()).into()
}
