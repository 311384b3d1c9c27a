//! Name lookups by the system's own resolver, on threads of their own: a resolver that hangs holds up nothing else.

use super::clock;
use super::process::Process;
use super::thread;
use crate::error::{Failure, Status};
use crate::memory;
use dns_lookup::{AddrInfoHints, LookupError, LookupErrorKind, SockType, getaddrinfo};
use nix::libc::AI_NUMERICHOST;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many lookups that somebody waits for run at once in a process. What comes beyond waits for its turn, and for its caller's deadline.
const MAX_WANTED: usize = 16;

/// How many threads there are, those included whose lookup hangs though nobody waits for it any more. The system's resolver cannot be
/// interrupted, so that such a thread stays until it returns. Three times as many as run at once may do so before others wait; their
/// stacks take 2 MiB each of the address space, which is small on some devices.
const MAX_THREADS: usize = 64;

/// How long others who ask for the same name share a lookup that runs. After the 5 s in which the system's resolver waits for its first
/// server (resolv.conf(5)) it may hang, and who asks later asks anew.
const SHARED_FOR: Duration = Duration::from_secs(5);

/// Takes the result of a lookup, on any thread. It is asked first whether anybody still wants it.
pub trait Waiting: Send {
    /// Whether the result is still of interest; a lookup that is not does not begin. Whoever makes it false calls [`given_up`].
    fn is_wanted(&self) -> bool;
    /// The result.
    fn done(self: Box<Self>, result: Result<Vec<SocketAddr>, Failure>);
}

/// One who waits, and the port of the addresses that it gets.
type Asker = (u16, Box<dyn Waiting>);

/// A lookup that runs or waits for its turn, for all who asked for the name meanwhile. None gets an answer that is older than its question.
struct Lookup {
    number: u64,
    name: String,
    began: Option<Duration>,
    /// It was begun in a network that is another one now, and may wait for an answer that cannot come any more.
    outdated: bool,
    askers: Vec<Asker>,
}

struct Pool {
    /// In the order in which they were asked for.
    lookups: Vec<Lookup>,
    last_number: u64,
    threads: usize,
    /// The one that the threads belong to.
    process: Option<Process>,
}

static POOL: Mutex<Pool> = Mutex::new(Pool::new(None));

/// Looks a name up. Threads live only as long as there is something to look up. An address written as text waits for none of them:
/// its result comes within this call.
pub fn look_up(name: String, port: u16, waiting: Box<dyn Waiting>) {
    if let Ok(addresses) = ask(&name, port, AI_NUMERICHOST) {
        return waiting.done(Ok(addresses));
    }
    let mut pool = lock();
    if pool.process.is_none_or(|process| !process.is_this()) {
        *pool = Pool::new(Some(Process::this()));
    }
    pool.add(name, (port, waiting), clock::now());
    start_threads(pool);
}

/// Somebody wants a result no more: what waited for its turn may begin instead.
pub fn given_up() {
    let mut pool = lock();
    if pool.process.is_some_and(Process::is_this) {
        pool.forget_unwanted();
        start_threads(pool);
    }
}

/// The network is another one: who asks from now on shares no lookup that was begun in the earlier one.
pub fn network_changed() {
    lock().outdate();
}

/// Starts a thread for each lookup that may begin.
fn start_threads(mut pool: MutexGuard<'_, Pool>) {
    while pool.threads < MAX_THREADS {
        let Some(next) = pool.next() else { return };
        let (number, name) = (next.number, next.name.clone());
        if let Err(failure) = thread::spawn("mcc-resolver", move || work(number, name)) {
            let orphans = pool.take_orphans();
            drop(pool);
            for (_, waiting) in orphans {
                waiting.done(Err(failure));
            }
            return;
        }
        next.began = Some(clock::now());
        pool.threads += 1;
    }
}

fn work(mut number: u64, mut name: String) {
    loop {
        let answer = look_up_now(&name, 0);
        let askers = lock().end(number);
        for (port, waiting) in askers.into_iter().filter(|(_, waiting)| waiting.is_wanted()) {
            let mut answer = answer.clone();
            if let Ok(addresses) = &mut answer {
                addresses.iter_mut().for_each(|address| address.set_port(port));
            }
            waiting.done(answer);
        }
        let mut pool = lock();
        let Some(next) = pool.next() else {
            pool.threads -= 1;
            return;
        };
        next.began = Some(clock::now());
        (number, name) = (next.number, next.name.clone());
    }
}

