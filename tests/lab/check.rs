//! The network check: what it says of a network that is well, and of each that is not.

use crate::common::Peer;
use crate::names::{self, Answer, Resolver};
use crate::network::{Network, OTHER_SERVER, ROUTER};
use crate::server::Server;
use crate::service::{
    SERVICE, answer_pings, authority, default_list, hosts, name_all, own_authority, records, serve, serve_all, settle,
};
use crate::{Test, tests};
use mbed_cloud_connectivity::netcheck::endpoint::{BOOTSTRAP_ISSUER, Endpoint, Port, Transport};
use mbed_cloud_connectivity::netcheck::finding::{Kind, Severity};
use mbed_cloud_connectivity::netcheck::report::{PortReport, Reach, Report};
use mbed_cloud_connectivity::netcheck::verdict::{
    CoapVerdict, NameVerdict, NatVerdict, Staleness, TcpVerdict, TlsVerdict, TtlVerdict, UdpVerdict,
};
use mbed_cloud_connectivity::netcheck::{Credentials, Options, run};
use rustix::io::Errno;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

pub const TESTS: &[Test] = tests![
    with_a_resolver_that_cannot_be_reached_the_default_list_ends_within_fifteen_seconds,
    with_hosts_that_cannot_be_reached_the_default_list_ends_within_fifteen_seconds,
    on_a_good_network_the_default_list_is_well_and_takes_less_than_two_seconds,
    fifty_endpoints_take_no_more_than_three_times_as_long_as_five,
    with_fifty_hosts_that_cannot_be_reached_all_are_tried_and_it_takes_no_more_than_three_times_as_long_as_with_five,
    each_fate_of_a_port_has_its_verdict,
    a_ping_through_the_session_is_answered_or_not,
    each_answer_of_a_resolver_has_its_verdict,
    resolvers_that_contradict_each_other_are_told_and_the_first_is_used,
    a_time_to_live_that_is_not_kept_to_is_told,
    a_network_of_ipv6_alone_is_well,
    without_a_network_nothing_else_is_told,
    a_proxy_that_opens_tls_is_told_with_both_names_and_stops_a_device_that_has_no_other_port,
];

/// The whole of a check of the default list on a network that drops everything.
const LIMIT: Duration = Duration::from_secs(15);
/// The same on a good network.
const GOOD_LIMIT: Duration = Duration::from_secs(2);
const BOOTSTRAP: &str = "bootstrap.us-east-1.mbedcloud.com";
const NAT: &str = "Note BehindNat";
const FORBIDDEN: &[u8] = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";

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

/// Endpoints at the ports of the service whose names the resolver has all at once.
fn many(count: usize) -> Vec<Endpoint> {
    let like = default_list().into_iter().find(|endpoint| endpoint.reached_by.len() == 3).unwrap();
    let endpoint = |number| {
        let host = format!("device-{number}.test");
        Endpoint { purpose: host.clone(), host, expected_issuer: None, ..like.clone() }
    };
    (0..count).map(endpoint).collect()
}

fn all_of_test(network: &Network) -> Peer {
    names::ask(&[ROUTER]);
    // An address for the one family, and nothing for the other.
    names::dnsmasq(&network.router, ROUTER, &[&format!("--address=/test/{SERVICE}"), "--local=/test/"])
}

fn fifty_endpoints_take_no_more_than_three_times_as_long_as_five(network: &Network) {
    settle(network);
    let _servers = serve_all(network, &own_authority("check-fifty"));
    let _resolver = all_of_test(network);
    let check = |count: usize| {
        let (report, took) = checked(&Options::new(many(count)));
        for (host, port, verdict) in tls(&report) {
            assert!(matches!(verdict, TlsVerdict::NotJudged { .. }), "{host} {port} {verdict:?}");
        }
        assert_eq!((told(&report), report.endpoints.len()), (vec![NAT.into()], count));
        took
    };
    // A machine that has much else to do may need more than one attempt.
    let attempts: Vec<_> =
        (0..5).map(|_| (check(5), check(50))).take_while(|(five, fifty)| *fifty > *five * 3).collect();
    assert!(attempts.len() < 5, "{attempts:?}");
}

