//! Any scenario that is accepted sends valid HTTP for any user and any answer; any text that is refused gets a place.
//! Scenarios are made of seeded parts that are likely to break the text around them.

use std::cell::Cell;

use crate::support::background::in_background;
use opsurge::http::request::Values;
use opsurge::load::random::{Keyed, Stream};
use opsurge::scenario::builtin::{BUILTIN, FORMAT};
use opsurge::scenario::expect::Reply;
use opsurge::scenario::facts::Facts;
use opsurge::scenario::format::compile::{Context, compile};
use opsurge::scenario::format::place::ScenarioError;
use opsurge::scenario::model::Scenario;
use opsurge::scenario::value::Origin;
use serde_json::Value as Json;

/// Texts with a meaning in TOML, JSON, URLs, headers or holes.
const TEXTS: [&str; 16] = [
    "plain",
    "a b",
    "\"quoted\"",
    "back\\slash",
    "\u{e9}\u{65e5}\u{672c}",
    "a\r\nX-Evil: 1",
    "100%",
    "%41",
    "&a=b+c",
    "#?/",
    "\t",
    "\u{7f}",
    "null",
    "-7.5",
    "",
    "}}",
];
const HOLES: [&str; 28] = [
    "uuid",
    "user",
    "now",
    "now_ms",
    "now_s",
    "sequence",
    "sequence 4294967295",
    "random -9..9",
    "random -9223372036854775808..9223372036854775807",
    "random -9.5..9.50",
    "random_string 20",
    "random_name",
    "random_mail",
    "now_s -1d",
    "date",
    "user * 3 - 9",
    "base64 v0",
    "hmac env.KEY csv.text",
    "jwt env.KEY v1",
    "choice a|b c|\"d\"",
    "choice 1|22",
    "csv.text",
    "csv.number",
    "env.KEY",
    "api_key",
    "v0",
    "v1",
    "t0",
];
const CSV: &str =
    "text,number\nplain,1\n\"a \"\"b\"\"\",-2.5\n\"x\r\nX-Evil: 1\",3\n\u{e9}&=%41/,4e3\n";

/// A seeded source of choices.
struct Dice(Cell<u64>);

impl Dice {
    fn below(&self, bound: usize) -> usize {
        let mut state = self.0.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.0.set(state);
        (state >> 11) as usize % bound
    }

    fn pick<'t>(&self, from: &[&'t str]) -> &'t str {
        from[self.below(from.len())]
    }

    fn hole(&self) -> String {
        format!("{{{{{}}}}}", self.pick(&HOLES))
    }

    /// Mostly holes and harmless texts, so that enough scenarios are accepted.
    fn text(&self) -> String {
        let parts = 1 + self.below(3);
        let part = |_| match self.below(4) {
            0 => self.pick(&TEXTS).to_owned(),
            1 => "x".to_owned(),
            _ => self.hole(),
        };
        (0..parts).map(part).collect()
    }

    fn quoted(&self) -> String {
        toml::Value::from(self.text()).to_string()
    }

    fn json_text(&self) -> String {
        let inside = Json::from(self.text()).to_string();
        let bare = match self.below(3) {
            0 => "-7".to_owned(),
            _ => self.hole(),
        };
        let text = match self.below(5) {
            0 => format!("{{\"a\": {inside}, \"b\": [{bare}, 1.5]}}"),
            1 => format!("[{bare}]"),
            2 => format!("{{\"a\": 1{bare}, \"c\": \"\\u00{}\"}}", self.hole()),
            3 => bare,
            _ => inside,
        };
        toml::Value::from(text).to_string()
    }

    fn step(&self) -> String {
        let mut text = format!(
            "method = \"{}\"\npath = {}\n",
            self.pick(&["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"]),
            toml::Value::from(format!("/{}", self.text()))
        );
        if self.below(3) == 0 {
            text += &format!(
                "query = {{ a = {}, b = {} }}\n",
                self.quoted(),
                self.below(99)
            );
        }
        if self.below(3) == 0 {
            text += &format!("headers = {{ X-Own = {} }}\n", self.quoted());
        }
        if self.below(3) == 0 {
            text += "drop_headers = [\"X-All\"]\n";
        }
        text += &match self.below(6) {
            0 => format!("json = {}\n", self.json_text()),
            1 => format!("json = {{ a = {}, b = [1.5, true] }}\n", self.quoted()),
            2 => format!("form = {{ a = {}, b = 1 }}\n", self.quoted()),
            3 => format!("text = {}\n", self.quoted()),
            4 => "file = \"body\"\n".to_owned(),
            _ => String::new(),
        };
        text
    }

    fn scenario(&self) -> String {
        let mut text = "name = \"x\"\ncsv = { file = \"csv\" }\n[variables]\n".to_owned();
        for name in ["v0", "v1"] {
            text += &format!("{name} = {}\n", self.quoted());
        }
        text += &format!("[headers]\nX-All = {}\n", self.quoted());
        text += "[[start]]\nmethod = \"POST\"\npath = \"/login\"\ndrop_headers = [\"X-All\"]\n";
        text += "extract = { t0 = { json = \"/t\" } }\n";
        for _ in 0..1 + self.below(2) {
            text += &format!("[[task]]\n{}", self.step());
        }
        text
    }
}

