//! Scenarios: the file format, what arbitrary valid files send, whole runs, and the bytes of the built-in ones.

mod binding;
mod builtin_traffic;
mod format;
mod properties;
mod runs;
