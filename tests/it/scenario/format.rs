//! Scenario files: the errors of wrong ones, and the requests of right ones.

use std::path::Path;

use opsurge::scenario::builtin::builtin;
use opsurge::scenario::format::compile::{Context, compile};
use opsurge::scenario::format::place::ScenarioError;
use opsurge::scenario::model::Scenario;
use serde_json::Value;

fn compiled(text: &str) -> Result<Scenario, ScenarioError> {
    let context = Context {
        env: &|name| match name {
            "TEAM" => Some("load".to_owned()),
            "LINES" => Some("a\r\nX-Evil: 1".to_owned()),
            _ => None,
        },
        read: &|name| match name {
            "users.csv" => Ok(
                b"mail,n,lines\nann@example.test,1,one\n\"bob \"\"b\"\"\",22,\"a\r\nX-Evil: 1\"\n"
                    .to_vec()
                    .into(),
            ),
            "body.json" => Ok(b"{\"from\":\"a file\"}".to_vec().into()),
            _ => Err("No such file or directory".into()),
        },
        ..Context::plain()
    };
    Ok(compile("my.toml", text, &context)?.bind("localhost:8000", ""))
}

const STEP: &str = "name = \"x\"\n[[task]]\nmethod = \"GET\"\npath = \"/\"\n";

fn check_error(text: &str, place: (usize, usize), reason: &str) {
    let error = compiled(text).map(|_| ()).expect_err(text);
    assert_eq!((error.line, error.column), place, "{error}");
    assert!(error.to_string().starts_with("my.toml:"), "{error}");
    assert!(error.to_string().contains(reason), "{error}");
}

#[test]
fn a_wrong_scenario_is_refused_with_its_place_and_what_would_be_right() {
    let with = |line: &str| format!("{STEP}{line}\n");
    for key in ["40", "4o4", "1000"] {
        let hints = format!("hints = {{ {key} = \"x\" }}");
        check_error(&with(&hints), (5, 11), "is not a status");
    }
    check_error(&with("hints = { 404 = 1 }"), (5, 17), "a text in quotes");
    check_error("name = \"x\"\n[[task]\n", (2, 8), "");
    check_error("nmae = \"x\"\n", (1, 1), "\"name\" is missing");
    check_error(
        "name = \"x\"\nwiat = \"1s\"\n[[task]]\nmethod = \"GET\"\npath = \"/\"\n",
        (2, 1),
        "did you mean \"wait\"?",
    );
    check_error("name = \"x\"\n", (1, 1), "it has no step");
    check_error("name = \"x\"\nwait = \"5parsecs\"\n", (2, 8), "no unit");
    check_error(
        "name = \"x\"\nwait = true\n",
        (2, 8),
        "expected a text in quotes, found true or false",
    );
    check_error(&with("weigth = 2"), (5, 1), "did you mean \"weight\"?");
    check_error(&with("weight = 0"), (5, 10), "never run");
    check_error(
        &with("expect = { status = [20] }"),
        (5, 22),
        "from 200 to 999",
    );
    check_error(&with("expect = { status = [] }"), (5, 21), "empty");
    check_error(
        &with("expect = { body = \"notnull\" }"),
        (5, 19),
        "did you mean \"not-null\"?",
    );
    check_error(&with("give_up_after = \"1s\""), (5, 17), "retry_every");
    check_error(&with("retry_every = \"1s\""), (5, 15), "give_up_after");
    check_error(
        &with("retry_every = 0\ngive_up_after = 1"),
        (5, 15),
        "time between its attempts",
    );
    check_error(&with("json = \"{\""), (5, 9), "not JSON");
    check_error(&with("json = {}\ntext = \"\""), (6, 8), "not both");
    check_error(
        &with("headers = { Content-Length = \"7\" }"),
        (5, 13),
        "opsurge counts it",
    );
    check_error(
        &with("headers = { Connection = \"{{choice close|keep-alive}}\" }"),
        (5, 26),
        "the same for all requests",
    );
    check_error(
        &with("headers = { X = \"{{env.NOPE}}\" }"),
        (5, 18),
        "NOPE is not set; before the command: export NOPE",
    );
    check_error(
        &with("headers = { X = \"{{env.LINES}}\" }"),
        (5, 18),
        "brings the character '\\r', which a header cannot have",
    );
    check_error(
        &with("headers = { X = \"{{api_key}}\" }"),
        (5, 18),
        "OPSCORE_API_KEY",
    );
    check_error(
        &with("headers = { X = \"{{agent}}\" }"),
        (5, 18),
        "nothing is known of {{agent}}",
    );
    check_error(
        &with("drop_headers = [\"X\"]"),
        (5, 17),
        "has no X to be dropped",
    );
    check_error(
        "name = \"x\"\n[[task]]\nmethod = \"get\"\npath = \"/\"\n",
        (3, 10),
        "did you mean \"GET\"?",
    );
    check_error(
        "name = \"x\"\n[[task]]\nmethod = \"GET\"\npath = \"a\"\n",
        (4, 8),
        "begins with /",
    );
    check_error(
        "name = \"x\"\n[[task]]\nmethod = \"GET\"\npath = \"/a b\"\n",
        (4, 11),
        "write %20",
    );
    check_error(
        "name = \"x\"\n[variables]\nid = \"{{uid}}\"\n",
        (3, 7),
        "did you mean \"uuid\"?",
    );
    check_error(
        "name = \"x\"\n[variables]\nid = \"a b\"\n[[task]]\nmethod = \"GET\"\npath = \"/{{id}}\"\n",
        (6, 10),
        "brings the character ' ', which a path cannot have; write %20",
    );
}

