//! Cancelled threads (pthread_cancel(3)) of the application: what unwinds them must not meet this library's functions, where it would
//! end the process.

use std::ffi::c_int;

/// `PTHREAD_CANCEL_DISABLE` of the C libraries of Linux.
const DISABLE: c_int = 1;

unsafe extern "C" {
    fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
}

/// Runs `body`; a cancellation that comes meanwhile waits until it is over.
pub fn held_off<T>(body: impl FnOnce() -> T) -> T {
    let mut before: c_int = DISABLE;
    // SAFETY: the state is one of the two that exist, and there is room for the one before.
    unsafe { pthread_setcancelstate(DISABLE, &raw mut before) };
    let result = body();
    // SAFETY: as above; null where nobody asks.
    unsafe { pthread_setcancelstate(before, std::ptr::null_mut()) };
    result
}
