//! What the tests against real peers share: processes that end with the test, connections whose events can be waited for, and
//! certificates made for the test.

#![allow(dead_code, reason = "each test program uses its part")]

use mbed_cloud_connectivity::coap::framing::Framing;
use mbed_cloud_connectivity::connection::{self, Report, State, Transport, backoff, endpoint::Endpoint};
use mbed_cloud_connectivity::error::Status;
use mbed_cloud_connectivity::keepalive::{self, Answer};
use mbed_cloud_connectivity::net::context::{Connection, ConnectionSettings, Context, Event};
use mbed_cloud_connectivity::net::socket::TcpOptions;
use mbed_cloud_connectivity::tls;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// No wait of a test is longer.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A program that runs until the test ends.
pub struct Peer {
    child: Child,
}

impl Peer {
    pub fn start(program: &str, arguments: &[&str]) -> Self {
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}; script/bootstrap installs it"));
        Self { child }
    }

    /// Types a line into the program.
    pub fn type_line(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Stops it from running without ending it: its connections stay open and nothing answers.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    pub fn thaw(&self) {
        self.signal("CONT");
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free for TCP and UDP, and the next one too: libcoap's servers use both. No other call of this process gets them,
/// and they lie below those that the system gives to outgoing connections, so that no other test's server answers there.
pub fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const PAIRS: u32 = 6_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let is_free = |port: u16| {
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() && UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
    };
    // Each process begins elsewhere: a port of the one before may still be closing.
    let begin = std::process::id().wrapping_mul(101);
    let ports = (0..PAIRS).map(|_| {
        let pair = begin.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % PAIRS;
        (FIRST + 2 * pair) as u16
    });
    let mut ports = ports.filter(|port| is_free(*port) && is_free(*port + 1));
    ports.next().expect("a free port")
}

pub fn wait_for_tcp(port: u16) {
    let begin = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(begin.elapsed() < PATIENCE, "nothing listens on port {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A connection with an event that can be waited for.
pub struct Client {
    pub connection: Arc<Connection>,
    pub events: mpsc::Receiver<Owned>,
    _context: Arc<Context>,
}

/// An event that outlives its callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owned {
    Message(Vec<u8>),
    Report(Report),
}

impl Client {
    pub fn open(uri: &str, change: impl FnOnce(&mut ConnectionSettings)) -> Self {
        Self::open_on(Context::new(true).unwrap(), uri, change)
    }

    /// On a context that it shares with others.
    pub fn open_on(context: Arc<Context>, uri: &str, change: impl FnOnce(&mut ConnectionSettings)) -> Self {
        let mut settings = settings(uri);
        change(&mut settings);
        let (sender, events) = mpsc::channel();
        let sink = Box::new(move |event: Event<'_>| {
            let owned = match event {
                Event::Message(message) => Owned::Message(message.to_vec()),
                Event::Report(report) => Owned::Report(report),
            };
            let _ = sender.send(owned);
        });
        let connection = context.connection(settings, sink).unwrap();
        connection.start().unwrap();
        Self { connection, events, _context: context }
    }

    /// The first event for which `wanted` gives something; those before it are passed over.
    pub fn wait<T>(&self, what: &str, wanted: impl FnMut(&Owned) -> Option<T>) -> T {
        self.wait_within(PATIENCE, what, wanted)
    }

    pub fn wait_within<T>(&self, patience: Duration, what: &str, mut wanted: impl FnMut(&Owned) -> Option<T>) -> T {
        let begin = Instant::now();
        let mut seen = Vec::new();
        loop {
            let left = patience.saturating_sub(begin.elapsed());
            let Ok(event) = self.events.recv_timeout(left) else {
                panic!("waited for {what} in vain; came last: {:?}", &seen[seen.len().saturating_sub(12)..])
            };
            if let Some(found) = wanted(&event) {
                return found;
            }
            seen.push(event);
        }
    }

    pub fn wait_for_state(&self, state: State) -> Option<Status> {
        self.wait(&format!("{state:?}"), |event| match event {
            Owned::Report(Report::State { state: reached, reason, .. }) if *reached == state => {
                Some(reason.map(|reason| reason.status))
            }
            _ => None,
        })
    }

    /// Pings and gives the round-trip time.
    pub fn ping(&self) -> Duration {
        self.connection.ping().unwrap();
        self.wait("the answer to a ping", |event| match event {
            Owned::Report(Report::PingAnswered { round_trip }) => Some(*round_trip),
            _ => None,
        })
    }

    /// Sends a GET of a path and gives the code of the response with its token.
    pub fn get(&self, path: &str) -> u8 {
        const TOKEN: u8 = 0xa5;
        let mut request = vec![0x41, 0x01, 0x30, 0x39, TOKEN];
        for (index, segment) in path.split('/').enumerate() {
            let delta = if index == 0 { 11 } else { 0 };
            assert!(segment.len() < 13);
            request.push(delta << 4 | segment.len() as u8);
            request.extend_from_slice(segment.as_bytes());
        }
        self.connection.send(&request, |_| ()).unwrap();
        self.wait("a response", |event| match event {
            Owned::Message(message) if message.get(4) == Some(&TOKEN) => Some(message[1]),
            _ => None,
        })
    }
}

/// The settings that a URI means, with short waits.
pub fn settings(uri: &str) -> ConnectionSettings {
    let endpoint = Endpoint::parse(uri.as_bytes(), None).unwrap();
    let framing = match (endpoint.rfc8323, endpoint.secure) {
        (true, _) => Framing::Rfc8323,
        (false, true) => Framing::Record,
        (false, false) => Framing::LengthPrefix,
    };
    let core = connection::Settings {
        host: endpoint.host,
        port: endpoint.port,
        alternative_port: None,
        transport: Transport::Tcp,
        secure: endpoint.secure,
        framing,
        keepalive: keepalive::Settings {
            interval: Some(Duration::from_secs(540)),
            jitter_percent: 0,
            answer: Answer::Within(Duration::from_secs(2)),
            adaptive: None,
        },
        networks: Default::default(),
        queue_limit: 64,
        keep_queued: false,
        max_message_size: 65_535,
        backoff: backoff::Settings {
            base: Duration::from_millis(200),
            cap: Duration::from_secs(1),
            peer_closed: Duration::from_millis(500),
        },
        resolve_timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(5),
        handshake_timeout: Duration::from_secs(10),
    };
    ConnectionSettings { core, tls: None, tcp: TcpOptions::default() }
}

/// The same over UDP.
pub fn over_udp(settings: &mut ConnectionSettings) {
    settings.core.transport = Transport::Udp;
    settings.core.framing = Framing::Datagram;
    settings.core.keepalive.answer = Answer::Retransmitted;
}

/// TLS options that trust nothing yet.
pub fn tls_options(server_name: &str) -> tls::Options<'_> {
    tls::Options {
        transport: tls::TransportKind::Stream,
        server_name,
        check_server_name: true,
        versions: (tls::Version::Tls12, tls::Version::Tls13),
        ca: None,
        crl: None,
        certificate: None,
        key: None,
        key_password: None,
        psk_identity: None,
        psk: None,
    }
}

