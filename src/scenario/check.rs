//! Checks of an answer beyond its status and the values in it: texts, comparisons, counts, time.

use std::fmt;

use memchr::memmem::find;
use serde_json::Value as Json;

use crate::text::units::{counted, time};

use super::comparison::Comparison;
use super::facts::Facts;
use super::pattern::Pattern;
use super::pointer::Pointer;

/// A check of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// The body has this text.
    Contains(String),
    /// The body does not have this text.
    Lacks(String),
    /// The pattern matches somewhere in the body.
    Matches(Pattern),
    /// The body is JSON, and its value at this place compares so.
    Compare(Pointer, Comparison),
    /// The body is JSON, and the number of elements of the list at this place compares so.
    Count(Pointer, Comparison),
    /// The answer ended at most so long after its request was due.
    Within(u64),
}

impl Check {
    /// Whether an answer passes.
    pub fn holds(&self, body: &[u8], facts: &Facts<'_>) -> bool {
        match self {
            Self::Contains(text) => find(body, text.as_bytes()).is_some(),
            Self::Lacks(text) => find(body, text.as_bytes()).is_none(),
            Self::Matches(pattern) => pattern.is_in(body, facts.caches),
            Self::Compare(pointer, comparison) => {
                let found = pointer.find(body).ok().flatten();
                found.is_some_and(|found| comparison.holds(found))
            }
            Self::Count(pointer, comparison) => {
                let count = count_at(pointer, body);
                count.is_some_and(|count| comparison.holds_for(count as f64))
            }
            Self::Within(within_ns) => facts.took_ns <= *within_ns,
        }
    }

    /// Whether it looks at the body.
    pub fn is_of_body(&self) -> bool {
        !matches!(self, Self::Within(_))
    }

    /// Whether it looks for something that an answer may have anywhere.
    pub fn is_search(&self) -> bool {
        matches!(self, Self::Contains(_) | Self::Matches(_))
    }

    /// The place in JSON that it looks at.
    pub fn pointer(&self) -> Option<&Pointer> {
        match self {
            Self::Compare(pointer, _) | Self::Count(pointer, _) => Some(pointer),
            _ => None,
        }
    }

    /// The value that it compares with, when that may be a secret: with the name of its member.
    pub fn member(&self) -> Option<(&str, &Json)> {
        match self {
            Self::Compare(pointer, Comparison::Not(json)) => Some((pointer.name(), json)),
            _ => None,
        }
    }

    /// What an answer that does not pass has instead, as the end of a sentence; `None` for the value at its pointer.
    pub fn found(&self, body: &[u8], facts: &Facts<'_>) -> Option<String> {
        match self {
            Self::Contains(_) | Self::Matches(_) => Some(match body.is_empty() {
                true => ", but the body is empty".to_owned(),
                false => ", which is not there".to_owned(),
            }),
            Self::Lacks(_) => Some(", which is there".to_owned()),
            Self::Compare(..) => None,
            Self::Count(pointer, _) => {
                let count = count_at(pointer, body)?;
                Some(format!(", found {}", counted(count as u64, "element")))
            }
            Self::Within(_) => Some(format!(", it took {}", time(facts.took_ns as f64 / 1e3))),
        }
    }
}

fn count_at(pointer: &Pointer, body: &[u8]) -> Option<usize> {
    pointer.find(body).ok()??.count()
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contains(text) => write!(f, "the text {text:?}"),
            Self::Lacks(text) => write!(f, "a body without the text {text:?}"),
            Self::Matches(pattern) => write!(f, "a match of {pattern}"),
            Self::Compare(pointer, comparison) => write!(f, "a value {comparison} at {pointer}"),
            Self::Count(pointer, comparison) => {
                write!(f, "a number of elements {comparison} at {pointer}")
            }
            Self::Within(within_ns) => {
                write!(f, "an answer within {}", time(*within_ns as f64 / 1e3))
            }
        }
    }
}
