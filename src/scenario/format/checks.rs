//! Checks of an answer in `expect` and `failed`: texts, comparisons, counts, a time limit, classes of statuses.

use std::ops::Range;

use crate::scenario::check::Check;
use crate::scenario::comparison::Comparison;
use crate::scenario::expect::Rule;
use crate::scenario::pattern::Pattern;
use crate::scenario::pointer::Pointer;

use super::place::ScenarioError;
use super::read::read_short;
use super::toml::{Item, Table};

/// `contains`, `lacks`, `matches`, `compare` and `count`.
pub(super) fn read_checks(table: &Table<'_>) -> Result<Vec<Rule>, ScenarioError> {
    let mut checks = Vec::new();
    for item in texts(table.get("contains")) {
        checks.push(Check::Contains(read_text(&item)?));
    }
    for item in texts(table.get("lacks")) {
        checks.push(Check::Lacks(read_text(&item)?));
    }
    for item in texts(table.get("matches")) {
        checks.push(Check::Matches(read_pattern(&item)?));
    }
    if let Some(item) = table.get("compare") {
        read_comparisons(&item, false, Check::Compare, &mut checks)?;
    }
    if let Some(item) = table.get("count") {
        read_comparisons(&item, true, Check::Count, &mut checks)?;
    }
    Ok(checks.into_iter().map(Rule::Check).collect())
}

/// `within`: the time limit of an answer that counts as a success.
pub(super) fn read_limit(table: &Table<'_>) -> Result<Option<Rule>, ScenarioError> {
    table.read("within", |item| match read_short(item)? {
        0 => Err(item.error("no answer takes no time; write for example \"500ms\"")),
        within_ns => Ok(Rule::Check(Check::Within(within_ns))),
    })
}

/// The statuses of a class such as `2xx`.
pub(super) fn read_class(item: &Item<'_>, text: &str) -> Result<Range<u16>, ScenarioError> {
    let hundred = match text.to_ascii_lowercase().as_str() {
        "2xx" => 200,
        "3xx" => 300,
        "4xx" => 400,
        "5xx" => 500,
        _ => {
            return Err(item.error(format!(
                "a status is a number without quotes, or a class such as \"2xx\", and not \"{text}\""
            )));
        }
    };
    Ok(hundred..hundred + 100)
}

pub(super) fn read_pattern(item: &Item<'_>) -> Result<Pattern, ScenarioError> {
    Pattern::parse(&read_text(item)?).map_err(|reason| item.error(reason))
}

/// A text that is searched for in an answer.
pub(super) fn read_text(item: &Item<'_>) -> Result<String, ScenarioError> {
    match item.text()? {
        "" => Err(item.error("every answer has the empty text; write what to look for")),
        text if text.contains("{{") => {
            Err(item.error("an answer is searched for this text, and holes in it are not filled"))
        }
        text => Ok(text.to_owned()),
    }
}

/// A text, or a list of texts.
fn texts<'s>(item: Option<Item<'s>>) -> Vec<Item<'s>> {
    let items = item.map(|item| item.list().unwrap_or_else(|_| vec![item]));
    items.unwrap_or_default()
}

/// Pairs of a pointer and a comparison. A count may be a number, which it then has to be.
fn read_comparisons(
    item: &Item<'_>,
    is_count: bool,
    check: fn(Pointer, Comparison) -> Check,
    checks: &mut Vec<Check>,
) -> Result<(), ScenarioError> {
    const EXAMPLES: &str = "a comparison is a text; write for example \"> 5\" or \"1..100\"";
    for (name, span, value) in item.table()?.entries() {
        let pointer = Pointer::parse(name);
        let pointer = pointer.map_err(|reason| value.source.error(span, reason))?;
        let text = value.text_or_number().map_err(|_| value.error(EXAMPLES))?;
        let exact = format!("{text}..{text}");
        let text = match value.text() {
            Err(_) if is_count => &exact,
            _ => &text,
        };
        let comparison = Comparison::parse(text).map_err(|reason| value.error(reason))?;
        checks.push(check(pointer, comparison));
    }
    Ok(())
}
