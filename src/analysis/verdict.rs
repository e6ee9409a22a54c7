//! Whether the figures of a run can be believed, and why.
//!
//! Each second is judged by itself ([`super::seconds`]). This judges the run: by what was found in more than 5 % of its
//! seconds, and by what is true of the whole. Findings in fewer seconds are listed and cast no doubt on the run: a figure
//! that leaves out the worst 5 % cannot depend on them.

use crate::metrics::effort::LATE_NS;
use crate::text::units::{counted, grouped, moment, percent, rate, three_digits, time};

use super::seconds::{
    BUSY_MAX, Cause, LATE_SHARE_MAX, LATENESS_SHARE_MAX, REQUESTS_MIN, STEAL_MAX, WAITED_SHARE_MAX,
    Watched, share,
};
use super::silence::Silence;

pub use crate::metrics::seconds::Status;

/// Largest share of due iterations of an open load that may never be begun: the last ones may always be missing.
pub const MISSING_SHARE_MAX: f64 = 0.001;

/// What a verdict is based on.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The judged seconds of the run.
    pub watched: Watched,
    /// A silence of the server.
    pub silence: Option<Silence>,
    /// Share of the time that the busiest shard was not asleep, 0 to 1.
    pub busiest: f64,
    /// 99th percentile of the lengths of turns, in microseconds.
    pub turn_p99_us: f64,
    /// 99th percentile of the times from when a request was due until it left, in microseconds.
    pub client_p99_us: f64,
    /// 99th percentile of the response times, in microseconds.
    pub response_p99_us: f64,
    /// Turns that found the completion queue overflowed.
    pub overflows: u64,
    /// Requests with an outcome.
    pub requests: u64,
    /// Requests that waited in line for a connection.
    pub waited_in_line: u64,
    /// The run is a search: overload is intended, so waiting is not held against it.
    pub is_search: bool,
    /// The iterations of an open load; all zero for a closed load.
    pub arrivals: Arrivals,
    /// Target and generator, or several shards, are on the same core.
    pub cores_shared: bool,
    /// Requests that failed by a limit of this machine.
    pub client_limits: u64,
    /// The program was compiled without optimisation.
    pub debug_build: bool,
}

/// The iterations of an open load: what became of them, and how long one takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Arrivals {
    /// Iterations whose time had come.
    pub due: u64,
    /// Due iterations that were dropped because the line was full, or still stood in it at the end.
    pub never_begun: u64,
    /// Due iterations that had to wait for a free user.
    pub waited: u64,
    /// Iterations due per second.
    pub rate: f64,
    /// Mean time that an iteration takes a user, in seconds, if known.
    pub iteration_s: Option<f64>,
    /// Most users at once.
    pub users_max: u64,
    /// Users that left because a request failed (`on_failure`).
    pub users_left: u64,
}

/// A status with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The gravest finding that concerns the run as a whole.
    pub status: Status,
    /// All findings, with figures and what to do; for a valid run, first the evidence for it.
    pub reasons: Vec<String>,
}

/// Judges a run by its evidence.
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
    /// Findings that concern the whole run.
    grave: Vec<(Status, String)>,
    /// Findings in few seconds.
    few: Vec<String>,
}

impl Findings {
    fn push(&mut self, status: Status, reason: String) {
        self.grave.push((status, reason));
    }

