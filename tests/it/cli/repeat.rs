//! `run --repeat`, records with runs inside, and `compare --run`, with the real binary.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::signal::Signal;
use opsurge::record::schema::{Record, StepRecord};

use crate::support::binary::record_schema::check_record;
use crate::support::binary::{Process, check_sums, opsurge, record_of, run, text, wait_until};
use crate::support::raw_server::{OK, RawServer, answer_ok};

/// Several short runs against the stand-in.
const REPEATED: [&str; 12] = [
    "--mock",
    "-u",
    "5",
    "--wait",
    "1ms",
    "--pause",
    "0",
    "-t",
    "1s",
    "--repeat-pause",
    "0",
    "--repeat",
];

fn record_at(path: &Path) -> Record {
    let json = fs::read_to_string(path).expect("the record was written");
    check_record(&json);
    Record::parse(&json).expect("it is a record")
}

fn sum(runs: &[Record], of: impl Fn(&Record) -> u64) -> u64 {
    runs.iter().map(of).sum()
}

#[test]
fn a_record_has_the_runs_inside_and_their_sums_outside() {
    let (record, printed) = record_of(&[&REPEATED[..], &["3", "--report", "full"]].concat(), 0);
    let runs = &record.runs;
    assert_eq!(runs.len(), 3, "{printed}");
    for run in runs {
        check_sums(run);
        assert!(run.runs.is_empty() && run.spread.is_none());
        assert_eq!(run.run.seed, record.run.seed, "the same seed");
        assert_eq!(run.steps.len(), record.steps.len());
    }
    check_sums(&record);
    let totals = &record.totals;
    assert_eq!(totals.sent, sum(runs, |run| run.totals.sent));
    assert_eq!(totals.requests, sum(runs, |run| run.totals.requests));
    assert_eq!(totals.bytes_sent, sum(runs, |run| run.totals.bytes_sent));
    for (at, step) in record.steps.iter().enumerate() {
        assert_eq!(step.requests, sum(runs, |run| run.steps[at].requests));
        assert_eq!(
            step.all_us.count,
            sum(runs, |run| run.steps[at].all_us.count)
        );
        let accepted = |step: &StepRecord| -> u64 { step.statuses.values().sum() };
        assert_eq!(accepted(step), sum(runs, |run| accepted(&run.steps[at])));
    }
    // The runs do not overlap, and the pauses between them are no load.
    let load_s: f64 = runs.iter().map(|run| run.totals.load_s).sum();
    assert!(
        (totals.load_s - load_s).abs() < 1e-6,
        "{} {load_s}",
        totals.load_s
    );
    let max_us = runs.iter().filter_map(|run| run.totals.all_us.max);
    assert_eq!(totals.all_us.max, Some(max_us.fold(0.0, f64::max)));
    let stand_in = record.stand_in.as_ref().expect("--mock");
    assert!(stand_in.agrees, "{stand_in:?}");

    let spread = record.spread.as_ref().expect("three runs");
    let rates: Vec<f64> = runs.iter().map(|run| run.totals.rps).collect();
    let mean = rates.iter().sum::<f64>() / 3.0;
    let found = spread.rps.mean.expect("three runs");
    assert!((found - mean).abs() < 1e-6 * mean, "{found} {mean}");
    assert_eq!(
        spread.rps.max,
        Some(rates.iter().copied().fold(0.0, f64::max))
    );
    let p99_us = runs.iter().filter_map(|run| run.totals.all_us.p99);
    assert_eq!(
        spread.p99_us.min,
        Some(p99_us.fold(f64::INFINITY, f64::min))
    );
    let interval = (spread.p50_us.low, spread.p50_us.high);
    assert!(
        matches!(interval, (Some(low), Some(high)) if low <= high),
        "{interval:?}"
    );
    for expected in [
        "3 runs of the same job and seed, 0s apart",
        "run 2 of 3: ",
        "95 % intervals between runs: ",
        "\nstd dev ",
    ] {
        assert!(printed.contains(expected), "{expected} in {printed}");
    }
}

#[test]
fn a_repeated_run_is_reported_again_within_the_width_of_any_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("r.json");
    let output = opsurge(&["run"])
        .args(REPEATED)
        .args(["2", "--json"])
        .arg(&json)
        .output()
        .expect("the binary starts");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    let expected = "2 runs, pooled above: three or more would bound what differs between runs.";
    assert!(printed.contains(expected), "{printed}");
    for form in ["short", "full"] {
        for width in [60, 80, 120] {
            let output = opsurge(&["report", "--report", form])
                .arg(&json)
                .env("COLUMNS", width.to_string())
                .output()
                .expect("the binary starts");
            let again = String::from_utf8(output.stdout).expect("UTF-8");
            for line in again.lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
            let rows = again.lines().filter(|line| line.starts_with("run "));
            assert_eq!(rows.count(), 2, "{again}");
            let is_of_files = |line: &&str| !line.starts_with("Record: ");
            if form == "short" && width == 80 {
                let printed: Vec<&str> = printed.lines().filter(is_of_files).collect();
                assert_eq!(again.lines().collect::<Vec<_>>(), printed);
            }
        }
    }
}

