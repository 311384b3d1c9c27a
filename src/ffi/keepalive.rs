//! Keepalive alone: for programs with sockets of their own. It does no I/O and has no clock.

use crate::coap::message;
use crate::coap::ping::{self, RecentIds};
use crate::error::Status;
use crate::ffi::connection::keepalive_interval;
use crate::ffi::handle::Registry;
use crate::ffi::pointer::{self, Sized32, sized, write};
use crate::ffi::status::mcc_status_t;
use crate::ffi::{guard, status_of_result};
use crate::keepalive::{Action, Answer, Evidence, Keepalive, Settings};
use crate::memory;
use crate::net::random;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The keepalive of one path.
pub struct mcc_keepalive_t {
    _opaque: (),
}

struct State {
    keepalive: Keepalive,
    sent: RecentIds,
    reliable: bool,
    round_trip: Option<Duration>,
}

static KEEPALIVES: Registry<mcc_keepalive_t, Arc<Mutex<State>>> = Registry::new(5);

/// How a keepalive works. Begin with `MCC_KEEPALIVE_OPTIONS_INIT`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct mcc_keepalive_options_t {
    /// The size of this struct in bytes, as the initialiser sets it.
    pub size: u32,
    /// Seconds between a message and the ping after it, 1 to 4294967, or `MCC_KEEPALIVE_OFF`. 0 (the default): what the build read
    /// as `MBED_CLIENT_TCP_KEEPALIVE_INTERVAL` where `reliable` is 1, else 25. Where it is 0 at least 15 (RFC 8085 section 3.5).
    pub interval_s: u32,
    /// By how much at most, in percent, an interval is shortened at random; 0 to 50, 10 by default.
    pub jitter_percent: u32,
    /// Milliseconds that the answer to a ping may take where `reliable` is 1, 1 to 3600000; 30000 by default.
    pub timeout_ms: u32,
    /// 1 (the default): the transport repeats what is lost (TCP, TLS). 0: it does not (UDP, DTLS), and a ping is retransmitted as
    /// RFC 7252 section 4.2 has it.
    pub reliable: u32,
    /// Keeps the fields below aligned; 0.
    pub reserved: u32,
    /// Where the random numbers begin, for tests that have to repeat themselves. 0 (the default): the system's random numbers.
    pub seed: u64,
}

// SAFETY: numbers only, the first is the size.
unsafe impl Sized32 for mcc_keepalive_options_t {
    const DEFAULT: Self = Self {
        size: size_of::<Self>() as u32,
        interval_s: 0,
        jitter_percent: 10,
        timeout_ms: 30_000,
        reliable: 1,
        reserved: 0,
        seed: 0,
    };
}

/// What to do now.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum mcc_keepalive_action_t {
    /// The call was wrong: a handle that is not one, or a null pointer.
    MCC_KEEPALIVE_INVALID = -1,
    /// Nothing until `*next_ms`.
    MCC_KEEPALIVE_WAIT = 0,
    /// Send the ping that was written, then ask again.
    MCC_KEEPALIVE_SEND_PING = 1,
    /// The path is dead: connect anew, then say `mcc_keepalive_restart`.
    MCC_KEEPALIVE_PATH_DEAD = 2,
}

/// Makes a keepalive. Null options mean the defaults. Its time begins with the first call that says what time it is.
///
/// The caller owns it and ends it by `mcc_keepalive_free`. `*out` is written on success only. Any thread.
///
/// Errors: `MCC_ERR_NULL_POINTER` (out), `MCC_ERR_INVALID_ARGUMENT` (options), `MCC_ERR_OUT_OF_MEMORY`.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_keepalive_new(
    options: *const mcc_keepalive_options_t,
    out: *mut *mut mcc_keepalive_t,
) -> mcc_status_t {
    status_of_result(|| {
        if out.is_null() {
            return Err(Status::NullPointer);
        }
        let options = if options.is_null() {
            mcc_keepalive_options_t::DEFAULT
        } else {
            // SAFETY: the caller gives an option struct that begins with its size.
            unsafe { sized(options) }?
        };
        let within = |value: u32, minimum: u32, maximum: u32| {
            if (minimum..=maximum).contains(&value) { Ok(value) } else { Err(Status::InvalidArgument) }
        };
        let reliable = within(options.reliable, 0, 1)? == 1;
        within(options.reserved, 0, 0)?;
        let timeout = Duration::from_millis(within(options.timeout_ms, 1, 3_600_000)?.into());
        let settings = Settings {
            interval: keepalive_interval(options.interval_s, reliable)?,
            jitter_percent: within(options.jitter_percent, 0, 50)?,
            answer: if reliable { Answer::Within(timeout) } else { Answer::Retransmitted },
            adaptive: None,
        };
        memory::spare().map_err(|failure| failure.status)?;
        let seed = if options.seed == 0 { random::seed() } else { options.seed };
        let state =
            State { keepalive: Keepalive::new(settings, seed), sent: RecentIds::default(), reliable, round_trip: None };
        let handle = KEEPALIVES.reserve()?;
        KEEPALIVES.insert(handle, Arc::new(Mutex::new(state)));
        // SAFETY: not null, and the caller gives room for a pointer.
        unsafe { write(out, handle.pointer()) }
    })
}

