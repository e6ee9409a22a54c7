//! Six numbers that say what the run was.

use maud::{Markup, html};

use super::shell::section as framed;
use crate::record::schema::{Record, Totals};
use crate::record::so_far::RUNNING;
use crate::report::console::figures::{Figures, Which};
use crate::text::units::{bytes, grouped, percent, range, rate, three_digits};

/// The section.
pub(super) fn section(record: &Record) -> Markup {
    let totals = &record.totals;
    let users = match &record.run.load.open {
        None => range(record.run.users_came, record.run.users),
        Some(open) => range(open.users_ready, record.run.users),
    };
    let users = users.replace(" users", "").replace(" user", "");
    let (p50, p50_interval) = percentile(totals, 50.0);
    let (p99, p99_interval) = percentile(totals, 99.0);
    let length = format!("in {} s of load", three_digits(totals.load_s));
    // Bytes and connections of a part of a run are not known.
    let is_cut = record.slice.as_ref().is_some_and(|slice| !slice.settled);
    let content = html! {
        dl.numbers {
            (number("Requests", &grouped(totals.requests), &length))
            (number("Rate", &rate(totals.rps), &rate_interval(totals)))
            (number("Failures", &grouped(totals.failures), &format!("{} of requests", percent(totals.failure_ratio))))
            (number("p50", &p50, &p50_interval))
            (number("p99", &p99, &p99_interval))
            (number("Users", &users, &load(record)))
        }
        p.note {
            "Response times from when a request was due, failures included; in brackets 95 % intervals. "
            // Bytes and connections are known at the end of a run.
            @if !is_cut && record.run.ended_by != RUNNING {
                (bytes(totals.bytes_sent)) " sent, " (bytes(totals.bytes_received)) " received, "
                (grouped(totals.connections_opened)) " connections opened."
            }
            @if totals.cut_off > 0 { " " (grouped(totals.cut_off)) " requests cut off at the end." }
            @if totals.never_begun > 0 { " " (grouped(totals.never_begun)) " iterations never begun." }
            @if totals.unanswered > 0 { " " (grouped(totals.unanswered)) " requests without an answer." }
        }
    };
    framed("numbers", "In short", &content)
}

fn number(name: &str, value: &str, below: &str) -> Markup {
    html! {
        div { dt { (name) } dd { (value) } dd.below { (below) } }
    }
}

/// A percentile with its mark, and its interval in words.
fn percentile(totals: &Totals, percent: f64) -> (String, String) {
    let figures = Figures::total(totals);
    let Some(value) = figures.show(Which::Percentile(percent)) else {
        return ("–".into(), String::new());
    };
    let text = figures.show_with_interval(percent).unwrap_or_default();
    // `12.4 ms (11.8 to 13.1)`: the value stands above its interval.
    let interval = text.split_once('(').map_or("", |(_, interval)| interval);
    let interval = interval.trim_end_matches(')').trim();
    match (value.chars().next(), interval.is_empty()) {
        (Some('>'), _) => (value, "a lower bound: some had no answer".into()),
        (Some('~'), true) => (value, "run too short to bound it".into()),
        (_, true) => (value, String::new()),
        (_, false) => (value, format!("({interval})")),
    }
}

fn rate_interval(totals: &Totals) -> String {
    match (totals.rps_low, totals.rps_high) {
        (Some(low), Some(high)) => format!("({} to {})", three_digits(low), three_digits(high)),
        _ => "run too short to bound it".into(),
    }
}

fn load(record: &Record) -> String {
    match (&record.run.load.open, &record.search) {
        (_, Some(_)) => "levels of a search".into(),
        (Some(open), None) => format!("{} iterations/s", three_digits(open.rate)),
        (None, None) => "closed load".into(),
    }
}
