//! The runs of `--repeat` as one record: the figures of all of them together outside, each run whole inside, and what
//! differs between them.
//!
//! The runs are merged second by second, as parts of one run would be, at the times at which they began: the pauses
//! between them hold no samples and belong to no load time.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::analysis::spread::Spread;
use crate::metrics::seconds::Status;

use super::kinds;
use super::merge::{MergeError, merge};
use super::schema::{
    OpenRecord, Record, RuleRecord, RunInfo, SpreadFigure, SpreadRecord, Times, VerdictRecord,
};

/// The record of these runs, in their order. It has not been judged yet: `passed` and `exit_code` are those of the first.
///
/// # Errors
/// When there is no run, or a histogram cannot be read.
pub fn pooled(runs: Vec<Record>) -> Result<Record, MergeError> {
    let offsets_s = offsets_s(&runs);
    let named = runs.into_iter().enumerate();
    let named = named.map(|(at, run)| (format!("run {}", at + 1), run));
    let parts: Vec<(String, Record)> = named.collect();
    let mut record = merge(&parts, &offsets_s)?;
    let runs: Vec<Record> = parts.into_iter().map(|(_, run)| run).collect();
    record.run = run_info(&runs, record.totals.load_s);
    record.generator.verdict = verdict(&runs);
    record.rules = rules(&runs, &offsets_s);
    kinds::put_users_of_runs(&mut record.kinds, runs.iter().map(|run| &run.kinds[..]));
    let spread = spread(&runs);
    let totals = &mut record.totals;
    totals.drain_s = runs.iter().map(|run| run.totals.drain_s).sum();
    // Seconds of several runs do not bound a rate that differs from run to run.
    totals.rps_low = spread.rps.low.map(|low| low.min(totals.rps));
    totals.rps_high = spread.rps.high.map(|high| high.max(totals.rps));
    record.spread = Some(spread);
    record.runs = runs;
    Ok(record)
}

/// When each run began, in whole seconds after the first one: by the wall clock, and after the end of the run before it
/// in any case. Whole seconds keep the seconds of every run apart.
fn offsets_s(runs: &[Record]) -> Vec<f64> {
    let began = |record: &Record| humantime::parse_rfc3339(&record.run.started_at).ok();
    let first: Option<SystemTime> = runs.first().and_then(began);
    let mut free_from_s = 0.0_f64;
    let offsets = runs.iter().map(|run| {
        let since = first
            .zip(began(run))
            .and_then(|(first, began)| began.duration_since(first).ok());
        let offset_s = since
            .unwrap_or(Duration::ZERO)
            .as_secs_f64()
            .max(free_from_s)
            .ceil();
        let end_s = run.series.last().map_or(0.0, |sample| sample.t_s);
        free_from_s = offset_s + end_s;
        offset_s
    });
    offsets.collect()
}

/// What was done: as in the first run; how it ended and what became of an open load, by all of them.
fn run_info(runs: &[Record], load_s: f64) -> RunInfo {
    let mut info = runs[0].run.clone();
    let infos = || runs.iter().map(|record| &record.run);
    info.users_came = infos().map(|run| run.users_came).min().unwrap_or(0);
    let ended_by = ["error", "signal"]
        .into_iter()
        .find(|by| infos().any(|run| run.ended_by == *by));
    let last = infos().next_back().map(|run| run.ended_by.clone());
    info.ended_by = ended_by.map(str::to_owned).or(last).unwrap_or_default();
    info.error = infos().find_map(|run| run.error.clone());
    if let Some(open) = &mut info.load.open {
        let opens = || infos().filter_map(|run| run.load.open.as_ref());
        let sum = |count: fn(&OpenRecord) -> u64| opens().map(count).sum();
        open.due = sum(|open| open.due);
        open.begun = sum(|open| open.begun);
        open.waited = sum(|open| open.waited);
        open.dropped = sum(|open| open.dropped);
        open.never_begun = sum(|open| open.never_begun);
        open.rate_begun = match load_s > 0.0 {
            true => open.begun as f64 / load_s,
            false => 0.0,
        };
    }
    info
}

