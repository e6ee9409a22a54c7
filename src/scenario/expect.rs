//! The expected answer of a step: its status, rules for head and body, and values to extract from it.

use std::fmt;

use serde_json::Value as Json;

use crate::http::coding::Undecodable;
use crate::http::cookies::SetCookie;
use crate::http::request::{Slot, is_secret_field};
use crate::http::response::{each_field, field};

use super::check::Check;
use super::excerpt::Excerpt;
use super::facts::Facts;
use super::links;
use super::pattern::Pattern;
use super::picked::{Picked, There};
use super::pointer::{Found, Pointer, without_mark};
use super::secrets::Secrets;
use super::variables::Demands;

/// A body that is kept for rules is cut at this length.
pub const BODY_BYTES_KEPT: usize = 64 * 1024;

/// Most characters of a value, or of the beginning of a body, that are shown.
const SHOWN_CHARACTERS: usize = 60;
/// Bytes of a value that are masked before it is cut to that many characters, so that no part of a secret is left over.
const MASKED_BYTES: usize = 4 * 1024;

/// The answers that are a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// The answer has one of these statuses.
    pub statuses: StatusSet,
    /// All of these rules hold.
    pub rules: Vec<Rule>,
}

/// The answers that end a poll at once, as a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollFailure {
    /// The answer has one of these statuses.
    pub statuses: StatusSet,
    /// Or one of these rules holds.
    pub rules: Vec<Rule>,
}

/// A rule over the head or the body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// There is a body, and it is not the JSON text `null`.
    NotNull,
    /// The body is JSON with this value at this place.
    Equals(Pointer, Json),
    /// The body is JSON with a value other than `null` at this place.
    Exists(Pointer),
    /// The head has a field of this name.
    Header(String),
    /// The answer passes this check.
    Check(Check),
}

/// A value that is extracted from an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extract {
    /// Name of the variable.
    pub name: String,
    /// Place of the variable among the user's values.
    pub slot: Slot,
    /// Place of the value in the answer.
    pub from: FoundIn,
    /// The value when the answer has none, or `null`.
    pub default: Option<String>,
    /// The constraints of the places where the value is used.
    pub demands: Demands,
    /// Where the value may lead, when a path begins with it.
    pub link: Option<links::Target>,
}

/// Place of a value in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundIn {
    /// In the body, which is JSON.
    Json(Pointer),
    /// In an element of a list in the body, which is JSON.
    Picked(Picked),
    /// In the body, which may be any text.
    Excerpt(Excerpt),
    /// In the head: a field of this name.
    Header(String),
    /// In the head: the cookie of this name that is set last.
    Cookie(String),
}

/// The parts of an answer that were kept.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'r> {
    /// Status line and fields.
    pub head: &'r [u8],
    /// The body, without framing.
    pub body: &'r [u8],
    /// What is known of it beside these.
    pub facts: &'r Facts<'r>,
}

/// An expectation that an answer does not meet. It becomes text only when it is shown ([`Unmet::describe`]).
#[derive(Clone, Copy, Debug)]
pub struct Unmet<'u> {
    why: Why<'u>,
    reply: Reply<'u>,
}

