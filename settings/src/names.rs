//! The names and ranges of the settings, and which other names are likely misspellings of them.

/// A setting that holds one integer.
pub(crate) struct IntegerSetting {
    /// The macro in the header and among the compile definitions.
    pub macro_name: &'static str,
    /// The key in `mbed_app.json`.
    pub key: &'static str,
    /// The unit for messages, with a leading space, or nothing.
    pub unit: &'static str,
    /// The least value accepted.
    pub least: i128,
    /// The largest value accepted.
    pub most: i128,
}

/// The largest number of seconds that fits 32 bits in milliseconds.
const MOST_SECONDS: i128 = (u32::MAX / 1000) as i128;

pub(crate) const KEEPALIVE_INTERVAL: IntegerSetting = IntegerSetting {
    macro_name: "MBED_CLIENT_TCP_KEEPALIVE_INTERVAL",
    key: "mbed-client.tcp-keepalive-interval",
    unit: " seconds",
    least: 1,
    most: MOST_SECONDS,
};

pub(crate) const MAX_RECONNECT_TIMEOUT: IntegerSetting = IntegerSetting {
    macro_name: "MBED_CLIENT_MAX_RECONNECT_TIMEOUT",
    key: "mbed-client.max-reconnect-timeout",
    unit: " seconds",
    least: 1,
    most: MOST_SECONDS,
};

pub(crate) const RECONNECTION_COUNT: IntegerSetting = IntegerSetting {
    macro_name: "MBED_CLIENT_RECONNECTION_COUNT",
    key: "mbed-client.reconnection-count",
    unit: "",
    least: 0,
    most: u32::MAX as i128,
};

/// Below 64 bytes no useful CoAP message fits; above 16 MiB one message could exhaust a device.
pub(crate) const MAX_INCOMING_MESSAGE_SIZE: IntegerSetting = IntegerSetting {
    macro_name: "SN_COAP_MAX_INCOMING_MESSAGE_SIZE",
    key: "mbed-client.sn-coap-max-incoming-message-size",
    unit: " bytes",
    least: 64,
    most: 16 * 1024 * 1024,
};

pub(crate) const CUSTOM_URI_PORT: IntegerSetting = IntegerSetting {
    macro_name: "MBED_CLOUD_CLIENT_CUSTOM_URI_PORT",
    key: "mbed-cloud-client.custom-uri-port",
    unit: "",
    least: 1,
    most: 65535,
};

pub(crate) const INTEGER_SETTINGS: [&IntegerSetting; 5] =
    [&KEEPALIVE_INTERVAL, &MAX_RECONNECT_TIMEOUT, &RECONNECTION_COUNT, &MAX_INCOMING_MESSAGE_SIZE, &CUSTOM_URI_PORT];

/// How the device speaks to the service, as the application's configuration names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransportMode {
    /// CoAP over UDP or DTLS.
    Udp,
    /// CoAP over TCP or TLS.
    Tcp,
    /// UDP, with the service keeping messages while the device sleeps.
    UdpQueue,
    /// TCP, with the service keeping messages while the device sleeps.
    TcpQueue,
}

impl TransportMode {
    /// Every mode.
    pub const ALL: [Self; 4] = [Self::Udp, Self::Tcp, Self::UdpQueue, Self::TcpQueue];

    /// The name that ends the mode's macro: `UDP`, `TCP`, `UDP_QUEUE` or `TCP_QUEUE`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::UdpQueue => "UDP_QUEUE",
            Self::TcpQueue => "TCP_QUEUE",
        }
    }

    /// The macro that chooses the mode.
    pub fn macro_name(self) -> String {
        format!("MBED_CLOUD_CLIENT_TRANSPORT_MODE_{}", self.name())
    }

    pub(crate) fn key(self) -> String {
        format!("{TRANSPORT_MODE_KEY}-{}", self.name().to_ascii_lowercase().replace('_', "-"))
    }
}

