//! Connection IDs: by them a DTLS server knows a device that has another address, or has slept.

use super::environment::store;
use super::session;
use super::types::{palTLSConfHandle_t, palTLSHandle_t};
use crate::ffi::pal::keeping_errno;
use crate::ffi::pointer;
use crate::log;
use std::fmt::Write as _;

/// Writes the state of the latest DTLS session with a Connection ID to the host's storage, from where a later process goes on with it;
/// without storage it stays in memory, where it is anyway. What was stored is deleted when it is used, and when the session sends
/// anything after this: no record number is used twice.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn pal_store_cid() {
    keeping_errno((), || {
        if let Err(error) = store().store_latest_context() {
            log::warning(format_args!("the DTLS session could not be stored: {error}"));
        }
    });
}

/// Forgets the latest DTLS session with a Connection ID, in memory and in the host's storage. A session that uses it goes on, and is
/// not kept.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn pal_remove_cid() {
    keeping_errno((), || store().forget_latest_context(true));
}

/// Whether there is a DTLS session with a Connection ID that goes on or can go on, in memory or in the host's storage.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn pal_is_cid_available() -> bool {
    keeping_errno(false, || store().has_context())
}

/// Replaces the Connection ID in the records that an established DTLS session sends, by one of 0 to 32 bytes, which are copied.
///
/// Any thread. Nothing happens where there is no such session, where it has no Connection ID, or with another size.
#[unsafe(no_mangle)]
pub extern "C" fn pal_set_cid_value(
    palTLSHandle: palTLSHandle_t,
    palTLSConf: palTLSConfHandle_t,
    data_ptr: *const u8,
    data_len: usize,
) {
    keeping_errno((), || {
        let Ok(live) = session::find(palTLSHandle) else { return };
        // SAFETY: the caller gives the bytes.
        let Ok(id) = (unsafe { pointer::bytes(data_ptr, data_len) }) else { return };
        if live.check(palTLSConf).is_ok() && live.session.replace_connection_id(id).is_err() {
            log::warning(format_args!("the Connection ID could not be replaced"));
        }
    });
}

/// Writes the Connection ID of a session to the log. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn pal_print_cid(palTLSHandle: palTLSHandle_t) {
    keeping_errno((), || {
        let Ok(live) = session::find(palTLSHandle) else { return };
        match live.session.connection_id() {
            None => log::info(format_args!("the session has no Connection ID")),
            Some(id) => {
                let digits = id.iter().fold(String::new(), |mut digits, byte| {
                    let _ = write!(digits, "{byte:02x}");
                    digits
                });
                log::info(format_args!("the session's Connection ID is {digits}"));
            }
        }
    });
}
