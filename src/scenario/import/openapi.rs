//! OpenAPI 3 descriptions -> a draft: one task for each operation, with examples as bodies.

use serde_json::Value as Json;

use super::draft::{Body, Draft, PLACEHOLDER, Step, Task, variable_name};
use super::request::METHODS;
use super::sample::{of_media, resolve};
use super::target::encoded_path;
use super::write::percent;
use super::yaml;

/// Keys of a path item that are operations.
const OPERATIONS: [&str; 8] = [
    "get", "post", "put", "patch", "delete", "head", "options", "trace",
];
/// Most steps of a scenario.
const STEPS_MAX: usize = 1_000;

/// Translates a description, JSON or YAML.
///
/// # Errors
/// Neither JSON nor YAML; a version other than 3; no operation.
pub fn read(text: &str) -> Result<Draft, String> {
    let text = text.trim_start_matches('\u{feff}');
    let document = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?,
        false => yaml::parse(text)?,
    };
    let version = document.get("openapi").map(shown).unwrap_or_default();
    if !version.starts_with('3') {
        return Err(format!("it is OpenAPI {version}, and version 3 is read"));
    }
    let title = document
        .pointer("/info/title")
        .map(shown)
        .unwrap_or_default();
    let mut draft = Draft {
        name: variable_name(&title).replace('_', "-"),
        about: format!("OpenAPI description {title}").trim_end().to_owned(),
        host: host_of(&document),
        ..Draft::default()
    };
    let paths = document.get("paths").and_then(Json::as_object);
    for (path, item) in paths.into_iter().flatten() {
        let Some(item) = resolve(&document, item) else {
            draft.note(path, "its $ref leads to another file; the path is left out");
            continue;
        };
        for operation in OPERATIONS {
            if let Some(described) = item.get(operation) {
                add_operation(&document, path, item, operation, described, &mut draft);
            }
        }
    }
    if draft.tasks.is_empty() {
        return Err("it describes no operation with a method of scenarios".to_owned());
    }
    if draft.tasks.len() > STEPS_MAX {
        let rest = draft.tasks.len() - STEPS_MAX;
        draft.note(
            "paths",
            format!("the last {rest} operations are left out: a scenario has at most 1,000 steps"),
        );
        draft.tasks.truncate(STEPS_MAX);
    }
    for name in ["webhooks", "x-webhooks"] {
        if document.get(name).is_some() {
            draft.note(name, "requests to the client are not translated");
        }
    }
    draft.comments.push("One task for each operation, drawn evenly: a description tells no order and no mix. Give weights, and make tasks of several [[task.step]] where one request needs another's answer.".to_owned());
    Ok(draft)
}

fn shown(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The first server, its variables replaced by their defaults.
fn host_of(document: &Json) -> Option<String> {
    let server = document.pointer("/servers/0")?;
    let mut url = server.get("url")?.as_str()?.to_owned();
    let variables = server.get("variables").and_then(Json::as_object);
    for (name, variable) in variables.into_iter().flatten() {
        let default = variable.get("default").map(shown).unwrap_or_default();
        url = url.replace(&format!("{{{name}}}"), &default);
    }
    match url.starts_with('/') {
        true => Some(format!(
            "http://localhost:8000{}",
            url.trim_end_matches('/')
        )),
        false => Some(url.trim_end_matches('/').to_owned()),
    }
}

fn add_operation(
    document: &Json,
    path: &str,
    item: &Json,
    operation: &str,
    described: &Json,
    draft: &mut Draft,
) {
    let method = operation.to_ascii_uppercase();
    let place = format!("{method} {path}");
    if !METHODS.contains(&method.as_str()) {
        return draft.note(
            place,
            format!("a scenario has no method {method}; the operation is left out"),
        );
    }
    let name: String = path
        .chars()
        .map(|c| match c {
            '{' => '[',
            '}' => ']',
            c => c,
        })
        .collect();
    let mut step = Step {
        method,
        name: Some(name),
        path: path.to_owned(),
        ..Step::default()
    };
    if let Some(summary) = described.get("summary").and_then(Json::as_str) {
        step.comments.push(summary.to_owned());
    }
    if described.get("deprecated") == Some(&Json::Bool(true)) {
        step.comments.push("deprecated".to_owned());
    }
    if item.get("servers").or(described.get("servers")).is_some() {
        draft.note(&place, "has servers of its own; a scenario has one target");
    }
    let of_path = item.get("parameters").and_then(Json::as_array);
    let own = described.get("parameters").and_then(Json::as_array);
    let identity = |parameter: &Json| {
        let of = |key: &str| parameter.get(key).map(shown).unwrap_or_default();
        (of("name"), of("in"))
    };
    let mut parameters: Vec<&Json> = Vec::new();
    for parameter in of_path.into_iter().chain(own).flatten() {
        let Some(parameter) = resolve(document, parameter) else {
            draft.note(&place, "a parameter's $ref leads nowhere; it is left out");
            continue;
        };
        parameters.retain(|known| identity(known) != identity(parameter));
        parameters.push(parameter);
    }
    for parameter in parameters {
        add_parameter(document, parameter, &place, &mut step, draft);
    }
    let unknown = holes_left(&step.path);
    for name in unknown {
        let variable = draft.placeholder(
            &name,
            &format!("path parameter {name}, which is not described"),
        );
        step.path = step
            .path
            .replace(&format!("{{{name}}}"), &format!("{{{{{variable}}}}}"));
    }
    step.path = encoded_path(&step.path);
    if let Some(body) = described
        .get("requestBody")
        .and_then(|body| resolve(document, body))
    {
        add_body(document, body, &place, &mut step, draft);
    }
    add_security(document, described, &place, &mut step, draft);
    add_statuses(described, &mut step);
    if described.get("callbacks").is_some() {
        draft.note(
            &place,
            "its callbacks are requests to the client and are not translated",
        );
    }
    draft.tasks.push(Task {
        weight: 1,
        steps: vec![step],
        ..Task::default()
    });
}

/// Names in single braces.
fn holes_left(path: &str) -> Vec<String> {
    let holes = path.replace("{{", "\u{1}").replace("}}", "\u{1}");
    let mut names = Vec::new();
    let mut rest = holes.as_str();
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else {
            break;
        };
        names.push(name.to_owned());
        rest = tail;
    }
    names
}

