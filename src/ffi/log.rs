//! The log callback.

use crate::ffi::guard;
use crate::log;
use std::ffi::{CString, c_char, c_void};

/// How much is logged. Each level includes those above it.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum mcc_log_level_t {
    /// Nothing.
    MCC_LOG_OFF = 0,
    /// Faults of the library or of the system.
    MCC_LOG_ERROR = 1,
    /// What stops a connection. `MCC_ERR_INTERCEPTED` comes with the names of the authority that issued the server's certificate and
    /// of the CAs given.
    MCC_LOG_WARNING = 2,
    /// What a connection does: one line for each change of its state.
    MCC_LOG_INFO = 3,
    /// Host names and addresses too, of which other levels have none but the authorities' names of `MCC_LOG_WARNING`. Keys and
    /// payloads are in none.
    MCC_LOG_DEBUG = 4,
}

/// Takes one line of log, without a line end. The text is gone when the callback returns.
///
/// It is called from whichever thread logs, from several at once too, and must not call `mcc_log_set`.
pub type mcc_log_callback_t =
    Option<extern "C" fn(argument: *mut c_void, level: mcc_log_level_t, message: *const c_char)>;

struct Argument(*mut c_void);

// SAFETY: the pointer is only handed back to the callback, which the caller promises to be callable from any thread.
unsafe impl Send for Argument {}
// SAFETY: as above.
unsafe impl Sync for Argument {}

impl Argument {
    fn get(&self) -> *mut c_void {
        self.0
    }
}

/// Sets who gets the log of the whole library, up to `level` (one of `mcc_log_level_t`; what is beyond is taken as the nearest).
///
/// Without it nothing is printed anywhere. A null callback ends the log; when this returns, the earlier callback no longer runs.
/// Any thread, but not from the log callback.
///
/// In a library with the PAL functions, the log goes to `mbed_vtracef` while no callback is set, where the program has that function:
/// all levels, host names and addresses too, as the group "mcc", for Mbed Trace to sort. It is called from any thread, so that its
/// mutex functions have to be set; what it calls must not call `mcc_log_set`. A callback with `MCC_LOG_OFF` keeps the log from there too.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_log_set(callback: mcc_log_callback_t, argument: *mut c_void, level: i32) {
    guard((), || {
        let argument = Argument(argument);
        let sink = callback.map(|callback| -> log::Sink {
            Box::new(move |level, text| {
                let text = CString::new(text).unwrap_or_default();
                callback(argument.get(), level.into(), text.as_ptr());
            })
        });
        log::set(sink, log::Level::from_number(level));
    });
}

impl From<log::Level> for mcc_log_level_t {
    fn from(level: log::Level) -> Self {
        match level {
            log::Level::Off => Self::MCC_LOG_OFF,
            log::Level::Error => Self::MCC_LOG_ERROR,
            log::Level::Warning => Self::MCC_LOG_WARNING,
            log::Level::Info => Self::MCC_LOG_INFO,
            log::Level::Debug => Self::MCC_LOG_DEBUG,
        }
    }
}
