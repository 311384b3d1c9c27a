//! What the library takes from the functions of a host that defines all of them, and answers that no host should give.
//!
//! A program of its own, since a function defined here is there for the whole program; it takes the module by its source, since that
//! is no part of the library's interface. `c-tests/host` has the programs that define none and some.
#![cfg(feature = "pal")]
#![allow(unsafe_code)]

#[path = "../src/ffi/host.rs"]
mod host;

use host::Strength;
use mbed_cloud_connectivity::log;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

const KCM_CONFIG_ITEM: c_int = 4;
const SUCCESS: c_int = 0;
const KCM_STATUS_ITEM_NOT_FOUND: c_int = 5;
const FAILURE: c_int = 1;

type Clock = extern "C" fn(*mut i64) -> i64;

/// What the host's functions answer, and what they were given.
#[derive(Default)]
struct Functions {
    failing: bool,
    time: u64,
    told: Vec<(Strength, u64)>,
    clock: Option<Clock>,
    random: u8,
    item: Option<Vec<u8>>,
    /// Instead of the item's own size.
    size_said: Option<usize>,
    /// Instead of what was written.
    read_said: Option<usize>,
    /// The item as it is when it is read, after its size was asked for.
    changed_item: Option<Vec<u8>>,
    refuses_to_store: bool,
    calls: Vec<&'static str>,
    protected: Vec<u8>,
    protected_size_said: Option<usize>,
    traced: Vec<(u8, String, String)>,
}

static FUNCTIONS: LazyLock<Mutex<Functions>> = LazyLock::new(Mutex::default);
static ONE_TEST: Mutex<()> = Mutex::new(());

fn functions() -> MutexGuard<'static, Functions> {
    FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A host of this kind, for this test alone.
fn host(change: impl FnOnce(&mut Functions)) -> MutexGuard<'static, ()> {
    let one_test = ONE_TEST.lock().unwrap_or_else(PoisonError::into_inner);
    let mut functions = functions();
    *functions = Functions::default();
    change(&mut functions);
    one_test
}

fn status(functions: &Functions) -> c_int {
    if functions.failing { FAILURE } else { SUCCESS }
}

fn is_the_session(name: *const u8, name_size: usize, kind: c_int) -> bool {
    // SAFETY: the caller's name.
    let name = unsafe { std::slice::from_raw_parts(name, name_size) };
    name == b"sslsession" && kind == KCM_CONFIG_ITEM
}

#[unsafe(no_mangle)]
extern "C" fn pal_osGetTime() -> u64 {
    functions().time
}

#[unsafe(no_mangle)]
extern "C" fn pal_osSetWeakTime(seconds: u64) -> i32 {
    let mut functions = functions();
    functions.told.push((Strength::Weak, seconds));
    status(&functions)
}

#[unsafe(no_mangle)]
extern "C" fn pal_osSetStrongTime(seconds: u64) -> i32 {
    let mut functions = functions();
    functions.told.push((Strength::Strong, seconds));
    status(&functions)
}

#[cfg(target_pointer_width = "64")]
#[unsafe(no_mangle)]
extern "C" fn mbedtls_platform_set_time(clock: Clock) -> c_int {
    let mut functions = functions();
    functions.clock = Some(clock);
    status(&functions)
}

#[unsafe(no_mangle)]
extern "C" fn pal_osRandomBuffer(buffer: *mut u8, size: usize) -> i32 {
    let functions = functions();
    // SAFETY: the caller's buffer.
    unsafe { buffer.write_bytes(functions.random, size) };
    status(&functions)
}

#[unsafe(no_mangle)]
extern "C" fn kcm_item_store(
    name: *const u8,
    name_size: usize,
    kind: c_int,
    is_factory: bool,
    data: *const u8,
    size: usize,
    info: *const c_void,
) -> c_int {
    let mut functions = functions();
    functions.calls.push("store");
    if !is_the_session(name, name_size, kind) || is_factory || !info.is_null() {
        return FAILURE;
    }
    if functions.item.is_some() || functions.refuses_to_store {
        return FAILURE;
    }
    // SAFETY: the caller's bytes.
    functions.item = Some(unsafe { std::slice::from_raw_parts(data, size) }.to_vec());
    status(&functions)
}

#[unsafe(no_mangle)]
extern "C" fn kcm_item_get_data_size(name: *const u8, name_size: usize, kind: c_int, size: *mut usize) -> c_int {
    let mut functions = functions();
    functions.calls.push("size");
    let item_size = functions.item.as_ref().map(Vec::len);
    let Some(said) = functions.size_said.or(item_size) else { return KCM_STATUS_ITEM_NOT_FOUND };
    if !is_the_session(name, name_size, kind) {
        return FAILURE;
    }
    // SAFETY: the caller's variable.
    unsafe { size.write(said) };
    status(&functions)
}

