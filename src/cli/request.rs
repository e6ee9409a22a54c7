//! `opsurge request`: one request, shown in full.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use serde::Serialize;
use socket2::SockAddr;

use crate::http::body::describe_binary;
use crate::http::request::is_secret_field;
use crate::http::response::field;
use crate::scenario::secrets::Secrets;
use crate::session::connecting::Connecting;
use crate::session::exchange::{Ended, Exchange, Request, exchange};
use crate::session::exit::{Exit, cannot};
use crate::session::output::say;
use crate::session::source::{ScenarioText, Source, check_body_file};
use crate::session::target::Target;
use crate::session::tls;
use crate::text::duration;
use crate::text::printable::{in_lines, in_one_line};
use crate::text::units::{counted, grouped};

use super::args::RequestArgs;
use super::read::sockets::connecting;
use super::read::source::parse_header;

/// Environment variable of `{{api_key}}`.
const API_KEY_ENV: &str = "OPSCORE_API_KEY";
/// Interim heads (1xx) that are shown.
const SHOWN_INTERIM_HEADS: usize = 8;

/// What `--json` prints. `outcome` is `ok` for any complete answer, else the kind of failure.
#[derive(Debug, Serialize)]
struct Report {
    outcome: &'static str,
    status: Option<u16>,
    body_bytes: u64,
    interim: u32,
    reusable: bool,
    elapsed_us: f64,
    detail: Option<String>,
}

/// Carries out the command.
pub fn request(args: &RequestArgs) -> Result<Exit> {
    let target = Target::parse(&args.url, "the URL")?;
    let timeout = duration::parse(&args.timeout).context("--timeout")?;
    let text = scenario_text(args, &target)?;
    let connecting = connecting(&args.sockets, &args.tls)?;
    // The path of the URL is the step's own.
    let scenario = text.compile()?.bind(&target.authority, "");
    let addresses = addresses_of(&target, &connecting)?;
    let tls = tls::client(&target, connecting.tls)?;
    let (exchange, secrets) = cannot(exchange(Request {
        scenario,
        addresses,
        sockets: connecting.sockets,
        tls,
        backend: args.io.into(),
        timeout_ns: timeout.as_nanos() as u64,
    }))?;
    let report = report(&exchange);
    match args.json {
        true => say(serde_json::to_string(&report)?),
        false => show(&report, &exchange, &secrets),
    }
    Ok(match report.outcome {
        "ok" => Exit::OK,
        _ => Exit::FAILED,
    })
}

/// The scenario of the one request: the same checks, fields and holes as in `run --url`.
fn scenario_text(args: &RequestArgs, target: &Target) -> Result<ScenarioText> {
    let method = args.method.as_deref();
    if let Some(method) = method {
        http::Method::from_bytes(method.as_bytes())
            .with_context(|| format!("-X {method} is not a method (RFC 9110 section 9.1)"))?;
    }
    check_body_file(args.body.as_deref())?;
    let headers = args.headers.iter().map(|header| parse_header(header));
    Ok(ScenarioText {
        source: Source::of_url("the URL", method, &target.path, args.body.as_deref()),
        headers: headers.collect::<Result<_>>()?,
        targets: Vec::new(),
        api_key: std::env::var(API_KEY_ENV)
            .ok()
            .filter(|key| !key.is_empty()),
        api_key_env: API_KEY_ENV.into(),
        wait: None,
        pause: None,
        any_method: true,
    })
}

/// Where to. One connection is tried on TCP too, by the request itself.
fn addresses_of(target: &Target, connecting: &Connecting) -> Result<Vec<SockAddr>> {
    if connecting.unix_address()?.is_some() {
        return connecting.reach(target);
    }
    let addresses = cannot(target.addresses(&connecting.resolved))?;
    connecting.prove(&addresses)?;
    Ok(addresses)
}

fn report(exchange: &Exchange) -> Report {
    let mut report = Report {
        outcome: "ok",
        status: None,
        body_bytes: 0,
        interim: exchange.interim,
        reusable: false,
        elapsed_us: exchange.elapsed_ns as f64 / 1e3,
        detail: None,
    };
    match &exchange.ended {
        Some(Ended::Answered {
            status,
            body_bytes,
            reusable,
        }) => {
            report.status = Some(*status);
            (report.body_bytes, report.reusable) = (*body_bytes, *reusable);
        }
        Some(Ended::Failed { failure, detail }) => {
            report.outcome = failure.name();
            report.detail = Some(detail.clone());
        }
        None => report.outcome = "cut-off",
    }
    report
}

