//! Whether a run is to be believed, and by what evidence.
//!
//! Each second is judged by itself ([`super::seconds`]); this weighs the run: what was found in more than 5 % of its
//! seconds, and what is true of it as a whole. Findings in fewer seconds are listed, and doubt nothing: a figure that
//! leaves out the worst 5 % cannot rest on them.

use crate::metrics::effort::LATE_NS;

use super::seconds::{
    BUSY_MAX, Cause, LATE_SHARE_MAX, LATENESS_SHARE_MAX, REQUESTS_MIN, STEAL_MAX, WAITED_SHARE_MAX,
    Watched,
};
use super::silence::Silence;

pub use crate::metrics::seconds::Status;

/// Iterations of an open load that were never begun, of all that were due: the last ones always may be.
const MISSING_SHARE_MAX: f64 = 0.001;

/// What a verdict rests on.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Second by second.
    pub watched: Watched,
    /// A server that stopped answering.
    pub silence: Option<Silence>,
    /// Share of the time that the busiest shard was not asleep, 0 to 1.
    pub busiest: f64,
    /// 99 % of turns were no longer than this, in microseconds.
    pub turn_p99_us: f64,
    /// 99 % of requests left no later than this after they were due, in microseconds.
    pub client_p99_us: f64,
    /// The response time beside it.
    pub response_p99_us: f64,
    /// Turns that found the completion queue overflowed.
    pub overflows: u64,
    /// Requests with an outcome.
    pub requests: u64,
    /// Requests that waited in line for a connection.
    pub waited_in_line: u64,
    /// The run is a search: overload is intended, so waiting is not held against it.
    pub is_search: bool,
    /// Of an open load.
    pub arrivals: Arrivals,
    /// Target and generator, or several shards, are on the same core.
    pub cores_shared: bool,
    /// Requests that this machine's own limits made fail.
    pub client_limits: u64,
    /// Compiled without optimisation.
    pub debug_build: bool,
}

/// What became of an open load's iterations, and what they take.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Arrivals {
    /// Their time had come.
    pub due: u64,
    /// Of them, those that were dropped because the line was full, or still stood in it at the end.
    pub never_begun: u64,
    /// Of them, those that had to wait for a user to be free.
    pub waited: u64,
    /// Iterations due per second.
    pub rate: f64,
    /// Mean time that one takes a user, in seconds, if known.
    pub iteration_s: Option<f64>,
    /// Users that may take turns.
    pub users_max: u64,
    /// Users that left because a request failed (`on_failure`).
    pub users_left: u64,
}

/// A status and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The gravest finding that concerns the run as a whole.
    pub status: Status,
    /// All findings, with figures and what to do; for a valid run, first what it rests on.
    pub reasons: Vec<String>,
}

/// Weighs the evidence.
pub fn judge(evidence: &Evidence) -> Verdict {
    let mut findings = Findings::default();
    findings.silence(evidence);
    findings.generator(evidence);
    findings.lateness(evidence);
    findings.arrivals(evidence);
    findings.lines(evidence);
    findings.machine(evidence);
    findings.into_verdict(evidence)
}

#[derive(Default)]
struct Findings {
    /// Those that concern the whole run.
    grave: Vec<(Status, String)>,
    /// Those of few seconds.
    few: Vec<String>,
}

impl Findings {
    fn push(&mut self, status: Status, reason: String) {
        self.grave.push((status, reason));
    }

