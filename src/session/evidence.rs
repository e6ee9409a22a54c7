//! Prepared and carried out -> the record: what was measured, on what machine, and the verdict.

use crate::analysis::seconds::Watched;
use crate::analysis::verdict::{Arrivals as DueArrivals, Evidence, judge};
use crate::engine::plan::Plan;
use crate::engine::{Death, Ended, Run};
use crate::machine::cpu;
use crate::metrics::latencies::Latencies;
use crate::metrics::outcome::Failure;
use crate::record::build;
use crate::record::build::RunTime;
use crate::record::distribution::{packed, times};
use crate::record::kinds::refresh;
use crate::record::schema::{
    Generator, GeneratorHistograms, LoadInfo, MachineInfo, OnceRecord, OpenRecord, OpeningRecord,
    OrderRecord, Record, RunInfo, ShardRecord, TlsHistograms, TlsRecord, VerdictRecord,
};
use crate::wire::PROVIDER;

use super::begun;
use super::kinds::kinds;
use super::prepare::Prepared;
use super::share;
use super::watched::records::{RunSpan, records};
use super::watched::sampling::Sampled;

pub use super::begun::{arrivals_shown, connections_shown};

/// The results of a run.
pub struct Carried {
    pub ran: Run,
    /// What was sampled beside it.
    pub beside: Sampled,
    /// Findings on each second.
    pub watched: Watched,
    /// A signal has come.
    pub interrupted: bool,
    /// Changes of the load that were ordered.
    pub orders: Vec<OrderRecord>,
    /// What the setup did before it.
    pub setup: Option<OnceRecord>,
    /// What the teardown did after it.
    pub teardown: Option<OnceRecord>,
}

/// The record of what was carried out; the stand-in is stopped for its counts.
pub fn record(prepared: Prepared, carried: &Carried) -> Record {
    let ran = &carried.ran;
    let scenario = &prepared.plan.scenario;
    let mut record = build::record(
        run_info(&prepared, carried),
        &scenario.metrics,
        &scenario.spans,
        &ran.summary,
        RunTime {
            load_ns: ran.load_ns,
            drain_ns: ran.drain_ns,
            open_at_load_end: ran.open_at_load_end,
        },
        generator(&prepared, carried),
    );
    record.tls = tls(&prepared, ran);
    record.kinds = kinds(scenario, &ran.kinds);
    refresh(&mut record);
    record.setup.clone_from(&carried.setup);
    record.teardown.clone_from(&carried.teardown);
    record.watched = records(
        &carried.beside,
        RunSpan {
            started_at: ran.started_at,
            load_from_s: seconds(ran.load_from_ns),
            load_to_s: seconds(ran.load_from_ns + ran.load_ns),
        },
    );
    match prepared.stand_in {
        Some(stand_in) => {
            let counts = stand_in.stop();
            build::with_stand_in(record, &counts.answers, &counts.faults)
        }
        None => record,
    }
}

/// Describes shards that a panic ended; `None` when there are none.
fn error_of(deaths: &[Death], shards: usize) -> Option<String> {
    let sentences = deaths.iter().map(|death| {
        format!(
            "shard {} of {shards} panicked, which is a defect of opsurge ({}); {}",
            death.shard + 1,
            death.reason,
            match death.has_figures {
                true => "its figures until then are in this report, and its open requests are cut off",
                false => "the totals are those of the other shards; the series has its seconds until then",
            }
        )
    });
    let sentences: Vec<String> = sentences.collect();
    (!sentences.is_empty()).then(|| {
        format!(
            "{}. The run was stopped; please report it",
            sentences.join("; ")
        )
    })
}

fn generator(prepared: &Prepared, carried: &Carried) -> Generator {
    let Carried { ran, watched, .. } = carried;
    let (mut client, mut response, mut service) = <(Latencies, Latencies, Latencies)>::default();
    let (mut requests, mut client_limits) = (0, 0);
    for step in &ran.summary.counts.steps {
        client += &step.client;
        response += &step.response;
        service += &step.service;
        requests += step.requests;
        let limits = step
            .errors
            .iter()
            .filter(|error| error.failure == Failure::ClientLimit);
        client_limits += limits.map(|error| error.count).sum::<u64>();
    }
    let turns = &ran.summary.counts.turns;
    let verdict = judge(&Evidence {
        watched: watched.clone(),
        silence: watched.silence(
            ran.load_from_ns + ran.load_ns,
            (service.percentile_us(99.0) * 1e3) as u64,
        ),
        busiest: ran
            .shards
            .iter()
            .map(|shard| shard.busy)
            .fold(0.0, f64::max),
        turn_p99_us: turns.percentile_us(99.0),
        client_p99_us: client.percentile_us(99.0),
        response_p99_us: response.percentile_us(99.0),
        overflows: ran.overflows,
        requests,
        waited_in_line: ran.waited_in_line,
        is_search: prepared.plan.load.is_steered(),
        arrivals: due_arrivals(&prepared.plan, ran, watched),
        cores_shared: prepared.cores_shared,
        client_limits,
        debug_build: cfg!(debug_assertions),
    });
    let cpu_s = |part: fn(&cpu::CpuTime) -> u64| {
        ran.shards.iter().map(|shard| part(&shard.cpu)).sum::<u64>() as f64 / 1e9
    };
    Generator {
        cpu_user_s: cpu_s(|cpu| cpu.user_ns),
        cpu_system_s: cpu_s(|cpu| cpu.system_ns),
        rss_max_bytes: cpu::resident_bytes_max(),
        turn_us: times(turns),
        screen_cpu_s: None,
        connect_us: times(&ran.summary.counts.connects),
        histograms: GeneratorHistograms {
            turn: packed(turns),
            connect: packed(&ran.summary.counts.connects),
        },
        shards: ran
            .shards
            .iter()
            .map(|shard| ShardRecord {
                core: shard.core,
                busy: shard.busy,
                waited: shard.waited,
            })
            .collect(),
        verdict: VerdictRecord {
            status: verdict.status.name().into(),
            reasons: verdict.reasons,
        },
        calibration: None,
    }
}

