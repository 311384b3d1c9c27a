//! The driver of one connection: it alone knows the state machine and the sockets.

use super::clock;
use super::context::{Command, ConnectionSettings, ConnectionShared, Event, Inbox, Sink};
use super::interface::Surroundings;
use super::random;
use super::reactor::{Interest, Reactor, Readiness};
use super::resolver::{self, Waiting};
use super::socket::{self, Received, Socket};
use crate::connection::networks::Network;
use crate::connection::{Connection, Input, Link, Lookup, Output, Report, State, Transport};
use crate::error::{Class, Failure, Status};
use crate::keepalive::adaptive::Knowledge;
use crate::numbered::Numbered;
use crate::tls;
use crate::tls::time::Clock;
use crate::{log, memory};
use rustix::io::Errno;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often a socket is read before others have their turn: with the size below, some thousand of the shortest messages.
const READS_AT_ONCE: u32 = 4;
/// How much of a stream is read at once.
const STREAM_READ_SIZE: usize = 16_384;
/// One byte more than the longest datagram, so that none is cut.
const INCOMING_SIZE: usize = 65_536;
/// The plaintext of one record of TLS or DTLS.
const PLAIN_SIZE: usize = 16_384;

/// What the drivers of one event loop share.
pub(super) struct Environment {
    pub(super) reactor: Reactor,
    pub(super) inbox: Arc<Inbox>,
    /// Which socket of which connection a token of the reactor means.
    pub(super) tokens: Numbered<(u64, Link)>,
    /// The tokens of sockets that have more to read and let others go first, each once.
    pub(super) hungry: Vec<u64>,
    next_token: u64,
    incoming: Vec<u8>,
    plain: Vec<u8>,
}

impl Environment {
    pub(super) fn new(reactor: Reactor, inbox: Arc<Inbox>) -> Result<Self, Failure> {
        Ok(Self {
            reactor,
            inbox,
            tokens: Numbered::new(),
            hungry: Vec::new(),
            next_token: 0,
            incoming: memory::zeroed(INCOMING_SIZE)?,
            plain: memory::zeroed(PLAIN_SIZE)?,
        })
    }
}

/// One connection and its sockets.
pub(super) struct Driver {
    id: u64,
    core: Connection,
    settings: ConnectionSettings,
    links: Vec<LinkIo>,
    /// Links that are to be read without waiting for an event: their TLS begins, a write failed, or a deadline is over.
    to_pump: Vec<Link>,
    /// A DTLS session that goes on at the next link to its peer.
    carried: Option<(SocketAddr, Box<tls::Session>)>,
    /// Kept as long as the lookup is of interest.
    lookup: Option<LookupWanted>,
    sink: Sink,
    shared: Arc<ConnectionShared>,
    /// The network and what is known of it, as others see them.
    path: (Option<Network>, Option<Knowledge>),
    /// When the core wants to be asked again, or a handshake is to go on though nothing came in.
    pub(super) deadline: Option<Duration>,
}

/// One socket.
struct LinkIo {
    link: Link,
    token: u64,
    peer: SocketAddr,
    socket: Socket,
    stage: Stage,
    /// Over datagrams the peer has said something.
    answered: bool,
    outgoing: Option<Outgoing>,
    /// What was read of a stream and waits until TLS has written what it has to write first.
    unread: Vec<u8>,
    /// Why a write failed. What the peer said before it ended the connection, such as an alert, still waits to be read and tells more.
    write_failure: Option<Failure>,
    /// It has more to read and is in the environment's list of those.
    hungry: bool,
    /// The peer has closed its side, or the socket is broken: there is an end to be read.
    ended: bool,
}

enum Stage {
    Connecting,
    /// Connected, without TLS or DTLS or before it.
    Plain,
    Securing(Box<tls::Session>),
    Secure(Box<tls::Session>),
}

struct Outgoing {
    bytes: Vec<u8>,
    written: usize,
}

/// What became of what was to be written.
enum Flushed {
    Whole,
    /// The rest goes out when the socket has room.
    Partly,
    /// A datagram could not go; the next one may.
    Lost(Failure),
}

/// Where the bytes come from while one socket is read: what stands in the environment's buffer, then the socket.
struct Source {
    /// A read gives one datagram, whole.
    datagrams: bool,
    start: usize,
    end: usize,
    reads: u32,
    /// The socket has nothing more for now, or others have their turn.
    exhausted: bool,
    /// The peer has closed its side: there is an end to be read.
    ended: bool,
    hungry: bool,
}

