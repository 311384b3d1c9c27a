//! What many sessions share: versions, suites, trust, identity.

use std::ffi::{CString, c_char, c_int};
use std::fmt;
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::pk::PrivateKey;
use crate::x509::{CertificateChain, CertificateInfo, RevocationList, allocate, release};
use crate::{RANDOM, c_text, initialise, raw};

/// What carries the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportKind {
    /// A byte stream: TLS.
    Stream,
    /// Datagrams: DTLS 1.2.
    Datagram,
}

/// A protocol version. DTLS 1.2 counts as TLS 1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProtocolVersion {
    /// TLS 1.2 or DTLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl ProtocolVersion {
    pub(crate) fn from_wire(version: c_int) -> Option<Self> {
        match version {
            0x0303 => Some(Self::Tls12),
            0x0304 => Some(Self::Tls13),
            _ => None,
        }
    }

    const fn wire(self) -> c_int {
        match self {
            Self::Tls12 => 0x0303,
            Self::Tls13 => 0x0304,
        }
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        })
    }
}

/// What happens with the verdict about the peer's certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// Anything but an accepted chain ends the handshake.
    Required,
    /// The verdict is there to read, the handshake goes on.
    Optional,
    /// Certificates are not looked at.
    None,
}

/// The largest record that a TLS 1.2 server is asked to keep to (RFC 6066).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxFragmentLength {
    /// 512 bytes.
    Bytes512,
    /// 1024 bytes.
    Bytes1024,
    /// 2048 bytes.
    Bytes2048,
    /// 4096 bytes.
    Bytes4096,
}

/// A cipher suite.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CipherSuite {
    number: u16,
    name: &'static str,
}

impl CipherSuite {
    /// The suite with a number of IANA's registry, if this build has it. Suites with CBC are never offered.
    pub fn from_number(number: u16) -> Option<Self> {
        // SAFETY: looks up a constant table; any number is allowed.
        let known = unsafe { raw::mbedtls_ssl_ciphersuite_from_id(c_int::from(number)) };
        if known.is_null() {
            return None;
        }
        // SAFETY: as above; the name is a literal of the library.
        let name = unsafe { c_text(raw::mbedtls_ssl_get_ciphersuite_name(c_int::from(number))) }?;
        (!name.contains("CBC")).then_some(Self { number, name })
    }

    /// All that this build has and offers, best first.
    pub fn all() -> Vec<Self> {
        let mut suites = Vec::new();
        // SAFETY: a constant list that ends with 0, so that the pointer never goes past that.
        unsafe {
            let mut number = raw::mbedtls_ssl_list_ciphersuites();
            while *number != 0 {
                suites.extend(u16::try_from(*number).ok().and_then(Self::from_number));
                number = number.add(1);
            }
        }
        suites
    }

    /// Whether a server can choose it without a certificate: by a pre-shared key. Those of TLS 1.3 leave that open.
    pub fn goes_without_certificate(self) -> bool {
        self.name.starts_with("TLS1-3-") || self.name.contains("-PSK-")
    }

    /// Its number in IANA's registry.
    pub const fn number(self) -> u16 {
        self.number
    }

    /// Its name, such as `TLS-ECDHE-ECDSA-WITH-AES-128-CCM-8`.
    pub const fn name(self) -> &'static str {
        self.name
    }
}

impl fmt::Debug for CipherSuite {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (0x{:04X})", self.name, self.number)
    }
}

/// Collects what a [`ClientConfig`] is made of.
#[derive(Debug)]
#[must_use]
pub struct ClientConfigBuilder {
    transport: TransportKind,
    minimum: ProtocolVersion,
    maximum: ProtocolVersion,
    verification: Verification,
    trusted: Option<Arc<CertificateChain>>,
    revocation: Option<Arc<RevocationList>>,
    identity: Option<(Arc<CertificateChain>, Arc<PrivateKey>)>,
    psk: Option<PreSharedKey>,
    server_name: Option<String>,
    suites: Vec<u16>,
    alpn: Vec<String>,
    fragment: Option<MaxFragmentLength>,
    tickets: bool,
    retransmission: Option<(Duration, Duration)>,
}

struct PreSharedKey {
    identity: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for PreSharedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PreSharedKey(..)")
    }
}

