//! `opsurge help TOPIC`: what no single command explains. Texts come from the code that they are about.

use anyhow::{Result, bail};
use clap::CommandFactory;

use crate::analysis::criteria::MEASURES;
use crate::analysis::explanation::{explain, of_seconds};
use crate::metrics::seconds::Status;
use crate::session::ending::EXIT_CODES;
use crate::session::exit::Exit;
use crate::session::output::{check, columns, print};
use crate::text::suggest::did_you_mean;
use crate::text::wrap::wrap;

use super::args::Cli;

/// A narrower terminal is treated as one of this width.
const WIDTH_MIN: usize = 20;
/// A wider one too: long lines are hard to read.
const WIDTH_MAX: usize = 100;
const INDENT: &str = "  ";
const DEEPER: &str = "    ";

/// A topic and its text for a width in columns.
type Topic = (&'static str, fn(usize) -> String);

const TOPICS: [Topic; 3] = [
    ("verdict", verdict),
    ("exit-codes", exit_codes),
    ("rules", rules),
];

/// Answers `help TOPIC`; `None` for everything else, which clap answers. `words` are the arguments after the program.
///
/// # Errors
/// When neither a command nor a topic has this name, with the nearest one.
pub fn topic(words: &[String]) -> Option<Result<Exit>> {
    let [help, name] = words else {
        return None;
    };
    if help != "help" || name.starts_with('-') {
        return None;
    }
    let width = columns(std::io::stdout()).clamp(WIDTH_MIN, WIDTH_MAX);
    if let Some((_, text)) = TOPICS.iter().find(|(topic, _)| topic == name) {
        print(text(width));
        return Some(check(Ok(Exit::OK)));
    }
    let commands = Cli::command();
    let commands: Vec<&str> = commands.get_subcommands().map(|it| it.get_name()).collect();
    match name == "help" || commands.contains(&name.as_str()) {
        true => None,
        false => Some(unknown(name, &commands)),
    }
}

fn unknown(name: &str, commands: &[&str]) -> Result<Exit> {
    let topics = TOPICS.map(|(topic, _)| topic);
    let near = did_you_mean(name, commands.iter().copied().chain(topics));
    // It may be a secret that a shell took for a word of its own.
    let is_word = |c: char| c.is_ascii_lowercase() || c == '-';
    let called = match name.chars().all(is_word) || !near.is_empty() {
        true => format!("no command or topic \"{name}\""),
        false => "there is no such command or topic".to_owned(),
    };
    bail!(
        "{called}{near} Commands: {}; topics: {}",
        commands.join(", "),
        topics.join(", ")
    )
}

/// Paragraphs, each with the indent of its lines.
fn page(paragraphs: &[(&str, String)], width: usize) -> String {
    let mut lines = Vec::new();
    for (indent, text) in paragraphs {
        let hanging = format!("{indent}{INDENT}");
        let hanging = if indent.is_empty() {
            indent
        } else {
            &hanging[..]
        };
        lines.extend(wrap(text, width, indent, hanging));
    }
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    lines.join("\n") + "\n"
}

fn verdict(width: usize) -> String {
    let mut paragraphs = vec![
        (
            "",
            "Verdicts: whether the figures of a run can be believed, the gravest first.".into(),
        ),
        ("", String::new()),
        ("", of_seconds()),
    ];
    for status in Status::ALL {
        let it = explain(status);
        paragraphs.push(("", String::new()));
        paragraphs.push(("", status.name().to_owned()));
        paragraphs.push((INDENT, it.meaning.to_owned()));
        for (nth, by) in it.found_by.iter().enumerate() {
            let or = if nth == 0 { "found when" } else { "or when" };
            paragraphs.push((DEEPER, format!("{or} {by}")));
        }
        if !it.cure.is_empty() {
            paragraphs.push((INDENT, format!("Cure: {}", it.cure)));
        }
    }
    paragraphs.push(("", String::new()));
    paragraphs.push((
        "",
        "The record has the verdict of each second and the figures that crossed a threshold (series: verdict, causes); --report full lists the doubtful stretches. --require-valid makes any verdict but VALID fail the run (exit code 5).".into(),
    ));
    page(&paragraphs, width)
}

fn exit_codes(width: usize) -> String {
    let mut paragraphs = vec![
        (
            "",
            "Exit codes; of several, the first in this order.".into(),
        ),
        ("", String::new()),
    ];
    let codes = EXIT_CODES.iter();
    paragraphs.extend(codes.map(|(code, meaning)| (INDENT, format!("{code:>3}  {meaning}"))));
    page(&paragraphs, width)
}

fn rules(width: usize) -> String {
    let paragraphs = [
        "Rules: [STEP.]MEASURE OP VALUE, for --stop-when, --fail-if and --require.".to_owned(),
        String::new(),
        format!(
            "Measures: {} (any percentile). Times take a unit (250ms), shares a percent sign (1%), rps a number.",
            MEASURES.join(" ")
        ),
        "OP: > or >= for what is too much; < or <= for rps alone. A rule of --stop-when and --fail-if says what is bad, a rule of --require what must hold.".to_owned(),
        "STEP: any part of a step's name that no other step shares. Without it, the steps of the work loop together; with *, each of them by itself ('*.p99>1s').".to_owned(),
        String::new(),
        "--fail-if 'p99>250ms'   --require 'rps>=500'   --stop-when 'workflow.errors>5%'".to_owned(),
        String::new(),
        "A rule judges windows, not the whole run: what comes before all users are there, and --settle after it, is ignored. Requests without an answer count at their age. opsurge help run has each flag.".to_owned(),
    ];
    page(&paragraphs.map(|text| ("", text)), width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_fits_its_page_and_names_what_it_explains() {
        for (topic, text) in TOPICS {
            for width in [60, 80, 100] {
                let text = text(width);
                assert!(
                    text.lines().all(|line| line.chars().count() <= width),
                    "{topic}: {text}"
                );
            }
        }
        let verdicts = verdict(80);
        for status in Status::ALL {
            let heading = format!("\n{}\n", status.name());
            assert!(verdicts.contains(&heading), "{heading}");
        }
    }

    #[test]
    fn commands_and_other_words_are_left_to_clap() {
        let asked = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            topic(&words)
        };
        assert!(asked(&["help"]).is_none());
        assert!(asked(&["help", "run"]).is_none());
        assert!(asked(&["help", "help"]).is_none());
        assert!(asked(&["run", "verdict"]).is_none());
        let error = asked(&["help", "verdct"])
            .expect("an answer")
            .expect_err("unknown");
        assert!(
            error.to_string().contains("did you mean \"verdict\"?"),
            "{error}"
        );
        let error = asked(&["help", "S3cret_value"])
            .expect("an answer")
            .expect_err("unknown");
        assert!(!error.to_string().contains("S3cret"), "{error}");
    }
}
