//! The C interface: any sequence of calls, with null pointers, handles that are over or never were, and sizes that are too small.
//! Connections go to a peer in this process or to a port that nobody serves; what the peer sends is part of the input. Nothing leaves
//! this machine.
//!
//! Input: calls: one byte each that says which, and what it needs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mbed_cloud_connectivity::coap::message;
use mbed_cloud_connectivity::connection::endpoint::{Endpoint, Host};
use mbed_cloud_connectivity_fuzz::c_interface::*;
use mbed_cloud_connectivity_fuzz::{Reader, panics_are_findings};
use rustix::net::sockopt::set_socket_linger;
use std::cell::{Cell, RefCell};
use std::ffi::{CString, c_char, c_void};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::ptr::{null, null_mut, without_provenance_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, Ordering};
use std::time::{Duration, Instant};

const MOST_CALLS: usize = 64;
/// Of each kind, at one time.
const MOST_OBJECTS: usize = 6;
/// How long the end of a connection on a context's own thread may take.
const PATIENCE: Duration = Duration::from_secs(5);

thread_local!(static PEER: RefCell<Peer> = RefCell::new(Peer::new()));

fuzz_target!(init: {
    // SAFETY: null is what the client passes.
    unsafe {
        assert!(!mcc_version().is_null());
        assert_eq!((pal_plat_socketsInit(null_mut()), pal_initTLSLibrary()), (0, 0));
    }
    panics_are_findings();
}, |input: &[u8]| {
    PEER.with_borrow_mut(|peer| {
        let mut program = Program::new(peer);
        let mut input = Reader::new(input);
        for _ in 0..MOST_CALLS {
            if input.is_empty() {
                break;
            }
            program.call(&mut input);
        }
        program.end();
    });
});

/// The other side, driven by the input.
struct Peer {
    listener: TcpListener,
    streams: Vec<TcpStream>,
    datagrams: UdpSocket,
    sender: Option<SocketAddr>,
    /// A port that nobody serves.
    closed_port: u16,
}

impl Peer {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let datagrams = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        listener.set_nonblocking(true).expect("a listener that does not block");
        datagrams.set_nonblocking(true).expect("a socket that does not block");
        let closed = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let closed_port = closed.local_addr().expect("its address").port();
        Self { listener, streams: Vec::new(), datagrams, sender: None, closed_port }
    }

    fn ports(&self) -> [u16; 3] {
        let port = |address: std::io::Result<SocketAddr>| address.expect("an address").port();
        [port(self.listener.local_addr()), port(self.datagrams.local_addr()), self.closed_port]
    }

    /// Takes what comes, and sends these bytes.
    fn turn(&mut self, bytes: &[u8]) {
        let mut buffer = [0; 4096];
        while let Ok((stream, _)) = self.listener.accept() {
            // So that no port is kept for what is over.
            let _ = set_socket_linger(&stream, Some(Duration::ZERO));
            stream.set_nonblocking(true).expect("a stream that does not block");
            self.streams.push(stream);
        }
        for stream in &mut self.streams {
            while stream.read(&mut buffer).is_ok_and(|size| size > 0) {}
        }
        while let Ok((_, sender)) = self.datagrams.recv_from(&mut buffer) {
            self.sender = Some(sender);
        }
        if bytes.is_empty() {
            return;
        }
        for stream in &mut self.streams {
            let _ = stream.write(bytes);
        }
        if let Some(sender) = self.sender {
            let _ = self.datagrams.send_to(bytes, sender);
        }
    }

    fn close(&mut self) {
        self.streams.clear();
        self.sender = None;
    }
}

/// What the events of one connection are told to, and what it does about them.
struct Listener {
    reaction: AtomicU8,
    is_over: AtomicBool,
    context: AtomicPtr<mcc_context_t>,
}

