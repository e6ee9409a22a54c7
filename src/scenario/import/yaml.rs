//! YAML as JSON.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value as Json};

/// Reads the first document of a YAML text (YAML 1.2). A date is a text.
///
/// # Errors
/// The parser's reason with its line; the construct that JSON does not have.
pub(super) fn parse(text: &str) -> Result<Json, String> {
    let documents = Yaml::load_from_str(text).map_err(|error| {
        let said = error.to_string();
        match said.split_once("duplicated key in mapping") {
            Some((_, place)) => format!(
                "the YAML has a key twice in one table,{place}; join what stands under both"
            ),
            None => format!("not YAML: {said}"),
        }
    })?;
    let first = documents.first().ok_or("the YAML has no document")?;
    json_of(first)
}

fn json_of(yaml: &Yaml<'_>) -> Result<Json, String> {
    Ok(match yaml {
        Yaml::Value(Scalar::Null) => Json::Null,
        Yaml::Value(Scalar::Boolean(value)) => Json::from(*value),
        Yaml::Value(Scalar::Integer(number)) => Json::from(*number),
        Yaml::Value(Scalar::FloatingPoint(number)) => Json::from(number.into_inner()),
        Yaml::Value(Scalar::String(text)) | Yaml::Representation(text, _, _) => {
            Json::from(text.as_ref())
        }
        Yaml::Sequence(items) => items.iter().map(json_of).collect::<Result<Json, _>>()?,
        Yaml::Mapping(entries) => {
            let mut members = Map::new();
            for (key, value) in entries {
                members.insert(key_of(key)?, json_of(value)?);
            }
            Json::from(members)
        }
        Yaml::Tagged(_, inner) => json_of(inner)?,
        Yaml::Alias(_) | Yaml::BadValue => {
            return Err("the YAML has an alias that leads nowhere".to_owned());
        }
    })
}

/// A key as text: the status `200` is a number in YAML.
fn key_of(key: &Yaml<'_>) -> Result<String, String> {
    match json_of(key)? {
        Json::String(text) => Ok(text),
        Json::Array(_) | Json::Object(_) => {
            Err("a key of the YAML is a list or a table".to_owned())
        }
        other => Ok(other.to_string()),
    }
}
