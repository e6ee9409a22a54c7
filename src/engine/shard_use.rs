//! What one shard took of its core.

use crate::machine::cpu::CpuTime;

use super::outcomes::Outcomes;

/// What one shard took of its core.
#[derive(Clone, Copy, Debug)]
pub struct ShardUse {
    /// The core it was pinned to.
    pub core: Option<usize>,
    /// Share of the time in which it was not asleep, 0 to 1.
    pub busy: f64,
    /// CPU time of its thread.
    pub cpu: CpuTime,
    /// Share of the time in which it was ready to run but others had its core, 0 to 1, if known.
    pub waited: Option<f64>,
}

impl ShardUse {
    /// The use of a shard that left these outcomes; `waited_ns` is the time in which others had its core.
    pub(super) fn new(
        outcomes: &Outcomes,
        core: Option<usize>,
        cpu: CpuTime,
        waited_ns: Option<u64>,
    ) -> Self {
        Self {
            core,
            busy: busy(outcomes, cpu),
            cpu,
            waited: waited_ns.map(|ns| ns as f64 / outcomes.lasted_ns.max(1) as f64),
        }
    }
}

/// The larger of two measures, each of which misses something: the wall clock, turn by turn, sees when others had the
/// core; the CPU clock sees the work that the kernel did for the thread while it slept.
fn busy(outcomes: &Outcomes, cpu: CpuTime) -> f64 {
    let lasted_ns = outcomes.lasted_ns.max(1) as f64;
    // Spinning is no work.
    let worked_ns = (cpu.user_ns + cpu.system_ns).saturating_sub(outcomes.spun_ns);
    let by_cpu = worked_ns as f64 / lasted_ns;
    let by_turns = outcomes.working_ns as f64 / lasted_ns;
    by_cpu.max(by_turns).min(1.0)
}
