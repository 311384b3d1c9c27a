//! The TLS and DTLS functions of the client's platform abstraction layer.
//!
//! What they do is in `docs/pal-tls.md`.

mod channel;
pub(super) mod configuration;
pub(super) mod connection_id;
pub(super) mod entropy;
mod environment;
pub(super) mod session;
pub mod types;

use super::status::palError_t::{self, *};
use super::status::palStatus_t;
use super::status_of;
use crate::ffi::host;
use crate::tls::pal::{self as tls, Refusal};

pub(in crate::ffi) use configuration::set_server_name;

impl From<Refusal> for palError_t {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::WantRead => PAL_ERR_TLS_WANT_READ,
            Refusal::WantWrite => PAL_ERR_TLS_WANT_WRITE,
            Refusal::EndOfFile => PAL_ERR_END_OF_FILE,
            Refusal::CloseNotify => PAL_ERR_TLS_PEER_CLOSE_NOTIFY,
            Refusal::BadInput => PAL_ERR_TLS_BAD_INPUT_DATA,
            Refusal::Argument => PAL_ERR_INVALID_ARGUMENT,
            Refusal::Certificate => PAL_ERR_TLS_FAILED_TO_PARSE_CERT,
            Refusal::Key => PAL_ERR_TLS_FAILED_TO_PARSE_KEY,
            Refusal::Identity => PAL_ERR_TLS_FAILED_TO_SET_CERT,
            Refusal::Verify => PAL_ERR_X509_CERT_VERIFY_FAILED,
            Refusal::FatalAlert => PAL_ERR_SSL_FATAL_ALERT_MESSAGE,
            Refusal::Version => PAL_ERR_TLS_SSL_VERSION_MISMATCH,
            Refusal::Timeout => PAL_ERR_TLS_TIMEOUT,
            Refusal::HelloVerify => PAL_ERR_TLS_HELLO_VERIFY_REQUIRED,
            Refusal::Reconnect => PAL_ERR_TLS_CLIENT_RECONNECT,
            Refusal::Memory => PAL_ERR_NO_MEMORY,
            Refusal::Other => PAL_ERR_GENERIC_FAILURE,
        }
    }
}

/// Makes TLS ready; configurations and sessions do so themselves where it was not called. Where the application has a Mbed TLS of its
/// own with a clock that can be replaced (`mbedtls_platform_set_time`), that one gets `pal_osGetTime` for a clock, as it always did.
///
/// Any thread, any number of times. Errors: `PAL_ERR_NO_MEMORY`, `PAL_ERR_GENERIC_FAILURE` (the system gives no random bytes).
#[unsafe(no_mangle)]
pub extern "C" fn pal_initTLSLibrary() -> palStatus_t {
    status_of(|| {
        host::set_clock_of_the_application_s_mbedtls();
        tls::initialise()?;
        entropy::add_host();
        Ok(())
    })
}

/// Ends nothing: configurations and sessions that are not freed go on, and so does what is kept to be resumed.
///
/// Any thread, any number of times. Always `PAL_SUCCESS`.
#[unsafe(no_mangle)]
pub extern "C" fn pal_cleanupTLS() -> palStatus_t {
    status_of(|| Ok(()))
}

/// Not supported, as it never was: use `mcc_log_set`, and `pal_sslSetDebugging` for one configuration.
///
/// Any thread. Always `PAL_ERR_NOT_SUPPORTED`.
#[unsafe(no_mangle)]
pub extern "C" fn pal_sslDebugging(turnOn: u8) -> palStatus_t {
    let _ = turnOn;
    status_of(|| Err(PAL_ERR_NOT_SUPPORTED))
}
