//! One CoAP message in the format of RFC 7252 section 3: checked strictly, passed on untouched.
//!
//! `coap-lite` reads and writes the few messages that the library itself consumes and makes (see [`super::signal`]); it takes what
//! RFC 7252 calls format errors, so that [`check`] goes first. The application's messages are checked here without an allocation.

/// The header's size in bytes.
pub const HEADER_SIZE: usize = 4;
/// The longest token (RFC 7252 section 3: "Lengths 9-15 are reserved").
pub const MAX_TOKEN_SIZE: usize = 8;
const PAYLOAD_MARKER: u8 = 0xff;

/// The message type (RFC 7252 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// It asks for an Acknowledgement or a Reset.
    Confirmable,
    /// It asks for neither.
    NonConfirmable,
    /// It answers a Confirmable message.
    Acknowledgement,
    /// It says that a message could not be processed.
    Reset,
}

/// The header of a well-formed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The message type.
    pub kind: Type,
    /// The code, class in the upper three bits; 0 for an Empty message.
    pub code: u8,
    /// The message ID.
    pub message_id: u16,
    /// The token's length in bytes, 0 to 8.
    pub token_length: usize,
}

impl Header {
    /// Whether the message is Empty: nothing but a header.
    pub fn is_empty(&self) -> bool {
        self.code == 0
    }

    /// Whether it answers another message by its message ID.
    pub fn is_answer(&self) -> bool {
        matches!(self.kind, Type::Acknowledgement | Type::Reset)
    }
}

/// Why bytes are not a well-formed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatError {
    /// Fewer bytes than a header, or than the header's token length says.
    Truncated,
    /// A version other than 1 (RFC 7252 section 3: "Messages with unknown version numbers MUST be silently ignored").
    Version,
    /// A token length of 9 to 15.
    TokenLength,
    /// An Empty message with a token or with bytes after the header, or an Empty Non-confirmable one (section 4.1, table 1).
    Empty,
    /// A Reset that is not Empty, or an Acknowledgement that carries a request (section 4.2).
    Type,
    /// A code of a reserved class (section 4.2).
    Code,
    /// An option that runs past the end or has a reserved length, or a payload marker with nothing after it (sections 3 and 3.1).
    Options,
}

/// The type and message ID of bytes that have a header, even if the rest is malformed: what a rejection needs.
pub fn peek(message: &[u8]) -> Option<(Type, u16)> {
    let &[first, _, high, low, ..] = message else { return None };
    if first >> 6 != 1 {
        return None;
    }
    let kind = match (first >> 4) & 3 {
        0 => Type::Confirmable,
        1 => Type::NonConfirmable,
        2 => Type::Acknowledgement,
        _ => Type::Reset,
    };
    Some((kind, u16::from_be_bytes([high, low])))
}

/// Checks one whole message, strictly, and gives its header.
pub fn check(message: &[u8]) -> Result<Header, FormatError> {
    let header = header(message)?;
    // RFC 7252 section 4.2: codes of the classes 1, 6 and 7 are reserved.
    if matches!(header.code >> 5, 1 | 6 | 7) {
        return Err(FormatError::Code);
    }
    Ok(header)
}

/// As [`check`], for one that came over RFC 8323, where class 7 is signalling (section 5).
pub fn check_with_signals(message: &[u8]) -> Result<Header, FormatError> {
    let header = header(message)?;
    if matches!(header.code >> 5, 1 | 6) {
        return Err(FormatError::Code);
    }
    Ok(header)
}

fn header(message: &[u8]) -> Result<Header, FormatError> {
    let &[first, code, ..] = message else { return Err(FormatError::Truncated) };
    if first >> 6 != 1 {
        return Err(FormatError::Version);
    }
    let (kind, message_id) = peek(message).ok_or(FormatError::Truncated)?;
    let token_length = usize::from(first & 0x0f);
    if token_length > MAX_TOKEN_SIZE {
        return Err(FormatError::TokenLength);
    }
    // RFC 7252 section 4.1: "An Empty message has the Code field set to 0.00. The Token Length field MUST be set to 0 and bytes of
    // data MUST NOT be present after the Message ID field."
    if code == 0 && (message.len() > HEADER_SIZE || token_length > 0 || kind == Type::NonConfirmable) {
        return Err(FormatError::Empty);
    }
    if code != 0 && (kind == Type::Reset || kind == Type::Acknowledgement && code >> 5 == 0) {
        return Err(FormatError::Type);
    }
    let options = message.get(HEADER_SIZE + token_length..).ok_or(FormatError::Truncated)?;
    check_options(options)?;
    Ok(Header { kind, code, message_id, token_length })
}

