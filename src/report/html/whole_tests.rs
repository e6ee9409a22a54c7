//! Pages of records that are more, or less, than one whole run: several runs, parts, a settling time.

use serde_json::json;

use super::tests::{page_of, record, watched};
use super::*;
use crate::record::longer_samples::with_longer_samples;
use crate::record::repeat::pooled;
use crate::record::schema::{
    OrderRecord, RedisSampleRecord, StageRecord, Times, TlsRecord, WarmUpRecord,
};
use crate::record::slice::{settled, slice};
use crate::report::annotations::Annotations;
use crate::report::console::{Console, Form};
use crate::report::csv::Csv;
use crate::report::junit::Junit;
use crate::report::markdown::{Base, Markdown};

fn has(page: &str, text: &str) {
    assert!(page.contains(text), "no {text}");
}

/// The markup between an id and the end of its section or figure.
fn piece<'p>(page: &'p str, id: &str, end: &str) -> &'p str {
    let from = page
        .find(&format!(" id=\"{id}\""))
        .unwrap_or_else(|| panic!("no {id}"));
    let to = page[from..].find(end).expect("it ends");
    &page[from..from + to]
}

#[test]
fn several_runs_have_a_row_each_and_their_spread() {
    let run = |at: u64| {
        let mut run = record(&["/a"], 10 + at);
        run.run.started_at = format!("2026-11-24T12:0{at}:00.000Z");
        run
    };
    let all = pooled((0..3).map(run).collect()).expect("pooled");
    let page = page_of(&all);
    let runs = piece(&page, "runs", "</section>");
    assert_eq!(runs.matches("<tr>").count(), 1 + 3 + 6, "{runs}");
    for text in [
        "3 runs, pooled on this page; 95 % intervals between runs",
        "<td>400</td>",
        "Deviation",
    ] {
        has(runs, text);
    }
    assert!(!page_of(&run(0)).contains(" id=\"runs\""));
    // The runs are whole in the record: its copy in the page makes their seconds coarser too.
    let copy = with_longer_samples(&all, 10).expect("whole histograms");
    assert_eq!((copy.series.len(), copy.runs[0].series.len()), (12, 4));
    // The pauses between the runs are gaps of the lines, not zeros.
    let rates = charts(&all).expect("charts").charts[0].values.clone();
    assert_eq!(rates.matches("null,").count(), 2 * 2, "{rates}");
}

#[test]
fn the_settling_time_is_marked_and_a_part_has_an_axis_of_its_own() {
    let whole = record(&["/a"], 20);
    let page = page_of(&settled(&whole, 10.0).expect("30 s are left"));
    has(&page, "settling time, in no figure");
    has(piece(&page, "rates", "</figure>"), "class=\"band settle\"");
    has(
        piece(&page, "verdict", "</section>"),
        "SETTLED: the first 10.0 s of 40.0 s",
    );
    let part = slice(&whole, 20.0, Some(30.0)).expect("a part");
    let page = page_of(&part);
    has(
        piece(&page, "verdict", "</section>"),
        "PART: 20.0 s to 30.0 s of 40.0 s of load",
    );
    has(
        piece(&page, "rates-values", "</script>"),
        "\"from\":20,\"to\":30",
    );
    has(
        piece(&page, "heat-values", "</script>"),
        "\"start\":20,\"step\":1,\"columns\":10",
    );
}

#[test]
fn doubted_seconds_stand_with_their_causes_beside_the_hatching() {
    let mut record = record(&["/a"], 20);
    record.series[4].verdict = "MACHINE-DISTURBED".into();
    record.series[4].causes.insert("core_waited".into(), 0.43);
    let page = page_of(&record);
    let cause = "a shard waited for its core 43 % of the time";
    has(
        piece(&page, "rates", "</figure>"),
        &format!("MACHINE-DISTURBED: {cause}"),
    );
    has(&page, &format!("<td>{cause}</td>"));
    has(&page, "Why seconds are doubted (1)");
}

#[test]
fn the_level_and_orders_are_drawn_and_service_times_beside_response_times() {
    let mut record = record(&["/a"], 20);
    let users = |record: &Record| {
        let charts = charts(record).expect("charts").charts;
        charts[4].values.clone()
    };
    // The first stage is reached at once, the second one in 20 s.
    has(&users(&record), "\"v\":[11,13,15");
    record.run.load.stages = vec![StageRecord {
        users: 40,
        after_s: 40.0,
    }];
    has(&users(&record), "{\"x\":\"time\",\"v\":[0,1,2,3,4,5");
    record.run.load.orders = vec![OrderRecord {
        at_s: 12.0,
        users: Some(22),
        rate: None,
        by: "screen".into(),
    }];
    let page = page_of(&record);
    has(
        piece(&page, "users", "</figure>"),
        "22 users from 12.0 s, by the screen",
    );
    has(&page, "order of a person");
    for sample in record
        .series
        .iter_mut()
        .flat_map(|sample| &mut sample.steps)
    {
        let step = sample;
        step.service.clone_from(&step.response);
        (
            step.service_sum_us,
            step.service_min_us,
            step.service_max_us,
        ) = (step.sum_us, step.min_us, step.max_us);
    }
    has(
        piece(&page_of(&record), "times", "</figure>"),
        "service p99",
    );
}

