//! Whether resolvers keep to the time that an answer may be kept for. How the rules were found stands in `docs/netcheck.md`.

use super::dns::{self, Answer};
use super::verdict::{Staleness, TtlVerdict};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// After this time a time to live that is counted in seconds has changed.
pub(super) const PAUSE: Duration = Duration::from_millis(1100);

/// How long a resolver that has answered before may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What one resolver said one after another, each time with its addresses. There is a third answer where two are suspicious.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub first: Answer,
    pub later: Vec<Answer>,
}

/// Asks a resolver again; it gave `first` at `at`.
pub(super) fn ask_again(resolver: SocketAddr, host: &str, first: Answer, at: Instant, deadline: Instant) -> Seen {
    let mut seen = Seen { first, later: Vec::new() };
    let mut next = at + PAUSE;
    while seen.later.len() < 2 && next < deadline {
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        let until = deadline.min(Instant::now() + PATIENCE);
        let answer = dns::ask(resolver, host, until).ok().flatten().filter(|answer| answer.ttl.is_some());
        next = Instant::now() + PAUSE;
        let Some(answer) = answer else { break };
        seen.later.push(answer);
        if !seen.stands_still() {
            break;
        }
    }
    seen
}

impl Seen {
    /// The same answer with the same time left each time, and not from the name's own server.
    fn stands_still(&self) -> bool {
        self.later.iter().all(|later| {
            let same = later.ttl == self.first.ttl && same_addresses(&self.first, later);
            same && !self.first.authoritative && !later.authoritative
        })
    }

    /// The time to live that the name's own server gives, where this shows it: by its own word, or because the answer had to be fetched
    /// anew in between.
    fn full(&self) -> Option<u32> {
        let later = self.later.last()?;
        let renewed = self.first.ttl <= Some(1) && later.ttl > self.first.ttl;
        if self.first.authoritative { self.first.ttl } else { later.ttl.filter(|_| later.authoritative || renewed) }
    }

    fn judge(&self, others: &[&Seen]) -> TtlVerdict {
        let (Some(given), Some(last)) = (self.first.ttl, self.later.last()) else { return TtlVerdict::Unknown };
        let shared =
            |other: &&&Seen| self.first.addresses.iter().any(|address| other.first.addresses.contains(address));
        let full = others.iter().filter(shared).filter_map(|other| other.full()).max();
        // A cache may pass its first answer on as it is, and raise what it keeps.
        let longest = given.max(last.ttl.unwrap_or_default());
        let is_its_own = self.full().is_some_and(|own| longest <= own);
        if let (Some(elsewhere), false) = (full.filter(|full| longest > *full), is_its_own) {
            return TtlVerdict::Stale { why: Staleness::TtlRaised { given: longest, elsewhere } };
        }
        if !self.stands_still() || full == Some(given) {
            return TtlVerdict::Ok;
        }
        let longer_elsewhere = others.iter().any(|other| other.first.ttl > Some(given));
        match (given, self.later.len()) {
            // A resolver that lets nobody keep anything.
            (0, _) => TtlVerdict::Unknown,
            // Fetched anew, if one second is all that the name's own server gives.
            (1, _) if !longer_elsewhere => TtlVerdict::Unknown,
            // One of several caches behind an address can have the same time left by chance, once.
            (_, ..=1) => TtlVerdict::Unknown,
            _ => TtlVerdict::Stale {
                why: Staleness::ServedPastTtl { first: given, later: last.ttl.unwrap_or_default() },
            },
        }
    }
}

fn same_addresses(one: &Answer, other: &Answer) -> bool {
    let within = |some: &Answer, all: &Answer| some.addresses.iter().all(|address| all.addresses.contains(address));
    within(one, other) && within(other, one)
}

/// One that keeps answers for too long counts, then one that keeps to their time.
pub(super) fn judge(seen: &[Seen]) -> TtlVerdict {
    let verdicts: Vec<TtlVerdict> = seen
        .iter()
        .enumerate()
        .map(|(own, one)| {
            let others = seen.iter().enumerate().filter(|(index, _)| *index != own);
            one.judge(&others.map(|(_, other)| other).collect::<Vec<_>>())
        })
        .collect();
    let stale = verdicts.iter().find(|verdict| matches!(verdict, TtlVerdict::Stale { .. }));
    let ok = || verdicts.iter().find(|verdict| **verdict == TtlVerdict::Ok);
    stale.or_else(ok).cloned().unwrap_or(TtlVerdict::Unknown)
}

#[cfg(test)]
mod tests {
    use super::super::fake::{self, Server};
    use super::*;

    fn answer(ttl: u32, authoritative: bool, last: u8) -> Answer {
        Answer { code: 0, authoritative, addresses: vec![[192, 0, 2, last].into()], ttl: Some(ttl) }
    }

    fn cached(ttls: &[u32]) -> Seen {
        seen(ttls, false, 1)
    }

    fn seen(ttls: &[u32], authoritative: bool, last: u8) -> Seen {
        let mut answers = ttls.iter().map(|ttl| answer(*ttl, authoritative, last));
        Seen { first: answers.next().unwrap(), later: answers.collect() }
    }

