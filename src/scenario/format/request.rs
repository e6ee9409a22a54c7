//! A step's request: path, query, fields and body become a template.

use crate::http::request::{Encoding, Part, Place, Slot, Template, is_secret_field};
use crate::scenario::elsewhere::{Elsewhere, Named};
use crate::scenario::members;
use crate::scenario::members::Author;
use crate::scenario::members::label;
use crate::scenario::model::{Carries, Credentials};
use crate::scenario::secrets::SEARCHED_BYTES_MAX;

use super::body::{compile_body, compile_pairs};
use super::context::Context;
use super::fields::{AUTHORIZATION, Field, Headers, compile_fields, read_headers};
use super::functions::PathStart;
use super::holes::Texts;
use super::pieces::another_hole;
use super::place::ScenarioError;
use super::read::FILE_BYTES_MAX;
use super::site::{Site, not_for_a_path};
use super::targets::read_target;
use super::toml::{Item, Table};

/// Longest request without its shared stretches, with the longest values, and before it is bound to a target. There is a
/// buffer of this size for each request that may be on its way.
const RENDERED_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Longest request: the kernel takes less than 2 GiB at once.
const REQUEST_BYTES_MAX: usize = FILE_BYTES_MAX + RENDERED_BYTES_MAX;

/// Compiles the requests of a scenario's steps.
pub(super) struct Requests<'c, 's> {
    pub context: &'c Context<'c>,
    /// The scenario's fields, for every step that does not drop them.
    pub headers: Headers<'s>,
    /// The scenario's credentials, for every step that does not drop `Authorization` or has its own.
    pub auth: Option<Item<'s>>,
    /// The scenario's content codings, for every step without its own.
    pub accept_encoding: Option<Item<'s>>,
    /// The targets that the scenario names.
    pub targets: Vec<Named>,
    pub texts: Texts<'c>,
}

/// Which request of a step is compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// The one that is written.
    AsWritten,
    /// The one that follows a redirect, to the link at this place of the user's values.
    Redirected { link: Slot, keeps_body: bool },
}

/// A step's request, compiled.
pub(super) struct Compiled {
    /// Number of the target that it goes to.
    pub target: u16,
    pub template: Template,
    /// The same for the named targets, where its link decides.
    pub elsewhere: Option<Box<Elsewhere>>,
    /// It asks for its connection to be closed after it.
    pub closes: bool,
    pub carries: Carries,
}

