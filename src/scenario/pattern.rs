//! Regular expressions over answers: compiled once, searched without a lock.
//!
//! The crate `regex` takes the memory for a search from a pool that all threads share. `regex-automata`, on which it is
//! built, lets the caller own that memory: each shard has one cache for each pattern. A cache grows with the first
//! answers, up to a bound, and is then used again.

use std::cell::RefCell;
use std::fmt;

use regex_automata::Input;
use regex_automata::meta::{BuildError, Cache, Config, Regex};
use regex_automata::util::syntax;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Most bytes of a compiled pattern.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;
/// Most bytes of each of the two tables of states in a cache.
const TABLE_BYTES_MAX: usize = 256 * 1024;
/// Most bytes of a text that is made for a pattern.
const SAMPLE_BYTES_MAX: usize = 4 * 1024;
/// The characters of ASCII.
const PLAIN_CHARS: usize = 128;
/// Start and end of the whole match, then of the first group.
const SLOTS: usize = 4;

/// A compiled regular expression.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
    /// Place of its cache among those of a shard.
    number: usize,
}

/// The memory of one shard for its searches: a cache for each pattern of the scenario.
#[derive(Debug, Default)]
pub struct Caches(RefCell<Vec<Cache>>);

impl Pattern {
    /// Compiles a pattern, in the syntax of the crate `regex`.
    ///
    /// # Errors
    /// The reason, as a sentence without its end.
    pub fn parse(text: &str) -> Result<Self, String> {
        let config = Config::new()
            .utf8_empty(false)
            .nfa_size_limit(Some(PATTERN_BYTES_MAX))
            .onepass_size_limit(Some(PATTERN_BYTES_MAX))
            .hybrid_cache_capacity(TABLE_BYTES_MAX);
        // Answers are bytes; they need not be valid UTF-8.
        let syntax = syntax::Config::new().utf8(false);
        let built = Regex::builder()
            .configure(config)
            .syntax(syntax)
            .build(text);
        Ok(Self {
            text: text.to_owned(),
            regex: built.map_err(|error| reason(&error))?,
            number: 0,
        })
    }

    /// Gives it a cache of its own among those of a shard.
    pub fn set_number(&mut self, number: usize) {
        self.number = number;
    }

    /// Whether it matches anywhere in a text.
    pub fn is_in(&self, text: &[u8], caches: &Caches) -> bool {
        self.search(caches, |cache| {
            self.regex.is_match_with(cache, &Input::new(text))
        })
    }

    /// The text of the first group in the first match, or the whole match of a pattern without a group. `None` without a
    /// match, or when the group has no part in it.
    pub fn group_in<'t>(&self, text: &'t [u8], caches: &Caches) -> Option<&'t [u8]> {
        let mut slots = [None; SLOTS];
        self.search(caches, |cache| {
            let input = Input::new(text);
            self.regex.search_slots_with(cache, &input, &mut slots)
        })?;
        let first = 2 * usize::from(self.regex.captures_len() > 1);
        let (start, end) = (slots[first]?, slots[first + 1]?);
        Some(&text[start.get()..end.get()])
    }

    /// A text that it matches: the fewest repetitions, but one for `*`, and the first of several alternatives.
    ///
    /// # Errors
    /// When the pattern is not one that a text can be made for.
    pub fn sample(&self) -> Result<String, String> {
        let parsed = regex_syntax::parse(&self.text).ok();
        let mut sample = Vec::new();
        let made = parsed.is_some_and(|parsed| write_sample(&parsed, &mut sample).is_some());
        let text = String::from_utf8(sample).ok().filter(|_| made);
        let text = text.filter(|text| self.is_in(text.as_bytes(), &Caches::default()));
        text.ok_or_else(|| format!("no text could be made that {self} matches"))
    }

    /// Searches with the pattern's own cache, or a new one where the shard has none.
    fn search<T>(&self, caches: &Caches, search: impl FnOnce(&mut Cache) -> T) -> T {
        match caches.0.borrow_mut().get_mut(self.number) {
            Some(cache) => search(cache),
            None => search(&mut self.regex.create_cache()),
        }
    }
}

impl Caches {
    /// Caches for all patterns of a scenario, in the order of their numbers.
    pub fn new<'p>(patterns: impl Iterator<Item = &'p Pattern>) -> Self {
        let caches = patterns.map(|pattern| pattern.regex.create_cache());
        Self(RefCell::new(caches.collect()))
    }
}

