//! `--until`, `--settle` and slices with the real binary: bad input, and goals that are not reached. The looks themselves
//! take 20 s of load and more; `analysis/precision` has them on simulated seconds.

use opsurge::record::schema::Record;

use crate::support::binary::run;

fn refused(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn a_wrong_goal_is_refused_before_anything_is_sent() {
    let base = ["run", "mixed", "--mock", "-u", "2", "-t", "5s", "--until"];
    for (goal, expected) in [
        ("p99 < 5%", "write for example \"p99 within 5%\""),
        ("workflw.p99 within 5%", "did you mean \"workflow\"?"),
        ("p99 within 0", "0.1% is the least"),
        ("max within 5%", "max has no interval"),
        ("p9x within 5%", "\"p9x\" is not a measure"),
    ] {
        let error = refused(&[&base[..], &[goal]].concat());
        assert!(error.contains(&format!("--until \"{goal}\"")), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_run_without_an_upper_bound_is_refused() {
    let error = refused(&[
        "run",
        "--get",
        "/health",
        "--mock",
        "-u",
        "1",
        "--until",
        "p99 within 5%",
    ]);
    assert!(
        error.contains("--until needs an upper bound") && error.contains("-t 30m"),
        "{error}"
    );
    let error = refused(&["search", "mixed", "--mock", "--until", "p99 within 5%"]);
    assert!(error.contains("--until"), "{error}");
}

#[test]
fn a_goal_that_is_not_reached_is_said_and_changes_no_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.json");
    let path = path.to_str().expect("text");
    let load = "run --get /health --mock -u 2 --wait 5ms -t 2s --seed 1";
    let goals = [
        "--until",
        "p99 within 5%",
        "--until",
        "health.rps within 1%",
        "--json",
        path,
    ];
    let arguments: Vec<&str> = load.split(' ').chain(goals).collect();
    let output = run(&arguments);
    let shown = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        shown.contains("NOT KNOWN: --until 'p99 within 5%': p99"),
        "{shown}"
    );
    assert!(
        shown.contains("NOT KNOWN: --until 'health.rps within 1%'"),
        "{shown}"
    );
    let record = Record::parse(&std::fs::read_to_string(path).expect("written")).expect("a record");
    assert_eq!(
        (record.until.len(), record.run.ended_by.as_str()),
        (2, "time")
    );
    for goal in &record.until {
        assert!(
            !goal.reached && goal.looks == 0 && goal.value.is_some(),
            "{goal:?}"
        );
        assert!((1.9..2.6).contains(&goal.load_s), "{goal:?}");
    }
}

#[test]
fn the_figures_of_a_run_with_a_settling_time_are_those_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.json");
    let path = path.to_str().expect("text");
    let load = "run --get /health --mock -u 2 --wait 5ms -t 3s --settle 1s --seed 1 --json";
    let arguments: Vec<&str> = load.split(' ').chain([path]).collect();
    let output = run(&arguments);
    let shown = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(shown.contains("SETTLED: the first 1.00 s of"), "{shown}");
    let record = Record::parse(&std::fs::read_to_string(path).expect("written")).expect("a record");
    let requests_of = |is_settling: bool| -> u64 {
        let samples = record
            .series
            .iter()
            .filter(|sample| sample.is_settling == is_settling);
        samples
            .flat_map(|sample| &sample.steps)
            .map(|step| step.requests)
            .sum()
    };
    assert!(requests_of(true) > 0, "the series is whole");
    assert_eq!(record.totals.requests, requests_of(false));
    // The whole run, from its series.
    let output = run(&["report", path, "--from", "0"]);
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("PART: 0.000 s to 3.0"), "{shown}");
    let output = run(&[
        "report", path, "--from", "1s", "--to", "2s", "--report", "full",
    ]);
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("PART: 1.00 s to 2.00 s of 3.0"), "{shown}");
    assert!(shown.contains("left out:"), "{shown}");
    for (arguments, expected) in [
        (&["--from", "9s"][..], "--from 9s: there is no such part of"),
        (
            &["--from", "2s", "--to", "1s"],
            "--from 2s --to 1s: there is no such part of",
        ),
        (&["--from", "soon"], "--from: \"soon\" is not a duration"),
    ] {
        let error = refused(&[&["report", path], arguments].concat());
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_settling_time_that_leaves_nothing_is_refused() {
    let error = refused(&[
        "run", "--get", "/health", "--mock", "-u", "1", "-t", "3s", "--settle", "3s",
    ]);
    assert!(
        error.contains("--settle 3s: the load ends after 3s"),
        "{error}"
    );
    let error = refused(&["search", "mixed", "--mock", "--settle", "auto"]);
    assert!(error.contains("--settle auto"), "{error}");
}
