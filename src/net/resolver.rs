//! Name lookups by the system's own resolver, on threads of their own: a resolver that hangs holds up nothing else.

use super::process::Process;
use super::thread;
use crate::error::{Failure, Status};
use dns_lookup::{AddrInfoHints, LookupError, LookupErrorKind, SockType, getaddrinfo};
use nix::libc::AI_NUMERICHOST;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many lookups run at once in a process. What comes beyond waits for its turn, and for its caller's deadline.
const MAX_THREADS: usize = 16;

/// Takes the result of a lookup, on any thread. It is asked first whether anybody still wants it.
pub trait Waiting: Send {
    /// Whether the result is still of interest; a lookup that is not does not begin.
    fn is_wanted(&self) -> bool;
    /// The result.
    fn done(self: Box<Self>, result: Result<Vec<SocketAddr>, Failure>);
}

struct Job {
    name: String,
    port: u16,
    waiting: Box<dyn Waiting>,
}

struct Pool {
    jobs: VecDeque<Job>,
    threads: usize,
    /// The one that the threads belong to.
    process: Option<Process>,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { jobs: VecDeque::new(), threads: 0, process: None });

/// Looks a name up. Threads live only as long as there is something to look up. An address written as text waits for none of them:
/// its result comes within this call.
pub fn look_up(name: String, port: u16, waiting: Box<dyn Waiting>) {
    if let Ok(addresses) = ask(&name, port, AI_NUMERICHOST) {
        return waiting.done(Ok(addresses));
    }
    let mut pool = lock();
    if pool.process.is_none_or(|process| !process.is_this()) {
        *pool = Pool { jobs: VecDeque::new(), threads: 0, process: Some(Process::this()) };
    }
    // Lookups that nobody waits for any more do not fill the queue.
    pool.jobs.retain(|job| job.waiting.is_wanted());
    pool.jobs.push_back(Job { name, port, waiting });
    if pool.threads >= MAX_THREADS {
        return;
    }
    pool.threads += 1;
    drop(pool);
    if let Err(failure) = thread::spawn("mcc-resolver", work) {
        let mut pool = lock();
        pool.threads -= 1;
        // Another thread of the pool takes the job; where there is none, it fails.
        let orphans = if pool.threads == 0 { std::mem::take(&mut pool.jobs) } else { VecDeque::new() };
        drop(pool);
        for job in orphans {
            job.waiting.done(Err(failure));
        }
    }
}

fn work() {
    loop {
        let mut pool = lock();
        let Some(job) = pool.jobs.pop_front() else {
            pool.threads -= 1;
            return;
        };
        drop(pool);
        if job.waiting.is_wanted() {
            job.waiting.done(look_up_now(&job.name, job.port));
        }
    }
}

fn lock() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks a name up on this thread, for as long as the system's resolver takes.
pub fn look_up_now(name: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    ask(name, port, 0).map_err(|error| no_descriptor().unwrap_or(failure(&error)))
}

fn ask(name: &str, port: u16, flags: i32) -> Result<Vec<SocketAddr>, LookupError> {
    // One kind of socket, else each address comes once for each kind.
    let hints = AddrInfoHints { socktype: SockType::Stream.into(), flags, ..AddrInfoHints::default() };
    let answer = getaddrinfo(Some(name), None, Some(hints))?;
    let addresses = answer.filter_map(Result::ok).map(|entry| {
        let mut address = entry.sockaddr;
        address.set_port(port);
        address
    });
    Ok(addresses.collect())
}

/// getaddrinfo says of a lookup that got no descriptor that there is no such name.
fn no_descriptor() -> Option<Failure> {
    match net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None) {
        Err(error @ (Errno::MFILE | Errno::NFILE)) => {
            Some(Failure::with_detail(Status::OutOfDescriptors, error.raw_os_error()))
        }
        _ => None,
    }
}

fn failure(error: &LookupError) -> Failure {
    let status = match error.kind() {
        LookupErrorKind::NoName | LookupErrorKind::NoData => Status::NameNotFound,
        LookupErrorKind::Memory => Status::OutOfMemory,
        _ => Status::NameLookupFailed,
    };
    Failure::with_detail(status, error.error_num())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    struct Sender(mpsc::Sender<Result<Vec<SocketAddr>, Failure>>, bool);

    impl Waiting for Sender {
        fn is_wanted(&self) -> bool {
            self.1
        }

        fn done(self: Box<Self>, result: Result<Vec<SocketAddr>, Failure>) {
            self.0.send(result).unwrap();
        }
    }

    struct Hanging(mpsc::Sender<()>, Arc<Mutex<()>>);

    impl Waiting for Hanging {
        fn is_wanted(&self) -> bool {
            true
        }

        fn done(self: Box<Self>, _: Result<Vec<SocketAddr>, Failure>) {
            self.0.send(()).unwrap();
            drop(self.1.lock());
        }
    }

    #[test]
    fn an_address_waits_for_no_lookup_that_hangs() {
        let patience = Duration::from_secs(30);
        let (entered, wait_until_entered) = mpsc::channel();
        let held = Arc::new(Mutex::new(()));
        let hold = held.lock().unwrap();
        for _ in 0..MAX_THREADS {
            look_up("localhost".into(), 1, Box::new(Hanging(entered.clone(), held.clone())));
        }
        for _ in 0..MAX_THREADS {
            wait_until_entered.recv_timeout(patience).unwrap();
        }
        let (sender, receiver) = mpsc::channel();
        for address in ["192.0.2.1", "2001:db8::1", "fe80::1%1"] {
            look_up(address.into(), 5683, Box::new(Sender(sender.clone(), true)));
            let addresses = receiver.recv_timeout(patience).unwrap().unwrap();
            assert_eq!(addresses.len(), 1);
            assert_eq!(addresses[0].port(), 5683);
            assert!(address.starts_with(&addresses[0].ip().to_string()));
        }
        drop(hold);
    }

    #[test]
    fn names_are_looked_up_and_threads_end() {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..MAX_THREADS * 4 {
            look_up("localhost".into(), 5683, Box::new(Sender(sender.clone(), true)));
        }
        for _ in 0..MAX_THREADS * 4 {
            let addresses = receiver.recv_timeout(Duration::from_secs(30)).unwrap().unwrap();
            assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 5683));
            assert!(!addresses.is_empty());
        }
        look_up("localhost".into(), 1, Box::new(Sender(sender.clone(), false)));
        look_up("a name that cannot be.invalid".into(), 1, Box::new(Sender(sender, true)));
        let failure = receiver.recv_timeout(Duration::from_secs(60)).unwrap().unwrap_err();
        assert!(matches!(failure.status, Status::NameNotFound | Status::NameLookupFailed), "{failure}");
        for _ in 0..1000 {
            if lock().threads == 0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("threads of the pool are left");
    }
}
