//! The loop of one core: turns in a circle, and all the branching of the hot path.
//!
//! A request's life, top to bottom: `begin` (the user wants to send) -> `on_joined` (it is on a connection) -> `submit`
//! (rendered, with the others of its batch, and handed to the driver) -> `on_event` (something came back) -> `on_answered` or
//! `break_off` (recorded, connection given back) -> `act` (what the user wants next).
//!
//! Reading order: the loop here, then `users`, `outgoing`, `answers`, `limits`, `ending`; `sums` is looked at in
//! debug builds only.

mod answers;
mod ending;
mod limits;
mod outgoing;
mod sums;
mod users;

use super::plan::{Connections, Plan};
use crate::http::buffers::Buffers;
use crate::http::request::SHARED_MAX;
use crate::io::{Driver, EVENTS_MAX, Event, INSERTS_MAX, Insert};
use crate::load::closed::{Change, Changes};
use crate::load::deal::Numbers;
use crate::load::random::Keyed;
use crate::metrics::outcome::Failure;
use crate::metrics::recorder::Recorder;

use super::arrivals::{ArrivalCounts, ArrivalsOf, PREPARE_NS_MAX};
use super::connection::Detail;
use super::example;
use super::pool::Pool;
use super::requests::Requests;
use super::timers::Timers;
use super::user::{Tally, User};
use super::{Control, Ended, Order};
use limits::EXPIRED_MAX;

/// Users spawned or woken in one turn; the rest is for the next, so that answers are not kept waiting.
const WOKEN_MAX: usize = EVENTS_MAX;
/// Buffers that a connection may borrow: for the head and the body of its answer, or for a head in two places.
const BUFFERS_EACH: usize = 2;
/// Longest sleep: how late an order from outside may be noticed.
pub(super) const SLEEP_NS_MAX: u64 = 100_000_000;
/// A turn that submits later than this after its start was held up (the process was stopped, the core taken away):
/// turns are bounded to a few milliseconds.
const HELD_NS: u64 = 50_000_000;
/// Length of an interval sample.
pub(super) const INTERVAL_NS: u64 = 1_000_000_000;
/// How long a seat of an open load stays empty when its user failed before it was ready: users that fail at once must
/// not come again and again without a pause.
const SEAT_EMPTY_NS: u64 = 1_000_000_000;
/// A user is in the middle of no span.
const NO_SPAN: u64 = u64::MAX;

/// When a run begins.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start {
    /// On the drivers' clock.
    pub at_ns: u64,
    /// The same moment in nanoseconds since 1970 (UTC).
    pub wall_ns: u64,
}

/// An interval has ended: which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handover {
    /// The second of the run that it ended in, counted from 1.
    pub second: u64,
    /// Its end, since the start.
    pub end_ns: u64,
    /// It lies after the load's end.
    pub is_drain: bool,
    /// It is the shard's last one.
    pub is_last: bool,
}

/// Called at the end of each interval, to swap it for an empty one. Without a swap the recorder goes on with it.
pub type OnInterval<'p> = Box<dyn FnMut(Handover, &mut Recorder) + Send + 'p>;

/// One core's share of a run.
pub struct Shard<'p, D> {
    plan: &'p Plan,
    /// Which of the plan's shards this is.
    index: usize,
    /// The numbers of its users in the whole run.
    numbers: Numbers,
    /// Connections of the shards before this one.
    slots_before: usize,
    driver: D,
    pool: Pool,
    users: Vec<Seat>,
    /// Of the users that are not asleep.
    requests: Requests,
    /// For what is kept of answers.
    buffers: Buffers,
    users_max: usize,
    /// Of each user, or empty when the plan does not ask for it.
    tallies: Vec<Tally>,
    /// Each user's variables, one stride after the other.
    variables: Vec<u8>,
    /// The values of the request that is rendered now.
    fresh: Vec<u8>,
    /// When each user's spans began, all spans of one user after the other.
    spans_since_ns: Vec<u64>,
    /// Who comes and goes.
    changes: Changes,
    next_change: Option<Change>,
    /// Of an open load.
    arrivals: Option<ArrivalsOf>,
    timers: Timers,
    recorder: Recorder,
    random: Keyed,
    /// Users whose request is in the batch that goes out with this turn.
    submitted: Vec<u32>,
    /// Users whose requests fail by the end of the connection at hand, or have waited for one for too long; the last one
    /// first.
    failing: Vec<(u32, Failure, Detail)>,
    /// What the batch that is rendered now shares with others.
    inserts: Vec<Insert>,
    progress: Progress,
}

