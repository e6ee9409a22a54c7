//! Rows of a CSV file, one for each user.

use super::random::{Keyed, Stream, below};

/// Most rows, and bytes of text, that are taken: the whole file lies in memory.
const ROWS_MAX: usize = 10_000_000;
/// Longest field: a value's length is kept in 16 bits.
const FIELD_BYTES_MAX: usize = 16 * 1024;

/// A CSV file's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feeder {
    columns: Vec<String>,
    text: Vec<u8>,
    /// Where each field ends, row by row; it begins where the one before ends.
    ends: Vec<u32>,
    order: Order,
}

/// Which row a user gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// User n the n-th, from the first again when there are more users than rows.
    #[default]
    InTurn,
    /// Drawn evenly.
    Random,
}

impl Feeder {
    /// Reads a file (RFC 4180, with a header line that names the columns).
    ///
    /// # Errors
    /// With the line and the reason.
    pub fn parse(bytes: &[u8], order: Order) -> Result<Self, String> {
        let mut reader = csv::Reader::from_reader(bytes);
        let mut feeder = Self {
            order,
            ..Self::default()
        };
        let header = reader.headers().map_err(|error| error.to_string())?;
        feeder.columns = header.iter().map(|name| name.trim().to_owned()).collect();
        for (index, name) in feeder.columns.iter().enumerate() {
            if name.is_empty() || feeder.columns[..index].contains(name) {
                return Err(format!(
                    "line 1: column {} needs a name of its own, and is called \"{name}\"",
                    index + 1
                ));
            }
        }
        for record in reader.records() {
            let record = record.map_err(|error| error.to_string())?;
            for field in &record {
                if field.len() > FIELD_BYTES_MAX {
                    let line = record.position().map_or(0, csv::Position::line);
                    return Err(format!("line {line}: a field is longer than 16 KiB"));
                }
                feeder.text.extend_from_slice(field.as_bytes());
                let end = u32::try_from(feeder.text.len());
                feeder
                    .ends
                    .push(end.map_err(|_| "it is larger than 4 GiB")?);
            }
            if feeder.rows() > ROWS_MAX {
                return Err(format!("it has more than {ROWS_MAX} rows"));
            }
        }
        match feeder.rows() {
            0 => Err("it has no row below its header line".into()),
            _ => Ok(feeder),
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.ends.len() / self.columns.len().max(1)
    }

    /// Names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// A field.
    #[inline]
    pub fn text(&self, row: usize, column: usize) -> &[u8] {
        let field = row * self.columns.len() + column;
        let begin = field.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[begin as usize..self.ends[field] as usize]
    }

    /// All fields of a column.
    pub fn column(&self, column: usize) -> impl Iterator<Item = &[u8]> {
        (0..self.rows()).map(move |row| self.text(row, column))
    }

    /// The row that a user gets.
    pub fn row_of(&self, user: u64, random: Keyed) -> usize {
        let rows = self.rows() as u64;
        let row = match self.order {
            Order::InTurn => user % rows,
            Order::Random => below(random.draw(user, Stream::Row, 0), rows),
        };
        row as usize
    }

    /// Longest field of a column, in bytes.
    pub fn bytes_max(&self, column: usize) -> usize {
        self.column(column).map(<[u8]>::len).max().unwrap_or(0)
    }

    /// All fields of a column have the same length.
    pub fn is_fixed(&self, column: usize) -> bool {
        let mut lengths = self.column(column).map(<[u8]>::len);
        let first = lengths.next();
        lengths.all(|length| Some(length) == first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_given_in_turn_or_drawn() {
        let text = b"name,mail\nann,ann@example.test\n\"bob \"\"b\"\"\",\"a,b\"\n";
        let feeder = Feeder::parse(text, Order::InTurn).expect("it is valid");
        let random = Keyed::new(1);
        let name = |user| feeder.text(feeder.row_of(user, random), 0).to_vec();
        assert_eq!((name(0), name(1)), (b"ann".to_vec(), b"bob \"b\"".to_vec()));
        assert_eq!((name(0), feeder.text(1, 1)), (name(2), &b"a,b"[..]));
        let drawn = Feeder::parse(text, Order::Random).expect("it is valid");
        let first = (0..100)
            .filter(|&user| drawn.row_of(user, random) == 0)
            .count();
        assert!((30..70).contains(&first), "{first}");
        assert_eq!((feeder.bytes_max(1), feeder.is_fixed(1)), (16, false));
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_line() {
        let check = |text: &str, reason: &str| {
            let error = Feeder::parse(text.as_bytes(), Order::InTurn).expect_err(text);
            assert!(error.contains(reason), "{error}");
        };
        check("", "");
        check("a,b\n", "no row");
        check("a,a\n1,2\n", "line 1: column 2");
        check("a,b\n1\n", "line: 2");
    }
}
