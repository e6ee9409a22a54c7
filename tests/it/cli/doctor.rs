//! `opsurge doctor`, and its findings before a run.

use std::process::{Command, Output};

use opsurge_testbed::certificates::Authority;
use serde_json::Value as Json;

use crate::support::binary::{Program, opsurge, run, text};
use crate::support::raw_server::RawServer;
use crate::support::refused_address::RefusedAddress;
use crate::support::tls_server::{self, Manner, TlsServer};

const STATES: [&str; 3] = ["ok", "note", "limits"];
/// Findings that every Linux machine has. Others depend on what can be read.
const ALWAYS: [&str; 8] = [
    "cores",
    "cpu-quota",
    "frequency",
    "clock",
    "wake-ups",
    "io_uring",
    "descriptors",
    "proxies",
];

/// The findings of `--json`.
fn findings(output: &Output) -> Vec<Json> {
    assert_eq!(output.status.code(), Some(0), "{}", text(output));
    let json: Json = serde_json::from_slice(&output.stdout).expect("one JSON object");
    let findings = json["findings"].as_array().expect("a list").clone();
    let count = |state: &str| findings.iter().filter(|it| it["state"] == state).count();
    assert_eq!(json["limits"], count("limits"));
    assert_eq!(json["notes"], count("note"));
    findings
}

/// The finding of a check.
fn finding<'f>(findings: &'f [Json], check: &str) -> &'f Json {
    let found = findings.iter().find(|it| it["check"] == check);
    found.unwrap_or_else(|| panic!("no {check} in {findings:?}"))
}

#[test]
fn each_finding_has_a_state_an_effect_and_a_cure_within_80_columns() {
    let output = opsurge(&["doctor"]).env("COLUMNS", "80").output();
    let output = output.expect("the binary starts");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    let (findings, end) = printed.trim_end().rsplit_once("\n\n").expect("a last line");
    assert!(end.contains("a run"), "{end}");
    let mut checks = Vec::new();
    let mut parts: Vec<&str> = Vec::new();
    let check_parts = |parts: &[&str]| {
        let is_whole = matches!(parts, [] | ["effect", "cure" | "to change it"]);
        assert!(is_whole, "{parts:?} in {printed}");
    };
    for line in findings.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        let is_continued = line.starts_with("          ");
        let is_part = line.starts_with("        ") && !is_continued;
        if is_part {
            let (name, rest) = line.trim().split_once(": ").expect("a named part");
            assert!(!rest.is_empty(), "{line}");
            parts.push(name);
        } else if !is_continued {
            check_parts(&std::mem::take(&mut parts));
            let (state, fact) = line.split_once(' ').expect("a state");
            assert!(STATES.contains(&state), "{line}");
            let (check, found) = fact.trim().split_once(": ").expect("a check and its fact");
            assert!(!found.is_empty(), "{line}");
            checks.push(check);
        }
    }
    assert_eq!(parts.len(), 2, "{printed}");
    check_parts(&parts);
    for check in ALWAYS {
        assert!(checks.contains(&check), "{check} in {printed}");
    }
    assert!(!checks.contains(&"path"), "no host was given: {printed}");
}

#[test]
fn findings_as_json_have_the_same_parts() {
    let findings = findings(&run(&["doctor", "--json"]));
    for found in &findings {
        let part = |name: &str| found[name].as_str().expect("a text");
        assert!(STATES.contains(&part("state")), "{found}");
        for name in ["check", "found", "effect", "cure"] {
            assert!(!part(name).is_empty(), "{found}");
        }
    }
    for check in ALWAYS {
        finding(&findings, check);
    }
}

#[test]
fn more_connections_than_ports_are_found_before_a_run_refuses_them() {
    let output = run(&["doctor", "--json", "--connections", "100000"]);
    let findings = findings(&output);
    let ports = finding(&findings, "ports");
    assert_eq!(ports["state"], "limits", "{ports}");
    let cure = ports["cure"].as_str().expect("a text");
    assert!(cure.contains("--source-address"), "{cure}");
    let wrong = run(&["doctor", "--connections", "many"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong));
}

#[test]
fn the_path_to_a_host_is_named_whether_it_is_there_or_not() {
    let server = RawServer::start(|_| ());
    let there = run(&["doctor", "--json", "--host", &server.url()]);
    let there = findings(&there);
    let path = finding(&there, "path");
    assert_eq!(path["state"], "note", "{path}");
    let found = path["found"].as_str().expect("a text");
    assert!(found.contains("on this machine"), "{found}");
    let refused = RefusedAddress::new();
    let url = format!("http://{}", refused.address);
    let absent = findings(&run(&["doctor", "--json", "--host", &url]));
    let path = finding(&absent, "path");
    assert_eq!(path["state"], "limits", "{path}");
}

