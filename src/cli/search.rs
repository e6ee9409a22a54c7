//! `opsurge search`: flags -> one run whose load is steered from level to level -> record -> reports.

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::analysis::breaking_point::{Growth, Search};
use crate::analysis::criteria::{OPS_CORE_RULES, Purpose};
use crate::engine::Order;
use crate::load::Load;
use crate::load::closed::Closed;
use crate::load::open::Open;
use crate::record::schema::{LevelRecord, Record};
use crate::report::console::shown_level;
use crate::report::csv;
use crate::scenario::model::Scenario;
use crate::text::duration;
use crate::text::units::{three_digits, time as shown_time};

use super::args::{RunArgs, SearchArgs};
use super::run::{Progress, notes, report};
use super::wishes::{TimedLoad, Wishes, per_second, time};
use crate::session::ending::Facts;
use crate::session::evidence;
use crate::session::exit::Exit;
use crate::session::output::note;
use crate::session::prepare::{Prepared, check_files, compile_first};
use crate::session::rules;
use crate::session::steer::{Course, Hunt};

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
/// Carries out the command.
pub fn search(args: &SearchArgs) -> Result<Exit> {
    let wishes = Wishes::from_args(&args.run)?;
    refuse_what_does_not_fit(&args.run)?;
    let (scenario, somewhere) = compile_first(&wishes)?;
    let course = course(args, &wishes, &scenario)?;
    let load = load(&course, &wishes, &scenario)?;
    let resumed = resume(args, &wishes, &course, &load, &scenario)?;
    let tables = args.run.csv.iter();
    let tables = tables.flat_map(|prefix| csv::paths_of_search(prefix));
    check_files(&args.run, &tables.collect::<Vec<_>>())?;
    let prepared = Prepared::new(&args.run, &wishes, scenario, somewhere, load)?;
    if !args.run.quiet {
        announce(&course, &prepared);
        notes(&args.run, &wishes, &prepared);
        let scenario = &prepared.plan.scenario;
        if !(scenario.fail_if.is_empty() && scenario.require.is_empty()) {
            note(
                "note: the scenario's fail_if and require judge runs only; a search judges its levels by stop_when",
            );
        }
    }
    let mut log = None;
    let mut progress = Progress::new(&args.run);
    let mut hunt = Hunt::new(&course, &prepared.plan, resumed);
    let carried = match hunt.begin() {
        false => None,
        true => {
            log = prepared.open_log(&args.run)?;
            Some(prepared.carry_out(&mut |second| {
                progress.show(second);
                progress.log(log.as_mut(), second);
                let known = hunt.levels().len();
                if hunt.on_second(second) {
                    prepared.control.give(Order::Drain);
                }
                if !args.run.quiet {
                    hunt.levels()[known..]
                        .iter()
                        .for_each(|level| tell(level, &course));
                }
            }))
        }
    };
    progress.end();
    let Some(carried) = carried else {
        bail!(
            "--resume: the search in that record has ended already: {}",
            hunt.found().ended
        );
    };
    let carried = carried?;
    let mut found = hunt.found();
    let is_found = hunt.is_over() && found.last_good.is_some() && !hunt.is_hung(found.first_bad);
    let always_failed = hunt.always_failed().to_vec();
    drop(hunt);
    let names = rules::step_names(&prepared.plan.scenario);
    let mut record = evidence::record(prepared, &wishes, &carried);
    if !always_failed.is_empty() {
        found.ended = rules::search_ended_by(&record, &names, &always_failed);
    }
    let ended = found.ended.clone();
    record.search = Some(found);
    let facts = Facts {
        not_found: (!is_found).then_some(ended),
        ..Facts::of(&record, &args.run, carried.interrupted)
    };
    let ending = facts.ending();
    ending.put_into(&mut record);
    ending.exit(report(&args.run, record, log))
}

fn refuse_what_does_not_fit(args: &RunArgs) -> Result<()> {
    for (is_given, flag, cure) in [
        (
            !args.stages.is_empty(),
            "--stage",
            "--from, --step and --every",
        ),
        (args.iterations.is_some(), "--iterations", "--every"),
        (!args.fail_if.is_empty(), "--fail-if", "--stop-when"),
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

fn course(args: &SearchArgs, wishes: &Wishes<'_>, scenario: &Scenario) -> Result<Course> {
    let is_open = wishes.is_open;
    let (what, own) = match is_open {
        true => ("iterations", None),
        false => ("users", scenario.load.staircase),
    };
    let level = |flag: &str, text: &Option<String>| per_second(flag, text.as_deref(), what);
    let from = level("--from", &args.from)?.or(wishes.rate);
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
        false => wishes
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
            wishes.users_allowed(users)? as f64
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
    let settle = wishes.settle.unwrap_or(SETTLE.min(every / 2));
    let mut rules = rules::parse(Purpose::Stop, wishes.stop_when, scenario)?;
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
        spawn_rate: wishes.spawn_rate.unwrap_or(SPAWN_RATE),
        settle_ns: settle.as_nanos() as u64,
        window_ns: (every.as_nanos() as u64).next_multiple_of(SECOND_NS),
    })
}

