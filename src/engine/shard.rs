//! The loop of one core: turns in a circle, and all the branching of the hot path.
//!
//! A request's life, top to bottom: `begin` (the user wants to send) -> `on_joined` (it is on a connection) -> `submit`
//! (rendered, with the others of its batch, and handed to the driver) -> `on_event` (something came back) -> `on_answered` or
//! `break_off` (recorded, connection given back) -> `act` (what the user wants next).

use crate::http::request::{Cuts, SHARED_MAX, Values};
use crate::http::response::Keep;
use crate::io::{ConnectionId, Driver, EVENTS_MAX, Event, INSERTS_MAX, Insert, Io};
use crate::metrics::interval::ArrivalsSoFar;
use crate::metrics::outcome::{Failure, Outcome};
use crate::metrics::recorder::{Recorder, Times};
use crate::plan::expect::{Reply, Unmet};
use crate::plan::load::{Change, Changes};
use crate::plan::random::{Keyed, Stream};
use crate::plan::scenario::{Step, StepIndex};
use crate::plan::value::Origin;
use crate::plan::{Connections, Plan};

use super::arrivals::{ArrivalCounts, ArrivalsOf, PREPARE_NS_MAX};
use super::batch::{self, Ending};
use super::connection::{Detail, Happening, NO_TIMER, NOBODY, State};
use super::example;
use super::pool::{Pool, backoff_ns};
use super::requests::{NO_REQUEST, Phase, Request, Requests};
use super::timers::Timers;
use super::user::{self, Acting, Action, Answer, Leaving, Move, PollEnd, Script, Tally, User};
use super::{Control, Order};

/// Users spawned or woken in one turn; the rest is for the next, so that answers are not kept waiting.
const WOKEN_MAX: usize = EVENTS_MAX;
/// Longest sleep: how late an order from outside may be noticed.
pub(super) const SLEEP_NS_MAX: u64 = 100_000_000;
/// Length of an interval sample.
pub(super) const INTERVAL_NS: u64 = 1_000_000_000;
/// How often the whole waiting line is looked through when steps have time limits of their own.
const LINE_NS: u64 = 10_000_000;
/// Up to so many users, a debug build looks at each of them after every turn.
const USERS_LOOKED_AT: usize = 64;
/// The status of a server that has waited for a request long enough.
const REQUEST_TIMEOUT: u16 = 408;
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

/// Takes a full interval with the time it ended and gives an empty one for it, or nothing when none is to be had.
pub type OnInterval<'p> = Box<dyn FnMut(u64, &mut Recorder) + Send + 'p>;

/// One core's share of a run.
pub struct Shard<'p, D> {
    plan: &'p Plan,
    /// Which of the plan's shards this is.
    index: usize,
    /// Connections of the shards before this one.
    slots_before: usize,
    driver: D,
    pool: Pool,
    users: Vec<Seat>,
    /// Of the users that are not asleep.
    requests: Requests,
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
    /// Users whose requests fail by the end of the connection at hand, the last one first.
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
    /// The plan wants another user here as soon as this one has left.
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
    in_flight: usize,
    /// No user starts anything any more.
    draining: bool,
    /// When nothing more was started.
    load_end_ns: u64,
    next_interval_ns: u64,
    working_ns: u64,
    stopped_ns_max: u64,
    spun_ns: u64,
    turns: u64,
    waited_in_line: u64,
    /// When the whole waiting line is looked through next.
    line_looked_at_ns: u64,
    first_sent_ns: Option<u64>,
    last_done_ns: u64,
}

/// What a shard leaves behind.
pub struct Outcomes {
    /// Everything that was counted.
    pub recorder: Recorder,
    /// Of an open load: what became of the arrivals, and when the first was due, counted from the start.
    pub arrivals: Option<(ArrivalCounts, u64)>,
    /// Of the working time of the thread: looking at the clock until a moment had come.
    pub spun_ns: u64,
    /// Longest time that it ran later than it wanted to, or worked without a look at the clock.
    pub stopped_ns_max: u64,
    /// Time spent working, that is not asleep in the kernel.
    pub working_ns: u64,
    /// When nothing more was started, counted from the start.
    pub load_ns: u64,
    /// From the start to the end of the loop.
    pub lasted_ns: u64,
    /// When the first request was submitted, counted from the start.
    pub first_sent_ns: Option<u64>,
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
    /// All users left by themselves (a run bounded by iterations).
    pub all_finished: bool,
}

