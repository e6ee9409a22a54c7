//! Parts of a run with the real binary: what they send together, and `opsurge merge`.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use opsurge::mock::{Mock, MockConfig};
use opsurge::record::schema::{Histograms, Record};
use tempfile::TempDir;

use crate::support::binary::record_schema::check_record;
use crate::support::binary::{check_sums, opsurge, run, statuses, text, wait_until};

/// A stand-in that several processes load, in this process.
struct Service {
    mock: Mock,
    host: String,
}

impl Service {
    fn start() -> Self {
        let mock = Mock::start(&MockConfig::default()).expect("it starts");
        let host = format!("http://{}", mock.address());
        Self { mock, host }
    }
}

/// The flags of a run that all its parts have.
fn load(host: &str) -> Vec<String> {
    let flags = "run mixed --headless -u 10 --iterations 103 --wait 0 --pause 0 --seed 7 --host";
    let mut flags: Vec<String> = flags.split(' ').map(str::to_owned).collect();
    flags.push(host.to_owned());
    flags
}

fn read(path: &Path) -> Record {
    let text = fs::read_to_string(path).expect("it was written");
    check_record(&text);
    Record::parse(&text).expect("it is a record")
}

/// Runs all parts of a run at once; the paths of their records.
fn parts(folder: &TempDir, host: &str, shards_of: &[usize], more: &[&str]) -> Vec<PathBuf> {
    let of = shards_of.len();
    let started: Vec<_> = shards_of
        .iter()
        .enumerate()
        .map(|(at, shards)| {
            let path = folder.path().join(format!("{at}-of-{of}.json"));
            let part = format!("{}/{of}", at + 1);
            let shards = shards.to_string();
            let process = opsurge(&[])
                .args(load(host))
                .args(["--part", &part, "--shards", &shards])
                .args(more)
                .arg("--json")
                .arg(&path)
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn();
            (path, process.expect("the binary starts"))
        })
        .collect();
    let ended = started.into_iter().map(|(path, process)| {
        let output = process.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        path
    });
    ended.collect()
}

/// Merges with the real command; the exit code, what it said, and the place of the record.
fn merged(folder: &TempDir, records: &[PathBuf], more: &[&str]) -> (Option<i32>, String, PathBuf) {
    let path = folder.path().join("merged.json");
    let _ = fs::remove_file(&path);
    let output = opsurge(&["merge"])
        .args(records)
        .args(more)
        .arg("-o")
        .arg(&path)
        .output()
        .expect("the binary starts");
    (output.status.code(), text(&output), path)
}

#[test]
fn four_parts_merged_are_one_process_with_the_same_seed() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start();
    let path = folder.path().join("whole.json");
    let output = opsurge(&[])
        .args(load(&service.host))
        .arg("--json")
        .arg(&path)
        .output();
    let output = output.expect("the binary starts");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let whole = read(&path);
    let paths = parts(
        &folder,
        &service.host,
        &[1, 2, 1, 3],
        &["--start-at", "+1s"],
    );
    let counted = service.mock.stop();

    let (code, printed, path) = merged(&folder, &paths, &[]);
    assert_eq!(code, Some(0), "{printed}");
    assert!(
        printed.contains("PARTS: 4 parts; all had their load from"),
        "{printed}"
    );
    let merged = read(&path);
    check_sums(&merged);
    assert_eq!(statuses(&merged), statuses(&whole));
    let counts = |record: &Record| {
        let steps = record.steps.iter();
        let steps = steps.map(|step| (step.name.clone(), step.requests, step.body_bytes));
        let run = &record.run;
        let totals = &record.totals;
        (
            steps.collect::<Vec<_>>(),
            (run.users, run.users_came, run.load.iterations),
            (totals.sent, totals.requests, totals.bytes_sent),
        )
    };
    assert_eq!(counts(&merged), counts(&whole));
    // The stand-in, which counts by itself, has answered both: each request once, with the same bytes.
    let answered: u64 = counted.answers.values().sum();
    assert_eq!(answered, 2 * whole.totals.requests);

    let indices: Vec<_> = merged.run.parts.iter().map(|part| part.part).collect();
    let indices: Vec<_> = indices
        .into_iter()
        .flatten()
        .map(|part| (part.index, part.of))
        .collect();
    assert_eq!(indices, [(1, 4), (2, 4), (3, 4), (4, 4)]);
    let each = paths.iter().map(|path| read(path));
    let requests: u64 = each.map(|record| record.totals.requests).sum();
    assert_eq!(requests, merged.totals.requests);
    for path in &paths {
        let record = read(path);
        let start_at = record.run.start_at.expect("it was given");
        assert!(
            start_at.at <= record.run.started_at,
            "not before its moment"
        );
        assert!(start_at.late_s >= 0.0);
    }
}

