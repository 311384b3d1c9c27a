//! The state machine in virtual time: here driven by hand, in the files beside by a virtual network.

mod adaptive;
mod bad_peers;
mod histories;
mod network;
mod rules;

use super::*;
use crate::coap::{framing, ping, signal};
use crate::error::{Class, Status};
use crate::keepalive::Answer;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn settings(framing: Framing) -> Settings {
    Settings {
        host: Host::Address([127, 0, 0, 1].into()),
        port: 5684,
        alternative_port: None,
        transport: if framing == Framing::Datagram { Transport::Udp } else { Transport::Tcp },
        secure: framing == Framing::Record,
        framing,
        keepalive: keepalive::Settings {
            interval: Some(seconds(540)),
            jitter_percent: 0,
            answer: if framing == Framing::Datagram { Answer::Retransmitted } else { Answer::Within(seconds(30)) },
            adaptive: None,
        },
        networks: Networks::default(),
        queue_limit: 4,
        keep_queued: false,
        max_message_size: 65_535,
        backoff: backoff::Settings { base: seconds(2), cap: seconds(14_400), peer_closed: seconds(30) },
        resolve_timeout: seconds(10),
        connect_timeout: seconds(15),
        handshake_timeout: seconds(30),
    }
}

/// Within what an adaptive keepalive looks.
const BOUNDS: keepalive::adaptive::Bounds =
    keepalive::adaptive::Bounds { floor: seconds(60), ceiling: seconds(3600), step_percent: 150, margin_percent: 5 };

/// A connection, and what came out of it since it was last asked.
struct Bench {
    connection: Connection,
    now: Duration,
    outputs: Vec<Output>,
    deadline: Option<Duration>,
}

impl Bench {
    fn new(settings: Settings) -> Self {
        Self::seeded(settings, 7)
    }

    fn seeded(settings: Settings, seed: u64) -> Self {
        let connection = Connection::new(settings, seed);
        let mut bench = Self { connection, now: seconds(1000), outputs: Vec::new(), deadline: None };
        bench.input(Input::Open);
        bench
    }

    /// A connection that is ready on a link.
    fn ready(settings: Settings) -> (Self, Link) {
        let (secure, rfc8323) = (settings.secure, settings.framing == Framing::Rfc8323);
        let mut bench = Self::new(settings);
        let link = bench.link();
        bench.input(Input::Connected(link));
        if secure {
            bench.input(Input::Secured(link, framing::MAX_RECORD_SIZE));
        }
        if rfc8323 {
            bench.input(Input::Sent(link));
            bench.receive(link, &framing::encode(Framing::Rfc8323, &signal::capabilities(8_000_000)).unwrap());
        }
        assert!(bench.reports().contains(&state(State::Ready)), "{:?}", bench.outputs);
        bench.outputs.clear();
        (bench, link)
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
                output => self.outputs.push(output),
            }
        }
    }

    /// Lets the time pass until the connection wants to be asked.
    fn wait(&mut self) {
        self.now = self.deadline.expect("it waits for nothing");
        self.drain();
    }

    fn receive(&mut self, link: Link, bytes: &[u8]) {
        self.input(Input::Received(link, bytes, true));
    }

    fn send(&mut self, ticket: u64, message: &[u8]) {
        self.input(Input::Send { ticket, message: message.to_vec() });
    }

    /// The link of the latest connect.
    fn link(&self) -> Link {
        let connects = self.outputs.iter().filter_map(|output| match output {
            Output::Connect(link, _) => Some(*link),
            _ => None,
        });
        connects.max().expect("no connect")
    }

    fn written(&mut self) -> Vec<Vec<u8>> {
        let writes = self.outputs.iter().filter_map(|output| match output {
            Output::Write(_, bytes) => Some(bytes.clone()),
            _ => None,
        });
        writes.collect()
    }

    fn reports(&self) -> Vec<Report> {
        let reports = self.outputs.iter().filter_map(|output| match output {
            Output::Report(report) => Some(*report),
            _ => None,
        });
        reports.collect()
    }

    fn delivered(&self) -> Vec<Vec<u8>> {
        let messages = self.outputs.iter().filter_map(|output| match output {
            Output::Deliver(message) => Some(message.clone()),
            _ => None,
        });
        messages.collect()
    }

    fn take(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// Why it waits, and how long.
    fn waiting(&self) -> (Failure, Duration) {
        match self.reports().last() {
            Some(Report::State { state: State::Waiting, reason: Some(reason), next_attempt }) => {
                (*reason, *next_attempt)
            }
            other => panic!("it does not wait: {other:?}"),
        }
    }
}

fn state(state: State) -> Report {
    Report::State { state, reason: None, next_attempt: Duration::ZERO }
}

fn request(message_id: u8) -> Vec<u8> {
    vec![0x40, 0x01, 0x00, message_id]
}

const RESPONSE: [u8; 4] = [0x50, 0x45, 0x77, 0x77];

#[test]
fn a_connection_goes_through_its_states_to_ready() {
    let mut settings = settings(Framing::Record);
    settings.host = Host::Name("device.example".into());
    let mut bench = Bench::new(settings);
    let [Output::Report(report), Output::Resolve(lookup, name, 5684)] = &bench.take()[..] else { panic!() };
    assert_eq!((*report, name.as_str()), (state(State::Resolving), "device.example"));
    let address = SocketAddr::from(([10, 0, 0, 1], 5684));
    bench.input(Input::Resolved(*lookup, vec![address]));
    let link = bench.link();
    assert_eq!(bench.take(), [Output::Report(state(State::Connecting)), Output::Connect(link, address)]);
    bench.input(Input::Connected(link));
    assert_eq!(bench.take(), [Output::Report(state(State::Handshaking)), Output::Secure(link)]);
    bench.input(Input::Secured(link, 16_384));
    assert_eq!(bench.take(), [Output::Report(state(State::Ready))]);
    assert_eq!(bench.deadline, Some(bench.now + seconds(540)));
    assert_eq!(bench.connection.statistics().connections, 1);
}

#[test]
fn an_idle_connection_wakes_once_an_interval_and_once_for_each_answer() {
    let (mut bench, link) = Bench::ready(settings(Framing::Record));
    let begin = bench.now;
    let mut wake_ups = 0;
    while bench.now < begin + seconds(540 * 100) {
        bench.wait();
        wake_ups += 1;
        let ping = bench.written().pop().expect("a wake-up without a ping");
        bench.input(Input::Sent(link));
        bench.take();
        bench.receive(link, &ping::reset(u16::from_be_bytes([ping[2], ping[3]])));
        assert!(matches!(bench.reports()[..], [Report::PingAnswered { .. }]));
    }
    assert_eq!(wake_ups, 100);
}

