//! The run as a whole: its totals in a line, and the conditions that they hold for.

use std::fmt::Write;

use super::figures::{Figures, Which};
use super::load;
use super::page::{Colour, NO_BREAK, Page, Paint};
use crate::record::schema::{Record, RunInfo, Totals};
use crate::text::shell::line as line_of;
use crate::text::units::{bytes, counted, grouped, percent, three_digits, time};

/// `45,120 requests, 1,504/s, 0 failed, p50 3.10 ms, p99 12.4 ms (11.8 to 13.1), max 88.0 ms`, failures included.
pub(super) fn line(page: &mut Page, record: &Record) {
    let totals = &record.totals;
    if totals.requests == 0 {
        let text = format!(
            "nothing was measured: {} sent, {} cut off, none with an outcome",
            grouped(totals.sent),
            grouped(totals.cut_off)
        );
        return page.paragraph(Paint::Words(Colour::Red, "nothing was measured:"), &text);
    }
    let failed = format!("{} failed", grouped(totals.failures));
    let colour = match totals.failures {
        0 => Colour::Green,
        _ => Colour::Red,
    };
    let mut text = format!(
        "{}, {}/s, {failed}",
        counted(totals.requests, "request"),
        three_digits(totals.rps)
    );
    if totals.failures > 0 {
        let _ = write!(text, " ({})", percent(totals.failure_ratio));
    }
    let retries = record.steps.iter().map(|step| step.retries).sum();
    for (count, what) in [
        (retries, "retries of failed ones"),
        (totals.cut_off, "cut off at the end"),
        (totals.never_begun, "never begun"),
    ] {
        if count > 0 {
            let _ = write!(text, ", {} {what}", grouped(count));
        }
    }
    let figures = Figures::total(totals);
    for (name, time) in [
        ("p50", figures.show(Which::Percentile(50.0))),
        ("p99", figures.show_with_interval(99.0)),
        ("max", figures.show(Which::Max)),
    ] {
        if let Some(time) = time {
            let _ = write!(text, ", {name}{NO_BREAK}{time}");
        }
    }
    page.plain(Paint::Words(colour, &failed), &text);
}

fn command(run: &RunInfo) -> Option<String> {
    (!run.command.is_empty()).then(|| line_of(&run.command))
}

/// `io_uring, 2 shards, connections per-user, timeout 30 s`.
pub(in crate::report) fn engine(run: &RunInfo) -> String {
    let pipeline = match run.pipeline {
        1 => String::new(),
        depth => format!(", pipeline {depth}"),
    };
    let lifetime = run.connection_lifetime.as_deref();
    let lifetime = lifetime.map_or(String::new(), |it| format!(", each for {it}"));
    format!(
        "{}, {}, connections {}{lifetime}{pipeline}, timeout {} s",
        run.backend,
        counted(run.shards as u64, "shard"),
        run.connections,
        run.timeout_s
    )
}

/// `2 cores, AMD EPYC, Linux 6.18`.
pub(in crate::report) fn machine(run: &RunInfo) -> String {
    let machine = &run.machine;
    format!(
        "{}, {}, Linux {}",
        counted(machine.cores as u64, "core"),
        machine.cpu,
        machine.kernel
    )
}

/// What was asked for and what became of it, in a sentence.
pub(super) fn conditions(page: &mut Page, record: &Record) {
    let run = &record.run;
    let mut text = format!(
        "{} on {}: {}; {}",
        run.scenario,
        targets(run),
        load::shown(run, record.search.is_some()),
        lasted(&record.totals)
    );
    let is_as_planned = match run.ended_by.as_str() {
        "time" | "iterations" | "precise" | "master" => true,
        // A search ends by what it finds.
        "criterion" => record.search.is_some(),
        _ => false,
    };
    if !is_as_planned {
        let _ = write!(text, "; ended by {}", ended_by(&run.ended_by));
    }
    page.plain(Paint::Nothing, &text);
}

/// What was done, on what, and how it ended, by keyword.
pub(super) fn header(page: &mut Page, record: &Record) {
    let (run, totals) = (&record.run, &record.totals);
    page.paragraph(
        Paint::Nothing,
        &format!(
            "opsurge {}, scenario {} on {}",
            run.version,
            run.scenario,
            targets(run)
        ),
    );
    let lines = [
        ("command", command(run)),
        (
            "load",
            Some(format!(
                "{}, seed {}",
                load::shown(run, record.search.is_some()),
                run.seed
            )),
        ),
        ("engine", Some(engine(run))),
        ("sockets", sockets(run)),
        ("machine", Some(machine(run))),
        ("screen", screen(record)),
        (
            "lasted",
            Some(format!(
                "{}; ended by {}",
                lasted(totals),
                ended_by(&run.ended_by)
            )),
        ),
        (
            "traffic",
            // That of a slice is not known.
            (totals.bytes_sent > 0).then(|| {
                format!(
                    "{} sent, {} received",
                    bytes(totals.bytes_sent),
                    bytes(totals.bytes_received)
                )
            }),
        ),
    ];
    for (keyword, text) in lines {
        if let Some(text) = text {
            page.paragraph(Paint::Nothing, &format!("{keyword}: {text}"));
        }
    }
}

/// What the live screen cost, when there was one.
fn screen(record: &Record) -> Option<String> {
    let cpu_s = record.generator.screen_cpu_s?;
    let run_s = record.totals.load_s + record.totals.drain_s;
    Some(format!(
        "{} of CPU time, {} of a core",
        time(cpu_s * 1e6),
        percent(cpu_s / run_s.max(1e-9))
    ))
}

/// The URL, and the Unix socket that stands for its address.
pub(in crate::report) fn target(run: &RunInfo) -> String {
    let by_unix_socket = run.addresses.iter().find(|to| to.starts_with("unix:"));
    match by_unix_socket {
        Some(socket) => format!("{} at {socket}", run.host),
        None => run.host.clone(),
    }
}

/// The URL, and those of the targets that the scenario names: `http://a:8000, auth at http://b:9000`.
fn targets(run: &RunInfo) -> String {
    let named = run.targets.iter();
    let named = named.map(|it| format!(", {} at {}", it.name, it.url));
    target(run) + &named.collect::<String>()
}

/// `30.0 s of load, 5.00 s of waiting for 1 open request`.
pub(in crate::report) fn lasted(totals: &Totals) -> String {
    let load = format!("{} s of load", three_digits(totals.load_s));
    match totals.open_at_load_end {
        0 => load,
        open => format!(
            "{load}, {} of waiting for {}",
            time(totals.drain_s * 1e6),
            counted(open, "open request")
        ),
    }
}

/// What ended the load, in words.
pub(in crate::report) fn ended_by(word: &str) -> &str {
    match word {
        "all-users-left" => "the last user's leaving",
        "rows" => "the last row of a CSV file",
        "criterion" => "a rule",
        "precise" => "the goals of --until",
        "master" => "the Locust master",
        "signal" => "a signal",
        "error" => "an error",
        other => other,
    }
}

/// Source addresses and socket options, when any were asked for.
pub(in crate::report) fn sockets(run: &RunInfo) -> Option<String> {
    let from = match &run.source_addresses[..] {
        [] => None,
        [only] => Some(format!("from {only}")),
        [first, .., last] => Some(format!(
            "from {} addresses, {first} to {last}",
            run.source_addresses.len()
        )),
    };
    let options = (!run.tcp.is_empty()).then(|| run.tcp.join(", "));
    let parts: Vec<String> = from.into_iter().chain(options).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}
