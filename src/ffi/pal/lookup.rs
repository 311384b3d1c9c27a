//! Lookups of names, in the version that the configuration asks for (`PAL_DNS_API_VERSION`): 0 waits for the answer; 1 has a
//! callback beside that; 3 has a callback, several addresses and cancelling in its place.

use super::address;
use super::status::palError_t::{self, PAL_ERR_INVALID_ARGUMENT, PAL_ERR_SOCKET_DNS_ERROR};
use super::status::palStatus_t;
use super::status_of;
use super::types::palSocketAddress_t;
use crate::error::Failure;
use crate::ffi::pointer;
use crate::log;
use crate::settings::PAL_DNS_FAMILIES;
use std::ffi::{CStr, c_char};
use std::net::SocketAddr;

/// The name at `hostname`; what is not UTF-8 is no name of the DNS.
///
/// # Safety
/// `hostname` is null or a string that ends with NUL stands there while the result lives.
unsafe fn name_at<'a>(hostname: *const c_char) -> Result<&'a str, palError_t> {
    // SAFETY: by the caller's promise.
    let name: &CStr = unsafe { pointer::text(hostname) }.ok_or(PAL_ERR_INVALID_ARGUMENT)?;
    name.to_str().map_err(|_| PAL_ERR_SOCKET_DNS_ERROR)
}

/// The addresses of the families that are configured, in the resolver's order.
fn usable(answer: Result<Vec<SocketAddr>, Failure>) -> Result<Vec<SocketAddr>, palError_t> {
    let mut addresses = answer.map_err(|failure| {
        log::warning(format_args!("a name could not be looked up: {failure}"));
        PAL_ERR_SOCKET_DNS_ERROR
    })?;
    let (ipv4, ipv6) = PAL_DNS_FAMILIES;
    addresses.retain(|address| if address.is_ipv4() { ipv4 } else { ipv6 });
    if addresses.is_empty() { Err(PAL_ERR_SOCKET_DNS_ERROR) } else { Ok(addresses) }
}

#[cfg(any(pal_dns_api_version = "0", pal_dns_api_version = "1"))]
pub(super) mod waiting {
    use super::*;
    use crate::ffi::pal::types::palSocketLength_t;
    use crate::net::resolver;

    /// Looks a name up, or reads an address that is written as text, and gives one address with port 0: the one that the system's
    /// resolver puts first, of the families that `PAL_NET_DNS_IP_SUPPORT` allows.
    ///
    /// Waits as long as the system's resolver takes. `*addressLength` is written only: 16 for IPv4, 28 for IPv6. Any thread; from a
    /// callback it holds up all others.
    ///
    /// Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_SOCKET_DNS_ERROR`.
    #[unsafe(no_mangle)]
    pub extern "C" fn pal_getAddressInfo(
        hostname: *const c_char,
        address: *mut palSocketAddress_t,
        addressLength: *mut palSocketLength_t,
    ) -> palStatus_t {
        status_of(|| {
            if address.is_null() || addressLength.is_null() {
                return Err(PAL_ERR_INVALID_ARGUMENT);
            }
            // SAFETY: the caller gives a string.
            let name = unsafe { name_at(hostname) }?;
            let addresses = usable(resolver::look_up_now(name, 0))?;
            // SAFETY: not null, and the caller gives room for both.
            unsafe { address::write(address, addressLength, addresses.first().copied()) };
            Ok(())
        })
    }
}

#[cfg(pal_dns_api_version = "1")]
pub(super) mod calling_back {
    use super::*;
    use crate::ffi::pal::types::{Argument, palSocketLength_t};
    use crate::net::pal::lookup;
    use std::ffi::{CString, c_void};

    /// Takes the answer to a lookup, on the layer's own thread. `hostname` is gone when it returns.
    pub type palGetAddressInfoAsyncCallback_t = Option<
        extern "C" fn(
            hostname: *const c_char,
            address: *mut palSocketAddress_t,
            addressLength: *mut palSocketLength_t,
            status: palStatus_t,
            callbackArgument: *mut c_void,
        ),
    >;

