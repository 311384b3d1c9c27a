//! The client's own TLS and DTLS (PAL): configurations that are filled call by call, sessions that prove themselves by them.
//!
//! Bytes, clock and storage are handed in; nothing here knows of sockets or of C.

mod configuration;
mod session;

use crate::memory;
use mbed_cloud_connectivity_mbedtls::{Error, ErrorKind, VerifyFlags};

pub use configuration::Configuration;
pub use mbed_cloud_connectivity_mbedtls::config::TransportKind;
pub use session::{Channel, Environment, Progress, Session};

/// Whether a configuration or session may be made, or a session begin.
pub fn spare() -> Result<(), Refusal> {
    memory::spare().map_err(|_| Refusal::Memory)
}

/// Why a call did not do what it was called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Call again when the channel calls back: it waits for the peer.
    WantRead,
    /// Call again when the channel calls back: it waits for room.
    WantWrite,
    /// The peer has ended the stream without a word of TLS.
    EndOfFile,
    /// The peer has ended the session in order.
    CloseNotify,
    /// The call or its arguments do not fit the session.
    BadInput,
    /// An argument that cannot be.
    Argument,
    /// A certificate or a list of revoked ones cannot be read.
    Certificate,
    /// A key cannot be read.
    Key,
    /// The own certificate and key do not belong together, or one of them is missing.
    Identity,
    /// The peer's certificates were not accepted.
    Verify,
    /// The peer sent a fatal alert, or cut the connection in the handshake.
    FatalAlert,
    /// The peer speaks no version that is offered.
    Version,
    /// The last retransmission went unanswered.
    Timeout,
    /// A DTLS server wants its cookie back.
    HelloVerify,
    /// A DTLS client has begun anew.
    Reconnect,
    /// Memory has run out, or a certificate is larger than the buffers.
    Memory,
    /// Anything else.
    Other,
}

impl Refusal {
    fn of(error: Error, in_handshake: bool) -> Self {
        match error.kind() {
            ErrorKind::AllocationFailed | ErrorKind::TooLarge => Self::Memory,
            ErrorKind::BadInput => Self::BadInput,
            ErrorKind::CloseNotify => Self::CloseNotify,
            ErrorKind::FatalAlert => Self::FatalAlert,
            ErrorKind::ConnectionReset if in_handshake => Self::FatalAlert,
            ErrorKind::VerifyFailed | ErrorKind::NoTrustedCertificates => Self::Verify,
            ErrorKind::ProtocolVersion => Self::Version,
            ErrorKind::Timeout => Self::Timeout,
            ErrorKind::HelloVerifyRequired => Self::HelloVerify,
            ErrorKind::ClientReconnect => Self::Reconnect,
            _ => Self::Other,
        }
    }
}

/// Mixes random bytes of the application into the generator, now and whenever it is seeded again. They are never relied upon.
pub use mbed_cloud_connectivity_mbedtls::entropy::add as add_entropy;

/// Makes the generator ready. Any thread, any number of times.
pub fn initialise() -> Result<(), Refusal> {
    mbed_cloud_connectivity_mbedtls::random(&mut [0; 1]).map_err(|error| Refusal::of(error, false))
}

/// The reasons to refuse a chain that the client has names for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reasons {
    /// A certificate has expired.
    pub expired: bool,
    /// A certificate is not valid yet.
    pub future: bool,
    /// A hash that is not accepted.
    pub hash: bool,
    /// An algorithm that is not accepted.
    pub algorithm: bool,
    /// A key that is not accepted.
    pub key: bool,
    /// The chain is not trusted, or refused for a reason without a name.
    pub not_trusted: bool,
}

impl From<VerifyFlags> for Reasons {
    fn from(flags: VerifyFlags) -> Self {
        let named = VerifyFlags::BADCERT_EXPIRED
            | VerifyFlags::BADCERT_FUTURE
            | VerifyFlags::BADCERT_BAD_MD
            | VerifyFlags::BADCERT_BAD_PK
            | VerifyFlags::BADCERT_BAD_KEY;
        Self {
            expired: flags.contains(VerifyFlags::BADCERT_EXPIRED),
            future: flags.contains(VerifyFlags::BADCERT_FUTURE),
            hash: flags.contains(VerifyFlags::BADCERT_BAD_MD),
            algorithm: flags.contains(VerifyFlags::BADCERT_BAD_PK),
            key: flags.contains(VerifyFlags::BADCERT_BAD_KEY),
            not_trusted: !flags.without(named).is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_without_a_name_is_not_trusted() {
        assert_eq!(Reasons::from(VerifyFlags::NONE), Reasons::default());
        let revoked = Reasons::from(VerifyFlags::BADCERT_REVOKED | VerifyFlags::BADCERT_EXPIRED);
        assert_eq!(revoked, Reasons { expired: true, not_trusted: true, ..Reasons::default() });
        assert!(Reasons::from(VerifyFlags::BADCERT_NOT_TRUSTED).not_trusted);
        let rest = VerifyFlags::BADCERT_FUTURE | VerifyFlags::BADCERT_BAD_MD | VerifyFlags::BADCERT_BAD_PK;
        let all = Reasons::from(rest | VerifyFlags::BADCERT_BAD_KEY);
        assert_eq!(all, Reasons { future: true, hash: true, algorithm: true, key: true, ..Reasons::default() });
    }
}