/// The expectation that an answer does not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why<'e> {
    /// The status is none of these.
    Status(&'e StatusSet),
    /// The rule does not hold.
    Rule(&'e Rule),
    /// The status ends the poll.
    EndsByStatus,
    /// The rule holds, and ends the poll.
    EndsByRule(&'e Rule),
    /// The value cannot be extracted.
    Extract(&'e Extract, NotTaken),
    /// The user's jar has no room for a cookie of the answer.
    JarFull,
    /// The redirect cannot be followed, for this reason.
    Redirect(&'static str),
    /// The body cannot be decoded.
    Coding(Undecodable),
}

/// Why a value cannot be extracted from an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NotTaken {
    /// The value is missing, or the body is not JSON: the answer shows which.
    Missing,
    /// The value cannot be used, for this reason.
    Unfit(&'static str),
}

impl Rule {
    pub(super) fn holds(&self, reply: Reply<'_>) -> bool {
        match self {
            Self::NotNull => !matches!(without_mark(reply.body).trim_ascii(), b"" | b"null"),
            Self::Equals(pointer, json) => {
                find(pointer, reply.body).is_some_and(|found| found.is(json))
            }
            Self::Exists(pointer) => {
                find(pointer, reply.body).is_some_and(|found| !found.is_null())
            }
            Self::Header(name) => field(reply.head, name).is_some(),
            Self::Check(check) => check.holds(reply.body, reply.facts),
        }
    }

    /// Its pattern, if it has one.
    pub fn pattern(&self) -> Option<&Pattern> {
        match self {
            Self::Check(Check::Matches(pattern)) => Some(pattern),
            _ => None,
        }
    }

    /// Its pattern, if it has one, to be changed.
    pub fn pattern_mut(&mut self) -> Option<&mut Pattern> {
        match self {
            Self::Check(Check::Matches(pattern)) => Some(pattern),
            _ => None,
        }
    }

    /// The value that it compares with, and the name of its member.
    pub fn member(&self) -> Option<(&str, &Json)> {
        match self {
            Self::Equals(pointer, json) => Some((pointer.name(), json)),
            Self::Check(check) => check.member(),
            _ => None,
        }
    }

    /// The part of an answer that it looks at.
    pub fn part(&self) -> Part {
        match self {
            Self::NotNull | Self::Equals(..) | Self::Exists(_) => Part::Body,
            Self::Header(_) => Part::Head,
            Self::Check(check) if check.is_of_body() => Part::Body,
            Self::Check(_) => Part::Neither,
        }
    }

    /// What an answer that breaks the rule has instead, as the end of a sentence.
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
            Self::Check(check) => match check.found(reply.body, reply.facts) {
                Some(_) if check.is_search() && reply.is_cut() => {
                    ", which is not in the first 64 KiB of the body, and no more is kept".to_owned()
                }
                Some(found) => found,
                None => check.pointer().map_or_else(String::new, |pointer| {
                    found_at(pointer, reply, secrets).unwrap_or_else(|lack| format!(", {lack}"))
                }),
            },
        }
    }
}

impl Reply<'_> {
    /// More of the body came than was kept.
    fn is_cut(self) -> bool {
        self.facts.is_cut || self.body.len() == BODY_BYTES_KEPT
    }
}

fn find<'b>(pointer: &Pointer, body: &'b [u8]) -> Option<Found<'b>> {
    pointer.find(body).ok().flatten()
}

/// The value at a pointer, shortened, or why there is none; both as the end of a sentence.
fn found_at(pointer: &Pointer, reply: Reply<'_>, secrets: &Secrets) -> Result<String, String> {
    match pointer.find(reply.body) {
        Ok(Some(_)) if is_secret_field(pointer.name()) => Ok(", found another".to_owned()),
        Ok(Some(found)) => Ok(format!(", found {}", shown(found.raw(), secrets))),
        Ok(None) => Err("which is not there".to_owned()),
        Err(error) => Err(format!("but {}", why_not_json(reply, &error, secrets))),
    }
}

