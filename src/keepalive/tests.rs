use super::*;

const INTERVAL: Duration = Duration::from_secs(540);
const TIMEOUT: Duration = Duration::from_secs(30);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn settings(answer: Answer, jitter_percent: u32) -> Settings {
    Settings { interval: Some(INTERVAL), jitter_percent, answer, adaptive: None }
}

fn over_tcp(jitter_percent: u32) -> Keepalive {
    let mut keepalive = Keepalive::new(settings(Answer::Within(TIMEOUT), jitter_percent), 1);
    keepalive.restart(Duration::ZERO, false);
    keepalive
}

fn is_ping(action: Action) -> bool {
    matches!(action, Action::SendPing { retransmission: false, .. })
}

#[test]
fn an_idle_path_is_pinged_once_an_interval_and_asks_for_nothing_between() {
    let mut keepalive = over_tcp(0);
    let mut now = Duration::ZERO;
    for _ in 0..1000 {
        let (action, next) = keepalive.poll(now);
        assert_eq!((action, next), (Action::Wait, Some(now + INTERVAL)));
        assert_eq!(keepalive.poll(now + INTERVAL - Duration::from_nanos(1)).0, Action::Wait);
        now += INTERVAL;
        let (action, next) = keepalive.poll(now);
        assert!(is_ping(action));
        assert_eq!(next, Some(now + TIMEOUT));
        assert_eq!(keepalive.on_received(now + seconds(1), Evidence::Answer), Some(seconds(1)));
        // The earlier of the two counts: the ping itself was sent a second before its answer came.
        assert_eq!(keepalive.poll(now + seconds(1)), (Action::Wait, Some(now + INTERVAL)));
    }
}

#[test]
fn traffic_both_ways_needs_no_ping_and_traffic_one_way_does() {
    for (sends, receives, pings) in [(true, true, false), (true, false, true), (false, true, true)] {
        let mut keepalive = over_tcp(10);
        let mut pinged = false;
        for now in (0..1000).map(seconds) {
            if sends {
                keepalive.on_sent(now);
            }
            if receives {
                keepalive.on_received(now, Evidence::Traffic);
            }
            pinged |= is_ping(keepalive.poll(now).0);
        }
        assert_eq!(pinged, pings, "sends {sends}, receives {receives}");
    }
}

#[test]
fn jitter_only_shortens_and_spreads_over_its_range() {
    let mut keepalive = over_tcp(10);
    let mut now = Duration::ZERO;
    let mut intervals = Vec::new();
    for _ in 0..2000 {
        let due = keepalive.poll(now).1.unwrap();
        intervals.push(due - now);
        now = due;
        assert!(is_ping(keepalive.poll(now).0));
        keepalive.on_received(now, Evidence::Answer);
    }
    let (shortest, longest) = (intervals.iter().min().unwrap(), intervals.iter().max().unwrap());
    assert!(*shortest >= seconds(486) && *shortest < seconds(487), "{shortest:?}");
    assert!(*longest <= INTERVAL && *longest > seconds(539), "{longest:?}");
    let mean = intervals.iter().sum::<Duration>() / 2000;
    assert!(mean > seconds(511) && mean < seconds(515), "{mean:?}");
}

#[test]
fn any_valid_message_proves_the_path_and_anything_else_does_not() {
    for (evidence, dead) in [(Evidence::Answer, false), (Evidence::Traffic, false), (Evidence::None, true)] {
        let mut keepalive = over_tcp(0);
        assert!(is_ping(keepalive.poll(INTERVAL).0));
        keepalive.on_received(INTERVAL + seconds(29), evidence);
        assert_eq!(keepalive.poll(INTERVAL + TIMEOUT).0 == Action::PathDead, dead, "{evidence:?}");
    }
}

#[test]
fn an_answer_after_other_traffic_still_tells_its_round_trip_time() {
    let mut keepalive = over_tcp(0);
    let Action::SendPing { message_id, .. } = keepalive.poll(INTERVAL).0 else { panic!() };
    assert_eq!(keepalive.on_received(INTERVAL + seconds(1), Evidence::Traffic), None);
    assert_eq!(keepalive.unanswered(), Some(message_id));
    assert_eq!(keepalive.on_received(INTERVAL + seconds(2), Evidence::Answer), Some(seconds(2)));
    assert_eq!(keepalive.unanswered(), None);
    assert_eq!(keepalive.on_received(INTERVAL + seconds(3), Evidence::Answer), None);
}

