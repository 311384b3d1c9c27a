//! Numbers of descriptors that are not those of the standard streams.

use rustix::io::{Errno, fcntl_dupfd_cloexec};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

/// No descriptor of the library has a number below this one, even where the application has closed its standard streams: nothing that
/// is printed must reach the network, what opens them again must not close ours, and callers of the PAL take 0 for no socket.
pub const FIRST_NUMBER: RawFd = 3;

/// The same under a number of its own, where it has got one of those.
pub fn beyond_standard_streams(descriptor: OwnedFd) -> Result<OwnedFd, Errno> {
    if descriptor.as_raw_fd() >= FIRST_NUMBER { Ok(descriptor) } else { another(descriptor) }
}

/// Another descriptor of what this one stands for. It is closed on exec.
pub fn another(descriptor: impl AsFd) -> Result<OwnedFd, Errno> {
    fcntl_dupfd_cloexec(descriptor, FIRST_NUMBER)
}
