//! The one way to lock: a panic while something was locked has ended at the boundary, and what it guards stays in use.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, whatever happened to whoever held it before.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
