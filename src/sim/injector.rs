//! Decides when faults happen, and counts them.

use std::ops::AddAssign;

use super::dice::Dice;
use super::network::{Fault, Network};

/// How often each fault has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults([u64; Fault::COUNT]);

impl Faults {
    /// How often this fault has happened.
    pub fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }
}

impl AddAssign<&Self> for Faults {
    fn add_assign(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }
}

/// Draws the faults of a network from a seed.
pub(super) struct Injector {
    pub network: Network,
    pub dice: Dice,
    pub fired: Faults,
}

impl Injector {
    pub fn new(network: Network, seed: u64) -> Self {
        Self {
            network,
            dice: Dice::new(seed),
            fired: Faults::default(),
        }
    }

    /// At an opportunity for a fault: whether it happens.
    pub fn hits(&mut self, fault: Fault) -> bool {
        let chance = *self.network.chance_of(fault);
        let hits = self.dice.hits(chance);
        self.fired.0[fault as usize] += u64::from(hits);
        hits
    }

    /// A delay up to the network's jitter.
    pub fn jitter_ns(&mut self) -> u64 {
        self.dice.below(self.network.jitter_ns + 1)
    }

    /// The time that bytes travel in one direction.
    pub fn travel_ns(&mut self) -> u64 {
        self.network.one_way_ns + self.jitter_ns()
    }

    /// Leaves nothing of bytes, or any part from their start.
    pub fn shorten(&mut self, bytes: &mut Vec<u8>) {
        let length = bytes.len() as u64;
        let kept = match self.dice.below(3) {
            0 => 0,
            _ => self.dice.below(length + 1),
        };
        bytes.truncate(kept as usize);
    }

    /// Splits bytes in two parts that are not empty, and returns the second.
    pub fn split_off(&mut self, bytes: &mut Vec<u8>) -> Vec<u8> {
        let at = 1 + self.dice.below(bytes.len() as u64 - 1);
        bytes.split_off(at as usize)
    }
}
