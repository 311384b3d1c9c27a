//! Addresses as the PAL holds them.

use super::status::palError_t::{
    self, PAL_ERR_INVALID_ARGUMENT, PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY, PAL_ERR_SOCKET_INVALID_VALUE,
};
use super::status::palStatus_t;
use super::status_of;
use super::types::{palSocketAddress_t, palSocketDomain_t, palSocketLength_t};
use crate::ffi::pointer;
use std::ffi::{c_char, c_ushort};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// The size of `struct sockaddr_in`: family, port, address, eight bytes of nothing.
const IPV4_SIZE: usize = 16;
/// The size of `struct sockaddr_in6`: family, port, flow information, address, scope.
const IPV6_SIZE: usize = 28;
/// The size of a [`palSocketAddress_t`].
const SIZE: usize = size_of::<palSocketAddress_t>();

/// The well-known prefix 64:ff9b::/96 of RFC 6052 section 2.1.
const NAT64_PREFIX: [u8; 12] = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];

const IPV4: c_ushort = palSocketDomain_t::PAL_AF_INET as c_ushort;
const IPV6: c_ushort = palSocketDomain_t::PAL_AF_INET6 as c_ushort;

/// The address at `pointer`, of which `length` bytes are given: at least what the family needs.
///
/// # Safety
/// `pointer` is null, or `length` bytes can be read there, or as many as the family needs.
pub(super) unsafe fn read(
    pointer: *const palSocketAddress_t,
    length: palSocketLength_t,
) -> Result<SocketAddr, palError_t> {
    if pointer.is_null() {
        return Err(PAL_ERR_INVALID_ARGUMENT);
    }
    let length = length as usize;
    if length < size_of::<c_ushort>() {
        return Err(PAL_ERR_SOCKET_INVALID_VALUE);
    }
    // SAFETY: not null, and the family is readable by the caller's promise.
    let size = size_of_family(unsafe { family_of(pointer) }?)?;
    if length < size {
        return Err(PAL_ERR_SOCKET_INVALID_VALUE);
    }
    // SAFETY: as many bytes as the family needs are readable.
    decode(unsafe { pointer::bytes(pointer.cast(), size) }?)
}

/// Writes an address to where `pointer` points, and the size of what it holds to `length`; either may be null.
///
/// # Safety
/// What is not null is writable.
pub(super) unsafe fn write(
    pointer: *mut palSocketAddress_t,
    length: *mut palSocketLength_t,
    address: Option<SocketAddr>,
) {
    let (encoded, size) = address.map_or(([0; SIZE], 0), encode);
    // SAFETY: writable by the caller's promise, or null: then nothing is written.
    unsafe {
        let _ = pointer::write(pointer.cast::<[u8; SIZE]>(), encoded);
        let _ = pointer::write(length, size);
    }
}

/// The address as the PAL holds it, and the size of what it holds.
pub(super) fn structure_of(address: SocketAddr) -> (palSocketAddress_t, palSocketLength_t) {
    let (bytes, size) = encode(address);
    let mut addressData = [0; 32];
    for (data, byte) in addressData.iter_mut().zip(&bytes[2..]) {
        *data = *byte as c_char;
    }
    (palSocketAddress_t { addressType: c_ushort::from_ne_bytes([bytes[0], bytes[1]]), addressData }, size)
}

fn size_of_family(family: c_ushort) -> Result<usize, palError_t> {
    match family {
        IPV4 => Ok(IPV4_SIZE),
        IPV6 => Ok(IPV6_SIZE),
        _ => Err(PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY),
    }
}

/// # Safety
/// `pointer` is null, or the family can be read there.
unsafe fn family_of(pointer: *const palSocketAddress_t) -> Result<c_ushort, palError_t> {
    // SAFETY: by the caller's promise.
    Ok(unsafe { pointer::read(pointer.cast()) }?)
}

fn decode(bytes: &[u8]) -> Result<SocketAddr, palError_t> {
    match *bytes {
        [f0, f1, p0, p1, a, b, c, d, ..] if c_ushort::from_ne_bytes([f0, f1]) == IPV4 => {
            Ok(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([p0, p1])).into())
        }
        [f0, f1, p0, p1, w0, w1, w2, w3, ref rest @ ..] if c_ushort::from_ne_bytes([f0, f1]) == IPV6 => {
            let invalid = PAL_ERR_SOCKET_INVALID_VALUE;
            let (address, scope) = rest.split_first_chunk::<16>().ok_or(invalid)?;
            let scope = u32::from_ne_bytes(*scope.first_chunk().ok_or(invalid)?);
            let flow = u32::from_be_bytes([w0, w1, w2, w3]);
            Ok(SocketAddrV6::new(Ipv6Addr::from(*address), u16::from_be_bytes([p0, p1]), flow, scope).into())
        }
        _ => Err(PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY),
    }
}

fn encode(address: SocketAddr) -> ([u8; SIZE], palSocketLength_t) {
    let mut bytes = [0; SIZE];
    bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
    match address {
        SocketAddr::V4(address) => {
            bytes[..2].copy_from_slice(&IPV4.to_ne_bytes());
            bytes[4..8].copy_from_slice(&address.ip().octets());
            (bytes, IPV4_SIZE as palSocketLength_t)
        }
        SocketAddr::V6(address) => {
            bytes[..2].copy_from_slice(&IPV6.to_ne_bytes());
            bytes[4..8].copy_from_slice(&address.flowinfo().to_be_bytes());
            bytes[8..24].copy_from_slice(&address.ip().octets());
            bytes[24..28].copy_from_slice(&address.scope_id().to_ne_bytes());
            (bytes, IPV6_SIZE as palSocketLength_t)
        }
    }
}

