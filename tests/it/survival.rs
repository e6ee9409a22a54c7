//! Whole runs drawn from seeds: every kind of load, scenario and connection sharing, with faults at every point.
//!
//! `OPSURGE_SEED=7 cargo test --test it survival::runs_survive` replays one; `scripts/measure simulate 10000` runs many.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::support::background::in_background;
use crate::support::checked_driver::{CheckedDriver, SLEEP_NS_MAX};
use crate::support::ops_core::OpsCore;
use crate::support::service_faults::{FaultyService, SERVICE_FAULTS, ServiceFault, last_part};
use crate::support::sim_server::{self, Answer, Answers, Seen, Server, check_sums};
use opsurge::engine::plan::{Connections, Lifetime, Plan};
use opsurge::engine::shard::Outcomes;
use opsurge::engine::{Control, Ended, Order};
use opsurge::load::closed::{Closed, Point};
use opsurge::load::open::{Arrivals, Open, RatePoint};
use opsurge::metrics::interval::Interval;
use opsurge::metrics::outcome::Failure;
use opsurge::metrics::recorder::Recorder;
use opsurge::scenario::builtin::BUILTIN;
use opsurge::scenario::format::compile::Context;
use opsurge::scenario::model::Scenario;
use opsurge::scenario::wait::Wait;
use opsurge::sim::{Dice, Fault, Faults, Network};
use opsurge_testbed::plans;

const SECOND_NS: u64 = 1_000_000_000;
/// Longest time that a run takes beyond its load time and its drain.
const SLACK_NS: u64 = 2 * SECOND_NS;
const MS: u64 = 1_000_000;
/// Number of seeds in an ordinary test run.
const SEEDS: u64 = 250;
/// Number of seeds of users that send steps at once.
const SEEDS_AT_ONCE: u64 = 60;

/// Seeds that have failed before, and the defects that they showed.
const FAILED: [(u64, &str); 2] = [
    (
        51,
        "a slot in backoff was opened for a stop step, and again at the end of the backoff",
    ),
    (
        86,
        "a shared slot whose connect was cut off at the end was lost to users with stop steps",
    ),
];

/// A scenario with everything that the built-in ones lack: values from answers, time limits of steps and tasks, spans,
/// stop steps, users who leave, polls that fail when they give up.
const SHOP: &str = r#"
name = "shop"
[variables]
who = "user-{{uuid}}"
[headers]
X-User = "{{who}}"
[[start]]
method = "POST"
path = "/login"
json = '{"who": "{{who}}"}'
extract = { token = { json = "/token" } }
on_failure = "stop"
timeout = "700ms"
begins = "order"
[[task]]
weight = 2
within = "350ms"
[[task.step]]
name = "cart"
method = "PUT"
path = "/{{token}}/cart"
expect = { status = [200], json = { "/ok" = true } }
pause = "20ms"
on_failure = "end-task"
[[task.step]]
name = "pay"
method = "GET"
path = "/{{token}}/pay"
timeout = "300ms"
ends = "order"
[[task]]
[[task.step]]
name = "look"
method = "HEAD"
path = "/{{token}}/look"
[[task.step]]
name = "delivered"
method = "GET"
path = "/{{token}}/delivered"
expect = { json = { "/delivered" = true } }
retry_every = "60ms"
give_up_after = "150ms"
on_give_up = ["fail", "end-task"]
[[stop]]
name = "session"
method = "DELETE"
path = "/{{token}}/session"
"#;

