//! The flags that `run` and `search` share, read one by one; the scenario decides what they leave open.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow, bail};

use crate::analysis::criteria::{Purpose, Rule};
use crate::analysis::precision::{Precision, Settle};
use crate::analysis::windows::Referee;
use crate::cli::args::{ArrivalsChoice, LiveForm, ReportForm, RunArgs};
use crate::cli::ci;
use crate::cli::results;
use crate::engine::plan::{Connections, Lifetime, PIPELINE_MAX};
use crate::load::Load;
use crate::load::closed::{Closed, Point};
use crate::load::open::{Arrivals, Open, RatePoint};
use crate::load::part::Part;
use crate::scenario::format::compile::{parse_rate_stage, parse_stage};
use crate::scenario::model::Scenario;
use crate::scenario::wait::Wait;
use crate::session::connecting::Connecting;
use crate::session::job::{
    Gates, GivenLoad, Job, JobLoad, JobTarget, Judging, Limits, Live, Outputs, Traffic,
};
use crate::session::limits::connections_allowed;
use crate::session::rules;
use crate::session::source::ScenarioText;
use crate::session::target::Target;
use crate::session::until;
use crate::session::watched::list::WatchList;

use crate::text::duration;
use crate::text::units::grouped;

use super::moment::moment;
use super::source::{parse_header, parse_target, source};
use super::values::{number, per_second, time};
use super::{part, sockets, stand_in, watch, web};

const USERS_MAX: u64 = 100_000_000;
const SHARDS_MAX: usize = 1_024;
/// Longest batch of requests: there is a buffer for each that may be on its way.
const BATCH_BYTES_MAX: usize = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);
/// Assumed duration of a request, to estimate how many users a rate needs.
const REQUEST_NS: u64 = 100_000_000;
const READY_MIN: u64 = 10;
const READY_MAX: u64 = 100_000;
/// Upper bound of the users for each one that is ready at the start: room for a server slower than assumed.
const USERS_PER_READY: u64 = 10;

/// The flags that `run` and `search` share, each checked by itself.
pub struct Options<'a> {
    args: &'a RunArgs,
    pub target: JobTarget,
    pub scenario: ScenarioText,
    pub connecting: Connecting,
    watch: WatchList,
    pub load: LoadOptions,
    /// Length of a window of `--stop-when`.
    window: Duration,
    /// What `--settle` says.
    pub settle: Option<Settle>,
    pub timeout: Duration,
    drain: Option<Duration>,
    seed: u64,
    /// The part of the load that this process makes.
    part: Part,
    start_at: Option<SystemTime>,
    /// Connections that all users share, when a number was given.
    connections: Option<usize>,
    lifetime: Lifetime,
    /// Requests on a connection at once.
    pub pipeline: usize,
    shards: Option<usize>,
}

/// How much load, as the flags give it.
pub struct LoadOptions {
    pub users: Option<u64>,
    /// Users per second.
    pub spawn_rate: Option<f64>,
    pub run_time: Option<Duration>,
    /// Passes of the work loop, all users together.
    iterations: Option<u64>,
    stages: Vec<Point>,
    /// `--rate` is given, with or without a number.
    pub is_open: bool,
    /// Iterations per second, when a number was given.
    pub rate: Option<f64>,
    rate_stages: Vec<RatePoint>,
    pub arrivals: Arrivals,
}