extern "C" fn on_event(argument: *mut c_void, event: *const mcc_event_t) {
    thread_local!(static DEPTH: Cell<u8> = const { Cell::new(0) });
    // SAFETY: each listener lives until its context is gone; the event lives until this returns.
    let (listener, event) = unsafe { (&*argument.cast::<Listener>(), &*event) };
    assert!((1..=8).contains(&event.type_));
    assert!(!listener.is_over.load(Ordering::SeqCst), "an event came after the last one");
    assert_eq!(DEPTH.replace(DEPTH.get() + 1), 0, "an event came within another one");
    let mut is_last = false;
    // SAFETY: the type says which member counts.
    unsafe {
        match event.type_ {
            1 => {
                let state = event.data.state;
                assert!((1..=6).contains(&state.state) && !state.text.is_null());
                assert_ne!(state.reason, 901);
                is_last = state.state == 6;
            }
            2 => {
                let message = event.data.message;
                let bytes = std::slice::from_raw_parts(message.data, message.size);
                // It is well-formed to its last byte.
                assert!(message::check(bytes).is_ok());
            }
            _ => {}
        }
    }
    let connection = event.connection;
    let mut statistics =
        mcc_connection_stats_t { size: size_of::<mcc_connection_stats_t>() as u32, ..Default::default() };
    let ping = [0x40, 0, 0, 1];
    // SAFETY: any function may be called from a callback.
    unsafe {
        match listener.reaction.load(Ordering::SeqCst) % 8 {
            1 => check(mcc_connection_send(connection, ping.as_ptr(), ping.len(), null_mut())),
            2 => mcc_connection_close(connection),
            3 => mcc_context_free(listener.context.load(Ordering::SeqCst)),
            4 => check(mcc_connection_ping(connection)),
            5 => check(mcc_connection_stats(connection, &mut statistics)),
            6 => check(mcc_context_process(listener.context.load(Ordering::SeqCst), 0)),
            7 => check(mcc_connection_set_keepalive(connection, 7)),
            _ => {}
        }
    }
    DEPTH.set(DEPTH.get() - 1);
    // From here on the listener may be gone.
    if is_last {
        listener.is_over.store(true, Ordering::SeqCst);
    }
}

extern "C" fn on_socket(_: *mut c_void) {}

extern "C" fn on_status(_: palNetworkStatus_t, _: *mut c_void) {}

extern "C" fn on_log(_: *mut c_void, level: mcc_log_level_t, message: *const c_char) {
    assert!((1..=4).contains(&level) && !message.is_null());
}

/// No call may end in a fault of the library.
fn check(status: mcc_status_t) {
    assert_ne!(status, 901, "MCC_ERR_INTERNAL");
    check_texts(status);
}

/// Every number has them, those that are no status too.
fn check_texts(status: i32) {
    // SAFETY: any number will do.
    unsafe {
        assert!(!mcc_status_text(status).is_null() && !mcc_status_name(status).is_null());
        assert!(mcc_status_class(status) >= 0);
    }
}

/// What `pal_tlsSetSocket` is given, which stays where it is as long as its configuration.
struct TlsSocket {
    address: palSocketAddress_t,
    socket: palTLSSocket_t,
}

/// The program that uses the library.
#[allow(clippy::vec_box, reason = "the library may keep pointers into them")]
struct Program<'a> {
    peer: &'a mut Peer,
    contexts: Vec<*mut mcc_context_t>,
    connections: Vec<*mut mcc_connection_t>,
    keepalives: Vec<*mut mcc_keepalive_t>,
    sockets: Vec<palSocket_t>,
    configurations: Vec<palTLSConfHandle_t>,
    sessions: Vec<palTLSHandle_t>,
    listeners: Vec<Arc<Listener>>,
    tls_sockets: Vec<Box<TlsSocket>>,
    now: u64,
}

impl<'a> Program<'a> {
    fn new(peer: &'a mut Peer) -> Self {
        Self {
            peer,
            contexts: Vec::new(),
            connections: Vec::new(),
            keepalives: Vec::new(),
            sockets: Vec::new(),
            configurations: Vec::new(),
            sessions: Vec::new(),
            listeners: Vec::new(),
            tls_sockets: Vec::new(),
            now: 0,
        }
    }

    fn call(&mut self, input: &mut Reader) {
        let call = input.byte();
        match call % 16 {
            0 => self.context(input),
            1 | 2 => self.open(input),
            3..6 => self.connection(input),
            6 | 7 => self.run(input),
            8..10 => self.keepalive(input),
            10..13 => self.socket(input),
            13 | 14 => self.tls(input),
            _ => self.rest(input),
        }
    }

    fn context(&mut self, input: &mut Reader) {
        let kind = input.byte();
        if kind >= 224 {
            // SAFETY: handles may be anything.
            unsafe { mcc_context_free(pick(&self.contexts, input)) };
            return;
        }
        if self.contexts.len() == MOST_OBJECTS {
            return;
        }
        // A thread of its own is dear: it comes seldom.
        let options = mcc_context_options_t {
            size: size(size_of::<mcc_context_options_t>(), kind),
            own_thread: match kind % 16 {
                0 => 1,
                1 => u32::from(kind),
                _ => 0,
            },
        };
        let mut context = null_mut();
        let options = if kind % 32 == 31 { null() } else { &raw const options };
        let out = if kind % 64 == 30 { null_mut() } else { &raw mut context };
        // SAFETY: the pointers are null or lead to what they say.
        check(unsafe { mcc_context_new(options, out) });
        if !context.is_null() {
            self.contexts.push(context);
        }
    }

