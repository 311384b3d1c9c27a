//! Sockets: made, connected, read, written, closed.

use super::address;
use super::status::palError_t::{
    self, PAL_ERR_INVALID_ARGUMENT, PAL_ERR_SOCKET_CONNECTION_CLOSED, PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY,
    PAL_ERR_SOCKET_INVALID_VALUE, PAL_ERR_SOCKET_WOULD_BLOCK,
};
use super::status::palStatus_t;
use super::status_of;
use super::types::{
    Argument, SocketDomain, SocketType, palAsyncSocketCallback_t, palSocket_t, palSocketAddress_t, palSocketDomain_t,
    palSocketLength_t, palSocketType_t,
};
use crate::ffi::pointer;
use crate::log;
use crate::net::pal::socket::{self, AsynchronousSocket, Callback};
use crate::net::socket::{Family, Kind};
use std::ffi::{c_int, c_void};
use std::os::fd::RawFd;
use std::sync::Arc;

/// What the caller's variable holds after its socket was closed.
const CLOSED: usize = usize::MAX;

const STREAM: u32 = palSocketType_t::PAL_SOCK_STREAM as u32;
const STREAM_SERVER: u32 = palSocketType_t::PAL_SOCK_STREAM_SERVER as u32;
const DATAGRAM: u32 = palSocketType_t::PAL_SOCK_DGRAM as u32;
const IPV4: u32 = palSocketDomain_t::PAL_AF_INET as u32;
const IPV6: u32 = palSocketDomain_t::PAL_AF_INET6 as u32;

/// What `pal_accept` wants of the room for the address, and says that it used.
const ADDRESS_SIZE: palSocketLength_t = size_of::<palSocketAddress_t>() as palSocketLength_t;

/// The socket behind a handle.
pub(super) fn find(handle: palSocket_t) -> Result<Arc<AsynchronousSocket>, palError_t> {
    Ok(socket::find(number_of(handle)?)?)
}

fn number_of(handle: palSocket_t) -> Result<RawFd, palError_t> {
    RawFd::try_from(handle.addr()).map_err(|_| PAL_ERR_SOCKET_INVALID_VALUE)
}

fn handle_of(number: RawFd) -> palSocket_t {
    std::ptr::without_provenance_mut(number.unsigned_abs() as usize)
}

/// What an application wants called.
fn callback_of(callback: palAsyncSocketCallback_t, argument: *mut c_void) -> Result<Callback, palError_t> {
    let callback = callback.ok_or(PAL_ERR_INVALID_ARGUMENT)?;
    let argument = Argument::new(argument);
    Ok(Box::new(move || callback(argument.get())))
}

