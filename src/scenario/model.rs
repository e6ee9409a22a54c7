//! The compiled scenario: what a user does. Every value in it has been checked.

use std::ops::Range;

use crate::http::cookies::cookies;
use crate::http::request::{Shared, Slot, Template, Values};
use crate::http::response::{Expecting, Keep};

use super::cookies::Cookies;
use super::elsewhere::{Elsewhere, Named};
use super::expect::{Expect, Extract, PollFailure, Reply, Rule, StatusSet};
use super::feeder::{Feeder, RowKey};
use super::flow::{Flow, Rounds, Test};
use super::follow::Follow;
use super::format::place::ScenarioError;
use super::kind::Kind;
use super::members::label;
use super::pattern::{Caches, Pattern};
use super::secrets::Secrets;
use super::value::{Origin, Value};
use super::variables::Variables;
use super::wait::Wait;
use crate::load::closed::{Point, Staircase};
use crate::load::mix::Amount;
use crate::load::random::{Keyed, Stream};
use crate::metrics::outcome::Failure;

/// Index of a step in [`Scenario::steps`].
pub type StepIndex = u16;

/// A compiled scenario. Its requests have no target before [`Scenario::bind`].
#[derive(Debug)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Its purpose, in a line.
    pub about: String,
    /// The targets that the scenario names, beside that of the run.
    pub targets: Vec<Named>,
    /// All steps; the ranges below index into it.
    pub steps: Vec<Step>,
    /// The steps that a user runs once, in order.
    pub start: Range<StepIndex>,
    /// The tasks of the work loop, one drawn by weight each time. Their steps lie one task after the other.
    pub tasks: Vec<Task>,
    /// The steps that a user which has finished its start steps runs before it leaves, in order.
    pub stop: Range<StepIndex>,
    /// The wait between two tasks.
    pub wait: Wait,
    /// The kinds of users, one at least. Where there are several, `start` and `stop` are empty: the kinds have their own.
    pub kinds: Vec<Kind>,
    /// Values that are computed once per user, or extracted from answers.
    pub variables: Variables,
    /// The cookies of users, where the scenario keeps them.
    pub cookies: Option<Cookies>,
    /// The rows of the CSV files; empty without one.
    pub feeder: Feeder,
    /// Bytes of the fresh values of a request, at most.
    pub fresh_stride: usize,
    /// A step or task has a time limit of its own.
    pub has_own_timeouts: bool,
    /// A task has a time limit.
    pub has_deadlines: bool,
    /// The names under which requests are counted; steps point into it.
    pub metrics: Vec<MetricLabel>,
    /// Names of spans: steps that are measured as a whole.
    pub spans: Vec<String>,
    /// The load that the scenario is made for.
    pub load: LoadDefaults,
    /// Rules that end a run.
    pub stop_when: Vec<RuleText>,
    /// Rules that fail a run.
    pub fail_if: Vec<RuleText>,
    /// Rules that have to hold in a run.
    pub require: Vec<RuleText>,
    /// The steps that are carried out once before the load, as the start steps of a scenario of their own.
    pub setup: Option<Box<Self>>,
    /// The same for the steps after the load.
    pub teardown: Option<Box<Self>>,
    /// Texts that must not be shown anywhere.
    pub secrets: Secrets,
    /// A step sends the API key, no key was given, and the scenario's default is used.
    pub api_key_is_default: bool,
}

