//! Who issued a certificate, against who should have.

use super::name::{self, Attribute};
use mbed_cloud_connectivity_mbedtls::x509::CertificateInfo;
use std::fmt::{self, Display};

/// Of a longer name the log has its begin: whoever answers chooses it.
const MAX_TEXT_SIZE: usize = 256;
/// So many of the expected names stand in the log.
const MAX_NAMES: usize = 3;

/// The certificates were issued by authorities other than those expected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stranger<'a> {
    found: &'a CertificateInfo,
    expected: &'a [CertificateInfo],
}

impl<'a> Stranger<'a> {
    /// None: an expected name is among the issuers of what was presented, or there is nothing to compare.
    pub(super) fn among(presented: &'a [CertificateInfo], expected: &'a [CertificateInfo]) -> Option<Self> {
        let is_expected =
            |issuer: &[Attribute]| expected.iter().any(|ca| name::is_same(&ca.subject_attributes, issuer));
        // The last one is the highest of its chain: who issued that one is behind it all.
        let found = presented.last()?;
        let strange = !expected.is_empty() && !presented.iter().any(|one| is_expected(&one.issuer_attributes));
        strange.then_some(Self { found, expected })
    }
}

impl Display for Stranger<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the server's certificate was issued by \"{}\", not by ", begin_of(&self.found.issuer))?;
        for (index, ca) in self.expected.iter().take(MAX_NAMES).enumerate() {
            let separator = if index == 0 { "" } else { " or " };
            write!(formatter, "{separator}\"{}\"", begin_of(&ca.subject))?;
        }
        match self.expected.len().saturating_sub(MAX_NAMES) {
            0 => Ok(()),
            more => write!(formatter, " or {more} others"),
        }
    }
}

/// The library writes names in ASCII.
fn begin_of(text: &str) -> &str {
    text.get(..MAX_TEXT_SIZE).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(subject: &str, issuer: &str) -> CertificateInfo {
        name::tests::certificate(&format!("CN={subject}"), &format!("CN={issuer}"))
    }

    #[test]
    fn one_issuer_that_is_expected_is_no_stranger() {
        let trusted = [certificate("one", "one"), certificate("two", "two")];
        let chain = [certificate("server", "between"), certificate("between", "TWO")];
        assert!(Stranger::among(&chain, &trusted).is_none());
        assert!(Stranger::among(&[certificate("server", "one"), certificate("a", "b")], &trusted).is_none());
        let text = Stranger::among(&chain[..1], &trusted).expect("its intermediate is missing").to_string();
        assert_eq!(text, "the server's certificate was issued by \"CN=between\", not by \"CN=one\" or \"CN=two\"");
        assert!(Stranger::among(&[], &trusted).is_none());
        assert!(Stranger::among(&chain, &[]).is_none());
    }

    #[test]
    fn what_the_log_says_of_strangers_is_bounded() {
        let trusted: Vec<_> = (0..150).map(|number| certificate(&format!("ca {number}"), "self")).collect();
        let presented = [certificate("server", &"x".repeat(20_000))];
        let text = Stranger::among(&presented, &trusted).expect("a stranger").to_string();
        assert!(text.ends_with("not by \"CN=ca 0\" or \"CN=ca 1\" or \"CN=ca 2\" or 147 others"), "{text}");
        assert!(text.len() < 500, "{}", text.len());
    }
}
