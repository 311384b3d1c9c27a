//! Errors of Mbed TLS: a number, its kind, a sentence.

use std::ffi::{CStr, c_char, c_int};
use std::fmt;

use crate::raw;

/// An error of Mbed TLS, by its number. Its `Display` is the library's sentence and the number in hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Error {
    code: c_int,
}

/// What an error means for whoever has to act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Memory ran out; the same call can succeed later.
    AllocationFailed,
    /// The system gave no entropy.
    NoEntropy,
    /// An argument or the order of calls is wrong.
    BadInput,
    /// The peer closed the connection without close_notify.
    ConnectionEof,
    /// The connection was reset.
    ConnectionReset,
    /// The transport failed to send or receive; the session keeps its cause.
    Transport,
    /// The peer ended the session with close_notify.
    CloseNotify,
    /// The peer sent a fatal alert.
    FatalAlert,
    /// The peer's certificates did not verify; the session has the verdict.
    VerifyFailed,
    /// The peer's certificate message cannot be used, or a certificate cannot be parsed.
    BadCertificate,
    /// No trusted certificates are configured, but the peer's are to be verified.
    NoTrustedCertificates,
    /// A private key cannot be parsed.
    BadKey,
    /// The private key is encrypted and no password, or a wrong one, was given.
    KeyPassword,
    /// A private key and a certificate, or a key and its use, do not belong together.
    KeyMismatch,
    /// No common protocol version.
    ProtocolVersion,
    /// No common parameters, or the peer broke off the handshake.
    HandshakeFailure,
    /// A retransmission timer ran out for the last time (DTLS).
    Timeout,
    /// A record failed authentication.
    InvalidMac,
    /// A record or message is malformed or not allowed where it came.
    BadMessage,
    /// A DTLS server asks for a cookie.
    HelloVerifyRequired,
    /// A DTLS client connected again from the same address.
    ClientReconnect,
    /// A new session ticket arrived (TLS 1.3).
    NewSessionTicket,
    /// Something is longer than the library's buffers, such as a chain of certificates.
    TooLarge,
    /// Saved data is of another version or configuration of the library.
    VersionMismatch,
    /// The record number is used up; a new session is needed.
    CounterWrapping,
    /// The library was built without this, or the state does not allow it.
    FeatureUnavailable,
    /// Anything else.
    Other,
}

impl Error {
    pub(crate) const BAD_INPUT: Self = Self::new(raw::MBEDTLS_ERR_SSL_BAD_INPUT_DATA);
    pub(crate) const INTERNAL: Self = Self::new(raw::MBEDTLS_ERR_SSL_INTERNAL_ERROR);

    /// The error with this number of Mbed TLS (negative).
    pub const fn new(code: c_int) -> Self {
        Self { code }
    }

    /// The number of Mbed TLS (negative).
    pub const fn code(self) -> c_int {
        self.code
    }

    /// `Ok` for zero and above. To be called behind each call of the library that can fail, on the same thread.
    pub(crate) fn check(code: c_int) -> Result<(), Self> {
        let code = Self::unless_refused(code);
        if code < 0 { Err(Self { code }) } else { Ok(()) }
    }

    /// The number of a call that has just failed, or if it was refused memory, which many functions report as something else, that.
    pub(crate) fn unless_refused(code: c_int) -> c_int {
        // SAFETY: reads and clears a variable of this thread.
        let refused = unsafe { raw::mbed_cloud_connectivity_take_refusal() } != 0;
        if refused && code != 0 { raw::MBEDTLS_ERR_SSL_ALLOC_FAILED } else { code }
    }

    /// What was refused before is not the next call's.
    pub(crate) fn forget_refusals() {
        // SAFETY: as above.
        unsafe { raw::mbed_cloud_connectivity_take_refusal() };
    }

