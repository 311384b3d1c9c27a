//! The connection core: whatever happens, in any order, with links and lookups that are over or never were, it keeps its contract:
//! it comes to rest, says when it goes on, uses each link as a link is used, and answers for each message exactly once.
//!
//! Input: settings, then steps: one byte each that says what happens, and what that needs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mbed_cloud_connectivity::coap::framing::{self, Decoded, Decoder, Framing};
use mbed_cloud_connectivity::coap::{message, ping, signal};
use mbed_cloud_connectivity::connection::endpoint::Host;
use mbed_cloud_connectivity::connection::networks::{Network, Networks};
use mbed_cloud_connectivity::connection::{
    Connection, Input, Link, Lookup, Output, Report, Settings, State, Transport, backoff,
};
use mbed_cloud_connectivity::error::{Failure, Status};
use mbed_cloud_connectivity::keepalive::adaptive::{Bounds, Knowledge};
use mbed_cloud_connectivity::keepalive::{self, Answer};
use mbed_cloud_connectivity_fuzz::Reader;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

const MOST_STEPS: usize = 400;
/// Between two steps: a wait of 1,024 answers and 64 messages is written in as many turns as there are steps.
const MOST_OUTPUTS: usize = 5_000;

fuzz_target!(|input: &[u8]| {
    let mut input = Reader::new(input);
    let settings = settings(&mut input);
    let mut driver = Driver::new(settings, input.short().into());
    for _ in 0..MOST_STEPS {
        if input.is_empty() {
            break;
        }
        driver.step(&mut input);
    }
    driver.finish();
});

/// Within the ranges that the C interface lets through.
fn settings(input: &mut Reader) -> Settings {
    let kind = input.byte();
    let secure = kind & 1 != 0;
    let (transport, framing) = match (kind >> 1) % 4 {
        0 => (Transport::Tcp, if secure { Framing::Record } else { Framing::LengthPrefix }),
        1 => (Transport::Tcp, Framing::Rfc8323),
        2 => (Transport::Udp, if secure { Framing::Record } else { Framing::Datagram }),
        _ => (Transport::Tcp, Framing::LengthPrefix),
    };
    let floor = u64::from(input.byte()) + 1;
    let keepalive = keepalive::Settings {
        interval: (kind & 8 == 0).then(|| Duration::from_secs(floor)),
        jitter_percent: u32::from(input.byte()) % 51,
        answer: match transport {
            Transport::Tcp => Answer::Within(Duration::from_millis(u64::from(input.short()) + 1)),
            Transport::Udp => Answer::Retransmitted,
        },
        adaptive: (kind & 0x18 == 0x10).then(|| Bounds {
            floor: Duration::from_secs(floor),
            ceiling: Duration::from_secs(floor + u64::from(input.short())),
            step_percent: 101 + u32::from(input.byte()) % 900,
            margin_percent: u32::from(input.byte()) % 51,
        }),
    };
    Settings {
        host: if kind & 32 == 0 { Host::Name("server.test".into()) } else { Host::Address(Ipv4Addr::LOCALHOST.into()) },
        port: 5683,
        alternative_port: (kind & 64 != 0).then_some(443),
        transport,
        secure,
        framing,
        keepalive,
        networks: networks(input),
        queue_limit: usize::from(input.byte()) + 1,
        keep_queued: kind & 128 != 0,
        max_message_size: usize::from(input.short()).max(64),
        backoff: backoff::Settings {
            base: Duration::from_millis(u64::from(input.short()) + 1),
            cap: Duration::from_secs(u64::from(input.short()) + 1),
            peer_closed: Duration::from_millis(input.short().into()),
        },
        resolve_timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(15),
        handshake_timeout: Duration::from_secs(30),
    }
}

/// What an earlier run found out, or somebody made up.
fn networks(input: &mut Reader) -> Networks {
    let mut networks = Networks::default();
    for number in 0..input.byte() % 4 {
        let times = [input.long(), input.long()].map(|time| Duration::from_millis(u64::from(time)));
        let broken = Some(times[1]).filter(|time| !time.is_zero());
        networks.set(Network(number.into()), Knowledge { proven: times[0], broken });
    }
    networks
}

