//! `opsurge report` and `opsurge compare` over records of real runs, and over the same records with other figures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::support::binary::{opsurge, run, text};
use opsurge::record::schema::Record;
use tempfile::TempDir;

/// Columns of a report that does not go to a terminal.
const WIDTH: usize = 80;

/// A run against the stand-in: its folder, its record's path, its standard output.
fn a_run(more: &[&str]) -> (TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.json");
    let quick = ["-u", "5", "--wait", "1ms", "--pause", "0", "-t", "3s"];
    let output = opsurge(&["run", "--mock", "--headless"])
        .args(quick)
        .args(more)
        .arg("--json")
        .arg(&path)
        .output()
        .expect("the binary was built");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    (folder, path, printed)
}

fn record(path: &Path) -> Record {
    let text = fs::read_to_string(path).expect("the record was written");
    Record::parse(&text).expect("it is a record")
}

/// A record as if it had run for 12 s and its p50 of all requests were known to 1 %.
fn with_p50(record: &Record, seed: u64, p50_us: f64) -> Record {
    let mut record = record.clone();
    record.run.seed = seed;
    let second = record.series[1].clone();
    record.series = vec![second; 12];
    let times = &mut record.totals.all_us;
    times.p50 = Some(p50_us);
    times.bounds.p50_low = Some(p50_us * 0.99);
    times.bounds.p50_high = Some(p50_us * 1.01);
    record
}

fn write(folder: &TempDir, name: &str, record: &Record) -> String {
    let path = folder.path().join(name);
    fs::write(&path, record.to_json()).expect("it is written");
    path.to_str().expect("UTF-8").to_owned()
}

/// Runs `compare`; checks the exit code and the width of the lines.
fn compared(arguments: &[&str], code: i32) -> String {
    let output = run(&[&["compare"], arguments].concat());
    check_code(&output, code);
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    for line in text.lines().filter(|line| !line.contains('/')) {
        assert!(line.chars().count() <= WIDTH, "{line}");
    }
    match code {
        0 | 4 => text,
        _ => String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn check_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", text(output));
}

/// The row of a figure of all requests.
fn row<'t>(text: &'t str, figure: &str) -> &'t str {
    let mut lines = text.lines().skip_while(|line| *line != "All requests");
    let row = lines.find(|line| line.trim_start().starts_with(figure));
    row.expect("it has a row")
}

#[test]
fn a_report_from_a_record_is_the_one_at_the_end_of_the_run() {
    for form in ["short", "full"] {
        let prefix = tempfile::tempdir().expect("a folder");
        let at_the_end = prefix.path().join("end");
        let again = prefix.path().join("again");
        let end_text = at_the_end.to_str().expect("UTF-8");
        let (_folder, path, printed) = a_run(&["--report", form, "--csv", end_text]);
        let is_of_files = |line: &&str| !line.starts_with("Record: ") && !line.starts_with("CSV: ");
        let output = opsurge(&["report", "--report", form])
            .arg(&path)
            .output()
            .expect("the binary was built");
        check_code(&output, 0);
        let expected: Vec<&str> = printed.lines().filter(is_of_files).collect();
        let found = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(found.lines().collect::<Vec<_>>(), expected);

        let copy = prefix.path().join("copy.json");
        let output = opsurge(&["report"])
            .arg(&path)
            .arg("--csv")
            .arg(&again)
            .arg("--json")
            .arg(&copy)
            .output()
            .expect("the binary was built");
        check_code(&output, 0);
        let read = |path: &Path| fs::read_to_string(path).expect("it was written");
        assert_eq!(read(&copy), read(&path));
        for suffix in ["_stats.csv", "_stats_history.csv", "_failures.csv"] {
            let of = |prefix: &Path| read(Path::new(&format!("{}{suffix}", prefix.display())));
            assert_eq!(of(&again), of(&at_the_end), "{suffix}");
        }
    }
}

#[test]
fn two_runs_are_compared_by_step_and_a_run_with_itself_shows_no_difference() {
    let (_base_folder, base, _) = a_run(&[]);
    let (_new_folder, new, _) = a_run(&[]);
    let [base, new] = [&base, &new].map(|path| path.to_str().expect("UTF-8"));
    let output = run(&["compare", base, new]);
    let code = output.status.code();
    let printed = text(&output);
    assert!(matches!(code, Some(0 | 4)), "{printed}");
    assert_eq!(
        code == Some(4),
        printed.contains("REGRESSION:"),
        "{printed}"
    );
    for expected in [
        "POST /v1/opscore/agent/[id]/workflow",
        "GET /v1/opscore/agent/[id]/state",
        "run-to-run spread not known; 5 runs each would tell",
    ] {
        assert!(printed.contains(expected), "{printed}");
    }
    let same = compared(&[base, base], 0);
    assert!(
        row(&same, "failed %").ends_with("no difference seen"),
        "{same}"
    );
    assert!(
        !same.contains("slower") && !same.contains("faster"),
        "{same}"
    );
    // Three seconds do not bound a p99.
    assert!(row(&same, "p99").ends_with("not enough data"), "{same}");
}

