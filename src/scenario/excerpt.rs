//! A stretch of a text: between two others, what a pattern's group matches, or at a place in HTML.

use std::borrow::Cow;
use std::fmt;

use super::html::HtmlPlace;
use super::pattern::{Caches, Pattern};

/// A stretch of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Excerpt {
    /// Between the first occurrence of a text and the next one of another.
    Between(String, String),
    /// The first group of the first match, or the whole match.
    Group(Pattern),
    /// At a place in an HTML page.
    Html(HtmlPlace),
}

impl Excerpt {
    /// The stretch in a text.
    pub fn find<'t>(&self, text: &'t [u8], caches: &Caches) -> Option<Cow<'t, [u8]>> {
        match self {
            Self::Between(before, after) => {
                let start = memchr::memmem::find(text, before.as_bytes())? + before.len();
                let length = memchr::memmem::find(&text[start..], after.as_bytes())?;
                Some(Cow::Borrowed(&text[start..start + length]))
            }
            Self::Group(pattern) => pattern.group_in(text, caches).map(Cow::Borrowed),
            Self::Html(place) => place.find(text).map(|text| Cow::Owned(text.into_bytes())),
        }
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Between(before, after) => write!(f, "the text between {before:?} and {after:?}"),
            Self::Group(pattern) => write!(f, "a match of {pattern}"),
            Self::Html(place) => write!(f, "{place} of the page"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_between_two_others_is_the_shortest_from_the_first() {
        let check = |before: &str, after: &str, text: &str, expected: Option<&str>| {
            let between = Excerpt::Between(before.into(), after.into());
            let found = between.find(text.as_bytes(), &Caches::default());
            assert_eq!(
                found.as_deref(),
                expected.map(str::as_bytes),
                "{between} in {text}"
            );
        };
        check("id=\"", "\"", "<i id=\"a\"><i id=\"b\">", Some("a"));
        check("a", "a", "aa", Some(""));
        check("a", "a", "a", None);
        check("[", "]", "x", None);
        check("[", "]", "]x[y", None);
    }
}