fn lock() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    const fn new(process: Option<Process>) -> Self {
        Self { lookups: Vec::new(), last_number: 0, threads: 0, process }
    }

    /// Adds who asks for a name: to a lookup of it, else with a new one.
    fn add(&mut self, name: String, asker: Asker, now: Duration) {
        let is_young = |began: Duration| now.saturating_sub(began) < SHARED_FOR;
        let is_shared = |lookup: &&mut Lookup| {
            lookup.name == name && !lookup.outdated && lookup.began.is_none_or(is_young) && lookup.is_wanted()
        };
        match self.lookups.iter_mut().find(is_shared) {
            Some(lookup) => lookup.askers.push(asker),
            None => {
                self.last_number += 1;
                let number = self.last_number;
                self.lookups.push(Lookup { number, name, began: None, outdated: false, askers: vec![asker] });
            }
        }
    }

    fn outdate(&mut self) {
        for lookup in &mut self.lookups {
            lookup.outdated = lookup.began.is_some();
        }
    }

    /// The lookup that may begin now, if any.
    fn next(&mut self) -> Option<&mut Lookup> {
        if self.count_wanted() >= MAX_WANTED {
            return None;
        }
        self.lookups.iter_mut().find(|lookup| lookup.began.is_none() && lookup.is_wanted())
    }

    /// How many run that somebody waits for.
    fn count_wanted(&self) -> usize {
        self.lookups.iter().filter(|lookup| lookup.began.is_some() && lookup.is_wanted()).count()
    }

    /// Removes a lookup that is over, and gives those who asked.
    fn end(&mut self, number: u64) -> Vec<Asker> {
        let index = self.lookups.iter().position(|lookup| lookup.number == number);
        index.map_or_else(Vec::new, |index| self.lookups.remove(index).askers)
    }

    /// Removes what nobody wants any more; a lookup that runs stays until it is over.
    fn forget_unwanted(&mut self) {
        for lookup in &mut self.lookups {
            lookup.askers.retain(|(_, waiting)| waiting.is_wanted());
        }
        self.lookups.retain(|lookup| lookup.began.is_some() || !lookup.askers.is_empty());
    }

    /// Removes what waits for its turn though no thread of a lookup that is wanted will take it.
    fn take_orphans(&mut self) -> Vec<Asker> {
        if self.count_wanted() > 0 {
            return Vec::new();
        }
        let (running, orphans) =
            std::mem::take(&mut self.lookups).into_iter().partition(|lookup| lookup.began.is_some());
        self.lookups = running;
        let orphans: Vec<Lookup> = orphans;
        orphans.into_iter().flat_map(|lookup| lookup.askers).collect()
    }
}

impl Lookup {
    fn is_wanted(&self) -> bool {
        self.askers.iter().any(|(_, waiting)| waiting.is_wanted())
    }
}

