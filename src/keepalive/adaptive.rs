//! Finds how long a path bears silence, so that pings are as rare as they can be.
//!
//! A ping that is answered after a silence proves that the path bears it. One that is lost, while a new connection stands at the first
//! attempt, shows that it does not: where a new connection fails too, the network was down and nothing was learnt. The search goes up
//! in steps until a silence is not borne, then halves what lies between.
//!
//! From the moment when the path forgets to the end of the silence that is tried the device cannot be reached. That is why no step is
//! longer than the floor: a loss goes unnoticed no longer than at a fixed interval of the floor's length. Long steps would save
//! little, as the pings are rare up there.

use std::time::Duration;

/// The search ends when what is proven and what is not borne are this close: a twentieth of the latter, but not under a second.
const CLOSE_ENOUGH_DIVISOR: u32 = 20;
const CLOSE_ENOUGH: Duration = Duration::from_secs(1);

/// After so many pings lost in a row at a silence that was proven, the path is another one.
const LOST_IN_A_ROW: u32 = 2;

/// Within what the interval is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// A silence that the path is known to bear: the first interval, and the shortest.
    pub floor: Duration,
    /// The longest interval.
    pub ceiling: Duration,
    /// The next silence to try is this many percent of the longest proven one, but no more than the floor longer; more than 100.
    pub step_percent: u32,
    /// By how many percent the interval stays below the longest proven silence; less than 100.
    pub margin_percent: u32,
}

/// What is known of a path. It can be kept across a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Knowledge {
    /// The longest silence after which a ping was answered.
    pub proven: Duration,
    /// The shortest longer one after which it was lost.
    pub broken: Option<Duration>,
}

/// The search.
#[derive(Debug)]
pub struct Adaptive {
    bounds: Bounds,
    knowledge: Knowledge,
    /// The silence before a loss that may have been the path's doing.
    suspect: Option<Duration>,
    lost_in_a_row: u32,
}

impl Adaptive {
    /// A search that begins where an earlier one of the same path ended, or at the floor.
    pub fn new(bounds: Bounds, knowledge: Option<Knowledge>) -> Self {
        let mut adaptive = Self {
            bounds,
            knowledge: Knowledge { proven: bounds.floor, broken: None },
            suspect: None,
            lost_in_a_row: 0,
        };
        adaptive.start_over(knowledge);
        adaptive
    }

    /// The path is another one.
    pub fn start_over(&mut self, knowledge: Option<Knowledge>) {
        let floor = self.bounds.floor;
        let Knowledge { proven, broken } = knowledge.unwrap_or(Knowledge { proven: floor, broken: None });
        let proven = proven.clamp(floor, self.bounds.ceiling.max(floor));
        self.knowledge = Knowledge { proven, broken: broken.filter(|broken| *broken > proven) };
        self.suspect = None;
        self.lost_in_a_row = 0;
    }

    /// What is known by now.
    pub fn knowledge(&self) -> Knowledge {
        self.knowledge
    }

    /// The interval now: the next silence to try, or once the search is over the safe one.
    pub fn interval(&self) -> Duration {
        if self.is_searching() { self.next() } else { self.safe() }
    }

    /// The longest silence that is known to do no harm.
    pub fn safe(&self) -> Duration {
        let margin = self.knowledge.proven / 100 * self.bounds.margin_percent;
        (self.knowledge.proven - margin).max(self.bounds.floor)
    }

    /// Whether a longer silence is being tried.
    pub fn is_searching(&self) -> bool {
        let Knowledge { proven, broken } = self.knowledge;
        let gap = broken.map(|broken| (broken - proven, (broken / CLOSE_ENOUGH_DIVISOR).max(CLOSE_ENOUGH)));
        proven < self.bounds.ceiling && gap.is_none_or(|(gap, enough)| gap > enough)
    }

    fn next(&self) -> Duration {
        let Knowledge { proven, broken } = self.knowledge;
        let step = proven.saturating_mul(self.bounds.step_percent) / 100;
        let step = step.min(proven.saturating_add(self.bounds.floor));
        let middle = broken.map_or(Duration::MAX, |broken| proven + (broken - proven) / 2);
        step.min(middle).min(self.bounds.ceiling)
    }

    /// The path was proven after this silence.
    pub fn on_borne(&mut self, silence: Duration) {
        self.lost_in_a_row = 0;
        self.suspect = None;
        let Knowledge { proven, broken } = &mut self.knowledge;
        *proven = (*proven).max(silence.min(self.bounds.ceiling));
        if broken.is_some_and(|broken| broken <= *proven) {
            *broken = None;
        }
    }

    /// Nothing came back after this silence, or the connection broke at the end of it.
    pub fn on_lost(&mut self, silence: Duration) {
        self.suspect = Some(silence);
    }

    /// What was lost was not the path's doing.
    pub fn acquit(&mut self) {
        self.suspect = None;
    }

