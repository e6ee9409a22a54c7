//! Holds README.md and docs/ to the program: every scenario in them is valid, every command line is accepted, every
//! link, file and item named exists, and the reference pages name every key, field, status and kind of failure.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use clap::{CommandFactory, Parser};
use opsurge::cli::args::Cli;
use opsurge::metrics::outcome::Failure;
use opsurge::metrics::seconds::{Cause, Status};
use opsurge::record::schema::Record;
use opsurge_testbed::fuzz_bodies::RECORD;
use serde_json::Value as Json;

use crate::support::binary::{self, check_sums, record_of, text};
use crate::support::raw_server::{Peer, RawServer};
use crate::support::refused_address::RefusedAddress;

/// Longest line of a page, table rows excepted.
const WIDTH_MAX: usize = 120;
/// Languages of code blocks: `sh` is carried out, `toml` is a scenario or a part of one, the others are not checked.
const LANGUAGES: [&str; 5] = ["sh", "toml", "text", "json", "rust"];
/// Exit codes of a run that was carried out, with any result.
const CARRIED_OUT: [i32; 4] = [0, 1, 4, 5];
/// Records of runs that the pages name.
const RECORDS: [&str; 16] = [
    "run.json",
    "record.json.gz",
    "base.json",
    "new.json",
    "before.json",
    "after.json",
    "a1.json",
    "a2.json",
    "a3.json",
    "b1.json",
    "b2.json",
    "b3.json",
    "part1.json",
    "part2.json",
    "part3.json",
    "part4.json",
];
/// Files of other tools that the pages import.
const IMPORTED: [(&str, &str); 2] = [
    ("har/chrome_shop.har", "session.har"),
    ("locust/token_login.py", "locustfile.py"),
];
/// Flags in the pages that belong to cargo and to the scripts.
const FLAGS_OF_OTHERS: [&str; 12] = [
    "--features",
    "--release",
    "--path",
    "--profile",
    "--bench",
    "--test",
    "--bodies",
    "--pipeline",
    "--table",
    "--install",
    "--handshakes",
    "--server",
];
/// Flags in the pages that belong to other load generators, launchers and container engines.
const FLAGS_OF_PEERS: [&str; 26] = [
    "--vus",
    "--duration",
    "--processes",
    "--disable-keepalive",
    "--no-connection-reuse",
    "--insecure-skip-tls-verify",
    "--no-tui",
    "--output-format",
    "--summary-export",
    "--out",
    "--master",
    "--worker",
    "--latency-correction",
    "--locked",
    "--user",
    "--network",
    "--security-opt",
    "--cpuset-cpus",
    "--cpus",
    "--strict",
    "--for",
    "--ntasks",
    "--cpus-per-task",
    "--bind-to",
    "--version",
    "--strip-components",
];
/// Files beside the pages whose command lines are held to the program too.
const WORKFLOW: &str = "docs/examples/github-action.yml";
const MANIFESTS: &str = "docs/examples/kubernetes";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page: its path from the root, and its text.
struct Page {
    path: String,
    text: String,
}

/// A fenced block: the line of its fence, its language, its lines.
struct Block<'p> {
    line: usize,
    language: &'p str,
    lines: Vec<&'p str>,
}

fn page(path: &str) -> Page {
    let text = fs::read_to_string(root().join(path)).expect("the page is there");
    Page {
        path: path.to_owned(),
        text,
    }
}

fn pages() -> Vec<Page> {
    let mut pages = vec![page("README.md")];
    for path in files("docs", "md") {
        let name = path.file_name().expect("a name").to_string_lossy();
        pages.push(page(&format!("docs/{name}")));
    }
    assert!(pages.len() > 5, "the pages are found");
    pages
}

/// The files of a folder with this ending, in order.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|it| it == ending))
        .collect();
    paths.sort();
    paths
}

