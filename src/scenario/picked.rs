//! An element of a JSON list that a user picks: the first, the last, one at random; or how many there are.

use std::fmt;

use super::facts::Facts;
use super::pointer::{Found, Pointer};

/// Stands in a pointer for the element that is picked.
pub const ANY: &str = "/*";

/// Which element of a list is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// The first.
    First,
    /// The last.
    Last,
    /// One drawn evenly. All values that are taken from one answer at random come from the same place in their list.
    Random,
    /// None: the value is the number of elements, or of an object's members.
    Count,
}

/// A value that belongs to a picked element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picked {
    list: Pointer,
    pick: Pick,
    /// From the element to the value.
    rest: Pointer,
}

/// What there is at the place of a picked value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum There<'b> {
    /// The value.
    Value(Found<'b>),
    /// The number of elements.
    Count(usize),
    /// Nothing, for this reason, as the end of a sentence.
    Nothing(&'static str),
}

impl Pick {
    /// Those that a scenario may name.
    pub const NAMES: [(&str, Self); 4] = [
        ("first", Self::First),
        ("last", Self::Last),
        ("random", Self::Random),
        ("count", Self::Count),
    ];
}

impl Picked {
    /// A pointer to a list, such as `/items`, or into an element of it, such as `/items/*/id`.
    ///
    /// # Errors
    /// The reason, and what would be right.
    pub fn parse(text: &str, pick: Pick) -> Result<Self, String> {
        let star = text.match_indices(ANY).find(|(at, _)| {
            let rest = &text[at + ANY.len()..];
            rest.is_empty() || rest.starts_with('/')
        });
        let (list, rest) = match star {
            Some((at, _)) => (&text[..at], &text[at + ANY.len()..]),
            None => (text, ""),
        };
        if format!("{rest}/").contains("/*/") {
            return Err("a pointer has one * for the element that is picked".to_owned());
        }
        if pick == Pick::Count && !rest.is_empty() {
            return Err(format!(
                "a list is counted, and not what is in its elements; write \"{list}\""
            ));
        }
        Ok(Self {
            list: Pointer::parse(list)?,
            pick,
            rest: Pointer::parse(rest)?,
        })
    }

    /// Looks the value up in a JSON text.
    ///
    /// # Errors
    /// When the text is not JSON.
    pub fn find<'b>(
        &self,
        body: &'b [u8],
        facts: &Facts<'_>,
    ) -> Result<There<'b>, serde_json::Error> {
        let Some(list) = self.list.find(body)? else {
            return Ok(There::Nothing("which is not there"));
        };
        let index = match (self.pick, list.count()) {
            (_, None) => return Ok(There::Nothing("which is no list")),
            (Pick::Count, Some(count)) => return Ok(There::Count(count)),
            (_, Some(0)) => return Ok(There::Nothing("which is empty")),
            (Pick::First, _) => 0,
            (Pick::Last, Some(count)) => count - 1,
            (Pick::Random, Some(count)) => facts.below(count),
        };
        let Some(element) = list.element(index) else {
            return Ok(There::Nothing("which is no list"));
        };
        Ok(match self.rest.find(element.raw().as_bytes())? {
            Some(found) => There::Value(found),
            None => There::Nothing("whose element has no such member"),
        })
    }

    /// The place of the list.
    pub fn list(&self) -> &Pointer {
        &self.list
    }

    /// The place of the value within the element.
    pub fn rest(&self) -> &Pointer {
        &self.rest
    }

    /// Whether the value is a number of elements.
    pub fn is_count(&self) -> bool {
        self.pick == Pick::Count
    }
}

impl fmt::Display for Picked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = match self.pick {
            Pick::First => "the first element",
            Pick::Last => "the last element",
            Pick::Random => "an element",
            Pick::Count => "the number of elements",
        };
        match self.rest.is_whole() {
            true => write!(f, "{which} of {}", self.list),
            false => write!(f, "{} in {which} of {}", self.rest, self.list),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::pattern::Caches;

    const BODY: &[u8] =
        br#"{"items": [{"id": 7, "n": [1]}, {"id": 8, "n": [2]}, {"id": 9, "n": [3]}], "no": []}"#;

    fn found(text: &str, pick: Pick, request: u32) -> String {
        let caches = Caches::default();
        let facts = Facts {
            request,
            ..Facts::plain(&caches)
        };
        let picked = Picked::parse(text, pick).expect(text);
        match picked.find(BODY, &facts).expect("JSON") {
            There::Value(found) => found.raw().to_owned(),
            There::Count(count) => count.to_string(),
            There::Nothing(why) => why.to_owned(),
        }
    }

    #[test]
    fn the_first_the_last_one_at_random_and_the_number_are_found() {
        assert_eq!(found("/items/*/id", Pick::First, 1), "7");
        assert_eq!(found("/items/*/id", Pick::Last, 1), "9");
        assert_eq!(found("/items/*/n/0", Pick::Last, 1), "3");
        assert_eq!(found("/items", Pick::Last, 1), r#"{"id": 9, "n": [3]}"#);
        assert_eq!(found("/items", Pick::Count, 1), "3");
        assert_eq!(found("/items/0", Pick::Count, 1), "2");
        assert_eq!(found("/no", Pick::Count, 1), "0");
        assert_eq!(found("/no", Pick::Last, 1), "which is empty");
        assert_eq!(found("/items/0/id", Pick::Last, 1), "which is no list");
        assert_eq!(found("/x/*/id", Pick::Last, 1), "which is not there");
        let missing = found("/items/*/x", Pick::Last, 1);
        assert_eq!(missing, "whose element has no such member");
    }

    #[test]
    fn values_drawn_from_one_answer_are_of_one_element_and_every_element_comes() {
        let mut seen = [false; 3];
        for request in 1..=60 {
            let id = found("/items/*/id", Pick::Random, request);
            let n = found("/items/*/n/0", Pick::Random, request);
            let at = "789".find(&id).expect("one of the ids");
            assert_eq!(n, (at + 1).to_string());
            seen[at] = true;
        }
        assert_eq!(seen, [true; 3]);
    }

    #[test]
    fn a_pointer_has_one_star_and_a_count_none_behind_it() {
        let refused = |text, pick| Picked::parse(text, pick).expect_err(text);
        assert!(refused("/a/*/b/*", Pick::Last).contains("one *"));
        assert!(refused("/a/*/b", Pick::Count).contains("write \"/a\""));
        assert!(refused("a/*/b", Pick::First).contains("begins with /"));
        let same = |a, b| Picked::parse(a, Pick::Last) == Picked::parse(b, Pick::Last);
        assert!(same("/a", "/a/*") && !same("/a*/b", "/a/b"));
    }
}
