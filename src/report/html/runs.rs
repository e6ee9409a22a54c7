//! The runs of `--repeat`: a row for each, and how much their figures differ.

use maud::{Markup, html};

use super::shell::{cell, heads, safe, section as framed, table};
use crate::record::schema::{Record, SpreadFigure};
use crate::report::console::spread::{sentence, shown_verdict};
use crate::text::units::{grouped, percent, three_digits, time};

/// A figure of a spread.
type Summary = fn(&SpreadFigure) -> Option<f64>;
/// The figures of a run that have a spread, in the order of the columns.
type Figures = [Option<f64>; 5];

/// The section; nothing for a single run.
pub(super) fn section(record: &Record) -> Markup {
    let Some(spread) = &record.spread else {
        return html! {};
    };
    let heads = heads([
        "Run", "Requests", "Failed", "Rate/s", "Mean", "p50", "p95", "p99", "Verdict",
    ]);
    let runs = record.runs.iter().enumerate();
    let mut rows: Vec<Vec<Markup>> = runs.map(|(at, run)| row(at + 1, run)).collect();
    let of = [
        spread.rps,
        spread.mean_us,
        spread.p50_us,
        spread.p95_us,
        spread.p99_us,
    ];
    for (name, figure) in SUMMARY {
        let figures = of.map(|of| figure(&of));
        let cells = match name {
            "Deviation" => figures.map(share),
            _ => cells(figures),
        };
        rows.push(framed_row(name, ["", ""], cells, ""));
    }
    let content = html! {
        p { (safe(&sentence(record, spread).replace("pooled above", "pooled on this page"))) }
        (table("The runs", &heads, &rows))
        p.note {
            "Times are response times from due to answered, failures included. Deviation: sample standard deviation as a \
             share of the mean. Each run is whole in the record."
        }
    };
    framed("runs", "The runs", &content)
}

/// Rows below those of the runs, with the figure of each spread.
const SUMMARY: [(&str, Summary); 6] = [
    ("Mean", |figure| figure.mean),
    ("Deviation", |figure| figure.deviation),
    ("Least", |figure| figure.min),
    ("Greatest", |figure| figure.max),
    ("95 % from", |figure| figure.low),
    ("95 % to", |figure| figure.high),
];

fn row(number: usize, run: &Record) -> Vec<Markup> {
    let (totals, times) = (&run.totals, &run.totals.all_us);
    let counts = [grouped(totals.requests), grouped(totals.failures)];
    framed_row(
        &number.to_string(),
        [&counts[0], &counts[1]],
        cells([
            Some(totals.rps),
            times.mean,
            times.p50,
            times.p95,
            times.p99,
        ]),
        &shown_verdict(run),
    )
}

fn framed_row(name: &str, counts: [&str; 2], figures: [String; 5], verdict: &str) -> Vec<Markup> {
    let texts = [name].into_iter().chain(counts).map(str::to_owned);
    let texts = texts.chain(figures).chain([safe(verdict)]);
    texts.map(cell).collect()
}

fn cells([rate, times @ ..]: Figures) -> [String; 5] {
    let [mean, p50, p95, p99] = times.map(|us| us.map_or_else(dash, time));
    [rate.map_or_else(dash, three_digits), mean, p50, p95, p99]
}

fn share(share: Option<f64>) -> String {
    share.map_or_else(dash, percent)
}

fn dash() -> String {
    "–".to_owned()
}
