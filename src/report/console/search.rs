//! The breaking point: what held, what did not, what rate is sustained, and the curve in between.

use super::page::{Colour, Page};
use crate::record::schema::{LevelRecord, SearchRecord};
use crate::text::units::level as level_shown;
use crate::text::units::{three_digits, time};

/// Width of the bars that show the rate of each level.
const BAR_WIDTH: f64 = 20.0;

impl Page {
    pub(super) fn search(&mut self, search: &SearchRecord) {
        let what = match search.level_is.as_str() {
            "users" => "users",
            _ => "iterations/s",
        };
        self.line("");
        let colour = match (search.last_good, search.first_bad) {
            (Some(_), Some(_)) => Colour::Green,
            _ => Colour::Yellow,
        };
        let lead = self.paint(colour, "BREAKING POINT:");
        self.wrapped(&format!("{lead} "), &search.ended);
        if let Some(first) = first_bad(search) {
            self.wrapped("         ", &format!("where {}", first.says));
        }
        if let Some(text) = sustainable(search) {
            self.wrapped("SUSTAINABLE: ", &text);
        }
        self.line("");
        self.line(format!(
            "{what:>12} {:>15} {:>9} {:>8} {:>9} {:>9}  {:<10} good req/s",
            "window", "req/s", "failed", "p50", "p99", "verdict"
        ));
        let mut levels: Vec<&LevelRecord> = search.levels.iter().collect();
        levels.sort_by(|a, b| a.level.total_cmp(&b.level));
        let highest = levels.iter().map(|level| level.good_rps);
        let highest = highest.fold(f64::MIN_POSITIVE, f64::max);
        for level in levels {
            let window = format!(
                "{:.0} - {:.0} s",
                level.from_s,
                level.from_s + level.window_s
            );
            let shown = |us: Option<f64>| us.map_or("-".to_owned(), time);
            let bar = (level.good_rps / highest * BAR_WIDTH).round() as usize;
            self.line(format!(
                "{:>12} {window:>15} {:>9} {:>8} {:>9} {:>9}  {:<10} {}",
                level_shown(level.level),
                three_digits(level.rps),
                format!("{} %", three_digits(level.failure_ratio * 100.0)),
                shown(level.p50_us),
                shown(level.p99_us),
                verdict(level),
                "#".repeat(bar)
            ));
        }
    }
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