/// Says that the program has sent a message, other than a ping of this keepalive. `now_ms`: milliseconds of any clock that never
/// goes back; an earlier time than before counts as that one. Any thread.
///
/// Errors: `MCC_ERR_NULL_POINTER`, `MCC_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_keepalive_on_sent(keepalive: *mut mcc_keepalive_t, now_ms: u64) -> mcc_status_t {
    change(keepalive, |state| {
        state.keepalive.on_sent(time(now_ms));
        Ok(())
    })
}

/// As `mcc_keepalive_on_sent`, and notes the message ID of a Confirmable message, so that the Acknowledgement or Reset that answers
/// it counts as a sign of life. `message` is one whole RFC 7252 message. Any thread.
///
/// Errors: `MCC_ERR_NULL_POINTER`, `MCC_ERR_INVALID_HANDLE`, `MCC_ERR_EMPTY_MESSAGE` (size 0), `MCC_ERR_MESSAGE_TOO_LARGE` (over 65535
/// bytes), `MCC_ERR_INVALID_MESSAGE`.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_keepalive_on_sent_message(
    keepalive: *mut mcc_keepalive_t,
    now_ms: u64,
    message: *const u8,
    size: usize,
) -> mcc_status_t {
    change(keepalive, |state| {
        // SAFETY: the caller gives `size` readable bytes.
        let message = unsafe { pointer::message(message, size) }?;
        let header = message::check(message).map_err(|_| Status::InvalidMessage)?;
        state.sent.note_message(&header);
        state.keepalive.on_sent(time(now_ms));
        Ok(())
    })
}

/// Says that a message came in: one whole RFC 7252 message, without framing. Any thread.
///
/// The answer to the ping proves the path, and so does any other valid message, but for an Acknowledgement or Reset that answers
/// nothing that was sent. `now_ms` is as for `mcc_keepalive_on_sent`.
///
/// Errors: `MCC_ERR_NULL_POINTER`, `MCC_ERR_INVALID_HANDLE`, `MCC_ERR_EMPTY_MESSAGE` (size 0), `MCC_ERR_MESSAGE_TOO_LARGE` (over 65535
/// bytes), `MCC_ERR_INVALID_MESSAGE` (it proves nothing).
#[unsafe(no_mangle)]
pub extern "C" fn mcc_keepalive_on_received(
    keepalive: *mut mcc_keepalive_t,
    now_ms: u64,
    message: *const u8,
    size: usize,
) -> mcc_status_t {
    change(keepalive, |state| {
        // SAFETY: the caller gives `size` readable bytes.
        let message = unsafe { pointer::message(message, size) }?;
        let header = message::check(message).map_err(|_| Status::InvalidMessage)?;
        let evidence = match state.keepalive.unanswered() {
            Some(ping) if ping::matches(message, ping) => Evidence::Answer,
            _ if header.is_answer() && !state.sent.contains(header.message_id) => Evidence::None,
            _ => Evidence::Traffic,
        };
        if let Some(round_trip) = state.keepalive.on_received(time(now_ms), evidence) {
            state.round_trip = Some(round_trip);
        }
        Ok(())
    })
}

/// Says that a ping could not be sent: the next `mcc_keepalive_poll` says that the path is dead. `now_ms` is as for
/// `mcc_keepalive_on_sent`. Any thread.
///
/// Errors: `MCC_ERR_NULL_POINTER`, `MCC_ERR_INVALID_HANDLE`, `MCC_ERR_WRONG_STATE` (no ping is unanswered).
#[unsafe(no_mangle)]
pub extern "C" fn mcc_keepalive_on_send_failed(keepalive: *mut mcc_keepalive_t, now_ms: u64) -> mcc_status_t {
    change(
        keepalive,
        |state| {
            if state.keepalive.on_send_failed(time(now_ms)) { Ok(()) } else { Err(Status::WrongState) }
        },
    )
}

/// Asks what is due at `now_ms`, which is as for `mcc_keepalive_on_sent`.
///
/// `*next_ms` becomes the time by the same clock at which to ask again (the largest number: not before something happens). For
/// `MCC_KEEPALIVE_SEND_PING` the ping, an RFC 7252 message, stands in `ping`, which has room for 4 bytes, and `*ping_size` becomes 4;
/// else `*ping_size` becomes 0. Any thread.
///
/// Errors: `MCC_KEEPALIVE_INVALID` (a null pointer, or a handle that is not one; nothing was written).
///
/// cbindgen:ptrs-as-arrays=[[ping;4]]
#[unsafe(no_mangle)]
pub extern "C" fn mcc_keepalive_poll(
    keepalive: *mut mcc_keepalive_t,
    now_ms: u64,
    next_ms: *mut u64,
    ping: *mut u8,
    ping_size: *mut usize,
) -> mcc_keepalive_action_t {
    guard(mcc_keepalive_action_t::MCC_KEEPALIVE_INVALID, || {
        poll(keepalive, now_ms, next_ms, ping, ping_size).unwrap_or(mcc_keepalive_action_t::MCC_KEEPALIVE_INVALID)
    })
}

