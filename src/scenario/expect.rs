//! What a step wants of an answer: a status, rules for head and body, and values to take out of it.

use std::fmt;

use serde_json::Value as Json;

use crate::http::request::{Slot, is_secret_field};
use crate::http::response::field;

use super::pointer::{Found, Pointer, without_mark};
use super::secrets::Secrets;
use super::variables::Demands;

/// A body kept to be looked at is cut at this length.
pub const BODY_BYTES_KEPT: usize = 64 * 1024;

/// Most characters of a value, or of the beginning of a body, that are shown.
const SHOWN_CHARACTERS: usize = 60;
/// Bytes of a value that are looked at to show so many characters: masked before they are cut, so that no part of a
/// secret is left over.
const MASKED_BYTES: usize = 4 * 1024;

/// What counts as a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// One of these statuses.
    pub statuses: StatusSet,
    /// And all of these.
    pub rules: Vec<Rule>,
}

/// What ends a poll at once, as a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollFailure {
    /// One of these statuses.
    pub statuses: StatusSet,
    /// Or any of these.
    pub rules: Vec<Rule>,
}

/// What an answer has to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A body, and not the JSON text `null`.
    NotNull,
    /// JSON with this value there.
    Equals(Pointer, Json),
    /// JSON with any value there but `null`.
    Exists(Pointer),
    /// This field.
    Header(String),
}

/// A value that is taken out of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extract {
    /// The variable, as holes call it.
    pub name: String,
    /// Where it is put.
    pub slot: Slot,
    /// Where it is found.
    pub from: FoundIn,
    /// Taken where there is no value, or `null`.
    pub default: Option<String>,
    /// What the places ask where it will stand.
    pub demands: Demands,
}

/// Where a value is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundIn {
    /// In the body, which is JSON.
    Json(Pointer),
    /// In the head.
    Header(String),
}

/// An answer, as far as it was kept.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'r> {
    /// Status line and fields.
    pub head: &'r [u8],
    /// The body, without framing.
    pub body: &'r [u8],
}

/// An answer that is not as it should be. It becomes words only when it is shown ([`Unmet::said`]).
#[derive(Clone, Copy, Debug)]
pub struct Unmet<'u> {
    why: Why<'u>,
    reply: Reply<'u>,
}

