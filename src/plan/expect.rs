//! What a step wants of an answer: a status, rules for head and body, and values to take out of it.

use std::fmt;

use serde_json::Value as Json;

use crate::http::request::Slot;
use crate::http::response::field;

use super::pointer::{Found, Pointer};
use super::scenario::BODY_BYTES_KEPT;
use super::variables::Demands;

/// What counts as a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// One of these statuses.
    pub statuses: StatusSet,
    /// And all of these.
    pub rules: Vec<Rule>,
}

/// What an answer has to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A body, and not the JSON text `null`.
    NotNull,
    /// JSON with this value there.
    Equals(Pointer, Json),
    /// JSON with any value there.
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

/// Why an answer is not as it should be. It becomes words only when it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmet<'e> {
    /// A rule does not hold.
    Rule(&'e Rule),
    /// A value is not there, or not as it has to be.
    Extract(&'e Extract, &'static str),
}

impl Rule {
    fn holds(&self, reply: Reply<'_>) -> bool {
        match self {
            Self::NotNull => !matches!(reply.body.trim_ascii(), b"" | b"null"),
            Self::Equals(pointer, json) => {
                find(pointer, reply.body).is_some_and(|found| found.is(json))
            }
            Self::Exists(pointer) => find(pointer, reply.body).is_some(),
            Self::Header(name) => field(reply.head, name).is_some(),
        }
    }
}

fn find<'b>(pointer: &Pointer, body: &'b [u8]) -> Option<Found<'b>> {
    pointer.find(body).ok().flatten()
}

impl Expect {
    /// The first rule that does not hold.
    pub fn unmet(&self, reply: Reply<'_>) -> Option<Unmet<'_>> {
        let broken = self.rules.iter().find(|rule| !rule.holds(reply));
        broken.map(Unmet::Rule)
    }
}

impl Extract {
    /// Puts the value among a user's values.
    ///
    /// # Errors
    /// When it is not there, or does not fit where it is needed; the values are as they were.
    pub fn store(&self, reply: Reply<'_>, values: &mut [u8]) -> Result<(), Unmet<'_>> {
        let unmet = |why| Err(Unmet::Extract(self, why));
        let json;
        let text = match &self.from {
            FoundIn::Header(name) => match field(reply.head, name) {
                Some(value) => value,
                None => return unmet("is not there"),
            },
            FoundIn::Json(pointer) => match find(pointer, reply.body).map(Found::text) {
                Some(Some(text)) => {
                    json = text;
                    json.as_bytes()
                }
                Some(None) => return unmet("is no Unicode text"),
                None if reply.body.len() >= BODY_BYTES_KEPT => {
                    return unmet("is not there, as far as one can see: of a body 64 KiB are kept");
                }
                None => return unmet("is not there"),
            },
        };
        if std::str::from_utf8(text).is_err() {
            return unmet("is no Unicode text");
        }
        let is_bare = || serde_json::from_slice::<Json>(text).is_ok_and(|json| !json.is_string());
        if text.len() > self.slot.bytes_max {
            return unmet("is longer than its variable; give it more room with max");
        }
        if self.demands.in_header && text.iter().any(u8::is_ascii_control) {
            return unmet("has a character that a header cannot have");
        }
        if self.demands.bare_in_json && !is_bare() {
            return unmet("is not a number");
        }
        self.slot.store(text, values);
        Ok(())
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

impl fmt::Display for Unmet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(rule) => write!(f, "without {rule}"),
            Self::Extract(extract, why) => {
                write!(
                    f,
                    "without {{{{{}}}}}: {} {why}",
                    extract.name, extract.from
                )
            }
        }
    }
}

/// A set of status codes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusSet([u64; 10]);

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
}

impl FromIterator<u16> for StatusSet {
    /// Statuses from 600 on do not exist and are left out.
    fn from_iter<I: IntoIterator<Item = u16>>(statuses: I) -> Self {
        let mut set = Self::default();
        for status in statuses.into_iter().filter(|&status| status < 600) {
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
        for body in ["null", " null\n", ""] {
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
        check(Rule::Exists(pointer("/n/x")), "{\"n\":{\"x\":2}", false);
        check(Rule::Header("x-id".into()), "", true);
        check(Rule::Header("X-I".into()), "", false);
    }

    fn extracted(from: FoundIn, demands: Demands, body: &str) -> Result<String, String> {
        let slot = Slot {
            offset: 0,
            bytes_max: 8,
            fixed: false,
        };
        let extract = Extract {
            name: "token".into(),
            slot,
            from,
            demands,
        };
        let mut values = vec![0; slot.stride()];
        let reply = Reply {
            head: HEAD,
            body: body.as_bytes(),
        };
        let stored = extract.store(reply, &mut values);
        let text = String::from_utf8(slot.text(&values).to_vec()).expect("text");
        stored.map(|()| text).map_err(|unmet| unmet.to_string())
    }

    #[test]
    fn values_are_taken_out_of_head_and_body_or_said_why_not() {
        let json = |text| FoundIn::Json(pointer(text));
        let any = Demands::default();
        let in_header = Demands {
            in_header: true,
            ..any
        };
        let bare = Demands {
            bare_in_json: true,
            ..any
        };
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(extracted(FoundIn::Header("x-ID".into()), any, ""), ok("7a"));
        assert_eq!(extracted(json("/t"), any, r#"{"t":"a\nb"}"#), ok("a\nb"));
        assert_eq!(extracted(json("/t"), bare, r#"{"t":-7.5}"#), ok("-7.5"));
        assert_eq!(extracted(json("/t"), bare, r#"{"t":"7"}"#), ok("7"));
        let check = |found: Result<String, String>, why: &str| {
            let error = found.expect_err(why);
            assert!(
                error.starts_with("without {{token}}: ") && error.ends_with(why),
                "{error}"
            );
        };
        check(
            extracted(json("/u"), any, r#"{"t":1}"#),
            "the value at /u is not there",
        );
        check(
            extracted(json("/t"), bare, r#"{"t":"7b"}"#),
            "is not a number",
        );
        check(
            extracted(json("/t"), in_header, r#"{"t":"a\r\nb"}"#),
            "has a character that a header cannot have",
        );
        check(
            extracted(json("/t"), any, r#"{"t":"123456789"}"#),
            "with max",
        );
        check(
            extracted(FoundIn::Header("x-id".into()), bare, ""),
            "is not a number",
        );
        check(
            extracted(json("/t"), any, r#"{"t":"\udc00"}"#),
            "is no Unicode text",
        );
        check(
            extracted(FoundIn::Header("x-latin".into()), any, ""),
            "is no Unicode text",
        );
        let long = format!("{{\"t\":\"{}", "x".repeat(BODY_BYTES_KEPT));
        check(
            extracted(json("/t"), any, &long[..BODY_BYTES_KEPT]),
            "of a body 64 KiB are kept",
        );
    }

    #[test]
    fn a_status_set_holds_what_was_put_in() {
        let set: StatusSet = [200, 202, 404, 599].into_iter().collect();
        for status in 0..1_100 {
            assert_eq!(
                set.contains(status),
                [200, 202, 404, 599].contains(&status),
                "{status}"
            );
        }
        assert!(StatusSet::success().contains(204) && !StatusSet::success().contains(300));
    }
}
