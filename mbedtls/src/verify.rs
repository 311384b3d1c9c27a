//! Verdicts about a peer's certificates.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

use crate::x509::{CertificateInfo, RevocationList};

/// The reasons why certificates were not accepted; none set means that they were.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct VerifyFlags(u32);

macro_rules! flags {
    ($( $(#[$doc:meta])* $name:ident = $value:literal, $sentence:literal; )*) => {
        impl VerifyFlags {
            $( $(#[$doc])* pub const $name: Self = Self($value); )*
            const NAMES: &'static [(Self, &'static str, &'static str)] =
                &[ $( (Self::$name, stringify!($name), $sentence), )* ];
        }
    };
}

flags! {
    /// A certificate's validity has ended.
    BADCERT_EXPIRED = 0x0001, "the validity of a certificate has ended";
    /// A certificate is on a revocation list.
    BADCERT_REVOKED = 0x0002, "a certificate has been revoked";
    /// The certificate is for another name.
    BADCERT_CN_MISMATCH = 0x0004, "the certificate is for another name";
    /// The chain does not end in a trusted certificate.
    BADCERT_NOT_TRUSTED = 0x0008, "the chain does not lead to a trusted certificate";
    /// The revocation list is not signed by the trusted authority.
    BADCRL_NOT_TRUSTED = 0x0010, "the revocation list is not signed by the trusted authority";
    /// The revocation list is too old.
    BADCRL_EXPIRED = 0x0020, "the revocation list has expired";
    /// The peer sent no certificate.
    BADCERT_MISSING = 0x0040, "the peer sent no certificate";
    /// Verification was switched off.
    BADCERT_SKIP_VERIFY = 0x0080, "certificates were not verified";
    /// Another reason.
    BADCERT_OTHER = 0x0100, "the certificates were refused for another reason";
    /// A certificate's validity has not begun.
    BADCERT_FUTURE = 0x0200, "the validity of a certificate has not begun";
    /// The revocation list is from the future.
    BADCRL_FUTURE = 0x0400, "the revocation list is from the future";
    /// The key usage extension does not allow this use.
    BADCERT_KEY_USAGE = 0x0800, "the key usage of a certificate does not allow this";
    /// The extended key usage extension does not allow this use.
    BADCERT_EXT_KEY_USAGE = 0x1000, "the extended key usage of a certificate does not allow this";
    /// The Netscape certificate type does not allow this use.
    BADCERT_NS_CERT_TYPE = 0x2000, "the type of a certificate does not allow this";
    /// A certificate is signed with a hash that is not accepted.
    BADCERT_BAD_MD = 0x4000, "a certificate is signed with a hash that is not accepted";
    /// A certificate is signed with an algorithm that is not accepted.
    BADCERT_BAD_PK = 0x8000, "a certificate is signed with an algorithm that is not accepted";
    /// A certificate's key is too short or on a curve that is not accepted.
    BADCERT_BAD_KEY = 0x1_0000, "the key of a certificate is not accepted";
    /// The revocation list is signed with a hash that is not accepted.
    BADCRL_BAD_MD = 0x2_0000, "the revocation list is signed with a hash that is not accepted";
    /// The revocation list is signed with an algorithm that is not accepted.
    BADCRL_BAD_PK = 0x4_0000, "the revocation list is signed with an algorithm that is not accepted";
    /// The revocation list is signed with a key that is not accepted.
    BADCRL_BAD_KEY = 0x8_0000, "the revocation list is signed with a key that is not accepted";
}

impl VerifyFlags {
    /// No reason: accepted.
    pub const NONE: Self = Self(0);

    /// All four verdicts that depend on a time.
    pub const DATES: Self =
        Self(Self::BADCERT_EXPIRED.0 | Self::BADCERT_FUTURE.0 | Self::BADCRL_EXPIRED.0 | Self::BADCRL_FUTURE.0);

    /// The set with these bits of `MBEDTLS_X509_BADCERT_*` and `MBEDTLS_X509_BADCRL_*`.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits of `MBEDTLS_X509_BADCERT_*` and `MBEDTLS_X509_BADCRL_*`.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether no reason is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether every reason of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any reason of `other` is set.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// This set without the reasons of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The names of the reasons set, such as `BADCERT_EXPIRED`.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(flag, ..)| self.contains(*flag)).map(|(_, name, _)| *name)
    }
}

impl BitOr for VerifyFlags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for VerifyFlags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Display for VerifyFlags {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return formatter.write_str("the certificates were accepted");
        }
        let mut separator = "";
        for (_, _, sentence) in Self::NAMES.iter().filter(|(flag, ..)| self.contains(*flag)) {
            write!(formatter, "{separator}{sentence}")?;
            separator = "; ";
        }
        Ok(())
    }
}

impl fmt::Debug for VerifyFlags {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "VerifyFlags(0x{:X}", self.0)?;
        self.names().try_for_each(|name| write!(formatter, " {name}"))?;
        formatter.write_str(")")
    }
}