/// What reading a socket gave.
enum Step {
    /// Bytes of the incoming buffer.
    Incoming {
        size: usize,
        end_of_unit: bool,
    },
    /// Bytes of the plaintext buffer.
    Plain {
        size: usize,
        end_of_unit: bool,
    },
    /// TLS or DTLS stands.
    Secured {
        record_size: usize,
    },
    /// In a handshake over datagrams something came in for the first time.
    Answered,
    Blocked,
}

impl Driver {
    pub(super) fn new(id: u64, settings: ConnectionSettings, sink: Sink, shared: Arc<ConnectionShared>) -> Self {
        let core = Connection::new(settings.core.clone(), random::seed());
        let path = core.path();
        shared.update(core.statistics());
        shared.update_networks(core.networks());
        Self {
            id,
            core,
            settings,
            links: Vec::new(),
            to_pump: Vec::new(),
            carried: None,
            lookup: None,
            sink,
            shared,
            path,
            deadline: None,
        }
    }

    pub(super) fn shared(&self) -> &ConnectionShared {
        &self.shared
    }

    pub(super) fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    /// Hands an input to the core and does everything that follows from it.
    pub(super) fn handle(&mut self, environment: &mut Environment, input: Input<'_>) {
        self.core.handle(clock::now(), input);
        self.settle(environment);
    }

    /// Does what has become due.
    pub(super) fn settle(&mut self, environment: &mut Environment) {
        // A loop that runs late, after a sleep of the device for instance, must not take for lost what lies in the socket.
        if self.deadline.is_some_and(|deadline| deadline <= clock::now()) {
            self.to_pump.extend(self.links.iter().map(|io| io.link));
        }
        loop {
            while let Some(link) = self.to_pump.pop() {
                self.pump(environment, link);
            }
            self.drain(environment);
            if self.to_pump.is_empty() {
                break;
            }
        }
        self.publish();
    }

    /// Gives up the sockets whose address is not one of this device any more: nothing comes to them.
    pub(super) fn close_gone(&mut self, environment: &mut Environment, surroundings: &Surroundings) {
        let gone = |io: &&LinkIo| io.socket.local_address().is_some_and(|address| !surroundings.has(address.ip()));
        let gone: Vec<Link> = self.links.iter().filter(gone).map(|io| io.link).collect();
        for link in gone {
            self.handle(environment, Input::Failed(link, Status::NetworkDown.into()));
        }
    }

    /// This device is in this network now, if in any.
    pub(super) fn network_is(&mut self, environment: &mut Environment, identity: Option<u64>) {
        // What a network bears of streams says nothing about datagrams.
        let datagrams = self.has_datagrams();
        let network = identity.map(|identity| Network(if datagrams { !identity } else { identity }));
        self.handle(environment, Input::NetworkChanged(network));
    }

    /// Lets others see how it stands.
    fn publish(&mut self) {
        self.shared.update(self.core.statistics());
        let path = self.core.path();
        if path != self.path {
            self.path = path;
            self.shared.update_networks(self.core.networks());
        }
    }

    /// A socket is ready.
    pub(super) fn ready(&mut self, environment: &mut Environment, link: Link, readiness: Readiness) {
        let Some(io) = self.links.iter_mut().find(|io| io.link == link) else { return };
        if matches!(io.stage, Stage::Connecting) {
            match io.socket.connect_result() {
                Ok(true) => {
                    io.stage = Stage::Plain;
                    self.core.handle(clock::now(), Input::Connected(link));
                }
                Ok(false) => return,
                Err(failure) => self.core.handle(clock::now(), Input::Failed(link, failure)),
            }
            self.settle(environment);
        }
        // Read first: what came in counts before what has become due. A handshake may have waited for room to write.
        if let Some(io) = self.links.iter_mut().find(|io| io.link == link) {
            io.ended |= readiness.ended;
            let waits_to_write = readiness.writable && !io.unread.is_empty();
            let wanted = readiness.readable || waits_to_write || matches!(io.stage, Stage::Securing(_));
            // One that is hungry has its turn later.
            if wanted && !io.hungry {
                self.pump(environment, link);
            }
        }
        if readiness.writable {
            self.flush(link);
        }
        self.settle(environment);
    }

    /// A socket that let others go first has its turn.
    pub(super) fn feed(&mut self, environment: &mut Environment, link: Link) {
        if let Some(io) = self.links.iter_mut().find(|io| io.link == link) {
            io.hungry = false;
        }
        self.pump(environment, link);
        self.settle(environment);
    }

