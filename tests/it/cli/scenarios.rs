//! Scenarios on the real binary over loopback: the five built-in ones, one URL, files.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use crate::support::binary::{self, check_sums, record_of, run, statuses, text};
use crate::support::raw_server::{self, RawServer};

#[test]
fn each_built_in_scenario_runs_against_the_stand_in_which_confirms_every_count() {
    for (name, steps) in [
        ("minimal", 2),
        ("state-updates", 3),
        ("workflow", 3),
        ("mixed", 4),
        ("stress", 4),
    ] {
        let arguments = [
            name,
            "--mock",
            "-u",
            "8",
            "-r",
            "100",
            "--wait",
            "10ms..20ms",
            "--pause",
            "0",
            "-t",
            "1500ms",
            "--mock-ready-after",
            "0",
        ];
        let (record, printed) = record_of(&arguments, 0);
        check_sums(&record);
        assert_eq!(
            (record.run.scenario.as_str(), record.steps.len()),
            (name, steps)
        );
        assert_eq!(record.steps[0].statuses["200"], 8, "{printed}");
        assert!(
            record.steps.iter().all(|step| step.requests > 0),
            "{printed}"
        );
        let stand_in = record.stand_in.as_ref().expect("it had one");
        assert!(
            stand_in.agrees,
            "{:?} {:?}",
            stand_in.answers,
            statuses(&record)
        );
    }
}

#[test]
fn stages_bring_users_and_take_them_away() {
    let arguments = [
        "minimal", "--mock", "--wait", "5ms", "--stage", "20:0s", "--stage", "20:2s", "--stage",
        "4:1s", "--stage", "4:1s",
    ];
    let (record, printed) = record_of(&arguments, 0);
    check_sums(&record);
    let of_load = record.series.iter().filter(|sample| !sample.is_drain);
    let users: Vec<u64> = of_load.map(|sample| sample.users).collect();
    assert_eq!(
        (users[1], *users.last().expect("samples")),
        (20, 4),
        "{users:?} {printed}"
    );
    assert_eq!(record.run.users, 20);
    assert!((3.5..5.0).contains(&record.totals.duration_s), "{printed}");
    assert_eq!(record.run.load.stages.len(), 4);
    assert!(
        printed.contains("stages 20:0s 20:2s 4:1s 4:1s"),
        "{printed}"
    );
}

#[test]
fn one_url_needs_no_scenario() {
    let arguments = ["--mock", "--get", "/health", "--iterations", "500"];
    let (record, printed) = record_of(&arguments, 0);
    assert_eq!(record.totals.requests, 500, "{printed}");
    assert_eq!(record.steps[0].name, "/health");
    assert_eq!(
        (record.steps[0].method.as_str(), record.run.users),
        ("GET", 10)
    );
    let body = "{\"event_type\":\"HELLO\",\"n\":{{random 1..9}}}";
    let arguments = [
        "--mock",
        "--url",
        "/v1/opscore/internal/agent/notify?a=b",
        "--body",
        body,
        "--iterations",
        "20",
    ];
    let (record, printed) = record_of(&arguments, 1);
    assert_eq!(record.steps[0].method, "POST");
    assert!(
        record.steps[0]
            .statuses
            .keys()
            .all(|status| ["400", "422"].contains(&status.as_str())),
        "{printed}"
    );
}

/// Runs with a scenario of this text in a temporary folder, and a CSV file beside it.
fn with_file(scenario: &str, arguments: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, scenario).expect("it can be written");
    std::fs::write(folder.path().join("users.csv"), "id\nann\nbob\n").expect("it can be written");
    let path = path.to_str().expect("UTF-8");
    let arguments: Vec<&str> = arguments
        .iter()
        .map(|argument| if *argument == "FILE" { path } else { argument })
        .collect();
    let output = run(&arguments);
    (output.status.code().unwrap_or(-1), text(&output))
}

