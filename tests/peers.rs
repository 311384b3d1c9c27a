//! Connections to servers that others wrote: libcoap over OpenSSL and over GnuTLS, and `openssl s_server`.

mod common;

use common::{Authority, Client, Owned, Peer, free_port, over_udp, tls_options, wait_for_tcp};
use mbed_cloud_connectivity::connection::{Report, State};
use mbed_cloud_connectivity::error::Status;
use mbed_cloud_connectivity::net::context::ConnectionSettings;
use mbed_cloud_connectivity::tls;
use std::sync::Arc;
use std::time::Duration;

const CONTENT: u8 = 0x45;
/// A peer of libcoap answers at most about one ping in this time.
const BETWEEN_PINGS: Duration = Duration::from_millis(300);

/// Ready, a response, a ping answered, a dead path seen, back again.
fn lives_dies_and_comes_back(client: &Client, peer: &Peer) {
    client.wait_for_state(State::Ready);
    assert_eq!(client.get(".well-known/core"), CONTENT);
    std::thread::sleep(BETWEEN_PINGS);
    assert!(client.ping() < Duration::from_secs(1));
    peer.freeze();
    client.connection.ping().unwrap();
    client.wait("the loss", |event| matches!(event, Owned::Report(Report::PingLost { .. })).then_some(()));
    peer.thaw();
    client.wait_for_state(State::Ready);
    std::thread::sleep(BETWEEN_PINGS);
    client.ping();
    let statistics = client.connection.statistics();
    assert_eq!((statistics.pings_answered, statistics.pings_lost, statistics.format_errors), (2, 1, 0));
}

fn trust(settings: &mut ConnectionSettings, authority: &Authority, name: &str) {
    let ca = authority.read("ca.pem");
    let options = tls::Options { ca: Some(&ca), ..tls_options(name) };
    settings.tls = Some(Arc::new(tls::Config::new(&options).unwrap()));
}

#[test]
fn libcoap_over_tcp() {
    for program in ["coap-server-openssl", "coap-server-gnutls"] {
        let port = free_port();
        let peer = Peer::start(program, &["-A", "127.0.0.1", "-p", &port.to_string()]);
        wait_for_tcp(port);
        let client = Client::open(&format!("coap+tcp://127.0.0.1:{port}"), |_| ());
        lives_dies_and_comes_back(&client, &peer);
    }
}

#[test]
fn libcoap_over_tls() {
    let authority = Authority::new("libcoap-tls");
    authority.issue("server", "DNS:localhost,IP:127.0.0.1", (-1, 30));
    for program in ["coap-server-openssl", "coap-server-gnutls"] {
        let port = free_port();
        let (certificate, key, ca) =
            (authority.text("server.pem"), authority.text("server.key"), authority.text("ca.pem"));
        let arguments = ["-A", "127.0.0.1", "-p", &port.to_string(), "-c", &certificate, "-j", &key, "-C", &ca, "-n"];
        let peer = Peer::start(program, &arguments);
        wait_for_tcp(port);
        let uri = format!("coaps+tcp://localhost:{}", port + 1);
        let client = Client::open(&uri, |settings| trust(settings, &authority, "localhost"));
        lives_dies_and_comes_back(&client, &peer);
    }
}

#[test]
fn libcoap_over_udp() {
    for program in ["coap-server-openssl", "coap-server-gnutls"] {
        let port = free_port();
        let _peer = Peer::start(program, &["-A", "127.0.0.1", "-p", &port.to_string()]);
        wait_for_tcp(port);
        let client = Client::open(&format!("coap://127.0.0.1:{port}"), over_udp);
        client.wait_for_state(State::Ready);
        assert_eq!(client.get(".well-known/core"), CONTENT);
        std::thread::sleep(BETWEEN_PINGS);
        client.ping();
    }
}

#[test]
fn libcoap_over_ipv6() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6 on loopback");
        return;
    }
    let port = free_port();
    let _peer = Peer::start("coap-server-notls", &["-A", "::1", "-p", &port.to_string()]);
    let over_tcp = Client::open(&format!("coap+tcp://[::1]:{port}"), |_| ());
    over_tcp.wait_for_state(State::Ready);
    assert_eq!(over_tcp.get(".well-known/core"), CONTENT);
    let over_datagrams = Client::open(&format!("coap://[::1]:{port}"), over_udp);
    over_datagrams.wait_for_state(State::Ready);
    assert_eq!(over_datagrams.get(".well-known/core"), CONTENT);
    over_datagrams.ping();
}

