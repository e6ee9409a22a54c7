//! JUnit XML: a test case for each rule, and for what else decides whether a run passed.
//!
//! Valid against the two schemas in use: that of Ant's JUnit task (windyroad's JUnit.xsd), which is the stricter one, and
//! that of the Jenkins xUnit plugin (junit-10.xsd).

use anyhow::Result;

use super::output::{Output, Report};
use super::remarks;
use crate::record::schema::{Record, RuleRecord};
use crate::text::printable::in_one_line;
use crate::text::units::{counted, grouped, percent};

/// Characters of `2026-11-26T18:00:00`, the part of a moment that the schemas take.
const MOMENT_LENGTH: usize = 19;
/// Stands for a moment that a record changed by hand does not have.
const NO_MOMENT: &str = "1970-01-01T00:00:00";

/// The test report.
#[derive(Clone, Copy, Debug, Default)]
pub struct Junit;

/// One test case.
struct Case {
    name: String,
    time_s: f64,
    outcome: Outcome,
}

enum Outcome {
    Passed,
    /// Kind, message.
    Failed(&'static str, String),
    /// The run itself went wrong: kind, message.
    Error(&'static str, String),
    /// It could not be judged.
    Skipped(String),
}

impl Report for Junit {
    fn outputs(&self, record: &Record) -> Result<Vec<Output>> {
        Ok(vec![Output {
            suffix: "",
            bytes: document(record).into_bytes(),
        }])
    }
}

fn document(record: &Record) -> String {
    let cases = cases(record);
    let count = |is: fn(&Outcome) -> bool| cases.iter().filter(|case| is(&case.outcome)).count();
    let name = attribute(&record.run.scenario);
    let properties: String = properties(record)
        .iter()
        .map(|(name, value)| {
            format!(
                "      <property name=\"{name}\" value=\"{}\"/>\n",
                attribute(value)
            )
        })
        .collect();
    let shown: String = cases.iter().map(|case| shown(case, &name)).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"{name}\" package=\"opsurge\" id=\"0\" \
         timestamp=\"{}\" hostname=\"localhost\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{}\">\n    \
         <properties>\n{properties}    </properties>\n{shown}    <system-out></system-out>\n    \
         <system-err></system-err>\n  </testsuite>\n</testsuites>\n",
        moment(&record.run.started_at),
        cases.len(),
        count(|outcome| matches!(outcome, Outcome::Failed(..))),
        count(|outcome| matches!(outcome, Outcome::Error(..))),
        count(|outcome| matches!(outcome, Outcome::Skipped(_))),
        seconds(record.totals.load_s + record.totals.drain_s),
    )
}

fn cases(record: &Record) -> Vec<Case> {
    let run_s = record.totals.load_s + record.totals.drain_s;
    let case = |name: &str, outcome| Case {
        name: name.to_owned(),
        time_s: run_s,
        outcome,
    };
    let mut cases = vec![case("the run was carried out", carried_out(record))];
    // A search goes where requests fail, to find out where that is.
    match &record.search {
        None => cases.push(case("no request failed", no_request_failed(record))),
        Some(search) => cases.push(case(
            "the breaking point was found",
            match search.first_bad.is_some() && search.last_good.is_some() {
                true => Outcome::Passed,
                false if record.passed => Outcome::Passed,
                false => Outcome::Failed("search", search.ended.clone()),
            },
        )),
    }
    let rules = record.rules.iter();
    let rules = rules.filter(|rule| rule.kind != "stop-when");
    cases.extend(rules.map(of_rule));
    // A run that did not pass never looks well, whatever else decided it.
    let is_well = |case: &Case| matches!(case.outcome, Outcome::Passed | Outcome::Skipped(_));
    if !record.passed && cases.iter().all(is_well) {
        cases.push(case(
            "the run passed",
            Outcome::Failed("run", record.reasons.join("\n")),
        ));
    }
    cases
}

fn carried_out(record: &Record) -> Outcome {
    match (&record.run.error, record.run.ended_by.as_str()) {
        (Some(error), _) => Outcome::Error("error", error.clone()),
        (None, "signal") => Outcome::Error("signal", "interrupted by a signal".into()),
        _ if record.totals.requests == 0 => Outcome::Error(
            "empty",
            "nothing was measured: no request has an outcome".into(),
        ),
        _ => Outcome::Passed,
    }
}

fn no_request_failed(record: &Record) -> Outcome {
    let totals = &record.totals;
    if totals.failures == 0 {
        return Outcome::Passed;
    }
    let kinds = record.errors.iter().map(|error| {
        let status = error
            .status
            .map_or(String::new(), |status| format!(" {status}"));
        format!(
            "\n{} {}{status}, {} {}: {}",
            grouped(error.count),
            error.kind,
            error.method,
            error.name,
            error.detail
        )
    });
    Outcome::Failed(
        "requests",
        format!(
            "{} of {} failed ({}){}",
            grouped(totals.failures),
            counted(totals.requests, "request"),
            percent(totals.failure_ratio),
            kinds.collect::<String>()
        ),
    )
}

fn of_rule(rule: &RuleRecord) -> Case {
    let note = rule.note.iter().map(|note| format!("\n{note}"));
    let says = format!("{}{}", rule.says, note.collect::<String>());
    let part = rule.part.iter().map(|part| format!(" in {part}"));
    Case {
        name: format!(
            "--{} '{}'{}",
            rule.kind,
            rule.rule,
            part.collect::<String>()
        ),
        time_s: rule
            .to_s
            .zip(rule.from_s)
            .map_or(0.0, |(to_s, from_s)| to_s - from_s),
        outcome: match (rule.broken, rule.windows) {
            (true, _) => Outcome::Failed("rule", says),
            (false, 0) => Outcome::Skipped(format!("not judged: {says}")),
            (false, _) => Outcome::Passed,
        },
    }
}

/// What stands beside the tests: the verdict, and the figures.
fn properties(record: &Record) -> Vec<(&'static str, String)> {
    let (run, totals) = (&record.run, &record.totals);
    let verdict = &record.generator.verdict;
    let mut properties = vec![
        ("verdict", verdict.status.clone()),
        ("verdict.reasons", verdict.reasons.join("; ")),
        ("passed", record.passed.to_string()),
        ("exit_code", record.exit_code.to_string()),
        ("host", run.host.clone()),
        ("users", run.users.to_string()),
        ("seed", run.seed.to_string()),
        ("version", run.version.clone()),
        ("requests", totals.requests.to_string()),
        ("failures", totals.failures.to_string()),
        ("requests_per_s", totals.rps.to_string()),
    ];
    let times = [
        ("p50_us", totals.all_us.p50),
        ("p95_us", totals.all_us.p95),
        ("p99_us", totals.all_us.p99),
        ("max_us", totals.all_us.max),
    ];
    let known = times
        .into_iter()
        .filter_map(|(name, us)| Some((name, us?.to_string())));
    properties.extend(known);
    let remarks = remarks::all(record);
    if !remarks.is_empty() {
        properties.push(("remarks", remarks.join("; ")));
    }
    properties
}

fn shown(case: &Case, suite: &str) -> String {
    let head = format!(
        "    <testcase name=\"{}\" classname=\"opsurge.{suite}\" time=\"{}\"",
        attribute(&case.name),
        seconds(case.time_s)
    );
    let wrong = |tag: &str, kind: &str, message: &str| {
        let first = message.lines().next().unwrap_or_default();
        format!(
            "{head}>\n      <{tag} type=\"{kind}\" message=\"{}\">{}</{tag}>\n    </testcase>\n",
            attribute(first),
            lines(message)
        )
    };
    match &case.outcome {
        Outcome::Passed => format!("{head}/>\n"),
        Outcome::Failed(kind, message) => wrong("failure", kind, message),
        Outcome::Error(kind, message) => wrong("error", kind, message),
        Outcome::Skipped(message) => format!(
            "{head}>\n      <skipped message=\"{}\"/>\n    </testcase>\n",
            attribute(message)
        ),
    }
}

/// A decimal that is never negative and has no exponent.
fn seconds(s: f64) -> String {
    let s = if s.is_finite() { s.max(0.0) } else { 0.0 };
    format!("{s:.3}")
}

fn moment(started_at: &str) -> &str {
    let moment = started_at.get(..MOMENT_LENGTH).unwrap_or(NO_MOMENT);
    let is_right = moment.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    });
    if is_right { moment } else { NO_MOMENT }
}