#[test]
fn nothing_is_taken_from_a_peer_before_tls_stands() {
    let mut bench = Bench::new(settings(Framing::Record));
    let link = bench.link();
    bench.input(Input::Connected(link));
    bench.outputs.clear();
    bench.receive(link, &[0x50, 0x45, 0, 1]);
    bench.receive(link, &[0x40, 0, 0, 1]);
    bench.receive(link, &[0x40, 1]);
    assert_eq!(bench.outputs, []);
    let statistics = bench.connection.statistics();
    assert_eq!((statistics.messages_received, statistics.format_errors), (0, 0));
    bench.input(Input::Secured(link, framing::MAX_RECORD_SIZE));
    bench.outputs.clear();
    bench.receive(link, &[0x50, 0x45, 0, 1]);
    assert_eq!(bench.outputs, [Output::Deliver(vec![0x50, 0x45, 0, 1])]);
}

#[test]
fn a_dead_path_is_reported_and_connected_anew() {
    let (mut bench, link) = Bench::ready(settings(Framing::LengthPrefix));
    let begin = bench.now;
    bench.wait();
    assert_eq!(bench.now, begin + seconds(540));
    assert_eq!(bench.reports(), []);
    bench.input(Input::Sent(link));
    assert_eq!(bench.reports(), [Report::PingSent]);
    bench.take();
    bench.wait();
    assert_eq!(bench.now, begin + seconds(570));
    let reason = Status::PathSilent.into();
    let outputs = bench.take();
    let [
        Output::Report(Report::PingLost { reason: lost }),
        Output::CloseLink(closed),
        Output::Report(Report::State { state: State::Waiting, reason: Some(why), next_attempt }),
    ] = &outputs[..]
    else {
        panic!("{outputs:?}")
    };
    assert_eq!((*lost, *closed, *why), (reason, link, reason));
    assert!(*next_attempt <= seconds(2));
    bench.wait();
    let again = bench.link();
    assert_ne!(again, link);
    bench.input(Input::Connected(again));
    assert!(bench.reports().contains(&state(State::Ready)));
    let statistics = bench.connection.statistics();
    assert_eq!((statistics.attempts, statistics.connections, statistics.pings_lost), (2, 2, 1));
}

#[test]
fn messages_are_written_one_at_a_time_in_order_and_reported_once() {
    let (mut bench, link) = Bench::ready(settings(Framing::LengthPrefix));
    bench.send(1, &request(1));
    bench.send(2, &request(2));
    assert_eq!(bench.take(), [Output::Write(link, [&[0, 0, 0, 4][..], &request(1)].concat())]);
    bench.input(Input::Sent(link));
    let second = Output::Write(link, [&[0, 0, 0, 4][..], &request(2)].concat());
    assert_eq!(bench.take(), [Output::Report(Report::Sent { ticket: 1 }), second]);
    bench.input(Input::Sent(link));
    bench.input(Input::Sent(link));
    assert_eq!(bench.take(), [Output::Report(Report::Sent { ticket: 2 })]);
}

#[test]
fn a_full_queue_refuses_and_a_dropped_connection_fails_or_keeps_what_waits() {
    for keep_queued in [false, true] {
        let (mut bench, link) = Bench::ready(Settings { keep_queued, ..settings(Framing::LengthPrefix) });
        // One is being written, three wait, the fifth is too many.
        for ticket in 1..=5 {
            bench.send(ticket, &request(ticket as u8));
        }
        assert_eq!(bench.reports(), [Report::Failed { ticket: 5, reason: Status::QueueFull.into() }]);
        assert_eq!(bench.connection.statistics().messages_queued, 4);
        bench.take();
        let failure: Failure = Status::ConnectionReset.into();
        bench.input(Input::Failed(link, failure));
        let failed: Vec<Report> = (1..=4).map(|ticket| Report::Failed { ticket, reason: failure }).collect();
        let reports = bench.reports();
        if keep_queued {
            assert_eq!(reports.len(), 1);
        } else {
            assert_eq!(reports[..4], failed);
        }
        bench.send(7, &request(7));
        let reason = if keep_queued { Status::QueueFull } else { Status::NotConnected };
        assert_eq!(bench.reports().last(), Some(&Report::Failed { ticket: 7, reason: reason.into() }));
        bench.wait();
        let link = bench.link();
        bench.take();
        bench.input(Input::Connected(link));
        for _ in 0..9 {
            bench.input(Input::Sent(link));
        }
        let sent: Vec<u64> = bench
            .reports()
            .iter()
            .filter_map(|report| match report {
                Report::Sent { ticket } => Some(*ticket),
                _ => None,
            })
            .collect();
        assert_eq!(sent, if keep_queued { vec![1, 2, 3, 4] } else { vec![] });
    }
}

#[test]
fn a_ping_of_the_peer_is_answered_with_a_reset_on_every_transport() {
    for framing in [Framing::Datagram, Framing::Record, Framing::LengthPrefix] {
        let (mut bench, link) = Bench::ready(settings(framing));
        let ping = framing::encode(framing, &ping::encode(0xbeef)).unwrap();
        bench.receive(link, &ping);
        let reset = framing::encode(framing, &ping::reset(0xbeef)).unwrap();
        assert_eq!(bench.take(), [Output::Write(link, reset)]);
        assert_eq!(bench.connection.statistics().peer_pings_answered, 1);
    }
}

#[test]
fn a_flood_of_pings_from_a_peer_that_does_not_read_is_bounded() {
    let (mut bench, link) = Bench::ready(settings(Framing::Record));
    for message_id in 0..10_000 {
        bench.receive(link, &ping::encode(message_id));
    }
    assert_eq!(bench.take().len(), 1);
    for _ in 0..10_000 {
        bench.input(Input::Sent(link));
    }
    // The first was on its way when the others came.
    assert_eq!(bench.written().len(), machine::MAX_ANSWERS);
}

#[test]
fn malformed_messages_are_counted_and_confirmable_ones_rejected() {
    let (mut bench, link) = Bench::ready(settings(Framing::Record));
    bench.receive(link, &[0x40, 0x01, 0xab, 0xcd, 0xff]);
    assert_eq!(bench.take(), [Output::Write(link, ping::reset(0xabcd).to_vec())]);
    bench.input(Input::Sent(link));
    for silent in [&[0x50, 0x01, 0, 0, 0xff][..], &[0x80, 1, 0, 0], &[0x40], &[0x60, 0, 0, 0, 1]] {
        bench.receive(link, silent);
    }
    assert_eq!(bench.take(), []);
    assert_eq!(bench.connection.statistics().format_errors, 5);
}

