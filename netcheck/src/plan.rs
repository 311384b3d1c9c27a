//! What is to be checked, from the command line and the files that it names.

use crate::arguments::{Arguments, Host};
use crate::endpoints::{self, EndpointsFile};
use mbed_cloud_connectivity::error::Status;
use mbed_cloud_connectivity::netcheck::endpoint::{COAPS_PORT, DEFAULT_REGION, Endpoint, Port, Transport, region};
use mbed_cloud_connectivity::netcheck::{Credentials, Options};
use std::fs::File;
use std::io::{Error, Read};
use std::path::Path;
use std::time::Duration;

/// No file that the command reads is longer: a device or a log given by mistake would fill the memory.
const MAX_FILE_SIZE: u64 = 1 << 20;

/// What is to be checked.
#[derive(Debug)]
pub struct Plan {
    /// The region; none where hosts were given.
    pub region: Option<String>,
    /// For the library.
    pub options: Options,
}

impl Plan {
    /// Reads the files. An error is one line with the next step.
    pub fn new(arguments: &Arguments) -> Result<Self, String> {
        let file = match &arguments.endpoints {
            Some(path) => read_endpoints(path)?,
            None => EndpointsFile::default(),
        };
        let mut region_name = None;
        let endpoints = if arguments.hosts.is_empty() {
            let name = arguments.region.as_deref().unwrap_or(DEFAULT_REGION);
            region_name = Some(name.to_owned());
            file.region(name).map_err(|message| match &arguments.endpoints {
                Some(path) => format!("{}: {message}.", path.display()),
                None => format!("{message}."),
            })?
        } else {
            arguments.hosts.iter().map(endpoint).collect()
        };
        let mut options = Options::new(endpoints);
        options.resolvers.clone_from(&arguments.resolvers);
        if let Some(seconds) = arguments.timeout {
            options.timeout = Duration::from_secs(seconds.into());
        }
        options.credentials = credentials(arguments)?;
        // A host that somebody names may well be on a network of its own.
        options.allow_private_addresses = !arguments.hosts.is_empty() || file.allow_private_addresses;
        Ok(Self { region: region_name, options })
    }
}

fn read_endpoints(path: &Path) -> Result<EndpointsFile, String> {
    let bytes = read(path, "endpoints")?;
    let text = String::from_utf8(bytes).map_err(|_| {
        format!("{}: the file of endpoints is no UTF-8. Write it as docs/netcheck.md describes.", path.display())
    })?;
    endpoints::read(&text)
        .map_err(|message| format!("{}:{message}. docs/netcheck.md describes the file.", path.display()))
}

/// A host of the command line, which nothing stands in for.
fn endpoint(host: &Host) -> Endpoint {
    let mut reached_by = vec![Port { transport: Transport::Tcp, number: host.port }];
    if host.port == COAPS_PORT {
        reached_by.push(Port { transport: Transport::Udp, number: host.port });
    }
    let place = if host.name.contains(':') {
        format!("[{}]:{}", host.name, host.port)
    } else {
        format!("{}:{}", host.name, host.port)
    };
    let is_same = |known: &Endpoint| known.host.eq_ignore_ascii_case(host.name.trim_end_matches('.'));
    let known = region(DEFAULT_REGION).and_then(|known| known.into_iter().find(is_same));
    Endpoint {
        service: place.clone(),
        host: host.name.clone(),
        reached_by,
        purpose: place,
        edge_only: false,
        coap: host.port == COAPS_PORT,
        expected_issuer: known.and_then(|known| known.expected_issuer),
    }
}

fn credentials(arguments: &Arguments) -> Result<Option<Credentials>, String> {
    let read = |path: &Option<std::path::PathBuf>, what| path.as_deref().map(|path| read(path, what)).transpose();
    let ca = read(&arguments.cafile, "CA certificates")?;
    let certificate = read(&arguments.cert, "device's certificate")?;
    let key = read(&arguments.key, "key")?;
    if ca.is_none() && certificate.is_none() {
        return Ok(None);
    }
    let credentials = Credentials { ca, certificate, key };
    if let Err(status) = credentials.check() {
        let path = match status {
            Status::CaInvalid => arguments.cafile.as_ref(),
            Status::KeyInvalid | Status::KeyMismatch => arguments.key.as_ref(),
            _ => arguments.cert.as_ref(),
        };
        let message = match status {
            Status::CaInvalid | Status::CertificateInvalid => {
                "holds no certificate that can be read: give PEM, or one in DER"
            }
            Status::KeyInvalid => "holds no key that can be read: give PKCS#8 or SEC1, PEM or DER, without a password",
            Status::KeyMismatch => "is not the key of the certificate: give the two that were issued together",
            status => status.text(),
        };
        return Err(format!("{} {message}.", path.map(|path| path.display().to_string()).unwrap_or_default()));
    }
    Ok(Some(credentials))
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>, String> {
    let cannot_be_read = |error: Error| {
        format!("{} cannot be read for the {what}: {error}. Check the path and its rights.", path.display())
    };
    let mut contents = Vec::new();
    let file = File::open(path).map_err(cannot_be_read)?;
    let size = file.take(MAX_FILE_SIZE + 1).read_to_end(&mut contents).map_err(cannot_be_read)?;
    if size as u64 > MAX_FILE_SIZE {
        return Err(format!("{} is no file for the {what}: it is longer than {MAX_FILE_SIZE} bytes.", path.display()));
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_of_the_default_region_keeps_its_issuer_however_it_is_written() {
        let issuer = |name: &str| endpoint(&Host { name: name.into(), port: 443 }).expected_issuer;
        for name in ["bootstrap.us-east-1.mbedcloud.com", "Bootstrap.US-east-1.mbedcloud.com."] {
            assert!(issuer(name).is_some(), "{name}");
        }
        assert_eq!(issuer("bootstrap.example"), None);
    }
}
