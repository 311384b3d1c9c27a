//! Firewalls on the way.

use crate::common::{Authority, Client, Owned, Peer, tls_options};
use crate::network::{Network, SERVER};
use crate::server::{PORT, Server, answer_and_echo};
use crate::{Test, tests, wait_until};
use mbed_cloud_connectivity::connection::{Report, State};
use mbed_cloud_connectivity::error::{Class, Status};
use mbed_cloud_connectivity::keepalive::Answer;
use mbed_cloud_connectivity::tls;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

pub const TESTS: &[Test] = tests![
    a_port_that_is_filtered_gives_way_to_the_other_which_goes_first_from_then_on,
    each_word_of_a_firewall_has_its_reason,
];

fn a_port_that_is_filtered_gives_way_to_the_other_which_goes_first_from_then_on(network: &Network) {
    network.firewall("--insert FORWARD --protocol tcp --dport 5684 --jump DROP");
    let authority = Authority::new("lab-firewall");
    authority.issue("server", &format!("IP:{SERVER}"), (-1, 30));
    let (certificate, key, ca) = (authority.text("server.pem"), authority.text("server.key"), authority.text("ca.pem"));
    // libcoap speaks TLS at the port after the one that it is given.
    let serve = |port: u16| {
        let port_text = port.to_string();
        let arguments = ["-A", SERVER, "-p", &port_text, "-c", &certificate, "-j", &key, "-C", &ca, "-n"];
        let peer = network.server.run(|| Peer::start("coap-server-openssl", &arguments));
        network.server.run(|| wait_until("libcoap", || TcpStream::connect((SERVER, port + 1)).is_ok()));
        peer
    };
    let (_configured, alternative) = (serve(5683), serve(442));
    let ca = authority.read("ca.pem");
    let options = tls::Options { ca: Some(&ca), check_server_name: false, ..tls_options(SERVER) };
    let config = Arc::new(tls::Config::new(&options).unwrap());
    let client = Client::open(&format!("coaps+tcp://{SERVER}:5684"), |settings| {
        settings.tls = Some(config);
        settings.core.alternative_port = Some(443);
        settings.core.connect_timeout = Duration::from_secs(1);
        settings.core.keepalive.answer = Answer::Within(Duration::from_secs(1));
    });
    let reason = client.wait("the other port", |event| match event {
        Owned::Report(Report::State { state: State::Connecting, reason: Some(reason), .. }) => Some(reason.status),
        _ => None,
    });
    assert_eq!((reason, reason.class()), (Status::ConnectTimeout, Class::Filtered));
    client.wait_for_state(State::Ready);
    let dropped = network.packets("dpt:5684");
    assert!(dropped > 0);
    alternative.freeze();
    client.connection.ping().unwrap();
    client.wait("the loss", |event| matches!(event, Owned::Report(Report::PingLost { .. })).then_some(()));
    alternative.thaw();
    client.wait_for_state(State::Ready);
    assert_eq!(network.packets("dpt:5684"), dropped, "the port that is filtered was tried again");
    assert_eq!(client.connection.statistics().attempts, 2);
}

fn each_word_of_a_firewall_has_its_reason(network: &Network) {
    let server = Server::start(&network.server, PORT, answer_and_echo);
    for (word, wanted, class) in [
        ("tcp-reset", Status::ConnectionRefused, Class::Refused),
        ("icmp-admin-prohibited", Status::HostUnreachable, Class::Unreachable),
        ("icmp-host-unreachable", Status::HostUnreachable, Class::Unreachable),
    ] {
        let rule = format!("FORWARD --protocol tcp --dport {PORT} --jump REJECT --reject-with {word}");
        network.firewall(&format!("--insert {rule}"));
        let client = Client::open(&format!("coap://{SERVER}:{PORT}"), |_| ());
        for _ in 0..2 {
            let reason = client.wait_for_state(State::Waiting).unwrap();
            assert_eq!((reason, reason.class()), (wanted, class), "{word}");
        }
        assert_eq!(client.connection.statistics().connections, 0, "{word}");
        network.firewall(&format!("--delete {rule}"));
        client.wait_for_state(State::Ready);
    }
    // It may learn of a connection after the client does.
    wait_until("the server", || server.connects() >= 3);
    assert_eq!(server.connects(), 3);
}
