//! Texts broken into lines of a terminal.

use super::columns::{begin, columns};

/// A number and its unit stand on one line.
const UNITS: [&str; 9] = ["%", "us", "ms", "s", "B", "kB", "MB", "GB", "req/s"];

/// Breaks a text at blanks; a word that is wider than a line is cut where the line ends. The first line and
/// the others begin with their own indent; `width` is in columns and greater than both indents.
pub(crate) fn wrap(text: &str, width: usize, first_indent: &str, indent: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first_indent.to_owned();
    let mut is_begun = false;
    let mut break_line = |line: &mut String| {
        lines.push(std::mem::replace(line, indent.to_owned()));
    };
    for word in words(text) {
        let blanks = usize::from(is_begun);
        if is_begun && columns(&line) + blanks + columns(&word) > width {
            break_line(&mut line);
        } else if is_begun {
            line.push(' ');
        }
        let mut rest = word.as_str();
        while columns(&line) + columns(rest) > width {
            let room = width - columns(&line);
            let fits: String = begin(rest.chars(), room).collect();
            rest = &rest[fits.len()..];
            line += &fits;
            break_line(&mut line);
        }
        line += rest;
        is_begun = true;
    }
    lines.push(line);
    lines
}

/// The words of a text, a number and its unit as one.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let bare = word.trim_end_matches([',', '.', ';', ':', ')']);
        let is_number = |last: &String| last.ends_with(|c: char| c.is_ascii_digit());
        match words.last_mut() {
            Some(last) if last.ends_with(">=") || (UNITS.contains(&bare) && is_number(last)) => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_breaks_at_blanks_and_a_word_only_where_it_is_wider_than_a_line() {
        let lines = wrap("one two three", 9, "", "  ");
        assert_eq!(lines, ["one two", "  three"]);
        let lines = wrap("a abcdefghijkl b", 6, "", "  ");
        assert_eq!(lines, ["a", "  abcd", "  efgh", "  ijkl", "  b"]);
        let lines = wrap("p50 1.25 ms, max >= 2.00 s", 12, "", "");
        assert_eq!(lines, ["p50 1.25 ms,", "max", ">= 2.00 s"]);
        for width in 4..40 {
            let lines = wrap("a text of several 注文 words", width, " ", "  ");
            assert!(lines.iter().all(|line| columns(line) <= width), "{lines:?}");
        }
    }
}
