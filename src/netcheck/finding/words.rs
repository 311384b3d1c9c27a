//! The sentences of the findings. Hosts, ports and addresses stand in them, because they are sent on to people who saw nothing else.

use super::{Detail, Family, Finding, Kind, Port, Problem, Severity, Transport};
use crate::netcheck::report::EndpointReport;
use crate::netcheck::verdict::{Staleness, TlsVerdict, TtlVerdict};
use rustix::io::Errno;
use std::collections::HashSet;
use std::fmt::Write;
use std::net::IpAddr;

pub(super) fn no_network(severity: Severity) -> Finding {
    let (what, what_to_do) = match severity {
        Severity::Note => (
            "This device has no way to the internet.",
            "Nothing has to be done if what was checked is all that the device needs; else give it an address and a default route.",
        ),
        _ => (
            "This device has no address and no route to the internet.",
            "Look at the cable or the radio, at the address of the interface (DHCP) and at the default route, and check again.",
        ),
    };
    alone(severity, Kind::NoNetwork, what.into(), what_to_do.into())
}

pub(super) fn behind_nat(address: IpAddr) -> Finding {
    // The shortest timer of the cloud balancers in common use is 240 s.
    alone(
        Severity::Note,
        Kind::BehindNat,
        format!("This device is behind a NAT: its own address is {address}."),
        "Use CoAP over TCP with a keepalive interval below the timer of the NAT, 200 s where that is not known (keepalive_interval_s), \
         or let the adaptive mode find it (keepalive_adaptive); over UDP, NATs forget a device sooner, and it has to ping every 25 s or so."
            .into(),
    )
}

pub(super) fn no_family(family: Family) -> Finding {
    let (this, other) = match family {
        Family::V4 => ("IPv4", "IPv6"),
        Family::V6 => ("IPv6", "IPv4"),
    };
    alone(
        Severity::Note,
        Kind::Unreachable,
        format!("This device has no way to the services by {this}."),
        format!("Nothing has to be done where {other} works; else give the device an address and a route of {this}."),
    )
}

fn alone(severity: Severity, kind: Kind, what: String, what_to_do: String) -> Finding {
    Finding { severity, kind, host: None, port: None, what, what_to_do }
}

/// The finding for problems of one severity, kind, port and detail.
pub(super) fn finding(group: &[Problem<'_>]) -> Finding {
    let first = &group[0];
    let words = Words { group, hosts: hosts(group), port: first.port.map(port).unwrap_or_default() };
    let everywhere = first.detail == Detail::EveryName;
    let (mut what, what_to_do) = match first.kind {
        Kind::NoSuchName
        | Kind::ResolverFails
        | Kind::ResolverSilent
        | Kind::HostsFile
        | Kind::Sinkhole
        | Kind::ResolversDisagree
        | Kind::StaleAnswers => words.about_names(),
        _ => words.about_ports(),
    };
    if group.iter().all(|problem| problem.report.endpoint.edge_only) {
        what.push_str(" Only Edge gateways need it.");
    } else if first.severity == Severity::Note {
        what.push_str(" Another address works.");
    }
    Finding {
        severity: first.severity,
        kind: first.kind,
        host: (group.len() == 1 && !everywhere).then(|| first.report.endpoint.host.clone()),
        port: first.port,
        what,
        what_to_do,
    }
}

struct Words<'a> {
    group: &'a [Problem<'a>],
    hosts: String,
    port: String,
}

