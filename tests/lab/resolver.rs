//! Resolvers that hang, lie and overdo it.

use crate::common::{Client, Owned, PATIENCE};
use crate::names::{Answer, Dnsmasq, NAME, Resolver};
use crate::network::{Network, OTHER_SERVER, ROUTER, SERVER};
use crate::server::{PORT, Server, answer_and_echo, is_ping, read_frame};
use crate::{Test, tests};
use mbed_cloud_connectivity::connection::{Report, State};
use mbed_cloud_connectivity::error::{Class, Status};
use mbed_cloud_connectivity::net::context::Context;
use std::io::Write;
use std::net::Ipv4Addr;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

pub const TESTS: &[Test] = tests![
    a_resolver_that_hangs_holds_up_no_other_connection,
    a_name_that_does_not_exist_is_not_found_and_is_found_when_it_does,
    every_bad_answer_has_its_reason_and_costs_a_bounded_number_of_queries,
    of_a_thousand_addresses_sixteen_are_tried,
    a_server_that_moves_is_followed_at_the_next_attempt,
];

fn uri() -> String {
    format!("coap://{NAME}:{PORT}")
}

/// The reason why the next attempt failed.
fn failure(client: &Client) -> Status {
    client.wait_for_state(State::Waiting).unwrap()
}

fn a_resolver_that_hangs_holds_up_no_other_connection(network: &Network) {
    const INTERVAL: Duration = Duration::from_millis(500);
    const PINGS: usize = 12;
    let resolve_timeout = Duration::from_secs(1);
    let names = Dnsmasq::start(network, SERVER);
    names.hang();
    // The server tells which connection pinged when: what arrives at one port is the disturbed one's.
    let pings = |port| {
        let (sender, pings) = mpsc::channel();
        let sender = Mutex::new(sender);
        Server::start(&network.server, port, move |mut stream| {
            let sender = sender.lock().unwrap().clone();
            while let Some(mut frame) = read_frame(&mut stream) {
                if is_ping(&frame[4..]) {
                    let _ = sender.send(Instant::now());
                    frame[4] = 0x70;
                    let _ = stream.write_all(&frame);
                }
            }
        });
        pings
    };
    let (disturbed_pings, quiet_pings) = (pings(PORT + 1), pings(PORT + 2));
    let context = Context::new(true).unwrap();
    let _server = Server::start(&network.server, PORT, answer_and_echo);
    let named: Vec<Client> = (0..3)
        .map(|_| Client::open_on(context.clone(), &uri(), |settings| settings.core.resolve_timeout = resolve_timeout))
        .collect();
    let keepalive = |port| {
        move |context| {
            Client::open_on(context, &format!("coap://{SERVER}:{port}"), |settings| {
                settings.core.keepalive.interval = Some(INTERVAL);
            })
        }
    };
    let disturbed = keepalive(PORT + 1)(context.clone());
    let quiet = keepalive(PORT + 2)(Context::new(true).unwrap());
    let deviations = |pings: &mpsc::Receiver<Instant>| {
        let times: Vec<Instant> = (0..=PINGS).map(|_| pings.recv_timeout(PATIENCE).unwrap()).collect();
        let mut deviations: Vec<Duration> =
            times.windows(2).map(|pair| pair[1].duration_since(pair[0]).abs_diff(INTERVAL)).collect();
        deviations.sort_unstable();
        deviations
    };
    let (disturbed_by, quiet_by) = (deviations(&disturbed_pings), deviations(&quiet_pings));
    let median = |deviations: &[Duration]| deviations[deviations.len() / 2];
    let limit = median(&quiet_by) + Duration::from_millis(50);
    assert!(median(&disturbed_by) < limit, "{disturbed_by:?}, beside {quiet_by:?}");
    // No single one waited for a lookup either: those hang for seconds.
    let limit = quiet_by[PINGS - 1] + Duration::from_millis(500);
    assert!(disturbed_by[PINGS - 1] < limit, "{disturbed_by:?}, beside {quiet_by:?}");
    for client in [&disturbed, &quiet] {
        assert_eq!(client.connection.statistics().pings_lost, 0);
    }
    for client in &named {
        let reason = failure(client);
        assert_eq!((reason, reason.class()), (Status::NameLookupTimeout, Class::Name));
    }
    names.come_back();
    let begin = Instant::now();
    for client in &named {
        client.wait_for_state(State::Ready);
    }
    // The longest wait of the backoff, a lookup that was just given up, and a busy machine.
    let limit = Duration::from_secs(1) + resolve_timeout + Duration::from_secs(3);
    assert!(begin.elapsed() < limit, "{:?}", begin.elapsed());
}

