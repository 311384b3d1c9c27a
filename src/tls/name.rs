//! Distinguished names, such as a certificate's issuer: from text, to text, and whether two are the same.

pub use mbed_cloud_connectivity_mbedtls::x509::Attribute;

/// Of a longer name the text has its begin: whoever answers chooses it.
const MAX_TEXT_SIZE: usize = 512;
/// What is escaped in a value (RFC 4514 section 2.4).
const SPECIAL: &[u8] = b",=+<>;\"\\";

/// The attributes of a name such as `C=GB, O=Example\, Ltd, CN=Example CA`; none where it is no name. Commas and plus signs separate
/// (RFC 4514 section 2); a backslash stands before a character or two hexadecimal digits; quotation marks as OpenSSL writes them do too.
pub fn parse(text: &str) -> Option<Vec<Attribute>> {
    let mut rest = text.as_bytes();
    let mut attributes = Vec::new();
    loop {
        let equals = rest.iter().position(|byte| *byte == b'=')?;
        let name = std::str::from_utf8(&rest[..equals]).ok()?.trim();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)) {
            return None;
        }
        let (value, after) = value(&rest[equals + 1..])?;
        attributes.push(Attribute { name: name.to_owned(), value });
        match after {
            Some(after) => rest = after,
            None => return Some(attributes),
        }
    }
}

/// A value without the spaces around it, and what follows its separator.
fn value(mut rest: &[u8]) -> Option<(Vec<u8>, Option<&[u8]>)> {
    let mut value = Vec::new();
    // Spaces behind this are none of the value, unless something follows.
    let mut size = 0;
    let mut quoted = false;
    let mut after = None;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'\\' => {
                let (unescaped, behind) = unescape(rest)?;
                rest = behind;
                value.push(unescaped);
                size = value.len();
            }
            b'"' => quoted = !quoted,
            b',' | b'+' if !quoted => {
                after = Some(rest);
                break;
            }
            b' ' if !quoted && value.is_empty() => {}
            _ => {
                value.push(byte);
                if quoted || byte != b' ' {
                    size = value.len();
                }
            }
        }
    }
    value.truncate(size);
    (!quoted).then_some((value, after))
}

/// What a backslash means by what follows it.
fn unescape(rest: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if let [high, low, after @ ..] = rest {
        if let (Some(high), Some(low)) = (digit(*high), digit(*low)) {
            return Some((high << 4 | low, after));
        }
    }
    rest.split_first().map(|(byte, after)| (*byte, after))
}

/// Whether two names have the same attributes: each as often, in any order, their values without regard to the case of ASCII letters
/// and to how many spaces stand between words (RFC 5280 section 7.1, RFC 4518 section 2.6.1).
pub fn is_same(one: &[Attribute], other: &[Attribute]) -> bool {
    let folded = |name: &[Attribute]| {
        let attributes = name.iter().map(|one| (one.name.to_ascii_lowercase(), fold(&one.value)));
        let mut attributes: Vec<_> = attributes.collect();
        attributes.sort_unstable();
        attributes
    };
    one.len() == other.len() && folded(one) == folded(other)
}

fn fold(value: &[u8]) -> Vec<u8> {
    let words: Vec<_> = value.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).collect();
    words.join(&b' ').to_ascii_lowercase()
}

/// The name in one line of printable ASCII, which [`parse`] takes; of one that is too long, the begin.
pub fn text(name: &[Attribute]) -> String {
    let text: Vec<_> = name.iter().map(|one| format!("{}={}", one.name, escape(&one.value))).collect();
    let text = text.join(", ");
    text.get(..MAX_TEXT_SIZE).map_or_else(|| text.clone(), |begin| format!("{begin}..."))
}

