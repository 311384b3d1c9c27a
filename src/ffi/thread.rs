//! Threads by the C library alone: Rust's makes an object for each, and ends the process where there is no memory for it.

use crate::net::thread::{Body, Thread};
use crate::panic;
use nix::libc;
use std::ffi::{CString, c_void};
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// As Rust's library has it.
const STACK_SIZE: usize = 2 * 1024 * 1024;

#[derive(Debug)]
struct Started {
    thread: libc::pthread_t,
    finished: Arc<AtomicBool>,
    joined: bool,
}

struct Start {
    name: CString,
    body: Body,
    finished: Arc<AtomicBool>,
}

/// Starts a thread of this name; or gives the errno.
pub(super) fn start(name: &'static str, body: Body) -> Result<Box<dyn Thread>, i32> {
    let finished = Arc::new(AtomicBool::new(false));
    let start = Start { name: CString::new(name).unwrap_or_default(), body, finished: finished.clone() };
    // Made before the thread, which could not be joined otherwise.
    let mut started = Box::new(MaybeUninit::<Started>::uninit());
    let argument = Box::into_raw(Box::new(start));
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
    // SAFETY: the attributes are initialised first and destroyed last; the argument is a box that `run` takes back, once.
    let error = unsafe {
        let mut error = libc::pthread_attr_init(attributes.as_mut_ptr());
        if error == 0 {
            error = libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK_SIZE);
            if error == 0 {
                error = libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), run, argument.cast());
            }
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
        }
        error
    };
    if error != 0 {
        // SAFETY: no thread was made, so that nobody else has the box.
        drop(unsafe { Box::from_raw(argument) });
        return Err(error);
    }
    // SAFETY: pthread_create has written it.
    let thread = unsafe { thread.assume_init() };
    started.write(Started { thread, finished, joined: false });
    // SAFETY: written above.
    Ok(unsafe { started.assume_init() })
}

extern "C" fn run(argument: *mut c_void) -> *mut c_void {
    // SAFETY: the box that `start` made for this thread alone.
    let Start { name, body, finished } = *unsafe { Box::from_raw(argument.cast::<Start>()) };
    // SAFETY: the name is a string that ends with NUL. One that is too long is not set.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
    drop(name);
    panic::guard((), body);
    finished.store(true, Ordering::Release);
    null_mut()
}

impl Thread for Started {
    fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }

    fn join(mut self: Box<Self>) {
        self.joined = true;
        // SAFETY: neither joined nor detached before, as `joined` says.
        unsafe { libc::pthread_join(self.thread, null_mut()) };
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if !self.joined {
            // SAFETY: neither joined nor detached before.
            unsafe { libc::pthread_detach(self.thread) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_thread_has_its_name_survives_a_panic_and_is_joined_or_left() {
        let (sender, receiver) = mpsc::channel();
        let name = move || {
            let text = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
            sender.send(text).unwrap();
            panic!("deliberate: it ends this thread only");
        };
        let thread = start("mcc-test", Box::new(name)).unwrap();
        assert_eq!(receiver.recv().unwrap(), "mcc-test\n");
        thread.join();
        let (release, wait) = mpsc::channel::<()>();
        let (over, seen) = mpsc::channel();
        let body = move || {
            let _ = wait.recv();
            let _ = over.send(());
        };
        let thread = start("mcc-test", Box::new(body)).unwrap();
        assert!(!thread.is_finished());
        drop(thread);
        release.send(()).unwrap();
        seen.recv().unwrap();
    }
}
