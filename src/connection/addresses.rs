//! Which addresses are tried when (RFC 8305): the families interleaved, one more every 250 ms, the first to connect wins.

use super::Link;
use crate::error::{Class, Failure};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// "Connection Attempt Delay" (RFC 8305 section 5: "recommended value for a default delay is 250 milliseconds").
pub const STAGGER: Duration = Duration::from_millis(250);
/// An answer with more addresses than this is cut: the work of an attempt has a bound.
pub const MAX_ADDRESSES: usize = 16;

/// The addresses in the order in which they are tried: that of the lookup, but each one of the other family than the one before, as
/// long as there are any (RFC 8305 section 4).
pub fn interleave(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (VecDeque<_>, VecDeque<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_ipv6);
    let mut order = VecDeque::new();
    while order.len() < MAX_ADDRESSES && !(first.is_empty() && second.is_empty()) {
        order.extend(first.pop_front());
        order.extend(second.pop_front());
    }
    order.truncate(MAX_ADDRESSES);
    order
}

/// The address first, if it is one of them.
pub(super) fn prefer(addresses: &mut VecDeque<SocketAddr>, preferred: SocketAddr) {
    if let Some(address) =
        addresses.iter().position(|address| *address == preferred).and_then(|at| addresses.remove(at))
    {
        addresses.push_front(address);
    }
}

/// One stage of connecting to the first of several addresses.
#[derive(Debug)]
pub(super) struct Race {
    waiting: VecDeque<SocketAddr>,
    running: Vec<(Link, SocketAddr)>,
    began: Duration,
    next_start: Duration,
    deadline: Duration,
    failure: Option<Failure>,
}

impl Race {
    pub(super) fn new(addresses: VecDeque<SocketAddr>, now: Duration, deadline: Duration) -> Self {
        Self { waiting: addresses, running: Vec::new(), began: now, next_start: now, deadline, failure: None }
    }

    /// The next address to start with, if its time has come.
    pub(super) fn start(&mut self, now: Duration, link: Link) -> Option<SocketAddr> {
        if now < self.next_start {
            return None;
        }
        let address = self.waiting.pop_front()?;
        self.running.push((link, address));
        self.next_start = now.saturating_add(STAGGER);
        Some(address)
    }

    pub(super) fn next_deadline(&self) -> Duration {
        if self.waiting.is_empty() { self.deadline } else { self.next_start.min(self.deadline) }
    }

    /// Whether it has only begun: what a socket says now it says at once.
    pub(super) fn is_young(&self, now: Duration) -> bool {
        now < self.began.saturating_add(STAGGER)
    }

    pub(super) fn is_overdue(&self, now: Duration) -> bool {
        now >= self.deadline
    }

    /// A connect failed: the next address need not wait any longer (RFC 8305 section 5). Gives the reason if it was the last.
    pub(super) fn fail(&mut self, now: Duration, link: Link, failure: Failure) -> Option<Failure> {
        self.running.retain(|(running, _)| *running != link);
        self.next_start = now;
        self.failure = Some(more_telling(self.failure, failure));
        if self.running.is_empty() && self.waiting.is_empty() { self.failure } else { None }
    }

    /// A connect succeeded: gives its address, the other links, which are to be closed, and the addresses that are left if this one
    /// fails later.
    pub(super) fn win(self, link: Link) -> (Option<SocketAddr>, Vec<Link>, VecDeque<SocketAddr>) {
        let address = self.running.iter().find(|(running, _)| *running == link).map(|(_, address)| *address);
        let losers = || self.running.iter().filter(move |(running, _)| *running != link);
        let left = losers().map(|(_, address)| *address).chain(self.waiting.iter().copied()).collect();
        (address, losers().map(|(link, _)| *link).collect(), left)
    }

    pub(super) fn is_running(&self, link: Link) -> bool {
        self.running.iter().any(|(running, _)| *running == link)
    }

