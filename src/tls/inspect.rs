//! Sessions that find out who answers: a handshake that trusts nobody and records the chain of certificates.

use super::config::without_zone_and_dot;
use super::name::{self, Attribute};
use super::{Progress, Read, Transport, TransportKind};
use crate::lock::lock;
use mbed_cloud_connectivity_mbedtls::config::{ClientConfig, Verification};
use mbed_cloud_connectivity_mbedtls::pk::PrivateKey;
use mbed_cloud_connectivity_mbedtls::session::{Handshake, Read as RawRead, Write};
use mbed_cloud_connectivity_mbedtls::x509::{CertificateChain, CertificateInfo};
use mbed_cloud_connectivity_mbedtls::{self as mbedtls, Error, ErrorKind, ServerName, VerifyFlags};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

/// So many of the names of CAs stand in a judgement.
const MAX_NAMES: usize = 3;

/// What an inspection is made with.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// The server's name, which is sent, or an address, which is not (RFC 6066 section 3).
    pub host: &'a str,
    /// Who has to have issued one of the certificates, as text for [`name::parse`]; text that is no name judges nothing.
    pub expected_issuer: Option<&'a str>,
    /// The CA certificates, PEM or DER.
    pub ca: Option<&'a [u8]>,
    /// The device's own chain and its key, PEM or DER.
    pub identity: Option<(&'a [u8], &'a [u8])>,
}

/// What a chain says about who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It is from whom it should be from.
    Genuine {
        /// Who issued it.
        issuer: String,
    },
    /// There is nothing to judge it by.
    NotJudged {
        /// Who issued the highest certificate that was presented.
        issuer: String,
    },
    /// It is from somebody else.
    Stranger {
        /// Who should have issued it.
        expected: String,
        /// Who issued the highest certificate that was presented.
        found: String,
    },
}

/// Why a session is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The peer sent an alert.
    Alert {
        /// Its number (RFC 8446 section 6, and RFC 5246 section 7.2 for those that TLS 1.3 has no more).
        number: u8,
        /// Its name there.
        name: &'static str,
    },
    /// The peer closed or reset the connection.
    Ended,
    /// Anything else.
    Other {
        /// The error of Mbed TLS.
        error: i32,
    },
}

/// A TLS session that records who answers. No bytes of its own follow a chain of a stranger: the device's certificate is not shown.
#[derive(Debug)]
pub struct Inspection {
    session: mbedtls::Session,
    judgement: Arc<Mutex<Option<Judgement>>>,
}

impl Inspection {
    /// Prepares a session; nothing is sent yet.
    pub fn new(options: &Options<'_>) -> Result<Self, Fault> {
        let mut builder = ClientConfig::builder(TransportKind::Stream).verification(Verification::Optional);
        if let Some(ca) = options.ca {
            builder = builder.trusted(CertificateChain::parse(ca)?);
        }
        if let Some((certificate, key)) = options.identity {
            builder = builder.identity(CertificateChain::parse(certificate)?, PrivateKey::parse(key, None)?);
        }
        let mut session = mbedtls::Session::new(builder.build()?, server_name(options.host))?;
        let expected = options.expected_issuer.map(|text| (text.to_owned(), name::parse(text)));
        let judgement = Arc::new(Mutex::new(None));
        let found = judgement.clone();
        session.set_verify_hook(Box::new(move |verification| {
            let is_verified = !verification.flags().contains(VerifyFlags::BADCERT_NOT_TRUSTED);
            *lock(&found) = judge(expected.as_ref(), verification.presented(), verification.trusted(), is_verified);
            verification.flags()
        }));
        Ok(Self { session, judgement })
    }

    /// Goes on with the handshake.
    pub fn handshake(&mut self, transport: &mut dyn Transport) -> Result<Progress, Fault> {
        let mut guarded = Guarded { transport, judgement: &self.judgement };
        match self.session.handshake(&mut guarded) {
            Ok(Handshake::Done) => Ok(Progress::Done),
            Ok(Handshake::WantRead | Handshake::WantWrite) => Ok(Progress::Blocked),
            Err(error) => Err(self.fault(error)),
        }
    }

    /// What the chain says, as soon as there is one, even if the handshake failed after it.
    pub fn judgement(&self) -> Option<Judgement> {
        lock(&self.judgement).clone()
    }

