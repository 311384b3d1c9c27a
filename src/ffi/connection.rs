//! Connections that stay up.

use crate::coap::framing::Framing;
use crate::connection::endpoint::{Endpoint, Host};
use crate::connection::networks::Networks;
use crate::connection::{self as core, Report, State};
use crate::error::{Failure, Status};
use crate::ffi::configured;
use crate::ffi::context::{CONTEXTS, mcc_context_t};
use crate::ffi::event::*;
use crate::ffi::handle::{Handle, Registry};
use crate::ffi::pointer::{Sized32, buffer, bytes, message, sized, text, write, write_sized};
use crate::ffi::status::mcc_status_t;
use crate::ffi::status::mcc_status_text;
use crate::ffi::{guard, status_of_result};
use crate::keepalive::adaptive::Bounds;
use crate::net::context::{Connection, ConnectionSettings, Context, Event};
use crate::net::socket::TcpOptions;
use crate::settings::{TRANSPORT_MODE, TransportMode};
use crate::tls;
use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::Duration;

/// A CoAP session with one server, connected again whenever it drops.
pub struct mcc_connection_t {
    _opaque: (),
}

static CONNECTIONS: Registry<mcc_connection_t, Arc<Connection>> = Registry::new(3);

/// What carries `coap://` and `coaps://`.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum mcc_transport_t {
    /// What the build read as `MBED_CLOUD_CLIENT_TRANSPORT_MODE_…`; TCP where nothing set it.
    MCC_TRANSPORT_CONFIGURED = 0,
    /// TCP, with TLS for `coaps://`: the device management service.
    MCC_TRANSPORT_TCP = 1,
    /// UDP, with DTLS 1.2 for `coaps://` (RFC 7252 section 9).
    MCC_TRANSPORT_UDP = 2,
}

/// How messages are told apart on TCP, for `coap://` and `coaps://`. `coap+tcp://` and `coaps+tcp://` always mean RFC 8323, and UDP
/// always one message a datagram, with DTLS in one record.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum mcc_framing_t {
    /// Records with TLS, length prefixes without.
    MCC_FRAMING_DEFAULT = 0,
    /// One RFC 7252 message in one TLS record, up to 16384 bytes, in TLS 1.3 up to 16383.
    MCC_FRAMING_RECORD = 1,
    /// Four bytes of big-endian length, then one RFC 7252 message.
    MCC_FRAMING_LENGTH_PREFIX = 2,
}

/// TLS versions, by their number on the wire.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum mcc_tls_version_t {
    /// TLS 1.2
    MCC_TLS_1_2 = 0x0303,
    /// TLS 1.3
    MCC_TLS_1_3 = 0x0304,
}

/// Where the search for the interval begins over TCP unless set.
const STREAM_FLOOR: Duration = Duration::from_secs(60);

/// The interval that switches keepalive off.
pub const MCC_KEEPALIVE_OFF: u32 = u32::MAX;

/// The most bytes that `mcc_connection_keepalive_state` writes.
pub const MCC_KEEPALIVE_STATE_MAX_SIZE: usize = 396;

const _: () = assert!(MCC_KEEPALIVE_STATE_MAX_SIZE == core::networks::MAX_EXPORT_SIZE);

/// How the server and this device prove who they are, over TLS and DTLS. Begin with `MCC_TLS_OPTIONS_INIT`. Everything that is pointed to is copied
/// before `mcc_connection_open` returns. Certificates, lists and keys are PEM text or DER; a size does not count the NUL of a text.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mcc_tls_options_t {
    /// The size of this struct in bytes, as the initialiser sets it.
    pub size: u32,
    /// 1 (the default): the server's certificate has to be for `server_name`. 0: any name will do, for a service with a CA of its own.
    pub check_server_name: u32,
    /// The lowest version, one of `mcc_tls_version_t`; 1.2 by default. DTLS is always 1.2, and a lowest version above it is
    /// `MCC_ERR_UNSUPPORTED`.
    pub min_version: u32,
    /// The highest version, one of `mcc_tls_version_t`; 1.3 by default.
    pub max_version: u32,
    /// The CA certificates that the server's chain has to lead to; null with a pre-shared key where nothing else counts.
    pub ca: *const u8,
    /// Size of `ca` in bytes.
    pub ca_size: usize,
    /// Certificates that have been revoked, or null.
    pub crl: *const u8,
    /// Size of `crl` in bytes.
    pub crl_size: usize,
    /// The device's own certificate and the chain to its CA, or null.
    pub certificate: *const u8,
    /// Size of `certificate` in bytes.
    pub certificate_size: usize,
    /// The private key of `certificate`, PKCS#8 or SEC1, or null.
    pub key: *const u8,
    /// Size of `key` in bytes.
    pub key_size: usize,
    /// The password of `key`, or null.
    pub key_password: *const u8,
    /// Size of `key_password` in bytes.
    pub key_password_size: usize,
    /// The identity that goes with `psk`, or null.
    pub psk_identity: *const u8,
    /// Size of `psk_identity` in bytes, at most 128.
    pub psk_identity_size: usize,
    /// A pre-shared key, or null.
    pub psk: *const u8,
    /// Size of `psk` in bytes, at most 32.
    pub psk_size: usize,
    /// The name that is asked for (SNI) and checked; null (the default) for the host of the URI.
    pub server_name: *const c_char,
}

