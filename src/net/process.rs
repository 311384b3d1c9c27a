//! Which process something was made in: a child of fork(2) has a copy of all of it, but of no thread.

/// A process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process(u32);

impl Process {
    /// The one that this is.
    pub fn this() -> Self {
        Self(std::process::id())
    }

    /// Whether this is that process, and no child of it.
    pub fn is_this(self) -> bool {
        self == Self::this()
    }
}
