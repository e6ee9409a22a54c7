//! What a text is: told by its content, whatever its file is called.

use serde_json::Value as Json;

/// What a scenario can be made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Shell commands that call curl.
    Curl,
    /// An HTTP archive (HAR 1.2), as browsers export it.
    Har,
    /// An OpenAPI 3 description, as JSON or YAML.
    OpenApi,
    /// A locustfile.
    Locust,
}

/// What is read, for messages.
const READ: &str =
    "curl commands, a HAR file, an OpenAPI 3 description (JSON or YAML), a locustfile";

/// Tells the kind.
///
/// # Errors
/// What the text is instead, and what to do.
pub fn kind_of(text: &str) -> Result<Kind, String> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.is_empty() {
        return Err(format!("it is empty; a scenario is made from {READ}"));
    }
    if text.starts_with('{') || text.starts_with('[') && serde_json::from_str::<Json>(text).is_ok()
    {
        return kind_of_json(text);
    }
    if text.starts_with('<') {
        let what = match text.contains("<jmeterTestPlan") {
            true => {
                "a JMeter plan, which is not read; record its requests as HAR through a browser"
            }
            false => "XML or HTML, which is not read",
        };
        return Err(format!("it is {what}. A scenario is made from {READ}"));
    }
    let mut lines = text.lines().map(str::trim_start);
    let begins = |word: &str| text.lines().any(|line| line.starts_with(word));
    let imports_locust =
        |line: &str| line.starts_with("from locust") || line.starts_with("import locust");
    let is_user_class = |line: &str| line.starts_with("class ") && line.contains("HttpUser");
    if lines.any(|line| imports_locust(line) || is_user_class(line)) {
        return Ok(Kind::Locust);
    }
    if begins("openapi:") || begins("\"openapi\":") || begins("'openapi':") {
        return Ok(Kind::OpenApi);
    }
    if begins("swagger:") {
        return Err(swagger());
    }
    if text.contains("from 'k6") || text.contains("from \"k6") {
        return Err(format!(
            "it is a k6 script, which is not read; record its requests as HAR. A scenario is made from {READ}"
        ));
    }
    if begins("[[task]]") || begins("[[start]]") {
        return Err("it is a scenario already: opsurge scenarios check FILE".to_owned());
    }
    if text.lines().any(calls_curl) {
        return Ok(Kind::Curl);
    }
    Err(format!(
        "it is none of what a scenario is made from: {READ}"
    ))
}

fn kind_of_json(text: &str) -> Result<Kind, String> {
    let json: Json = serde_json::from_str(text).map_err(|error| {
        format!("it begins like JSON and is not: {error}; was the file cut off?")
    })?;
    if json.pointer("/log/entries").is_some() {
        return Ok(Kind::Har);
    }
    if json.get("openapi").is_some() {
        return Ok(Kind::OpenApi);
    }
    if json.get("swagger").is_some() {
        return Err(swagger());
    }
    let schema = json.pointer("/info/schema").and_then(Json::as_str);
    if schema.is_some_and(|schema| schema.contains("postman")) {
        return Err(
            "it is a Postman collection, which is not read; in Postman, Code > cURL copies a request as a command that is".to_owned(),
        );
    }
    if json.get("_type").and_then(Json::as_str) == Some("export") {
        return Err(
            "it is an Insomnia export, which is not read; export as HAR instead, or copy requests as curl".to_owned(),
        );
    }
    Err(format!(
        "it is JSON, and neither HAR (no log.entries) nor OpenAPI (no openapi). A scenario is made from {READ}"
    ))
}

fn swagger() -> String {
    "it is Swagger 2, the format before OpenAPI 3; convert it first, for example with `npx swagger2openapi FILE`, or in editor.swagger.io by Edit > Convert to OpenAPI 3".to_owned()
}

/// Whether a line of a shell script calls curl.
fn calls_curl(line: &str) -> bool {
    let line = line
        .trim_start()
        .trim_start_matches("$ ")
        .trim_start_matches("> ");
    let mut words = line.split_whitespace();
    let is_assignment = |word: &&str| word.contains('=') && !word.starts_with('-');
    let word = words
        .find(|word| !is_assignment(word) && !["time", "sudo", "exec", "&&", ";"].contains(word));
    let is_curl = |word: &str| word == "curl" || word == "curl.exe" || word.ends_with("/curl");
    word.is_some_and(is_curl)
        || line.contains("$(curl ")
        || line.contains("&& curl ")
        || line.contains("; curl ")
}
