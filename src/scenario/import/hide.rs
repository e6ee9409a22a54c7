//! Secrets of a draft: replaced by variables, wherever they stand.
//!
//! 1. Found by the name of a field, a parameter, a cookie or a member (`password`, `Authorization`), and by form (a JSON Web
//!    Token, the prefixes of well-known keys).
//! 2. Each gets one variable with the text `replace-me`; a note says what to do.
//! 3. The same text is replaced wherever else it stands. A short word is not: the password `admin` would be taken out of
//!    the path `/admin`.

use serde_json::Value as Json;

use crate::http::request::is_secret_field;
use crate::scenario::members::secrets_in;
use crate::scenario::secrets::Secrets;

use super::draft::{Body, Draft, PLACEHOLDER, SAMPLE, Step, variable_name};
use super::target::encoded_path;

/// Shortest secret that is replaced at places whose names do not tell that they hold one, in bytes.
const STRONG_BYTES_MIN: usize = 6;
/// Longest value of a cookie that stays as it is: a language, a theme.
const COOKIE_PLAIN_BYTES_MAX: usize = 8;
/// Beginnings of keys and tokens of well-known services.
const PREFIXES: [&str; 14] = [
    "sk_live_",
    "sk_test_",
    "pk_live_",
    "sk-",
    "ghp_",
    "gho_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "AIza",
    "ya29.",
    "eyJ",
];
/// Length from which a text with one of the prefixes is a key.
const PREFIXED_BYTES_MIN: usize = 16;

/// A secret, and the name that its variable should have.
struct Found {
    secret: String,
    wanted: String,
}

/// Replaces the secrets.
pub fn hide(draft: &mut Draft) {
    let mut found = Vec::new();
    for step in draft.steps() {
        find(step, &mut found);
    }
    let mut all = Secrets::default();
    let mut known: Vec<(String, String)> = Vec::new();
    for variable in &mut draft.variables {
        let is_open = variable.value.contains("{{") || variable.value == PLACEHOLDER;
        if is_open || !(is_secret_field(&variable.name) || looks_secret(&variable.value)) {
            continue;
        }
        let secret = std::mem::replace(&mut variable.value, PLACEHOLDER.to_owned());
        variable.comment = comment_of(&variable.name);
        all.add(&secret);
        known.push((secret, variable.name.clone()));
    }
    for Found { secret, wanted } in found {
        if known.iter().any(|(it, _)| *it == secret) {
            continue;
        }
        let name = draft.free_name(&wanted);
        let comment = match name.starts_with("basic_credentials") {
            true => "secret: the output of `printf %s USER:PASSWORD | base64`".to_owned(),
            false => comment_of(&name),
        };
        draft.add_variable(&name, PLACEHOLDER, &comment);
        all.add(&secret);
        known.push((secret, name));
    }
    // The longest first: one may be part of another.
    known.sort_by_key(|(secret, _)| std::cmp::Reverse(secret.len()));
    let mut numbers = Vec::new();
    for step in draft.steps_mut() {
        step.change_texts(&mut |name, text| replace(name, text, &known));
        hide_numbers(step, &mut numbers);
        if let Some(name) = &mut step.name {
            *name = all.mask_own(name);
        }
        for comment in &mut step.comments {
            *comment = all.mask_own(comment);
        }
    }
    for variable in &mut draft.variables {
        replace(&variable.name, &mut variable.value, &known);
    }
    // The notes below name no secret.
    for note in &mut draft.notes {
        note.what = all.mask_own(&note.what);
    }
    for name in numbers {
        draft.note(
            "JSON",
            format!("{name} is a secret number; 0 is sent in its place"),
        );
    }
    let names: Vec<String> = draft
        .variables
        .iter()
        .map(|variable| variable.name.clone())
        .collect();
    for name in names
        .iter()
        .filter(|name| known.iter().any(|(_, it)| it == *name))
    {
        draft.note(
            "[variables]",
            format!("{name} is a secret and was left out; write it there, or \"{{{{env.NAME}}}}\" to take it from the environment"),
        );
    }
    for comment in draft.comments.iter_mut().chain([&mut draft.about]) {
        *comment = all.mask_own(comment);
    }
}

fn comment_of(name: &str) -> String {
    format!(
        "secret: write it here, or \"{{{{env.{}}}}}\"",
        variable_name(name).to_ascii_uppercase()
    )
}

/// Collects the secrets of a step.
fn find(step: &Step, found: &mut Vec<Found>) {
    let mut copy = step.clone();
    let headers = std::mem::take(&mut copy.headers);
    for (name, value) in &headers {
        find_in_field(name, value, found);
    }
    if let Body::Text(text) = &copy.body {
        for secret in secrets_in(text) {
            push(found, &secret, "secret");
        }
    }
    copy.change_texts(&mut |name, text| {
        let is_secret = is_secret_field(name) && !text.is_empty();
        match is_secret || looks_secret(text) {
            true => push(found, text, if name.is_empty() { "secret" } else { name }),
            false if name.is_empty() => find_in_words(text, found),
            false => {}
        }
    });
    if let Body::Json(json) = &copy.body {
        find_nested(json, false, found);
    }
}

