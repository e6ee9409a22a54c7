//! TOML values with their places: every key is read by name, and a key that was not read is an error.

use std::cell::RefCell;
use std::ops::Range;

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};
use serde_json::Value as Json;

use super::foreign;
use super::place::{ScenarioError, Source};
use crate::text::suggest::did_you_mean;

/// Longest value that an error repeats as an example.
const EXAMPLE_BYTES_MAX: usize = 40;

/// A table being read.
pub(super) struct Table<'s> {
    source: Source<'s>,
    table: &'s DeTable<'s>,
    span: Range<usize>,
    /// Keys that were read.
    known: RefCell<Vec<&'static str>>,
}

/// A value with its place.
#[derive(Clone)]
pub(super) struct Item<'s> {
    pub source: Source<'s>,
    pub span: Range<usize>,
    value: &'s DeValue<'s>,
}

/// A key with its place, and its value.
pub(super) type Entry<'s> = (&'s str, Range<usize>, Item<'s>);

impl<'s> Table<'s> {
    pub fn new(source: Source<'s>, table: &'s DeTable<'s>, span: Range<usize>) -> Self {
        Self {
            source,
            table,
            span,
            known: RefCell::default(),
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &'static str) -> Option<Item<'s>> {
        self.known.borrow_mut().push(key);
        let value = self.table.get(key)?;
        Some(Item::new(self.source, value))
    }

    /// A key's value, read by `read`.
    pub fn read<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&Item<'s>) -> Result<T, ScenarioError>,
    ) -> Result<Option<T>, ScenarioError> {
        self.get(key).as_ref().map(read).transpose()
    }

    /// The value of a required key.
    pub fn need(&self, key: &'static str, example: &str) -> Result<Item<'s>, ScenarioError> {
        self.get(key)
            .ok_or_else(|| self.error(format!("\"{key}\" is missing; write for example {example}")))
    }

    /// All entries, whatever their names.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'s>> {
        let source = self.source;
        self.table.iter().map(move |(key, value)| {
            let name: &'s str = key.get_ref();
            (name, key.span(), Item::new(source, value))
        })
    }

    /// Refuses every key that was not read.
    pub fn finish(&self) -> Result<(), ScenarioError> {
        self.refuse_unread(|_| false)
    }

    /// Refuses keys of other tools, where they say more than a key that is missing.
    pub fn refuse_foreign(&self) -> Result<(), ScenarioError> {
        let cured = |(name, span, _): Entry<'s>| Some((name, span, foreign::cure(name)?));
        match self.entries().find_map(cured) {
            Some((name, span, cure)) => {
                let reason = format!("unknown key \"{name}\"; {cure}");
                Err(self.source.error(span, reason))
            }
            None => Ok(()),
        }
    }

    /// Refuses every key that was not read and whose value is not a table.
    pub fn finish_beside_tables(&self) -> Result<(), ScenarioError> {
        self.refuse_unread(|value| matches!(value, DeValue::Table(_)))
    }

    fn refuse_unread(&self, is_known: impl Fn(&DeValue<'_>) -> bool) -> Result<(), ScenarioError> {
        let known = self.known.borrow();
        for (key, value) in self.table {
            let name: &str = key.get_ref();
            if !known.contains(&name) && !is_known(value.get_ref()) {
                let near = match foreign::cure(name) {
                    Some(cure) => format!("; {cure}"),
                    None => did_you_mean(name, known.iter().copied()),
                };
                let reason = format!("unknown key \"{name}\"{near}");
                return Err(self.source.error(key.span(), reason));
            }
        }
        Ok(())
    }

    pub fn error(&self, reason: impl Into<String>) -> ScenarioError {
        self.source.error(self.span.clone(), reason)
    }
}

impl<'s> Item<'s> {
    fn new(source: Source<'s>, value: &'s Spanned<DeValue<'s>>) -> Self {
        Self {
            source,
            span: value.span(),
            value: value.get_ref(),
        }
    }

    /// A value outside a file; `span` is its place in the source's text.
    pub fn of_text(source: Source<'s>, span: Range<usize>, value: &'s DeValue<'s>) -> Self {
        Self {
            source,
            span,
            value,
        }
    }

    pub fn error(&self, reason: impl Into<String>) -> ScenarioError {
        self.source.error(self.span.clone(), reason)
    }

    /// The same value for an error about a part of it: at the first place in the file where the part stands without
    /// escapes, else at the place of the whole.
    pub fn part(&self, part: &str) -> Self {
        let inner: Vec<Self> = match self.value {
            DeValue::String(text) if text.contains(part) => {
                let raw = &self.source.text[self.span.clone()];
                let Some(at) = raw.find(part) else {
                    return self.clone();
                };
                let start = self.span.start + at;
                return Self {
                    span: start..start + part.len(),
                    ..self.clone()
                };
            }
            DeValue::Array(values) => {
                let items = values.iter().map(|value| Self::new(self.source, value));
                items.collect()
            }
            DeValue::Table(table) => {
                let items = table.values().map(|value| Self::new(self.source, value));
                items.collect()
            }
            _ => Vec::new(),
        };
        let mut narrowed = inner.iter().map(|item| (item, item.part(part)));
        let found = narrowed.find(|(item, narrowed)| item.span != narrowed.span);
        found.map_or_else(|| self.clone(), |(_, narrowed)| narrowed)
    }

    fn expected(&self, what: &str) -> ScenarioError {
        self.error(format!("expected {what}, found {}", kind_of(self.value)))
    }

    pub fn text(&self) -> Result<&'s str, ScenarioError> {
        match self.value {
            DeValue::String(text) => Ok(text),
            _ => Err(self.expected("a text in quotes")),
        }
    }

    /// A text, or a number without unit, as in `wait = 0`.
    pub fn text_or_number(&self) -> Result<String, ScenarioError> {
        match self.value {
            DeValue::Integer(number) => Ok(number.to_string()),
            DeValue::Float(number) => Ok(number.to_string()),
            _ => self.text().map(str::to_owned),
        }
    }

    pub fn flag(&self) -> Option<bool> {
        match self.value {
            DeValue::Boolean(flag) => Some(*flag),
            _ => None,
        }
    }

    pub fn integer(&self, allowed: std::ops::RangeInclusive<u64>) -> Result<u64, ScenarioError> {
        let DeValue::Integer(number) = self.value else {
            return Err(self.expected("a whole number"));
        };
        let number = i128::from_str_radix(number.as_str(), number.radix());
        match number.ok().and_then(|number| u64::try_from(number).ok()) {
            Some(number) if allowed.contains(&number) => Ok(number),
            _ => {
                let (from, to) = (allowed.start(), allowed.end());
                Err(self.error(format!("expected a number from {from} to {to}")))
            }
        }
    }

    /// The elements of a list, or the item itself.
    pub fn one_or_several(&self) -> Vec<Item<'s>> {
        self.list().unwrap_or_else(|_| vec![self.clone()])
    }

