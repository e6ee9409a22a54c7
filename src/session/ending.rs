//! How a run or a search ends: exit code, whether it passed, and why, from what its record says.
//!
//! The exit codes, of several the first: 130 interrupted, 3 not carried out, 4 a rule of `--fail-if` or `--require` was
//! broken, 5 the verdict is not VALID and `--require-valid` was given, 1 requests failed.

use anyhow::Result;

use crate::record::schema::{Record, RuleRecord};
use crate::text::units::{counted, grouped, percent};

use super::exit::Exit;
use super::job::Gates;
use super::output::note;

/// Exit codes and their meanings, in the order in which they decide.
pub const EXIT_CODES: [(u8, &str); 7] = [
    (
        130,
        "interrupted by a signal; the reports are written all the same",
    ),
    (
        3,
        "the run could not be carried out, or a report or standard output could not be written",
    ),
    (
        4,
        "a rule of --fail-if or --require was broken; compare found a regression",
    ),
    (5, "with --require-valid: the verdict is not VALID"),
    (
        1,
        "requests failed, or none had an outcome (--exit-code-on-error changes this one only); a search found nothing",
    ),
    (2, "wrong use or bad input; nothing was sent"),
    (0, "all well"),
];

/// The facts that decide, as sentences: each is a reason why the run did not pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// A signal ended it.
    pub interrupted: bool,
    /// It ended because something of ours could not go on.
    pub not_carried_out: bool,
    /// Rules of `--fail-if` and `--require` that were broken.
    pub broken: Vec<String>,
    /// Such rules that judged nothing; they decide nothing.
    pub not_judged: Vec<String>,
    /// With `--require-valid`: the reason why the verdict is not VALID.
    pub not_valid: Option<String>,
    /// Requests failed, or there were none.
    pub failed: Option<String>,
    /// A search did not find the breaking point.
    pub not_found: Option<String>,
    /// Exit code when requests failed.
    pub code_of_failures: u8,
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    pub passed: bool,
    pub exit_code: u8,
    pub reasons: Vec<String>,
}

impl Facts {
    /// The facts of a record. `interrupted`: a signal came.
    pub fn of(record: &Record, gates: &Gates, interrupted: bool) -> Self {
        let totals = &record.totals;
        let verdict = &record.generator.verdict;
        let rules = || {
            let rules = record.rules.iter();
            rules.filter(|rule| rule.kind != "stop-when")
        };
        let failed = match (totals.requests, totals.failures) {
            (0, _) => Some("nothing was measured: no request has an outcome".to_owned()),
            (_, 0) => None,
            // A search goes where requests fail, to find out where that is.
            _ if record.search.is_some() => None,
            (all, failed) => Some(format!(
                "{} of {} failed ({})",
                grouped(failed),
                counted(all, "request"),
                percent(failed as f64 / all as f64)
            )),
        };
        let teardown = record.teardown.as_ref().filter(|it| it.failures > 0);
        let teardown = teardown.map(|it| {
            let requests = counted(it.requests, "request");
            format!(
                "{} of {requests} of the teardown failed",
                grouped(it.failures)
            )
        });
        Self {
            interrupted,
            not_carried_out: record.run.ended_by == "error",
            broken: rules().filter(|rule| rule.broken).map(shown).collect(),
            not_judged: rules()
                .filter(|rule| !rule.broken && rule.windows == 0)
                .map(|rule| format!("not judged: {}", shown(rule)))
                .collect(),
            not_valid: (gates.require_valid && verdict.status != "VALID").then(|| {
                let why = verdict.reasons.first().map_or("", String::as_str);
                format!("the verdict is {}: {why}", verdict.status)
            }),
            failed: failed.or(teardown),
            not_found: None,
            code_of_failures: gates.code_of_failures,
        }
    }

    /// The decision.
    pub fn ending(&self) -> Ending {
        let is_any = |reasons: &[String]| !reasons.is_empty();
        let cases = [
            (self.interrupted, 130),
            (self.not_carried_out, 3),
            (is_any(&self.broken), 4),
            (self.not_valid.is_some(), 5),
            (self.not_found.is_some(), 1),
            (self.failed.is_some(), self.code_of_failures),
        ];
        let decided = cases.iter().find(|(is_so, _)| *is_so);
        let interrupted = self
            .interrupted
            .then(|| "interrupted by a signal".to_owned());
        let not_carried_out = self
            .not_carried_out
            .then(|| "the run could not be carried out to its end".to_owned());
        let reasons = [interrupted, not_carried_out].into_iter().flatten();
        let reasons = reasons
            .chain(self.broken.iter().cloned())
            .chain(self.not_valid.clone())
            .chain(self.not_found.clone())
            .chain(self.failed.clone())
            .chain(self.not_judged.iter().cloned());
        Ending {
            passed: decided.is_none(),
            exit_code: decided.map_or(0, |(_, code)| *code),
            reasons: reasons.collect(),
        }
    }
}

/// Puts lost outputs into the record. Only an interruption outranks them.
pub fn put_lost_into(record: &mut Record, lost: Vec<String>) {
    record.passed = false;
    if record.exit_code != Exit::INTERRUPTED.0 {
        record.exit_code = Exit::CANNOT.0;
    }
    record.reasons.splice(..0, lost);
}

