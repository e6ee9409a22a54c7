//! HTTP archives (HAR 1.2) -> a draft: one task with the recorded requests in order.
//!
//! 1. Assets, preflights, web sockets, failed requests and other hosts are dropped, each counted in a note.
//! 2. Consecutive duplicates become one.
//! 3. Values of answers that come back in later requests are extracted (`reuse`).
//! 4. The steps up to a login become start steps.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::text::calendar::days_since_1970;

use super::draft::{Body, Draft, Step, Task};
use super::request::{METHODS, add_header, set_body};
use super::reuse::{ANSWER_BYTES_MAX, Answer, reuse};
use super::target::{name_of, split};

/// Most steps of a scenario.
const STEPS_MAX: usize = 1_000;
/// A shorter gap between two requests is not a pause, in milliseconds.
const PAUSE_MS_MIN: i64 = 500;
/// A longer pause is cut: the person who recorded went away.
const PAUSE_MS_MAX: i64 = 60_000;
/// Types that Chromium gives to what a page loads for itself.
const ASSET_TYPES: [&str; 9] = [
    "image",
    "stylesheet",
    "script",
    "font",
    "media",
    "manifest",
    "ping",
    "preflight",
    "texttrack",
];
/// Endings of files that a page loads for itself.
const ASSET_ENDINGS: [&str; 24] = [
    ".js",
    ".mjs",
    ".css",
    ".png",
    ".jpg",
    ".jpeg",
    ".gif",
    ".svg",
    ".ico",
    ".webp",
    ".avif",
    ".woff",
    ".woff2",
    ".ttf",
    ".otf",
    ".eot",
    ".map",
    ".mp4",
    ".webm",
    ".mp3",
    ".wasm",
    ".webmanifest",
    ".bmp",
    ".m4s",
];
/// Beginnings of media types of assets.
const ASSET_MEDIA: [&str; 8] = [
    "image/",
    "font/",
    "audio/",
    "video/",
    "text/css",
    "text/javascript",
    "application/javascript",
    "application/x-javascript",
];

#[derive(Deserialize)]
struct Archive {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    started_date_time: String,
    /// Duration in milliseconds.
    time: Option<f64>,
    request: Request,
    response: Option<Response>,
    #[serde(rename = "_resourceType")]
    resource_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    url: String,
    headers: Option<Vec<Pair>>,
    cookies: Option<Vec<Pair>>,
    post_data: Option<PostData>,
}

#[derive(Clone, Deserialize)]
struct Pair {
    name: String,
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostData {
    mime_type: Option<String>,
    text: Option<String>,
    params: Option<Vec<Pair>>,
}

#[derive(Deserialize)]
struct Response {
    status: i64,
    headers: Option<Vec<Pair>>,
    content: Option<Content>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    mime_type: Option<String>,
    text: Option<String>,
    encoding: Option<String>,
}

/// A request that is kept.
struct Recorded {
    step: Step,
    answer: Answer,
    /// Names of the cookies that the answer sets.
    cookies: Vec<String>,
    began_ms: Option<i64>,
    took_ms: i64,
}

/// Translates an archive.
///
/// # Errors
/// It is not an archive; nothing in it can be a step.
pub fn read(text: &str) -> Result<Draft, String> {
    let archive: Archive = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| format!("it looks like HAR and is not valid: {error}"))?;
    let mut draft = Draft {
        about: "a recorded HTTP archive (HAR)".to_owned(),
        ..Draft::default()
    };
    let entries = archive.log.entries;
    let host = host_of(&entries).ok_or(
        "no entry of the archive is a request for data: there are only assets, web sockets or none",
    )?;
    let mut recorded = Vec::new();
    let mut dropped: BTreeMap<String, usize> = BTreeMap::new();
    for (nth, entry) in entries.into_iter().enumerate() {
        let place = format!("entry {}", nth + 1);
        match reason_to_drop(&entry, &host) {
            Some(Dropped::Counted(reason)) => *dropped.entry(reason).or_default() += 1,
            Some(Dropped::Noted(reason)) => draft.note(place, reason),
            None => recorded.push(record(entry, &place, &mut draft)),
        }
    }
    for (reason, count) in dropped {
        let entries = if count == 1 {
            "1 entry".to_owned()
        } else {
            format!("{count} entries")
        };
        draft.note("archive", format!("{entries} left out: {reason}"));
    }
    drop_duplicates(&mut recorded, &mut draft);
    if recorded.len() > STEPS_MAX {
        let rest = recorded.len() - STEPS_MAX;
        draft.note(
            "archive",
            format!("the last {rest} requests are left out: a scenario has at most 1,000 steps"),
        );
        recorded.truncate(STEPS_MAX);
    }
    if recorded.is_empty() {
        return Err("no entry of the archive can be a step".to_owned());
    }
    add_pauses(&mut recorded);
    drop_cookies(&mut recorded, &mut draft);
    let (mut steps, answers): (Vec<Step>, Vec<Answer>) =
        recorded.into_iter().map(|it| (it.step, it.answer)).unzip();
    reuse(&mut steps, &answers, &mut draft);
    draft.host = Some(host);
    place_steps(steps, &mut draft);
    Ok(draft)
}

