//! At which time a certificate's dates are judged.

/// When this library was built, or `SOURCE_DATE_EPOCH`, in seconds since 1970: no clock that is right stands before it.
pub const BUILD_DATE: i64 = parse(env!("MCC_BUILD_DATE"));

/// The time at which dates are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The device's clock.
    Set(i64),
    /// The device's clock was never set: what had expired when the library was built has expired, and nothing is too new.
    Unset,
}

impl Clock {
    /// The device's clock, which says this many seconds since 1970.
    pub fn new(now: i64) -> Self {
        if now < BUILD_DATE { Self::Unset } else { Self::Set(now) }
    }
}

const fn parse(digits: &str) -> i64 {
    let mut number = 0;
    let mut bytes = digits.as_bytes();
    while let [digit, rest @ ..] = bytes {
        assert!(digit.is_ascii_digit(), "build.rs writes digits only");
        number = number * 10 + (*digit - b'0') as i64;
        bytes = rest;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_the_build_was_never_set() {
        assert_eq!(parse("1700000000"), 1_700_000_000);
        assert_eq!(Clock::new(0), Clock::Unset);
        assert_eq!(Clock::new(BUILD_DATE - 1), Clock::Unset);
        assert_eq!(Clock::new(BUILD_DATE), Clock::Set(BUILD_DATE));
    }
}
