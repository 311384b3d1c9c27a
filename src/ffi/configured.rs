//! The defaults in force: those of the application that links the archive, where it has any, else those of the build.

use crate::settings;
use std::ffi::{CStr, c_char};

// Made by build.rs from configured.c.
unsafe extern "C" {
    safe fn mcc_private_keepalive_interval_s() -> *const u32;
    safe fn mcc_private_keepalive_interval_source() -> *const c_char;
    safe fn mcc_private_max_reconnect_timeout_s() -> *const u32;
    safe fn mcc_private_max_incoming_message_size() -> *const u32;
}

/// Seconds between a message and the ping after it.
pub(super) fn keepalive_interval_s() -> u32 {
    value(mcc_private_keepalive_interval_s(), settings::KEEPALIVE_INTERVAL_S)
}

/// Where that was set.
pub(super) fn keepalive_interval_source() -> &'static CStr {
    let linked = mcc_private_keepalive_interval_source();
    if linked.is_null() {
        return CStr::from_bytes_with_nul(concat_nul(settings::KEEPALIVE_INTERVAL_SOURCE)).unwrap_or(c"");
    }
    // SAFETY: a constant of the application that ends with NUL.
    unsafe { CStr::from_ptr(linked) }
}

/// The longest wait before a reconnection, in seconds.
pub(super) fn max_reconnect_timeout_s() -> u32 {
    value(mcc_private_max_reconnect_timeout_s(), settings::MAX_RECONNECT_TIMEOUT_S)
}

/// The longest message that is taken, in bytes.
pub(super) fn max_incoming_message_size() -> u32 {
    value(mcc_private_max_incoming_message_size(), settings::MAX_INCOMING_MESSAGE_SIZE)
}

fn value(linked: *const u32, built: u32) -> u32 {
    // SAFETY: null, or a constant of the application.
    unsafe { linked.as_ref() }.copied().unwrap_or(built)
}

/// The text with a NUL behind it, made once.
fn concat_nul(text: &'static str) -> &'static [u8] {
    static TEXT: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    TEXT.get_or_init(|| [text.as_bytes(), b"\0"].concat())
}
