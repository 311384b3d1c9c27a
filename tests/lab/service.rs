//! What the network check looks at: the service with its names and certificates, as a network lets a device see it.

use crate::common::{Authority, Peer};
use crate::names;
use crate::network::{Network, Place, ROUTER};
use crate::wait_until;
use mbed_cloud_connectivity::netcheck::endpoint::{BOOTSTRAP_ISSUER, DEFAULT_REGION, Endpoint, region};
use std::io::{Read, Write};
use std::process::{Command, Stdio};

/// Where the service is. To the check this block is of the internet; nobody has it any more (RFC 7526), and no packet leaves the lab.
pub const SERVICE: &str = "192.88.99.2";
/// The issuer of the bootstrap service as `openssl` reads it.
const BOOTSTRAP_CA: &str = "/C=GB/ST=Cambridgeshire/L=Cambridge/O=ARM Ltd/CN=ARM Bootstrap CA";

/// The endpoints that are checked unless others are asked for.
pub fn default_list() -> Vec<Endpoint> {
    region(DEFAULT_REGION).unwrap()
}

/// The hosts of the default list.
pub fn hosts() -> Vec<String> {
    default_list().into_iter().map(|endpoint| endpoint.host).collect()
}

/// What dnsmasq knows if all hosts are at this address.
pub fn records(address: &str) -> Vec<String> {
    hosts().iter().map(|host| format!("--host-record={host},{address},300")).collect()
}

/// The service has its address in the server's place, and the router a way to it.
pub fn settle(network: &Network) {
    network.server.ip(&[&format!("address add {SERVICE}/32 dev srv0")]);
    network.router.ip(&[&format!("route add {SERVICE}/32 dev wan0")]);
}

/// The router's resolver has this address for all hosts, and the device asks it.
pub fn name_all(network: &Network, address: &str) -> Peer {
    names::ask(&[ROUTER]);
    let records = records(address);
    names::dnsmasq(&network.router, ROUTER, &records.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The CA that has to have issued the certificate, with the certificate `server`. It is not sent: a leaf alone is.
pub fn own_authority(test: &str) -> Authority {
    assert!(BOOTSTRAP_CA.replace('/', ", ").ends_with(BOOTSTRAP_ISSUER));
    authority(test, BOOTSTRAP_CA)
}

/// A CA of this name with a certificate `server` for all hosts.
pub fn authority(test: &str, name: &str) -> Authority {
    let authority = Authority::named(test, name);
    let names: Vec<String> = hosts().iter().map(|host| format!("DNS:{host}")).collect();
    authority.issue("server", &names.join(","), (-1, 30));
    authority
}

/// Both ports of the service, by TLS and DTLS.
pub fn serve_all(network: &Network, authority: &Authority) -> Vec<Peer> {
    let place = &network.server;
    vec![
        serve(place, SERVICE, 5684, authority, &[]),
        serve(place, SERVICE, 443, authority, &[]),
        serve(place, SERVICE, 5684, authority, &["-dtls1_2", "-listen"]),
    ]
}

/// `openssl s_server` with the certificate of an authority. It serves one client after the other.
pub fn serve(place: &Place, address: &str, port: u16, authority: &Authority, more: &[&str]) -> Peer {
    let arguments = arguments(address, port, authority, more);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let peer = place.run(|| Peer::start("openssl", &arguments));
    wait_for_port(place, if more.contains(&"-dtls1_2") { "udp" } else { "tcp" }, port);
    peer
}

fn arguments(address: &str, port: u16, authority: &Authority, more: &[&str]) -> Vec<String> {
    let (certificate, key) = (authority.text("server.pem"), authority.text("server.key"));
    let accept = format!("{address}:{port}");
    let arguments = ["s_server", "-accept", &accept, "-cert", &certificate, "-key", &key];
    arguments.iter().chain(more).map(|argument| (*argument).to_owned()).collect()
}

/// One that wants a certificate of the device, and answers its pings. It ends with the process of the test.
pub fn answer_pings(place: &Place, port: u16, authority: &Authority) {
    let mut command = Command::new("openssl");
    command.args(arguments(SERVICE, port, authority, &["-quiet", "-Verify", "1"]));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = place.run(|| command.spawn()).unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    std::thread::spawn(move || {
        let mut ping = [0; 4];
        while output.read_exact(&mut ping).is_ok() {
            assert_eq!(ping[..2], [0x40, 0]);
            input.write_all(&[0x70, 0, ping[2], ping[3]]).unwrap();
        }
        child.wait()
    });
    wait_for_port(place, "tcp", port);
}

/// Waits until somebody has a port, without a packet to it.
pub fn wait_for_port(place: &Place, protocol: &str, port: u16) {
    let (ours, nobody) = (format!(":{port:04X}"), ":0000");
    let is_there = |table: &str| {
        let sockets = std::fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap();
        sockets.lines().any(|line| {
            let mut addresses = line.split_whitespace().skip(1);
            addresses.next().is_some_and(|own| own.ends_with(&ours))
                && addresses.next().is_some_and(|peer| peer.ends_with(nobody))
        })
    };
    place.run(|| wait_until("a server", || is_there(protocol) || is_there(&format!("{protocol}6"))));
}
