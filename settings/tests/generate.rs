//! What is written for those who use the settings.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{Application, HEADER, assert_holds, header, json};
use mbed_cloud_connectivity_settings::{directives, write_if_changed};

const EVERYTHING: &str = "#define MBED_CLIENT_TCP_KEEPALIVE_INTERVAL 60\n#define MBED_CLIENT_MAX_RECONNECT_TIMEOUT 100\n\
                          #define SN_COAP_MAX_INCOMING_MESSAGE_SIZE 2048\n#define MBED_CLIENT_RECONNECTION_COUNT 7\n\
                          #define MBED_CLOUD_CLIENT_CUSTOM_URI_PORT 443\n\
                          #define MBED_CLOUD_CLIENT_TRANSPORT_MODE_UDP\n#define PAL_DNS_API_VERSION 3\n\
                          #define PAL_FS_MOUNT_POINT \"/mnt\"\n";

#[test]
fn rust_constants_of_the_defaults() {
    let code = Application::new().settings().rust_constants();
    assert_holds(
        &code,
        &[
            "const KEEPALIVE_INTERVAL_S: u32 = 540;",
            "const KEEPALIVE_INTERVAL_SOURCE: &str = \"default\";",
            "const MAX_RECONNECT_TIMEOUT_S: u32 = 14400;",
            "const MAX_INCOMING_MESSAGE_SIZE: u32 = 65535;",
            "const RECONNECTION_COUNT: Option<u32> = None;",
            "const CUSTOM_URI_PORT: Option<u16> = None;",
            "const TRANSPORT_MODE: super::TransportMode = super::TransportMode::Tcp;",
            "const PAL_TLS_CIPHER_SUITE: u64 = 4;",
            "const PAL_DNS_API_VERSION: u64 = 0;",
        ],
    );
}

#[test]
fn rust_constants_name_no_directory() {
    let application = Application::with_header(EVERYTHING);
    let code = application.settings().rust_constants();
    assert!(!code.contains("an application"), "{code}");
    assert_holds(
        &code,
        &[
            "const KEEPALIVE_INTERVAL_S: u32 = 60;",
            "const KEEPALIVE_INTERVAL_SOURCE: &str = \"mbed_cloud_client_user_config.h:1\";",
            "const MAX_INCOMING_MESSAGE_SIZE_SOURCE: &str = \"mbed_cloud_client_user_config.h:3\";",
            "const RECONNECTION_COUNT: Option<u32> = Some(7);",
            "const CUSTOM_URI_PORT: Option<u16> = Some(443);",
            "super::TransportMode::Udp;",
            "const PAL_DNS_API_VERSION: u64 = 3;",
            "(\"PAL_FS_MOUNT_POINT\", \"\\\"/mnt\\\"\", \"mbed_cloud_client_user_config.h:8\"),",
        ],
    );
}

#[test]
fn the_c_file_gives_weak_symbols_their_values() {
    let main = "#include <stdint.h>\n#include <stdio.h>\n\
        __attribute__((weak)) extern const uint32_t mcc_configured_keepalive_interval_s;\n\
        __attribute__((weak)) extern const uint32_t mcc_configured_max_reconnect_timeout_s;\n\
        __attribute__((weak)) extern const uint32_t mcc_configured_max_incoming_message_size;\n\
        __attribute__((weak)) extern const char mcc_configured_keepalive_interval_source[];\n\
        static unsigned at(const uint32_t *value) { return value ? *value : 0; }\n\
        int main(void) { const char *place = mcc_configured_keepalive_interval_source;\n\
        printf(\"%u %u %u %s\", at(&mcc_configured_keepalive_interval_s),\n\
        at(&mcc_configured_max_reconnect_timeout_s), at(&mcc_configured_max_incoming_message_size),\n\
        place ? place : \"archive\"); return 0; }\n";
    for (text, printed) in [
        (EVERYTHING.to_string(), "60 100 2048 mbed_cloud_client_user_config.h:1"),
        (header("60"), "60 0 0 mbed_cloud_client_user_config.h:1"),
        (String::new(), "0 0 0 archive"),
    ] {
        let application = Application::with_header(text);
        let settings = application.file("settings.c", application.settings().c_definitions());
        let main = application.file("main.c", main);
        let program = application.path("program");
        let compiled = Command::new("cc")
            .args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o"])
            .args([&program, &main, &settings])
            .output()
            .unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let output = Command::new(&program).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), printed);
    }
}

