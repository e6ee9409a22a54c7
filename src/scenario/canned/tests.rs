use super::*;
use crate::scenario::format::compile::{Context, compile};

fn made(steps: &str) -> Result<Vec<CannedAnswer>, String> {
    let text = format!("name = \"x\"\nload = {{ users = 1 }}\n{steps}");
    let scenario = compile("x.toml", &text, &Context::plain()).expect("a valid scenario");
    answers(&scenario)
}

/// The head and the body of the only step's answer.
fn check(step: &str, head: &str, body: &str) {
    let answers = made(&format!("[[task]]\n{step}")).expect("it can be met");
    let [answer] = &answers[..] else {
        panic!("one step: {answers:?}");
    };
    let text = String::from_utf8_lossy(&answer.head);
    for line in head.split('|') {
        assert!(text.contains(&format!("{line}\r\n")), "{line} in {text}");
    }
    assert_eq!(String::from_utf8_lossy(&answer.body), body);
}

#[test]
fn an_answer_meets_status_fields_and_values() {
    let get = "method = \"GET\"\npath = \"/a\"\n";
    check(get, "HTTP/1.1 200 Canned|Content-Length: 15", PLAIN);
    check(
        &format!("{get}expect = {{ status = [404, 201], headers = [\"Location\"] }}"),
        "HTTP/1.1 201 Canned|Location: /canned",
        PLAIN,
    );
    check(
        &format!(
            "{get}expect = {{ json = {{ \"/state\" = \"done\", \"/n\" = 2 }}, exists = [\"/a/b\", \"/state\"] }}"
        ),
        "HTTP/1.1 200 Canned",
        r#"{"state":"done","n":2,"a":{"b":"d96aaa22-a187-4972-a633-b41aa48fa1a6"}}"#,
    );
    check(
        &format!("{get}expect = {{ status = [204] }}"),
        "HTTP/1.1 204 Canned",
        "",
    );
    check(
        &format!("{get}extract = {{ id = {{ json = \"/id\", max = 8 }} }}"),
        "HTTP/1.1 200 Canned",
        r#"{"id":"d96aaa22"}"#,
    );
}

#[test]
fn a_value_that_is_used_as_a_number_is_one() {
    let answers = made(
        "[[task]]\nname = \"t\"\n[[task.step]]\nmethod = \"GET\"\npath = \"/a\"\nextract = { n = { json = \"/n\" } }\n\
         [[task.step]]\nmethod = \"POST\"\npath = \"/b\"\njson = '{\"n\": {{n}}}'\n",
    )
    .expect("it can be met");
    assert_eq!(answers[0].body, br#"{"n":1}"#);
}

#[test]
fn a_poll_is_ready_at_once() {
    let poll = "method = \"GET\"\npath = \"/a\"\nretry_every = \"1s\"\ngive_up_after = \"9s\"\nnot_yet = [404]\n";
    check(
        &format!(
            "{poll}expect = {{ status = [200], json = {{ \"/state\" = \"done\" }} }}\nfailed = {{ json = {{ \"/state\" = \"failed\" }} }}"
        ),
        "HTTP/1.1 200 Canned",
        r#"{"state":"done"}"#,
    );
}

#[test]
fn expectations_that_no_answer_meets_are_named_with_their_step() {
    let check = |step: &str, part: &str| {
        let error = made(&format!(
            "[[task]]\nmethod = \"GET\"\npath = \"/a\"\n{step}"
        ));
        let error = error.expect_err("it cannot be met");
        assert!(
            error.starts_with("no canned answer meets what GET /a expects: "),
            "{error}"
        );
        assert!(error.contains(part), "{error}");
    };
    check(
        "expect = { json = { \"/a\" = 1, \"/a/b\" = 2 } }",
        "two expectations contradict each other at /a",
    );
    check(
        "expect = { status = [204], exists = [\"/a\"] }",
        "expected a value at /a",
    );
    check(
        "expect = { headers = [\"Transfer-Encoding\"] }",
        "Transfer-Encoding decides where the answer ends",
    );
}

#[test]
fn the_number_of_a_step_stands_before_its_path_for_every_target() {
    let text = "name = \"x\"\nload = { users = 1 }\n[[start]]\nmethod = \"GET\"\npath = \"/a\"\n[[task]]\nmethod = \"GET\"\npath = \"/b\"\n";
    let scenario = compile("x.toml", text, &Context::plain()).expect("valid");
    let scenario = scenario.with_step_numbers().bind("host:1", "/base");
    let line = |scenario: &Scenario, step| {
        let request = scenario.first_request(step, 0, 1, 0);
        let text = String::from_utf8(request).expect("text");
        text.lines().next().expect("a line").to_owned()
    };
    assert_eq!(line(&scenario, 1), "GET /base/~1/b HTTP/1.1");
    let scenario = scenario.bind("127.0.0.1:65535", "");
    assert_eq!(line(&scenario, 0), "GET /~0/a HTTP/1.1");
    assert_eq!(line(&scenario, 1), "GET /~1/b HTTP/1.1");
}

#[test]
fn an_answer_meets_checks_and_has_what_is_picked_or_cut_out_of_it() {
    let get = "method = \"GET\"\npath = \"/a\"\n";
    check(
        &format!(
            "{get}expect = {{ contains = \"</html>\", matches = \"<(?:html|body)\" }}\nextract = {{ t = {{ between = [\"t='\", \"'\"], max = 4 }} }}"
        ),
        "HTTP/1.1 200 Canned",
        "</html>\n<html\nt='d96a'",
    );
}

#[test]
fn lists_have_as_many_elements_as_are_expected_each_with_what_is_picked() {
    let get = "method = \"GET\"\npath = \"/a\"\n";
    check(
        &format!(
            "{get}expect = {{ count = {{ \"/l\" = \"2..3\", \"/m\" = \"< 1\" }}, compare = {{ \"/n\" = \"> 5\", \"/s\" = \"!= failed\" }} }}\n\
             extract = {{ id = {{ json = \"/l/*/id\", pick = \"random\", max = 4 }}, many = {{ json = \"/l\", pick = \"count\" }} }}"
        ),
        "HTTP/1.1 200 Canned",
        r#"{"n":6.0,"s":"other","l":[{"id":"d96a"},{"id":"d96a"}],"m":[]}"#,
    );
}
