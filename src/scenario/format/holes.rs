//! Texts with `{{holes}}` -> literal bytes and values, checked for the place where the text is used.

use std::ops::RangeInclusive;

use serde_json::Value as Json;

use crate::http::request::{Encoding, Part, Place, Slot};
use crate::scenario::digest;
use crate::scenario::feeder::{Feeder, Per};
use crate::scenario::made::{Counter, Made};
use crate::scenario::model::Fresh;
use crate::scenario::secrets::Secrets;
use crate::scenario::sequence::Sequence;
use crate::scenario::value::{Clock, Value};
use crate::scenario::variables;
use crate::scenario::variables::Variables;
use crate::text::suggest::did_you_mean;

use super::invented::{counted, decimals, random_string, time};
use super::phase::SetupValues;
use super::pieces::{Piece, another_hole, cut, ends_other_side};
use super::place::ScenarioError;
use super::site::{
    Site, check_characters, encoding_of_own, foreign, is_cookie_name, is_header_character,
};
use super::toml::Item;

/// First words of holes; a variable cannot have such a name.
pub(in crate::scenario) const WORDS: [&str; 20] = [
    "uuid",
    "user",
    "sequence",
    "random",
    "random_string",
    "random_name",
    "random_mail",
    "choice",
    "now",
    "now_ms",
    "now_s",
    "date",
    "api_key",
    "base64",
    "base64url",
    "hex",
    "sha256",
    "hmac",
    "hmac_base64",
    "jwt",
];
/// Most fresh values of one request.
const FRESH_MAX: usize = 200;

/// The values of holes that are known before the run.
pub(super) struct Holes<'c> {
    pub api_key: Option<String>,
    pub api_key_env: &'c str,
    pub env: &'c dyn Fn(&str) -> Option<String>,
    pub setup: SetupValues<'c>,
}

/// The state of the compiler of texts: what holes refer to, and what they add.
pub(super) struct Texts<'c> {
    pub holes: Holes<'c>,
    pub feeder: Feeder,
    pub variables: Variables,
    /// Extracted variables that are filled on every path to the present step.
    pub filled: Vec<usize>,
    /// Extracted variables in the texts of the present step.
    pub used: Vec<usize>,
    /// The value of an answer that the present step's path begins with.
    pub link: Option<usize>,
    /// Names that become variables further down: the rest of `[variables]`, and values that steps extract.
    pub later: Vec<String>,
    /// The present text is that of a step of a task.
    pub iterates: bool,
    /// Method and path of the present step, for error messages.
    pub present: String,
    /// The fresh values of the present step's request.
    pub fresh: Vec<Fresh>,
    pub fresh_bytes: usize,
    /// The user's cookies for the target of the present step, where the scenario keeps them.
    pub jar: Option<Slot>,
    /// The same for all targets.
    pub jars: Vec<Slot>,
    /// The `Host` field of the requests, where the scenario has its own.
    pub own_host: Option<String>,
    pub secrets: Secrets,
    /// A text compiled since this was last set to false contains the API key.
    pub has_api_key: bool,
    /// The variables that contain the API key.
    pub with_api_key: Vec<usize>,
}

