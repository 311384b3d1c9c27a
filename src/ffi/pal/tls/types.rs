//! The types of the PAL's TLS functions.

use crate::ffi::pal::types::{palSocket_t, palSocketAddress_t, palSocketLength_t};
use std::ffi::{c_int, c_uchar, c_void};

/// A session. 0 is none.
pub type palTLSHandle_t = usize;

/// A configuration. 0 is none.
pub type palTLSConfHandle_t = usize;

/// What carries the records.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum palTLSTransportMode_t {
    /// TLS, over TCP.
    PAL_TLS_MODE = 0,
    /// DTLS, over UDP.
    PAL_DTLS_MODE = 1,
}

/// What the records go over.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct palTLSSocket_t {
    /// A socket of this layer.
    pub socket: palSocket_t,
    /// The peer's address; null with a connected socket.
    pub socketAddress: *mut palSocketAddress_t,
    /// Its size: 16 (IPv4) or 28 (IPv6) and more.
    pub addressLength: palSocketLength_t,
    /// One of `palTLSTransportMode_t`, that of the configuration.
    pub transportationMode: TLSTransportMode,
}

/// Bytes that are only read.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct palTLSBuffer_t {
    /// The first of them.
    pub buffer: *const c_void,
    /// How many.
    pub size: u32,
}

/// A certificate or several, DER or PEM. What follows one in DER is not looked at.
pub type palX509_t = palTLSBuffer_t;

/// A list of revoked certificates, DER or PEM.
pub type palX509CRL_t = palTLSBuffer_t;

/// A private key: SEC 1 or PKCS#8, DER or PEM. What follows it in DER is not looked at.
pub type palPrivateKey_t = palTLSBuffer_t;

/// Gives random bytes: at most `len` of them to `output`, how many to `olen`; 0 for success. The first argument is null.
pub type palEntropySource_f =
    Option<extern "C" fn(data: *mut c_void, output: *mut c_uchar, len: usize, olen: *mut usize) -> c_int>;

/// Tells that a retransmission is due: call `pal_handShake` again. From the layer's own thread, with the argument that was given.
pub type palSocketCallback_f = Option<extern "C" fn(argument: *mut c_void)>;

// What a C program may pass as an enum is any number. In the header it has the enum's name.

/// cbindgen:ignore
pub type TLSTransportMode = u32;