/// Makes a socket, as `pal_asynchronousSocketWithArgument` does, whose callback gets a null argument. Any thread.
///
/// Errors: those of `pal_asynchronousSocketWithArgument`.
#[unsafe(no_mangle)]
pub extern "C" fn pal_asynchronousSocket(
    domain: SocketDomain,
    r#type: SocketType,
    nonBlockingSocket: bool,
    interfaceNum: u32,
    callback: palAsyncSocketCallback_t,
    socket: *mut palSocket_t,
) -> palStatus_t {
    let _ = interfaceNum;
    // SAFETY: the caller gives room for a socket.
    status_of(|| unsafe { make(domain, r#type, nonBlockingSocket, callback, std::ptr::null_mut(), socket) })
}

/// Makes a socket that does not block, and calls `callback` with `callbackArgument` on each new condition: something to read, room to
/// write after `PAL_ERR_SOCKET_WOULD_BLOCK`, the end of a connect, the peer's end, an error.
///
/// A condition is told once. It is told again after the caller has read, written, accepted or connected until it was told
/// `PAL_ERR_SOCKET_WOULD_BLOCK`; several may share a callback. The callback comes from the layer's own thread, and may call any
/// function, `pal_close` of its own socket included. The argument has to last until `pal_close` returns.
///
/// `nonBlockingSocket` has to be true. `interfaceNum` may be any number: sockets are not bound to an interface. `*socket` is written
/// on success only; the caller closes it by `pal_close`. Its number is 3 or more, and it is closed on exec. Any thread.
///
/// Errors: `PAL_ERR_INVALID_ARGUMENT` (null callback or socket, or blocking), `PAL_ERR_NOT_INITIALIZED`,
/// `PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY` (domain), `PAL_ERR_SOCKET_INVALID_VALUE` (type), `PAL_ERR_SOCKET_ALLOCATION_FAILED` (no
/// descriptors), `PAL_ERR_SOCKET_NO_BUFFERS`, and those of socket(2).
#[unsafe(no_mangle)]
pub extern "C" fn pal_asynchronousSocketWithArgument(
    domain: SocketDomain,
    r#type: SocketType,
    nonBlockingSocket: bool,
    interfaceNum: u32,
    callback: palAsyncSocketCallback_t,
    callbackArgument: *mut c_void,
    socket: *mut palSocket_t,
) -> palStatus_t {
    let _ = interfaceNum;
    // SAFETY: the caller gives room for a socket.
    status_of(|| unsafe { make(domain, r#type, nonBlockingSocket, callback, callbackArgument, socket) })
}

/// # Safety
/// `out` is null or a handle can be written there.
unsafe fn make(
    domain: u32,
    socket_type: u32,
    non_blocking: bool,
    callback: palAsyncSocketCallback_t,
    argument: *mut c_void,
    out: *mut palSocket_t,
) -> Result<(), palError_t> {
    let callback = callback_of(callback, argument)?;
    if out.is_null() || !non_blocking {
        return Err(PAL_ERR_INVALID_ARGUMENT);
    }
    let family = match domain {
        IPV4 => Family::Ipv4,
        IPV6 => Family::Ipv6,
        _ => return Err(PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY),
    };
    let kind = match socket_type {
        STREAM | STREAM_SERVER => Kind::Stream,
        DATAGRAM => Kind::Datagram,
        _ => return Err(PAL_ERR_SOCKET_INVALID_VALUE),
    };
    let number = socket::open(family, kind, callback)?;
    // SAFETY: not null, and writable by the caller's promise.
    Ok(unsafe { pointer::write(out, handle_of(number)) }?)
}

/// Closes a socket and sets the caller's variable to `(void *)-1`.
///
/// When this returns, the socket's callback does not run and will not begin; from within that callback, it goes on to its end. Closing
/// what holds `(void *)-1` or 0 closes nothing and is success. Any thread.
///
/// Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_SOCKET_INVALID_VALUE` (no socket of this layer: nothing is closed).
#[unsafe(no_mangle)]
pub extern "C" fn pal_close(socket: *mut palSocket_t) -> palStatus_t {
    status_of(|| {
        // SAFETY: the caller gives a variable that holds a socket.
        let handle = unsafe { pointer::read(socket) }?;
        if !handle.is_null() && handle.addr() != CLOSED {
            socket::close(number_of(handle)?)?;
        }
        // SAFETY: as above.
        Ok(unsafe { pointer::write(socket, std::ptr::without_provenance_mut(CLOSED)) }?)
    })
}

/// Tells whether calls on the socket return at once. Any thread. `*isNonBlocking` is written on success only.
///
/// Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_SOCKET_INVALID_VALUE` (no socket).
#[unsafe(no_mangle)]
pub extern "C" fn pal_isNonBlocking(socket: palSocket_t, isNonBlocking: *mut bool) -> palStatus_t {
    status_of(|| {
        if isNonBlocking.is_null() {
            return Err(PAL_ERR_INVALID_ARGUMENT);
        }
        let non_blocking = find(socket)?.is_non_blocking()?;
        // SAFETY: not null, and the caller gives room for a flag.
        Ok(unsafe { pointer::write(isNonBlocking, non_blocking) }?)
    })
}

/// Gives the socket an address of this device. A length of 16 (IPv4) or 28 (IPv6) and more is taken. Any thread.
///
/// Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_SOCKET_INVALID_VALUE` (no socket, a length too short, bound already),
/// `PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY`, `PAL_ERR_SOCKET_ADDRESS_IN_USE`, `PAL_ERR_SOCKET_INVALID_ADDRESS` (not of this device),
/// `PAL_ERR_SOCKET_OPERATION_NOT_PERMITTED`, and those of bind(2).
#[unsafe(no_mangle)]
pub extern "C" fn pal_bind(
    socket: palSocket_t,
    myAddress: *mut palSocketAddress_t,
    addressLength: palSocketLength_t,
) -> palStatus_t {
    status_of(|| {
        // SAFETY: the caller gives an address of this length.
        let address = unsafe { address::read(myAddress, addressLength) }?;
        Ok(find(socket)?.bind(address)?)
    })
}

/// Lets a TCP socket take connections, of which `backlog` may wait: the callback tells of them. Any thread.
///
/// Errors: `PAL_ERR_SOCKET_INVALID_VALUE` (no socket), `PAL_ERR_SOCKET_ADDRESS_IN_USE`, `PAL_ERR_SOCKET_GENERIC` (a datagram socket),
/// and those of listen(2).
#[unsafe(no_mangle)]
pub extern "C" fn pal_listen(socket: palSocket_t, backlog: c_int) -> palStatus_t {
    status_of(|| Ok(find(socket)?.listen(backlog)?))
}

/// Takes a connection that waits: a socket like those of `pal_asynchronousSocketWithArgument`, with this callback.
///
/// `*addressLen` has to be 34 at least, the size of the structure, and is 34 afterwards; `*address` is where the connection comes
/// from. All three are written on success only. Accept until `PAL_ERR_SOCKET_WOULD_BLOCK`. Any thread.
///
/// Errors: `PAL_ERR_INVALID_ARGUMENT` (null, or room for less than 34 bytes), `PAL_ERR_NOT_INITIALIZED`,
/// `PAL_ERR_SOCKET_INVALID_VALUE` (no socket, or it does not listen), `PAL_ERR_SOCKET_WOULD_BLOCK` (none waits),
/// `PAL_ERR_SOCKET_ALLOCATION_FAILED` (no descriptors: the connection goes on waiting; accept again when some are free), and those of
/// accept(2).
#[unsafe(no_mangle)]
pub extern "C" fn pal_accept(
    socket: palSocket_t,
    address: *mut palSocketAddress_t,
    addressLen: *mut palSocketLength_t,
    acceptedSocket: *mut palSocket_t,
    callback: palAsyncSocketCallback_t,
    callbackArgument: *mut c_void,
) -> palStatus_t {
    status_of(|| {
        let callback = callback_of(callback, callbackArgument)?;
        // SAFETY: the caller gives a length.
        let room = unsafe { pointer::read(addressLen) }?;
        if address.is_null() || acceptedSocket.is_null() || room < ADDRESS_SIZE {
            return Err(PAL_ERR_INVALID_ARGUMENT);
        }
        let (number, from) = find(socket)?.accept(callback)?;
        // SAFETY: not null, and the caller gives room for all three.
        unsafe {
            address::write(address, std::ptr::null_mut(), from);
            let _ = pointer::write(addressLen, ADDRESS_SIZE);
            Ok(pointer::write(acceptedSocket, handle_of(number))?)
        }
    })
}

/// Connects a TCP socket, or sets the peer of a UDP socket. A length of 16 (IPv4) or 28 (IPv6) and more is taken. Any thread.
///
/// With TCP: `PAL_ERR_SOCKET_IN_PROGRES`, and the callback comes when the connection stands or has failed; until then calls say the
/// same. The first call after that says `PAL_SUCCESS`, or why it failed; the next ones say `PAL_ERR_SOCKET_ALREADY_CONNECTED`, or
/// connect anew.
///
/// Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_SOCKET_INVALID_VALUE` (no socket, a length too short),
/// `PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY`, `PAL_ERR_SOCKET_CONNECTION_RESET` (refused), `PAL_ERR_TIMEOUT_EXPIRED`,
/// `PAL_ERR_SOCKET_HOST_UNREACHABLE`, and those of connect(2).
#[unsafe(no_mangle)]
pub extern "C" fn pal_connect(
    socket: palSocket_t,
    address: *const palSocketAddress_t,
    addressLen: palSocketLength_t,
) -> palStatus_t {
    status_of(|| {
        // SAFETY: the caller gives an address of this length.
        let address = unsafe { address::read(address, addressLen) }?;
        Ok(find(socket)?.connect(address)?)
    })
}

/// Receives from a connected socket: what there is of a stream, or one datagram.
///
/// `*recievedDataSize` is written on success, and is 0 with `PAL_ERR_SOCKET_CONNECTION_CLOSED`, the end of a stream. Of a datagram
/// longer than the buffer the first `len` bytes are success, and the rest is dropped, which the log tells. Any thread.
///
/// Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_SOCKET_INVALID_VALUE` (no socket), `PAL_ERR_SOCKET_WOULD_BLOCK` (nothing now:
/// the callback tells when there is), `PAL_ERR_SOCKET_CONNECTION_CLOSED`, `PAL_ERR_SOCKET_CONNECTION_RESET`,
/// `PAL_ERR_SOCKET_NOT_CONNECTED`, and those of recv(2).
#[unsafe(no_mangle)]
pub extern "C" fn pal_recv(
    socket: palSocket_t,
    buf: *mut c_void,
    len: usize,
    recievedDataSize: *mut usize,
) -> palStatus_t {
    let nowhere = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: the caller gives a buffer of this length, and room for the size.
    status_of(|| unsafe { receive(socket, buf, len, nowhere, recievedDataSize) })
}

/// Receives as `pal_recv` does, and tells where it comes from.
///
/// `from` and `fromLength` may be null. `*fromLength` is written only: 16 for IPv4, 28 for IPv6, 0 where the sender is not told, as on
/// a stream. Any thread. Errors: those of `pal_recv`.
#[unsafe(no_mangle)]
pub extern "C" fn pal_receiveFrom(
    socket: palSocket_t,
    buffer: *mut c_void,
    length: usize,
    from: *mut palSocketAddress_t,
    fromLength: *mut palSocketLength_t,
    bytesReceived: *mut usize,
) -> palStatus_t {
    // SAFETY: the caller gives a buffer of this length, room for the size, and room for the address where it is not null.
    status_of(|| unsafe { receive(socket, buffer, length, (from, fromLength), bytesReceived) })
}

/// # Safety
/// `length` bytes at `buffer` and what else is not null can be written.
unsafe fn receive(
    handle: palSocket_t,
    buffer: *mut c_void,
    length: usize,
    (from, from_length): (*mut palSocketAddress_t, *mut palSocketLength_t),
    out: *mut usize,
) -> Result<(), palError_t> {
    // SAFETY: writable by the caller's promise.
    let room = unsafe { pointer::room(buffer.cast(), length) }?;
    if out.is_null() {
        return Err(PAL_ERR_INVALID_ARGUMENT);
    }
    let socket = find(handle)?;
    let received = socket.receive_from(room)?.ok_or(PAL_ERR_SOCKET_WOULD_BLOCK)?;
    let ended = socket.kind() == Kind::Stream && received.size == 0 && length > 0;
    if socket.kind() == Kind::Datagram && received.whole > received.size {
        let (whole, size) = (received.whole, received.size);
        log::warning(format_args!("a datagram of {whole} bytes was cut to {size}, the size of the buffer given"));
    }
    // SAFETY: not null, and writable by the caller's promise.
    unsafe { pointer::write(out, received.size) }?;
    if ended {
        return Err(PAL_ERR_SOCKET_CONNECTION_CLOSED);
    }
    // SAFETY: null or writable.
    unsafe { address::write(from, from_length, received.address) };
    Ok(())
}

/// Sends on a connected socket: what there is room for on a stream, or one datagram.
///
/// `*sentDataSize` is written on success only, and may be less than `len` on a stream: the callback tells when there is room for more.
/// No SIGPIPE is raised. Any thread.
///
/// Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_SOCKET_INVALID_VALUE` (no socket), `PAL_ERR_SOCKET_WOULD_BLOCK` (no room: the
/// callback tells when there is), `PAL_ERR_SOCKET_CONNECTION_RESET`, `PAL_ERR_SOCKET_SEND_BUFFER_TOO_BIG` (a datagram), and those of
/// send(2).
#[unsafe(no_mangle)]
pub extern "C" fn pal_send(
    socket: palSocket_t,
    buf: *const c_void,
    len: usize,
    sentDataSize: *mut usize,
) -> palStatus_t {
    // SAFETY: the caller gives as many bytes, and room for the size.
    status_of(|| unsafe { send(socket, buf, len, sentDataSize, |socket, bytes| Ok(socket.send(bytes)?)) })
}

/// Sends one datagram to an address. A length of 16 (IPv4) or 28 (IPv6) and more is taken.
///
/// `*bytesSent` is written on success only. On a stream the address is not looked at. Any thread. Errors: those of `pal_send`,
/// `PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY` and `PAL_ERR_SOCKET_HOST_UNREACHABLE`.
#[unsafe(no_mangle)]
pub extern "C" fn pal_sendTo(
    socket: palSocket_t,
    buffer: *const c_void,
    length: usize,
    to: *const palSocketAddress_t,
    toLength: palSocketLength_t,
    bytesSent: *mut usize,
) -> palStatus_t {
    status_of(|| {
        // Null is told before what else is wrong with the address.
        if buffer.is_null() || bytesSent.is_null() {
            return Err(PAL_ERR_INVALID_ARGUMENT);
        }
        // SAFETY: the caller gives an address of this length.
        let address = unsafe { address::read(to, toLength) }?;
        // SAFETY: the caller gives as many bytes, and room for the size.
        unsafe { send(socket, buffer, length, bytesSent, |socket, bytes| Ok(socket.send_to(bytes, address)?)) }
    })
}

/// # Safety
/// `length` bytes at `buffer` can be read; `out` is null or a size can be written there.
unsafe fn send(
    handle: palSocket_t,
    buffer: *const c_void,
    length: usize,
    out: *mut usize,
    send: impl FnOnce(&AsynchronousSocket, &[u8]) -> Result<Option<usize>, palError_t>,
) -> Result<(), palError_t> {
    if buffer.is_null() || out.is_null() {
        return Err(PAL_ERR_INVALID_ARGUMENT);
    }
    // SAFETY: readable by the caller's promise.
    let bytes = unsafe { pointer::bytes(buffer.cast(), length) }?;
    let sent = send(&*find(handle)?, bytes)?.ok_or(PAL_ERR_SOCKET_WOULD_BLOCK)?;
    // SAFETY: not null, and writable by the caller's promise.
    Ok(unsafe { pointer::write(out, sent) }?)
}
