//! Values with arguments, functions of values, and credentials: what is sent, and what is refused.

use opsurge::scenario::format::compile::{Context, compile};
use opsurge::scenario::format::place::ScenarioError;
use opsurge::scenario::model::Scenario;

const STEP: &str = "name = \"x\"\n[[task]]\nmethod = \"POST\"\npath = \"/\"\n";
/// 2027-01-15T08:00:00Z.
const WALL_NS: u64 = 1_800_000_000_000_000_000;

fn compiled(text: &str) -> Result<Scenario, ScenarioError> {
    let context = Context {
        env: &|name| (name == "KEY").then(|| "your-256-bit-secret".to_owned()),
        read: &|_| {
            Ok(b"mail,password\nann@example.test,p\xc3\xa4ss wort\n"
                .to_vec()
                .into())
        },
        ..Context::plain()
    };
    Ok(compile("my.toml", text, &context)?.bind("localhost:8000", ""))
}

fn request(text: &str) -> String {
    let scenario = compiled(text).unwrap_or_else(|error| panic!("{error}"));
    let request = scenario.first_request(0, 7, 7, WALL_NS);
    String::from_utf8(request).expect("text")
}

fn check_body(hole: &str, expected: &str) {
    let request = request(&format!("{STEP}text = \"{{{{{hole}}}}}\"\n"));
    let (_, body) = request.split_once("\r\n\r\n").expect("a head");
    assert_eq!(body, expected, "{hole}");
}

fn check_error(text: &str, place: (usize, usize), reason: &str) {
    let error = compiled(text).map(|_| ()).expect_err(text);
    assert_eq!((error.line, error.column), place, "{error}");
    assert!(error.to_string().contains(reason), "{error}");
}

/// The boundary follows from the parts alone, so no seed has to be kept for it.
#[test]
fn a_body_of_several_parts_has_the_same_bytes_in_each_run() {
    let text = format!(
        "{STEP}multipart = {{ title = \"a\", id = \"{{{{uuid}}}}\", rows = {{ path = \"a.csv\" }} }}\n"
    );
    let first = request(&text);
    assert!(
        first.contains("multipart/form-data; boundary=opsurge-"),
        "{first}"
    );
    assert_eq!(first, request(&text));
    let other = request(&text.replace("\"a\"", "\"b\""));
    let boundary = |request: &str| {
        request
            .split("boundary=")
            .nth(1)
            .map(|it| it[..40].to_owned())
    };
    assert_ne!(boundary(&first), boundary(&other));
}

