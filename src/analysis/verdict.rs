//! Whether a run is to be believed, and by what evidence.

/// A shard busier than this has no reserve: what it measures may be its own queue.
const BUSY_MAX: f64 = 0.90;
/// Lateness below this is never held against a run: a sleep in the kernel overshoots by 0.05 ms, a full turn takes as
/// long as its requests.
const LATENESS_FREE_US: f64 = 1_000.0;
/// Lateness may be this share of the latency reported beside it.
const LATENESS_SHARE_MAX: f64 = 0.10;
/// Requests that waited in line for a connection, of all.
const WAITED_SHARE_MAX: f64 = 0.01;
/// Iterations of an open load that were never begun, of all that were due: the last ones always may be.
const MISSING_SHARE_MAX: f64 = 0.001;
/// Time in which others had a shard's core while it wanted to run, of all. On a quiet machine it is 0.1 %.
const CORE_WAITED_SHARE_MAX: f64 = 0.05;
/// A shard that ran later than this, once, was stopped from outside: what came meanwhile was seen late.
const STOPPED_NS_MAX: u64 = 100_000_000;
/// Time that the hypervisor gave to others, of all.
const STEAL_SHARE_MAX: f64 = 0.05;

/// Seconds in which a shard was busier than that, of all, beyond which the whole run is doubted.
const BUSY_SECONDS_SHARE_MAX: f64 = 0.05;

/// What a verdict rests on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Share of the time that each shard was not asleep, 0 to 1.
    pub shards_busy: Vec<f64>,
    /// Seconds of the run.
    pub seconds: u64,
    /// Of them, those in which a shard was too busy.
    pub seconds_too_busy: u64,
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
    /// It went where the service is too slow, to find out where that is: what waited there is what it was for.
    pub is_search: bool,
    /// Of an open load: iterations whose time had come.
    pub due: u64,
    /// Of them, those that were dropped because the line was full, or still stood in it at the end.
    pub never_begun: u64,
    /// Of them, those that had to wait for a user to be free.
    pub waited_for_user: u64,
    /// Share of the machine's time that others got, if known.
    pub steal_share: Option<f64>,
    /// Largest share of the time in which a shard was ready to run and others had its core, if known.
    pub core_waited_share: Option<f64>,
    /// Time in which a quota of CPU time kept the generator from running, in microseconds.
    pub throttled_us: u64,
    /// Longest time that a shard ran later than it wanted to, or worked without a look at the clock.
    pub stopped_ns_max: u64,
    /// Target and generator, or several shards, are on the same core.
    pub cores_shared: bool,
    /// Requests that this machine's own limits made fail.
    pub client_limits: u64,
    /// Compiled without optimisation.
    pub debug_build: bool,
}

/// How far a run is to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing speaks against it.
    Valid,
    /// The generator was the bottleneck, or late.
    GeneratorLimited,
    /// Less was begun than was due.
    RateNotMet,
    /// Users waited for connections, or iterations for users.
    ConnectionsLimited,
    /// Others used the machine.
    MachineDisturbed,
}

impl Status {
    /// As it stands in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "VALID",
            Self::GeneratorLimited => "GENERATOR-LIMITED",
            Self::RateNotMet => "RATE-NOT-MET",
            Self::ConnectionsLimited => "CONNECTIONS-LIMITED",
            Self::MachineDisturbed => "MACHINE-DISTURBED",
        }
    }
}

/// A status and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The gravest finding.
    pub status: Status,
    /// All findings, with figures; for a valid run, what it rests on.
    pub reasons: Vec<String>,
}

/// Weighs one second of a run by how busy its busiest shard was, 0 to 1.
pub fn judge_second(busy: f64) -> Status {
    match busy > BUSY_MAX {
        true => Status::GeneratorLimited,
        false => Status::Valid,
    }
}