    fn open(&mut self, input: &mut Reader) {
        if self.connections.len() == MOST_OBJECTS {
            return;
        }
        let context = pick(&self.contexts, input);
        let ports = self.peer.ports();
        let kind = input.byte();
        let port = ports[usize::from(kind / 16) % 3];
        let uri = match kind % 16 {
            0..4 => format!("coap://127.0.0.1:{port}"),
            4..6 => format!("coap+tcp://127.0.0.1:{port}"),
            6..9 => format!("coaps://127.0.0.1:{port}"),
            9 => format!("coaps+tcp://127.0.0.1:{port}"),
            10 => format!("coap://localhost:{port}"),
            11 => format!("coap://[::1]:{port}"),
            12 => String::new(),
            _ => String::from_utf8_lossy(input.bytes()).into_owned(),
        };
        let elsewhere = match Endpoint::parse(uri.as_bytes(), None).map(|endpoint| endpoint.host) {
            Ok(Host::Address(address)) => !address.is_loopback(),
            Ok(Host::Name(name)) => name != "localhost",
            Err(_) => false,
        };
        if elsewhere {
            return;
        }
        let uri = CString::new(uri).unwrap_or_default();
        let listener =
            Arc::new(Listener { reaction: input.byte().into(), is_over: false.into(), context: context.into() });
        let mut credentials = Vec::new();
        let tls = tls_options(input, &mut credentials, kind);
        let option = input.byte();
        let state = if option & 1 != 0 { input.bytes() } else { &[] };
        let mut options = mcc_connection_options_t {
            size: size(size_of::<mcc_connection_options_t>(), option),
            transport: u32::from(option >> 1) % 4,
            uri: if kind == 255 { null() } else { uri.as_ptr() },
            callback: (option != 255).then_some(on_event),
            argument: Arc::as_ptr(&listener).cast_mut().cast(),
            tls: if (6..10).contains(&(kind % 16)) != (option % 32 == 31) { &raw const tls } else { null() },
            framing: u32::from(option >> 3) % 4,
            keepalive_jitter_percent: 10,
            keepalive_timeout_ms: 30_000,
            queue_limit: 64,
            backoff_base_ms: 2_000,
            peer_closed_wait_ms: 1,
            resolve_timeout_ms: 10_000,
            connect_timeout_ms: 15_000,
            handshake_timeout_ms: 30_000,
            tcp_keepalive_interval_s: 75,
            tcp_keepalive_count: 9,
            keepalive_state: if state.is_empty() { null() } else { state.as_ptr() },
            keepalive_state_size: state.len(),
            keepalive_ceiling_s: 3_600,
            keepalive_step_percent: 150,
            keepalive_margin_percent: 5,
            ..Default::default()
        };
        for _ in 0..input.byte() % 8 {
            let field = input.byte();
            let value = number(input);
            *match field % 20 {
                0 => &mut options.keepalive_interval_s,
                1 => &mut options.keepalive_jitter_percent,
                2 => &mut options.keepalive_timeout_ms,
                3 => &mut options.queue_limit,
                4 => &mut options.keep_queued_messages,
                5 => &mut options.max_message_size,
                6 => &mut options.backoff_base_ms,
                7 => &mut options.backoff_cap_s,
                8 => &mut options.peer_closed_wait_ms,
                9 => &mut options.resolve_timeout_ms,
                10 => &mut options.connect_timeout_ms,
                11 => &mut options.handshake_timeout_ms,
                12 => &mut options.tcp_keepalive_idle_s,
                13 => &mut options.tcp_keepalive_interval_s,
                14 => &mut options.tcp_keepalive_count,
                15 => &mut options.tcp_user_timeout_ms,
                16 => &mut options.keepalive_adaptive,
                17 => &mut options.keepalive_floor_s,
                18 => &mut options.keepalive_ceiling_s,
                _ => &mut options.keepalive_step_percent,
            } = value;
        }
        if option & 64 != 0 {
            options.alternative_port = [0, u32::from(ports[0]), u32::from(ports[2]), 65_536][usize::from(option % 4)];
        }
        let mut connection = null_mut();
        // SAFETY: everything that is pointed to lives until the call returns, and the listener until its context is gone.
        let status = unsafe { mcc_connection_open(context, &options, &mut connection) };
        check(status);
        assert_eq!(status == 0, !connection.is_null());
        if status == 0 {
            self.connections.push(connection);
            self.listeners.push(listener);
        }
    }

