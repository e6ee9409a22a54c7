//! What took several requests: polls until they were answered, and spans of steps from end to end.

use std::fmt::Write;

use super::figures::{Figures, Which, legend, time_columns, unit_of};
use super::page::{Colour, NO_BREAK, Page, Paint};
use super::table::{Align, Column, Table};
use crate::record::schema::Record;
use crate::text::units::{counted, grouped};

const TIMES: [(u8, &str, Which); 4] = [
    (1, "p50", Which::Percentile(50.0)),
    (2, "p95", Which::Percentile(95.0)),
    (3, "p99", Which::Percentile(99.0)),
    (4, "max", Which::Max),
];

/// `POLLS: GET /x: 39 users ready, 0 gave up, 450 requests; ready after p50 124 us, max 3.10 ms`.
pub(super) fn polls(page: &mut Page, record: &Record, listed: usize) {
    // Those that gave up are never left out.
    let gave_up = record.polls.iter().filter(|poll| poll.gave_up > 0);
    let others = record.polls.iter().filter(|poll| poll.gave_up == 0);
    let left = others.clone().skip(listed).count() as u64;
    for poll in gave_up.chain(others.take(listed)) {
        let mut text = format!(
            "POLLS: {}: {} ready, {} gave up, {}",
            poll.name,
            counted(poll.ready, "user"),
            grouped(poll.gave_up),
            counted(poll.attempts, "request")
        );
        if let Some(times) = p50_and_max(&Figures::exact(&poll.ready_after_us)) {
            let _ = write!(text, "; ready after {times}");
        }
        let paint = match poll.gave_up {
            0 => Paint::Nothing,
            _ => Paint::Whole(Colour::Yellow),
        };
        page.paragraph(paint, &text);
    }
    if listed > 0 {
        more(page, left, "poll");
    }
}

/// `SPAN: order: 39 begun, 36 done in p50 1.20 ms, max 3.10 ms; 3 failed`.
pub(super) fn spans(page: &mut Page, record: &Record, listed: usize) {
    for span in record.spans.iter().take(listed) {
        let mut text = format!(
            "SPAN: {}: {} begun, {} done",
            span.name,
            grouped(span.begun),
            grouped(span.completed)
        );
        if let Some(times) = p50_and_max(&Figures::exact(&span.took_us)) {
            let _ = write!(text, " in {times}");
        }
        if span.failed > 0 {
            let _ = write!(text, "; {} failed", grouped(span.failed));
        }
        page.paragraph(Paint::Nothing, &text);
    }
    more(
        page,
        record.spans.len().saturating_sub(listed) as u64,
        "span",
    );
}

pub(super) fn spans_table(page: &mut Page, record: &Record) {
    let spans = &record.spans;
    if spans.is_empty() {
        return;
    }
    let times: Vec<Figures<'_>> = spans
        .iter()
        .map(|span| Figures::exact(&span.took_us))
        .collect();
    let names = spans.iter().map(|span| span.name.clone());
    let begun = spans.iter().map(|span| grouped(span.begun));
    let done = spans.iter().map(|span| grouped(span.completed));
    let mut columns = vec![
        Column::new(0, Align::Left, "End to end", names),
        Column::new(0, Align::Right, "begun", begun),
        Column::new(0, Align::Right, "done", done),
    ];
    if spans.iter().any(|span| span.failed > 0) {
        let failed = spans.iter().map(|span| grouped(span.failed));
        columns.push(Column::new(0, Align::Right, "failed", failed));
    }
    columns.extend(time_columns(&times, &TIMES, unit_of(&times, &TIMES)));
    let begin = page.length();
    Table::new(columns).show_all(page);
    let legend = legend(page.since(begin));
    if !legend.is_empty() {
        page.plain(Paint::Nothing, &legend);
    }
}

fn p50_and_max(figures: &Figures<'_>) -> Option<String> {
    let p50 = figures.show(Which::Percentile(50.0))?;
    let max = figures.show(Which::Max)?;
    Some(format!("p50{NO_BREAK}{p50}, max{NO_BREAK}{max}"))
}

fn more(page: &mut Page, count: u64, noun: &str) {
    if count > 0 {
        let text = format!(
            "and {}: --report full shows all",
            counted(count, &format!("more {noun}"))
        );
        page.plain(Paint::Nothing, &text);
    }
}
