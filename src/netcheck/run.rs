//! A run of the check: first all names, then all ports, and beside them the resolvers once more.

use super::dns::{self, Answer};
use super::endpoint::{Endpoint, Port, Transport};
use super::name::{self, Known};
use super::report::{EndpointReport, NameReport, PortReport, Reach, Report};
use super::side_by_side::{Job, do_all};
use super::ttl::{self, Seen};
use super::verdict::{NameVerdict, TcpVerdict, TtlVerdict, UdpVerdict};
use super::{Credentials, finding, nat, port, resolvers};
use crate::error::{Failure, Status};
use crate::net::resolver;
use crate::tls;
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a run takes at most unless something else is asked for: with what comes on top, less than 15 s.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(14);

/// The part of the time that names have, of which the C library gives its first resolver 5 s.
const NAMES: f64 = 0.4;

/// What to check, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The endpoints; see [`super::endpoint::region`].
    pub endpoints: Vec<Endpoint>,
    /// The resolvers to ask; none: those that the system is set up with.
    pub resolvers: Vec<SocketAddr>,
    /// How long it may take.
    pub timeout: Duration,
    /// What to prove itself by, for a ping through the session; none: no ping.
    pub credentials: Option<Credentials>,
    /// Addresses of private networks and of this device are as good as others: for a service on a network of its own.
    pub allow_private_addresses: bool,
}

impl Options {
    /// For these endpoints, with defaults for everything else.
    pub fn new(endpoints: Vec<Endpoint>) -> Self {
        Self {
            endpoints,
            resolvers: Vec::new(),
            timeout: DEFAULT_TIMEOUT,
            credentials: None,
            allow_private_addresses: false,
        }
    }
}

/// How far a run has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// How many steps are done.
    pub done: usize,
    /// How many there are. It grows when the addresses of the hosts become known.
    pub total: usize,
    /// What has just been done, such as `device.example tcp 5684`.
    pub what: String,
}

/// Checks everything side by side, and returns when all is known or the time is over. It tells of each step on the calling thread.
///
/// # Errors
/// [`Status::InvalidArgument`] without endpoints or time, or where an endpoint expects an issuer that is no name.
pub fn run(options: &Options, progress: &mut dyn FnMut(Progress)) -> Result<Report, Failure> {
    run_with(options, progress, port::check)
}

type Check = fn(&Endpoint, IpAddr, Port, Option<&Credentials>, Instant) -> PortReport;

fn run_with(options: &Options, progress: &mut dyn FnMut(Progress), check: Check) -> Result<Report, Failure> {
    let is_wrong = |endpoint: &Endpoint| {
        endpoint.expected_issuer.as_ref().is_some_and(|issuer| tls::name::parse(issuer).is_none())
    };
    if options.endpoints.is_empty() || options.endpoints.iter().any(is_wrong) || options.timeout.is_zero() {
        return Err(Status::InvalidArgument.into());
    }
    let start = Instant::now();
    let deadline = start.checked_add(options.timeout).ok_or(Status::InvalidArgument)?;
    let resolvers = if options.resolvers.is_empty() { resolvers::of_system() } else { options.resolvers.clone() };
    let mut steps = Steps { done: 0, total: 0, progress };
    let hosts = look_up(options, &resolvers, start + options.timeout.mul_f64(NAMES), &mut steps);
    let (ports, ttls) = look_at(options, &hosts, check, deadline, &mut steps);
    let mut ports = ports.into_iter();
    let places = places(&hosts);
    let endpoints: Vec<EndpointReport> = options
        .endpoints
        .iter()
        .map(|endpoint| {
            let at = places.get(endpoint.host.as_str()).copied().unwrap_or_default();
            EndpointReport {
                endpoint: endpoint.clone(),
                name: hosts[at].report(ttls[at].clone()),
                ports: ports.next().unwrap_or_default(),
            }
        })
        .collect();
    let addresses: Vec<IpAddr> = hosts.iter().flat_map(|host| host.addresses.iter().copied()).collect();
    let nat = nat::check(&addresses);
    let findings = finding::findings(&nat, &endpoints);
    Ok(Report { resolvers, nat, endpoints, findings, duration: start.elapsed() })
}

