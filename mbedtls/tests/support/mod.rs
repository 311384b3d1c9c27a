//! Real servers, certificates made on the spot, and transports that misbehave.
#![allow(dead_code, reason = "each test program uses its part")]

use std::fs;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mbed_cloud_connectivity_mbedtls::config::{ClientConfig, ClientConfigBuilder, TransportKind};
use mbed_cloud_connectivity_mbedtls::session::{Handshake, Read, Write};
use mbed_cloud_connectivity_mbedtls::x509::CertificateChain;
use mbed_cloud_connectivity_mbedtls::{Error, ServerName, Session, Transport};

/// No wait in these tests is longer.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// A certificate authority in a folder that goes with it.
pub struct Pki {
    folder: tempfile::TempDir,
}

#[derive(Clone, Copy)]
pub enum Key {
    Ec,
    Rsa,
}

impl Key {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Ec => &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
            Self::Rsa => &["-newkey", "rsa:2048"],
        }
    }
}

impl Pki {
    /// A root named `ca` and a server `server` for localhost and 127.0.0.1 below it.
    pub fn new(key: Key) -> Self {
        let pki = Self { folder: tempfile::tempdir().unwrap() };
        pki.root("ca", key);
        pki.issue("ca", "server", key, "subjectAltName=DNS:localhost,IP:127.0.0.1");
        pki
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub fn chain(&self, name: &str) -> Arc<CertificateChain> {
        CertificateChain::parse(&self.bytes(name)).unwrap()
    }

    pub fn root(&self, name: &str, key: Key) {
        let (key_file, certificate) = (format!("{name}.key"), format!("{name}.crt"));
        let subject = format!("/C=FI/O=Example/CN=Test {name}");
        let mut arguments = vec!["req", "-x509", "-nodes", "-days", "3650", "-subj", &subject];
        arguments.extend_from_slice(key.arguments());
        arguments.extend_from_slice(&["-keyout", &key_file, "-out", &certificate]);
        arguments.extend_from_slice(&["-addext", "keyUsage=critical,keyCertSign,cRLSign"]);
        self.openssl(&arguments);
    }

    pub fn issue(&self, issuer: &str, name: &str, key: Key, extensions: &str) {
        let subject = format!("/C=FI/O=Example/CN={name}");
        let (key_file, request) = (format!("{name}.key"), format!("{name}.csr"));
        let (issuer_certificate, issuer_key) = (format!("{issuer}.crt"), format!("{issuer}.key"));
        let (extension_file, certificate) = (format!("{name}.ext"), format!("{name}.crt"));
        let mut arguments = vec!["req", "-nodes", "-subj", &subject];
        arguments.extend_from_slice(key.arguments());
        arguments.extend_from_slice(&["-keyout", &key_file, "-out", &request]);
        self.openssl(&arguments);
        fs::write(self.path(&extension_file), extensions.replace(';', "\n")).unwrap();
        let serial = format!("0x{:x}", 0x1000 + u32::from(fastrand_byte()));
        #[rustfmt::skip]
        self.openssl(&[
            "x509", "-req", "-in", &request, "-CA", &issuer_certificate, "-CAkey", &issuer_key, "-set_serial", &serial,
            "-days", "365", "-sha256", "-extfile", &extension_file, "-out", &certificate,
        ]);
    }

    /// A revocation list of `ca` with these certificates in it.
    pub fn revoke(&self, names: &[&str], days: &str) -> Vec<u8> {
        fs::write(self.path("index"), "").unwrap();
        fs::write(self.path("number"), "01\n").unwrap();
        let text = "[ca]\ndefault_ca=x\n[x]\ndatabase=index\ncrlnumber=number\ndefault_md=sha256\n";
        fs::write(self.path("ca.conf"), text).unwrap();
        let common = ["ca", "-config", "ca.conf", "-cert", "ca.crt", "-keyfile", "ca.key"];
        for name in names {
            let file = format!("{name}.crt");
            self.openssl(&[&common[..], &["-revoke", &file]].concat());
        }
        self.openssl(&[&common[..], &["-gencrl", "-crldays", days, "-out", "list.crl"]].concat());
        self.bytes("list.crl")
    }

    pub fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl").args(arguments).current_dir(self.folder.path()).output().unwrap();
        assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A configuration of a client that trusts this authority.
    pub fn client(&self) -> ClientConfigBuilder {
        ClientConfig::builder(TransportKind::Stream).trusted(self.chain("ca.crt"))
    }
}

fn fastrand_byte() -> u8 {
    let mut byte = [0];
    mbed_cloud_connectivity_mbedtls::random(&mut byte).unwrap();
    byte[0]
}

/// A server in a process of its own, which ends with it.
pub struct Server {
    child: Child,
    pub stdin: Option<ChildStdin>,
    pub port: u16,
}

impl Server {
    /// `openssl s_server` with the certificate of this name, on a port of its own choice.
    pub fn openssl(pki: &Pki, certificate: &str, arguments: &[&str]) -> Self {
        let (certificate, key) = (format!("{certificate}.crt"), format!("{certificate}.key"));
        #[rustfmt::skip]
        let common = ["s_server", "-accept", "127.0.0.1:0", "-cert", &certificate, "-key", &key, "-no_dhe"];
        Self::start(pki.folder.path(), "openssl", &[&common[..], arguments].concat())
    }

