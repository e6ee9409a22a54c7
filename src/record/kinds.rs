//! The figures of kinds of users: sums over their steps.

use crate::metrics::latencies::Latencies;

use super::distribution::{add_packed, times};
use super::schema::{KindRecord, Record, StepRecord};

/// Computes the figures of all kinds from those of the record's steps. What a step's histogram does not tell is left out.
pub fn refresh(record: &mut Record) {
    let mut kinds = std::mem::take(&mut record.kinds);
    for kind in &mut kinds {
        let is_own = |step: &&StepRecord| {
            let name = format!("{} {}", step.method, step.name);
            kind.steps.contains(&name)
        };
        let own: Vec<&StepRecord> = record.steps.iter().filter(is_own).collect();
        put_figures(kind, &own);
    }
    record.kinds = kinds;
}

fn put_figures(kind: &mut KindRecord, steps: &[&StepRecord]) {
    let (mut response, mut failed) = <(Latencies, Latencies)>::default();
    for step in steps {
        // A record that was changed by hand is refused where it is read.
        let _ = add_packed(&mut response, &step.histograms.response, &step.response_us);
        let _ = add_packed(&mut failed, &step.histograms.failures, &step.failures_us);
    }
    kind.requests = steps.iter().map(|step| step.requests).sum();
    kind.failures = steps.iter().map(|step| step.failures).sum();
    kind.rps = steps.iter().map(|step| step.rps).sum();
    let bounds = steps.iter().filter_map(|step| step.bound_from_us);
    kind.bound_from_us = bounds.min_by(f64::total_cmp);
    kind.response_us = times(&response);
    failed += &response;
    kind.all_us = times(&failed);
}

/// The kinds of several records of one scenario as one: users and iterations are added.
pub fn joined<'r>(records: impl Iterator<Item = &'r Record>) -> Vec<KindRecord> {
    let mut sum: Vec<KindRecord> = Vec::new();
    for kind in records.flat_map(|record| &record.kinds) {
        match sum.iter_mut().find(|known| known.name == kind.name) {
            Some(known) => {
                known.users += kind.users;
                known.iterations += kind.iterations;
            }
            None => sum.push(kind.clone()),
        }
    }
    sum
}
