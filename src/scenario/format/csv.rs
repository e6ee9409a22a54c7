//! The `[csv]` table: one file without a name, others as tables of it, and how their rows are given out.

use crate::scenario::feeder::{AtEnd, Feeder, File, Order, Per};
use crate::scenario::rows;
use crate::scenario::rows::Rows;
use crate::text::suggest::did_you_mean;

use super::context::Context;
use super::holes::check_name;
use super::place::ScenarioError;
use super::read::read_file;
use super::toml::{Item, Table};

/// Words of `order`, `per` and `at_end`.
const ORDERS: [(&str, Order); 2] = [("in-turn", Order::InTurn), ("random", Order::Random)];
const PERS: [(&str, Per); 2] = [("user", Per::User), ("iteration", Per::Iteration)];
const ENDS: [(&str, AtEnd); 3] = [
    ("again", AtEnd::Again),
    ("stop", AtEnd::Stop),
    ("fail", AtEnd::Fail),
];

/// All files of the table.
pub(super) fn read_feeder(item: &Item<'_>, context: &Context<'_>) -> Result<Feeder, ScenarioError> {
    let mut feeder = Feeder::default();
    let table = item.table()?;
    let named: Vec<_> = table
        .entries()
        .filter(|(_, _, item)| item.table().is_ok())
        .collect();
    if named.is_empty() || table.entries().count() > named.len() {
        add(&mut feeder, String::new(), &table, context)?;
    }
    for (name, span, item) in named {
        check_name(name).map_err(|reason| item.source.error(span, reason))?;
        let inner = item.table()?;
        add(&mut feeder, name.to_owned(), &inner, context)?;
    }
    table.finish_beside_tables()?;
    Ok(feeder)
}

fn add(
    feeder: &mut Feeder,
    name: String,
    table: &Table<'_>,
    context: &Context<'_>,
) -> Result<(), ScenarioError> {
    let file = table.need("file", "file = \"users.csv\"")?;
    let order = table.read("order", |item| word(item, "order", &ORDERS))?;
    let per = table.read("per", |item| word(item, "per", &PERS))?;
    let end = table.get("at_end");
    let at_end = end.as_ref().map(|item| word(item, "at_end", &ENDS));
    let at_end = at_end.transpose()?.unwrap_or_default();
    let delimiter = table.read("delimiter", read_delimiter)?;
    if let (Some(item), Some(Order::Random), false) = (end, order, at_end == AtEnd::Again) {
        return Err(item.error(
            "rows that are drawn have no end; to use each row once, leave order = \"random\" out",
        ));
    }
    match name.is_empty() {
        true => table.finish_beside_tables()?,
        false => table.finish()?,
    }
    let bytes = read_file(&file, context)?;
    let of_file = |reason: String| {
        let name = file.text().unwrap_or_default();
        file.error(format!("{name}: {reason}"))
    };
    let rows = Rows::parse(&bytes, delimiter.unwrap_or(rows::DELIMITER)).map_err(of_file)?;
    let added = feeder.add(File {
        name,
        rows,
        per: per.unwrap_or_default(),
        order: order.unwrap_or_default(),
        at_end,
    });
    added.map_err(|column| {
        of_file(format!(
            "{{{{csv.{column}}}}} would be a column of two files; rename one of them"
        ))
    })
}

/// One of a key's words.
fn word<T: Copy>(item: &Item<'_>, key: &str, words: &[(&str, T)]) -> Result<T, ScenarioError> {
    let text = item.text()?;
    if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*meaning);
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let near = did_you_mean(text, known.iter().copied());
    let all = known.join(", ");
    Err(item.error(format!("unknown {key} \"{text}\"{near} ({all})")))
}

fn read_delimiter(item: &Item<'_>) -> Result<u8, ScenarioError> {
    match item.text()?.as_bytes() {
        b"tab" => Ok(b'\t'),
        &[byte] if byte == b'\t' || byte.is_ascii_punctuation() && byte != b'"' => Ok(byte),
        _ => Err(item.error(
            "a delimiter is one character that is neither letter, digit, blank nor quote: for example \";\", or \"\\t\" for a tab",
        )),
    }
}
