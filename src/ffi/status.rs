//! Statuses and classes as C sees them.

use crate::error::{Class, Status};
use crate::ffi::guard;
use std::ffi::{CStr, c_char};

macro_rules! c_statuses {
    ($($(#[$note:meta])* $name:ident = $code:literal, $variant:ident;)*) => {
        impl From<Status> for mcc_status_t {
            fn from(status: Status) -> Self {
                match status { $(Status::$variant => mcc_status_t::$name,)* }
            }
        }

        fn status_of(code: i32) -> Option<Status> {
            match code { $($code => Some(Status::$variant),)* _ => None }
        }

        #[cfg(test)]
        const PAIRS: &[(mcc_status_t, Status, &str)] = &[$((mcc_status_t::$name, Status::$variant, stringify!($name)),)*];
    };
}

/// The result of a call, or the reason of an event. A number never changes its meaning; new ones can be added.
///
/// `mcc_status_text` gives a sentence with the next step for each.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum mcc_status_t {
    /// Success.
    MCC_OK = 0,
    /// A pointer that must not be null is null.
    MCC_ERR_NULL_POINTER = 101,
    /// A value is out of its range.
    MCC_ERR_INVALID_ARGUMENT = 102,
    /// The handle is not one of this library's, is of another kind, or was closed.
    MCC_ERR_INVALID_HANDLE = 103,
    /// The message has no bytes.
    MCC_ERR_EMPTY_MESSAGE = 104,
    /// The message is longer than this connection can carry.
    MCC_ERR_MESSAGE_TOO_LARGE = 105,
    /// The bytes are not one well-formed CoAP message that this connection can carry.
    MCC_ERR_INVALID_MESSAGE = 106,
    /// The URI is not of the form `scheme://host:port`.
    MCC_ERR_URI_SYNTAX = 107,
    /// The URI's scheme is none of coap, coaps, coap+tcp and coaps+tcp.
    MCC_ERR_URI_SCHEME = 108,
    /// The URI has no host, or one that cannot be a name or an address.
    MCC_ERR_URI_HOST = 109,
    /// The URI's port is not a number from 1 to 65535.
    MCC_ERR_URI_PORT = 110,
    /// The CA certificates do not parse.
    MCC_ERR_CA_INVALID = 111,
    /// The certificate revocation list does not parse.
    MCC_ERR_CRL_INVALID = 112,
    /// The device's own certificate does not parse, or a key was given without it.
    MCC_ERR_CERTIFICATE_INVALID = 113,
    /// The private key does not parse, or a certificate was given without it.
    MCC_ERR_KEY_INVALID = 114,
    /// The private key does not belong to the device's own certificate.
    MCC_ERR_KEY_MISMATCH = 115,
    /// The pre-shared key or its identity is empty or too long.
    MCC_ERR_PSK_INVALID = 116,
    /// Nothing was given to know the server by.
    MCC_ERR_TRUST_MISSING = 117,
    /// This combination of scheme, transport and framing is not supported.
    MCC_ERR_UNSUPPORTED = 118,
    /// The state for the keepalive is damaged or of another kind.
    MCC_ERR_KEEPALIVE_STATE_INVALID = 119,
    /// The object does not take this call as it is.
    MCC_ERR_WRONG_STATE = 201,
    /// The context is being processed already, by another thread or by the caller of this callback.
    MCC_ERR_BUSY = 202,
    /// The connection was closed by this program.
    MCC_ERR_CLOSED = 203,
    /// The queue of messages to send is full.
    MCC_ERR_QUEUE_FULL = 204,
    /// There is no connection at the moment.
    MCC_ERR_NOT_CONNECTED = 205,
    /// The host's name does not exist in the DNS.
    MCC_ERR_NAME_NOT_FOUND = 301,
    /// The DNS server could not be asked or gave an error.
    MCC_ERR_NAME_LOOKUP_FAILED = 302,
    /// The DNS server did not answer in time.
    MCC_ERR_NAME_LOOKUP_TIMEOUT = 303,
    /// The host refused the port.
    MCC_ERR_CONNECTION_REFUSED = 401,
    /// No answer to the attempt to connect.
    MCC_ERR_CONNECT_TIMEOUT = 402,
    /// The network reports that the host cannot be reached.
    MCC_ERR_HOST_UNREACHABLE = 403,
    /// This device has no network or no route.
    MCC_ERR_NETWORK_DOWN = 404,
    /// The peer or something on the way reset the connection.
    MCC_ERR_CONNECTION_RESET = 405,
    /// The peer closed the connection.
    MCC_ERR_CLOSED_BY_PEER = 406,
    /// Nothing comes back from the peer, neither the answer to a ping nor TCP's acknowledgement.
    MCC_ERR_PATH_SILENT = 407,
    /// The operating system reported an error of the socket.
    MCC_ERR_TRANSPORT_FAILED = 408,
    /// The handshake of TLS or DTLS did not end in time.
    MCC_ERR_HANDSHAKE_TIMEOUT = 501,
    /// The TLS handshake failed.
    MCC_ERR_HANDSHAKE_FAILED = 502,
    /// The peer ended TLS with a fatal alert.
    MCC_ERR_TLS_ALERT = 503,
    /// What answers at this port does not speak TLS.
    MCC_ERR_NOT_TLS = 504,
    /// The server's certificate is for another name.
    MCC_ERR_CERTIFICATE_NAME = 505,
    /// The server's certificate has expired by this device's clock.
    MCC_ERR_CERTIFICATE_EXPIRED = 506,
    /// The server's certificate is not valid yet by this device's clock.
    MCC_ERR_CERTIFICATE_FUTURE = 507,
    /// The server's certificate has been revoked by the list given.
    MCC_ERR_CERTIFICATE_REVOKED = 508,
    /// The server's certificate names a CA given as its issuer, or no CA was given, and nothing proves it.
    MCC_ERR_CERTIFICATE_UNTRUSTED = 509,
    /// The server's certificate was not accepted.
    MCC_ERR_CERTIFICATE_REJECTED = 510,
    /// The server speaks no TLS version that is enabled here.
    MCC_ERR_TLS_VERSION = 511,
    /// A TLS record was damaged or forged.
    MCC_ERR_TLS_RECORD = 512,
    /// The peer sent a TLS message that is not supported here, such as a KeyUpdate of TLS 1.3.
    MCC_ERR_TLS_UNSUPPORTED = 513,
    /// Another authority than a CA given issued the server's certificate.
    MCC_ERR_INTERCEPTED = 514,
    /// What the peer sent cannot be CoAP in this framing.
    MCC_ERR_PROTOCOL = 601,
    /// The server did not begin with a Capabilities and Settings Message (RFC 8323 section 5.3).
    MCC_ERR_CAPABILITIES_TIMEOUT = 602,
    /// The peer asked to end the connection (RFC 8323 Release).
    MCC_ERR_RELEASED_BY_PEER = 603,
    /// The peer aborted the connection (RFC 8323 Abort).
    MCC_ERR_ABORTED_BY_PEER = 604,
    /// Memory has run out.
    MCC_ERR_OUT_OF_MEMORY = 701,
    /// The process or the system has no file descriptor left.
    MCC_ERR_OUT_OF_DESCRIPTORS = 702,
    /// The operating system gave no new thread.
    MCC_ERR_THREAD = 703,
    /// A system call that should always work failed.
    MCC_ERR_SYSTEM = 704,
    /// A fault of this library.
    MCC_ERR_INTERNAL = 901,
}

c_statuses! {
    MCC_OK = 0, Ok;
    MCC_ERR_NULL_POINTER = 101, NullPointer;
    MCC_ERR_INVALID_ARGUMENT = 102, InvalidArgument;
    MCC_ERR_INVALID_HANDLE = 103, InvalidHandle;
    MCC_ERR_EMPTY_MESSAGE = 104, EmptyMessage;
    MCC_ERR_MESSAGE_TOO_LARGE = 105, MessageTooLarge;
    MCC_ERR_INVALID_MESSAGE = 106, InvalidMessage;
    MCC_ERR_URI_SYNTAX = 107, UriSyntax;
    MCC_ERR_URI_SCHEME = 108, UriScheme;
    MCC_ERR_URI_HOST = 109, UriHost;
    MCC_ERR_URI_PORT = 110, UriPort;
    MCC_ERR_CA_INVALID = 111, CaInvalid;
    MCC_ERR_CRL_INVALID = 112, CrlInvalid;
    MCC_ERR_CERTIFICATE_INVALID = 113, CertificateInvalid;
    MCC_ERR_KEY_INVALID = 114, KeyInvalid;
    MCC_ERR_KEY_MISMATCH = 115, KeyMismatch;
    MCC_ERR_PSK_INVALID = 116, PskInvalid;
    MCC_ERR_TRUST_MISSING = 117, TrustMissing;
    MCC_ERR_UNSUPPORTED = 118, Unsupported;
    MCC_ERR_KEEPALIVE_STATE_INVALID = 119, KeepaliveStateInvalid;
    MCC_ERR_WRONG_STATE = 201, WrongState;
    MCC_ERR_BUSY = 202, Busy;
    MCC_ERR_CLOSED = 203, Closed;
    MCC_ERR_QUEUE_FULL = 204, QueueFull;
    MCC_ERR_NOT_CONNECTED = 205, NotConnected;
    MCC_ERR_NAME_NOT_FOUND = 301, NameNotFound;
    MCC_ERR_NAME_LOOKUP_FAILED = 302, NameLookupFailed;
    MCC_ERR_NAME_LOOKUP_TIMEOUT = 303, NameLookupTimeout;
    MCC_ERR_CONNECTION_REFUSED = 401, ConnectionRefused;
    MCC_ERR_CONNECT_TIMEOUT = 402, ConnectTimeout;
    MCC_ERR_HOST_UNREACHABLE = 403, HostUnreachable;
    MCC_ERR_NETWORK_DOWN = 404, NetworkDown;
    MCC_ERR_CONNECTION_RESET = 405, ConnectionReset;
    MCC_ERR_CLOSED_BY_PEER = 406, ClosedByPeer;
    MCC_ERR_PATH_SILENT = 407, PathSilent;
    MCC_ERR_TRANSPORT_FAILED = 408, TransportFailed;
    MCC_ERR_HANDSHAKE_TIMEOUT = 501, HandshakeTimeout;
    MCC_ERR_HANDSHAKE_FAILED = 502, HandshakeFailed;
    MCC_ERR_TLS_ALERT = 503, TlsAlert;
    MCC_ERR_NOT_TLS = 504, NotTls;
    MCC_ERR_CERTIFICATE_NAME = 505, CertificateName;
    MCC_ERR_CERTIFICATE_EXPIRED = 506, CertificateExpired;
    MCC_ERR_CERTIFICATE_FUTURE = 507, CertificateFuture;
    MCC_ERR_CERTIFICATE_REVOKED = 508, CertificateRevoked;
    MCC_ERR_CERTIFICATE_UNTRUSTED = 509, CertificateUntrusted;
    MCC_ERR_CERTIFICATE_REJECTED = 510, CertificateRejected;
    MCC_ERR_TLS_VERSION = 511, TlsVersion;
    MCC_ERR_TLS_RECORD = 512, TlsRecord;
    MCC_ERR_TLS_UNSUPPORTED = 513, TlsUnsupported;
    MCC_ERR_INTERCEPTED = 514, Intercepted;
    MCC_ERR_PROTOCOL = 601, ProtocolViolation;
    MCC_ERR_CAPABILITIES_TIMEOUT = 602, CapabilitiesTimeout;
    MCC_ERR_RELEASED_BY_PEER = 603, Released;
    MCC_ERR_ABORTED_BY_PEER = 604, Aborted;
    MCC_ERR_OUT_OF_MEMORY = 701, OutOfMemory;
    MCC_ERR_OUT_OF_DESCRIPTORS = 702, OutOfDescriptors;
    MCC_ERR_THREAD = 703, ThreadFailed;
    MCC_ERR_SYSTEM = 704, SystemFailed;
    MCC_ERR_INTERNAL = 901, Internal;
}

/// What kind of failure a status is: few enough to switch on.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum mcc_error_class_t {
    /// No failure.
    MCC_CLASS_NONE = 0,
    /// The caller passed something that cannot be used.
    MCC_CLASS_ARGUMENT = 1,
    /// The call does not fit the object's state now; it can fit later.
    MCC_CLASS_STATE = 2,
    /// The host's name could not be turned into an address.
    MCC_CLASS_NAME = 3,
    /// The host answered that nothing listens at the port.
    MCC_CLASS_REFUSED = 4,
    /// Nothing came back: something on the way drops the packets.
    MCC_CLASS_FILTERED = 5,
    /// The network said that the host cannot be reached.
    MCC_CLASS_UNREACHABLE = 6,
    /// A certificate was not accepted.
    MCC_CLASS_CERTIFICATE = 7,
    /// The peer ended the handshake or the session with a TLS alert.
    MCC_CLASS_ALERT = 8,
    /// The peer closed or reset the connection.
    MCC_CLASS_CLOSED_BY_PEER = 9,
    /// The connection is open, and nothing comes through it any more.
    MCC_CLASS_SILENT_PATH = 10,
    /// This device has no network at the moment.
    MCC_CLASS_NETWORK_DOWN = 11,
    /// Memory, descriptors or threads have run out.
    MCC_CLASS_RESOURCE = 12,
    /// The peer does not speak the protocol that was expected.
    MCC_CLASS_PROTOCOL = 13,
    /// A fault of this library.
    MCC_CLASS_INTERNAL = 14,
    /// Something on the way seems to answer in the server's place.
    MCC_CLASS_INTERCEPTED = 15,
}