/// Sets family and address, and nothing else: callers set the port before or after, and their structure may be uninitialised.
///
/// # Safety
/// `address` is null or points to a [`palSocketAddress_t`].
unsafe fn set<const COUNT: usize>(
    address: *mut palSocketAddress_t,
    family: c_ushort,
    octets: [u8; COUNT],
) -> Result<(), palError_t> {
    let offset = if family == IPV4 { 4 } else { 8 };
    // SAFETY: null, or writable by the caller's promise.
    unsafe { pointer::write(address.cast(), family) }?;
    // SAFETY: not null; the address ends within the structure.
    let place = unsafe { address.cast::<u8>().add(offset) };
    // SAFETY: as above.
    Ok(unsafe { pointer::write(place.cast(), octets) }?)
}

/// # Safety
/// `from` is null or `COUNT` bytes can be read there.
unsafe fn octets<const COUNT: usize>(from: *const u8) -> Result<[u8; COUNT], palError_t> {
    // SAFETY: by the caller's promise.
    Ok(unsafe { pointer::read(from.cast()) }?)
}

/// Sets the address to this one of IPv4, four bytes in network order, and its family. The port stays.
///
/// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null).
#[unsafe(no_mangle)]
pub extern "C" fn pal_setSockAddrIPV4Addr(address: *mut palSocketAddress_t, ipV4Addr: *mut u8) -> palStatus_t {
    // SAFETY: the caller gives an address and four bytes.
    status_of(|| unsafe { set::<4>(address, IPV4, octets(ipV4Addr)?) })
}

/// Sets the address to this one of IPv6, sixteen bytes in network order, and its family. Port, flow information and scope stay.
///
/// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null).
#[unsafe(no_mangle)]
pub extern "C" fn pal_setSockAddrIPV6Addr(address: *mut palSocketAddress_t, ipV6Addr: *mut u8) -> palStatus_t {
    // SAFETY: the caller gives an address and sixteen bytes.
    status_of(|| unsafe { set::<16>(address, IPV6, octets(ipV6Addr)?) })
}

/// Sets the address to that of an IPv4 host behind a NAT64, in the well-known prefix `64:ff9b::/96` (RFC 6052 section 2.1), and its
/// family to IPv6. Port, flow information and scope stay.
///
/// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null).
#[unsafe(no_mangle)]
pub extern "C" fn pal_setSockAddrNAT64Addr(address: *mut palSocketAddress_t, ipV4Addr: *mut u8) -> palStatus_t {
    // SAFETY: the caller gives an address and four bytes.
    status_of(|| unsafe {
        let mut mapped = [0; 16];
        mapped[..12].copy_from_slice(&NAT64_PREFIX);
        mapped[12..].copy_from_slice(&octets::<4>(ipV4Addr)?);
        set::<16>(address, IPV6, mapped)
    })
}

/// Sets the port, in the host's order. The family has to be set before.
///
/// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY`.
#[unsafe(no_mangle)]
pub extern "C" fn pal_setSockAddrPort(address: *mut palSocketAddress_t, port: u16) -> palStatus_t {
    status_of(|| {
        // SAFETY: the caller gives an address.
        size_of_family(unsafe { family_of(address) }?)?;
        // SAFETY: as above; the port follows the family.
        let place = unsafe { address.cast::<[u8; 2]>().add(1) };
        // SAFETY: as above.
        Ok(unsafe { pointer::write(place, port.to_be_bytes()) }?)
    })
}

/// Reads the port, in the host's order.
///
/// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null), `PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY`.
#[unsafe(no_mangle)]
pub extern "C" fn pal_getSockAddrPort(address: *const palSocketAddress_t, port: *mut u16) -> palStatus_t {
    status_of(|| {
        if port.is_null() {
            return Err(PAL_ERR_INVALID_ARGUMENT);
        }
        // SAFETY: the caller gives an address.
        let read = unsafe { read(address, SIZE as palSocketLength_t) }?;
        // SAFETY: not null, and the caller gives room.
        Ok(unsafe { pointer::write(port, read.port()) }?)
    })
}

/// Reads an address of IPv4, four bytes in network order.
///
/// Any thread. Errors: `PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY` (looked at before `ipV4Addr`), `PAL_ERR_INVALID_ARGUMENT` (null).
#[unsafe(no_mangle)]
pub extern "C" fn pal_getSockAddrIPV4Addr(address: *const palSocketAddress_t, ipV4Addr: *mut u8) -> palStatus_t {
    // SAFETY: the caller gives an address.
    status_of(|| match unsafe { read(address, SIZE as palSocketLength_t) }? {
        SocketAddr::V4(read) => {
            // SAFETY: null, or the caller gives room for four bytes.
            Ok(unsafe { pointer::write(ipV4Addr.cast::<[u8; 4]>(), read.ip().octets()) }?)
        }
        SocketAddr::V6(_) => Err(PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY),
    })
}

/// Reads an address of IPv6, sixteen bytes in network order.
///
/// Any thread. Errors: `PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY` (looked at before `ipV6Addr`), `PAL_ERR_INVALID_ARGUMENT` (null).
#[unsafe(no_mangle)]
pub extern "C" fn pal_getSockAddrIPV6Addr(address: *const palSocketAddress_t, ipV6Addr: *mut u8) -> palStatus_t {
    // SAFETY: the caller gives an address.
    status_of(|| match unsafe { read(address, SIZE as palSocketLength_t) }? {
        SocketAddr::V6(read) => {
            // SAFETY: null, or the caller gives room for sixteen bytes.
            Ok(unsafe { pointer::write(ipV6Addr.cast::<[u8; 16]>(), read.ip().octets()) }?)
        }
        SocketAddr::V4(_) => Err(PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY),
    })
}