// SAFETY: numbers and pointers only, the first is the size.
unsafe impl Sized32 for mcc_tls_options_t {
    const DEFAULT: Self = Self {
        size: size_of::<Self>() as u32,
        check_server_name: 1,
        min_version: mcc_tls_version_t::MCC_TLS_1_2 as u32,
        max_version: mcc_tls_version_t::MCC_TLS_1_3 as u32,
        ca: std::ptr::null(),
        ca_size: 0,
        crl: std::ptr::null(),
        crl_size: 0,
        certificate: std::ptr::null(),
        certificate_size: 0,
        key: std::ptr::null(),
        key_size: 0,
        key_password: std::ptr::null(),
        key_password_size: 0,
        psk_identity: std::ptr::null(),
        psk_identity_size: 0,
        psk: std::ptr::null(),
        psk_size: 0,
        server_name: std::ptr::null(),
    };
}

/// Where to connect to and how. Begin with `MCC_CONNECTION_OPTIONS_INIT` and set `uri` and `callback`, and `tls` for `coaps`.
/// Everything that is pointed to, but for `argument`, is copied before `mcc_connection_open` returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mcc_connection_options_t {
    /// The size of this struct in bytes, as the initialiser sets it.
    pub size: u32,
    /// What carries `coap://` and `coaps://`, one of `mcc_transport_t`.
    pub transport: u32,
    /// `coap://`, `coaps://` (over TCP the service's own framings, over UDP RFC 7252, with DTLS for `coaps`), `coap+tcp://` or
    /// `coaps+tcp://` (RFC 8323), then host and, where it is
    /// not the default of 5683 (5684 for `coaps`), `:port`. IPv6 addresses stand in brackets. A path is not allowed. Without a port the compiled-in
    /// `MBED_CLOUD_CLIENT_CUSTOM_URI_PORT` counts, where the build read one.
    pub uri: *const c_char,
    /// Takes the events. It must not be null.
    pub callback: mcc_event_callback_t,
    /// Handed to the callback; it has to last until the event `MCC_STATE_CLOSED`.
    pub argument: *mut c_void,
    /// For `coaps` and `coaps+tcp`: credentials. It has to be null for the schemes without TLS and DTLS.
    pub tls: *const mcc_tls_options_t,
    /// How messages are told apart on TCP, one of `mcc_framing_t`.
    pub framing: u32,
    /// Seconds between a message and the ping after it, 1 to 4294967, or `MCC_KEEPALIVE_OFF`. 0 (the default): what the build read
    /// as `MBED_CLIENT_TCP_KEEPALIVE_INTERVAL` on TCP, 25 on UDP. On UDP at least 15 (RFC 8085 section 3.5).
    pub keepalive_interval_s: u32,
    /// By how much at most, in percent, an interval is shortened at random, so that a fleet does not ping in step; 0 to 50, 10 by
    /// default.
    pub keepalive_jitter_percent: u32,
    /// Milliseconds that the answer to a ping may take on TCP, 1 to 3600000; 30000 by default. Less, from 2000, where the network has
    /// changed (four round trips), and where a longer silence is tried, from a sixth. On UDP the retransmissions of RFC
    /// 7252 section 4.2 count instead.
    pub keepalive_timeout_ms: u32,
    /// How many messages may wait to be sent, 1 to 65536; 64 by default.
    pub queue_limit: u32,
    /// 0 (the default): when the connection drops, what waits is reported as failed. 1: it is kept and sent on the next one.
    pub keep_queued_messages: u32,
    /// The longest message in bytes that is taken from the peer, 64 to 1048576; longer ones are dropped and counted. 0 (the
    /// default): what the build read as `SN_COAP_MAX_INCOMING_MESSAGE_SIZE`, else 65535.
    pub max_message_size: u32,
    /// Reconnection: the first wait is random from 0 to this many milliseconds, and its range doubles with each failure; 1 to
    /// 3600000, 2000 by default.
    pub backoff_base_ms: u32,
    /// The longest wait in seconds, 1 to 4294967. 0 (the default): what the build read as `MBED_CLIENT_MAX_RECONNECT_TIMEOUT`, else
    /// 14400.
    pub backoff_cap_s: u32,
    /// After the peer closed or reset an established connection the first wait is random from 0 to this many milliseconds, so that
    /// a server that restarts is not overrun; the range of the following ones is no shorter, until a connection was ready for 60 s. 0 to
    /// 3600000, 30000 by default.
    pub peer_closed_wait_ms: u32,
    /// Milliseconds for the lookup of the name, 1 to 3600000; 10000 by default.
    pub resolve_timeout_ms: u32,
    /// Milliseconds for the connect, over all addresses, 1 to 3600000; 15000 by default.
    pub connect_timeout_ms: u32,
    /// Milliseconds for TLS or DTLS and the capabilities of RFC 8323, 1 to 3600000; 30000 by default. DTLS sends again what is not
    /// answered in 1 s, then 2 s, and so on up to 60 s (RFC 6347 section 4.2.4.1), and leaves an address that says nothing after a
    /// quarter of the time while the name has others.
    pub handshake_timeout_ms: u32,
    /// TCP's own keepalive: idle seconds before the first probe, 0 (the default: off) to 32767.
    pub tcp_keepalive_idle_s: u32,
    /// Seconds between two probes, 1 to 32767; 75 by default.
    pub tcp_keepalive_interval_s: u32,
    /// Probes without an answer until the connection is reset, 1 to 127; 9 by default.
    pub tcp_keepalive_count: u32,
    /// Milliseconds that sent data may stay unacknowledged (`TCP_USER_TIMEOUT`, RFC 5482), 0 (the default: the system's) to
    /// 4294967.
    pub tcp_user_timeout_ms: u32,
    // A pointer comes first: with pointers of 64 bits the struct ended with four bytes of padding here, which a program compiled
    // against that header does not set.
    /// What `mcc_connection_keepalive_state` of an earlier connection gave, or null (the default): what the networks' paths bear is
    /// not found out again then. It is handed on without `keepalive_adaptive`, too. Damaged bytes are
    /// `MCC_ERR_KEEPALIVE_STATE_INVALID`: open without them, and the search begins anew.
    pub keepalive_state: *const u8,
    /// Size of `keepalive_state` in bytes.
    pub keepalive_state_size: usize,
    /// 1: the longest interval that the path bears is looked for, in place of `keepalive_interval_s`, which must not be
    /// `MCC_KEEPALIVE_OFF` then. Over UDP and DTLS no longer silence is tried: the interval is the floor, or what the peer's own
    /// messages have proven. 0 (the default): the interval is fixed.
    pub keepalive_adaptive: u32,
    /// The first and shortest interval of the search in seconds, which every path is known to bear: 1 up to the ceiling. 0 (the
    /// default): 60 on TCP, 25 on UDP. On UDP at least 15 (RFC 8085 section 3.5).
    pub keepalive_floor_s: u32,
    /// The longest interval of the search in seconds, from the floor to 4294967; 3600 by default.
    pub keepalive_ceiling_s: u32,
    /// The next silence that is tried is this many percent of the longest that was borne, 101 to 1000; 150 by default.
    pub keepalive_step_percent: u32,
    /// By how many percent the interval stays below the longest silence that was borne once the search is over, 0 to 50; 5 by
    /// default.
    pub keepalive_margin_percent: u32,
    /// The port that is tried once in the same attempt when the URI's is refused, does not answer, resets the connection while it is
    /// made, or is answered by something without TLS or with a certificate that is not trusted (`MCC_ERR_INTERCEPTED` among others);
    /// such as 443. The one that worked goes first the next time. 0 (the default): none, to 65535.
    pub alternative_port: u32,
}