fn compiled(text: &str) -> Result<Scenario, ScenarioError> {
    let context = Context {
        api_key: Some("k3y \"with\" &%41\\".into()),
        env: &|name| (name == "KEY").then(|| "s3cret/\"+".to_owned()),
        read: &|name| match name {
            "csv" => Ok(CSV.as_bytes().to_vec().into()),
            // The file that the format's example names.
            "users.csv" => Ok(CSV.replace("text,", "mail,").into_bytes().into()),
            "body" => Ok(vec![0, 13, 10, 13, 10, 255].into()),
            _ => Err("No such file".into()),
        },
        ..Context::plain()
    };
    Ok(compile("my.toml", text, &context)?.bind("localhost:8000", ""))
}

/// Checks a request by the grammar of RFC 9112, without the program's own parser.
fn check_request(request: &[u8], text: &str) {
    let end = request.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.expect("an end of the head");
    let head = std::str::from_utf8(&request[..end]).expect("UTF-8");
    let body = &request[end + 4..];
    let mut lines = head.split("\r\n");
    let line: Vec<&str> = lines.next().expect("a line").split(' ').collect();
    let [method, target, "HTTP/1.1"] = line[..] else {
        panic!("{line:?}\n{text}");
    };
    assert!(method.bytes().all(|byte| byte.is_ascii_uppercase()));
    assert!(target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(
        !target.contains(['#', '"', '\\', '<', '>']),
        "{target}\n{text}"
    );
    for (at, _) in target.match_indices('%') {
        let hex = target.as_bytes().get(at + 1..at + 3);
        assert!(
            hex.is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)),
            "{target}"
        );
    }
    let (mut length, mut kind) = (None, "");
    for line in lines {
        let (name, value) = line
            .split_once(": ")
            .unwrap_or_else(|| panic!("{line:?}\n{text}"));
        assert!(
            name.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
            "{name}"
        );
        assert!(
            value.chars().all(|c| c == '\t' || !c.is_control()),
            "{value:?}\n{text}"
        );
        assert_ne!(name, "X-Evil", "{text}");
        match name {
            "Content-Length" => assert_eq!(length.replace(value.parse::<usize>()), None),
            "Content-Type" => kind = value,
            _ => {}
        }
    }
    assert_eq!(length.unwrap_or(Ok(0)), Ok(body.len()), "{head}\n{text}");
    match kind {
        "application/json" => {
            let parsed = serde_json::from_slice::<Json>(body);
            parsed.unwrap_or_else(|error| {
                panic!("{error}: {}\n{text}", String::from_utf8_lossy(body))
            });
        }
        "application/x-www-form-urlencoded" => {
            let is_plain = |&byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%&=".contains(&byte);
            assert!(
                body.iter().all(is_plain),
                "{}\n{text}",
                String::from_utf8_lossy(body)
            );
        }
        _ => {}
    }
}

/// Checks every request of a scenario, for users far apart and any answer of a server.
fn check_requests(scenario: &Scenario, text: &str) {
    for (user, answer) in [
        (0, "{\"t\":\"plain\"}"),
        (1, "{\"t\":\"a\\r\\nX-Evil: 1\"}"),
        (2, "{\"t\":-7.50}"),
        (3, "{\"t\":\"\\\"\\\\\\u0000\\u00e9 %/&\"}"),
        (99_999_999, "{\"t\":[1,{\"x\":null}]}"),
    ] {
        let origin = |stream, text| Origin {
            random: Keyed::new(user),
            user,
            stream,
            text,
            iteration: user,
            users: 100_000_000,
            wall_ns: 1_800_000_000_123_456_789,
            feeder: &scenario.feeder,
            values: &[],
        };
        let mut values = vec![0; scenario.variables.stride()];
        scenario
            .variables
            .fill(&origin(Stream::Variable, 0), &mut values);
        let mut fresh = vec![0; scenario.fresh_stride];
        let caches = scenario.caches();
        for (nth, step) in scenario.steps.iter().enumerate() {
            let of_request = Origin {
                values: &values,
                ..origin(Stream::Request, nth as u64 + 1)
            };
            step.refresh(&of_request, &mut fresh);
            let request = step.template.whole(Values {
                user: &values,
                fresh: &fresh,
            });
            check_request(&request, text);
            let reply = Reply {
                head: b"HTTP/1.1 200 OK\r\nX-Cart: caf\xe9\r\n\r\n",
                body: answer.as_bytes(),
                facts: &Facts::plain(&caches),
            };
            let stored: Vec<bool> = step
                .extract
                .iter()
                .map(|it| it.store(reply, &mut values).is_ok())
                .collect();
            // The user ends here.
            if stored.contains(&false) {
                break;
            }
        }
    }
}

