//! One epoll, edge-triggered, with an eventfd to wake it and a timer for its deadline.

use super::descriptor::beyond_standard_streams;
use crate::error::{Failure, Status};
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::Errno;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Tokens from here on are the reactor's own.
pub const FIRST_OWN_TOKEN: u64 = u64::MAX - 1;
const WAKER: u64 = FIRST_OWN_TOKEN;
const TIMER: u64 = FIRST_OWN_TOKEN + 1;
const EVENTS_AT_ONCE: usize = 128;

/// Waits for descriptors and for one deadline.
#[derive(Debug)]
pub struct Reactor {
    registrar: Registrar,
    timer: OwnedFd,
    armed: Option<Duration>,
    waker: Arc<Waker>,
}

/// Says which descriptors a reactor watches, from any thread.
#[derive(Debug, Clone)]
pub struct Registrar {
    epoll: Arc<OwnedFd>,
}

/// What a descriptor is watched for. Errors and the ends of streams are always told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Something to read.
    Read,
    /// Something to read, and room to write.
    ReadAndWrite,
}

/// What happened to a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// The number that it was registered with.
    pub token: u64,
    /// There may be something to read, or the end, or an error.
    pub readable: bool,
    /// There may be room to write, or an error.
    pub writable: bool,
    /// The peer has closed its side, or the descriptor is broken.
    pub ended: bool,
    /// There is an error, or both sides are closed.
    pub broken: bool,
}

/// Wakes a reactor from any thread.
#[derive(Debug)]
pub struct Waker {
    descriptor: OwnedFd,
    pending: AtomicBool,
}

impl Waker {
    /// The next wait, or the one that is going on, returns. Several calls before that count as one.
    pub fn wake(&self) {
        if !self.pending.swap(true, Ordering::SeqCst) {
            // The counter, which nobody reads, is full after 2^64 - 2 wakes: never.
            let _ = rustix::io::write(&self.descriptor, &1u64.to_ne_bytes());
        }
    }
}

impl Reactor {
    /// A reactor with nothing registered.
    pub fn new() -> Result<Self, Failure> {
        let own = |made: Result<OwnedFd, Errno>| made.and_then(beyond_standard_streams).map_err(failure);
        let epoll = Arc::new(own(epoll::create(epoll::CreateFlags::CLOEXEC))?);
        let wake = own(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK))?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        // The clock that goes on while the device sleeps; see `clock`.
        let timer = own(timerfd_create(TimerfdClockId::Boottime, flags))?;
        for (descriptor, token) in [(&wake, WAKER), (&timer, TIMER)] {
            let data = epoll::EventData::new_u64(token);
            epoll::add(&epoll, descriptor, data, epoll::EventFlags::IN | epoll::EventFlags::ET).map_err(failure)?;
        }
        let waker = Arc::new(Waker { descriptor: wake, pending: AtomicBool::new(false) });
        Ok(Self { registrar: Registrar { epoll }, timer, armed: None, waker })
    }

    /// What other threads wake it with.
    pub fn waker(&self) -> Arc<Waker> {
        self.waker.clone()
    }

    /// What says which descriptors are watched.
    pub fn registrar(&self) -> &Registrar {
        &self.registrar
    }

    /// The epoll itself, which can be polled: it is readable while something is due.
    pub fn descriptor(&self) -> Arc<OwnedFd> {
        self.registrar.epoll.clone()
    }

    /// Sets the time, by [`super::clock::now`], at which the wait ends at the latest; none: never.
    pub fn set_deadline(&mut self, deadline: Option<Duration>) -> Result<(), Failure> {
        if self.armed == deadline {
            return Ok(());
        }
        // Zero would switch the timer off.
        let at = deadline.map(|deadline| deadline.max(Duration::from_nanos(1)));
        let at = at.and_then(|at| Timespec::try_from(at).ok()).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 0 });
        let value = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: at };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &value).map_err(failure)?;
        self.armed = deadline;
        Ok(())
    }

    /// Waits until something happens, the deadline has come, or `timeout` is over; none: as long as it takes.
    pub fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Readiness>) -> Result<(), Failure> {
        let mut room = [const { MaybeUninit::uninit() }; EVENTS_AT_ONCE];
        let mut timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let events = loop {
            match epoll::wait(&self.registrar.epoll, &mut room, timeout.as_ref()) {
                Ok((events, _)) => break events,
                // A process that was stopped and goes on: what happened meanwhile is told at once.
                Err(Errno::INTR) => timeout = Some(Timespec { tv_sec: 0, tv_nsec: 0 }),
                Err(error) => return Err(failure(error)),
            }
        };
        for event in events {
            match event.data.u64() {
                WAKER => {
                    // Never read: edge-triggered, each write is an edge of its own. Cleared before the caller looks at what it
                    // was woken for, so that nothing is missed.
                    self.waker.pending.store(false, Ordering::SeqCst);
                }
                TIMER => {
                    let _ = rustix::io::read(&self.timer, &mut [0; 8]);
                    self.armed = None;
                }
                token => {
                    use epoll::EventFlags;
                    let flags = event.flags;
                    let broken = flags.intersects(EventFlags::ERR | EventFlags::HUP);
                    ready.push(Readiness {
                        token,
                        readable: broken || flags.intersects(EventFlags::IN | EventFlags::RDHUP),
                        writable: broken || flags.contains(EventFlags::OUT),
                        ended: broken || flags.contains(EventFlags::RDHUP),
                        broken,
                    });
                }
            }
        }
        Ok(())
    }
}

