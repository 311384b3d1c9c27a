//! What two places say: definitions, header and JSON against each other, and every setting beside the interval.

mod common;

use common::{Application, HEADER, INTERVAL, KEY, assert_holds, header, json};
use mbed_cloud_connectivity_settings::{ErrorKind, TransportMode};

const GENERATED: &str = "MBED_CONF_MBED_CLIENT_TCP_KEEPALIVE_INTERVAL";

#[test]
fn header_and_json_together_are_an_error_whatever_the_values() {
    for (first, second) in [("540", "60"), ("540", "540"), ("(9*60)", "540")] {
        let application = Application::with_header(header(first)).json(json(second));
        let errors = application.read().unwrap_err();
        assert_eq!(errors.count(), 1);
        assert_eq!(errors.iter().next().unwrap().kind(), ErrorKind::DefinedTwice);
        let first = if first == "540" { first.to_string() } else { format!("540 (written {first})") };
        let file = application.path(HEADER).display().to_string();
        let json_file = application.path("mbed_app.json").display().to_string();
        let path = format!("target_overrides.*.{KEY}");
        let expected = format!(
            "{INTERVAL} is defined twice: as {first} by {file}:1, and as {second} by {json_file}: {path}. \
             Only one place may define it, even with the same value. \
             To keep the first, delete the key {path} from {json_file}; \
             to keep the second, delete the #define at {file}:1."
        );
        assert_eq!(errors.to_string(), expected);
    }
}

#[test]
fn header_and_generated_macro_are_an_error() {
    let application = Application::with_header(header("60")).define(&format!("-D{GENERATED}=60"));
    let expected = format!("compile definition -D{GENERATED}=60");
    assert_holds(&application.error(), &[INTERVAL, "defined twice", &format!("{HEADER}:1"), &expected]);

    let application = Application::with_header(format!("#include \"mbed_config.h\"\n{}", header("60")));
    application.file("mbed_config.h", format!("#define {GENERATED} 60\n"));
    assert_holds(&application.error(), &[&format!("{HEADER}:2"), "mbed_config.h:1", "delete the #define at"]);
}

#[test]
fn a_definition_counts_as_the_headers() {
    let application = Application::new().define(&format!("-D{INTERVAL}=60"));
    assert_eq!(application.interval(), (60, format!("compile definition -D{INTERVAL}=60")));
    // The header as the client's own are written: a definition is stronger.
    let guarded = format!("#ifndef {INTERVAL}\n{}#endif\n", header("540"));
    let application = Application::with_header(guarded).define(&format!("{INTERVAL}=(2*30)"));
    assert_eq!(application.interval(), (60, format!("compile definition -D{INTERVAL}=(2*30)")));
    let application = Application::with_json(json("60")).define(&format!("-D{INTERVAL}=60"));
    assert_holds(&application.error(), &[INTERVAL, "defined twice", "remove the compile definition", "delete the key"]);
}

#[test]
fn a_definition_is_never_lost() {
    for value in ["540", "60"] {
        let application = Application::with_header(header("540")).define(&format!("-D{INTERVAL}={value}"));
        let error = application.error();
        let set = format!("to {value} by the compile definition -D{INTERVAL}={value}, and to 540 by ");
        assert_holds(&error, &[INTERVAL, "defined twice", &set, &format!("{HEADER}:1"), "delete the definition"]);
    }
    let application = Application::with_header(format!("#undef {INTERVAL}\n")).define(&format!("-D{INTERVAL}=60"));
    let errors = application.read().unwrap_err();
    assert_eq!(errors.iter().next().unwrap().kind(), ErrorKind::LostDefinition);
    assert_holds(&errors.to_string(), &["-DMBED_CLIENT_TCP_KEEPALIVE_INTERVAL=60 is lost", "#undef"]);

    let undefined = format!("#undef {INTERVAL}\n{}", header("70"));
    let application = Application::with_header(undefined).define(&format!("-D{INTERVAL}=60"));
    assert_holds(&application.error(), &["defined twice", "to 60", "to 70", &format!("{HEADER}:2")]);

    let application = Application::new().define(&format!("-D{INTERVAL}=60")).define(&format!("-D{INTERVAL}=70"));
    assert_holds(&application.error(), &["defined twice", "=60", "=70", "takes only the last one"]);
}

#[test]
fn a_definition_must_hold_an_integer_too() {
    for (value, reason) in [("0", ""), ("1.5", "fraction"), ("abc", "undeclared"), ("", "nothing"), ("4294968", "")] {
        let error = Application::new().define(&format!("-D{INTERVAL}={value}")).error();
        assert_holds(&error, &[&format!("compile definition -D{INTERVAL}={value}:"), "1 to 4294967", reason]);
    }
    // -DNAME alone defines it as 1.
    assert_eq!(Application::new().define(INTERVAL).interval().0, 1);
}

