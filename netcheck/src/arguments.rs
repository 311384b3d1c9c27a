//! The command line. `build.rs` makes the manual page and the completions from it, so it names nothing of the library.

use std::net::SocketAddr;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Exit status: 0 all is well; 1 something stops the device; 2 it works, with a warning; 64 the command line or a file that it names \
is wrong; 70 a fault of this program.

No address, name or certificate leaves this machine but as the question to the resolver or host that is checked.";

/// Says why a device is offline: checks names, ports, TLS and NAT on the way to the device management service
#[derive(Debug, clap::Parser)]
#[command(name = "mbed-netcheck", version, after_help = AFTER_HELP)]
pub struct Arguments {
    /// The region of the service [default: us-east-1]
    #[arg(long, value_name = "R", conflicts_with = "hosts")]
    pub region: Option<String>,

    /// A TOML file that adds regions and replaces hosts
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub endpoints: Option<PathBuf>,

    /// A host and port in place of the region's, by TCP, and by UDP as well where the port is 5684; may be repeated
    #[arg(long = "host", value_name = "H:P", value_parser = host, value_hint = clap::ValueHint::Hostname)]
    pub hosts: Vec<Host>,

    /// A resolver in place of the system's, as 192.0.2.53:53 or [2001:db8::53]:53; may be repeated
    #[arg(long = "resolver", value_name = "IP:PORT", value_parser = resolver)]
    pub resolvers: Vec<SocketAddr>,

    /// The certificates of the CA that every host's certificate has to come from, PEM or DER
    #[arg(long, value_name = "F", value_hint = clap::ValueHint::FilePath)]
    pub cafile: Option<PathBuf>,

    /// This device's certificate, PEM or DER: with it a ping goes through the session
    #[arg(long, value_name = "F", requires = "key", value_hint = clap::ValueHint::FilePath)]
    pub cert: Option<PathBuf>,

    /// The key of this device's certificate, PEM or DER
    #[arg(long, value_name = "F", requires = "cert", value_hint = clap::ValueHint::FilePath)]
    pub key: Option<PathBuf>,

    /// Seconds for the whole check, 1 to 300 [default: 14]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=300))]
    pub timeout: Option<u32>,

    /// Print one JSON object, of the form in docs/netcheck.schema.json, in place of the table
    #[arg(long)]
    pub json: bool,

    /// Print what each resolver said, each address that was tried, the issuers, and times; --json holds all of that
    #[arg(long)]
    pub verbose: bool,
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its name or address, without brackets.
    pub name: String,
    /// The port.
    pub port: u16,
}

fn host(text: &str) -> Result<Host, String> {
    let (name, port) = text.rsplit_once(':').ok_or("it has no port: write HOST:PORT, such as device.example:5684")?;
    let port = match port.parse::<u16>() {
        Ok(port) if port > 0 => port,
        _ => return Err(format!("\"{port}\" is no port: ports are 1 to 65535")),
    };
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return match address.parse::<std::net::Ipv6Addr>() {
            Ok(_) => Ok(Host { name: address.into(), port }),
            Err(_) => Err(format!("\"{address}\" is no IPv6 address")),
        };
    }
    if name.contains(':') {
        return Err("write an IPv6 address in brackets, such as [2001:db8::1]:5684".into());
    }
    check_host_name(name)?;
    Ok(Host { name: name.into(), port })
}

/// Names as RFC 1123 section 2.1 has them, with the underscore that some use.
pub fn check_host_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("the host is missing".into());
    }
    if name.len() > 253 {
        return Err(format!("the host has {} characters: a name has at most 253", name.len()));
    }
    for label in name.trim_end_matches('.').split('.') {
        if label.is_empty() || label.len() > 63 {
            return Err("the parts of a host's name, between the dots, have 1 to 63 characters".into());
        }
        if !label.chars().all(|character| character.is_ascii_alphanumeric() || "-_".contains(character)) {
            return Err("a host's name has letters, digits, hyphens and dots".into());
        }
    }
    Ok(())
}

fn resolver(text: &str) -> Result<SocketAddr, String> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() > 0 => Ok(address),
        _ => Err("write an address and a port, such as 192.0.2.53:53 or [2001:db8::53]:53".into()),
    }
}
