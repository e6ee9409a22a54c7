//! The one line of progress on a terminal: the first reader of the ticks.

use std::io::{Write, stderr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::metrics::seconds::Status;
use crate::metrics::tick::{Tick, Ticks};
use crate::text::units::{counted, grouped, level, time};

/// Kinds of failure that are shown, the most frequent ones.
const KINDS_MAX: usize = 2;
/// How long the end of the run waits for a terminal that takes nothing.
const END_WAIT: Duration = Duration::from_millis(200);

/// Time between two lines of a log.
const LOG_EVERY_NS: u64 = 10_000_000_000;
/// Columns of a line of a log.
const LOG_COLUMNS: usize = 200;

/// The line, drawn by a thread of its own: a terminal that is stopped stops nothing else.
pub struct Line {
    ended: Receiver<()>,
}

impl Line {
    /// Draws each tick on standard error, in at most `width` columns, until the ticks are closed. Without a thread nothing is drawn.
    pub fn start(ticks: Arc<Ticks>, width: usize) -> Self {
        Self::spawn(ticks, move |ticks| {
            let mut number = 0;
            while let Some(tick) = ticks.next_after(number) {
                number = tick.number;
                redraw(&line(&tick, width));
            }
            redraw("");
        })
    }

    /// Writes a line of its own every 10 s, for a log.
    pub fn start_log(ticks: Arc<Ticks>) -> Self {
        Self::spawn(ticks, |ticks| {
            let (mut number, mut due_ns) = (0, LOG_EVERY_NS);
            while let Some(tick) = ticks.next_after(number) {
                number = tick.number;
                if tick.end_ns >= due_ns {
                    due_ns = (tick.end_ns + 1).next_multiple_of(LOG_EVERY_NS);
                    // A log that takes nothing is no error.
                    let _ = writeln!(stderr(), "{}", line(&tick, LOG_COLUMNS));
                }
            }
        })
    }

    fn spawn(ticks: Arc<Ticks>, show: impl FnOnce(&Ticks) + Send + 'static) -> Self {
        let (end, ended) = channel();
        ticks.add_reader();
        let draw = move || {
            show(&ticks);
            // The other side may have stopped waiting.
            let _ = end.send(());
        };
        let _ = std::thread::Builder::new().name("line".into()).spawn(draw);
        Self { ended }
    }

    /// Waits until the line is cleared, for a short time.
    pub fn end(self) {
        let _ = self.ended.recv_timeout(END_WAIT);
    }
}

/// Replaces the line. A terminal that has gone is no error.
fn redraw(line: &str) {
    let mut stderr = stderr();
    let _ = write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush());
}

/// `12 s  50 users  84,213 req/s  p50 412 us  p99 1.23 ms  3 failures (2 timeout, 1 status)  48 open, oldest 2.10 ms`, as many
/// whole parts as `width` characters have room for; the level of a search, and the verdict so far unless it is VALID. In the drain: `draining` in place of the rate.
fn line(tick: &Tick, width: usize) -> String {
    let interval = &tick.second;
    let all = interval.all();
    let length_s = (tick.end_ns - tick.begin_ns) as f64 / 1e9;
    let rate = match interval.is_drain {
        true => "draining".to_owned(),
        false => {
            let rate = (all.requests as f64 / length_s.max(1e-9)).round();
            format!("{} req/s", grouped(rate as u64))
        }
    };
    let latencies = match all.response.is_empty() {
        true => "no answers".to_owned(),
        false => format!(
            "p50 {}  p99 {}",
            time(all.response.percentile_us(50.0)),
            time(all.response.percentile_us(99.0))
        ),
    };
    let open = match interval.in_flight {
        0 => "0 open".to_owned(),
        open => format!(
            "{} open, oldest {}",
            grouped(open),
            time(interval.oldest_ns as f64 / 1e3)
        ),
    };
    let level = tick
        .level
        .map_or(String::new(), |at| format!("  level {}", level(at)));
    let verdict = match tick.verdict {
        Status::Valid => String::new(),
        doubt => format!("  {}", doubt.name()),
    };
    let kinds = tick.failures.by_count();
    let failures: u64 = kinds.iter().map(|(_, count)| count).sum();
    let shown = kinds.iter().take(KINDS_MAX);
    let shown: Vec<String> = shown
        .map(|(kind, count)| format!("{} {}", grouped(*count), kind.name()))
        .collect();
    let kinds = match shown.is_empty() {
        true => String::new(),
        false => format!(" ({})", shown.join(", ")),
    };
    let begin = format!("{:.0} s{level}", tick.end_ns as f64 / 1e9);
    let users = counted(interval.users, "user");
    let failures = format!("{}{kinds}", counted(failures, "failure"));
    let parts = [users, rate, latencies, failures, open];
    fitted(&begin, &parts, &verdict, width)
}

