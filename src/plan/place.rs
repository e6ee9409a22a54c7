//! Where in a scenario's text something is wrong, and how it is said.

use std::fmt;
use std::ops::Range;

use super::members::{self, Author};

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
    /// The line it stands in, as it is: it is masked when it is shown.
    pub excerpt: String,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = (self.line, self.column);
        writeln!(f, "{}:{line}:{column}: {}", self.origin, self.reason)?;
        // Of a very long line the part around the place, which masking has moved.
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

/// A line of a scenario, tabs as blanks.
fn shown_excerpt(line: &str) -> String {
    label(&line.replace('\t', " "))
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
            reason: label(&reason.into()),
        }
    }
}

/// A text that may repeat what somebody else has written: what a terminal would obey is shown as its escape.
pub fn in_one_line(text: &str) -> String {
    escaped(text, |_| false)
}

/// The same for a text that has lines of its own.
pub fn in_lines(text: &str) -> String {
    escaped(text, |character| matches!(character, '\n' | '\t'))
}

fn escaped(text: &str, is_kept: impl Fn(char) -> bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match is_obeyed(character) && !is_kept(character) {
            true => safe.extend(character.escape_default()),
            false => safe.push(character),
        }
    }
    safe
}

/// Characters that move, colour, end or turn round what a terminal shows: C0, DEL and C1 controls, line and paragraph
/// separators, and the marks of Unicode's bidirectional algorithm.
fn is_obeyed(character: char) -> bool {
    let turns_round = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    character.is_control() || turns_round
}

/// A text of the scenario's author as it is shown: in one line, without values whose name says that they are secret.
pub fn label(text: &str) -> String {
    in_one_line(&members::mask(text, Author::Scenario))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        let wild = "a\x1b[2J\u{9b}31m\x7f\u{202e}\r\n\tb";
        let line = in_one_line(wild);
        assert_eq!(line, r"a\u{1b}[2J\u{9b}31m\u{7f}\u{202e}\r\n\tb");
        assert_eq!(in_lines(wild), line.replace(r"\n\t", "\n\t"));
        for code in 0..0x3000 {
            let Some(character) = char::from_u32(code) else {
                continue;
            };
            let shown = in_lines(&character.to_string());
            let is_plain = shown
                .chars()
                .all(|c| matches!(c, '\n' | '\t') || !c.is_control());
            assert!(is_plain, "{code:x}");
        }
        assert_eq!(in_one_line("caf\u{e9} \u{1f600}"), "caf\u{e9} \u{1f600}");
    }
}
