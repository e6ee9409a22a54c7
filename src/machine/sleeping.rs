//! Clocks and sleeps: what a reading costs, and how late a sleep ends.

use std::fs;
use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

/// Length of one sleep that is measured.
const SLEEP: Duration = Duration::from_millis(1);
/// Readings of the clock in a row, of which the mean counts. The fastest row counts, since others are disturbed.
const READINGS: u32 = 500;
const ROWS: u32 = 5;

/// The clock that the kernel uses (`current_clocksource`); `None` when it is not known.
pub fn clock_source() -> Option<String> {
    let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

/// Time that one reading of the monotonic clock takes, in nanoseconds.
pub fn clock_reading_ns() -> f64 {
    let rows = (0..ROWS).map(|_| {
        let began = Instant::now();
        for _ in 0..READINGS {
            black_box(Instant::now());
        }
        began.elapsed().as_nanos() as f64 / f64::from(READINGS)
    });
    rows.fold(f64::INFINITY, f64::min)
}

/// How much later than asked the kernel may end a sleep of this thread, in nanoseconds, to end several with one
/// interrupt (`PR_SET_TIMERSLACK`, 50,000 by default).
pub fn timer_slack_ns() -> Option<u64> {
    let slack = nix::sys::prctl::get_timerslack().ok()?;
    u64::try_from(slack).ok()
}

/// Sleeps for 1 ms again and again; by how much each sleep was too long, in nanoseconds, ascending. Begins no sleep
/// after `time`.
pub fn wake_ups_late_ns(time: Duration) -> Vec<u64> {
    let began = Instant::now();
    let mut late_ns = Vec::with_capacity(time.as_millis() as usize + 1);
    while began.elapsed() < time {
        let asleep = Instant::now();
        thread::sleep(SLEEP);
        let late = asleep.elapsed().saturating_sub(SLEEP);
        late_ns.push(late.as_nanos() as u64);
    }
    late_ns.sort_unstable();
    late_ns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeps_are_measured_within_their_time_and_sorted() {
        let late_ns = wake_ups_late_ns(Duration::from_millis(5));
        assert!((1..=6).contains(&late_ns.len()), "{late_ns:?}");
        assert!(late_ns.is_sorted());
        assert!(wake_ups_late_ns(Duration::ZERO).is_empty());
    }
}