impl ClientConfigBuilder {
    /// The versions offered. The default is TLS 1.2 to 1.3, and 1.2 alone for datagrams.
    pub fn versions(mut self, minimum: ProtocolVersion, maximum: ProtocolVersion) -> Self {
        (self.minimum, self.maximum) = (minimum, maximum);
        self
    }

    /// What happens with the verdict; the default is [`Verification::Required`].
    pub fn verification(mut self, verification: Verification) -> Self {
        self.verification = verification;
        self
    }

    /// The certificates trusted.
    pub fn trusted(mut self, chain: Arc<CertificateChain>) -> Self {
        self.trusted = Some(chain);
        self
    }

    /// Revocation lists of the authorities trusted.
    pub fn revocation(mut self, lists: Arc<RevocationList>) -> Self {
        self.revocation = Some(lists);
        self
    }

    /// The own certificate with those above it, and its key.
    pub fn identity(mut self, chain: Arc<CertificateChain>, key: Arc<PrivateKey>) -> Self {
        self.identity = Some((chain, key));
        self
    }

    /// A pre-shared key and the identity that names it. The bytes are copied, and wiped after use.
    pub fn psk(mut self, identity: &[u8], key: &[u8]) -> Self {
        self.psk = Some(PreSharedKey { identity: identity.to_vec(), key: Zeroizing::new(key.to_vec()) });
        self
    }

    /// The one name that all sessions check. It counts for the fingerprint alone: give it to each session too.
    pub fn server_name(mut self, name: &str) -> Self {
        self.server_name = Some(name.to_owned());
        self
    }

    /// The suites offered, best first, by IANA's numbers, for all versions together. Empty (the default)
    /// offers all that this build has, authenticated encryption with forward secrecy first.
    pub fn cipher_suites(mut self, numbers: &[u16]) -> Self {
        self.suites = numbers.to_vec();
        self
    }

    /// The application protocols offered, best first.
    pub fn alpn(mut self, protocols: &[&str]) -> Self {
        self.alpn = protocols.iter().map(|protocol| (*protocol).to_owned()).collect();
        self
    }

    /// The largest record the server is asked to keep to, which also bounds our own.
    pub fn max_fragment_length(mut self, length: MaxFragmentLength) -> Self {
        self.fragment = Some(length);
        self
    }

    /// Whether session tickets are asked for and taken; on by default.
    pub fn session_tickets(mut self, tickets: bool) -> Self {
        self.tickets = tickets;
        self
    }

    /// The first and the last interval of retransmission in a DTLS handshake; 1 s and 60 s by default.
    pub fn retransmission(mut self, first: Duration, last: Duration) -> Self {
        self.retransmission = Some((first, last));
        self
    }

    /// Makes the configuration.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadInput`] for an unknown suite, an application protocol that cannot be offered, a
    /// version that does not go with datagrams, an empty key or identity;
    /// [`crate::ErrorKind::KeyMismatch`] for a key of another certificate; else out of memory or entropy.
    pub fn build(self) -> Result<Arc<ClientConfig>, Error> {
        initialise()?;
        let mut suites = Vec::with_capacity(self.suites.len() + 1);
        for number in &self.suites {
            suites.push(c_int::from(CipherSuite::from_number(*number).ok_or(Error::BAD_INPUT)?.number()));
        }
        suites.push(0);
        let alpn = self
            .alpn
            .iter()
            .map(|protocol| CString::new(protocol.as_str()).map_err(|_| Error::BAD_INPUT))
            .collect::<Result<Vec<_>, _>>()?;
        let mut alpn_pointers: Vec<*const c_char> = alpn.iter().map(|protocol| protocol.as_ptr()).collect();
        alpn_pointers.push(std::ptr::null());
        if self.minimum > self.maximum
            || (self.transport == TransportKind::Datagram && self.maximum != ProtocolVersion::Tls12)
        {
            return Err(Error::BAD_INPUT);
        }
        if let Some((chain, key)) = &self.identity {
            if !key.matches(chain)? {
                return Err(Error::new(raw::MBEDTLS_ERR_PK_TYPE_MISMATCH));
            }
        }
        let fingerprint = self.fingerprint()?;
        let mut config = ClientConfig {
            context: allocate(raw::mbedtls_ssl_config_init),
            transport: self.transport,
            verification: self.verification,
            trusted: self.trusted,
            revocation: self.revocation,
            identity: self.identity,
            suites,
            alpn: AlpnList { _protocols: alpn, pointers: alpn_pointers },
            fingerprint,
        };
        config.fill(self.minimum, self.maximum, self.psk.as_ref(), self.fragment, self.tickets, self.retransmission)?;
        Ok(Arc::new(config))
    }

