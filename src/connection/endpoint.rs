//! Where to connect to: the URI of a CoAP server (RFC 7252 section 6, RFC 8323 section 8), without a path.

use crate::error::Status;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// RFC 7252 section 6.1.
const COAP_PORT: u16 = 5683;
/// RFC 7252 section 6.2.
const COAPS_PORT: u16 = 5684;
/// RFC 1035 section 2.3.4, written without the length bytes.
const MAX_NAME_SIZE: usize = 253;
const MAX_LABEL_SIZE: usize = 63;

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether TLS, over datagrams DTLS, is asked for.
    pub secure: bool,
    /// Whether RFC 8323 is asked for; otherwise the transport is not said by the URI.
    pub rfc8323: bool,
    /// The host.
    pub host: Host,
    /// The port, never 0.
    pub port: u16,
}

/// A host: a name to look up, or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A name, or an IPv6 address with a zone (RFC 6874), which the system's lookup understands.
    Name(String),
    /// An address, without a zone.
    Address(IpAddr),
}

impl Host {
    /// A name or an address by itself; an IPv6 address stands without brackets here.
    pub fn parse(text: &str) -> Result<Self, Status> {
        if text.contains(':') { parse_ipv6(text, text.split_once('%')) } else { parse_name(text) }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => formatter.write_str(name),
            Host::Address(address) => address.fmt(formatter),
        }
    }
}

/// What stands before and behind the first `mark`, which is ASCII. The standard library's search for strings is of several kilobytes.
fn split_at<'a>(text: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    let at = text.as_bytes().windows(mark.len()).position(|window| window == mark.as_bytes())?;
    Some((text.get(..at)?, text.get(at + mark.len()..)?))
}

impl Endpoint {
    /// Reads a URI such as `coaps://lwm2m.example.com:5684`. `default_port` counts where the URI has none, before the scheme's own.
    pub fn parse(uri: &[u8], default_port: Option<u16>) -> Result<Self, Status> {
        let uri = std::str::from_utf8(uri).map_err(|_| Status::UriSyntax)?;
        let (scheme, rest) = split_at(uri, "://").ok_or(Status::UriSyntax)?;
        let (secure, rfc8323) = match scheme.to_ascii_lowercase().as_str() {
            "coap" => (false, false),
            "coaps" => (true, false),
            "coap+tcp" => (false, true),
            "coaps+tcp" => (true, true),
            _ => return Err(Status::UriScheme),
        };
        // A lone slash is the same as no path (RFC 7252 section 6.3).
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#', '@']) {
            return Err(Status::UriSyntax);
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(literal) => {
                let (address, after) = literal.split_once(']').ok_or(Status::UriHost)?;
                let port = match after.strip_prefix(':') {
                    Some(port) => Some(port),
                    None if after.is_empty() => None,
                    None => return Err(Status::UriSyntax),
                };
                // RFC 6874: in a URI the percent sign before a zone is itself percent-encoded.
                (parse_ipv6(address, split_at(address, "%25").or_else(|| address.split_once('%')))?, port)
            }
            None => {
                let (host, port) = match authority.split_once(':') {
                    // An IPv6 address without its brackets.
                    Some((_, port)) if port.contains(':') => return Err(Status::UriHost),
                    Some((host, port)) => (host, Some(port)),
                    None => (authority, None),
                };
                (parse_name(host)?, port)
            }
        };
        let port = match port {
            Some(port) => parse_port(port)?,
            None => default_port.unwrap_or(if secure { COAPS_PORT } else { COAP_PORT }),
        };
        Ok(Self { secure, rfc8323, host, port })
    }
}

fn parse_port(port: &str) -> Result<u16, Status> {
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Status::UriPort);
    }
    port.parse().ok().filter(|port| *port != 0).ok_or(Status::UriPort)
}

fn parse_ipv6(literal: &str, parts: Option<(&str, &str)>) -> Result<Host, Status> {
    let (address, zone) = match parts {
        Some((address, zone)) => (address, Some(zone)),
        None => (literal, None),
    };
    let address: Ipv6Addr = address.parse().map_err(|_| Status::UriHost)?;
    match zone {
        None => Ok(Host::Address(address.into())),
        Some(zone)
            if !zone.is_empty() && zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) =>
        {
            Ok(Host::Name(format!("{address}%{zone}")))
        }
        Some(_) => Err(Status::UriHost),
    }
}

