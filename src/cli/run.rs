//! `opsurge run` and `opsurge search`: a job -> a session -> reports and exit code.

use std::sync::Arc;

use anyhow::Result;

use crate::metrics::tick::Ticks;
use crate::record::files;
use crate::record::schema::Record;
use crate::report::console::{Console, Form};
use crate::report::csv::Csv;
use crate::session::ending;
use crate::session::exit::{Exit, cannot};
use crate::session::job::Job;
use crate::session::orders;
use crate::session::output::{columns, has_colour, lost_so_far, print};
use crate::session::prepare::Prepared;
use crate::session::run::{Finished, Session};

use super::announce::{announce, say};
use super::args::{RunArgs, SearchArgs};
use super::display::{Display, Shown};
use super::web::{Listening, Served};
use super::{ci, command, read, results};

/// `opsurge run`.
pub fn run(args: &RunArgs) -> Result<Exit> {
    read::repeat::refuse_pause_alone(args)?;
    carry_out(read::run::job(args)?)
}

/// `opsurge search`.
pub fn search(args: &SearchArgs) -> Result<Exit> {
    carry_out(read::search::job(args)?)
}

fn carry_out(mut job: Job) -> Result<Exit> {
    let listening = job.outputs.web.map(Listening::open).transpose()?;
    let has_orders = listening.as_ref().is_some_and(Listening::has_control);
    if has_orders || Shown::of(job.outputs.live)? == Shown::Screen {
        orders::allow(&mut job.traffic);
    }
    let session = Session::prepare(job)?;
    if !session.outputs.quiet {
        announce(&session);
    }
    let mut served = None;
    let finished = carried(session, |prepared, ticks| {
        served = listening.and_then(|listening| listening.serve(prepared, ticks));
        served.as_ref().map(Served::url)
    })?;
    if let Some(served) = &mut served {
        served.finish(&finished.record);
    }
    let ending = finished.ending.clone();
    let exit = ending.exit(write_out(finished));
    if let Some(served) = served {
        served.linger(exit.as_ref().copied().unwrap_or(Exit::CANNOT));
    }
    exit
}

/// Runs a session to its end, with its live display, and with the page that `start` adds to it and gives the address of.
///
/// # Errors
/// When the run could not begin, or what is to be shown cannot be.
pub(super) fn carried(
    session: Session,
    start: impl FnOnce(&Prepared, &Arc<Ticks>) -> Option<String>,
) -> Result<Finished> {
    let is_quiet = session.outputs.quiet;
    let shown = Shown::of(session.outputs.live)?;
    let ticks = Arc::new(Ticks::default());
    let page = start(&session.prepared, &ticks);
    let display = Display::start(shown, &session.prepared, ticks.clone(), page);
    let finished = session.carry_out(&ticks, &mut |notice| say(&notice, is_quiet));
    ticks.close();
    let screen_cpu_s = display.end();
    let mut finished = finished?;
    finished.record.generator.screen_cpu_s = screen_cpu_s;
    finished.record.run.command = command::of_process();
    Ok(finished)
}

/// Prints and writes everything; a file that cannot be written does not keep the others from being. The record comes
/// first, for standard output may take nothing; when something could not be written after it, it is told so.
///
/// # Errors
/// When something could not be written.
pub(super) fn write_out(finished: Finished) -> Result<()> {
    let Finished {
        mut record,
        log,
        outputs,
        ..
    } = finished;
    let mut files = Vec::new();
    let write_json = |record: &Record| match &outputs.json {
        Some(path) => files::write(path, record.to_json().as_bytes()),
        None => Ok(()),
    };
    let json = write_json(&record);
    if let (Some(path), Ok(())) = (&outputs.json, &json) {
        files.push(format!("Record: {}", path.display()));
    }
    let tables = outputs.csv.as_ref().map_or(Ok(()), |prefix| {
        let csv = Csv {
            full_history: outputs.csv_full_history,
        };
        files.push(results::write_csv(&csv, prefix, &record)?);
        Ok(())
    });
    let page = outputs.html.as_ref().map_or(Ok(()), |path| {
        files.push(results::write_html(path, &record)?);
        Ok(())
    });
    let log = log.map_or(Ok(()), |log| {
        files.push(format!("Interval log: {}", log.end()?.display()));
        Ok(())
    });
    let for_servers = ci::write(&outputs.ci, &record, &mut files);
    let console = Console {
        form: match outputs.is_full {
            true => Form::Full,
            false => Form::Short,
        },
        width: columns(std::io::stdout()),
        colour: has_colour(),
        quiet: outputs.quiet,
        files,
    };
    print(console.text(&record));
    ci::annotate(&outputs.ci, &record);
    let errors = [&tables, &page, &log, &for_servers]
        .into_iter()
        .filter_map(|written| {
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
    cannot(page)?;
    cannot(log)?;
    cannot(for_servers)
}
