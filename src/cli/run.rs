//! `opsurge run`: flags -> plan -> run -> record -> reports and exit code.

use std::io::{IsTerminal, Write};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::analysis::verdict::{Evidence, Status, judge, judge_second};
use crate::engine::{self, Control, Order, Run, Second, Setup};
use crate::io::{Backend, DriverConfig, cpu, probe};
use crate::metrics::latencies::Latencies;
use crate::metrics::outcome::Failure;
use crate::mock::Mock;
use crate::plan::compile::{Context as Compile, compile};
use crate::plan::load::{Closed, Ramp};
use crate::plan::scenario::Scenario;
use crate::plan::{Connections, Plan, duration};
use crate::report::build::{self, times};
use crate::report::console::{Style, render};
use crate::report::record::{
    Generator, LoadInfo, MachineInfo, Record, RunInfo, ShardRecord, VerdictRecord,
};
use crate::report::units::grouped;
use crate::report::{csv, files, live};
use crate::watch::{Machine, Ticks};

use super::args::RunArgs;
use super::cores::{Cores, share_out};
use super::request::parse_header;
use super::signals::{Announce, Signals};
use super::target::Target;
use super::{Exit, cannot, mock, note, scenarios};

const USERS_MAX: u64 = 100_000_000;
const SHARDS_MAX: usize = 1_024;
/// Descriptors beside the connections: rings, files, standard streams.
const OTHER_DESCRIPTORS: u64 = 64;
/// Width of the live line.
const LIVE_WIDTH: usize = 100;

/// Carries out the command.
pub fn run(args: &RunArgs) -> Result<Exit> {
    let wishes = Wishes::from_args(args)?;
    let source = scenarios::load(wishes.scenario)?;
    // Once for its errors, before anything is started; again when the target's address is known.
    let somewhere = wishes
        .target
        .clone()
        .unwrap_or(Target::parse("localhost", "--host")?);
    let scenario = wishes.compile(&source, &somewhere)?;
    let load = wishes.load(&scenario)?;
    if let Some(path) = &args.json {
        files::check_writable(path, "--json")?;
    }
    for path in args.csv.iter().flat_map(|prefix| csv::paths(prefix)) {
        files::check_writable(&path, "--csv")?;
    }

    let allowed = cannot(cpu::allowed_cores().context("the allowed cores are not known"))?;
    let users = usize::try_from(load.users_spawned()).unwrap_or(usize::MAX);
    let cores = share_out(&allowed, wishes.shards, args.mock, users);
    let stand_in = wishes.start_stand_in(args, &cores)?;
    let target = match &stand_in {
        Some(stand_in) => Target::parse(&stand_in.address().to_string(), "--mock")?,
        None => somewhere,
    };
    let addresses = cannot(target.reach())?;
    let plan = Plan {
        scenario: wishes.compile(&source, &target)?,
        run_time_ns: wishes.run_time_ns(&scenario),
        load,
        timeout_ns: wishes.timeout.as_nanos() as u64,
        seed: wishes.seed,
        connections: wishes.connections,
        shards: cores.shards.len(),
        addresses,
    };
    cannot(check_descriptors(&plan))?;
    let backend = cannot(choose_backend(args.io.into(), &plan, args.quiet))?;

    let control = Arc::new(Control::default());
    let signals = cannot(
        Signals::listen(control.clone(), Announce::Orders)
            .context("signals cannot be listened for"),
    )?;
    announce(args, &wishes, &plan, &target);
    let setup = Setup {
        backend,
        cores: cores.shards.iter().copied().map(Some).collect(),
    };
    let ticks = Ticks::read();
    let mut progress = Progress::new(args);
    let ran = engine::run(&plan, &setup, &control, &mut |second| progress.show(second));
    progress.end();
    let ran = cannot(ran)?;
    let steal_share = ticks
        .zip(Ticks::read())
        .map(|(before, after)| after.steal_share_since(before));
    let ended_by = match control.order() {
        Order::Run if ran.all_finished => "iterations",
        Order::Run => "time",
        Order::Drain | Order::StopNow => "signal",
    };
    let generator = generator(&ran, steal_share, cores.shared);
    let info = run_info(&plan, &target, backend, &ran, ended_by, allowed.len());
    let mut record = build::record(
        info,
        &plan.scenario.metrics,
        &ran.summary,
        ran.duration_ns,
        generator,
    );
    if let Some(stand_in) = stand_in {
        record = build::with_stand_in(record, &stand_in.stop().answers);
    }
    let interrupted = signals.interrupted();
    drop(signals);
    report(args, &record)?;
    Ok(match record.totals.failures {
        _ if interrupted => Exit::INTERRUPTED,
        0 => Exit::OK,
        _ if args.exit_code_on_error == 1 => Exit::FAILED,
        _ => Exit(args.exit_code_on_error),
    })
}

