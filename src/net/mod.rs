//! The operating system's side: sockets, the event loop, lookups, and the driver that turns the core's outputs into system calls.
//!
//! Only [`context`] and [`driver`] know what a connection is; the rest moves bytes. `pal` is what the client's platform layer
//! wants of it.

pub mod clock;
pub mod context;
pub mod descriptor;
pub mod driver;
#[cfg(feature = "pal")]
pub mod gate;
pub mod interface;
#[cfg(feature = "pal")]
pub mod notifier;
#[cfg(feature = "pal")]
pub mod pal;
pub mod process;
pub mod random;
pub mod reactor;
pub mod resolver;
pub mod socket;
pub mod thread;
pub mod watch;
