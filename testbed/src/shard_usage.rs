//! Runs the shards of a plan over the simulation, one after the other, and measures the memory of each and the length of its
//! turns.
//!
//! The allocator counts the memory of the shard's own code, without that of the simulated network around it. A turn takes
//! the virtual time that its requests and events are estimated to cost, so turns get longer where a shard has more to do.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use opsurge::engine::Control;
use opsurge::engine::plan::Plan;
use opsurge::engine::shard::{Outcomes, Shard, Start};
use opsurge::io::{ConnectionId, Driver, Event, Insert, Received, Turn};
use opsurge::metrics::interval::Interval;
use opsurge::metrics::recorder::Recorder;
use opsurge::sim::{Network, Reply, Service, Sim};

use crate::canned_driver;

/// Time from a request to its answer: half a millisecond each way, and the server's time.
const ONE_WAY_NS: u64 = 500_000;
const SERVICE_NS: u64 = 1_000_000;

/// The system's allocator, with a count of the bytes that a thread holds while [`run`] measures a shard on it.
///
/// The measuring program has to declare it as its `#[global_allocator]`.
pub struct Counting;

thread_local! {
    static COUNTS: Cell<bool> = const { Cell::new(false) };
    static HELD_BYTES: Cell<i64> = const { Cell::new(0) };
    static HELD_BYTES_MAX: Cell<i64> = const { Cell::new(0) };
}

fn hold(bytes: i64) {
    if COUNTS.get() {
        let held = HELD_BYTES.get() + bytes;
        HELD_BYTES.set(held);
        HELD_BYTES_MAX.set(HELD_BYTES_MAX.get().max(held));
    }
}

#[expect(unsafe_code, reason = "an allocator cannot be written without")]
// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        hold(layout.size() as i64);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        hold(-(layout.size() as i64));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        hold(size as i64 - layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Does work without counting its memory.
fn uncounted<T>(work: impl FnOnce() -> T) -> T {
    let counts = COUNTS.replace(false);
    let done = work();
    COUNTS.set(counts);
    done
}

/// Estimated virtual time that a request and an event cost their shard.
#[derive(Clone, Copy, Debug, Default)]
pub struct Costs {
    pub request_ns: u64,
    pub event_ns: u64,
}

/// The counts of all shards of a plan, added up.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub sent: u64,
    pub requests: u64,
    pub cut_off: u64,
    pub failures: u64,
    /// Requests in the intervals that were handed over, and in the shards' last ones.
    pub in_intervals: u64,
    /// The sum of a hash of each request with the moment it came to the server: equal for the same requests at the same
    /// moments, whichever shard sent them.
    pub fingerprint: u64,
}

/// The memory of one shard, and its turns.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    pub users: usize,
    pub bytes_max: u64,
    pub turns: u64,
    pub requests: u64,
    pub turn_us_mean: f64,
    pub turn_us_max: f64,
}

/// Runs all shards of a plan, one after the other.
pub fn run(plan: &Plan, costs: Costs) -> (Totals, Vec<Usage>) {
    let mut totals = Totals::default();
    let measure = |index| run_shard(plan, index, costs, &mut totals);
    let usages = (0..plan.shards).map(measure).collect();
    (totals, usages)
}

fn run_shard(plan: &Plan, index: usize, costs: Costs, totals: &mut Totals) -> Usage {
    let config = canned_driver::config(plan, index);
    let network = Network::calm(ONE_WAY_NS);
    let timed = TimedSim {
        sim: Sim::new(&config, CannedService::default(), network, 1),
        costs,
        work_ns: 0,
    };
    let control = Control::default();
    let mut handed_over = 0;
    HELD_BYTES.set(0);
    HELD_BYTES_MAX.set(0);
    COUNTS.set(true);
    let shard = Shard::new(plan, index, timed);
    // As many as the collector gives to each shard.
    let spare = [(); 2]
        .map(|()| Interval::reserved(plan.scenario.metrics.len(), plan.scenario.spans.len()));
    let mut spare = Vec::from(spare);
    let on_interval = Box::new(|_, recorder: &mut Recorder| {
        let empty = spare.pop().expect("an interval that came back");
        let mut full = recorder.swap_interval(empty);
        handed_over += requests_of(&full);
        full.clear();
        spare.push(full);
    });
    let (outcomes, timed) = shard.run(Start::default(), &control, on_interval);
    COUNTS.set(false);
    totals.in_intervals += handed_over;
    totals.fingerprint = totals
        .fingerprint
        .wrapping_add(timed.sim.service.fingerprint);
    let usage = Usage {
        users: plan.users_of_shard(index),
        bytes_max: HELD_BYTES_MAX.get() as u64,
        turns: outcomes.turns,
        requests: outcomes
            .recorder
            .counts
            .steps
            .iter()
            .map(|step| step.requests)
            .sum(),
        turn_us_mean: outcomes.recorder.counts.turns.mean_us(),
        turn_us_max: outcomes.recorder.counts.turns.max_us(),
    };
    add(totals, outcomes);
    usage
}

