//! What a resolver answers to the network check: addresses of the family that was asked for, each once, and no more than there is room
//! for in the message.
//!
//! Input: family (1 byte), then the message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mbed_cloud_connectivity::netcheck::read_any;
use mbed_cloud_connectivity_fuzz::{Reader, panics_are_findings};
use std::collections::BTreeSet;

const HOST: &str = "device.example";
/// RFC 1035 section 3.2.1: a name of at least one byte, type, class, time to live and length, then an address of at least four.
const SHORTEST_RECORD: usize = 1 + 2 + 2 + 4 + 2 + 4;

fuzz_target!(init: {
    assert_eq!(read_any(HOST, false, &[0; 12]), None);
    panics_are_findings();
}, |input: &[u8]| {
    let mut input = Reader::new(input);
    let ipv6 = input.byte() & 1 != 0;
    let message = input.rest();
    if let Some((addresses, ttl)) = read_any(HOST, ipv6, message) {
        assert_eq!(ttl.is_some(), !addresses.is_empty());
        assert!(ttl.is_none_or(|ttl| ttl <= i32::MAX as u32));
        assert!(addresses.iter().all(|address| address.is_ipv6() == ipv6));
        assert_eq!(addresses.iter().collect::<BTreeSet<_>>().len(), addresses.len());
        assert!(addresses.len() * SHORTEST_RECORD <= message.len());
    }
});
