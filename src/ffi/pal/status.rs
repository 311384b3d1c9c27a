//! What the PAL's functions return.

use rustix::io::Errno;

/// What a function returns: one of `palError_t`.
pub type palStatus_t = i32;

#[allow(dead_code, reason = "another name of the number below, for the header")]
/// The first number of the errors of sockets.
pub const PAL_ERR_SOCKET_ERROR_BASE: palStatus_t = -65536;
#[allow(dead_code, reason = "another name of the number below, for the header")]
/// The first number of the errors of TLS.
pub const PAL_ERR_TLS_ERROR_BASE: palStatus_t = -1048576;

/// The result of a call.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "the numbers are part of the interface, whoever returns them")]
pub enum palError_t {
    /// Success.
    PAL_SUCCESS = 0,
    /// A failure that no other number names; also a fault of this library.
    PAL_ERR_GENERIC_FAILURE = -16,
    /// An argument that cannot be: a null pointer that must not be, an index that is not registered.
    PAL_ERR_INVALID_ARGUMENT = -15,
    /// Memory has run out.
    PAL_ERR_NO_MEMORY = -14,
    /// The buffer given is too small.
    PAL_ERR_BUFFER_TOO_SMALL = -13,
    /// This is not supported here.
    PAL_ERR_NOT_SUPPORTED = -12,
    /// The time for it is over, that of a connect among others.
    PAL_ERR_TIMEOUT_EXPIRED = -11,
    /// `pal_plat_socketsInit` was not called.
    PAL_ERR_NOT_INITIALIZED = -10,
    /// A pointer is null.
    PAL_ERR_NULL_POINTER = -9,
    /// The system gave no thread.
    PAL_ERR_CREATION_FAILED = -8,
    /// The end of a file.
    PAL_ERR_END_OF_FILE = -7,
    /// This is not implemented.
    PAL_ERR_NOT_IMPLEMENTED = -64,
    /// What was asked for is not there, such as an interface without an address.
    PAL_ERR_ITEM_NOT_EXIST = -63,
    /// A thread's priority cannot be.
    PAL_ERR_RTOS_PRIORITY = -3964,
    /// An error of a socket that no other number names.
    PAL_ERR_SOCKET_GENERIC = -65536,
    /// The system has no buffer or memory left.
    PAL_ERR_SOCKET_NO_BUFFERS = -65535,
    /// No way leads to the host or its network.
    PAL_ERR_SOCKET_HOST_UNREACHABLE = -65534,
    /// The connect goes on; the callback tells of its end.
    PAL_ERR_SOCKET_IN_PROGRES = -65533,
    /// No socket of this layer, or a value that cannot be.
    PAL_ERR_SOCKET_INVALID_VALUE = -65532,
    /// Nothing to read, or no room to write: the callback tells when there is.
    PAL_ERR_SOCKET_WOULD_BLOCK = -65531,
    /// Another socket has this address.
    PAL_ERR_SOCKET_ADDRESS_IN_USE = -65530,
    /// The socket is connected.
    PAL_ERR_SOCKET_ALREADY_CONNECTED = -65529,
    /// The connection was aborted.
    PAL_ERR_SOCKET_CONNECTION_ABORTED = -65528,
    /// The peer reset the connection, or refused it.
    PAL_ERR_SOCKET_CONNECTION_RESET = -65527,
    /// The socket is not connected.
    PAL_ERR_SOCKET_NOT_CONNECTED = -65526,
    /// An error of input or output.
    PAL_ERR_SOCKET_INPUT_OUTPUT_ERROR = -65525,
    /// The peer has closed its side, and everything that it sent was read.
    PAL_ERR_SOCKET_CONNECTION_CLOSED = -65524,
    /// The socket could not be made non-blocking.
    PAL_ERR_SOCKET_FAILED_TO_SET_SOCKET_TO_NON_BLOCKING = -65523,
    /// The address is not of the family wanted, or of none that is known.
    PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY = -65522,
    /// This device does not have this address.
    PAL_ERR_SOCKET_INVALID_ADDRESS = -65521,
    /// The name has no address, or could not be looked up.
    PAL_ERR_SOCKET_DNS_ERROR = -65520,
    /// An error of DHCP, under the name that it has in the client.
    PAL_ERR_SOCKET_HDCP_ERROR = -65519,
    /// An error of authentication.
    PAL_ERR_SOCKET_AUTH_ERROR = -65518,
    /// No such option.
    PAL_ERR_SOCKET_OPTION_NOT_SUPPORTED = -65517,
    /// The datagram is larger than can be sent.
    PAL_ERR_SOCKET_SEND_BUFFER_TOO_BIG = -65516,
    /// The process or the system has no descriptor left.
    PAL_ERR_SOCKET_ALLOCATION_FAILED = -65515,
    /// This process may not do that.
    PAL_ERR_SOCKET_OPERATION_NOT_PERMITTED = -65514,
    /// The table of interfaces is full (`PAL_MAX_SUPORTED_NET_INTERFACES`).
    PAL_ERR_SOCKET_MAX_NUMBER_OF_INTERFACES_REACHED = -65513,
    /// A signal interrupted the call. Never returned: such calls are repeated.
    PAL_ERR_SOCKET_INTERRUPTED = -65512,
    /// TLS could not be initialised.
    PAL_ERR_TLS_INIT = -1048576,
    /// TLS lacks a resource, such as memory.
    PAL_ERR_TLS_RESOURCE = -1048575,
    /// A TLS configuration could not be made.
    PAL_ERR_TLS_CONFIG_INIT = -1048574,
    /// The TLS object was not initialised.
    PAL_ERR_TLS_CONTEXT_NOT_INITIALIZED = -1048573,
    /// The cipher suite is not supported.
    PAL_ERR_TLS_INVALID_CIPHER = -1048572,
    /// TLS waits for something to read.
    PAL_ERR_TLS_WANT_READ = -1048571,
    /// TLS waits for room to write.
    PAL_ERR_TLS_WANT_WRITE = -1048570,
    /// The peer began a new session under the same address.
    PAL_ERR_TLS_CLIENT_RECONNECT = -1048569,
    /// TLS does not take this input.
    PAL_ERR_TLS_BAD_INPUT_DATA = -1048568,
    /// A DTLS hello has to be repeated with a cookie.
    PAL_ERR_TLS_HELLO_VERIFY_REQUIRED = -1048567,
    /// A certificate does not parse.
    PAL_ERR_TLS_FAILED_TO_PARSE_CERT = -1048566,
    /// A key does not parse.
    PAL_ERR_TLS_FAILED_TO_PARSE_KEY = -1048565,
    /// The certificate was not accepted.
    PAL_ERR_TLS_FAILED_TO_SET_CERT = -1048564,
    /// The peer ended TLS in order.
    PAL_ERR_TLS_PEER_CLOSE_NOTIFY = -1048563,
    /// A handshake goes on already.
    PAL_ERR_TLS_MULTIPLE_HANDSHAKE = -1048562,
    /// The time for the TLS handshake is over.
    PAL_ERR_TLS_TIMEOUT = -1048561,
    /// The peer speaks no version of TLS that is enabled.
    PAL_ERR_TLS_SSL_VERSION_MISMATCH = -1048560,
    /// A certificate could not be read.
    PAL_ERR_CERT_PARSING_FAILED = -16777215,
    /// A certificate has an unknown object identifier.
    PAL_ERR_X509_UNKNOWN_OID = -16777192,
    /// A certificate has a name that cannot be.
    PAL_ERR_X509_INVALID_NAME = -16777191,
    /// The clock could not be handed to TLS.
    PAL_ERR_FAILED_SET_TIME_CB = -16777167,
    /// The peer's certificate was not accepted.
    PAL_ERR_X509_CERT_VERIFY_FAILED = -16777165,
    /// The peer ended TLS with a fatal alert.
    PAL_ERR_SSL_FATAL_ALERT_MESSAGE = -16777156,
    /// The certificate has expired.
    PAL_ERR_X509_BADCERT_EXPIRED = -536870911,
    /// The certificate is not valid yet.
    PAL_ERR_X509_BADCERT_FUTURE = -536870910,
    /// The certificate is signed with a hash that is not accepted.
    PAL_ERR_X509_BADCERT_BAD_MD = -536870908,
    /// The certificate is signed with an algorithm that is not accepted.
    PAL_ERR_X509_BADCERT_BAD_PK = -536870904,
    /// The certificate does not lead to a CA that is trusted.
    PAL_ERR_X509_BADCERT_NOT_TRUSTED = -536870896,
    /// The certificate has a key that is not accepted.
    PAL_ERR_X509_BADCERT_BAD_KEY = -536870880,
}