impl Registrar {
    /// Begins to watch a descriptor, edge-triggered. It ends when the descriptor is closed.
    pub fn add(&self, descriptor: impl AsFd, token: u64, interest: Interest) -> Result<(), Failure> {
        debug_assert!(token < FIRST_OWN_TOKEN);
        epoll::add(&self.epoll, descriptor, epoll::EventData::new_u64(token), interest.flags()).map_err(failure)
    }

    /// Changes what a descriptor is watched for. What is the case already is told again.
    pub fn change(&self, descriptor: impl AsFd, token: u64, interest: Interest) -> Result<(), Failure> {
        epoll::modify(&self.epoll, descriptor, epoll::EventData::new_u64(token), interest.flags()).map_err(failure)
    }

    /// Ends the watch before the descriptor is closed: where a process forked, closing it alone is not enough.
    pub fn remove(&self, descriptor: impl AsFd) -> Result<(), Failure> {
        epoll::delete(&self.epoll, descriptor).map_err(failure)
    }
}

impl Interest {
    fn flags(self) -> epoll::EventFlags {
        use epoll::EventFlags;
        let flags = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
        match self {
            Self::Read => flags,
            Self::ReadAndWrite => flags | EventFlags::OUT,
        }
    }
}

fn failure(error: Errno) -> Failure {
    let status = match error {
        Errno::MFILE | Errno::NFILE => Status::OutOfDescriptors,
        Errno::NOMEM | Errno::NOSPC => Status::OutOfMemory,
        _ => Status::SystemFailed,
    };
    Failure::with_detail(status, error.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::clock;
    use std::time::Instant;

    fn wait(reactor: &mut Reactor, timeout: Option<Duration>) -> Vec<Readiness> {
        let mut ready = Vec::new();
        reactor.wait(timeout, &mut ready).unwrap();
        ready
    }

    #[test]
    fn it_waits_for_its_timeout_its_deadline_and_its_waker() {
        let mut reactor = Reactor::new().unwrap();
        let begin = Instant::now();
        assert!(wait(&mut reactor, Some(Duration::from_millis(20))).is_empty());
        assert!(begin.elapsed() >= Duration::from_millis(20));

        let begin = Instant::now();
        reactor.set_deadline(Some(clock::now() + Duration::from_millis(20))).unwrap();
        assert!(wait(&mut reactor, None).is_empty());
        assert!(begin.elapsed() >= Duration::from_millis(20));

        let waker = reactor.waker();
        waker.wake();
        waker.wake();
        assert!(wait(&mut reactor, None).is_empty());
        assert!(wait(&mut reactor, Some(Duration::ZERO)).is_empty());
        let other = std::thread::spawn(move || waker.wake());
        assert!(wait(&mut reactor, None).is_empty());
        other.join().unwrap();
    }

    #[test]
    fn a_deadline_can_be_taken_back_and_one_that_is_over_ends_the_wait_at_once() {
        let mut reactor = Reactor::new().unwrap();
        reactor.set_deadline(Some(clock::now() + Duration::from_millis(10))).unwrap();
        reactor.set_deadline(None).unwrap();
        let begin = Instant::now();
        assert!(wait(&mut reactor, Some(Duration::from_millis(50))).is_empty());
        assert!(begin.elapsed() >= Duration::from_millis(50));
        reactor.set_deadline(Some(Duration::ZERO)).unwrap();
        assert!(wait(&mut reactor, None).is_empty());
    }

    #[test]
    fn readiness_names_the_descriptor_and_comes_once_an_edge() {
        use std::io::Write;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let mut reactor = Reactor::new().unwrap();
        reactor.registrar().add(&stream, 7, Interest::ReadAndWrite).unwrap();
        let ready = |readable| Readiness { token: 7, readable, writable: true, ended: false, broken: false };
        assert_eq!(wait(&mut reactor, None), [ready(false)]);
        assert!(wait(&mut reactor, Some(Duration::ZERO)).is_empty());
        peer.write_all(b"x").unwrap();
        assert_eq!(wait(&mut reactor, None), [ready(true)]);
        assert!(wait(&mut reactor, Some(Duration::ZERO)).is_empty());
    }
}
