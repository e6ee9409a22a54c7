//! The level that was asked for at each moment: users of a closed load, iterations per second of an open one.

use super::units::Unit;
use crate::record::schema::{LoadInfo, OrderRecord, Record, SearchRecord};

/// A level that changes by intention.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Level {
    /// That of the level: a count of users, or iterations per second.
    pub unit: Unit,
    /// In order of time. Between two pieces, as between the windows of a search, no level is known.
    pieces: Vec<Piece>,
}

/// A straight line.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    /// In seconds since the start.
    from_s: f64,
    to_s: f64,
    /// Level at its begin and at its end.
    begin: f64,
    end: f64,
}

impl Piece {
    fn at(&self, s: f64) -> f64 {
        match self.to_s > self.from_s {
            true => {
                self.begin + (self.end - self.begin) * (s - self.from_s) / (self.to_s - self.from_s)
            }
            false => self.end,
        }
    }
}

impl Level {
    /// `None` for a load of one level, which the page has in words.
    pub fn of(record: &Record) -> Option<Self> {
        let load = &record.run.load;
        let unit = match &load.open {
            Some(_) => Unit::Rate,
            None => Unit::Count,
        };
        if let Some(search) = &record.search {
            return Some(Self::of_search(search));
        }
        let mut of_load = record.series.iter().filter(|sample| !sample.is_drain);
        let end_s = of_load.next_back()?.t_s;
        // Several runs one after the other each go through the stages from the beginning.
        if !record.runs.is_empty() {
            return None;
        }
        let mut pieces = stages(load);
        if pieces.is_empty() && load.orders.is_empty() {
            return None;
        }
        let start = load
            .open
            .as_ref()
            .map_or(record.run.users as f64, |open| open.rate);
        hold(&mut pieces, load.from_s(), end_s, start);
        for order in &load.orders {
            apply(&mut pieces, order, record.run.spawn_rate, end_s);
        }
        Some(Self { unit, pieces })
    }

    fn of_search(search: &SearchRecord) -> Self {
        let pieces = search.levels.iter().map(|level| Piece {
            from_s: level.from_s,
            to_s: level.from_s + level.window_s,
            begin: level.level,
            end: level.level,
        });
        Self {
            unit: match search.level_is.as_str() {
                "users" => Unit::Count,
                _ => Unit::Rate,
            },
            pieces: pieces.collect(),
        }
    }

    /// The level at a moment, in seconds since the start.
    pub fn at(&self, s: f64) -> Option<f64> {
        let mut pieces = self.pieces.iter();
        let piece = pieces.rfind(|piece| (piece.from_s..=piece.to_s).contains(&s))?;
        Some(piece.at(s))
    }
}

/// The stages: a closed load begins without users, an open one at its rate.
fn stages(load: &LoadInfo) -> Vec<Piece> {
    let (mut level, points): (f64, Vec<(f64, f64)>) = match &load.open {
        None => {
            let stages = load.stages.iter();
            (
                0.0,
                stages
                    .map(|stage| (stage.after_s, stage.users as f64))
                    .collect(),
            )
        }
        Some(open) => {
            let stages = open.stages.iter();
            (
                open.rate,
                stages.map(|stage| (stage.after_s, stage.rate)).collect(),
            )
        }
    };
    let mut from_s = load.from_s();
    let piece = |(after_s, reached): (f64, f64)| {
        let piece = Piece {
            from_s,
            to_s: from_s + after_s,
            begin: level,
            end: reached,
        };
        (from_s, level) = (piece.to_s, reached);
        piece
    };
    points.into_iter().map(piece).collect()
}

/// The last level holds until the end of the load.
fn hold(pieces: &mut Vec<Piece>, begin_s: f64, end_s: f64, start: f64) {
    let (from_s, level) = pieces
        .last()
        .map_or((begin_s, start), |last| (last.to_s, last.end));
    pieces.push(Piece {
        from_s,
        to_s: end_s.max(from_s),
        begin: level,
        end: level,
    });
}

/// An order replaces the rest of the line: users are reached at the spawn rate, a rate at once.
fn apply(pieces: &mut Vec<Piece>, order: &OrderRecord, spawn_rate: Option<f64>, end_s: f64) {
    let at_s = order.at_s;
    let before = pieces.iter().rfind(|piece| piece.from_s <= at_s);
    let before = before.map_or(0.0, |piece| piece.at(at_s.min(piece.to_s)));
    pieces.retain(|piece| piece.from_s < at_s);
    if let Some(last) = pieces.last_mut() {
        last.end = last.at(at_s.min(last.to_s));
        last.to_s = last.to_s.min(at_s);
    }
    let asked = order
        .users
        .map(|users| users as f64)
        .or(order.rate)
        .unwrap_or(before);
    let ramp_s = match (order.users, spawn_rate) {
        (Some(_), Some(rate)) if rate > 0.0 => (asked - before).abs() / rate,
        _ => 0.0,
    };
    pieces.push(Piece {
        from_s: at_s,
        to_s: at_s + ramp_s,
        begin: before,
        end: asked,
    });
    hold(pieces, at_s, end_s, asked);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_cuts_the_line_and_holds_to_the_end() {
        let mut pieces = Vec::new();
        hold(&mut pieces, 0.0, 100.0, 10.0);
        let order = OrderRecord {
            at_s: 40.0,
            users: Some(30),
            rate: None,
            by: "screen".into(),
        };
        apply(&mut pieces, &order, Some(2.0), 100.0);
        let level = Level {
            unit: Unit::Count,
            pieces,
        };
        let at = [39.0, 45.0, 50.0, 99.0].map(|s| level.at(s));
        assert_eq!(at, [Some(10.0), Some(20.0), Some(30.0), Some(30.0)]);
        assert_eq!(level.at(101.0), None);
    }
}
