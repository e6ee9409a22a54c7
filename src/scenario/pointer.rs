//! JSON pointers (RFC 6901), followed through a text without building its tree: only strings with escapes allocate.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;
use serde_json::value::RawValue;

/// A path into a JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    text: String,
    tokens: Vec<String>,
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text.as_str() {
            "" => f.write_str("the whole body"),
            text => f.write_str(text),
        }
    }
}

/// A value in a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'b>(&'b str);

impl Pointer {
    /// Parses a pointer.
    ///
    /// # Errors
    /// The reason, and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.is_empty() && !text.starts_with('/') {
            return Err(format!(
                "a JSON pointer begins with / (RFC 6901); write \"/{}\"",
                text.trim_start_matches("$.").replace('.', "/")
            ));
        }
        let tokens = text.split('/').skip(1).map(|token| {
            let plain = token.replace("~1", "").replace("~0", "");
            match plain.contains('~') {
                true => Err(format!(
                    "\"{token}\": in a JSON pointer ~ is written ~0, and / is ~1"
                )),
                false => Ok(token.replace("~1", "/").replace("~0", "~")),
            }
        });
        Ok(Self {
            text: text.to_owned(),
            tokens: tokens.collect::<Result<_, _>>()?,
        })
    }

    /// Whether it points at the whole text.
    pub fn is_whole(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Name of the member that it points at; empty for the whole text.
    pub fn name(&self) -> &str {
        self.tokens.last().map_or("", String::as_str)
    }

    /// Puts a value into a JSON tree where the pointer says, and objects on the way to it; `false` when another value
    /// stands in the way.
    #[must_use]
    pub fn put(&self, tree: &mut Json, value: Json) -> bool {
        let mut at = tree;
        for token in &self.tokens {
            if at.is_null() {
                *at = Json::Object(serde_json::Map::new());
            }
            let Json::Object(members) = at else {
                return false;
            };
            at = members.entry(token.as_str()).or_insert(Json::Null);
        }
        let is_free = at.is_null() || *at == value;
        if is_free {
            *at = value;
        }
        is_free
    }

    /// The value that it points at; `None` when there is none.
    ///
    /// # Errors
    /// When the text is not JSON.
    pub fn find<'b>(&self, text: &'b [u8]) -> Result<Option<Found<'b>>, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_slice(without_mark(text));
        let found = Seek(&self.tokens).deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(found.map(Found))
    }
}

/// A text without the byte order mark that some servers put before it (RFC 8259 section 8.1 allows to skip it).
pub fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

impl<'b> Found<'b> {
    /// A value, as it is written.
    pub(super) fn new(raw: &'b str) -> Self {
        Self(raw)
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// The value as it is written.
    pub fn raw(self) -> &'b str {
        self.0
    }

    /// The contents of a string, or any other value as it is written. `None` for a string that is not Unicode text: half of
    /// a surrogate pair, written as an escape (RFC 8259 section 8.2).
    pub fn text(self) -> Option<Cow<'b, str>> {
        let inside = self.0.strip_prefix('"');
        match inside.and_then(|text| text.strip_suffix('"')) {
            None => Some(Cow::Borrowed(self.0)),
            Some(inside) if !inside.contains('\\') => Some(Cow::Borrowed(inside)),
            Some(_) => serde_json::from_str(self.0).ok().map(Cow::Owned),
        }
    }

    /// Whether it is the same value, however it is written.
    pub fn is(self, expected: &Json) -> bool {
        match expected {
            Json::String(expected) => {
                self.0.starts_with('"') && self.text().is_some_and(|found| found == *expected)
            }
            Json::Number(expected) => match (self.0.parse::<i64>(), expected.as_i64()) {
                (Ok(found), Some(expected)) => found == expected,
                // `2` and `2.0` are the same number.
                _ => self.0.parse().ok() == expected.as_f64(),
            },
            _ => serde_json::from_str::<Json>(self.0).is_ok_and(|found| found == *expected),
        }
    }
}

/// Reads one value and follows the tokens in it.
struct Seek<'t>(&'t [String]);

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = Option<&'de str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.0.is_empty() {
            let raw: &'de RawValue = serde::Deserialize::deserialize(deserializer)?;
            return Ok(Some(raw.get()));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = Option<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(is_it) = map.next_key_seed(Is(&self.0[0]))? {
            match is_it {
                true => found = map.next_value_seed(Seek(&self.0[1..]))?,
                false => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let token = &self.0[0];
        let wanted = token.parse::<usize>().ok();
        // RFC 6901 section 4: no leading zeros.
        let wanted = wanted.filter(|index| index.to_string() == *token);
        let mut index = 0;
        let mut found = None;
        loop {
            if Some(index) == wanted {
                match list.next_element_seed(Seek(&self.0[1..]))? {
                    Some(element) => found = element,
                    None => return Ok(found),
                }
            } else if list.next_element::<IgnoredAny>()?.is_none() {
                return Ok(found);
            }
            index += 1;
        }
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Reads a key and compares it with a token.
struct Is<'t>(&'t str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

#[cfg(test)]
mod tests;
