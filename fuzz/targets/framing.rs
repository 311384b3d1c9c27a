//! The four framings: whatever comes in, in whatever pieces, gives the same messages, and no more comes out than went in. What may be
//! sent arrives as it was.
//!
//! Input: framing (1 byte), limit (2), size of the pieces (1), then what comes in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mbed_cloud_connectivity::coap::framing::{self, Decoded, Decoder, Framing, Undecodable};
use mbed_cloud_connectivity_fuzz::Reader;

const FRAMINGS: [Framing; 4] = [Framing::Datagram, Framing::Record, Framing::LengthPrefix, Framing::Rfc8323];

fuzz_target!(|input: &[u8]| {
    let mut input = Reader::new(input);
    let framing = input.choose(&FRAMINGS);
    let limit = usize::from(input.short());
    let piece = usize::from(input.byte());
    let bytes = input.rest();

    let whole = decode(framing, limit, bytes, bytes.len());
    assert_eq!(whole, decode(framing, limit, bytes, piece));
    let found = whole.unwrap_or_else(|(found, _)| found);
    let mut size = 0;
    for decoded in &found {
        size += match decoded {
            Decoded::Message(message) => size_on_wire(framing, limit, message),
            Decoded::Oversize(size) => {
                assert!(*size > limit as u64);
                *size
            }
        };
    }
    assert!(size <= bytes.len() as u64, "more came out than went in");

    if let Ok(header) = framing::check_outgoing(framing, bytes) {
        let wire = framing::encode(framing, bytes).expect("what may be sent can be written");
        let found = decode(framing, framing::MAX_MESSAGE_SIZE + 8, &wire, piece).expect("a sound stream");
        let [Decoded::Message(message)] = &found[..] else { panic!("one message became {found:?}") };
        if framing == Framing::Rfc8323 {
            assert_eq!((message[1], usize::from(message[0] & 0x0f)), (header.code, header.token_length));
            assert_eq!(message[4..], bytes[4..]);
        } else {
            assert_eq!(message, bytes);
        }
    }
});

/// What a decoder finds when the bytes, one unit, come in pieces of this size; what it found before the stream broke.
fn decode(
    framing: Framing,
    limit: usize,
    bytes: &[u8],
    piece: usize,
) -> Result<Vec<Decoded>, (Vec<Decoded>, Undecodable)> {
    let mut decoder = Decoder::new(framing, limit);
    let mut found = Vec::new();
    let mut rest = bytes;
    loop {
        let (mut piece, after) = rest.split_at(piece.max(1).min(rest.len()));
        rest = after;
        loop {
            match decoder.decode(&mut piece, rest.is_empty()) {
                Ok(decoded) => {
                    assert!(decoded.is_some() || piece.is_empty(), "bytes were left without a message");
                    found.extend(decoded);
                }
                Err(broken) => return Err((found, broken)),
            }
            if piece.is_empty() {
                break;
            }
        }
        if rest.is_empty() {
            return Ok(found);
        }
    }
}

/// How many bytes it took at least.
fn size_on_wire(framing: Framing, limit: usize, message: &[u8]) -> u64 {
    // RFC 8323 leaves the message ID out.
    let size = if framing == Framing::Rfc8323 { message.len() - 2 } else { message.len() };
    assert!(size <= limit);
    size as u64
}