/// In what an answer is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why<'e> {
    /// Its status is none of these.
    Status(&'e StatusSet),
    /// A rule does not hold.
    Rule(&'e Rule),
    /// Its status ends the poll.
    EndsByStatus,
    /// It has what ends the poll.
    EndsByRule(&'e Rule),
    /// A value cannot be taken.
    Extract(&'e Extract, NotTaken),
}

/// Why a value cannot be taken out of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NotTaken {
    /// It is not there, or the body is no JSON: the answer tells which.
    Missing,
    /// It is there, and this is wrong with it.
    Unfit(&'static str),
}

impl Rule {
    fn holds(&self, reply: Reply<'_>) -> bool {
        match self {
            Self::NotNull => !matches!(without_mark(reply.body).trim_ascii(), b"" | b"null"),
            Self::Equals(pointer, json) => {
                find(pointer, reply.body).is_some_and(|found| found.is(json))
            }
            Self::Exists(pointer) => {
                find(pointer, reply.body).is_some_and(|found| !found.is_null())
            }
            Self::Header(name) => field(reply.head, name).is_some(),
        }
    }

    /// What an answer has instead that this rule does not hold for, as the end of a sentence.
    fn found(&self, reply: Reply<'_>, secrets: &Secrets) -> String {
        match self {
            Self::NotNull => match without_mark(reply.body).trim_ascii() {
                b"" => ", but the body is empty".to_owned(),
                _ => ", found null".to_owned(),
            },
            Self::Equals(pointer, _) | Self::Exists(pointer) => {
                found_at(pointer, reply, secrets).unwrap_or_else(|lack| format!(", {lack}"))
            }
            Self::Header(_) => ", which is not there".to_owned(),
        }
    }
}

fn find<'b>(pointer: &Pointer, body: &'b [u8]) -> Option<Found<'b>> {
    pointer.find(body).ok().flatten()
}

/// The value at a pointer, shortened; or why there is none. Both as the end of a sentence.
fn found_at(pointer: &Pointer, reply: Reply<'_>, secrets: &Secrets) -> Result<String, String> {
    match pointer.find(reply.body) {
        Ok(Some(_)) if is_secret_field(pointer.name()) => Ok(", found another".to_owned()),
        Ok(Some(found)) => Ok(format!(", found {}", shown(found.raw(), secrets))),
        Ok(None) => Err("which is not there".to_owned()),
        Err(error) => Err(format!("but {}", what_is_no_json(reply, &error, secrets))),
    }
}

/// What a body is that is no JSON.
fn what_is_no_json(reply: Reply<'_>, error: &serde_json::Error, secrets: &Secrets) -> String {
    let encoding = field(reply.head, "Content-Encoding").filter(|value| **value != *b"identity");
    let body = without_mark(reply.body);
    let compressed = |how: &str| {
        format!("the body is {how}, and opsurge does not decompress; leave Accept-Encoding out")
    };
    if let Some(encoding) = encoding {
        let encoding = shown(&String::from_utf8_lossy(&encoding), secrets);
        return compressed(&format!("compressed (Content-Encoding: {encoding})"));
    }
    match body {
        [0x1f, 0x8b, ..] => return compressed("gzip-compressed"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => return compressed("zstd-compressed"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            return "the body is UTF-16, and JSON is UTF-8 (RFC 8259 section 8.1)".to_owned();
        }
        _ => {}
    }
    let text = body.trim_ascii();
    match text.first() {
        None => "the body is empty".to_owned(),
        _ if body.len() >= BODY_BYTES_KEPT => {
            "it is not to be seen: of a body the first 64 KiB are looked at".to_owned()
        }
        Some(b'{' | b'[' | b'"' | b'0'..=b'9' | b'-' | b't' | b'f' | b'n') => {
            format!("the body is not JSON: {error}")
        }
        Some(_) => {
            let line = text.split(|&byte| byte == b'\n').next().unwrap_or(text);
            let line = String::from_utf8_lossy(line);
            let line = shown(line.trim_end(), secrets);
            format!("the body is not JSON: it begins with {line}")
        }
    }
}

/// A text without secrets, cut where it is long.
fn shown(text: &str, secrets: &Secrets) -> String {
    let mut end = text.len().min(MASKED_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let masked = match end == text.len() {
        true => secrets.mask(text),
        false => secrets.mask_cut(&text[..end]),
    };
    match masked.char_indices().nth(SHOWN_CHARACTERS) {
        Some((cut, _)) => format!("{}...", &masked[..cut]),
        None if end < text.len() => format!("{masked}..."),
        None => masked,
    }
}

impl Expect {
    /// In what an answer is not as expected: its status, else the first rule that does not hold.
    pub fn unmet<'u>(&'u self, status: u16, reply: Reply<'u>) -> Option<Unmet<'u>> {
        let why = match self.statuses.contains(status) {
            false => Why::Status(&self.statuses),
            true => Why::Rule(self.rules.iter().find(|rule| !rule.holds(reply))?),
        };
        Some(Unmet { why, reply })
    }
}

impl PollFailure {
    /// What in an answer ends the poll.
    pub fn met<'u>(&'u self, status: u16, reply: Reply<'u>) -> Option<Unmet<'u>> {
        let why = match self.statuses.contains(status) {
            true => Why::EndsByStatus,
            false => Why::EndsByRule(self.rules.iter().find(|rule| rule.holds(reply))?),
        };
        Some(Unmet { why, reply })
    }
}

impl Extract {
    /// Puts the value among a user's values.
    ///
    /// # Errors
    /// When it is not there, or does not fit where it is needed; the values are as they were.
    pub fn store<'u>(&'u self, reply: Reply<'u>, values: &mut [u8]) -> Result<(), Unmet<'u>> {
        let unmet = |why| Unmet {
            why: Why::Extract(self, why),
            reply,
        };
        let (json, folded);
        let found = match &self.from {
            FoundIn::Header(name) => {
                folded = field(reply.head, name);
                folded.as_deref()
            }
            FoundIn::Json(pointer) => match pointer.find(reply.body) {
                Err(_) => return Err(unmet(NotTaken::Missing)),
                Ok(None) => None,
                Ok(Some(found)) if found.is_null() => None,
                Ok(Some(found)) => match found.text() {
                    None => return Err(unmet(NotTaken::Unfit("is no Unicode text"))),
                    Some(text) => {
                        json = text;
                        Some(json.as_bytes())
                    }
                },
            },
        };
        let default = self.default.as_deref().map(str::as_bytes);
        let text = found.or(default).ok_or(unmet(NotTaken::Missing))?;
        self.check(text)
            .map_err(|why| unmet(NotTaken::Unfit(why)))?;
        self.slot.store(text, values);
        Ok(())
    }

    /// Whether a text can stand in all the places where the value is put.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn check(&self, text: &[u8]) -> Result<(), &'static str> {
        let is_bare = || serde_json::from_slice::<Json>(text).is_ok_and(|json| !json.is_string());
        if std::str::from_utf8(text).is_err() {
            return Err("is no Unicode text");
        }
        if text.len() > self.slot.bytes_max {
            return Err("is longer than its variable; give it more room with max");
        }
        if self.demands.in_header && text.iter().any(u8::is_ascii_control) {
            return Err("has a character that a header cannot have");
        }
        if self.demands.bare_in_json && !is_bare() {
            return Err("is not a number");
        }
        Ok(())
    }

    /// Why there is no value in an answer, as a sentence.
    fn missing(&self, reply: Reply<'_>, secrets: &Secrets) -> String {
        let FoundIn::Json(pointer) = &self.from else {
            return format!("{} is not there", self.from);
        };
        match pointer.find(reply.body) {
            Err(error) => what_is_no_json(reply, &error, secrets),
            Ok(None) => format!("{} is not there", self.from),
            Ok(Some(_)) => format!("{} is null", self.from),
        }
    }
}

impl Unmet<'_> {
    /// What was expected and what was found, without secrets.
    pub fn said(&self, secrets: &Secrets) -> String {
        let reply = self.reply;
        let text = match self.why {
            Why::Status(statuses) => format!("expected status {statuses}"),
            Why::Rule(rule) => format!("expected {rule}{}", rule.found(reply, secrets)),
            Why::EndsByStatus => "this status ends the poll (failed)".to_owned(),
            Why::EndsByRule(rule) => format!("{rule} ends the poll (failed)"),
            Why::Extract(extract, why) => {
                let lack = match why {
                    NotTaken::Missing => extract.missing(reply, secrets),
                    NotTaken::Unfit(why) => format!("{} {why}", extract.from),
                };
                format!("without {{{{{}}}}}: {lack}", extract.name)
            }
        };
        secrets.mask(&text)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNull => f.write_str("a body that is not null"),
            Self::Equals(pointer, json) => write!(f, "{json} at {pointer}"),
            Self::Exists(pointer) => write!(f, "a value at {pointer}"),
            Self::Header(name) => write!(f, "the header {name}"),
        }
    }
}

