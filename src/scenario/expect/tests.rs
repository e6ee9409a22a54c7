use super::*;
use crate::scenario::comparison::Comparison;
use crate::scenario::pattern::Caches;
use crate::scenario::picked::Pick;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nX-Id: 7a \r\nX-Latin: caf\xe9\r\nLocation: /a\r\n\r\n";

fn pointer(text: &str) -> Pointer {
    Pointer::parse(text).expect(text)
}

fn check(rule: Rule, body: &str, expected: bool) {
    assert_eq!(
        rule.holds(reply(body.as_bytes())),
        expected,
        "{rule} in {body}"
    );
}

#[test]
fn rules_hold_for_what_they_say() {
    for body in ["null", " null\n", "", "\u{feff}null"] {
        check(Rule::NotNull, body, false);
    }
    for body in ["{}", "nullable", "\"null\"", "0"] {
        check(Rule::NotNull, body, true);
    }
    let body = r#"{"state":"idle","n":{"x":2.0}}"#;
    check(Rule::Equals(pointer("/state"), "idle".into()), body, true);
    check(Rule::Equals(pointer("/state"), "busy".into()), body, false);
    check(Rule::Equals(pointer("/n/x"), 2.into()), body, true);
    check(
        Rule::Equals(pointer("/n"), serde_json::json!({"x": 2.0})),
        body,
        true,
    );
    check(Rule::Exists(pointer("/n/x")), body, true);
    check(Rule::Exists(pointer("/n/y")), body, false);
    check(Rule::Exists(pointer("/n")), "{\"n\":null}", false);
    check(Rule::Exists(pointer("/n")), "{\"n\":false}", true);
    check(Rule::Exists(pointer("/n/x")), "{\"n\":{\"x\":2}", false);
    check(Rule::Header("x-id".into()), "", true);
    check(Rule::Header("X-I".into()), "", false);
}

fn reply(body: &[u8]) -> Reply<'_> {
    let caches = Box::leak(Box::default());
    let facts = Box::leak(Box::new(Facts::plain(caches)));
    Reply {
        head: HEAD,
        body,
        facts,
    }
}

fn shown_text(unmet: Unmet<'_>) -> String {
    let mut secrets = Secrets::default();
    secrets.add("s3cret-canary");
    unmet.describe(&secrets)
}

/// Checks the text for an answer with status 200 and this body.
fn check_shown(rule: Rule, body: &[u8], expected: &str) {
    let expect = Expect {
        statuses: StatusSet::success(),
        rules: vec![rule],
    };
    let unmet = expect.unmet(200, reply(body));
    assert_eq!(shown_text(unmet.expect("it does not hold")), expected);
}

#[test]
fn an_unmet_expectation_is_shown_with_what_was_found() {
    let idle = || Rule::Equals(pointer("/state"), "idle".into());
    let there = || Rule::Exists(pointer("/a/b"));
    let check = |rule, body: &str, expected| check_shown(rule, body.as_bytes(), expected);
    check(
        idle(),
        r#"{"state":"busy"}"#,
        "expected \"idle\" at /state, found \"busy\"",
    );
    check(
        idle(),
        "{}",
        "expected \"idle\" at /state, which is not there",
    );
    check(
        there(),
        r#"{"a":{"b":null}}"#,
        "expected a value at /a/b, found null",
    );
    check(
        there(),
        "[]",
        "expected a value at /a/b, which is not there",
    );
    check(
        Rule::NotNull,
        "null",
        "expected a body that is not null, found null",
    );
    check(
        Rule::NotNull,
        " ",
        "expected a body that is not null, but the body is empty",
    );
    check(
        Rule::Header("X-Cart".into()),
        "",
        "expected the header X-Cart, which is not there",
    );
    let long = format!("{{\"state\":\"{}\"}}", "x".repeat(200));
    let shown = format!(
        "expected \"idle\" at /state, found \"{}...",
        "x".repeat(SHOWN_CHARACTERS - 1)
    );
    check(idle(), &long, &shown);
    // It is masked before it is cut.
    let secret = format!("{{\"state\":\"{}s3cret-canary\"}}", "x".repeat(54));
    let shown = format!(
        "expected \"idle\" at /state, found \"{}***\"",
        "x".repeat(54)
    );
    check(idle(), &secret, &shown);
}

