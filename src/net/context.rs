//! Contexts: an event loop, on a thread of its own or driven by the caller, and the connections on it.
//!
//! The loop alone touches its connections. Every call from elsewhere becomes a command in its inbox.

use super::clock;
use super::driver::{Driver, Environment};
use super::interface::Surroundings;
use super::reactor::{FIRST_OWN_TOKEN, Interest, Reactor, Readiness, Waker};
use super::resolver;
use super::socket::TcpOptions;
use super::thread::{self, Thread};
use super::watch::Watch;
use crate::coap::framing::{self, Framing, Unsendable};
use crate::connection::networks::Networks;
use crate::connection::{self, Input, Lookup, Report, State, Statistics, Transport};
use crate::error::{Failure, Status};
use crate::lock::lock;
use crate::numbered::Numbered;
use crate::{log, memory, panic, tls};
use std::cell::Cell;
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

/// What an application is told about a connection.
#[derive(Debug)]
pub enum Event<'a> {
    /// A message came in, in the format of RFC 7252.
    Message(&'a [u8]),
    /// Something else happened.
    Report(Report),
}

/// Takes the events of a connection, one at a time, from the thread of the loop.
pub type Sink = Box<dyn FnMut(Event<'_>) + Send>;

/// Everything that a connection is made of.
#[derive(Debug, Clone)]
pub struct ConnectionSettings {
    /// For the state machine.
    pub core: connection::Settings,
    /// For TLS, where it is asked for.
    pub tls: Option<Arc<tls::Config>>,
    /// For TCP.
    pub tcp: TcpOptions,
}

/// An event loop and the connections on it.
#[derive(Debug)]
pub struct Context {
    inbox: Arc<Inbox>,
    descriptor: Option<Arc<OwnedFd>>,
    runner: Runner,
    /// No connection is opened any more.
    closed: Mutex<bool>,
}

#[derive(Debug)]
enum Runner {
    Thread(Mutex<Option<Box<dyn Thread>>>),
    Caller(Mutex<Option<Box<EventLoop>>>),
}

/// What other threads, and callbacks, want of a loop.
#[derive(Debug)]
pub(super) struct Inbox {
    state: Mutex<InboxState>,
    waker: Arc<Waker>,
}

#[derive(Debug, Default)]
struct InboxState {
    commands: VecDeque<Command>,
    /// The loop has ended.
    ended: bool,
}

#[derive(Debug)]
pub(super) enum Command {
    Open(Box<Opening>),
    Send { id: u64, ticket: u64, message: Vec<u8> },
    Ping { id: u64 },
    SetKeepalive { id: u64, interval: Option<Duration> },
    Resolved { id: u64, lookup: Lookup, result: Result<Vec<SocketAddr>, Failure> },
    Close { id: u64 },
    Stop,
}

pub(super) struct Opening {
    id: u64,
    driver: Box<Driver>,
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Opening({})", self.id)
    }
}

impl Inbox {
    /// Hands a command to the loop; refused when it has ended.
    pub(super) fn push(&self, command: Command) -> Result<(), Status> {
        if self.put(command)? {
            self.waker.wake();
        }
        Ok(())
    }

    /// As [`Self::push`], but leaves it to the caller to wake the loop where it says true: not while a lock is held that the loop
    /// takes, or it would wake only to wait for that.
    fn put(&self, command: Command) -> Result<bool, Status> {
        let mut state = lock(&self.state);
        if state.ended {
            return Err(Status::InvalidHandle);
        }
        // What ends something is waited for; what begins something can be refused.
        if !matches!(command, Command::Close { .. } | Command::Stop | Command::Resolved { .. }) {
            memory::refusable(|| state.commands.try_reserve(1)).map_err(|_| Status::OutOfMemory)?;
        }
        state.commands.push_back(command);
        // From a callback it need not be woken: it looks here before it sleeps.
        Ok(LOOP_OF_THIS_THREAD.get() != self.address())
    }

    /// Runs `body` as the loop of this inbox.
    fn running<T>(&self, body: impl FnOnce() -> T) -> T {
        let outer = LOOP_OF_THIS_THREAD.replace(self.address());
        let result = body();
        LOOP_OF_THIS_THREAD.set(outer);
        result
    }

