//! Non-blocking sockets, and what their errors mean.

use super::descriptor;
use crate::error::{Failure, Status};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{DupFlags, Errno, dup3};
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// What a socket speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6, and IPv4 by mapped addresses where the system allows it.
    Ipv6,
}

/// What a socket carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// TCP.
    Stream,
    /// UDP.
    Datagram,
}

/// Options of TCP that an application sets for a connection.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpOptions {
    /// TCP's own keepalive: the idle time before the first probe, the time between two, and how many; none: off.
    pub keepalive: Option<(Duration, Duration, u32)>,
    /// How many milliseconds sent data may stay unacknowledged (RFC 5482); none: the system's own limit.
    pub user_timeout_ms: Option<u32>,
}

/// A socket. It is closed when it is dropped.
#[derive(Debug)]
pub struct Socket {
    descriptor: OwnedFd,
    identity: Identity,
}

/// What a descriptor stands for, whatever its number: the numbers of a device and of a file on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity(u64, u64);

/// What a read gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// This many bytes stand in the buffer.
    Bytes(usize),
    /// A datagram was longer than the buffer.
    Cut,
    /// Nothing now.
    WouldBlock,
    /// The peer has closed its side.
    End,
}

impl Socket {
    /// A TCP socket that is being connected to `address`.
    pub fn connect_tcp(address: SocketAddr, options: &TcpOptions) -> Result<Self, Failure> {
        let socket = Self::new(address, Kind::Stream)?;
        if let Some((idle, interval, count)) = options.keepalive {
            sockopt::set_socket_keepalive(&socket, true).map_err(failure)?;
            sockopt::set_tcp_keepidle(&socket, idle).map_err(failure)?;
            sockopt::set_tcp_keepintvl(&socket, interval).map_err(failure)?;
            sockopt::set_tcp_keepcnt(&socket, count).map_err(failure)?;
        }
        if let Some(timeout) = options.user_timeout_ms {
            sockopt::set_tcp_user_timeout(&socket, timeout).map_err(failure)?;
        }
        match socket.connect(address) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
            Err(error) => Err(failure(error)),
        }
    }

    /// A UDP socket that takes datagrams from `address` only.
    pub fn connect_udp(address: SocketAddr) -> Result<Self, Failure> {
        let socket = Self::new(address, Kind::Datagram)?;
        socket.connect(address).map_err(failure)?;
        Ok(socket)
    }

    fn new(address: SocketAddr, kind: Kind) -> Result<Self, Failure> {
        let family = if address.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
        Self::open(family, kind).map_err(failure)
    }

    /// A socket that is neither bound nor connected. With TCP nothing waits to be sent together (`TCP_NODELAY`).
    pub fn open(family: Family, kind: Kind) -> Result<Self, Errno> {
        let family = match family {
            Family::Ipv4 => AddressFamily::INET,
            Family::Ipv6 => AddressFamily::INET6,
        };
        let socket_type = match kind {
            Kind::Stream => SocketType::STREAM,
            Kind::Datagram => SocketType::DGRAM,
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = Self::from_descriptor(net::socket_with(family, socket_type, flags, None)?)?;
        if kind == Kind::Stream {
            sockopt::set_tcp_nodelay(&socket, true)?;
        }
        Ok(socket)
    }

    /// Takes over a descriptor, under a number that is not one of the standard streams.
    fn from_descriptor(descriptor: OwnedFd) -> Result<Self, Errno> {
        let descriptor = descriptor::beyond_standard_streams(descriptor)?;
        let identity = Identity::of(&descriptor)?;
        Ok(Self { descriptor, identity })
    }

    /// Begins to connect a stream, or says how a connect that was begun has ended; for datagrams, sets the peer.
    pub fn connect(&self, address: SocketAddr) -> Result<(), Errno> {
        retry(|| net::connect(self, &address))
    }

    /// Gives the socket an address of this device.
    pub fn bind(&self, address: SocketAddr) -> Result<(), Errno> {
        net::bind(self, &address)
    }

    /// Lets a stream take connections, of which `backlog` may wait.
    pub fn listen(&self, backlog: i32) -> Result<(), Errno> {
        net::listen(self, backlog)
    }

    /// Takes a connection that waits, and says where it comes from. It goes on waiting where there is no number for it.
    pub fn accept(&self) -> Result<(Self, Option<SocketAddr>), Errno> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let accept = || retry(|| net::acceptfrom_with(self, flags));
        // Held before: a connection that is taken cannot go back when the only free numbers are those of the standard streams.
        let mut held = descriptor::another(self)?;
        let (descriptor, address) = match accept() {
            // It was the last one.
            Err(Errno::MFILE | Errno::NFILE) => {
                drop(held);
                accept()?
            }
            accepted => {
                let (descriptor, address) = accepted?;
                if descriptor.as_raw_fd() < descriptor::FIRST_NUMBER {
                    dup3(&descriptor, &mut held, DupFlags::CLOEXEC)?;
                    (held, address)
                } else {
                    (descriptor, address)
                }
            }
        };
        let socket = Self::from_descriptor(descriptor)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        Ok((socket, address.and_then(|address| SocketAddr::try_from(address).ok())))
    }

    /// Sends a datagram to an address; none: there is no room now.
    pub fn send_to(&self, bytes: &[u8], address: SocketAddr) -> Result<Option<usize>, Errno> {
        would_block(retry(|| net::sendto(self, bytes, SendFlags::NOSIGNAL, &address)))
    }

    /// Receives what there is of a stream, or one datagram, of which what does not fit is dropped; none: nothing now. Says how
    /// many bytes it wrote to the beginning of `buffer`.
    pub fn receive_from(&self, kind: Kind, buffer: &mut [MaybeUninit<u8>]) -> Result<Option<ReceivedFrom>, Errno> {
        // With TRUNC the size is the datagram's, even where the buffer is shorter; a stream's bytes it would drop.
        let flags = if kind == Kind::Datagram { RecvFlags::TRUNC } else { RecvFlags::empty() };
        let received = retry(|| {
            let ((bytes, _), whole, address) = net::recvfrom(self, &mut *buffer, flags)?;
            let address = address.and_then(|address| SocketAddr::try_from(address).ok());
            Ok(ReceivedFrom { size: bytes.len(), whole, address })
        });
        would_block(received)
    }

    /// Sets an option.
    pub fn set(&self, option: SocketOption) -> Result<(), Errno> {
        match option {
            SocketOption::ReuseAddress(on) => sockopt::set_socket_reuseaddr(self, on),
            SocketOption::Keepalive(on) => sockopt::set_socket_keepalive(self, on),
            SocketOption::KeepaliveIdle(time) => sockopt::set_tcp_keepidle(self, time),
            SocketOption::KeepaliveInterval(time) => sockopt::set_tcp_keepintvl(self, time),
            SocketOption::SendTimeout(time) => sockopt::set_socket_timeout(self, sockopt::Timeout::Send, time),
            SocketOption::ReceiveTimeout(time) => sockopt::set_socket_timeout(self, sockopt::Timeout::Recv, time),
            // The kernel reads both as signed: -1 is its default.
            SocketOption::MulticastHops(hops) => sockopt::set_ipv6_multicast_hops(self, hops as u32),
            SocketOption::TrafficClass(class) => sockopt::set_ipv6_tclass(self, class as u32),
        }
    }

    /// What it speaks.
    pub fn family(&self) -> Result<Family, Errno> {
        Ok(if sockopt::socket_domain(self)? == AddressFamily::INET6 { Family::Ipv6 } else { Family::Ipv4 })
    }

    /// Whether calls on it return at once, which the application may have changed.
    pub fn is_non_blocking(&self) -> Result<bool, Errno> {
        Ok(rustix::fs::fcntl_getfl(self)?.contains(rustix::fs::OFlags::NONBLOCK))
    }

    /// How a connect that was begun has ended; none: it has not. Its result stays where it is, for the next [`Self::connect`].
    pub fn connect_end(&self) -> Option<ConnectEnd> {
        let mut polled = [PollFd::new(self, PollFlags::OUT)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        retry(|| poll(&mut polled, Some(&now))).ok()?;
        let seen = polled[0].revents();
        if seen.contains(PollFlags::HUP) {
            return Some(ConnectEnd::Failed);
        }
        if !seen.contains(PollFlags::OUT) {
            // An error alone: a router has called the host unreachable, and the system tries again.
            return None;
        }
        if seen.contains(PollFlags::ERR) {
            // What the router said is still queued, and would look like an error of the connection as long as it is.
            while net::recv(self, &mut [0; 64], RecvFlags::ERRQUEUE).is_ok() {}
        }
        Some(ConnectEnd::Stands)
    }

    /// The address of this device that it has; none: not yet, or it cannot be told.
    pub fn local_address(&self) -> Option<SocketAddr> {
        SocketAddr::try_from(net::getsockname(self).ok()?).ok()
    }

    /// The number of its descriptor.
    pub fn number(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }

    /// Whether the descriptor is still this socket's: an application may have closed it by its number, which the system gives out
    /// again.
    pub fn is_there(&self) -> bool {
        Identity::of(&self.descriptor) == Ok(self.identity)
    }

    /// Gives up a descriptor that somebody else has closed, without closing what may have its number now.
    pub fn abandon(self) {
        let _ = self.descriptor.into_raw_fd();
    }

    /// Whether a connect that was begun has ended, and how.
    pub fn connect_result(&self) -> Result<bool, Failure> {
        match sockopt::socket_error(self) {
            Ok(Ok(())) => {}
            Ok(Err(error)) | Err(error) => return Err(failure(error)),
        }
        match net::getpeername(self) {
            Ok(_) => Ok(true),
            Err(Errno::NOTCONN) => Ok(false),
            Err(error) => Err(failure(error)),
        }
    }

    /// Sends as much as the system takes now; none: nothing.
    pub fn send(&self, bytes: &[u8]) -> Result<Option<usize>, Errno> {
        would_block(retry(|| net::send(self, bytes, SendFlags::NOSIGNAL)))
    }

    /// Receives what there is, from a stream.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<Received, Errno> {
        match retry(|| net::recv(self, &mut *buffer, RecvFlags::empty())) {
            Ok((0, _)) => Ok(Received::End),
            Ok((size, _)) => Ok(Received::Bytes(size)),
            Err(Errno::AGAIN) => Ok(Received::WouldBlock),
            Err(error) => Err(error),
        }
    }

    /// Receives one datagram.
    pub fn receive_datagram(&self, buffer: &mut [u8]) -> Result<Received, Errno> {
        // With TRUNC the size is the datagram's, even where the buffer is shorter.
        loop {
            return match retry(|| net::recv(self, &mut *buffer, RecvFlags::TRUNC)) {
                Ok((_, whole)) if whole > buffer.len() => Ok(Received::Cut),
                Ok((size, _)) => Ok(Received::Bytes(size)),
                Err(Errno::AGAIN) => Ok(Received::WouldBlock),
                // It tells of a datagram that was sent and was too long for the path, whose limit the system knows now (ICMP).
                Err(Errno::MSGSIZE) => continue,
                Err(error) => Err(error),
            };
        }
    }
}

