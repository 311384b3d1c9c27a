//! A name for the PAL's TLS, whose own functions have no place for one.

use super::pal;
use super::pointer;
use std::ffi::c_char;

/// Says whom the sessions of a TLS or DTLS configuration of the PAL are for: the name is sent to the server (SNI), and the server's
/// certificate has to be for it. `configuration` is a `palTLSConfHandle_t`; the name is copied; null: no name, as without this call.
///
/// Counts for sessions whose first `pal_handShake` comes later. Any thread. Returns a `palStatus_t`: 0 for success,
/// `PAL_ERR_INVALID_ARGUMENT` (-15) for no configuration, an empty name, one of more than 255 bytes or that is not UTF-8. Only in a
/// library that is built with the PAL functions.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_pal_set_server_name(configuration: usize, name: *const c_char) -> i32 {
    // SAFETY: the caller gives a string that ends with NUL, or null.
    let name = unsafe { pointer::text(name) }.map(|name| name.to_str().unwrap_or_default());
    pal::set_server_name(configuration, name)
}