impl<'p, D: Driver> Shard<'p, D> {
    /// Sizes everything that the run will need.
    pub fn new(plan: &'p Plan, index: usize, driver: D) -> Self {
        let users_max = plan.users_of_shard(index);
        let mut changes = plan.load.changes(index, plan.shards);
        let next_change = changes.peek(&plan.load);
        let scenario = &plan.scenario;
        let slots = plan.slots_of_shard(index);
        let pool = match plan.connections {
            Connections::PerUser => Pool::per_user(users_max),
            Connections::Shared(_) | Connections::Pipelined { .. } => {
                Pool::shared(slots, users_max, plan.connections.depth())
            }
        };
        Self {
            plan,
            index,
            slots_before: plan.slots_before_shard(index),
            driver,
            pool,
            users: Vec::with_capacity(users_max),
            requests: Requests::new(users_max),
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
                .open
                .as_ref()
                .map(|open| ArrivalsOf::new(open, plan, index)),
            timers: Timers::new(users_max + 2 * slots),
            recorder: Recorder::new(scenario.metrics.len(), scenario.spans.len(), 0),
            random: Keyed::new(plan.seed),
            // Each event may bring the answers of a whole batch.
            submitted: Vec::with_capacity(plan.connections.depth() * EVENTS_MAX + 3 * WOKEN_MAX),
            failing: Vec::with_capacity(plan.connections.depth()),
            inserts: Vec::with_capacity(INSERTS_MAX),
            progress: Progress {
                start_ns: 0,
                wall_ahead_ns: 0,
                now_ns: 0,
                spawned: 0,
                finished: 0,
                in_flight: 0,
                draining: false,
                load_end_ns: 0,
                next_interval_ns: INTERVAL_NS,
                working_ns: 0,
                stopped_ns_max: 0,
                spun_ns: 0,
                turns: 0,
                waited_in_line: 0,
                line_looked_at_ns: 0,
                first_sent_ns: None,
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
        let start_ns = start.at_ns;
        self.recorder.set_start(start_ns);
        self.progress.start_ns = start_ns;
        self.progress.wall_ahead_ns = start.wall_ns.saturating_sub(start_ns);
        self.progress.next_interval_ns = start_ns + INTERVAL_NS;
        self.progress.now_ns = self.driver.now_ns();
        let mut events: Vec<Event> = Vec::with_capacity(2 * EVENTS_MAX);
        let mut drained_by_ns = u64::MAX;
        loop {
            let order = control.order();
            let now_ns = self.progress.now_ns;
            self.begin_arrivals(control);
            let end_ns = self.end_ns();
            let is_over = now_ns >= end_ns || order != Order::Run;
            if is_over && !self.progress.draining {
                // What was due before the end is begun, however late this turn noticed it.
                self.arrive_due(now_ns.min(end_ns - 1), usize::MAX);
                self.progress.load_end_ns = now_ns.min(end_ns);
                self.send_filled();
                self.begin_draining();
                drained_by_ns = now_ns + self.plan.drain_ns();
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
                self.end_interval(&mut on_interval);
            }
        }
        self.finish()
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
        let came_by_ns = self.progress.start_ns + self.plan.load.settled_ns();
        let is_ready = all_came || now_ns >= came_by_ns + PREPARE_NS_MAX;
        if is_ready && !arrivals.said_ready {
            arrivals.said_ready = true;
            control.on_ready(self.plan.shards, self.progress.start_ns, now_ns);
        }
        arrivals.from_ns = control.arrivals_from_ns();
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
        for index in 0..self.submitted.len() {
            let seat = &self.users[self.submitted[index] as usize];
            // Its connection may have ended in the same turn.
            if let Some(request) = self.requests.get_mut(seat.request) {
                request.submitted_ns = turn.submitted_ns;
            }
        }
        if !self.submitted.is_empty() {
            let progress = &mut self.progress;
            progress.first_sent_ns.get_or_insert(turn.submitted_ns);
            self.submitted.clear();
        }
        if spins && !had_work && events.is_empty() {
            self.progress.spun_ns += turn.reaped_ns.saturating_sub(self.progress.now_ns);
            self.progress.now_ns = turn.reaped_ns;
            return;
        }
        let worked_ns = turn.idle_from_ns.saturating_sub(self.progress.now_ns);
        let late_ns = turn
            .reaped_ns
            .saturating_sub(deadline_ns.max(turn.idle_from_ns));
        let stopped_ns = late_ns.max(worked_ns);
        self.progress.stopped_ns_max = self.progress.stopped_ns_max.max(stopped_ns);
        self.recorder.on_turn(worked_ns);
        self.progress.working_ns += worked_ns;
        self.progress.turns += 1;
        self.progress.now_ns = turn.reaped_ns;
        for event in events.drain(..) {
            self.on_event(event);
        }
    }

    /// What holds after every turn: each request is counted once, and users and connections agree on who has whom.
    fn debug_assert_sums(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        let steps = self.recorder.counts.steps.iter();
        let open: u64 = steps
            .map(|step| step.sent - step.requests - step.cut_off)
            .sum();
        assert_eq!(open, self.progress.in_flight as u64, "requests under way");
        if self.users.len() > USERS_LOOKED_AT {
            return;
        }
        let under_way = || {
            let seats = self.users.iter().enumerate();
            seats.filter_map(|(id, seat)| Some((id, self.requests.get(seat.request)?)))
        };
        assert_eq!(under_way().count(), self.progress.in_flight);
        let waits = |request: &Request| request.phase == Phase::Waiting && request.slot == NOBODY;
        let waiting = under_way().filter(|(_, request)| waits(request)).count();
        assert_eq!(waiting, self.pool.line().count(), "users in the line");
        let users_on = |slot: u32| {
            (0..self.pool.carried(slot)).map(move |place| self.pool.user_at(slot, place))
        };
        for (id, request) in under_way().filter(|(_, request)| request.slot != NOBODY) {
            let is_there = users_on(request.slot).any(|user| user as usize == id);
            assert!(is_there, "the user of its connection");
        }
        let taken = self.pool.connections.iter();
        let taken = taken.filter(|connection| {
            connection.user != NOBODY || connection.state == State::BackingOff
        });
        let slots = self.pool.connections.len();
        let free = self.pool.free_slots();
        assert!(
            free.is_none_or(|free| free + taken.count() == slots),
            "a slot is lost"
        );
        for (slot, connection) in (0..).zip(&self.pool.connections) {
            let carries = matches!(connection.state, State::Busy | State::Connecting);
            assert_eq!(carries, carries && connection.user != NOBODY);
            for user in users_on(slot) {
                assert_eq!(self.request(user).slot, slot, "the connection of its user");
            }
            let is_awaited = |user: &u32| {
                let phase = self.request(*user).phase;
                matches!(phase, Phase::Submitted | Phase::Resubmitted)
            };
            let awaited = match connection.state {
                State::Busy => usize::from(connection.awaited),
                _ => 0,
            };
            let first = users_on(slot).take_while(is_awaited).count();
            let all = users_on(slot).filter(is_awaited).count();
            assert_eq!((first, all), (awaited, awaited), "answers due");
        }
    }

    /// When the next thing is due that no completion will announce.
    fn deadline_ns(&self) -> u64 {
        let looked_at_ns = self.progress.now_ns + SLEEP_NS_MAX;
        let timers_ns = self.timers.next_ns().unwrap_or(u64::MAX);
        let change_ns = self.next_change_ns().unwrap_or(u64::MAX);
        let line_ns = match self.pool.first_in_line() {
            None => u64::MAX,
            Some(_) if self.plan.scenario.has_own_timeouts => self.progress.line_looked_at_ns,
            Some(user) => self.time_limit_ns(user),
        };
        let arrival_ns = self.next_arrival_ns().unwrap_or(u64::MAX);
        let due_ns = timers_ns.min(change_ns).min(line_ns).min(arrival_ns);
        // The second ends on time, so that those of all shards mean the same.
        let second_ns = self.progress.next_interval_ns;
        due_ns.min(looked_at_ns).min(second_ns)
    }

    // ---- users come, act and go

    fn next_change_ns(&self) -> Option<u64> {
        let next = self.next_change.filter(|_| !self.progress.draining)?;
        Some(self.progress.start_ns + next.at_ns)
    }

    fn change_due(&mut self) {
        // What is decided while the load runs may be there now.
        if self.next_change.is_none() && self.plan.load.is_steered() {
            self.next_change = self.changes.peek(&self.plan.load);
        }
        for _ in 0..WOKEN_MAX {
            match (self.next_change, self.next_change_ns()) {
                (Some(change), Some(at_ns)) if at_ns <= self.progress.now_ns => {
                    let id = (change.user / self.plan.shards as u64) as u32;
                    match change.comes {
                        true => self.on_coming(id, at_ns),
                        false => self.on_going(id),
                    }
                    self.changes.advance();
                    self.next_change = self.changes.peek(&self.plan.load);
                }
                _ => break,
            }
        }
    }

    fn next_arrival_ns(&self) -> Option<u64> {
        let arrivals = self.arrivals.as_ref()?;
        let open = self.plan.open.as_ref()?;
        let from_ns = arrivals.from_ns.filter(|_| !self.progress.draining)?;
        Some(from_ns + arrivals.schedule.peek(open)?)
    }

    /// Arrivals of an open load go to users that rest, else into the line.
    fn arrive_due(&mut self, until_ns: u64, count_max: usize) {
        for _ in 0..count_max {
            match (self.next_arrival_ns(), &self.plan.open, &mut self.arrivals) {
                (Some(due_ns), Some(open), Some(arrivals)) if due_ns <= until_ns => {
                    arrivals.schedule.advance(open);
                    arrivals.counts.due += 1;
                    match arrivals.resting.pop_front() {
                        Some(id) => self.on_arrival(id, due_ns),
                        None => self.wait_for_user(due_ns),
                    }
                }
                _ => break,
            }
        }
    }

    fn on_arrival(&mut self, id: u32, due_ns: u64) {
        if let Some(arrivals) = &mut self.arrivals {
            arrivals.counts.started += 1;
        }
        let action = self.acting(id).on_arrival(due_ns);
        self.act(id, action.into());
    }

    /// Nobody rests: the arrival stands in the line, and one user more is got ready, if the plan allows.
    fn wait_for_user(&mut self, due_ns: u64) {
        let seats_taken = self.users.len();
        let Some(arrivals) = &mut self.arrivals else {
            return;
        };
        if arrivals.line.len() == arrivals.line_max {
            arrivals.counts.dropped += 1;
            return;
        }
        arrivals.counts.waited += 1;
        arrivals.line.push_back(due_ns);
        if seats_taken < self.users_max && arrivals.line.len() > arrivals.preparing {
            self.spawn(seats_taken as u32, self.progress.now_ns, 0);
        }
    }

    /// A user is ready for an arrival: the one that has waited longest, else the next that comes.
    fn on_resting(&mut self, id: u32) {
        let Some(arrivals) = &mut self.arrivals else {
            return;
        };
        let seat = &mut self.users[id as usize];
        if std::mem::replace(&mut seat.prepares, false) {
            arrivals.preparing -= 1;
        }
        if self.progress.draining {
            return;
        }
        match arrivals.line.pop_front() {
            Some(due_ns) => self.on_arrival(id, due_ns),
            None => arrivals.resting.push_back(id),
        }
    }

    /// The plan wants one user more: a new one, or one who was told to leave and has not begun to.
    fn on_coming(&mut self, id: u32, at_ns: u64) {
        match self.users.get_mut(id as usize) {
            None => self.spawn(id, at_ns, 0),
            Some(seat) if !seat.user.is_on_its_way_out() => seat.user.tell(Leaving::No),
            Some(seat) if seat.user.has_left() => {
                self.spawn(id, at_ns, self.lives(id) + 1);
            }
            Some(seat) => seat.comes_again = true,
        }
    }

    /// The plan wants one user less.
    fn on_going(&mut self, id: u32) {
        let seat = &mut self.users[id as usize];
        seat.comes_again = false;
        seat.user.tell(Leaving::AfterPass);
        if seat.request != NO_REQUEST {
            return;
        }
        let now_ns = self.progress.now_ns;
        if let Some(next) = self.acting(id).leave_from_sleep(now_ns) {
            self.timers.cancel(id);
            self.act(id, next);
        }
    }

    /// A user takes the seat that `lives` others had before.
    fn spawn(&mut self, id: u32, at_ns: u64, lives: u32) {
        let plan = self.plan;
        if plan.keeps_tallies() {
            let tally = Tally::new(at_ns, plan.load.iterations_of(self.number(id, 0)), lives);
            match self.tallies.get_mut(id as usize) {
                Some(place) => *place = tally,
                None => self.tallies.push(tally),
            }
        }
        let number = self.number(id, lives);
        let origin = self.origin(number, Stream::Variable, 0);
        let stride = plan.scenario.variables.stride();
        let place = &mut self.variables[id as usize * stride..(id as usize + 1) * stride];
        plan.scenario.variables.fill(&origin, place);
        let spans = plan.scenario.spans.len();
        self.spans_since_ns[id as usize * spans..(id as usize + 1) * spans].fill(NO_SPAN);
        if let Some(arrivals) = &mut self.arrivals {
            arrivals.preparing += 1;
        }
        let seat = Seat {
            user: User::new(at_ns),
            request: NO_REQUEST,
            comes_again: false,
            prepares: plan.open.is_some(),
        };
        match self.users.get_mut(id as usize) {
            Some(place) => *place = seat,
            None => self.users.push(seat),
        }
        self.progress.spawned += 1;
        self.recorder.set_users(self.active_users());
        let first = self.acting(id).begin();
        self.act(id, first);
    }

    fn on_finished(&mut self, id: u32) {
        self.progress.finished += 1;
        self.recorder.set_users(self.active_users());
        if let Some(arrivals) = &mut self.arrivals
            && std::mem::replace(&mut self.users[id as usize].prepares, false)
        {
            arrivals.preparing -= 1;
        }
        // A user's own connection goes with it.
        if let Some(slot) = self.pool.own_slot(id)
            && self.pool.connections[slot as usize].state == State::Idle
        {
            self.drop_connection(slot);
        }
        if self.users[id as usize].comes_again && !self.progress.draining {
            self.spawn(id, self.progress.now_ns, self.lives(id) + 1);
        }
    }

    /// How many users had this one's seat before.
    fn lives(&self, id: u32) -> u32 {
        let tally = self.tallies.get(id as usize);
        tally.map_or(0, |tally| tally.lives)
    }

    /// The number in the whole run of the user that had a seat after so many others.
    fn number(&self, id: u32, lives: u32) -> u64 {
        let first = u64::from(id) * self.plan.shards as u64 + self.index as u64;
        first + u64::from(lives) * self.plan.users_max()
    }

    /// A user with all that it acts by.
    fn acting(&mut self, id: u32) -> Acting<'_> {
        Acting {
            number: self.number(id, self.lives(id)),
            user: &mut self.users[id as usize].user,
            tally: self.tallies.get_mut(id as usize),
            script: Script {
                scenario: &self.plan.scenario,
                random: self.random,
                is_open: self.plan.open.is_some(),
            },
        }
    }

    /// What a user's values are computed from.
    fn origin(&self, user: u64, stream: Stream, text: u64) -> Origin<'p> {
        Origin {
            random: self.random,
            user,
            stream,
            text,
            users: self.plan.users_max(),
            wall_ns: self.progress.now_ns + self.progress.wall_ahead_ns,
            feeder: &self.plan.scenario.feeder,
        }
    }