fn show(report: &Report, exchange: &Exchange, secrets: &Secrets) {
    for line in head_lines(&exchange.sent, secrets) {
        say(format_args!("> {line}"));
    }
    say("");
    if report.status.is_some() {
        let interim = heads(&exchange.stream).take(report.interim as usize);
        for head in interim.take(SHOWN_INTERIM_HEADS) {
            head_lines(head, secrets)
                .iter()
                .for_each(|line| say(format_args!("< {line}")));
            say("<");
        }
        let more = u64::from(report.interim).saturating_sub(SHOWN_INTERIM_HEADS as u64);
        if more > 0 {
            say(format_args!(
                "… and {} more interim answers (1xx)",
                grouped(more)
            ));
        }
        for line in head_lines(&exchange.head, secrets) {
            say(format_args!("< {line}"));
        }
        say("");
        let encoding = field(&exchange.head, "content-encoding");
        let for_terminal = std::io::stdout().is_terminal();
        if !exchange.body.is_empty() {
            let body = shown_body(
                &exchange.body,
                report.body_bytes,
                encoding.as_deref(),
                secrets,
            );
            say(if for_terminal { in_lines(&body) } else { body });
        }
        let is_shown_in_part = report.body_bytes > exchange.body.len() as u64;
        if is_shown_in_part {
            say(format_args!(
                "… {} bytes in all",
                grouped(report.body_bytes)
            ));
        }
    }
    let elapsed_ms = report.elapsed_us / 1_000.0;
    match (&report.detail, report.status) {
        (Some(detail), _) => say(format_args!(
            "{}: {detail} (after {elapsed_ms:.3} ms)",
            report.outcome
        )),
        (None, status) => say(format_args!(
            "status {}, {} of body, {elapsed_ms:.3} ms with connect, connection {}",
            status.unwrap_or_default(),
            counted(report.body_bytes, "byte"),
            if report.reusable {
                "reusable"
            } else {
                "not reusable"
            },
        )),
    }
}

/// A body as it is shown: what is no text is only named. A server may repeat what it was sent.
fn shown_body(body: &[u8], bytes: u64, encoding: Option<&[u8]>, secrets: &Secrets) -> String {
    if let Some(description) = describe_binary(body, bytes, encoding) {
        return description;
    }
    let text = String::from_utf8_lossy(body);
    match bytes == body.len() as u64 {
        true => secrets.mask(&text),
        false => secrets.mask_cut(&text),
    }
}

/// The whole heads that a stream begins with, one after the other.
fn heads(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = stream;
    std::iter::from_fn(move || {
        // A line may end in LF alone (RFC 9112 section 2.2).
        let ends = [&b"\n\r\n"[..], b"\n\n"];
        let end = |end: &&[u8]| {
            rest.windows(end.len())
                .position(|it| it == *end)
                .map(|at| at + end.len())
        };
        let (head, after) = rest.split_at(ends.iter().filter_map(end).min()?);
        rest = after;
        Some(head)
    })
}

/// The lines of a head up to the empty one: secrets masked, what a terminal would obey escaped.
fn head_lines(bytes: &[u8], secrets: &Secrets) -> Vec<String> {
    let head = heads(bytes).next().unwrap_or(bytes);
    let text = String::from_utf8_lossy(head);
    text.lines()
        .take_while(|line| !line.is_empty())
        .map(|line| match line.split_once(':') {
            Some((name, _)) if is_secret_field(name) => format!("{}: ***", secrets.mask(name)),
            // A server may repeat a secret anywhere, and a long head is cut anywhere.
            _ => secrets.mask_cut(line),
        })
        .map(|line| in_one_line(&line))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_cut_where_they_end() {
        let stream = b"HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 100 C\n\nHTTP/1.1 200 OK\r\nA: b\r\n\r\nbody\n\nx";
        let found: Vec<&[u8]> = heads(stream).take(3).collect();
        assert!(found[0].ends_with(b"Link: a\r\n\r\n") && found[1] == b"HTTP/1.1 100 C\n\n");
        let lines = head_lines(found[2], &Secrets::default());
        assert_eq!(lines, ["HTTP/1.1 200 OK", "A: b"]);
        assert_eq!(heads(b"HTTP/1.1 200").count(), 0);
    }

    #[test]
    fn nothing_of_a_head_is_obeyed_by_a_terminal() {
        let lines = head_lines(
            b"HTTP/1.1 200 \x1b[2J\r\nX: \xc2\x9b31m\x08\r\n\r\n",
            &Secrets::default(),
        );
        assert_eq!(lines, [r"HTTP/1.1 200 \u{1b}[2J", r"X: \u{9b}31m\u{8}"]);
    }
}