impl Identity {
    #[allow(clippy::unnecessary_cast, reason = "the types of both numbers differ between architectures")]
    fn of(descriptor: &OwnedFd) -> Result<Self, Errno> {
        let status = rustix::fs::fstat(descriptor)?;
        Ok(Self(status.st_dev as u64, status.st_ino as u64))
    }
}

/// How a connect has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectEnd {
    /// The connection stands.
    Stands,
    /// There is none.
    Failed,
}

/// What [`Socket::receive_from`] gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceivedFrom {
    /// Bytes in the buffer.
    pub size: usize,
    /// Bytes of the datagram, more than `size` if it was cut.
    pub whole: usize,
    /// Who sent it, if that is known and an IP address.
    pub address: Option<SocketAddr>,
}

/// An option of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketOption {
    /// Whether an address can be bound while old connections of it linger (`SO_REUSEADDR`).
    ReuseAddress(bool),
    /// TCP's own keepalive (`SO_KEEPALIVE`).
    Keepalive(bool),
    /// The idle time before its first probe, in whole seconds (`TCP_KEEPIDLE`).
    KeepaliveIdle(Duration),
    /// The time between two probes, in whole seconds (`TCP_KEEPINTVL`).
    KeepaliveInterval(Duration),
    /// How long a blocking call sends (`SO_SNDTIMEO`); none: for ever.
    SendTimeout(Option<Duration>),
    /// How long a blocking call receives (`SO_RCVTIMEO`); none: for ever.
    ReceiveTimeout(Option<Duration>),
    /// The hop limit of multicast over IPv6, 0 to 255 (`IPV6_MULTICAST_HOPS`); -1: the system's default.
    MulticastHops(i32),
    /// The traffic class of IPv6, 0 to 255 (`IPV6_TCLASS`); -1: the system's default.
    TrafficClass(i32),
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// None for a call that would have had to wait.
fn would_block<T>(result: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Errno::AGAIN) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Repeats a call that a signal interrupted.
fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

