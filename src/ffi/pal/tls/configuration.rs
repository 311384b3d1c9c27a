//! Configurations: made, filled, freed.

use super::channel::TlsSocket;
use super::environment;
use super::types::{
    TLSTransportMode, palPrivateKey_t, palSocketCallback_f, palTLSBuffer_t, palTLSConfHandle_t, palTLSSocket_t,
    palTLSTransportMode_t, palX509_t, palX509CRL_t,
};
use crate::ffi::pal::status::palError_t::{self, PAL_ERR_INVALID_ARGUMENT};
use crate::ffi::pal::status::palStatus_t;
use crate::ffi::pal::types::Argument;
use crate::ffi::pal::{address, keeping_errno, socket, status_of};
use crate::ffi::pointer;
use crate::lock::lock;
use crate::net::gate::Gate;
use crate::net::socket::Kind;
use crate::tls::pal::{self as tls, Configuration, TransportKind};

use std::collections::BTreeMap;
use std::ffi::{c_uchar, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const TLS: u32 = palTLSTransportMode_t::PAL_TLS_MODE as u32;
const DTLS: u32 = palTLSTransportMode_t::PAL_DTLS_MODE as u32;

static CONFIGURATIONS: Mutex<BTreeMap<palTLSConfHandle_t, Arc<Held>>> = Mutex::new(BTreeMap::new());

/// Never given out twice: a handle of a configuration that was freed is no other one's.
static NEXT: AtomicUsize = AtomicUsize::new(1);

/// A configuration, and what its sessions have in common beside it.
pub(super) struct Held {
    pub configuration: Arc<Configuration>,
    socket: Mutex<Option<TlsSocket>>,
    timer_callback: Mutex<Option<Arc<TimerCallback>>>,
    /// How many sessions live.
    sessions: AtomicUsize,
}

/// What is called when a retransmission is due.
pub(super) struct TimerCallback {
    gate: Gate,
    callback: Box<dyn Fn() + Send + Sync>,
}

impl TimerCallback {
    /// On the layer's thread.
    pub fn run(&self) {
        self.gate.pass(|| (self.callback)());
    }
}

impl Held {
    pub fn socket(&self) -> Option<TlsSocket> {
        lock(&self.socket).clone()
    }

    pub fn timer_callback(&self) -> Option<Arc<TimerCallback>> {
        lock(&self.timer_callback).clone()
    }
}

/// The configuration behind a handle.
pub(super) fn find(handle: palTLSConfHandle_t) -> Result<Arc<Held>, palError_t> {
    lock(&CONFIGURATIONS).get(&handle).cloned().ok_or(PAL_ERR_INVALID_ARGUMENT)
}

/// The same, for a session that is made: the configuration is not freed until [`release`].
pub(super) fn hold(handle: palTLSConfHandle_t) -> Result<Arc<Held>, palError_t> {
    let configurations = lock(&CONFIGURATIONS);
    let held = configurations.get(&handle).ok_or(PAL_ERR_INVALID_ARGUMENT)?;
    held.sessions.fetch_add(1, Ordering::SeqCst);
    Ok(held.clone())
}

pub(super) fn release(held: &Held) {
    held.sessions.fetch_sub(1, Ordering::SeqCst);
}

/// The bytes that a buffer describes.
///
/// # Safety
/// `buffer` is null or describes bytes that can be read while the slice lives.
unsafe fn bytes<'a>(buffer: *const palTLSBuffer_t) -> Result<&'a [u8], palError_t> {
    // SAFETY: readable by the caller's promise; every value of its bytes is valid.
    let buffer = unsafe { pointer::read(buffer) }?;
    if buffer.buffer.is_null() || buffer.size == 0 {
        return Err(PAL_ERR_INVALID_ARGUMENT);
    }
    // SAFETY: as above.
    Ok(unsafe { pointer::bytes(buffer.buffer.cast(), buffer.size as usize) }?)
}

/// Makes an empty configuration, for TLS or DTLS.
///
/// What the functions below give to it is copied. They may come in any order, before or after `pal_initTLS`: a session takes what
/// stands there at its first `pal_handShake`. `*palTLSConf` is written on success only; `pal_tlsConfigurationFree` frees it.
///
/// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null, an unknown mode), `PAL_ERR_NO_MEMORY`.
#[unsafe(no_mangle)]
pub extern "C" fn pal_initTLSConfiguration(
    palTLSConf: *mut palTLSConfHandle_t,
    transportationMode: TLSTransportMode,
) -> palStatus_t {
    status_of(|| {
        let kind = match transportationMode {
            _ if palTLSConf.is_null() => return Err(PAL_ERR_INVALID_ARGUMENT),
            TLS => TransportKind::Stream,
            DTLS => TransportKind::Datagram,
            _ => return Err(PAL_ERR_INVALID_ARGUMENT),
        };
        tls::spare()?;
        let held = Held {
            configuration: Arc::new(Configuration::new(kind)),
            socket: Mutex::default(),
            timer_callback: Mutex::default(),
            sessions: AtomicUsize::new(0),
        };
        let handle = NEXT.fetch_add(1, Ordering::Relaxed);
        lock(&CONFIGURATIONS).insert(handle, Arc::new(held));
        // SAFETY: not null, and the caller gives room for a handle.
        Ok(unsafe { pointer::write(palTLSConf, handle) }?)
    })
}

/// Frees a configuration and sets the caller's variable to 0. Its retransmission callback does not run when this returns, and will not
/// begin, unless this is that callback.
///
/// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null, no configuration, or sessions of it are not freed: free them first).
#[unsafe(no_mangle)]
pub extern "C" fn pal_tlsConfigurationFree(palTLSConf: *mut palTLSConfHandle_t) -> palStatus_t {
    status_of(|| {
        // SAFETY: the caller gives a variable that holds a handle.
        let handle = unsafe { pointer::read(palTLSConf) }?;
        let mut configurations = lock(&CONFIGURATIONS);
        let held = configurations.get(&handle).ok_or(PAL_ERR_INVALID_ARGUMENT)?;
        if held.sessions.load(Ordering::SeqCst) != 0 {
            return Err(PAL_ERR_INVALID_ARGUMENT);
        }
        let held = configurations.remove(&handle);
        drop(configurations);
        if let Some(callback) = held.and_then(|held| lock(&held.timer_callback).take()) {
            callback.gate.shut();
        }
        // SAFETY: as above.
        Ok(unsafe { pointer::write(palTLSConf, 0) }?)
    })
}

/// Says what the sessions' records go over: a socket of this layer, and the peer's address. What the pointers lead to is copied.
///
/// A DTLS session can be given another socket at any time; with a Connection ID its peer still knows it. Datagrams that do not come
/// from the peer's address are not looked at.
///
/// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null, no configuration, a mode that is not the configuration's, a socket of the
/// other kind), `PAL_ERR_SOCKET_INVALID_VALUE` (no socket of this layer, an address length too short),
/// `PAL_ERR_SOCKET_INVALID_ADDRESS_FAMILY`.
#[unsafe(no_mangle)]
pub extern "C" fn pal_tlsSetSocket(palTLSConf: palTLSConfHandle_t, socket: *mut palTLSSocket_t) -> palStatus_t {
    status_of(|| {
        // SAFETY: the caller gives the structure; every value of its bytes is valid.
        let given = unsafe { pointer::read(socket) }?;
        let held = find(palTLSConf)?;
        let kind = match (given.transportationMode, held.configuration.kind()) {
            (TLS, TransportKind::Stream) => Kind::Stream,
            (DTLS, TransportKind::Datagram) => Kind::Datagram,
            _ => return Err(PAL_ERR_INVALID_ARGUMENT),
        };
        let peer = if given.socketAddress.is_null() {
            None
        } else {
            // SAFETY: the caller gives an address of this length.
            Some(unsafe { address::read(given.socketAddress, given.addressLength) }?)
        };
        let socket = socket::find(given.socket)?;
        if socket.kind() != kind {
            return Err(PAL_ERR_INVALID_ARGUMENT);
        }
        *lock(&held.socket) = Some(TlsSocket { socket, peer });
        Ok(())
    })
}

/// Has `callback` called with `argument` when a retransmission of a DTLS handshake is due: call `pal_handShake` again then. Without
/// one the socket's own callback tells of it. Null ends it: the earlier one does not run when this returns, and will not begin,
/// unless this is that callback.
///
/// Any thread. Where there is no such configuration nothing happens.
#[unsafe(no_mangle)]
pub extern "C" fn pal_setDTLSSocketCallback(
    palTLSConf: palTLSConfHandle_t,
    callback: palSocketCallback_f,
    argument: *mut c_void,
) {
    keeping_errno((), || {
        let Ok(held) = find(palTLSConf) else { return };
        let argument = Argument::new(argument);
        let new = callback.map(|callback| {
            let callback: Box<dyn Fn() + Send + Sync> = Box::new(move || callback(argument.get()));
            Arc::new(TimerCallback { gate: Gate::new(), callback })
        });
        let old = std::mem::replace(&mut *lock(&held.timer_callback), new);
        if let Some(old) = old {
            old.gate.shut();
        }
    });
}

/// Sets the first and the longest time between retransmissions in a DTLS handshake, in milliseconds; 1,000 and 60,000 unless set. When
/// the longest one is over too, `pal_handShake` says `PAL_ERR_TLS_TIMEOUT`. TLS retransmits nothing.
///
/// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (no configuration, 0, or the first longer than the longest).
#[unsafe(no_mangle)]
pub extern "C" fn pal_setHandShakeTimeOut(
    palTLSConf: palTLSConfHandle_t,
    minTimeout: u32,
    maxTimeout: u32,
) -> palStatus_t {
    status_of(|| {
        let milliseconds = |number: u32| Duration::from_millis(number.into());
        let configuration = &find(palTLSConf)?.configuration;
        Ok(configuration.set_retransmission(milliseconds(minTimeout), milliseconds(maxTimeout))?)
    })
}

/// Sets whom to trust: CA certificates, and certificates that they have revoked (null: none are). Both are copied.
///
/// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null or empty, no configuration), `PAL_ERR_TLS_FAILED_TO_PARSE_CERT`,
/// `PAL_ERR_NO_MEMORY`.
#[unsafe(no_mangle)]
pub extern "C" fn pal_setCAChain(
    palTLSConf: palTLSConfHandle_t,
    caChain: *mut palX509_t,
    caCRL: *mut palX509CRL_t,
) -> palStatus_t {
    status_of(|| {
        // SAFETY: the caller gives the structures, and the bytes that they describe.
        let ca = unsafe { bytes(caChain) }?;
        let crl = if caCRL.is_null() {
            None
        } else {
            // SAFETY: as above.
            Some(unsafe { bytes(caCRL) }?)
        };
        Ok(find(palTLSConf)?.configuration.set_trusted(ca, crl)?)
    })
}

/// Fills `*privateKey` with a key's buffer and its size. Nothing is copied or allocated, and nothing has to be freed.
///
/// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null, a size that does not fit).
#[unsafe(no_mangle)]
pub extern "C" fn pal_initPrivateKey(
    buf: *const c_void,
    buf_size: usize,
    privateKey: *mut palPrivateKey_t,
) -> palStatus_t {
    status_of(|| {
        let size = u32::try_from(buf_size).map_err(|_| PAL_ERR_INVALID_ARGUMENT)?;
        // No buffer is larger than half of what can be addressed, which counts where that is 32 bits.
        if buf.is_null() || buf_size > isize::MAX as usize {
            return Err(PAL_ERR_INVALID_ARGUMENT);
        }
        // SAFETY: the caller gives room for the structure.
        Ok(unsafe { pointer::write(privateKey, palPrivateKey_t { buffer: buf, size }) }?)
    })
}

/// Sets the key of the own certificate. It is copied, and wiped when it is not used any more.
///
/// Whether it fits the certificate shows at the first `pal_handShake`. Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null or empty,
/// no configuration), `PAL_ERR_TLS_FAILED_TO_PARSE_KEY`, `PAL_ERR_NO_MEMORY`.
#[unsafe(no_mangle)]
pub extern "C" fn pal_setOwnPrivateKey(
    palTLSConf: palTLSConfHandle_t,
    privateKey: *mut palPrivateKey_t,
) -> palStatus_t {
    status_of(|| {
        // SAFETY: the caller gives the structure, and the bytes that it describes.
        let key = unsafe { bytes(privateKey) }?;
        Ok(find(palTLSConf)?.configuration.set_own_key(key)?)
    })
}

/// Adds a certificate to the own chain: the own one first, then each that has signed the one before it. It is copied.
///
/// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null or empty, no configuration), `PAL_ERR_TLS_FAILED_TO_PARSE_CERT`,
/// `PAL_ERR_NO_MEMORY`.
#[unsafe(no_mangle)]
pub extern "C" fn pal_setOwnCertChain(palTLSConf: palTLSConfHandle_t, ownCert: *mut palX509_t) -> palStatus_t {
    status_of(|| {
        // SAFETY: the caller gives the structure, and the bytes that it describes.
        let certificate = unsafe { bytes(ownCert) }?;
        Ok(find(palTLSConf)?.configuration.add_own_certificate(certificate)?)
    })
}

/// Sets a pre-shared key of 1 to 32 bytes and its identity of 1 to 128, which are offered in place of certificates. Both are copied;
/// the key is wiped when it is not used any more.
///
/// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null, other sizes, no configuration).
#[unsafe(no_mangle)]
pub extern "C" fn pal_setPSK(
    palTLSConf: palTLSConfHandle_t,
    identity: *const c_uchar,
    maxIdentityLenInBytes: u32,
    psk: *const c_uchar,
    maxPskLenInBytes: u32,
) -> palStatus_t {
    status_of(|| {
        // SAFETY: the caller gives both with their sizes.
        let (identity, key) = unsafe {
            (pointer::bytes(identity, maxIdentityLenInBytes as usize)?, pointer::bytes(psk, maxPskLenInBytes as usize)?)
        };
        Ok(find(palTLSConf)?.configuration.set_psk(identity, key)?)
    })
}

/// Has sessions kept, and kept ones used: those of TLS to be resumed, those of DTLS with a Connection ID to go on without a handshake.
/// Off unless set. Off, for DTLS, also forgets the latest session that is kept in memory.
///
/// They are kept by the host's `kcm_item_*` functions where those are linked in, else in memory. Any thread. Where there is no such
/// configuration nothing happens.
#[unsafe(no_mangle)]
pub extern "C" fn pal_enableSslSessionStoring(palTLSConf: palTLSConfHandle_t, enable: bool) {
    keeping_errno((), || {
        let Ok(held) = find(palTLSConf) else { return };
        held.configuration.set_storing(enable);
        if !enable && held.configuration.kind() == TransportKind::Datagram {
            environment::store().forget_latest_context(false);
        }
    });
}

/// Has the log tell more of a configuration's handshakes: 0 no, else yes. The log is where `mcc_log_set` says.
///
/// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (no configuration).
#[unsafe(no_mangle)]
pub extern "C" fn pal_sslSetDebugging(palTLSConf: palTLSConfHandle_t, turnOn: u8) -> palStatus_t {
    status_of(|| {
        find(palTLSConf)?.configuration.set_debugging(turnOn != 0);
        Ok(())
    })
}

/// What `mcc_pal_set_server_name` does.
pub(in crate::ffi) fn set_server_name(handle: palTLSConfHandle_t, name: Option<&str>) -> palStatus_t {
    status_of(|| Ok(find(handle)?.configuration.set_server_name(name)?))
}
