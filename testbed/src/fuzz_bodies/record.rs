//! The reader of records: a record that it accepts is written the same, and every report can be made of it.

use opsurge::record::comparison::Comparison;
use opsurge::record::schema::Record;
use opsurge::report::console::compare::{Compared, text as comparison_text};
use opsurge::report::console::{Console, Form};
use opsurge::report::csv::Csv;
use opsurge::report::output::Report;

/// The record of a short run against the embedded stand-in.
pub const RECORD: &str = include_str!("record.json");

/// Input: the text of a record.
pub fn record(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let record = match Record::parse(text) {
        Ok(record) => record,
        Err(reason) => return assert!(!reason.is_empty()),
    };
    let again = Record::parse(&record.to_json());
    assert_eq!(again.as_ref(), Ok(&record));
    for (form, colour) in [(Form::Short, false), (Form::Full, true)] {
        let console = Console {
            form,
            colour,
            ..Console::default()
        };
        console.text(&record);
    }
    // A record that was changed by hand is an error with a reason, never a panic.
    let _ = Csv { full_history: true }.outputs(&record);
    let example = Record::parse(RECORD).expect("the example is a record");
    for runs in [1, 3] {
        let (base, new) = (vec![example.clone(); runs], vec![record.clone(); runs]);
        let compared = Compared {
            remarks: Vec::new(),
            base: named(&base),
            new: named(&new),
            tolerance: 0.05,
        };
        comparison_text(&Comparison::new(&base, &new), &compared, 80, false);
    }
}

fn named(records: &[Record]) -> Vec<(String, &Record)> {
    let named = records.iter().map(|record| ("a.json".to_owned(), record));
    named.collect()
}

pub fn examples() -> Vec<Vec<u8>> {
    vec![RECORD.into()]
}
