//! TLS and DTLS: what is offered, trusted and judged, over the safe layer of `mbedtls/`.
//!
//! Nothing outside this module and that crate names Mbed TLS. It knows nothing of sockets and of CoAP: bytes and time are handed in.

mod config;
pub mod inspect;
mod issuer;
pub mod name;
#[cfg(feature = "pal")]
pub mod pal;
#[cfg(feature = "pal")]
pub mod secure_time;
mod session;
#[cfg(feature = "pal")]
pub mod store;
pub mod time;
mod verify;

pub use config::{Config, Options, Version};
pub use mbed_cloud_connectivity_mbedtls::config::TransportKind;
pub use mbed_cloud_connectivity_mbedtls::session::Transport;
pub use session::{Progress, Read, Session};
