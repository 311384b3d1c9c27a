//! The command as people run it, against servers of this machine.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn netcheck(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mbed-netcheck")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn status(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// `openssl s_server` at a port of its own choice, with a certificate of its own.
struct TlsServer {
    process: Child,
    port: u16,
}

impl TlsServer {
    fn start(folder: &Path) -> Self {
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"])
            .args(["-subj", "/CN=Example CA"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", stderr(&made));
        let mut process = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-cert"])
            .arg(&certificate)
            .arg("-key")
            .arg(&key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = lines.by_ref().find_map(|line| Some(line.unwrap().strip_prefix("ACCEPT ")?.to_owned())).unwrap();
        // What it says later is read, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let port = address.parse::<SocketAddr>().unwrap().port();
        Self { process, port }
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Answers every connection with the page of a firewall.
fn portal() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
            let _ = stream.read(&mut [0; 1024]);
        }
    });
    port
}

#[test]
fn a_server_that_the_ca_stands_for_is_all_well() {
    let folder = tempfile::tempdir().unwrap();
    let server = TlsServer::start(folder.path());
    let ca = folder.path().join("certificate.pem");
    let host = format!("127.0.0.1:{}", server.port);
    let output = netcheck(&["--host", &host, "--cafile", ca.to_str().unwrap()]);
    assert_eq!(status(&output), 0, "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("All is well"));
    assert_eq!(stderr(&output), "", "no progress where standard error is no terminal");
    assert!(!stdout(&output).contains('\u{1b}'), "no colours where standard output is no terminal");
}

#[test]
fn another_ca_than_the_given_one_is_interception() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = TlsServer::start(folder.path());
    let _other = TlsServer::start(other.path());
    // The same name and another key: what counts is who signed.
    let ca = other.path().join("certificate.pem");
    let output =
        netcheck(&["--host", &format!("127.0.0.1:{}", server.port), "--cafile", ca.to_str().unwrap(), "--json"]);
    assert_eq!(status(&output), 1, "{}", stdout(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["findings"][0]["kind"], "intercepted", "{report:#}");
}

#[test]
fn the_page_of_a_portal_stops_the_device() {
    let output = netcheck(&["--host", &format!("127.0.0.1:{}", portal())]);
    assert_eq!(status(&output), 1);
    assert!(stdout(&output).contains("HTTP with status 403"), "{}", stdout(&output));
}

#[test]
fn the_json_of_a_run_fits_the_schema_and_has_the_hosts_in_their_order() {
    let port = portal();
    let hosts = [format!("127.0.0.1:{port}"), "127.0.0.1:5684".to_owned()];
    let output = netcheck(&["--json", "--verbose", "--host", &hosts[0], "--host", &hosts[1]]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let schema = serde_json::from_str(include_str!("../../docs/netcheck.schema.json")).unwrap();
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    let errors: Vec<String> = schema.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{report:#}");
    assert_eq!(report["endpoints"][0]["service"], hosts[0].as_str());
    assert_eq!(report["endpoints"][0]["reached_by"].as_array().unwrap().len(), 1);
    assert_eq!(report["endpoints"][1]["reached_by"].as_array().unwrap().len(), 2, "TCP and UDP for 5684");
}

#[test]
fn help_and_version_are_no_errors() {
    for argument in ["--help", "--version"] {
        let output = netcheck(&[argument]);
        assert_eq!(status(&output), 0);
        assert!(stdout(&output).contains(if argument == "--help" { "Exit status" } else { "mbed-netcheck " }));
        assert_eq!(stderr(&output), "");
    }
}

#[test]
fn what_cannot_be_used_is_status_64_with_a_line_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let no_pem = file("no.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let empty = file("empty.toml", b"[regions]\nfactory = []\n");
    let unknown_key = file("key.toml", b"\n  region = 1\n");
    let no_text = file("binary.toml", b"\xff\xfe");
    let deep = file("deep.toml", &[&b"a = "[..], &[b'['; 100_000]].concat());
    let missing = folder.path().join("missing").to_str().unwrap().to_owned();
    let long = format!("{}:5684", "a".repeat(300));
    for (arguments, text) in [
        (&["--nothing"][..], "unexpected argument '--nothing'"),
        (&["positional"], "unexpected argument 'positional'"),
        (&["--host", "device.example"], "write HOST:PORT"),
        (&["--host", "device.example:0"], "1 to 65535"),
        (&["--host", "device.example:70000"], "1 to 65535"),
        (&["--host", &long], "at most 253"),
        (&["--host", "2001:db8::1:5684"], "in brackets"),
        (&["--host", "[2001:db8::g]:5684"], "no IPv6 address"),
        (&["--host", ":5684"], "the host is missing"),
        (&["--host", "a:1", "--region", "us-east-1"], "cannot be used with"),
        (&["--resolver", "dns.example:53"], "192.0.2.53:53"),
        (&["--resolver", "192.0.2.53:0"], "192.0.2.53:53"),
        (&["--timeout", "0"], "1..=300"),
        (&["--timeout", "soon"], "invalid digit"),
        (&["--region", "nowhere"], "known are us-east-1"),
        (&["--cafile", &missing], "cannot be read"),
        (&["--cafile", &no_pem], "holds no certificate"),
        (&["--cert", &no_pem], "--key"),
        (&["--cert", &no_pem, "--key", &no_pem], "holds no certificate"),
        (&["--endpoints", &missing], "cannot be read"),
        (&["--endpoints", &empty], "empty.toml:2:11: the region \"factory\" has no endpoint"),
        (&["--endpoints", &unknown_key], "key.toml:2:3: unknown field `region`"),
        (&["--endpoints", &no_text], "no UTF-8"),
        (&["--endpoints", "/dev/zero"], "longer than 1048576 bytes"),
        (&["--endpoints", &deep], "recurs"),
    ] {
        let output = netcheck(arguments);
        assert_eq!(status(&output), 64, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).starts_with("error: "), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(text), "{arguments:?}: {text} is not in: {}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let mut process = Command::new(env!("CARGO_BIN_EXE_mbed-netcheck"))
        .args(["--host", &format!("127.0.0.1:{}", portal())])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(process.stdout.take());
    let mut complaint = String::new();
    process.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(1));
    assert_eq!(complaint, "");
}

#[test]
fn where_nobody_reads_the_exit_status_says_it_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let not_text = std::ffi::OsString::from_vec(vec![0xff, b':', b'1']);
    let run = |arguments: &[&OsStr], stdout: Stdio, stderr: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mbed-netcheck"));
        command.args(arguments).current_dir(&folder).stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        command.status().unwrap().code()
    };
    let closed = || Stdio::from(OwnedFd::from(UnixStream::pair().unwrap().0));
    let full = || Stdio::from(std::fs::File::options().write(true).open("/dev/full").unwrap());
    let [help, region, host, json] = ["--help", "--region", "--host", "--json"].map(OsStr::new);
    assert_eq!(run(&[help], closed(), Stdio::null()), Some(0));
    assert_eq!(run(&[help], full(), closed()), Some(70));
    for stderr in [closed, full] {
        assert_eq!(run(&[region, OsStr::new("nowhere")], Stdio::null(), stderr()), Some(64));
        assert_eq!(run(&[host, &not_text], Stdio::null(), stderr()), Some(64));
        assert_eq!(run(&[json, host, OsStr::new("127.0.0.1:1")], full(), stderr()), Some(70));
    }
}