#[test]
fn what_answers_nothing_that_was_sent_proves_nothing() {
    let (mut bench, link) = Bench::ready(settings(Framing::Record));
    bench.send(1, &request(9));
    bench.input(Input::Sent(link));
    bench.wait();
    bench.input(Input::Sent(link));
    bench.take();
    let begin = bench.now;
    bench.receive(link, &[0x70, 0, 0x12, 0x34]);
    bench.receive(link, &[0x60, 0x45, 0x12, 0x34]);
    // They are the application's affair all the same.
    assert_eq!(bench.delivered().len(), 2);
    bench.wait();
    assert_eq!(bench.now, begin + seconds(30));
    assert_eq!(bench.waiting().0.status, Status::PathSilent);

    let (mut bench, link) = Bench::ready(settings(Framing::Record));
    bench.send(1, &request(9));
    bench.input(Input::Sent(link));
    bench.wait();
    bench.input(Input::Sent(link));
    bench.receive(link, &[0x60, 0x45, 0x00, 9]);
    assert_eq!(bench.deadline, Some(bench.now + seconds(540)));
}

#[test]
fn a_late_answer_to_an_earlier_ping_is_no_message_of_the_application() {
    let (mut bench, link) = Bench::ready(settings(Framing::Record));
    bench.input(Input::Ping);
    let first = bench.written().pop().unwrap();
    bench.input(Input::Sent(link));
    bench.receive(link, &RESPONSE);
    bench.input(Input::Ping);
    bench.input(Input::Sent(link));
    bench.take();
    bench.receive(link, &[0x70, 0, first[2], first[3]]);
    assert_eq!(bench.take(), []);
    // It was sent and has come back: it proves the path.
    assert_eq!(bench.deadline, Some(bench.now + seconds(540)));
}

#[test]
fn messages_are_delivered_and_too_long_ones_dropped() {
    let (mut bench, link) = Bench::ready(Settings { max_message_size: 100, ..settings(Framing::LengthPrefix) });
    let long = [&RESPONSE[..], &[0xff], &[7; 200]].concat();
    let wire =
        [&RESPONSE[..], &long, &RESPONSE].map(|message| framing::encode(Framing::LengthPrefix, message).unwrap());
    bench.receive(link, &wire.concat());
    assert_eq!(
        bench.take(),
        [
            Output::Deliver(RESPONSE.to_vec()),
            Output::Report(Report::Dropped { size: 205 }),
            Output::Deliver(RESPONSE.to_vec())
        ]
    );
    assert_eq!(bench.connection.statistics().oversize_dropped, 1);
    bench.receive(link, b"HTTP/1.1 400");
    assert_eq!(bench.waiting().0.status, Status::ProtocolViolation);
}

#[test]
fn rfc8323_begins_with_capabilities_and_pings_with_signals() {
    let mut bench = Bench::new(settings(Framing::Rfc8323));
    let link = bench.link();
    bench.take();
    bench.input(Input::Connected(link));
    let outputs = bench.take();
    assert_eq!(outputs[1], Output::Write(link, vec![0x30, 0xe1, 0x22, 0xff, 0xff]));
    bench.input(Input::Sent(link));
    // What libcoap sends.
    bench.receive(link, &[0x50, 0xe1, 0x23, 0x80, 0x01, 0x00, 0x20]);
    assert_eq!(bench.take(), [Output::Report(state(State::Ready))]);

    bench.input(Input::Ping);
    let ping = bench.written().pop().unwrap();
    assert_eq!(ping[..2], [0x02, 0xe2]);
    bench.input(Input::Sent(link));
    bench.take();
    for (pong, answered) in [
        (vec![0x02, 0xe3, !ping[2], ping[3]], false),
        (vec![0x10, 0xe3, 0x20], true),
        (vec![0x02, 0xe3, ping[2], ping[3]], false),
    ] {
        bench.receive(link, &pong);
        assert_eq!(bench.take().len(), usize::from(answered), "{pong:02x?}");
    }
    bench.receive(link, &[0x01, 0xe2, 0x5a]);
    assert_eq!(bench.take(), [Output::Write(link, vec![0x01, 0xe3, 0x5a])]);
    // An Empty message keeps the path alive and is nothing else.
    bench.receive(link, &[0x00, 0x00]);
    assert_eq!(bench.take(), []);
    assert_eq!(bench.connection.statistics().format_errors, 0);
}

#[test]
fn rfc8323_messages_lose_and_gain_type_and_message_id() {
    let (mut bench, link) = Bench::ready(settings(Framing::Rfc8323));
    bench.send(1, &[0x41, 0x01, 0x12, 0x34, 0xaa, 0xb1, b'x']);
    assert_eq!(bench.written(), [vec![0x21, 0x01, 0xaa, 0xb1, b'x']]);
    bench.receive(link, &[0x21, 0x45, 0xaa, 0xff, b'y']);
    let [message] = &bench.delivered()[..] else { panic!() };
    assert_eq!((message[0], message[1], &message[4..]), (0x51, 0x45, &[0xaa, 0xff, b'y'][..]));
}

#[test]
fn rfc8323_peers_that_break_it_are_aborted_and_those_that_leave_are_let_go() {
    for (bytes, status) in [
        (&[0x00, 0x45][..], Status::ProtocolViolation),
        (b"HTTP/1.1 400 Bad Request", Status::ProtocolViolation),
        (&[0x10, 0xe1, 0x10], Status::ProtocolViolation),
        (&[0x00, 0xe5], Status::Aborted),
    ] {
        let mut bench = Bench::new(settings(Framing::Rfc8323));
        let link = bench.link();
        bench.input(Input::Connected(link));
        bench.input(Input::Sent(link));
        bench.take();
        bench.receive(link, bytes);
        assert_eq!(bench.waiting().0.status, status, "{bytes:02x?}");
        let aborted = bench.written().iter().any(|frame| frame[1] == 0xe5);
        assert_eq!(aborted, status == Status::ProtocolViolation);
    }
    // A Release that asks to stay away for 200 seconds.
    let (mut bench, link) = Bench::ready(settings(Framing::Rfc8323));
    bench.receive(link, &[0x20, 0xe4, 0x41, 200]);
    assert_eq!(bench.waiting().0.status, Status::Released);
    assert!(bench.waiting().1 >= seconds(200) && bench.waiting().1 <= seconds(230));
}

