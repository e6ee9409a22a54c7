//! What the user sees at the end: what was done, whether to believe it, what failed, then the tables.
//!
//! [`render`] is the order; `load` has what the load came to (arrivals, rules), `search` the breaking point.

mod load;
mod page;
mod search;

pub use page::Style;

use std::fmt::Write;

use anyhow::Result;

use page::{Colour, Page, WIDTH};

use crate::metrics::outcome::Failure;
use crate::metrics::seconds::Status;

use crate::record::schema::{ErrorRecord, PERCENTS, Record, RunInfo, StepRecord, Times, Totals};
use crate::report::output::{Output, Report};
use crate::text::units::{bytes, counted, grouped, shortened, three_digits, time};

/// Least width for what is shown of a body.
const BODY_WIDTH_MIN: usize = 80;
/// Samples above a percentile below which it is marked as weak.
const SAMPLES_ABOVE_MIN: f64 = 10.0;

/// The console report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Console {
    /// How it is shown.
    pub style: Style,
}

impl Report for Console {
    fn outputs(&self, record: &Record) -> Result<Vec<Output>> {
        Ok(vec![Output {
            suffix: "",
            bytes: render(record, self.style).into_bytes(),
        }])
    }
}

/// The whole report, newline at the end.
pub fn render(record: &Record, style: Style) -> String {
    let mut out = Page::new(style);
    if !style.quiet {
        out.header(record);
    }
    out.error(record);
    // A failure that names its cause stands above a doubt; a doubt above everything else; belief is said in a line.
    let is_valid = record.generator.verdict.status == Status::Valid.name();
    let (causes, others): (Vec<&ErrorRecord>, Vec<&ErrorRecord>) = record
        .errors
        .iter()
        .partition(|error| names_its_cause(error));
    out.failures(record, &causes);
    if !is_valid {
        out.verdict(record);
    }
    out.outcomes(record);
    out.failures(record, &others);
    if is_valid {
        out.verdict(record);
    }
    out.arrivals(record);
    out.rules(record);
    if let Some(search) = &record.search {
        out.search(search);
    }
    if !style.quiet {
        out.steps(record);
        out.percentiles(record);
        out.clocks(record);
        out.polls(record);
        out.spans(record);
    }
    out.errors(&record.errors);
    out.stand_in(record);
    out.text
}

impl Page {
    fn header(&mut self, record: &Record) {
        let (run, totals) = (&record.run, &record.totals);
        let by_unix_socket = run.addresses.iter().find(|to| to.starts_with("unix:"));
        self.line(format!(
            "opsurge {}   scenario {} on {}{}",
            run.version,
            run.scenario,
            run.host,
            by_unix_socket.map_or(String::new(), |to| format!(" at {to}"))
        ));
        self.line(format!(
            "  load      {}, seed {}",
            load::shown(run, record.search.is_some()),
            run.seed
        ));
        let pipeline = match run.pipeline {
            1 => String::new(),
            depth => format!(", pipeline {depth}"),
        };
        self.line(format!(
            "  engine    {}, {}, connections {}{pipeline}, timeout {} s",
            run.backend,
            counted(run.shards as u64, "shard"),
            run.connections,
            run.timeout_s
        ));
        if let Some(sockets) = sockets(run) {
            self.line(format!("  sockets   {sockets}"));
        }
        let machine = &run.machine;
        self.line(format!(
            "  machine   {}, {}, Linux {}",
            counted(machine.cores as u64, "core"),
            machine.cpu,
            machine.kernel
        ));
        self.line(format!(
            "  lasted    {}; ended by {}",
            lasted(totals),
            ended_by(&run.ended_by)
        ));
        self.line(format!(
            "  traffic   {} sent, {} received",
            bytes(totals.bytes_sent),
            bytes(totals.bytes_received)
        ));
        self.line("");
    }

