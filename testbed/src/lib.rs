//! Code shared by tests, benchmarks and fuzz targets, and by the programs in `bin/`: a canned responder, the floor and the
//! yardsticks, which opsurge is measured beside, and `instructions`.

// For tests and benchmarks of the shard.
pub mod canned_driver;
pub mod certificates;
pub mod forger;
pub mod plans;
pub mod shard_usage;
pub mod wrapped_driver;

// For fuzzing.
pub mod fuzz_bodies;

// For the programs of scripts/bench.sh.
pub mod bare_client;
pub mod encrypted;
pub mod requests;
#[allow(
    unsafe_code,
    reason = "entries of a ring name memory and descriptors by hand"
)]
pub mod ring;
