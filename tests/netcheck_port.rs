//! The network check's probes of ports, against real servers and against what is none.

mod common;

use common::{Authority, PATIENCE, Peer, free_port, wait_for_tcp};
use mbed_cloud_connectivity::netcheck::Credentials;
use mbed_cloud_connectivity::netcheck::endpoint::{Endpoint, Port, Transport};
use mbed_cloud_connectivity::netcheck::port::check;
use mbed_cloud_connectivity::netcheck::report::{PortReport, Reach};
use mbed_cloud_connectivity::netcheck::verdict::{CoapVerdict, TcpVerdict, TlsVerdict, UdpVerdict};
use rustix::net::{AddressFamily, SocketType, sockopt};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const CA: &str = "/C=GB/ST=Cambridgeshire/O=Example, Ltd/CN=Example CA";
const EXPECTED: &str = r"CN=example  ca, O=Example\, Ltd, ST=Cambridgeshire, C=GB";
/// As a report writes it.
const FOUND: &str = r"C=GB, ST=Cambridgeshire, O=Example\, Ltd, CN=Example CA";
const OTHER_CA: &str = "/CN=Firewall CA";

fn endpoint(expected_issuer: Option<&str>) -> Endpoint {
    Endpoint {
        service: "a test".into(),
        host: "localhost".into(),
        reached_by: Vec::new(),
        purpose: "a test".into(),
        edge_only: false,
        coap: true,
        expected_issuer: expected_issuer.map(Into::into),
    }
}

fn look(endpoint: &Endpoint, port: u16, credentials: Option<&Credentials>) -> PortReport {
    look_within(PATIENCE, endpoint, port, credentials)
}

fn look_within(limit: Duration, endpoint: &Endpoint, port: u16, credentials: Option<&Credentials>) -> PortReport {
    let port = Port { transport: Transport::Tcp, number: port };
    check(endpoint, LOCALHOST, port, credentials, Instant::now() + limit)
}

/// What TLS to an open port came to.
fn tls(endpoint: &Endpoint, port: u16, credentials: Option<&Credentials>) -> TlsVerdict {
    let report = look(endpoint, port, credentials);
    assert!(matches!(report.reach, Reach::Tcp(TcpVerdict::Open { round_trip }) if round_trip < PATIENCE), "{report:?}");
    report.tls.expect("the port is open")
}

fn udp(port: u16, limit: Duration) -> UdpVerdict {
    let port = Port { transport: Transport::Udp, number: port };
    let report = check(&endpoint(None), LOCALHOST, port, None, Instant::now() + limit);
    assert!(report.tls.is_none() && report.coap.is_none());
    match report.reach {
        Reach::Udp(verdict) => verdict,
        Reach::Tcp(_) => panic!("{report:?}"),
    }
}

fn genuine(issuer: &str) -> TlsVerdict {
    TlsVerdict::Genuine { issuer: issuer.into() }
}

fn intercepted(expected: &str, found: &str) -> TlsVerdict {
    TlsVerdict::Intercepted { expected: expected.into(), found: found.into() }
}

/// An authority of this name with a certificate `server`.
fn authority(test: &str, name: &str) -> Authority {
    let authority = Authority::named(test, name);
    authority.issue("server", "DNS:localhost", (-1, 30));
    authority
}

fn trusting(authority: &Authority) -> Credentials {
    Credentials { ca: Some(authority.read("ca.pem")), ..Credentials::default() }
}

/// The credentials of a device of this authority.
fn device(authority: &Authority) -> Credentials {
    authority.issue("device", "DNS:device.example", (-1, 30));
    let (certificate, key) = (authority.read("device.pem"), authority.read("device.key"));
    Credentials { certificate: Some(certificate), key: Some(key), ..trusting(authority) }
}

/// The arguments of `openssl s_server` with an authority's certificate.
fn server_arguments(authority: &Authority, port: u16, more: &[&str]) -> Vec<String> {
    let (certificate, key) = (authority.text("server.pem"), authority.text("server.key"));
    let arguments = ["s_server", "-accept", &format!("127.0.0.1:{port}"), "-cert", &certificate, "-key", &key];
    arguments.iter().chain(more).map(|argument| (*argument).to_owned()).collect()
}