/// How connections were encrypted; `None` for plain HTTP.
fn tls(prepared: &Prepared, ran: &Run) -> Option<TlsRecord> {
    let (client, agreed) = (prepared.setup.tls.as_ref()?, prepared.agreed.as_ref()?);
    let handshakes = &ran.summary.counts.handshakes;
    // Users that orders brought came when they were ordered.
    let has_orders = prepared.plan.load.users().has_orders();
    let expected = prepared.handshakes.filter(|_| !has_orders);
    Some(TlsRecord {
        version: agreed.version.into(),
        cipher: agreed.cipher.clone(),
        provider: PROVIDER.to_owned(),
        server_name: client.name().to_str().into_owned(),
        insecure: client.is_insecure(),
        resume: client.resumes(),
        full_us: times(&handshakes.full),
        resumed_us: times(&handshakes.resumed),
        opening: expected.map(|expected| OpeningRecord {
            planned: handshakes.opening.planned,
            connections: handshakes.opening.connections,
            took_s: seconds(handshakes.opening.took_ns()),
            expected_s: seconds(expected.full_ns()),
        }),
        histograms: TlsHistograms {
            full: packed(&handshakes.full),
            resumed: packed(&handshakes.resumed),
        },
    })
}

fn due_arrivals(plan: &Plan, ran: &Run, watched: &Watched) -> DueArrivals {
    let counts = ran.arrivals.unwrap_or_default();
    DueArrivals {
        due: counts.due,
        never_begun: counts.dropped + counts.never_begun,
        waited: counts.waited,
        rate: counts.due as f64 / seconds(ran.load_ns).max(1e-9),
        iteration_s: watched.iteration_s(),
        users_max: plan.deal().share_of(plan.load.users_max()),
        users_left: ran.users_left,
    }
}

/// The end of the load, as records name it.
fn ended_by(prepared: &Prepared, carried: &Carried) -> &'static str {
    match carried.ran.ended {
        _ if !carried.ran.deaths.is_empty() => "error",
        _ if carried.interrupted => "signal",
        Ended::Order => "criterion",
        Ended::Time => "time",
        Ended::AllUsersLeft
            if prepared.plan.load.users().iterations.is_some() && carried.ran.users_left == 0 =>
        {
            "iterations"
        }
        Ended::AllUsersLeft
            if prepared.plan.scenario.feeder.ends() && carried.ran.users_left == 0 =>
        {
            "rows"
        }
        Ended::AllUsersLeft => "all-users-left",
    }
}

fn run_info(prepared: &Prepared, carried: &Carried) -> RunInfo {
    let (plan, ran) = (&prepared.plan, &carried.ran);
    let begun = begun::run_info(prepared);
    RunInfo {
        users: plan.deal().share_of(users_asked(plan, &carried.orders)),
        users_came: ran.users_came,
        load: load_info(begun.load, carried),
        started_at: humantime::format_rfc3339_millis(ran.started_at).to_string(),
        ended_by: ended_by(prepared, carried).into(),
        error: error_of(&ran.deaths, plan.shards),
        machine: MachineInfo {
            clock: share::clock(prepared.clock),
            ..begun.machine
        },
        start_at: share::start_at(prepared.start_at, ran.started_at),
        ..begun
    }
}

/// Users at the peak, by the plan and the orders.
fn users_asked(plan: &Plan, orders: &[OrderRecord]) -> u64 {
    let ordered = orders.iter().filter_map(|order| order.users);
    ordered.fold(plan.load.users_planned(), u64::max)
}

/// The load with what became of it.
fn load_info(begun: LoadInfo, carried: &Carried) -> LoadInfo {
    let ran = &carried.ran;
    LoadInfo {
        open: begun
            .open
            .zip(ran.arrivals)
            .map(|(open, counts)| OpenRecord {
                from_s: seconds(ran.load_from_ns),
                due: counts.due,
                begun: counts.started,
                waited: counts.waited,
                dropped: counts.dropped,
                never_begun: counts.never_begun,
                rate_begun: match ran.load_ns {
                    0 => 0.0,
                    load_ns => counts.started as f64 / seconds(load_ns),
                },
                ..open
            }),
        orders: carried.orders.clone(),
        ..begun
    }
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_shard_is_named_with_what_is_known_of_its_figures() {
        assert_eq!(error_of(&[], 2), None);
        let death = |has_figures| Death {
            shard: 1,
            reason: "index out of bounds".into(),
            has_figures,
        };
        let kept = error_of(&[death(true)], 2).expect("said");
        assert!(
            kept.starts_with("shard 2 of 2 panicked, which is a defect of opsurge (index out of bounds); its figures"),
            "{kept}"
        );
        let lost = error_of(&[death(false)], 2).expect("said");
        assert!(
            lost.contains("the totals are those of the other shards"),
            "{lost}"
        );
    }
}
