//! A step's expectations of its answer: statuses, rules, places of values, when to ask again.

use crate::http::response::Keep;
use crate::scenario::check::Check;
use crate::scenario::expect::BODY_BYTES_KEPT;
use crate::scenario::expect::{Expect, Extract, Part, PollFailure, Rule, StatusSet};
use crate::scenario::members::label;
use crate::scenario::model::Repeat;
use crate::scenario::pointer::Pointer;
use crate::text::suggest::did_you_mean;

use super::checks::{read_checks, read_class, read_limit};
use super::place::ScenarioError;
use super::read::read_short;
use super::site::is_cookie_name;
use super::toml::{Item, Table};

/// The parts of an answer that have to be kept to judge it.
pub(super) fn keep<'e>(
    expect: &'e Expect,
    repeat: Option<&'e Repeat>,
    of_flow: impl Iterator<Item = &'e Rule>,
    extract: &[Extract],
) -> Keep {
    let failed = repeat.and_then(|repeat| repeat.failed.as_ref());
    let of_failed = failed.map_or(&[][..], |failed| &failed.rules);
    let rules = expect.rules.iter().chain(of_failed).chain(of_flow);
    let of_extract = extract.iter().map(|extract| extract.from.part());
    let parts: Vec<Part> = rules.map(Rule::part).chain(of_extract).collect();
    Keep {
        head: parts.contains(&Part::Head),
        body_bytes: match parts.contains(&Part::Body) {
            true => BODY_BYTES_KEPT,
            false => 0,
        },
    }
}

pub(super) fn read_pointer(item: &Item<'_>) -> Result<Pointer, ScenarioError> {
    Pointer::parse(item.text()?).map_err(|reason| item.error(reason))
}

pub(super) fn read_field_name(item: &Item<'_>) -> Result<String, ScenarioError> {
    let name = item.text()?;
    match http::HeaderName::from_bytes(name.as_bytes()) {
        Ok(_) => Ok(name.to_owned()),
        Err(_) => Err(item.error(format!("\"{name}\" is not a field name"))),
    }
}

pub(super) fn read_cookie_name(item: &Item<'_>) -> Result<String, ScenarioError> {
    let name = item.text()?;
    match is_cookie_name(name) {
        true => Ok(name.to_owned()),
        false => Err(item.error(format!("\"{name}\" is not the name of a cookie"))),
    }
}

/// The likely meaning of statuses: `{ 404 = "the order was not placed" }`.
pub(super) fn read_hints(item: &Item<'_>) -> Result<Vec<(u16, String)>, ScenarioError> {
    let mut hints = Vec::new();
    for (key, span, item) in item.table()?.entries() {
        match key.parse() {
            Ok(status @ 100..=999) => hints.push((status, label(item.text()?))),
            _ => {
                let reason = format!("\"{key}\" is not a status; write for example 404 = \"why\"");
                return Err(item.source.error(span, reason));
            }
        }
    }
    Ok(hints)
}

pub(super) fn read_expect(item: &Item<'_>) -> Result<Expect, ScenarioError> {
    let table = item.table()?;
    let statuses = table.read("status", read_statuses)?;
    let mut rules = Vec::new();
    if let Some(item) = table.get("body") {
        match item.text()? {
            "not-null" => rules.push(Rule::NotNull),
            other => {
                let near = did_you_mean(other, ["not-null"]);
                return Err(item.error(format!(
                    "unknown rule \"{other}\"{near} (not-null; for texts there are contains, lacks and matches, for members of JSON json, exists, compare and count)"
                )));
            }
        }
    }
    rules.extend(read_rules(&table)?);
    rules.extend(read_limit(&table)?);
    table.finish()?;
    Ok(Expect {
        statuses: statuses.unwrap_or_else(StatusSet::success),
        rules,
    })
}

/// `json`, `exists`, `headers`, and checks.
pub(super) fn read_rules(table: &Table<'_>) -> Result<Vec<Rule>, ScenarioError> {
    let mut rules = Vec::new();
    if let Some(item) = table.get("json") {
        for (name, span, value) in item.table()?.entries() {
            let pointer = Pointer::parse(name);
            let pointer = pointer.map_err(|reason| item.source.error(span, reason))?;
            let expected = value.json()?;
            if expected.to_string().contains("{{") {
                return Err(value.error(
                    "an answer is compared with this text, and holes in it are not filled; ask with exists whether there is a value",
                ));
            }
            rules.push(Rule::Equals(pointer, expected));
        }
    }
    for item in table.read("exists", Item::list)?.unwrap_or_default() {
        rules.push(Rule::Exists(read_pointer(&item)?));
    }
    for item in table.read("headers", Item::list)?.unwrap_or_default() {
        rules.push(Rule::Header(read_field_name(&item)?));
    }
    rules.extend(read_checks(table)?);
    Ok(rules)
}