    pub fn list(&self) -> Result<Vec<Item<'s>>, ScenarioError> {
        match self.value {
            DeValue::Array(values) => {
                let items = values.iter().map(|value| Item::new(self.source, value));
                Ok(items.collect())
            }
            DeValue::Table(_) => {
                Err(self.error("expected a list, found one table; its name stands in [[ ]]"))
            }
            _ => match &self.source.text[self.span.clone()] {
                short if short.len() <= EXAMPLE_BYTES_MAX => {
                    Err(self.error(format!("expected a list; write [{short}]")))
                }
                _ => Err(self.expected("a list in [ ]")),
            },
        }
    }

    pub fn table(&self) -> Result<Table<'s>, ScenarioError> {
        match self.value {
            DeValue::Table(table) => Ok(Table::new(self.source, table, self.span.clone())),
            _ => Err(self.expected("a table")),
        }
    }

    /// The value as JSON, keys in the order in which they stand.
    pub fn json(&self) -> Result<Json, ScenarioError> {
        Ok(match self.value {
            DeValue::String(text) => Json::from(text.as_ref()),
            DeValue::Boolean(value) => Json::from(*value),
            DeValue::Integer(number) => {
                let parsed = i64::from_str_radix(number.as_str(), number.radix());
                Json::from(parsed.map_err(|_| self.error("the number does not fit 64 bits"))?)
            }
            DeValue::Float(number) => {
                let parsed: Option<f64> = number.as_str().parse().ok();
                let finite = parsed.and_then(serde_json::Number::from_f64);
                Json::from(finite.ok_or_else(|| self.error("JSON has no such number"))?)
            }
            DeValue::Datetime(time) => Json::from(time.to_string()),
            DeValue::Array(_) => {
                let values: Result<Vec<Json>, _> = self.list()?.iter().map(Self::json).collect();
                Json::from(values?)
            }
            DeValue::Table(_) => {
                let mut object = serde_json::Map::new();
                for (key, _, value) in self.table()?.entries() {
                    object.insert(key.to_owned(), value.json()?);
                }
                Json::from(object)
            }
        })
    }
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