/// Writes a text that a part of a pattern matches; `None` when none does, or it would be too long.
fn write_sample(part: &Hir, out: &mut Vec<u8>) -> Option<()> {
    match part.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(()),
        HirKind::Literal(literal) => {
            out.extend_from_slice(&literal.0);
            Some(())
        }
        HirKind::Class(Class::Unicode(class)) => {
            let ranges = class.ranges().iter();
            let plain = |c: &char| c.is_ascii_alphanumeric();
            let mut chars = ranges.clone().flat_map(|range| range.start()..=range.end());
            let first = ranges.clone().next()?.start();
            let chosen = chars
                .by_ref()
                .take(PLAIN_CHARS)
                .find(plain)
                .unwrap_or(first);
            out.extend_from_slice(chosen.encode_utf8(&mut [0; 4]).as_bytes());
            Some(())
        }
        HirKind::Class(Class::Bytes(class)) => {
            out.push(class.ranges().first()?.start());
            Some(())
        }
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(u32::MAX);
            for _ in 0..repetition.min.max(1).min(most) {
                write_sample(&repetition.sub, out)?;
                if out.len() > SAMPLE_BYTES_MAX {
                    return None;
                }
            }
            Some(())
        }
        HirKind::Capture(capture) => write_sample(&capture.sub, out),
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| write_sample(part, out)),
        HirKind::Alternation(parts) => write_sample(parts.first()?, out),
    }
}

fn reason(error: &BuildError) -> String {
    if error.size_limit().is_some() {
        return "compiled, the pattern is larger than 1 MiB; repeat less in it".to_owned();
    }
    // The last of several lines is the reason; those before it draw an arrow.
    let text = error.syntax_error().map(ToString::to_string);
    let text = text.unwrap_or_else(|| error.to_string());
    let last = text.lines().last().unwrap_or_default();
    let why = last.strip_prefix("error: ").unwrap_or(last);
    format!("not a regular expression: {why}")
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, group: Option<&str>) {
        let pattern = Pattern::parse(pattern).expect(pattern);
        let own = Caches::new([&pattern].into_iter());
        for caches in [&own, &Caches::default(), &own] {
            let found = pattern.group_in(text.as_bytes(), caches);
            assert_eq!(found, group.map(str::as_bytes), "{pattern} in {text}");
        }
    }

    #[test]
    fn the_first_group_of_the_first_match_is_taken() {
        let page = "<a href=\"/7\">x</a>\n<a href=\"/8\">y</a>";
        check(r#"href="/(\d+)""#, page, Some("7"));
        check(r#"href="/\d+""#, page, Some("href=\"/7\""));
        check(r"(?i)HREF=.(/\d)", page, Some("/7"));
        check(r"(?m)^<a.*/(8)", page, Some("8"));
        check(
            r"\bstra\u{df}e (\w+)",
            "stra\u{df}e \u{e9}t\u{e9}",
            Some("\u{e9}t\u{e9}"),
        );
        check("x(a)?", "x", None);
        check("z", page, None);
    }

    #[test]
    fn a_text_is_made_that_a_pattern_matches() {
        for pattern in [
            "id=([0-9]+)&",
            r#"name="csrf" value="([^"]{8,})""#,
            r"^\w+\s(a|b)*[^a-z]$",
            r"(?i)order (x|y)?",
            ".",
        ] {
            let pattern = Pattern::parse(pattern).map(|it| it.sample());
            assert!(
                matches!(&pattern, Ok(Ok(text)) if !text.is_empty()),
                "{pattern:?}"
            );
        }
        let impossible = Pattern::parse("a^b").expect("a pattern").sample();
        assert!(impossible.expect_err("it matches nothing").contains("a^b"));
    }

    #[test]
    fn a_text_may_have_any_bytes() {
        let pattern = Pattern::parse("id=([0-9]+)").expect("a pattern");
        let found = pattern.group_in(b"\xff\xfe id=12 \xff", &Caches::default());
        assert_eq!(found, Some(&b"12"[..]));
        assert!(pattern.is_in(b"\xffid=1", &Caches::default()));
        assert!(!pattern.is_in(b"", &Caches::default()));
    }

    #[test]
    fn what_is_no_pattern_or_too_large_is_refused_with_the_reason() {
        let refused = |text: &str| Pattern::parse(text).expect_err(text);
        assert_eq!(refused("a("), "not a regular expression: unclosed group");
        assert!(refused("(?=a)").contains("look-around"));
        assert!(refused(r"(\w{100}){100}").contains("larger than 1 MiB"));
    }
}
