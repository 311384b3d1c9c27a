//! What was built, and with which settings.

use crate::ffi::configured;
use crate::ffi::guard;
use std::ffi::{CStr, c_char};

/// The version of the library, for example `0.1.0`.
///
/// Any thread, any time. The text is constant and is not to be freed.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_version() -> *const c_char {
    const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => panic!("a version has no NUL in it"),
    };
    VERSION.as_ptr()
}

/// The keepalive interval in seconds that the build read as `MBED_CLIENT_TCP_KEEPALIVE_INTERVAL`; 540 where nothing set it.
///
/// Any thread, any time. From 1 to 4294967.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_keepalive_interval_s() -> u32 {
    guard(0, configured::keepalive_interval_s)
}

/// Where that interval was set, for example `mbed_cloud_client_user_config.h:12`, or `default`.
///
/// Any thread, any time. The text is constant and is not to be freed.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_keepalive_interval_source() -> *const c_char {
    guard(c"".as_ptr(), || configured::keepalive_interval_source().as_ptr())
}
