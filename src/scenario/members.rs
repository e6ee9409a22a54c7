//! Secret members of a text: those whose name says that their value is secret, such as `"token": "..."`, `api_key=...`,
//! `Cookie: ...`.
//!
//! 1. A name is a run of letters, digits, `_`, `-` and `.`; [`is_secret_field`] says whether it names a secret.
//! 2. After it come the quote that it began with, if any, and a separator: `:`, `=`, `=>`, or `>` of `<name>`. A bare
//!    name before `:` counts only at the beginning of a line, a list or a quoted text: prose has colons too.
//! 3. The end of the value depends on its form: its own quote, its bracket, else the end of the line (a field), or `&` or a
//!    blank (a query or form). A text that was cut within a value ends it.
//! 4. Texts are often within texts: quotes may be escaped, several times, or written as `&quot;` and `%22`.
//!
//! In doubt more text is taken for the value: masking too much does no harm.

use std::ops::Range;

use crate::text::printable::in_one_line;

use crate::http::request::is_secret_field;

/// The author of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// The scenario's author: holes (`{{...}}`) are names of values, not values, and stay.
    Scenario,
    /// A server, or the person who typed a command.
    Other,
}

/// A secret member.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    /// Place of the value, without its quotes.
    value: Range<usize>,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Quoted,
    /// A list or a table.
    Nested,
    /// A number, `true`, `false` or `null` of JSON.
    Scalar,
    /// A pair of a query or a form.
    Pair,
    /// The rest of a line.
    Line,
}

/// Authentication schemes, before the credentials in a field's value (RFC 9110 section 11.1). They are not secret, and
/// stay for the reader.
const SCHEMES: [&str; 6] = ["Bearer", "Basic", "Digest", "Token", "ApiKey", "Negotiate"];
/// Values that reveal nothing.
const NO_SECRETS: [&str; 5] = ["", "null", "true", "false", "None"];
/// Other notations of quotes.
const ENTITIES: [&str; 4] = ["&quot;", "&#34;", "&#39;", "%22"];

/// The text with `***` for the values of its secret members.
pub fn mask(text: &str, author: Author) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    for member in members(text) {
        masked += &text[at..member.value.start];
        let value = &text[member.value.clone()];
        masked += &match member.form {
            Form::Nested => mask_nested(value, author),
            _ => mask_value(value, author),
        };
        at = member.value.end;
    }
    masked + &text[at..]
}

/// A text of the scenario's author as it is shown: in one line, its secret members masked.
pub fn label(text: &str) -> String {
    in_one_line(&mask(text, Author::Scenario))
}

/// The values of a text's secret members, as far as they are texts without holes: as written, and decoded.
pub fn secrets_in(text: &str) -> Vec<String> {
    let mut secrets = Vec::new();
    for Member { value, form } in members(text) {
        let value = split_scheme(text[value].trim()).1;
        if value.contains("{{") {
            continue;
        }
        match form {
            Form::Quoted => {
                secrets.push(value.to_owned());
                secrets.extend(serde_json::from_str::<String>(&format!("\"{value}\"")).ok());
            }
            Form::Pair => {
                secrets.push(value.to_owned());
                secrets.push(percent_decoded(value));
            }
            Form::Line => secrets.push(value.to_owned()),
            Form::Nested => secrets.extend(secrets_in(value)),
            // Too short and too common to be masked elsewhere.
            Form::Scalar => {}
        }
    }
    secrets
}

fn mask_value(value: &str, author: Author) -> String {
    let (scheme, rest) = split_scheme(value);
    let mut masked = scheme.to_owned();
    let mut rest = rest;
    while author == Author::Scenario
        && let Some(open) = rest.find("{{")
        && let Some(length) = rest[open..].find("}}")
    {
        let end = open + length + 2;
        masked += if rest[..open].trim().is_empty() {
            &rest[..open]
        } else {
            "***"
        };
        masked += &rest[open..end];
        rest = &rest[end..];
    }
    // Blanks between and after holes are not a value.
    let is_nothing = rest.trim().is_empty() && (author == Author::Scenario || rest.is_empty());
    masked + if is_nothing { rest } else { "***" }
}

