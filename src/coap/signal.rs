//! The signalling messages of RFC 8323 section 5, read and written with `coap-lite`.
//!
//! As everywhere in this library a message has the form of RFC 7252; [`super::framing`] leaves type and message ID out on the wire.

use coap_lite::{CoapOption, MessageClass, MessageType, Packet};

const CSM: u8 = 0xe1;
const PING: u8 = 0xe2;
const PONG: u8 = 0xe3;
const RELEASE: u8 = 0xe4;
const ABORT: u8 = 0xe5;

/// "Max-Message-Size", of a CSM (section 5.3.1).
const MAX_MESSAGE_SIZE: u16 = 2;
/// "Hold-Off", of a Release (section 5.5).
const HOLD_OFF: u16 = 4;
/// "Bad-CSM-Option", of an Abort (section 5.6).
const BAD_CSM_OPTION: u16 = 2;

/// What may be sent before the peer's CSM says otherwise (section 5.3.1: "The base value is 1152").
pub const BASE_MAX_MESSAGE_SIZE: usize = 1152;

/// A signal that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// 7.01: the peer's settings.
    Capabilities {
        /// The longest message that the peer takes, if it says so.
        max_message_size: Option<u32>,
    },
    /// 7.02: the peer wants a Pong with the same token.
    Ping {
        /// What the Pong carries.
        token: Vec<u8>,
    },
    /// 7.03: the answer to a Ping. libcoap leaves the token out.
    Pong {
        /// The Ping's, or empty.
        token: Vec<u8>,
    },
    /// 7.04: the peer wants the connection to end.
    Release {
        /// Seconds to stay away, if it says so.
        hold_off_s: Option<u32>,
    },
    /// 7.05: the peer ends the connection.
    Abort,
    /// A signal with a critical option that nobody knows (section 5.2: it has to be aborted), with the option's number.
    BadOption {
        /// The option.
        number: u16,
        /// Whether it stood in a CSM, where the Abort can name it.
        capabilities: bool,
    },
    /// 7.00 and 7.06 to 7.31: no meaning yet.
    Unknown,
}

/// Reads a signal: a message that passed the check, with a code of class 7.
pub fn read(message: &[u8]) -> Option<Signal> {
    // Too long for any signal with a meaning; not worth the memory that reading its options takes.
    if message.len() > BASE_MAX_MESSAGE_SIZE {
        return None;
    }
    let packet = Packet::from_bytes(message).ok()?;
    let code = u8::from(packet.header.code);
    // Section 5.2: odd option numbers are critical; none that is defined for these codes is odd.
    if let Some((number, _)) = packet.options().find(|(number, _)| *number % 2 == 1) {
        return Some(Signal::BadOption { number: *number, capabilities: code == CSM });
    }
    let token = packet.get_token().to_vec();
    Some(match code {
        CSM => Signal::Capabilities { max_message_size: unsigned(&packet, MAX_MESSAGE_SIZE) },
        PING => Signal::Ping { token },
        PONG => Signal::Pong { token },
        RELEASE => Signal::Release { hold_off_s: unsigned(&packet, HOLD_OFF) },
        ABORT => Signal::Abort,
        _ => Signal::Unknown,
    })
}

/// Our CSM: the longest message that we take.
pub fn capabilities(max_message_size: u32) -> Vec<u8> {
    write(CSM, &[], Some((MAX_MESSAGE_SIZE, max_message_size)))
}

/// A Ping with this token.
pub fn ping(token: &[u8]) -> Vec<u8> {
    write(PING, token, None)
}

/// The Pong that answers a Ping with this token.
pub fn pong(token: &[u8]) -> Vec<u8> {
    write(PONG, token, None)
}

/// An Abort, which names the option of the peer's CSM that could not be taken.
pub fn abort(bad_option: Option<u16>) -> Vec<u8> {
    write(ABORT, &[], bad_option.map(|number| (BAD_CSM_OPTION, number.into())))
}

fn write(code: u8, token: &[u8], option: Option<(u16, u32)>) -> Vec<u8> {
    let mut packet = Packet::new();
    packet.header.set_type(MessageType::NonConfirmable);
    packet.header.code = MessageClass::from(code);
    packet.set_token(token.to_vec());
    if let Some((number, value)) = option {
        // RFC 7252 section 3.2: a number goes without its leading zero bytes.
        let value = value.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
        packet.add_option(CoapOption::from(number), value);
    }
    // It fails only for messages longer than these can be.
    packet.to_bytes().unwrap_or_default()
}

/// A number of up to four bytes (RFC 7252 section 3.2); of a repeated option the first counts.
fn unsigned(packet: &Packet, number: u16) -> Option<u32> {
    let value = packet.get_first_option(CoapOption::from(number))?;
    (value.len() <= 4).then(|| value.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coap::framing::{Framing, encode};

    fn on_the_wire(message: &[u8]) -> Vec<u8> {
        encode(Framing::Rfc8323, message).unwrap()
    }

    #[test]
    fn what_we_write_is_what_the_peers_showed() {
        assert_eq!(on_the_wire(&capabilities(0)), [0x10, 0xe1, 0x20]);
        assert_eq!(on_the_wire(&capabilities(65535)), [0x30, 0xe1, 0x22, 0xff, 0xff]);
        assert_eq!(on_the_wire(&ping(&[0x5a])), [0x01, 0xe2, 0x5a]);
        assert_eq!(on_the_wire(&pong(&[1, 2])), [0x02, 0xe3, 1, 2]);
        assert_eq!(on_the_wire(&abort(None)), [0x00, 0xe5]);
        assert_eq!(on_the_wire(&abort(Some(9))), [0x20, 0xe5, 0x21, 9]);
    }

    #[test]
    fn signals_are_read() {
        let signal = |bytes: &[u8]| read(&[&[0x50, bytes[0], 0, 0], &bytes[1..]].concat()).unwrap();
        // What libcoap sends: a maximum of 8388864 bytes, and block-wise transfer, which is nothing to us.
        let capabilities = signal(&[0xe1, 0x23, 0x80, 0x01, 0x00, 0x20]);
        assert_eq!(capabilities, Signal::Capabilities { max_message_size: Some(0x0080_0100) });
        assert_eq!(signal(&[0xe1]), Signal::Capabilities { max_message_size: None });
        assert_eq!(signal(&[0xe1, 0x25, 1, 2, 3, 4, 5]), Signal::Capabilities { max_message_size: None });
        // libcoap's Pong: no token, Custody.
        assert_eq!(signal(&[0xe3, 0x20]), Signal::Pong { token: vec![] });
        assert_eq!(signal(&[0xe4, 0x41, 30]), Signal::Release { hold_off_s: Some(30) });
        assert_eq!(signal(&[0xe5, 0xff, b'n', b'o']), Signal::Abort);
        assert_eq!(signal(&[0xe1, 0x10]), Signal::BadOption { number: 1, capabilities: true });
        assert_eq!(signal(&[0xe2, 0x30]), Signal::BadOption { number: 3, capabilities: false });
        assert_eq!(signal(&[0xff]), Signal::Unknown);
        assert_eq!(read(&vec![0x50; BASE_MAX_MESSAGE_SIZE + 1]), None);
    }
}
