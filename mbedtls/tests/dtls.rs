//! DTLS 1.2 against the server of OpenSSL.

mod support;

use std::io;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use mbed_cloud_connectivity_mbedtls::config::{ClientConfig, ProtocolVersion, TransportKind};
use mbed_cloud_connectivity_mbedtls::session::{Handshake, Read, Write};
use mbed_cloud_connectivity_mbedtls::{Error, ErrorKind, ServerName, Session, Transport};
use support::{Key, PATIENCE, Pki, Server};

/// A connected socket that can lose what it sends.
struct Datagrams {
    socket: UdpSocket,
    lose: usize,
    sent: usize,
}

impl Datagrams {
    fn new(port: u16) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(("127.0.0.1", port)).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { socket, lose: 0, sent: 0 }
    }
}

impl Transport for Datagrams {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sent += 1;
        if self.lose > 0 {
            self.lose -= 1;
            return Ok(bytes.len());
        }
        self.socket.send(bytes)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.recv(buffer)
    }
}

/// Calls again when something arrives or the session's time has come, as an event loop does.
fn handshake(session: &mut Session, socket: &mut Datagrams) -> Result<(), Error> {
    let begin = Instant::now();
    loop {
        if session.handshake(socket)? == Handshake::Done {
            return Ok(());
        }
        assert!(begin.elapsed() < PATIENCE, "no end of it");
        let deadline = session.deadline().expect("a handshake that waits has a deadline");
        while Instant::now() < deadline && socket.socket.peek(&mut [0]).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn client(pki: &Pki) -> std::sync::Arc<ClientConfig> {
    ClientConfig::builder(TransportKind::Datagram)
        .trusted(pki.chain("ca.crt"))
        .retransmission(Duration::from_millis(200), Duration::from_millis(800))
        .build()
        .unwrap()
}

#[test]
fn a_session_is_made_over_datagrams_of_which_some_are_lost() {
    let pki = Pki::new(Key::Ec);
    for (arguments, lose) in [(&["-dtls1_2"][..], 0), (&["-dtls1_2", "-listen"], 1)] {
        let mut server = Server::openssl(&pki, "server", arguments);
        let mut session = Session::new(client(&pki), ServerName::Check("localhost")).unwrap();
        session.set_mtu(1200);
        let mut socket = Datagrams::new(server.port);
        socket.lose = lose;
        handshake(&mut session, &mut socket).unwrap();
        assert_eq!(session.version(), Some(ProtocolVersion::Tls12));
        assert_eq!(session.deadline(), None, "nothing is left to retransmit");
        let before = socket.sent;
        assert_eq!(session.write(&mut socket, b"hello\n"), Ok(Write::Done(6)));
        assert_eq!(socket.sent, before + 1);
        server.say(b"olleh\n");
        let mut buffer = [0; 100];
        let begin = Instant::now();
        let found = loop {
            assert!(begin.elapsed() < PATIENCE);
            match session.read(&mut socket, &mut buffer).unwrap() {
                Read::WantRead => std::thread::sleep(Duration::from_millis(1)),
                other => break other,
            }
        };
        assert_eq!(found, Read::Data { size: 6, end_of_record: true });
        assert_eq!(&buffer[..6], b"olleh\n");
        let too_long = vec![0; session.max_record_payload() + 1];
        assert_eq!(session.write(&mut socket, &too_long).unwrap_err().kind(), ErrorKind::BadInput);
        assert_eq!(session.write(&mut socket, b"again\n"), Ok(Write::Done(6)), "a refusal does no harm");
        assert_eq!(session.close_notify(&mut socket), Ok(Write::Done(0)));
    }
}

fn read_one(session: &mut Session, socket: &mut Datagrams, buffer: &mut [u8]) -> Read {
    let begin = Instant::now();
    loop {
        assert!(begin.elapsed() < PATIENCE);
        match session.read(socket, buffer).unwrap() {
            Read::WantRead => std::thread::sleep(Duration::from_millis(1)),
            other => return other,
        }
    }
}

#[test]
fn a_session_goes_on_from_its_saved_state_and_from_no_other() {
    let pki = Pki::new(Key::Ec);
    let mut server = Server::openssl(&pki, "server", &["-dtls1_2"]);
    let config = client(&pki);
    let mut session = Session::new(config.clone(), ServerName::Unchecked).unwrap();
    session.ask_for_connection_id().unwrap();
    assert!(session.suspend().is_err(), "there is nothing yet");
    let mut socket = Datagrams::new(server.port);
    handshake(&mut session, &mut socket).unwrap();
    assert!(session.ask_for_connection_id().is_err(), "too late");
    assert_eq!(session.connection_id(), None, "this server has none");
    let first = session.suspend().unwrap();
    let mut buffer = [0; 100];
    assert_eq!(session.write(&mut socket, b"one\n"), Ok(Write::Done(4)), "the session itself goes on");
    server.say(b"eno\n");
    assert_eq!(read_one(&mut session, &mut socket, &mut buffer), Read::Data { size: 4, end_of_record: true });
    let saved = session.suspend().unwrap();
    drop(session);

    for (index, kept) in [&first, &saved].into_iter().enumerate() {
        for cut in [0, 1, 8, 40, 72, 73, kept.as_ref().len() - 1] {
            assert!(Session::restore(config.clone(), &kept.as_ref()[..cut]).is_err(), "{index}: cut at {cut}");
        }
    }
    assert!(Session::restore(client(&Pki::new(Key::Ec)), saved.as_ref()).is_err(), "another trust");
    let mut session = Session::restore(config, saved.as_ref()).unwrap();
    assert_eq!(session.handshake(&mut socket), Ok(Handshake::Done));
    assert_eq!(session.peer_certificates().len(), 1);
    assert_eq!(session.write(&mut socket, b"two\n"), Ok(Write::Done(4)));
    server.say(b"owt\n");
    assert_eq!(read_one(&mut session, &mut socket, &mut buffer), Read::Data { size: 4, end_of_record: true });
    assert_eq!(&buffer[..4], b"owt\n");
}

#[test]
fn rubbish_among_datagrams_is_ignored() {
    let pki = Pki::new(Key::Ec);
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut socket = Datagrams::new(peer.local_addr().unwrap().port());
    let mut session = Session::new(client(&pki), ServerName::Check("localhost")).unwrap();
    assert_eq!(session.handshake(&mut socket), Ok(Handshake::WantRead));
    let address = socket.socket.local_addr().unwrap();
    for rubbish in [&b""[..], b"x", &[22; 100], &[0xFF; 1400]] {
        peer.send_to(rubbish, address).unwrap();
    }
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(session.handshake(&mut socket), Ok(Handshake::WantRead));
    assert!(socket.socket.peek(&mut [0]).is_err(), "all of it has been read");
}

#[test]
fn a_server_that_says_nothing_is_a_timeout() {
    let pki = Pki::new(Key::Ec);
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut session = Session::new(client(&pki), ServerName::Check("localhost")).unwrap();
    let mut socket = Datagrams::new(silent.local_addr().unwrap().port());
    let begin = Instant::now();
    let error = handshake(&mut session, &mut socket).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(socket.sent, 3, "200, 400 and 800 ms");
    assert!(begin.elapsed() >= Duration::from_millis(1400));
}

#[test]
fn datagrams_do_not_go_with_tls_1_3() {
    let error = ClientConfig::builder(TransportKind::Datagram)
        .versions(ProtocolVersion::Tls12, ProtocolVersion::Tls13)
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadInput);
}
