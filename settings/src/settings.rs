//! The settings that one reading gives.

use std::path::PathBuf;

use crate::definition::Definitions;
use crate::error::{Error, ErrorKind, Errors};
use crate::header;
use crate::inputs::{Inputs, absolute};
use crate::json::{self, AppJson};
use crate::merge::Merge;
use crate::names::{self, TransportMode};
use crate::pal::{self, PalSettings};
use crate::source::Setting;

/// Seconds between keepalives unless configured.
pub const DEFAULT_KEEPALIVE_INTERVAL_S: u32 = 540;
/// Seconds that a wait before a reconnection may last unless configured.
pub const DEFAULT_MAX_RECONNECT_TIMEOUT_S: u32 = 14_400;
/// Bytes of the largest message accepted unless configured.
pub const DEFAULT_MAX_INCOMING_MESSAGE_SIZE: u32 = 65_535;

/// Everything that the application configures, each value with the place that it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Seconds between keepalives (`MBED_CLIENT_TCP_KEEPALIVE_INTERVAL`), 1 to 4294967.
    pub keepalive_interval_s: Setting<u32>,
    /// The longest wait before a reconnection, in seconds (`MBED_CLIENT_MAX_RECONNECT_TIMEOUT`), 1 to 4294967.
    pub max_reconnect_timeout_s: Setting<u32>,
    /// How many reconnections are tried (`MBED_CLIENT_RECONNECTION_COUNT`), where the application says so.
    pub reconnection_count: Option<Setting<u32>>,
    /// Bytes of the largest message accepted (`SN_COAP_MAX_INCOMING_MESSAGE_SIZE`), 64 to 16777216.
    pub max_incoming_message_size: Setting<u32>,
    /// How the device speaks to the service (`MBED_CLOUD_CLIENT_TRANSPORT_MODE_*`).
    pub transport_mode: Setting<TransportMode>,
    /// The port used in place of the one in the service's address (`MBED_CLOUD_CLIENT_CUSTOM_URI_PORT`), where set.
    pub custom_uri_port: Option<Setting<u16>>,
    /// Every `PAL_*` value, by name.
    pub pal: PalSettings,
    /// What the person who builds should know although nothing is wrong, such as a key that looks misspelt.
    pub warnings: Vec<String>,
    /// Every file whose change changes the settings, as absolute paths.
    pub dependencies: Vec<PathBuf>,
}

impl Settings {
    /// A `PAL_*` value as an integer, if it has one.
    pub fn pal_number(&self, name: &str) -> Option<i128> {
        self.pal.get(name)?.value.number
    }

    /// The DNS API that the application is built for (`PAL_DNS_API_VERSION`): 0, 1 or 3.
    pub fn dns_api_version(&self) -> u32 {
        self.pal_number(pal::DNS_API_VERSION).and_then(|number| u32::try_from(number).ok()).unwrap_or_default()
    }

    /// Checks that an archive built for the DNS API `version` suits the application.
    ///
    /// # Errors
    /// The versions differ.
    pub fn check_archive_dns_api_version(&self, version: u32) -> Result<(), Errors> {
        if self.dns_api_version() == version {
            return Ok(());
        }
        let message = format!(
            "The application is configured for {}={} ({:#}), but the archive that it links was built for {version}. \
             Set it to {version}, or build the archive from source with the application's own configuration.",
            pal::DNS_API_VERSION,
            self.dns_api_version(),
            self.pal[pal::DNS_API_VERSION].source
        );
        Err(Error::new(ErrorKind::Archive, message).into())
    }
}

/// Reads every input and merges them.
///
/// # Errors
/// Everything that is wrong with the inputs, all together: see [`ErrorKind`].
pub fn read(inputs: &Inputs) -> Result<Settings, Errors> {
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    let mut dependencies = Vec::new();

    let app_json = inputs.app_json.as_deref().map(absolute);
    let app = app_json.as_deref().map(|path| {
        dependencies.push(path.to_path_buf());
        json::read(path, inputs, &mut errors, &mut warnings)
    });

    let definitions = definitions(inputs, app_json.as_deref().zip(app.as_ref()), &mut errors);
    let header = header::read(inputs, &definitions, &mut errors, &mut warnings);
    dependencies.extend(header.files.iter().cloned());

    let pal = pal::merge(&header, &mut errors);
    let app = app_json.as_deref().zip(app.as_ref());
    let mut merge = Merge { header: &header, app, errors: &mut errors };
    let settings = Settings {
        keepalive_interval_s: merge.integer_or(&names::KEEPALIVE_INTERVAL, DEFAULT_KEEPALIVE_INTERVAL_S),
        max_reconnect_timeout_s: merge.integer_or(&names::MAX_RECONNECT_TIMEOUT, DEFAULT_MAX_RECONNECT_TIMEOUT_S),
        reconnection_count: merge.integer(&names::RECONNECTION_COUNT),
        max_incoming_message_size: merge
            .integer_or(&names::MAX_INCOMING_MESSAGE_SIZE, DEFAULT_MAX_INCOMING_MESSAGE_SIZE),
        transport_mode: merge.transport_mode(),
        custom_uri_port: merge.integer(&names::CUSTOM_URI_PORT),
        pal,
        warnings,
        dependencies,
    };
    Errors::check(errors)?;
    Ok(settings)
}

/// The definitions of the JSON file, then those of the command line, as Mbed tools order them.
fn definitions(inputs: &Inputs, app: Option<(&std::path::Path, &AppJson)>, errors: &mut Vec<Error>) -> Definitions {
    let mut definitions = Definitions::default();
    if let Some((file, app)) = app {
        for (text, path) in &app.definitions {
            definitions.add(std::slice::from_ref(text), Some((file, path)), errors);
        }
    }
    definitions.add(&inputs.definitions, None, errors);
    definitions
}
