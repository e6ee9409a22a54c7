//! Row 21 of `../shared/faults.md`: a canary, given in every way in which a secret can be given, is in no file and no
//! output of any command, at the highest log level, in any encoding in which a server sends it back. The same holds for
//! values that are secrets because a server sent them, a CSV file has them, or a member's name says so.

use std::path::Path;
use std::process::{Child, Output, Stdio};

use crate::support::binary::{opsurge, text};
use crate::support::raw_server::{Peer, RawServer, answer_ok};
use crate::support::refused_address::RefusedAddress;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use tempfile::TempDir;

/// Its letters and digits are the same in every encoding but base64; the characters between them differ in each.
const CANARY: &str = "Xq7Zk3\"vTn9Lw&8Jd5Rf/hM2+wB4=pY6\\sC1";
const FRAGMENTS: [&str; 7] = [
    "Xq7Zk3", "vTn9Lw", "8Jd5Rf", "hM2+wB4", "wB4=pY6", "hM2%2", "pY6\\",
];

fn percent_encoded(lower: bool, kept: &str) -> String {
    let encode = |c: char| match c.is_ascii_alphanumeric() || kept.contains(c) {
        true => c.to_string(),
        false if lower => format!("%{:02x}", u32::from(c)),
        false => format!("%{:02X}", u32::from(c)),
    };
    CANARY.chars().map(encode).collect()
}

fn unicode_escaped(lower: bool) -> String {
    let encode = |c: char| match c.is_ascii_alphanumeric() {
        true => c.to_string(),
        false if lower => format!("\\u{:04x}", u32::from(c)),
        false => format!("\\u{:04X}", u32::from(c)),
    };
    CANARY.chars().map(encode).collect()
}

/// The encodings in which a server may repeat a request.
fn forms() -> Vec<String> {
    let json = CANARY.replace('\\', "\\\\").replace('"', "\\\"");
    let html = CANARY.replace('&', "&amp;").replace('"', "&quot;");
    let credentials = format!("me:{CANARY}");
    vec![
        CANARY.to_owned(),
        percent_encoded(false, "-._~"),
        percent_encoded(true, "-._~"),
        percent_encoded(false, "/"),
        json.clone(),
        json.replace('/', "\\/"),
        unicode_escaped(true),
        unicode_escaped(false),
        html,
        STANDARD.encode(CANARY),
        STANDARD.encode(&credentials),
        URL_SAFE_NO_PAD.encode(CANARY),
        credentials,
    ]
}

/// Texts that must not occur: the parts of the canary that no encoding changes, and parts of its base64.
fn needles() -> Vec<String> {
    let encoded = [
        STANDARD.encode(CANARY),
        URL_SAFE_NO_PAD.encode(CANARY),
        STANDARD.encode(format!("me:{CANARY}")),
    ];
    let parts = encoded.iter().flat_map(|text| {
        let ends = [&text[..10], &text[text.len() - 12..text.len() - 2]];
        ends.map(str::to_owned)
    });
    FRAGMENTS
        .map(str::to_owned)
        .into_iter()
        .chain(parts)
        .collect()
}

fn check_text(text: &str, place: &str) {
    for needle in needles() {
        if let Some(at) = text.find(&needle) {
            let before: Vec<char> = text[..at].chars().rev().take(200).collect();
            let before: String = before.into_iter().rev().collect();
            panic!("{place} shows {needle}: ...{before}<here>");
        }
    }
}

