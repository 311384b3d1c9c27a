//! Proxies between device and server that do to the traffic what a test tells them, at any time.

use crate::network::Place;
use rustix::net::sockopt::set_socket_linger;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a thread of a proxy waits for traffic before it looks whether it is still wanted.
const GLANCE: Duration = Duration::from_millis(20);

/// How long a datagram is held back at most.
const A_WHILE: Duration = Duration::from_millis(200);

/// What to do to a stream.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner {
    /// Writes so many bytes at a time.
    pub split: Option<usize>,
    /// Waits before each write.
    pub delay: Duration,
}

/// A proxy for streams.
pub struct Streams {
    manner: Arc<Mutex<Manner>>,
    pairs: Arc<Mutex<Vec<Arc<Pair>>>>,
}

struct Pair {
    device: TcpStream,
    server: TcpStream,
    fate: AtomicU8,
}

const GOES_ON: u8 = 0;
/// Reads on and passes nothing on, not even the end.
const SWALLOWS: u8 = 1;
const ENDS: u8 = 2;

impl Streams {
    /// Passes on what comes to a port to another one of the same place.
    pub fn start(place: &Place, port: u16, target: u16) -> Self {
        let listener = place.run(|| TcpListener::bind(("0.0.0.0", port))).unwrap();
        let proxy = Self { manner: Arc::default(), pairs: Arc::default() };
        let (manner, pairs) = (proxy.manner.clone(), proxy.pairs.clone());
        let accept = move || {
            for device in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                for stream in [&device, &server] {
                    let _ = stream.set_nodelay(true);
                    let _ = stream.set_read_timeout(Some(GLANCE));
                }
                let pair = Arc::new(Pair { device, server, fate: AtomicU8::new(GOES_ON) });
                pairs.lock().unwrap().push(pair.clone());
                for upwards in [true, false] {
                    let (pair, manner) = (pair.clone(), manner.clone());
                    std::thread::spawn(move || pair.pass_on(upwards, &manner));
                }
            }
        };
        // The connections to the server are made by the thread that accepts, so it has to be in that place.
        place.run(|| std::thread::spawn(accept));
        proxy
    }

    pub fn tell(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// Ends all connections: closes them, or resets the device's side.
    pub fn cut(&self, reset: bool) {
        for pair in self.pairs.lock().unwrap().drain(..) {
            if reset {
                // The close of the last holder is a reset then.
                set_socket_linger(&pair.device, Some(Duration::ZERO)).unwrap();
            }
            pair.fate.store(ENDS, Ordering::Relaxed);
        }
    }

    /// Passes nothing on any more over the connections that there are, and does not say so. New ones work.
    pub fn half_open(&self) {
        for pair in self.pairs.lock().unwrap().iter() {
            pair.fate.store(SWALLOWS, Ordering::Relaxed);
        }
    }
}

impl Pair {
    fn pass_on(&self, upwards: bool, manner: &Mutex<Manner>) {
        let (mut from, mut to) = if upwards { (&self.device, &self.server) } else { (&self.server, &self.device) };
        let mut buffer = [0; 16_384];
        loop {
            let size = match from.read(&mut buffer) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => 0,
                Ok(0) | Err(_) => {
                    if self.fate.load(Ordering::Relaxed) != SWALLOWS {
                        self.fate.store(ENDS, Ordering::Relaxed);
                    }
                    return;
                }
                Ok(size) => size,
            };
            match self.fate.load(Ordering::Relaxed) {
                ENDS => return,
                SWALLOWS => continue,
                _ => {}
            }
            let manner = *manner.lock().unwrap();
            for part in buffer[..size].chunks(manner.split.unwrap_or(buffer.len())) {
                std::thread::sleep(manner.delay);
                if to.write_all(part).is_err() {
                    return;
                }
            }
        }
    }
}

/// What to do to datagrams: to every so-manieth of each direction.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mishaps {
    /// Is lost.
    pub lose: Option<u64>,
    /// Comes twice.
    pub double: Option<u64>,
    /// Is held back until the next one has gone, or for a while if none comes.
    pub hold: Option<u64>,
}

/// A proxy for the datagrams of one client.
pub struct Datagrams {
    mishaps: Arc<Mutex<Mishaps>>,
}

impl Datagrams {
    /// Passes on what comes to a port to another one of the same place.
    pub fn start(place: &Place, port: u16, target: u16) -> Self {
        let outside = Arc::new(place.run(|| UdpSocket::bind(("0.0.0.0", port))).unwrap());
        let inside = Arc::new(place.run(|| UdpSocket::bind("127.0.0.1:0")).unwrap());
        for socket in [&outside, &inside] {
            socket.set_read_timeout(Some(A_WHILE)).unwrap();
        }
        inside.connect(("127.0.0.1", target)).unwrap();
        let (mishaps, client) = (Arc::new(Mutex::new(Mishaps::default())), Arc::new(Mutex::new(None)));
        {
            let (outside, inside, mishaps, client) = (outside.clone(), inside.clone(), mishaps.clone(), client.clone());
            std::thread::spawn(move || {
                let receive = |buffer: &mut [u8]| {
                    let (size, address) = outside.recv_from(buffer)?;
                    *client.lock().unwrap() = Some(address);
                    Ok(size)
                };
                pass_on(receive, |datagram| drop(inside.send(datagram)), &mishaps);
            });
        }
        let rules = mishaps.clone();
        std::thread::spawn(move || {
            let send = |datagram: &[u8]| {
                let client: Option<SocketAddr> = *client.lock().unwrap();
                let _ = client.map(|client| outside.send_to(datagram, client));
            };
            pass_on(|buffer| inside.recv(buffer), send, &rules);
        });
        Self { mishaps }
    }

    pub fn tell(&self, mishaps: Mishaps) {
        *self.mishaps.lock().unwrap() = mishaps;
    }
}

fn pass_on(receive: impl Fn(&mut [u8]) -> std::io::Result<usize>, send: impl Fn(&[u8]), mishaps: &Mutex<Mishaps>) {
    let mut buffer = [0; 2048];
    let mut held: Option<Vec<u8>> = None;
    let mut number = 0u64;
    loop {
        let Ok(size) = receive(&mut buffer) else {
            held.take().iter().for_each(|late| send(late));
            continue;
        };
        let datagram = &buffer[..size];
        let mishaps = *mishaps.lock().unwrap();
        number += 1;
        let is_turn = |every: Option<u64>| every.is_some_and(|every| number % every == 0);
        if is_turn(mishaps.lose) {
            continue;
        }
        if is_turn(mishaps.hold) && held.is_none() {
            held = Some(datagram.to_vec());
            continue;
        }
        send(datagram);
        if is_turn(mishaps.double) {
            send(datagram);
        }
        held.take().iter().for_each(|late| send(late));
    }
}