/// Walks the options up to the payload (RFC 7252 section 3.1).
fn check_options(mut rest: &[u8]) -> Result<(), FormatError> {
    let mut number = 0u32;
    while let Some((&first, after)) = rest.split_first() {
        if first == PAYLOAD_MARKER {
            return if after.is_empty() { Err(FormatError::Options) } else { Ok(()) };
        }
        rest = after;
        number += extended(first >> 4, &mut rest)?;
        let length = extended(first & 0x0f, &mut rest)?;
        if number > u32::from(u16::MAX) {
            return Err(FormatError::Options);
        }
        rest = rest.get(length as usize..).ok_or(FormatError::Options)?;
    }
    Ok(())
}

/// An option's delta or length: a nibble, and up to two bytes more.
fn extended(nibble: u8, rest: &mut &[u8]) -> Result<u32, FormatError> {
    let (value, used) = match (nibble, *rest) {
        (0..=12, _) => (u32::from(nibble), 0),
        (13, &[byte, ..]) => (13 + u32::from(byte), 1),
        (14, &[high, low, ..]) => (269 + u32::from(u16::from_be_bytes([high, low])), 2),
        _ => return Err(FormatError::Options),
    };
    *rest = &rest[used..];
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_messages_pass_with_their_header() {
        let get = [0x42, 0x01, 0x12, 0x34, 0xaa, 0xbb, 0xb5, b'h', b'e', b'l', b'l', b'o', 0xff, 0x01];
        let header = check(&get).unwrap();
        assert_eq!(header, Header { kind: Type::Confirmable, code: 1, message_id: 0x1234, token_length: 2 });
        assert!(!header.is_empty() && !header.is_answer());
        assert!(check(&[0x40, 0, 0, 1]).unwrap().is_empty());
        assert_eq!(check(&[0x70, 0, 0, 1]).unwrap().kind, Type::Reset);
        assert!(check(&[0x60, 0x45, 0, 1]).unwrap().is_answer());
        assert_eq!(check(&[0x50, 0x45, 0, 1]).unwrap().kind, Type::NonConfirmable);
    }

    #[test]
    fn each_format_error_has_its_name() {
        for (bytes, error) in [
            (&[][..], FormatError::Truncated),
            (&[0x40], FormatError::Truncated),
            (&[0x40, 0, 0], FormatError::Truncated),
            (&[0x42, 1, 0, 0, 9], FormatError::Truncated),
            (&[0x00, 1, 0, 0], FormatError::Version),
            (&[0x80, 1, 0, 0], FormatError::Version),
            (&[0x49, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9], FormatError::TokenLength),
            (&[0x40, 0, 0, 0, 1], FormatError::Empty),
            (&[0x41, 0, 0, 0, 1], FormatError::Empty),
            (&[0x50, 0, 0, 0], FormatError::Empty),
            (&[0x70, 0x45, 0, 0], FormatError::Type),
            (&[0x60, 0x01, 0, 0], FormatError::Type),
            (&[0x40, 0x20, 0, 0], FormatError::Code),
            (&[0x40, 0xe2, 0, 0], FormatError::Code),
            (&[0x40, 1, 0, 0, 0xff], FormatError::Options),
            (&[0x40, 1, 0, 0, 0xf0], FormatError::Options),
            (&[0x40, 1, 0, 0, 0x0f], FormatError::Options),
            (&[0x40, 1, 0, 0, 0xd0], FormatError::Options),
            (&[0x40, 1, 0, 0, 0xe0, 0], FormatError::Options),
            (&[0x40, 1, 0, 0, 0x0e, 0xff, 0xff, 1], FormatError::Options),
            (&[0x40, 1, 0, 0, 0xe0, 0xff, 0xff], FormatError::Options),
            (&[0x40, 1, 0, 0, 0x02, 1], FormatError::Options),
        ] {
            assert_eq!(check(bytes), Err(error), "{bytes:02x?}");
        }
        assert!(check_with_signals(&[0x50, 0xe2, 0, 0]).is_ok());
        assert_eq!(check_with_signals(&[0x50, 0xc2, 0, 0]), Err(FormatError::Code));
    }

    /// What passes here also passes `coap-lite`, which is the more lenient of the two.
    #[test]
    fn what_passes_is_read_by_the_library_below() {
        let mut random = fastrand::Rng::with_seed(7252);
        let mut passed = 0;
        for _ in 0..200_000 {
            let size = random.usize(0..24);
            let mut bytes: Vec<u8> = (0..size).map(|_| random.u8(..)).collect();
            if let Some(first) = bytes.first_mut() {
                *first = 0x40 | *first & 0x33;
            }
            if let Ok(header) = check(&bytes) {
                passed += 1;
                let packet =
                    coap_lite::Packet::from_bytes(&bytes).unwrap_or_else(|error| panic!("{bytes:02x?} {error}"));
                assert_eq!(packet.header.message_id, header.message_id);
                assert_eq!(packet.get_token().len(), header.token_length);
            }
        }
        assert!(passed > 1_000, "only {passed} random messages were well-formed");
    }
}
