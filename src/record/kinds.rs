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
pub fn joined<'r>(all: impl Iterator<Item = &'r KindRecord>) -> Vec<KindRecord> {
    let mut sum: Vec<KindRecord> = Vec::new();
    for kind in all {
        match sum.iter_mut().find(|known| known.name == kind.name) {
            Some(known) => {
                known.users = added(known.users, kind.users);
                known.iterations = added(known.iterations, kind.iterations);
            }
            None => sum.push(kind.clone()),
        }
    }
    sum
}

/// What one of them does not tell is not known of both.
fn added(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    Some(one? + other?)
}

/// Leaves out what the seconds of a slice do not tell.
pub(super) fn leave_out_whole(kinds: &mut [KindRecord]) {
    for kind in kinds {
        (kind.users, kind.iterations) = (None, None);
    }
}

/// Puts the users of several runs of the same load, whose kinds are `of_runs`: they come in each run anew, so the number
/// is the least of them and no sum.
pub(super) fn put_users_of_runs<'r>(
    kinds: &mut [KindRecord],
    of_runs: impl Iterator<Item = &'r [KindRecord]> + Clone,
) {
    for kind in kinds {
        let users = of_runs.clone().map(|own| {
            let same = own.iter().find(|it| it.name == kind.name);
            same.and_then(|it| it.users)
        });
        kind.users = users.min().flatten();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buyer(users: u64, iterations: u64) -> Vec<KindRecord> {
        vec![KindRecord {
            name: "buyer".into(),
            users: Some(users),
            iterations: Some(iterations),
            ..KindRecord::default()
        }]
    }

    #[test]
    fn parts_add_their_users_and_runs_have_the_same_ones() {
        let figures = |kinds: &[KindRecord]| (kinds[0].users, kinds[0].iterations);
        let both = [buyer(3, 30), buyer(3, 40)];
        let mut sum = joined(both.iter().flatten());
        assert_eq!(figures(&sum), (Some(6), Some(70)));
        put_users_of_runs(&mut sum, both.iter().map(|kinds| &kinds[..]));
        assert_eq!(figures(&sum), (Some(3), Some(70)));
        leave_out_whole(&mut sum);
        assert_eq!(figures(&sum), (None, None));
        assert_eq!(joined(sum.iter().chain(&both[0]))[0].users, None);
    }
}
