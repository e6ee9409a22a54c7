//! `opsurge worker`: its flags checked before the master is told of it, and the job of each test.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::cli::args::{LiveForm, RunArgs, WorkerArgs};
use crate::load::Load;
use crate::load::closed::Closed;
use crate::machine;
use crate::session::cores::cores_within;
use crate::session::job::Job;
use crate::session::limits::connections_allowed;
use crate::worker::message::Settings;
use crate::worker::protocol::Classes;

use super::run;
use super::values::number;

const SECOND_NS: u64 = 1_000_000_000;
const USERS_MAX: u64 = 10_000_000;
/// Room for users, where neither -u nor the master asks for more.
const ROOM_MIN: u64 = 1_000;
/// A load ends this long after the run time of its test, whatever the master says.
const OVERTIME_NS: u64 = 30 * SECOND_NS;
/// A host that is never contacted: it stands for the one that the master will name.
const HOST: &str = "http://localhost";

/// What the command line says.
pub struct Options {
    /// Where the master listens.
    pub address: String,
    pub classes: Classes,
    /// One for each scenario.
    pub lanes: Vec<LaneOptions>,
    pub is_quiet: bool,
}

/// A scenario, and how it is run.
#[derive(Clone)]
pub struct LaneOptions {
    pub args: RunArgs,
    /// Part of the names of its files, when there are several lanes.
    pub label: Option<String>,
}

/// Reads the command line, and makes each scenario's job once to find what is wrong with it.
///
/// # Errors
/// What is wrong, or what only the master decides, with the cure.
pub fn options(args: &WorkerArgs) -> Result<Options> {
    let host = args.master_host.trim();
    if host.is_empty() || host.contains(['/', ' ', '@']) {
        bail!(
            "--master-host: give a name or an address, for example --master-host 10.0.0.5, and the port as --master-port"
        );
    }
    let host = match host.contains(':') && !host.starts_with('[') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    };
    refuse_what_the_master_decides(&args.run)?;
    let (classes, lanes) = lanes(args)?;
    for lane in &lanes {
        job(lane, "1", 1, &Settings::default(), Some(HOST))?;
    }
    let port = number("--master-port", Some(&args.master_port), 1, 65_535)?.unwrap_or_default();
    Ok(Options {
        address: format!("tcp://{host}:{port}"),
        classes,
        lanes,
        is_quiet: args.run.quiet,
    })
}

fn lanes(args: &WorkerArgs) -> Result<(Classes, Vec<LaneOptions>)> {
    let lane = |scenario: Option<&str>, label: Option<&str>| {
        let mut run = args.run.clone();
        if let Some(scenario) = scenario {
            run.scenario = Some(scenario.to_owned());
        }
        LaneOptions {
            args: run,
            label: label.map(file_name),
        }
    };
    if args.classes.is_empty() {
        return Ok((Classes::All, vec![lane(None, None)]));
    }
    let mut named: Vec<(String, usize)> = Vec::new();
    let mut scenarios: Vec<(&str, &str)> = Vec::new();
    for text in &args.classes {
        let (class, scenario) = text.split_once('=').unwrap_or_default();
        let (class, scenario) = (class.trim(), scenario.trim());
        if class.is_empty() || scenario.is_empty() {
            bail!(
                "--class {text}: give a class of the master's file and a scenario, for example --class Agent=workflow"
            );
        }
        if named.iter().any(|(known, _)| known == class) {
            bail!("--class {class} is given twice; a class has one scenario");
        }
        let known = scenarios.iter().position(|(_, known)| *known == scenario);
        let index = known.unwrap_or_else(|| {
            scenarios.push((class, scenario));
            scenarios.len() - 1
        });
        named.push((class.to_owned(), index));
    }
    let is_alone = scenarios.len() == 1;
    let lanes = scenarios.iter();
    let lanes = lanes.map(|(class, scenario)| lane(Some(scenario), (!is_alone).then_some(class)));
    Ok((Classes::Named(named), lanes.collect()))
}