fn parse_name(host: &str) -> Result<Host, Status> {
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok(Host::Address(address.into()));
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let good_label = |label: &str| {
        (1..=MAX_LABEL_SIZE).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A name that ends in a number is an IPv4 address with a mistake in it.
    let numeric = name.rsplit('.').next().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    if name.len() > MAX_NAME_SIZE || numeric || !name.split('.').all(good_label) {
        return Err(Status::UriHost);
    }
    Ok(Host::Name(host.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(uri: &str) -> Result<Endpoint, Status> {
        Endpoint::parse(uri.as_bytes(), None)
    }

    #[test]
    fn schemes_hosts_and_ports_are_read() {
        let name = |name: &str| Host::Name(name.to_owned());
        let address = |address: &str| Host::Address(address.parse().unwrap());
        for (uri, secure, rfc8323, host, port) in [
            ("coap://device.example.com", false, false, name("device.example.com"), 5683),
            ("coaps://device.example.com", true, false, name("device.example.com"), 5684),
            ("COAPS+TCP://a_b.example.:443/", true, true, name("a_b.example."), 443),
            ("coap+tcp://127.0.0.1", false, true, address("127.0.0.1"), 5683),
            ("coaps://[::1]:1", true, false, address("::1"), 1),
            ("coaps://[2001:db8::7]", true, false, address("2001:db8::7"), 5684),
            ("coap://[fe80::1%25eth0]:65535", false, false, name("fe80::1%eth0"), 65535),
        ] {
            assert_eq!(parse(uri), Ok(Endpoint { secure, rfc8323, host, port }), "{uri}");
        }
        assert_eq!(Endpoint::parse(b"coap://x", Some(7)).unwrap().port, 7);
        assert_eq!(Endpoint::parse(b"coap://x:8", Some(7)).unwrap().port, 8);
        assert_eq!(parse("coaps://[::1]").unwrap().host.to_string(), "::1");
    }

    #[test]
    fn a_host_by_itself_is_read_too() {
        // Nothing is percent-encoded outside a URI: this interface is called 25h.
        assert_eq!(Host::parse("fe80::1%25h"), Ok(Host::Name("fe80::1%25h".into())));
        assert_eq!(parse("coap://[fe80::1%2525h]").map(|endpoint| endpoint.host), Host::parse("fe80::1%25h"));
        assert_eq!(Host::parse("::1"), Ok(Host::Address("::1".parse().unwrap())));
        assert_eq!(Host::parse("a.example"), Ok(Host::Name("a.example".into())));
        for wrong in ["", "a b", "a:b", "[::1]", &"a".repeat(300)] {
            assert_eq!(Host::parse(wrong), Err(Status::UriHost), "{wrong}");
        }
    }

    #[test]
    fn each_mistake_has_its_own_status() {
        for (uri, status) in [
            ("", Status::UriSyntax),
            ("coap//x", Status::UriSyntax),
            ("coap:x", Status::UriSyntax),
            ("coap://x/path", Status::UriSyntax),
            ("coap://x?query", Status::UriSyntax),
            ("coap://user@x", Status::UriSyntax),
            ("coap://[::1]x", Status::UriSyntax),
            ("http://x", Status::UriScheme),
            ("://x", Status::UriScheme),
            ("coap://", Status::UriHost),
            ("coap://:5683", Status::UriHost),
            ("coap://::1", Status::UriHost),
            ("coap://fe80::1:5683", Status::UriHost),
            ("coap://[::1", Status::UriHost),
            ("coap://[x]", Status::UriHost),
            ("coap://[::1%25]", Status::UriHost),
            ("coap://[::1%25a b]", Status::UriHost),
            ("coap://a..b", Status::UriHost),
            ("coap://-a", Status::UriHost),
            ("coap://a b", Status::UriHost),
            ("coap://ä.example", Status::UriHost),
            ("coap://256.1.1.1", Status::UriHost),
            ("coap://1.2.3", Status::UriHost),
            ("coap://x:", Status::UriPort),
            ("coap://x:0", Status::UriPort),
            ("coap://x:65536", Status::UriPort),
            ("coap://x:+1", Status::UriPort),
            ("coap://x:port", Status::UriPort),
            ("coap://[::1]:", Status::UriPort),
        ] {
            assert_eq!(parse(uri).err(), Some(status), "{uri}");
        }
        assert_eq!(Endpoint::parse(b"coap://\xff", None).err(), Some(Status::UriSyntax));
        assert_eq!(parse(&format!("coap://{}", "a".repeat(10_000))).err(), Some(Status::UriHost));
    }
}