    /// Reads bytes of one record.
    pub fn read(&mut self, transport: &mut dyn Transport, buffer: &mut [u8]) -> Result<Read, Fault> {
        match self.session.read(transport, buffer) {
            Ok(RawRead::Data { size, end_of_record }) => Ok(Read::Data { size, end_of_record }),
            Ok(RawRead::WantRead | RawRead::WantWrite) => Ok(Read::Blocked),
            Ok(RawRead::Closed | RawRead::EndOfFile) => Err(Fault::Ended),
            Err(error) => Err(self.fault(error)),
        }
    }

    /// Writes one record. When it is blocked, the call is to be repeated with the same bytes.
    pub fn write(&mut self, transport: &mut dyn Transport, bytes: &[u8]) -> Result<Progress, Fault> {
        match self.session.write(transport, bytes) {
            Ok(Write::Done(_)) => Ok(Progress::Done),
            Ok(Write::WantWrite) => Ok(Progress::Blocked),
            Err(error) => Err(self.fault(error)),
        }
    }

    /// Says to the peer that nothing follows, without waiting.
    pub fn close(&mut self, transport: &mut dyn Transport) {
        let _ = self.session.close_notify(transport);
    }

    fn fault(&self, error: Error) -> Fault {
        match (error.kind(), self.session.last_alert()) {
            (ErrorKind::FatalAlert, Some(alert)) => Fault::Alert { number: alert.description, name: alert.name() },
            (ErrorKind::ConnectionEof | ErrorKind::CloseNotify | ErrorKind::ConnectionReset, _) => Fault::Ended,
            _ => error.into(),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Other { error: error.code() }
    }
}

/// Lets nothing out once a stranger has shown itself.
struct Guarded<'a> {
    transport: &'a mut dyn Transport,
    judgement: &'a Mutex<Option<Judgement>>,
}

impl Transport for Guarded<'_> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if matches!(*lock(self.judgement), Some(Judgement::Stranger { .. })) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.transport.send(bytes)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.transport.receive(buffer)
    }
}

/// A ClientHello for datagrams of at most `max_size` bytes, as a connection sends it first; a whole record.
pub fn client_hello(host: &str, max_size: u16) -> Result<Vec<u8>, Fault> {
    struct Sent(Vec<u8>);
    impl Transport for Sent {
        fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn receive(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }
    let config = ClientConfig::builder(TransportKind::Datagram).verification(Verification::Optional).build()?;
    let mut session = mbedtls::Session::new(config, server_name(host))?;
    session.set_mtu(max_size);
    session.ask_for_connection_id()?;
    let mut sent = Sent(Vec::new());
    session.handshake(&mut sent)?;
    Ok(sent.0)
}

fn server_name(host: &str) -> ServerName<'_> {
    let name = without_zone_and_dot(host);
    let is_address = name.parse::<IpAddr>().is_ok();
    if is_address || name.is_empty() { ServerName::Unchecked } else { ServerName::SendOnly(name) }
}

/// Judges by names, and by signatures where the CA of just that name is at hand. None without certificates.
fn judge(
    expected: Option<&(String, Option<Vec<Attribute>>)>,
    presented: &[CertificateInfo],
    trusted: &[CertificateInfo],
    is_verified: bool,
) -> Option<Judgement> {
    // The highest: who issued that one is behind it all.
    let found = name::text(&presented.last()?.issuer_attributes);
    let is_forged =
        |issuer: &[Attribute]| !is_verified && trusted.iter().any(|ca| name::is_same(&ca.subject_attributes, issuer));
    Some(match expected {
        Some((text, Some(expected))) => {
            let mut issuers = presented.iter().map(|certificate| &certificate.issuer_attributes);
            match issuers.find(|issuer| name::is_same(issuer, expected)) {
                Some(issuer) if !is_forged(issuer) => Judgement::Genuine { issuer: name::text(issuer) },
                _ => Judgement::Stranger { expected: text.clone(), found },
            }
        }
        Some((_, None)) => Judgement::NotJudged { issuer: found },
        None if trusted.is_empty() => Judgement::NotJudged { issuer: found },
        None if is_verified => Judgement::Genuine { issuer: found },
        None => Judgement::Stranger { expected: subjects(trusted), found },
    })
}