const MINE: &str = r#"
name = "mine"
about = "Register, remember what the server said, ask for it"
wait = "1s..3s"
[csv]
file = "users.csv"
[variables]
id = "{{csv.id}}-{{user}}"
[headers]
Authorization = "Bearer {{env.OPSURGE_TEST_KEY}}"
[[start]]
method = "POST"
path = "/v1/opscore/internal/agent/notify"
json = { event_type = "REGISTER", agent_details = { agentId = "{{id}}", agentName = "x", version = "1", capabilities = [], contactEndpoint = "http://x.test", metadata = {} } }
extract = { said = { json = "/status" } }
begins = "registered and seen"
[[task]]
weight = 3
method = "GET"
path = "/health"
query = { after = "{{said}}" }
expect = { json = { "/status" = "ok" } }
ends = "registered and seen"
[[task]]
name = "two at once"
[[task.step]]
method = "GET"
path = "/health"
name = "the same"
[[task.step]]
method = "GET"
path = "/health"
name = "the same"
"#;

#[test]
fn check_shows_what_will_be_sent_and_no_secret() {
    // The variable is set for the child process only.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, MINE).expect("it can be written");
    std::fs::write(folder.path().join("users.csv"), "id\nann\n").expect("it can be written");
    let output = binary::opsurge(&["scenarios", "check", path.to_str().expect("UTF-8")])
        .env("OPSURGE_TEST_KEY", "s3cret-canary")
        .output()
        .expect("the binary starts");
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(!printed.contains("canary"), "{printed}");
    for part in [
        "mine: valid. Register, remember",
        "== start: POST /v1/opscore/internal/agent/notify",
        "Authorization: Bearer ***",
        "\"agentId\":\"ann-0\"",
        "== task 75 %: GET /health",
        "GET /health?after=<said> HTTP/1.1",
        "== task \"two at once\" 25 %, step 1 of 2: GET the same",
        "== task \"two at once\" 25 %, step 2 of 2: GET the same",
        "wait between tasks: 1s..3s",
        "share        10 users       100 users     1,000 users",
        "GET /health                                  60 %           3.8/s          37.5/s         375.0/s",
        "GET the same                                 40 %           2.5/s          25.0/s         250.0/s",
        "all                                                         6.2/s          62.5/s         625.0/s",
        "measured as a whole: registered and seen",
    ] {
        assert!(printed.contains(part), "{part} is not in: {printed}");
    }
}

#[test]
fn a_scenario_of_ones_own_runs_and_its_errors_have_a_place() {
    let no_key = MINE.replace(
        "[headers]\nAuthorization = \"Bearer {{env.OPSURGE_TEST_KEY}}\"\n",
        "",
    );
    let (code, printed) = with_file(
        &no_key,
        &[
            "run", "FILE", "--mock", "-u", "4", "--wait", "5ms", "-t", "1s",
        ],
    );
    assert_eq!(code, 0, "{printed}");
    assert!(
        printed.contains("SPAN: registered and seen: 4 begun, 4 done"),
        "{printed}"
    );
    let (code, printed) = with_file(MINE, &["run", "FILE", "--mock", "-u", "4", "-t", "1s"]);
    assert_eq!(code, 2, "{printed}");
    assert!(
        printed.contains("mine.toml:10:25: the environment variable OPSURGE_TEST_KEY is not set"),
        "{printed}"
    );
    let wrong = no_key.replace("weight = 3", "wieght = 3");
    for arguments in [
        &["scenarios", "check", "FILE"][..],
        &["run", "FILE", "--mock", "-t", "1s"],
    ] {
        let (code, printed) = with_file(&wrong, arguments);
        assert_eq!(code, 2, "{printed}");
        assert!(
            printed.contains("unknown key \"wieght\"; did you mean \"weight\"?"),
            "{printed}"
        );
    }
}