/// A repeated run against a server of the test, up to the line that says this; standard error goes on to be read.
fn repeated_until(
    line: &str,
    json: &Path,
    more: &[&str],
) -> (Process, RawServer, BufReader<impl std::io::Read>) {
    let server = RawServer::start(answer_ok);
    let mut child = opsurge(&[
        "run",
        "--get",
        &server.url(),
        "-u",
        "1",
        "--wait",
        "5ms",
        "--json",
    ])
    .arg(json)
    .args(more)
    .stdout(Stdio::null())
    .stderr(Stdio::piped())
    .spawn()
    .expect("the binary starts");
    let mut printed = BufReader::new(child.stderr.take().expect("piped"));
    let mut read = String::new();
    while !read.starts_with(line) {
        read.clear();
        let bytes = printed.read_line(&mut read).expect("UTF-8");
        assert!(bytes > 0, "it never said {line}");
    }
    (child, server, printed)
}

#[test]
fn a_signal_in_a_run_ends_it_and_no_further_one_begins() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("r.json");
    // The first run takes 20 requests; the second one is held in its fifth.
    let server = RawServer::start(|peer| {
        while let Some(request) = peer.request() {
            if request.number == 24 {
                // Until the client ends the connection.
                peer.request();
                return;
            }
            peer.answer(OK);
        }
    });
    let mut child = opsurge(&[
        "run",
        "--get",
        &server.url(),
        "-u",
        "1",
        "--wait",
        "0",
        "--drain",
        "100ms",
        "--json",
    ])
    .arg(&json)
    .args([
        "--iterations",
        "20",
        "-t",
        "20s",
        "--repeat",
        "3",
        "--repeat-pause",
        "0",
    ])
    .stdout(Stdio::null())
    .stderr(Stdio::null())
    .spawn()
    .expect("the binary starts");
    wait_until("the request that is held", || server.requests() == 25);
    child.signal(Signal::SIGINT);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let record = record_at(&json);
    let requests: Vec<u64> = record.runs.iter().map(|run| run.totals.requests).collect();
    assert_eq!(requests, [20, 5], "what was measured is there");
    assert_eq!(record.totals.requests, 25);
    let ended: Vec<&str> = record
        .runs
        .iter()
        .map(|run| run.run.ended_by.as_str())
        .collect();
    assert_eq!(ended, ["iterations", "signal"]);
    assert_eq!(record.run.ended_by, "signal");
    assert_eq!((record.passed, record.exit_code), (false, 130));
    assert_eq!(record.runs[1].totals.unanswered, 1);
}

#[test]
fn a_signal_in_a_pause_ends_the_pause_and_reports_the_runs_until_then() {
    let folder = tempfile::tempdir().expect("a folder");
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let json = folder.path().join(format!("{signal}.json"));
        let more = ["-t", "300ms", "--repeat", "3", "--repeat-pause", "10m"];
        let (mut child, _server, _said) = repeated_until("run 1 of 3", &json, &more);
        child.signal(signal);
        assert_eq!(child.wait().expect("it ends").code(), Some(130));
        let record = record_at(&json);
        assert_eq!(record.runs.len(), 1);
        assert_eq!(record.runs[0].run.ended_by, "time");
        assert_eq!(record.run.ended_by, "signal");
        assert_eq!(record.reasons, ["interrupted by a signal"]);
    }
}

#[test]
fn a_target_that_goes_away_between_two_runs_leaves_what_was_measured() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("r.json");
    let more = ["-t", "300ms", "--repeat", "2", "--repeat-pause", "3s"];
    let (mut child, server, _said) = repeated_until("run 1 of 2", &json, &more);
    drop(server);
    assert_eq!(child.wait().expect("it ends").code(), Some(3));
    let record = record_at(&json);
    assert_eq!(record.runs.len(), 1);
    assert!(record.totals.requests > 0);
    assert_eq!(record.exit_code, 3);
    let error = record.run.error.expect("it says why");
    assert!(
        error.starts_with("run 2 could not be carried out: nothing accepts"),
        "{error}"
    );
}

