//! What the sessions of one configuration offer, trust and prove.

use super::Refusal;
use crate::lock::lock;
use crate::settings;
use crate::tls::config::{MAX_PSK_IDENTITY_SIZE, MAX_PSK_SIZE};
use mbed_cloud_connectivity_mbedtls::config::{ClientConfig, ProtocolVersion, TransportKind, Verification};
use mbed_cloud_connectivity_mbedtls::pk::PrivateKey;
use mbed_cloud_connectivity_mbedtls::x509::{CertificateChain, RevocationList};
use mbed_cloud_connectivity_mbedtls::{Error, ErrorKind, ServerName};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use zeroize::Zeroizing;

/// The longest name of the DNS (RFC 1035 section 2.3.4).
const MAX_NAME_SIZE: usize = 255;

/// A configuration. It can be changed at any time; what a session is made of is what stood there at its first handshake.
#[derive(Debug)]
pub struct Configuration {
    kind: TransportKind,
    parts: Mutex<Parts>,
}

#[derive(Debug, Default)]
struct Parts {
    ca: Option<Arc<CertificateChain>>,
    crl: Option<Arc<RevocationList>>,
    own: Vec<Vec<u8>>,
    key: Option<Arc<PrivateKey>>,
    psk: Option<(Vec<u8>, Secret)>,
    retransmission: Option<(Duration, Duration)>,
    server_name: Option<String>,
    is_storing: bool,
    is_debugging: bool,
    /// What the parts come to, until one of them changes.
    built: Option<Arc<ClientConfig>>,
}

struct Secret(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// What a session takes from its configuration.
pub(super) struct Basis {
    pub client: Arc<ClientConfig>,
    pub server_name: Option<String>,
    pub is_storing: bool,
    pub is_debugging: bool,
}

impl Basis {
    pub fn server_name(&self) -> ServerName<'_> {
        self.server_name.as_deref().map_or(ServerName::Unchecked, ServerName::Check)
    }
}

impl Configuration {
    /// An empty one.
    pub fn new(kind: TransportKind) -> Self {
        Self { kind, parts: Mutex::default() }
    }

    /// What carries the records.
    pub fn kind(&self) -> TransportKind {
        self.kind
    }

    /// Whom to trust, and which certificates are revoked. DER or PEM.
    pub fn set_trusted(&self, ca: &[u8], crl: Option<&[u8]>) -> Result<(), Refusal> {
        let ca = CertificateChain::parse(ca).map_err(unless_memory(Refusal::Certificate))?;
        let crl = crl.map(RevocationList::parse).transpose().map_err(unless_memory(Refusal::Certificate))?;
        self.change(|parts| (parts.ca, parts.crl) = (Some(ca), crl));
        Ok(())
    }

    /// Adds a certificate to the own chain, the own one first. DER or PEM.
    pub fn add_own_certificate(&self, certificate: &[u8]) -> Result<(), Refusal> {
        let chain = CertificateChain::parse(certificate).map_err(unless_memory(Refusal::Certificate))?;
        // Not what stands behind it: callers give the size of their buffer.
        self.change(|parts| parts.own.extend(chain.certificates().iter().map(|link| link.der.clone())));
        Ok(())
    }

    /// The key of the own certificate. DER (SEC 1, PKCS#8) or PEM.
    pub fn set_own_key(&self, key: &[u8]) -> Result<(), Refusal> {
        let key = PrivateKey::parse(key, None).map_err(unless_memory(Refusal::Key))?;
        self.change(|parts| parts.key = Some(key));
        Ok(())
    }

    /// A pre-shared key, which then stands for certificates: 1 to 32 bytes, and 1 to 128 of its identity.
    pub fn set_psk(&self, identity: &[u8], key: &[u8]) -> Result<(), Refusal> {
        if !(1..=MAX_PSK_IDENTITY_SIZE).contains(&identity.len()) || !(1..=MAX_PSK_SIZE).contains(&key.len()) {
            return Err(Refusal::Argument);
        }
        let psk = (identity.to_vec(), Secret(Zeroizing::new(key.to_vec())));
        self.change(|parts| parts.psk = Some(psk));
        Ok(())
    }

    /// The first and the longest time between retransmissions in a handshake of DTLS.
    pub fn set_retransmission(&self, first: Duration, longest: Duration) -> Result<(), Refusal> {
        if first.is_zero() || first > longest {
            return Err(Refusal::Argument);
        }
        self.change(|parts| parts.retransmission = Some((first, longest)));
        Ok(())
    }

