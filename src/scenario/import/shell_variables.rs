//! What a shell script sets around its requests: variables, loops, files of cookies.

use std::collections::HashMap;

use super::shell::{Command, DEFAULT, VARIABLE};

/// Words before an assignment that leave it one.
const DECLARATIONS: [&str; 4] = ["export", "readonly", "local", "declare"];

/// The variables whose values the script tells.
#[derive(Default)]
pub(super) struct Variables {
    values: HashMap<String, String>,
}

impl Variables {
    /// Replaces the known variables in the words of a command.
    pub fn fill(&self, command: &mut Command) {
        for word in command.words.iter_mut().chain(&mut command.stdin) {
            if word.contains(VARIABLE) {
                *word = self.filled(word);
            }
        }
    }

    /// Names stand between marks: each second piece is one.
    fn filled(&self, word: &str) -> String {
        let mut out = String::with_capacity(word.len());
        for (nth, piece) in word.split(VARIABLE).enumerate() {
            let name = piece.split(DEFAULT).next().unwrap_or_default();
            match self.values.get(name) {
                _ if nth % 2 == 0 => out += piece,
                Some(value) => out += value,
                None => out += &format!("{VARIABLE}{piece}{VARIABLE}"),
            }
        }
        out
    }

    /// Whether a command only assigns: then its values are kept. The output of a command, and what a caller gives, is not
    /// known, and neither is a list.
    pub fn assigns(&mut self, command: &Command) -> bool {
        let mut words = command.words.iter().peekable();
        while words
            .next_if(|word| DECLARATIONS.contains(&word.as_str()))
            .is_some()
        {}
        let mut pairs = Vec::new();
        for word in words {
            match word.split_once('=') {
                Some((name, value)) if is_name(name) => pairs.push((name, value)),
                _ => return false,
            }
        }
        for (name, value) in &pairs {
            let default = value
                .strip_prefix(VARIABLE)
                .and_then(|value| value.strip_suffix(VARIABLE))
                .and_then(|value| value.split_once(DEFAULT));
            match default {
                Some((_, default)) if !default.contains(VARIABLE) => {
                    let value = default.to_owned();
                    self.values.insert((*name).to_owned(), value);
                }
                _ if value.is_empty() || value.contains(VARIABLE) => {
                    self.values.remove(*name);
                }
                _ => {
                    let value = (*value).to_owned();
                    self.values.insert((*name).to_owned(), value);
                }
            }
        }
        !pairs.is_empty()
    }
}

fn is_name(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.starts_with(is_letter) && text.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

/// The loops that are open at a command.
#[derive(Default)]
pub(super) struct Loops {
    /// Line of each, and whether it has a request already.
    open: Vec<(usize, bool)>,
}

impl Loops {
    /// Whether a command is nothing but the beginning or the end of a loop.
    pub fn changes(&mut self, command: &Command) -> bool {
        match command.words.first().map(String::as_str) {
            Some("for" | "while" | "until" | "select") => {
                self.open.push((command.line, false));
                !command.words.iter().any(|word| word == "curl")
            }
            Some("done") => {
                self.open.pop();
                true
            }
            _ => false,
        }
    }

    /// The line of the innermost loop, at its first request.
    pub fn first_request(&mut self) -> Option<usize> {
        let (line, has_request) = self.open.last_mut()?;
        let is_first = !std::mem::replace(has_request, true);
        is_first.then_some(*line)
    }
}

/// Takes out `-c FILE` and `-b FILE` of files that the script itself writes. Returns whether there are any.
pub(super) fn without_jars(commands: &mut [Command]) -> bool {
    let is_written = |word: &str| ["-c", "--cookie-jar"].contains(&word);
    let is_read = |word: &str| ["-b", "--cookie"].contains(&word);
    let mut jars = Vec::new();
    for command in commands.iter() {
        let written = command.words.windows(2).filter(|it| is_written(&it[0]));
        jars.extend(written.map(|it| it[1].clone()));
    }
    for command in commands {
        let mut at = 0;
        while at + 1 < command.words.len() {
            let (flag, file) = (&command.words[at], &command.words[at + 1]);
            match (is_written(flag) || is_read(flag)) && jars.contains(file) {
                true => _ = command.words.drain(at..at + 2),
                false => at += 1,
            }
        }
    }
    !jars.is_empty()
}
