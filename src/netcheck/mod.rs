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

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Credentials").finish_non_exhaustive()
    }
}
