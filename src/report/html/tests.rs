use serde_json::{Value, from_value, json};

use super::*;
use crate::metrics::interval::Interval;
use crate::metrics::outcome::{Failure, Outcome};
use crate::metrics::recorder::{Recorder, Times as Moments};
use crate::metrics::series::Series;
use crate::metrics::summary::Summary;
use crate::record::build;
use crate::record::build::RunTime;
use crate::record::schema::{SampleRecord, WatchedRecord, WatchedSampleRecord};
use crate::scenario::model::{Carries, MetricLabel};

/// Different seconds of a made-up run; a longer one repeats them.
const SECONDS: u64 = 40;
const SECOND_NS: u64 = 1_000_000_000;

/// A made-up run of some seconds: every step has so many requests a second, with times that spread over two decades.
pub(super) fn record(names: &[&str], per_second: u64) -> Record {
    let mut recorder = Recorder::new(names.len(), 0, 0);
    let mut series = Series::new(names.len());
    let mut dice = 1_u64;
    for second in 0..SECONDS {
        let mut interval = Interval::new(names.len());
        interval.users = 10 + second;
        interval.in_flight = second % 7;
        interval.working_ns = SECOND_NS / 10;
        for (step, name) in names.iter().enumerate() {
            for nth in 0..per_second {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Times from 0.2 to 20 ms, short ones more often.
                let share = (dice >> 40) as f64 / (1_u64 << 24) as f64;
                let ns = (200_000.0 * 100_f64.powf(share * share)) as u64;
                let due_ns = second * SECOND_NS + nth * SECOND_NS / per_second;
                recorder.on_started(step);
                let has_failed = step == 0 && nth % 50 == 7;
                let outcome = match has_failed {
                    true => Outcome::Failed {
                        failure: Failure::Status,
                        status: 500,
                    },
                    false => Outcome::Success { status: 202 },
                };
                if has_failed {
                    recorder.example(step, Failure::Status, 500, || (*name).to_owned());
                }
                let moments = Moments {
                    intended_ns: due_ns,
                    submitted_ns: due_ns + 20_000,
                    done_ns: due_ns + ns,
                };
                recorder.record(step, outcome, moments, 130, 301);
                interval.steps[step].requests += 1;
                interval.steps[step].failures += u64::from(has_failed);
                interval.steps[step].response.record(ns);
            }
        }
        series.push((second + 1) * SECOND_NS, &interval);
    }
    let labels: Vec<MetricLabel> = names.iter().map(|name| label(name)).collect();
    let (counts, _) = recorder.into_parts();
    let time = RunTime {
        load_ns: SECONDS * SECOND_NS,
        drain_ns: 0,
        open_at_load_end: 0,
    };
    let run = from_value(run_info(names[0])).expect("a run");
    let generator = from_value(generator()).expect("a generator");
    build::record(
        run,
        &labels,
        &[],
        &Summary { counts, series },
        time,
        generator,
    )
}

fn label(name: &str) -> MetricLabel {
    MetricLabel {
        method: "GET".into(),
        name: name.into(),
        target: None,
        is_poll: true,
        hints: vec![(500, format!("a hint about {name}"))],
        carries: Carries::default(),
    }
}

fn run_info(name: &str) -> Value {
    json!({
        "version": "0", "scenario": name, "host": "http://localhost:8000", "addresses": ["127.0.0.1:8000"],
        "source_addresses": [], "tcp": [], "users": 50, "users_came": 50, "spawn_rate": null, "run_time_s": 40.0,
        "load": {
            "model": "closed", "open": null, "wait": "0s", "iterations": null,
            "stages": [{"users": 10, "after_s": 0.0}, {"users": 50, "after_s": 20.0}, {"users": 50, "after_s": 20.0}]
        },
        "seed": 7, "shards": 1, "backend": "io_uring", "connections": "per-user", "pipeline": 1, "timeout_s": 30.0,
        "started_at": "2026-11-24T12:00:00.000Z", "ended_by": "time", "error": null,
        "machine": {"cores": 2, "cpu": name, "kernel": "6.1"}
    })
}