    /// PSA's numbers overlap with the library's own, so they are translated.
    pub(crate) const fn from_psa(status: i32) -> Self {
        Self::new(match status {
            -141 => raw::MBEDTLS_ERR_SSL_ALLOC_FAILED, // PSA_ERROR_INSUFFICIENT_MEMORY
            -148 => raw::MBEDTLS_ERR_ENTROPY_SOURCE_FAILED, // PSA_ERROR_INSUFFICIENT_ENTROPY
            _ => raw::MBEDTLS_ERR_ERROR_GENERIC_ERROR,
        })
    }

    /// What kind of error this is.
    pub const fn kind(self) -> ErrorKind {
        // A high-level and a low-level number are added up; the high-level part decides first.
        let high = -((-self.code) & 0x7F80);
        match self.code {
            raw::MBEDTLS_ERR_NET_CONN_RESET => return ErrorKind::ConnectionReset,
            raw::MBEDTLS_ERR_NET_SEND_FAILED | raw::MBEDTLS_ERR_NET_RECV_FAILED => return ErrorKind::Transport,
            raw::MBEDTLS_ERR_ENTROPY_SOURCE_FAILED => return ErrorKind::NoEntropy,
            _ => {}
        }
        if -((-self.code) & 0x7F) == raw::MBEDTLS_ERR_ASN1_ALLOC_FAILED
            || -((-self.code) & 0x7F) == raw::MBEDTLS_ERR_MPI_ALLOC_FAILED
        {
            return ErrorKind::AllocationFailed;
        }
        match high {
            raw::MBEDTLS_ERR_SSL_ALLOC_FAILED
            | raw::MBEDTLS_ERR_X509_ALLOC_FAILED
            | raw::MBEDTLS_ERR_PK_ALLOC_FAILED
            | raw::MBEDTLS_ERR_PEM_ALLOC_FAILED
            | raw::MBEDTLS_ERR_ECP_ALLOC_FAILED
            | raw::MBEDTLS_ERR_MD_ALLOC_FAILED
            | raw::MBEDTLS_ERR_CIPHER_ALLOC_FAILED => ErrorKind::AllocationFailed,
            raw::MBEDTLS_ERR_SSL_BAD_INPUT_DATA
            | raw::MBEDTLS_ERR_SSL_BAD_CONFIG
            | raw::MBEDTLS_ERR_X509_BAD_INPUT_DATA
            | raw::MBEDTLS_ERR_PK_BAD_INPUT_DATA => ErrorKind::BadInput,
            raw::MBEDTLS_ERR_SSL_CONN_EOF => ErrorKind::ConnectionEof,
            raw::MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY => ErrorKind::CloseNotify,
            raw::MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE => ErrorKind::FatalAlert,
            raw::MBEDTLS_ERR_X509_CERT_VERIFY_FAILED
            | raw::MBEDTLS_ERR_X509_FATAL_ERROR
            | raw::MBEDTLS_ERR_SSL_CERTIFICATE_VERIFICATION_WITHOUT_HOSTNAME => ErrorKind::VerifyFailed,
            raw::MBEDTLS_ERR_SSL_CA_CHAIN_REQUIRED => ErrorKind::NoTrustedCertificates,
            raw::MBEDTLS_ERR_SSL_BAD_CERTIFICATE => ErrorKind::BadCertificate,
            raw::MBEDTLS_ERR_PK_PASSWORD_REQUIRED
            | raw::MBEDTLS_ERR_PK_PASSWORD_MISMATCH
            | raw::MBEDTLS_ERR_PEM_PASSWORD_REQUIRED
            | raw::MBEDTLS_ERR_PEM_PASSWORD_MISMATCH => ErrorKind::KeyPassword,
            raw::MBEDTLS_ERR_SSL_PK_TYPE_MISMATCH
            | raw::MBEDTLS_ERR_PK_TYPE_MISMATCH
            | raw::MBEDTLS_ERR_SSL_PRIVATE_KEY_REQUIRED
            | raw::MBEDTLS_ERR_ECP_BAD_INPUT_DATA
            | raw::MBEDTLS_ERR_RSA_KEY_CHECK_FAILED => ErrorKind::KeyMismatch,
            raw::MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION => ErrorKind::ProtocolVersion,
            raw::MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE
            | raw::MBEDTLS_ERR_SSL_NO_APPLICATION_PROTOCOL
            | raw::MBEDTLS_ERR_SSL_UNRECOGNIZED_NAME
            | raw::MBEDTLS_ERR_SSL_UNKNOWN_IDENTITY
            | raw::MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE => ErrorKind::HandshakeFailure,
            raw::MBEDTLS_ERR_SSL_TIMEOUT => ErrorKind::Timeout,
            raw::MBEDTLS_ERR_SSL_INVALID_MAC => ErrorKind::InvalidMac,
            raw::MBEDTLS_ERR_SSL_INVALID_RECORD
            | raw::MBEDTLS_ERR_SSL_DECODE_ERROR
            | raw::MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE
            | raw::MBEDTLS_ERR_SSL_UNEXPECTED_RECORD
            | raw::MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER
            | raw::MBEDTLS_ERR_SSL_UNSUPPORTED_EXTENSION => ErrorKind::BadMessage,
            raw::MBEDTLS_ERR_SSL_HELLO_VERIFY_REQUIRED => ErrorKind::HelloVerifyRequired,
            raw::MBEDTLS_ERR_SSL_CLIENT_RECONNECT => ErrorKind::ClientReconnect,
            raw::MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET => ErrorKind::NewSessionTicket,
            raw::MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL => ErrorKind::TooLarge,
            raw::MBEDTLS_ERR_SSL_VERSION_MISMATCH => ErrorKind::VersionMismatch,
            raw::MBEDTLS_ERR_SSL_COUNTER_WRAPPING => ErrorKind::CounterWrapping,
            raw::MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE | raw::MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE => {
                ErrorKind::FeatureUnavailable
            }
            // The blocks of numbers of the certificate, PEM and key parsers.
            -0x3D80..=-0x3880 => ErrorKind::BadKey,
            -0x2980..=-0x2080 | -0x1480..=-0x1080 => ErrorKind::BadCertificate,
            _ => ErrorKind::Other,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer: [c_char; 256] = [0; 256];
        // SAFETY: the pointer and the length describe `buffer`, which the function fills and terminates.
        unsafe { raw::mbedtls_strerror(self.code, buffer.as_mut_ptr(), buffer.len()) };
        buffer[255] = 0;
        // SAFETY: the buffer is terminated at the latest by its last element, and outlives the reference.
        let text = unsafe { CStr::from_ptr(buffer.as_ptr()) };
        write!(formatter, "{} (-0x{:04X})", text.to_string_lossy(), -i64::from(self.code))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Error({self})")
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_a_sentence_and_its_number() {
        let text = Error::new(raw::MBEDTLS_ERR_SSL_CONN_EOF).to_string();
        assert!(text.contains("EOF") && text.ends_with("(-0x7280)"), "{text}");
    }

    #[test]
    fn a_sum_of_two_numbers_has_the_kind_of_the_high_one() {
        let sum = raw::MBEDTLS_ERR_X509_INVALID_FORMAT + raw::MBEDTLS_ERR_ASN1_OUT_OF_DATA;
        assert_eq!(Error::new(sum).kind(), ErrorKind::BadCertificate);
        let memory = raw::MBEDTLS_ERR_X509_INVALID_NAME + raw::MBEDTLS_ERR_ASN1_ALLOC_FAILED;
        assert_eq!(Error::new(memory).kind(), ErrorKind::AllocationFailed);
        assert_eq!(Error::new(raw::MBEDTLS_ERR_NET_CONN_RESET).kind(), ErrorKind::ConnectionReset);
        assert_eq!(Error::new(0).kind(), ErrorKind::Other);
    }
}