fn a_name_that_does_not_exist_is_not_found_and_is_found_when_it_does(network: &Network) {
    let names = Dnsmasq::start(network, SERVER);
    let _server = Server::start(&network.server, PORT, answer_and_echo);
    let client = Client::open(&format!("coap://missing.test:{PORT}"), |_| ());
    for _ in 0..3 {
        let reason = failure(&client);
        assert_eq!((reason, reason.class()), (Status::NameNotFound, Class::Name));
    }
    names.know("missing.test", SERVER);
    client.wait_for_state(State::Ready);
}

fn every_bad_answer_has_its_reason_and_costs_a_bounded_number_of_queries(network: &Network) {
    let server: Ipv4Addr = SERVER.parse().unwrap();
    let _server = Server::start(&network.server, PORT, answer_and_echo);
    let names = Resolver::start(&network.router, ROUTER, Answer::Nothing);
    let client = Client::open(&uri(), |_| ());
    for (answer, wanted) in [
        (Answer::Nothing, Status::NameNotFound),
        (Answer::AliasLoop, Status::NameNotFound),
        (Answer::OfAnotherName(server), Status::NameNotFound),
        (Answer::Failure, Status::NameLookupFailed),
    ] {
        names.say(answer.clone());
        // The attempt that is under way may still see the answer before.
        failure(&client);
        let before = names.queries();
        let reason = failure(&client);
        assert_eq!((reason, reason.class()), (wanted, Class::Name), "{answer:?}");
        // Two kinds of addresses, each asked for twice at most.
        let queries = names.queries() - before;
        assert!((1..=8).contains(&queries), "{answer:?}: {queries} queries");
    }
    names.say(Answer::Addresses(vec![server]));
    client.wait_for_state(State::Ready);
}

fn of_a_thousand_addresses_sixteen_are_tried(network: &Network) {
    // All of them are the server's, which refuses and counts.
    network.server.ip(&["route add local 198.18.0.0/15 dev lo"]);
    network.router.ip(&["route add 198.18.0.0/15 via 198.51.100.2"]);
    network.firewall("--insert FORWARD --protocol tcp --syn --destination 198.18.0.0/15 --jump ACCEPT");
    let addresses = (0..1000u16).map(|number| Ipv4Addr::new(198, 18, (number >> 8) as u8, number as u8));
    let _names = Resolver::start(&network.router, ROUTER, Answer::Addresses(addresses.collect()));
    let client = Client::open(&uri(), |settings| {
        settings.core.backoff.base = Duration::from_secs(3600);
        settings.core.backoff.cap = Duration::from_secs(3600);
    });
    assert_eq!(failure(&client), Status::ConnectionRefused);
    assert_eq!(network.packets("198.18.0.0/15"), 16);
    assert_eq!(client.connection.statistics().attempts, 1);
}

fn a_server_that_moves_is_followed_at_the_next_attempt(network: &Network) {
    let names = Dnsmasq::start(network, SERVER);
    let (sender, met) = mpsc::channel();
    let sender = Mutex::new(sender);
    let _server = Server::start(&network.server, PORT, move |stream| {
        let _ = sender.lock().unwrap().send(stream.local_addr().unwrap().ip().to_string());
        answer_and_echo(stream);
    });
    let client = Client::open(&uri(), |_| ());
    client.wait_for_state(State::Ready);
    assert_eq!(met.recv_timeout(PATIENCE).unwrap(), SERVER);
    names.move_server(OTHER_SERVER);
    // The old address is dead: the connection is lost, and no attempt goes there again.
    network.firewall(&format!("--insert FORWARD --destination {SERVER} --jump DROP"));
    client.connection.ping().unwrap();
    client.wait("the loss", |event| matches!(event, Owned::Report(Report::PingLost { .. })).then_some(()));
    client.wait_for_state(State::Ready);
    assert_eq!(met.recv_timeout(PATIENCE).unwrap(), OTHER_SERVER);
    assert_eq!(client.connection.statistics().attempts, 2);
}
