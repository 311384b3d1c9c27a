//! A virtual network: the real core on a device, a path with a NAT, a resolver and a server, in virtual time.
//!
//! A test sets what the network is like, lets the time pass with [`Network::until`], and changes it. Of each packet a path asks: is
//! there a network, does the NAT know the way, is the packet lost. TCP sends again what was lost and keeps the order; datagrams are
//! lost, late and overtaken. [`Rules`] watches every history.

use super::rules::Rules;
use super::*;
use crate::coap::framing::{Decoded, Decoder};
use crate::coap::message;
use crate::coap::signal::Signal;
use std::collections::BTreeMap;
use std::ops::Range;

/// TCP, and DTLS in its handshake, send again after 1 s, then after twice the time before, at most this (RFC 6298 section 2.5).
const LONGEST_REPEAT: Duration = Duration::from_secs(60);
/// How often TCP sends again before it gives up (Linux: tcp_retries2).
const REPEATS: u32 = 15;
/// So many frames fit into the socket's buffer.
const BUFFERED: usize = 4;
/// Round trips of a handshake: TLS 1.2.
const ROUND_TRIPS: u8 = 2;

/// What carries the packets.
#[derive(Debug, Clone)]
pub struct Path {
    /// The device has an address.
    pub up: bool,
    /// Nothing gets through, either way.
    pub outage: bool,
    /// Of a hundred packets so many are lost.
    pub lost_percent: u32,
    /// How long a packet takes, in milliseconds.
    pub delay_ms: Range<u64>,
    /// After so long without a packet the NAT forgets.
    pub timer: Duration,
    /// What TCP sends on a way that the NAT has forgotten is answered with a reset; else it is dropped in silence.
    pub resets: bool,
    /// The port that a firewall drops.
    pub blocked_port: Option<u16>,
}

/// What the resolver does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolver {
    /// It gives the server's address.
    Answers,
    /// It gives so many addresses, the server's last.
    Many(usize),
    /// It gives none.
    None,
    /// It fails.
    Fails,
    /// It says nothing.
    Hangs,
}

/// What the server does with what arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// It answers.
    Answers,
    /// Nothing listens: its system refuses.
    Away,
    /// It takes connections and says nothing.
    Silent,
    /// It closes each connection once it stands.
    Closes,
}

/// What a packet is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Syn,
    SynAck,
    /// A flight of the handshake.
    Flight(u8),
    Frame(Vec<u8>),
    End,
    Reset,
    /// ICMP says that nothing listens.
    Refused,
}

#[derive(Debug, Clone)]
struct Packet {
    link: Link,
    to_server: bool,
    /// Which one of its stream.
    number: u64,
    content: Content,
    /// Whether it proves the path, where it arrives at the device.
    proof: bool,
    repeats: u32,
    /// The way that it takes through the NAT.
    mapping: u64,
}

#[derive(Debug)]
enum Event {
    Resolved(Lookup, Result<Vec<SocketAddr>, Status>),
    Leaves(Packet),
    Arrives(Packet),
    Failed(Link, Status),
}

/// One direction of a TCP connection.
#[derive(Debug, Default)]
struct Stream {
    sent: u64,
    taken: u64,
    early: BTreeMap<u64, Packet>,
}

/// One link as the path and the server see it.
#[derive(Debug)]
struct Flow {
    address: SocketAddr,
    /// The way through the NAT, and until when it is known there.
    mapping: u64,
    mapped_until: Duration,
    /// The way that the server knows.
    answered_to: u64,
    /// The server's process that has the session.
    process: Option<u64>,
    up: Stream,
    down: Stream,
    in_buffer: usize,
    is_blocked: bool,
}

/// The whole.
pub struct Network {
    pub bench: Bench,
    pub path: Path,
    pub resolver: Resolver,
    pub server: Server,
    /// Where the server is now.
    pub address: SocketAddr,
    /// DTLS knows a session at any address by its Connection ID.
    pub connection_id: bool,
    pub rules: Rules,
    /// The message IDs of the requests that reached the server.
    pub reached: Vec<u16>,
    /// The link of the latest connect.
    pub link: Link,
    settings: Settings,
    random: fastrand::Rng,
    events: BTreeMap<(Duration, u64), Event>,
    next_event: u64,
    flows: BTreeMap<Link, Flow>,
    next_mapping: u64,
    process: u64,
}

