//! What goes wrong: hostile servers, faults in callbacks, many threads.

mod common;

use common::{Client, Owned, PATIENCE, over_udp, settings};
use mbed_cloud_connectivity::coap::framing::Framing;
use mbed_cloud_connectivity::connection::{Report, State};
use mbed_cloud_connectivity::error::{Class, Status};
use mbed_cloud_connectivity::keepalive::Answer;
use mbed_cloud_connectivity::net::context::{Connection, ConnectionSettings, Context, Event};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// A server that hands each connection to `talk`.
fn server(talk: impl Fn(std::net::TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let talk = Arc::new(talk);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let talk = talk.clone();
            std::thread::spawn(move || talk(stream));
        }
    });
    port
}

/// Answers pings in the length-prefix framing.
fn answer_pings(mut stream: std::net::TcpStream) {
    let mut message = [0; 8];
    while stream.read_exact(&mut message).is_ok() {
        message[4] = 0x70;
        if stream.write_all(&message).is_err() {
            return;
        }
    }
}

#[test]
fn any_bytes_end_in_a_drop_or_a_closed_connection() {
    let port = server(|mut stream| {
        let mut random = fastrand::Rng::new();
        let mut bytes = vec![0; random.usize(1..100_000)];
        random.fill(&mut bytes);
        if random.bool() {
            // Short lengths, so that the framing goes on and the messages are what is wrong.
            for chunk in bytes.chunks_mut(16) {
                if chunk.len() > 4 {
                    let length = chunk.len() as u8 - 4;
                    chunk[..4].copy_from_slice(&[0, 0, 0, length]);
                }
            }
        }
        let _ = stream.write_all(&bytes);
    });
    for framing in [Framing::LengthPrefix, Framing::Rfc8323] {
        let client = Client::open(&format!("coap://127.0.0.1:{port}"), |settings| {
            settings.core.framing = framing;
            settings.core.backoff.base = Duration::from_millis(5);
            settings.core.backoff.peer_closed = Duration::from_millis(5);
            settings.core.backoff.cap = Duration::from_millis(5);
        });
        for _ in 0..100 {
            let reason = client.wait_for_state(State::Waiting).unwrap();
            assert!(matches!(reason.class(), Class::Protocol | Class::ClosedByPeer), "{reason:?}");
        }
    }
}

#[test]
fn a_server_that_sends_without_end_holds_up_no_other_connection() {
    let message = [0, 0, 0, 4, 0x50, 0x45, 0, 0];
    let flood = server(move |mut stream| {
        let block = message.repeat(8192);
        while stream.write_all(&block).is_ok() {}
    });
    let quiet = server(answer_pings);
    let context = Context::new(true).unwrap();
    let flooded = context.connection(settings(&format!("coap://127.0.0.1:{flood}")), Box::new(|_| ())).unwrap();
    flooded.start().unwrap();
    let (sender, events) = mpsc::channel();
    let sink = Box::new(move |event: Event<'_>| {
        if let Event::Report(report) = event {
            let _ = sender.send(report);
        }
    });
    let pinged = context.connection(settings(&format!("coap://127.0.0.1:{quiet}")), sink).unwrap();
    pinged.start().unwrap();
    // How many messages of the flood come between a ping and the next one.
    let (mut between, mut before) = (Vec::new(), 0);
    while between.len() < 300 {
        match events.recv_timeout(PATIENCE).expect("the quiet connection goes on") {
            Report::State { state: State::Ready, .. } => pinged.ping().unwrap(),
            Report::PingAnswered { .. } => {
                let received = flooded.statistics().messages_received;
                // Another thread begins the flood, and may take its time.
                if before > 0 {
                    between.push(received - before);
                }
                before = received;
                pinged.ping().unwrap();
            }
            _ => {}
        }
    }
    let median = |part: &[u64]| {
        let mut part = part.to_vec();
        part.sort_unstable();
        part[part.len() / 2]
    };
    let (first, last) = (median(&between[50..100]), median(&between[250..]));
    assert!(first > 100, "there is no flood: {between:?}");
    assert!(last < first * 4, "the flood takes more and more turns: {first}, then {last}");
}

#[test]
fn a_fault_in_one_connection_is_its_end_and_no_other_s() {
    let port = server(answer_pings);
    let context = Context::new(true).unwrap();
    let (sender, events) = mpsc::channel();
    let sink = move |name: &'static str| {
        let sender = sender.clone();
        Box::new(move |event: Event<'_>| {
            if let Event::Report(Report::State { state, reason, .. }) = event {
                let _ = sender.send((name, state, reason.map(|reason| reason.status)));
                assert!(name != "faulty" || state != State::Ready, "deliberate");
            }
        })
    };
    let uri = format!("coap://127.0.0.1:{port}");
    let faulty = context.connection(settings(&uri), sink("faulty")).unwrap();
    let sound = context.connection(settings(&uri), sink("sound")).unwrap();
    faulty.start().unwrap();
    sound.start().unwrap();
    let (mut ended, mut ready) = (false, false);
    while !(ended && ready) {
        let event = events.recv_timeout(PATIENCE).unwrap();
        ended |= event == ("faulty", State::Closed, Some(Status::Internal));
        ready |= event == ("sound", State::Ready, None);
    }
    assert_eq!(faulty.send(&[0x40, 1, 0, 1], |_| ()), Err(Status::InvalidHandle));
    assert_eq!(sound.ping(), Ok(()));
}