#[unsafe(no_mangle)]
extern "C" fn kcm_item_get_data(
    name: *const u8,
    name_size: usize,
    kind: c_int,
    data: *mut u8,
    max_size: usize,
    size: *mut usize,
) -> c_int {
    let mut functions = functions();
    functions.calls.push("read");
    if let Some(changed) = functions.changed_item.take() {
        functions.item = Some(changed);
    }
    let Some(item) = &functions.item else { return KCM_STATUS_ITEM_NOT_FOUND };
    if !is_the_session(name, name_size, kind) || item.len() > max_size {
        return FAILURE;
    }
    // SAFETY: the caller's buffer and variable.
    unsafe {
        data.copy_from_nonoverlapping(item.as_ptr(), item.len());
        size.write(functions.read_said.unwrap_or(item.len()));
    }
    status(&functions)
}

#[unsafe(no_mangle)]
extern "C" fn kcm_item_delete(name: *const u8, name_size: usize, kind: c_int) -> c_int {
    let mut functions = functions();
    functions.calls.push("delete");
    if !is_the_session(name, name_size, kind) || functions.failing {
        return FAILURE;
    }
    if functions.item.take().is_some() { SUCCESS } else { KCM_STATUS_ITEM_NOT_FOUND }
}

#[unsafe(no_mangle)]
extern "C" fn storage_rbp_read(name: *const c_char, data: *mut u8, max_size: usize, size: *mut usize) -> i32 {
    let functions = functions();
    // SAFETY: the caller's name.
    let name = unsafe { CStr::from_ptr(name) };
    if name != c"time_srv_id" || functions.protected.len() > max_size {
        return FAILURE;
    }
    // SAFETY: the caller's buffer and variable.
    unsafe {
        data.copy_from_nonoverlapping(functions.protected.as_ptr(), functions.protected.len());
        size.write(functions.protected_size_said.unwrap_or(functions.protected.len()));
    }
    status(&functions)
}

/// The list of arguments is not looked at: on every Linux it is passed as something of the size of a pointer.
#[unsafe(no_mangle)]
extern "C" fn mbed_vtracef(level: u8, group: *const c_char, format: *const c_char, _arguments: *mut c_void) {
    // SAFETY: the caller's texts.
    let [group, format] = [group, format].map(|text| unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned());
    functions().traced.push((level, group, format));
}

#[test]
fn the_clock_is_read_as_it_stands_also_when_it_was_never_set() {
    let _one_test = host(|functions| functions.time = 5_000_000_000);
    assert_eq!(host::time(), Some(5_000_000_000));
    functions().time = 0;
    assert_eq!(host::time(), Some(0));
}

#[test]
fn a_time_is_handed_on_by_its_strength_and_may_be_refused() {
    let _one_test = host(|_| {});
    assert!(host::set_time(Strength::Weak, 1));
    assert!(host::set_time(Strength::Strong, u64::MAX));
    functions().failing = true;
    assert!(!host::set_time(Strength::Weak, 3));
    assert!(!host::set_time(Strength::Strong, 4));
    let expected = [(Strength::Weak, 1), (Strength::Strong, u64::MAX), (Strength::Weak, 3), (Strength::Strong, 4)];
    assert_eq!(functions().told, expected);
}

#[cfg(target_pointer_width = "64")]
#[test]
fn the_application_s_mbedtls_gets_a_clock_that_follows_the_host_s() {
    let _one_test = host(|functions| functions.time = 1_700_000_000);
    host::set_clock_of_the_application_s_mbedtls();
    let clock = functions().clock.expect("it was installed");
    let mut told = 0;
    assert_eq!(clock(&mut told), 1_700_000_000);
    assert_eq!(told, 1_700_000_000);
    functions().time = 1_800_000_000;
    assert_eq!(clock(std::ptr::null_mut()), 1_800_000_000);
}

#[test]
fn random_numbers_fill_the_buffer_or_count_for_nothing() {
    let _one_test = host(|functions| functions.random = 0xa5);
    let mut buffer = [0; 100];
    assert_eq!(host::random(&mut buffer), 100);
    assert_eq!(buffer, [0xa5; 100]);
    assert_eq!(host::random(&mut []), 0);
    functions().failing = true;
    assert_eq!(host::random(&mut buffer), 0);
}

