//! The `PAL_*` values.

mod common;

use common::{Application, HEADER, assert_holds};
use mbed_cloud_connectivity_settings::ErrorKind;

#[test]
fn without_configuration_the_values_in_force_hold() {
    let settings = Application::new().settings();
    for (name, number) in [
        ("PAL_DNS_API_VERSION", 0),
        ("PAL_MAX_SUPORTED_NET_INTERFACES", 1),
        ("PAL_TLS_CIPHER_SUITE", 4),
        ("PAL_NET_DEFAULT_INTERFACE", 0xFFFF_FFFF),
        ("PAL_NET_SERVER_SOCKET_API", 1),
        ("PAL_MIN_SEC_FROM_EPOCH", 1_483_264_800),
    ] {
        assert_eq!(settings.pal_number(name), Some(number), "{name}");
        assert!(settings.pal[name].source.is_default());
    }
    assert_eq!(settings.pal["PAL_TLS_CIPHER_SUITE"].value.text, "PAL_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8_SUITE");
    assert_eq!(settings.pal_number("PAL_ABSENT"), None);
}

#[test]
fn header_file_and_definitions_override_them() {
    let application = Application::with_header("#define PAL_MAX_SUPORTED_NET_INTERFACES (1 + 2)\n")
        .define("-DPAL_USER_DEFINED_CONFIGURATION=\"pal user.h\"")
        .define("PAL_DNS_API_VERSION=3");
    let path = application.file(
        "pal user.h",
        "\n#define PAL_TLS_CIPHER_SUITE PAL_TLS_PSK_WITH_AES_128_CCM_8_SUITE\n#define PAL_USE_SECURE_TIME false\n\
         #define PAL_FS_MOUNT_POINT \"/mnt\"\n",
    );
    let settings = application.settings();
    for (name, number, text, place) in [
        ("PAL_MAX_SUPORTED_NET_INTERFACES", Some(3), "(1 + 2)", &*format!("{HEADER}:1")),
        ("PAL_TLS_CIPHER_SUITE", Some(1), "PAL_TLS_PSK_WITH_AES_128_CCM_8_SUITE", "pal user.h:2"),
        ("PAL_USE_SECURE_TIME", Some(0), "false", "pal user.h:3"),
        ("PAL_FS_MOUNT_POINT", None, "\"/mnt\"", "pal user.h:4"),
        ("PAL_DNS_API_VERSION", Some(3), "3", "compile definition -DPAL_DNS_API_VERSION=3"),
        ("PAL_ENABLE_X509", Some(1), "1", "default"),
    ] {
        let setting = &settings.pal[name];
        assert_eq!(setting.value.number, number, "{name}");
        assert_eq!(setting.value.text, text, "{name}");
        assert_eq!(setting.source.to_string(), place, "{name}");
    }
    assert!(settings.dependencies.contains(&path));
}

#[test]
fn the_file_may_be_named_in_the_header() {
    let application = Application::with_header("#define PAL_USER_DEFINED_CONFIGURATION \"parts/pal.h\"\n");
    application.file("parts/pal.h", "#define PAL_DNS_API_VERSION 1\n");
    assert_eq!(application.settings().dns_api_version(), 1);

    let application = Application::with_header("#define PAL_USER_DEFINED_CONFIGURATION \"missing.h\"\n");
    let words = "#include PAL_USER_DEFINED_CONFIGURATION: fatal error: 'missing.h' file not found";
    assert_holds(&application.error(), &[words, "MBED_CLOUD_CLIENT_INCLUDE_PATHS"]);
}

#[test]
fn values_that_the_library_cannot_serve_are_errors() {
    for (name, value, words) in [
        ("PAL_DNS_API_VERSION", "2", "0 (synchronous), 1 (asynchronous) or 3"),
        ("PAL_DNS_API_VERSION", "ASYNC", "undeclared identifier 'ASYNC'"),
        ("PAL_TLS_CIPHER_SUITE", "3", "one of PAL_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8_SUITE, "),
        ("PAL_MAX_SUPORTED_NET_INTERFACES", "0", "from 1 to 256"),
        ("PAL_MAX_SUPORTED_NET_INTERFACES", "257", "from 1 to 256"),
        ("PAL_DEFAULT_RTT_ESTIMATE", "256", "from 0 to 255"),
        ("PAL_DEFAULT_STAGGER_ESTIMATE", "65536", "from 0 to 65535"),
        ("PAL_NET_DNS_IP_SUPPORT", "3", "0 (any family), 2 (IPv4 only) or 4 (IPv6 only)"),
        ("PAL_MIN_SEC_FROM_EPOCH", "-1", "zero or more"),
        ("PAL_MIN_SEC_FROM_EPOCH", "\"x\"", "an integer (it is text"),
        ("PAL_MIN_SEC_FROM_EPOCH", "", "it must be an integer."),
    ] {
        let error = Application::with_header(format!("#define {name} {value}\n")).error();
        assert_holds(&error, &[&format!("{name} is set to {value} by "), &format!("{HEADER}:1"), words]);
    }
}

#[test]
fn a_definition_and_the_header_must_agree() {
    let header = "#define PAL_DNS_API_VERSION (2 + 1)\n";
    let settings = Application::with_header(header).define("-DPAL_DNS_API_VERSION=3").settings();
    assert_eq!(settings.dns_api_version(), 3);
    let error = Application::with_header(header).define("-DPAL_DNS_API_VERSION=1").error();
    assert_holds(&error, &["PAL_DNS_API_VERSION is defined twice", "to 1 by the compile definition", "to (2 + 1) by"]);
}

#[test]
fn an_archive_for_another_dns_api_is_refused() {
    let settings = Application::with_header("#define PAL_DNS_API_VERSION 3\n").settings();
    assert_eq!(settings.check_archive_dns_api_version(3), Ok(()));
    let errors = settings.check_archive_dns_api_version(0).unwrap_err();
    assert_eq!(errors.iter().next().unwrap().kind(), ErrorKind::Archive);
    assert_holds(&errors.to_string(), &["PAL_DNS_API_VERSION=3", &format!("{HEADER}:1"), "was built for 0"]);
    assert_eq!(Application::new().settings().check_archive_dns_api_version(0), Ok(()));
}

#[test]
fn a_name_written_right_in_english_is_still_misspelt() {
    let settings = Application::with_header("#define PAL_MAX_SUPPORTED_NET_INTERFACES 2\n").settings();
    assert_holds(&settings.warnings[0], &["did you mean PAL_MAX_SUPORTED_NET_INTERFACES?"]);
}
