//! The flags of a run, understood and checked; what they leave open is the scenario's to decide.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::analysis::criteria::{Purpose, Rule};
use crate::engine::plan::{Connections, PIPELINE_MAX};
use crate::load::Load;
use crate::load::closed::{Closed, Point};
use crate::load::open::{Arrivals, Open, RatePoint};
use crate::mock::Mock;
use crate::scenario::format::compile::{
    Context as Compile, RATE_MAX, compile, parse_rate_stage, parse_stage,
};
use crate::scenario::model::Scenario;
use crate::scenario::wait::Wait;
use crate::text::duration;
use crate::text::units::grouped;

use super::args::{ArrivalsChoice, RunArgs};
use super::mock;
use crate::session::cores::Cores;
use crate::session::exit::cannot;
use crate::session::prepare::connections_allowed;
use crate::session::rules;
use crate::session::sockets::Connecting;
use crate::session::source::{Source, parse_header};
use crate::session::target::Target;

const USERS_MAX: u64 = 100_000_000;
const SHARDS_MAX: usize = 1_024;
const SECOND: Duration = Duration::from_secs(1);
/// What a request is taken to last when it is not known yet how many users a rate needs.
const REQUEST_NS: u64 = 100_000_000;
const READY_MIN: u64 = 10;
const READY_MAX: u64 = 100_000;
/// Users that may come in all, for each that is got ready, when the server turns out to be slower.
const USERS_PER_READY: u64 = 10;

/// A load, and how long it lasts.
pub(crate) struct TimedLoad {
    pub load: Load,
    /// Until when, counted from the start, or from the first arrival.
    pub run_time_ns: Option<u64>,
}

/// The flags, understood.
pub(crate) struct Wishes<'a> {
    pub source: Source,
    pub target: Option<Target>,
    pub connecting: Connecting,
    pub headers: Vec<(String, String)>,
    pub api_key: Option<String>,
    pub api_key_env: &'a str,
    pub users: Option<u64>,
    pub spawn_rate: Option<f64>,
    pub run_time: Option<Duration>,
    pub iterations: Option<u64>,
    pub stages: Vec<Point>,
    /// An open load was asked for.
    pub is_open: bool,
    /// Iterations per second, when a number was given.
    pub rate: Option<f64>,
    pub rate_stages: Vec<RatePoint>,
    pub arrivals: Arrivals,
    pub spins: bool,
    pub stop_when: &'a [String],
    pub fail_if: &'a [String],
    pub require: &'a [String],
    pub window: Duration,
    pub settle: Option<Duration>,
    pub wait: Option<Wait>,
    pub pause: Option<Wait>,
    pub timeout: Duration,
    pub drain: Option<Duration>,
    pub seed: u64,
    /// Shared by the users, when a number was given.
    connections: Option<usize>,
    /// Requests on a connection at once.
    pub pipeline: usize,
    pub shards: Option<usize>,
}

