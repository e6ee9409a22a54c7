//! The rows of a CSV file (RFC 4180), kept as one text.

use super::pointer::without_mark;

/// Most rows: the whole file is kept in memory.
const ROWS_MAX: usize = 10_000_000;
/// Longest field: a value's length is kept in 16 bits.
const FIELD_BYTES_MAX: usize = 16 * 1024;

/// The rows of a CSV file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    columns: Vec<String>,
    text: Vec<u8>,
    /// Where each field ends, row by row; it begins where the one before ends.
    ends: Vec<u32>,
}

/// The delimiter of fields, unless the scenario gives another.
pub const DELIMITER: u8 = b',';
/// Delimiters that other programs write.
const OTHER_DELIMITERS: [(char, &str); 4] = [(';', ";"), ('\t', "\\t"), ('|', "|"), (',', ",")];

impl Rows {
    /// Parses a file (RFC 4180, with a header line that names the columns).
    ///
    /// # Errors
    /// The line and the reason.
    pub fn parse(bytes: &[u8], delimiter: u8) -> Result<Self, String> {
        check_quotes(bytes, delimiter)?;
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .from_reader(bytes);
        let mut rows = Self::default();
        let header = reader.headers().map_err(|error| error.to_string())?;
        rows.columns = header.iter().map(|name| name.trim().to_owned()).collect();
        rows.check_columns()?;
        for record in reader.records() {
            let record = record.map_err(|error| error.to_string())?;
            let line = record.position().map_or(0, csv::Position::line);
            if record.len() != rows.columns.len() {
                return Err(format!(
                    "line {line}: the number of its fields is {}, and that of the columns {}",
                    record.len(),
                    rows.columns.len()
                ));
            }
            for field in &record {
                if field.len() > FIELD_BYTES_MAX {
                    return Err(format!("line {line}: a field is longer than 16 KiB"));
                }
                rows.text.extend_from_slice(field.as_bytes());
                let end = u32::try_from(rows.text.len());
                rows.ends.push(end.map_err(|_| "it is larger than 4 GiB")?);
            }
            if rows.count() > ROWS_MAX {
                return Err(format!("it has more than {ROWS_MAX} rows"));
            }
        }
        match rows.count() {
            0 => Err("it has no row below its header line".into()),
            _ => Ok(rows),
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
                "line 1: with its delimiter it is one column, and has {other} in it; {cure}"
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
    pub fn count(&self) -> usize {
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
        (0..self.count()).map(move |row| self.text(row, column))
    }

    /// Longest field of a column, in bytes.
    pub fn bytes_max(&self, column: usize) -> usize {
        self.column(column).map(<[u8]>::len).max().unwrap_or(0)
    }

    /// Whether all fields of a column have the same length.
    pub fn is_fixed(&self, column: usize) -> bool {
        let mut lengths = self.column(column).map(<[u8]>::len);
        let first = lengths.next();
        lengths.all(|length| Some(length) == first)
    }
}

/// Position of [`check_quotes`].
enum Place {
    /// At the beginning of a field.
    Begin,
    /// After blanks at the beginning of a field.
    Blanks,
    /// In a field without quotes.
    Plain,
    /// In a quoted field.
    Quoted,
    /// After a quote in a quoted field.
    Behind,
}

/// Checks that quotes are as in RFC 4180. The CSV reader accepts others silently, and makes one value of several lines, or
/// a value with quotes in it.
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
mod tests;