    fn connection(&mut self, input: &mut Reader) {
        let connection = pick(&self.connections, input);
        let kind = input.byte();
        let mut ticket = 0;
        let ticket = if kind & 64 == 0 { &raw mut ticket } else { null_mut() };
        let [low, high] = u16::from(kind).to_le_bytes();
        let mut bytes = vec![0; MCC_KEEPALIVE_STATE_MAX_SIZE as usize];
        let mut size = 0;
        let mut statistics = mcc_connection_stats_t {
            size: self::size(size_of::<mcc_connection_stats_t>(), kind),
            ..Default::default()
        };
        // SAFETY: handles may be anything; pointers are null or lead to as much as the sizes say.
        unsafe {
            match kind % 16 {
                0..4 => {
                    let message = [&[0x40, 1, high, low, 0xff][..], &vec![kind; 1 + usize::from(kind) * 64]].concat();
                    check(mcc_connection_send(connection, message.as_ptr(), message.len(), ticket));
                }
                4 => {
                    let message = input.bytes();
                    check(mcc_connection_send(connection, message.as_ptr(), message.len(), ticket));
                }
                5 => check(mcc_connection_send(connection, null(), kind.into(), ticket)),
                6 | 7 => check(mcc_connection_ping(connection)),
                8 => check(mcc_connection_set_keepalive(connection, number(input))),
                9 | 10 => {
                    let room = usize::from(input.byte()) * 2;
                    bytes.truncate(room);
                    check(mcc_connection_keepalive_state(connection, bytes.as_mut_ptr(), bytes.len(), &mut size));
                    check(mcc_connection_keepalive_state(connection, null_mut(), 0, &mut size));
                    check(mcc_connection_keepalive_state(connection, bytes.as_mut_ptr(), bytes.len(), null_mut()));
                }
                11 | 12 => check(mcc_connection_stats(connection, &mut statistics)),
                13 => check(mcc_connection_stats(connection, null_mut())),
                14 if kind > 128 => {
                    self.listeners.iter().for_each(|listener| listener.reaction.store(input.byte(), Ordering::SeqCst))
                }
                _ => mcc_connection_close(connection),
            }
        }
    }

    /// The peer's turn, then the contexts'.
    fn run(&mut self, input: &mut Reader) {
        let kind = input.byte();
        match kind % 8 {
            0 => self.peer.close(),
            1..4 => self.peer.turn(input.bytes()),
            4 => self.peer.turn(&[&[0, 0, 0, 4][..], &[0x40, 0, kind, 1]].concat()),
            5 => self.peer.turn(&[0x00, 0xe1]),
            _ => self.peer.turn(&[]),
        }
        let timeout = if kind >= 250 { 1 } else { 0 };
        for context in &self.contexts {
            // SAFETY: handles may be anything.
            unsafe {
                check(mcc_context_process(*context, timeout));
                mcc_context_fd(*context);
            }
        }
        if kind % 16 == 15 {
            // SAFETY: handles may be anything.
            check(unsafe { mcc_context_process(pick(&self.contexts, input), timeout - 1 + i32::from(kind & 1)) });
        }
    }

