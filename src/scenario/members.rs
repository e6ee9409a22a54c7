//! Members of a text whose name says that their value is secret: `"token": "..."`, `api_key=...`, `Cookie: ...`.
//!
//! 1. A name is a run of letters, digits, `_`, `-` and `.`; [`is_secret_field`] says whether it names a secret.
//! 2. After it come the quote that it began with, if any, and a separator: `:`, `=`, `=>`, or `>` of `<name>`. A bare
//!    name before `:` counts only where a line, a list or a quoted text begins: prose has colons too.
//! 3. The value ends as its form says: with its own quote, with its bracket, else with the line (a field) or with `&`
//!    or a blank (a query or form). A text that was cut within a value ends it.
//! 4. Texts are often within texts: quotes may be escaped, as often as they like, or written as `&quot;` and `%22`.
//!
//! In doubt more is taken than belongs to the value: what is masked needlessly does no harm.

use std::ops::Range;

use crate::text::printable::in_one_line;

use crate::http::request::is_secret_field;

/// Who wrote the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// The scenario's author: holes (`{{...}}`) are names of values, not values, and stay.
    Scenario,
    /// A server, or whoever typed a command.
    Other,
}

/// A value whose name says that it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    /// Without its quotes.
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
    /// Of a query or a form.
    Pair,
    /// To the end of its line.
    Line,
}

/// Words before credentials in a field's value (RFC 9110 section 11.1). They are no secret, and they help.
const SCHEMES: [&str; 6] = ["Bearer", "Basic", "Digest", "Token", "ApiKey", "Negotiate"];
/// Values that tell nothing.
const NO_SECRETS: [&str; 5] = ["", "null", "true", "false", "None"];
/// Quotes that are written otherwise.
const ENTITIES: [&str; 4] = ["&quot;", "&#34;", "&#39;", "%22"];

/// The text with `***` for the values of members whose name says that they are secret.
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

/// A text of the scenario's author as it is shown: in one line, without values whose name says that they are secret.
pub fn label(text: &str) -> String {
    in_one_line(&mask(text, Author::Scenario))
}

/// The values of such members, as far as they are texts without holes: as they stand, and as they are meant.
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
            // Too short and too common to be looked for elsewhere.
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
    // Of what holes leave over, blanks and JSON's own characters are none.
    let is_nothing = rest.trim().is_empty() && (author == Author::Scenario || rest.is_empty());
    masked + if is_nothing { rest } else { "***" }
}

/// A list or table with `***` for all texts and numbers in it; the names in a table stay.
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

/// An authentication scheme with the blank behind it, and the rest.
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

/// The member that this name has, if it is one.
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
    // A field's value ends with its line, an empty one too.
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

/// The length of the one that a text begins with.
fn prefix_of(text: &str, ones: &[&str]) -> Option<usize> {
    ones.iter()
        .find(|one| text.starts_with(**one))
        .map(|one| one.len())
}

/// Only blanks stand between the place and what begins a line, a list, a table or a text.
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

/// Where a quoted value ends: at the same quote with as many backslashes before it. What is escaped in a text that is
/// itself escaped `n` times has a multiple of `2^(n+1)` more of them.
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

/// Length of what no quotes are around; a hole in it may have blanks.
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