/// The shop as a page: its parts are sent at once, among them one that ends the task and one with a time limit.
const PAGE: &str = r#"
name = "page"
[variables]
who = "user-{{uuid}}"
[headers]
X-User = "{{who}}"
[[start]]
method = "POST"
path = "/login"
json = '{"who": "{{who}}"}'
extract = { token = { json = "/token" } }
on_failure = "stop"
[[task]]
name = "whole"
within = "900ms"
[[task.step]]
method = "GET"
path = "/{{token}}/first"
[[task.step]]
name = "parts"
when = "90%"
pause = "10ms"
together = [
    { method = "GET", path = "/{{token}}/style" },
    { method = "PUT", path = "/{{token}}/script", expect = { json = { "/ok" = true } }, on_failure = "end-task" },
    { method = "HEAD", path = "/{{token}}/logo", timeout = "120ms" },
]
[[task.step]]
method = "GET"
path = "/{{token}}/last"
[[task]]
together = [
    { method = "GET", path = "/{{token}}/left" },
    { method = "POST", path = "/{{token}}/right", on_failure = "stop" },
]
[[stop]]
together = [
    { method = "GET", path = "/{{token}}/goodbye" },
    { method = "DELETE", path = "/{{token}}/session" },
]
"#;

/// Ops-Core, and a shop that identifies its users by their tokens.
struct Services {
    ops_core: OpsCore,
    complaints: Vec<String>,
}

impl Answers for Services {
    fn answer(&mut self, seen: &Seen) -> Answer {
        let Some(who) = seen.field("x-user").map(str::to_owned) else {
            return self.ops_core.answer(seen);
        };
        if seen.path == "/login" {
            if !seen.body.contains(&who) {
                self.complaints.push(format!("another user's body: {who}"));
            }
            return Answer::new(200, format!("{{\"token\":\"token-{who}\"}}"));
        }
        if !seen.path.starts_with(&format!("/token-{who}/")) {
            let path = &seen.path;
            self.complaints.push(format!("{path} by {who}"));
        }
        Answer::new(
            200,
            if seen.method == "HEAD" {
                ""
            } else {
                "{\"ok\":true}"
            },
        )
    }
}

/// A run drawn from a seed.
struct DrawnRun {
    plan: Plan,
    shard: usize,
    /// Orders from outside and their times, the last one first.
    orders: Vec<(u64, Order)>,
    network: Network,
}

/// Which load a run has.
#[derive(Clone, Copy)]
enum Load {
    Rate,
    Stages,
    Iterations,
    Constant,
    Poisson,
}

