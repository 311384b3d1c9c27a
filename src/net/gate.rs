//! Callbacks that can be ended: once a gate is shut, its callback neither runs nor begins.

use super::process::Process;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};

thread_local! {
    /// The process in which callbacks come from this thread, if there is one.
    static CALLS_BACK: Cell<Option<Process>> = const { Cell::new(None) };
}

/// Says that callbacks come from this thread, from now on.
pub fn this_thread_calls_back() {
    CALLS_BACK.set(Some(Process::this()));
}

/// Whether this is a thread that callbacks come from, so that what runs on it now may be one.
pub fn is_callback_thread() -> bool {
    CALLS_BACK.get().is_some_and(Process::is_this)
}

/// Lets one callback through at a time, until it is shut.
#[derive(Debug)]
pub struct Gate {
    open: AtomicBool,
    /// Held while the callback runs.
    running: Mutex<()>,
    /// A child of this one has no thread in which the callback could run, however it was at the fork.
    process: Process,
}

impl Gate {
    /// A gate that is open.
    pub fn new() -> Self {
        Self { open: AtomicBool::new(true), running: Mutex::new(()), process: Process::this() }
    }

    /// Runs `callback`, unless the gate is shut. From a thread that callbacks come from.
    pub fn pass(&self, callback: impl FnOnce()) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if self.open.load(Ordering::SeqCst) {
            callback();
        }
        drop(running);
    }

    /// Shuts it, and waits for a callback that runs now; not from a callback, which would wait for itself.
    pub fn shut(&self) {
        self.close();
        if self.process.is_this() && !is_callback_thread() {
            drop(self.running.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Lets no callback begin, and waits for none.
    pub fn close(&self) {
        self.open.store(false, Ordering::SeqCst);
    }

    /// Whether a callback runs at this moment.
    pub fn is_passed_now(&self) -> bool {
        matches!(self.running.try_lock(), Err(TryLockError::WouldBlock))
    }

    /// Whether callbacks still pass.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst)
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn shutting_waits_for_the_callback_and_lets_none_begin() {
        let gate = Arc::new(Gate::new());
        let (entered, wait_until_entered) = mpsc::channel();
        let (release, wait_for_release) = mpsc::channel::<()>();
        let passing = gate.clone();
        let caller = std::thread::spawn(move || {
            this_thread_calls_back();
            passing.pass(|| {
                entered.send(()).unwrap();
                wait_for_release.recv().unwrap();
            });
            passing.pass(|| panic!("passed a gate that is shut"));
        });
        wait_until_entered.recv().unwrap();
        let shutting = gate.clone();
        let (done, wait_until_done) = mpsc::channel();
        let shutter = std::thread::spawn(move || {
            shutting.shut();
            done.send(()).unwrap();
        });
        assert!(wait_until_done.recv_timeout(Duration::from_millis(50)).is_err(), "it did not wait");
        release.send(()).unwrap();
        wait_until_done.recv_timeout(Duration::from_secs(30)).unwrap();
        caller.join().unwrap();
        shutter.join().unwrap();
    }

    #[test]
    fn a_callback_shuts_its_own_gate() {
        std::thread::spawn(|| {
            this_thread_calls_back();
            let gate = Gate::new();
            gate.pass(|| gate.shut());
            assert!(!gate.is_open());
        })
        .join()
        .unwrap();
    }
}