fn poll(
    keepalive: *mut mcc_keepalive_t,
    now_ms: u64,
    next_ms: *mut u64,
    ping: *mut u8,
    ping_size: *mut usize,
) -> Result<mcc_keepalive_action_t, Status> {
    let object = KEEPALIVES.get(keepalive)?;
    if next_ms.is_null() || ping.is_null() || ping_size.is_null() {
        return Err(Status::NullPointer);
    }
    let mut state = lock(&object);
    let (action, next) = state.keepalive.poll(time(now_ms));
    drop(state);
    // Rounded up: asked again a fraction too early, nothing would be due yet.
    let next = next.map_or(u64::MAX, |next| u64::try_from(next.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX));
    // SAFETY: none is null; the caller gives room for a number at two of them and for 4 bytes at the third.
    unsafe {
        write(next_ms, next)?;
        write(ping_size, if matches!(action, Action::SendPing { .. }) { ping::SIZE } else { 0 })?;
        if let Action::SendPing { message_id, .. } = action {
            write(ping.cast::<[u8; ping::SIZE]>(), ping::encode(message_id))?;
        }
    }
    Ok(match action {
        Action::Wait => mcc_keepalive_action_t::MCC_KEEPALIVE_WAIT,
        Action::SendPing { .. } => mcc_keepalive_action_t::MCC_KEEPALIVE_SEND_PING,
        Action::PathDead => mcc_keepalive_action_t::MCC_KEEPALIVE_PATH_DEAD,
    })
}

/// Changes the interval in seconds; the values are those of the option `interval_s`. It counts from the latest traffic. Any thread.
///
/// Errors: `MCC_ERR_NULL_POINTER`, `MCC_ERR_INVALID_HANDLE`, `MCC_ERR_INVALID_ARGUMENT`.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_keepalive_set_interval(keepalive: *mut mcc_keepalive_t, seconds: u32) -> mcc_status_t {
    change(keepalive, |state| {
        state.keepalive.set_interval(keepalive_interval(seconds, state.reliable)?);
        Ok(())
    })
}

/// Says that a new connection stands: nothing is outstanding, and the interval begins now. `now_ms` is as for
/// `mcc_keepalive_on_sent`. Any thread.
///
/// Errors: `MCC_ERR_NULL_POINTER`, `MCC_ERR_INVALID_HANDLE`.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_keepalive_restart(keepalive: *mut mcc_keepalive_t, now_ms: u64) -> mcc_status_t {
    change(keepalive, |state| {
        state.sent = RecentIds::default();
        state.keepalive.restart(time(now_ms), false);
        Ok(())
    })
}

/// Writes how many milliseconds the latest answered ping took. Any thread.
///
/// Errors: `MCC_ERR_NULL_POINTER`, `MCC_ERR_INVALID_HANDLE`, `MCC_ERR_WRONG_STATE` (no ping was answered yet).
#[unsafe(no_mangle)]
pub extern "C" fn mcc_keepalive_round_trip_ms(keepalive: *const mcc_keepalive_t, out: *mut u64) -> mcc_status_t {
    status_of_result(|| {
        let object = KEEPALIVES.get(keepalive)?;
        let round_trip = lock(&object).round_trip;
        if out.is_null() {
            return Err(Status::NullPointer);
        }
        let round_trip = round_trip.ok_or(Status::WrongState)?;
        // SAFETY: not null, and the caller gives room for a number.
        unsafe { write(out, u64::try_from(round_trip.as_millis()).unwrap_or(u64::MAX)) }
    })
}

/// Ends a keepalive. Any thread. Null does nothing, nor does a handle that is not one.
#[unsafe(no_mangle)]
pub extern "C" fn mcc_keepalive_free(keepalive: *mut mcc_keepalive_t) {
    guard((), || drop(KEEPALIVES.remove(keepalive)));
}

fn change(keepalive: *mut mcc_keepalive_t, body: impl FnOnce(&mut State) -> Result<(), Status>) -> mcc_status_t {
    status_of_result(|| {
        let object = KEEPALIVES.get(keepalive)?;
        let mut state = lock(&object);
        body(&mut state)
    })
}

fn lock(object: &Mutex<State>) -> MutexGuard<'_, State> {
    object.lock().unwrap_or_else(PoisonError::into_inner)
}

fn time(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