impl Words<'_> {
    fn about_names(&self) -> (String, String) {
        let first = &self.group[0];
        let hosts = &self.hosts;
        let resolvers = resolvers(self.group);
        let ask = format!("Ask the network's owner to have the DNS ({resolvers}) resolve {hosts}");
        match (first.kind, &first.detail) {
            (Kind::NoSuchName, _) => (
                format!("The DNS ({resolvers}) says that there is no such name, or no address for it: {hosts}."),
                format!("{ask}, or, if the region or the host is misspelt, correct it{}.", open_all(self.group)),
            ),
            (Kind::ResolverFails, Detail::Code(code)) => (
                format!("The DNS ({resolvers}) fails with {} for {hosts}.", response_code(*code)),
                format!("{ask}{}.", open_all(self.group)),
            ),
            (Kind::ResolverFails, _) => (
                format!("The DNS ({resolvers}) fails for every name that was asked for, such as {}.", self.host()),
                "Ask the network's owner to repair the DNS, or give the device another resolver (--resolver tries one out).".into(),
            ),
            (Kind::ResolverSilent, Detail::EveryName) => (
                format!("The DNS ({resolvers}) does not answer, for whatever name."),
                "Ask the network's owner to let UDP and TCP port 53 through to the DNS, or give the device another resolver (--resolver tries one out).".into(),
            ),
            (Kind::ResolverSilent, _) => {
                (format!("The DNS ({resolvers}) does not answer for {hosts}."), format!("{ask}{}.", open_all(self.group)))
            }
            (Kind::HostsFile, _) => (
                format!("Only the hosts file of this device knows {hosts}: the device is lost when the service's addresses change."),
                format!("{ask}, and take the name out of /etc/hosts{}.", open_all(self.group)),
            ),
            (Kind::Sinkhole, Detail::Sinkhole(address, false)) => (
                format!("This device by itself leads {hosts} to {address}, which no service of the internet has; the DNS ({resolvers}) does not."),
                "Take the name out of /etc/hosts, or out of what else /etc/nsswitch.conf has names looked up in.".into(),
            ),
            (Kind::Sinkhole, Detail::Sinkhole(address, true)) => (
                format!("The DNS ({resolvers}) leads to {address}, which no service of the internet has: it blocks {hosts}."),
                format!("Ask the network's owner to take the block from {hosts}{}.", open_all(self.group)),
            ),
            (Kind::ResolversDisagree, _) => (
                format!("The resolvers contradict each other about {hosts}: {}.", contradiction(first.report)),
                "Find out which of the resolvers is wrong, and ask the network's owner to repair it or not to hand it out.".into(),
            ),
            (Kind::StaleAnswers, _) => (
                format!("The DNS ({resolvers}) keeps answers for longer than their time to live, for {hosts}: {}.", staleness(first.report)),
                "Ask the network's owner to have the resolver respect TTLs: the service's addresses change, and a device that is given old ones stays offline.".into(),
            ),
            _ => unreachable_words(first),
        }
    }

    fn about_ports(&self) -> (String, String) {
        let first = &self.group[0];
        let (port, hosts) = (&self.port, &self.hosts);
        let allow = format!(
            "Ask the network's owner to allow {port}, outgoing, to {}{}.",
            places(self.group),
            open_all(self.group)
        );
        let inspection = format!(
            "Ask the network's owner to exempt {port} from TLS inspection, outgoing, to {}{}.",
            places(self.group),
            open_all(self.group)
        );
        match (first.kind, &first.detail) {
            (Kind::Refused, _) => {
                (format!("{port} is refused, by the host or by a firewall before it: {hosts}."), allow)
            }
            (Kind::Filtered, _) => (format!("{port} is filtered, nothing comes back: {hosts}."), allow),
            (Kind::Unreachable, Detail::Errno(errno)) => {
                (format!("The network does not lead to {port} of {hosts}: {}.", system_error(*errno)), allow)
            }
            (Kind::UdpSilent, _) => (
                format!("{port} does not come through, DTLS is not answered: {hosts}."),
                allow.replacen("Ask", "Use CoAP over TCP if that works, or ask", 1),
            ),
            (Kind::UdpUnreachable, Detail::Errno(errno)) => (
                format!("{port} is turned away at {hosts}: {}.", system_error(*errno)),
                allow.replacen("Ask", "Use CoAP over TCP if that works, or ask", 1),
            ),
            (Kind::NotTried, Detail::Errno(errno)) if Errno::from_raw_os_error(*errno) == Errno::TIMEDOUT => (
                format!("The time of the check was over before {port} of {hosts} could be tried."),
                "Give the check more time (--timeout), or check fewer hosts at once.".into(),
            ),
            (Kind::NotTried, Detail::Errno(errno)) if first.port.is_none() => (
                format!("This device could not ask the DNS for {hosts}: {}.", system_error(*errno)),
                "Look at what keeps programs of this device from the network, such as a limit of open files, and check again.".into(),
            ),
            (Kind::NotTried, Detail::Errno(errno)) => (
                format!("This device could not try {port} of {hosts}: {}.", system_error(*errno)),
                "Look at what keeps programs of this device from the network, such as its own firewall or a limit, and check again.".into(),
            ),
            (Kind::Intercepted, Detail::Tls(TlsVerdict::Intercepted { expected, found })) => (
                format!(
                    "Somebody on the way opens TLS on {port} of {hosts}: the certificate should be issued by \"{}\", and is by \"{}\".",
                    printable(expected),
                    printable(found)
                ),
                // Without an expected issuer the CA that was given was the measure.
                match first.report.endpoint.expected_issuer {
                    Some(_) => inspection,
                    None => inspection.replacen(
                        "Ask",
                        "Check that the CA that was given is the one that issued the service's certificate, else ask",
                        1,
                    ),
                },
            ),
            (Kind::NotTls, Detail::Tls(TlsVerdict::NotTls { first_bytes, http_status })) => {
                let answer = match http_status {
                    Some(status) => format!("HTTP with status {status}: the page of a portal or a firewall"),
                    None => format!("what begins with \"{}\"", first_bytes.escape_ascii()),
                };
                (format!("{port} of {hosts} is answered by something else than TLS, by {answer}."), allow)
            }
            (Kind::HandshakeReset, _) => (
                format!("{port} connects and is cut in the TLS handshake, as by a firewall that looks into TLS: {hosts}."),
                inspection,
            ),
            (Kind::HandshakeAlert, Detail::Tls(TlsVerdict::Alert { number, name })) => (
                format!("The TLS handshake on {port} is ended by the alert {} ({number}): {hosts}.", printable(name)),
                inspection.replacen("Ask", "Check the certificate and key if some were given, else ask", 1),
            ),
            (Kind::HandshakeTimeout, _) => {
                (format!("{port} connects, and the TLS handshake does not come to an end: {hosts}."), inspection)
            }
            (Kind::HandshakeFailed, Detail::Tls(TlsVerdict::Failed { error })) => (
                format!("The TLS handshake on {port} fails with the error {}: {hosts}.", mbedtls_error(*error)),
                inspection,
            ),
            (Kind::PingSilent, _) => (
                format!("TLS on {port} stands, and a CoAP ping through it is not answered: {hosts}."),
                inspection.replacen("Ask", "Check that the service knows this device's certificate, else ask", 1),
            ),
            _ => unreachable_words(first),
        }
    }

    fn host(&self) -> String {
        printable(&self.group[0].report.endpoint.host)
    }
}

