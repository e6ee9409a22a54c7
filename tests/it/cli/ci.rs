//! `--summary-markdown`, `--junit`, and what is done where GitHub's runner is the caller.

use std::fs;
use std::path::Path;

use opsurge::record::schema::Record;
use tempfile::TempDir;

use crate::support::binary::{opsurge, run, text};

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> String {
        let path = self.0.path().join(name);
        path.to_str().expect("UTF-8").to_owned()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

/// A run whose workflow requests all fail with 500, with a broken rule, a kept one and one that judges nothing.
const FAILING: [&str; 22] = [
    "run",
    "--mock",
    "--mock-published-500",
    "-u",
    "3",
    "-t",
    "1s",
    "-r",
    "100",
    "--settle",
    "0",
    "--wait",
    "5ms",
    "--pause",
    "0",
    "--fail-if",
    "errors>10%",
    "--require",
    "p99<20s",
    "--fail-if",
    "notify.p50>20s",
    "--headless",
];

/// Elements and attributes of a document that [`elements`] has read.
type Element = (String, Vec<(String, String)>);

/// Reads XML as far as JUnit's goes, and panics where it is not well-formed: tags are closed in order, attributes are
/// quoted and unique, texts hold no markup.
fn elements(document: &str) -> Vec<Element> {
    let mut rest = document
        .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")
        .expect("a declaration");
    let (mut found, mut open) = (Vec::new(), Vec::new());
    while let Some(at) = rest.find('<') {
        check_text(&rest[..at]);
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closed in order");
            continue;
        }
        let (tag, is_empty) = tag
            .strip_suffix('/')
            .map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        if !is_empty {
            open.push(name.to_owned());
        }
        let mut pairs: Vec<(String, String)> = Vec::new();
        let mut left = attributes.trim();
        while !left.is_empty() {
            let (name, value) = left.split_once("=\"").expect("a quoted value");
            let (value, after) = value.split_once('"').expect("it ends");
            check_text(value);
            assert!(pairs.iter().all(|(known, _)| known != name), "{name} twice");
            pairs.push((name.to_owned(), value.to_owned()));
            left = after.trim();
        }
        found.push((name.to_owned(), pairs));
    }
    assert!(
        open.is_empty() && rest.trim().is_empty(),
        "left open: {open:?}"
    );
    found
}

/// Ampersands begin one of the entities that XML knows.
fn check_text(text: &str) {
    for after in text.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;"];
        assert!(
            known.iter().any(|entity| after.starts_with(entity)),
            "{text}"
        );
    }
    assert!(!text.contains(['<', '>']), "{text}");
}

fn attribute<'e>(element: &'e Element, name: &str) -> &'e str {
    let mut pairs = element.1.iter();
    let found = pairs.find(|(known, _)| known == name);
    found.map_or_else(|| panic!("no {name} in {element:?}"), |(_, value)| value)
}

