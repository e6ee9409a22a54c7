//! `opsurge run`: flags -> plan -> run -> record -> reports and exit code.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use anyhow::Result;

use crate::analysis::windows::Referee;
use crate::engine::{Footprint, Order, Second};
use crate::plan::duration;
use crate::plan::open::Arrivals;
use crate::report::console::{Style, render};
use crate::report::hdr::{IntervalLog, Stretch};
use crate::report::record::Record;
use crate::report::units::{bytes, counted, counted_to, three_digits};
use crate::report::{csv, files, live};

use super::args::RunArgs;
use super::evidence;
use super::prepare::{Prepared, check_files, compile_first};
use super::rules;
use super::wishes::Wishes;
use super::{Exit, cannot, note};

/// Width of the live line.
const LIVE_WIDTH: usize = 100;

/// Carries out the command.
pub fn run(args: &RunArgs) -> Result<Exit> {
    let wishes = Wishes::from_args(args)?;
    let (scenario, somewhere) = compile_first(&wishes)?;
    let load = wishes.load(&scenario)?;
    let mut referee = rules::referee(&wishes, &scenario, &load)?;
    check_files(args)?;
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
    record.rules = rules::records(referee, load_from_ns);
    report(args, &record, log)?;
    // A run without a single outcome has measured nothing, and cannot have gone well.
    let has_failed = record.totals.failures > 0 || record.totals.requests == 0;
    let is_bad = has_failed || record.rules.iter().any(|rule| rule.broken);
    Ok(match is_bad {
        _ if carried.interrupted => Exit::INTERRUPTED,
        false => Exit::OK,
        true => Exit(args.exit_code_on_error),
    })
}

/// Shows a second to those who judge; whether the run is to end.
fn look(referee: &mut Referee, second: &Second<'_>) -> bool {
    let Some(from_ns) = second.load_from_ns else {
        return false;
    };
    match second.begin_ns.checked_sub(from_ns) {
        Some(begin_ns) => referee.on_second(begin_ns, second.end_ns - from_ns, second.interval),
        None => false,
    }
}

/// What is about to be done, on what.
fn announce(args: &RunArgs, wishes: &Wishes<'_>, prepared: &Prepared) {
    if args.quiet {
        return;
    }
    let plan = &prepared.plan;
    let until = match (plan.run_time_ns, plan.load.iterations) {
        (Some(ns), None) => format!("for {}", duration::show(Duration::from_nanos(ns))),
        (Some(ns), Some(all)) => {
            let time = duration::show(Duration::from_nanos(ns));
            format!("for {} or {time}", counted(all, "iteration"))
        }
        (None, Some(all)) => format!("for {}", counted(all, "iteration")),
        (None, None) => "until Ctrl-C".to_owned(),
    };
    let load = match &plan.open {
        None => counted(plan.load.users_at_once(), "user"),
        Some(open) => format!(
            "{} iterations/s{} by {}",
            three_digits(open.rate_max),
            match open.arrivals {
                Arrivals::Constant => "",
                Arrivals::Poisson => " (Poisson)",
            },
            counted_to(open.users_ready, open.users_max, "user")
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
    note(memory_line(&prepared.footprint, prepared.program_bytes));
    notes(args, wishes, prepared);
}

/// What the run is expected to take of memory, and what for.
fn memory_line(footprint: &Footprint, program_bytes: u64) -> String {
    let counted = |count: usize, what: &str| counted(count as u64, what);
    format!(
        "memory: about {} ({} at {} B and {} B of variables, {} {}, figures {}, buffers {}, the program {}); {} if all wait at once",
        bytes(footprint.bytes() as u64 + program_bytes),
        counted(footprint.users, "user"),
        footprint.of_user,
        footprint.of_variables,
        counted(footprint.connections, "connection"),
        bytes(footprint.of_connections as u64),
        bytes(footprint.figures as u64),
        bytes(footprint.buffers as u64),
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
            let line = live::line(end_s, length_s, second.interval, self.failures, LIVE_WIDTH);
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

/// Prints and writes everything; a file that cannot be written does not keep the others from being.
pub(super) fn report(args: &RunArgs, record: &Record, log: Option<IntervalLog>) -> Result<()> {
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
    let log = log.map(|log| {
        text += &format!("Interval log: {}\n", log.end()?.display());
        Ok(())
    });
    // Whoever reads may have gone (`| head`); the files are written all the same.
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    cannot(json.unwrap_or(Ok(())))?;
    cannot(tables.unwrap_or(Ok(())))?;
    cannot(log.unwrap_or(Ok(())))
}