enum Dropped {
    /// Counted with others of the same reason.
    Counted(String),
    /// Noted with its place.
    Noted(String),
}

fn reason_to_drop(entry: &Entry, host: &str) -> Option<Dropped> {
    let url = entry.request.url.as_str();
    let counted = |reason: &str| Some(Dropped::Counted(reason.to_owned()));
    if url.starts_with("ws") || entry.resource_type.as_deref() == Some("websocket") {
        return counted("web sockets");
    }
    if !url.starts_with("http") {
        return counted("not HTTP (data:, blob:, an extension of the browser)");
    }
    if is_asset(entry) {
        return counted("images, scripts, styles, fonts and other assets");
    }
    let origin = split(url).origin.unwrap_or_default();
    if origin != host {
        return Some(Dropped::Counted(format!(
            "they go to {origin}, and a scenario has one target"
        )));
    }
    if entry.request.method == "OPTIONS" {
        return counted("preflights of the browser (OPTIONS)");
    }
    if !METHODS.contains(&entry.request.method.as_str()) {
        return Some(Dropped::Noted(format!(
            "a scenario has no method {}; the request is left out",
            entry.request.method
        )));
    }
    let path = split(url).path;
    // Some writers of archives record requests alone.
    let response = entry.response.as_ref()?;
    match response.status {
        ..=0 => Some(Dropped::Noted(format!(
            "{path} had no answer when it was recorded; it is left out"
        ))),
        status @ 400.. => Some(Dropped::Noted(format!(
            "{path} was answered {status} when it was recorded; it is left out"
        ))),
        _ => None,
    }
}

fn is_asset(entry: &Entry) -> bool {
    let kind = entry.resource_type.as_deref().unwrap_or_default();
    if ASSET_TYPES.contains(&kind) {
        return true;
    }
    let path = split(&entry.request.url).path.to_ascii_lowercase();
    let content = entry.response.as_ref().and_then(|it| it.content.as_ref());
    let media = content.and_then(|content| content.mime_type.as_deref());
    let media = media.unwrap_or_default().to_ascii_lowercase();
    entry.request.method == "GET"
        && (ASSET_ENDINGS.iter().any(|ending| path.ends_with(ending))
            || ASSET_MEDIA.iter().any(|begin| media.starts_with(begin)))
}

