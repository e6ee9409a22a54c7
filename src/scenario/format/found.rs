//! Where a step finds a value that it extracts.

use crate::scenario::excerpt::Excerpt;
use crate::scenario::expect::FoundIn;
use crate::scenario::html::HtmlPlace;
use crate::scenario::picked::{Pick, Picked};
use crate::text::suggest::did_you_mean;

use super::answer::{read_cookie_name, read_field_name, read_pointer};
use super::checks::{read_pattern, read_text};
use super::place::ScenarioError;
use super::toml::{Item, Table};

/// What is said when it is not clear where a value is found.
pub(super) const WHERE_FOUND: &str = "say where it is found: { json = \"/pointer/to/it\" }, { header = \"Name\" }, { regex = \"id=([0-9]+)\" }, { between = [\"id=\", \"&\"] }, { html = \"input[name=id]@value\" }, or a cookie by its name";

/// The place of a value: exactly one of its kinds.
pub(super) fn read_found_in(table: &Table<'_>, item: &Item<'_>) -> Result<FoundIn, ScenarioError> {
    let kinds = ["json", "header", "cookie", "regex", "between", "html"];
    let mut given = kinds.map(|kind| table.get(kind)).into_iter().zip(kinds);
    let found = given.find_map(|(place, kind)| Some((place?, kind)));
    let Some((place, kind)) = found else {
        return Err(item.error(WHERE_FOUND));
    };
    if let Some((second, other)) = given.find_map(|(place, kind)| Some((place?, kind))) {
        return Err(second.error(format!(
            "a value has one place: {kind} or {other}, not both"
        )));
    }
    let pick = table.get("pick");
    if let (Some(pick), true) = (&pick, kind != "json") {
        return Err(
            pick.error("pick is for a list of JSON: { json = \"/items/*/id\", pick = \"random\" }")
        );
    }
    match kind {
        "json" => read_json(&place, pick.as_ref()),
        "header" => read_field_name(&place).map(FoundIn::Header),
        "cookie" => read_cookie_name(&place).map(FoundIn::Cookie),
        "regex" => Ok(FoundIn::Excerpt(Excerpt::Group(read_pattern(&place)?))),
        "html" => match HtmlPlace::parse(&read_text(&place)?) {
            Ok(found) => Ok(FoundIn::Excerpt(Excerpt::Html(found))),
            Err(reason) => Err(place.error(reason)),
        },
        _ => match place.list().unwrap_or_default().as_slice() {
            [before, after] => {
                let (before, after) = (read_text(before)?, read_text(after)?);
                Ok(FoundIn::Excerpt(Excerpt::Between(before, after)))
            }
            _ => Err(place.error(
                "between takes the text before the value and the text behind it: [\"id=\", \"&\"]",
            )),
        },
    }
}

fn read_json(place: &Item<'_>, pick: Option<&Item<'_>>) -> Result<FoundIn, ScenarioError> {
    let Some(pick) = pick else {
        return read_pointer(place).map(FoundIn::Json);
    };
    let name = pick.text()?;
    let known = Pick::NAMES.iter().find(|(known, _)| *known == name);
    let Some((_, pick)) = known else {
        let names = Pick::NAMES.map(|(name, _)| name);
        let near = did_you_mean(name, names);
        let reason = format!("unknown pick \"{name}\"{near} ({})", names.join(", "));
        return Err(pick.error(reason));
    };
    let picked = Picked::parse(place.text()?, *pick).map_err(|reason| place.error(reason))?;
    Ok(FoundIn::Picked(picked))
}
