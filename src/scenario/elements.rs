//! Elements of a list in a JSON text: how many there are, and the one at a place.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::pointer::Found;

impl<'b> Found<'b> {
    /// Elements of a list, or members of an object; `None` for another value.
    pub fn count(self) -> Option<usize> {
        let mut text = serde_json::Deserializer::from_str(self.raw());
        match self.raw().as_bytes().first() {
            Some(b'[') => text.deserialize_seq(Count).ok(),
            Some(b'{') => text.deserialize_map(Count).ok(),
            _ => None,
        }
    }

    /// An element of a list, by its index from 0.
    pub fn element(self, index: usize) -> Option<Self> {
        let mut text = serde_json::Deserializer::from_str(self.raw());
        match self.raw().starts_with('[') {
            true => Element(index).deserialize(&mut text).ok()?.map(Found::new),
            false => None,
        }
    }
}

struct Count;

impl<'de> Visitor<'de> for Count {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<usize, A::Error> {
        let mut count = 0;
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<usize, A::Error> {
        let mut count = 0;
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(count)
    }
}

/// Reads the element at an index.
struct Element(usize);

impl<'de> DeserializeSeed<'de> for Element {
    type Value = Option<&'de str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Element {
    type Value = Option<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        for _ in 0..self.0 {
            if list.next_element::<IgnoredAny>()?.is_none() {
                return Ok(None);
            }
        }
        let found = list.next_element::<&'de RawValue>()?.map(RawValue::get);
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_counted_and_found() {
        let list = Found::new(r#"[1, {"a": [2, 3]}, "x,]", null]"#);
        assert_eq!(list.count(), Some(4));
        let element = |index| list.element(index).map(Found::raw);
        assert_eq!(element(0), Some("1"));
        assert_eq!(element(1), Some(r#"{"a": [2, 3]}"#));
        assert_eq!(element(2), Some(r#""x,]""#));
        assert_eq!((element(3), element(4)), (Some("null"), None));
        assert_eq!(Found::new(r#"{"a": 1, "b": {"c": 2}}"#).count(), Some(2));
        assert_eq!(Found::new("[]").count(), Some(0));
        for other in ["7", "\"[1]\"", "null", "{\"a\": 1}"] {
            assert_eq!(Found::new(other).element(0), None, "{other}");
        }
        assert_eq!(Found::new("\"ab\"").count(), None);
    }
}