impl Page {
    fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks = Vec::new();
        let mut open: Option<Block<'_>> = None;
        for (index, line) in self.text.lines().enumerate() {
            let place = format!("{}:{}", self.path, index + 1);
            match (open.take(), line.trim_start().strip_prefix("```")) {
                (None, None) => {
                    assert!(!line.starts_with("    "), "{place}: fence code with ```");
                }
                (None, Some(language)) => {
                    assert!(LANGUAGES.contains(&language), "{place}: which language?");
                    open = Some(Block {
                        line: index + 1,
                        language,
                        lines: Vec::new(),
                    });
                }
                (Some(block), Some(_)) => blocks.push(block),
                (Some(mut block), None) => {
                    block.lines.push(line);
                    open = Some(block);
                }
            }
        }
        assert!(open.is_none(), "{}: a fence is not closed", self.path);
        blocks
    }

    /// The texts between backticks outside the blocks, each with its line.
    fn spans(&self) -> Vec<(usize, &str)> {
        let mut spans = Vec::new();
        let mut is_block = false;
        for (index, line) in self.text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                is_block = !is_block;
            } else if !is_block {
                let ticks = line.matches('`').count();
                assert!(
                    ticks % 2 == 0,
                    "{}:{}: code ends in its line",
                    self.path,
                    index + 1
                );
                let code = line.split('`').skip(1).step_by(2);
                spans.extend(code.map(|code| (index + 1, code)));
            }
        }
        spans
    }
}

/// Where command lines are carried out: a folder with the examples, and an address that refuses connections.
struct Sandbox {
    folder: tempfile::TempDir,
    refused: RefusedAddress,
    env: Vec<(String, String)>,
}

impl Sandbox {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for path in files("docs/examples", "toml")
            .into_iter()
            .chain(files("docs/examples", "csv"))
        {
            let name = path.file_name().expect("a name");
            fs::copy(&path, folder.path().join(name)).expect("it is copied");
        }
        for (fixture, name) in IMPORTED {
            let path = root().join("tests/it/scenario/import").join(fixture);
            fs::copy(path, folder.path().join(name)).expect("it is copied");
        }
        let mut record = Record::parse(RECORD).expect("the example is a record");
        record.search = None;
        for (seed, name) in RECORDS.into_iter().enumerate() {
            record.run.seed = seed as u64;
            fs::write(folder.path().join(name), record.to_json()).expect("it is written");
        }
        Self {
            folder,
            refused: RefusedAddress::new(),
            env: Vec::new(),
        }
    }

    fn opsurge(&self, arguments: &[String]) -> Output {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let folder = self.folder.path();
        let program = binary::opsurge(&arguments).current_dir(folder);
        // What `calibrate` keeps.
        let mut program = program.env("XDG_CACHE_HOME", folder);
        for (name, value) in &self.env {
            program = program.env(name, value);
        }
        program
            .without_record_check()
            .output()
            .expect("the binary was built")
    }

    /// Carries a line out, with a short run time and an address that refuses connections.
    fn carry_out(&mut self, place: &str, line: &str) {
        let words = words(line);
        let [command, rest @ ..] = &words[..] else {
            return;
        };
        match command.as_str() {
            "export" => {
                let (name, value) = rest[0].split_once('=').expect("NAME=VALUE");
                self.env.push((name.to_owned(), value.to_owned()));
            }
            "opsurge" => self.carry_out_opsurge(place, rest),
            "cargo" => match rest.iter().position(|word| word == "--") {
                Some(at) if rest[0] == "run" => self.carry_out_opsurge(place, &rest[at + 1..]),
                _ => check_cargo(place, rest),
            },
            "scripts/measure" => {
                let part = format!("scripts/parts/{}.sh", rest[0]);
                let is_there = rest[0] == "help" || root().join(part).is_file();
                assert!(is_there, "{place}: scripts/measure has no {}", rest[0]);
            }
            script if script.starts_with("scripts/") => {
                assert!(root().join(script).is_file(), "{place}: no such script");
            }
            // They start `sh -c LINE` as several processes, each of which is told its part.
            "mpirun" | "srun" => {
                let line = rest.last().expect("a line for the shell");
                self.env.push(("OPSURGE_PART".into(), "1/4".into()));
                self.carry_out(place, line);
                self.env.pop();
            }
            setting if setting.starts_with("OPSURGE_") => check_cargo(place, rest),
            other => panic!("{place}: what is {other}?"),
        }
    }

    fn carry_out_opsurge(&self, place: &str, words: &[String]) {
        let mut words = words.to_vec();
        let into = words.iter().position(|word| word == ">").map(|at| {
            let name = words[at + 1].clone();
            words.truncate(at);
            name
        });
        for word in &mut words {
            *word = word.replace("localhost:8000", &self.refused.address.to_string());
        }
        let is_help = words
            .iter()
            .any(|word| ["--help", "help", "--version"].contains(&word.as_str()));
        let has = |flag: &str| words.iter().any(|word| word == flag);
        let is_local = has("--mock") || matches!(words[0].as_str(), "mock" | "calibrate");
        let codes: &[i32] = match words[0].as_str() {
            _ if is_help => &[0],
            "compare" if has("--run") => &[3],
            "scenarios" | "doctor" | "report" | "compare" | "merge" => &[0],
            "completions" | "man" => &[0],
            "run" | "search" if is_local => &CARRIED_OUT,
            // The target is tried last, after all other checks.
            "run" | "search" => &[3],
            "request" => &[1],
            "mock" | "calibrate" => &[0],
            // Refused for its port, after all other checks, or by a build without it.
            "worker" => &[2],
            other => panic!("{place}: opsurge {other}?"),
        };
        if is_local && !is_help {
            set(&mut words, "-t", "1s");
        }
        if words[0] == "worker" && !is_help {
            set(&mut words, "--master-port", "0");
        }
        if words[0] == "mock" && !is_help && !words.iter().any(|word| word == "--unix-socket") {
            set(&mut words, "--listen", "127.0.0.1:0");
        }
        let output = self.opsurge(&words);
        let code = output.status.code();
        assert!(
            code.is_some_and(|code| codes.contains(&code)),
            "{place}: opsurge {words:?} ended with {code:?}: {}",
            text(&output)
        );
        let why = match cfg!(feature = "locust") {
            true => "--master-port 0",
            false => "--features locust",
        };
        let is_of_port = text(&output).contains(why);
        assert!(
            words[0] != "worker" || is_help || is_of_port,
            "{place}: {}",
            text(&output)
        );
        if let Some(name) = into {
            fs::write(self.folder.path().join(name), &output.stdout).expect("it is written");
        }
    }
}

