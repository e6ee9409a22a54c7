//! A value for a JSON schema: an example, a default, or one made of the type.

use serde_json::{Map, Value as Json, json};

use super::draft::SAMPLE;

/// Deepest nesting of a made value.
const DEPTH_MAX: usize = 20;
/// References that lead to references.
const REFERENCES_MAX: usize = 20;

/// Follows `$ref` within the document. `None` when it leads nowhere, or to another file.
pub(super) fn resolve<'d>(document: &'d Json, mut value: &'d Json) -> Option<&'d Json> {
    for _ in 0..REFERENCES_MAX {
        let Some(reference) = value.get("$ref").and_then(Json::as_str) else {
            return Some(value);
        };
        value = document.pointer(reference.strip_prefix('#')?)?;
    }
    None
}

/// The example of a media type or a parameter, else of its schema, else a value of its type.
pub(super) fn of_media<'d>(document: &'d Json, media: &'d Json) -> Json {
    if let Some(example) = media.get("example") {
        return example.clone();
    }
    let examples = media.get("examples").and_then(Json::as_object);
    let first = examples.and_then(|examples| examples.values().next());
    let first = first.and_then(|first| resolve(document, first));
    if let Some(value) = first.and_then(|first| first.get("value")) {
        return value.clone();
    }
    match media.get("schema") {
        Some(schema) => of_schema(document, schema, &mut Vec::new()),
        None => Json::Null,
    }
}

/// A value for a schema within others. A schema that contains itself is not followed a second time.
fn of_schema<'d>(document: &'d Json, schema: &'d Json, within: &mut Vec<&'d Json>) -> Json {
    let resolved = resolve(document, schema).filter(|_| within.len() <= DEPTH_MAX);
    let Some(schema) = resolved.filter(|it| !within.iter().any(|known| std::ptr::eq(*known, *it)))
    else {
        return Json::Null;
    };
    within.push(schema);
    let made = of_resolved(document, schema, within);
    within.pop();
    made
}

fn of_resolved<'d>(document: &'d Json, schema: &'d Json, within: &mut Vec<&'d Json>) -> Json {
    let examples = schema.get("examples").and_then(Json::as_array);
    let first_of = |name: &str| {
        schema
            .get(name)
            .and_then(Json::as_array)
            .and_then(|it| it.first())
    };
    let known = schema
        .get("example")
        .or(examples.and_then(|examples| examples.first()))
        .or(schema.get("const"))
        .or(schema.get("default"))
        .or(first_of("enum"));
    if let Some(known) = known {
        return known.clone();
    }
    if let Some(parts) = schema.get("allOf").and_then(Json::as_array) {
        return all_of(document, schema, parts, within);
    }
    if let Some(first) = first_of("oneOf").or(first_of("anyOf")) {
        return of_schema(document, first, within);
    }
    match type_of(schema) {
        "object" => object(document, schema, within),
        "array" => {
            let item = schema
                .get("items")
                .map(|items| of_schema(document, items, within));
            Json::from(
                item.filter(|item| !item.is_null())
                    .into_iter()
                    .collect::<Vec<_>>(),
            )
        }
        "integer" => json!(number(schema) as i64),
        "number" => json!(number(schema)),
        "boolean" => json!(true),
        "string" => json!(text(schema)),
        _ => Json::Null,
    }
}

/// The schema's type; in OpenAPI 3.1 a list, whose first one other than null counts.
fn type_of(schema: &Json) -> &str {
    let named = match schema.get("type") {
        Some(Json::Array(types)) => types
            .iter()
            .filter_map(Json::as_str)
            .find(|name| *name != "null"),
        other => other.and_then(Json::as_str),
    };
    named.unwrap_or(match schema.get("properties") {
        Some(_) => "object",
        None => "",
    })
}

fn object<'d>(document: &'d Json, schema: &'d Json, within: &mut Vec<&'d Json>) -> Json {
    let mut members = Map::new();
    let properties = schema.get("properties").and_then(Json::as_object);
    let required = schema.get("required").and_then(Json::as_array);
    for (name, property) in properties.into_iter().flatten() {
        let resolved = resolve(document, property).unwrap_or(property);
        let is_read_only = resolved.get("readOnly") == Some(&Json::Bool(true));
        let is_required = required.is_some_and(|names| names.iter().any(|it| it == name));
        let value = of_schema(document, property, within);
        if is_read_only || value.is_null() && !is_required {
            continue;
        }
        members.insert(name.clone(), value);
    }
    Json::from(members)
}

fn all_of<'d>(
    document: &'d Json,
    schema: &'d Json,
    parts: &'d [Json],
    within: &mut Vec<&'d Json>,
) -> Json {
    let mut members = Map::new();
    let mut other = Json::Null;
    for part in parts {
        match of_schema(document, part, within) {
            Json::Object(part) => members.extend(part),
            part => other = part,
        }
    }
    if let (Some(_), Json::Object(own)) =
        (schema.get("properties"), object(document, schema, within))
    {
        members.extend(own);
    }
    match members.is_empty() {
        true => other,
        false => Json::from(members),
    }
}

fn number(schema: &Json) -> f64 {
    let bound = |name: &str| schema.get(name).and_then(Json::as_f64);
    let least = bound("minimum").or(bound("exclusiveMinimum").map(|bound| bound + 1.0));
    match (least, bound("maximum")) {
        (Some(least), _) => least,
        (None, Some(most)) => most.min(1.0),
        (None, None) => 1.0,
    }
}

/// A text of the schema's format and length.
fn text(schema: &Json) -> String {
    let text = match schema
        .get("format")
        .and_then(Json::as_str)
        .unwrap_or_default()
    {
        "uuid" => "{{uuid}}",
        "date-time" => "{{now}}",
        "date" => "2024-01-31",
        "time" => "12:00:00Z",
        "email" => "user-{{user}}@example.com",
        "uri" | "url" | "uri-reference" => "https://example.com/",
        "hostname" => "example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "byte" => "dGV4dA==",
        "password" => "replace-me",
        _ => SAMPLE,
    };
    let least = schema
        .get("minLength")
        .and_then(Json::as_u64)
        .unwrap_or(0)
        .min(1_024) as usize;
    let most = schema
        .get("maxLength")
        .and_then(Json::as_u64)
        .unwrap_or(u64::MAX);
    if text != SAMPLE || text.len() >= least && text.len() as u64 <= most {
        return text.to_owned();
    }
    SAMPLE
        .chars()
        .cycle()
        .take(least.max((most as usize).min(4)))
        .collect()
}
