//! Functions of other values in texts, credentials made of them, and paths that begin with a value.

use crate::http::request::{Encoding, Part};
use crate::scenario::digest::Function;
use crate::scenario::links;
use crate::scenario::made;
use crate::scenario::made::{Computed, Counter, INPUT_BYTES_MAX, Made, PARTS_MAX};
use crate::scenario::value::Value;

use super::holes::{Texts, clock_of};
use super::invented::{Term, terms, time};
use super::pieces::{Piece, check_claims, cut, ends_other_side};
use super::place::ScenarioError;
use super::site::Site;
use super::toml::Item;

/// What a path begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathStart {
    /// A text of the scenario: the base path of the target comes before it.
    Own,
    /// A path from the CSV file: the same, and its characters keep their meaning.
    Column,
    /// A link out of an answer: it has the base path already.
    Link,
}

impl Texts<'_> {
    /// What a path begins with that begins with a hole.
    ///
    /// # Errors
    /// When the hole's values do not all begin with `/`, and are not links out of answers.
    pub fn start_of_path(
        &mut self,
        item: &Item<'_>,
        path: &str,
    ) -> Result<PathStart, ScenarioError> {
        let pieces = cut(path).map_err(|reason| item.error(reason))?;
        let Some(Piece::Hole(whole, hole)) = pieces.first() else {
            return Ok(PathStart::Own);
        };
        let item = item.part(whole);
        let value = match (self.value(&item, hole)?, self.variables.find(hole)) {
            (Some(value), _) => value,
            (None, Some(index)) => {
                if let Some(demands) = self.variables.demands(index) {
                    demands.as_link = true;
                    self.link = Some(index);
                    return Ok(PathStart::Link);
                }
                match self.variables.values(index)[..] {
                    [value] => value.clone(),
                    // A row's value is written as it is only where it stands alone.
                    [Value::Literal(first), ..] => Value::Literal(first.clone()),
                    _ => Value::Uuid,
                }
            }
            (None, None) => Value::Literal(self.fixed_value(&item, hole)?),
        };
        let refused = |found: &str| {
            Err(item.error(format!(
                "a path begins with /, and {{{{{hole}}}}} {found}; write \"/{whole}\""
            )))
        };
        let begins = |text: &String| text.starts_with('/');
        match value {
            Value::Column(column) => {
                for (row, field) in self.feeder.column(column).enumerate() {
                    if let Err(why) = links::check(field) {
                        let row = row + 1;
                        return Err(item.error(format!(
                            "a path begins with {{{{{hole}}}}}, and its value in row {row} of the CSV file {why}"
                        )));
                    }
                }
                Ok(PathStart::Column)
            }
            value if value.literals().iter().all(begins) && !value.literals().is_empty() => {
                Ok(PathStart::Own)
            }
            _ => refused("does not always"),
        }
    }

    /// The parts of a field's value: Basic credentials, `user:password` in base64 (RFC 7617).
    pub fn basic(&mut self, items: [&Item<'_>; 2]) -> Result<Vec<Part>, ScenarioError> {
        let mut text = Vec::new();
        for (nth, item) in items.into_iter().enumerate() {
            if nth > 0 {
                text.push((Made::Literal(":".to_owned()), Encoding::AsIs));
            }
            let whole = item.text_or_number()?;
            let name_has_colon = nth == 0 && whole.contains(':');
            if name_has_colon {
                return Err(item.error(
                    "a name with a colon cannot be told from the password (RFC 7617 section 2)",
                ));
            }
            for piece in cut(&whole).map_err(|reason| item.error(reason))? {
                let made = match piece {
                    Piece::Literal(text) => Made::Literal(text.to_owned()),
                    Piece::Hole(whole, hole) => self.term(&item.part(whole), hole)?,
                };
                text.push((made, Encoding::AsIs));
            }
            if nth == 1 && !whole.contains("{{") {
                self.secrets.add(&whole);
            }
        }
        let value = self.computed(items[1], Function::Base64, Vec::new(), text)?;
        let credentials = self.part(items[1], "auth", value, Site::Header, false)?;
        Ok(vec![Part::Literal(b"Basic ".to_vec()), credentials])
    }

    /// A function of the values that its hole names.
    pub(super) fn function(
        &mut self,
        item: &Item<'_>,
        function: Function,
        name: &str,
        text: &str,
    ) -> Result<Value, ScenarioError> {
        let found = terms(text).map_err(|reason| item.error(reason))?;
        let of_key = usize::from(function.has_key());
        if found.len() <= of_key || found.len() > PARTS_MAX {
            let example = match function {
                Function::Jwt => "jwt env.KEY claims",
                _ if function.has_key() => "hmac env.KEY user ':' now_s",
                _ => "base64 name ':' csv.password",
            };
            return Err(item.error(format!(
                "{name} takes {} 1 to {PARTS_MAX} names of values or texts in quotes; write for example {{{{{example}}}}}",
                ["", "a key and"][of_key]
            )));
        }
        if function == Function::Jwt {
            check_claims(&found[1..]).map_err(|reason| item.error(reason))?;
        }
        let mut parts = Vec::new();
        let mut in_string = false;
        for (nth, term) in found.into_iter().enumerate() {
            let is_claim = function == Function::Jwt && nth > 0;
            let made = match term {
                Term::Quoted(text) => {
                    in_string ^= is_claim && ends_other_side(text, in_string);
                    parts.push((Made::Literal(text.to_owned()), Encoding::AsIs));
                    continue;
                }
                Term::Word(word) => self.term(item, word)?,
            };
            let encoding = match is_claim && in_string {
                true => Encoding::Json,
                false => Encoding::AsIs,
            };
            // A variable alone holds the claims as a whole.
            let is_whole = nth == 1 && parts.len() == 1;
            if is_claim && !in_string && !made.is_number() && !is_whole {
                return Err(item.error(format!(
                    "a claim that is no number stands in quotes of JSON: '{{\"sub\":\"' {} '\"}}'",
                    match term {
                        Term::Word(word) | Term::Quoted(word) => word,
                    }
                )));
            }
            parts.push((made, encoding));
        }
        let text = parts.split_off(of_key);
        self.computed(item, function, parts, text)
    }

    /// A function of parts; constant when all of them are. Such a result may hold a secret, and counts as one.
    fn computed(
        &mut self,
        item: &Item<'_>,
        function: Function,
        key: Vec<made::Part>,
        text: Vec<made::Part>,
    ) -> Result<Value, ScenarioError> {
        for parts in [&key, &text] {
            let bytes = made::bytes_max(parts, &self.feeder);
            if bytes > INPUT_BYTES_MAX {
                return Err(item.error(format!(
                    "its values may be {bytes} bytes long together, and {INPUT_BYTES_MAX} are the most; give the extracted ones a smaller max"
                )));
            }
        }
        let computed = Computed {
            function,
            key,
            text,
        };
        Ok(match computed.constant() {
            Some(constant) => {
                self.secrets.add(&constant);
                Value::Literal(constant)
            }
            None => Value::Made(Box::new(Made::Computed(Box::new(computed)))),
        })
    }

    /// A value as a part of a function.
    fn term(&mut self, item: &Item<'_>, word: &str) -> Result<Made, ScenarioError> {
        if let Some(index) = self.variables.find(word) {
            self.has_api_key |= self.with_api_key.contains(&index);
            if self.variables.demands(index).is_some() && !self.filled.contains(&index) {
                return Err(self.may_be_missing(item, word, ""));
            }
            self.used.push(index);
            return Ok(Made::Variable(self.variables.get(index).slot));
        }
        let split = word.find(['+', '-']).unwrap_or(word.len());
        let (name, offset) = word.split_at(split);
        if let Some(clock) = clock_of(name) {
            return time(clock, offset).map_err(|reason| item.error(reason));
        }
        match self.value(item, word)? {
            Some(Value::Uuid) => Ok(Made::Uuid),
            Some(Value::User) => Ok(Made::Counted(Counter::User, Vec::new())),
            Some(Value::Sequence(first)) => {
                Ok(Made::Counted(Counter::Sequence(first), Vec::new()))
            }
            Some(Value::Column(column)) => Ok(Made::Column(column)),
            Some(Value::Made(made)) => Ok(*made),
            Some(_) => Err(item.error(format!(
                "{word} cannot stand in a function; make it a variable of [variables], and name that"
            ))),
            None => Ok(Made::Literal(self.fixed_value(item, word)?)),
        }
    }
}
