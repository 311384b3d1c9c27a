//! Non-blocking sockets, and what their errors mean.

use crate::error::{Failure, Status};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

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
}

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
        let socket = Self::new(address, SocketType::STREAM)?;
        sockopt::set_tcp_nodelay(&socket, true).map_err(failure)?;
        if let Some((idle, interval, count)) = options.keepalive {
            sockopt::set_socket_keepalive(&socket, true).map_err(failure)?;
            sockopt::set_tcp_keepidle(&socket, idle).map_err(failure)?;
            sockopt::set_tcp_keepintvl(&socket, interval).map_err(failure)?;
            sockopt::set_tcp_keepcnt(&socket, count).map_err(failure)?;
        }
        if let Some(timeout) = options.user_timeout_ms {
            sockopt::set_tcp_user_timeout(&socket, timeout).map_err(failure)?;
        }
        match retry(|| net::connect(&socket, &address)) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
            Err(error) => Err(failure(error)),
        }
    }

    /// A UDP socket that takes datagrams from `address` only.
    pub fn connect_udp(address: SocketAddr) -> Result<Self, Failure> {
        let socket = Self::new(address, SocketType::DGRAM)?;
        retry(|| net::connect(&socket, &address)).map_err(failure)?;
        Ok(socket)
    }

    fn new(address: SocketAddr, kind: SocketType) -> Result<Self, Failure> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let descriptor = net::socket_with(family, kind, flags, None).map_err(failure)?;
        Ok(Self { descriptor })
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
        match retry(|| net::send(self, bytes, SendFlags::NOSIGNAL)) {
            Ok(sent) => Ok(Some(sent)),
            Err(Errno::AGAIN) => Ok(None),
            Err(error) => Err(error),
        }
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
        match retry(|| net::recv(self, &mut *buffer, RecvFlags::TRUNC)) {
            Ok((_, whole)) if whole > buffer.len() => Ok(Received::Cut),
            Ok((size, _)) => Ok(Received::Bytes(size)),
            Err(Errno::AGAIN) => Ok(Received::WouldBlock),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
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
