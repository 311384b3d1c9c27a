//! The `PAL_*` values: those of the ABI that the library matches, and what the application makes of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::compiler::Value;
use crate::error::{Error, ErrorKind};
use crate::header::{Found, Header};
use crate::integer;
use crate::source::{Setting, Source};

/// The value of a `PAL_*` macro.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PalValue {
    /// As written.
    pub text: String,
    /// Its value when it is an integer; `true` is 1 and `false` is 0.
    pub number: Option<i128>,
}

/// Every `PAL_*` value, by name.
pub type PalSettings = BTreeMap<String, Setting<PalValue>>;

/// Not among the values in force by default: without it, names are resolved synchronously (0).
pub(crate) const DNS_API_VERSION: &str = "PAL_DNS_API_VERSION";
/// Ours, not the client's: whether TLS 1.3 is offered too, and whether the configured suite is the only one offered. Off by default.
const TLS_1_3: &str = "PAL_TLS_1_3";
const ONLY_CIPHER_SUITE: &str = "PAL_TLS_ONLY_CIPHER_SUITE";
const CIPHER_SUITE: &str = "PAL_TLS_CIPHER_SUITE";
const MAX_INTERFACES: &str = "PAL_MAX_SUPORTED_NET_INTERFACES";
const RTT_ESTIMATE: &str = "PAL_DEFAULT_RTT_ESTIMATE";
const STAGGER_ESTIMATE: &str = "PAL_DEFAULT_STAGGER_ESTIMATE";
const DNS_IP_SUPPORT: &str = "PAL_NET_DNS_IP_SUPPORT";
/// A table of interfaces larger than this is a mistake.
const MOST_INTERFACES: i128 = 256;

/// `configuration_in_force` of the ABI's description.
static DEFAULTS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let abi: serde_json::Value = serde_json::from_str(include_str!("../../abi/pal.json"))
        .expect("abi/pal.json is compiled in, and the tests read it");
    let in_force = abi["configuration_in_force"].as_object().into_iter().flatten();
    let mut defaults: BTreeMap<String, String> =
        in_force.filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_string()))).collect();
    for name in [DNS_API_VERSION, TLS_1_3, ONLY_CIPHER_SUITE] {
        defaults.entry(name.to_string()).or_insert_with(|| "0".to_string());
    }
    defaults
});

/// Definitions that a `PAL_*` value of the header may use: the client's own headers define them later.
static HELPERS: LazyLock<String> = LazyLock::new(|| {
    let mut helpers = String::from("#ifndef true\n#define true 1\n#define false 0\n#endif\n");
    for (name, text) in &*DEFAULTS {
        let _ = writeln!(helpers, "#ifndef {name}\n#define {name} {text}\n#endif");
    }
    helpers
});

pub(crate) fn helpers() -> &'static str {
    &HELPERS
}

/// The names that have a default.
pub(crate) fn known_names() -> Vec<String> {
    DEFAULTS.keys().cloned().collect()
}

/// The default of a name.
pub(crate) fn default_number(name: &str) -> Option<i128> {
    let mut text = DEFAULTS.get(name)?;
    // A default may name another one; a ring of names would never end.
    for _ in 0..DEFAULTS.len() {
        match text.as_str() {
            "true" => return Some(1),
            "false" => return Some(0),
            other => match DEFAULTS.get(other) {
                Some(next) => text = next,
                None => return integer::parse(other),
            },
        }
    }
    None
}

/// Puts the header's values over the defaults, and checks those whose range is known.
pub(crate) fn merge(header: &Header, errors: &mut Vec<Error>) -> PalSettings {
    let mut settings: PalSettings = DEFAULTS
        .iter()
        .map(|(name, text)| {
            let value = PalValue { text: text.clone(), number: default_number(name) };
            (name.clone(), Setting { value, source: Source::Default })
        })
        .collect();
    for (name, found) in header.macros.iter().filter(|(name, _)| name.starts_with("PAL_")) {
        let number = match found.value {
            Value::Integer(number) => Some(number),
            _ => None,
        };
        check(name, found, number, errors);
        let value = PalValue { text: found.text.clone(), number };
        settings.insert(name.clone(), Setting { value, source: found.source.clone() });
    }
    settings
}

fn check(name: &str, found: &Found, number: Option<i128>, errors: &mut Vec<Error>) {
    if !DEFAULTS.contains_key(name) {
        return;
    }
    let suites: Vec<(&str, i128)> = DEFAULTS
        .keys()
        .filter(|name| name.starts_with("PAL_TLS_") && name.ends_with("_SUITE"))
        .filter(|name| ![CIPHER_SUITE, ONLY_CIPHER_SUITE].contains(&name.as_str()))
        .filter_map(|name| Some((name.as_str(), default_number(name)?)))
        .collect();
    let must = match (name, number) {
        (_, None) => match &found.value {
            Value::NotInteger(reason) => format!("an integer ({reason})"),
            _ => "an integer".to_string(),
        },
        (DNS_API_VERSION, Some(0 | 1 | 3)) => return,
        (DNS_API_VERSION, Some(_)) => {
            "0 (synchronous), 1 (asynchronous) or 3 (asynchronous, with cancelling)".to_string()
        }
        (TLS_1_3 | ONLY_CIPHER_SUITE, Some(0 | 1)) => return,
        (TLS_1_3 | ONLY_CIPHER_SUITE, Some(_)) => "0 or 1".to_string(),
        (CIPHER_SUITE, Some(suite)) if suites.iter().any(|(_, number)| *number == suite) => return,
        (CIPHER_SUITE, Some(_)) => {
            format!("one of {}", suites.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "))
        }
        (MAX_INTERFACES, Some(1..=MOST_INTERFACES)) => return,
        (MAX_INTERFACES, Some(_)) => format!("from 1 to {MOST_INTERFACES}"),
        (RTT_ESTIMATE, Some(0..=0xFF)) | (STAGGER_ESTIMATE, Some(0..=0xFFFF)) => return,
        (RTT_ESTIMATE, Some(_)) => "from 0 to 255".to_string(),
        (STAGGER_ESTIMATE, Some(_)) => "from 0 to 65535".to_string(),
        (DNS_IP_SUPPORT, Some(0 | 2 | 4)) => return,
        (DNS_IP_SUPPORT, Some(_)) => "0 (any family), 2 (IPv4 only) or 4 (IPv6 only)".to_string(),
        (_, Some(0..=0xFFFF_FFFF_FFFF_FFFF)) => return,
        (_, Some(_)) => "zero or more".to_string(),
    };
    let message =
        format!("{name} is set to {} by {:#}: it must be {must}. Correct it there.", found.text, found.source);
    errors.push(Error::new(ErrorKind::Value, message));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_an_integer() {
        for name in known_names() {
            assert!(default_number(&name).is_some(), "{name}");
        }
        assert_eq!(default_number("PAL_TLS_CIPHER_SUITE"), Some(4));
        assert_eq!(default_number("PAL_NET_DEFAULT_INTERFACE"), Some(0xFFFF_FFFF));
        assert_eq!(default_number("PAL_NET_SERVER_SOCKET_API"), Some(1));
        assert_eq!(default_number("PAL_DNS_API_VERSION"), Some(0));
        assert_eq!(default_number("PAL_UNKNOWN"), None);
    }
}
