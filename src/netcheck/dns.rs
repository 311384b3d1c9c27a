//! Questions to one resolver, as no library call of the system puts them: with response codes and times to live in what comes back.

use crate::memory;
use crate::net::{descriptor, random};
use crate::panic;
use hickory_proto::op::{Header, Message, MessageType, OpCode, Query};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use rustix::io::Errno;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How often a question is sent in the time that it has.
const TRIES: u32 = 3;

/// How many aliases in a row are followed.
const MAX_ALIASES: usize = 16;

/// How many pointers may lead directly to one another. Honest messages have one after another at most; hickory follows each by a call
/// of its own, and thousands would overflow the stack.
const MAX_POINTERS: u8 = 4;

/// The response codes of RFC 1035 section 4.1.1 that are looked at.
pub(super) const NO_ERROR: u16 = 0;
pub(super) const NO_SUCH_NAME: u16 = 3;

/// What a resolver says of a host, IPv4 and IPv6 together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// The response code.
    pub code: u16,
    /// It comes from a server that the name belongs to, and not out of a cache.
    pub authoritative: bool,
    pub addresses: Vec<IpAddr>,
    /// The shortest time to live on the way to the addresses, in seconds.
    pub ttl: Option<u32>,
}

struct Question {
    id: u16,
    query: Query,
    bytes: Vec<u8>,
    said: Option<Said>,
}

enum Said {
    /// The answer did not fit: ask by TCP.
    Truncated,
    Answer(Answer),
}

/// Whether a question for this host can be put at all.
pub(super) fn is_name(host: &str) -> bool {
    name(host).is_some()
}

/// Asks a resolver for the addresses of a host. None: it did not answer, or not in a way that can be understood, in time.
///
/// Errors: this device lacks what it takes to ask, such as a descriptor.
pub(super) fn ask(resolver: SocketAddr, host: &str, deadline: Instant) -> Result<Option<Answer>, Errno> {
    let questions = name(host).and_then(|name| {
        Some([Question::new(&name, RecordType::A).ok()?, Question::new(&name, RecordType::AAAA).ok()?])
    });
    let Some(mut questions) = questions else { return Ok(None) };
    if let Err(error) = ask_by_udp(resolver, &mut questions, deadline) {
        return Errno::from_io_error(&error).filter(is_shortage).map_or(Ok(None), Err);
    }
    let mut by_tcp = questions.iter().filter(|question| matches!(question.said, Some(Said::Truncated))).count();
    for question in &mut questions {
        if matches!(question.said, Some(Said::Truncated)) {
            // Each has its part of the time.
            let until = Instant::now() + left(deadline) / u32::try_from(by_tcp).unwrap_or(1);
            by_tcp -= 1;
            question.said = ask_by_tcp(resolver, question, until).ok().flatten();
        }
    }
    Ok(together(questions.map(|question| match question.said {
        Some(Said::Answer(answer)) => Some(answer),
        _ => None,
    })))
}

fn is_shortage(error: &Errno) -> bool {
    [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS].contains(error)
}

/// A family that fails takes nothing away from one that has addresses: there are resolvers that never answer for IPv6.
fn together(answers: [Option<Answer>; 2]) -> Option<Answer> {
    let all_answered = answers.iter().all(Option::is_some);
    let answers: Vec<Answer> = answers.into_iter().flatten().collect();
    let addresses: Vec<IpAddr> = answers.iter().flat_map(|answer| answer.addresses.iter().copied()).collect();
    if addresses.is_empty() && !all_answered {
        return None;
    }
    let codes = || answers.iter().map(|answer| answer.code);
    let failure = codes().find(|code| ![NO_ERROR, NO_SUCH_NAME].contains(code));
    let code = if addresses.is_empty() { failure.or(codes().max()).unwrap_or(NO_ERROR) } else { NO_ERROR };
    let found: Vec<&Answer> = answers.iter().filter(|answer| !answer.addresses.is_empty()).collect();
    let authoritative = !found.is_empty() && found.iter().all(|answer| answer.authoritative);
    let ttl = found.iter().filter_map(|answer| answer.ttl).min();
    Some(Answer { code, authoritative, addresses, ttl })
}

