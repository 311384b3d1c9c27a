//! TLS against the servers of OpenSSL and GnuTLS.

mod support;

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mbed_cloud_connectivity_mbedtls::config::{
    CipherSuite, ClientConfig, MaxFragmentLength, ProtocolVersion, TransportKind, Verification,
};
use mbed_cloud_connectivity_mbedtls::pk::PrivateKey;
use mbed_cloud_connectivity_mbedtls::session::{Alert, Handshake, Read, Write};
use mbed_cloud_connectivity_mbedtls::x509::{AlternativeName, RevocationList};
use mbed_cloud_connectivity_mbedtls::{Error, ErrorKind, ServerName, Session, Transport, VerifyFlags};
use support::*;

const DAY: i64 = 24 * 3600;

#[test]
fn tls_1_2_and_1_3_with_ec_and_rsa_chains() {
    for key in [Key::Ec, Key::Rsa] {
        let pki = Pki::new(key);
        for (argument, version) in [("-tls1_2", ProtocolVersion::Tls12), ("-tls1_3", ProtocolVersion::Tls13)] {
            let server = Server::openssl(&pki, "server", &[argument, "-rev"]);
            let (mut session, mut socket) = establish(pki.client().build().unwrap(), &server);
            assert_eq!(session.version(), Some(version));
            assert!(session.verify_result().is_empty());
            assert!(session.cipher_suite().unwrap().name().contains("GCM"));
            assert!(!session.is_resumed());
            write_all(&mut session, &mut socket, b"hello\n").unwrap();
            assert_eq!(read_exactly(&mut session, &mut socket, 6), b"olleh\n");
        }
    }
}

#[test]
fn gnutls_echoes_on_1_2_and_1_3() {
    let pki = Pki::new(Key::Ec);
    for (priority, version) in [
        ("NORMAL:-VERS-ALL:+VERS-TLS1.2", ProtocolVersion::Tls12),
        ("NORMAL:-VERS-ALL:+VERS-TLS1.3", ProtocolVersion::Tls13),
    ] {
        let server = Server::gnutls(&pki, "server", &["--priority", priority]);
        let (mut session, mut socket) = establish(pki.client().build().unwrap(), &server);
        assert_eq!(session.version(), Some(version));
        write_all(&mut session, &mut socket, b"hello\n").unwrap();
        assert_eq!(read_exactly(&mut session, &mut socket, 6), b"hello\n");
        assert_eq!(session.close_notify(&mut socket), Ok(Write::Done(0)));
        assert_eq!(read(&mut session, &mut socket, &mut [0; 10]), Ok(Read::Closed));
    }
}

#[test]
fn the_name_is_checked_as_asked() {
    let pki = Pki::new(Key::Ec);
    for version in ["-tls1_2", "-tls1_3"] {
        let server = Server::openssl(&pki, "server", &[version, "-rev"]);
        let config = pki.client().build().unwrap();
        for name in [
            ServerName::Check("localhost"),
            ServerName::Check("LOCALHOST."),
            ServerName::Check("127.0.0.1"),
            ServerName::SendOnly("other.example"),
            ServerName::SendOnly("127.0.0.2"),
            ServerName::Unchecked,
        ] {
            let mut session = Session::new(Arc::clone(&config), name).unwrap();
            assert_eq!(handshake(&mut session, &mut server.connect()), Ok(()), "{name:?}");
        }
        for name in ["other.example", "127.0.0.2", "::1", "localhost.example"] {
            let mut session = Session::new(Arc::clone(&config), ServerName::Check(name)).unwrap();
            assert_eq!(fail(&mut session, &server).kind(), ErrorKind::VerifyFailed);
            assert_eq!(session.verify_result(), VerifyFlags::BADCERT_CN_MISMATCH, "{name}");
            let peer = &session.peer_certificates()[0];
            assert_eq!(peer.subject_attribute("CN").as_deref(), Some("server"));
            assert_eq!(peer.issuer, "C=FI, O=Example, CN=Test ca");
            assert_eq!(peer.alternative_names[0], AlternativeName::Dns("localhost".to_owned()));
            assert!(!session.is_established());
        }
    }
}

#[test]
fn dates_are_judged_at_the_time_handed_in() {
    let pki = Pki::new(Key::Ec);
    for version in ["-tls1_2", "-tls1_3"] {
        let server = Server::openssl(&pki, "server", &[version, "-rev"]);
        let config = pki.client().build().unwrap();
        let attempt = |time| {
            let mut session = Session::new(Arc::clone(&config), ServerName::Check("localhost")).unwrap();
            session.set_time(time);
            let result = handshake(&mut session, &mut server.connect());
            (result.map_err(Error::kind), session.verify_result())
        };
        assert_eq!(attempt(None), (Ok(()), VerifyFlags::NONE));
        assert_eq!(attempt(Some(now())), (Ok(()), VerifyFlags::NONE));
        let (failed, year) = (Err(ErrorKind::VerifyFailed), 366 * DAY);
        assert_eq!(attempt(Some(now() + year)), (failed, VerifyFlags::BADCERT_EXPIRED));
        assert_eq!(attempt(Some(0)), (failed, VerifyFlags::BADCERT_FUTURE));
        assert_eq!(attempt(Some(i64::MIN)), (failed, VerifyFlags::BADCERT_FUTURE));
        assert_eq!(attempt(Some(i64::MAX)), (failed, VerifyFlags::BADCERT_EXPIRED));
    }
}

