//! The network check: why is this device offline?
//!
//! It probes, prints nothing and gives verdicts as types. Checks run side by side on threads of their own, each with a deadline. No
//! address, name or certificate leaves the machine but as the question to the resolver or host that is checked.

mod dns;
pub mod endpoint;
#[cfg(test)]
mod fake;
pub mod finding;
mod handshake;
mod hello;
mod name;
mod nat;
pub mod port;
mod range;
pub mod report;
mod resolvers;
mod run;
mod side_by_side;
mod ttl;
pub mod verdict;

#[cfg(feature = "serde")]
mod serialize;

use crate::error::Status;
use crate::tls::{self, TransportKind, Version};
#[cfg(fuzzing)]
pub use dns::read_any;
pub use run::{DEFAULT_TIMEOUT, Options, Progress, run};
#[cfg(feature = "serde")]
use serialize::{milliseconds, printable};

/// What this device proves itself by, and whom it trusts. All are PEM or DER.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The CA certificates.
    pub ca: Option<Vec<u8>>,
    /// The device's own chain.
    pub certificate: Option<Vec<u8>>,
    /// Its key.
    pub key: Option<Vec<u8>>,
}

impl Credentials {
    /// Reads them once: each mistake has its own status. None at all are right.
    ///
    /// # Errors
    /// [`Status::CaInvalid`], [`Status::CertificateInvalid`] (or a key without it), [`Status::KeyInvalid`] (or a certificate without it),
    /// [`Status::KeyMismatch`], [`Status::OutOfMemory`].
    pub fn check(&self) -> Result<(), Status> {
        let Self { ca, certificate, key } = self;
        if ca.is_none() && certificate.is_none() && key.is_none() {
            return Ok(());
        }
        let options = tls::Options {
            transport: TransportKind::Stream,
            server_name: "localhost",
            check_server_name: false,
            versions: (Version::Tls12, Version::Tls13),
            // Without a CA there is nothing to judge the server by, but the device's own files have to be right all the same.
            ca: Some(ca.as_deref().or(certificate.as_deref()).ok_or(Status::CertificateInvalid)?),
            crl: None,
            certificate: certificate.as_deref(),
            key: key.as_deref(),
            key_password: None,
            psk_identity: None,
            psk: None,
        };
        match tls::Config::new(&options) {
            Ok(_) => Ok(()),
            Err(failure) if failure.status == Status::CaInvalid && ca.is_none() => Err(Status::CertificateInvalid),
            Err(failure) => Err(failure.status),
        }
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Credentials").finish_non_exhaustive()
    }
}
