//! The interval log: other tools' logs are read with the values that their own tests assert (`../shared/hdr`), and
//! opsurge's log holds what its record holds, however the run ends.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::binary::{Program, check_sums, opsurge, run, text};
use crate::support::raw_server::{RawServer, answer_ok};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use opsurge::record::hdr::{Log, read};
use opsurge::record::schema::Record;
use serde_json::Value;

const MS: Duration = Duration::from_millis(1);

/// Sums up intervals of one log: their number, and their values to three digits.
fn add_up<'l>(
    intervals: impl Iterator<Item = &'l opsurge::record::hdr::LoggedInterval>,
) -> (u64, Histogram<u64>) {
    let mut sum = Histogram::new(3).expect("three digits");
    let mut count = 0;
    for interval in intervals {
        sum.add(&interval.histogram).expect("it grows");
        count += 1;
    }
    (count, sum)
}

#[test]
fn logs_of_other_tools_are_read_with_the_values_of_their_own_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/hdr");
    let Ok(expected) = std::fs::read_to_string(folder.join("expected.json")) else {
        println!("SKIPPED: {} is not there", folder.display());
        return;
    };
    let expected: Value = serde_json::from_str(&expected).expect("JSON");
    let files = expected["files"].as_object().expect("by file");
    assert_eq!(files.len(), 5);
    for (name, cases) in files {
        let log = std::fs::read_to_string(folder.join(name)).expect("it is there");
        let log = read(&log).unwrap_or_else(|reason| panic!("{name}: {reason}"));
        assert_eq!(log.cut_bytes, 0, "{name}");
        for case in cases.as_array().expect("cases") {
            let range = case["range"].as_array();
            let range = range.map(|of| [&of[0], &of[1]].map(|at| at.as_f64().expect("seconds")));
            let is_in = |start_s: f64| range.is_none_or(|[a, b]| a <= start_s && start_s < b);
            let all = log.intervals.iter().filter(|i| is_in(i.start_s));
            let (count, sum) = add_up(all.clone());
            assert_eq!(case["intervals"], count, "{name} {case}");
            assert_eq!(case["total"], sum.len(), "{name} {case}");
            if let Some(p99_9) = case.get("p99.9") {
                assert_eq!(*p99_9, sum.value_at_quantile(0.999), "{name} {case}");
                assert_eq!(case["max"], sum.max(), "{name} {case}");
            }
            if let Some(start) = case.get("start_time") {
                assert_eq!(start.as_f64(), Some(log.started_s), "{name} {case}");
            }
            if let Some(total) = case.get("tag_none_total") {
                let (_, untagged) = add_up(all.clone().filter(|i| i.tag.is_none()));
                let (_, tagged) = add_up(all.filter(|i| i.tag.as_deref() == Some("A")));
                assert_eq!(*total, untagged.len());
                assert_eq!(case["tag_A_total"], tagged.len());
                assert!(untagged == tagged);
            }
        }
    }
}

/// The log has, for each sample of the record and each step, exactly the sample's histogram.
fn check_same(log: &Log, record: &Record) {
    let mut found = 0;
    for (at, step) in record.steps.iter().enumerate() {
        let tag = format!("{}_{}", step.method, step.name);
        let of_step = log.intervals.iter();
        let mut lines = of_step.filter(|i| i.tag.as_ref() == Some(&tag)).peekable();
        for sample in &record.series {
            let v2 = STANDARD.decode(&sample.steps[at].response).expect("base64");
            let recorded: Histogram<u64> =
                Deserializer::new().deserialize(&mut &v2[..]).expect("V2");
            // In order and by count, since a sample may end with a rest shorter than the log's milliseconds.
            let mut in_it = Vec::new();
            let mut count = 0;
            while let Some(line) = lines.next_if(|line| {
                count < recorded.len() || line.histogram.is_empty() && line.start_s < sample.t_s
            }) {
                let from_s = sample.t_s - sample.length_s;
                assert!(
                    (from_s - 6e-4..sample.t_s + 6e-4).contains(&line.start_s),
                    "line {} is none of the sample until {} s",
                    line.line,
                    sample.t_s
                );
                count += line.histogram.len();
                in_it.push(line);
            }
            found += in_it.len();
            let (_, sum) = add_up(in_it.into_iter());
            assert!(sum == recorded, "{tag} until {} s", sample.t_s);
        }
    }
    assert_eq!(found, log.intervals.len(), "every line belongs to a sample");
    let (_, all) = add_up(log.intervals.iter());
    let totals = &record.totals;
    assert_eq!(
        all.len(),
        totals.requests + totals.cut_off + totals.never_begun
    );
    let started = humantime::parse_rfc3339(&record.run.started_at).expect("a time");
    let started = started.duration_since(std::time::UNIX_EPOCH);
    let apart_s = started.expect("after 1970").as_secs_f64() - log.started_s;
    assert!(apart_s.abs() < 0.002, "{apart_s}");
}

