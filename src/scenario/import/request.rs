//! Requests of other formats: methods, fields and bodies that a step can have.

use serde_json::Value as Json;

use super::draft::{Body, Draft, Step};
use super::target::pairs;

/// Methods of scenarios.
pub(super) const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
/// Fields that browsers add to every request, and fields that opsurge writes itself.
const NOISE: [&str; 22] = [
    "host",
    "content-length",
    "connection",
    "transfer-encoding",
    "accept-encoding",
    "user-agent",
    "referer",
    "origin",
    "dnt",
    "pragma",
    "cache-control",
    "priority",
    "te",
    "upgrade-insecure-requests",
    "keep-alive",
    "proxy-connection",
    "if-none-match",
    "if-modified-since",
    "save-data",
    "accept-language",
    "x-requested-with-chrome",
    "expect",
];
/// Adds a field, unless opsurge or a browser writes it by itself, or its name or value is not allowed.
pub(super) fn add_header(
    step: &mut Step,
    name: &str,
    value: &str,
    is_typed: bool,
    place: &str,
    draft: &mut Draft,
) {
    let lower = name.to_ascii_lowercase();
    let is_noise =
        NOISE.contains(&lower.as_str()) || lower.starts_with("sec-") || lower.starts_with(':');
    if is_noise && !is_typed || value.is_empty() {
        return;
    }
    if http::HeaderName::from_bytes(name.as_bytes()).is_err()
        || value.chars().any(|c| c.is_control() && c != '\t')
    {
        return draft.note(
            place,
            format!("the header {name:?} is not valid and is left out"),
        );
    }
    match step.header(name).map(str::to_owned) {
        Some(first) if lower == "cookie" => step.set_header(name, format!("{first}; {value}")),
        Some(first) => step.set_header(name, format!("{first}, {value}")),
        None => step.headers.push((name.to_owned(), value.to_owned())),
    }
}

/// The body by its content type and its text. A `Content-Type` that opsurge adds by itself is left out.
pub(super) fn set_body(step: &mut Step, text: &str) {
    let kind = step
        .header("Content-Type")
        .unwrap_or_default()
        .to_ascii_lowercase();
    if let Ok(json) = serde_json::from_str::<Json>(text) {
        if kind == "application/json" {
            step.drop_header("Content-Type");
        }
        let is_structure = json.is_object() || json.is_array();
        step.body = match is_structure || kind.contains("json") {
            true => Body::Json(json),
            false => Body::Text(text.to_owned()),
        };
        if is_structure || kind.contains("json") {
            return;
        }
    }
    let looks_like_pairs =
        text.split('&').all(|pair| pair.contains('=')) && !text.contains(['\n', '<', ' ', '"']);
    if kind.starts_with("application/x-www-form-urlencoded") && looks_like_pairs {
        if kind == "application/x-www-form-urlencoded" {
            step.drop_header("Content-Type");
        }
        step.body = Body::Form(pairs(text));
        let is_repeated = |(nth, (name, _)): (usize, &(String, String))| match &step.body {
            Body::Form(pairs) => pairs[..nth].iter().any(|(known, _)| known == name),
            _ => false,
        };
        let has_repeated = match &step.body {
            Body::Form(pairs) => pairs.iter().enumerate().any(is_repeated),
            _ => false,
        };
        if has_repeated {
            step.set_header("Content-Type", "application/x-www-form-urlencoded");
        }
        return;
    }
    step.body = Body::Text(text.to_owned());
}
