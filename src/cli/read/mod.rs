//! Args -> Job: the command line, validated.

pub mod faults;