#[test]
fn a_session_is_stored_read_and_deleted() {
    let _one_test = host(|_| {});
    assert!(host::has_storage());
    assert!(host::stored_session().is_none());
    assert!(host::store_session(b"a session"));
    assert_eq!(*host::stored_session().unwrap(), b"a session");
    assert!(host::delete_session());
    assert!(host::stored_session().is_none());
    // What is not there can be deleted.
    assert!(host::delete_session());
}

#[test]
fn a_session_takes_the_place_of_one_that_was_deleted() {
    let _one_test = host(|_| {});
    assert!(host::store_session(b"first"));
    assert!(!host::store_session(b"the second"));
    assert_eq!(*host::stored_session().unwrap(), b"first");
    assert!(host::delete_session());
    assert!(host::store_session(b"the second"));
    assert_eq!(*host::stored_session().unwrap(), b"the second");
}

#[test]
fn a_session_that_the_storage_refuses_is_not_stored() {
    let _one_test = host(|_| {});
    functions().refuses_to_store = true;
    assert!(!host::store_session(b"second"));
    assert!(host::stored_session().is_none());
}

#[test]
fn a_storage_that_fails_once_works_the_next_time() {
    let _one_test = host(|functions| functions.item = Some(b"a session".to_vec()));
    functions().failing = true;
    assert!(host::stored_session().is_none());
    assert!(!host::delete_session());
    assert!(!host::store_session(b"another"));
    functions().failing = false;
    assert_eq!(*host::stored_session().unwrap(), b"a session");
    assert!(host::delete_session());
    assert!(host::store_session(b"another"));
    assert_eq!(*host::stored_session().unwrap(), b"another");
}

#[test]
fn sizes_that_no_session_has_are_not_believed() {
    let _one_test = host(|functions| functions.item = Some(b"a session".to_vec()));
    for size in [0, 64 * 1024 + 1, 1 << 30, usize::MAX] {
        functions().size_said = Some(size);
        functions().calls.clear();
        assert!(host::stored_session().is_none(), "{size}");
        assert_eq!(functions().calls, ["size"], "{size}: it is not even read");
    }
}

#[test]
fn sizes_up_to_the_bound_are_stored_and_read() {
    let _one_test = host(|_| {});
    for size in [1, 64 * 1024] {
        let session = vec![7; size];
        assert!(host::delete_session());
        assert!(host::store_session(&session));
        assert_eq!(*host::stored_session().unwrap(), session);
    }
    functions().calls.clear();
    assert!(!host::store_session(&[]));
    assert!(!host::store_session(&vec![7; 64 * 1024 + 1]));
    assert!(functions().calls.is_empty(), "the session that is there stays");
}

#[test]
fn a_session_may_be_shorter_when_it_is_read_but_not_longer_or_gone() {
    let _one_test = host(|functions| functions.item = Some(b"a session".to_vec()));
    functions().changed_item = Some(b"short".to_vec());
    assert_eq!(*host::stored_session().unwrap(), b"short");
    functions().changed_item = Some(b"longer".to_vec());
    assert!(host::stored_session().is_none());
    functions().changed_item = Some(Vec::new());
    assert!(host::stored_session().is_none());
}

#[test]
fn a_size_beyond_the_buffer_is_not_what_was_read() {
    let _one_test = host(|functions| functions.item = Some(b"a session".to_vec()));
    for size in [0, 10, 1 << 30, usize::MAX] {
        functions().read_said = Some(size);
        assert!(host::stored_session().is_none(), "{size}");
    }
    functions().read_said = Some(9);
    assert_eq!(*host::stored_session().unwrap(), b"a session");
}

#[test]
fn the_trusted_time_server_has_33_bytes_or_is_unknown() {
    let _one_test = host(|functions| functions.protected = vec![2; 33]);
    assert_eq!(host::trusted_time_server(), Some([2; 33]));
    for size in [0, 32, 34, usize::MAX] {
        functions().protected_size_said = Some(size);
        assert_eq!(host::trusted_time_server(), None, "{size}");
    }
    functions().protected_size_said = None;
    for size in [0, 32, 34] {
        functions().protected = vec![2; size];
        assert_eq!(host::trusted_time_server(), None, "{size}");
    }
    functions().protected = vec![3; 33];
    functions().failing = true;
    assert_eq!(host::trusted_time_server(), None);
}

#[test]
fn each_level_has_its_number_in_the_trace_and_the_message_is_no_format() {
    let _one_test = host(|_| {});
    host::take_the_log();
    log::error(format_args!("100 %s"));
    log::warning(format_args!("100 %n"));
    log::info(format_args!("%"));
    log::debug(format_args!("one"));
    let traced = |level| (level, "mcc".to_owned(), "%s".to_owned());
    assert_eq!(functions().traced, [2, 4, 8, 16].map(traced));
}
