//! The connectivity layer of Mbed Cloud Client devices: connections that stay up, behind a C interface.
//!
//! The map; imports go one way, downwards:
//!
//! | module | what it is | I/O |
//! | --- | --- | --- |
//! | `ffi` | every exported function, one file a face, and the only unsafe code | no |
//! | [`netcheck`] | the network check: probes, verdicts, report; over `net::socket` | yes |
//! | [`net`] | sockets, event loop, lookups; `net::driver` alone knows both the core and the sockets | yes |
//! | [`tls`] | policy over the safe layer of `mbedtls/` | no |
//! | [`connection`] | the state machine; URI, backoff, order of addresses | no |
//! | [`keepalive`] | when to ping, when a path is dead | no |
//! | [`coap`] | messages, ping, framings, signals | no |
//! | [`error`], [`log`], [`panic`], `lock`, `memory`, `numbered`, `settings` | what all of them use | no |
//!
//! See `docs/architecture.md` for threads, ownership and errors.
#![deny(unsafe_code)]

pub mod coap;
pub mod connection;
pub mod error;
mod ffi;
pub mod keepalive;
mod lock;
pub mod log;
mod memory;
pub mod net;
#[cfg(feature = "netcheck")]
pub mod netcheck;
mod numbered;
pub mod panic;
mod settings;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls/absent.rs"]
pub mod tls;
