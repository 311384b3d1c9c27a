//! The network interfaces of this device: their names, state and addresses, and which is the default one.

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::CStr;
use std::net::{IpAddr, SocketAddr};

/// An interface as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name, such as `eth0`.
    pub name: String,
    /// It is switched on.
    pub up: bool,
    /// It has a link.
    pub running: bool,
    /// It leads to this device only.
    pub loopback: bool,
    /// Its addresses, with port 0.
    pub addresses: Vec<SocketAddr>,
}

/// How far packets get from an interface. More is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Nowhere: it is off, has no link, or no address.
    Nothing,
    /// The link: it has link-local addresses only.
    Link,
    /// Beyond the link.
    Beyond,
}

/// All interfaces, in the system's order.
pub fn list() -> Result<Vec<Interface>, Errno> {
    let entries = getifaddrs().map_err(|error| Errno::from_raw_os_error(error as i32))?;
    let mut interfaces: Vec<Interface> = Vec::new();
    for entry in entries {
        let index = interfaces.iter().position(|interface| interface.name == entry.interface_name);
        let index = index.unwrap_or_else(|| {
            interfaces.push(Interface {
                name: entry.interface_name.clone(),
                up: entry.flags.contains(InterfaceFlags::IFF_UP),
                running: entry.flags.contains(InterfaceFlags::IFF_RUNNING),
                loopback: entry.flags.contains(InterfaceFlags::IFF_LOOPBACK),
                addresses: Vec::new(),
            });
            interfaces.len() - 1
        });
        interfaces[index].addresses.extend(entry.address.as_ref().and_then(ip_address));
    }
    Ok(interfaces)
}

fn ip_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let ipv4 = address.as_sockaddr_in().map(|address| SocketAddr::from(*address));
    ipv4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddr::from(*address)))
}

/// The interface of the default route, else the first that is up; one that leads beyond this device, where there is any.
pub fn default_of(interfaces: &[Interface]) -> Option<&Interface> {
    default_with(interfaces, &default_routes())
}

fn default_with<'a>(interfaces: &'a [Interface], routes: &[Route]) -> Option<&'a Interface> {
    let routed = routes.first().and_then(|route| interfaces.iter().find(|interface| interface.name == route.interface));
    routed
        .or_else(|| interfaces.iter().find(|interface| interface.up && !interface.loopback))
        .or_else(|| interfaces.iter().find(|interface| interface.up))
}

/// A default route.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Route {
    interface: String,
    gateway: String,
}

/// The one that counts of IPv4, then the one of IPv6.
fn default_routes() -> Vec<Route> {
    // Of this thread: a process can have threads in several network namespaces.
    let of_ipv4 = default_route_of_ipv4(&read(c"/proc/thread-self/net/route"));
    let of_ipv6 = default_route_of_ipv6(&read(c"/proc/thread-self/net/ipv6_route"));
    of_ipv4.into_iter().chain(of_ipv6).collect()
}

/// A text that the kernel makes; empty where there is none.
fn read(file: &CStr) -> String {
    let mut text = Vec::new();
    let mut part = [0; 4096];
    if let Ok(file) = rustix::fs::open(file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        loop {
            match rustix::io::read(&file, &mut part) {
                Ok(0) => break,
                Ok(size) => text.extend_from_slice(&part[..size]),
                Err(Errno::INTR) => {}
                Err(_) => return String::new(),
            }
        }
    }
    String::from_utf8(text).unwrap_or_default()
}

/// The state of all interfaces and routes that makes a difference to connections: two that are equal make none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// Those that are on, lead beyond this device, and have addresses that reach beyond their link: names, links and those addresses.
    interfaces: Vec<(String, bool, Vec<IpAddr>)>,
    routes: Vec<Route>,
    /// Where this device can be reached, or reach itself.
    own: Vec<IpAddr>,
    network: Option<u64>,
}

