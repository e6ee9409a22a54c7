//! `opsurge run`: flags -> plan -> run -> record -> reports and exit code.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::analysis::windows::Referee;
use crate::engine::plan::Plan;
use crate::engine::{Footprint, Order, Second};
use crate::live::line;
use crate::load::closed::Closed;
use crate::load::open::Arrivals;
use crate::record::files;
use crate::record::hdr::{IntervalLog, Stretch};
use crate::record::schema::Record;
use crate::report::console::Console;
use crate::report::csv::Csv;
use crate::report::output::Report;
use crate::text::duration;
use crate::text::units::{bytes, counted, grouped, range, three_digits};

use super::args::RunArgs;
use super::scenarios::rows_left_shown;
use super::wishes::Wishes;
use crate::session::ending;
use crate::session::ending::Facts;
use crate::session::evidence;
use crate::session::exit::{Exit, cannot};
use crate::session::output::{columns, lost_so_far, note, print};
use crate::session::prepare::{Prepared, check_files, compile_first};
use crate::session::rules;

/// Users that come within this are those that a run begins with.
const FIRST_NS: u64 = 1_000_000_000;

/// Carries out the command.
pub fn run(args: &RunArgs) -> Result<Exit> {
    let wishes = Wishes::from_args(args)?;
    let (scenario, somewhere) = compile_first(&wishes)?;
    let load = wishes.load(&scenario)?;
    let mut referee = rules::referee(&wishes, &scenario, &load)?;
    check_files(args, &csv_paths(args, false))?;
    // Compiled anew with the target; until then its bodies, which may be large, need not be there twice.
    drop(scenario);
    let prepared = Prepared::new(args, &wishes, somewhere, load)?;
    announce(args, &wishes, &prepared);
    let mut log = prepared.open_log(args)?;
    let mut progress = Progress::new(args);
    let carried = prepared.carry_out(&mut |second| {
        progress.show(second);
        progress.log(log.as_mut(), second);
        if look(&mut referee, second) {
            prepared.control.give(Order::Drain);
        }
    });
    progress.end();
    let carried = carried?;
    let load_from_ns = carried.ran.load_from_ns;
    let mut record = evidence::record(prepared, &wishes, &carried);
    rules::put_into(&mut record, referee, load_from_ns);
    let ending = Facts::of(&record, args, carried.interrupted).ending();
    ending.put_into(&mut record);
    ending.exit(report(args, record, log))
}

/// Shows a second to those who judge; whether the run is to end.
fn look(referee: &mut Referee, second: &Second<'_>) -> bool {
    let from_ns = second.load_from_ns.unwrap_or(u64::MAX);
    match second.begin_ns.checked_sub(from_ns) {
        Some(begin_ns) => referee.on_second(begin_ns, second.end_ns - from_ns, second.interval),
        None => {
            referee.on_preparation(second.interval);
            false
        }
    }
}

/// What is about to be done, on what.
fn announce(args: &RunArgs, wishes: &Wishes<'_>, prepared: &Prepared) {
    if args.quiet {
        return;
    }
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
        None => closed(plan.load.users(), wishes.spawn_rate),
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
        if args.mock {
            " (embedded stand-in)"
        } else {
            ""
        },
        plan.seed
    ));
    if let Some(text) = unfinished_ramp(plan) {
        note(text);
    }
    note(memory_line(&prepared.footprint, prepared.program_bytes));
    notes(args, wishes, prepared);
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

