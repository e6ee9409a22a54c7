//! Named targets on the virtual clock, and one run of the real binary with a target in plain text and one that is encrypted.

use crate::support::binary::record_of;
use crate::support::raw_server::{RawServer, answer_ok};
use crate::support::sim_server::{self, Answer, Seen, Server, check_sums};
use crate::support::tls_server::{Manner, TlsServer, config};
use opsurge::engine::plan::{Connections, Plan};
use opsurge::engine::shard::Outcomes;
use opsurge::load::closed::Closed;
use opsurge::metrics::outcome::Failure;
use opsurge::scenario::format::compile::{Context, compile};
use opsurge::sim::Network;
use opsurge_testbed::certificates::Authority;
use opsurge_testbed::plans;

const AUTH: &str = "auth.test:9000";
const HEAD: &str = "name = \"x\"\nwait = \"0s\"\n[targets]\nauth = \"http://auth.test:9000/base\"\npay = \"http://pay.test\"\n";

/// A plan of one shard: each user passes once through the tasks.
fn plan(text: &str, users: u64, passes: u64) -> Plan {
    let load = Closed::at_rate(users, 1e9).with_iterations(Some(users * passes));
    plans::plan(plans::scenario(text), load)
}

fn run(plan: &Plan, answer: impl FnMut(&Seen) -> Answer) -> (Outcomes, Vec<Seen>) {
    let server = Server::with_journal(answer);
    let (outcomes, sim) = sim_server::run(plan, 0, server, Network::calm(0), 1);
    check_sums(&outcomes.recorder.counts.steps, 1);
    (outcomes, sim.service.journal.unwrap_or_default())
}

/// Host, path and credentials of each request.
fn went(journal: &[Seen]) -> Vec<(&str, &str, Option<&str>)> {
    let parts = journal.iter().map(|seen| {
        let host = seen.field("Host").unwrap_or_default();
        (host, &seen.path[..], seen.field("Authorization"))
    });
    parts.collect()
}

fn with_location(status: u16, link: &str) -> Answer {
    Answer {
        fields: format!("Location: {link}\r\n"),
        ..Answer::new(status, "")
    }
}

fn failures(outcomes: &Outcomes) -> Vec<(Failure, String)> {
    let steps = outcomes.recorder.counts.steps.iter();
    let errors = steps.flat_map(|step| &step.errors);
    let errors = errors.filter(|error| error.count > 0);
    errors
        .map(|error| (error.failure, error.example.text.clone()))
        .collect()
}

#[test]
fn a_step_goes_to_its_target_over_its_own_connection_and_without_the_plans_credentials() {
    let text = format!(
        "auth = {{ bearer = \"of-the-plan\" }}\n{HEAD}[headers]\nX-API-Key = \"key\"\nX-Team = \"load\"\n\
         [[task]]\n[[task.step]]\nmethod = \"GET\"\npath = \"/items\"\n\
         [[task.step]]\nmethod = \"POST\"\ntarget = \"auth\"\npath = \"/token\"\n\
         [[task.step]]\nmethod = \"GET\"\ntarget = \"pay\"\npath = \"/pay\"\nauth = {{ bearer = \"own\" }}\n"
    );
    let plan = plan(&text, 2, 3);
    let names = plan.scenario.metrics.iter();
    let names: Vec<_> = names
        .map(|it| (&it.name[..], it.target.as_deref()))
        .collect();
    assert_eq!(
        names,
        [
            ("/items", None),
            ("auth/token", Some("auth")),
            ("pay/pay", Some("pay"))
        ]
    );
    let (outcomes, journal) = run(&plan, |_| Answer::new(200, "{}"));
    assert_eq!(failures(&outcomes), []);
    assert_eq!(journal.len(), 2 * 3 * 3);
    for seen in &journal {
        // Two users have slots 0 and 1 of the first target, then as many of each other one.
        let expected = match seen.connection.slot / 2 {
            0 => ("sim", "/items", Some("Bearer of-the-plan"), Some("key")),
            1 => (AUTH, "/base/token", None, None),
            _ => ("pay.test", "/pay", Some("Bearer own"), None),
        };
        let (host, path, authorization, key) = expected;
        assert_eq!(seen.field("Host"), Some(host));
        assert_eq!(seen.path, path);
        assert_eq!(seen.field("Authorization"), authorization);
        assert_eq!(seen.field("X-API-Key"), key);
        assert_eq!(seen.field("X-Team"), Some("load"), "no credentials");
    }
    let opened = outcomes.recorder.counts.connects.count();
    assert_eq!(opened, 6, "each user keeps one to each target");
}

