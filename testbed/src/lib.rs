//! What tests, benchmarks and fuzz targets share: a driver without a kernel, what shards use of memory and time, and the
//! bodies of the fuzz targets.

pub mod canned_driver;
pub mod fuzz_bodies;
pub mod plans;
pub mod shard_usage;
pub mod wrapped_driver;
