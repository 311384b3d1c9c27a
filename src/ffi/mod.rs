//! The C interface: every exported function, and the only unsafe code of this crate.
//!
//! One file a face; `handle` and `pointer` hold every conversion of a pointer, and each function runs inside [`guard`].
#![allow(non_camel_case_types, unsafe_code)]

/// cbindgen:ignore
#[cfg(any(feature = "reserve", test))]
mod allocator;
/// cbindgen:ignore
mod backtrace;
/// cbindgen:ignore
mod cancellation;
pub mod coap;
mod configured;
pub mod connection;
#[cfg(feature = "pal")]
pub mod connection_status;
pub mod context;
pub mod event;
mod handle;
/// cbindgen:ignore
#[cfg(feature = "pal")]
mod host;
pub mod keepalive;
pub mod log;
#[cfg(feature = "netcheck")]
pub mod netcheck;
/// cbindgen:ignore
#[cfg(feature = "pal")]
pub mod pal;
mod pointer;
#[cfg(feature = "pal")]
pub mod server_name;
pub mod status;
/// cbindgen:ignore
mod thread;
pub mod version;

use crate::error::Status;
use status::mcc_status_t;

/// Runs the body of any exported function: a panic in it gives `on_panic`, no cancellation of the thread ends it, what it logs reaches
/// the host, and its threads are the C library's.
fn guard<T>(on_panic: T, body: impl FnOnce() -> T) -> T {
    #[cfg(feature = "pal")]
    host::take_the_log();
    crate::net::thread::start_by(thread::start);
    cancellation::held_off(|| crate::panic::guard(on_panic, body))
}

/// Runs the body of an exported function that returns a status.
fn status_of_result(body: impl FnOnce() -> Result<(), Status>) -> mcc_status_t {
    guard(mcc_status_t::MCC_ERR_INTERNAL, || body().err().unwrap_or(Status::Ok).into())
}
