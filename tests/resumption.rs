//! A session is resumed by the next connection. A test program of its own, because it looks at the log of the whole process.

mod common;

use common::{Authority, Client, PATIENCE, Peer, free_port, tls_options, wait_for_tcp};
use mbed_cloud_connectivity::connection::State;
use mbed_cloud_connectivity::log::{self, Level};
use mbed_cloud_connectivity::tls;
use std::sync::{Arc, mpsc};
use std::time::Duration;

#[test]
fn the_next_connection_resumes_the_session() {
    let authority = Authority::new("resumption");
    authority.issue("server", "DNS:localhost", (-1, 30));
    let (chain, key) = (authority.text("server.pem"), authority.text("server.key"));
    let ca = authority.read("ca.pem");
    let (sender, lines) = mpsc::channel();
    log::set(Some(Box::new(move |_, line| drop(sender.send(line)))), Level::Info);
    let agreed = || loop {
        let line = lines.recv_timeout(PATIENCE).unwrap();
        if line.contains(": TLS 1.") {
            return line;
        }
    };
    for version in ["-tls1_2", "-tls1_3"] {
        let port = free_port();
        let arguments = ["s_server", "-accept", &port.to_string(), "-cert", &chain, "-key", &key, version];
        let mut peer = Peer::start("openssl", &arguments);
        wait_for_tcp(port);
        let options = tls::Options { ca: Some(&ca), ..tls_options("localhost") };
        let config = Arc::new(tls::Config::new(&options).unwrap());
        let client = Client::open(&format!("coaps://localhost:{port}"), |settings| settings.tls = Some(config));
        client.wait_for_state(State::Ready);
        let first = agreed();
        assert!(!first.contains("resumed"), "{first}");
        // In TLS 1.3 the tickets come after the handshake.
        std::thread::sleep(Duration::from_millis(200));
        // To s_server this means: end this connection and take the next one.
        peer.type_line("q");
        client.wait_for_state(State::Ready);
        let second = agreed();
        assert!(second.contains("resumed"), "{version}: {second}");
    }
    log::set(None, Level::Off);
}
