//! The page of real runs: a function of the record alone, whole without a network, and refused before anything is sent
//! where it cannot be written.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::support::binary::{Program, opsurge, run, text};
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

const KEY: &str = "key-that-no-page-may-show";

/// Carries out a command with `--json` and `--html`; the folder and the page.
fn page(arguments: &[&str]) -> (TempDir, String) {
    page_with(opsurge(arguments))
}

fn page_with(command: Program) -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let output = command
        .arg("--headless")
        .arg("--json")
        .arg(folder.path().join("run.json"))
        .arg("--html")
        .arg(folder.path().join("run.html"))
        .output()
        .expect("the binary starts");
    let printed = text(&output);
    assert!(printed.contains("HTML: "), "{printed}");
    let page = fs::read_to_string(folder.path().join("run.html")).expect("it was written");
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"));
    assert!(page.contains("Content-Security-Policy"));
    (folder, page)
}

fn report(folder: &TempDir, arguments: &[&str]) -> std::process::Output {
    opsurge(&["report"])
        .args(arguments)
        .current_dir(folder.path())
        .output()
        .expect("the binary starts")
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).expect("it was written")
}

#[test]
fn a_run_and_its_record_make_the_same_page_and_two_records_another() {
    let (folder, page) = page(&[
        "run",
        "workflow",
        "--mock",
        "--mock-published-500",
        "-u",
        "5",
        "--wait",
        "1ms..5ms",
        "--pause",
        "0",
        "-t",
        "3s",
    ]);
    for part in [
        "id=\"rates\"",
        "id=\"heat\"",
        "id=\"curve\"",
        "id=\"errors\"",
        "answered 500",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let again = report(&folder, &["run.json", "--html", "again.html", "--quiet"]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
    assert!(
        read(folder.path(), "again.html") == page,
        "a function of the record alone"
    );

    let json = read(folder.path(), "run.json");
    let file = fs::File::create(folder.path().join("run.json.gz")).expect("a file");
    let mut gzip = GzEncoder::new(file, Compression::fast());
    gzip.write_all(json.as_bytes()).expect("written");
    gzip.finish().expect("written");
    let both = report(&folder, &["run.json", "run.json.gz", "--html", "both.html"]);
    assert_eq!(both.status.code(), Some(0), "{}", text(&both));
    let both = read(folder.path(), "both.html");
    for part in ["run.json.gz, requests", "id=\"differences\"", "id=\"p99\""] {
        assert!(both.contains(part), "{part}");
    }
}

#[test]
fn an_api_key_that_the_service_refuses_is_not_in_the_page() {
    let arguments = [
        "run", "workflow", "--mock", "-u", "2", "--pause", "0", "-t", "1s",
    ];
    let (folder, page) = page_with(opsurge(&arguments).env("OPSCORE_API_KEY", KEY));
    assert!(
        page.contains("answered 401"),
        "the key was sent and refused"
    );
    assert!(!page.contains(KEY));
    assert!(
        !read(folder.path(), "run.json").contains(KEY),
        "nor in the record inside it"
    );
}

#[test]
fn a_search_has_a_chart_of_its_levels() {
    let (_folder, page) = page(&[
        "search",
        "mixed",
        "--mock",
        "--mock-workers",
        "2",
        "--mock-service-time",
        "5ms",
        "--wait",
        "0",
        "--pause",
        "0",
        "-u",
        "32",
        "-t",
        "12s",
        "--window",
        "2s",
        "--settle",
        "0.5s",
        "--stop-when",
        "p99>40ms",
    ]);
    for part in [
        "id=\"level-rates\"",
        "id=\"level-times\"",
        "level that did not hold",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn what_cannot_become_a_page_is_refused_with_the_cure() {
    let nowhere = run(&["run", "--mock", "-t", "1s", "--html", "/nowhere/run.html"]);
    assert_eq!(nowhere.status.code(), Some(2), "{}", text(&nowhere));
    assert!(text(&nowhere).contains("--html"), "{}", text(&nowhere));
    let two = run(&["report", "a.json", "b.json"]);
    assert_eq!(two.status.code(), Some(2), "{}", text(&two));
    assert!(text(&two).contains("--html <FILE>"), "{}", text(&two));
    let both = run(&[
        "report", "a.json", "b.json", "--html", "x.html", "--csv", "x",
    ]);
    assert_eq!(both.status.code(), Some(2), "{}", text(&both));
}