impl Surroundings {
    /// As they are now.
    pub fn look() -> Result<Self, Errno> {
        Ok(Self::of(&list()?, default_routes()))
    }

    fn of(interfaces: &[Interface], routes: Vec<Route>) -> Self {
        let beyond = |interface: &Interface| -> Vec<IpAddr> {
            in_order(interface.addresses.iter().filter(|address| !is_link_local(address)))
        };
        let on = interfaces.iter().filter(|interface| interface.up);
        let own = in_order(on.clone().flat_map(|interface| &interface.addresses));
        let default = default_with(interfaces, &routes).filter(|interface| !interface.loopback);
        let network = default.filter(|interface| interface.reach() == Reach::Beyond);
        let network = network.map(|interface| identity(&interface.name, &beyond(interface)));
        let others = on.filter(|interface| !interface.loopback);
        let others = others.map(|interface| (interface.name.clone(), interface.running, beyond(interface)));
        let interfaces = others.filter(|(_, _, addresses)| !addresses.is_empty()).collect();
        Self { interfaces, routes, own, network }
    }

    /// Whether connections are to be told of the change from those before.
    pub fn differ_from(&self, before: &Self) -> bool {
        (&self.interfaces, &self.routes) != (&before.interfaces, &before.routes)
    }

    /// What tells the network of the default interface from others; none: there is none that reaches beyond its link.
    pub fn network(&self) -> Option<u64> {
        self.network
    }

    /// Whether an interface that is on has this address. Those of this device itself need none.
    pub fn has(&self, address: IpAddr) -> bool {
        address.is_loopback() || address.is_unspecified() || self.own.binary_search(&address).is_ok()
    }
}

/// The addresses in order. There are few, and the standard library's sorting is of several kilobytes.
fn in_order<'a>(addresses: impl Iterator<Item = &'a SocketAddr>) -> Vec<IpAddr> {
    let mut ordered = Vec::new();
    for address in addresses.map(SocketAddr::ip) {
        let at = ordered.partition_point(|before| *before <= address);
        ordered.insert(at, address);
    }
    ordered
}

/// FNV-1a over 64 bits, of the name and the addresses, which are in order.
fn identity(name: &str, addresses: &[IpAddr]) -> u64 {
    let mut bytes = name.as_bytes().to_vec();
    let mut before = Vec::new();
    for address in addresses {
        let address = match address {
            IpAddr::V4(address) => [&[4], &address.octets()[..]].concat(),
            // The network's part: the rest is drawn anew every day where addresses are private (RFC 8981).
            IpAddr::V6(address) => [&[6], &address.octets()[..8]].concat(),
        };
        if address != before {
            bytes.extend(&address);
            before = address;
        }
    }
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

/// `RTF_UP` and `RTF_REJECT` of `linux/route.h`.
const ROUTE_IS_UP: u32 = 1;
const ROUTE_REJECTS: u32 = 0x200;

/// Columns: interface, destination, gateway, flags, references, uses, metric, mask, …
fn default_route_of_ipv4(table: &str) -> Option<Route> {
    best_route(table, |columns| {
        let [name, destination, gateway, flags, _, _, metric, mask, ..] = *columns else { return None };
        let is_default = destination == "00000000" && mask == "00000000";
        is_default.then_some((flags, metric.parse().ok()?, name, gateway))
    })
}

/// Columns: destination, its prefix length, source, its prefix length, gateway, metric, references, uses, flags, interface.
fn default_route_of_ipv6(table: &str) -> Option<Route> {
    best_route(table, |columns| {
        let [destination, prefix, _, _, gateway, metric, _, _, flags, name] = *columns else { return None };
        let is_default = prefix == "00" && destination.bytes().all(|digit| digit == b'0') && name != "lo";
        is_default.then_some((flags, u32::from_str_radix(metric, 16).ok()?, name, gateway))
    })
}

/// The flags, the metric, the interface and the gateway of a default route.
type Columns<'a> = (&'a str, u32, &'a str, &'a str);