impl DrawnRun {
    fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let users = dice.pick(&[1, 1, 2, 5, 12, 24, 48]);
        let run_time_ns = SECOND_NS + dice.below(25 * SECOND_NS);
        let load = dice.pick(&[
            Load::Rate,
            Load::Stages,
            Load::Iterations,
            Load::Constant,
            Load::Poisson,
        ]);
        let (closed, open) = match load {
            Load::Rate => (Closed::at_rate(users, dice.pick(&[1.0, 7.0, 1e6])), None),
            Load::Stages => (stages(&mut dice, users), None),
            Load::Iterations => {
                let closed = Closed::at_rate(users, 20.0);
                let all = 1 + dice.below(30 * users);
                (closed.with_iterations(Some(all)), None)
            }
            Load::Constant => opened(&mut dice, Arrivals::Constant, users),
            Load::Poisson => opened(&mut dice, Arrivals::Poisson, users),
        };
        let by_iterations = closed.iterations.is_some() && dice.hits(0.5);
        let run_time_ns = (!by_iterations).then_some(run_time_ns);
        let shards = dice.pick(&[1, 1, 1, 3]);
        let count = 1 + dice.below(users + 1) as usize;
        let connections = match dice.below(4) {
            0 | 1 => Connections::PerUser,
            2 => Connections::Shared { count, depth: 1 },
            _ => Connections::Shared {
                count: count.div_ceil(dice.pick(&[1, 4])),
                depth: dice.pick(&[2, 3, 8, 64]),
            },
        };
        let orders = orders(&mut dice);
        Self {
            plan: Plan {
                scenario: scenario(&mut dice),
                spins: open.is_some() && dice.hits(0.5),
                load: opsurge::load::Load::new(closed, open),
                run_time_ns,
                timeout_ns: dice.pick(&[50 * MS, 400 * MS, 2 * SECOND_NS, 7 * SECOND_NS]),
                drain_ns: dice.pick(&[None, None, Some(0), Some(SECOND_NS)]),
                seed,
                connections,
                lifetime: match seed % 4 {
                    0 => Lifetime {
                        answers: 3,
                        ..Lifetime::default()
                    },
                    1 => Lifetime {
                        age_ns: SECOND_NS,
                        ..Lifetime::default()
                    },
                    _ => Lifetime::default(),
                },
                shards,
                addresses: vec![std::net::SocketAddr::from(([127, 0, 0, 1], 1)).into(); 2],
            },
            shard: dice.below(shards as u64) as usize,
            orders,
            network: Network::troubled(seed),
        }
    }

    /// Longest delay of a turn.
    fn late_ns(&self) -> u64 {
        let network = &self.network;
        let block_ns = if network.block > 0.0 {
            network.block_ns
        } else {
            0
        };
        let jump_ns = if network.jump > 0.0 {
            network.jump_ns
        } else {
            0
        };
        block_ns + jump_ns + network.turn_ns
    }

    /// The end of the load, if its time or an order sets one. `from_ns` is the begin of the load time.
    fn end_ns(&self, from_ns: u64) -> Option<u64> {
        let by_time_ns = self.plan.run_time_ns.map(|ns| from_ns + ns);
        // The shard may be asleep when the order is given.
        let order = self.orders.last();
        let by_order_ns = order.map(|(at_ns, _)| at_ns + SLEEP_NS_MAX);
        by_time_ns.into_iter().chain(by_order_ns).min()
    }

    /// The latest end of the run, likewise, when the slowest answer took `slowest_ns`.
    fn over_ns(&self, from_ns: u64, slowest_ns: u64) -> Option<u64> {
        let late_ns = 2 * self.late_ns();
        let stops = self
            .orders
            .iter()
            .find(|(_, order)| *order == Order::StopNow);
        let stop_ns = stops.map(|(at_ns, _)| at_ns + SLEEP_NS_MAX);
        let drained_ns = self
            .end_ns(from_ns)
            .map(|end_ns| end_ns + self.plan.drain_ns(slowest_ns) + SLACK_NS);
        let over_ns = stop_ns.into_iter().chain(drained_ns).min()?;
        Some(over_ns + late_ns)
    }

    fn timeout_ns_max(&self) -> u64 {
        let steps = self.plan.scenario.steps.iter();
        let own = steps.filter_map(|step| step.timeout_ns);
        own.fold(self.plan.timeout_ns, u64::max)
    }
}

fn scenario(dice: &mut Dice) -> Scenario {
    let text = dice.pick(&[
        BUILTIN[0].text,
        BUILTIN[1].text,
        BUILTIN[2].text,
        BUILTIN[3].text,
        BUILTIN[4].text,
        SHOP,
    ]);
    scenario_of(text, dice)
}

fn scenario_of(text: &str, dice: &mut Dice) -> Scenario {
    let waits = [
        "50ms",
        "0..200ms",
        "exponential 100ms",
        "pacing 150ms",
        "1s..2s",
    ];
    let wait = |text: &str| Wait::parse(text).expect(text);
    let context = Context {
        wait: Some(wait(dice.pick(&waits))),
        pause: dice.hits(0.5).then(|| wait("0..50ms")),
        ..Context::plain()
    };
    plans::scenario_with(text, &context)
}

fn stages(dice: &mut Dice, users: u64) -> Closed {
    let mut points = vec![Point { users, after_ns: 0 }];
    for _ in 0..=dice.below(5) {
        points.push(Point {
            users: dice.below(users + 1),
            after_ns: dice.pick(&[0, 300 * MS, SECOND_NS, 3 * SECOND_NS]),
        });
    }
    Closed::through(&points)
}

fn opened(dice: &mut Dice, arrivals: Arrivals, users: u64) -> (Closed, Option<Open>) {
    let rates = [0.5, 3.0, 20.0, 100.0, 300.0];
    let mut points = Vec::new();
    for _ in 0..dice.below(3) {
        points.push(RatePoint {
            rate: dice.pick(&rates),
            after_ns: dice.pick(&[0, SECOND_NS, 3 * SECOND_NS]),
        });
    }
    let users_ready = 1 + dice.below(users);
    let open = Open::new(dice.pick(&rates), &points, arrivals, users_ready, users);
    (Closed::at_rate(users_ready, 1e6), Some(open))
}

