//! Locust's four CSV files, with exactly its columns, from a record.
//!
//! Times are milliseconds, not rounded beyond the microsecond. As in Locust, response times include those of failed
//! requests, the percentiles of the history are of the last ten seconds, and the last row of `_stats.csv` is the
//! aggregate with an empty type.

use std::collections::VecDeque;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow};

use crate::metrics::latencies::Latencies;

use crate::record::build::{add_sample, times};
use crate::record::schema::{Record, SampleRecord, SearchRecord, Times};
use crate::record::{files, schema};

/// Length of the sliding window of the history's percentiles, in seconds, as Locust has it.
const WINDOW_S: f64 = 10.0;
/// The first second that RFC 3339 cannot write, since 1970.
const YEAR_10000_S: u64 = 253_402_300_800;
/// Of a search: its levels.
const SEARCH_ENDING: &str = "_search.csv";
/// The four files' endings.
const ENDINGS: [&str; 4] = [
    "_stats.csv",
    "_stats_history.csv",
    "_failures.csv",
    "_exceptions.csv",
];

const STATS: &str = "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s";
const PERCENTILES: &str = "50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%";
const HISTORY: &str = "Timestamp,User Count,Type,Name,Requests/s,Failures/s";
const HISTORY_TOTALS: &str = "Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,Total Min Response Time,Total Max Response Time,Total Average Content Size";
const FAILURES: &str = "Method,Name,Error,Occurrences,First Seen,Last Seen";
const EXCEPTIONS: &str = "Count,Message,Traceback,Nodes";
const LEVELS: &str = "Level,From s,Window s,Requests/s,Good requests/s,Failure ratio,Average Response Time,50%,99%,100%,Good,Noisy,Believable,Rule,Finding";

/// The four places of a prefix.
pub fn paths(prefix: &Path) -> [PathBuf; 4] {
    ENDINGS.map(|ending| path(prefix, ending))
}

/// The five places of a search's prefix.
pub fn paths_of_search(prefix: &Path) -> Vec<PathBuf> {
    let levels = [search_path(prefix)];
    paths(prefix).into_iter().chain(levels).collect()
}

/// The place of a search's levels.
fn search_path(prefix: &Path) -> PathBuf {
    path(prefix, SEARCH_ENDING)
}

fn path(prefix: &Path, ending: &str) -> PathBuf {
    let mut path = prefix.as_os_str().to_owned();
    path.push(ending);
    PathBuf::from(path)
}

/// Writes the four files, and the levels of a search. `full_history` has a row per step and second, not only the aggregate.
///
/// # Errors
/// When the disk does not take them, or the record's histograms were damaged.
pub fn write(record: &Record, prefix: &Path, full_history: bool) -> Result<()> {
    let [at_stats, at_history, at_failures, at_exceptions] = paths(prefix);
    files::write(&at_stats, stats(record)?.as_bytes())?;
    files::write(&at_history, history(record, full_history)?.as_bytes())?;
    files::write(&at_failures, failures(record).as_bytes())?;
    // The generator raises none: what goes wrong in a run is a failure with a kind.
    files::write(&at_exceptions, format!("{EXCEPTIONS}\n").as_bytes())?;
    match &record.search {
        Some(search) => files::write(&search_path(prefix), levels(search).as_bytes()),
        None => Ok(()),
    }
}

/// `_search.csv`: a row for each measurement of a level, in the order in which they were made.
pub fn levels(search: &SearchRecord) -> String {
    let mut text = format!("{LEVELS}\n");
    let ms = |us: Option<f64>| us.map_or(String::new(), |us| (us / 1e3).to_string());
    for level in &search.levels {
        let row = [
            level.level.to_string(),
            level.from_s.to_string(),
            level.window_s.to_string(),
            level.rps.to_string(),
            level.good_rps.to_string(),
            level.failure_ratio.to_string(),
            ms(level.mean_us),
            ms(level.p50_us),
            ms(level.p99_us),
            ms(level.max_us),
            level.good.to_string(),
            level.noisy.to_string(),
            level.believable.to_string(),
            quoted(level.rule.as_deref().unwrap_or_default()),
            quoted(&level.says),
        ];
        text += &(row.join(",") + "\n");
    }
    text
}