fn openssl(authority: &Authority, more: &[&str]) -> (Peer, u16) {
    let port = free_port();
    let arguments = server_arguments(authority, port, more);
    let peer = Peer::start("openssl", &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    wait_for_tcp(port);
    (peer, port)
}

/// A server that treats each connection so, one after the other.
fn server(mut treat: impl FnMut(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().for_each(|stream| treat(stream.unwrap())));
    port
}

/// A server that answers the first bytes with these and closes.
fn answering(answer: Vec<u8>) -> u16 {
    server(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&answer);
    })
}

/// Waits until the peer closes.
fn drain(mut stream: TcpStream) {
    let mut sink = [0; 4096];
    while stream.read(&mut sink).is_ok_and(|size| size > 0) {}
}

#[test]
fn a_chain_of_the_expected_issuer_is_genuine_and_any_other_is_intercepted() {
    let (own, other) = (authority("port-own", CA), authority("port-other", OTHER_CA));
    for version in ["-tls1_2", "-tls1_3"] {
        let (_peer, port) = openssl(&own, &[version]);
        assert_eq!(tls(&endpoint(Some(EXPECTED)), port, None), genuine(FOUND));
        assert_eq!(tls(&endpoint(Some(EXPECTED)), port, Some(&trusting(&own))), genuine(FOUND));
        assert_eq!(tls(&endpoint(Some("CN=Example CA")), port, None), intercepted("CN=Example CA", FOUND));
        assert_eq!(tls(&endpoint(None), port, None), TlsVerdict::NotJudged { issuer: FOUND.into() });
        assert_eq!(tls(&endpoint(None), port, Some(&trusting(&own))), genuine(FOUND));
        assert_eq!(tls(&endpoint(None), port, Some(&trusting(&other))), intercepted("CN=Firewall CA", FOUND));

        let (_peer, port) = openssl(&other, &[version]);
        assert_eq!(tls(&endpoint(Some(EXPECTED)), port, None), intercepted(EXPECTED, "CN=Firewall CA"));
        assert_eq!(tls(&endpoint(None), port, Some(&trusting(&own))), intercepted(FOUND, "CN=Firewall CA"));
    }
}

#[test]
fn gnutls_is_judged_in_the_same_way() {
    let own = authority("port-gnutls", CA);
    let port = free_port();
    let (certificate, key) = (own.text("server.pem"), own.text("server.key"));
    let number = port.to_string();
    let files = ["--port", &number, "--x509certfile", &certificate, "--x509keyfile", &key, "--echo"];
    let _peer = Peer::start("gnutls-serv", &files);
    wait_for_tcp(port);
    assert_eq!(tls(&endpoint(Some(EXPECTED)), port, None), genuine(FOUND));
}

#[test]
fn a_forged_name_is_intercepted_where_the_ca_is_at_hand() {
    let (own, forged) = (authority("port-real", CA), authority("port-forged", CA));
    let (_peer, port) = openssl(&forged, &[]);
    assert_eq!(tls(&endpoint(Some(EXPECTED)), port, Some(&trusting(&own))), intercepted(EXPECTED, FOUND));
    assert_eq!(tls(&endpoint(None), port, Some(&trusting(&own))), intercepted(FOUND, FOUND));
    // A name is all there is to judge by.
    assert_eq!(tls(&endpoint(Some(EXPECTED)), port, None), genuine(FOUND));
}

