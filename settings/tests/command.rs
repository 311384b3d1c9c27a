//! The command that CMake runs.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::{Application, HEADER, assert_holds, header, json};

fn run<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mbed-cloud-connectivity-settings")).args(arguments).output().unwrap()
}

fn standard_output(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn failure(output: &Output, status: i32) -> String {
    assert_eq!(output.status.code(), Some(status), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn every_input_has_a_flag() {
    let application = Application::new();
    let config = application.file(HEADER, "#include <far.h>\n#ifdef FAST\n#define PAL_ENABLE_PSK FAR\n#endif\n");
    application.file("far away/far.h", "#define FAR 1\n");
    let conf = application.file("mbed_config.h", "#define MBED_CONF_MBED_CLIENT_MAX_RECONNECT_TIMEOUT 77\n");
    let app = application.file("mbed_app.json", json("60").replace('*', "MCU"));
    let output = run(&[
        "--user-config",
        &text(&config),
        "--app-json",
        &text(&app),
        "--target",
        "K64F",
        "--target-label",
        "MCU",
        "-DFAST",
        "-D",
        "SLOW=1",
        "-USLOW",
        "-I",
        &text(&application.path("far away")),
        "--include",
        &text(&conf),
        "--clang-target",
        "aarch64-linux-gnu",
        "--sysroot",
        "/",
        "--archive-dns-api-version",
        "0",
    ]);
    let listing = standard_output(&output);
    assert_holds(
        &listing,
        &[
            "MBED_CLIENT_TCP_KEEPALIVE_INTERVAL = 60 (",
            "MBED_CLIENT_MAX_RECONNECT_TIMEOUT = 77 (",
            "mbed_config.h:1)",
            &format!("PAL_ENABLE_PSK = FAR ({}:3)", text(&config)),
        ],
    );
}

#[test]
fn the_same_inputs_give_the_same_messages_as_the_library() {
    let application = Application::with_header(header("540")).json(json("540"));
    let arguments =
        ["--user-config", &text(&application.path(HEADER)), "--app-json", &text(&application.path("mbed_app.json"))];
    let message = failure(&run(&arguments), 1);
    assert_eq!(message, format!("error: {}\n", application.error()));
}

#[test]
fn formats_are_written_to_files() {
    let application = Application::with_header(header("60"));
    let config = text(&application.path(HEADER));
    let (output, depfile) = (application.path("out.c"), application.path("out.d"));
    let files = ["--output", &text(&output), "--depfile", &text(&depfile)];
    let arguments = [&["--user-config", &config, "--format", "c"], &files[..]].concat();
    let ran = run(&arguments);
    assert_eq!(standard_output(&ran), "");
    assert_holds(&String::from_utf8_lossy(&ran.stderr), &["keepalive interval 60 s (", ":1)"]);
    assert_holds(&fs::read_to_string(&output).unwrap(), &["mcc_configured_keepalive_interval_s = 60u;"]);
    let dependencies = fs::read_to_string(&depfile).unwrap();
    assert_eq!(dependencies, application.settings().depfile(&output));

    let cmake = standard_output(&run(&["--user-config", &config, "--format", "cmake"]));
    assert_eq!(cmake, application.settings().cmake_variables());

    let missing = text(&application.path("no/such/out.c"));
    assert_holds(&failure(&run(&["--output", &missing]), 1), &["cannot be written", "no/such/out.c"]);
}

#[test]
fn warnings_do_not_fail() {
    let application = Application::with_header(
        "#define MBED_CLOUD_CLIENT_CUSTOM_URI_PORT 443\n#define MBED_CLIENT_TCP_KEEPALIVE_INTERVA 1\n",
    );
    let output = run(&["--user-config", &text(&application.path(HEADER)), "--format=c"]);
    assert_holds(&standard_output(&output), &["The application sets nothing"]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_holds(&words, &["warning: ", "did you mean", "CUSTOM_URI_PORT is 443", "takes it from its own build"]);
}

#[test]
fn an_archive_for_another_dns_api_is_refused() {
    let message = failure(&run(&["-DPAL_DNS_API_VERSION=3", "--archive-dns-api-version", "0"]), 1);
    assert_holds(&message, &["PAL_DNS_API_VERSION=3", "built for 0"]);
    standard_output(&run(&["-DPAL_DNS_API_VERSION=3", "--archive-dns-api-version", "3"]));
}

#[test]
fn a_wrong_command_line_is_told_apart_from_a_wrong_configuration() {
    for (arguments, words) in [
        (vec!["--no-such-option"], "--no-such-option"),
        (vec!["--format", "xml"], "text, c and cmake"),
        (vec!["--user-config"], "--user-config"),
        (vec!["--archive-dns-api-version", "x"], "\"x\""),
        (vec!["--depfile", "x"], "--depfile needs --output"),
        (vec!["stray"], "stray"),
    ] {
        assert_holds(&failure(&run(&arguments), 2), &["error: ", words, "--help lists the options"]);
    }
}

#[test]
fn help_names_every_option() {
    let help = standard_output(&run(&["--help"]));
    for option in [
        "--user-config",
        "--app-json",
        "--target ",
        "--target-label",
        "-D ",
        "-U ",
        "-I ",
        "--include",
        "--clang-target",
        "--sysroot",
        "--archive-dns-api-version",
        "--format",
        "--output",
        "--depfile",
        "--help",
        "--version",
    ] {
        assert_holds(&help, &[option]);
    }
    assert_holds(&standard_output(&run(&["-V"])), &[env!("CARGO_PKG_VERSION")]);
}
