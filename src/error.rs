//! Why something failed: a class for code to switch on, a status for logs, a sentence with the next step for people.
//!
//! The numbers are part of the C interface: a number is never given a new meaning, and a retired one is never used again.

/// What kind of failure a [`Status`] is: few enough to switch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Class {
    /// No failure.
    None = 0,
    /// The caller passed something that cannot be used.
    Argument = 1,
    /// The call does not fit the object's state now; it can fit later.
    State = 2,
    /// The host's name could not be turned into an address.
    Name = 3,
    /// The host answered that nothing listens at the port.
    Refused = 4,
    /// Nothing came back: something on the way drops the packets.
    Filtered = 5,
    /// The network said that the host cannot be reached.
    Unreachable = 6,
    /// A certificate was not accepted.
    Certificate = 7,
    /// The peer ended the handshake or the session with a TLS alert.
    Alert = 8,
    /// The peer closed or reset the connection.
    ClosedByPeer = 9,
    /// The connection is open, and nothing comes through it any more.
    SilentPath = 10,
    /// This device has no network at the moment.
    NetworkDown = 11,
    /// Memory, descriptors or threads have run out.
    Resource = 12,
    /// The peer does not speak the protocol that was expected.
    Protocol = 13,
    /// A fault of this library.
    Internal = 14,
    /// Something on the way seems to answer in the server's place.
    Intercepted = 15,
}

macro_rules! statuses {
    ($($variant:ident = $code:literal, $class:ident, $name:literal, $text:literal;)*) => {
        /// The result of a call, or the reason of an event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum Status {
            $(#[doc = $text] $variant = $code,)*
        }

        impl Status {
            /// Every status, in the order of the numbers.
            pub const ALL: &'static [Status] = &[$(Status::$variant,)*];

            /// The class that code switches on.
            pub const fn class(self) -> Class {
                match self { $(Status::$variant => Class::$class,)* }
            }

            /// The name in C.
            pub const fn name(self) -> &'static str {
                match self { $(Status::$variant => $name,)* }
            }

            /// What is wrong, and what to do next, for people.
            pub const fn text(self) -> &'static str {
                match self { $(Status::$variant => $text,)* }
            }
        }
    };
}