#[test]
fn every_message_of_many_threads_is_reported_once() {
    let port = server(|mut stream| {
        let mut sink = vec![0; 65_536];
        while stream.read(&mut sink).is_ok_and(|size| size > 0) {}
    });
    let client = Client::open(&format!("coap://127.0.0.1:{port}"), |settings| settings.core.queue_limit = 100);
    client.wait_for_state(State::Ready);
    let accepted: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    // More in all than the queue takes at once, so that some are refused and the loop has its turn in between.
                    let begin = Instant::now();
                    let mut accepted = 0;
                    while accepted < 100 {
                        assert!(begin.elapsed() < PATIENCE, "{accepted}");
                        accepted += usize::from(client.connection.send(&[0x50, 0x01, 0, 1], |_| ()).is_ok());
                    }
                    accepted
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(accepted, 800);
    client.connection.close();
    let mut reports: HashMap<u64, u32> = HashMap::new();
    client.wait("the end", |event| {
        match event {
            Owned::Report(Report::Sent { ticket } | Report::Failed { ticket, .. }) => {
                *reports.entry(*ticket).or_default() += 1
            }
            Owned::Report(Report::State { state: State::Closed, .. }) => return Some(()),
            _ => {}
        }
        None
    });
    assert_eq!(reports.len(), accepted);
    assert!(reports.values().all(|count| *count == 1));
    assert_eq!(client.connection.send(&[0x50, 0x01, 0, 1], |_| ()), Err(Status::InvalidHandle));
}

#[test]
fn messages_taken_while_the_context_ends_are_reported_too() {
    let port = server(|mut stream| {
        let mut sink = vec![0; 65_536];
        while stream.read(&mut sink).is_ok_and(|size| size > 0) {}
    });
    for round in 0..200 {
        let context = Context::new(true).unwrap();
        let (sender, events) = mpsc::channel();
        let connection = watched(&context, settings(&format!("coap://127.0.0.1:{port}")), move |report| {
            let _ = sender.send(report);
        });
        connection.start().unwrap();
        let begin = Instant::now();
        let accepted: usize = std::thread::scope(|scope| {
            let send = || {
                let mut accepted = 0;
                loop {
                    match connection.send(&[0x50, 0x01, 0, 1], |_| ()) {
                        Ok(()) => accepted += 1,
                        Err(Status::QueueFull) if begin.elapsed() < PATIENCE => std::thread::yield_now(),
                        Err(_) => return accepted,
                    }
                }
            };
            let threads = [scope.spawn(send), scope.spawn(send)];
            std::thread::sleep(Duration::from_millis(round % 4));
            context.shut_down();
            threads.map(|thread| thread.join().unwrap()).iter().sum()
        });
        let reported = events.try_iter().filter(|report| matches!(report, Report::Sent { .. } | Report::Failed { .. }));
        assert_eq!(reported.count(), accepted, "round {round}");
    }
}

#[test]
fn a_loop_of_the_caller_s_own_is_woken_by_its_descriptor_alone() {
    let port = server(answer_pings);
    let context = Context::new(false).unwrap();
    let ready = Arc::new(AtomicBool::new(false));
    let (sender, events) = mpsc::channel();
    let mut settings = settings(&format!("coap://localhost:{port}"));
    settings.core.keepalive.interval = Some(Duration::from_millis(200));
    let flag = ready.clone();
    let sink = Box::new(move |event: Event<'_>| {
        if let Event::Report(report) = event {
            flag.fetch_or(matches!(report, Report::State { state: State::Ready, .. }), Ordering::Relaxed);
            let _ = sender.send(report);
        }
    });
    let connection = context.connection(settings, sink).unwrap();
    connection.start().unwrap();
    let descriptor = context.descriptor().unwrap();
    let begin = Instant::now();
    let mut rounds = 0;
    let mut answered = 0;
    while answered < 3 {
        assert!(begin.elapsed() < PATIENCE);
        let mut polled = [rustix::event::PollFd::new(&descriptor, rustix::event::PollFlags::IN)];
        assert_eq!(rustix::event::poll(&mut polled, None).unwrap(), 1);
        context.process(Some(Duration::ZERO)).unwrap();
        rounds += 1;
        answered += events.try_iter().filter(|report| matches!(report, Report::PingAnswered { .. })).count();
    }
    assert!(ready.load(Ordering::Relaxed));
    assert!(begin.elapsed() >= Duration::from_millis(600), "the pings came too early");
    assert!(rounds < 40, "{rounds} rounds for three pings");
    context.shut_down();
    assert!(matches!(events.try_iter().last(), Some(Report::State { state: State::Closed, .. })));
    assert_eq!(context.process(None).unwrap_err().status, Status::InvalidHandle);
}