/// What the run is expected to take of memory, and what for.
fn memory_line(footprint: &Footprint, program_bytes: u64) -> String {
    format!(
        "memory: about {} ({} at {} B and {} B of variables, {} {} and up to {} of half answers, figures of {} {} and up to {}, buffers {},{} the program {}); {} if all wait at once",
        bytes(footprint.bytes() as u64 + program_bytes),
        counted(footprint.users as u64, "user"),
        footprint.of_user,
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

/// What might surprise.
pub(super) fn notes(args: &RunArgs, wishes: &Wishes<'_>, prepared: &Prepared) {
    if prepared.plan.scenario.api_key_is_default && !args.mock {
        note(format_args!(
            "note: the environment variable {} is not set; using the scenario's default key",
            wishes.api_key_env
        ));
    }
    let plan = &prepared.plan;
    // Who comes to a seat that another user has left takes a row of its own.
    let takes_seats_again = plan.retakes_seats() || plan.load.users().may_shrink();
    let rows_left = plan.scenario.feeder.rows_left(plan.load.users_max());
    if let Some(left) = rows_left.filter(|_| !takes_seats_again) {
        note(format_args!("note: {}", rows_left_shown(&left)));
    }
    let proxies = ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"];
    if !args.mock && proxies.iter().any(|name| std::env::var_os(name).is_some()) {
        note(format_args!(
            "note: proxy variables of the environment are ignored; requests go straight to the target"
        ));
    }
}

/// The live line on a terminal.
pub(super) struct Progress {
    is_shown: bool,
    failures: u64,
}

impl Progress {
    pub fn new(args: &RunArgs) -> Self {
        Self {
            is_shown: !args.headless && !args.quiet && std::io::stderr().is_terminal(),
            failures: 0,
        }
    }

    pub fn show(&mut self, second: &Second<'_>) {
        self.failures += second.interval.all().failures;
        if self.is_shown {
            let length_s = (second.end_ns - second.begin_ns) as f64 / 1e9;
            let end_s = second.end_ns as f64 / 1e9;
            // In the last column the cursor would stand on the next line.
            let width = columns(std::io::stderr()) - 1;
            let line = line::line(end_s, length_s, second.interval, self.failures, width);
            self.redraw(&line);
        }
    }

    /// Writes the second to the interval log. A disk that is full ends the log, not the run.
    pub fn log(&self, log: Option<&mut IntervalLog>, second: &Second<'_>) {
        let Some(log) = log else {
            return;
        };
        let written = log.on_second(&Stretch {
            started_at: second.started_at,
            begin_ns: second.begin_ns,
            end_ns: second.end_ns,
            interval: second.interval,
        });
        if let Err(error) = written {
            self.end();
            note(format_args!(
                "warning: {error:#}; the interval log ends here, the run goes on"
            ));
        }
    }

    /// Replaces the line. Nobody may be looking any more; that ends nothing.
    fn redraw(&self, line: &str) {
        let mut stderr = std::io::stderr();
        let _ = write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush());
    }

    pub fn end(&self) {
        if self.is_shown {
            self.redraw("");
        }
    }
}

/// The places of the CSV files.
pub(super) fn csv_paths(args: &RunArgs, is_search: bool) -> Vec<PathBuf> {
    let prefixes = args.csv.iter();
    prefixes
        .flat_map(|prefix| {
            Csv::suffixes(is_search).map(|suffix| files::with_suffix(prefix, suffix))
        })
        .collect()
}

/// Prints and writes everything; a file that cannot be written does not keep the others from being. The record comes
/// first, for standard output may take nothing; when something could not be written after it, it is told so.
pub(super) fn report(args: &RunArgs, mut record: Record, log: Option<IntervalLog>) -> Result<()> {
    let mut files = Vec::new();
    let write_json = |record: &Record| match &args.json {
        Some(path) => files::write(path, record.to_json().as_bytes()),
        None => Ok(()),
    };
    let json = write_json(&record);
    if let (Some(path), Ok(())) = (&args.json, &json) {
        files.push(format!("Record: {}", path.display()));
    }
    let tables = args.csv.as_ref().map_or(Ok(()), |prefix| {
        let csv = Csv {
            full_history: args.csv_full_history,
        };
        for output in csv.outputs(&record)? {
            files::write(&files::with_suffix(prefix, output.suffix), &output.bytes)?;
        }
        files.push(format!(
            "CSV: {}_stats.csv and its three companions",
            prefix.display()
        ));
        Ok(())
    });
    let log = log.map_or(Ok(()), |log| {
        files.push(format!("Interval log: {}", log.end()?.display()));
        Ok(())
    });
    let console = Console {
        form: args.report.into(),
        width: columns(std::io::stdout()),
        colour: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        quiet: args.quiet,
        files,
    };
    print(console.text(&record));
    let errors = [&tables, &log].into_iter().filter_map(|written| {
        let error: &anyhow::Error = written.as_ref().err()?;
        Some(format!("{error:#}"))
    });
    let lost: Vec<String> = errors.chain(lost_so_far()).collect();
    if !lost.is_empty() && json.is_ok() {
        ending::put_lost_into(&mut record, lost);
        cannot(write_json(&record))?;
    }
    cannot(json)?;
    cannot(tables)?;
    cannot(log)
}