#[test]
fn a_hook_decides_with_the_servers_random_in_hand() {
    let pki = Pki::new(Key::Ec);
    for (version, random) in [("-tls1_2", true), ("-tls1_3", false)] {
        let server = Server::openssl(&pki, "server", &[version, "-rev"]);
        for refuse in [VerifyFlags::NONE, VerifyFlags::BADCERT_OTHER] {
            let mut session = Session::new(pki.client().build().unwrap(), ServerName::Check("localhost")).unwrap();
            session.set_verify_hook(Box::new(move |found| {
                assert_eq!(found.server_random().is_some(), random);
                assert_ne!(found.server_random(), Some(&[0; 32]));
                assert!(found.flags().is_empty());
                assert_eq!(found.flags_at(0), VerifyFlags::BADCERT_FUTURE);
                assert_eq!(found.chain().len(), 2);
                assert!(found.chain()[1].certificate.compressed_p256_key().is_some());
                refuse
            }));
            let result = handshake(&mut session, &mut server.connect());
            assert_eq!(result.is_ok(), refuse.is_empty());
            assert_eq!(session.verify_result(), refuse);
        }
    }
}

#[test]
fn a_certificate_message_of_16_kilobytes_in_small_records_is_taken() {
    let pki = Pki::new(Key::Ec);
    let names: Vec<String> = (0..680).map(|number| format!("DNS:host-{number:04}.example.com")).collect();
    pki.issue("ca", "large", Key::Ec, &format!("subjectAltName=DNS:localhost,{}", names.join(",")));
    let size = pki.chain("large.crt").certificates()[0].der.len();
    assert!((15_500..16_370).contains(&size), "{size}");
    for version in ["-tls1_2", "-tls1_3"] {
        for arguments in [&[version, "-rev"][..], &[version, "-rev", "-max_send_frag", "512"]] {
            let server = Server::openssl(&pki, "large", arguments);
            let (session, _socket) = establish(pki.client().build().unwrap(), &server);
            assert_eq!(session.peer_certificates()[0].alternative_names.len(), 681);
        }
    }
}

#[test]
fn records_without_content_are_no_end() {
    let pki = Pki::new(Key::Ec);
    let server = Server::mbedtls(&pki, "server");
    let (mut session, mut socket) = establish(pki.client().build().unwrap(), &server);
    let mut buffer = [0; 100];
    for _ in 0..3 {
        assert_eq!(read(&mut session, &mut socket, &mut buffer), Ok(Read::Data { size: 4, end_of_record: true }));
        assert_eq!(&buffer[..4], b"word");
    }
    // A flood of them is taken for an attack by the library.
    let error = read(&mut session, &mut socket, &mut buffer).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidMac);
    assert_eq!(session.read(&mut socket, &mut buffer), Err(error));
}

#[test]
fn a_hook_can_judge_at_the_servers_time() {
    let pki = Pki::new(Key::Ec);
    let server = Server::mbedtls(&pki, "server");
    let mut session = Session::new(pki.client().build().unwrap(), ServerName::Check("localhost")).unwrap();
    session.set_verify_hook(Box::new(|found| {
        let random = found.server_random().unwrap();
        let time = i64::from(u32::from_be_bytes([random[0], random[1], random[2], random[3]]));
        assert!((time - now()).abs() < 60);
        found.flags_at(time)
    }));
    assert_eq!(handshake(&mut session, &mut server.connect()), Ok(()));
}

#[test]
fn an_established_session_needs_its_certificates_no_more() {
    let pki = Pki::new(Key::Ec);
    let server = Server::openssl(&pki, "server", &["-tls1_2", "-rev"]);
    let mut session = Session::new(pki.client().build().unwrap(), ServerName::Check("localhost")).unwrap();
    session.forget_certificates();
    let mut socket = server.connect();
    assert_eq!(handshake(&mut session, &mut socket), Ok(()));
    assert_eq!((session.peer_certificates().len(), session.verified_chain().len()), (1, 2));
    session.forget_certificates();
    assert!(session.peer_certificates().is_empty() && session.verified_chain().is_empty());
    assert_eq!(session.verify_result(), VerifyFlags::NONE);
    assert_eq!(session.write(&mut socket, b"ba\n"), Ok(Write::Done(3)));
    assert_eq!(read_exactly(&mut session, &mut socket, 3), b"ab\n");
    assert!(session.save().unwrap().is_some());
}

#[test]
fn an_unknown_authority_is_refused_unless_that_was_asked_for() {
    let pki = Pki::new(Key::Ec);
    pki.root("stranger", Key::Ec);
    let builder = || ClientConfig::builder(TransportKind::Stream);
    for version in ["-tls1_2", "-tls1_3"] {
        let server = Server::openssl(&pki, "server", &[version, "-rev"]);
        let attempt = |config| {
            let mut session = Session::new(config, ServerName::Check("localhost")).unwrap();
            let result = handshake(&mut session, &mut server.connect());
            assert_eq!(session.peer_certificates().len(), 1);
            (result.map_err(Error::kind), session.verify_result())
        };
        let stranger = pki.chain("stranger.crt");
        let config = builder().trusted(Arc::clone(&stranger)).build().unwrap();
        assert_eq!(attempt(config), (Err(ErrorKind::VerifyFailed), VerifyFlags::BADCERT_NOT_TRUSTED));
        let config = builder().trusted(stranger).verification(Verification::Optional).build().unwrap();
        assert_eq!(attempt(config), (Ok(()), VerifyFlags::BADCERT_NOT_TRUSTED));
        let config = builder().verification(Verification::None).build().unwrap();
        assert_eq!(attempt(config).0, Ok(()));
        let config = builder().build().unwrap();
        assert_eq!(attempt(config).0, Err(ErrorKind::NoTrustedCertificates));
    }
}

