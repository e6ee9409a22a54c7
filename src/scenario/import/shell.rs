//! Shell text -> commands and their words (POSIX shell section 2.2 and 2.3, Bash's `$'...'`, cmd's and PowerShell's line
//! ends). The crate `shlex` knows neither `$'...'`, which browsers write, nor where a command ends, nor here-documents.

use std::iter::Peekable;
use std::str::Chars;

/// Begins and ends the name of a shell variable in a word.
pub(super) const VARIABLE: char = '\u{2}';
/// Stands between the name of a variable and its default: `${NAME:-default}`.
pub(super) const DEFAULT: char = '\u{3}';
/// A command of whose output nothing is known.
pub(super) const OUTPUT: &str = "command output";

/// One command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Command {
    /// Line of its first word, from 1.
    pub line: usize,
    /// Its words, unquoted.
    pub words: Vec<String>,
    /// Text of a here-document.
    pub stdin: Option<String>,
}

/// Reads the words of a text.
struct Reader<'t> {
    rest: Peekable<Chars<'t>>,
    line: usize,
    commands: Vec<Command>,
    present: Command,
    word: Option<String>,
    /// The next word is the file of a redirection.
    is_redirected: bool,
    /// The next word is the delimiter of a here-document, or a here-string.
    here: Option<Here>,
    /// Delimiter of the here-document after this line.
    delimiter: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Here {
    Document,
    Text,
}

/// The commands of a text.
///
/// # Errors
/// A quote that is not closed: the line where it was opened.
pub(super) fn commands(text: &str) -> Result<Vec<Command>, String> {
    commands_from(&unix(text), 1)
}

/// The commands of a text whose first line has this number.
fn commands_from(text: &str, line: usize) -> Result<Vec<Command>, String> {
    let mut reader = Reader {
        rest: text.chars().peekable(),
        line,
        commands: Vec::new(),
        present: Command::default(),
        word: None,
        is_redirected: false,
        here: None,
        delimiter: None,
    };
    reader.read()?;
    Ok(reader.commands)
}

/// Carets of cmd and backticks of PowerShell at line ends as the shell's backslash, so that lines keep their numbers.
fn unix(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    if text.contains("^\n") || text.contains("^\"") {
        let mut out = String::with_capacity(text.len());
        let mut rest = text.chars();
        while let Some(next) = rest.next() {
            match next {
                '^' => match rest.next() {
                    Some('\n') => out += "\\\n",
                    Some(escaped) => out.push(escaped),
                    None => {}
                },
                next => out.push(next),
            }
        }
        // cmd has no variables with $, and no backslash but before a quote.
        return out.replace('$', "\\$");
    }
    match text.contains("curl.exe") {
        true => text.replace("`\n", "\\\n"),
        false => text,
    }
}

