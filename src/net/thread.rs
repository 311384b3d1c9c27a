//! Threads of the library: they block all signals, so that the application's are never handled on them.

use crate::error::{Failure, Status};
use nix::sys::signal::{SigSet, SigmaskHow};
use std::sync::OnceLock;
use std::thread::{Builder, JoinHandle};

/// What runs on a thread.
pub type Body = Box<dyn FnOnce() + Send>;

/// A thread that was started. It goes on where this is dropped.
pub trait Thread: Send + std::fmt::Debug {
    /// Whether its body has ended.
    fn is_finished(&self) -> bool;
    /// Waits until it has ended; not from itself.
    fn join(self: Box<Self>);
}

/// Starts a thread of this name; or gives the errno.
pub type Starter = fn(&'static str, Body) -> Result<Box<dyn Thread>, i32>;

static STARTER: OnceLock<Starter> = OnceLock::new();

/// Has threads started by `starter` in place of Rust's library, which ends the process where there is no memory for one.
pub fn start_by(starter: Starter) {
    let _ = STARTER.set(starter);
}

/// Starts a thread. Its name has at most 15 bytes.
pub fn spawn(name: &'static str, body: impl FnOnce() + Send + 'static) -> Result<Box<dyn Thread>, Failure> {
    // Blocked before the thread exists and inherited by it: there is no moment at which a signal could reach it.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK).ok();
    let thread = STARTER.get().unwrap_or(&(start as Starter))(name, Box::new(body));
    if let Some(before) = before {
        let _ = before.thread_set_mask();
    }
    thread.map_err(|errno| Failure::with_detail(Status::ThreadFailed, errno))
}

fn start(name: &'static str, body: Body) -> Result<Box<dyn Thread>, i32> {
    let thread = Builder::new().name(name.to_owned()).spawn(body);
    thread.map(|thread| Box::new(thread) as Box<dyn Thread>).map_err(|error| error.raw_os_error().unwrap_or(0))
}

impl Thread for JoinHandle<()> {
    fn is_finished(&self) -> bool {
        JoinHandle::is_finished(self)
    }

    fn join(self: Box<Self>) {
        let _ = JoinHandle::join(*self);
    }
}
