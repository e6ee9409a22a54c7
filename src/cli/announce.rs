//! What is said on standard error before a run and while it lasts.

use std::io::IsTerminal;
use std::time::{Duration, SystemTime};

use crate::analysis::breaking_point::Growth;
use crate::engine::Footprint;
use crate::engine::plan::Plan;
use crate::load::closed::Closed;
use crate::load::open::Arrivals;
use crate::record::schema::LevelRecord;
use crate::session::diagnosis::proxies_set;
use crate::session::handshakes::{Cost, Expected};
use crate::session::job::Judging;
use crate::session::output::{CLEAR_LINE, note};
use crate::session::prepare::Prepared;
use crate::session::run::{Notice, Session};
use crate::session::steer::Course;
use crate::text::duration;
use crate::text::units::{
    bytes, counted, grouped, level as shown_level, percent, range, three_digits, time as shown_time,
};

use super::read::part::{environment, is_not_shared, shown as part_shown};
use super::scenarios::rows_left_shown;

/// Users that come within this are those that a run begins with.
const FIRST_NS: u64 = 1_000_000_000;

/// Says what is about to be done, on what, and what might surprise.
pub fn announce(session: &Session) {
    let prepared = &session.prepared;
    prepared
        .notes
        .iter()
        .for_each(|text| note(format_args!("note: {text}")));
    match &session.judging {
        Judging::Rules(_) => of_run(prepared),
        Judging::Search(search) => of_search(&search.course, prepared),
    }
    let connections = prepared.plan.slots_before_shard(prepared.plan.shards);
    let each = connections / prepared.plan.targets();
    for target in &prepared.named {
        let connections = counted(each as u64, "connection");
        note(format_args!(
            "target {}, up to {connections}",
            target.shown()
        ));
    }
    surprises(prepared);
}

/// Says what happens while the run lasts; `is_quiet`: only what went wrong.
pub fn say(notice: &Notice<'_>, is_quiet: bool) {
    let clear = match std::io::stderr().is_terminal() {
        true => CLEAR_LINE,
        false => "",
    };
    match notice {
        Notice::Level(level, course) if !is_quiet => {
            note(format_args!("{clear}{}", of_level(level, course)));
        }
        Notice::Level(..) => {}
        Notice::LogFailed(error) => note(format_args!(
            "{clear}warning: {error:#}; the interval log ends here, the run goes on"
        )),
    }
}

fn of_run(prepared: &Prepared) {
    let plan = &prepared.plan;
    let until = match (plan.run_time_ns, plan.load.users().iterations) {
        (Some(ns), None) => format!("for {}", duration::show(Duration::from_nanos(ns))),
        (Some(ns), Some(all)) => {
            let time = duration::show(Duration::from_nanos(ns));
            format!("for {} or {time}", counted(all, "iteration"))
        }
        (None, Some(all)) => format!("for {}", counted(all, "iteration")),
        (None, None) => "until Ctrl-C".to_owned(),
    };
    let load = match plan.load.arrivals() {
        None => closed(plan.load.users(), prepared.given.spawn_rate),
        Some(open) => format!(
            "{} iterations/s{} by {}",
            three_digits(open.rate_max),
            match open.arrivals {
                Arrivals::Constant => "",
                Arrivals::Poisson => " (Poisson)",
            },
            range(open.users_ready, open.users_max)
        ),
    };
    note(format_args!(
        "running scenario {} with {load} on {}{} {until}, seed {}",
        plan.scenario.name,
        prepared.target_shown(),
        match prepared.stand_in {
            Some(_) => " (embedded stand-in)",
            None => "",
        },
        plan.seed
    ));
    if let Some(text) = share_shown(plan) {
        note(text);
    }
    if let Some(text) = start_shown(prepared) {
        note(text);
    }
    if let Some(text) = unfinished_ramp(plan) {
        note(text);
    }
    note(memory_line(prepared));
    if let Some(expected) = &prepared.handshakes {
        note(handshakes_line(expected));
    }
}

/// `handshakes: 8,000 connections in about 1.60 s (each takes 200 us of CPU here, 150 us at the server; …)`.
fn handshakes_line(expected: &Expected) -> String {
    let shown = |ns: u64| shown_time(ns as f64 / 1e3);
    let each = |cost: Cost| {
        format!(
            "{} of CPU here, {} {}",
            shown(cost.client_ns),
            shown(cost.waited_ns),
            match expected.is_local {
                true => "at the server",
                false => "on the way and at the server",
            }
        )
    };
    let resumed = match (expected.resumed, expected.resumed_ns()) {
        (Some(cost), Some(ns)) => format!("; resumed: {} ({})", shown(ns), each(cost)),
        _ => String::new(),
    };
    format!(
        "handshakes: {} in about {} when all are full ({}){resumed}",
        counted(expected.connections, "connection"),
        shown(expected.full_ns()),
        each(expected.full),
    )
}

/// `50 users, 10 per second`, or `300 to 5,000 users` when the load begins with fewer.
fn closed(load: &Closed, spawn_rate: Option<f64>) -> String {
    let users = load.users_at_once();
    let rate = spawn_rate.map_or(String::new(), |rate| {
        format!(", {} per second", three_digits(rate))
    });
    match (spawn_rate, load.users_at(FIRST_NS).min(users)) {
        (None, first) if first > 0 => range(first, users),
        _ => counted(users, "user") + &rate,
    }
}

