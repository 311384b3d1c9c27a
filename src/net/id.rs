//! Tables by numbers that this library has given itself.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table by numbers that count up. Nobody else chooses them, so that no secret has to go into the hash.
pub(super) type ById<T> = HashMap<u64, T, BuildHasherDefault<IdHasher>>;

/// Spreads numbers by the golden ratio.
#[derive(Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn numbers_that_count_up_are_spread() {
        let hash = |number: u64| {
            let mut hasher = IdHasher::default();
            hasher.write_u64(number);
            hasher.finish()
        };
        // The table looks at the low bits for the place, and at the high ones to tell those of one place apart.
        assert_eq!((0..1024).map(|number| hash(number) & 1023).collect::<BTreeSet<_>>().len(), 1024);
        assert_eq!((0..128).map(|number| hash(number) >> 57).collect::<BTreeSet<_>>().len(), 128);
        let mut bytewise = IdHasher::default();
        bytewise.write(&[7]);
        assert_eq!(bytewise.finish(), hash(7));
    }
}
