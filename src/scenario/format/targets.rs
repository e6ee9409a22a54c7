//! The `[targets]` table: further services that a scenario's requests go to, by name.

use ::toml::de::DeValue;

use crate::scenario::elsewhere::{NAMED_MAX, Named};
use crate::scenario::target::{Target, shown};
use crate::text::suggest::did_you_mean;

use super::context::Context;
use super::place::{ScenarioError, Source};
use super::toml::{Item, Table};

/// Longest name of a target, in bytes.
const NAME_BYTES_MAX: usize = 40;

/// The named targets, with the URLs that the command line gives instead.
pub(super) fn read_targets(
    root: &Table<'_>,
    context: &Context<'_>,
) -> Result<Vec<Named>, ScenarioError> {
    let table = root.read("targets", Item::table)?;
    let mut named: Vec<Named> = Vec::new();
    for (name, span, item) in table.iter().flat_map(Table::entries) {
        check_name(name).map_err(|reason| item.source.error(span, reason))?;
        named.push(Named {
            name: name.to_owned(),
            target: parse(&item, name)?,
        });
    }
    if named.len() > NAMED_MAX {
        let item = root.get("targets");
        let error = |item: Item<'_>| item.error(format!("at most {NAMED_MAX} further targets"));
        return Err(item.map_or_else(|| root.error("too many targets"), error));
    }
    for (name, url) in context.targets {
        let line = format!("{name}={url}");
        let source = Source {
            origin: "--target",
            text: &line,
        };
        let text = DeValue::String(url.into());
        let item = Item::of_text(source, line.len() - url.len()..line.len(), &text);
        let Some(known) = named.iter_mut().find(|known| known.name == *name) else {
            let near = did_you_mean(name, named.iter().map(|known| known.name.as_str()));
            return Err(source.error(
                0..name.len(),
                format!("[targets] of the scenario has no \"{name}\"{near}"),
            ));
        };
        known.target = parse(&item, name)?;
    }
    Ok(named)
}

fn check_name(name: &str) -> Result<(), String> {
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    match !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(is_plain) {
        true => Ok(()),
        false => Err(format!(
            "the name of a target has small letters, digits, - and _, and at most {NAME_BYTES_MAX} of them; write for example login = \"http://localhost:9000\""
        )),
    }
}

fn parse(item: &Item<'_>, name: &str) -> Result<Target, ScenarioError> {
    let text = item.text()?;
    if text.contains("{{") {
        return Err(item.error(
            "holes are not filled in the URL of a target; --target NAME=URL gives another one for a run",
        ));
    }
    if !text.contains("://") {
        return Err(item.error(
            "the URL of a target begins with http:// or https://; write for example \"http://localhost:9000\"",
        ));
    }
    let target = Target::parse(text, name).map_err(|reason| {
        let error = item.error(reason.to_string());
        // The URL may have a password, which the line is shown without.
        match text.contains('@') {
            false => error,
            true => ScenarioError {
                excerpt: shown(&error.excerpt),
                ..error
            },
        }
    })?;
    if target.path.contains('?') {
        return Err(item.error("a target has no query; it belongs to the steps of the scenario"));
    }
    Ok(target)
}

/// The number of the target that a step names, and 0 for one that names none.
pub(super) fn read_target(item: &Item<'_>, named: &[Named]) -> Result<u16, ScenarioError> {
    let name = item.text()?;
    let names = || named.iter().map(|known| known.name.as_str());
    match (names().position(|known| known == name), named.is_empty()) {
        (Some(at), _) => Ok(at as u16 + 1),
        (None, true) => Err(item.error(
            "the scenario has no table [targets] with names and URLs, for example login = \"http://localhost:9000\"; without target, a step goes to the target of the run",
        )),
        (None, false) => Err(item.error(format!(
            "[targets] has no \"{name}\"{} ({}); without target, a step goes to the target of the run",
            did_you_mean(name, names()),
            names().collect::<Vec<_>>().join(", ")
        ))),
    }
}
