//! Many shards do the same as one: the same requests at the same times, each counted once, in bounded memory.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

use opsurge::engine::plan::Plan;
use opsurge::engine::{Control, Setup, run_on};
use opsurge::io::{Backend, Sockets};
use opsurge::scenario::format::compile::Context;
use opsurge::scenario::wait::Wait;
use opsurge_testbed::canned_driver::{self, CannedDriver};
use opsurge_testbed::plans;
use opsurge_testbed::shard_usage::{self, Costs, Totals, Usage};

#[global_allocator]
static ALLOCATOR: shard_usage::Counting = shard_usage::Counting;

const SECOND_NS: u64 = 1_000_000_000;
/// Numbers of shards that are compared.
const SHARDS: [usize; 4] = [1, 2, 7, 64];
/// Number of users; not divisible by 7 or 64.
const USERS: u64 = 602;
/// More CPU time than a request takes: a single shard is busy with it, and its turns are long.
const COSTS: Costs = Costs {
    request_ns: 60_000,
    event_ns: 40_000,
};
/// Most bytes of a shard without its users: histograms of three steps, five times each and three intervals, and the
/// parts that all steps share.
const FIXED_BYTES_MAX: u64 = 8 << 20;
/// Most bytes per user, its connection and its timers included.
const USER_BYTES_MAX: u64 = 1_536;
/// Most bytes that a shard's memory may differ from a straight line: some arrays grow by doubling.
const ROUNDED_BYTES_MAX: u64 = 4_096;

fn plan(name: &str, shards: usize) -> Plan {
    plan_for(name, USERS, shards)
}

fn plan_for(name: &str, users: u64, shards: usize) -> Plan {
    Plan {
        run_time_ns: Some(3 * SECOND_NS),
        ..canned_driver::plan(canned_driver::scenario(name, "100ms..900ms"), users, shards)
    }
}

#[test]
fn users_are_divided_so_that_each_belongs_to_one_shard_and_none_has_two_more_than_another() {
    for shards in SHARDS {
        let plan = plan("workflow", shards);
        let of_shard: Vec<usize> = (0..shards)
            .map(|shard| plan.users_of_shard(shard))
            .collect();
        let (least, most) = (of_shard.iter().min(), of_shard.iter().max());
        assert!(
            most <= least.map(|least| least + 1).as_ref(),
            "{of_shard:?}"
        );
        assert_eq!(of_shard.iter().sum::<usize>() as u64, USERS);
        let mut came = HashSet::new();
        for (shard, &users) in of_shard.iter().enumerate() {
            let mut changes = plan.load.users().changes(plan.deal(), shard);
            let mut count = 0;
            while let Some(change) = changes.peek(plan.load.users()) {
                assert!(came.insert(change.user), "user {} comes twice", change.user);
                changes.advance();
                count += 1;
            }
            assert_eq!(count, users, "shard {shard} of {shards}");
        }
    }
}

#[test]
fn the_same_requests_go_out_at_the_same_moments_whatever_the_number_of_shards() {
    for name in ["workflow", "mixed"] {
        let (one, _) = shard_usage::run(&plan(name, 1), Costs::default());
        assert!(one.requests > 3 * USERS && one.failures == 0, "{one:?}");
        check_sums(&one);
        for shards in &SHARDS[1..] {
            let (many, _) = shard_usage::run(&plan(name, *shards), Costs::default());
            assert_eq!(many, one, "{name} on {shards} shards");
        }
    }
}

fn check_sums(totals: &Totals) {
    assert_eq!(totals.sent, totals.requests + totals.cut_off, "{totals:?}");
    assert_eq!(totals.in_intervals, totals.requests, "{totals:?}");
}