/// A user, awake or asleep.
///
/// | bytes of an idle user | |
/// |---|---|
/// | 24 | its state ([`User`]) |
/// | 8 | the rest of its seat |
/// | 12 | its place in the timer wheel |
/// | 8 | each span of the scenario |
/// | 16 | [`Tally`], where the plan asks for it |
///
/// Its variables come on top. A user with a request under way, or in the waiting line, takes [`Requests::BYTES_EACH`]
/// and its place in the line more.
struct Seat {
    user: User,
    /// The place of its request, else `NO_REQUEST`.
    request: u32,
    /// Another user comes here: as soon as this one has left, or, when it has, when its timer fires.
    comes_again: bool,
    /// Of an open load: it has not been ready for an arrival yet.
    prepares: bool,
}

const _: () = assert!(USER_BYTES + size_of::<Tally>() <= 64);
/// What each user takes beside its variables, spans and tally.
pub(super) const USER_BYTES: usize = size_of::<Seat>() + Timers::BYTES_PER_ID;

/// How far before a due moment the shard stops sleeping and looks at the clock instead, in an open load. A sleep in
/// the kernel overshoots by about 50 us; this way it is 0 at the median and 30 us at p99 (`architecture.md`).
const SPIN_NS: u64 = 60_000;

const _: () = assert!(SHARED_MAX <= INSERTS_MAX);

/// Where the shard is in its run. All times on the driver's clock.
struct Progress {
    start_ns: u64,
    /// What the wall clock is ahead of the driver's.
    wall_ahead_ns: u64,
    /// When the last turn's events were taken.
    now_ns: u64,
    spawned: usize,
    finished: usize,
    /// Users that left because a step had failed, while the load lasted.
    users_left: u64,
    in_flight: usize,
    /// When the load begins; `None` while the users of an open load are got ready.
    load_from_ns: Option<u64>,
    load_has_begun: bool,
    /// No user starts anything any more.
    draining: bool,
    /// When nothing more was started.
    load_end_ns: u64,
    /// Why.
    ended: Ended,
    /// How many those are.
    open_at_load_end: usize,
    /// Where the present interval began.
    interval_from_ns: u64,
    next_interval_ns: u64,
    working_ns: u64,
    spun_ns: u64,
    turns: u64,
    waited_in_line: u64,
    /// When the last look through the whole waiting line began.
    line_swept_ns: u64,
    /// No user in the line has an earlier time limit, but for those that a look under way has not come to.
    line_limit_ns: u64,
    /// Users in the line whose time is over that this turn may still see off.
    expiries_left: usize,
    last_done_ns: u64,
}

/// What a shard leaves behind.
pub struct Outcomes {
    /// Everything that was counted.
    pub recorder: Recorder,
    /// Of an open load: what became of the arrivals.
    pub arrivals: Option<ArrivalCounts>,
    /// Of the working time of the thread: looking at the clock until a moment had come.
    pub spun_ns: u64,
    /// Time spent working, that is not asleep in the kernel.
    pub working_ns: u64,
    /// When the load began, counted from the start: 0, or when the first arrival of an open load was due.
    pub load_from_ns: u64,
    /// When nothing more was started, counted from the start.
    pub load_to_ns: u64,
    /// Why.
    pub ended: Ended,
    /// Requests that were open then.
    pub open_at_load_end: usize,
    /// Seats that a user ever took: users that came, those that took the seat of another not counted.
    pub users_came: usize,
    /// Users that left because a step had failed, while the load lasted.
    pub users_left: u64,
    /// From the start to the end of the loop.
    pub lasted_ns: u64,
    /// When the last outcome came, counted from the start.
    pub last_done_ns: u64,
    /// Turns of the loop.
    pub turns: u64,
    /// Requests that waited in the line for a connection.
    pub waited_in_line: u64,
    /// Turns that found the completion queue overflowed.
    pub overflows: u64,
    /// Users that had been spawned and had not finished when the run ended.
    pub users_at_end: usize,
}

