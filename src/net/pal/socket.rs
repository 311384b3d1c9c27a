//! Asynchronous sockets: each has a callback, and is known by the number of its descriptor.
//!
//! A callback tells of a condition: something to read, room to write after there was none, the end of a connect, the peer's end, an
//! error. What epoll says beyond that is kept from the application.

use super::{Refusal, lock, running};
use crate::net::gate::Gate;
use crate::net::notifier::Notifier;
use crate::net::reactor::{Interest, Readiness};
use crate::net::socket::{Family, Kind, ReceivedFrom, Socket, SocketOption};
use rustix::io::Errno;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockWriteGuard, Weak};

/// Tells the application of a condition. It runs on the layer's thread.
pub type Callback = Box<dyn Fn() + Send + Sync>;

/// All sockets, by the number of their descriptors. They outlive [`super::stop`].
static SOCKETS: RwLock<Vec<Option<AsynchronousSocket>>> = RwLock::new(Vec::new());

/// Tells a socket from an earlier one of the same number.
static NEXT_SERIAL: AtomicU32 = AtomicU32::new(0);

/// A socket with a callback.
#[derive(Clone)]
pub struct AsynchronousSocket {
    socket: Arc<Socket>,
    watch: Arc<Watch>,
}

/// The side of a socket that calls back. It does not hold the descriptor: that is closed even while the callback runs.
struct Watch {
    token: u64,
    kind: Kind,
    callback: Callback,
    gate: Gate,
    /// The thread that was running when the socket was made, and calls back as long as it lives.
    notifier: Weak<Notifier>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The reactor knows of it.
    registered: bool,
    /// A connect was begun, and its end was not told.
    connecting: bool,
    /// A write found no room, and that there is some was not told.
    wants_to_write: bool,
    /// That the peer sends no more was told.
    end_told: bool,
    /// That it is broken was told.
    break_told: bool,
}

/// Makes a socket and gives the number of its descriptor.
pub fn open(family: Family, kind: Kind, callback: Callback) -> Result<RawFd, Refusal> {
    let notifier = running()?;
    let socket = AsynchronousSocket::new(Socket::open(family, kind)?, kind, &notifier, callback);
    if kind == Kind::Datagram {
        // A stream is registered once it connects or listens: before that epoll tells of what is no condition.
        socket.register(&mut lock(&socket.watch.state), Interest::Read)?;
    }
    Ok(socket.publish())
}

/// The socket of this number.
pub fn find(number: RawFd) -> Result<AsynchronousSocket, Errno> {
    let sockets = SOCKETS.read().unwrap_or_else(PoisonError::into_inner);
    let socket = usize::try_from(number).ok().and_then(|index| sockets.get(index)?.clone());
    socket.ok_or(Errno::BADF)
}

/// Closes the socket of this number. When this returns its callback does not run and will not begin, unless this is that callback.
pub fn close(number: RawFd) -> Result<(), Errno> {
    let index = usize::try_from(number).map_err(|_| Errno::BADF)?;
    let socket = write_sockets().get_mut(index).and_then(Option::take).ok_or(Errno::BADF)?;
    socket.watch.gate.shut();
    if !socket.socket.is_there() {
        socket.abandon();
        return Err(Errno::BADF);
    }
    if let Some(notifier) = socket.watch.notifier.upgrade() {
        // Fails for a socket that was never registered.
        let _ = notifier.registrar().remove(&*socket.socket);
    }
    Ok(())
}

/// Something happened to a descriptor. On the layer's thread.
pub(super) fn ready(readiness: Readiness) {
    let Ok(socket) = find((readiness.token & u64::from(u32::MAX)) as RawFd) else { return };
    // An event of a socket that was closed, and whose number another one has now.
    if socket.watch.token != readiness.token || !socket.watch.is_due(&socket.socket, readiness) {
        return;
    }
    let AsynchronousSocket { socket, watch } = socket;
    drop(socket);
    watch.gate.pass(|| (watch.callback)());
}

fn write_sockets() -> RwLockWriteGuard<'static, Vec<Option<AsynchronousSocket>>> {
    SOCKETS.write().unwrap_or_else(PoisonError::into_inner)
}

