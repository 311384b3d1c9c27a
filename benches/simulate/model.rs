//! Devices with the real core in virtual time: what their paths and their server do to them.
//!
//! One device at a time lives its whole life, as no device is in another one's way: the server takes as many connections as come.

use mbed_cloud_connectivity::coap::framing::{Framing, MAX_RECORD_SIZE};
use mbed_cloud_connectivity::connection::endpoint::Host;
use mbed_cloud_connectivity::connection::networks::Networks;
use mbed_cloud_connectivity::connection::{
    Connection, Input, Link, Lookup, Output, Report, Settings, State, Transport, backoff,
};
use mbed_cloud_connectivity::error::Status;
use mbed_cloud_connectivity::keepalive::{self, Answer, adaptive};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

/// The round-trip time of each exchange is random between these.
const ROUND_TRIP_MS: Range<u64> = 50..500;
/// Of so many packets one is lost beyond the NAT, each way.
const LOST_ONE_OF: u64 = 100;
/// TCP, and DTLS in the handshake, send again what was not answered after these times (RFC 6298: 1 s, then twice as long each time).
const SENT_AGAIN_S: [u64; 5] = [0, 1, 3, 7, 15];
/// Round trips of a full handshake: TLS 1.2, and DTLS 1.2 with its cookie.
const TLS_ROUND_TRIPS: u32 = 2;
const DTLS_ROUND_TRIPS: u32 = 3;
/// The devices of a fleet begin within this time.
const BEGIN_WITHIN_S: u64 = 600;

/// What becomes of the packets of a flow that the path has forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// Nothing comes back.
    Drop,
    /// The device gets a reset.
    Reset,
    /// A datagram makes a new mapping.
    New,
}

/// One kind of path.
#[derive(Debug, Clone)]
pub struct Path {
    pub share: u32,
    pub transport: Transport,
    pub timer_s: (u64, u64),
    pub afterwards: Afterwards,
    pub source: String,
}

impl Path {
    pub fn name(&self) -> String {
        let transport = if self.transport == Transport::Tcp { "TCP" } else { "UDP" };
        match self.timer_s {
            (low, high) if low == high => format!("{transport} {low} s"),
            (low, high) => format!("{transport} {low}–{high} s"),
        }
    }
}

/// Reads a file of paths; its format is explained in `benches/fleets/default.txt`.
pub fn read_paths(text: &str) -> Result<Vec<Path>, String> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| read_path(line).ok_or_else(|| format!("this is no path: {line}"))).collect()
}

fn read_path(line: &str) -> Option<Path> {
    let mut words = line.splitn(5, ' ');
    let share = words.next()?.parse().ok()?;
    let transport = match words.next()? {
        "udp" => Transport::Udp,
        "tcp" => Transport::Tcp,
        _ => return None,
    };
    let timer = words.next()?;
    let (low, high) = timer.split_once('-').unwrap_or((timer, timer));
    let timer_s = (low.parse().ok()?, high.parse().ok()?);
    let afterwards = match (transport, words.next()?) {
        (Transport::Tcp, "drop") => Afterwards::Drop,
        (Transport::Tcp, "reset") => Afterwards::Reset,
        (Transport::Udp, "new") => Afterwards::New,
        _ => return None,
    };
    let source = words.next()?.to_string();
    (timer_s.0 > 0 && timer_s.0 <= timer_s.1).then_some(Path { share, transport, timer_s, afterwards, source })
}

/// How the devices of a fleet keep their paths open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    Fixed(u64),
    Adaptive,
}

impl Strategy {
    pub const ALL: [Self; 4] = [Self::Fixed(540), Self::Fixed(240), Self::Fixed(60), Self::Adaptive];

    pub fn name(self) -> String {
        match self {
            Self::Fixed(seconds) => format!("fixed {seconds} s"),
            Self::Adaptive => "adaptive".into(),
        }
    }