#[test]
fn what_does_not_belong_together_is_refused_and_force_merges_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start();
    let paths = parts(&folder, &service.host, &[1, 1], &[]);
    let check = |records: &[PathBuf], expected: &str| {
        let (code, printed, path) = merged(&folder, records, &[]);
        let printed = printed.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(code, Some(2), "{printed}");
        assert!(printed.contains(expected), "{printed}");
        assert!(!path.exists(), "nothing is written");
    };
    check(&[paths[0].clone(), paths[0].clone()], "are the same run");
    let changed = |name: &str, change: fn(&mut Record)| {
        let mut record = read(&paths[1]);
        change(&mut record);
        let path = folder.path().join(name);
        fs::write(&path, record.to_json()).expect("it is written");
        path
    };
    let other = changed("other.json", |record| record.run.scenario = "other".into());
    check(
        &[paths[0].clone(), other.clone()],
        "their scenarios are mixed and other",
    );
    let broken = changed("broken.json", |record| {
        record.totals.histograms = Histograms::default();
    });
    let (code, printed, _) = merged(&folder, &[paths[0].clone(), broken], &[]);
    assert_eq!(code, Some(0), "sums come from the steps: {printed}");
    let broken = changed("broken.json", |record| {
        record.steps[0].histograms.service = "AAAA".into();
    });
    check(
        &[paths[0].clone(), broken],
        "part 2/2: the histogram `service` of",
    );
    let (code, printed, path) = merged(&folder, &[paths[0].clone(), other], &["--force"]);
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(read(&path).run.parts.len(), 2);
    // A part alone: the others are missing, and the record says so.
    let (code, printed, path) = merged(&folder, &paths[..1], &[]);
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("part 2 of 2 is missing"), "{printed}");
    assert_eq!(
        read(&path).generator.verdict.status,
        "GENERATOR-LIMITED",
        "a debug build"
    );
}

#[test]
fn a_merged_record_on_standard_output_is_json_and_its_report_goes_to_standard_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start();
    let paths = parts(&folder, &service.host, &[1, 1], &[]);
    let output = opsurge(&["merge"]).args(&paths).args(["-o", "-"]).output();
    let output = output.expect("the binary starts");
    let json = String::from_utf8(output.stdout).expect("UTF-8");
    check_record(&json);
    assert_eq!(Record::parse(&json).expect("a record").run.parts.len(), 2);
    let printed = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(printed.contains("PARTS: 2 parts"), "{printed}");
    // Every report can be made of it.
    let path = folder.path().join("merged.json");
    fs::write(&path, &json).expect("it is written");
    let path = path.to_str().expect("UTF-8");
    for columns in ["60", "80", "120"] {
        let output = opsurge(&["report", path, "--report", "full"])
            .env("COLUMNS", columns)
            .output();
        let output = output.expect("the binary starts");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        let width: usize = columns.parse().expect("a number");
        let printed = String::from_utf8(output.stdout).expect("UTF-8");
        for line in printed.lines() {
            assert!(line.chars().count() <= width, "{columns}: {line}");
        }
    }
}

