//! Scenario files: what a wrong one is told, and what the built-in one sends.

use std::path::Path;

use opsurge::plan::builtin;
use opsurge::plan::compile::{Context, compile};
use opsurge::plan::place::ScenarioError;
use opsurge::plan::scenario::Scenario;
use serde_json::Value;

fn compiled(text: &str) -> Result<Scenario, ScenarioError> {
    let context = Context {
        env: &|name| (name == "TEAM").then(|| "load".to_owned()),
        read: &|name| match name {
            "users.csv" => Ok(b"mail,n\nann@example.test,1\n\"bob \"\"b\"\"\",22\n".to_vec()),
            "body.json" => Ok(b"{\"from\":\"a file\"}".to_vec()),
            _ => Err("No such file or directory".into()),
        },
        ..Context::plain("localhost:8000")
    };
    compile("my.toml", text, &context)
}

const STEP: &str = "name = \"x\"\n[[task]]\nmethod = \"GET\"\npath = \"/\"\n";

fn check_error(text: &str, place: (usize, usize), reason: &str) {
    let error = compiled(text).map(|_| ()).expect_err(text);
    assert_eq!((error.line, error.column), place, "{error}");
    assert!(error.to_string().starts_with("my.toml:"), "{error}");
    assert!(error.to_string().contains(reason), "{error}");
}

#[test]
fn a_wrong_scenario_is_told_where_and_what_would_be_right() {
    let with = |line: &str| format!("{STEP}{line}\n");
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
        "from 200 to 599",
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
    check_error(&with("json = \"{\""), (5, 8), "not JSON");
    check_error(&with("json = {}\ntext = \"\""), (6, 8), "not both");
    check_error(
        &with("headers = { Host = \"a\" }"),
        (5, 13),
        "set by opsurge itself",
    );
    check_error(
        &with("headers = { X = \"{{env.NOPE}}\" }"),
        (5, 17),
        "NOPE is not set",
    );
    check_error(
        &with("headers = { X = \"{{api_key}}\" }"),
        (5, 17),
        "OPSCORE_API_KEY",
    );
    check_error(
        &with("headers = { X = \"{{agent}}\" }"),
        (5, 17),
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
        (4, 8),
        "write %20",
    );
    check_error(
        "name = \"x\"\n[variables]\nid = \"{{uid}}\"\n",
        (3, 6),
        "did you mean \"uuid\"?",
    );
    check_error(
        "name = \"x\"\n[variables]\nid = \"a b\"\n[[task]]\nmethod = \"GET\"\npath = \"/{{id}}\"\n",
        (6, 8),
        "brings the character ' '",
    );
}

/// Every request of a scenario, for one user.
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

#[test]
fn the_built_in_scenario_sends_what_was_recorded() {
    let scenario = compiled(builtin("2").expect("it is built in").text).expect("it is valid");
    assert!(scenario.api_key_is_default);
    let requests = rendered(&scenario, 5);
    let id = requests[1]
        .split('/')
        .nth(4)
        .expect("an id in the path")
        .to_owned();
    assert!(id.starts_with("workflow-agent-") && id.len() == 51);
    assert!(!requests[0].contains("Authorization"), "{}", requests[0]);
    for request in &requests[1..] {
        assert!(
            request.contains("\r\nAuthorization: Bearer test-api-key\r\n"),
            "{request}"
        );
    }
    for request in &requests {
        body_of(request);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/opscore/recorded");
    let recorded = [
        (0, "register-ok"),
        (1, "state-ok"),
        (2, "workflow-accepted"),
    ];
    for (step, name) in recorded {
        let Ok(text) = std::fs::read_to_string(folder.join(format!("{name}.request"))) else {
            println!("SKIPPED: {} is not there", folder.display());
            return;
        };
        let known = "workflow-agent-0f5e4f0e-2a53-4a0e-9d0f-6d2b8c9a1e77";
        let text = text.replace(known, &id);
        assert_eq!(requests[step].lines().next(), text.lines().next());
        let json = |text: &str| serde_json::from_str::<Value>(text).ok();
        assert_eq!(
            json(body_of(&requests[step])),
            json(body_of(&text)),
            "{name}"
        );
    }
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
fn no_text_makes_it_panic_and_every_error_has_a_place() {
    let text = builtin("workflow").expect("it is built in").text;
    let check = |text: &str| match compiled(text) {
        Ok(scenario) => {
            for request in rendered(&scenario, 1) {
                body_of(&request);
            }
        }
        Err(error) => {
            assert!(error.line >= 1 && error.column >= 1, "{error}");
            assert!(!error.reason.is_empty(), "{error}");
        }
    };
    for end in (0..text.len()).filter(|&end| text.is_char_boundary(end)) {
        check(&text[..end]);
    }
    let mut state = 3u64;
    let mut roll = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % below
    };
    let pieces = [
        "\"",
        "{{",
        "}}",
        "[",
        "]",
        "=",
        "\n",
        "0",
        "-1",
        "é",
        "true",
        "[[task]]\n",
        "#",
        "1e999",
    ];
    for _ in 0..1_500 {
        let mut mutated = text.to_owned();
        for _ in 0..1 + roll(4) {
            let mut at = roll(mutated.len());
            while !mutated.is_char_boundary(at) {
                at -= 1;
            }
            match roll(3) {
                0 => mutated.truncate(at),
                1 => mutated.insert_str(at, pieces[roll(pieces.len())]),
                _ => drop(mutated.remove(at.min(mutated.len().saturating_sub(2)))),
            }
            if mutated.len() < 4 {
                break;
            }
        }
        check(&mutated);
    }
}
