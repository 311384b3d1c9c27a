//! Asynchronous sockets: each has a callback, and is known by the number of its descriptor.
//!
//! A callback tells of a condition: something to read, room to write after there was none, the end of a connect, the peer's end, an
//! error. What epoll says beyond that is kept from the application.

use super::{Refusal, errno_of, lock, running};
use crate::memory;
use crate::net::gate::Gate;
use crate::net::notifier::Notifier;
use crate::net::reactor::{Interest, Readiness};
use crate::net::socket::{ConnectEnd, Family, Kind, ReceivedFrom, Socket, SocketOption};
use rustix::io::Errno;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockWriteGuard, Weak};
use std::time::Duration;

/// Tells the application of a condition. It runs on the layer's thread.
pub type Callback = Box<dyn Fn() + Send + Sync>;

/// Something to be done while the socket is still open.
pub type BeforeClose = Box<dyn FnOnce() + Send>;

/// All sockets, by the number of their descriptors. They outlive [`super::stop`].
static SOCKETS: RwLock<Vec<Option<Arc<AsynchronousSocket>>>> = RwLock::new(Vec::new());

/// Tells a socket from an earlier one of the same number.
static NEXT_SERIAL: AtomicU32 = AtomicU32::new(0);

/// A socket with a callback.
#[repr(C)]
pub struct AsynchronousSocket {
    // What an event needs stands together in front: with thousands of sockets each line of the processor's cache counts.
    token: u64,
    kind: Kind,
    state: Mutex<State>,
    /// None once it is closed. Locked for reading by each call on it, so that closing waits for those: afterwards the descriptor is
    /// gone, and its number and address are free. Locked before `state` by whoever wants both.
    socket: RwLock<Option<Socket>>,
    gate: Gate,
    callback: Callback,
    /// The thread that was running when the socket was made, and calls back as long as it lives.
    notifier: Weak<Notifier>,
    before_close: Mutex<Option<BeforeClose>>,
}

#[derive(Default)]
struct State {
    /// The reactor watches it.
    registered: bool,
    /// For room to write too. A stream stays so, as its room is told only after there was none; datagrams' is told at each turn.
    watched_for_room: bool,
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
    // A stream is watched once it connects or listens: before that epoll tells of what is no condition.
    let interest = (kind == Kind::Datagram).then_some(Interest::Read);
    let notifier = running()?;
    memory::spare()?;
    AsynchronousSocket::publish(Socket::open(family, kind)?, kind, callback, &notifier, interest)
}

/// The socket of this number.
pub fn find(number: RawFd) -> Result<Arc<AsynchronousSocket>, Errno> {
    let sockets = SOCKETS.read().unwrap_or_else(PoisonError::into_inner);
    let socket = usize::try_from(number).ok().and_then(|index| sockets.get(index)?.clone());
    socket.ok_or(Errno::BADF)
}

/// Closes the socket of this number, after the calls on it that other threads have begun. When this returns its callback does not run
/// and will not begin, unless this is that callback.
pub fn close(number: RawFd) -> Result<(), Errno> {
    let index = usize::try_from(number).map_err(|_| Errno::BADF)?;
    let job = lock(&find(number)?.before_close).take();
    if let Some(job) = job {
        job();
    }
    let taken = write(&SOCKETS).get_mut(index).and_then(Option::take);
    taken.ok_or(Errno::BADF)?.close()
}

