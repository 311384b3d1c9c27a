//! Who answers over TLS, and whether a ping through the session is answered.

use super::Credentials;
use super::endpoint::Endpoint;
use super::port::wait;
use super::verdict::{CoapVerdict, TlsVerdict};
use crate::coap::ping;
use crate::net::socket::{Received, Socket};
use crate::tls::inspect::{Fault, Inspection, Judgement, Options};
use crate::tls::{Progress, Read, Transport};
use rustix::event::PollFlags;
use rustix::io::Errno;
use std::io;
use std::time::{Duration, Instant};

/// How long a handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);
/// How long the answer to a ping may take.
const PING_LIMIT: Duration = Duration::from_secs(3);
/// How long the rest of an answer that is not TLS is waited for.
const REST_LIMIT: Duration = Duration::from_secs(1);
/// So many of the first bytes are kept.
const FIRST_SIZE: usize = 64;
/// No server has more to say to a handshake and a ping, in bytes.
const MAX_TAKEN: usize = 256 * 1024;
/// Alerts by which servers refuse a client that has no certificate (RFC 5246 section 7.2.2, RFC 8446 section 6.2): handshake_failure,
/// no_certificate, bad_certificate, certificate_unknown, access_denied, certificate_required.
const NO_CERTIFICATE: [u8; 6] = [40, 41, 42, 46, 49, 116];

pub(super) fn check(
    endpoint: &Endpoint,
    socket: &Socket,
    credentials: Option<&Credentials>,
    deadline: Instant,
) -> (TlsVerdict, Option<CoapVerdict>) {
    let ca = credentials.and_then(|credentials| credentials.ca.as_deref());
    let identity = credentials.and_then(|own| Some((own.certificate.as_deref()?, own.key.as_deref()?)));
    let expected_issuer = endpoint.expected_issuer.as_deref();
    let mut inspection = match Inspection::new(&Options { host: &endpoint.host, expected_issuer, ca, identity }) {
        Ok(inspection) => inspection,
        Err(fault) => return (failed(fault), None),
    };
    let mut wire = Wire::new(socket);
    let end = shake_hands(&mut inspection, &mut wire, deadline.min(Instant::now() + HANDSHAKE_LIMIT));
    if end != End::Done && end != End::TimedOut && wire.is_not_tls() {
        wire.take_rest(deadline.min(Instant::now() + REST_LIMIT));
    }
    let is_done = end == End::Done;
    let verdict = verdict(end, inspection.judgement(), &wire.first, identity.is_some());
    let may_ping = is_done && endpoint.coap && identity.is_some() && !matches!(verdict, TlsVerdict::Intercepted { .. });
    let coap = may_ping.then(|| ping(&mut inspection, &mut wire, deadline.min(Instant::now() + PING_LIMIT)));
    if is_done {
        inspection.close(&mut wire);
    }
    (verdict, coap)
}

/// How a handshake ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Done,
    TimedOut,
    Fault(Fault),
}

fn shake_hands(inspection: &mut Inspection, wire: &mut Wire<'_>, deadline: Instant) -> End {
    loop {
        match inspection.handshake(wire) {
            Ok(Progress::Done) => return End::Done,
            Ok(Progress::Blocked) if wire.wait(deadline) => {}
            Ok(Progress::Blocked) => return End::TimedOut,
            Err(fault) => return End::Fault(fault),
        }
    }
}

/// A stranger is one however the handshake ended. Who is none may still refuse a device that has not shown its certificate.
fn verdict(end: End, judgement: Option<Judgement>, first: &[u8], has_identity: bool) -> TlsVerdict {
    match (end, judgement) {
        (_, Some(Judgement::Stranger { expected, found })) => TlsVerdict::Intercepted { expected, found },
        (End::Done, Some(judgement)) => judged(judgement),
        (End::Fault(Fault::Alert { number, .. }), Some(judgement))
            if !has_identity && NO_CERTIFICATE.contains(&number) =>
        {
            judged(judgement)
        }
        _ if is_not_tls(first) => TlsVerdict::NotTls { first_bytes: first.to_vec(), http_status: http_status(first) },
        (End::TimedOut, _) => TlsVerdict::TimedOut,
        (End::Fault(fault), _) => failed(fault),
        // A session without certificates: none is offered, so that Mbed TLS makes none.
        (End::Done, None) => TlsVerdict::Failed { error: 0 },
    }
}

