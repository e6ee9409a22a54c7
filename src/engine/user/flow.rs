//! Steps that are passed over or repeated, and tasks that are.

use crate::load::random::Stream;
use crate::scenario::flow::Rounds;
use crate::scenario::model::{Step, StepIndex, Task};

use super::acting::Acting;
use super::moves::Action;
use super::state::Stage;

impl Acting<'_> {
    /// The first step from `at` on, before `end`, whose conditions hold; `end` if there is none.
    #[inline]
    pub(super) fn arrive(&mut self, at: StepIndex, end: StepIndex) -> StepIndex {
        let steps = &self.script.scenario.steps;
        match at < end && steps[usize::from(at)].flow.is_some() {
            true => self.pass_over(at, end),
            false => at,
        }
    }

    // Apart, so that `arrive` stays small enough to be inlined.
    #[inline(never)]
    fn pass_over(&mut self, from: StepIndex, end: StepIndex) -> StepIndex {
        let scenario = self.script.scenario;
        let mut at = from;
        while at < end {
            let Some(flow) = &scenario.steps[usize::from(at)].flow else {
                break;
            };
            let draw = || self.draw(Stream::Condition);
            if flow.is_due(self.values, at > from, draw) {
                flow.begin(self.values);
                break;
            }
            // The next draw is another one: it counts like a request.
            self.user.requests = self.user.requests.wrapping_add(1);
            at = scenario.after(at);
        }
        // The first stretch is the end of a task, the second one the beginning of the next, or of the same one again.
        self.passed_over.swap(0, 1);
        self.passed_over[1] = from..at;
        at
    }

    /// The last step of a repeated task is over, with its pause: the task begins again, or the pass is over. `over_ns` is
    /// when the step should have been over, and when it was.
    pub(super) fn end_round(
        &mut self,
        step: &Step,
        task: &Task,
        rounds: &Rounds,
        over_ns: [u64; 2],
    ) -> Action {
        let [from_ns, done_ns] = over_ns;
        if !rounds.goes_on(self.values) {
            return self.end_pass(done_ns);
        }
        let draw = self.draw(Stream::Wait);
        let due_ns = rounds.wait.ends_ns(draw, from_ns, from_ns);
        self.user.intended_ns = due_ns.min(self.task_over_ns(step));
        let first = self.arrive(task.steps.start, task.steps.end);
        self.go_to(Stage::Task, first)
    }

    /// The present step is sent again. `from_ns` is when the time before should have been over, `done_ns` when it was.
    pub(super) fn repeat(&mut self, step: &Step, from_ns: u64, done_ns: u64) -> Action {
        let Some(repeat) = step.flow.as_ref().and_then(|flow| flow.repeat.as_ref()) else {
            return self.go_on(step, from_ns, done_ns);
        };
        if let Some(flow) = &step.flow {
            flow.begin_attempts(self.values);
        }
        let due_ns = repeat
            .wait
            .ends_ns(self.draw(Stream::Pause), from_ns, from_ns);
        let due_ns = due_ns.min(self.task_over_ns(step));
        // Later than the first time: only that one is due at `step_since_ns`, and begins spans.
        self.user.intended_ns = due_ns.max(self.user.step_since_ns + 1);
        self.user.step = repeat.home;
        Action::Send(repeat.home)
    }

    /// Another attempt of the present step, if there is one left. The failed one ended at `done_ns`, and its answer asks
    /// to wait `asked_ns`.
    pub(super) fn retry(&mut self, step: &Step, asked_ns: u64, done_ns: u64) -> Option<Action> {
        let retry = step.flow.as_ref()?.retry.as_ref()?;
        let draw = self.draw(Stream::Retry);
        let due_ns = done_ns + retry.next_ns(asked_ns, draw, self.values)?;
        let due_ns = due_ns.min(self.task_over_ns(step));
        self.user.intended_ns = due_ns.max(self.user.step_since_ns + 1);
        Some(match self.user.intended_ns > done_ns {
            true => Action::SleepUntil(self.user.intended_ns),
            false => Action::Send(self.user.step),
        })
    }

    /// A failure counts as one time of a repeated step.
    pub(super) fn is_repeated_after_failure(&mut self, step: &Step) -> bool {
        let repeat = step.flow.as_ref().and_then(|flow| flow.repeat.as_ref());
        repeat.is_some_and(|repeat| repeat.count(self.values))
    }
}
