//! `opsurge man`: one manual page for the program and one for each command.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::args::{Cli, ManArgs};
use crate::session::exit::{Exit, cannot};
use crate::session::output::say;

/// Carries out the command.
pub fn man(args: &ManArgs) -> Result<Exit> {
    let folder = &args.folder;
    let written = fs::create_dir_all(folder)
        .and_then(|()| {
            let mut whole = Cli::command().disable_help_subcommand(true);
            whole.build();
            write(&whole, folder)
        })
        .with_context(|| {
            format!(
                "manual pages could not be written to {}; give a folder that can be written to",
                folder.display()
            )
        });
    cannot(written)?;
    say(format_args!(
        "manual pages: {}; for example: man -l {}",
        folder.display(),
        folder.join("opsurge.1").display()
    ));
    Ok(Exit::OK)
}

/// Writes the page of a command and those of its subcommands.
fn write(command: &Command, folder: &Path) -> std::io::Result<()> {
    for subcommand in command.get_subcommands() {
        write(subcommand, folder)?;
    }
    let page = Man::new(command.clone()).source(concat!("opsurge ", env!("CARGO_PKG_VERSION")));
    let mut roff = Vec::new();
    page.render(&mut roff)?;
    let roff = with_titles(&String::from_utf8_lossy(&roff));
    fs::write(folder.join(page.get_filename()), roff)
}

/// The crate calls what stands below the flags EXTRA: here examples, whose lines are kept, or topics of the help.
fn with_titles(roff: &str) -> String {
    match roff.split_once("\n.SH EXTRA\nExamples:\n") {
        Some((flags, examples)) => {
            format!("{flags}\n.SH EXAMPLES\n.nf\n{}\n.fi\n", examples.trim_end())
        }
        None => roff.replace("\n.SH EXTRA\nTopics: ", "\n.SH TOPICS\n"),
    }
}
