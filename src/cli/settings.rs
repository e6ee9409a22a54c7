//! Defaults of flags, from the environment and from a file. What stands on the command line wins over the environment, the
//! environment over the file, the file over the scenario.

use std::ops::Range;

use anyhow::{Result, anyhow, bail};
use clap::{Arg, ArgAction, Command};
use toml::de::{DeTable, DeValue};

use crate::scenario::format::place::Source;
use crate::text::suggest::did_you_mean;

use super::words::{Role, Word};

/// What stands before the name of a flag in the environment.
const PREFIX: &str = "OPSURGE_";
/// Variables of Locust that mean the same.
const OF_LOCUST: [(&str, &str); 5] = [
    ("LOCUST_HEADLESS", "headless"),
    ("LOCUST_HOST", "host"),
    ("LOCUST_RUN_TIME", "run-time"),
    ("LOCUST_SPAWN_RATE", "spawn-rate"),
    ("LOCUST_USERS", "users"),
];
/// Flags that are for one command line only. OPSURGE_PART is read by `--part env`.
const WITHOUT_DEFAULT: [&str; 4] = ["help", "version", "config", "part"];
/// Flags that a command has and that its work leaves no room for: a file that serves `run` too may have them.
const WITHOUT_DEFAULT_IN: [(&str, &[&str]); 2] = [
    // The master decides the load; -u is only the most users that a worker takes.
    (
        "worker",
        &[
            "users",
            "rate",
            "spawn-rate",
            "stage",
            "run-time",
            "iterations",
            "start-at",
            "repeat",
            "until",
            "live",
            "web",
        ],
    ),
    // The two hosts are its words, and it writes files of its own.
    (
        "compare",
        &[
            "host",
            "mock",
            "unix-socket",
            "json",
            "csv",
            "html",
            "hdr",
            "web",
            "summary-markdown",
            "summary-base",
            "junit",
        ],
    ),
];
/// Each of them says what is run; a word without a flag does too.
const WHAT_IS_RUN: [&str; 3] = ["scenario", "get", "url"];

/// A flag that was not given, with its default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Long name of the flag.
    pub flag: String,
    /// As it would be given.
    pub words: Vec<String>,
    /// The variable or the file that has it.
    pub from: String,
}

/// A file with defaults.
pub struct File<'f> {
    /// Its name, for messages.
    pub name: &'f str,
    /// Its contents.
    pub text: &'f str,
}

/// A key of a file, with the words that it stands for.
struct Entry {
    flag: String,
    words: Vec<String>,
}

/// The defaults of the flags that a command line does not give. `known`: commands whose flags a file may have, so that
/// one file serves all of them.
///
/// # Errors
/// The variable, or the place in the file, with the reason and the nearest flag.
pub fn settings(
    command: &Command,
    given: &[Word],
    file: Option<&File<'_>>,
    known: &[&Command],
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Setting>> {
    let entries = match file {
        Some(file) => read_file(file, known)?,
        None => Vec::new(),
    };
    let mut settings = Vec::new();
    let of_command = WITHOUT_DEFAULT_IN.iter();
    let mut of_command = of_command.filter(|(name, _)| *name == command.get_name());
    let left_out = of_command.next().map_or(&[][..], |(_, flags)| flags);
    let has_default = |flag: &str| !WITHOUT_DEFAULT.contains(&flag) && !left_out.contains(&flag);
    for arg in command.get_arguments() {
        let Some(flag) = arg.get_long().filter(|it| has_default(it)) else {
            continue;
        };
        if let Some((name, value)) = variable_of(flag, env) {
            let words = words_of(arg, &value).map_err(|why| anyhow!("{name}: {why}"))?;
            settings.push(setting(flag, words, name));
        }
    }
    for entry in entries {
        let name = file.map_or("", |file| file.name);
        let is_here = command
            .get_arguments()
            .any(|arg| arg.get_long() == Some(&entry.flag));
        let is_here = is_here && has_default(&entry.flag);
        let is_set = settings.iter().any(|setting| setting.flag == entry.flag);
        if is_here && !is_set {
            settings.push(setting(&entry.flag, entry.words, name.to_owned()));
        }
    }
    let mut chosen: Vec<Setting> = Vec::new();
    for setting in settings {
        let on_line = given.iter().filter(|word| word.role != Role::Value);
        let others = on_line.map(|word| match word.role {
            Role::Free => WHAT_IS_RUN[0],
            _ => word.flag.as_str(),
        });
        let mut others = others.chain(chosen.iter().map(|it| it.flag.as_str()));
        if !others.any(|other| excludes(command, &setting.flag, other)) {
            chosen.push(setting);
        }
    }
    chosen.retain(|setting| !setting.words.is_empty());
    Ok(chosen)
}

fn setting(flag: &str, words: Vec<String>, from: String) -> Setting {
    Setting {
        flag: flag.to_owned(),
        words,
        from,
    }
}

/// The first variable that is set for a flag, and its value.
fn variable_of(flag: &str, env: &dyn Fn(&str) -> Option<String>) -> Option<(String, String)> {
    let own = format!("{PREFIX}{}", flag.replace('-', "_").to_ascii_uppercase());
    let of_locust = OF_LOCUST.iter().filter(|(_, known)| *known == flag);
    let names = [own]
        .into_iter()
        .chain(of_locust.map(|(name, _)| (*name).to_owned()));
    let mut set = names.filter_map(|name| Some((env(&name)?, name)));
    set.find(|(value, _)| !value.is_empty())
        .map(|(value, name)| (name, value))
}

/// Whether a flag has no default beside another that is given: it is the same, or they contradict each other.
fn excludes(command: &Command, flag: &str, other: &str) -> bool {
    let arg = |name: &str| {
        command
            .get_arguments()
            .find(|arg| arg.get_long() == Some(name))
    };
    let conflicts = |one: &str, two: &str| {
        let conflicting = arg(one).map(|one| command.get_arg_conflicts_with(one));
        let mut conflicting = conflicting.into_iter().flatten();
        conflicting.any(|arg| arg.get_long() == Some(two))
    };
    let both_are_run = WHAT_IS_RUN.contains(&flag) && WHAT_IS_RUN.contains(&other);
    let has_own_host = flag == "host" && ["get", "url"].contains(&other);
    flag == other
        || both_are_run
        || has_own_host
        || conflicts(flag, other)
        || conflicts(other, flag)
}

/// The words that give a flag this value; none for a switch that is off.
fn words_of(arg: &Arg, value: &str) -> Result<Vec<String>, String> {
    let flag = format!("--{}", arg.get_long().unwrap_or_default());
    if arg.get_action().takes_values() {
        return Ok(vec![format!("{flag}={value}")]);
    }
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(vec![flag]),
        "0" | "false" | "no" | "off" => Ok(Vec::new()),
        _ => Err(format!("{flag} takes no value; write true or false")),
    }
}