/// Checks a text; returns whether it was accepted.
fn check(text: &str) -> bool {
    match compiled(text) {
        Ok(scenario) => {
            check_requests(&scenario, text);
            true
        }
        Err(error) => {
            assert!(!error.reason.is_empty());
            let line = text.split('\n').nth(error.line - 1);
            let line = line.unwrap_or_else(|| panic!("no such line: {error}"));
            assert_eq!(
                error.excerpt,
                line.trim_end_matches('\r'),
                "{error}\n{text}"
            );
            let characters = line.chars().count();
            assert!((1..=characters + 1).contains(&error.column), "{error}");
            for secret in ["s3cret", "k3y"] {
                assert!(!error.to_string().contains(secret), "{error}");
            }
            false
        }
    }
}

#[test]
fn accepted_scenarios_send_valid_http_for_any_user_and_any_answer() {
    in_background(check_accepted);
}

fn check_accepted() {
    let dice = Dice(Cell::new(0x9e37_79b9_7f4a_7c15));
    let accepted = (0..8_000).filter(|_| check(&dice.scenario())).count();
    assert!(
        (1_000..7_000).contains(&accepted),
        "{accepted}: hardly a test"
    );
}

#[test]
fn the_format_and_the_built_in_scenarios_survive_any_damage() {
    in_background(check_damaged);
}

fn check_damaged() {
    let texts: Vec<&str> = BUILTIN.iter().map(|it| it.text).chain([FORMAT]).collect();
    assert!(texts.iter().all(|text| check(text)));
    let dice = Dice(Cell::new(7));
    let tokens: Vec<&str> = texts
        .iter()
        .flat_map(|text| text.split_inclusive([' ', '\n']))
        .collect();
    let mut accepted = 0;
    for round in 0..3_000 {
        let mut text = texts[round % texts.len()].to_owned();
        for _ in 0..1 + dice.below(3) {
            let mut at = dice.below(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let piece = match dice.below(3) {
                0 => dice.pick(&TEXTS).to_owned(),
                1 => dice.hole(),
                _ => dice.pick(&tokens).to_owned(),
            };
            match dice.below(4) {
                0 => text.insert_str(at, &piece),
                1 => text = text.replacen(dice.pick(&tokens), &piece, 1),
                2 => text.replace_range(
                    at..at + text[at..].chars().next().map_or(0, char::len_utf8),
                    "",
                ),
                _ => text = text.replacen(dice.pick(&tokens), "", 1),
            }
        }
        accepted += usize::from(check(&text));
    }
    assert!(
        (150..2_850).contains(&accepted),
        "{accepted}: hardly a test"
    );
}

#[test]
fn every_beginning_of_a_scenario_is_accepted_or_refused_with_a_place() {
    for text in [BUILTIN[4].text, FORMAT] {
        for end in (0..text.len())
            .step_by(3)
            .filter(|&end| text.is_char_boundary(end))
        {
            check(&text[..end]);
        }
    }
}

#[test]
fn garbage_is_refused_with_a_place() {
    let dice = Dice(Cell::new(11));
    let pieces = [
        "[[task]]\n",
        "[task.step]\n",
        "name",
        " = ",
        "\"",
        "'''\n",
        "{{",
        "}}",
        "{",
        "}",
        "[",
        "]",
        ",",
        "\n",
        "\r\n",
        "#",
        "1e999",
        "0x",
        "-",
        "true",
        "1979-05-27",
        "\u{e9}",
        "\u{0}",
        "\\u",
        "method",
        "path",
        "\"/\"",
    ];
    for _ in 0..20_000 {
        let text: String = (0..dice.below(40)).map(|_| dice.pick(&pieces)).collect();
        assert!(!check(&text), "{text}");
    }
}