// SAFETY: numbers and pointers only (a function pointer of C may be null), the first is the size.
unsafe impl Sized32 for mcc_connection_options_t {
    const DEFAULT: Self = Self {
        size: size_of::<Self>() as u32,
        transport: mcc_transport_t::MCC_TRANSPORT_CONFIGURED as u32,
        uri: std::ptr::null(),
        callback: None,
        argument: std::ptr::null_mut(),
        tls: std::ptr::null(),
        framing: mcc_framing_t::MCC_FRAMING_DEFAULT as u32,
        keepalive_interval_s: 0,
        keepalive_jitter_percent: 10,
        keepalive_timeout_ms: 30_000,
        queue_limit: 64,
        keep_queued_messages: 0,
        max_message_size: 0,
        backoff_base_ms: 2_000,
        backoff_cap_s: 0,
        peer_closed_wait_ms: 30_000,
        resolve_timeout_ms: 10_000,
        connect_timeout_ms: 15_000,
        handshake_timeout_ms: 30_000,
        tcp_keepalive_idle_s: 0,
        tcp_keepalive_interval_s: 75,
        tcp_keepalive_count: 9,
        tcp_user_timeout_ms: 0,
        keepalive_state: std::ptr::null(),
        keepalive_state_size: 0,
        keepalive_adaptive: 0,
        keepalive_floor_s: 0,
        keepalive_ceiling_s: 3600,
        keepalive_step_percent: 150,
        keepalive_margin_percent: 5,
        alternative_port: 0,
    };
    const EARLIER: &'static [u32] = &[std::mem::offset_of!(Self, keepalive_state) as u32];
}

/// What a connection has done since it was opened. Begin with `MCC_CONNECTION_STATS_INIT`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mcc_connection_stats_t {
    /// The size of this struct in bytes, as the initialiser sets it.
    pub size: u32,
    /// Where it stands, one of `mcc_state_t`.
    pub state: u32,
    /// Attempts to connect.
    pub attempts: u64,
    /// Times that it became ready.
    pub connections: u64,
    /// Messages written to the transport, without pings and other messages of the library's own.
    pub messages_sent: u64,
    /// Messages reported as failed.
    pub messages_failed: u64,
    /// Messages delivered to the callback.
    pub messages_received: u64,
    /// Messages that wait to be sent.
    pub messages_queued: u64,
    /// Messages from the peer that were dropped because they break RFC 7252 or RFC 8323.
    pub format_errors: u64,
    /// Messages from the peer that were dropped because they are longer than `max_message_size`.
    pub oversize_dropped: u64,
    /// Pings sent, retransmissions not counted.
    pub pings_sent: u64,
    /// Pings answered.
    pub pings_answered: u64,
    /// Pings not answered in time or not sent.
    pub pings_lost: u64,
    /// Pings of the peer that were answered.
    pub peer_pings_answered: u64,
    /// Microseconds from the latest answered ping to its answer; 0 before the first.
    pub round_trip_us: u64,
    /// The keepalive interval in force in milliseconds, before jitter: the fixed one, or what the adaptive mode tries or holds now; 0
    /// if it is off.
    pub keepalive_interval_ms: u64,
}