impl Network {
    /// A network without faults. Nothing happens before the time passes.
    pub fn new(settings: Settings, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        Self {
            rules: Rules::new(&settings),
            bench: Bench::seeded(settings.clone(), random.u64(..)),
            path: Path {
                up: true,
                outage: false,
                lost_percent: 0,
                delay_ms: 500..501,
                timer: Duration::MAX,
                resets: false,
                blocked_port: None,
            },
            resolver: Resolver::Answers,
            server: Server::Answers,
            address: SocketAddr::from(([127, 0, 0, 1], settings.port)),
            connection_id: true,
            reached: Vec::new(),
            link: Link(0),
            settings,
            random,
            events: BTreeMap::new(),
            next_event: 0,
            flows: BTreeMap::new(),
            next_mapping: 1,
            process: 0,
        }
    }

    pub fn state(&self) -> State {
        self.bench.connection.statistics().state
    }

    /// Lets so much time pass.
    pub fn pass(&mut self, time: Duration) {
        self.until(self.bench.now + time);
    }

    /// Lets things happen until then.
    pub fn until(&mut self, end: Duration) {
        self.carry_out();
        loop {
            let event = self.events.keys().next().copied();
            let deadline = self.bench.deadline.unwrap_or(Duration::MAX);
            let at = event.map_or(Duration::MAX, |(at, _)| at).min(deadline);
            if at > end {
                self.bench.now = end;
                self.rules.look(end, &self.bench);
                return;
            }
            self.bench.now = at.max(self.bench.now);
            self.rules.look(self.bench.now, &self.bench);
            match event.filter(|(at, _)| *at <= deadline).and_then(|key| self.events.remove(&key)) {
                Some(event) => self.happen(event),
                None => {
                    self.rules.wake_ups += 1;
                    self.bench.drain();
                    self.carry_out();
                }
            }
        }
    }

    /// Something that the application or the system says.
    pub fn input(&mut self, input: Input<'_>) {
        self.rules.inputs += 1;
        if let Input::NetworkChanged(network) = &input {
            self.rules.shake(self.bench.now, network.is_none());
        }
        self.bench.input(input);
        self.carry_out();
    }

    /// The application sends a request; the ticket is its message ID too.
    pub fn send(&mut self, ticket: u16) {
        let [high, low] = ticket.to_be_bytes();
        self.rules.handed_over.insert(ticket.into());
        self.input(Input::Send { ticket: ticket.into(), message: vec![0x40, 0x01, high, low] });
    }

    /// The server sends this to the device; whether it proves the path.
    pub fn say(&mut self, message: &[u8], proof: bool) {
        let frame = framing::encode(self.settings.framing, message).expect("a message");
        self.say_bytes(frame, proof);
    }

    /// The server sends these bytes.
    pub fn say_bytes(&mut self, bytes: Vec<u8>, proof: bool) {
        if self.state() == State::Ready {
            self.send_packet(self.link, false, Content::Frame(bytes), proof);
        }
    }

    /// The server closes its connections.
    pub fn close(&mut self) {
        for link in self.flows.keys().copied().collect::<Vec<_>>() {
            self.send_packet(link, false, Content::End, false);
        }
    }

    /// The server's process begins anew: it resets its TCP connections, and knows no session any more.
    pub fn restart(&mut self) {
        self.process += 1;
        if self.is_stream() {
            for link in self.flows.keys().copied().collect::<Vec<_>>() {
                self.send_packet(link, false, Content::Reset, false);
            }
        }
    }

    /// The NAT forgets everything.
    pub fn forget(&mut self) {
        for flow in self.flows.values_mut() {
            flow.mapped_until = Duration::ZERO;
        }
    }

    /// The device's interface goes down or comes up, in this network.
    pub fn set_up(&mut self, up: bool, network: u64) {
        self.path.up = up;
        if !up {
            for link in self.flows.keys().copied().collect::<Vec<_>>() {
                self.input(Input::Failed(link, Status::NetworkDown.into()));
            }
        }
        self.input(Input::NetworkChanged(up.then_some(networks::Network(network))));
    }

