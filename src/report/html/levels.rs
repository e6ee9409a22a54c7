//! The curve of a search: what each level gave.

use super::axis::Axis;
use super::chart::{Abscissae, Line, Picture, Table};
use super::drawing::Style;
use super::over_time::values;
use super::units::Unit;
use crate::record::schema::{LevelRecord, SearchRecord};
use crate::text::units::{level, percent};

/// Name of the levels' abscissae.
const ABSCISSAE: &str = "level";

/// Requests per second without failure, and response times, by level.
pub(super) fn pictures(search: &SearchRecord, abscissae: &mut Abscissae) -> [Picture; 2] {
    let mut levels: Vec<&LevelRecord> = search.levels.iter().collect();
    levels.sort_by(|one, other| one.level.total_cmp(&other.level));
    abscissae.push_points(ABSCISSAE, levels.iter().map(|found| found.level));
    let line = |name: &str, style, colour, value: &dyn Fn(&LevelRecord) -> Option<f64>| Line {
        name: name.into(),
        hidden: None,
        style,
        colour,
        abscissae: ABSCISSAE,
        points: levels
            .iter()
            .map(|found| (found.level, value(found)))
            .collect(),
    };
    let rates = vec![
        line("held", Style::Dots, 2, &|found| {
            found.good.then_some(found.good_rps)
        }),
        line("did not hold", Style::Dots, 1, &|found| {
            (!found.good).then_some(found.good_rps)
        }),
        line("requests without failure", Style::Solid, 0, &|found| {
            Some(found.good_rps)
        }),
    ];
    let times = vec![
        line("p99", Style::Dots, 1, &|found| found.p99_us),
        line("p50", Style::Dots, 0, &|found| found.p50_us),
    ];
    let x = Axis::levels(levels.iter().map(|found| found.level));
    let picture = |id, title, unit, y, lines| Picture {
        id,
        title,
        note: format!("By level, in {}.", what(search)),
        axis: "level",
        x: x.clone(),
        y,
        is_log: unit == Unit::Time,
        unit,
        lines,
        ribbons: Vec::new(),
        bands: Vec::new(),
        image: None,
        table: table(search),
    };
    let rate_axis = Axis::from_zero(values(&rates), Unit::Rate);
    let time_axis = Axis::log_times(values(&times));
    [
        picture(
            "level-rates",
            "Requests per second by level",
            Unit::Rate,
            rate_axis,
            rates,
        ),
        picture(
            "level-times",
            "Response time by level",
            Unit::Time,
            time_axis,
            times,
        ),
    ]
}

/// What a level counts.
pub(super) fn what(search: &SearchRecord) -> &'static str {
    match &search.level_is[..] {
        "rate" => "iterations per second",
        _ => "users",
    }
}

/// The levels in the order in which they were measured.
fn table(search: &SearchRecord) -> Table {
    let heads = [
        "level",
        "from",
        "requests/s",
        "without failure/s",
        "failed",
        "p50",
        "p99",
        "verdict",
    ];
    let row = |found: &LevelRecord| {
        vec![
            level(found.level),
            crate::text::units::moment(found.from_s),
            Unit::Rate.show(found.rps),
            Unit::Rate.show(found.good_rps),
            percent(found.failure_ratio),
            Unit::Time.show_or_dash(found.p50_us),
            Unit::Time.show_or_dash(found.p99_us),
            verdict(found),
        ]
    };
    Table {
        heads: heads.map(str::to_owned).into(),
        rows: search.levels.iter().map(row).collect(),
        note: "In the order in which they were measured.".into(),
    }
}

fn verdict(found: &LevelRecord) -> String {
    let held = match (found.believable, found.judged, found.good) {
        (false, ..) => "the generator was the limit",
        (_, false, _) => "too few requests",
        (_, _, true) => "held",
        (_, _, false) => "did not hold",
    };
    match found.noisy {
        true => format!("{held}, near the limit"),
        false => held.to_owned(),
    }
}
