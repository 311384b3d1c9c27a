//! Servers of the tests' own, in the length-prefix framing: 4 bytes of length, then the message.

use crate::network::Place;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Where they listen.
pub const PORT: u16 = 5683;

/// A server that hands each connection to a function.
pub struct Server {
    connects: Arc<AtomicU64>,
}

impl Server {
    pub fn start(place: &Place, port: u16, talk: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = place.run(|| TcpListener::bind(("0.0.0.0", port))).unwrap();
        let (connects, talk) = (Arc::new(AtomicU64::new(0)), Arc::new(talk));
        let counter = connects.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counter.fetch_add(1, Ordering::Relaxed);
                let talk = talk.clone();
                std::thread::spawn(move || talk(stream));
            }
        });
        Self { connects }
    }

    /// How many connections came in.
    pub fn connects(&self) -> u64 {
        self.connects.load(Ordering::Relaxed)
    }
}

/// Answers pings, and sends every other message back.
pub fn answer_and_echo(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    while let Some(mut frame) = read_frame(&mut stream) {
        if is_ping(&frame[4..]) {
            frame[4] = 0x70;
        }
        if stream.write_all(&frame).is_err() {
            return;
        }
    }
}

/// A message with its length before it.
pub fn read_frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut frame = vec![0; 4];
    stream.read_exact(&mut frame).ok()?;
    let size = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]) as usize;
    frame.resize(4 + size, 0);
    stream.read_exact(&mut frame[4..]).ok()?;
    Some(frame)
}

pub fn is_ping(message: &[u8]) -> bool {
    message.len() == 4 && message[..2] == [0x40, 0]
}

/// Reads until the client ends it, and never answers.
pub fn say_nothing(mut stream: TcpStream) {
    let mut sink = [0; 4096];
    while stream.read(&mut sink).is_ok_and(|size| size > 0) {}
}

/// A server for datagrams that answers pings from everywhere, and knows who sent the latest datagram.
pub struct Datagrams {
    socket: Arc<UdpSocket>,
    client: Arc<Mutex<Option<SocketAddr>>>,
}

impl Datagrams {
    pub fn start(place: &Place, port: u16) -> Self {
        let socket = Arc::new(place.run(|| UdpSocket::bind(("0.0.0.0", port))).unwrap());
        let client = Arc::new(Mutex::new(None));
        let (own, known) = (socket.clone(), client.clone());
        std::thread::spawn(move || {
            let mut datagram = [0; 2048];
            while let Ok((size, address)) = own.recv_from(&mut datagram) {
                *known.lock().unwrap() = Some(address);
                if is_ping(&datagram[..size]) {
                    datagram[0] = 0x70;
                    let _ = own.send_to(&datagram[..size], address);
                }
            }
        });
        Self { socket, client }
    }

    /// Sends a message of its own to the client.
    pub fn push(&self, message: &[u8]) {
        let client = self.client.lock().unwrap().expect("a client that was heard");
        self.socket.send_to(message, client).unwrap();
    }
}