    /// What was found in some seconds; `say` gets the figure at worst.
    fn in_seconds(
        &mut self,
        watched: &Watched,
        cause: Cause,
        say: impl Fn(f64) -> (String, &'static str),
    ) {
        let found = watched.found(cause);
        if found.seconds == 0 {
            return;
        }
        let (what, cure) = say(found.worst);
        let all = watched.judged.count();
        let seconds = format!("in {} of {}, {what}", found.seconds, seconds(all));
        match watched.is_doubted_for(cause.status()) {
            true => self.push(cause.status(), format!("{seconds}; {cure}")),
            false => self.few.push(format!(
                "{seconds}: too few seconds to doubt the run, but its slowest {} of requests may be theirs",
                percent(found.seconds as f64 / all.max(1) as f64)
            )),
        }
    }

    fn silence(&mut self, evidence: &Evidence) {
        let Some(silence) = evidence.silence else {
            return;
        };
        let until_then = silence.answers_per_s.map(|rate| {
            format!(
                "until then {}/s, p99 {}",
                three(rate),
                show(silence.p99_ns as f64 / 1e3)
            )
        });
        let open = match silence.open {
            1 => "1 request".to_owned(),
            open => format!("{open} requests"),
        };
        let reason = match (silence.to_ns, until_then) {
            (None, Some(until_then)) => format!(
                "no answer from {} on, with {open} open at the end; {until_then}: the server hung, and what is measured after that is how long it was waited for; look at its log at that time",
                at(silence.from_ns)
            ),
            (Some(to_ns), Some(until_then)) => format!(
                "no answer from {} to {}; {until_then}: the server hung, and what is measured of that time is how long it was waited for; look at its log at that time",
                at(silence.from_ns),
                at(to_ns)
            ),
            (_, None) => format!(
                "no answer at all, with {open} open at the end: the server accepts connections and does not answer; try one request (opsurge request)"
            ),
        };
        self.push(Status::NoProgress, reason);
    }

    /// What this process itself was the limit of.
    fn generator(&mut self, evidence: &Evidence) {
        let watched = &evidence.watched;
        self.in_seconds(watched, Cause::Busy, |worst| {
            let what = format!(
                "a shard worked more than {} of the time (at worst {})",
                percent(BUSY_MAX),
                percent(worst)
            );
            let cure =
                "a faster server would not have shown; give it more cores, or ask less of it";
            (what, cure)
        });
        self.in_seconds(watched, Cause::LongTurns, |worst| {
            let what = format!(
                "requests left late while a turn of the generator's own work took up to {}",
                show(worst / 1e3)
            );
            (what, "give it more cores, or fewer users for each")
        });
        if evidence.overflows > 0 {
            let reason = format!(
                "the completion queue overflowed in {} turns: answers were seen late; give it more cores, or fewer users for each",
                evidence.overflows
            );
            self.push(Status::GeneratorLimited, reason);
        }
        if evidence.client_limits > 0 {
            let reason = format!(
                "{} requests failed by this machine's own limits (descriptors, ports, memory); the failures say which",
                evidence.client_limits
            );
            self.push(Status::GeneratorLimited, reason);
        }
        if evidence.debug_build {
            let reason = "a debug build: its figures are not to be quoted; use --release".into();
            self.push(Status::GeneratorLimited, reason);
        }
    }

    /// Lateness by itself says nothing about who is to blame; and with few requests, nothing at all.
    fn lateness(&mut self, evidence: &Evidence) {
        let free_us = LATE_NS as f64 / 1e3;
        let lateness_max_us = free_us.max(LATENESS_SHARE_MAX * evidence.response_p99_us);
        let is_late = evidence.requests >= REQUESTS_MIN
            && evidence.client_p99_us > lateness_max_us
            && lines_were_short(evidence);
        if !is_late {
            return;
        }
        let late = format!(
            "requests left late: 1 % of them more than {} after they were due",
            show(evidence.client_p99_us)
        );
        let by_itself = share(evidence.watched.late_by_itself, evidence.requests);
        let (status, reason) = match by_itself > LATE_SHARE_MAX {
            true => (
                Status::GeneratorLimited,
                format!("{late}, by the generator's own work; give it more cores, or fewer users"),
            ),
            false => (
                Status::MachineDisturbed,
                format!(
                    "{late}, and not by the generator's own work: the machine let it wait; give it cores that nothing else uses"
                ),
            ),
        };
        self.push(status, reason);
    }

    fn arrivals(&mut self, evidence: &Evidence) {
        let arrivals = &evidence.arrivals;
        if evidence.is_search {
            return;
        }
        let missing = share(arrivals.never_begun, arrivals.due);
        let waited = share(arrivals.waited, arrivals.due);
        if missing > MISSING_SHARE_MAX {
            let reason = format!(
                "{} of {} iterations that were due were never begun ({}), and the response times do not show their wait: {}",
                arrivals.never_begun,
                arrivals.due,
                percent(missing),
                self.why_not_begun(evidence)
            );
            self.push(Status::RateNotMet, reason);
        } else if waited > WAITED_SHARE_MAX {
            let reason = format!(
                "{} of iterations waited for a free user, and the response times contain that wait: {}",
                percent(waited),
                self.why_not_begun(evidence)
            );
            self.push(Status::ConnectionsLimited, reason);
        }
    }

    /// Why an iteration that was due found no free user, and what to do.
    fn why_not_begun(&self, evidence: &Evidence) -> String {
        let arrivals = &evidence.arrivals;
        let users_max = arrivals.users_max;
        let is_own = |(status, _): &(Status, String)| *status == Status::GeneratorLimited;
        let is_own = evidence.watched.is_doubted_for(Status::GeneratorLimited)
            || (!evidence.debug_build && self.grave.iter().any(is_own));
        let needed = arrivals.iteration_s.map(|s| arrivals.rate * s);
        match needed {
            _ if evidence.silence.is_some() => {
                "the users waited for a server that did not answer".into()
            }
            _ if is_own => "the generator itself was the limit (see above)".into(),
            _ if evidence.watched.is_doubted_for(Status::MachineDisturbed) => {
                "the generator wanted to run and could not (see below)".into()
            }
            _ if share(evidence.waited_in_line, evidence.requests) > WAITED_SHARE_MAX => {
                "the users waited for a free connection; give more --connections".into()
            }
            Some(needed) if needed > users_max as f64 => format!(
                "{}/s x {} s for an iteration needs {} users, {users_max} are allowed: give -u {}; if iterations then take longer, the service is at its limit",
                three(arrivals.rate),
                three(arrivals.iteration_s.unwrap_or(0.0)),
                needed.ceil(),
                two_digits_up(needed)
            ),
            _ if arrivals.users_left > 0 => format!(
                "{} users left because a request failed (on_failure), and those who took their seats had to get ready first; look at the failures, or give more than -u {users_max}",
                arrivals.users_left
            ),
            _ => format!(
                "all users were under way or getting ready at times, though the service was quick enough on average; give more than -u {users_max}"
            ),
        }
    }

    fn lines(&mut self, evidence: &Evidence) {
        let waited = share(evidence.waited_in_line, evidence.requests);
        if waited > WAITED_SHARE_MAX {
            let reason = format!(
                "{:.0} % of requests waited in line for a connection, and the response times contain that wait; give more --connections",
                (waited * 100.0).min(100.0)
            );
            self.push(Status::ConnectionsLimited, reason);
        }
    }

    /// What kept the generator from running when it wanted to.
    fn machine(&mut self, evidence: &Evidence) {
        let watched = &evidence.watched;
        self.in_seconds(watched, Cause::CoreTaken, |worst| {
            let what = format!(
                "other programs had a shard's core for up to {} of the time that it wanted to run",
                percent(worst)
            );
            (
                what,
                "stop them, or give the generator cores of its own (taskset)",
            )
        });
        self.in_seconds(watched, Cause::Stolen, |worst| {
            let what = format!(
                "the hypervisor gave more than {} of this machine's time to others (at worst {})",
                percent(STEAL_MAX),
                percent(worst)
            );
            (what, "use a machine that is not shared")
        });
        self.in_seconds(watched, Cause::Throttled, |worst| {
            let what = format!(
                "the CPU quota of this process's control group stopped it, for up to {}",
                show(worst / 1e3)
            );
            (what, "give it more, or fewer --shards")
        });
        self.in_seconds(watched, Cause::Stopped, |worst| {
            let what = format!(
                "the generator did not run for up to {} at a time: it was stopped, or the machine had no time for it",
                show(worst / 1e3)
            );
            (what, "what came meanwhile was seen late; run it again")
        });
        if evidence.cores_shared {
            let reason = "generator and target, or several shards, share a core: each measures the other; give each a core of its own".into();
            self.push(Status::MachineDisturbed, reason);
        }
    }

    fn into_verdict(mut self, evidence: &Evidence) -> Verdict {
        // Stable: findings of one status stay in the order in which they were made.
        self.grave.sort_by_key(|(status, _)| *status);
        let status = self.grave.first().map(|(status, _)| *status);
        let mut reasons: Vec<String> = self.grave.into_iter().map(|(_, reason)| reason).collect();
        if status.is_none() {
            reasons.push(what_it_rests_on(evidence));
        } else if evidence.requests < REQUESTS_MIN && evidence.watched.late > 0 {
            reasons.push(late_count(evidence));
        }
        reasons.extend(self.few);
        Verdict {
            status: status.unwrap_or(Status::Valid),
            reasons,
        }
    }
}

/// What leaves late has not waited in a line for it.
fn lines_were_short(evidence: &Evidence) -> bool {
    let for_connection = share(evidence.waited_in_line, evidence.requests);
    let for_user = share(evidence.arrivals.waited, evidence.arrivals.due);
    for_connection.max(for_user) < WAITED_SHARE_MAX / 2.0 && !evidence.watched.lines_are_long()
}

fn what_it_rests_on(evidence: &Evidence) -> String {
    let busy = format!("busiest shard {:.0} % busy", evidence.busiest * 100.0);
    let turns = format!("99 % of turns within {}", show(evidence.turn_p99_us));
    if evidence.requests == 0 {
        return "no request had an outcome: nothing was measured".into();
    }
    if evidence.requests < REQUESTS_MIN {
        return format!(
            "{} requests: enough to see failures, too few for percentiles; {}, {busy}",
            evidence.requests,
            late_count(evidence)
        );
    }
    match lines_were_short(evidence) {
        true => format!(
            "{busy}, 99 % of requests left within {} of their time, {turns}",
            show(evidence.client_p99_us)
        ),
        false => format!("{busy}, {turns}; what left late had waited for a connection or a user"),
    }
}

/// `3 of 30 left more than 1 ms late`.
fn late_count(evidence: &Evidence) -> String {
    format!(
        "{} of {} left more than 1 ms late",
        evidence.watched.late, evidence.requests
    )
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn percent(share: f64) -> String {
    match share < 0.01 {
        true => format!("{:.2} %", share * 100.0),
        false => format!("{:.0} %", share * 100.0),
    }
}

fn seconds(count: u64) -> String {
    match count {
        1 => "1 second".into(),
        _ => format!("{count} seconds"),
    }
}

/// A moment of the run.
fn at(ns: u64) -> String {
    format!("{:.1} s", ns as f64 / 1e9)
}

fn show(us: f64) -> String {
    match us < 1_000.0 {
        true => format!("{us:.0} us"),
        false => format!("{:.2} ms", us / 1_000.0),
    }
}

/// To about three digits: `1250`, `12.5`, `0.200`.
fn three(value: f64) -> String {
    let digits = match value {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        value if value >= 1.0 => 2,
        value if value >= 0.1 => 3,
        _ => 4,
    };
    format!("{value:.digits$}")
}

/// The next number that needs no more than two digits: 1100 for 1050.
fn two_digits_up(value: f64) -> u64 {
    let unit = 10f64.powf((value.max(1.0).log10().floor() - 1.0).max(0.0));
    ((value / unit).ceil() * unit) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::seconds::tests::{calm_second, watched};
    use crate::metrics::effort::CoreWait;
    use crate::metrics::interval::Interval;

    const MS: u64 = 1_000_000;

    fn calm() -> Evidence {
        Evidence {
            watched: watched(20, |_, _| {}),
            busiest: 0.5,
            turn_p99_us: 120.0,
            client_p99_us: 80.0,
            response_p99_us: 900.0,
            requests: 2_000,
            ..Evidence::default()
        }
    }

    fn check(evidence: &Evidence, status: Status, reason: &str) {
        let verdict = judge(evidence);
        assert_eq!(verdict.status, status, "{verdict:?}");
        assert!(verdict.reasons[0].contains(reason), "{verdict:?}");
    }

    fn with(change: impl FnOnce(&mut Evidence)) -> Evidence {
        let mut evidence = calm();
        change(&mut evidence);
        evidence
    }

    /// A run of so many seconds, of which the first `bad` are changed.
    fn run_with(seconds: u64, bad: u64, change: impl Fn(&mut Interval)) -> Evidence {
        with(|e| {
            e.watched = watched(seconds, |second, interval| {
                if second < bad {
                    change(interval);
                }
            });
        })
    }

    #[test]
    fn a_calm_run_is_valid_and_says_why() {
        check(&calm(), Status::Valid, "50 % busy");
        assert_eq!(judge(&calm()).reasons.len(), 1);
    }

    #[test]
    fn what_is_true_of_the_whole_run_has_its_status_its_figure_and_a_cure() {
        let limited = Status::GeneratorLimited;
        check(&with(|e| e.overflows = 3), limited, "in 3 turns");
        check(&with(|e| e.client_limits = 9), limited, "9 requests");
        check(&with(|e| e.debug_build = true), limited, "use --release");
        let connections = Status::ConnectionsLimited;
        check(
            &with(|e| e.waited_in_line = 21),
            connections,
            "--connections",
        );
        check(&with(|e| e.waited_in_line = 20), Status::Valid, "50 %");
        let disturbed = Status::MachineDisturbed;
        check(&with(|e| e.cores_shared = true), disturbed, "share a core");
    }

    #[test]
    fn more_than_one_second_in_twenty_concerns_the_run_and_fewer_are_listed() {
        let busy = |interval: &mut Interval| interval.working_ns = 950 * MS;
        let taken = |interval: &mut Interval| {
            interval.effort.core = CoreWait {
                waited_ns: 300 * MS,
                wanted_ns: 600 * MS,
            };
        };
        let stopped = |interval: &mut Interval| interval.effort.stopped_ns_max = 400 * MS;
        let disturbed = Status::MachineDisturbed;
        check(
            &run_with(20, 2, busy),
            Status::GeneratorLimited,
            "in 2 of 20 seconds, a shard worked more than 90 % of the time (at worst 95 %)",
        );
        check(
            &run_with(20, 2, taken),
            disturbed,
            "other programs had a shard's core for up to 50 %",
        );
        check(
            &run_with(20, 2, stopped),
            disturbed,
            "did not run for up to 400.00 ms",
        );
        for change in [&busy as &dyn Fn(&mut Interval), &taken, &stopped] {
            for (seconds, share) in [(20, "slowest 5 %"), (200, "slowest 0.50 %")] {
                let verdict = judge(&run_with(seconds, 1, change));
                assert_eq!(verdict.status, Status::Valid, "{verdict:?}");
                let [rests_on, listed] = &verdict.reasons[..] else {
                    panic!("two reasons: {verdict:?}");
                };
                assert!(rests_on.contains("50 % busy"), "{verdict:?}");
                assert!(
                    listed.starts_with(&format!("in 1 of {seconds} seconds")),
                    "{listed}"
                );
                assert!(listed.contains(share), "{listed}");
            }
        }
    }

    #[test]
    fn with_thirty_requests_lateness_is_a_count_and_no_evidence() {
        let few = |late: u64| {
            with(|e| {
                e.watched = watched(3, |_, interval| {
                    interval.steps[0].requests = 10;
                    interval.effort.late = late;
                });
                (e.requests, e.client_p99_us) = (30, 25_000.0);
            })
        };
        check(
            &few(1),
            Status::Valid,
            "30 requests: enough to see failures, too few for percentiles; 3 of 30 left more than 1 ms late",
        );
        check(&few(0), Status::Valid, "0 of 30 left more than 1 ms late");
        // Beside another reason, the count is listed too.
        let verdict = judge(&Evidence {
            cores_shared: true,
            ..few(1)
        });
        assert_eq!(verdict.status, Status::MachineDisturbed);
        assert_eq!(verdict.reasons[1], "3 of 30 left more than 1 ms late");
    }

    #[test]
    fn lateness_blames_the_generator_only_for_its_own_work() {
        let late = |turn_ns_max: u64, requests: u64| {
            with(|e| {
                e.watched = watched(20, |_, interval| {
                    interval.effort.late = 10;
                    interval.effort.turn_ns_max = turn_ns_max;
                });
                (e.requests, e.client_p99_us) = (requests, 2_500.0);
            })
        };
        check(
            &late(2 * MS, 2_000),
            Status::GeneratorLimited,
            "requests left late while a turn of the generator's own work took up to 2.00 ms",
        );
        check(
            &late(MS / 10, 2_000),
            Status::MachineDisturbed,
            "more than 2.50 ms after they were due, and not by the generator's own work",
        );
        check(&late(MS / 10, 999), Status::Valid, "999 requests");
        let slow_service = Evidence {
            response_p99_us: 25_000.0,
            ..late(MS / 10, 2_000)
        };
        check(&slow_service, Status::Valid, "50 % busy");
    }

    #[test]
    fn what_waited_for_a_connection_to_open_left_late_by_no_fault_of_the_generators() {
        let evidence = with(|e| {
            e.watched = watched(20, |_, interval| {
                interval.effort.late = 100;
                interval.effort.slow_connects = 100;
            });
            e.client_p99_us = 20_000.0;
        });
        check(&evidence, Status::Valid, "had waited for a connection");
    }

    fn open(change: impl FnOnce(&mut Arrivals)) -> Evidence {
        with(|e| {
            e.arrivals = Arrivals {
                due: 10_000,
                never_begun: 2_000,
                waited: 4_000,
                rate: 500.0,
                iteration_s: Some(0.01),
                users_max: 100,
                users_left: 0,
            };
            change(&mut e.arrivals);
        })
    }

    #[test]
    fn a_rate_that_is_not_met_names_its_cause() {
        let not_met = Status::RateNotMet;
        let slow = open(|a| a.iteration_s = Some(2.1));
        check(
            &slow,
            not_met,
            "2000 of 10000 iterations that were due were never begun (20 %)",
        );
        check(
            &slow,
            not_met,
            "500/s x 2.10 s for an iteration needs 1050 users, 100 are allowed: give -u 1100",
        );
        check(
            &open(|a| a.users_left = 7),
            not_met,
            "7 users left because a request failed",
        );
        check(&open(|_| {}), not_met, "give more than -u 100");
        let line = Evidence {
            waited_in_line: 500,
            ..open(|_| {})
        };
        check(&line, not_met, "give more --connections");
        // The wait is part of an iteration's time: more users would only make the line longer.
        let slow_line = Evidence {
            waited_in_line: 500,
            ..open(|a| a.iteration_s = Some(2.1))
        };
        check(
            &slow_line,
            not_met,
            "the users waited for a free connection",
        );
        let hung = Evidence {
            silence: Some(silence(None)),
            ..open(|a| a.iteration_s = Some(9.0))
        };
        let verdict = judge(&hung);
        assert_eq!(verdict.status, Status::NoProgress);
        assert!(
            verdict.reasons[1].contains("a server that did not answer"),
            "{verdict:?}"
        );
        let own = Evidence {
            watched: run_with(20, 20, |interval| interval.working_ns = 990 * MS).watched,
            ..open(|a| a.iteration_s = Some(2.1))
        };
        let verdict = judge(&own);
        assert_eq!(verdict.status, Status::GeneratorLimited);
        assert!(
            verdict.reasons[1].contains("the generator itself was the limit"),
            "{verdict:?}"
        );
    }

    #[test]
    fn one_in_a_thousand_may_be_missing_and_one_in_a_hundred_may_wait() {
        let of = |never_begun, waited| {
            open(|a| (a.never_begun, a.waited, a.iteration_s) = (never_begun, waited, Some(1.0)))
        };
        check(&of(10, 0), Status::Valid, "50 % busy");
        check(&of(11, 0), Status::RateNotMet, "11 of 10000");
        check(&of(0, 100), Status::Valid, "50 % busy");
        check(
            &of(0, 101),
            Status::ConnectionsLimited,
            "1 % of iterations waited for a free user",
        );
        let search = Evidence {
            is_search: true,
            ..of(2_000, 4_000)
        };
        check(&search, Status::Valid, "50 % busy");
    }

    fn silence(to_ns: Option<u64>) -> Silence {
        Silence {
            from_ns: 4_000 * MS,
            to_ns,
            open: 10,
            answers_per_s: Some(1_250.0),
            p99_ns: 8 * MS,
        }
    }

    #[test]
    fn a_server_that_hung_is_the_first_thing_said() {
        let hung = |silence| {
            with(|e| {
                e.silence = Some(silence);
                e.debug_build = true;
            })
        };
        let no = Status::NoProgress;
        check(
            &hung(silence(None)),
            no,
            "no answer from 4.0 s on, with 10 requests open at the end; until then 1250/s, p99 8.00 ms",
        );
        check(
            &hung(silence(Some(11_000 * MS))),
            no,
            "no answer from 4.0 s to 11.0 s; until then 1250/s",
        );
        let never = Silence {
            answers_per_s: None,
            ..silence(None)
        };
        check(&hung(never), no, "no answer at all");
    }

    #[test]
    fn the_gravest_finding_is_the_status_and_all_are_listed_by_gravity() {
        let evidence = with(|e| {
            e.cores_shared = true;
            e.waited_in_line = 1_000;
            e.arrivals.due = 100;
            e.arrivals.never_begun = 50;
            e.client_limits = 1;
            e.silence = Some(silence(None));
        });
        let verdict = judge(&evidence);
        assert_eq!(verdict.status, Status::NoProgress);
        let begins = [
            "no answer",
            "1 requests failed",
            "50 of 100",
            "50 % of requests",
            "generator and target",
        ];
        let given: Vec<&String> = verdict.reasons.iter().collect();
        assert_eq!(given.len(), begins.len(), "{given:?}");
        for (reason, begin) in given.iter().zip(begins) {
            assert!(reason.starts_with(begin), "{reason} / {begin}");
        }
    }

    #[test]
    fn a_run_without_an_outcome_has_measured_nothing() {
        let evidence = with(|e| {
            e.watched = watched(3, |_, interval| *interval = calm_second(0));
            e.requests = 0;
        });
        check(&evidence, Status::Valid, "nothing was measured");
    }

    #[test]
    fn users_to_give_are_rounded_up_to_two_digits() {
        for (needed, given) in [
            (0.2, 1),
            (7.2, 8),
            (80.0, 80),
            (1_050.0, 1_100),
            (99_001.0, 100_000),
        ] {
            assert_eq!(two_digits_up(needed), given, "{needed}");
        }
    }
}
