//! Two runs, or two sets of runs, beside each other: base, new, the difference with its interval, and a plain word.

use super::figures::{Unit, number_cell};
use super::page::{Colour, Page, Paint};
use crate::record::comparison::{Comparison, Group, Measure};
use crate::record::schema::Record;
use crate::text::columns::columns;
use crate::text::units::{counted, grouped, percent, three_digits, time};

/// Blanks between columns, where there is room; else one.
const GAP: usize = 2;
/// Columns of the table, in the order in which a narrow page leaves them out: interval, base, new.
const LEFT_OUT: [usize; 3] = [4, 1, 2];
/// Regressions that are listed; the rest is counted.
const LISTED_MAX: usize = 10;

/// What is known of a comparison besides its figures.
#[derive(Clone, Debug)]
pub struct Compared<'r> {
    /// The base's records, each with its name; an empty one for runs that have no file.
    pub base: Vec<(String, &'r Record)>,
    /// The records of new.
    pub new: Vec<(String, &'r Record)>,
    /// How much worse a figure may become, as a share of the base's: 0.05 is 5 %.
    pub tolerance: f64,
    /// What else is to be known of the runs, a paragraph each: failures, broken rules.
    pub remarks: Vec<String>,
}

/// The text, with a newline at its end. No line is wider than `width` columns.
pub fn text(comparison: &Comparison, of: &Compared<'_>, width: usize, colour: bool) -> String {
    let mut page = Page::new(width, colour);
    for (label, records) in [("BASE:", &of.base), ("NEW:", &of.new)] {
        for (name, record) in records {
            let name = match name.is_empty() {
                true => String::new(),
                false => format!("{name}: "),
            };
            page.paragraph(Paint::Nothing, &format!("{label} {name}{}", run(record)));
        }
    }
    warnings(&mut page, comparison, of);
    table(&mut page, comparison, of.tolerance);
    page.blank();
    for (label, steps) in [
        ("Only in base", &comparison.only_base),
        ("Only in new", &comparison.only_new),
    ] {
        let names = steps
            .iter()
            .map(|(method, name)| format!("{method} {name}"));
        let names: Vec<String> = names.collect();
        if !names.is_empty() {
            page.paragraph(Paint::Nothing, &format!("{label}: {}", names.join(", ")));
        }
    }
    result(&mut page, comparison, of.tolerance);
    page.finish()
}

/// `workflow on http://...: 12,345 requests in 10.0 s, begun 2026-...`; of several runs inside, their number.
fn run(record: &Record) -> String {
    let run = &record.run;
    let runs = match record.runs.len() as u64 {
        0 => String::new(),
        runs => format!("{} of ", counted(runs, "run")),
    };
    format!(
        "{runs}{} on {}, {} in {} s, begun {}",
        run.scenario,
        run.host,
        counted(record.totals.requests, "request"),
        three_digits(record.totals.load_s),
        run.started_at
    )
}

fn warnings(page: &mut Page, comparison: &Comparison, of: &Compared<'_>) {
    for remark in &of.remarks {
        page.paragraph(Paint::Whole(Colour::Red), remark);
    }
    let sides = [("base", &of.base), ("new", &of.new)];
    let all = sides.into_iter().flat_map(|(side, records)| {
        let records = records.iter();
        records.map(move |(name, record)| match name.is_empty() {
            true => (side, record),
            false => (name.as_str(), record),
        })
    });
    let doubtful = all.filter(|(_, record)| record.generator.verdict.status != "VALID");
    let mut doubtful: Vec<String> = doubtful
        .map(|(name, record)| format!("{name} is {}", record.generator.verdict.status))
        .collect();
    doubtful.dedup();
    if !doubtful.is_empty() {
        let text = format!(
            "VERDICT: {}: differences may be the generator's, not the server's",
            doubtful.join(", ")
        );
        page.paragraph(Paint::Words(Colour::Yellow, "VERDICT:"), &text);
    }
    if !comparison.differing.is_empty() {
        let text = format!(
            "NOT THE SAME CONDITIONS: {}",
            comparison.differing.join("; ")
        );
        page.paragraph(
            Paint::Words(Colour::Yellow, "NOT THE SAME CONDITIONS:"),
            &text,
        );
    }
}

/// Name, base, new, difference, interval, word.
pub(in crate::report) type Row = [String; 6];

fn table(page: &mut Page, comparison: &Comparison, tolerance: f64) {
    let heads = ["", "base", "new", "change", "95 % interval", ""].map(str::to_owned);
    let groups: Vec<(String, Vec<Row>)> = comparison
        .groups
        .iter()
        .map(|group| (name(group), rows(group, tolerance)))
        .collect();
    let all = groups.iter().flat_map(|(_, rows)| rows);
    let mut widths = heads.each_ref().map(|head| columns(head));
    for row in all {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(columns(cell));
        }
    }
    let mut shown = vec![0, 1, 2, 3, 4, 5];
    let needed = |shown: &[usize], gap: usize| {
        let widths: usize = shown.iter().map(|at| widths[*at]).sum();
        widths + gap * (shown.len() - 1)
    };
    let mut left_out = LEFT_OUT.iter();
    while needed(&shown, 1) > page.width() {
        let Some(next) = left_out.next() else {
            break;
        };
        shown.retain(|at| at != next);
    }
    let gap = match needed(&shown, GAP) <= page.width() {
        true => GAP,
        false => 1,
    };
    let line = |page: &mut Page, row: &Row| {
        let cells = shown.iter().map(|at| {
            let blanks = " ".repeat(widths[*at].saturating_sub(columns(&row[*at])));
            match at {
                0 | 5 => format!("{}{blanks}", row[*at]),
                _ => format!("{blanks}{}", row[*at]),
            }
        });
        let text = cells.collect::<Vec<_>>().join(&" ".repeat(gap));
        match needed(&shown, gap) <= page.width() {
            true => page.row(&text),
            false => page.plain(Paint::Nothing, &text),
        }
    };
    page.blank();
    line(page, &heads);
    for (at, (name, rows)) in groups.iter().enumerate() {
        if at > 0 {
            page.blank();
        }
        page.plain(Paint::Nothing, name);
        rows.iter().for_each(|row| line(page, row));
    }
}

