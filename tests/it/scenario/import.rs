//! Imported scenarios: every fixture compiles, hides its secrets, and becomes the text that was read critically.
//!
//! The fixtures are written by hand in the form that the tools produce; each secret in them contains `5ecret`.
//! `OPSURGE_BLESS=1 cargo test --test it import` writes the expected texts anew.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use opsurge::scenario::format::compile::{Context, compile};
use opsurge::scenario::import::draft::Draft;
use opsurge::scenario::import::hide::hide;
use opsurge::scenario::import::kind::{Kind, kind_of};
use opsurge::scenario::import::write::write;
use opsurge::scenario::import::{curl, har, locust, openapi};

use crate::support::binary::{opsurge, run};

/// Fixtures of each kind.
const FIXTURES: usize = 10;

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/scenario/import")
        .join(kind);
    let entries = std::fs::read_dir(folder).expect("the fixtures are there");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    paths.retain(|path| path.extension().is_none_or(|end| end != "expected"));
    paths.sort();
    assert!(paths.len() >= FIXTURES, "{kind}: {} fixtures", paths.len());
    paths
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The scenario of a draft, and its notes as comments below it.
fn finished(mut draft: Draft) -> (String, String) {
    if draft.name.is_empty() {
        draft.name = "imported".to_owned();
    }
    hide(&mut draft);
    let scenario = write(&draft);
    let mut whole = scenario.clone();
    whole += "\n# Notes:\n";
    for note in &draft.notes {
        whole += &format!("# {}: {}\n", note.place, note.what);
    }
    (scenario, whole)
}

fn check(kind: &str, expected: Kind, import: &dyn Fn(&str) -> Result<Draft, String>) {
    let is_blessed = std::env::var_os("OPSURGE_BLESS").is_some();
    let mut wrong = Vec::new();
    for path in fixtures(kind) {
        let name = path.display();
        let text = read(&path);
        assert_eq!(kind_of(&text), Ok(expected), "{name}");
        let draft = import(&text).unwrap_or_else(|reason| panic!("{name}: {reason}"));
        let (scenario, whole) = finished(draft);
        if let Err(error) = compile("imported.toml", &scenario, &Context::plain()) {
            panic!("{name}: {error}\n{scenario}");
        }
        assert!(!whole.contains("5ecret"), "{name}: a secret is in\n{whole}");
        let file = PathBuf::from(format!("{name}.expected"));
        if is_blessed {
            std::fs::write(&file, &whole).expect("the expected text can be written");
        }
        if read(&file) != whole {
            wrong.push(format!("{name} is now:\n{whole}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn curl_commands_become_scenarios_that_compile_without_their_secrets() {
    check("curl", Kind::Curl, &|text| curl::read(text, &|_| false));
}

#[test]
fn http_archives_become_scenarios_that_compile_without_their_secrets() {
    check("har", Kind::Har, &har::read);
}

#[test]
fn openapi_descriptions_become_scenarios_that_compile_without_their_secrets() {
    check("openapi", Kind::OpenApi, &openapi::read);
}

#[test]
fn locustfiles_become_scenarios_that_compile_without_their_secrets() {
    check("locust", Kind::Locust, &|text| {
        locust::read(&syntax_tree(text))
    });
}

/// As the command does it: by python3, without running the file.
fn syntax_tree(text: &str) -> String {
    use std::io::Write;
    let mut python = Command::new("python3")
        .args(["-I", "-c", locust::SYNTAX_TREE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is installed");
    let mut stdin = python.stdin.take().expect("it is piped");
    stdin.write_all(text.as_bytes()).expect("python3 reads");
    drop(stdin);
    let output = python.wait_with_output().expect("python3 ends");
    String::from_utf8(output.stdout).expect("JSON is UTF-8")
}

#[test]
fn a_cut_or_garbled_text_is_refused_or_imported_and_never_panics() {
    for (kind, import) in [
        (
            "curl",
            &(|text: &str| curl::read(text, &|_| true)) as &dyn Fn(&str) -> Result<Draft, String>,
        ),
        ("har", &har::read),
        ("openapi", &openapi::read),
    ] {
        for path in fixtures(kind).into_iter().take(4) {
            let text = read(&path);
            let ends = text
                .char_indices()
                .map(|(at, _)| at)
                .step_by(1 + text.len() / 60);
            for end in ends {
                let _ = kind_of(&text[..end]);
                if let Ok(draft) = import(&text[..end]) {
                    finished(draft);
                }
            }
        }
    }
    for tree in [
        "",
        "{}",
        "[]",
        "null",
        "{\"body\": [{\"_\": \"ClassDef\", \"bases\": [1]}]}",
    ] {
        assert!(locust::read(tree).is_err(), "{tree}");
    }
}

#[test]
fn another_format_is_refused_with_what_to_do() {
    for (text, cure) in [
        ("", "it is empty"),
        ("{\"swagger\": \"2.0\"}", "swagger2openapi"),
        ("swagger: '2.0'\ninfo: {}\n", "swagger2openapi"),
        (
            "{\"info\": {\"schema\": \"https://schema.getpostman.com/v2.1.0\"}}",
            "Code > cURL",
        ),
        ("{\"_type\": \"export\"}", "export as HAR"),
        ("{\"log\": {\"entries\": [", "was the file cut off?"),
        ("<?xml version=\"1.0\"?><jmeterTestPlan>", "JMeter"),
        ("import http from 'k6/http';", "k6"),
        ("name = \"x\"\n[[task]]\n", "scenarios check"),
        ("hello", "none of what"),
    ] {
        let reason = kind_of(text).expect_err(text);
        assert!(reason.contains(cure), "{text}: {reason}");
    }
}

#[test]
fn what_cannot_be_imported_is_refused_with_its_place() {
    let twice = "openapi: 3.0.0\ncomponents: {}\npaths: {}\ncomponents: {}\n";
    let reason = openapi::read(twice).expect_err("a key stands twice");
    assert!(reason.contains("key twice"), "{reason}");
    assert!(reason.contains("line 4"), "{reason}");
    let made_by_code =
        "from locust import HttpUser\n\nclass Tester(HttpUser):\n    tasks = [made]\n";
    let reason = locust::read(&syntax_tree(made_by_code)).expect_err("it has no task");
    assert!(
        reason.contains("line 4: the task made is not in this file"),
        "{reason}"
    );
}

#[test]
fn the_command_prints_a_scenario_that_its_check_accepts_and_notes_on_stderr() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/scenario/import/locust/token_login.py");
    let output = run(&["scenarios", "from", file.to_str().expect("a plain path")]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert!(errors.contains("password is a secret"), "{errors}");
    let made = folder.path().join("made.toml");
    std::fs::write(&made, &output.stdout).expect("it can be written");
    let output = run(&["scenarios", "check", made.to_str().expect("a plain path")]);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(printed.contains("POST /auth/login"), "{printed}");
}

#[test]
fn without_python_a_locustfile_is_refused_with_the_cure() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/scenario/import/locust/quickstart.py");
    let output = opsurge(&["scenarios", "from"])
        .arg(file)
        .env("PATH", "/nowhere")
        .output()
        .expect("the binary starts");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_ne!(output.status.code(), Some(0), "{errors}");
    assert!(errors.contains("install Python 3.8"), "{errors}");
}
