//! More entropy for the random generator, beside the system's.

use std::ffi::{c_int, c_uchar, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::Error;
use crate::{initialise, raw};

/// Writes random bytes to the front of the buffer, and returns how many. What it gives is mixed in and never relied upon.
pub type Source = dyn Fn(&mut [u8]) -> usize + Send + Sync;

/// Adds a source for the rest of the process. It is asked at once, and whenever the generator is seeded again; it must not call this
/// crate. Any thread.
///
/// # Errors
/// [`crate::ErrorKind::Other`] when there are as many as the library has room for (19); out of memory or entropy when it starts.
pub fn add(source: Box<Source>) -> Result<(), Error> {
    initialise()?;
    let source = Box::into_raw(Box::new(source));
    // SAFETY: where the library keeps the pointer, what it leads to is never freed.
    let code = unsafe { raw::mbed_cloud_connectivity_add_entropy_source(Some(ask), source.cast()) };
    let added = Error::check(code);
    if added.is_err() {
        // SAFETY: from `into_raw` above; the library has not kept it.
        drop(unsafe { Box::from_raw(source) });
    }
    added
}

extern "C" fn ask(source: *mut c_void, buffer: *mut c_uchar, size: usize, written: *mut usize) -> c_int {
    // SAFETY: `add` gave this pointer; buffer, size and written are the library's and live during the call. Its buffer may hold
    // anything, and is filled with zeros before it is looked at.
    let (source, buffer, written) = unsafe {
        buffer.write_bytes(0, size);
        (&*source.cast::<Box<Source>>(), std::slice::from_raw_parts_mut(buffer, size), &mut *written)
    };
    let given = catch_unwind(AssertUnwindSafe(|| source(buffer))).unwrap_or(0);
    *written = given.min(size);
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_source_is_asked_when_it_is_added_and_its_faults_do_no_harm() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        add(Box::new(|buffer: &mut [u8]| {
            buffer.fill(7);
            ASKED.fetch_add(1, Ordering::SeqCst);
            usize::MAX
        }))
        .unwrap();
        assert_eq!(ASKED.load(Ordering::SeqCst), 1);
        add(Box::new(|_: &mut [u8]| panic!("deliberate: a source that panics gives nothing"))).unwrap();
        assert_eq!(ASKED.load(Ordering::SeqCst), 2);
        let mut bytes = [0; 32];
        crate::random(&mut bytes).unwrap();
        assert_ne!(bytes, [0; 32]);
        while add(Box::new(|_: &mut [u8]| 0)).is_ok() {}
        crate::random(&mut bytes).unwrap();
    }
}
