//! What a shard holds, all of it sized before the run.

use crate::engine::arrivals::ShardArrivals;
use crate::engine::connection::Detail;
use crate::engine::example;
use crate::engine::gate::Start;
use crate::engine::handover::Intervals;
use crate::engine::kinds::KindUse;
use crate::engine::plan::{Connections, Plan};
use crate::engine::pool::Pool;
use crate::engine::requests::{Request, Requests};
use crate::http::buffers::Buffers;
use crate::http::decoding::BodyDecoder;
use crate::http::request::SHARED_MAX;
use crate::io::{ConnectionId, Driver, EVENTS_MAX, INSERTS_MAX, Insert};
use crate::load::random::Keyed;
use crate::metrics::outcome::Failure;
use crate::metrics::recorder::Recorder;
use crate::scenario::links::RESOLVED_BYTES_MAX;
use crate::scenario::model::{Step, StepIndex};
use crate::scenario::pattern::Caches;

use super::changes::UserChanges;
use super::clocks::Clocks;
use super::companions::Together;
use super::line_limits::{EXPIRED_MAX, LineLimits};
use super::phase::LoadPhase;
use super::seats::Seats;
use super::timer::ShardTimers;

/// Users that come or wake up in one turn; the rest is for the next turn, so that answers are not kept waiting.
pub(super) const WOKEN_MAX: usize = EVENTS_MAX;
/// Buffers that a connection may borrow: for the head and the body of its answer, or for a head in two places.
const BUFFERS_EACH: usize = 2;

const _: () = assert!(SHARED_MAX <= INSERTS_MAX);

/// One core's share of a run.
pub struct Shard<'p, D> {
    pub(super) plan: &'p Plan,
    /// Which of the plan's shards this is.
    pub(super) index: usize,
    /// Connections to each target of the shards before this one.
    pub(super) slots_before: usize,
    pub(super) driver: D,
    pub(super) random: Keyed,
    pub(super) seats: Seats,
    /// The requests that users send at once.
    pub(super) together: Together,
    /// By kind of user.
    pub(super) kinds: Vec<KindUse>,
    pub(super) changes: UserChanges<'p>,
    /// In an open load.
    pub(super) arrivals: Option<ShardArrivals>,
    pub(super) timers: ShardTimers,
    /// Requests of the users that are not asleep.
    pub(super) requests: Requests,
    pub(super) pool: Pool,
    /// By target.
    pub(super) lines: Vec<LineLimits>,
    /// For heads and bodies that are kept.
    pub(super) buffers: Buffers,
    /// For bodies that are coded and looked at.
    pub(super) decoder: BodyDecoder,
    /// For patterns that are searched for in answers.
    pub(super) caches: Caches,
    pub(super) outgoing: Outgoing,
    /// Requests that fail with their connection, or by the time they waited for one; the last one fails first.
    pub(super) failing: Vec<Failing>,
    pub(super) clocks: Clocks,
    pub(super) load: LoadPhase,
    pub(super) work: Work,
    pub(super) intervals: Intervals,
    pub(super) recorder: Recorder,
}

/// What is sent in this turn.
pub(super) struct Outgoing {
    /// The values made for the request that is rendered.
    pub fresh: Vec<u8>,
    /// Path and query of a request whose answer may have a relative link.
    pub target: [u8; RESOLVED_BYTES_MAX],
    /// The shared bytes in the batch that is rendered.
    pub inserts: Vec<Insert>,
    /// Users whose request was submitted and has no exact time of submission yet.
    pub unstamped: Vec<u32>,
}

/// A request that is about to fail. Its user is on no slot any more.
pub(super) struct Failing {
    pub id: u32,
    pub failure: Failure,
    pub detail: Detail,
}

/// What the turns took.
#[derive(Clone, Copy, Default)]
pub(super) struct Work {
    pub turns: u64,
    pub working_ns: u64,
    /// Time in which the shard looked at the clock until a moment had come.
    pub spun_ns: u64,
}