#[test]
fn the_c_file_leaves_defaults_out() {
    let code = Application::with_json(json("60")).settings().c_definitions();
    assert_holds(&code, &["const uint32_t mcc_configured_keepalive_interval_s = 60u;", "/* mbed_app.json: target_"]);
    assert!(!code.contains("reconnect") && !code.contains("message_size"), "{code}");
}

#[test]
fn what_a_prebuilt_archive_cannot_take_is_a_warning() {
    let warnings = Application::with_header(EVERYTHING).settings().warnings_for_prebuilt_archive();
    assert_eq!(warnings.len(), 3, "{warnings:#?}");
    for (warning, name) in warnings.iter().zip(["TRANSPORT_MODE", "RECONNECTION_COUNT", "CUSTOM_URI_PORT"]) {
        assert_holds(warning, &[name, HEADER, "build the archive from source"]);
    }
    let same = "#define PAL_USE_SECURE_TIME true\n#define PAL_ENABLE_PSK 1\n";
    let warnings = Application::with_header(same).settings().warnings_for_prebuilt_archive();
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert_holds(&warnings[0], &["PAL_ENABLE_PSK is 1"]);
}

#[test]
fn cmake_reads_its_variables_back() {
    let application = Application::with_header(EVERYTHING);
    application.file("settings.cmake", application.settings().cmake_variables());
    let script = application.file(
        "read.cmake",
        "include(\"${CMAKE_CURRENT_LIST_DIR}/settings.cmake\")\nset(prefix MBED_CLOUD_CONNECTIVITY)\n\
         message(\"${${prefix}_MBED_CLIENT_TCP_KEEPALIVE_INTERVAL}|\
         ${${prefix}_MBED_CLIENT_TCP_KEEPALIVE_INTERVAL_SOURCE}|${${prefix}_MBED_CLOUD_CLIENT_TRANSPORT_MODE}|\
         ${${prefix}_PAL_FS_MOUNT_POINT}|${${prefix}_PAL_DNS_API_VERSION}|${${prefix}_DEPENDENCIES}\")\n",
    );
    let output = Command::new("cmake").arg("-P").arg(script).output().unwrap();
    let file = application.path(HEADER).display().to_string();
    let expected = format!("60|{HEADER}:1|UDP|\"/mnt\"|3|{file}\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
}

#[test]
fn the_listing_names_values_and_whole_paths() {
    let application = Application::with_header(EVERYTHING);
    let file = application.path(HEADER).display().to_string();
    let text = application.settings().text();
    let interval = format!("MBED_CLIENT_TCP_KEEPALIVE_INTERVAL = 60 ({file}:1)\n");
    assert_holds(&text, &[&interval, "PAL_ENABLE_X509 = 1 (default)\n"]);
    assert_eq!(application.settings().summary(), format!("keepalive interval 60 s ({file}:1)"));
    assert_holds(&Application::new().settings().summary(), &["keepalive interval 540 s (default"]);
}

#[test]
fn the_depfile_escapes_spaces() {
    let application = Application::with_header(header("60"));
    let text = application.settings().depfile(Path::new("out dir/settings.c"));
    let file = application.path(HEADER).display().to_string().replace(' ', "\\ ");
    assert_eq!(text, format!("out\\ dir/settings.c: \\\n  {file}\n"));
}

#[test]
fn cargo_watches_every_file() {
    let application = Application::with_header("#include \"base.h\"\n").json("{}").define("-include").define("far.h");
    application.file("base.h", "#include \"deep/deeper.h\"\n");
    application.file("deep/deeper.h", header("60"));
    application.file("far.h", "");
    let settings = application.settings();
    let lines = directives(&settings);
    for name in [HEADER, "base.h", "deep/deeper.h", "far.h", "mbed_app.json"] {
        let line = format!("cargo::rerun-if-changed={}", application.path(name).display());
        assert_eq!(lines.iter().filter(|found| **found == line).count(), 1, "{line}: {lines:#?}");
    }
    let warning = format!("cargo::warning={}", settings.summary());
    assert_eq!(lines.iter().filter(|found| found.starts_with("cargo::warning")).collect::<Vec<_>>(), [&warning]);
}

#[test]
fn a_file_that_is_right_is_left_alone() {
    let application = Application::new();
    let path = application.file("out", "same");
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    write_if_changed(&path, "same").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
    write_if_changed(&path, "other").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "other");
    assert!(write_if_changed(&application.path("no/such/directory"), "x").is_err());
}