#[test]
fn a_shard_holds_a_fixed_part_and_as_much_for_each_user_whatever_their_number() {
    let measure = |(users, shards)| {
        let plan = plan_for("workflow", users, shards);
        shard_usage::run(&plan, Costs::default()).1
    };
    // More users in all than in each shard: no array of a shard may be sized by the users of other shards.
    let runs = [(USERS, 1), (USERS, 2), (USERS, 16), (4 * USERS, 16)];
    let all: Vec<Vec<Usage>> = runs.map(measure).into();
    let (most, least) = (&all[0][0], &all[2][15]);
    let user_bytes = (most.bytes_max - least.bytes_max) / (most.users - least.users) as u64;
    let fixed_bytes = least.bytes_max - least.users as u64 * user_bytes;
    assert!(user_bytes <= USER_BYTES_MAX, "{user_bytes} bytes a user");
    assert!(
        fixed_bytes <= FIXED_BYTES_MAX,
        "{fixed_bytes} bytes a shard"
    );
    for usage in all.iter().flatten() {
        let expected = fixed_bytes + usage.users as u64 * user_bytes;
        let differs = usage.bytes_max.abs_diff(expected);
        assert!(differs < ROUNDED_BYTES_MAX, "{usage:?}, not {expected}");
    }
}

#[test]
fn turns_get_shorter_with_more_shards_and_every_request_is_still_counted_once() {
    let mut longest_us = f64::INFINITY;
    for shards in [1, 8, 64] {
        let (totals, usages) = shard_usage::run(&plan("workflow", shards), COSTS);
        check_sums(&totals);
        let longest = usages.iter().map(|usage| usage.turn_us_max);
        let longest = longest.fold(0.0, f64::max);
        assert!(longest < longest_us, "{longest} us with {shards} shards");
        longest_us = longest;
    }
}

#[test]
fn sixty_four_threads_hand_over_their_seconds_without_losing_a_request() {
    let shards = 64;
    let plan = Plan {
        run_time_ns: Some(20 * SECOND_NS),
        ..canned_driver::plan(canned_driver::scenario("workflow", "500ms"), 640, shards)
    };
    let setup = Setup {
        backend: Backend::Auto,
        cores: vec![None; shards],
        sockets: Sockets::default(),
        tls: None,
        named_tls: Vec::new(),
    };
    let observed = AtomicU64::new(0);
    let mut on_second = |second: &mut opsurge::engine::Second<'_>| {
        observed.fetch_add(second.interval.all().requests, Ordering::Relaxed);
    };
    // Each shard has a clock that skips its sleeps: the clocks drift apart more than real ones, and the seconds still
    // add up.
    let build = |config: &_, clock| Ok(CannedDriver::new(config, clock));
    let run = run_on(&plan, &setup, &Control::default(), &mut on_second, &build);
    let run = run.expect("a driver without limits");
    let steps = &run.summary.counts.steps;
    let requests: u64 = steps.iter().map(|step| step.requests).sum();
    assert!(requests > 640 * 40, "{requests}");
    assert_eq!(run.shards.len(), shards);
    let sent: u64 = steps.iter().map(|step| step.sent - step.cut_off).sum();
    assert_eq!(sent, requests);
    let samples = run.summary.series.samples();
    let in_series: u64 = samples.iter().map(|sample| sample.all().requests).sum();
    assert_eq!((in_series, observed.into_inner()), (requests, requests));
}

/// A shard whose users each extract a value from a long answer, each on its own connection.
#[test]
fn bodies_that_are_kept_for_checks_are_not_held_by_idle_connections() {
    let users = 400;
    let text = "name = \"long\"\n[[task]]\nmethod = \"GET\"\npath = \"/long\"\n\
                extract = { id = { json = \"/id\" } }\n";
    let context = Context {
        wait: Some(Wait::parse("100ms..900ms").expect("a wait")),
        ..Context::plain()
    };
    let scenario = plans::scenario_with(text, &context);
    let plan = Plan {
        run_time_ns: Some(3 * SECOND_NS),
        ..canned_driver::plan(scenario, users, 1)
    };
    let (totals, usages) = shard_usage::run(&plan, Costs::default());
    assert!(
        totals.requests > 4 * users && totals.failures == 0,
        "{totals:?}"
    );
    let bytes_max = FIXED_BYTES_MAX + users * USER_BYTES_MAX;
    assert!(bytes_max < users * shard_usage::LONG_BYTES as u64 / 2);
    assert!(usages[0].bytes_max < bytes_max, "{:?}", usages[0]);
}
