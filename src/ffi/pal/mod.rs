//! The socket and TLS functions of the client's platform abstraction layer (PAL), under the client's own names: an existing
//! application that links this archive has its sockets and its secure channel from here.
//!
//! Names, types and numbers are those of `abi/pal.json`; what the functions do is in `docs/pal-network.md` and `docs/pal-tls.md`. `include/pal.h` is
//! made from this folder.
#![allow(
    non_snake_case,
    clippy::upper_case_acronyms,
    reason = "names of parameters and fields are the client's own, so that the header reads like the one that it stands in for"
)]

mod address;
mod estimate;
mod interface;
mod lookup;
mod option;
mod run;
mod socket;
pub mod status;
#[cfg(test)]
mod tests;
pub mod tls;
pub mod types;

use crate::error::Status;
use crate::net::pal::Refusal;
use nix::errno::Errno;
use status::{palError_t, palStatus_t};

pub(super) use tls::set_server_name;

/// Runs the body of an exported function that returns a status. The caller's `errno` stays what it is.
fn status_of(body: impl FnOnce() -> Result<(), palError_t>) -> palStatus_t {
    keeping_errno(palError_t::PAL_ERR_GENERIC_FAILURE as palStatus_t, || {
        body().err().unwrap_or(palError_t::PAL_SUCCESS) as palStatus_t
    })
}

/// Runs the body of any exported function.
fn keeping_errno<T>(on_panic: T, body: impl FnOnce() -> T) -> T {
    let errno = Errno::last_raw();
    let result = crate::ffi::guard(on_panic, body);
    Errno::set_raw(errno);
    result
}

/// What the conversions of pointers refuse: one that must not be null, or a size that no buffer has.
impl From<Status> for palError_t {
    fn from(_: Status) -> Self {
        Self::PAL_ERR_INVALID_ARGUMENT
    }
}

impl From<Refusal> for palError_t {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotStarted => Self::PAL_ERR_NOT_INITIALIZED,
            Refusal::System(errno) => errno.into(),
        }
    }
}
