//! The rules of a run: read against its scenario and its load, and their findings put into its record.

use anyhow::{Result, bail};

use crate::analysis::windows::{Case, Purpose, Referee, settled};
use crate::plan::scenario::Scenario;
use crate::report::record::RuleRecord;

use super::wishes::{Load, Wishes};

/// Who judges the run, by what it was asked to judge.
pub(super) fn referee(wishes: &Wishes<'_>, scenario: &Scenario, load: &Load) -> Result<Referee> {
    let stop = wishes.stop_rules(scenario)?;
    let fail = wishes.fail_rules(scenario)?;
    let levels = match &load.open {
        Some(open) => open.levels(),
        None => load.closed.levels(),
    };
    let settle_ns = wishes.settle.map(|settle| settle.as_nanos() as u64);
    let stretches = settled(&levels, load.run_time_ns, settle_ns);
    let are_asked_for = !(wishes.stop_when.is_empty() && wishes.fail_if.is_empty());
    if stretches.is_empty() && are_asked_for {
        bail!(
            "--stop-when and --fail-if judge what comes after the ramp and --settle, and the run ends before: give a longer --run-time or a shorter --settle"
        );
    }
    let window_ns = wishes.window.as_nanos() as u64;
    let steps = scenario.metrics.len();
    Ok(Referee::new(stretches, window_ns, stop, fail, steps))
}

/// What the rules said; the load began `load_from_ns` after the run's start.
pub(super) fn records(referee: Referee, load_from_ns: u64) -> Vec<RuleRecord> {
    let cases = referee.finish();
    cases
        .iter()
        .map(|case| record(case, load_from_ns))
        .collect()
}

fn record(case: &Case, load_from_ns: u64) -> RuleRecord {
    let decided = case.decided.as_ref();
    let at_s = |ns: u64| (load_from_ns + ns) as f64 / 1e9;
    RuleRecord {
        kind: match case.purpose {
            Purpose::Stop => "stop-when",
            Purpose::Fail => "fail-if",
        }
        .into(),
        rule: case.rule.text.clone(),
        broken: decided.is_some_and(|judged| judged.finding.broken),
        windows: case.windows,
        from_s: decided.map(|judged| at_s(judged.from_ns)),
        to_s: decided.map(|judged| at_s(judged.to_ns)),
        users: decided.map(|judged| judged.users),
        value: decided.and_then(|judged| judged.finding.value),
        says: match decided {
            Some(judged) => case.rule.show(&judged.finding),
            None => "never judged: the run ended before a window was full".into(),
        },
    }
}
