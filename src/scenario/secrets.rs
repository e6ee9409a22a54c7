//! Texts that must not be shown anywhere, in whatever notation, together with secret members ([`members`]).
//!
//! 1. A secret is matched character by character, each in any notation that servers use: as it is, percent-encoded,
//!    escaped as in JSON or HTML.
//! 2. Where a character has several notations, all are followed at once, without backtracking.
//! 3. At each place the longest secret found is masked, together with any other that begins within it and ends after it.
//!    So no rest of a secret is left because a part of it, or a text that overlaps it, is a secret too.
//! 4. Base64 does not encode character by character. The part that the encodings of all texts with the secret have in
//!    common, in each of the three alignments, is one more secret.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use crate::http::request::{is_secret_field, secrets_of_field};

use super::members;
use super::members::Author;

/// Shortest text that is treated as a secret, in characters.
const SECRET_CHARS_MIN: usize = 4;
/// Shortest piece of base64 that is treated as a secret: a shorter one may well be ordinary text.
const BASE64_CHARS_MIN: usize = 8;

/// Bytes of a request's text that are searched for secret members.
pub const SEARCHED_BYTES_MAX: usize = 64 * 1024;

/// Texts that must not be shown anywhere.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(Vec<String>);

/// The secret at a place of a text.
enum Found {
    Nothing,
    /// A whole secret of so many bytes.
    Whole(usize),
    /// The beginning of a secret, at the end of the text.
    Begun,
}

impl Secrets {
    /// Adds a secret, and its base64. A text below four characters is not added: masking it would mask ordinary text.
    pub fn add(&mut self, secret: &str) {
        if secret.chars().count() < SECRET_CHARS_MIN {
            return;
        }
        self.push(secret.to_owned());
        for before in 0..3 {
            let common = base64_after(before, secret.as_bytes());
            if common.len() >= BASE64_CHARS_MIN {
                self.push(common.replace('+', "-").replace('/', "_"));
                self.push(common);
            }
        }
    }

    /// Adds the secrets in the value of a field whose name says that it is secret.
    pub fn add_field(&mut self, name: &str, value: &str) {
        if !is_secret_field(name) {
            return;
        }
        secrets_of_field(value).for_each(|secret| self.add(secret));
        if let Some(credentials) = basic_credentials(value) {
            self.add(&credentials);
            if let Some((_, password)) = credentials.split_once(':') {
                self.add(password);
            }
        }
    }

    /// Adds the values of a text's secret members.
    pub fn add_members(&mut self, text: &str) {
        for secret in members::secrets_in(text) {
            secrets_of_field(&secret).for_each(|secret| self.add(secret));
        }
    }

    /// Adds the value of a JSON member whose name says that it is secret.
    pub fn add_member(&mut self, name: &str, json: &Json) {
        if let (true, Json::String(text)) = (is_secret_field(name), json) {
            self.add(text);
        }
    }

    fn push(&mut self, secret: String) {
        if !self.0.contains(&secret) {
            self.0.push(secret);
        }
    }

    /// A text with `***` for its secrets.
    pub fn mask(&self, text: &str) -> String {
        members::mask(&self.masked(text, false), Author::Other)
    }

    /// A text that was cut at its end, with `***` for its secrets and for the beginning of one at its end.
    pub fn mask_cut(&self, text: &str) -> String {
        // Decoding turns a character that was cut in two into this one.
        let masked = self.masked(text.trim_end_matches('\u{fffd}'), true);
        members::mask(&masked, Author::Other)
    }

    /// A text of the scenario's author with `***` for its secrets; its holes stay.
    pub fn mask_own(&self, text: &str) -> String {
        members::mask(&self.masked(text, false), Author::Scenario)
    }

