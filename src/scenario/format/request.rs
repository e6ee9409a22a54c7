//! A step's request, read: path, query, fields and body become a template.

use ::toml::de::DeValue;

use crate::http::request::{Encoding, Part, Template, is_secret_field};

use super::compile::read_file;
use super::place::{ScenarioError, Source};
use super::step::Compiler;
use super::text::{Site, check_holes, check_json, is_header_character, not_for_a_path};
use super::toml::{Item, Table};
use crate::scenario::members;
use crate::scenario::members::Author;
use crate::scenario::members::label;
use crate::scenario::model::{Carries, Credentials};
use crate::scenario::secrets::SEARCHED_BYTES_MAX;
use crate::text::suggest::did_you_mean;

/// What a field is refused with whose value opsurge has to decide.
const NOT_FOR_A_USER: [(&str, &str); 2] = [
    (
        "content-length",
        "Content-Length is the length of the body, and opsurge counts it; a wrong one would make the rest of the body the next request",
    ),
    (
        "transfer-encoding",
        "opsurge sends a body with its length and in no transfer coding; leave Transfer-Encoding out",
    ),
];
/// Longest body from a file.
const FILE_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Longest request without its shared stretches, with the longest values: each one that is under way has a buffer of
/// this size.
const RENDERED_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Longest request: the kernel takes less than 2 GiB at once.
const REQUEST_BYTES_MAX: usize = FILE_BYTES_MAX + RENDERED_BYTES_MAX;

/// Fields in order, with their items for error messages.
pub(super) type Headers<'s> = Vec<(&'s str, Item<'s>)>;

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

/// Why a field of this name is not for a user to give, if it is not.
fn refused(name: &str) -> Option<&'static str> {
    let found = NOT_FOR_A_USER
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, reason)| *reason)
}

/// A step's request, compiled.
pub(super) struct Compiled {
    pub template: Template,
    /// It says that it is the last one on its connection.
    pub closes: bool,
    pub carries: Carries,
}