// SAFETY: numbers only, the first is the size.
unsafe impl Sized32 for mcc_connection_stats_t {
    const DEFAULT: Self = Self {
        size: size_of::<Self>() as u32,
        state: 0,
        attempts: 0,
        connections: 0,
        messages_sent: 0,
        messages_failed: 0,
        messages_received: 0,
        messages_queued: 0,
        format_errors: 0,
        oversize_dropped: 0,
        pings_sent: 0,
        pings_answered: 0,
        pings_lost: 0,
        peer_pings_answered: 0,
        round_trip_us: 0,
        keepalive_interval_ms: 0,
    };
    const EARLIER: &'static [u32] = &[std::mem::offset_of!(Self, keepalive_interval_ms) as u32];
}

/// Opens a connection and keeps it up until it is closed. It returns at once; the events tell how it goes.
///
/// `*out` is written on success only, and before the first event. The caller owns the connection and ends it by
/// `mcc_connection_close`, or together with its context by `mcc_context_free`. Any thread, callbacks included.
///
/// Errors: `MCC_ERR_NULL_POINTER` (context, options, out, uri or callback), `MCC_ERR_INVALID_HANDLE` (context),
/// `MCC_ERR_INVALID_ARGUMENT` (an option out of its range, `tls` with a scheme without TLS, or `keepalive_adaptive` without pings), `MCC_ERR_URI_SYNTAX`, `MCC_ERR_URI_SCHEME`, `MCC_ERR_URI_HOST`,
/// `MCC_ERR_URI_PORT`, `MCC_ERR_UNSUPPORTED` (`coaps` too in a library that is built with
/// `MBED_CLOUD_CONNECTIVITY_TLS=OFF`), `MCC_ERR_KEEPALIVE_STATE_INVALID`,
/// and for `coaps`: `MCC_ERR_TRUST_MISSING`, `MCC_ERR_CA_INVALID`, `MCC_ERR_CRL_INVALID`,
/// `MCC_ERR_CERTIFICATE_INVALID`, `MCC_ERR_KEY_INVALID`, `MCC_ERR_KEY_MISMATCH`, `MCC_ERR_PSK_INVALID`, `MCC_ERR_OUT_OF_MEMORY`.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_connection_open(
    context: *mut mcc_context_t,
    options: *const mcc_connection_options_t,
    out: *mut *mut mcc_connection_t,
) -> mcc_status_t {
    status_of_result(|| {
        let context = CONTEXTS.get(context)?;
        if out.is_null() {
            return Err(Status::NullPointer);
        }
        // SAFETY: the caller gives an option struct that begins with its size.
        let options = unsafe { sized(options) }?;
        let callback = options.callback.ok_or(Status::NullPointer)?;
        // SAFETY: the caller gives a URI that ends with NUL.
        let uri = unsafe { text(options.uri) }.ok_or(Status::NullPointer)?;
        let endpoint = Endpoint::parse(uri.to_bytes(), crate::settings::CUSTOM_URI_PORT)?;
        let transport = transport(&options, &endpoint)?;
        if endpoint.secure && cfg!(not(feature = "tls")) {
            return Err(Status::Unsupported);
        }
        let tls = match (endpoint.secure, options.tls.is_null()) {
            (true, false) => Some(tls_config(options.tls, &endpoint, transport)?),
            (true, true) => return Err(Status::TrustMissing),
            // Credentials and a scheme without TLS: one of the two is a mistake, and the message would go in the clear.
            (false, false) => return Err(Status::InvalidArgument),
            (false, true) => None,
        };
        let core = core_settings(&options, endpoint, transport)?;
        let settings = ConnectionSettings { core, tls, tcp: tcp_options(&options)? };

        let handle = CONNECTIONS.reserve()?;
        let sink = sink(callback, options.argument, handle);
        let connection = context.connection(settings, sink).map_err(|failure| failure.status)?;
        context.unless_refused(|| {
            // SAFETY: not null, and the caller gives a pointer there, whatever its value.
            let before = unsafe { out.read_unaligned() };
            // SAFETY: as above.
            unsafe { write(out, handle.pointer()) }?;
            CONNECTIONS.insert(handle, connection.clone());
            connection.start().inspect_err(|_| {
                drop(CONNECTIONS.remove(handle.pointer()));
                // SAFETY: as above.
                let _ = unsafe { write(out, before) };
            })
        })
    })
}