#[test]
fn an_intermediate_that_is_sent_or_left_out_is_no_fault() {
    let root = Authority::named("port-root", CA);
    let own = |arguments: &[&str]| root.openssl(arguments);
    std::fs::write(root.path("between.ext"), "basicConstraints=critical,CA:TRUE\n").unwrap();
    std::fs::write(root.path("server.ext"), "subjectAltName=DNS:localhost\n").unwrap();
    for (name, issuer) in [("between", "ca"), ("server", "between")] {
        let [key, request, certificate, extensions] =
            ["key", "csr", "pem", "ext"].map(|suffix| format!("{name}.{suffix}"));
        let (issuer_key, issuer) = (format!("{issuer}.key"), format!("{issuer}.pem"));
        own(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", &key]);
        own(&["req", "-new", "-key", &key, "-subj", &format!("/CN={name}"), "-out", &request]);
        let signing = ["x509", "-req", "-in", &request, "-CA", &issuer, "-CAkey", &issuer_key, "-CAcreateserial"];
        own(&[&signing[..], &["-days", "30", "-extfile", &extensions, "-out", &certificate]].concat());
    }
    let (root_too, between) = (Some(trusting(&root)), endpoint(Some("CN=between")));
    let (_peer, port) = openssl(&root, &[]);
    assert_eq!(tls(&between, port, None), genuine("CN=between"));
    assert_eq!(tls(&between, port, root_too.as_ref()), genuine("CN=between"));
    assert_eq!(tls(&endpoint(Some(EXPECTED)), port, None), intercepted(EXPECTED, "CN=between"));

    let (_peer, port) = openssl(&root, &["-cert_chain", &root.text("between.pem")]);
    assert_eq!(tls(&between, port, None), genuine("CN=between"));
    assert_eq!(tls(&endpoint(Some(EXPECTED)), port, root_too.as_ref()), genuine(FOUND));
    assert_eq!(tls(&endpoint(None), port, root_too.as_ref()), genuine(FOUND));
    assert_eq!(tls(&endpoint(Some("CN=x")), port, None), intercepted("CN=x", FOUND));
}

#[test]
fn a_service_that_demands_a_certificate_is_genuine_and_says_what_it_thinks_of_one() {
    let (own, other) = (authority("port-demands", CA), authority("port-refused", OTHER_CA));
    let (known, unknown) = (device(&own), device(&other));
    let expected = Endpoint { coap: false, ..endpoint(Some(EXPECTED)) };
    for version in ["-tls1_2", "-tls1_3"] {
        let (_peer, port) =
            openssl(&own, &[version, "-Verify", "1", "-verify_return_error", "-CAfile", &own.text("ca.pem")]);
        assert_eq!(tls(&expected, port, None), genuine(FOUND));
        assert_eq!(tls(&expected, port, Some(&known)), genuine(FOUND));
        if version == "-tls1_2" {
            let alert = TlsVerdict::Alert { number: 48, name: "unknown_ca".into() };
            assert_eq!(tls(&expected, port, Some(&unknown)), alert);
        }
    }
}

/// Passes bytes on to a port, and keeps what the client says.
fn wiretap(to: u16) -> (u16, Arc<Mutex<Vec<u8>>>) {
    let heard = Arc::<Mutex<Vec<u8>>>::default();
    let ear = heard.clone();
    let port = server(move |client| {
        let onward = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).unwrap();
        let (mut answers, mut back) = (onward.try_clone().unwrap(), client.try_clone().unwrap());
        let answering = std::thread::spawn(move || {
            let _ = std::io::copy(&mut answers, &mut back);
            let _ = back.shutdown(std::net::Shutdown::Both);
        });
        let (mut client, mut onward) = (client, onward);
        let mut buffer = [0; 4096];
        while let Ok(size @ 1..) = client.read(&mut buffer) {
            ear.lock().unwrap().extend_from_slice(&buffer[..size]);
            let _ = onward.write_all(&buffer[..size]);
        }
        let _ = onward.shutdown(std::net::Shutdown::Both);
        answering.join().unwrap();
    });
    (port, heard)
}

#[test]
fn a_stranger_does_not_get_the_device_s_certificate() {
    let own = authority("port-shown", CA);
    let credentials = device(&own);
    own.openssl(&["x509", "-in", "device.pem", "-outform", "DER", "-out", "device.der"]);
    let shown = own.read("device.der");
    let (_peer, port) = openssl(&own, &["-tls1_2", "-verify", "1", "-CAfile", &own.text("ca.pem")]);
    for (expected, is_shown) in [(EXPECTED, true), ("CN=x", false)] {
        let (port, heard) = wiretap(port);
        let verdict = tls(&endpoint(Some(expected)), port, Some(&credentials));
        assert_eq!(matches!(verdict, TlsVerdict::Genuine { .. }), is_shown);
        let heard = heard.lock().unwrap();
        assert_eq!(heard.windows(shown.len()).any(|part| part == shown), is_shown, "{expected}");
        assert!(heard.windows(9).any(|part| part == b"localhost"), "the name is asked for");
    }
}

