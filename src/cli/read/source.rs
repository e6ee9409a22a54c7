//! Which scenario: a name, a file, or one URL.

use anyhow::{Context, Result, bail};

use crate::cli::args::RunArgs;
use crate::session::source::{Source, check_body_file};
use crate::session::target::{Target, shown};

/// The scenario that was asked for; with `--get` or `--url` one of a single step, and its target.
///
/// # Errors
/// When there is no such scenario, or a URL and a host contradict each other.
pub fn source(args: &RunArgs) -> Result<(Source, Option<Target>)> {
    let (url, flag, method) = match (&args.get, &args.url) {
        (Some(url), _) => (url, "--get", Some("GET")),
        (None, Some(url)) => (url, "--url", args.method.as_deref()),
        (None, None) => {
            let name = args.scenario.as_deref().or(args.scenario_flag.as_deref());
            return Ok((Source::named(name.unwrap_or("workflow"))?, None));
        }
    };
    let host = args.host.as_deref();
    let (target, path) = match (url.starts_with('/'), host) {
        (true, None) if args.mock || args.sockets.unix_socket.is_some() => (None, url.clone()),
        (true, None) => bail!(
            "{flag} {0} names no host; write http://localhost:8000{0}, or add --host or --mock",
            shown(url)
        ),
        (true, Some(host)) => (Some(Target::parse(host, "--host")?), url.clone()),
        (false, None) if !args.mock => {
            let mut target = Target::parse(url, flag)?;
            let path = std::mem::replace(&mut target.path, "/".into());
            (Some(target), path)
        }
        (false, _) => {
            bail!(
                "{flag} {} names a host, and so does --host or --mock; give a path to one of the two",
                shown(url)
            )
        }
    };
    check_body_file(args.body.as_deref())?;
    Ok((
        Source::of_url(flag, method, &path, args.body.as_deref()),
        target,
    ))
}

/// `NAME=URL` -> a named target's name and URL. What they may be is checked where the scenario is compiled.
///
/// # Errors
/// With the reason and an example.
pub fn parse_target(text: &str) -> Result<(String, String)> {
    match text.split_once('=') {
        Some((name, url)) if !name.contains("://") => Ok((name.trim().into(), url.trim().into())),
        _ => bail!(
            "--target {} takes NAME=URL, the name of one of the scenario's [targets] and its URL, for example login=http://localhost:9000; the service under test is --host",
            shown(text)
        ),
    }
}

/// `NAME: VALUE` -> a field's name and value as typed. What they may be is checked where they are compiled.
///
/// # Errors
/// With the reason; nothing is repeated, it may be a secret.
pub fn parse_header(text: &str) -> Result<(String, String)> {
    let Some((name, value)) = text.split_once(':') else {
        bail!("--header takes 'NAME: VALUE', with a colon between the two");
    };
    let name = name.trim();
    http::HeaderName::from_bytes(name.as_bytes()).context(
        "--header takes 'NAME: VALUE', and what stands before the colon is not a field name",
    )?;
    Ok((name.to_owned(), value.trim().to_owned()))
}
