//! What a rule may name beside steps: tasks, as `task:order.p95>2s`, and kinds of users, as `kind:buyer.errors>1%`.

use crate::metrics::interval::{SpanInterval, StepInterval};
use crate::text::suggest::did_you_mean;

use super::measure::Measure;

/// The tasks and the kinds of users of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// Tasks with a name and several steps: the name, and the span that measures it.
    pub tasks: Vec<(String, usize)>,
    /// Kinds of users: the name, and the metrics of the work loop, or all where there is none.
    pub kinds: Vec<(String, Vec<usize>)>,
    /// Names of tasks of a single step: a rule names their step.
    pub single: Vec<String>,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group<'g> {
    /// A task, by its span.
    Task(usize),
    /// The metrics of a kind of user.
    Kind(&'g [usize]),
}

impl Groups {
    /// The task or kind that a text names, such as `task:order`.
    pub(super) fn find(&self, text: &str) -> Result<Group<'_>, String> {
        let (prefix, name) = text.split_once(':').unwrap_or((text, ""));
        let name = name.trim();
        match prefix {
            "task" => self.task(name),
            _ => {
                let kind = self.kinds.iter().find(|(known, _)| known == name);
                let kind = kind.map(|(_, steps)| Group::Kind(steps));
                kind.ok_or_else(|| {
                    let names: Vec<&str> = self.kinds.iter().map(|(name, _)| &name[..]).collect();
                    unknown("kind of user", name, &names, "[[users]] gives them")
                })
            }
        }
    }

    fn task(&self, name: &str) -> Result<Group<'_>, String> {
        if let Some((_, span)) = self.tasks.iter().find(|(known, _)| known == name) {
            return Ok(Group::Task(*span));
        }
        if self.single.iter().any(|known| known == name) {
            return Err(format!(
                "the task \"{name}\" is a single step: name the step, without task:"
            ));
        }
        let names: Vec<&str> = self.tasks.iter().map(|(name, _)| &name[..]).collect();
        let cure = "a [[task]] with step tables and a name is one";
        Err(unknown("task", name, &names, cure))
    }
}

fn unknown(what: &str, name: &str, known: &[&str], cure: &str) -> String {
    let near = did_you_mean(name, known.iter().copied());
    match known.is_empty() {
        true => format!("there is no {what} \"{name}\", and the scenario names none; {cure}"),
        false => format!(
            "there is no {what} \"{name}\"{near}; there are \"{}\"",
            known.join("\", \"")
        ),
    }
}

/// Checks that a task has the measure: its requests have a rate and polls, a task has times and failures.
pub(super) fn check_of_task(measure: Measure, text: &str) -> Result<(), String> {
    match measure {
        Measure::PerSecond | Measure::GaveUp => Err(format!(
            "{} is a measure of requests; {text} has avg p50 p95 p99 max (any percentile) and errors",
            measure.name()
        )),
        _ => Ok(()),
    }
}

/// A span as rules judge it: passes that ended count as requests, and only completed ones have a time.
pub(super) fn as_step(span: Option<&SpanInterval>) -> StepInterval {
    let Some(span) = span else {
        return StepInterval::default();
    };
    let ended = span.times.count() + span.failed;
    StepInterval {
        requests: ended,
        answers: ended,
        failures: span.failed,
        response: span.times.clone(),
        ..StepInterval::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Basis, Purpose, Rule, StepName, Window};
    use super::*;
    use crate::metrics::interval::Interval;

    fn steps() -> Vec<StepName> {
        let step = |name: &str, is_work| StepName {
            method: "GET".into(),
            name: name.into(),
            is_work,
            is_poll: false,
        };
        vec![
            step("/login", false),
            step("/items", true),
            step("/orders", true),
        ]
    }

    fn groups() -> Groups {
        Groups {
            tasks: vec![("order 1.5".into(), 0), ("browse".into(), 1)],
            kinds: vec![("browser".into(), vec![1]), ("buyer".into(), vec![1, 2])],
            single: vec!["/items".into()],
        }
    }

    fn rule(text: &str) -> Result<Rule, String> {
        Rule::parse_among(text, Purpose::Fail, &steps(), &groups())
    }

    /// Ten seconds: the first task was completed 18 times in 100 ms and failed twice, the second was done 5 times.
    fn window() -> Window {
        let mut window = Window::new(3);
        for _ in 0..2 {
            let mut interval = Interval::reserved(3, 2);
            (0..9).for_each(|_| interval.spans[0].times.record(100_000_000));
            interval.spans[0].failed = 1;
            interval.steps[2].requests = 50;
            interval.steps[2].failures = 10;
            window.add(&interval, 5_000_000_000);
        }
        (0..5).for_each(|_| window.spans[1].times.record(9_000_000_000));
        window
    }

    #[test]
    fn a_task_is_judged_by_its_own_times_and_failures() {
        let check = |text: &str, broken: bool, says: &str| {
            let rule = rule(text).expect(text);
            let finding = rule.judge(&window());
            assert_eq!(finding.broken, broken, "{text}");
            assert_eq!(rule.show(&finding), says, "{text}");
        };
        check(
            "task:order 1.5.p95>90ms",
            true,
            "p95 of task \"order 1.5\" was 100 ms, the limit is 90 ms",
        );
        check(
            "task: order 1.5 max > 2s",
            false,
            "max of task \"order 1.5\" was 100 ms, the limit is 2 s",
        );
        check(
            "task:order 1.5.errors>9%",
            true,
            "errors of task \"order 1.5\" were 10 %, the limit is 9 %",
        );
        check(
            "task:browse.p50>1ms",
            false,
            "p50 of task \"browse\": fewer than 10 passes, too few to judge; the limit is 1 ms",
        );
        check(
            "kind:buyer errors>5%",
            true,
            "errors of kind \"buyer\" were 20 %, the limit is 5 %",
        );
        check(
            "kind:buyer.rps<5",
            false,
            "rps of kind \"buyer\" was 10.0/s, the lower limit is 5/s",
        );
    }

    #[test]
    fn a_window_without_a_pass_of_the_task_judges_nothing() {
        let finding = rule("task:browse.max>1ms")
            .expect("a rule")
            .judge(&Window::new(3));
        assert_eq!((finding.value, finding.basis), (None, Basis::Ended));
        let mut joined = Window::new(3);
        joined.join(&window());
        joined.join(&window());
        assert_eq!(joined.spans[0].times.count(), 36);
        assert_eq!(joined.spans[0].failed, 4);
    }

    #[test]
    fn a_rule_on_a_group_that_cannot_be_judged_is_refused_with_the_cure() {
        let check = |text: &str, expected: &str| {
            let error = rule(text).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        };
        check("task:brwose.p95>1s", "did you mean \"browse\"?");
        check("task:nothing.p95>1s", "there are \"order 1.5\", \"browse\"");
        check("task:/items.p95>1s", "name the step, without task:");
        check("kind:buyr.p95>1s", "did you mean \"buyer\"?");
        check(
            "task:browse.rps<1",
            "rps is a measure of requests; task:browse has avg",
        );
        check("task:browse.gave-up>1%", "gave-up is a measure of requests");
        check("task:browse.p95<1s", "says what has to hold");
        check("task:browse>1s", "is not a measure");
        check("kind:buyer.gave-up>1%", "only a polled step can give up");
        let none = Rule::parse("kind:buyer.p95>1s", Purpose::Fail, &steps());
        let error = none.expect_err("no kinds");
        assert!(error.contains("the scenario names none"), "{error}");
    }
}