/// Stands for sockets, TLS, lookups and the application, and holds the core to its contract.
struct Driver {
    connection: Connection,
    settings: Settings,
    now: Duration,
    deadline: Option<Duration>,
    state: State,
    lookup: Option<Lookup>,
    open: BTreeSet<Link>,
    connected: Option<Link>,
    latest_link: u64,
    /// A session was kept when its link was closed.
    carried: bool,
    /// The link whose write is not answered yet.
    writing: Option<Link>,
    pending: BTreeSet<u64>,
    next_ticket: u64,
    counted: BTreeMap<&'static str, u64>,
}

impl Driver {
    fn new(settings: Settings, seed: u64) -> Self {
        Self {
            connection: Connection::new(settings.clone(), seed),
            settings,
            now: Duration::ZERO,
            deadline: None,
            state: State::Resolving,
            lookup: None,
            open: BTreeSet::new(),
            connected: None,
            latest_link: 0,
            carried: false,
            writing: None,
            pending: BTreeSet::new(),
            next_ticket: 1,
            counted: BTreeMap::new(),
        }
    }

    fn step(&mut self, input: &mut Reader) {
        let step = input.byte();
        match step % 24 {
            0 => self.handle(Input::Open),
            1..4 => self.go_on(),
            4 => self.pass(Duration::from_millis(input.short().into())),
            5 => self.pass(Duration::from_secs(input.long().into())),
            6 => self.pass(self.deadline.map_or(Duration::ZERO, |deadline| deadline.saturating_sub(self.now))),
            7 => {
                let lookup = self.lookup(input);
                let addresses = (0..input.byte() % 12).map(|_| address(input.byte())).collect();
                self.handle(Input::Resolved(lookup, addresses));
            }
            8 => {
                let lookup = self.lookup(input);
                self.handle(Input::NotResolved(lookup, failure(input)));
            }
            9 => {
                let link = self.link(input);
                if step >= 192 {
                    self.handle(Input::Answered(link));
                } else {
                    self.connect(link);
                }
            }
            10 => {
                let link = self.link(input);
                let record_size = usize::from(input.short());
                if step >= 128 {
                    self.handle(Input::Carried(link, record_size));
                } else {
                    self.handle(Input::Secured(link, record_size));
                }
            }
            11 => {
                let link = self.link(input);
                self.handle(Input::Failed(link, failure(input)));
            }
            12 => {
                let link = self.link(input);
                let end_of_unit = input.byte() & 1 != 0;
                self.handle(Input::Received(link, input.bytes(), end_of_unit));
            }
            13 | 14 => {
                let link = self.link(input);
                let message = message(input);
                let wire = framing::encode(self.settings.framing, &message).unwrap_or(message);
                self.handle(Input::Received(link, &wire, true));
            }
            15 => {
                // The answer to a ping, or to a message of the application: every ID that there can be, were it asked for.
                let link = self.link(input);
                let wire: Vec<u8> = match self.settings.framing {
                    Framing::Rfc8323 => framing::encode(Framing::Rfc8323, &signal::pong(&[])).expect("a signal"),
                    framing => framing::encode(framing, &ping::reset(input.short())).expect("a reset"),
                };
                self.handle(Input::Received(link, &wire, true));
            }
            16 | 17 => {
                let link = self.link(input);
                self.sent(link);
            }
            18 => {
                let link = self.link(input);
                if self.writing == Some(link) {
                    self.writing = None;
                }
                self.handle(Input::NotSent(link, failure(input)));
            }
            19 | 20 => {
                let message = message(input);
                if framing::check_outgoing(self.settings.framing, &message).is_ok() {
                    let ticket = self.next_ticket;
                    self.next_ticket += 1;
                    self.pending.insert(ticket);
                    self.handle(Input::Send { ticket, message });
                }
            }
            21 => self.handle(Input::Ping),
            22 if step >= 192 => self.handle(Input::Close),
            22 => {
                self.handle(Input::SetKeepalive((step < 96).then(|| Duration::from_secs(u64::from(input.byte()) + 1))))
            }
            _ => {
                let network = (step < 216).then(|| Network((input.byte() % 20).into()));
                self.handle(Input::NetworkChanged(network));
            }
        }
    }

