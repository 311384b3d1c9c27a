//! Behind a NAT that forgets what is idle, and says nothing.

use crate::common::{Client, Owned, over_udp};
use crate::network::{Network, SERVER};
use crate::server::{Datagrams, PORT, Server, answer_and_echo};
use crate::{Test, tests};
use mbed_cloud_connectivity::connection::{Report, State};
use mbed_cloud_connectivity::error::{Class, Status};
use mbed_cloud_connectivity::keepalive::Answer;
use mbed_cloud_connectivity::keepalive::adaptive::Bounds;
use mbed_cloud_connectivity::net::context::ConnectionSettings;
use std::time::{Duration, Instant};

pub const TESTS: &[Test] = tests![
    a_search_finds_an_interval_below_the_nat_s_timer_and_keeps_it,
    a_ping_within_the_nat_s_timer_keeps_the_connection,
    a_mapping_that_is_gone_is_noticed_at_the_next_ping,
    datagrams_of_the_server_come_through_as_long_as_pings_keep_the_mapping,
];

const NAT_FORGETS_STREAMS_S: u32 = 4;
const NAT_FORGETS_DATAGRAMS_S: u32 = 3;
const ANSWER: Duration = Duration::from_secs(2);
/// How much later than planned something may be noticed on a machine that has much to do.
const SLACK: Duration = Duration::from_secs(3);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The next ping is answered, and the connection is the same.
fn an_answer(client: &Client) {
    client.wait("an answered ping", |event| match event {
        Owned::Report(Report::PingAnswered { .. }) => Some(()),
        Owned::Report(lost @ (Report::PingLost { .. } | Report::State { .. })) => panic!("{lost:?}"),
        _ => None,
    });
}

fn uri() -> String {
    format!("coap://{SERVER}:{PORT}")
}

fn a_ping_within_the_nat_s_timer_keeps_the_connection(network: &Network) {
    network.forget_streams_after(NAT_FORGETS_STREAMS_S);
    let server = Server::start(&network.server, PORT, answer_and_echo);
    let client = Client::open(&uri(), |settings| settings.core.keepalive.interval = Some(seconds(2)));
    client.wait_for_state(State::Ready);
    let begin = Instant::now();
    while begin.elapsed() < seconds(15) {
        an_answer(&client);
    }
    let statistics = client.connection.statistics();
    assert_eq!((statistics.connections, statistics.pings_lost, server.connects()), (1, 0, 1));
}

fn a_mapping_that_is_gone_is_noticed_at_the_next_ping(network: &Network) {
    let interval = seconds(8);
    network.forget_streams_after(NAT_FORGETS_STREAMS_S);
    let server = Server::start(&network.server, PORT, answer_and_echo);
    let client = Client::open(&uri(), |settings| {
        settings.core.keepalive.interval = Some(interval);
        settings.core.keepalive.answer = Answer::Within(ANSWER);
    });
    client.wait_for_state(State::Ready);
    let begin = Instant::now();
    let lost = client.wait("the loss", |event| match event {
        Owned::Report(Report::PingLost { reason }) => Some(reason.status),
        _ => None,
    });
    let noticed = begin.elapsed();
    assert_eq!((lost, lost.class()), (Status::PathSilent, Class::SilentPath));
    // The ready state was told a little before the clock above began.
    assert!(noticed > interval && noticed < interval + ANSWER + SLACK, "{noticed:?}");
    assert_eq!(client.wait_for_state(State::Waiting), Some(Status::PathSilent));
    client.wait_for_state(State::Ready);
    client.ping();
    assert_eq!(server.connects(), 2);
}

fn a_search_finds_an_interval_below_the_nat_s_timer_and_keeps_it(network: &Network) {
    let bounds = Bounds { floor: seconds(1), ceiling: seconds(20), step_percent: 150, margin_percent: 5 };
    let timer = seconds(NAT_FORGETS_STREAMS_S.into());
    network.forget_streams_after(NAT_FORGETS_STREAMS_S);
    let _server = Server::start(&network.server, PORT, answer_and_echo);
    let search = |settings: &mut ConnectionSettings| settings.core.keepalive.adaptive = Some(bounds);
    let client = Client::open(&uri(), search);
    // A silence that the NAT does not bear is tried, and then none again.
    client.wait("the loss", |event| matches!(event, Owned::Report(Report::PingLost { .. })).then_some(()));
    client.wait_for_state(State::Ready);
    let interval = || client.connection.statistics().keepalive_interval.unwrap();
    let found = loop {
        let before = interval();
        an_answer(&client);
        if before == interval() {
            break before;
        }
    };
    assert!(found > bounds.floor && found < timer, "{found:?}");
    let known = client.connection.networks();
    client.connection.close();
    let later = Client::open(&uri(), |settings| {
        search(settings);
        settings.core.networks = known;
    });
    later.wait_for_state(State::Ready);
    assert_eq!(later.connection.statistics().keepalive_interval, Some(found));
    an_answer(&later);
    assert_eq!(later.connection.statistics().keepalive_interval, Some(found));
}

fn datagrams_of_the_server_come_through_as_long_as_pings_keep_the_mapping(network: &Network) {
    network.forget_datagrams_after(NAT_FORGETS_DATAGRAMS_S);
    let server = Datagrams::start(&network.server, PORT);
    let client = Client::open(&uri(), |settings| {
        over_udp(settings);
        settings.core.keepalive.interval = Some(seconds(1));
    });
    client.wait_for_state(State::Ready);
    client.ping();
    // A message that goes one way.
    let message = |id: u8| [0x50, 0x01, 0, id];
    let arrives = |id| {
        let expected = message(id);
        let limit = Duration::from_millis(1500);
        let begin = Instant::now();
        while let Ok(event) = client.events.recv_timeout(limit.saturating_sub(begin.elapsed())) {
            if event == Owned::Message(expected.to_vec()) {
                return true;
            }
        }
        false
    };
    for id in 0..8 {
        std::thread::sleep(Duration::from_millis(900));
        server.push(&message(id));
        assert!(arrives(id), "message {id}");
    }
    // Without pings the NAT forgets, and the next ping makes it know the device again.
    client.connection.set_keepalive(None).unwrap();
    client.ping();
    std::thread::sleep(seconds(u64::from(NAT_FORGETS_DATAGRAMS_S) + 1));
    server.push(&message(100));
    assert!(!arrives(100));
    client.ping();
    server.push(&message(101));
    assert!(arrives(101));
    assert_eq!(client.connection.statistics().pings_lost, 0);
}
