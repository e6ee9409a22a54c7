//! How the run was made: what is needed to make it again, and to know what its figures hold for.

use maud::{Markup, html};

use super::shell::{safe, section as framed};
use crate::record::schema::{Generator, Record, RunInfo};
use crate::report::console::load;
use crate::report::console::tls::{agreed, handshakes};
use crate::report::console::totals::{ended_by, engine, lasted, machine, sockets, target};
use crate::text::shell::line;
use crate::text::units::{bytes, counted, moment, percent, time};

/// The section.
pub(super) fn section(record: &Record) -> Markup {
    let content = html! {
        dl.conditions {
            @for (name, text) in facts(record) { dt { (name) } dd { (safe(&text)) } }
        }
    };
    framed("conditions", "How it was run", &content)
}

/// The targets that the scenario names.
fn targets(run: &RunInfo) -> Option<String> {
    let shown = run.targets.iter().map(|target| {
        let tls = target.tls.as_ref().map(|tls| format!(" ({tls})"));
        format!("{}: {}{}", target.name, target.url, tls.unwrap_or_default())
    });
    let shown: Vec<String> = shown.collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}

fn facts(record: &Record) -> Vec<(&'static str, String)> {
    let run = &record.run;
    let facts = [
        ("Command", command(run)),
        ("Scenario", Some(run.scenario.clone())),
        ("Target", Some(target(run))),
        (
            "Addresses",
            Some(run.addresses.join(", ")).filter(|text| !text.is_empty()),
        ),
        ("Further targets", targets(run)),
        ("Load", Some(load::shown(run, record.search.is_some()))),
        ("Seed", Some(run.seed.to_string())),
        ("Started", Some(run.started_at.clone())),
        (
            "Lasted",
            Some(format!(
                "{}; ended by {}",
                lasted(&record.totals),
                ended_by(&run.ended_by)
            )),
        ),
        (
            "Engine",
            Some(format!("opsurge {}, {}", run.version, engine(run))),
        ),
        ("Encryption", record.tls.as_ref().map(agreed)),
        ("Handshakes", handshakes_of(record)),
        ("Sockets", sockets(run)),
        ("Machine", Some(machine(run))),
        ("Merged from", parts(record)),
        ("Generator", Some(generator(&record.generator))),
        ("Stand-in", stand_in(record)),
        ("Exit code", Some(record.exit_code.to_string())),
    ];
    let facts = facts.into_iter();
    facts
        .filter_map(|(name, text)| Some((name, text?)))
        .collect()
}

fn command(run: &RunInfo) -> Option<String> {
    (!run.command.is_empty()).then(|| line(&run.command))
}

fn generator(generator: &Generator) -> String {
    let busy = generator.shards.iter().map(|shard| percent(shard.busy));
    let busy: Vec<String> = busy.collect();
    let turns = match (generator.turn_us.p50, generator.turn_us.max) {
        (Some(p50), Some(max)) => format!("; turns p50 {}, max {}", time(p50), time(max)),
        _ => String::new(),
    };
    format!(
        "shards busy {}; CPU {} user, {} system; memory {}{turns}",
        busy.join(", "),
        time(generator.cpu_user_s * 1e6),
        time(generator.cpu_system_s * 1e6),
        bytes(generator.rss_max_bytes)
    )
}

/// Those of a part of a run are not known.
fn handshakes_of(record: &Record) -> Option<String> {
    let is_cut = record.slice.as_ref().is_some_and(|slice| !slice.settled);
    record.tls.as_ref().filter(|_| !is_cut).map(handshakes)
}

/// The runs that a merged record was made of.
fn parts(record: &Record) -> Option<String> {
    let parts = record.run.parts.iter().map(|part| {
        format!(
            "{} on {} (from {}, {}, {})",
            part.name,
            part.machine.hostname,
            moment(part.from_s),
            counted(part.requests, "request"),
            part.verdict
        )
    });
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn stand_in(record: &Record) -> Option<String> {
    let stand_in = record.stand_in.as_ref()?;
    let faults = stand_in
        .faults
        .iter()
        .map(|(name, count)| format!("{name} {count}"));
    let faults: Vec<String> = faults.collect();
    let agrees = match stand_in.agrees {
        true => "its counts equal the run's",
        false => "it counted other answers than the run",
    };
    Some(match faults.is_empty() {
        true => format!("embedded; {agrees}"),
        false => format!(
            "embedded; {agrees}; faults on purpose: {}",
            faults.join(", ")
        ),
    })
}
