//! What can go wrong in a simulation, how often it shall, and how often it did. Drawn from a seed, like all of it.

use std::ops::AddAssign;

/// A point at which something can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Fault {
    /// A connect is refused.
    Refuse,
    /// A connect fails for another reason: this machine's limits, or no way there.
    ConnectFails,
    /// A connect is never heard of again.
    BlackHole,
    /// A reply is cut short by a reset.
    Reset,
    /// A reply is cut short by the end of the stream.
    Cut,
    /// A reply's first byte is another.
    Garble,
    /// A reply arrives in pieces.
    SplitReads,
    /// A request arrives in pieces, its sending unfinished meanwhile.
    SplitWrites,
    /// A request cannot be sent in full.
    SendFails,
    /// A reply is lost for good, and all behind it: only a timeout can tell.
    Lose,
    /// A piece of a reply comes late.
    Stall,
    /// A connection ends, by FIN or reset, some time after a whole reply: it may be idle then, or carry the next request.
    IdleEnd,
    /// Bytes that nobody asked for follow a reply.
    Surplus,
    /// Completions of a closed connection arrive after its slot is in use again.
    Stale,
    /// The completion queue is full: a turn brings one event, and the rest has to wait for the next.
    Full,
    /// A turn takes longer, as when the machine was busy elsewhere.
    Block,
    /// A sleep takes longer, as when the process was paused.
    Jump,
}

impl Fault {
    /// How many there are.
    pub const COUNT: usize = Self::Jump as usize + 1;

    /// All of them, in order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Refuse,
        Self::ConnectFails,
        Self::BlackHole,
        Self::Reset,
        Self::Cut,
        Self::Garble,
        Self::SplitReads,
        Self::SplitWrites,
        Self::SendFails,
        Self::Lose,
        Self::Stall,
        Self::IdleEnd,
        Self::Surplus,
        Self::Stale,
        Self::Full,
        Self::Block,
        Self::Jump,
    ];

    /// It befalls a turn, not an operation. A run has thousands of those.
    fn is_of_turns(self) -> bool {
        matches!(self, Self::Block | Self::Jump)
    }
}

/// How often each has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults([u64; Fault::COUNT]);

impl Faults {
    /// How often this one has.
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

/// How the network and the machine behave. Chances are from 0 to 1, each drawn anew at every opportunity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    /// Half a round trip.
    pub one_way_ns: u64,
    /// Up to this much more, evenly drawn.
    pub jitter_ns: u64,
    /// What every turn takes, however little there is to do.
    pub turn_ns: u64,
    /// [`Fault::Refuse`].
    pub refuse: f64,
    /// [`Fault::ConnectFails`].
    pub connect_fails: f64,
    /// [`Fault::BlackHole`].
    pub black_hole: f64,
    /// [`Fault::Reset`].
    pub reset: f64,
    /// [`Fault::Cut`].
    pub cut: f64,
    /// [`Fault::Garble`].
    pub garble: f64,
    /// [`Fault::SplitReads`].
    pub split_reads: f64,
    /// [`Fault::SplitWrites`].
    pub split_writes: f64,
    /// [`Fault::SendFails`].
    pub send_fails: f64,
    /// [`Fault::Lose`].
    pub lose: f64,
    /// [`Fault::Stall`].
    pub stall: f64,
    /// Longest stall.
    pub stall_ns: u64,
    /// [`Fault::IdleEnd`].
    pub idle_end: f64,
    /// [`Fault::Surplus`].
    pub surplus: f64,
    /// [`Fault::Stale`].
    pub stale: f64,
    /// [`Fault::Full`].
    pub full: f64,
    /// [`Fault::Block`].
    pub block: f64,
    /// How much longer a blocked turn takes.
    pub block_ns: u64,
    /// [`Fault::Jump`].
    pub jump: f64,
    /// How much longer such a sleep takes.
    pub jump_ns: u64,
}

/// Of the faults, this share is armed in a troubled network, and each of those fires up to this often.
const ARMED: f64 = 0.25;
/// For faults of turns: up to this often.
const OF_TURNS: f64 = 0.005;

