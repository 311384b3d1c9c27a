//! What the contract (`docs/keepalive.md`) promises, watched from outside at every step of a history.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

/// RFC 7252 section 4.8.2: MAX_TRANSMIT_WAIT, the longest that a ping over datagrams waits for its answer.
const RETRANSMISSION_SPAN: Duration = Duration::from_secs(93);
/// An attempt tries at most so many addresses, 16 at each of two ports.
const MOST_CONNECTS: u32 = 2 * 16;
/// A connection that was ready for so long begins the backoff anew.
const STABLE: Duration = seconds(60);
/// Changes of the network are run after once in this time.
const HURRY: Duration = seconds(5);

/// What was seen so far.
#[derive(Debug)]
pub struct Rules {
    settings: Settings,
    state: Option<State>,
    /// Since when: ready, waiting, or trying.
    since: Duration,
    /// When the latest message came through that proves the path, and the longest interval in force since then.
    heard: Duration,
    interval: Option<Duration>,
    /// When the network last changed.
    shaken: Option<Duration>,
    networkless: bool,
    /// When this attempt, and the connecting of its latest addresses, began.
    attempted: Duration,
    connecting: Duration,
    /// The failures in a row, by the contract, and whether the peer closed the connection with which they began.
    failures: u32,
    in_a_crowd: bool,
    /// When the next attempt is due, and when one last came sooner.
    due: Duration,
    hurried: Option<Duration>,
    /// Waits as a part of their range, for each number of failures before.
    pub waits: Vec<(u32, f64)>,
    pub handed_over: BTreeSet<u64>,
    reports: BTreeMap<u64, u32>,
    /// What the core was woken for by its own deadlines, what it was told, and what came out of it.
    pub wake_ups: u64,
    pub inputs: u64,
    pub outputs: u64,
    /// All reasons for which it waited.
    pub reasons: Vec<Status>,
    pub attempts: u64,
    /// Lookups, connects and handshakes begun.
    stages: u64,
}