struct Steps<'a> {
    done: usize,
    total: usize,
    progress: &'a mut dyn FnMut(Progress),
}

impl Steps<'_> {
    fn done(&mut self, what: &str) {
        self.done += 1;
        (self.progress)(Progress { done: self.done, total: self.total, what: what.to_owned() });
    }
}

/// What was found out about a host's name.
struct Host {
    name: String,
    verdict: NameVerdict,
    addresses: Vec<IpAddr>,
    answers: Vec<(SocketAddr, Option<Answer>)>,
    /// Why a resolver could not be asked.
    not_asked: Option<Errno>,
    /// When each answer came.
    times: Vec<Instant>,
}

impl Host {
    fn report(&self, ttl: TtlVerdict) -> NameReport {
        let answers = self.answers.iter().map(|(from, answer)| name::resolver_answer(*from, answer.as_ref()));
        NameReport { verdict: self.verdict.clone(), addresses: self.addresses.clone(), answers: answers.collect(), ttl }
    }
}

/// Where each host stands.
fn places(hosts: &[Host]) -> HashMap<&str, usize> {
    hosts.iter().enumerate().map(|(at, host)| (host.name.as_str(), at)).collect()
}

enum Found {
    Answer(Result<Option<Answer>, Errno>, Instant),
    OfSystem(Vec<IpAddr>),
}

/// Looks each host up once, however many endpoints it has.
fn look_up(options: &Options, resolvers: &[SocketAddr], deadline: Instant, steps: &mut Steps) -> Vec<Host> {
    let mut seen = HashSet::new();
    let endpoints = options.endpoints.iter().filter(|endpoint| seen.insert(&endpoint.host));
    let names: Vec<(&str, Option<IpAddr>)> =
        endpoints.map(|endpoint| (endpoint.host.as_str(), endpoint.address())).collect();
    let (mut jobs, mut subjects) = (Vec::new(), Vec::new());
    let asked = || names.iter().enumerate().filter(|(_, (_, address))| address.is_none());
    for (at, (name, _)) in asked() {
        for resolver in resolvers.iter().copied() {
            subjects.push((at, format!("{name} from {resolver}")));
            let name = (*name).to_owned();
            let work = move |until| Found::Answer(dns::ask(resolver, &name, until), Instant::now());
            jobs.push(Job { may_hang: false, work: Box::new(work) });
        }
    }
    // Last, for they can hang.
    for (at, (name, _)) in asked() {
        subjects.push((at, format!("{name} from the system")));
        let name = (*name).to_owned();
        let work = move |_| {
            let addresses = resolver::look_up_now(&name, 0).unwrap_or_default();
            Found::OfSystem(addresses.iter().map(SocketAddr::ip).collect())
        };
        jobs.push(Job { may_hang: true, work: Box::new(work) });
    }
    let ports = options.endpoints.iter().map(|endpoint| endpoint.reached_by.len()).sum::<usize>();
    steps.total = jobs.len() + ports;
    let mut found = do_all(jobs, deadline, &mut |job| steps.done(&subjects[job].1)).into_iter();
    let mut hosts: Vec<Host> = names
        .iter()
        .map(|(name, address)| Host {
            name: (*name).to_owned(),
            verdict: NameVerdict::IsAddress,
            addresses: Vec::from_iter(*address),
            answers: Vec::new(),
            not_asked: None,
            times: Vec::new(),
        })
        .collect();
    let mut of_system = vec![Vec::new(); hosts.len()];
    for (job, (at, _)) in subjects.iter().enumerate() {
        let is_resolvers = job < subjects.len() - asked().count();
        match found.next().flatten() {
            Some(Found::OfSystem(addresses)) => of_system[*at] = addresses,
            Some(Found::Answer(answer, time)) => hosts[*at].take(resolvers, answer, time),
            None if is_resolvers => hosts[*at].take(resolvers, Ok(None), deadline),
            None => {}
        }
    }
    for (at, _) in asked() {
        let host = &mut hosts[at];
        let known = Known {
            is_name: dns::is_name(&host.name),
            answers: &host.answers,
            not_asked: host.not_asked,
            system: &of_system[at],
            in_hosts_file: resolvers::in_hosts_file(&host.name),
            allow_private_addresses: options.allow_private_addresses,
        };
        (host.verdict, host.addresses) = (known.verdict(), known.addresses());
    }
    hosts
}

