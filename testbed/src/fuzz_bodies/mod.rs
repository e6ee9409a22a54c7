//! Fuzz bodies: checks of parsers on any input, run by seeds in `tests/it/fuzzed.rs` and by libFuzzer in `fuzz/`.
//!
//! A body returns on every input; a panic is a finding. A finding becomes a line of `tests/it/fuzzed.rs`. Another parser
//! gets its body here, a name in [`BODIES`], and a file of three lines in `fuzz/targets/`.

mod decoder;
mod record;
mod rules;
mod scenario;
mod wire;

pub use decoder::decoder;
pub use record::{RECORD, record};
pub use rules::rules;
pub use scenario::scenario;
pub use wire::wire;

/// A fuzz body: its name, its function, and inputs that lead deep into the parser.
pub type Body = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// All fuzz bodies.
pub const BODIES: [Body; 5] = [
    ("decoder", decoder, decoder::examples),
    ("scenario", scenario, scenario::examples),
    ("record", record, record::examples),
    ("rules", rules, rules::examples),
    ("wire", wire, wire::examples),
];
