//! Whether a UDP port answers a DTLS ClientHello.

use super::port::{open, udp_verdict, wait};
use super::verdict::UdpVerdict;
use crate::net::socket::{Kind, Received};
use crate::tls::inspect::client_hello;
use nix::sys::socket::{setsockopt, sockopt};
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What every link of IPv6 carries (RFC 8200 section 5: 1280 bytes) less the headers of IPv6 (40) and UDP (8).
const MAX_SIZE: u16 = 1280 - 40 - 8;
/// How long an answer is waited for before the ClientHello goes out again (RFC 6347 section 4.2.4.1: one second, doubled), and at last.
const WAITS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(2)];
/// Where the lowest byte of the number of a record stands (RFC 6347 section 4.1).
const RECORD_NUMBER: usize = 10;

pub(super) fn check(host: &str, to: SocketAddr, deadline: Instant) -> UdpVerdict {
    exchange(host, to, deadline).unwrap_or_else(udp_verdict)
}

fn exchange(host: &str, to: SocketAddr, deadline: Instant) -> Result<UdpVerdict, Errno> {
    let not_tried = UdpVerdict::NotTried { errno: Errno::INVAL.raw_os_error() };
    let Ok(mut hello) = client_hello(host, MAX_SIZE) else { return Ok(not_tried) };
    let socket = open(to, Kind::Datagram)?;
    // So that what routers say comes here too, and not only what the host says.
    let _ = match to {
        SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4RecvErr, &true),
        SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvErr, &true),
    };
    socket.connect(to)?;
    for (number, patience) in (0..).zip(WAITS) {
        let begin = Instant::now();
        if begin >= deadline {
            break;
        }
        hello[RECORD_NUMBER] = number;
        socket.send(&hello)?;
        let end = deadline.min(begin + patience);
        while wait(&socket, PollFlags::IN, end) {
            let mut buffer = [0; 2048];
            match socket.receive_datagram(&mut buffer)? {
                Received::Bytes(size) if is_dtls(&buffer[..size]) => {
                    return Ok(UdpVerdict::Open { round_trip: begin.elapsed() });
                }
                // What is left of an error would wake up at once, again and again.
                _ => while recv(&socket, &mut [0; 64], RecvFlags::ERRQUEUE).is_ok() {},
            }
        }
    }
    Ok(UdpVerdict::Silent)
}

/// Whether a datagram begins as a server's answer to a ClientHello does (RFC 6347 sections 4.1 and 4.2.2): ServerHello,
/// HelloVerifyRequest, or an alert.
fn is_dtls(datagram: &[u8]) -> bool {
    const ALERT: u8 = 21;
    const HANDSHAKE: u8 = 22;
    let Some((&[kind, 0xfe, 0xff | 0xfd, 0, 0, _, _, _, _, _, _, high, low], rest)) = datagram.split_first_chunk()
    else {
        return false;
    };
    let Some(content) = rest.get(..usize::from(u16::from_be_bytes([high, low]))) else { return false };
    match (kind, content) {
        (ALERT, [1 | 2, _]) => true,
        // The header of a message has 12 bytes.
        (HANDSHAKE, [2 | 3, ..]) => content.len() > 12,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, content: &[u8]) -> Vec<u8> {
        [&[kind, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, u8::try_from(content.len()).unwrap()][..], content].concat()
    }

    #[test]
    fn only_answers_of_dtls_count() {
        let verify = record(22, &[&[3][..], &[0; 14]].concat());
        assert!(is_dtls(&verify) && is_dtls(&record(22, &[2; 90])) && is_dtls(&record(21, &[2, 40])));
        for size in 0..verify.len() {
            assert!(!is_dtls(&verify[..size]), "cut at {size}");
        }
        for other in [record(22, &[1; 90]), record(21, &[3, 40]), record(21, &[2, 40, 0]), record(23, &[2; 90])] {
            assert!(!is_dtls(&other), "{other:02x?}");
        }
        let mut of_epoch_1 = verify.clone();
        of_epoch_1[4] = 1;
        let mut of_tls = verify;
        of_tls[1] = 3;
        assert!(!is_dtls(&of_epoch_1) && !is_dtls(&of_tls) && !is_dtls(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    }
}