/// A list or table with `***` for every text and number in it; the names in a table stay.
fn mask_nested(text: &str, author: Author) -> String {
    let mut masked = String::new();
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        let (mark, length) = match quote_at(text, at) {
            Some(mark) => (mark.len(), end_of_quoted(text, at + mark.len(), mark) - at),
            None if next.is_whitespace() || "{}[],:\\".contains(next) => {
                masked.push(next);
                at += next.len_utf8();
                continue;
            }
            None => {
                let ends = |c: char| c.is_whitespace() || "{}[],:\"".contains(c);
                let length = end_of_bare(&text[at..], ends);
                // At least one character, whatever it is.
                (0, length.unwrap_or(text.len() - at).max(next.len_utf8()))
            }
        };
        let end = (at + length + mark).min(text.len());
        let value = &text[at + mark..at + length];
        let is_name = text[end..].trim_start().starts_with(':');
        let is_plain = mark == 0 && NO_SECRETS.contains(&value);
        masked += &text[at..at + mark];
        masked += &match is_name || is_plain {
            true => value.to_owned(),
            false => mask_value(value, author),
        };
        masked += &text[at + length..end];
        at = end;
    }
    masked
}

/// Splits a value into its authentication scheme, with the blank after it, and the rest.
fn split_scheme(value: &str) -> (&str, &str) {
    let end = value.find(' ').map_or(0, |blank| blank + 1);
    let is_scheme = SCHEMES
        .iter()
        .any(|scheme| scheme.eq_ignore_ascii_case(value[..end].trim()));
    value.split_at(if is_scheme { end } else { 0 })
}

fn members(text: &str) -> Vec<Member> {
    let bytes = text.as_bytes();
    let mut members = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let begin = at;
        while bytes.get(at).is_some_and(|&byte| is_of_a_name(byte)) {
            at += 1;
        }
        if begin == at {
            at += 1;
        } else if is_secret_field(&text[begin..at])
            && let Some(member) = member_of(text, begin..at)
        {
            at = member.value.end;
            members.push(member);
        }
    }
    members
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}

/// The member that begins with a name; `None` when the text there is not one.
fn member_of(text: &str, name: Range<usize>) -> Option<Member> {
    let bytes = text.as_bytes();
    // `user[password]=...`
    let mut at = name.end;
    while let Some(length) = prefix_of(&text[at..], &["]", "%5D", "%5d"]) {
        at += length;
    }
    let quote = quote_at(text, at);
    at = after_blanks(text, at + quote.map_or(0, str::len));
    let is_element = name.start > 0 && bytes[name.start - 1] == b'<';
    let separator = match &text[at..] {
        rest if is_element && rest.starts_with('>') => 1,
        rest => prefix_of(rest, &["=>", "=", ":", "%3D", "%3d", "%3A", "%3a"])?,
    };
    let is_colon = matches!(&text[at..at + separator], ":" | "%3A" | "%3a");
    if quote.is_none() && is_colon && !begins_something(&text[..name.start]) {
        return None;
    }
    let begin = after_blanks(text, at + separator);
    // A field's value ends with its line, even when it is empty.
    if quote.is_none() && is_colon && text[at + separator..begin].contains('\n') {
        return None;
    }
    let member = |value, form| Some(Member { value, form });
    if let Some(quote) = quote_at(text, begin) {
        let value = begin + quote.len()..end_of_quoted(text, begin + quote.len(), quote);
        return (!value.is_empty()).then_some(Member {
            value,
            form: Form::Quoted,
        });
    }
    let rest = &text[begin..];
    if rest.starts_with(['{', '[']) && !rest.starts_with("{{") {
        return member(begin..begin + end_of_nested(rest), Form::Nested);
    }
    let (length, form) = match (quote, is_colon) {
        _ if is_element => (rest.find('<'), Form::Line),
        (Some(_), true) => {
            let length = end_of_bare(rest, |c| c.is_whitespace() || ",}]".contains(c));
            (length, Form::Scalar)
        }
        (None, true) => (end_of_line(rest, &text[..name.start]), Form::Line),
        (_, false) => {
            let scheme = split_scheme(rest).0.len();
            let ends = |c: char| c.is_whitespace() || "&\"<>`".contains(c);
            (
                end_of_bare(&rest[scheme..], ends).map(|length| scheme + length),
                Form::Pair,
            )
        }
    };
    let value = begin..begin + length.unwrap_or(rest.len());
    let says_nothing = matches!(
        &text[value.clone()],
        "" | "null" | "true" | "false" | "None"
    );
    (!says_nothing).then_some(Member { value, form })
}

