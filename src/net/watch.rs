//! Changes of links, addresses and routes, as the kernel tells of them (rtnetlink(7)).

use super::descriptor::beyond_standard_streams;
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{self, AddressFamily, RecvFlags, SocketFlags, SocketType};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The groups `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV4_ROUTE`, `RTMGRP_IPV6_IFADDR` and `RTMGRP_IPV6_ROUTE` of
/// `linux/rtnetlink.h`.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

/// More than the socket has room for: whoever tells faster than this is read has to wait for another turn.
const MESSAGES_AT_ONCE: usize = 4096;

/// Is readable when something has changed.
#[derive(Debug)]
pub struct Watch {
    socket: OwnedFd,
}

impl Watch {
    /// Begins to watch the network namespace of this thread.
    pub fn open() -> Result<Self, Errno> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        // Protocol 0 is NETLINK_ROUTE.
        let socket = beyond_standard_streams(net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?)?;
        // Port 0: the kernel chooses one.
        net::bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        Ok(Self { socket })
    }

    /// Takes what was told, up to a bound; false if there may be more. That there was something is all that counts, also where the
    /// kernel had more to tell than it had room for: whoever watches looks at the state as it is now.
    pub fn drain(&self) -> bool {
        // A message that does not fit is cut, and gone.
        let mut buffer = [0; 512];
        for _ in 0..MESSAGES_AT_ONCE {
            match net::recv(&self.socket, &mut buffer, RecvFlags::empty()) {
                Ok(_) | Err(Errno::NOBUFS | Errno::INTR) => {}
                Err(_) => return true,
            }
        }
        false
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