impl Host {
    /// Answers come in the order of the resolvers.
    fn take(&mut self, resolvers: &[SocketAddr], answer: Result<Option<Answer>, Errno>, time: Instant) {
        let resolver = resolvers[self.answers.len()];
        self.not_asked = self.not_asked.or(answer.as_ref().err().copied());
        self.answers.push((resolver, answer.ok().flatten()));
        self.times.push(time);
    }
}

enum Looked {
    Again(Seen),
    Port(PortReport),
}

/// Looks at all ports of all addresses, and asks the resolvers that gave addresses again.
fn look_at(
    options: &Options,
    hosts: &[Host],
    check: Check,
    deadline: Instant,
    steps: &mut Steps,
) -> (Vec<Vec<PortReport>>, Vec<TtlVerdict>) {
    let (mut jobs, mut subjects) = (Vec::new(), Vec::new());
    // First, for they have to wait.
    for (at, host) in hosts.iter().enumerate() {
        for ((resolver, answer), time) in host.answers.iter().zip(&host.times) {
            let Some(answer) = answer.clone().filter(|answer| answer.ttl.is_some()) else { continue };
            let (resolver, name, time) = (*resolver, host.name.clone(), *time);
            subjects.push((Subject::Host(at), format!("{name} again from {resolver}")));
            let work = move |until| Looked::Again(ttl::ask_again(resolver, &name, answer, time, until));
            jobs.push(Job { may_hang: false, work: Box::new(work) });
        }
    }
    let credentials = options.credentials.clone().map(Arc::new);
    let places = places(hosts);
    for (at, endpoint) in options.endpoints.iter().enumerate() {
        let shared = Arc::new(endpoint.clone());
        let host = places.get(endpoint.host.as_str()).and_then(|at| hosts.get(*at));
        for address in host.iter().flat_map(|host| host.addresses.iter().copied()) {
            for port in endpoint.reached_by.iter().copied() {
                let transport = if port.transport == Transport::Tcp { "tcp" } else { "udp" };
                let what = format!("{} {transport} {}", endpoint.host, port.number);
                subjects.push((Subject::Port(at, address, port), what));
                let (endpoint, credentials) = (shared.clone(), credentials.clone());
                let work = move |until| Looked::Port(check(&endpoint, address, port, credentials.as_deref(), until));
                jobs.push(Job { may_hang: false, work: Box::new(work) });
            }
        }
    }
    steps.total = steps.done + jobs.len();
    let results = do_all(jobs, deadline, &mut |job| steps.done(&subjects[job].1));
    let mut ports = vec![Vec::new(); options.endpoints.len()];
    let mut seen: Vec<Vec<Seen>> = hosts.iter().map(|_| Vec::new()).collect();
    for ((subject, _), result) in subjects.into_iter().zip(results) {
        match (subject, result) {
            (Subject::Host(at), Some(Looked::Again(again))) => seen[at].push(again),
            (Subject::Port(at, ..), Some(Looked::Port(report))) => ports[at].push(report),
            (Subject::Port(at, address, port), _) => ports[at].push(not_tried(address, port)),
            (Subject::Host(_), _) => {}
        }
    }
    (ports, seen.iter().map(|seen| ttl::judge(seen)).collect())
}

enum Subject {
    /// By its index.
    Host(usize),
    /// The index of its endpoint comes first.
    Port(usize, IpAddr, Port),
}