/// One certificate of the chain that was built, with what was found about it.
#[derive(Clone, Debug)]
pub struct ChainLink {
    /// The certificate.
    pub certificate: CertificateInfo,
    /// What was found about it, dates left out.
    pub flags: VerifyFlags,
}

/// What is known about a peer when its certificates are judged.
#[derive(Debug)]
pub struct Verification<'a> {
    pub(crate) chain: &'a [ChainLink],
    pub(crate) presented: &'a [CertificateInfo],
    pub(crate) server_random: Option<[u8; 32]>,
    pub(crate) revocation: Option<&'a RevocationList>,
    pub(crate) trusted: &'a [CertificateInfo],
}

impl Verification<'_> {
    /// The chain that was built: the peer's own certificate first, a trusted one last if one was found.
    pub fn chain(&self) -> &[ChainLink] {
        self.chain
    }

    /// The certificates that the peer sent, its own first, whether they lead anywhere or not.
    pub fn presented(&self) -> &[CertificateInfo] {
        self.presented
    }

    /// The certificates that the configuration trusts.
    pub fn trusted(&self) -> &[CertificateInfo] {
        self.trusted
    }

    /// The verdict without any date.
    pub fn flags(&self) -> VerifyFlags {
        self.chain.iter().fold(VerifyFlags::NONE, |flags, link| flags | link.flags)
    }

    /// The verdict with the dates of certificates and revocation lists judged at a time, in seconds since 1970.
    pub fn flags_at(&self, time: i64) -> VerifyFlags {
        self.flags() | self.dates_at(time)
    }

    /// `ServerHello.random` in TLS 1.2, whose first four bytes may be a time; nothing in TLS 1.3.
    pub fn server_random(&self) -> Option<&[u8; 32]> {
        self.server_random.as_ref()
    }

    fn dates_at(&self, time: i64) -> VerifyFlags {
        let mut flags = VerifyFlags::NONE;
        for (index, link) in self.chain.iter().enumerate() {
            let last = index + 1 == self.chain.len();
            let own = dates(link.certificate.not_before, Some(link.certificate.not_after), time, CERTIFICATE);
            // A root that was renewed with its key stands twice among the trusted ones: either will do.
            let renewed = last && !own.is_empty() && self.trusted_twin_is_valid(&link.certificate, time);
            if !renewed {
                flags |= own;
            }
            if last && self.chain.len() > 1 {
                continue;
            }
            for list in self.revocation.into_iter().flat_map(RevocationList::lists) {
                if list.is_of(&link.certificate) {
                    flags |= dates(list.this_update, list.next_update, time, LIST);
                }
            }
        }
        flags
    }

    fn trusted_twin_is_valid(&self, certificate: &CertificateInfo, time: i64) -> bool {
        self.trusted.iter().any(|other| other.der == certificate.der)
            && self.trusted.iter().any(|other| {
                other.public_key == certificate.public_key
                    && other.subject == certificate.subject
                    && dates(other.not_before, Some(other.not_after), time, CERTIFICATE).is_empty()
            })
    }
}

const CERTIFICATE: (VerifyFlags, VerifyFlags) = (VerifyFlags::BADCERT_FUTURE, VerifyFlags::BADCERT_EXPIRED);
const LIST: (VerifyFlags, VerifyFlags) = (VerifyFlags::BADCRL_FUTURE, VerifyFlags::BADCRL_EXPIRED);