impl<'s> Compiler<'_, 's> {
    /// The request of a step.
    pub(super) fn template(
        &mut self,
        table: &Table<'s>,
        method: &str,
        path: &Item<'s>,
    ) -> Result<Compiled, ScenarioError> {
        let target = path.text()?;
        if !target.starts_with('/') {
            return Err(path.error(format!("a path begins with /; write \"/{target}\"")));
        }
        let literal = |text: String| Part::Literal(text.into_bytes());
        let mut head = vec![literal(format!("{method} {}", self.context.base_path))];
        let parts = self.texts.step(path, target, Site::Path)?;
        for part in &parts {
            let Part::Literal(text) = part else { continue };
            if let Some((wrong, encoded)) = not_for_a_path(&String::from_utf8_lossy(text)) {
                return Err(path.part(&wrong.to_string()).error(format!(
                    "a path cannot have the character {wrong:?}; write {encoded}"
                )));
            }
        }
        head.extend(parts);
        if let Some(query) = table.get("query") {
            let first = if target.contains('?') { '&' } else { '?' };
            head.extend(self.pairs(&query, first)?);
        }
        head.push(literal(" HTTP/1.1\r\n".to_owned()));
        let (body, content_type) = self.body(table)?;
        let fields = self.fields(table, content_type)?;
        let closes = fields.iter().any(says_close);
        let carries = Carries {
            credentials: self.credentials(&start_of(head.iter()), &fields),
            content_type: value_of("content-type", &fields),
        };
        for (name, value) in fields {
            head.push(literal(format!("{name}: ")));
            head.extend(value);
            head.push(literal("\r\n".to_owned()));
        }
        let body = match (body, method) {
            (None, "POST" | "PUT" | "PATCH") => Some(Vec::new()),
            (body, _) => body,
        };
        let secret_text = start_of(head.iter().chain(body.iter().flatten()));
        self.texts.secrets.add_members(&secret_text);
        let template = Template::new(head, body);
        if template.bytes_max() > RENDERED_BYTES_MAX {
            return Err(path.error(format!(
                "what is made anew of each request may become {} bytes long, and 2 MiB are the most; fewer holes in a long body, or a smaller max of a value in it",
                template.bytes_max()
            )));
        }
        let bytes_max = template.bytes_max() + template.shared_bytes();
        if bytes_max > REQUEST_BYTES_MAX {
            return Err(path.error(format!(
                "the request may become {bytes_max} bytes long, and 1 GiB is the most"
            )));
        }
        Ok(Compiled {
            template,
            closes,
            carries,
        })
    }

    /// The credentials of a request, with its request line and fields.
    fn credentials(&self, line: &str, fields: &[Field]) -> Credentials {
        let named = fields.iter().find(|(name, _)| is_secret_field(name));
        match named {
            _ if self.texts.has_api_key => Credentials::ApiKey(self.context.api_key_env.to_owned()),
            Some((name, _)) => Credentials::Field(name.clone()),
            None if members::mask(line, Author::Other) != line => Credentials::Target,
            None => Credentials::None,
        }
    }

    /// `name=value&name=value`, with `first` before it unless that is `&` and nothing was before.
    fn pairs(&mut self, item: &Item<'s>, first: char) -> Result<Vec<Part>, ScenarioError> {
        let mut parts = Vec::new();
        let mut separator = first;
        for (name, span, item) in item.table()?.entries() {
            if name.contains("{{") {
                let reason = "holes are filled in values, not in names";
                return Err(item.source.error(span, reason));
            }
            let mut text = match separator {
                '\0' => Vec::new(),
                separator => vec![separator as u8],
            };
            text.extend(Encoding::Percent.text(name).into_bytes());
            text.push(b'=');
            parts.push(Part::Literal(text));
            parts.extend(
                self.texts
                    .step(&item, &item.text_or_number()?, Site::Form)?,
            );
            separator = '&';
        }
        Ok(parts)
    }

    /// The fields of a step: the program's own, the scenario's without those dropped, the step's, the command line's.
    /// A later one replaces an earlier one of the same name; of the command line's those of one name all stay.
    fn fields(
        &mut self,
        table: &Table<'s>,
        content_type: Option<&str>,
    ) -> Result<Vec<Field>, ScenarioError> {
        let user_agent = concat!("opsurge/", env!("CARGO_PKG_VERSION"));
        let mut fields = vec![
            field("Host", self.context.authority),
            field("User-Agent", user_agent),
        ];
        if let Some(content_type) = content_type {
            fields.push(field("Content-Type", content_type));
        }
        let mut dropped = Vec::new();
        for item in table.read("drop_headers", Item::list)?.unwrap_or_default() {
            let name = item.text()?;
            let is_known = |known: &str| known.eq_ignore_ascii_case(name);
            if !self.headers.iter().any(|(known, _)| is_known(known)) {
                let near = did_you_mean(name, self.headers.iter().map(|(known, _)| *known));
                return Err(item.error(format!("[headers] has no {name} to be dropped{near}")));
            }
            dropped.push(name);
        }
        let own = table.read("headers", read_headers)?.unwrap_or_default();
        for (name, item) in self.headers.clone() {
            if dropped.iter().any(|it| it.eq_ignore_ascii_case(name)) {
                continue;
            }
            let value = self.field(name, &item)?;
            replace(&mut fields, value);
        }
        for (name, item) in own {
            let value = self.field(name, &item)?;
            replace(&mut fields, value);
        }
        for (nth, (name, value)) in self.context.headers.iter().enumerate() {
            if dropped.iter().any(|it| it.eq_ignore_ascii_case(name)) {
                continue;
            }
            let before = &self.context.headers[..nth];
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
            let field = self.field(name, &item)?;
            match is_repeated {
                false => replace(&mut fields, field),
                true => fields.push(field),
            }
        }
        Ok(fields)
    }

    fn field(&mut self, name: &str, item: &Item<'_>) -> Result<Field, ScenarioError> {
        let text = item.text()?;
        if let Some(wrong) = text.chars().find(|&c| !is_header_character(c)) {
            return Err(item.error(format!("a header cannot have the character {wrong:?}")));
        }
        // What holes bring is known to be secret by itself, where it is.
        if !text.contains("{{") {
            self.texts.secrets.add_field(name, text);
        }
        let value = self.texts.step(item, text, Site::Header)?;
        let is_fixed = value.iter().all(|part| matches!(part, Part::Literal(_)));
        // Whether the connection is used again has to be known before the run.
        if name.eq_ignore_ascii_case("connection") && !is_fixed {
            return Err(item.error(
                "Connection is the same for all requests of a step; write for example \"close\"",
            ));
        }
        Ok((name.to_owned(), value))
    }

    /// A step's body and its type.
    fn body(
        &mut self,
        table: &Table<'s>,
    ) -> Result<(Option<Vec<Part>>, Option<&'static str>), ScenarioError> {
        let kinds = ["json", "text", "form", "file"];
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
                (
                    self.texts.step(&item, &text, Site::Json)?,
                    Some("application/json"),
                )
            }
            "form" => {
                let parts = self.pairs(&item, '\0')?;
                (parts, Some("application/x-www-form-urlencoded"))
            }
            "text" => (self.texts.step(&item, item.text()?, Site::Text)?, None),
            _ => {
                let bytes = read_file(&item, self.context)?;
                if bytes.len() > FILE_BYTES_MAX {
                    return Err(
                        item.error("the file is larger than 1 GiB, the most that a body can have")
                    );
                }
                let is_json = item.text()?.ends_with(".json");
                (
                    vec![Part::Kept(bytes)],
                    is_json.then_some("application/json"),
                )
            }
        };
        Ok((Some(parts), content_type))
    }
}

/// The start of what parts make together, `{{}}` for each value.
fn start_of<'p>(parts: impl Iterator<Item = &'p Part>) -> String {
    let mut text = Vec::new();
    for part in parts {
        let room = SEARCHED_BYTES_MAX.saturating_sub(text.len());
        text.extend_from_slice(match part {
            Part::Literal(bytes) => &bytes[..bytes.len().min(room)],
            Part::Kept(bytes) => &bytes[..bytes.len().min(room)],
            Part::Value(..) => b"{{}}",
        });
        if room == 0 {
            break;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

type Field = (String, Vec<Part>);

fn field(name: &str, value: &str) -> Field {
    (
        name.to_owned(),
        vec![Part::Literal(value.as_bytes().to_vec())],
    )
}

/// The field says that its request is the last one on its connection (RFC 9112 section 9.6).
fn says_close((name, value): &Field) -> bool {
    let text = start_of(value.iter());
    let mut options = text.split(',');
    name.eq_ignore_ascii_case("connection")
        && options.any(|option| option.trim().eq_ignore_ascii_case("close"))
}

fn value_of(name: &str, fields: &[Field]) -> Option<String> {
    let mut fields = fields.iter();
    let found = fields.find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| label(&start_of(value.iter())))
}

fn replace(fields: &mut Vec<Field>, field: Field) {
    match fields
        .iter_mut()
        .find(|(name, _)| name.eq_ignore_ascii_case(&field.0))
    {
        Some(before) => *before = field,
        None => fields.push(field),
    }
}