/// A scenario with a start step that extracts a value from its answer, followed by `rest`.
fn after_login(rest: &str) -> String {
    let login = "[[start]]\nmethod = \"POST\"\npath = \"/login\"\nextract = { token = { json = \"/t\" } }\n";
    format!("name = \"x\"\n{login}{rest}")
}

#[test]
fn values_that_may_be_missing_are_refused_where_they_are_used() {
    let work = "[[task]]\nmethod = \"GET\"\npath = \"/{{token}}\"\n";
    assert!(compiled(&after_login(work)).is_ok());
    check_error(
        &after_login(work).replace("[[start]]", "[[task]]"),
        (8, 10),
        "may not have run, or may have failed, before GET /{{token}}",
    );
    let goes_on = format!("on_failure = \"go-on\"\n{work}");
    check_error(&after_login(&goes_on), (9, 10), "may have failed");
    let in_stop = "[[stop]]\nmethod = \"DELETE\"\npath = \"/{{token}}\"\n";
    assert!(compiled(&after_login(&format!("{work}{in_stop}"))).is_ok());
    let of_a_task = "[[task]]\nmethod = \"GET\"\npath = \"/\"\nextract = { item = { header = \"X\" } }\n[[stop]]\nmethod = \"GET\"\npath = \"/{{item}}\"\n";
    check_error(&after_login(of_a_task), (12, 10), "may not have run");
    check_error(
        &after_login("").replace("/login", "/{{token}}"),
        (4, 10),
        "may not have run",
    );
    check_error(
        &after_login(&work.replace("token", "tokem")),
        (8, 10),
        "did you mean \"token\"?",
    );
    check_error(
        &after_login("[variables]\ntoken = \"x\"\n"),
        (5, 13),
        "[variables] has a token already",
    );
    check_error(
        &after_login("").replace("json = \"/t\"", "jsn = \"/t\""),
        (5, 21),
        "say where it is found",
    );
    check_error(
        &after_login("").replace("{ json = \"/t\" }", "\"/t\""),
        (5, 21),
        "say where it is found",
    );
    check_error(
        &after_login("").replace("\"/t\"", "\"data.t\""),
        (5, 30),
        "write \"/data/t\"",
    );
}