impl AsynchronousSocket {
    fn new(socket: Socket, kind: Kind, notifier: &Arc<Notifier>, callback: Callback) -> Self {
        // Half of the serials, so that no token is one of the reactor's own.
        let serial = NEXT_SERIAL.fetch_add(1, Ordering::Relaxed) >> 1;
        let token = u64::from(serial) << 32 | u64::from(socket.number().unsigned_abs());
        let (gate, notifier, state) = (Gate::new(), Arc::downgrade(notifier), Mutex::default());
        Self { socket: Arc::new(socket), watch: Arc::new(Watch { token, kind, callback, gate, notifier, state }) }
    }

    /// Puts it where it is found.
    fn publish(self) -> RawFd {
        let number = self.socket.number();
        let index = number.unsigned_abs() as usize;
        let mut sockets = write_sockets();
        if sockets.len() <= index {
            sockets.resize_with(index + 1, || None);
        }
        let stale = sockets[index].replace(self);
        drop(sockets);
        if let Some(stale) = stale {
            // The application has closed that one by its number.
            stale.watch.gate.shut();
            stale.abandon();
        }
        number
    }

    fn abandon(self) {
        match Arc::try_unwrap(self.socket) {
            Ok(socket) => socket.abandon(),
            // A call on it is going on: better a few bytes lost than a descriptor of somebody else closed.
            Err(shared) => std::mem::forget(shared),
        }
    }

    /// Has the reactor watch it, where that still runs.
    fn register(&self, state: &mut State, interest: Interest) -> Result<(), Errno> {
        if state.registered {
            return Ok(());
        }
        if let Some(notifier) = self.watch.notifier.upgrade() {
            let added = notifier.registrar().add(&*self.socket, self.watch.token, interest);
            added.map_err(|failure| Errno::from_raw_os_error(failure.detail))?;
            state.registered = true;
        }
        Ok(())
    }

    /// What it carries.
    pub fn kind(&self) -> Kind {
        self.watch.kind
    }

    /// Gives it an address of this device.
    pub fn bind(&self, address: SocketAddr) -> Result<(), Errno> {
        self.socket.bind(address)
    }

    /// Lets a stream take connections.
    pub fn listen(&self, backlog: i32) -> Result<(), Errno> {
        self.socket.listen(backlog)?;
        self.register(&mut lock(&self.watch.state), Interest::Read)
    }

    /// Takes a connection that waits. The new socket has a callback of its own.
    pub fn accept(&self, callback: Callback) -> Result<(RawFd, Option<SocketAddr>), Refusal> {
        let notifier = running()?;
        let (socket, address) = self.socket.accept()?;
        let accepted = Self::new(socket, Kind::Stream, &notifier, callback);
        let mut state = lock(&accepted.watch.state);
        // Published first: an event must find it. Until the lock is gone the event waits.
        let number = accepted.clone().publish();
        if let Err(error) = accepted.register(&mut state, Interest::ReadAndWrite) {
            drop(state);
            drop(accepted);
            let _ = close(number);
            return Err(error.into());
        }
        Ok((number, address))
    }

    /// Connects a stream: each call says how far it is, as connect(2) does, and the callback tells of the end. For datagrams, sets
    /// the peer.
    pub fn connect(&self, address: SocketAddr) -> Result<(), Errno> {
        if self.watch.kind == Kind::Datagram {
            return self.socket.connect(address);
        }
        // Held meanwhile: an event of this connect must not be looked at before it is known of.
        let mut state = lock(&self.watch.state);
        let result = self.socket.connect(address);
        match result {
            Err(Errno::INPROGRESS) => {
                *state = State { registered: state.registered, connecting: true, ..State::default() };
                if let Err(error) = self.register(&mut state, Interest::ReadAndWrite) {
                    state.connecting = false;
                    return Err(error);
                }
            }
            Ok(()) => self.register(&mut state, Interest::ReadAndWrite)?,
            Err(_) => {}
        }
        result
    }