/// A text in one line. Blanks at its ends and in a row are nothing to the type of these attributes (xs:token).
fn attribute(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    escaped(&words.join(" "))
}

/// A text whose line ends stay.
fn lines(text: &str) -> String {
    text.lines().map(escaped).collect::<Vec<_>>().join("\n")
}

/// Without what is markup in XML 1.0, or no character of it (sections 2.2 and 2.4).
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for sign in in_one_line(text).chars() {
        match sign {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(sign),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_what_is_no_character_are_escaped() {
        assert_eq!(
            escaped("a<b & \"c\"\u{1}"),
            "a&lt;b &amp; &quot;c&quot;\\u{1}"
        );
        assert_eq!(attribute("  two\n  words "), "two words");
        assert_eq!(lines("a\n<b>"), "a\n&lt;b&gt;");
    }

    #[test]
    fn moments_and_seconds_have_the_form_that_the_schemas_ask_for() {
        assert_eq!(moment("2026-11-26T18:00:00.123Z"), "2026-11-26T18:00:00");
        assert_eq!(moment("yesterday at about noon"), NO_MOMENT);
        assert_eq!(moment(""), NO_MOMENT);
        assert_eq!(seconds(1e-9), "0.000");
        assert_eq!(seconds(f64::NAN), "0.000");
    }
}
