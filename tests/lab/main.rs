//! The lab: real interfaces, a NAT, a firewall, a resolver that lies, a proxy that loses, and servers that mean no good.
//!
//! Each test runs in a process of its own, this program again, in network, mount and process namespaces of its own (`unshare`). The
//! process is the first of its process namespace: when it ends, whatever ends it, the kernel ends all that it started, and interfaces,
//! rules and mounts are gone. It ends when the runner does, and when its time is over.
//!
//! ```text
//! device                       router                                     server
//! eth0 192.0.2.2     ────────  lan0 192.0.2.1
//!                              wan0 198.51.100.1 (NAT, firewall) ───────  srv0 198.51.100.2, .3
//! eth1 203.0.113.2   ────────  lan1 203.0.113.1
//! ```
//!
//! The library runs in the device. `network` makes all this, `names` the resolvers, `proxy` and `server` what the device talks to; the
//! other files hold the tests. Without root all tests are skipped, and counted so. A part of a test's name as an argument runs it alone.

#[path = "../common/mod.rs"]
mod common;

mod check;
mod firewall;
mod hostile;
mod interface;
mod names;
mod nat;
mod network;
mod path;
mod proxy;
mod resolver;
mod server;
mod service;

use network::Network;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::io::Write;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Tells this program that it is inside, and which test it runs.
const INSIDE: &str = "MCC_LAB_TEST";
/// No test takes longer.
const TIME_OF_A_TEST_S: i64 = 60;
/// They wait most of the time, so that more of them than there are processors run side by side.
const AT_ONCE: usize = 8;
const OWN_NAMESPACES: [&str; 6] = ["--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"];

type Test = (&'static str, fn(&Network));

/// A list of tests with their names.
#[macro_export]
macro_rules! tests {
    ($($name:ident),+ $(,)?) => { &[$((stringify!($name), $name)),+] };
}

fn all() -> impl Iterator<Item = Test> {
    // The longest first.
    [check::TESTS, nat::TESTS, path::TESTS, resolver::TESTS, interface::TESTS, hostile::TESTS, firewall::TESTS]
        .into_iter()
        .flatten()
        .copied()
}

fn main() -> ExitCode {
    if let Ok(name) = std::env::var(INSIDE) {
        let (_, test) = all().find(|(other, _)| *other == name).expect("a test of this name");
        end_with_the_runner();
        test(&Network::new());
        // Threads of servers are still there.
        std::process::exit(0);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        all().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let chosen: VecDeque<Test> =
        all().filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|part| name.contains(*part))).collect();
    println!("\nrunning {} tests", chosen.len());
    let begin = Instant::now();
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    if let Some(reason) = missing() {
        chosen.iter().for_each(|(name, _)| println!("test {name} ... ignored, {reason}"));
        skipped = chosen.len();
    } else {
        (passed, failed) = run(chosen);
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; {skipped} ignored; 0 measured; finished in {seconds:.2}s"
    );
    ExitCode::from(u8::from(failed > 0))
}

/// Why the lab cannot be built here.
fn missing() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("network namespaces need root".into());
    }
    let output = unshare().arg("true").output().expect("unshare; script/bootstrap installs it");
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    (!output.status.success()).then(|| format!("no namespaces can be made: {said}"))
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    // Where `ip` and `iptables` are, though not always in root's path.
    let path = std::env::var("PATH").unwrap_or_default();
    command.args(OWN_NAMESPACES).env("PATH", format!("{path}:/usr/sbin:/sbin")).stdin(Stdio::piped());
    command
}

/// Gives how many passed and how many failed.
fn run(tests: VecDeque<Test>) -> (usize, usize) {
    let (queue, counts) = (Mutex::new(tests), Mutex::new((0, 0)));
    let work = || {
        while let Some((name, _)) = { queue.lock().unwrap().pop_front() } {
            let begin = Instant::now();
            let program = std::env::current_exe().unwrap();
            let mut command = unshare();
            command.arg(program).env(INSIDE, name).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            // As long as this is open the test knows that it is wanted.
            let wanted = child.stdin.take();
            let output = child.wait_with_output().unwrap();
            drop(wanted);
            let seconds = begin.elapsed().as_secs_f64();
            let mut counts = counts.lock().unwrap();
            if output.status.success() {
                counts.0 += 1;
                println!("test {name} ... ok ({seconds:.1}s)");
            } else {
                counts.1 += 1;
                println!("test {name} ... FAILED ({seconds:.1}s, {})", output.status);
                println!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            }
        }
    };
    std::thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    counts.into_inner().unwrap()
}

/// The process of a test ends when the runner does, or its time is over.
fn end_with_the_runner() {
    std::thread::spawn(|| {
        let stdin = std::io::stdin();
        let mut polled = [PollFd::new(&stdin, PollFlags::IN)];
        let time = Timespec { tv_sec: TIME_OF_A_TEST_S, tv_nsec: 0 };
        let ended = poll(&mut polled, Some(&time));
        // Nobody may be there to read it any more.
        let _ =
            writeln!(std::io::stderr(), "{}", if ended == Ok(0) { "its time is over" } else { "the runner has ended" });
        std::process::exit(1);
    });
}

/// Waits until something is so, for at most [`common::PATIENCE`].
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < common::PATIENCE, "waited for {what} in vain");
        std::thread::sleep(Duration::from_millis(10));
    }
}