/// Gives a flag this value, whether it is there or not.
fn set(words: &mut Vec<String>, flag: &str, value: &str) {
    match words.iter().position(|word| word == flag) {
        Some(at) => words[at + 1] = value.to_owned(),
        None => words.extend([flag.to_owned(), value.to_owned()]),
    }
}

/// The tests and benches that a line names exist.
fn check_cargo(place: &str, words: &[String]) {
    for (flag, folder) in [("--test", "tests"), ("--bench", "benches")] {
        let Some(at) = words.iter().position(|word| word == flag) else {
            continue;
        };
        let name = &words[at + 1];
        let is_there = [format!("{name}.rs"), format!("{name}/main.rs")]
            .iter()
            .any(|path| root().join(folder).join(path).is_file());
        assert!(is_there, "{place}: there is no {flag} {name}");
    }
}

/// The words of a line as a shell splits it, without the comment.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in line.chars() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(character),
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ' ') => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

#[test]
fn every_command_line_is_accepted() {
    for page in pages() {
        let mut sandbox = Sandbox::new();
        for block in page.blocks().iter().filter(|it| it.language == "sh") {
            let mut whole = String::new();
            for (index, line) in block.lines.iter().enumerate() {
                whole += line.strip_suffix('\\').unwrap_or(line);
                if !line.ends_with('\\') {
                    let place = format!("{}:{}", page.path, block.line + index + 1);
                    sandbox.carry_out(&place, &std::mem::take(&mut whole));
                }
            }
        }
        for (line, code) in page.spans() {
            if code.starts_with("opsurge ") || code.starts_with("scripts/") {
                sandbox.carry_out(&format!("{}:{line}", page.path), code);
            }
        }
    }
}

/// The command lines of a workflow, in which a line ends with a backslash when it goes on.
fn lines_of_workflow(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let line = line.trim_start().trim_start_matches("run: ");
        let mut whole = line.to_owned();
        while whole.ends_with('\\') {
            whole.pop();
            whole += lines.next().expect("the line goes on").1.trim_start();
        }
        if whole.starts_with("opsurge ") {
            found.push((index + 1, whole));
        }
    }
    found
}

