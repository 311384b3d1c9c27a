//! What the sessions of one connection share.

use crate::error::{Failure, Status};
use mbed_cloud_connectivity_mbedtls::config::{
    CipherSuite, ClientConfig, ProtocolVersion, TransportKind, Verification,
};
use mbed_cloud_connectivity_mbedtls::pk::PrivateKey;
use mbed_cloud_connectivity_mbedtls::session::SavedSession;
use mbed_cloud_connectivity_mbedtls::x509::{CertificateChain, RevocationList};
use mbed_cloud_connectivity_mbedtls::{Error, ErrorKind, ServerName};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// RFC 4279 section 5.3 asks for identities of 128 bytes at least.
pub(super) const MAX_PSK_IDENTITY_SIZE: usize = 128;
/// What Mbed TLS takes.
pub(super) const MAX_PSK_SIZE: usize = 32;
/// The first wait for an answer in a DTLS handshake, and the longest, to which it doubles (RFC 6347 section 4.2.4.1).
const RETRANSMISSION: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// How often a session is offered over datagrams to a server that says nothing: with it a ClientHello may be longer than what the path
/// or the server takes.
const MAX_OFFERS: u8 = 3;

/// A TLS version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// TLS 1.2
    Tls12,
    /// TLS 1.3
    Tls13,
}

/// How the server and this device prove who they are. Certificates and keys are PEM or DER.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// What carries the records: a stream for TLS, datagrams for DTLS.
    pub transport: TransportKind,
    /// The server's name or address.
    pub server_name: &'a str,
    /// Whether its certificate has to be for that name.
    pub check_server_name: bool,
    /// The lowest and the highest version; of DTLS there is 1.2 alone.
    pub versions: (Version, Version),
    /// The CA certificates.
    pub ca: Option<&'a [u8]>,
    /// Revoked certificates.
    pub crl: Option<&'a [u8]>,
    /// The device's own chain.
    pub certificate: Option<&'a [u8]>,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// The key's password.
    pub key_password: Option<&'a [u8]>,
    /// The identity of the pre-shared key.
    pub psk_identity: Option<&'a [u8]>,
    /// The pre-shared key.
    pub psk: Option<&'a [u8]>,
}

/// Checked options, and the latest session, which the next one resumes where the server allows it.
pub struct Config {
    pub(super) client: Arc<ClientConfig>,
    pub(super) transport: TransportKind,
    server_name: String,
    check_server_name: bool,
    saved: Mutex<Option<Offer>>,
}

/// A session to resume, and how often it was offered.
pub(super) struct Offer {
    pub(super) session: SavedSession,
    times: u8,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Config").finish_non_exhaustive()
    }
}

impl Config {
    /// Reads and checks the options; each mistake has its own status.
    pub fn new(options: &Options<'_>) -> Result<Self, Failure> {
        let (minimum, mut maximum) = options.versions;
        if minimum > maximum {
            return Err(Status::InvalidArgument.into());
        }
        if options.transport == TransportKind::Datagram {
            if minimum > Version::Tls12 {
                return Err(Status::Unsupported.into());
            }
            maximum = Version::Tls12;
        }
        let mut builder = ClientConfig::builder(options.transport)
            .versions(version(minimum), version(maximum))
            .verification(Verification::Required)
            .session_tickets(true)
            .retransmission(RETRANSMISSION.0, RETRANSMISSION.1);
        match (options.ca, options.psk.or(options.psk_identity)) {
            (None, None) => return Err(Status::TrustMissing.into()),
            (Some(ca), _) => {
                builder = builder.trusted(CertificateChain::parse(ca).map_err(as_status(Status::CaInvalid))?)
            }
            (None, Some(_)) => {}
        }
        if options.ca.is_none() {
            // No certificate could be judged: a server that is offered both would choose one in vain, as GnuTLS's does.
            let suites = CipherSuite::all().into_iter().filter(|suite| suite.goes_without_certificate());
            builder = builder.cipher_suites(&suites.map(CipherSuite::number).collect::<Vec<_>>());
        }
        if let Some(crl) = options.crl {
            builder = builder.revocation(RevocationList::parse(crl).map_err(as_status(Status::CrlInvalid))?);
        }
        match (options.certificate, options.key) {
            (Some(certificate), Some(key)) => {
                let chain = CertificateChain::parse(certificate).map_err(as_status(Status::CertificateInvalid))?;
                let key = PrivateKey::parse(key, options.key_password).map_err(as_status(Status::KeyInvalid))?;
                if !key.matches(&chain).map_err(as_status(Status::KeyMismatch))? {
                    return Err(Status::KeyMismatch.into());
                }
                builder = builder.identity(chain, key);
            }
            (Some(_), None) => return Err(Status::KeyInvalid.into()),
            (None, Some(_)) => return Err(Status::CertificateInvalid.into()),
            (None, None) => {}
        }
        match (options.psk_identity, options.psk) {
            (Some(identity), Some(key)) if identity.len() <= MAX_PSK_IDENTITY_SIZE && key.len() <= MAX_PSK_SIZE => {
                builder = builder.psk(identity, key);
            }
            (None, None) => {}
            _ => return Err(Status::PskInvalid.into()),
        }
        let client = builder.build().map_err(as_status(Status::InvalidArgument))?;
        let config = Self {
            client,
            transport: options.transport,
            server_name: without_zone_and_dot(options.server_name).to_owned(),
            check_server_name: options.check_server_name,
            saved: Mutex::new(None),
        };
        if config.check_server_name && config.server_name.is_empty() {
            return Err(Status::InvalidArgument.into());
        }
        Ok(config)
    }

    pub(super) fn server_name(&self) -> ServerName<'_> {
        let is_address = self.server_name.parse::<IpAddr>().is_ok();
        match (self.check_server_name, is_address || self.server_name.is_empty()) {
            (true, _) => ServerName::Check(&self.server_name),
            (false, false) => ServerName::SendOnly(&self.server_name),
            (false, true) => ServerName::Unchecked,
        }
    }

    /// The session to resume. It is taken: a ticket is used once (RFC 8446 appendix C.4).
    pub(super) fn take_saved(&self) -> Option<Offer> {
        let offer = self.saved().take()?;
        Some(Offer { times: offer.times + 1, ..offer })
    }

    pub(super) fn save(&self, session: SavedSession) {
        *self.saved() = Some(Offer { session, times: 0 });
    }

    /// Takes back a session that was offered to a server that did not answer, for the next address or attempt.
    pub(super) fn give_back(&self, offer: Offer) {
        if offer.times < MAX_OFFERS {
            self.saved().get_or_insert(offer);
        }
    }

    fn saved(&self) -> MutexGuard<'_, Option<Offer>> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A zone is of this device, and a final dot of the DNS: neither is part of the name in a certificate (RFC 6066 section 3).
pub(super) fn without_zone_and_dot(host: &str) -> &str {
    let name = host.split('%').next().unwrap_or_default();
    name.strip_suffix('.').unwrap_or(name)
}

fn version(version: Version) -> ProtocolVersion {
    match version {
        Version::Tls12 => ProtocolVersion::Tls12,
        Version::Tls13 => ProtocolVersion::Tls13,
    }
}

/// The status of what failed, unless memory did.
fn as_status(status: Status) -> impl Fn(Error) -> Failure {
    move |error| match error.kind() {
        ErrorKind::AllocationFailed => Status::OutOfMemory.into(),
        _ => Failure::with_detail(status, error.code()),
    }
}
