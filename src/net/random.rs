//! Where random numbers begin.

use rustix::rand::{GetRandomFlags, getrandom};
use std::hash::{BuildHasher, RandomState};

/// A seed that nobody outside can guess, for jitter and message IDs.
pub fn seed() -> u64 {
    let mut bytes = [0; 8];
    match getrandom(&mut bytes, GetRandomFlags::empty()) {
        Ok(8) => u64::from_ne_bytes(bytes),
        // A kernel that gives none; the standard library has ways of its own.
        _ => RandomState::new().hash_one(0),
    }
}