impl<'p, D: Driver> Shard<'p, D> {
    /// Sizes everything that the run will need.
    pub fn new(plan: &'p Plan, index: usize, driver: D) -> Self {
        let users_max = plan.users_of_shard(index);
        let mut changes = plan.load.users().changes(plan.deal(), index);
        let next_change = changes.peek(plan.load.users());
        let scenario = &plan.scenario;
        let slots = plan.slots_of_shard(index);
        let pool = match plan.connections {
            Connections::PerUser => Pool::per_user(users_max),
            Connections::Shared { depth, .. } => Pool::shared(slots, users_max, depth),
        };
        Self {
            plan,
            index,
            numbers: plan.deal().numbers(index),
            slots_before: plan.slots_before_shard(index),
            driver,
            pool,
            users: Vec::with_capacity(users_max),
            requests: Requests::new(users_max),
            buffers: Buffers::new(BUFFERS_EACH * slots, example::body_bytes_max(scenario)),
            users_max,
            tallies: Vec::with_capacity(match plan.keeps_tallies() {
                true => users_max,
                false => 0,
            }),
            variables: vec![0; users_max * scenario.variables.stride()],
            fresh: vec![0; scenario.fresh_stride],
            spans_since_ns: vec![NO_SPAN; users_max * scenario.spans.len()],
            changes,
            next_change,
            arrivals: plan
                .load
                .arrivals()
                .map(|open| ArrivalsOf::new(open, plan, index)),
            timers: Timers::new(users_max + 2 * slots),
            recorder: Recorder::new(scenario.metrics.len(), scenario.spans.len(), 0),
            random: Keyed::new(plan.seed),
            // Each event may bring the answers of a whole batch.
            submitted: Vec::with_capacity(plan.connections.depth() * EVENTS_MAX + 3 * WOKEN_MAX),
            failing: Vec::with_capacity(plan.connections.depth().max(EXPIRED_MAX)),
            inserts: Vec::with_capacity(INSERTS_MAX),
            progress: Progress {
                start_ns: 0,
                wall_ahead_ns: 0,
                now_ns: 0,
                spawned: 0,
                finished: 0,
                users_left: 0,
                in_flight: 0,
                load_from_ns: None,
                load_has_begun: false,
                draining: false,
                load_end_ns: 0,
                ended: Ended::NobodyLeft,
                open_at_load_end: 0,
                interval_from_ns: 0,
                next_interval_ns: INTERVAL_NS,
                working_ns: 0,
                spun_ns: 0,
                turns: 0,
                waited_in_line: 0,
                line_swept_ns: 0,
                line_limit_ns: u64::MAX,
                expiries_left: EXPIRED_MAX,
                last_done_ns: 0,
            },
        }
    }

    /// Runs the plan from `start` on to its end.
    pub fn run(
        mut self,
        start: Start,
        control: &Control,
        mut on_interval: OnInterval<'_>,
    ) -> (Outcomes, D) {
        self.carry_out(start, control, &mut on_interval);
        self.finish(control.order(), on_interval)
    }

    /// The turns of [`Shard::run`]; after them, or after a panic in one of them, the outcomes are still to be taken.
    pub(super) fn carry_out(
        &mut self,
        start: Start,
        control: &Control,
        on_interval: &mut OnInterval<'_>,
    ) {
        let start_ns = start.at_ns;
        self.recorder.set_start(start_ns);
        self.progress.start_ns = start_ns;
        self.progress.wall_ahead_ns = start.wall_ns.saturating_sub(start_ns);
        self.progress.interval_from_ns = start_ns;
        self.progress.next_interval_ns = start_ns + INTERVAL_NS;
        self.progress.load_from_ns = self.arrivals.is_none().then_some(start_ns);
        self.progress.now_ns = self.driver.now_ns();
        let mut events: Vec<Event> = Vec::with_capacity(2 * EVENTS_MAX);
        let mut drained_by_ns = u64::MAX;
        loop {
            let order = control.order();
            let now_ns = self.progress.now_ns;
            self.begin_arrivals(control);
            self.begin_load();
            let end_ns = self.end_ns();
            let is_over = now_ns >= end_ns || order != Order::Run;
            if is_over && !self.progress.draining {
                // What was due before the end is begun, however late this turn noticed it.
                self.arrive_due(now_ns.min(end_ns - 1), usize::MAX);
                self.send_filled();
                self.end_load(now_ns.min(end_ns), order, on_interval);
            }
            if self.progress.draining {
                drained_by_ns = self.progress.load_end_ns + self.drain_ns(control);
            }
            self.change_due();
            self.arrive_due(now_ns, WOKEN_MAX);
            self.wake_due();
            self.expire_due();
            let done = self.progress.in_flight == 0
                && (self.all_finished() || (self.progress.draining && !self.has_last_steps()));
            if done || now_ns >= drained_by_ns || order == Order::StopNow {
                break;
            }
            let bound_ns = match self.progress.draining {
                true => drained_by_ns,
                false => end_ns,
            };
            let deadline_ns = self.deadline_ns().min(bound_ns);
            self.turn(deadline_ns, &mut events);
            self.debug_assert_sums();
            if self.progress.now_ns >= self.progress.next_interval_ns {
                self.end_second(on_interval);
            }
        }
    }