fn with_fifty_hosts_that_cannot_be_reached_all_are_tried_and_it_takes_no_more_than_three_times_as_long_as_with_five(
    network: &Network,
) {
    settle(network);
    network.firewall("--insert FORWARD --jump DROP");
    let _resolver = all_of_test(network);
    let check = |count: usize| {
        let (report, took) = checked(&Options::new(many(count)));
        assert_eq!(
            told(&report),
            ["Stops Filtered tcp/5684", "Stops UdpSilent udp/5684", "Stops Filtered tcp/443", NAT]
        );
        took
    };
    let (five, fifty) = (check(5), check(50));
    assert!(fifty <= five * 3 && fifty < LIMIT, "{five:?}, {fifty:?}");
}

/// What a port came to, without times.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Tls(TlsVerdict),
    Dtls,
    Closed(Reach),
}

fn fate(tried: &PortReport) -> Fate {
    match (&tried.reach, &tried.tls) {
        (Reach::Tcp(TcpVerdict::Open { .. }), Some(verdict)) => Fate::Tls(verdict.clone()),
        (Reach::Udp(UdpVerdict::Open { .. }), None) => Fate::Dtls,
        (reach, None) => Fate::Closed(reach.clone()),
        _ => panic!("{tried:?}"),
    }
}

/// A web server that lets nobody through.
fn deny(mut stream: TcpStream) {
    let _ = stream.read(&mut [0; 4096]);
    let _ = stream.write_all(FORBIDDEN);
}

fn denied() -> TlsVerdict {
    TlsVerdict::NotTls { first_bytes: FORBIDDEN.into(), http_status: Some(403) }
}

fn each_fate_of_a_port_has_its_verdict(network: &Network) {
    settle(network);
    let authority = own_authority("check-ports");
    let server = &network.server;
    let old = ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"];
    let _servers = [
        serve(server, SERVICE, 443, &authority, &[]),
        serve(server, SERVICE, 1, &authority, &[]),
        serve(server, SERVICE, 2, &authority, &[]),
        serve(server, SERVICE, 3, &authority, &old),
        serve(server, SERVICE, 5684, &authority, &["-dtls1_2", "-listen"]),
    ];
    let _other = Server::start(server, 4, |mut stream| drop(stream.write_all(b"220 mail.example\r\n")));
    let _portal = Server::start(&network.router, 8080, deny);
    let _silent = server.run(|| UdpSocket::bind((SERVICE, 8)).unwrap());
    for rule in [
        "--table nat --append PREROUTING --protocol tcp --dport 5684 --jump REDIRECT --to-ports 8080",
        // What carries data: the connection is made, and the handshake is cut or stands still.
        "--insert FORWARD --protocol tcp --dport 1 --tcp-flags PSH PSH --jump REJECT --reject-with tcp-reset",
        "--insert FORWARD --protocol tcp --dport 2 --tcp-flags PSH PSH --jump DROP",
        "--insert FORWARD --protocol tcp --dport 6 --jump DROP",
        "--insert FORWARD --protocol tcp --dport 7 --jump REJECT --reject-with icmp-admin-prohibited",
        "--insert FORWARD --protocol udp --dport 6 --jump DROP",
        "--insert FORWARD --protocol udp --dport 7 --jump REJECT --reject-with icmp-admin-prohibited",
    ] {
        network.firewall(rule);
    }
    let tls = |number, verdict| (Transport::Tcp, number, Fate::Tls(verdict));
    let tcp = |number, verdict| (Transport::Tcp, number, Fate::Closed(Reach::Tcp(verdict)));
    let udp = |number, verdict| (Transport::Udp, number, Fate::Closed(Reach::Udp(verdict)));
    let (refused, no_way) = (Errno::CONNREFUSED.raw_os_error(), Errno::HOSTUNREACH.raw_os_error());
    let wanted = [
        tls(443, TlsVerdict::Genuine { issuer: BOOTSTRAP_ISSUER.into() }),
        tls(5684, denied()),
        tls(1, TlsVerdict::Reset),
        tls(2, TlsVerdict::TimedOut),
        tls(3, TlsVerdict::Alert { number: 70, name: "protocol_version".into() }),
        tls(4, TlsVerdict::NotTls { first_bytes: b"220 mail.example\r\n".into(), http_status: None }),
        tcp(5, TcpVerdict::Refused),
        tcp(6, TcpVerdict::TimedOut),
        tcp(7, TcpVerdict::Unreachable { errno: no_way }),
        (Transport::Udp, 5684, Fate::Dtls),
        udp(5, UdpVerdict::Unreachable { errno: refused }),
        udp(6, UdpVerdict::Silent),
        udp(7, UdpVerdict::Unreachable { errno: no_way }),
        udp(8, UdpVerdict::Silent),
    ];
    let like = default_list().remove(0);
    let endpoint = |(transport, number, _): &(Transport, u16, Fate)| Endpoint {
        host: SERVICE.into(),
        purpose: format!("{transport:?} {number}"),
        reached_by: vec![Port { transport: *transport, number: *number }],
        ..like.clone()
    };
    let (report, _) = checked(&Options::new(wanted.iter().map(endpoint).collect()));
    for (endpoint, (_, _, wanted)) in report.endpoints.iter().zip(&wanted) {
        let [tried] = &endpoint.ports[..] else { panic!("{endpoint:?}") };
        assert_eq!(fate(tried), *wanted, "{tried:?}");
        assert_eq!(endpoint.name.verdict, NameVerdict::IsAddress);
    }
    let kinds = [
        "NotTls tcp/5684",
        "HandshakeReset tcp/1",
        "HandshakeTimeout tcp/2",
        "HandshakeAlert tcp/3",
        "NotTls tcp/4",
        "Refused tcp/5",
        "Filtered tcp/6",
        "Unreachable tcp/7",
        "UdpUnreachable udp/5",
        "UdpSilent udp/6",
        "UdpUnreachable udp/7",
        "UdpSilent udp/8",
    ];
    let stops = kinds.iter().map(|kind| format!("Stops {kind} {SERVICE}"));
    assert_eq!(told(&report), stops.chain([NAT.into()]).collect::<Vec<_>>());
}

