//! Records of parts into one, whether or not they are of `--repeat`: run k of one part is merged with run k of the others,
//! and the merged runs are pooled as the runs of one process are.

use std::time::Duration;

use super::merge::together::judge;
use super::merge::{MergeError, exit_code, merge};
use super::repeat::pooled;
use super::schema::Record;
use crate::text::units::counted;

/// Merges records, with what their parts did apart in the verdict; see [`merge`].
///
/// # Errors
/// Those of [`merge`]; records with different numbers of runs inside.
pub fn merged(parts: &[(String, Record)], offsets_s: &[f64]) -> Result<Record, MergeError> {
    let runs = parts.first().map_or(0, |(_, record)| record.runs.len());
    if let Some((name, record)) = parts.iter().find(|(_, other)| other.runs.len() != runs) {
        return Err(MergeError(format!(
            "{} holds {}, and {name} {} (--repeat): run 1 of one is merged with run 1 of the other, and so on; merge \
             records with equally many runs",
            parts[0].0,
            held(runs),
            held(record.runs.len()),
        )));
    }
    if runs == 0 {
        let mut record = merge(parts, offsets_s)?;
        judge(&mut record);
        return Ok(record);
    }
    let runs = (0..runs).map(|at| one_run(parts, offsets_s, at));
    let mut record = pooled(runs.collect::<Result<_, _>>()?)?;
    // They were judged over all their runs.
    record.passed = parts.iter().all(|(_, part)| part.passed);
    record.exit_code = exit_code(parts.iter().map(|(_, part)| part.exit_code));
    let reasons = parts.iter().flat_map(|(name, part)| {
        let reasons = part.reasons.iter();
        reasons.map(move |reason| format!("{name}: {reason}"))
    });
    record.reasons = reasons.collect();
    Ok(record)
}

fn held(runs: usize) -> String {
    match runs {
        0 => "a single run".into(),
        runs => counted(runs as u64, "run"),
    }
}

/// A run of all parts. It began in each as long after that part's first run as the wall clock of the part says.
fn one_run(parts: &[(String, Record)], offsets_s: &[f64], at: usize) -> Result<Record, MergeError> {
    let mut runs = Vec::new();
    let mut offsets = Vec::new();
    for ((name, record), offset_s) in parts.iter().zip(offsets_s) {
        let run = record.runs[at].clone();
        offsets.push(offset_s + since(&record.run.started_at, &run.run.started_at).as_secs_f64());
        runs.push((name.clone(), run));
    }
    let mut record = merge(&runs, &offsets)?;
    judge(&mut record);
    Ok(record)
}

fn since(first: &str, later: &str) -> Duration {
    let [first, later] = [first, later].map(humantime::parse_rfc3339);
    let between = first
        .ok()
        .zip(later.ok())
        .and_then(|(first, later)| later.duration_since(first).ok());
    between.unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::super::merge::drawn::{built, requests};
    use super::*;

    /// A part of so many runs, each 60 s after the one before it, of 3 s of load.
    fn part(seed: u64, runs: u64) -> Record {
        let run = |at: u64| {
            let mut record = built(&requests(seed + at, 3));
            record.run.started_at = format!("2026-11-24T12:0{at}:00.000Z");
            record
        };
        pooled((0..runs).map(run).collect()).expect("pooled")
    }

    fn requests_of(record: &Record) -> u64 {
        record.totals.requests
    }

    #[test]
    fn run_k_of_one_part_is_merged_with_run_k_of_the_other() {
        let (one, other) = (part(1, 3), part(10, 3));
        let parts = [
            ("a".to_owned(), one.clone()),
            ("b".to_owned(), other.clone()),
        ];
        let all = merged(&parts, &[0.0, 0.25]).expect("merged");
        assert_eq!(all.runs.len(), 3);
        for (at, run) in all.runs.iter().enumerate() {
            let sum = requests_of(&one.runs[at]) + requests_of(&other.runs[at]);
            assert_eq!(requests_of(run), sum, "run {at}");
            assert_eq!(run.run.parts.len(), 2);
        }
        assert_eq!(requests_of(&all), requests_of(&one) + requests_of(&other));
        assert!(all.spread.expect("of three runs").rps.low.is_some());
    }

    #[test]
    fn records_with_different_numbers_of_runs_are_refused() {
        for (one, other, says) in [
            (part(1, 3), part(2, 2), "a holds 3 runs, and b 2 runs"),
            (part(1, 3), built(&requests(5, 3)), "and b a single run"),
        ] {
            let parts = [("a".to_owned(), one), ("b".to_owned(), other)];
            let error = merged(&parts, &[0.0, 0.0])
                .expect_err("refused")
                .to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn a_slow_beginning_of_a_run_among_several_is_said_of_the_worst_run() {
        let mut runs = part(1, 3).runs;
        let found = |settled_from_s| crate::record::schema::WarmUpRecord {
            settled_from_s,
            mean_before_us: Some(9_000.0),
            mean_after_us: Some(1_000.0),
            p99_after_us: Some(2_000.0),
            drift: None,
            part: None,
        };
        runs[0].warm_up = Some(found(Some(4.0)));
        runs[2].warm_up = Some(found(Some(7.0)));
        let worst = |runs: &[Record]| {
            let record = pooled(runs.to_vec()).expect("pooled");
            let found = record.warm_up.expect("two runs began slowly");
            (found.settled_from_s, found.part.expect("a run"))
        };
        assert_eq!(worst(&runs), (Some(7.0), "run 3".into()));
        // A run that never settled is worse than any.
        runs[1].warm_up = Some(found(None));
        assert_eq!(worst(&runs), (None, "run 2".into()));
    }
}
