//! The declarative model: what a user does, compiled. Nothing in it can be invalid any more.

use std::ops::Range;

use crate::http::request::{Shared, Slot, Template, Values};
use crate::http::response::{Expecting, Keep};

use super::expect::{Expect, Extract, PollFailure, Reply, StatusSet};
use super::feeder::Feeder;
use super::format::place::ScenarioError;
use super::members::label;
use super::secrets::Secrets;
use super::value::{Origin, Value};
use super::variables::Variables;
use super::wait::Wait;
use crate::load::closed::{Point, Staircase};
use crate::load::random::{Keyed, Stream, below};

/// Index of a step in [`Scenario::steps`].
pub type StepIndex = u16;

/// What users do.
#[derive(Debug)]
pub struct Scenario {
    /// How it is called.
    pub name: String,
    /// What it is for, in a line.
    pub about: String,
    /// All steps; the ranges below index into it.
    pub steps: Vec<Step>,
    /// What a user does once, in order.
    pub start: Range<StepIndex>,
    /// What a user does again and again, one drawn by weight each time. Their steps lie one task behind the other.
    pub tasks: Vec<Task>,
    /// What a user that has been through its start steps does before it leaves, in order.
    pub stop: Range<StepIndex>,
    /// Between two tasks.
    pub wait: Wait,
    /// What is computed once per user, or taken out of answers.
    pub variables: Variables,
    /// Rows for users.
    pub feeder: Feeder,
    /// Bytes that the values of the request take that has most of them.
    pub fresh_stride: usize,
    /// Some step or task has a time limit of its own.
    pub has_own_timeouts: bool,
    /// Some task has one.
    pub has_deadlines: bool,
    /// Under which names requests are counted; steps point into it.
    pub metrics: Vec<MetricLabel>,
    /// Names of spans of steps whose whole time is measured.
    pub spans: Vec<String>,
    /// The load it is made for.
    pub load: LoadDefaults,
    /// What ends a run.
    pub stop_when: Vec<RuleText>,
    /// What fails a run.
    pub fail_if: Vec<RuleText>,
    /// What has to hold in a run.
    pub require: Vec<RuleText>,
    /// What must not be shown anywhere.
    pub secrets: Secrets,
    /// A step sends the key, which was not given; the scenario's own default is used.
    pub api_key_is_default: bool,
}

/// One request and what is expected of its answer.
#[derive(Debug)]
pub struct Step {
    /// Index into [`Scenario::metrics`].
    pub metric: u16,
    /// The request.
    pub template: Template,
    /// It says that it is the last request on its connection.
    pub closes: bool,
    /// Index of the first of its shared stretches in [`Scenario::shared`].
    pub shared_first: u32,
    /// Values that are made anew for each request.
    pub fresh: Vec<Fresh>,
    /// What counts as a success.
    pub expect: Expect,
    /// What is taken out of the answer, for later steps.
    pub extract: Vec<Extract>,
    /// After the step.
    pub pause: Wait,
    /// Time limit of the request, when it has one of its own.
    pub timeout_ns: Option<u64>,
    /// Time limit of the task that it belongs to, from the task's beginning, when that has one.
    pub within_ns: Option<u64>,
    /// For a poll: when to ask again, and for how long.
    pub repeat: Option<Repeat>,
    /// What a user does when the step has failed.
    pub on_failure: OnFailure,
    /// Sending it twice does no harm (RFC 9110 section 9.2.2).
    pub idempotent: bool,
    /// What its answer's body depends on.
    pub expecting: Expecting,
    /// How much of its answer has to be kept.
    pub keep: Keep,
    /// Indices of the spans that begin with it.
    pub begins: Vec<u16>,
    /// Indices of the spans that end with it.
    pub ends: Vec<u16>,
}

/// A value of one request alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// What it is.
    pub value: Value,
    /// Where it lies among the values of its request.
    pub slot: Slot,
}

/// One pass of the work loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its steps, in order.
    pub steps: Range<StepIndex>,
    /// Its share is this over the sum of all.
    pub weight: u32,
}

