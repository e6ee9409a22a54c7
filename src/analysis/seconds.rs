//! Each second of a run judged when it is complete: what speaks against it, how often, and how badly at worst.
//!
//! [`judge_second`] is a function of one second's evidence; [`Watched`] adds up what it finds, and keeps what only a row
//! of seconds shows: silence ([`Silence`]), and how long an iteration takes. Nothing here grows with the run.

use crate::metrics::effort::{Effort, LATE_NS};
use crate::metrics::interval::{ArrivalsSoFar, Interval};
use crate::metrics::latencies::Latencies;
use crate::metrics::seconds::{Seconds, Status};

use super::silence::{Silence, Silences};

/// A shard that works for more of a second than this has no reserve: what it measures may be its own queue.
pub const BUSY_MAX: f64 = 0.90;
/// Share of the time that a shard wanted to run, in which others had its core.
pub const CORE_WAITED_MAX: f64 = 0.20;
/// Share of the machine's time that the hypervisor gave to others.
pub const STEAL_MAX: f64 = 0.05;
/// Time without CPU quota that delays nothing noticeably.
const THROTTLED_US_MAX: u64 = LATE_NS / 1_000;
/// A shard that did not run for longer than this, once, was stopped: what came meanwhile was seen late.
pub const STOPPED_NS_MAX: u64 = 100_000_000;
/// Requests that may leave late, of all.
pub const LATE_SHARE_MAX: f64 = 0.01;
/// Fewer than this may leave late by chance.
const LATE_MIN: u64 = 10;
/// Lateness alone is no evidence with fewer requests than this.
pub const REQUESTS_MIN: u64 = 1_000;
/// Lateness may be this share of the latency reported beside it.
pub const LATENESS_SHARE_MAX: f64 = 0.10;
/// Requests that waited in line, of all, for which the line is named.
pub const WAITED_SHARE_MAX: f64 = 0.01;
/// Iterations that are due in a second and not begun in it, beyond its share: those of its last moment.
const BEHIND_MIN: u64 = 5;
/// A stretch that is shorter has no shares of its own.
const STRETCH_NS_MIN: u64 = 500_000_000;
const SECOND_NS: u64 = 1_000_000_000;

/// What can speak against a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Requests have been open for long, and nothing comes back.
    Silent,
    /// A shard worked for nearly all of it.
    Busy,
    /// Requests left late, and the shard's own turns were long.
    LongTurns,
    /// Iterations that were due were not begun.
    Behind,
    /// Requests waited in line for a connection.
    InLine,
    /// Others had a shard's core while it wanted to run.
    CoreTaken,
    /// The hypervisor gave time to others.
    Stolen,
    /// The quota of CPU time was used up.
    Throttled,
    /// A shard did not run at all for some time.
    Stopped,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Silent,
        Self::Busy,
        Self::LongTurns,
        Self::Behind,
        Self::InLine,
        Self::CoreTaken,
        Self::Stolen,
        Self::Throttled,
        Self::Stopped,
    ];

    /// What a second is in which it was found.
    pub fn status(self) -> Status {
        match self {
            Self::Silent => Status::NoProgress,
            Self::Busy | Self::LongTurns => Status::GeneratorLimited,
            Self::Behind => Status::RateNotMet,
            Self::InLine => Status::ConnectionsLimited,
            Self::CoreTaken | Self::Stolen | Self::Throttled | Self::Stopped => {
                Status::MachineDisturbed
            }
        }
    }
}

/// How often a cause was found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Found {
    /// Seconds.
    pub seconds: u64,
    /// Its figure at worst: a share (0 to 1), nanoseconds, or a count.
    pub worst: f64,
}

/// What is known of one second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SecondEvidence {
    /// Its length.
    pub length_ns: u64,
    /// Time that the busiest shard worked.
    pub working_ns: u64,
    /// How the shards got on.
    pub effort: Effort,
    /// Requests with an outcome.
    pub requests: u64,
    /// 99 % of them took no longer, from when they were due.
    pub response_p99_ns: u64,
    /// So many requests wait in lines, or for connections to open, that those explain what leaves late.
    pub lines_are_long: bool,
    /// Of an open load: iterations that were due in it.
    pub due: u64,
    /// Those of them that are neither begun nor of its last moment.
    pub behind: u64,
    /// Share of the machine's time that the hypervisor gave to others, if known.
    pub steal_share: Option<f64>,
    /// Time in which the quota of CPU time was used up, in microseconds.
    pub throttled_us: u64,
}

