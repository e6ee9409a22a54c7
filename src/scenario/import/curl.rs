//! curl commands -> a draft: one task for each request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::draft::{Body, Draft, Step, Task, variable_name};
use super::request::{METHODS, add_header, set_body};
use super::shell::{Command, DEFAULT, OUTPUT, VARIABLE, commands};
use super::shell_variables::{Loops, Variables, without_jars};
use super::target::{decoded, name_of, pairs, split};

/// Flags without an argument that change nothing here.
const IGNORED: [&str; 24] = [
    "-s",
    "--silent",
    "-S",
    "--show-error",
    "-v",
    "--verbose",
    "-i",
    "--include",
    "-f",
    "--fail",
    "-#",
    "--progress-bar",
    "-O",
    "--remote-name",
    "-g",
    "--globoff",
    "-N",
    "--no-buffer",
    "--http1.1",
    "--fail-with-body",
    "--no-progress-meter",
    "-q",
    "--tcp-nodelay",
    "--path-as-is",
];
/// Flags with an argument that change nothing here.
const IGNORED_WITH_ARGUMENT: [&str; 10] = [
    "-o",
    "--output",
    "-w",
    "--write-out",
    "-D",
    "--dump-header",
    "--trace",
    "--trace-ascii",
    "--stderr",
    "--connect-timeout",
];
/// Flags without an argument that are not translated, and what to do.
const NOTED: [(&str, &str); 10] = [
    (
        "-L",
        "redirects are not followed: a step counts its own answer",
    ),
    (
        "--location",
        "redirects are not followed: a step counts its own answer",
    ),
    ("-k", "give --insecure to opsurge run"),
    ("--insecure", "give --insecure to opsurge run"),
    ("--http2", "opsurge speaks HTTP/1.1"),
    ("--http2-prior-knowledge", "opsurge speaks HTTP/1.1"),
    ("--http3", "opsurge speaks HTTP/1.1"),
    ("--digest", "Digest authentication is not supported"),
    ("--ntlm", "NTLM authentication is not supported"),
    ("--negotiate", "Negotiate authentication is not supported"),
];
/// Flags with an argument that are not translated.
const NOTED_WITH_ARGUMENT: [&str; 22] = [
    "-x",
    "--proxy",
    "--cacert",
    "--capath",
    "-E",
    "--cert",
    "--key",
    "-c",
    "--cookie-jar",
    "--retry",
    "--retry-delay",
    "--retry-max-time",
    "--limit-rate",
    "--resolve",
    "--connect-to",
    "--interface",
    "--unix-socket",
    "-K",
    "--config",
    "--aws-sigv4",
    "-r",
    "--range",
];
/// Boundary of multipart bodies (RFC 2046 section 5.1.1).
const BOUNDARY: &str = "opsurge-boundary";

/// The flags of one request.
#[derive(Default)]
struct Flags {
    method: Option<String>,
    urls: Vec<String>,
    headers: Vec<(String, String)>,
    /// Pieces of the body, encoded, joined by `&`.
    data: Vec<String>,
    file: Option<String>,
    parts: Vec<(String, String)>,
    query: Vec<(String, String)>,
    user: Option<String>,
    timeout: Option<String>,
    is_json: bool,
    is_get: bool,
    is_head: bool,
    is_upload: bool,
    is_compressed: bool,
}