/// A poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// From one attempt to the next.
    pub every_ns: u64,
    /// From the first attempt's due time; no attempt begins after it.
    pub give_up_after_ns: u64,
    /// Statuses that mean "ask again", beside an expected status whose body does not fit.
    pub not_yet: StatusSet,
    /// What ends it at once as a failure, whatever else the answer is.
    pub failed: Option<PollFailure>,
    /// The last attempt counts as a failure when it means "ask again" and the patience is over.
    pub give_up_fails: bool,
}

/// What a user does when a step has failed, or the patience of a poll is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// Its next step.
    #[default]
    GoOn,
    /// No further step of this task; it waits, then draws the next one.
    EndTask,
    /// It leaves.
    Stop,
}

/// Method and name under which requests are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricLabel {
    /// The method.
    pub method: String,
    /// The name, without ids.
    pub name: String,
    /// It is polled.
    pub is_poll: bool,
    /// What a failure with this status most likely means, as far as the scenario knows.
    pub hints: Vec<(u16, String)>,
    /// What its requests carry.
    pub carries: Carries,
}

/// What a request carries that its server may refuse it for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carries {
    /// Credentials.
    pub credentials: Credentials,
    /// The type of its body.
    pub content_type: Option<String>,
}

/// Credentials of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Credentials {
    /// None that are known by their name.
    #[default]
    None,
    /// The key that comes from this environment variable.
    ApiKey(String),
    /// Those of the scenario or the command line, in a field of this name.
    Field(String),
    /// In its path or query.
    Target,
}

/// The load that a scenario is made for; flags come before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadDefaults {
    /// Users at the peak.
    pub users: Option<u64>,
    /// Users at the start.
    pub users_from: u64,
    /// From the start to the peak.
    pub ramp_ns: u64,
    /// In all.
    pub run_time_ns: Option<u64>,
    /// Instead of all these: points that the number of users goes through.
    pub stages: Vec<Point>,
    /// Or: so many users more every so often.
    pub staircase: Option<Staircase>,
}

/// A rule over windows, as it stands in the scenario; what it means is not this room's to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleText {
    /// Such as `workflow.p95>1s`.
    pub text: String,
    place: ScenarioError,
}

impl RuleText {
    /// With its place in the scenario.
    pub(super) fn new(text: String, place: ScenarioError) -> Self {
        Self { text, place }
    }

    /// What is wrong with it, at its place.
    pub fn error(&self, reason: String) -> ScenarioError {
        ScenarioError {
            reason: label(&reason),
            ..self.place.clone()
        }
    }
}

impl Scenario {
    /// The task that a draw falls on.
    pub fn pick(&self, draw: u64) -> usize {
        let sum: u64 = self.tasks.iter().map(|task| u64::from(task.weight)).sum();
        let mut at = below(draw, sum);
        for (index, task) in self.tasks.iter().enumerate() {
            match at.checked_sub(u64::from(task.weight)) {
                Some(rest) => at = rest,
                None => return index,
            }
        }
        unreachable!("the draw is below the sum of the weights")
    }

    /// By metric: requests of the work loop are counted under it. A scenario without tasks has no work loop; then all
    /// of its steps are what it does.
    pub fn work_metrics(&self) -> Vec<bool> {
        let mut is_work = vec![self.tasks.is_empty(); self.metrics.len()];
        for task in &self.tasks {
            for index in task.steps.clone() {
                is_work[usize::from(self.steps[usize::from(index)].metric)] = true;
            }
        }
        is_work
    }

    /// This step of a task is its last. Tasks lie one behind the other.
    pub fn ends_a_task(&self, step: StepIndex) -> bool {
        let before = |task: &Task| task.steps.end <= step;
        let task = self.tasks.partition_point(before);
        self.tasks
            .get(task)
            .is_some_and(|task| step + 1 == task.steps.end)
    }

    /// The request that a user sends when a step is its first, with nothing taken out of answers but `<name>`.
    pub fn first_request(&self, index: StepIndex, user: u64, seed: u64, wall_ns: u64) -> Vec<u8> {
        let (user, fresh) = self.first_values(index, user, seed, wall_ns);
        let template = &self.steps[usize::from(index)].template;
        template.whole(Values {
            user: &user,
            fresh: &fresh,
        })
    }

