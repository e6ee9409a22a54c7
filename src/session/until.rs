//! The goals of `--until`: read against the scenario, and what became of them put into the record.

use anyhow::{Result, anyhow};

use crate::analysis::criteria::{Goal, Quantity};
use crate::analysis::precision::{FIRST_LOOK_NS, Found, Outcome, Precision};
use crate::record::schema::{GoalRecord, Record};
use crate::scenario::model::Scenario;
use crate::text::units::{percent, rate, three_digits, time};

use super::rules;

/// Reads goals against the scenario's steps.
///
/// # Errors
/// The first goal that is wrong, with the cure.
pub fn parse(given: &[String], scenario: &Scenario) -> Result<Vec<Goal>> {
    let steps = rules::step_names(scenario);
    let goals = given.iter().map(|text| Goal::parse(text, &steps));
    goals
        .collect::<Result<_, _>>()
        .map_err(|reason| anyhow!("--until {reason}"))
}

/// Puts what became of the goals into the record. `is_precise`: they have ended the run.
pub fn put_into(record: &mut Record, precision: Precision, is_precise: bool) {
    if is_precise && record.run.ended_by == "criterion" {
        record.run.ended_by = "precise".into();
    }
    let outcomes = precision.finish();
    record.until = outcomes.iter().map(goal_record).collect();
}

fn goal_record(outcome: &Outcome) -> GoalRecord {
    let (goal, found) = (&outcome.goal, &outcome.found);
    GoalRecord {
        goal: goal.text.clone(),
        reached: outcome.is_reached,
        value: found.value,
        low: found.low,
        high: found.high,
        half_width: found.half_width(),
        effective_samples: found.effective,
        looks: outcome.looks,
        load_s: seconds(found.length_ns),
        would_take_s: outcome.would_take_ns.map(seconds),
        says: says(outcome),
        part: None,
    }
}

/// `p99 known to ±12 % after 600 s (4.61 ms, 4.10 to 5.20 ms); ±10 % would take about 900 s`.
fn says(outcome: &Outcome) -> String {
    let (goal, found) = (&outcome.goal, &outcome.found);
    let subject = &goal.subject;
    let after = format!("after {} s", three_digits(seconds(found.length_ns)));
    let known = match (found.value, found.half_width()) {
        (None, _) => return format!("{subject}: nothing was measured"),
        (Some(_), Some(half)) => {
            format!(
                "{subject} known to ±{} {after} ({})",
                percent(half),
                interval(goal, found)
            )
        }
        (Some(_), None) => {
            format!(
                "{subject} not known to any ± {after} ({})",
                interval(goal, found)
            )
        }
    };
    if outcome.is_reached {
        return known;
    }
    let asked = percent(goal.share);
    let cure = match outcome.would_take_ns {
        Some(ns) if ns <= FIRST_LOOK_NS => {
            format!(
                "the first look is after {} s",
                FIRST_LOOK_NS / 1_000_000_000
            )
        }
        Some(ns) => {
            // Without an upper end, only the samples that are needed are known.
            let least = match found.half_width() {
                Some(_) => "about",
                None => "at least",
            };
            format!("±{asked} would take {least} {} s", about(seconds(ns)))
        }
        None => format!("nothing says how long ±{asked} would take"),
    };
    format!("{known}; {cure}")
}

/// `4.61 ms, 4.10 ms to 5.20 ms`, or `4.61 ms, at least 4.10 ms`.
fn interval(goal: &Goal, found: &Found) -> String {
    let show = |value: f64| match goal.quantity {
        Quantity::Rate => rate(value),
        Quantity::Percentile(_) | Quantity::Mean => time(value),
    };
    let value = show(found.value.unwrap_or_default());
    match (found.low, found.high) {
        (Some(low), Some(high)) => format!("{value}, {} to {}", show(low), show(high)),
        (Some(low), None) => format!("{value}, at least {}", show(low)),
        (None, _) => format!("{value}, without an interval"),
    }
}

/// An estimate to two digits: 864 -> 860, 1,234 -> 1,200.
fn about(s: f64) -> String {
    let unit = 10f64.powf((s.log10().floor() - 1.0).max(0.0));
    three_digits((s / unit).round() * unit)
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(high: Option<f64>, would_take_s: u64, looks: u64) -> Outcome {
        Outcome {
            goal: Goal {
                text: "p99 within 10%".into(),
                subject: "p99".into(),
                quantity: Quantity::Percentile(99.0),
                share: 0.1,
                steps: vec![0],
            },
            found: Found {
                value: Some(4_610.0),
                low: Some(4_057.0),
                high,
                effective: Some(9_000.0),
                beyond: Some(90.0),
                length_ns: 600_000_000_000,
            },
            looks,
            is_reached: would_take_s == 0,
            would_take_ns: (would_take_s > 0).then_some(would_take_s * 1_000_000_000),
        }
    }

    #[test]
    fn a_goal_says_how_well_its_figure_is_known_and_what_more_would_take() {
        assert_eq!(
            says(&outcome(Some(5_163.0), 864, 16)),
            "p99 known to ±12 % after 600 s (4.61 ms, 4.06 ms to 5.16 ms); ±10 % would take about 860 s"
        );
        assert_eq!(
            says(&outcome(None, 3_012, 16)),
            "p99 not known to any ± after 600 s (4.61 ms, at least 4.06 ms); ±10 % would take at least 3,000 s"
        );
        assert_eq!(
            says(&outcome(Some(5_163.0), 0, 16)),
            "p99 known to ±12 % after 600 s (4.61 ms, 4.06 ms to 5.16 ms)"
        );
        assert!(says(&outcome(Some(5_163.0), 20, 0)).ends_with("; the first look is after 20 s"));
    }
}
