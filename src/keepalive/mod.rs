//! When to ping, and when a path is dead. No I/O and no clock: the caller says what time it is, as a [`Duration`] since any fixed
//! moment, and asks what to do.
//!
//! A ping is due one interval after the last message sent or the last one received, whichever was earlier: sending keeps a NAT's
//! mapping, only receiving proves the path.

pub mod adaptive;
mod retransmission;

use adaptive::{Adaptive, Bounds, Knowledge};
use retransmission::Retransmission;
use std::time::Duration;

/// The largest interval in seconds: it has to fit 32 bits in milliseconds.
pub const MAXIMUM_INTERVAL_S: u32 = 4_294_967;
/// The shortest interval over datagrams in seconds (RFC 8085 section 3.5: not more often than every 15 seconds).
pub const MINIMUM_DATAGRAM_INTERVAL_S: u32 = 15;
/// The interval over datagrams unless set: below the 30 s after which common NATs forget.
pub const DATAGRAM_INTERVAL: Duration = Duration::from_secs(25);

/// The answer to a ping that tries out a longer silence is awaited for so many of the longest round trips, but not for less than this
/// part of the time that answers have: a loss is likely, and until it is noticed the device cannot be reached.
const TRIAL_ROUND_TRIPS: u32 = 4;
const TRIAL_DIVISOR: u32 = 6;
/// Where the network changed under a reliable transport, a ping has this long at least: TCP repeats what is lost after 1 s, or earlier
/// (RFC 6298 section 2).
const SHAKEN_PATIENCE: Duration = Duration::from_secs(2);

/// How a keepalive works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The time without traffic after which a ping is due; none: no pings but those asked for.
    pub interval: Option<Duration>,
    /// By how much at most an interval is shortened at random, in percent.
    pub jitter_percent: u32,
    /// How the answer is awaited.
    pub answer: Answer,
    /// Within what the interval is looked for, in place of the one above; none: it is fixed.
    pub adaptive: Option<Bounds>,
}

/// How the answer to a ping is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The transport repeats what is lost: one ping, and this long for its answer.
    Within(Duration),
    /// The transport does not: the ping is retransmitted as RFC 7252 section 4.2 has it.
    Retransmitted,
}

/// What a message that came in proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// It answers the ping.
    Answer,
    /// It is valid and not the ping's answer.
    Traffic,
    /// Nothing: it is malformed, or answers what was never sent.
    None,
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing until the time beside it.
    Wait,
    /// Send the ping with this message ID.
    SendPing {
        /// The message ID.
        message_id: u16,
        /// Whether it went out before.
        retransmission: bool,
    },
    /// Nothing came back in time: the path is dead until [`Keepalive::restart`].
    PathDead,
}

/// The keepalive of one path.
#[derive(Debug)]
pub struct Keepalive {
    settings: Settings,
    adaptive: Option<Adaptive>,
    random: fastrand::Rng,
    now: Option<Duration>,
    last_sent: Duration,
    last_received: Duration,
    /// By how many millionths this interval is shortened; drawn anew for each ping.
    shortened: u64,
    ping: Ping,
    /// The latest ping whose answer has not come, and when it went out last.
    unanswered: Option<(u16, Duration)>,
    /// The longest round trip of this path.
    round_trip: Option<Duration>,
    /// The network changed, and nothing has come in since that proves the path: how long an answer over a reliable transport has now.
    shaken: Option<Duration>,
    next_message_id: u16,
}

#[derive(Debug)]
enum Ping {
    /// None is awaited.
    Idle,
    /// One was asked for.
    Asked,
    /// One went out, or is on its way, and nothing has come in since.
    Outstanding { deadline: Duration, retransmission: Option<Retransmission>, silence: Duration },
    /// One was lost.
    Lost { silence: Duration },
}

impl Keepalive {
    /// A keepalive whose time begins with the first call that says what time it is. The same seed gives the same random numbers.
    pub fn new(settings: Settings, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let next_message_id = random.u16(..);
        let mut keepalive = Self {
            settings,
            adaptive: settings.adaptive.map(|bounds| Adaptive::new(bounds, None)),
            random,
            now: None,
            last_sent: Duration::ZERO,
            last_received: Duration::ZERO,
            shortened: 0,
            ping: Ping::Idle,
            unanswered: None,
            round_trip: None,
            shaken: None,
            next_message_id,
        };
        keepalive.draw();
        keepalive
    }

