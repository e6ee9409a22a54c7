//! The command line: one file per command.
//!
//! Reading order: `understood` (words as they are meant, with `words`, `foreign_flags` and `settings`: defaults of flags),
//! [`args`] (clap's structs), `read` (Args -> Job), then the commands: `run` (with search, `announce`, `display`
//! and `web`), `repeat`, `calibrate`, `worker` (with `lane`), `request`, `mock`, `scenarios` (with `import`), `doctor`, `help`
//! (topics), `report`, `merge`, `compare` and `compare_runs` (with `sides`; `stored`: records read again; `results`: files
//! written; `ci`: those for build servers), and what packages are made of: `completions`, `man`, `version`.

mod announce;
pub mod args;
mod calibrate;
mod ci;
mod command;
mod compare;
mod compare_runs;
mod completions;
mod display;
mod doctor;
mod foreign_flags;
mod help;
mod import;
#[cfg(feature = "locust")]
mod lane;
mod man;
mod merge;
mod mix_table;
mod mock;
mod read;
mod repeat;
mod repeated;
mod report;
mod request;
mod results;
mod run;
mod scenarios;
mod settings;
mod sides;
mod stored;
pub mod understood;
mod version;
mod web;
mod words;
#[cfg(feature = "locust")]
mod worker;

use anyhow::Result;
use tracing_subscriber::filter::LevelFilter;

use args::{Cli, Command, IoChoice, LogArgs, LogLevel, ReportForm};

pub use help::topic;

use crate::io::Backend;
use crate::report::console::Form;
use crate::session::exit::Exit;
use crate::session::output::LogLine;

/// Carries out a command.
///
/// # Errors
/// Wrong use, bad input, or what the machine or the target does not allow, with a remedy; nothing was measured then.
pub fn dispatch(cli: Cli, understood: understood::Understood) -> Result<Exit> {
    if let Some(shown) = understood.shown() {
        crate::session::output::note(shown);
    }
    command::remember(understood.words);
    crate::session::output::check(carry_out(cli.command))
}

fn carry_out(command: Command) -> Result<Exit> {
    match command {
        Command::Run(args) => {
            start_log(&args.log);
            match args.repeat {
                None => run::run(&args),
                Some(_) => repeat::run(&args),
            }
        }
        Command::Search(args) => {
            start_log(&args.run.log);
            run::search(&args)
        }
        Command::Calibrate(args) => {
            start_log(&args.run.log);
            calibrate::calibrate(*args)
        }
        Command::Request(args) => {
            start_log(&args.log);
            request::request(&args)
        }
        Command::Mock(args) => {
            start_log(&args.log);
            mock::mock(&args)
        }
        Command::Report(args) => report::report(&args),
        Command::Compare(args) => {
            start_log(&args.flags.log);
            match args.run {
                false => compare::compare(&args),
                true => compare_runs::compare_runs(&args),
            }
        }
        #[cfg(feature = "locust")]
        Command::Worker(args) => {
            start_log(&args.run.log);
            worker::worker(*args)
        }
        #[cfg(not(feature = "locust"))]
        Command::Worker(_) => version::left_out("the worker of a Locust master", "locust"),
        Command::Merge(args) => merge::run(&args),
        Command::Scenarios(args) => scenarios::scenarios(args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => man::man(&args),
    }
}

fn start_log(args: &LogArgs) {
    let level = match args.log_level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(|| LogLine)
        .with_target(false)
        .init();
}

impl From<ReportForm> for Form {
    fn from(form: ReportForm) -> Self {
        match form {
            ReportForm::Short => Self::Short,
            ReportForm::Full => Self::Full,
        }
    }
}

impl From<IoChoice> for Backend {
    fn from(choice: IoChoice) -> Self {
        match choice {
            IoChoice::Auto => Self::Auto,
            IoChoice::Uring => Self::Uring,
            IoChoice::Epoll => Self::Epoll,
        }
    }
}