fn a_ping_through_the_session_is_answered_or_not(network: &Network) {
    settle(network);
    let authority = own_authority("check-ping");
    authority.issue("device", "DNS:device.example", (-1, 30));
    let wants_a_certificate = ["-quiet", "-Verify", "1"];
    let _silent = serve(&network.server, SERVICE, 443, &authority, &wants_a_certificate);
    answer_pings(&network.server, 5684, &authority);
    let _resolver = name_all(network, SERVICE);
    let bootstrap = default_list().remove(0);
    let reached_by = bootstrap.reached_by.iter().filter(|port| port.transport == Transport::Tcp).copied().collect();
    let credentials = Credentials {
        ca: Some(authority.read("ca.pem")),
        certificate: Some(authority.read("device.pem")),
        key: Some(authority.read("device.key")),
    };
    let options =
        Options { credentials: Some(credentials), ..Options::new(vec![Endpoint { reached_by, ..bootstrap }]) };
    let (report, _) = checked(&options);
    let genuine = TlsVerdict::Genuine { issuer: BOOTSTRAP_ISSUER.into() };
    assert_eq!(tls(&report).collect::<Vec<_>>(), [(BOOTSTRAP, 5684, &genuine), (BOOTSTRAP, 443, &genuine)]);
    let [answered, silent] = &report.endpoints[0].ports[..] else { panic!("{report:?}") };
    assert!(matches!(answered.coap, Some(CoapVerdict::Answered { .. })), "{answered:?}");
    assert_eq!(silent.coap, Some(CoapVerdict::Silent));
    assert_eq!(told(&report), [format!("Warning PingSilent tcp/443 {BOOTSTRAP}"), NAT.into()]);
}

