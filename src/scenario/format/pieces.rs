//! Texts cut at their `{{holes}}`, and the checks that need no more than that.

use serde_json::Value as Json;

use super::invented::Term;
use super::place::ScenarioError;
use super::toml::Item;

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    Literal(&'t str),
    /// A hole with its braces, and the text between them.
    Hole(&'t str, &'t str),
}

/// Cuts a text at its holes. The error is the reason.
pub(super) fn cut(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find("{{") {
        let after = &rest[open + 2..];
        let Some(close) = after.find("}}") else {
            return Err("a hole is opened with {{ and not closed with }}".into());
        };
        if open > 0 {
            pieces.push(Piece::Literal(&rest[..open]));
        }
        let whole = &rest[open..open + close + 4];
        pieces.push(Piece::Hole(whole, after[..close].trim()));
        rest = &after[close + 2..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    Ok(pieces)
}

/// A hole as other tools write it: `${name}`, `{name}`, `<name>`, `%{name}`.
pub(super) fn another_hole(text: &str) -> Option<&str> {
    for (open, close) in [
        ("${", '}'),
        ("%{", '}'),
        ("#{", '}'),
        ("{", '}'),
        ("<", '>'),
    ] {
        let Some(at) = text.find(open) else { continue };
        let rest = &text[at + open.len()..];
        let Some(end) = rest.find(close) else {
            continue;
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if end > 0 && rest[..end].chars().all(is_name) {
            return Some(&text[at..at + open.len() + end + 1]);
        }
    }
    None
}

/// Whether a piece of JSON that begins inside or outside a string ends on the other side.
pub(super) fn ends_other_side(text: &str, began_inside: bool) -> bool {
    let mut inside = began_inside;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' if inside => _ = characters.next(),
            '"' => inside = !inside,
            _ => {}
        }
    }
    inside != began_inside
}

/// Checks that each text in a table or list closes the holes that it opens. Joined as JSON, the braces of another text
/// could close them.
///
/// # Errors
/// The place of the first text that does not.
pub(super) fn check_holes(item: &Item<'_>) -> Result<(), ScenarioError> {
    if let Ok(text) = item.text() {
        cut(text).map_err(|reason| item.error(reason))?;
    } else if let Ok(items) = item.list() {
        items.iter().try_for_each(check_holes)?;
    } else if let Ok(table) = item.table() {
        for (name, span, item) in table.entries() {
            cut(name).map_err(|reason| item.source.error(span, reason))?;
            check_holes(&item)?;
        }
    }
    Ok(())
}

/// Checks that a JSON text with holes is valid whatever value they get.
///
/// A hole in a string is tried with letters that are not hexadecimal digits (it must not end an escape), a hole outside a
/// string with `null`, which is valid only where a whole value stands (`-{{n}}` may become `--1`).
///
/// # Errors
/// The parser's reason, and its place where the text stands in the file without escapes.
pub(super) fn check_json(item: &Item<'_>, text: &str) -> Result<(), ScenarioError> {
    let mut sample = String::new();
    let mut in_string = false;
    for piece in cut(text).map_err(|reason| item.error(reason))? {
        match piece {
            Piece::Literal(text) => {
                in_string ^= ends_other_side(text, in_string);
                sample += text;
            }
            // As long as the hole, so that places do not move.
            Piece::Hole(whole, _) => {
                let probe = if in_string { "x" } else { "null" };
                let fill = if in_string { 'x' } else { ' ' };
                sample += probe;
                sample.extend(std::iter::repeat_n(fill, whole.len() - probe.len()));
            }
        }
    }
    let Err(error) = serde_json::from_str::<Json>(&sample) else {
        return Ok(());
    };
    let reason = error.to_string();
    let mut place = item.part(text);
    if place.span.len() != text.len() {
        return Err(item.error(format!("not JSON: {reason}")));
    }
    let lines_before = sample.split_inclusive('\n').take(error.line() - 1);
    let line_start: usize = lines_before.map(str::len).sum();
    place.span.start += line_start + error.column().saturating_sub(1);
    let reason = reason.split(" at line ").next().unwrap_or_default();
    Err(place.error(format!("not JSON: {reason}")))
}

/// Checks that the parts of a token's claims make a JSON object whatever values they get. One word alone is not checked:
/// it is the claims as a whole.
///
/// # Errors
/// The reason.
pub(super) fn check_claims(terms: &[Term<'_>]) -> Result<(), String> {
    if let [Term::Word(_)] = terms {
        return Ok(());
    }
    let mut sample = String::new();
    let mut in_string = false;
    for term in terms {
        match term {
            Term::Quoted(text) => {
                in_string ^= ends_other_side(text, in_string);
                sample += text;
            }
            Term::Word(_) if in_string => sample.push('x'),
            Term::Word(_) => sample += "null",
        }
    }
    match serde_json::from_str::<Json>(&sample) {
        Ok(Json::Object(_)) => Ok(()),
        Ok(_) => Err("the claims of a token are a JSON object".to_owned()),
        Err(error) => Err(format!("the claims of the token are not JSON: {error}")),
    }
}
