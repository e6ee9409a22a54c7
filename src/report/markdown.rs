//! A summary in GitHub's Markdown, for pull requests and job pages: whether it passed, six numbers, a table per step, rules,
//! failures, what was watched, and the comparison with a base.
//!
//! Texts of the service and of the scenario stand in it as texts: no markup, link or mention of theirs takes effect.

use anyhow::Result;

use super::console::compare::{name, rows};
use super::console::figures::{Figures, Which};
use super::console::names;
use super::console::totals::machine;
use super::console::watched;
use super::output::{Output, Report};
use super::remarks;
use crate::record::comparison::{Comparison, is_comparable};
use crate::record::schema::{Record, RuleRecord};
use crate::text::printable::in_one_line;
use crate::text::shell::line;
use crate::text::units::{bytes, counted, grouped, moment, percent, shortened, three_digits};

/// Most rows of a table: a summary is looked at, the record has the rest.
const ROWS_MAX: usize = 50;
/// Longest example of a failure, in characters.
const EXAMPLE_MAX: usize = 160;

/// The summary.
#[derive(Clone, Debug, Default)]
pub struct Markdown<'b> {
    /// The record to compare with.
    pub base: Option<Base<'b>>,
}

/// A run to compare with.
#[derive(Clone, Copy, Debug)]
pub struct Base<'b> {
    /// Its name in the summary, as a rule its path.
    pub name: &'b str,
    /// Its record.
    pub record: &'b Record,
    /// How much worse a figure may become, 0 to 1, until it counts as a regression.
    pub tolerance: f64,
}

impl Report for Markdown<'_> {
    fn outputs(&self, record: &Record) -> Result<Vec<Output>> {
        let mut text = String::new();
        head(&mut text, record);
        numbers(&mut text, record);
        search(&mut text, record);
        steps(&mut text, record);
        rules(&mut text, record);
        failures(&mut text, record);
        beside(&mut text, record);
        if let Some(base) = &self.base {
            compared(&mut text, base, record);
        }
        conditions(&mut text, record);
        Ok(vec![Output {
            suffix: "",
            bytes: text.into_bytes(),
        }])
    }
}

/// Whether it passed and why not, and whether its figures can be believed.
fn head(text: &mut String, record: &Record) {
    let passed = match record.passed {
        true => "passed",
        false => "FAILED",
    };
    let run = &record.run;
    *text += &format!(
        "## opsurge: {passed}\n\n{} on {}\n\n",
        code(&run.scenario),
        code(&run.host)
    );
    if !record.reasons.is_empty() {
        let heading = match record.passed {
            true => "Note",
            false => "Failed, because",
        };
        *text += &format!("**{heading}**\n\n");
        list(text, &record.reasons);
    }
    let verdict = &record.generator.verdict;
    *text += &format!("**Verdict {}**\n\n", plain(&verdict.status));
    list(text, &verdict.reasons);
    let remarks = remarks::all(record);
    if !remarks.is_empty() {
        *text += "**To be read with it**\n\n";
        list(text, &remarks);
    }
}

/// Requests, rate, failures, p50, p99, users.
fn numbers(text: &mut String, record: &Record) {
    let totals = &record.totals;
    let figures = Figures::total(totals);
    let percentile = |percent| figures.show_with_interval(percent).unwrap_or("-".into());
    let rate = match (totals.rps_low, totals.rps_high) {
        (Some(low), Some(high)) => format!(
            "{} ({} to {})",
            three_digits(totals.rps),
            three_digits(low),
            three_digits(high)
        ),
        _ => three_digits(totals.rps),
    };
    let failed = match totals.failures {
        0 => "0".to_owned(),
        count => format!("{} ({})", grouped(count), percent(totals.failure_ratio)),
    };
    let heads = ["Requests", "Requests/s", "Failed", "p50", "p99", "Users"];
    let row = [
        grouped(totals.requests),
        rate,
        failed,
        percentile(50.0),
        percentile(99.0),
        grouped(record.run.users),
    ];
    table(
        text,
        None,
        &heads,
        0,
        [row.map(|cell| plain(&cell)).to_vec()],
    );
}