    fn masked(&self, text: &str, is_cut: bool) -> String {
        let characters = self.0.iter().flat_map(|secret| secret.chars());
        let mut forms: BTreeMap<char, Vec<String>> = BTreeMap::new();
        for character in characters {
            forms
                .entry(character)
                .or_insert_with(|| forms_of(character));
        }
        let by_character = |secret: &String| secret.chars().map(|c| &forms[&c][..]).collect();
        let secrets: Vec<Vec<&[String]>> = self.0.iter().map(by_character).collect();
        let mut masked = String::with_capacity(text.len());
        // The end of the secrets found so far: one may begin within another and end after it.
        let mut end = 0;
        for (at, next) in text.char_indices() {
            let mut whole = 0;
            let mut is_begun = false;
            for secret in &secrets {
                match found_at(&text[at..], secret) {
                    Found::Nothing => {}
                    Found::Whole(bytes) => whole = whole.max(bytes),
                    Found::Begun => is_begun = true,
                }
            }
            let is_secret = whole > 0 || (is_begun && is_cut);
            if is_secret && at >= end {
                masked += "***";
            }
            if is_begun && is_cut {
                break;
            }
            end = end.max(if whole > 0 { at + whole } else { 0 });
            if at >= end {
                masked.push(next);
            }
        }
        masked
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

/// Whether a text begins with a secret, or with the beginning of one.
fn found_at(text: &str, secret: &[&[String]]) -> Found {
    // Most places of a text end here, without an allocation.
    if !secret[0].iter().any(|form| begins(text, form)) {
        return Found::Nothing;
    }
    // The places at which a match of the characters so far can end.
    let mut ends = vec![0];
    let mut is_begun = false;
    for (nth, forms) in secret.iter().enumerate() {
        let mut next = Vec::new();
        for &end in &ends {
            let rest = &text[end..];
            let is_cut = |form: &String| form.len() > rest.len() && begins(form, rest);
            is_begun |= nth >= SECRET_CHARS_MIN && forms.iter().any(is_cut);
            for form in forms.iter().filter(|form| begins(rest, form)) {
                if !next.contains(&(end + form.len())) {
                    next.push(end + form.len());
                }
            }
        }
        ends = next;
        if ends.is_empty() {
            break;
        }
    }
    match ends.into_iter().max() {
        Some(end) => Found::Whole(end),
        None if is_begun => Found::Begun,
        None => Found::Nothing,
    }
}

/// Whether a text begins with a notation. One longer than a character is an escape, whose letters may have either case.
fn begins(text: &str, with: &str) -> bool {
    // No escape begins with a letter, so that its first character is compared as it is.
    if !with.is_empty() && text.as_bytes().first() != with.as_bytes().first() {
        return false;
    }
    let is_escape = with.len() > 1 && with.is_ascii();
    match text.as_bytes().get(..with.len()) {
        Some(begin) if is_escape => begin.eq_ignore_ascii_case(with.as_bytes()),
        Some(begin) => begin == with.as_bytes(),
        None => false,
    }
}

/// The notations of a character.
fn forms_of(character: char) -> Vec<String> {
    let (mut utf8, mut utf16) = ([0; 4], [0; 2]);
    let bytes = character.encode_utf8(&mut utf8).as_bytes().iter();
    let units = character.encode_utf16(&mut utf16).iter();
    let code = u32::from(character);
    let mut forms = vec![
        character.to_string(),
        bytes.clone().map(|byte| format!("%{byte:02X}")).collect(),
        bytes.map(|byte| format!("\\x{byte:02x}")).collect(),
        units.map(|unit| format!("\\u{unit:04x}")).collect(),
        format!("\\u{{{code:x}}}"),
        format!("&#{code};"),
        format!("&#x{code:x};"),
    ];
    let named: &[&str] = match character {
        ' ' => &["+"],
        '"' => &["\\\"", "&quot;"],
        '\'' => &["\\'", "&apos;"],
        '\\' => &["\\\\"],
        '/' => &["\\/"],
        '&' => &["&amp;"],
        '<' => &["&lt;"],
        '>' => &["&gt;"],
        '\n' => &["\\n"],
        '\r' => &["\\r"],
        '\t' => &["\\t"],
        _ => &[],
    };
    forms.extend(named.iter().copied().map(str::to_owned));
    forms
}

/// The part of the base64 that all texts with these bytes have in common, when the bytes come after `before` others, counted
/// modulo 3.
fn base64_after(before: usize, bytes: &[u8]) -> String {
    let padded = [&[0; 2][..before], bytes].concat();
    let encoded = STANDARD.encode(&padded);
    // The first characters hold bits of the bytes before, the last may hold bits of the bytes after.
    let from = [0, 2, 3][before];
    encoded[from..padded.len() * 8 / 6].to_owned()
}

/// User and password of the Basic scheme (RFC 7617).
fn basic_credentials(value: &str) -> Option<String> {
    let (scheme, encoded) = value.split_once(' ')?;
    let is_basic = scheme.eq_ignore_ascii_case("basic");
    let decoded = is_basic.then(|| STANDARD.decode(encoded.trim()).ok())??;
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_and_not_shown_by_debug() {
        let mut secrets = Secrets::default();
        secrets.add("s3cret");
        assert_eq!(secrets.mask("key s3cret!"), "key ***!");
        assert_eq!(secrets.mask_cut("s3cret, and s3cr"), "***, and ***");
        assert_eq!(secrets.mask_cut("no s3c"), "no s3c");
        secrets.add_field("X-Api-Key", "abcdef");
        secrets.add_field("Accept", "text/plain");
        assert_eq!(secrets.mask("abcdef text/plain"), "*** text/plain");
        assert!(!format!("{secrets:?}").contains("s3cret"));
    }

    #[test]
    fn secrets_are_masked_however_they_are_written_and_as_a_whole() {
        let mut secrets = Secrets::default();
        secrets.add("pass");
        secrets.add("pass\"w&r\\\\d/é");
        for written in [
            "pass\"w&r\\\\d/é",
            "pass%22w%26r%5C%5cd%2f%c3%A9",
            "pass\\\"w\\u0026r\\\\\\\\d\\/\\u00E9",
            "pass&quot;w&amp;r&#92;&#x5c;d/&#233;",
            "p\\x61ss\\x22w&r\\\\d/\\u{e9}",
            "pass",
        ] {
            assert_eq!(secrets.mask(&format!("<{written}>")), "<***>", "{written}");
            for (end, _) in written.char_indices().filter(|(end, _)| *end > 12) {
                let cut = secrets.mask_cut(&format!("<{}", &written[..end]));
                assert_eq!(cut, "<***", "{written} cut at {end}");
            }
        }
        assert_eq!(secrets.mask_cut("pass\"w&r\\\\d/\u{fffd}"), "***");
        secrets.add_field("Authorization", "Bearer t0ken");
        assert_eq!(secrets.mask("Bearer t0ken, t0ken"), "***, ***");
        // One that begins within another.
        secrets.add("abcdef");
        secrets.add("defghi");
        assert_eq!(secrets.mask("<abcdefghi> abcdefabcdef"), "<***> ******");
        assert_eq!(secrets.mask_cut("<abcdefgh"), "<***");
    }

    #[test]
    fn base64_is_masked_wherever_the_secret_stands_in_it() {
        let mut secrets = Secrets::default();
        secrets.add("s3cret?w0rd>");
        for before in ["", "a", "ab", "abc", "user:"] {
            for after in ["", "x", "xy", "xyz"] {
                let encoded = STANDARD.encode(format!("{before}s3cret?w0rd>{after}"));
                for encoded in [encoded.replace('+', "-").replace('/', "_"), encoded] {
                    let masked = secrets.mask(&encoded);
                    assert!(masked.contains("***"), "{encoded}");
                    let most = (before.len() + after.len()) * 2 + 6;
                    assert!(masked.len() <= 3 + most, "{encoded}: {masked}");
                }
            }
        }
    }

    #[test]
    fn basic_credentials_are_masked_in_the_clear_too() {
        let mut secrets = Secrets::default();
        let value = format!("Basic {}", STANDARD.encode("me:s3cret"));
        secrets.add_field("Authorization", &value);
        for text in [&value[..], &value[6..], "me:s3cret", "s3cret"] {
            assert_eq!(secrets.mask(text), "***", "{text}");
        }
        secrets.add_field("Authorization", "Basic no base64");
    }
}
