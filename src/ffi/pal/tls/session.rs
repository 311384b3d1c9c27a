//! Sessions: made, established, read, written, freed.

use super::channel::{SocketChannel, TlsSocket};
use super::configuration::{self, Held};
use super::environment::ENVIRONMENT;
use super::types::{palTLSConfHandle_t, palTLSHandle_t};
use crate::ffi::pal::status::palError_t::{
    self, PAL_ERR_END_OF_FILE, PAL_ERR_INVALID_ARGUMENT, PAL_ERR_TIMEOUT_EXPIRED, PAL_ERR_TLS_BAD_INPUT_DATA,
    PAL_ERR_X509_BADCERT_BAD_KEY, PAL_ERR_X509_BADCERT_BAD_MD, PAL_ERR_X509_BADCERT_BAD_PK,
    PAL_ERR_X509_BADCERT_EXPIRED, PAL_ERR_X509_BADCERT_FUTURE, PAL_ERR_X509_BADCERT_NOT_TRUSTED,
    PAL_ERR_X509_CERT_VERIFY_FAILED,
};
use crate::ffi::pal::status::palStatus_t;
use crate::ffi::pal::status_of;
use crate::ffi::pointer;
use crate::lock::lock;
use crate::net::gate::Gate;
use crate::net::pal;
use crate::tls::pal::{self as tls, Channel, Refusal, Session};
use std::collections::{BTreeMap, VecDeque};
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

static SESSIONS: Mutex<Sessions> = Mutex::new(Sessions { live: BTreeMap::new(), freed: VecDeque::new() });

struct Sessions {
    live: BTreeMap<palTLSHandle_t, Arc<Live>>,
    /// What the latest handles led to, so that none of them becomes another session's while a client may still hold it.
    freed: VecDeque<Arc<Visible>>,
}

/// How many of those.
const FREED: usize = 256;

/// What stands in memory where a handle points to: a test of the client looks there.
#[repr(C)]
struct Visible {
    /// The chain was judged at the server's time, and the next `pal_handShake` tells that to the host's clock.
    retry_handshake: AtomicBool,
    /// That time, in seconds since 1970.
    server_time: AtomicU64,
}

const _: () = assert!(
    std::mem::offset_of!(Visible, retry_handshake) == 0 && std::mem::offset_of!(Visible, server_time) == 8,
    "where the client's test looks"
);

pub(super) struct Live {
    pub session: Session,
    visible: Arc<Visible>,
    held: Arc<Held>,
    /// Shut when it is freed.
    gate: Gate,
    /// When the next call is due though nothing came.
    deadline: Mutex<Option<Instant>>,
    /// The socket that tells of its end.
    bound_to: Mutex<Option<TlsSocket>>,
}

/// The session behind a handle.
pub(super) fn find(handle: palTLSHandle_t) -> Result<Arc<Live>, palError_t> {
    lock(&SESSIONS).live.get(&handle).cloned().ok_or(PAL_ERR_INVALID_ARGUMENT)
}

impl Live {
    /// Whether it is a session of this configuration.
    pub fn check(&self, configuration: palTLSConfHandle_t) -> Result<(), palError_t> {
        let held = configuration::find(configuration)?;
        if Arc::ptr_eq(&held, &self.held) { Ok(()) } else { Err(PAL_ERR_INVALID_ARGUMENT) }
    }

    fn socket(&self) -> Result<TlsSocket, palError_t> {
        self.held.socket().ok_or(PAL_ERR_TLS_BAD_INPUT_DATA)
    }

    /// Has the session end when its socket is closed.
    fn bind_to(self: &Arc<Self>, socket: &TlsSocket) {
        let mut bound_to = lock(&self.bound_to);
        if bound_to.as_ref().is_some_and(|bound| Arc::ptr_eq(&bound.socket, &socket.socket)) {
            return;
        }
        let (live, closing) = (Arc::downgrade(self), Arc::downgrade(&socket.socket));
        socket.socket.before_close(Box::new(move || {
            let Some(live) = live.upgrade() else { return };
            // It may have been given another socket since, over which it goes on.
            let is_this = |socket: &TlsSocket| Arc::as_ptr(&socket.socket) == closing.as_ptr();
            let bound = lock(&live.bound_to).take_if(|bound| is_this(bound));
            let Some(socket) = bound.filter(|_| live.held.socket().is_none_or(|socket| is_this(&socket))) else {
                return;
            };
            live.session.channel_closes(last_channel(&socket).as_mut().map(|channel| channel as &mut dyn Channel));
        }));
        *bound_to = Some(socket.clone());
    }