impl Reader<'_> {
    fn read(&mut self) -> Result<(), String> {
        while let Some(next) = self.next() {
            match next {
                '\'' => self.single()?,
                '"' => self.double()?,
                '\\' => match self.next() {
                    Some('\n') | None => {}
                    Some(escaped) => self.push(escaped),
                },
                '$' => self.dollar()?,
                '`' => self.backticks()?,
                '#' if self.word.is_none() => {
                    while self.rest.peek().is_some_and(|&next| next != '\n') {
                        self.next();
                    }
                }
                '<' | '>' => self.redirection(next),
                '\n' => {
                    self.end_command();
                    self.here_document();
                }
                ';' | '&' | '|' | '(' | ')' => self.end_command(),
                blank if blank.is_whitespace() => self.end_word(),
                plain => self.push(plain),
            }
        }
        self.end_command();
        Ok(())
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        self.line += usize::from(next == Some('\n'));
        next
    }

    fn push(&mut self, next: char) {
        self.word.get_or_insert_default().push(next);
    }

    fn single(&mut self) -> Result<(), String> {
        let line = self.line;
        self.word.get_or_insert_default();
        loop {
            match self.next() {
                Some('\'') => return Ok(()),
                Some(next) => self.push(next),
                None => return Err(not_closed(line, '\'')),
            }
        }
    }

    fn double(&mut self) -> Result<(), String> {
        let line = self.line;
        self.word.get_or_insert_default();
        loop {
            match self.next() {
                Some('"') => return Ok(()),
                Some('\\') => match self.next() {
                    Some('\n') => {}
                    Some(next @ ('"' | '\\' | '$' | '`')) => self.push(next),
                    Some(next) => {
                        self.push('\\');
                        self.push(next);
                    }
                    None => return Err(not_closed(line, '"')),
                },
                Some('$') => self.dollar()?,
                Some('`') => self.backticks()?,
                Some(next) => self.push(next),
                None => return Err(not_closed(line, '"')),
            }
        }
    }

    /// After a `$`: a variable, a command, or a string with escapes.
    fn dollar(&mut self) -> Result<(), String> {
        match self.rest.peek().copied() {
            Some('\'') => {
                self.next();
                self.escaped()
            }
            Some('{') => {
                self.next();
                let whole = self.until('}');
                let name = whole.split([':', '-', '=', '#', '%', '/', '[']).next();
                let name = name.unwrap_or_default();
                let rest = &whole[name.len()..];
                let default = rest.strip_prefix(":-").or(rest.strip_prefix('-'));
                let default = default.map(|text| text.trim_matches(['"', '\'']));
                match default.filter(|text| !text.is_empty() && !text.contains(['$', '`'])) {
                    Some(default) => self.variable(&format!("{name}{DEFAULT}{default}")),
                    None => self.variable(name),
                }
                Ok(())
            }
            Some('(') => {
                self.next();
                self.substitution()
            }
            Some(next) if next.is_ascii_alphabetic() || next == '_' => {
                let mut name = String::new();
                while let Some(&next) = self.rest.peek()
                    && (next.is_ascii_alphanumeric() || next == '_')
                {
                    name.push(next);
                    self.next();
                }
                self.variable(&name);
                Ok(())
            }
            Some('1'..='9') => {
                let digit = self.next().unwrap_or_default();
                self.variable(&format!("argument {digit}"));
                Ok(())
            }
            _ => {
                self.push('$');
                Ok(())
            }
        }
    }

    fn variable(&mut self, name: &str) {
        let word = self.word.get_or_insert_default();
        word.push(VARIABLE);
        word.push_str(name);
        word.push(VARIABLE);
    }

    fn backticks(&mut self) -> Result<(), String> {
        let line = self.line;
        let text = self.until('`');
        self.variable(OUTPUT);
        self.within(&text, line)
    }

    /// After `$(`: its commands are read, its output is not known. A parenthesis in quotes closes nothing.
    fn substitution(&mut self) -> Result<(), String> {
        let line = self.line;
        let mut text = String::new();
        let (mut depth, mut quote) = (1, None);
        while let Some(next) = self.next() {
            match (quote, next) {
                (Some('\''), '\'') => quote = None,
                (Some('\''), _) => {}
                (_, '\\') => {
                    text.push(next);
                    text.extend(self.next());
                    continue;
                }
                (Some(open), next) if open == next => quote = None,
                (None, '\'' | '"') => quote = Some(next),
                (None, '(') => depth += 1,
                (None, ')') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            text.push(next);
        }
        self.variable(OUTPUT);
        self.within(&text, line)
    }

    /// The commands of a substitution come before the command that it stands in.
    fn within(&mut self, text: &str, line: usize) -> Result<(), String> {
        if text.contains("curl") {
            self.commands.extend(commands_from(text, line)?);
        }
        Ok(())
    }

    fn until(&mut self, end: char) -> String {
        let mut text = String::new();
        while let Some(next) = self.next() {
            if next == end {
                break;
            }
            text.push(next);
        }
        text
    }

    /// `$'...'`: escapes as in C.
    fn escaped(&mut self) -> Result<(), String> {
        let line = self.line;
        self.word.get_or_insert_default();
        loop {
            match self.next() {
                Some('\'') => return Ok(()),
                None => return Err(not_closed(line, '\'')),
                Some('\\') => {
                    let escape = self.next();
                    let next = match escape {
                        Some('n') => '\n',
                        Some('t') => '\t',
                        Some('r') => '\r',
                        Some('0') => '\0',
                        Some('x') => self.code(2),
                        Some('u') => self.code(4),
                        Some('U') => self.code(8),
                        Some(other) => other,
                        None => return Err(not_closed(line, '\'')),
                    };
                    self.push(next);
                }
                Some(next) => self.push(next),
            }
        }
    }

    /// A character by its number, of at most so many hexadecimal digits.
    fn code(&mut self, digits: usize) -> char {
        let mut number = 0;
        for _ in 0..digits {
            let digit = self.rest.peek().and_then(|next| next.to_digit(16));
            let Some(digit) = digit else { break };
            number = number * 16 + digit;
            self.next();
        }
        char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    fn redirection(&mut self, sign: char) {
        // The number of a descriptor belongs to the sign: 2>&1.
        let is_number = |word: &String| word.chars().all(|c| c.is_ascii_digit());
        if self.word.as_ref().is_some_and(is_number) {
            self.word = None;
        }
        self.end_word();
        let mut signs = 1;
        while self.rest.peek() == Some(&sign) {
            self.next();
            signs += 1;
        }
        if self.rest.peek() == Some(&'&') {
            self.next();
        }
        match (sign, signs) {
            ('<', 2) => {
                if self.rest.peek() == Some(&'-') {
                    self.next();
                }
                self.here = Some(Here::Document);
            }
            ('<', 3) => self.here = Some(Here::Text),
            _ => self.is_redirected = true,
        }
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else {
            return;
        };
        match self.here.take() {
            Some(Here::Document) => self.delimiter = Some(word),
            Some(Here::Text) => self.present.stdin = Some(word),
            None if self.is_redirected => self.is_redirected = false,
            None => {
                if self.present.words.is_empty() {
                    self.present.line = self.line;
                }
                self.present.words.push(word);
            }
        }
    }

    fn end_command(&mut self) {
        // The line end has been counted already.
        let line = self.line;
        self.end_word();
        self.is_redirected = false;
        let present = std::mem::take(&mut self.present);
        if !present.words.is_empty() {
            let line = present.line.min(line);
            self.commands.push(Command { line, ..present });
        }
    }

    /// The text after a line with `<<END`, up to the line `END`.
    fn here_document(&mut self) {
        let Some(delimiter) = self.delimiter.take() else {
            return;
        };
        let mut text = String::new();
        while self.rest.peek().is_some() {
            let line = self.until('\n');
            if line.trim() == delimiter {
                break;
            }
            text += &line;
            text.push('\n');
        }
        if let Some(command) = self.commands.last_mut() {
            command.stdin = Some(text.trim_end_matches('\n').to_owned());
        }
    }
}

fn not_closed(line: usize, quote: char) -> String {
    format!(
        "line {line}: the quote {quote} opens a text and nothing closes it; was the command copied whole?"
    )
}
