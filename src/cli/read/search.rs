//! The job of `opsurge search`.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::analysis::breaking_point::{Growth, Search};
use crate::analysis::criteria::{OPS_CORE_RULES, Purpose};
use crate::analysis::precision::Settle;
use crate::cli::args::{RunArgs, SearchArgs};
use crate::cli::stored;
use crate::load::Load;
use crate::load::closed::Closed;
use crate::load::open::Open;
use crate::record::schema::LevelRecord;
use crate::scenario::model::Scenario;
use crate::session::evidence;
use crate::session::job::{Job, JobLoad, JobTarget, Judging, SearchJob};
use crate::session::rules;
use crate::session::steer::Course;
use crate::text::duration;
use crate::text::units::level as shown_level;

use super::options::Options;
use super::values::{per_second, time};

const SECOND_NS: u64 = 1_000_000_000;
const FROM_USERS: f64 = 10.0;
const FROM_RATE: f64 = 100.0;
const GROWTH: f64 = 1.5;
const RESOLUTION: f64 = 0.05;
const EVERY: Duration = Duration::from_secs(15);
const SETTLE: Duration = Duration::from_secs(5);
/// The highest level, when none is given: so many times the first, within these bounds.
const TO_TIMES: f64 = 1_000.0;
const TO_USERS_MAX: u64 = 100_000;
const TO_RATE_MAX: f64 = 1e6;
/// Users that may take turns in an open load, for each that is ready at the first level.
const USERS_PER_READY: u64 = 20;
const USERS_MIN: u64 = 1_000;
/// Users per second from one level to the next, without --spawn-rate.
const SPAWN_RATE: f64 = 100.0;

/// Reads the command line.
///
/// # Errors
/// What is wrong with it, with the scenario, or with the record that `--resume` names, and the cure.
pub fn job(args: &SearchArgs) -> Result<Job> {
    let options = Options::from_args(&args.run)?;
    refuse_what_does_not_fit(&args.run)?;
    let scenario = options.compile()?;
    let course = course(args, &options, &scenario)?;
    let load = load(&course, &options, &scenario)?;
    let levels = resume(args, &options, &course, &load, &scenario)?;
    let judging = Judging::Search(Box::new(SearchJob { course, levels }));
    options.into_job(scenario, load, judging)
}

fn refuse_what_does_not_fit(args: &RunArgs) -> Result<()> {
    if args.part.is_some() {
        bail!(
            "--part does not go with search: each part would judge its own requests and choose its own levels; give \
             --part to runs at fixed loads, and merge their records"
        );
    }
    for (is_given, flag, cure) in [
        (
            !args.stages.is_empty(),
            "--stage",
            "--from, --step and --every",
        ),
        (args.iterations.is_some(), "--iterations", "--every"),
        (args.repeat.is_some(), "--repeat", "--every"),
        (args.repeat_pause.is_some(), "--repeat-pause", "--every"),
        (!args.fail_if.is_empty(), "--fail-if", "--stop-when"),
        (!args.until.is_empty(), "--until", "--every"),
        (!args.require.is_empty(), "--require", "--stop-when"),
    ] {
        if is_given {
            bail!(
                "{flag} does not go with search, which makes its own levels; give {cure} instead"
            );
        }
    }
    Ok(())
}

fn course(args: &SearchArgs, options: &Options<'_>, scenario: &Scenario) -> Result<Course> {
    let is_open = options.load.is_open;
    let (what, own) = match is_open {
        true => ("iterations", None),
        false => ("users", scenario.load.staircase),
    };
    let level = |flag: &str, text: &Option<String>| per_second(flag, text.as_deref(), what);
    let from = level("--from", &args.from)?.or(options.load.rate);
    let from = from.or(own.map(|own| own.from as f64));
    let from = from.unwrap_or(if is_open { FROM_RATE } else { FROM_USERS });
    let step = level("--step", &args.step)?;
    let grow = args.grow.as_deref().map(factor).transpose()?;
    let growth = match (step, grow, own) {
        (Some(step), _, _) => Growth::Add(step),
        (None, Some(grow), _) => Growth::Times(grow),
        (None, None, Some(own)) => Growth::Add(own.step as f64),
        (None, None, None) => Growth::Times(GROWTH),
    };
    let resolution = match (args.resolution.as_deref(), growth) {
        (Some(text), _) => Some(share(text)?),
        (None, Growth::Times(_)) => Some(RESOLUTION),
        (None, Growth::Add(_)) => None,
    };
    let to = level("--to", &args.to)?;
    let to = to.or(match is_open {
        false => options
            .load
            .users
            .or(own.map(|own| own.users_max))
            .map(|users| users as f64),
        true => None,
    });
    let to = match (to, is_open) {
        (Some(to), _) => to,
        (None, true) => (from * TO_TIMES).min(TO_RATE_MAX),
        (None, false) => {
            let users = ((from * TO_TIMES) as u64).min(TO_USERS_MAX);
            options.users_allowed(scenario, users)? as f64
        }
    };
    let is_whole = |level: f64| level.fract() == 0.0;
    let all_are_whole = is_whole(from) && is_whole(to) && step.is_none_or(is_whole);
    if !(is_open || all_are_whole) {
        bail!("--from, --step and --to: give whole numbers of users, or --rate to search by rate");
    }
    if from > to {
        bail!(
            "--from {} is above the highest level, {}; give a lower one, or a higher --to",
            shown_level(from),
            shown_level(to)
        );
    }
    let own_every = own.map(|own| Duration::from_nanos(own.every_ns));
    let every = time("--every", args.every.as_deref())?
        .or(own_every)
        .unwrap_or(EVERY);
    if every < Duration::from_secs(2) {
        bail!("--every: a level's window is at least 2s long, for it is judged in two halves");
    }
    if options.settle == Some(Settle::Auto) {
        bail!(
            "--settle auto: a search needs to know when a level has settled before it judges it; give a time, for example 5s"
        );
    }
    let settle = options
        .settle_ns()
        .map_or(SETTLE.min(every / 2), Duration::from_nanos);
    let mut rules = rules::parse(Purpose::Stop, &args.run.stop_when, scenario)?;
    if rules.is_empty() {
        let ops_cores = OPS_CORE_RULES.map(str::to_owned);
        rules = rules::parse(Purpose::Stop, &ops_cores, scenario)?;
    }
    Ok(Course {
        search: Search {
            from,
            growth,
            to,
            resolution,
            is_whole: !is_open,
        },
        is_open,
        rules,
        spawn_rate: options.load.spawn_rate.unwrap_or(SPAWN_RATE),
        settle_ns: settle.as_nanos() as u64,
        window_ns: (every.as_nanos() as u64).next_multiple_of(SECOND_NS),
    })
}