    /// A new connection stands; `at_once`: at the first attempt after the earlier one was lost.
    pub fn on_connected(&mut self, at_once: bool) {
        let Some(silence) = self.suspect.take().filter(|_| at_once) else { return };
        if silence > self.knowledge.proven {
            let broken = self.knowledge.broken.map_or(silence, |broken| broken.min(silence));
            self.knowledge.broken = Some(broken);
            return;
        }
        // After a short silence it was not the silence.
        if silence < self.safe() / 2 {
            return;
        }
        self.lost_in_a_row += 1;
        if self.lost_in_a_row == LOST_IN_A_ROW {
            let broken = Some(silence).filter(|silence| *silence > self.bounds.floor);
            self.start_over(Some(Knowledge { proven: self.bounds.floor, broken }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        floor: Duration::from_secs(60),
        ceiling: Duration::from_secs(3600),
        step_percent: 150,
        margin_percent: 5,
    };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Tries intervals on a path that forgets after `timer`, until the search is over. Gives the losses.
    fn search(adaptive: &mut Adaptive, timer: Duration) -> Vec<Duration> {
        let mut losses = Vec::new();
        for _ in 0..100 {
            if !adaptive.is_searching() {
                return losses;
            }
            let silence = adaptive.interval();
            if silence < timer {
                adaptive.on_borne(silence);
            } else {
                adaptive.on_lost(silence);
                adaptive.on_connected(true);
                losses.push(silence);
            }
        }
        panic!("no end of it: {adaptive:?}");
    }

    #[test]
    fn the_interval_comes_close_to_the_path_s_timer_and_stays_below_it() {
        for timer in [61, 120, 240, 350, 1200, 3599] {
            let mut adaptive = Adaptive::new(BOUNDS, None);
            let losses = search(&mut adaptive, seconds(timer));
            let interval = adaptive.interval();
            assert!(interval < seconds(timer), "{timer}: {interval:?}");
            assert!(interval.as_secs_f64() >= (timer as f64 * 0.89).max(60.0), "{timer}: {interval:?}");
            assert!(losses.len() <= 6, "{timer}: {losses:?}");
        }
        let mut adaptive = Adaptive::new(BOUNDS, None);
        assert_eq!(search(&mut adaptive, seconds(100_000)), []);
        assert_eq!(adaptive.interval(), seconds(3600) / 100 * 95, "the ceiling, less the margin");
    }

    #[test]
    fn no_step_is_longer_than_the_floor() {
        for timer in [61, 100, 240, 350, 700, 3599] {
            let mut adaptive = Adaptive::new(BOUNDS, None);
            for loss in search(&mut adaptive, seconds(timer)) {
                assert!(loss <= seconds(timer) + BOUNDS.floor, "{timer}: {loss:?}");
            }
        }
    }

    #[test]
    fn a_network_that_was_down_teaches_nothing() {
        let mut adaptive = Adaptive::new(BOUNDS, None);
        adaptive.on_borne(seconds(90));
        adaptive.on_lost(seconds(135));
        adaptive.on_connected(false);
        assert_eq!(adaptive.knowledge(), Knowledge { proven: seconds(90), broken: None });
        for _ in 0..9 {
            adaptive.on_lost(seconds(90));
            adaptive.on_connected(false);
        }
        assert_eq!(adaptive.knowledge().proven, seconds(90));
    }

    #[test]
    fn two_losses_in_a_row_at_what_was_proven_begin_anew() {
        let mut adaptive = Adaptive::new(BOUNDS, None);
        let _ = search(&mut adaptive, seconds(350));
        let interval = adaptive.interval();
        adaptive.on_lost(interval);
        adaptive.on_connected(true);
        adaptive.on_borne(interval);
        adaptive.on_lost(interval);
        adaptive.on_connected(true);
        assert_eq!(adaptive.interval(), interval, "one was an accident");
        adaptive.on_lost(interval);
        adaptive.on_connected(true);
        assert_eq!(adaptive.knowledge(), Knowledge { proven: seconds(60), broken: Some(interval) });
        let losses = search(&mut adaptive, seconds(100));
        assert!(adaptive.interval() < seconds(100) && adaptive.interval() > seconds(80), "{adaptive:?}");
        assert!(losses.len() <= 6);
    }

    #[test]
    fn what_was_known_is_taken_up_again_within_the_bounds() {
        let known = Knowledge { proven: seconds(300), broken: Some(seconds(310)) };
        let adaptive = Adaptive::new(BOUNDS, Some(known));
        assert_eq!(adaptive.knowledge(), known);
        assert!(!adaptive.is_searching());
        let silly = Knowledge { proven: seconds(1), broken: Some(seconds(2)) };
        let adaptive = Adaptive::new(BOUNDS, Some(silly));
        assert_eq!(adaptive.knowledge(), Knowledge { proven: seconds(60), broken: None });
        let long = Knowledge { proven: Duration::MAX, broken: None };
        assert_eq!(Adaptive::new(BOUNDS, Some(long)).interval(), seconds(3600) / 100 * 95);
    }
}
