//! Bodies of several parts: fields and files, as forms in browsers send them (RFC 7578).

use crate::http::request::Part;
use crate::scenario::digest::Function;

use super::context::Context;
use super::holes::Texts;
use super::place::ScenarioError;
use super::read::{FILE_BYTES_MAX, read_file};
use super::site::Site;
use super::toml::{Item, Table};

/// Hexadecimal digits of a boundary: 128 bits.
const BOUNDARY_DIGITS: usize = 32;
/// Types of files by the end of their names, for a file whose type is not given.
const TYPES: [(&str, &str); 12] = [
    (".csv", "text/csv"),
    (".gif", "image/gif"),
    (".html", "text/html"),
    (".jpeg", "image/jpeg"),
    (".jpg", "image/jpeg"),
    (".json", "application/json"),
    (".pdf", "application/pdf"),
    (".png", "image/png"),
    (".txt", "text/plain"),
    (".webp", "image/webp"),
    (".xml", "application/xml"),
    (".zip", "application/zip"),
];

/// A body of several parts, and the value of its `Content-Type`.
pub(super) type Multipart = (Vec<Part>, String);

/// Compiles `{ field = "text", file = { path = "a.png" } }`; a list is several parts of one name.
pub(super) fn compile_multipart(
    item: &Item<'_>,
    context: &Context<'_>,
    texts: &mut Texts<'_>,
) -> Result<Multipart, ScenarioError> {
    let mut parts = Vec::new();
    for (name, span, item) in item.table()?.entries() {
        if name.contains("{{") {
            let reason = "holes are filled in values, not in names";
            return Err(item.source.error(span, reason));
        }
        for item in item.list().unwrap_or_else(|_| vec![item]) {
            parts.push(compile_part(name, &item, context, texts)?);
        }
    }
    if parts.is_empty() {
        return Err(item.error(
            "it has no part; write for example { title = \"x\", file = { path = \"a.png\" } }",
        ));
    }
    let boundary = boundary(&parts);
    let mut body = Vec::new();
    for part in parts {
        body.push(Part::Literal(format!("--{boundary}\r\n").into_bytes()));
        body.extend(part);
        body.push(Part::Literal(b"\r\n".to_vec()));
    }
    body.push(Part::Literal(format!("--{boundary}--\r\n").into_bytes()));
    Ok((body, format!("multipart/form-data; boundary={boundary}")))
}

/// The head and the content of a part.
fn compile_part(
    name: &str,
    item: &Item<'_>,
    context: &Context<'_>,
    texts: &mut Texts<'_>,
) -> Result<Vec<Part>, ScenarioError> {
    let mut head = format!("Content-Disposition: form-data; name=\"{}\"", quoted(name));
    let table = match item.text_or_number() {
        Ok(text) => {
            head += "\r\n\r\n";
            let mut part = vec![Part::Literal(head.into_bytes())];
            part.extend(texts.step(item, &text, Site::Text)?);
            return Ok(part);
        }
        Err(_) => item.table().map_err(|_| {
            item.error("a part is a text, or a file: { path = \"a.png\", type = \"image/png\" }")
        })?,
    };
    let content = read_content(item, &table, context, texts)?;
    let path = table.read("path", Item::text)?;
    let filename = table.read("filename", read_plain)?;
    let own_name = path.and_then(|path| path.rsplit('/').next());
    let filename = filename.or(own_name);
    if let Some(filename) = filename {
        head += &format!("; filename=\"{}\"", quoted(filename));
    }
    let content_type = table.read("type", read_plain)?.or(filename.map(type_of));
    if let Some(content_type) = content_type {
        head += &format!("\r\nContent-Type: {content_type}");
    }
    table.finish()?;
    head += "\r\n\r\n";
    let mut part = vec![Part::Literal(head.into_bytes())];
    part.extend(content);
    Ok(part)
}

/// What `path` or `text` of a part gives.
fn read_content(
    item: &Item<'_>,
    table: &Table<'_>,
    context: &Context<'_>,
    texts: &mut Texts<'_>,
) -> Result<Vec<Part>, ScenarioError> {
    match (table.get("path"), table.get("text")) {
        (Some(path), None) => {
            let bytes = read_file(&path, context)?;
            match bytes.len() > FILE_BYTES_MAX {
                true => Err(path.error("the file is larger than 1 GiB, the most that a body can have")),
                false => Ok(vec![Part::Kept(bytes)]),
            }
        }
        (None, Some(text)) => texts.step(&text, text.text()?, Site::Text),
        _ => Err(item.error(
            "a part has a path, the file that it sends, or a text: { path = \"a.png\" } or { text = \"a,b\", filename = \"a.csv\" }",
        )),
    }
}

/// A text for the head of a part: without holes and line ends.
fn read_plain<'s>(item: &Item<'s>) -> Result<&'s str, ScenarioError> {
    let text = item.text()?;
    match text.contains("{{") || text.chars().any(char::is_control) {
        true => Err(item.error("it stands in the head of the part: without holes and line ends")),
        false => Ok(text),
    }
}

/// The usual type of a file by its name.
fn type_of(filename: &str) -> &'static str {
    let name = filename.to_ascii_lowercase();
    let known = TYPES.iter().find(|(end, _)| name.ends_with(end));
    known.map_or("application/octet-stream", |(_, content_type)| content_type)
}

/// A name between quotes, as browsers write it (HTML, "Multipart form data").
fn quoted(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A boundary that is in no part: the same for the same parts, so that a run can be repeated. It is drawn like a hash, so
/// no value of a hole has it either.
fn boundary(parts: &[Vec<Part>]) -> String {
    let pieces = || parts.iter().flatten().filter_map(bytes_of);
    let mut seed = Vec::new();
    for bytes in pieces() {
        seed.extend(bytes.len().to_le_bytes());
        seed.extend(&bytes[..bytes.len().min(BOUNDARY_DIGITS)]);
    }
    loop {
        let mut digest = [0; 64];
        Function::Sha256.write(b"", &seed, &mut digest);
        let digits = String::from_utf8_lossy(&digest[..BOUNDARY_DIGITS]);
        let boundary = format!("opsurge-{digits}");
        let is_in = |bytes: &[u8]| memchr::memmem::find(bytes, boundary.as_bytes()).is_some();
        if !pieces().any(is_in) {
            return boundary;
        }
        seed.push(0);
    }
}

/// The bytes that are known before the run.
fn bytes_of(part: &Part) -> Option<&[u8]> {
    match part {
        Part::Literal(bytes) => Some(bytes),
        Part::Kept(bytes) => Some(bytes),
        _ => None,
    }
}