statuses! {
    Ok = 0, None, "MCC_OK", "Success.";

    NullPointer = 101, Argument, "MCC_ERR_NULL_POINTER", "A pointer that must not be null is null: pass the object that the function's description names.";
    InvalidArgument = 102, Argument, "MCC_ERR_INVALID_ARGUMENT", "A value is out of its range: compare each argument and option with the range in its description, and begin option structs with their initialiser.";
    InvalidHandle = 103, Argument, "MCC_ERR_INVALID_HANDLE", "The handle is not one of this library's, is of another kind, or was closed: use what the matching new or open function gave, and not after close or free.";
    EmptyMessage = 104, Argument, "MCC_ERR_EMPTY_MESSAGE", "The message has no bytes: pass one whole CoAP message; for a ping use mcc_connection_ping.";
    MessageTooLarge = 105, Argument, "MCC_ERR_MESSAGE_TOO_LARGE", "The message is longer than this connection can carry: send it in blocks (RFC 7959).";
    InvalidMessage = 106, Argument, "MCC_ERR_INVALID_MESSAGE", "The bytes are not one well-formed CoAP message that this connection can carry: check version, token length and options (RFC 7252 section 3); RFC 8323 carries no empty messages.";
    UriSyntax = 107, Argument, "MCC_ERR_URI_SYNTAX", "The URI is not of the form scheme://host:port: write for example coaps://lwm2m.example.com:5684.";
    UriScheme = 108, Argument, "MCC_ERR_URI_SCHEME", "The URI's scheme is none of coap, coaps, coap+tcp and coaps+tcp: begin the URI with one of them.";
    UriHost = 109, Argument, "MCC_ERR_URI_HOST", "The URI has no host, or one that cannot be a name or an address: write a host name, an IPv4 address, or an IPv6 address in brackets.";
    UriPort = 110, Argument, "MCC_ERR_URI_PORT", "The URI's port is not a number from 1 to 65535: correct it, or leave it out for the scheme's default.";
    CaInvalid = 111, Argument, "MCC_ERR_CA_INVALID", "The CA certificates do not parse: pass PEM text, or one certificate in DER, with its exact size.";
    CrlInvalid = 112, Argument, "MCC_ERR_CRL_INVALID", "The certificate revocation list does not parse: pass PEM text or DER with its exact size.";
    CertificateInvalid = 113, Argument, "MCC_ERR_CERTIFICATE_INVALID", "The device's own certificate does not parse, or a key was given without it: pass its chain, device certificate first, as PEM text, or one certificate in DER.";
    KeyInvalid = 114, Argument, "MCC_ERR_KEY_INVALID", "The private key does not parse, or a certificate was given without it: pass PKCS#8 or SEC1, PEM or DER, and the password if it has one.";
    KeyMismatch = 115, Argument, "MCC_ERR_KEY_MISMATCH", "The private key does not belong to the device's own certificate: pass the pair that was issued together.";
    PskInvalid = 116, Argument, "MCC_ERR_PSK_INVALID", "The pre-shared key or its identity is empty or too long: pass both, the key with at most 32 bytes and the identity with at most 128.";
    TrustMissing = 117, Argument, "MCC_ERR_TRUST_MISSING", "Nothing was given to know the server by: pass the CA certificates of the service, or a pre-shared key.";
    Unsupported = 118, Argument, "MCC_ERR_UNSUPPORTED", "This combination of scheme, transport and framing is not supported: the framings are for TCP, the record framing needs TLS, and DTLS is version 1.2.";
    KeepaliveStateInvalid = 119, Argument, "MCC_ERR_KEEPALIVE_STATE_INVALID", "The state for the keepalive is damaged or of another kind: pass the bytes that mcc_connection_keepalive_state gave with their exact size, or none to begin anew.";

    WrongState = 201, State, "MCC_ERR_WRONG_STATE", "The object does not take this call as it is: a context with a thread of its own is not processed by the caller, and a keepalive tells of a ping only after there was one.";
    Busy = 202, State, "MCC_ERR_BUSY", "The context is being processed already, by another thread or by the caller of this callback: return from the callback first.";
    Closed = 203, State, "MCC_ERR_CLOSED", "The connection was closed by this program: open a new one.";
    QueueFull = 204, State, "MCC_ERR_QUEUE_FULL", "The queue of messages to send is full: wait for an event that a message was sent, or raise queue_limit.";
    NotConnected = 205, State, "MCC_ERR_NOT_CONNECTED", "There is no connection at the moment: wait for the state READY; messages can also be kept until then by keep_queued_messages.";

    NameNotFound = 301, Name, "MCC_ERR_NAME_NOT_FOUND", "The host's name does not exist in the DNS: check the name's spelling and the device's DNS server.";
    NameLookupFailed = 302, Name, "MCC_ERR_NAME_LOOKUP_FAILED", "The DNS server could not be asked or gave an error: check that the device has a network and a DNS server that works.";
    NameLookupTimeout = 303, Name, "MCC_ERR_NAME_LOOKUP_TIMEOUT", "The DNS server did not answer in time: check that this network lets DNS through to it.";

    ConnectionRefused = 401, Refused, "MCC_ERR_CONNECTION_REFUSED", "The host refused the port: check the port, and that the service runs; a firewall can answer so as well.";
    ConnectTimeout = 402, Filtered, "MCC_ERR_CONNECT_TIMEOUT", "No answer to the attempt to connect: ask the network's owner to let this host and port through.";
    HostUnreachable = 403, Unreachable, "MCC_ERR_HOST_UNREACHABLE", "The network reports that the host cannot be reached: check routes and gateway, and the address of the host.";
    NetworkDown = 404, NetworkDown, "MCC_ERR_NETWORK_DOWN", "This device has no network or no route: check cable, radio or modem, and the default route.";
    ConnectionReset = 405, ClosedByPeer, "MCC_ERR_CONNECTION_RESET", "The peer or something on the way reset the connection: the library connects again; if it repeats, look at the server's log and at firewalls.";
    ClosedByPeer = 406, ClosedByPeer, "MCC_ERR_CLOSED_BY_PEER", "The peer closed the connection: the library connects again; if it repeats, look at the server's log.";
    PathSilent = 407, SilentPath, "MCC_ERR_PATH_SILENT", "Nothing comes back from the peer, neither the answer to a ping nor TCP's acknowledgement: the path is taken for dead and connected anew; if it repeats at the same idle time, use a shorter keepalive interval.";
    TransportFailed = 408, Unreachable, "MCC_ERR_TRANSPORT_FAILED", "The operating system reported an error of the socket: the detail is its errno.";

    HandshakeTimeout = 501, Filtered, "MCC_ERR_HANDSHAKE_TIMEOUT", "The handshake of TLS or DTLS did not end in time: check that the port speaks it and that nothing on the way holds it back; to DTLS a wrong pre-shared key looks the same.";
    HandshakeFailed = 502, Protocol, "MCC_ERR_HANDSHAKE_FAILED", "The TLS handshake failed: the detail is the Mbed TLS error; compare versions, cipher suites and credentials of both sides.";
    TlsAlert = 503, Alert, "MCC_ERR_TLS_ALERT", "The peer ended TLS with a fatal alert: the detail is its number (RFC 8446 section 6); 40 and 47 ask for the settings, 42 to 49 and 116 for the device's certificate, 115 for the PSK identity.";
    NotTls = 504, Protocol, "MCC_ERR_NOT_TLS", "What answers at this port does not speak TLS: check the port, and whether a portal or firewall answers in the host's place.";
    CertificateName = 505, Certificate, "MCC_ERR_CERTIFICATE_NAME", "The server's certificate is for another name: check the host, or set check_server_name to false for a service with a CA of its own.";
    CertificateExpired = 506, Certificate, "MCC_ERR_CERTIFICATE_EXPIRED", "The server's certificate has expired by this device's clock: check the clock, then have the certificate renewed.";
    CertificateFuture = 507, Certificate, "MCC_ERR_CERTIFICATE_FUTURE", "The server's certificate is not valid yet by this device's clock: check the clock.";
    CertificateRevoked = 508, Certificate, "MCC_ERR_CERTIFICATE_REVOKED", "The server's certificate has been revoked by the list given: do not connect; ask the service's operator.";
    CertificateUntrusted = 509, Certificate, "MCC_ERR_CERTIFICATE_UNTRUSTED", "The server's certificate names a CA given as its issuer, or no CA was given, and nothing proves it: check that the CA is the service's own and not an older one of the same name; if it is, someone may be posing as the server.";
    CertificateRejected = 510, Certificate, "MCC_ERR_CERTIFICATE_REJECTED", "The server's certificate was not accepted: the detail holds the verification flags of Mbed TLS (key usage, weak key or hash, missing certificate).";
    TlsVersion = 511, Protocol, "MCC_ERR_TLS_VERSION", "The server speaks no TLS version that is enabled here: enable TLS 1.2 and 1.3 on both sides.";
    TlsRecord = 512, Protocol, "MCC_ERR_TLS_RECORD", "A TLS record was damaged or forged: the connection was ended; if it repeats, something on the way alters the traffic.";
    TlsUnsupported = 513, Protocol, "MCC_ERR_TLS_UNSUPPORTED", "The peer sent a TLS message that is not supported here, such as a KeyUpdate of TLS 1.3: if it repeats, set max_version to TLS 1.2.";
    Intercepted = 514, Intercepted, "MCC_ERR_INTERCEPTED", "Another authority than a CA given issued the server's certificate: someone opens TLS on the way (a proxy or a firewall), or a wrong CA was given, or the server leaves out its intermediate certificates; compare the names in the log, and ask the network's owner to exempt this host.";

    ProtocolViolation = 601, Protocol, "MCC_ERR_PROTOCOL", "What the peer sent cannot be CoAP in this framing: check that scheme and framing are the server's.";
    CapabilitiesTimeout = 602, Protocol, "MCC_ERR_CAPABILITIES_TIMEOUT", "The server did not begin with a Capabilities and Settings Message (RFC 8323 section 5.3): use coap or coaps with the transport TCP for the device management service.";
    Released = 603, ClosedByPeer, "MCC_ERR_RELEASED_BY_PEER", "The peer asked to end the connection (RFC 8323 Release): the library connects again after the time that it asked for.";
    Aborted = 604, ClosedByPeer, "MCC_ERR_ABORTED_BY_PEER", "The peer aborted the connection (RFC 8323 Abort): look at the server's log for what it did not accept.";

    OutOfMemory = 701, Resource, "MCC_ERR_OUT_OF_MEMORY", "Memory has run out: free some and try again.";
    OutOfDescriptors = 702, Resource, "MCC_ERR_OUT_OF_DESCRIPTORS", "The process or the system has no file descriptor left: close some, or raise the limit (ulimit -n).";
    ThreadFailed = 703, Resource, "MCC_ERR_THREAD", "The operating system gave no new thread: check the limits of processes and memory.";
    SystemFailed = 704, Resource, "MCC_ERR_SYSTEM", "A system call that should always work failed: the detail is its errno; check the sandbox or kernel configuration.";

    Internal = 901, Internal, "MCC_ERR_INTERNAL", "A fault of this library: the object is dead and everything else goes on; please report it with the log.";
}