/// What an error of a socket that is connected means.
pub fn broken(error: Errno) -> Failure {
    match error {
        // TCP's own keepalive, or its limit for data that nobody acknowledges.
        Errno::TIMEDOUT => Failure::with_detail(Status::PathSilent, error.raw_os_error()),
        error => failure(error),
    }
}

/// What an error of a socket that is being made or connected means.
fn failure(error: Errno) -> Failure {
    let status = match error {
        Errno::CONNREFUSED => Status::ConnectionRefused,
        Errno::TIMEDOUT => Status::ConnectTimeout,
        Errno::HOSTUNREACH | Errno::HOSTDOWN => Status::HostUnreachable,
        Errno::NETUNREACH | Errno::NETDOWN | Errno::NODEV => Status::NetworkDown,
        Errno::CONNRESET | Errno::CONNABORTED | Errno::PIPE => Status::ConnectionReset,
        Errno::MSGSIZE => Status::MessageTooLarge,
        Errno::MFILE | Errno::NFILE => Status::OutOfDescriptors,
        Errno::NOMEM | Errno::NOBUFS => Status::OutOfMemory,
        _ => Status::TransportFailed,
    };
    Failure::with_detail(status, error.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, UdpSocket};

    fn wait_until_connected(socket: &Socket) -> Result<(), Failure> {
        for _ in 0..1000 {
            if socket.connect_result()? {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("no answer on loopback");
    }

    #[test]
    fn a_tcp_socket_connects_with_its_options_and_carries_bytes() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let options = TcpOptions {
            keepalive: Some((Duration::from_secs(60), Duration::from_secs(10), 3)),
            user_timeout_ms: Some(5000),
        };
        let socket = Socket::connect_tcp(listener.local_addr().unwrap(), &options).unwrap();
        wait_until_connected(&socket).unwrap();
        assert!(sockopt::socket_keepalive(&socket).unwrap() && sockopt::tcp_nodelay(&socket).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&socket).unwrap(), Duration::from_secs(60));
        assert_eq!(sockopt::tcp_keepintvl(&socket).unwrap(), Duration::from_secs(10));
        assert_eq!(sockopt::tcp_keepcnt(&socket).unwrap(), 3);
        assert_eq!(sockopt::tcp_user_timeout(&socket).unwrap(), 5000);

        let mut buffer = [0; 8];
        assert_eq!(socket.receive(&mut buffer), Ok(Received::WouldBlock));
        let (mut peer, _) = listener.accept().unwrap();
        assert_eq!(socket.send(b"ping"), Ok(Some(4)));
        peer.read_exact(&mut buffer[..4]).unwrap();
        peer.write_all(b"pong").unwrap();
        drop(peer);
        let mut received = Vec::new();
        loop {
            match socket.receive(&mut buffer).unwrap() {
                Received::Bytes(size) => received.extend_from_slice(&buffer[..size]),
                Received::End => break,
                _ => std::thread::yield_now(),
            }
        }
        assert_eq!(received, b"pong");
    }

    #[test]
    fn a_refused_port_says_so() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let failure = Socket::connect_tcp(address, &TcpOptions::default())
            .and_then(|socket| wait_until_connected(&socket))
            .unwrap_err();
        assert_eq!(failure.status, Status::ConnectionRefused);
    }

    #[test]
    fn silence_on_a_connected_socket_is_no_failure_to_connect() {
        assert_eq!(broken(Errno::TIMEDOUT).status, Status::PathSilent);
        assert_eq!(failure(Errno::TIMEDOUT).status, Status::ConnectTimeout);
        assert_eq!(broken(Errno::CONNRESET), failure(Errno::CONNRESET));
    }

    #[test]
    fn a_datagram_comes_whole_or_is_known_to_be_cut() {
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let socket = Socket::connect_udp(peer.local_addr().unwrap()).unwrap();
        assert_eq!(socket.send(b"hello"), Ok(Some(5)));
        let (_, address) = peer.recv_from(&mut [0; 8]).unwrap();
        for size in [0, 3, 8, 9] {
            peer.send_to(&vec![7; size], address).unwrap();
            let mut buffer = [0; 8];
            let received = loop {
                match socket.receive_datagram(&mut buffer).unwrap() {
                    Received::WouldBlock => std::thread::yield_now(),
                    received => break received,
                }
            };
            assert_eq!(received, if size > 8 { Received::Cut } else { Received::Bytes(size) });
        }
    }
}