/// A quarter of the runs is ordered to end early, some of them twice.
fn orders(dice: &mut Dice) -> Vec<(u64, Order)> {
    if !dice.hits(0.25) {
        return Vec::new();
    }
    let first_ns = dice.below(15 * SECOND_NS);
    let drain = (first_ns, Order::Drain);
    let stop = |after_ns| (first_ns + after_ns, Order::StopNow);
    match dice.below(3) {
        0 => vec![drain],
        1 => vec![stop(0)],
        _ => vec![stop(dice.below(3 * SECOND_NS)), drain],
    }
}

/// Counts of one run, or of many.
#[derive(Default)]
struct Tally {
    seeds: u64,
    requests: u64,
    failures: u64,
    cut_off: u64,
    retried: u64,
    stale: u64,
    faults: Faults,
    service_faults: [u64; SERVICE_FAULTS.len()],
    by_failure: [u64; Failure::ALL.len()],
    log: String,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.requests += other.requests;
        self.failures += other.failures;
        self.cut_off += other.cut_off;
        self.retried += other.retried;
        self.stale += other.stale;
        self.faults += &other.faults;
        for (count, more) in self.service_faults.iter_mut().zip(other.service_faults) {
            *count += more;
        }
        for (count, more) in self.by_failure.iter_mut().zip(other.by_failure) {
            *count += more;
        }
    }

    fn print(&self) {
        println!("seeds {}", self.seeds);
        println!(
            "requests {}, failed {}, cut off {}, sent again {}, stale completions {}",
            self.requests, self.failures, self.cut_off, self.retried, self.stale
        );
        for fault in Fault::ALL {
            println!(
                "  fault   {:<20} {:>9}",
                format!("{fault:?}"),
                self.faults.of(fault)
            );
        }
        for (fault, count) in SERVICE_FAULTS.iter().zip(self.service_faults) {
            println!("  service {:<20} {count:>9}", format!("{fault:?}"));
        }
        for (failure, count) in Failure::ALL.iter().zip(self.by_failure) {
            println!("  counted {:<20} {count:>9}", failure.name());
        }
    }
}

/// Carries out the run of a seed and checks everything that is known of its result.
fn run_seed(seed: u64, with_log: bool) -> Tally {
    run_drawn(&DrawnRun::draw(seed), with_log)
}

