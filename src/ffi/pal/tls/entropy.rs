//! Random bytes of the application, mixed into those of the system.

use super::types::palEntropySource_f;
use crate::ffi::host;
use crate::ffi::pal::status::palError_t::{PAL_ERR_GENERIC_FAILURE, PAL_ERR_INVALID_ARGUMENT};
use crate::ffi::pal::status::palStatus_t;
use crate::ffi::pal::status_of;
use crate::tls::pal as tls;
use std::ptr::null_mut;
use std::sync::{Mutex, Once, PoisonError};

/// Those that were added. Clients add the same one for each connection.
static SOURCES: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Has the host's random numbers mixed in, where it has any.
pub(super) fn add_host() {
    static ADDED: Once = Once::new();
    // The system's own are enough where there is no room, or where the host has none.
    ADDED.call_once(|| {
        let _ = tls::add_entropy(Box::new(host::random));
    });
}

/// Adds a source of random bytes, for the rest of the process. It is asked now and whenever the generator is seeded again, from any
/// thread, and must not call functions of TLS. Its bytes are mixed with the system's: a source that fails or lies does no harm. The
/// same source is added once, however often it is given.
///
/// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_GENERIC_FAILURE` (no room for more, which are 18).
#[unsafe(no_mangle)]
pub extern "C" fn pal_addEntropySource(entropyCallback: palEntropySource_f) -> palStatus_t {
    status_of(|| {
        let source = entropyCallback.ok_or(PAL_ERR_INVALID_ARGUMENT)?;
        let mut sources = SOURCES.lock().unwrap_or_else(PoisonError::into_inner);
        if sources.contains(&(source as usize)) {
            return Ok(());
        }
        let ask = move |buffer: &mut [u8]| {
            let mut written = 0;
            match source(null_mut(), buffer.as_mut_ptr(), buffer.len(), &raw mut written) {
                0 => written,
                _ => 0,
            }
        };
        tls::add_entropy(Box::new(ask)).map_err(|_| PAL_ERR_GENERIC_FAILURE)?;
        sources.push(source as usize);
        Ok(())
    })
}