fn subjects(trusted: &[CertificateInfo]) -> String {
    let names = trusted.iter().take(MAX_NAMES).map(|ca| name::text(&ca.subject_attributes));
    let names = names.collect::<Vec<_>>().join(" or ");
    match trusted.len().saturating_sub(MAX_NAMES) {
        0 => names,
        more => format!("{names} or {more} others"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::name::tests::certificate;
    use super::*;

    fn expected(text: &str) -> (String, Option<Vec<Attribute>>) {
        (text.to_owned(), name::parse(text))
    }

    fn genuine(issuer: &str) -> Option<Judgement> {
        Some(Judgement::Genuine { issuer: issuer.to_owned() })
    }

    fn stranger(expected: &str, found: &str) -> Option<Judgement> {
        Some(Judgement::Stranger { expected: expected.to_owned(), found: found.to_owned() })
    }

    #[test]
    fn one_issuer_of_the_expected_name_is_genuine() {
        let chain = [certificate("CN=server", "CN=between"), certificate("CN=between", "CN=Root, C=GB")];
        assert_eq!(judge(Some(&expected("C=GB, CN=ROOT")), &chain, &[], false), genuine("CN=Root, C=GB"));
        assert_eq!(judge(Some(&expected("CN=between")), &chain, &[], false), genuine("CN=between"));
        assert_eq!(judge(Some(&expected("CN=between")), &chain[..1], &[], false), genuine("CN=between"));
        assert_eq!(judge(Some(&expected("CN=a")), &chain, &[], false), stranger("CN=a", "CN=Root, C=GB"));
        assert_eq!(judge(Some(&expected("CN=a")), &[], &[], false), None);
    }

    #[test]
    fn a_name_alone_is_not_enough_where_its_ca_is_at_hand() {
        let chain = [certificate("CN=server", "CN=ca")];
        let (same, other) = ([certificate("CN=CA", "CN=CA")], [certificate("CN=other", "CN=other")]);
        assert_eq!(judge(Some(&expected("CN=ca")), &chain, &same, true), genuine("CN=ca"));
        assert_eq!(judge(Some(&expected("CN=ca")), &chain, &same, false), stranger("CN=ca", "CN=ca"));
        assert_eq!(judge(Some(&expected("CN=ca")), &chain, &other, false), genuine("CN=ca"));
    }

    #[test]
    fn without_an_expected_name_the_ca_decides_and_without_either_nobody() {
        let chain = [certificate("CN=server", "CN=ca")];
        let trusted: Vec<_> = ["CN=1", "CN=2", "CN=3", "CN=4"].map(|name| certificate(name, name)).into();
        assert_eq!(judge(None, &chain, &trusted[..1], true), genuine("CN=ca"));
        assert_eq!(judge(None, &chain, &trusted[..2], false), stranger("CN=1 or CN=2", "CN=ca"));
        assert_eq!(judge(None, &chain, &trusted, false), stranger("CN=1 or CN=2 or CN=3 or 1 others", "CN=ca"));
        let not_judged = Some(Judgement::NotJudged { issuer: "CN=ca".to_owned() });
        assert_eq!(judge(None, &chain, &[], false), not_judged);
        assert_eq!(judge(Some(&expected("no name")), &chain, &[], false), not_judged);
    }

    #[test]
    fn the_hello_for_datagrams_is_one_record_that_fits_and_names_the_host() {
        for (host, is_named) in [("host.example", true), ("192.0.2.1", false), ("2001:db8::1", false), ("", false)] {
            let hello = client_hello(host, 1232).unwrap();
            assert!(hello.len() <= 1232);
            // A handshake record of epoch 0 with a ClientHello, and nothing behind it.
            assert_eq!((hello[0], hello[13]), (22, 1));
            assert_eq!(usize::from(u16::from_be_bytes([hello[11], hello[12]])) + 13, hello.len());
            let name = host.as_bytes();
            let found = !name.is_empty() && hello.windows(name.len()).any(|part| part == name);
            assert_eq!(found, is_named, "{host}");
        }
        // A final dot is of the DNS (RFC 6066 section 3).
        let hello = client_hello("host.example.", 1232).unwrap();
        let has = |name: &[u8]| hello.windows(name.len()).any(|part| part == name);
        assert!(has(b"\x00\x00\x0chost.example") && !has(b"host.example."));
        assert!(client_hello(&"x".repeat(300), 1232).is_err());
    }
}