/// Joins as many of the parts as a line has room for: those at its end give way, the beginning and the verdict last.
fn fitted(begin: &str, parts: &[String], verdict: &str, width: usize) -> String {
    let lines = (0..=parts.len()).rev().map(|count| {
        let parts = parts[..count].iter().map(|part| format!("  {part}"));
        format!("{begin}{}{verdict}", parts.collect::<String>())
    });
    let mut fitting = lines.filter(|line| line.chars().count() <= width);
    let line = fitting.next().unwrap_or_else(|| begin.to_owned());
    line.chars().take(width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::interval::Interval;
    use crate::metrics::outcome::{Failure, Failures};

    fn check(change: impl Fn(&mut Tick), expected: &str) {
        let mut second = Interval::new(1);
        second.users = 50;
        let mut tick = Tick {
            number: 1,
            begin_ns: 11_000_000_000,
            end_ns: 12_000_000_000,
            load_from_ns: Some(0),
            so_far: second.steps.clone(),
            second,
            failures: Failures::default(),
            level: None,
            verdict: Status::Valid,
        };
        change(&mut tick);
        assert_eq!(line(&tick, 120), expected);
        for width in 0..=expected.len() {
            let narrow = line(&tick, width);
            assert!(narrow.len() <= width, "{width}: {narrow}");
            let verdict = expected.rfind("  ").map_or("", |at| &expected[at..]);
            let begin = narrow.strip_suffix(verdict).unwrap_or(&narrow);
            assert!(expected.starts_with(begin), "{width}: {narrow}");
            let rest = &expected[begin.len()..];
            let is_whole = rest.is_empty() || rest.starts_with("  ");
            assert!(is_whole || begin.len() == width, "{width}: {narrow}");
        }
    }

    fn with_answers(tick: &mut Tick) {
        tick.second.steps[0].requests = 84_213;
        tick.second.steps[0].response.record(412_000);
    }

    #[test]
    fn the_line_tells_what_happens_now_and_fits() {
        check(
            |_| {},
            "12 s  50 users  0 req/s  no answers  0 failures  0 open",
        );
        check(
            |tick| {
                with_answers(tick);
                tick.failures[Failure::Status] = 1;
                tick.failures[Failure::Timeout] = 2;
            },
            "12 s  50 users  84,213 req/s  p50 412 us  p99 412 us  3 failures (2 timeout, 1 status)  0 open",
        );
        check(
            |tick| {
                with_answers(tick);
                (tick.second.users, tick.second.in_flight) = (1, 1);
                (tick.second.oldest_ns, tick.second.is_drain) = (4_200_000_000, true);
                tick.failures[Failure::Unanswered] = 1;
            },
            "12 s  1 user  draining  p50 412 us  p99 412 us  1 failure (1 unanswered)  1 open, oldest 4.20 s",
        );
        check(
            |tick| {
                tick.level = Some(50.0);
                tick.verdict = Status::GeneratorLimited;
            },
            "12 s  level 50  50 users  0 req/s  no answers  0 failures  0 open  GENERATOR-LIMITED",
        );
    }

    #[test]
    fn a_narrow_line_loses_whole_parts_from_its_end_and_keeps_the_verdict() {
        let parts = ["50 users", "84,213 req/s", "3 failures"].map(str::to_owned);
        for (width, expected) in [
            (
                60,
                "12 s  50 users  84,213 req/s  3 failures  GENERATOR-LIMITED",
            ),
            (
                59,
                "12 s  50 users  84,213 req/s  3 failures  GENERATOR-LIMITED",
            ),
            (58, "12 s  50 users  84,213 req/s  GENERATOR-LIMITED"),
            (40, "12 s  50 users  GENERATOR-LIMITED"),
            (25, "12 s  GENERATOR-LIMITED"),
            (20, "12 s"),
            (3, "12 "),
        ] {
            let line = fitted("12 s", &parts, "  GENERATOR-LIMITED", width);
            assert_eq!(line, expected, "{width}");
        }
    }
}