fn generator() -> Value {
    let none = serde_json::to_value(crate::record::schema::Times::default()).expect("figures");
    json!({
        "cpu_user_s": 1.0, "cpu_system_s": 2.0, "rss_max_bytes": 30_000_000, "turn_us": none, "connect_us": none,
        "shards": [{"core": 0, "busy": 0.1, "waited": null}], "verdict": {"status": "VALID", "reasons": []}
    })
}

pub(super) fn watched(name: &str) -> WatchedRecord {
    let sample = |second: u64| WatchedSampleRecord {
        t_s: (second + 1) as f64,
        length_s: 1.0,
        cpu_cores: Some(0.25),
        rss_bytes: Some(20_000_000 + second),
        ..WatchedSampleRecord::default()
    };
    WatchedRecord {
        name: name.into(),
        what: name.into(),
        cpu_mean: Some(0.25),
        cpu_max: Some(0.25),
        // A second without an answer is missing.
        samples: (0..SECONDS)
            .filter(|second| *second != 10)
            .map(sample)
            .collect(),
        ..WatchedRecord::default()
    }
}

/// The record with its seconds repeated until there are so many.
fn lengthened(mut record: Record, seconds: usize) -> Record {
    let first = std::mem::take(&mut record.series);
    let repeated = (0..seconds).map(|second| SampleRecord {
        t_s: (second + 1) as f64,
        ..first[second % first.len()].clone()
    });
    record.series = repeated.collect();
    record.totals.load_s = seconds as f64;
    record
}

pub(super) fn page_of(record: &Record) -> String {
    let outputs = Html.outputs(record).expect("a page");
    String::from_utf8(outputs[0].bytes.clone()).expect("text")
}

/// The values of an attribute, with either kind of quotes.
fn attributes<'p>(page: &'p str, name: &str) -> Vec<&'p str> {
    let begin = format!(" {name}=\"");
    let values = page.split(&begin).skip(1);
    values.filter_map(|rest| rest.split('"').next()).collect()
}

fn check_contained(page: &str) {
    for name in ["src", "href", "action", "data", "poster", "srcset"] {
        for value in attributes(page, name) {
            let is_inside = value.starts_with('#') || value.starts_with("data:");
            assert!(is_inside, "{name}={}", &value[..value.len().min(80)]);
        }
    }
    for forbidden in [
        "@import",
        "url(",
        "fetch(",
        "XMLHttpRequest",
        "WebSocket",
        "<link",
        "<iframe",
    ] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn the_page_has_its_sections_in_order_and_asks_nothing_of_the_network() {
    let page = page_of(&record(&["/a", "/b"], 50));
    let mut from = 0;
    for id in [
        "verdict",
        "numbers",
        "steps",
        "charts",
        "rates",
        "times",
        "heat",
        "curve",
        "users",
        "generator",
        "polls",
        "errors",
        "conditions",
        "record",
    ] {
        let at = page[from..].find(&format!(" id=\"{id}\""));
        from += at.unwrap_or_else(|| panic!("{id} is not there, or not in its place"));
    }
    check_contained(&page);
    assert!(page.contains("Content-Security-Policy\" content=\"default-src 'none';"));
    assert!(page.contains("40 failed (1 %)"), "the verdict's sentence");
}

#[test]
fn a_run_of_18_minutes_with_five_steps_takes_less_than_500_kb() {
    let names = ["/one", "/two", "/three", "/four", "/five"];
    let page = page_of(&lengthened(record(&names, 200), 1_080));
    assert!(page.len() < 500_000, "{} bytes", page.len());
    assert!(page.contains("samples are joined into one in this copy"));
}

#[test]
fn the_record_in_the_page_is_the_record_again() {
    let short = record(&["/a"], 10);
    check_copy(&short, "record.json", SECONDS as usize);
    let long = lengthened(record(&["/a", "/b"], 20), 200);
    check_copy(&long, "record.json.gz", 200);
}

fn check_copy(record: &Record, name: &str, samples: usize) {
    use base64::Engine;
    use std::io::Read;
    let page = page_of(record);
    assert!(page.contains(&format!("download=\"{name}\"")), "{name}");
    let uri = attributes(&page, "href")
        .into_iter()
        .find(|href| href.starts_with("data:"));
    let (_, base64) = uri
        .and_then(|uri| uri.split_once(";base64,"))
        .expect("a data URI");
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(base64)
        .expect("base64");
    let mut text = String::new();
    let read = match name.ends_with(".gz") {
        true => flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text),
        false => (&bytes[..]).read_to_string(&mut text),
    };
    read.expect("UTF-8");
    let copy = Record::parse(&text).expect("a record");
    assert_eq!(copy.series.len(), samples);
    assert_eq!(copy.totals, record.totals);
}