fn add(totals: &mut Totals, outcomes: Outcomes) {
    let (counts, left) = outcomes.recorder.into_parts();
    for step in &counts.steps {
        totals.sent += step.sent;
        totals.requests += step.requests;
        totals.cut_off += step.cut_off;
        totals.failures += step.failures;
    }
    totals.in_intervals += requests_of(&left);
}

fn requests_of(interval: &Interval) -> u64 {
    interval.steps.iter().map(|step| step.requests).sum()
}

/// The simulation, in which a shard's work takes time.
struct TimedSim {
    sim: Sim<CannedService>,
    costs: Costs,
    /// Virtual time of the work in the present turn.
    work_ns: u64,
}

impl Driver for TimedSim {
    fn now_ns(&self) -> u64 {
        self.sim.now_ns()
    }
    fn submit_connect(&mut self, connection: ConnectionId, address_index: usize) {
        uncounted(|| self.sim.submit_connect(connection, address_index));
    }
    fn send_buffer(&mut self) -> &mut [u8] {
        self.sim.send_buffer()
    }
    fn submit_send(&mut self, connection: ConnectionId, bytes: usize) {
        self.work_ns += self.costs.request_ns;
        uncounted(|| self.sim.submit_send(connection, bytes));
    }
    fn submit_send_around(&mut self, connection: ConnectionId, bytes: usize, inserts: &[Insert]) {
        self.work_ns += self.costs.request_ns;
        uncounted(|| self.sim.submit_send_around(connection, bytes, inserts));
    }
    fn announce_sent(&mut self, connection: ConnectionId) {
        self.sim.announce_sent(connection);
    }
    fn is_sending(&self, connection: ConnectionId) -> bool {
        self.sim.is_sending(connection)
    }
    fn close(&mut self, connection: ConnectionId) {
        uncounted(|| self.sim.close(connection));
    }
    fn wait(&mut self, deadline_ns: u64, events: &mut Vec<Event>) -> Turn {
        self.sim.spend(std::mem::take(&mut self.work_ns));
        let before = events.len();
        let turn = uncounted(|| self.sim.wait(deadline_ns, events));
        self.work_ns = self.costs.event_ns * (events.len() - before) as u64;
        turn
    }
    fn received(&self, received: Received) -> &[u8] {
        self.sim.received(received)
    }
    fn received_mut(&mut self, received: Received) -> &mut [u8] {
        self.sim.received_mut(received)
    }
    fn release(&mut self, received: Received) {
        uncounted(|| self.sim.release(received));
    }
    fn overflows(&self) -> u64 {
        self.sim.overflows()
    }
}

/// Bytes of the body in the answer to `GET /long`.
pub const LONG_BYTES: usize = 60_000;

fn long_answer() -> Vec<u8> {
    let body = format!("{:<LONG_BYTES$}", "{\"id\":\"7\"}");
    format!("HTTP/1.1 200 OK\r\ncontent-length: {LONG_BYTES}\r\n\r\n{body}").into_bytes()
}

/// A server that gives every request of a kind the same answer.
#[derive(Default)]
struct CannedService {
    fingerprint: u64,
}

impl Service for CannedService {
    fn on_connect(&mut self, _connection: ConnectionId, _now_ns: u64) {}

    fn on_bytes(
        &mut self,
        _connection: ConnectionId,
        bytes: &[u8],
        now_ns: u64,
        replies: &mut Vec<Reply>,
    ) {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let hash = hasher.hash_one((now_ns, bytes));
        self.fingerprint = self.fingerprint.wrapping_add(hash);
        let answer = match bytes {
            _ if bytes.starts_with(b"GET /long") => long_answer(),
            [b'G', ..] => canned_driver::STATE.to_vec(),
            _ => canned_driver::ACCEPTED.to_vec(),
        };
        replies.push(Reply::Bytes(SERVICE_NS, answer));
    }

    fn on_close(&mut self, _connection: ConnectionId) {}
}