impl<'a> Options<'a> {
    /// Reads the flags.
    ///
    /// # Errors
    /// The first flag that is wrong or contradicts another, with the cure.
    pub fn from_args(args: &'a RunArgs) -> Result<Self> {
        let (source, target_of_url) = source(args)?;
        let targets = args.targets.iter().map(|text| parse_target(text));
        let targets = targets.collect::<Result<Vec<_>>>()?;
        let connecting = sockets::connecting(&args.sockets, &args.tls)?;
        let target = target(args, target_of_url, &connecting)?;
        let headers = args.headers.iter().map(|header| parse_header(header));
        let mut headers = headers.collect::<Result<Vec<_>>>()?;
        if args.new_connections {
            headers.push(("Connection".into(), "close".into()));
        }
        let load = LoadOptions::from_args(args)?;
        let timeout = time("--timeout", Some(&args.timeout))?.unwrap_or_default();
        if timeout.is_zero() {
            bail!("--timeout 0 lets no request finish; give for example 30s");
        }
        let wait = args.wait.as_deref().map(Wait::parse).transpose();
        let pause = args.pause.as_deref().map(Wait::parse).transpose();
        let pause = pause.context("--pause")?;
        if matches!(pause, Some(Wait::Pacing { .. })) {
            bail!("--pause: pacing goes from task to task; a pause is for example 1s");
        }
        let window = time("--window", Some(&args.window))?.unwrap_or_default();
        if window < SECOND {
            bail!("--window {}: give at least 1s", args.window);
        }
        let pipeline = number("--pipeline", Some(&args.pipeline), 1, PIPELINE_MAX as u64)?;
        let pipeline = pipeline.unwrap_or(1) as usize;
        let connections = match args.connections.as_deref() {
            Some("per-user") if pipeline > 1 => bail!(
                "--pipeline {pipeline} puts several users' requests on one connection, which --connections per-user forbids; leave that out, or give a number"
            ),
            Some("per-user") => None,
            text => number("--connections", text, 1, 10_000_000)?.map(|count| count as usize),
        };
        let api_key = std::env::var(&args.api_key_env).ok();
        Ok(Self {
            args,
            target,
            scenario: ScenarioText {
                source,
                headers,
                targets,
                api_key: api_key.filter(|key| !key.is_empty()),
                api_key_env: shown_variable(&args.api_key_env).to_owned(),
                wait: wait.context("--wait")?,
                pause,
                any_method: false,
            },
            connecting,
            watch: watch::list(&args.watch)?,
            load,
            window,
            settle: settle(args.settle.as_deref())?,
            timeout,
            drain: time("--drain", args.drain.as_deref())?,
            seed: args
                .seed
                .unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 >> 32),
            part: part::part(args.part.as_deref(), &part::environment)?,
            start_at: args
                .start_at
                .as_deref()
                .map(|text| moment(text, SystemTime::now()))
                .transpose()?,
            connections,
            lifetime: lifetime(args.connection_lifetime.as_deref())?,
            pipeline,
            shards: number("--shards", args.shards.as_deref(), 1, SHARDS_MAX as u64)?
                .map(|shards| shards as usize),
        })
    }

    /// The scenario, compiled before anything is started.
    ///
    /// # Errors
    /// The first thing that is wrong in it, with its place; or when the target's URL has a query.
    pub fn compile(&self) -> Result<Scenario> {
        if let JobTarget::Service(target) = &self.target
            && target.base_path().contains('?')
        {
            bail!(
                "--host {}: a host has no query; it belongs to the steps of the scenario",
                target.url
            );
        }
        let scenario = self.scenario.compile()?;
        // The stand-in's address, known when it has started, is no longer than this.
        let scenario = match &self.target {
            JobTarget::Service(target) => scenario.bind(&target.authority, target.base_path()),
            JobTarget::StandIn(_) => scenario.bind("127.0.0.1:65535", ""),
        };
        check_batch(&scenario, self.pipeline)?;
        Ok(scenario)
    }

    /// How much, and until when.
    ///
    /// # Errors
    /// When flags and scenario together name no load.
    pub fn load(&self, scenario: &Scenario) -> Result<JobLoad> {
        let run_time_ns = self.run_time_ns(scenario)?;
        let options = &self.load;
        if !options.is_open {
            return Ok(self.job_load(Load::Closed(self.closed(scenario)?), run_time_ns));
        }
        let first = options.rate_stages.first().map(|first| first.rate);
        let Some(rate) = options.rate.or(first) else {
            bail!("--rate needs a number: iterations per second, for example --rate 100");
        };
        let rate_max = options.rate_stages.iter().map(|stage| stage.rate);
        let rate_max = rate_max.fold(rate, f64::max);
        if rate_max == 0.0 {
            bail!("--stage: no stage has a rate; give for example --rate 100 --stage 500:5m");
        }
        let (ready, users_max) = self.open_users(scenario, rate_max)?;
        let arrivals = Open::new(
            rate,
            &options.rate_stages,
            options.arrivals,
            ready,
            users_max,
        );
        let load = Load::Open {
            ready: self.ready_users(ready),
            arrivals,
        };
        Ok(self.job_load(load, run_time_ns))
    }

    /// A load with what was given for it.
    pub fn job_load(&self, load: Load, run_time_ns: Option<u64>) -> JobLoad {
        let options = &self.load;
        JobLoad {
            load: load.of_part(self.part),
            start_at: self.start_at,
            run_time_ns,
            given: GivenLoad {
                users: options.users,
                spawn_rate: options.spawn_rate,
                stages: options.stages.clone(),
                rate: options.rate,
                rate_stages: options.rate_stages.clone(),
            },
        }
    }

    /// The users that come before the first arrival of an open load.
    pub fn ready_users(&self, ready: u64) -> Closed {
        Closed::at_rate(ready, self.load.spawn_rate.unwrap_or(ready as f64))
    }

    /// How many users are got ready for an open load, and how many there may be: those of `--users`, else what the rate
    /// needs when a request takes 0.1 s, and some more.
    ///
    /// # Errors
    /// When the scenario has nothing that could begin, or the descriptor limit is not known.
    pub fn open_users(&self, scenario: &Scenario, rate_max: f64) -> Result<(u64, u64)> {
        if scenario.tasks.is_empty() {
            bail!(
                "--rate: the scenario {} has no [[task]], so there is nothing to be begun",
                scenario.name
            );
        }
        if let Some(users) = self.load.users {
            return Ok((users, users));
        }
        let busy = rate_max * scenario.pass_ns(REQUEST_NS) as f64 / 1e9;
        let ready = (busy.ceil() as u64).clamp(READY_MIN, READY_MAX);
        let users_max = (ready * USERS_PER_READY).min(READY_MAX);
        // Parts on machines with different limits would disagree: all of them count on the same users.
        let users_max = match self.part.is_whole() {
            true => users_max.min(self.users_allowed(scenario, users_max)?),
            false => users_max,
        };
        Ok((ready.min(users_max), users_max))
    }

    /// Bounds, for a load of so many users.
    pub fn limits(&self, users_max: u64) -> Limits {
        Limits {
            timeout_ns: self.timeout.as_nanos() as u64,
            drain_ns: self.drain.map(|drain| drain.as_nanos() as u64),
            connections: self.connections(users_max),
            lifetime: self.lifetime,
            shards: self.shards,
            cores: None,
            backend: self.args.io.into(),
            spins: self.load.is_open && !self.args.no_spin,
            seed: self.seed,
        }
    }

    /// Connections for so many users.
    pub fn connections(&self, users_max: u64) -> Connections {
        match (self.connections, self.pipeline) {
            (None, 1) => Connections::PerUser,
            (count, depth) => Connections::Shared {
                count: count.unwrap_or(users_max.div_ceil(depth as u64) as usize),
                depth,
            },
        }
    }

    /// How many of so many users this machine allows, where the number of connections grows with theirs.
    ///
    /// # Errors
    /// When the descriptor limit is not known.
    pub fn users_allowed(&self, scenario: &Scenario, users: u64) -> Result<u64> {
        let depth = self.pipeline as u64;
        let targets = 1 + scenario.targets.len() as u64;
        let each = match (self.connections, depth) {
            (Some(_), _) => return Ok(users),
            (None, 1) => scenario.parts_max() as u64 * targets,
            (None, _) => targets,
        };
        let connections = connections_allowed((each * users).div_ceil(depth))?;
        let connections = connections.min(self.connecting.connections_max());
        Ok((depth * connections / each).clamp(1, users.max(1)))
    }

    /// The judge of a run, with the rules of each flag, else the scenario's own.
    ///
    /// # Errors
    /// The first rule that is wrong, or that the run is too short for.
    pub fn referee(&self, scenario: &Scenario, load: &JobLoad) -> Result<Referee> {
        let given = [
            (Purpose::Stop, &self.args.stop_when),
            (Purpose::Fail, &self.args.fail_if),
            (Purpose::Require, &self.args.require),
        ];
        let mut all: Vec<Rule> = Vec::new();
        for (purpose, texts) in given {
            all.extend(rules::parse(purpose, texts, scenario)?);
        }
        let are_given = given.iter().any(|(_, texts)| !texts.is_empty());
        let window_ns = self.window.as_nanos() as u64;
        let settle_ns = self.settle_ns();
        let steps = scenario.metrics.len();
        rules::referee(all, are_given, load, window_ns, settle_ns, steps)
    }

    /// The judge of the goals of `--until`; `None` without any.
    ///
    /// # Errors
    /// The first goal that is wrong, or when no flag bounds the run.
    pub fn precision(&self, scenario: &Scenario) -> Result<Option<Precision>> {
        let goals = until::parse(&self.args.until, scenario)?;
        if goals.is_empty() {
            return Ok(None);
        }
        if !self.part.is_whole() {
            bail!(
                "--until does not go with --part: each part would end when its own figures are known well enough; give \
                 all parts the same -t"
            );
        }
        let load = &self.load;
        let has_stages = !load.stages.is_empty() || !load.rate_stages.is_empty();
        if load.run_time.is_none() && load.iterations.is_none() && !has_stages {
            bail!(
                "--until needs an upper bound, for a figure may never be known so well: add for example -t 30m"
            );
        }
        let settle = self.settle.unwrap_or(Settle::Time(0));
        Ok(Some(Precision::new(goals, settle)))
    }

    /// The figures of a run are those after the settling time: something has to be left.
    ///
    /// # Errors
    /// When the load ends before it.
    pub fn check_settle(&self, load: &JobLoad) -> Result<()> {
        match (self.settle_ns(), load.run_time_ns) {
            (Some(settle_ns), Some(run_time_ns)) if settle_ns >= run_time_ns => bail!(
                "--settle {}: the load ends after {}, and nothing would be measured; give a longer --run-time or a shorter --settle",
                duration::show(Duration::from_nanos(settle_ns)),
                duration::show(Duration::from_nanos(run_time_ns))
            ),
            _ => Ok(()),
        }
    }

    /// The settling time, when it was given as a time.
    pub fn settle_ns(&self) -> Option<u64> {
        match self.settle {
            Some(Settle::Time(ns)) => Some(ns),
            Some(Settle::Auto) | None => None,
        }
    }

    /// The job of these flags.
    ///
    /// # Errors
    /// When a result could not be written where it is wanted.
    pub fn into_job(self, scenario: Scenario, load: JobLoad, judging: Judging) -> Result<Job> {
        let is_search = matches!(judging, Judging::Search(_));
        let outputs = outputs(self.args, &scenario.name, is_search)?;
        let limits = self.limits(load.load.users_max());
        let has_seed = self.args.seed.is_some();
        part::check(self.part, &load.load, limits.connections, has_seed)?;
        Ok(Job {
            traffic: Traffic {
                target: self.target,
                api_key_env: self.scenario.api_key_env.clone(),
                text: scenario.setup.is_some().then_some(self.scenario),
                scenario,
                load,
                limits,
                connecting: self.connecting,
                watch: self.watch,
            },
            judging,
            gates: Gates {
                require_valid: self.args.require_valid,
                code_of_failures: self.args.exit_code_on_error,
            },
            outputs,
        })
    }

    fn closed(&self, scenario: &Scenario) -> Result<Closed> {
        if !self.load.stages.is_empty() {
            return Ok(Closed::through(&self.load.stages));
        }
        let defaults = &scenario.load;
        let own = defaults.points();
        let load = match (
            self.load.users.or(defaults.users),
            self.load.spawn_rate,
            self.load.users,
        ) {
            (Some(users), Some(per_second), _) => Closed::at_rate(users, per_second),
            (_, None, None) if !own.is_empty() => Closed::through(&own),
            // All within the first second, evenly.
            (Some(users), None, _) => Closed::at_rate(users, users as f64),
            (None, _, _) => bail!(
                "--users is missing: the scenario {} names no number of users",
                scenario.name
            ),
        };
        Ok(load.with_iterations(self.load.iterations))
    }

    /// When the run ends, counted from its start.
    fn run_time_ns(&self, scenario: &Scenario) -> Result<Option<u64>> {
        let sum_ns = |points: &[Point]| points.iter().map(|point| point.after_ns).sum::<u64>();
        let of_stages_ns = match self.load.is_open {
            false => sum_ns(&self.load.stages),
            true => self
                .load
                .rate_stages
                .iter()
                .map(|stage| stage.after_ns)
                .sum(),
        };
        let has_stages = !self.load.stages.is_empty() || !self.load.rate_stages.is_empty();
        Ok(match (self.load.run_time, self.load.iterations) {
            (Some(run_time), _) => Some(run_time.as_nanos() as u64),
            (None, _) if has_stages => match of_stages_ns {
                0 => bail!("--stage: the stages last 0 s in all; give another one, or --run-time"),
                of_stages_ns => Some(of_stages_ns),
            },
            (None, Some(_)) => None,
            (None, None) => match scenario.load.run_time_ns {
                None if !scenario.load.points().is_empty() && self.load.users.is_none() => {
                    Some(sum_ns(&scenario.load.points()))
                }
                own => own,
            },
        })
    }
}

