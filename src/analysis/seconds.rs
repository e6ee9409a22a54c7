//! Each second of a run, judged when it is complete: the causes of doubt, how often each was found, and its worst figure.
//!
//! [`judge_second`] is a function of one second's evidence. [`Watched`] adds up its findings, and keeps what only several
//! seconds show: silence ([`Silence`]), and how long an iteration takes. Nothing here grows with the run.

use crate::metrics::effort::{Effort, LATE_NS};
use crate::metrics::interval::{ArrivalsSoFar, Interval};
use crate::metrics::latencies::Latencies;
use crate::metrics::seconds::{Causes, Seconds, Status};

use super::silence::{Silence, Silences};

pub use crate::metrics::seconds::Cause;

/// Largest share of a second that a shard may work. Above it the shard has no reserve: what it measures may be its own
/// queue.
pub const BUSY_MAX: f64 = 0.90;
/// Largest share of the time in which a shard was ready to run that other programs may have had its core.
pub const CORE_WAITED_MAX: f64 = 0.20;
/// Largest share of the machine's time that the hypervisor may give to others.
pub const STEAL_MAX: f64 = 0.05;
/// Longest time without CPU quota that delays nothing noticeably.
pub const THROTTLED_US_MAX: u64 = LATE_NS / 1_000;
/// Longest time that a shard may not run. Beyond it the shard was stopped: answers that came meanwhile were seen late.
pub const STOPPED_NS_MAX: u64 = 100_000_000;
/// Largest share of requests that may leave late.
pub const LATE_SHARE_MAX: f64 = 0.01;
/// Fewer late requests than this may be chance.
pub const LATE_MIN: u64 = 10;
/// Lateness alone is no evidence with fewer requests than this.
pub const REQUESTS_MIN: u64 = 1_000;
/// Largest lateness, as a share of the latency reported with it.
pub const LATENESS_SHARE_MAX: f64 = 0.10;
/// Largest share of requests that may wait in line.
pub const WAITED_SHARE_MAX: f64 = 0.01;
/// Iterations due in the last moment of a second, which may not be begun in it whatever their share.
pub const BEHIND_MIN: u64 = 5;
/// A shorter stretch has too few requests for shares.
const STRETCH_NS_MIN: u64 = 500_000_000;
const SECOND_NS: u64 = 1_000_000_000;

/// How often a cause was found, and how badly.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Found {
    /// Seconds in which it was found.
    pub seconds: u64,
    /// The worst figure, in the unit of [`Causes`].
    pub worst: f64,
}

/// What one second is judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SecondEvidence {
    /// Its length.
    pub length_ns: u64,
    /// Time that the busiest shard worked.
    pub working_ns: u64,
    /// The work of the shards.
    pub effort: Effort,
    /// Requests with an outcome.
    pub requests: u64,
    /// 99th percentile of the response times.
    pub response_p99_ns: u64,
    /// Waiting in lines, or for connections to open, is frequent enough to explain requests that left late.
    pub lines_are_long: bool,
    /// Iterations of an open load that were due in it.
    pub due: u64,
    /// Iterations of an open load that were dropped in it, or stand in line at its end.
    pub behind: u64,
    /// Share of the machine's time that the hypervisor gave to others, if known.
    pub steal_share: Option<f64>,
    /// Time in which the quota of CPU time was used up.
    pub throttled_us: u64,
}