/// For a detail that does not fit its kind, which `what_is_wrong` never makes.
fn unreachable_words(problem: &Problem<'_>) -> (String, String) {
    (
        format!("{:?} at {}.", problem.kind, printable(&problem.report.endpoint.host)),
        "Report this as a fault of the check.".into(),
    )
}

/// `TCP 5684`
fn port(port: Port) -> String {
    let transport = match port.transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
    };
    format!("{transport} {}", port.number)
}

/// The hosts, one after the other.
fn hosts(group: &[Problem<'_>]) -> String {
    let mut seen = HashSet::new();
    let hosts = group.iter().map(|problem| printable(&problem.report.endpoint.host));
    hosts.filter(|host| seen.insert(host.clone())).collect::<Vec<String>>().join(", ")
}

/// The hosts with the addresses at which it went wrong, as a firewall's owner needs them.
fn places(group: &[Problem<'_>]) -> String {
    let place = |problem: &Problem<'_>| {
        let host = printable(&problem.report.endpoint.host);
        if problem.report.endpoint.address().is_some() {
            host
        } else {
            format!("{host} ({})", list(&problem.addresses))
        }
    };
    list(&group.iter().map(place).collect::<Vec<String>>())
}

/// What a firewall should open at once, where the hosts are the service's own.
fn open_all(group: &[Problem<'_>]) -> &'static str {
    if group.iter().any(|problem| {
        problem.report.endpoint.host.to_ascii_lowercase().trim_end_matches('.').ends_with(".mbedcloud.com")
    }) {
        "; the firewall should open *.mbedcloud.com (a Snap-based Edge also needs Canonical's services)"
    } else {
        ""
    }
}

fn resolvers(group: &[Problem<'_>]) -> String {
    let mut resolvers = Vec::new();
    for answer in group.iter().flat_map(|problem| &problem.report.name.answers) {
        let resolver =
            if answer.resolver.port() == 53 { answer.resolver.ip().to_string() } else { answer.resolver.to_string() };
        if !resolvers.contains(&resolver) {
            resolvers.push(resolver);
        }
    }
    if resolvers.is_empty() { "no resolver configured".into() } else { resolvers.join(", ") }
}

fn contradiction(report: &EndpointReport) -> String {
    let answer = |answer: &crate::netcheck::report::ResolverAnswer| {
        format!(
            "{} says {}",
            answer.resolver.ip(),
            if answer.addresses.is_empty() { "none".into() } else { some(&answer.addresses) }
        )
    };
    report.name.answers.iter().filter(|answer| answer.code.is_some()).map(answer).collect::<Vec<String>>().join(", ")
}

fn staleness(report: &EndpointReport) -> String {
    match &report.name.ttl {
        TtlVerdict::Stale { why: Staleness::ServedPastTtl { first, later } } => {
            format!("{first} s were left at first and {later} s more than a second later")
        }
        TtlVerdict::Stale { why: Staleness::TtlRaised { given, elsewhere } } => {
            format!("it gives {given} s where another resolver gives {elsewhere} s")
        }
        TtlVerdict::Ok | TtlVerdict::Unknown => "no details".into(),
    }
}

/// The names of RFC 1035 section 4.1.1, as the registry of DNS has them.
fn response_code(code: u16) -> String {
    let name = match code {
        1 => "FORMERR",
        2 => "SERVFAIL",
        4 => "NOTIMP",
        5 => "REFUSED",
        _ => return format!("the code {code}"),
    };
    format!("{name} ({code})")
}

/// The system's own words.
fn system_error(errno: i32) -> String {
    std::io::Error::from_raw_os_error(errno).to_string()
}

/// As Mbed TLS writes its errors.
fn mbedtls_error(error: i32) -> String {
    if error < 0 { format!("-{:#06x}", error.unsigned_abs()) } else { format!("{error:#06x}") }
}

fn list<T: std::fmt::Display>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<String>>().join(", ")
}

/// A resolver can give thousands: what stands in a sentence is bounded.
fn some(addresses: &[IpAddr]) -> String {
    const MAX: usize = 8;
    let (begin, rest) = addresses.split_at(addresses.len().min(MAX));
    if rest.is_empty() { list(begin) } else { format!("{} and {} more", list(begin), rest.len()) }
}

/// Text from the network or the command line without what a terminal would obey or hide.
fn printable(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for character in text.chars() {
        let hidden = matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if character.is_control() || hidden {
            let _ = write!(result, "{}", character.escape_unicode());
        } else {
            result.push(character);
        }
    }
    result
}