fn add_parameter(
    document: &Json,
    parameter: &Json,
    place: &str,
    step: &mut Step,
    draft: &mut Draft,
) {
    let Some(name) = parameter.get("name").and_then(Json::as_str) else {
        return;
    };
    let site = parameter
        .get("in")
        .and_then(Json::as_str)
        .unwrap_or_default();
    let is_required = parameter.get("required") == Some(&Json::Bool(true));
    let schema = parameter
        .get("schema")
        .and_then(|schema| resolve(document, schema));
    let has_example = ["example", "examples", "default", "enum"]
        .iter()
        .any(|key| {
            parameter
                .get(key)
                .or(schema.and_then(|schema| schema.get(key)))
                .is_some()
        });
    if site != "path" && !is_required && !has_example {
        return draft.note(
            place,
            format!("the optional parameter {name} has no example and is left out"),
        );
    }
    // `content` instead of `schema`: a media type.
    let content = parameter.get("content").and_then(Json::as_object);
    let media = content
        .and_then(|content| content.values().next())
        .unwrap_or(parameter);
    let sample = of_media(document, media);
    let text = match &sample {
        Json::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(","),
        Json::Null => PLACEHOLDER.to_owned(),
        other => shown(other),
    };
    let text = scenario_text(&text, place, draft);
    if site == "query" && !has_example {
        let what = format!("the parameter {name} has no example; its value is guessed");
        draft.note(place, what);
    }
    match site {
        "path" => {
            let is_made =
                !has_example && schema.is_some_and(|schema| schema.get("format").is_none());
            let hole = match text.as_str() {
                "{{uuid}}" => text.clone(),
                text => {
                    // A path takes a variable of the author as it is.
                    let text = &percent(text);
                    let comment = match is_made {
                        true => format!("guessed: path parameter {name}"),
                        false => format!("path parameter {name}"),
                    };
                    let known = draft
                        .variables
                        .iter()
                        .find(|known| known.name == variable_name(name) && known.value == *text);
                    let variable = match known {
                        Some(known) => known.name.clone(),
                        None => draft.add_variable(name, text, &comment),
                    };
                    format!("{{{{{variable}}}}}")
                }
            };
            if is_made {
                draft.note(
                    place,
                    format!("the path parameter {name} has no example; its value is guessed"),
                );
            }
            step.path = step.path.replace(&format!("{{{name}}}"), &hole);
        }
        "query" => step.query.push((name.to_owned(), text)),
        "header" => {
            let is_described_elsewhere = ["accept", "content-type", "authorization"];
            if !is_described_elsewhere.contains(&name.to_ascii_lowercase().as_str()) {
                step.set_header(name, text);
            }
        }
        "cookie" => add_cookie(step, name, &text),
        other => draft.note(
            place,
            format!("the parameter {name} is in \"{other}\" and is left out"),
        ),
    }
}

fn add_cookie(step: &mut Step, name: &str, value: &str) {
    let first = step.header("Cookie").map(|first| format!("{first}; "));
    step.set_header(
        "Cookie",
        format!("{}{name}={value}", first.unwrap_or_default()),
    );
}

