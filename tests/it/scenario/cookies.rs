//! Cookies of users and links of answers: what a server sees over a run, and what is refused before it.

use crate::support::sim_server::{self, Answer, Seen, Server, check_sums};
use opsurge::engine::plan::Plan;
use opsurge::engine::shard::Outcomes;
use opsurge::load::closed::Closed;
use opsurge::metrics::outcome::Failure;
use opsurge::scenario::format::compile::{Context, compile};
use opsurge::sim::Network;
use opsurge_testbed::plans;

/// Runs each user once through a scenario.
fn run(text: &str, users: u64, answer: impl FnMut(&Seen) -> Answer) -> (Outcomes, Vec<Seen>) {
    let context = Context {
        read: &|_| Ok(b"path\n/a/b?c=%2F\n/d\n".to_vec().into()),
        ..Context::plain()
    };
    let load = Closed::at_rate(users, users as f64).with_iterations(Some(users));
    let plan: Plan = plans::plan(plans::scenario_with(text, &context), load);
    let server = Server::with_journal(answer);
    let (outcomes, sim) = sim_server::run(&plan, 0, server, Network::calm(0), 1);
    check_sums(&outcomes.recorder.counts.steps, 1);
    (outcomes, sim.service.journal.unwrap_or_default())
}

fn failures(outcomes: &Outcomes) -> Vec<(Failure, u64)> {
    let steps = outcomes.recorder.counts.steps.iter();
    let errors = steps.flat_map(|step| &step.errors);
    errors.map(|error| (error.failure, error.count)).collect()
}

fn answer(status: u16, fields: &str) -> Answer {
    Answer {
        fields: fields.to_owned(),
        ..Answer::new(status, "{}")
    }
}

fn check_error(text: &str, place: (usize, usize), reason: &str) {
    let error = compile("my.toml", text, &Context::plain())
        .map(|_| ())
        .expect_err(text);
    assert_eq!((error.line, error.column), place, "{error}");
    assert!(error.to_string().contains(reason), "{error}");
}

const SHOP: &str = r#"
name = "shop"
cookies = true
[[start]]
method = "POST"
path = "/login"
extract = { first = { cookie = "sid" } }
[[task]]
name = "buy"
[[task.step]]
method = "GET"
path = "/shop/{{first}}"
headers = { X-XSRF-TOKEN = "{{cookie.XSRF-TOKEN}}", X-None = "<{{cookie.none}}>" }
[[task.step]]
method = "GET"
path = "/other"
"#;

#[test]
fn every_user_sends_its_own_cookies_where_they_belong() {
    let mut count = 0;
    let (outcomes, seen) = run(SHOP, 3, |seen| match seen.path.as_str() {
        "/login" => {
            count += 1;
            let fields = format!(
                "set-cookie: sid=s{count}; path=/\r\nset-cookie: XSRF-TOKEN=\"t{count}\"; Path=/shop\r\nset-cookie: gone=1; max-age=0\r\n"
            );
            answer(200, &fields)
        }
        "/other" => answer(200, ""),
        // Cookies of failures count too.
        _ => answer(500, "set-cookie: sid=later; path=/\r\n"),
    });
    assert_eq!(failures(&outcomes), [(Failure::Status, 3)]);
    assert_eq!(seen.len(), 9);
    for user in 1..=3 {
        let path = format!("/shop/s{user}");
        let shop = seen.iter().find(|it| it.path == path).expect("it came");
        let token = format!("\"t{user}\"");
        assert_eq!(
            shop.field("cookie"),
            Some(&*format!("XSRF-TOKEN={token}; sid=s{user}"))
        );
        assert_eq!(shop.field("x-xsrf-token"), Some(&*token));
        assert_eq!(shop.field("x-none"), Some("<>"));
    }
    for one in &seen {
        match one.path.as_str() {
            "/login" => assert_eq!(one.field("cookie"), None, "{}", one.head),
            "/other" => assert_eq!(one.field("cookie"), Some("sid=later"), "{}", one.head),
            _ => {}
        }
    }
}

