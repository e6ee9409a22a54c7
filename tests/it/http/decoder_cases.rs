//! The decoder against response streams from other projects' test suites (`../shared/http_cases`).
//!
//! Each case is fed whole, halved and byte by byte. All `must` and `must-one-of` cases must pass, and 95 % of `should`.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use opsurge::http::buffers::Buffers;
use opsurge::http::response::{Decoded, Decoder, Expecting, Keep};
use serde_json::Value;

#[derive(Debug)]
struct Verdict {
    /// Status, length of the body in bytes, interim answers, and whether the connection may be used again; `None` when
    /// there is no answer.
    outcome: Option<(u16, u64, u32, bool)>,
    /// Why there is no answer.
    reason: String,
}

/// Decodes a stream in pieces, followed by its end.
fn decode(bytes: &[u8], piece_bytes: usize, expecting: Expecting) -> Verdict {
    let mut decoder = Decoder::new();
    let mut buffers = Buffers::default();
    decoder.start(expecting, Keep::body(1024));
    let mut decoded = Decoded::Partial;
    let mut fed = 0;
    for piece in bytes.chunks(piece_bytes.max(1)) {
        decoded = decoder.on_bytes(piece, &mut buffers);
        match decoded {
            Decoded::Partial => fed += piece.len(),
            Decoded::Complete(answer) => fed += answer.consumed,
            Decoded::Invalid(_) => {}
        }
        if decoded != Decoded::Partial {
            break;
        }
    }
    let ended_by_close = decoded == Decoded::Partial;
    if ended_by_close {
        decoded = decoder.on_close();
    }
    match decoded {
        Decoded::Complete(answer) => {
            let reusable = answer.keep_alive && !ended_by_close && fed == bytes.len();
            Verdict {
                outcome: Some((answer.status, answer.body_bytes, answer.interim, reusable)),
                reason: String::new(),
            }
        }
        Decoded::Invalid(invalid) => Verdict {
            outcome: None,
            reason: invalid.to_string(),
        },
        Decoded::Partial => Verdict {
            outcome: None,
            reason: "cut short".into(),
        },
    }
}

fn fits(verdict: &Verdict, wanted: &Value) -> bool {
    let same = |name: &str, found: u64| wanted[name].as_u64().is_none_or(|value| value == found);
    let is_ok = wanted["ok"] == Value::Bool(true);
    match verdict.outcome {
        None => !is_ok,
        Some((status, body_bytes, interim, _)) => {
            is_ok
                && same("status", u64::from(status))
                && same("body_len", body_bytes)
                && wanted["interim"]
                    .as_array()
                    .is_none_or(|expected| expected.len() == interim as usize)
        }
    }
}

#[test]
fn cases_of_other_projects_are_decoded_as_the_rfc_asks() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/http_cases/cases.jsonl");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("SKIPPED: there is no {}", path.display());
        return;
    };
    let mut passed: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut failed = Vec::new();
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).expect("each line is a case in JSON");
        let raw = case["raw_b64"].as_str().expect("raw_b64 is base64");
        let bytes = STANDARD.decode(raw).expect("raw_b64 is base64");
        let expecting = match case["request_method"].as_str() {
            Some("HEAD") => Expecting::Head,
            Some("CONNECT") => Expecting::Connect,
            _ => Expecting::Body,
        };
        let whole = decode(&bytes, bytes.len(), expecting);
        let halved = decode(&bytes, bytes.len().div_ceil(2), expecting);
        let single = decode(&bytes, 1, expecting);
        let alternatives = case["acceptable_alternatives"].as_array();
        let wanted = std::iter::once(&case["expected"]).chain(alternatives.into_iter().flatten());
        let must_not_reuse = case["expected"]["must_not_reuse"] == Value::Bool(true);
        let right = whole.outcome == halved.outcome
            && whole.outcome == single.outcome
            && wanted.into_iter().any(|wanted| fits(&whole, wanted))
            && !(must_not_reuse && whole.outcome.is_some_and(|(.., reusable)| reusable));
        let strength = case["strength"]
            .as_str()
            .expect("strength is a text")
            .to_owned();
        let count = passed.entry(strength.clone()).or_default();
        count.1 += 1;
        if right {
            count.0 += 1;
        } else {
            failed.push(format!(
                "{strength} {} {}: {whole:?} ({}) / {halved:?} / {single:?}, expected {} or {}; {}",
                case["id"],
                case["name"],
                whole.reason,
                case["expected"],
                case["acceptable_alternatives"],
                bytes.escape_ascii()
            ));
        }
    }
    for line in &failed {
        println!("{line}\n");
    }
    for (strength, (right, all)) in &passed {
        println!("{strength:12} {right:4} of {all:4}");
    }
    let share = |strength: &str| {
        let (right, all) = passed[strength];
        right as f64 / all as f64
    };
    assert_eq!(share("must"), 1.0);
    assert_eq!(share("must-one-of"), 1.0);
    assert!(share("should") >= 0.95);
}