#[test]
fn junit_has_a_case_for_each_rule_and_for_failed_requests() {
    let place = Place::new();
    let (junit, json) = (place.path("j.xml"), place.path("r.json"));
    let output = run(&[&FAILING[..], &["--junit", &junit, "--json", &json]].concat());
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(4), "{printed}");
    assert!(
        printed.contains(&format!("JUnit XML: {junit}")),
        "{printed}"
    );
    let document = place.read("j.xml");
    let elements = elements(&document);
    let of = |name: &str| -> Vec<&Element> {
        elements.iter().filter(|(known, _)| known == name).collect()
    };
    let suite = of("testsuite")[0];
    for (name, expected) in [
        ("tests", "5"),
        ("failures", "2"),
        ("errors", "0"),
        ("skipped", "1"),
    ] {
        assert_eq!(attribute(suite, name), expected, "{document}");
    }
    // What Ant's schema demands of a suite and a case, in its order.
    for name in ["name", "package", "id", "timestamp", "hostname", "time"] {
        attribute(suite, name);
    }
    let order: Vec<&str> = elements.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(order[..3], ["testsuites", "testsuite", "properties"]);
    assert_eq!(order[order.len() - 2..], ["system-out", "system-err"]);
    let cases: Vec<&str> = of("testcase")
        .iter()
        .map(|case| attribute(case, "name"))
        .collect();
    assert_eq!(
        cases,
        [
            "the run was carried out",
            "no request failed",
            "--fail-if 'errors&gt;10%'",
            "--fail-if 'notify.p50&gt;20s'",
            "--require 'p99&lt;20s'",
        ],
        "{document}"
    );
    for case in of("testcase") {
        assert!(
            attribute(case, "time")
                .parse::<f64>()
                .is_ok_and(|s| s >= 0.0)
        );
        attribute(case, "classname");
    }
    let failures = of("failure");
    assert_eq!(attribute(failures[0], "type"), "requests");
    assert!(
        attribute(failures[0], "message").contains("failed ("),
        "{document}"
    );
    assert_eq!(attribute(failures[1], "type"), "rule");
    let properties = of("property");
    let verdict = properties
        .iter()
        .find(|it| attribute(it, "name") == "verdict");
    let record = Record::parse(&place.read("r.json")).expect("a record");
    let status = &record.generator.verdict.status;
    assert_eq!(
        verdict.map(|it| attribute(it, "value")),
        Some(status.as_str())
    );
    // The same again, from the record.
    let again = place.path("again.xml");
    assert_eq!(
        run(&["report", &json, "--junit", &again]).status.code(),
        Some(0)
    );
    assert_eq!(place.read("again.xml"), document);
}

