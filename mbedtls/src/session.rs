//! One TLS or DTLS session of a client.

use std::any::Any;
use std::ffi::{CString, c_int, c_uchar, c_void};
use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::config::{CipherSuite, ClientConfig, ProtocolVersion, TransportKind, sha256};
use crate::error::{Error, ErrorKind};
use crate::verify::{ChainLink, Verification, VerifyFlags, VerifyHook};
use crate::x509::{CertificateInfo, allocate, certificate_info, certificates, release};
use crate::{c_text, initialise, raw};

/// How often a call goes on by itself when the library used up input and gave nothing back for it.
const TURNS: usize = 64;

/// The content that an established session keeps room for in its output buffer: what goes into a datagram. For a larger record the
/// buffer grows until the record is out. The input buffer is for the largest record at any time, since one that comes must not fail.
const KEPT_OUTPUT: usize = 1536;

/// Carries the bytes of a session. It is handed to every call that needs it and never kept.
///
/// `WouldBlock` becomes want-read or want-write; `Interrupted` is tried again at once. Every other error
/// ends the call, and stands in [`Session::take_transport_error`]. A panic goes on to the caller after the
/// library has returned, and ends the session.
pub trait Transport {
    /// Sends bytes; returns how many were taken. A datagram is taken whole.
    ///
    /// # Errors
    /// `WouldBlock` when nothing can be taken now.
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Receives bytes; returns how many. Zero is the end of a stream; of datagrams it is an empty one, which
    /// is ignored.
    ///
    /// # Errors
    /// `WouldBlock` when there is nothing now.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
}

/// Whom the session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServerName<'a> {
    /// A DNS name, which is sent (SNI) and must be in the certificate; or an address, which is not sent
    /// (RFC 6066) and must be among the certificate's addresses.
    Check(&'a str),
    /// A DNS name that is sent, while the certificate may be for any name.
    SendOnly(&'a str),
    /// No name is sent and none is checked.
    Unchecked,
}

/// What became of a handshake so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// The session is established.
    Done,
    /// Call again when the transport can receive, or at [`Session::deadline`].
    WantRead,
    /// Call again when the transport can send.
    WantWrite,
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// Bytes of one record. A size of 0 says that something other than data was used up (an empty record, a
    /// warning): call again.
    Data {
        /// How many bytes were put into the buffer.
        size: usize,
        /// Whether the record ends with them.
        end_of_record: bool,
    },
    /// Call again when the transport can receive.
    WantRead,
    /// Call again when the transport can send.
    WantWrite,
    /// The peer said close_notify: nothing follows.
    Closed,
    /// The stream ended without close_notify: what came may have been cut off.
    EndOfFile,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// So many bytes went out as one record.
    Done(usize),
    /// The record waits, or an alert before it. Call again with the same bytes when the transport can send.
    WantWrite,
}

/// An alert (RFC 8446, section 6).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alert {
    /// 1: warning, 2: fatal.
    pub level: u8,
    /// The number of the description.
    pub description: u8,
}

impl Alert {
    /// The name of the description, such as `handshake_failure`.
    pub const fn name(self) -> &'static str {
        match self.description {
            0 => "close_notify",
            10 => "unexpected_message",
            20 => "bad_record_mac",
            21 => "decryption_failed",
            22 => "record_overflow",
            30 => "decompression_failure",
            40 => "handshake_failure",
            41 => "no_certificate",
            42 => "bad_certificate",
            43 => "unsupported_certificate",
            44 => "certificate_revoked",
            45 => "certificate_expired",
            46 => "certificate_unknown",
            47 => "illegal_parameter",
            48 => "unknown_ca",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            52 => "too_many_cids_requested",
            60 => "export_restriction",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            86 => "inappropriate_fallback",
            90 => "user_canceled",
            100 => "no_renegotiation",
            109 => "missing_extension",
            110 => "unsupported_extension",
            111 => "certificate_unobtainable",
            112 => "unrecognized_name",
            113 => "bad_certificate_status_response",
            114 => "bad_certificate_hash_value",
            115 => "unknown_psk_identity",
            116 => "certificate_required",
            120 => "no_application_protocol",
            _ => "unknown",
        }
    }
}

impl fmt::Debug for Alert {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Alert({} {}, level {})", self.description, self.name(), self.level)
    }
}

/// A session saved to be resumed. It holds key material, and is wiped when it is dropped.
#[derive(Clone)]
pub struct SavedSession(Zeroizing<Vec<u8>>);

impl SavedSession {
    /// Takes over the bytes of one that was stored. Whether they still are one shows when it is used.
    pub fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// Hands its bytes out.
    pub fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

impl AsRef<[u8]> for SavedSession {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SavedSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SavedSession({} bytes)", self.0.len())
    }
}

/// The transport of one call and what it did. It lives on the stack of that call.
struct Carrier<'a> {
    transport: &'a mut dyn Transport,
    kind: TransportKind,
    /// The transport said `WouldBlock`, so an event will follow.
    blocked: bool,
    end_of_stream: bool,
    error: Option<io::Error>,
    panic: Option<Box<dyn Any + Send>>,
}

impl Carrier<'_> {
    fn send(&mut self, bytes: &[u8]) -> c_int {
        loop {
            let transport = &mut *self.transport;
            match catch_unwind(AssertUnwindSafe(|| transport.send(bytes))) {
                Ok(Ok(0)) if !bytes.is_empty() => {
                    self.error = Some(io::ErrorKind::WriteZero.into());
                    return raw::MBEDTLS_ERR_NET_SEND_FAILED;
                }
                // More than was given is a fault of the transport; taking its word would skip bytes.
                Ok(Ok(size)) if size > bytes.len() => {
                    self.error = Some(io::ErrorKind::InvalidData.into());
                    return raw::MBEDTLS_ERR_NET_SEND_FAILED;
                }
                Ok(Ok(size)) => return size as c_int,
                Ok(Err(error)) => match error.kind() {
                    io::ErrorKind::WouldBlock => {
                        self.blocked = true;
                        return raw::MBEDTLS_ERR_SSL_WANT_WRITE;
                    }
                    io::ErrorKind::Interrupted => {}
                    _ => return self.failed(error, raw::MBEDTLS_ERR_NET_SEND_FAILED),
                },
                Err(panic) => {
                    self.panic = Some(panic);
                    return raw::MBEDTLS_ERR_NET_SEND_FAILED;
                }
            }
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> c_int {
        loop {
            let transport = &mut *self.transport;
            match catch_unwind(AssertUnwindSafe(|| transport.receive(buffer))) {
                Ok(Ok(0)) if self.kind == TransportKind::Stream => {
                    self.end_of_stream = true;
                    return 0;
                }
                Ok(Ok(0)) => {}
                Ok(Ok(size)) if size > buffer.len() => {
                    self.error = Some(io::ErrorKind::InvalidData.into());
                    return raw::MBEDTLS_ERR_NET_RECV_FAILED;
                }
                Ok(Ok(size)) if self.kind == TransportKind::Datagram => match whole_records(&buffer[..size]) {
                    0 => {}
                    size => return size as c_int,
                },
                Ok(Ok(size)) => return size as c_int,
                Ok(Err(error)) => match error.kind() {
                    io::ErrorKind::WouldBlock => {
                        self.blocked = true;
                        return raw::MBEDTLS_ERR_SSL_WANT_READ;
                    }
                    io::ErrorKind::Interrupted => {}
                    _ => return self.failed(error, raw::MBEDTLS_ERR_NET_RECV_FAILED),
                },
                Err(panic) => {
                    self.panic = Some(panic);
                    return raw::MBEDTLS_ERR_NET_RECV_FAILED;
                }
            }
        }
    }

    fn failed(&mut self, error: io::Error, otherwise: c_int) -> c_int {
        let reset = matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe
        );
        self.error = Some(error);
        if reset { raw::MBEDTLS_ERR_NET_CONN_RESET } else { otherwise }
    }
}