#[test]
fn an_rfc8323_peer_that_leaves_while_a_ping_is_outstanding_leaves_no_ping_behind() {
    for leave in [&[0x00, 0xe4][..], &[0x00, 0xe5]] {
        let (mut bench, link) = Bench::ready(settings(Framing::Rfc8323));
        bench.input(Input::Ping);
        bench.input(Input::Sent(link));
        bench.take();
        bench.receive(link, leave);
        let lost = |report: &Report| matches!(report, Report::PingLost { .. });
        assert!(!bench.reports().iter().any(lost), "what it said came through the path: {:?}", bench.outputs);
        bench.wait();
        let link = bench.link();
        bench.input(Input::Connected(link));
        bench.take();
        bench.input(Input::Failed(link, Status::ConnectionReset.into()));
        assert!(!bench.reports().iter().any(lost), "no ping was sent on this link: {:?}", bench.outputs);
        assert_eq!(bench.connection.statistics().pings_lost, 0);
    }
}

#[test]
fn an_rfc8323_peer_that_leaves_during_a_search_costs_no_message_and_is_not_blamed_on_the_path() {
    for leave in [&[0x00, 0xe4][..], &[0x00, 0xe5]] {
        let mut adaptive = settings(Framing::Rfc8323);
        adaptive.keepalive.adaptive = Some(BOUNDS);
        let (mut bench, link) = Bench::ready(adaptive);
        bench.wait();
        bench.input(Input::Sent(link));
        bench.send(1, &request(1));
        let silence = bench.connection.path().1.unwrap().proven;
        bench.take();
        bench.receive(link, leave);
        let failed = |report: &Report| matches!(report, Report::Failed { .. });
        assert!(!bench.reports().iter().any(failed), "{:?}", bench.outputs);
        let known = bench.connection.path().1.unwrap();
        assert!(known.proven > silence && known.broken.is_none(), "{known:?}");
        assert_eq!(bench.connection.statistics().messages_queued, 1);
    }
}

#[test]
fn a_message_longer_than_the_peer_takes_fails_alone() {
    let mut bench = Bench::new(settings(Framing::Rfc8323));
    let link = bench.link();
    bench.input(Input::Connected(link));
    bench.input(Input::Sent(link));
    bench.receive(link, &framing::encode(Framing::Rfc8323, &signal::capabilities(64)).unwrap());
    bench.take();
    bench.send(1, &[&RESPONSE[..], &[0xff], &[7; 100]].concat());
    bench.send(2, &request(1));
    assert_eq!(bench.reports(), [Report::Failed { ticket: 1, reason: Status::MessageTooLarge.into() }]);
    assert_eq!(bench.written().len(), 1);

    // A peer that takes next to nothing is pinged all the same.
    bench.input(Input::Sent(link));
    bench.receive(link, &framing::encode(Framing::Rfc8323, &signal::capabilities(0)).unwrap());
    bench.receive(link, &[0x20, 0xe1, 0x21, 1]);
    bench.take();
    bench.input(Input::Ping);
    assert!(matches!(bench.take()[..], [Output::Write(..)]));

    let mut bench = Bench::new(settings(Framing::Record));
    let link = bench.link();
    bench.input(Input::Connected(link));
    bench.input(Input::Secured(link, 512));
    bench.take();
    bench.send(1, &[&RESPONSE[..], &[0xff], &[7; 600]].concat());
    assert_eq!(bench.reports(), [Report::Failed { ticket: 1, reason: Status::MessageTooLarge.into() }]);
}

#[test]
fn each_stage_has_its_deadline() {
    let mut slow = settings(Framing::Record);
    slow.host = Host::Name("device.example".into());
    let mut bench = Bench::new(slow);
    assert_eq!(bench.deadline, Some(bench.now + seconds(10)));
    bench.wait();
    assert_eq!(bench.waiting().0.status, Status::NameLookupTimeout);

    let mut bench = Bench::new(settings(Framing::Record));
    assert_eq!(bench.deadline, Some(bench.now + seconds(15)));
    bench.wait();
    assert_eq!(bench.waiting().0.status, Status::ConnectTimeout);
    assert!(bench.outputs.contains(&Output::CloseLink(Link(1))));

    let mut bench = Bench::new(settings(Framing::Record));
    bench.input(Input::Connected(Link(1)));
    assert_eq!(bench.deadline, Some(bench.now + seconds(30)));
    bench.wait();
    assert_eq!(bench.waiting().0.status, Status::HandshakeTimeout);

    let mut bench = Bench::new(settings(Framing::Rfc8323));
    bench.input(Input::Connected(Link(1)));
    bench.wait();
    assert_eq!(bench.waiting().0.status, Status::CapabilitiesTimeout);
}

/// What `coaps` over UDP means.
fn dtls() -> Settings {
    let plain = settings(Framing::Datagram);
    Settings { secure: true, framing: Framing::Record, ..plain }
}

#[test]
fn over_dtls_a_refused_or_silent_address_gives_way_to_the_next() {
    let addresses: Vec<SocketAddr> = (1..=3).map(|host| SocketAddr::from(([10, 0, 0, host], 1))).collect();
    let mut bench = Bench::new(Settings { host: Host::Name("device.example".into()), ..dtls() });
    let Some(Output::Resolve(lookup, ..)) = bench.take().pop() else { panic!() };
    bench.input(Input::Resolved(lookup, addresses));
    let first = bench.link();
    bench.take();
    bench.input(Input::Connected(first));
    assert!(bench.take().contains(&Output::Secure(first)), "datagrams are always connected, and DTLS begins");
    bench.input(Input::Failed(first, Status::ConnectionRefused.into()));
    let second = bench.link();
    bench.take();
    bench.input(Input::Connected(second));
    assert_eq!(
        bench.deadline,
        Some(bench.now + seconds(30) / 4),
        "of an address that says nothing while another is left"
    );
    bench.wait();
    let third = bench.link();
    assert!(bench.outputs.contains(&Output::CloseLink(second)));
    bench.input(Input::Connected(third));
    assert_eq!(bench.deadline, Some(bench.now + seconds(30)), "of the last address");
    bench.input(Input::Secured(third, framing::MAX_RECORD_SIZE));
    assert!(bench.reports().contains(&state(State::Ready)));
}

#[test]
fn over_dtls_an_address_that_answers_has_the_whole_time_of_the_handshake() {
    let addresses: Vec<SocketAddr> = (1..=2).map(|host| SocketAddr::from(([10, 0, 0, host], 1))).collect();
    let mut bench = Bench::new(Settings { host: Host::Name("device.example".into()), ..dtls() });
    let Some(Output::Resolve(lookup, ..)) = bench.take().pop() else { panic!() };
    bench.input(Input::Resolved(lookup, addresses));
    let (first, begin) = (bench.link(), bench.now);
    bench.input(Input::Connected(first));
    bench.now += seconds(7);
    bench.input(Input::Answered(Link(first.0 + 1)));
    assert_eq!(bench.deadline, Some(begin + seconds(30) / 4), "another link's answer counts for that one");
    bench.input(Input::Answered(first));
    assert_eq!(bench.deadline, Some(begin + seconds(30)));
    bench.take();
    bench.wait();
    assert!(bench.outputs.contains(&Output::CloseLink(first)) && bench.link() > first);
}