/// A request and the expectations of its answer.
#[derive(Clone, Debug)]
pub struct Step {
    /// Index into [`Scenario::metrics`].
    pub metric: u16,
    /// Number of the target that it goes to: 0 for that of the run, then those of [`Scenario::targets`].
    pub target: u16,
    /// The request.
    pub template: Template,
    /// The same request to the named targets, where its link decides where it goes.
    pub elsewhere: Option<Box<Elsewhere>>,
    /// The request asks for its connection to be closed after it.
    pub closes: bool,
    /// Index of the first of its shared stretches in [`Scenario::shared`].
    pub shared_first: u32,
    /// Values that are made for each request.
    pub fresh: Vec<Fresh>,
    /// The answers that are a success.
    pub expect: Expect,
    /// Values that are extracted from the answer, for later steps.
    pub extract: Vec<Extract>,
    /// The wait after the step.
    pub pause: Wait,
    /// Time limit of the request, if it has its own.
    pub timeout_ns: Option<u64>,
    /// Time limit of the step's task, from the beginning of the task, if it has one.
    pub within_ns: Option<u64>,
    /// For a poll: when to ask again, and for how long.
    pub repeat: Option<Repeat>,
    /// Whether it is sent at all, and how often, where that is not always and once.
    pub flow: Option<Box<Flow>>,
    /// How its next redirect is followed, where it is.
    pub follow: Option<Box<Follow>>,
    /// It is sent when a step before it was redirected; otherwise it is passed over.
    pub is_hop: bool,
    /// Steps after it that are passed over when the user goes on: hops where its answer is no redirect, or the steps that
    /// were sent together with it.
    pub hops_left: StepIndex,
    /// What the user does when the step has failed.
    pub on_failure: OnFailure,
    /// Sending the request twice has the same effect as once (RFC 9110 section 9.2.2).
    pub idempotent: bool,
    /// How the answer's body is delimited, as far as the request decides it.
    pub expecting: Expecting,
    /// The parts of the answer that have to be kept.
    pub keep: Keep,
    /// Indices of the spans that begin with the step.
    pub begins: Vec<u16>,
    /// Indices of the spans that end with the step.
    pub ends: Vec<u16>,
}

/// A value that is made for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// The value.
    pub value: Value,
    /// Its place among the fresh values of the request.
    pub slot: Slot,
}

/// A task of the work loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its steps, in order.
    pub steps: Range<StepIndex>,
    /// Its share of the iterations is this over the sum of all weights.
    pub weight: u32,
    /// It is drawn only when all of these hold.
    pub when: Vec<Test>,
    /// Values that its own steps extract and a condition tests: unset when it begins.
    pub clears: Vec<Slot>,
    /// The span that measures it as a whole, by index, where it has a name and steps.
    pub span: Option<u16>,
    /// How a pass repeats it.
    pub repeat: Option<Box<Rounds>>,
}

/// How a poll is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// Time from one attempt to the next.
    pub every_ns: u64,
    /// Time from the first attempt's due time, after which no attempt begins.
    pub give_up_after_ns: u64,
    /// Statuses that mean "ask again". An expected status with an unexpected body means it too.
    pub not_yet: StatusSet,
    /// Answers that end the poll at once as a failure, even if they are expected ones.
    pub failed: Option<PollFailure>,
    /// A poll that gives up counts as a failure when its last answer means "ask again".
    pub give_up_fails: bool,
}

/// What a user does when a step has failed, or a poll has given up; the mildest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnFailure {
    /// The user goes on with its next step.
    #[default]
    GoOn,
    /// The user ends its task, waits, and draws the next one.
    EndTask,
    /// The user leaves.
    Stop,
}

/// Method and name under which requests are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricLabel {
    /// The HTTP method.
    pub method: String,
    /// The name, without ids.
    pub name: String,
    /// The named target that its requests go to; `None` for the target of the run, and where a link decides.
    pub target: Option<String>,
    /// A step counted under it is a poll.
    pub is_poll: bool,
    /// The likely meaning of failures by their status, where the scenario gives one.
    pub hints: Vec<(u16, String)>,
    /// What its requests carry.
    pub carries: Carries,
}

/// Parts of a request for which a server may refuse it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carries {
    /// Its credentials.
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
    /// The API key, from the environment variable of this name.
    ApiKey(String),
    /// Credentials of the scenario or the command line, in a field of this name.
    Field(String),
    /// Credentials in the path or query.
    Target,
}

