//! The first thing that a reader sees: whether the run passed, whether its figures can be believed, and why.

use maud::{Markup, html};

use super::shell::safe;
use crate::metrics::seconds::Status;
use crate::record::schema::{GoalRecord, Record, RuleRecord, SearchRecord};
use crate::report::console::failures::{by_cause, line};
use crate::report::console::generator::reserve_of;
use crate::report::console::slice;
use crate::report::console::tls::NOT_VERIFIED;
use crate::text::units::{counted, grouped, level, moment, percent, rate};

/// Kinds of failure named here; the table of errors has all.
const FAILURES_SHOWN: usize = 3;

/// The section.
pub(super) fn section(record: &Record) -> Markup {
    let verdict = &record.generator.verdict;
    let is_valid = verdict.status == Status::Valid.name();
    let class = match (record.passed, is_valid) {
        (false, _) => "bad",
        (true, false) => "doubtful",
        (true, true) => "good",
    };
    html! {
        section id="verdict" class={ "verdict " (class) } {
            h2 { (headline(record)) }
            p.belief {
                strong { (safe(&verdict.status)) } " – "
                @if is_valid { "the generator kept up, so the figures are the server's." }
                @else { "read the figures with this in mind:" }
            }
            ul.evidence {
                @for reason in &verdict.reasons { li.remark { (safe(reason)) } }
                @if let Some(reserve) = reserve_of(record) { li.remark { (safe(&reserve)) } }
                @for line in slice::lines(record) { li.remark { (safe(&line)) } }
                @if record.tls.as_ref().is_some_and(|tls| tls.insecure) { li.bad { (NOT_VERIFIED) } }
                @if let Some(error) = &record.run.error { li.bad { "Error of the generator: " (safe(error)) } }
                @for reason in other_reasons(record) { li.bad { (safe(reason)) } }
                @for error in failures(record) {
                    li.bad {
                        a href="#errors" { (safe(line(record, error).trim_start_matches("FAILED: "))) }
                        @if let Some(hint) = &error.hint { ": " (safe(hint)) }
                    }
                }
                @for rule in &record.rules { (one_rule(rule)) }
                @for goal in &record.until { (one_goal(goal)) }
                @if let Some(search) = &record.search { (found(search)) }
            }
        }
    }
}

/// The result in one sentence.
fn headline(record: &Record) -> String {
    let totals = &record.totals;
    if totals.requests == 0 {
        return format!(
            "Nothing was measured: {} sent, none with an outcome.",
            counted(totals.sent, "request")
        );
    }
    if let Some(search) = &record.search {
        return safe(&sentence(&search.ended));
    }
    let failed = match totals.failures {
        0 => "none failed".to_owned(),
        count => format!(
            "{} failed ({})",
            grouped(count),
            percent(totals.failure_ratio)
        ),
    };
    let broken = record.rules.iter().filter(|rule| rule.broken).count() as u64;
    let rules = match (record.rules.len() as u64, broken) {
        (0, _) => String::new(),
        (1, 0) => ", its rule held".to_owned(),
        (1, _) => ", its rule was broken".to_owned(),
        (all, 0) => format!(", all {all} rules held"),
        (all, broken) => format!(", {broken} of {} broken", counted(all, "rule")),
    };
    let result = match record.passed {
        true => "Passed",
        false => "Not passed",
    };
    format!(
        "{result}: {} at {}, {failed}{rules}.",
        counted(totals.requests, "request"),
        rate(totals.rps)
    )
}

/// Reasons that are said neither by the rules, nor by the failures of the first sentence.
fn other_reasons(record: &Record) -> impl Iterator<Item = &String> {
    let is_of_rule = |reason: &str| {
        let mut rules = record.rules.iter();
        rules.any(|rule| reason.starts_with(&format!("--{} '{}'", rule.kind, rule.rule)))
    };
    let is_of_failures =
        |reason: &str| record.search.is_none() && reason.contains("requests failed");
    let is_headline = |reason: &str| {
        let mut search = record.search.iter();
        search.any(|search| search.ended == reason)
    };
    let reasons = record.reasons.iter();
    reasons.filter(move |reason| {
        !is_of_rule(reason) && !is_of_failures(reason) && !is_headline(reason)
    })
}

/// Those that name their cause come first.
fn failures(record: &Record) -> Vec<&crate::record::schema::ErrorRecord> {
    let (named, others) = by_cause(record);
    named
        .into_iter()
        .chain(others)
        .take(FAILURES_SHOWN)
        .collect()
}

fn one_rule(rule: &RuleRecord) -> Markup {
    let (class, word) = match (rule.broken, rule.windows) {
        (true, _) => ("bad", "Broken"),
        (false, 0) => ("bad", "Not judged"),
        (false, _) => ("good", "Held"),
    };
    let place = match (rule.from_s, rule.to_s, rule.users) {
        (Some(from_s), Some(to_s), Some(users)) => format!(
            "from {} to {}, with {}",
            moment(from_s),
            moment(to_s),
            counted(users, "user")
        ),
        _ => String::new(),
    };
    html! {
        li class=(class) {
            strong { (word) } " " code { "--" (safe(&rule.kind)) " '" (safe(&rule.rule)) "'" }
            @if !place.is_empty() { " " (place) ":" }
            @if let Some(part) = &rule.part { " (" (safe(part)) ")" }
            " " (safe(&rule.says))
            @if rule.windows > 1 { " (" (counted(rule.windows, "window")) ")" }
            @if let Some(note) = &rule.note { br; (safe(note)) }
        }
    }
}

/// A goal that was not reached is no failure: it says what it would take.
fn one_goal(goal: &GoalRecord) -> Markup {
    let (class, word) = match goal.reached {
        true => ("good", "Known"),
        false => ("remark", "Not known"),
    };
    html! {
        li class=(class) {
            strong { (word) } " " code { "--until '" (safe(&goal.goal)) "'" }
            @if let Some(part) = &goal.part { " in " (safe(part)) }
            " " (safe(&goal.says))
        }
    }
}

fn found(search: &SearchRecord) -> Markup {
    let what = super::levels::what(search);
    html! {
        @if let Some(rps) = search.sustainable_rps {
            li.good {
                strong { "Sustainable" } " " (rate(rps)) " without failure"
                @match (search.sustainable_rps_low, search.sustainable_rps_high) {
                    (Some(low), Some(high)) => { " (" (rate(low)) " to " (rate(high)) ")" }
                    (Some(low), None) => { " (at least " (rate(low)) ")" }
                    _ => {}
                }
                @if let Some(good) = search.last_good { ", at " (level(good)) " " (what) }
            }
        }
        @if let Some(bad) = search.first_bad {
            li.bad { strong { "First level that did not hold" } " " (level(bad)) " " (what) }
        }
        @for rule in &search.rules { li.remark { "No level may break " code { (safe(rule)) } } }
    }
}

/// A text as a sentence: it begins with a capital and ends with a stop.
fn sentence(text: &str) -> String {
    let mut characters = text.trim().chars();
    let first: String = characters
        .next()
        .map(char::to_uppercase)
        .into_iter()
        .flatten()
        .collect();
    let text = format!("{first}{}", characters.as_str());
    match text.ends_with(['.', '!', '?']) {
        true => text,
        false => format!("{text}."),
    }
}
