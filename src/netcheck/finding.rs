//! What verdicts mean for a device: a sentence of what is wrong and one of what to do.

mod words;

use super::endpoint::{Port, Transport};
use super::port::is_no_way;
use super::range::{self, Range};
use super::report::{EndpointReport, PortReport, Reach};
use super::verdict::{CoapVerdict, NameVerdict, NatVerdict, TcpVerdict, TlsVerdict, TtlVerdict, UdpVerdict};
use crate::error::Class;
use rustix::io::Errno;
use std::collections::HashSet;
use std::net::IpAddr;

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

impl Kind {
    /// The class of the reason that a connection gives when it meets the same; none where it would not notice.
    pub const fn class(self) -> Class {
        match self {
            Self::NoSuchName | Self::ResolverFails | Self::ResolverSilent => Class::Name,
            Self::HostsFile | Self::Sinkhole | Self::ResolversDisagree | Self::StaleAnswers | Self::BehindNat => {
                Class::None
            }
            Self::Refused => Class::Refused,
            Self::Filtered | Self::UdpSilent | Self::HandshakeTimeout => Class::Filtered,
            Self::Unreachable | Self::UdpUnreachable => Class::Unreachable,
            Self::NotTried => Class::Resource,
            Self::Intercepted => Class::Intercepted,
            Self::NotTls | Self::HandshakeFailed => Class::Protocol,
            Self::HandshakeReset => Class::ClosedByPeer,
            Self::HandshakeAlert => Class::Alert,
            Self::PingSilent => Class::SilentPath,
            Self::NoNetwork => Class::NetworkDown,
        }
    }
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

/// What the verdicts mean, the gravest first. The same thing at several hosts is one finding.
pub fn findings(nat: &NatVerdict, endpoints: &[EndpointReport]) -> Vec<Finding> {
    // Who has no way to the internet can have one to a service on a network of its own.
    let any_way = endpoints.iter().flat_map(|report| &report.ports).any(|tried| !has_no_way(tried));
    // Who lacks what it takes to ask has not seen its own address either.
    let could_not_ask = endpoints.iter().any(|report| matches!(report.name.verdict, NameVerdict::NotTried { .. }));
    let no_address = *nat == NatVerdict::NoAddress && !could_not_ask;
    if no_address && !any_way {
        return vec![words::no_network(Severity::Stops)];
    }
    let judge = Judge::new(endpoints);
    let mut problems = Vec::new();
    for report in endpoints {
        judge.name(report, &mut problems);
        judge.ports(report, &mut problems);
    }
    judge.same_failure_of_all_names(&mut problems);

    let mut findings: Vec<Finding> = group(problems).iter().map(|group| words::finding(group)).collect();
    findings.extend(judge.absent.iter().copied().map(words::no_family));
    match nat {
        NatVerdict::Direct { .. } => {}
        NatVerdict::BehindNat { address } => findings.push(words::behind_nat(*address)),
        NatVerdict::NoAddress if no_address => findings.push(words::no_network(Severity::Note)),
        NatVerdict::NoAddress => {}
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// One thing that is wrong at one host.
struct Problem<'a> {
    severity: Severity,
    kind: Kind,
    report: &'a EndpointReport,
    port: Option<Port>,
    addresses: Vec<IpAddr>,
    detail: Detail<'a>,
}

/// What tells two problems of the same kind apart.
#[derive(Debug, Clone, PartialEq)]
enum Detail<'a> {
    Nothing,
    Code(u16),
    Errno(i32),
    /// Where it leads, and whether a resolver says so.
    Sinkhole(IpAddr, bool),
    /// The name fails for every host that is checked.
    EveryName,
    Tls(&'a TlsVerdict),
}

/// The severity of what one port or name shows depends on what works besides.
struct Judge<'a> {
    endpoints: &'a [EndpointReport],
    /// The purposes that an endpoint can be used for.
    works: HashSet<&'a str>,
    /// The purposes of which a port is known to be the service's own.
    genuine: HashSet<&'a str>,
    absent: Vec<Family>,
}

impl<'a> Judge<'a> {
    fn new(endpoints: &'a [EndpointReport]) -> Self {
        let purposes = |fits: fn(&EndpointReport) -> bool| {
            endpoints.iter().filter(|report| fits(report)).map(|report| report.endpoint.purpose.as_str()).collect()
        };
        Self {
            endpoints,
            works: purposes(works),
            genuine: purposes(|report| report.ports.iter().any(is_genuine)),
            absent: absent_families(endpoints).collect(),
        }
    }

    /// The severity of something without which the endpoint is of no use, if nothing stands in for it.
    fn severity(&self, report: &EndpointReport, something_else_works: bool) -> Severity {
        if something_else_works || report.endpoint.edge_only { Severity::Warning } else { Severity::Stops }
    }

