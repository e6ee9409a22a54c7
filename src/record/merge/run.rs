//! What was done, on the common time axis: the parts, their union, and the stretch in which all of them had their load.

use std::collections::BTreeSet;

use crate::record::schema::{
    LoadInfo, MergedPartRecord, OpenRecord, OrderRecord, RateStageRecord, Record, RunInfo,
    StageRecord, StretchRecord, TargetRecord,
};

use super::figures::{Part, Parts};

/// What was done by all parts together: users, rates, iterations and stages are added up.
pub(super) fn run_info(parts: &Parts<'_>) -> RunInfo {
    let first = parts.first();
    let run = &first.record.run;
    let merged: Vec<MergedPartRecord> = parts.iter().flat_map(described).collect();
    RunInfo {
        version: joined(parts, |run| &run.version),
        host: joined(parts, |run| &run.host),
        addresses: union(parts, |run| &run.addresses),
        targets: targets(parts),
        source_addresses: union(parts, |run| &run.source_addresses),
        tcp: union(parts, |run| &run.tcp),
        users: sum(parts, |run| run.users),
        users_came: sum(parts, |run| run.users_came),
        spawn_rate: all_of(parts, |run| run.spawn_rate).map(|rates| rates.iter().sum()),
        run_time_s: all_of(parts, |run| run.run_time_s).map(|s| s.into_iter().fold(0.0, f64::max)),
        load: load_info(parts, load_s(&merged)),
        shards: parts.records().map(|record| record.run.shards).sum(),
        backend: run.backend.clone(),
        connections: connections(parts),
        pipeline: parts
            .records()
            .map(|record| record.run.pipeline)
            .max()
            .unwrap_or(1),
        timeout_s: parts
            .records()
            .map(|record| record.run.timeout_s)
            .fold(0.0, f64::max),
        ended_by: ended_by(parts).into(),
        error: error(parts),
        part: None,
        start_at: None,
        all_running: all_running(&merged),
        parts: merged,
        ..run.clone()
    }
}

/// The named targets of all parts: one for each name and URL, with the addresses of all.
fn targets(parts: &Parts<'_>) -> Vec<TargetRecord> {
    let mut all: Vec<TargetRecord> = Vec::new();
    for target in parts.records().flat_map(|record| &record.run.targets) {
        let is_same =
            |known: &&mut TargetRecord| (&known.name, &known.url) == (&target.name, &target.url);
        match all.iter_mut().find(is_same) {
            None => all.push(target.clone()),
            Some(known) => {
                let new = target
                    .addresses
                    .iter()
                    .filter(|it| !known.addresses.contains(it));
                let new: Vec<String> = new.cloned().collect();
                known.addresses.extend(new);
            }
        }
    }
    all
}

/// The parts of a record, on the merged record's axis; a record that was merged itself has several.
fn described(part: &Part<'_>) -> Vec<MergedPartRecord> {
    let Part {
        name,
        record,
        offset_s,
    } = *part;
    let run = &record.run;
    if !run.parts.is_empty() {
        let shifted = run.parts.iter().map(|known| MergedPartRecord {
            offset_s: known.offset_s + offset_s,
            from_s: known.from_s + offset_s,
            to_s: known.to_s + offset_s,
            ..known.clone()
        });
        return shifted.collect();
    }
    let settling_s = record.slice.as_ref().map_or(0.0, |slice| slice.from_s);
    let from_s = offset_s + run.load.from_s() + settling_s;
    vec![MergedPartRecord {
        name: name.to_owned(),
        part: run.part,
        machine: run.machine.clone(),
        started_at: run.started_at.clone(),
        offset_s,
        from_s,
        to_s: from_s + record.totals.load_s,
        seed: run.seed,
        shards: run.shards,
        requests: record.totals.requests,
        verdict: record.generator.verdict.status.clone(),
    }]
}

/// Length of the union of the parts' load times, in seconds.
pub(super) fn load_s(parts: &[MergedPartRecord]) -> f64 {
    let mut loads: Vec<(f64, f64)> = parts.iter().map(|part| (part.from_s, part.to_s)).collect();
    loads.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut length_s, mut until_s) = (0.0, f64::NEG_INFINITY);
    for (from_s, to_s) in loads {
        let new_from_s = from_s.max(until_s);
        if to_s > new_from_s {
            length_s += to_s - new_from_s;
            until_s = to_s;
        }
    }
    length_s
}

fn all_running(parts: &[MergedPartRecord]) -> Option<StretchRecord> {
    let from_s = parts.iter().map(|part| part.from_s).fold(0.0, f64::max);
    let to_s = parts
        .iter()
        .map(|part| part.to_s)
        .fold(f64::INFINITY, f64::min);
    (from_s < to_s).then_some(StretchRecord { from_s, to_s })
}

fn sum(parts: &Parts<'_>, of: fn(&RunInfo) -> u64) -> u64 {
    parts.records().map(|record| of(&record.run)).sum()
}

/// The values of all parts, when every part has one.
fn all_of(parts: &Parts<'_>, of: fn(&RunInfo) -> Option<f64>) -> Option<Vec<f64>> {
    parts.records().map(|record| of(&record.run)).collect()
}

