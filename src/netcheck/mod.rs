//! The network check: why is this device offline?
//!
//! It probes, prints nothing and gives verdicts as types. Checks run side by side on threads of their own, each with a deadline. No
//! address, name or certificate leaves the machine but as the question to the resolver or host that is checked.

pub mod endpoint;
pub mod finding;
pub mod report;
pub mod verdict;

#[cfg(feature = "serde")]
mod serialize;

#[cfg(feature = "serde")]
use serialize::{milliseconds, printable};
