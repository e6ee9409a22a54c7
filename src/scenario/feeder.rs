//! Rows of a CSV file, one for each user.

use std::ops::RangeInclusive;

use super::pointer::without_mark;
use crate::load::random::{Keyed, Stream, below};

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

/// What stands between fields, unless the scenario says otherwise.
pub const DELIMITER: u8 = b',';
/// What other programs put between fields.
const OTHER_DELIMITERS: [(char, &str); 4] = [(';', ";"), ('\t', "\\t"), ('|', "|"), (',', ",")];

impl Feeder {
    /// Reads a file (RFC 4180, with a header line that names the columns).
    ///
    /// # Errors
    /// With the line and the reason.
    pub fn parse(bytes: &[u8], order: Order, delimiter: u8) -> Result<Self, String> {
        check_quotes(bytes, delimiter)?;
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .from_reader(bytes);
        let mut feeder = Self {
            order,
            ..Self::default()
        };
        let header = reader.headers().map_err(|error| error.to_string())?;
        feeder.columns = header.iter().map(|name| name.trim().to_owned()).collect();
        feeder.check_columns()?;
        for record in reader.records() {
            let record = record.map_err(|error| error.to_string())?;
            let line = record.position().map_or(0, csv::Position::line);
            if record.len() != feeder.columns.len() {
                return Err(format!(
                    "line {line}: the number of its fields is {}, and that of the columns {}",
                    record.len(),
                    feeder.columns.len()
                ));
            }
            for field in &record {
                if field.len() > FIELD_BYTES_MAX {
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

    fn check_columns(&self) -> Result<(), String> {
        if let [name] = &self.columns[..]
            && let Some((_, other)) = OTHER_DELIMITERS.iter().find(|(it, _)| name.contains(*it))
        {
            let cure = match *other {
                "," => "leave delimiter out".to_owned(),
                other => format!("say delimiter = \"{other}\" beside file"),
            };
            return Err(format!(
                "line 1: it is one column for the delimiter it is read with, and has {other} in it; {cure}"
            ));
        }
        for (index, name) in self.columns.iter().enumerate() {
            if name.is_empty() || self.columns[..index].contains(name) {
                return Err(format!(
                    "line 1: column {} needs a name of its own, and is called \"{name}\"",
                    index + 1
                ));
            }
        }
        Ok(())
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

    /// The rows, counted from 1, that none of so many users gets: they are given in turn, and there are more.
    pub fn rows_left(&self, users: u64) -> Option<RangeInclusive<u64>> {
        let rows = self.rows() as u64;
        (self.order == Order::InTurn && users < rows).then_some(users + 1..=rows)
    }

    /// How rows come to users.
    pub fn order(&self) -> Order {
        self.order
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

/// Where [`check_quotes`] is.
enum Place {
    /// At the beginning of a field.
    Begin,
    /// Behind blanks at the beginning of one.
    Blanks,
    /// In one without quotes.
    Plain,
    /// In quotes.
    Quoted,
    /// Behind a quote in quotes.
    Behind,
}

/// Quotes as RFC 4180 has them. A reader that takes others as they come makes one value of several lines, or a value
/// with quotes in it, and says nothing.
fn check_quotes(bytes: &[u8], delimiter: u8) -> Result<(), String> {
    let mut place = Place::Begin;
    let (mut line, mut opened) = (1, 1);
    for &byte in without_mark(bytes) {
        let ends_field = byte == delimiter || matches!(byte, b'\n' | b'\r');
        place = match (place, byte) {
            (Place::Begin, b'"') => {
                opened = line;
                Place::Quoted
            }
            (Place::Quoted, b'"') => Place::Behind,
            (Place::Behind, b'"') | (Place::Quoted, _) => Place::Quoted,
            _ if ends_field => Place::Begin,
            (Place::Blanks, b'"') => {
                return Err(format!(
                    "line {line}: blanks stand before a quote, which would become a part of the value; remove them"
                ));
            }
            (Place::Begin | Place::Blanks, b' ') => Place::Blanks,
            (Place::Behind, _) => {
                return Err(format!(
                    "line {line}: the quote that is opened in line {opened} is closed here, and more text is behind it; a quote in a value is written twice"
                ));
            }
            (Place::Begin | Place::Blanks | Place::Plain, _) => Place::Plain,
        };
        line += usize::from(byte == b'\n');
    }
    match place {
        Place::Quoted => Err(format!(
            "line {opened}: a quote is opened here and never closed"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_given_in_turn_or_drawn() {
        let text = b"name,mail\nann,ann@example.test\n\"bob \"\"b\"\"\",\"a,b\"\n";
        let feeder = Feeder::parse(text, Order::InTurn, DELIMITER).expect("it is valid");
        let random = Keyed::new(1);
        let name = |user| feeder.text(feeder.row_of(user, random), 0).to_vec();
        assert_eq!((name(0), name(1)), (b"ann".to_vec(), b"bob \"b\"".to_vec()));
        assert_eq!((name(0), feeder.text(1, 1)), (name(2), &b"a,b"[..]));
        let drawn = Feeder::parse(text, Order::Random, DELIMITER).expect("it is valid");
        let first = (0..100)
            .filter(|&user| drawn.row_of(user, random) == 0)
            .count();
        assert!((30..70).contains(&first), "{first}");
        assert_eq!((feeder.bytes_max(1), feeder.is_fixed(1)), (16, false));
    }

    fn fields(text: &str, delimiter: u8) -> Result<Vec<String>, String> {
        let feeder = Feeder::parse(text.as_bytes(), Order::InTurn, delimiter)?;
        let columns = feeder.columns().len();
        let places = (0..feeder.rows()).flat_map(|row| (0..columns).map(move |it| (row, it)));
        let fields = places.map(|(row, column)| feeder.text(row, column));
        Ok(fields
            .map(|field| String::from_utf8_lossy(field).into_owned())
            .collect())
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_line() {
        let check = |text: &str, reason: &str| {
            let error = fields(text, DELIMITER).expect_err(text);
            assert!(error.starts_with(reason), "{error}");
        };
        check("", "it has no row");
        check("a,b\n", "it has no row");
        check("a,a\n1,2\n", "line 1: column 2");
        check(
            "a,b\n1\n",
            "line 2: the number of its fields is 1, and that of the columns 2",
        );
        check("a,b\n1,2\n1,2,3\n", "line 3: the number of its fields is 3");
        check(
            "a,b\n1,\"2\n3,4\n5,6\n",
            "line 2: a quote is opened here and never closed",
        );
        check(
            "a\n\"x\"\"\n",
            "line 2: a quote is opened here and never closed",
        );
        check(
            "a,b\n\"ann,1\n\"bob\",2\n",
            "line 3: the quote that is opened in line 2 is closed here",
        );
        check("a\n\"x\"y\n", "line 2: the quote that is opened in line 2");
        check("a,b\n1, \"x,y\"\n", "line 2: blanks stand before a quote");
        check(
            "a;b\n1;2\n",
            "line 1: it is one column for the delimiter it is read with, and has ; in it; say delimiter = \";\"",
        );
        check(
            "a\tb\n1\t2\n",
            "line 1: it is one column for the delimiter it is read with, and has \\t",
        );
        let error = fields("a,b\n1,2\n", b';').expect_err("no such delimiter");
        assert!(error.ends_with("leave delimiter out"), "{error}");
    }

    #[test]
    fn quotes_and_delimiters_are_taken_as_they_are_meant() {
        for (text, delimiter, expected) in [
            ("a,b\r\n1,2\r\n", b',', &["1", "2"][..]),
            ("\u{feff}a,b\n1,2", b',', &["1", "2"]),
            ("\u{feff}\"a\",b\n1,2", b',', &["1", "2"]),
            ("a;b\n1,5;\"2;3\"\n", b';', &["1,5", "2;3"]),
            ("a\tb\n1\t\"2\n3\"\n", b'\t', &["1", "2\n3"]),
            (
                "a\n\"x \"\"y\"\"\"\n5\"\n x\n",
                b',',
                &["x \"y\"", "5\"", " x"],
            ),
        ] {
            assert_eq!(fields(text, delimiter).expect(text), expected, "{text}");
        }
    }

    #[test]
    fn rows_that_no_user_gets_are_known() {
        let feeder = |order| Feeder::parse(b"a\n1\n2\n3\n", order, DELIMITER).expect("valid");
        let in_turn = feeder(Order::InTurn);
        assert_eq!(in_turn.rows_left(1), Some(2..=3));
        assert_eq!((in_turn.rows_left(3), in_turn.rows_left(9)), (None, None));
        assert_eq!(feeder(Order::Random).rows_left(1), None);
    }
}
