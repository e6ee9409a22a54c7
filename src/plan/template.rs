//! Text with `{{holes}}` -> literal bytes and holes.

use crate::http::request::Part;

use super::place::{ScenarioError, did_you_mean};
use super::scenario::Secrets;
use super::toml::Item;
use super::variables::{VariablePart, Variables};

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece<'t> {
    Literal(&'t str),
    Hole(&'t str),
}

/// What holes can be filled with before the run.
pub(super) struct Holes<'c> {
    pub api_key: Option<String>,
    pub api_key_env: &'c str,
    pub env: &'c dyn Fn(&str) -> Option<String>,
}

/// Where a text is put, which decides what characters it may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Into {
    Path,
    Header,
    Json,
    Text,
}

/// Cuts a text at its holes. The error is the reason.
fn cut(text: &str) -> Result<Vec<Piece<'_>>, String> {
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
        pieces.push(Piece::Hole(after[..close].trim()));
        rest = &after[close + 2..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    Ok(pieces)
}

/// A user variable's text.
pub(super) fn variable(item: &Item<'_>) -> Result<Vec<VariablePart>, ScenarioError> {
    let mut parts = Vec::new();
    for piece in cut(item.text()?).map_err(|reason| item.error(reason))? {
        parts.push(match piece {
            Piece::Literal(text) => VariablePart::Literal(text.to_owned()),
            Piece::Hole("uuid") => VariablePart::Uuid,
            Piece::Hole("user") => VariablePart::User,
            Piece::Hole(name) => {
                let near = did_you_mean(name, ["uuid", "user"]);
                let reason = format!("a variable has no hole {{{{{name}}}}}{near}");
                return Err(item.error(reason));
            }
        });
    }
    Ok(parts)
}

/// A step's text. What is secret in it is noted.
pub(super) fn step_text(
    item: &Item<'_>,
    text: &str,
    into: Into,
    variables: &Variables,
    holes: &Holes<'_>,
    secrets: &mut Secrets,
) -> Result<Vec<Part>, ScenarioError> {
    let mut parts = Vec::new();
    for piece in cut(text).map_err(|reason| item.error(reason))? {
        let part = match piece {
            Piece::Literal(text) => Part::Literal(text.as_bytes().to_vec()),
            Piece::Hole(name) => match variables.slot(name) {
                Some(slot) => {
                    check_variable(item, name, into, variables)?;
                    Part::Value(slot)
                }
                None => {
                    let value = fixed_value(item, name, variables, holes)?;
                    check_characters(item, name, &value, into)?;
                    secrets.add(&value);
                    Part::Literal(value.into_bytes())
                }
            },
        };
        parts.push(part);
    }
    Ok(parts)
}

/// The value of a hole that is the same for all users.
fn fixed_value(
    item: &Item<'_>,
    name: &str,
    variables: &Variables,
    holes: &Holes<'_>,
) -> Result<String, ScenarioError> {
    if name == "api_key" {
        return holes.api_key.clone().ok_or_else(|| {
            let env = holes.api_key_env;
            item.error(format!(
                "the API key is not known: set the environment variable {env}, or name another with --api-key-env"
            ))
        });
    }
    if let Some(variable) = name.strip_prefix("env.") {
        return (holes.env)(variable)
            .ok_or_else(|| item.error(format!("the environment variable {variable} is not set")));
    }
    let known = variables.names().chain(["api_key", "env.NAME"]);
    let near = did_you_mean(name, known);
    Err(item.error(format!(
        "nothing is known of {{{{{name}}}}}{near} (holes are variables of [variables], api_key and env.NAME)"
    )))
}

fn check_variable(
    item: &Item<'_>,
    name: &str,
    into: Into,
    variables: &Variables,
) -> Result<(), ScenarioError> {
    for literal in variables.literals(name) {
        check_characters(item, name, literal, into)?;
    }
    Ok(())
}

/// What is put into a hole must not break what is around it. The value is not repeated: it may be a secret.
fn check_characters(
    item: &Item<'_>,
    name: &str,
    value: &str,
    into: Into,
) -> Result<(), ScenarioError> {
    let (fits, place): (fn(char) -> bool, _) = match into {
        Into::Path => (is_path_character, "a path"),
        Into::Header => (is_header_character, "a header"),
        Into::Json => (is_json_character, "a JSON text"),
        Into::Text => return Ok(()),
    };
    match value.chars().find(|&character| !fits(character)) {
        None => Ok(()),
        Some(character) => Err(item.error(format!(
            "{{{{{name}}}}} brings the character {character:?}, which {place} cannot have"
        ))),
    }
}

/// A character of a request target (RFC 3986 sections 3.3 and 3.4).
pub(super) fn is_path_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/?%[]".contains(character)
}

/// A character of a field value (RFC 9110 section 5.5).
pub(super) fn is_header_character(character: char) -> bool {
    character == '\t' || (character >= ' ' && character != '\x7f')
}

fn is_json_character(character: char) -> bool {
    character >= ' ' && character != '"' && character != '\\'
}
