//! What values are computed from: the user, the draw, the clock, the rows.

use crate::http::request::{DECIMAL_BYTES_MAX, write_decimal};
use crate::load::random::{Keyed, Stream};

use super::calendar::{DATE_BYTES, TIMESTAMP_BYTES, write_date, write_timestamp};
use super::feeder::{Feeder, RowKey};

/// The notation of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// UTC with microseconds (RFC 3339).
    Timestamp,
    /// Milliseconds since 1970 (UTC).
    UnixMs,
    /// Seconds since 1970 (UTC).
    UnixS,
    /// The day in UTC (RFC 3339 `full-date`).
    Date,
}

/// What values are computed from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'o> {
    /// The source of everything random.
    pub random: Keyed,
    /// Number of the user.
    pub user: u64,
    /// Purpose of the draws.
    pub stream: Stream,
    /// Number of the text among the user's: 0 for its variables, then its requests from 1 on.
    pub text: u64,
    /// Number of the iteration among those of all users, where a CSV file gives out rows by it.
    pub iteration: u64,
    /// Users at the peak: the distance between a user's sequence numbers.
    pub users: u64,
    /// Present time in nanoseconds since 1970 (UTC).
    pub wall_ns: u64,
    /// Rows of the scenario's CSV files.
    pub feeder: &'o Feeder,
    /// The user's variables, for values that are computed from them.
    pub values: &'o [u8],
}

impl Origin<'_> {
    /// What the rows of its user follow from.
    #[inline]
    pub fn row_key(&self) -> RowKey {
        RowKey {
            user: self.user,
            iteration: self.iteration,
            seats: self.users,
            random: self.random,
        }
    }
}

impl Clock {
    /// Longest text of the notation, in bytes.
    pub fn bytes_max(self) -> usize {
        match self {
            Self::Timestamp => TIMESTAMP_BYTES,
            Self::UnixMs | Self::UnixS => DECIMAL_BYTES_MAX,
            Self::Date => DATE_BYTES,
        }
    }

    /// Writes a time, in nanoseconds since 1970 (UTC), to the start of `out`; returns its length.
    pub fn write(self, wall_ns: u64, out: &mut [u8]) -> usize {
        match self {
            Self::Timestamp => write_timestamp(wall_ns, out),
            Self::UnixMs => write_decimal(wall_ns / 1_000_000, out),
            Self::UnixS => write_decimal(wall_ns / 1_000_000_000, out),
            Self::Date => write_date(wall_ns, out),
        }
    }
}