fn dates(from: i64, to: Option<i64>, time: i64, (future, expired): (VerifyFlags, VerifyFlags)) -> VerifyFlags {
    let mut flags = VerifyFlags::NONE;
    if time < from {
        flags |= future;
    }
    if to.is_some_and(|to| time > to) {
        flags |= expired;
    }
    flags
}

/// Decides over a peer's certificates: gets what was found, returns the reasons to refuse (none: accept).
pub type VerifyHook = Box<dyn FnMut(&Verification<'_>) -> VerifyFlags + Send>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_are_those_of_the_library() {
        use crate::raw;
        assert_eq!(VerifyFlags::BADCERT_EXPIRED.bits(), raw::MBEDTLS_X509_BADCERT_EXPIRED);
        assert_eq!(VerifyFlags::BADCERT_REVOKED.bits(), raw::MBEDTLS_X509_BADCERT_REVOKED);
        assert_eq!(VerifyFlags::BADCERT_CN_MISMATCH.bits(), raw::MBEDTLS_X509_BADCERT_CN_MISMATCH);
        assert_eq!(VerifyFlags::BADCERT_NOT_TRUSTED.bits(), raw::MBEDTLS_X509_BADCERT_NOT_TRUSTED);
        assert_eq!(VerifyFlags::BADCRL_NOT_TRUSTED.bits(), raw::MBEDTLS_X509_BADCRL_NOT_TRUSTED);
        assert_eq!(VerifyFlags::BADCRL_EXPIRED.bits(), raw::MBEDTLS_X509_BADCRL_EXPIRED);
        assert_eq!(VerifyFlags::BADCERT_MISSING.bits(), raw::MBEDTLS_X509_BADCERT_MISSING);
        assert_eq!(VerifyFlags::BADCERT_SKIP_VERIFY.bits(), raw::MBEDTLS_X509_BADCERT_SKIP_VERIFY);
        assert_eq!(VerifyFlags::BADCERT_OTHER.bits(), raw::MBEDTLS_X509_BADCERT_OTHER);
        assert_eq!(VerifyFlags::BADCERT_FUTURE.bits(), raw::MBEDTLS_X509_BADCERT_FUTURE);
        assert_eq!(VerifyFlags::BADCRL_FUTURE.bits(), raw::MBEDTLS_X509_BADCRL_FUTURE);
        assert_eq!(VerifyFlags::BADCERT_KEY_USAGE.bits(), raw::MBEDTLS_X509_BADCERT_KEY_USAGE);
        assert_eq!(VerifyFlags::BADCERT_EXT_KEY_USAGE.bits(), raw::MBEDTLS_X509_BADCERT_EXT_KEY_USAGE);
        assert_eq!(VerifyFlags::BADCERT_NS_CERT_TYPE.bits(), raw::MBEDTLS_X509_BADCERT_NS_CERT_TYPE);
        assert_eq!(VerifyFlags::BADCERT_BAD_MD.bits(), raw::MBEDTLS_X509_BADCERT_BAD_MD);
        assert_eq!(VerifyFlags::BADCERT_BAD_PK.bits(), raw::MBEDTLS_X509_BADCERT_BAD_PK);
        assert_eq!(VerifyFlags::BADCERT_BAD_KEY.bits(), raw::MBEDTLS_X509_BADCERT_BAD_KEY);
        assert_eq!(VerifyFlags::BADCRL_BAD_MD.bits(), raw::MBEDTLS_X509_BADCRL_BAD_MD);
        assert_eq!(VerifyFlags::BADCRL_BAD_PK.bits(), raw::MBEDTLS_X509_BADCRL_BAD_PK);
        assert_eq!(VerifyFlags::BADCRL_BAD_KEY.bits(), raw::MBEDTLS_X509_BADCRL_BAD_KEY);
    }

    #[test]
    fn a_set_is_said_in_names_and_sentences() {
        let flags = VerifyFlags::BADCERT_EXPIRED | VerifyFlags::BADCRL_FUTURE;
        assert_eq!(flags.names().collect::<Vec<_>>(), ["BADCERT_EXPIRED", "BADCRL_FUTURE"]);
        assert_eq!(
            flags.to_string(),
            "the validity of a certificate has ended; the revocation list is from the future"
        );
        assert_eq!(flags.without(VerifyFlags::DATES), VerifyFlags::NONE);
    }
}
