//! Parses, dispatches on the command, prints the error, sets the exit code.

use std::process::ExitCode;

use clap::Parser;

use opsurge::cli::args::Cli;
use opsurge::cli::{CannotCarryOut, dispatch};

fn main() -> ExitCode {
    let cli = Cli::parse();
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