#[test]
fn a_body_that_is_not_json_is_described() {
    let rule = || Rule::Exists(pointer("/a"));
    for (body, what) in [
        (&b""[..], "the body is empty"),
        (b" \r\n", "the body is empty"),
        (
            b"<!DOCTYPE html>\n<html>",
            "the body is not JSON: it begins with <!DOCTYPE html>",
        ),
        (
            b"{\"a\":1",
            "the body is not JSON: EOF while parsing an object at line 1 column 6",
        ),
        (
            b"{\"a\":1} {}",
            "the body is not JSON: trailing characters at line 1 column 9",
        ),
        (
            b"\x1f\x8b\x08\0\0",
            "the body is gzip, and no Content-Encoding says so",
        ),
        (
            b"\xff\xfe{\0}\0",
            "the body is UTF-16, and JSON is UTF-8 (RFC 8259 section 8.1)",
        ),
    ] {
        let expected = format!("expected a value at /a, but {what}");
        check_shown(rule(), body, &expected);
    }
    let long = format!("{{\"b\":\"{}", "x".repeat(BODY_BYTES_KEPT));
    check_shown(
        rule(),
        &long.as_bytes()[..BODY_BYTES_KEPT],
        "expected a value at /a, but it is not in the first 64 KiB of the body, and no more is kept",
    );
}

#[test]
fn a_byte_order_mark_in_front_of_json_is_skipped() {
    let body = "\u{feff}{\"a\":1}";
    check(Rule::Equals(pointer("/a"), 1.into()), body, true);
    check(Rule::Exists(pointer("/a")), body, true);
    let taken = extracted(FoundIn::Json(pointer("/a")), None, Demands::default(), body);
    assert_eq!(taken, Ok("1".into()));
}

#[test]
fn another_status_is_told_which_one_was_expected() {
    for (statuses, expected) in [
        (vec![202], "expected status 202"),
        (vec![200, 204], "expected status 200 or 204"),
        (vec![201, 200, 404], "expected status 200, 201 or 404"),
        ((200..300).collect(), "expected status 2xx"),
    ] {
        let expect = Expect {
            statuses: statuses.into_iter().collect(),
            rules: Vec::new(),
        };
        let unmet = expect.unmet(503, reply(b""));
        assert_eq!(shown_text(unmet.expect("another status")), expected);
    }
}

