//! The real binary: started, waited for, its record read back.

#![allow(dead_code, reason = "each test file uses its part of it")]

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};

use opsurge::report::record::Record;

pub fn opsurge(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_opsurge"));
    command
        .args(arguments)
        .env_remove("OPSCORE_API_KEY")
        .stdin(Stdio::null());
    command
}

pub fn run(arguments: &[&str]) -> Output {
    opsurge(arguments).output().expect("the binary starts")
}

pub fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// Runs with `--json` and reads the record back.
pub fn record_of(arguments: &[&str], code: i32) -> (Record, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("record.json");
    let path_text = path.to_str().expect("UTF-8").to_owned();
    let mut all = vec!["run"];
    all.extend(arguments);
    all.extend(["--json", &path_text]);
    let output = run(&all);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    let json = std::fs::read_to_string(&path).expect("the record was written");
    (Record::parse(&json).expect("it is a record"), said)
}

/// By "METHOD name": the answers by status.
pub fn statuses(record: &Record) -> BTreeMap<String, BTreeMap<String, u64>> {
    let steps = record.steps.iter();
    steps
        .map(|step| {
            (
                format!("{} {}", step.method, step.name),
                step.statuses.clone(),
            )
        })
        .collect()
}

pub fn check_sums(record: &Record) {
    assert_eq!(
        record.totals.sent,
        record.totals.requests + record.totals.cut_off
    );
    for step in &record.steps {
        assert_eq!(step.sent, step.requests + step.cut_off);
        assert_eq!(step.response_us.count, step.requests - step.failures);
    }
    let by_second: u64 = record
        .series
        .iter()
        .flat_map(|s| &s.steps)
        .map(|step| step.requests)
        .sum();
    assert_eq!(
        by_second, record.totals.requests,
        "the series has every request once"
    );
    let by_kind: u64 = record.errors.iter().map(|error| error.count).sum();
    assert_eq!(by_kind, record.totals.failures);
}
