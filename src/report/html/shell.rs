//! The frame of every page: one file that asks the network for nothing.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::text::printable::in_one_line;

/// What the page may do: its own style and script, and images that it holds itself. Nothing is fetched, sent or framed.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                                 img-src data:; base-uri 'none'; form-action 'none'";
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// A page with these sections.
pub(super) fn page(title: &str, body: &Markup) -> Markup {
    framed(title, POLICY, body, "")
}

/// A page with another policy, and a script of its own after the script of every page.
pub(super) fn framed(title: &str, policy: &str, body: &Markup, script: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content="opsurge";
                meta name="referrer" content="no-referrer";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (body)
                p.said id="said" aria-live="polite" {}
                script { (PreEscaped(SCRIPT)) }
                @if !script.is_empty() { script { (PreEscaped(script)) } }
            }
        }
    }
}

/// A text from a server, a scenario or the command line: what would reorder or hide other text is shown as its escape.
pub(super) fn safe(text: &str) -> String {
    in_one_line(text)
}

/// JSON for the script. Within a script element, markup begins with `<` alone.
pub(super) fn json(id: &str, text: &str) -> Markup {
    html! {
        script type="application/json" id=(id) { (PreEscaped(text.replace('<', "\\u003c"))) }
    }
}

/// A section with a heading.
pub(super) fn section(id: &str, title: &str, content: &Markup) -> Markup {
    html! {
        section id=(id) { h2 { (title) } (content) }
    }
}

/// A table that scrolls by itself where it is wider than the page. The first column is a name.
pub(super) fn table(label: &str, heads: &[String], rows: &[Vec<Markup>]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(label) {
            table {
                thead { tr { @for head in heads { th scope="col" { (head) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (at, cell) in row.iter().enumerate() {
                                @if at == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Head cells.
pub(super) fn heads<const N: usize>(heads: [&str; N]) -> Vec<String> {
    heads.map(str::to_owned).into()
}

/// A text as a cell.
pub(super) fn cell(text: impl AsRef<str>) -> Markup {
    html! { (text.as_ref()) }
}