    /// Adds what was found in some seconds. `say` gets the worst figure, and gives the finding and its remedy.
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
        let seconds = format!(
            "in {} of {}, {what}",
            grouped(found.seconds),
            counted(all, "second")
        );
        match watched.is_doubted_for(cause.status()) {
            true => self.push(cause.status(), format!("{seconds}; {cure}")),
            false => self.few.push(format!(
                "{seconds}: too few seconds to doubt the run, but its slowest {} of requests may be theirs",
                percent(share(found.seconds, all))
            )),
        }
    }

    fn silence(&mut self, evidence: &Evidence) {
        let Some(silence) = evidence.silence else {
            return;
        };
        let until_then = silence.answers_per_s.map(|per_second| {
            format!(
                "until then {}, p99 {}",
                rate(per_second),
                time(silence.p99_ns as f64 / 1e3)
            )
        });
        let open = counted(silence.open, "request");
        let at = |ns: u64| moment(ns as f64 / 1e9);
        let from = at(silence.from_ns);
        let reason = match (silence.to_ns, until_then) {
            (None, Some(until_then)) => format!(
                "no answer from {from} on, with {open} open at the end; {until_then}: the server hung, and times after that only show how long was waited; look at its log at that time"
            ),
            (Some(to_ns), Some(until_then)) => format!(
                "no answer from {from} to {}; {until_then}: the server hung, and times of that stretch only show how long was waited; look at its log at that time",
                at(to_ns)
            ),
            (_, None) => format!(
                "no answer at all, with {open} open at the end: the server accepts connections and does not answer; try one request (opsurge request)"
            ),
        };
        self.push(Status::NoProgress, reason);
    }

    /// This process itself was the limit.
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
                time(worst / 1e3)
            );
            (what, "give it more cores, or fewer users for each")
        });
        if evidence.overflows > 0 {
            let reason = format!(
                "the completion queue overflowed in {}: answers were seen late; give it more cores, or fewer users for each",
                counted(evidence.overflows, "turn")
            );
            self.push(Status::GeneratorLimited, reason);
        }
        if evidence.client_limits > 0 {
            let reason = format!(
                "{} failed by this machine's own limits (descriptors, ports, memory); the failures say which",
                counted(evidence.client_limits, "request")
            );
            self.push(Status::GeneratorLimited, reason);
        }
        if evidence.debug_build {
            let reason = "a debug build: do not quote its figures; use --release".into();
            self.push(Status::GeneratorLimited, reason);
        }
    }

    /// Requests left late. Lateness alone does not show its cause, and with few requests it shows nothing.
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
            time(evidence.client_p99_us)
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
                    "{late}, and not by the generator's own work: the machine made it wait; give it cores that nothing else uses"
                ),
            ),
        };
        self.push(status, reason);
    }

    /// Iterations of an open load were not begun, or waited for a user.
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
                grouped(arrivals.never_begun),
                grouped(arrivals.due),
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
                "{} x {} s for an iteration needs {}, {} are allowed: give -u {}; if iterations then take longer, the service is at its limit",
                rate(arrivals.rate),
                three_digits(arrivals.iteration_s.unwrap_or(0.0)),
                counted(needed.ceil() as u64, "user"),
                grouped(users_max),
                two_digits_up(needed)
            ),
            _ if arrivals.users_left > 0 => format!(
                "{} left because a request failed (on_failure), and those that replaced them had to run their start steps first; look at the failures, or give more than -u {users_max}",
                counted(arrivals.users_left, "user")
            ),
            _ => format!(
                "all users were busy or in their start steps at times, though the service was quick enough on average; give more than -u {users_max}"
            ),
        }
    }

    /// Requests waited for a connection.
    fn lines(&mut self, evidence: &Evidence) {
        let waited = share(evidence.waited_in_line, evidence.requests);
        if waited > WAITED_SHARE_MAX {
            let reason = format!(
                "{} of requests waited in line for a connection, and the response times contain that wait; give more --connections",
                percent(waited.min(1.0))
            );
            self.push(Status::ConnectionsLimited, reason);
        }
    }

    /// The machine kept the generator from running.
    fn machine(&mut self, evidence: &Evidence) {
        let watched = &evidence.watched;
        self.in_seconds(watched, Cause::CoreTaken, |worst| {
            let what = format!(
                "other programs had a shard's core for up to {} of the time in which it was ready to run",
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
                time(worst / 1e3)
            );
            (what, "give it more, or fewer --shards")
        });
        self.in_seconds(watched, Cause::Stopped, |worst| {
            let what = format!(
                "the generator did not run for up to {} at a time: it was stopped, or the machine had no time for it",
                time(worst / 1e3)
            );
            (what, "answers that came meanwhile were seen late; run it again")
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
            reasons.push(basis(evidence));
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

/// Whether waiting in lines is too rare to explain requests that left late.
fn lines_were_short(evidence: &Evidence) -> bool {
    let for_connection = share(evidence.waited_in_line, evidence.requests);
    let for_user = share(evidence.arrivals.waited, evidence.arrivals.due);
    for_connection.max(for_user) < WAITED_SHARE_MAX / 2.0 && !evidence.watched.lines_are_long()
}

/// The evidence for a valid run.
fn basis(evidence: &Evidence) -> String {
    let busy = format!("busiest shard {} busy", percent(evidence.busiest));
    let turns = format!("99 % of turns within {}", time(evidence.turn_p99_us));
    if evidence.requests == 0 {
        return "no request had an outcome: nothing was measured".into();
    }
    if evidence.requests < REQUESTS_MIN {
        return format!(
            "{}: enough to see failures, too few for percentiles; {}, {busy}",
            counted(evidence.requests, "request"),
            late_count(evidence)
        );
    }
    match lines_were_short(evidence) {
        true => format!(
            "{busy}, 99 % of requests left within {} of their time, {turns}",
            time(evidence.client_p99_us)
        ),
        false => {
            format!(
                "{busy}, {turns}; requests that left late had waited for a connection or a user"
            )
        }
    }
}

/// `3 of 30 left more than 1 ms late`.
fn late_count(evidence: &Evidence) -> String {
    format!(
        "{} of {} left more than 1 ms late",
        grouped(evidence.watched.late),
        grouped(evidence.requests)
    )
}

/// The next number with at most two digits before its zeros: 1100 for 1050.
fn two_digits_up(value: f64) -> u64 {
    let unit = 10f64.powf((value.max(1.0).log10().floor() - 1.0).max(0.0));
    ((value / unit).ceil() * unit) as u64
}

#[cfg(test)]
mod tests;