/// The target with the most requests that are not assets; the first of several.
fn host_of(entries: &[Entry]) -> Option<String> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for entry in entries {
        if is_asset(entry) || !entry.request.url.starts_with("http") {
            continue;
        }
        let Some(origin) = split(&entry.request.url).origin else {
            continue;
        };
        match counts.iter_mut().find(|(known, _)| *known == origin) {
            Some((_, count)) => *count += 1,
            None => counts.push((origin, 1)),
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max()?;
    counts
        .into_iter()
        .find(|(_, count)| *count == most)
        .map(|(origin, _)| origin)
}

fn record(entry: Entry, place: &str, draft: &mut Draft) -> Recorded {
    let request = entry.request;
    let target = split(&request.url);
    let path = draft.own_text(place, &target.path);
    let mut step = Step {
        method: request.method,
        name: name_of(&path),
        path,
        comments: vec![format!("{place} of the source")],
        ..Step::default()
    };
    for (name, value) in target.query {
        let value = draft.own_text(place, &value);
        step.query.push((name, value));
    }
    for Pair { name, value } in request.headers.unwrap_or_default() {
        let value = draft.own_text(place, &value.unwrap_or_default());
        add_header(&mut step, &name, &value, false, place, draft);
    }
    if step.header("Cookie").is_none() {
        let cookies = request.cookies.unwrap_or_default().into_iter();
        let pairs = cookies.map(|it| format!("{}={}", it.name, it.value.unwrap_or_default()));
        let pairs = pairs.collect::<Vec<_>>().join("; ");
        let pairs = draft.own_text(place, &pairs);
        add_header(&mut step, "Cookie", &pairs, false, place, draft);
    }
    match request.post_data {
        Some(data) => add_body(&mut step, data, place, draft),
        None if step.header("Content-Type").is_some() && has_body(&step.method) => draft.note(
            place,
            "its body is not in the archive; the step sends none, and no Content-Type",
        ),
        None => {}
    }
    if matches!(step.body, Body::None) {
        step.drop_header("Content-Type");
    }
    let response = entry.response;
    let status = response.as_ref().map_or(0, |response| response.status);
    if (300..400).contains(&status) && status != 304 {
        step.statuses = vec![status as u16];
    }
    let headers = response
        .as_ref()
        .and_then(|it| it.headers.clone())
        .unwrap_or_default();
    let fields: Vec<(String, String)> = headers
        .into_iter()
        .map(|pair| (pair.name, pair.value.unwrap_or_default()))
        .collect();
    let cookies = fields
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
        .flat_map(|(_, value)| value.lines())
        .filter_map(|line| Some(line.split_once('=')?.0.trim().to_owned()))
        .collect();
    Recorded {
        step,
        answer: Answer {
            json: response.and_then(|it| it.content).and_then(json_of),
            headers: fields,
        },
        cookies,
        began_ms: unix_ms(&entry.started_date_time),
        took_ms: entry.time.unwrap_or(0.0).max(0.0) as i64,
    }
}

fn has_body(method: &str) -> bool {
    ["POST", "PUT", "PATCH"].contains(&method)
}

fn add_body(step: &mut Step, data: PostData, place: &str, draft: &mut Draft) {
    let kind = data.mime_type.unwrap_or_default();
    if step.header("Content-Type").is_none() && !kind.is_empty() {
        step.set_header("Content-Type", kind.clone());
    }
    if kind.starts_with("multipart/") {
        draft.note(
            place,
            "a browser does not record the parts of this form whole; its body is sent as recorded",
        );
    }
    let params = data.params.unwrap_or_default();
    let text = data.text.filter(|text| !text.is_empty());
    match text {
        Some(text) => {
            let text = draft.own_text(place, &text);
            set_body(step, &text);
        }
        None if params.is_empty() => {}
        None => {
            step.drop_header("Content-Type");
            let pairs = params.into_iter();
            step.body = Body::Form(
                pairs
                    .map(|pair| (pair.name, pair.value.unwrap_or_default()))
                    .collect(),
            );
        }
    }
}

/// The JSON of an answer, as far as opsurge would read it.
fn json_of(content: Content) -> Option<Json> {
    let text = content.text?;
    let text = match content.encoding.as_deref() {
        Some("base64") => String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?,
        _ => text,
    };
    let is_short = text.len() <= ANSWER_BYTES_MAX;
    is_short.then(|| serde_json::from_str(&text).ok())?
}

fn drop_duplicates(recorded: &mut Vec<Recorded>, draft: &mut Draft) {
    let before = recorded.len();
    recorded.dedup_by(|next, first| {
        let (next, first) = (&next.step, &first.step);
        next.method == first.method
            && next.path == first.path
            && next.query == first.query
            && next.body == first.body
    });
    match before - recorded.len() {
        0 => {}
        1 => draft.note(
            "archive",
            "1 request left out: it repeats the one before it",
        ),
        count => draft.note(
            "archive",
            format!("{count} requests left out: they repeat the one before them"),
        ),
    }
}

fn add_pauses(recorded: &mut [Recorded]) {
    for nth in 1..recorded.len() {
        let (Some(before), Some(next)) = (recorded[nth - 1].began_ms, recorded[nth].began_ms)
        else {
            continue;
        };
        let gap_ms = next - before - recorded[nth - 1].took_ms;
        if gap_ms >= PAUSE_MS_MIN {
            let tenths = (gap_ms.min(PAUSE_MS_MAX) + 50) / 100;
            let text = format!("{}.{}s", tenths / 10, tenths % 10).replace(".0s", "s");
            recorded[nth - 1].step.pause = Some(text);
        }
    }
}

/// Cookies that an answer of the archive sets are the service's to give; others were there before.
fn drop_cookies(recorded: &mut [Recorded], draft: &mut Draft) {
    let mut set: Vec<String> = Vec::new();
    for it in recorded {
        if let Some(cookies) = it.step.header("Cookie").map(str::to_owned) {
            let name = |pair: &str| pair.split('=').next().unwrap_or_default().trim().to_owned();
            let (known, kept): (Vec<&str>, Vec<&str>) = cookies
                .split(';')
                .map(str::trim)
                .partition(|pair| set.contains(&name(pair)));
            if !known.is_empty() {
                let names: Vec<String> = known.into_iter().map(name).collect();
                draft.note(
                    "cookies",
                    format!("{} was set by an answer, and is not sent", names.join(", ")),
                );
            }
            match kept.is_empty() {
                true => it.step.drop_header("Cookie"),
                false => it.step.set_header("Cookie", kept.join("; ")),
            }
        }
        set.extend(it.cookies.iter().cloned());
    }
}

/// The steps up to the last one with a password run once per user; the rest is the task.
fn place_steps(mut steps: Vec<Step>, draft: &mut Draft) {
    let last = steps.len() - 1;
    let login = steps[..last].iter().rposition(has_password);
    let rest = steps.split_off(login.map_or(0, |at| at + 1));
    if !steps.is_empty() {
        let line = "Guessed: the steps up to the login are start steps, which each user runs once.";
        draft.comments.push(line.to_owned());
    }
    if steps.iter().chain(&rest).any(|step| step.pause.is_some()) {
        draft
            .comments
            .push("Pauses are those of the recording.".to_owned());
    }
    draft.start = steps;
    draft.tasks = vec![Task {
        name: (rest.len() > 1).then(|| "recorded session".to_owned()),
        weight: 1,
        steps: rest,
        ..Task::default()
    }];
}

fn has_password(step: &Step) -> bool {
    let is_password = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["passw", "pwd", "passphrase"]
            .iter()
            .any(|part| name.contains(part))
    };
    let mut copy = step.clone();
    copy.headers.clear();
    let mut found = false;
    copy.change_texts(&mut |name, _| found |= is_password(name));
    found
}

