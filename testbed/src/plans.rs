//! The scenario and the plan that tests and benchmarks vary.

use std::net::SocketAddr;

use opsurge::engine::plan::{Connections, Lifetime, Plan};
use opsurge::load::Load;
use opsurge::scenario::format::compile::{Context, compile};
use opsurge::scenario::model::Scenario;

/// A scenario, compiled without key, files and flags, and bound to a target.
pub fn scenario(text: &str) -> Scenario {
    scenario_with(text, &Context::plain())
}

/// A scenario, compiled and bound to a target.
pub fn scenario_with(text: &str, context: &Context<'_>) -> Scenario {
    let compiled = compile("test.toml", text, context);
    compiled
        .unwrap_or_else(|error| panic!("{error}"))
        .bind("sim", "")
}

/// One shard without an end, a connection per user, a time limit of 30 s, seed 7. The address is for drivers that do not
/// connect to it.
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
        lifetime: Lifetime::default(),
        shards: 1,
        addresses: vec![SocketAddr::from(([127, 0, 0, 1], 1)).into()],
    }
}