/// The load that a scenario is made for; flags replace it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadDefaults {
    /// Users at the peak.
    pub users: Option<u64>,
    /// Users at the start.
    pub users_from: u64,
    /// Time from the start to the peak.
    pub ramp_ns: u64,
    /// Length of the run.
    pub run_time_ns: Option<u64>,
    /// The line of users through points; replaces peak and ramp.
    pub stages: Vec<Point>,
    /// A number of users that grows in steps; replaces the ramp.
    pub staircase: Option<Staircase>,
}

/// A rule as it stands in the scenario. The analysis room parses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleText {
    /// The text, such as `workflow.p95>1s`.
    pub text: String,
    place: ScenarioError,
}

impl RuleText {
    /// A rule with its place in the scenario.
    pub(super) fn new(text: String, place: ScenarioError) -> Self {
        Self { text, place }
    }

    /// An error at the rule's place.
    pub fn error(&self, reason: String) -> ScenarioError {
        ScenarioError {
            reason: label(&reason),
            ..self.place.clone()
        }
    }
}

impl Scenario {
    /// By metric: whether requests of the work loop are counted under it. In a scenario without tasks, all steps count as
    /// the work loop.
    pub fn work_metrics(&self) -> Vec<bool> {
        let mut is_work = vec![self.tasks.is_empty(); self.metrics.len()];
        for task in &self.tasks {
            for index in task.steps.clone() {
                is_work[usize::from(self.steps[usize::from(index)].metric)] = true;
            }
        }
        is_work
    }

    /// Most requests that a user has under way at once.
    pub fn parts_max(&self) -> usize {
        let flows = self.steps.iter().filter_map(|step| step.flow.as_ref());
        let groups = flows.filter_map(|flow| flow.together.as_ref());
        let counts = groups.map(|together| usize::from(together.count));
        counts.max().unwrap_or(1)
    }

    /// The patterns of all steps, each with a number of its own.
    pub(super) fn number_patterns(&mut self) {
        let patterns = self.steps.iter_mut().flat_map(Step::patterns_mut);
        for (number, pattern) in patterns.enumerate() {
            pattern.set_number(number);
        }
    }

    /// The memory of one shard for searches in answers.
    pub fn caches(&self) -> Caches {
        Caches::new(self.steps.iter().flat_map(Step::patterns))
    }

    /// The task that a step of a task belongs to.
    pub fn task_of(&self, step: StepIndex) -> &Task {
        let before = |task: &Task| task.steps.end <= step;
        let task = self.tasks.partition_point(before);
        &self.tasks[task]
    }

    /// The name of a target by its number; `None` for that of the run.
    pub fn target_name(&self, number: u16) -> Option<&str> {
        let named = usize::from(number).checked_sub(1)?;
        Some(&self.targets.get(named)?.name)
    }

    /// The step that comes after one whose answer was no redirect.
    pub fn after(&self, step: StepIndex) -> StepIndex {
        step + 1 + self.steps[usize::from(step)].hops_left
    }

    /// The request that a user sends when the step is its first, with `<name>` for values out of answers.
    pub fn first_request(&self, index: StepIndex, user: u64, seed: u64, wall_ns: u64) -> Vec<u8> {
        let (user, fresh) = self.first_values(index, user, seed, wall_ns);
        let template = &self.steps[usize::from(index)].template;
        template.whole(Values {
            user: &user,
            fresh: &fresh,
        })
    }