    /// What a network where all goes well does next.
    fn go_on(&mut self) {
        if let Some(lookup) = self.lookup.take() {
            self.handle(Input::Resolved(lookup, vec![address(1), address(2), address(128)]));
        } else if let Some(link) = self.writing {
            self.sent(link);
        } else if let (None, Some(link)) = (self.connected, self.open.first().copied()) {
            self.connect(link);
        } else if let (State::Handshaking, Some(link)) = (self.state, self.connected) {
            if self.carried {
                self.handle(Input::Carried(link, 16_384));
            } else {
                self.handle(Input::Secured(link, 16_384));
            }
            let capabilities = framing::encode(self.settings.framing, &signal::capabilities(4_000)).expect("a signal");
            self.handle(Input::Received(link, &capabilities, true));
        } else {
            self.pass(self.deadline.map_or(Duration::ZERO, |deadline| deadline.saturating_sub(self.now)));
        }
    }

    fn connect(&mut self, link: Link) {
        if self.open.contains(&link) && self.connected.is_none() {
            self.connected = Some(link);
        }
        self.handle(Input::Connected(link));
    }

    fn sent(&mut self, link: Link) {
        // Whoever wrote nothing has nothing to say.
        if self.writing == Some(link) {
            self.writing = None;
            self.handle(Input::Sent(link));
        }
    }

    /// Mostly the one that is open; else one that is over, or never was.
    fn link(&self, input: &mut Reader) -> Link {
        match input.byte() {
            0..128 => self.connected.or(self.open.last().copied()).unwrap_or(Link(0)),
            128..192 => self.open.first().copied().unwrap_or(Link(1)),
            other => Link(u64::from(other - 192)),
        }
    }

