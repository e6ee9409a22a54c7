//! Binding: a scenario that is compiled without a target and then bound has the templates of one in which the target
//! stands as text.

use opsurge::http::request::{Cuts, Values};
use opsurge::scenario::builtin::{BUILTIN, FORMAT};
use opsurge::scenario::format::compile::{Context, compile};
use opsurge::scenario::model::{Credentials, Scenario};

/// Steps with a Host of their own, queries, bodies of every kind, one of them shared.
const OWN_HOST: &str = r#"
name = "own"
[headers]
host = "own.example"
[[start]]
method = "POST"
path = "/a?x=1"
query = { q = "{{uuid}}" }
form = { a = "{{user}}" }
[[task]]
method = "GET"
path = "/b/{{uuid}}"
headers = { Host = "{{uuid}}.example" }
[[task]]
method = "PUT"
path = "/{{user}}"
file = "big.json"
"#;

const TARGETS: [(&str, &str); 4] = [
    ("localhost:8000", ""),
    ("[::1]:9", "/api"),
    ("x", "/v1/deep/er"),
    ("a-very-long-name.example.test:65535", "/a"),
];

fn compiled(text: &str, headers: &[(String, String)]) -> Scenario {
    let context = Context {
        api_key: Some("the-key".into()),
        read: &|name| match name {
            "big.json" => Ok(vec![b'x'; 40_000].into()),
            _ => Ok(b"mail\nann@example.test\n".to_vec().into()),
        },
        headers,
        ..Context::plain()
    };
    compile("test.toml", text, &context).unwrap_or_else(|error| panic!("{error}"))
}

/// What a step sends first: its bytes, the places of its shared stretches, and its template's segments and length.
fn sent(scenario: &Scenario, step: usize) -> (String, Cuts, String) {
    let (user, fresh) = scenario.first_values(step as u16, 3, 7, 1_700_000_000_000_000_000);
    let template = &scenario.steps[step].template;
    let mut rendered = vec![0; template.bytes_max()];
    let mut cuts = Cuts::default();
    let values = Values {
        user: &user,
        fresh: &fresh,
    };
    let length = template.render(values, &mut rendered, &mut cuts);
    let bytes = rendered[..length].escape_ascii().to_string();
    (bytes, cuts, format!("{template:?}"))
}

/// Compares a bound scenario with one whose paths have the base path in them, and whose `Host` is given as a field.
fn check(text: &str, has_own_host: bool) {
    for (authority, base_path) in TARGETS {
        let host = [("Host".to_owned(), authority.to_owned())];
        let host = if has_own_host { &host[..0] } else { &host };
        let written_out = text.replace("path = \"/", &format!("path = \"{base_path}/"));
        let expected = compiled(&written_out, host);
        let bound = compiled(text, &[]).bind(authority, base_path);
        let again = compiled(text, &[]).bind("another.example", "/other");
        for bound in [bound, again.bind(authority, base_path)] {
            assert_eq!(bound.steps.len(), expected.steps.len());
            for step in 0..expected.steps.len() {
                assert_eq!(sent(&bound, step), sent(&expected, step));
            }
            assert_eq!(bound.rendered_bytes_max(), expected.rendered_bytes_max());
            assert_eq!(bound.shared(), expected.shared());
        }
    }
}

#[test]
fn a_bound_scenario_sends_what_one_with_the_target_written_out_sends() {
    for builtin in &BUILTIN {
        check(builtin.text, false);
    }
    check(FORMAT, false);
    check(OWN_HOST, true);
}

#[test]
fn a_secret_in_the_base_path_is_masked_and_known_as_credentials() {
    let text = "name = \"x\"\n[[task]]\nmethod = \"GET\"\npath = \"/\"\n";
    let credentials = |base_path| {
        let scenario = compiled(text, &[]).bind("x", base_path);
        let shown = scenario.secrets.mask("at s3cret42");
        (scenario.metrics[0].carries.credentials.clone(), shown)
    };
    let (found, shown) = credentials("/a;token=s3cret42");
    assert_eq!((found, &shown[..]), (Credentials::Target, "at ***"));
    let (found, shown) = credentials("/a");
    assert_eq!((found, &shown[..]), (Credentials::None, "at s3cret42"));
}