/// The keys of a file: long names of flags, with `-` or `_`.
fn read_file(file: &File<'_>, known: &[&Command]) -> Result<Vec<Entry>> {
    let source = Source {
        origin: file.name,
        text: file.text,
    };
    let error = |span: Range<usize>, why: String| {
        let error = source.error(span, why);
        let (line, column) = (error.line, error.column);
        anyhow!("{}:{line}:{column}: {}", error.origin, error.reason)
    };
    let document = DeTable::parse(file.text).map_err(|wrong| {
        let span = wrong.span().unwrap_or(0..0);
        error(span, wrong.message().replace('\n', ", "))
    })?;
    let args = || known.iter().flat_map(|command| command.get_arguments());
    let mut entries = Vec::new();
    for (key, value) in document.get_ref() {
        let flag = key.get_ref().replace('_', "-");
        let arg = args().find(|arg| arg.get_long() == Some(&flag));
        let Some(arg) = arg.filter(|_| !WITHOUT_DEFAULT[..3].contains(&flag.as_str())) else {
            let near = did_you_mean(&flag, args().filter_map(Arg::get_long));
            let why = format!(
                "unknown key \"{}\"{near}; keys are long names of flags, as users for --users",
                key.get_ref()
            );
            return Err(error(key.span(), why));
        };
        let values = match value.get_ref() {
            DeValue::Array(values) if matches!(arg.get_action(), ArgAction::Append) => {
                values.iter().collect()
            }
            _ => vec![value],
        };
        let mut words = Vec::new();
        for value in values {
            let text = text_of(value.get_ref()).map_err(|why| error(value.span(), why))?;
            words.extend(words_of(arg, &text).map_err(|why| error(value.span(), why))?);
        }
        entries.push(Entry { flag, words });
    }
    Ok(entries)
}

fn text_of(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => Ok(number.as_str().replace('_', "")),
        DeValue::Float(number) => Ok(number.as_str().replace('_', "")),
        DeValue::Boolean(flag) => Ok(flag.to_string()),
        _ => Err(
            "expected a text, a number, true or false; a list for a flag that may be repeated"
                .to_owned(),
        ),
    }
}

/// Where defaults came from, as one line: `--users=50 (OPSURGE_USERS), --host=http://h (opsurge.toml)`.
pub fn shown(settings: &[Setting], mask: impl Fn(&[String]) -> Vec<String>) -> String {
    let each = settings.iter().map(|setting| {
        let words = mask(&setting.words).join(" ");
        format!("{words} ({})", setting.from)
    });
    each.collect::<Vec<_>>().join(", ")
}

