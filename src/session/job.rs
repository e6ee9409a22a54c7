//! A job: everything that a command asked for, validated. There is no clap type in it, and only the machine or the
//! target can still refuse it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::engine::plan::{Connections, Lifetime};
use crate::io::Backend;
use crate::load::Load;
use crate::load::closed::Point;
use crate::load::open::RatePoint;
use crate::mock::MockConfig;
use crate::record::schema::{LevelRecord, Record};
use crate::scenario::model::Scenario;

use super::connecting::Connecting;
use super::run_judge::RunJudge;
use super::source::ScenarioText;
use super::steer::Course;
use super::target::Target;
use super::watched::list::WatchList;

/// A run or a search, ready to be prepared.
pub struct Job {
    pub traffic: Traffic,
    pub judging: Judging,
    pub gates: Gates,
    pub outputs: Outputs,
}

/// The traffic: scenario, target, load, limits, sockets.
pub struct Traffic {
    pub target: JobTarget,
    /// Compiled once. Bound to its target again when the stand-in has started and its address is known.
    pub scenario: Scenario,
    /// Its text, where it is compiled again with the values of its setup.
    pub text: Option<ScenarioText>,
    /// The environment variable of the API key, as a message may repeat it.
    pub api_key_env: String,
    pub load: JobLoad,
    pub limits: Limits,
    pub connecting: Connecting,
    pub watch: WatchList,
}

/// The service under test.
pub enum JobTarget {
    /// A service that runs already.
    Service(Target),
    /// The embedded stand-in, which the session starts; its cores are chosen then.
    StandIn(Box<MockConfig>),
}

/// How much, and until when.
pub struct JobLoad {
    pub load: Load,
    /// The wall-clock moment at which the run starts; `None` when it starts as soon as it is prepared.
    pub start_at: Option<SystemTime>,
    /// Length of the load, from the start or from the first arrival; `None` when iterations bound it.
    pub run_time_ns: Option<u64>,
    pub given: GivenLoad,
}

/// The load as the command line gives it, for the record. What the scenario decides is empty.
#[derive(Clone, Default)]
pub struct GivenLoad {
    pub users: Option<u64>,
    /// Users per second.
    pub spawn_rate: Option<f64>,
    /// Points of the users' line.
    pub stages: Vec<Point>,
    /// Iterations per second.
    pub rate: Option<f64>,
    /// Points of the rate's line.
    pub rate_stages: Vec<RatePoint>,
}

/// Bounds and the way to the kernel.
pub struct Limits {
    /// Time limit of a request, in nanoseconds.
    pub timeout_ns: u64,
    /// Time limit of the drain in nanoseconds, when it is given.
    pub drain_ns: Option<u64>,
    pub connections: Connections,
    pub lifetime: Lifetime,
    /// Threads, when a number was given.
    pub shards: Option<usize>,
    /// The cores for them, when this process needs the others itself; `None`: all that it may use.
    pub cores: Option<Vec<usize>>,
    pub backend: Backend,
    /// An open load looks at the clock just before an arrival is due instead of sleeping.
    pub spins: bool,
    pub seed: u64,
}

/// The judge of a run: it may end it early.
pub enum Judging {
    /// Rules over the windows of a run, and goals of precision.
    Rules(Box<RunJudge>),
    Search(Box<SearchJob>),
}

/// A search for the breaking point.
pub struct SearchJob {
    pub course: Course,
    /// Levels of the interrupted search that this one resumes.
    pub levels: Vec<LevelRecord>,
}

/// Flags that change the exit code.
#[derive(Clone, Copy)]
pub struct Gates {
    pub require_valid: bool,
    /// Exit code when requests failed.
    pub code_of_failures: u8,
}

/// Where build servers read the results.
#[derive(Default)]
pub struct CiOutputs {
    /// The summary in Markdown.
    pub summary: Option<PathBuf>,
    /// The summary is appended to this file; GitHub's runner names it.
    pub step_summary: Option<PathBuf>,
    /// The record that the summary compares with, and its path.
    pub base: Option<(String, Box<Record>)>,
    /// JUnit XML.
    pub junit: Option<PathBuf>,
    /// GitHub's annotations go to standard error.
    pub has_annotations: bool,
}

/// How a run is shown while it lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Live {
    /// The screen where there is a terminal that can show it, else the line.
    #[default]
    Auto,
    /// The screen.
    Screen,
    /// The line of progress.
    Line,
    /// Nothing.
    Nothing,
}

/// The live page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Web {
    /// Where it listens; port 0 is any free one.
    pub address: SocketAddr,
    /// It takes orders.
    pub has_control: bool,
    /// How long it stays after the run.
    pub linger: Duration,
}

/// Where the results go.
pub struct Outputs {
    pub json: Option<PathBuf>,
    /// The report as a page.
    pub html: Option<PathBuf>,
    /// Prefix of Locust's four CSV files.
    pub csv: Option<PathBuf>,
    pub csv_full_history: bool,
    /// The interval log.
    pub hdr: Option<PathBuf>,
    /// What build servers read.
    pub ci: CiOutputs,
    /// The console report in its full form.
    pub is_full: bool,
    /// The live display.
    pub live: Live,
    /// The live page.
    pub web: Option<Web>,
    pub quiet: bool,
}