/// The usable route with the least metric. `default` reads the columns of a line; none: it is no default route.
fn best_route(table: &str, default: for<'a> fn(&[&'a str]) -> Option<Columns<'a>>) -> Option<Route> {
    let routes = table.lines().filter_map(|line| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let (flags, metric, name, gateway) = default(&columns)?;
        let flags = u32::from_str_radix(flags, 16).ok()?;
        let usable = flags & ROUTE_IS_UP != 0 && flags & ROUTE_REJECTS == 0;
        usable.then_some((metric, name, gateway))
    });
    let first = routes.min_by_key(|(metric, ..)| *metric);
    first.map(|(_, name, gateway)| Route { interface: name.to_owned(), gateway: gateway.to_owned() })
}

impl Interface {
    /// Its address to show: IPv4 before IPv6, and one that reaches beyond the link before one that does not.
    pub fn address(&self) -> Option<SocketAddr> {
        self.addresses.iter().copied().min_by_key(|address| (address.is_ipv6(), is_link_local(address)))
    }

    /// How far packets get from it.
    pub fn reach(&self) -> Reach {
        if !self.up || !self.running || self.addresses.is_empty() {
            Reach::Nothing
        } else if self.addresses.iter().all(is_link_local) {
            Reach::Link
        } else {
            Reach::Beyond
        }
    }
}