    /// What ended the run before its time, above everything else.
    fn error(&mut self, record: &Record) {
        if let Some(error) = &record.run.error {
            let lead = self.paint(Colour::Red, "ERROR:");
            self.wrapped(&format!("{lead} "), error);
        }
    }

    fn verdict(&mut self, record: &Record) {
        let verdict = &record.generator.verdict;
        let colour = match verdict.status == Status::Valid.name() {
            true => Colour::Green,
            false => Colour::Yellow,
        };
        let status = self.paint(colour, &verdict.status);
        let mut reasons = verdict.reasons.iter();
        let first = reasons.next().cloned().unwrap_or_default();
        self.wrapped(&format!("VERDICT: {status} - "), &first);
        for reason in reasons {
            self.wrapped("         and ", reason);
        }
    }

    /// What a run without failures came to, or without any outcome.
    fn outcomes(&mut self, record: &Record) {
        let totals = &record.totals;
        if totals.requests == 0 {
            let nothing = self.paint(Colour::Red, "nothing was measured");
            self.line(format!(
                "REQUESTS: {nothing}: {} sent, {} cut off, none with an outcome",
                grouped(totals.sent),
                grouped(totals.cut_off)
            ));
            return;
        }
        if totals.failures == 0 {
            let none = self.paint(Colour::Green, "no failures");
            let cut_off = match totals.cut_off {
                0 => String::new(),
                count => format!(", {} cut off at the end", grouped(count)),
            };
            self.line(format!(
                "REQUESTS: {} - {none}{cut_off}",
                grouped(totals.requests)
            ));
        }
    }

    /// One loud line for each step and cause.
    fn failures(&mut self, record: &Record, errors: &[&ErrorRecord]) {
        for error in errors {
            let same = |step: &&StepRecord| step.method == error.method && step.name == error.name;
            let requests = record
                .steps
                .iter()
                .find(same)
                .map_or(0, |step| step.requests);
            let what = match (error.status, &error.reason) {
                (Some(status), _) if error.kind == Failure::GaveUp.name() => {
                    format!(" gave up with {status}")
                }
                // The status was right, or was not what mattered.
                (Some(_), Some(reason)) if error.kind != Failure::Status.name() => {
                    format!(": {reason}")
                }
                // That another status was wanted is plain for an error, and not for these.
                (Some(status), Some(reason)) if status < 400 => {
                    format!(" answered {status} ({reason})")
                }
                (Some(status), _) => format!(" answered {status}"),
                (None, _) if error.kind == Failure::Unanswered.name() => " got no answer".into(),
                (None, _) => format!(" ended in {}", error.kind),
            };
            let text = format!(
                "FAILED: {} of {} {} {}{what} ({} %)",
                grouped(error.count),
                grouped(requests),
                error.method,
                error.name,
                three_digits(error.count as f64 * 100.0 / requests.max(1) as f64),
            );
            let text = self.paint(Colour::Red, &text);
            self.line(text);
            if let Some(hint) = &error.hint {
                self.wrapped("         ", hint);
            }
        }
    }

    fn steps(&mut self, record: &Record) {
        self.line("");
        self.line(format!(
            "{:<6} {:<32} {:>10} {:>8} | {:>8} {:>8} {:>8} {:>8} ms",
            "Type", "Name", "# reqs", "# fails", "Avg", "Min", "Max", "Med"
        ));
        for step in &record.steps {
            self.line(row(step));
        }
        let totals = &record.totals;
        self.line(format!(
            "{:<6} {:<32} {:>10} {:>8}",
            "",
            "Aggregated",
            grouped(totals.requests),
            grouped(totals.failures)
        ));
        self.line("");
        self.line(format!(
            "{:<43} {:>12} {:>12}",
            "Rates", "req/s", "failures/s"
        ));
        for step in &record.steps {
            let name = format!("{:<6} {}", step.method, shortened(&step.name, 36));
            self.line(format!(
                "{name:<43} {:>12} {:>12}",
                three_digits(step.rps),
                three_digits(step.failures_per_s)
            ));
        }
        self.line(format!(
            "{:<43} {:>12} {:>12}",
            "       Aggregated",
            three_digits(totals.rps),
            three_digits(totals.failures_per_s)
        ));
    }

