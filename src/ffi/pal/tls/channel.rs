//! A session's bytes over a socket of this layer.

use crate::ffi::pointer;
use crate::net::pal::socket::AsynchronousSocket;
use crate::net::socket::{Kind, ReceivedFrom};
use crate::tls::Transport;
use crate::tls::pal::Channel;
use rustix::io::Errno;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Datagrams that one call looks at before it lets the caller do something else.
const DATAGRAMS_AT_ONCE: usize = 256;

/// The kernel tells of no end of a lack of buffers: so soon a call is tried again.
const RETRY: Duration = Duration::from_millis(50);

/// What a session's records go over.
#[derive(Clone)]
pub(super) struct TlsSocket {
    pub socket: Arc<AsynchronousSocket>,
    /// None: the socket is connected.
    pub peer: Option<SocketAddr>,
}

/// It for one call.
pub(super) struct SocketChannel<'a> {
    socket: &'a TlsSocket,
    in_handshake: bool,
    /// How many datagrams this call still looks at.
    datagrams: usize,
}

impl<'a> SocketChannel<'a> {
    pub fn new(socket: &'a TlsSocket, in_handshake: bool) -> Self {
        Self { socket, in_handshake, datagrams: DATAGRAMS_AT_ONCE }
    }

    fn is_of_datagrams(&self) -> bool {
        self.socket.socket.kind() == Kind::Datagram
    }

    fn is_peer(&self, sender: Option<SocketAddr>) -> bool {
        let Some(peer) = self.socket.peer else { return true };
        sender.is_some_and(|sender| {
            let is_there = sender.ip() == peer.ip() && sender.port() == peer.port();
            match (sender, peer) {
                // An address without a scope is of any.
                (SocketAddr::V6(sender), SocketAddr::V6(peer)) if sender.scope_id() != 0 && peer.scope_id() != 0 => {
                    is_there && sender.scope_id() == peer.scope_id()
                }
                _ => is_there,
            }
        })
    }

    fn receive_datagram(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.datagrams != 0 {
            self.datagrams -= 1;
            let received = match self.receive_once(buffer) {
                Ok(Some(received)) => received,
                Ok(None) => return Err(io::ErrorKind::WouldBlock.into()),
                Err(Errno::BADF) => return Err(Errno::BADF.into()),
                // What the network says about an earlier datagram, which anybody can forge.
                Err(_) => continue,
            };
            // What was cut is no record.
            if self.is_peer(received.address) && received.whole == received.size {
                return Ok(received.size);
            }
        }
        self.call_back_soon();
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn send_once(&self, bytes: &[u8]) -> Result<Option<usize>, Errno> {
        match self.socket.peer {
            Some(peer) if self.is_of_datagrams() => self.socket.socket.send_to(bytes, peer),
            _ => self.socket.socket.send(bytes),
        }
    }

    fn receive_once(&self, buffer: &mut [u8]) -> Result<Option<ReceivedFrom>, Errno> {
        // SAFETY: the buffer is borrowed for this call, and what is written to it are bytes.
        let room = unsafe { pointer::room(buffer.as_mut_ptr(), buffer.len()) }.map_err(|_| Errno::INVAL)?;
        self.socket.socket.receive_from(room)
    }
}

impl Transport for SocketChannel<'_> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = match self.send_once(bytes) {
            // What the network says about an earlier datagram: this one did not go out.
            Err(Errno::CONNREFUSED | Errno::HOSTUNREACH | Errno::NETUNREACH) if self.is_of_datagrams() => {
                self.send_once(bytes)
            }
            sent => sent,
        };
        match sent {
            Ok(Some(size)) => Ok(size),
            Ok(None) => Err(io::ErrorKind::WouldBlock.into()),
            Err(Errno::NOBUFS | Errno::NOMEM) => {
                self.socket.socket.call_back_after(RETRY);
                Err(io::ErrorKind::WouldBlock.into())
            }
            // A datagram of a handshake that is lost is sent again.
            Err(error) if error != Errno::BADF && self.in_handshake && self.is_of_datagrams() => Ok(bytes.len()),
            Err(error) => Err(error.into()),
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_of_datagrams() {
            return self.receive_datagram(buffer);
        }
        match self.receive_once(buffer) {
            Ok(Some(received)) => Ok(received.size),
            Ok(None) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Channel for SocketChannel<'_> {
    fn call_back_soon(&mut self) {
        self.socket.socket.call_back_after(Duration::ZERO);
    }
}
