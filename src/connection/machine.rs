//! The transitions.

use super::addresses::{Race, interleave, more_telling, prefer};
use super::backoff::{self, Backoff};
use super::endpoint::Host;
use super::networks::{Network, Networks};
use super::{Input, Link, Lookup, Output, Report, Settings, State, Statistics, Transport};
use crate::coap::framing::{self, Decoded, Decoder, Framing, Undecodable};
use crate::coap::message::{self, Type};
use crate::coap::ping::{self, RecentIds};
use crate::coap::signal::{self, Signal};
use crate::error::{Class, Failure, Status};
use crate::keepalive::adaptive::Knowledge;
use crate::keepalive::{Action, Evidence, Keepalive};
use crate::memory;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// How many answers of our own (Resets, Pongs) may wait to be written; a peer that asks for more at once gets no more.
pub(super) const MAX_ANSWERS: usize = 1024;

/// A connection that stays up.
#[derive(Debug)]
pub struct Connection {
    settings: Settings,
    random: fastrand::Rng,
    phase: Phase,
    keepalive: Keepalive,
    backoff: Backoff,
    decoder: Decoder,
    /// The message that is being written, and what it is.
    writing: Option<(Writing, Vec<u8>)>,
    /// A ping that waits to be written.
    ping: Option<(Writing, Vec<u8>)>,
    /// Answers of our own that wait to be written.
    answers: VecDeque<Vec<u8>>,
    /// Messages of the application that wait to be written.
    queue: VecDeque<(u64, Vec<u8>)>,
    /// The IDs of messages that the application sent on this link.
    recent: RecentIds,
    /// The IDs of the latest pings on this link: their answers are no business of the application, however late.
    pings: RecentIds,
    /// The longest frame that the peer or the record takes.
    frame_limit: usize,
    outputs: VecDeque<Output>,
    statistics: Statistics,
    next_number: u64,
    /// Attempts since the latest connection was lost.
    attempts_since_loss: u32,
    network: Option<Network>,
    /// This device is in no network, as far as the system told.
    networkless: bool,
    /// When a change of the network last cut a wait short.
    hurried: Option<Duration>,
    /// The network changed while this attempt ran, which may have begun in one that led nowhere.
    changed_meanwhile: bool,
    /// The port that worked last, that of this attempt, and the addresses for the other one if it has not had its turn.
    worked_port: u16,
    port: u16,
    other_port: Option<(u16, VecDeque<SocketAddr>)>,
    /// Why addresses were left at this port after they had connected.
    left_because: Option<Failure>,
    /// The peer's address of the latest link, and that of the session that was carried and has not gone on yet.
    peer: Option<SocketAddr>,
    carried: Option<SocketAddr>,
}

/// A network that comes and goes is not run after more often than this.
pub(super) const HURRY: Duration = Duration::from_secs(5);

/// Over datagrams, where only an answer tells that there is somebody, an address that says nothing has this part of the handshake's time
/// while others are left: by default 7.5 s, in which DTLS asks four times (RFC 6347 section 4.2.4.1: after 0, 1, 3 and 7 s).
const SILENCE_DIVISOR: u32 = 4;

#[derive(Debug)]
enum Phase {
    Idle,
    Resolving {
        lookup: Lookup,
        deadline: Duration,
    },
    Connecting(Race),
    /// `deadline` is earlier than `whole` as long as others are left and nothing came in.
    Handshaking {
        link: Link,
        deadline: Duration,
        whole: Duration,
        secured: bool,
        left: VecDeque<SocketAddr>,
    },
    Ready {
        link: Link,
        since: Duration,
    },
    Waiting {
        until: Duration,
    },
    Closed,
}

#[derive(Debug, Clone, Copy)]
enum Writing {
    Message { ticket: u64 },
    Ping { retransmission: bool },
    Answer,
}

impl Connection {
    /// A connection that waits for [`Input::Open`]. The same seed gives the same random numbers.
    pub fn new(settings: Settings, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        Self {
            keepalive: Keepalive::new(settings.keepalive, random.u64(..)),
            backoff: Backoff::new(settings.backoff),
            decoder: Decoder::new(settings.framing, settings.max_message_size),
            random,
            phase: Phase::Idle,
            writing: None,
            ping: None,
            answers: VecDeque::new(),
            queue: VecDeque::new(),
            recent: RecentIds::default(),
            pings: RecentIds::default(),
            frame_limit: usize::MAX,
            outputs: VecDeque::new(),
            statistics: Statistics::default(),
            next_number: 1,
            attempts_since_loss: 0,
            network: None,
            networkless: false,
            hurried: None,
            changed_meanwhile: false,
            worked_port: settings.port,
            port: settings.port,
            other_port: None,
            left_because: None,
            peer: None,
            carried: None,
            settings,
        }
    }