/// This device had too much to do at once.
fn not_tried(address: IpAddr, port: Port) -> PortReport {
    let errno = Errno::TIMEDOUT.raw_os_error();
    let reach = match port.transport {
        Transport::Tcp => Reach::Tcp(TcpVerdict::NotTried { errno }),
        Transport::Udp => Reach::Udp(UdpVerdict::NotTried { errno }),
    };
    PortReport { address, port, reach, tls: None, coap: None }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{self, Server};
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Barrier, LazyLock};

    const TCP: Port = Port { transport: Transport::Tcp, number: 5684 };
    const UDP: Port = Port { transport: Transport::Udp, number: 5684 };
    const ROUND_TRIP: Duration = Duration::from_millis(1);

    fn endpoint(host: &str, reached_by: &[Port]) -> Endpoint {
        Endpoint {
            service: "test".into(),
            host: host.into(),
            reached_by: reached_by.into(),
            purpose: "test".into(),
            edge_only: false,
            coap: true,
            expected_issuer: None,
        }
    }

    fn options(endpoints: Vec<Endpoint>, resolver: SocketAddr) -> Options {
        Options { resolvers: vec![resolver], allow_private_addresses: true, ..Options::new(endpoints) }
    }

    fn nobody() -> SocketAddr {
        "127.0.0.1:1".parse().unwrap()
    }

    fn open(_: &Endpoint, address: IpAddr, port: Port, _: Option<&Credentials>, deadline: Instant) -> PortReport {
        assert!(deadline > Instant::now());
        let reach = match port.transport {
            Transport::Tcp => Reach::Tcp(TcpVerdict::Open { round_trip: ROUND_TRIP }),
            Transport::Udp => Reach::Udp(UdpVerdict::Open { round_trip: ROUND_TRIP }),
        };
        PortReport { address, port, reach, tls: None, coap: None }
    }

    fn quiet(_: Progress) {}

    /// Says that the host has this address for a minute, which has begun.
    fn resolver(host: &'static str, address: [u8; 4], asked: Arc<AtomicUsize>) -> Server {
        let start = Instant::now();
        Server::new(move |question| {
            asked.fetch_add(1, Ordering::Relaxed);
            let passed = u32::try_from(start.elapsed().as_secs()).unwrap();
            fake::answered(question, &[fake::address(host, 3600 - passed, address)])
        })
    }

    #[test]
    fn a_run_reports_each_endpoint_and_tells_of_each_step() {
        let asked = Arc::new(AtomicUsize::new(0));
        let server = resolver("device.test.", [127, 0, 0, 1], asked.clone());
        let endpoints =
            vec![endpoint("device.test", &[TCP, UDP]), endpoint("[::1]", &[UDP]), endpoint("device.test", &[TCP])];
        let options = options(endpoints.clone(), server.address);
        let mut steps = Vec::new();
        let report = run_with(&options, &mut |step| steps.push(step), open).unwrap();
        assert_eq!(report.resolvers, [server.address]);
        let reported: Vec<Endpoint> = report.endpoints.iter().map(|report| report.endpoint.clone()).collect();
        assert_eq!(reported, endpoints);
        let addresses = |at: usize| report.endpoints[at].name.addresses.clone();
        assert_eq!(addresses(0), ["127.0.0.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(addresses(1), ["::1".parse::<IpAddr>().unwrap()]);
        for (at, ports) in [(0, &[TCP, UDP][..]), (1, &[UDP]), (2, &[TCP])] {
            let reported: Vec<Port> = report.endpoints[at].ports.iter().map(|report| report.port).collect();
            assert_eq!(reported, ports);
        }
        let name = &report.endpoints[0].name;
        assert_eq!((&name.verdict, &name.ttl), (&NameVerdict::Ok, &TtlVerdict::Ok));
        assert_eq!((name.answers[0].code, name.answers[0].addresses.len()), (Some(0), 1));
        assert_eq!(*name, report.endpoints[2].name);
        assert_eq!(report.endpoints[1].name.verdict, NameVerdict::IsAddress);
        // A host is asked for once and once again, for each family; more only if this machine was too slow to take an answer.
        assert!(asked.load(Ordering::Relaxed) >= 4);
        assert!(steps.iter().enumerate().all(|(at, step)| step.done == at + 1 && step.done <= step.total));
        assert_eq!(steps.last().map(|step| (step.done, step.total)), Some((7, 7)));
        assert!(steps.iter().any(|step| step.what == "device.test udp 5684"), "{steps:?}");
    }

    #[test]
    fn a_private_address_is_a_sinkhole_unless_it_is_allowed() {
        let server = resolver("device.test.", [10, 0, 0, 1], Arc::default());
        let mut options = options(vec![endpoint("device.test", &[TCP])], server.address);
        options.allow_private_addresses = false;
        let report = run_with(&options, &mut quiet, open).unwrap();
        let address = "10.0.0.1".parse().unwrap();
        assert_eq!(report.endpoints[0].name.verdict, NameVerdict::Sinkhole { address });
        assert_eq!(report.endpoints[0].ports.len(), 1);
    }

    #[test]
    fn a_resolver_that_is_silent_holds_nothing_up_beyond_the_time() {
        let server = Server::new(|_| Vec::new());
        let options = options(vec![endpoint("device.invalid", &[TCP]), endpoint("127.0.0.1", &[TCP])], server.address);
        let options = Options { timeout: Duration::from_secs(2), ..options };
        let report = run_with(&options, &mut quiet, open).unwrap();
        let name = &report.endpoints[0].name;
        assert_eq!((&name.verdict, &name.ttl), (&NameVerdict::NoAnswer, &TtlVerdict::Unknown));
        assert_eq!((name.answers[0].code, name.answers[0].resolver), (None, server.address));
        assert!(report.endpoints[0].ports.is_empty());
        assert_eq!(report.endpoints[1].ports.len(), 1);
        assert!(report.duration < Duration::from_secs(10), "{:?}", report.duration);
    }

    #[test]
    fn a_port_that_holds_its_check_up_was_not_tried() {
        fn hang(endpoint: &Endpoint, a: IpAddr, port: Port, c: Option<&Credentials>, deadline: Instant) -> PortReport {
            std::thread::sleep(Duration::from_secs(4));
            open(endpoint, a, port, c, deadline + Duration::from_secs(60))
        }
        let options = options(vec![endpoint("127.0.0.1", &[TCP, UDP])], nobody());
        let options = Options { timeout: Duration::from_millis(300), ..options };
        let report = run_with(&options, &mut quiet, hang).unwrap();
        let errno = Errno::TIMEDOUT.raw_os_error();
        let reached: Vec<&Reach> = report.endpoints[0].ports.iter().map(|report| &report.reach).collect();
        let (tcp, udp) = (TcpVerdict::NotTried { errno }, UdpVerdict::NotTried { errno });
        assert_eq!(reached, [&Reach::Tcp(tcp), &Reach::Udp(udp)]);
    }

    #[test]
    fn fifty_endpoints_are_looked_at_at_once() {
        static ALL: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(100));
        fn meet(endpoint: &Endpoint, a: IpAddr, port: Port, c: Option<&Credentials>, deadline: Instant) -> PortReport {
            ALL.wait();
            open(endpoint, a, port, c, deadline + Duration::from_secs(60))
        }
        let endpoints = (1..=50).map(|last| endpoint(&format!("127.0.1.{last}"), &[TCP, UDP])).collect();
        let report = run_with(&options(endpoints, nobody()), &mut quiet, meet).unwrap();
        let tcp = Reach::Tcp(TcpVerdict::Open { round_trip: ROUND_TRIP });
        assert!(report.endpoints.iter().all(|endpoint| endpoint.ports[0].reach == tcp));
    }

    #[test]
    fn a_run_without_endpoints_or_time_is_refused() {
        let refused = |options: Options| run(&options, &mut quiet).unwrap_err().status;
        assert_eq!(refused(Options::new(Vec::new())), Status::InvalidArgument);
        let options = options(vec![endpoint("127.0.0.1", &[TCP])], nobody());
        for timeout in [Duration::ZERO, Duration::MAX] {
            assert_eq!(refused(Options { timeout, ..options.clone() }), Status::InvalidArgument);
        }
    }
}