#[test]
fn warm_up_encryption_and_the_reserve_are_said() {
    let mut record = record(&["/a"], 20);
    record.warm_up = Some(WarmUpRecord {
        settled_from_s: Some(12.0),
        mean_before_us: Some(3_200.0),
        mean_after_us: Some(1_100.0),
        p99_after_us: Some(4_700.0),
        drift: Some(0.2),
        part: None,
    });
    record.tls = Some(TlsRecord {
        version: "TLS 1.3".into(),
        insecure: true,
        resume: true,
        full_us: Times {
            count: 2,
            p50: Some(1_500.0),
            max: Some(2_500.0),
            ..Times::default()
        },
        resumed_us: Times {
            count: 6,
            p50: Some(700.0),
            ..Times::default()
        },
        ..TlsRecord::default()
    });
    record.generator.calibration = serde_json::from_value(json!({
        "made_at": "2026-11-24T12:00:00Z", "age_s": 60.0, "shards": 1, "ceiling_rps": 1_000.0, "is_at_least": false,
        "needed_rps": 20.0, "times": 50.0, "floor_p50_us": null, "floor_p99_us": null
    }))
    .expect("a calibration");
    let page = page_of(&record);
    let verdict = piece(&page, "verdict", "</section>");
    for text in [
        "WARM-UP: in the first 12.0 s",
        "DRIFT: within the second half",
        "NOT VERIFIED: --insecure",
        "this box can generate 50 times",
    ] {
        has(verdict, text);
    }
    has(piece(&page, "conditions", "</section>"), "TLS 1.3");
    let connections = piece(&page, "connections", "</section>");
    for text in [
        "Full handshake</th><td>2</td><td>~1.50 ms",
        "Resumed handshake</th><td>6</td><td>~700 us",
        "75 % of 8 handshakes resumed an earlier session.",
    ] {
        has(connections, text);
    }
}

#[test]
fn a_redis_has_a_chart_of_its_commands() {
    let mut record = record(&["/a"], 20);
    record.watched = vec![watched("process 1"), watched("redis 127.0.0.1:6379")];
    for sample in &mut record.watched[1].samples {
        sample.redis = Some(RedisSampleRecord {
            operations_per_s: 123.0,
            ..RedisSampleRecord::default()
        });
    }
    let page = page_of(&record);
    has(piece(&page, "redis-values", "</script>"), "123,123");
    assert_eq!(
        piece(&page, "redis", "</figure>").matches("<li>").count(),
        1
    );
}

#[test]
fn a_page_of_two_records_saves_both() {
    let record = record(&["/a"], 20);
    let named = |name| Named {
        name,
        record: &record,
    };
    let page = overlay(named("a.json"), named("b.json")).expect("a page");
    for side in ["base", "new"] {
        has(&page, &format!(" id=\"{side}-record\""));
        has(&page, &format!("download=\"{side}-record.json"));
    }
}

/// A report as text.
fn text(report: &dyn Report, record: &Record) -> String {
    let outputs = report.outputs(record).expect("a report");
    String::from_utf8(outputs[0].bytes.clone()).expect("text")
}

#[test]
fn reports_for_servers_say_what_the_figures_are_of() {
    let mut whole = record(&["/a"], 20);
    whole.totals.bytes_sent = 1_000;
    let part = slice(&whole, 20.0, Some(30.0)).expect("a part");
    let says = "PART: 20.0 s to 30.0 s of 40.0 s of load";
    let markdown = text(&Markdown::default(), &part);
    has(&markdown, says);
    assert!(
        !markdown.contains(" sent, "),
        "the bytes of a part are not known: {markdown}"
    );
    has(&text(&Markdown::default(), &whole), " sent, ");
    has(
        &text(&Junit, &part),
        &format!("<property name=\"remarks\" value=\"{says}"),
    );
    has(
        &text(&Annotations, &part),
        "::warning title=Read the figures with this in mind::PART: 20.0 s",
    );
    assert!(!text(&Junit, &whole).contains("remarks"));
    let run = |at: u64| {
        let mut run = record(&["/a"], 10 + at);
        run.run.started_at = format!("2026-11-24T12:0{at}:00.000Z");
        run
    };
    let runs = pooled((0..3).map(run).collect()).expect("pooled");
    has(
        &text(&Markdown::default(), &runs),
        "3 runs, pooled here; 95 % intervals between runs",
    );
    let base = Some(Base {
        name: "base.json",
        record: &runs,
        tolerance: 0.05,
    });
    has(
        &text(&Markdown { base }, &runs),
        "3 and 3 runs: the intervals contain the spread",
    );
    has(&text(&Markdown { base }, &whole), "One run each");
}

#[test]
fn the_command_line_is_shown_as_it_was_typed_and_as_text() {
    let mut record = record(&["/a"], 20);
    record.run.command = ["opsurge", "run", "--fail-if", "p99>50ms", "<b>"]
        .map(str::to_owned)
        .into();
    let page = page_of(&record);
    has(
        piece(&page, "conditions", "</section>"),
        "opsurge run --fail-if 'p99&gt;50ms' '&lt;b&gt;'",
    );
    has(
        &text(&Markdown::default(), &record),
        "opsurge run --fail-if 'p99&#62;50ms'",
    );
    let console = Console {
        form: Form::Full,
        width: 80,
        ..Console::default()
    };
    has(
        &text(&console, &record),
        "command: opsurge run --fail-if 'p99>50ms' '<b>'",
    );
}

#[test]
fn the_totals_of_the_history_begin_behind_the_settling_time() {
    let settled = settled(&record(&["/a"], 20), 10.0).expect("30 s are left");
    let outputs = Csv::default().outputs(&settled).expect("tables");
    let history = String::from_utf8(outputs[1].bytes.clone()).expect("text");
    let total = |row: usize| {
        let cells: Vec<&str> = history
            .lines()
            .nth(row)
            .expect("a row")
            .split(',')
            .collect();
        let first = cells.len() - 7;
        cells[first].parse::<u64>().expect("a count")
    };
    assert_eq!(
        [total(10), total(11), total(40)],
        [0, 20, settled.totals.requests]
    );
}
