//! The bare TLS loop that the library is held against: the same Mbed TLS over a blocking socket, one record out, one record in.
//!
//! `script/bench` runs it. It connects to `BENCH_ADDRESS` by TLS `BENCH_VERSION` (1.2 or 1.3) and trusts `BENCH_CA`; each line of its
//! standard input is `pings NUMBER`, `echoes NUMBER` or `handshakes NUMBER`, and is answered by `round MEDIAN P99
//! PROCESSOR_TIME`, of one, in nanoseconds.
//!
//! With `BENCH_CROWD`, a number of connections, the framing is that of RFC 8323, it says `ready` when they are made, and each line is
//! `stream NUMBER`: so many messages of 100 bytes, a record each, in turns over the connections, until the server has read the last of
//! each. It is answered by `round NANOSECONDS`, of one.

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

/// A client that has exchanged capabilities (RFC 8323 section 5.3).
fn member(server: &Server) -> Result<Client, Error> {
    let mut client = Client::connect(server)?;
    let mut capabilities = [0; 64];
    client.exchange(&[0x00, 0xe1], &mut capabilities)?;
    assert_eq!(capabilities[1], 0xe1, "the server's capabilities");
    Ok(client)
}

/// Sends messages in turns, and waits until the server has read the last of each connection.
fn stream(clients: &mut [Client], count: usize) -> Result<(), Error> {
    // Code PUT, no token, the payload's marker and 95 bytes.
    let mut message = [b'x'; 3 + 96];
    message[..4].copy_from_slice(&[0xd0, 96 - 13, 0x03, 0xff]);
    let members = clients.len();
    for index in 0..count {
        let client = &mut clients[index % members];
        let Write::Done(size) = client.session.write(&mut client.transport, &message)? else {
            panic!("a blocking socket takes it all")
        };
        assert_eq!(size, message.len(), "one record has it all");
    }
    for client in clients {
        let mut answer = [0; 64];
        client.exchange(&[0x00, 0x01], &mut answer)?;
        assert_eq!(answer[..2], [0x00, 0x45], "the answer to a GET");
    }
    Ok(())
}

/// Measures streams until there is nothing more to measure.
fn run_crowd(server: &Server, members: usize) {
    let mut clients: Vec<Client> = (0..members).map(|_| member(server).unwrap()).collect();
    println!("ready");
    for line in io::stdin().lines() {
        let line = line.unwrap();
        let count = line.strip_prefix("stream ").and_then(|count| count.parse().ok()).expect("a number");
        let begin = Instant::now();
        stream(&mut clients, count).unwrap();
        println!("round {:.2}", begin.elapsed().as_nanos() as f64 / count as f64);
        io::stdout().flush().unwrap();
    }
}

fn main() {
    let variable = |name| std::env::var(name).expect("script/bench sets it");
    let version = match variable("BENCH_VERSION").as_str() {
        "1.2" => ProtocolVersion::Tls12,
        _ => ProtocolVersion::Tls13,
    };
    let server =
        Server { address: variable("BENCH_ADDRESS"), ca: std::fs::read(variable("BENCH_CA")).unwrap(), version };
    if let Ok(members) = std::env::var("BENCH_CROWD") {
        return run_crowd(&server, members.parse().expect("a number"));
    }
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