#[test]
fn holes_that_cannot_be_filled_are_refused_with_what_would_be_right() {
    let hole = |hole: &str| format!("{STEP}text = \"{{{{{hole}}}}}\"\n");
    let check = |text: &str, reason: &str| check_error(&hole(text), (5, 9), reason);
    check("random 5", "write for example {{random 1..100}}");
    check("random 5..1", "not a range");
    check("choice idle", "several texts");
    check("sequence x", "{{sequence 1000}}");
    check("uuid 4", "takes nothing behind it");
    check("csv.mail", "has no [csv] table");
    check("noww", "did you mean \"now\"?");
    let csv = |hole: &str| {
        format!(
            "name = \"x\"\ncsv = {{ file = \"users.csv\" }}\n[[task]]\nmethod = \"POST\"\npath = \"/\"\n{hole}\n"
        )
    };
    check_error(
        &csv("text = \"{{csv.male}}\""),
        (6, 9),
        "did you mean \"mail\"?",
    );
    check_error(
        &csv("json = '{\"n\": {{csv.mail}}}'"),
        (6, 15),
        "row 1 of the CSV file",
    );
    check_error(
        &csv("headers = { X = \"{{csv.lines}}\" }"),
        (6, 18),
        "row 2 of the CSV file has a value that cannot stand in a header",
    );
    check_error(
        &csv("").replace("users.csv", "nope.csv"),
        (2, 16),
        "nope.csv cannot be read: No such file",
    );
    let json = |json: &str| format!("{STEP}json = '{json}'\n");
    check_error(&json("{\"a\": {{uuid}}}"), (5, 15), "put quotes around it");
    check_error(&json("{\"a\": {{user}"), (5, 8), "not closed");
    check_error(&json("{\"a\": \"{{user}}}"), (5, 24), "not JSON");
    check_error(
        "name = \"x\"\n[variables]\nat = \"{{now}}\"\n",
        (3, 7),
        "computed once",
    );
    check_error(
        "name = \"x\"\n[variables]\nuuid = \"x\"\n",
        (3, 1),
        "name the variable for example my_uuid",
    );
}

#[test]
fn wrong_steps_loads_and_spans_are_refused_with_place_and_reason() {
    let with = |line: &str| format!("{STEP}{line}\n");
    check_error(&with("begins = \"a\""), (5, 10), "no step has ends = \"a\"");
    check_error(&with("ends = \"a\""), (5, 8), "no step has begins = \"a\"");
    check_error(&with("on_failure = \"halt\""), (5, 14), "unknown ending");
    check_error(&with("on_give_up = \"stop\""), (5, 14), "needs retry_every");
    check_error(
        &with("retry_every = 1\ngive_up_after = 2\non_failure = \"stop\""),
        (7, 14),
        "on_give_up",
    );
    check_error(&with("pause = \"pacing 1s\""), (5, 9), "from task to task");
    check_error(&with("timeout = 0"), (5, 11), "lets no request finish");
    check_error(
        &with("form = {}\nfile = \"body.json\""),
        (6, 8),
        "form or file",
    );
    check_error(&with("file = \"nope\""), (5, 8), "cannot be read");
    check_error(
        &with("expect = { json = { state = 1 } }"),
        (5, 21),
        "write \"/state\"",
    );
    check_error(
        &with("headers = { A = \"1\", a = \"2\" }"),
        (5, 22),
        "twice",
    );
    check_error(&with("step = []"), (2, 1), "the task has no step");
    check_error(&with("[load]\nstages = [\"10\"]"), (6, 11), "no colon");
    check_error(
        &with("[load]\nstages = [\"0:5s\"]"),
        (6, 10),
        "no stage has users",
    );
    check_error(
        &with("[load]\nusers = 5\nstages = [\"5:5s\"]"),
        (7, 10),
        "leave users",
    );
    check_error(
        &with("[load]\nusers = 5\nstep = 5"),
        (5, 1),
        "a staircase needs",
    );
    check_error(&with("[load]\nramp = 5"), (6, 8), "users = 100");
    check_error(&with("[load]\nusers_from = 5"), (6, 14), "users = 100");
    check_error(
        &with("[load]\nusers_from = 5\nstages = [\"5:5s\"]"),
        (7, 10),
        "leave users, users_from",
    );
    check_error(&with("wait = 1"), (5, 1), "unknown key");
    check_error("name = \"x\"\nwait = \"expo 1s\"\n", (2, 8), "did you mean");
    check_error(
        "name = \"x\"\n[[tasks]]\nmethod = \"GET\"\npath = \"/\"\n",
        (2, 3),
        "did you mean \"task\"?",
    );
    check_error(
        &STEP.replace("[[task]]", "[task]"),
        (2, 1),
        "its name stands in [[ ]]",
    );
    check_error(&with("expect = { status = 200 }"), (5, 21), "write [200]");
    check_error(
        &with("body = \"a\""),
        (5, 8),
        "json, text, form, multipart, file",
    );
    check_error(
        &with("[[task.step]]\nmethod = \"GET\"\npath = \"/\""),
        (3, 10),
        "stand in [[task.step]]",
    );
    check_error(&STEP.replace("\"/\"", "\"/100%\""), (4, 13), "write %25");
    let named = |name: &str| {
        format!("[[task]]\nname = \"{name}\"\n[[task.step]]\nmethod = \"GET\"\npath = \"/\"\n")
    };
    check_error(
        &format!("name = \"x\"\n{}{}", named("a"), named("a")),
        (8, 8),
        "the name \"a\" is taken",
    );
    check_error(&with("pause = \"5 sec\""), (5, 9), "did you mean 5s?");
    check_error(
        &with("expect = { json = { \"/a\" = \"{{user}}\" } }"),
        (5, 28),
        "holes in it are not filled",
    );
    check_error(
        &with("query = { \"{{user}}\" = 1 }"),
        (5, 11),
        "in values, not in names",
    );
    check_error(
        &STEP
            .replace("[[task]]", "[[start]]")
            .replace("\"/\"", "\"/\"\non_failure = \"end-task\""),
        (5, 14),
        "for steps of a [[task]]",
    );
}

