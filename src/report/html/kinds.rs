//! A row for each kind of user; nothing where there is only one.

use maud::{Markup, html};

use super::shell::{cell, heads, safe, section as framed, table};
use crate::record::schema::{KindRecord, Record};
use crate::report::console::figures::{Figures, Which};
use crate::text::units::{grouped, three_digits};

/// The section.
pub(super) fn section(record: &Record) -> Markup {
    if record.kinds.is_empty() {
        return html! {};
    }
    let heads = heads([
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
    ]);
    let rows: Vec<Vec<Markup>> = record.kinds.iter().map(row).collect();
    framed("users", "Users", &table("Kinds of users", &heads, &rows))
}

fn row(kind: &KindRecord) -> Vec<Markup> {
    let times = Figures::kind(kind);
    let shown = |which| {
        let text = times.show(which).unwrap_or_else(|| "–".into());
        cell(text.replace(">=", "≥"))
    };
    vec![
        html! { (safe(&kind.name)) },
        cell(grouped(kind.users)),
        cell(grouped(kind.iterations)),
        cell(grouped(kind.requests)),
        cell(grouped(kind.failures)),
        cell(three_digits(kind.rps)),
        shown(Which::Percentile(50.0)),
        shown(Which::Percentile(95.0)),
        shown(Which::Percentile(99.0)),
        shown(Which::Max),
    ]
}
