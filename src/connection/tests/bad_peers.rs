//! Resolvers and servers that do what they should not: the work is bounded, the reason right, the backoff in force.

use super::network::{Network, Resolver, Server};
use super::*;

const DAY: Duration = seconds(86_400);

fn named(framing: Framing) -> Settings {
    Settings { host: Host::Name("device.example".into()), ..settings(framing) }
}

/// Lets a day pass. Gives how often it waited; each time for one of these reasons.
fn waits_of_a_day(network: &mut Network, reasons: &[Status]) -> usize {
    network.pass(DAY);
    network.rules.assert_bounded_work(&network.bench);
    let waited = &network.rules.reasons;
    assert!(waited.iter().all(|reason| reasons.contains(reason)), "{waited:?}");
    assert!(reasons.iter().all(|reason| waited.contains(reason)), "{waited:?}");
    waited.len()
}

/// With a cap of four hours the ranges of all waits of a day add up to it after some 25 of them.
fn assert_backoff_is_in_force(waits: usize) {
    assert!((10..60).contains(&waits), "{waits} attempts in a day");
}

#[test]
fn of_a_thousand_addresses_sixteen_are_tried_and_of_none_none() {
    let mut bench = Bench::new(named(Framing::Record));
    let Some(Output::Resolve(lookup, ..)) = bench.take().pop() else { panic!() };
    let addresses = (0..1000u16).map(|host| SocketAddr::from(([203, 0, (host / 250) as u8, (host % 250) as u8], 5684)));
    bench.input(Input::Resolved(lookup, addresses.collect()));
    let begin = bench.now;
    while bench.connection.statistics().state == State::Connecting {
        bench.wait();
    }
    assert_eq!(bench.now - begin, seconds(15));
    assert_eq!(bench.waiting().0.status, Status::ConnectTimeout);
    let count = |wanted: fn(&Output) -> bool| bench.outputs.iter().filter(|output| wanted(output)).count();
    assert_eq!(count(|output| matches!(output, Output::Connect(..))), 16);
    assert_eq!(count(|output| matches!(output, Output::CloseLink(_))), 16);

    for (resolver, reason) in [
        (Resolver::None, Status::NameNotFound),
        (Resolver::Fails, Status::NameLookupFailed),
        (Resolver::Hangs, Status::NameLookupTimeout),
    ] {
        let mut network = Network::new(named(Framing::Record), 3);
        network.resolver = resolver;
        assert_backoff_is_in_force(waits_of_a_day(&mut network, &[reason]));
    }
    // Nobody is at those that are tried.
    let mut network = Network::new(named(Framing::Record), 3);
    network.resolver = Resolver::Many(200);
    assert_backoff_is_in_force(waits_of_a_day(&mut network, &[Status::ConnectTimeout]));
}

#[test]
fn a_server_that_takes_connections_and_says_nothing_is_found_out_at_each_stage() {
    for (framing, reason) in
        [(Framing::Record, Status::HandshakeTimeout), (Framing::Rfc8323, Status::CapabilitiesTimeout)]
    {
        let mut network = Network::new(settings(framing), 5);
        network.server = Server::Silent;
        assert_backoff_is_in_force(waits_of_a_day(&mut network, &[reason]));
        assert_eq!(network.bench.connection.statistics().connections, 0);
    }
    // A plain stream stands when it is connected, and is dead one interval and 30 s later: long enough to count as one that worked.
    let mut network = Network::new(settings(Framing::LengthPrefix), 5);
    network.server = Server::Silent;
    let waits = waits_of_a_day(&mut network, &[Status::PathSilent]);
    assert!((148..=152).contains(&waits), "{waits} times 570 s, 1 s to connect, and 0 to 2 s to wait");
}

/// Ready at a server that answers nothing from then on.
fn deaf(framing: Framing) -> Network {
    let mut network = Network::new(settings(framing), 6);
    network.pass(seconds(5));
    assert_eq!(network.state(), State::Ready);
    network.server = Server::Silent;
    network
}

/// When the path is taken for dead, if `disturb` happens again and again.
fn dead_after(network: &mut Network, every: Duration, mut disturb: impl FnMut(&mut Network, u64)) -> Duration {
    let begin = network.bench.now;
    for number in 0.. {
        network.pass(every);
        if !network.rules.reasons.is_empty() {
            break;
        }
        disturb(network, number);
    }
    assert_eq!(network.rules.reasons[0], Status::PathSilent);
    network.rules.assert_bounded_work(&network.bench);
    network.bench.now - begin
}

#[test]
fn one_byte_a_minute_proves_nothing() {
    for framing in [Framing::LengthPrefix, Framing::Rfc8323] {
        let mut network = deaf(framing);
        // The begin of a message of 16,000 bytes.
        let begin = if framing == Framing::Rfc8323 { vec![0xe0, 0x3e, 0x80, 0x45] } else { vec![0, 0, 0x3e, 0x80] };
        let after = dead_after(&mut network, seconds(60), |network, number| {
            let byte = begin.get(number as usize).copied().unwrap_or(0x50);
            network.say_bytes(vec![byte], false);
        });
        assert_eq!(after, seconds(600), "{framing:?}: 570 s, looked at once a minute");
        assert_eq!(network.bench.connection.statistics().messages_received, 0);
    }
}

#[test]
fn resets_of_pings_never_sent_prove_nothing_and_make_no_work() {
    let mut network = deaf(Framing::Record);
    // The first ping's ID is not among these: it is not known before the ping, and no ID comes twice.
    let after = dead_after(&mut network, seconds(1), |network, number| {
        let id = 1 + number as u16;
        network.say(&ping::reset(id), false);
    });
    assert!((565..=571).contains(&after.as_secs()), "{after:?}");
    let statistics = network.bench.connection.statistics();
    assert_eq!((statistics.pings_sent, statistics.pings_answered, statistics.pings_lost), (1, 0, 1));
    assert!(network.rules.wake_ups <= 2 + network.rules.attempts, "{}", network.rules.wake_ups);
}

#[test]
fn a_server_that_closes_each_connection_at_once_is_not_hurried() {
    for framing in [Framing::Record, Framing::LengthPrefix, Framing::Rfc8323] {
        for seed in 0..50 {
            let mut network = Network::new(settings(framing), seed);
            network.server = Server::Closes;
            let waits = waits_of_a_day(&mut network, &[Status::ClosedByPeer]);
            assert_backoff_is_in_force(waits);
            let connections = network.bench.connection.statistics().connections;
            assert!(connections as usize <= waits + 1, "{connections}");
            // Never ready for a minute, it has failed once more each time.
            let failures = network.rules.waits.iter().map(|(failures, _)| *failures);
            assert!(failures.eq(0..waits as u32));
        }
    }
}