impl From<Class> for mcc_error_class_t {
    fn from(class: Class) -> Self {
        match class {
            Class::None => Self::MCC_CLASS_NONE,
            Class::Argument => Self::MCC_CLASS_ARGUMENT,
            Class::State => Self::MCC_CLASS_STATE,
            Class::Name => Self::MCC_CLASS_NAME,
            Class::Refused => Self::MCC_CLASS_REFUSED,
            Class::Filtered => Self::MCC_CLASS_FILTERED,
            Class::Unreachable => Self::MCC_CLASS_UNREACHABLE,
            Class::Certificate => Self::MCC_CLASS_CERTIFICATE,
            Class::Alert => Self::MCC_CLASS_ALERT,
            Class::ClosedByPeer => Self::MCC_CLASS_CLOSED_BY_PEER,
            Class::SilentPath => Self::MCC_CLASS_SILENT_PATH,
            Class::NetworkDown => Self::MCC_CLASS_NETWORK_DOWN,
            Class::Resource => Self::MCC_CLASS_RESOURCE,
            Class::Protocol => Self::MCC_CLASS_PROTOCOL,
            Class::Internal => Self::MCC_CLASS_INTERNAL,
            Class::Intercepted => Self::MCC_CLASS_INTERCEPTED,
        }
    }
}

