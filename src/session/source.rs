//! Where a scenario's text comes from: a file, the program itself, or one URL.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use serde_json::Value as Json;

use crate::http::request::Shared;
use crate::scenario::builtin::{BUILTIN, builtin};
use crate::scenario::format::compile::{Context as Compile, compile};
use crate::scenario::model::Scenario;
use crate::scenario::wait::Wait;
use crate::text::suggest::did_you_mean;

use super::target::shown;

/// Files of a folder that are looked at for a name like a misspelt one.
const NEAR_FILES_MAX: usize = 1_000;

/// A scenario's text.
pub struct Source {
    /// Its name in errors.
    pub origin: String,
    /// The text.
    pub text: String,
    /// Where the files lie that it names.
    folder: PathBuf,
    /// The files that it names and that have been read. A scenario is compiled several times, and a pipe can be read
    /// once; so what is checked is what is sent, whatever happens to the file meanwhile.
    files: RefCell<HashMap<PathBuf, Shared>>,
}

impl Source {
    /// A scenario of one step.
    pub fn of_url(origin: &str, method: Option<&str>, path: &str, body: Option<&str>) -> Self {
        let method = method.unwrap_or(if body.is_some() { "POST" } else { "GET" });
        Self::new(origin, of_one_step(method, path, body), Path::new("."))
    }

    fn new(origin: &str, text: String, folder: &Path) -> Self {
        Self {
            origin: origin.to_owned(),
            text,
            folder: folder.to_owned(),
            files: RefCell::default(),
        }
    }

    /// A file when it looks like one, else a built-in scenario.
    pub fn named(name: &str) -> Result<Self> {
        let path = Path::new(name);
        // A pipe is one too.
        let is_file = path.metadata().is_ok_and(|it| !it.is_dir());
        if !name.ends_with(".toml") && !name.contains('/') && !is_file {
            let (name, text) = text_of_builtin(name)?;
            return Ok(Self::new(name, text.to_owned(), Path::new(".")));
        }
        let bytes = std::fs::read(name).map_err(|error| {
            let near = near_file(path);
            anyhow!("the scenario {} cannot be read: {error}{near}", shown(name))
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            anyhow!("the scenario {name} is not UTF-8: byte {at} begins no character")
        })?;
        Ok(Self::new(name, text, &folder_of(path)))
    }

    /// A file that the scenario names, relative to its own place; read once. The error is the reason.
    pub fn read(&self, name: &str) -> Result<Shared, String> {
        let path = self.folder.join(name);
        if let Some(bytes) = self.files.borrow().get(&path) {
            return Ok(Arc::clone(bytes));
        }
        let read = std::fs::read(&path);
        let bytes = Arc::new(read.map_err(|error| format!("{error}{}", near_file(&path)))?);
        self.files.borrow_mut().insert(path, Arc::clone(&bytes));
        Ok(bytes)
    }
}

/// A scenario with what the command line adds to it.
pub struct ScenarioText {
    pub source: Source,
    /// Fields for every request: names as typed, and values with holes.
    pub headers: Vec<(String, String)>,
    /// URLs of named targets, by name, instead of those of the scenario.
    pub targets: Vec<(String, String)>,
    pub api_key: Option<String>,
    /// The environment variable of the key, as a message may repeat it.
    pub api_key_env: String,
    /// Instead of the scenario's wait.
    pub wait: Option<Wait>,
    /// Instead of the pauses after steps.
    pub pause: Option<Wait>,
    /// Methods beside those that a scenario can have are allowed.
    pub any_method: bool,
}

impl ScenarioText {
    /// The scenario, not yet bound to a target.
    ///
    /// # Errors
    /// The first thing that is wrong in it, with its place.
    pub fn compile(&self) -> Result<Scenario> {
        self.compile_with(&[])
    }

