//! The words of a command line by their role, as clap will read them: flags, their values, and words of their own.

use clap::{Arg, Command};

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A flag that the command has; with its value, if that is joined to it.
    Flag,
    /// A flag that the command does not have.
    Unknown,
    /// The value of the flag before it.
    Value,
    /// Neither: a scenario, a file, a URL.
    Free,
}

/// A word and its role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// As it was given.
    pub text: String,
    /// Its role.
    pub role: Role,
    /// Long name of the flag that it is, or whose value it is; empty for another word.
    pub flag: String,
}

/// The words after the name of a command.
pub fn read(words: &[String], command: &Command) -> Vec<Word> {
    let mut read: Vec<Word> = Vec::new();
    // Long name of a flag whose value comes next.
    let mut awaited: Option<String> = None;
    let mut only_free = false;
    for text in words {
        let word = |role, flag: &str| Word {
            text: text.clone(),
            role,
            flag: flag.to_owned(),
        };
        if let Some(flag) = awaited.take() {
            read.push(word(Role::Value, &flag));
            continue;
        }
        if only_free || !text.starts_with('-') || text == "-" || is_number(text) {
            read.push(word(Role::Free, ""));
            continue;
        }
        if text == "--" {
            only_free = true;
            read.push(word(Role::Flag, ""));
            continue;
        }
        let Some((arg, has_value)) = flag_of(text, command) else {
            read.push(word(Role::Unknown, ""));
            continue;
        };
        let name = arg.get_long().unwrap_or_default();
        if !has_value && needs_value(arg) {
            awaited = Some(name.to_owned());
        }
        read.push(word(Role::Flag, name));
    }
    read
}

/// The flag that a word begins with, and whether its value is joined to it. Of several short flags in a word, the last.
fn flag_of<'c>(text: &str, command: &'c Command) -> Option<(&'c Arg, bool)> {
    if let Some(long) = text.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        let mut args = command.get_arguments();
        let named = |arg: &&Arg| {
            let aliases = arg.get_all_aliases().unwrap_or_default();
            arg.get_long() == Some(name) || aliases.contains(&name)
        };
        return args.find(named).map(|arg| (arg, value.is_some()));
    }
    let mut last = None;
    let letters = &text[1..];
    for (at, letter) in letters.char_indices() {
        let mut args = command.get_arguments();
        let arg = args.find(|arg| arg.get_short() == Some(letter))?;
        let rest = &letters[at + letter.len_utf8()..];
        last = Some((arg, !rest.is_empty()));
        if needs_value(arg) {
            break;
        }
    }
    last
}

/// Whether the word after the flag is its value, whatever it looks like.
fn needs_value(arg: &Arg) -> bool {
    let counts = arg.get_num_args();
    arg.get_action().takes_values() && counts.is_none_or(|counts| counts.min_values() > 0)
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;
    use clap::CommandFactory;

    fn check(line: &str, expected: &str) {
        let mut cli = Cli::command();
        cli.build();
        let run = cli.find_subcommand("run").expect("a command");
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let roles = read(&words, run).into_iter().map(|word| match word.role {
            Role::Flag => 'f',
            Role::Unknown => 'u',
            Role::Value => 'v',
            Role::Free => '.',
        });
        assert_eq!(roles.collect::<String>(), expected, "{line}");
    }

    #[test]
    fn flags_values_and_words_of_their_own_are_told_apart() {
        check("mixed -u 50 --mock -t10s", ".fvff");
        check("--host http://a http://b", "fv.");
        check("--host=http://a http://b", "f.");
        check("-c 5 http://b --vus=3 -n", "u..uu");
        check("--rate 500 -H X:y -- -c", "f.fvf.");
        check("--users -5 -5 -", "fv..");
    }
}
