//! The allocator of everything that is Rust in the archive: the C library's, and a reserve for when that has nothing.
//!
//! Rust's library ends the process where an allocation fails, which no application wants of a library. An allocation that can be refused
//! is refused ([`crate::memory`]); any other is served from the reserve if it is small, and else waits until there is memory. Mbed TLS
//! asks the C library itself, and passes on that it got nothing.
//!
//! The reserve lies in memory that the program has from its start and that is touched only when it is needed. It has blocks of a few
//! sizes and no lock, so that a child of fork has it too.

use crate::memory::{self, RESERVE_SIZE};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The C library's allocator with a reserve.
struct Allocator;

#[cfg(feature = "reserve")]
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// How long a thread waits before it asks the C library again.
const WAIT: Duration = Duration::from_millis(10);

/// Blocks of one size.
struct Class {
    size: usize,
    count: usize,
    /// Where they begin in the reserve, and their bits in `Reserve::used`.
    start: usize,
    first_word: usize,
}

/// By size. Each block begins at a multiple of its size.
const CLASSES: [Class; 3] = [
    Class { size: 64, count: 512, start: 0, first_word: 0 },
    Class { size: 512, count: 64, start: 32 * 1024, first_word: 16 },
    Class { size: 4096, count: 16, start: 64 * 1024, first_word: 18 },
];
const WORDS: usize = 19;

const _: () = {
    let [small, middle, large] = &CLASSES;
    assert!(middle.start == small.size * small.count && middle.first_word == small.count.div_ceil(32));
    assert!(large.start == middle.start + middle.size * middle.count && middle.start % middle.size == 0);
    assert!(large.first_word == middle.first_word + middle.count.div_ceil(32) && large.start % large.size == 0);
    assert!(
        RESERVE_SIZE == large.start + large.size * large.count && WORDS == large.first_word + large.count.div_ceil(32)
    );
};

/// Aligned like its largest blocks.
#[repr(align(4096))]
struct Blocks(UnsafeCell<[u8; RESERVE_SIZE]>);

struct Reserve {
    blocks: Blocks,
    /// A bit for each block, set while it is in use.
    used: [AtomicU32; WORDS],
}

// SAFETY: a block is touched by whoever has its bit set, and by nobody else.
unsafe impl Sync for Reserve {}

static RESERVE: Reserve = Reserve::new();

impl Reserve {
    const fn new() -> Self {
        Self { blocks: Blocks(UnsafeCell::new([0; RESERVE_SIZE])), used: [const { AtomicU32::new(0) }; WORDS] }
    }

    /// A block for this, if there is one; what it holds is not defined.
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        CLASSES.iter().filter(|class| layout.size().max(layout.align()) <= class.size).find_map(|class| {
            let index = self.claim(class)?;
            memory::taken(class.size);
            NonNull::new(self.blocks.0.get().cast::<u8>().wrapping_add(class.start + index * class.size))
        })
    }

    /// Sets the first bit of the class that is not set, and gives its number.
    fn claim(&self, class: &Class) -> Option<usize> {
        let words = &self.used[class.first_word..][..class.count.div_ceil(32)];
        for (number, word) in words.iter().enumerate() {
            let in_word = (class.count - number * 32).min(32);
            let mut used = word.load(Ordering::Relaxed);
            while (used.trailing_ones() as usize) < in_word {
                let bit = used.trailing_ones();
                match word.compare_exchange_weak(used, used | 1 << bit, Ordering::Acquire, Ordering::Relaxed) {
                    Ok(_) => return Some(number * 32 + bit as usize),
                    Err(now) => used = now,
                }
            }
        }
        None
    }

    /// The class and number of the block at this address; none for what the C library gave.
    fn find(&self, block: *mut u8) -> Option<(&'static Class, usize)> {
        let offset = block.addr().wrapping_sub(self.blocks.0.get().addr());
        if offset >= RESERVE_SIZE {
            return None;
        }
        let class = CLASSES.iter().rev().find(|class| offset >= class.start)?;
        Some((class, (offset - class.start) / class.size))
    }

    fn give_back(&self, class: &Class, index: usize) {
        self.used[class.first_word + index / 32].fetch_and(!(1 << (index % 32)), Ordering::Release);
        memory::given_back(class.size);
    }

    /// Serves what the C library could not: from the reserve, or by asking again; null only if it can be refused.
    #[cold]
    fn serve(&self, layout: Layout, ask_again: impl Fn() -> *mut u8) -> Served {
        if memory::can_be_refused() {
            return Served::System(null_mut());
        }
        loop {
            if let Some(block) = self.take(layout) {
                return Served::Reserve(block);
            }
            std::thread::sleep(WAIT);
            let block = ask_again();
            if !block.is_null() {
                return Served::System(block);
            }
        }
    }
}

/// Where a block came from.
enum Served {
    System(*mut u8),
    Reserve(NonNull<u8>),
}

