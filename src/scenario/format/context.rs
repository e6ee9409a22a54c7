//! What a scenario is compiled with beside its text: key, environment, files, flags.

use crate::http::request::Shared;
use crate::scenario::wait::Wait;

/// What a scenario is compiled with. The target is not part of it: [`Scenario::bind`] gives it afterwards.
///
/// [`Scenario::bind`]: crate::scenario::model::Scenario::bind
pub struct Context<'c> {
    /// The API key, if it is known.
    pub api_key: Option<String>,
    /// The environment variable of the API key, for error messages.
    pub api_key_env: &'c str,
    /// Looks up an environment variable.
    pub env: &'c dyn Fn(&str) -> Option<String>,
    /// Reads a file that the scenario names, with the same contents each time; the error is the reason.
    pub read: &'c dyn Fn(&str) -> Result<Shared, String>,
    /// Fields for every request, from the command line: names as typed, and values, with holes.
    pub headers: &'c [(String, String)],
    /// Values that the setup has extracted, by name; before it has run they are not known.
    pub setup: &'c [(String, String)],
    /// URLs of named targets that replace those of the scenario, by name.
    pub targets: &'c [(String, String)],
    /// Allows methods that a scenario cannot have.
    pub any_method: bool,
    /// Replaces the scenario's wait.
    pub wait: Option<Wait>,
    /// Replaces the pauses after steps.
    pub pause: Option<Wait>,
}

impl Context<'_> {
    /// No key, no environment, no files, no flags.
    pub fn plain() -> Self {
        Self {
            api_key: None,
            api_key_env: "OPSCORE_API_KEY",
            env: &|_| None,
            read: &|_| Err("files are not read here".into()),
            headers: &[],
            setup: &[],
            targets: &[],
            any_method: false,
            wait: None,
            pause: None,
        }
    }
}
