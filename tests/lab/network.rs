//! Three network namespaces in a row: device, router, server.

use crate::wait_until;
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

/// Where the server is.
pub const SERVER: &str = "198.51.100.2";
/// Its other address.
pub const OTHER_SERVER: &str = "198.51.100.3";
/// The router as the device sees it.
pub const ROUTER: &str = "192.0.2.1";
/// The router at the device's other interface.
pub const OTHER_ROUTER: &str = "203.0.113.1";

/// A network namespace: gone when nothing of this process is in it any more.
pub struct Place(File);

impl Place {
    fn this() -> Self {
        Self(File::open("/proc/thread-self/ns/net").unwrap())
    }

    fn new() -> Self {
        let make = || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            Self::this()
        };
        std::thread::spawn(make).join().unwrap()
    }

    /// Does something in this place. Sockets and processes that are made there stay there.
    pub fn run<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        let there = || {
            setns(&self.0, CloneFlags::CLONE_NEWNET).unwrap();
            body()
        };
        std::thread::scope(|scope| scope.spawn(there).join()).unwrap()
    }

    /// Runs a command, without a shell, and gives what it says.
    pub fn command(&self, line: &str) -> String {
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().unwrap());
        command.args(words).stdin(Stdio::null());
        let output = self.run(|| command.output()).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Several commands of `ip` at once.
    pub fn ip(&self, lines: &[&str]) {
        let mut command = Command::new("ip");
        command.args(["-batch", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.run(|| command.spawn()).expect("ip; script/bootstrap installs it");
        child.stdin.take().unwrap().write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{lines:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Sets a number of the kernel, by its path below `/proc/sys/net`.
    pub fn set(&self, path: &str, value: u32) {
        let path = format!("/proc/sys/net/{path}");
        self.run(|| std::fs::write(&path, value.to_string())).unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// What `ip` needs to name it.
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    /// The kernel tells that an interface has its link a moment after both ends are up.
    fn await_link(&self, interface: &str) {
        let line = format!("ip -oneline link show {interface}");
        wait_until("a link", || self.command(&line).contains("LOWER_UP"));
    }
}

/// The whole of it. This thread, and the threads that come of it, are in the device.
pub struct Network {
    pub device: Place,
    pub router: Place,
    pub server: Place,
}

impl Network {
    /// `eth0` is connected, `eth1` is off, and nothing is forgotten soon or forbidden.
    pub fn new() -> Self {
        let network = Self { device: Place::this(), router: Place::new(), server: Place::new() };
        let Self { device, router, server } = &network;
        // The numbers differ: Linux is slow to notice the link of a pair that has the same.
        device.ip(&[
            "link set lo up",
            &format!("link add eth0 index 10 type veth peer name lan0 index 20 netns {}", router.path()),
            &format!("link add eth1 index 11 type veth peer name lan1 index 21 netns {}", router.path()),
            "address add 192.0.2.2/24 dev eth0",
            "address add 203.0.113.2/24 dev eth1",
        ]);
        router.ip(&[
            "link set lo up",
            &format!("link add wan0 index 22 type veth peer name srv0 index 30 netns {}", server.path()),
            "address add 192.0.2.1/24 dev lan0",
            "address add 203.0.113.1/24 dev lan1",
            "address add 198.51.100.1/24 dev wan0",
            "link set lan0 up",
            "link set lan1 up",
            "link set wan0 up",
        ]);
        server.ip(&[
            "link set lo up",
            "address add 198.51.100.2/24 dev srv0",
            "address add 198.51.100.3/24 dev srv0",
            "link set srv0 up",
            "route add default via 198.51.100.1",
        ]);
        device.ip(&["link set eth0 up", "route add default via 192.0.2.1 dev eth0"]);
        device.await_link("eth0");
        server.await_link("srv0");
        router.set("ipv4/ip_forward", 1);
        for rule in [
            "--table nat --append POSTROUTING --out-interface wan0 --jump MASQUERADE",
            // A mapping that is gone is a packet that is gone, as in most routers; Linux would answer, or take the connection up again.
            "--append FORWARD --match conntrack --ctstate INVALID --jump DROP",
            "--append INPUT --in-interface wan0 --jump DROP",
        ] {
            network.firewall(rule);
        }
        router.set("netfilter/nf_conntrack_tcp_loose", 0);
        network
    }

    /// A rule of the router's.
    pub fn firewall(&self, rule: &str) {
        self.router.command(&format!("iptables --wait {rule}"));
    }

    /// How many packets the first rule of the router's that has this in its text has met.
    pub fn packets(&self, rule: &str) -> u64 {
        let list = self.router.command("iptables --wait --list FORWARD --numeric --verbose --exact");
        let line = list.lines().find(|line| line.contains(rule)).unwrap_or_else(|| panic!("no {rule} in {list}"));
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// The NAT forgets an idle connection after this many seconds.
    pub fn forget_streams_after(&self, seconds: u32) {
        self.router.set("netfilter/nf_conntrack_tcp_timeout_established", seconds);
    }

    /// The NAT forgets who sent a datagram after this many seconds.
    pub fn forget_datagrams_after(&self, seconds: u32) {
        self.router.set("netfilter/nf_conntrack_udp_timeout", seconds);
        self.router.set("netfilter/nf_conntrack_udp_timeout_stream", seconds);
    }
}