impl From<Errno> for palError_t {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::AGAIN => Self::PAL_ERR_SOCKET_WOULD_BLOCK,
            Errno::NOTSOCK | Errno::INVAL | Errno::BADF => Self::PAL_ERR_SOCKET_INVALID_VALUE,
            Errno::PERM | Errno::ACCESS => Self::PAL_ERR_SOCKET_OPERATION_NOT_PERMITTED,
            Errno::TIMEDOUT => Self::PAL_ERR_TIMEOUT_EXPIRED,
            Errno::ISCONN => Self::PAL_ERR_SOCKET_ALREADY_CONNECTED,
            Errno::INPROGRESS | Errno::ALREADY => Self::PAL_ERR_SOCKET_IN_PROGRES,
            Errno::ADDRINUSE => Self::PAL_ERR_SOCKET_ADDRESS_IN_USE,
            Errno::CONNABORTED => Self::PAL_ERR_SOCKET_CONNECTION_ABORTED,
            Errno::CONNRESET | Errno::CONNREFUSED | Errno::PIPE => Self::PAL_ERR_SOCKET_CONNECTION_RESET,
            Errno::NOBUFS | Errno::NOMEM => Self::PAL_ERR_SOCKET_NO_BUFFERS,
            Errno::INTR => Self::PAL_ERR_SOCKET_INTERRUPTED,
            Errno::NOTCONN => Self::PAL_ERR_SOCKET_NOT_CONNECTED,
            Errno::IO => Self::PAL_ERR_SOCKET_INPUT_OUTPUT_ERROR,
            Errno::HOSTUNREACH | Errno::NETUNREACH => Self::PAL_ERR_SOCKET_HOST_UNREACHABLE,
            Errno::ADDRNOTAVAIL => Self::PAL_ERR_SOCKET_INVALID_ADDRESS,
            Errno::AFNOSUPPORT => Self::PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY,
            Errno::MSGSIZE => Self::PAL_ERR_SOCKET_SEND_BUFFER_TOO_BIG,
            Errno::MFILE | Errno::NFILE => Self::PAL_ERR_SOCKET_ALLOCATION_FAILED,
            _ => Self::PAL_ERR_SOCKET_GENERIC,
        }
    }
}
