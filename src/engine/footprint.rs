//! What a run will take of memory, told before it begins. Pure.
//!
//! Counted is what is touched in a run that goes well. Room for a waiting line that holds every user, and for a request
//! of each, is reserved besides, and costs memory only as far as it is used ([`Footprint::at_worst`]). Histograms take
//! it with the times that fall into them, up to [`Footprint::figures_max`].

use super::plan::Plan;
use crate::http::response::HEAD_BYTES_MAX;
use crate::io::epoll::Epoll;
use crate::io::uring::Uring;
use crate::io::{Backend, Sockets, connection_bytes};
use crate::metrics::interval::Interval;
use crate::metrics::recorder::Counts;
use crate::metrics::series::Series;

use super::batch::Batches;
use super::collector::SPARE_INTERVALS;
use super::connection::Connection;
use super::example;
use super::requests::Requests;
use super::setup::driver_config;
use super::shard::{TIMERS_PER_SLOT, USER_BYTES};
use super::timers::Timers;
use super::user::Tally;

/// What memory is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What users are.
    Users,
    /// The values of their variables.
    Variables,
    /// Connections and the requests on them.
    Connections,
    /// What is measured.
    Figures,
    /// What is sent from and received into.
    Buffers,
    /// The stand-in's ends of the connections.
    StandIn,
}

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
    /// What is kept of answers, if all of these have half of a long one at once: its head while that is incomplete, then
    /// as much of its head and body as is looked at. As a rule an answer is looked at before another begins, and all of
    /// them together take a few kilobytes.
    pub of_answers_max: usize,
    /// Steps with figures of their own.
    pub steps: usize,
    /// Histograms and counts of these, as a rule, and the series of seconds.
    pub figures: usize,
    /// The same if answers took times of every length there is: more is never needed.
    pub figures_max: usize,
    /// What the drivers send from and receive into, and their rings.
    pub buffers: usize,
    /// What a stand-in in the same process takes for its ends of the connections.
    pub stand_in: usize,
}

impl Footprint {
    /// Of a plan that is run on this driver. A target in the same process takes so many bytes for each connection.
    pub fn of(plan: &Plan, backend: Backend, of_target: usize) -> Self {
        let scenario = &plan.scenario;
        let (steps, spans) = (scenario.metrics.len(), scenario.spans.len());
        let users = (0..plan.shards).map(|shard| plan.users_of_shard(shard));
        let slots = (0..plan.shards).map(|shard| plan.slots_of_shard(shard));
        let connections = slots.sum();
        // Of each shard, and their sums.
        let mut figures = Counts::size(steps, spans) * (plan.shards + 1);
        figures += Interval::size(steps) * (plan.shards * (1 + SPARE_INTERVALS) + 1);
        figures.bytes += Series::bytes(steps);
        let tally = usize::from(plan.keeps_tallies()) * size_of::<Tally>();
        let of_connection = size_of::<Connection>()
            + connection_bytes(backend)
            + TIMERS_PER_SLOT * Timers::BYTES_PER_ID
            + Batches::bytes_each(plan.connections.depth())
            + Requests::BYTES_EACH;
        let of_head = match scenario.steps.iter().any(|step| step.keep.head) {
            true => HEAD_BYTES_MAX,
            false => 0,
        };
        let of_answer = HEAD_BYTES_MAX.max(of_head + example::body_bytes_max(scenario));
        Self {
            users: users.sum(),
            of_user: USER_BYTES + tally + spans * size_of::<u64>(),
            of_variables: scenario.variables.stride(),
            connections,
            of_connections: connections * of_connection,
            of_answers_max: connections * of_answer,
            stand_in: connections * of_target,
            steps,
            figures: figures.bytes_usual(),
            figures_max: figures.bytes_max(),
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
        self.parts().iter().map(|(_, bytes)| bytes).sum()
    }

    /// What takes most, and how much.
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

    /// The same when every user waits for an answer or a connection at once, as when the server stops answering.
    pub fn at_worst(&self) -> usize {
        self.bytes() + self.users * (Requests::BYTES_EACH + size_of::<u32>())
    }
}