    fn keepalive(&mut self, input: &mut Reader) {
        let kind = input.byte();
        if kind < 48 && self.keepalives.len() < MOST_OBJECTS {
            let mut options = mcc_keepalive_options_t {
                size: size(size_of::<mcc_keepalive_options_t>(), kind),
                interval_s: number(input),
                jitter_percent: number(input) % 64,
                timeout_ms: number(input),
                reliable: u32::from(kind) % 3,
                seed: 7,
                ..Default::default()
            };
            if kind & 8 == 0 {
                (options.timeout_ms, options.jitter_percent) = (30_000, 10);
            }
            let mut keepalive = null_mut();
            // SAFETY: the pointers lead to what they say.
            let status = unsafe { mcc_keepalive_new(&options, &mut keepalive) };
            check(status);
            if status == 0 {
                self.keepalives.push(keepalive);
            }
            return;
        }
        let keepalive = pick(&self.keepalives, input);
        // Time may also go back, which is the program's mistake.
        self.now = match kind % 4 {
            0 => self.now.wrapping_add(input.short().into()),
            1 => self.now.saturating_add(u64::from(input.long())),
            2 if kind >= 250 => u64::from(input.long()) << 32,
            _ => self.now,
        };
        let message = if kind & 4 == 0 { input.bytes() } else { &[0x70, 0, 0, 1] };
        let (mut next, mut ping, mut size) = (0, [0; 4], 0);
        // SAFETY: handles may be anything; pointers are null or lead to as much as the sizes say.
        unsafe {
            match (kind >> 2) % 12 {
                0 => check(mcc_keepalive_on_sent(keepalive, self.now)),
                1 => check(mcc_keepalive_on_sent_message(keepalive, self.now, message.as_ptr(), message.len())),
                2 | 3 => check(mcc_keepalive_on_received(keepalive, self.now, message.as_ptr(), message.len())),
                4 => check(mcc_keepalive_on_received(keepalive, self.now, null(), kind.into())),
                5 => check(mcc_keepalive_on_send_failed(keepalive, self.now)),
                6 | 7 => {
                    let action = mcc_keepalive_poll(keepalive, self.now, &mut next, ping.as_mut_ptr(), &mut size);
                    assert!((-1..=2).contains(&action) && (action == 1) == (size == 4));
                    if action == 1 {
                        let answer = [0x70, 0, ping[2], ping[3]];
                        assert!(mcc_coap_ping_matches(answer.as_ptr(), 4, u16::from_be_bytes([ping[2], ping[3]])));
                        check(mcc_keepalive_on_received(keepalive, self.now, answer.as_ptr(), 4));
                    }
                }
                8 => {
                    assert_eq!(mcc_keepalive_poll(keepalive, self.now, null_mut(), ping.as_mut_ptr(), &mut size), -1);
                }
                9 => check(mcc_keepalive_set_interval(keepalive, number(input))),
                10 => {
                    check(mcc_keepalive_restart(keepalive, self.now));
                    check(mcc_keepalive_round_trip_ms(keepalive, &mut next));
                    check(mcc_keepalive_round_trip_ms(keepalive, null_mut()));
                }
                _ => mcc_keepalive_free(keepalive),
            }
        }
    }

    fn address(&self, input: &mut Reader) -> palSocketAddress_t {
        let mut address = palSocketAddress_t::default();
        let kind = input.byte();
        let mut loopback = [127, 0, 0, 1];
        let mut loopback_v6 = [0; 16];
        loopback_v6[15] = 1;
        // SAFETY: the pointers lead to what they say.
        unsafe {
            match kind % 8 {
                0 => address.addressType = u16::from_le_bytes([kind, kind & 3]) | 0x20,
                1 => known(pal_setSockAddrIPV6Addr(&mut address, loopback_v6.as_mut_ptr())),
                _ => known(pal_setSockAddrIPV4Addr(&mut address, loopback.as_mut_ptr())),
            }
            pal_setSockAddrPort(&mut address, self.peer.ports()[usize::from(kind / 8) % 3]);
        }
        address
    }

