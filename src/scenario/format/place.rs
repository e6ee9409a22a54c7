//! Errors with their place in a scenario's text.

use std::fmt;
use std::ops::Range;

use crate::scenario::members::label;

/// Most characters of a line that are shown with an error.
const EXCERPT_CHARACTERS: usize = 200;

/// An error in a scenario's text, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// File, or the name of a built-in scenario.
    pub origin: String,
    /// Line of the text, from 1.
    pub line: usize,
    /// Column in the line, from 1, in characters.
    pub column: usize,
    /// The line as it is; secrets are masked when it is shown.
    pub excerpt: String,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = (self.line, self.column);
        writeln!(f, "{}:{line}:{column}: {}", self.origin, self.reason)?;
        // A very long line is shown around the place, which masking has moved.
        let line_shown = shown_excerpt(&self.excerpt);
        let until: String = self
            .excerpt
            .chars()
            .take(column.saturating_sub(1))
            .collect();
        let place = shown_excerpt(&until).chars().count() + 1;
        let begin = place.saturating_sub(EXCERPT_CHARACTERS / 2);
        let begin = if begin < EXCERPT_CHARACTERS / 2 {
            0
        } else {
            begin
        };
        let excerpt: String = line_shown
            .chars()
            .skip(begin)
            .take(EXCERPT_CHARACTERS)
            .collect();
        let before = if begin > 0 { "... " } else { "" };
        let after = match line_shown.chars().nth(begin + EXCERPT_CHARACTERS) {
            Some(_) => " ...",
            None => "",
        };
        write!(f, "  {line} | {before}{excerpt}{after}")
    }
}

/// A line of a scenario as it is shown: tabs as blanks, secrets masked.
fn shown_excerpt(line: &str) -> String {
    label(&line.replace('\t', " "))
}

impl std::error::Error for ScenarioError {}

/// A text and its name, for errors.
#[derive(Clone, Copy)]
pub struct Source<'t> {
    /// File, or the name of a built-in text.
    pub origin: &'t str,
    /// The whole text.
    pub text: &'t str,
}

impl Source<'_> {
    /// An error at the start of `span`, in bytes; within a character, at its start.
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
            reason: label(&reason.into()),
        }
    }
}
