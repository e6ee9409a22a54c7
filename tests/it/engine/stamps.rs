//! A request counts as submitted when its bytes go to the kernel, also if the driver's queue fills up in the middle of a
//! turn. Its time limit does not run while the generator is stopped.

use crate::support::sim_server::{self, Answer, Seen, Server};
use opsurge::engine::Control;
use opsurge::engine::plan::Plan;
use opsurge::engine::shard::{Shard, Start};
use opsurge::io::clock::Clock;
use opsurge::io::{Driver, Event, Insert, Turn};
use opsurge::load::closed::Closed;
use opsurge::metrics::recorder::StepCounts;
use opsurge::sim::{Network, Service, Sim};
use opsurge_testbed::canned_driver::{self, CannedDriver};
use opsurge_testbed::plans;
use opsurge_testbed::wrapped_driver::{Hooks, WrappedDriver};

const USERS: u64 = 10;
/// Length of the driver's queue.
const FULL: u64 = 8;
/// Length of the turn after the queue was full: far more than the turns of this test take by themselves.
const REST_NS: u64 = 50_000_000;

/// The hooks of a driver with a short queue.
struct ShortQueue {
    sent: u64,
    flushed_ns: Option<u64>,
}

impl<D: Driver> Hooks<D> for ShortQueue {
    fn on_send(&mut self, driver: &mut D, _bytes: usize, _inserts: &[Insert]) {
        if self.sent == FULL {
            self.flushed_ns = Some(driver.now_ns());
        }
        self.sent += 1;
    }

    fn flushed_ns(&mut self, _driver: &mut D) -> Option<u64> {
        self.flushed_ns.take()
    }

    fn wait(&mut self, driver: &mut D, deadline_ns: u64, events: &mut Vec<Event>) -> Turn {
        let turn = driver.wait(deadline_ns, events);
        Turn {
            submitted_ns: turn.submitted_ns + REST_NS,
            idle_from_ns: turn.idle_from_ns + REST_NS,
            reaped_ns: turn.reaped_ns + REST_NS,
        }
    }
}

#[test]
fn requests_sent_when_the_queue_was_full_are_stamped_then_and_the_others_later() {
    let text = "name = \"once\"\nwait = \"100s\"\n[[task]]\nmethod = \"GET\"\npath = \"/x\"\n";
    let scenario = plans::scenario(text);
    let plan = Plan {
        run_time_ns: Some(1_000_000_000),
        ..canned_driver::plan(scenario, USERS, 1)
    };
    let driver = WrappedDriver {
        driver: CannedDriver::new(&canned_driver::config(&plan, 0), Clock::start()),
        hooks: ShortQueue {
            sent: 0,
            flushed_ns: None,
        },
    };
    let shard = Shard::new(&plan, 0, driver);
    let control = Control::default();
    let (outcomes, driver) = shard.run(Start::default(), &control, Box::new(|_, _| {}));
    assert_eq!(
        driver.hooks.sent, USERS,
        "one request each, all in one turn"
    );
    let service = &outcomes.recorder.counts.steps[0].service;
    assert_eq!(service.count(), USERS);
    // All answers come when the turn is over, so the requests that were sent first waited for the rest of it.
    let rest_us = REST_NS as f64 / 1e3;
    let percent_late = (USERS - FULL) as f64 * 100.0 / USERS as f64;
    let quick = service.percentile_us(percent_late);
    let slow = service.percentile_us(percent_late + 1.0);
    assert!(quick < rest_us / 2.0, "{quick} us for the last two");
    assert!(slow >= rest_us * 0.9, "{slow} us for the first eight");
}

const STOP_NS: u64 = 2_000_000_000;

/// The generator is stopped once.
enum Stopped {
    /// While it makes the first request of the run.
    InRender,
    /// While the first batch goes to the kernel, after its stamp: its requests leave when the stop is over.
    InSubmit,
    /// It has been.
    Over,
}

impl<S: Service> Hooks<Sim<S>> for Stopped {
    fn on_send(&mut self, driver: &mut Sim<S>, _bytes: usize, _inserts: &[Insert]) {
        if let Self::InRender = self {
            driver.spend(STOP_NS);
            *self = Self::Over;
        }
    }

    fn wait(&mut self, driver: &mut Sim<S>, deadline_ns: u64, events: &mut Vec<Event>) -> Turn {
        let Self::InSubmit = self else {
            return driver.wait(deadline_ns, events);
        };
        *self = Self::Over;
        driver.spend(STOP_NS);
        let turn = driver.wait(deadline_ns, events);
        Turn {
            submitted_ns: turn.submitted_ns - STOP_NS,
            ..turn
        }
    }
}

/// The only request of each user, around a stop of the generator that is longer than the time limit.
fn run_around(stop: Stopped) -> StepCounts {
    let text = "name = \"once\"\nwait = \"100s\"\n[[task]]\nmethod = \"GET\"\npath = \"/x\"\n";
    let scenario = plans::scenario(text);
    let plan = Plan {
        run_time_ns: Some(10_000_000_000),
        timeout_ns: 1_000_000_000,
        ..plans::plan(scenario, Closed::at_rate(USERS, 1e9))
    };
    let service = |_: &Seen| Answer {
        after_ns: 50_000_000,
        ..Answer::new(200, "")
    };
    let driver = WrappedDriver {
        driver: sim_server::sim(&plan, 0, Server::new(service), Network::calm(0), 1),
        hooks: stop,
    };
    let shard = Shard::new(&plan, 0, driver);
    let control = Control::default();
    let (outcomes, _) = shard.run(Start::default(), &control, Box::new(|_, _| {}));
    let [step] = &outcomes.recorder.counts.steps[..] else {
        panic!("one step");
    };
    step.clone()
}

#[test]
fn a_stop_between_begin_and_submit_counts_in_the_response_time_and_against_no_time_limit() {
    let step = run_around(Stopped::InRender);
    assert_eq!((step.requests, step.failures), (USERS, 0));
    assert!(step.response.max_us() >= 2_000_000.0);
    assert!(step.service.max_us() < 1_000_000.0);
}

#[test]
fn a_stop_while_requests_go_to_the_kernel_counts_in_the_response_time_and_against_no_time_limit() {
    let step = run_around(Stopped::InSubmit);
    assert_eq!((step.requests, step.failures), (USERS, 0));
    assert!(step.response.max_us() >= 2_000_000.0);
}