    /// Has the next call asked for when it is due.
    fn arm(self: &Arc<Self>, deadline: Option<Instant>, socket: &TlsSocket) {
        let before = std::mem::replace(&mut *lock(&self.deadline), deadline);
        let Some(deadline) = deadline.filter(|deadline| before != Some(*deadline)) else { return };
        let (live, socket) = (Arc::downgrade(self), Arc::downgrade(&socket.socket));
        pal::after(deadline.saturating_duration_since(Instant::now()), move || {
            let Some(live) = live.upgrade() else { return };
            // Another one has taken its place since, or none.
            if *lock(&live.deadline) != Some(deadline) {
                return;
            }
            match (live.held.timer_callback(), socket.upgrade()) {
                (Some(callback), _) => live.gate.pass(|| callback.run()),
                (None, Some(socket)) => socket.call_back_after(std::time::Duration::ZERO),
                (None, None) => {}
            }
        });
    }
}

/// What the last words of a session go over: nothing where the application has closed the socket by its number, which may be another
/// one's now.
fn last_channel(socket: &TlsSocket) -> Option<SocketChannel<'_>> {
    socket.socket.is_there().then_some(SocketChannel::new(socket, false))
}

/// Makes a session of a configuration; nothing is sent yet. `is_server_ping`: it only finds out whether the server answers, and never
/// goes on with a kept DTLS session.
///
/// `*palTLSHandle` is written on success only; `pal_freeTLS` frees the session. Any thread.
///
/// Errors: `PAL_ERR_INVALID_ARGUMENT` (null, no configuration), `PAL_ERR_NO_MEMORY`.
#[unsafe(no_mangle)]
pub extern "C" fn pal_initTLS(
    palTLSConf: palTLSConfHandle_t,
    palTLSHandle: *mut palTLSHandle_t,
    is_server_ping: bool,
) -> palStatus_t {
    status_of(|| {
        if palTLSHandle.is_null() {
            return Err(PAL_ERR_INVALID_ARGUMENT);
        }
        tls::spare()?;
        let held = configuration::hold(palTLSConf)?;
        let visible = Arc::new(Visible { retry_handshake: AtomicBool::new(false), server_time: AtomicU64::new(0) });
        let handle = Arc::as_ptr(&visible).expose_provenance();
        let live = Live {
            session: Session::new(held.configuration.clone(), &ENVIRONMENT, is_server_ping),
            visible,
            held,
            gate: Gate::new(),
            deadline: Mutex::default(),
            bound_to: Mutex::default(),
        };
        lock(&SESSIONS).live.insert(handle, Arc::new(live));
        // SAFETY: not null, and the caller gives room for a handle.
        Ok(unsafe { pointer::write(palTLSHandle, handle) }?)
    })
}

/// Frees a session and sets the caller's variable to 0.
///
/// An established session first says close_notify to its peer, once and without waiting, if its socket is still open; not one that is
/// kept, which goes on in a later session. Keys are wiped. Any thread; a call on the session that another thread has begun ends first.
///
/// Errors: `PAL_ERR_INVALID_ARGUMENT` (null, no session: 0, freed before, unknown).
#[unsafe(no_mangle)]
pub extern "C" fn pal_freeTLS(palTLSHandle: *mut palTLSHandle_t) -> palStatus_t {
    status_of(|| {
        // SAFETY: the caller gives a variable that holds a handle.
        let handle = unsafe { pointer::read(palTLSHandle) }?;
        let mut sessions = lock(&SESSIONS);
        let live = sessions.live.remove(&handle).ok_or(PAL_ERR_INVALID_ARGUMENT)?;
        if sessions.freed.len() == FREED {
            sessions.freed.pop_front();
        }
        sessions.freed.push_back(live.visible.clone());
        drop(sessions);
        live.gate.shut();
        let bound = lock(&live.bound_to).take();
        let mut channel = bound.as_ref().and_then(last_channel);
        live.session.close(channel.as_mut().map(|channel| channel as &mut dyn Channel));
        configuration::release(&live.held);
        // SAFETY: as above.
        Ok(unsafe { pointer::write(palTLSHandle, 0) }?)
    })
}

