//! What the library leaves alone in a process that is not its own. One test, because it looks at the whole process.

mod common;

use common::{Client, PATIENCE};
use mbed_cloud_connectivity::connection::State;
use mbed_cloud_connectivity::error::Status;
use mbed_cloud_connectivity::net::context::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// The threads of the library: their names and what `status` says of them.
fn threads() -> HashMap<String, String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let read = |entry: fs::DirEntry| {
        let name = fs::read_to_string(entry.path().join("comm")).ok()?;
        Some((name.trim().to_owned(), fs::read_to_string(entry.path().join("status")).ok()?))
    };
    tasks.filter_map(read).filter(|(name, _)| name.starts_with("mcc-")).collect()
}

fn field(status: &str, name: &str) -> String {
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} in {status}"));
    line.split_whitespace().last().unwrap().to_owned()
}

fn switches() -> u64 {
    let threads = threads();
    let status = threads.get("mcc-context").expect("the context's thread");
    let count = |name| field(status, name).parse::<u64>().unwrap();
    count("voluntary_ctxt_switches") + count("nonvoluntary_ctxt_switches")
}

/// Open descriptors, those of this look at them included.
fn descriptors() -> BTreeSet<u32> {
    let entries = fs::read_dir("/proc/self/fd").unwrap().flatten();
    entries.map(|entry| entry.file_name().to_str().unwrap().parse().unwrap()).collect()
}

#[test]
fn an_idle_library_is_not_noticed_and_an_exhausted_process_recovers() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let before = descriptors();
    {
        let client = Client::open(&format!("coap://{address}"), |_| ());
        client.wait_for_state(State::Ready);
        let (_peer, _) = listener.accept().unwrap();
        // What the loop still does after it said so.
        std::thread::sleep(Duration::from_millis(200));
        let begin = switches();
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(switches() - begin, 0, "an idle connection woke its thread");

        // All signals but SIGKILL and SIGSTOP, and the two that the C library keeps for itself.
        let blocked = u64::from_str_radix(&field(&threads()["mcc-context"], "SigBlk"), 16).unwrap();
        let expected = !(1u64 << 8) & !(1 << 18) & !(1 << 31) & !(1 << 32);
        assert_eq!(blocked & expected, expected, "{blocked:x}");

        // Every descriptor of the library is close-on-exec.
        for number in descriptors().difference(&before) {
            let Ok(info) = fs::read_to_string(format!("/proc/self/fdinfo/{number}")) else { continue };
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim().to_owned();
            let close_on_exec = u32::from_str_radix(&flags, 8).unwrap() & 0o2_000_000 != 0;
            assert!(close_on_exec, "descriptor {number}: {info}");
        }
    }
    let begin = Instant::now();
    while !threads().is_empty() || descriptors() != before {
        assert!(begin.elapsed() < PATIENCE, "left: {:?}, {:?}", threads().keys(), descriptors());
        std::thread::sleep(Duration::from_millis(10));
    }

    // Attempts that fail leave nothing open.
    let refused = common::free_port();
    let client = Client::open(&format!("coap://127.0.0.1:{refused}"), |settings| {
        settings.core.backoff.cap = Duration::from_millis(1);
    });
    let begin = descriptors().len();
    for _ in 0..200 {
        assert_eq!(client.wait_for_state(State::Waiting), Some(Status::ConnectionRefused));
    }
    assert!(descriptors().len() <= begin + 1, "{begin} descriptors, then {}", descriptors().len());
    drop(client);

    let client = Client::open(&format!("coap://{address}"), |_| ());
    client.wait_for_state(State::Ready);
    let limit = getrlimit(Resource::Nofile);
    let lowered = Rlimit { current: Some(descriptors().len() as u64 - 1), maximum: limit.maximum };
    setrlimit(Resource::Nofile, lowered).unwrap();
    let without = Context::new(true).map(drop).map_err(|failure| failure.status);
    // The peer resets: the connection needs a new descriptor and gets none.
    let (peer, _) = listener.accept().unwrap_or_else(|_| {
        setrlimit(Resource::Nofile, limit).unwrap();
        let accepted = listener.accept().unwrap();
        let lowered = Rlimit { current: Some(descriptors().len() as u64 - 2), maximum: limit.maximum };
        setrlimit(Resource::Nofile, lowered).unwrap();
        accepted
    });
    let taken: Vec<_> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
    drop(peer);
    client.wait_for_state(State::Waiting);
    // The descriptor of the old socket is free again at this point: take it as well.
    let more: Vec<_> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
    let starved = client.wait("an attempt without a descriptor", |event| match event {
        common::Owned::Report(mbed_cloud_connectivity::connection::Report::State {
            state: State::Waiting,
            reason,
            ..
        }) => reason.map(|reason| reason.status),
        _ => None,
    });
    drop((taken, more));
    setrlimit(Resource::Nofile, limit).unwrap();
    assert_eq!((without, starved), (Err(Status::OutOfDescriptors), Status::OutOfDescriptors));
    client.wait_for_state(State::Ready);
}