impl<'a> Wishes<'a> {
    pub fn from_args(args: &'a RunArgs) -> Result<Self> {
        let (source, of_url) = Source::from_args(args)?;
        let target = match (&args.host, of_url, args.mock) {
            (_, Some(target), _) => Some(target),
            (Some(host), None, _) => Some(Target::parse(host, "--host")?),
            (None, None, true) => None,
            // What listens on a Unix socket rarely minds how it is called.
            (None, None, false) if args.sockets.unix_socket.is_some() => {
                Some(Target::parse("localhost", "--host")?)
            }
            (None, None, false) => bail!(
                "no target: give --host http://localhost:8000, or --mock to try it against the embedded stand-in"
            ),
        };
        let mut headers = Vec::new();
        for header in &args.headers {
            headers.push(parse_header(header)?);
        }
        let run_time = time("--run-time", args.run_time.as_deref())?;
        if run_time == Some(Duration::ZERO) {
            bail!("--run-time 0 measures nothing; give for example 30s");
        }
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
        Ok(Self {
            source,
            target,
            connecting: Connecting::from_args(&args.sockets)?,
            headers,
            api_key: std::env::var(&args.api_key_env)
                .ok()
                .filter(|key| !key.is_empty()),
            api_key_env: shown_variable(&args.api_key_env),
            users: number("--users", args.users.as_deref(), 1, USERS_MAX)?,
            spawn_rate: per_second("--spawn-rate", args.spawn_rate.as_deref(), "users")?,
            run_time,
            iterations: number("--iterations", args.iterations.as_deref(), 1, u64::MAX)?,
            wait: wait.context("--wait")?,
            pause,
            stages,
            is_open,
            rate,
            rate_stages,
            arrivals: match args.arrivals {
                ArrivalsChoice::Constant => Arrivals::Constant,
                ArrivalsChoice::Poisson => Arrivals::Poisson,
            },
            spins: is_open && !args.no_spin,
            stop_when: &args.stop_when,
            fail_if: &args.fail_if,
            require: &args.require,
            window,
            settle: time("--settle", args.settle.as_deref())?,
            timeout,
            drain: time("--drain", args.drain.as_deref())?,
            seed: args
                .seed
                .unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 >> 32),
            connections,
            pipeline,
            shards: number("--shards", args.shards.as_deref(), 1, SHARDS_MAX as u64)?
                .map(|shards| shards as usize),
        })
    }

    /// The scenario, compiled.
    pub fn compile(&self) -> Result<Scenario> {
        let context = Compile {
            api_key: self.api_key.clone(),
            api_key_env: self.api_key_env,
            env: &|name| std::env::var(name).ok(),
            read: &|name| self.source.read(name),
            headers: &self.headers,
            wait: self.wait,
            pause: self.pause,
            any_method: false,
        };
        Ok(compile(&self.source.origin, &self.source.text, &context)?)
    }

    /// What is started when, and until when.
    pub fn load(&self, scenario: &Scenario) -> Result<TimedLoad> {
        let run_time_ns = self.run_time_ns(scenario)?;
        if !self.is_open {
            return Ok(TimedLoad {
                load: Load::Closed(self.closed(scenario)?),
                run_time_ns,
            });
        }
        let Some(rate) = self
            .rate
            .or(self.rate_stages.first().map(|first| first.rate))
        else {
            bail!("--rate needs a number: iterations per second, for example --rate 100");
        };
        let rate_max = self.rate_stages.iter().map(|stage| stage.rate);
        let rate_max = rate_max.fold(rate, f64::max);
        if rate_max == 0.0 {
            bail!("--stage: no stage has a rate; give for example --rate 100 --stage 500:5m");
        }
        let (ready, users_max) = self.open_users(scenario, rate_max)?;
        Ok(TimedLoad {
            load: Load::Open {
                ready: self.ready_users(ready),
                arrivals: Open::new(rate, &self.rate_stages, self.arrivals, ready, users_max),
            },
            run_time_ns,
        })
    }

    /// The users that an open load is begun with.
    pub fn ready_users(&self, ready: u64) -> Closed {
        Closed::at_rate(ready, self.spawn_rate.unwrap_or(ready as f64))
    }

    /// How many users are got ready for an open load, and how many there may be: those of `--users`, else what the rate
    /// needs when a request takes 0.1 s, and some more.
    pub fn open_users(&self, scenario: &Scenario, rate_max: f64) -> Result<(u64, u64)> {
        if scenario.tasks.is_empty() {
            bail!(
                "--rate: the scenario {} has no [[task]], so there is nothing to be begun",
                scenario.name
            );
        }
        if let Some(users) = self.users {
            return Ok((users, users));
        }
        let busy = rate_max * scenario.pass_ns(REQUEST_NS) as f64 / 1e9;
        let ready = (busy.ceil() as u64).clamp(READY_MIN, READY_MAX);
        let users_max = (ready * USERS_PER_READY).min(READY_MAX);
        let users_max = users_max.min(self.users_allowed(users_max)?);
        Ok((ready.min(users_max), users_max))
    }

    /// How so many users come by connections.
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
    pub fn users_allowed(&self, users: u64) -> Result<u64> {
        if self.connections.is_some() {
            return Ok(users);
        }
        let depth = self.pipeline as u64;
        let connections = connections_allowed(users.div_ceil(depth))?;
        let connections = connections.min(self.connecting.connections_max());
        Ok((depth * connections).min(users))
    }

    fn closed(&self, scenario: &Scenario) -> Result<Closed> {
        if !self.stages.is_empty() {
            return Ok(Closed::through(&self.stages));
        }
        let defaults = &scenario.load;
        let own = defaults.points();
        let load = match (self.users.or(defaults.users), self.spawn_rate, self.users) {
            (Some(users), Some(per_second), _) => Closed::at_rate(users, per_second),
            (_, None, None) if !own.is_empty() => Closed::through(&own),
            // All within the first second, evenly.
            (Some(users), None, _) => Closed::at_rate(users, users as f64),
            (None, _, _) => bail!(
                "--users is missing: the scenario {} names no number of users",
                scenario.name
            ),
        };
        Ok(load.with_iterations(self.iterations))
    }

    /// When the run ends, counted from its start.
    fn run_time_ns(&self, scenario: &Scenario) -> Result<Option<u64>> {
        let sum_ns = |points: &[Point]| points.iter().map(|point| point.after_ns).sum::<u64>();
        let of_stages_ns = match self.is_open {
            false => sum_ns(&self.stages),
            true => self.rate_stages.iter().map(|stage| stage.after_ns).sum(),
        };
        let has_stages = !self.stages.is_empty() || !self.rate_stages.is_empty();
        Ok(match (self.run_time, self.iterations) {
            (Some(run_time), _) => Some(run_time.as_nanos() as u64),
            (None, _) if has_stages => match of_stages_ns {
                0 => bail!("--stage: the stages last 0 s in all; give another one, or --run-time"),
                of_stages_ns => Some(of_stages_ns),
            },
            (None, Some(_)) => None,
            (None, None) => match scenario.load.run_time_ns {
                None if !scenario.load.points().is_empty() && self.users.is_none() => {
                    Some(sum_ns(&scenario.load.points()))
                }
                own => own,
            },
        })
    }

    /// All rules: of each flag those given, else the scenario's own.
    pub fn rules(&self, scenario: &Scenario) -> Result<Vec<Rule>> {
        let mut rules = Vec::new();
        for (purpose, given) in [
            (Purpose::Stop, self.stop_when),
            (Purpose::Fail, self.fail_if),
            (Purpose::Require, self.require),
        ] {
            rules.extend(rules::parse(purpose, given, scenario)?);
        }
        Ok(rules)
    }

    /// Some flag gives a rule.
    pub fn has_rules(&self) -> bool {
        let flags = [self.stop_when, self.fail_if, self.require];
        flags.iter().any(|given| !given.is_empty())
    }

    /// Starts the stand-in, when it is wanted.
    pub fn start_stand_in(&self, args: &RunArgs, cores: &Cores) -> Result<Option<Mock>> {
        if !args.mock {
            return Ok(None);
        }
        let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into();
        let listen = self.connecting.unix_address()?.unwrap_or(any);
        let mut config = mock::config(&args.stand_in, listen)?;
        config.cores.clone_from(&cores.stand_in);
        cannot(Mock::start(&config).context("the stand-in cannot be started")).map(Some)
    }
}

/// The name of the key's variable as a message may repeat it: what is not written like one may be the key itself.
pub(crate) fn shown_variable(name: &str) -> &str {
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    match name.chars().all(is_name) {
        true => name,
        false => "named by --api-key-env",
    }
}

pub(crate) fn time(flag: &'static str, text: Option<&str>) -> Result<Option<Duration>> {
    text.map(duration::parse).transpose().context(flag)
}

fn number(flag: &str, text: Option<&str>, min: u64, max: u64) -> Result<Option<u64>> {
    let Some(text) = text else {
        return Ok(None);
    };
    match u64::from_str(text) {
        Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
        _ => Err(anyhow!(
            "{flag} {text}: give a whole number from {min} to {}",
            grouped(max)
        )),
    }
}

/// How many of `what` per second.
pub(crate) fn per_second(flag: &str, text: Option<&str>, what: &str) -> Result<Option<f64>> {
    let Some(text) = text else {
        return Ok(None);
    };
    match f64::from_str(text) {
        Ok(rate) if (1e-6..=RATE_MAX).contains(&rate) => Ok(Some(rate)),
        _ => Err(anyhow!(
            "{flag} {text}: give {what} per second, above 0 and at most 1e9, for example 10"
        )),
    }
}