#[test]
fn stop_steps_are_done_at_the_end_whatever_brings_it() {
    let no_key = MINE.replace(
        "[headers]\nAuthorization = \"Bearer {{env.OPSURGE_TEST_KEY}}\"\n",
        "",
    );
    let with_stop =
        format!("{no_key}[[stop]]\nmethod = \"GET\"\npath = \"/health\"\nname = \"goodbye\"\n");
    for (bound, ended_by) in [
        (["-t", "1s"], "time"),
        (["--iterations", "40"], "iterations"),
    ] {
        let mut arguments = vec!["run", "FILE", "--mock", "-u", "4", "--wait", "5ms"];
        arguments.extend(["--report", "full"]);
        arguments.extend(bound);
        let (code, printed) = with_file(&with_stop, &arguments);
        assert_eq!(code, 0, "{printed}");
        assert!(
            printed.contains(&format!("ended by {ended_by}")),
            "{printed}"
        );
        let goodbyes = printed.lines().find(|line| line.starts_with("GET goodbye"));
        let count = goodbyes.and_then(|line| line.split_whitespace().nth(2));
        assert_eq!(count, Some("4"), "{printed}");
    }
}

#[test]
fn flags_that_contradict_each_other_are_refused_with_a_remedy() {
    for (arguments, part) in [
        (&["--get", "/health"][..], "names no host"),
        (
            &["--get", "http://x/", "--host", "http://y"],
            "names a host, and so does",
        ),
        (&["--mock", "--stage", "10"], "no colon"),
        (&["--mock", "--stage", "10:0s"], "last 0 s in all"),
        (&["--mock", "--stage", "0:5s"], "no stage has users"),
        (
            &["--mock", "--stage", "5:5s", "-u", "5"],
            "leave --users and --spawn-rate out",
        ),
        (
            &["--mock", "--stage", "5:5s", "--iterations", "5"],
            "bound the run by --run-time",
        ),
        (&["--mock", "--rate"], "--rate needs a number"),
        (&["--mock", "--rate", "0"], "above 0"),
        (&["--mock", "--rate", "-5"], "above 0"),
        (&["--mock", "--rate", "1e12"], "above 0"),
        (&["--mock", "--arrivals", "poisson"], "add --rate"),
        (
            &["--mock", "--rate", "5", "--stage", "x:5s"],
            "iterations per second",
        ),
        (&["--mock", "--fail-if", "p99>250"], "write 250ms"),
        (
            &["--mock", "--fail-if", "p95<200ms"],
            "give --fail-if 'p95>200ms', or --require 'p95<200ms'",
        ),
        (
            &["--mock", "--require", "p95>200ms"],
            "give --fail-if 'p95>200ms', or --require 'p95<200ms'",
        ),
        (&["--mock", "--stop-when", "workflwo.p99>1s"], "workflow"),
        (&["--mock", "--window", "0s"], "at least 1s"),
        (
            &[
                "--mock",
                "--fail-if",
                "avg>1s",
                "-t",
                "5s",
                "--settle",
                "5s",
            ],
            "give a longer --run-time or a shorter --settle",
        ),
        (
            &["--mock", "--get", "/", "-X", "PUT"],
            "cannot be used with",
        ),
        (&["--mock", "mixed", "--get", "/"], "cannot be used with"),
        (
            &["--mock", "--wait", "expo 2s"],
            "did you mean \"exponential\"?",
        ),
        (&["--mock", "--url", "/a b"], "write %20"),
        (
            &["--mock", "--url", "/", "--body", "@/nowhere"],
            "cannot be read",
        ),
        (&["--mock", "--url", "/", "-X", "BREW"], "unknown method"),
    ] {
        let output = run(&[&["run"], arguments].concat());
        let printed = text(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {printed}");
        assert!(printed.contains(part), "{arguments:?}: {printed}");
    }
}

/// A server that answers `ok` and keeps the bodies of requests.
fn body_keeper() -> (RawServer, Arc<Mutex<Vec<String>>>) {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = bodies.clone();
    let server = RawServer::start(move |peer| {
        while let Some(request) = peer.request() {
            let body = request.text.split_once("\r\n\r\n").map(|(_, body)| body);
            let body = body.unwrap_or_default().to_owned();
            kept.lock().expect("no panic").push(body);
            if !peer.answer(raw_server::OK) {
                return;
            }
        }
    });
    (server, bodies)
}

/// Runs in a folder with this text on standard input, which is a pipe.
fn run_fed(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = binary::opsurge(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    stdin.write_all(input.as_bytes()).expect("it is read");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

/// A named pipe at a path, from which this text can be read once.
fn feed(path: &Path, text: &'static str) -> std::thread::JoinHandle<()> {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("mkfifo is there").success());
    let path = path.to_owned();
    // The open call waits for the reader.
    std::thread::spawn(move || std::fs::write(path, text).expect("it is read"))
}

/// Checks that a server received `count` bodies, each of them `body`.
fn check_bodies(bodies: &Mutex<Vec<String>>, count: usize, body: &str) {
    let bodies = bodies.lock().expect("no panic");
    assert_eq!(bodies.len(), count);
    assert!(bodies.iter().all(|sent| sent == body), "{bodies:?}");
}

#[test]
fn a_body_out_of_a_pipe_is_read_once_and_sent_with_every_request() {
    let long = "0123456789".repeat(10_000);
    for body in ["{\"said\": \"once\"}", &long] {
        let (server, bodies) = body_keeper();
        let url = format!("{}/said", server.url());
        let arguments = ["run", "--url", &url, "--body", "@/dev/stdin"];
        let arguments = [&arguments[..], &["-u", "3", "--iterations", "12"]].concat();
        let output = run_fed(Path::new("."), &arguments, body);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        check_bodies(&bodies, 12, body);
    }
}

#[test]
fn files_of_a_scenario_may_be_named_pipes() {
    let (server, bodies) = body_keeper();
    let folder = tempfile::tempdir().expect("a folder");
    let feeders = [
        feed(&folder.path().join("body.txt"), "out of a pipe"),
        feed(&folder.path().join("users.csv"), "name\nann\nbob\n"),
    ];
    let scenario = "name = \"piped\"\ncsv = { file = \"users.csv\" }\n[[start]]\nmethod = \"POST\"\npath = \"/{{csv.name}}\"\nname = \"/[name]\"\nfile = \"body.txt\"\n";
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, scenario).expect("it can be written");
    let path = path.to_str().expect("UTF-8");
    let url = server.url();
    // Reading a named pipe a second time would wait forever.
    let output = Command::new("timeout")
        .args(["20", env!("CARGO_BIN_EXE_opsurge")])
        .args(["run", path, "--host", &url, "-u", "2", "-t", "2s"])
        .output()
        .expect("timeout is there");
    for feeder in feeders {
        feeder.join().expect("it was read");
    }
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    check_bodies(&bodies, 2, "out of a pipe");
    let mut lines = server.seen.lines.lock().expect("no panic").clone();
    lines.sort_unstable();
    assert_eq!(lines, ["POST /ann HTTP/1.1", "POST /bob HTTP/1.1"]);
}

#[test]
fn a_scenario_itself_may_come_out_of_a_pipe_and_its_files_lie_where_one_is() {
    let scenario = MINE.replace("Bearer {{env.OPSURGE_TEST_KEY}}", "Bearer none");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("users.csv"), "id\nann\n").expect("it can be written");
    let run_in = |arguments: &[&str]| {
        let output = run_fed(folder.path(), arguments, &scenario);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        text(&output)
    };
    let printed = run_in(&["scenarios", "check", "/dev/stdin"]);
    // Standard input that is a file is not a pipe: relative paths start at its folder.
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, &scenario).expect("it can be written");
    let stdin = std::fs::File::open(&path).expect("it is there");
    let output = binary::opsurge(&["scenarios", "check", "/dev/stdin"])
        .stdin(stdin)
        .output();
    assert_eq!(text(&output.expect("the binary starts")), printed);
    assert!(printed.contains("\"agentId\":\"ann-0\""), "{printed}");
    let arguments = ["run", "/dev/stdin", "--mock", "-u", "2", "--wait", "5ms"];
    let printed = run_in(&[&arguments[..], &["-t", "1s"]].concat());
    assert!(printed.contains("registered and seen"), "{printed}");
}