/// A CA and what it has issued, in a folder that goes with the test.
pub struct Authority {
    folder: PathBuf,
}

impl Authority {
    pub fn new(test: &str) -> Self {
        Self::named(test, "/CN=Test CA")
    }

    /// One of this name, such as `/C=GB/CN=Test CA`.
    pub fn named(test: &str, subject: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let authority = Self { folder };
        authority.openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ca.key"]);
        authority
            .openssl(&["req", "-x509", "-new", "-key", "ca.key", "-subj", subject, "-days", "30", "-out", "ca.pem"]);
        authority
    }

    /// Makes `NAME.key` and `NAME.pem`, for these names, from these days before now to these after.
    pub fn issue(&self, name: &str, alternative_names: &str, days: (i64, i64)) {
        let (key, request, certificate) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        self.openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", &key]);
        self.openssl(&["req", "-new", "-key", &key, "-subj", &format!("/CN={name}"), "-out", &request]);
        let extensions = format!("{name}.ext");
        std::fs::write(self.path(&extensions), format!("subjectAltName={alternative_names}\n")).unwrap();
        std::fs::write(self.path("index.txt"), "").unwrap();
        std::fs::write(self.path("serial"), "1000\n").unwrap();
        let configuration = "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n\
                             policy=p\nunique_subject=no\n[p]\ncommonName=supplied\n";
        std::fs::write(self.path("ca.cnf"), configuration).unwrap();
        let date = |day: i64| {
            let output =
                Command::new("date").args(["-u", "-d", &format!("{day} days"), "+%Y%m%d%H%M%SZ"]).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        let (from, to) = (date(days.0), date(days.1));
        self.openssl(&[
            "ca",
            "-batch",
            "-config",
            "ca.cnf",
            "-keyfile",
            "ca.key",
            "-cert",
            "ca.pem",
            "-in",
            &request,
            "-out",
            &certificate,
            "-startdate",
            &from,
            "-enddate",
            &to,
            "-extfile",
            &extensions,
            "-notext",
        ]);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl").args(arguments).current_dir(&self.folder).output().unwrap();
        assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
