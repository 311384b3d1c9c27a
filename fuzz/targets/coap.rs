//! The CoAP codec and what tells a ping's answer: what passes is read by `coap-lite`, and nothing but the two answers of RFC 7252
//! matches a ping. Each signal of ours passes and is read as it was meant.
//!
//! Input: one message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mbed_cloud_connectivity::coap::message::{self, Type};
use mbed_cloud_connectivity::coap::ping::{self, RecentIds};
use mbed_cloud_connectivity::coap::signal::{self, Signal};

fuzz_target!(|bytes: &[u8]| {
    let strict = message::check(bytes);
    let with_signals = message::check_with_signals(bytes);
    let id = bytes.get(2..4).map_or(0, |id| u16::from_be_bytes([id[0], id[1]]));

    if let Ok(header) = strict {
        assert_eq!(with_signals, strict);
        assert_eq!(message::peek(bytes), Some((header.kind, header.message_id)));
        assert_eq!(header.message_id, id);
        let mut recent = RecentIds::default();
        recent.note_message(&header);
        assert_eq!(recent.contains(id), !header.is_answer());
    }
    if let Ok(header) = with_signals {
        let packet = coap_lite::Packet::from_bytes(bytes).expect("what passes is read by the library below");
        assert_eq!((packet.header.message_id, packet.get_token().len()), (id, header.token_length));
        assert_eq!(u8::from(packet.header.code), header.code);
        assert_eq!(has_sound_options(&bytes[4 + header.token_length..]), Some(()));
    } else if let [0x40..=0x48, 0x01..=0x1f, _, _, rest @ ..] = bytes {
        // A Confirmable request is refused for nothing but its token and options.
        let token_length = usize::from(bytes[0] & 0x0f);
        assert!(rest.get(token_length..).is_none_or(|options| has_sound_options(options).is_none()));
    }

    let is_answer = matches!(bytes, [0x60 | 0x70, 0, _, _]);
    assert_eq!(ping::matches(bytes, id), is_answer);
    assert!(!ping::matches(bytes, id.wrapping_add(1)));
    if is_answer {
        let header = strict.expect("an answer is well-formed");
        assert!(header.is_empty() && header.is_answer());
    }
    assert!(ping::matches(&ping::reset(id), id) && !ping::matches(&ping::encode(id), id));
    assert_eq!(message::check(&ping::encode(id)).map(|header| header.kind), Ok(Type::Confirmable));

    if let Some(Signal::Ping { token }) = signal::read(bytes).filter(|_| with_signals.is_ok()) {
        let pong = signal::pong(&token);
        assert!(message::check_with_signals(&pong).is_ok());
        assert_eq!(signal::read(&pong), Some(Signal::Pong { token }));
    }
    for (written, meant) in [
        (signal::ping(&id.to_be_bytes()), Signal::Ping { token: id.to_be_bytes().to_vec() }),
        (signal::capabilities(id.into()), Signal::Capabilities { max_message_size: Some(id.into()) }),
        (signal::abort(Some(id)), Signal::Abort),
    ] {
        assert!(message::check_with_signals(&written).is_ok());
        assert_eq!(signal::read(&written), Some(meant));
    }
});

/// RFC 7252 section 3.1, written down a second time, in other words.
fn has_sound_options(bytes: &[u8]) -> Option<()> {
    let (mut at, mut number) = (0, 0);
    while at < bytes.len() {
        if bytes[at] == 0xff {
            return (at + 1 < bytes.len()).then_some(());
        }
        let nibbles = [bytes[at] >> 4, bytes[at] & 0x0f];
        at += 1;
        let mut values = [0; 2];
        for (value, nibble) in values.iter_mut().zip(nibbles) {
            let (size, base) = match nibble {
                15 => return None,
                14 => (2, 269),
                13 => (1, 13),
                small => (0, usize::from(small)),
            };
            let more = bytes.get(at..at + size)?.iter().fold(0, |number, byte| number * 256 + usize::from(*byte));
            *value = base + more;
            at += size;
        }
        number += values[0];
        at += values[1];
        if number > 65_535 || at > bytes.len() {
            return None;
        }
    }
    Some(())
}
