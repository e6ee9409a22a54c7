//! The memory that a run will take, computed before it begins. Pure.
//!
//! It counts the memory that a run without trouble touches. Address space for a waiting line with every user in it, and
//! for a request of each user, is reserved besides, and costs memory only as far as it is used
//! ([`Footprint::at_worst`]). Histograms grow with the times recorded in them, up to [`Footprint::figures_max`].

use super::plan::Plan;
use crate::http::response::HEAD_BYTES_MAX;
use crate::io::epoll::Epoll;
use crate::io::uring::Uring;
use crate::io::{Backend, DriverConfig, Sockets, connection_bytes};
use crate::metrics::interval::Interval;
use crate::metrics::recorder::Counts;
use crate::metrics::series::Series;
use crate::wire;

use super::batch::Batches;
use super::collector::SPARE_INTERVALS;
use super::connection::Connection;
use super::example;
use super::requests::Requests;
use super::setup::driver_config;
use super::shard::{GROUP_BYTES, SEAT_BYTES, TIMERS_PER_SLOT, USER_BYTES};
use super::timers::Timers;
use super::user::Tally;

/// What memory is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The state of the users.
    Users,
    /// The values of their variables.
    Variables,
    /// Connections, and the requests on them.
    Connections,
    /// Counts, histograms and the series of seconds.
    Figures,
    /// Send and receive buffers, and rings.
    Buffers,
    /// The stand-in's ends of the connections, in the same process.
    StandIn,
}

/// The memory that a plan will take, in bytes where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Number of users at once.
    pub users: usize,
    /// Bytes of each user: its state, its timer, its spans, what it sends at once.
    pub of_user: usize,
    /// Bytes of these for what it sends at once; 0 when it sends one request at a time.
    pub of_together: usize,
    /// Most requests that a user has under way at once.
    pub requests_each: usize,
    /// Bytes of each user's variables.
    pub of_variables: usize,
    /// Number of connection slots.
    pub connections: usize,
    /// Bytes of all slots.
    pub of_connections: usize,
    /// Bytes kept of answers if every connection has half of a long one at once: its head while that is incomplete, then
    /// the parts of head and body that are checked. Usually an answer is checked before another begins, and all of them
    /// together take a few kilobytes.
    pub of_answers_max: usize,
    /// Number of steps with figures of their own.
    pub steps: usize,
    /// Usual bytes of their counts and histograms, with the series of seconds.
    pub figures: usize,
    /// The same with times of every length recorded: the figures never take more.
    pub figures_max: usize,
    /// Bytes of the drivers' buffers and rings.
    pub buffers: usize,
    /// Bytes that a stand-in in the same process takes for its ends of the connections.
    pub stand_in: usize,
}

impl Footprint {
    /// The footprint of a plan on a driver. A target in the same process takes `of_target` bytes for each connection.
    pub fn of(plan: &Plan, backend: Backend, of_target: usize) -> Self {
        let scenario = &plan.scenario;
        let (steps, spans) = (scenario.metrics.len(), scenario.spans.len());
        let users = (0..plan.shards).map(|shard| plan.users_of_shard(shard));
        let slots = (0..plan.shards).map(|shard| plan.slots_of_shard(shard));
        let connections = slots.sum();
        // Those of each shard, and their sums.
        let mut figures = Counts::size(steps, spans) * (plan.shards + 1);
        figures += Interval::size(steps, spans) * (plan.shards * (1 + SPARE_INTERVALS) + 1);
        figures.bytes += Series::bytes(steps);
        let tally = usize::from(plan.keeps_tallies()) * size_of::<Tally>();
        let kind = usize::from(scenario.has_kinds()) * size_of::<u16>();
        let of_connection = size_of::<Connection>()
            + connection_bytes(backend)
            + TIMERS_PER_SLOT * Timers::BYTES_PER_ID
            + Batches::bytes_each(plan.connections.depth())
            + Requests::BYTES_EACH;
        let requests_each = scenario.parts_max();
        let of_together = match requests_each - 1 {
            0 => 0,
            companions => companions * SEAT_BYTES + GROUP_BYTES,
        };
        let of_head = match scenario.steps.iter().any(|step| step.keep.head) {
            true => HEAD_BYTES_MAX,
            false => 0,
        };
        let of_answer = HEAD_BYTES_MAX.max(of_head + example::body_bytes_max(scenario));
        Self {
            users: users.sum(),
            of_user: USER_BYTES + tally + kind + spans * size_of::<u64>() + of_together,
            of_together,
            requests_each,
            of_variables: scenario.variables.stride(),
            connections,
            of_connections: connections * of_connection,
            of_answers_max: connections * of_answer,
            stand_in: connections * of_target,
            steps,
            figures: figures.bytes_usual(),
            figures_max: figures.bytes_max(),
            buffers: buffers(plan, backend, DriverConfig::clone),
        }
    }

    /// The same when connections are encrypted: what rustls keeps of each, and records in the send buffers.
    #[must_use]
    pub fn encrypted(mut self, plan: &Plan, backend: Backend) -> Self {
        self.of_connections += self.connections * wire::CONNECTION_BYTES;
        self.buffers = buffers(plan, backend, wire::config_below);
        self
    }

    /// All parts together, in bytes.
    pub fn bytes(&self) -> usize {
        self.parts().iter().map(|(_, bytes)| bytes).sum()
    }

    /// The largest part, and its bytes.
    pub fn largest(&self) -> (Part, usize) {
        let largest = self.parts().into_iter().max_by_key(|(_, bytes)| *bytes);
        largest.expect("there are parts")
    }

    fn parts(&self) -> [(Part, usize); 6] {
        [
            (Part::Users, self.users * self.of_user),
            (Part::Variables, self.users * self.of_variables),
            (Part::Connections, self.of_connections),
            (Part::Figures, self.figures),
            (Part::Buffers, self.buffers),
            (Part::StandIn, self.stand_in),
        ]
    }

    /// All parts together when every user waits for an answer or a connection at once, as when the server stops
    /// answering; in bytes.
    pub fn at_worst(&self) -> usize {
        let of_request = Requests::BYTES_EACH + size_of::<u32>();
        self.bytes() + self.users * self.requests_each * of_request
    }
}

/// Bytes of the drivers' buffers and rings; `change` makes the configuration of the kernel's driver of a shard's.
fn buffers(plan: &Plan, backend: Backend, change: impl Fn(&DriverConfig) -> DriverConfig) -> usize {
    let configs = (0..plan.shards).map(|index| driver_config(plan, &Sockets::default(), index));
    let bytes = configs.map(|config| match backend {
        Backend::Epoll => Epoll::buffer_bytes(&change(&config)),
        Backend::Uring | Backend::Auto => Uring::buffer_bytes(&change(&config)),
    });
    bytes.sum()
}
