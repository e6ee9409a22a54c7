//! Runs one shard over the canned driver on a virtual clock, so that a simulator can count its instructions:
//!
//!     cargo build --release -p opsurge-testbed --bin instructions
//!     for requests in 50000 150000; do
//!         valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/instructions $requests
//!     done
//!
//! The difference of the two counts ("Collected"), divided by 100,000, is the number of instructions per request, without
//! start-up and end. Runs of one build differ by some hundred instructions in all, whatever else the machine does; times
//! do not repeat like that.

use anyhow::{Context, Result};
use opsurge::engine::Control;
use opsurge::engine::shard::{Shard, Start};
use opsurge_testbed::canned_driver::{self, CannedDriver, Measures};

/// As in `benches/hot_path.rs`: a user waits between two requests, so that its timer is counted.
const USERS: u64 = 64;
const WAIT: &str = "1ms";
/// Requests before the first that counts; users have left their start steps by then.
const WARM_UP: u64 = 3 * USERS + 20_000;

fn main() -> Result<()> {
    let requests = std::env::args().nth(1).context("how many requests?")?;
    let requests: u64 = requests.parse().context("how many requests?")?;
    let plan = canned_driver::plan(canned_driver::scenario("workflow", WAIT), USERS, 1);
    let control = Control::default();
    let driver = CannedDriver::on_virtual_clock(&canned_driver::config(&plan, 0));
    let driver = driver.measuring(Measures {
        after: WARM_UP,
        requests,
        empty_turns: 0,
        control: &control,
    });
    let shard = Shard::new(&plan, 0, driver);
    let (outcomes, _) = shard.run(Start::default(), &control, Box::new(|_, _| {}));
    let sent: u64 = outcomes
        .recorder
        .counts
        .steps
        .iter()
        .map(|step| step.sent)
        .sum();
    println!("{sent} requests in {} turns", outcomes.turns);
    Ok(())
}