fn refuse_what_the_master_decides(args: &RunArgs) -> Result<()> {
    let given = [
        ("--rate", args.rate.is_some()),
        ("--spawn-rate", args.spawn_rate.is_some()),
        ("--stage", !args.stages.is_empty()),
        ("--run-time", args.run_time.is_some()),
        ("--iterations", args.iterations.is_some()),
        ("--start-at", args.start_at.is_some()),
    ];
    if let Some((flag, _)) = given.iter().find(|(_, is_given)| *is_given) {
        bail!(
            "{flag}: the Locust master decides the load; leave it out, and give it to the master"
        );
    }
    let alone = [
        ("--part", args.part.is_some()),
        ("--repeat", args.repeat.is_some()),
        ("--until", !args.until.is_empty()),
        ("--live screen", args.live == Some(LiveForm::Screen)),
        ("--web", args.web.web.is_some()),
    ];
    if let Some((flag, _)) = alone.iter().find(|(_, is_given)| *is_given) {
        bail!(
            "{flag} does not go with opsurge worker, whose tests the Locust master begins and ends; leave it out"
        );
    }
    Ok(())
}

/// The job of a test: `users` come within the first second, and orders change their number. `number`: part of the names
/// of its files. `host`: instead of the flags' and the master's.
///
/// # Errors
/// What is wrong with the flags, the scenario or the host, and the cure.
pub fn job(
    lane: &LaneOptions,
    number: &str,
    users: u64,
    settings: &Settings,
    host: Option<&str>,
) -> Result<Job> {
    let mut args = lane.args.clone();
    if !args.mock {
        let own = args.host.take();
        let wanted = settings.host.clone().or(own);
        args.host = wanted.or(host.map(str::to_owned));
    }
    if args.host.is_none() && !args.mock && args.get.is_none() && args.url.is_none() {
        bail!(
            "no target: the master names no host; give it one (--host, or the field of its page), or start the worker with --host"
        );
    }
    let room = room(&args, users, settings)?;
    args.users = Some(room.to_string());
    args.live = args
        .live
        .or(Some(LiveForm::Line))
        .filter(|_| !args.headless);
    let label = match &lane.label {
        None => number.to_owned(),
        Some(label) => format!("{number}-{label}"),
    };
    number_files(&mut args, &label);
    let mut job = run::job(&args)?;
    let traffic = &mut job.traffic;
    let closed = Closed::at_rate(users, users as f64).replaceable(room);
    // An order from the start: without one, a load that has lost its last user would be over.
    closed.replace_rest(1, SECOND_NS, users);
    traffic.load.load = Load::Closed(closed);
    let run_time_ns = settings.run_time_s.map(|s| (s * 1e9) as u64);
    traffic.load.run_time_ns = run_time_ns.map(|ns| ns.saturating_add(OVERTIME_NS));
    traffic.load.given.users = Some(users);
    let stop_ns = (settings.stop_timeout_s * 1e9) as u64;
    // The master's stop timeout cuts requests off before the drain fails them.
    let drain_ns = stop_ns.saturating_add(SECOND_NS);
    traffic.limits.drain_ns = traffic.limits.drain_ns.or(Some(drain_ns));
    if traffic.limits.shards.is_none() && !args.mock {
        // By the room, not by the users of the ramp's first step.
        let allowed = machine::cpu::allowed_cores().map_or(1, |cores| cores.len());
        let cores = cores_within(machine::cpu_quota_cores(), allowed);
        traffic.limits.shards = Some(cores.min(room as usize));
    }
    Ok(job)
}

/// Most users that there is room for: memory and connections for them are reserved when a test begins.
fn room(args: &RunArgs, users: u64, settings: &Settings) -> Result<u64> {
    if let Some(room) = number("--users", args.users.as_deref(), 1, USERS_MAX)? {
        return Ok(room.max(users));
    }
    let of_test = settings.users_of_test.unwrap_or(0).min(USERS_MAX / 2);
    let wanted = (2 * of_test).max(ROOM_MIN).max(users);
    match args.connections.as_deref() {
        None | Some("per-user") => Ok(connections_allowed(wanted)?.min(wanted).max(users)),
        Some(_) => Ok(wanted),
    }
}

/// Puts the number of the test into the names of its files.
fn number_files(args: &mut RunArgs, label: &str) {
    let singles = [
        &mut args.json,
        &mut args.html,
        &mut args.hdr,
        &mut args.ci.summary_markdown,
        &mut args.ci.junit,
    ];
    for path in singles.into_iter().flatten() {
        *path = numbered(path, label);
    }
    if let Some(prefix) = &mut args.csv {
        let mut text = prefix.as_os_str().to_owned();
        text.push(format!("-{label}"));
        *prefix = PathBuf::from(text);
    }
}