/// The causes of doubt in a second, each with its figure.
pub fn judge_second(second: &SecondEvidence) -> Vec<(Cause, f64)> {
    let mut found = Vec::new();
    let effort = &second.effort;
    let length_ns = second.length_ns.max(1) as f64;
    let busy = second.working_ns as f64 / length_ns;
    if busy > BUSY_MAX {
        found.push((Cause::Busy, busy.min(1.0)));
    }
    let core_waited = effort.core.share();
    if core_waited > CORE_WAITED_MAX {
        found.push((Cause::CoreTaken, core_waited));
    }
    let steal_share = second.steal_share.unwrap_or(0.0);
    if steal_share > STEAL_MAX {
        found.push((Cause::Stolen, steal_share));
    }
    if second.throttled_us > THROTTLED_US_MAX {
        found.push((Cause::Throttled, second.throttled_us as f64 * 1e3));
    }
    if effort.stopped_ns_max > STOPPED_NS_MAX {
        found.push((Cause::Stopped, effort.stopped_ns_max as f64));
    }
    // The machine may have taken its time in the middle of the longest turn. Stolen time is counted in ticks of 10 ms:
    // below the limit it is a tick or two at most, and excuses nothing.
    let stolen_ns = match steal_share > STEAL_MAX {
        true => (steal_share * length_ns) as u64,
        false => 0,
    };
    let taken_ns = stolen_ns + second.throttled_us * 1_000;
    let own_turn_ns = effort.turn_ns_max.saturating_sub(taken_ns);
    let harmless_ns = LATE_NS.max((second.response_p99_ns as f64 * LATENESS_SHARE_MAX) as u64);
    let is_late = effort.late >= LATE_MIN
        && share(effort.late, second.requests) > LATE_SHARE_MAX
        && !second.lines_are_long;
    if is_late && own_turn_ns > harmless_ns {
        found.push((Cause::LongTurns, own_turn_ns as f64));
    }
    if second.behind > BEHIND_MIN && share(second.behind, second.due) > WAITED_SHARE_MAX {
        found.push((Cause::Behind, second.behind as f64));
    }
    let in_line = share(effort.waited_in_line, second.requests);
    if in_line > WAITED_SHARE_MAX {
        found.push((Cause::InLine, in_line.min(1.0)));
    }
    found
}

/// How far a level of a search can be believed, by the seconds of its window: the same rule as for the seconds of a whole
/// run.
pub fn judge_seconds(judged: &Seconds) -> Status {
    let all = judged.count();
    let doubted = |status: &Status| share(judged[*status], all) > SECONDS_SHARE_MAX;
    Status::ALL
        .into_iter()
        .find(doubted)
        .unwrap_or(Status::Valid)
}

/// Largest share of seconds with a cause of doubt for which the whole is not doubted: a figure that leaves out the worst
/// 5 % cannot depend on them.
pub const SECONDS_SHARE_MAX: f64 = 0.05;

/// The seconds of a run, judged one after the other.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// All seconds, by the gravest status of each.
    pub judged: Seconds,
    /// By [`Cause`].
    found: [Found; Cause::ALL.len()],
    /// Seconds in which a cause of a status was found, even where a graver one was found too.
    with: Seconds,
    /// Requests with an outcome.
    pub requests: u64,
    /// Requests with an outcome that had left more than [`LATE_NS`] after they were due.
    pub late: u64,
    /// The part of `late` in seconds in which the generator was the limit.
    pub late_by_itself: u64,
    /// Requests that waited in line for a connection, or for one to open.
    held_up: u64,
    /// Iterations that stood in line for a user, counted at the end of each second.
    waiting: u64,
    silences: Silences,
    arrivals: ArrivalsSoFar,
    /// Users under way with an iteration, integrated over time.
    under_way_ns: f64,
}

/// The gravest status of the causes found in a second.
fn status_of(found: &[(Cause, f64)]) -> Status {
    let statuses = found.iter().map(|(cause, _)| cause.status());
    statuses.min().unwrap_or(Status::Valid)
}