#[test]
fn proxy_variables_are_noted_and_their_values_are_not_shown() {
    let proxy = "http://me:s3cret@proxy.test:3128";
    let output = opsurge(&["doctor", "--json"]).env("http_proxy", proxy);
    let output = output.output().expect("the binary starts");
    assert!(!text(&output).contains("s3cret"), "{}", text(&output));
    let findings = findings(&output);
    let proxies = finding(&findings, "proxies");
    assert_eq!(proxies["state"], "note", "{proxies}");
    assert!(
        proxies["found"]
            .as_str()
            .expect("a text")
            .contains("http_proxy")
    );
}

/// A long timer slack is a problem that nothing but the doctor knows: a run says it, a usual one does not.
#[test]
fn a_run_notes_what_limits_it_and_is_silent_otherwise() {
    let noted = |slack_ns: &str| {
        let script = format!("echo {slack_ns} > /proc/$$/timerslack_ns || exit 77; exec \"$@\"");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_opsurge")]);
        let arguments = "run minimal --mock -u 1 --iterations 1 --wait 0 --pause 0 --headless";
        let program = Program::from(shell).args(arguments.split(' '));
        let output = program.output().expect("the shell starts");
        let printed = text(&output);
        if output.status.code() == Some(77) {
            println!("SKIPPED: the timer slack cannot be set here: {printed}");
            return None;
        }
        assert_eq!(output.status.code(), Some(0), "{printed}");
        Some(printed.contains("note: timer-slack 5.00 ms: "))
    };
    assert_ne!(noted("5000000"), Some(false));
    assert_ne!(noted("50000"), Some(true));
}

#[test]
fn a_handshake_with_an_https_service_is_shown_with_its_certificate() {
    let authority = Authority::default();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("ca.pem");
    std::fs::write(&root, authority.root_pem()).expect("it can be written");
    let root = root.to_str().expect("UTF-8");
    let server = TlsServer::start(tls_server::config(&authority), Manner::default());
    let host = format!("https://localhost:{}", server.port());
    let doctor = |flags: &[&str]| run(&[&["doctor", "--json", "--host", &host], flags].concat());
    let trusted = findings(&doctor(&["--cacert", root]));
    let tls = finding(&trusted, "tls");
    assert_eq!(tls["state"], "ok");
    let found = tls["found"].as_str().expect("a text");
    assert!(found.starts_with("TLS 1.3, TLS_"), "{found}");
    assert!(
        found.contains("ALPN http/1.1") && found.contains(&host),
        "{found}"
    );
    let certificate = finding(&trusted, "certificate");
    assert_eq!(certificate["state"], "ok");
    // A certificate that is not trusted is read all the same.
    let other = findings(&doctor(&[]));
    let tls = finding(&other, "tls");
    assert_eq!(tls["state"], "limits");
    let (found, cure) = (tls["found"].to_string(), tls["cure"].to_string());
    assert!(found.contains("no trusted root has issued") && cure.contains("--cacert"));
    assert_eq!(finding(&other, "certificate")["state"], "ok");
    let old = findings(&doctor(&["--cacert", root, "--tls-max", "1.2"]));
    let found = finding(&old, "tls")["found"].to_string();
    assert!(found.contains("TLS 1.2, TLS_ECDHE_"), "{found}");
}

#[test]
fn a_certificate_that_has_expired_is_shown_with_its_days() {
    let authority = Authority::default();
    let identity = authority.certify_for_years(&["localhost"], 2000, 2001);
    let server = TlsServer::start(
        tls_server::config_of(&authority, identity),
        Manner::default(),
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("ca.pem");
    std::fs::write(&root, authority.root_pem()).expect("it can be written");
    let host = format!("https://localhost:{}", server.port());
    let root = root.to_str().expect("UTF-8");
    let found = findings(&run(&[
        "doctor", "--json", "--host", &host, "--cacert", root,
    ]));
    let certificate = finding(&found, "certificate");
    assert_eq!(certificate["state"], "limits");
    let text = certificate["found"].as_str().expect("a text");
    assert!(
        text.starts_with("it expired ") && text.ends_with(" days ago"),
        "{text}"
    );
    assert!(
        finding(&found, "tls")["found"]
            .to_string()
            .contains("has expired")
    );
}

#[test]
fn flags_of_tls_need_an_https_service() {
    for (flags, part) in [
        (&["--insecure"][..], "add --host https://"),
        (
            &["--insecure", "--host", "http://127.0.0.1:1"],
            "is for https",
        ),
    ] {
        let output = run(&[&["doctor"], flags].concat());
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains(part), "{}", text(&output));
    }
}
