//! How one CoAP message is told from the next on each transport. Decoders take bytes in any split and hold one message at most.

use super::message::{self, FormatError, Header, MAX_TOKEN_SIZE};
use crate::memory;

/// How messages stand on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// One message, one datagram.
    Datagram,
    /// One message, one record of TLS or DTLS.
    Record,
    /// Four bytes of big-endian length, then one message.
    LengthPrefix,
    /// The header of RFC 8323 section 3.2, without type and message ID.
    Rfc8323,
}

/// The longest message that is sent over a stream.
pub const MAX_MESSAGE_SIZE: usize = 65_535;
/// The longest plaintext of a record of TLS or DTLS (RFC 5246 section 6.2.1: 2^14 bytes).
pub const MAX_RECORD_SIZE: usize = 16_384;
/// The longest UDP payload over IPv4: 65,535 bytes less the headers of IP and UDP.
pub const MAX_DATAGRAM_SIZE: usize = 65_507;
/// A message that claims to be longer is not passed over: what claims it does not speak this framing.
const MAX_SKIPPED_SIZE: u64 = 1 << 24;

/// Why a message cannot be sent in a framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsendable {
    /// It is longer than the framing carries.
    TooLarge,
    /// It is not well-formed.
    Malformed(FormatError),
    /// RFC 8323 has no Empty messages of the application's own (section 3: no acknowledgements, no resets).
    NoEmptyMessages,
}

/// Checks a message that is to be sent.
pub fn check_outgoing(framing: Framing, message: &[u8]) -> Result<Header, Unsendable> {
    let limit = match framing {
        Framing::Datagram => MAX_DATAGRAM_SIZE,
        Framing::Record => MAX_RECORD_SIZE,
        Framing::LengthPrefix | Framing::Rfc8323 => MAX_MESSAGE_SIZE,
    };
    if message.len() > limit {
        return Err(Unsendable::TooLarge);
    }
    let header = message::check(message).map_err(Unsendable::Malformed)?;
    if framing == Framing::Rfc8323 && header.is_empty() {
        return Err(Unsendable::NoEmptyMessages);
    }
    Ok(header)
}

/// The bytes on the wire of a well-formed message. None if it has no header, or a token that it does not hold, or if there is no memory.
pub fn encode(framing: Framing, message: &[u8]) -> Option<Vec<u8>> {
    match framing {
        Framing::Datagram | Framing::Record => memory::copied(message).ok(),
        Framing::LengthPrefix => {
            let length = u32::try_from(message.len()).ok()?;
            memory::joined(&[&length.to_be_bytes(), message]).ok()
        }
        Framing::Rfc8323 => {
            let &[first, code, _, _, ref rest @ ..] = message else { return None };
            let token_length = first & 0x0f;
            let (token, content) = rest.split_at_checked(token_length.into())?;
            // RFC 8323 section 3.2: the length is that of options and payload; 13, 14 and 15 announce 1, 2 and 4 bytes more.
            let length = content.len();
            let (nibble, extension) = match length {
                0..13 => (u8::try_from(length).ok()?, vec![]),
                13..269 => (13, vec![u8::try_from(length - 13).ok()?]),
                269..65_805 => (14, u16::try_from(length - 269).ok()?.to_be_bytes().to_vec()),
                _ => (15, u32::try_from(length - 65_805).ok()?.to_be_bytes().to_vec()),
            };
            memory::joined(&[&[nibble << 4 | token_length], &extension, &[code], token, content]).ok()
        }
    }
}

/// What a decoder found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// One message in the format of RFC 7252, unchecked. Over RFC 8323 it is Non-confirmable with a message ID that counts up.
    Message(Vec<u8>),
    /// A message longer than the limit, of this many bytes, was dropped whole.
    Oversize(u64),
}

/// Why the connection has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecodable {
    /// The stream cannot be told apart into messages any more.
    Broken,
    /// There is no memory for a message.
    NoMemory,
}

/// Tells messages apart.
#[derive(Debug)]
pub struct Decoder {
    framing: Framing,
    limit: usize,
    state: DecoderState,
    next_message_id: u16,
}

