//! Where random numbers begin.

use super::clock;
use rustix::fs::{Mode, OFlags};
use rustix::rand::{GetRandomFlags, getrandom};

/// A seed that nobody outside can guess, for jitter and message IDs.
pub fn seed() -> u64 {
    let mut bytes = [0; 8];
    match getrandom(&mut bytes, GetRandomFlags::empty()) {
        Ok(8) => u64::from_ne_bytes(bytes),
        // A kernel before 3.17.
        _ => match rustix::fs::open(c"/dev/urandom", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .and_then(|device| rustix::io::read(&device, &mut bytes))
        {
            Ok(8) => u64::from_ne_bytes(bytes),
            _ => clock::now().as_nanos() as u64,
        },
    }
}