#[test]
fn revocation_lists_count_and_have_dates() {
    let pki = Pki::new(Key::Ec);
    let server = Server::openssl(&pki, "server", &["-rev"]);
    let attempt = |list: &[u8], time| {
        let config = pki.client().revocation(RevocationList::parse(list).unwrap()).build().unwrap();
        let mut session = Session::new(config, ServerName::Check("localhost")).unwrap();
        session.set_time(time);
        let result = handshake(&mut session, &mut server.connect());
        assert_eq!(result.is_ok(), session.verify_result().is_empty());
        session.verify_result()
    };
    let clean = pki.revoke(&[], "7");
    assert_eq!(attempt(&clean, Some(now())), VerifyFlags::NONE);
    assert_eq!(attempt(&clean, Some(now() + 8 * DAY)), VerifyFlags::BADCRL_EXPIRED);
    assert_eq!(attempt(&clean, None), VerifyFlags::NONE);
    assert_eq!(attempt(&clean, Some(0)), VerifyFlags::BADCERT_FUTURE | VerifyFlags::BADCRL_FUTURE);
    let revoked = pki.revoke(&["server"], "7");
    assert_eq!(attempt(&revoked, Some(now())), VerifyFlags::BADCERT_REVOKED);
    let parsed = RevocationList::parse(&revoked).unwrap();
    assert_eq!(parsed.lists()[0].revoked, [pki.chain("server.crt").certificates()[0].serial.clone()]);
}

#[test]
fn a_root_renewed_with_its_key_is_good_though_the_old_one_comes_first() {
    let pki = Pki::new(Key::Ec);
    #[rustfmt::skip]
    pki.openssl(&[
        "req", "-x509", "-new", "-key", "ca.key", "-days", "1", "-subj", "/C=FI/O=Example/CN=Test ca",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", "old.crt",
    ]);
    let both = [pki.bytes("old.crt"), pki.bytes("ca.crt")].concat();
    let trusted = mbed_cloud_connectivity_mbedtls::x509::CertificateChain::parse(&both).unwrap();
    let server = Server::openssl(&pki, "server", &["-rev"]);
    let config = ClientConfig::builder(TransportKind::Stream).trusted(trusted).build().unwrap();
    let mut session = Session::new(config, ServerName::Check("localhost")).unwrap();
    session.set_time(Some(now() + 30 * DAY));
    assert_eq!(handshake(&mut session, &mut server.connect()), Ok(()));
    let old = ClientConfig::builder(TransportKind::Stream).trusted(pki.chain("old.crt")).build().unwrap();
    let mut session = Session::new(old, ServerName::Check("localhost")).unwrap();
    session.set_time(Some(now() + 30 * DAY));
    assert_eq!(fail(&mut session, &server).kind(), ErrorKind::VerifyFailed);
    assert_eq!(session.verify_result(), VerifyFlags::BADCERT_EXPIRED);
}

#[test]
fn a_client_certificate_is_shown_when_asked_for() {
    let pki = Pki::new(Key::Ec);
    for key in [Key::Ec, Key::Rsa] {
        pki.issue("ca", "device", key, "extendedKeyUsage=clientAuth");
        let identity = (pki.chain("device.crt"), PrivateKey::parse(&pki.bytes("device.key"), None).unwrap());
        for (version, description) in [("-tls1_2", 40), ("-tls1_3", 116)] {
            let server = Server::openssl(&pki, "server", &[version, "-rev", "-Verify", "1", "-CAfile", "ca.crt"]);
            let config = pki.client().identity(Arc::clone(&identity.0), Arc::clone(&identity.1)).build().unwrap();
            let (mut session, mut socket) = establish(config, &server);
            write_all(&mut session, &mut socket, b"hello\n").unwrap();
            assert_eq!(read_exactly(&mut session, &mut socket, 6), b"olleh\n");
            drop((session, socket));
            // Without one: in TLS 1.3 the client is done before the server has looked.
            let mut session = Session::new(pki.client().build().unwrap(), ServerName::Check("localhost")).unwrap();
            let mut socket = server.connect();
            let error = match handshake(&mut session, &mut socket) {
                Ok(()) => read(&mut session, &mut socket, &mut [0; 10]).unwrap_err(),
                Err(error) => error,
            };
            assert_eq!(error.kind(), ErrorKind::FatalAlert);
            assert_eq!(session.last_alert(), Some(Alert { level: 2, description }));
        }
    }
    pki.issue("ca", "other", Key::Ec, "");
    let other = PrivateKey::parse(&pki.bytes("other.key"), None).unwrap();
    let error = pki.client().identity(pki.chain("device.crt"), other).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyMismatch);
}

#[test]
fn a_pre_shared_key_stands_for_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let key = [1, 2, 3, 4, 5, 6, 7, 8];
    let builder = || ClientConfig::builder(TransportKind::Stream).psk(b"Client_identity", &key);
    for (version, arguments, suite) in [
        (ProtocolVersion::Tls12, &["-tls1_2", "-rev", "-cipher", "PSK-AES128-CCM8:@SECLEVEL=0"][..], 0xC0A8),
        (ProtocolVersion::Tls12, &["-tls1_2", "-rev", "-cipher", "PSK-AES256-CCM8:@SECLEVEL=0"][..], 0xC0A9),
        (ProtocolVersion::Tls13, &["-tls1_3", "-rev", "-ciphersuites", "TLS_AES_128_GCM_SHA256"][..], 0x1301),
    ] {
        let server = Server::openssl_psk(folder.path(), arguments);
        let config = builder().cipher_suites(&[suite]).build().unwrap();
        let (mut session, mut socket) = establish(config, &server);
        assert_eq!((session.version(), session.cipher_suite().unwrap().number()), (Some(version), suite));
        assert!(session.peer_certificates().is_empty() && session.verify_result().is_empty());
        write_all(&mut session, &mut socket, b"hello\n").unwrap();
        assert_eq!(read_exactly(&mut session, &mut socket, 6), b"olleh\n");
        drop((session, socket));
        let wrong = ClientConfig::builder(TransportKind::Stream)
            .psk(b"Client_identity", b"wrong key")
            .cipher_suites(&[suite])
            .build()
            .unwrap();
        let mut session = Session::new(wrong, ServerName::Unchecked).unwrap();
        assert!(handshake(&mut session, &mut server.connect()).is_err());
    }
    assert!(ClientConfig::builder(TransportKind::Stream).psk(b"", &key).build().is_err());
    assert!(ClientConfig::builder(TransportKind::Stream).psk(b"name", b"").build().is_err());
}

