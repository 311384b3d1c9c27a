//! What a host's name leads to, by what its resolvers and the system say.

use super::dns::{self, Answer};
use super::range::{self, Range};
use super::report::ResolverAnswer;
use super::verdict::NameVerdict;
use rustix::io::Errno;
use std::net::{IpAddr, SocketAddr};

/// How many addresses of a host are tried.
const MAX_ADDRESSES: usize = 16;

/// What is known of a name.
pub(super) struct Known<'a> {
    /// It can be asked for at all.
    pub is_name: bool,
    /// What each resolver said; none if it did not answer.
    pub answers: &'a [(SocketAddr, Option<Answer>)],
    /// Why a resolver could not be asked, if so.
    pub not_asked: Option<Errno>,
    /// What the system's own way gives.
    pub system: &'a [IpAddr],
    /// The hosts file has it.
    pub in_hosts_file: bool,
    /// Addresses of networks of their own are as good as others.
    pub allow_private_addresses: bool,
}

impl Known<'_> {
    /// The gravest comes first: an address that cannot be right, a contradiction, then what an answer is missing.
    pub fn verdict(&self) -> NameVerdict {
        let given: Vec<&[IpAddr]> = self.said().map(|answer| &answer.addresses[..]).collect();
        let mut all = given.iter().copied().flatten().chain(self.system);
        if let Some(address) = all.find(|address| self.is_sinkhole(**address)) {
            return NameVerdict::Sinkhole { address: *address };
        }
        let failure = self.said().map(|answer| answer.code).find(|code| !is_denial(*code));
        let denied = self.said().any(|answer| is_denial(answer.code) && answer.addresses.is_empty());
        if given.iter().any(|addresses| !addresses.is_empty()) {
            let differ = given.iter().enumerate().any(|(at, one)| given[..at].iter().any(|other| differ(one, other)));
            return if denied || differ { NameVerdict::Disagree } else { NameVerdict::Ok };
        }
        if self.in_hosts_file && !self.system.is_empty() {
            NameVerdict::HostsFileOnly
        } else if denied || !self.is_name {
            NameVerdict::NoSuchName
        } else if let Some(code) = failure {
            NameVerdict::ServerFailure { code }
        } else if let Some(error) = self.not_asked {
            NameVerdict::NotTried { errno: error.raw_os_error() }
        } else {
            NameVerdict::NoAnswer
        }
    }

    /// What a connection would use: what the system gives, else what the resolvers do.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        let of_resolvers = self.said().flat_map(|answer| &answer.addresses);
        let from: Vec<IpAddr> =
            if self.system.is_empty() { of_resolvers.copied().collect() } else { self.system.to_vec() };
        for address in from {
            if addresses.len() < MAX_ADDRESSES && !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }

    fn said(&self) -> impl Iterator<Item = &Answer> {
        self.answers.iter().filter_map(|(_, answer)| answer.as_ref())
    }

    fn is_sinkhole(&self, address: IpAddr) -> bool {
        match range::of(address) {
            Range::Internet => false,
            Range::Local | Range::Loopback => !self.allow_private_addresses,
            Range::Nowhere => true,
        }
    }
}

/// An answer with this code and without an address says that there is none. A resolver that fails contradicts nobody: the C library asks
/// the next one.
fn is_denial(code: u16) -> bool {
    [dns::NO_ERROR, dns::NO_SUCH_NAME].contains(&code)
}

/// Whether two answers have a family in common, and no address.
fn differ(one: &[IpAddr], other: &[IpAddr]) -> bool {
    let both = |ipv4| [one, other].iter().all(|addresses| addresses.iter().any(|address| address.is_ipv4() == ipv4));
    (both(true) || both(false)) && !one.iter().any(|address| other.contains(address))
}

