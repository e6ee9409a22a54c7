//! Values of answers that come back in later requests.
//!
//! 1. Each text and number of each answer is listed under the first answer that has it.
//! 2. Each value of each request is looked up: segments of the path, values of query, form, header and JSON.
//! 3. A value counts as taken from an answer when no request up to that answer had it, and when it is unlikely by chance:
//!    long, or an id by its name.
//! 4. The answer's step extracts it, and the later requests get its hole.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value as Json;

use super::draft::{BARE, Body, Draft, Extracted, FoundIn, Step, variable_name};
use super::target::decoded;

/// opsurge reads so many bytes of an answer.
pub(super) const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// A text of this length with a digit in it does not come back by chance, in bytes.
const LONG_BYTES: usize = 8;
/// A text of this length does not come back by chance, in bytes.
const VERY_LONG_BYTES: usize = 16;
/// Longest value that can be extracted, in bytes.
const VALUE_BYTES_MAX: usize = 16 * 1024;
/// Length up to which the default room is enough, in bytes.
const DEFAULT_ROOM_BYTES: usize = 512;

/// What is known of an answer.
pub(super) struct Answer {
    pub json: Option<Json>,
    pub headers: Vec<(String, String)>,
}

/// Where a value of an answer stands.
struct Origin {
    step: usize,
    from: FoundIn,
    /// Name of the member, with that of the list or table around it.
    name: String,
    is_id: bool,
}

/// Finds the values, adds their extraction, and writes holes for them.
pub(super) fn reuse(steps: &mut [Step], answers: &[Answer], draft: &mut Draft) {
    let mut origins: HashMap<String, Origin> = HashMap::new();
    for (step, answer) in answers.iter().enumerate() {
        if let Some(json) = &answer.json {
            let mut path = Vec::new();
            list(json, step, &mut path, &mut origins);
        }
        for (name, value) in &answer.headers {
            let lower = name.to_ascii_lowercase();
            if lower.starts_with("x-") || lower.contains("token") || lower.contains("csrf") {
                origins.entry(value.clone()).or_insert_with(|| Origin {
                    step,
                    from: FoundIn::Header(name.clone()),
                    name: lower,
                    is_id: false,
                });
            }
        }
    }
    let mut seen: HashSet<String> = HashSet::new();
    // The extracted values, by text.
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let used: Vec<Vec<Used>> = steps.iter().map(values_of).collect();
    let mut first_use: HashMap<&str, usize> = HashMap::new();
    for (at, values) in used.iter().enumerate() {
        for value in values {
            first_use.entry(&value.text).or_insert(at);
        }
    }
    for (at, values) in used.iter().enumerate() {
        for value in values {
            let Some(origin) = origins.get(&value.text) else {
                continue;
            };
            let is_new = first_use[value.text.as_str()] > origin.step;
            if origin.step >= at || !is_new || !is_credible(value, origin) {
                continue;
            }
            let name = match names.get(&value.text) {
                Some(name) => name.clone(),
                None => {
                    let mut name = draft.free_name(&origin.name);
                    let mut number = 2;
                    while !seen.insert(name.clone()) {
                        name = format!("{}_{number}", variable_name(&origin.name));
                        number += 1;
                    }
                    names.insert(value.text.clone(), name.clone());
                    steps[origin.step].extract.push(Extracted {
                        name: name.clone(),
                        from: origin.from.clone(),
                        bytes_max: (value.text.len() > DEFAULT_ROOM_BYTES)
                            .then(|| (2 * value.text.len()).min(VALUE_BYTES_MAX)),
                    });
                    name
                }
            };
            write_hole(&mut steps[at], value, &name);
        }
    }
    if !names.is_empty() {
        draft.comments.push(
            "Guessed: values of answers that came back in later requests are extracted (extract)."
                .to_owned(),
        );
    }
}

