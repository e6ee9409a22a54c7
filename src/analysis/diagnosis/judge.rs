//! Facts -> findings, in the order in which they are shown.

use super::facts::Facts;
use super::finding::Finding;
use super::{cpu, encryption, kernel, network, time};

/// A finding for each fact that is known.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    let found = [
        Some(cpu::cores(&facts.cores)),
        Some(cpu::quota(&facts.cores)),
        Some(cpu::governor(&facts.governors)),
        facts.clock.as_ref().map(time::clock),
        facts.timer_slack_ns.map(time::timer_slack),
        time::wake_ups(&facts.late_ns),
        facts.wall_clock.map(time::wall_clock),
        kernel::uring(facts),
        kernel::locked_memory(facts),
        facts
            .descriptors
            .map(|it| kernel::descriptors(it, &facts.plan)),
        facts.memory.map(|it| kernel::memory(it, &facts.plan)),
        facts.ports.map(|it| network::ports(it, &facts.plan)),
        facts
            .backlog_max
            .map(|it| network::backlog(it, &facts.plan)),
        facts.path.as_ref().map(network::path),
        facts.encryption.as_ref().map(encryption::handshake),
        facts.encryption.as_ref().and_then(encryption::certificate),
        Some(network::proxies(&facts.proxies)),
    ];
    found.into_iter().flatten().collect()
}
