//! The fuzz bodies, fed from seeds: every prefix and many mutations of their examples, and all findings of fuzzing.

use crate::support::background::in_background;
use opsurge::record::schema::Record;
use opsurge::report::csv::Csv;
use opsurge::report::output::Report;
use opsurge_testbed::fuzz_bodies::{BODIES, Body, RECORD};

/// Mutations for each body.
const MUTATIONS: u64 = 4_000;
/// Those of the wire, each of which makes a handshake.
const WIRE_MUTATIONS: u64 = 300;

/// Bytes that a mutation may insert: pieces of the formats, and some that they do not allow.
const PIECES: [&[u8]; 39] = [
    b"\"",
    b"{{",
    b"}}",
    b"[",
    b"]",
    b"{",
    b"}",
    b"=",
    b":",
    b",",
    b";",
    b"\r",
    b"\n",
    b"\r\n\r\n",
    b" ",
    b"\\",
    b"#",
    b"\0",
    b"\xff",
    b"\xc3\xa9",
    b"0",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"true",
    b"null",
    b"ffffffffffffffff",
    b"chunked",
    b"Content-Length: 3\r\n",
    b"[[task]]\n",
    b"{{random 1..9}}",
    b"{{choice a|b}}",
    b"{{token}}",
    b"extract",
    b">",
    b"%",
    b"*.",
    b"p99.9",
    b"ms",
];

/// Inputs that have been findings, by body.
const FINDINGS: [(&str, &[u8]); 2] = [
    // The column after a line that ends in several CRs; the defect was in the fuzz body.
    ("scenario", b"'\r\r\n\x17"),
    // A line end from a TOML escape was repeated unescaped in the error.
    (
        "scenario",
        b"name = \"shop\"\nwait = \"expone\\n1s\"\n[[start]]\nmethod = \"GET\"\npath = \"/\"\n",
    ),
];

/// xorshift64 (Marsaglia 2003).
struct Roll(u64);

impl Roll {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound.max(1)
    }
}

fn mutated(examples: &[Vec<u8>], seed: u64) -> Vec<u8> {
    let mut roll = Roll(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut input = examples[roll.below(examples.len())].clone();
    for _ in 0..=roll.below(4) {
        let at = roll.below(input.len());
        match roll.below(6) {
            0 => input.truncate(at),
            1 if !input.is_empty() => input[at] = roll.below(256) as u8,
            2 if !input.is_empty() => drop(input.remove(at)),
            3 => {
                let other = &examples[roll.below(examples.len())];
                let from = roll.below(other.len());
                let bytes = roll.below(60).min(other.len() - from);
                input.splice(at..at, other[from..from + bytes].iter().copied());
            }
            _ => {
                let piece = PIECES[roll.below(PIECES.len())];
                input.splice(at..at, piece.iter().copied());
            }
        }
    }
    input
}

fn check(name: &str) {
    in_background(|| feed(name));
}

fn feed(name: &str) {
    let (_, body, examples): Body = *BODIES.iter().find(|body| body.0 == name).expect(name);
    let examples = examples();
    for example in &examples {
        // Long examples are not cut at every byte, so that each format takes about the same time.
        let stride = 1 + example.len() / 1_000;
        for end in (0..=example.len()).rev().step_by(stride) {
            body(&example[..end]);
        }
    }
    let mutations = if name == "wire" {
        WIRE_MUTATIONS
    } else {
        MUTATIONS
    };
    for seed in 0..mutations {
        let input = mutated(&examples, seed);
        let shown = ShownOnPanic(seed, &input);
        body(&input);
        drop(shown);
    }
    for (_, input) in FINDINGS.iter().filter(|finding| finding.0 == name) {
        body(input);
    }
}

/// Prints the input when the body panics.
struct ShownOnPanic<'i>(u64, &'i [u8]);

impl Drop for ShownOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("mutation {}: {}", self.0, self.1.escape_ascii());
        }
    }
}

#[test]
fn any_bytes_decode_the_same_at_every_split() {
    check("decoder");
}

#[test]
fn any_text_is_a_scenario_that_renders_http_or_an_error_with_a_place() {
    check("scenario");
}

#[test]
fn any_text_is_a_record_that_comes_back_or_an_error_with_a_reason() {
    check("record");
}

/// Found by fuzzing: a fast but inexact JSON reader returns this number with another last digit.
#[test]
fn numbers_of_a_record_come_back_to_the_last_digit() {
    let mut record = Record::parse(RECORD).expect("the example is a record");
    record.totals.duration_s = 1.003_951_386_995_153_5;
    assert_eq!(Record::parse(&record.to_json()), Ok(record));
}

/// Found by fuzzing: times that no calendar has.
#[test]
fn a_record_with_impossible_times_still_makes_every_table() {
    for s in [1e78, 1e13, -1.0] {
        let mut record = Record::parse(RECORD).expect("the example is a record");
        record.errors[0].first_s = s;
        record.series[0].t_s = s;
        let csv = Csv { full_history: true };
        let outputs = csv.outputs(&record).expect("its histograms are whole");
        let failures = outputs.iter().find(|it| it.suffix == "_failures.csv");
        let failures = String::from_utf8_lossy(&failures.expect("it is made").bytes);
        assert!(failures.contains(&format!("{s:.3}")), "{failures}");
    }
}

#[test]
fn any_text_is_a_rule_that_judges_any_window_or_an_error_with_a_reason() {
    check("rules");
}

#[test]
fn no_change_of_a_servers_records_makes_text_that_it_has_not_sent() {
    check("wire");
}

#[test]
fn every_body_has_a_fuzz_target() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/targets");
    for (name, ..) in BODIES {
        let file = folder.join(format!("{name}.rs"));
        assert!(file.is_file(), "{} is missing", file.display());
    }
}

/// `scripts/measure fuzz` begins with them: `OPSURGE_EXAMPLES` is a folder whose last part is the body's name.
#[test]
fn examples_are_written_where_they_are_wanted() {
    let Some(folder) = std::env::var_os("OPSURGE_EXAMPLES") else {
        return;
    };
    let folder = std::path::Path::new(&folder);
    let name = folder.file_name().expect("the folder has a name");
    let body = BODIES.iter().find(|body| name == body.0);
    let (_, _, examples) = body.expect("the folder has the name of a body");
    for (nth, example) in examples().iter().enumerate() {
        let file = folder.join(format!("example-{nth}"));
        std::fs::write(file, example).expect("the folder exists");
    }
}
