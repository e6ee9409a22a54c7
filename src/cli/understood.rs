//! The words of a command line as they are meant, before clap reads them.
//!
//! 1. A URL where a scenario may stand is `--url URL`; without a command it is that of `run`.
//! 2. `-H` with a header is `--header`, as in other tools.
//! 3. A flag of another tool is answered with ours.
//! 4. Flags that are not given get their defaults, from the environment and from a file.

use std::ffi::OsString;

use anyhow::{Result, bail};
use clap::{Command, CommandFactory};

use super::args::Cli;
use super::command;
use super::foreign_flags::cure;
use super::settings::{File, Setting, read, settings, shown};
use super::words;
use super::words::{Role, Word};

/// Commands that send a load to a target, with the flags of `run`.
const COMMANDS: [&str; 3] = ["run", "search", "calibrate"];

/// Commands that take the flags of `run` beside words of their own, which are no URL and no scenario, and how many of
/// those words come first.
const WITH_OWN_WORDS: [(&str, usize); 2] = [("worker", 0), ("compare", 2)];

/// A command line as it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Understood {
    /// The words after the program, for clap.
    pub words: Vec<String>,
    /// The flags that were not given, and where their values come from.
    pub settings: Vec<Setting>,
}

impl Understood {
    /// A command line with words that are not Unicode: nothing is changed in it.
    pub fn as_given(words: &[OsString]) -> Self {
        let words = words.iter().map(|word| word.to_string_lossy().into_owned());
        Self {
            words: words.collect(),
            settings: Vec::new(),
        }
    }

    /// What came from where, as a line; `None` when everything was given.
    pub fn shown(&self) -> Option<String> {
        let is_any = !self.settings.is_empty();
        is_any.then(|| format!("defaults: {}", shown(&self.settings, command::masked_words)))
    }
}

/// Understands the words after the program.
///
/// # Errors
/// A flag of another tool, with what it is here; a default that is wrong, with its place.
pub fn understand(given: &[String], env: &dyn Fn(&str) -> Option<String>) -> Result<Understood> {
    let mut given = given.to_vec();
    if given.first().is_some_and(|word| is_url(word)) {
        given.insert(0, "run".to_owned());
    }
    let plain = |words| Understood {
        words,
        settings: Vec::new(),
    };
    let Some((name, rest)) = given.split_first() else {
        return Ok(plain(given));
    };
    let mut cli = Cli::command();
    cli.build();
    let own = WITH_OWN_WORDS.iter().find(|(known, _)| known == name);
    if let (Some((_, own)), Some(command)) = (own, cli.find_subcommand(name)) {
        let read = words::read(rest, command);
        return match has_defaults(name, &read) {
            true => with_defaults(name, read, *own, &cli, command, env),
            false => Ok(plain(given)),
        };
    }
    let Some(command) = cli
        .find_subcommand(name)
        .filter(|_| COMMANDS.contains(&name.as_str()))
    else {
        return Ok(plain(given));
    };
    let read_words = words::read(rest, command);
    let is_help = |word: &Word| {
        let of_help = ["-h", "--help"].contains(&word.text.as_str());
        of_help && word.role != Role::Value
    };
    if read_words.iter().any(is_help) {
        return Ok(plain(given));
    }
    for word in read_words.iter().filter(|word| word.role == Role::Unknown) {
        if let Some(cure) = cure(&word.text) {
            let flag = word.text.split('=').next().unwrap_or_default();
            let flag = if flag.starts_with("--") {
                flag
            } else {
                &flag[..2]
            };
            bail!("{name} has no flag {flag}: {cure}");
        }
    }
    for pair in read_words.windows(2) {
        let [flag, value] = pair else { continue };
        if value.role == Role::Value && is_flag(&value.text, command) {
            bail!(
                "{} needs a value, and {} is the next flag; write the value between them",
                flag.text,
                value.text
            );
        }
    }
    with_defaults(name, meant(&read_words), 0, &cli, command, env)
}

