//! Two records on one page: their figures beside each other, their charts over each other.

use anyhow::Result;
use maud::{Markup, html};

use super::axis::Axis;
use super::chart::{Abscissae, Line, Picture, Table, key};
use super::charts::Charts;
use super::columns::Column;
use super::conditions;
use super::curve::{self, Distribution};
use super::download;
use super::drawing::Style;
use super::over_time::values;
use super::page as single;
use super::run::Run;
use super::shell;
use super::shell::{cell, heads, safe, section as framed, table};
use super::units::Unit;
use super::verdict;
use crate::record::comparison::{Comparison, is_comparable};
use crate::record::schema::Record;
use crate::report::console::compare::{name, rows};
use crate::text::units::percent;

/// A difference below this share is none.
const TOLERANCE: f64 = 0.05;
/// Room for each of the records in the page.
const RECORD_BYTES_MAX: usize = 160_000;
/// Colours of the base and of new.
const COLOURS: [usize; 2] = [0, 1];

/// A record with the name that tells it from the other.
#[derive(Clone, Copy, Debug)]
pub struct Named<'r> {
    /// As a rule the name of its file.
    pub name: &'r str,
    /// The run.
    pub record: &'r Record,
}

/// The page of a base and of the run that is compared with it.
///
/// # Errors
/// When a record was changed by hand and holds a histogram that cannot be read.
pub fn page(base: Named<'_>, new: Named<'_>) -> Result<String> {
    let sides = [base, new];
    let title = format!("{} and {}", safe(base.name), safe(new.name));
    let charts = charts(&sides)?;
    let copies = [
        download::section("base-", base.record, RECORD_BYTES_MAX)?,
        download::section("new-", new.record, RECORD_BYTES_MAX)?,
    ];
    let body = html! {
        main {
            header {
                h1 { (title) }
                ul.sides {
                    @for (side, colour) in sides.iter().zip(COLOURS) {
                        li {
                            (key(Style::Solid, colour)) strong { (safe(side.name)) } " "
                            (safe(&side.record.run.scenario)) " on " (safe(&side.record.run.host)) ", "
                            (safe(&side.record.run.started_at))
                        }
                    }
                }
            }
            @for side in &sides {
                div.side { h2.name { (safe(side.name)) } (verdict::section(side.record)) }
            }
            (differences(base, new))
            (single::section(&charts, &html! {}))
            @for (side, copy) in sides.iter().zip(&copies) {
                div.side { h2.name { (safe(side.name)) } (conditions::section(side.record)) (copy) }
            }
        }
    };
    Ok(shell::page(&format!("{title} – opsurge"), &body).into_string())
}

fn differences(base: Named<'_>, new: Named<'_>) -> Markup {
    // Of repeated runs each counts as one, where both sides have enough of them.
    let inside = [base, new].map(|side| side.record.single_runs());
    let [of_base, of_new] = match is_comparable(inside[0].len(), inside[1].len()) {
        true => inside,
        false => [base, new].map(|side| std::slice::from_ref(side.record)),
    };
    let comparison = Comparison::new(of_base, of_new);
    let heads = heads(["", "Base", "New", "Change", "95 % interval", "Difference"]);
    let content = html! {
        @for differing in &comparison.differing { p.note { "Not the same conditions: " (safe(differing)) "." } }
        div.groups {
            @for group in &comparison.groups {
                div {
                    h3 { (safe(&name(group))) }
                    @let cells: Vec<Vec<Markup>> = rows(group, TOLERANCE)
                        .into_iter()
                        .map(|row| row.iter().map(|text| cell(text.trim())).collect())
                        .collect();
                    (table(&safe(&name(group)), &heads, &cells))
                }
            }
        }
        @for (which, only) in [("base", &comparison.only_base), ("new", &comparison.only_new)] {
            @for (method, name) in only { p.note { "Only in " (which) ": " (safe(method)) " " (safe(name)) } }
        }
        p.note {
            "A figure is different when its interval leaves out zero, and worse when it is so by more than "
            (percent(TOLERANCE)) ". "
            @if of_base.len() == 1 { "One run each: the run-to-run spread is not known." }
            @else { "The intervals contain the spread from run to run." }
        }
    };
    framed("differences", "Differences", &content)
}

