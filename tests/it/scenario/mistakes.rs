//! Plausible mistakes, each with the message that it gets, in a file that was read critically: `mistakes.txt`.
//!
//! A block of the file is `== what was meant`, then lines of input, then lines of message, each after `> `. Input that begins
//! with `$ opsurge` is a command line; any other is put into a valid scenario: below its step, or above it after `^ `; a whole
//! scenario after `| `. `OPSURGE_BLESS=1 cargo test --test it mistakes` writes the messages anew.

use std::path::{Path, PathBuf};

use opsurge::scenario::format::compile::{Context, compile};

use crate::support::binary::opsurge;

/// Mistakes in the file.
const MISTAKES: usize = 83;

struct Mistake {
    title: String,
    input: Vec<String>,
    message: Vec<String>,
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/scenario/mistakes.txt")
}

fn mistakes(text: &str) -> Vec<Mistake> {
    let mut all: Vec<Mistake> = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("== ") {
            all.push(Mistake {
                title: title.to_owned(),
                input: Vec::new(),
                message: Vec::new(),
            });
            continue;
        }
        let Some(mistake) = all.last_mut() else {
            continue;
        };
        match line.strip_prefix('>') {
            Some(message) => mistake
                .message
                .push(message.trim_start_matches(' ').to_owned()),
            None if line.is_empty() => {}
            None => mistake.input.push(line.to_owned()),
        }
    }
    all
}

/// The message that a mistake gets.
fn message(input: &[String], folder: &Path) -> Vec<String> {
    let printed = match input[0].strip_prefix("$ opsurge ") {
        Some(arguments) => {
            let arguments: Vec<&str> = arguments.split(' ').collect();
            let program = opsurge(&arguments).current_dir(folder);
            let output = program.output().expect("the binary starts");
            assert_ne!(output.status.code(), Some(0), "{input:?}");
            String::from_utf8_lossy(&output.stderr).into_owned()
        }
        None => scenario_message(input),
    };
    printed
        .lines()
        .map(|line| line.trim_start_matches(' ').to_owned())
        .collect()
}

fn scenario_message(input: &[String]) -> String {
    let (mut above, mut below, mut whole) = (String::new(), String::new(), String::new());
    for line in input {
        match (line.strip_prefix("^ "), line.strip_prefix("| ")) {
            (Some(line), _) => above += &format!("{line}\n"),
            (_, Some(line)) => whole += &format!("{line}\n"),
            _ => below += &format!("{line}\n"),
        }
    }
    let has_path = below.lines().any(|line| line.starts_with("path"));
    let path = if has_path { "" } else { "path = \"/\"\n" };
    let text = match whole.is_empty() {
        true => format!("name = \"x\"\n{above}[[task]]\nmethod = \"GET\"\n{path}{below}"),
        false => whole,
    };
    match compile("my.toml", &text, &Context::plain()) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn each_of_forty_plausible_mistakes_gets_the_message_that_was_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let scenario =
        "name = \"x\"\n[csv]\nfile = \"user.csv\"\n[[task]]\nmethod = \"GET\"\npath = \"/\"\n";
    std::fs::write(folder.path().join("shop.toml"), scenario).expect("it can be written");
    std::fs::write(folder.path().join("users.csv"), "mail\na@b\n").expect("it can be written");
    let scenario = "name = \"x\"\nfail_if = [\"p95 greater than 800ms\"]\n[[task]]\nmethod = \"GET\"\npath = \"/\"\n";
    std::fs::write(folder.path().join("rule.toml"), scenario).expect("it can be written");
    let text = std::fs::read_to_string(file()).expect("the mistakes are there");
    let known = mistakes(&text);
    assert!(known.len() >= MISTAKES, "{} mistakes", known.len());
    let mut now = String::new();
    for Mistake { title, input, .. } in &known {
        now += &format!("== {title}\n{}\n", input.join("\n"));
        for line in message(input, folder.path()) {
            now += format!("> {line}").trim_end();
            now.push('\n');
        }
        now.push('\n');
    }
    if std::env::var_os("OPSURGE_BLESS").is_some() {
        std::fs::write(file(), &now).expect("it can be written");
        return;
    }
    let now = mistakes(&now);
    for (known, now) in known.iter().zip(&now) {
        assert_eq!(known.message, now.message, "{}", known.title);
        assert!(
            !now.message.iter().any(|line| line == "accepted"),
            "{}",
            now.title
        );
    }
}
