//! Estimates of the network's speed, which the client spreads its messages by.

use super::keeping_errno;
use crate::settings::{PAL_DEFAULT_RTT_ESTIMATE, PAL_DEFAULT_STAGGER_ESTIMATE};
use std::sync::atomic::{AtomicU32, Ordering};

/// What [`FIXED_STAGGER_ESTIMATE`] holds while nothing is set: no `u16`.
const NOT_SET: u32 = u32::MAX;

static FIXED_STAGGER_ESTIMATE: AtomicU32 = AtomicU32::new(NOT_SET);

/// The round-trip time to expect, in seconds: `PAL_DEFAULT_RTT_ESTIMATE`, 3 unless configured. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn pal_getRttEstimate() -> u8 {
    PAL_DEFAULT_RTT_ESTIMATE
}

/// The seconds to leave between messages, for `data_amount` KiB: what `pal_setFixedStaggerEstimate` has set, else
/// `PAL_DEFAULT_STAGGER_ESTIMATE`, 0 unless configured; the amount makes no difference. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn pal_getStaggerEstimate(data_amount: u16) -> u16 {
    let _ = data_amount;
    keeping_errno(PAL_DEFAULT_STAGGER_ESTIMATE, || {
        u16::try_from(FIXED_STAGGER_ESTIMATE.load(Ordering::Relaxed)).unwrap_or(PAL_DEFAULT_STAGGER_ESTIMATE)
    })
}

/// Sets what `pal_getStaggerEstimate` gives, in seconds. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn pal_setFixedStaggerEstimate(stagger_estimate: u16) {
    keeping_errno((), || FIXED_STAGGER_ESTIMATE.store(stagger_estimate.into(), Ordering::Relaxed));
}
