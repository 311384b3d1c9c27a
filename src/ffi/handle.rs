//! Handles: numbers that look like pointers and are never followed.
//!
//! A handle that was closed, belongs to another kind, or is any other pointer of the program is found out by looking it up.

use crate::error::Status;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

/// The low three bits tell the kind; all kinds are odd, so that no aligned pointer is ever taken for a handle.
const KIND_BITS: u32 = 3;

static NEXT: AtomicUsize = AtomicUsize::new(1);

/// All living objects of one kind. `Opaque` is the type that C sees behind the pointer.
pub(super) struct Registry<Opaque, Object> {
    kind: usize,
    /// By their numbers. A new one is the highest but after 2^29 others, so that it goes to the end.
    objects: RwLock<Vec<(usize, Object)>>,
    opaque: PhantomData<fn() -> Opaque>,
}

impl<Opaque, Object: Clone> Registry<Opaque, Object> {
    /// `kind` is odd and below 8.
    pub(super) const fn new(kind: usize) -> Self {
        assert!(kind % 2 == 1 && kind < 1 << KIND_BITS);
        Self { kind, objects: RwLock::new(Vec::new()), opaque: PhantomData }
    }

    /// A handle that no living object has.
    pub(super) fn reserve(&self) -> Handle<Opaque> {
        loop {
            let number = (NEXT.fetch_add(1, Ordering::Relaxed) << KIND_BITS) | self.kind;
            let taken = place(&self.objects.read().unwrap_or_else(PoisonError::into_inner), number).is_ok();
            if !taken && number >> KIND_BITS != 0 {
                return Handle { number, opaque: PhantomData };
            }
        }
    }

    pub(super) fn insert(&self, handle: Handle<Opaque>, object: Object) {
        let mut objects = self.objects.write().unwrap_or_else(PoisonError::into_inner);
        let (Ok(at) | Err(at)) = place(&objects, handle.number);
        objects.insert(at, (handle.number, object));
    }

    pub(super) fn get(&self, pointer: *const Opaque) -> Result<Object, Status> {
        if pointer.is_null() {
            return Err(Status::NullPointer);
        }
        let objects = self.objects.read().unwrap_or_else(PoisonError::into_inner);
        let at = place(&objects, pointer.addr()).map_err(|_| Status::InvalidHandle)?;
        Ok(objects[at].1.clone())
    }

    pub(super) fn remove(&self, pointer: *const Opaque) -> Result<Object, Status> {
        if pointer.is_null() {
            return Err(Status::NullPointer);
        }
        let mut objects = self.objects.write().unwrap_or_else(PoisonError::into_inner);
        let at = place(&objects, pointer.addr()).map_err(|_| Status::InvalidHandle)?;
        Ok(objects.remove(at).1)
    }

    /// Removes every object that `gone` says is gone.
    pub(super) fn remove_where(&self, gone: impl Fn(&Object) -> bool) {
        let mut objects = self.objects.write().unwrap_or_else(PoisonError::into_inner);
        let (removed, kept) = std::mem::take(&mut *objects).into_iter().partition(|(_, object)| gone(object));
        *objects = kept;
        drop(objects);
        // Dropped without the lock: the end of an object may come back here.
        drop::<Vec<(usize, Object)>>(removed);
    }
}

/// Where the number is among the objects, or belongs.
fn place<Object>(objects: &[(usize, Object)], number: usize) -> Result<usize, usize> {
    objects.binary_search_by_key(&number, |(number, _)| *number)
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
        let handle = LEFT.reserve();
        assert_eq!(LEFT.get(handle.pointer()), Err(Status::InvalidHandle));
        LEFT.insert(handle, 7);
        assert_eq!(LEFT.get(handle.pointer()), Ok(7));
        assert_eq!(RIGHT.get(handle.pointer().cast()), Err(Status::InvalidHandle));
        assert_eq!(LEFT.get(std::ptr::null()), Err(Status::NullPointer));
        assert_eq!(LEFT.get((&raw const handle).cast()), Err(Status::InvalidHandle));
        assert_eq!(LEFT.remove(handle.pointer()), Ok(7));
        assert_eq!(LEFT.remove(handle.pointer()), Err(Status::InvalidHandle));
        assert_ne!(LEFT.reserve().pointer(), handle.pointer());
        LEFT.insert(LEFT.reserve(), 1);
        LEFT.insert(LEFT.reserve(), 2);
        LEFT.remove_where(|object| *object == 1);
        assert_eq!(LEFT.objects.read().unwrap().iter().map(|(_, object)| *object).collect::<Vec<_>>(), [2]);
    }
}
