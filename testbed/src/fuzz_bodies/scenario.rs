//! Scenario texts: every error has a place, and a text that is accepted renders requests that are valid HTTP.

use opsurge::scenario::builtin::{BUILTIN, FORMAT};
use opsurge::scenario::format::compile::{Context, compile};

/// A scenario with features that the built-in ones do not use.
const RICH: &str = r#"
name = "shop"
wait = "exponential 1s"
csv = { file = "users.csv", order = "random" }
[variables]
who = "{{csv.mail}}-{{random 1..9}}"
[[start]]
method = "POST"
path = "/login"
json = '{"mail": "{{who}}", "n": {{csv.n}}, "at": "{{now}}"}'
extract = { token = { json = "/a/t", max = 40 } }
timeout = "5s"
begins = "order"
[[task]]
weight = 3
[[task.step]]
method = "PUT"
path = "/cart/{{token}}"
query = { q = "{{who}}", c = "{{choice a|b}}" }
expect = { status = [200], json = { "/ok" = true }, exists = ["/id"], headers = ["X-Id"] }
[[task.step]]
method = "POST"
path = "/order"
form = { a = "{{uuid}}", s = "{{sequence 5}}" }
ends = "order"
[[stop]]
method = "DELETE"
path = "/{{token}}"
[load]
stages = ["10:0s", "20:1m"]
"#;

/// Input: the text of a scenario.
pub fn scenario(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let context = Context {
        api_key: Some("the-key".into()),
        env: &|name| (name == "TEAM").then(|| "load".to_owned()),
        read: &|name| match name {
            "users.csv" => Ok(b"mail,n\nann@example.test,1\n\"bob \"\"b\"\"\",22\n"
                .to_vec()
                .into()),
            "body.json" => Ok(b"{\"from\":\"a file\"}".to_vec().into()),
            _ => Err("No such file or directory".into()),
        },
        ..Context::plain()
    };
    match compile("my.toml", text, &context) {
        Ok(scenario) => {
            let scenario = scenario.bind("localhost:8000", "/base");
            let rendered_bytes_max = scenario.rendered_bytes_max();
            let shared = scenario.shared();
            let shared_bytes: usize = shared.iter().map(|shared| shared.len()).sum();
            let bytes_max = rendered_bytes_max + shared_bytes;
            for index in 0..scenario.steps.len() {
                let request = scenario.first_request(index as u16, 3, 7, 1_700_000_000_000_000_000);
                assert!(request.len() <= bytes_max);
                check_request(&request);
            }
        }
        Err(error) => {
            let lines: Vec<&str> = text.split('\n').collect();
            assert!((1..=lines.len()).contains(&error.line), "{error}");
            let columns = 1..=lines[error.line - 1].chars().count() + 1;
            assert!(columns.contains(&error.column), "{error}");
            assert!(!error.reason.is_empty(), "{error}");
            assert!(!error.reason.contains('\n'), "{error}");
        }
    }
}

/// Checks a request against RFC 9112, with a parser of its own.
fn check_request(request: &[u8]) {
    let shown = request.escape_ascii();
    let end = request.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no end of the head: {shown}"));
    let (head, body) = (&request[..end], &request[end + 4..]);
    let mut lines = Vec::new();
    let mut rest = head;
    while let Some(at) = rest.windows(2).position(|two| two == b"\r\n") {
        lines.push(&rest[..at]);
        rest = &rest[at + 2..];
    }
    lines.push(rest);
    for line in &lines {
        let is_text = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
        assert!(line.iter().all(is_text), "a control character: {shown}");
    }
    let words: Vec<&[u8]> = lines[0].split(|&byte| byte == b' ').collect();
    let [method, target, version] = words[..] else {
        panic!("not three words: {shown}");
    };
    assert!(
        !method.is_empty() && method.iter().all(u8::is_ascii_uppercase),
        "{shown}"
    );
    // The place of a value that a path begins with is shown in angle brackets; the value itself is checked when it is known.
    assert!(
        target.starts_with(b"/") || target.starts_with(b"<"),
        "{shown}"
    );
    assert!(target.iter().all(u8::is_ascii_graphic), "{shown}");
    assert_eq!(version, b"HTTP/1.1", "{shown}");
    let (mut hosts, mut lengths) = (0, Vec::new());
    for line in &lines[1..] {
        let colon = line.iter().position(|&byte| byte == b':');
        let colon = colon.unwrap_or_else(|| panic!("a field without a colon: {shown}"));
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let is_token =
            |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        assert!(!name.is_empty() && name.iter().all(is_token), "{shown}");
        match &name.to_ascii_lowercase()[..] {
            b"host" => hosts += 1,
            b"content-length" => lengths.push(value),
            b"transfer-encoding" => panic!("two framings: {shown}"),
            _ => {}
        }
    }
    assert_eq!(hosts, 1, "{shown}");
    let expected = body.len().to_string();
    match lengths[..] {
        [] => assert!(body.is_empty(), "a body without a length: {shown}"),
        [length] => assert_eq!(length, expected.as_bytes(), "{shown}"),
        _ => panic!("two lengths: {shown}"),
    }
}

pub fn examples() -> Vec<Vec<u8>> {
    let texts = BUILTIN.map(|builtin| builtin.text);
    let texts = texts.into_iter().chain([FORMAT, RICH]);
    texts.map(|text| text.as_bytes().to_vec()).collect()
}
