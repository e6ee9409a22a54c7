//! Stretches of the run that charts over time mark: stages, levels of a search, the settling time, the drain, broken rules,
//! orders, and the seconds that the verdict doubts.

use super::chart::Band;
use super::columns::Column;
use super::shell::safe;
use crate::metrics::seconds::Status;
use crate::record::schema::Record;
use crate::report::console::generator::{self, Stretch};
use crate::text::units::{counted, level, moment, rate};

/// Stretches of doubted seconds that are marked, at most: each is an element of the page.
const DOUBTS_MAX: usize = 60;

const SETTLING: &str = "settling time: these requests are in no figure of the run";
const DRAIN: &str = "drain: the load has ended, open requests are waited for";

/// All stretches, those that matter last: they lie above the others.
pub(super) fn of(record: &Record, columns: &[Column]) -> Vec<Band> {
    let mut bands = stages(record);
    bands.extend(levels(record));
    bands.extend(stretches(columns, "settle", SETTLING, |column| {
        column.is_settling
    }));
    bands.extend(stretches(columns, "drain", DRAIN, |column| column.is_drain));
    bands.extend(broken_rules(record));
    bands.extend(orders(record));
    bands.extend(doubts(record, columns));
    bands
}

/// Every second stage is shaded.
fn stages(record: &Record) -> Vec<Band> {
    let load = &record.run.load;
    let stages: Vec<(f64, String)> = match &load.open {
        Some(open) => {
            let stages = open.stages.iter();
            stages
                .map(|stage| (stage.after_s, rate(stage.rate)))
                .collect()
        }
        None => {
            let stages = load.stages.iter();
            stages
                .map(|stage| (stage.after_s, counted(stage.users, "user")))
                .collect()
        }
    };
    let mut from = load.from_s();
    let mut bands = Vec::new();
    for (nth, (after_s, reached)) in stages.into_iter().enumerate() {
        let to = from + after_s;
        if nth % 2 == 1 {
            bands.push(Band {
                from,
                to,
                class: "stage",
                says: format!("stage {}: {reached} at {}", nth + 1, moment(to)),
            });
        }
        from = to;
    }
    bands
}

fn levels(record: &Record) -> Vec<Band> {
    let Some(search) = &record.search else {
        return Vec::new();
    };
    let levels = search.levels.iter();
    levels
        .map(|found| Band {
            from: found.from_s,
            to: found.from_s + found.window_s,
            class: match found.good {
                true => "held",
                false => "broke",
            },
            says: format!(
                "level {} {}: {}",
                level(found.level),
                search.level_is,
                found.says
            ),
        })
        .collect()
}

/// Consecutive columns of one kind, each stretch of them marked.
fn stretches(
    columns: &[Column],
    class: &'static str,
    says: &str,
    is_marked: impl Fn(&Column) -> bool,
) -> Vec<Band> {
    let pieces = columns.chunk_by(|one, next| is_marked(one) == is_marked(next));
    let band = |piece: &[Column]| {
        let (first, last) = (piece.first()?, piece.last()?);
        is_marked(first).then(|| Band {
            from: first.from_s,
            to: last.to_s,
            class,
            says: says.to_owned(),
        })
    };
    pieces.filter_map(band).collect()
}

/// A line at each change of the load that a person ordered.
fn orders(record: &Record) -> Vec<Band> {
    let orders = record.run.load.orders.iter();
    orders
        .map(|order| {
            let asked = match (order.users, order.rate) {
                (Some(users), _) => counted(users, "user"),
                (None, iterations) => rate(iterations.unwrap_or(0.0)),
            };
            Band {
                from: order.at_s,
                to: order.at_s,
                class: "order",
                says: format!(
                    "{asked} from {}, by the {}",
                    moment(order.at_s),
                    safe(&order.by)
                ),
            }
        })
        .collect()
}

fn broken_rules(record: &Record) -> Vec<Band> {
    let rules = record.rules.iter().filter(|rule| rule.broken);
    rules
        .filter_map(|rule| {
            Some(Band {
                from: rule.from_s?,
                to: rule.to_s?,
                class: "broke",
                says: format!("--{} '{}': {}", rule.kind, rule.rule, rule.says),
            })
        })
        .collect()
}

/// A stretch with doubted seconds.
struct Doubt {
    from: f64,
    to: f64,
    /// How much of it is doubted.
    length_s: f64,
    status: Status,
}

/// Stretches of doubted columns. Where there are very many, those nearest to each other are marked as one, which says how
/// much of it is doubted.
fn doubts(record: &Record, columns: &[Column]) -> Vec<Band> {
    let doubted = columns
        .iter()
        .filter(|column| column.verdict != Status::Valid);
    let doubted: Vec<&Column> = doubted.collect();
    let end_s = columns.last().map_or(0.0, |last| last.to_s);
    let mut gap_s = 1e-6;
    let mut doubts = joined(&doubted, gap_s);
    while doubts.len() > DOUBTS_MAX {
        gap_s = (gap_s * 2.0).max(end_s / 500.0);
        doubts = joined(&doubted, gap_s);
    }
    let found = generator::stretches(&record.series);
    let causes = |doubt: &Doubt| {
        let inside = found
            .iter()
            .find(|stretch| stretch.to_s > doubt.from && stretch.from_s < doubt.to);
        let causes = inside.map(Stretch::causes).unwrap_or_default();
        match causes.is_empty() {
            true => String::new(),
            false => format!(": {causes}"),
        }
    };
    let says = |doubt: &Doubt| match doubt.to - doubt.from > doubt.length_s + 1e-6 {
        true => format!(
            "{}: {} of {}",
            doubt.status.name(),
            moment(doubt.length_s),
            moment(doubt.to - doubt.from)
        ),
        false => doubt.status.name().to_owned(),
    };
    doubts
        .iter()
        .map(|doubt| Band {
            from: doubt.from,
            to: doubt.to,
            class: "doubt",
            says: says(doubt) + &causes(doubt),
        })
        .collect()
}

fn joined(doubted: &[&Column], gap_s: f64) -> Vec<Doubt> {
    let mut doubts: Vec<Doubt> = Vec::new();
    for column in doubted {
        match doubts.last_mut() {
            Some(last) if column.from_s - last.to <= gap_s => {
                last.to = column.to_s;
                last.length_s += column.length_s();
                last.status = last.status.min(column.verdict);
            }
            _ => doubts.push(Doubt {
                from: column.from_s,
                to: column.to_s,
                length_s: column.length_s(),
                status: column.verdict,
            }),
        }
    }
    doubts
}
