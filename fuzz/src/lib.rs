//! What the targets share: how an input is read. Numbers and bytes come from its front, so that an input can be written by hand.

pub mod c_interface;
pub mod settings;
pub mod stored_tls;

use arbitrary::Unstructured;

/// Panics end where the library says, and its hook logs them. From here on each is a finding. The library has set its hook before.
pub fn panics_are_findings() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        previous(panic);
        eprintln!("{panic}");
        std::process::abort();
    }));
}

/// Reads an input. At its end every number is 0 and no bytes are left.
pub struct Reader<'a>(Unstructured<'a>);

impl<'a> Reader<'a> {
    /// A reader of these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(Unstructured::new(bytes))
    }

    /// Whether all is read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        self.0.arbitrary().unwrap_or_default()
    }

    /// Two bytes, the lower first.
    pub fn short(&mut self) -> u16 {
        self.0.arbitrary().unwrap_or_default()
    }

    /// Four bytes, the lowest first.
    pub fn long(&mut self) -> u32 {
        self.0.arbitrary().unwrap_or_default()
    }

    /// One of these.
    pub fn choose<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()]
    }

    /// A byte that says how many, then so many, or all that are left.
    pub fn bytes(&mut self) -> &'a [u8] {
        let size = usize::from(self.byte()).min(self.0.len());
        self.0.bytes(size).unwrap_or_default()
    }

    /// So many bytes, or all that are left.
    pub fn take(&mut self, size: usize) -> &'a [u8] {
        self.0.bytes(size.min(self.0.len())).unwrap_or_default()
    }

    /// All that is left.
    pub fn rest(self) -> &'a [u8] {
        self.0.take_rest()
    }
}