    fn past(ttl: u32) -> TtlVerdict {
        TtlVerdict::Stale { why: Staleness::ServedPastTtl { first: ttl, later: ttl } }
    }

    #[test]
    fn a_cache_that_counts_down_or_fetches_anew_is_well() {
        for ttls in [[300, 298], [300, 299], [1, 0], [1, 300], [0, 60], [17, 300]] {
            assert_eq!(judge(&[cached(&ttls)]), TtlVerdict::Ok, "{ttls:?}");
        }
    }

    #[test]
    fn a_server_that_the_name_belongs_to_always_gives_the_full_time() {
        for ttl in [0, 1, 60] {
            assert_eq!(judge(&[seen(&[ttl, ttl], true, 1)]), TtlVerdict::Ok);
        }
        // A resolver that keeps nothing passes the full time on.
        assert_eq!(judge(&[cached(&[60, 60, 60]), seen(&[60, 60], true, 1)]), TtlVerdict::Ok);
    }

    #[test]
    fn a_time_that_stands_still_is_past() {
        assert_eq!(judge(&[cached(&[30, 30, 30])]), past(30));
        assert_eq!(judge(&[cached(&[30, 30, 30]), cached(&[20, 19])]), past(30));
        assert_eq!(judge(&[cached(&[1, 1, 1]), cached(&[60, 59])]), past(1));
        assert_eq!(judge(&[cached(&[30, 30, 30]), seen(&[60, 60], true, 1)]), past(30));
    }

    #[test]
    fn what_could_be_otherwise_is_not_held_against_a_resolver() {
        for ttls in [&[60][..], &[60, 60], &[1, 1, 1], &[0, 0, 0]] {
            assert_eq!(judge(&[cached(ttls)]), TtlVerdict::Unknown, "{ttls:?}");
        }
        assert_eq!(judge(&[cached(&[60, 60, 59])]), TtlVerdict::Ok);
        // Addresses that take turns are fetched anew each time.
        let turns = Seen { first: answer(60, false, 1), later: vec![answer(60, false, 2)] };
        assert_eq!(judge(&[turns]), TtlVerdict::Ok);
        assert_eq!(judge(&[]), TtlVerdict::Unknown);
    }

    #[test]
    fn a_time_longer_than_the_names_own_server_gives_is_raised() {
        let raised = TtlVerdict::Stale { why: Staleness::TtlRaised { given: 3600, elsewhere: 60 } };
        assert_eq!(judge(&[cached(&[3600, 3599]), seen(&[60, 60], true, 1)]), raised);
        // The first answer was passed on as it came.
        assert_eq!(judge(&[cached(&[60, 3600]), seen(&[60, 60], true, 1)]), raised);
        // With the word of the name's own server that it is from there, which what was kept does not have.
        let passed_on = Seen { later: cached(&[60, 3600]).later, ..seen(&[60, 60], true, 1) };
        assert_eq!(judge(&[passed_on, seen(&[60, 60], true, 1)]), raised);
        // Fetched anew in between: that is the full time.
        assert_eq!(judge(&[cached(&[3600, 3599]), cached(&[1, 60])]), raised);
        // Another cache may just have less time left.
        assert_eq!(judge(&[cached(&[3600, 3599]), cached(&[60, 59])]), TtlVerdict::Ok);
        // Another address is another answer, with a time of its own.
        assert_eq!(judge(&[cached(&[3600, 3599]), seen(&[60, 60], true, 2)]), TtlVerdict::Ok);
    }

    #[test]
    fn a_resolver_is_asked_again_and_a_third_time_only_where_its_time_stands_still() {
        let asked = |ttl: u32, authoritative: bool| {
            let server = Server::new(move |question| {
                let mut answer = fake::answer(question, &[fake::address("device.example.", ttl, [192, 0, 2, 1])]);
                answer.set_authoritative(authoritative);
                vec![answer.to_vec().unwrap()]
            });
            let start = Instant::now();
            let first = answer(60, authoritative, 1);
            let deadline = start + Duration::from_secs(30);
            let seen = ask_again(server.address, "device.example", first, start, deadline);
            (judge(&[seen]), start.elapsed())
        };
        std::thread::scope(|scope| {
            let counting = scope.spawn(|| asked(58, false));
            let own = scope.spawn(|| asked(60, true));
            let still = scope.spawn(|| asked(60, false));
            for well in [counting, own] {
                let (verdict, took) = well.join().unwrap();
                assert_eq!(verdict, TtlVerdict::Ok);
                assert!(took >= PAUSE, "{took:?}");
            }
            let (verdict, took) = still.join().unwrap();
            assert_eq!(verdict, past(60));
            assert!(took >= PAUSE * 2, "{took:?}");
        });
    }

    #[test]
    fn what_cannot_be_asked_again_in_time_is_unknown() {
        let nobody = "127.0.0.1:1".parse().unwrap();
        let now = Instant::now();
        let seen = ask_again(nobody, "device.example", answer(60, false, 1), now, now + PAUSE / 2);
        assert_eq!(judge(&[seen]), TtlVerdict::Unknown);
    }
}