fn judged(judgement: Judgement) -> TlsVerdict {
    match judgement {
        Judgement::Genuine { issuer } => TlsVerdict::Genuine { issuer },
        Judgement::NotJudged { issuer } => TlsVerdict::NotJudged { issuer },
        Judgement::Stranger { expected, found } => TlsVerdict::Intercepted { expected, found },
    }
}

fn failed(fault: Fault) -> TlsVerdict {
    match fault {
        Fault::Alert { number, name } => TlsVerdict::Alert { number, name: name.to_owned() },
        Fault::Ended => TlsVerdict::Reset,
        Fault::Other { error } => TlsVerdict::Failed { error },
    }
}

/// One ping in one record. What else the server says meanwhile is passed over.
fn ping(inspection: &mut Inspection, wire: &mut Wire<'_>, deadline: Instant) -> CoapVerdict {
    let message_id = fastrand::u16(..);
    let begin = Instant::now();
    while inspection.write(wire, &ping::encode(message_id)) != Ok(Progress::Done) {
        if !wire.is_blocked() || !wire.wait(deadline) {
            return CoapVerdict::Silent;
        }
    }
    let mut record = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        match inspection.read(wire, &mut buffer) {
            Ok(Read::Data { size, end_of_record }) => {
                record.extend_from_slice(&buffer[..size]);
                if end_of_record && ping::matches(&record, message_id) {
                    return CoapVerdict::Answered { round_trip: begin.elapsed() };
                }
                if end_of_record {
                    record.clear();
                }
                if Instant::now() >= deadline {
                    return CoapVerdict::Silent;
                }
            }
            Ok(Read::Blocked) if wire.wait(deadline) => {}
            Ok(Read::Blocked) | Err(_) => return CoapVerdict::Silent,
        }
    }
}

/// Whether the first bytes of an answer cannot begin a record of a handshake or an alert (RFC 8446 section 5.1).
fn is_not_tls(first: &[u8]) -> bool {
    const MAX_RECORD: usize = (1 << 14) + 2048;
    let is_record = match *first {
        [kind, major, minor, high, low, ..] => {
            let size = usize::from(u16::from_be_bytes([high, low]));
            matches!((kind, major, minor), (21 | 22, 3, 0..=4)) && size <= MAX_RECORD
        }
        [kind, major, ..] => matches!((kind, major), (21 | 22, 3)),
        [kind] => matches!(kind, 21 | 22),
        [] => true,
    };
    !is_record
}

/// The status of an answer of HTTP/1 (RFC 9112 section 4).
fn http_status(first: &[u8]) -> Option<u16> {
    let [b'1', b'.', _, b' ', digits @ ..] = first.strip_prefix(b"HTTP/")? else { return None };
    let digits = digits.get(..3)?.iter();
    digits
        .map(|digit| char::from(*digit).to_digit(10))
        .try_fold(0, |status, digit| Some(status * 10 + u16::try_from(digit?).ok()?))
}

/// A socket as a session sees it. It remembers how the answer begins.
struct Wire<'a> {
    socket: &'a Socket,
    first: Vec<u8>,
    taken: usize,
    /// What the session waits for.
    wanted: PollFlags,
}

impl<'a> Wire<'a> {
    fn new(socket: &'a Socket) -> Self {
        Self { socket, first: Vec::new(), taken: 0, wanted: PollFlags::empty() }
    }