    /// The connection is given up after a fault of the library.
    pub(super) fn abandon(mut self, environment: &mut Environment) {
        for io in self.links.drain(..) {
            environment.tokens.remove(io.token);
        }
        for ticket in self.shared.unreported() {
            let reason = Status::Internal.into();
            (self.sink)(Event::Report(Report::Failed { ticket, reason }));
        }
        let reason = Some(Status::Internal.into());
        (self.sink)(Event::Report(Report::State { state: State::Closed, reason, next_attempt: Duration::ZERO }));
    }

    /// Turns the core's outputs into system calls and callbacks until it waits.
    fn drain(&mut self, environment: &mut Environment) {
        // The time stands still until everything is done: what a slow callback makes overdue is looked at after the sockets.
        let now = clock::now();
        loop {
            match self.core.poll_output(now) {
                Output::Wait(deadline) => {
                    self.deadline = self.links.iter().filter_map(LinkIo::deadline).chain(deadline).min();
                    return;
                }
                Output::Resolve(lookup, name, port) => self.resolve(environment, lookup, name, port),
                Output::Connect(link, address) => self.connect(environment, link, address),
                Output::Secure(link) => self.secure(link),
                Output::Write(link, bytes) => {
                    // Who has seen what is written finds it in the statistics.
                    self.publish();
                    if let Some(io) = self.links.iter_mut().find(|io| io.link == link) {
                        io.outgoing = Some(Outgoing { bytes, written: 0 });
                        self.flush(link);
                    }
                }
                Output::CloseLink(link) => self.close(environment, link),
                Output::CarryLink(link) => self.carry(environment, link),
                Output::Deliver(message) => self.tell(Event::Message(&message)),
                Output::Report(report) => self.report(report),
            }
        }
    }

    fn report(&mut self, report: Report) {
        match report {
            Report::Sent { ticket } | Report::Failed { ticket, .. } => self.shared.reported(ticket),
            Report::State { state, reason, next_attempt } => {
                if state != State::Resolving {
                    self.lookup = None;
                }
                match reason {
                    None => log::info(format_args!("connection {}: {state:?}", self.id)),
                    Some(reason) if state == State::Waiting => {
                        let (seconds, tenths) = (next_attempt.as_secs(), next_attempt.subsec_millis() / 100);
                        log::warning(format_args!(
                            "connection {}: {reason} Next attempt in {seconds}.{tenths} s.",
                            self.id
                        ));
                    }
                    Some(reason) if state == State::Connecting => {
                        log::info(format_args!("connection {}: {state:?} to the other port: {reason}", self.id));
                    }
                    Some(_) => log::info(format_args!("connection {}: {state:?}", self.id)),
                }
            }
            _ => {}
        }
        self.tell(Event::Report(report));
    }

    fn tell(&mut self, event: Event<'_>) {
        // A callback that asks for the statistics or sends sees what it is being told.
        self.publish();
        (self.sink)(event);
    }

    fn resolve(&mut self, environment: &Environment, lookup: Lookup, name: String, port: u16) {
        if let Err(failure) = memory::spare() {
            return self.core.handle(clock::now(), Input::NotResolved(lookup, failure));
        }
        log::debug(format_args!("connection {}: looking up {name}", self.id));
        let wanted = Arc::new(AtomicBool::new(true));
        let waiting = LookupWaiting { wanted: wanted.clone(), inbox: environment.inbox.clone(), id: self.id, lookup };
        self.lookup = Some(LookupWanted(wanted));
        resolver::look_up(name, port, Box::new(waiting));
    }

    fn connect(&mut self, environment: &mut Environment, link: Link, address: SocketAddr) {
        log::debug(format_args!("connection {}: connecting to {address}", self.id));
        let room = memory::spare().and_then(|()| environment.tokens.make_room());
        let socket = room.and_then(|()| match self.settings.core.transport {
            Transport::Tcp => Socket::connect_tcp(address, &self.settings.tcp),
            Transport::Udp => Socket::connect_udp(address),
        });
        let token = environment.next_token;
        let registrar = environment.reactor.registrar();
        let registered =
            socket.and_then(|socket| registrar.add(&socket, token, Interest::ReadAndWrite).map(|()| socket));
        let socket = match registered {
            Ok(socket) => socket,
            Err(failure) => return self.core.handle(clock::now(), Input::Failed(link, failure)),
        };
        environment.next_token += 1;
        environment.tokens.insert(token, (self.id, link));
        let datagrams = self.has_datagrams();
        let stage = if datagrams { Stage::Plain } else { Stage::Connecting };
        self.links.push(LinkIo {
            link,
            token,
            peer: address,
            socket,
            stage,
            answered: false,
            outgoing: None,
            unread: Vec::new(),
            write_failure: None,
            hungry: false,
            ended: false,
        });
        if datagrams {
            self.core.handle(clock::now(), Input::Connected(link));
        }
    }

