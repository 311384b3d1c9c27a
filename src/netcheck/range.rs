//! Which addresses the internet has, and which only a network of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// On the internet.
    Internet,
    /// In a network of its own: private, shared, link-local, unique-local, for tests or documentation.
    Local,
    /// On this device.
    Loopback,
    /// Nowhere: no host can be reached by it.
    Nowhere,
}

/// By the IANA's registries of special-purpose addresses (RFC 6890).
pub(super) fn of(address: IpAddr) -> Range {
    match address {
        IpAddr::V4(address) => of_ipv4(address),
        IpAddr::V6(address) => of_ipv6(address),
    }
}

fn of_ipv4(address: Ipv4Addr) -> Range {
    let octets = address.octets();
    match octets {
        // This network (RFC 1122), multicast (RFC 5771) with what is reserved above it (RFC 1112), and broadcast.
        [0 | 224.., ..] => Range::Nowhere,
        _ if address.is_loopback() => Range::Loopback,
        _ if address.is_private() || address.is_link_local() || address.is_documentation() => Range::Local,
        // Shared (RFC 6598), for protocols (RFC 6890), for benchmarks (RFC 2544).
        [100, 64..=127, ..] | [192, 0, 0, _] | [198, 18..=19, ..] => Range::Local,
        _ => Range::Internet,
    }
}

fn of_ipv6(address: Ipv6Addr) -> Range {
    if let Some(address) = address.to_ipv4_mapped() {
        return of_ipv4(address);
    }
    match address.segments() {
        _ if address.is_loopback() => Range::Loopback,
        _ if address.is_unspecified() || address.is_multicast() => Range::Nowhere,
        // Documentation (RFC 3849, RFC 9637).
        [0x2001, 0xDB8, ..] | [0x3FFF, 0..=0xFFF, ..] => Range::Local,
        // What is given out (RFC 4291), and what a network translates to IPv4 (RFC 6052, RFC 8215).
        [0x2000..=0x3FFF, ..] | [0x64, 0xFF9B, 0, 0, 0, 0, ..] | [0x64, 0xFF9B, 1, ..] => Range::Internet,
        // Unique-local (RFC 4193), link-local, and what nobody has been given.
        _ => Range::Local,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_count_where_their_registry_says() {
        let of = |address: &str| super::of(address.parse().unwrap());
        for address in ["8.8.8.8", "100.63.255.255", "100.128.0.0", "172.32.0.1", "2600::1", "64:ff9b::808:808"] {
            assert_eq!(of(address), Range::Internet, "{address}");
        }
        for address in [
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "100.64.0.1",
            "169.254.0.1",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "198.18.0.1",
            "192.0.0.8",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "2001:db8::1",
            "3fff::1",
            "::ffff:10.0.0.1",
            "100::1",
        ] {
            assert_eq!(of(address), Range::Local, "{address}");
        }
        for address in ["127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(of(address), Range::Loopback, "{address}");
        }
        for address in ["0.0.0.0", "0.1.2.3", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "ff02::1"] {
            assert_eq!(of(address), Range::Nowhere, "{address}");
        }
    }
}
