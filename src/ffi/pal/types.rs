//! The types of the PAL's socket functions.

use std::ffi::{c_char, c_ushort, c_void};

/// A socket: the number of its descriptor, in a pointer that is never followed. `(void *)-1` after it was closed; 0 is no socket.
pub type palSocket_t = *mut c_void;

/// The size of an address in bytes.
pub type palSocketLength_t = u32;

/// An address: what `struct sockaddr_in` or `struct sockaddr_in6` holds, from its beginning, the port in network order.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct palSocketAddress_t {
    /// One of `palSocketDomain_t`.
    pub addressType: c_ushort,
    /// The rest of the structure, from its third byte on.
    pub addressData: [c_char; 32],
}

/// The family of an address.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "what an address that is not set has")]
pub enum palSocketDomain_t {
    /// None, or any.
    PAL_AF_UNSPEC = 0,
    /// IPv4.
    PAL_AF_INET = 2,
    /// IPv6.
    PAL_AF_INET6 = 10,
}

/// The kind of a socket.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum palSocketType_t {
    /// TCP.
    PAL_SOCK_STREAM = 1,
    /// UDP.
    PAL_SOCK_DGRAM = 2,
    /// TCP that will listen. The same as the first.
    PAL_SOCK_STREAM_SERVER = 99,
}

/// An option of a socket.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum palSocketOptionName_t {
    /// A flag: an address can be bound while old connections of it linger.
    PAL_SO_REUSEADDR = 4,
    /// A flag: TCP's own keepalive.
    PAL_SO_KEEPALIVE = 8,
    /// Seconds of silence before its first probe.
    PAL_SO_KEEPIDLE = 9,
    /// Seconds between two probes.
    PAL_SO_KEEPINTVL = 16,
    /// Milliseconds that a blocking call sends; 0: for ever. The sockets of this layer do not block.
    PAL_SO_SNDTIMEO = 4101,
    /// Milliseconds that a blocking call receives; 0: for ever.
    PAL_SO_RCVTIMEO = 4102,
    /// The hop limit of multicast over IPv6, 0 to 255; -1: the system's default. Of the level `PAL_SOL_IPPROTO_IPV6`.
    PAL_SO_IPV6_MULTICAST_HOPS = 4103,
    /// The traffic class of IPv6, 0 to 255; -1: the system's default. Of the level `PAL_SOL_IPPROTO_IPV6`.
    PAL_SO_IPV6_TRAFFIC_CLASS = 4104,
}

/// What an option belongs to.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum palSocketOptionLevelName_t {
    /// The socket.
    PAL_SOL_SOCKET = 0,
    /// IPv6.
    PAL_SOL_IPPROTO_IPV6 = 1,
}

/// The state of an interface.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum palNetworkStatus_t {
    /// It has no link or no address any more.
    PAL_NETWORK_STATUS_DISCONNECTED = 0,
    /// It has a link and an address.
    PAL_NETWORK_STATUS_CONNECTED = 1,
}

/// The name of an interface and an address of it.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct palNetInterfaceInfo_t {
    /// Its name, which ends with NUL.
    pub interfaceName: [c_char; 16],
    /// Its address, with port 0.
    pub address: palSocketAddress_t,
    /// The size of what the address holds: 16 for IPv4, 28 for IPv6.
    pub addressSize: u32,
}

/// Tells of a condition of a socket: something to read, room to write after there was none, the end of a connect, the peer's end, an
/// error. Called from the layer's own thread, with the argument that was given with it. Any function may be called from it.
pub type palAsyncSocketCallback_t = Option<extern "C" fn(argument: *mut c_void)>;

/// Tells of a change of an interface. Called from the layer's own thread.
pub type connectionStatusCallback = Option<extern "C" fn(status: palNetworkStatus_t, client_arg: *mut c_void)>;

// What a C program may pass as an enum is any number: these are what the functions take. In the header they have the enum's name.

/// cbindgen:ignore
pub type SocketDomain = u32;
/// cbindgen:ignore
pub type SocketType = u32;
/// cbindgen:ignore
pub type SocketOptionLevelName = u32;

/// An argument for a callback, which is only handed back.
pub(super) struct Argument(*mut c_void);

// SAFETY: the pointer is never followed here; the application promises that its callback may use it on the layer's thread.
unsafe impl Send for Argument {}
// SAFETY: as above.
unsafe impl Sync for Argument {}

impl Argument {
    pub(super) fn new(pointer: *mut c_void) -> Self {
        Self(pointer)
    }

    pub(super) fn get(&self) -> *mut c_void {
        self.0
    }
}