#[test]
fn the_suites_of_the_service_are_spoken() {
    let pki = Pki::new(Key::Ec);
    for (number, name) in [
        (0xC0AE, "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"),
        (0xC0AC, "ECDHE-ECDSA-AES128-CCM"),
        (0xC02B, "ECDHE-ECDSA-AES128-GCM-SHA256"),
        (0xC02C, "ECDHE-ECDSA-AES256-GCM-SHA384"),
        (0xC05C, "ECDHE-ECDSA-ARIA128-GCM-SHA256"),
    ] {
        let server = Server::openssl(&pki, "server", &["-tls1_2", "-rev", "-cipher", name]);
        for numbers in [&[number][..], &[]] {
            let config = pki.client().cipher_suites(numbers).build().unwrap();
            let (mut session, mut socket) = establish(config, &server);
            assert_eq!(session.cipher_suite(), CipherSuite::from_number(number));
            write_all(&mut session, &mut socket, b"hello\n").unwrap();
            assert_eq!(read_exactly(&mut session, &mut socket, 6), b"olleh\n");
        }
    }
    for number in [0, 0xFFFF, 0xC023, 0x002F, 0x009C] {
        assert_eq!(CipherSuite::from_number(number), None, "0x{number:04X}");
        let error = pki.client().cipher_suites(&[number]).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadInput);
    }
}