/// The length of the alternative that a text begins with.
fn prefix_of(text: &str, ones: &[&str]) -> Option<usize> {
    ones.iter()
        .find(|one| text.starts_with(**one))
        .map(|one| one.len())
}

/// Whether only blanks stand between the beginning of a line, a list, a table or a text and the end of `before`.
fn begins_something(before: &str) -> bool {
    let before = before.trim_end_matches([' ', '\t', '-']);
    let is_line = before.ends_with(['\n', '\r']) || before.is_empty();
    is_line || before.ends_with(['{', '(', '[', ',', ';', '&', '?', '"', '\'', '\\', '>', '|'])
}

/// The quote at a place, with the backslashes before it.
fn quote_at(text: &str, at: usize) -> Option<&str> {
    let rest = &text[at..];
    if let Some(length) = prefix_of(rest, &ENTITIES) {
        return Some(&rest[..length]);
    }
    let quote = rest.trim_start_matches('\\');
    let length = rest.len() - quote.len() + 1;
    quote.starts_with(['"', '\'']).then(|| &rest[..length])
}

fn after_blanks(text: &str, at: usize) -> usize {
    text.len() - text[at..].trim_start().len()
}

/// The end of a quoted value: the same quote with as many backslashes before it. A quote that is escaped within a text that
/// is itself escaped `n` times has a multiple of `2^(n+1)` more of them.
fn end_of_quoted(text: &str, begin: usize, quote: &str) -> usize {
    if ENTITIES.contains(&quote) {
        return text[begin..]
            .find(quote)
            .map_or(text.len(), |at| begin + at);
    }
    let (mark, own) = (quote.as_bytes()[quote.len() - 1], quote.len() - 1);
    let mut backslashes = 0;
    for (at, byte) in text.bytes().enumerate().skip(begin) {
        if byte == mark && backslashes % (2 * (own + 1)) == own {
            return at - own;
        }
        backslashes = if byte == b'\\' { backslashes + 1 } else { 0 };
    }
    text.len()
}

/// Length of a list or table of JSON, its brackets included.
fn end_of_nested(text: &str) -> usize {
    let mut depth = 0u32;
    let mut in_text = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    text.len()
}

/// Length of a value without quotes, up to a character that ends it; blanks within a hole do not.
fn end_of_bare(text: &str, ends: impl Fn(char) -> bool) -> Option<usize> {
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        let hole = text[at..]
            .strip_prefix("{{")
            .and_then(|rest| rest.find("}}"));
        match hole {
            Some(length) => at += length + 4,
            None if ends(next) => return Some(at),
            None => at += next.len_utf8(),
        }
    }
    None
}

/// Length of the rest of a line. In a quoted text the line may end with an escape, or with the quote.
fn end_of_line(text: &str, before: &str) -> Option<usize> {
    let ends: &[&str] = match before.trim_end().chars().next_back() {
        Some('\\' | '"' | '\'') => &["\n", "\r", "\\n", "\\r", "\""],
        _ => &["\n", "\r"],
    };
    ends.iter().filter_map(|end| text.find(end)).min()
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests;