    /// The values of that request: those of its user, and its own.
    pub fn first_values(
        &self,
        index: StepIndex,
        user: u64,
        seed: u64,
        wall_ns: u64,
    ) -> (Vec<u8>, Vec<u8>) {
        let origin = |stream, text| Origin {
            random: Keyed::new(seed),
            user,
            stream,
            text,
            users: user + 1,
            wall_ns,
            feeder: &self.feeder,
        };
        let mut values = vec![0; self.variables.stride()];
        self.variables
            .fill(&origin(Stream::Variable, 0), &mut values);
        self.variables.show_extracted(&mut values);
        let mut fresh = vec![0; self.fresh_stride];
        self.steps[usize::from(index)].refresh(&origin(Stream::Request, 1), &mut fresh);
        (values, fresh)
    }

    /// What must not be shown with a request of a user: what it has out of answers, and [`Scenario::secrets_of_row`]. It
    /// allocates: for the few requests that are shown.
    pub fn secrets_of_user(&self, user: u64, random: Keyed, values: &[u8]) -> Secrets {
        let mut secrets = self.secrets_of_row(user, random);
        for slot in self.variables.extracted() {
            secrets.add(&String::from_utf8_lossy(slot.text(values)));
        }
        secrets
    }

    /// The scenario's secrets, and a user's row of the CSV file.
    pub fn secrets_of_row(&self, user: u64, random: Keyed) -> Secrets {
        let mut secrets = self.secrets.clone();
        let columns = self.feeder.columns().len();
        let row = (columns > 0).then(|| self.feeder.row_of(user, random));
        for (row, column) in row
            .into_iter()
            .flat_map(|row| (0..columns).map(move |column| (row, column)))
        {
            secrets.add(&String::from_utf8_lossy(self.feeder.text(row, column)));
        }
        secrets
    }

    /// Mean length of a pass of the work loop, its pauses included, when every request takes `request_ns`.
    pub fn pass_ns(&self, request_ns: u64) -> u64 {
        let sum: u64 = self.tasks.iter().map(|task| u64::from(task.weight)).sum();
        let lengths = self.tasks.iter().map(|task| {
            let steps = &self.steps[usize::from(task.steps.start)..usize::from(task.steps.end)];
            let length_ns: u64 = steps.iter().map(|s| s.pause.mean_ns() + request_ns).sum();
            length_ns as f64 * f64::from(task.weight) / sum as f64
        });
        lengths.sum::<f64>() as u64
    }

    /// Length of the longest request without its shared stretches, in bytes.
    pub fn rendered_bytes_max(&self) -> usize {
        let lengths = self.steps.iter().map(|step| step.template.bytes_max());
        lengths.max().unwrap_or_default()
    }

    /// The shared stretches of all steps' requests; a step's begin at [`Step::shared_first`].
    pub fn shared(&self) -> Vec<Shared> {
        let of_step = |step: &Step| step.template.shared().to_vec();
        self.steps.iter().flat_map(of_step).collect()
    }
}

impl LoadDefaults {
    /// The points that the number of users goes through, when it says more than that number.
    pub fn points(&self) -> Vec<Point> {
        match (&self.stages[..], self.staircase, self.users) {
            ([], Some(staircase), _) => staircase.points(),
            ([], None, Some(users)) if self.ramp_ns > 0 => vec![
                Point {
                    users: self.users_from,
                    after_ns: 0,
                },
                Point {
                    users,
                    after_ns: self.ramp_ns,
                },
            ],
            (stages, _, _) => stages.to_vec(),
        }
    }
}

impl Step {
    /// Adds what the step would take out of an answer: it may be secret before it is anybody's.
    pub fn add_secrets_of(&self, reply: Reply<'_>, stride: usize, secrets: &mut Secrets) {
        let mut values = vec![0; stride];
        for extract in &self.extract {
            if extract.store(reply, &mut values).is_ok() {
                secrets.add(&String::from_utf8_lossy(extract.slot.text(&values)));
            }
        }
    }

    /// Makes the values of one request; `origin` says whose and which.
    #[inline]
    pub fn refresh(&self, origin: &Origin<'_>, values: &mut [u8]) {
        debug_assert_eq!(origin.stream, Stream::Request);
        for (nth, fresh) in self.fresh.iter().enumerate() {
            let slot = fresh.slot;
            slot.store_with(values, |out| fresh.value.write(nth, origin, out));
        }
    }
}
