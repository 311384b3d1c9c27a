//! `mbed_app.json`: labels, values, and everything that can be wrong with it.

mod common;

use common::{Application, KEY, assert_holds, json};

fn from_json(label: &str) -> String {
    format!("mbed_app.json: target_overrides.{label}.{KEY}")
}

#[test]
fn the_json_alone() {
    assert_eq!(Application::with_json(json("300")).interval(), (300, from_json("*")));
}

#[test]
fn files_that_set_nothing() {
    for text in ["{}", "{\"target_overrides\": {}}", "{\"target_overrides\": {\"*\": {}}}", "{\"config\": {}}"] {
        assert_eq!(Application::with_json(text).interval(), (540, "default".to_string()), "{text}");
    }
}

#[test]
fn the_most_specific_label_wins() {
    let text = format!(
        "{{\"target_overrides\": {{\"*\": {{\"{KEY}\": 10}}, \"FAMILY\": {{\"{KEY}\": 20}}, \
         \"MCU\": {{\"{KEY}\": 30}}, \"K64F\": {{\"{KEY}\": 40}}, \"OTHER\": {{\"{KEY}\": 50}}}}}}"
    );
    for (target, labels, value, label) in [
        ("", vec![], 10, "*"),
        ("UNKNOWN", vec![], 10, "*"),
        ("UNKNOWN", vec!["FAMILY"], 20, "FAMILY"),
        ("UNKNOWN", vec!["MCU", "FAMILY"], 30, "MCU"),
        ("UNKNOWN", vec!["FAMILY", "MCU"], 20, "FAMILY"),
        ("K64F", vec!["MCU", "FAMILY"], 40, "K64F"),
    ] {
        let application = Application::with_json(&text).target(target, &labels);
        assert_eq!(application.interval(), (value, from_json(label)), "{target} {labels:?}");
    }
}

#[test]
fn null_removes_the_setting() {
    assert_eq!(Application::with_json(json("null")).interval(), (540, "default".to_string()));
    let text = format!("{{\"target_overrides\": {{\"*\": {{\"{KEY}\": 10}}, \"K64F\": {{\"{KEY}\": null}}}}}}");
    assert_eq!(Application::with_json(&text).target("K64F", &[]).interval(), (540, "default".to_string()));
    assert_eq!(Application::with_json(&text).target("K66F", &[]).interval(), (10, from_json("*")));
}

#[test]
fn texts_that_hold_an_integer() {
    for (text, value) in [("\"540\"", 540), ("\"0x21c\"", 540), ("\" 60U \"", 60)] {
        assert_eq!(Application::with_json(json(text)).interval().0, value, "{text}");
    }
}

#[test]
fn values_out_of_range_name_place_and_value() {
    for (text, value, reason) in [
        ("0", "0", "seconds. Correct"),
        ("-1", "-1", "seconds. Correct"),
        ("4294968", "4294968", "seconds. Correct"),
        ("4294967296", "4294967296", "seconds. Correct"),
        ("\"0\"", "0 (written \"0\")", "seconds. Correct"),
        ("\"-5\"", "-5 (written \"-5\")", "seconds. Correct"),
        ("1.5", "1.5", "with a fraction or an exponent"),
        ("5.4e2", "540", "with a fraction or an exponent"),
        ("100000000000000000000", "100000000000000000000", "more than 64 bits"),
        ("\"abc\"", "\"abc\"", "the text holds no integer"),
        ("\"1.5\"", "\"1.5\"", "the text holds no integer"),
        ("\"\"", "\"\"", "the text holds no integer"),
        ("true", "true", "it is true"),
        ("[540]", "a list", "it is a list"),
        ("{}", "an object", "it is an object"),
    ] {
        let error = Application::with_json(json(text)).error();
        let place = format!("mbed_app.json: target_overrides.*.{KEY}");
        assert_holds(&error, &[&format!("is set to {value} by"), &place, "an integer from 1 to 4294967", reason]);
    }
}

#[test]
fn broken_json_names_line_and_column() {
    for (text, place) in [
        ("{\n  \"target_overrides\": {\n    \"*\": {,}\n", "mbed_app.json:3:11: "),
        ("{\n  // a comment\n}", "mbed_app.json:2:3: "),
        ("", "mbed_app.json:1:0: "),
        ("{\"a\": 01}", "mbed_app.json:1:8: "),
        ("{} {}", "mbed_app.json:1:4: "),
        ("{\"a\": 1,}", "mbed_app.json:1:9: "),
    ] {
        let error = Application::with_json(text).error();
        assert_holds(&error, &[place, "this is not the JSON of an mbed_app.json: ", "Correct the file at that line"]);
    }
    assert_holds(&Application::with_json(b"{\n\"caf\xe9\": 1}").error(), &["mbed_app.json:2:"]);
}