/// A folder for all files of a command.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> String {
        let path = self.0.path().join(name);
        path.to_str().expect("UTF-8").to_owned()
    }

    /// Runs the binary with every report, at the highest log level, with the canary as the key and in the environment.
    fn run(&self, arguments: &[&str]) -> Output {
        let (json, csv, hdr) = (self.path("r.json"), self.path("r"), self.path("r.hlog"));
        let reports = ["--json", &json, "--csv", &csv, "--csv-full-history"];
        let more = ["--hdr", &hdr, "--log-level", "trace"];
        self.say(&[arguments, &reports, &more].concat())
    }

    /// The same without reports.
    fn say(&self, arguments: &[&str]) -> Output {
        let output = opsurge(arguments)
            .env("OPSCORE_API_KEY", CANARY)
            .env("CANARY", CANARY)
            .env("CANARY_IN_PATH", percent_encoded(false, "-._~"))
            .output()
            .expect("the binary starts");
        self.check(
            &output,
            &format!("{:?}", &arguments[..arguments.len().min(3)]),
        );
        output
    }

    fn check(&self, output: &Output, what: &str) {
        check_text(&text(output), what);
        for entry in std::fs::read_dir(self.0.path()).expect("it is there") {
            let path = entry.expect("it can be read").path();
            let name = path.display().to_string();
            check_text(&name, what);
            if path.is_file() && !name.ends_with(".toml") {
                let bytes = std::fs::read(&path).expect("it can be read");
                check_text(&String::from_utf8_lossy(&bytes), &format!("{what}: {name}"));
            }
        }
    }

    fn has_reports(&self) {
        for name in ["r.json", "r_stats.csv", "r_failures.csv", "r.hlog"] {
            assert!(Path::new(&self.path(name)).is_file(), "{name}");
        }
    }
}

/// Sends the canary back in the encoding whose number ends the path: in the reason, in fields, in the body, then the
/// whole request. `/ok` is answered with 200, `/raw` with bytes that are not HTTP, `/long` with a body cut within the
/// canary.
fn echo(peer: &mut Peer) {
    let forms = forms();
    while let Some(request) = peer.request() {
        let path = request.text.split(' ').nth(1).unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        let number = path.rsplit('/').next().and_then(|end| end.parse().ok());
        let form: &String = forms.get(number.unwrap_or(0)).unwrap_or(&forms[0]);
        if path.ends_with("/raw") {
            peer.answer(format!("{form}\r\n\r\n").as_bytes());
            return;
        }
        let (status, before) = match path {
            "/ok" | "/login" => (200, String::new()),
            _ if path.ends_with("/long") => (401, "x".repeat(245)),
            _ => (401, String::new()),
        };
        let body = match path {
            "/login" => format!("{{\"data\": {{\"id\": \"{}\"}}}}", forms[4]),
            _ => format!("{before}{form} {}", request.text),
        };
        let fields = format!(
            "X-Echo: {form}\r\nLocation: http://me:{form}@127.0.0.1/?q={form}\r\nSet-Cookie: s={form}\r\n"
        );
        let length = body.len();
        let head = format!("HTTP/1.1 {status} {form}\r\n{fields}Content-Length: {length}\r\n\r\n");
        peer.answer(format!("{head}{body}").as_bytes());
    }
}

/// `NAME: VALUE` for `--header`.
fn headers() -> Vec<String> {
    let basic = STANDARD.encode(format!("me:{CANARY}"));
    vec![
        format!("Authorization: Basic {basic}"),
        format!("Cookie: a={CANARY}; b=2"),
        format!("X-Api-Key: {CANARY}"),
    ]
}

fn with_headers<'a>(arguments: &[&'a str], headers: &'a [String]) -> Vec<&'a str> {
    let flags = headers.iter().flat_map(|header| ["--header", header]);
    arguments.iter().copied().chain(flags).collect()
}

/// A scenario with the canary in every place that can hold it, and a step for each encoding of the answer.
fn scenario(place: &Place) -> String {
    let mut text = "name = \"secrets\"\nwait = \"2ms\"\nload = { users = 4, run_time = \"1200ms\" }\n\
        [variables]\nkey = \"{{env.CANARY}}\"\n\
        [headers]\nAuthorization = \"Bearer {{env.CANARY}}\"\nCookie = \"a={{env.CANARY}}\"\nX-Other = \"{{env.CANARY}}\"\n"
        .to_owned();
    let numbers = (0..forms().len()).map(|number| number.to_string());
    for end in numbers.chain(["raw".to_owned(), "long".to_owned()]) {
        text += &format!(
            "[[task]]\nmethod = \"POST\"\npath = \"/v/{{{{env.CANARY_IN_PATH}}}}/{end}\"\nquery = {{ q = \"{{{{env.CANARY}}}}\" }}\n\
             json = '{{\"a\": \"{{{{env.CANARY}}}}\"}}'\n"
        );
    }
    let path = place.path("secrets.toml");
    std::fs::write(&path, text).expect("written");
    path
}