    /// Looks a name up as `pal_getAddressInfo` does, without waiting: `callback` is called once, with `PAL_SUCCESS` or
    /// `PAL_ERR_SOCKET_DNS_ERROR`, never within this call. `pal_plat_socketsTerminate` before that cancels it.
    ///
    /// The name is copied. `address` and `addressLength` are written before the callback, on success, and have to last until then.
    /// Any thread.
    ///
    /// Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_NOT_INITIALIZED`, `PAL_ERR_SOCKET_DNS_ERROR` (not UTF-8),
    /// `PAL_ERR_SOCKET_NO_BUFFERS` (no memory).
    #[unsafe(no_mangle)]
    pub extern "C" fn pal_getAddressInfoAsync(
        hostname: *const c_char,
        address: *mut palSocketAddress_t,
        addressLength: *mut palSocketLength_t,
        callback: palGetAddressInfoAsyncCallback_t,
        callbackArgument: *mut c_void,
    ) -> palStatus_t {
        status_of(|| {
            let callback = callback.ok_or(PAL_ERR_INVALID_ARGUMENT)?;
            if address.is_null() || addressLength.is_null() {
                return Err(PAL_ERR_INVALID_ARGUMENT);
            }
            // SAFETY: the caller gives a string.
            let name = unsafe { name_at(hostname) }?.to_owned();
            let text = CString::new(name.clone()).map_err(|_| PAL_ERR_INVALID_ARGUMENT)?;
            let places = (Argument::new(address.cast()), Argument::new(addressLength.cast()));
            let argument = Argument::new(callbackArgument);
            let answer = move |answer| {
                let (address, length) = (places.0.get().cast(), places.1.get().cast());
                let status = match usable(answer) {
                    Ok(addresses) => {
                        // SAFETY: the caller keeps both until the callback.
                        unsafe { address::write(address, length, addresses.first().copied()) };
                        palError_t::PAL_SUCCESS
                    }
                    Err(error) => error,
                };
                callback(text.as_ptr(), address, length, status as palStatus_t, argument.get());
            };
            Ok(lookup::begin(name, |_| (), Box::new(answer))?)
        })
    }
}

#[cfg(pal_dns_api_version = "3")]
pub(super) mod cancelling {
    use super::*;
    use crate::ffi::pal::keeping_errno;
    use crate::ffi::pal::types::Argument;
    use crate::net::pal::lookup;
    use std::collections::BTreeMap;
    use std::ffi::{CString, c_int, c_void};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    /// What an answer points to. Its content means nothing to the application.
    pub type palAddressInfo_t = *mut c_void;

    /// A lookup. 0 is none.
    pub type palDNSQuery_t = usize;

    /// Takes the answer to a lookup, on the layer's own thread. `hostname` is gone when it returns. `addrInfo` is null unless the status is
    /// `PAL_SUCCESS`, and is the application's until `pal_freeAddrInfo`.
    pub type palGetAddressInfoAsyncCallback_t = Option<
        extern "C" fn(
            hostname: *const c_char,
            addrInfo: *mut palAddressInfo_t,
            status: palStatus_t,
            callbackArgument: *mut c_void,
        ),
    >;

    /// An answer that the application has. The pointer that it holds is the first field's.
    struct Answer {
        own_address: usize,
        addresses: Vec<SocketAddr>,
    }

    /// Those that were not freed, by their addresses: whatever else is handed in is not followed.
    static ANSWERS: Mutex<BTreeMap<usize, Box<Answer>>> = Mutex::new(BTreeMap::new());

    fn answers() -> MutexGuard<'static, BTreeMap<usize, Box<Answer>>> {
        ANSWERS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(addresses: Vec<SocketAddr>) -> *mut palAddressInfo_t {
        let mut answer = Box::new(Answer { own_address: 0, addresses });
        let pointer = (&raw mut answer.own_address).cast::<palAddressInfo_t>();
        answer.own_address = pointer.addr();
        answers().insert(pointer.addr(), answer);
        pointer
    }

