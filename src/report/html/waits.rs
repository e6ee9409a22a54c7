//! Polls and spans: what took several requests.

use maud::{Markup, html};

use super::shell::{cell, heads, safe, section as framed, table};
use crate::record::schema::{Record, Times};
use crate::report::console::figures::{Figures, Which};
use crate::text::units::grouped;

/// The section; nothing without polls and spans.
pub(super) fn section(record: &Record) -> Markup {
    if record.polls.is_empty() && record.spans.is_empty() {
        return html! {};
    }
    let heads_of_polls = heads([
        "Poll", "Ready", "Gave up", "Attempts", "p50", "p95", "p99", "Max",
    ]);
    let polls = record.polls.iter().map(|poll| {
        let counts = [
            cell(safe(&poll.name)),
            cell(grouped(poll.ready)),
            cell(grouped(poll.gave_up)),
            cell(grouped(poll.attempts)),
        ];
        counts
            .into_iter()
            .chain(times(&poll.ready_after_us))
            .collect()
    });
    let polls: Vec<Vec<Markup>> = polls.collect();
    let heads_of_spans = heads([
        "Span", "Begun", "Done", "Failed", "p50", "p95", "p99", "Max",
    ]);
    let spans = record.spans.iter().map(|span| {
        let counts = [
            cell(safe(&span.name)),
            cell(grouped(span.begun)),
            cell(grouped(span.completed)),
            cell(grouped(span.failed)),
        ];
        counts.into_iter().chain(times(&span.took_us)).collect()
    });
    let spans: Vec<Vec<Markup>> = spans.collect();
    let content = html! {
        @if !polls.is_empty() {
            (table("Polls", &heads_of_polls, &polls))
            p.note { "Time from when the first attempt was due to the answer that was waited for." }
        }
        @if !spans.is_empty() {
            (table("Spans", &heads_of_spans, &spans))
            p.note { "Time from when the first step was due to the last step's answer." }
        }
    };
    framed("polls", "Polls and tasks", &content)
}

fn times(times: &Times) -> [Markup; 4] {
    let figures = Figures::exact(times);
    let which = [
        Which::Percentile(50.0),
        Which::Percentile(95.0),
        Which::Percentile(99.0),
        Which::Max,
    ];
    which.map(|which| cell(figures.show(which).unwrap_or_else(|| "–".into())))
}
