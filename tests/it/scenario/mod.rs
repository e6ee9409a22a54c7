//! Scenarios: the file format, values, cookies, links, flow, tasks, binding, the requests of arbitrary valid files, whole runs, and
//! the bytes of the built-in ones.

mod binding;
mod builtin_traffic;
mod cookies;
mod feeders;
mod flow;
mod format;
mod import;
mod kind_loads;
mod kinds;
mod mistakes;
mod phases;
mod properties;
mod runs;
mod targets;
mod tasks;
mod together;
mod values;
