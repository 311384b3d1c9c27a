use super::*;
use crate::netcheck::endpoint::{COAPS_PORT, DEFAULT_REGION, HTTPS_PORT, region};
use crate::netcheck::report::{NameReport, ResolverAnswer};
use crate::netcheck::verdict::Staleness;
use std::time::Duration;

const DIRECT: NatVerdict = NatVerdict::Direct { address: V4 };
const V4: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const TCP_COAPS: Port = Port { transport: Transport::Tcp, number: COAPS_PORT };
const UDP_COAPS: Port = Port { transport: Transport::Udp, number: COAPS_PORT };
const ROUND_TRIP: Duration = Duration::from_millis(30);
const OPEN: Reach = Reach::Tcp(TcpVerdict::Open { round_trip: ROUND_TRIP });
const FILTERED: Reach = Reach::Tcp(TcpVerdict::TimedOut);

fn v6() -> IpAddr {
    "2001:db8::1".parse().unwrap()
}

/// The default region, where all is well: each host has one address, each port answers.
fn all_well() -> Vec<EndpointReport> {
    let mut reports = Vec::new();
    for endpoint in region(DEFAULT_REGION).unwrap() {
        let issuer = endpoint.expected_issuer.clone();
        let port = |port: &Port| {
            let tls = match &issuer {
                Some(issuer) => TlsVerdict::Genuine { issuer: issuer.clone() },
                None => TlsVerdict::NotJudged { issuer: "CN=Example CA".into() },
            };
            let tcp = port.transport == Transport::Tcp;
            let reach = if tcp { OPEN } else { Reach::Udp(UdpVerdict::Open { round_trip: ROUND_TRIP }) };
            PortReport { address: V4, port: *port, reach, tls: tcp.then_some(tls), coap: None }
        };
        let ports = endpoint.reached_by.iter().map(port).collect();
        let answer = ResolverAnswer {
            resolver: "192.0.2.53:53".parse().unwrap(),
            code: Some(0),
            addresses: vec![V4],
            ttl: Some(60),
        };
        let name =
            NameReport { verdict: NameVerdict::Ok, addresses: vec![V4], answers: vec![answer], ttl: TtlVerdict::Ok };
        reports.push(EndpointReport { endpoint, name, ports });
    }
    reports
}