    /// What it has done so far.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            messages_queued: self.waiting_messages() as u64,
            keepalive_interval: self.keepalive.interval(),
            ..self.statistics
        }
    }

    /// Whether it is over: nothing will come out of it any more.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed) && self.outputs.is_empty()
    }

    /// Takes an input. Drain [`Self::poll_output`] afterwards.
    pub fn handle(&mut self, now: Duration, input: Input<'_>) {
        match input {
            Input::Open => {
                if matches!(self.phase, Phase::Idle) {
                    self.attempt(now);
                }
            }
            Input::Resolved(lookup, addresses) => self.resolved(now, lookup, Ok(addresses)),
            Input::NotResolved(lookup, failure) => self.resolved(now, lookup, Err(failure)),
            Input::Connected(link) => self.connected(now, link),
            Input::Secured(link, record_size) => self.secured(now, link, record_size),
            Input::Carried(link, record_size) => self.went_on(now, link, record_size),
            Input::Answered(link) => self.answered(link),
            Input::Failed(link, failure) => self.link_failed(now, link, failure),
            Input::Received(link, bytes, end_of_unit) => self.received(now, link, bytes, end_of_unit),
            Input::Sent(link) => self.sent(now, link),
            Input::NotSent(link, failure) => self.not_sent(now, link, failure),
            Input::Send { ticket, message } => self.send(ticket, message),
            Input::Ping => {
                self.keepalive.ping();
            }
            Input::SetKeepalive(interval) => {
                // It ends a search: what that found out stays known.
                self.settings.networks = self.networks();
                self.keepalive.set_interval(interval);
            }
            Input::NetworkChanged(network) => self.network_changed(now, network),
            Input::Close => self.close(now),
        }
    }

    /// What is known of the paths of networks by now.
    pub fn networks(&self) -> Networks {
        let mut networks = self.settings.networks.clone();
        if let (Some(network), Some(knowledge)) = (self.network, self.keepalive.knowledge()) {
            networks.set(network, knowledge);
        }
        networks
    }

    /// The network that it is in and what is known of its path: [`Self::networks`] changes only together with this, or by an input
    /// that sets it.
    pub fn path(&self) -> (Option<Network>, Option<Knowledge>) {
        (self.network, self.keepalive.knowledge())
    }

    /// The next thing to do. After [`Output::Wait`] there is nothing more until the next input or the time that it says.
    pub fn poll_output(&mut self, now: Duration) -> Output {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return output;
            }
            if !self.advance(now) {
                return Output::Wait(self.next_deadline());
            }
        }
    }

    /// The one place where the next deadline is computed.
    fn next_deadline(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Idle | Phase::Closed => None,
            Phase::Resolving { deadline, .. } | Phase::Handshaking { deadline, .. } => Some(*deadline),
            Phase::Connecting(race) => Some(race.next_deadline()),
            Phase::Ready { .. } => self.keepalive.deadline(),
            Phase::Waiting { until } => Some(*until),
        }
    }

    /// Does what is due now; false if nothing is.
    fn advance(&mut self, now: Duration) -> bool {
        match &mut self.phase {
            Phase::Idle | Phase::Closed => false,
            Phase::Resolving { deadline, .. } => {
                let overdue = now >= *deadline;
                if overdue {
                    self.fail(now, Status::NameLookupTimeout.into());
                }
                overdue
            }
            Phase::Connecting(race) => {
                if race.is_overdue(now) {
                    self.fail(now, Status::ConnectTimeout.into());
                    return true;
                }
                let link = Link(self.next_number);
                let Some(address) = race.start(now, link) else { return false };
                self.next_number += 1;
                self.outputs.push_back(Output::Connect(link, address));
                true
            }
            Phase::Handshaking { link, deadline, secured, .. } => {
                if now >= *deadline {
                    let link = *link;
                    let status = if *secured { Status::CapabilitiesTimeout } else { Status::HandshakeTimeout };
                    self.link_failed(now, link, status.into());
                    return true;
                }
                self.write_next(now)
            }
            Phase::Ready { .. } => self.keep_alive(now) || self.write_next(now),
            Phase::Waiting { until } => {
                let due = now >= *until;
                if due {
                    self.attempt(now);
                }
                due
            }
        }
    }

    // Getting ready.

    fn attempt(&mut self, now: Duration) {
        self.statistics.attempts += 1;
        self.attempts_since_loss = self.attempts_since_loss.saturating_add(1);
        self.port = self.worked_port;
        self.left_because = None;
        self.changed_meanwhile = false;
        match &self.settings.host {
            Host::Address(address) => {
                let address = SocketAddr::new(*address, self.port);
                self.connect_first(now, VecDeque::from([address]));
            }
            Host::Name(name) => {
                let name = name.clone();
                let lookup = Lookup(self.next_number);
                self.next_number += 1;
                self.phase = Phase::Resolving { lookup, deadline: now.saturating_add(self.settings.resolve_timeout) };
                self.report_state(State::Resolving);
                self.outputs.push_back(Output::Resolve(lookup, name, self.port));
            }
        }
    }

    fn resolved(&mut self, now: Duration, which: Lookup, result: Result<Vec<SocketAddr>, Failure>) {
        let Phase::Resolving { lookup, .. } = self.phase else { return };
        if lookup != which {
            return;
        }
        match result.map(interleave) {
            Err(failure) => self.fail(now, failure),
            Ok(addresses) if addresses.is_empty() => self.fail(now, Status::NameNotFound.into()),
            Ok(mut addresses) => {
                if self.settings.transport == Transport::Udp {
                    // Datagrams always "connect": after a path was lost the next attempt begins with the next address.
                    let count = addresses.len();
                    addresses.rotate_left(self.backoff.failures() as usize % count);
                    if let Some(carried) = self.carried {
                        prefer(&mut addresses, carried);
                    }
                }
                self.connect_first(now, addresses);
            }
        }
    }

    /// Connects to the port whose turn it is; the other one has its turn if that fails.
    fn connect_first(&mut self, now: Duration, addresses: VecDeque<SocketAddr>) {
        let other = match self.settings.alternative_port {
            Some(alternative) if alternative != self.port => Some(alternative),
            Some(_) => Some(self.settings.port),
            None => None,
        };
        self.other_port = other.filter(|other| *other != self.port).map(|port| (port, addresses.clone()));
        self.connect(now, addresses, None);
    }

    /// The attempt failed: the other port has its turn, if what stands in the way of this one may not stand in the way of that.
    fn try_other_port(&mut self, now: Duration, failure: Failure) -> bool {
        let port_matters = matches!(failure.status.class(), Class::Refused | Class::Filtered | Class::Intercepted)
            || matches!(failure.status, Status::NotTls | Status::CertificateUntrusted | Status::ConnectionReset);
        let is_attempt = matches!(self.phase, Phase::Connecting(_) | Phase::Handshaking { .. });
        if !is_attempt || !port_matters {
            return false;
        }
        let Some((port, mut addresses)) = self.other_port.take() else { return false };
        for address in &mut addresses {
            address.set_port(port);
        }
        self.close_links(now, Output::CloseLink);
        self.drop_writes_of_link();
        self.port = port;
        self.connect(now, addresses, Some(failure));
        true
    }

    /// `reason`: why these addresses are tried after others.
    fn connect(&mut self, now: Duration, addresses: VecDeque<SocketAddr>, reason: Option<Failure>) {
        let deadline = now.saturating_add(self.settings.connect_timeout);
        self.phase = Phase::Connecting(Race::new(addresses, now, deadline));
        self.statistics.state = State::Connecting;
        let next_attempt = Duration::ZERO;
        self.outputs.push_back(Output::Report(Report::State { state: State::Connecting, reason, next_attempt }));
    }

    fn connected(&mut self, now: Duration, link: Link) {
        let Phase::Connecting(race) = &self.phase else { return };
        if !race.is_running(link) {
            return;
        }
        let Phase::Connecting(race) = std::mem::replace(&mut self.phase, Phase::Idle) else { return };
        let (peer, losers, left) = race.win(link);
        self.peer = peer;
        self.carried = None;
        self.outputs.extend(losers.into_iter().map(Output::CloseLink));
        self.decoder = Decoder::new(self.settings.framing, self.settings.max_message_size);
        self.recent = RecentIds::default();
        self.pings = RecentIds::default();
        self.frame_limit = usize::MAX;
        let secured = !self.settings.secure;
        if secured && self.settings.framing != Framing::Rfc8323 {
            return self.ready(now, link);
        }
        let whole = now.saturating_add(self.settings.handshake_timeout);
        let deadline = if self.settings.transport == Transport::Udp && !left.is_empty() {
            now.saturating_add(self.settings.handshake_timeout / SILENCE_DIVISOR)
        } else {
            whole
        };
        self.phase = Phase::Handshaking { link, deadline, whole, secured, left };
        self.report_state(State::Handshaking);
        if secured {
            self.exchange_capabilities();
        } else {
            self.outputs.push_back(Output::Secure(link));
        }
    }

    fn secured(&mut self, now: Duration, which: Link, record_size: usize) {
        let Phase::Handshaking { link, secured, .. } = &mut self.phase else { return };
        if *link != which || *secured {
            return;
        }
        *secured = true;
        let link = *link;
        if self.settings.framing == Framing::Rfc8323 {
            return self.exchange_capabilities();
        }
        if self.settings.framing == Framing::Record {
            self.frame_limit = record_size;
        }
        self.ready(now, link);
    }

    /// There is somebody at this address: it may take its time.
    fn answered(&mut self, which: Link) {
        if let Phase::Handshaking { link, deadline, whole, .. } = &mut self.phase {
            if *link == which {
                *deadline = *whole;
            }
        }
    }

    /// The session is used from another address of this device. Whether the peer still knows it, only an answer tells.
    fn went_on(&mut self, now: Duration, link: Link, record_size: usize) {
        self.secured(now, link, record_size);
        if matches!(self.phase, Phase::Ready { link: ready, .. } if ready == link) {
            self.keepalive.ping();
        }
    }

    /// RFC 8323 section 5.3: a CSM is the first message that each side sends.
    fn exchange_capabilities(&mut self) {
        self.frame_limit = signal::BASE_MAX_MESSAGE_SIZE;
        let limit = u32::try_from(self.settings.max_message_size).unwrap_or(u32::MAX);
        self.answers.push_back(signal::capabilities(limit));
    }

    fn ready(&mut self, now: Duration, link: Link) {
        self.phase = Phase::Ready { link, since: now };
        self.left_because = None;
        self.statistics.connections += 1;
        self.keepalive.restart(now, self.attempts_since_loss == 1);
        self.worked_port = self.port;
        self.report_state(State::Ready);
    }

    // Writing.

    fn send(&mut self, ticket: u64, message: Vec<u8>) {
        let refused = match self.phase {
            Phase::Closed => Some(Status::Closed),
            Phase::Waiting { .. } if !self.settings.keep_queued => Some(Status::NotConnected),
            _ if self.waiting_messages() >= self.settings.queue_limit => Some(Status::QueueFull),
            _ => None,
        };
        match refused {
            Some(status) => self.report_failed(ticket, status.into()),
            None if memory::refusable(|| self.queue.try_reserve(1)).is_err() => {
                self.report_failed(ticket, memory::out_of_memory());
            }
            None => self.queue.push_back((ticket, message)),
        }
    }

    /// How many messages of the application are not reported yet.
    fn waiting_messages(&self) -> usize {
        self.queue.len() + usize::from(matches!(self.writing, Some((Writing::Message { .. }, _))))
    }

    /// Hands the next frame to the driver, if there is one and none is on its way; false if not.
    fn write_next(&mut self, now: Duration) -> bool {
        let (link, ready) = match self.phase {
            Phase::Ready { link, .. } => (link, true),
            Phase::Handshaking { link, .. } => (link, false),
            _ => return false,
        };
        if self.writing.is_some() {
            return false;
        }
        let (writing, message) = if let Some(ping) = self.ping.take_if(|_| ready) {
            ping
        } else if let Some(answer) = self.answers.pop_front() {
            (Writing::Answer, answer)
        } else if !ready || self.queue.is_empty() {
            return false;
        } else if self.keepalive.must_prove_first(now) {
            // A search for the path's timer must not cost a message.
            return self.keepalive.ping();
        } else if let Some((ticket, message)) = self.queue.pop_front() {
            (Writing::Message { ticket }, message)
        } else {
            return false;
        };
        let Some(frame) = framing::encode(self.settings.framing, &message) else {
            // It was checked when it was taken.
            match writing {
                Writing::Message { ticket } => self.report_failed(ticket, memory::out_of_memory()),
                Writing::Ping { .. } | Writing::Answer => self.fail_link(now, memory::out_of_memory()),
            }
            return true;
        };
        if let Writing::Message { ticket } = writing {
            // Only the application's messages are bound by it: the library's own are shorter than any limit with a meaning.
            if frame.len() > self.frame_limit {
                self.report_failed(ticket, Status::MessageTooLarge.into());
                return true;
            }
            if let Ok(header) = message::check(&message) {
                self.recent.note_message(&header);
            }
        }
        self.writing = Some((writing, message));
        self.outputs.push_back(Output::Write(link, frame));
        true
    }

    fn sent(&mut self, now: Duration, which: Link) {
        if self.link() != Some(which) {
            return;
        }
        let Some((writing, _)) = self.writing.take() else { return };
        self.keepalive.on_sent(now);
        match writing {
            Writing::Message { ticket } => {
                self.statistics.messages_sent += 1;
                self.outputs.push_back(Output::Report(Report::Sent { ticket }));
            }
            Writing::Ping { retransmission } => {
                self.keepalive.on_ping_written(now);
                if !retransmission {
                    self.statistics.pings_sent += 1;
                    self.outputs.push_back(Output::Report(Report::PingSent));
                }
            }
            Writing::Answer => {}
        }
    }

    fn not_sent(&mut self, now: Duration, which: Link, failure: Failure) {
        if self.link() != Some(which) {
            return;
        }
        match self.writing.take().map(|(writing, _)| writing) {
            Some(Writing::Message { ticket }) => self.report_failed(ticket, failure),
            // A send that fails counts as a failed ping.
            Some(Writing::Ping { .. }) => self.fail_link(now, failure),
            Some(Writing::Answer) | None => {}
        }
    }

    // Keepalive.

    /// Does what the keepalive says; false if it has nothing to do now.
    fn keep_alive(&mut self, now: Duration) -> bool {
        match self.keepalive.poll(now).0 {
            Action::Wait => false,
            Action::SendPing { message_id, retransmission } => {
                let message = if self.settings.framing == Framing::Rfc8323 {
                    signal::ping(&message_id.to_be_bytes())
                } else {
                    self.pings.note(message_id);
                    ping::encode(message_id).to_vec()
                };
                self.ping = Some((Writing::Ping { retransmission }, message));
                true
            }
            Action::PathDead => {
                let reason = Status::PathSilent.into();
                self.report_ping_lost(reason);
                self.fail(now, reason);
                true
            }
        }
    }

    // Receiving.

    fn received(&mut self, now: Duration, which: Link, mut bytes: &[u8], end_of_unit: bool) {
        if matches!(self.phase, Phase::Handshaking { secured: false, .. }) {
            // Before TLS stands nobody has proven who they are.
            return;
        }
        while self.link() == Some(which) {
            match self.decoder.decode(&mut bytes, end_of_unit) {
                Ok(None) => return,
                Ok(Some(Decoded::Message(message))) => {
                    if self.settings.framing == Framing::Rfc8323 {
                        self.rfc8323_message(now, message);
                    } else {
                        self.rfc7252_message(now, message);
                    }
                }
                Ok(Some(Decoded::Oversize(size))) => {
                    self.statistics.oversize_dropped += 1;
                    self.outputs.push_back(Output::Report(Report::Dropped { size }));
                }
                Err(Undecodable::Broken) => self.abort(now, Status::ProtocolViolation.into(), None),
                // As if the network had lost it.
                Err(Undecodable::NoMemory) if self.settings.transport == Transport::Udp => return,
                Err(Undecodable::NoMemory) => self.fail_link(now, memory::out_of_memory()),
            }
            if bytes.is_empty() {
                return;
            }
        }
    }

    fn rfc7252_message(&mut self, now: Duration, message: Vec<u8>) {
        let header = match message::check(&message) {
            Ok(header) => header,
            Err(_) => {
                self.statistics.format_errors += 1;
                // RFC 7252 section 4.2: "rejecting a Confirmable message is effected by sending a matching Reset message".
                if let Some((Type::Confirmable, message_id)) = message::peek(&message) {
                    self.answer(ping::reset(message_id).to_vec());
                }
                return;
            }
        };
        if header.kind == Type::Confirmable && header.is_empty() {
            self.keepalive.on_received(now, Evidence::Traffic);
            if self.answer(ping::reset(header.message_id).to_vec()) {
                self.statistics.peer_pings_answered += 1;
            }
            return;
        }
        if self.keepalive.unanswered().is_some_and(|message_id| ping::matches(&message, message_id)) {
            return self.ping_answered(now);
        }
        if header.is_answer() && header.is_empty() && self.pings.contains(header.message_id) {
            self.keepalive.on_received(now, Evidence::Traffic);
            return;
        }
        let proof = !header.is_answer() || self.recent.contains(header.message_id);
        self.keepalive.on_received(now, if proof { Evidence::Traffic } else { Evidence::None });
        self.deliver(message);
    }

    fn rfc8323_message(&mut self, now: Duration, message: Vec<u8>) {
        let handshaking = matches!(self.phase, Phase::Handshaking { .. });
        let code = message[1];
        if code == 0 && !handshaking {
            // RFC 8323 section 3.4: Empty messages "MUST be ignored by the recipient", but the path carried them.
            self.keepalive.on_received(now, Evidence::Traffic);
            return;
        }
        if message::check_with_signals(&message).is_err() {
            self.statistics.format_errors += 1;
            if handshaking {
                self.abort(now, Status::ProtocolViolation.into(), None);
            }
            return;
        }
        if code >> 5 == 7 {
            return match signal::read(&message) {
                Some(signal) => self.signal(now, signal),
                None => self.statistics.format_errors += 1,
            };
        }
        if handshaking {
            // RFC 8323 section 5.3: the first message has to be a CSM.
            return self.abort(now, Status::ProtocolViolation.into(), None);
        }
        self.keepalive.on_received(now, Evidence::Traffic);
        self.deliver(message);
    }

    fn signal(&mut self, now: Duration, signal: Signal) {
        match (&self.phase, signal) {
            (_, Signal::Abort) => self.fail(now, Status::Aborted.into()),
            (_, Signal::BadOption { number, capabilities }) => {
                self.abort(now, Status::ProtocolViolation.into(), capabilities.then_some(number));
            }
            (phase, Signal::Capabilities { max_message_size }) => {
                if let Some(size) = max_message_size {
                    self.frame_limit = usize::try_from(size).unwrap_or(usize::MAX);
                }
                if let Phase::Handshaking { link, .. } = *phase {
                    return self.ready(now, link);
                }
                self.keepalive.on_received(now, Evidence::Traffic);
            }
            (Phase::Handshaking { .. }, _) => self.abort(now, Status::ProtocolViolation.into(), None),
            (_, Signal::Ping { token }) => {
                self.keepalive.on_received(now, Evidence::Traffic);
                if self.answer(signal::pong(&token)) {
                    self.statistics.peer_pings_answered += 1;
                }
            }
            (_, Signal::Pong { token }) => {
                // libcoap's Pong leaves the token out; one with another token answers nothing that was asked.
                let ours = self.keepalive.unanswered().map(u16::to_be_bytes);
                if ours.is_some_and(|ours| token.is_empty() || token == ours) {
                    self.ping_answered(now);
                }
            }
            (_, Signal::Release { hold_off_s }) => {
                let hold_off = Duration::from_secs(hold_off_s.unwrap_or(0).into());
                self.fail_and_stay_away(now, Status::Released.into(), hold_off);
            }
            (_, Signal::Unknown) => {
                self.keepalive.on_received(now, Evidence::Traffic);
            }
        }
    }

    fn ping_answered(&mut self, now: Duration) {
        if let Some(round_trip) = self.keepalive.on_received(now, Evidence::Answer) {
            self.statistics.pings_answered += 1;
            self.statistics.round_trip = round_trip;
            self.outputs.push_back(Output::Report(Report::PingAnswered { round_trip }));
        }
    }

    /// False if too many answers wait already.
    fn answer(&mut self, message: Vec<u8>) -> bool {
        let room = self.answers.len() < MAX_ANSWERS;
        if room {
            self.answers.push_back(message);
        }
        room
    }

    fn deliver(&mut self, message: Vec<u8>) {
        self.statistics.messages_received += 1;
        self.outputs.push_back(Output::Deliver(message));
    }

    // Ending.

    /// The link that is being agreed or is ready.
    fn link(&self) -> Option<Link> {
        match self.phase {
            Phase::Handshaking { link, .. } | Phase::Ready { link, .. } => Some(link),
            _ => None,
        }
    }

    fn link_failed(&mut self, now: Duration, which: Link, failure: Failure) {
        match &mut self.phase {
            Phase::Connecting(race) if race.is_running(which) => {
                self.outputs.push_back(Output::CloseLink(which));
                if let Some(failure) = race.fail(now, which, failure) {
                    self.fail(now, failure);
                }
            }
            Phase::Handshaking { link, left, .. } if *link == which && !left.is_empty() => {
                // RFC 8305 looks at TCP only; an address whose TLS fails must not hide one whose TLS works.
                let left = std::mem::take(left);
                self.left_because = Some(more_telling(self.left_because, failure));
                self.outputs.push_back(Output::CloseLink(which));
                self.drop_writes_of_link();
                self.connect(now, left, None);
            }
            Phase::Handshaking { link, .. } | Phase::Ready { link, .. } if *link == which => {
                self.fail_link(now, failure)
            }
            _ => {}
        }
    }

    /// Ends the link with an Abort where the framing has one (RFC 8323 section 5.6).
    fn abort(&mut self, now: Duration, failure: Failure, bad_option: Option<u16>) {
        if let (Framing::Rfc8323, Some(link), None) = (self.settings.framing, self.link(), &self.writing) {
            let frame = framing::encode(self.settings.framing, &signal::abort(bad_option));
            self.outputs.extend(frame.map(|frame| Output::Write(link, frame)));
        }
        self.fail_link(now, failure);
    }

    fn fail_link(&mut self, now: Duration, failure: Failure) {
        if self.keepalive.on_send_failed(now) {
            self.report_ping_lost(failure);
        } else if matches!(self.phase, Phase::Ready { .. }) {
            self.keepalive.on_broken(now);
        }
        self.fail(now, failure);
    }

    fn fail(&mut self, now: Duration, failure: Failure) {
        // What the last address says, such as one of a family that this device has no route for, must not hide what stood in the way.
        let failure = more_telling(self.left_because.take(), failure);
        if !self.try_other_port(now, failure) {
            self.fail_and_stay_away(now, failure, Duration::ZERO);
        }
    }

    fn network_changed(&mut self, now: Duration, network: Option<Network>) {
        self.networkless = network.is_none();
        self.changed_meanwhile = true;
        // It may have changed under the connection: better to know, and soon.
        if matches!(self.phase, Phase::Ready { .. }) {
            self.keepalive.shake(now);
        }
        if let Some(other) = network.filter(|network| self.network != Some(*network)) {
            self.settings.networks = self.networks();
            self.network = Some(other);
            self.keepalive.set_knowledge(self.settings.networks.get(other));
        }
        let Phase::Waiting { until: planned } = self.phase else { return };
        // Without a network there is nothing to try, and the next one would be kept waiting for it.
        if network.is_none() {
            return;
        }
        let until = self.hurry(now, planned);
        self.phase = Phase::Waiting { until };
    }

    /// When the next attempt is to be after a change of the network, where it was planned for this time.
    fn hurry(&mut self, now: Duration, planned: Duration) -> Duration {
        let earliest = self.hurried.map_or(now, |hurried| now.max(hurried.saturating_add(HURRY)));
        if earliest < planned {
            self.hurried = Some(earliest);
        }
        earliest.min(planned)
    }

    /// The attempt or the connection is over; the next attempt comes after the backoff, and not before `hold_off` is over.
    fn fail_and_stay_away(&mut self, now: Duration, failure: Failure, hold_off: Duration) {
        // What waited for the proof of a path that was tried out waits for the next one.
        let proving = self.keepalive.was_proving();
        let network_down = failure.status.class() == Class::NetworkDown;
        let is_ready = matches!(self.phase, Phase::Ready { .. });
        if is_ready && matches!(failure.status, Status::Released | Status::Aborted) {
            // It came through the path: a ping that is outstanding is not lost, and the silence before was borne.
            self.keepalive.on_received(now, Evidence::Traffic);
        }
        // The peer still has the session, and can tell by the Connection ID that it is this device which comes from elsewhere.
        let carry = network_down && is_ready && self.settings.secure && self.settings.transport == Transport::Udp;
        if carry {
            self.carried = self.peer;
        }
        // One that was lost on the way counts: else who moves in and out of range would be run after each time.
        let found_no_network = match &self.phase {
            Phase::Resolving { .. } => failure.status == Status::NameLookupFailed,
            Phase::Connecting(race) => network_down && race.is_young(now),
            _ => false,
        };
        let established = self.close_links(now, if carry { Output::CarryLink } else { Output::CloseLink });
        if established {
            self.attempts_since_loss = 0;
            if self.keepalive.is_shaken() || network_down {
                self.keepalive.acquit_path();
            }
        } else if found_no_network {
            // The change was not the whole of it: an address comes before its route. What follows is waited for, not run after.
            self.hurried = None;
        }
        self.settle_messages(failure, proving);
        let peer_closed = established && failure.status.class() == Class::ClosedByPeer;
        let hold_off = hold_off.min(self.settings.backoff.cap);
        let mut wait = self.backoff.next(peer_closed, &mut self.random).max(hold_off);
        let died_of_change = if established {
            self.keepalive.is_shaken() && failure.status == Status::PathSilent
        } else {
            self.changed_meanwhile
        };
        if died_of_change && !self.networkless {
            wait = self.hurry(now, now.saturating_add(wait)) - now;
        }
        self.phase = Phase::Waiting { until: now.saturating_add(wait) };
        self.statistics.state = State::Waiting;
        self.outputs.push_back(Output::Report(Report::State {
            state: State::Waiting,
            reason: Some(failure),
            next_attempt: wait,
        }));
    }

    fn close(&mut self, now: Duration) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        self.settings.keep_queued = false;
        self.close_links(now, Output::CloseLink);
        let failure = Status::Closed.into();
        self.settle_messages(failure, false);
        self.phase = Phase::Closed;
        self.statistics.state = State::Closed;
        self.outputs.push_back(Output::Report(Report::State {
            state: State::Closed,
            reason: Some(failure),
            next_attempt: Duration::ZERO,
        }));
    }

    /// Closes what is open, a link that is ready by `end`. True if the connection was ready.
    fn close_links(&mut self, now: Duration, end: fn(Link) -> Output) -> bool {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Connecting(race) => self.outputs.extend(race.links().map(Output::CloseLink)),
            Phase::Handshaking { link, .. } => self.outputs.push_back(Output::CloseLink(link)),
            Phase::Ready { link, since } => {
                self.outputs.push_back(end(link));
                if now.saturating_sub(since) >= backoff::STABLE {
                    self.backoff.reset();
                }
                return true;
            }
            Phase::Idle | Phase::Resolving { .. } | Phase::Waiting { .. } | Phase::Closed => {}
        }
        false
    }

    /// Each message that waits is kept for the next connection or reported as failed.
    fn settle_messages(&mut self, failure: Failure, keep: bool) {
        self.drop_writes_of_link();
        if !self.settings.keep_queued && !keep {
            for (ticket, _) in std::mem::take(&mut self.queue) {
                self.report_failed(ticket, failure);
            }
        }
    }

    /// What was written in part never arrives as a message: the application's goes back to the front of the queue.
    fn drop_writes_of_link(&mut self) {
        if let Some((Writing::Message { ticket }, message)) = self.writing.take() {
            self.queue.push_front((ticket, message));
        }
        self.ping = None;
        self.answers.clear();
    }

    // Reporting.

    fn report_state(&mut self, state: State) {
        self.statistics.state = state;
        self.outputs.push_back(Output::Report(Report::State { state, reason: None, next_attempt: Duration::ZERO }));
    }

    fn report_failed(&mut self, ticket: u64, reason: Failure) {
        self.statistics.messages_failed += 1;
        self.outputs.push_back(Output::Report(Report::Failed { ticket, reason }));
    }

    fn report_ping_lost(&mut self, reason: Failure) {
        self.statistics.pings_lost += 1;
        self.outputs.push_back(Output::Report(Report::PingLost { reason }));
    }
}