    /// When nothing more is started.
    fn end_ns(&self) -> u64 {
        let Some(run_time_ns) = self.plan.run_time_ns else {
            return u64::MAX;
        };
        let from_ns = match &self.arrivals {
            None => Some(self.progress.start_ns),
            Some(arrivals) => arrivals.from_ns,
        };
        from_ns.map_or(u64::MAX, |from_ns| from_ns + run_time_ns)
    }

    /// Takes part in the agreement on when the arrivals of an open load begin.
    fn begin_arrivals(&mut self, control: &Control) {
        let Some(arrivals) = &mut self.arrivals else {
            return;
        };
        if arrivals.from_ns.is_some() {
            return;
        }
        let now_ns = self.progress.now_ns;
        let all_came = self.next_change.is_none() && arrivals.preparing == 0;
        let came_by_ns = self.progress.start_ns + self.plan.load.users().settled_ns();
        let is_ready = all_came || now_ns >= came_by_ns + PREPARE_NS_MAX;
        if is_ready && !arrivals.said_ready {
            arrivals.said_ready = true;
            control.on_ready(self.plan.shards, self.progress.start_ns, now_ns);
        }
        arrivals.from_ns = control.arrivals_from_ns();
        if let Some(from_ns) = arrivals.from_ns {
            self.progress.load_from_ns = Some(from_ns);
        }
    }

    /// What users that were got ready have done is not part of the load.
    fn begin_load(&mut self) {
        let from_ns = self.progress.load_from_ns;
        if !self.progress.load_has_begun
            && from_ns.is_some_and(|from_ns| self.progress.now_ns >= from_ns)
        {
            self.progress.load_has_begun = true;
            self.recorder.on_load_begun();
        }
    }

    fn turn(&mut self, due_ns: u64, events: &mut Vec<Event>) {
        self.send_filled();
        let spins = self.plan.spins && self.progress.now_ns + SPIN_NS >= due_ns;
        let deadline_ns = match (self.plan.spins, spins) {
            (false, _) => due_ns,
            (true, false) => due_ns - SPIN_NS,
            (true, true) => self.progress.now_ns,
        };
        let had_work = !self.submitted.is_empty();
        let turn = self.driver.wait(deadline_ns, events);
        self.stamp(self.submitted.len(), turn.submitted_ns);
        let held_ns = turn.submitted_ns.saturating_sub(self.progress.now_ns);
        if held_ns > HELD_NS {
            let turn_from_ns = self.progress.now_ns;
            self.requests
                .delay(turn_from_ns, turn.submitted_ns, held_ns);
        }
        if spins && !had_work && events.is_empty() {
            let spun_ns = turn.reaped_ns.saturating_sub(self.progress.now_ns);
            self.recorder.on_spun(spun_ns);
            self.progress.spun_ns += spun_ns;
            self.progress.now_ns = turn.reaped_ns;
            return;
        }
        let worked_ns = turn.idle_from_ns.saturating_sub(self.progress.now_ns);
        let late_ns = turn
            .reaped_ns
            .saturating_sub(deadline_ns.max(turn.idle_from_ns));
        self.recorder.on_turn(worked_ns, late_ns);
        self.progress.working_ns += worked_ns;
        self.progress.turns += 1;
        self.progress.now_ns = turn.reaped_ns;
        for event in events.drain(..) {
            self.on_event(event);
        }
    }

    /// When the next thing is due that no completion will announce.
    fn deadline_ns(&self) -> u64 {
        let looked_at_ns = self.progress.now_ns + SLEEP_NS_MAX;
        let timers_ns = self.timers.next_ns().unwrap_or(u64::MAX);
        let change_ns = self.next_change_ns().unwrap_or(u64::MAX);
        let line_ns = self.line_due_ns();
        let arrival_ns = self.next_arrival_ns().unwrap_or(u64::MAX);
        let due_ns = timers_ns.min(change_ns).min(line_ns).min(arrival_ns);
        // The second ends on time, so that those of all shards mean the same.
        let second_ns = self.progress.next_interval_ns;
        due_ns.min(looked_at_ns).min(second_ns)
    }
}
