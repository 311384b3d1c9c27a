//! The file of `--endpoints`: regions of one's own, and hosts in place of others. `docs/netcheck.md` describes it.

use crate::arguments::check_host_name;
use mbed_cloud_connectivity::netcheck::endpoint::{self, Endpoint, Port, Transport};
use mbed_cloud_connectivity::tls::name;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use toml::Spanned;

/// A file that was read and checked.
#[derive(Debug, Default, PartialEq)]
pub struct EndpointsFile {
    /// The regions that the file adds.
    regions: BTreeMap<String, Vec<Endpoint>>,
    /// Hosts, and what stands in for them.
    hosts: BTreeMap<String, String>,
    /// Whether addresses of private networks are as good as others.
    pub allow_private_addresses: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    #[serde(default)]
    regions: BTreeMap<Spanned<String>, Spanned<Vec<Entry>>>,
    #[serde(default)]
    hosts: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    allow_private_addresses: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    service: String,
    host: Spanned<String>,
    ports: Spanned<Vec<Spanned<String>>>,
    purpose: Option<String>,
    #[serde(default)]
    edge_only: bool,
    coap: Option<bool>,
    expected_issuer: Option<Spanned<String>>,
}

/// Reads the text of a file. An error is one line: `LINE:COLUMN: what is wrong and what is expected`.
pub fn read(text: &str) -> Result<EndpointsFile, String> {
    let contents: Contents = toml::from_str(text).map_err(|error| {
        let message = error.message().trim().replace('\n', ", ");
        format!("{}: {message}", place(text, error.span().map_or(0, |span| span.start)))
    })?;
    let at = |start: usize, message: String| format!("{}: {message}", place(text, start));
    let mut regions = BTreeMap::new();
    for (name, entries) in contents.regions {
        if entries.get_ref().is_empty() {
            let message = format!("the region \"{}\" has no endpoint: it needs one at least", name.get_ref());
            return Err(at(entries.span().start, message));
        }
        let endpoints: Result<Vec<Endpoint>, (usize, String)> =
            entries.into_inner().into_iter().map(endpoint).collect();
        regions.insert(name.into_inner(), endpoints.map_err(|(start, message)| at(start, message))?);
    }
    let mut hosts = BTreeMap::new();
    for (old, new) in contents.hosts {
        check_host(new.get_ref()).map_err(|message| at(new.span().start, message))?;
        hosts.insert(old, new.into_inner());
    }
    Ok(EndpointsFile { regions, hosts, allow_private_addresses: contents.allow_private_addresses })
}

impl EndpointsFile {
    /// The endpoints of a region, of the file or of the library, with the hosts that the file puts in.
    pub fn region(&self, name: &str) -> Result<Vec<Endpoint>, String> {
        let Some(mut endpoints) = self.regions.get(name).cloned().or_else(|| endpoint::region(name)) else {
            let mut known: Vec<&str> = self.regions.keys().map(String::as_str).collect();
            if !known.contains(&endpoint::DEFAULT_REGION) {
                known.push(endpoint::DEFAULT_REGION);
            }
            return Err(format!(
                "there is no region {name:?}: known are {}. A file given with --endpoints can add it",
                known.join(", ")
            ));
        };
        for (old, new) in &self.hosts {
            let mut replaced = false;
            for endpoint in endpoints.iter_mut().filter(|endpoint| endpoint.host == *old) {
                endpoint.host.clone_from(new);
                replaced = true;
            }
            if !replaced {
                return Err(format!("[hosts] replaces {old:?}, which the region {name:?} does not have"));
            }
        }
        Ok(endpoints)
    }
}

fn endpoint(entry: Entry) -> Result<Endpoint, (usize, String)> {
    let at = |start: usize| move |message: String| (start, message);
    check_host(entry.host.get_ref()).map_err(at(entry.host.span().start))?;
    if entry.ports.get_ref().is_empty() {
        return Err((entry.ports.span().start, format!("there is no port: {PORTS}")));
    }
    let mut reached_by = Vec::new();
    for text in entry.ports.into_inner() {
        reached_by.push(port(text.get_ref()).map_err(at(text.span().start))?);
    }
    if let Some(issuer) = &entry.expected_issuer {
        if name::parse(issuer.get_ref()).is_none() {
            let text = issuer.get_ref().escape_debug();
            return Err((
                issuer.span().start,
                format!("\"{text}\" is no name: expected one such as \"C=GB, CN=Example CA\""),
            ));
        }
    }
    Ok(Endpoint {
        purpose: entry.purpose.unwrap_or_else(|| entry.service.clone()),
        service: entry.service,
        host: entry.host.into_inner(),
        reached_by,
        edge_only: entry.edge_only,
        coap: entry.coap.unwrap_or(!entry.edge_only),
        expected_issuer: entry.expected_issuer.map(Spanned::into_inner),
    })
}