/// Looks a name up on this thread, for as long as the system's resolver takes.
pub fn look_up_now(name: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    // Not even begun without memory: the C library's lookup may end the process then (glibc 2.36 does).
    memory::ample()?;
    ask(name, port, 0)
        .map_err(|error| no_descriptor().or_else(|| memory::ample().err()).unwrap_or_else(|| failure(&error)))
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
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, mpsc};

    struct Sender(mpsc::Sender<Result<Vec<SocketAddr>, Failure>>, bool);

    impl Waiting for Sender {
        fn is_wanted(&self) -> bool {
            self.1
        }

        fn done(self: Box<Self>, result: Result<Vec<SocketAddr>, Failure>) {
            self.0.send(result).unwrap();
        }
    }

    /// Waits in a pool without threads, in which every lookup hangs.
    struct Wanted(Arc<AtomicBool>);

    impl Waiting for Wanted {
        fn is_wanted(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }

        fn done(self: Box<Self>, _: Result<Vec<SocketAddr>, Failure>) {}
    }

    fn add(pool: &mut Pool, name: &str, now: Duration) -> Arc<AtomicBool> {
        let wanted = Arc::new(AtomicBool::new(true));
        pool.add(name.into(), (1, Box::new(Wanted(wanted.clone()))), now);
        wanted
    }

    /// Begins all that may, and gives their names.
    fn begin(pool: &mut Pool, now: Duration) -> Vec<String> {
        let mut names = Vec::new();
        while let Some(next) = pool.next() {
            next.began = Some(now);
            names.push(next.name.clone());
        }
        names
    }

    #[test]
    fn a_lookup_that_nobody_waits_for_makes_room_for_another() {
        let mut pool = Pool::new(None);
        let now = Duration::from_secs(100);
        let wanted: Vec<_> = (0..MAX_WANTED + 2).map(|number| add(&mut pool, &format!("{number}.test"), now)).collect();
        assert_eq!(begin(&mut pool, now).len(), MAX_WANTED);
        wanted[3].store(false, Ordering::Relaxed);
        pool.forget_unwanted();
        assert_eq!(begin(&mut pool, now), [format!("{MAX_WANTED}.test")]);
        // One that hangs on ends at last: it was none of those that are wanted, and makes no room once more.
        assert!(pool.end(4).is_empty());
        assert!(begin(&mut pool, now).is_empty());
        assert_eq!(pool.end(1).len(), 1);
        assert_eq!(begin(&mut pool, now), [format!("{}.test", MAX_WANTED + 1)]);
    }

    #[test]
    fn a_lookup_that_was_given_up_before_its_turn_does_not_begin() {
        let mut pool = Pool::new(None);
        let wanted = add(&mut pool, "a.test", Duration::ZERO);
        wanted.store(false, Ordering::Relaxed);
        assert!(begin(&mut pool, Duration::ZERO).is_empty());
        pool.forget_unwanted();
        assert!(pool.lookups.is_empty());
    }

    #[test]
    fn who_asks_for_the_same_name_shares_a_lookup_that_is_young_and_wanted() {
        let mut pool = Pool::new(None);
        let began = Duration::from_secs(100);
        let first = add(&mut pool, "a.test", began);
        let second = add(&mut pool, "a.test", began);
        assert_eq!(begin(&mut pool, began), ["a.test"]);
        let third = add(&mut pool, "a.test", began + SHARED_FOR - Duration::from_millis(1));
        add(&mut pool, "b.test", began);
        assert_eq!(begin(&mut pool, began), ["b.test"]);
        add(&mut pool, "a.test", began + SHARED_FOR);
        assert_eq!(begin(&mut pool, began + SHARED_FOR), ["a.test"], "one that hangs was shared");
        for wanted in [first, second, third] {
            wanted.store(false, Ordering::Relaxed);
        }
        pool.end(3);
        add(&mut pool, "a.test", began);
        assert_eq!(begin(&mut pool, began), ["a.test"], "one that nobody waited for was shared");
        assert_eq!(pool.end(1).len(), 3);
    }

    #[test]
    fn who_asks_in_another_network_shares_no_lookup_of_the_earlier_one() {
        let mut pool = Pool::new(None);
        let now = Duration::from_secs(100);
        add(&mut pool, "a.test", now);
        assert_eq!(begin(&mut pool, now), ["a.test"]);
        add(&mut pool, "waits.test", now);
        pool.outdate();
        add(&mut pool, "waits.test", now);
        add(&mut pool, "a.test", now);
        add(&mut pool, "a.test", now);
        assert_eq!(begin(&mut pool, now), ["waits.test", "a.test"], "what had not begun can be shared");
        assert_eq!(pool.end(1).len(), 1);
    }

    #[test]
    fn without_a_thread_what_waits_fails_unless_another_will_take_it() {
        let mut pool = Pool::new(None);
        let hanging = add(&mut pool, "a.test", Duration::ZERO);
        assert_eq!(begin(&mut pool, Duration::ZERO), ["a.test"]);
        add(&mut pool, "b.test", Duration::ZERO);
        assert!(pool.take_orphans().is_empty());
        hanging.store(false, Ordering::Relaxed);
        assert_eq!(pool.take_orphans().len(), 1);
        assert_eq!(pool.lookups.len(), 1);
    }

    #[test]
    fn names_are_looked_up_and_threads_end() {
        let (sender, receiver) = mpsc::channel();
        for port in 1..=100 {
            look_up("localhost".into(), port, Box::new(Sender(sender.clone(), true)));
        }
        let mut ports = Vec::new();
        for _ in 0..100 {
            let addresses = receiver.recv_timeout(Duration::from_secs(30)).unwrap().unwrap();
            ports.push(addresses[0].port());
            assert!(
                addresses.iter().all(|address| address.ip().is_loopback() && address.port() == addresses[0].port())
            );
        }
        ports.sort_unstable();
        assert!(ports.into_iter().eq(1..=100));
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
