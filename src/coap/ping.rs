//! CoAP PING: an Empty Confirmable message and the Reset that answers it (RFC 7252 section 4.3).

use super::message::{Header, Type};

/// The size of a ping and of its answer in bytes.
pub const SIZE: usize = 4;

const CONFIRMABLE: u8 = 0x40;
const ACKNOWLEDGEMENT: u8 = 0x60;
const RESET: u8 = 0x70;

/// The ping with this message ID.
pub fn encode(message_id: u16) -> [u8; SIZE] {
    empty(CONFIRMABLE, message_id)
}

/// The Reset that answers a ping, or rejects a message, with this message ID.
pub fn reset(message_id: u16) -> [u8; SIZE] {
    empty(RESET, message_id)
}

/// Whether `message`, one whole RFC 7252 message, answers the ping with this message ID. An Empty Acknowledgement proves that the
/// peer lives as well as a Reset does.
pub fn matches(message: &[u8], message_id: u16) -> bool {
    message == reset(message_id) || message == empty(ACKNOWLEDGEMENT, message_id)
}

fn empty(first: u8, message_id: u16) -> [u8; SIZE] {
    let [high, low] = message_id.to_be_bytes();
    [first, 0, high, low]
}

/// The message IDs of the latest messages that were sent: an Acknowledgement or Reset that matches none of them proves nothing.
#[derive(Debug, Clone, Default)]
pub struct RecentIds {
    ids: std::collections::VecDeque<u16>,
}

impl RecentIds {
    /// How many are remembered: as many as fit the default queue of messages to send.
    const CAPACITY: usize = 64;

    /// Notes a message that was sent, if it is one that can be answered by its message ID.
    pub fn note_message(&mut self, header: &Header) {
        if header.kind == Type::Confirmable || header.kind == Type::NonConfirmable {
            self.note(header.message_id);
        }
    }

    /// Notes a message ID.
    pub fn note(&mut self, message_id: u16) {
        if self.ids.len() == Self::CAPACITY {
            self.ids.pop_front();
        }
        self.ids.push_back(message_id);
    }

    /// Whether a message with this ID was among the latest.
    pub fn contains(&self, message_id: u16) -> bool {
        self.ids.contains(&message_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coap::message;

    #[test]
    fn the_bytes_are_those_of_the_contract() {
        assert_eq!(encode(0x1234), [0x40, 0x00, 0x12, 0x34]);
        assert_eq!(reset(0x1234), [0x70, 0x00, 0x12, 0x34]);
    }

    #[test]
    fn only_a_reset_or_an_acknowledgement_of_the_same_id_matches() {
        assert!(matches(&[0x70, 0, 0x12, 0x34], 0x1234));
        assert!(matches(&[0x60, 0, 0x12, 0x34], 0x1234));
        for other in [
            &[0x40, 0, 0x12, 0x34][..],
            &[0x50, 0, 0x12, 0x34],
            &[0x70, 0, 0x12, 0x35],
            &[0x70, 0x45, 0x12, 0x34],
            &[0x70, 0, 0x12, 0x34, 0],
            &[0x70, 0, 0x12],
            &[0x71, 0, 0x12, 0x34],
            &[0xb0, 0, 0x12, 0x34],
            &[],
        ] {
            assert!(!matches(other, 0x1234), "{other:02x?}");
        }
    }

    #[test]
    fn recent_ids_are_those_of_requests_and_are_bounded() {
        let mut recent = RecentIds::default();
        recent.note_message(&message::check(&[0x60, 0x45, 0, 9]).unwrap());
        assert!(!recent.contains(9));
        for id in 0..=64u8 {
            recent.note_message(&message::check(&[0x40, 1, 0, id]).unwrap());
        }
        assert!(!recent.contains(0) && recent.contains(1) && recent.contains(64));
    }
}