impl Requests<'_, '_> {
    pub fn compile(
        &mut self,
        table: &Table<'_>,
        method: &str,
        path: &Item<'_>,
        sent: Sent,
    ) -> Result<Compiled, ScenarioError> {
        let named = table.get("target");
        let number = named
            .as_ref()
            .map_or(Ok(0), |item| read_target(item, &self.targets))?;
        self.texts.jar = self.texts.jars.get(usize::from(number)).copied();
        let target = path.text()?;
        let start = match target.starts_with("{{") {
            true => self.texts.start_of_path(path, target)?,
            false if target.starts_with('/') => PathStart::Own,
            false if target.contains("://") => {
                return Err(path.error(
                    "a path begins with /; its host is given by --host, or by target with a name of [targets]; write for example \"/items\"",
                ));
            }
            false => {
                return Err(path.error(format!("a path begins with /; write \"/{target}\"")));
            }
        };
        if let (PathStart::Link, Some(item)) = (start, &named) {
            return Err(item.error(
                "the path begins with a link out of an answer, and a link says where it leads; leave target out",
            ));
        }
        let by_link = match (sent, start) {
            _ if self.targets.is_empty() => None,
            (Sent::Redirected { .. }, _) => Some(self.texts.variables.target_byte(None)),
            (Sent::AsWritten, PathStart::Link) => {
                Some(self.texts.variables.target_byte(self.texts.link))
            }
            (Sent::AsWritten, _) => None,
        };
        let literal = |text: String| Part::Literal(text.into_bytes());
        let mut head = vec![literal(format!("{method} "))];
        let mut parts = self.texts.step(path, target, Site::Path)?;
        head.push(match start {
            PathStart::Own => Part::BasePath,
            PathStart::Column => {
                written_as_it_is(&mut parts);
                Part::BasePath
            }
            PathStart::Link => {
                written_as_it_is(&mut parts);
                Part::BeforeLink
            }
        });
        for part in &parts {
            let Part::Literal(text) = part else { continue };
            let text = String::from_utf8_lossy(text);
            if let Some(hole) = another_hole(&text) {
                return Err(path.error(format!(
                    "a hole is written {{{{name}}}}, with two braces, and not {hole}"
                )));
            }
            if let Some((wrong, encoded)) = not_for_a_path(&text) {
                return Err(path.part(&wrong.to_string()).error(format!(
                    "a path cannot have the character {wrong:?}; write {encoded}"
                )));
            }
        }
        head.extend(parts);
        if let Some(query) = table.get("query") {
            let first = if target.contains('?') { '&' } else { '?' };
            head.extend(compile_pairs(&query, Some(first), &mut self.texts)?);
        }
        if let Sent::Redirected { link, .. } = sent {
            // The path and the query were compiled all the same: the draws of the values after them stay as they were.
            head.truncate(1);
            head.push(Part::BeforeLink);
            head.push(Part::Value(Place::User(link), Encoding::AsIs));
        }
        head.push(literal(" HTTP/1.1\r\n".to_owned()));
        let (context, texts) = (self.context, &mut self.texts);
        let (body, content_type) = match sent {
            Sent::Redirected {
                keeps_body: false, ..
            } => (None, None),
            _ => compile_body(table, context, texts)?,
        };
        let fields = compile_fields(
            table,
            content_type.as_deref(),
            &self.headers,
            self.auth.as_ref(),
            self.accept_encoding.as_ref(),
            context,
            texts,
        )?;
        if let Some(item) = table.get("multipart")
            && value_of("content-type", &fields).as_deref() != content_type.as_deref()
            && content_type.is_some()
        {
            return Err(item.error(
                "its Content-Type has the boundary between the parts, and opsurge sends it; leave out the one of headers, or that of the scenario with drop_headers = [\"Content-Type\"]",
            ));
        }
        let own = own_names(table, context)?;
        let fields_to = |target: u16| {
            // What a redirect leads away from is told no other host (RFC 9110 section 15.4).
            let carries_own = match (sent, start) {
                (Sent::AsWritten, _) => true,
                (Sent::Redirected { .. }, PathStart::Link) => false,
                (Sent::Redirected { .. }, _) => target == number,
            };
            fields_for(&fields, &own, target, carries_own)
        };
        let (all, fields) = match (self.targets.is_empty(), by_link) {
            (true, _) => (Vec::new(), fields),
            (false, None) => (Vec::new(), fields_to(number)),
            (false, Some(_)) => {
                let numbers = 1..=self.targets.len() as u16;
                (numbers.map(fields_to).collect(), fields_to(0))
            }
        };
        let target_number = match by_link {
            Some(_) => 0,
            None => number,
        };
        let closes = fields.iter().any(asks_to_close);
        let carries = Carries {
            credentials: self.credentials(&start_of(head.iter()), &fields),
            content_type: value_of("content-type", &fields),
        };
        let cookies = self.texts.cookie_field(path)?;
        if let (Some(_), Some(_)) = (&cookies, field_named("cookie", &fields)) {
            return Err(path.error(
                "cookies = true sends the user's cookies, and the headers of this step have a Cookie of their own; leave one of them out",
            ));
        }
        if let Some((_, value)) = field_named("host", &fields)
            && !value.contains(&Part::Authority)
            && target_number == 0
        {
            self.texts.own_host = Some(start_of(value.iter()));
        }
        let line = head;
        let head_with = |fields: Vec<Field>, cookies: Option<Part>| {
            let mut head = line.clone();
            for (name, value) in fields {
                head.push(literal(format!("{name}: ")));
                head.extend(value);
                head.push(literal("\r\n".to_owned()));
            }
            head.extend(cookies);
            head
        };
        let head = head_with(fields, cookies.clone());
        let body = match (body, method) {
            (None, "POST" | "PUT" | "PATCH") => Some(Vec::new()),
            (body, _) => body,
        };
        let secret_text = start_of(head.iter().chain(body.iter().flatten()));
        self.texts.secrets.add_members(&secret_text);
        let elsewhere = by_link.map(|byte| {
            let jars = self.texts.jars.iter().skip(1).map(Some);
            let with_jars = all.into_iter().zip(jars.chain(std::iter::repeat(None)));
            let templates = with_jars.map(|(fields, jar)| {
                let cookies = match (&cookies, jar) {
                    (Some(Part::Cookies(_, now_s)), Some(jar)) => Some(Part::Cookies(*jar, *now_s)),
                    _ => None,
                };
                Template::new(head_with(fields, cookies), body.clone())
            });
            Box::new(Elsewhere {
                byte,
                templates: templates.collect(),
            })
        });
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
            target: target_number,
            template,
            elsewhere,
            closes,
            carries,
        })
    }

    /// The credentials of a request, given its request line and fields.
    fn credentials(&self, line: &str, fields: &[Field]) -> Credentials {
        let named = fields.iter().find(|(name, _)| is_secret_field(name));
        match named {
            _ if self.texts.has_api_key => Credentials::ApiKey(self.context.api_key_env.to_owned()),
            Some((name, _)) => Credentials::Field(name.clone()),
            None if members::mask(line, Author::Other) != line => Credentials::Target,
            None => Credentials::None,
        }
    }
}