/// Milliseconds since 1970 of an ISO 8601 time, with any offset.
fn unix_ms(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let rest = text.get(19..)?;
    let at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (fraction, zone) = rest.split_at(at);
    let digits: String = fraction
        .chars()
        .skip(1)
        .chain("000".chars())
        .take(3)
        .collect();
    let zone_minutes = match zone.get(1..3).and_then(|hours| hours.parse::<i64>().ok()) {
        Some(hours) => {
            let minutes = zone.get(zone.len() - 2..)?.parse::<i64>().ok()?;
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            sign * (60 * hours + minutes)
        }
        None => 0,
    };
    let days = days_since_1970(year, month, day);
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - 60 * zone_minutes;
    Some(1_000 * seconds + digits.parse::<i64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_any_offset() {
        assert_eq!(unix_ms("1970-01-01T00:00:00.000Z"), Some(0));
        assert_eq!(unix_ms("2024-02-29T12:00:00Z"), Some(1_709_208_000_000));
        assert_eq!(
            unix_ms("2024-02-29T14:00:00.1234567+02:00"),
            Some(1_709_208_000_123)
        );
        assert_eq!(
            unix_ms("2024-02-29T06:30:00.5-0530"),
            Some(1_709_208_000_500)
        );
        assert_eq!(unix_ms("yesterday"), None);
    }
}