/// A DTLS connection to the third of three addresses, whose own address is gone then. It waits for a network.
fn carried() -> (Bench, Vec<SocketAddr>) {
    let addresses: Vec<SocketAddr> = (1..=3).map(|host| SocketAddr::from(([10, 0, 0, host], 5684))).collect();
    let mut bench = Bench::new(Settings { host: Host::Name("device.example".into()), ..dtls() });
    let Some(Output::Resolve(lookup, ..)) = bench.take().pop() else { panic!() };
    bench.input(Input::Resolved(lookup, addresses.clone()));
    for _ in 0..2 {
        let link = bench.link();
        bench.input(Input::Failed(link, Status::ConnectionRefused.into()));
    }
    let link = bench.link();
    bench.input(Input::Connected(link));
    bench.input(Input::Secured(link, framing::MAX_RECORD_SIZE));
    assert!(bench.take().contains(&Output::Report(state(State::Ready))));
    bench.input(Input::NetworkChanged(None));
    bench.input(Input::Failed(link, Status::NetworkDown.into()));
    assert!(bench.outputs.contains(&Output::CarryLink(link)) && !bench.outputs.contains(&Output::CloseLink(link)));
    assert_eq!(bench.waiting().0.status, Status::NetworkDown);
    (bench, addresses)
}

/// The next attempt, which comes to the session's peer, where the driver goes on with the session.
fn go_on(bench: &mut Bench, addresses: &[SocketAddr]) -> Link {
    bench.take();
    bench.input(Input::NetworkChanged(Some(Network(7))));
    let Some(Output::Resolve(lookup, ..)) = bench.take().pop() else { panic!() };
    bench.input(Input::Resolved(lookup, addresses.to_vec()));
    let link = bench.link();
    assert!(bench.take().contains(&Output::Connect(link, addresses[2])), "the peer of the session");
    bench.input(Input::Connected(link));
    assert!(bench.take().contains(&Output::Secure(link)));
    bench.input(Input::Carried(link, framing::MAX_RECORD_SIZE));
    link
}

#[test]
fn over_dtls_the_session_outlives_the_address_of_this_device_and_is_probed_at_once() {
    let (mut bench, addresses) = carried();
    let link = go_on(&mut bench, &addresses);
    let [Output::Report(report), Output::Write(written, ping)] = &bench.take()[..] else { panic!() };
    assert_eq!((*report, *written, ping.len()), (state(State::Ready), link, 4));
    let answer = [0x70, 0, ping[2], ping[3]];
    bench.input(Input::Sent(link));
    bench.receive(link, &answer);
    assert!(matches!(bench.reports()[..], [Report::PingSent, Report::PingAnswered { .. }]), "{:?}", bench.outputs);
    assert_eq!(bench.connection.statistics().connections, 2);
    assert_eq!(bench.deadline, Some(bench.now + seconds(540)));
    // What is refused on the way out for want of a network is no word of the peer either.
    bench.input(Input::Ping);
    bench.take();
    bench.input(Input::NotSent(link, Status::NetworkDown.into()));
    assert!(bench.outputs.contains(&Output::CarryLink(link)));
}

#[test]
fn over_dtls_a_carried_session_that_does_not_answer_is_given_up_after_one_probe() {
    let (mut bench, addresses) = carried();
    let link = go_on(&mut bench, &addresses);
    let begin = bench.now;
    for _ in 0..5 {
        assert_eq!(bench.written().len(), 1);
        bench.input(Input::Sent(link));
        bench.take();
        bench.wait();
    }
    assert!(bench.now - begin <= seconds(93), "{:?}", bench.now - begin);
    assert!(bench.outputs.contains(&Output::CloseLink(link)), "this one is not carried");
    assert_eq!(bench.waiting().0.status, Status::PathSilent);
    assert!(bench.waiting().1 <= seconds(4));
    bench.take();
    bench.wait();
    let Some(Output::Resolve(lookup, ..)) = bench.take().pop() else { panic!() };
    bench.input(Input::Resolved(lookup, addresses.clone()));
    let Some(Output::Connect(_, address)) = bench.take().pop() else { panic!() };
    assert_ne!(address, addresses[2], "each attempt begins with the next address again");
}

#[test]
fn over_dtls_a_lookup_that_fails_in_the_new_network_costs_no_session() {
    let (mut bench, addresses) = carried();
    bench.take();
    bench.input(Input::NetworkChanged(Some(Network(7))));
    let Some(Output::Resolve(lookup, ..)) = bench.take().pop() else { panic!() };
    bench.input(Input::NotResolved(lookup, Status::NameLookupFailed.into()));
    bench.now += machine::HURRY;
    go_on(&mut bench, &addresses);
    assert!(bench.reports().contains(&state(State::Ready)));
}

#[test]
fn only_dtls_has_a_session_that_outlives_an_address() {
    for settings in [settings(Framing::Datagram), settings(Framing::Record), settings(Framing::LengthPrefix)] {
        let (mut bench, link) = Bench::ready(settings);
        bench.input(Input::Failed(link, Status::NetworkDown.into()));
        assert_eq!(bench.take()[0], Output::CloseLink(link));
    }
    // Nor does it where something else than the address was lost.
    let (mut bench, link) = Bench::ready(dtls());
    bench.input(Input::Failed(link, Status::ConnectionRefused.into()));
    assert_eq!(bench.take()[0], Output::CloseLink(link));
}

#[test]
fn over_dtls_one_message_is_one_record_and_pings_are_sent_again() {
    let (mut bench, link) = Bench::ready(dtls());
    bench.send(1, &request(1));
    assert_eq!(bench.written(), [request(1)]);
    bench.input(Input::Sent(link));
    bench.take();
    bench.send(2, &[&RESPONSE[..], &[0xff], &[7; framing::MAX_RECORD_SIZE]].concat());
    assert_eq!(bench.reports(), [Report::Failed { ticket: 2, reason: Status::MessageTooLarge.into() }]);
    // A record without content is no message; what cannot be sent fails alone.
    bench.receive(link, &[]);
    bench.send(3, &request(3));
    bench.take();
    bench.input(Input::NotSent(link, Status::NetworkDown.into()));
    assert_eq!(bench.take(), [Output::Report(Report::Failed { ticket: 3, reason: Status::NetworkDown.into() })]);
    assert_eq!(bench.connection.statistics().format_errors, 0);
    bench.input(Input::Ping);
    for _ in 0..5 {
        assert_eq!(bench.written().len(), 1);
        bench.input(Input::Sent(link));
        bench.take();
        bench.wait();
    }
    assert_eq!(bench.waiting().0.status, Status::PathSilent);
}

