//! The page that the parts of the report are written on.

/// Width that everything fits into.
pub(super) const WIDTH: usize = 100;

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// With ANSI colours, which never say anything alone.
    pub colour: bool,
    /// Only verdict, failures and errors.
    pub quiet: bool,
}

#[derive(Clone, Copy)]
pub(super) enum Colour {
    Red,
    Green,
    Yellow,
}

pub(super) struct Page {
    pub text: String,
    style: Style,
}

impl Page {
    pub fn new(style: Style) -> Self {
        Self {
            text: String::new(),
            style,
        }
    }

    pub fn line(&mut self, text: impl AsRef<str>) {
        self.text.push_str(text.as_ref().trim_end());
        self.text.push('\n');
    }

    /// A text in lines of at most [`WIDTH`], the first after `lead`, the others indented.
    pub fn wrapped(&mut self, lead: &str, text: &str) {
        let mut line = lead.to_owned();
        // Colour codes take no room on the screen.
        let mut width = lead.chars().count()
            - if self.style.colour && lead.contains('\x1b') {
                11
            } else {
                0
            };
        for word in text.split(' ') {
            if width + word.chars().count() > WIDTH {
                self.line(&line);
                line = " ".repeat(9);
                width = 9;
            }
            line += word;
            line.push(' ');
            width += word.chars().count() + 1;
        }
        self.line(line);
    }

    pub fn paint(&self, colour: Colour, text: &str) -> String {
        let code = match colour {
            Colour::Red => "1;31",
            Colour::Green => "1;32",
            Colour::Yellow => "1;33",
        };
        match self.style.colour {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}