    fn percentiles(&mut self, record: &Record) {
        let mut weak = false;
        self.line("");
        self.line("Response time (from when a request was due; answers that did not fail)");
        let mut head = format!("{:<20}", "");
        for name in ["50%", "66%", "75%", "80%", "90%", "95%", "98%", "99%"] {
            let _ = write!(head, "{name:>9}");
        }
        self.line(head);
        let has_times = |step: &&StepRecord| step.all_us.count > 0;
        for step in record.steps.iter().filter(has_times) {
            let name = format!("{} {}", step.method, last_part(&step.name));
            weak |= self.percentile_row(&name, &step.response_us, |_| "");
            if step.failures_us.count > 0 {
                let open = without_answer(step);
                let name = match step.failures.saturating_sub(step.unanswered) {
                    _ if open == 0 => "  failed",
                    0 => "  no answer",
                    _ => "  failed, no answer",
                };
                weak |= self.percentile_row(name, &step.failures_us, |us| bound(step, us));
            }
        }
        self.line("");
        self.line(format!(
            "{:<20}{:>9}{:>9}{:>9}",
            "", "99.9%", "99.99%", "max"
        ));
        for step in record.steps.iter().filter(has_times) {
            let name = format!("{} {}", step.method, last_part(&step.name));
            let mut line = format!("{:<20}", shortened(&name, 19));
            let all = step.response_us.percentiles();
            for (percent, value) in PERCENTS.iter().zip(all).skip(8) {
                weak |= is_weak(&step.response_us, *percent);
                let _ = write!(line, "{:>9}", cell(&step.response_us, *percent, value));
            }
            let _ = write!(line, "{:>9}", step.response_us.max.map_or("-".into(), time));
            self.line(line);
            let open = without_answer(step);
            if open > 0 {
                self.line(format!(
                    "  {} without an answer at the end, the oldest for >= {}",
                    grouped(open),
                    step.failures_us.max.map_or("-".into(), time)
                ));
            }
        }
        if weak {
            self.line("~ rests on fewer than ten samples above it");
        }
    }

    /// Appends a row; whether a value in it is weak. `bound` is what stands before a value.
    fn percentile_row(
        &mut self,
        name: &str,
        times: &Times,
        bound: impl Fn(f64) -> &'static str,
    ) -> bool {
        let mut line = format!("{:<20}", shortened(name, 20));
        let mut weak = false;
        for (percent, value) in PERCENTS.iter().zip(times.percentiles()).take(8) {
            let cell = match value.map(&bound) {
                None | Some("") => {
                    weak |= is_weak(times, *percent);
                    cell(times, *percent, value)
                }
                Some(bound) => format!("{bound}{}", value.map_or("-".into(), time)),
            };
            let _ = write!(line, "{cell:>9}");
        }
        self.line(line);
        weak
    }

    /// The server's and the generator's part of those times.
    fn clocks(&mut self, record: &Record) {
        self.line("");
        self.line("Of it: service (submitted to answered) and client (due to submitted)");
        let mut head = format!("{:<20}", "");
        for name in ["service p50", "p99", "max", "client p50", "p99", "max"] {
            let _ = write!(head, "{name:>12}");
        }
        self.line(head);
        for step in record
            .steps
            .iter()
            .filter(|step| step.response_us.count > 0)
        {
            let name = format!("{} {}", step.method, last_part(&step.name));
            let mut line = format!("{:<20}", shortened(&name, 19));
            for times in [&step.service_us, &step.client_us] {
                for value in [times.p50, times.p99, times.max] {
                    let _ = write!(line, "{:>12}", value.map_or("-".into(), time));
                }
            }
            self.line(line);
        }
    }

