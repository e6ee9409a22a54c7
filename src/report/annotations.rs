//! GitHub's annotations: lines that its runner shows beside a job (workflow commands, docs.github.com).

use anyhow::Result;

use super::console::figures::{Figures, Which};
use super::output::{Output, Report};
use super::remarks;
use crate::record::schema::{Record, RuleRecord};
use crate::text::printable::in_one_line;
use crate::text::units::{counted, grouped, rate, shortened};

/// GitHub shows ten of a kind for each step of a job, and drops the rest silently.
const SHOWN_MAX: usize = 10;
/// Kinds of failures among them: rules come first.
const FAILURES_MAX: usize = 5;
/// Longest example of a failure, in characters.
const EXAMPLE_MAX: usize = 160;

/// The annotations.
#[derive(Clone, Copy, Debug, Default)]
pub struct Annotations;

/// How GitHub shows a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Error,
    Warning,
    Notice,
}

impl Report for Annotations {
    fn outputs(&self, record: &Record) -> Result<Vec<Output>> {
        Ok(vec![Output {
            suffix: "",
            bytes: text(record).into_bytes(),
        }])
    }
}

fn text(record: &Record) -> String {
    let mut all: Vec<(Level, String, String)> = Vec::new();
    let mut add =
        |level, title: &str, message: String| all.push((level, title.to_owned(), message));
    if let Some(error) = &record.run.error {
        add(Level::Error, "opsurge failed", error.clone());
    }
    let rules = record.rules.iter().filter(|rule| rule.kind != "stop-when");
    for rule in rules {
        match (rule.broken, rule.windows) {
            (true, _) => add(Level::Error, "Rule broken", of_rule(rule)),
            (false, 0) => add(Level::Warning, "Rule not judged", of_rule(rule)),
            (false, _) => {}
        }
    }
    // A search goes where requests fail, to find out where that is.
    if record.search.is_none() {
        for error in record.errors.iter().take(FAILURES_MAX) {
            let status = error
                .status
                .map_or(String::new(), |status| format!(" {status}"));
            let example = shortened(&in_one_line(&error.detail), EXAMPLE_MAX);
            let message = format!(
                "{} {}{status} at {} {}: {example}",
                grouped(error.count),
                error.kind,
                error.method,
                error.name
            );
            add(Level::Error, "Requests failed", message);
        }
    }
    let verdict = &record.generator.verdict;
    if verdict.status != "VALID" {
        let title = format!("Verdict {}", verdict.status);
        add(Level::Warning, &title, verdict.reasons.join("\n"));
    }
    for warning in remarks::warnings(record) {
        add(
            Level::Warning,
            "Read the figures with this in mind",
            warning,
        );
    }
    let has_error = all.iter().any(|(level, ..)| *level == Level::Error);
    if !record.passed && !has_error {
        all.push((
            Level::Error,
            "opsurge: not passed".into(),
            record.reasons.join("\n"),
        ));
    }
    if record.passed {
        all.push((Level::Notice, "opsurge: passed".into(), summary(record)));
    }
    [Level::Error, Level::Warning, Level::Notice]
        .into_iter()
        .flat_map(|level| {
            let of_level = all.iter().filter(move |(its, ..)| *its == level);
            of_level.take(SHOWN_MAX)
        })
        .map(|(level, title, message)| line(*level, title, message))
        .collect()
}

fn of_rule(rule: &RuleRecord) -> String {
    let part = rule.part.iter().map(|part| format!(" in {part}"));
    let part: String = part.collect();
    format!("--{} '{}'{part}: {}", rule.kind, rule.rule, rule.says)
}

fn summary(record: &Record) -> String {
    let totals = &record.totals;
    let figures = Figures::total(totals);
    let p99 = figures.show(Which::Percentile(99.0)).unwrap_or("-".into());
    let found = record
        .search
        .as_ref()
        .map(|search| format!("; {}", search.ended));
    format!(
        "{}, {}, {} failed, p99 {p99}{}",
        counted(totals.requests, "request"),
        rate(totals.rps),
        grouped(totals.failures),
        found.unwrap_or_default()
    )
}

/// `::error title=...::message`. A message keeps its lines.
fn line(level: Level, title: &str, message: &str) -> String {
    let level = match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Notice => "notice",
    };
    let message: Vec<String> = message.lines().map(in_one_line).collect();
    let title = data(&in_one_line(title))
        .replace(':', "%3A")
        .replace(',', "%2C");
    format!("::{level} title={title}::{}\n", data(&message.join("\n")))
}

/// As the runner decodes it: a line end in a message would end the command, and what follows could be one of its own.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_ends_its_line_or_begins_another_command() {
        assert_eq!(
            line(Level::Error, "a: b, c", "100 % of\n::set-env name=X::y"),
            "::error title=a%3A b%2C c::100 %25 of%0A::set-env name=X::y\n"
        );
    }
}