/// Sends one CoAP message in the format of RFC 7252; it is copied.
///
/// On success it ends in exactly one event, `MCC_EVENT_SENT` once it was written to the transport whole, or `MCC_EVENT_FAILED`, with
/// the number written to `*ticket` (which can be null). Before the connection is ready the message waits in the queue. Over RFC
/// 8323 type and message ID are left out, as the standard has it. Any thread, callbacks included.
///
/// Errors, none of which is followed by an event: `MCC_ERR_NULL_POINTER` (connection or message), `MCC_ERR_INVALID_HANDLE`,
/// `MCC_ERR_EMPTY_MESSAGE` (size 0), `MCC_ERR_MESSAGE_TOO_LARGE` (over 65535 bytes on TCP, 65507 in a datagram, 16384 in a record of TLS or DTLS, and in one of TLS 1.3 a byte less, which `MCC_EVENT_FAILED` says),
/// `MCC_ERR_INVALID_MESSAGE`, `MCC_ERR_QUEUE_FULL`, `MCC_ERR_NOT_CONNECTED` (waiting for the next attempt, without
/// `keep_queued_messages`), `MCC_ERR_OUT_OF_MEMORY`.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_connection_send(
    connection: *mut mcc_connection_t,
    message: *const u8,
    size: usize,
    ticket: *mut u64,
) -> mcc_status_t {
    status_of_result(|| {
        let connection = CONNECTIONS.get(connection)?;
        // SAFETY: the caller gives `size` readable bytes.
        let message = unsafe { self::message(message, size) }?;
        connection.send(message, |number| {
            if !ticket.is_null() {
                // SAFETY: not null, and the caller gives room for a number.
                let _ = unsafe { write(ticket, number) };
            }
        })
    })
}

/// Sends a ping now. If one is unanswered already, its answer counts for this one too.
///
/// The events `MCC_EVENT_PING_SENT` and `_ANSWERED` or `_LOST` follow, unless the connection ends before. Other traffic of the peer
/// proves the path as well as the answer does: then `_ANSWERED` follows if the answer still comes. Any thread, callbacks included.
///
/// Errors: `MCC_ERR_NULL_POINTER`, `MCC_ERR_INVALID_HANDLE`, `MCC_ERR_NOT_CONNECTED` (the state is not `MCC_STATE_READY`),
/// `MCC_ERR_OUT_OF_MEMORY`.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_connection_ping(connection: *mut mcc_connection_t) -> mcc_status_t {
    status_of_result(|| CONNECTIONS.get(connection)?.ping())
}

/// Changes the keepalive interval of this connection, in seconds: 1 to 4294967 (on UDP from 15), 0 for the configured one, or
/// `MCC_KEEPALIVE_OFF`. It counts from the latest traffic, at once. It ends the adaptive mode; what that found out stays known. Any
/// thread, callbacks included.
///
/// Errors: `MCC_ERR_NULL_POINTER`, `MCC_ERR_INVALID_HANDLE`, `MCC_ERR_INVALID_ARGUMENT`, `MCC_ERR_OUT_OF_MEMORY`.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_connection_set_keepalive(connection: *mut mcc_connection_t, seconds: u32) -> mcc_status_t {
    status_of_result(|| {
        let connection = CONNECTIONS.get(connection)?;
        connection.set_keepalive(keepalive_interval(seconds, connection.is_reliable())?)
    })
}

/// Writes what is known so far of the silences that the paths of networks bear, for `keepalive_state` of a later connection, after a
/// restart of the device for instance, to the same service. It is meant to be kept, and to be read by this library only.
///
/// The latest 16 networks are remembered, each with what was found out in it: a network is known by its interface's name and by its
/// addresses (of IPv6 by the first 64 bits). `*size` is set to the state's size in bytes, at most `MCC_KEEPALIVE_STATE_MAX_SIZE`, also
/// where it does not fit `room`. At any time before `mcc_connection_close`; any thread, callbacks included.
///
/// Errors: `MCC_ERR_NULL_POINTER` (connection, state or size), `MCC_ERR_INVALID_HANDLE`, `MCC_ERR_INVALID_ARGUMENT` (`room` is too
/// small; nothing was written to `state`).
#[unsafe(no_mangle)]
pub extern "C" fn mcc_connection_keepalive_state(
    connection: *const mcc_connection_t,
    state: *mut u8,
    room: usize,
    size: *mut usize,
) -> mcc_status_t {
    status_of_result(|| {
        let exported = CONNECTIONS.get(connection)?.networks().export();
        if state.is_null() {
            return Err(Status::NullPointer);
        }
        // SAFETY: the caller gives room for a number, or null.
        unsafe { write(size, exported.len()) }?;
        if room < exported.len() {
            return Err(Status::InvalidArgument);
        }
        // SAFETY: the caller gives `room` writable bytes, and these are not more.
        unsafe { buffer(state, exported.len()) }?.copy_from_slice(&exported);
        Ok(())
    })
}

