//! The records of setup and teardown.

use crate::metrics::counts::StepCounts;
use crate::metrics::summary::Summary;
use crate::scenario::model::MetricLabel;

use super::build::{errors_of, statuses_of};
use super::schema::{OnceRecord, OnceStepRecord};

/// What the steps of a setup or a teardown did, within `lasted_ns` nanoseconds.
pub fn record(labels: &[MetricLabel], summary: &Summary, lasted_ns: u64) -> OnceRecord {
    let steps = || labels.iter().zip(&summary.counts.steps);
    OnceRecord {
        took_s: lasted_ns as f64 / 1e9,
        requests: steps().map(|(_, counts)| counts.requests).sum(),
        failures: steps().map(|(_, counts)| counts.failures).sum(),
        steps: steps().map(of_step).collect(),
        errors: steps().flat_map(errors_of).collect(),
    }
}

fn of_step((label, counts): (&MetricLabel, &StepCounts)) -> OnceStepRecord {
    OnceStepRecord {
        method: label.method.clone(),
        name: label.name.clone(),
        requests: counts.requests,
        failures: counts.failures,
        statuses: statuses_of(counts),
    }
}

/// Those of several parts as one: each part carried out its own.
pub fn joined<'r>(parts: impl Iterator<Item = &'r OnceRecord>) -> Option<OnceRecord> {
    parts.fold(None, |sum: Option<OnceRecord>, part| {
        let Some(mut sum) = sum else {
            return Some(part.clone());
        };
        sum.took_s = sum.took_s.max(part.took_s);
        sum.requests += part.requests;
        sum.failures += part.failures;
        for step in &part.steps {
            let same = |known: &&mut OnceStepRecord| {
                known.method == step.method && known.name == step.name
            };
            let Some(known) = sum.steps.iter_mut().find(same) else {
                sum.steps.push(step.clone());
                continue;
            };
            known.requests += step.requests;
            known.failures += step.failures;
            for (status, count) in &step.statuses {
                *known.statuses.entry(status.clone()).or_default() += count;
            }
        }
        sum.errors.extend(part.errors.iter().cloned());
        Some(sum)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, requests: u64, took_s: f64) -> OnceRecord {
        let step = OnceStepRecord {
            method: "POST".into(),
            name: name.into(),
            requests,
            failures: 1,
            statuses: [("201".to_owned(), requests)].into(),
        };
        OnceRecord {
            took_s,
            requests,
            failures: 1,
            steps: vec![step],
            errors: Vec::new(),
        }
    }

    #[test]
    fn what_several_parts_set_up_is_added_up_by_step() {
        let parts = [part("/a", 2, 0.5), part("/b", 1, 2.0), part("/a", 3, 1.0)];
        let sum = joined(parts.iter()).expect("there are parts");
        assert_eq!((sum.requests, sum.failures, sum.took_s), (6, 3, 2.0));
        assert_eq!((sum.steps.len(), sum.steps[0].requests), (2, 5));
        assert_eq!(sum.steps[0].statuses["201"], 5);
        assert_eq!(joined([].into_iter()), None);
    }
}
