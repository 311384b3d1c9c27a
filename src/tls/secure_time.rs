//! By which time a server's certificates are judged, and what this device's clock learns from the server.
//!
//! A server of TLS 1.2 may put its time into the first four bytes of ServerHello.random (RFC 5246 section 7.4.1.2). Whoever can make
//! those bytes up still has to show a chain that verifies at the time they name.

use super::time::{BUILD_DATE, Clock};
use mbed_cloud_connectivity_mbedtls::VerifyFlags;
use mbed_cloud_connectivity_mbedtls::verify::Verification;

/// A clock that is set follows a server that is not the trusted time server by this many seconds at most.
pub const MAX_CORRECTION_S: i64 = 24 * 60 * 60;

/// A certificate authority by its key: the P-256 point in compressed form (SEC 1 section 2.3.3).
pub type AuthorityId = [u8; 33];

/// How much the device may rely on a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// Any server of a chain that verifies said it.
    Weak,
    /// The trusted time server said it.
    Strong,
}

/// What was decided about a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Why it is refused; none: accepted.
    pub flags: VerifyFlags,
    /// The server's time, where only that one made the chain good.
    pub judged_at: Option<i64>,
    /// The time that the device's clock is told.
    pub pass_on: Option<(Strength, i64)>,
}

impl Decision {
    fn by_own_clock(flags: VerifyFlags) -> Self {
        Self { flags, judged_at: None, pass_on: None }
    }
}

/// What is known of a chain, apart from this device.
pub trait Chain {
    /// The verdict with all dates judged at a time.
    fn flags_at(&self, time: i64) -> VerifyFlags;
    /// What the server put where its time may stand; none outside TLS 1.2.
    fn server_time(&self) -> Option<i64>;
    /// The authority that the chain ends with, if its key is of P-256.
    fn authority(&self) -> Option<AuthorityId>;
}

/// Decides over a chain. `trusted` is the authority of the trusted time server, if there is one.
pub fn decide(chain: &dyn Chain, clock: Clock, trusted: Option<AuthorityId>) -> Decision {
    let is_plausible = |time: &i64| *time >= BUILD_DATE && chain.flags_at(*time).is_empty();
    let plausible = chain.server_time().filter(is_plausible);
    let is_trusted = trusted.is_some() && chain.authority() == trusted;
    let strength = if is_trusted { Strength::Strong } else { Strength::Weak };
    let at_server_time =
        |time| Decision { flags: VerifyFlags::NONE, judged_at: Some(time), pass_on: Some((strength, time)) };
    match (clock, plausible) {
        (Clock::Unset, Some(time)) => at_server_time(time),
        (Clock::Unset, None) => Decision::by_own_clock(super::verify::without_a_clock(|time| chain.flags_at(time))),
        (Clock::Set(now), plausible) => {
            let flags = chain.flags_at(now);
            let is_near = |time: &i64| now.abs_diff(*time) <= MAX_CORRECTION_S.unsigned_abs();
            match plausible {
                _ if flags.is_empty() => {
                    let pass_on = plausible.filter(|time| is_trusted || is_near(time)).map(|time| (strength, time));
                    Decision { pass_on, ..Decision::by_own_clock(flags) }
                }
                Some(time) if is_a_matter_of_the_clock(flags, is_trusted) => at_server_time(time),
                _ => Decision::by_own_clock(flags),
            }
        }
    }
}

/// Whether a later clock would do; with the trusted time server, or an earlier one.
fn is_a_matter_of_the_clock(flags: VerifyFlags, is_trusted: bool) -> bool {
    let future = VerifyFlags::BADCERT_FUTURE | VerifyFlags::BADCRL_FUTURE;
    let expired = VerifyFlags::BADCERT_EXPIRED | VerifyFlags::BADCRL_EXPIRED;
    flags.without(future).is_empty() || (is_trusted && flags.without(expired).is_empty())
}

