//! Canned answers: for each step one answer that meets everything the step expects of it.
//!
//! `opsurge calibrate` measures the generator against a server that does nothing but send them. The request of each step
//! then begins with the step's number in its path, so that no scenario's paths have to be told apart.
//!
//! An answer is built from the step's expectations and checked by the same code that judges a run's answers: status,
//! rules, values to extract, and for a poll that it neither asks again nor ends.

use serde_json::Value as Json;

use super::check::Check;
use super::excerpt::Excerpt;
use super::expect::{Extract, FoundIn, Reply, Rule, Unmet};
use super::facts::Facts;
use super::model::{Scenario, Step};
use super::pointer::Pointer;

/// What stands before the number of a step in the path of its requests.
pub const PATH_MARK: &str = "/~";
/// The text of a value that a step extracts, as far as its variable has room: the length of a usual id.
const VALUE: &str = "d96aaa22-a187-4972-a633-b41aa48fa1a6";
/// Most elements of a list that is counted.
const ELEMENTS_MAX: usize = 1_000;
/// The member of an object that has the texts which are searched for.
const TEXT_MEMBER: &str = "text";
/// The body where nothing is expected of it.
const PLAIN: &str = r#"{"status":"ok"}"#;
/// Statuses whose answers have no body (RFC 9110 section 6.4.1).
const WITHOUT_BODY: [u16; 3] = [204, 205, 304];
/// Below it are interim answers and protocol switches, which end no request.
const STATUS_MIN: u16 = 200;

/// An answer, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CannedAnswer {
    /// Status line, fields and the empty line after them.
    pub head: Vec<u8>,
    /// The body; empty for a status without one.
    pub body: Vec<u8>,
    /// The request asks for its connection to be closed after the answer.
    pub closes: bool,
}

/// The answers of all steps, in their order.
///
/// # Errors
/// The first step whose expectations no canned answer can meet, and why.
pub fn answers(scenario: &Scenario) -> Result<Vec<CannedAnswer>, String> {
    let steps = scenario.steps.iter();
    steps
        .map(|step| answer(scenario, step))
        .collect::<Result<_, _>>()
}

impl Scenario {
    /// Puts the number of each step before the path of its requests: `/~3/jobs` for step 3. It has to be bound then.
    #[must_use]
    pub fn with_step_numbers(mut self) -> Self {
        for (number, step) in self.steps.iter_mut().enumerate() {
            step.template
                .put_before_path(&format!("{PATH_MARK}{number}"));
        }
        self
    }
}

/// The answer with the first status that can be right; statuses of success first.
fn answer(scenario: &Scenario, step: &Step) -> Result<CannedAnswer, String> {
    let expected = || step.expect.statuses.iter().filter(|at| *at >= STATUS_MIN);
    let success = expected().filter(|status| *status < 300);
    let other = expected().filter(|status| *status >= 300);
    let mut why = "no status that it expects ends a request".to_owned();
    for (nth, status) in success.chain(other).enumerate() {
        match answer_with(scenario, step, status) {
            Ok(answer) => return Ok(answer),
            Err(reason) if nth == 0 => why = reason,
            Err(_) => {}
        }
    }
    let label = &scenario.metrics[usize::from(step.metric)];
    Err(format!(
        "no canned answer meets what {} {} expects: {why}",
        label.method, label.name
    ))
}

fn answer_with(scenario: &Scenario, step: &Step, status: u16) -> Result<CannedAnswer, String> {
    let has_body = !WITHOUT_BODY.contains(&status);
    let body = match has_body {
        true => body(step)?,
        false => Vec::new(),
    };
    let mut head = format!("HTTP/1.1 {status} Canned\r\n");
    if has_body {
        head += &format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
    }
    if step.closes {
        head += "Connection: close\r\n";
    }
    let mut names: Vec<&str> = vec!["Content-Type", "Content-Length"];
    for (name, value) in fields(step) {
        let is_known = |known: &&str| known.eq_ignore_ascii_case(name);
        if name != "Set-Cookie" && names.iter().any(is_known) {
            continue;
        }
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(format!("the header {name} decides where the answer ends"));
        }
        head += &format!("{name}: {value}\r\n");
        names.push(name);
    }
    head += "\r\n";
    let answer = CannedAnswer {
        head: head.into_bytes(),
        body,
        closes: step.closes,
    };
    check(scenario, step, status, &answer)?;
    Ok(answer)
}