/// Whether defaults count: `compare` of records has no flags of `run`, and a question for help has none at all.
fn has_defaults(name: &str, read: &[Word]) -> bool {
    let has = |flag: &str| {
        let mut flags = read.iter().filter(|word| word.role != Role::Value);
        flags.any(|word| word.text == flag)
    };
    !has("-h") && !has("--help") && (name != "compare" || has("--run"))
}

/// The words with the defaults of flags before them. `own`: so many of the first words are no scenario.
fn with_defaults(
    name: &str,
    meant: Vec<Word>,
    own: usize,
    cli: &Command,
    command: &Command,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Understood> {
    let named = meant.iter().rev().find(|word| word.flag == "config");
    let named = named.map(|word| word.text.strip_prefix("--config=").unwrap_or(&word.text));
    let file = read(named)?;
    let file = file.as_ref().map(|(name, text)| File { name, text });
    let known: Vec<_> = COMMANDS
        .iter()
        .filter_map(|name| cli.find_subcommand(name))
        .collect();
    let mut others = meant.clone();
    for _ in 0..own {
        if let Some(at) = others.iter().position(|word| word.role == Role::Free) {
            others.remove(at);
        }
    }
    let settings = settings(command, &others, file.as_ref(), &known, env)?;
    let defaults = settings.iter().flat_map(|setting| setting.words.clone());
    // Before the others: what comes behind `--` is no flag.
    let mut words = vec![name.to_owned()];
    words.extend(defaults);
    words.extend(meant.into_iter().map(|word| word.text));
    Ok(Understood { words, settings })
}

/// The same words with URLs and headers as values of their flags.
fn meant(given: &[Word]) -> Vec<Word> {
    let word = |text: &str, role, flag: &str| Word {
        text: text.to_owned(),
        role,
        flag: flag.to_owned(),
    };
    let mut meant: Vec<Word> = Vec::new();
    let mut only_free = false;
    for (nth, each) in given.iter().enumerate() {
        only_free |= each.text == "--" && each.role == Role::Flag;
        let next = given.get(nth + 1).filter(|next| next.role == Role::Value);
        let joined = each
            .text
            .strip_prefix("-H")
            .filter(|_| each.role == Role::Flag);
        let joined = joined.map(|value| value.strip_prefix('=').unwrap_or(value));
        match each.role {
            Role::Free if is_url(&each.text) && !only_free => {
                meant.push(word("--url", Role::Flag, "url"));
                meant.push(word(&each.text, Role::Value, "url"));
            }
            Role::Flag if each.text == "-H" && next.is_some_and(|it| is_header(&it.text)) => {
                meant.push(word("--header", Role::Flag, "header"));
            }
            Role::Flag if joined.is_some_and(is_header) => {
                let value = joined.unwrap_or_default();
                meant.push(word(&format!("--header={value}"), Role::Flag, "header"));
            }
            _ => meant.push(each.clone()),
        }
    }
    meant
}

/// Whether a word is a long flag of a command.
fn is_flag(word: &str, command: &Command) -> bool {
    let read = words::read(&[word.to_owned()], command);
    word.starts_with("--") && word.len() > 2 && read[0].role == Role::Flag
}

fn is_url(word: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| {
        let start = word.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}

/// Whether the value of `-H` is a header and not a target: `Name: value`, or `Name:value` that is neither a URL nor host and
/// port.
fn is_header(value: &str) -> bool {
    let Some((name, rest)) = value.split_once(':') else {
        return false;
    };
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let is_name = !name.is_empty() && name.chars().all(is_token);
    let is_target = rest.starts_with("//") || rest.starts_with(|c: char| c.is_ascii_digit());
    is_name && !is_target && !rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understood(words: &[&str]) -> Result<String, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let understood = understand(&words, &|_| None);
        let understood = understood.map_err(|error| error.to_string())?;
        Ok(understood.words.join(" "))
    }

    fn check(words: &[&str], expected: &str) {
        assert_eq!(understood(words).as_deref(), Ok(expected));
    }

    #[test]
    fn a_worker_and_a_comparison_of_hosts_have_the_defaults_of_a_file_and_a_comparison_of_records_has_not()
     {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("load.toml");
        std::fs::write(&file, "scenario = \"mixed\"\nusers = 5\n").expect("it can be written");
        let file = file.to_str().expect("a plain path");
        let hosts = ["http://a", "http://b", "--run", "--config", file];
        let expected =
            format!("compare --scenario=mixed --users=5 http://a http://b --run --config {file}");
        check(&[&["compare"], &hosts[..]].concat(), &expected);
        let own = format!("compare --users=5 http://a http://b minimal --run --config {file}");
        check(
            &[
                "compare", "http://a", "http://b", "minimal", "--run", "--config", file,
            ],
            &own,
        );
        let expected = format!("worker --scenario=mixed --config {file}");
        check(&["worker", "--config", file], &expected);
        check(&["compare", "a.json", "b.json"], "compare a.json b.json");
        let missing = understood(&["worker", "--config", "/nowhere/load.toml"]);
        assert!(missing.is_err_and(|reason| reason.contains("cannot be read")));
    }

    #[test]
    fn a_url_is_what_is_run() {
        check(&["http://h/a"], "run --url http://h/a");
        check(&["run", "-u", "5", "HTTPS://h"], "run -u 5 --url HTTPS://h");
        check(&["run", "--host", "http://h"], "run --host http://h");
        check(
            &["run", "http://h", "-X", "POST"],
            "run --url http://h -X POST",
        );
        check(&["run", "--", "http://h"], "run -- http://h");
        check(&["request", "http://h"], "request http://h");
        check(&["run", "mixed"], "run mixed");
        check(&[], "");
    }

    #[test]
    fn a_header_after_the_flag_of_the_host_is_a_header() {
        for header in ["X-Id: 7", "Accept:text/html", "X-Id: 7: 8"] {
            check(&["run", "-H", header], &format!("run --header {header}"));
            check(
                &["run", &format!("-H{header}")],
                &format!("run --header={header}"),
            );
        }
        for host in [
            "http://h",
            "h",
            "localhost:8000",
            "localhost:8000/a",
            "[::1]:80",
            "h:",
        ] {
            check(&["run", "-H", host], &format!("run -H {host}"));
        }
        check(&["run", "-Hhttp://h"], "run -Hhttp://h");
        check(&["run", "--wait", "-H", "a: b"], "run --wait -H a: b");
    }

    #[test]
    fn a_flag_that_takes_another_as_its_value_is_told() {
        for words in [
            ["run", "-u", "--mock"],
            ["search", "--wait", "--host=http://h"],
        ] {
            let error = understood(&words).expect_err("it swallows a flag");
            assert!(
                error.starts_with(&format!("{} needs a value", words[1])),
                "{error}"
            );
        }
        check(&["run", "--body", "--x"], "run --body --x");
        check(&["run", "-u", "-5"], "run -u -5");
    }

    #[test]
    fn a_flag_of_another_tool_is_answered_with_ours() {
        let error = |words: &[&str]| understood(words).expect_err("it is unknown");
        let users = error(&["run", "-c", "100", "http://h"]);
        assert!(
            users.starts_with("run has no flag -c: the number of users is -u 50"),
            "{users}"
        );
        assert!(error(&["search", "-z30s"]).starts_with("search has no flag -z: "));
        assert!(error(&["http://h", "--vus=9"]).starts_with("run has no flag --vus: "));
        // clap answers these.
        check(&["run", "-c", "5", "--help"], "run -c 5 --help");
        check(&["run", "--usres", "5"], "run --usres 5");
        check(&["mock", "-c", "5"], "mock -c 5");
    }
}
