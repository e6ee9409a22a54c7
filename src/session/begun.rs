//! Prepared -> what a record says of a run before its first request.

use std::time::{Duration, SystemTime};

use crate::engine::plan::{Connections, Lifetime};
use crate::io::{Backend, socket};
use crate::load::open::Arrivals;
use crate::machine::Machine;
use crate::record::schema::{
    LoadInfo, MachineInfo, OpenRecord, RateStageRecord, RunInfo, StageRecord,
};
use crate::record::so_far::{Begun, RUNNING};
use crate::text::duration;
use crate::text::units::counted;

use super::kinds::kinds;
use super::named::Reached;
use super::prepare::Prepared;
use super::share;

/// What is known of a run that is about to begin. Its start is the present moment, or that of `--start-at`.
pub fn begun(prepared: &Prepared) -> Begun {
    let plan = &prepared.plan;
    Begun {
        run: run_info(prepared),
        labels: plan.scenario.metrics.clone(),
        kinds: kinds(&plan.scenario, &[]),
        cores: prepared.setup.cores.clone(),
    }
}

/// What was done, as far as it is fixed before the run; the record of its end takes it over.
pub(super) fn run_info(prepared: &Prepared) -> RunInfo {
    let plan = &prepared.plan;
    let sockets = &prepared.setup.sockets;
    let machine = Machine::read();
    let started_at = prepared.start_at.unwrap_or_else(SystemTime::now);
    RunInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        scenario: plan.scenario.name.clone(),
        host: prepared.target.url.clone(),
        addresses: plan.addresses.iter().map(socket::shown).collect(),
        targets: prepared.named.iter().map(Reached::record).collect(),
        source_addresses: sockets.sources.iter().map(ToString::to_string).collect(),
        tcp: sockets.tcp.iter().map(ToString::to_string).collect(),
        users: plan.deal().share_of(plan.load.users_planned()),
        users_came: 0,
        spawn_rate: prepared
            .given
            .spawn_rate
            .map(|rate| rate * share::of_users(plan)),
        run_time_s: plan.run_time_ns.map(seconds),
        command: Vec::new(),
        load: load_info(prepared),
        seed: plan.seed,
        shards: plan.shards,
        backend: match prepared.setup.backend {
            Backend::Epoll => "epoll",
            Backend::Auto | Backend::Uring => "io_uring",
        }
        .into(),
        connections: connections_shown(share::connections(plan)),
        connection_lifetime: lifetime_shown(plan.lifetime),
        pipeline: plan.connections.depth(),
        timeout_s: seconds(plan.timeout_ns),
        started_at: humantime::format_rfc3339_millis(started_at).to_string(),
        ended_by: RUNNING.into(),
        error: None,
        machine: MachineInfo {
            cores: prepared.cores_allowed,
            cpu: machine.cpu,
            kernel: machine.kernel,
            hostname: machine.hostname,
            boot_id: machine.boot_id,
            clock: None,
        },
        part: share::part(plan),
        start_at: None,
        parts: Vec::new(),
        all_running: None,
    }
}

fn load_info(prepared: &Prepared) -> LoadInfo {
    let (plan, given) = (&prepared.plan, &prepared.given);
    let open = plan.load.arrivals();
    let stages = match (&given.stages[..], given.users, given.spawn_rate) {
        _ if open.is_some() || plan.load.is_steered() => Vec::new(),
        ([], None, None) => plan.scenario.load.points(),
        (stages, _, _) => stages.to_vec(),
    };
    let rate_stages = given.rate_stages.iter();
    LoadInfo {
        model: match open {
            None => "closed",
            Some(_) => "open",
        }
        .into(),
        stages: stages
            .iter()
            .map(|point| StageRecord {
                users: plan.deal().share_of(point.users),
                after_s: seconds(point.after_ns),
            })
            .collect(),
        open: open.map(|open| OpenRecord {
            rate: given.rate.unwrap_or(open.rate_max) * share::of_users(plan),
            stages: rate_stages
                .map(|stage| RateStageRecord {
                    rate: stage.rate * share::of_users(plan),
                    after_s: seconds(stage.after_ns),
                })
                .collect(),
            arrivals: arrivals_shown(open.arrivals).into(),
            users_ready: plan.deal().share_of(open.users_ready),
            from_s: 0.0,
            due: 0,
            begun: 0,
            waited: 0,
            dropped: 0,
            never_begun: 0,
            rate_begun: 0.0,
        }),
        wait: plan.scenario.wait_shown(),
        iterations: share::iterations(plan),
        orders: Vec::new(),
    }
}

/// Connections as records hold them.
pub fn connections_shown(connections: Connections) -> String {
    match connections.shared() {
        None => "per-user".into(),
        Some(count) => count.to_string(),
    }
}

/// Arrivals as records hold them.
pub fn arrivals_shown(arrivals: Arrivals) -> &'static str {
    match arrivals {
        Arrivals::Constant => "constant",
        Arrivals::Poisson => "poisson",
    }
}

/// When a connection is replaced; `None` when the server decides.
fn lifetime_shown(lifetime: Lifetime) -> Option<String> {
    let none = Lifetime::default();
    if lifetime.answers < none.answers {
        return Some(counted(u64::from(lifetime.answers), "answer"));
    }
    (lifetime.age_ns < none.age_ns).then(|| duration::show(Duration::from_nanos(lifetime.age_ns)))
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