    /// The same with the values that the setup has extracted, by name.
    ///
    /// # Errors
    /// The first thing that is wrong in it, with its place.
    pub fn compile_with(&self, setup: &[(String, String)]) -> Result<Scenario> {
        let context = Compile {
            api_key: self.api_key.clone(),
            api_key_env: &self.api_key_env,
            env: &|name| std::env::var(name).ok(),
            read: &|name| self.source.read(name),
            headers: &self.headers,
            setup,
            targets: &self.targets,
            wait: self.wait,
            pause: self.pause,
            any_method: self.any_method,
        };
        Ok(compile(&self.source.origin, &self.source.text, &context)?)
    }
}

/// The file in the same folder whose name is nearest to one that is not there, as a question.
fn near_file(path: &Path) -> String {
    let (Some(name), Some(folder)) = (path.file_name().and_then(OsStr::to_str), path.parent())
    else {
        return String::new();
    };
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let is_missing = path.symlink_metadata().is_err();
    let Some(entries) = std::fs::read_dir(folder).ok().filter(|_| is_missing) else {
        return String::new();
    };
    let names = entries
        .take(NEAR_FILES_MAX)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let names: Vec<String> = names.collect();
    did_you_mean(name, names.iter().map(String::as_str))
}

/// Checks that the file of `--body @FILE` is there.
///
/// # Errors
/// The flag, the reason, and the nearest file.
pub fn check_body_file(body: Option<&str>) -> Result<()> {
    let Some(file) = body.and_then(|body| body.strip_prefix('@')) else {
        return Ok(());
    };
    let path = Path::new(file);
    match path.metadata() {
        Ok(found) if found.is_dir() => bail!("--body @{file}: {file} is a folder; @ takes a file"),
        Ok(_) => Ok(()),
        Err(error) => bail!(
            "--body @{file}: the file cannot be read: {error}{}",
            near_file(path)
        ),
    }
}

/// Where a scenario lies. A pipe (`<(...)`, `/dev/stdin`) is in no folder of the user's, but what one of these names may
/// be a file.
fn folder_of(path: &Path) -> PathBuf {
    let target = match path.starts_with("/dev") || path.starts_with("/proc") {
        true => path.canonicalize().unwrap_or_default(),
        false => path.to_owned(),
    };
    match target.parent().filter(|_| target.is_file()) {
        Some(folder) => folder.to_owned(),
        None => PathBuf::from("."),
    }
}

/// Name and text of a built-in scenario.
pub fn text_of_builtin(name: &str) -> Result<(&'static str, &'static str)> {
    let Some(found) = builtin(name) else {
        let near = did_you_mean(name, BUILTIN.iter().map(|builtin| builtin.name));
        let all: Vec<&str> = BUILTIN.iter().map(|builtin| builtin.name).collect();
        // It may be a secret that a shell took for a word of its own.
        let is_word = |c: char| c.is_ascii_lowercase() || c == '-';
        let called = match name.chars().all(is_word) || !near.is_empty() {
            true => format!("no scenario \"{name}\""),
            false => "there is no such scenario".to_owned(),
        };
        let stop = if near.is_empty() { "." } else { "" };
        bail!(
            "{called}{near}{stop} Built in: {}; or name a file ending in .toml",
            all.join(", ")
        );
    };
    Ok((found.name, found.text))
}

/// The scenario of one request, as wrk's users expect it: 10 users, 10 seconds, no wait.
fn of_one_step(method: &str, path: &str, body: Option<&str>) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let counted_as = path.split('?').next().unwrap_or(path);
    let mut text = format!(
        "name = {}\nload = {{ users = 10, run_time = \"10s\" }}\n[[task]]\nname = {}\nmethod = {}\npath = {}\n",
        quoted(&format!("{method} {counted_as}")),
        quoted(counted_as),
        quoted(method),
        quoted(path),
    );
    if let Some(body) = body {
        let (key, value) = match body.strip_prefix('@') {
            Some(file) => ("file", file),
            None if serde_json::from_str::<Json>(body).is_ok() => ("json", body),
            None => ("text", body),
        };
        text += &format!("{key} = {}\n", quoted(value));
    }
    text
}
