//! Parses, dispatches on the command, prints the error, sets the exit code.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::panic::catch_unwind;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::Parser;
use clap::error::{self as wrong, ContextKind, ContextValue};

use opsurge::cli::args::Cli;
use opsurge::cli::understood::{Understood, understand};
use opsurge::cli::{dispatch, topic};
use opsurge::io::process;
use opsurge::session::exit::{CannotCarryOut, Exit};

fn main() -> ExitCode {
    process::ignore_file_size_signal();
    let given: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Option<Vec<String>> = given
        .iter()
        .map(|it| it.to_str().map(str::to_owned))
        .collect();
    if let Some(answered) = words.as_deref().and_then(topic) {
        return end(answered);
    }
    let env = |name: &str| std::env::var(name).ok();
    // Words that are not Unicode are paths of files, and are left as they are.
    let (understood, words) = match words.map(|words| understand(&words, &env)) {
        Some(Ok(understood)) => {
            let words = understood.words.iter().map(OsString::from).collect();
            (understood, words)
        }
        Some(Err(error)) => return end(Err(error)),
        None => (Understood::as_given(&given), given),
    };
    let program = [OsString::from("opsurge")];
    let cli = match Cli::try_parse_from(program.into_iter().chain(words)) {
        Ok(cli) => cli,
        Err(error) => return answer(&without_secrets(error)),
    };
    // The panic message gives the place; this gives it the form of every error.
    let ended = catch_unwind(|| dispatch(cli, understood)).unwrap_or_else(|_| {
        let defect =
            anyhow!("opsurge panicked, which is a defect; please report what is said above");
        Err(defect.context(CannotCarryOut))
    });
    end(ended)
}

/// The exit code of a command; its error is printed.
fn end(ended: anyhow::Result<Exit>) -> ExitCode {
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => {
            let cannot = error.is::<CannotCarryOut>();
            let skipped = usize::from(cannot);
            let causes: Vec<String> = error
                .chain()
                .skip(skipped)
                .map(ToString::to_string)
                .collect();
            say_wrong(&causes.join(": "));
            ExitCode::from(if cannot { 3 } else { 2 })
        }
    }
}

/// Prints help, the version, or the error of a command line.
fn answer(error: &clap::Error) -> ExitCode {
    let code = error.exit_code().try_into().unwrap_or(2);
    match error.print() {
        Err(lost) if !error.use_stderr() && lost.kind() != ErrorKind::BrokenPipe => {
            say_wrong(&format!("standard output could not be written: {lost}"));
            ExitCode::from(3)
        }
        _ => ExitCode::from(code),
    }
}

/// Standard error may be full or closed: the exit code says enough then.
fn say_wrong(text: &str) {
    let _ = writeln!(io::stderr(), "error: {text}");
}

/// An unexpected argument may be a secret that a shell took for a word of its own. Flags are repeated, and
/// what may be a misspelt command.
fn without_secrets(mut error: clap::Error) -> clap::Error {
    let (kind, is_shown): (_, fn(&str) -> bool) = match error.kind() {
        wrong::ErrorKind::UnknownArgument => {
            (ContextKind::InvalidArg, |text| text.starts_with('-'))
        }
        wrong::ErrorKind::InvalidSubcommand => (ContextKind::InvalidSubcommand, |text| {
            text.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        }),
        _ => return error,
    };
    if let Some(ContextValue::String(text)) = error.get(kind)
        && !is_shown(text)
    {
        error.insert(kind, ContextValue::String("…".into()));
    }
    error
}
