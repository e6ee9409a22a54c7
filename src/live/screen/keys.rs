//! What a key does: a state machine over what is typed, without a terminal. Pure.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Digits that can be typed.
const TYPED_MAX: usize = 12;

/// What the load can be changed to while it runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Changes {
    /// Iterations per second of an open load, else users.
    pub is_open: bool,
    /// Lowest level.
    pub min: f64,
    /// Highest level.
    pub max: f64,
}

impl Changes {
    /// What is changed.
    pub fn noun(self) -> &'static str {
        match self.is_open {
            true => "iterations/s",
            false => "users",
        }
    }
}

/// What is done because of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// As Ctrl-C: drain first, then cut, then end.
    Interrupt,
    /// Another level, within the limits.
    Change(f64),
    /// A sentence for the person: why a key does nothing.
    Say(String),
}

/// The seconds that the steps are summed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Span {
    /// The last ten seconds.
    #[default]
    Window,
    /// Since the start.
    SoFar,
}

/// What keys have set.
#[derive(Clone, Debug, PartialEq)]
pub struct Keys {
    changes: Result<Changes, String>,
    /// A number that is being typed.
    pub typed: Option<String>,
    /// The help is shown.
    pub is_help: bool,
    /// The display stands still.
    pub is_paused: bool,
    /// What the table of steps covers.
    pub span: Span,
    /// The charts cover the whole run, else the last minute.
    pub is_long: bool,
}

impl Keys {
    /// Nothing pressed yet; `changes`: what the load can be changed to, or why it cannot be.
    pub fn new(changes: Result<Changes, String>) -> Self {
        Self {
            changes,
            typed: None,
            is_help: false,
            is_paused: false,
            span: Span::default(),
            is_long: false,
        }
    }

    /// What the load can be changed to, or why it cannot be.
    pub fn changes(&self) -> Result<Changes, &str> {
        self.changes.as_ref().copied().map_err(String::as_str)
    }

    /// Takes a key; `level` is the one asked for last, or else that of the load now.
    pub fn on_key(&mut self, key: KeyEvent, level: f64) -> Option<Wish> {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c' | 'd') if is_control => return Some(Wish::Interrupt),
            KeyCode::Char('z') if is_control => {
                return Some(Wish::Say(
                    "a stopped process measures nothing: Ctrl-Z is ignored".into(),
                ));
            }
            _ if is_control => return None,
            _ => {}
        }
        if self.is_help {
            self.is_help = false;
            let is_stop = matches!(key.code, KeyCode::Char('q' | 'd'));
            return is_stop.then_some(Wish::Interrupt);
        }
        match self.typed.take() {
            Some(typed) => self.on_key_of_number(typed, key.code),
            None => self.on_command(key.code, level),
        }
    }

    fn on_command(&mut self, code: KeyCode, level: f64) -> Option<Wish> {
        // A tenth, and at least one.
        let step = (level / 10.0).round().max(1.0);
        match code {
            KeyCode::Char('q' | 'd') => Some(Wish::Interrupt),
            KeyCode::Char('+' | '=') | KeyCode::Up => Some(self.change(level + step)),
            KeyCode::Char('-' | '_') | KeyCode::Down => Some(self.change(level - step)),
            KeyCode::PageUp => Some(self.change(level * 2.0)),
            KeyCode::PageDown => Some(self.change((level / 2.0).round())),
            KeyCode::Char(digit) if digit.is_ascii_digit() => self.begin_number(digit),
            KeyCode::Char(' ') => {
                self.is_paused = !self.is_paused;
                None
            }
            KeyCode::Char('w') => {
                self.span = match self.span {
                    Span::Window => Span::SoFar,
                    Span::SoFar => Span::Window,
                };
                None
            }
            KeyCode::Char('z') => {
                self.is_long = !self.is_long;
                None
            }
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => {
                self.is_help = true;
                None
            }
            _ => None,
        }
    }

    fn begin_number(&mut self, digit: char) -> Option<Wish> {
        match &self.changes {
            Ok(_) => {
                self.typed = Some(digit.into());
                None
            }
            Err(reason) => Some(Wish::Say(reason.clone())),
        }
    }

    /// A key while a number is typed: Enter sets it, Esc and an empty number end it.
    fn on_key_of_number(&mut self, mut typed: String, code: KeyCode) -> Option<Wish> {
        let is_open = self.changes.as_ref().is_ok_and(|changes| changes.is_open);
        match code {
            KeyCode::Enter => {
                return match typed.parse() {
                    Ok(level) => Some(self.change(level)),
                    Err(_) => Some(Wish::Say(format!("{typed} is no number"))),
                };
            }
            KeyCode::Esc => return None,
            KeyCode::Backspace => {
                typed.pop();
            }
            KeyCode::Char(digit)
                if typed.len() < TYPED_MAX
                    && (digit.is_ascii_digit()
                        || is_open && digit == '.' && !typed.contains('.')) =>
            {
                typed.push(digit);
            }
            _ => {}
        }
        self.typed = (!typed.is_empty()).then_some(typed);
        None
    }

    /// The level within its limits; at a limit, or without the possibility of a change, why nothing happens.
    fn change(&self, level: f64) -> Wish {
        match &self.changes {
            Err(reason) => Wish::Say(reason.clone()),
            Ok(changes) => Wish::Change(level.clamp(changes.min, changes.max)),
        }
    }
}

#[cfg(test)]
mod tests;
