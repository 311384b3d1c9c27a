//! Servers that mean no good, or are broken.

use crate::common::{Authority, Client, Owned, tls_options};
use crate::network::{Network, SERVER};
use crate::server::{PORT, Server, read_frame, say_nothing};
use crate::{Test, tests};
use mbed_cloud_connectivity::connection::{Report, State};
use mbed_cloud_connectivity::error::{Class, Status};
use mbed_cloud_connectivity::keepalive::Answer;
use mbed_cloud_connectivity::net::context::ConnectionSettings;
use mbed_cloud_connectivity::tls;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub const TESTS: &[Test] = tests![
    a_server_that_never_ends_the_handshake_is_left_at_the_deadline,
    one_byte_now_and_then_keeps_no_connection,
    resets_of_pings_that_were_never_sent_prove_nothing,
    a_server_that_always_closes_is_asked_no_more_often_than_the_backoff_has_it,
];

const INTERVAL: Duration = Duration::from_millis(500);
const ANSWER: Duration = Duration::from_millis(500);
const HANDSHAKE: Duration = Duration::from_secs(1);
const SLACK: Duration = Duration::from_secs(2);

fn quick(settings: &mut ConnectionSettings) {
    settings.core.keepalive.interval = Some(INTERVAL);
    settings.core.keepalive.answer = Answer::Within(ANSWER);
    settings.core.handshake_timeout = HANDSHAKE;
}

/// Each of some attempts ends for this reason, not before `earliest` and not long after `latest`, and the next one comes after its
/// wait. Nothing but these attempts comes to the server.
fn fails_again_and_again(
    client: &Client,
    server: &Server,
    wanted: (Status, Class),
    earliest: Duration,
    latest: Duration,
) {
    const ATTEMPTS: u64 = 4;
    let mut begin = Instant::now();
    for attempt in 1..=ATTEMPTS {
        let (reason, wait) = client.wait("the end of an attempt", |event| match event {
            Owned::Report(Report::State { state: State::Waiting, reason, next_attempt }) => {
                Some((reason.unwrap().status, *next_attempt))
            }
            _ => None,
        });
        let took = begin.elapsed();
        assert_eq!((reason, reason.class()), wanted);
        assert!(took < latest + SLACK, "attempt {attempt}: {took:?}");
        // The first one began before the clock did, and each is told a little after it began.
        assert!(took + Duration::from_millis(200) > earliest, "attempt {attempt}: {took:?}");
        if attempt < ATTEMPTS {
            let waited = Instant::now();
            client.wait_for_state(State::Connecting);
            assert!(waited.elapsed() + Duration::from_millis(200) > wait, "{:?} of {wait:?}", waited.elapsed());
            begin = Instant::now();
        }
    }
    // The last failure may have been followed by the next attempt already.
    let (connects, attempts) = (server.connects(), client.connection.statistics().attempts);
    assert!(connects >= ATTEMPTS && connects <= attempts && attempts <= ATTEMPTS + 1, "{connects}, {attempts}");
}

/// A client of a CA of its own: nothing that is tested here gets so far that it would matter.
/// Its folder has this name, as the tests run side by side and each is the first process of its namespace.
fn over_tls(settings: &mut ConnectionSettings, folder: &str) {
    let authority = Authority::new(folder);
    let ca = authority.read("ca.pem");
    let options = tls::Options { ca: Some(&ca), ..tls_options("server.test") };
    settings.tls = Some(Arc::new(tls::Config::new(&options).unwrap()));
}

/// Writes one byte after the other with a pause before each: a minute, made shorter.
fn drip(mut stream: TcpStream, bytes: &[u8]) {
    for byte in bytes {
        std::thread::sleep(Duration::from_millis(100));
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
    }
    say_nothing(stream);
}

