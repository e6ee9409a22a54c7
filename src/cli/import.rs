//! `opsurge scenarios from`: what people have becomes a scenario.

use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

use crate::scenario::format::compile::{Context as Compile, compile};
use crate::scenario::import::draft::{Draft, Note, variable_name};
use crate::scenario::import::hide::hide;
use crate::scenario::import::kind::{Kind, kind_of};
use crate::scenario::import::write::write;
use crate::scenario::import::{curl, har, locust, openapi};
use crate::session::exit::Exit;
use crate::session::output::{columns, note, say};
use crate::text::printable::in_one_line;
use crate::text::wrap::wrap;

/// Largest text that is read, in bytes: an archive of a long session with its answers.
const TEXT_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Fewest columns that notes are broken for.
const COLUMNS_MIN: usize = 20;

/// Prints the scenario on stdout, and a line on stderr for each thing that was not translated or was guessed.
pub(super) fn from(file: &str) -> Result<Exit> {
    let text = read(file)?;
    let kind = kind_of(&text).map_err(|reason| anyhow!("{file} cannot be imported: {reason}"))?;
    let folder = Path::new(file).parent().unwrap_or(Path::new("")).to_owned();
    let has_file = |name: &str| folder.join(name).is_file() && Path::new(name).is_relative();
    let draft = match kind {
        Kind::Curl => curl::read(&text, &has_file),
        Kind::Har => har::read(&text),
        Kind::OpenApi => openapi::read(&text),
        Kind::Locust => locust::read(&syntax_of(&text)?),
    };
    let mut draft = draft.map_err(|reason| anyhow!("{file} cannot be imported: {reason}"))?;
    if draft.name.is_empty() {
        draft.name = name_of(file);
    }
    hide(&mut draft);
    let scenario = write(&draft);
    say(scenario.trim_end());
    notes(&draft);
    check(&scenario, &folder)
}

fn read(file: &str) -> Result<String> {
    let mut bytes = Vec::new();
    let read =
        |from: &mut dyn Read, bytes: &mut Vec<u8>| from.take(TEXT_BYTES_MAX + 1).read_to_end(bytes);
    match file {
        "-" => read(&mut std::io::stdin().lock(), &mut bytes),
        file => std::fs::File::open(file).and_then(|mut from| read(&mut from, &mut bytes)),
    }
    .with_context(|| format!("{file} cannot be read; give a file, or - for standard input"))?;
    if bytes.len() as u64 > TEXT_BYTES_MAX {
        bail!("{file} is larger than 512 MiB; record a shorter session");
    }
    // Windows' PowerShell writes UTF-16.
    if bytes.starts_with(&[0xff, 0xfe]) {
        bail!("{file} is UTF-16; save it as UTF-8");
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        anyhow!("{file} is not UTF-8: byte {at} begins no character")
    })
}

/// The syntax tree of a locustfile as JSON, by the Python that its author has. The file is parsed and not run.
fn syntax_of(text: &str) -> Result<String> {
    let started = Command::new("python3")
        .args(["-I", "-c", locust::SYNTAX_TREE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut python = started.map_err(|error| {
        anyhow!("a locustfile is parsed by python3 (it is not run), and python3 cannot be started: {error}; install Python 3.8 or later, or put it into PATH")
    })?;
    let mut stdin = python
        .stdin
        .take()
        .context("python3 has no standard input")?;
    let text = text.to_owned();
    // Both directions at once: neither pipe may fill up.
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = python
        .wait_with_output()
        .context("python3 cannot be waited for")?;
    // When Python stopped reading, its own message says why.
    let _ = writer.join();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said
            .trim_end()
            .lines()
            .last()
            .unwrap_or("no message")
            .to_owned();
        bail!(
            "python3 cannot parse the locustfile: {}",
            in_one_line(&last)
        );
    }
    String::from_utf8(output.stdout).context("python3 printed no UTF-8")
}

fn name_of(file: &str) -> String {
    let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str());
    variable_name(stem.filter(|stem| *stem != "-").unwrap_or("imported")).replace('_', "-")
}

/// One line for each note; on a terminal it is broken between words.
fn notes(draft: &Draft) {
    let stderr = std::io::stderr();
    let is_terminal = stderr.is_terminal();
    let width = columns(&stderr).max(COLUMNS_MIN);
    for Note { place, what } in &draft.notes {
        let line = in_one_line(&format!("{place}: {what}"));
        match is_terminal {
            true => wrap(&line, width, "", "  ").iter().for_each(note),
            false => note(line),
        }
    }
}

/// The result compiles. If it does not, the importer has a defect, and its user learns it now.
fn check(scenario: &str, folder: &Path) -> Result<Exit> {
    let context = Compile {
        read: &|name| {
            let bytes = std::fs::read(folder.join(name));
            bytes.map(Into::into).map_err(|error| error.to_string())
        },
        ..Compile::plain()
    };
    let compiled = compile("the printed scenario", scenario, &context);
    compiled.context("the scenario was printed and does not compile: a defect of this command; correct the line by hand")?;
    Ok(Exit::OK)
}
