//! The rules of the run, and whether they held.

use super::page::{Colour, Page, Paint};
use crate::record::schema::{Record, RuleRecord};
use crate::text::units::{counted, grouped};

/// A paragraph for each rule; of those that held, so many.
pub(super) fn lines(page: &mut Page, record: &Record, kept_max: usize) {
    let is_kept = |rule: &RuleRecord| !rule.broken && rule.windows > 0;
    let mut kept = 0;
    for rule in &record.rules {
        kept += usize::from(is_kept(rule));
        if !is_kept(rule) || kept <= kept_max {
            paragraph(page, rule);
        }
    }
    if kept > kept_max && kept_max > 0 {
        let left = counted((kept - kept_max) as u64, "more rule");
        page.paragraph(
            Paint::Words(Colour::Green, "KEPT:"),
            &format!("KEPT: {left}"),
        );
    }
}

fn paragraph(page: &mut Page, rule: &RuleRecord) {
    let place = match (rule.from_s, rule.to_s, rule.users) {
        (Some(from_s), Some(to_s), Some(users)) => format!(
            " from {from_s:.0} s to {to_s:.0} s, with {}:",
            counted(users, "user")
        ),
        _ => String::new(),
    };
    let (colour, keyword) = match (rule.broken, rule.windows) {
        (true, _) => (Colour::Red, "BROKEN:"),
        (false, 0) => (Colour::Red, "NOT JUDGED:"),
        (false, _) => (Colour::Green, "KEPT:"),
    };
    let windows = match rule.windows {
        0 | 1 => String::new(),
        count if rule.broken => format!(" (window {count})"),
        count => format!(" ({} windows, the last one shown)", grouped(count)),
    };
    let part = rule.part.as_ref();
    let part = part.map_or(String::new(), |part| format!("{part}: "));
    let text = format!(
        "{keyword} {part}--{} '{}':{place} {}{windows}",
        rule.kind, rule.rule, rule.says
    );
    page.paragraph(Paint::Words(colour, keyword), &text);
    if let Some(note) = &rule.note {
        page.remark(note);
    }
}
