//! A row for each kind of user; nothing where there is only one.

use maud::{Markup, html};

use super::shell::{cell, heads, safe, section as framed, table};
use crate::record::schema::{KindRecord, Record};
use crate::report::console::figures::{Figures, Which};
use crate::text::units::{grouped, three_digits};

const TIMES: [Which; 4] = [
    Which::Percentile(50.0),
    Which::Percentile(95.0),
    Which::Percentile(99.0),
    Which::Max,
];

/// The section. Of a run that lasts it has the users that are present.
pub(super) fn section(record: &Record) -> Markup {
    if record.kinds.is_empty() {
        return html! {};
    }
    let heads: Vec<String> = match lasts(record) {
        true => heads([
            "Users", "Now", "Requests", "Failed", "Rate/s", "p50", "p95", "p99", "Max",
        ]),
        false => heads([
            "Users",
            "Came",
            "Iterations",
            "Requests",
            "Failed",
            "Rate/s",
            "p50",
            "p95",
            "p99",
            "Max",
        ]),
    };
    let rows: Vec<Vec<Markup>> = record.kinds.iter().map(row).collect();
    framed("kinds", "Users", &table("Kinds of users", &heads, &rows))
}

fn row(kind: &KindRecord) -> Vec<Markup> {
    let times = Figures::kind(kind);
    let shown = |which| {
        let text = times.show(which).unwrap_or_else(|| "–".into());
        cell(text.replace(">=", "≥"))
    };
    let users = match kind.present {
        Some(present) => vec![cell(grouped(present))],
        None => [kind.users, kind.iterations]
            .map(|number| cell(number.map_or_else(|| "–".into(), grouped)))
            .into(),
    };
    let counts = [
        cell(grouped(kind.requests)),
        cell(grouped(kind.failures)),
        cell(three_digits(kind.rps)),
    ];
    let name = html! { (safe(&kind.name)) };
    let cells = std::iter::once(name).chain(users).chain(counts);
    cells.chain(TIMES.map(shown)).collect()
}

fn lasts(record: &Record) -> bool {
    record.kinds.iter().any(|kind| kind.present.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: &KindRecord) -> String {
        row(kind).into_iter().map(|cell| cell.0 + "|").collect()
    }

    #[test]
    fn a_run_that_lasts_has_the_users_of_the_moment_and_a_slice_has_none() {
        let kind = KindRecord {
            name: "buyer".into(),
            users: Some(12),
            iterations: Some(345),
            requests: 678,
            ..KindRecord::default()
        };
        let whole = shown(&kind);
        assert!(whole.starts_with("buyer|12|345|678|0|"), "{whole}");
        let lasts = shown(&KindRecord {
            present: Some(9),
            users: None,
            iterations: None,
            ..kind.clone()
        });
        assert!(lasts.starts_with("buyer|9|678|0|"), "{lasts}");
        let slice = shown(&KindRecord {
            users: None,
            iterations: None,
            ..kind
        });
        assert!(slice.starts_with("buyer|–|–|678|0|"), "{slice}");
    }
}