/// Goes on with the handshake over the socket of `pal_tlsSetSocket`; on an established session it does nothing. Call it again on each
/// callback until it says something other than want-read or want-write.
///
/// With `pal_enableSslSessionStoring` a kept session is resumed, and a kept DTLS session with a Connection ID goes on without any
/// traffic; not with `skipResume`. Where the server's certificates were good only at the time that the server told, the call that
/// finds this out says want-read, and the socket's callback comes; the next call tells that time to the host's clock.
///
/// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (no session, not its configuration), `PAL_ERR_TLS_WANT_READ`,
/// `PAL_ERR_TLS_WANT_WRITE`, `PAL_ERR_TLS_FAILED_TO_SET_CERT` (own certificate and key do not belong together, or one is missing),
/// `PAL_ERR_TLS_BAD_INPUT_DATA` (no socket was set), `PAL_ERR_X509_CERT_VERIFY_FAILED` (`pal_sslGetVerifyResultExtended` tells why),
/// `PAL_ERR_SSL_FATAL_ALERT_MESSAGE` (also a connection that was reset), `PAL_ERR_TLS_SSL_VERSION_MISMATCH`, `PAL_ERR_TLS_TIMEOUT`
/// (DTLS), `PAL_ERR_NO_MEMORY` (also a certificate larger than the buffers), `PAL_ERR_GENERIC_FAILURE`. After any but the first
/// five the session is over, and says the same again.
#[unsafe(no_mangle)]
pub extern "C" fn pal_handShake(
    palTLSHandle: palTLSHandle_t,
    palTLSConf: palTLSConfHandle_t,
    skipResume: bool,
) -> palStatus_t {
    status_of(|| {
        let live = find(palTLSHandle)?;
        live.check(palTLSConf)?;
        let socket = live.socket()?;
        live.bind_to(&socket);
        live.visible.retry_handshake.store(false, Ordering::SeqCst);
        let mut channel = SocketChannel::new(&socket, true);
        let progress = live.session.handshake(&mut channel, skipResume, |time| {
            live.visible.server_time.store(time, Ordering::SeqCst);
            live.visible.retry_handshake.store(true, Ordering::SeqCst);
        });
        live.arm(progress.deadline, &socket);
        Ok(progress.result?)
    })
}

/// Reads bytes of one record. Read until want-read: the callback tells of nothing that was there before.
///
/// `*actualLen` is written on success only. Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null, no session),
/// `PAL_ERR_TLS_WANT_READ`, `PAL_ERR_TLS_WANT_WRITE`, `PAL_ERR_TLS_PEER_CLOSE_NOTIFY`, `PAL_ERR_END_OF_FILE` (the stream ended
/// without that; also no room to read to), `PAL_ERR_TLS_BAD_INPUT_DATA` (not established), `PAL_ERR_SSL_FATAL_ALERT_MESSAGE`,
/// `PAL_ERR_TIMEOUT_EXPIRED`, `PAL_ERR_NO_MEMORY`, `PAL_ERR_GENERIC_FAILURE`.
#[unsafe(no_mangle)]
pub extern "C" fn pal_sslRead(
    palTLSHandle: palTLSHandle_t,
    buffer: *mut c_void,
    len: u32,
    actualLen: *mut u32,
) -> palStatus_t {
    status_of(|| {
        if actualLen.is_null() {
            return Err(PAL_ERR_INVALID_ARGUMENT);
        }
        // SAFETY: the caller gives a buffer of this length.
        let buffer = unsafe { pointer::buffer(buffer.cast(), len as usize) }?;
        let live = find(palTLSHandle)?;
        if buffer.is_empty() {
            return Err(PAL_ERR_END_OF_FILE);
        }
        let socket = live.socket()?;
        live.bind_to(&socket);
        let mut channel = SocketChannel::new(&socket, false);
        let size = live.session.read(&mut channel, buffer).map_err(of_data)?;
        // SAFETY: not null, and the caller gives room for the size.
        Ok(unsafe { pointer::write(actualLen, u32::try_from(size).unwrap_or(u32::MAX)) }?)
    })
}