/// The fields that are expected or extracted, with values that no expectation looks at.
fn fields(step: &Step) -> Vec<(&str, String)> {
    let mut fields = Vec::new();
    // An extracted field has to fit its variable: it comes first.
    for extract in &step.extract {
        if let FoundIn::Header(name) = &extract.from {
            fields.push((name.as_str(), text_for(extract)));
        }
        if let FoundIn::Cookie(name) = &extract.from {
            fields.push(("Set-Cookie", format!("{name}={}", text_for(extract))));
        }
    }
    for rule in &step.expect.rules {
        if let Rule::Header(name) = rule {
            let value = match name.to_ascii_lowercase().as_str() {
                "content-encoding" => "identity",
                "connection" => "keep-alive",
                _ => "/canned",
            };
            fields.push((name.as_str(), value.to_owned()));
        }
    }
    fields
}

/// A text with everything that is expected in it or extracted from it: JSON, where JSON is expected.
fn body(step: &Step) -> Result<Vec<u8>, String> {
    let mut tree = json_body(step)?;
    let texts = texts(step)?.join("\n");
    match &mut tree {
        _ if texts.is_empty() => {}
        Json::Null => return Ok(texts.into_bytes()),
        Json::Object(members) => _ = members.insert(TEXT_MEMBER.to_owned(), Json::String(texts)),
        _ => return Err("it expects both a text and JSON that is no object".to_owned()),
    }
    Ok(match tree {
        Json::Null => PLAIN.into(),
        tree => tree.to_string().into_bytes(),
    })
}

/// The texts that are searched for.
fn texts(step: &Step) -> Result<Vec<String>, String> {
    let mut texts = Vec::new();
    for rule in &step.expect.rules {
        match rule {
            Rule::Check(Check::Contains(text)) => texts.push(text.clone()),
            Rule::Check(Check::Matches(pattern)) => texts.push(pattern.sample()?),
            _ => {}
        }
    }
    for extract in &step.extract {
        match &extract.from {
            FoundIn::Excerpt(Excerpt::Between(before, after)) => {
                texts.push(format!("{before}{}{after}", text_for(extract)));
            }
            FoundIn::Excerpt(Excerpt::Group(pattern)) => texts.push(pattern.sample()?),
            FoundIn::Excerpt(Excerpt::Html(place)) => {
                return Err(format!("no page could be made that has {place}"));
            }
            _ => {}
        }
    }
    Ok(texts)
}

/// The lists that elements are picked from, each with one element that has all values.
fn lists(step: &Step) -> Result<Vec<(&Pointer, Json)>, String> {
    let mut lists: Vec<(&Pointer, Json)> = Vec::new();
    for extract in &step.extract {
        let FoundIn::Picked(picked) = &extract.from else {
            continue;
        };
        let known = lists.iter().position(|(list, _)| *list == picked.list());
        let at = known.unwrap_or(lists.len());
        if known.is_none() {
            lists.push((picked.list(), Json::Null));
        }
        if !picked.is_count() && !picked.rest().put(&mut lists[at].1, json_for(extract)) {
            return Err(format!(
                "two values of an element contradict each other: {picked}"
            ));
        }
    }
    Ok(lists)
}