fn name(host: &str) -> Option<Name> {
    let mut name = Name::from_ascii(host).ok()?;
    name.set_fqdn(true);
    (!name.is_root()).then_some(name)
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

impl Question {
    fn new(name: &Name, kind: RecordType) -> io::Result<Self> {
        let query = Query::query(name.clone(), kind);
        let id = random::seed() as u16;
        let mut message = Message::new();
        message.set_id(id).set_recursion_desired(true).add_query(query.clone());
        let bytes = message.to_vec().map_err(io::Error::other)?;
        Ok(Self { id, query, bytes, said: None })
    }
}

/// Puts both questions from one port that the system draws, until both are answered or the time is over.
fn ask_by_udp(resolver: SocketAddr, questions: &mut [Question], deadline: Instant) -> io::Result<()> {
    let any: IpAddr = if resolver.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = OwnedFd::from(UdpSocket::bind((any, 0))?);
    let socket = UdpSocket::from(descriptor::beyond_standard_streams(socket)?);
    socket.connect(resolver)?;
    let mut buffer = memory::zeroed(usize::from(u16::MAX)).map_err(|_| Errno::NOMEM)?;
    for tries_left in (1..=TRIES).rev() {
        let until = Instant::now() + left(deadline) / tries_left;
        let mut unanswered = questions.iter().filter(|question| question.said.is_none());
        if unanswered.any(|question| socket.send(&question.bytes).is_err()) {
            // Nobody listens there now, or there is no way: the next try comes at once.
            continue;
        }
        while questions.iter().any(|question| question.said.is_none()) {
            let patience = left(until);
            if patience.is_zero() {
                break;
            }
            socket.set_read_timeout(Some(patience))?;
            match socket.recv(&mut buffer) {
                Ok(size) => take(&buffer[..size], questions),
                Err(error) if is_wait(&error) => {}
                Err(_) => break,
            }
        }
    }
    Ok(())
}

fn take(message: &[u8], questions: &mut [Question]) {
    for question in questions.iter_mut().filter(|question| question.said.is_none()) {
        question.said = read(message, question);
    }
}

fn is_wait(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn ask_by_tcp(resolver: SocketAddr, question: &Question, deadline: Instant) -> io::Result<Option<Said>> {
    let stream = OwnedFd::from(TcpStream::connect_timeout(&resolver, left(deadline))?);
    let mut stream = TcpStream::from(descriptor::beyond_standard_streams(stream)?);
    // RFC 1035 section 4.2.2: the length, then the message.
    let length = u16::try_from(question.bytes.len()).map_err(io::Error::other)?.to_be_bytes();
    stream.set_write_timeout(Some(left(deadline).max(Duration::from_millis(1))))?;
    stream.write_all(&[&length, &question.bytes[..]].concat())?;
    let mut length = [0; 2];
    read_until(&mut stream, &mut length, deadline)?;
    let mut message = memory::zeroed(usize::from(u16::from_be_bytes(length))).map_err(io::Error::other)?;
    read_until(&mut stream, &mut message, deadline)?;
    Ok(read(&message, question).filter(|said| matches!(said, Said::Answer(_))))
}

fn read_until(stream: &mut TcpStream, mut buffer: &mut [u8], deadline: Instant) -> io::Result<()> {
    while !buffer.is_empty() {
        let patience = left(deadline);
        if patience.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(patience))?;
        match stream.read(buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(size) => buffer = &mut buffer[size..],
            Err(error) if is_wait(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What a message says to a question; none if it is no answer to it.
fn read(message: &[u8], question: &Question) -> Option<Said> {
    if message.get(..2)? != question.id.to_be_bytes() || is_trap(message) {
        return None;
    }
    panic::guard(None, || {
        let mut decoder = BinDecoder::new(message);
        let header = Header::read(&mut decoder).ok()?;
        let is_answer = header.message_type() == MessageType::Response && header.op_code() == OpCode::Query;
        if !is_answer || header.query_count() != 1 || Query::read(&mut decoder).ok()? != question.query {
            return None;
        }
        if header.truncated() {
            return Some(Said::Truncated);
        }
        let records: Result<Vec<Record>, _> = (0..header.answer_count()).map(|_| Record::read(&mut decoder)).collect();
        let (addresses, ttl) = follow(&question.query, &records.ok()?);
        let code = header.response_code().into();
        Some(Said::Answer(Answer { code, authoritative: header.authoritative(), addresses, ttl }))
    })
}

/// For `fuzz/`: the addresses and the shortest time to live that a message gives to a question for this host, whatever its ID.
#[cfg(fuzzing)]
pub fn read_any(host: &str, ipv6: bool, message: &[u8]) -> Option<(Vec<IpAddr>, Option<u32>)> {
    let kind = if ipv6 { RecordType::AAAA } else { RecordType::A };
    let mut question = Question::new(&name(host)?, kind).ok()?;
    question.id = u16::from_be_bytes(message.get(..2)?.try_into().ok()?);
    match read(message, &question)? {
        Said::Truncated => None,
        Said::Answer(answer) => Some((answer.addresses, answer.ttl)),
    }
}

/// Whether pointers of RFC 1035 section 4.1.4 lead to pointers too often.
fn is_trap(message: &[u8]) -> bool {
    // How many pointers in a row begin at each byte. One leads backwards, else it is an error that hickory sees.
    let mut chains = vec![0_u8; message.len()];
    for (at, pair) in message.windows(2).enumerate() {
        let target = usize::from(u16::from_be_bytes([pair[0], pair[1]]) & 0x3FFF);
        if pair[0] & 0xC0 == 0xC0 && target < at {
            chains[at] = chains[target] + 1;
            if chains[at] > MAX_POINTERS {
                return true;
            }
        }
    }
    false
}

/// The addresses that a question's name leads to within an answer, by aliases where there are any, and the shortest time to live.
fn follow(query: &Query, records: &[Record]) -> (Vec<IpAddr>, Option<u32>) {
    let mut name = query.name();
    let mut shortest = u32::MAX;
    for _ in 0..=MAX_ALIASES {
        let of_name = || records.iter().filter(|record| record.name() == name && record.dns_class() == DNSClass::IN);
        let mut addresses = Vec::new();
        for record in of_name().filter(|record| record.record_type() == query.query_type()) {
            let address = match record.data() {
                RData::A(address) => IpAddr::from(address.0),
                RData::AAAA(address) => IpAddr::from(address.0),
                _ => continue,
            };
            shortest = shortest.min(ttl(record));
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        if !addresses.is_empty() {
            return (addresses, Some(shortest));
        }
        let alias = of_name().find_map(|record| match record.data() {
            RData::CNAME(alias) => Some((&alias.0, ttl(record))),
            _ => None,
        });
        let Some((next, ttl)) = alias else { break };
        shortest = shortest.min(ttl);
        name = next;
    }
    (Vec::new(), None)
}

/// One with the highest bit set is zero (RFC 2181 section 8).
fn ttl(record: &Record) -> u32 {
    if record.ttl() > i32::MAX as u32 { 0 } else { record.ttl() }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{self, Server, address, alias, answer, answered};
    use super::*;
    use hickory_proto::op::ResponseCode;
    use std::sync::mpsc;

    const PATIENCE: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(300);
    const HOST: &str = "device.example";
    const FULL: &str = "device.example.";

    fn asked(server: &Server, patience: Duration) -> Option<Answer> {
        let deadline = Instant::now() + patience;
        let answer = ask(server.address, HOST, deadline).unwrap();
        assert!(deadline + Duration::from_secs(10) > Instant::now(), "not in time");
        answer
    }

    fn some(addresses: &[&str], ttl: Option<u32>) -> Option<Answer> {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Some(Answer { code: 0, authoritative: false, addresses, ttl })
    }

    fn ipv4(last: u8) -> [u8; 4] {
        [192, 0, 2, last]
    }

    fn ipv6() -> Ipv6Addr {
        "2001:db8::1".parse().unwrap()
    }

    #[test]
    fn both_families_are_found_behind_aliases_with_the_shortest_time_on_the_way() {
        let server = Server::new(|question| {
            let records = [
                address("b.example.", 90, ipv4(1)),
                alias("A.Example.", 20, "b.example."),
                alias("DEVICE.example.", 70, "a.example."),
                address("b.example.", 80, ipv4(2)),
                address("b.example.", 60, ipv6()),
                address("other.example.", 1, ipv4(3)),
            ];
            answered(question, &records)
        });
        assert_eq!(asked(&server, PATIENCE), some(&["192.0.2.1", "192.0.2.2", "2001:db8::1"], Some(20)));
    }

    #[test]
    fn a_time_to_live_beyond_its_range_is_zero() {
        let server = Server::new(|question| answered(question, &[address(FULL, u32::MAX, ipv4(1))]));
        assert_eq!(asked(&server, PATIENCE), some(&["192.0.2.1"], Some(0)));
    }

    #[test]
    fn aliases_that_lead_nowhere_or_in_a_circle_end() {
        let server =
            Server::new(|question| answered(question, &[alias(FULL, 9, "a.example."), alias("a.example.", 9, FULL)]));
        assert_eq!(asked(&server, PATIENCE), some(&[], None));
        let server = Server::new(|question| {
            let mut aliases = vec![alias(FULL, 9, "a0.example."), address("a99.example.", 9, ipv4(1))];
            aliases.extend((0..99).map(|at| alias(&format!("a{at}.example."), 9, &format!("a{}.example.", at + 1))));
            vec![answer(question, &aliases).to_vec().unwrap()]
        });
        assert_eq!(asked(&server, PATIENCE), some(&[], None));
    }

    #[test]
    fn a_denial_and_a_failure_have_their_codes() {
        for (code, number) in [
            (ResponseCode::NXDomain, 3),
            (ResponseCode::ServFail, 2),
            (ResponseCode::Refused, 5),
            (ResponseCode::NoError, 0),
        ] {
            let server = Server::new(move |question| fake::code(question, code));
            assert_eq!(asked(&server, PATIENCE).map(|answer| (answer.code, answer.ttl)), Some((number, None)));
        }
    }

    #[test]
    fn a_family_that_fails_or_is_silent_takes_nothing_from_the_other() {
        let only_ipv4 = |question: &Message| question.queries()[0].query_type() == RecordType::A;
        let server = Server::new(move |question| match only_ipv4(question) {
            true => answered(question, &[address(FULL, 9, ipv4(1))]),
            false => fake::code(question, ResponseCode::ServFail),
        });
        assert_eq!(asked(&server, PATIENCE), some(&["192.0.2.1"], Some(9)));
        let server = Server::new(move |question| match only_ipv4(question) {
            true => answered(question, &[address(FULL, 9, ipv4(1))]),
            false => Vec::new(),
        });
        assert_eq!(asked(&server, Duration::from_secs(1)), some(&["192.0.2.1"], Some(9)));
        // Whether there is an address is not known then.
        let server = Server::new(move |question| match only_ipv4(question) {
            true => answered(question, &[]),
            false => Vec::new(),
        });
        assert_eq!(asked(&server, SHORT), None);
    }

    #[test]
    fn a_question_that_gets_lost_is_put_again() {
        let mut lost = 0;
        let server = Server::new(move |question| {
            lost += 1;
            if lost <= 2 { Vec::new() } else { answered(question, &[address(FULL, 9, ipv4(1))]) }
        });
        assert_eq!(asked(&server, Duration::from_secs(3)), some(&["192.0.2.1"], Some(9)));
    }

    #[test]
    fn silence_and_a_closed_port_are_no_answer() {
        let server = Server::new(|_| Vec::new());
        assert_eq!(asked(&server, SHORT), None);
        let closed = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let start = Instant::now();
        assert_eq!(ask(closed, HOST, start + PATIENCE), Ok(None));
        assert!(start.elapsed() < PATIENCE / 2, "a closed port is waited for");
    }

    #[test]
    fn what_is_no_answer_to_the_question_is_passed_over() {
        let wrong = |question: &Message| -> Vec<Vec<u8>> {
            let right = answer(question, &[address(FULL, 9, ipv4(66)), address(FULL, 9, ipv6())]);
            let mut other_id = right.clone();
            other_id.set_id(question.id() ^ 1);
            let mut other_name = right.clone();
            other_name.queries_mut()[0].set_name(Name::from_ascii("other.example.").unwrap());
            let mut no_question = right.clone();
            no_question.queries_mut().clear();
            let mut no_answer = right.clone();
            no_answer.set_message_type(MessageType::Query);
            let messages = [other_id, other_name, no_question, no_answer].map(|message| message.to_vec().unwrap());
            let right = right.to_vec().unwrap();
            let garbage = [vec![], right[..2].to_vec(), right[..right.len() - 1].to_vec(), vec![0xFF; 600]];
            messages.into_iter().chain(garbage).collect()
        };
        let server = Server::new(move |question| {
            let right = answered(question, &[address(FULL, 9, ipv4(1))]);
            wrong(question).into_iter().chain(right).collect()
        });
        assert_eq!(asked(&server, PATIENCE), some(&["192.0.2.1"], Some(9)));
        let server = Server::new(wrong);
        assert_eq!(asked(&server, SHORT), None);
    }

    #[test]
    fn an_answer_from_another_port_is_none() {
        let (sender, ports) = mpsc::channel();
        let resolver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address_of_resolver = resolver.local_addr().unwrap();
        let forger = std::thread::spawn(move || {
            let other = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let mut buffer = [0; 512];
            resolver.set_read_timeout(Some(PATIENCE)).unwrap();
            for _ in 0..2 {
                let (size, from) = resolver.recv_from(&mut buffer).unwrap();
                let question = Message::from_vec(&buffer[..size]).unwrap();
                other.send_to(&answered(&question, &[address(FULL, 9, ipv4(66))])[0], from).unwrap();
                sender.send(from.port()).unwrap();
            }
            resolver
        });
        assert_eq!(ask(address_of_resolver, HOST, Instant::now() + SHORT), Ok(None));
        drop(forger.join().unwrap());
        assert_eq!(ports.iter().count(), 2);
    }

    fn truncated(question: &Message) -> Vec<Vec<u8>> {
        let mut message = answer(question, &[address(FULL, 1, ipv4(66)), address(FULL, 1, ipv6())]);
        message.set_truncated(true);
        vec![message.to_vec().unwrap()]
    }

    fn with_length(message: &[u8]) -> Vec<u8> {
        [&u16::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
    }

    #[test]
    fn an_answer_that_does_not_fit_is_fetched_by_tcp() {
        let server = Server::with_tcp(truncated, |question| {
            // As much as there can be: 16 bytes each.
            let records: Vec<Record> =
                (0..4090_u16).map(|at| address(FULL, 7, [10, 0, (at >> 8) as u8, at as u8])).collect();
            with_length(&answer(question, &records).to_vec().unwrap())
        });
        let answer = asked(&server, PATIENCE).unwrap();
        assert_eq!((answer.code, answer.addresses.len(), answer.ttl), (0, 4090, Some(7)));
    }

    #[test]
    fn what_tcp_does_not_give_whole_is_no_answer() {
        let server = Server::new(truncated);
        assert_eq!(asked(&server, SHORT), None);
        for bad in [vec![], vec![0xFF], vec![0, 0], vec![0xFF; 3], vec![0, 12, 0]] {
            let server = Server::with_tcp(truncated, move |_| bad.clone());
            assert_eq!(asked(&server, PATIENCE), None);
        }
        let server = Server::with_tcp(truncated, |question| with_length(&truncated(question)[0]));
        assert_eq!(asked(&server, PATIENCE), None);
    }

    #[test]
    fn a_host_that_can_be_no_name_is_not_asked_for() {
        for host in ["", ".", "a..b", &"a".repeat(64), &"a.".repeat(200)] {
            assert!(!is_name(host), "{host}");
        }
        assert!(is_name("device.example") && is_name("device.example."));
    }

    fn question() -> (Question, Message) {
        let question = Question::new(&name(HOST).unwrap(), RecordType::A).unwrap();
        let message = Message::from_vec(&question.bytes).unwrap();
        (question, message)
    }

    /// On a stack much smaller than that of any thread, as deep as the check's own may be.
    fn read_on_a_small_stack(message: Vec<u8>) -> bool {
        let id = u16::from_be_bytes([message[0], message[1]]);
        let read = move || {
            let question = Question { id, ..question().0 };
            read(&message, &question).is_some()
        };
        std::thread::Builder::new().stack_size(1 << 20).spawn(read).unwrap().join().unwrap()
    }

    #[test]
    fn pointers_in_circles_and_long_chains_end() {
        let (question, message) = question();
        let mut bytes = answer(&message, &[]).to_vec().unwrap();
        assert!(read(&bytes, &question).is_some());
        let records = bytes.len();
        bytes[7] = 2;
        let with_name = |filler: &[u8], name: usize| {
            let mut bytes = bytes.clone();
            // A record of an unknown type whose data is the filler, then an address that has the name.
            bytes.extend([0, 0xFF, 0, 0, 1, 0, 0, 0, 9]);
            bytes.extend(u16::try_from(filler.len()).unwrap().to_be_bytes());
            bytes.extend(filler);
            bytes.extend((0xC000 | name as u16).to_be_bytes());
            bytes.extend([0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 1]);
            bytes
        };
        let filler = records + 11;
        let pointer = |to: usize| (0xC000 | to as u16).to_be_bytes();
        let itself = filler + 1;
        let chain: Vec<u8> =
            std::iter::once(pointer(12)).chain((0..8000).map(|at| pointer(filler + at * 2))).flatten().collect();
        let labels: Vec<u8> = (0..2000).flat_map(|at| [[1, b'a'], pointer(filler + at * 4)]).flatten().collect();
        assert!(read_on_a_small_stack(with_name(&pointer(12), filler)));
        assert!(!read_on_a_small_stack(with_name(&[0], itself)));
        assert!(!read_on_a_small_stack(with_name(&pointer(filler), filler)));
        assert!(!read_on_a_small_stack(with_name(&chain, filler + 16_000)));
        assert!(!read_on_a_small_stack(with_name(&labels, filler + 7_996)));
        // As deep as names may be: each label leads to the one before by as many pointers as are let through.
        let deep = |count: usize| -> Vec<u8> {
            let unit = |at: usize| filler + at * 10;
            let label = |at: usize| [[1, b'a'], pointer(if at == 0 { 12 } else { unit(at - 1) + 8 })];
            let back = |at: usize| [pointer(unit(at)), pointer(unit(at) + 4), pointer(unit(at) + 6)];
            (0..count).flat_map(|at| label(at).into_iter().chain(back(at))).flatten().collect()
        };
        assert!(read_on_a_small_stack(with_name(&deep(119), filler + 1180)));
        assert!(!read_on_a_small_stack(with_name(&deep(200), filler + 1990)));
    }

    #[test]
    fn damaged_answers_do_no_harm() {
        let mut random = fastrand::Rng::with_seed(1);
        let (question, message) = question();
        let records = [alias(FULL, 9, "a.example."), address("a.example.", 9, ipv4(1))];
        let whole = answer(&message, &records).to_vec().unwrap();
        let mut accepted = 0;
        for _ in 0..20_000 {
            let mut bytes = whole.clone();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(2..bytes.len());
                bytes[at] = random.u8(..);
            }
            bytes.truncate(random.usize(2..=bytes.len() * 2));
            accepted += usize::from(read(&bytes, &question).is_some());
        }
        // Most are none, and a time to live or an address can be any.
        assert!((1..15_000).contains(&accepted), "{accepted}");
    }
}