impl fmt::Display for FoundIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(pointer) => write!(f, "the value at {pointer}"),
            Self::Header(name) => write!(f, "the header {name}"),
        }
    }
}

/// A set of status codes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusSet([u64; 16]);

impl StatusSet {
    /// 200 to 299.
    pub fn success() -> Self {
        (200..300).collect()
    }

    /// Whether it holds a status.
    #[inline]
    pub fn contains(&self, status: u16) -> bool {
        let word = self.0.get(usize::from(status / 64));
        word.is_some_and(|word| word >> (status % 64) & 1 == 1)
    }

    /// It holds none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// All that it holds, in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        (0..self.0.len() as u16 * 64).filter(|&status| self.contains(status))
    }
}

/// `200, 202 or 404`; a hundred of them as `2xx`.
impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Vec::new();
        for hundred in (0..1_000).step_by(100) {
            let held: Vec<u16> = self.iter().filter(|s| s / 100 * 100 == hundred).collect();
            match held.len() {
                100 => names.push(format!("{}xx", hundred / 100)),
                _ => names.extend(held.iter().map(u16::to_string)),
            }
        }
        match names.split_last() {
            None => f.write_str("none"),
            Some((last, [])) => f.write_str(last),
            Some((last, others)) => write!(f, "{} or {last}", others.join(", ")),
        }
    }
}