/// Why a body is not JSON.
fn why_not_json(reply: Reply<'_>, error: &serde_json::Error, secrets: &Secrets) -> String {
    let body = without_mark(reply.body);
    let coded = |name: &str| format!("the body is {name}, and no Content-Encoding says so");
    match body {
        [0x1f, 0x8b, ..] => return coded("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => return coded("zstd"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            return "the body is UTF-16, and JSON is UTF-8 (RFC 8259 section 8.1)".to_owned();
        }
        _ => {}
    }
    let text = body.trim_ascii();
    match text.first() {
        None => "the body is empty".to_owned(),
        _ if reply.is_cut() => {
            "it is not in the first 64 KiB of the body, and no more is kept".to_owned()
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

/// A text with secrets masked, cut to [`SHOWN_CHARACTERS`].
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
    /// The expectation that an answer does not meet: the status, else the first rule that does not hold. `None`: the answer
    /// is a success.
    pub fn unmet<'u>(&'u self, status: u16, reply: Reply<'u>) -> Option<Unmet<'u>> {
        let why = match self.statuses.contains(status) {
            false => Why::Status(&self.statuses),
            true => Why::Rule(self.rules.iter().find(|rule| !rule.holds(reply))?),
        };
        Some(Unmet { why, reply })
    }
}

impl PollFailure {
    /// Why an answer ends the poll; `None` when it does not.
    pub fn met<'u>(&'u self, status: u16, reply: Reply<'u>) -> Option<Unmet<'u>> {
        let why = match self.statuses.contains(status) {
            true => Why::EndsByStatus,
            false => Why::EndsByRule(self.rules.iter().find(|rule| rule.holds(reply))?),
        };
        Some(Unmet { why, reply })
    }
}

impl Extract {
    /// Puts the value of an answer among a user's values.
    ///
    /// # Errors
    /// When it is missing, or does not fit a place where it is used; the user's values are unchanged.
    pub fn store<'u>(&'u self, reply: Reply<'u>, values: &mut [u8]) -> Result<(), Unmet<'u>> {
        let unmet = |why| Unmet {
            why: Why::Extract(self, why),
            reply,
        };
        let (json, folded, excerpted);
        let mut digits = Digits::default();
        let found = match &self.from {
            FoundIn::Header(name) => {
                folded = field(reply.head, name);
                folded.as_deref()
            }
            FoundIn::Cookie(name) => set_cookie(reply.head, name),
            FoundIn::Excerpt(excerpt) => {
                excerpted = excerpt.find(reply.body, reply.facts.caches);
                excerpted.as_deref()
            }
            FoundIn::Json(_) | FoundIn::Picked(_) => match self.from.there(reply) {
                Err(_) => return Err(unmet(NotTaken::Missing)),
                Ok(There::Nothing(_)) => None,
                Ok(There::Count(count)) => Some(digits.write(count)),
                Ok(There::Value(found)) if found.is_null() => None,
                Ok(There::Value(found)) => match found.text() {
                    None => return Err(unmet(NotTaken::Unfit("is not Unicode text"))),
                    Some(text) => {
                        json = text;
                        Some(json.as_bytes())
                    }
                },
            },
        };
        let default = self.default.as_deref().map(str::as_bytes);
        let text = found.or(default).ok_or(unmet(NotTaken::Missing))?;
        let unfit = |why| unmet(NotTaken::Unfit(why));
        let mut room;
        let mut leads_to = 0;
        let text = match &self.link {
            Some(_) if text.is_empty() && !self.demands.not_empty => text,
            Some(target) => {
                room = [0; links::RESOLVED_BYTES_MAX];
                let own = usize::from(reply.facts.own_target);
                let resolved = target.resolve(text, own, reply.facts.target, &mut room);
                let (target, path) = resolved.map_err(unfit)?;
                leads_to = target;
                path
            }
            None => text,
        };
        self.check(text).map_err(unfit)?;
        self.slot.store(text, values);
        if let Some(link) = &self.link {
            link.store_target(leads_to, values);
        }
        Ok(())
    }

    /// Checks that a text fits every place where the value is used.
    ///
    /// # Errors
    /// The reason, as the end of a sentence.
    pub fn check(&self, text: &[u8]) -> Result<(), &'static str> {
        let is_bare = || serde_json::from_slice::<Json>(text).is_ok_and(|json| !json.is_string());
        if std::str::from_utf8(text).is_err() {
            return Err("is not Unicode text");
        }
        if text.len() > self.slot.bytes_max {
            return Err("is longer than its variable; give it more room with max");
        }
        if self.demands.as_link && (self.demands.not_empty || !text.is_empty()) {
            links::check(text)?;
        }
        if self.demands.in_header && text.iter().any(u8::is_ascii_control) {
            return Err("has a character that a header cannot have");
        }
        if self.demands.bare_in_json && !is_bare() {
            return Err("is not a number");
        }
        Ok(())
    }

    /// Why an answer has no value, as a sentence.
    fn missing(&self, reply: Reply<'_>, secrets: &Secrets) -> String {
        let place = &self.from;
        match (place.there(reply), place) {
            (Err(error), _) => why_not_json(reply, &error, secrets),
            (Ok(There::Nothing(why)), FoundIn::Picked(picked)) => {
                format!("{picked}, {why}")
            }
            (Ok(There::Nothing(_)), FoundIn::Excerpt(_)) if reply.is_cut() => {
                format!("{place} is not in the first 64 KiB of the body, and no more is kept")
            }
            (Ok(There::Nothing(_)), _) => format!("{place} is not there"),
            (Ok(_), _) => format!("{place} is null"),
        }
    }
}

impl FoundIn {
    /// Its pattern, if it has one.
    pub fn pattern(&self) -> Option<&Pattern> {
        match self {
            Self::Excerpt(Excerpt::Group(pattern)) => Some(pattern),
            _ => None,
        }
    }

    /// Its pattern, if it has one, to be changed.
    pub fn pattern_mut(&mut self) -> Option<&mut Pattern> {
        match self {
            Self::Excerpt(Excerpt::Group(pattern)) => Some(pattern),
            _ => None,
        }
    }

    /// The part of an answer that it looks at.
    pub fn part(&self) -> Part {
        match self {
            Self::Json(_) | Self::Picked(_) | Self::Excerpt(_) => Part::Body,
            Self::Header(_) | Self::Cookie(_) => Part::Head,
        }
    }

    /// What there is at a place in JSON; nothing for a place elsewhere.
    fn there<'r>(&self, reply: Reply<'r>) -> Result<There<'r>, serde_json::Error> {
        match self {
            Self::Json(pointer) => Ok(match pointer.find(reply.body)? {
                Some(found) => There::Value(found),
                None => There::Nothing("which is not there"),
            }),
            Self::Picked(picked) => picked.find(reply.body, reply.facts),
            Self::Excerpt(_) | Self::Header(_) | Self::Cookie(_) => Ok(There::Nothing("")),
        }
    }
}

