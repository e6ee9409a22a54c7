//! `opsurge doctor`: what on this machine limits or distorts a run, with the cure for each.

use anyhow::{Result, bail};
use serde::Serialize;

use crate::analysis::diagnosis::finding::{Finding, State};
use crate::session::diagnosis::{self, Tested};
use crate::session::exit::{Exit, cannot};
use crate::session::output::{columns, print, say};
use crate::session::target::Target;
use crate::session::tls::{TlsOptions, client};
use crate::text::printable::in_one_line;
use crate::text::units::counted;
use crate::text::wrap::wrap;

use super::args::{DoctorArgs, TlsArgs};
use super::read::tls::{resolved, tls};
use super::read::values::number;

/// Most connections that can be planned.
const CONNECTIONS_MAX: u64 = 1_000_000;
/// A narrower terminal is treated as one of this width.
const WIDTH_MIN: usize = 20;
/// Columns of the state that begins a finding, and by which its other lines are indented.
const INDENT: &str = "        ";

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report<'f> {
    limits: usize,
    notes: usize,
    findings: Vec<Row<'f>>,
}

/// A finding. `state` is `ok`, `note` or `limits`.
#[derive(Debug, Serialize)]
struct Row<'f> {
    check: &'static str,
    state: &'static str,
    found: &'f str,
    effect: &'f str,
    cure: &'f str,
}

/// Carries out the command.
pub fn doctor(args: &DoctorArgs) -> Result<Exit> {
    let tested = args.host.as_deref().map(|host| tested(host, &args.tls));
    let tested = tested.transpose()?;
    if let (None, Some(flag)) = (&tested, tls(&args.tls)?.given) {
        bail!("{flag} is for a service; add --host https://HOST");
    }
    let connections = Some(args.connections.as_str());
    let connections = number("--connections", connections, 1, CONNECTIONS_MAX)?.unwrap_or(1);
    let findings = cannot(diagnosis::examine(tested.as_ref(), connections))?;
    match args.json {
        true => say(serde_json::to_string(&report(&findings))?),
        false => print(text(&findings, columns(std::io::stdout()))),
    }
    Ok(Exit::OK)
}

/// The service, and the clients that try its handshake.
fn tested(host: &str, args: &TlsArgs) -> Result<Tested> {
    let target = Target::parse(host, "--host")?;
    let options = tls(args)?;
    let trusting = TlsOptions {
        is_insecure: true,
        server_name: options.server_name.clone(),
        ..TlsOptions::default()
    };
    Ok(Tested {
        resolved: resolved(args)?,
        client: client(&target, options)?,
        trusting: client(&target, trusting)?,
        target,
    })
}

fn count(findings: &[Finding], state: State) -> usize {
    findings
        .iter()
        .filter(|finding| finding.state == state)
        .count()
}

fn report(findings: &[Finding]) -> Report<'_> {
    let rows = findings.iter().map(|finding| Row {
        check: finding.check.name(),
        state: finding.state.name(),
        found: &finding.found,
        effect: &finding.effect,
        cure: &finding.cure,
    });
    Report {
        limits: count(findings, State::Limits),
        notes: count(findings, State::Note),
        findings: rows.collect(),
    }
}

/// Three parts for each finding: what is, what it does to a measurement, what changes it.
fn text(findings: &[Finding], width: usize) -> String {
    let mut lines = Vec::new();
    for finding in findings {
        let (check, state) = (finding.check.name(), finding.state.name());
        let cure = match finding.state {
            State::Ok => "to change it",
            State::Note | State::Limits => "cure",
        };
        let first_indent = format!("{state:<indent$}", indent = INDENT.len());
        for (indent, part) in [
            (&first_indent[..], format!("{check}: {}", finding.found)),
            (INDENT, format!("effect: {}", finding.effect)),
            (INDENT, format!("{cure}: {}", finding.cure)),
        ] {
            let hanging = format!("{INDENT}  ");
            let part = in_one_line(&part);
            lines.extend(wrap(&part, width.max(WIDTH_MIN), indent, &hanging));
        }
    }
    let (limits, notes) = (count(findings, State::Limits), count(findings, State::Note));
    lines.push(String::new());
    lines.push(match (limits, notes) {
        (0, 0) => "Nothing here limits a run.".to_owned(),
        (0, notes) => format!(
            "Nothing here limits a run; {}.",
            counted(notes as u64, "note")
        ),
        (limits, notes) => format!(
            "{} {} a run; {}.",
            counted(limits as u64, "finding"),
            if limits == 1 { "limits" } else { "limit" },
            counted(notes as u64, "note")
        ),
    });
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::diagnosis::finding::Check;

    #[test]
    fn each_finding_has_its_state_its_effect_and_its_cure_in_lines_of_the_width() {
        let findings = [
            Finding {
                check: Check::Quota,
                state: State::Limits,
                found: "0.5 cores for 2 allowed cores".into(),
                effect: "when it is used up, every thread stops".into(),
                cure: "raise it".into(),
            },
            Finding {
                check: Check::Proxies,
                state: State::Ok,
                found: "none".into(),
                effect: "straight".into(),
                cure: "nothing".into(),
            },
        ];
        let expected = "\
limits  cpu-quota: 0.5 cores for 2
          allowed cores
        effect: when it is used up,
          every thread stops
        cure: raise it
ok      proxies: none
        effect: straight
        to change it: nothing

1 finding limits a run; 0 notes.
";
        assert_eq!(text(&findings, 35), expected);
        let json = serde_json::to_value(report(&findings)).expect("JSON");
        assert_eq!(json["limits"], 1);
        assert_eq!(json["findings"][1]["check"], "proxies");
    }
}
