//! What any bytes are put through: written once, fed by seeds in `tests/it/fuzzed.rs` and by libFuzzer in `fuzz/`.
//!
//! Each body returns for whatever it is given; a panic is a finding. A finding becomes a line of `tests/it/fuzzed.rs`.
//! Another parser gets its body here, a name in [`BODIES`], and a file of three lines in `fuzz/targets/`.

mod decoder;
mod record;
mod rules;
mod scenario;

pub use decoder::decoder;
pub use record::{RECORD, record};
pub use rules::rules;
pub use scenario::scenario;

/// A name, a body, and inputs that lead deep into it.
pub type Body = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// All of them.
pub const BODIES: [Body; 4] = [
    ("decoder", decoder, decoder::examples),
    ("scenario", scenario, scenario::examples),
    ("record", record, record::examples),
    ("rules", rules, rules::examples),
];
