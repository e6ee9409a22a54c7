//! The header fields of a step's request: the program's own, the scenario's, the step's, the command line's.

use ::toml::de::DeValue;

use crate::http::coding::Coding;
use crate::http::request::Part;
use crate::text::suggest::did_you_mean;

use super::context::Context;
use super::holes::Texts;
use super::place::{ScenarioError, Source};
use super::site::{Site, is_header_character};
use super::toml::{Item, Table};

/// Fields whose value the program decides, and why a user cannot give them.
const REFUSED: [(&str, &str); 2] = [
    (
        "content-length",
        "Content-Length is the length of the body, and opsurge counts it; a wrong one would make the rest of the body the next request",
    ),
    (
        "transfer-encoding",
        "opsurge sends a body with its length and in no transfer coding; leave Transfer-Encoding out",
    ),
];

pub(super) const AUTHORIZATION: &str = "Authorization";
const ACCEPT_ENCODING: &str = "Accept-Encoding";

/// Names of fields in order, with their values, unread.
pub(super) type Headers<'s> = Vec<(&'s str, Item<'s>)>;

/// A field: its name and its value.
pub(super) type Field = (String, Vec<Part>);

/// A `headers` table: every name is valid and occurs once, whatever its case.
pub(super) fn read_headers<'s>(item: &Item<'s>) -> Result<Headers<'s>, ScenarioError> {
    let mut headers: Headers<'s> = Vec::new();
    for (name, span, value) in item.table()?.entries() {
        let error = |reason: String| Err(value.source.error(span.clone(), reason));
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            return error(format!("\"{name}\" is not a field name"));
        }
        if let Some(reason) = refused(name) {
            return error(reason.to_owned());
        }
        if headers
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
        {
            return error(format!(
                "{name} is there twice; letters' case makes no difference"
            ));
        }
        value.text()?;
        headers.push((name, value));
    }
    Ok(headers)
}

/// Why a user cannot give a field of this name; `None` when it is allowed.
fn refused(name: &str) -> Option<&'static str> {
    let found = REFUSED
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, reason)| *reason)
}

/// The fields of a step: the program's own, the scenario's without those dropped, the step's, the command line's.
/// A later one replaces an earlier one of the same name; several of the command line with one name all stay.
pub(super) fn compile_fields(
    table: &Table<'_>,
    content_type: Option<&str>,
    headers: &Headers<'_>,
    auth: Option<&Item<'_>>,
    accept_encoding: Option<&Item<'_>>,
    context: &Context<'_>,
    texts: &mut Texts<'_>,
) -> Result<Vec<Field>, ScenarioError> {
    let user_agent = concat!("opsurge/", env!("CARGO_PKG_VERSION"));
    let own_auth = table.get("auth");
    let mut fields = vec![
        ("Host".to_owned(), vec![Part::Authority]),
        fixed("User-Agent", user_agent),
    ];
    if let Some(content_type) = content_type {
        fields.push(fixed("Content-Type", content_type));
    }
    let mut dropped = Vec::new();
    for item in table.read("drop_headers", Item::list)?.unwrap_or_default() {
        let name = item.text()?;
        let is_known = |known: &str| known.eq_ignore_ascii_case(name);
        let is_auth = auth.is_some() && is_known(AUTHORIZATION);
        if !is_auth && !headers.iter().any(|(known, _)| is_known(known)) {
            let near = did_you_mean(name, headers.iter().map(|(known, _)| *known));
            return Err(item.error(format!("[headers] has no {name} to be dropped{near}")));
        }
        dropped.push(name);
    }
    let is_dropped = |name: &str| dropped.iter().any(|it| it.eq_ignore_ascii_case(name));
    let own = table.read("headers", read_headers)?.unwrap_or_default();
    for (name, item) in headers {
        if !is_dropped(name) {
            let field = compile_field(name, item, texts)?;
            replace(&mut fields, field);
        }
    }
    if let Some(item) = own_auth
        .as_ref()
        .or(auth.filter(|_| !is_dropped(AUTHORIZATION)))
    {
        let mut names = headers.iter().chain(&own).map(|(name, _)| *name);
        if names.any(|name| name.eq_ignore_ascii_case(AUTHORIZATION) && !is_dropped(name)) {
            return Err(item.error(
                "auth sends Authorization, and headers have one too; leave one of them out",
            ));
        }
        replace(
            &mut fields,
            (AUTHORIZATION.to_owned(), compile_auth(item, texts)?),
        );
    }
    let own_encoding = table.get("accept_encoding");
    if let Some(item) = own_encoding.as_ref().or(accept_encoding) {
        let mut names = headers.iter().chain(&own).map(|(name, _)| *name);
        if names.any(|name| name.eq_ignore_ascii_case(ACCEPT_ENCODING) && !is_dropped(name)) {
            return Err(item.error(
                "accept_encoding sends Accept-Encoding, and headers have one too; leave one of them out",
            ));
        }
        if let Some(codings) = read_codings(item)? {
            replace(&mut fields, fixed(ACCEPT_ENCODING, &codings));
        }
    }
    for (name, item) in own {
        let field = compile_field(name, &item, texts)?;
        replace(&mut fields, field);
    }
    for (nth, (name, value)) in context.headers.iter().enumerate() {
        if is_dropped(name) {
            continue;
        }
        let before = &context.headers[..nth];
        let is_repeated = before.iter().any(|(it, _)| it.eq_ignore_ascii_case(name));
        let line = format!("{name}: {value}");
        let source = Source {
            origin: "--header",
            text: &line,
        };
        let text = DeValue::String(value.into());
        let item = Item::of_text(source, line.len() - value.len()..line.len(), &text);
        if let Some(reason) = refused(name) {
            return Err(item.error(reason));
        }
        if is_repeated && name.eq_ignore_ascii_case("host") {
            return Err(item.error("a request has one Host (RFC 9112 section 3.2)"));
        }
        let field = compile_field(name, &item, texts)?;
        match is_repeated {
            false => replace(&mut fields, field),
            true => fields.push(field),
        }
    }
    Ok(fields)
}