fn run_drawn(run: &DrawnRun, with_log: bool) -> Tally {
    let seed = run.plan.seed;
    let (plan, shard) = (&run.plan, run.shard);
    let services = Services {
        ops_core: OpsCore::new(2, 100_000),
        complaints: Vec::new(),
    };
    let server = Server::new(FaultyService::new(services, seed));
    let sim = sim_server::sim(plan, shard, server, run.network, seed);
    let control = Control::default();
    let slots = plan.slots_of_shard(shard);
    let mut checked = CheckedDriver::new(sim, slots, &control, run.orders.clone());
    checked.log = with_log.then(String::new);
    let mut in_time = vec![[0; 3]; plan.scenario.metrics.len()];
    let sums = &mut in_time;
    let spans = plan.scenario.spans.len();
    let on_interval = Box::new(move |_, recorder: &mut Recorder| {
        let empty = Interval::reserved(sums.len(), spans);
        add_interval(sums, &recorder.swap_interval(empty));
    });
    let (outcomes, checked) = sim_server::drive(plan, shard, checked, &control, on_interval);
    assert_eq!(checked.inner.buffers_out(), 0, "buffers were not released");
    let counts = &outcomes.recorder.counts;
    check_sums(&counts.steps, seed);
    check_time(run, &outcomes);
    let service = &checked.inner.service.answers;
    check_statuses_were_given(plan, &outcomes, service);
    check_failures_need_faults(&outcomes, checked.inner.faults(), service);
    check_failures_have_enough_causes(
        plan,
        &outcomes,
        checked.inner.faults(),
        service.bodies_on_head,
    );
    let complaints = [
        &service.inner.complaints,
        &service.inner.ops_core.complaints,
    ];
    assert!(
        complaints.iter().all(|list| list.is_empty()),
        "{complaints:?}"
    );
    let sent: u64 = counts
        .steps
        .iter()
        .map(|step| step.sent + step.retried)
        .sum();
    // Reasons for a turn: an operation, an event, an arrival, a check of the waiting line, or a timer, which the timer
    // wheel reaches in a few steps.
    let ten_ms = outcomes.lasted_ns / (10 * MS);
    let arrivals = outcomes.arrivals.map_or(0, |arrivals| arrivals.due);
    let spins = if plan.spins { u64::MAX } else { 1_000 };
    let reasons = ten_ms + arrivals + 4 * (checked.happenings + sent);
    let empty_max = reasons.saturating_add(spins);
    assert!(checked.empty_turns <= empty_max, "a busy loop");
    assert!(service.requests <= checked.requests && checked.requests <= sent);
    let (counts, rest) = outcomes.recorder.into_parts();
    add_interval(&mut in_time, &rest);
    let mut tally = Tally {
        seeds: 1,
        stale: checked.stale,
        faults: *checked.inner.faults(),
        service_faults: service.fired,
        log: checked.log.unwrap_or_default(),
        ..Tally::default()
    };
    for (step, in_time) in counts.steps.iter().zip(in_time) {
        let in_all = [step.requests, step.failures, step.body_bytes];
        assert_eq!(in_all, in_time, "the sum of the seconds differs");
        tally.requests += step.requests;
        tally.failures += step.failures;
        tally.cut_off += step.cut_off;
        tally.retried += step.retried;
        for error in &step.errors {
            tally.by_failure[error.failure as usize] += error.count;
        }
    }
    tally
}

/// Adds the requests, failures and bytes of a second to those of each step.
fn add_interval(sums: &mut [[u64; 3]], interval: &Interval) {
    for (sum, step) in sums.iter_mut().zip(&interval.steps) {
        for (count, more) in sum
            .iter_mut()
            .zip([step.requests, step.failures, step.body_bytes])
        {
            *count += more;
        }
    }
}

/// Checks that the run ended in time, by itself where nothing else ends it, and accepted no answer after its time
/// limit.
fn check_time(run: &DrawnRun, outcomes: &Outcomes) {
    let plan = &run.plan;
    let from_ns = outcomes.load_from_ns;
    let lasted_ns = outcomes.lasted_ns;
    assert!(outcomes.last_done_ns <= lasted_ns);
    for step in &outcomes.recorder.counts.steps {
        let begun = step.before_load.begun + step.in_load.begun;
        assert!(
            step.sent == begun || !plan.scenario.stop.is_empty(),
            "a request began after the end of the load"
        );
    }
    match run.over_ns(from_ns, outcomes.recorder.slowest_ns()) {
        Some(over_ns) => assert!(lasted_ns <= over_ns, "{lasted_ns} ns, not {over_ns}"),
        None => assert_eq!(
            outcomes.ended,
            Ended::AllUsersLeft,
            "the run did not end by itself"
        ),
    }
    let service_us_max = (run.timeout_ns_max() + 2 * run.late_ns()) as f64 / 1e3;
    for step in &outcomes.recorder.counts.steps {
        let service_us = step.service.max_us();
        assert!(
            service_us <= service_us_max,
            "an answer after {service_us} us was accepted"
        );
    }
    if let Some(arrivals) = outcomes.arrivals {
        assert_eq!(
            arrivals.due,
            arrivals.started + arrivals.never_begun + arrivals.dropped
        );
    }
    if let Some(all) = plan.load.users().iterations {
        let scenario = &plan.scenario;
        let firsts: Vec<usize> = scenario
            .tasks
            .iter()
            .map(|task| usize::from(scenario.steps[usize::from(task.steps.start)].metric))
            .collect();
        let steps = outcomes.recorder.counts.steps.iter().enumerate();
        let passes: u64 = steps
            .filter(|(metric, _)| firsts.contains(metric))
            .map(|(_, step)| step.sent)
            .sum();
        let polls = firsts.iter().any(|&first| scenario.metrics[first].is_poll);
        assert!(passes <= all || polls, "{passes} passes, not {all}");
    }
}