    /// Looks a name up without waiting, or reads an address that is written as text: `callback` is called once, with all addresses of
    /// the families that `PAL_NET_DNS_IP_SUPPORT` allows, unless the lookup is cancelled first. It is never called within this call.
    ///
    /// The name is copied. `*queryHandle`, which is not 0, is written before the callback can run. `pal_plat_socketsTerminate` cancels
    /// the lookup too. Any thread.
    ///
    /// Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_NOT_INITIALIZED`, `PAL_ERR_SOCKET_DNS_ERROR` (not UTF-8),
    /// `PAL_ERR_SOCKET_NO_BUFFERS` (no memory).
    #[unsafe(no_mangle)]
    pub extern "C" fn pal_getAddressInfoAsync(
        hostname: *const c_char,
        callback: palGetAddressInfoAsyncCallback_t,
        callbackArgument: *mut c_void,
        queryHandle: *mut palDNSQuery_t,
    ) -> palStatus_t {
        status_of(|| {
            let callback = callback.ok_or(PAL_ERR_INVALID_ARGUMENT)?;
            if queryHandle.is_null() {
                return Err(PAL_ERR_INVALID_ARGUMENT);
            }
            // SAFETY: the caller gives a string.
            let name = unsafe { name_at(hostname) }?.to_owned();
            let text = CString::new(name.clone()).map_err(|_| PAL_ERR_INVALID_ARGUMENT)?;
            let argument = Argument::new(callbackArgument);
            let answer = move |answer| {
                let (info, status) = match usable(answer) {
                    Ok(addresses) => (keep(addresses), palError_t::PAL_SUCCESS),
                    Err(error) => (std::ptr::null_mut(), error),
                };
                callback(text.as_ptr(), info, status as palStatus_t, argument.get());
            };
            let tell = |number| {
                // SAFETY: not null, and the caller gives room for a handle.
                let _ = unsafe { pointer::write(queryHandle, number) };
            };
            Ok(lookup::begin(name, tell, Box::new(answer))?)
        })
    }

    /// Cancels a lookup: when this returns, its callback does not run and will not begin, unless this is that callback. 0 and the
    /// handle of a lookup that is over do nothing. Any thread. Always `PAL_SUCCESS`.
    #[unsafe(no_mangle)]
    pub extern "C" fn pal_cancelAddressInfoAsync(queryHandle: palDNSQuery_t) -> palStatus_t {
        status_of(|| {
            lookup::cancel(queryHandle);
            Ok(())
        })
    }

    /// Gives a handle back; a lookup that is not answered is cancelled, as by `pal_cancelAddressInfoAsync`. 0 and a handle that was given
    /// back do nothing. What the callback was given stays. Any thread. Always `PAL_SUCCESS`.
    #[unsafe(no_mangle)]
    pub extern "C" fn pal_free_addressinfoAsync(handle: palDNSQuery_t) -> palStatus_t {
        pal_cancelAddressInfoAsync(handle)
    }

    /// How many addresses an answer has; 0 for null and for one that was freed. Any thread.
    #[unsafe(no_mangle)]
    pub extern "C" fn pal_getDNSCount(addrInfo: *mut palAddressInfo_t) -> c_int {
        keeping_errno(0, || {
            let count = answers().get(&addrInfo.addr()).map_or(0, |answer| answer.addresses.len());
            c_int::try_from(count).unwrap_or(c_int::MAX)
        })
    }

    /// Gives one address of an answer, counted from 0, with port 0. `*addr` is written on success only. Any thread.
    ///
    /// Errors: `PAL_ERR_INVALID_ARGUMENT` (null, an answer that was freed, an index behind the last).
    #[unsafe(no_mangle)]
    pub extern "C" fn pal_getDNSAddress(
        addrInfo: *mut palAddressInfo_t,
        index: u16,
        addr: *mut palSocketAddress_t,
    ) -> palStatus_t {
        status_of(|| {
            if addr.is_null() {
                return Err(PAL_ERR_INVALID_ARGUMENT);
            }
            let address =
                answers().get(&addrInfo.addr()).and_then(|answer| answer.addresses.get(index as usize).copied());
            let address = address.ok_or(PAL_ERR_INVALID_ARGUMENT)?;
            // SAFETY: not null, and the caller gives room for an address.
            unsafe { address::write(addr, std::ptr::null_mut(), Some(address)) };
            Ok(())
        })
    }

    /// Frees an answer. Null, and one that was freed, do nothing. Any thread.
    #[unsafe(no_mangle)]
    pub extern "C" fn pal_freeAddrInfo(addrInfo: *mut palAddressInfo_t) {
        keeping_errno((), || drop(answers().remove(&addrInfo.addr())));
    }
}