#[test]
fn every_command_line_of_the_workflow_is_accepted() {
    let text = page(WORKFLOW).text;
    let mut sandbox = Sandbox::new();
    let lines = lines_of_workflow(&text);
    assert_eq!(lines.len(), 4, "{lines:?}");
    for (line, whole) in lines {
        // Both services are the address that refuses connections.
        let whole = whole.replace("localhost:8001", "localhost:8000");
        sandbox.carry_out(&format!("{WORKFLOW}:{line}"), &whole);
    }
}

/// The command lines of a manifest: its flow lists of `args`, with what the kubelet puts into them.
fn lines_of_manifest(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (_, list) in text
        .match_indices("args: [")
        .map(|(at, it)| (at, &text[at + it.len()..]))
    {
        let list = &list[..list.find(']').expect("the list is closed")];
        let arguments = list.split(',').map(|it| it.trim().trim_matches('"'));
        let line = arguments.collect::<Vec<_>>().join(" ");
        found.push(format!("opsurge {line}"));
    }
    found
}

fn check_parsed(place: &str, words: &[String]) {
    // The command is a part of this version, or the manifest is not held to anything.
    if Cli::command().find_subcommand(&words[1]).is_some() {
        let parsed = Cli::try_parse_from(words);
        assert!(parsed.is_ok(), "{place}: {}", parsed.unwrap_err());
    }
}

