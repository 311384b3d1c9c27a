//! Reports made by hand.

use crate::table::Layout;
use mbed_cloud_connectivity::netcheck::endpoint::{BOOTSTRAP_ISSUER, HTTPS_PORT, Transport, region};
use mbed_cloud_connectivity::netcheck::finding::findings;
use mbed_cloud_connectivity::netcheck::report::*;
use mbed_cloud_connectivity::netcheck::verdict::*;
use std::net::IpAddr;
use std::time::Duration;

pub const ISSUER: &str = BOOTSTRAP_ISSUER;
pub const MILLISECONDS_34: Duration = Duration::from_millis(34);

pub type Sample = (&'static str, fn() -> Report);
pub const SAMPLES: [Sample; 5] = [
    ("all-well", all_well),
    ("everything-dropped", everything_dropped),
    ("intercepted", intercepted),
    ("http-403", http_403),
    ("mixed", mixed),
];

pub type NamedLayout = (&'static str, fn() -> Layout);
pub const LAYOUTS: [NamedLayout; 3] = [
    ("80", layout),
    ("120", || Layout { width: Some(120), ..layout() }),
    ("piped", || Layout { width: None, ..layout() }),
];

pub fn layout() -> Layout {
    Layout { width: Some(80), colour: false, verbose: false, region: Some("us-east-1".into()) }
}

/// The words for what the report holds.
pub fn judge(report: &mut Report) {
    report.findings = findings(&report.nat, &report.endpoints);
}

pub fn all_well() -> Report {
    let addresses: Vec<IpAddr> = vec!["192.0.2.10".parse().unwrap(), "2001:db8::10".parse().unwrap()];
    let mut endpoints = Vec::new();
    for endpoint in region("us-east-1").unwrap() {
        let mut ports = Vec::new();
        for port in &endpoint.reached_by {
            for (index, address) in addresses.iter().enumerate() {
                let round_trip = MILLISECONDS_34 + Duration::from_millis(9) * index.try_into().unwrap();
                let (reach, tls) = match (port.transport, &endpoint.expected_issuer) {
                    (Transport::Udp, _) => (Reach::Udp(UdpVerdict::Open { round_trip }), None),
                    (Transport::Tcp, Some(issuer)) => (
                        Reach::Tcp(TcpVerdict::Open { round_trip }),
                        Some(TlsVerdict::Genuine { issuer: issuer.clone() }),
                    ),
                    (Transport::Tcp, None) => (
                        Reach::Tcp(TcpVerdict::Open { round_trip }),
                        Some(TlsVerdict::NotJudged { issuer: "C=GB, O=Example, CN=Example CA".into() }),
                    ),
                };
                ports.push(PortReport { address: *address, port: *port, reach, tls, coap: None });
            }
        }
        let answer = ResolverAnswer {
            resolver: "192.0.2.53:53".parse().unwrap(),
            code: Some(0),
            addresses: addresses.clone(),
            ttl: Some(60),
        };
        let name = NameReport {
            verdict: NameVerdict::Ok,
            addresses: addresses.clone(),
            answers: vec![answer],
            ttl: TtlVerdict::Ok,
        };
        endpoints.push(EndpointReport { endpoint, name, ports });
    }
    let nat = NatVerdict::Direct { address: "198.51.100.7".parse().unwrap() };
    let resolvers = vec!["192.0.2.53:53".parse().unwrap()];
    Report { resolvers, nat, endpoints, findings: Vec::new(), duration: Duration::from_millis(1_734) }
}

fn everything_dropped() -> Report {
    let mut report = all_well();
    for tried in report.endpoints.iter_mut().flat_map(|endpoint| &mut endpoint.ports) {
        tried.tls = None;
        tried.reach = match tried.port.transport {
            Transport::Tcp => Reach::Tcp(TcpVerdict::TimedOut),
            Transport::Udp => Reach::Udp(UdpVerdict::Silent),
        };
    }
    report.duration = Duration::from_millis(14_004);
    judge(&mut report);
    report
}

fn intercepted() -> Report {
    let mut report = all_well();
    for tried in &mut report.endpoints[0].ports {
        if tried.port.transport == Transport::Tcp {
            let found = "C=GB, O=Example Company, CN=Example Company TLS Inspection".into();
            tried.tls = Some(TlsVerdict::Intercepted { expected: ISSUER.into(), found });
        }
    }
    judge(&mut report);
    report
}

fn http_403() -> Report {
    let mut report = all_well();
    for tried in report.endpoints.iter_mut().flat_map(|endpoint| &mut endpoint.ports) {
        if tried.port.transport == Transport::Tcp {
            let first_bytes = b"HTTP/1.1 403 Forbidden\r\nServer: Example Gateway\r\n".to_vec();
            tried.tls = Some(TlsVerdict::NotTls { first_bytes, http_status: Some(403) });
        }
    }
    judge(&mut report);
    report
}

fn mixed() -> Report {
    let mut report = all_well();
    report.nat = NatVerdict::BehindNat { address: "192.168.1.5".parse().unwrap() };
    for endpoint in &mut report.endpoints {
        endpoint.name.ttl = TtlVerdict::Stale { why: Staleness::ServedPastTtl { first: 60, later: 60 } };
        for tried in &mut endpoint.ports {
            if tried.address.is_ipv6() {
                tried.tls = None;
                tried.reach = match tried.port.transport {
                    Transport::Tcp => Reach::Tcp(TcpVerdict::Unreachable { errno: 101 }),
                    Transport::Udp => Reach::Udp(UdpVerdict::Unreachable { errno: 101 }),
                };
            } else if tried.port.transport == Transport::Udp {
                tried.reach = Reach::Udp(UdpVerdict::Silent);
            } else if tried.port.number == HTTPS_PORT && endpoint.endpoint.coap {
                tried.tls = None;
                tried.reach = Reach::Tcp(TcpVerdict::Refused);
            }
        }
    }
    let registry = &mut report.endpoints[4];
    registry.name.verdict = NameVerdict::NoSuchName;
    registry.name.addresses.clear();
    registry.ports.clear();
    registry.name.ttl = TtlVerdict::Unknown;
    let ping = Some(CoapVerdict::Answered { round_trip: Duration::from_micros(71_200) });
    report.endpoints[0].ports[0].coap = ping;
    judge(&mut report);
    report
}
