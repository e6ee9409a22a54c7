//! Every kind of failure, with its likely cause, an example, and when it was seen.

use maud::{Markup, html};

use super::shell::{safe, section as framed};
use crate::record::schema::Record;
use crate::text::units::{grouped, moment};

/// The section; nothing without failures.
pub(super) fn section(record: &Record) -> Markup {
    if record.errors.is_empty() {
        return html! {};
    }
    let content = html! {
        div.scroll tabindex="0" role="region" aria-label="Errors" {
            table.errors {
                thead {
                    tr {
                        @for head in ["Step", "Kind", "Count", "First", "Last", "Cause and example"] {
                            th scope="col" { (head) }
                        }
                    }
                }
                tbody {
                    @for (at, error) in record.errors.iter().enumerate() {
                        tr id={ "error-" (at) } {
                            th scope="row" { span.method { (safe(&error.method)) } " " (safe(&error.name)) }
                            td {
                                (safe(&error.kind))
                                @if let Some(status) = error.status { " " (status) }
                            }
                            td { (grouped(error.count)) }
                            td { (moment(error.first_s)) }
                            td { (moment(error.last_s)) }
                            td.text {
                                @if let Some(hint) = &error.hint { p { (safe(hint)) } }
                                @if !error.detail.is_empty() { code { (safe(&error.detail)) } }
                            }
                        }
                    }
                }
            }
        }
    };
    framed("errors", "Errors", &content)
}
