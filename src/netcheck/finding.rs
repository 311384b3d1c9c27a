//! What verdicts mean for a device: a sentence of what is wrong and one of what to do.

use super::endpoint::Port;

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[repr(i32)]
pub enum Severity {
    /// Good to know.
    Note = 1,
    /// The device works, but not in every way or not for ever.
    Warning = 2,
    /// It stops the device.
    Stops = 3,
}

/// What a finding is about. The numbers are part of the C interface: none is given a new meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[repr(i32)]
pub enum Kind {
    /// There is no such name.
    NoSuchName = 101,
    /// The resolvers fail.
    ResolverFails = 102,
    /// No resolver answers.
    ResolverSilent = 103,
    /// The name comes from a hosts file only.
    HostsFile = 104,
    /// The name leads to an address that no service of the internet can have.
    Sinkhole = 105,
    /// Resolvers contradict each other.
    ResolversDisagree = 106,
    /// A resolver keeps answers for too long.
    StaleAnswers = 107,
    /// A port is refused.
    Refused = 201,
    /// A port is filtered.
    Filtered = 202,
    /// A host cannot be reached.
    Unreachable = 203,
    /// UDP does not come through.
    UdpSilent = 204,
    /// UDP is turned away.
    UdpUnreachable = 205,
    /// This device could not try.
    NotTried = 206,
    /// Somebody opens TLS on the way.
    Intercepted = 301,
    /// Something else than TLS answers.
    NotTls = 302,
    /// The connection is cut in the handshake.
    HandshakeReset = 303,
    /// The peer ended the handshake by an alert.
    HandshakeAlert = 304,
    /// The handshake does not come to an end.
    HandshakeTimeout = 305,
    /// The handshake failed otherwise.
    HandshakeFailed = 306,
    /// A ping through the session is not answered.
    PingSilent = 401,
    /// The device is behind a NAT.
    BehindNat = 501,
    /// The device has no way out.
    NoNetwork = 502,
}

/// Something that a technician should know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Finding {
    /// How grave it is.
    pub severity: Severity,
    /// What it is about.
    pub kind: Kind,
    /// The host, if it is about one.
    pub host: Option<String>,
    /// The port, if it is about one.
    pub port: Option<Port>,
    /// What is wrong, in a sentence.
    pub what: String,
    /// What to do, in a sentence that can be sent to the network's owner.
    pub what_to_do: String,
}
