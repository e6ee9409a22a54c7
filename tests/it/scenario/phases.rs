//! Setup and teardown in the file: which values are known where.

use opsurge::scenario::format::compile::{Context, compile};
use opsurge::scenario::format::place::ScenarioError;

const SETUP: &str = r#"
[[setup]]
method = "POST"
path = "/session"
extract = { token = { json = "/token" } }
"#;

fn check(rest: &str, reason: &str) {
    let text = format!("name = \"x\"\n{rest}");
    let error = compile("x.toml", &text, &Context::plain()).expect_err(rest);
    assert!(error.reason.starts_with(reason), "{error}");
}

#[test]
fn values_of_the_setup_are_known_after_it_and_only_those_that_it_extracts() {
    let task = "[[task]]\nmethod = \"GET\"\npath = \"/{{setup.tokem}}\"\n";
    check(
        &format!("{SETUP}{task}"),
        "no [[setup]] step extracts tokem; did you mean \"token\"?",
    );
    check(
        task,
        "no [[setup]] step extracts tokem; add one with extract",
    );
    check(
        &format!("[headers]\nX-Token = \"{{{{setup.token}}}}\"\n{SETUP}{task}"),
        "{{setup.token}} is known when the setup is over; in a later step of the setup write {{token}}",
    );
    check(SETUP, "it has no step; add [[task]]");
}

#[test]
fn setup_and_teardown_are_scenarios_of_their_own() {
    let text = format!(
        r#"
        name = "x"
        [variables]
        plain = "a"
        shared = "{{{{setup.token}}}}"
        both = "{{{{plain}}}} {{{{shared}}}}"
        {SETUP}
        [[setup]]
        method = "GET"
        path = "/of/{{{{token}}}}/{{{{plain}}}}"
        [[task]]
        method = "PUT"
        path = "/{{{{setup.token}}}}"
        json = {{ by = "{{{{both}}}}" }}
        [[teardown]]
        method = "DELETE"
        path = "/{{{{setup.token}}}}"
        "#
    );
    let values = [("token".to_owned(), "t 1".to_owned())];
    let context = Context {
        setup: &values,
        ..Context::plain()
    };
    let scenario = compile("x.toml", &text, &context)
        .expect("valid")
        .bind("host", "/base");
    let shown = |scenario: &opsurge::scenario::model::Scenario, step| {
        let request = scenario.first_request(step, 0, 1, 0);
        let text = String::from_utf8_lossy(&request).into_owned();
        text.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(shown(&scenario, 0), "PUT /base/t%201 HTTP/1.1");
    let setup = scenario.setup.as_ref().expect("there is one");
    assert_eq!(setup.steps.len(), 2);
    assert!(shown(setup, 1).starts_with("GET /base/of/%3Ctoken%3E/a"));
    let teardown = scenario.teardown.as_ref().expect("there is one");
    assert_eq!(shown(teardown, 0), "DELETE /base/t%201 HTTP/1.1");
    let body = String::from_utf8(scenario.first_request(0, 0, 1, 0)).expect("text");
    assert!(body.ends_with("{\"by\":\"a t 1\"}"), "{body}");
    // The values are constants: a user has no bytes for them.
    assert_eq!((scenario.metrics.len(), scenario.steps.len()), (1, 1));
}

#[test]
fn a_value_of_the_setup_that_cannot_stand_in_its_place_is_refused() {
    let values = [("token".to_owned(), "a\r\nX-Evil: 1".to_owned())];
    let context = Context {
        setup: &values,
        ..Context::plain()
    };
    let text = format!(
        "name = \"x\"\n{SETUP}[[task]]\nmethod = \"GET\"\npath = \"/\"\nheaders = {{ X-T = \"{{{{setup.token}}}}\" }}\n"
    );
    let error = compile("x.toml", &text, &context).expect_err("a line end in a header");
    assert!(
        error.reason.contains("which a header cannot have"),
        "{error}"
    );
    let text = format!(
        "name = \"x\"\n{SETUP}[[task]]\nmethod = \"POST\"\npath = \"/\"\njson = '{{\"id\": {{{{setup.token}}}}}}'\n"
    );
    let body = |value: &str| {
        let values = [("token".to_owned(), value.to_owned())];
        let context = Context {
            setup: &values,
            ..Context::plain()
        };
        let request = compile("x.toml", &text, &context)?.first_request(0, 0, 1, 0);
        Ok(String::from_utf8_lossy(&request).into_owned())
    };
    assert!(body("17").expect("a number").ends_with("{\"id\": 17}"));
    let error: ScenarioError = body("a").expect_err("a text");
    assert!(
        error.reason.contains("is no number, true, false or null"),
        "{error}"
    );
}