/// `POST /path`, or what stands for all of them.
pub(in crate::report) fn name(group: &Group) -> String {
    match &group.step {
        None => "All requests".to_owned(),
        Some((method, name)) => format!("{method} {name}"),
    }
}

/// A row for each figure of a group.
pub(in crate::report) fn rows(group: &Group, tolerance: f64) -> Vec<Row> {
    let changes = group.changes.iter();
    let rows = changes.map(|(measure, change)| {
        let unit = Unit::of([change.base, change.new].into_iter().flatten());
        let is_share = *measure == Measure::Failures;
        let value = |value: Option<f64>| match (measure, value) {
            (_, None) => "-".to_owned(),
            (Measure::Rate, Some(value)) => number_cell(value),
            (Measure::Failures, Some(value)) => number_cell(value * 100.0),
            (_, Some(us)) => unit.show(us),
        };
        let interval = match (change.low, change.high) {
            (Some(low), Some(high)) => {
                format!("{} to {}", signed(low), with_unit(high, is_share))
            }
            (Some(low), None) => format!("at least {}", with_unit(low, is_share)),
            (None, Some(high)) => format!("at most {}", with_unit(high, is_share)),
            (None, None) => "-".to_owned(),
        };
        let word = match change.is_regression(tolerance) {
            true => format!("{}, > {}", change.word, percent(tolerance)),
            false => change.word.to_string(),
        };
        [
            format!("  {}", label(*measure, unit)),
            value(change.base),
            value(change.new),
            change
                .difference
                .map_or("-".to_owned(), |by| with_unit(by, is_share)),
            interval,
            word,
        ]
    });
    rows.collect()
}

