//! The clocks of the system.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// The time since the system started, the time that it slept included: after a sleep every deadline is where it belongs.
pub fn now() -> Duration {
    duration(ClockId::Boottime)
}

/// Seconds since 1970, by the device's clock; 0 if it stands before that.
pub fn seconds_since_1970() -> i64 {
    i64::try_from(duration(ClockId::Realtime).as_secs()).unwrap_or(i64::MAX)
}

fn duration(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}