#[derive(Debug)]
enum DecoderState {
    /// A length is being read.
    Head { bytes: [u8; 5], size: usize },
    /// A message of `size` bytes is being read; for a unit, the size is not known before its end.
    Body { first: u8, size: usize, bytes: Vec<u8> },
    /// A message that is too long is being passed over. `left` is not counted for a unit.
    Skip { size: u64, left: u64 },
}

const START: DecoderState = DecoderState::Head { bytes: [0; 5], size: 0 };

impl Decoder {
    /// A decoder of messages up to `limit` bytes; over RFC 8323 the limit counts the bytes on the wire.
    pub fn new(framing: Framing, limit: usize) -> Self {
        Self { framing, limit, state: START, next_message_id: 0 }
    }

    /// Takes bytes from the front of `input` up to the end of the next message. None: all are taken, and more are needed.
    ///
    /// `end_of_unit` says that `input` ends where a datagram or a record ends; streams pass over it.
    pub fn decode(&mut self, input: &mut &[u8], end_of_unit: bool) -> Result<Option<Decoded>, Undecodable> {
        match self.framing {
            Framing::Datagram | Framing::Record => self.decode_unit(std::mem::take(input), end_of_unit),
            Framing::LengthPrefix | Framing::Rfc8323 => self.decode_stream(input),
        }
    }

    fn decode_unit(&mut self, input: &[u8], end_of_unit: bool) -> Result<Option<Decoded>, Undecodable> {
        let mut held = match std::mem::replace(&mut self.state, START) {
            DecoderState::Skip { size, .. } => {
                let size = size + input.len() as u64;
                if end_of_unit {
                    return Ok(Some(Decoded::Oversize(size)));
                }
                self.state = DecoderState::Skip { size, left: 0 };
                return Ok(None);
            }
            DecoderState::Body { bytes, .. } => bytes,
            DecoderState::Head { .. } => Vec::new(),
        };
        let size = held.len() + input.len();
        if size > self.limit {
            if end_of_unit {
                return Ok(Some(Decoded::Oversize(size as u64)));
            }
            self.state = DecoderState::Skip { size: size as u64, left: 0 };
            return Ok(None);
        }
        memory::extend(&mut held, input).map_err(|_| Undecodable::NoMemory)?;
        // A record without content is no message (RFC 5246 section 6.2.1 allows it); a datagram without content is a malformed one.
        if end_of_unit && (size > 0 || self.framing == Framing::Datagram) {
            return Ok(Some(Decoded::Message(held)));
        }
        if size > 0 {
            self.state = DecoderState::Body { first: 0, size: 0, bytes: held };
        }
        Ok(None)
    }

    fn decode_stream(&mut self, input: &mut &[u8]) -> Result<Option<Decoded>, Undecodable> {
        loop {
            match &mut self.state {
                DecoderState::Head { bytes, size } => {
                    let needed = head_size(self.framing, bytes[0], *size);
                    let taken = (needed - *size).min(input.len());
                    bytes[*size..*size + taken].copy_from_slice(&input[..taken]);
                    *input = &input[taken..];
                    *size += taken;
                    if *size < needed {
                        return Ok(None);
                    }
                    if head_size(self.framing, bytes[0], *size) == *size {
                        let body = body_size(self.framing, &bytes[..*size])?;
                        let whole = if self.framing == Framing::Rfc8323 { *size as u64 + body } else { body };
                        self.state = if whole > self.limit as u64 {
                            if body > MAX_SKIPPED_SIZE {
                                return Err(Undecodable::Broken);
                            }
                            DecoderState::Skip { size: whole, left: body }
                        } else {
                            DecoderState::Body { first: bytes[0], size: body as usize, bytes: Vec::new() }
                        };
                    }
                }
                DecoderState::Body { first, size, bytes } => {
                    let taken = (*size - bytes.len()).min(input.len());
                    memory::extend(bytes, &input[..taken]).map_err(|_| Undecodable::NoMemory)?;
                    *input = &input[taken..];
                    if bytes.len() < *size {
                        return Ok(None);
                    }
                    let (first, bytes) = (*first, std::mem::take(bytes));
                    self.state = START;
                    return Ok(Some(Decoded::Message(self.whole(first, bytes)?)));
                }
                DecoderState::Skip { size, left } => {
                    let taken = (*left).min(input.len() as u64);
                    *input = &input[taken as usize..];
                    *left -= taken;
                    if *left > 0 {
                        return Ok(None);
                    }
                    let size = *size;
                    self.state = START;
                    return Ok(Some(Decoded::Oversize(size)));
                }
            }
        }
    }