/// `{ basic = ["user", "password"] }` or `{ bearer = "token" }`.
fn compile_auth(item: &Item<'_>, texts: &mut Texts<'_>) -> Result<Vec<Part>, ScenarioError> {
    const EXAMPLE: &str = "it has one entry: basic, a list of name and password, or bearer, a text";
    let table = item.table().map_err(|_| item.error(EXAMPLE))?;
    let (basic, bearer) = (table.get("basic"), table.get("bearer"));
    table.finish()?;
    match (basic, bearer) {
        (Some(basic), None) => match &basic.list()?[..] {
            [user, password] => texts.basic([user, password]),
            _ => Err(basic.error(EXAMPLE)),
        },
        (None, Some(bearer)) => {
            let text = bearer.text()?;
            if text.is_empty()
                || text.contains(|it: char| it.is_whitespace() && !text.contains("{{"))
            {
                return Err(
                    bearer.error("a bearer token has no blank, and no \"Bearer\" before it")
                );
            }
            if !text.contains("{{") {
                texts.secrets.add(text);
            }
            let mut value = vec![Part::Literal(b"Bearer ".to_vec())];
            value.extend(texts.step(&bearer, text, Site::Header)?);
            Ok(value)
        }
        _ => Err(item.error(EXAMPLE)),
    }
}

/// Names of content codings as one value; `None` for an empty list, which asks for none.
fn read_codings(item: &Item<'_>) -> Result<Option<String>, ScenarioError> {
    let mut names = Vec::new();
    for item in item.list()? {
        let name = item.text()?;
        let known = Coding::NAMES.iter().find(|(known, _)| *known == name);
        let Some((_, coding)) = known else {
            let known = Coding::NAMES.map(|(name, _)| name);
            let near = did_you_mean(name, known);
            let known = known.join(", ");
            return Err(item.error(format!("unknown coding \"{name}\"{near} ({known})")));
        };
        if !coding.is_built() {
            return Err(item.error(format!(
                "this build of opsurge has no decoder for {name}: cargo build --release --features codings; without it, ask for gzip or deflate"
            )));
        }
        names.push(name);
    }
    Ok((!names.is_empty()).then(|| names.join(", ")))
}

fn compile_field(
    name: &str,
    item: &Item<'_>,
    texts: &mut Texts<'_>,
) -> Result<Field, ScenarioError> {
    let text = item.text()?;
    if let Some(wrong) = text.chars().find(|&c| !is_header_character(c)) {
        return Err(item.error(format!("a header cannot have the character {wrong:?}")));
    }
    // Where a hole brings a secret, it is added with the hole.
    if !text.contains("{{") {
        texts.secrets.add_field(name, text);
    }
    let value = texts.step(item, text, Site::Header)?;
    let is_fixed = value.iter().all(|part| matches!(part, Part::Literal(_)));
    // The program has to know before the run whether the connection is used again.
    if name.eq_ignore_ascii_case("connection") && !is_fixed {
        return Err(item.error(
            "Connection is the same for all requests of a step; write for example \"close\"",
        ));
    }
    Ok((name.to_owned(), value))
}

fn fixed(name: &str, value: &str) -> Field {
    let value = Part::Literal(value.as_bytes().to_vec());
    (name.to_owned(), vec![value])
}

/// Puts a field in the place of the one with its name, or else at the end.
fn replace(fields: &mut Vec<Field>, field: Field) {
    match fields
        .iter_mut()
        .find(|(name, _)| name.eq_ignore_ascii_case(&field.0))
    {
        Some(before) => *before = field,
        None => fields.push(field),
    }
}