#[test]
fn alerts_and_versions_that_do_not_meet_are_told() {
    let pki = Pki::new(Key::Ec);
    let server = Server::openssl(&pki, "server", &["-tls1_3", "-rev"]);
    let config = pki.client().versions(ProtocolVersion::Tls12, ProtocolVersion::Tls12).build().unwrap();
    let mut session = Session::new(config, ServerName::Check("localhost")).unwrap();
    let error = fail(&mut session, &server);
    assert_eq!(error.kind(), ErrorKind::FatalAlert);
    assert_eq!(session.last_alert().unwrap().name(), "protocol_version");
    // A session that failed stays so.
    assert_eq!(session.handshake(&mut server.connect()), Err(error));

    let server = Server::openssl(&pki, "server", &["-tls1_2", "-rev", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"]);
    let config = pki.client().cipher_suites(&[0xC0AE]).build().unwrap();
    let mut session = Session::new(config, ServerName::Check("localhost")).unwrap();
    assert_eq!(fail(&mut session, &server).kind(), ErrorKind::FatalAlert);
    assert_eq!(session.last_alert().unwrap().name(), "handshake_failure");

    let config = pki.client().versions(ProtocolVersion::Tls13, ProtocolVersion::Tls13).build().unwrap();
    let mut session = Session::new(config, ServerName::Check("localhost")).unwrap();
    assert!(handshake(&mut session, &mut server.connect()).is_err());
    let builder = || pki.client().versions(ProtocolVersion::Tls13, ProtocolVersion::Tls12);
    assert_eq!(builder().build().unwrap_err().kind(), ErrorKind::BadInput);
}

#[test]
fn records_come_one_by_one_and_up_to_16_kilobytes() {
    let pki = Pki::new(Key::Ec);
    for version in ["-tls1_2", "-tls1_3"] {
        let mut server = Server::openssl(&pki, "server", &[version]);
        let (mut session, mut socket) = establish(pki.client().build().unwrap(), &server);
        // A line that begins with none of the letters that s_server takes for commands.
        let mut line = vec![b'x'; 16_384];
        line[16_383] = b'\n';
        server.say(&line);
        let mut buffer = [0; 1000];
        let mut total = 0;
        let mut in_record = 0;
        while total < line.len() {
            match read(&mut session, &mut socket, &mut buffer).unwrap() {
                Read::Data { size, end_of_record } => {
                    total += size;
                    in_record += size;
                    assert!(in_record <= 16_384);
                    assert_eq!(session.has_buffered_input(), !end_of_record);
                    if end_of_record {
                        in_record = 0;
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((total, in_record), (line.len(), 0), "the last record ends with the last byte");
        // Two records are two reads, however large the buffer is.
        server.say(b"xyz\n");
        let mut buffer = [0; 20_000];
        let first = read(&mut session, &mut socket, &mut buffer).unwrap();
        assert_eq!(first, Read::Data { size: 4, end_of_record: true });
        assert_eq!(session.read(&mut socket, &mut []), Err(Error::new(-0x7100)));
    }
}

#[test]
fn a_write_of_16_kilobytes_is_one_record() {
    let pki = Pki::new(Key::Ec);
    // In TLS 1.3 the library keeps a byte for the type of the record.
    for (version, most) in [("-tls1_2", 16_384), ("-tls1_3", 16_383)] {
        let server = Server::openssl(&pki, "server", &[version, "-rev"]);
        let (mut session, mut socket) = establish(pki.client().build().unwrap(), &server);
        assert_eq!(session.max_record_payload(), most);
        let mut line = vec![b'a'; 20_000];
        line[most - 2] = b'b';
        line[most - 1] = b'\n';
        let mut counter = Counter { socket: &mut socket, content: Vec::new() };
        assert_eq!(session.write(&mut counter, &line), Ok(Write::Done(most)), "the rest is for the next record");
        let records = records(&counter.content);
        assert_eq!(records.len(), 1);
        assert!(records[0] > most);
        assert_eq!(session.write(&mut socket, &[]), Ok(Write::Done(0)));
        let echo = read_exactly(&mut session, &mut socket, most);
        assert_eq!((echo[0], echo[1], echo[most - 1]), (b'b', b'a', b'\n'));
    }
}

#[test]
fn small_and_large_records_follow_one_another() {
    let pki = Pki::new(Key::Ec);
    for version in ["-tls1_2", "-tls1_3"] {
        let server = Server::openssl(&pki, "server", &[version, "-rev"]);
        let (mut session, mut socket) = establish(pki.client().build().unwrap(), &server);
        for size in [1536, 1537, 2, session.max_record_payload(), 100, 8000, 1535] {
            let mut line = vec![b'a'; size];
            line[0] = b'b';
            line[size - 1] = b'\n';
            let mut counter = Counter { socket: &mut socket, content: Vec::new() };
            assert_eq!(session.write(&mut counter, &line), Ok(Write::Done(size)));
            assert_eq!(records(&counter.content).len(), 1);
            let echo = read_exactly(&mut session, &mut socket, size);
            line[..size - 1].reverse();
            assert_eq!(echo, line);
        }
    }
}

/// Keeps what was sent.
struct Counter<'a> {
    socket: &'a mut Socket,
    content: Vec<u8>,
}

impl Transport for Counter<'_> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let size = self.socket.send(bytes)?;
        self.content.extend_from_slice(&bytes[..size]);
        Ok(size)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.receive(buffer)
    }
}

/// The sizes of the TLS records in a stream that holds whole ones.
fn records(mut stream: &[u8]) -> Vec<usize> {
    let mut sizes = Vec::new();
    while !stream.is_empty() {
        let size = usize::from(u16::from_be_bytes([stream[3], stream[4]]));
        sizes.push(size);
        stream = &stream[5 + size..];
    }
    sizes
}

#[test]
fn a_shorter_fragment_length_is_agreed_on() {
    let pki = Pki::new(Key::Ec);
    let server = Server::openssl(&pki, "server", &["-tls1_2", "-rev"]);
    let config = pki.client().max_fragment_length(MaxFragmentLength::Bytes1024).build().unwrap();
    let (mut session, mut socket) = establish(config, &server);
    assert_eq!(session.max_record_payload(), 1024);
    let mut line = vec![b'a'; 3000];
    line[2999] = b'\n';
    write_all(&mut session, &mut socket, &line).unwrap();
    let mut buffer = [0; 4096];
    let Read::Data { size, .. } = read(&mut session, &mut socket, &mut buffer).unwrap() else { panic!() };
    assert!(size <= 1024);
}

#[test]
fn an_application_protocol_is_agreed_on() {
    let pki = Pki::new(Key::Ec);
    for version in ["-tls1_2", "-tls1_3"] {
        let server = Server::openssl(&pki, "server", &[version, "-rev", "-alpn", "coap"]);
        let (session, _) = establish(pki.client().alpn(&["x", "coap"]).build().unwrap(), &server);
        assert_eq!(session.alpn(), Some("coap"));
        let (session, _) = establish(pki.client().build().unwrap(), &server);
        assert_eq!(session.alpn(), None);
    }
    assert!(pki.client().alpn(&[""]).build().is_err());
    assert!(pki.client().alpn(&["a\0b"]).build().is_err());
}

#[test]
fn the_end_is_told_from_the_cut() {
    let pki = Pki::new(Key::Ec);
    for version in ["-tls1_2", "-tls1_3"] {
        let server = Server::openssl(&pki, "server", &[version, "-rev"]);
        let (mut session, mut socket) = establish(pki.client().build().unwrap(), &server);
        write_all(&mut session, &mut socket, b"CLOSE\n").unwrap();
        let mut buffer = [0; 10];
        assert_eq!(read(&mut session, &mut socket, &mut buffer), Ok(Read::Closed), "{version}");
        assert_eq!(read(&mut session, &mut socket, &mut buffer), Ok(Read::Closed));

        let server = Server::openssl(&pki, "server", &[version, "-rev"]);
        let (mut session, mut socket) = establish(pki.client().build().unwrap(), &server);
        socket.stream.shutdown(std::net::Shutdown::Read).unwrap();
        while let Read::Data { .. } = read(&mut session, &mut socket, &mut buffer).unwrap() {}
        assert_eq!(read(&mut session, &mut socket, &mut buffer), Ok(Read::EndOfFile));
    }
}

#[test]
fn close_notify_goes_out_once_and_after_what_waits() {
    let pki = Pki::new(Key::Ec);
    let server = Server::openssl(&pki, "server", &["-tls1_2", "-rev"]);
    let config = pki.client().build().unwrap();
    let mut early = Session::new(Arc::clone(&config), ServerName::Unchecked).unwrap();
    assert_eq!(early.close_notify(&mut server.connect()), Ok(Write::Done(0)), "nothing to end");

    let (mut session, mut socket) = establish(config, &server);
    let mut slow = Slow { taken: Vec::new(), left: 10 };
    assert_eq!(session.write(&mut slow, b"hello\n"), Ok(Write::WantWrite));
    assert!(session.has_pending_write());
    assert_eq!(session.close_notify(&mut slow), Ok(Write::WantWrite));
    slow.left = 30;
    assert_eq!(session.close_notify(&mut slow), Ok(Write::WantWrite));
    assert_eq!(session.write(&mut slow, b"hello\n"), Err(Error::new(-0x7100)), "it is being closed");
    slow.left = usize::MAX;
    assert_eq!(session.close_notify(&mut slow), Ok(Write::Done(0)));
    assert_eq!(session.close_notify(&mut slow), Ok(Write::Done(0)));
    // A record of 6 bytes and an alert of 2, each with explicit nonce and tag.
    assert_eq!(records(&slow.taken), [6 + 24, 2 + 24]);
    io::Write::write_all(&mut &socket.stream, &slow.taken).unwrap();
    assert_eq!(read_exactly(&mut session, &mut socket, 6), b"olleh\n");
    assert_eq!(read(&mut session, &mut socket, &mut [0; 10]), Ok(Read::Closed));
}

/// Takes some bytes, then none.
struct Slow {
    taken: Vec<u8>,
    left: usize,
}

impl Transport for Slow {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let size = bytes.len().min(self.left);
        if size == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.left -= size;
        self.taken.extend_from_slice(&bytes[..size]);
        Ok(size)
    }

    fn receive(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// Fails in one way.
struct Broken(io::ErrorKind);

impl Transport for Broken {
    fn send(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn receive(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(self.0.into())
    }
}

#[test]
fn a_record_that_waits_goes_out_once_and_with_its_own_bytes() {
    let pki = Pki::new(Key::Ec);
    let server = Server::openssl(&pki, "server", &["-tls1_2", "-rev"]);
    let (mut session, mut socket) = establish(pki.client().build().unwrap(), &server);
    // The second one is larger than what the library keeps room for.
    for mut line in [b"hello\n".to_vec(), vec![b'a'; 9000], b"again\n".to_vec()] {
        let last = line.len() - 1;
        (line[0], line[last]) = (b'b', b'\n');
        let mut slow = Slow { taken: Vec::new(), left: 7 };
        write_slowly(&mut session, &mut slow, &line);
        assert_eq!(records(&slow.taken).len(), 1);
        io::Write::write_all(&mut &socket.stream, &slow.taken).unwrap();
        let back = read_exactly(&mut session, &mut socket, line.len());
        line[..last].reverse();
        assert_eq!(back, line);
    }
    let error = session.read(&mut Broken(io::ErrorKind::ConnectionReset), &mut [0; 10]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

/// Receives from one and sends to another.
struct Halves<'a>(&'a mut Socket, &'a mut Slow);

impl Transport for Halves<'_> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.send(bytes)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.receive(buffer)
    }
}

#[test]
fn an_alert_that_waits_is_not_taken_for_the_record_after_it() {
    let pki = Pki::new(Key::Ec);
    for size in [5, 9000] {
        let mut server = Server::openssl(&pki, "server", &["-tls1_2"]);
        let (mut session, mut socket) = establish(pki.client().build().unwrap(), &server);
        // The server asks for a renegotiation, which is refused by an alert.
        server.say(b"r\n");
        let mut slow = Slow { taken: Vec::new(), left: 10 };
        loop {
            match session.read(&mut Halves(&mut socket, &mut slow), &mut [0; 10]).unwrap() {
                Read::WantRead => socket.pause(),
                other => break assert_eq!(other, Read::WantWrite),
            }
        }
        let record = vec![b'a'; size];
        assert_eq!(session.write(&mut slow, &record), Ok(Write::WantWrite));
        assert!(!session.has_pending_write(), "only the alert waits");
        slow.left = usize::MAX;
        assert_eq!(session.write(&mut slow, &record), Ok(Write::Done(size)));
        assert_eq!(records(&slow.taken), [2 + 24, size + 24]);
    }
}

fn write_slowly(session: &mut Session, slow: &mut Slow, line: &[u8]) {
    assert_eq!(session.write(slow, line), Ok(Write::WantWrite));
    for other in [&line[1..], &[line, b"x"].concat(), b"hellO\n", b""] {
        assert_eq!(session.write(slow, other), Err(Error::new(-0x7100)));
    }
    // A transport that fails takes nothing away: no buffer space now, and then again.
    let error = session.write(&mut Broken(io::ErrorKind::OutOfMemory), line).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert_eq!(session.take_transport_error().unwrap().kind(), io::ErrorKind::OutOfMemory);
    assert_eq!(session.write(slow, line), Ok(Write::WantWrite));
    slow.left = usize::MAX;
    assert_eq!(session.write(slow, line), Ok(Write::Done(line.len())));
}

#[test]
fn a_transport_that_blocks_and_crumbles_carries_all_the_same() {
    let pki = Pki::new(Key::Ec);
    for version in ["-tls1_2", "-tls1_3"] {
        let server = Server::openssl(&pki, "server", &[version, "-rev"]);
        for (stutter, portion) in [(true, usize::MAX), (false, 1), (true, 3)] {
            let mut session = Session::new(pki.client().build().unwrap(), ServerName::Check("localhost")).unwrap();
            let mut socket = server.connect();
            (socket.stutter, socket.portion) = (stutter, portion);
            let mut waits = 0;
            while let wait @ (Handshake::WantRead | Handshake::WantWrite) = session.handshake(&mut socket).unwrap() {
                waits += usize::from(wait == Handshake::WantWrite);
                socket.pause();
            }
            assert_eq!(waits > 0, stutter, "want-write is seen where it is due");
            write_all(&mut session, &mut socket, b"hello\n").unwrap();
            assert_eq!(read_exactly(&mut session, &mut socket, 6), b"olleh\n");
        }
    }
}

#[test]
fn sessions_are_resumed() {
    let pki = Pki::new(Key::Ec);
    for arguments in [&["-tls1_2", "-rev"][..], &["-tls1_2", "-rev", "-no_ticket"], &["-tls1_3", "-rev"]] {
        let server = Server::openssl(&pki, "server", arguments);
        let config = pki.client().build().unwrap();
        let (mut session, mut socket) = establish(Arc::clone(&config), &server);
        if arguments[0] == "-tls1_3" {
            assert!(session.save().unwrap().is_none(), "no ticket has been read yet");
        }
        write_all(&mut session, &mut socket, b"hello\n").unwrap();
        assert_eq!(read_exactly(&mut session, &mut socket, 6), b"olleh\n");
        let saved = session.save().unwrap().unwrap();
        assert_eq!(session.save().unwrap().unwrap().as_ref(), saved.as_ref(), "saving again is no matter");

        // Without it a server may forget the session: it could have been an attack.
        assert_eq!(session.close_notify(&mut socket), Ok(Write::Done(0)));
        drop((session, socket));
        let resume = |config: &Arc<ClientConfig>, name, saved: &[u8]| {
            let mut session = Session::new(Arc::clone(config), ServerName::Check(name)).unwrap();
            let taken = session.resume(saved);
            let mut socket = server.connect();
            handshake(&mut session, &mut socket).unwrap();
            write_all(&mut session, &mut socket, b"again\n").unwrap();
            assert_eq!(read_exactly(&mut session, &mut socket, 6), b"niaga\n");
            (taken.is_ok(), session.is_resumed())
        };
        assert_eq!(resume(&config, "localhost", saved.as_ref()), (true, true), "{arguments:?}");
        // What is damaged or belongs elsewhere leads to a full handshake.
        let mut damaged = saved.as_ref().to_vec();
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        assert_eq!(resume(&config, "localhost", &damaged), (false, false));
        assert_eq!(resume(&config, "127.0.0.1", saved.as_ref()), (false, false));
        let other = pki.client().verification(Verification::Optional).build().unwrap();
        assert_eq!(resume(&other, "localhost", saved.as_ref()), (false, false));
        // A server that has forgotten.
        let mut session = Session::new(Arc::clone(&config), ServerName::Check("localhost")).unwrap();
        session.resume(saved.as_ref()).unwrap();
        assert!(session.resume(saved.as_ref()).is_err(), "one is enough");
        let fresh = Server::openssl(&pki, "server", arguments);
        handshake(&mut session, &mut fresh.connect()).unwrap();
        assert!(!session.is_resumed());
        assert_eq!(session.peer_certificates().len(), 1);
    }
}

#[test]
fn a_session_saved_without_verification_does_not_pass_where_it_is_required() {
    let pki = Pki::new(Key::Ec);
    let server = Server::openssl(&pki, "server", &["-tls1_2", "-rev"]);
    let lax = ClientConfig::builder(TransportKind::Stream).verification(Verification::None).build().unwrap();
    let (mut session, _socket) = establish(lax, &server);
    let saved = session.save().unwrap().unwrap();
    let mut strict = Session::new(pki.client().build().unwrap(), ServerName::Check("localhost")).unwrap();
    assert_eq!(strict.resume(saved.as_ref()).unwrap_err().kind(), ErrorKind::VersionMismatch);
}

#[test]
fn a_session_without_tickets_saves_none() {
    let pki = Pki::new(Key::Ec);
    let server = Server::openssl(&pki, "server", &["-tls1_3", "-rev"]);
    let config = pki.client().session_tickets(false).build().unwrap();
    let (mut session, mut socket) = establish(config, &server);
    write_all(&mut session, &mut socket, b"hello\n").unwrap();
    assert_eq!(read_exactly(&mut session, &mut socket, 6), b"olleh\n");
    assert!(session.save().unwrap().is_none());
}

#[test]
fn several_threads_have_sessions_of_one_configuration() {
    let pki = Pki::new(Key::Ec);
    pki.issue("ca", "device", Key::Rsa, "extendedKeyUsage=clientAuth");
    let key = PrivateKey::parse(&pki.bytes("device.key"), None).unwrap();
    let config = pki.client().identity(pki.chain("device.crt"), key).build().unwrap();
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for index in 0..4 {
            let (pki, config, done) = (&pki, &config, &done);
            scope.spawn(move || {
                let version = if index % 2 == 0 { "-tls1_2" } else { "-tls1_3" };
                let server = Server::openssl(pki, "server", &[version, "-rev", "-Verify", "1", "-CAfile", "ca.crt"]);
                for _ in 0..5 {
                    let (mut session, mut socket) = establish(Arc::clone(config), &server);
                    write_all(&mut session, &mut socket, b"hello\n").unwrap();
                    assert_eq!(read_exactly(&mut session, &mut socket, 6), b"olleh\n");
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(done.into_inner(), 20);
}

/// Panics when it is used.
struct Panicking;

impl Transport for Panicking {
    fn send(&mut self, _: &[u8]) -> io::Result<usize> {
        panic!("the transport's own fault")
    }

    fn receive(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic!("the transport's own fault")
    }
}

#[test]
fn a_panic_passes_through_to_the_caller_and_ends_the_session() {
    let pki = Pki::new(Key::Ec);
    let mut session = Session::new(pki.client().build().unwrap(), ServerName::Check("localhost")).unwrap();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| session.handshake(&mut Panicking)));
    assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"the transport's own fault"));
    let server = Server::openssl(&pki, "server", &["-rev"]);
    assert_eq!(session.handshake(&mut server.connect()), Err(Error::new(-0x6C00)));

    let mut session = Session::new(pki.client().build().unwrap(), ServerName::Check("localhost")).unwrap();
    session.set_verify_hook(Box::new(|_| panic!("the hook's own fault")));
    let mut socket = server.connect();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| handshake(&mut session, &mut socket)));
    assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"the hook's own fault"));
    assert!(!session.is_established());
}

/// Says more than it did.
struct Boasting;

impl Transport for Boasting {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len() + 1)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(buffer.len() + 1)
    }
}