#[test]
fn datagrams_of_others_change_nothing() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let client = Client::open(&format!("coap://{}", peer.local_addr().unwrap()), over_udp);
    client.wait_for_state(State::Ready);
    client.connection.ping().unwrap();
    let mut ping = [0; 16];
    let (size, address) = peer.recv_from(&mut ping).unwrap();
    let mut answer = ping[..size].to_vec();
    answer[0] = 0x70;
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..1000 {
        stranger.send_to(&answer, address).unwrap();
        stranger.send_to(&[0x40, 0, 1, 2], address).unwrap();
    }
    std::thread::sleep(Duration::from_millis(200));
    let before = client.connection.statistics();
    assert_eq!((before.pings_answered, before.peer_pings_answered, before.messages_received), (0, 0, 0));
    peer.send_to(&answer, address).unwrap();
    client.wait("the answer", |event| matches!(event, Owned::Report(Report::PingAnswered { .. })).then_some(()));
}

/// Reports of connections on a context, and what to do with each.
fn watched(
    context: &Arc<Context>,
    settings: ConnectionSettings,
    mut each: impl FnMut(Report) + Send + 'static,
) -> Arc<Connection> {
    let sink = Box::new(move |event: Event<'_>| {
        if let Event::Report(report) = event {
            each(report);
        }
    });
    context.connection(settings, sink).unwrap()
}

#[test]
fn a_callback_that_always_sends_leaves_others_their_turn() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut settings = settings(&format!("coap://{}", peer.local_addr().unwrap()));
    over_udp(&mut settings);
    let context = Context::new(false).unwrap();
    let sending: Arc<std::sync::OnceLock<Arc<Connection>>> = Arc::default();
    let own = sending.clone();
    let connection = watched(&context, settings, move |report| {
        if matches!(report, Report::Sent { .. } | Report::State { state: State::Ready, .. }) {
            let _ = own.get().unwrap().send(&[0x50, 1, 0, 1], |_| ());
        }
    });
    let _ = sending.set(connection.clone());
    connection.start().unwrap();
    for _ in 0..50 {
        context.process(Some(Duration::ZERO)).unwrap();
    }
    let sent = connection.statistics().messages_sent;
    assert!((10..100).contains(&sent), "{sent} messages in 50 rounds");
}

#[test]
fn an_answer_that_came_in_time_counts_however_late_the_loop_runs() {
    let stream_port = server(answer_pings);
    for own_thread in [true, false] {
        let context = Context::new(own_thread).unwrap();
        let mut settings = settings(&format!("coap://127.0.0.1:{stream_port}"));
        settings.core.keepalive.answer = Answer::Within(Duration::from_millis(300));
        let (sender, events) = mpsc::channel();
        let connection = watched(&context, settings, move |report| {
            if report == Report::PingSent {
                // A callback that takes its time, longer than the ping has.
                std::thread::sleep(Duration::from_millis(600));
            }
            let _ = sender.send(report);
        });
        connection.start().unwrap();
        let begin = Instant::now();
        loop {
            assert!(begin.elapsed() < PATIENCE);
            if !own_thread {
                context.process(Some(Duration::from_millis(10))).unwrap();
            }
            match events.recv_timeout(Duration::from_millis(10)) {
                Ok(Report::State { state: State::Ready, .. }) => connection.ping().unwrap(),
                Ok(Report::PingSent) if !own_thread => std::thread::sleep(Duration::from_millis(600)),
                Ok(Report::PingAnswered { .. }) => break,
                Ok(Report::PingLost { .. }) => panic!("own thread {own_thread}: the answer lay in the socket"),
                _ => {}
            }
        }
    }
}

#[test]
fn contexts_that_end_each_other_from_their_callbacks_do_not_wait_for_ever() {
    let port = server(answer_pings);
    let contexts = [Context::new(true).unwrap(), Context::new(true).unwrap()];
    let barrier = Arc::new(std::sync::Barrier::new(2));
    let (sender, events) = mpsc::channel();
    for (index, context) in contexts.iter().enumerate() {
        let (other, barrier, sender) = (contexts[1 - index].clone(), barrier.clone(), sender.clone());
        let connection = watched(context, settings(&format!("coap://127.0.0.1:{port}")), move |report| {
            if matches!(report, Report::State { state: State::Ready, .. }) {
                barrier.wait();
                other.shut_down();
            }
            if matches!(report, Report::State { state: State::Closed, .. }) {
                let _ = sender.send(index);
            }
        });
        connection.start().unwrap();
    }
    let mut closed = [events.recv_timeout(PATIENCE).unwrap(), events.recv_timeout(PATIENCE).unwrap()];
    closed.sort_unstable();
    assert_eq!(closed, [0, 1]);
}
