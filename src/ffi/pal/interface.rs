//! Network interfaces: registered by name, known by an index from then on.

use super::address;
use super::status::palError_t::{
    self, PAL_ERR_INVALID_ARGUMENT, PAL_ERR_ITEM_NOT_EXIST, PAL_ERR_NOT_SUPPORTED,
    PAL_ERR_SOCKET_MAX_NUMBER_OF_INTERFACES_REACHED,
};
use super::status::palStatus_t;
use super::status_of;
use super::types::{Argument, connectionStatusCallback, palNetInterfaceInfo_t, palNetworkStatus_t};
use crate::ffi::connection_status;
use crate::ffi::pointer;
use crate::net::interface::{self, Interface};
use crate::net::pal::status;
use crate::settings::PAL_MAX_SUPORTED_NET_INTERFACES;
use std::ffi::{c_char, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The index that stands for the default interface without being registered (`PAL_NET_DEFAULT_INTERFACE`), and the bytes that
/// stand for it where a name is expected.
pub(super) const DEFAULT_INDEX: u32 = u32::MAX;

/// The room for a name, with the NUL that ends it (`PAL_NET_MAX_IF_NAME_LENGTH`, and `IFNAMSIZ` of Linux).
pub(super) const NAME_SIZE: usize = 16;

/// A place in the table; no name stands for the default interface.
#[derive(Clone, PartialEq, Eq)]
struct Registered {
    name: Option<String>,
}

static REGISTERED: Mutex<[Option<Registered>; PAL_MAX_SUPORTED_NET_INTERFACES]> =
    Mutex::new([const { None }; PAL_MAX_SUPORTED_NET_INTERFACES]);

fn registered() -> MutexGuard<'static, [Option<Registered>; PAL_MAX_SUPORTED_NET_INTERFACES]> {
    REGISTERED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The interface of an index.
fn at(index: u32) -> Result<Registered, palError_t> {
    if index == DEFAULT_INDEX {
        return Ok(Registered { name: None });
    }
    let place = usize::try_from(index).ok().and_then(|index| registered().get(index)?.clone());
    place.ok_or(PAL_ERR_INVALID_ARGUMENT)
}

/// Registers an interface and gives the index that it is known by. The same interface has the same index.
///
/// The context is the name of the interface, which need not exist yet: up to 15 bytes and a NUL. It is copied. Null, or four bytes 0xFF
/// (the number `0xFFFFFFFF` in place of a name), mean the default interface. `*interfaceIndex` is written on success only. Any thread.
///
/// Errors: `PAL_ERR_INVALID_ARGUMENT` (null index, an empty or longer name), `PAL_ERR_SOCKET_MAX_NUMBER_OF_INTERFACES_REACHED` (the
/// table holds `PAL_MAX_SUPORTED_NET_INTERFACES`, 1 unless configured).
#[unsafe(no_mangle)]
pub extern "C" fn pal_registerNetworkInterface(
    networkInterfaceContext: *mut c_void,
    interfaceIndex: *mut u32,
) -> palStatus_t {
    status_of(|| {
        if interfaceIndex.is_null() {
            return Err(PAL_ERR_INVALID_ARGUMENT);
        }
        // SAFETY: the caller gives null, a name that ends with NUL, or a number of four bytes 0xFF.
        let new = unsafe { read_context(networkInterfaceContext.cast()) }?;
        let mut places = registered();
        let index = places.iter().position(|place| place.as_ref() == Some(&new));
        let index = index.or_else(|| places.iter().position(Option::is_none));
        let index = index.ok_or(PAL_ERR_SOCKET_MAX_NUMBER_OF_INTERFACES_REACHED)?;
        places[index] = Some(new);
        drop(places);
        // SAFETY: not null, and the caller gives room for an index.
        Ok(unsafe { pointer::write(interfaceIndex, index as u32) }?)
    })
}

/// Reads byte by byte, and not beyond the end of what stands there.
///
/// # Safety
/// `context` is null, or points to bytes up to a NUL, or to four bytes 0xFF.
unsafe fn read_context(context: *const u8) -> Result<Registered, palError_t> {
    if context.is_null() {
        return Ok(Registered { name: None });
    }
    let mut name = Vec::with_capacity(NAME_SIZE);
    while name.len() < NAME_SIZE {
        // SAFETY: no NUL and no end came before this byte.
        let byte = unsafe { pointer::read(context.add(name.len())) }?;
        if byte == 0 {
            break;
        }
        name.push(byte);
        if name == DEFAULT_INDEX.to_ne_bytes() {
            return Ok(Registered { name: None });
        }
    }
    if name.is_empty() || name.len() == NAME_SIZE {
        return Err(PAL_ERR_INVALID_ARGUMENT);
    }
    Ok(Registered { name: Some(String::from_utf8_lossy(&name).into_owned()) })
}

/// Takes an interface off the table. Its status callback does not run when this returns, and will not begin, unless this is that
/// callback. Sockets are not touched. Any thread.
///
/// Errors: `PAL_ERR_INVALID_ARGUMENT` (an index that is not registered).
#[unsafe(no_mangle)]
pub extern "C" fn pal_unregisterNetworkInterface(interfaceIndex: u32) -> palStatus_t {
    status_of(|| {
        let index = interfaceIndex as usize;
        let take = || registered().get_mut(index).and_then(Option::take).is_some();
        if status::unsubscribe_if(index, take) { Ok(()) } else { Err(PAL_ERR_INVALID_ARGUMENT) }
    })
}

/// Tells how many interfaces are registered. Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null).
#[unsafe(no_mangle)]
pub extern "C" fn pal_getNumberOfNetInterfaces(numInterfaces: *mut u32) -> palStatus_t {
    status_of(|| {
        let count = registered().iter().flatten().count();
        // SAFETY: null, or the caller gives room for a number.
        Ok(unsafe { pointer::write(numInterfaces, count as u32) }?)
    })
}

/// Tells an interface's name and address as they are now: an address of IPv4 before one of IPv6, one that reaches beyond the link
/// before one that does not. The default interface (`0xFFFFFFFF`, or registered as such) is the one of the default route, else the
/// first that is up. `*interfaceInfo` is written on success only. Any thread.
///
/// Errors: `PAL_ERR_INVALID_ARGUMENT` (null, or an index that is not registered), `PAL_ERR_ITEM_NOT_EXIST` (there is no such interface
/// at the moment, or it has no address), those of getifaddrs(3).
#[unsafe(no_mangle)]
pub extern "C" fn pal_getNetInterfaceInfo(interfaceNum: u32, interfaceInfo: *mut palNetInterfaceInfo_t) -> palStatus_t {
    status_of(|| {
        if interfaceInfo.is_null() {
            return Err(PAL_ERR_INVALID_ARGUMENT);
        }
        let asked = at(interfaceNum)?;
        let interfaces = interface::list()?;
        let found = match &asked.name {
            Some(name) => interfaces.iter().find(|interface| interface.name == *name),
            None => interface::default_of(&interfaces),
        };
        let info = found.and_then(info_of).ok_or(PAL_ERR_ITEM_NOT_EXIST)?;
        // SAFETY: not null, and the caller gives room for it.
        Ok(unsafe { pointer::write(interfaceInfo, info) }?)
    })
}

fn info_of(interface: &Interface) -> Option<palNetInterfaceInfo_t> {
    let (address, addressSize) = address::structure_of(interface.address()?);
    let mut interfaceName = [0; NAME_SIZE];
    // The last byte stays NUL.
    for (place, byte) in interfaceName[..NAME_SIZE - 1].iter_mut().zip(interface.name.bytes()) {
        *place = byte as c_char;
    }
    Some(palNetInterfaceInfo_t { interfaceName, address, addressSize })
}

/// Has `callback` called, with `client_arg`, when an interface gets a link and an address, or loses them.
///
/// Only after `mcc_pal_enable_connection_status(true)`; without it the answer is `PAL_ERR_NOT_SUPPORTED`, which the client expects.
/// `PAL_NETWORK_STATUS_CONNECTED` is told when the interface gets a link and an address, and once more when it gets its first address
/// that reaches beyond the link; `PAL_NETWORK_STATUS_DISCONNECTED` when it loses what was told. What is the case at the time of this
/// call is not told. A callback takes the place of the one before, which stays where this fails. The default interface is the one of the default route, else the first that is up but loopback, at each change.
///
/// A null callback ends it, and so do `pal_unregisterNetworkInterface` and `pal_plat_socketsTerminate`: when they return it does not run
/// and will not begin, unless they are called from it. The callback comes from the layer's own thread. Any thread.
///
/// Errors: `PAL_ERR_NOT_SUPPORTED`, `PAL_ERR_INVALID_ARGUMENT` (an index that is not registered), `PAL_ERR_NOT_INITIALIZED`,
/// `PAL_ERR_SOCKET_ALLOCATION_FAILED` (no descriptors), and those of socket(2).
#[unsafe(no_mangle)]
pub extern "C" fn pal_setConnectionStatusCallback(
    interfaceIndex: u32,
    callback: connectionStatusCallback,
    client_arg: *mut c_void,
) -> palStatus_t {
    status_of(|| {
        if !connection_status::is_enabled() {
            return Err(PAL_ERR_NOT_SUPPORTED);
        }
        let Some(callback) = callback else {
            at(interfaceIndex)?;
            status::unsubscribe(interfaceIndex as usize);
            return Ok(());
        };
        let argument = Argument::new(client_arg);
        let call = move |connected| {
            let status = if connected {
                palNetworkStatus_t::PAL_NETWORK_STATUS_CONNECTED
            } else {
                palNetworkStatus_t::PAL_NETWORK_STATUS_DISCONNECTED
            };
            callback(status, argument.get());
        };
        status::subscribe(interfaceIndex as usize, || Ok(at(interfaceIndex)?.name), Box::new(call))
    })
}
