//! The CSV files of a scenario, and which row of each a user has.
//!
//! A row follows from numbers alone, so that no shard, part or order of events moves it:
//!
//! 1. `per = "user"`: user n has row n, or one that is drawn for it.
//! 2. `per = "iteration"`: iterations are numbered `seat + passes * seats`, where a seat is the place of one user and of
//!    those that follow it there, and passes are those that were done in the seat. So all seats take their rows in turn.
//!    After the least common multiple of rows and seats, the turns begin one row further: otherwise a seat would see only
//!    some of the rows where the two numbers have a common divisor.
//! 3. A file whose rows are used once (`at_end`) bounds what a seat can do: [`Feeder::end_of`].

use std::ops::RangeInclusive;

use super::rows::Rows;
use crate::load::random::{Keyed, Stream, below};

/// Distance between the draws for one file and those for the next; no user has so many iterations.
const DRAWS_PER_FILE: u64 = 1 << 48;

/// The CSV files of a scenario; empty without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feeder {
    files: Vec<File>,
    /// Names of all columns, as holes have them behind `csv.`.
    names: Vec<String>,
    /// The file of each column, and its place there.
    places: Vec<(usize, usize)>,
}

/// A CSV file, and how its rows are given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name in holes; empty for that of `[csv]` itself.
    pub name: String,
    /// Its contents.
    pub rows: Rows,
    /// What each row is for.
    pub per: Per,
    /// The choice of the row.
    pub order: Order,
    /// What happens when every row has been used.
    pub at_end: AtEnd,
}

/// What a row is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Per {
    /// A user, for all of its requests.
    #[default]
    User,
    /// A pass of the work loop.
    Iteration,
}

/// The choice of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// One after the other.
    #[default]
    InTurn,
    /// Drawn evenly.
    Random,
}

/// What happens when every row has been used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtEnd {
    /// The rows are used again.
    #[default]
    Again,
    /// Each row is used once: a user without one leaves, or does not come.
    Stop,
    /// The same, and it counts as a failure.
    Fail,
}

/// The last row of a file bounds what the users of a seat do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowsEnd {
    /// Passes of the work loop for which there are rows.
    pub passes: u32,
    /// Its users' leaving counts as a failure.
    pub fails: bool,
}

/// What the row of a user follows from.
#[derive(Clone, Copy, Debug)]
pub struct RowKey {
    /// Number of the user in the run.
    pub user: u64,
    /// Number of the iteration among those of all seats.
    pub iteration: u64,
    /// Number of seats.
    pub seats: u64,
    /// The source of everything random.
    pub random: Keyed,
}

impl RowKey {
    /// The key of a user in its first iteration.
    pub fn first(user: u64, random: Keyed) -> Self {
        Self {
            user,
            iteration: user,
            seats: user + 1,
            random,
        }
    }
}

impl Feeder {
    /// Adds a file.
    ///
    /// # Errors
    /// The name of a column that another file has too.
    pub fn add(&mut self, file: File) -> Result<(), String> {
        for (column, name) in file.rows.columns().iter().enumerate() {
            let name = match file.name.as_str() {
                "" => name.clone(),
                of_file => format!("{of_file}.{name}"),
            };
            if self.names.contains(&name) {
                return Err(name);
            }
            self.names.push(name);
            self.places.push((self.files.len(), column));
        }
        self.files.push(file);
        Ok(())
    }

    /// Its files.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// There is no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Names of the columns of all files, as holes have them behind `csv.`.
    pub fn columns(&self) -> &[String] {
        &self.names
    }

    /// The file of a column.
    pub fn file_of(&self, column: usize) -> &File {
        &self.files[self.places[column].0]
    }

    /// The field of a column in the row of a user.
    #[inline]
    pub fn field(&self, column: usize, key: RowKey) -> &[u8] {
        let (file, column) = self.places[column];
        let row = self.files[file].row_of(file, key);
        self.files[file].rows.text(row, column)
    }

    /// All fields of the rows that a user has.
    pub fn fields(&self, key: RowKey) -> impl Iterator<Item = &[u8]> {
        (0..self.places.len()).map(move |column| self.field(column, key))
    }

    /// All fields of a column.
    pub fn column(&self, column: usize) -> impl Iterator<Item = &[u8]> {
        let (file, column) = self.places[column];
        self.files[file].rows.column(column)
    }

    /// Longest field of a column, in bytes.
    pub fn bytes_max(&self, column: usize) -> usize {
        let (file, column) = self.places[column];
        self.files[file].rows.bytes_max(column)
    }

    /// Whether all fields of a column have the same length.
    pub fn is_fixed(&self, column: usize) -> bool {
        let (file, column) = self.places[column];
        self.files[file].rows.is_fixed(column)
    }

    /// A file gives out a row for each iteration.
    #[inline]
    pub fn follows_iterations(&self) -> bool {
        self.files.iter().any(|file| file.per == Per::Iteration)
    }

    /// A file's rows are used once.
    pub fn ends(&self) -> bool {
        self.files.iter().any(|file| file.at_end != AtEnd::Again)
    }

    /// A file's rows are used once, one for each iteration.
    pub fn ends_iterations(&self) -> bool {
        let ends = |file: &File| file.at_end != AtEnd::Again && file.per == Per::Iteration;
        self.files.iter().any(ends)
    }

    /// What the rows allow a user to do that takes a seat of so many; `None` when they are never over.
    pub fn end_of(&self, user: u64, seat: u64, seats: u64) -> Option<RowsEnd> {
        let ends = self.files.iter().filter_map(|file| {
            let rows = file.rows.count() as u64;
            let passes = match file.per {
                Per::User if user < rows => return None,
                Per::User => 0,
                Per::Iteration => rows.saturating_sub(seat).div_ceil(seats.max(1)),
            };
            let fails = match file.at_end {
                AtEnd::Again => return None,
                AtEnd::Stop => false,
                AtEnd::Fail => true,
            };
            // The number of rows is bounded by far less.
            let passes = u32::try_from(passes).unwrap_or(u32::MAX);
            Some(RowsEnd { passes, fails })
        });
        ends.min_by_key(|end| (end.passes, !end.fails))
    }
}

impl File {
    /// Index of the row that a user has; `index` is that of the file.
    #[inline]
    fn row_of(&self, index: usize, key: RowKey) -> usize {
        let rows = self.rows.count() as u64;
        let number = match self.per {
            Per::User => key.user,
            Per::Iteration => {
                key.iteration + key.iteration / least_common_multiple(rows, key.seats)
            }
        };
        let row = match self.order {
            Order::InTurn => number % rows,
            Order::Random => {
                let nth = match self.per {
                    Per::User => 0,
                    Per::Iteration => key.iteration,
                };
                let count = index as u64 * DRAWS_PER_FILE + nth;
                below(key.random.draw(key.user, Stream::Row, count), rows)
            }
        };
        row as usize
    }

    /// The rows, counted from 1, that no user gets, when users have them in turn and there are fewer users than rows.
    pub fn rows_left(&self, users: u64) -> Option<RangeInclusive<u64>> {
        let rows = self.rows.count() as u64;
        let is_left = self.order == Order::InTurn && self.per == Per::User && users < rows;
        is_left.then_some(users + 1..=rows)
    }
}

/// By Euclid's algorithm, which takes 0.1 us at most.
fn least_common_multiple(a: u64, b: u64) -> u64 {
    let (mut divisor, mut rest) = (a, b);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    (a / divisor).saturating_mul(b).max(1)
}

#[cfg(test)]
mod tests;
