//! The page that a report is written on: lines of at most its width, safe to show on a terminal.
//!
//! All text goes through [`Page`]: what a terminal would obey is escaped, and colours are added after that.

use crate::text::printable::in_one_line;
use crate::text::wrap::wrap;

/// A narrower terminal is treated as one of this width.
const WIDTH_MIN: usize = 20;
/// Columns by which the lines of a paragraph after its first are indented.
const INDENT: &str = "  ";
/// A blank at which no line breaks.
pub(super) const NO_BREAK: char = '\u{a0}';

/// Colours repeat what the words say.
#[derive(Clone, Copy)]
pub(super) enum Colour {
    Red,
    Green,
    Yellow,
}

/// Which part of a paragraph is coloured.
#[derive(Clone, Copy)]
pub(super) enum Paint<'a> {
    Nothing,
    Whole(Colour),
    /// These words, where they stand in one line.
    Words(Colour, &'a str),
}

pub(super) struct Page {
    text: String,
    /// Columns.
    width: usize,
    has_colour: bool,
    is_blank_due: bool,
}

impl Page {
    pub fn new(width: usize, has_colour: bool) -> Self {
        Self {
            text: String::new(),
            width: width.max(WIDTH_MIN),
            has_colour,
            is_blank_due: false,
        }
    }

    /// Columns of a line.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Bytes written so far.
    pub fn length(&self) -> usize {
        self.text.len()
    }

    /// What was written since [`Page::length`] was this.
    pub fn since(&self, length: usize) -> &str {
        &self.text[length..]
    }

    pub fn finish(self) -> String {
        self.text
    }

    /// An empty line before the next one, unless that is the first.
    pub fn blank(&mut self) {
        self.is_blank_due = !self.text.is_empty();
    }

    /// A text in lines, all but the first indented.
    pub fn paragraph(&mut self, paint: Paint<'_>, text: &str) {
        self.wrapped(paint, text, "", INDENT);
    }

    /// A text in lines that are all indented: it belongs to the paragraph above it.
    pub fn remark(&mut self, text: &str) {
        self.wrapped(Paint::Nothing, text, INDENT, INDENT);
    }

    /// A text in lines that are not indented.
    pub fn plain(&mut self, paint: Paint<'_>, text: &str) {
        self.wrapped(paint, text, "", "");
    }

    /// A text in one piece, even where it is wider than the page: a path that can be copied.
    pub fn unbroken(&mut self, text: &str) {
        self.line(Paint::Nothing, &in_one_line(text));
    }

    /// A line of a table, which has been laid out for the page's width.
    pub fn row(&mut self, text: &str) {
        self.line(Paint::Nothing, text.trim_end());
    }

    fn wrapped(&mut self, paint: Paint<'_>, text: &str, first_indent: &str, indent: &str) {
        for line in wrap(&in_one_line(text), self.width, first_indent, indent) {
            self.line(paint, line.replace(NO_BREAK, " ").trim_end());
        }
    }

    fn line(&mut self, paint: Paint<'_>, line: &str) {
        if std::mem::take(&mut self.is_blank_due) {
            self.text.push('\n');
        }
        let painted = match paint {
            Paint::Whole(colour) if self.has_colour => painted(colour, line),
            Paint::Words(colour, words) if self.has_colour => {
                line.replacen(words, &painted(colour, words), 1)
            }
            _ => line.to_owned(),
        };
        self.text.push_str(&painted);
        self.text.push('\n');
    }
}

fn painted(colour: Colour, text: &str) -> String {
    let code = match colour {
        Colour::Red => "1;31",
        Colour::Green => "1;32",
        Colour::Yellow => "1;33",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_colours_are_not() {
        let mut page = Page::new(80, true);
        page.paragraph(Paint::Words(Colour::Red, "FAILED:"), "FAILED: \x1b[2Jwild");
        assert_eq!(page.finish(), "\x1b[1;31mFAILED:\x1b[0m \\u{1b}[2Jwild\n");
    }

    #[test]
    fn blank_lines_stand_alone_and_never_first() {
        let mut page = Page::new(80, false);
        page.blank();
        page.plain(Paint::Nothing, "a");
        page.blank();
        page.blank();
        page.plain(Paint::Nothing, "b");
        page.blank();
        assert_eq!(page.finish(), "a\n\nb\n");
    }
}