/// The gravest verdict of the runs; the reasons of the runs that are not VALID, each with their numbers.
fn verdict(runs: &[Record]) -> VerdictRecord {
    let rank = |record: &Record| {
        let status = &record.generator.verdict.status;
        Status::ALL.iter().position(|known| known.name() == status)
    };
    let mut order: Vec<usize> = (0..runs.len()).collect();
    order.sort_by_key(|at| rank(&runs[*at]));
    let gravest = order.first().map_or(Status::Valid.name().to_owned(), |at| {
        runs[*at].generator.verdict.status.clone()
    });
    let is_valid = gravest == Status::Valid.name();
    let mut reasons: Vec<(&str, Vec<usize>)> = Vec::new();
    for at in order {
        let of_run = &runs[at].generator.verdict;
        if !is_valid && of_run.status == Status::Valid.name() {
            continue;
        }
        for reason in &of_run.reasons {
            match reasons.iter_mut().find(|(known, _)| known == reason) {
                Some((_, numbers)) => numbers.push(at + 1),
                None => reasons.push((reason, vec![at + 1])),
            }
        }
    }
    let reasons = reasons.into_iter().map(|(reason, mut numbers)| {
        numbers.sort_unstable();
        format!("{}: {reason}", numbered(&numbers, runs.len()))
    });
    VerdictRecord {
        status: gravest,
        reasons: reasons.collect(),
    }
}

/// `run 2`, `runs 1, 3`, `every run`.
fn numbered(numbers: &[usize], all: usize) -> String {
    let listed: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    match numbers {
        _ if numbers.len() == all && all > 1 => "every run".to_owned(),
        [one] => format!("run {one}"),
        _ => format!("runs {}", listed.join(", ")),
    }
}

/// Each rule once, with the window that decided: that of the first run that broke it, else of the last run that judged
/// it. Windows are added up.
fn rules(runs: &[Record], offsets_s: &[f64]) -> Vec<RuleRecord> {
    let mut pooled: BTreeMap<(usize, &str, &str), RuleRecord> = BTreeMap::new();
    for (number, (run, offset_s)) in runs.iter().zip(offsets_s).enumerate() {
        for (place, rule) in run.rules.iter().enumerate() {
            let mut rule_here = rule.clone();
            rule_here.says = format!("run {}: {}", number + 1, rule.says);
            rule_here.from_s = rule.from_s.map(|from_s| from_s + offset_s);
            rule_here.to_s = rule.to_s.map(|to_s| to_s + offset_s);
            let key = (place, rule.kind.as_str(), rule.rule.as_str());
            match pooled.get_mut(&key) {
                None => {
                    pooled.insert(key, rule_here);
                }
                Some(known) => {
                    let windows = known.windows + rule.windows;
                    let decides = !known.broken && (rule.broken || rule.windows > 0);
                    if decides {
                        *known = rule_here;
                    }
                    known.windows = windows;
                }
            }
        }
    }
    pooled.into_values().collect()
}

/// The spread of the figures over all requests. A run without a request has none.
fn spread(runs: &[Record]) -> SpreadRecord {
    let figure = |of: &dyn Fn(&Record) -> Option<f64>| {
        let figures: Vec<f64> = runs.iter().filter_map(of).collect();
        Spread::of(&figures).map_or(SpreadFigure::default(), |spread| SpreadFigure {
            mean: Some(spread.mean),
            deviation: spread.deviation,
            min: Some(spread.min),
            max: Some(spread.max),
            low: spread.low,
            high: spread.high,
        })
    };
    let time = |of: fn(&Times) -> Option<f64>| figure(&move |run| of(&run.totals.all_us));
    SpreadRecord {
        rps: figure(&|run| Some(run.totals.rps)),
        mean_us: time(|times| times.mean),
        p50_us: time(|times| times.p50),
        p95_us: time(|times| times.p95),
        p99_us: time(|times| times.p99),
    }
}
