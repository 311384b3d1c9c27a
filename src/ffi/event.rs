//! What a connection tells the program.

use crate::ffi::connection::mcc_connection_t;
use crate::ffi::status::mcc_status_t;
use std::ffi::{c_char, c_void};

/// Where a connection stands.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum mcc_state_t {
    /// The host's name is being looked up.
    MCC_STATE_RESOLVING = 1,
    /// The transport is being connected.
    MCC_STATE_CONNECTING = 2,
    /// TLS or DTLS, or the exchange of RFC 8323 capabilities, is being agreed.
    MCC_STATE_HANDSHAKING = 3,
    /// Messages go both ways.
    MCC_STATE_READY = 4,
    /// It failed, `reason` says why, and is tried again after `next_attempt_ms`, or sooner if the network changes.
    MCC_STATE_WAITING = 5,
    /// It is over. This is the last event of the connection: what its callback uses can be freed now.
    MCC_STATE_CLOSED = 6,
}

/// What an event is about: it tells which member of `data` counts.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum mcc_event_type_t {
    /// The state has changed: `data.state`.
    MCC_EVENT_STATE = 1,
    /// A message came in: `data.message`.
    MCC_EVENT_MESSAGE = 2,
    /// A message was written to the transport, whole: `data.sent`.
    MCC_EVENT_SENT = 3,
    /// A message was not sent: `data.failed`.
    MCC_EVENT_FAILED = 4,
    /// A ping went out: no data.
    MCC_EVENT_PING_SENT = 5,
    /// The ping was answered: `data.ping_answered`.
    MCC_EVENT_PING_ANSWERED = 6,
    /// The ping was not answered in time, or could not be sent: the path is dead. `data.ping_lost`; a change of state follows.
    MCC_EVENT_PING_LOST = 7,
    /// A message from the peer was longer than `max_message_size` and was dropped whole: `data.dropped`.
    MCC_EVENT_DROPPED = 8,
}

/// `MCC_EVENT_STATE`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mcc_event_state_t {
    /// The new state.
    pub state: mcc_state_t,
    /// Why, in `MCC_STATE_WAITING` and `MCC_STATE_CLOSED`, and in `MCC_STATE_CONNECTING` why it is the turn of the other port; else
    /// `MCC_OK`.
    pub reason: mcc_status_t,
    /// A number that makes the reason more precise: errno, TLS alert, Mbed TLS error or verification flags, as its text says; else 0.
    pub detail: i32,
    /// In `MCC_STATE_WAITING`: milliseconds until the next attempt, which a change of the network brings forward.
    pub next_attempt_ms: u64,
    /// The reason as a sentence with the next step; constant, not to be freed.
    pub text: *const c_char,
}

/// `MCC_EVENT_MESSAGE`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mcc_event_message_t {
    /// One whole CoAP message in the format of RFC 7252, whatever the transport. It is gone when the callback returns.
    pub data: *const u8,
    /// Its size in bytes.
    pub size: usize,
}

/// `MCC_EVENT_SENT`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mcc_event_sent_t {
    /// Which message: what `mcc_connection_send` gave.
    pub ticket: u64,
}

/// `MCC_EVENT_FAILED`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mcc_event_failed_t {
    /// Which message: what `mcc_connection_send` gave.
    pub ticket: u64,
    /// Why.
    pub reason: mcc_status_t,
}

/// `MCC_EVENT_PING_ANSWERED`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mcc_event_ping_answered_t {
    /// Microseconds from the ping (over UDP and DTLS: its latest transmission) to the answer.
    pub round_trip_us: u64,
}

/// `MCC_EVENT_PING_LOST`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mcc_event_ping_lost_t {
    /// Why.
    pub reason: mcc_status_t,
}

/// `MCC_EVENT_DROPPED`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mcc_event_dropped_t {
    /// The message's size in bytes.
    pub size: u64,
}

/// What an event says; the event's type tells which member counts.
#[repr(C)]
#[derive(Clone, Copy)]
pub union mcc_event_data_t {
    /// `MCC_EVENT_STATE`
    pub state: mcc_event_state_t,
    /// `MCC_EVENT_MESSAGE`
    pub message: mcc_event_message_t,
    /// `MCC_EVENT_SENT`
    pub sent: mcc_event_sent_t,
    /// `MCC_EVENT_FAILED`
    pub failed: mcc_event_failed_t,
    /// `MCC_EVENT_PING_ANSWERED`
    pub ping_answered: mcc_event_ping_answered_t,
    /// `MCC_EVENT_PING_LOST`
    pub ping_lost: mcc_event_ping_lost_t,
    /// `MCC_EVENT_DROPPED`
    pub dropped: mcc_event_dropped_t,
}

/// One event of one connection.
#[repr(C)]
pub struct mcc_event_t {
    /// What it is about. New types can be added: pass over those that you do not know.
    pub r#type: mcc_event_type_t,
    /// Whose event it is.
    pub connection: *mut mcc_connection_t,
    /// What it says.
    pub data: mcc_event_data_t,
}

/// Takes the events of a connection, one at a time.
///
/// It comes from the context's own thread, or from `mcc_context_process` where the context has none. The event is gone when it
/// returns. Any `mcc_*` function may be called from it, `mcc_connection_close` and `mcc_context_free` of its own objects included;
/// it must not throw or jump out.
pub type mcc_event_callback_t = Option<extern "C" fn(argument: *mut c_void, event: *const mcc_event_t)>;
