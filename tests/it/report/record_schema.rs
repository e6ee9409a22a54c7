//! `docs/record.schema.json`: what it takes and what it refuses. Records of whole runs are held to it where the tests
//! read them, in `support/binary.rs`.

use std::collections::BTreeSet;

use opsurge::metrics::outcome::Failure;
use opsurge::metrics::seconds::Status;
use opsurge_testbed::fuzz_bodies::RECORD;
use serde_json::{Value as Json, json};

use crate::support::binary::record_schema::{faults, schema};

fn record() -> Json {
    serde_json::from_str(RECORD).expect("it is JSON")
}

#[test]
fn the_schema_takes_a_record_and_names_the_place_of_every_fault() {
    let schema = schema();
    assert_eq!(faults(&schema, &record()), Vec::<String>::new());
    let check = |place: &str, value: Option<Json>, expected: &str| {
        let mut record = record();
        let (parent, name) = place.rsplit_once('/').expect("a pointer");
        let parent = record.pointer_mut(parent).expect("it is there");
        let members = parent.as_object_mut().expect("an object");
        match value {
            Some(value) => members.insert(name.to_owned(), value),
            None => members.remove(name),
        };
        let faults = faults(&schema, &record);
        assert!(
            faults.len() == 1 && faults[0].contains(expected),
            "{faults:?}"
        );
    };
    check(
        "/schema",
        Some(json!("opsurge.record/2")),
        "record.schema is not",
    );
    check("/totals/rps", None, "record.totals.rps is missing");
    check(
        "/steps/0/sent",
        Some(json!(-1)),
        "record.steps[0].sent is less than 0",
    );
    check(
        "/steps/0/sent",
        Some(json!(1.5)),
        "is not of type \"integer\"",
    );
    check(
        "/steps/0/all_us/p50",
        Some(json!("1")),
        "record.steps[0].all_us.p50 is not of type",
    );
    check(
        "/steps/0/statuses/200",
        Some(json!("3")),
        "record.steps[0].statuses.200",
    );
    check(
        "/run/ended_by",
        Some(json!("boredom")),
        "record.run.ended_by is none of",
    );
    check(
        "/generator/extra",
        Some(json!(1)),
        "record.generator.extra is not described",
    );
    check(
        "/search",
        Some(json!({})),
        "record.search fits none of them",
    );
    check("/search", None, "record.search is missing");
}

#[test]
fn the_schema_knows_every_kind_of_failure_and_every_verdict() {
    let schema = schema();
    let words = |place: &str| {
        let words = schema.pointer(place).and_then(Json::as_array);
        let words = words.expect("an enum").iter().filter_map(Json::as_str);
        words.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let kinds = words("/$defs/error/properties/kind/enum");
    assert_eq!(
        kinds,
        Failure::ALL.map(Failure::name).map(str::to_owned).into()
    );
    let statuses: BTreeSet<String> = Status::ALL.map(Status::name).map(str::to_owned).into();
    assert_eq!(words("/$defs/verdict/properties/status/enum"), statuses);
    assert_eq!(words("/$defs/sample/properties/verdict/enum"), statuses);
}

#[test]
fn every_field_of_the_schema_has_a_description_and_every_required_one_is_there() {
    let schema = schema();
    let mut objects = vec![("record", &schema)];
    let definitions = schema["$defs"].as_object().expect("an object");
    objects.extend(
        definitions
            .iter()
            .map(|(name, object)| (name.as_str(), object)),
    );
    for (name, object) in objects {
        let fields = object["properties"].as_object().expect("an object");
        for (field, schema) in fields {
            let description = schema["description"].as_str().unwrap_or_default();
            assert!(description.ends_with('.'), "{name}.{field}: {description}");
        }
        let required = object["required"].as_array().expect("an array").iter();
        for field in required.filter_map(Json::as_str) {
            assert!(fields.contains_key(field), "{name}.{field}");
        }
    }
}
