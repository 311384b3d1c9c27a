//! What the library takes from a host that defines none of the functions; `tests/host.rs` has one that defines all.
#![cfg(feature = "pal")]
#![allow(unsafe_code)]

#[path = "../src/ffi/host.rs"]
mod host;

use host::Strength;
use mbed_cloud_connectivity::log;

#[test]
fn a_host_without_functions_gives_nothing_and_takes_nothing() {
    assert_eq!(host::time(), None);
    assert!(!host::set_time(Strength::Weak, 1));
    assert!(!host::set_time(Strength::Strong, 1));
    let mut buffer = [7; 4];
    assert_eq!(host::random(&mut buffer), 0);
    assert_eq!(buffer, [7; 4]);
    assert!(!host::has_storage());
    assert!(host::stored_session().is_none());
    assert!(!host::store_session(b"a session"));
    host::delete_session();
    assert_eq!(host::trusted_time_server(), None);
    host::set_clock_of_the_application_s_mbedtls();
}

#[test]
fn without_a_trace_nothing_is_worth_formatting() {
    host::take_the_log();
    assert!(!log::enabled(log::Level::Error));
}
