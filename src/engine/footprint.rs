//! What a run will take of memory, told before it begins. Pure.
//!
//! Counted is what is touched in a run that goes well. Room for a waiting line that holds every user, and for a request
//! of each, is reserved besides, and costs memory only as far as it is used ([`Footprint::at_worst`]).

use crate::io::epoll::Epoll;
use crate::io::uring::Uring;
use crate::io::{Backend, Sockets, connection_bytes};
use crate::metrics::latencies::Latencies;
use crate::metrics::series::Series;
use crate::plan::Plan;

use super::batch::Batches;
use super::collector::SPARE_INTERVALS;
use super::connection::Connection;
use super::driver_config;
use super::example;
use super::requests::Requests;
use super::shard::USER_BYTES;
use super::timers::Timers;
use super::user::Tally;

/// Histograms that are kept of each step: by shards while they count, and once as their sum.
const HISTOGRAMS_PER_STEP: usize = 5;
/// Of a whole shard: connects and turns.
const HISTOGRAMS_PER_SHARD: usize = 2;
const TIMERS_PER_CONNECTION: usize = 2;

/// What a plan will take, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Users at once.
    pub users: usize,
    /// Of each: its state, its timer, its spans.
    pub of_user: usize,
    /// Of each: its variables.
    pub of_variables: usize,
    /// Slots for connections.
    pub connections: usize,
    /// All of these.
    pub of_connections: usize,
    /// Histograms, and the series of seconds.
    pub figures: usize,
    /// What the drivers send from and receive into, and their rings.
    pub buffers: usize,
}

impl Footprint {
    /// Of a plan that is run on this driver.
    pub fn of(plan: &Plan, backend: Backend) -> Self {
        let scenario = &plan.scenario;
        let (steps, spans) = (scenario.metrics.len(), scenario.spans.len());
        let users = (0..plan.shards).map(|shard| plan.users_of_shard(shard));
        let slots = (0..plan.shards).map(|shard| plan.slots_of_shard(shard));
        let connections = slots.sum();
        let counts = HISTOGRAMS_PER_STEP * steps + spans + HISTOGRAMS_PER_SHARD;
        let histograms = counts * (plan.shards + 1) + steps * plan.shards * (1 + SPARE_INTERVALS);
        let tally = usize::from(plan.keeps_tallies()) * size_of::<Tally>();
        let of_connection = size_of::<Connection>()
            + connection_bytes(backend)
            + example::BYTES
            + TIMERS_PER_CONNECTION * Timers::BYTES_PER_ID
            + Batches::bytes_each(plan.connections.depth())
            + Requests::BYTES_EACH;
        Self {
            users: users.sum(),
            of_user: USER_BYTES + tally + spans * size_of::<u64>(),
            of_variables: scenario.variables.stride(),
            connections,
            of_connections: connections * of_connection,
            figures: histograms * Latencies::bytes() + Series::bytes(steps),
            buffers: (0..plan.shards)
                .map(|index| {
                    let config = driver_config(plan, &Sockets::default(), index);
                    match backend {
                        Backend::Epoll => Epoll::buffer_bytes(&config),
                        Backend::Uring | Backend::Auto => Uring::buffer_bytes(&config),
                    }
                })
                .sum(),
        }
    }

    /// Everything together.
    pub fn bytes(&self) -> usize {
        let of_users = self.users * (self.of_user + self.of_variables);
        of_users + self.of_connections + self.figures + self.buffers
    }

    /// The same when every user waits for an answer or a connection at once, as when the server stops answering.
    pub fn at_worst(&self) -> usize {
        self.bytes() + self.users * (Requests::BYTES_EACH + size_of::<u32>())
    }
}