    fn keepalive(self, transport: Transport) -> keepalive::Settings {
        let (answer, floor) = match transport {
            Transport::Tcp => (Answer::Within(Duration::from_secs(30)), Duration::from_secs(60)),
            Transport::Udp => (Answer::Retransmitted, keepalive::DATAGRAM_INTERVAL),
        };
        let (interval, adaptive) = match self {
            Self::Fixed(seconds) => (Duration::from_secs(seconds), None),
            Self::Adaptive => {
                let ceiling = Duration::from_secs(3600);
                (floor, Some(adaptive::Bounds { floor, ceiling, step_percent: 150, margin_percent: 5 }))
            }
        };
        keepalive::Settings { interval: Some(interval), jitter_percent: 10, answer, adaptive }
    }
}

/// What happens to all devices at once.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// How long it goes on.
    pub end: Duration,
    /// When the server resets all connections and forgets all sessions, and until when it takes no new ones.
    pub restart: Range<Duration>,
    /// When no packet gets through.
    pub outage: Range<Duration>,
}

impl Timeline {
    /// A restart after a third of the time, an outage of 10 minutes after two thirds.
    pub fn new(end: Duration, server_away: Duration) -> Self {
        let (restart, outage) = (end / 3, end / 3 * 2);
        Self { end, restart: restart..restart + server_away, outage: outage..outage + Duration::from_secs(600) }
    }
}

/// What became of the devices on one kind of path.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    pub devices: u64,
    pub lived: Duration,
    pub reachable: Duration,
    pub pings: u64,
    pub connections: u64,
    pub attempts: u64,
}

impl Totals {
    pub fn add(&mut self, other: &Self) {
        self.devices += other.devices;
        self.lived += other.lived;
        self.reachable += other.reachable;
        self.pings += other.pings;
        self.connections += other.connections;
        self.attempts += other.attempts;
    }

    /// The share of time in which a message of the server would have arrived.
    pub fn reachability(&self) -> f64 {
        self.reachable.as_secs_f64() / self.lived.as_secs_f64()
    }

    pub fn days(&self) -> f64 {
        self.lived.as_secs_f64() / 86_400.0
    }

    pub fn pings_a_day(&self) -> f64 {
        self.pings as f64 / self.days()
    }
}

/// What became of a fleet.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// One for each kind of path.
    pub totals: Vec<Totals>,
    /// How many connections the server took in each second.
    pub taken: Vec<u32>,
}

impl Outcome {
    pub fn sum(&self, paths: &[Path], which: impl Fn(&Path) -> bool) -> Totals {
        let mut sum = Totals::default();
        for (_, totals) in paths.iter().zip(&self.totals).filter(|(path, _)| which(path)) {
            sum.add(totals);
        }
        sum
    }

    /// The most connections in a second of those `within_s` after a moment.
    pub fn peak(&self, after: Duration, within_s: usize) -> u32 {
        let begin = after.as_secs() as usize;
        self.taken[begin..begin + within_s].iter().copied().max().unwrap_or(0)
    }
}

/// Lets a fleet live, on all processors. The same seed gives the same outcome, on any number of them.
pub fn run(paths: &[Path], strategy: Strategy, devices: u64, timeline: &Timeline, seed: u64) -> Outcome {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let parts: Vec<Outcome> = std::thread::scope(|scope| {
        let part =
            |first| move || run_part(paths, strategy, (first..devices).step_by(threads as usize), timeline, seed);
        let running: Vec<_> = (0..threads).map(|first| scope.spawn(part(first))).collect();
        running.into_iter().map(|part| part.join().expect("a part of the fleet failed")).collect()
    });
    let mut outcome = empty(paths, timeline);
    for part in parts {
        for (sum, totals) in outcome.totals.iter_mut().zip(&part.totals) {
            sum.add(totals);
        }
        for (sum, taken) in outcome.taken.iter_mut().zip(&part.taken) {
            *sum += taken;
        }
    }
    outcome
}

fn empty(paths: &[Path], timeline: &Timeline) -> Outcome {
    Outcome { totals: vec![Totals::default(); paths.len()], taken: vec![0; timeline.end.as_secs() as usize + 1] }
}