fn each_answer_of_a_resolver_has_its_verdict(network: &Network) {
    settle(network);
    let _servers = serve_all(network, &own_authority("check-names"));
    // All other ports of the router are closed.
    let _portal = Server::start(&network.router, 443, deny);
    let (right, everywhere) = (records(SERVICE), format!("--address=/#/{ROUTER}"));
    let right: Vec<&str> = right.iter().map(String::as_str).collect();
    let no_such_name = ["Stops NoSuchName", "Warning NoSuchName", NAT];
    let sinkhole = ["Stops Sinkhole", "Warning Sinkhole", NAT];
    let portal = ["Stops Sinkhole", "Stops NotTls tcp/443", "Warning Sinkhole", "Warning NotTls tcp/443", NAT];
    let of = |address: &str| NameVerdict::Sinkhole { address: address.parse().unwrap() };
    let check = |verdict: NameVerdict, wanted: &[&str]| {
        let (report, _) = checked(&Options::new(default_list()));
        for endpoint in &report.endpoints {
            assert_eq!(endpoint.name.verdict, verdict, "{endpoint:?}");
        }
        assert_eq!(told(&report), wanted, "{verdict:?}");
    };
    names::ask(&[ROUTER]);
    for (arguments, verdict, wanted) in [
        (&["--local=/com/"][..], NameVerdict::NoSuchName, &no_such_name[..]),
        // One that asks nobody refuses.
        (&[], NameVerdict::ServerFailure { code: 5 }, &["Stops ResolverFails", NAT]),
        (&["--address=/com/0.0.0.0"], of("0.0.0.0"), &sinkhole),
        (&[&everywhere], of(ROUTER), &portal),
        (&right, NameVerdict::Ok, &[NAT]),
    ] {
        let _resolver = names::dnsmasq(&network.router, ROUTER, arguments);
        check(verdict, wanted);
    }
    // Nobody is there, and the hosts file has the names.
    let lines: String = hosts().iter().map(|host| format!("{SERVICE} {host}\n")).collect();
    std::fs::write("/mnt/own-hosts", lines).unwrap();
    network.device.command("mount --bind /mnt/own-hosts /etc/hosts");
    check(NameVerdict::HostsFileOnly, &["Warning HostsFile", NAT]);
}

fn resolvers_that_contradict_each_other_are_told_and_the_first_is_used(network: &Network) {
    settle(network);
    let _servers = serve_all(network, &own_authority("check-disagree"));
    let _resolver = name_all(network, SERVICE);
    names::ask(&[ROUTER, OTHER_SERVER]);
    for arguments in [&["--address=/com/192.88.99.9"][..], &["--local=/com/"]] {
        let _other = names::dnsmasq(&network.server, OTHER_SERVER, arguments);
        let (report, _) = checked(&Options::new(default_list()));
        assert_eq!(report.resolvers.len(), 2);
        for endpoint in &report.endpoints {
            assert_eq!(endpoint.name.verdict, NameVerdict::Disagree);
            assert_eq!(endpoint.name.addresses, [SERVICE.parse::<IpAddr>().unwrap()]);
        }
        assert_eq!(told(&report), ["Warning ResolversDisagree", NAT]);
    }
    // One that fails contradicts nobody.
    let _other = names::dnsmasq(&network.server, OTHER_SERVER, &[]);
    let (report, _) = checked(&Options::new(default_list()));
    assert_eq!(report.endpoints[0].name.answers[1].code, Some(5));
    assert_eq!(told(&report), [NAT]);
}

