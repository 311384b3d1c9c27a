//! Probes of a port of an address.

use super::endpoint::{Endpoint, Port, Transport};
use super::report::{PortReport, Reach};
use super::verdict::{TcpVerdict, UdpVerdict};
use super::{Credentials, handshake, hello};
use crate::net::socket::{Family, Kind, Socket};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// How long a connect may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Looks at a port: whether it is reached, over TCP who answers, and with credentials whether a CoAP ping is answered. It blocks, and
/// never for longer than until the deadline.
pub fn check(
    endpoint: &Endpoint,
    address: IpAddr,
    port: Port,
    credentials: Option<&Credentials>,
    deadline: Instant,
) -> PortReport {
    let to = SocketAddr::new(address, port.number);
    let report = |reach| PortReport { address, port, reach, tls: None, coap: None };
    match port.transport {
        Transport::Udp => report(Reach::Udp(hello::check(&endpoint.host, to, deadline))),
        Transport::Tcp => match connect(to, deadline) {
            Ok((socket, round_trip)) => {
                let (tls, coap) = handshake::check(endpoint, &socket, credentials, deadline);
                PortReport { tls: Some(tls), coap, ..report(Reach::Tcp(TcpVerdict::Open { round_trip })) }
            }
            Err(verdict) => report(Reach::Tcp(verdict)),
        },
    }
}

fn connect(to: SocketAddr, deadline: Instant) -> Result<(Socket, Duration), TcpVerdict> {
    let begin = Instant::now();
    let deadline = deadline.min(begin + CONNECT_LIMIT);
    let socket = open(to, Kind::Stream).map_err(tcp_verdict)?;
    match socket.connect(to) {
        Ok(()) => return Ok((socket, begin.elapsed())),
        Err(Errno::INPROGRESS) => {}
        Err(error) => return Err(tcp_verdict(error)),
    }
    loop {
        let has_news = wait(&socket, PollFlags::OUT, deadline);
        // What a router said about a connect that the system goes on with counts too.
        if let Ok(Err(error)) | Err(error) = sockopt::socket_error(&socket) {
            return Err(tcp_verdict(error));
        }
        if has_news && rustix::net::getpeername(&socket).is_ok() {
            return Ok((socket, begin.elapsed()));
        }
        if !has_news {
            return Err(TcpVerdict::TimedOut);
        }
    }
}

/// A socket for an address.
pub(super) fn open(to: SocketAddr, kind: Kind) -> Result<Socket, Errno> {
    Socket::open(if to.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 }, kind)
}

/// Waits until the socket can; false: the time is over.
pub(super) fn wait(socket: &Socket, wanted: PollFlags, deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(limit) = Timespec::try_from(left) else { return false };
        if left.is_zero() {
            return false;
        }
        match poll(&mut [PollFd::new(socket, wanted)], Some(&limit)) {
            Ok(0) | Err(Errno::INTR) => {}
            result => return result.is_ok(),
        }
    }
}

fn tcp_verdict(error: Errno) -> TcpVerdict {
    let errno = error.raw_os_error();
    match error {
        Errno::CONNREFUSED | Errno::CONNRESET => TcpVerdict::Refused,
        Errno::TIMEDOUT => TcpVerdict::TimedOut,
        error if is_no_way(error) => TcpVerdict::Unreachable { errno },
        _ => TcpVerdict::NotTried { errno },
    }
}

pub(super) fn udp_verdict(error: Errno) -> UdpVerdict {
    let errno = error.raw_os_error();
    // A datagram that was sent, and answered by ICMP.
    let is_refused = matches!(error, Errno::CONNREFUSED | Errno::CONNRESET | Errno::PROTO | Errno::NOPROTOOPT);
    if is_refused || is_no_way(error) { UdpVerdict::Unreachable { errno } } else { UdpVerdict::NotTried { errno } }
}

/// Whether the network, or this device's own routes, say that there is no way to the address. Routes that forbid give the last two.
pub(super) fn is_no_way(error: Errno) -> bool {
    let unreachable = [Errno::HOSTUNREACH, Errno::NETUNREACH, Errno::HOSTDOWN, Errno::NETDOWN, Errno::NONET];
    let no_own_address = [Errno::ADDRNOTAVAIL, Errno::AFNOSUPPORT, Errno::NODEV];
    unreachable.contains(&error) || no_own_address.contains(&error) || [Errno::ACCESS, Errno::INVAL].contains(&error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_of_the_port_of_the_way_or_of_this_device() {
        assert_eq!(tcp_verdict(Errno::CONNREFUSED), TcpVerdict::Refused);
        assert_eq!(tcp_verdict(Errno::TIMEDOUT), TcpVerdict::TimedOut);
        let errno = Errno::NETUNREACH.raw_os_error();
        assert_eq!(tcp_verdict(Errno::NETUNREACH), TcpVerdict::Unreachable { errno });
        assert_eq!(udp_verdict(Errno::NETUNREACH), UdpVerdict::Unreachable { errno });
        let errno = Errno::CONNREFUSED.raw_os_error();
        assert_eq!(udp_verdict(Errno::CONNREFUSED), UdpVerdict::Unreachable { errno });
        let errno = Errno::MFILE.raw_os_error();
        assert_eq!(tcp_verdict(Errno::MFILE), TcpVerdict::NotTried { errno });
        assert_eq!(udp_verdict(Errno::MFILE), UdpVerdict::NotTried { errno });
    }
}