#[test]
fn a_transport_that_lies_about_sizes_does_no_harm() {
    let pki = Pki::new(Key::Ec);
    let mut session = Session::new(pki.client().build().unwrap(), ServerName::Check("localhost")).unwrap();
    assert_eq!(session.handshake(&mut Boasting).unwrap_err().kind(), ErrorKind::Transport);
    assert_eq!(session.take_transport_error().unwrap().kind(), io::ErrorKind::InvalidData);
}

#[test]
fn nothing_is_read_or_written_before_the_handshake() {
    let pki = Pki::new(Key::Ec);
    let mut session = Session::new(pki.client().build().unwrap(), ServerName::Check("localhost")).unwrap();
    assert_eq!(session.read(&mut Panicking, &mut [0; 10]).unwrap_err().kind(), ErrorKind::BadInput);
    assert_eq!(session.write(&mut Panicking, b"x").unwrap_err().kind(), ErrorKind::BadInput);
    assert!(session.save().is_err() && session.version().is_none() && session.cipher_suite().is_none());
    assert_eq!((session.max_record_payload(), session.alpn(), session.deadline()), (0, None, None));
}

/// What a server sent in an honest handshake.
fn recorded(pki: &Pki, version: &str) -> Vec<u8> {
    struct Recorder(Socket, Vec<u8>);
    impl Transport for Recorder {
        fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes)
        }
        fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let size = self.0.receive(buffer)?;
            self.1.extend_from_slice(&buffer[..size]);
            Ok(size)
        }
    }
    let server = Server::openssl(pki, "server", &[version, "-rev"]);
    let mut session = Session::new(pki.client().build().unwrap(), ServerName::Check("localhost")).unwrap();
    let mut recorder = Recorder(server.connect(), Vec::new());
    while session.handshake(&mut recorder).unwrap() != Handshake::Done {
        recorder.0.pause();
    }
    recorder.1
}

