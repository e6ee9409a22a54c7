//! The one table of the short form: a row for each endpoint.

use super::figures::{Figures, Which, legend, number_cell, time_columns, unit_of};
use super::names;
use super::page::{Page, Paint};
use super::table::{Align, Column, Table};
use crate::record::schema::{Record, StepRecord};
use crate::text::units::{counted, grouped};

/// Rows at most; a scenario may have a thousand endpoints.
const ROWS_MAX: usize = 30;
/// Statuses with their counts that a cell shows.
const STATUSES_SHOWN: usize = 3;

/// What the times are, below the table.
const MEANING: &str = "Times: due to answered, failures included";
/// The ranks say in which order columns get room.
const RESPONSE: [(u8, &str, Which); 8] = [
    (14, "min", Which::Min),
    (13, "avg", Which::Mean),
    (2, "p50", Which::Percentile(50.0)),
    (12, "p90", Which::Percentile(90.0)),
    (6, "p95", Which::Percentile(95.0)),
    (1, "p99", Which::Percentile(99.0)),
    (15, "p99.9", Which::Percentile(99.9)),
    (3, "max", Which::Max),
];
/// Service times, of requests that did not fail.
const SERVICE: [(u8, &str, Which); 2] = [
    (16, "service p50", Which::Percentile(50.0)),
    (17, "service p99", Which::Percentile(99.0)),
];
const REQUESTS_PER_S_RANK: u8 = 4;
const STATUSES_RANK: u8 = 5;
const STATUSES_WITH_COUNTS_RANK: u8 = 7;
const WHOLE_NAMES_RANK: u8 = 11;

pub(super) fn table(page: &mut Page, record: &Record) {
    let all = &record.steps;
    if record.totals.requests == 0 {
        return;
    }
    let shown = chosen(all);
    let steps = || shown.iter().map(|index| &all[*index]);
    let tails = names::tails(all);
    let tails = shown.iter().map(|index| tails[*index].clone());
    let response: Vec<Figures<'_>> = steps().map(Figures::all).collect();
    let service: Vec<Figures<'_>> = steps().map(Figures::service).collect();
    let unit = unit_of(&response, &RESPONSE);
    let mut columns = vec![
        Column::new(0, Align::Left, "endpoint", tails)
            .in_detail(WHOLE_NAMES_RANK, steps().map(names::whole)),
        Column::new(
            0,
            Align::Right,
            "requests",
            steps().map(|step| grouped(step.requests)),
        ),
        Column::new(
            0,
            Align::Right,
            "failed",
            steps().map(|step| grouped(step.failures)),
        ),
        Column::new(STATUSES_RANK, Align::Left, "status", steps().map(statuses))
            .in_detail(STATUSES_WITH_COUNTS_RANK, steps().map(statuses_with_counts)),
        Column::new(
            REQUESTS_PER_S_RANK,
            Align::Right,
            "req/s",
            steps().map(|step| number_cell(step.rps)),
        ),
    ];
    columns.extend(time_columns(&response, &RESPONSE, unit));
    columns.extend(time_columns(&service, &SERVICE, unit));
    let begin = page.length();
    Table::new(columns).show_what_fits(page);
    let marks = legend(page.since(begin));
    let marks = match marks.is_empty() {
        true => marks,
        false => format!("; {marks}"),
    };
    page.plain(Paint::Nothing, &format!("{MEANING}{marks}"));
    let left = all.len() - shown.len();
    if left > 0 {
        page.plain(
            Paint::Nothing,
            &format!(
                "and {} with fewer failures and requests: --report full shows all",
                counted(left as u64, "endpoint")
            ),
        );
    }
}

/// The steps that are shown, in the scenario's order: those with most failures, then with most requests.
fn chosen(steps: &[StepRecord]) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..steps.len()).collect();
    indices.sort_by_key(|index| {
        let step = &steps[*index];
        std::cmp::Reverse((step.failures, step.requests))
    });
    indices.truncate(ROWS_MAX);
    indices.sort_unstable();
    indices
}

/// `200 404`, the most frequent first; `-` without an answer.
fn statuses(step: &StepRecord) -> String {
    cell(step, |status, _| status.to_owned())
}

/// `200:2,130 404:275`, or `200` where all requests had that one.
fn statuses_with_counts(step: &StepRecord) -> String {
    cell(step, |status, count| match count == step.requests {
        true => status.to_owned(),
        false => format!("{status}:{}", grouped(count)),
    })
}

fn cell(step: &StepRecord, show: impl Fn(&str, u64) -> String) -> String {
    let mut statuses: Vec<(&String, &u64)> = step.statuses.iter().collect();
    statuses.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let shown = statuses.iter().take(STATUSES_SHOWN);
    let mut texts: Vec<String> = shown.map(|(status, count)| show(status, **count)).collect();
    if statuses.len() > STATUSES_SHOWN {
        texts.push("…".to_owned());
    }
    match texts.is_empty() {
        true => "-".to_owned(),
        false => texts.join(" "),
    }
}