#[test]
fn a_text_that_is_too_long_is_refused_and_long_lines_are_shown_around_the_place() {
    let long = |text: &str| format!("{STEP}text = \"{text}\"\n");
    assert!(compiled(&long(&"y".repeat(2_000_000))).is_ok());
    assert!(compiled(&long(&"y".repeat(2_100_000))).is_ok());
    let many = format!("{}{{{{user}}}}", "y".repeat(300_000)).repeat(15);
    check_error(&long(&many), (4, 8), "2 MiB are the most");
    let error = compiled(&long(&format!(
        "{}{{{{usr}}}}{}",
        "y".repeat(9_000),
        "z".repeat(9_000)
    )));
    let error = error.map(|_| ()).expect_err("no such hole").to_string();
    let excerpt = error.lines().nth(1).expect("an excerpt");
    assert!(
        excerpt.contains("y{{usr}}z") && excerpt.len() < 250,
        "{excerpt}"
    );
    assert!(
        excerpt.starts_with("  5 | ... y") && excerpt.ends_with("z ..."),
        "{excerpt}"
    );
    check_error(
        &long(&"{{uuid}}".repeat(201)),
        (5, 9),
        "at most 200 such holes",
    );
}

#[test]
fn an_error_in_a_body_has_its_own_line() {
    let body = |lines: &str| format!("{STEP}json = '''\n{lines}'''\n");
    check_error(
        &body("{\n  \"a\": \"{{user}}\",\n  \"b\": \"{{usr}}\"\n}\n"),
        (8, 9),
        "did you mean \"user\"?",
    );
    check_error(
        &body("{\n  \"a\": {{user}},\n  \"b\": ,\n}\n"),
        (8, 8),
        "not JSON: expected value",
    );
    check_error(
        &body("{\n  \"\u{e9}\": {{user}} 5\n}\n"),
        (7, 17),
        "not JSON: expected `,` or `}`",
    );
    check_error(
        &format!("{STEP}[task.json]\na = 1\n[task.json.deep]\nb = [\"x\", \"{{{{usr}}}}\"]\n"),
        (8, 12),
        "did you mean \"user\"?",
    );
    // As JSON, the braces after it would close the hole.
    check_error(
        &format!("{STEP}json = {{ a = \"{{{{choice x|y\", b = {{ c = {{ d = 1 }} }} }}\n"),
        (5, 14),
        "not closed",
    );
    check_error(
        &format!("{STEP}json = {{ \"{{{{user\" = {{ c = {{ d = 1 }} }} }}\n"),
        (5, 10),
        "not closed",
    );
    // No value of a hole may change the text around it.
    let json = |json: &str| format!("{STEP}json = '{json}'\n");
    check_error(&json("{\"a\": -{{random -5..5}}}"), (5, 16), "not JSON");
    check_error(&json("{\"a\": 1{{user}}}"), (5, 16), "not JSON");
    let joined = "json = '{{n}}'\n[variables]\nn = \"{{random 0..9}}{{user}}\"\n";
    check_error(&format!("{STEP}{joined}"), (5, 9), "several parts");
    check_error(&json("{\"a\": \"\\u000{{user}}\"}"), (5, 21), "not JSON");
}

