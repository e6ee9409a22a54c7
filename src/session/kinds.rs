//! A scenario's kinds of users -> what a record says of them.

use crate::engine::KindUse;
use crate::load::mix::Amount;
use crate::record::schema::KindRecord;
use crate::scenario::kind::Kind;
use crate::scenario::model::Scenario;

/// What the users of each kind did, where there are several; `used` is empty before the run. The sums over their steps are not in it.
pub(super) fn kinds(scenario: &Scenario, used: &[KindUse]) -> Vec<KindRecord> {
    let kinds = scenario.kinds.iter().enumerate();
    let kinds = kinds.filter(|_| scenario.has_kinds());
    let record = |(at, kind): (usize, &Kind)| {
        let used = used.get(at);
        let labels = &scenario.metrics[usize::from(kind.metrics.start)..];
        let labels = labels.iter().take(kind.metrics.len());
        KindRecord {
            name: kind.name.clone(),
            share: match kind.amount {
                Amount::Share(share) => Some(share),
                Amount::Count(_) => None,
            },
            count: match kind.amount {
                Amount::Share(_) => None,
                Amount::Count(count) => Some(count),
            },
            users: used.map(|used| used.came),
            iterations: used.map(|used| used.passes),
            steps: labels
                .map(|it| format!("{} {}", it.method, it.name))
                .collect(),
            ..KindRecord::default()
        }
    };
    kinds.map(record).collect()
}