/// The flags, understood; what they leave open is the scenario's to decide.
struct Wishes<'a> {
    scenario: &'a str,
    target: Option<Target>,
    headers: Vec<(String, String)>,
    api_key: Option<String>,
    api_key_env: &'a str,
    users: Option<u64>,
    spawn_rate: Option<f64>,
    run_time: Option<Duration>,
    iterations: Option<u64>,
    wait: Option<(Duration, Duration)>,
    pause: Option<Duration>,
    timeout: Duration,
    seed: u64,
    connections: Connections,
    shards: Option<usize>,
}

impl<'a> Wishes<'a> {
    fn from_args(args: &'a RunArgs) -> Result<Self> {
        let target = match (&args.host, args.mock) {
            (Some(host), _) => Some(Target::parse(host, "--host")?),
            (None, true) => None,
            (None, false) => bail!(
                "no target: give --host http://localhost:8000, or --mock to try it against the embedded stand-in"
            ),
        };
        let mut headers = Vec::new();
        for header in &args.headers {
            let (name, value) = parse_header(header)?;
            let value = value.to_str().context("--header: the value is not ASCII")?;
            headers.push((name.to_string(), value.to_owned()));
        }
        let run_time = time("--run-time", args.run_time.as_deref())?;
        if run_time == Some(Duration::ZERO) {
            bail!("--run-time 0 measures nothing; give for example 30s");
        }
        let timeout = time("--timeout", Some(&args.timeout))?.unwrap_or_default();
        if timeout.is_zero() {
            bail!("--timeout 0 lets no request finish; give for example 30s");
        }
        let wait = args.wait.as_deref().map(duration::parse_range).transpose();
        let connections = match args.connections.as_str() {
            "per-user" => Connections::PerUser,
            text => {
                let count = number("--connections", Some(text), 1, 10_000_000)?;
                Connections::Shared(count.unwrap_or(1) as usize)
            }
        };
        Ok(Self {
            scenario: args
                .scenario
                .as_deref()
                .or(args.scenario_flag.as_deref())
                .unwrap_or("workflow"),
            target,
            headers,
            api_key: std::env::var(&args.api_key_env)
                .ok()
                .filter(|key| !key.is_empty()),
            api_key_env: &args.api_key_env,
            users: number("--users", args.users.as_deref(), 1, USERS_MAX)?,
            spawn_rate: rate("--spawn-rate", args.spawn_rate.as_deref())?,
            run_time,
            iterations: number("--iterations", args.iterations.as_deref(), 1, u64::MAX)?,
            wait: wait.context("--wait")?,
            pause: time("--pause", args.pause.as_deref())?,
            timeout,
            seed: args
                .seed
                .unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 >> 32),
            connections,
            shards: number("--shards", args.shards.as_deref(), 1, SHARDS_MAX as u64)?
                .map(|shards| shards as usize),
        })
    }

    fn compile(&self, (origin, text): &(String, String), target: &Target) -> Result<Scenario> {
        let base_path = target.path.trim_end_matches('/');
        if base_path.contains('?') {
            bail!(
                "--host {}: a host has no query; it belongs to the steps of the scenario",
                target.url
            );
        }
        let context = Compile {
            authority: &target.authority,
            base_path,
            api_key: self.api_key.clone(),
            api_key_env: self.api_key_env,
            env: &|name| std::env::var(name).ok(),
            headers: &self.headers,
            wait: self.wait,
            pause: self.pause,
        };
        Ok(compile(origin, text, &context)?)
    }

    fn load(&self, scenario: &Scenario) -> Result<Closed> {
        let defaults = &scenario.load;
        let Some(users) = self.users.or(defaults.users) else {
            bail!(
                "--users is missing: the scenario {} names no number of users",
                scenario.name
            );
        };
        let ramp = match (self.spawn_rate, self.users) {
            (Some(per_second), _) => Ramp::Rate(per_second),
            (None, None) if defaults.ramp_ns > 0 => Ramp::Linear {
                from: defaults.users_from.min(users),
                over_ns: defaults.ramp_ns,
            },
            // All within the first second, evenly.
            (None, _) => Ramp::Rate(users as f64),
        };
        Ok(Closed {
            users,
            ramp,
            iterations: self.iterations,
        })
    }

    fn run_time_ns(&self, scenario: &Scenario) -> Option<u64> {
        match (self.run_time, self.iterations) {
            (Some(run_time), _) => Some(run_time.as_nanos() as u64),
            (None, Some(_)) => None,
            (None, None) => scenario.load.run_time_ns,
        }
    }

    fn start_stand_in(&self, args: &RunArgs, cores: &Cores) -> Result<Option<Mock>> {
        if !args.mock {
            return Ok(None);
        }
        let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = mock::config(&args.stand_in, any)?;
        config.cores.clone_from(&cores.stand_in);
        cannot(Mock::start(&config).context("the stand-in cannot be started")).map(Some)
    }
}

