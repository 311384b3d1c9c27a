//! The report as JSON: `docs/netcheck.schema.json` describes it.

use mbed_cloud_connectivity::netcheck::finding::Severity;
use mbed_cloud_connectivity::netcheck::report::Report;
use serde::Serialize;

/// What a member means never changes within a version; new ones may come.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    /// None where hosts were given in place of a region.
    region: Option<&'a str>,
    /// The gravest of the findings.
    severity: Option<Severity>,
    #[serde(flatten)]
    report: &'a Report,
}

/// One object, in several lines.
pub fn json(region: Option<&str>, report: &Report) -> String {
    let document = Document { version: VERSION, region, severity: report.severity(), report };
    match serde_json::to_string_pretty(&document) {
        Ok(text) => text + "\n",
        // Strings, numbers and lists always have a form in JSON.
        Err(error) => unreachable!("the report has no form in JSON: {error}"),
    }
}