#[test]
fn every_command_line_of_the_manifests_is_accepted() {
    let mut names = BTreeSet::new();
    for path in files(MANIFESTS, "yaml") {
        let place = path.display().to_string();
        let text = fs::read_to_string(&path).expect("a manifest");
        let lines = lines_of_manifest(&text);
        assert!(!lines.is_empty(), "{place}: no arguments");
        // The master is Locust's.
        for line in lines
            .iter()
            .filter(|line| !line.contains("--master ") && !line.contains("--master,"))
        {
            let mut sandbox = Sandbox::new();
            sandbox.env.push(("OPSURGE_PART".into(), "1/4".into()));
            let mut line = line.replace("http://ops-core:8000", "http://localhost:8000");
            for (inside, here) in [("$(PART)", "1"), ("$(START_AT)", "+0s"), ("/results/", "")] {
                line = line.replace(inside, here);
            }
            for part in 0..4 {
                line = line.replace(
                    &format!("part-{part}.json"),
                    &format!("part{}.json", part + 1),
                );
            }
            let words = words(&line);
            names.insert(words[1].clone());
            match words[1].as_str() {
                // A worker waits for its master: the parser alone is asked.
                "worker" => check_parsed(&place, &words),
                _ => sandbox.carry_out(&place, &line),
            }
        }
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert!(
        names.contains(&"run") && names.contains(&"merge"),
        "{names:?}"
    );
}

/// A part of a scenario is made whole by a name before it and a task after it.
#[test]
fn every_scenario_in_a_page_is_valid() {
    for page in pages() {
        let sandbox = Sandbox::new();
        for block in page.blocks().iter().filter(|it| it.language == "toml") {
            let begins = |key: &str| block.lines.iter().any(|line| line.starts_with(key));
            let mut scenario = block.lines.join("\n");
            if !begins("name = ") || begins("[[") && !block.lines[0].starts_with("name = ") {
                scenario = format!("name = \"part\"\n{scenario}");
            }
            if !["[[start]]", "[[task]]", "[[users]]"]
                .iter()
                .any(|key| begins(key))
            {
                scenario += "\n[[task]]\nmethod = \"GET\"\npath = \"/\"\n";
            }
            fs::write(sandbox.folder.path().join("block.toml"), &scenario).expect("it is written");
            let words = ["scenarios", "check", "block.toml"].map(str::to_owned);
            let output = sandbox.opsurge(&words);
            assert!(
                output.status.success(),
                "{}:{}: {}\n{scenario}",
                page.path,
                block.line,
                text(&output)
            );
        }
    }
}

#[test]
fn every_link_leads_somewhere() {
    for page in pages() {
        let folder = Path::new(&page.path).parent().expect("a folder");
        for (at, _) in page.text.match_indices("](") {
            let target = &page.text[at + 2..];
            let target = &target[..target.find(')').expect("a link is closed")];
            if target.starts_with("http") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let place = match path {
                "" => root().join(&page.path),
                path => root().join(folder).join(path),
            };
            assert!(place.exists(), "{}: {target} leads nowhere", page.path);
            if !anchor.is_empty() {
                let text = fs::read_to_string(&place).expect("a page");
                let mut headings = text.lines().filter(|line| line.starts_with('#'));
                assert!(
                    headings.any(|heading| slug(heading) == anchor),
                    "{}: {target} leads to no heading",
                    page.path
                );
            }
        }
    }
}

/// The anchor of a heading in links.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Checks the paths that pages name as code.
#[test]
fn every_file_named_exists() {
    let folders = ["src/", "tests/", "benches/", "scripts/", "docs/", "fuzz/"];
    let is_path = |c: char| c.is_ascii_alphanumeric() || "/_-.".contains(c);
    for page in pages() {
        for (line, code) in page.spans() {
            let is_named = folders.iter().any(|folder| code.starts_with(folder));
            // A file that a worked example adds does not exist.
            let is_new = code.contains("NAME") || code.ends_with("junit.rs");
            if is_named && !is_new && code.chars().all(is_path) {
                assert!(
                    root().join(code).exists(),
                    "{}:{line}: no {code}",
                    page.path
                );
            }
        }
    }
}

/// Checks the names of types, functions and variants that the page for contributors gives as code.
#[test]
fn every_item_named_to_contributors_exists() {
    let page = page("docs/contributing.md");
    let source = ["src", "tests"].map(|folder| sources(&root().join(folder)));
    let is_end = |c: char| !c.is_alphanumeric() && c != '_';
    let known: BTreeSet<&str> = source.iter().flat_map(|it| it.split(is_end)).collect();
    for (line, code) in page.spans() {
        // Generic parameters, glob patterns and what a worked example adds are not items.
        let is_item = code
            .chars()
            .all(|c| c.is_alphanumeric() || "_:.".contains(c));
        let is_written_like_one = code.contains('_') || code.starts_with(char::is_uppercase);
        let is_new = code.contains("BodyBytesMax") || code.ends_with('_');
        if is_item && is_written_like_one && !is_new {
            for name in code.split(is_end).filter(|name| !name.is_empty()) {
                assert!(known.contains(name), "{}:{line}: no {code}", page.path);
            }
        }
    }
}

/// The text of all Rust files below a folder.
fn sources(folder: &Path) -> String {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    paths
        .map(|path| match path.is_dir() {
            true => sources(&path),
            false if path.extension().is_some_and(|it| it == "rs") => {
                fs::read_to_string(&path).expect("a source file")
            }
            false => String::new(),
        })
        .collect()
}

#[test]
fn lines_are_short_and_the_readme_is_read_in_minutes() {
    for page in pages() {
        for (index, line) in page.text.lines().enumerate() {
            assert!(
                line.starts_with('|') || line.chars().count() <= WIDTH_MAX,
                "{}:{}: longer than {WIDTH_MAX}",
                page.path,
                index + 1
            );
        }
    }
    assert!(
        page("README.md").text.lines().count() <= 112,
        "the rest belongs into docs/"
    );
}

/// Checks the flags that pages name outside command lines.
#[test]
fn every_flag_named_exists() {
    let commands = [
        "run",
        "search",
        "request",
        "mock",
        "scenarios",
        "doctor",
        "report",
        "compare",
        "merge",
        "completions",
        "man",
        "worker",
    ];
    let helps = commands.map(|command| text(&binary::run(&["help", command])));
    let is_flag_end = |c: char| !c.is_ascii_alphanumeric() && c != '-';
    let known: BTreeSet<&str> = helps
        .iter()
        .flat_map(|help| help.split(is_flag_end))
        .chain(FLAGS_OF_OTHERS)
        .chain(FLAGS_OF_PEERS)
        .collect();
    for page in pages() {
        for (line, code) in page.spans() {
            let flags = code.split(is_flag_end).filter(|it| it.starts_with("--"));
            for flag in flags.filter(|flag| *flag != "--") {
                assert!(
                    known.contains(flag),
                    "{}:{line}: there is no {flag}",
                    page.path
                );
            }
        }
    }
}

/// Each of these words is in the page: as code in its text, or in a scenario.
fn check_named<'w>(page: &Page, words: impl IntoIterator<Item = &'w str>) {
    let is_end = |c: char| !c.is_alphanumeric() && c != '_' && c != '-';
    let blocks = page.blocks();
    let scenarios = blocks.iter().filter(|block| block.language == "toml");
    let lines = scenarios.flat_map(|block| block.lines.iter().copied());
    let code = page.spans().into_iter().map(|(_, code)| code).chain(lines);
    let known: BTreeSet<&str> = code.flat_map(|code| code.split(is_end)).collect();
    let missing: Vec<&str> = words
        .into_iter()
        .filter(|word| !known.contains(word))
        .collect();
    assert!(missing.is_empty(), "{} lacks {missing:?}", page.path);
}

