//! Findings on clocks and sleeps.

use super::facts::{Clock, WallClock};
use super::finding::{Check, Finding, State};
use crate::text::units::{counted, three_digits, time};

/// Longest reading of the clock, in nanoseconds, that means no system call: one takes 20 to 60 ns.
const READING_NS_MAX: f64 = 200.0;
/// Timer slack of a thread where nothing changed it, in nanoseconds.
const SLACK_NS_USUAL: u64 = 50_000;
/// Bounds of how late sleeps end, in microseconds. An idle machine has a median of about 50 to 100 us, and waits in a
/// virtual machine some more; the generator calls a run late from milliseconds on.
const LATE_P50_US_MAX: f64 = 1_000.0;
const LATE_P99_US_NOTED: f64 = 1_000.0;
const LATE_P99_US_MAX: f64 = 10_000.0;
/// Error of the wall clock, in microseconds, that shifts no second of one machine visibly against those of another.
const WALL_CLOCK_US_MAX: u64 = 50_000;

pub(super) fn clock(clock: &Clock) -> Finding {
    let source = clock.source.as_deref().unwrap_or("of unknown source");
    let found = format!("{source}, {} ns a reading", three_digits(clock.reading_ns));
    match clock.reading_ns <= READING_NS_MAX {
        true => Finding::new(
            Check::Clock,
            State::Ok,
            found,
            "reading it costs a request next to nothing",
            "the kernel's parameter clocksource=NAME",
        ),
        false => Finding::new(
            Check::Clock,
            State::Limits,
            found,
            "each reading is a system call, several for each request: the ceiling is lower, and so is the server's",
            "the kernel's parameter clocksource=tsc, or a host whose TSC is stable",
        ),
    }
}

pub(super) fn timer_slack(slack_ns: u64) -> Finding {
    let found = time(slack_ns as f64 / 1e3);
    match slack_ns <= SLACK_NS_USUAL {
        true => Finding::new(
            Check::TimerSlack,
            State::Ok,
            found,
            "a sleep ends at most so much later; --rate polls the clock for the last 60 us before an arrival",
            "TimerSlackNSec= of a service",
        ),
        false => Finding::new(
            Check::TimerSlack,
            State::Limits,
            found,
            "requests after a wait, and arrivals of --rate, leave up to so much late",
            "remove TimerSlackNSec= of the service; in a shell: echo 50000 > /proc/$$/timerslack_ns",
        ),
    }
}

/// `None` when nothing was measured.
pub(super) fn wake_ups(late_ns: &[u64]) -> Option<Finding> {
    let worst_ns = *late_ns.last()?;
    let (p50_us, p99_us) = (percentile_us(late_ns, 0.5), percentile_us(late_ns, 0.99));
    let found = format!(
        "late by p50 {}, p99 {}, max {} in {} of 1 ms",
        time(p50_us),
        time(p99_us),
        time(worst_ns as f64 / 1e3),
        counted(late_ns.len() as u64, "sleep"),
    );
    let cure = "stop other programs, give the generator cores of its own (taskset, isolcpus), or a machine that shares none";
    Some(if p50_us > LATE_P50_US_MAX || p99_us > LATE_P99_US_MAX {
        Finding::new(
            Check::WakeUps,
            State::Limits,
            found,
            "requests leave late and answers are read late by as much: every time contains it",
            cure,
        )
    } else if p99_us > LATE_P99_US_NOTED {
        Finding::new(
            Check::WakeUps,
            State::Note,
            found,
            "something else uses the cores at times: high percentiles contain it",
            cure,
        )
    } else {
        Finding::new(
            Check::WakeUps,
            State::Ok,
            found,
            "requests leave on time",
            "under load it shows as client time (--report full)",
        )
    })
}

pub(super) fn wall_clock(clock: WallClock) -> Finding {
    let error = time(clock.error_us_max as f64);
    let cure = "run a time service (chrony, systemd-timesyncd)";
    match (
        clock.is_synchronised,
        clock.error_us_max <= WALL_CLOCK_US_MAX,
    ) {
        (true, true) => Finding::new(
            Check::WallClock,
            State::Ok,
            format!("synchronised, error at most {error}"),
            "seconds of several machines lie beside each other",
            "chronyc tracking, timedatectl",
        ),
        (true, false) => Finding::new(
            Check::WallClock,
            State::Note,
            format!("synchronised, error up to {error}"),
            "no time is affected; seconds of several machines can be shifted by as much",
            cure,
        ),
        (false, _) => Finding::new(
            Check::WallClock,
            State::Note,
            "not synchronised",
            "no time is affected; seconds of several machines cannot be laid beside each other",
            cure,
        ),
    }
}

/// The value that this share of the sorted ones does not exceed, in microseconds.
fn percentile_us(sorted_ns: &[u64], share: f64) -> f64 {
    let rank = (share * sorted_ns.len() as f64).ceil() as usize;
    sorted_ns[rank.clamp(1, sorted_ns.len()) - 1] as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_costs_a_system_call_limits() {
        let of = |reading_ns| {
            clock(&Clock {
                source: Some("hpet".into()),
                reading_ns,
            })
        };
        assert_eq!(of(25.0).state, State::Ok);
        assert_eq!(of(800.0).state, State::Limits);
        assert_eq!(of(800.0).found, "hpet, 800 ns a reading");
    }

    #[test]
    fn a_slack_above_the_usual_one_limits() {
        assert_eq!(timer_slack(50_000).state, State::Ok);
        assert_eq!(timer_slack(1).state, State::Ok);
        let long = timer_slack(10_000_000);
        assert_eq!((long.state, &long.found[..]), (State::Limits, "10.0 ms"));
    }

    fn check_late(late_us: &[u64], expected: State) {
        let late_ns: Vec<u64> = late_us.iter().map(|us| us * 1_000).collect();
        let finding = wake_ups(&late_ns).expect("it was measured");
        assert_eq!(finding.state, expected, "{finding:?}");
    }

    #[test]
    fn late_sleeps_are_judged_by_median_and_tail() {
        assert_eq!(wake_ups(&[]), None);
        let mut late_us = vec![60; 198];
        check_late(&late_us, State::Ok);
        late_us.extend([2_000, 2_000, 2_000]);
        check_late(&late_us, State::Note);
        late_us.extend([20_000, 20_000, 20_000]);
        check_late(&late_us, State::Limits);
        check_late(&[1_500; 80], State::Limits);
        let found = wake_ups(&[50_000, 60_000, 70_000]).expect("measured").found;
        assert_eq!(
            found,
            "late by p50 60 us, p99 70 us, max 70 us in 3 sleeps of 1 ms"
        );
    }

    #[test]
    fn a_clock_that_is_off_never_limits_a_run_on_one_machine() {
        let of = |is_synchronised, error_us_max| {
            wall_clock(WallClock {
                is_synchronised,
                error_us_max,
            })
        };
        assert_eq!(of(true, 900).state, State::Ok);
        assert_eq!(of(true, 600_000).state, State::Note);
        assert_eq!(of(false, 16_000_000).state, State::Note);
    }
}
