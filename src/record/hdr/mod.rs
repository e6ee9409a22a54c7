//! The interval log: an HdrHistogram per second and step, written while the run lasts, and read again.
//!
//! It is the one report that is not made from the record, so that something is left when the process is killed: each
//! second reaches the kernel in one piece before the next one begins. It is not forced onto the disk: a log survives
//! the end of its process, not a crash of the machine.
//!
//! The format is HdrHistogram's log format 1.3 (`HistogramLogWriter` of the Java library), histograms as V2, deflated,
//! base64. Values are whole microseconds. The column `Interval_Max` is in milliseconds, for people who read the file, as
//! in the logs of jHiccup, so the divisor is 1,000; programs take the maximum from the histogram.
//!
//! Reading order: `write`, `read`, `payload` (histograms in older formats).

mod payload;
mod read;
mod write;

pub use read::{Log, LoggedInterval, read};
pub use write::{IntervalLog, Stretch};

#[cfg(test)]
mod tests;
