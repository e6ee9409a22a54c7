//! The page of one record: sections in the order in which a reader asks.

use anyhow::Result;
use maud::{Markup, PreEscaped, html};

use super::chart::Chart;
use super::charts::{Charts, charts};
use super::conditions;
use super::connections;
use super::download;
use super::errors;
use super::kinds;
use super::numbers;
use super::runs;
use super::shell;
use super::shell::{cell, heads, safe, table};
use super::steps;
use super::verdict;
use super::waits;
use super::watched;
use crate::record::schema::Record;
use crate::report::console::generator::{Stretch, stretches};
use crate::report::console::totals::target;
use crate::text::units::{grouped, moment};

/// Size of a page, at most, as long as a record without its seconds allows it.
const PAGE_BYTES_MAX: usize = 490_000;
/// Doubted stretches in the list, the first ones.
const DOUBTS_MAX: usize = 60;
/// With more stretches than this, the list is folded.
const DOUBTS_OPEN_MAX: usize = 6;
/// Room for the record in every page.
const RECORD_BYTES_MIN: usize = 60_000;

/// The page.
///
/// # Errors
/// When the record was changed by hand and holds a histogram that cannot be read.
pub(super) fn page(record: &Record) -> Result<String> {
    let title = safe(&format!(
        "{} on {}",
        record.run.scenario,
        target(&record.run)
    ));
    let before = html! {
        header {
            h1 { (title) }
            p { (safe(&record.run.started_at)) " · opsurge " (safe(&record.run.version)) }
        }
        (verdict::section(record))
        (numbers::section(record))
        (runs::section(record))
        (steps::section(record))
        (kinds::section(record))
        (section(&charts(record)?, &marks(record)))
        (waits::section(record))
        (connections::section(record))
        (errors::section(record))
        (watched::section(record))
        (conditions::section(record))
    };
    let shell_bytes = shell::page("", &html! {}).into_string().len();
    let room = PAGE_BYTES_MAX.saturating_sub(before.0.len() + shell_bytes);
    let record = download::section("", record, room.max(RECORD_BYTES_MIN))?;
    let body = html! {
        main { (before) (record) }
        noscript { p.note { "Without JavaScript, everything is here but the crosshair." } }
    };
    Ok(shell::page(&format!("{title} – opsurge"), &body).into_string())
}

/// The charts and their values.
pub(super) fn section(charts: &Charts, marks: &Markup) -> Markup {
    html! {
        section id="charts" {
            h2 { "Charts" }
            p.note {
                "Point at a chart, or move its crosshair with the arrow keys, Page Up, Page Down, Home and End. "
                "All charts over time show the same moment."
            }
            (marks)
            div.charts {
                @for chart in &charts.charts { (one(chart)) }
            }
            (shell::json("abscissae", &charts.abscissae))
        }
    }
}

fn one(chart: &Chart) -> Markup {
    html! {
        (PreEscaped(&chart.markup))
        (shell::json(&format!("{}-values", chart.id), &chart.values))
    }
}

/// What the marked stretches of the charts over time are, as far as this run has them.
fn marks(record: &Record) -> Markup {
    let load = &record.run.load;
    let stages = load
        .open
        .as_ref()
        .map_or(load.stages.len(), |open| open.stages.len());
    let is_doubted = record.series.iter().any(|sample| sample.verdict != "VALID");
    let has_broken = record
        .rules
        .iter()
        .any(|rule| rule.broken && rule.from_s.is_some());
    let has_settling = record.series.iter().any(|sample| sample.is_settling);
    let has_drain = record.series.iter().any(|sample| sample.is_drain);
    let marks = [
        (is_doubted, "doubt", "seconds that the verdict doubts"),
        (
            has_broken && record.search.is_none(),
            "broke",
            "window that broke a rule",
        ),
        (record.search.is_some(), "held", "level that held"),
        (record.search.is_some(), "broke", "level that did not hold"),
        (stages > 1, "stage", "every second stage"),
        (has_settling, "settle", "settling time, in no figure"),
        (has_drain, "drain", "drain"),
        (!load.orders.is_empty(), "order", "order of a person"),
    ];
    html! {
        ul.marks {
            @for (is_there, class, name) in marks {
                @if is_there { li { i class={ "band " (class) } {} (name) } }
            }
        }
        (doubts(record))
    }
}

/// The doubted stretches with their causes: what the hatching means.
fn doubts(record: &Record) -> Markup {
    let found = stretches(&record.series);
    let heads = heads(["From", "To", "Verdict", "Why"]);
    let row = |stretch: &Stretch<'_>| -> Vec<Markup> {
        let cells = [
            moment(stretch.from_s),
            moment(stretch.to_s),
            safe(stretch.verdict),
            stretch.causes(),
        ];
        cells.map(cell).into()
    };
    let rows: Vec<Vec<Markup>> = found.iter().take(DOUBTS_MAX).map(row).collect();
    let left = found.len().saturating_sub(DOUBTS_MAX);
    html! {
        @if !found.is_empty() {
            details.doubts open[found.len() <= DOUBTS_OPEN_MAX] {
                summary { "Why seconds are doubted (" (grouped(found.len() as u64)) ")" }
                (table("Doubted stretches", &heads, &rows))
                @if left > 0 { p { "And " (grouped(left as u64)) " more; the record's series has all." } }
            }
        }
    }
}
