//! What the archive has in place of Rust's backtraces (`cmake/IsolateArchive.cmake`).

use std::fmt;

/// Displays as nothing. It takes what the `Display::fmt` of Rust's backtraces takes, so that it can stand in its place.
#[unsafe(no_mangle)]
#[inline(never)]
fn mcc_private_no_backtrace(_: &(), _: &mut fmt::Formatter<'_>) -> fmt::Result {
    Ok(())
}