#[test]
fn failures_and_broken_rules_of_one_run_are_those_of_all() {
    let fails = ["2", "--mock-published-500"];
    let breaks = ["--fail-if", "p50>1us", "-r", "1000", "--settle", "0"];
    let broken = [&REPEATED[..], &fails, &breaks].concat();
    let (record, printed) = record_of(&broken, 4);
    assert_eq!(record.rules.len(), 1, "one rule, not one of each run");
    let rule = &record.rules[0];
    let windows: u64 = record.runs.iter().map(|run| run.rules[0].windows).sum();
    assert!(rule.broken && rule.windows == windows, "{rule:?}");
    assert!(rule.says.starts_with("run 1: "), "{rule:?}");
    assert!(printed.contains("BROKEN: --fail-if 'p50>1us'"), "{printed}");
    let failures: u64 = record.runs.iter().map(|run| run.totals.failures).sum();
    assert!(failures > 0 && record.totals.failures == failures);
    let (failed, _) = record_of(&[&REPEATED[..], &fails].concat(), 1);
    assert!(failed.reasons[0].contains("failed"), "{:?}", failed.reasons);
}

#[test]
fn repeated_runs_are_compared_as_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let make = |name: &str, runs: &str| -> String {
        let path: PathBuf = folder.path().join(name);
        let output = opsurge(&["run"])
            .args(REPEATED)
            .args([runs, "--quiet", "--json"])
            .arg(&path)
            .output()
            .expect("the binary starts");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        path.to_str().expect("UTF-8").to_owned()
    };
    let (base, new, two) = (
        make("a.json", "3"),
        make("b.json", "3"),
        make("two.json", "2"),
    );
    let printed = |arguments: &[&str], codes: &[i32]| {
        let output = run(&[&["compare"], arguments].concat());
        let printed = text(&output);
        assert!(
            output
                .status
                .code()
                .is_some_and(|code| codes.contains(&code)),
            "{printed}"
        );
        printed
    };
    let compared = printed(&[&base, &new], &[0, 4]);
    assert!(
        compared.contains("3 and 3 runs: the intervals contain the run-to-run spread"),
        "{compared}"
    );
    assert!(
        compared.contains("a.json: 3 runs of workflow on"),
        "{compared}"
    );
    // Two records, five runs.
    let both = format!("{base},{two}");
    let compared = printed(&[&both, &new], &[0, 4]);
    assert!(compared.contains("5 and 3 runs"), "{compared}");
    let refused = printed(&[&two, &new], &[2]);
    assert!(
        refused.contains("BASE has 2 runs and NEW has 3 runs"),
        "{refused}"
    );
    assert!(
        refused.contains("make at least 1 more of BASE"),
        "{refused}"
    );
    let twice = format!("{base},{base}");
    let refused = printed(&[&twice, &new], &[2]);
    assert!(refused.contains("are the same run"), "{refused}");
}

/// A stand-in in a process of its own, and its URL.
fn stand_in(more: &[&str]) -> (Process, String) {
    let mut child = opsurge(&["mock", "--listen", "127.0.0.1:0", "-t", "60s"])
        .args(more)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("UTF-8");
    let url = line
        .split_whitespace()
        .find(|word| word.starts_with("http://"));
    (child, url.expect("it says where").to_owned())
}

#[test]
fn two_hosts_are_run_in_turns_and_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let [json_base, json_new] = ["base.json", "new.json"].map(|name| folder.path().join(name));
    // What fails does not depend on how busy this machine is.
    let (_well, base) = stand_in(&[]);
    let (_broken, new) = stand_in(&["--mock-published-500"]);
    let output = opsurge(&["compare", "--run", &base, &new, "-u", "2", "--wait", "1ms"])
        .args([
            "--pause",
            "0",
            "-t",
            "1s",
            "--repeat",
            "3",
            "--repeat-pause",
            "0",
            "--json-base",
        ])
        .arg(&json_base)
        .arg("--json-new")
        .arg(&json_new)
        .output()
        .expect("the binary starts");
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(4), "{printed}");
    let regression = "REGRESSION: failures of all requests: 0 %, then ";
    assert!(printed.contains(regression), "{printed}");
    assert!(printed.contains("\nRUNS OF NEW: "), "{printed}");
    assert!(!printed.contains("RUNS OF BASE: "), "{printed}");
    assert!(
        printed.contains("3 and 3 runs: the intervals contain the run-to-run spread"),
        "{printed}"
    );
    let (base, new) = (record_at(&json_base), record_at(&json_new));
    let mut begun: Vec<(&str, char)> = Vec::new();
    for (record, side) in [(&base, 'b'), (&new, 'n')] {
        assert_eq!(record.runs.len(), 3);
        assert_eq!(record.run.seed, base.run.seed, "the same seed");
        check_sums(record);
        begun.extend(
            record
                .runs
                .iter()
                .map(|run| (run.run.started_at.as_str(), side)),
        );
    }
    begun.sort_unstable();
    let order: String = begun.iter().map(|(_, side)| side).collect();
    assert_eq!(order, "bnnbbn", "drift affects both sides equally");
    // The records say the same when they are compared later.
    let paths = [&json_base, &json_new].map(|path| path.to_str().expect("UTF-8"));
    let later = run(&["compare", paths[0], paths[1]]);
    assert_eq!(later.status.code(), Some(4));
    let table = |text: &str| {
        text.split_once("All requests")
            .expect("a table")
            .1
            .to_owned()
    };
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(table(&text(&later)), table(&printed));
}