/// The only finding.
fn only(nat: &NatVerdict, reports: &[EndpointReport]) -> Finding {
    let mut found = findings(nat, reports);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

/// What is found when a port of the bootstrap service, without which no device comes up, is all that it has and goes wrong.
fn port_of_bootstrap(reach: Reach, tls: Option<TlsVerdict>) -> Finding {
    let mut reports = all_well();
    let port = if matches!(reach, Reach::Udp(_)) { UDP_COAPS } else { TCP_COAPS };
    reports[0].ports = vec![PortReport { address: V4, port, reach, tls, coap: None }];
    let finding = only(&DIRECT, &reports);
    assert_eq!(finding.host.as_deref(), Some("bootstrap.us-east-1.mbedcloud.com"));
    assert_eq!(finding.port, Some(port));
    assert_contains(&finding, "bootstrap.us-east-1.mbedcloud.com");
    finding
}

/// What is found when each name has this verdict, and nothing was tried.
fn names(verdict: &NameVerdict) -> Vec<Finding> {
    let mut reports = all_well();
    for report in &mut reports {
        report.name.verdict = verdict.clone();
        report.ports.clear();
    }
    findings(&DIRECT, &reports)
}

fn assert_contains(finding: &Finding, text: &str) {
    let words = format!("{} {}", finding.what, finding.what_to_do);
    assert!(words.contains(text), "{text} is not in: {words}");
}

fn assert_is(finding: &Finding, severity: Severity, kind: Kind, texts: &[&str]) {
    assert_eq!((finding.severity, finding.kind), (severity, kind), "{finding:?}");
    for text in texts {
        assert_contains(finding, text);
    }
}

#[test]
fn nothing_is_found_where_all_is_well() {
    assert_eq!(findings(&DIRECT, &all_well()), []);
}

#[test]
fn names_that_fail_stop_the_device_and_only_warn_where_an_edge_gateway_needs_them() {
    let found = names(&NameVerdict::NoSuchName);
    assert_eq!(found.len(), 2);
    assert_is(
        &found[0],
        Severity::Stops,
        Kind::NoSuchName,
        &["bootstrap.us-east-1", "udp-lwm2m.us-east-1", "192.0.2.53"],
    );
    assert_is(&found[1], Severity::Warning, Kind::NoSuchName, &["containers.us-east-1", "Only Edge gateways need it"]);
    assert!(!found[0].what.contains("containers"));

    let found = names(&NameVerdict::Sinkhole { address: V4 });
    assert_is(&found[0], Severity::Stops, Kind::Sinkhole, &["192.0.2.1", "bootstrap.us-east-1", "take the block"]);
    let found = names(&NameVerdict::HostsFileOnly);
    assert_is(&found[0], Severity::Warning, Kind::HostsFile, &["hosts file", "/etc/hosts"]);
}

#[test]
fn a_resolver_that_fails_for_every_name_is_told_once() {
    let finding = |verdict| {
        let mut found = names(&verdict);
        assert_eq!(found.len(), 1, "{found:#?}");
        found.remove(0)
    };
    let failing = finding(NameVerdict::ServerFailure { code: 2 });
    assert_is(&failing, Severity::Stops, Kind::ResolverFails, &["192.0.2.53", "every name"]);
    let silent = finding(NameVerdict::NoAnswer);
    assert_is(&silent, Severity::Stops, Kind::ResolverSilent, &["192.0.2.53", "port 53"]);
    assert_eq!(silent.host, None);
}

#[test]
fn a_device_that_cannot_ask_is_no_fault_of_the_network() {
    let found = names(&NameVerdict::NotTried { errno: 24 });
    let [devices, gateways] = &found[..] else { panic!("{found:#?}") };
    let texts = ["could not ask the DNS", "24", "limit of open files"];
    assert_is(devices, Severity::Stops, Kind::NotTried, &texts);
    assert_is(gateways, Severity::Warning, Kind::NotTried, &["Only Edge gateways"]);
    let mut reports = all_well();
    reports.truncate(1);
    reports[0].name.verdict = NameVerdict::NotTried { errno: 24 };
    reports[0].ports.clear();
    assert_eq!(only(&NatVerdict::NoAddress, &reports).kind, Kind::NotTried);
}

#[test]
fn a_resolver_that_fails_for_one_name_is_told_of_that_name() {
    let mut reports = all_well();
    reports[2].name.verdict = NameVerdict::ServerFailure { code: 5 };
    reports[2].ports.clear();
    let finding = only(&DIRECT, &reports);
    assert_is(&finding, Severity::Warning, Kind::ResolverFails, &["REFUSED (5)", "udp-lwm2m"]);
    reports[2].name.verdict = NameVerdict::NoAnswer;
    assert_is(&only(&DIRECT, &reports), Severity::Warning, Kind::ResolverSilent, &["does not answer for udp-lwm2m"]);
}

#[test]
fn resolvers_that_disagree_or_keep_answers_too_long_are_a_warning_for_all_hosts_at_once() {
    let mut reports = all_well();
    for report in &mut reports {
        report.name.ttl = TtlVerdict::Stale { why: Staleness::ServedPastTtl { first: 60, later: 60 } };
    }
    let finding = only(&DIRECT, &reports);
    assert_is(&finding, Severity::Warning, Kind::StaleAnswers, &["60 s", "192.0.2.53", "edge-k8s", "TTLs"]);
    let mut reports = all_well();
    reports[0].name.verdict = NameVerdict::Disagree;
    let mut other = reports[0].name.answers[0].clone();
    other.resolver = "198.51.100.53:53".parse().unwrap();
    other.addresses = vec!["203.0.113.9".parse().unwrap()];
    reports[0].name.answers.push(other);
    let finding = only(&DIRECT, &reports);
    assert_is(
        &finding,
        Severity::Warning,
        Kind::ResolversDisagree,
        &["192.0.2.53 says 192.0.2.1", "198.51.100.53 says 203.0.113.9"],
    );
}

#[test]
fn a_port_without_which_the_service_is_not_reached_stops_the_device() {
    let udp = |verdict| port_of_bootstrap(Reach::Udp(verdict), None);
    let tcp = |verdict| port_of_bootstrap(Reach::Tcp(verdict), None);
    let allow = "allow TCP 5684, outgoing, to bootstrap.us-east-1.mbedcloud.com (192.0.2.1)";
    assert_is(
        &tcp(TcpVerdict::Refused),
        Severity::Stops,
        Kind::Refused,
        &["is refused", allow, "*.mbedcloud.com", "Canonical"],
    );
    assert_is(&tcp(TcpVerdict::TimedOut), Severity::Stops, Kind::Filtered, &["is filtered", allow, "*.mbedcloud.com"]);
    assert_is(&udp(UdpVerdict::Silent), Severity::Stops, Kind::UdpSilent, &["UDP 5684", "CoAP over TCP"]);
    // Another family that could be tried stands in the way of taking these for a missing family.
    let unreachable = tcp(TcpVerdict::Unreachable { errno: 113 });
    assert_eq!((unreachable.severity, unreachable.kind), (Severity::Stops, Kind::Unreachable));
    assert_contains(&unreachable, "113");
    let turned_away = udp(UdpVerdict::Unreachable { errno: 111 });
    assert_is(&turned_away, Severity::Stops, Kind::UdpUnreachable, &["turned away", "111"]);
    assert_is(&tcp(TcpVerdict::NotTried { errno: 24 }), Severity::Stops, Kind::NotTried, &["could not try", "24"]);
}

#[test]
fn what_goes_wrong_with_tls_is_told_with_what_was_seen() {
    let tls = |verdict| port_of_bootstrap(OPEN, Some(verdict));
    let exempt = "exempt TCP 5684 from TLS inspection, outgoing, to bootstrap.us-east-1.mbedcloud.com (192.0.2.1)";
    let intercepted =
        tls(TlsVerdict::Intercepted { expected: "CN=ARM Bootstrap CA".into(), found: "CN=Proxy\u{1b}[2J".into() });
    let texts = ["\"CN=ARM Bootstrap CA\"", "\"CN=Proxy\\u{1b}[2J\"", exempt, "*.mbedcloud.com"];
    assert_is(&intercepted, Severity::Stops, Kind::Intercepted, &texts);
    let page = tls(TlsVerdict::NotTls { first_bytes: b"HTTP/1.1 403".to_vec(), http_status: Some(403) });
    assert_is(&page, Severity::Stops, Kind::NotTls, &["HTTP with status 403"]);
    let other = tls(TlsVerdict::NotTls { first_bytes: b"SSH-2.0\r\n".to_vec(), http_status: None });
    assert_is(&other, Severity::Stops, Kind::NotTls, &["\"SSH-2.0\\r\\n\""]);
    assert_is(&tls(TlsVerdict::Reset), Severity::Stops, Kind::HandshakeReset, &["cut in the TLS handshake", exempt]);
    let alert = tls(TlsVerdict::Alert { number: 40, name: "handshake_failure".into() });
    assert_is(&alert, Severity::Stops, Kind::HandshakeAlert, &["handshake_failure (40)"]);
    assert_is(&tls(TlsVerdict::TimedOut), Severity::Stops, Kind::HandshakeTimeout, &["does not come to an end"]);
    assert_is(&tls(TlsVerdict::Failed { error: -0x7780 }), Severity::Stops, Kind::HandshakeFailed, &["-0x7780"]);
}

#[test]
fn interception_is_a_warning_where_another_port_is_genuine() {
    let mut reports = all_well();
    reports[0].ports[0].tls = Some(TlsVerdict::Intercepted { expected: "CN=A".into(), found: "CN=B".into() });
    assert_is(&only(&DIRECT, &reports), Severity::Warning, Kind::Intercepted, &["TCP 5684"]);
    // UDP that is open does not show who answers there.
    reports[0].ports.remove(2);
    assert_is(&only(&DIRECT, &reports), Severity::Stops, Kind::Intercepted, &[]);
}

#[test]
fn a_port_that_fails_beside_one_that_works_is_a_warning() {
    let mut reports = all_well();
    reports[0].ports[0].reach = FILTERED;
    reports[0].ports[0].tls = None;
    assert_is(&only(&DIRECT, &reports), Severity::Warning, Kind::Filtered, &["TCP 5684"]);
}

#[test]
fn endpoints_of_the_same_purpose_stand_in_for_each_other() {
    let mut reports = all_well();
    for report in &mut reports[1..3] {
        for port in &mut report.ports {
            (port.reach, port.tls) = match port.port.transport {
                Transport::Tcp => (FILTERED, None),
                Transport::Udp => (Reach::Udp(UdpVerdict::Silent), None),
            };
        }
    }
    let found = findings(&DIRECT, &reports);
    assert!(found.iter().all(|finding| finding.severity == Severity::Warning), "{found:#?}");
    reports.remove(3);
    let found = findings(&DIRECT, &reports);
    assert!(found.iter().all(|finding| finding.severity == Severity::Stops), "{found:#?}");
}

#[test]
fn the_same_at_many_hosts_is_one_finding_for_each_port() {
    let mut reports = all_well();
    for port in reports.iter_mut().flat_map(|report| &mut report.ports) {
        (port.reach, port.tls) = match port.port.transport {
            Transport::Tcp => (FILTERED, None),
            Transport::Udp => (Reach::Udp(UdpVerdict::Silent), None),
        };
    }
    let found = findings(&DIRECT, &reports);
    let kinds: Vec<(Severity, Kind)> = found.iter().map(|finding| (finding.severity, finding.kind)).collect();
    let expected = [
        (Severity::Stops, Kind::Filtered),
        (Severity::Stops, Kind::UdpSilent),
        (Severity::Stops, Kind::Filtered),
        (Severity::Warning, Kind::Filtered),
    ];
    assert_eq!(kinds, expected);
    assert_is(&found[0], Severity::Stops, Kind::Filtered, &["bootstrap.us", "lwm2m.us", "tcp-lwm2m.us"]);
    assert_eq!((&found[0].host, found[0].port), (&None, Some(TCP_COAPS)));
    assert_eq!(found[2].port, Some(Port { transport: Transport::Tcp, number: HTTPS_PORT }));
    assert_contains(&found[3], "Only Edge gateways need it");
}

#[test]
fn a_family_that_fails_at_a_port_where_the_other_works_is_a_note() {
    let mut reports = all_well();
    let mut port = reports[0].ports[0].clone();
    (port.address, port.reach, port.tls) = (v6(), FILTERED, None);
    reports[0].ports.push(port.clone());
    let texts = ["TCP 5684", "2001:db8::1", "Another address works"];
    assert_is(&only(&DIRECT, &reports), Severity::Note, Kind::Filtered, &texts);
    // One of two addresses of a family is more than that.
    port.address = "192.0.2.2".parse().unwrap();
    reports[0].ports.pop();
    reports[0].ports.push(port);
    assert_is(&only(&DIRECT, &reports), Severity::Warning, Kind::Filtered, &["192.0.2.2"]);
}

#[test]
fn a_family_that_this_device_does_not_have_is_one_note_whatever_else_fails() {
    let mut reports = all_well();
    for report in &mut reports {
        let by_v6 = report.ports.iter().map(|port| PortReport {
            address: v6(),
            reach: match port.port.transport {
                Transport::Tcp => Reach::Tcp(TcpVerdict::Unreachable { errno: 101 }),
                Transport::Udp => Reach::Udp(UdpVerdict::Unreachable { errno: 101 }),
            },
            tls: None,
            ..port.clone()
        });
        let by_v6: Vec<PortReport> = by_v6.collect();
        report.ports.extend(by_v6);
    }
    assert_is(&only(&DIRECT, &reports), Severity::Note, Kind::Unreachable, &["no way", "IPv6"]);
    reports[0].ports[0].reach = FILTERED;
    let found = findings(&DIRECT, &reports);
    assert_eq!(found.len(), 2);
    assert_is(&found[0], Severity::Warning, Kind::Filtered, &["192.0.2.1"]);
    assert!(!found[0].what_to_do.contains("2001:db8::1"));
}

#[test]
fn a_ping_that_is_not_answered_is_a_warning() {
    let mut reports = all_well();
    reports[0].ports[0].coap = Some(CoapVerdict::Silent);
    assert_is(&only(&DIRECT, &reports), Severity::Warning, Kind::PingSilent, &["CoAP ping", "TCP 5684"]);
}

#[test]
fn behind_a_nat_the_advice_is_a_note() {
    let nat = NatVerdict::BehindNat { address: "192.168.1.5".parse().unwrap() };
    let texts = ["192.168.1.5", "CoAP over TCP", "200 s", "adaptive", "25 s"];
    assert_is(&only(&nat, &all_well()), Severity::Note, Kind::BehindNat, &texts);
}

#[test]
fn without_a_network_nothing_else_is_told() {
    let mut reports = all_well();
    for report in &mut reports {
        report.name.verdict = NameVerdict::NoAnswer;
        report.ports.clear();
    }
    assert_is(&only(&NatVerdict::NoAddress, &reports), Severity::Stops, Kind::NoNetwork, &["DHCP"]);
    assert_is(&only(&NatVerdict::NoAddress, &all_well()), Severity::Note, Kind::NoNetwork, &["route"]);
}

#[test]
fn the_ports_of_a_sinkhole_are_not_told_as_the_services_own() {
    let mut reports = all_well();
    reports[0].name.verdict = NameVerdict::Sinkhole { address: "127.0.0.1".parse().unwrap() };
    for port in &mut reports[0].ports {
        (port.reach, port.tls) = (Reach::Tcp(TcpVerdict::Refused), None);
    }
    assert_is(&only(&DIRECT, &reports), Severity::Stops, Kind::Sinkhole, &["127.0.0.1"]);
}

#[test]
fn a_host_that_has_only_addresses_of_an_absent_family_stops_the_device() {
    let mut reports = all_well();
    for port in &mut reports[0].ports {
        port.address = v6();
        (port.reach, port.tls) = match port.port.transport {
            Transport::Tcp => (Reach::Tcp(TcpVerdict::Unreachable { errno: 101 }), None),
            Transport::Udp => (Reach::Udp(UdpVerdict::Unreachable { errno: 101 }), None),
        };
    }
    let found = findings(&DIRECT, &reports);
    assert_is(&found[0], Severity::Stops, Kind::Unreachable, &["bootstrap.us-east-1", "101"]);
    assert_is(found.last().unwrap(), Severity::Note, Kind::Unreachable, &["no way", "IPv6"]);
}

#[test]
fn a_family_by_which_ports_are_turned_away_or_not_tried_is_none_that_is_absent() {
    for reach in [UdpVerdict::Unreachable { errno: 111 }, UdpVerdict::NotTried { errno: 24 }] {
        let mut reports = all_well();
        let port =
            PortReport { address: v6(), port: UDP_COAPS, reach: Reach::Udp(reach.clone()), tls: None, coap: None };
        reports[0].ports.push(port);
        let kind = if matches!(reach, UdpVerdict::NotTried { .. }) { Kind::NotTried } else { Kind::UdpUnreachable };
        assert_is(&only(&DIRECT, &reports), Severity::Note, kind, &["UDP 5684", "Another address works"]);
    }
}

#[test]
fn without_a_way_to_the_internet_what_a_service_nearby_says_is_told() {
    let mut reports = all_well();
    reports.truncate(1);
    reports[0].ports = vec![PortReport {
        address: V4,
        port: TCP_COAPS,
        reach: Reach::Tcp(TcpVerdict::Refused),
        tls: None,
        coap: None,
    }];
    let found = findings(&NatVerdict::NoAddress, &reports);
    assert_is(&found[0], Severity::Stops, Kind::Refused, &["TCP 5684"]);
    assert_is(&found[1], Severity::Note, Kind::NoNetwork, &["route"]);
    reports[0].ports[0].reach = Reach::Tcp(TcpVerdict::Unreachable { errno: 101 });
    assert_is(&only(&NatVerdict::NoAddress, &reports), Severity::Stops, Kind::NoNetwork, &["DHCP"]);
}

#[test]
fn what_answers_at_a_sinkhole_is_the_service_only_by_its_certificate() {
    let mut reports = all_well();
    let address = V4;
    for report in &mut reports[..4] {
        report.name.verdict = NameVerdict::Sinkhole { address };
    }
    let found = findings(&DIRECT, &reports);
    // The bootstrap service is known by its issuer. LwM2M is not: whoever blocks the name can answer there.
    assert_is(&found[0], Severity::Stops, Kind::Sinkhole, &["udp-lwm2m.us-east-1", "192.0.2.1"]);
    assert!(!found[0].what.contains("bootstrap"));
    assert_is(&found[1], Severity::Warning, Kind::Sinkhole, &["bootstrap.us-east-1"]);
    assert_eq!(found.len(), 2);
}

#[test]
fn a_sinkhole_is_blamed_on_who_leads_to_it() {
    let mut reports = all_well();
    reports[0].name.verdict = NameVerdict::Sinkhole { address: V4 };
    assert_contains(&findings(&DIRECT, &reports)[0], "The DNS (192.0.2.53) leads to 192.0.2.1");
    reports[0].name.verdict = NameVerdict::Sinkhole { address: "127.0.0.1".parse().unwrap() };
    let found = findings(&DIRECT, &reports);
    assert_is(
        &found[0],
        Severity::Warning,
        Kind::Sinkhole,
        &["This device by itself leads", "127.0.0.1", "/etc/hosts"],
    );
    assert!(!found[0].what_to_do.contains("owner"));
}

#[test]
fn a_check_that_ran_out_of_time_does_not_blame_the_network() {
    let finding = port_of_bootstrap(Reach::Tcp(TcpVerdict::NotTried { errno: 110 }), None);
    assert_is(&finding, Severity::Stops, Kind::NotTried, &["time of the check was over", "--timeout"]);
    assert!(!finding.what.contains("timed out"));
}

#[test]
fn an_issuer_other_than_the_given_ca_may_be_the_wrong_ca() {
    let intercepted = || Some(TlsVerdict::Intercepted { expected: "CN=A".into(), found: "CN=B".into() });
    let mut reports = all_well();
    reports[1].ports[0].tls = intercepted();
    assert_is(&only(&DIRECT, &reports), Severity::Stops, Kind::Intercepted, &["Check that the CA that was given is"]);
    let known = port_of_bootstrap(OPEN, intercepted());
    assert!(known.what_to_do.starts_with("Ask the network's owner"), "{known:?}");
}

#[test]
fn a_page_on_every_tcp_port_is_a_warning_where_udp_answers_and_stops_the_device_where_it_does_not() {
    let page = TlsVerdict::NotTls { first_bytes: b"HTTP/1.1 403".to_vec(), http_status: Some(403) };
    let mut reports = all_well();
    for port in reports.iter_mut().flat_map(|report| &mut report.ports) {
        port.tls = port.tls.is_some().then(|| page.clone());
    }
    let found = findings(&DIRECT, &reports);
    assert!(found.iter().all(|finding| (finding.severity, finding.kind) == (Severity::Warning, Kind::NotTls)));
    for port in reports.iter_mut().flat_map(|report| &mut report.ports) {
        if port.port.transport == Transport::Udp {
            port.reach = Reach::Udp(UdpVerdict::Silent);
        }
    }
    let found = findings(&DIRECT, &reports);
    assert_eq!((found[0].severity, found[0].kind), (Severity::Stops, Kind::NotTls));
}

#[test]
fn a_sentence_stays_short_whatever_a_resolver_says_and_names_a_host_once() {
    let mut reports = all_well();
    reports.push(reports[0].clone());
    for at in [0, 1, 7] {
        reports[at].name.verdict = NameVerdict::Disagree;
        reports[at].name.answers[0].addresses = vec![V4; 4000];
    }
    let finding = only(&DIRECT, &reports);
    assert_contains(&finding, "and 3992 more");
    assert!(finding.what.len() < 500, "{finding:?}");
    assert_eq!(finding.what.matches("bootstrap.us-east-1").count(), 1);
}

#[test]
fn thousands_of_endpoints_are_judged_in_no_time() {
    let one = all_well().remove(0);
    let endpoint = |at: usize| {
        let mut report = one.clone();
        report.endpoint.purpose = at.to_string();
        for port in &mut report.ports {
            port.reach = FILTERED;
        }
        report
    };
    let reports: Vec<EndpointReport> = (0..20_000).map(endpoint).collect();
    let begin = std::time::Instant::now();
    assert!(!findings(&DIRECT, &reports).is_empty());
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}
