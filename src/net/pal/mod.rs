//! What the client's platform layer (PAL) wants of the system: asynchronous sockets, lookups that call back, the state of an
//! interface. One thread calls back for all of them, from [`start`] to [`stop`].

pub mod lookup;
pub mod socket;
pub mod status;

use super::gate;
use super::notifier::Notifier;
use super::reactor::FIRST_OWN_TOKEN;
use crate::error::Failure;
use rustix::io::Errno;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the watch of the interfaces is registered with. Those of sockets are smaller.
const NETWORK_TOKEN: u64 = FIRST_OWN_TOKEN - 1;

static RUNNING: Mutex<Option<Arc<Notifier>>> = Mutex::new(None);

/// Held by whoever waits for the thread to end.
static STOPPING: Mutex<()> = Mutex::new(());

/// Why something could not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing was started.
    NotStarted,
    /// The system refused it.
    System(Errno),
}

impl From<Errno> for Refusal {
    fn from(error: Errno) -> Self {
        Self::System(error)
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::System(errno_of(failure))
    }
}

/// Every failure of a reactor carries the errno that it comes from.
fn errno_of(failure: Failure) -> Errno {
    Errno::from_raw_os_error(failure.detail)
}

/// Starts the thread, unless it runs already. Any thread.
pub fn start() -> Result<(), Failure> {
    let mut running = lock(&RUNNING);
    if running.as_ref().is_some_and(|running| !running.is_of_this_process()) {
        *running = None;
        forget_all();
    }
    if running.is_none() {
        *running = Some(Notifier::start("mcc-pal", |readiness| match readiness.token {
            NETWORK_TOKEN => status::network_changed(),
            _ => socket::ready(readiness),
        })?);
    }
    Ok(())
}

/// Ends the thread, and with it every callback; sockets stay open. Any thread; from a callback it does not wait for the thread.
pub fn stop() {
    // Two threads that stop at once both return after the end.
    let stopping = (!gate::is_callback_thread()).then(|| lock(&STOPPING));
    let notifier = lock(&RUNNING).take();
    if let Some(notifier) = notifier {
        forget_all();
        if notifier.is_of_this_process() {
            notifier.end();
        }
    }
    drop(stopping);
}

fn forget_all() {
    status::forget_all();
    lookup::forget_all();
}

fn running() -> Result<Arc<Notifier>, Refusal> {
    lock(&RUNNING).clone().filter(|running| running.is_of_this_process()).ok_or(Refusal::NotStarted)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
