//! The record's series as columns of charts: neighbours are joined by adding their histograms, never by averaging
//! percentiles.

use anyhow::{Result, anyhow};

use crate::metrics::latencies::Latencies;
use crate::metrics::seconds::Status;
use crate::record::distribution::{add_sample, add_service};
use crate::record::schema::{Record, SampleRecord};

/// Most columns of a chart: more could not be told apart on a screen.
pub(super) const COLUMNS_MAX: usize = 1_200;
/// Most rows of the table behind a chart over time.
pub(super) const ROWS_MAX: usize = 60;

/// Shortest column that has a rate, in seconds.
const RATE_S_MIN: f64 = 0.25;

/// A longer stretch without a sample is the pause between two runs, in seconds.
const PAUSE_S_MIN: f64 = 0.5;

/// A stretch of the run.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// Its begin, in seconds since the start.
    pub from_s: f64,
    /// Its end, in seconds since the start.
    pub to_s: f64,
    pub is_drain: bool,
    /// It lies in the settling time: in no figure of the run.
    pub is_settling: bool,
    /// Nothing ran: the time between two runs.
    pub is_pause: bool,
    /// Users at its end.
    pub users: u64,
    /// Requests under way at its end.
    pub in_flight: Option<u64>,
    pub requests: u64,
    pub failures: u64,
    /// Time in which the busiest shard worked, in seconds.
    pub busy_s: f64,
    /// Its gravest verdict.
    pub verdict: Status,
    /// Response times of all steps, failures included.
    pub times: Latencies,
    /// Service times of all steps, without failures.
    pub service: Latencies,
}

impl Column {
    pub fn length_s(&self) -> f64 {
        (self.to_s - self.from_s).max(f64::MIN_POSITIVE)
    }

    /// A count per second of the column.
    pub fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.length_s()
    }

    /// It is long enough for a rate: the drain often lasts a millisecond.
    pub fn has_rate(&self) -> bool {
        !self.is_pause && self.length_s() >= RATE_S_MIN
    }

    /// A percentile of the response times in microseconds, unless there are none.
    pub fn percentile_us(&self, percent: f64) -> Option<f64> {
        (!self.times.is_empty()).then(|| self.times.percentile_us(percent))
    }

    /// The same of the service times.
    pub fn service_us(&self, percent: f64) -> Option<f64> {
        (!self.service.is_empty()).then(|| self.service.percentile_us(percent))
    }

    fn pause(from_s: f64, to_s: f64) -> Self {
        Self {
            from_s,
            to_s,
            is_drain: false,
            is_settling: false,
            is_pause: true,
            users: 0,
            in_flight: None,
            requests: 0,
            failures: 0,
            busy_s: 0.0,
            verdict: Status::Valid,
            times: Latencies::default(),
            service: Latencies::default(),
        }
    }

    fn kind(&self) -> [bool; 3] {
        [self.is_drain, self.is_settling, self.is_pause]
    }

    fn of(sample: &SampleRecord) -> Result<Self> {
        let (mut times, mut service) = <(Latencies, Latencies)>::default();
        for step in &sample.steps {
            add_sample(&mut times, step)
                .and_then(|()| add_service(&mut service, step))
                .map_err(|reason| anyhow!("the record's series: {reason}"))?;
        }
        let sum = |of: fn(&crate::record::schema::StepSampleRecord) -> u64| {
            sample.steps.iter().map(of).fold(0, u64::saturating_add)
        };
        Ok(Self {
            from_s: sample.t_s - sample.length_s,
            to_s: sample.t_s,
            is_drain: sample.is_drain,
            is_settling: sample.is_settling,
            is_pause: false,
            users: sample.users,
            in_flight: sample.in_flight,
            requests: sum(|step| step.requests),
            failures: sum(|step| step.failures),
            busy_s: sample.busy * sample.length_s,
            verdict: status(&sample.verdict),
            times,
            service,
        })
    }

    fn join(&mut self, later: &Self) {
        self.to_s = later.to_s;
        self.users = later.users;
        self.in_flight = later.in_flight;
        self.requests = self.requests.saturating_add(later.requests);
        self.failures = self.failures.saturating_add(later.failures);
        self.busy_s += later.busy_s;
        self.verdict = self.verdict.min(later.verdict);
        self.times += &later.times;
        self.service += &later.service;
    }
}

/// The series of a record in at most [`COLUMNS_MAX`] columns.
///
/// # Errors
/// When a histogram of the record was damaged.
pub(super) fn of(record: &Record) -> Result<Vec<Column>> {
    let mut joined = Joined::new(record.series.len(), COLUMNS_MAX);
    let mut before_s = None;
    for sample in &record.series {
        let column = Column::of(sample)?;
        let pause = before_s.filter(|before_s| column.from_s - before_s > PAUSE_S_MIN);
        if let Some(from_s) = pause {
            joined.push(&Column::pause(from_s, column.from_s));
        }
        before_s = Some(column.to_s);
        joined.push(&column);
    }
    Ok(joined.columns)
}

/// The same stretch in at most so many columns.
pub(super) fn joined(columns: &[Column], columns_max: usize) -> Vec<Column> {
    let mut joined = Joined::new(columns.len(), columns_max);
    columns.iter().for_each(|column| joined.push(column));
    joined.columns
}

/// Columns made of so many neighbours each; load, settling time, drain and pause are never joined.
struct Joined {
    columns: Vec<Column>,
    neighbours: usize,
    /// Columns that went into the last one.
    in_last: usize,
}

impl Joined {
    fn new(count: usize, columns_max: usize) -> Self {
        // One column is kept for the drain, which begins a new one.
        let neighbours = match count <= columns_max {
            true => 1,
            false => count.div_ceil(columns_max - 1),
        };
        Self {
            columns: Vec::with_capacity(count.min(columns_max)),
            neighbours,
            in_last: 0,
        }
    }

    fn push(&mut self, column: &Column) {
        match self.columns.last_mut() {
            Some(last) if self.in_last < self.neighbours && last.kind() == column.kind() => {
                last.join(column);
                self.in_last += 1;
            }
            _ => {
                self.columns.push(column.clone());
                self.in_last = 1;
            }
        }
    }
}

/// The verdict of a sample; what this version does not know counts as the gravest.
fn status(name: &str) -> Status {
    let known = Status::ALL.into_iter().find(|status| status.name() == name);
    known.unwrap_or(Status::ALL[0])
}