    fn socket(&mut self, input: &mut Reader) {
        let kind = input.byte();
        if kind < 40 && self.sockets.len() < MOST_OBJECTS {
            let mut socket = null_mut();
            let domain = input.choose(&[2, 2, 2, 10, 0, 7]);
            let type_ = input.choose(&[1, 1, 2, 2, 99, 5]);
            let interface = input.choose(&[u32::MAX, u32::MAX, u32::MAX, 0, 1]);
            let out = if kind == 39 { null_mut() } else { &raw mut socket };
            // SAFETY: the pointers are null or lead to what they say.
            unsafe {
                pal_asynchronousSocketWithArgument(domain, type_, true, interface, Some(on_socket), null_mut(), out)
            };
            if !socket.is_null() {
                self.sockets.push(socket);
            }
            return;
        }
        let mut socket = pick(&self.sockets, input);
        let mut address = self.address(input);
        let mut length = match kind % 8 {
            0 => u32::from(input.byte()),
            _ => size_of::<palSocketAddress_t>() as u32,
        };
        let room = usize::from(input.byte());
        let mut buffer = vec![0_u8; room];
        let mut done = 0_usize;
        let mut truth = false;
        let mut other = null_mut();
        let is_null = kind % 32 == 31;
        let done = if is_null { null_mut() } else { &raw mut done };
        let pointer = if is_null && kind & 32 != 0 { null_mut() } else { &raw mut address };
        // SAFETY: handles may be anything; pointers are null or lead to as much as the sizes say.
        unsafe {
            match kind % 14 {
                0 | 1 => known(pal_connect(socket, pointer, length)),
                2 => known(pal_recv(socket, buffer.as_mut_ptr().cast(), room, done)),
                3 => known(pal_receiveFrom(socket, buffer.as_mut_ptr().cast(), room, pointer, &mut length, done)),
                4 => known(pal_send(socket, buffer.as_ptr().cast(), room, done)),
                5 => known(pal_sendTo(socket, buffer.as_ptr().cast(), room, pointer, length, done)),
                6 => known(pal_isNonBlocking(socket, if is_null { null_mut() } else { &mut truth })),
                7 => {
                    let value = input.bytes();
                    let name = input.choose(&[4, 8, 9, 16, 4101, 4102, 4103, 4104, 0, -1]);
                    let value_pointer = if is_null { null() } else { value.as_ptr().cast() };
                    known(pal_setSocketOptions(socket, name, value_pointer, value.len() as u32));
                    let level = input.choose(&[0, 1, 9]);
                    known(pal_setSocketOptionsWithLevel(socket, level, name, value_pointer, value.len() as u32));
                }
                8 => {
                    pal_setSockAddrPort(&mut address, 0);
                    known(pal_bind(socket, pointer, length));
                    known(pal_listen(socket, i32::from(kind) - 100));
                }
                9 => {
                    known(pal_accept(socket, pointer, &mut length, &mut other, Some(on_socket), null_mut()));
                    if !other.is_null() {
                        known(pal_close(&mut other));
                    }
                }
                10 => self.peer.turn(&buffer),
                11 => {
                    let (mut v4, mut v6, mut port) = ([0; 4], [0; 16], 0);
                    known(pal_getSockAddrIPV4Addr(pointer, v4.as_mut_ptr()));
                    known(pal_getSockAddrIPV6Addr(pointer, v6.as_mut_ptr()));
                    known(pal_getSockAddrPort(pointer, &mut port));
                    known(pal_setSockAddrNAT64Addr(pointer, v4.as_mut_ptr()));
                }
                12 => {
                    let name = input.choose(&[c"localhost", c"127.0.0.1", c"::1", c"", c"a b"]);
                    let name = if is_null { null() } else { name.as_ptr() };
                    known(pal_getAddressInfo(name, pointer, &mut length));
                }
                _ => known(pal_close(if is_null { null_mut() } else { &mut socket })),
            }
        }
    }

