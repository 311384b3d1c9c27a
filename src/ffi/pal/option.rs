//! Options of sockets.

use super::socket::find;
use super::status::palError_t::{
    self, PAL_ERR_INVALID_ARGUMENT, PAL_ERR_NOT_SUPPORTED, PAL_ERR_SOCKET_INVALID_VALUE,
    PAL_ERR_SOCKET_OPTION_NOT_SUPPORTED,
};
use super::status::palStatus_t;
use super::status_of;
use super::types::palSocketOptionLevelName_t::{PAL_SOL_IPPROTO_IPV6, PAL_SOL_SOCKET};
use super::types::palSocketOptionName_t::{
    PAL_SO_IPV6_MULTICAST_HOPS, PAL_SO_IPV6_TRAFFIC_CLASS, PAL_SO_KEEPALIVE, PAL_SO_KEEPIDLE, PAL_SO_KEEPINTVL,
    PAL_SO_RCVTIMEO, PAL_SO_REUSEADDR, PAL_SO_SNDTIMEO,
};
use super::types::{SocketOptionLevelName, palSocket_t, palSocketLength_t};
use crate::ffi::pointer;
use crate::net::socket::{Family, SocketOption};
use std::ffi::{c_int, c_void};
use std::time::Duration;

const SOCKET_LEVEL: u32 = PAL_SOL_SOCKET as u32;
const IPV6_LEVEL: u32 = PAL_SOL_IPPROTO_IPV6 as u32;

/// Sets an option of the level `PAL_SOL_SOCKET`: see `palSocketOptionName_t`.
///
/// The value is an `int`, of whose bytes `optionLength` counts at least four; what is beyond is not looked at. Any thread.
///
/// Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_SOCKET_INVALID_VALUE` (no socket, a length below 4, a value out of range),
/// `PAL_ERR_SOCKET_OPTION_NOT_SUPPORTED` (no such option at this level), and those of setsockopt(2).
#[unsafe(no_mangle)]
pub extern "C" fn pal_setSocketOptions(
    socket: palSocket_t,
    optionName: c_int,
    optionValue: *const c_void,
    optionLength: palSocketLength_t,
) -> palStatus_t {
    // SAFETY: the caller gives a value of this length.
    status_of(|| unsafe { set(socket, SOCKET_LEVEL, optionName, optionValue, optionLength) })
}

/// Sets an option of a level: see `palSocketOptionName_t`.
///
/// At the level `PAL_SOL_IPPROTO_IPV6` the value is an `int16_t` (a length of 2 or 3) or an `int`; at `PAL_SOL_SOCKET` as with
/// `pal_setSocketOptions`. Any thread.
///
/// Errors: those of `pal_setSocketOptions`, and `PAL_ERR_NOT_SUPPORTED` (an option of IPv6 on a socket of IPv4).
#[unsafe(no_mangle)]
pub extern "C" fn pal_setSocketOptionsWithLevel(
    socket: palSocket_t,
    optionLevel: SocketOptionLevelName,
    optionName: c_int,
    optionValue: *const c_void,
    optionLength: palSocketLength_t,
) -> palStatus_t {
    // SAFETY: the caller gives a value of this length.
    status_of(|| unsafe { set(socket, optionLevel, optionName, optionValue, optionLength) })
}

/// # Safety
/// `value` is null or `length` bytes can be read there.
unsafe fn set(
    socket: palSocket_t,
    level: u32,
    name: c_int,
    value: *const c_void,
    length: palSocketLength_t,
) -> Result<(), palError_t> {
    if value.is_null() {
        return Err(PAL_ERR_INVALID_ARGUMENT);
    }
    let socket = find(socket)?;
    // SAFETY: by the caller's promise.
    let value = || unsafe { read(level, value, length) };
    let option = match (level, name) {
        (SOCKET_LEVEL, name) if name == PAL_SO_REUSEADDR as c_int => SocketOption::ReuseAddress(value()? != 0),
        (SOCKET_LEVEL, name) if name == PAL_SO_KEEPALIVE as c_int => SocketOption::Keepalive(value()? != 0),
        (SOCKET_LEVEL, name) if name == PAL_SO_KEEPIDLE as c_int => SocketOption::KeepaliveIdle(seconds(value()?)?),
        (SOCKET_LEVEL, name) if name == PAL_SO_KEEPINTVL as c_int => {
            SocketOption::KeepaliveInterval(seconds(value()?)?)
        }
        (SOCKET_LEVEL, name) if name == PAL_SO_SNDTIMEO as c_int => SocketOption::SendTimeout(timeout(value()?)?),
        (SOCKET_LEVEL, name) if name == PAL_SO_RCVTIMEO as c_int => SocketOption::ReceiveTimeout(timeout(value()?)?),
        (IPV6_LEVEL, name) if name == PAL_SO_IPV6_MULTICAST_HOPS as c_int => SocketOption::MulticastHops(value()?),
        (IPV6_LEVEL, name) if name == PAL_SO_IPV6_TRAFFIC_CLASS as c_int => SocketOption::TrafficClass(value()?),
        _ => return Err(PAL_ERR_SOCKET_OPTION_NOT_SUPPORTED),
    };
    if level == IPV6_LEVEL && socket.family()? == Family::Ipv4 {
        return Err(PAL_ERR_NOT_SUPPORTED);
    }
    Ok(socket.set(option)?)
}

/// Reads the number from the first bytes of the value.
///
/// # Safety
/// `length` bytes can be read at `value`.
unsafe fn read(level: u32, value: *const c_void, length: palSocketLength_t) -> Result<c_int, palError_t> {
    let number = match length {
        // SAFETY: four bytes are readable by the caller's promise.
        4.. => unsafe { pointer::read(value.cast::<c_int>()) },
        // SAFETY: two bytes are readable by the caller's promise.
        2 | 3 if level == IPV6_LEVEL => unsafe { pointer::read(value.cast::<i16>()) }.map(c_int::from),
        _ => return Err(PAL_ERR_SOCKET_INVALID_VALUE),
    };
    Ok(number?)
}

fn seconds(value: c_int) -> Result<Duration, palError_t> {
    u64::try_from(value).map(Duration::from_secs).map_err(|_| PAL_ERR_SOCKET_INVALID_VALUE)
}

fn timeout(milliseconds: c_int) -> Result<Option<Duration>, palError_t> {
    let milliseconds = u64::try_from(milliseconds).map_err(|_| PAL_ERR_SOCKET_INVALID_VALUE)?;
    Ok((milliseconds > 0).then(|| Duration::from_millis(milliseconds)))
}
