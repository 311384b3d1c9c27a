//! A thread that calls back: it waits for descriptors and runs the jobs that other threads hand to it.

use super::process::Process;
use super::reactor::{Reactor, Readiness, Registrar, Waker};
use super::thread::{self, Thread};
use super::{clock, gate};
use crate::error::Failure;
use crate::lock::lock;
use crate::{log, memory, panic};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Something to be done on the thread.
pub type Job = Box<dyn FnOnce() + Send>;

/// A thread that calls back.
pub struct Notifier {
    registrar: Registrar,
    waker: Arc<Waker>,
    jobs: Mutex<VecDeque<Job>>,
    /// By their times; the number tells those of the same time apart.
    timed: Mutex<BTreeMap<(Duration, u64), Job>>,
    ending: AtomicBool,
    thread: Mutex<Option<Box<dyn Thread>>>,
    process: Process,
}

impl Notifier {
    /// Starts the thread. `ready` is run on it for each descriptor that something happened to.
    pub fn start(name: &'static str, ready: impl Fn(Readiness) + Send + 'static) -> Result<Arc<Self>, Failure> {
        memory::spare()?;
        let reactor = Reactor::new()?;
        let notifier = Arc::new(Self {
            registrar: reactor.registrar().clone(),
            waker: reactor.waker(),
            jobs: Mutex::default(),
            timed: Mutex::default(),
            ending: AtomicBool::new(false),
            thread: Mutex::default(),
            process: Process::this(),
        });
        let running = notifier.clone();
        let thread = thread::spawn(name, move || {
            gate::this_thread_calls_back();
            panic::guard((), || running.run(reactor, ready));
        })?;
        *lock(&notifier.thread) = Some(thread);
        Ok(notifier)
    }

    /// Whether the thread is one of this process. A child has none, and its parent's epoll must not be touched.
    pub fn is_of_this_process(&self) -> bool {
        self.process.is_this()
    }

    /// What says which descriptors it waits for.
    pub fn registrar(&self) -> &Registrar {
        &self.registrar
    }

    /// Hands it something to do.
    pub fn post(&self, job: Job) {
        lock(&self.jobs).push_back(job);
        self.waker.wake();
    }

    /// Hands it something to do once this much time is over.
    pub fn post_after(&self, delay: Duration, job: Job) {
        let at = clock::now() + delay;
        let mut timed = lock(&self.timed);
        let number = timed.range((at, 0)..=(at, u64::MAX)).next_back().map_or(0, |((_, last), _)| last + 1);
        timed.insert((at, number), job);
        let is_first = timed.keys().next() == Some(&(at, number));
        drop(timed);
        // The thread waits for the earliest.
        if is_first {
            self.waker.wake();
        }
    }

    /// Ends it: nothing begins on it any more. What is left to do is dropped. Gives the thread, which goes on to the end of a callback,
    /// to the first who asks.
    pub fn end(&self) -> Option<Leaving> {
        self.ending.store(true, Ordering::SeqCst);
        self.waker.wake();
        // Dropped without the lock.
        let left = std::mem::take(&mut *lock(&self.jobs));
        let timed = std::mem::take(&mut *lock(&self.timed));
        drop((left, timed));
        lock(&self.thread).take().map(|thread| Leaving { thread, process: self.process })
    }

    fn run(&self, mut reactor: Reactor, ready: impl Fn(Readiness)) {
        let mut events = Vec::new();
        while !self.is_ending() {
            let deadline = lock(&self.timed).keys().next().map(|(at, _)| *at);
            if let Err(failure) = reactor.set_deadline(deadline).and_then(|()| reactor.wait(None, &mut events)) {
                log::error(format_args!("no socket calls back any more: {failure}"));
                return;
            }
            for readiness in events.drain(..) {
                if self.is_ending() {
                    return;
                }
                panic::guard((), || ready(readiness));
            }
            self.take_due();
            self.run_jobs();
        }
    }

    /// Makes jobs of those whose time has come.
    fn take_due(&self) {
        let mut timed = lock(&self.timed);
        if timed.is_empty() {
            return;
        }
        let later = timed.split_off(&(clock::now(), u64::MAX));
        let due = std::mem::replace(&mut *timed, later);
        drop(timed);
        lock(&self.jobs).extend(due.into_values());
    }

    /// Runs the jobs that are there now, and none that they bring about: sockets have their turn in between.
    fn run_jobs(&self) {
        let count = lock(&self.jobs).len();
        for _ in 0..count {
            let job = lock(&self.jobs).pop_front();
            let Some(job) = job.filter(|_| !self.is_ending()) else { return };
            panic::guard((), job);
        }
        if !lock(&self.jobs).is_empty() {
            self.waker.wake();
        }
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::SeqCst)
    }
}

/// A thread that ends after the callback which runs on it.
#[derive(Debug)]
pub struct Leaving {
    thread: Box<dyn Thread>,
    process: Process,
}

impl Leaving {
    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        !self.process.is_this() || self.thread.is_finished()
    }

    /// Waits until it has ended; not from a callback.
    pub fn wait(self) {
        if self.process.is_this() {
            self.thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::reactor::Interest;
    use std::net::UdpSocket;
    use std::sync::mpsc;
    use std::time::Duration;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn jobs_wait_for_their_time_and_those_of_one_time_keep_their_order() {
        let (sender, receiver) = mpsc::channel();
        let notifier = Notifier::start("mcc-test", |_| {}).unwrap();
        let begin = std::time::Instant::now();
        for (delay_ms, name) in [(60, 'c'), (0, 'a'), (30, 'b'), (600_000, 'x')] {
            let sender = sender.clone();
            let job = Box::new(move || sender.send(name).unwrap());
            notifier.post_after(Duration::from_millis(delay_ms), job);
        }
        for name in ['a', 'b', 'c'] {
            assert_eq!(receiver.recv_timeout(PATIENCE), Ok(name));
        }
        assert!(begin.elapsed() >= Duration::from_millis(60));
        notifier.end();
        drop(sender);
        assert!(receiver.recv_timeout(PATIENCE).is_err(), "what is left is dropped");
    }

    #[test]
    fn descriptors_and_jobs_run_on_its_thread_until_it_ends() {
        let (sender, receiver) = mpsc::channel();
        let told = sender.clone();
        let notifier = Notifier::start("mcc-test", move |readiness| {
            assert!(gate::is_callback_thread());
            told.send(readiness.token).unwrap();
        })
        .unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        notifier.registrar().add(&socket, 7, Interest::Read).unwrap();
        socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
        assert_eq!(receiver.recv_timeout(PATIENCE), Ok(7));
        notifier.post(Box::new(|| panic!("deliberate: a job that panics ends itself only")));
        let next = Arc::downgrade(&notifier);
        let told = sender.clone();
        notifier.post(Box::new(move || {
            let last = told.clone();
            next.upgrade().unwrap().post(Box::new(move || last.send(2).unwrap()));
            told.send(1).unwrap();
        }));
        assert_eq!((receiver.recv_timeout(PATIENCE), receiver.recv_timeout(PATIENCE)), (Ok(1), Ok(2)));

        let itself = Arc::downgrade(&notifier);
        notifier.post(Box::new(move || {
            drop(itself.upgrade().unwrap().end());
            sender.send(3).unwrap();
        }));
        assert_eq!(receiver.recv_timeout(PATIENCE), Ok(3));
        notifier.post(Box::new(|| panic!("it has ended")));
        assert!(notifier.end().is_none(), "somebody has the thread");
        assert!(receiver.recv_timeout(PATIENCE).is_err(), "the last sender is gone with the thread");
    }
}