fn label(measure: Measure, unit: Unit) -> String {
    let unit = unit.name();
    match measure {
        Measure::Rate => "req/s".to_owned(),
        Measure::Failures => "failed %".to_owned(),
        Measure::Mean => format!("mean {unit}"),
        Measure::P50 => format!("p50 {unit}"),
        Measure::P95 => format!("p95 {unit}"),
        Measure::P99 => format!("p99 {unit}"),
    }
}

/// A share in percent with its sign: `+4.8`, `-12`, `+1,234`; `0` for what would be shown as zero.
fn signed(share: f64) -> String {
    let in_percent = share * 100.0;
    let size = in_percent.abs();
    let digits = match size {
        _ if size < 0.005 => return "0".to_owned(),
        _ if size < 1.0 => format!("{size:.2}"),
        _ if size < 99.95 => format!("{size:.1}"),
        _ => grouped(size.round() as u64),
    };
    match in_percent < 0.0 {
        true => format!("-{digits}"),
        false => format!("+{digits}"),
    }
}

/// A share of failures changes by percentage points.
fn with_unit(share: f64, is_share: bool) -> String {
    let unit = if is_share { "pt" } else { "%" };
    format!("{} {unit}", signed(share))
}

fn result(page: &mut Page, comparison: &Comparison, tolerance: f64) {
    let regressions = comparison.regressions(tolerance);
    for (group, measure, change) in regressions.iter().take(LISTED_MAX) {
        let show = |value: Option<f64>| {
            value.map_or("-".to_owned(), |value| match measure {
                Measure::Rate => format!("{} req/s", three_digits(value)),
                Measure::Failures => percent(value),
                _ => time(value),
            })
        };
        let what = match measure {
            Measure::Rate => "rate",
            Measure::Failures => "failures",
            Measure::Mean => "mean",
            Measure::P50 => "p50",
            Measure::P95 => "p95",
            Measure::P99 => "p99",
        };
        let text = format!(
            "REGRESSION: {what} of {}: {}, then {}; the tolerance is {}",
            match &group.step {
                None => "all requests".to_owned(),
                Some(_) => name(group),
            },
            show(change.base),
            show(change.new),
            percent(tolerance)
        );
        page.paragraph(Paint::Words(Colour::Red, "REGRESSION:"), &text);
    }
    if let more @ 1.. = regressions.len().saturating_sub(LISTED_MAX) {
        page.paragraph(
            Paint::Nothing,
            &format!("and {}", counted(more as u64, "further regression")),
        );
    }
    if regressions.is_empty() {
        let text = format!(
            "No figure is certainly worse by more than {}.",
            percent(tolerance)
        );
        page.paragraph(Paint::Nothing, &text);
    }
    let changes = comparison.groups.iter().flat_map(|group| &group.changes);
    let (mut all, mut open) = (0, 0);
    for (_, change) in changes {
        all += 1;
        open += usize::from(change.low.is_none() || change.high.is_none());
    }
    if open > 0 {
        let text = format!(
            "{open} of {all} differences are not bounded on both sides: longer runs would tell."
        );
        page.paragraph(Paint::Nothing, &text);
    }
    let text = match comparison.runs {
        (1, 1) => "One run each: run-to-run spread not known; 5 runs each would tell.".to_owned(),
        (base, new) => {
            format!("{base} and {new} runs: the intervals contain the run-to-run spread.")
        }
    };
    page.paragraph(Paint::Nothing, &text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_have_a_sign_and_no_more_digits_than_they_need() {
        let shown = [0.0, 0.000_04, 0.001_2, -0.048, 0.123, -0.999_6, 12.34].map(signed);
        assert_eq!(
            shown,
            ["0", "0", "+0.12", "-4.8", "+12.3", "-100", "+1,234"]
        );
    }
}