/// What a search found, and each level.
fn search(text: &mut String, record: &Record) {
    let Some(search) = &record.search else {
        return;
    };
    *text += &format!("**Breaking point**: {}\n\n", plain(&search.ended));
    if let Some(rps) = search.sustainable_rps {
        let bounds = match (search.sustainable_rps_low, search.sustainable_rps_high) {
            (Some(low), Some(high)) => {
                format!(" ({} to {})", three_digits(low), three_digits(high))
            }
            (Some(low), None) => format!(" (at least {})", three_digits(low)),
            _ => String::new(),
        };
        *text += &format!(
            "**Sustainable**: {} requests/s{bounds}\n\n",
            three_digits(rps)
        );
    }
    let heads = ["Level", "Requests/s", "Failed", "p99", "Result"];
    let levels = search.levels.iter().map(|level| {
        let result = match (level.believable, level.good) {
            (false, _) => "not believable",
            (true, true) => "good",
            (true, false) => "bad",
        };
        vec![
            three_digits(level.level),
            three_digits(level.rps),
            percent(level.failure_ratio),
            level.p99_us.map_or("-".into(), crate::text::units::time),
            result.to_owned(),
        ]
    });
    table(text, Some("Levels"), &heads, 0, levels);
}

fn steps(text: &mut String, record: &Record) {
    let heads = [
        "Step",
        "Requests",
        "Failed",
        "Requests/s",
        "p50",
        "p95",
        "p99",
        "max",
    ];
    let rows = record.steps.iter().map(|step| {
        let figures = Figures::all(step);
        let show = |which| plain(&figures.show(which).unwrap_or("-".into()));
        vec![
            code(&names::whole(step)),
            grouped(step.requests),
            grouped(step.failures),
            three_digits(step.rps),
            show(Which::Percentile(50.0)),
            show(Which::Percentile(95.0)),
            show(Which::Percentile(99.0)),
            show(Which::Max),
        ]
    });
    table(text, Some("Steps"), &heads, 1, rows);
}

fn rules(text: &mut String, record: &Record) {
    let heads = ["Rule", "Result", "Measured"];
    let result = |rule: &RuleRecord| match (rule.broken, rule.windows) {
        (true, _) => "**broken**",
        (false, 0) => "not judged",
        (false, _) => "kept",
    };
    let rows = record.rules.iter().map(|rule| {
        vec![
            code(&format!("--{} '{}'", rule.kind, rule.rule)),
            result(rule).to_owned(),
            plain(&match &rule.part {
                Some(part) => format!("{part}: {}", rule.says),
                None => rule.says.clone(),
            }),
        ]
    });
    table(text, Some("Rules"), &heads, 3, rows);
}

fn failures(text: &mut String, record: &Record) {
    let heads = ["Failures", "Step", "Kind", "First", "Last", "Example"];
    let rows = record.errors.iter().map(|error| {
        let status = error.status.map(|status| format!(" {status}"));
        vec![
            grouped(error.count),
            code(&format!("{} {}", error.method, error.name)),
            plain(&format!("{}{}", error.kind, status.unwrap_or_default())),
            moment(error.first_s),
            moment(error.last_s),
            match error.detail.is_empty() {
                true => String::new(),
                false => code(&shortened(&in_one_line(&error.detail), EXAMPLE_MAX)),
            },
        ]
    });
    table(text, Some("Failures"), &heads, 6, rows);
}

fn beside(text: &mut String, record: &Record) {
    let heads = ["Beside the load", "What it used"];
    let rows = watched::others(record).map(|it| {
        let used = format!("{}{}", watched::summary(it), watched::full(it));
        vec![plain(&watched::title(it)), plain(&used)]
    });
    table(text, Some("Watched"), &heads, 2, rows);
}

