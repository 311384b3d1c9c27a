//! The bare TLS loop that pings are held against: the same Mbed TLS over a blocking socket, one record out, one record in.
//!
//! `script/bench` runs it. It connects to `BENCH_ADDRESS` and trusts `BENCH_CERTIFICATE`; each line of its standard input is a
//! number of pings, and is answered by `round MEDIAN P99`, in nanoseconds.

use mbed_cloud_connectivity_mbedtls::config::{ClientConfig, ProtocolVersion, TransportKind, Verification};
use mbed_cloud_connectivity_mbedtls::session::{Handshake, Read, Session, Transport, Write};
use mbed_cloud_connectivity_mbedtls::x509::CertificateChain;
use mbed_cloud_connectivity_mbedtls::{Error, ServerName};
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

/// A socket that waits, so that nothing has to be asked twice.
struct Blocking(TcpStream);

impl Transport for Blocking {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

fn connect(address: &str, certificate: &[u8]) -> Result<(Session, Blocking), Error> {
    let config = ClientConfig::builder(TransportKind::Stream)
        .versions(ProtocolVersion::Tls13, ProtocolVersion::Tls13)
        .verification(Verification::Required)
        .trusted(CertificateChain::parse(certificate)?)
        .build()?;
    let mut session = Session::new(config, ServerName::Check("127.0.0.1"))?;
    let stream = TcpStream::connect(address).expect("the peer listens");
    stream.set_nodelay(true).expect("a TCP socket");
    let mut transport = Blocking(stream);
    while session.handshake(&mut transport)? != Handshake::Done {}
    Ok((session, transport))
}

/// Sends a ping and takes its answer.
fn ping(session: &mut Session, transport: &mut Blocking, message_id: u16) -> Result<(), Error> {
    let [high, low] = message_id.to_be_bytes();
    let Write::Done(4) = session.write(transport, &[0x40, 0, high, low])? else {
        panic!("a blocking socket takes it all")
    };
    let mut answer = [0; 64];
    loop {
        match session.read(transport, &mut answer)? {
            Read::Data { size: 0, .. } => {}
            Read::Data { size, .. } => {
                assert_eq!(answer[..size], [0x70, 0, high, low], "a Reset with the message ID of the ping");
                return Ok(());
            }
            other => panic!("the peer ended: {other:?}"),
        }
    }
}

fn main() {
    let address = std::env::var("BENCH_ADDRESS").expect("script/bench sets it");
    let certificate = std::fs::read(std::env::var("BENCH_CERTIFICATE").expect("script/bench sets it")).unwrap();
    let (mut session, mut transport) = connect(&address, &certificate).unwrap();
    let mut message_id = 0u16;
    for line in io::stdin().lines() {
        let count: usize = line.unwrap().trim().parse().expect("a number of pings");
        let mut nanoseconds: Vec<u128> = (0..count)
            .map(|_| {
                message_id = message_id.wrapping_add(1);
                let begin = Instant::now();
                ping(&mut session, &mut transport, message_id).unwrap();
                begin.elapsed().as_nanos()
            })
            .collect();
        nanoseconds.sort_unstable();
        let last = nanoseconds.len() - 1;
        println!("round {} {}", nanoseconds[last / 2], nanoseconds[last * 99 / 100]);
        io::stdout().flush().unwrap();
    }
}
