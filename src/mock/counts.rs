//! Counts of the stand-in's answers, by method, route and status.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::faults::Fault;
use super::routes::{ROUTES, Route};

/// The statuses that the stand-in answers.
const STATUSES: [u16; 9] = [200, 202, 400, 401, 404, 405, 413, 422, 500];

/// What an answer counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub route: Route,
    pub status: u16,
}

impl Answered {
    pub fn is_health(self) -> bool {
        self.route == Route::Health
    }
}

/// Counts since the start of the stand-in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answers by (method, route, status); combinations without an answer are left out.
    pub answers: BTreeMap<(&'static str, &'static str, u16), u64>,
    /// Accepted connections.
    pub connections: u64,
    /// Registered agents.
    pub agents: u64,
    /// Faults by name, without those that never happened. `stall` counts answers that were held back, `refuse` the
    /// times that listening stopped.
    pub faults: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// Answers of a route, of any status.
    pub fn requests(&self, method: &str, route: &str) -> u64 {
        let of_route = self
            .answers
            .iter()
            .filter(|((m, r, _), _)| *m == method && *r == route);
        of_route.map(|(_, count)| count).sum()
    }
}

/// The counters of one thread, on cache lines of their own.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Counters {
    answers: [[AtomicU64; STATUSES.len()]; ROUTES.len()],
    connections: AtomicU64,
    faults: [AtomicU64; Fault::ALL.len()],
    stalled: AtomicU64,
    refusals: AtomicU64,
}

impl Counters {
    pub fn on_connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub fn on_fault(&self, fault: Fault) {
        self.faults[fault as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub fn on_stalled(&self) {
        self.stalled.fetch_add(1, Ordering::Relaxed);
    }

    /// The stand-in has stopped listening for a while.
    pub fn on_refusing(&self) {
        self.refusals.fetch_add(1, Ordering::Relaxed);
    }

    pub fn on_answer(&self, answered: Answered) {
        let place = STATUSES.iter().position(|&known| known == answered.status);
        let place = place.expect("every status that the stand-in answers has a counter");
        self.answers[answered.route as usize][place].fetch_add(1, Ordering::Relaxed);
    }

    pub fn add_to(&self, counts: &mut Counts) {
        counts.connections += self.connections.load(Ordering::Relaxed);
        let faults = Fault::ALL.iter().map(|fault| fault.name());
        let recurring = [("stall", &self.stalled), ("refuse", &self.refusals)];
        for (name, counter) in faults.zip(&self.faults).chain(recurring) {
            let count = counter.load(Ordering::Relaxed);
            if count > 0 {
                *counts.faults.entry(name).or_default() += count;
            }
        }
        for (route, method, name) in ROUTES {
            for (status, counter) in STATUSES.iter().zip(&self.answers[route as usize]) {
                let count = counter.load(Ordering::Relaxed);
                if count > 0 {
                    *counts.answers.entry((method, name, *status)).or_default() += count;
                }
            }
        }
    }
}