/// The elements of a list that is counted.
fn elements(step: &Step, list: &Pointer, element: &Json) -> Result<Vec<Json>, String> {
    let wanted = step.expect.rules.iter().find_map(|rule| match rule {
        Rule::Check(Check::Count(pointer, comparison)) if pointer == list => Some(comparison),
        _ => None,
    });
    let fits = |count: &usize| wanted.is_none_or(|it| it.holds_for(*count as f64));
    match (1..=ELEMENTS_MAX).chain([0]).find(fits) {
        Some(count) => Ok(vec![element.clone(); count]),
        None => Err(format!(
            "no number of elements up to {ELEMENTS_MAX} fits at {list}"
        )),
    }
}

/// The JSON that is expected or extracted from; `null` for none.
fn json_body(step: &Step) -> Result<Json, String> {
    let mut tree = Json::Null;
    let put = |tree: &mut Json, pointer: &Pointer, value: Json| match pointer.put(tree, value) {
        true => Ok(()),
        false => Err(format!(
            "two expectations contradict each other at {pointer}"
        )),
    };
    for rule in &step.expect.rules {
        if let Rule::Equals(pointer, json) = rule {
            put(&mut tree, pointer, json.clone())?;
        }
    }
    for rule in &step.expect.rules {
        if let Rule::Check(Check::Compare(pointer, comparison)) = rule
            && !is_there(pointer, &tree)
        {
            put(&mut tree, pointer, comparison.example())?;
        }
    }
    let mut lists = lists(step)?;
    for rule in &step.expect.rules {
        if let Rule::Check(Check::Count(pointer, _)) = rule
            && !lists.iter().any(|(list, _)| *list == pointer)
        {
            lists.push((pointer, Json::Null));
        }
    }
    for (list, element) in lists {
        let elements = elements(step, list, &element)?;
        put(&mut tree, list, Json::Array(elements))?;
    }
    for extract in &step.extract {
        if let FoundIn::Json(pointer) = &extract.from
            && !is_there(pointer, &tree)
        {
            put(&mut tree, pointer, json_for(extract))?;
        }
    }
    for rule in &step.expect.rules {
        if let Rule::Exists(pointer) = rule
            && !is_there(pointer, &tree)
        {
            put(&mut tree, pointer, Json::String(VALUE.to_owned()))?;
        }
    }
    Ok(tree)
}

fn is_there(pointer: &Pointer, tree: &Json) -> bool {
    let text = tree.to_string();
    let found = pointer.find(text.as_bytes());
    found.is_ok_and(|found| found.is_some_and(|found| !found.is_null()))
}

/// A value of JSON that fits a variable.
fn json_for(extract: &Extract) -> Json {
    let text = text_for(extract);
    match extract.demands.bare_in_json {
        true => serde_json::from_str(&text).unwrap_or(Json::Null),
        false => Json::String(text),
    }
}

/// A text that fits a variable.
fn text_for(extract: &Extract) -> String {
    match extract.demands.bare_in_json {
        true => "1".to_owned(),
        false if extract.demands.as_link => {
            let link = format!("/{VALUE}");
            link[..link.len().min(extract.slot.bytes_max)].to_owned()
        }
        false => VALUE[..VALUE.len().min(extract.slot.bytes_max)].to_owned(),
    }
}

/// Judges an answer as a run does.
fn check(
    scenario: &Scenario,
    step: &Step,
    status: u16,
    answer: &CannedAnswer,
) -> Result<(), String> {
    let describe = |unmet: Unmet<'_>| unmet.describe(&scenario.secrets);
    let caches = scenario.caches();
    let reply = Reply {
        head: &answer.head,
        body: &answer.body,
        facts: &Facts::plain(&caches),
    };
    if let Some(unmet) = step.expect.unmet(status, reply) {
        return Err(describe(unmet));
    }
    if let Some(repeat) = &step.repeat {
        if repeat.not_yet.contains(status) {
            return Err(format!("status {status} means \"ask again\" (not_yet)"));
        }
        let failed = repeat.failed.as_ref();
        if let Some(met) = failed.and_then(|failed| failed.met(status, reply)) {
            return Err(describe(met));
        }
    }
    let mut values = vec![0; scenario.variables.stride()];
    for extract in &step.extract {
        extract.store(reply, &mut values).map_err(describe)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
