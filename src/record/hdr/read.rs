//! Reading interval logs: opsurge's own, and those of other tools.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use super::payload;

/// Without a base, a time that lies more than this before the start is counted from the start (Java's reader).
const YEAR_S: f64 = 365.0 * 24.0 * 3_600.0;

/// A log that has been read.
#[derive(Debug, Default)]
pub struct Log {
    /// Start of the log: its `StartTime`, or else its first interval; seconds since 1970.
    pub started_s: f64,
    /// The intervals, in the order of the file.
    pub intervals: Vec<LoggedInterval>,
    /// Bytes after the last full line, which a killed process had begun to write. They are not read.
    pub cut_bytes: usize,
}

/// A line of a log.
#[derive(Debug)]
pub struct LoggedInterval {
    /// Number of the line in the file, from 1.
    pub line: usize,
    /// In opsurge's logs: the step's method and name.
    pub tag: Option<String>,
    /// Begin of the interval, in seconds since the log's start.
    pub start_s: f64,
    /// Length of the interval, in seconds.
    pub length_s: f64,
    /// The column `Interval_Max`, in the writer's unit; in opsurge's logs milliseconds.
    pub max: f64,
    /// The distribution, in the writer's unit; in opsurge's logs microseconds.
    pub histogram: Histogram<u64>,
}

/// Reads a log up to its last full line; its histograms may be V0, V1 or V2. Times are read as by Java's
/// `HistogramLogReader`: they count from `BaseTime`, or without one from the start if they are much smaller than it.
///
/// # Errors
/// With the number of the first line that cannot be read, and the reason.
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
            Err(_) => {
                return Err(at(
                    "neither a comment nor an interval of four columns".into()
                ));
            }
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
                    .map_err(|error| at(format!("its histogram is not base64: {error}")))?;
                log.intervals.push(LoggedInterval {
                    line: index + 1,
                    tag: found.tag().map(|tag| tag.as_str().to_owned()),
                    start_s: time_s + (base_s - start_s),
                    length_s: found.duration().as_secs_f64(),
                    max: found.max(),
                    histogram: payload::decode(&payload).map_err(at)?,
                });
            }
        }
    }
    log.started_s = start_s.unwrap_or(0.0);
    Ok(log)
}
