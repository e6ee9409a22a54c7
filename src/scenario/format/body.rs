//! The body of a step's request, and the pairs of a query or a form.

use std::borrow::Cow;

use crate::http::request::{Encoding, Part};

use super::context::Context;
use super::holes::Texts;
use super::multipart::compile_multipart;
use super::pieces::{check_holes, check_json};
use super::place::ScenarioError;
use super::read::{FILE_BYTES_MAX, read_file};
use super::site::Site;
use super::toml::{Item, Table};

/// A body, if the step has one, and the `Content-Type` that it gets by default.
type Body = (Option<Vec<Part>>, Option<Cow<'static, str>>);

pub(super) fn compile_body(
    table: &Table<'_>,
    context: &Context<'_>,
    texts: &mut Texts<'_>,
) -> Result<Body, ScenarioError> {
    let kinds = ["json", "text", "form", "multipart", "file"];
    if let Some(item) = table.get("body") {
        return Err(item.error(format!("a body is given as one of {}", kinds.join(", "))));
    }
    let mut given = kinds.map(|kind| table.get(kind)).into_iter().zip(kinds);
    let Some((item, kind)) = given.find_map(|(item, kind)| Some((item?, kind))) else {
        return Ok((None, None));
    };
    if let Some((second, other)) = given.find_map(|(item, kind)| Some((item?, kind))) {
        return Err(second.error(format!("a step has one body: {kind} or {other}, not both")));
    }
    let (parts, content_type) = match kind {
        "json" => {
            let text = match item.text() {
                Ok(text) => {
                    check_json(&item, text)?;
                    text.to_owned()
                }
                Err(_) => {
                    check_holes(&item)?;
                    item.json()?.to_string()
                }
            };
            let parts = texts.step(&item, &text, Site::Json)?;
            (parts, Some("application/json".into()))
        }
        "form" => {
            let parts = compile_pairs(&item, None, texts)?;
            (parts, Some("application/x-www-form-urlencoded".into()))
        }
        "multipart" => {
            let (parts, content_type) = compile_multipart(&item, context, texts)?;
            (parts, Some(content_type.into()))
        }
        "text" => (texts.step(&item, item.text()?, Site::Text)?, None),
        _ => {
            let bytes = read_file(&item, context)?;
            if bytes.len() > FILE_BYTES_MAX {
                return Err(
                    item.error("the file is larger than 1 GiB, the most that a body can have")
                );
            }
            let is_json = item.text()?.ends_with(".json");
            let content_type = is_json.then(|| "application/json".into());
            (vec![Part::Kept(bytes)], content_type)
        }
    };
    Ok((Some(parts), content_type))
}

/// `name=value&name=value`, percent-encoded, with `first` before it.
pub(super) fn compile_pairs(
    item: &Item<'_>,
    first: Option<char>,
    texts: &mut Texts<'_>,
) -> Result<Vec<Part>, ScenarioError> {
    let mut parts = Vec::new();
    let mut separator = first;
    for (name, span, item) in item.table()?.entries() {
        if name.contains("{{") {
            let reason = "holes are filled in values, not in names";
            return Err(item.source.error(span, reason));
        }
        let mut text: Vec<u8> = separator
            .map(|separator| separator as u8)
            .into_iter()
            .collect();
        text.extend(Encoding::Percent.text(name).into_bytes());
        text.push(b'=');
        parts.push(Part::Literal(text));
        parts.extend(texts.step(&item, &item.text_or_number()?, Site::Form)?);
        separator = Some('&');
    }
    Ok(parts)
}
