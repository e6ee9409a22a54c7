//! Each verdict explained: what it means, the thresholds that it is found by, and the cure.
//!
//! The thresholds are those that [`super::seconds`] and [`super::verdict`] judge by, so that an explanation cannot say
//! another figure than the one that is used.

use crate::metrics::effort::LATE_NS;
use crate::text::units::{grouped, percent, time};

use super::seconds::{
    BEHIND_MIN, BUSY_MAX, CORE_WAITED_MAX, Cause, LATE_MIN, LATE_SHARE_MAX, LATENESS_SHARE_MAX,
    REQUESTS_MIN, SECONDS_SHARE_MAX, STEAL_MAX, STOPPED_NS_MAX, THROTTLED_US_MAX, WAITED_SHARE_MAX,
};
use super::silence::{MISSED_MIN, P99_TIMES, SILENCE_NS_MIN};
use super::verdict::{MISSING_SHARE_MAX, Status};

/// A verdict explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Its meaning, a sentence.
    pub meaning: &'static str,
    /// What it is found by: any of these is enough.
    pub found_by: Vec<String>,
    /// What to do; empty where nothing is to be done.
    pub cure: &'static str,
}

/// How seconds make a verdict, for the explanation's beginning.
pub fn of_seconds() -> String {
    format!(
        "Each second of a run is judged by itself. A finding in more than {} of the seconds concerns the run, and the gravest is its verdict; a finding in fewer seconds is listed beside it. With fewer than {} requests, lateness is counted and is no evidence. Late means: sent more than {} after it was due.",
        percent(SECONDS_SHARE_MAX),
        grouped(REQUESTS_MIN),
        time(us(LATE_NS))
    )
}

/// Explains a verdict.
pub fn explain(status: Status) -> Explanation {
    let causes = Cause::ALL.into_iter();
    let mut found_by: Vec<String> = causes
        .filter(|cause| cause.status() == status)
        .map(threshold)
        .collect();
    found_by.extend(of_the_run(status));
    let (meaning, cure) = match status {
        Status::NoProgress => (
            "Requests were open, and the server sent nothing.",
            "Read the server's log at that time. If nothing ever came back, try one request (opsurge request).",
        ),
        Status::GeneratorLimited => (
            "The generator itself was the limit: a faster server would not have shown.",
            "Give it more cores (--shards) or fewer users; raise the limit that the failures name; use a release build. opsurge calibrate measures what this machine can generate.",
        ),
        Status::RateNotMet => (
            "An open load (--rate) began fewer iterations than were due: the response times do not show that wait.",
            "The finding says why: give a higher -u, look at the failures that make users leave, or give more --connections.",
        ),
        Status::ConnectionsLimited => (
            "Requests waited for a connection, or iterations for a user: the response times contain that wait.",
            "Give more --connections, or a higher -u.",
        ),
        Status::MachineDisturbed => (
            "The generator was ready to run, and the machine did not let it.",
            "Stop other programs on its cores, pin it (taskset), raise the CPU quota or give fewer --shards, use a machine of its own. opsurge doctor says what the machine limits.",
        ),
        Status::Valid => (
            "None of the others was found: the figures are the service's, not the generator's.",
            "",
        ),
    };
    Explanation {
        meaning,
        found_by,
        cure,
    }
}

/// The threshold of a cause in a second.
fn threshold(cause: Cause) -> String {
    match cause {
        Cause::Silent => format!(
            "no answer for {} or more, and for {P99_TIMES} times the p99 until then, while {MISSED_MIN:.0} answers or more were to be expected",
            time(us(SILENCE_NS_MIN))
        ),
        Cause::Busy => format!("a shard worked more than {} of a second", percent(BUSY_MAX)),
        Cause::LongTurns => format!(
            "more than {} of a second's requests, and at least {LATE_MIN}, left late while a turn of the shard's own work was longer than {} and than {} of the p99",
            percent(LATE_SHARE_MAX),
            time(us(LATE_NS)),
            percent(LATENESS_SHARE_MAX)
        ),
        Cause::Behind => format!(
            "more than {} of the iterations due in a second, and more than {BEHIND_MIN}, were not begun",
            percent(WAITED_SHARE_MAX)
        ),
        Cause::InLine => format!(
            "more than {} of a second's requests waited for a connection",
            percent(WAITED_SHARE_MAX)
        ),
        Cause::CoreTaken => format!(
            "other programs had a shard's core for more than {} of the time in which it was ready to run",
            percent(CORE_WAITED_MAX)
        ),
        Cause::Stolen => format!(
            "the hypervisor gave more than {} of the machine's time to others (steal)",
            percent(STEAL_MAX)
        ),
        Cause::Throttled => format!(
            "the CPU quota of the control group stopped it for more than {} of a second",
            time(THROTTLED_US_MAX as f64)
        ),
        Cause::Stopped => format!(
            "a shard did not run for more than {} at a time",
            time(us(STOPPED_NS_MAX))
        ),
    }
}

/// What is found in the run as a whole.
fn of_the_run(status: Status) -> Vec<String> {
    let late = |whose: &str| {
        format!(
            "in the whole run, {} of the requests left more than {} and more than {} of the p99 late, {whose}",
            percent(0.01),
            time(us(LATE_NS)),
            percent(LATENESS_SHARE_MAX)
        )
    };
    match status {
        Status::GeneratorLimited => vec![
            late("by the generator's own work"),
            "the completion queue overflowed".into(),
            "a limit of this machine failed requests (client-limit)".into(),
            "it is a debug build".into(),
        ],
        Status::RateNotMet => vec![format!(
            "in the whole run, more than {} of the iterations due were never begun",
            percent(MISSING_SHARE_MAX)
        )],
        Status::ConnectionsLimited => vec![format!(
            "in the whole run, more than {} of the iterations waited for a free user",
            percent(WAITED_SHARE_MAX)
        )],
        Status::MachineDisturbed => vec![
            late("and not by the generator's own work"),
            "generator and target, or several shards, share a core".into(),
        ],
        Status::NoProgress | Status::Valid => Vec::new(),
    }
}

fn us(ns: u64) -> f64 {
    ns as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::seconds::{SecondEvidence, judge_second};

    #[test]
    fn every_verdict_has_a_meaning_a_threshold_and_a_cure() {
        for status in Status::ALL {
            let it = explain(status);
            assert!(it.meaning.ends_with('.'), "{status:?}");
            let is_valid = status == Status::Valid;
            assert_eq!(it.found_by.is_empty(), is_valid, "{status:?}");
            assert_eq!(it.cure.is_empty(), is_valid, "{status:?}");
        }
    }

    #[test]
    fn the_explained_threshold_is_the_one_that_is_judged_by() {
        let second = |busy: f64| {
            judge_second(&SecondEvidence {
                length_ns: 1_000_000_000,
                working_ns: (busy * 1e9) as u64,
                ..SecondEvidence::default()
            })
        };
        let text = explain(Status::GeneratorLimited).found_by.join("\n");
        let said = text.split("worked more than ").nth(1).expect("it is said");
        let said: f64 = said
            .split(' ')
            .next()
            .expect("a number")
            .parse()
            .expect("one");
        assert!(second(said / 100.0 - 0.001).is_empty());
        assert_eq!(second(said / 100.0 + 0.001).len(), 1);
    }
}