    fn tls(&mut self, input: &mut Reader) {
        let kind = input.byte();
        let configuration = pick_number(&self.configurations, input);
        let session = pick_number(&self.sessions, input);
        let mut number = 0;
        let mut buffer = [0_u8; 256];
        let room = u32::from(input.byte());
        let mut done = 0;
        // SAFETY: handles may be anything; pointers are null or lead to as much as the sizes say.
        unsafe {
            match kind % 20 {
                0 => {
                    known(pal_cleanupTLS());
                    known(pal_handShake(session, configuration, false));
                    known(pal_initTLSLibrary());
                    known(pal_sslDebugging(kind & 1));
                    known(pal_sslSetDebugging(configuration, kind & 1));
                    pal_setDTLSSocketCallback(configuration, Some(on_socket), null_mut());
                }
                1 | 2 if self.configurations.len() < MOST_OBJECTS => {
                    known(pal_initTLSConfiguration(&mut number, u32::from(kind) % 7 % 3));
                    if number != 0 {
                        self.configurations.push(number);
                    }
                }
                3 => {
                    let mut chain = input.bytes();
                    let mut ca = palX509_t { buffer: chain.as_ptr().cast(), size: chain.len() as u32 };
                    chain = input.bytes();
                    let mut crl = palX509_t { buffer: chain.as_ptr().cast(), size: chain.len() as u32 };
                    known(pal_setCAChain(configuration, &mut ca, if chain.is_empty() { null_mut() } else { &mut crl }));
                }
                4 => {
                    let bytes = input.bytes();
                    let mut key = palPrivateKey_t::default();
                    known(pal_initPrivateKey(bytes.as_ptr().cast(), bytes.len(), &mut key));
                    known(pal_setOwnPrivateKey(configuration, &mut key));
                }
                5 => {
                    let bytes = input.bytes();
                    let mut chain = palX509_t { buffer: bytes.as_ptr().cast(), size: bytes.len() as u32 };
                    known(pal_setOwnCertChain(configuration, &mut chain));
                }
                6 | 7 => {
                    let (identity, psk) = (input.bytes(), input.bytes());
                    known(pal_setPSK(
                        configuration,
                        identity.as_ptr(),
                        identity.len() as u32,
                        psk.as_ptr(),
                        psk.len() as u32,
                    ));
                }
                8 | 9 if self.tls_sockets.len() < MOST_OBJECTS => {
                    let address = self.address(input);
                    let mut socket = Box::new(TlsSocket { address, socket: palTLSSocket_t::default() });
                    socket.socket = palTLSSocket_t {
                        socket: pick(&self.sockets, input),
                        socketAddress: &mut socket.address,
                        addressLength: size_of::<palSocketAddress_t>() as u32,
                        transportationMode: u32::from(kind) % 2,
                    };
                    known(pal_tlsSetSocket(configuration, &mut socket.socket));
                    self.tls_sockets.push(socket);
                }
                10 | 11 if self.sessions.len() < MOST_OBJECTS => {
                    known(pal_initTLS(configuration, &mut number, kind & 64 != 0));
                    if number != 0 {
                        self.sessions.push(number);
                    }
                }
                12 | 13 => known(pal_handShake(session, configuration, kind & 64 != 0)),
                14 => known(pal_sslRead(session, buffer.as_mut_ptr().cast(), room, &mut done)),
                15 => known(pal_sslWrite(session, configuration, buffer.as_ptr().cast(), room, &mut done)),
                16 => {
                    let mut verdict = 0;
                    known(pal_sslGetVerifyResultExtended(session, &mut verdict));
                    known(pal_setHandShakeTimeOut(configuration, room, room * 100));
                    pal_enableSslSessionStoring(configuration, kind & 64 != 0);
                    pal_set_cid_value(session, configuration, buffer.as_ptr(), input.byte().into());
                    pal_print_cid(session);
                    pal_is_cid_available();
                    known(mcc_pal_set_server_name(
                        configuration,
                        input.choose(&[c"server.test", c"", c"a b"]).as_ptr(),
                    ));
                }
                17 => {
                    let mut session = session;
                    known(pal_freeTLS(&mut session));
                }
                18 => {
                    let mut configuration = configuration;
                    known(pal_tlsConfigurationFree(&mut configuration));
                }
                _ => {
                    pal_store_cid();
                    pal_remove_cid();
                    known(pal_handShake(session, configuration, false));
                }
            }
        }
    }

    fn rest(&mut self, input: &mut Reader) {
        let kind = input.byte();
        let mut out = [0; 4];
        let mut number = 0;
        // SAFETY: handles may be anything; pointers are null or lead to as much as the sizes say.
        unsafe {
            match kind % 12 {
                0 => {
                    let message = input.bytes();
                    let expected = matches!(message, [0x60 | 0x70, 0, 0, id] if *id == kind);
                    assert_eq!(mcc_coap_ping_matches(message.as_ptr(), message.len(), kind.into()), expected);
                }
                1 => assert!(!mcc_coap_ping_matches(null(), kind.into(), 1)),
                2 => assert_eq!((mcc_coap_ping_encode(7, out.as_mut_ptr()), out), (4, [0x40, 0, 0, 7])),
                3 => assert_eq!(mcc_coap_ping_encode(7, null_mut()), 0),
                4 => mcc_log_set(Some(on_log), null_mut(), i32::from(kind / 12) - 2),
                5 => mcc_log_set(None, null_mut(), 4),
                6 => check_texts(input.long() as i32),
                7 => {
                    known(pal_getNumberOfNetInterfaces(&mut number));
                    let mut info = palNetInterfaceInfo_t::default();
                    known(pal_getNetInterfaceInfo(input.choose(&[0, 1, 2, u32::MAX]), &mut info));
                    known(pal_getNetInterfaceInfo(0, null_mut()));
                }
                8 => {
                    let mut index = 0;
                    let name = input.choose(&[c"lo", c"", c"there-is-no-such-interface", c"eth0"]);
                    known(pal_registerNetworkInterface(name.as_ptr().cast_mut().cast(), &mut index));
                    known(pal_setConnectionStatusCallback(index, Some(on_status), null_mut()));
                    known(pal_unregisterNetworkInterface(if kind < 128 { index } else { kind.into() }));
                }
                9 => {
                    pal_setFixedStaggerEstimate(input.short());
                    pal_getStaggerEstimate(input.short());
                    pal_getRttEstimate();
                }
                10 => {
                    known(pal_plat_socketsTerminate(null_mut()));
                    self.socket(input);
                    known(pal_plat_socketsInit(null_mut()));
                    mcc_pal_enable_connection_status(kind < 128);
                }
                _ => {
                    mcc_keepalive_interval_s();
                    assert!(!mcc_keepalive_interval_source().is_null() && !mcc_version().is_null());
                }
            }
        }
    }

