//! A draft as the TOML of a scenario, in one form.

use std::fmt::Write;

use serde_json::Value as Json;

use super::draft::{BARE, Body, Draft, Extracted, FoundIn, Kind, Part, Step, Task};

/// A header field stands in `[headers]` when at least this share of the steps sends it with the same value.
const COMMON_SHARE: f64 = 0.6;
/// Most bytes of a comment's line.
const COMMENT_COLUMNS: usize = 118;

/// The scenario's text. It ends with a line end.
pub fn write(draft: &Draft) -> String {
    let mut out = String::new();
    comment(
        &mut out,
        &format!("Made by `opsurge scenarios from`: {}", draft.about),
    );
    for line in &draft.comments {
        comment(&mut out, line);
    }
    let host = draft.host.as_deref().unwrap_or("http://localhost:8000");
    comment(&mut out, &format!("opsurge run FILE.toml --host {host}"));
    let _ = writeln!(out, "\nname = {}", quoted(&draft.name));
    let _ = writeln!(out, "about = {}", quoted(&draft.about));
    if let Some(wait) = &draft.wait {
        let _ = writeln!(out, "wait = {}", quoted(wait));
    }
    if !draft.variables.is_empty() {
        out += "\n[variables]\n";
    }
    for variable in &draft.variables {
        let _ = write!(out, "{} = {}", variable.name, quoted(&variable.value));
        out += &match variable.comment.as_str() {
            "" => "\n".to_owned(),
            text => format!("  # {}\n", one_line(text)),
        };
    }
    let common = common_headers(draft);
    if !common.is_empty() {
        out += "\n[headers]\n";
    }
    for (name, value) in &common {
        let _ = writeln!(out, "{} = {}", key(name), quoted(value));
    }
    for step in &draft.start {
        write_lone(&mut out, "[[start]]", step, &common);
    }
    for task in &draft.tasks {
        write_task(&mut out, "task", task, &common);
    }
    for step in &draft.stop {
        write_lone(&mut out, "[[stop]]", step, &common);
    }
    let weights = draft.kinds.iter().map(|kind| match kind.part {
        Part::Weight(weight) => weight,
        Part::Count(_) => 0.0,
    });
    let weights = weights.sum();
    for kind in &draft.kinds {
        write_kind(&mut out, kind, weights, &common);
    }
    out
}

/// A kind of users; `weights` is the sum of those of all kinds.
fn write_kind(out: &mut String, kind: &Kind, weights: f64, common: &[(String, String)]) {
    let _ = writeln!(out, "\n[[users]]\nname = {}", quoted(&kind.name));
    let _ = match kind.part {
        Part::Count(count) => writeln!(out, "count = {count}"),
        Part::Weight(weight) => {
            let percent = format!("{:.3}", 100.0 * weight / weights);
            let percent = percent.trim_end_matches('0').trim_end_matches('.');
            writeln!(out, "share = \"{percent}%\"")
        }
    };
    if let Some(wait) = &kind.wait {
        let _ = writeln!(out, "wait = {}", quoted(wait));
    }
    for step in &kind.start {
        write_lone(out, "[[users.start]]", step, common);
    }
    for task in &kind.tasks {
        write_task(out, "users.task", task, common);
    }
    for step in &kind.stop {
        write_lone(out, "[[users.stop]]", step, common);
    }
}

fn write_lone(out: &mut String, title: &str, step: &Step, common: &[(String, String)]) {
    out.push('\n');
    for line in &step.comments {
        comment(out, line);
    }
    let _ = writeln!(out, "{title}");
    write_step(out, step, common);
}

fn write_task(out: &mut String, table: &str, task: &Task, common: &[(String, String)]) {
    out.push('\n');
    for line in &task.comments {
        comment(out, line);
    }
    let weight = (task.weight > 1).then(|| format!("weight = {}\n", task.weight));
    if let ([step], None) = (&task.steps[..], &task.name) {
        for line in &step.comments {
            comment(out, line);
        }
        let _ = write!(out, "[[{table}]]\n{}", weight.unwrap_or_default());
        write_step(out, step, common);
        return;
    }
    let _ = writeln!(out, "[[{table}]]");
    if let Some(name) = &task.name {
        let _ = writeln!(out, "name = {}", quoted(name));
    }
    out.push_str(&weight.unwrap_or_default());
    for step in &task.steps {
        write_lone(out, &format!("[[{table}.step]]"), step, common);
    }
}