    /// The name that is sent and that the server's certificate has to be for; none: none.
    pub fn set_server_name(&self, name: Option<&str>) -> Result<(), Refusal> {
        if name.is_some_and(|name| name.is_empty() || name.len() > MAX_NAME_SIZE) {
            return Err(Refusal::Argument);
        }
        self.change(|parts| parts.server_name = name.map(str::to_owned));
        Ok(())
    }

    /// Whether sessions are kept, and kept ones used.
    pub fn set_storing(&self, is_storing: bool) {
        lock(&self.parts).is_storing = is_storing;
    }

    /// Whether sessions are kept.
    pub fn is_storing(&self) -> bool {
        lock(&self.parts).is_storing
    }

    /// Whether the log tells more of its sessions.
    pub fn set_debugging(&self, is_debugging: bool) {
        lock(&self.parts).is_debugging = is_debugging;
    }

    fn change(&self, change: impl FnOnce(&mut Parts)) {
        let mut parts = lock(&self.parts);
        parts.built = None;
        change(&mut parts);
    }

    /// What a session takes from it now.
    pub(super) fn basis(&self) -> Result<Basis, Refusal> {
        let mut parts = lock(&self.parts);
        let client = match &parts.built {
            Some(built) => built.clone(),
            None => {
                let built = self.build(&parts)?;
                parts.built = Some(built.clone());
                built
            }
        };
        let Parts { server_name, is_storing, is_debugging, .. } = &*parts;
        let (server_name, is_storing, is_debugging) = (server_name.clone(), *is_storing, *is_debugging);
        Ok(Basis { client, server_name, is_storing, is_debugging })
    }

    fn build(&self, parts: &Parts) -> Result<Arc<ClientConfig>, Refusal> {
        let highest = match (self.kind, settings::PAL_TLS_1_3) {
            (TransportKind::Stream, true) => ProtocolVersion::Tls13,
            _ => ProtocolVersion::Tls12,
        };
        let mut builder = ClientConfig::builder(self.kind)
            .versions(ProtocolVersion::Tls12, highest)
            .verification(Verification::Required)
            .cipher_suites(&suites(parts.psk.is_some(), highest == ProtocolVersion::Tls13))
            .session_tickets(true);
        if let Some(ca) = &parts.ca {
            builder = builder.trusted(ca.clone());
        }
        if let Some(crl) = &parts.crl {
            builder = builder.revocation(crl.clone());
        }
        match (parts.own.is_empty(), &parts.key) {
            (true, None) => {}
            (false, Some(key)) => {
                let chain = CertificateChain::parse_all(&parts.own).map_err(unless_memory(Refusal::Identity))?;
                builder = builder.identity(chain, key.clone());
            }
            _ => return Err(Refusal::Identity),
        }
        if let Some((identity, key)) = &parts.psk {
            builder = builder.psk(identity, &key.0);
        }
        if let Some(name) = &parts.server_name {
            builder = builder.server_name(name);
        }
        if let Some((first, longest)) = parts.retransmission {
            builder = builder.retransmission(first, longest);
        }
        builder.build().map_err(|error| match error.kind() {
            ErrorKind::KeyMismatch => Refusal::Identity,
            _ => Refusal::of(error, false),
        })
    }
}

/// The suites offered, best first: the configured one, and unless that is to be the only one, those with GCM beside it.
fn suites(has_psk: bool, with_tls_1_3: bool) -> Vec<u16> {
    const PSK_CCM_8: u16 = 0xC0A8;
    let configured = settings::PAL_TLS_CIPHER_SUITE;
    let is_of_psk = matches!(configured, PSK_CCM_8 | 0xC0A9);
    let mut suites = Vec::new();
    if with_tls_1_3 {
        suites.extend([0x1301, 0x1302, 0x1304, 0x1305]);
    }
    // A configured suite that does not go with what there is to prove oneself by would leave nothing to offer.
    suites.push(match (has_psk, is_of_psk) {
        (true, false) => PSK_CCM_8,
        (false, true) => 0xC0AE,
        _ => configured,
    });
    if !settings::PAL_TLS_ONLY_CIPHER_SUITE {
        let others: [u16; 2] = if has_psk { [0x00A8, 0x00A9] } else { [0xC02B, 0xC02C] };
        suites.extend(others.into_iter().filter(|other| *other != configured));
    }
    suites
}

fn unless_memory(refusal: Refusal) -> impl Fn(Error) -> Refusal {
    move |error| match error.kind() {
        ErrorKind::AllocationFailed => Refusal::Memory,
        _ => refusal,
    }
}