/// `_stats.csv`.
///
/// # Errors
/// When the record's histograms were damaged.
pub fn stats(record: &Record) -> Result<String> {
    let mut text = format!("{STATS},{PERCENTILES}\n");
    let mut sums = Sums::default();
    for sample in &record.series {
        sums += &Sums::of(sample, Steps::Together)?;
    }
    let mut requests = 0;
    let mut body_bytes = 0;
    for step in &record.steps {
        requests += step.requests;
        body_bytes += step.body_bytes;
        let row = [
            quoted(&step.method),
            quoted(&step.name),
            step.requests.to_string(),
            step.failures.to_string(),
            ms_or_0(step.all_us.p50),
            ms_or_0(step.all_us.mean),
            ms_or_0(step.all_us.min),
            ms_or_0(step.all_us.max),
            per(step.body_bytes, step.requests),
            six_digits(step.rps),
            six_digits(step.failures_per_s),
            percentiles(&step.all_us),
        ];
        text += &(row.join(",") + "\n");
    }
    let all = times(&sums.all.latencies);
    let row = [
        String::new(),
        "Aggregated".into(),
        requests.to_string(),
        record.totals.failures.to_string(),
        ms_or_0(all.p50),
        ms_or_0(all.mean),
        ms_or_0(all.min),
        ms_or_0(all.max),
        per(body_bytes, requests),
        six_digits(record.totals.rps),
        six_digits(record.totals.failures_per_s),
        percentiles(&all),
    ];
    Ok(text + &row.join(",") + "\n")
}

/// `_stats_history.csv`.
///
/// # Errors
/// When the record's histograms or its start were damaged.
pub fn history(record: &Record, full: bool) -> Result<String> {
    let mut text = format!("{HISTORY},{PERCENTILES},{HISTORY_TOTALS}\n");
    let started_at = humantime::parse_rfc3339(&record.run.started_at)
        .context("the record's started_at is no RFC 3339 time")?;
    let steps = if full { Steps::Each } else { Steps::Together };
    let mut sums = Sums::default();
    let of_load = record.series.iter().filter(|sample| !sample.is_drain);
    let load_to_s = of_load.map(|sample| sample.t_s).fold(0.0, f64::max);
    let load_from_s = record
        .run
        .load
        .open
        .as_ref()
        .map_or(0.0, |open| open.from_s);
    // Samples are unpacked once, and kept as long as they are in the window.
    let mut recent: VecDeque<(f64, Sums)> = VecDeque::new();
    for sample in &record.series {
        let unpacked = Sums::of(sample, steps)?;
        sums += &unpacked;
        // What came after the load's end is in no rate: the last rows have those of the load's last seconds.
        // Nor is what users did who were got ready before the first arrival of an open load.
        if !sample.is_drain && sample.t_s > load_from_s {
            recent.push_back((sample.t_s, unpacked));
        }
        let from_s = sample.t_s.min(load_to_s) - WINDOW_S;
        while recent.front().is_some_and(|(t_s, _)| *t_s <= from_s) {
            recent.pop_front();
        }
        let mut window = Sums::default();
        for (_, sample) in &recent {
            window += sample;
        }
        let at = unix_seconds(started_at, sample.t_s);
        let mut row = |method: &str, name: &str, total: &Sum, recent: &Sum| {
            let all = times(&total.latencies);
            let cells = [
                at.to_string(),
                sample.users.to_string(),
                quoted(method),
                quoted(name),
                rate(recent.requests, recent.length_s),
                rate(recent.failures, recent.length_s),
                percentiles(&times(&recent.latencies)),
                total.requests.to_string(),
                total.failures.to_string(),
                ms_or_0(all.p50),
                ms_or_0(all.mean),
                ms_or_0(all.min),
                ms_or_0(all.max),
                per(total.body_bytes, total.requests),
            ];
            text += &(cells.join(",") + "\n");
        };
        if full {
            for (step, (total, recent)) in record
                .steps
                .iter()
                .zip(sums.steps.iter().zip(&window.steps))
            {
                row(&step.method, &step.name, total, recent);
            }
        }
        row("", "Aggregated", &sums.all, &window.all);
    }
    Ok(text)
}