#[test]
fn without_cookies_nothing_is_kept_and_no_field_is_sent() {
    let text = SHOP
        .replace("cookies = true\n", "")
        .replace("{{cookie.XSRF-TOKEN}}", "x");
    let text = text.replace("{{cookie.none}}", "");
    let (_, seen) = run(&text, 1, |_| answer(200, "set-cookie: sid=1; path=/\r\n"));
    assert!(seen.iter().all(|it| it.field("cookie").is_none()));
    let plain = compile("my.toml", &text, &Context::plain()).expect("valid");
    let kept = compile("my.toml", SHOP, &Context::plain()).expect("valid");
    assert_eq!(kept.variables.stride(), plain.variables.stride() + 512 + 2);
}

#[test]
fn a_jar_that_is_full_fails_the_step_instead_of_losing_a_cookie() {
    let text = SHOP.replace("cookies = true", "cookies = { bytes = 64 }");
    let long = format!("set-cookie: sid=1\r\nset-cookie: l={}\r\n", "x".repeat(64));
    let (outcomes, _) = run(&text, 1, |_| answer(200, &long));
    assert_eq!(failures(&outcomes)[0], (Failure::Expectation, 1));
}

#[test]
fn a_link_of_an_answer_is_followed_as_a_path_and_another_host_fails() {
    let text = r#"
        name = "pages"
        [[task]]
        name = "list"
        [[task.step]]
        method = "GET"
        path = "/first"
        extract = { next = { header = "Location" } }
        [[task.step]]
        method = "GET"
        path = "{{next}}"
        [[task.step]]
        method = "GET"
        path = "{{next}}&page=2"
    "#;
    let host = {
        let (_, seen) = run(text, 1, |_| answer(200, ""));
        seen[0].field("host").expect("a host").to_owned()
    };
    let follow = |location: &str| {
        let fields = format!("location: {location}\r\n");
        let (outcomes, seen) = run(text, 1, |_| answer(200, &fields));
        let paths: Vec<String> = seen.into_iter().map(|it| it.path).collect();
        (failures(&outcomes), paths)
    };
    for location in [
        "/a%2Fb?q=%C3#x".to_owned(),
        format!("http://{host}/a%2Fb?q=%C3"),
    ] {
        let (failures, paths) = follow(&location);
        assert_eq!(failures, [], "{location}");
        assert_eq!(paths, ["/first", "/a%2Fb?q=%C3", "/a%2Fb?q=%C3&page=2"]);
    }
    for location in [
        "http://other.example/a",
        "mailto:a@other.example",
        "https://other.example/",
    ] {
        let (failures, paths) = follow(location);
        assert_eq!(failures, [(Failure::Expectation, 1)], "{location}");
        assert_eq!(paths, ["/first"]);
    }
}

#[test]
fn a_relative_link_goes_on_from_the_request_that_it_answers() {
    let text = r#"
        name = "links"
        [[task]]
        name = "follow"
        [[task.step]]
        method = "GET"
        path = "/shop/{{sequence 40}}/items"
        query = { sort = "{{uuid}}" }
        follow = 3
        extract = { next = { header = "X-Next" } }
        [[task.step]]
        method = "GET"
        path = "{{next}}"
        extract = { next = { header = "X-Next" } }
        [[task.step]]
        method = "GET"
        path = "{{next}}"
        name = "last"
    "#;
    let (outcomes, seen) = run(text, 1, |seen| match seen.path.as_str() {
        "/shop/x?y=1" => answer(302, "location: ?page=2\r\n"),
        "/shop/x?page=2" => answer(200, "x-next: deep/./../next\r\n"),
        "/shop/next" => answer(200, "x-next: ../../last#end\r\n"),
        "/last" => answer(200, ""),
        path => {
            assert!(path.starts_with("/shop/40/items?sort="), "{path}");
            answer(302, "location: ../x?y=1\r\n")
        }
    });
    assert_eq!(failures(&outcomes), []);
    let paths: Vec<&str> = seen.iter().skip(1).map(|it| it.path.as_str()).collect();
    assert_eq!(
        paths,
        ["/shop/x?y=1", "/shop/x?page=2", "/shop/next", "/last"]
    );
}

