//! Resolvers that the device asks: dnsmasq, and one of the tests' own for what dnsmasq cannot say.

use crate::common::Peer;
use crate::network::{Network, Place, ROUTER};
use crate::wait_until;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once};

/// The name of the server.
pub const NAME: &str = "server.test";

/// Whom the device asks from now on, in this order. All of it is gone with the mount namespace.
pub fn ask(addresses: &[&str]) {
    static MOUNTED: Once = Once::new();
    let run = |line: &str| {
        let mut words = line.split(' ');
        let status = Command::new(words.next().unwrap()).args(words).status();
        assert!(status.unwrap().success(), "{line}");
    };
    MOUNTED.call_once(|| run("mount -t tmpfs none /mnt"));
    let resolvers: String = addresses.iter().map(|address| format!("nameserver {address}\n")).collect();
    for (file, content) in [("resolv.conf", resolvers), ("nsswitch.conf", "hosts: files dns\n".into())] {
        let is_new = !Path::new(&format!("/mnt/{file}")).exists();
        std::fs::write(format!("/mnt/{file}"), content).unwrap();
        if is_new {
            run(&format!("mount --bind /mnt/{file} /etc/{file}"));
        }
    }
}

/// dnsmasq at an address of a place, which knows nothing but what it is told, and asks nobody else.
pub fn dnsmasq(place: &Place, address: &str, arguments: &[&str]) -> Peer {
    let listen = format!("--listen-address={address}");
    let own = [
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        "--user=root",
        "--pid-file=",
        "--bind-interfaces",
        &listen,
    ];
    place.run(|| {
        let peer = Peer::start("dnsmasq", &[&own, arguments].concat());
        wait_until("dnsmasq", || TcpStream::connect((address, 53)).is_ok());
        peer
    })
}

/// dnsmasq on the router. It knows the name of the server, and that nothing else exists under `.test`.
pub struct Dnsmasq {
    peer: Peer,
}

impl Dnsmasq {
    pub fn start(network: &Network, address: &str) -> Self {
        ask(&[ROUTER]);
        write_hosts(NAME, address);
        let peer = dnsmasq(&network.router, ROUTER, &["--addn-hosts=/mnt/hosts", "--local=/test/"]);
        Self { peer }
    }

    /// The server has another address from now on.
    pub fn move_server(&self, address: &str) {
        self.know(NAME, address);
    }

    /// Only this name exists from now on.
    pub fn know(&self, name: &str, address: &str) {
        write_hosts(name, address);
        self.peer.signal("HUP");
    }

    /// Queries reach it and are not answered.
    pub fn hang(&self) {
        self.peer.freeze();
    }

    pub fn come_back(&self) {
        self.peer.thaw();
    }
}

fn write_hosts(name: &str, address: &str) {
    std::fs::write("/mnt/hosts", format!("{address} {name}\n")).unwrap();
}

/// What the tests' own resolver says.
#[derive(Debug, Clone)]
pub enum Answer {
    /// These addresses, which nobody may keep.
    Addresses(Vec<Ipv4Addr>),
    /// This address, which may be kept for so many seconds, however often it is asked for.
    Kept(Ipv4Addr, u32),
    /// The name exists and has no address.
    Nothing,
    /// It is an alias of another name, which is an alias of it.
    AliasLoop,
    /// The address of another name.
    OfAnotherName(Ipv4Addr),
    /// SERVFAIL (RFC 1035 section 4.1.1).
    Failure,
}

/// A resolver that says what it is told to say.
pub struct Resolver {
    answer: Arc<Mutex<Answer>>,
    queries: Arc<AtomicU64>,
}

impl Resolver {
    pub fn start(place: &Place, address: &str, answer: Answer) -> Self {
        ask(&[address]);
        let resolver = Self { answer: Arc::new(Mutex::new(answer)), queries: Arc::default() };
        let socket = place.run(|| UdpSocket::bind((address, 53))).unwrap();
        let listener = place.run(|| TcpListener::bind((address, 53))).unwrap();
        let (answer, queries) = (resolver.answer.clone(), resolver.queries.clone());
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((size, client)) = socket.recv_from(&mut query) {
                queries.fetch_add(1, Ordering::Relaxed);
                let mut reply = reply(&query[..size], &answer.lock().unwrap());
                if reply.len() > 512 {
                    // Truncated: the client comes again over TCP.
                    reply = self::reply(&query[..size], &Answer::Nothing);
                    reply[2] |= 2;
                }
                let _ = socket.send_to(&reply, client);
            }
        });
        let answer = resolver.answer.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let answer = answer.clone();
                std::thread::spawn(move || {
                    let mut size = [0; 2];
                    while stream.read_exact(&mut size).is_ok() {
                        let mut query = vec![0; u16::from_be_bytes(size).into()];
                        let Ok(()) = stream.read_exact(&mut query) else { return };
                        let reply = reply(&query, &answer.lock().unwrap());
                        let size = u16::try_from(reply.len()).unwrap().to_be_bytes();
                        let Ok(()) = stream.write_all(&[&size, &reply[..]].concat()) else { return };
                    }
                });
            }
        });
        resolver
    }

    pub fn say(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// How many queries came over UDP.
    pub fn queries(&self) -> u64 {
        self.queries.load(Ordering::Relaxed)
    }
}

const A: u16 = 1;
const CNAME: u16 = 5;
/// Where the question's name stands in a message, as a compressed name (RFC 1035 section 4.1.4).
const SAME_NAME: &[u8] = &[0xc0, 12];

fn reply(query: &[u8], answer: &Answer) -> Vec<u8> {
    let name_size = 1 + query[12..].iter().position(|byte| *byte == 0).unwrap();
    let question = &query[12..12 + name_size + 4];
    let asks_for_ipv4 = question[name_size..name_size + 2] == A.to_be_bytes();
    let other_name = b"\x05other\x04test\x00";
    let mut records = Vec::new();
    let mut count = 0u16;
    let time_to_live = if let Answer::Kept(_, seconds) = answer { *seconds } else { 0 };
    let mut record = |name: &[u8], kind: u16, data: &[u8]| {
        records.extend_from_slice(name);
        records.extend(kind.to_be_bytes());
        // Class IN.
        records.extend([0, 1]);
        records.extend(time_to_live.to_be_bytes());
        records.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        records.extend_from_slice(data);
        count += 1;
    };
    let mut code = 0;
    match answer {
        Answer::Addresses(addresses) if asks_for_ipv4 => {
            addresses.iter().for_each(|address| record(SAME_NAME, A, &address.octets()));
        }
        Answer::Kept(address, _) if asks_for_ipv4 => record(SAME_NAME, A, &address.octets()),
        Answer::OfAnotherName(address) if asks_for_ipv4 => record(other_name, A, &address.octets()),
        Answer::AliasLoop => {
            record(SAME_NAME, CNAME, other_name);
            record(other_name, CNAME, SAME_NAME);
        }
        Answer::Failure => code = 2,
        Answer::Addresses(_) | Answer::Kept(..) | Answer::OfAnotherName(_) | Answer::Nothing => {}
    }
    // The same ID, a response, recursion desired and available; one question.
    let mut reply = vec![query[0], query[1], 0x81, 0x80 | code, 0, 1];
    reply.extend(count.to_be_bytes());
    reply.extend([0; 4]);
    reply.extend_from_slice(question);
    reply.extend(records);
    reply
}