#[test]
fn a_regression_beyond_the_tolerance_ends_with_4() {
    let (folder, path, _) = a_run(&[]);
    let run = record(&path);
    let base = &write(&folder, "base.json", &with_p50(&run, 1, 1_000.0));
    let new = &write(&folder, "new.json", &with_p50(&run, 2, 1_200.0));
    let slower = compared(&[base, new], 4);
    assert!(row(&slower, "p50").ends_with("slower, > 5 %"), "{slower}");
    assert!(row(&slower, "p50").contains("+20.0 %"), "{slower}");
    let says = "REGRESSION: p50 of all requests: 1.00 ms, then 1.20 ms; the tolerance is 5 %";
    assert!(slower.contains(says), "{slower}");
    let tolerated = compared(&[base, new, "--tolerance", "30%"], 0);
    assert!(row(&tolerated, "p50").ends_with("slower"), "{tolerated}");
    let faster = compared(&[new, base], 0);
    assert!(row(&faster, "p50").ends_with("faster"), "{faster}");

    let sets = [(1_000.0, "a"), (1_200.0, "b")].map(|(p50_us, set)| {
        let paths = (0..3).map(|number| {
            let record = with_p50(&run, number, p50_us * (1.0 + 0.01 * number as f64));
            write(&folder, &format!("{set}{number}.json"), &record)
        });
        paths.collect::<Vec<_>>().join(",")
    });
    let several = compared(&[&sets[0], &sets[1]], 4);
    assert!(row(&several, "p50").ends_with("slower, > 5 %"), "{several}");
    assert!(
        row(&several, "req/s").ends_with("no difference seen"),
        "{several}"
    );
    assert!(several.contains("3 and 3 runs"), "{several}");
}

#[test]
fn records_that_do_not_go_together_are_refused_with_2() {
    let (folder, path, _) = a_run(&[]);
    let base = &write(&folder, "base.json", &record(&path));
    let no_record = folder.path().join("no.json");
    fs::write(&no_record, "{}").expect("it is written");
    let no_record = no_record.to_str().expect("UTF-8");
    let refused = compared(&[base, no_record], 2);
    assert!(refused.contains("no.json is not a record"), "{refused}");
    let refused = compared(&["missing.json", base], 2);
    assert!(refused.contains("missing.json"), "{refused}");
    let refused = compared(&[base, base, "--tolerance", "much"], 2);
    assert!(refused.contains("for example 5%"), "{refused}");
    let refused = compared(&[base, &format!("{base},{base}")], 2);
    let says = "BASE has 1 run and NEW has 2 runs: runs are compared one with one, or three and more of each";
    assert!(refused.contains(says), "{refused}");
    assert!(
        refused.contains("make at least 2 more of BASE and 1 more of NEW"),
        "{refused}"
    );
    let two = &[base.as_str(); 2].join(",");
    let refused = compared(&[two, two], 2);
    assert!(
        refused.contains("BASE has 2 runs and NEW has 2 runs"),
        "{refused}"
    );
    let three = &[base.as_str(); 3].join(",");
    let refused = compared(&[three, three], 2);
    assert!(refused.contains("are the same run"), "{refused}");
    assert_eq!(run(&["report", no_record]).status.code(), Some(2));

    let mut other = record(&path);
    other.run.scenario = "other".into();
    other.run.users = 9;
    other.steps[0].name = "/renamed".into();
    let other = &write(&folder, "other.json", &other);
    let refused = compared(&[base, other], 2);
    assert!(refused.contains("or give --force"), "{refused}");
    let forced = compared(&[base, other, "--force"], 0);
    for expected in [
        "NOT THE SAME CONDITIONS: scenario: workflow, then other; users: 5, then 9",
        "Only in base: POST /v1/opscore/internal/agent/notify",
        "Only in new: POST /renamed",
    ] {
        assert!(forced.contains(expected), "{forced}");
    }
}
