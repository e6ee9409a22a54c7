//! Setup and teardown: carried out once, their values in every request, their requests in no figure of the load.

use std::path::PathBuf;
use std::process::Stdio;

use nix::sys::signal::Signal;
use opsurge::record::schema::Record;

use crate::support::binary::{check_sums, opsurge, record_of, run, text, wait_until};
use crate::support::raw_server::{OK, Peer, RawServer};

const SCENARIO: &str = r#"
name = "shared"

[variables]
label = "{{setup.token}} of {{user}}"

[headers]
Authorization = "Bearer {{setup.token}}"
X-Label = "{{label}}"

[[setup]]
method = "POST"
path = "/session"
drop_headers = ["Authorization", "X-Label"]
extract = { token = { json = "/token" } }

[[setup]]
method = "POST"
path = "/orders/of/{{token}}"
drop_headers = ["Authorization", "X-Label"]
extract = { order = { json = "/id" } }

[[task]]
method = "PUT"
path = "/orders/{{setup.order}}"
json = { by = "{{setup.token}}" }

[[teardown]]
method = "DELETE"
path = "/orders/{{setup.order}}"
"#;

/// Keeps every request as it came; the session has this status.
fn service(session: u16, teardown: u16) -> RawServer {
    RawServer::start(move |peer: &mut Peer| {
        while let Some(request) = peer.request() {
            let body = match &request.text {
                text if text.starts_with("POST /session") => "{\"token\":\"tok-4711\"}",
                text if text.starts_with("POST /orders") => "{\"id\":\"o 1\"}",
                _ => "",
            };
            let status = match &request.text {
                text if text.starts_with("POST /session") => session,
                text if text.starts_with("DELETE") => teardown,
                _ => 200,
            };
            let is_load = request.text.starts_with("PUT");
            let is_right = request.text.contains("Bearer tok-4711\r\n")
                && request.text.contains("X-Label: tok-4711 of ")
                && request.text.contains("{\"by\":\"tok-4711\"}");
            assert!(!is_load || is_right, "{}", request.text);
            let answer = format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let bytes = match is_load {
                true => OK,
                false => answer.as_bytes(),
            };
            if !peer.answer(bytes) {
                return;
            }
        }
    })
}

fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shared.toml");
    std::fs::write(&path, SCENARIO).expect("it can be written");
    (folder, path)
}

fn lines(server: &RawServer) -> Vec<String> {
    server.seen.lines.lock().expect("no panic").clone()
}

#[test]
fn a_setup_gives_all_users_its_values_and_counts_in_no_figure() {
    let server = service(200, 204);
    let (_folder, path) = file();
    let url = server.url();
    let path = path.to_str().expect("UTF-8");
    let (record, printed) = record_of(
        &[
            path,
            "-H",
            &url,
            "-u",
            "3",
            "--iterations",
            "12",
            "--shards",
            "2",
        ],
        0,
    );
    check_sums(&record);
    let seen = lines(&server);
    assert_eq!(
        seen[..2],
        [
            "POST /session HTTP/1.1",
            "POST /orders/of/tok-4711 HTTP/1.1"
        ]
    );
    assert_eq!(seen[14..], ["DELETE /orders/o%201 HTTP/1.1"]);
    assert!(
        seen[2..14]
            .iter()
            .all(|line| line == "PUT /orders/o%201 HTTP/1.1")
    );
    assert_eq!((record.totals.requests, record.steps.len()), (12, 1));
    let (setup, teardown) = (
        record.setup.expect("it ran"),
        record.teardown.expect("it ran"),
    );
    assert_eq!((setup.requests, setup.failures), (2, 0));
    assert_eq!(teardown.steps[0].statuses["204"], 1);
    assert!(printed.contains("Setup: 2 requests in "), "{printed}");
    assert!(printed.contains("Teardown: 1 request in "), "{printed}");
}

#[test]
fn a_failed_setup_ends_the_run_with_nothing_measured() {
    let server = service(403, 204);
    let (folder, path) = file();
    let json = folder.path().join("r.json");
    let output = run(&[
        "run",
        path.to_str().expect("UTF-8"),
        "-H",
        &server.url(),
        "-u",
        "1",
        "-t",
        "1s",
        "--json",
        json.to_str().expect("UTF-8"),
    ]);
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(3), "{printed}");
    let reason = "the setup failed, and nothing was measured: POST /session: status: 403";
    assert!(printed.contains(reason), "{printed}");
    // Neither the rest of the setup, nor users, nor the teardown.
    assert_eq!(lines(&server).len(), 1);
    assert!(!json.exists());
}

#[test]
fn a_failed_teardown_fails_the_run_and_says_so() {
    let server = service(200, 500);
    let (_folder, path) = file();
    let path = path.to_str().expect("UTF-8");
    let url = server.url();
    let (record, printed) = record_of(&[path, "-H", &url, "-u", "1", "--iterations", "1"], 1);
    assert_eq!((record.totals.failures, record.passed), (0, false));
    assert_eq!(record.reasons, ["1 of 1 request of the teardown failed"]);
    let printed: Vec<&str> = printed.split_whitespace().collect();
    let printed = printed.join(" ");
    assert!(
        printed.contains("; failed: DELETE /orders/{{setup.order}} (status: 500"),
        "{printed}"
    );
}

#[test]
fn a_teardown_runs_after_an_interruption_too() {
    let server = service(200, 204);
    let (folder, path) = file();
    let json = folder.path().join("r.json");
    let mut child = opsurge(&["run", path.to_str().expect("UTF-8"), "-H", &server.url()])
        .args(["-u", "1", "--wait", "5ms", "--json"])
        .arg(&json)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    wait_until("requests", || server.requests() > 5);
    child.signal(Signal::SIGINT);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let record = Record::parse(&std::fs::read_to_string(&json).expect("it was written"));
    let record = record.expect("it is a record");
    assert_eq!(record.teardown.expect("it ran").requests, 1);
    let seen = lines(&server);
    assert_eq!(
        seen.last().expect("requests"),
        "DELETE /orders/o%201 HTTP/1.1"
    );
}

#[test]
fn a_check_shows_what_is_done_once() {
    let (_folder, path) = file();
    let output = run(&["scenarios", "check", path.to_str().expect("UTF-8")]);
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    for shown in [
        "setup, once",
        "teardown, once",
        "PUT /orders/setup.order HTTP/1.1",
    ] {
        assert!(printed.contains(shown), "{printed}");
    }
}