#[test]
fn a_redirect_to_a_named_target_goes_there_and_takes_no_credentials_along() {
    let text = format!(
        "{HEAD}[[task]]\nmethod = \"POST\"\npath = \"/login\"\nauth = {{ bearer = \"own\" }}\nfollow = 4\n"
    );
    let (outcomes, journal) = run(&plan(&text, 1, 2), |seen| match &seen.path[..] {
        "/login" => with_location(303, "http://auth.test:9000/base/token"),
        "/base/token" => with_location(302, "next"),
        "/base/next" => with_location(302, "http://sim/home"),
        _ => Answer::new(200, "{}"),
    });
    assert_eq!(failures(&outcomes), []);
    let once = [
        ("sim", "/login", Some("Bearer own")),
        (AUTH, "/base/token", None),
        (AUTH, "/base/next", None),
        ("sim", "/home", Some("Bearer own")),
    ];
    assert_eq!(went(&journal), [once, once].concat());
    assert_eq!(outcomes.recorder.counts.connects.count(), 2);
}

#[test]
fn a_body_goes_along_to_a_named_target_where_the_status_says_so() {
    let text = format!(
        "{HEAD}[[task]]\nmethod = \"POST\"\npath = \"/a\"\ntext = \"n={{{{uuid}}}}\"\nfollow = 1\n"
    );
    let (outcomes, journal) = run(&plan(&text, 1, 1), |seen| match &seen.path[..] {
        "/a" => with_location(307, "http://pay.test/b"),
        _ => Answer::new(200, "{}"),
    });
    assert_eq!(failures(&outcomes), []);
    let sent: Vec<_> = journal
        .iter()
        .map(|it| (&it.method[..], &it.body))
        .collect();
    assert_eq!(sent[1].0, "POST");
    assert_eq!(sent[0].1, sent[1].1);
    assert_eq!(journal[1].field("Host"), Some("pay.test"));
}