#[test]
fn names_from_servers_and_scenarios_never_become_markup() {
    let hostile = "</script><script>alert(1)</script><img src=x onerror=\"alert(2)\" '&amp; \u{202e}\u{7}\n{{";
    let mut record = record(&[hostile, "\"><svg/onload=alert(3)>"], 50);
    record.reasons = vec![hostile.into()];
    record.generator.verdict.reasons = vec![hostile.into()];
    record.run.error = Some(hostile.into());
    record.run.host = hostile.into();
    record.run.started_at = hostile.into();
    record.watched = vec![watched(hostile)];
    let base = Named {
        name: hostile,
        record: &record,
    };
    for page in [page_of(&record), overlay(base, base).expect("a page")] {
        check_contained(&page);
        for markup in [
            "<script>alert",
            "<img src=x",
            "<svg/onload",
            "onerror=\"",
            "\u{202e}",
            "\u{7}",
        ] {
            assert!(!page.contains(markup), "{markup}");
        }
        assert!(page.contains("&lt;script&gt;alert(1)"));
        // One script of our own, the others are values.
        assert_eq!(page.matches("<script>").count(), 1);
    }
}

#[test]
fn seconds_of_long_runs_are_joined_without_averaging_percentiles() {
    let mut record = lengthened(record(&["/a"], 20), 2_500);
    for sample in record.series.iter_mut().skip(2_400) {
        sample.is_drain = true;
    }
    let columns = columns::of(&record).expect("columns");
    assert!(columns.len() <= columns::COLUMNS_MAX, "{}", columns.len());
    assert_eq!(
        columns.iter().map(|column| column.requests).sum::<u64>(),
        50_000
    );
    assert_eq!(
        columns
            .iter()
            .map(|column| column.times.count())
            .sum::<u64>(),
        50_000
    );
    assert_eq!(columns.last().map(|last| last.to_s), Some(2_500.0));
    let first_drain = columns.iter().find(|column| column.is_drain);
    assert_eq!(first_drain.map(|column| column.from_s), Some(2_400.0));
    let rows = columns::joined(&columns, columns::ROWS_MAX);
    assert!(rows.len() <= columns::ROWS_MAX, "{}", rows.len());
    let whole = columns::joined(&columns, 2);
    let mut all = crate::metrics::latencies::Latencies::default();
    whole.iter().for_each(|column| all += &column.times);
    assert_eq!(all.count(), 50_000);
}

#[test]
fn a_damaged_histogram_is_an_error_and_an_empty_run_is_a_page() {
    let mut damaged = record(&["/a"], 10);
    damaged.series[3].steps[0].response = "%%%".into();
    let error = Html.outputs(&damaged).expect_err("damaged");
    assert!(
        format!("{error:#}").starts_with("the record's series: not base64"),
        "{error:#}"
    );
    let mut empty = record(&["/a"], 10);
    empty.series.clear();
    empty.steps.clear();
    empty.errors.clear();
    empty.totals = crate::record::schema::Totals::default();
    let page = page_of(&empty);
    assert!(
        page.contains("Nothing was measured"),
        "the verdict's sentence"
    );
}