    fn polls(&mut self, record: &Record) {
        for poll in &record.polls {
            let after = match (poll.ready_after_us.p50, poll.ready_after_us.max) {
                (Some(p50), Some(max)) => {
                    format!("; ready after p50 {}, max {}", time(p50), time(max))
                }
                _ => String::new(),
            };
            let text = format!(
                "Readiness: {} ready, {} gave up, {}{after}",
                counted(poll.ready, "user"),
                grouped(poll.gave_up),
                counted(poll.attempts, "poll")
            );
            self.line("");
            let text = match poll.gave_up {
                0 => text,
                _ => self.paint(Colour::Yellow, &text),
            };
            self.line(text);
        }
    }

    /// Spans of steps that the scenario measures as a whole.
    fn spans(&mut self, record: &Record) {
        if record.spans.is_empty() {
            return;
        }
        self.line("");
        let mut head = format!("{:<30}{:>10}{:>10}", "End to end", "begun", "done");
        for name in ["p50", "p95", "p99", "max"] {
            let _ = write!(head, "{name:>11}");
        }
        self.line(head);
        for span in &record.spans {
            let mut line = format!(
                "{:<30}{:>10}{:>10}",
                shortened(&span.name, 29),
                grouped(span.begun),
                grouped(span.completed)
            );
            let took = &span.took_us;
            for (percent, value) in [(50.0, took.p50), (95.0, took.p95), (99.0, took.p99)] {
                let _ = write!(line, "{:>11}", cell(took, percent, value));
            }
            let _ = write!(line, "{:>11}", took.max.map_or("-".into(), time));
            self.line(line);
        }
    }

    fn errors(&mut self, errors: &[ErrorRecord]) {
        if errors.is_empty() {
            return;
        }
        self.line("");
        self.line(format!(
            "{:>12}  {:<22} {:<16} Method and name",
            "Errors", "Kind", "First - last"
        ));
        for error in errors {
            let kind = match error.status {
                Some(status) => format!("{} {status}", error.kind),
                None => error.kind.clone(),
            };
            let span = format!("{:.1} - {:.1} s", error.first_s, error.last_s);
            let place = format!("{} {}", error.method, shortened(&error.name, 38));
            self.line(format!(
                "{:>12}  {kind:<22} {span:<16} {place}",
                grouped(error.count)
            ));
            if !error.detail.is_empty() {
                let detail = with_whole_reason(error, WIDTH - 27);
                self.wrapped(&format!("{:>12}  for example: ", ""), &detail);
            }
        }
    }

    fn stand_in(&mut self, record: &Record) {
        let Some(stand_in) = &record.stand_in else {
            return;
        };
        let count: u64 = stand_in.answers.values().sum();
        let text = match stand_in.agrees {
            true => format!("Stand-in: it counted the same {} answers, by endpoint and status", grouped(count)),
            false => self.paint(
                Colour::Yellow,
                &format!("Stand-in: it counted {} answers, and not the same ones (some were still under way)", grouped(count)),
            ),
        };
        self.line("");
        self.line(text);
        if !stand_in.faults.is_empty() {
            let faults = stand_in.faults.iter();
            let faults = faults.map(|(name, count)| format!("{} {name}", grouped(*count)));
            let text = format!(
                "faults on purpose: {}",
                faults.collect::<Vec<_>>().join(", ")
            );
            self.wrapped("          ", &text);
        }
    }
}

/// An example cut to a width, but never within its reason: what is cut is the body behind it.
fn with_whole_reason(error: &ErrorRecord, width: usize) -> String {
    let reason = error.reason.as_deref().unwrap_or_default();
    let end = error.detail.find(reason).map_or(0, |at| at + reason.len());
    let (kept, body) = error.detail.split_at(end);
    let room = width.saturating_sub(kept.chars().count());
    format!("{kept}{}", shortened(body, room.max(BODY_WIDTH_MIN)))
}