fn check_round_trip(arguments: &[&str], code: i32) -> (Log, Record) {
    let folder = tempfile::tempdir().expect("a folder");
    let (hdr, json) = (folder.path().join("r.hlog"), folder.path().join("r.json"));
    std::fs::write(&hdr, "an older log").expect("written");
    let output = opsurge(arguments)
        .arg("--hdr")
        .arg(&hdr)
        .arg("--json")
        .arg(&json)
        .output()
        .expect("the binary starts");
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(code), "{printed}");
    let named = format!("\nInterval log: {}\n", hdr.display());
    assert!(printed.contains(&named), "{printed}");
    let written = std::fs::read_to_string(&hdr).expect("written");
    let log = read(&written).expect("a log");
    let record = std::fs::read_to_string(&json).expect("written");
    let record = Record::parse(&record).expect("a record");
    let drain = record.series.iter().find(|sample| sample.is_drain);
    let comment = drain.map_or(String::new(), |sample| {
        format!("#[The load ended at {:.3} s;", sample.t_s - sample.length_s)
    });
    assert_eq!(written.contains("#[The load ended"), drain.is_some());
    assert!(written.contains(&comment), "{comment}");
    assert_eq!(log.cut_bytes, 0);
    check_same(&log, &record);
    (log, record)
}

#[test]
fn a_run_logs_what_its_record_holds_failures_and_unanswered_included() {
    let arguments = "run --mock --mock-published-500 --mock-ready-after 0 --pause 0 -u 5 -t 3s";
    let arguments = [
        &arguments.split(' ').collect::<Vec<_>>()[..],
        &["--wait", "10ms", "--shards", "2", "--fault", "no-answer=1%"],
    ]
    .concat();
    let (log, record) = check_round_trip(&arguments, 1);
    check_sums(&record);
    assert!(record.totals.failures > record.totals.unanswered && record.totals.unanswered > 0);
    assert!(log.intervals.iter().any(|interval| interval.start_s >= 2.0));
    for interval in &log.intervals {
        let max_ms = interval.histogram.max() as f64 / 1_000.0;
        assert!((interval.max - max_ms).abs() < 0.001, "milliseconds");
    }
}

#[test]
fn an_open_load_and_a_search_log_what_their_records_hold() {
    let server = RawServer::start(answer_ok);
    let url = server.url();
    let open = ["run", "--get", &url, "--rate", "100", "-t", "2s"];
    check_round_trip(&[&open[..], &["--no-spin"]].concat(), 0);
    let search = ["search", "--get", &url, "--from", "2", "--to", "2"];
    let levels = ["--every", "2s", "--settle", "100ms", "--wait", "5ms"];
    let (_, record) = check_round_trip(&[&search[..], &levels].concat(), 0);
    assert!(record.search.is_some());
}

#[test]
fn row_18_a_killed_run_leaves_every_second_so_far() {
    let server = RawServer::start(answer_ok);
    let folder = tempfile::tempdir().expect("a folder");
    let hdr = folder.path().join("r.hlog");
    let mut child = opsurge(&["run", "--get", &server.url(), "-t", "20s", "--wait", "5ms"])
        .arg("--hdr")
        .arg(&hdr)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let looked = Instant::now();
    // The file can be read at every moment.
    let seconds_so_far = loop {
        let log = std::fs::read_to_string(&hdr).unwrap_or_default();
        let log = read(&log).expect("a log");
        if log.intervals.len() >= 2 || looked.elapsed() > Duration::from_secs(15) {
            break log.intervals.len();
        }
        std::thread::park_timeout(5 * MS);
    };
    let lasted = server.first_came().map(|came| came.elapsed());
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let log = read(&std::fs::read_to_string(&hdr).expect("it is there")).expect("a log");
    assert!(seconds_so_far >= 2 && log.intervals.len() >= seconds_so_far);
    let lasted = lasted.expect("it sent something");
    let bound = Duration::from_secs(seconds_so_far as u64) + 3_000 * MS;
    assert!(
        lasted < bound,
        "a second is written when it is over: {lasted:?}"
    );
    let (_, sum) = add_up(log.intervals.iter());
    assert!(sum.len() > 100, "{}", sum.len());
}

