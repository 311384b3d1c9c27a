//! The switch for a function of the PAL that the client does not expect to work.

use crate::ffi::guard;
use std::sync::atomic::{AtomicBool, Ordering};

static ENABLED: AtomicBool = AtomicBool::new(false);

/// Lets `pal_setConnectionStatusCallback` work: false (the default) has it answer `PAL_ERR_NOT_SUPPORTED`.
///
/// Mbed Cloud Client hands its own object to that function and never takes it back: switch it on in an application that does not use
/// the client, or that calls `pal_unregisterNetworkInterface` or `pal_plat_socketsTerminate` before the object goes. Callbacks that are
/// set already stay. Any thread. Only in a library that is built with the PAL functions.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_pal_enable_connection_status(enable: bool) {
    guard((), || ENABLED.store(enable, Ordering::SeqCst));
}

/// Whether it is switched on.
pub(super) fn is_enabled() -> bool {
    ENABLED.load(Ordering::SeqCst)
}