impl Texts<'_> {
    /// Compiles the text of a user variable.
    pub fn variable(&mut self, item: &Item<'_>) -> Result<Vec<variables::Part>, ScenarioError> {
        let mut parts = Vec::new();
        for piece in cut(item.text()?).map_err(|reason| item.error(reason))? {
            parts.push(match piece {
                Piece::Literal(text) => variables::Part::Value(Value::Literal(text.to_owned())),
                Piece::Hole(whole, hole) => self.part_of_variable(&item.part(whole), hole)?,
            });
        }
        Ok(parts)
    }

    fn part_of_variable(
        &mut self,
        item: &Item<'_>,
        hole: &str,
    ) -> Result<variables::Part, ScenarioError> {
        let value = match (self.value(item, hole)?, self.variables.find(hole)) {
            (Some(value), _) if is_time(&value) => {
                return Err(item.error(
                    "a variable is computed once, before its user's first request, and this value changes; write it in the step, for example {{now}}",
                ));
            }
            (Some(value), _) => value,
            (None, Some(other)) => {
                self.has_api_key |= self.with_api_key.contains(&other);
                return Ok(variables::Part::Variable(other));
            }
            (None, None) if self.later.iter().any(|later| later == hole) => {
                return Err(item.error(format!(
                    "{{{{{hole}}}}} is not known yet here: a variable is made of those above it, before its user's first request; move it up, or write a value of extract in the step itself"
                )));
            }
            (None, None) => Value::Literal(self.fixed_value(item, hole)?),
        };
        Ok(variables::Part::Value(value))
    }

    /// Compiles a text of a step.
    pub fn step(
        &mut self,
        item: &Item<'_>,
        text: &str,
        site: Site,
    ) -> Result<Vec<Part>, ScenarioError> {
        let mut parts = Vec::new();
        let mut in_string = false;
        for piece in cut(text).map_err(|reason| item.error(reason))? {
            parts.push(match piece {
                Piece::Literal(text) => {
                    self.check_signs(item, text)?;
                    in_string ^= ends_other_side(text, in_string);
                    match site {
                        Site::Form => Part::Literal(Encoding::Percent.text(text).into_bytes()),
                        _ => Part::Literal(text.as_bytes().to_vec()),
                    }
                }
                Piece::Hole(whole, hole) => {
                    let bare = site == Site::Json && !in_string;
                    self.hole(&item.part(whole), hole, site, bare)?
                }
            });
        }
        Ok(parts)
    }

    /// Refuses `${name}` of a name that has a value: it would be sent as it stands.
    fn check_signs(&self, item: &Item<'_>, text: &str) -> Result<(), ScenarioError> {
        let Some(hole) = another_hole(text).filter(|hole| hole.starts_with('$')) else {
            return Ok(());
        };
        let name = &hole[2..hole.len() - 1];
        match self.variables.find(name).is_some() || WORDS.contains(&name) {
            true => Err(item.error(format!("a hole is written {{{{{name}}}}}, and not {hole}"))),
            false => Ok(()),
        }
    }

    fn hole(
        &mut self,
        item: &Item<'_>,
        hole: &str,
        site: Site,
        bare: bool,
    ) -> Result<Part, ScenarioError> {
        if let Some(value) = self.value(item, hole)? {
            return self.part(item, hole, value, site, bare);
        }
        if let Some(index) = self.variables.find(hole) {
            self.has_api_key |= self.with_api_key.contains(&index);
            let encoding = self.check_variable(item, index, site, bare)?;
            let slot = self.variables.get(index).slot;
            return Ok(Part::Value(Place::User(slot), encoding));
        }
        let text = self.fixed_value(item, hole)?;
        if hole.starts_with("setup.") {
            return shared_part(item, hole, text, site, bare);
        }
        if bare {
            return Err(item.error(format!("{{{{{hole}}}}} is a text; put quotes around it")));
        }
        check_characters(item, hole, &text, site)?;
        let encoding = encoding_of_own(site);
        Ok(Part::Literal(encoding.text(&text).into_bytes()))
    }

    /// A variable's number is that of the user's text 0. Where no variable has one, the first request gets the lowest.
    fn sequence(&self, first: u32) -> Sequence {
        let names = self.variables.names();
        let mut indices = names.filter_map(|name| self.variables.find(name));
        let has_one = indices.any(|index| {
            let values = self.variables.values(index);
            values.into_iter().any(Value::is_sequence)
        });
        Sequence {
            first: u64::from(first),
            since: u64::from(!has_one),
        }
    }

    /// A value at a place of a request: constant, or made for each request.
    pub(super) fn part(
        &mut self,
        item: &Item<'_>,
        hole: &str,
        value: Value,
        site: Site,
        bare: bool,
    ) -> Result<Part, ScenarioError> {
        let encoding = self.check_values(item, hole, site, bare, &[&value])?;
        match value {
            Value::Literal(text) => Ok(Part::Literal(encoding.text(&text).into_bytes())),
            value => self.fresh(item, value, encoding),
        }
    }

    pub(super) fn may_be_missing(&self, item: &Item<'_>, name: &str, cure: &str) -> ScenarioError {
        item.error(format!(
            "{{{{{name}}}}} is taken out of an answer by a step that may not have run, or may have failed, before {}{cure}",
            self.present
        ))
    }

    fn fresh(
        &mut self,
        item: &Item<'_>,
        value: Value,
        encoding: Encoding,
    ) -> Result<Part, ScenarioError> {
        if self.fresh.len() == FRESH_MAX {
            return Err(item.error(format!("a step has at most {FRESH_MAX} such holes")));
        }
        let slot = Slot {
            offset: self.fresh_bytes,
            bytes_max: value.bytes_max(&self.feeder),
            fixed: value.is_fixed(&self.feeder),
        };
        if slot.bytes_max > usize::from(u16::MAX) {
            return Err(item.error("a hole's text is at most 65,535 bytes long"));
        }
        self.fresh_bytes += slot.stride();
        self.fresh.push(Fresh { value, slot });
        Ok(Part::Value(Place::Fresh(slot), encoding))
    }

    /// The value of a hole that begins with one of [`WORDS`] or names a CSV column; `None` for any other.
    pub(super) fn value(
        &mut self,
        item: &Item<'_>,
        hole: &str,
    ) -> Result<Option<Value>, ScenarioError> {
        let (word, rest) = hole.split_once(char::is_whitespace).unwrap_or((hole, ""));
        let rest = rest.trim();
        let made = |made: Result<Made, String>| match made {
            Ok(made) => Ok(Value::Made(Box::new(made))),
            Err(reason) => Err(item.error(reason)),
        };
        let value = match (word, rest) {
            ("uuid", "") => Value::Uuid,
            ("user", "") => Value::User,
            ("user", arithmetic) => made(counted(Counter::User, arithmetic))?,
            ("date", "") => Value::Now(Clock::Date),
            ("now" | "now_ms" | "now_s" | "date", offset) if !offset.is_empty() => {
                let clock = clock_of(word).unwrap_or(Clock::Timestamp);
                made(time(clock, offset))?
            }
            ("random_string", length) => made(random_string(length))?,
            ("random_name", "") => made(Ok(Made::Name))?,
            ("random_mail", "") => made(Ok(Made::Mail))?,
            ("now", "") => Value::Now(Clock::Timestamp),
            ("now_ms", "") => Value::Now(Clock::UnixMs),
            ("now_s", "") => Value::Now(Clock::UnixS),
            ("sequence", "") => Value::Sequence(self.sequence(0)),
            ("sequence", rest) => {
                let digits = rest.find(|it: char| !it.is_ascii_digit());
                let (first, arithmetic) = rest.split_at(digits.unwrap_or(rest.len()));
                let first = match first {
                    "" => Ok(0),
                    first => first.parse::<u32>(),
                };
                match (first, arithmetic.trim()) {
                    (Ok(first), "") => Value::Sequence(self.sequence(first)),
                    (Ok(first), it) if it.starts_with(['+', '-', '*', '/', '%']) => {
                        made(counted(Counter::Sequence(self.sequence(first)), it))?
                    }
                    _ => {
                        return Err(item.error(format!(
                            "a sequence begins with a whole number, for example {{{{sequence 1000}}}}, not with {rest}"
                        )));
                    }
                }
            }
            ("random", range) => match (integers(range), decimals(range)) {
                (Some(integers), _) => Value::Integer(integers),
                (_, Some(decimal)) => made(Ok(decimal))?,
                _ => {
                    return Err(item.error(format!(
                        "\"{range}\" is not a range of numbers; write for example {{{{random 1..100}}}} or {{{{random 0.50..9.99}}}}"
                    )));
                }
            },
            ("choice", options) => {
                let options: Vec<String> = options
                    .split('|')
                    .map(|text| text.trim().to_owned())
                    .collect();
                if options.len() < 2 {
                    return Err(item.error(
                        "a choice is made between several texts; write for example {{choice idle|active}}",
                    ));
                }
                Value::Choice(options)
            }
            _ => {
                let function = digest::NAMES.iter().find(|(name, _)| *name == word);
                if let Some((name, function)) = function {
                    return self.function(item, *function, name, rest).map(Some);
                }
                if let Some(name) = hole.strip_prefix("cookie.") {
                    return self.cookie(item, name).map(Some);
                }
                let Some(column) = hole.strip_prefix("csv.") else {
                    return match word {
                        "uuid" | "random_name" | "random_mail" => Err(item.error(format!(
                            "{{{{{word}}}}} takes nothing behind it, and has \"{rest}\""
                        ))),
                        _ => Ok(None),
                    };
                };
                let columns = self.feeder.columns();
                match columns.iter().position(|name| name == column) {
                    Some(index)
                        if self.feeder.file_of(index).per == Per::Iteration && !self.iterates =>
                    {
                        return Err(item.error(format!(
                            "{{{{{hole}}}}} is a row for each iteration (per = \"iteration\"), and only the steps of a [[task]] belong to one; elsewhere take a file with one for each user"
                        )));
                    }
                    Some(index) => Value::Column(index),
                    None if columns.is_empty() => {
                        return Err(item.error(
                            "the scenario has no [csv] table; add [csv] with file = \"users.csv\"",
                        ));
                    }
                    None => {
                        let near = did_you_mean(column, columns.iter().map(String::as_str));
                        let all = columns.join(", ");
                        return Err(item.error(format!(
                            "the CSV file has no column \"{column}\"{near} (columns: {all})"
                        )));
                    }
                }
            }
        };
        Ok(Some(value))
    }

    fn cookie(&self, item: &Item<'_>, name: &str) -> Result<Value, ScenarioError> {
        let Some(jar) = self.jar else {
            return Err(item.error(
                "the scenario keeps no cookies; write cookies = true at the top of the file",
            ));
        };
        match is_cookie_name(name) {
            true => Ok(Value::Made(Box::new(Made::Cookie(name.to_owned(), jar)))),
            false => Err(item.error(format!("\"{name}\" is not the name of a cookie"))),
        }
    }

    /// The `Cookie` field of a request; nothing where no cookies are kept.
    pub fn cookie_field(&mut self, item: &Item<'_>) -> Result<Option<Part>, ScenarioError> {
        let Some(jar) = self.jar else {
            return Ok(None);
        };
        match self.fresh(item, Value::Now(Clock::UnixS), Encoding::AsIs)? {
            Part::Value(place, _) => Ok(Some(Part::Cookies(jar, place.slot()))),
            _ => Ok(None),
        }
    }

    /// The value of a hole that is the same for all users. It counts as a secret.
    pub(super) fn fixed_value(
        &mut self,
        item: &Item<'_>,
        hole: &str,
    ) -> Result<String, ScenarioError> {
        let value = if hole == "api_key" {
            self.has_api_key = true;
            let env = self.holes.api_key_env;
            self.holes.api_key.clone().ok_or_else(|| {
                item.error(format!(
                    "the API key is not known: set the environment variable {env}, or name another with --api-key-env"
                ))
            })?
        } else if let Some(variable) = hole.strip_prefix("env.") {
            (self.holes.env)(variable).ok_or_else(|| {
                item.error(format!(
                    "the environment variable {variable} is not set; before the command: export {variable}=..."
                ))
            })?
        } else if let Some(name) = hole.strip_prefix("setup.") {
            let found = self.holes.setup.find(name);
            match found.map_err(|reason| item.error(reason))? {
                Some(value) => value.to_owned(),
                // It stands there until the setup has run.
                None => return Ok(hole.to_owned()),
            }
        } else {
            let known = self.variables.names().chain(WORDS).chain([
                "env.NAME",
                "csv.COLUMN",
                "cookie.NAME",
            ]);
            let near = match hole.contains('(') {
                true => "; what a hole takes stands behind a blank, for example {{random 1..100}}"
                    .to_owned(),
                false => did_you_mean(hole, known),
            };
            return Err(item.error(format!(
                "nothing is known of {{{{{hole}}}}}{near} (holes are variables of [variables], values of extract, {}, env.NAME, csv.COLUMN and cookie.NAME)",
                WORDS.join(", ")
            )));
        };
        self.secrets.add(&value);
        Ok(value)
    }

    /// The encoding of a variable at a place, if it may be used there.
    fn check_variable(
        &mut self,
        item: &Item<'_>,
        index: usize,
        site: Site,
        bare: bool,
    ) -> Result<Encoding, ScenarioError> {
        let name = self.variables.get(index).name.clone();
        if let Some(demands) = self.variables.demands(index) {
            demands.in_header |= site == Site::Header;
            demands.bare_in_json |= bare;
            self.used.push(index);
            if !self.filled.contains(&index) {
                let cure = match site {
                    Site::Header => {
                        " (a header of [headers] that is not for this step: drop_headers)"
                    }
                    _ => "",
                };
                return Err(self.may_be_missing(item, &name, cure));
            }
            return Ok(foreign(site, bare));
        }
        let values: Vec<Value> = self.variables.values(index).into_iter().cloned().collect();
        self.check_values(item, &name, site, bare, &values.iter().collect::<Vec<_>>())
    }

    /// The encoding of values at a place, if they may be used there.
    fn check_values(
        &self,
        item: &Item<'_>,
        hole: &str,
        site: Site,
        bare: bool,
        values: &[&Value],
    ) -> Result<Encoding, ScenarioError> {
        if bare && values.len() > 1 {
            return Err(item.error(format!(
                "{{{{{hole}}}}} has several parts, which may not be a number together; put quotes around it"
            )));
        }
        let mut encoding = Encoding::AsIs;
        for value in values {
            if let Value::Column(column) = value {
                for (row, field) in self.feeder.column(*column).enumerate() {
                    let text = String::from_utf8_lossy(field);
                    let fits = match site {
                        Site::Header => text.chars().all(is_header_character),
                        Site::Json if bare => {
                            serde_json::from_str::<Json>(&text).is_ok_and(|json| json.is_number())
                        }
                        _ => true,
                    };
                    if !fits {
                        let place = if bare {
                            "JSON without quotes"
                        } else {
                            "a header"
                        };
                        return Err(item.error(format!(
                            "{{{{{hole}}}}}: row {} of the CSV file has a value that cannot stand in {place}",
                            row + 1
                        )));
                    }
                }
                encoding = foreign(site, bare);
            } else if let (Value::Made(made), false) = (value, bare) {
                // Invented texts have blanks, base64 has `+` and `/`.
                if !made.is_unreserved() {
                    encoding = foreign(site, bare);
                }
            } else if bare && !value.is_number() {
                return Err(item.error(format!("{{{{{hole}}}}} is a text; put quotes around it")));
            } else if site == Site::Form && **value == Value::Now(Clock::Timestamp) {
                // A timestamp has colons.
                encoding = Encoding::Percent;
            }
            for literal in value.literals() {
                check_characters(item, hole, literal, site)?;
                let own = encoding_of_own(site);
                if own.text(literal) != *literal {
                    encoding = own;
                }
            }
        }
        Ok(encoding)
    }
}