    fn active_users(&self) -> usize {
        self.progress.spawned - self.progress.finished
    }

    fn all_finished(&self) -> bool {
        let may_change = self.arrivals.is_some() || self.plan.load.is_steered();
        let nobody_comes = self.next_change.is_none() && !may_change;
        self.active_users() == 0 && (self.progress.draining || nobody_comes)
    }

    /// Users do something before they leave.
    fn has_last_steps(&self) -> bool {
        !self.plan.scenario.stop.is_empty()
    }

    fn step(&self, index: StepIndex) -> &'p Step {
        &self.plan.scenario.steps[usize::from(index)]
    }

    /// The step that a user is at.
    fn step_of(&self, id: u32) -> &'p Step {
        self.step(self.users[id as usize].user.step())
    }

    fn wake_due(&mut self) {
        for _ in 0..WOKEN_MAX {
            let Some(id) = self.timers.pop(self.progress.now_ns) else {
                break;
            };
            self.on_timer(id);
        }
    }

    /// Timer ids: users first, then the time limits of slots, then their backoffs. At the end only limits still hold.
    fn on_timer(&mut self, id: u32) {
        let users_max = self.users_max as u32;
        let slots = self.pool.connections.len() as u32;
        let is_time_limit = (users_max..users_max + slots).contains(&id);
        if self.progress.draining && !is_time_limit && !self.has_last_steps() {
            return;
        }
        if id < users_max {
            let next = self.acting(id).next(user::Happening::Woken);
            self.act(id, next);
        } else if is_time_limit {
            self.on_time_limit(id - users_max);
        } else {
            self.on_backoff_over(id - users_max - slots);
        }
    }

    fn act(&mut self, id: u32, next: Move) {
        if let Some(end) = next.poll {
            match end {
                PollEnd::Ready { step, after_ns } => {
                    let metric = self.step(step).metric;
                    self.recorder.on_ready(usize::from(metric), after_ns);
                }
                PollEnd::GaveUp { step } => {
                    let metric = self.step(step).metric;
                    self.recorder.on_gave_up(usize::from(metric));
                }
            }
        }
        match next.action {
            _ if self.progress.draining && !self.has_last_steps() => {}
            Action::Send(step) => self.begin(id, step),
            Action::SleepUntil(wake_ns) => self.timers.set(id, wake_ns),
            Action::Rest => self.on_resting(id),
            Action::Finish => self.on_finished(id),
        }
    }

    // ---- a request goes out

    fn begin(&mut self, id: u32, step: StepIndex) {
        let begun = self.step(step);
        self.recorder.on_started(usize::from(begun.metric));
        self.progress.in_flight += 1;
        let seat = &mut self.users[id as usize];
        for span in begun.begins.iter().filter(|_| seat.user.is_first_attempt()) {
            let spans = self.plan.scenario.spans.len();
            let place = id as usize * spans + usize::from(*span);
            self.spans_since_ns[place] = seat.user.intended_ns;
            self.recorder.on_span_begun(usize::from(*span));
        }
        seat.request = self.requests.begin(self.progress.now_ns);
        // Without one it stands in the line. Whether it waits there shows when it leaves: a slot may have room before
        // this turn is over.
        if let Some(slot) = self.pool.acquire(id) {
            self.on_joined(slot, id);
        }
    }

    /// A user is on a slot, the first one or behind others. A full batch goes out at once, others when the turn is over.
    fn on_joined(&mut self, slot: u32, id: u32) {
        self.request_mut(id).slot = slot;
        self.limit_time(slot, id);
        match self.pool.connections[slot as usize].state {
            State::Idle if !self.pool.has_room(slot) => self.submit(slot),
            State::Closed => self.open(slot),
            State::Idle | State::Connecting | State::BackingOff | State::Busy => {}
        }
    }

    /// Those who stand in the line get what room a slot has.
    fn fill(&mut self, slot: u32) {
        while let Some(next) = self.pool.next_for(slot) {
            let waited = self.request(next).begun_ns < self.progress.now_ns;
            self.progress.waited_in_line += u64::from(waited);
            // Its time is over too: a connection is of no more use to it.
            if self.time_limit_ns(next) <= self.progress.now_ns {
                self.fail(next, Failure::WaitTimeout, Detail::None);
            } else {
                self.pool.join(slot, next);
                self.on_joined(slot, next);
            }
        }
    }

    /// The turn is over: batches go out with the requests they have. Those that wait for their connection go with it.
    fn send_filled(&mut self) {
        while let Some(slot) = self.pool.filled() {
            if self.pool.connections[slot as usize].state == State::Idle {
                self.submit(slot);
            }
        }
    }

    /// Opens a connection for those who are on its slot.
    fn open(&mut self, slot: u32) {
        let connection = &mut self.pool.connections[slot as usize];
        connection.on_opening(self.progress.now_ns);
        // Evenly over all routes, whatever the number of shards; the next one after a failed attempt.
        let route = self.slots_before + slot as usize + connection.refusals as usize;
        let connection = self.id_of(slot);
        self.driver.submit_connect(connection, route);
        self.limit_times(slot);
    }

    /// Sends the batch of an open connection: its requests one after the other, in one piece.
    fn submit(&mut self, slot: u32) {
        let connection = &self.pool.connections[slot as usize];
        // What is sent again goes alone over a new connection: should it be what ends connections, the answer that says
        // why must not be lost with the others (RFC 9112 section 9.3.2).
        let alone = connection.answers == 0 && self.request(connection.user).phase == Phase::Again;
        let count_max = match alone {
            true => 1,
            false => self.pool.carried(slot),
        };
        let (mut count, mut rendered, mut longest) = (0, 0, 0);
        self.inserts.clear();
        while count < count_max {
            let id = self.pool.user_at(slot, count);
            let shared = self.step_of(id).template.shared().len();
            // What one send cannot carry follows when this batch has been answered.
            if self.inserts.len() + shared > INSERTS_MAX {
                break;
            }
            let (end, request_bytes) = self.render(id, rendered);
            rendered = end;
            longest = longest.max(request_bytes);
            count += 1;
        }
        let connection = &mut self.pool.connections[slot as usize];
        connection.on_submitted(count as u8, longest);
        self.await_answer(slot);
        let connection = self.id_of(slot);
        match &self.inserts[..] {
            [] => self.driver.submit_send(connection, rendered),
            inserts => self
                .driver
                .submit_send_around(connection, rendered, inserts),
        }
    }

    /// Writes a user's request into the send buffer, from `at` on. Returns where it ends there, and its whole length.
    fn render(&mut self, id: u32, at: usize) -> (usize, usize) {
        let seat = &self.users[id as usize];
        let step = self.step(seat.user.step());
        let text = u64::from(seat.user.request_number());
        let origin = self.origin(self.number(id, self.lives(id)), Stream::Request, text);
        step.refresh(&origin, &mut self.fresh);
        let stride = self.plan.scenario.variables.stride();
        let values = Values {
            user: &self.variables[id as usize * stride..(id as usize + 1) * stride],
            fresh: &self.fresh,
        };
        let mut cuts = Cuts::default();
        let buffer = &mut self.driver.send_buffer()[at..];
        let rendered = step.template.render(values, buffer, &mut cuts);
        let shared = step.template.shared().len();
        let inserts = cuts[..shared].iter().zip(step.shared_first as usize..);
        self.inserts.extend(inserts.map(|(&cut, shared)| Insert {
            at: at + cut,
            shared,
        }));
        let bytes = rendered + step.template.shared_bytes();
        let now_ns = self.progress.now_ns;
        let request = self.request_mut(id);
        request.phase = match request.phase {
            Phase::Again => Phase::Resubmitted,
            _ => Phase::Submitted,
        };
        // The true stamp follows when the batch goes out.
        request.submitted_ns = now_ns;
        self.recorder
            .on_submitted(usize::from(step.metric), bytes as u64);
        self.submitted.push(id);
        (at + rendered, bytes)
    }

    /// The answer to the first request on a connection is next.
    fn await_answer(&mut self, slot: u32) {
        let connection = &mut self.pool.connections[slot as usize];
        let step = self.users[connection.user as usize].user.step();
        let step = &self.plan.scenario.steps[usize::from(step)];
        let keep = Keep {
            body_bytes: step.keep.body_bytes.max(example::BYTES),
            ..step.keep
        };
        connection.await_answer(step.expecting, keep);
    }

    fn id_of(&self, slot: u32) -> ConnectionId {
        ConnectionId {
            slot,
            generation: self.pool.connections[slot as usize].generation,
        }
    }

    /// A request on a slot has its time limit counted from when its user began it. A timer that is still set for an
    /// earlier request is left: when it fires, it looks again. So a busy connection costs one timer operation per time
    /// limit, not per request.
    fn limit_time(&mut self, slot: u32, id: u32) {
        let limit_ns = self.time_limit_ns(id);
        let timer = self.users_max as u32 + slot;
        let connection = &mut self.pool.connections[slot as usize];
        connection.deadline_ns = match connection.user == id {
            true => limit_ns,
            false => connection.deadline_ns.min(limit_ns),
        };
        if connection.timer_ns <= connection.deadline_ns {
            return;
        }
        // This step's limit is shorter than that of the request which set the timer.
        if connection.timer_ns != NO_TIMER {
            self.timers.cancel(timer);
        }
        connection.timer_ns = connection.deadline_ns;
        self.timers.set(timer, connection.deadline_ns);
    }

    /// The same for everybody on a slot, from the first one on.
    fn limit_times(&mut self, slot: u32) {
        for place in 0..self.pool.carried(slot) {
            self.limit_time(slot, self.pool.user_at(slot, place));
        }
    }

    /// When a user's request has taken too long, waiting line and connect included.
    fn time_limit_ns(&self, id: u32) -> u64 {
        let seat = &self.users[id as usize];
        let timeout_ns = self.step(seat.user.step()).timeout_ns;
        self.request(id).begun_ns + timeout_ns.unwrap_or(self.plan.timeout_ns)
    }

    /// The request that a user has under way.
    fn request(&self, id: u32) -> &Request {
        let place = self.users[id as usize].request;
        self.requests.get(place).expect("it has one under way")
    }

    fn request_mut(&mut self, id: u32) -> &mut Request {
        let place = self.users[id as usize].request;
        self.requests.get_mut(place).expect("it has one under way")
    }

    /// A user's request is over. Returns what it was.
    fn end_request(&mut self, id: u32) -> Request {
        self.progress.in_flight -= 1;
        let seat = &mut self.users[id as usize];
        let place = std::mem::replace(&mut seat.request, NO_REQUEST);
        self.requests.end(place)
    }

    // ---- something came back

    fn on_event(&mut self, event: Event) {
        let slot = event.connection.slot;
        let is_current = self.id_of(slot) == event.connection;
        let received = match event.io {
            Io::Received(received) => Some(received),
            _ => None,
        };
        if is_current {
            let sending = self.driver.is_sending(event.connection);
            let mut at = 0;
            // Bytes may hold several answers: each is taken before the next is looked at.
            loop {
                let bytes = received.map_or(&[][..], |received| self.driver.received(received));
                let rest = &bytes[at..];
                let connection = &mut self.pool.connections[slot as usize];
                let happening = connection.on(event.io, rest, sending);
                let is_all = match happening {
                    Happening::Answered { consumed, .. } => consumed == rest.len(),
                    _ => true,
                };
                let goes_on = self.on_happening(slot, happening);
                if is_all || !goes_on {
                    break;
                }
                if let Happening::Answered { consumed, .. } = happening {
                    at += consumed;
                }
            }
        }
        if let Some(received) = received {
            self.driver.release(received);
        }
    }

    /// Whether the connection goes on to the next answer that is due.
    fn on_happening(&mut self, slot: u32, happening: Happening) -> bool {
        match happening {
            Happening::StillReading => {}
            Happening::Opened => self.on_opened(slot),
            Happening::Dropped => self.on_dropped(slot),
            Happening::Answered {
                status,
                body_bytes,
                reusable,
                ..
            } => return self.on_answered(slot, status, body_bytes, reusable),
            Happening::Failed(failure, detail) => self.on_failed(slot, failure, detail),
        }
        false
    }

    fn on_opened(&mut self, slot: u32) {
        let connection = &mut self.pool.connections[slot as usize];
        connection.refusals = 0;
        connection.state = State::Idle;
        let first = connection.user;
        let took_ns = self.progress.now_ns - connection.opening_since_ns;
        self.recorder.on_connected(took_ns);
        if self.request(first).phase == Phase::Waiting {
            self.fill(slot);
        }
        // Unless it has gone because it was full.
        if self.pool.connections[slot as usize].state == State::Idle {
            self.submit(slot);
        }
    }

    /// A connection ended with nothing under way; those it was being filled with get another.
    fn on_dropped(&mut self, slot: u32) {
        self.drop_connection(slot);
        if self.pool.carried(slot) > 0 {
            self.open(slot);
        }
    }

    fn drop_connection(&mut self, slot: u32) {
        self.driver.close(self.id_of(slot));
        self.pool.connections[slot as usize].state = State::Closed;
    }

    fn on_answered(&mut self, slot: u32, status: u16, body_bytes: u64, reusable: bool) -> bool {
        let connection = &self.pool.connections[slot as usize];
        let id = connection.user;
        let scenario = &self.plan.scenario;
        let step = &scenario.steps[usize::from(self.users[id as usize].user.step())];
        let received_bytes = connection.received_bytes;
        let reply = Reply {
            head: connection.decoder.head(),
            body: connection.decoder.body(),
        };
        let stride = scenario.variables.stride();
        let values = &mut self.variables[id as usize * stride..(id as usize + 1) * stride];
        let (answer, outcome, unmet) = judge(step, status, reply, values);
        if let Outcome::Failed { failure, .. } = outcome {
            // A server that was about to close an idle connection may say 408 first (RFC 9110 section 15.5.9), and that
            // may cross our request: it is not this one's answer, but the same race as in `on_failed`.
            let crossed = status == REQUEST_TIMEOUT && failure == Failure::Status && !reusable;
            if crossed && self.may_send_again(slot) {
                self.on_failed(slot, Failure::ClosedBeforeHead, Detail::None);
                return false;
            }
            let secrets = &scenario.secrets;
            self.recorder
                .example(usize::from(step.metric), failure, status, || {
                    example::of_reply(status, unmet.as_ref(), reply.body, secrets)
                });
        }
        let connection = &mut self.pool.connections[slot as usize];
        connection.on_taken(reusable);
        let goes_on = reusable && connection.awaited > 0;
        if !reusable {
            self.drop_connection(slot);
        }
        let happening = self.conclude(id, answer, outcome, body_bytes, received_bytes);
        let is_last = self.pool.leave(slot, id);
        match (goes_on, is_last) {
            (true, _) => self.await_answer(slot),
            (false, true) => self.fill(slot),
            // Those behind waited for the proof that this connection carries.
            (false, false) if reusable => self.submit(slot),
            (false, false) => self.break_off(slot, Ending::Announced),
        }
        self.go_on(id, happening);
        goes_on
    }

    fn on_failed(&mut self, slot: u32, failure: Failure, detail: Detail) {
        let connection = &self.pool.connections[slot as usize];
        let worked = connection.answers > 0;
        let never_opened = connection.state == State::Connecting;
        self.drop_connection(slot);
        if never_opened {
            self.back_off(slot);
            self.break_off(slot, Ending::NeverOpened(failure, detail));
            return;
        }
        let ending = Ending::Broken {
            failure,
            detail,
            worked,
        };
        self.break_off(slot, ending);
    }

    /// A connection has ended: some of the requests on it fail, and those that do not get another.
    fn break_off(&mut self, slot: u32, ending: Ending) {
        match self.take_off(slot, ending) {
            0 => self.fill(slot),
            _ => self.open(slot),
        }
        self.fail_those_off();
    }

    /// Takes those off a slot whose requests fail by such an end; how many are left.
    fn take_off(&mut self, slot: u32, ending: Ending) -> usize {
        for place in (0..self.pool.carried(slot)).rev() {
            let id = self.pool.user_at(slot, place);
            let is_over = self.time_limit_ns(id) <= self.progress.now_ns;
            let step = self.step_of(id);
            let request = self.request_mut(id);
            let is_sent = matches!(request.phase, Phase::Submitted | Phase::Resubmitted);
            let failure = ending.failure_of(batch::Request {
                is_first: place == 0,
                is_sent,
                is_over,
                is_repeatable: step.idempotent && request.phase == Phase::Submitted,
            });
            match failure {
                Some((failure, detail)) => {
                    request.slot = NOBODY;
                    self.failing.push((id, failure, detail));
                    self.pool.leave(slot, id);
                }
                None if is_sent => {
                    request.phase = Phase::Again;
                    self.recorder.on_retried(usize::from(step.metric));
                }
                None => {}
            }
        }
        self.pool.carried(slot)
    }

    fn fail_those_off(&mut self) {
        while let Some((id, failure, detail)) = self.failing.pop() {
            self.fail(id, failure, detail);
        }
    }

    /// Sending a request once more is allowed for idempotent methods (RFC 9110 section 9.2.2), on a connection that
    /// had worked before.
    fn may_send_again(&self, slot: u32) -> bool {
        let connection = &self.pool.connections[slot as usize];
        let id = connection.user;
        let step = self.step_of(id);
        let is_first = self.request(id).phase == Phase::Submitted;
        connection.answers > 0 && step.idempotent && is_first
    }

    fn back_off(&mut self, slot: u32) {
        let connection = &mut self.pool.connections[slot as usize];
        connection.refusals = connection.refusals.saturating_add(1);
        connection.state = State::BackingOff;
        let draw = u64::from(connection.generation) << 32 | u64::from(slot);
        let random = self.random.draw(self.index as u64, Stream::Backoff, draw);
        let over_ns = self.progress.now_ns + backoff_ns(connection.refusals, random);
        let slots = self.pool.connections.len();
        let timer = (self.users_max + slots) as u32 + slot;
        self.timers.set(timer, over_ns);
    }

    fn on_backoff_over(&mut self, slot: u32) {
        self.pool.connections[slot as usize].state = State::Closed;
        match self.pool.carried(slot) {
            0 => self.fill(slot),
            _ => self.open(slot),
        }
    }

    /// A request has failed, and its user is on no slot any more.
    fn fail(&mut self, id: u32, failure: Failure, detail: Detail) {
        let step = self.step_of(id);
        let secrets = &self.plan.scenario.secrets;
        self.recorder
            .example(usize::from(step.metric), failure, 0, || {
                example::of_detail(failure, detail, secrets)
            });
        let outcome = Outcome::Failed { failure, status: 0 };
        let happening = self.conclude(id, Answer::Failed, outcome, 0, 0);
        self.go_on(id, happening);
    }

    /// Records a request's outcome; what its user is told of it.
    fn conclude(
        &mut self,
        id: u32,
        answer: Answer,
        outcome: Outcome,
        body_bytes: u64,
        received_bytes: u64,
    ) -> user::Happening {
        let times = self.times(id);
        let step = self.step_of(id);
        for span in step.ends.iter().filter(|_| answer == Answer::Success) {
            self.on_span_ended(id, usize::from(*span), times.done_ns);
        }
        self.recorder.record(
            usize::from(step.metric),
            outcome,
            times,
            body_bytes,
            received_bytes,
        );
        self.progress.last_done_ns = times.done_ns;
        self.end_request(id);
        user::Happening::Answered {
            answer,
            service_ns: times.done_ns - times.submitted_ns,
            done_ns: times.done_ns,
        }
    }

    /// Asks a user what it wants now.
    fn go_on(&mut self, id: u32, happening: user::Happening) {
        let next = self.acting(id).next(happening);
        self.act(id, next);
    }

    fn on_span_ended(&mut self, id: u32, span: usize, done_ns: u64) {
        let place = id as usize * self.plan.scenario.spans.len() + span;
        let since_ns = std::mem::replace(&mut self.spans_since_ns[place], NO_SPAN);
        if since_ns != NO_SPAN {
            self.recorder
                .on_span_ended(span, done_ns.saturating_sub(since_ns));
        }
    }

    /// The three moments of the request that a user has under way, if it ended now.
    fn times(&self, id: u32) -> Times {
        let done_ns = self.progress.now_ns;
        let request = self.request(id);
        Times {
            intended_ns: self.users[id as usize].user.intended_ns,
            submitted_ns: match request.phase {
                Phase::Waiting | Phase::Again => done_ns,
                Phase::Submitted | Phase::Resubmitted => request.submitted_ns,
            },
            done_ns,
        }
    }

    // ---- time runs out

    fn on_time_limit(&mut self, slot: u32) {
        let connection = &mut self.pool.connections[slot as usize];
        connection.timer_ns = NO_TIMER;
        if connection.user == NOBODY {
            return;
        }
        if connection.deadline_ns <= self.progress.now_ns {
            // The limit may have been that of one who has left.
            let carried = 0..self.pool.carried(slot);
            let limits = carried.map(|place| self.time_limit_ns(self.pool.user_at(slot, place)));
            let deadline_ns = limits.min().unwrap_or(u64::MAX);
            self.pool.connections[slot as usize].deadline_ns = deadline_ns;
        }
        let connection = &mut self.pool.connections[slot as usize];
        if connection.deadline_ns > self.progress.now_ns {
            connection.timer_ns = connection.deadline_ns;
            let timer = self.users_max as u32 + slot;
            self.timers.set(timer, connection.deadline_ns);
            return;
        }
        match connection.state {
            State::Busy => {
                let phase = connection.decoder.phase();
                self.drop_connection(slot);
                self.break_off(slot, Ending::TimeOver(phase));
            }
            State::Connecting => {
                let ending = Ending::NotOpenYet(Failure::ConnectTimeout, Detail::None);
                self.give_up_waiting(slot, ending);
            }
            State::BackingOff => {
                let ending = Ending::NotOpenYet(Failure::ConnectFailed, Detail::BackingOff);
                self.give_up_waiting(slot, ending);
            }
            State::Closed | State::Idle => {}
        }
    }

    /// Those whose time is over wait no more for a connection; with the last of them the attempt to open it ends.
    fn give_up_waiting(&mut self, slot: u32, ending: Ending) {
        let left = self.take_off(slot, ending);
        let is_opening = self.pool.connections[slot as usize].state == State::Connecting;
        if left > 0 {
            self.limit_times(slot);
        } else if is_opening {
            self.drop_connection(slot);
            self.back_off(slot);
        }
        self.fail_those_off();
    }

    /// Users who have stood in the line for too long: the first ones in it, and where steps have time limits of their
    /// own anywhere in it, every so often.
    fn expire_due(&mut self) {
        while let Some(id) = self.pool.first_in_line() {
            if self.time_limit_ns(id) > self.progress.now_ns {
                break;
            }
            self.pool.leave_line();
            self.progress.waited_in_line += 1;
            self.fail(id, Failure::WaitTimeout, Detail::None);
        }
        let looks = self.plan.scenario.has_own_timeouts
            && self.progress.now_ns >= self.progress.line_looked_at_ns;
        if looks {
            self.progress.line_looked_at_ns = self.progress.now_ns + LINE_NS;
            let expired: Vec<u32> = self
                .pool
                .line()
                .filter(|&id| self.time_limit_ns(id) <= self.progress.now_ns)
                .collect();
            for id in expired {
                self.pool.leave_line_early(id);
                self.progress.waited_in_line += 1;
                self.fail(id, Failure::WaitTimeout, Detail::None);
            }
        }
    }

    // ---- the end

    /// Nothing new is started; what the kernel does not have yet is cut off at its age.
    fn begin_draining(&mut self) {
        self.progress.draining = true;
        self.cut_off_arrivals();
        while self.pool.leave_line().is_some() {
            self.progress.waited_in_line += 1;
        }
        for id in 0..self.users.len() as u32 {
            let request = self.requests.get(self.users[id as usize].request);
            if request.is_some_and(|request| request.phase == Phase::Waiting) {
                self.cut_off(id);
            }
        }
        if self.has_last_steps() {
            self.send_all_away();
        }
    }

    /// Everybody who has something to do before leaving does it now, or when the request under way has ended.
    fn send_all_away(&mut self) {
        let (users, users_max) = (&self.users, self.users_max as u32);
        self.timers
            .retain(|id| id >= users_max || users[id as usize].user.is_on_its_way_out());
        let now_ns = self.progress.now_ns;
        for id in 0..self.users.len() as u32 {
            let seat = &mut self.users[id as usize];
            seat.user.tell(Leaving::AfterRequest);
            if seat.request == NO_REQUEST
                && let Some(next) = self.acting(id).leave_from_sleep(now_ns)
            {
                self.act(id, next);
            }
        }
    }

    /// Arrivals that still stand in the line were due and never begun: the first request of each counts at its age.
    fn cut_off_arrivals(&mut self) {
        let done_ns = self.progress.now_ns;
        let Some(arrivals) = &mut self.arrivals else {
            return;
        };
        let scenario = &self.plan.scenario;
        for due_ns in arrivals.line.drain(..) {
            arrivals.counts.never_begun += 1;
            let draw = self.random.draw(due_ns, Stream::Task, 0);
            let first = scenario.tasks[scenario.pick(draw)].steps.start;
            let metric = usize::from(scenario.steps[usize::from(first)].metric);
            self.recorder.on_started(metric);
            let times = Times {
                intended_ns: due_ns,
                submitted_ns: done_ns,
                done_ns,
            };
            self.recorder.cut_off(metric, times);
            self.progress.last_done_ns = done_ns;
        }
    }

    fn cut_off(&mut self, id: u32) {
        let times = self.times(id);
        let slot = self.end_request(id).slot;
        let metric = self.step_of(id).metric;
        self.recorder.cut_off(usize::from(metric), times);
        self.progress.last_done_ns = times.done_ns;
        if slot != NOBODY && self.pool.leave(slot, id) {
            // A slot that backs off goes on doing so: its timer is set.
            if self.pool.connections[slot as usize].state != State::BackingOff {
                self.drop_connection(slot);
            }
            // The line is empty then, or everybody in it is cut off too.
            self.pool.next_for(slot);
        }
    }

    fn end_interval(&mut self, on_interval: &mut OnInterval<'_>) {
        self.take_stock();
        on_interval(self.progress.now_ns, &mut self.recorder);
        let passed = (self.progress.now_ns - self.progress.next_interval_ns) / INTERVAL_NS + 1;
        self.progress.next_interval_ns += passed * INTERVAL_NS;
    }

    /// Notes how things stand.
    fn take_stock(&mut self) {
        let active = self.active_users();
        let arrivals = self.arrivals.as_ref();
        let arrivals = arrivals.map_or_else(ArrivalsSoFar::default, |of| of.so_far(active));
        self.recorder
            .set_standing(self.progress.in_flight, arrivals);
    }

    fn finish(mut self) -> (Outcomes, D) {
        if !self.progress.draining {
            self.progress.load_end_ns = self.progress.now_ns;
        }
        self.take_stock();
        self.progress.waited_in_line += self.pool.line().count() as u64;
        for id in 0..self.users.len() as u32 {
            if self.users[id as usize].request != NO_REQUEST {
                self.cut_off(id);
            }
        }
        let start_ns = self.progress.start_ns;
        let arrivals = self.arrivals.as_ref().map(|arrivals| {
            let from_ns = arrivals.from_ns.unwrap_or(self.progress.now_ns);
            (arrivals.counts, from_ns.saturating_sub(start_ns))
        });
        let outcomes = Outcomes {
            arrivals,
            spun_ns: self.progress.spun_ns,
            stopped_ns_max: self.progress.stopped_ns_max,
            working_ns: self.progress.working_ns,
            load_ns: self.progress.load_end_ns.saturating_sub(start_ns),
            lasted_ns: self.progress.now_ns.saturating_sub(start_ns),
            first_sent_ns: self.progress.first_sent_ns.map(|ns| ns - start_ns),
            last_done_ns: self.progress.last_done_ns.saturating_sub(start_ns),
            turns: self.progress.turns,
            waited_in_line: self.progress.waited_in_line,
            overflows: self.driver.overflows(),
            users_at_end: self.active_users(),
            all_finished: self.all_finished(),
            recorder: self.recorder,
        };
        (outcomes, self.driver)
    }
}

/// What an answer means for the user and for the statistics, and what it lacks. What the step takes out of it is put
/// among the user's values.
fn judge<'s>(
    step: &'s Step,
    status: u16,
    reply: Reply<'_>,
    values: &mut [u8],
) -> (Answer, Outcome, Option<Unmet<'s>>) {
    let status_is_right = step.expect.statuses.contains(status);
    let unmet = match status_is_right {
        false => None,
        true => step.expect.unmet(reply).or_else(|| {
            let mut stored = step
                .extract
                .iter()
                .map(|extract| extract.store(reply, values));
            stored.find_map(Result::err)
        }),
    };
    if status_is_right && unmet.is_none() {
        return (Answer::Success, Outcome::Success { status }, None);
    }
    let means_not_yet = step
        .repeat
        .as_ref()
        .is_some_and(|repeat| status_is_right || repeat.not_yet.contains(status));
    if means_not_yet {
        return (Answer::NotYet, Outcome::NotYet { status }, unmet);
    }
    let failure = if status_is_right {
        Failure::Expectation
    } else {
        Failure::Status
    };
    (Answer::Failed, Outcome::Failed { failure, status }, unmet)
}