fn run_part(
    paths: &[Path],
    strategy: Strategy,
    numbers: impl Iterator<Item = u64>,
    timeline: &Timeline,
    seed: u64,
) -> Outcome {
    let mut outcome = empty(paths, timeline);
    let shares: u64 = paths.iter().map(|path| u64::from(path.share)).sum();
    for number in numbers {
        let mut place = number % shares;
        let mut kinds = paths.iter().enumerate();
        let (kind, path) = loop {
            let (kind, path) = kinds.next().expect("a share too many");
            match place.checked_sub(u64::from(path.share)) {
                Some(left) => place = left,
                None => break (kind, path),
            }
        };
        // The seeds of neighbours must not give similar numbers.
        let mut random = fastrand::Rng::with_seed(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let device = Device::new(path, strategy, timeline, &mut outcome.taken, random.fork());
        outcome.totals[kind].add(&device.live());
    }
    outcome
}

fn settings(transport: Transport, keepalive: keepalive::Settings) -> Settings {
    Settings {
        host: Host::Name("fleet.example".into()),
        port: 5684,
        alternative_port: None,
        transport,
        secure: true,
        framing: if transport == Transport::Udp { Framing::Datagram } else { Framing::Record },
        keepalive,
        networks: Networks::default(),
        queue_limit: 64,
        keep_queued: false,
        max_message_size: 65_535,
        backoff: backoff::Settings {
            base: Duration::from_secs(2),
            cap: Duration::from_secs(14_400),
            peer_closed: Duration::from_secs(30),
        },
        resolve_timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(15),
        handshake_timeout: Duration::from_secs(30),
    }
}

/// What the network does later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Resolved(Lookup),
    Connected(Link),
    Secured(Link),
    Failed(Link, Status),
    Answer(Link, [u8; 2]),
    Restart,
}

/// The latest socket of a device, from its path's view and the server's.
#[derive(Debug)]
struct Flow {
    link: Link,
    /// When the path forgets it.
    mapped_until: Duration,
    /// Since when both sides stand; none: the device is not ready.
    ready: Option<Duration>,
    /// Since when the server has the session and the address that leads to the device.
    known: Option<Duration>,
}

struct Device<'a> {
    transport: Transport,
    afterwards: Afterwards,
    timer: Duration,
    timeline: &'a Timeline,
    taken: &'a mut [u32],
    random: fastrand::Rng,
    connection: Connection,
    begin: Duration,
    now: Duration,
    deadline: Option<Duration>,
    events: Vec<(Duration, Event)>,
    flow: Option<Flow>,
    counted_until: Duration,
    reachable: Duration,
}

impl<'a> Device<'a> {
    fn new(
        path: &Path,
        strategy: Strategy,
        timeline: &'a Timeline,
        taken: &'a mut [u32],
        mut random: fastrand::Rng,
    ) -> Self {
        let timer = Duration::from_secs(random.u64(path.timer_s.0..=path.timer_s.1));
        let begin = Duration::from_millis(random.u64(0..BEGIN_WITHIN_S * 1000));
        let keepalive = strategy.keepalive(path.transport);
        let connection = Connection::new(settings(path.transport, keepalive), random.u64(..));
        Self {
            transport: path.transport,
            afterwards: path.afterwards,
            timer,
            timeline,
            taken,
            random,
            connection,
            begin,
            now: begin,
            deadline: None,
            events: vec![(timeline.restart.start, Event::Restart)],
            flow: None,
            counted_until: begin,
            reachable: Duration::ZERO,
        }
    }

    fn live(mut self) -> Totals {
        self.input(Input::Open);
        loop {
            let event = (0..self.events.len()).min_by_key(|index| self.events[*index].0);
            let event = event.filter(|index| self.deadline.is_none_or(|deadline| self.events[*index].0 <= deadline));
            let next = event.map(|index| self.events[index].0).or(self.deadline);
            let Some(next) = next.filter(|next| *next < self.timeline.end) else { break };
            self.now = next;
            match event {
                Some(index) => {
                    let (_, event) = self.events.swap_remove(index);
                    self.happen(event);
                }
                None => self.drain(),
            }
        }
        self.count(self.timeline.end);
        let statistics = self.connection.statistics();
        Totals {
            devices: 1,
            lived: self.timeline.end - self.begin,
            reachable: self.reachable,
            pings: statistics.pings_sent,
            connections: statistics.connections,
            attempts: statistics.attempts,
        }
    }