/// `openssl s_server`, whose session the test speaks through.
struct Spoken {
    child: Child,
    port: u16,
    input: ChildStdin,
    output: Option<ChildStdout>,
}

impl Spoken {
    fn start(authority: &Authority, version: &str) -> Self {
        let port = free_port();
        let more = [version, "-quiet", "-Verify", "1", "-CAfile", &authority.text("ca.pem")];
        let mut child = Command::new("openssl")
            .args(server_arguments(authority, port, &more))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take());
        let spoken = Self { child, port, input, output };
        wait_for_tcp(port);
        spoken
    }
}

impl Drop for Spoken {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_ping_through_the_session_is_answered_or_not() {
    let own = authority("port-ping", CA);
    let credentials = device(&own);
    let expected = endpoint(Some(EXPECTED));
    for version in ["-tls1_2", "-tls1_3"] {
        let mut peer = Spoken::start(&own, version);
        let mut output = peer.output.take().unwrap();
        let report = std::thread::scope(|scope| {
            let looking = scope.spawn(|| look(&expected, peer.port, Some(&credentials)));
            let mut ping = [0; 4];
            output.read_exact(&mut ping).unwrap();
            assert_eq!(ping[..2], [0x40, 0]);
            // A request of the server's own, and the answer to another ping, prove nothing.
            peer.input.write_all(&[0x40, 1, 0, 1]).unwrap();
            peer.input.write_all(&[0x70, 0, ping[2], !ping[3]]).unwrap();
            // s_server makes one record of all that it reads at once, and an answer has to be one by itself.
            while !looking.is_finished() {
                std::thread::sleep(Duration::from_millis(200));
                peer.input.write_all(&[0x70, 0, ping[2], ping[3]]).unwrap();
            }
            looking.join().unwrap()
        });
        assert_eq!(report.tls, Some(genuine(FOUND)));
        assert!(
            matches!(report.coap, Some(CoapVerdict::Answered { round_trip }) if round_trip < Duration::from_secs(3)),
            "{report:?}"
        );

        // Nobody answers.
        let begin = Instant::now();
        assert_eq!(
            look_within(Duration::from_secs(2), &expected, peer.port, Some(&credentials)).coap,
            Some(CoapVerdict::Silent)
        );
        assert!(begin.elapsed() < Duration::from_secs(3));
        // Without a certificate, for services of other protocols, and to a stranger there is no ping.
        let not_coap = Endpoint { coap: false, ..expected.clone() };
        assert_eq!(look(&not_coap, peer.port, Some(&credentials)).coap, None);
        assert_eq!(look(&expected, peer.port, Some(&trusting(&own))).coap, None);
        assert_eq!(look(&endpoint(Some("CN=x")), peer.port, Some(&credentials)).coap, None);
    }
}

#[test]
fn credentials_that_cannot_be_read_are_a_failure_that_says_so() {
    let port = answering(Vec::new());
    let rubbish = Credentials { ca: Some(b"rubbish".to_vec()), ..Credentials::default() };
    assert!(matches!(tls(&endpoint(None), port, Some(&rubbish)), TlsVerdict::Failed { error: ..0 }));
}

#[test]
fn what_is_not_tls_is_shown_and_a_block_page_recognised() {
    let not_tls = |first: &[u8], http_status| TlsVerdict::NotTls { first_bytes: first.to_vec(), http_status };
    let page = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html>blocked</html>";
    assert_eq!(tls(&endpoint(None), answering(page.to_vec()), None), not_tls(&page[..64], Some(403)));
    let banner = b"SSH-2.0-example\r\n";
    assert_eq!(tls(&endpoint(None), answering(banner.to_vec()), None), not_tls(banner, None));
    // One that goes on to wait for a client of its own kind.
    let port = server(|mut stream| {
        stream.write_all(b"220 ready").unwrap();
        drain(stream);
    });
    let begin = Instant::now();
    assert_eq!(tls(&endpoint(None), port, None), not_tls(b"220 ready", None));
    assert!(begin.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_connection_cut_in_the_handshake_is_a_reset() {
    let expected = endpoint(Some(EXPECTED));
    let closing = server(drop);
    assert_eq!(tls(&expected, closing, None), TlsVerdict::Reset);
    let resetting = server(|mut stream| {
        stream.read_exact(&mut [0; 5]).unwrap();
        sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    });
    assert_eq!(tls(&expected, resetting, None), TlsVerdict::Reset);
    assert_eq!(tls(&expected, answering(vec![22, 3, 3, 0, 90, 2, 0]), None), TlsVerdict::Reset);
}

#[test]
fn an_alert_is_told_by_its_number_and_name() {
    for (number, name) in
        [(40, "handshake_failure"), (70, "protocol_version"), (112, "unrecognized_name"), (99, "unknown")]
    {
        let verdict = tls(&endpoint(None), answering(vec![21, 3, 3, 0, 2, 2, number]), None);
        assert_eq!(verdict, TlsVerdict::Alert { number, name: name.into() });
    }
    // The server closes in anger, with bytes that it has not read, while the client still sends.
    let port = server(|mut stream| {
        stream.read_exact(&mut [0; 5]).unwrap();
        stream.write_all(&[21, 3, 3, 0, 2, 2, 80]).unwrap();
    });
    assert_eq!(tls(&endpoint(None), port, None), TlsVerdict::Alert { number: 80, name: "internal_error".into() });
}

/// A ServerHello of TLS 1.2 with TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256.
fn server_hello() -> Vec<u8> {
    let body = [&[3, 3][..], &[7; 32], &[0, 0xc0, 0x2b, 0]].concat();
    [&[22, 3, 3, 0, body.len() as u8 + 4, 2, 0, 0, body.len() as u8][..], &body].concat()
}

#[test]
fn a_chain_without_end_and_a_flood_of_warnings_end_soon() {
    let own = authority("port-flood", CA);
    own.openssl(&["x509", "-in", "server.pem", "-outform", "DER", "-out", "server.der"]);
    let certificate = own.read("server.der");
    let one = [&[0, (certificate.len() >> 8) as u8, certificate.len() as u8][..], &certificate].concat();
    let chain = one.repeat((1 << 20) / one.len());
    let size = |size: usize| [(size >> 16) as u8, (size >> 8) as u8, size as u8];
    let message = [&[11][..], &size(chain.len() + 3), &size(chain.len()), &chain].concat();
    let records = message.chunks(16_384).flat_map(|part| {
        let [_, high, low] = size(part.len());
        [&[22, 3, 3, high, low][..], part].concat()
    });
    let huge: Vec<u8> = server_hello().into_iter().chain(records).collect();
    assert!(huge.len() > 1_000_000);
    let warnings = [21, 3, 3, 0, 2, 1, 90].repeat(200_000);
    for flood in [huge, warnings] {
        let port = server(move |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&flood);
            drain(stream);
        });
        let begin = Instant::now();
        let verdict = tls(&endpoint(None), port, None);
        assert!(matches!(verdict, TlsVerdict::Failed { error: ..0 }), "{verdict:?}");
        assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
    }
}

#[test]
fn a_server_that_dawdles_or_says_nothing_does_not_outlast_the_deadline() {
    const LIMIT: Duration = Duration::from_secs(2);
    // A byte a second.
    let dawdling = |bytes: &'static [u8]| {
        server(move |mut stream| {
            for byte in bytes.iter().cycle() {
                if stream.write_all(&[*byte]).is_err() {
                    return;
                }
                std::thread::sleep(Duration::from_secs(1));
            }
        })
    };
    let cases = [(server(drain), true), (dawdling(&[22, 3, 3]), true), (dawdling(b"x"), false)];
    std::thread::scope(|scope| {
        for (port, may_be_tls) in cases {
            scope.spawn(move || {
                let begin = Instant::now();
                let verdict = look_within(LIMIT, &endpoint(None), port, None).tls.expect("it connects");
                let time = begin.elapsed();
                assert_eq!(verdict == TlsVerdict::TimedOut, may_be_tls, "{verdict:?}");
                assert_eq!(matches!(verdict, TlsVerdict::NotTls { .. }), !may_be_tls, "{verdict:?}");
                assert!(time >= LIMIT && time < 2 * LIMIT, "{time:?}");
            });
        }
    });
    // What is over is not begun.
    let report = look_within(Duration::ZERO, &endpoint(None), server(drain), None);
    assert!(matches!(report.reach, Reach::Tcp(TcpVerdict::TimedOut)) || report.tls == Some(TlsVerdict::TimedOut));
}

