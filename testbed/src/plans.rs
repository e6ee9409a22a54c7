//! The basic plan of tests and benchmarks.

use std::net::SocketAddr;

use opsurge::engine::plan::{Connections, Plan};
use opsurge::load::Load;
use opsurge::scenario::model::Scenario;

/// One shard, no end, a connection per user, a time limit of 30 s, seed 7. The address is for drivers that do not connect
/// to it.
pub fn plan(scenario: Scenario, load: impl Into<Load>) -> Plan {
    Plan {
        scenario,
        load: load.into(),
        spins: false,
        run_time_ns: None,
        timeout_ns: 30_000_000_000,
        drain_ns: None,
        seed: 7,
        connections: Connections::PerUser,
        shards: 1,
        addresses: vec![SocketAddr::from(([127, 0, 0, 1], 1)).into()],
    }
}