impl<'p, D: Driver> Shard<'p, D> {
    /// Reserves everything that the run will need.
    pub fn new(plan: &'p Plan, index: usize, driver: D) -> Self {
        let users_max = plan.users_of_shard(index);
        let scenario = &plan.scenario;
        let slots = plan.slots_of_shard(index);
        let depth = plan.connections.depth();
        let parts_max = scenario.parts_max();
        let requests_max = users_max * parts_max;
        Self {
            plan,
            index,
            slots_before: plan.slots_before_shard(index) / plan.targets(),
            driver,
            random: Keyed::new(plan.seed),
            seats: Seats::new(plan, index),
            together: Together::new(plan, users_max),
            kinds: vec![KindUse::default(); scenario.kinds.len()],
            changes: UserChanges::new(plan, index),
            arrivals: plan
                .load
                .arrivals()
                .map(|open| ShardArrivals::new(open, plan, index)),
            timers: ShardTimers::new(users_max, slots),
            requests: Requests::new(requests_max),
            pool: match plan.connections {
                Connections::PerUser => {
                    Pool::per_user(plan.slots_to_each_of_shard(index), plan.targets())
                }
                Connections::Shared { depth, .. } => {
                    let each = plan.slots_to_each_of_shard(index);
                    Pool::shared(each, plan.targets(), requests_max, depth)
                }
            },
            lines: (0..plan.targets()).map(|_| LineLimits::new()).collect(),
            buffers: Buffers::new(BUFFERS_EACH * slots, example::body_bytes_max(scenario)),
            decoder: BodyDecoder::default(),
            caches: scenario.caches(),
            outgoing: Outgoing {
                target: [0; RESOLVED_BYTES_MAX],
                fresh: vec![0; scenario.fresh_stride],
                inserts: Vec::with_capacity(INSERTS_MAX),
                // Each event may bring the answers of a whole batch, and each user may send several requests.
                unstamped: Vec::with_capacity(parts_max * (depth * EVENTS_MAX + 3 * WOKEN_MAX)),
            },
            failing: Vec::with_capacity(depth.max(EXPIRED_MAX)),
            clocks: Clocks::default(),
            load: LoadPhase::new(None),
            work: Work::default(),
            intervals: Intervals::default(),
            recorder: Recorder::new(scenario.metrics.len(), scenario.spans.len(), 0)
                .with_kinds(scenario.kinds_counted()),
        }
    }

    /// The run begins.
    pub(super) fn start(&mut self, start: Start) {
        self.recorder.set_start(start.at_ns);
        let planned = self.plan.connections_planned_of_shard(self.index);
        self.recorder.plan_opening(planned as u64);
        self.clocks = Clocks::new(start, self.driver.now_ns());
        self.intervals = Intervals::new(start.at_ns);
        self.load = LoadPhase::new(self.arrivals.is_none().then_some(start.at_ns));
    }

    pub(super) fn step(&self, index: StepIndex) -> &'p Step {
        &self.plan.scenario.steps[usize::from(index)]
    }

    /// The step that a user is at.
    pub(super) fn step_of(&self, id: u32) -> &'p Step {
        self.step(self.seats.seat(id).user.step())
    }

    /// The target of a user's request, at this step.
    #[inline]
    pub(super) fn target_of(&self, id: u32, step: &Step) -> u16 {
        match &step.elsewhere {
            None => step.target,
            Some(elsewhere) => {
                let values = self.seats.values(self.together.user_of(id));
                elsewhere.byte.get(values)
            }
        }
    }

    /// The request that a user has under way.
    pub(super) fn request(&self, id: u32) -> &Request {
        let place = self.seats.seat(id).request;
        self.requests.get(place).expect("a request is under way")
    }

    pub(super) fn request_mut(&mut self, id: u32) -> &mut Request {
        let place = self.seats.seat(id).request;
        self.requests
            .get_mut(place)
            .expect("a request is under way")
    }

    /// The present connection of a slot.
    pub(super) fn connection_id(&self, slot: u32) -> ConnectionId {
        ConnectionId {
            slot,
            generation: self.pool.connections[slot as usize].generation,
        }
    }
}
