//! The tables of the full form: requests, percentiles, the parts of the response time, errors with examples.

use super::failures;
use super::figures::{Figures, Which, legend, number_cell, time_columns, unit_of};
use super::names;
use super::page::{Page, Paint};
use super::table::{Align, Column, Table};
use crate::record::schema::{Record, StepRecord};
use crate::text::units::grouped;

const RANGE: [(u8, &str, Which); 4] = [
    (0, "avg", Which::Mean),
    (0, "min", Which::Min),
    (0, "p50", Which::Percentile(50.0)),
    (0, "max", Which::Max),
];
const PERCENTILES: [(u8, &str, Which); 11] = [
    (0, "p50", Which::Percentile(50.0)),
    (0, "p66", Which::Percentile(66.0)),
    (0, "p75", Which::Percentile(75.0)),
    (0, "p80", Which::Percentile(80.0)),
    (0, "p90", Which::Percentile(90.0)),
    (0, "p95", Which::Percentile(95.0)),
    (0, "p98", Which::Percentile(98.0)),
    (0, "p99", Which::Percentile(99.0)),
    (0, "p99.9", Which::Percentile(99.9)),
    (0, "p99.99", Which::Percentile(99.99)),
    (0, "max", Which::Max),
];
const SERVICE: [(u8, &str, Which); 3] = [
    (0, "service p50", Which::Percentile(50.0)),
    (0, "p99", Which::Percentile(99.0)),
    (0, "max", Which::Max),
];
const CLIENT: [(u8, &str, Which); 3] = [
    (0, "client p50", Which::Percentile(50.0)),
    (0, "p99", Which::Percentile(99.0)),
    (0, "max", Which::Max),
];

/// Counts, rates and response times, failures included; the last row is the whole run.
pub(super) fn requests(page: &mut Page, record: &Record) {
    let (steps, totals) = (&record.steps, &record.totals);
    let column = |head: &str, of_step: &dyn Fn(&StepRecord) -> String, total: String| {
        let cells = steps.iter().map(of_step).chain([total]);
        Column::new(0, Align::Right, head, cells)
    };
    let names = steps.iter().map(names::whole);
    let mut columns = vec![
        Column::new(
            0,
            Align::Left,
            "Endpoint",
            names.chain(["Aggregated".to_owned()]),
        ),
        column(
            "requests",
            &|step| grouped(step.requests),
            grouped(totals.requests),
        ),
        column(
            "failed",
            &|step| grouped(step.failures),
            grouped(totals.failures),
        ),
        column(
            "req/s",
            &|step| number_cell(step.rps),
            number_cell(totals.rps),
        ),
        column(
            "failed/s",
            &|step| number_cell(step.failures_per_s),
            number_cell(totals.failures_per_s),
        ),
    ];
    let rows: Vec<Figures<'_>> = steps.iter().map(Figures::all).collect();
    let rows = [rows, vec![Figures::total(totals)]].concat();
    columns.extend(time_columns(&rows, &RANGE, unit_of(&rows, &RANGE)));
    page.blank();
    with_legend(page, &Table::new(columns));
}

/// Percentiles of answers that did not fail, and below each step those of its failures.
pub(super) fn response_times(page: &mut Page, record: &Record) {
    let mut names = Vec::new();
    let mut rows = Vec::new();
    let steps = record.steps.iter().zip(names::tails(&record.steps));
    for (step, tail) in steps.filter(|(step, _)| step.all_us.count > 0) {
        names.push(tail);
        rows.push(Figures::exact(&step.response_us));
        if step.failures_us.count > 0 {
            let name = match step.failures.saturating_sub(step.unanswered) {
                _ if without_answer(step) == 0 => "  failed",
                0 => "  no answer",
                _ => "  failed, no answer",
            };
            names.push(name.to_owned());
            rows.push(Figures::failures(step));
        }
    }
    page.blank();
    page.plain(
        Paint::Nothing,
        "Response time, from when a request was due; requests that did not fail",
    );
    let mut columns = vec![Column::new(0, Align::Left, "", names)];
    columns.extend(time_columns(
        &rows,
        &PERCENTILES,
        unit_of(&rows, &PERCENTILES),
    ));
    with_legend(page, &Table::new(columns));
    for step in &record.steps {
        let open = without_answer(step);
        if let Some(oldest) = Figures::failures(step)
            .show(Which::Max)
            .filter(|_| open > 0)
        {
            let text = format!(
                "{}: {} without an answer at the end, the oldest for {oldest}",
                names::whole(step),
                grouped(open),
            );
            page.paragraph(Paint::Nothing, &text);
        }
    }
}

/// The server's and the generator's part of those times.
pub(super) fn clocks(page: &mut Page, record: &Record) {
    let steps = || {
        let steps = record.steps.iter();
        steps.filter(|step| has_clocks(step))
    };
    let tails = record.steps.iter().zip(names::tails(&record.steps));
    let tails = tails.filter(|(step, _)| has_clocks(step));
    let tails: Vec<String> = tails.map(|(_, tail)| tail).collect();
    if tails.is_empty() {
        return;
    }
    let service: Vec<Figures<'_>> = steps().map(Figures::service).collect();
    let client: Vec<Figures<'_>> = steps()
        .map(|step| Figures::exact(&step.client_us))
        .collect();
    page.blank();
    page.plain(
        Paint::Nothing,
        "Of it: service (submitted to answered) and client (due to submitted)",
    );
    let mut columns = vec![Column::new(0, Align::Left, "", tails)];
    columns.extend(time_columns(
        &service,
        &SERVICE,
        unit_of(&service, &SERVICE),
    ));
    columns.extend(time_columns(&client, &CLIENT, unit_of(&client, &CLIENT)));
    with_legend(page, &Table::new(columns));
}

/// Service times, or client times, of a step are known; those of a slice may not be.
fn has_clocks(step: &StepRecord) -> bool {
    step.service_us.count + step.client_us.count > 0
}

/// Each kind of failure with its first and last time and an example.
pub(super) fn errors(page: &mut Page, record: &Record) {
    for error in &record.errors {
        let status = error
            .status
            .map_or(String::new(), |status| format!(" {status}"));
        let text = format!(
            "ERRORS: {} {}{status}, {:.1} s to {:.1} s, {} {}",
            grouped(error.count),
            error.kind,
            error.first_s,
            error.last_s,
            error.method,
            error.name
        );
        page.paragraph(Paint::Nothing, &text);
        failures::example(page, error);
    }
}

/// Requests of a step whose times are lower bounds.
fn without_answer(step: &StepRecord) -> u64 {
    step.unanswered + step.cut_off + step.never_begun
}

fn with_legend(page: &mut Page, table: &Table) {
    let begin = page.length();
    table.show_all(page);
    let legend = legend(page.since(begin));
    if !legend.is_empty() {
        page.plain(Paint::Nothing, &legend);
    }
}