#[test]
fn row_19_a_place_that_cannot_be_written_is_refused_before_the_load() {
    let server = RawServer::start(answer_ok);
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().to_str().expect("UTF-8");
    for (path, reason) in [
        (folder, "is a folder"),
        (&format!("{folder}/none/r.hlog"), "there is no folder"),
    ] {
        for command in ["run", "search"] {
            let output = run(&[command, "--get", &server.url(), "-t", "1s", "--hdr", path]);
            let printed = text(&output);
            assert_eq!(output.status.code(), Some(2), "{printed}");
            assert!(
                printed.contains("--hdr") && printed.contains(path) && printed.contains(reason),
                "{printed}"
            );
        }
    }
    assert_eq!(server.requests(), 0, "nothing was sent");
}

/// A scenario of twenty steps, whose seconds take 2 to 12 KiB of a log.
fn twenty_steps(folder: &Path) -> String {
    let path = folder.join("twenty.toml");
    let steps =
        (0..20).map(|step| format!("[[task]]\nmethod = \"GET\"\npath = \"/step/number/{step}\"\n"));
    let head = "name = \"twenty\"\nwait = \"1ms\"\n";
    std::fs::write(&path, head.to_owned() + &steps.collect::<String>()).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

/// The run lasts its whole time and ends with one warning, exit code 3 and the record.
fn check_full(program: Program, json: &Path) -> String {
    let output = program.output().expect("the binary starts");
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(3), "{printed}");
    assert_eq!(
        printed.matches("the interval log ends here").count(),
        1,
        "{printed}"
    );
    assert!(
        printed.contains("error: ") && printed.contains("No space left"),
        "{printed}"
    );
    assert!(!printed.contains("Interval log: "), "{printed}");
    assert!(
        printed.contains(" requests, ") && printed.contains("Record: "),
        "{printed}"
    );
    let record = std::fs::read_to_string(json).expect("written");
    let record = Record::parse(&record).expect("a record");
    assert_eq!(record.run.ended_by, "time");
    assert!(
        record.totals.duration_s > 4.8,
        "{}",
        record.totals.duration_s
    );
    printed
}

#[test]
fn row_19_a_disk_that_becomes_full_ends_the_log_and_not_the_run() {
    let server = RawServer::start(answer_ok);
    let url = server.url();
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("r.json");
    let scenario = twenty_steps(folder.path());
    let arguments = ["run", &scenario, "--host", &url, "-u", "2", "-t", "5s"];
    let device = opsurge(&arguments).args(["--hdr", "/dev/full", "--json"]);
    check_full(device.arg(&json), &json);

    // A file system with room for one second of the log and not for five; its file is copied out at the end.
    let script = "mount -t tmpfs -o size=12k none /mnt || exit 77; \
        copy=$1; shift; \"$@\" --hdr /mnt/r.hlog; code=$?; cp /mnt/r.hlog \"$copy\"; exit $code";
    let copy = folder.path().join("copy.hlog");
    let mut small = Command::new("unshare");
    small.args(["-m", "sh", "-c", script, "sh"]).arg(&copy);
    small.arg(env!("CARGO_BIN_EXE_opsurge")).args(arguments);
    small.arg("--json").arg(&json);
    let tried = Command::new("unshare").args(["-m", "true"]).output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        println!("SKIPPED: mount namespaces are not available here");
        return;
    }
    check_full(Program::from(small), &json);
    let log = std::fs::read_to_string(&copy).expect("it was copied");
    let log = read(&log).expect("a log");
    assert_eq!(log.cut_bytes, 0, "it ends with a whole second");
    let seconds = log.intervals.len() as f64 / 20.0;
    assert!(seconds >= 1.0 && seconds.fract() == 0.0, "{seconds}");
}