/// Adds all keys of a value, at any depth; not those inside a map, whose keys are data.
fn keys_of(value: &Json, is_map: &dyn Fn(&str) -> bool, keys: &mut BTreeSet<String>) {
    match value {
        Json::Object(members) => {
            for (key, value) in members {
                keys.insert(key.clone());
                if !is_map(key) {
                    keys_of(value, is_map, keys);
                }
            }
        }
        Json::Array(items) => items.iter().for_each(|item| keys_of(item, is_map, keys)),
        _ => {}
    }
}

/// `opsurge scenarios format` uses every key that a scenario can have.
#[test]
fn the_page_on_scenarios_names_every_key() {
    let format = binary::run(&["scenarios", "format"]);
    let format: toml::Table = toml::from_str(&text(&format)).expect("it is TOML");
    let format = serde_json::to_value(format).expect("it has only texts for keys");
    // The keys inside these are the author's.
    let is_map =
        |key: &str| ["variables", "query", "form", "hints"].contains(&key) || key == "headers";
    let mut keys = BTreeSet::new();
    keys_of(&format, &is_map, &mut keys);
    for own in ["token", "cart", "item", "/ok", "/state"] {
        keys.remove(own);
    }
    // Alternatives that the format shows only in comments.
    let more = ["stages", "step", "every", "text", "file"];
    let words = keys.iter().map(String::as_str).chain(more);
    check_named(&page("docs/scenarios.md"), words);
}

#[test]
fn the_page_on_reports_names_every_status_failure_and_exit_code() {
    let page = page("docs/report.md");
    check_named(&page, Status::ALL.map(Status::name));
    check_named(&page, Cause::ALL.map(Cause::name));
    check_named(&page, Failure::ALL.map(Failure::name));
    check_named(&page, ["0", "1", "2", "3", "4", "5", "130"]);
}

/// Three records have every field: an open load with stages, rules and failures, a search, and a closed load.
#[test]
fn the_page_on_reports_names_every_field_of_the_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut keys = BTreeSet::new();
    let run = [
        "run",
        "mixed",
        "--rate",
        "50",
        "--stage",
        "50:1s",
        "--mock-published-500",
        "--fail-if",
        "p99>5s",
    ];
    let search = [
        "search", "mixed", "--from", "5", "--to", "5", "--every", "1s", "--settle", "0",
    ];
    let closed = ["run", "--stage", "2:0s", "--stage", "2:1s"];
    for arguments in [&run[..], &search[..], &closed[..]] {
        let path = folder.path().join("record.json");
        let path = path.to_str().expect("UTF-8");
        let mut all = arguments.to_vec();
        all.extend([
            "--mock", "--wait", "0", "--pause", "0", "-t", "3s", "--json", path,
        ]);
        let output = binary::run(&all);
        let record = fs::read_to_string(path).unwrap_or_else(|_| panic!("{}", text(&output)));
        let record: Json = serde_json::from_str(&record).expect("it is JSON");
        let is_map = |key: &str| ["statuses", "answers", "faults", "seconds"].contains(&key);
        keys_of(&record, &is_map, &mut keys);
    }
    check_named(&page("docs/report.md"), keys.iter().map(String::as_str));
}