/// Not a key itself: the four modes are switches, as they are in the header.
pub(crate) const TRANSPORT_MODE_KEY: &str = "mbed-cloud-client.transport-mode";

/// The macro that Mbed tools generate for a key of the JSON file.
pub(crate) fn generated_macro(key: &str) -> String {
    format!("MBED_CONF_{}", key.to_ascii_uppercase().replace(['.', '-'], "_"))
}

/// Every key of the JSON file that is a setting of ours.
pub(crate) fn keys() -> Vec<String> {
    let integers = INTEGER_SETTINGS.iter().map(|setting| setting.key.to_string());
    integers.chain(TransportMode::ALL.iter().map(|mode| mode.key())).collect()
}

/// Every macro of the header that is a setting of ours, `PAL_*` aside.
pub(crate) fn macros() -> Vec<String> {
    let integers = INTEGER_SETTINGS.iter().map(|setting| setting.macro_name.to_string());
    integers.chain(TransportMode::ALL.iter().map(|mode| mode.macro_name())).collect()
}

/// Whether one insertion, deletion, replacement or exchange of neighbours makes `written` into `meant`.
///
/// Letter case and `_` for `-` do not count as edits, as a key that differs only there is not read either.
pub(crate) fn is_misspelt(written: &str, meant: &str) -> bool {
    if written == meant {
        return false;
    }
    let written = plain(written);
    let meant = plain(meant);
    let start = written.iter().zip(&meant).take_while(|(left, right)| left == right).count();
    let (written, meant) = (&written[start..], &meant[start..]);
    match (written, meant) {
        ([], []) => true,
        ([], rest) | (rest, []) => rest.len() == 1,
        ([first, left @ ..], [second, right @ ..]) => {
            let exchanged = match (left, right) {
                ([other, left @ ..], [another, right @ ..]) => other == second && another == first && left == right,
                _ => false,
            };
            left == meant || written == right || left == right || exchanged
        }
    }
}

fn plain(name: &str) -> Vec<char> {
    name.chars().map(|letter| if letter == '_' { '-' } else { letter.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_follow_the_pattern() {
        assert_eq!(generated_macro(KEEPALIVE_INTERVAL.key), "MBED_CONF_MBED_CLIENT_TCP_KEEPALIVE_INTERVAL");
        assert_eq!(generated_macro(CUSTOM_URI_PORT.key), "MBED_CONF_MBED_CLOUD_CLIENT_CUSTOM_URI_PORT");
        assert_eq!(
            generated_macro(&TransportMode::TcpQueue.key()),
            "MBED_CONF_MBED_CLOUD_CLIENT_TRANSPORT_MODE_TCP_QUEUE"
        );
    }

    #[test]
    fn one_edit_is_a_misspelling() {
        let meant = KEEPALIVE_INTERVAL.key;
        for written in [
            "mbed-client.tcp-keep-alive-interval",
            "mbed-client.tcp-keepalive-intervall",
            "mbed-client.tcp-keepalive-interva",
            "mbed-client.tcp-keepalive-intervla",
            "mbed-client.tcp-keepalive-intervsl",
            "mbed-client.tcp_keepalive_interval",
            "Mbed-Client.tcp-keepalive-interval",
            "bed-client.tcp-keepalive-interval",
        ] {
            assert!(is_misspelt(written, meant), "{written}");
        }
    }

    #[test]
    fn two_edits_are_another_name() {
        let meant = KEEPALIVE_INTERVAL.key;
        for written in [meant, "", "mbed-client.udp-keepalive-interval", "mbed-client.tcp-keep-alive-intervall"] {
            assert!(!is_misspelt(written, meant), "{written}");
        }
    }

    #[test]
    fn no_two_names_of_ours_are_misspellings_of_each_other() {
        for names in [keys(), macros()] {
            for written in &names {
                assert!(!names.iter().any(|meant| is_misspelt(written, meant)), "{written}");
            }
        }
    }
}