    fn lookup(&self, input: &mut Reader) -> Lookup {
        match input.byte() {
            0..192 => self.lookup.unwrap_or(Lookup(0)),
            other => Lookup(u64::from(other - 192)),
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.saturating_add(time);
        self.drain();
    }

    fn handle(&mut self, input: Input) {
        self.connection.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        for _ in 0..MOST_OUTPUTS {
            match self.connection.poll_output(self.now) {
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return self.check_rest();
                }
                output => self.output(output),
            }
        }
        panic!("it never comes to rest");
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Resolve(lookup, name, _) => {
                assert_eq!(name, "server.test");
                self.lookup = Some(lookup);
            }
            Output::Connect(link, address) => {
                assert!(link.0 > self.latest_link, "a link was used again");
                assert!(address.port() == 5683 || self.settings.alternative_port == Some(address.port()));
                self.latest_link = link.0;
                self.open.insert(link);
            }
            Output::Secure(link) => assert!(self.settings.secure && self.connected == Some(link)),
            Output::Write(link, frame) => {
                assert_eq!(self.connected, Some(link), "a link that is not connected was written to");
                assert_eq!(self.writing.replace(link), None, "two writes at a time");
                check_frame(self.settings.framing, &frame);
            }
            Output::CloseLink(link) => self.close(link),
            Output::CarryLink(link) => {
                assert!(self.settings.secure && self.settings.transport == Transport::Udp, "there is nothing to carry");
                assert_eq!(self.connected, Some(link), "a session that never stood was carried");
                self.carried = true;
                self.close(link);
            }
            Output::Deliver(message) => {
                assert_eq!(self.state, State::Ready);
                assert!(message::check(&message).is_ok());
                assert!(message.len() <= self.settings.max_message_size + 2);
                self.count("received");
            }
            Output::Report(report) => self.report(report),
            Output::Wait(_) => unreachable!(),
        }
    }

    fn close(&mut self, link: Link) {
        assert!(self.open.remove(&link), "a link that is not open was closed");
        self.writing.take_if(|writing| *writing == link);
        self.connected.take_if(|connected| *connected == link);
    }

    fn report(&mut self, report: Report) {
        match report {
            Report::State { state, .. } => {
                assert_ne!(self.state, State::Closed, "something came after the end");
                self.state = state;
                if state != State::Resolving {
                    self.lookup = None;
                }
                match state {
                    State::Ready => assert!(self.connected.is_some()),
                    State::Waiting | State::Closed => assert!(self.open.is_empty(), "a link was left open"),
                    _ => {}
                }
            }
            Report::Sent { ticket } => {
                assert!(self.pending.remove(&ticket), "the message was reported before");
                self.count("sent");
            }
            Report::Failed { ticket, .. } => {
                assert!(self.pending.remove(&ticket), "the message was reported before");
                self.count("failed");
            }
            Report::Dropped { size } => {
                assert!(size > self.settings.max_message_size as u64);
                self.count("dropped");
            }
            Report::PingSent => self.count("pings sent"),
            Report::PingAnswered { .. } => self.count("pings answered"),
            Report::PingLost { .. } => self.count("pings lost"),
        }
    }

    fn check_rest(&self) {
        assert!(
            self.deadline.is_none_or(|deadline| deadline > self.now || self.now == Duration::MAX),
            "it waits for now"
        );
        let statistics = self.connection.statistics();
        assert_eq!(statistics.messages_queued, self.pending.len() as u64);
        assert!(self.pending.len() <= self.settings.queue_limit);
        for (name, counted) in [
            ("sent", statistics.messages_sent),
            ("failed", statistics.messages_failed),
            ("received", statistics.messages_received),
            ("dropped", statistics.oversize_dropped),
            ("pings sent", statistics.pings_sent),
            ("pings answered", statistics.pings_answered),
            ("pings lost", statistics.pings_lost),
        ] {
            assert_eq!(self.counted.get(name).copied().unwrap_or(0), counted, "{name}");
        }
        match self.state {
            State::Ready if statistics.keepalive_interval.is_some() => {
                assert!(self.deadline.is_some(), "no ping will ever go out")
            }
            State::Connecting | State::Handshaking | State::Waiting => assert!(self.deadline.is_some()),
            State::Closed => assert!(self.connection.is_closed() && self.deadline.is_none()),
            _ => {}
        }
        let export = self.connection.networks().export();
        assert_eq!(Networks::import(&export).map(|networks| networks.export()), Some(export), "a state that is none");
    }

    fn count(&mut self, name: &'static str) {
        *self.counted.entry(name).or_default() += 1;
    }

    fn finish(&mut self) {
        self.handle(Input::Close);
        assert_eq!(self.state, State::Closed);
        assert!(self.pending.is_empty(), "a message was never answered for");
        assert!(self.open.is_empty());
    }
}

/// The peer takes every frame for one well-formed message.
fn check_frame(framing: Framing, frame: &[u8]) {
    let mut decoder = Decoder::new(framing, framing::MAX_MESSAGE_SIZE + 8);
    let mut rest = frame;
    let Ok(Some(Decoded::Message(message))) = decoder.decode(&mut rest, true) else { panic!("no frame: {frame:02x?}") };
    assert!(rest.is_empty() && message::check_with_signals(&message).is_ok(), "{message:02x?}");
}

/// Half of them are well-formed whatever the bytes say.
fn message(input: &mut Reader) -> Vec<u8> {
    let kind = input.byte();
    let [low, high] = input.short().to_le_bytes();
    match kind {
        0..32 => vec![0x40, 1, high, low],
        32..64 => vec![0x40, 0, high, low],
        64..96 => [&[0x50, 0x45, high, low, 0xff, 0][..], &vec![kind; usize::from(high)]].concat(),
        96..112 => vec![0x60, 0x45, high, low],
        112..128 => vec![0x70, 0, high, low],
        128..160 => [&[0x50, 0xe1 + kind % 8, high, low], input.bytes()].concat(),
        _ => input.bytes().to_vec(),
    }
}

fn address(kind: u8) -> SocketAddr {
    match kind {
        0..128 => SocketAddr::new(Ipv4Addr::new(192, 0, 2, kind).into(), 5683),
        _ => SocketAddr::new(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, kind.into()).into(), 5683),
    }
}

fn failure(input: &mut Reader) -> Failure {
    Failure::with_detail(input.choose(Status::ALL), 0)
}
