//! How long to wait before the next attempt: exponential, with full jitter.

use std::time::Duration;

/// A connection that was ready for this long starts from the beginning when it drops.
pub const STABLE: Duration = Duration::from_secs(60);

/// The range of the waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The first wait is random from 0 to this, and the range doubles with each failure.
    pub base: Duration,
    /// No wait is longer.
    pub cap: Duration,
    /// The range of the first wait after the peer closed or reset an established connection: a server that restarts drops its whole
    /// fleet at once, and must not get half of it back in a second. Later ranges are no shorter, until a connection is stable again:
    /// a server that is not back yet refuses those who come too early, and would get all of them in its first seconds.
    pub peer_closed: Duration,
}

/// The failures in a row.
#[derive(Debug)]
pub struct Backoff {
    settings: Settings,
    failures: u32,
    /// The peer closed the connection with which the failures began.
    in_a_crowd: bool,
}

impl Backoff {
    /// No failure yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings, failures: 0, in_a_crowd: false }
    }

    /// How many failures there were since the beginning or the latest reset.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The connection worked for long enough.
    pub fn reset(&mut self) {
        self.failures = 0;
        self.in_a_crowd = false;
    }

    /// The wait after a failure: uniform in [0, min(cap, base × 2^n)], in a crowd at least in that of the first wait.
    pub fn next(&mut self, peer_closed: bool, random: &mut fastrand::Rng) -> Duration {
        self.in_a_crowd |= peer_closed && self.failures == 0;
        let doubled = 2u32
            .checked_pow(self.failures)
            .and_then(|factor| self.settings.base.checked_mul(factor))
            .unwrap_or(Duration::MAX);
        let range = if !self.in_a_crowd {
            doubled
        } else if self.failures == 0 {
            self.settings.peer_closed
        } else {
            doubled.max(self.settings.peer_closed)
        };
        self.failures = self.failures.saturating_add(1);
        let range = u64::try_from(range.min(self.settings.cap).as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(random.u64(0..=range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings {
        base: Duration::from_secs(2),
        cap: Duration::from_secs(14_400),
        peer_closed: Duration::from_secs(30),
    };

    /// The longest of many waits for the nth failure in a row comes close to the range and never passes it.
    fn longest(failures: u32, peer_closed: bool) -> f64 {
        let mut random = fastrand::Rng::with_seed(5);
        let waits = (0..2000).map(|_| {
            let mut backoff = Backoff { settings: SETTINGS, failures, in_a_crowd: false };
            backoff.next(peer_closed, &mut random).as_secs_f64()
        });
        let waits: Vec<f64> = waits.collect();
        let mean = waits.iter().sum::<f64>() / waits.len() as f64;
        let longest = waits.into_iter().fold(0.0, f64::max);
        assert!((mean / longest - 0.5).abs() < 0.05, "not uniform: mean {mean}, longest {longest}");
        longest
    }

    #[test]
    fn waits_are_uniform_and_their_range_doubles_up_to_the_cap() {
        for (failures, range) in
            [(0, 2.0), (1, 4.0), (2, 8.0), (10, 2048.0), (13, 14_400.0), (31, 14_400.0), (u32::MAX, 14_400.0)]
        {
            let longest = longest(failures, false);
            assert!(longest <= range && longest > range * 0.99, "{failures}: {longest}");
        }
    }

    #[test]
    fn the_first_wait_after_the_peer_closed_spreads_over_half_a_minute() {
        let first = longest(0, true);
        assert!(first > 29.0 && first <= 30.0, "{first}");
        assert!(longest(1, true) <= 4.0);
    }

    #[test]
    fn a_peer_that_closed_and_is_not_back_yet_is_not_hurried() {
        let mut random = fastrand::Rng::with_seed(5);
        let mut longest = [Duration::ZERO; 6];
        for _ in 0..2000 {
            let mut backoff = Backoff::new(SETTINGS);
            for (failure, longest) in longest.iter_mut().enumerate() {
                *longest = backoff.next(failure == 0, &mut random).max(*longest);
            }
            backoff.reset();
            assert!(backoff.next(false, &mut random) <= SETTINGS.base);
        }
        for (longest, range) in longest.into_iter().zip([30.0, 30.0, 30.0, 30.0, 32.0, 64.0]) {
            assert!(longest.as_secs_f64() <= range && longest.as_secs_f64() > range * 0.99, "{range}: {longest:?}");
        }
    }

    #[test]
    fn a_reset_begins_anew() {
        let mut backoff = Backoff::new(SETTINGS);
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..5 {
            backoff.next(false, &mut random);
        }
        assert_eq!(backoff.failures(), 5);
        backoff.reset();
        assert!(backoff.next(false, &mut random) <= SETTINGS.base);
    }
}
