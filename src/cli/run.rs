//! `opsurge run`: flags -> plan -> run -> record -> reports and exit code.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::analysis::verdict::{Evidence, Status, judge, judge_second};
use crate::engine::{self, Control, Order, Run, Second, Setup};
use crate::io::{Backend, DriverConfig, cpu, probe};
use crate::metrics::latencies::Latencies;
use crate::metrics::outcome::Failure;
use crate::plan::{Connections, Plan, duration};
use crate::report::build::{self, times};
use crate::report::console::{Style, render};
use crate::report::record::{
    Generator, LoadInfo, MachineInfo, Record, RunInfo, ShardRecord, StageRecord, VerdictRecord,
};
use crate::report::units::grouped;
use crate::report::{csv, files, live};
use crate::watch::{Machine, Ticks};

use super::args::RunArgs;
use super::cores::share_out;
use super::signals::{Announce, Signals};
use super::target::Target;
use super::wishes::Wishes;
use super::{Exit, cannot, note};

/// Descriptors beside the connections: rings, files, standard streams.
const OTHER_DESCRIPTORS: u64 = 64;
/// Width of the live line.
const LIVE_WIDTH: usize = 100;

/// Carries out the command.
pub fn run(args: &RunArgs) -> Result<Exit> {
    let wishes = Wishes::from_args(args)?;
    // Once for its errors, before anything is started; again when the target's address is known.
    let somewhere = wishes
        .target
        .clone()
        .unwrap_or(Target::parse("localhost", "--host")?);
    let scenario = wishes.compile(&somewhere)?;
    let load = wishes.load(&scenario)?;
    if let Some(path) = &args.json {
        files::check_writable(path, "--json")?;
    }
    for path in args.csv.iter().flat_map(|prefix| csv::paths(prefix)) {
        files::check_writable(&path, "--csv")?;
    }

    let allowed = cannot(cpu::allowed_cores().context("the allowed cores are not known"))?;
    let users = usize::try_from(load.users_at_once()).unwrap_or(usize::MAX);
    let cores = share_out(&allowed, wishes.shards, args.mock, users);
    let stand_in = wishes.start_stand_in(args, &cores)?;
    let target = match &stand_in {
        Some(stand_in) => Target::parse(&stand_in.address().to_string(), "--mock")?,
        None => somewhere,
    };
    let addresses = cannot(target.reach())?;
    let plan = Plan {
        scenario: wishes.compile(&target)?,
        run_time_ns: wishes.run_time_ns(&scenario)?,
        load,
        open: None,
        spins: false,
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
        Order::Run if ran.all_finished && plan.load.iterations.is_some() => "iterations",
        Order::Run => "time",
        Order::Drain | Order::StopNow => "signal",
    };
    let generator = generator(&ran, steal_share, cores.shared);
    let info = run_info(
        &plan,
        &wishes,
        &target,
        backend,
        &ran,
        ended_by,
        allowed.len(),
    );
    let mut record = build::record(
        info,
        &plan.scenario.metrics,
        &plan.scenario.spans,
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
        grouped(plan.load.users_at_once()),
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
    wishes: &Wishes<'_>,
    target: &Target,
    backend: Backend,
    ran: &Run,
    ended_by: &str,
    cores: usize,
) -> RunInfo {
    let machine = Machine::read();
    let s = |ns: u64| ns as f64 / 1e9;
    let stages = match (&wishes.stages[..], wishes.users, wishes.spawn_rate) {
        ([], None, None) => plan.scenario.load.points(),
        (given, _, _) => given.to_vec(),
    };
    RunInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        scenario: plan.scenario.name.clone(),
        host: target.url.clone(),
        addresses: plan.addresses.iter().map(ToString::to_string).collect(),
        users: plan.load.users,
        spawn_rate: wishes.spawn_rate,
        run_time_s: plan.run_time_ns.map(s),
        load: LoadInfo {
            model: "closed".into(),
            stages: stages
                .iter()
                .map(|point| StageRecord {
                    users: point.users,
                    after_s: s(point.after_ns),
                })
                .collect(),
            wait: plan.scenario.wait.to_string(),
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