    /// What tells it from others, never 0.
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

thread_local! {
    /// Which inbox's loop this thread runs now, so that what it does comes from a callback; 0: none.
    static LOOP_OF_THIS_THREAD: Cell<usize> = const { Cell::new(0) };
}

impl Context {
    /// A context; with a thread of its own it runs at once.
    pub fn new(own_thread: bool) -> Result<Arc<Self>, Failure> {
        memory::spare()?;
        let reactor = Reactor::new()?;
        let inbox = Arc::new(Inbox { state: Mutex::default(), waker: reactor.waker() });
        let descriptor = (!own_thread).then(|| reactor.descriptor());
        let event_loop = EventLoop::new(Environment::new(reactor, inbox.clone())?);
        let runner = if own_thread {
            let inbox = inbox.clone();
            let run = move || panic::guard((), || event_loop.run(&inbox));
            Runner::Thread(Mutex::new(Some(thread::spawn("mcc-context", run)?)))
        } else {
            Runner::Caller(Mutex::new(Some(Box::new(event_loop))))
        };
        Ok(Arc::new(Self { inbox, descriptor, runner, closed: Mutex::new(false) }))
    }

    /// The descriptor that is readable when [`Self::process`] has something to do; none for a context with a thread of its own.
    pub fn descriptor(&self) -> Option<Arc<OwnedFd>> {
        self.descriptor.clone()
    }

    /// Does one round of work, and waits for it up to `timeout`; none: as long as it takes.
    pub fn process(&self, timeout: Option<Duration>) -> Result<(), Failure> {
        let Runner::Caller(event_loop) = &self.runner else { return Err(Status::WrongState.into()) };
        let mut event_loop = match event_loop.try_lock() {
            Ok(event_loop) => event_loop,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(Status::Busy.into()),
        };
        let Some(running) = event_loop.as_mut() else { return Err(Status::InvalidHandle.into()) };
        let result = self.inbox.running(|| running.turn(timeout));
        if running.stopped {
            *event_loop = None;
        }
        result
    }

    /// A connection that begins with [`Connection::start`].
    pub fn connection(&self, settings: ConnectionSettings, sink: Sink) -> Result<Arc<Connection>, Failure> {
        memory::spare()?;
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let core = &settings.core;
        let shared = Arc::new(ConnectionShared {
            framing: core.framing,
            queue_limit: core.queue_limit,
            keep_queued: core.keep_queued,
            reliable: core.transport == Transport::Tcp,
            state: Mutex::default(),
        });
        let driver = Box::new(Driver::new(id, settings, sink, shared.clone()));
        let opening = Mutex::new(Some(Box::new(Opening { id, driver })));
        Ok(Arc::new(Connection { id, inbox: self.inbox.clone(), shared, opening }))
    }

    /// Opens a connection by `body`, unless the context is being ended, in another thread perhaps: [`Self::refuse`] waits for it.
    pub fn unless_refused<T>(&self, body: impl FnOnce() -> Result<T, Status>) -> Result<T, Status> {
        let closed = lock(&self.closed);
        if *closed { Err(Status::InvalidHandle) } else { body() }
    }

    /// Opens no connection any more.
    pub fn refuse(&self) {
        *lock(&self.closed) = true;
    }

    /// Ends the loop and everything on it. Every connection reports what is left and that it is closed, before this returns. From a
    /// callback, of this context or of another, it does not wait: two loops that end each other would wait for ever.
    pub fn shut_down(&self) {
        let from_callback = LOOP_OF_THIS_THREAD.get() != 0;
        let _ = self.inbox.push(Command::Stop);
        match &self.runner {
            Runner::Thread(_) if from_callback => {}
            Runner::Thread(thread) => {
                if let Some(thread) = lock(thread).take() {
                    thread.join();
                }
            }
            Runner::Caller(event_loop) => {
                // Whoever runs it now ends it, by the command.
                let event_loop = if from_callback { event_loop.try_lock().ok() } else { Some(lock(event_loop)) };
                let Some(mut event_loop) = event_loop else { return };
                if let Some(running) = event_loop.as_mut() {
                    self.inbox.running(|| running.stop());
                }
                *event_loop = None;
            }
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.shut_down();
    }
}

/// A connection as every thread may use it.
pub struct Connection {
    id: u64,
    inbox: Arc<Inbox>,
    shared: Arc<ConnectionShared>,
    opening: Mutex<Option<Box<Opening>>>,
}

/// What the loop and other threads both know of a connection.
#[derive(Debug)]
pub(super) struct ConnectionShared {
    framing: Framing,
    queue_limit: usize,
    keep_queued: bool,
    reliable: bool,
    state: Mutex<SharedState>,
}

#[derive(Debug, Default)]
struct SharedState {
    statistics: Statistics,
    networks: Networks,
    /// The tickets of messages that were taken and are not reported yet, in the order in which they were given.
    unreported: VecDeque<u64>,
    last_ticket: u64,
    /// No message is taken any more.
    closed: bool,
}

impl ConnectionShared {
    pub(super) fn update(&self, statistics: Statistics) {
        lock(&self.state).statistics = statistics;
    }