/// `_failures.csv`.
pub fn failures(record: &Record) -> String {
    let mut text = format!("{FAILURES}\n");
    let started_at = humantime::parse_rfc3339(&record.run.started_at).ok();
    let seen = |s: f64| match started_at.and_then(|start| moment(start, s)) {
        Some(at) => humantime::format_rfc3339_millis(at).to_string(),
        None => format!("{s:.3}"),
    };
    for error in &record.errors {
        let what = match error.detail.as_str() {
            "" => error.kind.clone(),
            detail => format!("{}: {detail}", error.kind),
        };
        let row = [
            quoted(&error.method),
            quoted(&error.name),
            quoted(&what),
            error.count.to_string(),
            seen(error.first_s),
            seen(error.last_s),
        ];
        text += &(row.join(",") + "\n");
    }
    text
}

/// So many seconds after a start; none when no calendar has that moment, as in a record that was changed by hand.
fn moment(start: SystemTime, s: f64) -> Option<SystemTime> {
    let at = start.checked_add(Duration::try_from_secs_f64(s).ok()?)?;
    let since_1970 = at.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    (since_1970.as_secs() < YEAR_10000_S).then_some(at)
}

/// What of samples is added up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Steps {
    /// All steps as one.
    Together,
    /// Each step besides.
    Each,
}

/// Samples added up.
#[derive(Default)]
struct Sums {
    all: Sum,
    /// None where they are not asked for.
    steps: Vec<Sum>,
}

#[derive(Clone, Default)]
struct Sum {
    requests: u64,
    failures: u64,
    body_bytes: u64,
    length_s: f64,
    latencies: Latencies,
}

impl Sums {
    fn of(sample: &SampleRecord, steps: Steps) -> Result<Self> {
        let mut sums = Self::default();
        for step in &sample.steps {
            let mut sum = Sum {
                requests: step.requests,
                failures: step.failures,
                body_bytes: step.body_bytes,
                length_s: sample.length_s,
                latencies: Latencies::default(),
            };
            add_sample(&mut sum.latencies, step)
                .map_err(|reason| anyhow!("the record's series: {reason}"))?;
            sums.all += &sum;
            if steps == Steps::Each {
                sums.steps.push(sum);
            }
        }
        // Steps lie beside each other in time.
        sums.all.length_s = sample.length_s;
        Ok(sums)
    }
}

impl AddAssign<&Self> for Sums {
    fn add_assign(&mut self, other: &Self) {
        self.all += &other.all;
        let steps = self.steps.len().max(other.steps.len());
        self.steps.resize(steps, Sum::default());
        for (sum, more) in self.steps.iter_mut().zip(&other.steps) {
            *sum += more;
        }
    }
}

impl AddAssign<&Self> for Sum {
    fn add_assign(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failures += other.failures;
        self.body_bytes += other.body_bytes;
        self.length_s += other.length_s;
        self.latencies += &other.latencies;
    }
}

fn unix_seconds(started_at: SystemTime, t_s: f64) -> u64 {
    let at = moment(started_at, t_s).unwrap_or(started_at);
    at.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn percentiles(times: &Times) -> String {
    let mut cells: Vec<String> = times
        .percentiles()
        .iter()
        .map(|value| value.map_or("N/A".to_owned(), ms))
        .collect();
    cells.push(times.max.map_or("N/A".to_owned(), ms));
    debug_assert_eq!(cells.len(), schema::PERCENTS.len() + 1);
    cells.join(",")
}

fn ms(us: f64) -> String {
    format!("{:.3}", us / 1e3)
}

fn ms_or_0(us: Option<f64>) -> String {
    ms(us.unwrap_or(0.0))
}

fn per(sum: u64, count: u64) -> String {
    (sum as f64 / count.max(1) as f64).to_string()
}

fn rate(count: u64, duration_s: f64) -> String {
    six_digits(count as f64 / duration_s.max(1e-9))
}

fn six_digits(number: f64) -> String {
    format!("{number:.6}")
}

/// Quoted where RFC 4180 section 2 asks for it.
fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}