/// Checks that the service has given each status at least as often as it was counted.
fn check_statuses_were_given(plan: &Plan, outcomes: &Outcomes, service: &FaultyService<Services>) {
    let labels = &plan.scenario.metrics;
    for (label, step) in labels.iter().zip(&outcomes.recorder.counts.steps) {
        for (status, &count) in step.statuses.iter().enumerate() {
            // The server's own timeout or refusal is no answer to a request.
            if count == 0 || status == 408 || status == 413 {
                continue;
            }
            let last = last_part(&label.name).to_owned();
            let key = (label.method.clone(), last, status as u16);
            let given = service.given.get(&key).copied().unwrap_or_default();
            assert!(count <= given, "{key:?}: {count} counted, {given} given");
        }
    }
}

/// Checks that without a harmful fault requests fail only by what the service answered, or by time.
fn check_failures_need_faults(
    outcomes: &Outcomes,
    fired: &Faults,
    service: &FaultyService<Services>,
) {
    let is_harmless = |fault: &Fault| {
        matches!(
            fault,
            Fault::SplitReads
                | Fault::SplitWrites
                | Fault::Stall
                | Fault::Stale
                | Fault::Full
                | Fault::Block
                | Fault::Jump
        )
    };
    let harmful = Fault::ALL.iter().filter(|fault| !is_harmless(fault));
    let by_network = harmful.map(|&fault| fired.of(fault)).sum::<u64>() > 0;
    let by_service = [
        ServiceFault::GivesUpWaiting,
        ServiceFault::RefusesEarly,
        ServiceFault::LastAnswer,
    ];
    let by_service = by_service
        .iter()
        .any(|&fault| service.fired[fault as usize] > 0);
    if by_network || by_service || service.bodies_on_head > 0 {
        return;
    }
    let steps = outcomes.recorder.counts.steps.iter();
    for error in steps.flat_map(|step| &step.errors) {
        let is_fair = matches!(
            error.failure,
            Failure::Status
                | Failure::Expectation
                | Failure::Timeout
                | Failure::ConnectTimeout
                | Failure::WaitTimeout
                | Failure::PipelineBroken
                | Failure::GaveUp
                | Failure::TaskTimeout
                | Failure::Unanswered
        );
        assert!(is_fair, "{error:?} without a fault");
    }
}

/// Checks failures that have known causes: there are no more of them than those faults explain. A connection that
/// cannot be opened fails up to `depth` requests.
fn check_failures_have_enough_causes(
    plan: &Plan,
    outcomes: &Outcomes,
    fired: &Faults,
    bodies_on_head: u64,
) {
    let depth = plan.connections.depth() as u64;
    let has_stop_steps = !plan.scenario.stop.is_empty();
    let counted = |failure: Failure| -> u64 {
        let steps = outcomes.recorder.counts.steps.iter();
        let errors = steps.flat_map(|step| &step.errors);
        let same = errors.filter(|error| error.failure == failure);
        same.map(|error| error.count).sum()
    };
    let caused = |causes: &[Fault]| -> u64 { causes.iter().map(|&cause| fired.of(cause)).sum() };
    let refused = counted(Failure::ConnectRefused);
    let causes = depth * caused(&[Fault::Refuse]);
    assert!(refused <= causes, "{refused} refused, of {causes}");
    // After a failed attempt all users wait for the next, and some reach their time limit in that pause.
    let no_way = counted(Failure::ConnectFailed);
    let attempts = caused(&[Fault::ConnectFails, Fault::Refuse]);
    let attempts = attempts + counted(Failure::ConnectTimeout);
    assert!(no_way == 0 || attempts > 0, "{no_way} failed");
    let limits = counted(Failure::ClientLimit) + counted(Failure::SendFailed);
    let causes = [Fault::ConnectFails, Fault::SendFails];
    assert!(limits <= depth * caused(&causes), "{limits} limited");
    let broken = counted(Failure::PipelineBroken);
    assert!(
        broken == 0 || depth > 1,
        "{broken} broken without a pipeline"
    );
    // Stop steps begin after the end of the load.
    let unanswered = counted(Failure::Unanswered);
    let open = outcomes.open_at_load_end as u64;
    assert!(
        has_stop_steps || unanswered <= open,
        "{unanswered} unanswered, {open} open"
    );
    let invalid = counted(Failure::InvalidResponse);
    let causes = caused(&[Fault::Garble, Fault::Surplus]) + bodies_on_head;
    assert!(invalid <= causes, "{invalid} invalid, of {causes}");
}