/// What speaks against a second, with the figure.
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
    // What the machine took may have been taken in the middle of the longest turn. Stolen time is counted in ticks of
    // 10 ms: less than what disturbs is no more than a tick or two, and excuses nothing.
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

/// How far a level of a search is to be believed, by the seconds of its window: as [`super::verdict::judge`] does it for
/// a whole run.
pub fn judge_seconds(judged: &Seconds) -> Status {
    let all = judged.count();
    let doubted = |status: &Status| share(judged[*status], all) > SECONDS_SHARE_MAX;
    Status::ALL
        .into_iter()
        .find(doubted)
        .unwrap_or(Status::Valid)
}

/// Seconds of which something is said, of all, up to which the whole is not doubted for it: it is listed. A figure that
/// leaves out the worst 5 % cannot rest on them.
pub const SECONDS_SHARE_MAX: f64 = 0.05;

/// A run's seconds, watched one after the other.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// All of them, by the gravest that was found in each.
    pub judged: Seconds,
    /// By [`Cause`].
    found: [Found; Cause::ALL.len()],
    /// Those in which something of a status was found, graver things beside it or not.
    with: Seconds,
    /// Requests with an outcome.
    pub requests: u64,
    /// Those of them that had left more than [`LATE_NS`] after they were due.
    pub late: u64,
    /// Those again, in seconds in which the generator was the limit.
    pub late_by_itself: u64,
    /// Requests that waited in line for a connection, or for one to open.
    held_up: u64,
    /// Iterations that stood in line for a user, counted at the end of each second.
    waiting: u64,
    silences: Silences,
    arrivals: ArrivalsSoFar,
    /// Users that were under way with an iteration, times time.
    under_way_ns: f64,
}

/// The gravest status of what was found in a second.
fn status_of(found: &[(Cause, f64)]) -> Status {
    let statuses = found.iter().map(|(cause, _)| cause.status());
    statuses.min().unwrap_or(Status::Valid)
}

impl Watched {
    /// Takes the next second and says how far it is to be believed. `is_load` as long as something new is begun;
    /// `is_search` for a load that goes where the service is too slow.
    pub fn on_second(
        &mut self,
        (begin_ns, end_ns): (u64, u64),
        (is_load, is_search): (bool, bool),
        interval: &Interval,
        steal_share: Option<f64>,
        throttled_us: u64,
    ) -> Seconds {
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
            found.push((Cause::Silent, 0.0));
        }
        // A second is a second; a stop makes it longer, and what is left over at the end is none.
        let seconds = match length_ns < STRETCH_NS_MIN && self.judged.count() > 0 {
            true => return Seconds::default(),
            false => ((length_ns + SECOND_NS / 2) / SECOND_NS).max(1),
        };
        // Seconds before and after the load are marked in the series, and say nothing of the run.
        if is_load {
            self.count(seconds, effort.late, &found);
        }
        let mut judged = Seconds::default();
        judged[status_of(&found)] = seconds;
        judged
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

    /// How often a cause was found.
    pub fn found(&self, cause: Cause) -> Found {
        self.found[cause as usize]
    }

    /// More of the seconds than a run can have unharmed were of that status.
    pub fn is_doubted_for(&self, status: Status) -> bool {
        share(self.with[status], self.judged.count()) > SECONDS_SHARE_MAX
    }

    /// What leaves late has waited in a line, or for a connection to open, by no fault of the generator's clockwork.
    pub fn lines_are_long(&self) -> bool {
        let held_up = share(self.held_up, self.requests);
        held_up.max(share(self.waiting, self.arrivals.due)) > WAITED_SHARE_MAX / 2.0
    }

    /// Mean time that an iteration of an open load takes a user, in seconds (Little's law: users under way, over time,
    /// by iterations that are over); `None` when none is.
    pub fn iteration_s(&self) -> Option<f64> {
        let over = self.arrivals.begun.saturating_sub(self.arrivals.under_way);
        (over > 0).then(|| self.under_way_ns / over as f64 / 1e9)
    }