/// A value of a request.
struct Used {
    text: String,
    site: Site,
    /// Name of the member, parameter or field; empty in the path.
    name: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Site {
    Path,
    Pair,
    Header,
    Json,
}

/// Lists the texts and numbers of an answer.
fn list(json: &Json, step: usize, path: &mut Vec<String>, origins: &mut HashMap<String, Origin>) {
    let text = match json {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        Json::Array(items) => {
            for (nth, item) in items.iter().enumerate() {
                path.push(nth.to_string());
                list(item, step, path, origins);
                path.pop();
            }
            return;
        }
        Json::Object(members) => {
            for (name, value) in members {
                path.push(name.clone());
                list(value, step, path, origins);
                path.pop();
            }
            return;
        }
        Json::Null | Json::Bool(_) => return,
    };
    if text.is_empty() || text.len() > VALUE_BYTES_MAX || origins.contains_key(&text) {
        return;
    }
    let is_name = |part: &&String| part.parse::<usize>().is_err();
    let mut parts = path.iter().rev().filter(is_name);
    let own = parts.next().cloned().unwrap_or_else(|| "value".to_owned());
    let around = parts.next().cloned().unwrap_or_default();
    let is_id = names_an_id(&own);
    let name = match own.to_ascii_lowercase().as_str() {
        "id" | "uuid" | "key" | "value" | "code" if !around.is_empty() => {
            format!("{}_{own}", singular(&around))
        }
        _ => own,
    };
    let pointer: String = path
        .iter()
        .map(|part| format!("/{}", escaped(part)))
        .collect();
    origins.insert(
        text,
        Origin {
            step,
            from: FoundIn::Json(pointer),
            name,
            is_id,
        },
    );
}

/// A part of a JSON pointer (RFC 6901 section 3).
fn escaped(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

fn singular(name: &str) -> &str {
    match name.strip_suffix('s') {
        Some(rest) if rest.len() > 2 && !rest.ends_with('s') => rest,
        _ => name,
    }
}

fn names_an_id(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_id =
        lower == "id" || name.ends_with("Id") || name.ends_with("ID") || lower.ends_with("_id");
    is_id
        || [
            "uuid", "token", "slug", "number", "cursor", "csrf", "nonce", "sku", "ref",
        ]
        .iter()
        .any(|part| lower.ends_with(part))
}

/// Whether a value is unlikely to be the same by chance.
fn is_credible(value: &Used, origin: &Origin) -> bool {
    let text = &value.text;
    let has_digit = text.contains(|c: char| c.is_ascii_digit());
    let is_long = text.len() >= LONG_BYTES && has_digit || text.len() >= VERY_LONG_BYTES;
    let is_word = matches!(value.site, Site::Header) && text.len() < LONG_BYTES;
    is_long && !is_word
        || origin.is_id
            && (value.site == Site::Path || names_an_id(&value.name))
            && (has_digit || text.len() > 3)
}

/// The values of a request.
fn values_of(step: &Step) -> Vec<Used> {
    let mut values = Vec::new();
    let mut push = |text: &str, site, name: &str| {
        if !text.is_empty() && !text.contains("{{") {
            values.push(Used {
                text: text.to_owned(),
                site,
                name: name.to_owned(),
            });
        }
    };
    for segment in step.path.split('/') {
        push(&decoded(&segment.replace('+', "%2B")), Site::Path, "");
    }
    for (name, value) in &step.query {
        push(value, Site::Pair, name);
    }
    for (name, value) in &step.headers {
        let word = value.rsplit(' ').next().unwrap_or_default();
        push(word, Site::Header, name);
    }
    match &step.body {
        Body::Form(pairs) => {
            for (name, value) in pairs {
                push(value, Site::Pair, name);
            }
        }
        Body::Json(json) => {
            each_leaf("", json, &mut |name, text| push(text, Site::Json, name));
        }
        Body::None | Body::Text(_) | Body::File(_) => {}
    }
    values
}

fn each_leaf(name: &str, json: &Json, push: &mut dyn FnMut(&str, &str)) {
    match json {
        Json::String(text) => push(name, text),
        Json::Number(number) => push(name, &number.to_string()),
        Json::Array(items) => items.iter().for_each(|item| each_leaf(name, item, push)),
        Json::Object(members) => members
            .iter()
            .for_each(|(name, value)| each_leaf(name, value, push)),
        Json::Null | Json::Bool(_) => {}
    }
}

fn write_hole(step: &mut Step, value: &Used, name: &str) {
    let hole = format!("{{{{{name}}}}}");
    let is_same = |text: &str| text == value.text;
    match value.site {
        Site::Path => {
            let segments = step.path.split('/');
            let segments = segments.map(|segment| {
                let is_value = is_same(&decoded(&segment.replace('+', "%2B")));
                if is_value { hole.as_str() } else { segment }
            });
            step.path = segments.collect::<Vec<_>>().join("/");
            // The hole names the place better than [id].
            step.name = super::target::name_of(&step.path);
        }
        Site::Header => {
            for (_, text) in &mut step.headers {
                if text.rsplit(' ').next().is_some_and(is_same) {
                    *text = format!("{}{hole}", &text[..text.len() - value.text.len()]);
                }
            }
        }
        Site::Pair => {
            let form = match &mut step.body {
                Body::Form(pairs) => &mut pairs[..],
                _ => &mut [],
            };
            for (_, text) in step.query.iter_mut().chain(form) {
                if is_same(text) {
                    text.clone_from(&hole);
                }
            }
        }
        Site::Json => {
            if let Body::Json(json) = &mut step.body {
                write_json_hole(json, &value.text, &hole);
            }
        }
    }
}

fn write_json_hole(json: &mut Json, text: &str, hole: &str) {
    match json {
        Json::String(own) if own == text => hole.clone_into(own),
        Json::Number(number) if number.to_string() == text => {
            *json = Json::from(format!("{BARE}{hole}"));
        }
        Json::Array(items) => items
            .iter_mut()
            .for_each(|item| write_json_hole(item, text, hole)),
        Json::Object(members) => {
            for (_, value) in members.iter_mut() {
                write_json_hole(value, text, hole);
            }
        }
        _ => {}
    }
}