impl Network {
    /// Nothing goes wrong and everything takes the same time.
    pub const fn calm(one_way_ns: u64) -> Self {
        Self {
            one_way_ns,
            jitter_ns: 0,
            turn_ns: 0,
            refuse: 0.0,
            connect_fails: 0.0,
            black_hole: 0.0,
            reset: 0.0,
            cut: 0.0,
            garble: 0.0,
            split_reads: 0.0,
            split_writes: 0.0,
            send_fails: 0.0,
            lose: 0.0,
            stall: 0.0,
            stall_ns: 0,
            idle_end: 0.0,
            surplus: 0.0,
            stale: 0.0,
            full: 0.0,
            block: 0.0,
            block_ns: 0,
            jump: 0.0,
            jump_ns: 0,
        }
    }

    /// A quarter of the faults can happen, each up to a quarter of the time: which and how often, the seed says.
    pub fn troubled(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut network = Self {
            jitter_ns: dice.below(5_000_000),
            turn_ns: 1_000 + dice.below(20_000),
            stall_ns: dice.below(4_000_000_000),
            block_ns: 150_000_000,
            jump_ns: dice.below(3_000_000_000),
            ..Self::calm(100_000 + dice.below(1_000_000))
        };
        for fault in Fault::ALL {
            let often = if fault.is_of_turns() { OF_TURNS } else { ARMED };
            if dice.hits(ARMED) {
                *network.chance_of(fault) = dice.chance() * often;
            }
        }
        network
    }

    /// How often a fault happens.
    fn chance_of(&mut self, fault: Fault) -> &mut f64 {
        match fault {
            Fault::Refuse => &mut self.refuse,
            Fault::ConnectFails => &mut self.connect_fails,
            Fault::BlackHole => &mut self.black_hole,
            Fault::Reset => &mut self.reset,
            Fault::Cut => &mut self.cut,
            Fault::Garble => &mut self.garble,
            Fault::SplitReads => &mut self.split_reads,
            Fault::SplitWrites => &mut self.split_writes,
            Fault::SendFails => &mut self.send_fails,
            Fault::Lose => &mut self.lose,
            Fault::Stall => &mut self.stall,
            Fault::IdleEnd => &mut self.idle_end,
            Fault::Surplus => &mut self.surplus,
            Fault::Stale => &mut self.stale,
            Fault::Full => &mut self.full,
            Fault::Block => &mut self.block,
            Fault::Jump => &mut self.jump,
        }
    }
}

/// A network, the dice that it is thrown with, and a tally of what they brought.
pub(super) struct Misfortune {
    pub network: Network,
    pub dice: Dice,
    pub fired: Faults,
}

impl Misfortune {
    pub fn new(network: Network, seed: u64) -> Self {
        Self {
            network,
            dice: Dice::new(seed),
            fired: Faults::default(),
        }
    }

    /// An opportunity for a fault: does it happen?
    pub fn hits(&mut self, fault: Fault) -> bool {
        let chance = *self.network.chance_of(fault);
        let hits = self.dice.hits(chance);
        self.fired.0[fault as usize] += u64::from(hits);
        hits
    }

    /// Up to the network's jitter.
    pub fn jitter_ns(&mut self) -> u64 {
        self.dice.below(self.network.jitter_ns + 1)
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the simulation's own, so that its dice never move with the users'.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The throws of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly from 0 to below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, several: &[T]) -> T {
        several[self.below(several.len() as u64) as usize]
    }

    /// Evenly from 0 to 1.
    pub fn chance(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True so often.
    pub fn hits(&mut self, chance: f64) -> bool {
        chance > 0.0 && self.chance() <= chance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_chance_of_its_own() {
        let mut network = Network::calm(0);
        for (nth, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, nth);
            *network.chance_of(fault) = nth as f64;
        }
        for (nth, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(*network.chance_of(fault), nth as f64);
        }
    }

    #[test]
    fn a_quarter_of_the_faults_is_armed_and_a_seed_says_which() {
        let seeds = 2_000;
        let mut armed = [0u64; Fault::COUNT];
        for seed in 0..seeds {
            let mut network = Network::troubled(seed);
            assert_eq!(network, Network::troubled(seed));
            for fault in Fault::ALL {
                let chance = *network.chance_of(fault);
                assert!((0.0..=ARMED).contains(&chance));
                armed[fault as usize] += u64::from(chance > 0.0);
            }
        }
        for count in armed {
            assert!((seeds / 5..=seeds * 3 / 10).contains(&count), "{armed:?}");
        }
    }
}