fn compared(text: &mut String, base: &Base<'_>, record: &Record) {
    // Of repeated runs each counts as one, where both sides have enough of them.
    let inside = [base.record, record].map(Record::single_runs);
    let [of_base, of_new] = match is_comparable(inside[0].len(), inside[1].len()) {
        true => inside,
        false => [base.record, record].map(std::slice::from_ref),
    };
    let comparison = Comparison::new(of_base, of_new);
    *text += &format!("### Compared with {}\n\n", code(base.name));
    let regressions = comparison.regressions(base.tolerance);
    let tolerance = percent(base.tolerance);
    *text += &match regressions.len() {
        0 => format!("No figure is certainly worse by more than {tolerance}.\n\n"),
        count => format!("**Certainly worse by more than {tolerance}: {count}**\n\n"),
    };
    if !comparison.differing.is_empty() {
        *text += "The conditions differ:\n\n";
        list(text, &comparison.differing);
    }
    let heads = ["", "Base", "New", "Change", "95 % interval", ""];
    for (at, group) in comparison.groups.iter().enumerate() {
        // All requests stand open, the steps behind a click.
        if at == 1 {
            *text += "<details><summary>Step by step</summary>\n\n";
        }
        *text += &format!("{}\n\n", code(&name(group)));
        let rows = rows(group, base.tolerance);
        let rows = rows.iter().map(|row| {
            let cells = row.iter().map(|cell| plain(cell.trim()));
            cells.collect()
        });
        table(text, None, &heads, 1, rows);
    }
    if comparison.groups.len() > 1 {
        *text += "</details>\n\n";
    }
    *text += &match of_base.len() {
        1 => {
            "One run each: the intervals do not contain the spread from run to run.\n\n".to_owned()
        }
        runs => format!(
            "{runs} and {} runs: the intervals contain the spread from run to run.\n\n",
            of_new.len()
        ),
    };
}

fn conditions(text: &mut String, record: &Record) {
    let (run, totals) = (&record.run, &record.totals);
    *text += "<details><summary>How it was run</summary>\n\n";
    // The bytes of a part of a run are not known.
    let traffic = match totals.bytes_sent {
        0 => String::new(),
        sent => format!(
            ", {} sent, {} received",
            bytes(sent),
            bytes(totals.bytes_received)
        ),
    };
    let mut lines = vec![
        format!(
            "opsurge {}, {}, started at {}",
            run.version, run.backend, run.started_at
        ),
        format!(
            "{} s of load, ended by {}; seed {}",
            three_digits(totals.load_s),
            run.ended_by,
            run.seed
        ),
        format!("{}{traffic}", counted(run.shards as u64, "shard")),
        machine(run),
    ];
    if !run.command.is_empty() {
        lines.push(line(&run.command));
    }
    list(text, &lines);
    *text += "</details>\n";
}

/// A table with a heading, or nothing without a row. The first `left` columns are aligned to the left.
fn table(
    text: &mut String,
    title: Option<&str>,
    heads: &[&str],
    left: usize,
    rows: impl IntoIterator<Item = Vec<String>>,
) {
    let rows: Vec<Vec<String>> = rows.into_iter().collect();
    if rows.is_empty() {
        return;
    }
    if let Some(title) = title {
        *text += &format!("### {title}\n\n");
    }
    let aligned = (0..heads.len()).map(|at| if at < left { ":---" } else { "---:" });
    *text += &format!(
        "| {} |\n|{}|\n",
        heads.join(" | "),
        aligned.collect::<Vec<_>>().join("|")
    );
    for row in rows.iter().take(ROWS_MAX) {
        *text += &format!("| {} |\n", row.join(" | "));
    }
    text.push('\n');
    if let more @ 1.. = rows.len().saturating_sub(ROWS_MAX) {
        *text += &format!(
            "and {} more rows: the record has them\n\n",
            grouped(more as u64)
        );
    }
}

fn list(text: &mut String, lines: &[String]) {
    for line in lines {
        *text += &format!("- {}\n", plain(line));
    }
    text.push('\n');
}

/// A text in one line, without the meaning that Markdown and HTML give to its signs. A blank of no width behind `@` and
/// `#` keeps GitHub from making mentions and links of them.
fn plain(text: &str) -> String {
    escaped(text, "\u{200b}")
}

/// The same in the type of code, in which GitHub makes no mentions.
fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text, ""))
}

fn escaped(text: &str, behind_mark: &str) -> String {
    let mut escaped = String::new();
    for sign in in_one_line(text).chars() {
        match sign {
            '@' | '#' => escaped += &format!("&#{};{behind_mark}", u32::from(sign)),
            '&' | '<' | '>' | '|' | '`' | '*' | '_' | '[' | ']' | '~' | '\\' | '!' | '$' | '"' => {
                escaped += &format!("&#{};", u32::from(sign));
            }
            _ => escaped.push(sign),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sign_of_a_text_has_a_meaning() {
        assert_eq!(
            code("GET /a|b/[id] <b>@me `x`\n#1"),
            "<code>GET /a&#124;b/&#91;id&#93; &#60;b&#62;&#64;me &#96;x&#96;&#92;n&#35;1</code>"
        );
        assert_eq!(plain("@me"), "&#64;\u{200b}me");
    }
}
