//! What the client's platform layer (PAL) wants of the system: asynchronous sockets, lookups that call back, the state of an
//! interface. One thread calls back for all of them, from [`start`] to [`stop`].

pub mod lookup;
pub mod socket;
pub mod status;

use super::gate;
use super::notifier::{Leaving, Notifier};
use super::reactor::FIRST_OWN_TOKEN;
use crate::error::Failure;
use crate::lock::lock;
use rustix::io::Errno;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the watch of the interfaces is registered with. Those of sockets are smaller.
const NETWORK_TOKEN: u64 = FIRST_OWN_TOKEN - 1;

static RUNNING: Mutex<Option<Arc<Notifier>>> = Mutex::new(None);

/// Held by whoever waits for threads to end.
static STOPPING: Mutex<()> = Mutex::new(());

/// Threads that were ended from their own callbacks, until somebody waits for them.
static LEAVING: Mutex<Vec<Leaving>> = Mutex::new(Vec::new());

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
        // There is no thread in which one could run.
        drop((status::forget_all(), lookup::forget_all()));
    }
    if running.is_none() {
        *running = Some(Notifier::start("mcc-pal", |readiness| match readiness.token {
            NETWORK_TOKEN => status::network_changed(),
            _ => socket::ready(readiness),
        })?);
    }
    Ok(())
}

/// Ends the thread, and with it every callback; sockets stay open. Any thread; from a callback it does not wait for the thread, and
/// whoever calls this next does.
pub fn stop() {
    let waits = !gate::is_callback_thread();
    let mut running = lock(&RUNNING);
    if let Some(notifier) = running.take().filter(|notifier| notifier.is_of_this_process()) {
        let mut leaving = lock(&LEAVING);
        leaving.retain(|thread| !thread.is_over());
        leaving.extend(notifier.end());
    }
    // Under the lock: what begins once more after this end stays.
    let forgotten = (status::forget_all(), lookup::forget_all());
    drop(running);
    (forgotten.0)();
    (forgotten.1)();
    if waits {
        // Of two threads that stop at once, the second waits for the first, and so for the end.
        let stopping = lock(&STOPPING);
        let leaving = std::mem::take(&mut *lock(&LEAVING));
        leaving.into_iter().for_each(Leaving::wait);
        drop(stopping);
    }
}

/// Has `job` run on the thread once this much time is over; nothing where it does not run.
pub fn after(delay: Duration, job: impl FnOnce() + Send + 'static) {
    if let Ok(notifier) = running() {
        notifier.post_after(delay, Box::new(job));
    }
}

fn running() -> Result<Arc<Notifier>, Refusal> {
    lock(&RUNNING).clone().filter(|running| running.is_of_this_process()).ok_or(Refusal::NotStarted)
}