fn charts(sides: &[Named<'_>; 2]) -> Result<Charts> {
    let runs = [
        Run::new(sides[0].record, "time")?,
        Run::new(sides[1].record, "time-new")?,
    ];
    let mut abscissae = Abscissae::default();
    runs.iter()
        .for_each(|run| run.push_abscissae(&mut abscissae));
    let over = |measures: &[Measure]| over(sides, &runs, measures);
    let per_second = |of: fn(&Column) -> u64| {
        move |column: &Column| column.has_rate().then(|| column.per_second(of(column)))
    };
    let requests = per_second(|column| column.requests);
    let failures = per_second(|column| column.failures);
    let curves = [
        Distribution::of_all(sides[0].record, &safe(sides[0].name))?,
        Distribution::of_all(sides[1].record, &safe(sides[1].name))?,
    ];
    let pictures = [
        Picture {
            id: "rates",
            title: "Requests and failures per second",
            note: "Failures are dashed.".into(),
            unit: Unit::Rate,
            ..over(&[
                ("requests", Style::Solid, &requests),
                ("failures", Style::Dashed, &failures),
            ])
        },
        in_log(Picture {
            id: "p99",
            title: "Response time, p99",
            note: "From when a request was due, failures included; logarithmic.".into(),
            unit: Unit::Time,
            ..over(&[("p99", Style::Solid, &|column| column.percentile_us(99.0))])
        }),
        in_log(Picture {
            id: "p50",
            title: "Response time, p50",
            note: "From when a request was due, failures included; logarithmic.".into(),
            unit: Unit::Time,
            ..over(&[("p50", Style::Solid, &|column| column.percentile_us(50.0))])
        }),
        curve::of(&curves, &mut abscissae),
        Picture {
            id: "users",
            title: "Users",
            note: "At the end of each second.".into(),
            ..over(&[("users", Style::Solid, &|column| Some(column.users as f64))])
        },
    ];
    Ok(Charts {
        abscissae: abscissae.json(),
        charts: pictures
            .iter()
            .map(|picture| tabled(picture).chart())
            .collect(),
    })
}

/// A figure of a column, with its name and style.
type Measure<'m> = (&'m str, Style, &'m dyn Fn(&Column) -> Option<f64>);

/// Lines of both runs over time, from each run's own start.
fn over(sides: &[Named<'_>; 2], runs: &[Run<'_>; 2], measures: &[Measure<'_>]) -> Picture {
    let mut lines = Vec::new();
    for ((run, side), colour) in runs.iter().zip(sides).zip(COLOURS) {
        for (what, style, value) in measures {
            let name = format!("{}, {what}", safe(side.name));
            lines.push(run.line(name, (*style, colour), value));
        }
    }
    Picture {
        id: "",
        title: "",
        note: String::new(),
        axis: "time",
        x: Axis::moments(
            runs[0].begin_s().min(runs[1].begin_s()),
            runs[0].end_s().max(runs[1].end_s()),
        ),
        y: Axis::from_zero(values(&lines), Unit::Count),
        is_log: false,
        unit: Unit::Count,
        lines,
        ribbons: Vec::new(),
        bands: Vec::new(),
        image: None,
        table: Table::default(),
    }
}

/// The chart with a logarithmic axis of times.
fn in_log(picture: Picture) -> Picture {
    Picture {
        y: Axis::log_times(values(&picture.lines)),
        is_log: true,
        ..picture
    }
}

/// The chart with a table behind it, unless it has one: least, mean and greatest value of each line would average
/// percentiles, so the rows are single points, evenly spread.
fn tabled(picture: &Picture) -> Picture {
    if !picture.table.rows.is_empty() {
        return picture.clone();
    }
    let y = match (picture.is_log, picture.unit) {
        (true, _) => picture.y.clone(),
        (false, unit) => Axis::from_zero(values(&picture.lines), unit),
    };
    let longest = picture.lines.iter().map(|line| line.points.len()).max();
    let step = longest
        .unwrap_or(0)
        .div_ceil(super::columns::ROWS_MAX)
        .max(1);
    let places = (0..longest.unwrap_or(0)).step_by(step);
    let value = |line: &Line, at: usize| {
        let value = line.points.get(at).and_then(|(_, value)| *value);
        picture.unit.show_or_dash(value)
    };
    let row = |at: usize| {
        let moment = picture
            .lines
            .iter()
            .find_map(|line| Some(line.points.get(at)?.0));
        let moment = crate::text::units::moment(moment.unwrap_or(0.0));
        let cells = picture.lines.iter().map(|line| value(line, at));
        [moment].into_iter().chain(cells).collect()
    };
    let names = picture.lines.iter().map(|line| line.name.clone());
    Picture {
        y,
        table: Table {
            heads: ["at".to_owned()].into_iter().chain(names).collect(),
            rows: places.map(row).collect(),
            note: match step {
                1 => String::new(),
                _ => format!("Every {step}th point."),
            },
        },
        ..picture.clone()
    }
}
