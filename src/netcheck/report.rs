//! What a run of the check gives.

use super::endpoint::{Endpoint, Port};
use super::finding::{Finding, Severity};
use super::verdict::{CoapVerdict, NameVerdict, NatVerdict, TcpVerdict, TlsVerdict, TtlVerdict, UdpVerdict};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Everything that was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Report {
    /// The resolvers that were asked.
    pub resolvers: Vec<SocketAddr>,
    /// How this device stands to the internet.
    pub nat: NatVerdict,
    /// The endpoints, in the order in which they were given.
    pub endpoints: Vec<EndpointReport>,
    /// What it means, the gravest first.
    pub findings: Vec<Finding>,
    /// How long the check took.
    #[cfg_attr(feature = "serde", serde(serialize_with = "super::milliseconds", rename = "duration_ms"))]
    pub duration: Duration,
}

impl Report {
    /// The gravest of the findings; none where all is well.
    pub fn severity(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}

/// What was found out about one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct EndpointReport {
    /// Which.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub endpoint: Endpoint,
    /// Its name.
    pub name: NameReport,
    /// Each port of each address.
    pub ports: Vec<PortReport>,
}

/// What was found out about a name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct NameReport {
    /// What it leads to.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub verdict: NameVerdict,
    /// The addresses that were tried: what a connection would use.
    pub addresses: Vec<IpAddr>,
    /// What each resolver said.
    pub answers: Vec<ResolverAnswer>,
    /// Whether the resolvers keep to TTLs.
    pub ttl: TtlVerdict,
}

/// What a resolver said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ResolverAnswer {
    /// Which.
    pub resolver: SocketAddr,
    /// Its response code (RFC 1035 section 4.1.1); none if it did not answer.
    pub code: Option<u16>,
    /// The addresses.
    pub addresses: Vec<IpAddr>,
    /// The shortest time to live on the way to them, in seconds; none without an address.
    pub ttl: Option<u32>,
}

/// What was found out about a port of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PortReport {
    /// Which address.
    pub address: IpAddr,
    /// Which port.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub port: Port,
    /// What came back.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub reach: Reach,
    /// What TLS came to, over TCP that is open.
    pub tls: Option<TlsVerdict>,
    /// What a ping came to, where the credentials allow one.
    pub coap: Option<CoapVerdict>,
}

/// Whether a port is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(untagged))]
pub enum Reach {
    /// By TCP.
    Tcp(TcpVerdict),
    /// By UDP.
    Udp(UdpVerdict),
}
