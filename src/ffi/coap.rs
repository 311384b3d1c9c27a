//! CoAP PING alone: for programs that send and receive by themselves.

use crate::coap::ping;
use crate::ffi::guard;
use crate::ffi::pointer::{bytes, write};

/// Writes a CoAP ping, an Empty Confirmable message (RFC 7252 section 4.3), of 4 bytes.
///
/// Returns the number of bytes written: 4, or 0 if `out` is null. Any thread.
///
/// cbindgen:ptrs-as-arrays=[[out;4]]
#[unsafe(no_mangle)]
pub extern "C" fn mcc_coap_ping_encode(message_id: u16, out: *mut u8) -> usize {
    guard(0, || {
        let ping = ping::encode(message_id);
        // SAFETY: the caller gives room for 4 bytes, as the prototype `uint8_t out[4]` says.
        unsafe { write(out.cast::<[u8; ping::SIZE]>(), ping) }.map_or(0, |()| ping.len())
    })
}

/// Whether `message` answers the ping with this message ID: a Reset, or an Acknowledgement without content, of exactly 4 bytes.
///
/// `message` is one whole RFC 7252 message without any framing. False for null and for anything else. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_coap_ping_matches(message: *const u8, size: usize, message_id: u16) -> bool {
    guard(false, || {
        // SAFETY: the caller gives `size` readable bytes at `message`.
        unsafe { bytes(message, size) }.is_ok_and(|message| ping::matches(message, message_id))
    })
}
