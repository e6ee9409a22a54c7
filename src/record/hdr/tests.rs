use std::path::Path;
use std::time::{Duration, SystemTime};

use super::*;
use crate::metrics::interval::Interval;
use crate::scenario::model::MetricLabel;

fn label(name: &str) -> MetricLabel {
    MetricLabel {
        method: "GET".into(),
        name: name.into(),
        target: None,
        is_poll: false,
        hints: Vec::new(),
        carries: crate::scenario::model::Carries::default(),
    }
}

fn stretch(second: u64, interval: &Interval) -> Stretch<'_> {
    Stretch {
        started_at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_250),
        begin_ns: second * 1_000_000_000,
        end_ns: (second + 1) * 1_000_000_000,
        interval,
    }
}

fn written() -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.hlog");
    let labels = [label("/a b,c"), label("/a_b_c")];
    let mut log = IntervalLog::create(&path, "shop\u{2028}two", &labels).expect("created");
    for second in 0..3 {
        let mut interval = Interval::new(2);
        for request in 0..second {
            interval.steps[0].response.record(1_234_000 * (request + 1));
        }
        log.on_second(&stretch(second, &interval)).expect("written");
    }
    assert_eq!(log.end().expect("it is whole"), path);
    std::fs::read_to_string(&path).expect("it is there")
}

#[test]
fn the_head_names_the_unit_and_the_columns_are_javas() {
    let text = written();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..9],
        [
            "#[Written by opsurge 0.1.0, scenario shop two]",
            "#[Histogram log format version 1.3]",
            "#[Values are response times in microseconds, from when a request was due to the last byte of its answer]",
            "#[Every request with an outcome is in them, failures included; those cut off at the end count at their age]",
            "#[Interval_Max is in milliseconds]",
            "#[StartTime: 1700000000.250 (seconds since epoch)]",
            "#[BaseTime: 1700000000.250 (seconds since epoch)]",
            "#[MaxValueDivisor: 1000.000]",
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"",
        ]
    );
    assert!(
        lines[9].starts_with("Tag=GET_/a_b_c,0.000,1.000,0.000,HISTFAAA"),
        "{text}"
    );
    assert!(
        lines[10].starts_with("Tag=GET_/a_b_c_2,0.000,"),
        "two steps never share a tag: {text}"
    );
    assert!(
        lines[13].starts_with("Tag=GET_/a_b_c,2.000,1.000,2.469,"),
        "{text}"
    );
    assert_eq!(lines.len(), 9 + 3 * 2);
}

#[test]
fn a_log_cut_anywhere_is_read_up_to_its_last_full_line() {
    let text = written();
    for end in 0..=text.len() {
        let log = read(&text[..end]).expect("it is one");
        let full = text[..end].matches('\n').count();
        assert_eq!(log.intervals.len(), full.saturating_sub(9), "cut at {end}");
        let last_full = text[..end].rfind('\n').map_or(0, |at| at + 1);
        assert_eq!(log.cut_bytes, end - last_full, "cut at {end}");
    }
    let log = read(&text).expect("it is one");
    let counts: Vec<u64> = log.intervals.iter().map(|i| i.histogram.len()).collect();
    assert_eq!(counts, [0, 0, 1, 0, 2, 0]);
    let starts: Vec<f64> = log.intervals.iter().map(|i| i.start_s).collect();
    assert_eq!(starts, [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]);
    assert_eq!(log.started_s, 1_700_000_000.25);
}

#[test]
fn a_text_that_is_not_a_log_is_refused_with_its_line() {
    for (text, part) in [
        ("#fine\n\nno log\n", "line 3: neither a comment"),
        ("#fine\n0.1,1.0,2.0\n", "line 2: neither a comment"),
        ("0.1,1.0,2.0,%%%%\n", "line 1: its histogram is not base64"),
        ("0.1,1.0,2.0,AAAA\n", "line 1: its histogram is cut"),
        (
            "0.1,1.0,2.0,AAAAAAAA\n",
            "line 1: its histogram is of an unknown",
        ),
    ] {
        let error = read(text).expect_err("refused");
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_full_disk_is_reported_once_and_again_at_the_end() {
    let path = Path::new("/dev/full");
    let mut log = IntervalLog::create(path, "x", &[label("/")]).expect("it opens");
    let interval = Interval::new(1);
    let error = log.on_second(&stretch(0, &interval)).expect_err("full");
    assert!(format!("{error:#}").contains("No space left"), "{error:#}");
    log.on_second(&stretch(1, &interval))
        .expect("reported already");
    let error = log.end().expect_err("it is not whole");
    assert!(format!("{error:#}").starts_with("/dev/full could not be written"));
}
