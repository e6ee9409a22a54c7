//! A goal of precision: `[STEP.]MEASURE within SHARE`, such as `p99 within 5%`. A run that has one goes on until it knows
//! the measure so well.

use super::measure::Measure;
use super::names::{StepName, find};

/// Separates the measure from the share.
const WITHIN: &str = " within ";
/// Histograms keep three digits: nothing is known better than this.
const SHARE_MIN: f64 = 0.001;
/// Measures that have an interval, as they are written.
const MEASURES: &str = "p50 ... p99.9, avg, rps";

/// A goal over the steps of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// The goal as it was written.
    pub text: String,
    /// Its part before `within`, for reports: `workflow.p99`.
    pub subject: String,
    /// What is to be known.
    pub quantity: Quantity,
    /// Largest half width of the 95 % interval, as a share of the value: 0.05 is 5 %.
    pub share: f64,
    /// The steps whose requests count together, by metric.
    pub steps: Vec<usize>,
}

/// A figure with an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantity {
    /// A percentile of the response times, failures included; 99 is p99.
    Percentile(f64),
    /// The mean of these times.
    Mean,
    /// Requests with an outcome per second.
    Rate,
}

impl Goal {
    /// Parses a goal over the steps of a plan, which are in the order of their metrics. STEP is as in a rule; without it,
    /// the steps of the work loop count together.
    ///
    /// # Errors
    /// The offending part, the reason, and what would be right.
    pub fn parse(text: &str, steps: &[StepName]) -> Result<Self, String> {
        let text = text.trim();
        let in_goal = |why: String| format!("\"{text}\": {why}");
        let Some((subject, share)) = text.split_once(WITHIN) else {
            return Err(in_goal(
                "\"within\" and a share are missing; write for example \"p99 within 5%\"".into(),
            ));
        };
        let (subject, share) = (subject.trim(), share.trim());
        // Reports and the record say mean where rules say avg.
        let as_in_rules = match subject.strip_suffix("mean") {
            Some(step) if step.is_empty() || step.ends_with('.') => format!("{step}avg"),
            _ => subject.to_owned(),
        };
        let (step, measure) = Measure::after_step(&as_in_rules)
            .map_err(|why| in_goal(why.replace("before the comparison", "before \"within\"")))?;
        let quantity = match measure {
            Measure::Percentile(percent) if percent < 100.0 => Quantity::Percentile(percent),
            Measure::Average => Quantity::Mean,
            Measure::PerSecond => Quantity::Rate,
            other => {
                return Err(in_goal(format!(
                    "{} has no interval that a longer run would narrow; there are {MEASURES}",
                    other.name()
                )));
            }
        };
        let steps = match step {
            None => (0..steps.len())
                .filter(|&index| steps[index].is_work)
                .collect(),
            Some("*") => {
                return Err(in_goal(
                    "a goal has one value, and * stands for many; name a step, or give a goal for each".into(),
                ));
            }
            Some(step) => vec![find(step, steps).map_err(in_goal)?],
        };
        Ok(Self {
            text: text.to_owned(),
            subject: subject.to_owned(),
            quantity,
            share: parse_share(share).map_err(in_goal)?,
            steps,
        })
    }
}

/// `5%` or `0.05`.
fn parse_share(text: &str) -> Result<f64, String> {
    let refuse = |why: &str| Err(format!("the share \"{text}\" {why}; write 5% or 0.05"));
    let (digits, whole) = match text.strip_suffix('%') {
        Some(digits) => (digits.trim(), 100.0),
        None => (text, 1.0),
    };
    let is_plain = digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    match digits.parse::<f64>() {
        _ if text.is_empty() => refuse("is missing"),
        Ok(number) if is_plain && number / whole < SHARE_MIN => {
            refuse("is too small: histograms keep three digits, so 0.1% is the least")
        }
        Ok(number) if is_plain && number / whole < 1.0 => Ok(number / whole),
        Ok(_) if is_plain => refuse("is not below 100%"),
        _ => refuse("is not a number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps() -> Vec<StepName> {
        let step = |name: &str, is_work| StepName {
            method: "POST".into(),
            name: name.into(),
            is_work,
            is_poll: false,
        };
        vec![
            step("/v1/login", false),
            step("/v1/workflow", true),
            step("/v1/state", true),
        ]
    }

    #[test]
    fn a_goal_is_a_measure_of_the_work_loop_or_of_a_step_and_a_share() {
        let check = |text, quantity, share: f64, of: &[usize]| {
            let goal = Goal::parse(text, &steps()).expect(text);
            assert_eq!(
                (goal.quantity, goal.share, &goal.steps[..]),
                (quantity, share, of),
                "{text}"
            );
        };
        check("p99 within 5%", Quantity::Percentile(99.0), 0.05, &[1, 2]);
        check(
            " p99.9  within 0.1 ",
            Quantity::Percentile(99.9),
            0.1,
            &[1, 2],
        );
        check(
            "workflow.p50 within 10 %",
            Quantity::Percentile(50.0),
            0.1,
            &[1],
        );
        check("login.mean within 2%", Quantity::Mean, 0.02, &[0]);
        check("avg within 2%", Quantity::Mean, 0.02, &[1, 2]);
        check("mean within 2%", Quantity::Mean, 0.02, &[1, 2]);
        check("rps within 0.1%", Quantity::Rate, 0.001, &[1, 2]);
    }

    #[test]
    fn a_wrong_goal_is_refused_with_its_place_and_the_cure() {
        let check = |text: &str, expected: &str| {
            let error = Goal::parse(text, &steps()).expect_err(text);
            assert!(
                error.contains(text.trim()) && error.contains(expected),
                "{error}"
            );
        };
        check(
            "p99",
            "\"within\" and a share are missing; write for example \"p99 within 5%\"",
        );
        check("p99 < 5%", "write for example \"p99 within 5%\"");
        check("workflw.p99 within 5%", "did you mean \"workflow\"?");
        check("p99 within 0", "is too small");
        check("p99 within 0.01%", "0.1% is the least");
        check("p99 within 100%", "is not below 100%");
        check("p99 within five", "is not a number; write 5% or 0.05");
        check("p99 within -5%", "is not a number");
        check("p99 within NaN", "is not a number");
        check("max within 5%", "max has no interval");
        check("p100 within 5%", "p100 has no interval");
        check("errors within 5%", "errors has no interval");
        check("*.p99 within 5%", "a goal has one value");
        check("p9x within 5%", "\"p9x\" is not a measure");
    }
}
