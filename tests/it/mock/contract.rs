//! The stand-in answers as Ops-Core does: compared with recorded exchanges (`../shared/opscore/recorded`) and with its
//! contract.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use opsurge::mock::{Compression, Mock, MockConfig, Ready, Runtime};
use serde_json::Value;

const AGENT: &str = "workflow-agent-0f5e4f0e-2a53-4a0e-9d0f-6d2b8c9a1e77";
const RUNTIMES: [Runtime; 2] = [Runtime::Auto, Runtime::Tokio];

fn start(runtime: Runtime, ready: Ready, published_500: bool) -> Mock {
    let config = MockConfig {
        ready,
        published_500,
        runtime,
        ..MockConfig::default()
    };
    Mock::start(&config).expect("loopback has a free port")
}

/// An answer, parsed by the test's own code.
#[derive(Debug)]
struct Answer {
    status: u16,
    fields: Vec<String>,
    body: String,
}

fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a head arrives");
        bytes.push(byte[0]);
    }
    let mut answer = take_apart(&String::from_utf8(bytes).expect("the head is text"));
    let mut body = vec![0; length_of(&answer)];
    stream.read_exact(&mut body).expect("a body arrives");
    answer.body = String::from_utf8(body).expect("the body is text");
    answer
}

fn take_apart(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").expect("the answer has a head");
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .expect("the head has a status line");
    Answer {
        status: status.parse().expect("the status is a number"),
        fields: lines.map(str::to_owned).collect(),
        body: body.to_owned(),
    }
}

fn length_of(answer: &Answer) -> usize {
    let length = answer
        .fields
        .iter()
        .find_map(|field| field.strip_prefix("content-length: "));
    length
        .expect("the head has a length")
        .parse()
        .expect("the length is a number")
}

fn exchange(mock: &Mock, request: &str) -> Answer {
    let mut stream = TcpStream::connect(mock.address()).expect("the stand-in listens");
    stream
        .write_all(request.as_bytes())
        .expect("the stand-in reads");
    read_answer(&mut stream)
}

fn request(method: &str, path: &str, key: Option<&str>, body: &str) -> String {
    let key = key.map_or(String::new(), |key| {
        format!("Authorization: Bearer {key}\r\n")
    });
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{key}Content-Length: {length}\r\n\r\n{body}")
}

fn registration(id: &str) -> String {
    let body = format!(
        r#"{{"event_type":"REGISTER","agent_details":{{"agentId":"{id}","agentName":"n","version":"1.0","capabilities":["a"],"contactEndpoint":"http://x/run"}}}}"#
    );
    request("POST", "/v1/opscore/internal/agent/notify", None, &body)
}

fn state(id: &str) -> String {
    request(
        "GET",
        &format!("/v1/opscore/agent/{id}/state"),
        Some("test-api-key"),
        "",
    )
}

/// Asserts the same keys in the same order, the same types and the same texts, except for ids and times.
fn same_shape(found: &Value, recorded: &Value, place: &str) {
    match (found, recorded) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = |object: &serde_json::Map<String, Value>| {
                object.keys().cloned().collect::<Vec<_>>()
            };
            assert_eq!(keys(a), keys(b), "{place}");
            for (key, value) in a {
                same_shape(value, &b[key], &format!("{place}.{key}"));
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{place}");
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                same_shape(a, b, &format!("{place}[{index}]"));
            }
        }
        (Value::String(a), Value::String(b))
            if place.ends_with("timestamp") || place.ends_with("sessionId") =>
        {
            assert_eq!(a.len(), b.len(), "{place}: {a} {b}");
        }
        _ => assert_eq!(found, recorded, "{place}"),
    }
}

#[test]
fn recorded_exchanges_are_repeated_in_status_fields_and_body() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/opscore/recorded");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("SKIPPED: there is no {}", folder.display());
        return;
    };
    let mut compared = 0;
    for path in entries.map(|entry| entry.expect("the folder can be read").path()) {
        let Some(name) = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".request"))
        else {
            continue;
        };
        let sent = std::fs::read_to_string(&path).expect("the request is text");
        let recorded =
            std::fs::read_to_string(path.with_extension("response")).expect("the response is text");
        let recorded = take_apart(&recorded);
        for runtime in RUNTIMES {
            let mock = start(
                runtime,
                Ready::AfterPolls(0),
                name == "workflow-server-error",
            );
            if name != "register-ok" {
                exchange(&mock, &registration(AGENT));
            }
            let found = exchange(&mock, &sent);
            assert_eq!(found.status, recorded.status, "{name}");
            let names = |answer: &Answer| {
                let fields = answer
                    .fields
                    .iter()
                    .map(|field| field.split(':').next().map(str::to_owned));
                fields.collect::<Vec<_>>()
            };
            assert_eq!(names(&found), names(&recorded), "{name}");
            let json = |text: &str| serde_json::from_str::<Value>(text).expect("the body is JSON");
            same_shape(&json(&found.body), &json(&recorded.body), name);
            compared += 1;
        }
    }
    assert_eq!(compared, 2 * 19, "all recorded exchanges were compared");
}

