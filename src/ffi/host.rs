//! What the application around the library, or the Mbed Cloud Client in it, offers when it is linked in: clock, random numbers,
//! storage and trace. A function that fails is as one that is not there, for that call.
//!
//! The host's functions run on the caller's thread and may call back into the library: hold no lock here.

use crate::log::{self, Level};
use std::ffi::{CStr, CString, c_char};
use std::sync::Once;
use zeroize::Zeroizing;

// Made by build.rs from host.c.
unsafe extern "C" {
    safe fn mcc_private_host_time(seconds: &mut u64) -> bool;
    safe fn mcc_private_host_set_weak_time(seconds: u64) -> bool;
    safe fn mcc_private_host_set_strong_time(seconds: u64) -> bool;
    safe fn mcc_private_host_set_mbedtls_clock() -> bool;
    fn mcc_private_host_random(buffer: *mut u8, size: usize) -> bool;
    safe fn mcc_private_host_has_storage() -> bool;
    fn mcc_private_host_item_size(name: *const u8, name_size: usize, size: &mut usize) -> bool;
    fn mcc_private_host_item_read(
        name: *const u8,
        name_size: usize,
        data: *mut u8,
        max_size: usize,
        size: &mut usize,
    ) -> bool;
    fn mcc_private_host_item_store(name: *const u8, name_size: usize, data: *const u8, size: usize) -> bool;
    fn mcc_private_host_item_delete(name: *const u8, name_size: usize) -> bool;
    fn mcc_private_host_protected_item(name: *const c_char, data: *mut u8, max_size: usize, size: &mut usize) -> bool;
    safe fn mcc_private_host_has_trace() -> bool;
    fn mcc_private_host_trace(level: u8, message: *const c_char);
}

const SESSION: &[u8] = b"sslsession";
const TRUSTED_TIME_SERVER: &CStr = c"time_srv_id";

/// No session is longer, with the chain of its server; what the host says beyond it is wrong.
const MAX_SESSION_SIZE: usize = 64 * 1024;

/// The host's clock, in seconds since 1970: 0 where it was never set; none where the host has no clock.
pub fn time() -> Option<u64> {
    let mut seconds = 0;
    mcc_private_host_time(&mut seconds).then_some(seconds)
}

/// How sure a time is: the host lets a weak one move its clock by little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// Of any server.
    Weak,
    /// Of the trusted time server.
    Strong,
}

/// Hands the host a time that a server told. False where the host takes none or refuses it.
pub fn set_time(strength: Strength, seconds: u64) -> bool {
    match strength {
        Strength::Weak => mcc_private_host_set_weak_time(seconds),
        Strength::Strong => mcc_private_host_set_strong_time(seconds),
    }
}

/// Fills the buffer with the host's random numbers. How many bytes: all, or 0, and then what is in the buffer means nothing.
pub fn random(buffer: &mut [u8]) -> usize {
    // SAFETY: the buffer is writable over its length.
    let filled = unsafe { mcc_private_host_random(buffer.as_mut_ptr(), buffer.len()) };
    if filled { buffer.len() } else { 0 }
}

/// Whether all functions of the storage are linked in.
pub fn has_storage() -> bool {
    mcc_private_host_has_storage()
}

/// The session in the host's storage, as it was stored or as anything else: whoever reads it has to check it.
pub fn stored_session() -> Option<Zeroizing<Vec<u8>>> {
    let mut size = 0;
    // SAFETY: the name is readable over its length.
    let known = unsafe { mcc_private_host_item_size(SESSION.as_ptr(), SESSION.len(), &mut size) };
    if !known || size == 0 || size > MAX_SESSION_SIZE {
        return None;
    }
    let mut data = Zeroizing::new(vec![0; size]);
    let mut read = 0;
    // SAFETY: as above, and `data` is writable over the size that is said.
    let known = unsafe {
        mcc_private_host_item_read(SESSION.as_ptr(), SESSION.len(), data.as_mut_ptr(), data.len(), &mut read)
    };
    // It may have become shorter since; a size beyond the buffer is no size of what is in it.
    if !known || read == 0 || read > data.len() {
        return None;
    }
    data.truncate(read);
    Some(data)
}

/// Puts a session into the host's storage, which overwrites nothing. False where that fails.
pub fn store_session(bytes: &[u8]) -> bool {
    if bytes.is_empty() || bytes.len() > MAX_SESSION_SIZE {
        return false;
    }
    // SAFETY: name and bytes are readable over their lengths.
    unsafe { mcc_private_host_item_store(SESSION.as_ptr(), SESSION.len(), bytes.as_ptr(), bytes.len()) }
}

/// Takes the session out of the host's storage, if one is there. False where that fails: then it may still be there.
pub fn delete_session() -> bool {
    // SAFETY: the name is readable over its length.
    unsafe { mcc_private_host_item_delete(SESSION.as_ptr(), SESSION.len()) }
}

/// The id of the CA of the trusted time server.
pub fn trusted_time_server() -> Option<[u8; 33]> {
    let mut id = [0; 33];
    let mut size = 0;
    // SAFETY: the name ends with NUL, the id is writable over its length.
    let known =
        unsafe { mcc_private_host_protected_item(TRUSTED_TIME_SERVER.as_ptr(), id.as_mut_ptr(), id.len(), &mut size) };
    (known && size == id.len()).then_some(id)
}

/// Gives the application's own Mbed TLS, where it takes one, the host's clock. The private copy has no such function: ours is the
/// application's (`abi/weak-symbols-pal.txt`).
pub fn set_clock_of_the_application_s_mbedtls() {
    mcc_private_host_set_mbedtls_clock();
}

/// Sends the log to the host's trace, where there is one and the application has set no callback.
pub fn take_the_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if mcc_private_host_has_trace() {
            log::set_host(trace);
        }
    });
}

fn trace(level: Level, text: String) {
    let level = match level {
        Level::Off | Level::Error => 2,
        Level::Warning => 4,
        Level::Info => 8,
        Level::Debug => 16,
    };
    let text = CString::new(text).unwrap_or_default();
    // SAFETY: the text ends with NUL.
    unsafe { mcc_private_host_trace(level, text.as_ptr()) };
}
