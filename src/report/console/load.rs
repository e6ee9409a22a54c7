//! What the load was and came to: its shape in a line, arrivals, and what the rules said.

use std::fmt::Write;

use super::page::{Colour, Page};
use crate::record::schema::{Record, RunInfo, StageRecord};
use crate::text::units::{counted, grouped, range, three_digits};

/// Points of a load that are shown.
const STAGES_SHOWN: usize = 4;

/// `50 users, 10 per second`, or `500 iterations/s (constant) by 50 to 500 users`; of a search, the highest level.
pub(super) fn shown(run: &RunInfo, is_search: bool) -> String {
    let up_to = match is_search {
        true => "levels up to ",
        false => "",
    };
    let mut text = match &run.load.open {
        None if run.users_came < run.users && !is_search => {
            let came = grouped(run.users_came);
            format!("{came} of {} came", counted(run.users, "user"))
        }
        None => up_to.to_owned() + &counted(run.users, "user"),
        Some(open) => format!(
            "{up_to}{} iterations/s ({}) by {}",
            three_digits(open.rate),
            open.arrivals,
            range(open.users_ready, run.users)
        ),
    };
    let stages: Vec<String> = match &run.load.open {
        None => run.load.stages.iter().map(stage).collect(),
        Some(open) => {
            let stages = open.stages.iter();
            stages
                .map(|stage| format!("{}:{}s", stage.rate, stage.after_s))
                .collect()
        }
    };
    if !stages.is_empty() {
        let more = match stages.len() > STAGES_SHOWN {
            true => " ...",
            false => "",
        };
        let first = &stages[..stages.len().min(STAGES_SHOWN)];
        let _ = write!(text, ", stages {}{more}", first.join(" "));
    } else if let Some(rate) = run.spawn_rate {
        let _ = write!(text, ", {} per second", three_digits(rate));
    }
    // The iterations of an open load begin at their own times, whatever the scenario's wait.
    if run.load.open.is_none() {
        let _ = write!(text, ", wait {}", run.load.wait);
    }
    text
}

fn stage(stage: &StageRecord) -> String {
    format!("{}:{}s", stage.users, stage.after_s)
}

impl Page {
    /// What became of an open load's arrivals.
    pub(super) fn arrivals(&mut self, record: &Record) {
        let Some(open) = &record.run.load.open else {
            return;
        };
        let mut text = format!(
            "ITERATIONS: {} due, {} begun ({}/s)",
            grouped(open.due),
            grouped(open.begun),
            three_digits(open.rate_begun)
        );
        for (count, what) in [
            (open.waited, "waited for a free user"),
            (open.dropped, "dropped: the line was full"),
            (open.never_begun, "still waiting at the end"),
        ] {
            if count > 0 {
                let _ = write!(text, ", {} {what}", grouped(count));
            }
        }
        let text = match open.dropped + open.never_begun {
            0 => text,
            _ => self.paint(Colour::Yellow, &text),
        };
        self.wrapped("", &text);
    }

    /// A line for each rule.
    pub(super) fn rules(&mut self, record: &Record) {
        for rule in &record.rules {
            let place = match (rule.from_s, rule.to_s, rule.users) {
                (Some(from_s), Some(to_s), Some(users)) => format!(
                    " from {from_s:.0} s to {to_s:.0} s, with {}:",
                    counted(users, "user")
                ),
                _ => String::new(),
            };
            let lead = match (rule.broken, rule.windows) {
                (true, _) => self.paint(Colour::Red, "BROKEN:"),
                (false, 0) => self.paint(Colour::Red, "NOT JUDGED:"),
                (false, _) => self.paint(Colour::Green, "KEPT:"),
            };
            let windows = match rule.windows {
                0 | 1 => String::new(),
                count if rule.broken => format!(" (window {count})"),
                count => format!(" ({} windows, the last one shown)", grouped(count)),
            };
            let text = format!(
                "--{} '{}':{place} {}{windows}",
                rule.kind, rule.rule, rule.says
            );
            self.wrapped(&format!("{lead} "), &text);
            if let Some(note) = &rule.note {
                self.wrapped("         ", note);
            }
        }
    }
}