// SAFETY: what the C library gave is given back to it, and a block of the reserve has one owner, is as large and as aligned as the layout
// says, and nothing here panics.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is handed on.
        let ask = || unsafe { System.alloc(layout) };
        let block = ask();
        if !block.is_null() {
            return block;
        }
        match RESERVE.serve(layout, ask) {
            Served::System(block) => block,
            Served::Reserve(block) => block.as_ptr(),
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is handed on.
        let ask = || unsafe { System.alloc_zeroed(layout) };
        let block = ask();
        if !block.is_null() {
            return block;
        }
        match RESERVE.serve(layout, ask) {
            Served::System(block) => block,
            Served::Reserve(block) => {
                // SAFETY: the block has room for the layout, and nobody else has it.
                unsafe { block.as_ptr().write_bytes(0, layout.size()) };
                block.as_ptr()
            }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match RESERVE.find(block) {
            Some((class, index)) => RESERVE.give_back(class, index),
            // SAFETY: not of the reserve, so the C library gave it for this layout.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the alignment is the old one's, and the caller promises that the size, rounded up to it, is no more than isize::MAX.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        if let Some((class, index)) = RESERVE.find(block) {
            if new_size <= class.size {
                return block;
            }
            // SAFETY: the caller promises a size that is not 0.
            let moved = unsafe { self.alloc(new_layout) };
            if !moved.is_null() {
                // SAFETY: two blocks of which each has room for the smaller size.
                unsafe { moved.copy_from_nonoverlapping(block, layout.size().min(new_size)) };
                RESERVE.give_back(class, index);
            }
            return moved;
        }
        // SAFETY: not of the reserve, so the C library gave it for this layout; the size is as the caller promises.
        let ask = || unsafe { System.realloc(block, layout, new_size) };
        let moved = ask();
        if !moved.is_null() {
            return moved;
        }
        match RESERVE.serve(new_layout, ask) {
            Served::System(moved) => moved,
            Served::Reserve(moved) => {
                // SAFETY: two blocks of which each has room for the smaller size; the old one is the C library's, which did not move it.
                unsafe {
                    moved.as_ptr().copy_from_nonoverlapping(block, layout.size().min(new_size));
                    System.dealloc(block, layout);
                }
                moved.as_ptr()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn the_reserve_gives_each_block_once_aligned_and_takes_it_back() {
        static OWN: Reserve = Reserve::new();
        let mut blocks = Vec::new();
        // Small ones go on in the larger blocks, when their own are used up.
        while let Some(block) = OWN.take(layout(40, 8)) {
            blocks.push(block.as_ptr());
        }
        assert_eq!(blocks.len(), 512 + 64 + 16);
        let mut addresses: Vec<usize> = blocks.iter().map(|block| block.addr()).collect();
        addresses.dedup();
        assert!(addresses.len() == blocks.len() && addresses.is_sorted());
        for block in blocks {
            let (class, index) = OWN.find(block).unwrap();
            OWN.give_back(class, index);
        }
        assert!(OWN.used.iter().all(|word| word.load(Ordering::Relaxed) == 0));
        assert!(OWN.take(layout(4097, 1)).is_none() && OWN.take(layout(1, 8192)).is_none());
        for (size, align) in [(1, 1), (64, 64), (65, 16), (8, 512), (513, 8), (16, 4096)] {
            let block = OWN.take(layout(size, align)).unwrap().as_ptr();
            assert_eq!(block.addr() % align, 0);
            // SAFETY: the block is as large as asked for, and this test's own.
            unsafe { block.write_bytes(7, size) };
        }
        assert!(OWN.find((&raw mut addresses).cast()).is_none());
    }

    #[test]
    fn what_cannot_be_had_is_refused_waited_for_or_served_and_moves_on_with_its_content() {
        let nothing = || null_mut();
        assert!(
            matches!(memory::refusable(|| RESERVE.serve(layout(8, 8), nothing)), Served::System(block) if block.is_null())
        );
        let there = UnsafeCell::new(0u8);
        let after_a_wait = || there.get();
        assert!(matches!(RESERVE.serve(layout(5000, 8), after_a_wait), Served::System(block) if block == there.get()));
        let Served::Reserve(block) = RESERVE.serve(layout(60, 8), nothing) else { panic!("not served") };
        // SAFETY: a block of the reserve is one of the allocator's, as large as asked for.
        unsafe {
            block.as_ptr().write_bytes(7, 60);
            let same = Allocator.realloc(block.as_ptr(), layout(60, 8), 64);
            assert_eq!(same, block.as_ptr());
            let moved = Allocator.realloc(same, layout(64, 8), 100);
            assert!(RESERVE.find(moved).is_none());
            assert_eq!(std::slice::from_raw_parts(moved, 60), [7; 60]);
            Allocator.dealloc(moved, layout(100, 8));
        }
    }
}
