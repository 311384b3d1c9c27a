//! The network check: what it says of a network that is well, and of each that is not.

use crate::network::{Network, OTHER_SERVER, ROUTER};
use crate::service::{SERVICE, authority, default_list, name_all, own_authority, serve, serve_all, settle};
use crate::{Test, names, tests};
use mbed_cloud_connectivity::netcheck::endpoint::{BOOTSTRAP_ISSUER, Endpoint, Transport};
use mbed_cloud_connectivity::netcheck::finding::{Kind, Severity};
use mbed_cloud_connectivity::netcheck::report::{PortReport, Reach, Report};
use mbed_cloud_connectivity::netcheck::verdict::{
    NameVerdict, NatVerdict, TcpVerdict, TlsVerdict, TtlVerdict, UdpVerdict,
};
use mbed_cloud_connectivity::netcheck::{Options, run};
use std::time::{Duration, Instant};

pub const TESTS: &[Test] = tests![
    with_a_resolver_that_cannot_be_reached_the_default_list_ends_within_fifteen_seconds,
    with_hosts_that_cannot_be_reached_the_default_list_ends_within_fifteen_seconds,
    on_a_good_network_the_default_list_is_well_and_takes_less_than_two_seconds,
    a_proxy_that_opens_tls_is_told_with_both_names_and_stops_a_device_that_has_no_other_port,
];

/// The whole of a check of the default list on a network that drops everything.
const LIMIT: Duration = Duration::from_secs(15);
/// The same on a good network.
const GOOD_LIMIT: Duration = Duration::from_secs(2);
const BOOTSTRAP: &str = "bootstrap.us-east-1.mbedcloud.com";
const NAT: &str = "Note BehindNat";

/// The report, and how long the check took as its caller sees it.
fn checked(options: &Options) -> (Report, Duration) {
    let begin = Instant::now();
    let report = run(options, &mut |_| {}).unwrap();
    (report, begin.elapsed())
}

/// Severity, kind, port and host of each finding.
fn told(report: &Report) -> Vec<String> {
    let findings = report.findings.iter().map(|finding| {
        let port = finding.port.map(|port| match port.transport {
            Transport::Tcp => format!(" tcp/{}", port.number),
            Transport::Udp => format!(" udp/{}", port.number),
        });
        let host = finding.host.as_ref().map(|host| format!(" {host}"));
        let (port, host) = (port.unwrap_or_default(), host.unwrap_or_default());
        format!("{:?} {:?}{port}{host}", finding.severity, finding.kind)
    });
    findings.collect()
}

/// All ports of all endpoints that are reached by TCP, with their hosts.
fn tls(report: &Report) -> impl Iterator<Item = (&str, u16, &TlsVerdict)> {
    report.endpoints.iter().flat_map(|endpoint| {
        let host = &endpoint.endpoint.host[..];
        endpoint.ports.iter().filter_map(move |tried| Some((host, tried.port.number, tried.tls.as_ref()?)))
    })
}

fn on_a_good_network_the_default_list_is_well_and_takes_less_than_two_seconds(network: &Network) {
    settle(network);
    let authority = own_authority("check-good");
    let _servers = serve_all(network, &authority);
    let _resolver = name_all(network, SERVICE);
    let options = Options::new(default_list());
    let check = || {
        let (report, took) = checked(&options);
        assert_eq!(told(&report), [NAT]);
        assert_eq!(report.nat, NatVerdict::BehindNat { address: "192.0.2.2".parse().unwrap() });
        assert_eq!(report.severity(), Some(Severity::Note));
        for endpoint in &report.endpoints {
            let name = &endpoint.name;
            assert_eq!((&name.verdict, &name.ttl), (&NameVerdict::Ok, &TtlVerdict::Ok), "{name:?}");
            assert_eq!((name.addresses.len(), name.addresses[0].to_string()), (1, SERVICE.into()));
            assert_eq!(endpoint.ports.len(), endpoint.endpoint.reached_by.len());
            let is_open = |tried: &PortReport| {
                matches!(tried.reach, Reach::Tcp(TcpVerdict::Open { .. }) | Reach::Udp(UdpVerdict::Open { .. }))
            };
            assert!(endpoint.ports.iter().all(is_open), "{endpoint:?}");
        }
        let issuer = String::from(BOOTSTRAP_ISSUER);
        for (host, _, verdict) in tls(&report) {
            let issuer = issuer.clone();
            let wanted =
                if host == BOOTSTRAP { TlsVerdict::Genuine { issuer } } else { TlsVerdict::NotJudged { issuer } };
            assert_eq!(*verdict, wanted, "{host}");
        }
        assert_eq!(tls(&report).count(), 9);
        took
    };
    // A machine that has much else to do may need more than one attempt.
    let times: Vec<Duration> = (0..5).map(|_| check()).take_while(|took| *took >= GOOD_LIMIT).collect();
    assert!(times.len() < 5, "{times:?}");
}