/// A text of the description; holes that `sample` made stay.
fn scenario_text(text: &str, place: &str, draft: &mut Draft) -> String {
    const MADE: [&str; 3] = ["{{uuid}}", "{{now}}", "user-{{user}}@example.com"];
    match MADE.contains(&text) {
        true => text.to_owned(),
        false => draft.own_text(place, text),
    }
}

fn add_body(document: &Json, body: &Json, place: &str, step: &mut Step, draft: &mut Draft) {
    let content = body.get("content").and_then(Json::as_object);
    let Some(content) = content.filter(|content| !content.is_empty()) else {
        return;
    };
    let is_json = |kind: &str| {
        kind.starts_with("application/json") || kind.contains("+json") || kind == "*/*"
    };
    let preferred = content.iter().find(|(kind, _)| is_json(kind));
    let form = || {
        content
            .iter()
            .find(|(kind, _)| kind.starts_with("application/x-www-form-urlencoded"))
    };
    let Some((kind, media)) = preferred.or_else(form).or_else(|| content.iter().next()) else {
        return;
    };
    let mut sample = of_media(document, media);
    super::draft::change_json("", &mut sample, &mut |_, text| {
        *text = scenario_text(text, place, draft);
    });
    if sample.is_null() {
        draft.note(
            place,
            format!("its body ({kind}) has neither example nor schema; the step has no body"),
        );
        return;
    }
    if is_json(kind) {
        if kind != "application/json" && kind != "*/*" {
            step.set_header("Content-Type", kind.clone());
        }
        step.body = Body::Json(sample);
        return;
    }
    match (&sample, kind.as_str()) {
        (Json::Object(members), "application/x-www-form-urlencoded") => {
            let pairs = members
                .iter()
                .map(|(name, value)| (name.clone(), shown(value)));
            step.body = Body::Form(pairs.collect());
        }
        (Json::String(text), _) => {
            step.set_header("Content-Type", kind.clone());
            step.body = Body::Text(text.clone());
        }
        _ => draft.note(
            place,
            format!("its body is {kind}, which is not translated; the step has no body"),
        ),
    }
}

/// Credentials by the first security requirement.
fn add_security(
    document: &Json,
    described: &Json,
    place: &str,
    step: &mut Step,
    draft: &mut Draft,
) {
    let requirements = described.get("security").or(document.get("security"));
    let first = requirements
        .and_then(Json::as_array)
        .and_then(|all| all.first());
    for name in first
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
        .map(|(name, _)| name)
    {
        let pointer = format!("/components/securitySchemes/{name}");
        let Some(scheme) = document
            .pointer(&pointer)
            .and_then(|it| resolve(document, it))
        else {
            draft.note(
                place,
                format!("its security scheme {name} is not described"),
            );
            continue;
        };
        let of = |key: &str| scheme.get(key).and_then(Json::as_str).unwrap_or_default();
        let secret = |name: &str, draft: &mut Draft| {
            let comment = format!(
                "secret: write it here, or \"{{{{env.{}}}}}\"",
                variable_name(name).to_ascii_uppercase()
            );
            format!("{{{{{}}}}}", draft.placeholder(name, &comment))
        };
        match (
            of("type"),
            of("scheme").to_ascii_lowercase().as_str(),
            of("in"),
        ) {
            ("http", "basic", _) => {
                let comment = "secret: the output of `printf %s USER:PASSWORD | base64`";
                let hole = draft.placeholder("basic_credentials", comment);
                step.set_header("Authorization", format!("Basic {{{{{hole}}}}}"));
            }
            ("http", "bearer", _) | ("oauth2" | "openIdConnect", _, _) => {
                let hole = secret("bearer_token", draft);
                step.set_header("Authorization", format!("Bearer {hole}"));
            }
            ("apiKey", _, "header") => {
                let hole = secret(of("name"), draft);
                step.set_header(of("name"), hole);
            }
            ("apiKey", _, "query") => {
                let hole = secret(of("name"), draft);
                step.query.push((of("name").to_owned(), hole));
            }
            ("apiKey", _, "cookie") => {
                let hole = secret(of("name"), draft);
                add_cookie(step, of("name"), &hole);
            }
            (kind, scheme, _) => {
                draft.note(
                    place,
                    format!("its security scheme {name} ({kind} {scheme}) is not translated"),
                );
            }
        }
    }
}

/// The statuses of a success that are described, when 2xx would be too wide or wrong.
fn add_statuses(described: &Json, step: &mut Step) {
    let responses = described.get("responses").and_then(Json::as_object);
    let statuses = responses
        .into_iter()
        .flatten()
        .filter_map(|(status, _)| status.parse::<u16>().ok());
    let good: Vec<u16> = statuses
        .filter(|status| (200..400).contains(status))
        .collect();
    step.statuses = good;
}