    fn has_datagrams(&self) -> bool {
        self.settings.core.transport == Transport::Udp
    }

    fn secure(&mut self, link: Link) {
        let Some(io) = self.links.iter_mut().find(|io| io.link == link) else { return };
        if let Some((_, session)) = self.carried.take().filter(|(peer, _)| *peer == io.peer) {
            log::info(format_args!("connection {}: the session goes on from another address", self.id));
            let record_size = session.max_record_size();
            io.stage = Stage::Secure(session);
            return self.core.handle(clock::now(), Input::Carried(link, record_size));
        }
        let Some(config) = &self.settings.tls else {
            return self.core.handle(clock::now(), Input::Failed(link, Status::Internal.into()));
        };
        match memory::spare().and_then(|()| tls::Session::new(config, Clock::new(clock::seconds_since_1970()))) {
            Ok(session) => {
                io.stage = Stage::Securing(Box::new(session));
                self.to_pump.push(link);
            }
            Err(failure) => self.core.handle(clock::now(), Input::Failed(link, failure)),
        }
    }

    fn close(&mut self, environment: &mut Environment, link: Link) {
        let Some(mut io) = self.take_link(environment, link) else { return };
        if let Stage::Secure(session) = &mut io.stage {
            session.close(&mut Writer { socket: &io.socket, error: &mut None });
        }
    }

    fn take_link(&mut self, environment: &mut Environment, link: Link) -> Option<LinkIo> {
        let position = self.links.iter().position(|io| io.link == link)?;
        let io = self.links.swap_remove(position);
        environment.tokens.remove(io.token);
        Some(io)
    }

    fn carry(&mut self, environment: &mut Environment, link: Link) {
        // A record that was begun is lost with the socket, which the session does not know.
        let can_move = |io: &LinkIo| {
            io.link == link
                && io.outgoing.is_none()
                && matches!(&io.stage, Stage::Secure(session) if session.can_move())
        };
        if !self.links.iter().any(can_move) {
            return self.close(environment, link);
        }
        if let Some(LinkIo { peer, stage: Stage::Secure(session), .. }) = self.take_link(environment, link) {
            self.carried = Some((peer, session));
        }
    }

    /// Writes as much as the socket takes of what is to be written.
    fn flush(&mut self, link: Link) {
        let datagrams = self.has_datagrams();
        let Some(io) = self.links.iter_mut().find(|io| io.link == link) else { return };
        let now = clock::now();
        match io.flush(datagrams) {
            Ok(Flushed::Partly) => {}
            Ok(Flushed::Whole) => {
                io.outgoing = None;
                self.core.handle(now, Input::Sent(link));
            }
            Ok(Flushed::Lost(failure)) => {
                io.outgoing = None;
                self.core.handle(now, Input::NotSent(link, failure));
            }
            Err(failure) => {
                io.outgoing = None;
                io.write_failure = Some(failure);
                self.to_pump.push(link);
            }
        }
    }