fn load(course: &Course, options: &Options<'_>, scenario: &Scenario) -> Result<JobLoad> {
    let run_time_ns = options.load.run_time.map(|time| time.as_nanos() as u64);
    if !course.is_open {
        let users = Closed::steered(course.search.to as u64);
        return Ok(options.job_load(Load::Closed(users), run_time_ns));
    }
    let (ready, _) = options.open_users(scenario, course.search.from)?;
    let users_max = match options.load.users {
        Some(users) => users,
        None => options.users_allowed(scenario, (ready * USERS_PER_READY).max(USERS_MIN))?,
    };
    let open = Open::steered(course.search.to, options.load.arrivals, ready, users_max);
    let load = Load::Open {
        ready: options.ready_users(ready),
        arrivals: open,
    };
    Ok(options.job_load(load, run_time_ns))
}

fn factor(text: &str) -> Result<f64> {
    let number = text.strip_suffix('x').unwrap_or(text).parse::<f64>();
    match number {
        Ok(factor) if factor > 1.0 && factor <= 100.0 => Ok(factor),
        _ => Err(anyhow!(
            "--grow {text}: give a factor above 1, for example 1.5x"
        )),
    }
}

fn share(text: &str) -> Result<f64> {
    let number = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse(),
    };
    match number {
        Ok(share) if (0.001..1.0).contains(&share) => Ok(share),
        _ => Err(anyhow!(
            "--resolution {text}: give a share from 0.1% to below 100%, for example 5%"
        )),
    }
}

/// The levels of an interrupted search, which have to be levels of the same search.
fn resume(
    args: &SearchArgs,
    options: &Options<'_>,
    course: &Course,
    load: &JobLoad,
    scenario: &Scenario,
) -> Result<Vec<LevelRecord>> {
    let Some(path) = &args.resume else {
        return Ok(Vec::new());
    };
    let shown = path.display();
    let record = stored::record(path).context("--resume")?;
    let Some(search) = record.search else {
        bail!("--resume {shown}: that is the record of a run, not of a search");
    };
    const MOCK: &str = "the embedded stand-in";
    let rules: Vec<&str> = course.rules.iter().map(|rule| rule.text.as_str()).collect();
    let run = record.run;
    let seconds = |s: f64| duration::show(Duration::from_secs_f64(s));
    let in_ns = |ns: u64| duration::show(Duration::from_nanos(ns));
    let users_max = load.load.users_max();
    let connections = evidence::connections_shown(options.connections(users_max));
    let arrivals = load
        .load
        .arrivals()
        .map(|open| evidence::arrivals_shown(open.arrivals));
    for (what, flag, then, now) in [
        ("scenario", "", run.scenario, scenario.name.clone()),
        (
            "host",
            "--host",
            record.stand_in.map_or(run.host, |_| MOCK.into()),
            match &options.target {
                JobTarget::Service(target) => target.url.clone(),
                JobTarget::StandIn(_) => MOCK.into(),
            },
        ),
        (
            "kind of level",
            "--rate",
            search.level_is,
            course.level_is().into(),
        ),
        (
            "rules",
            "--stop-when",
            search.rules.join(", "),
            rules.join(", "),
        ),
        (
            "window",
            "--every",
            seconds(search.window_s),
            in_ns(course.window_ns),
        ),
        (
            "settling time",
            "--settle",
            seconds(search.settle_s),
            in_ns(course.settle_ns),
        ),
        ("wait", "--wait", run.load.wait, scenario.wait_shown()),
        (
            "arrivals",
            "--arrivals",
            run.load.open.map_or(String::new(), |open| open.arrivals),
            arrivals.unwrap_or_default().into(),
        ),
        ("connections", "--connections", run.connections, connections),
        (
            "pipeline",
            "--pipeline",
            run.pipeline.to_string(),
            options.pipeline.to_string(),
        ),
        (
            "timeout",
            "--timeout",
            seconds(run.timeout_s),
            duration::show(options.timeout),
        ),
    ] {
        if then != now {
            let cure = match flag {
                "" => "name the same again".to_owned(),
                _ => format!("give {flag} as it was"),
            };
            bail!(
                "--resume {shown}: not the same {what}: {then} in the record, {now} now; levels of two searches do not go together: {cure}, or begin a new search"
            );
        }
    }
    Ok(search.levels)
}