/// Length of the rest of a line. Of a line in a quoted text the end may be written as an escape, or be the quote.
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
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(mask(text, Author::Other), expected, "{text}");
        for (end, _) in text.char_indices() {
            let cut = mask(&text[..end], Author::Other);
            assert!(
                !cut.contains("s3") && !cut.contains("p4"),
                "{text} cut: {cut}"
            );
        }
    }

    #[test]
    fn values_are_masked_by_their_names_in_every_form_of_text() {
        // JSON, as it is and as a text in another.
        check(
            r#"{"token":"s3cr3t","a":"b"}"#,
            r#"{"token":"***","a":"b"}"#,
        );
        check(
            r#"{ "Api-Key" : "s3\"cr3t\\" , "a":1}"#,
            r#"{ "Api-Key" : "***" , "a":1}"#,
        );
        check(
            r#"{"password":1234,"x":null}"#,
            r#"{"password":***,"x":null}"#,
        );
        check(
            r#"{"token":null,"secret":false}"#,
            r#"{"token":null,"secret":false}"#,
        );
        check(
            r#"{"credentials":{"id":"s3cr3t"},"x":1}"#,
            r#"{"credentials":{"id":"***"},"x":1}"#,
        );
        check(
            r#"{"tokens":["s3cr3t","p4ss"],"x":1}"#,
            r#"{"tokens":["***","***"],"x":1}"#,
        );
        check(
            r#"{"m":"{\"pwd\":\"s3\\\"cr3t\",\"x\":\"y\"}"}"#,
            r#"{"m":"{\"pwd\":\"***\",\"x\":\"y\"}"}"#,
        );
        check(
            "{&quot;token&quot;: &quot;s3cr3t&quot;, 1}",
            "{&quot;token&quot;: &quot;***&quot;, 1}",
        );
        check(
            "{'access_token': 's3cr3t', 'a': 1}",
            "{'access_token': '***', 'a': 1}",
        );
        check(
            r#"{"session":{},"secrets":[[{"a b":-7e5,"é":null},"s3c\"r3t"],{"x":"p4ss"}],"x":1}"#,
            r#"{"session":{},"secrets":[[{"a b":***,"é":null},"***"],{"x":"***"}],"x":1}"#,
        );
        // Queries and forms.
        check(
            "GET /x?a=1&api_key=s3cr3t&b=2 HTTP/1.1",
            "GET /x?a=1&api_key=***&b=2 HTTP/1.1",
        );
        check(
            "user=me&user[password]=s3cr3t",
            "user=me&user[password]=***",
        );
        check(
            "next=%2Flogin%3Fapi_key%3Ds3cr3t",
            "next=%2Flogin%3Fapi_key%3D***",
        );
        // Fields and cookies.
        check("X-Token: s3cr3t\r\nAccept: a", "X-Token: ***\r\nAccept: a");
        check(
            "X-Token: s3\"cr3t\\r\r\nAccept: a",
            "X-Token: ***\r\nAccept: a",
        );
        check(
            r#"{"detail":"token: s3cr3t"}"#,
            r#"{"detail":"token: ***"}"#,
        );
        check(
            "Authorization: Bearer s3cr3t\nA: b",
            "Authorization: Bearer ***\nA: b",
        );
        check(
            r#"{"echo":"GET /\r\nCookie: a=s3cr3t; b=p4ss\r\n"}"#,
            r#"{"echo":"GET /\r\nCookie: ***\r\n"}"#,
        );
        check("a=1; session=s3cr3t; b=2", "a=1; session=*** b=2");
        check(
            "<user><password>s3cr3t</password></user>",
            "<user><password>***</password></user>",
        );
        check("key = \"s3cr3t\"", "key = \"***\"");
    }

    #[test]
    fn what_is_no_member_stays() {
        for text in [
            r#"{"detail":"Invalid token: expired"}"#,
            r#"{"author":"Ann","keyboard":"de","tokenize":true}"#,
            "no token was sent, and no key either",
            "GET /session/7 HTTP/1.1",
            "Cookie:\r\nAccept: a",
            "token=&a=1",
            "",
        ] {
            assert_eq!(mask(text, Author::Other), text);
        }
    }

    #[test]
    fn holes_are_names_of_values_where_the_scenarios_author_wrote_them() {
        for (text, expected) in [
            (
                "Authorization = \"Bearer {{api_key}}\"",
                "Authorization = \"Bearer {{api_key}}\"",
            ),
            (
                "q = { api_key = \"ab{{ k }}cd\" }",
                "q = { api_key = \"***{{ k }}***\" }",
            ),
            ("/x?token={{now ms}}&a=1", "/x?token={{now ms}}&a=1"),
        ] {
            assert_eq!(mask(text, Author::Scenario), expected);
            assert!(!mask(text, Author::Other).contains("{{"), "{text}");
        }
    }

    #[test]
    fn secrets_are_taken_out_of_texts_as_they_stand_and_as_they_are_meant() {
        let found = |text| secrets_in(text);
        assert_eq!(
            found(r#"{"password":"a\"b","x":"y","pin_token":7}"#),
            ["a\\\"b", "a\"b"]
        );
        assert_eq!(found("/x?a=b&api_key=a%2Fb+c"), ["a%2Fb+c", "a/b c"]);
        assert_eq!(
            found(r#"{"secrets":{"token":"abcd","x":"y"}}"#),
            ["abcd", "abcd"]
        );
        assert!(found(r#"{"password":"{{csv.password}}"}"#).is_empty());
    }

    #[test]
    fn no_text_whatever_breaks_it() {
        let parts = [
            "token", "\"", "\\", ":", "=", "{{", "}}", "{", "[", "]", "é", "&quot;", " ", "\n",
            "a", "%3D", "<", ">",
        ];
        let mut state = 1u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..state % 14 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                text += parts[(state >> 33) as usize % parts.len()];
            }
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695);
            mask(&text, Author::Scenario);
            mask(&text, Author::Other);
            secrets_in(&text);
        }
    }
}
