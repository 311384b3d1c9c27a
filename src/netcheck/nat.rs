//! How this device stands to the internet: which address of its own it would use. No packet is sent for it.

use super::range::{self, Range};
use super::verdict::NatVerdict;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// For documentation (RFC 5737, RFC 3849): packets to them would take the way to the internet, and none is sent.
const SOMEWHERE: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 1))];

/// Looks at the way to the first address of the internet of each family among these; to any, where there is none, or no way to it: a
/// device that has IPv6 alone is not without a network because a service has IPv4 alone.
pub(super) fn check(addresses: &[IpAddr]) -> NatVerdict {
    towards(addresses, own_address)
}

fn towards(addresses: &[IpAddr], own_address: impl Fn(IpAddr) -> Option<IpAddr>) -> NatVerdict {
    let of_internet = |ipv4| {
        addresses.iter().find(|address| address.is_ipv4() == ipv4 && range::of(**address) == Range::Internet).copied()
    };
    let towards = [of_internet(true), of_internet(false)].into_iter().flatten();
    match judge(towards.filter_map(&own_address)) {
        NatVerdict::NoAddress => judge(SOMEWHERE.into_iter().filter_map(own_address)),
        verdict => verdict,
    }
}

/// The address that the system would send from.
fn own_address(towards: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = if towards.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    // The port of a socket that is connected only makes no difference.
    socket.connect(SocketAddr::new(towards, super::endpoint::COAPS_PORT)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// One family behind a NAT is enough to need what a NAT needs.
fn judge(own: impl Iterator<Item = IpAddr>) -> NatVerdict {
    let mut verdict = NatVerdict::NoAddress;
    for address in own {
        match range::of(address) {
            Range::Local => return NatVerdict::BehindNat { address },
            Range::Internet if verdict == NatVerdict::NoAddress => verdict = NatVerdict::Direct { address },
            _ => {}
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(own: &[&str]) -> NatVerdict {
        judge(own.iter().map(|address| address.parse().unwrap()))
    }

    #[test]
    fn an_address_of_a_private_or_shared_range_is_behind_a_nat() {
        for own in ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.1.1", "fd00::1", "fe80::1"] {
            assert_eq!(judged(&[own]), NatVerdict::BehindNat { address: own.parse().unwrap() });
            assert_eq!(judged(&["2600::1", own]), NatVerdict::BehindNat { address: own.parse().unwrap() });
        }
        for own in ["8.8.8.8", "2600::1"] {
            assert_eq!(judged(&[own]), NatVerdict::Direct { address: own.parse().unwrap() });
        }
        for own in [&[][..], &["127.0.0.1"], &["::1"], &["0.0.0.0"]] {
            assert_eq!(judged(own), NatVerdict::NoAddress);
        }
    }

    #[test]
    fn a_device_of_one_family_has_a_network_whatever_family_the_services_have() {
        let own: IpAddr = "2600::2".parse().unwrap();
        let ipv6_alone = |to: IpAddr| to.is_ipv6().then_some(own);
        let of_ipv4 = ["8.8.8.8".parse().unwrap()];
        assert_eq!(towards(&of_ipv4, ipv6_alone), NatVerdict::Direct { address: own });
        assert_eq!(towards(&of_ipv4, |_| None), NatVerdict::NoAddress);
    }

    #[test]
    fn the_systems_own_choice_of_an_address_is_asked_for() {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(own_address(loopback), Some(loopback));
        // A way to this device is none to the internet, so the one to anywhere counts.
        assert_eq!(check(&[loopback]), check(&[]));
    }
}