/// Gives bytes in portions, then the end.
struct Script<'a> {
    bytes: &'a [u8],
    portion: usize,
}

impl Transport for Script<'_> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = buffer.len().min(self.bytes.len()).min(self.portion);
        buffer[..size].copy_from_slice(&self.bytes[..size]);
        self.bytes = &self.bytes[size..];
        Ok(size)
    }
}

#[test]
fn a_handshake_cut_at_any_byte_or_damaged_at_any_byte_is_an_error() {
    let pki = Pki::new(Key::Ec);
    let config = pki.client().build().unwrap();
    for version in ["-tls1_2", "-tls1_3"] {
        let bytes = recorded(&pki, version);
        assert!(bytes.len() > 500);
        let attempt = |bytes: &[u8], portion| {
            let mut session = Session::new(Arc::clone(&config), ServerName::Check("localhost")).unwrap();
            let error = session.handshake(&mut Script { bytes, portion }).unwrap_err();
            assert_eq!(session.handshake(&mut Script { bytes, portion }), Err(error), "it stays failed");
        };
        for size in 0..=bytes.len() {
            attempt(&bytes[..size], if size % 2 == 0 { usize::MAX } else { 1 });
        }
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1 << (index % 8);
            attempt(&damaged, usize::MAX);
        }
    }
}