/// The contents of the file with defaults: the one that `--config` names, or `opsurge.toml` in the working folder if it is
/// there.
///
/// # Errors
/// When the named file cannot be read, or the other one is there and cannot.
pub fn read(named: Option<&str>) -> Result<Option<(String, String)>> {
    const DEFAULT: &str = "opsurge.toml";
    let name = named.unwrap_or(DEFAULT);
    match std::fs::read_to_string(name) {
        Ok(text) => Ok(Some((name.to_owned(), text))),
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => bail!("{name} cannot be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;
    use crate::cli::words;
    use clap::CommandFactory;

    fn found(line: &str, env: &[(&str, &str)], text: &str) -> Result<String, String> {
        let mut cli = Cli::command();
        cli.build();
        let name = ["worker", "compare"]
            .into_iter()
            .find(|it| line.starts_with(it));
        let run = cli
            .find_subcommand(name.unwrap_or("run"))
            .expect("a command");
        let line = line.trim_start_matches(name.unwrap_or_default());
        let search = cli.find_subcommand("search").expect("a command");
        let given: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let file = File {
            name: "opsurge.toml",
            text,
        };
        let env = |name: &str| {
            let set = env.iter().find(|(known, _)| *known == name);
            set.map(|(_, value)| (*value).to_owned())
        };
        let given = words::read(&given, run);
        let settings = settings(run, &given, Some(&file), &[run, search], &env);
        let settings = settings.map_err(|error| error.to_string())?;
        Ok(shown(&settings, <[String]>::to_vec))
    }

    fn check(line: &str, env: &[(&str, &str)], text: &str, expected: &str) {
        assert_eq!(found(line, env, text).as_deref(), Ok(expected), "{line}");
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_file() {
        let file = "users = 5\nrun_time = \"3s\"\n";
        let env = [("OPSURGE_USERS", "6"), ("LOCUST_USERS", "7")];
        check(
            "",
            &[],
            file,
            "--users=5 (opsurge.toml), --run-time=3s (opsurge.toml)",
        );
        check("-t 1s", &env, file, "--users=6 (OPSURGE_USERS)");
        check("-t 1s", &env[1..], file, "--users=7 (LOCUST_USERS)");
        check("-u 1 --run-time=2s", &env, file, "");
        check("-u1 -t 2s", &[("OPSURGE_USERS", "")], file, "");
    }

    #[test]
    fn switches_lists_and_keys_of_other_commands_are_understood() {
        let file =
            "mock = true\nheadless = false\nheader = [\"A: b\", \"C: d\"]\nresolution = \"2%\"\n";
        let expected = "--mock (opsurge.toml), --header=A: b --header=C: d (opsurge.toml)";
        check("", &[], file, expected);
        check(
            "",
            &[("OPSURGE_MOCK", "0"), ("OPSURGE_HEADLESS", "yes")],
            file,
            "--headless (OPSURGE_HEADLESS), --header=A: b --header=C: d (opsurge.toml)",
        );
    }

    #[test]
    fn what_contradicts_the_command_line_is_left_out() {
        let file = "host = \"http://h\"\nscenario = \"mixed\"\n";
        let host = "--host=http://h (opsurge.toml)";
        check("workflow", &[], file, host);
        check("--mock", &[], file, "--scenario=mixed (opsurge.toml)");
        check("--get http://a/", &[], file, "");
        check(
            "",
            &[("OPSURGE_GET", "http://a/")],
            file,
            "--get=http://a/ (OPSURGE_GET)",
        );
        check("", &[("OPSURGE_PART", "1/2")], "", "");
    }

    #[test]
    fn a_file_of_run_serves_a_worker_and_a_comparison_where_they_decide_themselves() {
        let file = "host = \"http://h\"\nusers = 5\nrun_time = \"3s\"\nscenario = \"mixed\"\njson = \"a.json\"\nwait = 0\n";
        check(
            "worker",
            &[("OPSURGE_USERS", "9"), ("OPSURGE_RATE", "9")],
            file,
            "--host=http://h (opsurge.toml), --scenario=mixed (opsurge.toml), --json=a.json (opsurge.toml), --wait=0 (opsurge.toml)",
        );
        check(
            "compare --run",
            &[("OPSURGE_HOST", "http://h")],
            file,
            "--users=5 (opsurge.toml), --run-time=3s (opsurge.toml), --scenario=mixed (opsurge.toml), --wait=0 (opsurge.toml)",
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_the_nearest_key() {
        let check = |env: &[(&str, &str)], text: &str, expected: &str| {
            let error = found("", env, text).expect_err(text);
            assert!(error.contains(expected), "{error}");
        };
        check(
            &[],
            "\nuser = 5",
            "opsurge.toml:2:1: unknown key \"user\"; did you mean \"users\"?",
        );
        check(
            &[],
            "users = { a = 1 }",
            "opsurge.toml:1:9: expected a text, a number",
        );
        check(
            &[],
            "users = [1, 2]",
            "opsurge.toml:1:9: expected a text, a number",
        );
        check(
            &[],
            "mock = \"maybe\"",
            "opsurge.toml:1:8: --mock takes no value",
        );
        check(&[], "users = ", "opsurge.toml:1:");
        check(&[], "header = \"é\"\nüser = 1", "opsurge.toml:2:1");
        check(&[], "help = true", "unknown key \"help\"");
        check(
            &[("OPSURGE_MOCK", "x")],
            "",
            "OPSURGE_MOCK: --mock takes no value",
        );
    }
}