    /// The stretch in which nothing came back, if the load was over then, and if it means that the server hung.
    pub fn silence(&self, load_end_ns: u64, service_p99_ns: u64) -> Option<Silence> {
        self.silences.worst(load_end_ns, service_p99_ns)
    }
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::metrics::effort::CoreWait;

    const MS: u64 = 1_000_000;

    /// A second of so many requests, at half a shard's strength, with nothing wrong.
    pub fn calm_second(requests: u64) -> Interval {
        let mut interval = Interval::new(1);
        interval.working_ns = 500 * MS;
        interval.in_flight = 3;
        interval.effort.turn_ns_max = MS / 5;
        let step = &mut interval.steps[0];
        (step.requests, step.answers) = (requests, requests);
        (0..requests).for_each(|_| step.response.record(9 * MS / 10));
        interval
    }

    /// So many seconds of 100 requests each, each changed.
    pub fn watched(seconds: u64, change: impl Fn(u64, &mut Interval)) -> Watched {
        let mut watched = Watched::default();
        for second in 0..seconds {
            let mut interval = calm_second(100);
            change(second, &mut interval);
            let place = (second * SECOND_NS, (second + 1) * SECOND_NS);
            watched.on_second(place, (true, false), &interval, Some(0.01), 0);
        }
        watched
    }

    fn calm() -> SecondEvidence {
        SecondEvidence {
            length_ns: SECOND_NS,
            working_ns: 500 * MS,
            requests: 1_000,
            response_p99_ns: MS,
            effort: Effort {
                turn_ns_max: MS / 5,
                ..Effort::default()
            },
            ..SecondEvidence::default()
        }
    }

    /// What is found in a calm second that was changed.
    fn causes(change: impl FnOnce(&mut SecondEvidence)) -> Vec<Cause> {
        let mut second = calm();
        change(&mut second);
        let found = judge_second(&second);
        found.into_iter().map(|(cause, _)| cause).collect()
    }

    #[test]
    fn each_threshold_has_two_sides() {
        assert_eq!(causes(|_| {}), []);
        assert_eq!(causes(|s| s.working_ns = 900 * MS), []);
        assert_eq!(causes(|s| s.working_ns = 901 * MS), [Cause::Busy]);
        let core = |waited_ns, wanted_ns| {
            causes(|s| {
                s.effort.core = CoreWait {
                    waited_ns,
                    wanted_ns,
                }
            })
        };
        assert_eq!(core(100 * MS, 500 * MS), []);
        assert_eq!(core(101 * MS, 500 * MS), [Cause::CoreTaken]);
        // Waits that could make nothing late, of a shard that hardly ran.
        assert_eq!(core(MS, MS + MS / 2), []);
        assert_eq!(causes(|s| s.steal_share = Some(0.05)), []);
        assert_eq!(causes(|s| s.steal_share = Some(0.06)), [Cause::Stolen]);
        assert_eq!(causes(|s| s.throttled_us = 1_000), []);
        assert_eq!(causes(|s| s.throttled_us = 1_001), [Cause::Throttled]);
        assert_eq!(causes(|s| s.effort.stopped_ns_max = 100 * MS), []);
        assert_eq!(
            causes(|s| s.effort.stopped_ns_max = 101 * MS),
            [Cause::Stopped]
        );
        assert_eq!(causes(|s| s.effort.waited_in_line = 10), []);
        assert_eq!(causes(|s| s.effort.waited_in_line = 11), [Cause::InLine]);
        assert_eq!(causes(|s| (s.due, s.behind) = (1_000, 10)), []);
        assert_eq!(causes(|s| (s.due, s.behind) = (1_000, 11)), [Cause::Behind]);
        assert_eq!(causes(|s| (s.due, s.behind) = (10, 5)), []);
    }