#[test]
fn a_dead_path_stays_dead_until_a_new_connection_stands() {
    let mut keepalive = over_tcp(0);
    keepalive.poll(INTERVAL);
    let now = INTERVAL + TIMEOUT;
    assert_eq!(keepalive.poll(now), (Action::PathDead, None));
    keepalive.on_received(now, Evidence::Traffic);
    assert_eq!(keepalive.poll(now).0, Action::PathDead);
    keepalive.restart(now + seconds(100), false);
    assert_eq!(keepalive.poll(now + seconds(100)), (Action::Wait, Some(now + seconds(100) + INTERVAL)));
}

#[test]
fn a_ping_that_cannot_be_sent_is_a_lost_one() {
    let mut keepalive = over_tcp(0);
    assert!(!keepalive.on_send_failed(seconds(1)));
    assert!(is_ping(keepalive.poll(INTERVAL).0));
    assert!(keepalive.on_send_failed(INTERVAL));
    assert_eq!(keepalive.poll(INTERVAL).0, Action::PathDead);
}

#[test]
fn a_ping_can_be_asked_for_and_one_outstanding_serves_for_it() {
    let mut keepalive = over_tcp(0);
    keepalive.ping();
    assert_eq!(keepalive.deadline(), Some(Duration::ZERO));
    let Action::SendPing { message_id: first, .. } = keepalive.poll(seconds(5)).0 else { panic!() };
    keepalive.ping();
    assert_eq!(keepalive.poll(seconds(6)).0, Action::Wait);
    keepalive.on_received(seconds(7), Evidence::Answer);
    keepalive.ping();
    let Action::SendPing { message_id: second, .. } = keepalive.poll(seconds(8)).0 else { panic!() };
    assert_eq!(second, first.wrapping_add(1));
}

#[test]
fn off_means_no_ping_but_those_asked_for_and_a_change_counts_from_the_latest_traffic() {
    let mut keepalive = over_tcp(0);
    keepalive.set_interval(None);
    assert_eq!(keepalive.poll(seconds(1 << 40)), (Action::Wait, None));
    keepalive.ping();
    assert!(is_ping(keepalive.poll(seconds(1 << 40)).0));

    let mut keepalive = over_tcp(0);
    keepalive.set_interval(Some(seconds(60)));
    assert_eq!(keepalive.poll(seconds(10)).1, Some(seconds(60)));
    keepalive.set_interval(Some(seconds(5)));
    assert!(is_ping(keepalive.poll(seconds(10)).0));
}

#[test]
fn time_that_goes_back_changes_nothing() {
    let mut keepalive = over_tcp(0);
    assert_eq!(keepalive.poll(seconds(100)).0, Action::Wait);
    keepalive.on_sent(seconds(50));
    keepalive.on_received(seconds(50), Evidence::Traffic);
    assert_eq!(keepalive.poll(seconds(0)), (Action::Wait, Some(seconds(100) + INTERVAL)));
    let mut latest = Keepalive::new(settings(Answer::Within(TIMEOUT), 0), 1);
    latest.restart(Duration::MAX, false);
    assert_eq!(
        latest.poll(Duration::MAX).0,
        Action::SendPing { message_id: latest.unanswered().unwrap(), retransmission: false }
    );
}

/// A loss is likely there, and unnoticed it costs reachability.
#[test]
fn a_trial_of_a_longer_silence_is_given_up_sooner_where_round_trips_are_short() {
    let (floor, ceiling) = (seconds(60), seconds(3600));
    let bounds = Bounds { floor, ceiling, step_percent: 150, margin_percent: 5 };
    let settings = Settings { adaptive: Some(bounds), ..settings(Answer::Within(TIMEOUT), 0) };
    for (round_trip, patience) in [(1, 5), (3, 12), (8, 30)].map(|(a, b)| (seconds(a), seconds(b))) {
        let mut keepalive = Keepalive::new(settings, 1);
        keepalive.restart(Duration::ZERO, false);
        let first = keepalive.deadline().unwrap();
        assert_eq!(first, seconds(90));
        assert!(is_ping(keepalive.poll(first).0));
        assert_eq!(keepalive.deadline(), Some(first + TIMEOUT), "nothing is known of round trips yet");
        keepalive.on_received(first + round_trip, Evidence::Answer);
        let second = keepalive.deadline().unwrap();
        assert!(is_ping(keepalive.poll(second).0));
        assert_eq!(keepalive.deadline(), Some(second + patience), "{round_trip:?}");
        assert_eq!(keepalive.poll(second + patience).0, Action::PathDead);

        keepalive.restart(second + patience, true);
        keepalive.set_knowledge(None);
        let third = keepalive.deadline().unwrap();
        assert!(is_ping(keepalive.poll(third).0));
        assert_eq!(keepalive.deadline(), Some(third + TIMEOUT), "another path");
    }
}