/// The sample in the README begins each line as the program does today.
#[test]
fn the_sample_report_is_of_this_version() {
    let readme = page("README.md");
    let blocks = readme.blocks();
    let sample = blocks
        .iter()
        .find(|block| block.language == "text")
        .expect("the README has a sample report");
    let sandbox = Sandbox::new();
    let [command, lines @ ..] = &sample.lines[..] else {
        panic!("a sample begins with its command");
    };
    let command = command.strip_prefix("$ opsurge ").expect("its command");
    let mut arguments = words(command);
    set(&mut arguments, "-t", "2s");
    let output = sandbox.opsurge(&arguments);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    // Numbers are other ones in every run.
    let first = |line: &str| match line.split_whitespace().next()? {
        word if word.starts_with(|c: char| c.is_ascii_digit()) => Some("a number".to_owned()),
        word => Some(word.to_owned()),
    };
    // Lines that go on are indented and depend on the figures; a verdict depends on the machine.
    let is_own =
        |line: &&str| !line.starts_with("  ") && !line.starts_with("VERDICT") && **line != *"[...]";
    let mut fresh: Vec<String> = printed.lines().filter_map(first).collect();
    fresh.dedup();
    for word in lines.iter().copied().filter(is_own).filter_map(first) {
        assert!(
            fresh.contains(&word),
            "no line begins with {word}:\n{printed}"
        );
    }
}

#[test]
fn every_example_is_valid() {
    let examples = files("docs/examples", "toml");
    assert!(examples.len() >= 4);
    for path in examples {
        let path = path.to_str().expect("UTF-8");
        let output = binary::run(&["scenarios", "check", path]);
        // A build without HTML says which one has it; the example's comment has another form.
        if path.ends_with("legacy.toml") && !cfg!(feature = "html") {
            assert!(
                text(&output).contains("--features html"),
                "{}",
                text(&output)
            );
            continue;
        }
        assert!(output.status.success(), "{}", text(&output));
    }
}

/// Runs an example against a host: no request fails, and every step is done.
fn check_run(name: &str, target: &[&str]) {
    let path = root().join("docs/examples").join(name);
    let mut arguments = vec![path.to_str().expect("UTF-8")];
    arguments.extend(target);
    let load = "-u 8 -t 4s --wait 20ms --pause 0 --headless";
    arguments.extend(load.split(' '));
    let (record, report) = record_of(&arguments, 0);
    check_sums(&record);
    assert_eq!(record.totals.failures, 0, "{report}");
    for step in &record.steps {
        assert!(
            step.requests > 0,
            "{} {} was never done: {report}",
            step.method,
            step.name
        );
    }
}

#[test]
fn the_ops_core_example_runs_against_the_stand_in() {
    check_run("opscore.toml", &["--mock"]);
}

#[test]
fn the_other_examples_run_against_a_small_service() {
    let server = RawServer::start(answer_examples);
    for name in ["shop.toml", "jobs.toml", "pages.toml"] {
        check_run(name, &["--host", &server.url()]);
    }
}

/// Answers the requests of the three examples, in order.
fn answer_examples(peer: &mut Peer) {
    let mut polls = 0;
    while let Some(request) = peer.request() {
        let line = request.text.lines().next().unwrap_or_default();
        let (status, body) = match line.rsplit_once(" HTTP").unwrap_or_default().0 {
            "POST /login" => ("200 OK", r#"{"token": "abcdef0123456789"}"#),
            "GET /items?sort=name" | "GET /items?sort=price" => (
                "200 OK\r\nSet-Cookie: cart=c1; Path=/",
                r#"{"items": [{"id": 41}], "next": "/items?page=2"}"#,
            ),
            "GET /items?page=2" => ("200 OK", r#"{"items": [], "next": null}"#),
            "PUT /cart" => ("200 OK", r#"{"id": 17}"#),
            "POST /orders" => ("201 Created\r\nLocation: /orders/1", ""),
            "POST /jobs" => ("202 Accepted\r\nLocation: /jobs/j-17\r\nRetry-After: 1", ""),
            "GET /jobs/j-17" => {
                polls += 1;
                match polls % 3 {
                    0 => (
                        "200 OK",
                        r#"{"state": "done", "result": "/jobs/j-17/result"}"#,
                    ),
                    1 => ("404 Not Found", ""),
                    _ => ("200 OK", r#"{"state": "running"}"#),
                }
            }
            "GET /jobs/j-17/result" => ("200 OK", r#"{"result": 4}"#),
            "POST /contact" => ("303 See Other", ""),
            _ => ("200 OK", "<p>a page</p>"),
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if !peer.answer(answer.as_bytes()) {
            return;
        }
    }
}
