//! JSON pointers (RFC 6901), followed through a text without building its tree: nothing is allocated but for strings with escapes.

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
    /// Reads a pointer.
    ///
    /// # Errors
    /// With what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.is_empty() && !text.starts_with('/') {
            return Err(format!(
                "a JSON pointer begins with / (RFC 6901); write \"/{}\"",
                text.replace('.', "/")
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

    /// The name of the member that it points at; empty for the whole text.
    pub fn name(&self) -> &str {
        self.tokens.last().map_or("", String::as_str)
    }

    /// The value that it points at, `None` when there is none.
    ///
    /// # Errors
    /// When the text is no JSON.
    pub fn find<'b>(&self, text: &'b [u8]) -> Result<Option<Found<'b>>, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_slice(without_mark(text));
        let found = Seek(&self.tokens).deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(found.map(Found))
    }
}

/// A text without the byte order mark that some servers put in front (RFC 8259 section 8.1 allows to skip it).
pub fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

impl<'b> Found<'b> {
    /// It is `null`.
    pub fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// As it stands in the text.
    pub fn raw(self) -> &'b str {
        self.0
    }

    /// A string's contents, or the raw text of anything else. `None` for a string that is no Unicode text: half of a
    /// surrogate pair, written as an escape (RFC 8259 section 8.2).
    pub fn text(self) -> Option<Cow<'b, str>> {
        let inside = self.0.strip_prefix('"');
        match inside.and_then(|text| text.strip_suffix('"')) {
            None => Some(Cow::Borrowed(self.0)),
            Some(inside) if !inside.contains('\\') => Some(Cow::Borrowed(inside)),
            Some(_) => serde_json::from_str(self.0).ok().map(Cow::Owned),
        }
    }

    /// It is the same value, however it is written.
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

/// Reads one value, and in it follows the tokens.
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

/// Reads a key and compares it.
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
mod tests {
    use super::*;

    /// The example document of RFC 6901 section 5.
    const TEXT: &str = r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8,
        "deep":{"list":[{"id":1.50},{"id":"x\ny"}],"null":null}}"#;

    #[test]
    fn pointers_find_what_a_whole_tree_finds() {
        let tree: Json = serde_json::from_str(TEXT).expect("it is JSON");
        for pointer in [
            "",
            "/foo",
            "/foo/0",
            "/foo/1",
            "/foo/2",
            "/foo/01",
            "/foo/x",
            "/",
            "/a~1b",
            "/c%d",
            "/e^f",
            "/g|h",
            "/i\\j",
            "/k\"l",
            "/ ",
            "/m~0n",
            "/deep/list/0/id",
            "/deep/list/1/id",
            "/deep/null",
            "/deep/null/x",
            "/deep/list/0/id/x",
            "/nowhere",
            "/foo/0/x",
        ] {
            let found = Pointer::parse(pointer)
                .expect(pointer)
                .find(TEXT.as_bytes());
            let found = found.expect("it is JSON");
            assert_eq!(
                found.is_some(),
                tree.pointer(pointer).is_some(),
                "{pointer}"
            );
            if let (Some(found), Some(expected)) = (found, tree.pointer(pointer)) {
                assert!(found.is(expected), "{pointer}: {found:?}");
                let text = expected
                    .as_str()
                    .map_or_else(|| found.raw().to_owned(), str::to_owned);
                assert_eq!(found.text().as_deref(), Some(text.as_str()), "{pointer}");
                assert!(!found.is(&Json::from("something else")), "{pointer}");
            }
        }
    }

    #[test]
    fn numbers_are_compared_exactly_and_strings_are_text() {
        let found = |text: &'static str| {
            let found = Pointer::parse("").expect("valid").find(text.as_bytes());
            found.expect("JSON").expect("a value")
        };
        for (text, number, same) in [
            ("9007199254740993", 9_007_199_254_740_993i64, true),
            ("9007199254740993", 9_007_199_254_740_992, false),
            ("2.0", 2, true),
            ("-2e0", -2, true),
            ("\"2\"", 2, false),
            ("true", 1, false),
        ] {
            assert_eq!(found(text).is(&Json::from(number)), same, "{text} {number}");
        }
        assert_eq!(found(r#""\ud800""#).text(), None);
        assert!(!found(r#""\ud800""#).is(&Json::from("")));
        assert_eq!(
            found(r#""\ud83d\ude00""#).text().as_deref(),
            Some("\u{1f600}")
        );
    }

    #[test]
    fn what_is_no_json_is_said_so_even_behind_the_value() {
        let pointer = Pointer::parse("/a").expect("valid");
        for text in ["", "{\"a\":1", "{\"a\":1}x", "nope", "{\"a\":1,}"] {
            assert!(pointer.find(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_wrong_pointer_is_told_the_right_one() {
        let error = Pointer::parse("data.id").expect_err("no slash");
        assert!(error.contains("\"/data/id\""), "{error}");
        assert!(Pointer::parse("/a~b").expect_err("a bare ~").contains("~0"));
    }
}
