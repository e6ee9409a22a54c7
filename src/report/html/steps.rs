//! A row for each step: counts, response times with intervals, service times.

use maud::{Markup, html};

use super::shell::{cell, heads, safe, section as framed, table};
use crate::record::schema::{ErrorRecord, Record, StepRecord, Times};
use crate::report::console::figures::{Figures, Which};
use crate::text::units::{grouped, percent, three_digits};

/// The section.
pub(super) fn section(record: &Record) -> Markup {
    let heads = heads([
        "Step",
        "Requests",
        "Failed",
        "Status",
        "Rate/s",
        "p50",
        "p90",
        "p95",
        "p99",
        "p99.9",
        "Max",
        "Service p50",
        "Service p99",
    ]);
    let mut rows: Vec<Vec<Markup>> = record.steps.iter().map(|step| row(record, step)).collect();
    if record.steps.len() > 1 {
        rows.push(all(record));
    }
    let content = html! {
        (table("Steps", &heads, &rows))
        p.note {
            "Response times from due to answered, failures included; service times from sent to answered, without them. "
            "~: run too short to bound it. ≥: a lower bound, for some requests had no answer."
        }
    };
    framed("steps", "Steps", &content)
}

fn row(record: &Record, step: &StepRecord) -> Vec<Markup> {
    let is_its = |error: &ErrorRecord| error.method == step.method && error.name == step.name;
    let failed = match record.errors.iter().position(is_its) {
        Some(at) => {
            html! { a href={ "#error-" (at) } { (failures(step.failures, step.requests)) } }
        }
        None => cell(failures(step.failures, step.requests)),
    };
    let statuses = step.statuses.iter();
    let statuses: Vec<String> = statuses
        .map(|(status, count)| match step.statuses.len() {
            1 => safe(status),
            _ => format!("{} × {}", safe(status), grouped(*count)),
        })
        .collect();
    let name = html! { span.method { (safe(&step.method)) } " " (safe(&step.name)) };
    let counts = [
        name,
        cell(grouped(step.requests)),
        failed,
        cell(statuses.join(", ")),
        cell(three_digits(step.rps)),
    ];
    let times = times(Figures::all(step), &step.service_us);
    counts.into_iter().chain(times).collect()
}

fn all(record: &Record) -> Vec<Markup> {
    let totals = &record.totals;
    let counts = [
        html! { strong { "All" } },
        cell(grouped(totals.requests)),
        cell(failures(totals.failures, totals.requests)),
        cell(""),
        cell(three_digits(totals.rps)),
    ];
    let times = times(Figures::total(totals), &totals.service_us);
    counts.into_iter().chain(times).collect()
}

fn failures(failures: u64, requests: u64) -> String {
    match failures {
        0 => "0".into(),
        _ => {
            let share = failures as f64 / requests.max(1) as f64;
            format!("{} ({})", grouped(failures), percent(share))
        }
    }
}

/// Cells of the response times, then of the service times.
fn times(response: Figures<'_>, service: &Times) -> Vec<Markup> {
    let service = Figures::exact(service);
    let shown = |figures: Figures<'_>, which| {
        let text = figures.show(which).unwrap_or_else(|| "–".into());
        cell(text.replace(">=", "≥"))
    };
    let with_interval = |percent| {
        let text = response.show_with_interval(percent);
        let text = text.unwrap_or_else(|| "–".into()).replace(">=", "≥");
        match text.split_once('(') {
            Some((value, interval)) => html! { (value.trim()) small { "(" (interval) } },
            None => cell(text),
        }
    };
    let percentile = |percent| shown(response, Which::Percentile(percent));
    vec![
        with_interval(50.0),
        percentile(90.0),
        percentile(95.0),
        with_interval(99.0),
        percentile(99.9),
        shown(response, Which::Max),
        shown(service, Which::Percentile(50.0)),
        shown(service, Which::Percentile(99.0)),
    ]
}