    pub(super) fn update_networks(&self, networks: Networks) {
        lock(&self.state).networks = networks;
    }

    pub(super) fn reported(&self, ticket: u64) {
        let unreported = &mut lock(&self.state).unreported;
        if let Ok(at) = unreported.binary_search(&ticket) {
            unreported.remove(at);
        }
    }

    pub(super) fn unreported(&self) -> VecDeque<u64> {
        std::mem::take(&mut lock(&self.state).unreported)
    }

    fn close(&self) {
        lock(&self.state).closed = true;
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Connection({})", self.id)
    }
}

impl Connection {
    /// Begins. The first event can come before this returns.
    pub fn start(&self) -> Result<(), Status> {
        match lock(&self.opening).take() {
            Some(opening) => self.inbox.push(Command::Open(opening)),
            None => Ok(()),
        }
    }

    /// Sends a message in the format of RFC 7252. `ticket` is told its number before it can be reported.
    pub fn send(&self, message: &[u8], ticket: impl FnOnce(u64)) -> Result<(), Status> {
        if message.is_empty() {
            return Err(Status::EmptyMessage);
        }
        framing::check_outgoing(self.shared.framing, message).map_err(|unsendable| match unsendable {
            Unsendable::TooLarge => Status::MessageTooLarge,
            Unsendable::Malformed(_) | Unsendable::NoEmptyMessages => Status::InvalidMessage,
        })?;
        memory::spare().map_err(|failure| failure.status)?;
        let message = memory::copied(message).map_err(|failure| failure.status)?;
        // Held until the command is in the inbox, so that none comes after the one that closes.
        let mut state = lock(&self.shared.state);
        if state.closed {
            return Err(Status::InvalidHandle);
        }
        if state.statistics.state == State::Waiting && !self.shared.keep_queued {
            return Err(Status::NotConnected);
        }
        if state.unreported.len() >= self.shared.queue_limit {
            return Err(Status::QueueFull);
        }
        let number = state.last_ticket + 1;
        ticket(number);
        let wake = self.inbox.put(Command::Send { id: self.id, ticket: number, message })?;
        state.last_ticket = number;
        state.unreported.push_back(number);
        drop(state);
        if wake {
            self.inbox.waker.wake();
        }
        Ok(())
    }

    /// Sends a ping now.
    pub fn ping(&self) -> Result<(), Status> {
        if lock(&self.shared.state).statistics.state != State::Ready {
            return Err(Status::NotConnected);
        }
        memory::spare().map_err(|failure| failure.status)?;
        self.inbox.push(Command::Ping { id: self.id })
    }

    /// Changes the keepalive interval; none: off.
    pub fn set_keepalive(&self, interval: Option<Duration>) -> Result<(), Status> {
        memory::spare().map_err(|failure| failure.status)?;
        self.inbox.push(Command::SetKeepalive { id: self.id, interval })
    }

    /// What it has done so far.
    pub fn statistics(&self) -> Statistics {
        let state = lock(&self.shared.state);
        Statistics { messages_queued: state.unreported.len() as u64, ..state.statistics }
    }

    /// What it knows of the paths of networks so far, to be kept for a later connection.
    pub fn networks(&self) -> Networks {
        lock(&self.shared.state).networks.clone()
    }

    /// Whether it runs over a transport that repeats what is lost.
    pub fn is_reliable(&self) -> bool {
        self.shared.reliable
    }

    /// Whether it is one of this context's.
    pub fn is_of(&self, context: &Context) -> bool {
        Arc::ptr_eq(&self.inbox, &context.inbox)
    }