    /// `openssl s_server` with a pre-shared key and no certificate.
    pub fn openssl_psk(folder: &Path, arguments: &[&str]) -> Self {
        let common = ["s_server", "-accept", "127.0.0.1:0", "-nocert", "-psk", "0102030405060708"];
        Self::start(folder, "openssl", &[&common[..], arguments].concat())
    }

    fn start(folder: &Path, program: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self { child, stdin, port: 0 };
        let mut line = String::new();
        while server.port == 0 {
            line.clear();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "{program} {arguments:?} ended");
            if let Some(address) = line.trim().strip_prefix("ACCEPT ") {
                server.port = address.rsplit(':').next().unwrap().parse().unwrap();
            }
        }
        // Its output goes nowhere, but must be read, or the server stands still.
        std::thread::spawn(move || io::copy(&mut output, &mut io::sink()));
        server
    }

    /// A server on the system's Mbed TLS 2.28 (Debian: libmbedtls-dev), compiled on the spot.
    pub fn mbedtls(pki: &Pki, certificate: &str) -> Self {
        let program = pki.path("server");
        let output = Command::new("cc")
            .arg("-o")
            .arg(&program)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/server.c"))
            .args(["-lmbedtls", "-lmbedx509", "-lmbedcrypto"])
            .output()
            .unwrap();
        assert!(output.status.success(), "libmbedtls-dev? {}", String::from_utf8_lossy(&output.stderr));
        let (certificate, key) = (format!("{certificate}.crt"), format!("{certificate}.key"));
        Self::start(pki.folder.path(), program.to_str().unwrap(), &[&certificate, &key])
    }

    /// `gnutls-serv`, which cannot say which port it took: one that was free a moment ago.
    pub fn gnutls(pki: &Pki, certificate: &str, arguments: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("gnutls-serv")
            .args(["--quiet", "--port", &port.to_string(), "--x509certfile", &format!("{certificate}.crt")])
            .args(["--x509keyfile", &format!("{certificate}.key"), "--echo"])
            .args(arguments)
            .current_dir(pki.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { child, stdin: None, port };
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begin.elapsed() < PATIENCE, "gnutls-serv does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    pub fn connect(&self) -> Socket {
        Socket::connect(self.port)
    }

    pub fn say(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection; how it carries bytes can be made worse.
pub struct Socket {
    pub stream: TcpStream,
    /// Every second call says `WouldBlock`.
    pub stutter: bool,
    /// Gives and takes so many bytes at most.
    pub portion: usize,
    calls: usize,
    begin: Instant,
}

impl Socket {
    pub fn connect(port: u16) -> Self {
        Self::over(TcpStream::connect(("127.0.0.1", port)).unwrap())
    }

    pub fn over(stream: TcpStream) -> Self {
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, stutter: false, portion: usize::MAX, calls: 0, begin: Instant::now() }
    }

    fn turn(&mut self) -> io::Result<()> {
        assert!(self.begin.elapsed() < PATIENCE, "no end of it");
        self.calls += 1;
        if self.stutter && self.calls % 2 == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
    }

    /// Waits a moment for the peer.
    pub fn pause(&self) {
        assert!(self.begin.elapsed() < PATIENCE, "no end of it");
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl Transport for Socket {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.turn()?;
        let size = bytes.len().min(self.portion);
        (&self.stream).write(&bytes[..size])
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.turn()?;
        let size = buffer.len().min(self.portion);
        (&self.stream).read(&mut buffer[..size])
    }
}

/// Drives the handshake to its end.
pub fn handshake(session: &mut Session, socket: &mut Socket) -> Result<(), Error> {
    loop {
        match session.handshake(socket)? {
            Handshake::Done => return Ok(()),
            Handshake::WantRead | Handshake::WantWrite => socket.pause(),
        }
    }
}

pub fn write_all(session: &mut Session, socket: &mut Socket, bytes: &[u8]) -> Result<(), Error> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match session.write(socket, rest)? {
            Write::Done(size) => rest = &rest[size..],
            Write::WantWrite => socket.pause(),
        }
    }
    Ok(())
}

/// The next thing that is not a wait.
pub fn read(session: &mut Session, socket: &mut Socket, buffer: &mut [u8]) -> Result<Read, Error> {
    loop {
        match session.read(socket, buffer)? {
            Read::WantRead | Read::WantWrite => socket.pause(),
            Read::Data { size: 0, .. } => {}
            other => return Ok(other),
        }
    }
}

/// Reads until so many bytes have come.
pub fn read_exactly(session: &mut Session, socket: &mut Socket, size: usize) -> Vec<u8> {
    let mut found = Vec::new();
    let mut buffer = vec![0; 20_000];
    while found.len() < size {
        match read(session, socket, &mut buffer).unwrap() {
            Read::Data { size, .. } => found.extend_from_slice(&buffer[..size]),
            other => panic!("{other:?} after {} bytes", found.len()),
        }
    }
    found
}

/// A session for localhost whose handshake is done.
pub fn establish(config: Arc<ClientConfig>, server: &Server) -> (Session, Socket) {
    let mut session = Session::new(config, ServerName::Check("localhost")).unwrap();
    session.set_time(Some(now()));
    let mut socket = server.connect();
    if let Err(error) = handshake(&mut session, &mut socket) {
        panic!("{error}, {:?}, {:?}", session.verify_result(), session.last_alert());
    }
    (session, socket)
}

/// A handshake that fails.
pub fn fail(session: &mut Session, server: &Server) -> Error {
    handshake(session, &mut server.connect()).expect_err("the handshake succeeds")
}