/// Translates the commands of a shell text. `has_file` says whether a file that a command sends is there.
///
/// # Errors
/// A quote that is not closed; no request at all.
pub fn read(text: &str, has_file: &dyn Fn(&str) -> bool) -> Result<Draft, String> {
    let mut draft = Draft {
        about: "curl commands".to_owned(),
        ..Draft::default()
    };
    let mut origins = Vec::new();
    let mut variables = Variables::default();
    let mut loops = Loops::default();
    let mut all = commands(text)?;
    let has_jar = without_jars(&mut all);
    for mut command in all {
        variables.fill(&mut command);
        if variables.assigns(&command) || loops.changes(&command) {
            continue;
        }
        let Some(at) = command.words.iter().position(|word| is_curl(word)) else {
            continue;
        };
        let place = format!("line {}", command.line);
        if let Some(line) = loops.first_request() {
            let what = "a loop of the shell is not translated; its requests are written once";
            draft.note(format!("line {line}"), what);
        }
        for words in command.words[at + 1..].split(|word| word == "--next" || word == "-:") {
            let flags = read_flags(words, &command, &place, &mut draft);
            for step in steps(flags, &place, &mut draft, &mut origins, has_file) {
                draft.tasks.push(Task {
                    weight: 1,
                    steps: vec![step],
                    ..Task::default()
                });
            }
        }
    }
    keep_one_origin(&mut draft, &origins);
    if draft.tasks.is_empty() {
        return Err("no curl command in it sends a request to a URL".to_owned());
    }
    draft.drop_unused_variables();
    if has_jar {
        let line = "Cookies that answers set are kept per user, as -c and -b do with a file.";
        draft.comments.push(line.to_owned());
    }
    if draft.tasks.len() > 1 {
        let line = "One task for each command, drawn evenly (guessed). For a fixed order, make them [[task.step]] of one [[task]].";
        draft.comments.push(line.to_owned());
    }
    Ok(draft)
}

fn is_curl(word: &str) -> bool {
    word == "curl" || word == "curl.exe" || word.ends_with("/curl")
}