/// Writes bytes as one record. What is more than a record takes is left for the next call on TLS, and refused on DTLS.
///
/// After want-write the record is made, and the callback tells when to call again, with the same bytes: they go out once.
/// `*bytesWritten` is written on success only. Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null, no session, not its
/// configuration), `PAL_ERR_TLS_WANT_WRITE`, `PAL_ERR_TLS_BAD_INPUT_DATA` (not established, other bytes than those that wait, too
/// many for a datagram), `PAL_ERR_NO_MEMORY`, `PAL_ERR_GENERIC_FAILURE` (also a socket that was closed).
#[unsafe(no_mangle)]
pub extern "C" fn pal_sslWrite(
    palTLSHandle: palTLSHandle_t,
    palTLSConf: palTLSConfHandle_t,
    buffer: *const c_void,
    len: u32,
    bytesWritten: *mut u32,
) -> palStatus_t {
    status_of(|| {
        if buffer.is_null() || bytesWritten.is_null() {
            return Err(PAL_ERR_INVALID_ARGUMENT);
        }
        // SAFETY: the caller gives the bytes.
        let bytes = unsafe { pointer::bytes(buffer.cast(), len as usize) }?;
        let live = find(palTLSHandle)?;
        live.check(palTLSConf)?;
        let socket = live.socket()?;
        live.bind_to(&socket);
        let mut channel = SocketChannel::new(&socket, false);
        let size = live.session.write(&mut channel, bytes).map_err(of_data)?;
        // SAFETY: not null, and the caller gives room for the size.
        Ok(unsafe { pointer::write(bytesWritten, u32::try_from(size).unwrap_or(u32::MAX)) }?)
    })
}

/// Outside a handshake a timeout has another name.
fn of_data(refusal: Refusal) -> palError_t {
    match refusal {
        Refusal::Timeout => PAL_ERR_TIMEOUT_EXPIRED,
        other => other.into(),
    }
}

/// Tells why the server's certificates were not accepted: `*verifyResult` is 0, or the `PAL_ERR_X509_BADCERT_*` of all reasons, or-ed.
/// A reason that has no such name is `PAL_ERR_X509_BADCERT_NOT_TRUSTED`.
///
/// Any thread. Errors: `PAL_ERR_INVALID_ARGUMENT` (null, no session), `PAL_ERR_X509_CERT_VERIFY_FAILED` (there is a reason).
#[unsafe(no_mangle)]
pub extern "C" fn pal_sslGetVerifyResultExtended(palTLSHandle: palTLSHandle_t, verifyResult: *mut i32) -> palStatus_t {
    status_of(|| {
        if verifyResult.is_null() {
            return Err(PAL_ERR_INVALID_ARGUMENT);
        }
        let reasons = find(palTLSHandle)?.session.reasons();
        let result = [
            (reasons.expired, PAL_ERR_X509_BADCERT_EXPIRED),
            (reasons.future, PAL_ERR_X509_BADCERT_FUTURE),
            (reasons.hash, PAL_ERR_X509_BADCERT_BAD_MD),
            (reasons.algorithm, PAL_ERR_X509_BADCERT_BAD_PK),
            (reasons.not_trusted, PAL_ERR_X509_BADCERT_NOT_TRUSTED),
            (reasons.key, PAL_ERR_X509_BADCERT_BAD_KEY),
        ]
        .into_iter()
        .filter(|(is_set, _)| *is_set)
        .fold(0, |all, (_, reason)| all | reason as i32);
        // SAFETY: not null, and the caller gives room for the number.
        unsafe { pointer::write(verifyResult, result) }?;
        if result == 0 { Ok(()) } else { Err(PAL_ERR_X509_CERT_VERIFY_FAILED) }
    })
}
