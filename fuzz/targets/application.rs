//! What an application hands over as bytes: the URI, and the state of the keepalive from an earlier run.
//!
//! Input: either of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mbed_cloud_connectivity::connection::endpoint::{Endpoint, Host};
use mbed_cloud_connectivity::connection::networks::{MAX_EXPORT_SIZE, Networks};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(endpoint) = Endpoint::parse(bytes, None) {
        assert_ne!(endpoint.port, 0);
        let host = endpoint.host.to_string();
        assert_eq!(Host::parse(&host).as_ref(), Ok(&endpoint.host), "the host is another one by itself");
        let secure = if endpoint.secure { "s" } else { "" };
        let tcp = if endpoint.rfc8323 { "+tcp" } else { "" };
        let host = if host.contains(':') { format!("[{}]", host.replace('%', "%25")) } else { host };
        let uri = format!("coap{secure}{tcp}://{host}:{}", endpoint.port);
        assert_eq!(Endpoint::parse(uri.as_bytes(), Some(7)), Ok(endpoint), "{uri}");
    }

    let _ = Networks::import(bytes);
    // The checksum keeps whatever is not an export out: here it is put right, so that something gets in.
    let mut signed = b"MCCKEEP\x01".to_vec();
    signed.extend_from_slice(bytes);
    let sum = signed.iter().fold(0x811C_9DC5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    signed.extend(sum.to_be_bytes());
    let networks = Networks::import(&signed);
    assert_eq!(networks.is_some(), bytes.len() % 24 == 0);
    if let Some(networks) = networks {
        let export = networks.export();
        assert!(export.len() <= MAX_EXPORT_SIZE);
        assert_eq!(Networks::import(&export), Some(networks));
    }
});