fn with_a_resolver_that_cannot_be_reached_the_default_list_ends_within_fifteen_seconds(network: &Network) {
    network.firewall("--insert FORWARD --jump DROP");
    names::ask(&[OTHER_SERVER]);
    let (report, took) = checked(&Options::new(default_list()));
    assert!(took < LIMIT, "{took:?}");
    assert_eq!(told(&report), ["Stops ResolverSilent", NAT]);
    for endpoint in &report.endpoints {
        let name = &endpoint.name;
        assert_eq!((&name.verdict, &name.ttl), (&NameVerdict::NoAnswer, &TtlVerdict::Unknown));
        assert_eq!((name.answers[0].code, name.addresses.len(), endpoint.ports.len()), (None, 0, 0));
    }
}

fn with_hosts_that_cannot_be_reached_the_default_list_ends_within_fifteen_seconds(network: &Network) {
    settle(network);
    network.firewall("--insert FORWARD --jump DROP");
    let _resolver = name_all(network, SERVICE);
    let (report, took) = checked(&Options::new(default_list()));
    assert!(took < LIMIT, "{took:?}");
    let wanted = [
        "Stops Filtered tcp/5684",
        "Stops UdpSilent udp/5684",
        "Stops Filtered tcp/443",
        "Warning Filtered tcp/443",
        NAT,
    ];
    assert_eq!(told(&report), wanted);
    for endpoint in &report.endpoints {
        let name = &endpoint.name;
        assert_eq!((&name.verdict, &name.ttl), (&NameVerdict::Ok, &TtlVerdict::Ok));
        for tried in &endpoint.ports {
            let is_silent = [Reach::Tcp(TcpVerdict::TimedOut), Reach::Udp(UdpVerdict::Silent)].contains(&tried.reach);
            assert!(is_silent && tried.tls.is_none(), "{tried:?}");
        }
    }
}

fn a_proxy_that_opens_tls_is_told_with_both_names_and_stops_a_device_that_has_no_other_port(network: &Network) {
    settle(network);
    let own = own_authority("check-own");
    let others = authority("check-proxy", "/O=Example Ltd/CN=Proxy CA");
    let _servers = serve_all(network, &own);
    let _resolver = name_all(network, SERVICE);
    let _proxy = serve(&network.router, ROUTER, 8443, &others, &[]);
    let endpoints: Vec<Endpoint> = default_list().into_iter().filter(|endpoint| endpoint.host == BOOTSTRAP).collect();
    let options = Options::new(endpoints);
    let intercepted =
        TlsVerdict::Intercepted { expected: BOOTSTRAP_ISSUER.into(), found: "O=Example Ltd, CN=Proxy CA".into() };
    let genuine = TlsVerdict::Genuine { issuer: BOOTSTRAP_ISSUER.into() };
    let redirect = |port: u16| {
        let rule = "--table nat --append PREROUTING --in-interface lan0 --protocol tcp --dport";
        network.firewall(&format!("{rule} {port} --jump REDIRECT --to-ports 8443"));
    };

    redirect(443);
    let (report, _) = checked(&options);
    let verdicts: Vec<_> = tls(&report).collect();
    assert_eq!(verdicts, [(BOOTSTRAP, 5684, &genuine), (BOOTSTRAP, 443, &intercepted)]);
    assert_eq!(told(&report), [format!("Warning Intercepted tcp/443 {BOOTSTRAP}"), NAT.into()]);

    redirect(5684);
    let (report, _) = checked(&options);
    let verdicts: Vec<_> = tls(&report).collect();
    assert_eq!(verdicts, [(BOOTSTRAP, 5684, &intercepted), (BOOTSTRAP, 443, &intercepted)]);
    let wanted = [
        format!("Stops Intercepted tcp/5684 {BOOTSTRAP}"),
        format!("Stops Intercepted tcp/443 {BOOTSTRAP}"),
        NAT.into(),
    ];
    assert_eq!(told(&report), wanted);
    let finding = report.findings.iter().find(|finding| finding.kind == Kind::Intercepted).unwrap();
    assert!(finding.what.contains("ARM Bootstrap CA") && finding.what.contains("Proxy CA"), "{}", finding.what);
}