fn a_server_that_never_ends_the_handshake_is_left_at_the_deadline(network: &Network) {
    let secure = format!("coaps://{SERVER}:{PORT}");
    let standard = format!("coap+tcp://{SERVER}:{}", PORT + 1);
    let silent = |port| Server::start(&network.server, port, say_nothing);
    let servers = [silent(PORT), silent(PORT + 1)];
    let client = Client::open(&secure, |settings| {
        quick(settings);
        over_tls(settings, "lab-handshake");
    });
    fails_again_and_again(&client, &servers[0], (Status::HandshakeTimeout, Class::Filtered), HANDSHAKE, HANDSHAKE);
    let client = Client::open(&standard, quick);
    fails_again_and_again(&client, &servers[1], (Status::CapabilitiesTimeout, Class::Protocol), HANDSHAKE, HANDSHAKE);
}

fn one_byte_now_and_then_keeps_no_connection(network: &Network) {
    // The head of a record with a handshake message of TLS 1.2, which goes on and on.
    let record: Vec<u8> = [0x16, 3, 3, 0x10, 0, 2, 0, 0x0f, 0xfc].into_iter().chain([0; 200]).collect();
    let secure = Server::start(&network.server, PORT, move |stream| drip(stream, &record));
    let client = Client::open(&format!("coaps://{SERVER}:{PORT}"), |settings| {
        quick(settings);
        over_tls(settings, "lab-drip");
    });
    fails_again_and_again(&client, &secure, (Status::HandshakeTimeout, Class::Filtered), HANDSHAKE, HANDSHAKE);
    // The length of a message, then its bytes: no message, so no sign of life.
    let message: Vec<u8> = [0, 0, 0x10, 0, 0x50, 1, 0, 1, 0xff].into_iter().chain([0; 200]).collect();
    let plain = Server::start(&network.server, PORT + 1, move |stream| drip(stream, &message));
    let client = Client::open(&format!("coap://{SERVER}:{}", PORT + 1), quick);
    let silent = (Status::PathSilent, Class::SilentPath);
    fails_again_and_again(&client, &plain, silent, INTERVAL + ANSWER, INTERVAL + ANSWER);
}

fn resets_of_pings_that_were_never_sent_prove_nothing(network: &Network) {
    let server = Server::start(&network.server, PORT, |mut stream| {
        while let Some(ping) = read_frame(&mut stream) {
            let id = u16::from_be_bytes([ping[6], ping[7]]);
            for other in 1000..1100 {
                let [high, low] = id.wrapping_add(other).to_be_bytes();
                if stream.write_all(&[0, 0, 0, 4, 0x70, 0, high, low]).is_err() {
                    return;
                }
            }
        }
    });
    let client = Client::open(&format!("coap://{SERVER}:{PORT}"), quick);
    let silent = (Status::PathSilent, Class::SilentPath);
    fails_again_and_again(&client, &server, silent, INTERVAL + ANSWER, INTERVAL + ANSWER);
    let statistics = client.connection.statistics();
    assert_eq!(statistics.pings_answered, 0);
    assert!(statistics.messages_received >= 100, "they did not come: {statistics:?}");
}

fn a_server_that_always_closes_is_asked_no_more_often_than_the_backoff_has_it(network: &Network) {
    const LOSSES: u32 = 10;
    let server = Server::start(&network.server, PORT, drop);
    let client = Client::open(&format!("coap://{SERVER}:{PORT}"), quick);
    let begin = Instant::now();
    let mut waits = Duration::ZERO;
    for _ in 0..LOSSES {
        client.wait_for_state(State::Ready);
        let (reason, wait) = client.wait("the close", |event| match event {
            Owned::Report(Report::State { state: State::Waiting, reason, next_attempt }) => {
                Some((reason.unwrap().status, *next_attempt))
            }
            _ => None,
        });
        assert_eq!((reason, reason.class()), (Status::ClosedByPeer, Class::ClosedByPeer));
        assert!(wait <= Duration::from_secs(1), "longer than the cap: {wait:?}");
        waits += wait;
    }
    client.wait_for_state(State::Ready);
    let took = begin.elapsed();
    // Ten waits that are uniform from 0 to half a second and more: less than a second in all would be no chance.
    assert!(waits > Duration::from_secs(1), "{waits:?}");
    assert!(
        took + Duration::from_millis(200) > waits && took < waits + Duration::from_secs(10),
        "{took:?} for {waits:?}"
    );
    let connects = server.connects();
    assert!(connects >= u64::from(LOSSES) && connects <= client.connection.statistics().attempts, "{connects}");
}
