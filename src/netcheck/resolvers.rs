//! The resolvers that the system is set up with.

use nix::net::if_::if_nametoindex;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// The port of DNS (RFC 1035 section 4.2).
const DNS_PORT: u16 = 53;

/// How many the C library asks, `MAXNS` of resolv.h.
const MAX_RESOLVERS: usize = 3;

/// Those of resolv.conf; the one of this device if it names none.
pub(super) fn of_system() -> Vec<SocketAddr> {
    parse(&std::fs::read("/etc/resolv.conf").unwrap_or_default())
}

/// Whether the system's hosts file names a host.
pub(super) fn in_hosts_file(host: &str) -> bool {
    names(&std::fs::read("/etc/hosts").unwrap_or_default(), host)
}

/// Reads as the C library does: a line counts if it begins with the word, and what comes after the address does not.
fn parse(text: &[u8]) -> Vec<SocketAddr> {
    let text = String::from_utf8_lossy(text);
    let lines = text.lines().filter_map(|line| line.strip_prefix("nameserver"));
    let lines = lines.filter(|line| line.starts_with([' ', '\t']));
    let resolvers = lines.filter_map(|line| resolver(line.split_whitespace().next()?));
    let resolvers: Vec<SocketAddr> = resolvers.take(MAX_RESOLVERS).collect();
    if resolvers.is_empty() { vec![SocketAddr::from((Ipv4Addr::LOCALHOST, DNS_PORT))] } else { resolvers }
}

fn resolver(text: &str) -> Option<SocketAddr> {
    let Some((address, zone)) = text.split_once('%') else {
        return Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, DNS_PORT));
    };
    let address: Ipv6Addr = address.parse().ok()?;
    let zone = zone.parse().ok().or_else(|| if_nametoindex(zone).ok())?;
    Some(SocketAddrV6::new(address, DNS_PORT, 0, zone).into())
}

fn names(text: &[u8], host: &str) -> bool {
    let host = host.trim_end_matches('.');
    String::from_utf8_lossy(text).lines().any(|line| {
        let line = line.split('#').next().unwrap_or_default();
        line.split_whitespace().skip(1).any(|name| name.trim_end_matches('.').eq_ignore_ascii_case(host))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<String> {
        parse(text.as_bytes()).iter().map(SocketAddr::to_string).collect()
    }

    #[test]
    fn resolvers_are_read_as_the_c_library_reads_them() {
        let text = "# nameserver 192.0.2.9\n; nameserver 192.0.2.8\ndomain example.com\n\
            nameserver 192.0.2.1 # the first\nnameserver\t2001:db8::1\nnameserverless 192.0.2.7\n nameserver 192.0.2.6\n\
            nameserver nonsense\nnameserver\noptions timeout:1\nnameserver fe80::1%7\nnameserver 192.0.2.4\n";
        assert_eq!(parsed(text), ["192.0.2.1:53", "[2001:db8::1]:53", "[fe80::1%7]:53"]);
    }

    #[test]
    fn a_zone_can_be_the_name_of_an_interface() {
        let index = if_nametoindex("lo").unwrap();
        assert_eq!(parsed("nameserver fe80::1%lo\n"), [format!("[fe80::1%{index}]:53")]);
        assert_eq!(parsed("nameserver fe80::1%no-such-one\nnameserver 192.0.2.1%1\n"), ["127.0.0.1:53"]);
    }

    #[test]
    fn without_a_resolver_this_device_is_asked() {
        assert_eq!(parsed(""), ["127.0.0.1:53"]);
        assert_eq!(parse(b"\xFF\xFE\nnameserver \xFF\n"), ["127.0.0.1:53".parse().unwrap()]);
        assert!(!of_system().is_empty());
    }

    #[test]
    fn a_hosts_file_names_hosts_in_any_case_and_not_in_comments() {
        let text = b"127.0.0.1 localhost\n192.0.2.1\tDevice.Example. alias # not.example\n";
        assert!(names(text, "localhost") && names(text, "device.example") && names(text, "ALIAS."));
        assert!(!names(text, "not.example") && !names(text, "192.0.2.1") && !names(text, "example"));
        assert!(in_hosts_file("localhost") == names(&std::fs::read("/etc/hosts").unwrap_or_default(), "localhost"));
    }
}
