//! What the user typed, carried out: one file per command, plus what several of them read from the command line.

pub mod args;
mod cores;
mod ending;
mod evidence;
mod faults;
pub mod hunt;
mod mock;
mod output;
mod prepare;
mod request;
mod rules;
mod run;
mod scenarios;
mod search;
mod signals;
mod sockets;
mod source;
mod target;
mod wishes;

use std::process::ExitCode;

use anyhow::Result;
use tracing_subscriber::filter::LevelFilter;

use args::{Cli, Command, IoChoice, LogArgs, LogLevel};

use crate::io::Backend;

pub(crate) use output::{lost_so_far, note, print, say};

/// The end of a command that was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(pub u8);

impl Exit {
    /// All well.
    pub const OK: Self = Self(0);
    /// It ended, but something failed.
    pub const FAILED: Self = Self(1);
    /// It could not be carried out, or something it made could not be written.
    pub const CANNOT: Self = Self(3);
    /// Interrupted; the report was written all the same.
    pub const INTERRUPTED: Self = Self(130);
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

/// An error whose cause lies with the machine or the target, not with what was typed: exit code 3 instead of 2.
#[derive(Debug)]
pub struct CannotCarryOut;

impl std::fmt::Display for CannotCarryOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the run could not be carried out")
    }
}

/// Marks an error as [`CannotCarryOut`].
pub(crate) fn cannot<T>(result: Result<T>) -> Result<T> {
    result.map_err(|error| error.context(CannotCarryOut))
}

/// Carries out a command.
///
/// # Errors
/// Wrong use, bad input, or what the machine or the target does not allow, with a remedy; nothing was measured then.
pub fn dispatch(cli: Cli) -> Result<Exit> {
    output::check(carry_out(cli.command))
}

fn carry_out(command: Command) -> Result<Exit> {
    match command {
        Command::Run(args) => {
            start_log(&args.log);
            run::run(&args)
        }
        Command::Search(args) => {
            start_log(&args.run.log);
            search::search(&args)
        }
        Command::Request(args) => {
            start_log(&args.log);
            request::request(&args)
        }
        Command::Mock(args) => {
            start_log(&args.log);
            mock::mock(&args)
        }
        Command::Scenarios(args) => scenarios::scenarios(args),
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
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
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