/// For the report.
pub(super) fn resolver_answer(resolver: SocketAddr, answer: Option<&Answer>) -> ResolverAnswer {
    ResolverAnswer {
        resolver,
        code: answer.map(|answer| answer.code),
        addresses: answer.map(|answer| answer.addresses.clone()).unwrap_or_default(),
        ttl: answer.and_then(|answer| answer.ttl),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "8.8.8.8";
    const OTHER: &str = "9.9.9.9";

    fn addresses(addresses: &[&str]) -> Vec<IpAddr> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    fn says(code: u16, given: &[&str]) -> Option<Answer> {
        let ttl = (!given.is_empty()).then_some(60);
        Some(Answer { code, authoritative: false, addresses: addresses(given), ttl })
    }

    fn known(answers: &[Option<Answer>], system: &[&str], in_hosts_file: bool, private: bool) -> (NameVerdict, usize) {
        let resolver = "192.0.2.53:53".parse().unwrap();
        let answers: Vec<_> = answers.iter().map(|answer| (resolver, answer.clone())).collect();
        let system = addresses(system);
        let known = Known {
            is_name: true,
            answers: &answers,
            system: &system,
            not_asked: None,
            in_hosts_file,
            allow_private_addresses: private,
        };
        (known.verdict(), known.addresses().len())
    }

    #[test]
    fn who_could_not_ask_knows_of_no_silence() {
        let one = |answer| [("192.0.2.53:53".parse().unwrap(), answer)];
        let verdict = |answers: &[(SocketAddr, Option<Answer>)]| {
            let (not_asked, system) = (Some(Errno::MFILE), &[]);
            Known { is_name: true, answers, not_asked, system, in_hosts_file: false, allow_private_addresses: false }
                .verdict()
        };
        assert_eq!(verdict(&one(None)), NameVerdict::NotTried { errno: Errno::MFILE.raw_os_error() });
        assert_eq!(verdict(&one(says(2, &[]))), NameVerdict::ServerFailure { code: 2 });
    }

    fn verdict(answers: &[Option<Answer>]) -> NameVerdict {
        known(answers, &[], false, false).0
    }

    #[test]
    fn addresses_of_the_internet_are_well() {
        assert_eq!(verdict(&[says(0, &[ONE, "2600::1"])]), NameVerdict::Ok);
        assert_eq!(verdict(&[says(0, &[ONE, OTHER]), says(0, &[OTHER])]), NameVerdict::Ok);
        // The next resolver stands in for one that fails.
        assert_eq!(verdict(&[None, says(2, &[]), says(0, &[ONE])]), NameVerdict::Ok);
        // Each family may have been lost on its way.
        assert_eq!(verdict(&[says(0, &[ONE]), says(0, &["2600::1"])]), NameVerdict::Ok);
    }

    #[test]
    fn resolvers_that_contradict_each_other_disagree() {
        assert_eq!(verdict(&[says(0, &[ONE]), says(0, &[OTHER])]), NameVerdict::Disagree);
        assert_eq!(verdict(&[says(0, &[ONE]), None, says(0, &[OTHER, "2600::1"])]), NameVerdict::Disagree);
        assert_eq!(verdict(&[says(3, &[]), says(0, &[ONE])]), NameVerdict::Disagree);
    }

    #[test]
    fn without_an_address_the_plainest_answer_counts() {
        assert_eq!(verdict(&[says(2, &[]), says(3, &[])]), NameVerdict::NoSuchName);
        assert_eq!(verdict(&[says(0, &[])]), NameVerdict::NoSuchName);
        assert_eq!(verdict(&[None, says(5, &[]), says(2, &[])]), NameVerdict::ServerFailure { code: 5 });
        assert_eq!(verdict(&[None, None]), NameVerdict::NoAnswer);
        assert_eq!(verdict(&[]), NameVerdict::NoAnswer);
    }

    #[test]
    fn addresses_that_only_the_hosts_file_has_are_tried() {
        for answer in [None, says(3, &[]), says(2, &[])] {
            let expected = (NameVerdict::HostsFileOnly, 1);
            assert_eq!(known(std::slice::from_ref(&answer), &[ONE], true, false), expected);
        }
        assert_eq!(known(&[says(0, &[ONE])], &[ONE], true, false).0, NameVerdict::Ok);
        // The system has other ways than a hosts file.
        assert_eq!(known(&[says(3, &[])], &[ONE], false, false), (NameVerdict::NoSuchName, 1));
    }

    #[test]
    fn an_address_that_no_service_can_have_is_a_sinkhole_unless_it_is_allowed() {
        for address in ["10.0.0.1", "127.0.0.1", "192.0.2.1", "169.254.1.1", "fd00::1", "::1"] {
            let sinkhole = NameVerdict::Sinkhole { address: address.parse().unwrap() };
            assert_eq!(verdict(&[says(0, &[ONE]), says(0, &[address])]), sinkhole);
            assert_eq!(known(&[says(3, &[])], &[address], true, false).0, sinkhole);
            assert_eq!(known(&[says(0, &[address])], &[], false, true).0, NameVerdict::Ok);
        }
        for address in ["0.0.0.0", "::", "255.255.255.255"] {
            let sinkhole = NameVerdict::Sinkhole { address: address.parse().unwrap() };
            assert_eq!(known(&[says(0, &[address])], &[], false, true).0, sinkhole);
        }
    }

    #[test]
    fn what_the_system_gives_is_tried_before_what_resolvers_give_and_not_too_much_of_it() {
        assert_eq!(known(&[says(0, &[ONE, OTHER, "1.1.1.1"])], &[ONE, ONE], false, false).1, 1);
        assert_eq!(known(&[says(0, &[ONE]), says(0, &[OTHER, ONE])], &[], false, false).1, 2);
        let many: Vec<String> = (0..100).map(|at| format!("8.8.8.{at}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(known(&[says(0, &many)], &[], false, false).1, MAX_ADDRESSES);
    }
}