fn write_step(out: &mut String, step: &Step, common: &[(String, String)]) {
    let mut path = step.path.clone();
    let is_repeated = has_repeated_names(&step.query);
    if is_repeated {
        for (nth, (name, value)) in step.query.iter().enumerate() {
            path.push(if nth == 0 && !path.contains('?') {
                '?'
            } else {
                '&'
            });
            path += &format!("{}={}", percent(name), percent(value));
        }
    }
    let name = step.name.as_ref().or(is_repeated.then_some(&step.path));
    if let Some(name) = name.filter(|name| **name != path) {
        let _ = writeln!(out, "name = {}", quoted(name));
    }
    let _ = writeln!(out, "method = {}", quoted(&step.method));
    let _ = writeln!(out, "path = {}", quoted(&path));
    if !step.query.is_empty() && !is_repeated {
        let _ = writeln!(out, "query = {}", inline(&step.query));
    }
    let own: Vec<(String, String)> = step
        .headers
        .iter()
        .filter(|field| !common.contains(field))
        .cloned()
        .collect();
    if !own.is_empty() {
        let _ = writeln!(out, "headers = {}", inline(&own));
    }
    let is_sent = |name: &str| step.header(name).is_some();
    let dropped: Vec<String> = common
        .iter()
        .filter(|(name, _)| !is_sent(name))
        .map(|(name, _)| quoted(name))
        .collect();
    if !dropped.is_empty() {
        let _ = writeln!(out, "drop_headers = [{}]", dropped.join(", "));
    }
    match &step.body {
        Body::None => {}
        Body::Json(json) => _ = writeln!(out, "json = {}", quoted(&json_text(json))),
        Body::Form(pairs) if has_repeated_names(pairs) => {
            let pairs = pairs.iter();
            let pairs = pairs.map(|(name, value)| format!("{}={}", percent(name), percent(value)));
            let text = pairs.collect::<Vec<_>>().join("&");
            let _ = writeln!(out, "text = {}", quoted(&text));
        }
        Body::Form(pairs) => _ = writeln!(out, "form = {}", inline(pairs)),
        Body::Text(text) => _ = writeln!(out, "text = {}", quoted(text)),
        Body::File(name) => _ = writeln!(out, "file = {}", quoted(name)),
    }
    if !step.statuses.is_empty() {
        let statuses: Vec<String> = step.statuses.iter().map(u16::to_string).collect();
        let _ = writeln!(out, "expect = {{ status = [{}] }}", statuses.join(", "));
    }
    if !step.extract.is_empty() {
        let extract: Vec<String> = step.extract.iter().map(extract_text).collect();
        let _ = writeln!(out, "extract = {{ {} }}", extract.join(", "));
    }
    if let Some(timeout) = &step.timeout {
        let _ = writeln!(out, "timeout = {}", quoted(timeout));
    }
    if let Some(pause) = &step.pause {
        let _ = writeln!(out, "pause = {}", quoted(pause));
    }
}

fn extract_text(extracted: &Extracted) -> String {
    let from = match &extracted.from {
        FoundIn::Json(pointer) => format!("json = {}", quoted(pointer)),
        FoundIn::Header(name) => format!("header = {}", quoted(name)),
    };
    let max = extracted.bytes_max.map(|bytes| format!(", max = {bytes}"));
    format!(
        "{} = {{ {from}{} }}",
        extracted.name,
        max.unwrap_or_default()
    )
}

/// The fields that most steps send with the same value.
fn common_headers(draft: &Draft) -> Vec<(String, String)> {
    let count = draft.steps().count();
    let mut common: Vec<(String, String)> = Vec::new();
    if count < 2 {
        return common;
    }
    let fields = draft.steps().flat_map(|step| &step.headers);
    for field in fields {
        let is_known = common
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(&field.0));
        if is_known || field.0.eq_ignore_ascii_case("content-type") {
            continue;
        }
        let senders = draft.steps().filter(|step| step.headers.contains(field));
        if senders.count() as f64 >= COMMON_SHARE * count as f64 {
            common.push(field.clone());
        }
    }
    common
}

/// JSON in one line. A text marked as bare is written without its quotes.
fn json_text(json: &Json) -> String {
    let text = json.to_string();
    let mark = Json::from(BARE).to_string();
    let mark = mark.trim_matches('"');
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once(&format!("\"{mark}")) {
        let (hole, tail) = after.split_once('"').unwrap_or((after, ""));
        out += before;
        out += hole;
        rest = tail;
    }
    out + rest
}

fn has_repeated_names(pairs: &[(String, String)]) -> bool {
    let mut names: Vec<&String> = pairs.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names.windows(2).any(|two| two[0] == two[1])
}

fn inline(pairs: &[(String, String)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{} = {}", key(name), quoted(value)))
        .collect();
    format!("{{ {} }}", pairs.join(", "))
}

/// A text as a TOML string: in single quotes when it has double ones, else in double quotes; in one line.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c == '\t' || !c.is_control();
    if text.contains('"') && !text.contains('\'') && text.chars().all(is_plain) {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            '\n' => out += "\\n",
            '\r' => out += "\\r",
            '\t' => out += "\\t",
            control if control.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(control));
            }
            character => out.push(character),
        }
    }
    out.push('"');
    out
}

fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !name.is_empty() && name.chars().all(is_bare) {
        true => name.to_owned(),
        false => quoted(name),
    }
}

/// Percent-encodes all but unreserved characters (RFC 3986 section 2.3) and holes.
pub(super) fn percent(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(end) = rest.strip_prefix("{{").and_then(|after| after.find("}}")) {
            out += &rest[..end + 4];
            rest = &rest[end + 4..];
            continue;
        }
        let next = rest.chars().next().unwrap_or_default();
        let (character, tail) = rest.split_at(next.len_utf8());
        match next.is_ascii_alphanumeric() || "-._~".contains(next) {
            true => out += character,
            false => character
                .bytes()
                .for_each(|byte| _ = write!(out, "%{byte:02X}")),
        }
        rest = tail;
    }
    out
}

fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// A comment, broken between words.
fn comment(out: &mut String, text: &str) {
    let mut line = String::from("#");
    for word in one_line(text).split_whitespace() {
        if line.len() > 1 && line.len() + 1 + word.len() > COMMENT_COLUMNS {
            let _ = writeln!(out, "{line}");
            line = String::from("#");
        }
        line.push(' ');
        line += word;
    }
    let _ = writeln!(out, "{line}");
}