/// How many bytes of a datagram are whole records. What stands behind one and is none, the library would take for a fault of its
/// own, and anybody who can send from the peer's address could end the session with it.
fn whole_records(datagram: &[u8]) -> usize {
    let mut size = 0;
    // No Connection ID is in what we receive, so that all headers are of one size (RFC 6347 section 4.1).
    while let Some([.., high, low]) = datagram[size..].first_chunk::<13>() {
        let end = size + 13 + usize::from(u16::from_be_bytes([*high, *low]));
        if end > datagram.len() {
            break;
        }
        size = end;
    }
    size
}

extern "C" fn send_callback(carrier: *mut c_void, bytes: *const c_uchar, size: usize) -> c_int {
    let size = size.min(c_int::MAX as usize);
    // SAFETY: `call` set this pointer to its carrier for the time of the library's call, in which nothing else
    // uses it; bytes and size come from the library and belong together.
    let (carrier, bytes) = unsafe { (&mut *carrier.cast::<Carrier<'_>>(), std::slice::from_raw_parts(bytes, size)) };
    carrier.send(bytes)
}

extern "C" fn receive_callback(carrier: *mut c_void, buffer: *mut c_uchar, size: usize) -> c_int {
    let size = size.min(c_int::MAX as usize);
    // SAFETY: as in `send_callback`; the buffer is the library's, which filled it with zeros when it allocated it.
    let (carrier, buffer) =
        unsafe { (&mut *carrier.cast::<Carrier<'_>>(), std::slice::from_raw_parts_mut(buffer, size)) };
    carrier.receive(buffer)
}

/// What the verify callback needs and finds. The library holds a pointer to it as long as the session lives.
struct Judge {
    config: Arc<ClientConfig>,
    /// An address to look for in the certificate.
    address: Option<IpAddr>,
    /// A certificate for another name is accepted.
    any_name: bool,
    time: Option<i64>,
    hook: Option<VerifyHook>,
    ssl: *const raw::mbedtls_ssl_context,
    chain: Vec<ChainLink>,
    presented: Vec<CertificateInfo>,
    verdict: Option<VerifyFlags>,
    panic: Option<Box<dyn Any + Send>>,
}

impl Judge {
    /// Takes the certificates in the library's order: the top of the chain first, the peer's own last.
    /// Everything is decided with the last, when the whole chain is known.
    fn take(&mut self, link: ChainLink, depth: c_int) -> VerifyFlags {
        if self.verdict.take().is_some() {
            self.chain.clear();
        }
        self.chain.insert(0, link);
        if depth != 0 {
            return VerifyFlags::NONE;
        }
        if let (Some(link), Some(address)) = (self.chain.first_mut(), self.address) {
            if !link.certificate.is_for_address(address) {
                link.flags |= VerifyFlags::BADCERT_CN_MISMATCH;
            }
        }
        if let (Some(link), true) = (self.chain.first_mut(), self.any_name) {
            link.flags = link.flags.without(VerifyFlags::BADCERT_CN_MISMATCH);
        }
        let mut random = [0; 32];
        // SAFETY: the session lives while its handshake runs this callback; the function writes 32 bytes.
        let code = unsafe { raw::mbed_cloud_connectivity_server_random(self.ssl, random.as_mut_ptr()) };
        let verification = Verification {
            chain: &self.chain,
            presented: &self.presented,
            server_random: (code == 0).then_some(random),
            revocation: self.config.revocation(),
            trusted: self.config.trusted(),
        };
        let flags = match (&mut self.hook, self.time) {
            (Some(hook), _) => hook(&verification),
            (None, Some(time)) => verification.flags_at(time),
            (None, None) => verification.flags(),
        };
        self.verdict = Some(flags);
        flags
    }
}

extern "C" fn verify_callback(
    judge: *mut c_void,
    certificate: *mut raw::mbedtls_x509_crt,
    depth: c_int,
    flags: *mut u32,
) -> c_int {
    // SAFETY: the session set this pointer to its judge, which lives as long as the session; nothing else uses it
    // during a call of the library. Certificate and flags are the library's and live during the callback.
    let (judge, certificate, flags) = unsafe { (&mut *judge.cast::<Judge>(), &*certificate, &mut *flags) };
    let judged = catch_unwind(AssertUnwindSafe(|| {
        if depth == 0 {
            // The peer's own certificate is the head of all that it sent, in the chain or not.
            // SAFETY: a parsed list, which the library does not write during the callback.
            judge.presented = unsafe { certificates(certificate) };
        }
        // SAFETY: as above.
        let information = unsafe { certificate_info(certificate) };
        judge.take(ChainLink { certificate: information, flags: VerifyFlags::from_bits(*flags) }, depth)
    }));
    match judged {
        Ok(verdict) => {
            *flags = verdict.bits();
            0
        }
        Err(panic) => {
            judge.panic = Some(panic);
            raw::MBEDTLS_ERR_X509_FATAL_ERROR
        }
    }
}

/// The two timers of a DTLS handshake. The library holds a pointer to it as long as the session lives.
#[derive(Default)]
struct Timer {
    intermediate: Option<Instant>,
    last: Option<Instant>,
}

extern "C" fn set_timer(timer: *mut c_void, intermediate: u32, last: u32) {
    // SAFETY: the session set this pointer to its timer, which lives as long as the session; nothing else uses it
    // during a call of the library.
    let timer = unsafe { &mut *timer.cast::<Timer>() };
    if last == 0 {
        *timer = Timer::default();
        return;
    }
    let now = Instant::now();
    timer.intermediate = Some(now + Duration::from_millis(u64::from(intermediate)));
    timer.last = Some(now + Duration::from_millis(u64::from(last)));
}

extern "C" fn get_timer(timer: *mut c_void) -> c_int {
    // SAFETY: as in `set_timer`.
    let timer = unsafe { &*timer.cast::<Timer>() };
    let now = Instant::now();
    match (timer.intermediate, timer.last) {
        (_, None) => -1,
        (_, Some(last)) if now >= last => 2,
        (Some(intermediate), _) if now >= intermediate => 1,
        _ => 0,
    }
}

/// A record that is made and not yet out.
struct Pending {
    size: usize,
    hash: u64,
    /// How many bytes the record took.
    taken: usize,
}

impl Pending {
    fn is_for(&self, bytes: &[u8]) -> bool {
        self.size == bytes.len() && self.hash == hash(&bytes[..self.taken])
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    Open,
    /// close_notify is made and not yet out.
    Begun,
    Sent,
}

/// A session of a client: a handshake, then records both ways, then close_notify.
///
/// It may move between threads, one of which uses it at a time. Dropping it sends nothing.
pub struct Session {
    ssl: NonNull<raw::mbedtls_ssl_context>,
    judge: NonNull<Judge>,
    timer: NonNull<Timer>,
    config: Arc<ClientConfig>,
    /// What a saved session must have in common with this one.
    binding: [u8; 32],
    begun: bool,
    established: bool,
    offered: bool,
    resumed: bool,
    /// Our records carry a Connection ID, though it may have been replaced by an empty one.
    has_connection_id: bool,
    failed: Option<Error>,
    alert: Option<Alert>,
    transport_error: Option<io::Error>,
    pending: Option<Pending>,
    closing: Closing,
    peer_closed: Option<Read>,
    ticket_arrived: bool,
    saved: Option<Zeroizing<Vec<u8>>>,
}

// SAFETY: all that the pointers lead to is owned by the session alone, but for the configuration, which is Sync;
// the hook is Send; the library keeps nothing of a thread in a session.
unsafe impl Send for Session {}

impl Session {
    /// Prepares a session; nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`] for a name that is empty, longer than 255 bytes, or has a NUL in it; else out of
    /// memory or entropy.
    pub fn new(config: Arc<ClientConfig>, name: ServerName<'_>) -> Result<Self, Error> {
        initialise()?;
        let Name { sent, address, any_name } = Name::read(name)?;
        let binding = {
            let mut bytes = config.fingerprint().to_vec();
            bytes.push(u8::from(any_name));
            bytes.extend_from_slice(sent.as_ref().map_or(b"", |name| name.as_bytes()));
            bytes.push(0);
            bytes.extend_from_slice(address.map_or(String::new(), |address| address.to_string()).as_bytes());
            sha256(&bytes)?
        };
        let ssl = allocate(raw::mbedtls_ssl_init);
        let judge = Box::new(Judge {
            config: Arc::clone(&config),
            address,
            any_name,
            time: None,
            hook: None,
            ssl: ssl.as_ptr(),
            chain: Vec::new(),
            presented: Vec::new(),
            verdict: None,
            panic: None,
        });
        let session = Self {
            ssl,
            judge: NonNull::from(Box::leak(judge)),
            timer: NonNull::from(Box::leak(Box::default())),
            config,
            binding,
            begun: false,
            established: false,
            offered: false,
            resumed: false,
            has_connection_id: false,
            failed: None,
            alert: None,
            transport_error: None,
            pending: None,
            closing: Closing::Open,
            peer_closed: None,
            ticket_arrived: false,
            saved: None,
        };
        // SAFETY: the context is initialised and owned by `session`, as are judge and timer, which Drop frees after
        // it; the configuration lives in `session` as well; the name is terminated and copied. A null name says on
        // purpose that the library is to check none.
        unsafe {
            Error::check(raw::mbed_cloud_connectivity_setup(ssl.as_ptr(), session.config.as_ptr()))?;
            let name = sent.as_ref().map_or(std::ptr::null(), |name| name.as_ptr());
            Error::check(raw::mbedtls_ssl_set_hostname(ssl.as_ptr(), name))?;
            raw::mbedtls_ssl_set_verify(ssl.as_ptr(), Some(verify_callback), session.judge.as_ptr().cast());
            if session.config.transport() == TransportKind::Datagram {
                raw::mbedtls_ssl_set_timer_cb(
                    ssl.as_ptr(),
                    session.timer.as_ptr().cast(),
                    Some(set_timer),
                    Some(get_timer),
                );
            }
        }
        Ok(session)
    }

    /// The time, in seconds since 1970, at which the dates of certificates and revocation lists are judged.
    /// Without one they are not.
    pub fn set_time(&mut self, time: Option<i64>) {
        // SAFETY: the judge lives as long as the session, and no call of the library is running.
        unsafe { self.judge.as_mut() }.time = time;
    }

    /// Lets the caller decide over the peer's certificates, in place of [`Session::set_time`].
    pub fn set_verify_hook(&mut self, hook: VerifyHook) {
        // SAFETY: as in `set_time`.
        unsafe { self.judge.as_mut() }.hook = Some(hook);
    }

    /// Offers a saved session in the handshake, which is not to have begun. If the server does not take it, the
    /// handshake is a full one.
    ///
    /// # Errors
    /// When the data is damaged, or was saved by another version, for another name or under other trust, or the
    /// handshake has begun. The session is as before, and a full handshake follows.
    pub fn resume(&mut self, saved: &[u8]) -> Result<(), Error> {
        if self.begun || self.offered {
            return Err(Error::BAD_INPUT);
        }
        let content = unwrap_saved(saved, &self.binding, SAVED_HEAD)?;
        if !ends_its_name(content) {
            return Err(Error::BAD_INPUT);
        }
        let stored = Stored::new();
        // SAFETY: the session structure is initialised, pointer and length describe the content.
        Error::check(unsafe { raw::mbedtls_ssl_session_load(stored.0.as_ptr(), content.as_ptr(), content.len()) })?;
        // SAFETY: loaded above. A verdict that was tolerated once would pass unseen where it is not tolerated.
        let verdict = unsafe { raw::mbed_cloud_connectivity_session_verify_result(stored.0.as_ptr()) };
        if verdict != 0 && self.config.verification() == crate::config::Verification::Required {
            return Err(Error::new(raw::MBEDTLS_ERR_X509_CERT_VERIFY_FAILED));
        }
        // SAFETY: both are initialised; the library copies the session.
        Error::check(unsafe { raw::mbedtls_ssl_set_session(self.ssl.as_ptr(), stored.0.as_ptr()) })?;
        self.offered = true;
        Ok(())
    }

    /// Asks the server for a Connection ID, by which it knows this session when our address has changed (RFC 9146); none is
    /// wanted in what we receive. Before the handshake, of a datagram session.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`] on a stream, and once the handshake has begun.
    pub fn ask_for_connection_id(&mut self) -> Result<(), Error> {
        if self.begun || self.config.transport() != TransportKind::Datagram {
            return Err(Error::BAD_INPUT);
        }
        // Not null: the library copies from it, which C does not define of null, not even where the length is 0.
        let none = [0_u8];
        // SAFETY: the context is valid; no bytes are read where the length is 0.
        Error::check(unsafe {
            raw::mbedtls_ssl_set_cid(self.ssl.as_ptr(), raw::MBEDTLS_SSL_CID_ENABLED as c_int, none.as_ptr(), 0)
        })
    }

    /// The Connection ID that our records carry; nothing where none was agreed on.
    pub fn connection_id(&self) -> Option<Vec<u8>> {
        self.has_connection_id.then(|| self.outgoing_connection_id().unwrap_or_default())
    }

    /// The library tells an empty one from none only in the handshake.
    fn outgoing_connection_id(&self) -> Option<Vec<u8>> {
        if self.config.transport() != TransportKind::Datagram {
            return None;
        }
        let (mut enabled, mut size) = (0, 0);
        let mut bytes = [0; raw::MBEDTLS_SSL_CID_OUT_LEN_MAX as usize];
        // SAFETY: the context is valid, and the buffer has room for the longest one.
        let code =
            unsafe { raw::mbedtls_ssl_get_peer_cid(self.ssl.as_ptr(), &mut enabled, bytes.as_mut_ptr(), &mut size) };
        (code == 0 && enabled == raw::MBEDTLS_SSL_CID_ENABLED as c_int).then(|| bytes[..size].to_vec())
    }

    /// Puts another Connection ID into our records from now on.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`] before the handshake is done, where none was agreed on, while a record waits, and for more than 32
    /// bytes.
    pub fn replace_connection_id(&mut self, id: &[u8]) -> Result<(), Error> {
        if !self.is_established() || !self.has_connection_id {
            return Err(Error::BAD_INPUT);
        }
        // SAFETY: the context is valid and established; pointer and size describe the bytes, which are copied.
        Error::check(unsafe { raw::mbed_cloud_connectivity_set_outgoing_cid(self.ssl.as_ptr(), id.as_ptr(), id.len()) })
    }

    /// The whole state of an established datagram session, for [`Session::restore`]. The session goes on.
    ///
    /// Once this session has written again, the saved state must not be used any more: its record numbers would be used twice.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`] when the handshake is not done, on a stream, or while bytes wait inside the library; the session is
    /// as before. Out of memory, which may end the session.
    pub fn suspend(&mut self) -> Result<SavedSession, Error> {
        if !self.is_established() || self.closing != Closing::Open {
            return Err(Error::BAD_INPUT);
        }
        let mut size = 0;
        // SAFETY: a null buffer of size 0 asks for the size, which is written to `size`.
        let code = unsafe { raw::mbedtls_ssl_context_save(self.ssl.as_ptr(), null_mut(), 0, &mut size) };
        if code != raw::MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL {
            return Err(if code < 0 { Error::new(code) } else { Error::BAD_INPUT });
        }
        let mut content = Zeroizing::new(vec![0; size]);
        let saved = {
            // SAFETY: pointer and length describe `content`.
            let code = unsafe {
                raw::mbedtls_ssl_context_save(self.ssl.as_ptr(), content.as_mut_ptr(), content.len(), &mut size)
            };
            Error::check(code)?;
            wrap_saved(&content, self.config.fingerprint(), CONTEXT_HEAD)?
        };
        // The library has taken the state out of the session.
        // SAFETY: the context is set up and fresh; pointer and length describe `content`.
        let code = unsafe { raw::mbedtls_ssl_context_load(self.ssl.as_ptr(), content.as_ptr(), content.len()) };
        if code != 0 {
            return Err(self.fail(code));
        }
        self.shrink_output();
        Ok(SavedSession(saved))
    }

    /// A session that goes on where [`Session::suspend`] left one, without a handshake.
    ///
    /// # Errors
    /// When the data is damaged, or was saved by another version or under another trust or identity.
    pub fn restore(config: Arc<ClientConfig>, saved: &[u8]) -> Result<Self, Error> {
        let mut session = Self::new(config, ServerName::Unchecked)?;
        let content = unwrap_saved(saved, session.config.fingerprint(), CONTEXT_HEAD)?;
        if !is_sound_context(content) {
            return Err(Error::BAD_INPUT);
        }
        // SAFETY: the context is set up and fresh; pointer and length describe the content.
        Error::check(unsafe { raw::mbedtls_ssl_context_load(session.ssl.as_ptr(), content.as_ptr(), content.len()) })?;
        (session.begun, session.established) = (true, true);
        session.has_connection_id = session.outgoing_connection_id().is_some();
        session.shrink_output();
        session.remember_peer();
        Ok(session)
    }

    /// Goes on with the handshake. On an established session it does nothing.
    ///
    /// # Errors
    /// The handshake failed; every later call says the same. [`Session::verify_result`],
    /// [`Session::peer_certificates`] and [`Session::last_alert`] tell why.
    pub fn handshake(&mut self, io: &mut dyn Transport) -> Result<Handshake, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.established {
            return Ok(Handshake::Done);
        }
        self.begun = true;
        let (offered, mut resumed) = (self.offered, self.resumed);
        for _ in 0..TURNS {
            let (code, blocked, _) = self.call(io, |ssl| {
                // SAFETY: the context is valid and in a handshake; each step returns to us, so that it can be seen
                // whether the session is resumed, which is forgotten with the last step.
                unsafe {
                    while raw::mbed_cloud_connectivity_handshake_over(ssl) != 1 {
                        if offered && raw::mbed_cloud_connectivity_resuming(ssl) >= 0 {
                            resumed = raw::mbed_cloud_connectivity_resuming(ssl) == 1;
                        }
                        let code = raw::mbedtls_ssl_handshake_step(ssl);
                        if code != 0 {
                            return code;
                        }
                    }
                }
                0
            });
            self.resumed = resumed;
            match code {
                0 => {
                    self.established = true;
                    self.has_connection_id = self.outgoing_connection_id().is_some();
                    self.shrink_output();
                    self.remember_peer();
                    return Ok(Handshake::Done);
                }
                raw::MBEDTLS_ERR_SSL_WANT_READ if blocked => return Ok(Handshake::WantRead),
                raw::MBEDTLS_ERR_SSL_WANT_WRITE if blocked => return Ok(Handshake::WantWrite),
                // Input was used up without the transport having run dry: no event would follow.
                raw::MBEDTLS_ERR_SSL_WANT_READ | raw::MBEDTLS_ERR_SSL_WANT_WRITE => {}
                code => return Err(self.fail(code)),
            }
        }
        Err(self.fail(raw::MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE))
    }

    /// Reads bytes of one record. What does not fit into the buffer is there for the next call.
    ///
    /// A ticket that arrives is taken without a word; see [`Session::save`].
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`] for an empty buffer or before the handshake is done. After an error of the transport
    /// the call may be repeated; after any other the session is over, and every later call says the same.
    pub fn read(&mut self, io: &mut dyn Transport, buffer: &mut [u8]) -> Result<Read, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if !self.established || buffer.is_empty() {
            return Err(Error::BAD_INPUT);
        }
        if let Some(closed) = self.peer_closed {
            return Ok(closed);
        }
        for _ in 0..TURNS {
            let (pointer, size) = (buffer.as_mut_ptr(), buffer.len());
            let (code, blocked, end_of_stream) = self.call(io, |ssl| {
                // SAFETY: the context is valid and established; pointer and size describe the caller's buffer.
                unsafe { raw::mbedtls_ssl_read(ssl, pointer, size) }
            });
            match code {
                0 if end_of_stream => {
                    self.peer_closed = Some(Read::EndOfFile);
                    return Ok(Read::EndOfFile);
                }
                // The library reads one record too many over an empty one and then says 0 as for the end.
                0 => return Ok(Read::Data { size: 0, end_of_record: true }),
                size if size > 0 => {
                    // SAFETY: the context is valid.
                    let left = unsafe { raw::mbedtls_ssl_get_bytes_avail(self.ssl.as_ptr()) };
                    return Ok(Read::Data { size: size as usize, end_of_record: left == 0 });
                }
                raw::MBEDTLS_ERR_SSL_WANT_READ if blocked => return Ok(Read::WantRead),
                raw::MBEDTLS_ERR_SSL_WANT_WRITE if blocked => return Ok(Read::WantWrite),
                raw::MBEDTLS_ERR_SSL_WANT_READ | raw::MBEDTLS_ERR_SSL_WANT_WRITE => {}
                raw::MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET => {
                    self.ticket_arrived = true;
                }
                raw::MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY => {
                    self.peer_closed = Some(Read::Closed);
                    return Ok(Read::Closed);
                }
                code if self.transport_error.is_some() => return Err(Error::new(code)),
                code => return Err(self.fail(code)),
            }
        }
        // The peer sends nothing but warnings and tickets: let the caller do something else in between.
        Ok(Read::Data { size: 0, end_of_record: true })
    }

    /// Writes bytes as one record. Beyond [`Session::max_record_payload`] a stream takes the first part, a
    /// datagram session refuses. No bytes make no record.
    ///
    /// After [`Write::WantWrite`], and after an error of the transport, the record waits with its number used up:
    /// the call is to be repeated with the same bytes, which go out once. Other bytes are refused until then. Where an alert waits,
    /// none is made before that is out.
    ///
    /// # Errors
    /// [`ErrorKind::BadInput`] before the handshake is done, after [`Session::close_notify`], and for other bytes
    /// than those that wait. [`ErrorKind::AllocationFailed`] where there is no memory for a large record: none was
    /// made. After either, and after an error of the transport, the call may be repeated; after any other the
    /// session is over.
    pub fn write(&mut self, io: &mut dyn Transport, bytes: &[u8]) -> Result<Write, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if !self.established || self.closing != Closing::Open {
            return Err(Error::BAD_INPUT);
        }
        if let Some(pending) = &self.pending {
            if !pending.is_for(bytes) {
                return Err(Error::BAD_INPUT);
            }
            if self.out_left() == 0 {
                // It went out with something else; writing again would send it twice.
                let taken = pending.taken;
                self.pending = None;
                self.shrink_output();
                return Ok(Write::Done(taken));
            }
        }
        if bytes.is_empty() {
            return Ok(Write::Done(0));
        }
        if self.pending.is_none() && self.out_left() != 0 {
            // An alert, such as the refusal of a renegotiation. The library would send it and take that for the record.
            match self.flush(io) {
                0 => {}
                raw::MBEDTLS_ERR_SSL_WANT_WRITE => return Ok(Write::WantWrite),
                code if self.transport_error.is_some() => return Err(Error::new(code)),
                code => return Err(self.fail(code)),
            }
        }
        if bytes.len() > KEPT_OUTPUT {
            self.fit_output(bytes.len().min(self.max_record_payload()))?;
        }
        let mut code;
        let mut turns = 0;
        loop {
            let blocked;
            (code, blocked, _) = self.call(io, |ssl| {
                // SAFETY: the context is valid and established; pointer and length describe the bytes, which are not
                // kept beyond the call.
                unsafe { raw::mbedtls_ssl_write(ssl, bytes.as_ptr(), bytes.len()) }
            });
            turns += 1;
            if code != raw::MBEDTLS_ERR_SSL_WANT_WRITE || blocked || turns == TURNS {
                break;
            }
        }
        if bytes.len() > KEPT_OUTPUT {
            self.shrink_output();
        }
        if code >= 0 {
            self.pending = None;
            return Ok(Write::Done(code as usize));
        }
        if self.out_left() != 0 {
            let taken = bytes.len().min(self.max_record_payload());
            // Not of all of them: the rest of a large buffer is no part of this record.
            self.pending = Some(Pending { size: bytes.len(), hash: hash(&bytes[..taken]), taken });
        }
        match code {
            raw::MBEDTLS_ERR_SSL_WANT_WRITE => Ok(Write::WantWrite),
            code if self.transport_error.is_some() || Error::new(code).kind() == ErrorKind::BadInput => {
                Err(Error::new(code))
            }
            code => Err(self.fail(code)),
        }
    }

    /// Whether a record waits to go out, so that only its bytes may be written.
    pub fn has_pending_write(&self) -> bool {
        self.pending.is_some()
    }

    /// Sends close_notify, once, after a record that waits. Without an established session nothing is sent.
    ///
    /// # Errors
    /// As for [`Session::write`].
    pub fn close_notify(&mut self, io: &mut dyn Transport) -> Result<Write, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if !self.established || self.closing == Closing::Sent {
            return Ok(Write::Done(0));
        }
        // With a record in the buffer the library flushes it and makes no alert: hence up to two calls.
        for _ in 0..TURNS {
            let waiting = self.out_left() != 0;
            if self.closing == Closing::Begun && !waiting {
                self.closing = Closing::Sent;
                return Ok(Write::Done(0));
            }
            if !waiting {
                self.pending = None;
            }
            let (code, blocked, _) = self.call(io, |ssl| {
                // SAFETY: the context is valid and established.
                unsafe { raw::mbedtls_ssl_close_notify(ssl) }
            });
            if !waiting && (code == 0 || self.out_left() != 0) {
                self.closing = Closing::Begun;
            }
            match code {
                0 => {}
                raw::MBEDTLS_ERR_SSL_WANT_WRITE if blocked => return Ok(Write::WantWrite),
                raw::MBEDTLS_ERR_SSL_WANT_WRITE => {}
                code if self.transport_error.is_some() => return Err(Error::new(code)),
                code => return Err(self.fail(code)),
            }
        }
        Ok(Write::WantWrite)
    }

    /// Whether the handshake is done and the session has not failed since.
    pub fn is_established(&self) -> bool {
        self.established && self.failed.is_none()
    }

    /// What the session was made with.
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    /// When [`Session::handshake`] is to be called again though nothing arrived: a retransmission of DTLS.
    pub fn deadline(&self) -> Option<Instant> {
        // SAFETY: the timer lives as long as the session, and no call of the library is running.
        unsafe { self.timer.as_ref() }.last
    }

    /// The largest datagram to make, in bytes; 0 (the default) sets no bound. Only for datagrams. It counts in place of what a
    /// handshake that lost datagrams took for the path's bound.
    pub fn set_mtu(&mut self, size: u16) {
        // SAFETY: the context is valid.
        unsafe { raw::mbed_cloud_connectivity_set_mtu(self.ssl.as_ptr(), size) };
    }

    /// Whether received bytes wait inside the library, so that a read gives something without the transport.
    pub fn has_buffered_input(&self) -> bool {
        // SAFETY: the context is valid.
        unsafe { raw::mbedtls_ssl_check_pending(self.ssl.as_ptr()) == 1 }
    }

    /// The largest content of one record, in bytes; 0 before the handshake is done.
    pub fn max_record_payload(&self) -> usize {
        if !self.established {
            return 0;
        }
        // SAFETY: the context is valid.
        let size = unsafe { raw::mbedtls_ssl_get_max_out_record_payload(self.ssl.as_ptr()) };
        usize::try_from(size).unwrap_or(0)
    }

    /// The verdict about the peer's certificates, after a failed handshake, too. No reason is set where none were
    /// judged.
    pub fn verify_result(&self) -> VerifyFlags {
        // SAFETY: the context is valid.
        let bits = unsafe { raw::mbedtls_ssl_get_verify_result(self.ssl.as_ptr()) };
        if bits != u32::MAX {
            return VerifyFlags::from_bits(bits);
        }
        // All bits stand for "not judged", and for a chain that could not be gone through.
        match self.failed {
            Some(error) if error.kind() == ErrorKind::VerifyFailed => {
                VerifyFlags::BADCERT_NOT_TRUSTED | VerifyFlags::BADCERT_OTHER
            }
            _ => VerifyFlags::NONE,
        }
    }

    /// The certificates that the peer sent, its own first, after a failed handshake, too. Of a resumed session of
    /// TLS 1.2, those of its first handshake; of TLS 1.3, none.
    pub fn peer_certificates(&self) -> &[CertificateInfo] {
        // SAFETY: the judge lives as long as the session, and no call of the library is running.
        &unsafe { self.judge.as_ref() }.presented
    }

    /// The chain that was built from the peer's certificate towards a trusted one, with what was found.
    pub fn verified_chain(&self) -> &[ChainLink] {
        // SAFETY: as in `peer_certificates`.
        &unsafe { self.judge.as_ref() }.chain
    }

    /// Forgets what [`Session::peer_certificates`] and [`Session::verified_chain`] tell of an established session: beside its buffers it
    /// has nothing that is larger.
    pub fn forget_certificates(&mut self) {
        if self.established {
            // SAFETY: as in `set_time`.
            let judge = unsafe { self.judge.as_mut() };
            (judge.chain, judge.presented) = (Vec::new(), Vec::new());
        }
    }

    /// The fatal alert that the peer sent last, if any.
    pub fn last_alert(&self) -> Option<Alert> {
        self.alert
    }

    /// The error of the transport that ended the last call, taken out.
    pub fn take_transport_error(&mut self) -> Option<io::Error> {
        self.transport_error.take()
    }

    /// The version agreed on.
    pub fn version(&self) -> Option<ProtocolVersion> {
        if !self.established {
            return None;
        }
        // SAFETY: the context is valid.
        ProtocolVersion::from_wire(unsafe { raw::mbed_cloud_connectivity_version(self.ssl.as_ptr()) })
    }

    /// The suite agreed on.
    pub fn cipher_suite(&self) -> Option<CipherSuite> {
        if !self.established {
            return None;
        }
        // SAFETY: the context is valid.
        let number = unsafe { raw::mbedtls_ssl_get_ciphersuite_id_from_ssl(self.ssl.as_ptr()) };
        CipherSuite::from_number(u16::try_from(number).ok()?)
    }

    /// The application protocol agreed on.
    pub fn alpn(&self) -> Option<&str> {
        if !self.established {
            return None;
        }
        // SAFETY: the context is valid; the name is one of those in the configuration, which the session keeps alive.
        unsafe { c_text(raw::mbedtls_ssl_get_alpn_protocol(self.ssl.as_ptr())) }
    }

    /// Whether the handshake resumed the session given to [`Session::resume`].
    pub fn is_resumed(&self) -> bool {
        self.established && self.resumed
    }

    /// What carries the records.
    pub fn transport_kind(&self) -> TransportKind {
        self.config.transport()
    }

    /// The session in a form that [`Session::resume`] takes; nothing when the server gave nothing to resume with
    /// (in TLS 1.3: has not yet sent a ticket). The newest ticket counts.
    ///
    /// # Errors
    /// Out of memory, or the handshake is not done.
    pub fn save(&mut self) -> Result<Option<SavedSession>, Error> {
        if !self.established {
            return Err(Error::BAD_INPUT);
        }
        let first = self.saved.is_none() && self.version() == Some(ProtocolVersion::Tls12);
        if first || self.ticket_arrived {
            let stored = Stored::new();
            // SAFETY: both are initialised; the library copies its session.
            Error::check(unsafe { raw::mbedtls_ssl_get_session(self.ssl.as_ptr(), stored.0.as_ptr()) })?;
            self.ticket_arrived = false;
            // SAFETY: filled above.
            if unsafe { raw::mbed_cloud_connectivity_session_resumable(stored.0.as_ptr()) } == 1 {
                self.saved = Some(wrap_saved(&stored.bytes()?, &self.binding, SAVED_HEAD)?);
            } else {
                self.saved = Some(Zeroizing::new(Vec::new()));
            }
        }
        Ok(self.saved.as_ref().filter(|saved| !saved.is_empty()).map(|saved| SavedSession(saved.clone())))
    }

    /// Whether a ticket arrived that no [`Session::save`] has taken yet (TLS 1.3).
    pub fn has_new_ticket(&self) -> bool {
        self.ticket_arrived
    }

    /// Runs the library with the transport in its hands for just this time.
    fn call(
        &mut self,
        io: &mut dyn Transport,
        run: impl FnOnce(*mut raw::mbedtls_ssl_context) -> c_int,
    ) -> (c_int, bool, bool) {
        let ssl = self.ssl.as_ptr();
        let mut carrier = Carrier {
            transport: io,
            kind: self.config.transport(),
            blocked: false,
            end_of_stream: false,
            error: None,
            panic: None,
        };
        Error::forget_refusals();
        // SAFETY: the carrier outlives the run, and the pointer to it is taken back before it goes; the callbacks
        // never unwind, nor does `run`, which only calls C.
        let code = unsafe {
            raw::mbedtls_ssl_set_bio(ssl, (&raw mut carrier).cast(), Some(send_callback), Some(receive_callback), None);
            let code = run(ssl);
            raw::mbedtls_ssl_set_bio(ssl, null_mut(), None, None, None);
            code
        };
        let Carrier { blocked, end_of_stream, error, panic, .. } = carrier;
        self.transport_error = error;
        let code = match code {
            0.. => code,
            // What the peer or the transport says, and no failure of the library.
            raw::MBEDTLS_ERR_SSL_WANT_READ
            | raw::MBEDTLS_ERR_SSL_WANT_WRITE
            | raw::MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
            | raw::MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY
            | raw::MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE => code,
            _ if self.transport_error.is_some() => code,
            _ => Error::unless_refused(code),
        };
        // SAFETY: the library has returned, so nothing else uses the judge.
        let panic = panic.or_else(|| unsafe { self.judge.as_mut() }.panic.take());
        if let Some(panic) = panic {
            self.failed = Some(Error::INTERNAL);
            resume_unwind(panic);
        }
        if code == raw::MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE {
            self.remember_alert();
        }
        (code, blocked, end_of_stream)
    }

    fn fail(&mut self, code: c_int) -> Error {
        let error = Error::new(code);
        self.failed = Some(error);
        error
    }

    /// Sends what waits.
    fn flush(&mut self, io: &mut dyn Transport) -> c_int {
        // SAFETY: the context is valid and established.
        self.call(io, |ssl| unsafe { raw::mbed_cloud_connectivity_flush(ssl) }).0
    }

    fn fit_output(&mut self, content: usize) -> Result<(), Error> {
        // SAFETY: the context is valid, and no call of the library is running.
        Error::check(unsafe { raw::mbed_cloud_connectivity_fit_output(self.ssl.as_ptr(), content) })
    }

    /// Not while a record waits in it.
    fn shrink_output(&mut self) {
        // Without memory for the smaller buffer the larger one stays, which is as good.
        let _ = self.fit_output(KEPT_OUTPUT);
    }

    fn out_left(&self) -> usize {
        // SAFETY: the context is valid, and no call of the library is running.
        unsafe { (*self.ssl.as_ptr()).private_out_left }
    }

    fn remember_alert(&mut self) {
        // SAFETY: the context is valid; after this error the message of the last record is the alert, and stays in
        // the buffer until the next read, which does not come before this.
        unsafe {
            let ssl = &*self.ssl.as_ptr();
            if !ssl.private_in_msg.is_null() && ssl.private_in_msglen >= 2 {
                let message = std::slice::from_raw_parts(ssl.private_in_msg, 2);
                self.alert = Some(Alert { level: message[0], description: message[1] });
            }
        }
    }

    /// Where the callback saw no certificates (resumed, or not verified), the library may have them.
    fn remember_peer(&mut self) {
        // SAFETY: the context is valid, the list is the library's and not written here; the judge is not in use.
        unsafe {
            let judge = self.judge.as_mut();
            if judge.presented.is_empty() {
                judge.presented = certificates(raw::mbedtls_ssl_get_peer_cert(self.ssl.as_ptr()));
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: the context goes first, since it points to judge, timer and configuration; the boxes were leaked
        // in `new` and nothing uses them after this.
        unsafe {
            release(self.ssl, raw::mbedtls_ssl_free);
            drop(Box::from_raw(self.judge.as_ptr()));
            drop(Box::from_raw(self.timer.as_ptr()));
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Session")
            .field("established", &self.established)
            .field("failed", &self.failed)
            .field("alert", &self.alert)
            .finish_non_exhaustive()
    }
}

/// What a [`ServerName`] comes to.
struct Name {
    sent: Option<CString>,
    address: Option<IpAddr>,
    any_name: bool,
}

impl Name {
    fn read(name: ServerName<'_>) -> Result<Self, Error> {
        let (text, any_name) = match name {
            ServerName::Unchecked => return Ok(Self { sent: None, address: None, any_name: true }),
            ServerName::Check(text) => (text, false),
            ServerName::SendOnly(text) => (text, true),
        };
        let literal = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = literal.parse::<IpAddr>() {
            return Ok(Self { sent: None, address: (!any_name).then_some(address), any_name });
        }
        // The root's dot is part of a name in DNS, and not in TLS (RFC 6066).
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() || text.len() > raw::MBEDTLS_SSL_MAX_HOST_NAME_LEN as usize {
            return Err(Error::BAD_INPUT);
        }
        let sent = CString::new(text).map_err(|_| Error::BAD_INPUT)?;
        Ok(Self { sent: Some(sent), address: None, any_name })
    }
}

/// A session structure of the library outside a session.
struct Stored(NonNull<raw::mbedtls_ssl_session>);

impl Stored {
    fn new() -> Self {
        Self(allocate(raw::mbedtls_ssl_session_init))
    }

    fn bytes(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut size = 0;
        // SAFETY: a null buffer of size 0 asks for the size, which is written to `size`.
        let code = unsafe { raw::mbedtls_ssl_session_save(self.0.as_ptr(), null_mut(), 0, &mut size) };
        if code != 0 && code != raw::MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL {
            return Err(Error::new(code));
        }
        let mut bytes = Zeroizing::new(vec![0; size]);
        // SAFETY: pointer and length describe `bytes`.
        Error::check(unsafe {
            raw::mbedtls_ssl_session_save(self.0.as_ptr(), bytes.as_mut_ptr(), bytes.len(), &mut size)
        })?;
        bytes.truncate(size);
        Ok(bytes)
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `allocate` and is not used after this; the library wipes the secrets.
        unsafe { release(self.0, raw::mbedtls_ssl_session_free) };
    }
}

/// Magic and version of the form, before a SHA-256 over all that follows it: what a session is bound to, then the
/// library's own form, which by itself would take damaged data for good.
const SAVED_HEAD: &[u8; 8] = b"MCCTLS\0\x01";
/// The same for the whole state of a datagram session.
const CONTEXT_HEAD: &[u8; 8] = b"MCCDTLS\x01";

fn wrap_saved(content: &[u8], binding: &[u8; 32], head: &[u8; 8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(8 + 32 + 32 + content.len()));
    bytes.extend_from_slice(head);
    bytes.extend_from_slice(&[0; 32]);
    bytes.extend_from_slice(binding);
    bytes.extend_from_slice(content);
    let hash = sha256(&bytes[40..])?;
    bytes[8..40].copy_from_slice(&hash);
    Ok(bytes)
}

fn unwrap_saved<'a>(saved: &'a [u8], binding: &[u8; 32], head: &[u8; 8]) -> Result<&'a [u8], Error> {
    let mismatch = Error::new(raw::MBEDTLS_ERR_SSL_VERSION_MISMATCH);
    let rest = saved.strip_prefix(head).ok_or(mismatch)?;
    if rest.len() < 64 {
        return Err(Error::BAD_INPUT);
    }
    let (hash, bound) = rest.split_at(32);
    if sha256(bound)? != hash {
        return Err(Error::BAD_INPUT);
    }
    let (binding_saved, content) = bound.split_at(32);
    if binding_saved != binding {
        return Err(mismatch);
    }
    Ok(content)
}

/// Whether the name in a saved session of TLS 1.3 is a text of C: the library copies it up to its NUL, and does not see to it that there
/// is one. The form, in the words of the library's `ssl_tls.c`: version and configuration (5 bytes), TLS version, endpoint, cipher suite
/// (2), `ticket_age_add` (4), `ticket_flags`, the length of the resumption key and the key, the length of the name (2) and the name.
fn ends_its_name(content: &[u8]) -> bool {
    const TLS_1_3: u8 = 4;
    let Some((&[.., TLS_1_3, _, _, _, _, _, _, _, _, key_size], rest)) = content.split_first_chunk::<15>() else {
        // Of another version, or cut: the library says so.
        return true;
    };
    let name = rest.get(usize::from(key_size)..).and_then(|rest| rest.split_first_chunk::<2>());
    let name = name.and_then(|(size, rest)| rest.get(..u16::from_be_bytes(*size).into()));
    name.and_then(<[u8]>::last).is_none_or(|last| *last == 0)
}

/// Whether the library can take the saved state of a datagram session: it copies the Connection IDs, and compares the ALPN protocol,
/// without seeing to it that they fit, and a session of TLS 1.3 has no place there. The form, in the words of the library's `ssl_tls.c`:
/// version and configuration (8 bytes), the length of the session (4) and the session, which begins with its TLS version, the random
/// bytes (64), both Connection IDs with their lengths (1), counters and settings (31), the protocol with its length (1).
fn is_sound_context(content: &[u8]) -> bool {
    const TLS_1_2: u8 = 3;
    let after_connection_id = |rest: &[u8], limit: u32| -> Option<usize> {
        let size = *rest.first()?;
        (u32::from(size) <= limit).then_some(1 + usize::from(size))
    };
    let read = || {
        let (_, rest) = content.split_first_chunk::<8>()?;
        let (size, rest) = rest.split_first_chunk::<4>()?;
        let (session, rest) = rest.split_at_checked(u32::from_be_bytes(*size) as usize)?;
        let (_, rest) = rest.split_first_chunk::<64>()?;
        let rest = rest.get(after_connection_id(rest, raw::MBEDTLS_SSL_CID_IN_LEN_MAX)?..)?;
        let rest = rest.get(after_connection_id(rest, raw::MBEDTLS_SSL_CID_OUT_LEN_MAX)?..)?;
        let (_, rest) = rest.split_first_chunk::<31>()?;
        let (size, protocol) = rest.split_first()?;
        Some(session.first() == Some(&TLS_1_2) && protocol.len() == usize::from(*size))
    };
    read().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    #[test]
    fn a_saved_name_without_an_end_is_not_handed_to_the_library() {
        let of = |version: u8, name: &[u8]| {
            let size = u16::try_from(name.len()).unwrap().to_be_bytes();
            [&[3, 6, 5, 0, 0, version, 0, 0x13, 1, 0, 0, 0, 0, 0, 2, 7, 7][..], &size, name, &[9; 8]].concat()
        };
        for good in [&b""[..], b"\0", b"a.example\0"] {
            assert!(ends_its_name(&of(4, good)), "{good:?}");
        }
        for bad in [&b"a"[..], b"a\0.example", &[1; 300]] {
            assert!(!ends_its_name(&of(4, bad)), "{bad:?}");
            assert!(ends_its_name(&of(3, bad)), "there is none in TLS 1.2: {bad:?}");
        }
        assert!(ends_its_name(&[]), "the library refuses it");
    }

    #[test]
    fn a_saved_context_with_lengths_that_do_not_fit_is_not_handed_to_the_library() {
        let of = |version: u8, ids: [usize; 2], said: u8, protocol: &[u8]| {
            let [incoming, outgoing] = ids.map(|size| [&[size as u8][..], &vec![7; size]].concat());
            let session = [version, 0, 0xc0, 0xae];
            [
                &[3, 6, 5, 0, 0, 0, 0, 0, 0, 0, 0, 4][..],
                &session,
                &[9; 64],
                &incoming,
                &outgoing,
                &[0; 31],
                &[said],
                protocol,
            ]
            .concat()
        };
        let longest = raw::MBEDTLS_SSL_CID_OUT_LEN_MAX as usize;
        for good in [of(3, [0, 0], 0, b""), of(3, [longest, longest], 4, b"coap")] {
            assert!(is_sound_context(&good), "{good:?}");
            assert!((0..good.len()).all(|size| !is_sound_context(&good[..size])), "it was cut");
        }
        for bad in [
            of(3, [longest + 1, 0], 0, b""),
            of(3, [0, longest + 1], 0, b""),
            of(3, [0, 255], 0, b""),
            of(3, [0, 0], 5, b"coap"),
            of(3, [0, 0], 3, b"coap"),
            of(4, [0, 0], 0, b""),
        ] {
            assert!(!is_sound_context(&bad), "{bad:?}");
        }
    }

    #[test]
    fn names_are_told_from_addresses() {
        let name = Name::read(ServerName::Check("example.com.")).unwrap();
        assert_eq!(name.sent.as_deref().map(CStr::to_bytes), Some(&b"example.com"[..]));
        let name = Name::read(ServerName::Check("[::1]")).unwrap();
        assert_eq!((name.sent, name.address), (None, Some("::1".parse().unwrap())));
        let name = Name::read(ServerName::SendOnly("127.0.0.1")).unwrap();
        assert_eq!((name.sent, name.address, name.any_name), (None, None, true));
        for bad in ["", ".", "a\0b", &"x".repeat(256)] {
            assert!(Name::read(ServerName::Check(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_datagram_is_taken_as_far_as_it_is_whole_records() {
        let record =
            |length: u8| [&[22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 1, 0, length][..], &vec![7; length.into()]].concat();
        let two = [record(5), record(0)].concat();
        assert_eq!(whole_records(&two), two.len());
        for size in 0..two.len() {
            let expected = if size < 18 { 0 } else { 18 };
            assert_eq!(whole_records(&two[..size]), expected, "cut at {size}");
        }
        assert_eq!(whole_records(&[&two[..], &[22; 12]].concat()), two.len());
        assert_eq!(whole_records(&[0xFF; 100]), 0);
    }

    #[test]
    fn saved_data_is_taken_only_as_it_was_and_where_it_belongs() {
        let saved = wrap_saved(b"content", &[7; 32], SAVED_HEAD).unwrap();
        assert_eq!(unwrap_saved(&saved, &[7; 32], SAVED_HEAD), Ok(&b"content"[..]));
        assert!(unwrap_saved(&saved, &[8; 32], SAVED_HEAD).is_err());
        for index in 0..saved.len() {
            let mut damaged = saved.to_vec();
            damaged[index] ^= 1;
            assert!(unwrap_saved(&damaged, &[7; 32], SAVED_HEAD).is_err(), "byte {index}");
            assert!(unwrap_saved(&saved[..index], &[7; 32], SAVED_HEAD).is_err(), "cut at {index}");
        }
    }
}
