//! The device's own network changes.

use crate::common::{Client, Owned};
use crate::names::{Answer, NAME, Resolver};
use crate::network::{Network, OTHER_ROUTER, ROUTER, SERVER};
use crate::server::{PORT, Server, answer_and_echo};
use crate::{Test, tests};
use mbed_cloud_connectivity::connection::{Report, State};
use mbed_cloud_connectivity::error::{Class, Status};
use mbed_cloud_connectivity::net::context::ConnectionSettings;
use std::time::{Duration, Instant};

pub const TESTS: &[Test] = tests![
    an_interface_that_comes_back_brings_the_connection_back,
    a_route_that_comes_later_than_its_interface_brings_the_connection_back,
    a_route_that_comes_later_brings_a_connection_by_name_back,
    a_lookup_that_began_before_the_network_changed_does_not_hold_up_the_connection,
    a_new_address_gets_a_new_connection,
    another_default_route_gets_a_new_connection_where_the_old_one_is_dead,
];

/// From the kernel's word to a connection that is ready again.
const READY_AGAIN: Duration = Duration::from_secs(3);

/// No wait of the backoff is so short that the connection would be back without the kernel's word.
fn only_by_the_kernel_s_word(settings: &mut ConnectionSettings) {
    settings.core.backoff.base = Duration::from_secs(36_000);
    settings.core.backoff.cap = Duration::from_secs(36_000);
}

fn ready_client(change: impl FnOnce(&mut ConnectionSettings)) -> Client {
    ready_client_of(SERVER, change)
}

fn ready_client_of(host: &str, change: impl FnOnce(&mut ConnectionSettings)) -> Client {
    let client = Client::open(&format!("coap://{host}:{PORT}"), change);
    client.wait_for_state(State::Ready);
    client
}

/// The connection says within the time of the kernel's word that there is no network.
fn network_is_down(client: &Client, since: Instant) {
    let reason = client.wait_for_state(State::Waiting).unwrap();
    assert_eq!((reason, reason.class()), (Status::NetworkDown, Class::NetworkDown));
    assert!(since.elapsed() < READY_AGAIN, "{:?}", since.elapsed());
}

fn is_ready_again(client: &Client, since: Instant) {
    client.wait_for_state(State::Ready);
    assert!(since.elapsed() < READY_AGAIN, "{:?}", since.elapsed());
    client.ping();
}

fn an_interface_that_comes_back_brings_the_connection_back(network: &Network) {
    let _server = Server::start(&network.server, PORT, answer_and_echo);
    let client = ready_client(only_by_the_kernel_s_word);
    let begin = Instant::now();
    network.device.ip(&["link set eth0 down"]);
    network_is_down(&client, begin);
    network.device.ip(&["link set eth0 up", &format!("route add default via {ROUTER}")]);
    is_ready_again(&client, Instant::now());
}

/// An interface with an address and without a route is tried, and does not reach the server, or the resolver beside it.
fn comes_back_with_its_route(network: &Network, client: &Client, reason: Status) {
    let begin = Instant::now();
    network.device.ip(&["link set eth0 down"]);
    network_is_down(client, begin);
    network.device.ip(&["link set eth0 up"]);
    assert_eq!(client.wait_for_state(State::Waiting), Some(reason));
    network.device.ip(&[&format!("route add default via {ROUTER}")]);
    is_ready_again(client, Instant::now());
}

fn a_route_that_comes_later_than_its_interface_brings_the_connection_back(network: &Network) {
    let _server = Server::start(&network.server, PORT, answer_and_echo);
    let client = ready_client(only_by_the_kernel_s_word);
    comes_back_with_its_route(network, &client, Status::NetworkDown);
}

fn a_route_that_comes_later_brings_a_connection_by_name_back(network: &Network) {
    let _server = Server::start(&network.server, PORT, answer_and_echo);
    let _names = Resolver::start(&network.server, SERVER, Answer::Addresses(vec![SERVER.parse().unwrap()]));
    let client = ready_client_of(NAME, only_by_the_kernel_s_word);
    comes_back_with_its_route(network, &client, Status::NameLookupFailed);
}

fn a_lookup_that_began_before_the_network_changed_does_not_hold_up_the_connection(network: &Network) {
    let _server = Server::start(&network.server, PORT, answer_and_echo);
    let _names = Resolver::start(&network.server, SERVER, Answer::Addresses(vec![SERVER.parse().unwrap()]));
    let client = ready_client_of(NAME, |settings| {
        only_by_the_kernel_s_word(settings);
        settings.core.resolve_timeout = Duration::from_secs(2);
    });
    network.device.ip(&["link set eth0 down"]);
    network_is_down(&client, Instant::now());
    network.firewall("--insert FORWARD --protocol udp --dport 53 --jump DROP");
    network.device.ip(&["link set eth0 up", &format!("route add default via {ROUTER}")]);
    client.wait_for_state(State::Resolving);
    // The query is lost, and nothing asks again within the time that the lookup has.
    std::thread::sleep(Duration::from_millis(500));
    network.firewall("--delete FORWARD --protocol udp --dport 53 --jump DROP");
    network.device.ip(&["address add 192.0.2.3/24 dev eth0"]);
    let begin = Instant::now();
    assert_eq!(client.wait_for_state(State::Waiting), Some(Status::NameLookupTimeout));
    client.wait_for_state(State::Ready);
    // The next attempt comes no sooner than 5 s after the first.
    assert!(begin.elapsed() < Duration::from_secs(5) + READY_AGAIN, "{:?}", begin.elapsed());
}

fn a_new_address_gets_a_new_connection(network: &Network) {
    let _server = Server::start(&network.server, PORT, answer_and_echo);
    let client = ready_client(only_by_the_kernel_s_word);
    let begin = Instant::now();
    network.device.ip(&[
        "address del 192.0.2.2/24 dev eth0",
        "address add 192.0.2.3/24 dev eth0",
        &format!("route replace default via {ROUTER}"),
    ]);
    network_is_down(&client, begin);
    is_ready_again(&client, begin);
    assert_eq!(client.connection.statistics().connections, 2);
}

fn another_default_route_gets_a_new_connection_where_the_old_one_is_dead(network: &Network) {
    network.device.ip(&["link set eth1 up"]);
    let _server = Server::start(&network.server, PORT, answer_and_echo);
    let client = ready_client(only_by_the_kernel_s_word);
    // The old way is dead without a word, and the new one takes the addresses of its own network only.
    network.firewall("--insert FORWARD --in-interface lan0 --jump DROP");
    network.firewall("--insert FORWARD --in-interface lan1 --source 192.0.2.0/24 --jump DROP");
    let begin = Instant::now();
    network.device.ip(&[&format!("route replace default via {OTHER_ROUTER} dev eth1")]);
    let reason = client.wait("the loss", |event| match event {
        Owned::Report(Report::PingLost { reason }) => Some(reason.status),
        _ => None,
    });
    assert_eq!(reason, Status::PathSilent);
    is_ready_again(&client, begin);
}
