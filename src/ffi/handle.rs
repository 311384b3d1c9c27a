//! Handles: numbers that look like pointers and are never followed.
//!
//! A handle that was closed, belongs to another kind, or is any other pointer of the program is found out by looking it up.

use crate::error::Status;
use crate::lock::lock;
use crate::numbered::Numbered;
use std::marker::PhantomData;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The low three bits tell the kind; all kinds are odd, so that no aligned pointer is ever taken for a handle.
const KIND_BITS: u32 = 3;

static NEXT: AtomicUsize = AtomicUsize::new(1);

/// All living objects of one kind. `Opaque` is the type that C sees behind the pointer.
pub(super) struct Registry<Opaque, Object> {
    kind: usize,
    objects: Mutex<Numbered<Object>>,
    opaque: PhantomData<fn() -> Opaque>,
}

impl<Opaque, Object: Clone> Registry<Opaque, Object> {
    /// `kind` is odd and below 8.
    pub(super) const fn new(kind: usize) -> Self {
        assert!(kind % 2 == 1 && kind < 1 << KIND_BITS);
        Self { kind, objects: Mutex::new(Numbered::new()), opaque: PhantomData }
    }

    /// A handle that no living object has, and room for the object. Errors: no memory.
    pub(super) fn reserve(&self) -> Result<Handle<Opaque>, Status> {
        let mut objects = lock(&self.objects);
        objects.make_room().map_err(|failure| failure.status)?;
        loop {
            let number = (NEXT.fetch_add(1, Ordering::Relaxed) << KIND_BITS) | self.kind;
            let taken = objects.get(number as u64).is_some();
            if !taken && number >> KIND_BITS != 0 {
                return Ok(Handle { number, opaque: PhantomData });
            }
        }
    }

    pub(super) fn insert(&self, handle: Handle<Opaque>, object: Object) {
        lock(&self.objects).insert(handle.number as u64, object);
    }

    pub(super) fn get(&self, pointer: *const Opaque) -> Result<Object, Status> {
        if pointer.is_null() {
            return Err(Status::NullPointer);
        }
        lock(&self.objects).get(pointer.addr() as u64).cloned().ok_or(Status::InvalidHandle)
    }

    pub(super) fn remove(&self, pointer: *const Opaque) -> Result<Object, Status> {
        if pointer.is_null() {
            return Err(Status::NullPointer);
        }
        lock(&self.objects).remove(pointer.addr() as u64).ok_or(Status::InvalidHandle)
    }

    /// Removes every object that `gone` says is gone.
    pub(super) fn remove_where(&self, gone: impl Fn(&Object) -> bool) {
        // Each is dropped without the lock: the end of an object may come back here.
        while let Some(removed) = self.remove_last_where(&gone) {
            drop(removed);
        }
    }

    fn remove_last_where(&self, gone: impl Fn(&Object) -> bool) -> Option<Object> {
        lock(&self.objects).remove_last_where(gone)
    }
}

/// The number behind one handle of one kind.
pub(super) struct Handle<Opaque> {
    number: usize,
    opaque: PhantomData<fn() -> Opaque>,
}

impl<Opaque> Clone for Handle<Opaque> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Opaque> Copy for Handle<Opaque> {}

impl<Opaque> Handle<Opaque> {
    /// What C holds.
    pub(super) fn pointer(self) -> *mut Opaque {
        std::ptr::without_provenance_mut(self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Left;
    struct Right;

    #[test]
    fn only_living_objects_of_the_kind_are_found() {
        static LEFT: Registry<Left, u32> = Registry::new(1);
        static RIGHT: Registry<Right, u32> = Registry::new(3);
        let handle = LEFT.reserve().unwrap();
        assert_eq!(LEFT.get(handle.pointer()), Err(Status::InvalidHandle));
        LEFT.insert(handle, 7);
        assert_eq!(LEFT.get(handle.pointer()), Ok(7));
        assert_eq!(RIGHT.get(handle.pointer().cast()), Err(Status::InvalidHandle));
        assert_eq!(LEFT.get(std::ptr::null()), Err(Status::NullPointer));
        assert_eq!(LEFT.get((&raw const handle).cast()), Err(Status::InvalidHandle));
        assert_eq!(LEFT.remove(handle.pointer()), Ok(7));
        assert_eq!(LEFT.remove(handle.pointer()), Err(Status::InvalidHandle));
        assert_ne!(LEFT.reserve().unwrap().pointer(), handle.pointer());
        LEFT.insert(LEFT.reserve().unwrap(), 1);
        LEFT.insert(LEFT.reserve().unwrap(), 2);
        LEFT.remove_where(|object| *object == 1);
        assert_eq!(lock(&LEFT.objects).iter().map(|(_, object)| *object).collect::<Vec<_>>(), [2]);
    }
}