#[test]
fn noise_is_an_error() {
    let pki = Pki::new(Key::Ec);
    let config = pki.client().build().unwrap();
    let mut noise = vec![0; 40_000];
    for round in 0..200 {
        mbed_cloud_connectivity_mbedtls::random(&mut noise).unwrap();
        // Half of it looks like handshake records for a start.
        if round % 2 == 0 {
            let [_, _, _, high, low, ..] = noise[..] else { unreachable!() };
            noise[..6].copy_from_slice(&[22, 3, 3, high & 0x3F, low, 2]);
        }
        let mut session = Session::new(Arc::clone(&config), ServerName::Check("localhost")).unwrap();
        let portion = 1 + usize::from(noise[10]);
        assert!(session.handshake(&mut Script { bytes: &noise, portion }).is_err());
    }
}

#[test]
fn a_server_that_hangs_up_is_told_as_that() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let peer = std::thread::spawn(move || drop(listener.accept()));
    let mut socket = Socket::over(TcpStream::connect(("127.0.0.1", port)).unwrap());
    peer.join().unwrap();
    let pki = Pki::new(Key::Ec);
    let mut session = Session::new(pki.client().build().unwrap(), ServerName::Check("localhost")).unwrap();
    let kind = handshake(&mut session, &mut socket).unwrap_err().kind();
    assert!(matches!(kind, ErrorKind::ConnectionEof | ErrorKind::ConnectionReset), "{kind:?}");
}

#[test]
fn types_can_move_to_other_threads() {
    fn moves<T: Send>() {}
    fn shared<T: Send + Sync>() {}
    moves::<Session>();
    shared::<ClientConfig>();
    shared::<PrivateKey>();
    shared::<RevocationList>();
    assert!(mbed_cloud_connectivity_mbedtls::version().starts_with("3.6."));
    assert!(matches!(mbed_cloud_connectivity_mbedtls::connection_id_extension(), 254 | 54));
}