#[test]
fn the_next_address_is_tried_when_one_hangs_is_refused_or_fails_in_tls() {
    let mut named = settings(Framing::Record);
    named.host = Host::Name("device.example".into());
    let addresses: Vec<SocketAddr> = (1..=3).map(|host| SocketAddr::from(([10, 0, 0, host], 1))).collect();
    let mut bench = Bench::new(named);
    let Some(Output::Resolve(lookup, ..)) = bench.take().pop() else { panic!() };
    bench.input(Input::Resolved(lookup, addresses.clone()));
    let first = bench.link();
    let begin = bench.now;
    bench.wait();
    assert_eq!(bench.now, begin + addresses::STAGGER);
    let second = bench.link();
    bench.take();
    bench.input(Input::Failed(second, Status::ConnectionRefused.into()));
    let third = bench.link();
    bench.take();
    bench.input(Input::Connected(third));
    assert_eq!(bench.take()[0], Output::CloseLink(first));
    bench.input(Input::Failed(third, Status::CertificateName.into()));
    let outputs = bench.take();
    assert_eq!(outputs[0], Output::CloseLink(third));
    let Some(Output::Connect(fourth, address)) = outputs.last() else { panic!("{outputs:?}") };
    assert_eq!(*address, addresses[0]);
    bench.input(Input::Failed(*fourth, Status::ConnectionRefused.into()));
    assert_eq!(bench.waiting().0.status, Status::ConnectionRefused);
    // Every link that was begun is closed.
    assert!(bench.outputs.contains(&Output::CloseLink(*fourth)));
}

#[test]
fn the_backoff_grows_and_starts_anew_only_after_a_minute_of_ready() {
    let fail = |bench: &mut Bench, after: Duration| {
        bench.wait();
        let link = bench.link();
        bench.input(Input::Connected(link));
        bench.take();
        bench.now += after;
        bench.input(Input::Failed(link, Status::TransportFailed.into()));
        bench.waiting().1
    };
    for (ready_for, grows) in [(seconds(59), true), (seconds(60), false)] {
        let mut bench = Bench::new(settings(Framing::LengthPrefix));
        bench.input(Input::Failed(Link(1), Status::ConnectionRefused.into()));
        let longest = (0..40).map(|_| fail(&mut bench, ready_for)).max().unwrap();
        assert_eq!(longest > seconds(2), grows, "{longest:?}");
        assert!(longest <= seconds(14_400));
    }
}

#[test]
fn a_peer_that_closes_an_established_connection_is_given_time() {
    let waits: Vec<Duration> = (0..200)
        .map(|seed| {
            let mut bench = Bench::seeded(settings(Framing::LengthPrefix), seed);
            bench.input(Input::Connected(Link(1)));
            bench.input(Input::Failed(Link(1), Status::ClosedByPeer.into()));
            assert_eq!(bench.waiting().0.status.class(), Class::ClosedByPeer);
            bench.waiting().1
        })
        .collect();
    assert!(waits.iter().max().unwrap() > &seconds(28) && waits.iter().all(|wait| *wait <= seconds(30)));
    assert!(waits.iter().filter(|wait| **wait < seconds(2)).count() < 40);
}

#[test]
fn a_ping_that_the_socket_refuses_is_a_lost_ping() {
    let (mut bench, link) = Bench::ready(settings(Framing::Datagram));
    bench.input(Input::Ping);
    bench.take();
    let reason = Status::NetworkDown.into();
    bench.input(Input::NotSent(link, reason));
    assert_eq!((bench.reports()[0], bench.waiting().0), (Report::PingLost { reason }, reason));
    let (mut bench, link) = Bench::ready(settings(Framing::Datagram));
    bench.send(3, &request(1));
    bench.take();
    bench.input(Input::NotSent(link, Status::MessageTooLarge.into()));
    assert_eq!(bench.take(), [Output::Report(Report::Failed { ticket: 3, reason: Status::MessageTooLarge.into() })]);
}

#[test]
fn a_transport_that_takes_nothing_does_not_hide_a_dead_path() {
    let (mut bench, _) = Bench::ready(settings(Framing::LengthPrefix));
    // A message is being written and never done, so that the ping cannot go out either.
    bench.send(1, &request(1));
    let begin = bench.now;
    bench.take();
    bench.wait();
    assert_eq!(bench.written(), Vec::<Vec<u8>>::new());
    bench.wait();
    assert_eq!(bench.now, begin + seconds(570));
    assert_eq!(bench.waiting().0.status, Status::PathSilent);
    assert_eq!(bench.reports()[1], Report::Failed { ticket: 1, reason: Status::PathSilent.into() });
}

#[test]
fn close_settles_everything_and_is_the_end() {
    let (mut bench, link) = Bench::ready(Settings { keep_queued: true, ..settings(Framing::LengthPrefix) });
    bench.send(1, &request(1));
    bench.send(2, &request(2));
    bench.take();
    bench.input(Input::Close);
    let reason: Failure = Status::Closed.into();
    assert_eq!(
        bench.take(),
        [
            Output::CloseLink(link),
            Output::Report(Report::Failed { ticket: 1, reason }),
            Output::Report(Report::Failed { ticket: 2, reason }),
            Output::Report(Report::State { state: State::Closed, reason: Some(reason), next_attempt: Duration::ZERO }),
        ]
    );
    assert!(bench.connection.is_closed());
    bench.input(Input::Close);
    bench.input(Input::Open);
    bench.receive(link, &RESPONSE);
    assert_eq!((bench.take(), bench.deadline), (vec![], None));
    bench.send(3, &request(3));
    assert_eq!(bench.take(), [Output::Report(Report::Failed { ticket: 3, reason })]);
}

#[test]
fn what_names_a_link_that_is_over_changes_nothing() {
    let (mut bench, link) = Bench::ready(settings(Framing::Record));
    bench.input(Input::Failed(link, Status::ConnectionReset.into()));
    bench.take();
    bench.receive(link, &RESPONSE);
    for input in [
        Input::Connected(link),
        Input::Secured(link, 1),
        Input::Sent(link),
        Input::Failed(link, Status::ClosedByPeer.into()),
        Input::NotResolved(Lookup(1), Status::NameNotFound.into()),
        Input::Ping,
    ] {
        bench.input(input);
    }
    assert_eq!(bench.take(), []);
    assert_eq!(bench.connection.statistics().attempts, 1);
}