#[test]
fn a_status_or_any_rule_of_failed_ends_a_poll() {
    let failed = PollFailure {
        statuses: [500].into_iter().collect(),
        rules: vec![
            Rule::Equals(pointer("/state"), "failed".into()),
            Rule::Exists(pointer("/error")),
        ],
    };
    for (status, body, expected) in [
        (500, "", Some("this status ends the poll (failed)")),
        (
            200,
            r#"{"state":"failed"}"#,
            Some("\"failed\" at /state ends the poll (failed)"),
        ),
        (
            200,
            r#"{"error":"x"}"#,
            Some("a value at /error ends the poll (failed)"),
        ),
        (200, r#"{"state":"busy","error":null}"#, None),
        (404, "", None),
    ] {
        let met = failed.met(status, reply(body.as_bytes())).map(shown_text);
        assert_eq!(met.as_deref(), expected, "{status} {body}");
    }
}

fn extracted(
    from: FoundIn,
    default: Option<&str>,
    demands: Demands,
    body: &str,
) -> Result<String, String> {
    let slot = Slot {
        offset: 0,
        bytes_max: 8,
        fixed: false,
    };
    let extract = Extract {
        name: "token".into(),
        slot,
        from,
        default: default.map(str::to_owned),
        demands,
        link: None,
    };
    let mut values = vec![0; slot.stride()];
    let stored = extract.store(reply(body.as_bytes()), &mut values);
    let text = String::from_utf8(slot.text(&values).to_vec()).expect("text");
    stored.map(|()| text).map_err(shown_text)
}

#[test]
fn values_are_extracted_from_head_and_body_or_refused_with_a_reason() {
    let json = |text| FoundIn::Json(pointer(text));
    let header = |text: &str| FoundIn::Header(text.into());
    let any = Demands::default();
    let in_header = Demands {
        in_header: true,
        ..any
    };
    let bare = Demands {
        bare_in_json: true,
        ..any
    };
    let ok = |from, demands, body: &str, expected: &str| {
        let found = extracted(from, None, demands, body);
        assert_eq!(found.as_deref(), Ok(expected));
    };
    ok(header("x-ID"), any, "", "7a");
    ok(json("/t"), any, r#"{"t":"a\nb"}"#, "a\nb");
    ok(json("/t"), any, r#"{"t":"null"}"#, "null");
    ok(json("/t"), bare, r#"{"t":-7.5}"#, "-7.5");
    ok(json("/t"), bare, r#"{"t":"7"}"#, "7");
    let check = |from, demands, body: &str, why: &str| {
        let error = extracted(from, None, demands, body).expect_err(why);
        assert_eq!(error, format!("without {{{{token}}}}: {why}"));
    };
    check(
        json("/u"),
        any,
        r#"{"t":1}"#,
        "the value at /u is not there",
    );
    check(json("/t"), any, r#"{"t":null}"#, "the value at /t is null");
    check(json("/t"), bare, r#"{"t":null}"#, "the value at /t is null");
    check(json(""), any, "null", "the value at the whole body is null");
    check(json("/t"), any, "", "the body is empty");
    check(header("x-no"), any, "", "the header x-no is not there");
    check(
        json("/t"),
        bare,
        r#"{"t":"7b"}"#,
        "the value at /t is not a number",
    );
    check(
        json("/t"),
        in_header,
        r#"{"t":"a\r\nb"}"#,
        "the value at /t has a character that a header cannot have",
    );
    check(
        json("/t"),
        any,
        r#"{"t":"123456789"}"#,
        "the value at /t is longer than its variable; give it more room with max",
    );
    check(header("x-id"), bare, "", "the header x-id is not a number");
    check(
        json("/t"),
        any,
        r#"{"t":"\udc00"}"#,
        "the value at /t is not Unicode text",
    );
    check(
        header("x-latin"),
        any,
        "",
        "the header x-latin is not Unicode text",
    );
    let long = format!("{{\"t\":\"{}", "x".repeat(BODY_BYTES_KEPT));
    check(
        json("/t"),
        any,
        &long[..BODY_BYTES_KEPT],
        "it is not in the first 64 KiB of the body, and no more is kept",
    );
}

#[test]
fn a_default_stands_for_what_is_absent_or_null_and_for_nothing_else() {
    let json = || FoundIn::Json(pointer("/t"));
    let any = Demands::default();
    let taken = |from, body| extracted(from, Some("none"), any, body);
    for (body, expected) in [
        (r#"{"t":"x"}"#, "x"),
        (r#"{"t":""}"#, ""),
        (r#"{"t":null}"#, "none"),
        ("{}", "none"),
    ] {
        assert_eq!(taken(json(), body).as_deref(), Ok(expected), "{body}");
    }
    let header = FoundIn::Header("X-No".into());
    assert_eq!(taken(header, "").as_deref(), Ok("none"));
    for body in ["", "<html>", "{\"t\":\"123456789\"}"] {
        assert!(taken(json(), body).is_err(), "{body}");
    }
}

#[test]
fn a_status_set_holds_what_was_put_in() {
    let set: StatusSet = [200, 202, 404, 599, 999].into_iter().collect();
    for status in 0..1_100 {
        assert_eq!(
            set.contains(status),
            [200, 202, 404, 599, 999].contains(&status),
            "{status}"
        );
    }
    assert!(StatusSet::success().contains(204) && !StatusSet::success().contains(300));
}

fn passes(check: Check, body: &str, expected: bool) {
    self::check(Rule::Check(check), body, expected);
}

#[test]
fn checks_of_texts_numbers_and_counts_hold_for_what_they_say() {
    let pattern = |text| Check::Matches(Pattern::parse(text).expect(text));
    let compared = |text| Comparison::parse(text).expect(text);
    passes(Check::Contains("b<c".into()), "ab<cd", true);
    passes(Check::Contains("b<c".into()), "", false);
    passes(Check::Lacks("error".into()), "fine", true);
    passes(Check::Lacks("error".into()), "an error", false);
    passes(pattern("^[a-z]+$"), "abc", true);
    passes(pattern("^[a-z]+$"), "ab1", false);
    let body = r#"{"n": 7, "list": [1, 2], "state": "done"}"#;
    let compare = |place, text| Check::Compare(pointer(place), compared(text));
    passes(compare("/n", ">= 7"), body, true);
    passes(compare("/n", "8..9"), body, false);
    passes(compare("/state", "!= failed"), body, true);
    passes(compare("/none", "!= failed"), body, false);
    passes(compare("/n", "> 0"), "<html>", false);
    let count = |place, text| Check::Count(pointer(place), compared(text));
    passes(count("/list", ">= 2"), body, true);
    passes(count("/list", "> 2"), body, false);
    passes(count("", "3..3"), body, true);
    passes(count("/n", "> 0"), body, false);
}

#[test]
fn a_check_that_fails_is_shown_with_what_was_found() {
    let compared = |text| Comparison::parse(text).expect(text);
    let check = |check, body: &str, expected| {
        check_shown(Rule::Check(check), body.as_bytes(), expected);
    };
    check(
        Check::Contains("</html>".into()),
        "<html>",
        "expected the text \"</html>\", which is not there",
    );
    check(
        Check::Lacks("error".into()),
        "error",
        "expected a body without the text \"error\", which is there",
    );
    check(
        Check::Matches(Pattern::parse("^a+$").expect("a pattern")),
        "",
        "expected a match of ^a+$, but the body is empty",
    );
    check(
        Check::Compare(pointer("/n"), compared(">5")),
        "{\"n\": 3}",
        "expected a value > 5 at /n, found 3",
    );
    check(
        Check::Compare(pointer("/n"), compared("1..9")),
        "[]",
        "expected a value 1..9 at /n, which is not there",
    );
    check(
        Check::Count(pointer("/list"), compared("> 1")),
        "{\"list\": [7]}",
        "expected a number of elements > 1 at /list, found 1 element",
    );
    check(
        Check::Count(pointer("/list"), compared("> 1")),
        "{\"list\": 7}",
        "expected a number of elements > 1 at /list, found 7",
    );
    let long = "x".repeat(BODY_BYTES_KEPT);
    check(
        Check::Contains("y".into()),
        &long,
        "expected the text \"y\", which is not in the first 64 KiB of the body, and no more is kept",
    );
}

#[test]
fn an_answer_later_than_its_time_limit_is_unmet() {
    let caches = Caches::default();
    let within = Rule::Check(Check::Within(500_000_000));
    let expect = Expect {
        statuses: StatusSet::success(),
        rules: vec![within],
    };
    for (took_ns, expected) in [
        (500_000_000, None),
        (
            730_400_000,
            Some("expected an answer within 500 ms, it took 730 ms"),
        ),
    ] {
        let facts = Facts {
            took_ns,
            ..Facts::plain(&caches)
        };
        let reply = Reply {
            facts: &facts,
            ..reply(b"")
        };
        let unmet = expect.unmet(200, reply).map(shown_text);
        assert_eq!(unmet.as_deref(), expected);
    }
}

#[test]
fn values_are_extracted_from_lists_and_from_texts_that_are_not_json() {
    let any = Demands::default();
    let picked = |text, pick| FoundIn::Picked(Picked::parse(text, pick).expect(text));
    let regex = |text| FoundIn::Excerpt(Excerpt::Group(Pattern::parse(text).expect(text)));
    let between = FoundIn::Excerpt(Excerpt::Between("id=".into(), "&".into()));
    let list = r#"{"l": [{"id": "a\nb"}, {"id": null}]}"#;
    for (from, body, expected) in [
        (picked("/l/*/id", Pick::First), list, Ok("a\nb")),
        (picked("/l", Pick::Count), list, Ok("2")),
        (
            picked("/l/*/id", Pick::Last),
            list,
            Err("/id in the last element of /l is null"),
        ),
        (
            picked("/l", Pick::Random),
            "{\"l\": []}",
            Err("an element of /l, which is empty"),
        ),
        (
            picked("/l", Pick::Last),
            "<p>",
            Err("the body is not JSON: it begins with <p>"),
        ),
        (regex("id=([0-9]+)"), "id=12&", Ok("12")),
        (
            regex("id=([0-9]+)"),
            "id=x",
            Err("a match of id=([0-9]+) is not there"),
        ),
        (between.clone(), "id=12&", Ok("12")),
        (
            between,
            "id=123456789&",
            Err(
                "the text between \"id=\" and \"&\" is longer than its variable; give it more room with max",
            ),
        ),
    ] {
        let found = extracted(from.clone(), None, any, body);
        let expected = expected.map(str::to_owned);
        assert_eq!(
            found,
            expected.map_err(|why: &str| format!("without {{{{token}}}}: {why}"))
        );
        let defaulted = extracted(from, Some("none"), any, "{}");
        assert!(matches!(defaulted.as_deref(), Ok("none")), "{body}");
    }
}
