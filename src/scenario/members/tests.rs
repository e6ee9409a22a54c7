use super::*;

fn check(text: &str, expected: &str) {
    assert_eq!(mask(text, Author::Other), expected, "{text}");
    for (end, _) in text.char_indices() {
        let cut = mask(&text[..end], Author::Other);
        assert!(
            !cut.contains("s3") && !cut.contains("p4"),
            "{text} cut: {cut}"
        );
    }
}

#[test]
fn values_are_masked_by_their_names_in_every_form_of_text() {
    // JSON, as it is and as a text in another.
    check(
        r#"{"token":"s3cr3t","a":"b"}"#,
        r#"{"token":"***","a":"b"}"#,
    );
    check(
        r#"{ "Api-Key" : "s3\"cr3t\\" , "a":1}"#,
        r#"{ "Api-Key" : "***" , "a":1}"#,
    );
    check(
        r#"{"password":1234,"x":null}"#,
        r#"{"password":***,"x":null}"#,
    );
    check(
        r#"{"token":null,"secret":false}"#,
        r#"{"token":null,"secret":false}"#,
    );
    check(
        r#"{"credentials":{"id":"s3cr3t"},"x":1}"#,
        r#"{"credentials":{"id":"***"},"x":1}"#,
    );
    check(
        r#"{"tokens":["s3cr3t","p4ss"],"x":1}"#,
        r#"{"tokens":["***","***"],"x":1}"#,
    );
    check(
        r#"{"m":"{\"pwd\":\"s3\\\"cr3t\",\"x\":\"y\"}"}"#,
        r#"{"m":"{\"pwd\":\"***\",\"x\":\"y\"}"}"#,
    );
    check(
        "{&quot;token&quot;: &quot;s3cr3t&quot;, 1}",
        "{&quot;token&quot;: &quot;***&quot;, 1}",
    );
    check(
        "{'access_token': 's3cr3t', 'a': 1}",
        "{'access_token': '***', 'a': 1}",
    );
    check(
        r#"{"session":{},"secrets":[[{"a b":-7e5,"é":null},"s3c\"r3t"],{"x":"p4ss"}],"x":1}"#,
        r#"{"session":{},"secrets":[[{"a b":***,"é":null},"***"],{"x":"***"}],"x":1}"#,
    );
    // Queries and forms.
    check(
        "GET /x?a=1&api_key=s3cr3t&b=2 HTTP/1.1",
        "GET /x?a=1&api_key=***&b=2 HTTP/1.1",
    );
    check(
        "user=me&user[password]=s3cr3t",
        "user=me&user[password]=***",
    );
    check(
        "next=%2Flogin%3Fapi_key%3Ds3cr3t",
        "next=%2Flogin%3Fapi_key%3D***",
    );
    // Fields and cookies.
    check("X-Token: s3cr3t\r\nAccept: a", "X-Token: ***\r\nAccept: a");
    check(
        "X-Token: s3\"cr3t\\r\r\nAccept: a",
        "X-Token: ***\r\nAccept: a",
    );
    check(
        r#"{"detail":"token: s3cr3t"}"#,
        r#"{"detail":"token: ***"}"#,
    );
    check(
        "Authorization: Bearer s3cr3t\nA: b",
        "Authorization: Bearer ***\nA: b",
    );
    check(
        r#"{"echo":"GET /\r\nCookie: a=s3cr3t; b=p4ss\r\n"}"#,
        r#"{"echo":"GET /\r\nCookie: ***\r\n"}"#,
    );
    check("a=1; session=s3cr3t; b=2", "a=1; session=*** b=2");
    check(
        "<user><password>s3cr3t</password></user>",
        "<user><password>***</password></user>",
    );
    check("key = \"s3cr3t\"", "key = \"***\"");
}

#[test]
fn text_that_is_not_a_secret_member_stays() {
    for text in [
        r#"{"detail":"Invalid token: expired"}"#,
        r#"{"author":"Ann","keyboard":"de","tokenize":true}"#,
        "no token was sent, and no key either",
        "GET /session/7 HTTP/1.1",
        "Cookie:\r\nAccept: a",
        "token=&a=1",
        "",
    ] {
        assert_eq!(mask(text, Author::Other), text);
    }
}

#[test]
fn holes_are_names_of_values_where_the_scenarios_author_wrote_them() {
    for (text, expected) in [
        (
            "Authorization = \"Bearer {{api_key}}\"",
            "Authorization = \"Bearer {{api_key}}\"",
        ),
        (
            "q = { api_key = \"ab{{ k }}cd\" }",
            "q = { api_key = \"***{{ k }}***\" }",
        ),
        ("/x?token={{now ms}}&a=1", "/x?token={{now ms}}&a=1"),
    ] {
        assert_eq!(mask(text, Author::Scenario), expected);
        assert!(!mask(text, Author::Other).contains("{{"), "{text}");
    }
}

#[test]
fn secrets_are_taken_out_of_texts_as_they_stand_and_as_they_are_meant() {
    let found = |text| secrets_in(text);
    assert_eq!(
        found(r#"{"password":"a\"b","x":"y","pin_token":7}"#),
        ["a\\\"b", "a\"b"]
    );
    assert_eq!(found("/x?a=b&api_key=a%2Fb+c"), ["a%2Fb+c", "a/b c"]);
    assert_eq!(
        found(r#"{"secrets":{"token":"abcd","x":"y"}}"#),
        ["abcd", "abcd"]
    );
    assert!(found(r#"{"password":"{{csv.password}}"}"#).is_empty());
}

#[test]
fn no_text_whatever_breaks_it() {
    let parts = [
        "token", "\"", "\\", ":", "=", "{{", "}}", "{", "[", "]", "é", "&quot;", " ", "\n", "a",
        "%3D", "<", ">",
    ];
    let mut state = 1u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..state % 14 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            text += parts[(state >> 33) as usize % parts.len()];
        }
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695);
        mask(&text, Author::Scenario);
        mask(&text, Author::Other);
        secrets_in(&text);
    }
}
