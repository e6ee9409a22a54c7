//! The network and the machine of a simulation: which faults there are, and how often each happens.

use super::dice::Dice;

/// A fault of the network or the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Fault {
    /// A connect is refused.
    Refuse,
    /// A connect fails for another reason: a limit of this machine, or no route to the target.
    ConnectFails,
    /// A connect gets no answer.
    BlackHole,
    /// A reply is cut short by a reset.
    Reset,
    /// A reply is cut short by a FIN.
    Cut,
    /// The first byte of a reply is replaced.
    Garble,
    /// A reply arrives in pieces.
    SplitReads,
    /// A request arrives in pieces; its send is not complete until the last.
    SplitWrites,
    /// A send fails before all its bytes are taken.
    SendFails,
    /// A reply and all bytes after it are lost: only a timeout detects it.
    Lose,
    /// A piece of a reply arrives late.
    Stall,
    /// A connection ends, by FIN or reset, up to a second after a whole reply. It may be idle, or carry the next
    /// request.
    IdleEnd,
    /// Unsolicited bytes follow a reply.
    Surplus,
    /// Completions of a closed connection arrive, perhaps when its slot is in use again.
    Stale,
    /// The completion queue is full: a turn brings one event, and the rest waits for the next.
    Full,
    /// A turn takes longer, as on a busy machine.
    Block,
    /// A sleep takes longer, as when the process is stopped.
    Jump,
}

impl Fault {
    /// Number of faults.
    pub const COUNT: usize = Self::Jump as usize + 1;

    /// All faults, in order.
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

    /// Whether it happens to a turn instead of an operation. A run has thousands of turns.
    fn is_of_turns(self) -> bool {
        matches!(self, Self::Block | Self::Jump)
    }
}

/// Delays and faults of the network and the machine. Chances are from 0 to 1, drawn at every opportunity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    /// Half a round trip.
    pub one_way_ns: u64,
    /// Longest additional delay, drawn evenly.
    pub jitter_ns: u64,
    /// Shortest duration of a turn.
    pub turn_ns: u64,
    /// Chance of [`Fault::Refuse`].
    pub refuse: f64,
    /// Chance of [`Fault::ConnectFails`].
    pub connect_fails: f64,
    /// Chance of [`Fault::BlackHole`].
    pub black_hole: f64,
    /// Chance of [`Fault::Reset`].
    pub reset: f64,
    /// Chance of [`Fault::Cut`].
    pub cut: f64,
    /// Chance of [`Fault::Garble`].
    pub garble: f64,
    /// Chance of [`Fault::SplitReads`].
    pub split_reads: f64,
    /// Chance of [`Fault::SplitWrites`].
    pub split_writes: f64,
    /// Chance of [`Fault::SendFails`].
    pub send_fails: f64,
    /// Chance of [`Fault::Lose`].
    pub lose: f64,
    /// Chance of [`Fault::Stall`].
    pub stall: f64,
    /// Longest [`Fault::Stall`].
    pub stall_ns: u64,
    /// Chance of [`Fault::IdleEnd`].
    pub idle_end: f64,
    /// Chance of [`Fault::Surplus`].
    pub surplus: f64,
    /// Chance of [`Fault::Stale`].
    pub stale: f64,
    /// Chance of [`Fault::Full`].
    pub full: f64,
    /// Chance of [`Fault::Block`].
    pub block: f64,
    /// Additional duration of a turn with [`Fault::Block`].
    pub block_ns: u64,
    /// Chance of [`Fault::Jump`].
    pub jump: f64,
    /// Additional duration of a sleep with [`Fault::Jump`].
    pub jump_ns: u64,
}

/// Share of the faults that can happen in a troubled network, and the highest chance of each.
const ARMED: f64 = 0.25;
/// Highest chance of a fault that happens to turns.
const TURN_CHANCE_MAX: f64 = 0.005;

impl Network {
    /// A network without faults and jitter.
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

    /// A network in which a quarter of the faults can happen, each with a chance up to a quarter. The seed decides
    /// which faults, and their chances.
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
            let chance_max = match fault.is_of_turns() {
                true => TURN_CHANCE_MAX,
                false => ARMED,
            };
            if dice.hits(ARMED) {
                *network.chance_of(fault) = dice.chance() * chance_max;
            }
        }
        network
    }

    /// The chance of a fault.
    pub(super) fn chance_of(&mut self, fault: Fault) -> &mut f64 {
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
    fn a_quarter_of_the_faults_is_armed_and_the_seed_decides_which() {
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
