//! A path that splits, delays, cuts, loses and swallows.

use crate::common::{Client, Owned, over_udp};
use crate::network::{Network, SERVER};
use crate::proxy::{self, Manner, Mishaps, Streams};
use crate::server::{self, PORT, Server, answer_and_echo};
use crate::{Test, tests};
use mbed_cloud_connectivity::connection::{Report, State};
use mbed_cloud_connectivity::error::{Class, Status};
use mbed_cloud_connectivity::keepalive::Answer;
use std::collections::HashMap;
use std::time::{Duration, Instant};

pub const TESTS: &[Test] = tests![
    datagrams_that_are_lost_doubled_and_late_leave_one_report_each_and_pings_survive,
    messages_in_pieces_arrive_whole_and_in_order,
    a_cut_is_told_for_what_it_is_and_the_connection_comes_back,
    a_path_that_swallows_everything_is_noticed_at_the_next_ping,
];

/// Where the server is behind the proxy.
const BEHIND: u16 = PORT + 1;

fn uri() -> String {
    format!("coap://{SERVER}:{PORT}")
}

fn messages_in_pieces_arrive_whole_and_in_order(network: &Network) {
    let _server = Server::start(&network.server, BEHIND, answer_and_echo);
    let proxy = Streams::start(&network.server, PORT, BEHIND);
    let client = Client::open(&uri(), |_| ());
    client.wait_for_state(State::Ready);
    for (split, delay_us) in [(1, 0), (3, 100), (7, 1000), (1000, 5000)] {
        proxy.tell(Manner { split: Some(split), delay: Duration::from_micros(delay_us) });
        // A GET with a payload of each size.
        let messages: Vec<Vec<u8>> = (0..20u8)
            .map(|id| [&[0x50, 0x01, 0, id, 0xff][..], &vec![id; 1 + 11 * usize::from(id)]].concat())
            .collect();
        for message in &messages {
            client.connection.send(message, |_| ()).unwrap();
        }
        for message in &messages {
            let came = client.wait("a message", |event| match event {
                Owned::Message(message) => Some(message.clone()),
                _ => None,
            });
            assert_eq!(&came, message, "in pieces of {split}");
        }
        client.ping();
    }
    let statistics = client.connection.statistics();
    assert_eq!((statistics.connections, statistics.messages_sent, statistics.format_errors), (1, 80, 0));
}

fn a_cut_is_told_for_what_it_is_and_the_connection_comes_back(network: &Network) {
    let server = Server::start(&network.server, BEHIND, answer_and_echo);
    let proxy = Streams::start(&network.server, PORT, BEHIND);
    let client = Client::open(&uri(), |_| ());
    client.wait_for_state(State::Ready);
    for (reset, wanted) in [(false, Status::ClosedByPeer), (true, Status::ConnectionReset)] {
        client.ping();
        proxy.cut(reset);
        let reason = client.wait_for_state(State::Waiting).unwrap();
        assert_eq!((reason, reason.class()), (wanted, Class::ClosedByPeer));
        client.wait_for_state(State::Ready);
    }
    client.ping();
    assert_eq!(server.connects(), 3);
}

fn a_path_that_swallows_everything_is_noticed_at_the_next_ping(network: &Network) {
    let (interval, answer, slack) = (Duration::from_secs(2), Duration::from_secs(2), Duration::from_secs(3));
    let _server = Server::start(&network.server, BEHIND, answer_and_echo);
    let proxy = Streams::start(&network.server, PORT, BEHIND);
    let client = Client::open(&uri(), |settings| {
        settings.core.keepalive.interval = Some(interval);
        settings.core.keepalive.answer = Answer::Within(answer);
    });
    client.wait_for_state(State::Ready);
    client.ping();
    proxy.half_open();
    let begin = Instant::now();
    let reason = client.wait_for_state(State::Waiting).unwrap();
    assert_eq!((reason, reason.class()), (Status::PathSilent, Class::SilentPath));
    assert!(begin.elapsed() < interval + answer + slack, "{:?}", begin.elapsed());
    assert_eq!(client.connection.statistics().pings_lost, 1);
    client.wait_for_state(State::Ready);
    client.ping();
}

fn datagrams_that_are_lost_doubled_and_late_leave_one_report_each_and_pings_survive(network: &Network) {
    const MESSAGES: u64 = 200;
    const PINGS: u32 = 6;
    let _server = server::Datagrams::start(&network.server, BEHIND);
    let proxy = proxy::Datagrams::start(&network.server, PORT, BEHIND);
    // One in five is lost each way: of the five transmissions of a ping one comes through, and its answer too.
    proxy.tell(Mishaps { lose: Some(5), double: Some(4), hold: Some(7) });
    let client = Client::open(&uri(), |settings| {
        over_udp(settings);
        settings.core.keepalive.interval = Some(Duration::from_millis(500));
    });
    client.wait_for_state(State::Ready);
    let mut reports: HashMap<u64, u32> = HashMap::new();
    let (mut sent, mut answered) = (0, 0);
    let begin = Instant::now();
    while sent < MESSAGES || answered < PINGS {
        assert!(begin.elapsed() < Duration::from_secs(50), "{sent} messages, {answered} pings");
        if sent < MESSAGES && client.connection.send(&[0x50, 0x01, 1, sent as u8], |_| ()).is_ok() {
            sent += 1;
        }
        while let Ok(event) = client.events.recv_timeout(Duration::from_millis(10)) {
            match event {
                Owned::Report(Report::Sent { ticket }) => *reports.entry(ticket).or_default() += 1,
                Owned::Report(Report::PingAnswered { .. }) => answered += 1,
                Owned::Report(Report::PingSent) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(reports.len() as u64, MESSAGES);
    assert!(reports.values().all(|count| *count == 1));
    let statistics = client.connection.statistics();
    assert_eq!((statistics.connections, statistics.pings_lost, statistics.messages_sent), (1, 0, MESSAGES));
}
