//! Every conversion between a C pointer and a Rust value, but for handles.

use crate::coap::framing::MAX_MESSAGE_SIZE;
use crate::error::Status;
use std::ffi::{CStr, c_char};
#[cfg(feature = "pal")]
use std::mem::MaybeUninit;

/// The bytes at `pointer`; null is only allowed for no bytes.
///
/// # Safety
/// `size` bytes at `pointer` can be read while the slice lives.
pub(super) unsafe fn bytes<'a>(pointer: *const u8, size: usize) -> Result<&'a [u8], Status> {
    match (pointer.is_null(), size) {
        (true, 0) => Ok(&[]),
        (true, _) => Err(Status::NullPointer),
        (false, _) if size > isize::MAX as usize => Err(Status::InvalidArgument),
        // SAFETY: not null, and readable by the caller's promise; the size fits an allocation.
        (false, _) => Ok(unsafe { std::slice::from_raw_parts(pointer, size) }),
    }
}

/// The pointers of a list; null is only allowed for none.
///
/// # Safety
/// `count` pointers at `pointer` can be read while the slice lives.
#[cfg(feature = "netcheck")]
pub(super) unsafe fn array<'a, T>(pointer: *const *const T, count: usize) -> Result<&'a [*const T], Status> {
    match (pointer.is_null(), count) {
        (true, 0) => Ok(&[]),
        (true, _) => Err(Status::NullPointer),
        (false, _) if count > isize::MAX as usize / size_of::<*const T>() || !pointer.is_aligned() => {
            Err(Status::InvalidArgument)
        }
        // SAFETY: not null, aligned, and readable by the caller's promise; the size fits an allocation.
        (false, _) => Ok(unsafe { std::slice::from_raw_parts(pointer, count) }),
    }
}

/// The message at `pointer`, of one byte at least.
///
/// # Safety
/// `size` bytes at `pointer` can be read while the slice lives.
pub(super) unsafe fn message<'a>(pointer: *const u8, size: usize) -> Result<&'a [u8], Status> {
    match size {
        _ if pointer.is_null() => Err(Status::NullPointer),
        0 => Err(Status::EmptyMessage),
        // SAFETY: by the caller's promise.
        1..=MAX_MESSAGE_SIZE => unsafe { bytes(pointer, size) },
        _ => Err(Status::MessageTooLarge),
    }
}

/// The text at `pointer`, or none if it is null.
///
/// # Safety
/// A string that ends with NUL stands at `pointer` while the result lives.
pub(super) unsafe fn text<'a>(pointer: *const c_char) -> Option<&'a CStr> {
    // SAFETY: by the caller's promise.
    (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) })
}

/// The bytes that can be written at `pointer`, which need not be initialised.
///
/// # Safety
/// If `pointer` is not null, `size` bytes can be written there while the slice lives, and nothing else uses them.
#[cfg(feature = "pal")]
pub(super) unsafe fn room<'a>(pointer: *mut u8, size: usize) -> Result<&'a mut [MaybeUninit<u8>], Status> {
    if pointer.is_null() {
        return Err(Status::NullPointer);
    }
    if size > isize::MAX as usize {
        return Err(Status::InvalidArgument);
    }
    // SAFETY: not null, and writable by the caller's promise; the size fits an allocation; no byte is taken for initialised.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer.cast(), size) })
}

/// The bytes at `pointer`, to be written; what stands there counts as initialised.
///
/// # Safety
/// If `pointer` is not null, `size` bytes can be written there while the slice lives, and nothing else uses them.
pub(super) unsafe fn buffer<'a>(pointer: *mut u8, size: usize) -> Result<&'a mut [u8], Status> {
    if pointer.is_null() {
        return Err(Status::NullPointer);
    }
    if size > isize::MAX as usize {
        return Err(Status::InvalidArgument);
    }
    // SAFETY: not null, and writable by the caller's promise; the size fits an allocation; memory of a C program is no Rust value
    // that could be uninitialised.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer, size) })
}

