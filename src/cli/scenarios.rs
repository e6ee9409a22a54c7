//! `opsurge scenarios`: what comes with the program.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::plan::compile::{Context as Compile, compile};
use crate::plan::place::did_you_mean;
use crate::plan::{BUILTIN, builtin};

use super::args::{ScenariosAction, ScenariosArgs};
use super::{Exit, say};

/// Carries out the command.
pub fn scenarios(args: ScenariosArgs) -> Result<Exit> {
    match args.action.unwrap_or(ScenariosAction::List) {
        ScenariosAction::List => {
            for builtin in &BUILTIN {
                let context = Compile {
                    authority: "localhost",
                    base_path: "",
                    api_key: Some("not shown".into()),
                    api_key_env: "OPSCORE_API_KEY",
                    env: &|_| None,
                    headers: &[],
                    wait: None,
                    pause: None,
                };
                let scenario = compile(builtin.name, builtin.text, &context)?;
                say(format_args!(
                    "{:>2}  {:<14} {}",
                    builtin.number, builtin.name, scenario.about
                ));
            }
        }
        ScenariosAction::Show { name } => say(text_of_builtin(&name)?.1.trim_end()),
    }
    Ok(Exit::OK)
}

/// Name and text of a scenario: a file when it looks like one, else a built-in one.
pub(super) fn load(name: &str) -> Result<(String, String)> {
    if name.ends_with(".toml") || name.contains('/') || Path::new(name).is_file() {
        let bytes =
            std::fs::read(name).with_context(|| format!("the scenario {name} cannot be read"))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            anyhow::anyhow!("the scenario {name} is not UTF-8: byte {at} begins no character")
        })?;
        return Ok((name.to_owned(), text));
    }
    let (name, text) = text_of_builtin(name)?;
    Ok((name.to_owned(), text.to_owned()))
}

fn text_of_builtin(name: &str) -> Result<(&'static str, &'static str)> {
    let Some(found) = builtin(name) else {
        let near = did_you_mean(name, BUILTIN.iter().map(|builtin| builtin.name));
        let all: Vec<&str> = BUILTIN.iter().map(|builtin| builtin.name).collect();
        bail!(
            "no scenario \"{name}\"{near} Built in: {}; or name a file ending in .toml",
            all.join(", ")
        );
    };
    Ok((found.name, found.text))
}
