//! CoAP as far as a connection needs it: one message, the ping, the framings, the signals of RFC 8323. No I/O and no clock.
//!
//! Whatever the transport, a message is bytes in the format of RFC 7252 everywhere in this library; only [`framing`] knows others.

pub mod framing;
pub mod message;
pub mod ping;
pub mod signal;
