//! The kinds of a scenario's users.

use super::kind::Kind;
use super::model::{Scenario, Task};
use crate::load::mix;
use crate::load::mix::Amount;
use crate::load::random::{Keyed, Stream, below};

impl Scenario {
    /// There is more than one kind of user.
    pub fn has_kinds(&self) -> bool {
        self.kinds.len() > 1
    }

    /// The kinds whose users are counted apart: all of several, none of one.
    pub fn kinds_counted(&self) -> usize {
        match self.has_kinds() {
            true => self.kinds.len(),
            false => 0,
        }
    }

    /// Checks that so many users can be divided into their kinds; `None` where their number is not known. `is_open`: the
    /// load is a rate of iterations.
    ///
    /// # Errors
    /// The reason, and the cure.
    pub fn check_kinds(&self, users: Option<u64>, is_open: bool) -> Result<(), String> {
        self.check_kinds_at_least(users.unwrap_or(u64::MAX), is_open)?;
        let amounts = self.amounts();
        let counted = mix::counted(&amounts);
        let has_shares = amounts.iter().any(|it| matches!(it, Amount::Share(_)));
        match users {
            Some(users) if self.has_kinds() && !has_shares && users > counted => Err(format!(
                "[[users]]: the kinds are {counted} users together, and the load has {users}; give one of them a share of the rest: share = \"100%\""
            )),
            _ => Ok(()),
        }
    }

    /// The same for a load that may have more users.
    ///
    /// # Errors
    /// As [`Scenario::check_kinds`].
    pub fn check_kinds_at_least(&self, users: u64, is_open: bool) -> Result<(), String> {
        let counted = mix::counted(&self.amounts());
        if !self.has_kinds() || counted == 0 {
            return Ok(());
        }
        if is_open {
            return Err(
                "[[users]] with count: at a rate, arrivals are drawn by share; write share = \"...%\" for each kind, or give -u without --rate".into(),
            );
        }
        match users < counted {
            true => Err(format!(
                "[[users]]: the kinds with count are {counted} users together, and the load has {users}"
            )),
            false => Ok(()),
        }
    }

    /// How many users are of each kind.
    pub fn amounts(&self) -> Vec<Amount> {
        self.kinds.iter().map(|kind| kind.amount).collect()
    }

    /// The kind of the arrival that is due at a moment: drawn by share.
    pub fn kind_drawn(&self, random: Keyed, due_ns: u64) -> usize {
        let shares = self.kinds.iter().map(|kind| kind.amount);
        usize::from(mix::drawn(shares, random.draw(due_ns, Stream::Kind, 0)))
    }

    /// The tasks of a kind.
    pub fn tasks_of(&self, kind: &Kind) -> &[Task] {
        &self.tasks[kind.tasks.clone()]
    }

    /// The task of a kind, among those of the scenario, that a draw falls on.
    pub fn pick(&self, kind: &Kind, draw: u64) -> usize {
        self.pick_among(kind, draw, |_| true)
    }

    /// The same among those that a user with these values may do. There is one: the compiler sees to it.
    #[inline]
    pub fn pick_for(&self, kind: &Kind, draw: u64, values: &[u8]) -> usize {
        if kind.tasks.len() == 1 {
            return kind.tasks.start;
        }
        self.pick_among(kind, draw, |task| {
            task.when.iter().all(|test| test.holds(values))
        })
    }

    fn pick_among(&self, kind: &Kind, draw: u64, is_possible: impl Fn(&Task) -> bool) -> usize {
        let tasks = || self.tasks_of(kind).iter().enumerate();
        let possible = || tasks().filter(|(_, task)| is_possible(task));
        let sum: u64 = possible().map(|(_, task)| u64::from(task.weight)).sum();
        let mut at = below(draw, sum);
        for (index, task) in possible() {
            match at.checked_sub(u64::from(task.weight)) {
                Some(rest) => at = rest,
                None => return kind.tasks.start + index,
            }
        }
        unreachable!("the draw is below the sum of the weights")
    }

    /// The wait between tasks, of each kind where there are several.
    pub fn wait_shown(&self) -> String {
        match self.has_kinds() {
            false => self.wait.to_string(),
            true => {
                let kinds = self.kinds.iter();
                let waits: Vec<String> = kinds
                    .map(|kind| format!("{} ({})", kind.wait, kind.name))
                    .collect();
                waits.join(", ")
            }
        }
    }

    /// Users do something before they leave.
    pub fn has_stop_steps(&self) -> bool {
        self.kinds.iter().any(|kind| !kind.stop.is_empty())
    }
}