    fn input(&mut self, input: Input<'_>) {
        self.connection.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.connection.poll_output(self.now) {
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return;
                }
                Output::Resolve(lookup, _, _) => {
                    if let Some(at) = self.exchange(self.now) {
                        self.events.push((at, Event::Resolved(lookup)));
                    }
                }
                Output::Connect(link, _) => self.connect(link),
                Output::Secure(link) => self.secure(link),
                Output::Write(link, bytes) => {
                    // The library's own buffers take it; what is written in these lives are pings, as nothing else happens.
                    assert!(bytes.len() == 4 && bytes[..2] == [0x40, 0], "no ping: {bytes:?}");
                    self.connection.handle(self.now, Input::Sent(link));
                    match self.transport {
                        Transport::Tcp => self.carry_segment(link, [bytes[2], bytes[3]]),
                        Transport::Udp => self.carry_datagram(link, [bytes[2], bytes[3]]),
                    }
                }
                Output::CloseLink(link) | Output::CarryLink(link) => {
                    if self.flow.as_ref().is_some_and(|flow| flow.link == link) {
                        self.count(self.now);
                        self.flow = None;
                    }
                }
                Output::Report(Report::State { state: State::Ready, .. }) => {
                    self.count(self.now);
                    let (now, timer) = (self.now, self.timer);
                    let flow = self.flow.as_mut().expect("ready without a link");
                    (flow.ready, flow.known, flow.mapped_until) = (Some(now), Some(now), now + timer);
                }
                Output::Report(_) => {}
                Output::Deliver(message) => panic!("a message from nowhere: {message:?}"),
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Resolved(lookup) => {
                let address = SocketAddr::from(([192, 0, 2, 1], 5684));
                self.input(Input::Resolved(lookup, vec![address]));
            }
            Event::Connected(link) => {
                if self.transport == Transport::Tcp {
                    self.taken[self.now.as_secs() as usize] += 1;
                }
                self.input(Input::Connected(link));
            }
            Event::Secured(link) => self.input(Input::Secured(link, MAX_RECORD_SIZE)),
            Event::Failed(link, status) => self.input(Input::Failed(link, status.into())),
            Event::Answer(link, message_id) => {
                let (now, timer) = (self.now, self.timer);
                if let (Transport::Tcp, Some(flow)) = (self.transport, self.flow.as_mut()) {
                    if flow.link == link && flow.mapped_until > now {
                        // The path carries the answer, and the device's acknowledgement of it.
                        flow.mapped_until = now + timer;
                    }
                }
                self.input(Input::Received(link, &[0x70, 0, message_id[0], message_id[1]], true));
            }
            Event::Restart => self.restart(),
        }
    }

    /// Adds up how long the device was reachable until now.
    fn count(&mut self, until: Duration) {
        let begin = std::mem::replace(&mut self.counted_until, until);
        let Some(Flow { mapped_until, ready: Some(_), known: Some(known), .. }) = self.flow else { return };
        let (begin, until) = (begin.max(known), until.min(mapped_until));
        if begin < until {
            let outage = &self.timeline.outage;
            let lost = until.min(outage.end).saturating_sub(begin.max(outage.start));
            self.reachable += until - begin - lost;
        }
    }

    // The network.

    fn is_out(&self, at: Duration) -> bool {
        self.timeline.outage.contains(&at)
    }

    fn round_trip(&mut self) -> Duration {
        Duration::from_millis(self.random.u64(ROUND_TRIP_MS))
    }

    fn is_lost(&mut self) -> bool {
        self.random.u64(0..LOST_ONE_OF) == 0
    }

    /// When the answer is there to what is sent now, and again as long as it is not answered.
    fn exchange(&mut self, begin: Duration) -> Option<Duration> {
        SENT_AGAIN_S.into_iter().find_map(|after| {
            let at = begin + Duration::from_secs(after);
            let answered = at + self.round_trip();
            let lost = self.is_out(at) || self.is_out(answered) || self.is_lost() || self.is_lost();
            (!lost).then_some(answered)
        })
    }

    fn connect(&mut self, link: Link) {
        self.count(self.now);
        self.flow = Some(Flow { link, mapped_until: self.now + self.timer, ready: None, known: None });
        if self.transport == Transport::Udp {
            self.events.push((self.now, Event::Connected(link)));
        } else if let Some(at) = self.exchange(self.now) {
            let refused = self.timeline.restart.contains(&at);
            let event = if refused { Event::Failed(link, Status::ConnectionRefused) } else { Event::Connected(link) };
            self.events.push((at, event));
        }
    }

    fn secure(&mut self, link: Link) {
        let trips = if self.transport == Transport::Udp { DTLS_ROUND_TRIPS } else { TLS_ROUND_TRIPS };
        let first = self.exchange(self.now).filter(|first| !self.timeline.restart.contains(first));
        if let (Transport::Udp, Some(first)) = (self.transport, first) {
            if let Some(taken) = self.taken.get_mut(first.as_secs() as usize) {
                *taken += 1;
            }
        }
        let done = (1..trips).try_fold(first, |at, _| Some(self.exchange(at?)));
        if let Some(done) = done.flatten() {
            self.events.push((done, Event::Secured(link)));
        }
    }

    /// The server has forgotten the session that this flow had: its process began anew in the meantime.
    fn is_forgotten(&self, ready: Duration, at: Duration) -> bool {
        let restart = self.timeline.restart.start;
        ready <= restart && restart <= at
    }

    /// A ping over TCP, which sends it again until it is acknowledged.
    fn carry_segment(&mut self, link: Link, message_id: [u8; 2]) {
        self.count(self.now);
        let Some(Flow { ready: Some(ready), mut mapped_until, .. }) = self.flow else { return };
        for after in SENT_AGAIN_S {
            let at = self.now + Duration::from_secs(after);
            let round_trip = self.round_trip();
            if self.is_out(at) {
                continue;
            }
            let answered = at + round_trip;
            if mapped_until <= at {
                if self.afterwards == Afterwards::Reset {
                    self.events.push((answered, Event::Failed(link, Status::ConnectionReset)));
                }
                break;
            }
            mapped_until = at + self.timer;
            if self.is_lost() || self.is_lost() || self.is_out(answered) {
                continue;
            }
            let forgotten = self.is_forgotten(ready, at + round_trip / 2);
            let reset = Event::Failed(link, Status::ConnectionReset);
            self.events.push((answered, if forgotten { reset } else { Event::Answer(link, message_id) }));
            break;
        }
        if let Some(flow) = &mut self.flow {
            flow.mapped_until = mapped_until;
        }
    }

    /// A ping in a datagram. The session has a Connection ID: the server knows it at any address.
    fn carry_datagram(&mut self, link: Link, message_id: [u8; 2]) {
        self.count(self.now);
        let (now, timer, round_trip) = (self.now, self.timer, self.round_trip());
        let arrived = now + round_trip / 2;
        let (lost, answer_lost) = (self.is_lost(), self.is_lost());
        if self.is_out(now) {
            return;
        }
        let Some(ready) = self.flow.as_ref().and_then(|flow| flow.ready) else { return };
        let known = !lost && !self.is_out(arrived) && !self.is_forgotten(ready, arrived);
        let Some(flow) = &mut self.flow else { return };
        if flow.mapped_until <= now {
            // A new mapping, of which the server knows nothing yet.
            flow.known = None;
        }
        flow.mapped_until = now + timer;
        if known {
            flow.known = flow.known.or(Some(arrived));
            if !answer_lost && !self.is_out(now + round_trip) {
                self.events.push((now + round_trip, Event::Answer(link, message_id)));
            }
        }
    }

    /// The server begins anew: of the sessions that it had, it tells TCP connections by a reset, where the path still leads there.
    fn restart(&mut self) {
        self.count(self.now);
        let (now, reset_at) = (self.now, self.now + self.round_trip() / 2);
        let lost = self.is_lost();
        let Some(flow) = &mut self.flow else { return };
        flow.known = None;
        let link = flow.link;
        self.events.retain(|(_, event)| !matches!(event, Event::Secured(_) | Event::Answer(..)));
        if self.transport == Transport::Tcp && flow.mapped_until > now && !lost {
            let connecting = self.events.iter().any(|(_, event)| *event == Event::Connected(link));
            if !connecting {
                self.events.push((reset_at, Event::Failed(link, Status::ConnectionReset)));
            }
        }
    }
}