#[test]
fn the_other_port_has_its_turn_and_the_one_that_worked_goes_first() {
    let connects = |bench: &mut Bench| -> Vec<(Link, u16)> {
        let outputs = bench.take().into_iter();
        outputs
            .filter_map(|output| match output {
                Output::Connect(link, address) => Some((link, address.port())),
                _ => None,
            })
            .collect()
    };
    let with_443 = Settings { alternative_port: Some(443), ..settings(Framing::Record) };
    let mut bench = Bench::new(with_443.clone());
    assert_eq!(connects(&mut bench), [(Link(1), 5684)]);
    let reason: Failure = Status::ConnectionRefused.into();
    bench.input(Input::Failed(Link(1), reason));
    let told = Report::State { state: State::Connecting, reason: Some(reason), next_attempt: Duration::ZERO };
    assert!(bench.reports().contains(&told), "{:?}", bench.outputs);
    assert_eq!(connects(&mut bench), [(Link(2), 443)]);
    bench.input(Input::Connected(Link(2)));
    bench.input(Input::Secured(Link(2), 16_384));
    bench.now += seconds(100);
    bench.input(Input::Failed(Link(2), Status::ClosedByPeer.into()));
    bench.take();
    bench.wait();
    assert_eq!(connects(&mut bench), [(Link(3), 443)], "it worked");
    // What says nothing about the port does not change it; what does, changes it once an attempt.
    bench.input(Input::Failed(Link(3), Status::HostUnreachable.into()));
    bench.take();
    bench.wait();
    assert_eq!(connects(&mut bench), [(Link(4), 443)]);
    bench.wait();
    assert_eq!(connects(&mut bench), [(Link(5), 5684)], "filtered");
    bench.input(Input::Connected(Link(5)));
    bench.input(Input::Failed(Link(5), Status::NotTls.into()));
    assert_eq!(bench.waiting().0.status, Status::NotTls);
    assert_eq!(connects(&mut bench), []);
    bench.wait();
    assert_eq!(connects(&mut bench), [(Link(6), 443)], "the one that worked last");

    let mut bench = Bench::new(Settings { alternative_port: Some(5684), ..with_443 });
    bench.input(Input::Failed(Link(1), reason));
    assert_eq!(bench.waiting().0, reason, "it is the same port");
}

#[test]
fn the_other_port_has_its_turn_for_what_may_spare_it() {
    for (status, turn) in [
        (Status::ConnectionRefused, true),
        (Status::ConnectTimeout, true),
        (Status::HandshakeTimeout, true),
        (Status::ConnectionReset, true),
        (Status::NotTls, true),
        (Status::CertificateUntrusted, true),
        (Status::Intercepted, true),
        (Status::CertificateName, false),
        (Status::TlsAlert, false),
        (Status::HostUnreachable, false),
        (Status::NetworkDown, false),
    ] {
        let mut bench = Bench::new(Settings { alternative_port: Some(443), ..settings(Framing::Record) });
        bench.input(Input::Connected(Link(1)));
        bench.take();
        bench.input(Input::Failed(Link(1), status.into()));
        let state = if turn { State::Connecting } else { State::Waiting };
        assert_eq!(bench.connection.statistics().state, state, "{status:?}");
    }
}

/// A name with an address of each family, on a device that has a route for the first one's alone.
#[test]
fn an_address_without_a_route_does_not_hide_why_the_one_before_was_left() {
    let addresses: Vec<SocketAddr> = ["192.0.2.1:5684", "[2001:db8::1]:5684"].map(|text| text.parse().unwrap()).into();
    let stream = settings(Framing::Record);
    for (settings, status) in [
        (stream.clone(), Status::Intercepted),
        (stream.clone(), Status::NotTls),
        (stream.clone(), Status::CertificateUntrusted),
        (dtls(), Status::HandshakeTimeout),
        (stream, Status::CertificateName),
    ] {
        let host = Host::Name("device.example".into());
        let mut bench = Bench::new(Settings { host, alternative_port: Some(443), ..settings });
        let mut port = 5684;
        let turns = if status == Status::CertificateName { 1 } else { 2 };
        let Some(Output::Resolve(lookup, ..)) = bench.take().pop() else { panic!() };
        bench.input(Input::Resolved(lookup, addresses.clone()));
        for _ in 0..turns {
            let Some(Output::Connect(link, address)) = bench.take().pop() else { panic!("{status:?}: no connect") };
            assert_eq!((address.is_ipv4(), address.port()), (true, port), "{status:?}");
            bench.input(Input::Connected(link));
            bench.take();
            bench.input(Input::Failed(link, status.into()));
            let Some(Output::Connect(link, address)) = bench.take().pop() else { panic!("{status:?}: no connect") };
            assert_eq!((address.is_ipv6(), address.port()), (true, port), "{status:?}");
            bench.input(Input::Failed(link, Status::NetworkDown.into()));
            port = 443;
        }
        assert_eq!(bench.waiting().0.status, status);
        // It is forgotten with the attempt.
        bench.wait();
        let Some(Output::Resolve(lookup, ..)) = bench.take().pop() else { panic!() };
        bench.input(Input::NotResolved(lookup, Status::NameLookupFailed.into()));
        assert_eq!(bench.waiting().0.status, Status::NameLookupFailed);
    }
}

#[test]
fn a_change_of_the_network_cuts_a_wait_short_once_in_five_seconds() {
    let mut bench = Bench::new(settings(Framing::LengthPrefix));
    for _ in 0..20 {
        bench.input(Input::Failed(bench.link(), Status::NetworkDown.into()));
        bench.wait();
    }
    bench.input(Input::Failed(bench.link(), Status::NetworkDown.into()));
    bench.take();
    bench.input(Input::NetworkChanged(Some(networks::Network(1))));
    let first = bench.now;
    assert!(matches!(bench.take()[..], [Output::Report(_), Output::Connect(..)]));
    for _ in 0..10 {
        let link = Link(bench.connection.statistics().attempts);
        bench.input(Input::Failed(link, Status::HostUnreachable.into()));
        bench.take();
        bench.input(Input::NetworkChanged(Some(networks::Network(1))));
        let before = bench.now;
        bench.wait();
        assert!(bench.now - before <= seconds(5), "it does not wait for the backoff");
    }
    assert!(bench.now >= first + seconds(10 * 4), "nor is it run after more often: {:?}", bench.now - first);
}