impl LoadOptions {
    fn from_args(args: &RunArgs) -> Result<Self> {
        let run_time = time("--run-time", args.run_time.as_deref())?;
        if run_time == Some(Duration::ZERO) {
            bail!("--run-time 0 measures nothing; give for example 30s");
        }
        let is_open = args.rate.is_some();
        let rate = match args.rate.as_deref() {
            None | Some("") => None,
            text => per_second("--rate", text, "iterations")?,
        };
        let (mut stages, mut rate_stages) = (Vec::new(), Vec::new());
        for text in &args.stages {
            match is_open {
                false => parse_stage(text).map(|stage| stages.push(stage)),
                true => parse_rate_stage(text).map(|stage| rate_stages.push(stage)),
            }
            .map_err(|reason| anyhow!("--stage {reason}"))?;
        }
        if !stages.is_empty() && stages.iter().all(|stage| stage.users == 0) {
            bail!("--stage: no stage has users; give for example --stage 10:0s --stage 500:5m");
        }
        if !stages.is_empty() && (args.users.is_some() || args.spawn_rate.is_some()) {
            bail!(
                "--stage says how many users there are; leave --users and --spawn-rate out, or give --rate to have stages of a rate"
            );
        }
        if args.iterations.is_some() && (is_open || !stages.is_empty()) {
            bail!(
                "--iterations goes with --users alone; with --rate or --stage, bound the run by --run-time"
            );
        }
        if !is_open && args.arrivals != ArrivalsChoice::default() {
            bail!("--arrivals says how the iterations of an open load lie; add --rate N");
        }
        Ok(Self {
            users: number("--users", args.users.as_deref(), 1, USERS_MAX)?,
            spawn_rate: per_second("--spawn-rate", args.spawn_rate.as_deref(), "users")?,
            run_time,
            iterations: number("--iterations", args.iterations.as_deref(), 1, u64::MAX)?,
            stages,
            is_open,
            rate,
            rate_stages,
            arrivals: match args.arrivals {
                ArrivalsChoice::Constant => Arrivals::Constant,
                ArrivalsChoice::Poisson => Arrivals::Poisson,
            },
        })
    }
}

