//! Tables by numbers that this library has given itself, one after the other.

use crate::error::{Failure, Status};
use crate::memory;

/// What has a number, in order of the numbers. A new number is the highest, and goes to the end. There is less code in it than in a tree
/// or a hash table.
#[derive(Debug)]
pub struct Numbered<T> {
    entries: Vec<(u64, T)>,
}

impl<T> Numbered<T> {
    /// An empty one.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    fn place(&self, number: u64) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&number, |(number, _)| *number)
    }

    /// Puts an entry in, in the place of the one that had its number.
    pub fn insert(&mut self, number: u64, value: T) {
        match self.place(number) {
            Ok(at) => self.entries[at].1 = value,
            Err(at) => self.entries.insert(at, (number, value)),
        }
    }

    /// The entry of a number.
    pub fn get(&self, number: u64) -> Option<&T> {
        self.place(number).ok().map(|at| &self.entries[at].1)
    }

    /// The entry of a number, to change it.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.place(number).ok().map(|at| &mut self.entries[at].1)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes an entry out.
    pub fn remove(&mut self, number: u64) -> Option<T> {
        self.place(number).ok().map(|at| self.entries.remove(at).1)
    }

    /// Takes out the last of those that `gone` says are gone.
    pub fn remove_last_where(&mut self, mut gone: impl FnMut(&T) -> bool) -> Option<T> {
        let at = self.entries.iter().rposition(|(_, value)| gone(value))?;
        Some(self.entries.remove(at).1)
    }

    /// Makes room for one more entry. Errors: no memory.
    pub fn make_room(&mut self) -> Result<(), Failure> {
        memory::refusable(|| self.entries.try_reserve(1)).map_err(|_| Status::OutOfMemory.into())
    }

    /// All entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = &(u64, T)> {
        self.entries.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_their_numbers_in_whatever_order_they_came() {
        let mut table = Numbered::new();
        for number in [1, 2, 4, 3, u64::MAX, 5] {
            table.insert(number, number.to_string());
        }
        table.insert(2, "two".into());
        assert!(table.iter().map(|(number, _)| *number).eq([1, 2, 3, 4, 5, u64::MAX]));
        assert_eq!(table.get(2).map(String::as_str), Some("two"));
        assert_eq!(table.get(6), None);
        assert_eq!(table.remove(4).as_deref(), Some("4"));
        assert_eq!(table.remove(4), None);
        for expected in [Some("5"), Some("3"), Some("1"), None] {
            assert_eq!(table.remove_last_where(|value| value.len() == 1).as_deref(), expected);
        }
        assert!(table.iter().map(|(number, _)| *number).eq([2, u64::MAX]));
    }
}