#[test]
fn the_generated_macro_alone_is_the_json_source() {
    let application = Application::new().define(&format!("-D{GENERATED}=60"));
    assert_eq!(application.interval(), (60, format!("compile definition -D{GENERATED}=60")));

    // The file that Mbed tools write, taken into every source file or handed over as the header.
    let mut application = Application::new();
    let text = format!("// generated\n#define {GENERATED} 60 // set by application\n");
    let path = application.file("mbed_config.h", &text);
    application.inputs.definitions = vec!["-include".to_string(), path.display().to_string()];
    assert_eq!(application.interval(), (60, "mbed_config.h:2".to_string()));
    assert!(application.settings().dependencies.contains(&path));
    assert_eq!(Application::with_header(text).interval(), (60, format!("{HEADER}:2")));
}

#[test]
fn json_and_what_is_generated_from_it_are_one_source() {
    for (value, generated) in [("60", "60"), ("\"0x3c\"", "60"), ("60", "(2*30)")] {
        let application = Application::with_json(json(value)).define(&format!("-D{GENERATED}={generated}"));
        assert_eq!(application.interval(), (60, format!("mbed_app.json: target_overrides.*.{KEY}")), "{generated}");
    }
    let error = Application::with_json(json("60")).define(&format!("-D{GENERATED}=70")).error();
    assert_holds(
        &error,
        &[KEY, "is 60 by", "mbed_app.json", GENERATED, "is 70 by", "Generate the configuration again"],
    );
}

#[test]
fn a_generated_macro_may_be_handed_over_twice_if_it_agrees() {
    let text = format!("#define {GENERATED} 60\n");
    let application = Application::with_header(&text).define(&format!("-D{GENERATED}=0x3c"));
    assert_eq!(application.interval(), (60, format!("{HEADER}:1")));
    let application = Application::with_header(&text).define(&format!("-D{GENERATED}=70"));
    assert_holds(&application.error(), &[GENERATED, "defined twice", "to 70", "to 60"]);
}

#[test]
fn the_other_settings_come_from_the_header() {
    let text = "#define MBED_CLOUD_CLIENT_TRANSPORT_MODE_UDP_QUEUE\n#define MBED_CLOUD_CLIENT_CUSTOM_URI_PORT 443\n\
                #define MBED_CLIENT_MAX_RECONNECT_TIMEOUT (60*60)\n#define MBED_CLIENT_RECONNECTION_COUNT 0\n\
                #define SN_COAP_MAX_INCOMING_MESSAGE_SIZE 1152\n";
    let settings = Application::with_header(text).settings();
    assert_eq!(settings.transport_mode.value, TransportMode::UdpQueue);
    assert_eq!(settings.transport_mode.source.to_string(), format!("{HEADER}:1"));
    assert_eq!(settings.custom_uri_port.unwrap().value, 443);
    assert_eq!(settings.max_reconnect_timeout_s.value, 3600);
    assert_eq!(settings.reconnection_count.unwrap().value, 0);
    assert_eq!(settings.max_incoming_message_size.value, 1152);
    assert_eq!(settings.max_incoming_message_size.source.to_string(), format!("{HEADER}:5"));
}

#[test]
fn the_other_settings_come_from_the_json() {
    let text = "{\"target_overrides\": {\"*\": {\"mbed-cloud-client.transport-mode-udp\": 1, \
                \"mbed-cloud-client.transport-mode-tcp\": false, \"mbed-cloud-client.custom-uri-port\": 5683, \
                \"mbed-client.max-reconnect-timeout\": 100, \"mbed-client.reconnection-count\": \"3\", \
                \"mbed-client.sn-coap-max-incoming-message-size\": 2048}}}";
    let settings = Application::with_json(text).settings();
    assert_eq!(settings.transport_mode.value, TransportMode::Udp);
    assert_eq!(settings.custom_uri_port.unwrap().value, 5683);
    assert_eq!(settings.max_reconnect_timeout_s.value, 100);
    assert_eq!(settings.reconnection_count.unwrap().value, 3);
    let place = "mbed_app.json: target_overrides.*.mbed-client.sn-coap-max-incoming-message-size";
    assert_eq!(settings.max_incoming_message_size.value, 2048);
    assert_eq!(settings.max_incoming_message_size.source.to_string(), place);
}

#[test]
fn the_other_settings_have_defaults() {
    let settings = Application::new().settings();
    assert_eq!(settings.transport_mode.value, TransportMode::Tcp);
    assert_eq!(settings.custom_uri_port, None);
    assert_eq!(settings.max_reconnect_timeout_s.value, 14400);
    assert_eq!(settings.reconnection_count, None);
    assert_eq!(settings.max_incoming_message_size.value, 65535);
    assert!(settings.transport_mode.source.is_default());
}