    /// Sends what there is room for, on a stream, or one datagram to the peer; none: there is no room, and the callback tells when
    /// there is.
    pub fn send(&self, bytes: &[u8]) -> Result<Option<usize>, Errno> {
        let sent = self.socket.send(bytes)?;
        if self.watch.kind == Kind::Datagram {
            return if sent.is_some() { Ok(sent) } else { self.send_datagram_later(|| self.socket.send(bytes)) };
        }
        let first = sent.unwrap_or(0);
        if first == bytes.len() && sent.is_some() {
            return Ok(sent);
        }
        // Room that came before the wish for it was known was not told: try once more under the lock.
        let mut state = lock(&self.watch.state);
        state.wants_to_write = true;
        match self.socket.send(&bytes[first..]) {
            Ok(Some(more)) => {
                state.wants_to_write = first + more < bytes.len();
                Ok(Some(first + more))
            }
            Ok(None) => Ok(sent),
            Err(error) => {
                state.wants_to_write = false;
                // What was sent counts; the next call says what is wrong.
                sent.map_or(Err(error), |_| Ok(sent))
            }
        }
    }

    /// Sends one datagram to an address, or what there is room for on a stream, whose peer is known; none: there is no room, and the
    /// callback tells when there is.
    pub fn send_to(&self, bytes: &[u8], address: SocketAddr) -> Result<Option<usize>, Errno> {
        if self.watch.kind == Kind::Stream {
            return self.send(bytes);
        }
        match self.socket.send_to(bytes, address)? {
            None => self.send_datagram_later(|| self.socket.send_to(bytes, address)),
            sent => Ok(sent),
        }
    }

    /// Asks for room, and tries once more: what comes between is not missed.
    fn send_datagram_later(
        &self,
        again: impl FnOnce() -> Result<Option<usize>, Errno>,
    ) -> Result<Option<usize>, Errno> {
        let mut state = lock(&self.watch.state);
        if !state.wants_to_write {
            if let Some(notifier) = self.watch.notifier.upgrade() {
                let changed = notifier.registrar().change(&*self.socket, self.watch.token, Interest::ReadAndWrite);
                changed.map_err(|failure| Errno::from_raw_os_error(failure.detail))?;
            }
            state.wants_to_write = true;
        }
        drop(state);
        again()
    }

    /// Receives what there is of a stream, or one datagram; none: nothing now.
    pub fn receive_from(&self, buffer: &mut [MaybeUninit<u8>]) -> Result<Option<ReceivedFrom>, Errno> {
        self.socket.receive_from(self.watch.kind, buffer)
    }

    /// Sets an option.
    pub fn set(&self, option: SocketOption) -> Result<(), Errno> {
        self.socket.set(option)
    }

    /// What it speaks.
    pub fn family(&self) -> Result<Family, Errno> {
        self.socket.family()
    }

    /// Whether calls on it return at once.
    pub fn is_non_blocking(&self) -> Result<bool, Errno> {
        self.socket.is_non_blocking()
    }
}

impl Watch {
    /// Whether an event is a condition that the application is told of.
    fn is_due(&self, socket: &Socket, readiness: Readiness) -> bool {
        let mut state = lock(&self.state);
        if self.kind == Kind::Datagram {
            let writable = readiness.writable && std::mem::take(&mut state.wants_to_write);
            if writable {
                if let Some(notifier) = self.notifier.upgrade() {
                    // Room is there nearly always: it wakes the thread only while somebody waits for it.
                    let _ = notifier.registrar().change(socket, self.token, Interest::Read);
                }
            }
            return readiness.readable || writable;
        }
        if state.connecting {
            // An event of an earlier attempt may come late: only the socket itself knows.
            if !socket.connect_has_ended() {
                return false;
            }
            *state = State {
                registered: state.registered,
                end_told: readiness.ended,
                break_told: readiness.broken,
                ..State::default()
            };
            return true;
        }
        let readable = readiness.readable && !state.end_told;
        let ended = readiness.ended && !state.end_told;
        let broken = readiness.broken && !state.break_told;
        let writable = readiness.writable && std::mem::take(&mut state.wants_to_write);
        state.end_told |= readiness.ended;
        state.break_told |= readiness.broken;
        readable || ended || broken || writable
    }
}