fn a_time_to_live_that_is_not_kept_to_is_told(network: &Network) {
    const FULL: u32 = 300;
    settle(network);
    // The router's resolver gets its answers.
    network.firewall("--insert INPUT --match conntrack --ctstate ESTABLISHED --jump ACCEPT");
    let _servers = serve_all(network, &own_authority("check-ttl"));
    let records = records(SERVICE);
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let _own_server = names::dnsmasq(&network.server, OTHER_SERVER, &records);
    let upstream = format!("--server={OTHER_SERVER}");
    names::ask(&[ROUTER]);
    let (own_server, cache) = ((OTHER_SERVER, 53), (ROUTER, 53));
    let address = |(address, port): (&str, u16)| SocketAddr::new(address.parse().unwrap(), port);
    let both = Options { resolvers: vec![address(cache), address(own_server)], ..Options::new(default_list()) };
    {
        let _cache = names::dnsmasq(&network.router, ROUTER, &[&upstream]);
        let (report, _) = checked(&both);
        assert!(report.endpoints.iter().all(|endpoint| endpoint.name.ttl == TtlVerdict::Ok), "{report:?}");
        assert_eq!(told(&report), [NAT]);
    }
    {
        let _cache = names::dnsmasq(&network.router, ROUTER, &[&upstream, "--min-cache-ttl=3600"]);
        // At first the cache passes on what it is told, and then it keeps that for too long.
        for _ in 0..2 {
            let (report, _) = checked(&both);
            for endpoint in &report.endpoints {
                let TtlVerdict::Stale { why: Staleness::TtlRaised { given, elsewhere: FULL } } = endpoint.name.ttl
                else {
                    panic!("{endpoint:?}")
                };
                assert!(given > 3500 && given <= 3600, "{endpoint:?}");
            }
            assert_eq!(told(&report), ["Warning StaleAnswers", NAT]);
        }
    }
    let resolver = Resolver::start(&network.router, ROUTER, Answer::Kept(SERVICE.parse().unwrap(), 60));
    let options = Options::new(default_list());
    let (report, _) = checked(&options);
    let past = TtlVerdict::Stale { why: Staleness::ServedPastTtl { first: 60, later: 60 } };
    assert!(report.endpoints.iter().all(|endpoint| endpoint.name.ttl == past), "{report:?}");
    assert_eq!(told(&report), ["Warning StaleAnswers", NAT]);
    // One that lets nobody keep anything.
    resolver.say(Answer::Kept(SERVICE.parse().unwrap(), 0));
    let (report, _) = checked(&options);
    assert!(report.endpoints.iter().all(|endpoint| endpoint.name.ttl == TtlVerdict::Unknown), "{report:?}");
    assert_eq!(told(&report), [NAT]);
}

fn a_network_of_ipv6_alone_is_well(network: &Network) {
    // Of the internet to the check, and nobody's: 6to4 (RFC 3056) of addresses for documentation.
    const OWN: &str = "2002:c000:202::2";
    const GATEWAY: &str = "2002:c000:202::1";
    const REMOTE: &str = "2002:c633:6402::2";
    if !std::path::Path::new("/proc/sys/net/ipv6").exists() {
        println!("skipped: this kernel has no IPv6");
        return;
    }
    let (device, router, server) = (&network.device, &network.router, &network.server);
    device.ip(&[
        "address del 192.0.2.2/24 dev eth0",
        &format!("address add {OWN}/64 dev eth0 nodad"),
        &format!("route add default via {GATEWAY}"),
    ]);
    router
        .ip(&[&format!("address add {GATEWAY}/64 dev lan0 nodad"), "address add 2002:c633:6402::1/64 dev wan0 nodad"]);
    server.ip(&[&format!("address add {REMOTE}/64 dev srv0 nodad"), "route add default via 2002:c633:6402::1"]);
    router.set("ipv6/conf/all/forwarding", 1);
    let authority = own_authority("check-ipv6");
    let remote = format!("[{REMOTE}]");
    let _servers = [
        serve(server, &remote, 5684, &authority, &[]),
        serve(server, &remote, 443, &authority, &[]),
        serve(server, &remote, 5684, &authority, &["-dtls1_2", "-listen"]),
    ];
    names::ask(&[GATEWAY]);
    let records = records(&format!("{SERVICE},{REMOTE}"));
    let _resolver = names::dnsmasq(router, GATEWAY, &records.iter().map(String::as_str).collect::<Vec<_>>());
    let (report, took) = checked(&Options::new(default_list()));
    assert!(took < LIMIT, "{took:?}");
    assert_eq!(report.nat, NatVerdict::Direct { address: OWN.parse().unwrap() });
    for endpoint in &report.endpoints {
        assert_eq!((&endpoint.name.verdict, endpoint.name.addresses.len()), (&NameVerdict::Ok, 2));
        for tried in &endpoint.ports {
            let is_reached = matches!(fate(tried), Fate::Dtls | Fate::Tls(_));
            assert_eq!(is_reached, tried.address.is_ipv6(), "{tried:?}");
        }
    }
    // One for all that is not reached by IPv4.
    assert_eq!(told(&report), ["Note Unreachable"]);
}

fn without_a_network_nothing_else_is_told(network: &Network) {
    names::ask(&[ROUTER]);
    network.device.ip(&["link set eth0 down"]);
    let (report, took) = checked(&Options::new(default_list()));
    assert!(took < LIMIT, "{took:?}");
    assert_eq!(report.nat, NatVerdict::NoAddress);
    assert_eq!(told(&report), ["Stops NoNetwork"]);
}
