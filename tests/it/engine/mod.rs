//! The shard: whole runs in the simulation, parts of runs, their records merged, in plain text and encrypted, pipelining,
//! timestamps, and a shard that panics.

mod encrypted;
mod encrypted_cases;
mod forged_records;
mod merged;
mod parts;
mod pipeline;
mod shard_death;
mod simulation;
mod stamps;