/// The value at `pointer`, which need not be aligned.
///
/// # Safety
/// If `pointer` is not null, a `T` can be read there, and every value of its bytes is a valid one.
#[cfg(feature = "pal")]
pub(super) unsafe fn read<T: Copy>(pointer: *const T) -> Result<T, Status> {
    if pointer.is_null() {
        return Err(Status::NullPointer);
    }
    // SAFETY: readable and valid by the caller's promise.
    Ok(unsafe { pointer.read_unaligned() })
}

/// Writes `value` to where `pointer` points, which need not be initialised.
///
/// # Safety
/// If `pointer` is not null, a `T` can be written there.
pub(super) unsafe fn write<T>(pointer: *mut T, value: T) -> Result<(), Status> {
    if pointer.is_null() {
        return Err(Status::NullPointer);
    }
    // SAFETY: writable by the caller's promise; an unaligned pointer costs nothing here.
    unsafe { pointer.write_unaligned(value) };
    Ok(())
}

/// A struct that can grow: it begins with its size, as the program that was compiled against some version of the header knows it.
///
/// # Safety
/// `repr(C)`, the first field is `size: u32`, and every value of the bytes after it is a valid value (no bool, no reference).
pub(super) unsafe trait Sized32: Copy {
    /// What a field has that the program does not know of.
    const DEFAULT: Self;
    /// The sizes of the struct's earlier versions: no program knows another part of it.
    const EARLIER: &'static [u32] = &[];
}

/// The size at `pointer`, if a program can have such a struct.
///
/// # Safety
/// A `u32` can be read at `pointer`.
unsafe fn size<T: Sized32>(pointer: *const T) -> Result<usize, Status> {
    // SAFETY: by the caller's promise.
    let size = unsafe { pointer.cast::<u32>().read_unaligned() };
    let known = T::EARLIER.contains(&size) || (size_of::<T>()..=4096).contains(&(size as usize));
    if known { Ok(size as usize) } else { Err(Status::InvalidArgument) }
}

/// The struct at `pointer`, with defaults for the fields that the program does not know of. Fields that this library does not know
/// of have to be zero, so that nothing that was asked for is passed over.
///
/// # Safety
/// `pointer` is null or points to a `u32` size and to that many readable bytes in all.
pub(super) unsafe fn sized<T: Sized32>(pointer: *const T) -> Result<T, Status> {
    if pointer.is_null() {
        return Err(Status::NullPointer);
    }
    // SAFETY: the size is readable by the caller's promise.
    let size = unsafe { self::size(pointer) }?;
    // SAFETY: `size` bytes are readable by the caller's promise.
    let given = unsafe { bytes(pointer.cast(), size) }?;
    let known = given.len().min(size_of::<T>());
    if given[known..].iter().any(|byte| *byte != 0) {
        return Err(Status::InvalidArgument);
    }
    let mut value = T::DEFAULT;
    // SAFETY: `known` bytes are readable in `given` and writable in `value`, and all values of them are valid (`Sized32`).
    unsafe { std::ptr::copy_nonoverlapping(given.as_ptr(), (&raw mut value).cast::<u8>(), known) };
    Ok(value)
}

/// Writes as much of `value` as the struct at `pointer` has room for, by the size that it begins with, which stays.
///
/// # Safety
/// `pointer` is null or points to a `u32` size and to that many writable bytes in all.
pub(super) unsafe fn write_sized<T: Sized32>(pointer: *mut T, value: &T) -> Result<(), Status> {
    if pointer.is_null() {
        return Err(Status::NullPointer);
    }
    // SAFETY: the size is readable by the caller's promise.
    let size = unsafe { self::size(pointer) }?;
    let known = size.min(size_of::<T>());
    // SAFETY: `known` bytes are readable in `value` and writable at `pointer`; the size in front is left as it is.
    unsafe {
        let skip = size_of::<u32>();
        let from = std::ptr::from_ref(value).cast::<u8>().add(skip);
        std::ptr::copy_nonoverlapping(from, pointer.cast::<u8>().add(skip), known - skip);
    }
    Ok(())
}
