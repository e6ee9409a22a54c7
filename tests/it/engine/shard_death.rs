//! A shard whose thread panics ends the run of all shards: before the start with an error, later with all counts until
//! then.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use opsurge::engine::plan::Plan;
use opsurge::engine::{Control, Run, Setup, run_on};
use opsurge::io::clock::Clock;
use opsurge::io::epoll::Epoll;
use opsurge::io::uring::{Features, Uring};
use opsurge::io::{Backend, Driver, DriverConfig, Event, Sockets, Turn};
use opsurge::mock::{Mock, MockConfig};
use opsurge_testbed::canned_driver;
use opsurge_testbed::wrapped_driver::{Hooks, WrappedDriver};

const SHARDS: usize = 3;
const USERS: u64 = 30;
/// Length of the load: a run that is not stopped takes far longer than the limit below.
const RUN_NS: u64 = 60_000_000_000;
/// A shard notices orders within 100 ms, and a driver ends within a second.
const ENDED_BY: Duration = Duration::from_secs(20);

/// Makes a driver panic in one of its waits.
struct Panics {
    waits_left: u64,
}

impl<D: Driver> Hooks<D> for Panics {
    fn wait(&mut self, driver: &mut D, deadline_ns: u64, events: &mut Vec<Event>) -> Turn {
        assert!(self.waits_left > 0, "killed by the test");
        self.waits_left -= 1;
        driver.wait(deadline_ns, events)
    }
}

/// The number of this thread's shard.
fn this_shard() -> usize {
    let thread = std::thread::current();
    let number = thread.name().and_then(|name| name.strip_prefix("shard-"));
    number
        .and_then(|n| n.parse().ok())
        .expect("a shard's thread")
}

fn plan(address: SocketAddr) -> Plan {
    Plan {
        addresses: vec![address.into()],
        run_time_ns: Some(RUN_NS),
        ..canned_driver::plan(canned_driver::scenario("workflow", "10ms"), USERS, SHARDS)
    }
}

fn setup() -> Setup {
    Setup {
        backend: Backend::Epoll,
        cores: vec![None; SHARDS],
        sockets: Sockets::default(),
        tls: None,
        named_tls: Vec::new(),
    }
}

/// Runs over drivers made by `build`, and checks that the run ends long before its time. Returns it with the requests in
/// all its seconds, and the requests that are open in its last one.
fn run<D: Driver>(
    plan: &Plan,
    build: impl Fn(&DriverConfig, Clock) -> std::io::Result<D> + Sync,
) -> (anyhow::Result<Run>, u64, u64) {
    let began = Instant::now();
    let (mut requests, mut open) = (0, 0);
    let mut on_second = |second: &mut opsurge::engine::Second<'_>| {
        let all = second.interval.all();
        requests += all.requests;
        open = second.interval.in_flight + all.open.count();
    };
    let ran = run_on(plan, &setup(), &Control::default(), &mut on_second, &build);
    assert!(began.elapsed() < ENDED_BY, "it took {:?}", began.elapsed());
    (ran, requests, open)
}

/// Shard 1 of three panics in the middle of the run.
fn check_death<D: Driver>(build: impl Fn(&DriverConfig, Clock) -> std::io::Result<D> + Sync) {
    let stand_in = Mock::start(&MockConfig::default()).expect("a free port");
    let plan = plan(stand_in.address());
    let (ran, requests_by_second, open_at_end) = run(&plan, |config, clock| {
        let waits_left = if this_shard() == 1 { 300 } else { u64::MAX };
        Ok(WrappedDriver {
            driver: build(config, clock)?,
            hooks: Panics { waits_left },
        })
    });
    let ran = ran.expect("a run with a death");
    let [death] = &ran.deaths[..] else {
        panic!("one death: {:?}", ran.deaths);
    };
    assert_eq!((death.shard, death.has_figures), (1, true));
    assert_eq!(death.reason, "killed by the test");
    assert_eq!(ran.shards.len(), SHARDS, "the dead shard's counts are kept");
    let (mut sent, mut done, mut cut_off) = (0, 0, 0);
    for step in &ran.summary.counts.steps {
        assert_eq!(step.sent, step.requests + step.cut_off);
        sent += step.sent;
        done += step.requests;
        cut_off += step.cut_off;
    }
    assert!(done > 300, "{done} of {sent}, {cut_off} cut off");
    assert_eq!(requests_by_second, done, "each request is in one second");
    assert_eq!(
        open_at_end, 0,
        "a request that was cut off is not open as well"
    );
    let answered: u64 = stand_in.stop().answers.values().sum();
    assert!(answered >= done, "{answered} answers, {done} counted");
}

#[test]
fn a_shard_that_dies_stops_the_others_and_every_figure_is_kept() {
    check_death(Epoll::new);
    let uring = |config: &DriverConfig, clock: Clock| Uring::new(config, clock, Features::ALL);
    let address = SocketAddr::from(([127, 0, 0, 1], 1));
    match uring(&canned_driver::config(&plan(address), 0), Clock::start()) {
        Ok(_) => check_death(uring),
        Err(error) => println!("SKIPPED on io_uring: {error}"),
    }
}

#[test]
fn a_shard_that_panics_before_the_start_cancels_the_run_with_its_reason() {
    let plan = plan(SocketAddr::from(([127, 0, 0, 1], 1)));
    let (ran, requests, _) = run(&plan, |config, clock| {
        assert!(this_shard() != 2, "killed by the test");
        Epoll::new(config, clock)
    });
    let error = format!("{:#}", ran.err().expect("an error"));
    assert!(error.contains("shard 2 could not be set up"), "{error}");
    assert!(error.contains("killed by the test"), "{error}");
    assert_eq!(requests, 0, "nothing was sent");
}

#[test]
fn a_shard_without_a_driver_cancels_the_run_with_its_reason() {
    let plan = plan(SocketAddr::from(([127, 0, 0, 1], 1)));
    let (ran, ..) = run(&plan, |config, clock| match this_shard() {
        2 => Err(std::io::Error::from_raw_os_error(24)),
        _ => Epoll::new(config, clock),
    });
    let error = format!("{:#}", ran.err().expect("an error"));
    assert!(error.contains("shard 2 could not be set up"), "{error}");
    assert!(error.contains("Too many open files"), "{error}");
}

#[test]
fn a_panic_of_the_observer_ends_the_run_too() {
    let stand_in = Mock::start(&MockConfig::default()).expect("a free port");
    let plan = plan(stand_in.address());
    let began = Instant::now();
    let watched = std::panic::catch_unwind(|| {
        let mut on_second = |_: &mut opsurge::engine::Second<'_>| panic!("killed by the test");
        let control = Control::default();
        run_on(&plan, &setup(), &control, &mut on_second, &Epoll::new).map(|_| ())
    });
    assert!(watched.is_err());
    assert!(began.elapsed() < ENDED_BY, "it took {:?}", began.elapsed());
}
