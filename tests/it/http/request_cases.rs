//! `opsurge request --json` against response streams from other projects' test suites (`../shared/http_cases`).
//!
//! Each case is sent whole, halved and byte by byte, half of them to io_uring and half to epoll. All `must` and
//! `must-one-of` cases must pass, and 95 % of `should`; none may take longer than 5 s. `decoder_cases.rs` does the same
//! with the decoder alone, where every byte is certain to arrive by itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::background::in_background;
use crate::support::binary::opsurge;
use crate::support::raw_server::{Peer, RawServer};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

const MODES: [&str; 3] = ["whole", "halved", "single"];
/// Processes that run at a time.
const WORKERS: usize = 4;
const CASE_TIME_MAX: Duration = Duration::from_secs(8);
/// Bytes sent one by one with a pause between them, so that they arrive one by one. Later bytes may arrive together.
const PAUSED_BYTES: usize = 300;

struct Case {
    json: Value,
    bytes: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Verdict {
    /// Status, length of the body in bytes, interim answers; `None` when the answer was refused.
    answer: Option<(u64, u64, u64)>,
    outcome: String,
    reusable: bool,
}

fn cases() -> Option<Vec<Case>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/http_cases/cases.jsonl");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("SKIPPED: there is no {}", path.display());
        return None;
    };
    let cases = text.lines().map(|line| {
        let json: Value = serde_json::from_str(line).expect("each line is a case in JSON");
        let raw = json["raw_b64"].as_str().expect("raw_b64 is base64");
        Case {
            bytes: STANDARD.decode(raw).expect("raw_b64 is base64"),
            json,
        }
    });
    Some(cases.collect())
}

/// Answers `/INDEX/MODE` with that case, then ends the stream.
fn replay(cases: &[Case], peer: &mut Peer) {
    let Some(request) = peer.request() else {
        return;
    };
    let mut parts = request
        .text
        .split(' ')
        .nth(1)
        .expect("a request line has a path")
        .split('/');
    let index: usize = parts
        .nth(1)
        .expect("the path has an index")
        .parse()
        .expect("the index is a number");
    let bytes = &cases[index].bytes;
    match parts.next() {
        Some("whole") => peer.send(bytes),
        Some("halved") => {
            let (first, second) = bytes.split_at(bytes.len() / 2);
            peer.send(first);
            peer.pause(Duration::from_millis(5));
            peer.send(second)
        }
        _ => {
            let (first, rest) = bytes.split_at(bytes.len().min(PAUSED_BYTES));
            peer.send_in_pieces(first, 1, Duration::from_micros(50));
            peer.send_in_pieces(rest, 1, Duration::ZERO)
        }
    };
    peer.fin();
    peer.wait_for_end();
}

/// The verdict of the binary on a case.
fn ask(server: &RawServer, case: &Case, index: usize, mode: usize) -> Verdict {
    let io = ["auto", "epoll"][(index + mode) % 2];
    let method = case.json["request_method"]
        .as_str()
        .expect("request_method is a text");
    let url = format!("{}/{index}/{}", server.url(), MODES[mode]);
    let began = Instant::now();
    let output = opsurge(&["request", "--json", "--timeout", "10s", "--io", io])
        .args(["-X", method, &url])
        .output()
        .expect("the binary starts");
    let took = began.elapsed();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(took < CASE_TIME_MAX, "{url} took {took:?}: {said}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("--json prints JSON");
    let outcome = report["outcome"]
        .as_str()
        .expect("outcome is a text")
        .to_owned();
    let is_ok = outcome == "ok";
    assert_eq!(output.status.code(), Some(if is_ok { 0 } else { 1 }));
    let number = |name: &str| report[name].as_u64().expect("the field is a number");
    Verdict {
        answer: is_ok.then(|| (number("status"), number("body_bytes"), number("interim"))),
        outcome,
        reusable: report["reusable"] == Value::Bool(true),
    }
}

fn fits(verdict: &Verdict, wanted: &Value) -> bool {
    let same = |name: &str, found: u64| wanted[name].as_u64().is_none_or(|value| value == found);
    let is_ok = wanted["ok"] == Value::Bool(true);
    match verdict.answer {
        None => !is_ok,
        Some((status, body_bytes, _)) => {
            is_ok && same("status", status) && same("body_len", body_bytes)
        }
    }
}

fn is_right(case: &Case, verdicts: &[Verdict; 3]) -> bool {
    let alternatives = case.json["acceptable_alternatives"].as_array();
    let mut wanted =
        std::iter::once(&case.json["expected"]).chain(alternatives.into_iter().flatten());
    let must_not_reuse = case.json["expected"]["must_not_reuse"] == Value::Bool(true);
    verdicts
        .iter()
        .all(|verdict| verdict.answer == verdicts[0].answer)
        && wanted.any(|wanted| fits(&verdicts[0], wanted))
        && !(must_not_reuse && verdicts.iter().any(|verdict| verdict.reusable))
}

#[test]
fn cases_of_other_projects_are_judged_as_the_rfc_asks_at_every_split() {
    in_background(check_cases);
}

fn check_cases() {
    let Some(cases) = cases() else {
        return;
    };
    let cases = Arc::new(cases);
    let to_replay = cases.clone();
    let server = RawServer::start(move |peer| replay(&to_replay, peer));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut judged = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(index) else {
                return judged;
            };
            judged.push((index, [0, 1, 2].map(|mode| ask(&server, case, index, mode))));
        }
    };
    let judged: Vec<(usize, [Verdict; 3])> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        let judged = workers.into_iter().map(|worker| worker.join());
        judged
            .flat_map(|judged| judged.expect("no case has failed or taken too long"))
            .collect()
    });
    let mut passed: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (index, verdicts) in &judged {
        let case = &cases[*index];
        let strength = case.json["strength"].as_str().expect("strength is a text");
        let count = passed.entry(strength).or_default();
        count.1 += 1;
        if is_right(case, verdicts) {
            count.0 += 1;
        } else {
            let (name, expected) = (&case.json["name"], &case.json["expected"]);
            println!("{strength} {index} {name}: {verdicts:?}, expected {expected}\n");
        }
    }
    for (strength, (right, all)) in &passed {
        println!("{strength:12} {right:4} of {all:4}");
    }
    let share = |strength: &str| {
        let (right, all) = passed[strength];
        right as f64 / all as f64
    };
    assert_eq!(judged.len(), cases.len());
    assert_eq!(share("must"), 1.0);
    assert_eq!(share("must-one-of"), 1.0);
    assert!(share("should") >= 0.95);
}
