//! `opsurge completions`: a script by which a shell completes commands and flags.

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::args::{Cli, CompletionsArgs, ShellChoice};
use crate::session::exit::Exit;
use crate::session::output::print;

/// Carries out the command.
pub fn completions(args: &CompletionsArgs) -> Result<Exit> {
    print(script(args.shell.into()));
    Ok(Exit::OK)
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "opsurge", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

impl From<ShellChoice> for Shell {
    fn from(choice: ShellChoice) -> Self {
        match choice {
            ShellChoice::Bash => Self::Bash,
            ShellChoice::Zsh => Self::Zsh,
            ShellChoice::Fish => Self::Fish,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_knows_every_command_and_its_flags() {
        let commands = Cli::command();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell);
            for command in commands.get_subcommands() {
                let name = command.get_name();
                assert!(script.contains(name), "{shell}: no {name}");
                for flag in command.get_arguments().filter_map(clap::Arg::get_long) {
                    assert!(script.contains(flag), "{shell}: no --{flag} of {name}");
                }
            }
        }
    }
}