#[test]
fn a_variable_is_made_of_those_above_it() {
    let with = |variables: &str| format!("{STEP}[variables]\n{variables}\n");
    assert!(compiled(&with("b = \"1\"\na = \"{{b}}\"")).is_ok());
    check_error(&with("a = \"{{b}}\"\nb = \"1\""), (6, 6), "move it up");
    check_error(
        &after_login("[variables]\nauth = \"Bearer {{token}}\"\n"),
        (7, 16),
        "in the step itself",
    );
}

#[test]
fn a_step_has_the_headers_that_it_does_not_drop_and_then_its_own() {
    let text = after_login("[headers]\nAuthorization = \"Bearer {{token}}\"\n");
    check_error(
        &text,
        (7, 25),
        "before POST /login (a header of [headers] that is not for this step: drop_headers)",
    );
    let dropped = text.replace("\nextract", "\ndrop_headers = [\"authorization\"]\nextract");
    let requests = rendered(&compiled(&dropped).expect("it is valid"), 0);
    assert!(!requests[0].contains("Authorization"), "{}", requests[0]);
    let own = dropped.replace(
        "\nextract",
        "\nheaders = { Authorization = \"Own\" }\nextract",
    );
    let requests = rendered(&compiled(&own).expect("it is valid"), 0);
    assert!(
        requests[0].contains("\r\nAuthorization: Own\r\n"),
        "{}",
        requests[0]
    );
}