fn load(course: &Course, wishes: &Wishes<'_>, scenario: &Scenario) -> Result<TimedLoad> {
    let run_time_ns = wishes.run_time.map(|time| time.as_nanos() as u64);
    if !course.is_open {
        return Ok(TimedLoad {
            load: Load::Closed(Closed::steered(course.search.to as u64)),
            run_time_ns,
        });
    }
    let (ready, _) = wishes.open_users(scenario, course.search.from)?;
    let users_max = match wishes.users {
        Some(users) => users,
        None => wishes.users_allowed((ready * USERS_PER_READY).max(USERS_MIN))?,
    };
    let open = Open::steered(course.search.to, wishes.arrivals, ready, users_max);
    Ok(TimedLoad {
        load: Load::Open {
            ready: wishes.ready_users(ready),
            arrivals: open,
        },
        run_time_ns,
    })
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
    wishes: &Wishes<'_>,
    course: &Course,
    load: &TimedLoad,
    scenario: &Scenario,
) -> Result<Vec<LevelRecord>> {
    let Some(path) = &args.resume else {
        return Ok(Vec::new());
    };
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("--resume {shown}"))?;
    let record = Record::parse(&text).map_err(|reason| anyhow!("--resume {shown}: {reason}"))?;
    let Some(search) = record.search else {
        bail!("--resume {shown}: that is the record of a run, not of a search");
    };
    const MOCK: &str = "the embedded stand-in";
    let rules: Vec<&str> = course.rules.iter().map(|rule| rule.text.as_str()).collect();
    let run = record.run;
    let seconds = |s: f64| duration::show(Duration::from_secs_f64(s));
    let in_ns = |ns: u64| duration::show(Duration::from_nanos(ns));
    let users_max = load.load.users_max();
    let connections = evidence::connections_shown(wishes.connections(users_max));
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
            wishes
                .target
                .as_ref()
                .map_or(MOCK.into(), |target| target.url.clone()),
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
        ("wait", "--wait", run.load.wait, scenario.wait.to_string()),
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
            wishes.pipeline.to_string(),
        ),
        (
            "timeout",
            "--timeout",
            seconds(run.timeout_s),
            duration::show(wishes.timeout),
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

fn announce(course: &Course, prepared: &Prepared) {
    let search = &course.search;
    let growth = match search.growth {
        Growth::Add(step) => format!("{} more each time", shown_level(step)),
        Growth::Times(factor) => format!("{factor} times as many each time"),
    };
    let rules: Vec<&str> = course.rules.iter().map(|rule| rule.text.as_str()).collect();
    note(format_args!(
        "searching for the breaking point of {} on {}: from {} {} on, {growth}, up to {}; windows of {} after {} to settle; too much is {}{}; seed {}",
        prepared.plan.scenario.name,
        prepared.target_shown(),
        shown_level(search.from),
        course.unit(),
        shown_level(search.to),
        duration::show(Duration::from_nanos(course.window_ns)),
        duration::show(Duration::from_nanos(course.settle_ns)),
        rules.join(" or "),
        match course.is_open {
            true => " or iterations that pile up",
            false => "",
        },
        prepared.plan.seed
    ));
}

/// A line for a level that has just been judged, over the live line.
fn tell(level: &LevelRecord, course: &Course) {
    let clear = match std::io::stderr().is_terminal() {
        true => "\r\x1b[K",
        false => "",
    };
    note(format_args!(
        "{clear}{} {}: {}, {} req/s, p99 {}, {} % failed{}",
        shown_level(level.level),
        course.unit(),
        match (level.good, level.noisy) {
            (true, _) if !level.judged => "too few requests to judge",
            (true, false) => "good",
            (true, true) => "good, but noisy",
            (false, _) => "bad",
        },
        three_digits(level.rps),
        level.p99_us.map_or("-".into(), shown_time),
        three_digits(level.failure_ratio * 100.0),
        match &level.rule {
            Some(_) => format!(" ({})", level.says),
            None => String::new(),
        }
    ));
}