#[test]
fn the_other_settings_have_ranges() {
    for (name, key, least, most) in [
        ("MBED_CLOUD_CLIENT_CUSTOM_URI_PORT", "mbed-cloud-client.custom-uri-port", 1, 65535_i64),
        ("MBED_CLIENT_MAX_RECONNECT_TIMEOUT", "mbed-client.max-reconnect-timeout", 1, 4294967),
        ("MBED_CLIENT_RECONNECTION_COUNT", "mbed-client.reconnection-count", 0, 4294967295),
        ("SN_COAP_MAX_INCOMING_MESSAGE_SIZE", "mbed-client.sn-coap-max-incoming-message-size", 64, 16777216),
    ] {
        for value in [least, most] {
            assert!(Application::with_header(format!("#define {name} {value}\n")).read().is_ok(), "{name} {value}");
            assert!(Application::with_json(json(&value.to_string()).replace(KEY, key)).read().is_ok(), "{key} {value}");
        }
        for value in [least - 1, most + 1] {
            let range = format!("an integer from {least} to {most}");
            let error = Application::with_header(format!("#define {name} {value}\n")).error();
            assert_holds(&error, &[name, &format!("is set to {value} by"), &range]);
            let error = Application::with_json(json(&value.to_string()).replace(KEY, key)).error();
            assert_holds(&error, &[key, &format!("is set to {value} by"), &range]);
        }
        let application = Application::with_header(format!("#define {name} 100\n"));
        let application = application.json(json("100").replace(KEY, key));
        assert_holds(&application.error(), &[name, key, "defined twice", "Only one place may define it"]);
    }
}

#[test]
fn one_transport_mode_from_one_place() {
    let mode = |name: &str| format!("#define MBED_CLOUD_CLIENT_TRANSPORT_MODE_{name}\n");
    let error = Application::with_header(mode("TCP") + &mode("UDP")).error();
    assert_holds(
        &error,
        &["Two transport modes", &format!("{HEADER}:1"), &format!("{HEADER}:2"), "delete the #define"],
    );

    for key in ["mbed-cloud-client.transport-mode-tcp", "mbed-cloud-client.transport-mode-udp"] {
        let application = Application::with_header(mode("TCP")).json(json("true").replace(KEY, key));
        assert_holds(&application.error(), &["The transport mode is defined twice", "MODE_TCP", key, "delete the key"]);
    }
    let two = "{\"target_overrides\": {\"*\": {\"mbed-cloud-client.transport-mode-udp\": 1}, \
               \"K64F\": {\"mbed-cloud-client.transport-mode-tcp\": 1}}}";
    let application = Application::with_json(two).target("K64F", &[]);
    assert_holds(&application.error(), &["Two transport modes", "target_overrides.*.", "target_overrides.K64F."]);

    let error = Application::with_json(json("5").replace(KEY, "mbed-cloud-client.transport-mode-tcp")).error();
    assert_holds(&error, &["is set to 5 by", "it must be 1 (on), 0 or null (off)"]);

    let definition = "-DMBED_CONF_MBED_CLOUD_CLIENT_TRANSPORT_MODE_TCP_QUEUE";
    let settings = Application::new().define(definition).settings();
    assert_eq!(settings.transport_mode.value, TransportMode::TcpQueue);
}

#[test]
fn every_problem_is_reported_at_once() {
    let text = format!("{}#define MBED_CLOUD_CLIENT_CUSTOM_URI_PORT 0\n", header("0"));
    let mut application = Application::with_header(text).define("-O2").define("-DPAL_DNS_API_VERSION=7");
    application = application.json(json("\"abc\"").replace(KEY, "mbed-client.reconnection-count"));
    let errors = application.errors();
    assert_eq!(errors.len(), 5, "{errors:#?}");
    for words in ["'-O2'", "PAL_DNS_API_VERSION", INTERVAL, "CUSTOM_URI_PORT", "reconnection-count"] {
        assert_eq!(errors.iter().filter(|error| error.contains(words)).count(), 1, "{words}: {errors:#?}");
    }

    // Broken JSON does not hide a broken header.
    let errors = Application::with_header("#error x\n").json("{").errors();
    assert_eq!(errors.len(), 2, "{errors:#?}");
}

#[test]
fn the_definition_of_the_header_names_it() {
    let mut application = Application::new();
    let path = application.file("my config.h", header("60"));
    application.inputs.include_paths.push(path.parent().unwrap().to_path_buf());
    application = application.define("-DMBED_CLOUD_CLIENT_USER_CONFIG_FILE=\"my config.h\"");
    assert_eq!(application.interval(), (60, "my config.h:1".to_string()));
    assert!(application.settings().dependencies.contains(&path));

    let application = Application::new().define("-DMBED_CLOUD_CLIENT_USER_CONFIG_FILE=\"missing.h\"");
    let words = "#include MBED_CLOUD_CLIENT_USER_CONFIG_FILE: fatal error: 'missing.h' file not found";
    assert_holds(&application.error(), &[words]);
}