/// The names of the credentials and the `Host` that a step gives itself, and the command line does not replace.
fn own_names(table: &Table<'_>, context: &Context<'_>) -> Result<Vec<String>, ScenarioError> {
    let headers = table.read("headers", read_headers)?.unwrap_or_default();
    let mut names: Vec<String> = headers.iter().map(|(name, _)| (*name).to_owned()).collect();
    if table.get("auth").is_some() {
        names.push(AUTHORIZATION.to_owned());
    }
    let given = |name: &String| {
        let mut given = context.headers.iter();
        given.any(|(given, _)| given.eq_ignore_ascii_case(name))
    };
    names.retain(|name| !given(name));
    Ok(names)
}

/// The fields of a request to a target. What the scenario and the command line add for the target of the run, credentials
/// and a `Host`, goes to no other one; what the step has itself goes with it where `carries_own`.
fn fields_for(fields: &[Field], own: &[String], target: u16, carries_own: bool) -> Vec<Field> {
    let kept = fields.iter().filter_map(|(name, value)| {
        let is_own = own.iter().any(|it| it.eq_ignore_ascii_case(name));
        let stays = match is_own {
            true => carries_own,
            false => target == 0,
        };
        match name.eq_ignore_ascii_case("host") {
            true if !stays => Some((name.clone(), vec![Part::Authority])),
            true => Some((name.clone(), value.clone())),
            false => (stays || !is_secret_field(name)).then(|| (name.clone(), value.clone())),
        }
    });
    kept.collect()
}

/// The value at the start of a path has been checked: its characters have their meaning there.
fn written_as_it_is(path: &mut [Part]) {
    if let Some(Part::Value(_, encoding)) = path.first_mut() {
        *encoding = Encoding::AsIs;
    }
}

/// The beginning of the text that parts make together, with `{{}}` for each value and nothing for the target.
fn start_of<'p>(parts: impl Iterator<Item = &'p Part>) -> String {
    let mut text = Vec::new();
    for part in parts {
        let room = SEARCHED_BYTES_MAX.saturating_sub(text.len());
        text.extend_from_slice(match part {
            Part::Literal(bytes) => &bytes[..bytes.len().min(room)],
            Part::Kept(bytes) => &bytes[..bytes.len().min(room)],
            Part::BasePath | Part::BeforeLink | Part::Authority | Part::Cookies(..) => b"",
            Part::Value(..) => b"{{}}",
        });
        if room == 0 {
            break;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Whether a field asks for its connection to be closed after the request (RFC 9112 section 9.6).
fn asks_to_close((name, value): &Field) -> bool {
    let text = start_of(value.iter());
    let mut options = text.split(',');
    name.eq_ignore_ascii_case("connection")
        && options.any(|option| option.trim().eq_ignore_ascii_case("close"))
}

fn field_named<'f>(name: &str, fields: &'f [Field]) -> Option<&'f Field> {
    let mut fields = fields.iter();
    fields.find(|(known, _)| known.eq_ignore_ascii_case(name))
}

fn value_of(name: &str, fields: &[Field]) -> Option<String> {
    let found = field_named(name, fields);
    found.map(|(_, value)| label(&start_of(value.iter())))
}