    #[test]
    fn late_requests_are_the_generators_fault_only_beside_long_turns_of_its_own() {
        let late = |late, turn_ns_max, change: fn(&mut SecondEvidence)| {
            causes(|s| {
                (s.effort.late, s.effort.turn_ns_max) = (late, turn_ns_max);
                change(s);
            })
        };
        assert_eq!(late(11, 2 * MS, |_| {}), [Cause::LongTurns]);
        assert_eq!(late(10, 2 * MS, |_| {}), [], "1 % may");
        assert_eq!(late(500, MS, |_| {}), [], "no turn was long");
        assert_eq!(late(9, 2 * MS, |s| s.requests = 20), [], "by chance");
        assert_eq!(late(11, 2 * MS, |s| s.lines_are_long = true), []);
        // Of a slow service, it is a small part.
        assert_eq!(late(11, 2 * MS, |s| s.response_p99_ns = 21 * MS), []);
        // What the quota or the hypervisor took may have been taken in the middle of the turn.
        let throttled = late(11, 2 * MS, |s| s.throttled_us = 1_500);
        assert_eq!(throttled, [Cause::Throttled]);
        let stolen = late(11, 2 * MS, |s| s.steal_share = Some(0.06));
        assert_eq!(stolen, [Cause::Stolen]);
        let tick = late(11, 2 * MS, |s| s.steal_share = Some(0.01));
        assert_eq!(tick, [Cause::LongTurns]);
    }

    #[test]
    fn a_second_is_what_was_gravest_in_it_and_a_run_knows_everything() {
        let watched = watched(10, |second, interval| {
            if second < 2 {
                interval.working_ns = 990 * MS;
                interval.effort.stopped_ns_max = (second + 1) * 150 * MS;
            }
            if second == 5 {
                interval.effort.waited_in_line = 50;
            }
        });
        let judged = watched.judged;
        assert_eq!(judged[Status::GeneratorLimited], 2);
        assert_eq!(judged[Status::MachineDisturbed], 0);
        assert_eq!(judged[Status::ConnectionsLimited], 1);
        assert_eq!((judged[Status::Valid], judged.count()), (7, 10));
        let stopped = watched.found(Cause::Stopped);
        assert_eq!((stopped.seconds, stopped.worst), (2, 300e6));
        assert!(watched.is_doubted_for(Status::MachineDisturbed));
    }

    #[test]
    fn a_stretch_of_several_seconds_counts_as_many_and_a_short_rest_as_none() {
        let mut watched = Watched::default();
        let mut stopped = calm_second(10);
        (stopped.effort.stopped_ns_max, stopped.working_ns) = (2_000 * MS, 10 * MS);
        for (place, interval) in [
            ((0, SECOND_NS), &calm_second(10)),
            ((SECOND_NS, 4 * SECOND_NS), &stopped),
            ((4 * SECOND_NS, 4 * SECOND_NS + 300 * MS), &calm_second(10)),
        ] {
            watched.on_second(place, (true, false), interval, None, 0);
        }
        assert_eq!(watched.judged[Status::MachineDisturbed], 3);
        assert_eq!(watched.judged.count(), 4);
        // A run of less than that is judged all the same.
        let mut short = Watched::default();
        short.on_second((0, 50 * MS), (true, false), &stopped, None, 0);
        assert_eq!(short.judged[Status::MachineDisturbed], 1);
    }

    #[test]
    fn a_level_is_judged_as_a_run_is() {
        let of = |limited, valid| {
            let mut seconds = Seconds::default();
            seconds[Status::GeneratorLimited] = limited;
            seconds[Status::Valid] = valid;
            judge_seconds(&seconds)
        };
        assert_eq!(of(1, 19), Status::Valid);
        assert_eq!(of(1, 18), Status::GeneratorLimited);
        assert_eq!(judge_seconds(&Seconds::default()), Status::Valid);
    }

    #[test]
    fn an_iteration_takes_what_littles_law_says() {
        // 20 users under way, 40 iterations over each second: half a second each.
        let watched = watched(10, |second, interval| {
            interval.arrivals.under_way = 20;
            interval.arrivals.begun = 20 + 40 * (second + 1);
        });
        assert_eq!(watched.iteration_s(), Some(0.5));
    }

    #[test]
    fn the_seconds_of_a_silence_are_so_from_the_fifth_on() {
        let watched = watched(10, |second, interval| {
            if second >= 2 {
                *interval = calm_second(0);
            }
        });
        assert_eq!(watched.judged[Status::NoProgress], 4);
        let silence = watched.silence(10 * SECOND_NS, MS).expect("eight seconds");
        assert_eq!(silence.from_ns, 2 * SECOND_NS);
    }
}