/// A failure as it is passed on inside the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// What failed.
    pub status: Status,
    /// A number that makes it more precise: errno, TLS alert, Mbed TLS error or verification flags, as the status says; else 0.
    pub detail: i32,
}

impl Failure {
    /// A failure with a number that makes it more precise.
    pub const fn with_detail(status: Status, detail: i32) -> Self {
        Self { status, detail }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self { status, detail: 0 }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.status.name())?;
        if self.detail != 0 {
            write!(formatter, " ({})", self.detail)?;
        }
        write!(formatter, ": {}", self.status.text())
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique_and_every_failure_says_what_to_do() {
        for (index, status) in Status::ALL.iter().enumerate() {
            for other in &Status::ALL[index + 1..] {
                assert!((*status as i32) < (*other as i32));
                assert_ne!(status.name(), other.name());
                assert_ne!(status.text(), other.text());
            }
            assert_eq!(*status == Status::Ok, status.class() == Class::None);
            assert!(*status == Status::Ok || status.text().contains(':'), "{} names no next step", status.name());
        }
    }

    #[test]
    fn a_failure_shows_name_detail_and_sentence() {
        let text = Failure::with_detail(Status::TlsAlert, 40).to_string();
        assert!(text.starts_with("MCC_ERR_TLS_ALERT (40): The peer ended TLS"));
        assert!(!Failure::from(Status::Closed).to_string().contains("(0)"));
    }
}