#[test]
fn any_answer_is_a_verdict() {
    let answers: Arc<Mutex<Vec<u8>>> = Arc::default();
    let next = answers.clone();
    let port = server(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&next.lock().unwrap());
    });
    let mut random = fastrand::Rng::with_seed(8446);
    let (mut not_tls, mut failed) = (0, 0);
    for round in 0..2000 {
        let mut answer: Vec<u8> = (0..random.usize(1..400)).map(|_| random.u8(..)).collect();
        let start: &[u8] = match round % 4 {
            0 => &[22, 3, 3, 0, 80, 2, 0, 0, 76, 3, 3],
            1 => &[21, 3, 3, 0, 2],
            2 => &server_hello(),
            _ => &[],
        };
        answer.splice(..0, start.iter().copied());
        *answers.lock().unwrap() = answer;
        match tls(&endpoint(Some(EXPECTED)), port, None) {
            TlsVerdict::NotTls { first_bytes, .. } => {
                assert!((1..=64).contains(&first_bytes.len()));
                not_tls += 1;
            }
            TlsVerdict::Failed { .. } | TlsVerdict::Reset | TlsVerdict::Alert { .. } => failed += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(not_tls > 400 && failed > 1000, "{not_tls}, {failed}");
}

#[test]
fn a_port_without_a_listener_is_refused_one_that_drops_times_out_and_no_host_is_unreachable() {
    let free = free_port();
    let refused = look(&endpoint(None), free, None);
    assert_eq!((refused.reach, refused.tls, refused.coap), (Reach::Tcp(TcpVerdict::Refused), None, None));

    // Where no more connections may wait, what asks for one is dropped.
    let full = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&full, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    rustix::net::listen(&full, 0).unwrap();
    let address = std::net::SocketAddr::try_from(rustix::net::getsockname(&full).unwrap()).unwrap();
    let limit = Duration::from_millis(500);
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, limit) {
        waiting.push(stream);
        assert!(waiting.len() < 10);
    }
    let begin = Instant::now();
    let report = look_within(limit, &endpoint(None), address.port(), None);
    assert_eq!((report.reach, report.tls), (Reach::Tcp(TcpVerdict::TimedOut), None));
    assert!(begin.elapsed() < limit + Duration::from_secs(1));

    // No host can have this address.
    for transport in [Transport::Tcp, Transport::Udp] {
        let port = Port { transport, number: 5684 };
        let report = check(&endpoint(None), Ipv4Addr::BROADCAST.into(), port, None, Instant::now() + PATIENCE);
        let is_unreachable = matches!(
            report.reach,
            Reach::Tcp(TcpVerdict::Unreachable { errno: 1.. }) | Reach::Udp(UdpVerdict::Unreachable { errno: 1.. })
        );
        assert!(is_unreachable, "{report:?}");
    }
}