/// A step's counts, and its times with failures and cut-offs.
fn row(step: &StepRecord) -> String {
    let times = &step.all_us;
    let ms = |value: Option<f64>| match value {
        None => "-".to_owned(),
        Some(us) => format!("{}{}", bound(step, us), three_digits(us / 1e3)),
    };
    // What had no answer would have taken longer: it makes the mean a lower bound too.
    let mean = match (times.mean, step.bound_from_us) {
        (Some(us), Some(_)) => format!(">={}", three_digits(us / 1e3)),
        (mean, _) => ms(mean),
    };
    format!(
        "{:<6} {:<32} {:>10} {:>8} | {mean:>8} {:>8} {:>8} {:>8}",
        step.method,
        shortened(&step.name, 32),
        grouped(step.requests),
        grouped(step.failures),
        ms(times.min),
        ms(times.max),
        ms(times.p50)
    )
}

/// `>=` before a time that rests on requests which had no answer at the end.
fn bound(step: &StepRecord, us: f64) -> &'static str {
    match step.bound_from_us {
        Some(least_us) if us >= least_us => ">=",
        _ => "",
    }
}

/// Requests of a step whose times are lower bounds.
fn without_answer(step: &StepRecord) -> u64 {
    step.unanswered + step.cut_off + step.never_begun
}

/// `30.0 s of load, 5.00 s of waiting for 1 open request`.
fn lasted(totals: &Totals) -> String {
    let load = format!("{} s of load", three_digits(totals.load_s));
    let open = match totals.open_at_load_end {
        0 => return load,
        1 => "1 open request".to_owned(),
        open => format!("{} open requests", grouped(open)),
    };
    format!(
        "{load}, {} s of waiting for {open}",
        three_digits(totals.drain_s)
    )
}

/// What ended the load, in words.
fn ended_by(word: &str) -> &str {
    match word {
        "nobody-left" => "the last user's leaving",
        "criterion" => "a rule",
        other => other,
    }
}

/// A wrong key, a refused connection. That no answer came in time says nothing about why.
fn names_its_cause(error: &ErrorRecord) -> bool {
    let no_answer = [
        Failure::Timeout,
        Failure::WaitTimeout,
        Failure::ConnectTimeout,
        Failure::Unanswered,
    ];
    error.hint.is_some() && no_answer.iter().all(|failure| failure.name() != error.kind)
}

fn last_part(name: &str) -> &str {
    name.rsplit('/')
        .find(|part| !part.is_empty())
        .unwrap_or(name)
}

fn is_weak(times: &Times, percent: f64) -> bool {
    times.count > 0 && times.count as f64 * (1.0 - percent / 100.0) < SAMPLES_ABOVE_MIN
}

fn cell(times: &Times, percent: f64, value: Option<f64>) -> String {
    match value {
        None => "-".into(),
        Some(us) if is_weak(times, percent) => format!("~{}", time(us)),
        Some(us) => time(us),
    }
}