impl FromIterator<u16> for StatusSet {
    /// Statuses from 1,000 on do not exist and are left out.
    fn from_iter<I: IntoIterator<Item = u16>>(statuses: I) -> Self {
        let mut set = Self::default();
        for status in statuses.into_iter().filter(|&status| status < 1_000) {
            set.0[usize::from(status / 64)] |= 1 << (status % 64);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nX-Id: 7a \r\nX-Latin: caf\xe9\r\nLocation: /a\r\n\r\n";

    fn pointer(text: &str) -> Pointer {
        Pointer::parse(text).expect(text)
    }

    fn check(rule: Rule, body: &str, expected: bool) {
        let reply = Reply {
            head: HEAD,
            body: body.as_bytes(),
        };
        assert_eq!(rule.holds(reply), expected, "{rule} in {body}");
    }

    #[test]
    fn rules_hold_for_what_they_say() {
        for body in ["null", " null\n", "", "\u{feff}null"] {
            check(Rule::NotNull, body, false);
        }
        for body in ["{}", "nullable", "\"null\"", "0"] {
            check(Rule::NotNull, body, true);
        }
        let body = r#"{"state":"idle","n":{"x":2.0}}"#;
        check(Rule::Equals(pointer("/state"), "idle".into()), body, true);
        check(Rule::Equals(pointer("/state"), "busy".into()), body, false);
        check(Rule::Equals(pointer("/n/x"), 2.into()), body, true);
        check(
            Rule::Equals(pointer("/n"), serde_json::json!({"x": 2.0})),
            body,
            true,
        );
        check(Rule::Exists(pointer("/n/x")), body, true);
        check(Rule::Exists(pointer("/n/y")), body, false);
        check(Rule::Exists(pointer("/n")), "{\"n\":null}", false);
        check(Rule::Exists(pointer("/n")), "{\"n\":false}", true);
        check(Rule::Exists(pointer("/n/x")), "{\"n\":{\"x\":2}", false);
        check(Rule::Header("x-id".into()), "", true);
        check(Rule::Header("X-I".into()), "", false);
    }

    fn reply(body: &[u8]) -> Reply<'_> {
        Reply { head: HEAD, body }
    }

    fn said(unmet: Unmet<'_>) -> String {
        let mut secrets = Secrets::default();
        secrets.add("s3cret-canary");
        unmet.said(&secrets)
    }

    /// What is said of an answer with status 200 and this body.
    fn check_said(rule: Rule, body: &[u8], expected: &str) {
        let expect = Expect {
            statuses: StatusSet::success(),
            rules: vec![rule],
        };
        let unmet = expect.unmet(200, reply(body));
        assert_eq!(said(unmet.expect("it does not hold")), expected);
    }

    #[test]
    fn what_was_expected_is_said_with_what_was_found() {
        let idle = || Rule::Equals(pointer("/state"), "idle".into());
        let there = || Rule::Exists(pointer("/a/b"));
        let said = |rule, body: &str, expected| check_said(rule, body.as_bytes(), expected);
        said(
            idle(),
            r#"{"state":"busy"}"#,
            "expected \"idle\" at /state, found \"busy\"",
        );
        said(
            idle(),
            "{}",
            "expected \"idle\" at /state, which is not there",
        );
        said(
            there(),
            r#"{"a":{"b":null}}"#,
            "expected a value at /a/b, found null",
        );
        said(
            there(),
            "[]",
            "expected a value at /a/b, which is not there",
        );
        said(
            Rule::NotNull,
            "null",
            "expected a body that is not null, found null",
        );
        said(
            Rule::NotNull,
            " ",
            "expected a body that is not null, but the body is empty",
        );
        said(
            Rule::Header("X-Cart".into()),
            "",
            "expected the header X-Cart, which is not there",
        );
        let long = format!("{{\"state\":\"{}\"}}", "x".repeat(200));
        let shown = format!(
            "expected \"idle\" at /state, found \"{}...",
            "x".repeat(SHOWN_CHARACTERS - 1)
        );
        said(idle(), &long, &shown);
        // It is masked before it is cut.
        let secret = format!("{{\"state\":\"{}s3cret-canary\"}}", "x".repeat(54));
        let shown = format!(
            "expected \"idle\" at /state, found \"{}***\"",
            "x".repeat(54)
        );
        said(idle(), &secret, &shown);
    }

    #[test]
    fn a_body_that_is_no_json_is_said_for_what_it_is() {
        let rule = || Rule::Exists(pointer("/a"));
        for (body, what) in [
            (&b""[..], "the body is empty"),
            (b" \r\n", "the body is empty"),
            (
                b"<!DOCTYPE html>\n<html>",
                "the body is not JSON: it begins with <!DOCTYPE html>",
            ),
            (
                b"{\"a\":1",
                "the body is not JSON: EOF while parsing an object at line 1 column 6",
            ),
            (
                b"{\"a\":1} {}",
                "the body is not JSON: trailing characters at line 1 column 9",
            ),
            (
                b"\x1f\x8b\x08\0\0",
                "the body is gzip-compressed, and opsurge does not decompress; leave Accept-Encoding out",
            ),
            (
                b"\xff\xfe{\0}\0",
                "the body is UTF-16, and JSON is UTF-8 (RFC 8259 section 8.1)",
            ),
        ] {
            let expected = format!("expected a value at /a, but {what}");
            check_said(rule(), body, &expected);
        }
        let long = format!("{{\"b\":\"{}", "x".repeat(BODY_BYTES_KEPT));
        check_said(
            rule(),
            &long.as_bytes()[..BODY_BYTES_KEPT],
            "expected a value at /a, but it is not to be seen: of a body the first 64 KiB are looked at",
        );
        let expect = Expect {
            statuses: StatusSet::success(),
            rules: vec![rule()],
        };
        let encoded = Reply {
            head: b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n",
            body: b"\x0b\x02",
        };
        let unmet = expect.unmet(200, encoded).expect("it is no JSON");
        assert!(
            said(unmet).contains("compressed (Content-Encoding: br), and opsurge does not"),
            "{unmet:?}"
        );
    }

    #[test]
    fn a_byte_order_mark_in_front_of_json_is_skipped() {
        let body = "\u{feff}{\"a\":1}";
        check(Rule::Equals(pointer("/a"), 1.into()), body, true);
        check(Rule::Exists(pointer("/a")), body, true);
        let taken = extracted(FoundIn::Json(pointer("/a")), None, Demands::default(), body);
        assert_eq!(taken, Ok("1".into()));
    }

    #[test]
    fn another_status_is_told_which_one_was_expected() {
        for (statuses, expected) in [
            (vec![202], "expected status 202"),
            (vec![200, 204], "expected status 200 or 204"),
            (vec![201, 200, 404], "expected status 200, 201 or 404"),
            ((200..300).collect(), "expected status 2xx"),
        ] {
            let expect = Expect {
                statuses: statuses.into_iter().collect(),
                rules: Vec::new(),
            };
            let unmet = expect.unmet(503, reply(b""));
            assert_eq!(said(unmet.expect("another status")), expected);
        }
    }

    #[test]
    fn what_ends_a_poll_is_a_status_or_any_of_its_rules() {
        let failed = PollFailure {
            statuses: [500].into_iter().collect(),
            rules: vec![
                Rule::Equals(pointer("/state"), "failed".into()),
                Rule::Exists(pointer("/error")),
            ],
        };
        for (status, body, expected) in [
            (500, "", Some("this status ends the poll (failed)")),
            (
                200,
                r#"{"state":"failed"}"#,
                Some("\"failed\" at /state ends the poll (failed)"),
            ),
            (
                200,
                r#"{"error":"x"}"#,
                Some("a value at /error ends the poll (failed)"),
            ),
            (200, r#"{"state":"busy","error":null}"#, None),
            (404, "", None),
        ] {
            let met = failed.met(status, reply(body.as_bytes())).map(said);
            assert_eq!(met.as_deref(), expected, "{status} {body}");
        }
    }

    fn extracted(
        from: FoundIn,
        default: Option<&str>,
        demands: Demands,
        body: &str,
    ) -> Result<String, String> {
        let slot = Slot {
            offset: 0,
            bytes_max: 8,
            fixed: false,
        };
        let extract = Extract {
            name: "token".into(),
            slot,
            from,
            default: default.map(str::to_owned),
            demands,
        };
        let mut values = vec![0; slot.stride()];
        let stored = extract.store(reply(body.as_bytes()), &mut values);
        let text = String::from_utf8(slot.text(&values).to_vec()).expect("text");
        stored.map(|()| text).map_err(said)
    }

    #[test]
    fn values_are_taken_out_of_head_and_body_or_said_why_not() {
        let json = |text| FoundIn::Json(pointer(text));
        let header = |text: &str| FoundIn::Header(text.into());
        let any = Demands::default();
        let in_header = Demands {
            in_header: true,
            ..any
        };
        let bare = Demands {
            bare_in_json: true,
            ..any
        };
        let ok = |from, demands, body: &str, expected: &str| {
            let found = extracted(from, None, demands, body);
            assert_eq!(found.as_deref(), Ok(expected));
        };
        ok(header("x-ID"), any, "", "7a");
        ok(json("/t"), any, r#"{"t":"a\nb"}"#, "a\nb");
        ok(json("/t"), any, r#"{"t":"null"}"#, "null");
        ok(json("/t"), bare, r#"{"t":-7.5}"#, "-7.5");
        ok(json("/t"), bare, r#"{"t":"7"}"#, "7");
        let check = |from, demands, body: &str, why: &str| {
            let error = extracted(from, None, demands, body).expect_err(why);
            assert_eq!(error, format!("without {{{{token}}}}: {why}"));
        };
        check(
            json("/u"),
            any,
            r#"{"t":1}"#,
            "the value at /u is not there",
        );
        check(json("/t"), any, r#"{"t":null}"#, "the value at /t is null");
        check(json("/t"), bare, r#"{"t":null}"#, "the value at /t is null");
        check(json(""), any, "null", "the value at the whole body is null");
        check(json("/t"), any, "", "the body is empty");
        check(header("x-no"), any, "", "the header x-no is not there");
        check(
            json("/t"),
            bare,
            r#"{"t":"7b"}"#,
            "the value at /t is not a number",
        );
        check(
            json("/t"),
            in_header,
            r#"{"t":"a\r\nb"}"#,
            "the value at /t has a character that a header cannot have",
        );
        check(
            json("/t"),
            any,
            r#"{"t":"123456789"}"#,
            "the value at /t is longer than its variable; give it more room with max",
        );
        check(header("x-id"), bare, "", "the header x-id is not a number");
        check(
            json("/t"),
            any,
            r#"{"t":"\udc00"}"#,
            "the value at /t is no Unicode text",
        );
        check(
            header("x-latin"),
            any,
            "",
            "the header x-latin is no Unicode text",
        );
        let long = format!("{{\"t\":\"{}", "x".repeat(BODY_BYTES_KEPT));
        check(
            json("/t"),
            any,
            &long[..BODY_BYTES_KEPT],
            "it is not to be seen: of a body the first 64 KiB are looked at",
        );
    }

    #[test]
    fn a_default_stands_for_what_is_absent_or_null_and_for_nothing_else() {
        let json = || FoundIn::Json(pointer("/t"));
        let any = Demands::default();
        let taken = |from, body| extracted(from, Some("none"), any, body);
        for (body, expected) in [
            (r#"{"t":"x"}"#, "x"),
            (r#"{"t":""}"#, ""),
            (r#"{"t":null}"#, "none"),
            ("{}", "none"),
        ] {
            assert_eq!(taken(json(), body).as_deref(), Ok(expected), "{body}");
        }
        let header = FoundIn::Header("X-No".into());
        assert_eq!(taken(header, "").as_deref(), Ok("none"));
        for body in ["", "<html>", "{\"t\":\"123456789\"}"] {
            assert!(taken(json(), body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_status_set_holds_what_was_put_in() {
        let set: StatusSet = [200, 202, 404, 599, 999].into_iter().collect();
        for status in 0..1_100 {
            assert_eq!(
                set.contains(status),
                [200, 202, 404, 599, 999].contains(&status),
                "{status}"
            );
        }
        assert!(StatusSet::success().contains(204) && !StatusSet::success().contains(300));
    }
}