impl Rules {
    pub fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
            state: None,
            since: Duration::ZERO,
            heard: Duration::ZERO,
            interval: settings.keepalive.interval,
            shaken: None,
            networkless: false,
            attempted: Duration::ZERO,
            connecting: Duration::ZERO,
            failures: 0,
            in_a_crowd: false,
            due: Duration::MAX,
            hurried: None,
            waits: Vec::new(),
            handed_over: BTreeSet::new(),
            reports: BTreeMap::new(),
            wake_ups: 0,
            inputs: 0,
            outputs: 0,
            reasons: Vec::new(),
            attempts: 0,
            stages: 0,
        }
    }

    /// A message came through that proves the path.
    pub fn hear(&mut self, now: Duration) {
        self.heard = now;
        self.interval = None;
    }

    /// The network changed.
    pub fn shake(&mut self, now: Duration, networkless: bool) {
        self.shaken = Some(now);
        self.networkless = networkless;
    }

    /// The core says that it has nothing to do before its deadline.
    pub fn rest(&mut self, now: Duration, bench: &Bench) {
        assert!(bench.deadline.is_none_or(|deadline| deadline > now), "it wants to be woken at once, for ever");
        self.look(now, bench);
    }

    /// Looks at the core from outside.
    pub fn look(&mut self, now: Duration, bench: &Bench) {
        let interval = bench.connection.statistics().keepalive_interval;
        self.interval = self.interval.max(interval);
        let patience = match self.settings.keepalive.answer {
            Answer::Within(timeout) => timeout,
            Answer::Retransmitted => RETRANSMISSION_SPAN,
        };
        match self.state {
            Some(State::Ready) => {
                let Some(interval) = self.interval else { return };
                // The path died after this message at the earliest.
                let silence = now - self.heard;
                assert!(
                    silence <= interval + patience,
                    "a silence of {silence:?} and not seen: {interval:?} {patience:?}"
                );
            }
            Some(State::Waiting) => assert!(now <= self.due, "no attempt when it was due"),
            Some(State::Resolving | State::Connecting | State::Handshaking) => {
                let Settings { resolve_timeout, connect_timeout, handshake_timeout, .. } = &self.settings;
                let longest = *resolve_timeout + (*connect_timeout + *handshake_timeout) * MOST_CONNECTS;
                assert!(now - self.since <= longest, "an attempt without an end");
            }
            Some(State::Closed) | None => {}
        }
    }

    /// The longest that a dead path goes unseen from now on.
    pub fn longest_silence(&self) -> Duration {
        self.interval.unwrap_or_default() + RETRANSMISSION_SPAN
    }

    /// Takes an output.
    pub fn output(&mut self, now: Duration, output: &Output) {
        self.outputs += 1;
        self.stages += u64::from(matches!(output, Output::Resolve(..) | Output::Connect(..) | Output::Secure(_)));
        match output {
            Output::Resolve(..) => assert_eq!(self.state, Some(State::Resolving)),
            Output::Report(Report::Sent { ticket } | Report::Failed { ticket, .. }) => {
                *self.reports.entry(*ticket).or_default() += 1;
            }
            Output::Report(Report::State { state, reason, next_attempt }) => {
                self.state_is(now, *state, reason.map(|reason| reason.status), *next_attempt);
            }
            _ => {}
        }
    }

    fn state_is(&mut self, now: Duration, state: State, reason: Option<Status>, next_attempt: Duration) {
        let before = self.state.replace(state);
        if state == State::Connecting {
            self.connecting = now;
        }
        match state {
            State::Waiting => {
                let reason = reason.expect("it waits without a reason");
                self.reasons.push(reason);
                self.wait(now, before, reason, next_attempt);
            }
            State::Ready => (self.since, self.heard, self.interval) = (now, now, None),
            State::Resolving | State::Connecting if matches!(before, None | Some(State::Waiting)) => {
                let named = matches!(self.settings.host, Host::Name(_));
                assert_eq!(state == State::Resolving, named, "each attempt looks its name up anew");
                self.since = now;
                self.attempted = now;
                self.attempts += 1;
                if before.is_some() && now < self.due {
                    let earliest = self.hurried.map_or(Duration::ZERO, |hurried| hurried + HURRY);
                    assert!(now >= earliest, "changes of the network are run after");
                    self.hurried = Some(now);
                }
            }
            State::Resolving | State::Connecting | State::Handshaking | State::Closed => {}
        }
    }

    fn wait(&mut self, now: Duration, before: Option<State>, reason: Status, wait: Duration) {
        let was_ready = before == Some(State::Ready);
        let backoff::Settings { base, cap, peer_closed } = self.settings.backoff;
        if was_ready && now - self.since >= STABLE {
            (self.failures, self.in_a_crowd) = (0, false);
        }
        self.in_a_crowd |= was_ready && self.failures == 0 && reason.class() == Class::ClosedByPeer;
        let doubled = base.saturating_mul(2u32.saturating_pow(self.failures));
        let range = match (self.in_a_crowd, self.failures) {
            (false, _) => doubled,
            (true, 0) => peer_closed,
            (true, _) => doubled.max(peer_closed),
        };
        let range = range.min(cap);
        let shaken = was_ready && self.shaken.is_some_and(|shaken| shaken > self.heard);
        assert!(wait <= range, "a wait of {wait:?} after {} failures, {reason:?}", self.failures);
        let found_no_network = match reason {
            Status::NameLookupFailed => true,
            // The addresses are tried 250 ms apart (RFC 8305 section 5): this one's socket said so at once.
            Status::NetworkDown => before == Some(State::Connecting) && now - self.connecting < addresses::STAGGER,
            _ => false,
        };
        if found_no_network {
            self.hurried = None;
        }
        let changed_meanwhile = !was_ready && self.shaken.is_some_and(|shaken| shaken > self.attempted);
        if !self.networkless && (changed_meanwhile || (shaken && reason == Status::PathSilent)) {
            let earliest = self.hurried.map_or(now, |hurried| now.max(hurried + HURRY));
            assert!(now + wait <= earliest, "what died of a change of the network is made anew at once");
            // It was cut short, and says nothing about its range.
            if now + wait == earliest {
                self.hurried = Some(earliest);
            }
        } else {
            self.waits.push((self.failures, wait.as_secs_f64() / range.as_secs_f64()));
        }
        if was_ready && reason == Status::PathSilent && self.settings.keepalive.adaptive.is_none() {
            let patience = match self.settings.keepalive.answer {
                // RFC 6298 section 2: TCP repeats what is lost within 1 s.
                Answer::Within(timeout) if shaken => seconds(2).min(timeout),
                Answer::Within(timeout) => timeout,
                // RFC 7252 section 4.2: 2 s, doubled four times.
                Answer::Retransmitted => seconds(62),
            };
            assert!(now - self.heard >= patience, "taken for dead {:?} after a message", now - self.heard);
        }
        self.failures += 1;
        self.due = now + wait;
        self.since = now;
    }

    /// The core works only for a reason: a wake-up is for a ping, one of its retransmissions or its end, or for a stage of an attempt;
    /// an output for a wake-up or an input, at most all that waits in the queue.
    pub fn assert_bounded_work(&self, bench: &Bench) {
        let pings = bench.connection.statistics().pings_sent;
        assert!(self.wake_ups <= 6 * (pings + self.attempts) + self.stages, "{self:?}");
        assert!(self.outputs <= (4 + self.settings.queue_limit as u64) * (self.wake_ups + self.inputs), "{self:?}");
    }

    /// Each message handed over has had one report by now; gives those.
    pub fn settle(&mut self) -> BTreeSet<u64> {
        let reported: BTreeSet<u64> = self.reports.keys().copied().collect();
        assert_eq!(reported, self.handed_over);
        assert!(self.reports.values().all(|count| *count == 1), "{:?}", self.reports);
        reported
    }
}