#[test]
fn a_run_that_did_not_pass_has_a_failing_case_whatever_the_reason() {
    let place = Place::new();
    let (junit, json) = (place.path("j.xml"), place.path("r.json"));
    let all = [
        "run", "--mock", "-u", "1", "-t", "300ms", "--wait", "1ms", "--json", &json,
    ];
    assert_eq!(run(&all).status.code(), Some(0));
    let mut record = Record::parse(&place.read("r.json")).expect("a record");
    let failing = |record: &Record| {
        fs::write(&json, record.to_json()).expect("written");
        let output = run(&["report", &json, "--junit", &junit]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        let elements = elements(&place.read("j.xml"));
        let wrong = elements
            .iter()
            .filter(|(name, _)| name == "failure" || name == "error");
        wrong
            .map(|it| attribute(it, "message").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(failing(&record), Vec::<String>::new());
    record.passed = false;
    record.reasons = vec!["the verdict is <NO-PROGRESS>".into()];
    assert_eq!(failing(&record), ["the verdict is &lt;NO-PROGRESS&gt;"]);
    record.run.error = Some("shard 1 & 2 panicked".into());
    assert_eq!(failing(&record), ["shard 1 &amp; 2 panicked"]);
}

#[test]
fn the_summary_shows_verdict_numbers_rules_and_failures_and_compares() {
    let place = Place::new();
    let (json, summary) = (place.path("r.json"), place.path("s.md"));
    let output = run(&[
        &FAILING[..],
        &["--json", &json, "--summary-markdown", &summary],
    ]
    .concat());
    let printed = text(&output);
    assert!(
        printed.contains(&format!("Summary: {summary}")),
        "{printed}"
    );
    let text_of = place.read("s.md");
    let record = Record::parse(&place.read("r.json")).expect("a record");
    for expected in [
        "## opsurge: FAILED\n",
        &format!("**Verdict {}**", record.generator.verdict.status),
        "| Requests | Requests/s | Failed | p50 | p99 | Users |",
        "### Steps",
        "<code>POST /v1/agent/&#91;id&#93;/workflow</code>",
        "### Rules",
        "**broken**",
        "### Failures",
        "status 500",
        "<details>",
    ]
    .map(|text| text.replace("/v1/agent/", "/v1/opscore/agent/"))
    {
        assert!(text_of.contains(&expected), "no {expected} in {text_of}");
    }
    // Each row of a table has as many cells as its head.
    let mut cells = None;
    for line in text_of.lines() {
        let count = line.starts_with('|').then(|| line.matches('|').count());
        assert!(
            cells.is_none() || count.is_none() || count == cells,
            "{line}"
        );
        cells = count;
    }
    assert!(!text_of.contains("Compared with"));
    let compared = place.path("c.md");
    let output = run(&[
        "report",
        &json,
        "--summary-markdown",
        &compared,
        "--summary-base",
        &json,
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let text_of = place.read("c.md");
    assert!(text_of.contains("### Compared with <code>"), "{text_of}");
    assert!(
        text_of.contains("No figure is certainly worse by more than 5 %."),
        "{text_of}"
    );
}

#[test]
fn a_base_that_cannot_be_compared_is_refused_before_anything_is_sent() {
    let place = Place::new();
    let (json, summary) = (place.path("r.json"), place.path("s.md"));
    let all = [
        "run", "--mock", "-u", "1", "-t", "300ms", "--wait", "1ms", "--json", &json,
    ];
    assert_eq!(run(&all).status.code(), Some(0));
    let check = |arguments: &[&str], expected: &str| {
        let output = run(&[arguments, &["--mock", "-u", "20", "-t", "300ms"]].concat());
        let printed = text(&output);
        assert_eq!(output.status.code(), Some(2), "{printed}");
        assert!(printed.contains(expected), "{printed}");
        assert!(!Path::new(&summary).exists());
    };
    let base = ["--summary-markdown", &summary, "--summary-base", &json];
    check(
        &[&["run", "mixed"], &base[..]].concat(),
        "is a run of the scenario workflow",
    );
    check(
        &[&["search"], &base[..]].concat(),
        "the load of a search changes",
    );
    check(
        &["run", "--summary-base", &json],
        "add --summary-markdown FILE",
    );
    let none = place.path("none.json");
    check(
        &[
            "run",
            "--summary-markdown",
            &summary,
            "--summary-base",
            &none,
        ],
        "--summary-base: ",
    );
    check(
        &["run", "--summary-markdown", &json, "--junit", &json],
        "are the same file",
    );
}

#[test]
fn githubs_runner_gets_annotations_and_a_summary_of_the_job() {
    let place = Place::new();
    let step = place.path("step.md");
    fs::write(&step, "# What other steps wrote\n").expect("written");
    let on_github = |arguments: &[&str]| {
        let program = opsurge(arguments).env("GITHUB_ACTIONS", "true");
        program
            .env("GITHUB_STEP_SUMMARY", &step)
            .output()
            .expect("the binary starts")
    };
    let output = on_github(&FAILING);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        errors.contains("::error title=Rule broken::--fail-if 'errors>10%25':"),
        "{errors}"
    );
    assert!(
        errors.contains("::error title=Requests failed::"),
        "{errors}"
    );
    assert!(
        errors.contains("::warning title=Verdict "),
        "a debug build: {errors}"
    );
    assert!(!errors.contains("::notice"), "{errors}");
    // Nothing that the service said begins a command of its own.
    let commands = errors.lines().filter(|line| line.starts_with("::"));
    let known = ["::error title=", "::warning title="];
    assert!(commands.clone().count() >= 3);
    assert!(
        commands
            .clone()
            .all(|line| known.iter().any(|it| line.starts_with(it))),
        "{errors}"
    );
    let printed = text(&output);
    assert!(
        printed.contains(&format!("Summary: appended to {step}")),
        "{printed}"
    );
    let written = place.read("step.md");
    assert!(
        written.starts_with("# What other steps wrote\n## opsurge: FAILED\n"),
        "{written}"
    );
    // A file of its own takes its place.
    let own = place.path("own.md");
    let passing = ["run", "--mock", "-u", "1", "-t", "300ms", "--wait", "1ms"];
    let output = on_github(&[&passing[..], &["--summary-markdown", &own]].concat());
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text(&output).contains("::notice title=opsurge%3A passed::"),
        "{}",
        text(&output)
    );
    assert_eq!(place.read("step.md"), written);
    assert!(place.read("own.md").starts_with("## opsurge: passed\n"));
    // Elsewhere there is none of it.
    assert!(!text(&run(&passing)).contains("::notice"));
}
