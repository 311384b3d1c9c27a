//! Beginning and end of the layer.

use super::status::palError_t::PAL_ERR_CREATION_FAILED;
use super::status::{palError_t, palStatus_t};
use super::status_of;
use crate::error::{Failure, Status};
use crate::net::pal;
use std::ffi::c_void;

/// Starts the layer: one thread, from which all callbacks come, and which blocks all signals. `context` is not looked at.
///
/// Any thread, any number of times: what runs already goes on. Sockets from before an earlier end stay usable, but call back no more.
/// A child of fork(2) has sockets like those, and no layer until it starts one; what it does leaves its parent's layer alone.
///
/// Errors: `PAL_ERR_SOCKET_ALLOCATION_FAILED` (no descriptors), `PAL_ERR_SOCKET_NO_BUFFERS`, `PAL_ERR_CREATION_FAILED` (no thread).
#[unsafe(no_mangle)]
pub extern "C" fn pal_plat_socketsInit(context: *mut c_void) -> palStatus_t {
    let _ = context;
    status_of(|| pal::start().map_err(status_of_failure))
}

/// Ends the layer, however often it was started, and gives back its thread and descriptors. `context` is not looked at.
///
/// When this returns, no callback of a socket, a lookup or an interface runs, and none will begin; from a callback, that callback
/// alone goes on, and the thread ends after it, for which the next call from elsewhere waits. Lookups that are not answered are
/// cancelled. Sockets stay open: they can be used and closed. Any thread, any number of times. Always `PAL_SUCCESS`.
#[unsafe(no_mangle)]
pub extern "C" fn pal_plat_socketsTerminate(context: *mut c_void) -> palStatus_t {
    let _ = context;
    status_of(|| {
        pal::stop();
        Ok(())
    })
}

fn status_of_failure(failure: Failure) -> palError_t {
    match failure.status {
        Status::ThreadFailed => PAL_ERR_CREATION_FAILED,
        _ => pal::Refusal::from(failure).into(),
    }
}