/// Texts below a member whose name says that it is secret.
fn find_nested(json: &Json, is_secret: bool, found: &mut Vec<Found>) {
    match json {
        Json::Object(members) => {
            for (name, value) in members {
                let is_secret = is_secret || is_secret_field(name);
                match value {
                    Json::String(text) if is_secret => push(found, text, name),
                    value => find_nested(value, is_secret, found),
                }
            }
        }
        Json::Array(items) => {
            for item in items {
                match item {
                    Json::String(text) if is_secret => push(found, text, "secret"),
                    item => find_nested(item, is_secret, found),
                }
            }
        }
        _ => {}
    }
}

fn find_in_field(name: &str, value: &str, found: &mut Vec<Found>) {
    if name.eq_ignore_ascii_case("cookie") {
        for pair in value.split(';') {
            let (name, value) = pair
                .trim()
                .split_once('=')
                .unwrap_or(("cookie", pair.trim()));
            let is_word = value
                .chars()
                .all(|c| c.is_ascii_alphabetic() || c == '-' || c == '_');
            let is_plain =
                value.len() <= COOKIE_PLAIN_BYTES_MAX && is_word && !is_secret_field(name);
            if !is_plain {
                push(found, value, &format!("cookie_{name}"));
            }
        }
        return;
    }
    if !is_secret_field(name) {
        return find_in_words(value, found);
    }
    let (scheme, rest) = value.split_once(' ').unwrap_or(("", value));
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => push(found, rest, "bearer_token"),
        "basic" => push(found, rest, "basic_credentials"),
        "token" | "apikey" | "negotiate" => push(found, rest, name),
        _ => push(found, value, name),
    }
}

/// Words of a longer text that look like keys.
fn find_in_words(text: &str, found: &mut Vec<Found>) {
    let is_between = |c: char| c.is_whitespace() || "/\"',;=&?()<>".contains(c);
    for word in text.split(is_between).filter(|word| looks_secret(word)) {
        push(found, word, "secret");
    }
}

fn push(found: &mut Vec<Found>, secret: &str, wanted: &str) {
    let secret = secret.trim();
    if secret.is_empty() || secret.contains("{{") || secret == PLACEHOLDER {
        return;
    }
    found.push(Found {
        secret: secret.to_owned(),
        wanted: variable_name(wanted),
    });
}

fn looks_secret(text: &str) -> bool {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    text.len() >= PREFIXED_BYTES_MIN
        && text.chars().all(is_token)
        && PREFIXES.iter().any(|prefix| text.starts_with(prefix))
}

/// Replaces secrets in a text, outside its holes.
fn replace(name: &str, text: &mut String, known: &[(String, String)]) {
    let is_place_of_secrets = is_secret_field(name) || name.eq_ignore_ascii_case("cookie");
    for (secret, variable) in known {
        let is_strong =
            secret.len() >= STRONG_BYTES_MIN && secret.chars().any(|c| !c.is_ascii_alphabetic());
        let is_same = text == secret && secret != SAMPLE;
        if !is_strong && !is_place_of_secrets && !is_same {
            continue;
        }
        let hole = format!("{{{{{variable}}}}}");
        let encoded = encoded_path(&format!("/{secret}"));
        for form in [secret.as_str(), &encoded[1..]] {
            if text.contains(form) {
                *text = replace_outside_holes(text, form, &hole);
            }
        }
    }
}

/// Replaces a text outside the holes of another.
pub(super) fn replace_outside_holes(text: &str, from: &str, to: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find("{{") {
        let Some(close) = rest[open..].find("}}") else {
            break;
        };
        out += &rest[..open].replace(from, to);
        out += &rest[open..open + close + 2];
        rest = &rest[open + close + 2..];
    }
    out + &rest.replace(from, to)
}

/// Secret numbers in JSON become 0: a variable's text cannot stand there.
fn hide_numbers(step: &mut Step, names: &mut Vec<String>) {
    if let Body::Json(json) = &mut step.body {
        hide_numbers_in(json, None, names);
    }
}

/// `secret` is the name of the secret member around the value.
fn hide_numbers_in(json: &mut Json, secret: Option<&str>, names: &mut Vec<String>) {
    match json {
        Json::Object(members) => {
            for (name, value) in members {
                let own = is_secret_field(name).then_some(name.as_str());
                hide_numbers_in(value, secret.or(own), names);
            }
        }
        Json::Array(items) => {
            for item in items {
                hide_numbers_in(item, secret, names);
            }
        }
        Json::Number(_) => {
            if let Some(name) = secret {
                names.push(name.to_owned());
                *json = Json::from(0);
            }
        }
        _ => {}
    }
}