#[test]
fn paths_come_from_rows_as_they_stand_there() {
    let text = "name = \"x\"\ncsv = { file = \"paths.csv\" }\n[[task]]\nmethod = \"GET\"\npath = \"{{csv.path}}\"\n";
    let (_, seen) = run(text, 2, |_| answer(200, ""));
    let mut paths: Vec<&str> = seen.iter().map(|it| it.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/a/b?c=%2F", "/d"]);
}

#[test]
fn wrong_cookies_and_starts_of_paths_are_refused_with_what_would_be_right() {
    const STEP: &str = "name = \"x\"\n[[task]]\nmethod = \"GET\"\npath = \"/\"\n";
    let with = |line: &str| format!("{STEP}{line}\n");
    check_error(
        &with("headers = { X = \"{{cookie.sid}}\" }"),
        (5, 18),
        "write cookies = true",
    );
    check_error(
        &format!("cookies = 1\n{STEP}"),
        (1, 11),
        "write true, or { bytes",
    );
    check_error(
        &format!("cookies = {{ bytes = 1 }}\n{STEP}"),
        (1, 21),
        "from 64 to",
    );
    check_error(
        &format!("cookies = {{}}\n{STEP}"),
        (1, 11),
        "write for example bytes = 4096",
    );
    check_error(
        &format!("cookies = true\n{}", with("headers = { cookie = \"a=b\" }")),
        (5, 8),
        "leave one of them out",
    );
    check_error(
        &format!(
            "cookies = true\n{}",
            with("[variables]\na = \"{{cookie.a}}\"")
        ),
        (7, 6),
        "computed once",
    );
    check_error(
        &with("extract = { a = { cookie = \"a=b\" } }"),
        (5, 28),
        "not the name of a cookie",
    );
    let path = |hole: &str| STEP.replace("\"/\"", &format!("\"{hole}\""));
    check_error(&path("{{user}}"), (4, 9), "write \"/{{user}}\"");
    check_error(&path("{{choice /a|b}}"), (4, 9), "does not always");
    check_error(&path("{{nope}}/x"), (4, 9), "nothing is known of {{nope}}");
    let variable = |value: &str| format!("{}[variables]\nbase = \"{value}\"\n", path("{{base}}/x"));
    check_error(&variable("v1"), (4, 9), "does not always");
    for right in ["/v1", "/v1/{{user}}", "{{choice /a|/b}}"] {
        let compiled = compile("my.toml", &variable(right), &Context::plain());
        assert!(
            compiled.is_ok(),
            "{right}: {}",
            compiled.expect_err("an error")
        );
    }
}

const LOGIN: &str = r#"
name = "login"
cookies = true
[[start]]
method = "POST"
path = "/login?from=test"
follow = 2
form = { user = "{{user}}", nonce = "{{uuid}}" }
extract = { page = { json = "/page" } }
[[task]]
method = "GET"
path = "/{{page}}"
"#;

/// What the server sees of one user: method, path and body, and the counts by name.
fn followed(
    text: &str,
    answer: impl FnMut(&Seen) -> Answer,
) -> (Outcomes, Vec<Seen>, Vec<(String, u64)>) {
    let (outcomes, seen) = run(text, 1, answer);
    let scenario = compile("my.toml", text, &Context::plain()).expect("valid");
    let labels = scenario
        .metrics
        .iter()
        .map(|it| format!("{} {}", it.method, it.name));
    let sent = outcomes.recorder.counts.steps.iter().map(|step| step.sent);
    let counts = labels.zip(sent).filter(|(_, sent)| *sent > 0).collect();
    (outcomes, seen, counts)
}

fn to(status: u16, location: &str) -> Answer {
    answer(
        status,
        &format!("location: {location}\r\nset-cookie: at={status}; path=/\r\n"),
    )
}

#[test]
fn a_redirect_after_post_is_followed_with_get_and_each_hop_counts_by_itself() {
    let (outcomes, seen, counts) = followed(LOGIN, |seen| match seen.path.as_str() {
        "/login?from=test" => to(303, "/a"),
        "/a" => to(307, "http://sim/b%20c#top"),
        _ => Answer::new(200, "{\"page\":\"home\"}"),
    });
    assert_eq!(failures(&outcomes), []);
    let lines: Vec<String> = seen
        .iter()
        .map(|it| format!("{} {}", it.method, it.path))
        .collect();
    assert_eq!(
        lines,
        ["POST /login?from=test", "GET /a", "GET /b%20c", "GET /home"]
    );
    assert_eq!(
        (seen[1].body.as_str(), seen[1].field("content-type")),
        ("", None)
    );
    let cookies: Vec<Option<&str>> = seen.iter().map(|it| it.field("cookie")).collect();
    assert_eq!(
        cookies,
        [None, Some("at=303"), Some("at=307"), Some("at=307")]
    );
    let expected = [
        ("POST /login?from=test", 1),
        ("GET /login?from=test (redirected)", 2),
        ("GET /{{page}}", 1),
    ];
    assert_eq!(
        counts,
        expected.map(|(name, count)| (name.to_owned(), count))
    );
}

#[test]
fn a_307_keeps_method_and_body_and_a_later_303_turns_it_into_get() {
    let (outcomes, seen, _) = followed(LOGIN, |seen| match seen.path.as_str() {
        "/login?from=test" => to(308, "/a"),
        "/a" => to(303, "/b"),
        _ => Answer::new(200, "{\"page\":\"home\"}"),
    });
    assert_eq!(failures(&outcomes), []);
    let lines: Vec<String> = seen
        .iter()
        .map(|it| format!("{} {}", it.method, it.path))
        .collect();
    assert_eq!(
        lines,
        ["POST /login?from=test", "POST /a", "GET /b", "GET /home"]
    );
    assert!(seen[0].body.starts_with("user=0&nonce="));
    assert_eq!(
        seen[1].body, seen[0].body,
        "the values made for the request stay"
    );
}

#[test]
fn too_many_redirects_and_those_to_other_hosts_fail_the_step() {
    let (outcomes, seen, _) = followed(LOGIN, |_| to(302, "/again"));
    assert_eq!(failures(&outcomes), [(Failure::Status, 1)]);
    assert_eq!(seen.len(), 3, "the step and two hops; then the user leaves");
    for location in ["http://other.example/", "https://sim/", "mailto:a@sim"] {
        let (outcomes, seen, _) = followed(LOGIN, |_| to(302, location));
        assert_eq!(
            failures(&outcomes),
            [(Failure::Expectation, 1)],
            "{location}"
        );
        assert_eq!(seen.len(), 1);
    }
    let (outcomes, _, _) = followed(LOGIN, |_| answer(302, ""));
    assert_eq!(failures(&outcomes), [(Failure::Expectation, 1)]);
}

#[test]
fn a_named_task_ends_with_the_last_hop_and_one_without_redirects_passes_over_them() {
    let text = r#"
        name = "x"
        [[task]]
        name = "whole"
        [[task.step]]
        method = "GET"
        path = "/a"
        follow = 3
        [[task.step]]
        method = "GET"
        path = "/b"
        follow = 3
    "#;
    for is_redirected in [true, false] {
        let (outcomes, seen, _) = followed(text, |seen| match seen.path.as_str() {
            "/a" | "/b" if is_redirected => to(302, "/c"),
            _ => answer(200, ""),
        });
        assert_eq!(failures(&outcomes), []);
        assert_eq!(seen.len(), if is_redirected { 4 } else { 2 });
        let span = &outcomes.recorder.counts.spans[0];
        assert_eq!((span.begun, span.times.count()), (1, 1), "{is_redirected}");
    }
}

#[test]
fn follow_that_cannot_work_is_refused() {
    const STEP: &str = "name = \"x\"\n[[task]]\nmethod = \"GET\"\npath = \"/\"\n";
    let with = |line: &str| format!("{STEP}{line}\n");
    check_error(&with("follow = 0"), (5, 10), "from 1 to 10");
    check_error(
        &with("follow = 1\nexpect = { status = [200, 302] }"),
        (5, 10),
        "status 302",
    );
    check_error(
        &with("follow = 1\nretry_every = 1\ngive_up_after = 9"),
        (5, 10),
        "a poll",
    );
    check_error(&with("folow = 1"), (5, 1), "did you mean \"follow\"?");
}

/// A form with a token. The same text before the form, and the entity in it, are there to mislead.
const PROFILE: &str = "<p>input name=csrf</p><form method=post>\
    <input type=\"hidden\" name=\"csrf\" value=\"t0ken=\"><input name=\"name\" value=\"Ada\"></form>";
/// How the example takes the token, and how its comment says that a build without HTML does.
const BY_HTML: &str = "csrf = { html = \"form input[name=csrf]@value\" }";
const BY_TEXT: &str = "csrf = { between = ['name=\"csrf\" value=\"', '\"'] }";

/// A site that lets in only who sends the right cookie, token and credentials.
fn legacy_site(seen: &Seen) -> Answer {
    let has_session = seen
        .field("cookie")
        .is_some_and(|it| it.contains("session=s-ada"));
    match (seen.method.as_str(), seen.path.as_str()) {
        ("POST", "/login") if seen.body == "mail=ada%40example.com&password=correct-horse" => {
            answer(
                303,
                "location: http://sim/home\r\nset-cookie: session=s-ada; Path=/; HttpOnly\r\n",
            )
        }
        _ if !has_session => answer(403, ""),
        ("GET", "/home" | "/articles?page=2") => answer(200, ""),
        ("GET", "/articles") => answer(200, "x-next-page: http://sim/articles?page=2\r\n"),
        ("GET", "/profile") => Answer::new(200, PROFILE),
        ("POST", "/profile") if seen.body.starts_with("csrf=t0ken%3D&name=") => to(302, "/home"),
        ("GET", "/reports/today") => {
            let credentials = Some("Basic YWRhQGV4YW1wbGUuY29tOmNvcnJlY3QtaG9yc2U=");
            answer(
                if seen.field("authorization") == credentials {
                    200
                } else {
                    401
                },
                "",
            )
        }
        ("POST", "/logout") => answer(303, "location: /home\r\n"),
        _ => answer(404, ""),
    }
}

#[test]
fn the_example_of_a_legacy_site_works_as_its_site_wants() {
    let text = include_str!("../../../docs/examples/legacy.toml");
    if cfg!(feature = "html") {
        check_legacy(text);
    }
    assert!(text.contains(BY_TEXT), "the comment has the other form");
    let by_text = text.replace(BY_HTML, BY_TEXT);
    assert_ne!(by_text, text);
    check_legacy(&by_text);
}

fn check_legacy(text: &str) {
    let context = Context {
        read: &|_| {
            Ok(include_bytes!("../../../docs/examples/users.csv")
                .to_vec()
                .into())
        },
        ..Context::plain()
    };
    let load = Closed::at_rate(1, 1.0).with_iterations(Some(40));
    let plan = plans::plan(plans::scenario_with(text, &context), load);
    let server = Server::with_journal(legacy_site);
    let (outcomes, sim) = sim_server::run(&plan, 0, server, Network::calm(0), 1);
    assert_eq!(failures(&outcomes), []);
    let seen = sim.service.journal.expect("a journal");
    for path in [
        "/login",
        "/articles?page=2",
        "/profile",
        "/reports/today",
        "/logout",
    ] {
        assert!(seen.iter().any(|it| it.path == path), "{path}");
    }
}