fn shown(rule: &RuleRecord) -> String {
    let note = rule.note.iter().map(|note| format!("; {note}"));
    let note: String = note.collect();
    format!("--{} '{}': {}{note}", rule.kind, rule.rule, rule.says)
}

impl Ending {
    /// Puts it into the record, before that is written.
    pub fn put_into(&self, record: &mut Record) {
        record.passed = self.passed;
        record.exit_code = self.exit_code;
        record.reasons.clone_from(&self.reasons);
    }

    /// The exit, once the reports were written, or were not: that outranks all but an interruption.
    ///
    /// # Errors
    /// Why they could not be written.
    pub fn exit(&self, written: Result<()>) -> Result<Exit> {
        match written {
            Err(error) if self.exit_code == Exit::INTERRUPTED.0 => {
                let causes = error.chain().skip(1).map(ToString::to_string);
                note(format_args!(
                    "error: {}",
                    causes.collect::<Vec<_>>().join(": ")
                ));
            }
            written => written?,
        }
        Ok(Exit(self.exit_code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_reasons_the_first_in_order_gives_the_exit_code() {
        let all = Facts {
            interrupted: true,
            not_carried_out: true,
            broken: vec!["broken".into()],
            not_judged: vec!["not judged".into()],
            not_valid: Some("not valid".into()),
            failed: Some("failed".into()),
            not_found: None,
            code_of_failures: 1,
        };
        let ending = all.ending();
        assert_eq!((ending.passed, ending.exit_code), (false, 130));
        assert_eq!(ending.reasons.len(), 6, "{:?}", ending.reasons);
        // Each code by itself, and with everything that comes after it in the order.
        let none = Facts {
            code_of_failures: 1,
            ..Facts::default()
        };
        type Change<'c> = &'c dyn Fn(&mut Facts);
        let alone = |change: Change<'_>| {
            let mut facts = none.clone();
            change(&mut facts);
            let ending = facts.ending();
            assert_eq!(ending.reasons.len(), 1);
            (ending.passed, ending.exit_code)
        };
        let changes: [(Change<'_>, u8); 5] = [
            (&|facts| facts.interrupted = true, 130),
            (&|facts| facts.not_carried_out = true, 3),
            (&|facts| facts.broken.clone_from(&all.broken), 4),
            (&|facts| facts.not_valid.clone_from(&all.not_valid), 5),
            (&|facts| facts.failed.clone_from(&all.failed), 1),
        ];
        for (at, (change, code)) in changes.iter().enumerate() {
            assert_eq!(alone(change), (false, *code));
            let mut facts = none.clone();
            changes[at..]
                .iter()
                .for_each(|(change, _)| change(&mut facts));
            assert_eq!(facts.ending().exit_code, *code);
        }
        assert_eq!(
            alone(&|facts| facts.not_found = Some("no".into())),
            (false, 1)
        );
    }

    #[test]
    fn the_code_of_failures_changes_that_code_alone() {
        let facts = |broken: &[&str], failed: bool, code_of_failures| Facts {
            broken: broken.iter().map(|text| (*text).to_owned()).collect(),
            failed: failed.then(|| "failed".to_owned()),
            code_of_failures,
            ..Facts::default()
        };
        let check = |facts: Facts, passed: bool, exit_code: u8| {
            let ending = facts.ending();
            assert_eq!((ending.passed, ending.exit_code), (passed, exit_code));
        };
        check(facts(&[], false, 7), true, 0);
        check(facts(&[], true, 7), false, 7);
        // Zero says that failures are no reason to fail a pipeline, not that there were none.
        check(facts(&[], true, 0), false, 0);
        check(facts(&["rule"], true, 0), false, 4);
        check(facts(&["rule"], false, 0), false, 4);
        let not_found = Facts {
            not_found: Some("not found".into()),
            ..facts(&[], false, 0)
        };
        check(not_found, false, 1);
    }

    #[test]
    fn a_rule_that_judged_nothing_is_a_remark_and_no_failure() {
        let facts = Facts {
            not_judged: vec!["not judged: --fail-if 'p99>1s'".into()],
            ..Facts::default()
        };
        let ending = facts.ending();
        assert_eq!((ending.passed, ending.exit_code), (true, 0));
        assert_eq!(ending.reasons, facts.not_judged);
    }

    #[test]
    fn reports_that_could_not_be_written_outrank_all_but_an_interruption() {
        let ending = |exit_code| Ending {
            passed: false,
            exit_code,
            reasons: Vec::new(),
        };
        let failed =
            || Err(anyhow::anyhow!("disk full").context(crate::session::exit::CannotCarryOut));
        assert_eq!(ending(4).exit(Ok(())).expect("written"), Exit(4));
        let error = ending(4).exit(failed()).expect_err("3 comes before 4");
        assert!(error.is::<crate::session::exit::CannotCarryOut>());
        assert_eq!(
            ending(130).exit(failed()).expect("130 comes first"),
            Exit(130)
        );
    }
}
