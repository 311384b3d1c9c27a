//! The operating system's side: sockets, the event loop, lookups, and the driver that turns the core's outputs into system calls.
//!
//! Only [`context`] and [`driver`] know what a connection is; the rest moves bytes.

pub mod clock;
pub mod context;
pub mod driver;
pub mod random;
pub mod reactor;
pub mod resolver;
pub mod socket;
pub mod thread;
