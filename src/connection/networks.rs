//! What is known of each network's path, so that a device that comes back to one need not find it out again.

use crate::keepalive::adaptive::Knowledge;
use std::time::Duration;

/// A network as its watcher tells it from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(pub u64);

/// So many networks are remembered, the latest ones.
const MAX_NETWORKS: usize = 16;

/// The form in which it is exported: this, then 8 bytes of network, 8 bytes of proven and 8 bytes of broken time in milliseconds each,
/// big-endian, the latest network last; broken is 0 where nothing broke. Then a checksum.
const HEAD: &[u8; 8] = b"MCCKEEP\x01";
const ENTRY_SIZE: usize = 24;

/// The longest export in bytes.
pub const MAX_EXPORT_SIZE: usize = HEAD.len() + MAX_NETWORKS * ENTRY_SIZE + 4;

/// What is known, the latest network last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Networks(Vec<(Network, Knowledge)>);

impl Networks {
    /// What is known of a network.
    pub fn get(&self, network: Network) -> Option<Knowledge> {
        self.0.iter().find(|(other, _)| *other == network).map(|(_, knowledge)| *knowledge)
    }

    /// Remembers what is known of a network.
    pub fn set(&mut self, network: Network, knowledge: Knowledge) {
        self.0.retain(|(other, _)| *other != network);
        if self.0.len() == MAX_NETWORKS {
            self.0.remove(0);
        }
        self.0.push((network, knowledge));
    }

    /// The bytes to keep across a restart.
    pub fn export(&self) -> Vec<u8> {
        let mut bytes = HEAD.to_vec();
        for (network, knowledge) in &self.0 {
            bytes.extend(network.0.to_be_bytes());
            bytes.extend(milliseconds(knowledge.proven).to_be_bytes());
            bytes.extend(knowledge.broken.map_or(0, milliseconds).to_be_bytes());
        }
        let sum = checksum(&bytes);
        bytes.extend(sum.to_be_bytes());
        bytes
    }

    /// What an earlier export holds; none: it is none, or damaged.
    pub fn import(bytes: &[u8]) -> Option<Self> {
        let (content, sum) = bytes.split_last_chunk::<4>()?;
        let entries = content.strip_prefix(HEAD)?;
        if checksum(content) != u32::from_be_bytes(*sum) || entries.len() % ENTRY_SIZE != 0 {
            return None;
        }
        let mut networks = Self::default();
        for entry in entries.chunks_exact(ENTRY_SIZE) {
            let mut numbers =
                entry.chunks_exact(8).map(|bytes| u64::from_be_bytes(bytes.try_into().unwrap_or_default()));
            let (network, proven, broken) = (numbers.next()?, numbers.next()?, numbers.next()?);
            let broken = (broken != 0).then_some(Duration::from_millis(broken));
            networks.set(Network(network), Knowledge { proven: Duration::from_millis(proven), broken });
        }
        Some(networks)
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// FNV-1a over 32 bits: against damage, not against forgery.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(proven: u64, broken: Option<u64>) -> Knowledge {
        Knowledge { proven: Duration::from_secs(proven), broken: broken.map(Duration::from_secs) }
    }

    #[test]
    fn what_is_known_is_the_same_after_a_restart_and_damage_is_noticed() {
        let mut networks = Networks::default();
        assert_eq!(Networks::import(&networks.export()), Some(Networks::default()));
        for number in 0..20 {
            networks.set(Network(number), known(60 + number, (number % 2 == 0).then_some(500)));
        }
        networks.set(Network(10), known(1, None));
        assert_eq!((networks.get(Network(3)), networks.get(Network(10))), (None, Some(known(1, None))));
        let bytes = networks.export();
        assert_eq!(bytes.len(), MAX_EXPORT_SIZE);
        assert_eq!(Networks::import(&bytes), Some(networks));
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 0x10;
            assert_eq!(Networks::import(&damaged), None, "byte {index}");
            assert_eq!(Networks::import(&bytes[..index]), None, "cut at {index}");
        }
    }
}
