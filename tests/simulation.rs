//! The targets of the simulation, held by a small fleet; `script/simulate` has the large one.

#[path = "../benches/simulate/model.rs"]
#[allow(dead_code, reason = "script/simulate prints more of it")]
mod model;

use mbed_cloud_connectivity::connection::Transport;
use model::{Afterwards, Outcome, Path, Strategy, Timeline, read_paths, run};
use std::time::Duration;

/// So many, because chance decides how long a device waits at the end of the outage.
const DEVICES: u64 = 900;
const SEED: u64 = 1;

fn default_fleet() -> Vec<Path> {
    read_paths(include_str!("../benches/fleets/default.txt")).unwrap()
}

fn days(days: u32) -> Duration {
    Duration::from_secs(86_400) * days
}

fn outcome(strategy: Strategy, timeline: &Timeline) -> Outcome {
    println!("{}: seed {SEED}", strategy.name());
    run(&default_fleet(), strategy, DEVICES, timeline, SEED)
}

#[test]
fn adaptive_reaches_what_a_fixed_minute_does_with_a_quarter_of_the_pings_over_tcp_and_more_over_udp() {
    let (paths, timeline) = (default_fleet(), Timeline::new(days(1) / 2, Duration::ZERO));
    let (fixed, adaptive) = (outcome(Strategy::Fixed(60), &timeline), outcome(Strategy::Adaptive, &timeline));
    let tcp = |outcome: &Outcome| outcome.sum(&paths, |path| path.transport == Transport::Tcp);
    let udp = |outcome: &Outcome| outcome.sum(&paths, |path| path.transport == Transport::Udp);
    let reachability = (tcp(&adaptive).reachability(), tcp(&fixed).reachability());
    assert!(reachability.0 >= reachability.1, "TCP: {reachability:?}");
    assert!(reachability.1 < 0.99, "the fixed minute notices no outage: {reachability:?}");
    let pings = (tcp(&adaptive).pings_a_day(), tcp(&fixed).pings_a_day());
    assert!(pings.0 <= pings.1 / 4.0, "TCP: {pings:?}");
    let reachability = (udp(&adaptive).reachability(), udp(&fixed).reachability());
    assert!(reachability.0 > 0.97 && reachability.1 < 0.6, "UDP: {reachability:?}");
}

#[test]
fn a_restart_of_the_server_does_not_bring_the_fleet_back_at_once() {
    // More devices and little time, as it is the crowd that counts.
    let (devices, paths) = (5000, default_fleet());
    for away in [0, 5, 10, 30, 60] {
        let timeline = Timeline::new(Duration::from_secs(2700), Duration::from_secs(away));
        let outcome = run(&paths, Strategy::Adaptive, devices, &timeline, SEED);
        let begin = timeline.restart.start.as_secs() as usize;
        let again: u32 = outcome.taken[begin..begin + 400].iter().sum();
        assert!(u64::from(again) > devices * 9 / 10, "only {again} came back after {away} s");
        let peak = outcome.peak(timeline.restart.start, 400);
        assert!(u64::from(peak) < devices / 20, "{peak} in one second after {away} s");
    }
}

#[test]
fn the_same_seed_gives_the_same_outcome_and_another_one_another() {
    let (paths, timeline) = (default_fleet(), Timeline::new(days(1) / 4, Duration::ZERO));
    let life = |seed| {
        let outcome = run(&paths, Strategy::Adaptive, 30, &timeline, seed);
        let sum = outcome.sum(&paths, |_| true);
        (sum.reachable, sum.pings, sum.attempts, outcome.taken)
    };
    assert_eq!(life(1), life(1));
    assert_ne!(life(1), life(2));
}

/// Without a restart, an outage and losses worth speaking of, what a path does is known beforehand.
#[test]
fn a_path_that_forgets_before_the_ping_makes_the_device_unreachable_until_then() {
    let timeline = Timeline { end: days(1), restart: days(2)..days(2), outage: days(2)..days(2) };
    for (line, share) in [
        // The timer by the mean interval, 513 s, and half the time for a new connection.
        ("1 tcp 240 drop -", 240.0 / (513.0 + 30.0 + 2.0)),
        // A reset comes in place of the 30 s of silence, but the device waits 15 s before it comes back.
        ("1 tcp 240 reset -", 240.0 / (513.0 + 15.0 + 1.0)),
        ("1 udp 30 new -", 30.0 / 513.0),
        ("1 tcp 600 drop -", 1.0),
        ("1 udp 600 new -", 1.0),
    ] {
        let paths = read_paths(line).unwrap();
        let outcome = run(&paths, Strategy::Fixed(540), 50, &timeline, SEED);
        let reachability = outcome.totals[0].reachability();
        assert!((reachability - share).abs() < 0.01, "{line}: {reachability}, not {share}");
    }
}

#[test]
fn the_fleets_are_read_and_what_is_no_path_is_refused() {
    let figures = read_paths(include_str!("../benches/fleets/figures.txt")).unwrap();
    assert_eq!(figures.len(), 17);
    assert!(figures.iter().any(|path| path.afterwards == Afterwards::Reset && path.timer_s == (350, 350)));
    for line in
        ["1 udp 30 drop -", "1 sctp 30 new -", "1 tcp 0 drop -", "1 tcp 9-8 drop -", "x tcp 9 drop -", "1 tcp 9"]
    {
        assert!(read_paths(line).is_err(), "{line}");
    }
}