#[test]
fn check_shows_how_polls_and_tasks_end_and_what_is_taken_out_of_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shop.toml");
    std::fs::write(&path, opsurge::scenario::builtin::FORMAT).expect("it can be written");
    std::fs::write(folder.path().join("users.csv"), "mail\na@x\n").expect("it can be written");
    let output = run(&["scenarios", "check", path.to_str().expect("UTF-8")]);
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    for part in [
        "asked again every 1s until it succeeds, for 15s; failed at once by status 410, or \"closed\" at /state; giving up is a failure",
        "== task \"order\" 8.33 %, within 20s, step 1 of 2",
        "step 2 of 4: GET /style.css\nsent at once with the next 2 steps\n",
        "takes {{token}}: the value at /session/token\n",
        "takes {{cart}}: the header X-Cart, else \"none\"",
    ] {
        assert!(printed.contains(part), "{part} is not in: {printed}");
    }
}

#[test]
fn rows_of_a_csv_file_are_counted_and_those_that_no_user_gets_are_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mine.toml");
    let path_text = path.to_str().expect("UTF-8").to_owned();
    let scenario = |csv: &str| {
        format!(
            "name = \"mine\"\nload = {{ users = 3 }}\ncsv = {{ file = \"users.csv\"{csv} }}\n[[start]]\nmethod = \"GET\"\npath = \"/health\"\nquery = {{ who = \"{{{{csv.name}}}}\" }}\n"
        )
    };
    let printed = |csv: &str, rows: &str, arguments: &[&str], code| {
        std::fs::write(&path, scenario(csv)).expect("it can be written");
        std::fs::write(folder.path().join("users.csv"), rows).expect("it can be written");
        let output = run(arguments);
        let printed = text(&output);
        assert_eq!(output.status.code(), Some(code), "{printed}");
        printed
    };
    let rows = "name,n\na,1\nb,2\nc,3\nd,4\ne,5\n";
    let check = ["scenarios", "check", &path_text];
    let checked = printed("", rows, &check, 0);
    assert!(
        checked.contains("CSV file: 5 rows of name, n; one for each user, in turn\nwith 3 users, rows 4 to 5 of the CSV file are not used\n"),
        "{checked}"
    );
    let drawn = printed(", order = \"random\"", rows, &check, 0);
    assert!(
        drawn.contains("drawn for each user") && !drawn.contains("not used"),
        "{drawn}"
    );
    let run_with = |users| ["run", &path_text, "--mock", "-t", "1s", "-u", users];
    let note = "note: with 4 users, row 5 of the CSV file is not used";
    assert!(printed("", rows, &run_with("4"), 0).contains(note));
    assert!(!printed("", rows, &run_with("5"), 0).contains("not used"));
    let other = rows.replace(',', ";");
    let refused = printed("", &other, &check, 2);
    assert!(
        refused.contains("mine.toml:3:16: users.csv: line 1:")
            && refused.contains("say delimiter = \";\""),
        "{refused}"
    );
    let taken = printed(", delimiter = \";\"", &other, &check, 0);
    assert!(taken.contains("GET /health?who=a HTTP/1.1"), "{taken}");
    let refused = printed(", delimiter = \"x\"", rows, &check, 2);
    assert!(
        refused.contains("a delimiter is one character"),
        "{refused}"
    );
    let unclosed = "name,n\na,1\n\"b,2\nc,3\n";
    for arguments in [&check[..], &run_with("4")] {
        let refused = printed("", unclosed, arguments, 2);
        let reason = "users.csv: line 3: a quote is opened here and never closed";
        assert!(refused.contains(reason), "{refused}");
    }
}