    /// A new connection stands: nothing is outstanding, and the interval begins now. `at_once`: at the first attempt after the earlier
    /// one was lost.
    pub fn restart(&mut self, now: Duration, at_once: bool) {
        let now = self.at(now);
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.on_connected(at_once);
        }
        self.last_sent = now;
        self.last_received = now;
        self.ping = Ping::Idle;
        self.unanswered = None;
        self.shaken = None;
        self.draw();
    }

    /// A message was sent.
    pub fn on_sent(&mut self, now: Duration) {
        self.last_sent = self.at(now);
    }

    /// A message came in. Gives the round-trip time if it answered the ping.
    pub fn on_received(&mut self, now: Duration, evidence: Evidence) -> Option<Duration> {
        let now = self.at(now);
        if evidence == Evidence::None || matches!(self.ping, Ping::Lost { .. }) {
            return None;
        }
        self.shaken = None;
        let borne = match self.ping {
            // Any valid message that comes in while a ping is outstanding proves the path; its answer may still come, for its time.
            Ping::Outstanding { silence, .. } => {
                self.ping = Ping::Idle;
                self.draw();
                // A peer that answers to any address of ours proves nothing about the one that it had.
                (self.settings.answer != Answer::Retransmitted).then_some(silence)
            }
            _ => Some(self.silence(now)),
        };
        if let (Some(adaptive), Some(borne)) = (&mut self.adaptive, borne) {
            adaptive.on_borne(borne);
        }
        self.last_received = now;
        let (_, sent) = self.unanswered.take_if(|_| evidence == Evidence::Answer)?;
        let round_trip = now.saturating_sub(sent);
        self.round_trip = self.round_trip.max(Some(round_trip));
        Some(round_trip)
    }

    /// The ping that [`Self::poll`] gave went to the transport only now.
    pub fn on_ping_written(&mut self, now: Duration) {
        let now = self.at(now);
        if let Some((_, sent)) = &mut self.unanswered {
            *sent = now;
        }
    }

    /// The ping could not be sent: it counts as lost. False if none is outstanding.
    pub fn on_send_failed(&mut self, now: Duration) -> bool {
        self.at(now);
        let Ping::Outstanding { silence, .. } = self.ping else { return false };
        self.lose(silence);
        true
    }

    /// The connection broke. Where nothing had gone either way for longer than the path is known to bear, that may be why.
    pub fn on_broken(&mut self, now: Duration) {
        let now = self.at(now);
        let silence = self.silence(now);
        if let (Some(adaptive), Ping::Idle) = (&mut self.adaptive, &self.ping) {
            if silence > adaptive.safe() {
                adaptive.on_lost(silence);
            }
        }
    }

    /// The device's own network was what failed: the path is not to blame.
    pub fn acquit_path(&mut self) {
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.acquit();
        }
    }

    /// Whether the path has been silent for longer than it is known to bear, so that a message would go nowhere without a word: a
    /// ping has to be answered first.
    pub fn must_prove_first(&self, now: Duration) -> bool {
        let Some(adaptive) = &self.adaptive else { return false };
        match self.ping {
            _ if self.settings.answer == Answer::Retransmitted => false,
            Ping::Outstanding { silence, .. } => silence > adaptive.safe(),
            Ping::Idle | Ping::Asked => self.silence(self.now.unwrap_or(now).max(now)) > adaptive.safe(),
            Ping::Lost { .. } => false,
        }
    }

    /// Whether the latest ping was to prove a longer silence than the path is known to bear, and its answer has not come.
    pub fn was_proving(&self) -> bool {
        match (&self.ping, &self.adaptive) {
            (Ping::Outstanding { silence, .. } | Ping::Lost { silence }, Some(adaptive)) => *silence > adaptive.safe(),
            _ => false,
        }
    }

    /// What is known of the path, where the interval is looked for.
    pub fn knowledge(&self) -> Option<Knowledge> {
        self.adaptive.as_ref().map(Adaptive::knowledge)
    }

    /// The path is another one, of which this is known.
    pub fn set_knowledge(&mut self, knowledge: Option<Knowledge>) {
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.start_over(knowledge);
        }
        self.round_trip = None;
    }

    fn lose(&mut self, silence: Duration) {
        self.ping = Ping::Lost { silence };
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.on_lost(silence);
        }
    }

    /// How long nothing has gone either way.
    fn silence(&self, now: Duration) -> Duration {
        now.saturating_sub(self.last_sent.max(self.last_received))
    }

    /// Asks for a ping now. One that is outstanding counts for it: then, and where the path is dead, this is false.
    pub fn ping(&mut self) -> bool {
        let idle = matches!(self.ping, Ping::Idle);
        if idle {
            self.ping = Ping::Asked;
        }
        idle
    }

    /// The network changed under the path: asks for a ping now, whose answer has less time than others where the transport is
    /// reliable. Call it before [`Self::set_knowledge`], which forgets how long answers take.
    pub fn shake(&mut self, now: Duration) {
        let now = self.at(now);
        let usual = self.round_trip.unwrap_or_default().saturating_mul(TRIAL_ROUND_TRIPS);
        let patience = usual.max(SHAKEN_PATIENCE);
        self.shaken = Some(patience);
        if let (Ping::Outstanding { deadline, .. }, Answer::Within(_)) = (&mut self.ping, self.settings.answer) {
            *deadline = (*deadline).min(now.saturating_add(patience));
        }
        self.ping();
    }

    /// Whether the network changed and nothing has come in since that proves the path.
    pub fn is_shaken(&self) -> bool {
        self.shaken.is_some()
    }

    /// Changes the interval, which is fixed from then on; it counts from the latest traffic.
    pub fn set_interval(&mut self, interval: Option<Duration>) {
        self.settings.interval = interval;
        self.adaptive = None;
    }

    /// The interval in force; none: no pings.
    pub fn interval(&self) -> Option<Duration> {
        match &self.adaptive {
            // Where answers prove nothing there is nothing to look for.
            Some(adaptive) if self.settings.answer == Answer::Retransmitted => Some(adaptive.safe()),
            Some(adaptive) => Some(adaptive.interval()),
            None => self.settings.interval,
        }
    }

    /// The message ID of the latest ping, as long as its answer has not come.
    pub fn unanswered(&self) -> Option<u16> {
        self.unanswered.map(|(message_id, _)| message_id)
    }

    /// What is due, and when to ask again if nothing else happens before; no time: never.
    pub fn poll(&mut self, now: Duration) -> (Action, Option<Duration>) {
        let now = self.at(now);
        let action = self.act(now);
        (action, self.deadline())
    }

    /// When something is due if nothing happens before.
    pub fn deadline(&self) -> Option<Duration> {
        match &self.ping {
            Ping::Idle => self.ping_due(),
            Ping::Asked => self.now,
            Ping::Outstanding { deadline, retransmission, .. } => {
                Some(retransmission.as_ref().and_then(Retransmission::due).unwrap_or(*deadline))
            }
            Ping::Lost { .. } => None,
        }
    }

    fn act(&mut self, now: Duration) -> Action {
        let due = self.ping_due();
        match &mut self.ping {
            Ping::Idle if due.is_none_or(|due| now < due) => Action::Wait,
            Ping::Idle | Ping::Asked => self.send(now),
            Ping::Outstanding { deadline, silence, .. } if now >= *deadline => {
                let silence = *silence;
                self.lose(silence);
                Action::PathDead
            }
            Ping::Outstanding { retransmission, .. } => {
                let due = retransmission.as_mut().is_some_and(|retransmission| retransmission.take(now));
                match &mut self.unanswered {
                    Some((message_id, sent)) if due => {
                        *sent = now;
                        self.last_sent = now;
                        Action::SendPing { message_id: *message_id, retransmission: true }
                    }
                    _ => Action::Wait,
                }
            }
            Ping::Lost { .. } => Action::PathDead,
        }
    }

    fn send(&mut self, now: Duration) -> Action {
        let silence = self.silence(now);
        let message_id = self.next_message_id;
        self.next_message_id = self.next_message_id.wrapping_add(1);
        let (deadline, retransmission) = match self.settings.answer {
            Answer::Within(timeout) => (now.saturating_add(self.patience(timeout, silence)), None),
            Answer::Retransmitted => {
                let retransmission = Retransmission::new(now, self.random.f64());
                (retransmission.end(), Some(retransmission))
            }
        };
        self.ping = Ping::Outstanding { deadline, retransmission, silence };
        self.unanswered = Some((message_id, now));
        self.last_sent = now;
        Action::SendPing { message_id, retransmission: false }
    }

    /// How long the answer to a ping after this silence is awaited.
    fn patience(&self, timeout: Duration, silence: Duration) -> Duration {
        if let Some(patience) = self.shaken {
            return patience.min(timeout);
        }
        match (&self.adaptive, self.round_trip) {
            (Some(adaptive), Some(round_trip)) if silence > adaptive.safe() => {
                round_trip.saturating_mul(TRIAL_ROUND_TRIPS).max(timeout / TRIAL_DIVISOR).min(timeout)
            }
            _ => timeout,
        }
    }

    fn ping_due(&self) -> Option<Duration> {
        let interval = self.interval()?;
        self.now?;
        // A silence that is tried out is tried out in full.
        let searching = self.adaptive.as_ref().is_some_and(Adaptive::is_searching);
        let millionths = 1_000_000 - if searching { 0 } else { self.shortened };
        let shortened =
            u64::try_from(interval.as_micros()).unwrap_or(u64::MAX / 1_000_000) as u128 * u128::from(millionths);
        let shortened = Duration::from_micros(u64::try_from(shortened / 1_000_000).unwrap_or(u64::MAX));
        Some(self.last_sent.min(self.last_received).saturating_add(shortened))
    }

    fn draw(&mut self) {
        self.shortened = self.random.u64(0..=u64::from(self.settings.jitter_percent) * 10_000);
    }

    /// The time, which never goes back. The first one is where everything begins.
    fn at(&mut self, now: Duration) -> Duration {
        let latest = match self.now {
            Some(before) => before.max(now),
            None => {
                self.last_sent = now;
                self.last_received = now;
                now
            }
        };
        self.now = Some(latest);
        latest
    }
}

#[cfg(test)]
mod tests;