/// The kind of failure that a status is.
///
/// Any thread, any time. A number that is no status counts as `MCC_CLASS_ARGUMENT`.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_status_class(status: i32) -> mcc_error_class_t {
    guard(mcc_error_class_t::MCC_CLASS_INTERNAL, || status_of(status).map_or(Class::Argument, Status::class).into())
}

/// The name of a status, such as `MCC_ERR_URI_PORT`, for logs.
///
/// Any thread, any time. The text is constant and is not to be freed; a number that is no status gives `MCC_ERR_?`.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_status_name(status: i32) -> *const c_char {
    guard(c"".as_ptr(), || constant_text(status, Status::name, c"MCC_ERR_?"))
}

/// What a status means and what to do next, in a sentence for people.
///
/// Any thread, any time. The text is constant and is not to be freed; a number that is no status gives a sentence too.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_status_text(status: i32) -> *const c_char {
    guard(c"".as_ptr(), || {
        constant_text(status, Status::text, c"This number is no status of the library: check where it comes from.")
    })
}

/// The C strings of all statuses are made once, at the first question.
fn constant_text(status: i32, part: fn(Status) -> &'static str, unknown: &'static CStr) -> *const c_char {
    static TEXTS: std::sync::OnceLock<Vec<(&'static str, std::ffi::CString)>> = std::sync::OnceLock::new();
    let Some(status) = status_of(status) else { return unknown.as_ptr() };
    let texts = TEXTS.get_or_init(|| {
        let parts = Status::ALL.iter().flat_map(|status| [status.name(), status.text()]);
        parts.map(|text| (text, std::ffi::CString::new(text).unwrap_or_default())).collect()
    });
    texts.iter().find(|(text, _)| *text == part(status)).map_or(unknown.as_ptr(), |(_, text)| text.as_ptr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_c_numbers_and_names_are_those_of_the_core() {
        assert_eq!(PAIRS.len(), Status::ALL.len());
        for (c, status, name) in PAIRS {
            assert_eq!(*c as i32, *status as i32);
            assert_eq!(*name, status.name());
            assert_eq!(status_of(*c as i32), Some(*status));
            assert_eq!(mcc_error_class_t::from(status.class()) as i32, status.class() as i32);
        }
        assert_eq!(status_of(-1), None);
    }
}
