//! The interval log: an HdrHistogram per second and step, written while the run lasts, and read again.
//!
//! It is the one report that is not made from the record, so that something is left when the process is killed: each
//! second reaches the kernel in one piece before the next one begins. It is not forced onto the disk: a log survives
//! the end of its process, not that of the machine.
//!
//! The format is HdrHistogram's log format 1.3 (`HistogramLogWriter` of the Java library), histograms as V2, deflated,
//! base64. Values are whole microseconds. The column `Interval_Max` is for the eye and in milliseconds, as in the logs
//! of jHiccup, so the divisor is 1,000; readers take their maximum from the histogram.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogIterator, IntervalLogWriterBuilder, LogEntry, Tag,
};

use crate::metrics::interval::Interval;
use crate::scenario::model::MetricLabel;

use super::{files, hdr_payload};

/// Microseconds in the histograms, milliseconds in the column for the eye.
const MAX_DIVISOR: f64 = 1_000.0;
/// What Java's writer puts above the intervals.
const LEGEND: &[u8] =
    b"\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";
/// Without a base, a time that lies more than this before the start is counted from the start (Java's reader).
const YEAR_S: f64 = 365.0 * 24.0 * 3_600.0;

/// A log that is being written.
pub struct IntervalLog {
    path: PathBuf,
    file: File,
    scenario: String,
    /// By metric.
    tags: Vec<String>,
    serializer: V2DeflateSerializer,
    /// In whole seconds of the run; 0 before its head has been written.
    whole_bytes: u64,
    /// It has said where the load ended.
    has_drain: bool,
    /// Why it ends before the run does.
    failure: Option<String>,
}

/// A stretch of a run.
pub struct Stretch<'i> {
    /// When the run began.
    pub started_at: SystemTime,
    /// Its beginning, since then.
    pub begin_ns: u64,
    /// Its end, since then.
    pub end_ns: u64,
    /// What happened in it.
    pub interval: &'i Interval,
}

impl IntervalLog {
    /// Takes the place of an older log.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn create(path: &Path, scenario: &str, labels: &[MetricLabel]) -> Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: files::create(path)?,
            // On one line, whatever it is called.
            scenario: scenario.split_whitespace().collect::<Vec<_>>().join(" "),
            tags: tags(labels),
            serializer: V2DeflateSerializer::new(),
            whole_bytes: 0,
            has_drain: false,
            failure: None,
        })
    }

    /// Writes a second, one line per step. The first failure is told and ends the log after its last whole second.
    ///
    /// # Errors
    /// When the disk does not take it; once.
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
                // Half a line is of no use to anybody; pipes and devices have no length to be set.
                let _ = self.file.set_len(self.whole_bytes);
                self.failure = Some(error.to_string());
            }
        }
        self.check()
    }

    /// The place of a log that has every second.
    ///
    /// # Errors
    /// With the reason when it has not.
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
        // It began with the divisor, which the head of the file has told already.
        let told = rows.iter().position(|byte| *byte == b'\n');
        rows.drain(..told.map_or(0, |end| end + 1));
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

/// A tag holds no comma and no white space; what has them gets `_`. Two steps never share one.
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

/// A log that has been read.
#[derive(Debug, Default)]
pub struct Log {
    /// When it began: its `StartTime`, or else its first interval; seconds since 1970.
    pub started_s: f64,
    /// In the order of the file.
    pub intervals: Vec<LoggedInterval>,
    /// After the last full line: what a killed process had begun to write. It is not read.
    pub cut_bytes: usize,
}

/// A line of a log.
#[derive(Debug)]
pub struct LoggedInterval {
    /// From 1.
    pub line: usize,
    /// In logs of ours: the step's method and name.
    pub tag: Option<String>,
    /// Since the log's start, in seconds.
    pub start_s: f64,
    /// In seconds.
    pub length_s: f64,
    /// The column `Interval_Max`, in whatever unit the writer chose.
    pub max: f64,
    /// In the writer's unit: microseconds in logs of ours.
    pub histogram: Histogram<u64>,
}

/// Reads a log up to its last full line, its histograms as V0, V1 or V2. Times are understood as Java's
/// `HistogramLogReader` does: counted from `BaseTime`, or without one from the start if they are much smaller than it.
///
/// # Errors
/// With the line that is no line of a log, and the reason.
pub fn read(text: &str) -> Result<Log, String> {
    let mut log = Log::default();
    let (mut start_s, mut base_s) = (None, None);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let at = |reason: String| format!("line {}: {reason}", index + 1);
        if !line.ends_with('\n') {
            log.cut_bytes = line.len();
            break;
        }
        if line.trim().is_empty() {
            continue;
        }
        let entry = IntervalLogIterator::new(line.as_bytes()).next();
        match entry.transpose() {
            Err(_) => return Err(at("no comment, and no interval of four columns".into())),
            Ok(None) => {}
            Ok(Some(LogEntry::StartTime(time))) => start_s = Some(time.as_secs_f64()),
            Ok(Some(LogEntry::BaseTime(time))) => base_s = Some(time.as_secs_f64()),
            Ok(Some(LogEntry::Interval(found))) => {
                let time_s = found.start_timestamp().as_secs_f64();
                let start_s = *start_s.get_or_insert(time_s + base_s.unwrap_or(0.0));
                let base_s = base_s.unwrap_or(match time_s < start_s - YEAR_S {
                    true => start_s,
                    false => 0.0,
                });
                let payload = STANDARD
                    .decode(found.encoded_histogram())
                    .map_err(|error| at(format!("its histogram is no base64: {error}")))?;
                log.intervals.push(LoggedInterval {
                    line: index + 1,
                    tag: found.tag().map(|tag| tag.as_str().to_owned()),
                    start_s: time_s + (base_s - start_s),
                    length_s: found.duration().as_secs_f64(),
                    max: found.max(),
                    histogram: hdr_payload::decode(&payload).map_err(at)?,
                });
            }
        }
    }
    log.started_s = start_s.unwrap_or(0.0);
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(name: &str) -> MetricLabel {
        MetricLabel {
            method: "GET".into(),
            name: name.into(),
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
    fn the_head_tells_the_unit_and_the_columns_are_javas() {
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
    fn what_is_no_log_is_refused_with_its_line() {
        for (text, part) in [
            ("#fine\n\nno log\n", "line 3: no comment"),
            ("#fine\n0.1,1.0,2.0\n", "line 2: no comment"),
            ("0.1,1.0,2.0,%%%%\n", "line 1: its histogram is no base64"),
            ("0.1,1.0,2.0,AAAA\n", "line 1: its histogram is cut"),
            ("0.1,1.0,2.0,AAAAAAAA\n", "line 1: its histogram is of no"),
        ] {
            let error = read(text).expect_err("refused");
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_full_disk_is_told_once_and_again_at_the_end() {
        let path = Path::new("/dev/full");
        let mut log = IntervalLog::create(path, "x", &[label("/")]).expect("it opens");
        let interval = Interval::new(1);
        let error = log.on_second(&stretch(0, &interval)).expect_err("full");
        assert!(format!("{error:#}").contains("No space left"), "{error:#}");
        log.on_second(&stretch(1, &interval)).expect("told already");
        let error = log.end().expect_err("it is not whole");
        assert!(format!("{error:#}").starts_with("/dev/full could not be written"));
    }
}