    /// The values of that request: the user's, and the fresh ones.
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
            iteration: user,
            users: user + 1,
            wall_ns,
            feeder: &self.feeder,
            values: &[],
        };
        let mut values = vec![0; self.variables.stride()];
        self.variables
            .fill(&origin(Stream::Variable, 0), &mut values);
        self.variables.show_extracted(&mut values);
        let mut fresh = vec![0; self.fresh_stride];
        let of_request = Origin {
            values: &values,
            ..origin(Stream::Request, 1)
        };
        self.steps[usize::from(index)].refresh(&of_request, &mut fresh);
        (values, fresh)
    }

    /// The secrets of a user's requests: its values out of answers, and [`Scenario::secrets_of_row`]. It allocates, for the
    /// few requests that are shown.
    pub fn secrets_of_user(&self, key: RowKey, values: &[u8]) -> Secrets {
        let mut secrets = self.secrets_of_row(key);
        for slot in self.variables.extracted() {
            secrets.add(&String::from_utf8_lossy(slot.text(values)));
        }
        let jars = self.cookies.iter().flat_map(|it| it.jars());
        for cookie in jars.flat_map(|jar| cookies(jar.text(values))) {
            secrets.add(&String::from_utf8_lossy(cookie.value));
        }
        secrets
    }

    /// The scenario's secrets, and the fields of a user's rows of the CSV files.
    pub fn secrets_of_row(&self, key: RowKey) -> Secrets {
        let mut secrets = self.secrets.clone();
        for field in self.feeder.fields(key) {
            secrets.add(&String::from_utf8_lossy(field));
        }
        secrets
    }

    /// Mean length of an iteration with its pauses, when every request takes `request_ns`.
    pub fn pass_ns(&self, request_ns: u64) -> u64 {
        let share = |kind: &Kind| match (kind.amount, self.has_kinds()) {
            (Amount::Share(share), true) => share,
            _ => 1.0,
        };
        let all: f64 = self.kinds.iter().map(share).sum();
        let kinds = self.kinds.iter();
        let lengths = kinds.map(|kind| self.pass_ns_of(kind, request_ns) * share(kind) / all);
        lengths.sum::<f64>() as u64
    }

    fn pass_ns_of(&self, kind: &Kind, request_ns: u64) -> f64 {
        let tasks = self.tasks_of(kind);
        let sum: u64 = tasks.iter().map(|task| u64::from(task.weight)).sum();
        let lengths = tasks.iter().map(|task| {
            let steps = &self.steps[usize::from(task.steps.start)..usize::from(task.steps.end)];
            let steps = steps.iter().filter(|step| !step.is_hop);
            let length_ns: f64 = steps.map(|step| step.mean_ns(request_ns)).sum();
            task.length_ns(length_ns) * f64::from(task.weight) / sum as f64
        });
        lengths.sum()
    }

    /// Length of the longest request without its shared stretches, in bytes.
    pub fn rendered_bytes_max(&self) -> usize {
        let templates = self.steps.iter().flat_map(Step::templates);
        templates.map(Template::bytes_max).max().unwrap_or_default()
    }

    /// The shared stretches of all steps' requests; those of a step begin at [`Step::shared_first`].
    pub fn shared(&self) -> Vec<Shared> {
        let of_step = |step: &Step| step.template.shared().to_vec();
        self.steps.iter().flat_map(of_step).collect()
    }
}

impl Task {
    /// How often a pass does it; 1 where its values decide.
    pub fn mean_rounds(&self) -> f64 {
        self.repeat.as_ref().map_or(1.0, |rounds| rounds.times())
    }

    /// Mean length of a pass in ns, when its steps with their pauses take `steps_ns`.
    pub fn length_ns(&self, steps_ns: f64) -> f64 {
        let rounds = self.mean_rounds();
        let wait_ns = self.repeat.as_ref().map_or(0, |it| it.wait.mean_ns());
        rounds * steps_ns + (rounds - 1.0) * wait_ns as f64
    }
}

impl LoadDefaults {
    /// The points of the line of users; empty when only their number, or nothing, is given.
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
    /// The target that a user with these values sends its request to.
    #[inline]
    pub fn target_of(&self, values: &[u8]) -> u16 {
        match &self.elsewhere {
            None => self.target,
            Some(elsewhere) => elsewhere.byte.get(values),
        }
    }

    /// The request of a user with these values.
    #[inline]
    pub fn template_for(&self, values: &[u8]) -> &Template {
        let elsewhere = self.elsewhere.as_ref();
        elsewhere
            .and_then(|it| it.template(values))
            .unwrap_or(&self.template)
    }

