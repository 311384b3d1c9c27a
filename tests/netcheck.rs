//! The network check as a whole, on this device alone.

use mbed_cloud_connectivity::netcheck::endpoint::{Endpoint, Port, Transport};
use mbed_cloud_connectivity::netcheck::finding::{Kind, Severity};
use mbed_cloud_connectivity::netcheck::report::{Reach, Report};
use mbed_cloud_connectivity::netcheck::verdict::{NameVerdict, TcpVerdict, TlsVerdict, TtlVerdict, UdpVerdict};
use mbed_cloud_connectivity::netcheck::{Options, run};
use rustix::net::{self, AddressFamily, SocketType};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::thread::JoinHandle;
use std::time::Duration;

const HOST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);

/// A name server: it has an address for `device.test`, for as long again whenever it is asked, and denies other names.
struct Resolver(SocketAddr, Option<JoinHandle<()>>);

impl Resolver {
    fn new() -> Self {
        let socket = UdpSocket::bind((HOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((size @ 1.., from)) = socket.recv_from(&mut buffer) {
                socket.send_to(&answer(&buffer[..size]), from).unwrap();
            }
        });
        Self(address, Some(thread))
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        UdpSocket::bind((HOST, 0)).unwrap().send_to(&[], self.0).unwrap();
        self.1.take().unwrap().join().unwrap();
    }
}

/// RFC 1035 section 4: the question with the bit of an answer, and a record whose name points to the question's.
fn answer(question: &[u8]) -> Vec<u8> {
    let mut answer = question.to_vec();
    answer[2] |= 0x80;
    let is_device = question[12..].starts_with(b"\x06device\x04test\0");
    let is_ipv4 = question.ends_with(&[0, 1, 0, 1]);
    if !is_device {
        answer[3] |= 3;
    } else if is_ipv4 {
        answer[7] = 1;
        answer.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(HOST.octets());
    }
    answer
}

/// What a portal sends to whoever connects.
struct Portal(SocketAddr, Option<JoinHandle<()>>);

impl Portal {
    fn new() -> Self {
        let listener = TcpListener::bind((HOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                if stream.read(&mut [0; 4096]).unwrap_or(0) == 0 {
                    return;
                }
                let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
            }
        });
        Self(address, Some(thread))
    }
}

impl Drop for Portal {
    fn drop(&mut self) {
        drop(TcpStream::connect(self.0));
        self.1.take().unwrap().join().unwrap();
    }
}

fn endpoint(host: &str, reached_by: &[(Transport, u16)]) -> Endpoint {
    Endpoint {
        service: "a test".into(),
        host: host.into(),
        reached_by: reached_by
            .iter()
            .map(|(transport, number)| Port { transport: *transport, number: *number })
            .collect(),
        purpose: "a test".into(),
        edge_only: false,
        coap: true,
        expected_issuer: None,
    }
}

fn checked(resolver: SocketAddr, endpoints: Vec<Endpoint>) -> Report {
    let options = Options { resolvers: vec![resolver], allow_private_addresses: true, ..Options::new(endpoints) };
    let report = run(&options, &mut |_| {}).unwrap();
    assert!(report.duration < Duration::from_secs(60), "{:?}", report.duration);
    report
}

#[test]
fn a_run_tells_names_ttls_and_ports() {
    let (resolver, portal) = (Resolver::new(), Portal::new());
    // Nobody else is given these ports while they are held, and nobody listens there: one socket does not, the other has a peer.
    let closed_tcp = net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    net::bind(&closed_tcp, &SocketAddrV4::new(HOST, 0)).unwrap();
    let closed_tcp_port = SocketAddrV4::try_from(net::getsockname(&closed_tcp).unwrap()).unwrap().port();
    let closed_udp = UdpSocket::bind((HOST, 0)).unwrap();
    closed_udp.connect((HOST, 1)).unwrap();
    let ports = [
        (Transport::Tcp, portal.0.port()),
        (Transport::Tcp, closed_tcp_port),
        (Transport::Udp, closed_udp.local_addr().unwrap().port()),
    ];
    let report = checked(resolver.0, vec![endpoint("device.test", &ports), endpoint("missing.test", &ports)]);
    let [device, missing] = &report.endpoints[..] else { panic!("{report:?}") };
    assert_eq!(device.name.verdict, NameVerdict::Ok);
    assert_eq!(device.name.addresses, [HOST]);
    assert!(matches!(device.name.ttl, TtlVerdict::Stale { .. }), "{:?}", device.name.ttl);
    assert!(matches!(device.ports[0].reach, Reach::Tcp(TcpVerdict::Open { .. })), "{device:?}");
    assert!(matches!(device.ports[0].tls, Some(TlsVerdict::NotTls { http_status: Some(403), .. })), "{device:?}");
    assert_eq!(device.ports[1].reach, Reach::Tcp(TcpVerdict::Refused));
    assert!(matches!(device.ports[2].reach, Reach::Udp(UdpVerdict::Unreachable { .. })), "{device:?}");
    let finds = |kind, host: &str| {
        report.findings.iter().any(|finding| finding.kind == kind && finding.host.as_deref() == Some(host))
    };
    assert!(finds(Kind::NoSuchName, "missing.test") && finds(Kind::NotTls, "device.test"), "{:?}", report.findings);
    assert_eq!(report.severity(), Some(Severity::Stops));
    assert_eq!((&missing.name.verdict, missing.ports.len()), (&NameVerdict::NoSuchName, 0));
}

#[test]
fn a_name_of_the_hosts_file_is_told_from_one_of_the_dns() {
    let resolver = Resolver::new();
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    if !hosts
        .lines()
        .any(|line| line.starts_with("127.0.0.1") && line.split_whitespace().any(|name| name == "localhost"))
    {
        println!("skipped: the hosts file of this machine has no localhost");
        return;
    }
    let report = checked(resolver.0, vec![endpoint("localhost", &[])]);
    let name = &report.endpoints[0].name;
    assert_eq!((&name.verdict, &name.ttl), (&NameVerdict::HostsFileOnly, &TtlVerdict::Unknown));
    assert!(name.addresses.iter().all(|address| address.is_loopback()) && !name.addresses.is_empty());
    assert_eq!(name.answers[0].code, Some(3));
}