/// Writes what the connection has done so far, as far as the struct that `*stats` begins with has room. Any thread, callbacks
/// included.
///
/// Errors: `MCC_ERR_NULL_POINTER`, `MCC_ERR_INVALID_HANDLE`, `MCC_ERR_INVALID_ARGUMENT` (the struct's size was not set).
#[unsafe(no_mangle)]
pub extern "C" fn mcc_connection_stats(
    connection: *const mcc_connection_t,
    stats: *mut mcc_connection_stats_t,
) -> mcc_status_t {
    status_of_result(|| {
        let statistics = CONNECTIONS.get(connection)?.statistics();
        let value = mcc_connection_stats_t {
            size: size_of::<mcc_connection_stats_t>() as u32,
            state: c_state(statistics.state) as u32,
            attempts: statistics.attempts,
            connections: statistics.connections,
            messages_sent: statistics.messages_sent,
            messages_failed: statistics.messages_failed,
            messages_received: statistics.messages_received,
            messages_queued: statistics.messages_queued,
            format_errors: statistics.format_errors,
            oversize_dropped: statistics.oversize_dropped,
            pings_sent: statistics.pings_sent,
            pings_answered: statistics.pings_answered,
            pings_lost: statistics.pings_lost,
            peer_pings_answered: statistics.peer_pings_answered,
            round_trip_us: microseconds(statistics.round_trip),
            keepalive_interval_ms: statistics.keepalive_interval.map_or(0, milliseconds_of),
        };
        // SAFETY: the caller gives a struct that begins with its size.
        unsafe { write_sized(stats, &value) }
    })
}

/// Closes a connection; TLS and DTLS say so to the peer. It returns at once, and the handle is invalid from the call on.
///
/// Each message not sent yet is then reported as failed with `MCC_ERR_CLOSED`, and the event `MCC_STATE_CLOSED` is the last: after
/// it nothing uses `argument` any more. Any thread, callbacks of this connection included. Null does nothing, nor does a handle
/// that is not one.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_connection_close(connection: *mut mcc_connection_t) {
    guard((), || {
        if let Ok(connection) = CONNECTIONS.remove(connection) {
            connection.close();
        }
    });
}

/// Makes the handles of a context's connections invalid.
pub(super) fn forget_all_of(context: &Arc<Context>) {
    CONNECTIONS.remove_where(|connection| connection.is_of(context));
}

struct Argument(*mut c_void);

// SAFETY: the pointer is only handed back to the callback, which comes from one thread at a time, as its description says.
unsafe impl Send for Argument {}

impl Argument {
    fn get(&self) -> *mut c_void {
        self.0
    }
}

