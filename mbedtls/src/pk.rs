//! Private keys.

use std::fmt;
use std::ptr::{NonNull, null, null_mut};
use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::x509::{CertificateChain, Input, allocate, release};
use crate::{RANDOM, initialise, raw};

/// A private key: EC or RSA. It is wiped from memory when the last user drops it.
pub struct PrivateKey {
    context: NonNull<raw::mbedtls_pk_context>,
}

// SAFETY: the key is owned by this value alone, and the library keeps nothing of a thread in it.
unsafe impl Send for PrivateKey {}
// SAFETY: signing reads EC keys only, and writes RSA's blinding values under the mutex in the key
// (MBEDTLS_THREADING_C).
unsafe impl Sync for PrivateKey {}

impl PrivateKey {
    /// Reads a key: SEC 1, PKCS#1 or PKCS#8, in DER (bytes after it are ignored) or PEM. The password opens
    /// an encrypted PKCS#8 key and is otherwise not looked at. The bytes are copied, and wiped after use.
    ///
    /// # Errors
    /// When it cannot be read, is of a kind that is not built in, or the password does not open it.
    pub fn parse(bytes: &[u8], password: Option<&[u8]>) -> Result<Arc<Self>, Error> {
        initialise()?;
        let input =
            Input::read(bytes, "PRIVATE KEY").map_err(|_| Error::new(raw::MBEDTLS_ERR_PK_KEY_INVALID_FORMAT))?;
        let key = Self { context: allocate(raw::mbedtls_pk_init) };
        let (password, size) = password.map_or((null(), 0), |password| (password.as_ptr(), password.len()));
        Error::forget_refusals();
        // SAFETY: the context is initialised; each pointer goes with its length, the input terminated where it is
        // PEM; the random function takes a null state.
        let code = unsafe {
            raw::mbedtls_pk_parse_key(
                key.context.as_ptr(),
                input.as_ptr(),
                input.len(),
                password,
                size,
                RANDOM,
                null_mut(),
            )
        };
        Error::check(code)?;
        Ok(Arc::new(key))
    }

    /// Whether this is the key of the chain's first certificate.
    ///
    /// # Errors
    /// Out of memory.
    pub fn matches(&self, chain: &CertificateChain) -> Result<bool, Error> {
        Error::forget_refusals();
        // SAFETY: both were parsed and live during the call, which only reads them but for RSA's guarded values.
        let code = unsafe {
            raw::mbedtls_pk_check_pair(&raw const (*chain.as_ptr()).pk, self.context.as_ptr(), RANDOM, null_mut())
        };
        let code = Error::unless_refused(code);
        if Error::new(code).kind() == ErrorKind::AllocationFailed { Err(Error::new(code)) } else { Ok(code == 0) }
    }

    pub(crate) fn as_ptr(&self) -> *mut raw::mbedtls_pk_context {
        self.context.as_ptr()
    }
}

impl Drop for PrivateKey {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `allocate` and is not used after this; the library wipes the numbers.
        unsafe { release(self.context, raw::mbedtls_pk_free) };
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PrivateKey(..)")
    }
}