    /// A hash over all that decides whether a session made under one configuration is good under another.
    fn fingerprint(&self) -> Result<[u8; 32], Error> {
        let mut bytes = vec![match self.verification {
            Verification::Required => 0,
            Verification::Optional => 1,
            Verification::None => 2,
        }];
        let mut add = |kind: u8, part: &[u8]| {
            bytes.push(kind);
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        };
        for certificate in self.trusted.iter().flat_map(|chain| chain.certificates()) {
            add(1, &certificate.der);
        }
        for list in self.revocation.iter().flat_map(|lists| lists.lists()) {
            add(2, &list.der);
        }
        for certificate in self.identity.iter().flat_map(|(chain, _)| chain.certificates()) {
            add(3, &certificate.der);
        }
        if let Some(psk) = &self.psk {
            add(4, &psk.identity);
            add(6, &sha256(&psk.key)?);
        }
        if let Some(name) = &self.server_name {
            add(5, name.as_bytes());
        }
        sha256(&bytes)
    }
}

/// SHA-256 over bytes.
pub(crate) fn sha256(bytes: &[u8]) -> Result<[u8; 32], Error> {
    let mut hash = [0; 32];
    // SAFETY: pointer and length describe the input; the output has the 32 bytes that are written.
    let code = unsafe { raw::mbedtls_sha256(bytes.as_ptr(), bytes.len(), hash.as_mut_ptr(), 0) };
    Error::check(code)?;
    Ok(hash)
}

struct AlpnList {
    /// Keeps alive what `pointers` point to.
    _protocols: Vec<CString>,
    pointers: Vec<*const c_char>,
}

/// A client's configuration. It never changes; any number of sessions on any threads share it.
pub struct ClientConfig {
    context: NonNull<raw::mbedtls_ssl_config>,
    transport: TransportKind,
    verification: Verification,
    // The library keeps pointers into all of these: they live as long as the context, and are dropped after it.
    trusted: Option<Arc<CertificateChain>>,
    revocation: Option<Arc<RevocationList>>,
    identity: Option<(Arc<CertificateChain>, Arc<PrivateKey>)>,
    suites: Vec<c_int>,
    alpn: AlpnList,
    fingerprint: [u8; 32],
}

// SAFETY: everything that is pointed to is owned or shared through Arc; nothing belongs to a thread.
unsafe impl Send for ClientConfig {}
// SAFETY: sessions only read the context; what signing changes in a key is guarded by the key's mutex
// (MBEDTLS_THREADING_C), and the random function is PSA's, which locks.
unsafe impl Sync for ClientConfig {}

impl ClientConfig {
    /// Begins a configuration.
    pub fn builder(transport: TransportKind) -> ClientConfigBuilder {
        ClientConfigBuilder {
            transport,
            minimum: ProtocolVersion::Tls12,
            maximum: match transport {
                TransportKind::Stream => ProtocolVersion::Tls13,
                TransportKind::Datagram => ProtocolVersion::Tls12,
            },
            verification: Verification::Required,
            trusted: None,
            revocation: None,
            identity: None,
            psk: None,
            server_name: None,
            suites: Vec::new(),
            alpn: Vec::new(),
            fragment: None,
            tickets: true,
            retransmission: None,
        }
    }

    /// What carries the records.
    pub fn transport(&self) -> TransportKind {
        self.transport
    }

    /// What happens with the verdict about the peer's certificates.
    pub fn verification(&self) -> Verification {
        self.verification
    }

    pub(crate) fn as_ptr(&self) -> *const raw::mbedtls_ssl_config {
        self.context.as_ptr()
    }

    pub(crate) fn revocation(&self) -> Option<&RevocationList> {
        self.revocation.as_deref()
    }

    /// The certificates trusted.
    pub fn trusted(&self) -> &[CertificateInfo] {
        self.trusted.as_deref().map_or(&[], CertificateChain::certificates)
    }

