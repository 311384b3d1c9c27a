//! The search for the longest interval, over the virtual network.

use super::network::Network;
use super::*;

fn searching() -> Settings {
    let mut settings = settings(Framing::LengthPrefix);
    settings.keepalive.adaptive = Some(BOUNDS);
    settings
}

/// A ready connection over a path that forgets after a silence.
fn forgetful(timer: Duration) -> Network {
    let mut network = Network::new(searching(), 7);
    network.path.timer = timer;
    network.pass(seconds(5));
    network
}

fn lost(network: &Network) -> u64 {
    network.bench.connection.statistics().pings_lost
}

#[test]
fn an_adaptive_keepalive_finds_the_path_s_timer_with_few_losses() {
    for timer in [100, 240, 350, 1800] {
        let mut network = forgetful(seconds(timer));
        network.pass(seconds(12 * 3600));
        let lost_by_then = lost(&network);
        assert!(lost_by_then <= 6, "{timer}: {lost_by_then}");
        let pings = network.bench.connection.statistics().pings_sent;
        network.pass(seconds(24 * 3600));
        assert_eq!(lost(&network), lost_by_then, "{timer}: it is settled");
        let pings = network.bench.connection.statistics().pings_sent - pings;
        let rate = pings as f64 / (24.0 * 3600.0 / timer as f64);
        assert!((1.0..1.25).contains(&rate), "{timer}: {rate} pings for each time that the path bears");
    }
}

#[test]
fn a_search_never_costs_a_message() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut network = forgetful(seconds(random.u64(61..500)));
        let mut sent = 0;
        while sent < 50 {
            network.pass(Duration::from_millis(random.u64(1..400_000)));
            // Without a connection a message is refused at once, as ever.
            if network.state() == State::Ready {
                sent += 1;
                network.send(sent);
            }
        }
        network.pass(seconds(3600));
        assert_eq!(network.bench.connection.statistics().messages_failed, 0, "seed {seed}");
        assert_eq!(network.reached, (1..=50).collect::<Vec<u16>>(), "seed {seed}");
    }
}

#[test]
fn what_a_network_bears_is_remembered_for_it() {
    let move_to = |network: &mut Network, number| {
        network.input(Input::NetworkChanged(Some(networks::Network(number))));
        network.bench.connection.networks()
    };
    let mut path = forgetful(seconds(240));
    move_to(&mut path, 1);
    path.pass(seconds(6 * 3600));
    let known = path.bench.connection.networks().get(networks::Network(1)).unwrap();
    assert!(known.proven > seconds(200) && known.broken.is_some());
    let other = move_to(&mut path, 2);
    assert_eq!(other.get(networks::Network(1)), Some(known));
    assert_eq!(other.get(networks::Network(2)).unwrap().proven, seconds(60));
    assert_eq!(move_to(&mut path, 1).get(networks::Network(1)), Some(known));
}

#[test]
fn a_network_that_went_down_is_not_taken_for_a_path_that_forgot() {
    for silence in [80, 90] {
        let mut network = forgetful(seconds(240));
        network.input(Input::NetworkChanged(Some(networks::Network(1))));
        network.pass(seconds(silence));
        let before = network.bench.connection.path();
        network.input(Input::Failed(network.link, Status::NetworkDown.into()));
        network.pass(seconds(50));
        assert_eq!(network.bench.connection.statistics().connections, 2, "{silence}");
        assert_eq!(network.bench.connection.path().1.unwrap().broken, before.1.unwrap().broken, "{silence}");
    }
}

#[test]
fn a_path_that_is_dead_after_the_network_changed_is_not_to_blame() {
    for changes in [false, true] {
        let (mut bench, link) = Bench::ready(searching());
        bench.now += seconds(80);
        if changes {
            bench.input(Input::NetworkChanged(None));
        } else {
            bench.input(Input::Ping);
        }
        assert_eq!(bench.written().len(), 1);
        bench.input(Input::Sent(link));
        bench.wait();
        assert_eq!(bench.waiting().0.status, Status::PathSilent);
        bench.wait();
        bench.input(Input::Connected(bench.link()));
        let broken = bench.connection.path().1.unwrap().broken;
        assert_eq!(broken, (!changes).then_some(seconds(80)));
    }
}

#[test]
fn a_fixed_interval_does_not_make_it_forget_what_was_found_out() {
    let mut network = forgetful(seconds(240));
    network.input(Input::NetworkChanged(Some(networks::Network(1))));
    network.pass(seconds(6 * 3600));
    let known = network.bench.connection.networks();
    assert!(known.get(networks::Network(1)).unwrap().proven > seconds(200));
    network.input(Input::SetKeepalive(Some(seconds(30))));
    assert_eq!(network.bench.connection.networks(), known);
    assert_eq!(network.bench.connection.statistics().keepalive_interval, Some(seconds(30)));
    network.input(Input::NetworkChanged(Some(networks::Network(2))));
    assert_eq!(network.bench.connection.networks(), known);
}