#[test]
fn an_attempt_that_found_no_network_does_not_hold_up_the_one_that_will() {
    let mut bench = Bench::new(settings(Framing::LengthPrefix));
    for _ in 0..20 {
        bench.input(Input::Failed(bench.link(), Status::NetworkDown.into()));
        bench.wait();
    }
    for _ in 0..10 {
        let link = Link(bench.connection.statistics().attempts);
        bench.input(Input::Failed(link, Status::NetworkDown.into()));
        bench.take();
        bench.input(Input::NetworkChanged(Some(networks::Network(1))));
        assert!(matches!(bench.take()[..], [Output::Report(_), Output::Connect(..)]));
    }
}

/// A resolver on the device, say, that waits for an answer which never comes over the network that is gone.
#[test]
fn an_attempt_that_began_before_a_change_of_the_network_is_followed_by_one_at_once() {
    for (phase, status) in [
        (State::Resolving, Status::NameLookupTimeout),
        (State::Connecting, Status::ConnectTimeout),
        (State::Handshaking, Status::HandshakeTimeout),
    ] {
        let host = if phase == State::Resolving {
            Host::Name("device.example".into())
        } else {
            settings(Framing::Record).host
        };
        let mut bench = Bench::new(Settings { host, ..settings(Framing::Record) });
        for attempt in 0..20 {
            if phase == State::Handshaking {
                let link = bench.link();
                bench.input(Input::Connected(link));
            }
            assert_eq!(bench.connection.statistics().state, phase);
            bench.take();
            if attempt == 19 {
                bench.now += seconds(6);
                bench.input(Input::NetworkChanged(None));
                bench.input(Input::NetworkChanged(Some(networks::Network(1))));
            }
            while bench.connection.statistics().state == phase {
                bench.wait();
            }
            if attempt < 19 {
                bench.wait();
            }
        }
        let reports = bench.reports();
        let reason = Some(Failure::from(status));
        let waits = Report::State { state: State::Waiting, reason, next_attempt: Duration::ZERO };
        assert!(reports.contains(&waits), "{reports:?}");
        assert_eq!(bench.connection.statistics().attempts, 21, "{phase:?}");
        // What it began later is not its doing.
        while bench.connection.statistics().attempts == 21 && bench.connection.statistics().state != State::Waiting {
            if phase == State::Handshaking && bench.connection.statistics().state == State::Connecting {
                let link = bench.link();
                bench.input(Input::Connected(link));
            }
            bench.take();
            bench.wait();
        }
        assert!(bench.waiting().1 > seconds(10), "{phase:?}: {:?}", bench.waiting());
    }
}

/// Each second the address goes while an attempt is on its way, and comes back.
#[test]
fn a_network_that_flaps_is_run_after_once_in_five_seconds() {
    for connects in [false, true] {
        let mut bench = Bench::new(settings(Framing::Record));
        let begin = bench.now;
        let mut attempts = 1;
        for _ in 0..600 {
            bench.now += Duration::from_millis(300);
            bench.drain();
            let state = bench.connection.statistics().state;
            if connects && state == State::Connecting {
                let link = bench.link();
                bench.input(Input::Connected(link));
            }
            bench.now += Duration::from_millis(200);
            if state == State::Connecting {
                bench.input(Input::Failed(bench.link(), Status::NetworkDown.into()));
            }
            bench.input(Input::NetworkChanged(None));
            bench.now += Duration::from_millis(500);
            bench.input(Input::NetworkChanged(Some(networks::Network(1))));
            attempts = bench.connection.statistics().attempts;
        }
        let most = (bench.now - begin).as_secs() / 5 + 10;
        assert!(attempts <= most, "{attempts} attempts in {:?}", bench.now - begin);
        assert!(attempts >= 100, "{attempts} attempts: it is run after all the same");
    }
}

#[test]
fn a_network_that_is_gone_is_not_run_after_and_the_next_one_is_at_once() {
    let mut bench = Bench::new(settings(Framing::LengthPrefix));
    bench.now += seconds(100);
    bench.input(Input::Failed(bench.link(), Status::NetworkDown.into()));
    bench.take();
    bench.input(Input::NetworkChanged(None));
    assert_eq!(bench.take(), [], "there is nothing to try");
    bench.input(Input::NetworkChanged(Some(networks::Network(1))));
    assert!(matches!(bench.take()[..], [Output::Report(_), Output::Connect(..)]));
}

/// Any order of inputs, for any link: no panic, every message reported exactly once, and an end that is the end.
#[test]
fn any_interleaving_of_events_keeps_the_accounts() {
    for seed in 0..3000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let framing = [Framing::Datagram, Framing::Record, Framing::LengthPrefix, Framing::Rfc8323][random.usize(..4)];
        let mut settings = settings(framing);
        settings.keep_queued = random.bool();
        if random.bool() {
            settings.host = Host::Name("device.example".into());
        }
        let mut bench = Bench::new(settings);
        let (mut sent, mut reported) = (0u64, std::collections::HashMap::<u64, u32>::new());
        for step in 0..200 {
            let link = Link(random.u64(1..12));
            let bytes: Vec<u8> = (0..random.usize(0..40)).map(|_| random.u8(..)).collect();
            let last = step == 199;
            match if last { 11 } else { random.u32(0..11) } {
                0 => bench.input(Input::Resolved(
                    Lookup(link.0),
                    vec![SocketAddr::from(([127, 0, 0, 1], 1)); random.usize(0..4)],
                )),
                1 => bench.input(Input::NotResolved(Lookup(link.0), Status::NameNotFound.into())),
                2 | 3 => bench.input(Input::Connected(link)),
                4 => bench.input(Input::Secured(link, random.usize(0..20_000))),
                5 if random.u32(0..4) == 0 => bench.input(Input::Failed(link, Status::ConnectionReset.into())),
                6 => bench.input(Input::Received(link, &bytes, random.bool())),
                7 => bench.input(Input::Sent(link)),
                8 => {
                    sent += 1;
                    bench.send(sent, &request(1));
                }
                9 if bench.deadline.is_some() => bench.wait(),
                10 => bench.input(Input::Ping),
                11 => bench.input(Input::Close),
                _ => {}
            }
        }
        for report in bench.reports() {
            if let Report::Sent { ticket } | Report::Failed { ticket, .. } = report {
                *reported.entry(ticket).or_default() += 1;
            }
        }
        assert_eq!(reported.len() as u64, sent, "seed {seed}");
        assert!(reported.values().all(|count| *count == 1), "seed {seed}");
        assert!(bench.connection.is_closed());
        let writes = bench.written().len();
        assert!(writes < 1000);
    }
}