    /// A hash over all that decides whether a session made under one configuration is good under another: whom it trusts, who it
    /// is, whom it is for.
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    fn fill(
        &mut self,
        minimum: ProtocolVersion,
        maximum: ProtocolVersion,
        psk: Option<&PreSharedKey>,
        fragment: Option<MaxFragmentLength>,
        tickets: bool,
        retransmission: Option<(Duration, Duration)>,
    ) -> Result<(), Error> {
        let context = self.context.as_ptr();
        let transport = match self.transport {
            TransportKind::Stream => raw::MBEDTLS_SSL_TRANSPORT_STREAM,
            TransportKind::Datagram => raw::MBEDTLS_SSL_TRANSPORT_DATAGRAM,
        };
        let mode = match self.verification {
            Verification::Required => raw::MBEDTLS_SSL_VERIFY_REQUIRED,
            Verification::Optional => raw::MBEDTLS_SSL_VERIFY_OPTIONAL,
            Verification::None => raw::MBEDTLS_SSL_VERIFY_NONE,
        };
        // SAFETY: the context is initialised and ours alone until it is shared. What it is given pointers to is
        // owned by `self`: chains, lists and keys behind Arc, suites and protocols in vectors that never change
        // again, so that their elements stay where they are. The PSK is copied.
        unsafe {
            Error::check(raw::mbedtls_ssl_config_defaults(
                context,
                raw::MBEDTLS_SSL_IS_CLIENT as c_int,
                transport as c_int,
                raw::MBEDTLS_SSL_PRESET_DEFAULT as c_int,
            ))?;
            raw::mbedtls_ssl_conf_rng(context, RANDOM, null_mut());
            raw::mbed_cloud_connectivity_set_versions(context, minimum.wire(), maximum.wire());
            raw::mbedtls_ssl_conf_authmode(context, mode as c_int);
            let trusted = self.trusted.as_ref().map_or(null_mut(), |chain| chain.as_ptr());
            let revocation = self.revocation.as_ref().map_or(null_mut(), |lists| lists.as_ptr());
            raw::mbedtls_ssl_conf_ca_chain(context, trusted, revocation);
            if let Some((chain, key)) = &self.identity {
                Error::check(raw::mbedtls_ssl_conf_own_cert(context, chain.as_ptr(), key.as_ptr()))?;
            }
            if let Some(psk) = psk {
                Error::check(raw::mbedtls_ssl_conf_psk(
                    context,
                    psk.key.as_ptr(),
                    psk.key.len(),
                    psk.identity.as_ptr(),
                    psk.identity.len(),
                ))?;
            }
            if self.suites.len() > 1 {
                raw::mbedtls_ssl_conf_ciphersuites(context, self.suites.as_ptr());
            }
            if self.alpn.pointers.len() > 1 {
                Error::check(raw::mbedtls_ssl_conf_alpn_protocols(context, self.alpn.pointers.as_mut_ptr()))?;
            }
            if let Some(length) = fragment {
                let code = match length {
                    MaxFragmentLength::Bytes512 => raw::MBEDTLS_SSL_MAX_FRAG_LEN_512,
                    MaxFragmentLength::Bytes1024 => raw::MBEDTLS_SSL_MAX_FRAG_LEN_1024,
                    MaxFragmentLength::Bytes2048 => raw::MBEDTLS_SSL_MAX_FRAG_LEN_2048,
                    MaxFragmentLength::Bytes4096 => raw::MBEDTLS_SSL_MAX_FRAG_LEN_4096,
                };
                Error::check(raw::mbedtls_ssl_conf_max_frag_len(context, code as u8))?;
            }
            raw::mbedtls_ssl_conf_session_tickets(context, c_int::from(tickets));
            raw::mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(context, c_int::from(tickets));
            if let Some((first, last)) = retransmission {
                let milliseconds = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX).max(1);
                raw::mbedtls_ssl_conf_handshake_timeout(context, milliseconds(first), milliseconds(last));
            }
        }
        Ok(())
    }
}

impl Drop for ClientConfig {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `allocate` and is not used after this; the library wipes the PSK.
        unsafe { release(self.context, raw::mbedtls_ssl_config_free) };
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClientConfig")
            .field("transport", &self.transport)
            .field("verification", &self.verification)
            .field("identity", &self.identity.is_some())
            .finish_non_exhaustive()
    }
}