#[test]
fn dtls_servers_answer_the_hello() {
    let own = authority("port-dtls", CA);
    let (certificate, key) = (own.text("server.pem"), own.text("server.key"));
    let ports = [free_port(), free_port(), free_port()];
    let openssl = |port, more: &[&str]| {
        let arguments = server_arguments(&own, port, &[&["-dtls1_2"], more].concat());
        Peer::start("openssl", &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let number = ports[2].to_string();
    let files = ["--udp", "--port", &number, "--x509certfile", &certificate, "--x509keyfile", &key, "--echo"];
    // One that asks for a cookie by HelloVerifyRequest, and one that answers by ServerHello at once.
    let _peers = [openssl(ports[0], &["-listen"]), openssl(ports[1], &[]), Peer::start("gnutls-serv", &files)];
    for port in ports {
        let begin = Instant::now();
        // It takes a while until the server is there.
        let verdict = loop {
            match udp(port, PATIENCE) {
                UdpVerdict::Unreachable { .. } if begin.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                verdict => break verdict,
            }
        };
        assert!(matches!(verdict, UdpVerdict::Open { round_trip } if round_trip < PATIENCE), "{port}: {verdict:?}");
    }
}

#[test]
fn a_hello_that_nobody_answers_is_sent_three_times_and_a_late_answer_counts() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let late = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let ports = [&silent, &late].map(|socket| socket.local_addr().unwrap().port());
    late.set_read_timeout(Some(PATIENCE)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let begin = Instant::now();
            assert_eq!(udp(ports[0], PATIENCE), UdpVerdict::Silent);
            let time = begin.elapsed();
            assert!(time >= Duration::from_secs(5) && time < Duration::from_secs(7), "{time:?}");
            silent.set_nonblocking(true).unwrap();
            let mut hello = [0; 2048];
            for number in 0..3 {
                let size = silent.recv(&mut hello).unwrap();
                assert!(size <= 1232 && hello[0] == 22 && hello[10] == number && hello[13] == 1, "{number}");
            }
            assert!(silent.recv(&mut hello).is_err(), "three are enough");
        });
        scope.spawn(|| {
            let mut hello = [0; 2048];
            late.recv(&mut hello).unwrap();
            let (_, from) = late.recv_from(&mut hello).unwrap();
            // Others are not listened to, and what is not DTLS is no answer.
            let verify = [
                &[22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 15, 3, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 3][..],
                &[0xfe, 0xff, 0],
            ]
            .concat();
            silent.send_to(&verify, from).unwrap();
            late.send_to(b"HTTP/1.1 400 Bad Request\r\n\r\n", from).unwrap();
            late.send_to(&[], from).unwrap();
            // Not before the second hello is answered does it end.
            assert!(late.recv(&mut hello).is_ok_and(|_| hello[10] == 2));
            late.send_to(&verify, from).unwrap();
        });
        let verdict = udp(ports[1], PATIENCE);
        assert!(
            matches!(verdict, UdpVerdict::Open { round_trip } if round_trip < Duration::from_secs(2)),
            "{verdict:?}"
        );
    });
    let begin = Instant::now();
    assert_eq!(udp(ports[0], Duration::from_millis(300)), UdpVerdict::Silent);
    assert!(begin.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_udp_port_that_is_refused_is_unreachable_at_once() {
    let refused = rustix::io::Errno::CONNREFUSED.raw_os_error();
    let begin = Instant::now();
    assert_eq!(udp(free_port(), PATIENCE), UdpVerdict::Unreachable { errno: refused });
    assert!(begin.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_device_without_descriptors_says_that_it_could_not_try() {
    const IN_CHILD: &str = "MCC_TEST_WITHOUT_DESCRIPTORS";
    if std::env::var_os(IN_CHILD).is_none() {
        // In a process of its own: the limit is for all of its threads.
        let name = "a_device_without_descriptors_says_that_it_could_not_try";
        let mut child = Command::new(std::env::current_exe().unwrap());
        let output = child.args(["--exact", name]).env(IN_CHILD, "").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
        return;
    }
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: Some(64) }).unwrap();
    let open = || std::fs::File::open("/dev/null");
    let _taken: Vec<_> = std::iter::from_fn(|| open().ok()).take(64).collect();
    let errno = rustix::io::Errno::MFILE.raw_os_error();
    assert_eq!(open().unwrap_err().raw_os_error(), Some(errno));
    assert_eq!(look(&endpoint(None), 5684, None).reach, Reach::Tcp(TcpVerdict::NotTried { errno }));
    assert_eq!(udp(5684, PATIENCE), UdpVerdict::NotTried { errno });
}
