//! Companions: seats beside a user's own, one for each further request that it may have under way at once.
//!
//! A companion has a number above those of all users, and therewith a request, a place in the line and a connection like
//! a user. It decides nothing: values, rows, number and the time limit of the task are its user's.

use crate::engine::plan::Plan;
use crate::engine::user::Answer;
use crate::scenario::model::{OnFailure, StepIndex};

/// What is known of the requests that a user sends at once, while one of them is under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Group {
    /// The longest time from submission to outcome of those that have ended.
    pub service_ns: u64,
    /// Requests in all.
    pub count: StepIndex,
    /// Requests that have not ended; 0 when the user sends one at a time.
    pub left: StepIndex,
    /// A request has failed.
    pub has_failed: bool,
    /// What the user does when all have ended, as far as it is known.
    pub ending: OnFailure,
}

/// Bytes that a user takes for what it sends at once, without the seats of its companions.
pub(crate) const GROUP_BYTES: usize = size_of::<Group>();
const _: () = assert!(GROUP_BYTES == 16);

/// The companions of the users of a shard.
pub(super) struct Together {
    /// The first companion's number.
    users_max: u32,
    /// Companions of each user; 0 where the scenario sends nothing at once.
    companions: u32,
    /// By user; empty without companions.
    groups: Vec<Group>,
}

impl Together {
    pub fn new(plan: &Plan, users_max: usize) -> Self {
        let companions = plan.scenario.parts_max() - 1;
        Self {
            users_max: users_max as u32,
            companions: companions as u32,
            groups: match companions {
                0 => Vec::new(),
                _ => vec![Group::default(); users_max],
            },
        }
    }

    /// The scenario sends steps at once.
    #[inline]
    pub fn is_used(&self) -> bool {
        self.companions > 0
    }

    /// The user to which a seat belongs.
    #[inline]
    pub fn user_of(&self, id: u32) -> u32 {
        match id < self.users_max {
            true => id,
            false => (id - self.users_max) / self.companions,
        }
    }

    /// The seat of the request at this place, from 1 on, among those that a user sends at once.
    pub fn companion(&self, user: u32, place: u32) -> u32 {
        self.users_max + user * self.companions + place - 1
    }

    /// The seats of a user's companions.
    pub fn companions_of(&self, user: u32) -> impl Iterator<Item = u32> + use<> {
        let first = self.users_max + user * self.companions;
        first..first + self.companions
    }

    /// A user sends so many requests at once.
    pub fn begin(&mut self, user: u32, count: StepIndex) {
        self.groups[user as usize] = Group {
            count,
            left: count,
            ..Group::default()
        };
    }

    /// One of the requests that a user sends at once has ended, and this is what its step says of a failure. Returns what
    /// is known of all of them.
    pub fn end(
        &mut self,
        user: u32,
        answer: Answer,
        on_failure: OnFailure,
        service_ns: u64,
    ) -> Group {
        let group = &mut self.groups[user as usize];
        let ending = match answer {
            Answer::Success => OnFailure::GoOn,
            Answer::TaskDone | Answer::TaskOver => OnFailure::EndTask,
            _ => on_failure,
        };
        group.has_failed |= !matches!(answer, Answer::Success | Answer::TaskDone);
        group.ending = group.ending.max(ending);
        group.service_ns = group.service_ns.max(service_ns);
        group.left -= 1;
        *group
    }

    /// Requests of a user's group that have not ended; 0 when it sends one at a time.
    pub fn left(&self, user: u32) -> usize {
        let group = self.groups.get(user as usize);
        group.map_or(0, |group| usize::from(group.left))
    }
}