/// `--settle`: a time, or `auto`.
fn settle(text: Option<&str>) -> Result<Option<Settle>> {
    if text == Some("auto") {
        return Ok(Some(Settle::Auto));
    }
    let settle = time("--settle", text)?;
    Ok(settle.map(|settle| Settle::Time(settle.as_nanos() as u64)))
}

/// `100` answers, or `30s` of age.
fn lifetime(text: Option<&str>) -> Result<Lifetime> {
    let Some(text) = text else {
        return Ok(Lifetime::default());
    };
    let none = Lifetime::default();
    if let Ok(answers) = text.parse::<u32>() {
        return match answers {
            0 => bail!(
                "--connection-lifetime 0 lets no request through; --new-connections opens one for each"
            ),
            answers => Ok(Lifetime { answers, ..none }),
        };
    }
    match time("--connection-lifetime", Some(text))? {
        Some(age) if !age.is_zero() => Ok(Lifetime {
            age_ns: age.as_nanos() as u64,
            ..none
        }),
        _ => bail!(
            "--connection-lifetime {text}: give a number of answers, such as 100, or a time, such as 30s"
        ),
    }
}

/// The service, or the stand-in and how it behaves.
fn target(args: &RunArgs, of_url: Option<Target>, connecting: &Connecting) -> Result<JobTarget> {
    if args.stand_in.mock_tls && !args.mock {
        bail!("--tls is for the stand-in (--mock); a service's URL says https:// itself");
    }
    let target = match (&args.host, of_url) {
        (_, Some(target)) => target,
        (Some(host), None) => Target::parse(host, "--host")?,
        (None, None) if args.mock => {
            let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into();
            let listen = connecting.unix_address()?.unwrap_or(any);
            let config = stand_in::config(&args.stand_in, listen)?;
            return Ok(JobTarget::StandIn(Box::new(config)));
        }
        // A service on a Unix socket rarely cares about its host's name.
        (None, None) if args.sockets.unix_socket.is_some() => Target::parse("localhost", "--host")?,
        (None, None) => bail!(
            "no target: give --host http://localhost:8000, or --mock to try it against the embedded stand-in"
        ),
    };
    Ok(JobTarget::Service(target))
}