    /// Its request to each target.
    fn templates(&self) -> impl Iterator<Item = &Template> {
        let elsewhere = self.elsewhere.iter().flat_map(|it| &it.templates);
        std::iter::once(&self.template).chain(elsewhere)
    }

    fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        let failed = self.repeat.as_ref().and_then(|it| it.failed.as_ref());
        let of_poll = failed.into_iter().flat_map(|failed| &failed.rules);
        let of_flow = self.flow.iter().flat_map(|flow| flow.rules());
        let rules = self.expect.rules.iter().chain(of_poll).chain(of_flow);
        let of_rules = rules.filter_map(Rule::pattern);
        of_rules.chain(self.extract.iter().filter_map(|it| it.from.pattern()))
    }

    /// The same patterns in the same order.
    fn patterns_mut(&mut self) -> impl Iterator<Item = &mut Pattern> {
        let failed = self.repeat.as_mut().and_then(|it| it.failed.as_mut());
        let of_poll = failed.into_iter().flat_map(|failed| &mut failed.rules);
        let of_flow = self.flow.iter_mut().flat_map(|flow| flow.rules_mut());
        let rules = self.expect.rules.iter_mut().chain(of_poll).chain(of_flow);
        let of_rules = rules.filter_map(Rule::pattern_mut);
        of_rules.chain(
            self.extract
                .iter_mut()
                .filter_map(|it| it.from.pattern_mut()),
        )
    }

    /// Adds the values that the step would extract from an answer: they are secret even when they are not used.
    pub fn add_secrets_of(&self, reply: Reply<'_>, stride: usize, secrets: &mut Secrets) {
        let mut values = vec![0; stride];
        for extract in &self.extract {
            if extract.store(reply, &mut values).is_ok() {
                secrets.add(&String::from_utf8_lossy(extract.slot.text(&values)));
            }
        }
    }

    /// An answer to it may have a link that is looked at.
    #[inline]
    pub fn takes_links(&self) -> bool {
        self.follow.is_some() || self.extract.iter().any(|extract| extract.link.is_some())
    }

    /// How long a failed answer asks to wait before the step is sent again, as [`Retry::after_ns`] says; `None` when it is
    /// not.
    ///
    /// [`Retry::after_ns`]: super::retry::Retry::after_ns
    pub fn retry_after_ns(
        &self,
        failure: Failure,
        status: u16,
        head: &[u8],
        wall_ns: u64,
    ) -> Option<u64> {
        let retry = self.flow.as_ref()?.retry.as_ref()?;
        retry.after_ns(failure, status, head, wall_ns)
    }

    /// How often a pass sends it in the mean, as far as the scenario tells: a repetition that may end earlier counts once.
    pub fn mean_times(&self) -> f64 {
        self.flow
            .as_ref()
            .map_or(1.0, |flow| flow.share * flow.times())
    }

    /// Mean length of its part of a pass in ns, with its pause, when every request takes `request_ns`.
    pub fn mean_ns(&self, request_ns: u64) -> f64 {
        let (request_ns, pause_ns) = (request_ns as f64, self.pause.mean_ns() as f64);
        match &self.flow {
            None => request_ns + pause_ns,
            // Its time is that of the first of them.
            Some(flow) if flow.is_beside() => 0.0,
            Some(flow) => flow.share * (flow.times() * request_ns + flow.waits_ns() + pause_ns),
        }
    }

    /// Makes the fresh values of one request, whose user and number are in `origin`.
    #[inline]
    pub fn refresh(&self, origin: &Origin<'_>, values: &mut [u8]) {
        debug_assert_eq!(origin.stream, Stream::Request);
        for (nth, fresh) in self.fresh.iter().enumerate() {
            let slot = fresh.slot;
            slot.store_with(values, |out| fresh.value.write(nth, origin, out));
        }
    }
}
