//! The job of `opsurge calibrate`: the flags of `run`, without what a calibration has no use for.

use anyhow::{Result, bail};

use crate::cli::args::RunArgs;
use crate::load::Load;
use crate::load::closed::Closed;
use crate::session::calibrate::CalibrationJob;
use crate::session::job::{Job, Judging};
use crate::session::rules;
use crate::session::run_judge::RunJudge;
use crate::text::duration;

use super::options::Options;
use super::values::time;

/// Length of the run for the ceiling, when none is given.
const RUN_TIME: &str = "5s";
/// Longest run for the floor, in nanoseconds.
const FLOOR_NS_MAX: u64 = 1_000_000_000;
/// A host that is never contacted: the responder takes its place.
const HOST: &str = "http://localhost";

/// Reads the command line.
///
/// # Errors
/// What is wrong with it or with the scenario, or does not go with a calibration, and the cure.
pub fn job(args: &mut RunArgs) -> Result<CalibrationJob> {
    refuse_what_does_not_fit(args)?;
    let names_host = |url: &Option<String>| url.as_ref().is_some_and(|url| !url.starts_with('/'));
    if args.host.is_none() && !names_host(&args.get) && !names_host(&args.url) {
        args.host = Some(HOST.into());
    }
    args.mock = false;
    // Nothing but this process takes part.
    args.watch = vec!["none".into()];
    args.wait = Some("0".into());
    args.pause = Some("0".into());
    args.run_time.get_or_insert_with(|| RUN_TIME.into());
    let ceiling = read(args)?;
    let run_time = time("--run-time", args.run_time.as_deref())?.unwrap_or_default();
    let floor_time = run_time.min(std::time::Duration::from_nanos(FLOOR_NS_MAX));
    args.run_time = Some(duration::show(floor_time));
    args.users = Some("1".into());
    args.spawn_rate = None;
    args.stages.clear();
    args.rate = None;
    args.arrivals = Default::default();
    args.iterations = None;
    args.connections = None;
    args.pipeline = "1".into();
    args.shards = Some("1".into());
    let floor = read(args)?;
    Ok(CalibrationJob { floor, ceiling })
}

/// A closed load of all users that the flags would have at once, without a wait.
fn read(args: &RunArgs) -> Result<Job> {
    let options = Options::from_args(args)?;
    let scenario = options.compile()?;
    let asked = options.load(&scenario)?;
    // With a pipeline, the number of connections follows from the most users that an open load may have.
    let limits = options.limits(asked.load.users_max());
    let users = asked.load.users().users_at_once();
    let closed = Load::Closed(Closed::at_rate(users, users as f64));
    let load = options.job_load(closed, asked.run_time_ns);
    // The scenario's own rules judge a service.
    let steps = scenario.metrics.len();
    let referee = rules::referee(Vec::new(), false, &load, FLOOR_NS_MAX, None, steps)?;
    let judge = RunJudge::of_rules(referee);
    let mut job = options.into_job(scenario, load, Judging::Rules(Box::new(judge)))?;
    job.traffic.limits = limits;
    job.traffic.limits.spins = false;
    Ok(job)
}

fn refuse_what_does_not_fit(args: &RunArgs) -> Result<()> {
    const RULE: &str = "it judges no service";
    const OUTPUT: &str = "its result is the file that it names";
    for (is_given, flag, why) in [
        (!args.stop_when.is_empty(), "--stop-when", RULE),
        (!args.until.is_empty(), "--until", RULE),
        (!args.fail_if.is_empty(), "--fail-if", RULE),
        (!args.require.is_empty(), "--require", RULE),
        (
            args.require_valid,
            "--require-valid",
            "a generator at its limit is what it wants",
        ),
        (args.json.is_some(), "--json", OUTPUT),
        (args.csv.is_some(), "--csv", OUTPUT),
        (args.hdr.is_some(), "--hdr", OUTPUT),
        (args.html.is_some(), "--html", OUTPUT),
        (args.web.web.is_some(), "--web", OUTPUT),
        (
            args.ci.summary_markdown.is_some(),
            "--summary-markdown",
            OUTPUT,
        ),
        (args.ci.junit.is_some(), "--junit", OUTPUT),
        (args.repeat.is_some(), "--repeat", "call it again"),
        (args.part.is_some(), "--part", "it measures one machine"),
        (
            args.start_at.is_some(),
            "--start-at",
            "it measures one machine",
        ),
        (
            args.sockets.unix_socket.is_some(),
            "--unix-socket",
            "its responder listens on TCP",
        ),
    ] {
        if is_given {
            bail!("{flag} does not go with calibrate: {why}; leave it out");
        }
    }
    Ok(())
}
