//! Writing the interval log, second by second.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow};
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::metrics::interval::Interval;
use crate::record::files;
use crate::scenario::model::MetricLabel;

/// Histograms hold microseconds, the column `Interval_Max` milliseconds.
const MAX_DIVISOR: f64 = 1_000.0;
/// The line of column names that Java's writer puts above the intervals.
const LEGEND: &[u8] =
    b"\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";

/// A log that is being written.
pub struct IntervalLog {
    path: PathBuf,
    file: File,
    scenario: String,
    /// By metric: its method and name.
    tags: Vec<String>,
    serializer: V2DeflateSerializer,
    /// Length of the file up to its last whole second; 0 before its head has been written.
    whole_bytes: u64,
    /// The comment that says where the load ended has been written.
    has_drain: bool,
    /// Why the log ends before the run does.
    failure: Option<String>,
}

/// A second of the run, or what was left of one at its end.
pub struct Stretch<'i> {
    /// Start of the run.
    pub started_at: SystemTime,
    /// Begin of the stretch, in nanoseconds since the start.
    pub begin_ns: u64,
    /// End of the stretch, in nanoseconds since the start.
    pub end_ns: u64,
    /// What was counted in it.
    pub interval: &'i Interval,
}

impl IntervalLog {
    /// Opens a log; an older one at this place is overwritten.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn create(path: &Path, scenario: &str, labels: &[MetricLabel]) -> Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: files::create(path)?,
            // A comment is one line.
            scenario: scenario.split_whitespace().collect::<Vec<_>>().join(" "),
            tags: tags(labels),
            serializer: V2DeflateSerializer::new(),
            whole_bytes: 0,
            has_drain: false,
            failure: None,
        })
    }

    /// Writes a second, one line per step. The first failure ends the log after its last whole second.
    ///
    /// # Errors
    /// When the disk does not take it: once, later seconds are dropped without an error.
    pub fn on_second(&mut self, stretch: &Stretch<'_>) -> Result<()> {
        if self.failure.is_some() {
            return Ok(());
        }
        let written = self
            .lines(stretch)
            .and_then(|lines| self.file.write_all(&lines).map(|()| lines.len()));
        match written {
            Ok(bytes) => self.whole_bytes += bytes as u64,
            Err(error) => {
                // Half a line cannot be read. Pipes and devices have no length that could be set.
                let _ = self.file.set_len(self.whole_bytes);
                self.failure = Some(error.to_string());
            }
        }
        self.check()
    }

    /// The path of the log, if it has every second.
    ///
    /// # Errors
    /// With the reason, if it ended early.
    pub fn end(&self) -> Result<&Path> {
        self.check()?;
        Ok(&self.path)
    }

    fn check(&self) -> Result<()> {
        match &self.failure {
            None => Ok(()),
            Some(reason) => Err(anyhow!("{reason}"))
                .with_context(|| format!("{} could not be written", self.path.display())),
        }
    }

    fn lines(&mut self, stretch: &Stretch<'_>) -> io::Result<Vec<u8>> {
        let begin = Duration::from_nanos(stretch.begin_ns);
        let length = Duration::from_nanos(stretch.end_ns.saturating_sub(stretch.begin_ns));
        let mut rows = Vec::new();
        let mut log = IntervalLogWriterBuilder::new();
        let mut log = log
            .with_max_value_divisor(MAX_DIVISOR)
            .begin_log_with(&mut rows, &mut self.serializer)?;
        for (tag, step) in self.tags.iter().zip(&stretch.interval.steps) {
            log.write_histogram(&step.response.to_histogram(), begin, length, Tag::new(tag))
                .map_err(io::Error::other)?;
        }
        // The library begins each piece with the divisor, which the head of the file has already.
        let divisor = rows.iter().position(|byte| *byte == b'\n');
        rows.drain(..divisor.map_or(0, |end| end + 1));
        if stretch.interval.is_drain && !std::mem::replace(&mut self.has_drain, true) {
            let comment = format!(
                "#[The load ended at {:.3} s; what follows is from waiting for open requests]\n",
                begin.as_secs_f64()
            );
            rows.splice(..0, comment.into_bytes());
        }
        if self.whole_bytes == 0 {
            let mut head = self.head(stretch.started_at)?;
            head.append(&mut rows);
            rows = head;
        }
        Ok(rows)
    }

    fn head(&mut self, started_at: SystemTime) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        IntervalLogWriterBuilder::new()
            .add_comment(&format!(
                "[Written by opsurge {}, scenario {}]",
                env!("CARGO_PKG_VERSION"),
                self.scenario
            ))
            .add_comment("[Histogram log format version 1.3]")
            .add_comment("[Values are response times in microseconds, from when a request was due to the last byte of its answer]")
            .add_comment("[Every request with an outcome is in them, failures included; those cut off at the end count at their age]")
            .add_comment("[Interval_Max is in milliseconds]")
            .with_start_time(started_at)
            .with_base_time(started_at)
            .with_max_value_divisor(MAX_DIVISOR)
            .begin_log_with(&mut head, &mut self.serializer)?;
        head.extend_from_slice(LEGEND);
        Ok(head)
    }
}

/// The tags of the steps: commas, blanks and control characters become `_`, and no two steps share a tag.
fn tags(labels: &[MetricLabel]) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for label in labels {
        let text = format!("{} {}", label.method, label.name);
        let is_plain = |c: char| c != ',' && !c.is_whitespace() && !c.is_control();
        let plain = |c| if is_plain(c) { c } else { '_' };
        let plain: String = text.chars().map(plain).collect();
        let numbered = (2..).map(|number| format!("{plain}_{number}"));
        let tag = std::iter::once(plain.clone()).chain(numbered);
        tags.extend(tag.into_iter().find(|tag| !tags.contains(tag)));
    }
    tags
}