    fn name(&self, report: &'a EndpointReport, problems: &mut Vec<Problem<'a>>) {
        let needed = self.severity(report, self.works.contains(report.endpoint.purpose.as_str()));
        let mut add = |severity, kind, detail| {
            problems.push(Problem { severity, kind, report, port: None, addresses: Vec::new(), detail });
        };
        match &report.name.verdict {
            NameVerdict::Ok | NameVerdict::IsAddress => {}
            NameVerdict::NoSuchName => add(needed, Kind::NoSuchName, Detail::Nothing),
            NameVerdict::ServerFailure { code } => add(needed, Kind::ResolverFails, Detail::Code(*code)),
            NameVerdict::NoAnswer => add(needed, Kind::ResolverSilent, Detail::Nothing),
            NameVerdict::NotTried { errno } => add(needed, Kind::NotTried, Detail::Errno(*errno)),
            NameVerdict::HostsFileOnly => add(Severity::Warning, Kind::HostsFile, Detail::Nothing),
            NameVerdict::Sinkhole { address } => {
                let by_resolver = report.name.answers.iter().any(|answer| answer.addresses.contains(address));
                add(needed, Kind::Sinkhole, Detail::Sinkhole(*address, by_resolver));
            }
            NameVerdict::Disagree => add(Severity::Warning, Kind::ResolversDisagree, Detail::Nothing),
        }
        if matches!(report.name.ttl, TtlVerdict::Stale { .. }) {
            add(Severity::Warning, Kind::StaleAnswers, Detail::Nothing);
        }
    }

