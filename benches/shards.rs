//! The cost of shards to each other, and the memory and turns of each, by their number.
//!
//!     cargo bench --bench shards -- cores [ROUNDS]    one shard alone on each of two cores, then two at once
//!     cargo bench --bench shards -- table             memory and length of turns of 1 to 64 shards, simulated
//!
//! `cores`: real, pinned threads with the engine's own machinery (control, interval hand-over), over a driver that answers
//! at once without a kernel: only memory is left to be shared. The figure is CPU time per request, which other processes
//! disturb least. In the last column, each request writes a word that both shards have in one cache line, on purpose: it
//! shows how this measurement responds when something is shared.
//!
//! `table`: virtual time, one shard after the other; a request is estimated at 5 us, as measured on io_uring.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use opsurge::engine::plan::Plan;
use opsurge::engine::{Control, Setup, run_on};
use opsurge::io::{Backend, Sockets};
use opsurge::load::closed::Closed;
use opsurge::machine::cpu;
use opsurge_testbed::canned_driver::{self, CannedDriver};
use opsurge_testbed::shard_usage::{self, Costs};

#[global_allocator]
static ALLOCATOR: shard_usage::Counting = shard_usage::Counting;

const SECOND_NS: u64 = 1_000_000_000;
/// Users of each shard of `cores`.
const USERS: u64 = 64;
/// Length of a run of `cores`: long enough for each shard to hand over an interval.
const RUN_NS: u64 = 3 * SECOND_NS / 2;
const ROUNDS: usize = 10;
/// Users of `table`, all shards together. They come within two seconds and then send about 160,000 requests a second, four
/// fifths of what one shard can do at the estimated cost.
const USERS_IN_ALL: u64 = 64_000;
const USERS_PER_SECOND: f64 = 32_000.0;
const WAIT: &str = "200ms..600ms";
const COSTS: Costs = Costs {
    request_ns: 3_000,
    event_ns: 2_000,
};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut words = arguments.iter().filter(|word| !word.starts_with("--"));
    match words.next().map(String::as_str) {
        Some("cores") => {
            let rounds = words.next().map_or(Ok(ROUNDS), |word| word.parse());
            cores(rounds.expect("a number of rounds"));
        }
        Some("table") => table(),
        _ => println!(
            "the cost of shards to each other: cargo bench --bench shards -- cores | table"
        ),
    }
}

/// The words that the shards of `cores` write, in one cache line.
#[derive(Default)]
#[repr(align(128))]
struct OneLine([AtomicU64; 2]);

/// CPU nanoseconds per request of shards on these cores, and requests per second of all shards.
fn run(cores: &[usize], shared: Option<&OneLine>) -> (f64, f64) {
    let scenario = canned_driver::scenario("workflow", "0");
    let plan = Plan {
        run_time_ns: Some(RUN_NS),
        ..canned_driver::plan(scenario, USERS * cores.len() as u64, cores.len())
    };
    let setup = Setup {
        backend: Backend::Auto,
        cores: cores.iter().copied().map(Some).collect(),
        sockets: Sockets::default(),
        tls: None,
        named_tls: Vec::new(),
    };
    let next = AtomicUsize::new(0);
    let build = |config: &_, clock| {
        let mine = next.fetch_add(1, Ordering::Relaxed);
        Ok(CannedDriver::new(config, clock).writing(shared.map(|line| &line.0[mine])))
    };
    let run = run_on(&plan, &setup, &Control::default(), &mut |_| {}, &build);
    let run = run.expect("a driver without limits");
    let requests: u64 = run
        .summary
        .counts
        .steps
        .iter()
        .map(|step| step.requests)
        .sum();
    let cpu_ns: u64 = run
        .shards
        .iter()
        .map(|shard| shard.cpu.user_ns + shard.cpu.system_ns)
        .sum();
    let per_second = requests as f64 * 1e9 / run.load_ns as f64;
    (cpu_ns as f64 / requests as f64, per_second)
}

fn cores(rounds: usize) {
    let allowed = cpu::allowed_cores().expect("the allowed cores");
    let [first, second, ..] = allowed[..] else {
        println!("SKIPPED: two cores are needed");
        return;
    };
    let line = OneLine::default();
    println!("CPU ns/request (million requests/s)");
    println!(
        "round  alone, core {first:<2}   alone, core {second:<2}   two at once      ratio   two, sharing a line   ratio"
    );
    let (mut ratios, mut shared_ratios) = (Vec::new(), Vec::new());
    let mut alone_ratios = Vec::new();
    for round in 1..=rounds {
        let one = run(&[first], None);
        let other = run(&[second], None);
        let two = run(&[first, second], None);
        let shared = run(&[first, second], Some(&line));
        let alone = (one.0 + other.0) / 2.0;
        alone_ratios.push(one.0 / other.0);
        ratios.push(two.0 / alone);
        shared_ratios.push(shared.0 / alone);
        let show = |(ns, per_second): (f64, f64)| format!("{ns:6.1} ({:5.2})", per_second / 1e6);
        println!(
            "{round:>5}  {}   {}   {}   {:5.3}   {}        {:5.3}",
            show(one),
            show(other),
            show(two),
            two.0 / alone,
            show(shared),
            shared.0 / alone
        );
    }
    for (what, ratios) in [
        ("two / alone", &mut ratios),
        (
            "two that share a line on purpose / alone",
            &mut shared_ratios,
        ),
        (
            "one core / the other, each alone: the noise",
            &mut alone_ratios,
        ),
    ] {
        ratios.sort_by(f64::total_cmp);
        let (least, most) = (ratios.first(), ratios.last());
        let (Some(least), Some(most)) = (least, most) else {
            return;
        };
        let median = ratios[ratios.len() / 2];
        println!("{what}: {median:.3} ({least:.3} to {most:.3})");
    }
}

fn table() {
    println!(
        "| shards | users each | MiB each | MiB in all | turns | turn, mean us | longest us | requests a turn | sent = requests + cut off |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for shards in [1, 2, 4, 8, 16, 32, 64] {
        let scenario = canned_driver::scenario("workflow", WAIT);
        let plan = Plan {
            load: Closed::at_rate(USERS_IN_ALL, USERS_PER_SECOND).into(),
            run_time_ns: Some(6 * SECOND_NS),
            ..canned_driver::plan(scenario, USERS_IN_ALL, shards)
        };
        let (totals, usages) = shard_usage::run(&plan, COSTS);
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let bytes: u64 = usages.iter().map(|usage| usage.bytes_max).sum();
        let turns: u64 = usages.iter().map(|usage| usage.turns).sum();
        let turn_us: f64 = usages.iter().map(|w| w.turn_us_mean * w.turns as f64).sum();
        let longest_us = usages.iter().map(|usage| usage.turn_us_max);
        assert_eq!(totals.sent, totals.requests + totals.cut_off);
        assert_eq!(totals.in_intervals, totals.requests);
        println!(
            "| {shards} | {} | {:.1} | {:.1} | {turns} | {:.1} | {:.0} | {:.1} | {} = {} + {} |",
            usages[0].users,
            mib(usages[0].bytes_max),
            mib(bytes),
            turn_us / turns as f64,
            longest_us.fold(0.0, f64::max),
            totals.requests as f64 / turns as f64,
            totals.sent,
            totals.requests,
            totals.cut_off
        );
    }
}
