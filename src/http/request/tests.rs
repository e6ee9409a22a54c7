//! Rendered requests against the same requests put together by hand.

use super::*;

fn literal(text: &str) -> Part {
    Part::Literal(text.as_bytes().to_vec())
}

/// Renders a request with one value, into a buffer of exactly [`Template::bytes_max`].
fn check(head: &str, body: Option<(&str, bool)>, encoding: Encoding, value: &str, expected: &str) {
    let fixed = body.is_some_and(|(_, fixed)| fixed);
    let slot = Slot {
        offset: 0,
        bytes_max: if fixed { value.len() } else { 300 },
        fixed,
    };
    let mut values = vec![0; slot.stride()];
    slot.store(value.as_bytes(), &mut values);
    for (place, user, fresh) in [
        (Place::User(slot), &values[..], &[][..]),
        (Place::Fresh(slot), &[][..], &values[..]),
    ] {
        let body = body.map(|(text, _)| vec![literal(text), Part::Value(place, encoding)]);
        let template = Template::new(vec![literal(head)], body);
        let out = template.whole(Values { user, fresh });
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}

#[test]
fn the_content_length_is_that_of_the_body_for_every_value() {
    let head = "POST / HTTP/1.1\r\n";
    let as_is = Encoding::AsIs;
    let expected = "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nid=ab";
    check(head, Some(("id=", true)), as_is, "ab", expected);
    check(head, Some(("id=", false)), as_is, "ab", expected);
    let long = "x".repeat(97);
    let expected = format!("POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nid={long}");
    check(head, Some(("id=", false)), as_is, &long, &expected);
    let expected = "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
    check(head, Some(("", true)), as_is, "", expected);
    check(head, Some(("", false)), as_is, "", expected);
}

#[test]
fn characters_that_would_break_the_syntax_are_escaped_and_counted_as_sent() {
    let head = "POST / HTTP/1.1\r\n";
    let expected = "POST / HTTP/1.1\r\nContent-Length: 19\r\n\r\n: a\\\"b\\\\c\\u000A\u{e9}/ ";
    let value = "a\"b\\c\n\u{e9}/ ";
    check(head, Some((": ", false)), Encoding::Json, value, expected);
    let expected = "POST / HTTP/1.1\r\nContent-Length: 27\r\n\r\n: a%22b%5Cc%0A%C3%A9%2F%20~";
    let value = "a\"b\\c\n\u{e9}/ ~";
    check(
        head,
        Some((": ", false)),
        Encoding::Percent,
        value,
        expected,
    );
}

#[test]
fn a_bound_template_is_one_with_the_target_as_literal_text() {
    let slot = Slot {
        offset: 0,
        bytes_max: 9,
        fixed: false,
    };
    let mut user = vec![0; slot.stride()];
    slot.store(b"-v-", &mut user);
    let value = || Part::Value(Place::User(slot), Encoding::AsIs);
    let template = |base_path: Part, authority: Part| {
        let line = [literal("GET "), base_path, literal("/a"), value()];
        let fields = [literal("\r\nHost: "), authority, literal("\r\nX: ")];
        let head = line.into_iter().chain(fields).chain([value()]);
        Template::new(head.collect(), Some(vec![literal("b="), value()]))
    };
    let mut bound = template(Part::BasePath, Part::Authority);
    for (authority, base_path) in [("a:1", "/base"), ("", ""), ("a.long.name", "/b"), ("x", "")] {
        bound.bind(authority, base_path);
        let expected = template(literal(base_path), literal(authority));
        assert!(bound.text == expected.text && bound.segments == expected.segments);
        assert_eq!(bound.bytes_max, expected.bytes_max);
        let values = Values {
            user: &user,
            fresh: &[],
        };
        assert_eq!(bound.whole(values), expected.whole(values));
    }
}

#[test]
fn without_a_body_there_is_no_content_length() {
    let expected = "GET / HTTP/1.1\r\n\r\n";
    check("GET / HTTP/1.1\r\n", None, Encoding::AsIs, "", expected);
}

/// Compares a request whose body has literals of these lengths, with a value after each but the last, with the same
/// request put together by hand. `expected` has the lengths of the literals that are shared.
fn check_shared(lengths: &[usize], fixed: bool, expected: &[usize]) {
    let text = |nth: usize, length| vec![b'a' + nth as u8; length];
    let slot = Slot {
        offset: 0,
        bytes_max: if fixed { 3 } else { 40 },
        fixed,
    };
    let mut user = vec![0; slot.stride()];
    slot.store(b"-v-", &mut user);
    let mut parts = Vec::new();
    let mut body = Vec::new();
    for (nth, &length) in lengths.iter().enumerate() {
        // Two neighbouring literals are one stretch.
        let mut first = text(nth, length);
        let second = first.split_off(length / 3);
        body.extend([&first[..], &second].concat());
        parts.extend([Part::Literal(first), Part::Literal(second)]);
        if nth + 1 < lengths.len() {
            parts.push(Part::Value(Place::User(slot), Encoding::AsIs));
            body.extend(b"-v-");
        }
    }
    let template = Template::new(vec![literal("PUT / HTTP/1.1\r\n")], Some(parts));
    let head = format!("PUT / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
    let values = Values {
        user: &user,
        fresh: &[],
    };
    assert!(template.whole(values) == [head.as_bytes(), &body].concat());
    let shared: Vec<usize> = template.shared().iter().map(|it| it.len()).collect();
    assert_eq!(shared, expected);
    let whole = template.shared_bytes() + template.bytes_max();
    assert!(whole >= head.len() + body.len() && whole < head.len() + body.len() + 500);
}

#[test]
fn long_stretches_of_a_body_are_shared_and_the_request_is_the_same() {
    const MIN: usize = SHARED_BYTES_MIN;
    for fixed in [true, false] {
        check_shared(&[MIN - 1], fixed, &[]);
        check_shared(&[MIN], fixed, &[MIN]);
        check_shared(&[MIN + 1], fixed, &[MIN + 1]);
        check_shared(&[0, MIN, 0], fixed, &[MIN]);
        check_shared(&[MIN, MIN + 1], fixed, &[MIN, MIN + 1]);
        check_shared(&[5, MIN - 1, MIN, 5, 3 * MIN, 1], fixed, &[MIN, 3 * MIN]);
        check_shared(&[MIN; SHARED_MAX], fixed, &[MIN; SHARED_MAX]);
    }
}

#[test]
fn at_most_seven_stretches_are_shared() {
    let parts = (0..2 * (SHARED_MAX + 1)).map(|nth| match nth % 2 {
        0 => Part::Literal(vec![b'x'; SHARED_BYTES_MIN]),
        _ => Part::Value(
            Place::User(Slot {
                offset: 0,
                bytes_max: 1,
                fixed: true,
            }),
            Encoding::AsIs,
        ),
    });
    let template = Template::new(Vec::new(), Some(parts.collect()));
    assert_eq!(template.shared().len(), SHARED_MAX);
    assert!(template.bytes_max() > SHARED_BYTES_MIN);
}

#[test]
fn a_template_shows_nothing_of_its_text() {
    let template = Template::new(vec![literal("Authorization: s3cret\r\n")], None);
    assert!(!format!("{template:?}").contains("s3cret"));
}