/// `part 2/4 of this load: 13 of 50 users`.
fn share_shown(plan: &Plan) -> Option<String> {
    let part = plan.load.part();
    if part.is_whole() {
        return is_not_shared(&environment).map(|text| format!("note: {text}"));
    }
    let users = plan.load.users_max();
    Some(format!(
        "part {} of this load: {} of {}; the other parts need the same flags and the same seed",
        part_shown(part),
        grouped(plan.deal().share_of(users)),
        counted(users, "user")
    ))
}

/// When the run starts, or how late it is.
fn start_shown(prepared: &Prepared) -> Option<String> {
    let at = prepared.start_at?;
    let shown = humantime::format_rfc3339_millis(at);
    let seconds = |time: Duration| shown_time(time.as_secs_f64() * 1e6);
    Some(match at.duration_since(SystemTime::now()) {
        Ok(left) => format!("prepared; starting at {shown}, in {}", seconds(left)),
        Err(passed) => format!(
            "note: {shown} was {} ago: starting at once",
            seconds(passed.duration())
        ),
    })
}

/// A run that ends before all of its users have come says so beforehand.
fn unfinished_ramp(plan: &Plan) -> Option<String> {
    let (end_ns, users) = (plan.run_time_ns?, plan.load.users().users_at_once());
    let come = plan.load.users().users_at(end_ns);
    let is_cut = plan.load.users().settled_ns() >= end_ns && come < users && !plan.load.is_open();
    is_cut.then(|| {
        format!(
            "note: the run ends before the ramp, which takes {}: {} of {} will be there at its end",
            duration::show(Duration::from_nanos(plan.load.users().settled_ns())),
            grouped(come),
            counted(users, "user"),
        )
    })
}

/// The memory that the run is expected to need, by purpose.
fn memory_line(prepared: &Prepared) -> String {
    let (footprint, program_bytes) = (&prepared.footprint, prepared.program_bytes);
    format!(
        "memory: about {} ({} at {} B{} and {} B of variables, {} {} and up to {} of half answers, figures of {} {} and up to {}, buffers {},{} the program {}); {} if all wait at once",
        bytes(footprint.bytes() as u64 + program_bytes),
        users_shown(footprint, &prepared.plan),
        footprint.of_user,
        match footprint.of_together {
            0 => String::new(),
            of_together => format!(", {of_together} B of it for steps sent at once,"),
        },
        footprint.of_variables,
        counted(footprint.connections as u64, "connection"),
        bytes(footprint.of_connections as u64),
        bytes(footprint.of_answers_max as u64),
        counted(footprint.steps as u64, "step"),
        bytes(footprint.figures as u64),
        bytes(footprint.figures_max as u64),
        bytes(footprint.buffers as u64),
        match footprint.stand_in {
            0 => String::new(),
            taken => format!(" the stand-in {},", bytes(taken as u64)),
        },
        bytes(program_bytes),
        bytes(footprint.at_worst() as u64 + program_bytes),
    )
}

/// `50 users`, or `50 users and room for 100 more` where keys may ask for more than the command line does.
fn users_shown(footprint: &Footprint, plan: &Plan) -> String {
    let room = footprint.users as u64;
    let planned = match plan.load.takes_orders() {
        true => plan.load.users_planned().min(room),
        false => room,
    };
    match room - planned {
        0 => counted(room, "user"),
        more => format!(
            "{} and room for {} more",
            counted(planned, "user"),
            grouped(more)
        ),
    }
}

/// Facts that a user may not expect: default keys, rows left over, proxies that are ignored.
fn surprises(prepared: &Prepared) {
    let is_service = prepared.stand_in.is_none();
    if prepared.plan.scenario.api_key_is_default && is_service {
        note(format_args!(
            "note: the environment variable {} is not set; using the scenario's default key",
            prepared.api_key_env
        ));
    }
    let plan = &prepared.plan;
    // A user that takes the seat of another takes a row of its own.
    let takes_seats_again = plan.retakes_seats() || plan.load.users().may_shrink();
    let files = plan.scenario.feeder.files().iter();
    let rows_left = files.filter_map(|file| file.rows_left(plan.load.users_max()));
    for left in rows_left.filter(|_| !takes_seats_again) {
        note(format_args!("note: {}", rows_left_shown(&left)));
    }
    if let Some(text) = queue_shown(plan) {
        note(text);
    }
    if is_service && !proxies_set().is_empty() {
        note(format_args!(
            "note: proxy variables of the environment are ignored; requests go straight to the target"
        ));
    }
}

/// The steps that one user sends at once find fewer connections than they are.
fn queue_shown(plan: &Plan) -> Option<String> {
    let at_once = plan.scenario.parts_max();
    let depth = plan.connections.depth();
    let slots = (0..plan.shards)
        .map(|shard| plan.slots_to_each_of_shard(shard))
        .min()?;
    (slots * depth < at_once).then(|| {
        format!(
            "note: a user sends up to {at_once} requests at once, and its core has {}: the others wait in line; give more --connections, or leave it out",
            counted(slots as u64, "connection")
        )
    })
}

fn of_search(course: &Course, prepared: &Prepared) {
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
    let scenario = &prepared.plan.scenario;
    if !(scenario.fail_if.is_empty() && scenario.require.is_empty()) {
        note(
            "note: the scenario's fail_if and require judge runs only; a search judges its levels by stop_when",
        );
    }
}

/// A level that has just been judged.
fn of_level(level: &LevelRecord, course: &Course) -> String {
    format!(
        "{} {}: {}, {} req/s, p99 {}, {} failed{}",
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
        percent(level.failure_ratio),
        match &level.rule {
            Some(_) => format!(" ({})", level.says),
            None => String::new(),
        }
    )
}
