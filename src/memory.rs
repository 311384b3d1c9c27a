//! What is done when memory has run out: the reserve's accounts, the question whether something new may begin, and buffers that can be
//! refused.
//!
//! Rust's library ends the process where an allocation fails. So the allocator (`ffi/allocator.rs`) serves what is small from a reserve,
//! and waits where that does not help. Nothing new begins meanwhile: whoever makes something that lasts asks [`spare`] before, and
//! whoever needs a buffer whose size the application or the peer says asks for it by [`zeroed`], [`copied`] or [`extend`].

use crate::error::{Failure, Status};
use rustix::io::Errno;
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes of the reserve.
pub(crate) const RESERVE_SIZE: usize = 128 * 1024;

/// Memory is no longer short once so much can be had in one piece: what a connection needs beside its TLS.
const ENOUGH: usize = 32 * 1024;

/// A buffer up to this size is not refused.
const SMALL: usize = 512;

/// How many bytes of the reserve are in use.
static RESERVE_IN_USE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// What this thread asks for now can be refused.
    static CAN_BE_REFUSED: Cell<bool> = const { Cell::new(false) };
}

/// Whether something new may begin. While the reserve is in use that is so once memory can be had again, and half of the reserve is free
/// for what has begun.
pub(crate) fn spare() -> Result<(), Failure> {
    let in_use = RESERVE_IN_USE.load(Ordering::Relaxed);
    if in_use == 0 {
        return Ok(());
    }
    if in_use > RESERVE_SIZE / 2 {
        return Err(out_of_memory());
    }
    ample()
}

/// Whether there is memory at this moment.
pub(crate) fn ample() -> Result<(), Failure> {
    let mut probe: Vec<u8> = Vec::new();
    extended(&mut probe, ENOUGH)?;
    // Else the compiler finds that nobody uses it, and asks for none.
    std::hint::black_box(&mut probe);
    Ok(())
}

/// A buffer of zeros.
pub(crate) fn zeroed(size: usize) -> Result<Vec<u8>, Failure> {
    let mut buffer = Vec::new();
    extended(&mut buffer, size)?;
    buffer.resize(size, 0);
    Ok(buffer)
}

/// A copy.
pub(crate) fn copied(bytes: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut buffer = Vec::new();
    extended(&mut buffer, bytes.len())?;
    buffer.extend_from_slice(bytes);
    Ok(buffer)
}

/// One after the other.
pub(crate) fn joined(parts: &[&[u8]]) -> Result<Vec<u8>, Failure> {
    let mut buffer = Vec::new();
    extended(&mut buffer, parts.iter().map(|part| part.len()).sum())?;
    parts.iter().for_each(|part| buffer.extend_from_slice(part));
    Ok(buffer)
}

/// Adds bytes to a buffer, which stays as it is where there is no memory.
pub(crate) fn extend(buffer: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Failure> {
    unless_small(buffer.len() + bytes.len(), || buffer.try_reserve(bytes.len())).map_err(|_| out_of_memory())?;
    buffer.extend_from_slice(bytes);
    Ok(())
}

/// Makes room for so many more items.
pub(crate) fn extended<T>(items: &mut Vec<T>, more: usize) -> Result<(), Failure> {
    let size = (items.len().saturating_add(more)).saturating_mul(size_of::<T>());
    unless_small(size, || items.try_reserve_exact(more)).map_err(|_| out_of_memory())
}

/// The allocator may refuse what is asked for in `body`, unless the reserve has room for it.
fn unless_small<T>(size: usize, body: impl FnOnce() -> T) -> T {
    if size > SMALL { refusable(body) } else { body() }
}

/// What the allocator is asked for in `body` can be refused.
pub(crate) fn refusable<T>(body: impl FnOnce() -> T) -> T {
    let outer = CAN_BE_REFUSED.replace(true);
    let result = body();
    CAN_BE_REFUSED.set(outer);
    result
}

/// Whether what this thread asks the allocator for now can be refused.
#[cfg_attr(not(feature = "reserve"), allow(dead_code, reason = "the allocator's"))]
pub(crate) fn can_be_refused() -> bool {
    CAN_BE_REFUSED.get()
}

/// So many bytes of the reserve are in use now.
#[cfg_attr(not(feature = "reserve"), allow(dead_code, reason = "the allocator's"))]
pub(crate) fn taken(bytes: usize) {
    RESERVE_IN_USE.fetch_add(bytes, Ordering::Relaxed);
}

/// So many bytes of the reserve are in use no more.
#[cfg_attr(not(feature = "reserve"), allow(dead_code, reason = "the allocator's"))]
pub(crate) fn given_back(bytes: usize) {
    RESERVE_IN_USE.fetch_sub(bytes, Ordering::Relaxed);
}

/// What is said where there is none. The errno is what the client's functions go by.
pub(crate) fn out_of_memory() -> Failure {
    Failure::with_detail(Status::OutOfMemory, Errno::NOMEM.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_cannot_be_is_refused_and_leaves_what_is_there() {
        assert_eq!(zeroed(usize::MAX / 4).map(drop), Err(out_of_memory()));
        assert_eq!(zeroed(3), Ok(vec![0; 3]));
        let mut buffer = copied(&[1, 2]).unwrap();
        extend(&mut buffer, &[3]).unwrap();
        assert_eq!(extended(&mut buffer, usize::MAX / 4), Err(out_of_memory()));
        assert_eq!(buffer, [1, 2, 3]);
        assert!(!can_be_refused());
        assert!(refusable(|| refusable(can_be_refused) && can_be_refused()));
        assert!(!can_be_refused());
    }
}