    /// Frees everything; handles that are over are among it.
    fn end(mut self) {
        self.peer.turn(&[]);
        self.peer.close();
        // SAFETY: handles may be anything.
        unsafe {
            for session in &mut self.sessions {
                pal_freeTLS(session);
            }
            for configuration in &mut self.configurations {
                pal_tlsConfigurationFree(configuration);
            }
            for socket in &mut self.sockets {
                pal_close(socket);
            }
            for keepalive in &self.keepalives {
                mcc_keepalive_free(*keepalive);
                assert_ne!(mcc_keepalive_on_sent(*keepalive, 0), 0);
            }
            for context in &self.contexts {
                mcc_context_free(*context);
            }
            let since = Instant::now();
            for listener in &self.listeners {
                while !listener.is_over.load(Ordering::SeqCst) {
                    assert!(since.elapsed() < PATIENCE, "a connection was never over");
                    std::thread::yield_now();
                }
            }
            for connection in &self.connections {
                assert_ne!(mcc_connection_ping(*connection), 0);
                mcc_connection_close(*connection);
            }
            mcc_log_set(None, null_mut(), 0);
        }
    }
}

/// One of these, living or not; or null, or a pointer to something else.
fn pick<T>(all: &[*mut T], input: &mut Reader) -> *mut T {
    match input.byte() {
        255 => null_mut(),
        254 => without_provenance_mut(usize::from(input.short()) << 3 | 1),
        253 => without_provenance_mut(0x1000),
        number => all.get(usize::from(number) % all.len().max(1)).copied().unwrap_or(null_mut()),
    }
}

fn pick_number(all: &[usize], input: &mut Reader) -> usize {
    match input.byte() {
        255 => 0,
        254 => usize::MAX,
        number => all.get(usize::from(number) % all.len().max(1)).copied().unwrap_or(usize::from(number)),
    }
}

/// A number as options hold them, mostly small or at an end of its range.
fn number(input: &mut Reader) -> u32 {
    match input.byte() {
        255 => u32::MAX,
        254 => input.long(),
        253 => 4_294_967,
        252 => 3_600_000,
        251 => 65_536,
        small => small.into(),
    }
}

/// Mostly the right size of a struct; else one that says less.
fn size(right: usize, kind: u8) -> u32 {
    let right = right as u32;
    match kind {
        200 => 0,
        201 => right - 4,
        202 => right / 2,
        203 => 7,
        _ => right,
    }
}

/// What a call of the PAL gave is its own affair; but it is no number that PAL does not know.
fn known(status: palStatus_t) {
    assert!(status <= 0 || status == 1, "{status}");
}

fn tls_options<'i>(input: &mut Reader<'i>, credentials: &mut Vec<&'i [u8]>, kind: u8) -> mcc_tls_options_t {
    let mut tls = mcc_tls_options_t {
        size: size(size_of::<mcc_tls_options_t>(), kind),
        check_server_name: u32::from(kind) % 2,
        min_version: 0x303,
        max_version: 0x304,
        ..Default::default()
    };
    if !(6..10).contains(&(kind % 16)) {
        return tls;
    }
    let which = input.byte();
    credentials.extend((0..6).map(|number| if which & 1 << number != 0 { input.bytes() } else { &[] }));
    let pointer = |bytes: &[u8]| if bytes.is_empty() { null() } else { bytes.as_ptr() };
    (tls.ca, tls.ca_size) = (pointer(credentials[0]), credentials[0].len());
    (tls.crl, tls.crl_size) = (pointer(credentials[1]), credentials[1].len());
    (tls.certificate, tls.certificate_size) = (pointer(credentials[2]), credentials[2].len());
    (tls.key, tls.key_size) = (pointer(credentials[3]), credentials[3].len());
    (tls.psk_identity, tls.psk_identity_size) = (pointer(credentials[4]), credentials[4].len());
    (tls.psk, tls.psk_size) = (pointer(credentials[5]), credentials[5].len());
    if which & 64 != 0 {
        tls.max_version = 0x303;
    }
    if which & 128 != 0 {
        tls.server_name = c"server.test".as_ptr();
    }
    tls
}