fn s_server(authority: &Authority, certificate: &str, port: u16, more: &[&str]) -> Peer {
    let (chain, key) = (authority.text(&format!("{certificate}.pem")), authority.text(&format!("{certificate}.key")));
    let port_text = port.to_string();
    let mut arguments = vec!["s_server", "-accept", &port_text, "-cert", &chain, "-key", &key, "-quiet"];
    arguments.extend(more);
    let peer = Peer::start("openssl", &arguments);
    wait_for_tcp(port);
    peer
}

/// What becomes of a connection to a server with this certificate.
fn verdict(
    authority: &Authority,
    certificate: &str,
    more: &[&str],
    change: impl FnOnce(&mut tls::Options<'_>),
) -> Status {
    let port = free_port();
    let _peer = s_server(authority, certificate, port, more);
    let ca = authority.read("ca.pem");
    let mut options = tls::Options { ca: Some(&ca), ..tls_options("localhost") };
    change(&mut options);
    let config = Arc::new(tls::Config::new(&options).unwrap());
    let client = Client::open(&format!("coaps://localhost:{port}"), |settings| settings.tls = Some(config));
    client.wait("an outcome", |event| match event {
        Owned::Report(Report::State { state: State::Ready, .. }) => Some(Status::Ok),
        Owned::Report(Report::State { state: State::Waiting, reason, .. }) => Some(reason.unwrap().status),
        _ => None,
    })
}

#[test]
fn openssl_with_every_verdict() {
    let authority = Authority::new("verdicts");
    authority.issue("server", "DNS:localhost", (-1, 30));
    authority.issue("other", "DNS:other.example", (-1, 30));
    authority.issue("expired", "DNS:localhost", (-30, -1));
    authority.issue("future", "DNS:localhost", (10, 30));
    for version in ["-tls1_2", "-tls1_3"] {
        assert_eq!(verdict(&authority, "server", &[version], |_| ()), Status::Ok);
        assert_eq!(verdict(&authority, "other", &[version], |_| ()), Status::CertificateName);
        assert_eq!(verdict(&authority, "other", &[version], |options| options.check_server_name = false), Status::Ok);
        assert_eq!(verdict(&authority, "expired", &[version], |_| ()), Status::CertificateExpired);
        assert_eq!(verdict(&authority, "future", &[version], |_| ()), Status::CertificateFuture);
    }
    let stranger = Authority::new("stranger");
    let other_ca = stranger.read("ca.pem");
    let untrusted = verdict(&authority, "server", &[], |options| options.ca = Some(other_ca.leak()));
    assert_eq!(untrusted, Status::CertificateUntrusted);
    let only_old = |options: &mut tls::Options<'_>| options.versions = (tls::Version::Tls12, tls::Version::Tls12);
    assert!(matches!(verdict(&authority, "server", &["-tls1_3"], only_old), Status::TlsAlert | Status::TlsVersion));
}

/// In TLS 1.3 the server judges the device after the device has said that it is done: the alert comes to a connection that is ready.
#[test]
fn openssl_that_asks_for_the_device_s_certificate() {
    let authority = Authority::new("device");
    authority.issue("server", "DNS:localhost", (-1, 30));
    authority.issue("device", "DNS:device", (-1, 30));
    let ca = authority.text("ca.pem");
    let (chain, key) = (authority.read("device.pem"), authority.read("device.key"));
    let (chain, key): (&[u8], &[u8]) = (chain.leak(), key.leak());
    for version in ["-tls1_2", "-tls1_3"] {
        let port = free_port();
        let _peer =
            s_server(&authority, "server", port, &[version, "-Verify", "1", "-verify_return_error", "-CAfile", &ca]);
        let trusted = authority.read("ca.pem");
        for (certificate, reason) in [(None, Some(Status::TlsAlert)), (Some(chain), None)] {
            let key = certificate.map(|_| key);
            let options = tls::Options { ca: Some(&trusted), certificate, key, ..tls_options("localhost") };
            let config = Arc::new(tls::Config::new(&options).unwrap());
            for _ in 0..20 {
                let config = config.clone();
                let client = Client::open(&format!("coaps://localhost:{port}"), |settings| settings.tls = Some(config));
                if reason.is_some() {
                    assert_eq!(client.wait_for_state(State::Waiting), reason, "{version}");
                } else {
                    client.wait_for_state(State::Ready);
                }
            }
        }
    }
}

#[test]
fn openssl_that_renews_its_keys_is_named_for_what_it_asks() {
    let authority = Authority::new("key-update");
    authority.issue("server", "DNS:localhost", (-1, 30));
    let port = free_port();
    let (chain, key) = (authority.text("server.pem"), authority.text("server.key"));
    let arguments = ["s_server", "-accept", &port.to_string(), "-cert", &chain, "-key", &key, "-tls1_3"];
    let mut peer = Peer::start("openssl", &arguments);
    wait_for_tcp(port);
    let client =
        Client::open(&format!("coaps://localhost:{port}"), |settings| trust(settings, &authority, "localhost"));
    client.wait_for_state(State::Ready);
    // s_server passes over what is typed before its side of the handshake is done, which comes after ours.
    let reason = (0..40).find_map(|_| {
        peer.type_line("k");
        std::thread::sleep(Duration::from_millis(500));
        client.events.try_iter().find_map(|event| match event {
            Owned::Report(Report::State { state: State::Waiting, reason, .. }) => reason,
            _ => None,
        })
    });
    assert_eq!(reason.map(|reason| reason.status), Some(Status::TlsUnsupported));
    client.wait_for_state(State::Ready);
}

#[test]
fn openssl_with_a_pre_shared_key() {
    for (version, identity, key, good) in [
        ("-tls1_2", "device", "00112233445566778899aabbccddeeff", true),
        ("-tls1_3", "device", "00112233445566778899aabbccddeeff", true),
        ("-tls1_2", "device", "ff112233445566778899aabbccddeeff", false),
        ("-tls1_3", "device", "ff112233445566778899aabbccddeeff", false),
    ] {
        let port = free_port();
        let arguments = [
            "s_server",
            "-accept",
            &port.to_string(),
            "-nocert",
            "-psk",
            key,
            "-psk_identity",
            identity,
            "-quiet",
            version,
        ];
        let _peer = Peer::start("openssl", &arguments);
        wait_for_tcp(port);
        let psk: Vec<u8> = (0..16).map(|byte| byte * 0x11).collect();
        let options = tls::Options { psk_identity: Some(b"device"), psk: Some(&psk), ..tls_options("localhost") };
        let config = Arc::new(tls::Config::new(&options).unwrap());
        let client = Client::open(&format!("coaps://127.0.0.1:{port}"), |settings| settings.tls = Some(config));
        let outcome = client.wait("an outcome", |event| match event {
            Owned::Report(Report::State { state: State::Ready, .. }) => Some(None),
            Owned::Report(Report::State { state: State::Waiting, reason, .. }) => Some(*reason),
            _ => None,
        });
        assert_eq!(outcome.is_none(), good, "{version}: {outcome:?}");
        assert!(good || outcome.unwrap().status == Status::TlsAlert, "{version}: {outcome:?}");
    }
}

#[test]
fn what_is_no_tls_says_so() {
    let port = free_port();
    let _peer = Peer::start("coap-server-notls", &["-A", "127.0.0.1", "-p", &port.to_string()]);
    wait_for_tcp(port);
    let authority = Authority::new("no-tls");
    let client =
        Client::open(&format!("coaps://127.0.0.1:{port}"), |settings| trust(settings, &authority, "127.0.0.1"));
    assert_eq!(client.wait_for_state(State::Waiting), Some(Status::NotTls));
}

#[test]
fn ports_and_names_that_are_not_there() {
    let port = free_port();
    let client = Client::open(&format!("coap://127.0.0.1:{port}"), |_| ());
    assert_eq!(client.wait_for_state(State::Waiting), Some(Status::ConnectionRefused));
    let client = Client::open("coap://does-not-exist.invalid", |_| ());
    let reason = client.wait_for_state(State::Waiting).unwrap();
    assert!(
        matches!(reason, Status::NameNotFound | Status::NameLookupFailed | Status::NameLookupTimeout),
        "{reason:?}"
    );
}