/// RFC 7252 section 4.2: the first timeout is 2 to 3 s, each next one twice as long, four retransmissions.
#[test]
fn over_datagrams_a_ping_is_retransmitted_with_the_same_message_id() {
    for seed in 0..200 {
        let mut keepalive = Keepalive::new(settings(Answer::Retransmitted, 0), seed);
        keepalive.restart(Duration::ZERO, false);
        let Action::SendPing { message_id, .. } = keepalive.poll(INTERVAL).0 else { panic!() };
        let (mut now, mut gaps) = (INTERVAL, Vec::new());
        loop {
            let next = keepalive.deadline().unwrap();
            assert_eq!(keepalive.poll(next - Duration::from_nanos(1)).0, Action::Wait);
            gaps.push(next - now);
            now = next;
            match keepalive.poll(now).0 {
                Action::SendPing { message_id: again, retransmission: true } => assert_eq!(again, message_id),
                Action::PathDead => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(gaps.len(), 5);
        assert!(gaps[0] >= seconds(2) && gaps[0] <= seconds(3), "{gaps:?}");
        for (index, gap) in gaps.iter().enumerate() {
            assert_eq!(*gap, gaps[0] * (1 << index));
        }
        // RFC 7252 section 4.8.2: MAX_TRANSMIT_WAIT is 93 s.
        assert!(now - INTERVAL <= seconds(93));
    }
}

#[test]
fn the_round_trip_time_counts_from_the_latest_transmission() {
    let mut keepalive = Keepalive::new(settings(Answer::Retransmitted, 0), 3);
    keepalive.restart(Duration::ZERO, false);
    keepalive.poll(INTERVAL);
    let again = keepalive.deadline().unwrap();
    keepalive.poll(again);
    assert_eq!(keepalive.on_received(again + seconds(1), Evidence::Answer), Some(seconds(1)));
    assert_eq!(keepalive.poll(again + seconds(1)).0, Action::Wait);

    let mut keepalive = over_tcp(0);
    keepalive.poll(INTERVAL);
    keepalive.on_ping_written(INTERVAL + seconds(2));
    assert_eq!(keepalive.on_received(INTERVAL + seconds(3), Evidence::Answer), Some(seconds(1)));
}

/// The number of the contract, over random traffic, interval, timeout and jitter: once nothing comes in any more, the path is
/// reported dead at most one interval and one timeout later.
#[test]
fn a_dead_path_is_seen_in_time_over_random_schedules() {
    for seed in 0..2000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let interval = seconds(random.u64(1..1000));
        let timeout = seconds(random.u64(1..60));
        let settings = Settings {
            interval: Some(interval),
            jitter_percent: random.u32(0..=50),
            answer: Answer::Within(timeout),
            adaptive: None,
        };
        let mut keepalive = Keepalive::new(settings, seed);
        keepalive.restart(Duration::ZERO, false);
        let death = Duration::from_millis(random.u64(0..5_000_000));
        let round_trip = Duration::from_millis(random.u64(1..1000)).min(timeout / 2);
        let (mut now, mut answer, mut died) = (Duration::ZERO, None::<Duration>, None);
        while died.is_none() {
            let traffic = now + Duration::from_millis(random.u64(1..2_000_000));
            let next = keepalive.deadline().unwrap().min(traffic).min(answer.unwrap_or(Duration::MAX));
            now = next;
            if answer.is_some_and(|at| at <= now) {
                answer = None;
                keepalive.on_received(now, Evidence::Answer);
            }
            if now == traffic {
                if random.bool() {
                    keepalive.on_sent(now);
                } else if now < death {
                    keepalive.on_received(now, Evidence::Traffic);
                }
            }
            match keepalive.poll(now).0 {
                Action::SendPing { .. } if now + round_trip < death => answer = Some(now + round_trip),
                Action::PathDead => died = Some(now),
                _ => {}
            }
        }
        let died = died.unwrap();
        assert!(died >= death.saturating_sub(round_trip), "seed {seed}: reported {died:?} while it lived to {death:?}");
        assert!(died <= death + interval + timeout, "seed {seed}: died {death:?}, reported {died:?}");
    }
}
