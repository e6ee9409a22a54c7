//! Where in a scenario's text something is wrong, and how it is said.

use std::fmt;
use std::ops::Range;

/// Most characters of a line that are shown with an error.
const EXCERPT_CHARACTERS: usize = 200;

/// Something wrong in a scenario, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// File, or the name of a built-in scenario.
    pub origin: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The line it stands in.
    pub excerpt: String,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = (self.line, self.column);
        writeln!(f, "{}:{line}:{column}: {}", self.origin, self.reason)?;
        // Of a very long line the part around the place.
        let begin = column.saturating_sub(EXCERPT_CHARACTERS / 2);
        let begin = if begin < EXCERPT_CHARACTERS / 2 {
            0
        } else {
            begin
        };
        let excerpt: String = self
            .excerpt
            .chars()
            .skip(begin)
            .take(EXCERPT_CHARACTERS)
            .collect();
        let before = if begin > 0 { "... " } else { "" };
        let after = match self.excerpt.chars().nth(begin + EXCERPT_CHARACTERS) {
            Some(_) => " ...",
            None => "",
        };
        write!(f, "  {line} | {before}{excerpt}{after}")
    }
}

impl std::error::Error for ScenarioError {}

/// A text and its name, to make errors of.
#[derive(Clone, Copy)]
pub(super) struct Source<'t> {
    pub origin: &'t str,
    pub text: &'t str,
}

impl Source<'_> {
    pub fn error(&self, span: Range<usize>, reason: impl Into<String>) -> ScenarioError {
        let mut at = span.start.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let excerpt = self.text[line_start..].lines().next().unwrap_or_default();
        ScenarioError {
            origin: self.origin.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            excerpt: excerpt.to_owned(),
            reason: in_one_line(&reason.into()),
        }
    }
}

/// A text that may repeat what somebody else has written: control characters are shown as their escapes.
pub fn in_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
    line
}

/// The known name that is most like a text, put as a question.
pub fn did_you_mean<'n>(text: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    let near = known
        .into_iter()
        .map(|name| match name.starts_with(text) && text.len() > 2 {
            true => (1, name),
            false => (strsim::damerau_levenshtein(name, text), name),
        })
        .min();
    match near {
        Some((distance, name)) if 2 * distance <= name.len().max(text.len()) => {
            format!("; did you mean \"{name}\"?")
        }
        _ => String::new(),
    }
}
