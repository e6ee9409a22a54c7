//! The load: its shape in a phrase, and what became of an open load's arrivals.

use std::fmt::Write;

use super::page::{Colour, Page, Paint};
use crate::record::schema::{Record, RunInfo};
use crate::text::units::{counted, grouped, moment, range, three_digits};

/// Points of a load that are shown.
const STAGES_SHOWN: usize = 4;

/// `50 users, 10 per second`, or `500 iterations/s (constant) by 50 to 500 users`; for a search, the highest level.
pub(in crate::report) fn shown(run: &RunInfo, is_search: bool) -> String {
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
        None => {
            let stages = run.load.stages.iter();
            stages
                .map(|stage| format!("{}:{}s", stage.users, stage.after_s))
                .collect()
        }
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
    text += &orders(run);
    // The iterations of an open load begin at their own times, whatever the scenario's wait.
    if run.load.open.is_none() {
        let _ = write!(text, ", wait {}", run.load.wait);
    }
    text
}

/// `, changed by the screen: 22 users at 18.2 s`: what a person ordered during the run.
fn orders(run: &RunInfo) -> String {
    let orders = &run.load.orders;
    let Some(first) = orders.first() else {
        return String::new();
    };
    let shown = orders.iter().take(STAGES_SHOWN).map(|order| {
        let level = match (order.users, order.rate) {
            (Some(users), _) => counted(users, "user"),
            (None, rate) => format!("{} iterations/s", three_digits(rate.unwrap_or(0.0))),
        };
        format!("{level} at {}", moment(order.at_s))
    });
    let shown: Vec<String> = shown.collect();
    let more = match orders.len() > STAGES_SHOWN {
        true => " ...",
        false => "",
    };
    format!(", changed by the {}: {}{more}", first.by, shown.join(", "))
}

/// `ITERATIONS: 3,000 due, 3,000 begun (300/s)`, and those that were not begun at their time.
pub(super) fn arrivals(page: &mut Page, record: &Record) {
    let Some(open) = &record.run.load.open else {
        return;
    };
    // They are those of the whole run.
    if record.slice.as_ref().is_some_and(|slice| !slice.settled) {
        return;
    }
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
    let paint = match open.dropped + open.never_begun {
        0 => Paint::Nothing,
        _ => Paint::Whole(Colour::Yellow),
    };
    page.paragraph(paint, &text);
}