/// Carries out the runs of seeds one after the other, and goes on after a failure.
fn run_seeds(seeds: impl Iterator<Item = u64>) -> Tally {
    let mut sum = Tally::default();
    let mut failing = Vec::new();
    for seed in seeds {
        match catch_unwind(AssertUnwindSafe(|| run_seed(seed, false))) {
            Ok(tally) => sum.add(&tally),
            Err(_) => {
                println!(
                    "FAILED; replay with: OPSURGE_SEED={seed} cargo test --test it survival::runs_survive"
                );
                failing.push(seed);
            }
        }
    }
    assert!(failing.is_empty(), "failing seeds: {failing:?}");
    sum
}

fn number_in(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("the variable is a number"))
}

#[test]
fn runs_survive_every_fault_that_is_drawn() {
    let first = number_in("OPSURGE_SEED");
    let count = number_in("OPSURGE_SEEDS").unwrap_or(if first.is_some() { 1 } else { SEEDS });
    let first = first.unwrap_or(0);
    let run = || run_seeds(first..first + count);
    // Seeds that were asked for run alone, so they need no background.
    let tally = if count == SEEDS {
        in_background(run)
    } else {
        run()
    };
    tally.print();
    // Each fault of the network and the service is armed in a quarter of the runs, so all have fired in this many.
    if count >= SEEDS {
        assert!(Fault::ALL.iter().all(|&fault| tally.faults.of(fault) > 0));
        assert!(tally.service_faults.iter().all(|&count| count > 0));
        // No scenario that is drawn decodes bodies or runs out of rows: tests of their own do.
        const NOT_DRAWN: [Failure; 3] =
            [Failure::Undecodable, Failure::BodyTooLarge, Failure::NoRow];
        let is_drawn = |failure: &&Failure| !failure.is_of_tls() && !NOT_DRAWN.contains(failure);
        let mut drawn = Failure::ALL.iter().filter(is_drawn);
        assert!(drawn.all(|&it| tally.by_failure[it as usize] > 0));
        assert!(tally.failures > 10 * count && tally.requests > 20 * count);
    }
}

#[test]
fn runs_whose_users_send_steps_at_once_survive_too() {
    let mut requests = 0;
    for seed in 0..SEEDS_AT_ONCE {
        let mut run = DrawnRun::draw(seed);
        run.plan.scenario = scenario_of(PAGE, &mut Dice::new(seed));
        let tally = catch_unwind(AssertUnwindSafe(|| run_drawn(&run, false)));
        requests += tally.unwrap_or_else(|_| panic!("seed {seed}")).requests;
    }
    assert!(requests > 100 * SEEDS_AT_ONCE, "{requests} requests");
}

#[test]
fn seeds_that_have_failed_before_pass() {
    run_seeds(FAILED.iter().map(|&(seed, _)| seed));
}

#[test]
fn the_same_seed_writes_the_same_log_byte_for_byte() {
    let mut lines = 0;
    for seed in 0..24 {
        let [first, second] = [run_seed(seed, true).log, run_seed(seed, true).log];
        assert!(first == second, "seed {seed} has two logs");
        lines += first.lines().count();
    }
    assert!(lines > 1_000, "{lines} lines");
}