    /// A resolver that fails for every name is one thing that is wrong, however much depends on each name.
    fn same_failure_of_all_names(&self, problems: &mut [Problem<'a>]) {
        let is_failure = |kind| matches!(kind, Kind::ResolverFails | Kind::ResolverSilent);
        let names = self.endpoints.iter().filter(|report| report.name.verdict != NameVerdict::IsAddress).count();
        let mut failures: Vec<&mut Problem<'a>> =
            problems.iter_mut().filter(|problem| is_failure(problem.kind)).collect();
        if names < 2 || failures.len() != names {
            return;
        }
        let fails = failures.iter().any(|problem| problem.kind == Kind::ResolverFails);
        let severity = failures.iter().map(|problem| problem.severity).max().unwrap_or(Severity::Stops);
        for problem in &mut failures {
            problem.severity = severity;
            problem.kind = if fails { Kind::ResolverFails } else { Kind::ResolverSilent };
            problem.detail = Detail::EveryName;
        }
    }

    fn ports(&self, report: &'a EndpointReport, problems: &mut Vec<Problem<'a>>) {
        // Ports of an address that is none of the service's say nothing about the service.
        let at_a_sinkhole = matches!(report.name.verdict, NameVerdict::Sinkhole { .. });
        let is_absent = |tried: &PortReport| self.absent.contains(&Family::of(tried.address));
        // A host that has no address of another family is out of reach.
        let has_another = report.ports.iter().any(|tried| !is_absent(tried));
        let begin = problems.len();
        for tried in &report.ports {
            let Some((kind, detail)) = what_is_wrong(tried) else { continue };
            let reached = matches!(tried.reach, Reach::Tcp(TcpVerdict::Open { .. }));
            if (at_a_sinkhole && !reached) || (has_another && is_absent(tried)) {
                continue;
            }
            let severity = self.port_severity(report, tried, kind);
            let same = problems[begin..].iter_mut().find(|problem| {
                problem.port == Some(tried.port)
                    && (problem.severity, problem.kind, &problem.detail) == (severity, kind, &detail)
            });
            match same {
                Some(problem) => problem.addresses.push(tried.address),
                None => problems.push(Problem {
                    severity,
                    kind,
                    report,
                    port: Some(tried.port),
                    addresses: vec![tried.address],
                    detail,
                }),
            }
        }
    }

    fn port_severity(&self, report: &EndpointReport, tried: &PortReport, kind: Kind) -> Severity {
        match kind {
            Kind::Intercepted => self.severity(report, self.genuine.contains(report.endpoint.purpose.as_str())),
            Kind::PingSilent => Severity::Warning,
            _ => {
                let family = Family::of(tried.address);
                let here = || report.ports.iter().filter(|other| other.port == tried.port);
                let family_works = here().any(|other| Family::of(other.address) == family && port_works(other));
                if !family_works && here().any(port_works) {
                    return Severity::Note;
                }
                self.severity(report, self.works.contains(report.endpoint.purpose.as_str()))
            }
        }
    }
}

/// An endpoint that a device can use. Where a name leads to an address that no service can have, somebody else may well answer, so that
/// only a certificate shows that it is the service.
fn works(report: &EndpointReport) -> bool {
    let led_astray = matches!(report.name.verdict, NameVerdict::Sinkhole { .. });
    let is_wrong = |tried: &PortReport| led_astray && range::of(tried.address) != Range::Internet;
    report.ports.iter().any(|tried| port_works(tried) && (!is_wrong(tried) || is_genuine(tried)))
}

fn is_genuine(tried: &PortReport) -> bool {
    matches!(tried.tls, Some(TlsVerdict::Genuine { .. }))
}

/// A port that a device can use: open, and nobody else than the service speaks there, as far as that can be told.
fn port_works(tried: &PortReport) -> bool {
    match &tried.reach {
        Reach::Tcp(TcpVerdict::Open { .. }) => {
            matches!(tried.tls, None | Some(TlsVerdict::Genuine { .. } | TlsVerdict::NotJudged { .. }))
        }
        Reach::Udp(UdpVerdict::Open { .. }) => true,
        Reach::Tcp(_) | Reach::Udp(_) => false,
    }
}

fn what_is_wrong(tried: &PortReport) -> Option<(Kind, Detail<'_>)> {
    match &tried.reach {
        Reach::Tcp(TcpVerdict::Open { .. }) => what_is_wrong_with_tls(tried),
        Reach::Tcp(TcpVerdict::Refused) => Some((Kind::Refused, Detail::Nothing)),
        Reach::Tcp(TcpVerdict::TimedOut) => Some((Kind::Filtered, Detail::Nothing)),
        Reach::Tcp(TcpVerdict::Unreachable { errno }) => Some((Kind::Unreachable, Detail::Errno(*errno))),
        Reach::Udp(UdpVerdict::Open { .. }) => None,
        Reach::Udp(UdpVerdict::Silent) => Some((Kind::UdpSilent, Detail::Nothing)),
        Reach::Udp(UdpVerdict::Unreachable { errno }) => Some((Kind::UdpUnreachable, Detail::Errno(*errno))),
        Reach::Tcp(TcpVerdict::NotTried { errno }) | Reach::Udp(UdpVerdict::NotTried { errno }) => {
            Some((Kind::NotTried, Detail::Errno(*errno)))
        }
    }
}

fn what_is_wrong_with_tls(tried: &PortReport) -> Option<(Kind, Detail<'_>)> {
    let tls = tried.tls.as_ref()?;
    let kind = match tls {
        TlsVerdict::Genuine { .. } | TlsVerdict::NotJudged { .. } => {
            return (tried.coap == Some(CoapVerdict::Silent)).then_some((Kind::PingSilent, Detail::Nothing));
        }
        TlsVerdict::Intercepted { .. } => Kind::Intercepted,
        TlsVerdict::NotTls { .. } => Kind::NotTls,
        TlsVerdict::Reset => Kind::HandshakeReset,
        TlsVerdict::Alert { .. } => Kind::HandshakeAlert,
        TlsVerdict::TimedOut => Kind::HandshakeTimeout,
        TlsVerdict::Failed { .. } => Kind::HandshakeFailed,
    };
    Some((kind, Detail::Tls(tls)))
}

/// A version of the internet protocol.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

/// The families by which this device has no way at all, while it has one by the other.
fn absent_families(endpoints: &[EndpointReport]) -> impl Iterator<Item = Family> {
    let (has_none, has_one): (Vec<&PortReport>, Vec<&PortReport>) =
        endpoints.iter().flat_map(|report| &report.ports).partition(|tried| has_no_way(tried));
    let within = |ports: &[&PortReport], family| ports.iter().any(|tried| Family::of(tried.address) == family);
    let is_absent =
        move |family: &Family| within(&has_none, *family) && !within(&has_one, *family) && !has_one.is_empty();
    [Family::V4, Family::V6].into_iter().filter(is_absent)
}

/// Whether the network, or this device's own routes, say that there is no way to the address. A host that turns UDP away is there.
fn has_no_way(tried: &PortReport) -> bool {
    match tried.reach {
        Reach::Tcp(TcpVerdict::Unreachable { errno }) | Reach::Udp(UdpVerdict::Unreachable { errno }) => {
            is_no_way(Errno::from_raw_os_error(errno))
        }
        _ => false,
    }
}

/// Problems that are told together.
fn group(problems: Vec<Problem<'_>>) -> Vec<Vec<Problem<'_>>> {
    let mut groups: Vec<Vec<Problem<'_>>> = Vec::new();
    for problem in problems {
        let key = |other: &Problem<'_>| (other.severity, other.kind, other.port);
        match groups.iter_mut().find(|group| key(&group[0]) == key(&problem) && group[0].detail == problem.detail) {
            Some(group) => group.push(problem),
            None => groups.push(vec![problem]),
        }
    }
    groups
}

#[cfg(test)]
mod tests;