/// A value of the setup: as foreign as one that a user extracts, and the same for all of them.
fn shared_part(
    item: &Item<'_>,
    hole: &str,
    text: String,
    site: Site,
    bare: bool,
) -> Result<Part, ScenarioError> {
    let text = match serde_json::from_str::<Json>(&text) {
        _ if !bare => text,
        Ok(json) if !json.is_object() && !json.is_array() && !json.is_string() => text,
        // It stands there until the setup has run.
        _ if text == hole => "0".to_owned(),
        _ => {
            return Err(item.error(format!(
                "{{{{{hole}}}}} is no number, true, false or null; put quotes around it"
            )));
        }
    };
    if site == Site::Header {
        check_characters(item, hole, &text, site)?;
    }
    Ok(Part::Literal(foreign(site, bare).text(&text).into_bytes()))
}

fn is_time(value: &Value) -> bool {
    match value {
        Value::Now(_) => true,
        Value::Made(made) => made.has_time(),
        _ => false,
    }
}

pub(super) fn clock_of(word: &str) -> Option<Clock> {
    match word {
        "now" => Some(Clock::Timestamp),
        "now_ms" => Some(Clock::UnixMs),
        "now_s" => Some(Clock::UnixS),
        "date" => Some(Clock::Date),
        _ => None,
    }
}

fn integers(text: &str) -> Option<RangeInclusive<i64>> {
    let (from, to) = text.split_once("..")?;
    let (from, to) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
    (from <= to).then_some(from..=to)
}

/// Checks that a variable can have this name. The error is the reason.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if WORDS.contains(&name) {
        return Err(format!(
            "{{{{{name}}}}} has a meaning already; name the variable for example my_{name}"
        ));
    }
    if name.is_empty() || !name.chars().all(is_plain) {
        return Err(format!(
            "\"{name}\" cannot be a variable's name: it consists of letters, digits and _"
        ));
    }
    Ok(())
}
