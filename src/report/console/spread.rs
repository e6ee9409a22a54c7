//! Several runs of one job: a line as each ends, and at the end how much they differ.

use super::figures::{Figures, Unit, Which, number_cell, plain_cell};
use super::page::{NO_BREAK, Page, Paint};
use super::table::{Align, Column, Table};
use super::verdict::is_valid;
use crate::record::schema::{Record, SpreadFigure, SpreadRecord};
use crate::text::units::{counted, grouped, percent, three_digits};

/// Rows below those of the runs.
const SUMMARY: [&str; 4] = ["mean", "std dev", "min", "max"];

/// Lines of the section beyond those of a single run's report.
pub(super) fn lines(record: &Record) -> usize {
    match record.runs.len() {
        0 => 0,
        runs => runs + SUMMARY.len() + 4,
    }
}

/// `run 2 of 5: 12,345 requests, 1,234/s, 0 failed, p50 1.20 ms, p99 3.40 ms (3.21 to 3.62)`, with what makes it doubtful
/// behind it; ends with a newline. No line is wider than `width` columns.
pub fn run_line(label: &str, record: &Record, width: usize) -> String {
    let totals = &record.totals;
    let figures = Figures::total(totals);
    let times = [
        ("p50", figures.show(Which::Percentile(50.0))),
        ("p99", figures.show_with_interval(99.0)),
    ];
    let times = times
        .into_iter()
        .filter_map(|(name, time)| Some(format!("{name}{NO_BREAK}{}", time?)));
    let doubt = (!is_valid(record)).then(|| record.generator.verdict.status.clone());
    let ended = (record.run.ended_by == "signal").then(|| "cut short by a signal".to_owned());
    let parts = [
        counted(totals.requests, "request"),
        format!("{}/s", three_digits(totals.rps)),
        format!("{} failed", grouped(totals.failures)),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .chain(times)
        .chain(doubt)
        .chain(ended)
        .collect();
    let mut page = Page::new(width, false);
    page.paragraph(Paint::Nothing, &format!("{label}: {}", parts.join(", ")));
    page.finish()
}

/// The runs, a row for each, and their spread. Nothing for a single run.
pub(super) fn section(page: &mut Page, record: &Record) {
    let Some(spread) = &record.spread else {
        return;
    };
    page.plain(Paint::Nothing, &sentence(record, spread));
    table(&record.runs, spread).show_what_fits(page);
}

/// `5 runs, pooled above; 95 % intervals between runs: ...`.
pub(in crate::report) fn sentence(record: &Record, spread: &SpreadRecord) -> String {
    let runs = counted(record.runs.len() as u64, "run");
    let [p50, p99] =
        [spread.p50_us, spread.p99_us].map(|figure| interval(figure, Unit::of(ends(figure))));
    let rate = spread.rps.low.zip(spread.rps.high).map(|(low, high)| {
        format!(
            "{} to {}{NO_BREAK}req/s",
            three_digits(low),
            three_digits(high)
        )
    });
    let parts = [
        rate,
        p50.map(|text| format!("p50 {text}")),
        p99.map(|text| format!("p99 {text}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        true => {
            format!("{runs}, pooled above: three or more would bound what differs between runs.")
        }
        false => format!(
            "{runs}, pooled above; 95 % intervals between runs: {}.",
            parts.join(", ")
        ),
    }
}

fn ends(figure: SpreadFigure) -> impl Iterator<Item = f64> {
    [figure.low, figure.high].into_iter().flatten()
}

fn interval(figure: SpreadFigure, unit: Unit) -> Option<String> {
    let (low, high) = figure.low.zip(figure.high)?;
    Some(format!(
        "{} to {}{NO_BREAK}{}",
        unit.show(low),
        unit.show(high),
        unit.name()
    ))
}

fn table(runs: &[Record], spread: &SpreadRecord) -> Table {
    let numbers = (1..=runs.len()).map(|number| format!("run {number}"));
    let names = numbers.chain(SUMMARY.map(str::to_owned));
    let of_runs = |cell: &dyn Fn(&Record) -> String| -> Vec<String> {
        let cells = runs.iter().map(cell);
        cells.chain(SUMMARY.map(|_| String::new())).collect()
    };
    let figures = |rank,
                   head: String,
                   of: &dyn Fn(&Record) -> Option<f64>,
                   all: SpreadFigure,
                   show: &dyn Fn(Option<f64>) -> String| {
        let cells = runs.iter().map(|run| show(of(run)));
        let deviation = all.deviation.map_or("-".to_owned(), percent);
        let summary = [show(all.mean), deviation, show(all.min), show(all.max)];
        Column::new(rank, Align::Right, head, cells.chain(summary))
    };
    let times = |rank, name: &str, of: &dyn Fn(&Record) -> Option<f64>, all: SpreadFigure| {
        let unit = Unit::of(runs.iter().filter_map(of));
        figures(rank, format!("{name} {}", unit.name()), of, all, &|us| {
            plain_cell(us, unit)
        })
    };
    let rate = |rate: Option<f64>| rate.map_or("-".to_owned(), number_cell);
    Table::new(vec![
        Column::new(0, Align::Left, "", names),
        Column::new(
            6,
            Align::Right,
            "requests",
            of_runs(&|run| grouped(run.totals.requests)),
        ),
        Column::new(
            4,
            Align::Right,
            "failed",
            of_runs(&|run| grouped(run.totals.failures)),
        ),
        figures(
            0,
            "req/s".to_owned(),
            &|run| Some(run.totals.rps),
            spread.rps,
            &rate,
        ),
        times(10, "mean", &|run| run.totals.all_us.mean, spread.mean_us),
        times(1, "p50", &|run| run.totals.all_us.p50, spread.p50_us),
        times(8, "p95", &|run| run.totals.all_us.p95, spread.p95_us),
        times(2, "p99", &|run| run.totals.all_us.p99, spread.p99_us),
        Column::new(5, Align::Left, "verdict", of_runs(&shown_verdict)),
    ])
}

/// The verdict of a run, and that it did not run to its end.
pub(in crate::report) fn shown_verdict(run: &Record) -> String {
    let status = &run.generator.verdict.status;
    match run.run.ended_by.as_str() {
        "signal" => format!("{status}, cut short"),
        "error" => format!("{status}, error"),
        _ => status.clone(),
    }
}