fn escape(value: &[u8]) -> String {
    let mut text = String::new();
    for (index, byte) in value.iter().enumerate() {
        let is_outer_space = *byte == b' ' && (index == 0 || index == value.len() - 1);
        match byte {
            b' '..=b'~' if SPECIAL.contains(byte) || is_outer_space => text.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use mbed_cloud_connectivity_mbedtls::x509::CertificateInfo;

    /// A certificate that says this of names, and nothing else.
    pub fn certificate(subject: &str, issuer: &str) -> CertificateInfo {
        CertificateInfo {
            subject: subject.to_owned(),
            issuer: issuer.to_owned(),
            subject_attributes: parse(subject).unwrap(),
            issuer_attributes: parse(issuer).unwrap(),
            not_before: 0,
            not_after: 0,
            serial: Vec::new(),
            alternative_names: Vec::new(),
            public_key: Vec::new(),
            der: Vec::new(),
        }
    }

    fn name(attributes: &[(&str, &[u8])]) -> Vec<Attribute> {
        let attribute = |(name, value): &(&str, &[u8])| Attribute { name: (*name).to_owned(), value: value.to_vec() };
        attributes.iter().map(attribute).collect()
    }

    #[test]
    fn a_name_is_read_from_text_with_its_escapes() {
        assert_eq!(parse("C=GB, CN=Example CA").unwrap(), name(&[("C", b"GB"), ("CN", b"Example CA")]));
        for text in [r"O=A\, B,CN=x", r"O = A\2C B , CN = x", "O = \"A, B\", CN = x", r" O=A\2c\20B+CN=  x "] {
            assert_eq!(parse(text).unwrap(), name(&[("O", b"A, B"), ("CN", b"x")]), "{text}");
        }
        assert_eq!(parse(r"CN=\ a\ ,O=").unwrap(), name(&[("CN", b" a "), ("O", b"")]));
        assert_eq!(parse(r"CN=J\C3\A4").unwrap(), parse("CN=Jä").unwrap());
        assert_eq!(parse("CN=a=b").unwrap(), name(&[("CN", b"a=b")]));
        for text in ["", "Example CA", "=x", "CN=x,", "CN=x, y", "CN=\"x", "CN=x\\", "C N=x", "CN=x,,O=y"] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn names_are_the_same_by_their_attributes_in_any_order_case_and_spacing() {
        let same = |one: &str, other: &str| is_same(&parse(one).unwrap(), &parse(other).unwrap());
        let ca = "C=GB, ST=Cambridgeshire, L=Cambridge, O=Example Ltd, CN=Example CA";
        assert!(same(ca, ca));
        assert!(same(ca, "CN=EXAMPLE  ca,O=Example Ltd,L=Cambridge,ST=Cambridgeshire,c=gb"));
        for other in [
            "CN=Example CA",
            "C=GB, ST=Cambridgeshire, L=Cambridge, O=Example Ltd, CN=Example CA 2",
            "C=GB, ST=Cambridgeshire, L=Cambridge, O=Example Ltd, CN=ExampleCA",
            "C=GB, ST=Cambridgeshire, L=Cambridge, OU=Example Ltd, CN=Example CA",
            "C=GB, ST=Cambridge, L=Cambridgeshire, O=Example Ltd, CN=Example CA",
            "C=GB, ST=Cambridgeshire, L=Cambridge, O=Example Ltd, CN=Example CA, CN=Example CA",
            r"CN=C\=GB\, ST\=Cambridgeshire\, L\=Cambridge\, O\=Example Ltd\, CN\=Example CA",
        ] {
            assert!(!same(ca, other), "{other}");
        }
        assert!(!same("CN=a, CN=a, CN=b", "CN=a, CN=b, CN=b"));
    }

    #[test]
    fn the_text_of_any_name_is_short_printable_and_read_back_as_that_name() {
        let mut random = fastrand::Rng::with_seed(4514);
        for _ in 0..2000 {
            let attribute = |random: &mut fastrand::Rng| {
                let value = (0..random.usize(..20)).map(|_| random.u8(..)).collect();
                Attribute { name: "CN".to_owned(), value }
            };
            let name: Vec<_> = (0..random.usize(1..4)).map(|_| attribute(&mut random)).collect();
            let text = text(&name);
            assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text:?}");
            assert_eq!(parse(&text), Some(name), "{text:?}");
        }
        let long = name(&[("CN", &[b'x'; 20_000])]);
        assert!(text(&long).len() < MAX_TEXT_SIZE + 4);
    }

    #[test]
    fn any_text_is_a_name_or_none() {
        let mut random = fastrand::Rng::with_seed(2253);
        const CHARACTERS: [char; 11] = ['C', 'N', '=', ' ', ',', '+', '\\', '"', '2', 'f', 'ä'];
        let mut names = 0;
        for _ in 0..20_000 {
            let text: String = (0..random.usize(..24)).map(|_| random.choice(CHARACTERS).unwrap()).collect();
            names += usize::from(parse(&text).is_some());
        }
        assert!(names > 100, "{names}");
    }
}