    /// Closes it. What is left is reported afterwards, from the loop.
    pub fn close(&self) {
        self.shared.close();
        let _ = self.inbox.push(Command::Close { id: self.id });
    }
}

/// What a loop's watch of the network is registered with. Those of sockets are smaller.
const NETWORK_TOKEN: u64 = FIRST_OWN_TOKEN - 1;
/// After the first word of a change the surroundings are looked at this much later: one change is told in several words, an address
/// comes before its route, and whoever floods the loop with words has it look no more often.
const NETWORK_SETTLES: Duration = Duration::from_millis(100);
/// The network of a device that has none yet, or cannot tell it from others.
const UNKNOWN_NETWORK: u64 = 0;
/// When they are looked at again where they could not be listed.
const NETWORK_RETRY: Duration = Duration::from_secs(1);

/// The loop.
struct EventLoop {
    environment: Environment,
    /// Each in a block of its own: the table alone moves when it grows.
    drivers: Numbered<Box<Driver>>,
    deadlines: BTreeSet<(Duration, u64)>,
    ready: Vec<Readiness>,
    stopped: bool,
    /// As long as there are connections, and the system lets it be.
    watch: Option<Watch>,
    surroundings: Option<Surroundings>,
    /// When the surroundings are to be looked at.
    look_at: Option<Duration>,
}

impl std::fmt::Debug for EventLoop {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "EventLoop({} connections)", self.drivers.len())
    }
}

impl EventLoop {
    fn new(environment: Environment) -> Self {
        Self {
            environment,
            drivers: Numbered::new(),
            deadlines: BTreeSet::new(),
            ready: Vec::new(),
            stopped: false,
            watch: None,
            surroundings: None,
            look_at: None,
        }
    }

    fn run(mut self, inbox: &Inbox) {
        inbox.running(|| {
            while !self.stopped {
                if let Err(failure) = self.turn(None) {
                    log::error(format_args!("the event loop ends: {failure}"));
                    self.stop();
                }
            }
        });
    }

    /// One round: waits, then does everything that is due. What callbacks ask for meanwhile is for the next one.
    fn turn(&mut self, timeout: Option<Duration>) -> Result<(), Failure> {
        self.arm()?;
        let timeout = if self.environment.hungry.is_empty() { timeout } else { Some(Duration::ZERO) };
        let mut ready = std::mem::take(&mut self.ready);
        let hungry = std::mem::take(&mut self.environment.hungry);
        self.environment.reactor.wait(timeout, &mut ready)?;
        for readiness in ready.drain(..) {
            if readiness.token == NETWORK_TOKEN && self.look_at.is_none() {
                self.look_at = Some(clock::now().saturating_add(NETWORK_SETTLES));
            }
            if let Some((id, link)) = self.environment.tokens.get(readiness.token).copied() {
                self.with(id, &mut |driver, environment| driver.ready(environment, link, readiness));
            }
        }
        self.ready = ready;
        for token in hungry {
            if let Some((id, link)) = self.environment.tokens.get(token).copied() {
                self.with(id, &mut |driver, environment| driver.feed(environment, link));
            }
        }
        self.run_commands();
        self.look_around();
        self.run_deadlines();
        if self.stopped { Ok(()) } else { self.arm() }
    }

    /// Sets the timer for what comes next, so that the descriptor is readable then.
    fn arm(&mut self) -> Result<(), Failure> {
        let waiting = !lock(&self.environment.inbox.state).commands.is_empty();
        if waiting || !self.environment.hungry.is_empty() {
            self.environment.inbox.waker.wake();
        }
        let deadline = self.deadlines.first().map(|(deadline, _)| *deadline).into_iter().chain(self.look_at).min();
        self.environment.reactor.set_deadline(deadline)
    }

    /// Begins to watch the network, where it is not watched yet; a loop that may not goes on without.
    fn watch(&mut self) {
        if self.watch.is_some() {
            return;
        }
        let registrar = self.environment.reactor.registrar();
        // Opened before the look, so that no change is missed between the two.
        let watch = Watch::open().ok().filter(|watch| registrar.add(watch, NETWORK_TOKEN, Interest::Read).is_ok());
        if watch.is_none() && self.surroundings.is_none() {
            log::info(format_args!(
                "the system does not tell of changes of the network: connections find out by themselves"
            ));
        }
        self.surroundings = Surroundings::look().ok();
        self.watch = watch;
    }