    /// The message in the format of RFC 7252.
    fn whole(&mut self, first: u8, bytes: Vec<u8>) -> Result<Vec<u8>, Undecodable> {
        if self.framing != Framing::Rfc8323 {
            return Ok(bytes);
        }
        const NON_CONFIRMABLE: u8 = 0x50;
        let [high, low] = self.next_message_id.to_be_bytes();
        self.next_message_id = self.next_message_id.wrapping_add(1);
        memory::joined(&[&[NON_CONFIRMABLE | first & 0x0f, bytes[0], high, low], &bytes[1..]])
            .map_err(|_| Undecodable::NoMemory)
    }
}

/// How many bytes tell a message's length, of which the first is known once there is one.
fn head_size(framing: Framing, first: u8, known: usize) -> usize {
    match (framing, known, first >> 4) {
        (Framing::LengthPrefix, ..) => 4,
        (_, 0, _) => 1,
        (_, _, 13) => 2,
        (_, _, 14) => 3,
        (_, _, 15) => 5,
        _ => 1,
    }
}

/// How many bytes come after the head.
fn body_size(framing: Framing, head: &[u8]) -> Result<u64, Undecodable> {
    if framing == Framing::LengthPrefix {
        return Ok(number(head));
    }
    let token_length = u64::from(head[0] & 0x0f);
    if token_length > MAX_TOKEN_SIZE as u64 {
        return Err(Undecodable::Broken);
    }
    let content = match head[0] >> 4 {
        13 => 13 + number(&head[1..]),
        14 => 269 + number(&head[1..]),
        15 => 65_805 + number(&head[1..]),
        length => length.into(),
    };
    // The code, the token, then options and payload.
    Ok(1 + token_length + content)
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAMS: [Framing; 2] = [Framing::LengthPrefix, Framing::Rfc8323];

    fn message_of(size: usize) -> Vec<u8> {
        let mut message = vec![0x52, 0x45, 0, 0, 0xaa, 0xbb];
        if size > 6 {
            message.push(0xff);
            message.resize(size, 7);
        }
        message
    }

    /// Everything that a decoder finds when the bytes come in pieces of these sizes, in turn.
    fn decode_all(decoder: &mut Decoder, bytes: &[u8], pieces: &[usize]) -> Vec<Decoded> {
        let mut found = Vec::new();
        let mut rest = bytes;
        for size in pieces.iter().cycle() {
            if rest.is_empty() {
                return found;
            }
            let (mut piece, after) = rest.split_at((*size).min(rest.len()));
            rest = after;
            loop {
                found.extend(decoder.decode(&mut piece, rest.is_empty()).unwrap());
                if piece.is_empty() {
                    break;
                }
            }
        }
        found
    }

    fn without_message_id(message: &[u8]) -> Vec<u8> {
        [&message[..2], &[0, 0], &message[4..]].concat()
    }

    #[test]
    fn streams_are_told_apart_in_any_split() {
        let sizes = [6, 8, 19, 20, 100, 274, 275, 300, 5_000, 65_535, 9];
        for framing in STREAMS {
            let messages: Vec<_> = sizes.iter().map(|size| message_of(*size)).collect();
            let wire: Vec<u8> = messages.iter().flat_map(|message| encode(framing, message).unwrap()).collect();
            for pieces in [&[1][..], &[2], &[3, 1], &[7, 4096, 1], &[1 << 20]] {
                let mut decoder = Decoder::new(framing, 65_540);
                let found = decode_all(&mut decoder, &wire, pieces);
                assert_eq!(found.len(), messages.len());
                for (found, sent) in found.iter().zip(&messages) {
                    let Decoded::Message(found) = found else { panic!("{framing:?}: {found:?}") };
                    assert!(message::check(found).is_ok());
                    assert!(without_message_id(found) == *sent, "{framing:?} {}", sent.len());
                }
            }
        }
    }

    #[test]
    fn units_are_never_merged_nor_cut() {
        for framing in [Framing::Record, Framing::Datagram] {
            let mut decoder = Decoder::new(framing, 1000);
            for size in [6, 1000, 8] {
                let message = message_of(size);
                for pieces in [&[1][..], &[300], &[2000]] {
                    assert_eq!(decode_all(&mut decoder, &message, pieces), [Decoded::Message(message.clone())]);
                }
            }
            assert_eq!(decode_all(&mut decoder, &message_of(1001), &[400]), [Decoded::Oversize(1001)]);
            assert_eq!(decode_all(&mut decoder, &message_of(5000), &[5000]), [Decoded::Oversize(5000)]);
            assert_eq!(decode_all(&mut decoder, &message_of(9), &[9]), [Decoded::Message(message_of(9))]);
        }
        let mut nothing: &[u8] = &[];
        assert_eq!(Decoder::new(Framing::Record, 9).decode(&mut nothing, true), Ok(None));
        assert_eq!(Decoder::new(Framing::Datagram, 9).decode(&mut nothing, true), Ok(Some(Decoded::Message(vec![]))));
    }

    #[test]
    fn what_is_too_long_is_dropped_whole_and_the_stream_goes_on() {
        for framing in STREAMS {
            let wire = [message_of(900), message_of(20)].map(|message| encode(framing, &message).unwrap()).concat();
            for pieces in [&[1][..], &[64], &[4096]] {
                let found = decode_all(&mut Decoder::new(framing, 800), &wire, pieces);
                assert!(matches!(found[..], [Decoded::Oversize(898..=904), Decoded::Message(_)]), "{found:?}");
            }
        }
    }

    #[test]
    fn a_decoder_holds_no_more_than_came_in() {
        // It claims 65,535 bytes and sends ten.
        let mut decoder = Decoder::new(Framing::LengthPrefix, 65_535);
        let mut bytes = &[0, 0, 0xff, 0xff, 1, 2, 3, 4, 5, 6][..];
        assert_eq!(decoder.decode(&mut bytes, false), Ok(None));
        let DecoderState::Body { bytes, .. } = &decoder.state else { panic!() };
        assert!(bytes.capacity() < 64);
    }

    #[test]
    fn nonsense_breaks_the_stream() {
        let mut text = &b"HTTP/1.1 400 Bad Request\r\n"[..];
        assert_eq!(Decoder::new(Framing::LengthPrefix, 65_535).decode(&mut text, false), Err(Undecodable::Broken));
        let mut reserved_token_length = &[0x09, 0x45, 0, 0][..];
        assert_eq!(
            Decoder::new(Framing::Rfc8323, 65_535).decode(&mut reserved_token_length, false),
            Err(Undecodable::Broken)
        );
        let mut endless = &[0xf0, 0xff, 0xff, 0xff, 0xff, 1][..];
        assert_eq!(Decoder::new(Framing::Rfc8323, 65_535).decode(&mut endless, false), Err(Undecodable::Broken));
    }

    #[test]
    fn what_cannot_be_sent_says_why() {
        assert!(check_outgoing(Framing::LengthPrefix, &message_of(65_535)).is_ok());
        for (framing, size) in [
            (Framing::LengthPrefix, 65_536),
            (Framing::Rfc8323, 65_536),
            (Framing::Record, 16_385),
            (Framing::Datagram, 65_508),
        ] {
            assert_eq!(check_outgoing(framing, &message_of(size)), Err(Unsendable::TooLarge));
        }
        let empty = [0x40, 0, 0, 1];
        assert_eq!(check_outgoing(Framing::Rfc8323, &empty), Err(Unsendable::NoEmptyMessages));
        assert!(check_outgoing(Framing::Record, &empty).is_ok());
        assert_eq!(check_outgoing(Framing::Record, b"x"), Err(Unsendable::Malformed(FormatError::Truncated)));
        assert_eq!(encode(Framing::Rfc8323, &[0x48, 1, 0, 0, 1]), None);
    }
}
