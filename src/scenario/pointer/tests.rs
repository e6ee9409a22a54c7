use super::*;

/// The example document of RFC 6901 section 5.
const TEXT: &str = r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8,
        "deep":{"list":[{"id":1.50},{"id":"x\ny"}],"null":null}}"#;

#[test]
fn pointers_find_what_a_whole_tree_finds() {
    let tree: Json = serde_json::from_str(TEXT).expect("it is JSON");
    for pointer in [
        "",
        "/foo",
        "/foo/0",
        "/foo/1",
        "/foo/2",
        "/foo/01",
        "/foo/x",
        "/",
        "/a~1b",
        "/c%d",
        "/e^f",
        "/g|h",
        "/i\\j",
        "/k\"l",
        "/ ",
        "/m~0n",
        "/deep/list/0/id",
        "/deep/list/1/id",
        "/deep/null",
        "/deep/null/x",
        "/deep/list/0/id/x",
        "/nowhere",
        "/foo/0/x",
    ] {
        let found = Pointer::parse(pointer)
            .expect(pointer)
            .find(TEXT.as_bytes());
        let found = found.expect("it is JSON");
        assert_eq!(
            found.is_some(),
            tree.pointer(pointer).is_some(),
            "{pointer}"
        );
        if let (Some(found), Some(expected)) = (found, tree.pointer(pointer)) {
            assert!(found.is(expected), "{pointer}: {found:?}");
            let text = expected
                .as_str()
                .map_or_else(|| found.raw().to_owned(), str::to_owned);
            assert_eq!(found.text().as_deref(), Some(text.as_str()), "{pointer}");
            assert!(!found.is(&Json::from("something else")), "{pointer}");
        }
    }
}

#[test]
fn numbers_are_compared_exactly_and_strings_are_text() {
    let found = |text: &'static str| {
        let found = Pointer::parse("").expect("valid").find(text.as_bytes());
        found.expect("JSON").expect("a value")
    };
    for (text, number, same) in [
        ("9007199254740993", 9_007_199_254_740_993i64, true),
        ("9007199254740993", 9_007_199_254_740_992, false),
        ("2.0", 2, true),
        ("-2e0", -2, true),
        ("\"2\"", 2, false),
        ("true", 1, false),
    ] {
        assert_eq!(found(text).is(&Json::from(number)), same, "{text} {number}");
    }
    assert_eq!(found(r#""\ud800""#).text(), None);
    assert!(!found(r#""\ud800""#).is(&Json::from("")));
    assert_eq!(
        found(r#""\ud83d\ude00""#).text().as_deref(),
        Some("\u{1f600}")
    );
}

#[test]
fn a_text_that_is_not_json_is_an_error_even_after_the_value() {
    let pointer = Pointer::parse("/a").expect("valid");
    for text in ["", "{\"a\":1", "{\"a\":1}x", "nope", "{\"a\":1,}"] {
        assert!(pointer.find(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn a_wrong_pointer_is_told_the_right_one() {
    let error = Pointer::parse("data.id").expect_err("no slash");
    assert!(error.contains("\"/data/id\""), "{error}");
    assert!(Pointer::parse("/a~b").expect_err("a bare ~").contains("~0"));
}