#[test]
fn holes_with_arguments_are_computed() {
    check_body("date", "2027-01-15");
    check_body("date +20d", "2027-02-04");
    check_body("now -8h", "2027-01-15T00:00:00.000000Z");
    check_body("now_s + 1d", "1800086400");
    check_body("user * 10 + 1", "71");
    check_body("user % 4 - 5", "-2");
    check_body("sequence 100 / 2", "53");
    check_body("random 2.50..2.50", "2.50");
    check_body("base64 'a b'", "YSBi");
    check_body("base64url user ':' now_s", "NzoxODAwMDAwMDAw");
    check_body("hex user", "37");
    check_body(
        "sha256 'a' 'bc'",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
    check_body(
        "hmac 'Jefe' 'what do ya want for nothing?'",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    );
    check_body("base64 now_s+1h", "MTgwMDAwMzYwMA==");
}

#[test]
fn a_token_has_the_claims_that_its_hole_or_its_variable_names() {
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
    let claims = r#"{"sub":"1234567890","name":"John Doe","iat":1516239022}"#;
    let bearer = "auth = { bearer = \"{{jwt env.KEY claims}}\" }\n";
    let text = format!("{STEP}{bearer}[variables]\nclaims = '{claims}'\n");
    let sent = request(&text);
    assert!(
        sent.contains(&format!("\r\nAuthorization: Bearer {token}\r\n")),
        "{sent}"
    );
    let literal = format!("{STEP}text = '''{{{{jwt env.KEY '{claims}'}}}}'''\n");
    assert!(request(&literal).ends_with(token));
    let scenario = compiled(&literal).expect("valid");
    assert_eq!(
        scenario.secrets.mask(token),
        "***",
        "a constant token is a secret"
    );
    let by_parts = r#"text = '''{{jwt env.KEY '{"sub":"' user '","iat":' now_s '}' }}'''"#;
    let sent = request(&format!("{STEP}{by_parts}\n"));
    assert!(
        sent.contains(".eyJzdWIiOiI3IiwiaWF0IjoxODAwMDAwMDAwfQ."),
        "{sent}"
    );
}

#[test]
fn credentials_are_sent_by_every_step_that_does_not_drop_them() {
    let basic = "auth = { basic = [\"{{csv.mail}}\", \"{{csv.password}}\"] }\n";
    let csv = "csv = { file = \"users.csv\" }\n";
    let all = |step: &str| format!("{csv}{basic}{STEP}{step}\n");
    let line = "\r\nAuthorization: Basic YW5uQGV4YW1wbGUudGVzdDpww6RzcyB3b3J0\r\n";
    assert!(request(&all("")).contains(line));
    assert!(!request(&all("drop_headers = [\"authorization\"]")).contains("Authorization"));
    assert!(
        request(&all("auth = { bearer = \"t0ken\" }"))
            .contains("\r\nAuthorization: Bearer t0ken\r\n")
    );
    let fixed = format!("{STEP}auth = {{ basic = [\"me\", \"s3cret\"] }}\n");
    assert!(request(&fixed).contains("\r\nAuthorization: Basic bWU6czNjcmV0\r\n"));
    let secrets = compiled(&fixed).expect("valid").secrets;
    assert_eq!(secrets.mask("s3cret bWU6czNjcmV0"), "*** ***");
}

#[test]
fn a_variable_is_a_part_of_a_function_and_a_function_of_a_variable() {
    let text = format!(
        "{STEP}text = \"{{{{sha256 pair}}}}\"\n[variables]\npair = \"{{{{base64 user}}}}{{{{hex 'c'}}}}\"\n"
    );
    // sha256("Nw==63")
    let expected = request(&format!("{STEP}text = \"{{{{sha256 'Nw==63'}}}}\"\n"));
    assert_eq!(request(&text), expected);
}

#[test]
fn values_with_special_characters_are_encoded_for_their_place() {
    let step = STEP.replace("\"/\"", "\"/{{random_mail}}/{{base64 '>>>?'}}\"");
    let sent = request(&format!(
        "{step}form = {{ a = \"{{{{random_name}}}}\", b = \"{{{{base64 '>>>?'}}}}\" }}\n"
    ));
    let line = sent.lines().next().expect("a line");
    assert!(line.contains("%40example.com/Pj4+Pw== "), "{line}");
    assert!(
        sent.contains("%20") && sent.ends_with("&b=Pj4%2BPw%3D%3D"),
        "{sent}"
    );
}

#[test]
fn wrong_arguments_are_refused_with_what_would_be_right() {
    let check = |hole: &str, reason: &str| {
        check_error(
            &format!("{STEP}text = '''{{{{{hole}}}}}'''\n"),
            (5, 11),
            reason,
        );
    };
    check("random 2.5..1.5", "{{random 0.50..9.99}}");
    check("random_string", "{{random_string 12}}");
    check("random_string 12 greek", "letters, digits or hex");
    check("random_name x", "takes nothing behind it");
    check("now tomorrow", "is not an offset");
    check("date +1parsec", "no unit");
    check("user + 1 * 2", "write * before + and -");
    check("user plus 1", "is not arithmetic");
    check("base64", "{{base64 name ':' csv.password}}");
    check("hmac env.KEY", "a key and 1 to 32 names");
    check("base64 usr", "did you mean \"user\"?");
    check("base64 'a", "not closed");
    check("base64 random_string", "{{random_string 12}}");
    check("hmac env.NOPE user", "NOPE is not set");
    check("jwt env.KEY '[1]'", "a JSON object");
    check("jwt env.KEY '{\"sub\":' user", "not JSON");
    check("jwt env.KEY '{\"sub\":' uuid '}' ", "in quotes of JSON");
    let auth = |auth: &str| format!("{STEP}auth = {auth}\n");
    check_error(
        &auth("\"me:s3cret\""),
        (5, 8),
        "a list of name and password",
    );
    check_error(
        &auth("{ basic = [\"me\"] }"),
        (5, 18),
        "a list of name and password",
    );
    check_error(&auth("{ basic = [\"a:b\", \"c\"] }"), (5, 19), "RFC 7617");
    check_error(
        &auth("{ bearer = \"Bearer x\" }"),
        (5, 19),
        "no \"Bearer\" before it",
    );
    check_error(
        &auth("{ berer = \"x\" }"),
        (5, 10),
        "did you mean \"bearer\"?",
    );
    check_error(
        &format!(
            "{}headers = {{ authorization = \"x\" }}\n",
            auth("{ bearer = \"x\" }")
        ),
        (5, 8),
        "leave one of them out",
    );
    let at = "[variables]\nat = \"{{base64 now_s}}\"\n";
    check_error(&format!("name = \"x\"\n{at}"), (3, 7), "computed once");
}