/// Weighs the evidence.
pub fn judge(evidence: &Evidence) -> Verdict {
    let mut findings: Vec<(Status, String)> = Vec::new();
    let busiest = evidence.shards_busy.iter().copied().fold(0.0, f64::max);
    if busiest > BUSY_MAX {
        findings.push((
            Status::GeneratorLimited,
            format!(
                "the busiest shard worked {:.0} % of the time (above {:.0} %): a faster server would not have shown; give it more cores or fewer users",
                busiest * 100.0,
                BUSY_MAX * 100.0
            ),
        ));
    }
    let too_busy = evidence.seconds_too_busy as f64 / evidence.seconds.max(1) as f64;
    if too_busy > BUSY_SECONDS_SHARE_MAX {
        findings.push((
            Status::GeneratorLimited,
            format!(
                "in {} of {} seconds a shard worked more than {:.0} % of the time",
                evidence.seconds_too_busy,
                evidence.seconds,
                BUSY_MAX * 100.0
            ),
        ));
    }
    let waited = share(evidence.waited_in_line, evidence.requests);
    let waited_for_user = share(evidence.waited_for_user, evidence.due);
    let lateness_max_us = LATENESS_FREE_US.max(LATENESS_SHARE_MAX * evidence.response_p99_us);
    // What waits in a line leaves late by no fault of the generator's clockwork.
    let lines_were_short = waited.max(waited_for_user) < WAITED_SHARE_MAX / 2.0;
    if evidence.client_p99_us > lateness_max_us && lines_were_short {
        findings.push((
            Status::GeneratorLimited,
            format!(
                "requests left late: 1 % of them more than {} after they were due",
                show(evidence.client_p99_us)
            ),
        ));
    }
    if evidence.overflows > 0 {
        let turns = evidence.overflows;
        let reason =
            format!("the completion queue overflowed in {turns} turns: answers were seen late");
        findings.push((Status::GeneratorLimited, reason));
    }
    if evidence.client_limits > 0 {
        let count = evidence.client_limits;
        let reason = format!(
            "{count} requests failed by this machine's own limits (descriptors, ports, memory)"
        );
        findings.push((Status::GeneratorLimited, reason));
    }
    if evidence.debug_build {
        let reason = "a debug build: its figures are not to be quoted; use --release".into();
        findings.push((Status::GeneratorLimited, reason));
    }
    let missing = share(evidence.never_begun, evidence.due);
    if missing > MISSING_SHARE_MAX && !evidence.is_search {
        let reason = format!(
            "{} of {} iterations that were due were never begun ({}): the response times do not show their wait",
            evidence.never_begun,
            evidence.due,
            percent(missing)
        );
        findings.push((Status::RateNotMet, reason));
    }
    if waited_for_user > WAITED_SHARE_MAX && !evidence.is_search {
        let reason = format!(
            "{} of iterations waited for a free user; the response times contain that wait: the service is slower than the rate needs, or give more --users",
            percent(waited_for_user)
        );
        findings.push((Status::ConnectionsLimited, reason));
    }
    if waited > WAITED_SHARE_MAX {
        let reason = format!(
            "{:.0} % of requests waited in line for a connection; the response times contain that wait",
            (waited * 100.0).min(100.0)
        );
        findings.push((Status::ConnectionsLimited, reason));
    }
    if let Some(steal) = evidence
        .steal_share
        .filter(|&share| share > STEAL_SHARE_MAX)
    {
        let reason = format!(
            "the hypervisor gave {:.0} % of this machine's time to others",
            steal * 100.0
        );
        findings.push((Status::MachineDisturbed, reason));
    }
    if let Some(waited) = evidence
        .core_waited_share
        .filter(|&share| share > CORE_WAITED_SHARE_MAX)
    {
        let reason = format!(
            "other programs had a shard's core for {} of the time, while it wanted to run",
            percent(waited)
        );
        findings.push((Status::MachineDisturbed, reason));
    }
    if evidence.throttled_us > 0 {
        let reason = format!(
            "the CPU quota of this process's control group stopped it for {} in all; give it more, or fewer --shards",
            show(evidence.throttled_us as f64)
        );
        findings.push((Status::MachineDisturbed, reason));
    }
    if evidence.stopped_ns_max > STOPPED_NS_MAX {
        let reason = format!(
            "the generator did not run for {} at a time: it was stopped, or the machine had no time for it",
            show(evidence.stopped_ns_max as f64 / 1e3)
        );
        findings.push((Status::MachineDisturbed, reason));
    }
    if evidence.cores_shared {
        let reason =
            "generator and target, or several shards, share a core: each measures the other".into();
        findings.push((Status::MachineDisturbed, reason));
    }
    match findings.first() {
        Some(&(status, _)) => Verdict {
            status,
            reasons: findings.into_iter().map(|(_, reason)| reason).collect(),
        },
        None => Verdict {
            status: Status::Valid,
            reasons: vec![match lines_were_short {
                true => format!(
                    "busiest shard {:.0} % busy, 99 % of requests left within {} of their time, 99 % of turns within {}",
                    busiest * 100.0,
                    show(evidence.client_p99_us),
                    show(evidence.turn_p99_us)
                ),
                false => format!(
                    "busiest shard {:.0} % busy, 99 % of turns within {}; what left late had waited in line",
                    busiest * 100.0,
                    show(evidence.turn_p99_us)
                ),
            }],
        },
    }
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

fn show(us: f64) -> String {
    match us < 1_000.0 {
        true => format!("{us:.0} us"),
        false => format!("{:.2} ms", us / 1_000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calm() -> Evidence {
        Evidence {
            shards_busy: vec![0.4, 0.5],
            turn_p99_us: 120.0,
            client_p99_us: 80.0,
            response_p99_us: 900.0,
            requests: 1_000,
            steal_share: Some(0.01),
            ..Evidence::default()
        }
    }

    fn check(evidence: Evidence, status: Status, reason: &str) {
        let verdict = judge(&evidence);
        assert_eq!(verdict.status, status, "{verdict:?}");
        assert!(verdict.reasons[0].contains(reason), "{verdict:?}");
    }

    #[test]
    fn a_calm_run_is_valid_and_says_why() {
        check(calm(), Status::Valid, "50 % busy");
    }

    #[test]
    fn each_doubt_has_its_status_and_its_figure() {
        let with = |change: fn(&mut Evidence)| {
            let mut evidence = calm();
            change(&mut evidence);
            evidence
        };
        let limited = Status::GeneratorLimited;
        check(with(|e| e.shards_busy[1] = 0.97), limited, "97 %");
        check(
            with(|e| (e.seconds, e.seconds_too_busy) = (20, 2)),
            limited,
            "in 2 of 20 seconds",
        );
        check(with(|e| e.client_p99_us = 2_500.0), limited, "2.50 ms");
        check(with(|e| e.overflows = 3), limited, "in 3 turns");
        check(with(|e| e.client_limits = 9), limited, "9 requests");
        check(with(|e| e.debug_build = true), limited, "debug build");
        check(
            with(|e| e.waited_in_line = 200),
            Status::ConnectionsLimited,
            "20 %",
        );
        check(
            with(|e| (e.due, e.never_begun) = (1_000, 20)),
            Status::RateNotMet,
            "20 of 1000",
        );
        let waiting = with(|e| (e.due, e.waited_for_user, e.client_p99_us) = (1_000, 300, 9_000.0));
        check(waiting.clone(), Status::ConnectionsLimited, "30 %");
        let is_search = Evidence {
            is_search: true,
            never_begun: 100,
            ..waiting
        };
        check(is_search, Status::Valid, "50 % busy");
        check(
            with(|e| e.steal_share = Some(0.12)),
            Status::MachineDisturbed,
            "12 %",
        );
        check(
            with(|e| e.core_waited_share = Some(0.3)),
            Status::MachineDisturbed,
            "for 30 % of the time",
        );
        check(
            with(|e| e.throttled_us = 12_000),
            Status::MachineDisturbed,
            "12.00 ms",
        );
        check(
            with(|e| e.stopped_ns_max = 2_000_000_000),
            Status::MachineDisturbed,
            "did not run for 2000.00 ms",
        );
        check(
            with(|e| e.cores_shared = true),
            Status::MachineDisturbed,
            "share a core",
        );
    }

    #[test]
    fn lateness_is_judged_by_the_latency_beside_it() {
        let mut evidence = calm();
        (evidence.client_p99_us, evidence.response_p99_us) = (9_000.0, 100_000.0);
        check(evidence, Status::Valid, "9.00 ms");
    }
}
