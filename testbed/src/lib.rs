//! What tests, benchmarks and fuzz targets share, and the parts of the programs that opsurge is measured beside (`bin/`:
//! a canned responder, the floor, the yardsticks).

// For tests and benchmarks of the shard.
pub mod canned_driver;
pub mod plans;
pub mod shard_usage;
pub mod wrapped_driver;

// For fuzzing.
pub mod fuzz_bodies;

// For the programs of scripts/bench.sh.
pub mod bare_client;
pub mod requests;
#[allow(
    unsafe_code,
    reason = "entries of a ring name memory and descriptors by hand"
)]
pub mod ring;
