//! What the command prints for reports made by hand. `MBED_NETCHECK_WRITE_GOLDEN=1 cargo test -p mbed-netcheck` writes the files of
//! `tests/golden` anew.

mod samples;

use crate::document::json;
use crate::table::{Layout, render};
use mbed_cloud_connectivity::netcheck::finding::{Finding, Kind, Severity};
use mbed_cloud_connectivity::netcheck::report::{Reach, Report};
use mbed_cloud_connectivity::netcheck::verdict::*;
use samples::{ISSUER, LAYOUTS, MILLISECONDS_34, SAMPLES, layout};
use std::path::PathBuf;

fn assert_golden(name: &str, seen: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("MBED_NETCHECK_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, seen).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(expected == seen, "{} differs from:\n{seen}", path.display());
}

#[test]
fn tables_and_json_are_as_the_golden_files() {
    for (name, sample) in SAMPLES {
        let report = sample();
        for (width, layout) in LAYOUTS {
            assert_golden(&format!("{name}-{width}.txt"), &render(&report, &layout()));
        }
        assert_golden(&format!("{name}.json"), &json(Some("us-east-1"), &report));
    }
}

#[test]
fn no_line_is_longer_than_the_terminal() {
    for (_, sample) in SAMPLES {
        let mut report = sample();
        report.endpoints[0].endpoint.host = "a-long-part.".repeat(20) + "example";
        report.endpoints[0].endpoint.service = "サービス".repeat(20);
        for width in [60, 80, 100, 110, 120] {
            for verbose in [false, true] {
                let text = render(&report, &Layout { width: Some(width), verbose, ..layout() });
                for line in text.lines() {
                    assert!(textwrap::core::display_width(line) <= width, "{width}: {line}");
                }
            }
        }
    }
}

#[test]
fn colours_are_used_only_where_they_are_asked_for_and_change_no_word() {
    for (_, sample) in SAMPLES {
        let plain = render(&sample(), &layout());
        assert!(!plain.contains('\u{1b}'));
        let coloured = render(&sample(), &Layout { colour: true, ..layout() });
        assert!(coloured.contains("\u{1b}["));
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
    }
}

#[test]
fn text_of_the_network_cannot_steer_the_terminal() {
    let mut report = samples::all_well();
    report.endpoints[0].ports[0].tls =
        Some(TlsVerdict::NotJudged { issuer: "CN=\u{1b}]0;title\u{7}\r\n\u{202e}CA".into() });
    report.endpoints[0].ports[1].tls = Some(TlsVerdict::Alert { number: 1, name: "\u{1b}[2J".into() });
    samples::judge(&mut report);
    let text = render(&report, &Layout { verbose: true, ..layout() });
    assert!(text.contains("\\u{1b}]0;title\\u{7}"));
    assert!(text.chars().all(|character| character == '\n' || !(character.is_control() || character == '\u{202e}')));
}

#[test]
fn verbose_tells_resolvers_addresses_issuers_and_times() {
    let text = render(&samples::all_well(), &Layout { verbose: true, width: None, ..layout() });
    for part in ["resolver 192.0.2.53:53: 192.0.2.10, 2001:db8::10 for 60 s", "addresses: 192.0.2.10", ISSUER, "34 ms"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn the_json_of_every_sample_and_of_every_verdict_fits_the_schema() {
    let schema = schema();
    let mut reports: Vec<Report> = SAMPLES.iter().map(|(_, sample)| sample()).collect();
    reports.extend(every_verdict());
    for report in &reports {
        for region in [Some("us-east-1"), None] {
            let value: serde_json::Value = serde_json::from_str(&json(region, report)).unwrap();
            let errors: Vec<String> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{errors:#?}\n{value:#}");
        }
    }
}

#[test]
fn the_schema_refuses_what_it_does_not_describe() {
    let schema = schema();
    let good: serde_json::Value = serde_json::from_str(&json(None, &samples::all_well())).unwrap();
    for (pointer, value) in [
        ("/version", serde_json::json!(2)),
        ("/severity", serde_json::json!("grave")),
        ("/nat/verdict", serde_json::json!("other")),
        ("/endpoints/0/name/verdict", serde_json::json!("other")),
        ("/endpoints/0/name/ttl/verdict", serde_json::json!("other")),
        ("/endpoints/0/ports/0/verdict", serde_json::json!("silent")),
        ("/endpoints/0/ports/0/tls/verdict", serde_json::json!("other")),
        ("/endpoints/0/ports/0/coap", serde_json::json!({ "verdict": "answered" })),
        ("/findings", serde_json::json!([{}])),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        assert!(!schema.is_valid(&bad), "{pointer}");
    }
    let mut bad = good.clone();
    bad["endpoints"][0]["name"]["code"] = 2.into();
    assert!(!schema.is_valid(&bad), "a member of another verdict");
    assert!(schema.is_valid(&good));
}

fn schema() -> jsonschema::Validator {
    let text = include_str!("../../docs/netcheck.schema.json");
    jsonschema::draft202012::new(&serde_json::from_str(text).unwrap()).unwrap()
}

/// Reports that have each variant of each verdict somewhere.
fn every_verdict() -> Vec<Report> {
    let address = "192.0.2.10".parse().unwrap();
    let (errno, round_trip) = (101, MILLISECONDS_34);
    let text = || "CN=Example".to_owned();
    let mut reports = Vec::new();
    let mut add = |change: &dyn Fn(&mut Report)| {
        let mut report = samples::all_well();
        change(&mut report);
        samples::judge(&mut report);
        reports.push(report);
    };
    for nat in [NatVerdict::Direct { address }, NatVerdict::BehindNat { address }, NatVerdict::NoAddress] {
        add(&|report| report.nat = nat.clone());
    }
    for name in [
        NameVerdict::Ok,
        NameVerdict::IsAddress,
        NameVerdict::NoSuchName,
        NameVerdict::ServerFailure { code: 2 },
        NameVerdict::NoAnswer,
        NameVerdict::NotTried { errno },
        NameVerdict::HostsFileOnly,
        NameVerdict::Sinkhole { address },
        NameVerdict::Disagree,
    ] {
        add(&|report| report.endpoints[0].name.verdict = name.clone());
    }
    for ttl in [
        TtlVerdict::Ok,
        TtlVerdict::Unknown,
        TtlVerdict::Stale { why: Staleness::ServedPastTtl { first: 1, later: 2 } },
        TtlVerdict::Stale { why: Staleness::TtlRaised { given: 2, elsewhere: 1 } },
    ] {
        add(&|report| report.endpoints[0].name.ttl = ttl.clone());
    }
    for tcp in [
        TcpVerdict::Open { round_trip },
        TcpVerdict::Refused,
        TcpVerdict::TimedOut,
        TcpVerdict::Unreachable { errno },
        TcpVerdict::NotTried { errno },
    ] {
        add(&|report| report.endpoints[0].ports[0].reach = Reach::Tcp(tcp.clone()));
    }
    for udp in [
        UdpVerdict::Open { round_trip },
        UdpVerdict::Silent,
        UdpVerdict::Unreachable { errno },
        UdpVerdict::NotTried { errno },
    ] {
        add(&|report| report.endpoints[2].ports[0].reach = Reach::Udp(udp.clone()));
    }
    for tls in [
        TlsVerdict::Genuine { issuer: text() },
        TlsVerdict::NotJudged { issuer: text() },
        TlsVerdict::Intercepted { expected: text(), found: text() },
        TlsVerdict::NotTls { first_bytes: b"\x00\"\\".to_vec(), http_status: None },
        TlsVerdict::NotTls { first_bytes: Vec::new(), http_status: Some(302) },
        TlsVerdict::Reset,
        TlsVerdict::Alert { number: 40, name: text() },
        TlsVerdict::TimedOut,
        TlsVerdict::Failed { error: -0x7780 },
    ] {
        add(&|report| report.endpoints[0].ports[0].tls = Some(tls.clone()));
    }
    for coap in [CoapVerdict::Answered { round_trip }, CoapVerdict::Silent] {
        add(&|report| report.endpoints[0].ports[0].coap = Some(coap.clone()));
    }
    reports
}

#[test]
fn the_exit_status_is_the_gravest_finding() {
    let mut report = samples::all_well();
    assert_eq!(crate::exit_status(&report), 0);
    for (severity, status) in [(Severity::Note, 0), (Severity::Warning, 2), (Severity::Stops, 1), (Severity::Note, 1)] {
        let text = String::new;
        let finding =
            Finding { severity, kind: Kind::Filtered, host: None, port: None, what: text(), what_to_do: text() };
        report.findings.push(finding);
        assert_eq!(crate::exit_status(&report), status);
    }
}
