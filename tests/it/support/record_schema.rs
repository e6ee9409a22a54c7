//! `docs/record.schema.json` as the tests' own judge of records.
//!
//! The checker knows the part of JSON Schema (draft 2020-12) that the file uses, and refuses any other keyword. It is
//! stricter than JSON Schema in one point: a field that the schema does not describe is a fault, so that no field can be
//! added without its description.

use std::path::Path;

use serde_json::{Map, Value as Json};

/// The schema.
pub fn schema() -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/record.schema.json");
    let text = std::fs::read_to_string(path).expect("the schema is there");
    serde_json::from_str(&text).expect("it is JSON")
}

/// Panics when a record is not as the schema has it.
pub fn check_record(text: &str) {
    let record: Json = serde_json::from_str(text).expect("a record is JSON");
    let faults = faults(&schema(), &record);
    assert!(
        faults.is_empty(),
        "not as docs/record.schema.json has it: {faults:#?}"
    );
}

/// What is wrong with a value, each fault with its place.
pub fn faults(schema: &Json, value: &Json) -> Vec<String> {
    let mut checker = Checker {
        whole: schema,
        faults: Vec::new(),
    };
    checker.check(schema, value, "record");
    checker.faults
}

struct Checker<'s> {
    /// The schema that references lead into.
    whole: &'s Json,
    faults: Vec<String>,
}

impl Checker<'_> {
    fn check(&mut self, schema: &Json, value: &Json, place: &str) {
        let schema = schema.as_object().expect("a schema is an object");
        for (keyword, wanted) in schema {
            let fault = match keyword.as_str() {
                "$schema" | "$defs" | "title" | "description" | "required" => None,
                "$ref" => {
                    self.check(referred(self.whole, wanted), value, place);
                    None
                }
                "anyOf" => self.any_of(wanted, value),
                "type" => (!is_of_type(wanted, value)).then(|| format!("is not of type {wanted}")),
                "const" => (wanted != value).then(|| format!("is not {wanted}")),
                "enum" => {
                    let known = wanted.as_array().expect("an array");
                    (!known.contains(value)).then(|| format!("is none of {wanted}"))
                }
                "minimum" => {
                    let least = wanted.as_f64().expect("a number");
                    let is_less = value.as_f64().is_some_and(|value| value < least);
                    is_less.then(|| format!("is less than {wanted}"))
                }
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(wanted, item, &format!("{place}[{index}]"));
                    }
                    None
                }
                "additionalProperties" => {
                    for (name, value) in value.as_object().into_iter().flatten() {
                        self.check(wanted, value, &format!("{place}.{name}"));
                    }
                    None
                }
                "properties" => {
                    if let Some(members) = value.as_object() {
                        self.properties(schema, members, place);
                    }
                    None
                }
                other => panic!("the checker does not know the keyword {other}"),
            };
            if let Some(fault) = fault {
                self.faults.push(format!("{place} {fault}: {value}"));
            }
        }
    }

    fn any_of(&self, schemas: &Json, value: &Json) -> Option<String> {
        let schemas = schemas.as_array().expect("an array");
        let mut all = Vec::new();
        for schema in schemas {
            let mut checker = Checker {
                whole: self.whole,
                faults: Vec::new(),
            };
            checker.check(schema, value, "it");
            if checker.faults.is_empty() {
                return None;
            }
            all.extend(checker.faults);
        }
        Some(format!("fits none of them ({})", all.join("; ")))
    }

    fn properties(&mut self, schema: &Map<String, Json>, members: &Map<String, Json>, place: &str) {
        for (name, value) in members {
            match schema["properties"].get(name) {
                Some(schema) => self.check(schema, value, &format!("{place}.{name}")),
                None => self.faults.push(format!("{place}.{name} is not described")),
            }
        }
        let required = schema["required"].as_array().expect("an array");
        for name in required.iter().filter_map(Json::as_str) {
            if !members.contains_key(name) {
                self.faults.push(format!("{place}.{name} is missing"));
            }
        }
    }
}

/// `#/$defs/run` leads to that definition, `#` to the whole.
fn referred<'s>(whole: &'s Json, reference: &Json) -> &'s Json {
    let reference = reference.as_str().expect("a text");
    let pointer = reference.strip_prefix('#').expect("a place in this file");
    whole.pointer(pointer).expect("it is there")
}

fn is_of_type(wanted: &Json, value: &Json) -> bool {
    match wanted {
        Json::Array(types) => types.iter().any(|wanted| is_of_type(wanted, value)),
        Json::String(name) => match name.as_str() {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("no type {other}"),
        },
        _ => panic!("a type is a text or several"),
    }
}