const PORTS: &str = "expected ports such as \"tcp/5684\" or \"udp/5684\", from 1 to 65535";

fn port(text: &str) -> Result<Port, String> {
    let wrong = || format!("\"{}\" is no port: {PORTS}", text.escape_debug());
    let (transport, number) = text.split_once('/').ok_or_else(wrong)?;
    let transport = match transport {
        "tcp" => Transport::Tcp,
        "udp" => Transport::Udp,
        _ => return Err(wrong()),
    };
    match number.parse() {
        Ok(number) if number > 0 => Ok(Port { transport, number }),
        _ => Err(wrong()),
    }
}

fn check_host(host: &str) -> Result<(), String> {
    if host.parse::<IpAddr>().is_ok() { Ok(()) } else { check_host_name(host) }
}

/// `LINE:COLUMN` of a byte, both from 1.
fn place(text: &str, start: usize) -> String {
    let before = text.get(..start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{line}:{column}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
allow_private_addresses = true

[hosts]
"lwm2m.us-east-1.mbedcloud.com" = "lwm2m.example"

[[regions.factory]]
service = "CoAP bootstrap"
host = "bootstrap.example"
ports = ["tcp/5684", "udp/5684"]
purpose = "bootstrap"
expected_issuer = "CN=Example CA"

[[regions.factory]]
service = "Registry"
host = "192.0.2.1"
ports = ["tcp/443"]
edge_only = true
"#;

    #[test]
    fn a_file_adds_regions_and_replaces_hosts() {
        let file = read(GOOD).unwrap();
        assert!(file.allow_private_addresses);
        let endpoints = file.region(endpoint::DEFAULT_REGION).unwrap();
        assert_eq!(endpoints.len(), 7);
        assert_eq!(endpoints[1].host, "lwm2m.example");
        let factory = &file.regions["factory"];
        assert_eq!(factory[0].reached_by.len(), 2);
        assert_eq!(factory[0].expected_issuer.as_deref(), Some("CN=Example CA"));
        assert_eq!((factory[1].purpose.as_str(), factory[1].coap, factory[1].edge_only), ("Registry", false, true));
        assert_eq!(
            file.region("factory").unwrap_err(),
            "[hosts] replaces \"lwm2m.us-east-1.mbedcloud.com\", which the region \"factory\" does not have"
        );
        assert!(file.region("elsewhere").unwrap_err().contains("factory, us-east-1"));
        assert_eq!(read("").unwrap(), EndpointsFile::default());
    }

    #[test]
    fn the_example_of_the_documentation_can_be_read() {
        let text = include_str!("../../docs/netcheck.md");
        let example = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let file = read(example).unwrap();
        assert!(!file.regions.is_empty());
        for region in file.regions.keys() {
            file.region(region).unwrap();
        }
    }

    #[test]
    fn errors_say_line_and_column_and_what_is_expected() {
        let host = "a".repeat(300);
        for (wrong, right, place, texts) in [
            ("edge_only", "edge", "18:1", &["unknown field `edge`", "expected one of", "`edge_only`"][..]),
            ("CN=Example CA", "Example CA", "12:19", &["Example CA", "is no name", "C=GB"]),
            ("\"CoAP bootstrap\"", "5", "8:11", &["integer `5`", "expected a string"]),
            ("tcp/443", "tcp/0", "17:10", &["\"tcp/0\" is no port", "1 to 65535"]),
            ("tcp/443", "tcp/70000", "17:10", &["\"tcp/70000\" is no port"]),
            ("tcp/443", "443", "17:10", &["\"443\" is no port", "tcp/5684"]),
            ("[\"tcp/443\"]", "[]", "17:9", &["there is no port"]),
            ("bootstrap.example", &host, "9:8", &["300 characters", "at most 253"]),
            ("bootstrap.example", "a b", "9:8", &["letters, digits, hyphens and dots"]),
            ("host = \"192.0.2.1\"\n", "", "", &["missing field `host`"]),
            ("= true\n\n[hosts]", "= true\n\nregions.none = []\n[hosts]", "4:16", &["\"none\" has no endpoint"]),
            ("[hosts]", "[hosts", "4:7", &["]"]),
            ("[hosts]", "[host]", "4:2", &["unknown field `host`", "`hosts`"]),
        ] {
            let error = read(&GOOD.replacen(wrong, right, 1)).unwrap_err();
            assert!(error.starts_with(place), "{right}: {error}");
            assert!(!error.contains('\n'), "{error}");
            for text in texts {
                assert!(error.contains(text), "{right}: {text} is not in: {error}");
            }
        }
    }
}