    /// Nothing is wrong from now on.
    pub fn calm(&mut self) {
        self.path = Path {
            up: true,
            outage: false,
            lost_percent: 0,
            timer: Duration::MAX,
            blocked_port: None,
            ..self.path.clone()
        };
        (self.resolver, self.server) = (Resolver::Answers, Server::Answers);
    }

    /// The server moves to another address, and nobody is at the one before.
    pub fn move_server(&mut self) {
        let host = self.random.u8(2..=254);
        if let Host::Name(_) = self.settings.host {
            self.address.set_ip([198, 51, 100, host].into());
        }
    }

    pub fn is_rfc8323(&self) -> bool {
        self.settings.framing == Framing::Rfc8323
    }

    fn is_stream(&self) -> bool {
        self.settings.transport == Transport::Tcp
    }

    fn later(&mut self, delay: Duration, event: Event) {
        self.next_event += 1;
        self.events.insert((self.bench.now.saturating_add(delay), self.next_event), event);
    }

    fn delay(&mut self) -> Duration {
        Duration::from_millis(self.random.u64(self.path.delay_ms.clone()))
    }

    // What the core asks for.

    fn carry_out(&mut self) {
        loop {
            let outputs = self.bench.take();
            if outputs.is_empty() {
                return self.rules.rest(self.bench.now, &self.bench);
            }
            for output in outputs {
                self.rules.output(self.bench.now, &output);
                match output {
                    Output::Resolve(lookup, ..) => self.resolve(lookup),
                    Output::Connect(link, address) => self.connect(link, address),
                    Output::Secure(link) => self.send_packet(link, true, Content::Flight(1), false),
                    Output::Write(link, bytes) => self.write(link, bytes),
                    Output::CloseLink(link) | Output::CarryLink(link) => drop(self.flows.remove(&link)),
                    Output::Deliver(_) | Output::Report(_) | Output::Wait(_) => {}
                }
            }
        }
    }

    fn resolve(&mut self, lookup: Lookup) {
        let delay = self.delay();
        let result = match self.resolver {
            Resolver::Hangs => return,
            Resolver::Fails => Err(Status::NameLookupFailed),
            Resolver::None => Ok(Vec::new()),
            Resolver::Answers => Ok(vec![self.address]),
            Resolver::Many(count) => {
                let nowhere = (1..count).map(|host| SocketAddr::from(([203, 0, 113, host as u8], self.settings.port)));
                Ok(nowhere.chain([self.address]).collect())
            }
        };
        self.later(delay, Event::Resolved(lookup, result));
    }

    fn connect(&mut self, link: Link, address: SocketAddr) {
        self.link = link;
        if !self.path.up {
            return self.later(Duration::ZERO, Event::Failed(link, Status::NetworkDown));
        }
        let (up, down) = (Stream::default(), Stream::default());
        let flow = Flow {
            address,
            mapping: 0,
            mapped_until: Duration::ZERO,
            answered_to: 0,
            process: None,
            up,
            down,
            in_buffer: 0,
            is_blocked: false,
        };
        self.flows.insert(link, flow);
        if self.is_stream() {
            self.send_packet(link, true, Content::Syn, false);
        } else {
            self.bench.input(Input::Connected(link));
        }
    }

    fn write(&mut self, link: Link, bytes: Vec<u8>) {
        let (is_stream, up) = (self.is_stream(), self.path.up);
        let Some(flow) = self.flows.get_mut(&link) else { return };
        if is_stream {
            flow.in_buffer += 1;
            flow.is_blocked = flow.in_buffer > BUFFERED;
            if !flow.is_blocked {
                self.bench.input(Input::Sent(link));
            }
        } else if up {
            self.bench.input(Input::Sent(link));
        } else {
            return self.bench.input(Input::NotSent(link, Status::NetworkDown.into()));
        }
        self.send_packet(link, true, Content::Frame(bytes), false);
    }

    // The path.