fn sink(
    callback: extern "C" fn(*mut c_void, *const mcc_event_t),
    argument: *mut c_void,
    handle: Handle<mcc_connection_t>,
) -> crate::net::context::Sink {
    let argument = Argument(argument);
    Box::new(move |event| {
        let (r#type, data) = c_event(event);
        let event = mcc_event_t { r#type, connection: handle.pointer(), data };
        callback(argument.get(), &raw const event);
    })
}

fn c_event(event: Event<'_>) -> (mcc_event_type_t, mcc_event_data_t) {
    let report = match event {
        Event::Message(message) => {
            let message = mcc_event_message_t { data: message.as_ptr(), size: message.len() };
            return (mcc_event_type_t::MCC_EVENT_MESSAGE, mcc_event_data_t { message });
        }
        Event::Report(report) => report,
    };
    match report {
        Report::State { state, reason, next_attempt } => {
            let reason = reason.unwrap_or(Status::Ok.into());
            let state = mcc_event_state_t {
                state: c_state(state),
                reason: reason.status.into(),
                detail: reason.detail,
                // Rounded up: the attempt does not come before the time said.
                next_attempt_ms: u64::try_from(next_attempt.as_micros().div_ceil(1000)).unwrap_or(u64::MAX),
                text: mcc_status_text(reason.status as i32),
            };
            (mcc_event_type_t::MCC_EVENT_STATE, mcc_event_data_t { state })
        }
        Report::Sent { ticket } => {
            (mcc_event_type_t::MCC_EVENT_SENT, mcc_event_data_t { sent: mcc_event_sent_t { ticket } })
        }
        Report::Failed { ticket, reason } => {
            let failed = mcc_event_failed_t { ticket, reason: reason.status.into() };
            (mcc_event_type_t::MCC_EVENT_FAILED, mcc_event_data_t { failed })
        }
        Report::Dropped { size } => {
            (mcc_event_type_t::MCC_EVENT_DROPPED, mcc_event_data_t { dropped: mcc_event_dropped_t { size } })
        }
        Report::PingSent => {
            (mcc_event_type_t::MCC_EVENT_PING_SENT, mcc_event_data_t { sent: mcc_event_sent_t { ticket: 0 } })
        }
        Report::PingAnswered { round_trip } => {
            let ping_answered = mcc_event_ping_answered_t { round_trip_us: microseconds(round_trip) };
            (mcc_event_type_t::MCC_EVENT_PING_ANSWERED, mcc_event_data_t { ping_answered })
        }
        Report::PingLost { reason } => {
            let ping_lost = mcc_event_ping_lost_t { reason: reason.status.into() };
            (mcc_event_type_t::MCC_EVENT_PING_LOST, mcc_event_data_t { ping_lost })
        }
    }
}

fn c_state(state: State) -> mcc_state_t {
    match state {
        State::Resolving => mcc_state_t::MCC_STATE_RESOLVING,
        State::Connecting => mcc_state_t::MCC_STATE_CONNECTING,
        State::Handshaking => mcc_state_t::MCC_STATE_HANDSHAKING,
        State::Ready => mcc_state_t::MCC_STATE_READY,
        State::Waiting => mcc_state_t::MCC_STATE_WAITING,
        State::Closed => mcc_state_t::MCC_STATE_CLOSED,
    }
}

pub(super) fn milliseconds_of(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn in_range(value: u32, range: std::ops::RangeInclusive<u32>) -> Result<u32, Status> {
    if range.contains(&value) { Ok(value) } else { Err(Status::InvalidArgument) }
}

fn flag(value: u32) -> Result<bool, Status> {
    in_range(value, 0..=1).map(|value| value == 1)
}

/// A deadline or wait of up to an hour.
fn milliseconds(value: u32, minimum: u32) -> Result<Duration, Status> {
    in_range(value, minimum..=3_600_000).map(|value| Duration::from_millis(value.into()))
}

/// What a number of seconds means as a keepalive interval; none is off.
pub(super) fn keepalive_interval(seconds: u32, reliable: bool) -> Result<Option<Duration>, Status> {
    use crate::keepalive::{DATAGRAM_INTERVAL, MAXIMUM_INTERVAL_S, MINIMUM_DATAGRAM_INTERVAL_S};
    let minimum = if reliable { 1 } else { MINIMUM_DATAGRAM_INTERVAL_S };
    match seconds {
        MCC_KEEPALIVE_OFF => Ok(None),
        0 if reliable => Ok(Some(Duration::from_secs(configured::keepalive_interval_s().into()))),
        0 => Ok(Some(DATAGRAM_INTERVAL)),
        _ => in_range(seconds, minimum..=MAXIMUM_INTERVAL_S).map(|seconds| Some(Duration::from_secs(seconds.into()))),
    }
}

/// Within what the interval is looked for; none: it is fixed. The ranges hold in both cases.
fn adaptive(options: &mcc_connection_options_t, reliable: bool) -> Result<Option<Bounds>, Status> {
    use crate::keepalive::{DATAGRAM_INTERVAL, MAXIMUM_INTERVAL_S, MINIMUM_DATAGRAM_INTERVAL_S};
    let (minimum, default) = match reliable {
        true => (1, STREAM_FLOOR),
        false => (MINIMUM_DATAGRAM_INTERVAL_S, DATAGRAM_INTERVAL),
    };
    let floor = match options.keepalive_floor_s {
        0 => default,
        seconds => Duration::from_secs(in_range(seconds, minimum..=MAXIMUM_INTERVAL_S)?.into()),
    };
    let ceiling = Duration::from_secs(in_range(options.keepalive_ceiling_s, 1..=MAXIMUM_INTERVAL_S)?.into());
    let bounds = Bounds {
        floor,
        ceiling,
        step_percent: in_range(options.keepalive_step_percent, 101..=1000)?,
        margin_percent: in_range(options.keepalive_margin_percent, 0..=50)?,
    };
    let wanted = flag(options.keepalive_adaptive)?;
    // No pings, and pings whose interval is looked for: one of the two is a mistake.
    if ceiling < floor || (wanted && options.keepalive_interval_s == MCC_KEEPALIVE_OFF) {
        return Err(Status::InvalidArgument);
    }
    Ok(wanted.then_some(bounds))
}

/// What earlier connections found out.
fn networks(options: &mcc_connection_options_t) -> Result<Networks, Status> {
    // SAFETY: the caller gives as many readable bytes as the size beside them says.
    let state = unsafe { bytes(options.keepalive_state, options.keepalive_state_size) }?;
    if state.is_empty() {
        return Ok(Networks::default());
    }
    Networks::import(state).ok_or(Status::KeepaliveStateInvalid)
}

fn transport(options: &mcc_connection_options_t, endpoint: &Endpoint) -> Result<core::Transport, Status> {
    const TRANSPORT_CONFIGURED: u32 = mcc_transport_t::MCC_TRANSPORT_CONFIGURED as u32;
    const TRANSPORT_TCP: u32 = mcc_transport_t::MCC_TRANSPORT_TCP as u32;
    const TRANSPORT_UDP: u32 = mcc_transport_t::MCC_TRANSPORT_UDP as u32;
    let udp_configured = matches!(TRANSPORT_MODE, TransportMode::Udp | TransportMode::UdpQueue);
    match options.transport {
        TRANSPORT_CONFIGURED | TRANSPORT_TCP | TRANSPORT_UDP if endpoint.rfc8323 => Ok(core::Transport::Tcp),
        TRANSPORT_CONFIGURED if udp_configured => Ok(core::Transport::Udp),
        TRANSPORT_CONFIGURED | TRANSPORT_TCP => Ok(core::Transport::Tcp),
        TRANSPORT_UDP => Ok(core::Transport::Udp),
        _ => Err(Status::InvalidArgument),
    }
}

fn core_settings(
    options: &mcc_connection_options_t,
    endpoint: Endpoint,
    transport: core::Transport,
) -> Result<core::Settings, Status> {
    const FRAMING_DEFAULT: u32 = mcc_framing_t::MCC_FRAMING_DEFAULT as u32;
    const FRAMING_RECORD: u32 = mcc_framing_t::MCC_FRAMING_RECORD as u32;
    const FRAMING_LENGTH_PREFIX: u32 = mcc_framing_t::MCC_FRAMING_LENGTH_PREFIX as u32;
    let framing = match (options.framing, transport) {
        (FRAMING_DEFAULT | FRAMING_RECORD | FRAMING_LENGTH_PREFIX, _) if endpoint.rfc8323 => Framing::Rfc8323,
        (FRAMING_DEFAULT, _) if endpoint.secure => Framing::Record,
        (FRAMING_DEFAULT, core::Transport::Udp) => Framing::Datagram,
        (FRAMING_RECORD, core::Transport::Tcp) if endpoint.secure => Framing::Record,
        (FRAMING_DEFAULT | FRAMING_LENGTH_PREFIX, core::Transport::Tcp) => Framing::LengthPrefix,
        (FRAMING_RECORD | FRAMING_LENGTH_PREFIX, _) => return Err(Status::Unsupported),
        _ => return Err(Status::InvalidArgument),
    };
    let max_message_size = match options.max_message_size {
        0 => configured::max_incoming_message_size(),
        size => in_range(size, 64..=1_048_576)?,
    };
    let backoff_cap_s = match options.backoff_cap_s {
        0 => configured::max_reconnect_timeout_s(),
        seconds => in_range(seconds, 1..=4_294_967)?,
    };
    let alternative_port = u16::try_from(options.alternative_port).map_err(|_| Status::InvalidArgument)?;
    let alternative_port = (alternative_port != 0).then_some(alternative_port);
    let reliable = transport == core::Transport::Tcp;
    let answer_timeout = milliseconds(options.keepalive_timeout_ms, 1)?;
    Ok(core::Settings {
        host: endpoint.host,
        port: endpoint.port,
        alternative_port,
        transport,
        secure: endpoint.secure,
        framing,
        keepalive: crate::keepalive::Settings {
            interval: keepalive_interval(options.keepalive_interval_s, reliable)?,
            jitter_percent: in_range(options.keepalive_jitter_percent, 0..=50)?,
            answer: if reliable {
                crate::keepalive::Answer::Within(answer_timeout)
            } else {
                crate::keepalive::Answer::Retransmitted
            },
            adaptive: adaptive(options, reliable)?,
        },
        networks: networks(options)?,
        queue_limit: in_range(options.queue_limit, 1..=65_536)? as usize,
        keep_queued: flag(options.keep_queued_messages)?,
        max_message_size: max_message_size as usize,
        backoff: core::backoff::Settings {
            base: milliseconds(options.backoff_base_ms, 1)?,
            cap: Duration::from_secs(backoff_cap_s.into()),
            peer_closed: milliseconds(options.peer_closed_wait_ms, 0)?,
        },
        resolve_timeout: milliseconds(options.resolve_timeout_ms, 1)?,
        connect_timeout: milliseconds(options.connect_timeout_ms, 1)?,
        handshake_timeout: milliseconds(options.handshake_timeout_ms, 1)?,
    })
}

fn tcp_options(options: &mcc_connection_options_t) -> Result<TcpOptions, Status> {
    let idle = in_range(options.tcp_keepalive_idle_s, 0..=32_767)?;
    let interval = in_range(options.tcp_keepalive_interval_s, 1..=32_767)?;
    let count = in_range(options.tcp_keepalive_count, 1..=127)?;
    let user_timeout_ms = in_range(options.tcp_user_timeout_ms, 0..=4_294_967)?;
    Ok(TcpOptions {
        keepalive: (idle > 0).then(|| (Duration::from_secs(idle.into()), Duration::from_secs(interval.into()), count)),
        user_timeout_ms: (user_timeout_ms > 0).then_some(user_timeout_ms),
    })
}

fn tls_config(
    options: *const mcc_tls_options_t,
    endpoint: &Endpoint,
    transport: core::Transport,
) -> Result<Arc<tls::Config>, Status> {
    // SAFETY: the caller gives an option struct that begins with its size.
    let options = unsafe { sized(options) }?;
    let given = |pointer, size| {
        // SAFETY: the caller gives as many readable bytes at each pointer as the size beside it says.
        unsafe { bytes(pointer, size) }.map(|bytes| (!bytes.is_empty()).then_some(bytes))
    };
    // SAFETY: the caller gives a name that ends with NUL, or null.
    let server_name = match unsafe { text(options.server_name) } {
        Some(name) => {
            let name = name.to_str().map_err(|_| Status::InvalidArgument)?;
            Host::parse(name).map_err(|_| Status::InvalidArgument)?.to_string()
        }
        None => endpoint.host.to_string(),
    };
    let version = |number| match number {
        0x0303 => Ok(tls::Version::Tls12),
        0x0304 => Ok(tls::Version::Tls13),
        _ => Err(Status::InvalidArgument),
    };
    let options = tls::Options {
        transport: match transport {
            core::Transport::Tcp => tls::TransportKind::Stream,
            core::Transport::Udp => tls::TransportKind::Datagram,
        },
        server_name: &server_name,
        check_server_name: flag(options.check_server_name)?,
        versions: (version(options.min_version)?, version(options.max_version)?),
        ca: given(options.ca, options.ca_size)?,
        crl: given(options.crl, options.crl_size)?,
        certificate: given(options.certificate, options.certificate_size)?,
        key: given(options.key, options.key_size)?,
        key_password: given(options.key_password, options.key_password_size)?,
        psk_identity: given(options.psk_identity, options.psk_identity_size)?,
        psk: given(options.psk, options.psk_size)?,
    };
    tls::Config::new(&options).map(Arc::new).map_err(|failure: Failure| failure.status)
}