impl Chain for Verification<'_> {
    fn flags_at(&self, time: i64) -> VerifyFlags {
        Verification::flags_at(self, time)
    }

    fn server_time(&self) -> Option<i64> {
        let random = self.server_random()?;
        Some(u32::from_be_bytes([random[0], random[1], random[2], random[3]]).into())
    }

    fn authority(&self) -> Option<AuthorityId> {
        authority_id(&self.chain().last()?.certificate.public_key)
    }
}

/// The SubjectPublicKeyInfo of a key on P-256 (RFC 5480 section 2), up to the point itself: uncompressed, or compressed.
const P256_UNCOMPRESSED: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE,
    0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const P256_COMPRESSED: [u8; 26] = [
    0x30, 0x39, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE,
    0x3D, 0x03, 0x01, 0x07, 0x03, 0x22, 0x00,
];

fn authority_id(public_key: &[u8]) -> Option<AuthorityId> {
    if let Some(point) = public_key.strip_prefix(&P256_COMPRESSED) {
        return point.try_into().ok();
    }
    let point: &[u8; 65] = public_key.strip_prefix(&P256_UNCOMPRESSED)?.try_into().ok()?;
    let mut id = [0; 33];
    // The last bit of y tells which of the two points with this x it is.
    id[0] = 2 | (point[64] & 1);
    id[1..].copy_from_slice(&point[1..33]);
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60;
    const YEAR: i64 = 365 * DAY;
    /// The true time in these tests.
    const TRUE_TIME: i64 = BUILD_DATE + 2 * YEAR;
    const ID: AuthorityId = [3; 33];

    struct Made {
        valid: (i64, i64),
        server_time: Option<i64>,
    }

    impl Chain for Made {
        fn flags_at(&self, time: i64) -> VerifyFlags {
            if time < self.valid.0 {
                VerifyFlags::BADCERT_FUTURE
            } else if time > self.valid.1 {
                VerifyFlags::BADCERT_EXPIRED
            } else {
                VerifyFlags::NONE
            }
        }

        fn server_time(&self) -> Option<i64> {
            self.server_time
        }

        fn authority(&self) -> Option<AuthorityId> {
            Some(ID)
        }
    }

    /// Refused with the clock's reason, accepted by the own clock, or accepted at the server's time.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Cell {
        Expired,
        Future,
        Accepted,
        AcceptedAndTold,
        AtServerTime,
    }

    /// The 48 cells of the table in docs/pal-tls.md: clock, certificate by true time, server with time, trusted time server.
    #[test]
    fn the_clock_matrix() {
        use Cell::{Accepted, AcceptedAndTold, AtServerTime, Expired, Future};
        let clocks = [
            ("unset", Clock::Unset),
            ("right", Clock::Set(TRUE_TIME)),
            ("ahead", Clock::Set(TRUE_TIME + 10 * YEAR)),
            ("behind", Clock::Set(TRUE_TIME - YEAR)),
        ];
        let certificates = [
            ("valid", (TRUE_TIME - 30 * DAY, TRUE_TIME + YEAR)),
            ("future", (TRUE_TIME + 30 * DAY, TRUE_TIME + YEAR)),
            ("expired", (TRUE_TIME - YEAR, TRUE_TIME - 30 * DAY)),
        ];
        // For each clock and certificate: with time, with time and trusted, without time, without time and trusted.
        let expected = [
            [AtServerTime, AtServerTime, Accepted, Accepted],
            [Accepted, Accepted, Accepted, Accepted],
            [Accepted, Accepted, Accepted, Accepted],
            [AcceptedAndTold, AcceptedAndTold, Accepted, Accepted],
            [Future, Future, Future, Future],
            [Expired, Expired, Expired, Expired],
            [Expired, AtServerTime, Expired, Expired],
            [Expired, Expired, Expired, Expired],
            [Expired, Expired, Expired, Expired],
            [AtServerTime, AtServerTime, Future, Future],
            [Future, Future, Future, Future],
            [Accepted, Accepted, Accepted, Accepted],
        ];
        let mut rows = expected.iter();
        for (clock_name, clock) in clocks {
            for (certificate_name, valid) in certificates {
                let row = rows.next().unwrap();
                for (column, wanted) in row.iter().enumerate() {
                    let (server_time, trusted) = ((column < 2).then_some(TRUE_TIME), column % 2 == 1);
                    let chain = Made { valid, server_time };
                    let decision = decide(&chain, clock, Some(if trusted { ID } else { [2; 33] }));
                    let strength = if trusted { Strength::Strong } else { Strength::Weak };
                    let told = Some((strength, TRUE_TIME));
                    let seen = match decision {
                        Decision { flags, judged_at: None, pass_on: None } => match flags {
                            VerifyFlags::NONE => Accepted,
                            VerifyFlags::BADCERT_EXPIRED => Expired,
                            VerifyFlags::BADCERT_FUTURE => Future,
                            other => panic!("{other:?}"),
                        },
                        Decision { flags: VerifyFlags::NONE, judged_at: None, pass_on } => {
                            assert_eq!(pass_on, told);
                            AcceptedAndTold
                        }
                        Decision { flags: VerifyFlags::NONE, judged_at, pass_on } => {
                            assert_eq!((judged_at, pass_on), (Some(TRUE_TIME), told));
                            AtServerTime
                        }
                        other => panic!("{other:?}"),
                    };
                    assert_eq!(seen, *wanted, "clock {clock_name}, certificate {certificate_name}, column {column}");
                }
            }
        }
    }

    #[test]
    fn a_set_clock_at_which_the_chain_verifies_moves_by_a_day_at_most_unless_the_time_server_is_trusted() {
        let now = TRUE_TIME;
        for (server_time, trusted, told) in [
            (now + DAY, false, true),
            (now + DAY + 1, false, false),
            (now - DAY - 1, false, false),
            (now + 300 * DAY, true, true),
            (BUILD_DATE - 1, true, false),
        ] {
            let chain = Made { valid: (0, now + YEAR), server_time: Some(server_time) };
            let decision = decide(&chain, Clock::Set(now), trusted.then_some(ID));
            assert_eq!((decision.flags, decision.judged_at), (VerifyFlags::NONE, None));
            assert_eq!(decision.pass_on.is_some(), told, "{server_time}");
        }
    }

    #[test]
    fn a_clock_that_was_never_set_passes_what_had_not_expired_when_the_library_was_built() {
        let chain = Made { valid: (0, BUILD_DATE - 1), server_time: None };
        assert_eq!(decide(&chain, Clock::Unset, None).flags, VerifyFlags::BADCERT_EXPIRED);
        let chain = Made { valid: (0, BUILD_DATE), server_time: Some(BUILD_DATE + 1) };
        assert_eq!(decide(&chain, Clock::Unset, None), Decision::by_own_clock(VerifyFlags::NONE), "implausible");
    }

    #[test]
    fn an_authority_is_known_by_its_compressed_point() {
        let mut uncompressed = P256_UNCOMPRESSED.to_vec();
        uncompressed.push(4);
        uncompressed.extend((1..=64).collect::<Vec<u8>>());
        let id = authority_id(&uncompressed).unwrap();
        assert_eq!((id[0], id[1], id[32]), (2, 1, 32), "64 is even");
        *uncompressed.last_mut().unwrap() = 63;
        assert_eq!(authority_id(&uncompressed).unwrap()[0], 3);
        let mut compressed = P256_COMPRESSED.to_vec();
        compressed.extend(id);
        assert_eq!(authority_id(&compressed), Some(id));
        uncompressed.pop();
        assert_eq!(authority_id(&uncompressed), None);
        assert_eq!(authority_id(b""), None);
    }
}