pub(super) fn read_statuses(item: &Item<'_>) -> Result<StatusSet, ScenarioError> {
    let items = item.list()?;
    if items.is_empty() {
        return Err(item.error("the list of statuses is empty; write for example [200, 202]"));
    }
    let mut statuses = Vec::new();
    for item in &items {
        match item.text() {
            Ok(text) => statuses.extend(read_class(item, text)?),
            Err(_) => statuses.push(item.integer(200..=999)? as u16),
        }
    }
    Ok(statuses.into_iter().collect())
}

/// When a step is asked again, if it is a poll. `expect` is the awaited answer.
pub(super) fn read_repeat(
    table: &Table<'_>,
    expect: &Expect,
) -> Result<Option<Repeat>, ScenarioError> {
    let every = table.get("retry_every");
    let patience = table.get("give_up_after");
    let not_yet = table.get("not_yet");
    let failed = table.get("failed");
    let Some(every) = every else {
        return match (patience.or(not_yet), failed) {
            (Some(item), _) => {
                Err(item.error("it needs retry_every beside it, for example retry_every = \"1s\""))
            }
            (None, Some(item)) => Err(item.error(
                "it says what ends a poll, and needs retry_every beside it; for a step that is not repeated, expect says what is a success, and all else is a failure",
            )),
            (None, None) => Ok(None),
        };
    };
    let is_limit = |rule: &Rule| matches!(rule, Rule::Check(Check::Within(_)));
    if expect.rules.iter().any(is_limit) {
        return Err(every.error(
            "a poll with expect.within would take a late answer for one that is not ready; the time of a poll is give_up_after, that of an attempt timeout",
        ));
    }
    let every_ns = read_short(&every)?;
    if every_ns == 0 {
        return Err(every.error("a poll needs time between its attempts; write for example \"1s\""));
    }
    let Some(patience) = patience else {
        return Err(
            every.error("it needs give_up_after beside it, for example give_up_after = \"15s\"")
        );
    };
    let place = not_yet;
    let not_yet = place.as_ref().map(read_statuses).transpose()?;
    let not_yet = not_yet.unwrap_or_default();
    let both = not_yet.iter().find(|it| expect.statuses.contains(*it));
    if let (Some(place), Some(status)) = (place, both) {
        return Err(place.error(format!(
            "status {status} stands in expect too (default: 2xx), where it ends the poll; say there which status does, for example expect = {{ status = [200] }}"
        )));
    }
    let failed = failed.map(|item| read_failed(&item, expect, &not_yet));
    Ok(Some(Repeat {
        every_ns,
        give_up_after_ns: read_short(&patience)?,
        not_yet,
        failed: failed.transpose()?,
        // Set by `on_give_up`.
        give_up_fails: false,
    }))
}

/// The answers that end a poll as a failure. None of them may be the awaited answer, or mean "not yet".
fn read_failed(
    item: &Item<'_>,
    expect: &Expect,
    not_yet: &StatusSet,
) -> Result<PollFailure, ScenarioError> {
    let table = item.table()?;
    let statuses = table.get("status");
    let failed = PollFailure {
        statuses: statuses
            .as_ref()
            .map(read_statuses)
            .transpose()?
            .unwrap_or_default(),
        rules: read_rules(&table)?,
    };
    table.finish()?;
    for status in failed.statuses.iter() {
        let other = match (expect.statuses.contains(status), not_yet.contains(status)) {
            (true, _) => "expect",
            (_, true) => "not_yet",
            _ => continue,
        };
        let place = statuses.as_ref().unwrap_or(item);
        return Err(place.error(format!(
            "status {status} stands in {other} too; give it one meaning, or say with json which of these answers ends the poll"
        )));
    }
    if let Some(rule) = failed.rules.iter().find(|rule| expect.rules.contains(rule)) {
        return Err(item.error(format!(
            "{rule} stands in expect too; an answer cannot be a success and a failure"
        )));
    }
    match failed.rules.is_empty() && failed.statuses.is_empty() {
        true => Err(item.error(
            "it says nothing that ends the poll; write for example { status = [500], json = { \"/state\" = \"failed\" } }",
        )),
        false => Ok(failed),
    }
}
