//! The charts over time of one run: requests and failures, response times, users.

use super::axis::Axis;
use super::chart::{Line, Picture, Table};
use super::columns::Column;
use super::drawing::Style;
use super::level::Level;
use super::run::Run;
use super::units::Unit;

/// The percentiles over time, the most important first, with their colours; `None` is the greatest time.
const PERCENTILES: [(&str, Option<f64>, usize); 4] = [
    ("p99", Some(99.0), 1),
    ("p95", Some(95.0), 3),
    ("p50", Some(50.0), 0),
    ("max", None, 4),
];

/// Percentiles of the service times over time, in the colours of those above.
const SERVICE: [(&str, f64, usize); 2] = [("service p99", 99.0, 1), ("service p50", 50.0, 0)];

/// Requests and failures per second.
pub(super) fn rates(run: &Run<'_>) -> Picture {
    let mut lines = vec![
        run.line("failures".into(), (Style::Solid, 1), |column| {
            column
                .has_rate()
                .then(|| column.per_second(column.failures))
        }),
        run.line("requests".into(), (Style::Solid, 0), |column| {
            column
                .has_rate()
                .then(|| column.per_second(column.requests))
        }),
    ];
    let level = Level::of(run.record);
    lines.extend(asked_for(run, &level, Unit::Rate, "iterations asked for"));
    let heads = [
        "requests",
        "requests/s",
        "failures",
        "failures/s",
        "verdict",
    ];
    let table = run.table(&heads, |column| {
        vec![
            Unit::Count.show(column.requests as f64),
            Unit::Rate.show(column.per_second(column.requests)),
            Unit::Count.show(column.failures as f64),
            Unit::Rate.show(column.per_second(column.failures)),
            column.verdict.name().to_owned(),
        ]
    });
    Picture {
        id: "rates",
        title: "Requests and failures per second",
        note: format!(
            "Requests with an outcome, failures included.{}",
            run.resolution()
        ),
        ..linear(run, Unit::Rate, lines, table)
    }
}

/// Percentiles of the response times.
pub(super) fn times(run: &Run<'_>) -> Picture {
    let mut lines: Vec<Line> = PERCENTILES
        .map(|(name, percent, colour)| {
            let style = match percent {
                Some(_) => Style::Solid,
                None => Style::Dotted,
            };
            run.line(name.into(), (style, colour), |column| match percent {
                Some(percent) => column.percentile_us(percent),
                None => (!column.times.is_empty()).then(|| column.times.max_us()),
            })
        })
        .into();
    let has_service = run.columns.iter().any(|column| !column.service.is_empty());
    if has_service {
        let service = SERVICE.map(|(name, percent, colour)| {
            run.line(name.into(), (Style::Dashed, colour), |column| {
                column.service_us(percent)
            })
        });
        lines.extend(service);
    }
    let heads = [
        "requests",
        "p50",
        "p95",
        "p99",
        "max",
        "service p50",
        "service p99",
    ];
    let heads = &heads[..if has_service { 7 } else { 5 }];
    let table = run.table(heads, |column| {
        let percentile = |percent| Unit::Time.show_or_dash(column.percentile_us(percent));
        let mut cells = vec![
            Unit::Count.show(column.requests as f64),
            percentile(50.0),
            percentile(95.0),
            percentile(99.0),
            percentile(100.0),
        ];
        if has_service {
            cells.extend(
                [50.0, 99.0].map(|percent| Unit::Time.show_or_dash(column.service_us(percent))),
            );
        }
        cells
    });
    let service = match has_service {
        true => " Service time (dashed): from sent to answered, without failures.",
        false => "",
    };
    Picture {
        id: "times",
        title: "Response time",
        note: format!(
            "From when a request was due to the end of its answer, failures included; logarithmic.{service}{}",
            run.resolution()
        ),
        y: Axis::log_times(values(&lines)),
        is_log: true,
        ..linear(run, Unit::Time, lines, table)
    }
}

/// Users, and requests under way, where the record has them.
pub(super) fn users(run: &Run<'_>) -> Picture {
    let mut lines = vec![run.line("users".into(), (Style::Solid, 0), |column| {
        (!column.is_pause).then_some(column.users as f64)
    })];
    if run.columns.iter().any(|column| column.in_flight.is_some()) {
        lines.push(
            run.line("requests in flight".into(), (Style::Solid, 3), |column| {
                column.in_flight.map(|count| count as f64)
            }),
        );
    }
    let level = Level::of(run.record);
    lines.extend(asked_for(run, &level, Unit::Count, "users asked for"));
    let table = run.table(&["users", "in flight"], |column| {
        vec![
            Unit::Count.show(column.users as f64),
            Unit::Count.show_or_dash(column.in_flight.map(|count| count as f64)),
        ]
    });
    Picture {
        id: "users",
        title: "Users and requests in flight",
        note: "Both at the end of each second.".into(),
        ..linear(run, Unit::Count, lines, table)
    }
}

/// The level as a line in the chart of its unit; nothing where the load has one level throughout.
fn asked_for(run: &Run<'_>, level: &Option<Level>, unit: Unit, name: &str) -> Option<Line> {
    let level = level.as_ref().filter(|level| level.unit == unit)?;
    let middle_s = |column: &Column| f64::midpoint(column.from_s, column.to_s);
    Some(run.line(name.into(), (Style::Dashed, 4), |column| {
        level.at(middle_s(column)).filter(|_| !column.is_drain)
    }))
}

/// The busiest shard of the generator.
pub(super) fn generator(run: &Run<'_>) -> Picture {
    let busy = |column: &Column| column.has_rate().then(|| column.busy_s / column.length_s());
    let lines = vec![run.line("busiest shard".into(), (Style::Solid, 2), busy)];
    let table = run.table(&["busiest shard"], |column| {
        vec![Unit::Share.show_or_dash(busy(column))]
    });
    Picture {
        id: "generator",
        title: "The generator's own work",
        note: "Share of each second in which the busiest shard worked; above 90 % it is the limit."
            .into(),
        y: Axis {
            to: 1.05,
            ..Axis::from_zero([1.0].into_iter(), Unit::Share)
        },
        ..linear(run, Unit::Share, lines, table)
    }
}

/// A chart over time from zero, without name.
pub(super) fn linear(run: &Run<'_>, unit: Unit, lines: Vec<Line>, table: Table) -> Picture {
    Picture {
        id: "",
        title: "",
        note: String::new(),
        axis: "time",
        x: run.time_axis(),
        y: Axis::from_zero(values(&lines), unit),
        is_log: false,
        unit,
        lines,
        ribbons: Vec::new(),
        bands: run.bands.clone(),
        image: None,
        table,
    }
}

/// All values of these lines.
pub(super) fn values(lines: &[Line]) -> impl Iterator<Item = f64> {
    let points = lines.iter().flat_map(|line| &line.points);
    points.filter_map(|(_, value)| *value)
}
