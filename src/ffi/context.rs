//! Contexts: an event loop each, on a thread of its own or driven by the caller.

use crate::error::Status;
use crate::ffi::handle::Registry;
use crate::ffi::pointer::{Sized32, sized, write};
use crate::ffi::status::mcc_status_t;
use crate::ffi::{connection, guard, status_of_result};
use crate::net::context::Context;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

/// An event loop and the connections on it.
pub struct mcc_context_t {
    _opaque: (),
}

pub(super) static CONTEXTS: Registry<mcc_context_t, Arc<Context>> = Registry::new(1);

/// How a context works. Begin with `MCC_CONTEXT_OPTIONS_INIT`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mcc_context_options_t {
    /// The size of this struct in bytes, as the initialiser sets it.
    pub size: u32,
    /// 1 (the default): the library runs the loop on a thread of its own, which blocks all signals. 0: the program runs it by
    /// `mcc_context_process`.
    pub own_thread: u32,
}

// SAFETY: two u32, the first is the size.
unsafe impl Sized32 for mcc_context_options_t {
    const DEFAULT: Self = Self { size: size_of::<Self>() as u32, own_thread: 1 };
}

/// Makes a context. Null options mean the defaults.
///
/// The caller owns it and ends it by `mcc_context_free`. Any thread. `*out` is written on success only.
///
/// Errors: `MCC_ERR_NULL_POINTER` (out), `MCC_ERR_INVALID_ARGUMENT` (options), `MCC_ERR_OUT_OF_DESCRIPTORS`,
/// `MCC_ERR_OUT_OF_MEMORY`, `MCC_ERR_THREAD`, `MCC_ERR_SYSTEM`.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_context_new(options: *const mcc_context_options_t, out: *mut *mut mcc_context_t) -> mcc_status_t {
    status_of_result(|| {
        if out.is_null() {
            return Err(Status::NullPointer);
        }
        let options = if options.is_null() {
            mcc_context_options_t::DEFAULT
        } else {
            // SAFETY: the caller gives an option struct that begins with its size.
            unsafe { sized(options) }?
        };
        if options.own_thread > 1 {
            return Err(Status::InvalidArgument);
        }
        let handle = CONTEXTS.reserve()?;
        let context = Context::new(options.own_thread == 1).map_err(|failure| failure.status)?;
        CONTEXTS.insert(handle, context);
        // SAFETY: not null, and the caller gives room for a pointer.
        unsafe { write(out, handle.pointer()) }
    })
}

/// The one descriptor to poll for reading in a loop of the program's own; when it is readable, call `mcc_context_process`.
///
/// It stays the same while the context lives, belongs to the context, and becomes readable for deadlines too, so that the poll
/// needs no timeout. Do nothing else with it. Any thread. -1: no such context, or one with a thread of its own.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_context_fd(context: *const mcc_context_t) -> i32 {
    guard(-1, || {
        let context = CONTEXTS.get(context).ok();
        context.and_then(|context| context.descriptor().map(|descriptor| descriptor.as_raw_fd())).unwrap_or(-1)
    })
}

/// Does what is due on a context without a thread of its own, and waits for it up to `timeout_ms` milliseconds: 0 does not wait,
/// a negative number waits without limit.
///
/// It returns after one round of work. All callbacks of the context's connections come from here. Any thread, one at a time.
///
/// Errors: `MCC_ERR_INVALID_HANDLE`, `MCC_ERR_NULL_POINTER`, `MCC_ERR_WRONG_STATE` (the context has its own thread),
/// `MCC_ERR_BUSY` (it is being processed already), `MCC_ERR_SYSTEM`.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_context_process(context: *mut mcc_context_t, timeout_ms: i32) -> mcc_status_t {
    status_of_result(|| {
        let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
        CONTEXTS.get(context)?.process(timeout).map_err(|failure| failure.status)
    })
}

/// Ends a context and what is still open on it: each message not sent yet is reported as failed, each connection as closed.
///
/// With a thread of its own these last events come from that thread, and it has ended when the function returns. Without one they
/// come from within this function, unless another thread is in `mcc_context_process`: then from there, before the function returns.
/// From a callback, of this context or of another, the function returns at once, and they come afterwards.
/// In every case the handles of the context and of its connections are invalid from the call on. Any thread. Null does nothing,
/// nor does a handle that is not one.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_context_free(context: *mut mcc_context_t) {
    guard((), || {
        if let Ok(context) = CONTEXTS.remove(context) {
            context.refuse();
            connection::forget_all_of(&context);
            context.shut_down();
        }
    });
}
