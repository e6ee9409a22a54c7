//! Parts of one run: whether they belong together, and whether they ran together.

use std::collections::BTreeSet;

use crate::metrics::seconds::Status;
use crate::record::schema::{MergedPartRecord, Record, RunInfo};
use crate::text::units::{moment, time};

use super::generator::gravest;

/// Parts that start or end further apart than this are named, in seconds.
const APART_S_MAX: f64 = 1.0;

/// The first reason why records should not be merged as parts of one run, with the cure. `--force` merges them all the same.
pub fn refusal(parts: &[(String, Record)]) -> Option<String> {
    let (first_name, first) = parts.first()?;
    for (at, (name, record)) in parts.iter().enumerate() {
        if let Some(difference) = difference(first, record) {
            return Some(format!(
                "{first_name} and {name} are not parts of one run: {difference}"
            ));
        }
        for (known_name, known) in &parts[..at] {
            if let Some(overlap) = overlap(&known.run, &record.run) {
                return Some(format!("{known_name} and {name} {overlap}"));
            }
        }
    }
    None
}

fn difference(one: &Record, other: &Record) -> Option<String> {
    let (of, to) = (&one.run, &other.run);
    if of.scenario != to.scenario {
        return Some(format!(
            "their scenarios are {} and {}",
            of.scenario, to.scenario
        ));
    }
    if of.load.model != to.load.model {
        return Some(format!(
            "one has a load that is {}, the other one that is {}",
            of.load.model, to.load.model
        ));
    }
    if of.part.is_some() && to.part.is_some() && of.seed != to.seed {
        return Some(format!(
            "their seeds are {} and {}, and parts of one run share one",
            of.seed, to.seed
        ));
    }
    let steps = |record: &Record| {
        let steps = record.steps.iter();
        steps
            .map(|step| format!("{} {}", step.method, step.name))
            .collect::<BTreeSet<_>>()
    };
    let (steps_of, steps_to) = (steps(one), steps(other));
    let only = steps_of.symmetric_difference(&steps_to).next()?;
    Some(format!("only one of them has the step {only}"))
}

/// Why two records would count the same twice.
fn overlap(one: &RunInfo, other: &RunInfo) -> Option<String> {
    let of = |run: &RunInfo| {
        let own = run.parts.is_empty();
        let own = own.then(|| (run.started_at.clone(), run.seed, run.part));
        let merged = run.parts.iter();
        let merged = merged.map(|part| (part.started_at.clone(), part.seed, part.part));
        own.into_iter().chain(merged).collect::<Vec<_>>()
    };
    let (of_one, of_other) = (of(one), of(other));
    for (started_at, seed, part) in &of_one {
        for (other_started_at, other_seed, other_part) in &of_other {
            if part == other_part && (started_at, seed) == (other_started_at, other_seed) {
                return Some(format!(
                    "are the same run (started at {started_at}, seed {seed}), which would count twice"
                ));
            }
            let (Some(part), Some(other_part)) = (part, other_part) else {
                continue;
            };
            if part == other_part {
                return Some(format!(
                    "are both part {}/{}, from different runs",
                    part.index, part.of
                ));
            }
            if part.of != other_part.of {
                return Some(format!(
                    "are parts of different runs: one is of {}, the other of {}",
                    part.of, other_part.of
                ));
            }
        }
    }
    None
}

/// What parts that should have run together did apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Apart {
    /// Parts whose load began or ended apart from the others', as sentences.
    pub late_or_early: Vec<String>,
    /// Parts of which there is no record, as a sentence.
    pub missing: Option<String>,
}

impl Apart {
    /// From the parts of a merged record.
    pub fn of(run: &RunInfo) -> Self {
        let parts = &run.parts;
        let first_s = parts.iter().map(|part| part.from_s);
        let first_s = first_s.fold(f64::INFINITY, f64::min);
        let last_s = parts.iter().map(|part| part.to_s).fold(0.0, f64::max);
        let mut late_or_early = Vec::new();
        for part in parts {
            let late_s = part.from_s - first_s;
            if late_s > APART_S_MAX {
                late_or_early.push(format!(
                    "{} began {} after the first part: until {} its share of the load was missing",
                    part.name,
                    time(late_s * 1e6),
                    moment(part.from_s)
                ));
            }
            let early_s = last_s - part.to_s;
            if early_s > APART_S_MAX {
                late_or_early.push(format!(
                    "{} ended {} before the last part: from {} on its share of the load was missing",
                    part.name,
                    time(early_s * 1e6),
                    moment(part.to_s)
                ));
            }
        }
        Self {
            late_or_early,
            missing: missing(parts),
        }
    }
}

fn missing(parts: &[MergedPartRecord]) -> Option<String> {
    let known: Option<Vec<(u64, u64)>> = parts
        .iter()
        .map(|part| part.part.map(|part| (part.index, part.of)))
        .collect();
    let known = known?;
    let &(_, of) = known.first()?;
    let missing: Vec<String> = (1..=of)
        .filter(|index| !known.contains(&(*index, of)))
        .map(|index| index.to_string())
        .collect();
    let (noun, is, its, record) = match missing.len() {
        0 => return None,
        1 => ("part", "is", "its", "record"),
        _ => ("parts", "are", "their", "records"),
    };
    Some(format!(
        "{noun} {} of {of} {is} missing: {its} share of the load is in no figure; merge {its} {record} too",
        missing.join(", ")
    ))
}

/// The loads of all parts began at the same time, as far as parts on several machines do.
pub(super) fn began_together(parts: &[MergedPartRecord]) -> bool {
    let begins = || parts.iter().map(|part| part.from_s);
    let first_s = begins().fold(f64::INFINITY, f64::min);
    begins().all(|from_s| from_s - first_s <= APART_S_MAX)
}

/// Adds to a merged record's verdict what its parts did apart. A missing part leaves the load below what was asked for.
pub fn judge(record: &mut Record) {
    let apart = Apart::of(&record.run);
    let verdict = &mut record.generator.verdict;
    if apart.missing.is_some() {
        let statuses = [verdict.status.as_str(), Status::RateNotMet.name()];
        verdict.status = gravest(statuses.into_iter());
    }
    let findings = apart.missing.into_iter().chain(apart.late_or_early);
    verdict.reasons.splice(0..0, findings);
}
