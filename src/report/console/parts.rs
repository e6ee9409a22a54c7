//! The parts of a merged record: how many, from when to when all of them had their load, and which did not.

use super::page::{Colour, Page, Paint};
use crate::record::merge::together::Apart;
use crate::record::schema::{MergedPartRecord, Record};
use crate::text::units::{counted, grouped, moment};

/// `PARTS: 4 parts on 2 machines; all had their load from 0 s to 30.0 s`, and what they did apart.
pub(super) fn lines(page: &mut Page, record: &Record) {
    let run = &record.run;
    let Some(text) = text(record) else {
        return;
    };
    let apart = Apart::of(run);
    let paint = match apart == Apart::default() && run.all_running.is_some() {
        true => Paint::Nothing,
        false => Paint::Whole(Colour::Yellow),
    };
    page.paragraph(paint, &text);
    // In a verdict that is not VALID they stand as its findings.
    if super::verdict::is_valid(record) {
        let mut apart = apart.late_or_early.iter();
        if let Some(first) = apart.next() {
            page.remark(first);
        }
        match apart.count() as u64 {
            0 => {}
            more => page.remark(&format!(
                "and {}: --report full shows all",
                counted(more, "more finding")
            )),
        }
    }
}

/// `PARTS: 4 parts on 2 machines; all had their load from 0 s to 30.0 s`; `None` for a record of one run.
pub(in crate::report) fn text(record: &Record) -> Option<String> {
    let run = &record.run;
    if run.parts.is_empty() {
        return None;
    }
    let machines = machines(&run.parts);
    let mut text = format!("PARTS: {}", counted(run.parts.len() as u64, "part"));
    if machines > 1 {
        text += &format!(" on {} machines", grouped(machines as u64));
    }
    text += &match run.all_running {
        Some(all) => format!(
            "; all had their load from {} to {}",
            moment(all.from_s),
            moment(all.to_s)
        ),
        None => "; at no time did all of them have their load".to_owned(),
    };
    Some(text)
}

fn machines(parts: &[MergedPartRecord]) -> usize {
    let mut machines: Vec<(&str, &str)> = parts
        .iter()
        .map(|part| {
            (
                part.machine.hostname.as_str(),
                part.machine.boot_id.as_str(),
            )
        })
        .collect();
    machines.sort_unstable();
    machines.dedup();
    machines.len()
}