#[test]
fn the_charts_of_a_record_are_parts_that_a_live_page_can_replace() {
    let record = record(&["/a", "/b"], 20);
    let charts = charts(&record).expect("charts");
    let ids: Vec<&str> = charts.charts.iter().map(|chart| chart.id).collect();
    assert_eq!(
        ids,
        ["rates", "times", "heat", "curve", "users", "generator"]
    );
    let abscissae: Value = serde_json::from_str(&charts.abscissae).expect("JSON");
    let edges = abscissae["time"]["edges"].as_array().map(Vec::len);
    assert_eq!(edges, Some(SECONDS as usize + 1));
    for chart in &charts.charts {
        let values: Value = serde_json::from_str(&chart.values).expect("JSON");
        assert!(
            chart
                .markup
                .starts_with(&format!("<figure id=\"{}\"", chart.id))
        );
        for line in values["lines"].as_array().expect("lines") {
            let places = &abscissae[line["x"].as_str().expect("a name")];
            let count = places["points"].as_array().map(Vec::len);
            let count = count.unwrap_or(SECONDS as usize);
            assert_eq!(
                line["v"].as_array().map(Vec::len),
                Some(count),
                "{}",
                chart.id
            );
        }
    }
}

#[test]
fn watched_processes_have_charts_with_a_gap_where_there_was_no_answer() {
    let mut record = record(&["/a"], 10);
    record.watched = vec![watched("ops-core")];
    let page = page_of(&record);
    assert!(page.contains(" id=\"watched\""));
    let charts = charts(&record).expect("charts").charts;
    let cpu = charts
        .iter()
        .find(|chart| chart.id == "cpu")
        .expect("a chart");
    let values: Value = serde_json::from_str(&cpu.values).expect("JSON");
    let values = values["lines"][0]["v"].as_array().expect("values");
    assert_eq!(values.len(), SECONDS as usize);
    assert_eq!(values[9], 0.25);
    assert_eq!(values[10], Value::Null);
    assert!(charts.iter().any(|chart| chart.id == "memory"));
}

#[test]
fn two_records_are_drawn_over_each_other() {
    let (base, new) = (record(&["/a"], 20), record(&["/a", "/b"], 40));
    let named = |name, record| Named { name, record };
    let page = overlay(named("base.json", &base), named("new.json", &new)).expect("a page");
    check_contained(&page);
    for text in [
        "base.json, requests",
        "new.json, failures",
        "Only in new: GET /b",
        "95 % interval",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn doubted_seconds_are_hatched_and_very_many_stretches_become_few() {
    let mut record = lengthened(record(&["/a"], 2), 1_000);
    for sample in record.series.iter_mut().step_by(2) {
        sample.verdict = "MACHINE-DISTURBED".into();
    }
    let columns = columns::of(&record).expect("columns");
    let bands = bands::of(&record, &columns);
    let doubts: Vec<_> = bands.iter().filter(|band| band.class == "doubt").collect();
    assert!((1..=60).contains(&doubts.len()), "{}", doubts.len());
    assert!(
        doubts[0].says.contains("MACHINE-DISTURBED"),
        "{}",
        doubts[0].says
    );
    record.series.truncate(4);
    let columns = columns::of(&record).expect("columns");
    let bands = bands::of(&record, &columns);
    let doubts = bands.iter().filter(|band| band.class == "doubt");
    let doubts: Vec<(f64, f64)> = doubts.map(|band| (band.from, band.to)).collect();
    assert_eq!(doubts, [(0.0, 1.0), (2.0, 3.0)]);
}
