//! The bare TLS loop that the library is held against: the same Mbed TLS over a blocking socket, one record out, one record in.
//!
//! `script/bench` runs it. It connects to `BENCH_ADDRESS` by TLS `BENCH_VERSION` (1.2 or 1.3) and trusts `BENCH_CA`; each line of its
//! standard input is `pings NUMBER`, `echoes NUMBER` or `handshakes NUMBER`, and is answered by `round MEDIAN P99
//! PROCESSOR_TIME`, of one, in nanoseconds.

use mbed_cloud_connectivity_mbedtls::config::{ClientConfig, ProtocolVersion, TransportKind, Verification};
use mbed_cloud_connectivity_mbedtls::session::{Handshake, Read, Session, Transport, Write};
use mbed_cloud_connectivity_mbedtls::x509::CertificateChain;
use mbed_cloud_connectivity_mbedtls::{Error, ServerName};
use rustix::time::{ClockId, clock_gettime};
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Instant, SystemTime};

/// Of the records that are echoed.
const RECORD_SIZE: usize = 1024;

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

/// Where to connect to, and how.
struct Server {
    address: String,
    ca: Vec<u8>,
    version: ProtocolVersion,
}

/// A connection, and the number of its last ping.
struct Client {
    session: Session,
    transport: Blocking,
    message_id: u16,
}

impl Client {
    fn connect(server: &Server) -> Result<Self, Error> {
        let mut builder = ClientConfig::builder(TransportKind::Stream)
            .versions(server.version, server.version)
            .verification(Verification::Required)
            .trusted(CertificateChain::parse(&server.ca)?);
        if server.version == ProtocolVersion::Tls12 {
            // What the PAL offers.
            builder = builder.cipher_suites(&[0xC0AE, 0xC02B, 0xC02C]);
        }
        let mut session = Session::new(builder.build()?, ServerName::Unchecked)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        session.set_time(i64::try_from(now.as_secs()).ok());
        let stream = TcpStream::connect(&server.address).expect("the peer listens");
        stream.set_nodelay(true).expect("a TCP socket");
        let mut transport = Blocking(stream);
        while session.handshake(&mut transport)? != Handshake::Done {}
        Ok(Self { session, transport, message_id: 0 })
    }

    /// Writes a record, and reads one that is not empty.
    fn exchange(&mut self, record: &[u8], answer: &mut [u8]) -> Result<usize, Error> {
        let Write::Done(size) = self.session.write(&mut self.transport, record)? else {
            panic!("a blocking socket takes it all")
        };
        assert_eq!(size, record.len(), "one record has it all");
        loop {
            match self.session.read(&mut self.transport, answer)? {
                Read::Data { size: 0, .. } => {}
                Read::Data { size, .. } => return Ok(size),
                other => panic!("the peer ended: {other:?}"),
            }
        }
    }

    /// Sends a ping and takes its answer.
    fn ping(&mut self) -> Result<(), Error> {
        self.message_id = self.message_id.wrapping_add(1);
        let [high, low] = self.message_id.to_be_bytes();
        let mut answer = [0; 64];
        let size = self.exchange(&[0x40, 0, high, low], &mut answer)?;
        assert_eq!(answer[..size], [0x70, 0, high, low], "a Reset with the message ID of the ping");
        Ok(())
    }

    /// Sends a record and takes the same one back.
    fn echo(&mut self) -> Result<(), Error> {
        let mut answer = [0; 2 * RECORD_SIZE];
        let size = self.exchange(&[b'x'; RECORD_SIZE], &mut answer)?;
        assert_eq!(size, RECORD_SIZE, "the record that was sent");
        Ok(())
    }

    fn end(mut self) -> Result<(), Error> {
        self.session.close_notify(&mut self.transport).map(|_| ())
    }
}

fn run(client: &mut Client, server: &Server, what: &str) -> Result<(), Error> {
    match what {
        "pings" => client.ping(),
        "echoes" => client.echo(),
        "handshakes" => Client::connect(server)?.end(),
        other => panic!("there is nothing called {other}"),
    }
}

/// What this process has used, in nanoseconds.
fn processor_time() -> i64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn main() {
    let variable = |name| std::env::var(name).expect("script/bench sets it");
    let version = match variable("BENCH_VERSION").as_str() {
        "1.2" => ProtocolVersion::Tls12,
        _ => ProtocolVersion::Tls13,
    };
    let server =
        Server { address: variable("BENCH_ADDRESS"), ca: std::fs::read(variable("BENCH_CA")).unwrap(), version };
    let mut client = Client::connect(&server).unwrap();
    for line in io::stdin().lines() {
        let line = line.unwrap();
        let (what, count) = line.split_once(' ').expect("a word and a number");
        let before = processor_time();
        let mut nanoseconds: Vec<u128> = (0..count.parse().expect("a number"))
            .map(|_| {
                let begin = Instant::now();
                run(&mut client, &server, what).unwrap();
                begin.elapsed().as_nanos()
            })
            .collect();
        let processor_time = (processor_time() - before) as f64 / nanoseconds.len() as f64;
        nanoseconds.sort_unstable();
        let last = nanoseconds.len() - 1;
        println!("round {} {} {processor_time:.0}", nanoseconds[last / 2], nanoseconds[last * 99 / 100]);
        io::stdout().flush().unwrap();
    }
}