/// `worker.json` -> `worker-1.json`. A device or a pipe keeps its name.
fn numbered(path: &Path, label: &str) -> PathBuf {
    let is_special = path == Path::new("-") || (path.exists() && !path.is_file());
    let Some(stem) = path.file_stem().filter(|_| !is_special) else {
        return path.to_owned();
    };
    let mut name = stem.to_owned();
    name.push(format!("-{label}"));
    if let Some(end) = path.extension() {
        name.push(".");
        name.push(end);
    }
    path.with_file_name(name)
}

/// A class as part of a file's name.
fn file_name(class: &str) -> String {
    let is_fine = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    class
        .chars()
        .map(|c| if is_fine(c) { c } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::{Cli, Command};
    use crate::session::job::JobLoad;

    fn read(words: &[&str]) -> Result<Options> {
        let words = ["opsurge", "worker"].iter().chain(words);
        match Cli::try_parse_from(words)?.command {
            Command::Worker(args) => options(&args),
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn a_test_begins_with_an_order_and_has_room_for_twice_its_users() {
        let all = read(&["minimal", "--shards", "3"]).expect("fine");
        assert_eq!(all.address, "tcp://127.0.0.1:5557");
        let settings = Settings {
            host: Some("http://127.0.0.1:1".into()),
            stop_timeout_s: 2.0,
            users_of_test: Some(700),
            run_time_s: Some(60.0),
        };
        let job = job(&all.lanes[0], "1", 1, &settings, None).expect("fine");
        let JobLoad {
            load, run_time_ns, ..
        } = &job.traffic.load;
        assert!(load.users().has_orders());
        assert_eq!((load.users_planned(), load.users_max()), (1, 1_400));
        // More shards than the first step of a ramp has users.
        assert_eq!(job.traffic.limits.shards, Some(3));
        assert_eq!(*run_time_ns, Some(90 * SECOND_NS));
        assert_eq!(job.traffic.limits.drain_ns, Some(3 * SECOND_NS));
        let error = self::job(&all.lanes[0], "1", 1, &Settings::default(), None);
        let error = error.err().expect("no host").to_string();
        assert!(error.contains("the master names no host"), "{error}");
    }

    #[test]
    fn classes_of_one_scenario_share_a_lane() {
        let words = [
            "--class",
            "A=minimal",
            "--class",
            "B=mixed",
            "--class",
            "C=minimal",
        ];
        let options = read(&words).expect("fine");
        let Classes::Named(named) = &options.classes else {
            unreachable!("classes are named");
        };
        let lanes: Vec<usize> = named.iter().map(|(_, lane)| *lane).collect();
        assert_eq!((lanes, options.lanes.len()), (vec![0, 1, 0], 2));
        assert_eq!(options.lanes[1].label.as_deref(), Some("B"));
    }

    #[test]
    fn what_the_master_decides_and_what_names_nothing_is_refused() {
        for (words, expected) in [
            (&["--rate", "5"][..], "--rate: the Locust master decides"),
            (&["-t", "5s"], "--run-time: the Locust master decides"),
            (
                &["--repeat", "2"],
                "--repeat does not go with opsurge worker",
            ),
            (&["--web", "8089"], "--web does not go with opsurge worker"),
            (&["--class", "A"], "--class A: give a class"),
            (
                &["--class", "A=mixed", "--class", "A=mixed"],
                "--class A is given twice",
            ),
            (&["--class", "A=nothing"], "no scenario \"nothing\""),
            (&["--master-host", "http://x"], "--master-host: give a name"),
            (
                &["--master-port", "0"],
                "--master-port 0: give a whole number from 1",
            ),
            (&["--fail-if", "p95"], "p95"),
        ] {
            let error = read(words).err().expect(expected).to_string();
            assert!(error.contains(expected), "{words:?}: {error}");
        }
    }

    #[test]
    fn the_number_of_a_test_stands_before_the_end_of_a_name() {
        for (name, expected) in [
            ("worker.json", "worker-1.json"),
            ("out/worker", "out/worker-1"),
            ("-", "-"),
            ("/dev/null", "/dev/null"),
        ] {
            assert_eq!(numbered(Path::new(name), "1"), PathBuf::from(expected));
        }
        assert_eq!(file_name("A/b é-1"), "A_b_é-1");
    }
}