/// Something happened to a descriptor. On the layer's thread.
pub(super) fn ready(readiness: Readiness) {
    let Ok(socket) = find((readiness.token & u64::from(u32::MAX)) as RawFd) else { return };
    // The token differs if this is an event of a socket that was closed, and whose number another one has now.
    if socket.token == readiness.token && socket.is_due(readiness) {
        socket.gate.pass(|| (socket.callback)());
    }
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl AsynchronousSocket {
    /// Puts a new socket where it is found, and has it watched.
    fn publish(
        socket: Socket,
        kind: Kind,
        callback: Callback,
        notifier: &Arc<Notifier>,
        interest: Option<Interest>,
    ) -> Result<RawFd, Refusal> {
        let number = socket.number();
        let index = number.unsigned_abs();
        // Without the first bit, so that no token is one of the reactor's own.
        let serial = NEXT_SERIAL.fetch_add(1, Ordering::Relaxed) & (u32::MAX >> 1);
        let new = Arc::new(Self {
            socket: RwLock::new(Some(socket)),
            token: u64::from(serial) << 32 | u64::from(index),
            kind,
            callback,
            gate: Gate::new(),
            notifier: Arc::downgrade(notifier),
            state: Mutex::default(),
            before_close: Mutex::default(),
        });
        let index = index as usize;
        let mut sockets = write(&SOCKETS);
        if sockets.len() <= index {
            let more = index + 1 - sockets.len();
            memory::refusable(|| sockets.try_reserve(more)).map_err(|_| memory::out_of_memory())?;
            sockets.resize_with(index + 1, || None);
        }
        let stale = sockets[index].replace(new.clone());
        drop(sockets);
        if let Some(stale) = stale {
            // The application has closed that one by its number, which the system has given out again.
            stale.gate.shut();
            if let Some(socket) = write(&stale.socket).take() {
                socket.abandon();
            }
        }
        // Found before it is watched: no event is missed.
        if let Some(interest) = interest {
            let watched = new.with(|socket| new.watch(socket, &mut lock(&new.state), interest));
            if let Err(error) = watched {
                let _ = close(number);
                return Err(error.into());
            }
        }
        Ok(number)
    }

    fn close(&self) -> Result<(), Errno> {
        self.gate.shut();
        let socket = write(&self.socket).take().ok_or(Errno::BADF)?;
        if !socket.is_there() {
            socket.abandon();
            return Err(Errno::BADF);
        }
        if let Some(notifier) = self.notifier() {
            // Fails for a socket that was never registered.
            let _ = notifier.registrar().remove(&socket);
        }
        Ok(())
    }

    /// The thread that calls back, where that still runs.
    fn notifier(&self) -> Option<Arc<Notifier>> {
        self.notifier.upgrade().filter(|notifier| notifier.is_of_this_process())
    }

    /// Runs a call on the socket while it is open.
    fn with<T>(&self, body: impl FnOnce(&Socket) -> Result<T, Errno>) -> Result<T, Errno> {
        let socket = self.socket.read().unwrap_or_else(PoisonError::into_inner);
        body(socket.as_ref().ok_or(Errno::BADF)?)
    }

    /// Has the reactor watch it, where that still runs.
    fn watch(&self, socket: &Socket, state: &mut State, interest: Interest) -> Result<(), Errno> {
        if state.registered {
            return Ok(());
        }
        if let Some(notifier) = self.notifier() {
            let added = notifier.registrar().add(socket, self.token, interest);
            added.map_err(errno_of)?;
            state.registered = true;
            state.watched_for_room = interest == Interest::ReadAndWrite;
        }
        Ok(())
    }

    /// Has something done when it is closed, while it still can be used; it takes the place of what was to be done before.
    pub fn before_close(&self, job: BeforeClose) {
        *lock(&self.before_close) = Some(job);
    }

    /// Calls back once this much time is over, though nothing has happened to it.
    pub fn call_back_after(self: &Arc<Self>, delay: Duration) {
        if let Some(notifier) = self.notifier.upgrade() {
            let socket = Arc::downgrade(self);
            notifier.post_after(
                delay,
                Box::new(move || {
                    if let Some(socket) = socket.upgrade() {
                        socket.gate.pass(|| (socket.callback)());
                    }
                }),
            );
        }
    }

    /// Whether it is open, and was not closed by its number behind this layer.
    pub fn is_there(&self) -> bool {
        self.with(|socket| Ok(socket.is_there())).unwrap_or(false)
    }

    /// What it carries.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Gives it an address of this device.
    pub fn bind(&self, address: SocketAddr) -> Result<(), Errno> {
        self.with(|socket| socket.bind(address))
    }

    /// Lets a stream take connections.
    pub fn listen(&self, backlog: i32) -> Result<(), Errno> {
        self.with(|socket| {
            socket.listen(backlog)?;
            self.watch(socket, &mut lock(&self.state), Interest::Read)
        })
    }

    /// Takes a connection that waits. The new socket has a callback of its own.
    pub fn accept(&self, callback: Callback) -> Result<(RawFd, Option<SocketAddr>), Refusal> {
        let notifier = running()?;
        memory::spare()?;
        let (accepted, address) = self.with(Socket::accept)?;
        // Not for writing yet: that there is room would wake the thread at once, and have it find what comes just then twice.
        let number = Self::publish(accepted, Kind::Stream, callback, &notifier, Some(Interest::Read))?;
        Ok((number, address))
    }

    /// Connects a stream: each call says how far it is, as connect(2) does, and the callback tells of the end. For datagrams, sets
    /// the peer.
    pub fn connect(&self, address: SocketAddr) -> Result<(), Errno> {
        self.with(|socket| {
            if self.kind == Kind::Datagram {
                return socket.connect(address);
            }
            // Held meanwhile: an event of this connect must not be looked at before it is known of.
            let mut state = lock(&self.state);
            let result = socket.connect(address);
            match result {
                Err(Errno::INPROGRESS) => {
                    *state = State { connecting: true, ..state.unconnected() };
                    if let Err(error) = self.watch(socket, &mut state, Interest::ReadAndWrite) {
                        state.connecting = false;
                        return Err(error);
                    }
                }
                Ok(()) => self.watch(socket, &mut state, Interest::ReadAndWrite)?,
                Err(_) => {}
            }
            result
        })
    }

    /// Sends what there is room for, on a stream, or one datagram to the peer; none: there is no room, and the callback tells when
    /// there is.
    pub fn send(&self, bytes: &[u8]) -> Result<Option<usize>, Errno> {
        self.with(|socket| match self.kind {
            Kind::Stream => self.send_stream(socket, bytes),
            Kind::Datagram => self.send_datagram(socket, || socket.send(bytes)),
        })
    }

    /// Sends one datagram to an address, or what there is room for on a stream, whose peer is known; none: there is no room, and the
    /// callback tells when there is.
    pub fn send_to(&self, bytes: &[u8], address: SocketAddr) -> Result<Option<usize>, Errno> {
        self.with(|socket| match self.kind {
            Kind::Stream => self.send_stream(socket, bytes),
            Kind::Datagram => self.send_datagram(socket, || socket.send_to(bytes, address)),
        })
    }

    fn send_stream(&self, socket: &Socket, bytes: &[u8]) -> Result<Option<usize>, Errno> {
        let sent = socket.send(bytes)?;
        let first = sent.unwrap_or(0);
        if sent.is_some() && first == bytes.len() {
            return Ok(sent);
        }
        // Room that came before the wish for it was known was not told: try once more under the lock.
        let mut state = lock(&self.state);
        let again = self.want_to_write(socket, &mut state).and_then(|()| socket.send(&bytes[first..]));
        match again {
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

    fn send_datagram(
        &self,
        socket: &Socket,
        send: impl Fn() -> Result<Option<usize>, Errno>,
    ) -> Result<Option<usize>, Errno> {
        let sent = send()?;
        if sent.is_some() {
            return Ok(sent);
        }
        self.want_to_write(socket, &mut lock(&self.state))?;
        Ok(None)
    }

    /// Has the next room to write told. Room that is there already is told too, where the reactor did not watch for it yet.
    fn want_to_write(&self, socket: &Socket, state: &mut State) -> Result<(), Errno> {
        if state.registered && !state.watched_for_room {
            if let Some(notifier) = self.notifier() {
                let changed = notifier.registrar().change(socket, self.token, Interest::ReadAndWrite);
                changed.map_err(errno_of)?;
                state.watched_for_room = true;
            }
        }
        state.wants_to_write = true;
        Ok(())
    }

    /// Receives what there is of a stream, or one datagram; none: nothing now.
    pub fn receive_from(&self, buffer: &mut [MaybeUninit<u8>]) -> Result<Option<ReceivedFrom>, Errno> {
        self.with(|socket| socket.receive_from(self.kind, buffer))
    }

    /// Sets an option.
    pub fn set(&self, option: SocketOption) -> Result<(), Errno> {
        self.with(|socket| socket.set(option))
    }

    /// What it speaks.
    pub fn family(&self) -> Result<Family, Errno> {
        self.with(Socket::family)
    }

    /// Whether calls on it return at once.
    pub fn is_non_blocking(&self) -> Result<bool, Errno> {
        self.with(Socket::is_non_blocking)
    }

    /// Whether an event is a condition that the application is told of.
    fn is_due(&self, readiness: Readiness) -> bool {
        let due = self.with(|socket| {
            let mut state = lock(&self.state);
            Ok(match self.kind {
                Kind::Stream => state.is_due_on_stream(socket, readiness),
                Kind::Datagram => self.is_due_on_datagrams(socket, &mut state, readiness),
            })
        });
        due.unwrap_or(false)
    }

    fn is_due_on_datagrams(&self, socket: &Socket, state: &mut State, readiness: Readiness) -> bool {
        let writable = readiness.writable && std::mem::take(&mut state.wants_to_write);
        if writable {
            if let Some(notifier) = self.notifier() {
                let changed = notifier.registrar().change(socket, self.token, Interest::Read);
                state.watched_for_room = changed.is_err();
            }
        }
        readiness.readable || writable
    }
}

impl State {
    /// What of it holds whatever the socket is connected to.
    fn unconnected(&self) -> Self {
        Self { registered: self.registered, watched_for_room: self.watched_for_room, ..Self::default() }
    }

    fn is_due_on_stream(&mut self, socket: &Socket, readiness: Readiness) -> bool {
        if self.connecting {
            // An event of an earlier attempt may come late: only the socket itself knows.
            let Some(end) = socket.connect_end() else { return false };
            // A connection that stands is not broken, whatever happened on the way there.
            let broken = readiness.broken && end == ConnectEnd::Failed;
            let ended = readiness.ended && broken == readiness.broken;
            *self = Self { end_told: ended, break_told: broken, ..self.unconnected() };
            return true;
        }
        let readable = readiness.readable && !self.end_told;
        let ended = readiness.ended && !self.end_told;
        let broken = readiness.broken && !self.break_told;
        let writable = readiness.writable && std::mem::take(&mut self.wants_to_write);
        self.end_told |= readiness.ended;
        self.break_told |= readiness.broken;
        readable || ended || broken || writable
    }
}