#[test]
fn a_link_out_of_an_answer_decides_where_the_next_request_goes() {
    let text = format!(
        "auth = {{ bearer = \"of-the-plan\" }}\n{HEAD}[[task]]\n[[task.step]]\nmethod = \"GET\"\npath = \"/first\"\n\
         extract = {{ next = {{ json = \"/next\" }} }}\n[[task.step]]\nname = \"next\"\nmethod = \"GET\"\n\
         path = \"{{{{next}}}}\"\nextract = {{ next = {{ json = \"/next\" }} }}\n\
         [[task.step]]\nname = \"last\"\nmethod = \"GET\"\npath = \"{{{{next}}}}\"\n"
    );
    let (outcomes, journal) = run(&plan(&text, 2, 2), |seen| match &seen.path[..] {
        "/first" => Answer::new(200, r#"{"next": "http://auth.test:9000/base/page?n=2"}"#),
        "/base/page?n=2" => Answer::new(200, r#"{"next": "?n=3"}"#),
        _ => Answer::new(200, "{}"),
    });
    assert_eq!(failures(&outcomes), []);
    assert_eq!(journal.len(), 2 * 2 * 3);
    for (host, path, authorization) in went(&journal) {
        match path {
            "/first" => assert_eq!((host, authorization), ("sim", Some("Bearer of-the-plan"))),
            "/base/page?n=2" | "/base/page?n=3" => assert_eq!((host, authorization), (AUTH, None)),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_link_to_a_host_without_a_name_is_a_failure() {
    let text = format!("{HEAD}[[task]]\nmethod = \"GET\"\npath = \"/a\"\nfollow = 1\n");
    let (outcomes, journal) = run(&plan(&text, 1, 1), |_| {
        with_location(302, "http://other.test/x")
    });
    assert_eq!(journal.len(), 1);
    let failures = failures(&outcomes);
    let [(Failure::Expectation, text)] = &failures[..] else {
        panic!("{failures:?}");
    };
    assert!(
        text.contains("neither the target nor one of [targets]"),
        "{text}"
    );
}

#[test]
fn cookies_go_to_the_hosts_that_they_are_for() {
    let text = "name = \"x\"\nwait = \"0s\"\ncookies = true\n[targets]\nauth = \"http://auth.shop.test:9000\"\npay = \"http://pay.test\"\n\
         [[task]]\n[[task.step]]\nmethod = \"GET\"\ntarget = \"auth\"\npath = \"/in\"\n\
         [[task.step]]\nmethod = \"GET\"\ntarget = \"pay\"\npath = \"/pay\"\n\
         [[task.step]]\nmethod = \"GET\"\npath = \"/home\"\n";
    let scenario = plans::scenario(text).bind("www.shop.test", "");
    let load = Closed::at_rate(1, 1e9).with_iterations(Some(2));
    let (outcomes, journal) = run(&plans::plan(scenario, load), |seen| {
        let cookies = match &seen.path[..] {
            "/in" => {
                "Set-Cookie: own=1\r\nSet-Cookie: all=2; Domain=shop.test\r\nSet-Cookie: s=3; Secure\r\n"
            }
            "/pay" => "Set-Cookie: paid=4\r\n",
            _ => "",
        };
        Answer {
            fields: cookies.to_owned(),
            ..Answer::new(200, "{}")
        }
    });
    assert_eq!(failures(&outcomes), []);
    let sent: Vec<_> = journal
        .iter()
        .map(|it| (&it.path[..], it.field("Cookie")))
        .collect();
    assert_eq!(
        sent,
        [
            ("/in", None),
            ("/pay", None),
            ("/home", Some("all=2")),
            ("/in", Some("own=1; all=2")),
            ("/pay", Some("paid=4")),
            ("/home", Some("all=2")),
        ]
    );
}

#[test]
fn shared_connections_carry_requests_to_their_own_target_alone() {
    let text = format!(
        "{HEAD}[[task]]\n[[task.step]]\nmethod = \"GET\"\npath = \"/a\"\ntimeout = \"2s\"\n\
         [[task.step]]\nmethod = \"GET\"\ntarget = \"auth\"\npath = \"/b\"\n"
    );
    for depth in [1, 3] {
        let plan = Plan {
            connections: Connections::Shared { count: 2, depth },
            ..plan(&text, 9, 5)
        };
        let (outcomes, journal) = run(&plan, |_| Answer {
            after_ns: 1_000_000,
            ..Answer::new(200, "{}")
        });
        assert_eq!(failures(&outcomes), []);
        assert_eq!(journal.len(), 9 * 5 * 2);
        assert!(outcomes.waited_in_line > 0);
        for seen in &journal {
            let host = ["sim", AUTH][seen.connection.slot as usize / 2];
            assert_eq!(seen.field("Host"), Some(host));
        }
        assert_eq!(outcomes.recorder.counts.connects.count(), 4);
    }
}

#[test]
fn steps_that_are_sent_at_once_may_go_to_different_targets() {
    let text = format!(
        "{HEAD}[[task]]\n[[task.step]]\ntogether = [\n{{ method = \"GET\", path = \"/a\" }},\n\
         {{ method = \"GET\", target = \"pay\", path = \"/b\" }},\n\
         {{ method = \"GET\", target = \"auth\", path = \"/c\" }},\n]\n"
    );
    let (outcomes, journal) = run(&plan(&text, 2, 3), |_| Answer::new(200, "{}"));
    assert_eq!(failures(&outcomes), []);
    assert_eq!(journal.len(), 2 * 3 * 3);
    for (host, path, _) in went(&journal) {
        let expected = match path {
            "/a" => "sim",
            "/b" => "pay.test",
            _ => AUTH,
        };
        assert_eq!(host, expected, "{path}");
    }
    assert_eq!(outcomes.recorder.counts.connects.count(), 6);
}

#[test]
fn a_connection_that_fails_names_its_target() {
    let text = format!(
        "{HEAD}[[task]]\nmethod = \"GET\"\ntarget = \"auth\"\npath = \"/a\"\ntimeout = \"1s\"\n"
    );
    let server = Server::new(|_: &Seen| Answer::new(200, "{}"));
    let network = Network {
        refuse: 1.0,
        ..Network::calm(0)
    };
    let (outcomes, _) = sim_server::run(&plan(&text, 1, 1), 0, server, network, 1);
    let failures = failures(&outcomes);
    let [(Failure::ConnectRefused, text)] = &failures[..] else {
        panic!("{failures:?}");
    };
    assert!(text.starts_with("auth: "), "{text}");
}

#[test]
fn the_command_line_gives_another_url_for_a_name() {
    let text = format!("{HEAD}[[task]]\nmethod = \"GET\"\ntarget = \"auth\"\npath = \"/a\"\n");
    let compiled = |name: &str, url: &str| {
        let targets = [(name.to_owned(), url.to_owned())];
        let context = Context {
            targets: &targets,
            ..Context::plain()
        };
        compile("my.toml", &text, &context)
    };
    let scenario = compiled("auth", "https://other.test").expect("valid");
    let request = scenario.first_request(0, 0, 0, 0);
    let request = String::from_utf8_lossy(&request);
    assert!(
        request.starts_with("GET /a HTTP/1.1\r\nHost: other.test\r\n"),
        "{request}"
    );
    let error = compiled("aut", "https://other.test")
        .expect_err("unknown")
        .to_string();
    assert!(
        error.contains("has no \"aut\"; did you mean \"auth\"?"),
        "{error}"
    );
    let error = compiled("pay", "https://me:s3cret@other.test").expect_err("credentials");
    let written = text.replace("http://pay.test", "http://me:s3cret@pay.test");
    let in_the_file = compile("my.toml", &written, &Context::plain()).expect_err("credentials");
    for error in [error, in_the_file] {
        let error = error.to_string();
        assert!(error.contains("carries credentials"), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    }
}

#[test]
fn one_run_sends_in_plain_text_to_one_target_and_encrypted_to_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::default();
    let secure = TlsServer::start(config(&authority), Manner::default());
    let plain = RawServer::start(answer_ok);
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, authority.root_pem()).expect("written");
    let scenario = folder.path().join("two.toml");
    let body = "x".repeat(200_000);
    let text = format!(
        "name = \"two\"\nwait = \"0s\"\n[targets]\nauth = \"https://localhost:{}\"\n\
         [[task]]\n[[task.step]]\nmethod = \"POST\"\npath = \"/a\"\ntext = \"{body}\"\n\
         [[task.step]]\nmethod = \"GET\"\ntarget = \"auth\"\npath = \"/b\"\n",
        secure.port()
    );
    std::fs::write(&scenario, text).expect("written");
    let arguments = [
        scenario.to_str().expect("UTF-8"),
        "--host",
        &plain.url(),
        "--cacert",
        roots.to_str().expect("UTF-8"),
        "-u",
        "2",
        "--iterations",
        "6",
    ];
    let (record, printed) = record_of(&arguments, 0);
    let [target] = &record.run.targets[..] else {
        panic!("{printed}");
    };
    assert_eq!(target.name, "auth");
    assert!(
        target
            .tls
            .as_deref()
            .is_some_and(|tls| tls.starts_with("TLS 1.3"))
    );
    assert_eq!(plain.requests(), 6);
    assert_eq!(secure.seen.count(|seen| &seen.requests), 6);
    let steps = record
        .steps
        .iter()
        .map(|it| (&it.name[..], it.requests, it.target.as_deref()));
    assert_eq!(
        steps.collect::<Vec<_>>(),
        [("/a", 6, None), ("auth/b", 6, Some("auth"))]
    );
    assert!(
        printed.contains("target auth: https://localhost:"),
        "{printed}"
    );
    plain.kill();
}
