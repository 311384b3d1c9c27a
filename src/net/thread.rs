//! Threads of the library: they block all signals, so that the application's are never handled on them.

use crate::error::{Failure, Status};
use nix::sys::signal::{SigSet, SigmaskHow};
use std::thread::{Builder, JoinHandle};

/// Starts a thread. Its name has at most 15 bytes.
pub fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Failure> {
    // Blocked before the thread exists and inherited by it: there is no moment at which a signal could reach it.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK).ok();
    let thread = Builder::new().name(name.to_owned()).spawn(body);
    if let Some(before) = before {
        let _ = before.thread_set_mask();
    }
    thread.map_err(|error| Failure::with_detail(Status::ThreadFailed, error.raw_os_error().unwrap_or(0)))
}