#[test]
fn a_part_that_cannot_be_is_refused_before_anything_is_sent() {
    let check = |flags: &str, variables: &[(&str, &str)], expected: &str| {
        let mut program = opsurge(&["run", "--mock", "--headless", "-t", "1s"])
            .args(flags.split(' ').map(|flag| flag.replace('~', " ")));
        for (name, value) in variables {
            program = program.env(name, value);
        }
        let output = program.output().expect("the binary starts");
        let printed = text(&output);
        let printed = printed.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(output.status.code(), Some(2), "{printed}");
        assert!(printed.contains(expected), "{printed}");
    };
    check("--part 5/4 --seed 1", &[], "there is no part 5 of 4");
    check("--part 0/4 --seed 1", &[], "the first one is 1/4");
    check("--part 1/4", &[], "needs --seed");
    check(
        "--part 1/4 --seed 1 -u 3",
        &[],
        "3 users cannot be shared by 4 parts",
    );
    check(
        "--part 1/4 --seed 1 -u 8 --connections 2",
        &[],
        "2 connections cannot be shared by 4 parts",
    );
    check(
        "--part env --seed 1",
        &[],
        "no launcher has numbered this process",
    );
    let job = ("JOB_COMPLETION_INDEX", "1");
    check("--part env --seed 1", &[job], "set OPSURGE_PARTS");
    check(
        "--part env --seed 1",
        &[
            job,
            ("OPSURGE_PARTS", "4"),
            ("SLURM_PROCID", "2"),
            ("SLURM_NTASKS", "4"),
        ],
        "says part 2/4, and SLURM_PROCID=2 with SLURM_NTASKS=4 says part 3/4",
    );
    check(
        "--part 1/4 --seed 1 --until p99~within~5%",
        &[],
        "--until does not go with --part",
    );
    check(
        "--start-at tomorrow",
        &[],
        "--start-at tomorrow: give a moment as",
    );
    let output = run(&["search", "--mock", "--part", "1/2", "--seed", "1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output).contains("--part does not go with search"),
        "{}",
        text(&output)
    );
}

#[test]
fn a_part_is_read_from_what_a_launcher_sets() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("part.json");
    let flags =
        "run --mock --headless -u 10 --iterations 20 --wait 0 --pause 0 --seed 7 --part env --json";
    let output = opsurge(&flags.split(' ').collect::<Vec<_>>())
        .arg(&path)
        .env("JOB_COMPLETION_INDEX", "2")
        .env("OPSURGE_PARTS", "3")
        .output()
        .expect("the binary starts");
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(
        printed.contains("part 3/3 of this load: 3 of 10 users"),
        "{printed}"
    );
    let run = read(&path).run;
    assert_eq!(run.part.map(|part| (part.index, part.of)), Some((3, 3)));
    assert_eq!(
        (run.users, run.users_came, run.load.iterations),
        (3, 3, Some(6))
    );
}

#[test]
fn a_signal_while_the_start_is_waited_for_ends_the_run_with_nothing_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, log) = (folder.path().join("run.json"), folder.path().join("said"));
    let printed = fs::File::create(&log).expect("a file");
    let mut process = opsurge(&[
        "run",
        "--mock",
        "--headless",
        "-t",
        "1s",
        "--start-at",
        "+50s",
    ])
    .arg("--json")
    .arg(&path)
    .stdout(std::process::Stdio::null())
    .stderr(printed)
    .spawn()
    .expect("the binary starts");
    let printed = || fs::read_to_string(&log).unwrap_or_default();
    wait_until("it waits", || printed().contains("prepared; starting at"));
    process.signal(Signal::SIGINT);
    let status = process.wait().expect("it ends");
    assert_eq!(status.code(), Some(130), "{}", printed());
    let record = read(&path);
    assert_eq!(
        (record.totals.sent, record.run.ended_by.as_str()),
        (0, "signal")
    );
}

#[test]
fn a_start_that_has_passed_is_made_at_once_and_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.json");
    let output = opsurge(&[
        "run",
        "--mock",
        "--headless",
        "--iterations",
        "5",
        "-u",
        "5",
    ])
    .args([
        "--wait",
        "0",
        "--pause",
        "0",
        "--start-at",
        "2026-01-01T00:00:00Z",
        "--json",
    ])
    .arg(&path)
    .output()
    .expect("the binary starts");
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(printed.contains("ago: starting at once"), "{printed}");
    let start_at = read(&path).run.start_at.expect("it was given");
    assert_eq!(start_at.at, "2026-01-01T00:00:00.000Z");
    assert!(start_at.late_s > 86_400.0, "{start_at:?}");
}