    fn send_packet(&mut self, link: Link, to_server: bool, content: Content, proof: bool) {
        let Some(flow) = self.flows.get_mut(&link) else { return };
        let stream = if to_server { &mut flow.up } else { &mut flow.down };
        let number = stream.sent;
        // A reset stands beside the order.
        stream.sent += u64::from(!matches!(content, Content::Reset | Content::Refused));
        let packet = Packet { link, to_server, number, content, proof, repeats: 0, mapping: flow.answered_to };
        self.leave(packet);
    }

    /// A packet leaves, for the first time or again.
    fn leave(&mut self, mut packet: Packet) {
        let (now, timer, is_stream) = (self.bench.now, self.path.timer, self.is_stream());
        let delay = self.delay();
        let lost = self.random.u32(0..100) < self.path.lost_percent;
        let Some(flow) = self.flows.get_mut(&packet.link) else { return };
        let mapped = flow.mapped_until > now;
        let mut passes =
            self.path.up && !self.path.outage && !lost && self.path.blocked_port != Some(flow.address.port());
        if self.path.up && packet.to_server {
            if mapped {
                flow.mapped_until = now.saturating_add(timer);
            } else if !is_stream || packet.content == Content::Syn {
                self.next_mapping += 1;
                (flow.mapping, flow.mapped_until) = (self.next_mapping, now.saturating_add(timer));
            } else if self.path.resets && !self.path.outage {
                return self.later(delay, Event::Failed(packet.link, Status::ConnectionReset));
            } else {
                passes = false;
            }
            packet.mapping = flow.mapping;
        } else if packet.mapping != flow.mapping || !mapped {
            passes = false;
        } else if passes && is_stream {
            // The device acknowledges it.
            flow.mapped_until = now.saturating_add(timer);
        }
        if passes {
            return self.later(delay, Event::Arrives(packet));
        }
        let repeats = match packet.content {
            Content::Reset | Content::Refused => false,
            Content::Flight(_) => true,
            _ => is_stream,
        };
        if repeats && packet.repeats < REPEATS {
            let wait = seconds(1 << packet.repeats.min(10)).min(LONGEST_REPEAT);
            packet.repeats += 1;
            self.later(wait, Event::Leaves(packet));
        } else if repeats && packet.to_server {
            self.later(Duration::ZERO, Event::Failed(packet.link, Status::PathSilent));
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Resolved(lookup, Ok(addresses)) => self.input(Input::Resolved(lookup, addresses)),
            Event::Resolved(lookup, Err(status)) => self.input(Input::NotResolved(lookup, status.into())),
            Event::Failed(link, status) => self.input(Input::Failed(link, status.into())),
            Event::Leaves(packet) => self.leave(packet),
            Event::Arrives(packet) if !self.is_stream() || packet.content == Content::Reset => self.arrive(packet),
            Event::Arrives(packet) => {
                let Some(flow) = self.flows.get_mut(&packet.link) else { return };
                let (link, to_server) = (packet.link, packet.to_server);
                let stream = if to_server { &mut flow.up } else { &mut flow.down };
                stream.early.insert(packet.number, packet);
                loop {
                    let Some(flow) = self.flows.get_mut(&link) else { return };
                    let stream = if to_server { &mut flow.up } else { &mut flow.down };
                    let Some(packet) = stream.early.remove(&stream.taken) else { return };
                    stream.taken += 1;
                    self.arrive(packet);
                }
            }
        }
    }

    fn arrive(&mut self, packet: Packet) {
        if packet.to_server { self.arrive_at_server(packet) } else { self.arrive_at_device(packet) }
    }

    // The server.