/// Where the results go. Each place is tried now: a run must not end with nowhere to write.
fn outputs(args: &RunArgs, scenario: &str, is_search: bool) -> Result<Outputs> {
    let singles = [
        (&args.json, "--json"),
        (&args.html, "--html"),
        (&args.hdr, "--hdr"),
        (&args.ci.summary_markdown, "--summary-markdown"),
        (&args.ci.junit, "--junit"),
    ];
    results::check_places(&singles, args.csv.as_deref(), is_search)?;
    Ok(Outputs {
        json: args.json.clone(),
        html: args.html.clone(),
        csv: args.csv.clone(),
        csv_full_history: args.csv_full_history,
        hdr: args.hdr.clone(),
        ci: ci::of_run(&args.ci, scenario, is_search)?,
        is_full: args.report == ReportForm::Full,
        live: match args.live {
            _ if args.headless || args.quiet => Live::Nothing,
            None => Live::Auto,
            Some(LiveForm::Screen) => Live::Screen,
            Some(LiveForm::Line) => Live::Line,
            Some(LiveForm::None) => Live::Nothing,
        },
        web: web::read(&args.web)?,
        quiet: args.quiet,
    })
}

/// A batch of requests leaves in one piece, whose buffers are made before the run.
fn check_batch(scenario: &Scenario, depth: usize) -> Result<()> {
    let request_bytes = scenario.rendered_bytes_max();
    if depth > 1 && depth * request_bytes > BATCH_BYTES_MAX {
        bail!(
            "--pipeline {depth}: {depth} requests of up to {} bytes are more than the {} bytes that are sent in one piece; {}",
            grouped(request_bytes as u64),
            grouped(BATCH_BYTES_MAX as u64),
            match BATCH_BYTES_MAX / request_bytes {
                0 | 1 => "leave --pipeline out".into(),
                fewer => format!("give --pipeline {fewer}"),
            }
        );
    }
    Ok(())
}

/// The name of the key's variable as a message may repeat it: what is not written like one may be the key itself.
pub fn shown_variable(name: &str) -> &str {
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    match name.chars().all(is_name) {
        true => name,
        false => "named by --api-key-env",
    }
}
