//! Connections of an encrypted run: how long they took to open, and their handshakes, full and resumed apart.

use maud::{Markup, html};

use super::shell::{cell, heads, section as framed, table};
use crate::record::schema::{Record, Times, TlsRecord};
use crate::report::console::figures::{Figures, Which};
use crate::text::units::{grouped, percent};

/// The section; nothing for a run in plain text, and for a part of a run, whose handshakes are not known.
pub(super) fn section(record: &Record) -> Markup {
    let is_cut = record.slice.as_ref().is_some_and(|slice| !slice.settled);
    let Some(tls) = record.tls.as_ref().filter(|_| !is_cut) else {
        return html! {};
    };
    let heads = heads(["", "Number", "p50", "p95", "p99", "Max"]);
    let rows = [
        ("Connect (TCP)", &record.generator.connect_us),
        ("Full handshake", &tls.full_us),
        ("Resumed handshake", &tls.resumed_us),
    ];
    let rows = rows.map(|(name, times)| row(name, times));
    let content = html! {
        (table("Connections", &heads, &rows))
        p.note {
            (resumed(tls))
            " A handshake's time begins when the connection is open."
        }
    };
    framed("connections", "Connections and handshakes", &content)
}

/// `75 % of 4 handshakes resumed an earlier session.`
fn resumed(tls: &TlsRecord) -> String {
    let (full, resumed) = (tls.full_us.count, tls.resumed_us.count);
    match full + resumed {
        0 => "No handshake was done.".to_owned(),
        all => format!(
            "{} of {} handshakes resumed an earlier session{}.",
            percent(resumed as f64 / all as f64),
            grouped(all),
            if tls.resume {
                ""
            } else {
                " (--tls-resume off)"
            }
        ),
    }
}

fn row(name: &str, times: &Times) -> Vec<Markup> {
    let figures = Figures::exact(times);
    let which = [
        Which::Percentile(50.0),
        Which::Percentile(95.0),
        Which::Percentile(99.0),
        Which::Max,
    ];
    let shown = which.map(|which| cell(figures.show(which).unwrap_or_else(|| "–".into())));
    [cell(name), cell(grouped(times.count))]
        .into_iter()
        .chain(shown)
        .collect()
}