#[test]
fn values_in_bodies_and_queries_are_encoded_for_their_place() {
    let text = "name = \"x\"\ncsv = { file = \"users.csv\" }\n[variables]\nwho = \"<{{csv.mail}}>\"\n\
        [[task]]\nmethod = \"GET\"\npath = \"/u/{{csv.mail}}?a=1\"\nquery = { \"q q\" = \"a b&{{who}}\", n = 5 }\n\
        [[task]]\nmethod = \"POST\"\npath = \"/f\"\nform = { mail = \"{{who}}\", c = \"{{choice a+b|a+b}}\" }\n\
        [[task]]\nmethod = \"POST\"\npath = \"/j\"\njson = { mail = \"{{who}}\", list = [1, true] }\n\
        [[task]]\nmethod = \"PUT\"\npath = \"/t\"\njson = '{\"n\": {{csv.n}}, \"u\": {{user}}, \"s\": \"{{csv.n}}\"}'\n\
        [[task]]\nmethod = \"PUT\"\npath = \"/b\"\nfile = \"body.json\"\n";
    let requests = rendered(&compiled(text).unwrap_or_else(|error| panic!("{error}")), 1);
    assert!(
        requests[0].starts_with(
            "GET /u/bob%20%22b%22?a=1&q%20q=a%20b%26%3Cbob%20%22b%22%3E&n=5 HTTP/1.1\r\n"
        ),
        "{}",
        requests[0]
    );
    assert_eq!(body_of(&requests[1]), "mail=%3Cbob%20%22b%22%3E&c=a%2Bb");
    assert!(requests[1].contains("\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
    assert_eq!(
        body_of(&requests[2]),
        r#"{"mail":"<bob \"b\">","list":[1,true]}"#
    );
    assert_eq!(body_of(&requests[3]), r#"{"n": 22, "u": 1, "s": "22"}"#);
    assert_eq!(body_of(&requests[4]), r#"{"from":"a file"}"#);
    assert!(requests[4].contains("\r\nContent-Type: application/json\r\n"));
}

/// The first request of every step, for one user.
fn rendered(scenario: &Scenario, user: u64) -> Vec<String> {
    let requests = (0..scenario.steps.len()).map(|index| {
        let request = scenario.first_request(index as u16, user, 7, 0);
        String::from_utf8(request).expect("text")
    });
    requests.collect()
}

fn body_of(request: &str) -> &str {
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    let length = length.map_or(0, |length| length.parse().expect("a number"));
    assert_eq!(body.len(), length, "{request}");
    body
}

/// A recorded request with another agent's id; `None` without the records.
fn recorded(name: &str, id: &str) -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/opscore/recorded");
    let Ok(text) = std::fs::read_to_string(folder.join(format!("{name}.request"))) else {
        println!("SKIPPED: {} is not there", folder.display());
        return None;
    };
    Some(text.replace("workflow-agent-0f5e4f0e-2a53-4a0e-9d0f-6d2b8c9a1e77", id))
}

/// A body without the values that differ between moments and scenarios.
fn comparable(text: &str) -> Value {
    let mut body: Value = serde_json::from_str(body_of(text)).unwrap_or_default();
    for (pointer, value) in [
        ("/timestamp", "now"),
        ("/state", "some"),
        ("/agent_details/capabilities", "some"),
        ("/agent_details/metadata/scenario", "any"),
    ] {
        if let Some(place) = body.pointer_mut(pointer) {
            *place = value.into();
        }
    }
    body
}

#[test]
fn the_built_in_scenarios_send_what_was_recorded() {
    for (number, recordings) in [
        ("0", &["register-ok", "state-update-accepted"][..]),
        ("1", &["register-ok", "state-ok", "state-update-accepted"]),
        ("2", &["register-ok", "state-ok", "workflow-accepted"]),
        (
            "3",
            &[
                "register-ok",
                "state-update-accepted",
                "state-ok",
                "workflow-inline-accepted",
            ],
        ),
        (
            "4",
            &[
                "register-ok",
                "state-update-accepted",
                "state-ok",
                "workflow-inline-accepted",
            ],
        ),
    ] {
        let scenario =
            compiled(builtin(number).expect("it is built in").text).expect("it is valid");
        assert!(scenario.api_key_is_default);
        let requests = rendered(&scenario, 5);
        let id = requests[1].split('/').nth(4).expect("an id in the path");
        let prefix = if number == "2" {
            "workflow-agent-"
        } else {
            "loadtest-agent-"
        };
        assert!(id.starts_with(prefix) && id.len() == 51, "{id}");
        assert_eq!(requests.len(), recordings.len());
        for (request, name) in requests.iter().zip(recordings) {
            let authorization = "\r\nAuthorization: Bearer test-api-key\r\n";
            assert_eq!(
                request.contains(authorization),
                *name != "register-ok",
                "{request}"
            );
            body_of(request);
            let Some(known) = recorded(name, id) else {
                continue;
            };
            assert_eq!(request.lines().next(), known.lines().next());
            assert_eq!(comparable(request), comparable(&known), "{number} {name}");
        }
        let registered: Value = serde_json::from_str(body_of(&requests[0])).expect("JSON");
        let details = &registered["agent_details"];
        assert_eq!(
            details["metadata"]["scenario"],
            number.parse::<i64>().expect("a number")
        );
        let capabilities = match number {
            "0" | "1" => "[\"state_reporting\"]",
            "2" => "[\"workflow_execution\"]",
            _ => "[\"state_reporting\",\"test_capability\",\"another_capability\"]",
        };
        assert_eq!(details["capabilities"].to_string(), capabilities);
    }
}

#[test]
fn the_built_in_scenarios_have_the_load_of_ops_cores_plan() {
    let load = |number: &str| compiled(builtin(number).expect(number).text).expect(number);
    // Run times: the ramp, then 15, 15 and 30 minutes at the peak; 5 minutes with the ramp in scenario 0.
    for (number, from, to, ramp_s, run_time_s, wait) in [
        ("0", 1, 5, 60, 300, "1s..2s"),
        ("1", 10, 500, 300, 1_200, "5s..10s"),
        ("2", 10, 100, 180, 1_080, "30s..1m"),
        ("3", 20, 300, 300, 2_100, "1s..5s"),
    ] {
        let scenario = load(number);
        let second_ns = 1_000_000_000;
        assert_eq!(scenario.wait.to_string(), wait);
        assert_eq!(
            (scenario.load.users_from, scenario.load.users),
            (from, Some(to))
        );
        assert_eq!(scenario.load.ramp_ns, ramp_s * second_ns);
        let weights: Vec<u32> = scenario.tasks.iter().map(|task| task.weight).collect();
        assert_eq!(
            weights,
            if number == "3" {
                vec![80, 15, 5]
            } else {
                vec![1]
            }
        );
        assert_eq!(scenario.load.run_time_ns, Some(run_time_s * second_ns));
    }
    let stress = load("4");
    assert_eq!(stress.wait.to_string(), "1s..5s");
    let points = stress.load.points();
    for (step, pair) in points.chunks(2).enumerate() {
        let users = 300 + 50 * step as u64;
        assert_eq!((pair[0].users, pair[0].after_ns), (users, 0));
        assert_eq!((pair[1].users, pair[1].after_ns), (users, 300_000_000_000));
    }
    assert_eq!(points.len(), 2 * 95, "up to 5,000 users");
}

#[test]
fn headers_are_those_of_the_scenario_then_the_steps() {
    let text = "name = \"x\"\n[headers]\nX-Team = \"{{env.TEAM}}\"\nX-Old = \"1\"\n[[task]]\nmethod = \"POST\"\npath = \"/a\"\ndrop_headers = [\"x-old\"]\nheaders = { X-Own = \"2\" }\n";
    let requests = rendered(&compiled(text).expect("it is valid"), 0);
    assert!(
        requests[0].contains("\r\nX-Team: load\r\nX-Own: 2\r\nContent-Length: 0\r\n\r\n"),
        "{}",
        requests[0]
    );
    assert!(requests[0].contains("\r\nHost: localhost:8000\r\n") && !requests[0].contains("X-Old"));
}

#[test]
fn contradictory_endings_of_polls_and_tasks_are_refused() {
    let with = |lines: &str| format!("{STEP}{lines}\n");
    let polled = |lines: &str| with(&format!("retry_every = 1\ngive_up_after = 5\n{lines}"));
    let check_poll = |line: &str, column, reason| check_error(&polled(line), (7, column), reason);
    check_error(
        &with("failed = { status = [500] }"),
        (5, 10),
        "it says what ends a poll, and needs retry_every beside it",
    );
    check_poll("failed = {}", 10, "it says nothing that ends the poll");
    check_poll(
        "failed = { status = [200] }",
        21,
        "status 200 stands in expect too",
    );
    check_poll(
        "failed = { status = [500, 404] }\nnot_yet = [404]",
        21,
        "status 404 stands in not_yet too",
    );
    check_poll(
        "failed = { exists = [\"/a\"] }\nexpect = { exists = [\"/a\"] }",
        10,
        "a value at /a stands in expect too",
    );
    check_poll(
        "failed = { body = \"not-null\" }",
        12,
        "unknown key \"body\"",
    );
    check_poll("on_give_up = \"fial\"", 14, "did you mean \"fail\"?");
    check_poll(
        "on_give_up = [\"fail\", \"stop\", \"go-on\"]",
        31,
        "the user can do one thing",
    );
    check_error(
        &with("on_failure = \"fail\""),
        (5, 14),
        "fail is for on_give_up",
    );
    check_poll(
        "not_yet = [404, 202]",
        11,
        "status 202 stands in expect too",
    );
    check_error(
        "name = \"x\"\n[[task]]\nmethod = \"HEAD\"\npath = \"/\"\nexpect = { exists = [\"/a\"] }\n",
        (3, 10),
        "an answer to HEAD has no body",
    );
    check_error(&with("within = 0"), (5, 10), "can do nothing");
    check_error(
        "name = \"x\"\n[[start]]\nmethod = \"GET\"\npath = \"/\"\nwithin = \"1s\"\n",
        (5, 1),
        "unknown key \"within\"",
    );
    check_error(
        "name = \"x\"\n[[task]]\n[[task.step]]\nmethod = \"GET\"\npath = \"/\"\nwithin = \"1s\"\n",
        (6, 10),
        "within is the time of a whole task and stands in its [[task]]",
    );
    for lines in [
        "failed = { status = [500], json = { \"/a\" = 1 } }\non_give_up = [\"end-task\", \"fail\"]",
        "on_give_up = \"fail\"\nwithin = \"1s\"",
    ] {
        compiled(&polled(lines)).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn a_default_has_to_fit_the_places_of_its_value() {
    let check = |extract: &str, use_: &str, column, reason| {
        let text = format!(
            "name = \"x\"\n[[start]]\nmethod = \"GET\"\npath = \"/\"\nextract = {{ a = {{ json = \"/a\", {extract} }} }}\n[[start]]\nmethod = \"POST\"\npath = \"/\"\n{use_}\n"
        );
        check_error(&text, (5, column), reason);
    };
    check(
        "default = \"none\"",
        "json = '{\"a\": {{a}}}'",
        42,
        "the default of {{a}} is not a number",
    );
    check(
        "default = \"a\\nb\"",
        "headers = { X = \"{{a}}\" }",
        42,
        "the default of {{a}} has a character that a header cannot have",
    );
    check(
        "max = 3, default = \"none\"",
        "",
        51,
        "the default of {{a}} is longer than its variable",
    );
    check(
        "default = \"{{user}}\"",
        "",
        42,
        "holes are not filled in a default",
    );
    check("default = true", "", 42, "expected a text in quotes");
}

#[test]
fn a_body_of_several_parts_is_as_a_browser_sends_it() {
    let text = r#"
        name = "x"
        [[task]]
        method = "POST"
        path = "/photos"
        [task.multipart]
        'ti"tle' = "of {{user}}"
        size = 7
        rows = { path = "folder/users.csv", filename = "u.csv" }
        raw = [{ path = "body.json", type = "application/x-own" }, { text = "a,{{user}}", filename = "b.bin" }]
        "#
    .replace("folder/", "");
    let scenario = compiled(&text).expect("it is valid");
    for user in [3, 12_345] {
        let request = String::from_utf8(scenario.first_request(0, user, 1, 0)).expect("text");
        let (head, body) = request.split_once("\r\n\r\n").expect("a body");
        let boundary = head.split("boundary=").nth(1).expect("a boundary");
        let boundary = boundary.lines().next().expect("a line");
        assert!(head.contains(&format!("Content-Length: {}", body.len())));
        let parts: Vec<&str> = body.split(&format!("--{boundary}")).collect();
        let csv = "mail,n,lines\nann@example.test,1,one\n\"bob \"\"b\"\"\",22,\"a\r\nX-Evil: 1\"\n";
        let of = |name: &str| format!("\r\nContent-Disposition: form-data; name=\"{name}\"");
        let expected = [
            String::new(),
            format!("{}\r\n\r\nof {user}\r\n", of("ti%22tle")),
            format!("{}\r\n\r\n7\r\n", of("size")),
            format!(
                "{}; filename=\"u.csv\"\r\nContent-Type: text/csv\r\n\r\n{csv}\r\n",
                of("rows")
            ),
            format!(
                "{}; filename=\"body.json\"\r\nContent-Type: application/x-own\r\n\r\n{{\"from\":\"a file\"}}\r\n",
                of("raw")
            ),
            format!(
                "{}; filename=\"b.bin\"\r\nContent-Type: application/octet-stream\r\n\r\na,{user}\r\n",
                of("raw")
            ),
            "--\r\n".to_owned(),
        ];
        assert_eq!(parts, expected);
    }
}

#[cfg(not(feature = "codings"))]
#[test]
fn a_content_coding_that_was_not_built_is_refused_with_the_cure() {
    let text = format!("{STEP}accept_encoding = [\"gzip\", \"br\"]\n");
    check_error(&text, (5, 28), "--features codings");
}
