//! A place in an HTML page: a CSS selector, and an attribute of the first element that it selects.
//!
//! Needs the cargo feature `html`: its crates take 24 s of CPU to build. A page is parsed for each value that is looked
//! for, which allocates its whole tree: about 1 ms for 64 KiB.

use std::fmt;

#[cfg(feature = "html")]
use scraper::{Html, Selector};

/// In a build without HTML there are no selectors, hence no places.
#[cfg(not(feature = "html"))]
#[derive(Clone, Debug, PartialEq, Eq)]
enum Selector {}

/// A place in an HTML page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HtmlPlace {
    /// As the scenario has it.
    text: String,
    selector: Selector,
    /// The attribute whose value is taken; the element's text without one.
    attribute: Option<String>,
}

impl HtmlPlace {
    /// Reads `selector@attribute`, or a selector alone.
    ///
    /// # Errors
    /// The reason, or that this build has no HTML.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_name = |name: &str| {
            let is_part = |c: char| c.is_ascii_alphanumeric() || "-_:.".contains(c);
            !name.is_empty() && name.chars().all(is_part)
        };
        let split = text.rsplit_once('@').filter(|(_, name)| is_name(name));
        let (css, attribute) = match split {
            Some((css, name)) => (css, Some(name.to_ascii_lowercase())),
            None => (text, None),
        };
        Ok(Self {
            text: text.to_owned(),
            selector: selector(css.trim())?,
            attribute,
        })
    }

    /// The attribute's value, or the text of the first element that is selected, without blanks around it.
    #[cfg(feature = "html")]
    pub fn find(&self, page: &[u8]) -> Option<String> {
        let page = Html::parse_document(&String::from_utf8_lossy(page));
        let mut selected = page.select(&self.selector);
        match &self.attribute {
            Some(name) => selected.find_map(|it| it.attr(name)).map(str::to_owned),
            None => selected
                .next()
                .map(|it| it.text().collect::<String>().trim().to_owned()),
        }
    }

    /// There is no place to look at.
    #[cfg(not(feature = "html"))]
    pub fn find(&self, _: &[u8]) -> Option<String> {
        match self.selector {}
    }
}

#[cfg(feature = "html")]
fn selector(css: &str) -> Result<Selector, String> {
    Selector::parse(css).map_err(|error| format!("\"{css}\" is not a CSS selector: {error}"))
}

#[cfg(not(feature = "html"))]
fn selector(_: &str) -> Result<Selector, String> {
    Err(
        "this build of opsurge reads no HTML: cargo build --release --features html (or full); without it, take the value with regex or between"
            .to_owned(),
    )
}

impl fmt::Display for HtmlPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(all(test, feature = "html"))]
mod tests {
    use super::*;

    const PAGE: &[u8] = br#"<!doctype html><title>Log in</title>
        <form action="/login?a=1&amp;b=2"><input name=csrf value="t&quot;7"><input name=mail>
        <p class="note big">Hello <b>you</b>
        </p></form><a>none</a><a href="mailto:x@y">mail</a>"#;

    #[test]
    fn attributes_and_texts_are_found_with_their_entities_decoded() {
        for (place, expected) in [
            ("input[name=csrf]@value", Some("t\"7")),
            ("form@action", Some("/login?a=1&b=2")),
            ("p.note", Some("Hello you")),
            ("form > p.big > b", Some("you")),
            ("title", Some("Log in")),
            // The first that has the attribute.
            ("a@href", Some("mailto:x@y")),
            ("a[href='mailto:x@y']", Some("mail")),
            ("input[name=mail]@value", None),
            ("h1", None),
        ] {
            let found = HtmlPlace::parse(place).expect(place).find(PAGE);
            assert_eq!(found.as_deref(), expected, "{place}");
        }
        let any = HtmlPlace::parse("b").expect("a selector");
        assert_eq!(any.find(b"\xff<b>x").as_deref(), Some("x"));
        assert_eq!(any.find(b""), None);
        // A browser's parser closes no element deeper than the stack either.
        assert_eq!(any.find(&b"<i>".repeat(20_000)), None);
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        let refused = HtmlPlace::parse("input[name=").expect_err("not closed");
        assert!(
            refused.contains("\"input[name=\" is not a CSS selector"),
            "{refused}"
        );
        assert!(HtmlPlace::parse("@value").is_err());
    }
}

#[cfg(all(test, not(feature = "html")))]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_html_says_how_to_get_it() {
        let refused = HtmlPlace::parse("input@value").expect_err("it was not built");
        assert!(refused.contains("--features html"), "{refused}");
    }
}