    /// Looks whether the network is another one, if it is time to, and tells the connections.
    fn look_around(&mut self) {
        let now = clock::now();
        if self.look_at.is_none_or(|at| now < at) {
            return;
        }
        self.look_at = None;
        let Some(watch) = &self.watch else { return };
        if !watch.drain() {
            self.look_at = Some(now.saturating_add(NETWORK_SETTLES));
        }
        let surroundings = match Surroundings::look() {
            Ok(surroundings) => surroundings,
            Err(error) => {
                log::warning(format_args!("the network interfaces cannot be listed: {error}"));
                self.look_at = Some(now.saturating_add(NETWORK_RETRY));
                return;
            }
        };
        if self.surroundings.as_ref() == Some(&surroundings) {
            return;
        }
        let differ = self.surroundings.as_ref().is_none_or(|before| surroundings.differ_from(before));
        if differ {
            log::info(format_args!("the network of this device has changed"));
            resolver::network_changed();
        }
        let ids: Vec<u64> = self.drivers.iter().map(|(id, _)| *id).collect();
        for id in ids {
            self.with(id, &mut |driver, environment| {
                driver.close_gone(environment, &surroundings);
                if differ {
                    driver.network_is(environment, surroundings.network());
                }
            });
        }
        self.surroundings = Some(surroundings);
    }

    fn run_deadlines(&mut self) {
        let now = clock::now();
        let due: Vec<u64> =
            self.deadlines.iter().take_while(|(deadline, _)| *deadline <= now).map(|(_, id)| *id).collect();
        for id in due {
            self.with(id, &mut |driver, environment| driver.settle(environment));
        }
    }

    /// Runs the commands that are there now, and none that they bring about: others have their turn in between.
    fn run_commands(&mut self) {
        let count = lock(&self.environment.inbox.state).commands.len();
        for _ in 0..count {
            // One by one: what stands behind a `Stop` is for `stop` to run before it closes everything.
            let Some(command) = lock(&self.environment.inbox.state).commands.pop_front() else { return };
            self.run_command(command);
        }
    }

    fn run_command(&mut self, command: Command) {
        match command {
            Command::Open(opening) => {
                let Opening { id, driver } = *opening;
                self.watch();
                self.drivers.insert(id, driver);
                let network = self.surroundings.as_ref().and_then(Surroundings::network).unwrap_or(UNKNOWN_NETWORK);
                self.with(id, &mut |driver, environment| {
                    driver.network_is(environment, Some(network));
                    driver.handle(environment, Input::Open);
                });
            }
            Command::Send { id, ticket, message } => self.input(id, Input::Send { ticket, message }),
            Command::Ping { id } => self.input(id, Input::Ping),
            Command::SetKeepalive { id, interval } => self.input(id, Input::SetKeepalive(interval)),
            Command::Resolved { id, lookup, result } => match result {
                Ok(addresses) => self.input(id, Input::Resolved(lookup, addresses)),
                Err(failure) => self.input(id, Input::NotResolved(lookup, failure)),
            },
            Command::Close { id } => self.input(id, Input::Close),
            Command::Stop => self.stop(),
        }
    }

    fn input(&mut self, id: u64, input: Input<'_>) {
        let mut input = Some(input);
        self.with(id, &mut |driver, environment| {
            if let Some(input) = input.take() {
                driver.handle(environment, input);
            }
        });
    }

    /// Closes every connection and takes nothing any more. What was accepted before is still reported.
    fn stop(&mut self) {
        if self.stopped {
            return;
        }
        self.stopped = true;
        lock(&self.environment.inbox.state).ended = true;
        self.run_commands();
        let ids: Vec<u64> = self.drivers.iter().map(|(id, _)| *id).collect();
        for (_, driver) in self.drivers.iter() {
            driver.shared().close();
        }
        for id in ids {
            self.input(id, Input::Close);
        }
    }

    /// Runs one connection. A panic ends that connection and no other. One function for all that is done with one: it is not small.
    fn with(&mut self, id: u64, body: &mut dyn FnMut(&mut Driver, &mut Environment)) {
        let Some(driver) = self.drivers.get_mut(id) else { return };
        let before = driver.deadline;
        let environment = &mut self.environment;
        let survived = panic::guard(false, || {
            body(driver, environment);
            true
        });
        let after = driver.deadline.filter(|_| survived && !driver.is_closed());
        if before != after {
            if let Some(before) = before {
                self.deadlines.remove(&(before, id));
            }
        }
        if let Some(after) = after {
            self.deadlines.insert((after, id));
        }
        if !survived || driver.is_closed() {
            let Some(driver) = self.drivers.remove(id) else { return };
            if !survived {
                driver.shared().close();
                panic::guard((), || driver.abandon(environment));
            }
            if self.drivers.is_empty() {
                self.watch = None;
                self.surroundings = None;
                self.look_at = None;
            }
        }
    }
}