    pub(super) fn links(&self) -> impl Iterator<Item = Link> + '_ {
        self.running.iter().map(|(link, _)| *link)
    }
}

/// The one of two reasons that tells more, the later one of equals.
pub(super) fn more_telling(earlier: Option<Failure>, failure: Failure) -> Failure {
    earlier.filter(|earlier| weight(*earlier) > weight(failure)).unwrap_or(failure)
}

/// Which of two reasons tells more: an answer of the host more than one of the network, that more than one of this device.
fn weight(failure: Failure) -> u8 {
    match failure.status.class() {
        Class::Refused | Class::ClosedByPeer => 3,
        Class::Certificate | Class::Alert | Class::Protocol | Class::Intercepted => 3,
        Class::Filtered => 2,
        Class::Unreachable => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;

    fn addresses(text: &str) -> Vec<SocketAddr> {
        text.split(' ').map(|address| SocketAddr::new(address.parse().unwrap(), 1)).collect()
    }

    #[test]
    fn families_take_turns_and_the_number_is_bounded() {
        let mixed = interleave(addresses("::1 ::2 ::3 10.0.0.1 10.0.0.2"));
        assert_eq!(Vec::from(mixed), addresses("::1 10.0.0.1 ::2 10.0.0.2 ::3"));
        let mixed = interleave(addresses("10.0.0.1 ::1 ::2 ::3"));
        assert_eq!(Vec::from(mixed), addresses("10.0.0.1 ::1 ::2 ::3"));
        let many: Vec<_> = (0..1000u16).map(|port| SocketAddr::new([10, 0, 0, 1].into(), port)).collect();
        assert_eq!(interleave(many).len(), MAX_ADDRESSES);
        assert!(interleave(vec![]).is_empty());
    }

    #[test]
    fn an_address_is_preferred_where_there_is_one() {
        let list = addresses("::1 10.0.0.1 ::2");
        let mut order = VecDeque::from(list.clone());
        prefer(&mut order, list[2]);
        assert_eq!(Vec::from(order.clone()), addresses("::2 ::1 10.0.0.1"));
        prefer(&mut order, SocketAddr::new(list[0].ip(), 2));
        assert_eq!(Vec::from(order), addresses("::2 ::1 10.0.0.1"));
    }

    #[test]
    fn a_failure_starts_the_next_and_the_most_telling_reason_is_kept() {
        let second = Duration::from_secs(1);
        let list = addresses("::1 10.0.0.1 ::2");
        let mut race = Race::new(list.clone().into(), Duration::ZERO, 15 * second);
        assert_eq!(race.start(Duration::ZERO, Link(1)), Some(list[0]));
        assert_eq!(race.start(Duration::ZERO, Link(2)), None);
        assert_eq!(race.next_deadline(), STAGGER);
        assert_eq!(race.start(STAGGER, Link(2)), Some(list[1]));
        assert_eq!(race.fail(STAGGER, Link(1), Status::ConnectionRefused.into()), None);
        assert_eq!(race.start(STAGGER, Link(3)), Some(list[2]));
        assert_eq!(race.next_deadline(), 15 * second);
        assert_eq!(race.fail(second, Link(3), Status::NetworkDown.into()), None);
        let last = race.fail(second, Link(2), Status::HostUnreachable.into());
        assert_eq!(last, Some(Status::ConnectionRefused.into()));
    }

    #[test]
    fn the_winner_leaves_the_others_for_later() {
        let list = addresses("::1 10.0.0.1 ::2");
        let mut race = Race::new(list.clone().into(), Duration::ZERO, STAGGER * 9);
        race.start(Duration::ZERO, Link(1));
        race.start(STAGGER, Link(2));
        assert!(race.is_running(Link(2)) && !race.is_running(Link(3)));
        assert_eq!(race.win(Link(2)), (Some(list[1]), vec![Link(1)], VecDeque::from([list[0], list[2]])));
    }
}