/// Keeps the steps to the target with the most requests. `origins` has the place and target of each step.
fn keep_one_origin(draft: &mut Draft, origins: &[(String, Option<String>)]) {
    let known = origins.iter().filter_map(|(_, origin)| origin.as_ref());
    let mut counts: Vec<(&String, usize)> = Vec::new();
    for origin in known {
        match counts.iter_mut().find(|(known, _)| *known == origin) {
            Some((_, count)) => *count += 1,
            None => counts.push((origin, 1)),
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max();
    let host = counts.iter().find(|(_, count)| Some(*count) == most);
    let host = host.map(|(origin, _)| (*origin).clone());
    let mut kept = Vec::new();
    let tasks = std::mem::take(&mut draft.tasks);
    for (task, (place, origin)) in tasks.into_iter().zip(origins) {
        match origin {
            Some(origin) if Some(origin) != host.as_ref() => {
                draft.note(
                    place,
                    format!("goes to {origin}; a scenario has one target, so it is left out"),
                );
            }
            _ => kept.push(task),
        }
    }
    draft.tasks = kept;
    draft.host = host;
}

/// Splits `-sSLXPOST` into flags with one letter, and a flag from its argument.
fn read_flags(words: &[String], command: &Command, place: &str, draft: &mut Draft) -> Flags {
    let mut flags = Flags::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let is_flag = word.len() > 1 && word.starts_with('-');
        if !is_flag {
            flags.urls.push(word.clone());
            continue;
        }
        if word.starts_with("--") {
            let takes = takes_argument(word);
            let argument = takes.then(|| words.next().cloned().unwrap_or_default());
            flag(word, argument, command, place, &mut flags, draft);
            continue;
        }
        let letters = word[1..].char_indices();
        for (at, letter) in letters {
            let name = format!("-{letter}");
            if !takes_argument(&name) {
                flag(&name, None, command, place, &mut flags, draft);
                continue;
            }
            let rest = &word[1 + at + letter.len_utf8()..];
            let argument = match rest {
                "" => words.next().cloned().unwrap_or_default(),
                rest => rest.to_owned(),
            };
            flag(&name, Some(argument), command, place, &mut flags, draft);
            break;
        }
    }
    flags
}

fn takes_argument(flag: &str) -> bool {
    const TRANSLATED: [&str; 33] = [
        "-X",
        "--request",
        "-H",
        "--header",
        "-d",
        "--data",
        "--data-raw",
        "--data-binary",
        "--data-ascii",
        "--data-urlencode",
        "--json",
        "-F",
        "--form",
        "--form-string",
        "-u",
        "--user",
        "-b",
        "--cookie",
        "-A",
        "--user-agent",
        "-e",
        "--referer",
        "--url",
        "-T",
        "--upload-file",
        "--oauth2-bearer",
        "--url-query",
        "-m",
        "--max-time",
        "--proto",
        "--tlsv1.2-",
        "--ciphers",
        "--max-redirs",
    ];
    [
        &TRANSLATED[..],
        &IGNORED_WITH_ARGUMENT,
        &NOTED_WITH_ARGUMENT,
    ]
    .iter()
    .any(|flags| flags.contains(&flag))
}

fn flag(
    name: &str,
    argument: Option<String>,
    command: &Command,
    place: &str,
    flags: &mut Flags,
    draft: &mut Draft,
) {
    let argument = argument.unwrap_or_default();
    match name {
        "-X" | "--request" => flags.method = Some(argument),
        "--url" => flags.urls.push(argument),
        "-H" | "--header" => match argument.split_once(':') {
            Some((name, value)) => {
                flags
                    .headers
                    .push((name.trim().to_owned(), value.trim().to_owned()));
            }
            None => draft.note(
                place,
                format!("the header {argument:?} has no colon and is left out"),
            ),
        },
        "-A" | "--user-agent" => flags.headers.push(("User-Agent!".to_owned(), argument)),
        "-e" | "--referer" => flags.headers.push(("Referer!".to_owned(), argument)),
        "-b" | "--cookie" => match argument.contains('=') {
            true => flags.headers.push(("Cookie".to_owned(), argument)),
            false => draft.note(
                place,
                format!(
                    "{name}: the cookies of a file are not read; write them into a Cookie header"
                ),
            ),
        },
        "--oauth2-bearer" => {
            flags
                .headers
                .push(("Authorization".to_owned(), format!("Bearer {argument}")));
        }
        "-u" | "--user" => flags.user = Some(argument),
        "-d" | "--data" | "--data-ascii" | "--data-binary" => {
            data(name, &argument, command, place, flags, draft);
        }
        "--data-raw" => flags.data.push(argument),
        "--json" => {
            flags.is_json = true;
            data(name, &argument, command, place, flags, draft);
        }
        "--data-urlencode" => urlencode(&argument, place, flags, draft),
        "--url-query" => flags.query.extend(pairs(&argument)),
        "-F" | "--form" | "--form-string" => part(name, &argument, place, flags, draft),
        "-T" | "--upload-file" => {
            flags.is_upload = true;
            flags.file = Some(argument);
        }
        "-G" | "--get" => flags.is_get = true,
        "-I" | "--head" => flags.is_head = true,
        "--compressed" => flags.is_compressed = true,
        "-m" | "--max-time" => flags.timeout = Some(format!("{argument}s")),
        name if IGNORED.contains(&name) || IGNORED_WITH_ARGUMENT.contains(&name) => {}
        name => {
            let cure = NOTED.iter().find(|(known, _)| *known == name);
            let is_known = NOTED_WITH_ARGUMENT.contains(&name) || takes_argument(name);
            draft.note(
                place,
                match (cure, is_known) {
                    (Some((_, cure)), _) => format!("{name} is not translated: {cure}"),
                    (None, true) => format!("{name} is not translated"),
                    (None, false) => format!("{name} is not known; it is left out"),
                },
            );
        }
    }
}

fn data(
    name: &str,
    argument: &str,
    command: &Command,
    place: &str,
    flags: &mut Flags,
    draft: &mut Draft,
) {
    match (argument.strip_prefix('@'), &command.stdin) {
        (Some("-" | "/dev/stdin"), Some(text)) => flags.data.push(text.clone()),
        (Some("-" | "/dev/stdin"), None) => {
            draft.note(
                place,
                format!("{name} @- reads what is typed; the body is left out"),
            );
        }
        (Some(file), _) => flags.file = Some(file.to_owned()),
        (None, _) => flags.data.push(argument.to_owned()),
    }
}

fn urlencode(argument: &str, place: &str, flags: &mut Flags, draft: &mut Draft) {
    let encoded = |text: &str| {
        text.replace('%', "%25")
            .replace('&', "%26")
            .replace('+', "%2B")
    };
    match argument.split_once('=') {
        Some(("", text)) => flags.data.push(encoded(text)),
        Some((name, text)) => flags.data.push(format!("{name}={}", encoded(text))),
        None if argument.contains('@') => {
            draft.note(place, "--data-urlencode with a file is not translated");
        }
        None => flags.data.push(encoded(argument)),
    }
}

fn part(name: &str, argument: &str, place: &str, flags: &mut Flags, draft: &mut Draft) {
    let Some((field, value)) = argument.split_once('=') else {
        return draft.note(
            place,
            format!("{name}: {argument:?} has no = and is left out"),
        );
    };
    if name != "--form-string" && value.starts_with(['@', '<']) {
        return draft.note(
            place,
            format!("the file part \"{field}\" of the form is not translated; its other parts are"),
        );
    }
    let value = value.split(";type=").next().unwrap_or(value);
    flags
        .parts
        .push((field.to_owned(), value.trim_matches('"').to_owned()));
}

/// The steps of a command: one for each URL.
fn steps(
    flags: Flags,
    place: &str,
    draft: &mut Draft,
    origins: &mut Vec<(String, Option<String>)>,
    has_file: &dyn Fn(&str) -> bool,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for url in &flags.urls {
        let mut url = own_text(url, place, draft);
        let globs = url.replace("\\[", "").replace("\\]", "");
        if globs.contains(['[', ']']) || globs.replace("{{", "").contains('{') {
            draft.note(place, "a URL with [1-9] or {a,b} stands for many; it is sent as one text. Write {{random 1..9}} or {{choice a|b}}");
        }
        // curl takes a bracket behind a backslash as it is.
        url = url.replace("\\[", "[").replace("\\]", "]");
        let is_url = url.contains("://")
            || url.contains(['.', '/', ':'])
            || url.starts_with("{{")
            || url.starts_with("localhost");
        if !is_url {
            draft.note(place, format!("\"{url}\" is not a URL and is left out"));
            continue;
        }
        if url.starts_with("{{") {
            draft.note(
                place,
                "its target is a variable that the text does not tell; give it by --host",
            );
        }
        let target = split(&url);
        let mut step = Step {
            path: target.path.clone(),
            name: name_of(&target.path),
            query: target.query,
            timeout: flags.timeout.clone(),
            ..Step::default()
        };
        if flags.urls.len() == 1 || steps.is_empty() {
            step.comments.push(format!("{place} of the source"));
        }
        let user = flags
            .user
            .clone()
            .or(target.userinfo.map(|user| decoded(&user)));
        add_headers(&mut step, &flags, user, place, draft);
        add_body(&mut step, &flags, place, draft, has_file);
        let method = method_of(&flags, &step);
        if !METHODS.contains(&method.as_str()) {
            draft.note(
                place,
                format!("a scenario has no method {method}; the command is left out"),
            );
            continue;
        }
        step.method = method;
        origins.push((place.to_owned(), target.origin));
        steps.push(step);
    }
    if flags.urls.is_empty() {
        draft.note(place, "the command has no URL and is left out");
    }
    steps
}

fn method_of(flags: &Flags, step: &Step) -> String {
    let default = match step.body {
        _ if flags.is_head => "HEAD",
        _ if flags.is_get => "GET",
        _ if flags.is_upload => "PUT",
        Body::None if flags.file.is_none() => "GET",
        _ => "POST",
    };
    flags
        .method
        .clone()
        .unwrap_or(default.to_owned())
        .to_ascii_uppercase()
}

fn add_headers(
    step: &mut Step,
    flags: &Flags,
    user: Option<String>,
    place: &str,
    draft: &mut Draft,
) {
    for (name, value) in &flags.headers {
        // The field of a flag of its own is meant; a browser's is not.
        let typed = name.strip_suffix('!');
        let name = typed.unwrap_or(name);
        let value = own_text(value, place, draft);
        add_header(step, name, &value, typed.is_some(), place, draft);
    }
    if let Some(user) = user {
        let credentials = match user.contains(VARIABLE) {
            true => {
                draft.note(
                    place,
                    "-u with a shell variable: set basic_credentials in [variables]",
                );
                let comment = "secret: the output of `printf %s USER:PASSWORD | base64`";
                format!(
                    "{{{{{}}}}}",
                    draft.placeholder("basic_credentials", comment)
                )
            }
            false => STANDARD.encode(user),
        };
        step.set_header("Authorization", format!("Basic {credentials}"));
    }
    if flags.is_compressed {
        step.set_header("Accept-Encoding", "gzip");
    }
}

fn add_body(
    step: &mut Step,
    flags: &Flags,
    place: &str,
    draft: &mut Draft,
    has_file: &dyn Fn(&str) -> bool,
) {
    step.query.extend(flags.query.iter().cloned());
    if flags.is_get {
        for piece in &flags.data {
            let piece = own_text(piece, place, draft);
            step.query.extend(pairs(&piece));
        }
        return;
    }
    if let Some(file) = &flags.file {
        match has_file(file) {
            true => step.body = Body::File(file.clone()),
            false => {
                draft.note(
                    place,
                    format!("the file of the body is not there: {file}; add file = to the step"),
                );
                step.comments.push(format!("file = {file:?}"));
            }
        }
        if step.header("Content-Type").is_none() && !flags.is_upload {
            let kind = if flags.is_json {
                "application/json"
            } else {
                "application/x-www-form-urlencoded"
            };
            step.set_header("Content-Type", kind);
        }
        return;
    }
    if !flags.parts.is_empty() {
        step.set_header(
            "Content-Type",
            format!("multipart/form-data; boundary={BOUNDARY}"),
        );
        let mut text = String::new();
        for (name, value) in &flags.parts {
            let value = own_text(value, place, draft);
            text += &format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            );
        }
        step.body = Body::Text(format!("{text}--{BOUNDARY}--\r\n"));
        return;
    }
    if flags.data.is_empty() {
        return;
    }
    let text = own_text(
        &flags.data.join(if flags.is_json { "" } else { "&" }),
        place,
        draft,
    );
    if flags.is_json {
        for (name, value) in [
            ("Content-Type", "application/json"),
            ("Accept", "application/json"),
        ] {
            if step.header(name).is_none() {
                step.set_header(name, value);
            }
        }
    }
    if step.header("Content-Type").is_none() {
        step.set_header("Content-Type", "application/x-www-form-urlencoded");
        if text.trim_start().starts_with(['{', '[']) {
            draft.note(place, "curl sends this JSON as application/x-www-form-urlencoded, and so does the step; if the service wants JSON, remove its Content-Type");
        }
    }
    set_body(step, &text);
}

/// A text of the shell as a text of a scenario: shell variables become variables.
fn own_text(text: &str, place: &str, draft: &mut Draft) -> String {
    let text = draft.own_text(place, text);
    let mut out = String::with_capacity(text.len());
    for (nth, piece) in text.split(VARIABLE).enumerate() {
        if nth % 2 == 0 {
            out += piece;
            continue;
        }
        if let Some((name, default)) = piece.split_once(DEFAULT) {
            draft.note(place, format!("the default of ${name} is taken: {default}"));
            out += default;
            continue;
        }
        let what = match piece {
            OUTPUT => "output of a",
            _ => "variable of the shell",
        };
        let comment = format!(
            "{what} {piece}; or \"{{{{env.{}}}}}\"",
            variable_name(piece).to_ascii_uppercase()
        );
        let name = draft.placeholder(piece, &comment);
        draft.note(
            place,
            format!("the {what} {piece} is not known; set {name} in [variables]"),
        );
        out += &format!("{{{{{name}}}}}");
    }
    out
}
