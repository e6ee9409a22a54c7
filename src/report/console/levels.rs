//! The breaking point: what held, what did not, the rate that is sustained, and each level that was measured.

use super::figures::{Unit, number_cell, plain_cell};
use super::page::{Colour, Page, Paint};
use super::table::{Align, Column, Table};
use crate::record::schema::{LevelRecord, Record, SearchRecord};
use crate::text::units::three_digits;

/// Columns of the longest bar.
const BAR_WIDTH: f64 = 20.0;

/// What the search found.
pub(super) fn result(page: &mut Page, record: &Record) {
    let Some(search) = &record.search else {
        return;
    };
    let colour = match (search.last_good, search.first_bad) {
        (Some(_), Some(_)) => Colour::Green,
        _ => Colour::Yellow,
    };
    page.paragraph(
        Paint::Words(colour, "BREAKING POINT:"),
        &format!("BREAKING POINT: {}", search.ended),
    );
    if let Some(first) = first_bad(search) {
        page.remark(&format!("where {}", first.says));
    }
    if let Some(text) = sustainable(search) {
        page.paragraph(Paint::Nothing, &format!("SUSTAINABLE: {text}"));
    }
}

/// A row for each measurement of a level, lowest level first.
pub(super) fn table(page: &mut Page, record: &Record) {
    let Some(search) = &record.search else {
        return;
    };
    let mut levels: Vec<&LevelRecord> = search.levels.iter().collect();
    levels.sort_by(|a, b| a.level.total_cmp(&b.level));
    let highest = levels.iter().map(|level| level.good_rps);
    let highest = highest.fold(f64::MIN_POSITIVE, f64::max);
    let times = levels.iter().flat_map(|level| [level.p50_us, level.p99_us]);
    let unit = Unit::of(times.flatten());
    let column = |rank, align, head: &str, cell: &dyn Fn(&LevelRecord) -> String| {
        Column::new(rank, align, head, levels.iter().map(|level| cell(level)))
    };
    let head = match search.level_is.as_str() {
        "users" => "users",
        _ => "iterations/s",
    };
    let in_unit = |name: &str| format!("{name} {}", unit.name());
    Table::new(vec![
        column(0, Align::Right, head, &|level| shown_level(level.level)),
        column(5, Align::Right, "window s", &|level| {
            let to_s = level.from_s + level.window_s;
            format!("{:.0}-{to_s:.0}", level.from_s)
        }),
        column(3, Align::Right, "req/s", &|level| number_cell(level.rps)),
        column(2, Align::Right, "failed %", &|level| {
            number_cell(level.failure_ratio * 100.0)
        }),
        column(6, Align::Right, &in_unit("p50"), &|level| {
            plain_cell(level.p50_us, unit)
        }),
        column(1, Align::Right, &in_unit("p99"), &|level| {
            plain_cell(level.p99_us, unit)
        }),
        column(0, Align::Left, "verdict", &|level| {
            verdict(level).to_owned()
        }),
        column(4, Align::Right, "good req/s", &|level| {
            number_cell(level.good_rps)
        }),
        column(20, Align::Left, "", &|level| {
            let bar = (level.good_rps / highest * BAR_WIDTH).round() as usize;
            "#".repeat(bar)
        }),
    ])
    .show_what_fits(page);
}

/// The rate with its interval; a lower bound where no level broke.
fn sustainable(search: &SearchRecord) -> Option<String> {
    let rps = three_digits(search.sustainable_rps?);
    let what = "requests/s without failure";
    let (low, high) = (search.sustainable_rps_low, search.sustainable_rps_high);
    Some(match (low.map(three_digits), high.map(three_digits)) {
        (Some(low), Some(high)) => format!("{rps} {what} ({low} to {high})"),
        (None, Some(_)) => format!("{rps} {what}"),
        (Some(low), None) => format!(
            ">= {rps} {what} ({low} or more): a lower bound, for no level above the last good one was bad"
        ),
        (None, None) => format!(">= {rps} {what}"),
    })
}

fn first_bad(search: &SearchRecord) -> Option<&LevelRecord> {
    let first_bad = search.first_bad?;
    let mut levels = search.levels.iter();
    levels.find(|level| !level.good && level.level == first_bad)
}

fn verdict(level: &LevelRecord) -> &'static str {
    match (level.believable, level.good, level.noisy) {
        (false, _, _) => "generator!",
        (true, true, _) if !level.judged => "too few",
        (true, true, false) => "good",
        (true, true, true) => "good?",
        (true, false, false) => "bad",
        (true, false, true) => "bad?",
    }
}

/// A level as text: whole ones without a point.
pub fn shown_level(level: f64) -> String {
    match level.fract() == 0.0 {
        true => three_digits(level.round())
            .replace(".00", "")
            .replace(".0", ""),
        false => three_digits(level),
    }
}