impl Watched {
    /// Takes the next second and returns how far it can be believed, with the evidence. `is_load`: requests are still begun in it;
    /// `is_search`: overload is intended, so iterations that were not begun are no cause of doubt.
    pub fn on_second(
        &mut self,
        (begin_ns, end_ns): (u64, u64),
        (is_load, is_search): (bool, bool),
        interval: &Interval,
        steal_share: Option<f64>,
        throttled_us: u64,
    ) -> (Seconds, Causes) {
        let length_ns = end_ns.saturating_sub(begin_ns);
        let mut all = Latencies::default();
        let mut answers = 0;
        let mut requests = 0;
        for step in &interval.steps {
            all += &step.response;
            answers += step.answers;
            requests += step.requests;
        }
        let effort = interval.effort;
        self.requests += requests;
        self.late += effort.late;
        self.held_up += effort.waited_in_line + effort.slow_connects;
        self.waiting += interval.arrivals.waiting;
        let before = std::mem::replace(&mut self.arrivals, interval.arrivals);
        if is_load {
            self.under_way_ns += interval.arrivals.under_way as f64 * length_ns as f64;
            self.silences
                .on_second((begin_ns, end_ns), interval.in_flight, answers, &all);
        } else if interval.is_drain {
            self.silences.on_drain(end_ns, answers);
        }
        let due = interval.arrivals.due.saturating_sub(before.due);
        let dropped = interval.arrivals.dropped.saturating_sub(before.dropped);
        let mut found = judge_second(&SecondEvidence {
            length_ns,
            working_ns: interval.working_ns,
            effort,
            requests,
            response_p99_ns: (all.percentile_us(99.0) * 1e3) as u64,
            lines_are_long: self.lines_are_long(),
            due,
            behind: interval.arrivals.waiting + dropped,
            steal_share,
            throttled_us,
        });
        if is_search {
            found.retain(|(cause, _)| *cause != Cause::Behind);
        }
        if is_load && self.silences.is_silent() {
            found.push((Cause::Silent, interval.oldest_ns as f64));
        }
        // A stop makes an interval longer than a second, and it counts as several. The short rest at the end of a run
        // does not count.
        let seconds = match length_ns < STRETCH_NS_MIN && self.judged.count() > 0 {
            true => return <(Seconds, Causes)>::default(),
            false => ((length_ns + SECOND_NS / 2) / SECOND_NS).max(1),
        };
        // Seconds before and after the load are marked in the series, and do not count for the run.
        if is_load {
            self.count(seconds, effort.late, &found);
        }
        let mut judged = Seconds::default();
        judged[status_of(&found)] = seconds;
        let mut causes = Causes::default();
        for (cause, figure) in found {
            causes.add(cause, figure);
        }
        (judged, causes)
    }

    fn count(&mut self, seconds: u64, late: u64, found: &[(Cause, f64)]) {
        let status = status_of(found);
        if status == Status::GeneratorLimited {
            self.late_by_itself += late;
        }
        for status in Status::ALL {
            if found.iter().any(|(cause, _)| cause.status() == status) {
                self.with[status] += seconds;
            }
        }
        for &(cause, figure) in found {
            let known = &mut self.found[cause as usize];
            known.seconds += seconds;
            known.worst = known.worst.max(figure);
        }
        self.judged[status] += seconds;
    }

    /// How often a cause was found, and how badly.
    pub fn found(&self, cause: Cause) -> Found {
        self.found[cause as usize]
    }

    /// Whether causes of a status were found in more than [`SECONDS_SHARE_MAX`] of the seconds.
    pub fn is_doubted_for(&self, status: Status) -> bool {
        share(self.with[status], self.judged.count()) > SECONDS_SHARE_MAX
    }

    /// Whether waiting in lines, or for connections to open, explains requests that left late: then the generator is not
    /// the cause.
    pub fn lines_are_long(&self) -> bool {
        let held_up = share(self.held_up, self.requests);
        held_up.max(share(self.waiting, self.arrivals.due)) > WAITED_SHARE_MAX / 2.0
    }

    /// Mean time that an iteration of an open load takes a user, in seconds (Little's law: users under way, integrated
    /// over time, by iterations that are over); `None` before the first is over.
    pub fn iteration_s(&self) -> Option<f64> {
        let over = self.arrivals.begun.saturating_sub(self.arrivals.under_way);
        (over > 0).then(|| self.under_way_ns / over as f64 / 1e9)
    }

    /// The worst silence of the server in a load that ended at `load_end_ns`, unless the service time of the whole run
    /// explains it.
    pub fn silence(&self, load_end_ns: u64, service_p99_ns: u64) -> Option<Silence> {
        self.silences.worst(load_end_ns, service_p99_ns)
    }
}

/// A part of a whole, from 0 to 1; 0 of nothing.
pub(super) fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
pub(super) mod tests;