    /// Goes on with TLS and reads until nothing is left, or others have their turn.
    fn pump(&mut self, environment: &mut Environment, link: Link) {
        let mut source = Source {
            datagrams: self.has_datagrams(),
            start: 0,
            end: 0,
            reads: 0,
            exhausted: false,
            ended: false,
            hungry: false,
        };
        if let Some(io) = self.links.iter_mut().find(|io| io.link == link) {
            source.end = io.unread.len();
            environment.incoming[..source.end].copy_from_slice(&io.unread);
            io.unread = Vec::new();
        }
        loop {
            let Some(io) = self.links.iter_mut().find(|io| io.link == link) else { return };
            source.ended |= io.ended;
            let step = io.step(self.id, &mut source, environment);
            let now = clock::now();
            match step {
                Ok(Step::Incoming { size, end_of_unit }) => {
                    self.core.handle(now, Input::Received(link, &environment.incoming[..size], end_of_unit));
                }
                Ok(Step::Plain { size, end_of_unit }) => {
                    self.core.handle(now, Input::Received(link, &environment.plain[..size], end_of_unit));
                }
                Ok(Step::Answered) => self.core.handle(now, Input::Answered(link)),
                Ok(Step::Secured { record_size }) => self.core.handle(now, Input::Secured(link, record_size)),
                Ok(Step::Blocked) => {
                    match memory::copied(&environment.incoming[source.start..source.end]) {
                        Ok(unread) => io.unread = unread,
                        Err(failure) => io.write_failure = io.write_failure.or(Some(failure)),
                    }
                    // One turn of reading is enough to find what the peer said before a write failed.
                    if let Some(failure) = io.write_failure {
                        self.core.handle(now, Input::Failed(link, failure));
                        self.drain(environment);
                    } else if source.hungry && !io.hungry {
                        io.hungry = true;
                        environment.hungry.push(io.token);
                    }
                    return;
                }
                Err(failure) => {
                    let only_the_end = failure.status.class() == Class::ClosedByPeer;
                    let failure = io.write_failure.filter(|_| only_the_end).unwrap_or(failure);
                    self.core.handle(now, Input::Failed(link, failure));
                }
            }
            self.drain(environment);
        }
    }
}

impl LinkIo {
    /// When its handshake is to go on though nothing came in.
    fn deadline(&self) -> Option<Duration> {
        let Stage::Securing(session) = &self.stage else { return None };
        session.time_left().map(|left| clock::now().saturating_add(left))
    }

    /// Writes as much as the socket takes.
    fn flush(&mut self, datagrams: bool) -> Result<Flushed, Failure> {
        let Some(outgoing) = &mut self.outgoing else { return Ok(Flushed::Partly) };
        loop {
            let rest = &outgoing.bytes[outgoing.written..];
            let mut error = None;
            let written = match &mut self.stage {
                Stage::Plain => match send(&self.socket, rest, &mut error) {
                    Ok(written) => written,
                    Err(_) => return Ok(Flushed::Partly),
                },
                Stage::Secure(session) => {
                    let record = &rest[..rest.len().min(session.max_record_size())];
                    match session.write(&mut Writer { socket: &self.socket, error: &mut error }, record)? {
                        tls::Progress::Done => record.len(),
                        tls::Progress::Blocked => return Ok(Flushed::Partly),
                    }
                }
                Stage::Connecting | Stage::Securing(_) => return Ok(Flushed::Partly),
            };
            match error {
                Some(error) if datagrams && error != Errno::CONNREFUSED => {
                    return Ok(Flushed::Lost(socket::broken(error)));
                }
                Some(error) => return Err(socket::broken(error)),
                None => outgoing.written += written,
            }
            if outgoing.written >= outgoing.bytes.len() {
                return Ok(Flushed::Whole);
            }
        }
    }

    fn step(&mut self, id: u64, source: &mut Source, environment: &mut Environment) -> Result<Step, Failure> {
        let Environment { incoming, plain, .. } = environment;
        if let Stage::Securing(session) = &mut self.stage {
            let mut reader = Reader { socket: &self.socket, source, incoming, error: None, write_error: None };
            let progress = session.handshake(&mut reader);
            self.write_failure = self.write_failure.or(reader.write_error.map(socket::broken));
            match progress.map_err(|failure| reader.error.map_or(failure, socket::broken))? {
                tls::Progress::Blocked if source.datagrams && source.end > 0 && !self.answered => {
                    self.answered = true;
                    return Ok(Step::Answered);
                }
                tls::Progress::Blocked => return Ok(Step::Blocked),
                tls::Progress::Done => {}
            }
            let record_size = session.max_record_size();
            log::info(format_args!("connection {id}: {}", session.agreed()));
            if let Stage::Securing(session) = std::mem::replace(&mut self.stage, Stage::Plain) {
                self.stage = Stage::Secure(session);
            }
            return Ok(Step::Secured { record_size });
        }
        match &mut self.stage {
            Stage::Secure(session) => loop {
                let mut reader = Reader { socket: &self.socket, source, incoming, error: None, write_error: None };
                let read = session.read(&mut reader, plain);
                match read.map_err(|failure| reader.error.map_or(failure, socket::broken))? {
                    // Something else than data was read.
                    tls::Read::Data { size: 0, end_of_record: false } => {}
                    tls::Read::Data { size, end_of_record } => {
                        return Ok(Step::Plain { size, end_of_unit: end_of_record });
                    }
                    tls::Read::Blocked => return Ok(Step::Blocked),
                }
            },
            Stage::Plain => match source.fill(&self.socket, incoming).map_err(socket::broken)? {
                Received::Bytes(size) => {
                    source.start = source.end;
                    Ok(Step::Incoming { size, end_of_unit: source.datagrams })
                }
                Received::End => Err(Status::ClosedByPeer.into()),
                Received::WouldBlock | Received::Cut => Ok(Step::Blocked),
            },
            Stage::Connecting | Stage::Securing(_) => Ok(Step::Blocked),
        }
    }
}

