//! Parses, dispatches on the command, prints the error, sets the exit code.

use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use opsurge::cli::args::Cli;
use opsurge::cli::{CannotCarryOut, dispatch};

fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| without_secrets(error).exit());
    match dispatch(cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let cannot = error.is::<CannotCarryOut>();
            let skipped = usize::from(cannot);
            let causes: Vec<String> = error
                .chain()
                .skip(skipped)
                .map(ToString::to_string)
                .collect();
            eprintln!("error: {}", causes.join(": "));
            ExitCode::from(if cannot { 3 } else { 2 })
        }
    }
}

/// An argument that nobody expects may be a secret that a shell took for a word of its own. Flags are repeated, and
/// what may be a misspelt command.
fn without_secrets(mut error: clap::Error) -> clap::Error {
    let (kind, is_shown): (_, fn(&str) -> bool) = match error.kind() {
        ErrorKind::UnknownArgument => (ContextKind::InvalidArg, |text| text.starts_with('-')),
        ErrorKind::InvalidSubcommand => (ContextKind::InvalidSubcommand, |text| {
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
