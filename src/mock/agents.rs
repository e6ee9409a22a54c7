//! The registered agents, shared by all threads.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::config::Ready;

/// Parts of the map, each with a lock of its own: two threads rarely need the same one.
const PARTS: usize = 64;

pub(super) struct Agents {
    ready: Ready,
    hasher: RandomState,
    parts: [Mutex<HashMap<Box<str>, Agent>>; PARTS],
}

struct Agent {
    registered: Instant,
    polls: u32,
    /// State, details and timestamp of the last update, as JSON.
    update: Option<(String, String, String)>,
}

/// What a poll of an agent's state finds.
pub(super) enum Found {
    /// No state: 404.
    Nothing,
    /// The state is about to appear: 200 with `null`.
    Null,
    /// State, details and timestamp, as JSON; `None` for an agent that has sent no update.
    State(Option<(String, String, String)>),
}

impl Agents {
    pub fn new(ready: Ready) -> Self {
        Self {
            ready,
            hasher: RandomState::new(),
            parts: std::array::from_fn(|_| Mutex::default()),
        }
    }

    fn part(&self, id: &str) -> MutexGuard<'_, HashMap<Box<str>, Agent>> {
        let part = self.hasher.hash_one(id) as usize % PARTS;
        self.parts[part]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers an agent; a second registration has no effect.
    pub fn register(&self, id: &str) {
        self.part(id).entry(id.into()).or_insert_with(|| Agent {
            registered: Instant::now(),
            polls: 0,
            update: None,
        });
    }

    pub fn is_registered(&self, id: &str) -> bool {
        self.part(id).contains_key(id)
    }

    /// Stores an update; false when the agent is not registered.
    pub fn update(&self, id: &str, update: (String, String, String)) -> bool {
        match self.part(id).get_mut(id) {
            Some(agent) => {
                agent.update = Some(update);
                true
            }
            None => false,
        }
    }

    pub fn poll(&self, id: &str) -> Found {
        let mut part = self.part(id);
        let Some(agent) = part.get_mut(id) else {
            return Found::Nothing;
        };
        if agent.update.is_some() {
            return Found::State(agent.update.clone());
        }
        agent.polls = agent.polls.saturating_add(1);
        match self.ready {
            Ready::AfterPolls(not_yet) if agent.polls < not_yet => Found::Nothing,
            Ready::AfterPolls(not_yet) if agent.polls == not_yet => Found::Null,
            Ready::AfterDelay(delay) if agent.registered.elapsed() < delay / 2 => Found::Nothing,
            Ready::AfterDelay(delay) if agent.registered.elapsed() < delay => Found::Null,
            Ready::AfterPolls(_) | Ready::AfterDelay(_) => Found::State(None),
        }
    }

    /// Number of registered agents.
    pub fn registered(&self) -> u64 {
        let sizes = self.parts.iter().map(|part| {
            let part = part.lock().unwrap_or_else(PoisonError::into_inner);
            part.len() as u64
        });
        sizes.sum()
    }
}
