//! The page of a run that lasts: the report's page with empty places, and once a second what is put into them.

use anyhow::Result;
use maud::{Markup, html};
use serde_json::json;

use super::charts::charts;
use super::conditions;
use super::errors;
use super::kinds;
use super::numbers;
use super::shell;
use super::steps;
use super::verdict;
use super::waits;
use super::watched;
use crate::metrics::seconds::Status;
use crate::record::schema::Record;
use crate::report::console::totals::target;
use crate::text::units::{counted, grouped, percent, rate};

/// What the live page may do: as a report, and ask the server that it came from.
pub const LIVE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                               img-src data:; base-uri 'none'; form-action 'none'; connect-src 'self'";
const SCRIPT: &str = include_str!("live.js");
/// Places of the page above its charts, and below them.
const ABOVE: [&str; 4] = ["verdict", "numbers", "kinds", "steps"];
const BELOW: [&str; 4] = ["waits", "errors", "watched", "conditions"];

/// What the page may change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LiveControl {
    /// The number of users, between these.
    Users(f64, f64),
    /// The iterations per second, between these.
    Rate(f64, f64),
    /// Only the drain can be ordered.
    Drain,
}

/// Whether a run lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveRun {
    /// Its record is that of the run so far.
    Lasts,
    /// Its record is final.
    Over,
}

/// The page, before anything is measured. `control`: what it may change; `None` without `--web-control`.
pub fn live_page(record: &Record, control: Option<LiveControl>) -> String {
    let title = shell::safe(&format!(
        "{} on {}",
        record.run.scenario,
        target(&record.run)
    ));
    let body = html! {
        main {
            header {
                h1 { (title) }
                p { (shell::safe(&record.run.started_at)) " · opsurge " (shell::safe(&record.run.version)) }
            }
            div.live {
                span.state id="state" role="status" { "connecting" }
                a href="record.json" download="record.json" { "record.json" }
                @if let Some(control) = control { (form(control)) }
            }
            @for id in ABOVE { div id={ "place-" (id) } {} }
            section id="charts" {
                h2 { "Charts" }
                p.note {
                    "Point at a chart, or move its crosshair with the arrow keys, Page Up, Page Down, Home and End. "
                    "All charts over time show the same moment."
                }
                div.charts id="list" {}
                (shell::json("abscissae", "{}"))
            }
            @for id in BELOW { div id={ "place-" (id) } {} }
        }
        noscript { p.note { "This page needs JavaScript; /record.json and /metrics do not." } }
    };
    shell::framed(&format!("{title} – opsurge"), LIVE_POLICY, &body, SCRIPT).into_string()
}

fn form(control: LiveControl) -> Markup {
    let (order, noun, least, most) = match control {
        LiveControl::Users(least, most) => ("users", "users", least, most),
        LiveControl::Rate(least, most) => ("rate", "iterations/s", least, most),
        LiveControl::Drain => ("drain", "", 0.0, 0.0),
    };
    html! {
        form id="control" data-order=(order) {
            @if control != LiveControl::Drain {
                input id="level" type="number" required step="any" min=(least) max=(most)
                    aria-label={ (noun) " from now on" };
                button type="submit" { "Set " (noun) }
            }
            button type="button" id="drain" { "Drain" }
            span id="answer" role="status" {}
        }
    }
}

/// What is put into the page: JSON with `parts` (id and markup of each place), `charts` and their `abscissae`.
///
/// # Errors
/// When a histogram of the record cannot be read.
pub fn live_parts(record: &Record, run: LiveRun) -> Result<String> {
    let (verdict, conditions) = match run {
        LiveRun::Lasts => (running(record), html! {}),
        LiveRun::Over => (verdict::section(record), conditions::section(record)),
    };
    let parts = [
        ("verdict", verdict),
        ("numbers", numbers::section(record)),
        ("kinds", kinds::section(record)),
        ("steps", steps::section(record)),
        ("waits", waits::section(record)),
        ("errors", errors::section(record)),
        ("watched", watched::section(record)),
        ("conditions", conditions),
    ];
    let drawn = charts(record)?;
    let pictures = drawn.charts.iter();
    let pictures: Vec<_> = pictures
        .map(|chart| json!({"id": chart.id, "markup": chart.markup, "values": chart.values}))
        .collect();
    let parts: Vec<_> = parts
        .iter()
        .map(|(id, markup)| json!([id, markup.0]))
        .collect();
    Ok(json!({"parts": parts, "charts": pictures, "abscissae": drawn.abscissae}).to_string())
}

/// The verdict so far. It says neither passed nor failed: that is known at the end.
fn running(record: &Record) -> Markup {
    let totals = &record.totals;
    let status = &record.generator.verdict.status;
    let is_valid = status == Status::Valid.name();
    let class = match (totals.failures, is_valid) {
        (1.., _) => "bad",
        (0, false) => "doubtful",
        (0, true) => "good",
    };
    let failed = match totals.failures {
        0 => "none failed".to_owned(),
        count => format!(
            "{} failed ({})",
            grouped(count),
            percent(totals.failure_ratio)
        ),
    };
    html! {
        section id="verdict" class={ "verdict " (class) } {
            h2 { "Running: " (counted(totals.requests, "request")) " at " (rate(totals.rps)) ", " (failed) "." }
            p.belief {
                strong { (shell::safe(status)) } " so far – "
                @if is_valid { "the generator keeps up, so the figures are the server's." }
                @else { "read the figures with this in mind." }
            }
        }
    }
}
