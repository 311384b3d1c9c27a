//! When a Confirmable message over datagrams goes out again (RFC 7252 section 4.2).

use std::time::Duration;

/// RFC 7252 section 4.8.
const ACK_TIMEOUT: Duration = Duration::from_secs(2);
/// RFC 7252 section 4.8.
const ACK_RANDOM_FACTOR: f64 = 1.5;
/// RFC 7252 section 4.8.
const MAX_RETRANSMIT: u32 = 4;

/// The retransmissions of one message.
#[derive(Debug)]
pub(super) struct Retransmission {
    timeout: Duration,
    next: Duration,
    count: u32,
}

impl Retransmission {
    /// Begins with the first transmission. `random` is uniform in [0, 1).
    pub(super) fn new(now: Duration, random: f64) -> Self {
        // "the initial timeout is set to a random duration (often not an integral number of seconds) between ACK_TIMEOUT and
        // (ACK_TIMEOUT * ACK_RANDOM_FACTOR)"
        let timeout = ACK_TIMEOUT.mul_f64(1.0 + random * (ACK_RANDOM_FACTOR - 1.0));
        Self { timeout, next: now.saturating_add(timeout), count: 0 }
    }

    /// When the next one is due; none: all are out.
    pub(super) fn due(&self) -> Option<Duration> {
        (self.count < MAX_RETRANSMIT).then_some(self.next)
    }

    /// When the attempt is given up if nothing comes back: the last timeout has passed too. Fixed from the first transmission on.
    pub(super) fn end(&self) -> Duration {
        let all_timeouts = self.timeout * ((1 << (MAX_RETRANSMIT + 1)) - 1);
        (self.next - self.timeout).saturating_add(all_timeouts)
    }

    /// Whether one is due now; it then counts as sent, and its timeout is twice as long.
    pub(super) fn take(&mut self, now: Duration) -> bool {
        if self.due().is_none_or(|due| now < due) {
            return false;
        }
        self.count += 1;
        self.next = self.next.saturating_add(self.timeout * (1 << self.count));
        true
    }
}