/// The different values, in order, with commas between them.
fn joined(parts: &Parts<'_>, of: fn(&RunInfo) -> &String) -> String {
    let values: BTreeSet<&str> = parts
        .records()
        .map(|record| of(&record.run).as_str())
        .collect();
    values.into_iter().collect::<Vec<_>>().join(", ")
}

fn union(parts: &Parts<'_>, of: fn(&RunInfo) -> &Vec<String>) -> Vec<String> {
    let values: BTreeSet<&String> = parts.records().flat_map(|record| of(&record.run)).collect();
    values.into_iter().cloned().collect()
}

/// `per-user`, or the sum of the parts' connections.
fn connections(parts: &Parts<'_>) -> String {
    let counts = parts
        .records()
        .map(|record| record.run.connections.parse::<u64>());
    match counts.sum::<Result<u64, _>>() {
        Ok(count) => count.to_string(),
        Err(_) => "per-user".into(),
    }
}

/// What ended the parts' loads: the gravest of them.
fn ended_by(parts: &Parts<'_>) -> &'static str {
    const GRAVEST_FIRST: [&str; 8] = [
        "error",
        "signal",
        "criterion",
        "all-users-left",
        "rows",
        "iterations",
        "master",
        "time",
    ];
    let is_one = |ending: &&str| {
        parts
            .records()
            .any(|record| record.run.ended_by == **ending)
    };
    GRAVEST_FIRST.into_iter().find(is_one).unwrap_or("time")
}

fn error(parts: &Parts<'_>) -> Option<String> {
    let errors = parts.said(|record| record.run.error.as_slice());
    (!errors.is_empty()).then(|| errors.join("; "))
}

fn load_info(parts: &Parts<'_>, load_s: f64) -> LoadInfo {
    let load = &parts.first().record.run.load;
    let iterations = parts.records().map(|record| record.run.load.iterations);
    let stages = |record: &Record| {
        let stages = record.run.load.stages.iter();
        stages
            .map(|stage| (stage.after_s, stage.users as f64))
            .collect()
    };
    LoadInfo {
        model: load.model.clone(),
        stages: lines(parts, stages)
            .into_iter()
            .map(|(after_s, users)| StageRecord {
                users: users as u64,
                after_s,
            })
            .collect(),
        open: open(parts, load_s),
        wait: load.wait.clone(),
        iterations: iterations.sum(),
        orders: orders(parts),
    }
}

/// The orders of all parts, each with the part whose load it changed.
fn orders(parts: &Parts<'_>) -> Vec<OrderRecord> {
    let mut orders = Vec::new();
    for part in parts.iter() {
        let of_part = part.record.run.load.orders.iter();
        orders.extend(of_part.map(|order| OrderRecord {
            at_s: order.at_s + part.offset_s,
            by: format!("{} of {}", order.by, part.name),
            ..order.clone()
        }));
    }
    orders.sort_by(|one, other| one.at_s.total_cmp(&other.at_s));
    orders
}

/// The parts' lines as one: values at the same points added up. Lines through different moments cannot be added so, and the
/// first part's stands for them.
fn lines(parts: &Parts<'_>, of: impl Fn(&Record) -> Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let mut line = of(parts.first().record);
    let others: Vec<_> = parts.records().map(of).collect();
    let moments = |line: &[(f64, f64)]| line.iter().map(|point| point.0).collect::<Vec<_>>();
    if others.iter().all(|other| moments(other) == moments(&line)) {
        for (at, point) in line.iter_mut().enumerate() {
            point.1 = others.iter().map(|other| other[at].1).sum();
        }
    }
    line
}

fn open(parts: &Parts<'_>, load_s: f64) -> Option<OpenRecord> {
    let opens: Option<Vec<(&OpenRecord, f64)>> = parts
        .iter()
        .map(|part| Some((part.record.run.load.open.as_ref()?, part.offset_s)))
        .collect();
    let opens = opens?;
    let sum = |of: fn(&OpenRecord) -> u64| opens.iter().map(|(open, _)| of(open)).sum();
    let begun = sum(|open| open.begun);
    let stages = |record: &Record| {
        let open = record.run.load.open.iter();
        let stages = open.flat_map(|open| &open.stages);
        stages.map(|stage| (stage.after_s, stage.rate)).collect()
    };
    Some(OpenRecord {
        rate: opens.iter().map(|(open, _)| open.rate).sum(),
        stages: lines(parts, stages)
            .into_iter()
            .map(|(after_s, rate)| RateStageRecord { rate, after_s })
            .collect(),
        arrivals: parts
            .first()
            .record
            .run
            .load
            .open
            .as_ref()?
            .arrivals
            .clone(),
        users_ready: sum(|open| open.users_ready),
        from_s: opens
            .iter()
            .map(|(open, offset_s)| open.from_s + offset_s)
            .fold(f64::INFINITY, f64::min),
        due: sum(|open| open.due),
        begun,
        waited: sum(|open| open.waited),
        dropped: sum(|open| open.dropped),
        never_begun: sum(|open| open.never_begun),
        rate_begun: match load_s > 0.0 {
            true => begun as f64 / load_s,
            false => 0.0,
        },
    })
}
