//! What the checks can find, as types. What each means for a device, in words, is in [`super::finding`].

use std::net::IpAddr;
use std::time::Duration;

/// What a host's name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(tag = "verdict", rename_all = "snake_case"))]
pub enum NameVerdict {
    /// Addresses of the internet.
    Ok,
    /// The host was given as an address.
    IsAddress,
    /// A resolver says that there is no such name, or that it has no address.
    NoSuchName,
    /// The resolvers fail.
    ServerFailure {
        /// The response code of RFC 1035 section 4.1.1, such as 2 (SERVFAIL) or 5 (REFUSED).
        code: u16,
    },
    /// No resolver answers.
    NoAnswer,
    /// This device could not ask a resolver.
    NotTried {
        /// The error number of the system, such as 24 (EMFILE).
        errno: i32,
    },
    /// No resolver knows the name, and the system has addresses for it all the same: from a hosts file.
    HostsFileOnly,
    /// An address that no service of the internet can have.
    Sinkhole {
        /// Which.
        address: IpAddr,
    },
    /// Two resolvers have no address in common.
    Disagree,
}

/// Whether a resolver keeps to the time that an answer may be kept for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(tag = "verdict", rename_all = "snake_case"))]
pub enum TtlVerdict {
    /// The answer was new or has less time left the second time.
    Ok,
    /// The answer outlives its time.
    Stale {
        /// What shows it.
        why: Staleness,
    },
    /// It could not be told.
    Unknown,
}

/// What shows that a resolver keeps answers for too long.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(tag = "kind", rename_all = "snake_case"))]
pub enum Staleness {
    /// The same answer came again after its time was over, or with as much time left as before.
    ServedPastTtl {
        /// The time to live at first, in seconds.
        first: u32,
        /// The time to live later, in seconds.
        later: u32,
    },
    /// It gives longer than another resolver does.
    TtlRaised {
        /// The time to live that it gives, in seconds.
        given: u32,
        /// The time to live that the other resolver gives, in seconds.
        elsewhere: u32,
    },
}

/// What a TCP connect to a port came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(tag = "verdict", rename_all = "snake_case"))]
pub enum TcpVerdict {
    /// It connects.
    Open {
        /// How long that took.
        #[cfg_attr(feature = "serde", serde(serialize_with = "super::milliseconds", rename = "round_trip_ms"))]
        round_trip: Duration,
    },
    /// Refused.
    Refused,
    /// No answer: filtered.
    TimedOut,
    /// The network says that the host cannot be reached, or this device has no way to it.
    Unreachable {
        /// The error of the system.
        errno: i32,
    },
    /// This device could not try.
    NotTried {
        /// The error of the system.
        errno: i32,
    },
}

/// What a DTLS ClientHello to a UDP port came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(tag = "verdict", rename_all = "snake_case"))]
pub enum UdpVerdict {
    /// DTLS answers.
    Open {
        /// How long that took.
        #[cfg_attr(feature = "serde", serde(serialize_with = "super::milliseconds", rename = "round_trip_ms"))]
        round_trip: Duration,
    },
    /// No answer, or none that is DTLS.
    Silent,
    /// The network says by ICMP that the port or the host cannot be reached, or this device has no way to it.
    Unreachable {
        /// The error of the system.
        errno: i32,
    },
    /// This device could not try.
    NotTried {
        /// The error of the system.
        errno: i32,
    },
}

/// What a TLS handshake, which trusts nobody, came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(tag = "verdict", rename_all = "snake_case"))]
pub enum TlsVerdict {
    /// The certificate is from the expected issuer.
    Genuine {
        /// Who issued it.
        issuer: String,
    },
    /// There is a certificate, and nothing to judge it by.
    NotJudged {
        /// Who issued it.
        issuer: String,
    },
    /// The certificate is from somebody else: TLS is opened on the way.
    Intercepted {
        /// Who should have issued it.
        expected: String,
        /// Who issued it.
        found: String,
    },
    /// What answers does not speak TLS.
    NotTls {
        /// The first bytes, at most 64.
        #[cfg_attr(feature = "serde", serde(serialize_with = "super::printable"))]
        first_bytes: Vec<u8>,
        /// The status, if it is an answer of HTTP: a portal or a firewall.
        http_status: Option<u16>,
    },
    /// The connection was closed or reset in the handshake.
    Reset,
    /// The peer ended the handshake by an alert.
    Alert {
        /// Its number (RFC 8446 section 6).
        number: u8,
        /// Its name there.
        name: String,
    },
    /// The handshake did not come to an end in time.
    TimedOut,
    /// The handshake failed otherwise.
    Failed {
        /// The error of Mbed TLS.
        error: i32,
    },
}

/// What a CoAP ping through the session came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(tag = "verdict", rename_all = "snake_case"))]
pub enum CoapVerdict {
    /// It was answered.
    Answered {
        /// After how long.
        #[cfg_attr(feature = "serde", serde(serialize_with = "super::milliseconds", rename = "round_trip_ms"))]
        round_trip: Duration,
    },
    /// It was not answered in time, or the server ended the connection on it.
    Silent,
}

/// How this device stands to the internet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(tag = "verdict", rename_all = "snake_case"))]
pub enum NatVerdict {
    /// By an address of the internet.
    Direct {
        /// Its address.
        address: IpAddr,
    },
    /// Behind a NAT.
    BehindNat {
        /// Its address in the private or shared range.
        address: IpAddr,
    },
    /// It has no way out.
    NoAddress,
}