fn time(flag: &'static str, text: Option<&str>) -> Result<Option<Duration>> {
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

fn rate(flag: &str, text: Option<&str>) -> Result<Option<f64>> {
    let Some(text) = text else {
        return Ok(None);
    };
    match f64::from_str(text) {
        Ok(rate) if (1e-6..=1e9).contains(&rate) => Ok(Some(rate)),
        _ => Err(anyhow!(
            "{flag} {text}: give users per second, above 0 and at most 1e9, for example 10"
        )),
    }
}

/// Raises the descriptor limit to what the plan needs.
fn check_descriptors(plan: &Plan) -> Result<()> {
    let slots: usize = (0..plan.shards)
        .map(|shard| plan.slots_of_shard(shard))
        .sum();
    // Each connection has two ends in this process when the stand-in runs in it; a few more do no harm.
    let needed = 2 * slots as u64 + OTHER_DESCRIPTORS;
    let limit = cpu::raise_descriptor_limit(needed).context("the descriptor limit is not known")?;
    if limit < slots as u64 + OTHER_DESCRIPTORS {
        bail!(
            "{} connections need {} open descriptors, and {limit} are allowed; raise the limit (ulimit -n {needed}) or give --connections {}",
            grouped(slots as u64),
            slots as u64 + OTHER_DESCRIPTORS,
            limit.saturating_sub(OTHER_DESCRIPTORS)
        );
    }
    Ok(())
}

fn choose_backend(wanted: Backend, plan: &Plan, quiet: bool) -> Result<Backend> {
    let config = DriverConfig {
        addresses: plan.addresses.clone(),
        slots: plan.slots_of_shard(0),
        request_bytes_max: plan.scenario.request_bytes_max(),
    };
    let choice = probe::choose(wanted, &config).map_err(anyhow::Error::msg)?;
    if let Some(reason) = choice.note.filter(|_| !quiet) {
        note(format_args!("note: using epoll: {reason}"));
    }
    Ok(choice.backend)
}

/// What is about to be done, on what.
fn announce(args: &RunArgs, wishes: &Wishes<'_>, plan: &Plan, target: &Target) {
    if args.quiet {
        return;
    }
    let until = match (plan.run_time_ns, plan.load.iterations) {
        (Some(ns), None) => format!("for {}", duration::show(Duration::from_nanos(ns))),
        (Some(ns), Some(all)) => {
            let time = duration::show(Duration::from_nanos(ns));
            format!("for {} iterations or {time}", grouped(all))
        }
        (None, Some(all)) => format!("for {} iterations", grouped(all)),
        (None, None) => "until Ctrl-C".to_owned(),
    };
    note(format_args!(
        "running scenario {} with {} users on {}{} {until}, seed {}",
        plan.scenario.name,
        grouped(plan.load.users_spawned()),
        target.url,
        if args.mock {
            " (embedded stand-in)"
        } else {
            ""
        },
        plan.seed
    ));
    if plan.scenario.api_key_is_default && !args.mock {
        note(format_args!(
            "note: {} is not set; using the scenario's default key",
            wishes.api_key_env
        ));
    }
    let proxies = ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"];
    if !args.mock && proxies.iter().any(|name| std::env::var_os(name).is_some()) {
        note(format_args!(
            "note: proxy variables of the environment are ignored; requests go straight to the target"
        ));
    }
}

/// The live line on a terminal.
struct Progress {
    is_shown: bool,
    last_ns: u64,
    failures: u64,
}

impl Progress {
    fn new(args: &RunArgs) -> Self {
        Self {
            is_shown: !args.headless && !args.quiet && std::io::stderr().is_terminal(),
            last_ns: 0,
            failures: 0,
        }
    }

    fn show(&mut self, second: &Second<'_>) {
        self.failures += second.interval.all().failures;
        let length_ns = second.end_ns.saturating_sub(self.last_ns);
        self.last_ns = second.end_ns;
        if self.is_shown {
            let (end_s, length_s) = (second.end_ns as f64 / 1e9, length_ns as f64 / 1e9);
            let line = live::line(end_s, length_s, second.interval, self.failures, LIVE_WIDTH);
            self.redraw(&line);
        }
    }

    /// Replaces the line. Nobody may be looking any more; that ends nothing.
    fn redraw(&self, line: &str) {
        let mut stderr = std::io::stderr();
        let _ = write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush());
    }

    fn end(&self) {
        if self.is_shown {
            self.redraw("");
        }
    }
}