    fn arrive_at_server(&mut self, packet: Packet) {
        let (is_stream, secure, link) = (self.is_stream(), self.settings.secure, packet.link);
        let (process, server, connection_id) = (self.process, self.server, self.connection_id);
        let Some(flow) = self.flows.get_mut(&link) else { return };
        let begins = matches!(packet.content, Content::Syn) || (!is_stream && packet.content == Content::Flight(1));
        if flow.address.ip() != self.address.ip() {
            // Nobody is there, any more or at all.
            return;
        }
        if server == Server::Away {
            flow.answered_to = packet.mapping;
            return self.send_packet(link, false, if is_stream { Content::Reset } else { Content::Refused }, false);
        }
        if begins {
            flow.process = Some(process);
            flow.answered_to = packet.mapping;
        }
        let stateless = !is_stream && !secure;
        if !stateless && flow.process != Some(process) {
            // It was restarted: a stream is reset, a record that belongs to no session dropped.
            if is_stream {
                self.send_packet(link, false, Content::Reset, false);
            }
            return;
        }
        if stateless || (!is_stream && connection_id) {
            flow.answered_to = packet.mapping;
        } else if flow.answered_to != packet.mapping {
            return;
        }
        if let (true, Content::Frame(_)) = (is_stream, &packet.content) {
            flow.in_buffer -= 1;
            if std::mem::take(&mut flow.is_blocked) {
                self.input(Input::Sent(link));
            }
        }
        let agrees = self.settings.framing == Framing::Rfc8323;
        let stands = match packet.content {
            Content::Syn => !secure && !agrees,
            Content::Flight(number) => number == ROUND_TRIPS && !agrees,
            _ => !stateless,
        };
        match packet.content {
            Content::Syn => self.send_packet(link, false, Content::SynAck, false),
            _ if server == Server::Silent => {}
            Content::Flight(number) => self.send_packet(link, false, Content::Flight(number), false),
            Content::Frame(frame) => self.answer(link, &frame),
            _ => {}
        }
        if server == Server::Closes && stands {
            self.send_packet(link, false, Content::End, false);
        }
    }

    fn answer(&mut self, link: Link, frame: &[u8]) {
        let framing = self.settings.framing;
        let mut decoder = Decoder::new(framing, 65_535);
        let Ok(Some(Decoded::Message(message))) = decoder.decode(&mut &frame[..], true) else { panic!("{frame:02x?}") };
        let answer = if framing == Framing::Rfc8323 {
            match signal::read(&message) {
                Some(Signal::Capabilities { .. }) => signal::capabilities(8_000_000),
                Some(Signal::Ping { token }) => signal::pong(&token),
                _ if message[1] == 1 => RESPONSE.to_vec(),
                _ => return,
            }
        } else {
            let header = message::check(&message).expect("a message of the device");
            match (header.kind, header.code) {
                (message::Type::Confirmable, 0) => ping::reset(header.message_id).to_vec(),
                (message::Type::Confirmable, _) => {
                    self.reached.push(header.message_id);
                    vec![0x60, 0x45, message[2], message[3]]
                }
                _ => return,
            }
        };
        let frame = framing::encode(framing, &answer).expect("an answer");
        self.send_packet(link, false, Content::Frame(frame), true);
    }

    // The device.

    fn arrive_at_device(&mut self, packet: Packet) {
        let link = packet.link;
        if !self.flows.contains_key(&link) {
            return;
        }
        match packet.content {
            Content::SynAck => self.input(Input::Connected(link)),
            Content::Flight(ROUND_TRIPS..) => self.input(Input::Secured(link, framing::MAX_RECORD_SIZE)),
            Content::Flight(number) => self.send_packet(link, true, Content::Flight(number + 1), false),
            Content::Frame(frame) => {
                // A stream may come in pieces.
                let cut = if self.is_stream() { self.random.usize(0..=frame.len()) } else { 0 };
                if cut > 0 && cut < frame.len() {
                    self.input(Input::Received(link, &frame[..cut], false));
                }
                if packet.proof && link == self.link {
                    self.rules.hear(self.bench.now);
                }
                let begin = if cut == frame.len() { 0 } else { cut };
                self.input(Input::Received(link, &frame[begin..], true));
            }
            Content::End => self.input(Input::Failed(link, Status::ClosedByPeer.into())),
            Content::Reset => {
                let connecting = matches!(self.state(), State::Connecting);
                let status = if connecting { Status::ConnectionRefused } else { Status::ConnectionReset };
                self.input(Input::Failed(link, status.into()));
            }
            Content::Refused => self.input(Input::Failed(link, Status::ConnectionRefused.into())),
            Content::Syn => {}
        }
    }
}