/// What was asked for of the connections' sockets.
fn sockets(run: &RunInfo) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::outcome::Outcome;
    use crate::metrics::recorder::{Recorder, Times as Moments};
    use crate::metrics::series::Series;
    use crate::metrics::summary::Summary;
    use crate::record::build;
    use crate::record::build::RunTime;
    use crate::record::schema::{Generator, LoadInfo, MachineInfo, VerdictRecord};
    use crate::scenario::model::{Carries, MetricLabel};

    const WORKFLOW: &str = "/v1/opscore/agent/[id]/workflow";

    /// A run of `answered` workflow requests of which `failed` got 500, and one that was cut off.
    fn record(answered: u64, failed: u64) -> Record {
        let mut recorder = Recorder::new(1, 0, 0);
        for index in 0..answered {
            recorder.on_started(0);
            let moments = Moments {
                intended_ns: index * 1_000_000,
                submitted_ns: index * 1_000_000 + 20_000,
                done_ns: index * 1_000_000 + 1_250_000,
            };
            let (failure, status) = (Failure::Status, 500);
            let outcome = match index < failed {
                true => Outcome::Failed { failure, status },
                false => Outcome::Success { status: 202 },
            };
            if index < failed {
                recorder.example(0, failure, status, || {
                    "500 {\"detail\":\"Internal Server Error\"}".to_owned()
                });
            }
            recorder.record(0, outcome, moments, 130, 301);
        }
        recorder.on_started(0);
        let moments = Moments {
            intended_ns: 0,
            submitted_ns: 0,
            done_ns: 2_000_000_000,
        };
        recorder.cut_off(0, moments);
        let (counts, interval) = recorder.into_parts();
        let mut series = Series::new(interval.steps.len());
        series.push(1_000_000_000, &interval);
        let label = MetricLabel {
            method: "POST".into(),
            name: WORKFLOW.into(),
            is_poll: false,
            hints: vec![(500, "a broken storage".into())],
            carries: Carries::default(),
        };
        let run = RunInfo {
            version: "0".into(),
            scenario: "workflow".into(),
            host: "http://localhost:8000".into(),
            addresses: vec!["127.0.0.1:8000".into()],
            source_addresses: Vec::new(),
            tcp: Vec::new(),
            users: 5,
            users_came: 5,
            spawn_rate: Some(5.0),
            run_time_s: Some(1.0),
            load: LoadInfo {
                model: "closed".into(),
                stages: Vec::new(),
                open: None,
                wait: "0s".into(),
                iterations: None,
            },
            seed: 7,
            shards: 1,
            backend: "io_uring".into(),
            connections: "per-user".into(),
            pipeline: 1,
            timeout_s: 30.0,
            started_at: "2026-11-24T12:00:00.000Z".into(),
            ended_by: "time".into(),
            error: None,
            machine: MachineInfo {
                cores: 2,
                cpu: "a processor".into(),
                kernel: "6.18".into(),
            },
        };
        let generator = Generator {
            cpu_user_s: 0.1,
            cpu_system_s: 0.2,
            rss_max_bytes: 1,
            turn_us: Times::default(),
            connect_us: Times::default(),
            shards: Vec::new(),
            verdict: VerdictRecord {
                status: "VALID".into(),
                reasons: vec!["a long reason ".repeat(12)],
            },
        };
        let summary = Summary { counts, series };
        let time = RunTime {
            load_ns: 1_000_000_000,
            drain_ns: 2_000_000_000,
            open_at_load_end: 1,
        };
        build::record(run, &[label], &[], &summary, time, generator)
    }

    #[test]
    fn a_failed_expectation_says_what_was_expected_and_its_reason_is_never_cut() {
        let mut record = record(9, 3);
        let reason = format!(
            "expected \"{}\" at /state, found \"busy\"",
            "idle".repeat(30)
        );
        let body = "x".repeat(300);
        let error = &mut record.errors[0];
        error.kind = Failure::Expectation.name().into();
        error.status = Some(200);
        error.detail = format!("200 {reason}: {body}");
        error.reason = Some(reason.clone());
        let text = plain(&record);
        let expected = format!("FAILED: 3 of 9 POST {WORKFLOW}: {reason} (33.3 %)");
        assert!(text.contains(&expected), "{text}");
        // Wrapped at its blanks.
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains(&format!("for example: 200 {reason}: xxx")),
            "{words}"
        );
        assert!(!text.contains(&body), "{text}");
    }

    fn plain(record: &Record) -> String {
        let style = Style {
            colour: false,
            quiet: false,
        };
        render(record, style)
    }

    #[test]
    fn a_500_stands_above_the_verdict_with_its_share_and_its_cause() {
        let text = plain(&record(200, 50));
        let lines: Vec<&str> = text.lines().collect();
        let verdict = lines
            .iter()
            .position(|line| line.starts_with("VERDICT: VALID"))
            .expect("a verdict");
        let failed = lines
            .iter()
            .position(|line| line.starts_with("FAILED: 50 of 200 POST"))
            .expect("a failure");
        assert!(failed < verdict && failed + 3 > verdict, "{text}");
        assert!(text.contains("answered 500 (25.0 %)"), "{text}");
        assert!(
            text.contains("for example: 500 {\"detail\":\"Internal Server Error\"}"),
            "{text}"
        );
    }

    /// The lines that say what to think of the run, by their first word, in order.
    fn order(record: &Record) -> Vec<String> {
        let text = plain(record);
        let words = text.lines().filter_map(|line| line.split_once(": "));
        let known = ["FAILED", "VERDICT", "REQUESTS"];
        words
            .filter(|(word, _)| known.contains(word))
            .map(|(word, _)| word.to_owned())
            .collect()
    }

    #[test]
    fn a_doubt_opens_the_report_unless_a_failure_names_its_cause_and_belief_closes_it() {
        let mut with_cause = record(200, 50);
        assert_eq!(order(&with_cause), ["FAILED", "VERDICT"]);
        assert_eq!(order(&record(200, 0)), ["REQUESTS", "VERDICT"]);
        let mut without_cause = with_cause.clone();
        without_cause.errors[0].hint = None;
        assert_eq!(order(&without_cause), ["FAILED", "VERDICT"]);
        let mut timed_out = with_cause.clone();
        timed_out.errors[0].kind = Failure::Timeout.name().into();
        let mut calm = record(200, 0);
        for doubted in [
            &mut with_cause,
            &mut without_cause,
            &mut timed_out,
            &mut calm,
        ] {
            doubted.generator.verdict.status = "GENERATOR-LIMITED".into();
        }
        assert_eq!(order(&with_cause), ["FAILED", "VERDICT"]);
        assert_eq!(order(&without_cause), ["VERDICT", "FAILED"]);
        assert_eq!(order(&timed_out), ["VERDICT", "FAILED"]);
        assert_eq!(order(&calm), ["VERDICT", "REQUESTS"]);
    }

    #[test]
    fn a_request_without_an_answer_is_a_lower_bound() {
        let text = plain(&record(200, 0));
        assert!(
            text.contains("1 without an answer at the end, the oldest for >= 2.00 s"),
            "{text}"
        );
        assert!(text.contains("no failures"), "{text}");
        let of = |begin: &str| {
            let row = text.lines().find(|line| line.starts_with(begin));
            row.expect(begin).to_owned()
        };
        // Everything in that row rests on it; of all requests together, the mean and the greatest.
        assert_eq!(of("  no answer").matches(">=2.00 s").count(), 8, "{text}");
        let all = of("POST   /v1");
        assert_eq!(all.matches(">=").count(), 2, "{all}");
        assert!(all.contains(">=2,000"), "{all}");
    }

    #[test]
    fn nothing_is_wider_than_the_screen() {
        for line in plain(&record(2_000_000, 7)).lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn weak_percentiles_are_marked_and_others_are_not() {
        let row = |answered| {
            let text = plain(&record(answered, 0));
            let line = text
                .lines()
                .find(|line| line.starts_with("POST workflow"))
                .expect("a row");
            line.to_owned()
        };
        assert_eq!(row(100).matches('~').count(), 4, "{}", row(100));
        assert_eq!(row(2_000).matches('~').count(), 0, "{}", row(2_000));
    }

    #[test]
    fn a_record_comes_back_from_its_text() {
        let record = record(30, 3);
        assert_eq!(Record::parse(&record.to_json()), Ok(record.clone()));
        let other = record
            .to_json()
            .replace("opsurge.record/1", "opsurge.record/9");
        assert!(
            Record::parse(&other)
                .expect_err("unknown")
                .contains("opsurge.record/9")
        );
    }
}