#[test]
fn a_run_shows_no_secret_whatever_the_server_sends_back() {
    let server = RawServer::start(echo);
    let url = server.url();
    let place = Place::new();
    let scenario = scenario(&place);
    for io in ["uring", "epoll"] {
        let arguments = ["run", &scenario, "--host", &url, "--io", io];
        let output = place.run(&arguments);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        place.has_reports();
    }
    let headers = headers();
    for number in 0..forms().len() {
        let failing = format!("{url}/{number}");
        let arguments = [
            "run", "--get", &failing, "-t", "100ms", "-u", "2", "--wait", "20ms",
        ];
        let output = place.run(&with_headers(&arguments, &headers));
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    }
    let fine = format!("{url}/ok");
    let arguments = [
        "run", "--get", &fine, "-t", "200ms", "-u", "2", "--wait", "20ms",
    ];
    let output = place.run(&with_headers(&arguments, &headers));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let record = std::fs::read_to_string(place.path("r.json")).expect("a record");
    let record = opsurge::record::schema::Record::parse(&record).expect("a record");
    let command = record.run.command.join(" ");
    let begin = format!("opsurge run --get {fine} -t 200ms");
    assert!(command.starts_with(&begin), "{command}");
    assert!(
        command.contains("--header Authorization: *** --header Cookie: ***"),
        "{command}"
    );
    let output = place.run(&["run", "workflow", "--host", &url, "-u", "3", "-t", "300ms"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let output = place.run(&["run", "--mock", "-u", "3", "-t", "500ms", "--wait", "0"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

/// A scenario that gets the canary from `from` alone, and has a task for each encoding of the answer. A step that
/// succeeds and one whose expectation fails receive it too.
fn scenario_with_secret_from(from: &str, place: &Place) -> String {
    let json = CANARY.replace('\\', "\\\\").replace('"', "\\\"");
    let encoded = percent_encoded(false, "-._~");
    let csv = format!("name,word\nann,\"{}\"\n", CANARY.replace('"', "\"\""));
    std::fs::write(place.path("users.toml"), csv).expect("written");
    let (before, path, of_step) = match from {
        "an answer" => (
            "[[start]]\nmethod = \"POST\"\npath = \"/login\"\nextract = { ticket = { json = \"/data/id\" } }\n",
            String::new(),
            "headers = { X-Other = \"{{ticket}}\" }".to_owned(),
        ),
        "a row" => (
            "[csv]\nfile = \"users.toml\"\n",
            String::new(),
            "text = \"{{csv.word}}\"".to_owned(),
        ),
        "a member of JSON" => (
            "",
            String::new(),
            format!("json = '{{\"user\": {{\"password\": \"{json}\"}}}}'"),
        ),
        "a member of a form" => (
            "",
            String::new(),
            format!("form = {{ client_secret = '{CANARY}' }}"),
        ),
        "a query" => ("", format!("?a=1&api_key={encoded}"), String::new()),
        "a member of a query" => (
            "",
            String::new(),
            format!("query = {{ access_key = '{CANARY}' }}"),
        ),
        "a field" => (
            "",
            String::new(),
            format!("headers = {{ Cookie = 'theme=dark; s={CANARY}' }}"),
        ),
        other => panic!("{other}"),
    };
    let mut text = format!(
        "name = \"secret from {from}\"\nwait = \"2ms\"\nload = {{ users = 3, run_time = \"700ms\" }}\n{before}"
    );
    let numbers = (0..forms().len()).map(|number| number.to_string());
    for end in numbers.chain(["ok", "raw", "long"].map(str::to_owned)) {
        let (at, more) = match end.as_str() {
            "ok" => ("/ok", "expect = { exists = [\"/no/such\"] }\n"),
            "raw" => ("/v/raw", ""),
            "long" => ("/v/long", ""),
            _ => ("/v/", ""),
        };
        let at = if at == "/v/" {
            format!("/v/{end}")
        } else {
            at.to_owned()
        };
        text += &format!("[[task]]\nmethod = \"POST\"\npath = \"{at}{path}\"\n{of_step}\n{more}");
    }
    let path = place.path("secret.toml");
    std::fs::write(&path, text).expect("written");
    path
}

#[test]
fn a_run_shows_no_secret_wherever_it_has_it_from() {
    let server = RawServer::start(echo);
    let url = server.url();
    for from in [
        "an answer",
        "a row",
        "a member of JSON",
        "a member of a form",
        "a query",
        "a member of a query",
        "a field",
    ] {
        let place = Place::new();
        let scenario = scenario_with_secret_from(from, &place);
        let output = place.say(&["scenarios", "check", &scenario]);
        assert_eq!(output.status.code(), Some(0), "{from}: {}", text(&output));
        let output = place.run(&["run", &scenario, "--host", &url, "--report", "full"]);
        assert_eq!(output.status.code(), Some(1), "{from}: {}", text(&output));
        place.has_reports();
        let printed = text(&output);
        assert!(printed.contains("***"), "{from}: {printed}");
        let failing = ["search", &scenario, "--host", &url, "-t", "10s"];
        let levels = ["--from", "2", "--to", "2", "--every", "1s", "--settle", "0"];
        place.run(&[&failing[..], &levels].concat());
        // The error is in a line with the canary: the line is shown.
        let whole = std::fs::read_to_string(&scenario).expect("it is there");
        for (sound, faulty) in [
            ("\nheaders = {", "\nheaderz = {"),
            ("json = '{", "json = '{{{what"),
            ("form = {", "form = 1 {"),
            ("path = \"/v/0", "path = \"v/0"),
            ("query = {", "queri = {"),
            ("/v/1", "/v /1"),
        ] {
            std::fs::write(&scenario, whole.replacen(sound, faulty, 1)).expect("written");
            place.say(&["scenarios", "check", &scenario]);
            place.say(&["run", &scenario, "--host", "127.0.0.1:1"]);
        }
    }
}

#[test]
fn a_url_and_a_body_are_shown_without_the_secrets_in_them() {
    let server = RawServer::start(echo);
    let place = Place::new();
    let json = CANARY.replace('\\', "\\\\").replace('"', "\\\"");
    let encoded = percent_encoded(false, "-._~");
    let body = format!("{{\"user\": \"me\", \"password\": \"{json}\"}}");
    let broken = format!("{{\"user\": {{{{what}}}}, \"password\": \"{json}\"}}");
    let quick = ["-t", "100ms", "-u", "2", "--wait", "20ms"];
    for end in ["0", "1", "4", "9", "long", "ok", "raw"] {
        let url = format!("{}/{end}", server.url());
        let with_query = format!("{url}?a=1&api_key={encoded}&b=2");
        let path = format!("/{end}?token={encoded}");
        let host = server.url();
        for arguments in [
            &["run", "--get", &with_query][..],
            &["run", "--get", &path, "--host", &host],
            &["run", "--url", &url, "--body", &body],
        ] {
            let output = place.run(&[arguments, &quick].concat());
            let expected = if end == "ok" { 0 } else { 1 };
            assert_eq!(output.status.code(), Some(expected), "{}", text(&output));
            place.has_reports();
        }
        for arguments in [
            &["request", &with_query][..],
            &["request", &with_query, "--json"],
            &["request", &url, "--body", &body],
            // Refused with the place in the file.
            &["run", "--url", &url, "--body", &broken],
            &["run", "--get", &path],
            &["run", "--get", &with_query, "--mock"],
            &["run", "--host", &with_query],
            &["request", &format!("{with_query}#{{}} x")],
            &["run", "--get", &format!("{with_query}&c=^|")],
            &["run", "--get", &format!("{with_query} x")],
        ] {
            place.say(arguments);
        }
    }
}

#[test]
fn a_search_shows_no_secret() {
    let server = RawServer::start(echo);
    let url = server.url();
    let place = Place::new();
    let scenario = scenario(&place);
    let levels = ["--from", "2", "--to", "2", "--every", "2s", "--settle", "0"];
    let failing = ["search", &scenario, "--host", &url, "-t", "10s"];
    let output = place.run(&[&failing[..], &levels].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    place.has_reports();
    let headers = headers();
    let fine = format!("{url}/ok");
    let fine = ["search", "--get", &fine, "--wait", "20ms", "-t", "10s"];
    let output = place.run(&with_headers(&[&fine[..], &levels].concat(), &headers));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn a_single_request_shows_no_secret() {
    let server = RawServer::start(echo);
    let place = Place::new();
    let headers = headers();
    let numbers = (0..forms().len()).map(|number| number.to_string());
    for end in numbers.chain(["ok", "raw", "long"].map(str::to_owned)) {
        for json in [false, true] {
            let url = format!("{}/{end}", server.url());
            let mut arguments = vec!["request", &url, "--log-level", "trace"];
            arguments.extend(json.then_some("--json"));
            let output = place.say(&with_headers(&arguments, &headers));
            let code = if end == "raw" { 1 } else { 0 };
            assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        }
    }
}

#[test]
fn the_stand_in_shows_no_secret_neither_the_demanded_nor_the_offered() {
    let place = Place::new();
    let mut child = opsurge(&[
        "mock",
        "--listen",
        "127.0.0.1:0",
        "-t",
        "3s",
        "--log-level",
        "trace",
    ])
    .env("OPSCORE_API_KEY", CANARY)
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .expect("the binary starts");
    let (first, url) = first_line(&mut child);
    let headers = headers();
    for path in ["/health", "/v1/opscore/agent/7/state", "/Xq7Zk3/vTn9Lw"] {
        let url = format!("{url}{path}");
        let output = opsurge(&with_headers(&["request", &url], &headers)).output();
        assert!(output.expect("the binary starts").status.success());
    }
    let output = place.say(&[
        "run", "--host", &url, "-u", "2", "-t", "300ms", "--wait", "0",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let mut output = child.wait_with_output().expect("it ends by itself");
    output.stdout.splice(..0, first.into_bytes());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    place.check(&output, "mock");
}

/// Its first line, and the URL in it.
fn first_line(child: &mut Child) -> (String, String) {
    use std::io::Read;
    let stdout = child.stdout.as_mut().expect("piped");
    let mut line = Vec::new();
    let mut byte = [0];
    while line.last() != Some(&b'\n') && stdout.read(&mut byte).expect("it speaks") == 1 {
        line.push(byte[0]);
    }
    let line = String::from_utf8(line).expect("UTF-8");
    let at = line.find("http://").unwrap_or_else(|| panic!("{line}"));
    let url = line[at..].split(' ').next().unwrap_or_default().to_owned();
    (line, url)
}

#[test]
fn nobody_listening_is_said_without_a_secret() {
    let refused = RefusedAddress::new();
    let url = refused.url();
    let place = Place::new();
    let scenario = scenario(&place);
    let headers = headers();
    for command in ["run", "search"] {
        for what in [&["workflow"][..], &[&scenario], &[]] {
            let arguments = [&[command], what, &["--host", &url]].concat();
            let output = place.run(&with_headers(&arguments, &headers));
            assert_eq!(output.status.code(), Some(3), "{}", text(&output));
        }
    }
    for json in [&[][..], &["--json"]] {
        let arguments = [&["request", &url, "--timeout", "2s"], json].concat();
        let output = place.say(&with_headers(&arguments, &headers));
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    }
}

#[test]
fn scenarios_are_listed_shown_and_checked_without_a_secret() {
    let place = Place::new();
    let scenario = scenario(&place);
    for arguments in [
        &["scenarios"][..],
        &["scenarios", "list"],
        &["scenarios", "show", "workflow"],
        &["scenarios", "format"],
        &["scenarios", "check", "workflow"],
        &["scenarios", "check", "mixed"],
        &["scenarios", "check", &scenario],
    ] {
        let output = place.say(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    }
    let whole = std::fs::read_to_string(&scenario).expect("it is there");
    // An error in each line with the canary, and in the parts of the request that its value becomes.
    for (sound, faulty) in [
        (
            "{{env.CANARY}}\"\n[headers]",
            "{{env.CANARY}} {{what}}\"\n[headers]",
        ),
        ("Bearer {{env.CANARY}}", "Bearer {{env.CANARY}}\\u0001"),
        (
            "Cookie = \"a={{env.CANARY}}",
            "Coo kie = \"a={{env.CANARY}}",
        ),
        ("X-Other = \"{{env.CANARY}}\"", "X-Other = {{env.CANARY}}"),
        (
            "method = \"POST\"\npath = \"/v/",
            "method = \"{{env.CANARY}}\"\npath = \"/v/",
        ),
        (
            "json = '{\"a\": \"{{env.CANARY}}\"}'",
            "json = '{\"a\": {{env.CANARY}}}'",
        ),
        (
            "name = \"secrets\"",
            "name = \"secrets\"\nbase = \"{{env.CANARY}}\"",
        ),
        ("wait = \"2ms\"", "wait = \"{{env.CANARY}}\""),
        ("path = \"/v/{{", "path = \"{{"),
    ] {
        assert!(whole.contains(sound), "{sound}");
        let path = place.path("faulty.toml");
        std::fs::write(&path, whole.replacen(sound, faulty, 1)).expect("written");
        for arguments in [
            &["scenarios", "check", &path][..],
            &["run", &path, "--host", "127.0.0.1:1"],
            &["search", &path, "--host", "127.0.0.1:1"],
        ] {
            let output = place.say(arguments);
            assert_eq!(output.status.code(), Some(2), "{faulty}: {}", text(&output));
        }
    }
}

#[test]
fn wrong_use_is_refused_without_repeating_a_secret() {
    let place = Place::new();
    let bearer = format!("Authorization: Bearer {CANARY}");
    let no_colon = format!("Authorization Bearer {CANARY}");
    let no_name = format!("Bearer {CANARY}: x");
    let control = format!("Cookie: {CANARY}\u{1}");
    let equals = format!("--headr={bearer}");
    let key = format!("--api-key={CANARY}");
    let password = format!("http://me:{CANARY}@127.0.0.1:1");
    let simple = "http://me:Xq7Zk3-vTn9Lw@127.0.0.1:1/x?q=1";
    let simpler = "me:Xq7Zk3-vTn9Lw@127.0.0.1:1";
    let https = "https://me:Xq7Zk3-vTn9Lw@127.0.0.1:1/";
    let bad_port = "http://me:Xq7Zk3-vTn9Lw@127.0.0.1:123456/";
    for arguments in [
        // Values that are none, and values without quotes in a shell.
        &["--header", &no_colon][..],
        &["--header", &no_name],
        &["--header", &control],
        &["--headr", &bearer],
        &[&equals],
        &[&key],
        &["--api-key", CANARY],
        &["--header", "Authorization:", "Bearer", CANARY],
        &["--header", "Authorization:", CANARY, CANARY],
        &["--header", &bearer, "--timeout", "no"],
        &["--header", &bearer, "--no-such-flag"],
        &["--header", &bearer, "--io", "no"],
        &["--header", &bearer, "--header"],
    ] {
        for command in [
            &["run", "workflow", "--host", "127.0.0.1:1"][..],
            &["search", "workflow"],
            &["request", "http://127.0.0.1:1"],
            &["mock"],
            &["scenarios", "check", "workflow"],
        ] {
            let output = place.say(&[command, arguments].concat());
            assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        }
    }
    // A header as other tools take it is taken here too; nothing listens.
    let run = ["run", "workflow", "--host", "127.0.0.1:1", "-H", &bearer];
    let output = place.say(&run);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    for url in [&password[..], simple, simpler, https, bad_port] {
        for arguments in [
            &["run", "--host", url][..],
            &["run", "--get", url],
            &["run", "--url", url, "-X", "PUT"],
            &["run", "--get", url, "--host", "127.0.0.1:1"],
            &["run", "--get", url, "--mock"],
            &["run", "--get", "/x", "--host", url],
            &["run", url],
            &["run", "--scenario", url],
            &["search", "--host", url],
            &["search", "--get", url],
            &["search", url],
            &["request", url],
            &["request", "--json", url],
            &["scenarios", "check", url],
            &["scenarios", "show", url],
            &["mock", "--listen", url],
            &[url],
        ] {
            let output = place.say(arguments);
            assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        }
    }
    // The key itself instead of the name of its variable.
    let quick = ["-t", "100ms", "-u", "1"];
    let output = place.say(&[&["run", "--mock", "--api-key-env", CANARY], &quick[..]].concat());
    assert!(output.status.code().is_some());
    let server = RawServer::start(answer_ok);
    let url = server.url();
    let arguments = ["run", "--host", &url, "--api-key-env", CANARY];
    let output = place.say(&[&arguments[..], &quick].concat());
    assert!(output.status.code().is_some());
    place.say(&["scenarios", "check", "workflow", "--api-key-env", CANARY]);
}

#[test]
fn the_test_would_find_it() {
    for form in forms() {
        let found = std::panic::catch_unwind(|| check_text(&format!("a {form} b"), "a text"));
        assert!(found.is_err(), "{form}");
    }
    check_text("nothing of the kind *** ", "a text");
}
