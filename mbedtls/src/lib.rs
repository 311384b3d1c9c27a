//! Mbed TLS 3.6 with this project's configuration: raw bindings and a thin safe layer over them.
//!
//! A TLS or DTLS client, certificates, keys and random numbers, and nothing else. The layer decides no
//! policy: what is offered, trusted and judged comes from its caller. All `unsafe` code about Mbed TLS
//! is in this crate.
//!
//! - [`config::ClientConfig`]: what many sessions share. [`session::Session`]: one of them.
//! - [`x509`] and [`pk`]: certificates, revocation lists, private keys.
//! - [`verify`]: verdicts about a peer's certificates. [`error`]: errors, in numbers and words.
//! - [`entropy`] adds to what random numbers come from.
//! - [`random`] fills a buffer; [`version`] says what was linked.
//!
//! Threads: every type is [`Send`]; configurations, certificates and keys are [`Sync`] as well and are
//! shared through [`std::sync::Arc`]. Functions block only in what the caller's transport does.

pub mod config;
pub mod entropy;
pub mod error;
mod layout;
pub mod pk;
pub(crate) mod raw;
pub mod session;
mod time;
pub mod verify;
pub mod x509;

use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, Ordering};

pub use config::ClientConfig;
pub use error::{Error, ErrorKind};
pub use session::{ServerName, Session, Transport};
pub use verify::VerifyFlags;

/// The process in which the random generator was seeded; 0: none yet.
static SEEDED_IN: AtomicU32 = AtomicU32::new(0);

/// Starts PSA, which owns the random generator and the keys of TLS 1.3. Every entry of this crate calls
/// it. A failure is reported and not remembered, because lack of memory or entropy passes.
pub(crate) fn initialise() -> Result<(), Error> {
    let process = std::process::id();
    match SEEDED_IN.load(Ordering::Acquire) {
        0 => start()?,
        seeded_in if seeded_in == process => return Ok(()),
        // A child of fork(2) has its parent's generator, which would give both the same numbers.
        // SAFETY: no arguments; PSA runs, and the function locks the generator.
        _ => Error::check(unsafe { raw::mbed_cloud_connectivity_reseed() })?,
    }
    SEEDED_IN.store(process, Ordering::Release);
    Ok(())
}

fn start() -> Result<(), Error> {
    layout::check()?;
    // SAFETY: no arguments; PSA does not run yet, or refuses.
    unsafe { raw::mbed_cloud_connectivity_watch_entropy() };
    // SAFETY: no arguments; the function may be called again and, with MBEDTLS_THREADING_C, from any thread.
    let status = unsafe { raw::psa_crypto_init() };
    if status != 0 {
        return Err(Error::from_psa(status));
    }
    Ok(())
}

/// Fills `bytes` with random bytes fit for keys. Any thread.
///
/// # Errors
/// When the system gives no entropy or no memory; `bytes` is then not to be used.
pub fn random(bytes: &mut [u8]) -> Result<(), Error> {
    initialise()?;
    if bytes.is_empty() {
        return Ok(());
    }
    // SAFETY: the pointer and the length describe `bytes`; the state argument is unused and may be null.
    let code = unsafe { raw::mbedtls_psa_get_random(std::ptr::null_mut(), bytes.as_mut_ptr(), bytes.len()) };
    Error::check(code)
}

/// The version of Mbed TLS that was linked, such as `3.6.5`.
pub fn version() -> &'static str {
    std::str::from_utf8(&raw::MBEDTLS_VERSION_STRING[..raw::MBEDTLS_VERSION_STRING.len() - 1]).unwrap_or("3.6")
}

/// The number of the extension that DTLS Connection IDs are negotiated with: 254 (the draft's) or 54
/// (RFC 9146). A choice of the build.
pub const fn connection_id_extension() -> u16 {
    raw::MBEDTLS_TLS_EXT_CID as u16
}

/// The random function and its state in the form that the C library takes.
pub(crate) const RANDOM: raw::mbedtls_f_rng_t = Some(raw::mbedtls_psa_get_random);

/// A text of the C library.
///
/// # Safety
/// `text` is null or a terminated string that is neither freed nor changed for as long as the result is used.
pub(crate) unsafe fn c_text<'a>(text: *const std::ffi::c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, and terminated and alive by this function's own contract.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}