fn generator(ran: &Run, steal_share: Option<f64>, cores_shared: bool) -> Generator {
    let (mut client, mut response) = <(Latencies, Latencies)>::default();
    let (mut requests, mut client_limits) = (0, 0);
    for step in &ran.summary.counts.steps {
        client += &step.client;
        response += &step.response;
        requests += step.requests;
        let limits = step
            .errors
            .iter()
            .filter(|error| error.failure == Failure::ClientLimit);
        client_limits += limits.map(|error| error.count).sum::<u64>();
    }
    let turns = &ran.summary.counts.turns;
    let samples = ran.summary.series.samples();
    let too_busy = samples.iter().filter(|sample| {
        let busy = sample.working_ns as f64 / sample.length_ns.max(1) as f64;
        judge_second(busy) != Status::Valid
    });
    let verdict = judge(&Evidence {
        seconds: samples.len() as u64,
        seconds_too_busy: too_busy.count() as u64,
        shards_busy: ran.shards.iter().map(|shard| shard.busy).collect(),
        turn_p99_us: turns.percentile_us(99.0),
        client_p99_us: client.percentile_us(99.0),
        response_p99_us: response.percentile_us(99.0),
        overflows: ran.overflows,
        requests,
        waited_in_line: ran.waited_in_line,
        steal_share,
        cores_shared,
        client_limits,
        debug_build: cfg!(debug_assertions),
    });
    let cpu_s = |part: fn(&cpu::CpuTime) -> u64| {
        ran.shards.iter().map(|shard| part(&shard.cpu)).sum::<u64>() as f64 / 1e9
    };
    Generator {
        cpu_user_s: cpu_s(|cpu| cpu.user_ns),
        cpu_system_s: cpu_s(|cpu| cpu.system_ns),
        rss_max_bytes: cpu::resident_bytes_max(),
        turn_us: times(turns),
        connect_us: times(&ran.summary.counts.connects),
        shards: ran
            .shards
            .iter()
            .map(|shard| ShardRecord {
                core: shard.core,
                busy: shard.busy,
            })
            .collect(),
        verdict: VerdictRecord {
            status: verdict.status.name().into(),
            reasons: verdict.reasons,
        },
    }
}

fn run_info(
    plan: &Plan,
    target: &Target,
    backend: Backend,
    ran: &Run,
    ended_by: &str,
    cores: usize,
) -> RunInfo {
    let machine = Machine::read();
    let s = |ns: u64| ns as f64 / 1e9;
    let (spawn_rate, users_from, ramp_s) = match plan.load.ramp {
        Ramp::Rate(per_second) => (Some(per_second), 0, None),
        Ramp::Linear { from, over_ns } => (None, from, Some(s(over_ns))),
    };
    RunInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        scenario: plan.scenario.name.clone(),
        host: target.url.clone(),
        addresses: plan.addresses.iter().map(ToString::to_string).collect(),
        users: plan.load.users,
        spawn_rate,
        run_time_s: plan.run_time_ns.map(s),
        load: LoadInfo {
            model: "closed".into(),
            users_from,
            ramp_s,
            wait_s: [s(plan.scenario.wait.min_ns), s(plan.scenario.wait.max_ns)],
            iterations: plan.load.iterations,
        },
        seed: plan.seed,
        shards: plan.shards,
        backend: match backend {
            Backend::Epoll => "epoll",
            Backend::Auto | Backend::Uring => "io_uring",
        }
        .into(),
        connections: match plan.connections {
            Connections::PerUser => "per-user".into(),
            Connections::Shared(count) => count.to_string(),
        },
        timeout_s: s(plan.timeout_ns),
        started_at: humantime::format_rfc3339_millis(ran.started_at).to_string(),
        ended_by: ended_by.into(),
        machine: MachineInfo {
            cores,
            cpu: machine.cpu,
            kernel: machine.kernel,
        },
    }
}

/// Prints and writes everything; a file that cannot be written does not keep the others from being.
fn report(args: &RunArgs, record: &Record) -> Result<()> {
    let mut stdout = std::io::stdout();
    let style = Style {
        colour: stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        quiet: args.quiet,
    };
    let mut text = render(record, style);
    let json = args.json.as_ref().map(|path| {
        files::write(path, record.to_json().as_bytes())?;
        text += &format!("Record: {}\n", path.display());
        Ok(())
    });
    let tables = args.csv.as_ref().map(|prefix| {
        csv::write(record, prefix, args.csv_full_history)?;
        text += &format!(
            "CSV: {}_stats.csv and its three companions\n",
            prefix.display()
        );
        Ok(())
    });
    // Whoever reads may have gone (`| head`); the files are written all the same.
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    cannot(json.unwrap_or(Ok(())))?;
    cannot(tables.unwrap_or(Ok(())))
}
