//! `opsurge calibrate`: a scenario with paths of its own against canned answers, the kept result, later reports;
//! `opsurge help` and its topics.

use std::fs;
use std::path::Path;
use std::process::Output;

use opsurge::metrics::seconds::Status;
use opsurge::record::schema::Record;
use serde_json::Value as Json;

use crate::support::binary::{opsurge, run, text};

/// Calibrates with a cache folder of its own, as shortly as it can be.
fn calibrate(cache: &Path, arguments: &[&str]) -> Output {
    let all = [&["calibrate"], arguments].concat();
    let program = opsurge(&all).env("XDG_CACHE_HOME", cache);
    program.env("COLUMNS", "80").output().expect("it starts")
}

/// The calibrations in a cache folder.
fn kept(cache: &Path) -> Vec<Json> {
    let files = fs::read_dir(cache.join("opsurge/calibration"));
    let files = files.into_iter().flatten();
    files
        .map(|file| {
            let text = fs::read_to_string(file.expect("an entry").path()).expect("text");
            serde_json::from_str(&text).expect("JSON")
        })
        .collect()
}

#[test]
fn every_example_and_built_in_scenario_is_calibrated_without_a_failure() {
    let cache = tempfile::tempdir().expect("a folder");
    let examples = ["jobs", "opscore", "pages", "shop"];
    let examples = examples.map(|name| format!("docs/examples/{name}.toml"));
    let built_in = ["minimal", "state-updates", "workflow", "mixed", "stress"].map(str::to_owned);
    let all: Vec<String> = examples.into_iter().chain(built_in).collect();
    for scenario in &all {
        let output = calibrate(cache.path(), &[scenario, "-u", "4", "-t", "200ms"]);
        let printed = text(&output);
        assert_eq!(output.status.code(), Some(0), "{scenario}: {printed}");
        for part in ["CEILING: ", "FLOOR: service p50 ", "\nKept: "] {
            assert!(printed.contains(part), "{scenario}: {printed}");
        }
        assert!(!printed.contains("GENERATOR-LIMITED"), "{printed}");
        let wide = printed.lines().filter(|line| !line.starts_with("Kept: "));
        for line in wide {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
    let kept = kept(cache.path());
    assert_eq!(kept.len(), all.len());
    for calibration in kept {
        let ceiling = calibration["ceiling_rps"].as_f64().expect("a rate");
        let floor = calibration["floor_p50_us"].as_f64().expect("a time");
        assert!(ceiling > 100.0 && floor > 1.0, "{calibration}");
        assert_eq!(calibration["of"]["connections"], 4, "{calibration}");
    }
}

#[test]
fn a_later_run_of_the_same_requests_says_how_much_the_machine_can_do() {
    let cache = tempfile::tempdir().expect("a folder");
    // The waits of the run do not count, and neither does its target.
    let same = ["-u", "3", "--shards", "1"];
    let calibrated = calibrate(
        cache.path(),
        &[&same[..], &["workflow", "-t", "500ms"]].concat(),
    );
    assert_eq!(calibrated.status.code(), Some(0), "{}", text(&calibrated));
    let ceiling = kept(cache.path())[0]["ceiling_rps"].as_f64();
    let path = cache.path().join("record.json");
    let run_with = |more: &[&str]| {
        let load = [
            "run",
            "workflow",
            "--mock",
            "--headless",
            "-t",
            "1s",
            "--json",
        ];
        let path = path.to_str().expect("UTF-8");
        let output = opsurge(&[&load[..], &[path], more].concat())
            .env("XDG_CACHE_HOME", cache.path())
            .output()
            .expect("it starts");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        let record = Record::parse(&fs::read_to_string(path).expect("written")).expect("a record");
        (record.generator.calibration, text(&output))
    };
    let slow = ["--wait", "100ms", "--pause", "0", "--report", "full"];
    let (known, printed) = run_with(&[&same[..], &slow].concat());
    let known = known.expect("it was calibrated");
    assert_eq!(Some(known.ceiling_rps), ceiling);
    assert!(known.times.expect("requests") > 3.0, "{known:?}");
    let line = "times what this run needed (opsurge calibrate, just now)";
    assert!(printed.replace("\n ", "").contains(line), "{printed}");
    // Other connections, other requests: nothing is known.
    let other = ["-u", "4", "--shards", "1", "--pause", "0"];
    assert_eq!(run_with(&other).0, None);
    let other = [
        "-u",
        "3",
        "--shards",
        "1",
        "--pause",
        "0",
        "--header",
        "X-More: 1",
    ];
    assert_eq!(run_with(&other).0, None);
    // Encryption costs more: nothing is known before it was calibrated too.
    let encrypted = [&same[..], &slow, &["--tls"]].concat();
    assert_eq!(run_with(&encrypted).0, None);
    let target = ["workflow", "-t", "500ms", "--host", "https://localhost"];
    let calibrated = calibrate(cache.path(), &[&same[..], &target].concat());
    let printed = text(&calibrated);
    assert_eq!(calibrated.status.code(), Some(0), "{printed}");
    assert!(printed.contains(", over TLS\n"), "{printed}");
    let ceilings = kept(cache.path()).len();
    assert_eq!(ceilings, 2, "one in plain text, one over TLS");
    assert!(run_with(&encrypted).0.is_some());
    // A file that is none of ours harms nothing.
    for file in fs::read_dir(cache.path().join("opsurge/calibration")).expect("the folder") {
        fs::write(file.expect("an entry").path(), "{ garbage").expect("written");
    }
    assert_eq!(run_with(&[&same[..], &slow].concat()).0, None);
}

#[test]
fn what_a_calibration_cannot_do_is_refused_before_anything_is_sent() {
    let cache = tempfile::tempdir().expect("a folder");
    let check = |arguments: &[&str], code: i32, part: &str| {
        let output = calibrate(cache.path(), arguments);
        let printed = text(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {printed}");
        assert!(printed.contains(part), "{arguments:?}: {printed}");
    };
    check(
        &["--json", "x.json"],
        2,
        "--json does not go with calibrate",
    );
    check(
        &["--fail-if", "p99>1s"],
        2,
        "--fail-if does not go with calibrate",
    );
    check(&["shpo"], 2, "no scenario");
    let clash = cache.path().join("clash.toml");
    let step = "[[task]]\nmethod = \"GET\"\npath = \"/a\"\nexpect = { status = [204], exists = [\"/id\"] }\n";
    fs::write(&clash, format!("name = \"x\"\n{step}")).expect("written");
    let clash = clash.to_str().expect("UTF-8");
    check(
        &[clash, "-u", "1", "-t", "100ms"],
        2,
        "no canned answer meets what GET /a expects: expected a value at /id",
    );
    assert_eq!(kept(cache.path()), Vec::<Json>::new());
    // A cache folder that cannot be made is said before the measurement.
    let file = cache.path().join("file");
    fs::write(&file, "").expect("written");
    let output = calibrate(&file, &["-u", "1", "-t", "30s"]);
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(3), "{printed}");
    assert!(printed.contains("set XDG_CACHE_HOME"), "{printed}");
}

#[test]
fn one_url_is_calibrated_without_contacting_its_host() {
    let cache = tempfile::tempdir().expect("a folder");
    let load = ["-t", "200ms", "--connections", "8", "--quiet"];
    for url in [["--get", "http://192.0.2.1/health"], ["--get", "/health"]] {
        let output = calibrate(cache.path(), &[&url[..], &load[..]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        assert!(output.stderr.is_empty(), "{}", text(&output));
    }
    // The same requests: the later calibration replaces the earlier.
    let kept = kept(cache.path());
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(kept[0]["of"]["connections"], 8);
}

#[test]
fn help_explains_each_verdict_and_names_the_nearest_topic() {
    for width in ["60", "80", "120"] {
        let program = opsurge(&["help", "verdict"]).env("COLUMNS", width);
        let output = program.output().expect("it starts");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        let printed = String::from_utf8(output.stdout).expect("UTF-8");
        for status in Status::ALL {
            assert!(
                printed.contains(&format!("\n{}\n", status.name())),
                "{printed}"
            );
        }
        let width: usize = width.parse().expect("a number");
        assert!(printed.lines().all(|line| line.chars().count() <= width));
    }
    for (topic, part) in [
        ("exit-codes", "130"),
        ("rules", "gave-up"),
        ("run", "--users"),
    ] {
        let output = run(&["help", topic]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        assert!(text(&output).contains(part), "{topic}");
    }
    for (word, near) in [("verdcit", "verdict"), ("serch", "search")] {
        let output = run(&["help", word]);
        assert_eq!(output.status.code(), Some(2));
        let expected = format!("did you mean \"{near}\"?");
        assert!(text(&output).contains(&expected), "{}", text(&output));
    }
}