impl Source {
    /// Whether the socket is to be read once more in this turn.
    fn may_read(&mut self) -> bool {
        if self.reads >= READS_AT_ONCE {
            self.exhausted = true;
            self.hungry = true;
        }
        self.reads += 1;
        !self.exhausted
    }

    /// Reads the socket into the buffer.
    fn fill(&mut self, socket: &Socket, incoming: &mut [u8]) -> Result<Received, Errno> {
        if !self.may_read() {
            return Ok(Received::WouldBlock);
        }
        let received = if self.datagrams {
            socket.receive_datagram(incoming)?
        } else {
            socket.receive(&mut incoming[..STREAM_READ_SIZE])?
        };
        match received {
            Received::Bytes(size) => {
                (self.start, self.end) = (0, size);
                // A stream that gave less than asked for is empty, and tells of more by a new edge, but for an end already told.
                self.exhausted = !self.datagrams && size < STREAM_READ_SIZE && !self.ended;
            }
            // It cannot be: no datagram is longer than the buffer.
            Received::Cut => {}
            Received::WouldBlock | Received::End => self.exhausted = true,
        }
        Ok(received)
    }
}

/// What a session reads from and writes to.
struct Reader<'a> {
    socket: &'a Socket,
    source: &'a mut Source,
    incoming: &'a mut [u8],
    error: Option<Errno>,
    write_error: Option<Errno>,
}

impl tls::Transport for Reader<'_> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = send(self.socket, bytes, &mut self.write_error);
        if self.write_error.is_some() {
            self.source.exhausted = false;
            self.source.ended = true;
        }
        sent
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.source.start == self.source.end {
            match self.source.fill(self.socket, self.incoming) {
                Ok(Received::Bytes(_)) => {}
                Ok(Received::End) => return Ok(0),
                Ok(Received::WouldBlock | Received::Cut) => return Err(io::ErrorKind::WouldBlock.into()),
                Err(error) => {
                    self.error = Some(error);
                    return Err(error.into());
                }
            }
        }
        let waiting = &self.incoming[self.source.start..self.source.end];
        if self.source.datagrams && waiting.len() > buffer.len() {
            // Longer than the longest record, and passed over like an empty one: no part of it is taken for the whole.
            self.source.start = self.source.end;
            return Ok(0);
        }
        let size = waiting.len().min(buffer.len());
        buffer[..size].copy_from_slice(&waiting[..size]);
        self.source.start += size;
        Ok(size)
    }
}

/// What a session writes to when nothing is read.
struct Writer<'a> {
    socket: &'a Socket,
    error: &'a mut Option<Errno>,
}

impl tls::Transport for Writer<'_> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        send(self.socket, bytes, self.error)
    }

    fn receive(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// Writes what the socket takes. What it refuses counts as written and stands in `failed`: a datagram is lost, and of a stream the
/// session goes on to read, and finds what the peer said before it ended the connection.
fn send(socket: &Socket, bytes: &[u8], failed: &mut Option<Errno>) -> io::Result<usize> {
    match socket.send(bytes) {
        Ok(Some(sent)) => Ok(sent),
        Ok(None) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => {
            *failed = Some(error);
            Ok(bytes.len())
        }
    }
}

/// Says until it is dropped that a lookup is of interest.
struct LookupWanted(Arc<AtomicBool>);

impl Drop for LookupWanted {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
        resolver::given_up();
    }
}

struct LookupWaiting {
    wanted: Arc<AtomicBool>,
    inbox: Arc<Inbox>,
    id: u64,
    lookup: Lookup,
}

impl Waiting for LookupWaiting {
    fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst)
    }

    fn done(self: Box<Self>, result: Result<Vec<SocketAddr>, Failure>) {
        // A loop that has ended wants nothing any more.
        let _ = self.inbox.push(Command::Resolved { id: self.id, lookup: self.lookup, result });
    }
}