/// A part of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Status line and fields.
    Head,
    /// The body.
    Body,
    /// Neither of them.
    Neither,
}

/// A number as text, without an allocation.
#[derive(Default)]
struct Digits([u8; 20]);

impl Digits {
    fn write(&mut self, mut number: usize) -> &[u8] {
        let mut at = self.0.len();
        loop {
            at -= 1;
            self.0[at] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return &self.0[at..];
            }
        }
    }
}

/// The value of the last cookie of this name that a head sets.
fn set_cookie<'h>(head: &'h [u8], name: &str) -> Option<&'h [u8]> {
    let mut found = None;
    each_field(head, "set-cookie", |line| {
        let cookie = SetCookie::parse(line).filter(|it| it.name == name.as_bytes());
        found = cookie.map(|it| it.value).or(found);
    });
    found
}

impl<'u> Unmet<'u> {
    /// A redirect that cannot be followed, because its `Location` ...
    pub fn redirect(why: &'static str, reply: Reply<'u>) -> Self {
        Self {
            why: Why::Redirect(why),
            reply,
        }
    }

    /// An answer whose body cannot be decoded.
    pub fn undecodable(why: Undecodable, reply: Reply<'u>) -> Self {
        Self {
            why: Why::Coding(why),
            reply,
        }
    }

    /// An answer whose cookies do not fit the user's jar.
    pub fn jar_full(reply: Reply<'u>) -> Self {
        Self {
            why: Why::JarFull,
            reply,
        }
    }
}

impl Unmet<'_> {
    /// What was expected and what was found, as text with secrets masked.
    pub fn describe(&self, secrets: &Secrets) -> String {
        let reply = self.reply;
        let text = match self.why {
            Why::Status(statuses) => format!("expected status {statuses}"),
            Why::Rule(rule) => format!("expected {rule}{}", rule.found(reply, secrets)),
            Why::JarFull => {
                "expected room for the cookies of the answer; give a user more with bytes, for example { bytes = 4096 }"
                    .to_owned()
            }
            Why::Redirect(why) => format!("the redirect is not followed: Location {why}"),
            Why::Coding(why) => format!("the body {why}"),
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
            Self::Check(check) => write!(f, "{check}"),
        }
    }
}

impl fmt::Display for FoundIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(pointer) => write!(f, "the value at {pointer}"),
            Self::Picked(picked) => write!(f, "{picked}"),
            Self::Excerpt(excerpt) => write!(f, "{excerpt}"),
            Self::Header(name) => write!(f, "the header {name}"),
            Self::Cookie(name) => write!(f, "the cookie {name}"),
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

    /// Whether a status is in the set.
    #[inline]
    pub fn contains(&self, status: u16) -> bool {
        let word = self.0.get(usize::from(status / 64));
        word.is_some_and(|word| word >> (status % 64) & 1 == 1)
    }

    /// Whether no status is in the set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The statuses in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        (0..self.0.len() as u16 * 64).filter(|&status| self.contains(status))
    }
}

/// `200, 202 or 404`; all statuses of a class as `2xx`.
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
    /// A set of statuses below 1,000; others do not exist and are left out.
    fn from_iter<I: IntoIterator<Item = u16>>(statuses: I) -> Self {
        let mut set = Self::default();
        for status in statuses.into_iter().filter(|&status| status < 1_000) {
            set.0[usize::from(status / 64)] |= 1 << (status % 64);
        }
        set
    }
}

#[cfg(test)]
mod tests;