#[test]
fn an_agent_is_ready_after_the_configured_number_of_polls() {
    for runtime in RUNTIMES {
        let mock = start(runtime, Ready::AfterPolls(3), false);
        assert_eq!(exchange(&mock, &registration("a")).status, 200);
        let polls: Vec<(u16, bool)> = (0..5)
            .map(|_| exchange(&mock, &state("a")))
            .map(|answer| (answer.status, answer.body == "null"))
            .collect();
        assert_eq!(
            polls,
            [
                (404, false),
                (404, false),
                (200, true),
                (200, false),
                (200, false)
            ]
        );
    }
}

#[test]
fn checks_come_in_ops_cores_order() {
    let mock = start(Runtime::Auto, Ready::AfterPolls(0), false);
    let check = |method, path, key, body, status, detail: &str| {
        let answer = exchange(&mock, &request(method, path, key, body));
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.contains(detail), "{answer:?}");
    };
    let key = Some("test-api-key");
    let work = "/v1/opscore/agent/ghost/workflow";
    check(
        "POST",
        work,
        None,
        "{}",
        401,
        "Authorization header missing",
    );
    check(
        "POST",
        work,
        Some("nope"),
        "{}",
        401,
        "Invalid authentication credentials",
    );
    check("POST", work, key, "{}", 422, "Either workflowDefinitionId");
    check(
        "POST",
        work,
        key,
        "{\"workflowDefinitionId\":\"x\"}",
        404,
        "Agent not found: ghost",
    );
    check("POST", work, key, "not json", 422, "json_invalid");
    check("GET", work, key, "", 405, "Method Not Allowed");
    check("GET", "/nowhere", None, "", 404, "Not Found");
    check(
        "POST",
        "/v1/opscore/agent/ghost/state",
        key,
        "{}",
        422,
        "agentId",
    );
}

#[test]
fn requests_in_one_piece_are_answered_in_order_and_counted() {
    for runtime in RUNTIMES {
        let mock = start(runtime, Ready::AfterPolls(1), false);
        let mut stream = TcpStream::connect(mock.address()).expect("the stand-in listens");
        let all = [registration("a"), state("a"), state("b"), state("a")].concat();
        stream
            .write_all(all.as_bytes())
            .expect("the stand-in reads");
        let statuses = [(); 4].map(|()| read_answer(&mut stream).status);
        assert_eq!(statuses, [200, 200, 404, 200]);
        stream
            .write_all(b"HEAD /health HTTP/1.1\r\nConnection: close\r\n\r\n")
            .expect("the stand-in reads");
        let mut rest = String::new();
        stream
            .read_to_string(&mut rest)
            .expect("the stand-in closes");
        let head = take_apart(&rest);
        assert_eq!(
            (head.status, length_of(&head), head.body.as_str()),
            (200, 15, "")
        );
        let counts = mock.stop();
        assert_eq!((counts.connections, counts.agents), (1, 1));
        let polls = ("GET", "/v1/opscore/agent/[id]/state");
        assert_eq!(counts.answers[&(polls.0, polls.1, 200)], 2);
        assert_eq!(counts.answers[&(polls.0, polls.1, 404)], 1);
        assert_eq!(counts.requests(polls.0, polls.1), 3);
    }
}

#[test]
fn bodies_are_compressed_where_that_was_asked_for() {
    type Decode = fn(&[u8]) -> Box<dyn Read + '_>;
    let codings: [(Compression, &str, Decode); 2] = [
        (Compression::Gzip, "gzip", |bytes| {
            Box::new(flate2::read::GzDecoder::new(bytes))
        }),
        (Compression::Deflate, "deflate", |bytes| {
            Box::new(flate2::read::ZlibDecoder::new(bytes))
        }),
    ];
    for (compression, name, decode) in codings {
        let config = MockConfig {
            compression: Some(compression),
            ..MockConfig::default()
        };
        let mock = Mock::start(&config).expect("loopback has a free port");
        let mut stream = TcpStream::connect(mock.address()).expect("the stand-in listens");
        let request = "GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("it answers");
        let head = bytes.windows(4).position(|it| it == b"\r\n\r\n");
        let (head, body) = bytes.split_at(head.expect("a head") + 4);
        let head = String::from_utf8_lossy(head);
        assert!(
            head.contains(&format!("content-encoding: {name}\r\n")),
            "{head}"
        );
        assert!(
            head.contains(&format!("content-length: {}\r\n", body.len())),
            "{head}"
        );
        let mut text = String::new();
        decode(body).read_to_string(&mut text).expect(name);
        assert_eq!(text, "{\"status\":\"ok\"}");
    }
}

#[test]
fn stopping_ends_open_connections_and_all_threads() {
    for runtime in RUNTIMES {
        let config = MockConfig {
            cores: vec![Some(0); 3],
            runtime,
            ..MockConfig::default()
        };
        let mock = Mock::start(&config).expect("loopback has a free port");
        let mut streams: Vec<TcpStream> = (0..6)
            .map(|_| TcpStream::connect(mock.address()).expect("the stand-in listens"))
            .collect();
        for stream in &mut streams {
            stream
                .write_all(registration("a").as_bytes())
                .expect("the stand-in reads");
            assert_eq!(read_answer(stream).status, 200);
        }
        let address = mock.address();
        assert_eq!(mock.stop().connections, 6);
        for stream in &mut streams {
            assert_eq!(stream.read(&mut [0]).expect("a FIN is no error"), 0);
        }
        assert!(TcpStream::connect(address).is_err());
    }
}
