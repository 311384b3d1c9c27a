//! Stand-in until the real one is joined.
#![allow(dead_code)]
use zeroize::Zeroizing;
pub fn time() -> Option<u64> {
    None
}
pub enum Strength {
    Weak,
    Strong,
}
pub fn set_time(_: Strength, _: u64) -> bool {
    false
}
pub fn has_storage() -> bool {
    false
}
pub fn stored_session() -> Option<Zeroizing<Vec<u8>>> {
    None
}
pub fn store_session(_: &[u8]) -> bool {
    false
}
pub fn delete_session() {}
pub fn trusted_time_server() -> Option<[u8; 33]> {
    None
}
pub fn set_clock_of_the_application_s_mbedtls() {}