#[test]
fn hostile_json_is_an_error() {
    for (text, words) in [
        ("[".repeat(1_000_000), "recursion limit exceeded"),
        ("{\"a\":".repeat(100_000), "recursion limit exceeded"),
        (format!("[{}1]", "1,".repeat(5_000_000)), "larger than 4 MiB"),
        ("{\"a\": 1e999}".to_string(), "number out of range"),
        ("{\"a\": \"\\ud800\"}".to_string(), "mbed_app.json:1:"),
        (
            "{\"a\": 1,\n \"a\": 2}".to_string(),
            "mbed_app.json:2:4: this is not the JSON of an mbed_app.json: the key \"a\" stands twice",
        ),
    ] {
        let application = Application::with_json(&text);
        let errors = application.errors();
        assert_holds(&errors[0], &[words]);
    }
    let twice = format!("{{\"target_overrides\": {{\"*\": {{\"{KEY}\": 60, \"{KEY}\": 70}}}}}}");
    assert_holds(&Application::with_json(twice).error(), &[&format!("the key \"{KEY}\" stands twice")]);
}

#[test]
fn files_of_another_shape_are_errors() {
    for (text, words) in [
        ("[]", "the file's content must be an object, but it is a list"),
        ("{\"target_overrides\": 5}", "target_overrides must be an object, but it is 5"),
        ("{\"target_overrides\": {\"*\": \"x\"}}", "target_overrides.* must be an object, but it is \"x\""),
        ("{\"macros\": 5}", "macros must be a list of texts, but it is 5"),
        ("{\"macros\": [5]}", "macros[0] must be a text"),
    ] {
        assert_holds(&Application::with_json(text).error(), &["mbed_app.json: ", words]);
    }
}

#[test]
fn a_byte_order_mark_and_crlf_are_no_obstacle() {
    let text = format!("\u{feff}{}", json("60").replace(' ', "\r\n"));
    assert_eq!(Application::with_json(text).interval(), (60, from_json("*")));
}

#[test]
fn a_named_file_must_be_there() {
    let mut application = Application::new();
    application.inputs.app_json = Some(application.path("missing.json"));
    assert_holds(&application.error(), &["missing.json", "there is no such file", "MBED_APP_JSON", "APP_JSON"]);
    application.inputs.app_json = Some(application.path("."));
    assert_holds(&application.error(), &["it is a directory"]);
}

#[test]
fn a_misspelt_key_is_a_warning_with_the_right_name() {
    for written in [
        "mbed-client.tcp-keep-alive-interval",
        "mbed-client.tcp-keepalive-intervall",
        "mbed-client.tcp_keepalive_interval",
        "mbed-client.tcp-keepalive-intreval",
    ] {
        let settings = Application::with_json(json("60").replace(KEY, written)).settings();
        assert_eq!(settings.keepalive_interval_s.value, 540, "{written}");
        assert_eq!(settings.warnings.len(), 1, "{:?}", settings.warnings);
        let parts = [format!("target_overrides.*.{written} is not read"), format!("did you mean \"{KEY}\"?")];
        assert_holds(&settings.warnings[0], &[&parts[0], &parts[1]]);
    }
    let unrelated = Application::with_json(json("60").replace(KEY, "mbed-client.event-loop-size")).settings();
    assert_eq!(unrelated.warnings, [""; 0]);
}

#[test]
fn keys_that_would_be_lost_are_warnings() {
    for (text, words) in [
        (format!("{{\"{KEY}\": 60}}"), "move it to target_overrides.*"),
        (json("60").replace('*', "K64F"), "set MBED_TARGET"),
        (
            "{\"config\": {\"beat\": {\"macro_name\": \"MBED_CLIENT_TCP_KEEPALIVE_INTERVAL\", \"value\": 6}}}"
                .to_string(),
            "config.beat generates MBED_CLIENT_TCP_KEEPALIVE_INTERVAL, but is not read here",
        ),
        (json("\"TCP\"").replace(KEY, "mbed-cloud-client.transport-mode"), "mbed-cloud-client.transport-mode-tcp"),
    ] {
        let settings = Application::with_json(&text).settings();
        assert_eq!(settings.keepalive_interval_s.value, 540);
        assert_eq!(settings.warnings.len(), 1, "{:?}", settings.warnings);
        assert_holds(&settings.warnings[0], &[words]);
    }
    // With a target, another one's key is nobody's mistake.
    let application = Application::with_json(json("60").replace('*', "K64F")).target("K66F", &[]);
    assert_eq!(application.settings().warnings, [""; 0]);
}

#[test]
fn macros_are_definitions() {
    let application = Application::with_json("{\"macros\": [\"MBED_CLIENT_TCP_KEEPALIVE_INTERVAL=60\"]}");
    let source = "mbed_app.json: macros[0] (-DMBED_CLIENT_TCP_KEEPALIVE_INTERVAL=60)";
    assert_eq!(application.interval(), (60, source.to_string()));

    let text = "{\"target_overrides\": {\"K64F\": {\"target.macros_add\": [\"FAST\"]}}}";
    let header = format!("#ifdef FAST\n{}#endif\n", common::header("5"));
    let application = Application::with_json(text).header(header).target("K64F", &[]);
    assert_eq!(application.interval().0, 5);
}

#[test]
fn the_file_is_a_dependency() {
    let application = Application::with_json(json("60"));
    assert_eq!(application.settings().dependencies, [application.path("mbed_app.json")]);
}