    fn is_blocked(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// False: the time is over.
    fn wait(&mut self, deadline: Instant) -> bool {
        let wanted = std::mem::replace(&mut self.wanted, PollFlags::empty());
        wait(self.socket, wanted, deadline)
    }

    fn is_not_tls(&self) -> bool {
        is_not_tls(&self.first)
    }

    /// Takes what is still missing of the first bytes.
    fn take_rest(&mut self, deadline: Instant) {
        while self.first.len() < FIRST_SIZE {
            let mut buffer = [0; FIRST_SIZE];
            match self.receive(&mut buffer) {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && self.wait(deadline) => {}
                _ => return,
            }
        }
    }
}

impl Transport for Wire<'_> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.socket.send(bytes) {
            Ok(Some(size)) => Ok(size),
            Ok(None) => {
                self.wanted = PollFlags::OUT;
                Err(io::ErrorKind::WouldBlock.into())
            }
            // Why the peer takes nothing more may stand in what it sent: that is read next.
            Err(Errno::PIPE | Errno::CONNRESET) => Ok(bytes.len()),
            Err(error) => Err(error.into()),
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(MAX_TAKEN - self.taken);
        if room == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        match self.socket.receive(&mut buffer[..room])? {
            Received::Bytes(size) => {
                let kept = size.min(FIRST_SIZE - self.first.len());
                self.first.extend_from_slice(&buffer[..kept]);
                self.taken += size;
                Ok(size)
            }
            Received::WouldBlock => {
                self.wanted = PollFlags::IN;
                Err(io::ErrorKind::WouldBlock.into())
            }
            Received::End | Received::Cut => Ok(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_a_handshake_and_alerts_are_tls_from_their_first_byte_on() {
        let hello = [22, 3, 3, 0, 90, 2];
        for size in 0..=hello.len() {
            assert!(!is_not_tls(&hello[..size]), "{size}");
        }
        assert!(!is_not_tls(&[21, 3, 1, 0, 2]));
        for other in [
            &b"H"[..],
            b"HTTP/1.1 403 Forbidden",
            b"SSH-2.0-x",
            &[0],
            &[23, 3, 3, 0, 9],
            &[22, 2],
            &[22, 3, 3, 0xff, 0xff],
            &[22, 3, 9, 0, 9],
        ] {
            assert!(is_not_tls(other), "{other:02x?}");
        }
    }

    #[test]
    fn the_status_of_http_is_read() {
        assert_eq!(http_status(b"HTTP/1.1 403 Forbidden\r\n"), Some(403));
        assert_eq!(http_status(b"HTTP/1.0 302"), Some(302));
        for other in [&b""[..], b"HTTP/1.1 4", b"HTTP/1.1 4o3 ", b"HTTP/1.1403 ", b"http/1.1 403 ", b"SSH-2.0-x"] {
            assert_eq!(http_status(other), None, "{other:?}");
        }
    }

    #[test]
    fn who_was_seen_counts_more_than_how_the_handshake_ended() {
        let genuine = || Some(Judgement::Genuine { issuer: "CN=a".to_owned() });
        let stranger = || Some(Judgement::Stranger { expected: "CN=a".to_owned(), found: "CN=b".to_owned() });
        let alert = |number| End::Fault(Fault::Alert { number, name: "a name" });
        let is_genuine = |verdict| matches!(verdict, TlsVerdict::Genuine { .. });
        let first = [22, 3, 3, 0, 90];
        for end in [End::Done, End::TimedOut, alert(40), End::Fault(Fault::Ended)] {
            let verdict = verdict(end, stranger(), &first, true);
            assert_eq!(verdict, TlsVerdict::Intercepted { expected: "CN=a".into(), found: "CN=b".into() });
        }
        assert!(is_genuine(verdict(End::Done, genuine(), &first, false)));
        assert!(is_genuine(verdict(alert(40), genuine(), &first, false)));
        assert!(is_genuine(verdict(alert(116), genuine(), &first, false)));
        // The own certificate was refused, or it is about something else.
        let named = |number| TlsVerdict::Alert { number, name: "a name".into() };
        assert_eq!(verdict(alert(40), genuine(), &first, true), named(40));
        assert_eq!(verdict(alert(80), genuine(), &first, false), named(80));
        assert_eq!(verdict(End::Fault(Fault::Ended), genuine(), &first, false), TlsVerdict::Reset);
        assert_eq!(verdict(End::TimedOut, genuine(), &first, false), TlsVerdict::TimedOut);
        let not_tls = TlsVerdict::NotTls { first_bytes: b"HT".to_vec(), http_status: None };
        assert_eq!(verdict(End::TimedOut, None, b"HT", false), not_tls);
    }
}