#[test]
fn an_interrupted_comparison_keeps_its_runs_and_says_what_is_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("base.json");
    let [base, new] = [RawServer::start(answer_ok), RawServer::start(answer_ok)];
    let mut child = opsurge(&["compare", "--run", &base.url(), &new.url(), "--get", "/"])
        .args(["-u", "1", "--wait", "5ms", "-t", "300ms"])
        .args(["--repeat-pause", "10m", "--json-base"])
        .arg(&json)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let mut line = || lines.next().expect("it speaks").expect("UTF-8");
    while !line().starts_with("base, run 1 of 5") {}
    child.signal(Signal::SIGINT);
    let output = child.wait_with_output().expect("it ends");
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(130), "{printed}");
    let missing = "NOT COMPARED: BASE has 1 run and NEW has 0 runs: ";
    assert!(printed.contains(missing), "{printed}");
    assert!(
        printed.contains("RUNS OF BASE: interrupted by a signal"),
        "{printed}"
    );
    let record = record_at(&json);
    assert_eq!((record.runs.len(), record.exit_code), (1, 130));
}

#[test]
fn failed_requests_of_compared_runs_are_said_and_give_the_exit_code() {
    let (_one, base) = stand_in(&["--mock-published-500"]);
    let (_other, new) = stand_in(&["--mock-published-500"]);
    let output = opsurge(&["compare", "--run", &base, &new, "-u", "1", "--wait", "0"])
        .args([
            "--pause",
            "0",
            "-t",
            "300ms",
            "--repeat",
            "3",
            "--repeat-pause",
            "0",
        ])
        .args(["--tolerance", "1000%"])
        .output()
        .expect("the binary starts");
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    for side in ["RUNS OF BASE: ", "RUNS OF NEW: "] {
        let line = printed.lines().find(|line| line.starts_with(side));
        assert!(
            line.is_some_and(|line| line.contains("failed")),
            "{printed}"
        );
    }
}

#[test]
fn flags_that_make_no_sense_are_refused_with_the_cure() {
    let check = |arguments: &[&str], expected: &str| {
        let output = run(arguments);
        let printed = text(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {printed}");
        assert!(printed.contains(expected), "{arguments:?}: {printed}");
    };
    check(
        &["run", "--mock", "--repeat", "1"],
        "--repeat 1: give a whole number from 2 to 100",
    );
    check(&["run", "--mock", "--repeat", "101"], "from 2 to 100");
    check(
        &["run", "--mock", "--repeat-pause", "1s"],
        "add for example --repeat 5",
    );
    check(
        &["run", "--mock", "--repeat", "3", "--repeat-pause", "soon"],
        "--repeat-pause",
    );
    check(
        &["run", "--mock", "--repeat", "3", "--hdr", "x.hlog"],
        "--hdr is the log of one run",
    );
    check(
        &["run", "--mock", "--repeat", "3", "--part", "1/2"],
        "--part does not go with several runs",
    );
    check(
        &["search", "--mock", "--repeat", "3"],
        "--repeat does not go with search",
    );
    let hosts = ["compare", "--run", "localhost:1", "localhost:2"];
    let with = |more: &[&'static str]| [&hosts[..], more].concat();
    check(&with(&["--mock"]), "start opsurge mock twice");
    check(
        &with(&["--host", "localhost:3"]),
        "give the two hosts as BASE and NEW",
    );
    check(&with(&["--json", "x.json"]), "--json-base and --json-new");
    check(
        &with(&["--repeat", "2"]),
        "--repeat 2: give a whole number from 3 to 100",
    );
    check(&["compare", "a.json", "b.json", "-u", "5"], "--run");
    check(
        &["compare", "a.json", "b.json", "--json-new", "c.json"],
        "--run",
    );
}