/// RFC 3927 and RFC 4291 section 2.5.6.
fn is_link_local(address: &SocketAddr) -> bool {
    match address {
        SocketAddr::V4(address) => address.ip().is_link_local(),
        SocketAddr::V6(address) => address.ip().is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::slice::from_ref;

    fn interface(addresses: &[&str]) -> Interface {
        let addresses = addresses.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0)).collect();
        Interface { name: "test0".into(), up: true, running: true, loopback: false, addresses }
    }

    #[test]
    fn this_machine_has_a_loopback_interface() {
        let interfaces = list().unwrap();
        let loopback = interfaces.iter().find(|interface| interface.loopback).expect("a loopback interface");
        assert!(loopback.addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 0));
        let mut names: Vec<&str> = interfaces.iter().map(|interface| interface.name.as_str()).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "an interface is listed twice");
    }

    #[test]
    fn the_address_shown_is_ipv4_unless_there_is_none() {
        let shown = |addresses: &[&str]| interface(addresses).address().map(|address| address.ip().to_string());
        assert_eq!(shown(&["2001:db8::1", "fe80::1", "192.0.2.1"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(shown(&["169.254.1.1", "192.0.2.1"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(shown(&["fe80::1", "2001:db8::1"]).as_deref(), Some("2001:db8::1"));
        assert_eq!(shown(&["fe80::1"]).as_deref(), Some("fe80::1"));
        assert_eq!(shown(&[]), None);
    }

    #[test]
    fn an_interface_reaches_as_far_as_its_link_and_addresses_let_it() {
        assert_eq!(interface(&[]).reach(), Reach::Nothing);
        assert_eq!(interface(&["fe80::1", "169.254.1.1"]).reach(), Reach::Link);
        assert_eq!(interface(&["fe80::1", "192.0.2.1"]).reach(), Reach::Beyond);
        assert_eq!(Interface { up: false, ..interface(&["192.0.2.1"]) }.reach(), Reach::Nothing);
        assert_eq!(Interface { running: false, ..interface(&["192.0.2.1"]) }.reach(), Reach::Nothing);
        assert!(Reach::Nothing < Reach::Link && Reach::Link < Reach::Beyond);
    }

    fn route(interface: &str, gateway: &str) -> Option<Route> {
        Some(Route { interface: interface.into(), gateway: gateway.into() })
    }

    #[test]
    fn the_default_route_is_the_one_with_the_smallest_metric() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
            wlan0\t00000000\t0100A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
            eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
            eth1\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0\n\
            eth0\t0000000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(default_route_of_ipv4(table), route("eth0", "0100000A"));
        assert_eq!(default_route_of_ipv4("nothing of the kind\n"), None);
        let zero = "0".repeat(32);
        let line = |metric: &str, flags: &str, name: &str| {
            format!("{zero} 00 {zero} 00 fe800000000000000000000000000001 {metric} 00000001 00000000 {flags} {name}\n")
        };
        let table = line("00000400", "00000003", "eth1") + &line("00000100", "00000003", "eth0");
        let table = table + &line("ffffffff", "00200200", "lo") + &line("00000001", "00200200", "eth2");
        assert_eq!(default_route_of_ipv6(&table), route("eth0", "fe800000000000000000000000000001"));
        assert_eq!(default_route_of_ipv6(""), None);
    }

    #[test]
    fn the_first_interface_that_is_up_stands_in_for_a_missing_route() {
        let mut lo = interface(&["127.0.0.1"]);
        (lo.name, lo.loopback) = ("not-lo".into(), true);
        let off = Interface { up: false, name: "test-off".into(), ..interface(&[]) };
        let on = interface(&["192.0.2.1"]);
        // None of these names is one of this machine's default route.
        let all = [lo.clone(), off, on];
        assert_eq!(default_of(&all).map(|interface| interface.name.as_str()), Some("test0"));
        assert_eq!(default_of(&all[..2]).map(|interface| interface.name.as_str()), Some("not-lo"));
        assert_eq!(default_of(&all[1..2]), None);
    }

    #[test]
    fn a_network_is_known_by_its_interface_and_what_of_its_addresses_lasts() {
        let network = |addresses: &[&str]| Surroundings::of(&[interface(addresses)], Vec::new()).network();
        let home = network(&["192.0.2.1", "2001:db8::1"]);
        assert!(home.is_some());
        for same in [
            &["2001:db8::1", "192.0.2.1"][..],
            &["192.0.2.1", "2001:db8::77:1", "fe80::1"],
            &["192.0.2.1", "2001:db8::77:1", "2001:db8::2"],
        ] {
            assert_eq!(network(same), home, "{same:?}");
        }
        for other in [&["192.0.2.2", "2001:db8::1"][..], &["192.0.2.1"], &["192.0.2.1", "2001:db8:0:1::1"]] {
            assert!(network(other).is_some_and(|other| Some(other) != home), "{other:?}");
        }
        assert_eq!(network(&["fe80::1"]), None);
        assert_eq!(network(&[]), None);
        let off = Interface { running: false, ..interface(&["192.0.2.1"]) };
        assert_eq!(Surroundings::of(&[off], Vec::new()).network(), None);
        let lo = Interface { loopback: true, ..interface(&["127.0.0.1"]) };
        assert_eq!(Surroundings::of(&[lo], Vec::new()).network(), None);
    }

    #[test]
    fn what_makes_no_difference_to_connections_is_no_change() {
        let of = |interfaces: &[Interface], gateway| {
            Surroundings::of(interfaces, route("test0", gateway).into_iter().collect())
        };
        let own = interface(&["192.0.2.1"]);
        let before = of(from_ref(&own), "1");
        let container = Interface { name: "test1".into(), ..interface(&["fe80::1"]) };
        assert!(!of(&[own.clone(), container], "1").differ_from(&before));
        assert!(of(from_ref(&own), "2").differ_from(&before));
        assert!(of(&[interface(&["192.0.2.1", "2001:db8::1"])], "1").differ_from(&before));
        assert!(of(&[Interface { running: false, ..own.clone() }], "1").differ_from(&before));
        let down = of(&[Interface { up: false, ..own }], "1");
        assert!(down.differ_from(&before));
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(before.has(address("192.0.2.1")) && !down.has(address("192.0.2.1")));
        assert!(!before.has(address("192.0.2.2")));
        assert!(down.has(address("127.0.0.7")) && down.has(address("::1")));
    }
}
