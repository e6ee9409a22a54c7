//! Fields as their user gives them: what `--header`, `[headers]` and a step's `headers` make of a request, the same in
//! `run` and in `request`; and what `request` shows.

use std::io::Read;
use std::sync::{Arc, Mutex};

use crate::support::binary::{self, check_sums, record_of, run, text};
use crate::support::raw_server::{OK, Peer, RawServer};

/// A server that keeps the requests, and answers each with the same bytes.
fn listening(answer: &'static [u8]) -> (RawServer, Arc<Mutex<Vec<String>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let texts = heard.clone();
    let server = RawServer::start(move |peer: &mut Peer| {
        while let Some(request) = peer.request() {
            texts.lock().expect("no panic").push(request.text);
            if !peer.answer(answer) {
                return;
            }
        }
    });
    (server, heard)
}

fn last(heard: &Mutex<Vec<String>>) -> String {
    heard
        .lock()
        .expect("no panic")
        .last()
        .expect("a request")
        .clone()
}

/// The requests that `run` and `request` send with the same flags.
fn sent_by_both(flags: &[&str]) -> [String; 2] {
    let (server, heard) = listening(OK);
    let url = format!("{}/x", server.url());
    let arguments = [&["--url", &url, "-u", "1", "--iterations", "1"], flags].concat();
    record_of(&arguments, 0);
    let by_run = last(&heard);
    let output = run(&[&["request", &url], flags].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    [by_run, last(&heard)].map(|text| text.replace(&server.address.to_string(), "HOST"))
}

#[test]
fn run_and_request_send_the_same_fields_as_they_were_typed() {
    let [by_run, by_request] = sent_by_both(&[
        "--header",
        "X-Team: a",
        "--header",
        "x-tEAM:b",
        "--header",
        "ACCEPT: text/*",
        "--header",
        "Host: shop.test:81",
        "--header",
        "X-N: <{{random 7..7}}-{{sequence 40}}>",
        "--body",
        "{\"a\": [1]}",
    ]);
    let expected = "POST /x HTTP/1.1\r\nHost: shop.test:81\r\nUser-Agent: opsurge/0.1.0\r\nContent-Type: application/json\r\n\
        X-Team: a\r\nx-tEAM: b\r\nACCEPT: text/*\r\nX-N: <7-40>\r\nContent-Length: 10\r\n\r\n{\"a\": [1]}";
    assert_eq!(by_run, expected);
    assert_eq!(by_request, expected);
    // A body that is not JSON has no content type but the given one.
    let [by_run, by_request] = sent_by_both(&[
        "--body",
        "a=b",
        "--header",
        "content-type: text/x",
        "-X",
        "PUT",
    ]);
    assert_eq!(by_run, by_request);
    assert!(
        by_run.contains("\r\ncontent-type: text/x\r\nContent-Length: 3\r\n"),
        "{by_run}"
    );
    let [by_run, by_request] = sent_by_both(&[]);
    assert_eq!(by_run, by_request);
    assert!(
        by_run.starts_with("GET /x HTTP/1.1\r\nHost: HOST\r\nUser-Agent"),
        "{by_run}"
    );
}

#[test]
fn holes_of_a_header_are_filled_anew_for_each_request() {
    let (server, heard) = listening(OK);
    let url = format!("{}/x", server.url());
    record_of(
        &[
            "--get",
            &url,
            "-u",
            "2",
            "--iterations",
            "20",
            "--header",
            "X-Id: {{uuid}}",
            "--header",
            "X-Who: u{{user}}",
        ],
        0,
    );
    let heard = heard.lock().expect("no panic");
    let field = |name: &str| {
        let lines = heard.iter().flat_map(|text| text.lines());
        let mut values: Vec<String> = lines
            .filter_map(|line| line.strip_prefix(name))
            .map(str::to_owned)
            .collect();
        values.sort();
        values.dedup();
        values
    };
    assert_eq!(field("X-Id: ").len(), 20);
    assert!(
        field("X-Id: ").iter().all(|id| id.len() == 36),
        "{:?}",
        field("X-Id: ")
    );
    assert_eq!(field("X-Who: "), ["u0", "u1"]);
}

#[test]
fn a_step_drops_fields_of_the_command_line_too() {
    let (server, heard) = listening(OK);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("drop.toml");
    let scenario = "name = \"x\"\nwait = \"0\"\n[headers]\nX-Team = \"s\"\n[[start]]\nmethod = \"GET\"\npath = \"/a\"\n\
        [[task]]\nmethod = \"GET\"\npath = \"/b\"\ndrop_headers = [\"X-TEAM\"]\n";
    std::fs::write(&path, scenario).expect("written");
    let path = path.to_str().expect("UTF-8");
    let url = server.url();
    let flags = ["-u", "1", "--iterations", "1", "--header", "x-team: a"];
    record_of(&[&[path, "--host", &url][..], &flags].concat(), 0);
    let heard = heard.lock().expect("no panic");
    let has_field: Vec<bool> = heard
        .iter()
        .map(|text| text.contains("x-team: a"))
        .collect();
    assert_eq!(has_field, [true, false], "{heard:?}");
}

#[test]
fn a_scenario_and_its_steps_may_name_the_host() {
    let (server, heard) = listening(OK);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("host.toml");
    let scenario = "name = \"x\"\nwait = \"0\"\n[headers]\nHost = \"a.test\"\n[[start]]\nmethod = \"GET\"\npath = \"/a\"\n\
        [[task]]\nmethod = \"GET\"\npath = \"/b\"\nheaders = { host = \"b.test\" }\n";
    std::fs::write(&path, scenario).expect("written");
    let path = path.to_str().expect("UTF-8");
    record_of(
        &[
            path,
            "--host",
            &server.url(),
            "-u",
            "1",
            "--iterations",
            "1",
        ],
        0,
    );
    let heard = heard.lock().expect("no panic");
    for (request, host) in heard.iter().zip(["Host: a.test", "host: b.test"]) {
        assert_eq!(
            request.to_ascii_lowercase().matches("\nhost:").count(),
            1,
            "{request}"
        );
        assert!(request.lines().nth(1) == Some(host), "{request}");
    }
}

#[test]
fn fields_that_would_break_the_request_are_refused_with_the_reason() {
    for (header, reason) in [
        ("Content-Length: 7", "opsurge counts it"),
        ("content-length: 7", "opsurge counts it"),
        ("Transfer-Encoding: chunked", "in no transfer coding"),
        ("X: {{nothing}}", "nothing is known of {{nothing}}"),
        ("X: {{uuid", "not closed"),
        ("X: a\u{7}b", "a header cannot have the character"),
        (
            "Connection: {{choice close|keep-alive}}",
            "the same for all requests",
        ),
    ] {
        for command in [&["run", "--get"][..], &["request"]] {
            let output = run(&[command, &["http://127.0.0.1:1/", "--header", header]].concat());
            let printed = text(&output);
            assert_eq!(output.status.code(), Some(2), "{printed}");
            assert!(
                printed.contains(reason) && printed.contains("--header:1:"),
                "{printed}"
            );
        }
    }
    for command in [&["run", "--get"][..], &["request"]] {
        let hosts = [
            "http://127.0.0.1:1/",
            "--header",
            "Host: a",
            "--header",
            "host: b",
        ];
        let output = run(&[command, &hosts].concat());
        assert!(text(&output).contains("one Host"), "{}", text(&output));
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn connection_close_means_a_connection_for_each_request() {
    // The first server keeps its side open, the second closes after its answer as requested.
    for closes in [false, true] {
        let server = RawServer::start(move |peer: &mut Peer| {
            while peer.request().is_some() {
                peer.answer(OK);
                if closes {
                    peer.fin();
                }
            }
        });
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("close.toml");
        let step = "[[task]]\nmethod = \"GET\"\npath = \"/x\"\n";
        let path_text = path.to_str().expect("UTF-8").to_owned();
        let host = server.url();
        let url = format!("{host}/x");
        for io in ["uring", "epoll"] {
            for (of_scenario, of_step, flags) in [
                ("", "", &["--header", "connection: Keep-Alive , Close"][..]),
                ("[headers]\nConnection = \"close\"\n", "", &[]),
                (
                    "",
                    "headers = { Connection = \"close\" }\n",
                    &["--connections", "2", "--pipeline", "4"],
                ),
            ] {
                let text = format!("name = \"x\"\nwait = \"0\"\n{of_scenario}{step}{of_step}");
                std::fs::write(&path, text).expect("written");
                let arguments = [
                    &[
                        &path_text,
                        "--host",
                        &host,
                        "-u",
                        "5",
                        "--iterations",
                        "60",
                        "--io",
                        io,
                    ],
                    flags,
                ]
                .concat();
                let (record, printed) = record_of(&arguments, 0);
                check_sums(&record);
                let totals = &record.totals;
                let counts = (totals.requests, totals.failures, totals.retried);
                assert_eq!(counts, (60, 0, 0), "{printed}");
                assert_eq!(totals.connections_opened, 60, "{io} {flags:?} {printed}");
            }
            let output = run(&["request", "--io", io, &url, "--header", "Connection: close"]);
            assert!(
                text(&output).contains("connection not reusable"),
                "{}",
                text(&output)
            );
        }
    }
}

#[test]
fn the_final_head_is_shown_and_interim_ones_before_it() {
    let (server, _) = listening(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 418 Teapot\r\nX-A: b\r\nContent-Length: 2\r\n\r\nhi");
    let output = run(&["request", &server.url()]);
    let printed = text(&output);
    let expected = "< HTTP/1.1 103 Early Hints\n< Link: </a>\n<\n< HTTP/1.1 102 P\n<\n< HTTP/1.1 418 Teapot\n< X-A: b\n< Content-Length: 2\n\nhi\n";
    assert!(printed.contains(expected), "{printed}");
    // So many that the final head comes long after the part that is shown.
    let server = RawServer::start(|peer: &mut Peer| {
        while peer.request().is_some() {
            let filler = "x".repeat(200);
            peer.send(
                format!("HTTP/1.1 100 Continue\r\nX: {filler}\r\n\r\n")
                    .repeat(1_000)
                    .as_bytes(),
            );
            peer.send(OK);
        }
    });
    let output = run(&["request", &server.url()]);
    let printed = text(&output);
    assert_eq!(printed.matches("< HTTP/1.1 100").count(), 8, "{printed}");
    assert!(
        printed.contains("… and 992 more interim answers (1xx)\n< HTTP/1.1 200 OK\n"),
        "{printed}"
    );
}

#[test]
fn a_body_that_is_no_text_is_named_instead_of_shown() {
    let gzip = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x07\x9b";
    let (server, _) = listening(gzip);
    let printed = text(&run(&["request", &server.url()]));
    let expected = "12 bytes of gzip, not shown; begins with 1f 8b 08 00 00 00 00 00\n";
    assert!(printed.contains(expected), "{printed}");
    let (server, _) = listening(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 4\r\n\r\n\x0b\x01\x80\xff",
    );
    let printed = text(&run(&["request", &server.url()]));
    assert!(
        printed.contains("4 bytes of br (Content-Encoding), not shown"),
        "{printed}"
    );
}

#[test]
fn nothing_that_a_server_sends_is_obeyed_by_a_terminal() {
    let wild = b"HTTP/1.1 200 O\xc2\x9bK\r\nX-A: \xc2\x9bb\r\nContent-Length: 32\r\n\r\nline\r\n\x1b]0;title\x07 \xc2\x9b2J\xe2\x80\xaetab\tend\n";
    assert_eq!(
        wild.len()
            - wild
                .windows(4)
                .position(|it| it == b"\r\n\r\n")
                .expect("a head")
            - 4,
        32
    );
    let (server, _) = listening(wild);
    let pty = nix::pty::openpty(None, None).expect("a terminal");
    let mut child = binary::opsurge(&["request", &server.url()])
        .stdout(std::process::Stdio::from(pty.slave))
        .spawn()
        .expect("the binary starts");
    let mut shown = Vec::new();
    // Reading ends with an error when the last writer has closed.
    let _ = std::fs::File::from(pty.master).read_to_end(&mut shown);
    assert!(child.wait().expect("it ends").success());
    let shown = String::from_utf8(shown).expect("UTF-8");
    let is_obeyed = |c: char| c.is_control() && !"\r\n\t".contains(c) || c == '\u{202e}';
    assert!(!shown.contains(is_obeyed), "{shown:?}");
    assert!(shown.contains(r"line\r"), "{shown:?}");
    assert!(
        shown.contains(r"\u{1b}]0;title\u{7} \u{9b}2J\u{202e}tab") && shown.contains("tab\tend"),
        "{shown:?}"
    );
}

/// Output of a run of one step whose requests all get this answer.
fn printed_by(answer: &'static [u8], of_step: &str, flags: &[&str]) -> String {
    let (server, _) = listening(answer);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("hints.toml");
    let scenario = format!(
        "name = \"x\"\nwait = \"0\"\napi_key_default = \"test-api-key\"\n[[task]]\nmethod = \"POST\"\npath = \"/x\"\n{of_step}"
    );
    std::fs::write(&path, scenario).expect("written");
    let path = path.to_str().expect("UTF-8");
    let url = server.url();
    let arguments = [
        &[path, "--host", &url, "-u", "1", "--iterations", "2"],
        flags,
    ]
    .concat();
    let (_, printed) = record_of(&arguments, 1);
    printed.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_hint_speaks_of_what_the_step_really_sends() {
    const UNAUTHORIZED: &[u8] = b"HTTP/1.1 401 U\r\nContent-Length: 0\r\n\r\n";
    const UNSUPPORTED: &[u8] = b"HTTP/1.1 415 U\r\nContent-Length: 0\r\n\r\n";
    const FOUND: &[u8] = b"HTTP/1.1 302 F\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n";
    let key = "headers = { X-Key = \"{{api_key}}\" }\n";
    let by_variable = "headers = { X-Key = \"<{{both}}>\" }\n[variables]\nkey = \"k-{{api_key}}\"\nboth = \"{{key}}\"\n";
    for of_step in [key, by_variable] {
        let printed = printed_by(UNAUTHORIZED, of_step, &["--api-key-env", "NO_SUCH_KEY"]);
        assert!(
            printed.contains("the API key was refused: set NO_SUCH_KEY"),
            "{printed}"
        );
    }
    for (answer, of_step, part) in [
        (UNAUTHORIZED, "", "the step sends none"),
        (
            UNAUTHORIZED,
            "headers = { Cookie = \"s=abcd\" }\n",
            "check Cookie, which the step sends",
        ),
        (
            UNAUTHORIZED,
            "query = { api_key = \"abcd\" }\n",
            "in the path or query were refused",
        ),
        (
            UNSUPPORTED,
            "json = { a = 1 }\n",
            "the step sends Content-Type: application/json",
        ),
        (
            UNSUPPORTED,
            "text = \"a\"\n",
            "the step sends no Content-Type",
        ),
        (FOUND, "", "redirects are not followed"),
    ] {
        let printed = printed_by(answer, of_step, &[]);
        assert!(
            printed.contains(part) && !printed.contains("OPSCORE"),
            "{printed}"
        );
    }
}

#[test]
fn a_failed_expectation_says_what_was_expected_and_gzip_is_named() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"state\":\"busy\"}";
    let printed = printed_by(
        answer,
        "expect = { json = { \"/state\" = \"idle\" } }\n",
        &[],
    );
    let expected = "FAILED: 2 of 2 POST /x: expected \"idle\" at /state, found \"busy\" (100 %)";
    assert!(printed.contains(expected), "{printed}");
    assert!(
        printed.contains(
            "for example: 200 expected \"idle\" at /state, found \"busy\": {\"state\":\"busy\"}"
        ),
        "{printed}"
    );
    let printed = printed_by(answer, "expect = { status = [201] }\n", &[]);
    let expected = "FAILED: 2 of 2 POST /x answered 200 (expected status 201) (100 %)";
    assert!(printed.contains(expected), "{printed}");
    let gzip =
        b"HTTP/1.1 500 E\r\nContent-Length: 10\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03";
    let printed = printed_by(gzip, "", &[]);
    assert!(
        printed.contains("10 bytes of gzip, not shown; begins with 1f 8b 08"),
        "{printed}"
    );
}
